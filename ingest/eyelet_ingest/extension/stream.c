/*
** One day's statement: which columns, which conditions, by which index, in which order.
**
** The SQL is made for each day, since days differ: an older one may lack a column (it is null there), and what is rare in
** one is common in another. Names are quoted, values are bound. Two things are asked of the day before:
**
** Are there rows whose id lies outside the day? Another program can move one there; they are in no answer, as in search.
** Where there are none, a whole day needs no condition on id, and its rows can be counted from the smallest index.
**
** Longer than other files, because the SQL of a day and the values bound to it have to agree.
*/
#include "eyelet.h"

#include <stdlib.h>

#define MOST_IN 4096          /* values of an IN that a day is asked; of more, SQLite finds those that fit */
#define MOST_BINDS 16384      /* parameters of one statement: SQLite takes 32,766 */

static Bind *bind(Writing *w){
  Cursor *c = w->c;
  if( c->nBind == c->spaceBind ){
    int space = c->spaceBind ? c->spaceBind * 2 : 16;
    Bind *more = sqlite3_realloc64(c->binds, (u64)space * sizeof(*more));
    if( more == 0 ){
      w->rc = SQLITE_NOMEM;
      return 0;
    }
    c->binds = more;
    c->spaceBind = space;
  }
  memset(&c->binds[c->nBind], 0, sizeof(Bind));
  return &c->binds[c->nBind++];
}

void binds_clear(Cursor *c){
  int i;
  for(i = 0; i < c->nBind; i++) sqlite3_free(c->binds[i].text);
  c->nBind = 0;
}

static void bind_value(Writing *w, sqlite3_value *value){
  Bind *b = bind(w);
  if( b ) b->value = value;
}

void bind_number(Writing *w, i64 number){
  Bind *b = bind(w);
  if( b ) b->number = number;
}

/* The text becomes the statement's. */
void bind_text(Writing *w, char *text, int n){
  Bind *b = bind(w);
  if( b == 0 ){
    sqlite3_free(text);
    return;
  }
  b->text = text;
  b->nText = n;
}

static int bind_all(Cursor *c, sqlite3_stmt *stmt){
  int i, rc = SQLITE_OK;
  for(i = 0; i < c->nBind && rc == SQLITE_OK; i++){
    const Bind *b = &c->binds[i];
    if( b->value ) rc = sqlite3_bind_value(stmt, i + 1, b->value);
    else if( b->text ) rc = sqlite3_bind_text(stmt, i + 1, b->text, b->nText, SQLITE_TRANSIENT);
    else rc = sqlite3_bind_int64(stmt, i + 1, b->number);
  }
  return rc;
}

/* Step a statement that gives one number. SQLITE_OK, or what SQLite says. */
int one_number(Writing *w, const char *sql, i64 *out){
  Stmt *stmt = 0;
  int rc = conn_prepare(w->s->conn, sql, &stmt);
  if( rc != SQLITE_OK ) return rc;
  rc = bind_all(w->c, stmt->stmt);
  if( rc == SQLITE_OK ) rc = sqlite3_step(stmt->stmt);
  if( rc == SQLITE_ROW ){
    *out = sqlite3_column_int64(stmt->stmt, 0);
    rc = SQLITE_OK;
  }else if( rc == SQLITE_DONE ){
    rc = SQLITE_CORRUPT;
  }
  stmt_release(stmt);
  return rc;
}

/* Which columns the day's table has. SQLITE_OK; DAY_BAD where it has no such table; or an error. */
static int read_shape(Writing *w, Shape *shape){
  static const char FIND[] = "select type from sqlite_master where name = ?1 collate nocase and type in ('table', 'view')"
                             " and (type = 'table' and sql not like 'create virtual%' or ?1 <> 'hooks')";
  static const char COLUMNS[] = "select name from pragma_table_xinfo(?1) where hidden <> 1";
  Table *t = w->t;
  Stmt *stmt = 0;
  int i, rc = conn_prepare(w->s->conn, FIND, &stmt), found = 0, n = 0;
  if( rc == SQLITE_OK ) rc = sqlite3_bind_text(stmt->stmt, 1, t->inner, -1, SQLITE_STATIC);
  if( rc == SQLITE_OK ){
    rc = sqlite3_step(stmt->stmt);
    found = rc == SQLITE_ROW;
    if( found || rc == SQLITE_DONE ) rc = SQLITE_OK;
  }
  if( stmt ) stmt_release(stmt);
  if( rc != SQLITE_OK ) return rc;
  if( !found ){
    char *text = sqlite3_mprintf("it has no table %s: it is empty, older or another program's", t->inner);
    rc = text ? day_error(t, w->s->day, SQLITE_ERROR, text) : SQLITE_NOMEM;
    sqlite3_free(text);
    return rc;
  }
  memset(shape->have, 0, (size_t)t->n);
  stmt = 0;
  rc = conn_prepare(w->s->conn, COLUMNS, &stmt);
  if( rc == SQLITE_OK ) rc = sqlite3_bind_text(stmt->stmt, 1, t->inner, -1, SQLITE_STATIC);
  while( rc == SQLITE_OK && (rc = sqlite3_step(stmt->stmt)) == SQLITE_ROW ){
    const char *name = (const char *)sqlite3_column_text(stmt->stmt, 0);
    rc = name ? SQLITE_OK : SQLITE_NOMEM;
    for(i = 0; name && i < t->n; i++){
      if( sqlite3_stricmp(name, t->columns[i].name) == 0 && !shape->have[i] ){
        shape->have[i] = 1;
        n++;
      }
    }
  }
  if( stmt ) stmt_release(stmt);
  shape->complete = n == t->n;
  if( rc != SQLITE_DONE ) return rc;
  if( t->is_hooks && !shape->have[t->id] ){
    return day_error(t, w->s->day, SQLITE_ERROR, "its table hooks has no id: it is another program's");
  }
  return SQLITE_OK;
}

static int find_shape(Writing *w){
  Conn *conn = w->s->conn;
  Shape *shape;
  int rc;
  if( w->t->inner == 0 ) return SQLITE_OK;
  for(shape = conn->shapes; shape && shape->table != w->t; shape = shape->next){}
  if( shape && shape->complete ){
    w->shape = shape;
    return SQLITE_OK;
  }
  if( shape == 0 ){
    shape = sqlite3_malloc64(sizeof(*shape) + (u64)w->t->n);
    if( shape == 0 ) return SQLITE_NOMEM;
    memset(shape, 0, sizeof(*shape));
    shape->table = w->t;
    shape->next = conn->shapes;
    conn->shapes = shape;
  }
  rc = read_shape(w, shape);
  if( rc != SQLITE_OK ) shape->complete = 0;
  w->shape = shape;
  return rc;
}

/*
** Rows of another day's time. Only where the whole day is read in no order of time is it worth a look: elsewhere the
** bounds of the day are in the statement and cost nothing, as the id is the end of each index.
*/
static int find_strays(Writing *w){
  i64 there = 0;
  int rc;
  if( !w->t->is_hooks || w->c->pinned ) return SQLITE_OK;
  w->strays = 1;
  if( w->is_bounded ) return SQLITE_OK;
  bind_number(w, w->s->day->first);
  bind_number(w, w->s->day->first + DAY_US - 1);
  if( w->rc != SQLITE_OK ) return w->rc;
  rc = one_number(w, "select (select min(id) from hooks) < ?1 or (select max(id) from hooks) > ?2", &there);
  binds_clear(w->c);
  w->strays = there != 0;
  return rc;
}

static int has(const Writing *w, int column){ return w->shape == 0 || w->shape->have[column]; }

static void write_name(Writing *w, int column){
  if( has(w, column) ) sqlite3_str_appendf(w->sql, "\"%w\"", w->t->columns[column].name);
  else sqlite3_str_appendall(w->sql, "null");
}

static void condition(Writing *w){
  sqlite3_str_appendall(w->sql, w->conditions++ ? " and " : " where ");
}

/* What a SELECT gives has not the affinity that was declared for it: a text beside a column of numbers stays a text. */
static int is_pushable(const Writing *w, int column, char op, sqlite3_value *v){
  char kind = w->t->columns[column].kind;
  if( w->t->inner == 0 && op != 'l' && op != 'g' && (kind == 'i' || kind == 'r' || kind == 'n') ){
    int type = sqlite3_value_type(v);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT || (type == SQLITE_NULL && value_pushable(kind, op, v));
  }
  return value_pushable(kind, op, v);
}

static void write_in(Writing *w, const Term *term, int column){
  int i;
  if( term->nList > MOST_IN || w->c->nBind + term->nList > MOST_BINDS ) return;
  for(i = 0; i < term->nList; i++) if( !is_pushable(w, column, 'I', term->list[i]) ) return;
  condition(w);
  write_name(w, column);
  sqlite3_str_appendall(w->sql, " in (");
  for(i = 0; i < term->nList; i++){
    sqlite3_str_appendall(w->sql, i ? ", ?" : "?");
    bind_value(w, term->list[i]);
  }
  sqlite3_str_appendall(w->sql, ")");
}

/* Whether what looks like a number in a column of text may be below the text after all: see values.c. */
static int below(const Writing *w, const Term *term, int column){
  return w->t->columns[column].kind == 't' && !term->exact && (term->op == '<' || term->op == '{') &&
         sqlite3_value_type(term->value) == SQLITE_TEXT && strcmp((const char *)sqlite3_value_text(term->value), ":") < 0;
}

void write_term(Writing *w, const Term *term){
  static const char *const words[][2] = {
    {"=", " = ?"}, {"S", " is ?"}, {"!", " <> ?"}, {"X", " is not ?"}, {"<", " < ?"}, {"{", " <= ?"},
    {">", " > ?"}, {"}", " >= ?"}, {"l", " like ?"}, {"g", " glob ?"},
  };
  int column = term->col - 1;
  size_t i;
  if( !INNER(w->t, term->col) ) return;
  if( term == w->c->pinned ) return;
  if( term->op == 'I' ){
    write_in(w, term, column);
    return;
  }
  if( term->op == '0' || term->op == '1' ){
    condition(w);
    write_name(w, column);
    sqlite3_str_appendall(w->sql, term->op == '0' ? " is null" : " is not null");
    return;
  }
  if( !is_pushable(w, column, term->op, term->value) ) return;
  condition(w);
  write_name(w, column);
  if( below(w, term, column) ){
    sqlite3_str_appendall(w->sql, " < ':'");
    return;
  }
  for(i = 0; i < sizeof(words) / sizeof(words[0]); i++){
    if( words[i][0][0] == term->op ) sqlite3_str_appendall(w->sql, words[i][1]);
  }
  bind_value(w, term->value);
}

static int first_pin(const Cursor *c, i64 id){
  int low = 0, high = c->nPin;
  while( low < high ){
    int middle = (low + high) / 2;
    if( c->pins[middle].id < id ) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* The ids that are asked for by name and lie in this day. */
static void write_pins(Writing *w){
  const Day *day = w->s->day;
  int i, from = first_pin(w->c, day->first), to = first_pin(w->c, day->first + DAY_US), n = 0;
  if( !w->c->pinned ) return;
  condition(w);
  write_name(w, w->t->id);
  if( to - from > MOST_IN ){
    sqlite3_str_appendall(w->sql, " between ? and ?");
    bind_number(w, w->c->pins[from].id);
    bind_number(w, w->c->pins[to - 1].id);
    return;
  }
  sqlite3_str_appendall(w->sql, " in (");
  for(i = from; i < to; i++){
    if( w->c->pins[i].ordinal >= 0 && w->c->pins[i].ordinal != day->name->ordinal ) continue;
    sqlite3_str_appendall(w->sql, n++ ? ", ?" : "?");
    bind_number(w, w->c->pins[i].id);
  }
  sqlite3_str_appendall(w->sql, ")");
}

void write_bounds(Writing *w){
  const Day *day = w->s->day;
  int always = w->strays || !w->t->is_hooks;
  i64 last = day->first + DAY_US - 1;
  if( w->t->id < 0 || w->c->pinned ) return;
  if( always || w->c->ids.low > day->first ){
    condition(w);
    write_name(w, w->t->id);
    sqlite3_str_appendall(w->sql, " >= ?");
    bind_number(w, w->c->ids.low > day->first ? w->c->ids.low : day->first);
  }
  if( always || w->c->ids.high < last ){
    condition(w);
    write_name(w, w->t->id);
    sqlite3_str_appendall(w->sql, " <= ?");
    bind_number(w, w->c->ids.high < last ? w->c->ids.high : last);
  }
}

static void write_columns(Writing *w, int counting){
  Table *t = w->t;
  Cursor *c = w->c;
  int i, n = 0;
  if( counting ){
    sqlite3_str_appendall(w->sql, "select count(*)");
    return;
  }
  sqlite3_str_appendall(w->sql, "select ");
  if( t->id >= 0 ) write_name(w, t->id);
  else sqlite3_str_appendall(w->sql, "0");
  for(i = 0; i < t->n; i++){
    if( c->map[i] < 0 ) continue;
    n++;
    sqlite3_str_appendall(w->sql, ", ");
    write_name(w, i);
    c->map[i] = n;
  }
}

static void write_order(Writing *w){
  const Plan *plan = &w->c->plan;
  int i, n = 0;
  for(i = 0; i < plan->nOrder; i++){
    int col = plan->order[i].col;
    if( !INNER(w->t, col) || !has(w, col - 1) ) continue;
    sqlite3_str_appendall(w->sql, n++ ? ", " : " order by ");
    write_name(w, col - 1);
    if( plan->order[i].desc ) sqlite3_str_appendall(w->sql, " desc");
    if( w->t->is_hooks && col - 1 == w->t->id ) break;   /* it is the key: nothing behind it counts */
  }
}

static char *write_sql(Writing *w, int counting){
  int i;
  char *sql;
  w->sql = sqlite3_str_new(w->s->conn->db);
  w->conditions = 0;
  binds_clear(w->c);
  write_columns(w, counting);
  if( w->t->inner ) sqlite3_str_appendf(w->sql, " from \"%w\"", w->t->inner);
  else sqlite3_str_appendf(w->sql, " from (%s)", w->t->sql);
  write_index(w);
  write_pins(w);
  write_bounds(w);
  for(i = 0; i < w->c->plan.nTerm; i++) write_term(w, &w->c->plan.terms[i]);
  write_besides(w);
  if( !counting ){
    write_order(w);
    if( w->c->left >= 0 ){
      sqlite3_str_appendall(w->sql, " limit ?");
      bind_number(w, w->c->left + w->s->given);   /* those that were handed out by number come again */
    }
  }
  sql = sqlite3_str_finish(w->sql);
  if( sql == 0 ) w->rc = SQLITE_NOMEM;
  return sql;
}

/* Prepare the day's statement and give it its values. */
static int begin(Writing *w, int counting){
  char *sql = write_sql(w, counting);
  int rc = w->rc;
  if( rc == SQLITE_OK ) rc = conn_prepare(w->s->conn, sql, &w->s->stmt);
  if( rc == SQLITE_ERROR && w->by != BY_ITSELF ){   /* the day has not that index, or another under its name */
    sqlite3_free(sql);
    w->by = BY_ITSELF;
    sql = write_sql(w, counting);
    rc = w->rc == SQLITE_OK ? conn_prepare(w->s->conn, sql, &w->s->stmt) : w->rc;
  }
  if( rc == SQLITE_OK ) rc = bind_all(w->c, w->s->stmt->stmt);
  sqlite3_free(sql);
  binds_clear(w->c);
  return rc;
}

/* What SQLite said of the day: noted, and the connection closed; or an error of the statement. */
static int failed(Cursor *c, Stream *s, int rc){
  Table *t = (Table *)c->base.pVtab;
  const char *text = rc > 0 ? sqlite3_errmsg(s->conn->db) : 0;
  if( rc > 0 ) rc = day_error(t, s->day, rc, text);
  stream_close(c, s, rc != SQLITE_INTERRUPT);
  return rc;
}

/*
** Ask a day. SQLITE_ROW and its first row is there; SQLITE_DONE, DAY_GONE or DAY_BAD, and the stream is closed; or an
** error of the statement, and it is closed too.
*/
int stream_open(Cursor *c, const Day *day, Stream *s){
  Writing w;
  int rc;
  memset(&w, 0, sizeof(w));
  memset(s, 0, sizeof(*s));
  w.c = c;
  w.t = (Table *)c->base.pVtab;
  w.s = s;
  s->day = day;
  s->counting = c->counting;
  rc = conn_borrow(w.t, day, &s->conn);
  if( rc != SQLITE_OK ) return rc;
  rc = find_shape(&w);
  if( rc == SQLITE_OK ) rc = choose_index(&w);
  if( rc == SQLITE_OK && !w.nothing ) rc = find_strays(&w);
  if( rc == SQLITE_OK && !w.nothing ) rc = begin(&w, s->counting);
  binds_clear(c);
  if( rc != SQLITE_OK ) return failed(c, s, rc);
  if( w.nothing ){
    stream_close(c, s, 0);
    return SQLITE_DONE;
  }
  if( !s->counting ) return stream_next(c, s);
  rc = sqlite3_step(s->stmt->stmt);
  if( rc != SQLITE_ROW ) return failed(c, s, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc);
  s->left = sqlite3_column_int64(s->stmt->stmt, 0);
  stmt_release(s->stmt);
  s->stmt = 0;
  trouble_clear(c->base.pVtab ? w.t->space : 0, w.t, day);
  if( s->left > 0 ) return SQLITE_ROW;
  stream_close(c, s, 0);
  return SQLITE_DONE;
}

/* The next row of the day; as `stream_open`. */
int stream_next(Cursor *c, Stream *s){
  int rc;
  if( s->counting ){
    s->given++;
    if( --s->left > 0 ) return SQLITE_ROW;
    stream_close(c, s, 0);
    return SQLITE_DONE;
  }
  rc = sqlite3_step(s->stmt->stmt);
  if( rc == SQLITE_ROW ){
    s->id = sqlite3_column_int64(s->stmt->stmt, 0);
    return rc;
  }
  if( rc != SQLITE_DONE ) return failed(c, s, rc);
  if( ((Table *)c->base.pVtab)->space->troubles ){
    trouble_clear(((Table *)c->base.pVtab)->space, (Table *)c->base.pVtab, s->day);
  }
  stream_close(c, s, 0);
  return SQLITE_DONE;
}

/* Rows were given out by their number, and now somebody wants to know which they are: step to the one that is current.
** As `stream_next`. */
int stream_step_into(Cursor *c, Stream *s){
  Writing w;
  i64 i, given = s->given;
  int rc;
  memset(&w, 0, sizeof(w));
  w.c = c;
  w.t = (Table *)c->base.pVtab;
  w.s = s;
  s->counting = 0;
  w.by = BY_ITSELF;
  rc = find_shape(&w);
  if( rc == SQLITE_OK ) rc = find_strays(&w);
  if( rc == SQLITE_OK ) rc = begin(&w, 0);
  binds_clear(c);
  if( rc != SQLITE_OK ) return failed(c, s, rc);
  rc = stream_next(c, s);
  for(i = 0; i < given && rc == SQLITE_ROW; i++) rc = stream_next(c, s);
  return rc;
}

void stream_close(Cursor *c, Stream *s, int broken){
  Space *space = ((Table *)c->base.pVtab)->space;
  if( s->stmt ) stmt_release(s->stmt);
  s->stmt = 0;
  if( s->conn ) conn_return(s->conn, broken, c->nAsked > space->maxConn);
  s->conn = 0;
}
