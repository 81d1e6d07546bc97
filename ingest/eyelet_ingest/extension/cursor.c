/*
** A question over days: which of them, in which order, and whose row is next.
**
** Days are asked one after the other, and only when their turn comes: whoever stops early has opened few. In order of time
** the contexts of one day are read side by side, and the least row is next (in the order asked for, which each day's own
** statement keeps too). With no order asked for, nothing is read side by side.
**
** Longer than other files, because a cursor's state is read and changed by all of it.
*/
#include "eyelet.h"

#include <stdlib.h>

#define MOST_GROWN 8          /* times as many days may have come since a statement was prepared that reads them side by side */
#define MOST_NAMES 4096       /* of an IN that days are compared with; of more, SQLite finds those that fit */

int cursor_open(sqlite3_vtab *tab, sqlite3_vtab_cursor **out){
  Table *t = (Table *)tab;
  Cursor *c = sqlite3_malloc64(sizeof(*c));
  int rc;
  if( c == 0 ) return SQLITE_NOMEM;
  memset(c, 0, sizeof(*c));
  c->at = -1;
  pool_begin(t->space);
  rc = days_refresh(t, &c->days);
  if( rc == SQLITE_OK ){
    c->map = sqlite3_malloc64(sizeof(int) * (u64)t->n);
    if( c->map == 0 ){
      days_free(c->days);
      rc = SQLITE_NOMEM;
    }
  }
  if( rc != SQLITE_OK ) sqlite3_free(c);
  else *out = &c->base;
  return rc;
}

static void close_streams(Cursor *c){
  int i;
  for(i = 0; i < c->nStream; i++) stream_close(c, &c->streams[i], 0);
  c->nStream = 0;
  c->at = -1;
}

static void forget_question(Cursor *c){
  close_streams(c);
  plan_free(&c->plan);
  sqlite3_free(c->asked);
  sqlite3_free(c->pins);
  c->asked = 0;
  c->pins = 0;
  c->pinned = 0;
  c->nAsked = c->nPin = c->next = 0;
}

int cursor_close(sqlite3_vtab_cursor *cur){
  Cursor *c = (Cursor *)cur;
  forget_question(c);
  days_free(c->days);
  sqlite3_free(c->streams);
  sqlite3_free(c->binds);
  sqlite3_free(c->map);
  sqlite3_free(c);
  return SQLITE_OK;
}

static int in_pin_order(const void *a, const void *b){
  const Pin *x = a, *y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* The whole number that the value is for a column of integers; 0 where it is none, and so equal to none. */
static int as_integer(sqlite3_value *v, i64 *out){
  double real;
  int type = value_number(v, out, &real);
  if( type != SQLITE_FLOAT ) return type == SQLITE_INTEGER;
  if( !(real >= -9223372036854775808.0 && real < 9223372036854775808.0) ) return 0;
  *out = (i64)real;
  return (double)*out == real;
}

/* A text with a NUL in it: whether it is a number depends on the SQLite, so the day is asked. */
static int is_doubtful(sqlite3_value *v){
  return sqlite3_value_type(v) == SQLITE_TEXT && strlen((const char *)sqlite3_value_text(v)) != (size_t)sqlite3_value_bytes(v);
}

/* Ids asked for by name, as `id in (…)`, or as rowids, which name the context too. */
static int pin(Cursor *c, const Term *term){
  int i, n = term->op == 'I' ? term->nList : 1;
  if( c->pinned ) return SQLITE_OK;   /* one list narrows enough; SQLite looks at the other */
  for(i = 0; i < n; i++) if( is_doubtful(term->op == 'I' ? term->list[i] : term->value) ) return SQLITE_OK;
  c->pinned = term;
  c->pins = sqlite3_malloc64((u64)(n + 1) * sizeof(Pin));
  if( c->pins == 0 ) return SQLITE_NOMEM;
  for(i = 0; i < n; i++){
    i64 value;
    if( !as_integer(term->op == 'I' ? term->list[i] : term->value, &value) ) continue;
    c->pins[c->nPin].ordinal = term->col < 0 ? (int)((u64)value >> ID_BITS) : -1;
    c->pins[c->nPin++].id = term->col < 0 ? (i64)((u64)value & ((1ULL << ID_BITS) - 1)) : value;
  }
  if( c->nPin ) qsort(c->pins, (size_t)c->nPin, sizeof(Pin), in_pin_order);
  return SQLITE_OK;
}

static int most_pattern(const Table *t){ return sqlite3_limit(t->space->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1); }

/* What a condition means for the range of ids. *empty where nothing fulfils it. */
static int narrow(Cursor *c, const Term *term, int *empty){
  Table *t = (Table *)c->base.pVtab;
  int is_null = term->op != 'I' && sqlite3_value_type(term->value) == SQLITE_NULL;
  if( term->col == COL_STRICT(t) && !is_null ){
    c->strict = sqlite3_value_int(term->value);
    return SQLITE_OK;
  }
  if( (term->op == 'l' || term->op == 'g') && sqlite3_value_bytes(term->value) > most_pattern(t) ){
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("LIKE or GLOB pattern too complex");
    return SQLITE_ERROR;   /* as SQLite says; each day would say so of itself */
  }
  if( term->op == 'I' && term->nList == 0 ) *empty = 1;
  if( is_null && term->op != 'S' && term->op != 'X' && term->op != '0' && term->op != '1' ) *empty = 1;
  if( *empty ) return SQLITE_OK;
  if( term->col < 0 ){
    if( is_null ) *empty = 1;
    else return pin(c, term);
  }else if( INNER(t, term->col) && term->col - 1 == t->id && !is_null ){
    if( term->op == 'I' || term->op == '=' || (term->op == 'S' && t->is_hooks) ) return pin(c, term);
    range_narrow(&c->ids, term->op, term->value, 1.0, 0);
  }else if( INNER(t, term->col) && term->col - 1 == t->timestamp && t->is_hooks && !is_null && term->op != 'I' ){
    range_narrow(&c->ids, term->op, term->value, 1e6, TIMESTAMP_SLACK_US);
  }
  return SQLITE_OK;
}

static int same_name(sqlite3_value *v, const char *name, int n){
  return sqlite3_value_bytes(v) == n && memcmp(sqlite3_value_text(v), name, (size_t)n) == 0;
}

/* Whether the day's context may be the one asked for. What is no text is left to SQLite: it may read like one. */
static int is_of_context(const Cursor *c, const Day *day){
  int i, j;
  for(i = 0; i < c->plan.nTerm; i++){
    const Term *term = &c->plan.terms[i];
    if( term->col != COL_CONTEXT || term->nList > MOST_NAMES ) continue;
    if( term->op == 'I' ){
      for(j = 0; j < term->nList; j++){
        if( sqlite3_value_type(term->list[j]) != SQLITE_TEXT ) break;
        if( same_name(term->list[j], day->name->context, day->name->nContext) ) break;
      }
      if( j == term->nList ) return 0;
    }else if( sqlite3_value_type(term->value) == SQLITE_TEXT ){
      if( !same_name(term->value, day->name->context, day->name->nContext) ) return 0;
    }else if( sqlite3_value_type(term->value) == SQLITE_NULL ){
      return 0;
    }
  }
  return 1;
}

static int first_day(const Days *days, i64 id){
  int low = 0, high = days->n;
  while( low < high ){
    int middle = (low + high) / 2;
    if( days->a[middle].first + DAY_US - 1 < id ) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Whether one of the ids asked for by name may be there. */
static int is_pinned(const Cursor *c, const Day *day){
  int low = 0, high = c->nPin;
  if( !c->pinned ) return 1;
  while( low < high ){
    int middle = (low + high) / 2;
    if( c->pins[middle].id < day->first ) low = middle + 1;
    else high = middle;
  }
  for(; low < c->nPin && c->pins[low].id < day->first + DAY_US; low++){
    if( c->pins[low].ordinal < 0 || c->pins[low].ordinal == day->name->ordinal ) return 1;
  }
  return 0;
}

static int by_context(const void *a, const void *b){
  const Day *x = *(const Day *const *)a, *y = *(const Day *const *)b;
  int c = strcmp(x->name->context, y->name->context);
  if( c ) return c;
  if( x->first != y->first ) return x->first < y->first ? -1 : 1;
  return x->name->at - y->name->at;
}

static void reverse(const Day **a, int n){
  int i;
  for(i = 0; i < n / 2; i++){
    const Day *kept = a[i];
    a[i] = a[n - 1 - i];
    a[n - 1 - i] = kept;
  }
}

/* Days stand in order of time. By context they are sorted, and then, within each, time has its own direction. */
static void put_in_order(Cursor *c){
  const Plan *plan = &c->plan;
  int i, from;
  if( plan->nOrder == 0 ) return;
  if( plan->order[0].col != COL_CONTEXT ){
    if( plan->order[0].desc ) reverse(c->asked, c->nAsked);
    return;
  }
  if( c->nAsked ) qsort(c->asked, (size_t)c->nAsked, sizeof(*c->asked), by_context);
  if( plan->order[0].desc ) reverse(c->asked, c->nAsked);
  if( plan->nOrder == 1 || plan->order[1].desc == plan->order[0].desc ) return;
  for(from = 0; from < c->nAsked; from = i){
    for(i = from + 1; i < c->nAsked; i++){
      if( strcmp(c->asked[i]->name->context, c->asked[from]->name->context) != 0 ) break;
    }
    reverse(c->asked + from, i - from);
  }
}

static int choose_days(Cursor *c){
  int i, from = 0, to = c->days->n;
  if( ((Table *)c->base.pVtab)->id >= 0 ){
    i64 low = c->ids.low, high = c->ids.high;
    if( c->pinned ){
      if( c->nPin == 0 ) return SQLITE_OK;
      if( c->pins[0].id > low ) low = c->pins[0].id;
      if( c->pins[c->nPin - 1].id < high ) high = c->pins[c->nPin - 1].id;
    }
    if( low > high ) return SQLITE_OK;
    from = first_day(c->days, low);
    while( to > from && c->days->a[to - 1].first > high ) to--;
  }
  if( to <= from ) return SQLITE_OK;
  c->asked = sqlite3_malloc64((u64)(to - from) * sizeof(*c->asked));
  if( c->asked == 0 ) return SQLITE_NOMEM;
  for(i = from; i < to; i++){
    const Day *day = &c->days->a[i];
    if( is_of_context(c, day) && is_pinned(c, day) ) c->asked[c->nAsked++] = day;
  }
  put_in_order(c);
  return SQLITE_OK;
}

static int is_used(const Plan *plan, int col){
  return (plan->used >> (col < 63 ? col : 63)) & 1;
}

/*
** Whether a column stands in conditions alone, as far as one can tell: SQLite counts one as used that it need not look at,
** when the day has done so. Rows are then handed out by number until somebody asks what they are; not where that costs a
** scan, since the first day's would have been for nothing.
*/
static int may_be_idle(const Cursor *c, int column){
  const Table *t = (const Table *)c->base.pVtab;
  int i;
  if( !c->plan.exact || c->asked_columns || !t->is_hooks ) return 0;
  for(i = 0; i < c->plan.nTerm; i++){
    int col = c->plan.terms[i].col;
    if( col - 1 == column ) return column == t->id || t->columns[column].index;
  }
  return 0;
}

static void choose_columns(Cursor *c){
  Table *t = (Table *)c->base.pVtab;
  int i, any = 0;
  for(i = 0; i < t->n; i++){
    c->map[i] = is_used(&c->plan, i + 1) ? 0 : -1;
    any |= c->map[i] == 0 && !may_be_idle(c, i);
  }
  for(i = 0; i < c->plan.nOrder; i++){
    int col = c->plan.order[i].col;
    if( INNER(t, col) ){
      c->map[col - 1] = 0;
      any = 1;
    }
  }
  c->counting = !any;
}

static int compare(const Cursor *c, const Stream *a, const Stream *b){
  const Table *t = (const Table *)c->base.pVtab;
  int i;
  for(i = 0; i < c->plan.nOrder; i++){
    int col = c->plan.order[i].col, by;
    if( col == COL_CONTEXT ){
      by = strcmp(a->day->name->context, b->day->name->context);
    }else if( col - 1 == t->id ){
      by = a->id < b->id ? -1 : a->id > b->id;
    }else{
      int at = c->map[col - 1];
      by = value_compare(sqlite3_column_value(a->stmt->stmt, at), sqlite3_column_value(b->stmt->stmt, at));
    }
    if( by ) return c->plan.order[i].desc ? -by : by;
  }
  return 0;
}

/* The streams are a heap: the least row is that of the first. Put the one at `i` in its place, those below it being so. */
static void sift(Cursor *c, int i){
  for(;;){
    int least = i, child = 2 * i + 1;
    Stream kept;
    if( child < c->nStream && compare(c, &c->streams[child], &c->streams[least]) < 0 ) least = child;
    child++;
    if( child < c->nStream && compare(c, &c->streams[child], &c->streams[least]) < 0 ) least = child;
    if( least == i ) return;
    kept = c->streams[i];
    c->streams[i] = c->streams[least];
    c->streams[least] = kept;
    i = least;
  }
}

/* Skip what a day said, or not, and end the statement where it is to be strict. */
static int settle(Cursor *c, const Day *day, int rc){
  Table *t = (Table *)c->base.pVtab;
  if( rc == SQLITE_ROW || rc == SQLITE_DONE || rc == DAY_GONE ) return SQLITE_OK;
  if( rc != DAY_BAD ) return rc;
  if( c->strict ){
    const Trouble *one = t->space->troubles;   /* the newest stands first */
    char *path = day_path(day);
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = path ? sqlite3_mprintf("cannot read %s: %s", path, one ? one->text : "") : 0;
    sqlite3_free(path);
    return SQLITE_ERROR;
  }
  return SQLITE_OK;
}

static int add_stream(Cursor *c, const Day *day){
  int rc;
  if( c->nStream == c->spaceStream ){
    int space = c->spaceStream ? c->spaceStream * 2 : 4;
    Stream *more = sqlite3_realloc64(c->streams, (u64)space * sizeof(*more));
    if( more == 0 ) return SQLITE_NOMEM;
    c->streams = more;
    c->spaceStream = space;
  }
  rc = stream_open(c, day, &c->streams[c->nStream]);
  if( rc == SQLITE_ROW ) c->nStream++;
  return settle(c, day, rc);
}

/* An order that is not of time: all days are read side by side. */
static int is_other(const Cursor *c){
  const Table *t = (const Table *)c->base.pVtab;
  int col = c->plan.order[0].col;
  return INNER(t, col) && col - 1 != t->id && col - 1 != t->timestamp;
}

static int are_merged(const Cursor *c, const Day *a, const Day *b){
  if( c->plan.nOrder == 0 || c->counting ) return 0;
  if( is_other(c) ) return 1;
  if( a->first != b->first ) return 0;
  return c->plan.order[0].col != COL_CONTEXT || strcmp(a->name->context, b->name->context) == 0;
}

/* The next days that have a row; those of one time together, where their order counts. */
static int open_next(Cursor *c){
  int i, rc = SQLITE_OK;
  while( rc == SQLITE_OK && c->nStream == 0 && c->next < c->nAsked ){
    const Day *first = c->asked[c->next];
    if( space_interrupted(((Table *)c->base.pVtab)->space) ) return SQLITE_INTERRUPT;
    do{
      rc = add_stream(c, c->asked[c->next]);
      c->next++;
    }while( rc == SQLITE_OK && c->next < c->nAsked && are_merged(c, first, c->asked[c->next]) );
  }
  for(i = c->nStream / 2 - 1; i >= 0; i--) sift(c, i);
  c->at = c->nStream ? 0 : -1;
  if( rc != SQLITE_OK ) close_streams(c);
  return rc;
}

int cursor_filter(sqlite3_vtab_cursor *cur, int num, const char *text, int argc, sqlite3_value **argv){
  Cursor *c = (Cursor *)cur;
  Table *t = (Table *)cur->pVtab;
  int i, rc, empty = 0;
  (void)num;
  forget_question(c);
  c->strict = t->strict;
  c->ids.low = (i64)0x8000000000000000LL;
  c->ids.high = 0x7fffffffffffffffLL;
  rc = plan_read(text, argc, argv, &c->plan);
  for(i = 0; i < c->plan.nTerm && rc == SQLITE_OK && !empty; i++) rc = narrow(c, &c->plan.terms[i], &empty);
  c->left = c->plan.limit;
  if( rc != SQLITE_OK || empty || c->left == 0 ) return rc;
  rc = choose_days(c);
  choose_columns(c);
  if( rc == SQLITE_OK && c->plan.nOrder && is_other(c) && c->nAsked > MOST_GROWN * MOST_MERGED(t->space) ){
    /* Not SQLITE_SCHEMA, at which SQLite plans anew: of a subquery it would give its first rows once more. */
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("there are many more days than when the statement was prepared: prepare it again");
    return SQLITE_ERROR;
  }
  return rc == SQLITE_OK ? open_next(c) : rc;
}

int cursor_next(sqlite3_vtab_cursor *cur){
  Cursor *c = (Cursor *)cur;
  Stream *s = &c->streams[c->at];
  int rc;
  if( c->left > 0 && --c->left == 0 ){
    close_streams(c);
    return SQLITE_OK;
  }
  rc = stream_next(c, s);
  if( rc != SQLITE_ROW ){
    const Day *day = s->day;
    *s = c->streams[--c->nStream];
    rc = settle(c, day, rc);
    if( rc != SQLITE_OK ){
      close_streams(c);
      return rc;
    }
    if( c->nStream == 0 ) return open_next(c);
  }
  if( c->nStream > 1 ) sift(c, 0);
  return SQLITE_OK;
}

int cursor_eof(sqlite3_vtab_cursor *cur){ return ((Cursor *)cur)->at < 0; }

/* The rows that were handed out by number turn out to be asked what they are. */
static int ask_columns(Cursor *c){
  int rc = stream_step_into(c, &c->streams[c->at]);
  c->asked_columns = 1;
  c->counting = 0;
  if( rc == SQLITE_ROW ) return SQLITE_OK;
  c->nStream = 0;
  c->at = -1;
  /* Rows that went since they were counted: there is none left to stand for the one that was promised. */
  return rc == SQLITE_DONE || rc == DAY_GONE || rc == DAY_BAD ? SQLITE_ABORT : rc;
}

int cursor_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int col){
  Cursor *c = (Cursor *)cur;
  Table *t = (Table *)cur->pVtab;
  Stream *s = &c->streams[c->at];
  const Name *name = s->day->name;
  if( INNER(t, col) ){
    int at;
    if( s->counting ){
      int rc = ask_columns(c);
      if( rc != SQLITE_OK ) return rc;
      s = &c->streams[c->at];
    }
    at = c->map[col - 1];
    if( at < 0 ) return SQLITE_INTERNAL;   /* SQLite did not say that it would ask */
    sqlite3_result_value(ctx, sqlite3_column_value(s->stmt->stmt, at));
  }else if( col == COL_CONTEXT ){
    sqlite3_result_text(ctx, name->context, name->nContext, SQLITE_STATIC);   /* as long as the connection */
  }else if( col == COL_ROOT(t) ){
    int number = root_number(t->space, name->root);
    if( number ){
      char *text = sqlite3_mprintf("%d", number);
      if( text ) sqlite3_result_text(ctx, text, -1, sqlite3_free);
      else sqlite3_result_error_nomem(ctx);
    }else{
      sqlite3_result_text(ctx, name->root, -1, SQLITE_STATIC);
    }
  }else if( col == COL_DAY(t) ){
    sqlite3_result_int64(ctx, s->day->first);
  }else{
    sqlite3_result_int(ctx, c->strict);
  }
  return SQLITE_OK;
}

int cursor_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out){
  Cursor *c = (Cursor *)cur;
  Stream *s = &c->streams[c->at];
  const Name *name = s->day->name;
  if( s->counting ){
    int rc = ask_columns(c);
    if( rc != SQLITE_OK ) return rc;
    s = &c->streams[c->at];
  }
  if( name->ordinal >= MAX_ORDINALS ){
    sqlite3_free(cur->pVtab->zErrMsg);
    cur->pVtab->zErrMsg = sqlite3_mprintf("more than %d contexts have no rowids: use context_name and id", MAX_ORDINALS);
    return SQLITE_ERROR;
  }
  *out = (i64)((u64)name->ordinal << ID_BITS | ((u64)s->id & ((1ULL << ID_BITS) - 1)));
  return SQLITE_OK;
}
