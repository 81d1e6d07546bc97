/*
** xBestIndex: which conditions, order and limit days are asked, and what that costs.
**
** A plan is written into `idxStr` as words: `m<hex>` the columns that are used; `a<col>`, `d<col>` the order; then, for
** each argument of xFilter, an operator and its column (-1 is the rowid):
**
**   =  equal      S  is        I  in, all values at once    !  <>      X  is not
**   <  {  less, or equal       >  }  greater, or equal      l  like    g  glob
**   0  is null    1  is not null                            #  limit   +  offset
**
** A star before one says that the day's answer counts; `x0`, that this is so of every condition there is.
**
** What is asked of the days is a help: SQLite checks each condition once more, unless it means the very same inside a
** day (values.c), and then need not. A limit is only taken where every condition is of that kind.
**
** Orders that are kept: time first (`id` or `timestamp`), or `context_name` and then time; behind it anything. Days of
** one context do not overlap, so they are read one after the other, and contexts of one day are merged. Any other order
** means that all days are read side by side, which is done for as many as may be open.
*/
#include "eyelet.h"

/* Rows of a day, for want of better knowledge. Only their relations to each other matter. */
#define ROWS_A_DAY 20000.0
#define OPEN_COST 60.0

typedef struct Draft {
  Table *t;
  sqlite3_index_info *info;
  sqlite3_str *text;
  Days *days;
  int nArg;
  int exact;                  /* every condition so far is left to the days alone */
  int eqContext;              /* context_name is one value */
  int in;                     /* one argument is all values of an IN */
  Range ids;
  double rows;                /* what part of a day's rows is left by its conditions */
  double read;                /* what part of them is read for that */
  double days_share;
  int unique;
} Draft;

static int has_in(void){ return sqlite3_libversion_number() >= 3038000; }

static char op_of(int op){
  switch( op ){
    case SQLITE_INDEX_CONSTRAINT_EQ: return '=';
    case SQLITE_INDEX_CONSTRAINT_IS: return 'S';
    case SQLITE_INDEX_CONSTRAINT_NE: return '!';
    case SQLITE_INDEX_CONSTRAINT_ISNOT: return 'X';
    case SQLITE_INDEX_CONSTRAINT_LT: return '<';
    case SQLITE_INDEX_CONSTRAINT_LE: return '{';
    case SQLITE_INDEX_CONSTRAINT_GT: return '>';
    case SQLITE_INDEX_CONSTRAINT_GE: return '}';
    case SQLITE_INDEX_CONSTRAINT_LIKE: return 'l';
    case SQLITE_INDEX_CONSTRAINT_GLOB: return 'g';
    case SQLITE_INDEX_CONSTRAINT_ISNULL: return '0';
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL: return '1';
    default: return 0;
  }
}

/* The value on the right, where it is a constant of the statement; NULL where it is not known yet. */
static sqlite3_value *constant(Draft *d, int i){
  sqlite3_value *v = 0;
  if( !has_in() || sqlite3_vtab_rhs_value(d->info, i, &v) != SQLITE_OK ) return 0;
  return v;
}

static void take(Draft *d, int i, char op, int col, int omit){
  d->info->aConstraintUsage[i].argvIndex = ++d->nArg;
  d->info->aConstraintUsage[i].omit = (unsigned char)omit;
  sqlite3_str_appendf(d->text, omit ? " *%c%d" : " %c%d", op, col);
}

static void cost_of_context(Draft *d, char op){
  int n = d->t->space->nName;
  if( op == '=' || op == 'S' ){
    d->eqContext = 1;
    d->days_share /= n > 1 ? n : 1;
  }else if( op == 'I' ){
    d->days_share /= n > 2 ? n / 2.0 : 1;
  }
}

static void cost_of_time(Draft *d, char op, int is_id){
  if( op == '=' || op == 'S' ){
    d->unique = is_id;
    d->days_share = 0;
    d->rows = d->read = is_id ? 0 : 0.001;
  }else if( op == 'I' ){
    d->rows *= 0.0005;
    d->read *= 0.0005;
  }else if( op != '!' && op != 'X' ){
    d->days_share *= 0.4;
  }
}

static void cost_of_column(Draft *d, char op, const Column *column){
  double left = 0.9, read = 1;
  switch( op ){
    case '=': case 'S': left = column->index ? 0.005 : 0.1; break;
    case 'I': left = column->index ? 0.02 : 0.2; break;
    case 'g': case 'l': left = 0.1; break;
    case '<': case '{': case '>': case '}': left = 0.4; break;
    case '0': left = 0.2; break;
    default: break;
  }
  if( column->index && (op == '=' || op == 'S' || op == 'I' || op == 'g' || op == 'l') ) read = left;
  if( column->index && (op == '=' || op == 'I') &&
      (strcmp(column->name, "uid") == 0 || strcmp(column->name, "arrived") == 0 ||
       strcmp(column->name, "tool_use_id") == 0) ){
    left = read = 0.0001;
  }
  d->rows *= left;
  if( read < d->read ) d->read = read;
}

/* Whether the condition means the same inside a day, so that SQLite need not look again. */
static int is_exact(Draft *d, char op, int col, int i){
  sqlite3_value *v;
  char kind;
  if( op == 'I' || op == 'l' || col < 0 ) return 0;   /* LIKE may be told to mind case */
  if( op == '0' || op == '1' || op == 'g' ) return INNER(d->t, col);
  if( INNER(d->t, col) && d->t->inner == 0 ) return 0;   /* what a SELECT gives may have no affinity at all */
  if( INNER(d->t, col) ){
    kind = d->t->columns[col - 1].kind;
    if( kind == 'i' || kind == 'r' || kind == 'n' ) return 1;
    if( kind != 't' ) return 0;
  }else if( col != COL_CONTEXT || (op != '=' && op != 'S') ){
    return 0;
  }
  v = constant(d, i);   /* a constant that is a text has not the affinity of a number */
  return v != 0 && sqlite3_value_type(v) == SQLITE_TEXT;
}

/* One condition: taken, or left to SQLite. */
static void consider(Draft *d, int i){
  Table *t = d->t;
  int col = d->info->aConstraint[i].iColumn, omit;
  char op = op_of(d->info->aConstraint[i].op);
  int is_time = INNER(t, col) && (col - 1 == t->id || col - 1 == t->timestamp);
  if( op == 0 || i >= 32 || d->nArg >= MAX_TERMS - 3 || !d->info->aConstraint[i].usable ) goto left;
  if( op != 'l' && op != 'g' && op != '0' && op != '1' ){
    const char *collation = sqlite3_vtab_collation(d->info, i);
    if( collation != 0 && sqlite3_stricmp(collation, "BINARY") != 0 ) goto left;
  }
  if( op == '=' && has_in() && sqlite3_vtab_in(d->info, i, -1) ){
    if( col != -1 && !INNER(t, col) && col != COL_CONTEXT ) goto left;
    sqlite3_vtab_in(d->info, i, 1);
    op = 'I';
    d->in = 1;
  }
  if( col == COL_STRICT(t) && op == '=' ){
    take(d, i, op, col, 1);
    return;
  }
  if( col == -1 ){
    if( !t->is_hooks || (op != '=' && op != 'S' && op != 'I') ) goto left;
    cost_of_time(d, op, op != 'I');
  }else if( col == COL_CONTEXT ){
    /* Ranges are left alone: SQLite would read a page's rest twice and sort it, rather than once in order. */
    if( op != '=' && op != 'S' && op != 'I' ) goto left;
    cost_of_context(d, op);
  }else if( !INNER(t, col) ){
    goto left;
  }else if( is_time ){
    sqlite3_value *v = constant(d, i);
    if( v && (op == '<' || op == '{' || op == '>' || op == '}' || op == '=' || op == 'S') ){
      range_narrow(&d->ids, op, v, col - 1 == t->id ? 1.0 : 1e6, 0);
      if( op == '=' || op == 'S' ) cost_of_time(d, op, col - 1 == t->id);
    }else{
      cost_of_time(d, op, col - 1 == t->id);
    }
  }else{
    cost_of_column(d, op, &t->columns[col - 1]);
  }
  omit = is_exact(d, op, col, i);
  /* Of `(a, b) > (?, ?)` SQLite shows the first half, as `a >= ?`, and looks at the whole: no limit with what may be that. */
  if( !omit || (strchr("<{>}", op) && constant(d, i) == 0) ) d->exact = 0;
  take(d, i, op, col, omit);
  return;
left:
  d->exact = 0;
}

static int days_within(const Draft *d){
  int low = 0, high = d->days->n;
  while( low < high && d->days->a[low].first + DAY_US - 1 < d->ids.low ) low++;
  while( high > low && d->days->a[high - 1].first > d->ids.high ) high--;
  return high - low;
}

/* Whether rows can be given in the order that is asked for; writes it into the plan. */
static int keep_order(Draft *d){
  sqlite3_index_info *info = d->info;
  Table *t = d->t;
  int i, j, n = 0, timed = 0, other = 0;
  Order kept[MAX_ORDER];
  for(i = 0; i < info->nOrderBy; i++){
    int col = info->aOrderBy[i].iColumn, desc = info->aOrderBy[i].desc;
    int is_time = INNER(t, col) && (col - 1 == t->id || col - 1 == t->timestamp);
    if( col == COL_CONTEXT ){
      if( d->eqContext ) continue;
    }else if( !INNER(t, col) ){
      return 0;
    }else if( !timed && !is_time ){
      if( n && !other ) return 0;   /* by context, and then by what is no time */
      if( t->inner == 0 ) return 0;   /* nothing in the day serves it: SQLite sorts once rather than each day */
      other = 1;
    }
    for(j = 0; j < n && kept[j].col != col; j++){}
    if( j < n ) continue;   /* once is enough */
    if( n == MAX_ORDER ) return 0;
    kept[n].col = col;
    kept[n++].desc = desc;
    timed |= is_time;
  }
  if( (other ? days_within(d) : timed ? d->days->most : 0) > MOST_MERGED(d->t->space) ) return 0;
  for(i = 0; i < n; i++) sqlite3_str_appendf(d->text, " %c%d", kept[i].desc ? 'd' : 'a', kept[i].col);
  return 1;
}

/* LIMIT, and OFFSET with it, which SQLite goes on counting itself: a day is asked for as many rows as both. */
static void keep_limit(Draft *d, int ordered){
  sqlite3_index_info *info = d->info;
  int i, limit = -1, offset = -1;
  for(i = 0; i < info->nConstraint; i++){
    int op = info->aConstraint[i].op;
    if( op == SQLITE_INDEX_CONSTRAINT_LIMIT ) limit = i;
    if( op == SQLITE_INDEX_CONSTRAINT_OFFSET ) offset = i;
  }
  if( limit < 0 || !d->exact || !ordered || !info->aConstraint[limit].usable ) return;
  if( offset >= 0 && !info->aConstraint[offset].usable ) return;
  take(d, limit, '#', 0, 0);
  if( offset >= 0 ) take(d, offset, '+', 0, 0);
}

static void estimate(Draft *d){
  sqlite3_index_info *info = d->info;
  double days = days_within(d) * d->days_share, rows, whole;
  if( days < 1 ) days = 1;
  whole = days * OPEN_COST + days * ROWS_A_DAY;
  rows = d->unique ? 1 : days * ROWS_A_DAY * d->rows;
  info->estimatedRows = rows < 1 ? 1 : (i64)rows;
  info->estimatedCost = d->unique ? OPEN_COST : days * OPEN_COST + days * ROWS_A_DAY * (d->read + d->rows) / 2;
  if( info->estimatedCost > whole ) info->estimatedCost = whole;
  /* Without a key of its own, no two scans can be united by it: an OR is never cheaper than one whole scan. */
  if( !d->t->is_hooks ) info->estimatedCost = d->days->n * (OPEN_COST + ROWS_A_DAY) + 1;
  if( d->unique && d->t->is_hooks && d->eqContext && d->t->catalog.nRoot == 1 ) info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
}

int plan_best(sqlite3_vtab *tab, sqlite3_index_info *info){
  Draft d;
  int i, rc, ordered;
  memset(&d, 0, sizeof(d));
  d.t = (Table *)tab;
  d.info = info;
  d.exact = d.rows = d.read = d.days_share = 1;
  d.ids.low = (i64)0x8000000000000000LL;
  d.ids.high = 0x7fffffffffffffffLL;
  rc = days_refresh(d.t, &d.days);
  if( rc != SQLITE_OK ) return rc;
  d.text = sqlite3_str_new(d.t->space->db);
  sqlite3_str_appendf(d.text, "m%llx", (u64)info->colUsed);
  for(i = 0; i < info->nConstraint; i++){
    int op = info->aConstraint[i].op;
    if( op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET ) continue;
    consider(&d, i);
  }
  ordered = keep_order(&d);
  info->orderByConsumed = ordered && info->nOrderBy > 0;
  keep_limit(&d, ordered || info->nOrderBy == 0);
  if( d.exact ) sqlite3_str_appendall(d.text, " x0");
  estimate(&d);
  days_free(d.days);
  rc = sqlite3_str_errcode(d.text);
  info->idxStr = sqlite3_str_finish(d.text);
  info->needToFreeIdxStr = 1;
  if( rc == SQLITE_OK && info->idxStr == 0 ) rc = SQLITE_NOMEM;
  return rc;
}

static i64 number(const char **text, int base){
  i64 n = 0;
  int minus = **text == '-';
  if( minus ) (*text)++;
  for(;; (*text)++){
    char c = **text;
    int digit = c >= '0' && c <= '9' ? c - '0' : base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if( digit < 0 ) break;
    n = (i64)((u64)n * (u64)base + (u64)digit);
  }
  return minus ? -n : n;
}

/* A copy whose text is UTF-8 already, so that reading it never takes memory; NULL where there is none. */
static sqlite3_value *copy_of(sqlite3_value *v){
  sqlite3_value *copy = sqlite3_value_dup(v);
  if( copy && sqlite3_value_type(copy) == SQLITE_TEXT && sqlite3_value_text(copy) == 0 ){
    sqlite3_value_free(copy);
    return 0;
  }
  return copy;
}

/* All values of an IN but NULL, which equals nothing. */
static int read_list(Term *term, sqlite3_value *in){
  sqlite3_value *v = 0;
  int rc, space = 0;
  for(rc = sqlite3_vtab_in_first(in, &v); rc == SQLITE_OK && v; rc = sqlite3_vtab_in_next(in, &v)){
    if( sqlite3_value_type(v) == SQLITE_NULL ) continue;
    if( term->nList == space ){
      sqlite3_value **more;
      space = space ? space * 2 : 16;
      more = sqlite3_realloc64(term->list, (u64)space * sizeof(*more));
      if( more == 0 ) return SQLITE_NOMEM;
      term->list = more;
    }
    term->list[term->nList] = copy_of(v);
    if( term->list[term->nList] == 0 ) return SQLITE_NOMEM;
    term->nList++;
  }
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static i64 whole(sqlite3_value *v){
  return sqlite3_value_type(v) == SQLITE_INTEGER ? sqlite3_value_int64(v) : -1;
}

/* The plan that `plan_best` wrote, with the arguments of xFilter. To be freed even where it fails. */
int plan_read(const char *text, int argc, sqlite3_value **argv, Plan *plan){
  int arg = 0, rc = SQLITE_OK, exact = 0;
  i64 limit = -1, offset = 0;
  memset(plan, 0, sizeof(*plan));
  plan->limit = -1;
  while( *text && rc == SQLITE_OK ){
    char op = *text++;
    i64 n;
    if( op == ' ' ) continue;
    if( op == '*' ){
      exact = 1;
      continue;
    }
    n = number(&text, op == 'm' ? 16 : 10);
    if( op == 'x' ){
      plan->exact = 1;
    }else if( op == 'm' ){
      plan->used = (u64)n;
    }else if( op == 'a' || op == 'd' ){
      plan->order[plan->nOrder].col = (int)n;
      plan->order[plan->nOrder++].desc = op == 'd';
    }else if( arg >= argc ){
      return SQLITE_ERROR;
    }else if( op == '#' ){
      limit = whole(argv[arg++]);
    }else if( op == '+' ){
      offset = whole(argv[arg]);
      if( sqlite3_value_type(argv[arg++]) != SQLITE_INTEGER ) limit = -1;
    }else{
      Term *term = &plan->terms[plan->nTerm++];
      term->op = op;
      term->exact = exact;
      term->col = (int)n;
      if( op == 'I' ) rc = read_list(term, argv[arg]);
      else if( (term->value = copy_of(argv[arg])) == 0 ) rc = SQLITE_NOMEM;
      arg++;
    }
    exact = 0;
  }
  if( offset < 0 ) offset = 0;
  if( limit >= 0 && limit < 0x3fffffffffffffffLL && offset < 0x3fffffffffffffffLL ) plan->limit = limit + offset;
  return rc;
}

void plan_free(Plan *plan){
  int i, j;
  for(i = 0; i < plan->nTerm; i++){
    for(j = 0; j < plan->terms[i].nList; j++) sqlite3_value_free(plan->terms[i].list[j]);
    sqlite3_free(plan->terms[i].list);
    sqlite3_value_free(plan->terms[i].value);
  }
  plan->nTerm = plan->nOrder = 0;
}
