/*
** By which index a day is asked, as store/choice.py chooses for the search, and with its figures.
**
** SQLite cannot know: without statistics it takes every value for rare, with those of ANALYZE every value of a column for
** as common as the average, and either may cost hundreds of times the right choice. So where there is a choice, a
** thousand entries of an index are counted in the day (40 us), and the answer is written into the question.
**
** An equality gives its rows in order of time, as an index on (src) ends in the id: one alone needs no look. A prefix, a
** range or a list does not, and is worth its index only where it is rare in the day; else the day is walked in order.
*/
#include "eyelet.h"

#define COMMON 1000           /* a value with so many rows in a day is common: in order of time one soon meets a page of them */
#define FAR 8000              /* of several common ones the rarest is worth counting that far */
#define MOST_WAYS 8

typedef struct Way {
  int column;
  int in_order;
  int is_prefix;              /* of a LIKE */
  i64 rows;
} Way;

static int is_equality(const Term *term, char kind){
  return (term->op == '=' || term->op == 'S') && sqlite3_value_type(term->value) != SQLITE_NULL &&
         value_pushable(kind, term->op, term->value);
}

static int is_text(const Term *term, const char *text){
  return sqlite3_value_type(term->value) == SQLITE_TEXT && strcmp((const char *)sqlite3_value_text(term->value), text) == 0;
}

/* What a partial index asks for besides, in the words of the schema: a parameter does not tell SQLite enough. 0 where
** the index does not hold the row. */
static int is_held(const Column *column, const Term *term, const char **besides){
  *besides = 0;
  if( strcmp(column->name, "error") == 0 ){
    *besides = "error = 1";
    return sqlite3_value_type(term->value) == SQLITE_INTEGER && sqlite3_value_int64(term->value) == 1;
  }
  if( strcmp(column->name, "status") == 0 ){
    *besides = "status <> 'ok' and status <> 'pending'";
    return !is_text(term, "ok") && !is_text(term, "pending");
  }
  return 1;
}

static int is_partial(const Column *column){
  static const char *const names[] = {"tool_name", "tool_use_id", "error_code", "git_branch"};
  size_t i;
  for(i = 0; i < sizeof(names) / sizeof(names[0]); i++) if( strcmp(column->name, names[i]) == 0 ) return 1;
  return 0;
}

/* Whether the pattern of a LIKE begins with something. */
static int has_prefix(const Term *term){
  return sqlite3_value_type(term->value) == SQLITE_TEXT &&
         prefix_of((const char *)sqlite3_value_text(term->value), sqlite3_value_bytes(term->value)) > 0;
}

static Way *way_of(Way *ways, int *n, int column){
  int i;
  for(i = 0; i < *n; i++) if( ways[i].column == column ) return &ways[i];
  if( *n == MOST_WAYS ) return 0;
  ways[*n].column = column;
  ways[*n].in_order = ways[*n].is_prefix = 0;
  ways[*n].rows = -1;
  return &ways[(*n)++];
}

/* The columns with an index that are asked for, each once. 0 where there is a better way: an id, a uid, an arrival. */
static int find_ways(Writing *w, Way *ways){
  const Plan *plan = &w->c->plan;
  int i, n = 0;
  if( w->c->pinned ) return 0;
  for(i = 0; i < plan->nTerm; i++){
    const Term *term = &plan->terms[i];
    const Column *column;
    const char *besides;
    Way *way;
    if( !INNER(w->t, term->col) ) continue;
    column = &w->t->columns[term->col - 1];
    if( column->index == 0 || !w->shape->have[term->col - 1] ) continue;
    if( strcmp(column->name, "uid") == 0 || strcmp(column->name, "arrived") == 0 ){
      if( is_equality(term, column->kind) || term->op == 'I' ) return 0;
      continue;
    }
    if( is_equality(term, column->kind) ){
      if( !is_held(column, term, &besides) ) continue;
    }else if( strcmp(column->name, "error") == 0 || strcmp(column->name, "status") == 0 ){
      continue;
    }else if( term->op == 'l' ){
      if( !has_prefix(term) || column->kind != 't' ) continue;
    }else if( term->op == 'I' ? term->nList > 100 : term->op == '1' ? !is_partial(column) :
              strchr("<{>}", term->op) == 0 || !value_pushable(column->kind, term->op, term->value) ){
      continue;
    }
    way = way_of(ways, &n, term->col - 1);
    if( way && is_equality(term, column->kind) ) way->in_order = 1;
    if( way && term->op == 'l' ) way->is_prefix = 1;
  }
  return n;
}

/*
** The range of an index in which all lie that are like the pattern: LIKE minds no case of ASCII, so from its beginning in
** capitals to that in small letters, which are above them. (There is more between; the LIKE itself stands beside.) What
** is bytes lies above every text and may be like it too: a column that has some is asked without.
*/
static void write_prefix(Writing *w, const Term *term, int column){
  const char *pattern = (const char *)sqlite3_value_text(term->value);
  int i, n = pattern ? prefix_of(pattern, sqlite3_value_bytes(term->value)) : 0;
  char *low = sqlite3_mprintf("%.*s", n, pattern), *high = sqlite3_mprintf("%.*s", n, pattern);
  if( low == 0 || high == 0 || n == 0 ){
    sqlite3_free(low);
    sqlite3_free(high);
    if( n ) w->rc = SQLITE_NOMEM;
    return;
  }
  for(i = 0; i < n; i++){
    if( low[i] >= 'a' && low[i] <= 'z' ) low[i] = (char)(low[i] - 'a' + 'A');
    if( high[i] >= 'A' && high[i] <= 'Z' ) high[i] = (char)(high[i] - 'A' + 'a');
  }
  high[n - 1]++;   /* ASCII, so it stays below what begins a longer character */
  sqlite3_str_appendf(w->sql, " and \"%w\" >= ? and \"%w\" < ?", w->t->columns[column].name, w->t->columns[column].name);
  bind_text(w, low, n);
  bind_text(w, high, n);
}

/* Ways by a prefix go where the column holds bytes. SQLITE_OK, or what SQLite says. */
static int drop_bytes(Writing *w, Way *ways, int *n){
  int i, j, rc = SQLITE_OK;
  for(i = 0; i < *n && rc == SQLITE_OK; i++){
    const Column *column = &w->t->columns[ways[i].column];
    i64 there = 0;
    char *sql;
    if( !ways[i].is_prefix || ways[i].in_order ) continue;
    sql = sqlite3_mprintf("select exists (select 1 from hooks indexed by %s where \"%w\" >= x'')", column->index, column->name);
    if( sql == 0 ) return SQLITE_NOMEM;
    rc = one_number(w, sql, &there);
    sqlite3_free(sql);
    if( there ){
      for(j = i + 1; j < *n; j++) ways[j - 1] = ways[j];
      --*n;
      i--;
    }
  }
  return rc;
}

/* The terms on one column, and what its index asks for besides. */
static void write_way(Writing *w, const Way *way){
  const Plan *plan = &w->c->plan;
  int i, column = way->column;
  for(i = 0; i < plan->nTerm; i++){
    const Term *term = &plan->terms[i];
    const char *besides = 0;
    if( term->col - 1 != column ) continue;
    write_term(w, term);
    if( term->op == 'l' && !way->in_order && has_prefix(term) ) write_prefix(w, term, column);
    if( is_equality(term, w->t->columns[column].kind) && is_held(&w->t->columns[column], term, &besides) && besides ){
      sqlite3_str_appendf(w->sql, " and %s", besides);
    }
  }
}

/* How many rows of the day this way finds, counted no further than `most`. SQLITE_OK, or what SQLite says. */
static int count(Writing *w, Way *way, i64 most){
  char *sql;
  int rc;
  w->sql = sqlite3_str_new(w->s->conn->db);
  w->conditions = 0;
  binds_clear(w->c);
  sqlite3_str_appendf(w->sql, "select count(*) from (select 1 from hooks indexed by %s", w->t->columns[way->column].index);
  write_way(w, way);
  if( way->in_order ) write_bounds(w);
  sqlite3_str_appendall(w->sql, " limit ?)");
  bind_number(w, most);
  sql = sqlite3_str_finish(w->sql);
  rc = sql ? w->rc : SQLITE_NOMEM;
  if( rc == SQLITE_OK ) rc = one_number(w, sql, &way->rows);
  sqlite3_free(sql);
  binds_clear(w->c);
  return rc;
}

/* The rarest of the ways, of those in order alone where asked. Each is counted no further than the best so far. */
static int rarest(Writing *w, Way *ways, int n, int in_order, i64 most, Way **out){
  int i, rc = SQLITE_OK;
  *out = 0;
  for(i = 0; i < n && rc == SQLITE_OK; i++){
    if( in_order && !ways[i].in_order ) continue;
    rc = count(w, &ways[i], most);
    if( rc == SQLITE_OK && (*out == 0 || ways[i].rows < (*out)->rows) ) *out = &ways[i];
    if( *out && (*out)->rows < most ) most = (*out)->rows ? (*out)->rows : 1;
  }
  return rc;
}

static int is_covering(const Writing *w, int column){
  int i;
  for(i = 0; i < w->t->n; i++) if( i != column && i != w->t->id && w->c->map[i] >= 0 ) return 0;
  for(i = 0; i < w->c->plan.nTerm; i++){
    int col = w->c->plan.terms[i].col;
    if( INNER(w->t, col) && col - 1 != column && col - 1 != w->t->id ) return 0;
  }
  return 1;
}

static int is_by_id(const Writing *w){
  int i;
  for(i = 0; i < w->c->plan.nOrder; i++){
    int col = w->c->plan.order[i].col;
    if( INNER(w->t, col) ) return col - 1 == w->t->id;
  }
  return 0;
}

static int for_page(Writing *w, Way *ways, int n){
  Way *best, *near;
  int i, rc, ordered = 0;
  rc = rarest(w, ways, n, 0, COMMON, &best);
  if( rc != SQLITE_OK || best == 0 ) return rc;
  if( best->rows < COMMON ){
    w->nothing = best->rows == 0;
    w->by = best->column;
    return SQLITE_OK;
  }
  for(i = 0; i < n; i++) ordered += ways[i].in_order;
  if( ordered == 0 ){
    w->by = BY_TIME;
    return SQLITE_OK;
  }
  rc = rarest(w, ways, n, 1, ordered > 1 ? FAR : 1, &near);
  if( rc == SQLITE_OK && near ) w->by = near->column;
  return rc;
}

static int for_all(Writing *w, Way *ways, int n){
  Way *best;
  i64 all = 0;
  int rc;
  if( n == 1 && (ways[0].in_order || is_covering(w, ways[0].column)) ){
    w->by = ways[0].column;
    return SQLITE_OK;
  }
  rc = rarest(w, ways, n, 0, 0x7fffffff, &best);
  if( rc == SQLITE_OK && best ){
    w->nothing = best->rows == 0;
    w->by = best->column;
    if( best->rows > COMMON ){
      binds_clear(w->c);
      rc = one_number(w, "select count(*) from hooks", &all);
      if( 2 * best->rows >= all ) w->by = BY_TIME;
    }
  }
  return rc;
}

static int is_equal(int column, const Way *ways, int n){
  int i;
  for(i = 0; i < n; i++) if( ways[i].column == column ) return ways[i].in_order;
  return 0;
}

/* Sets `by`, `nothing` and `is_bounded`. What a day without these indexes says is no error: it is asked without a word about them. */
int choose_index(Writing *w){
  Way ways[MOST_WAYS];
  int n, rc = SQLITE_OK;
  w->by = BY_ITSELF;
  if( !w->t->is_hooks || w->c->ids.low > w->c->ids.high ) return SQLITE_OK;
  w->is_bounded = is_by_id(w);
  n = find_ways(w, ways);
  rc = drop_bytes(w, ways, &n);
  if( rc != SQLITE_OK ) n = 0;
  if( n == 1 && ways[0].in_order ) w->by = ways[0].column;
  else if( n ) rc = is_by_id(w) ? for_page(w, ways, n) : for_all(w, ways, n);
  if( w->by == BY_TIME || is_equal(w->by, ways, n) ) w->is_bounded = 1;
  w->is_prefix = w->by >= 0 && !is_equal(w->by, ways, n);
  if( rc == SQLITE_ERROR ){
    w->by = BY_ITSELF;
    w->nothing = 0;
    rc = SQLITE_OK;
  }
  return rc;
}

/* Behind `from hooks`. */
void write_index(Writing *w){
  if( w->by >= 0 ) sqlite3_str_appendf(w->sql, " indexed by %s", w->t->columns[w->by].index);
  else if( w->by == BY_TIME ) sqlite3_str_appendall(w->sql, " not indexed");
}

/* What the chosen index asks for besides the conditions. */
void write_besides(Writing *w){
  const Plan *plan = &w->c->plan;
  int i, done = 0;
  for(i = 0; i < plan->nTerm && w->by >= 0; i++){
    const Term *term = &plan->terms[i];
    const char *besides = 0;
    if( term->col - 1 != w->by ) continue;
    if( term->op == 'l' && w->is_prefix && has_prefix(term) ) write_prefix(w, term, w->by);
    if( !done && is_equality(term, w->t->columns[w->by].kind) && is_held(&w->t->columns[w->by], term, &besides) && besides ){
      sqlite3_str_appendf(w->sql, " and %s", besides);
      done = 1;
    }
  }
}
