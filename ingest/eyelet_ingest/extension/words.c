/*
** The text index over all days: `create virtual table hooks_fts using fts_eyelet(content="hooks", root='/abs', …)`, whose
** rowids are those of the table `hooks` over all days. (Its module begins with `fts` and names its content, so that
** programs which look for a table's full-text index find it.)
**
**   text=      the SELECT that gives the text of a day's rows: id, then the columns
**   version=   of the rules behind it; an index of other rules is not believed
**   columns=   their names
**
** A day's own index `hooks_fts` is asked first, without the rows that changed since (`eyelet_text_gone`). Rows that it does
** not know yet, and days that have none, are put into an index in memory, some at a time, and asked the very same. So
** what is found does not depend on how far an index has come; what it costs does.
**
** The query is tried on the empty index in memory first: a mistake in it is the statement's, and not each day's.
*/
#include "eyelet.h"

#include <stdlib.h>

#define AT_A_TIME 200         /* rows in memory */

typedef struct Words {
  sqlite3_vtab_cursor base;
  Days *days;
  int next;                   /* days are read from the newest to the oldest: so many are left */
  const Day *day;
  char *query;
  int col;                    /* the column that is asked, the number of columns for all of them */
  sqlite3 *memory;
  sqlite3_stmt *put, *match, *clear;
  i64 *ids;                   /* of the day */
  int n, space, at;
} Words;

int words_open(sqlite3_vtab *tab, sqlite3_vtab_cursor **out){
  Table *t = (Table *)tab;
  Words *c = sqlite3_malloc64(sizeof(*c));
  int rc;
  if( c == 0 ) return SQLITE_NOMEM;
  memset(c, 0, sizeof(*c));
  pool_begin(t->space);
  rc = days_refresh(t, &c->days);
  if( rc != SQLITE_OK ) sqlite3_free(c);
  else *out = &c->base;
  return rc;
}

int words_close(sqlite3_vtab_cursor *cur){
  Words *c = (Words *)cur;
  sqlite3_finalize(c->put);
  sqlite3_finalize(c->match);
  sqlite3_finalize(c->clear);
  sqlite3_close(c->memory);
  days_free(c->days);
  sqlite3_free(c->query);
  sqlite3_free(c->ids);
  sqlite3_free(c);
  return SQLITE_OK;
}

int words_best(sqlite3_vtab *tab, sqlite3_index_info *info){
  Table *t = (Table *)tab;
  int i, is_unusable = 0;
  info->idxNum = -1;
  for(i = 0; i < info->nConstraint; i++){
    int col = info->aConstraint[i].iColumn, op = info->aConstraint[i].op;
    if( op != SQLITE_INDEX_CONSTRAINT_MATCH && (op != SQLITE_INDEX_CONSTRAINT_EQ || col != t->n) ) continue;
    if( col < 0 || col > t->n || info->idxNum >= 0 ) continue;
    if( !info->aConstraint[i].usable ){
      is_unusable = 1;
      continue;
    }
    info->aConstraintUsage[i].argvIndex = 1;
    info->aConstraintUsage[i].omit = 1;
    info->idxNum = col;
  }
  if( info->idxNum < 0 && is_unusable ) return SQLITE_CONSTRAINT;
  info->estimatedCost = info->idxNum < 0 ? 1e12 : 1000;
  info->estimatedRows = info->idxNum < 0 ? 1000000 : 1000;
  return SQLITE_OK;
}

static int tick_memory(void *space){ return space_interrupted(space); }

static int complain(Words *c, int rc, const char *text){
  sqlite3_free(c->base.pVtab->zErrMsg);
  c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", text);
  return rc == SQLITE_NOMEM || rc == SQLITE_INTERRUPT ? rc : SQLITE_ERROR;
}

/* The index in memory, and its statements. */
static int begin_memory(Words *c){
  const Table *t = (const Table *)c->base.pVtab;
  sqlite3_str *made = sqlite3_str_new(0), *put = sqlite3_str_new(0);
  char *create, *insert;
  int i, rc = SQLITE_OK;
  sqlite3_str_appendall(made, "create virtual table words using fts5 (");
  sqlite3_str_appendall(put, "insert into words (rowid");
  for(i = 0; i < t->n; i++){
    sqlite3_str_appendf(made, "\"%w\", ", t->columns[i].name);
    sqlite3_str_appendf(put, ", \"%w\"", t->columns[i].name);
  }
  sqlite3_str_appendall(made, "content='', tokenize=\"unicode61 remove_diacritics 2\")");
  sqlite3_str_appendall(put, ") values (?");
  for(i = 0; i < t->n; i++) sqlite3_str_appendall(put, ", ?");
  sqlite3_str_appendall(put, ")");
  create = sqlite3_str_finish(made);
  insert = sqlite3_str_finish(put);
  if( create == 0 || insert == 0 ) rc = SQLITE_NOMEM;
  if( rc == SQLITE_OK ) rc = sqlite3_open_v2(":memory:", &c->memory, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, 0);
  if( rc == SQLITE_OK ){
    sqlite3_progress_handler(c->memory, 1000, tick_memory, t->space);
    rc = sqlite3_exec(c->memory, create, 0, 0, 0);
  }
  if( rc == SQLITE_OK ) rc = sqlite3_prepare_v2(c->memory, insert, -1, &c->put, 0);
  if( rc == SQLITE_OK ) rc = sqlite3_prepare_v2(c->memory, "insert into words (words) values ('delete-all')", -1, &c->clear, 0);
  sqlite3_free(create);
  sqlite3_free(insert);
  if( rc != SQLITE_OK && c->memory ) rc = complain(c, rc, sqlite3_errmsg(c->memory));
  return rc;
}

/* The column that is asked, by the name it has in this table. */
static const char *asked(const Words *c, const char *table){
  const Table *t = (const Table *)c->base.pVtab;
  return c->col < t->n ? t->columns[c->col].name : table;
}

/* The question to the index in memory. */
static int begin_match(Words *c){
  char *sql = sqlite3_mprintf("select rowid from words where \"%w\" match ?", asked(c, "words"));
  int rc = sql ? sqlite3_prepare_v2(c->memory, sql, -1, &c->match, 0) : SQLITE_NOMEM;
  sqlite3_free(sql);
  return rc == SQLITE_OK ? rc : complain(c, rc, sqlite3_errmsg(c->memory));
}

static int clear_memory(Words *c){
  sqlite3_step(c->clear);
  return sqlite3_reset(c->clear);
}

static int keep(Words *c, i64 id){
  if( c->n == c->space ){
    int space = c->space ? c->space * 2 : 256;
    i64 *more = sqlite3_realloc64(c->ids, (u64)space * sizeof(*more));
    if( more == 0 ) return SQLITE_NOMEM;
    c->ids = more;
    c->space = space;
  }
  c->ids[c->n++] = id;
  return SQLITE_OK;
}

static int in_order(const void *a, const void *b){
  i64 x = *(const i64 *)a, y = *(const i64 *)b;
  return x < y ? -1 : x > y;
}

/* Each once: a row whose arrival is not known is looked at, and may be in the index too. */
static void once_each(Words *c){
  int i, n = 0;
  if( c->n ) qsort(c->ids, (size_t)c->n, sizeof(*c->ids), in_order);
  for(i = 0; i < c->n; i++) if( i == 0 || c->ids[i] != c->ids[n - 1] ) c->ids[n++] = c->ids[i];
  c->n = n;
}

/* What in memory fits; and empty it. */
static int match_memory(Words *c){
  int rc = sqlite3_bind_text(c->match, 1, c->query, -1, SQLITE_STATIC);
  while( rc == SQLITE_OK && (rc = sqlite3_step(c->match)) == SQLITE_ROW ) rc = keep(c, sqlite3_column_int64(c->match, 0));
  if( rc == SQLITE_DONE ) rc = SQLITE_OK;
  if( rc != SQLITE_OK && rc != SQLITE_NOMEM ) rc = complain(c, rc, sqlite3_errmsg(c->memory));
  sqlite3_reset(c->match);
  return rc == SQLITE_OK ? clear_memory(c) : rc;
}

static int put_row(Words *c, sqlite3_stmt *row){
  int i, rc = SQLITE_OK, n = ((Table *)c->base.pVtab)->n;
  for(i = 0; i <= n && rc == SQLITE_OK; i++) rc = sqlite3_bind_value(c->put, i + 1, sqlite3_column_value(row, i));
  if( rc == SQLITE_OK ){
    sqlite3_step(c->put);
    rc = sqlite3_reset(c->put);
  }
  return rc;
}

static int bounds(sqlite3_stmt *stmt, const Day *day){
  int rc = sqlite3_bind_int64(stmt, 1, day->first);
  return rc == SQLITE_OK ? sqlite3_bind_int64(stmt, 2, day->first + DAY_US - 1) : rc;
}

/* How far the day's index has come; *is_there 0 where there is none to be believed: none, one of other rules, or a table
** of its name that does not read our view of the text, which another program made. */
static int watermark(Words *c, Conn *conn, int *is_there, i64 *upto){
  static const char SQL[] =
    "select value from eyelet_partition where key = 'text:arrived' and typeof(value) = 'integer'"
    " and exists (select 1 from eyelet_partition where key = 'text:version' and value = ?)"
    " and (select count(*) from sqlite_master where name in ('eyelet_text_gone', 'eyelet_text_put', 'eyelet_text_changed',"
    " 'eyelet_text_deleted') or name = 'hooks_fts' and instr(sql, 'hooks_text')) = 5";
  Stmt *stmt = 0;
  int rc = conn_prepare(conn, SQL, &stmt);
  if( rc != SQLITE_OK ) return rc;
  rc = sqlite3_bind_int(stmt->stmt, 1, ((Table *)c->base.pVtab)->version);
  if( rc == SQLITE_OK ) rc = sqlite3_step(stmt->stmt);
  *is_there = rc == SQLITE_ROW;
  if( *is_there ) *upto = sqlite3_column_int64(stmt->stmt, 0);
  stmt_release(stmt);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int ask_index(Words *c, Conn *conn){
  char *sql = sqlite3_mprintf(
    "select rowid from hooks_fts where \"%w\" match ?3 and rowid between ?1 and ?2"
    " and rowid not in (select id from eyelet_text_gone) and exists (select 1 from hooks where hooks.id = hooks_fts.rowid)",
    asked(c, "hooks_fts"));
  Stmt *stmt = 0;
  int rc = sql ? conn_prepare(conn, sql, &stmt) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if( rc != SQLITE_OK ) return rc;
  rc = bounds(stmt->stmt, c->day);
  if( rc == SQLITE_OK ) rc = sqlite3_bind_text(stmt->stmt, 3, c->query, -1, SQLITE_TRANSIENT);
  while( rc == SQLITE_OK && (rc = sqlite3_step(stmt->stmt)) == SQLITE_ROW ) rc = keep(c, sqlite3_column_int64(stmt->stmt, 0));
  stmt_release(stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

#define LATE \
  "select id from hooks where arrived > ?3 and +id between ?1 and ?2" \
  " union all select id from hooks where arrived is null and +id between ?1 and ?2" \
  " union all select id from eyelet_text_gone where id between ?1 and ?2"

/* From which id to which rows stand that the day's index does not know; *first > *last where there is none. The view of
** the text is read by a range of ids alone: SQLite takes no `id in (select …)` into it, and would read the whole day. */
static int late_rows(Words *c, Conn *conn, i64 upto, i64 *first, i64 *last){
  Stmt *stmt = 0;
  int rc = conn_prepare(conn, "select min(id), max(id) from (" LATE ")", &stmt);
  *first = 1;
  *last = 0;
  if( rc != SQLITE_OK ) return rc;
  rc = bounds(stmt->stmt, c->day);
  if( rc == SQLITE_OK ) rc = sqlite3_bind_int64(stmt->stmt, 3, upto);
  if( rc == SQLITE_OK && (rc = sqlite3_step(stmt->stmt)) == SQLITE_ROW && sqlite3_column_type(stmt->stmt, 0) != SQLITE_NULL ){
    *first = sqlite3_column_int64(stmt->stmt, 0);
    *last = sqlite3_column_int64(stmt->stmt, 1);
  }
  stmt_release(stmt);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Rows that the day's index does not know. */
static int ask_rows(Words *c, Conn *conn, int is_there, i64 upto){
  const char *text = ((Table *)c->base.pVtab)->sql;
  i64 first = c->day->first, last = first + DAY_US - 1;
  int rc = is_there ? late_rows(c, conn, upto, &first, &last) : SQLITE_OK, n = 0;
  Stmt *stmt = 0;
  char *sql;
  if( rc != SQLITE_OK || first > last ) return rc;
  sql = sqlite3_mprintf(
    is_there ? "select * from (%s) where id between ?1 and ?2 and id in (" LATE ")"
             : "select * from (%s) where id between ?1 and ?2", text);
  rc = sql ? conn_prepare(conn, sql, &stmt) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if( rc != SQLITE_OK ) return rc;
  rc = sqlite3_bind_int64(stmt->stmt, 1, first);
  if( rc == SQLITE_OK ) rc = sqlite3_bind_int64(stmt->stmt, 2, last);
  if( rc == SQLITE_OK && is_there ) rc = sqlite3_bind_int64(stmt->stmt, 3, upto);
  if( rc == SQLITE_OK && sqlite3_column_count(stmt->stmt) <= ((Table *)c->base.pVtab)->n ) rc = SQLITE_MISUSE;
  while( rc == SQLITE_OK && (rc = sqlite3_step(stmt->stmt)) == SQLITE_ROW ){
    rc = put_row(c, stmt->stmt);
    if( rc == SQLITE_OK && ++n % AT_A_TIME == 0 ) rc = match_memory(c);
  }
  stmt_release(stmt);
  if( rc == SQLITE_DONE ) rc = n % AT_A_TIME ? match_memory(c) : SQLITE_OK;
  return rc;
}

/* The ids of the day that fit. SQLITE_OK also where the day cannot be read: it is noted. */
static int ask_day(Words *c){
  Table *t = (Table *)c->base.pVtab;
  Conn *conn;
  i64 upto = 0;
  int is_there = 0, rc = conn_borrow(t, c->day, &conn), said;
  c->n = c->at = 0;
  if( rc == SQLITE_OK ){
    rc = watermark(c, conn, &is_there, &upto);
    if( rc == SQLITE_OK && is_there ){
      said = ask_index(c, conn);
      if( said == SQLITE_NOMEM || said == SQLITE_INTERRUPT ) rc = said;
      else if( said != SQLITE_OK ) c->n = is_there = 0;   /* a damaged index: every row is looked at */
    }
    if( rc == SQLITE_OK ) rc = ask_rows(c, conn, is_there, upto);
    if( rc > 0 && rc != SQLITE_INTERRUPT && t->base.zErrMsg == 0 ) rc = day_error(t, c->day, rc, sqlite3_errmsg(conn->db));
    else if( rc == SQLITE_OK ) trouble_clear(t->space, t, c->day);
    once_each(c);
    conn_return(conn, rc != SQLITE_OK && rc != SQLITE_INTERRUPT, c->days->n > t->space->maxConn);
  }
  if( rc != DAY_BAD && rc != DAY_GONE ) return rc;
  c->n = 0;
  said = clear_memory(c);   /* what was put there is no other day's */
  if( said != SQLITE_OK ) return complain(c, said, sqlite3_errmsg(c->memory));
  if( rc == DAY_BAD && t->strict ) return complain(c, SQLITE_ERROR, "a day cannot be read: see eyelet_trouble");
  return SQLITE_OK;
}

static int next_day(Words *c){
  Table *t = (Table *)c->base.pVtab;
  int rc = SQLITE_OK;
  while( rc == SQLITE_OK && c->at >= c->n && c->next > 0 ){
    if( space_interrupted(t->space) ) return SQLITE_INTERRUPT;
    c->day = &c->days->a[--c->next];
    rc = ask_day(c);
  }
  return rc;
}

int words_filter(sqlite3_vtab_cursor *cur, int col, const char *text, int argc, sqlite3_value **argv){
  Words *c = (Words *)cur;
  const char *query;
  int rc = SQLITE_OK;
  (void)text;
  c->n = c->at = c->next = 0;
  if( argc == 0 ) return complain(c, SQLITE_ERROR, "the text index over all days only answers MATCH");
  if( sqlite3_value_type(argv[0]) == SQLITE_NULL ) return SQLITE_OK;
  query = (const char *)sqlite3_value_text(argv[0]);
  sqlite3_free(c->query);
  c->query = query == 0 ? 0 : sqlite3_mprintf("%s", query);
  if( c->query == 0 ) return SQLITE_NOMEM;
  if( c->query[0] == '*' ) return complain(c, SQLITE_ERROR, "the text index over all days has no special queries");
  if( c->memory == 0 ) rc = begin_memory(c);
  sqlite3_finalize(c->match);
  c->match = 0;
  c->col = col;
  if( rc == SQLITE_OK ) rc = begin_match(c);
  if( rc == SQLITE_OK ) rc = match_memory(c);   /* nothing is in it: whether the query can be understood */
  if( rc != SQLITE_OK ) return rc;
  c->next = c->days->n;
  return next_day(c);
}

int words_next(sqlite3_vtab_cursor *cur){
  ((Words *)cur)->at++;
  return next_day((Words *)cur);
}

int words_eof(sqlite3_vtab_cursor *cur){ return ((Words *)cur)->at >= ((Words *)cur)->n; }

/* What the index is about stands in `hooks`; here is nothing but which rows fit. */
int words_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int col){
  (void)cur;
  (void)ctx;
  (void)col;
  return SQLITE_OK;
}

int words_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out){
  Words *c = (Words *)cur;
  if( c->day->name->ordinal >= MAX_ORDINALS ) return complain(c, SQLITE_ERROR, "there are too many contexts for rowids");
  *out = (i64)((u64)c->day->name->ordinal << ID_BITS | ((u64)c->ids[c->at] & ((1ULL << ID_BITS) - 1)));
  return SQLITE_OK;
}
