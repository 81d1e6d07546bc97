/*
** The entry point, and what `create virtual table hooks using eyelet_partitions(table='hooks', root='/abs')` says.
**
**   table=      a table or view of every day; `hooks` is known: its columns, indexes and key
**   sql=        instead: a SELECT that is asked inside every day
**   columns=    'id integer, value text, …': the columns of table= or sql=; one called `id` is a time of the day
**   root=       an absolute path, or the number of one that eyelet_root() was told; several may be given
**   context=    a safe name; several may be given, and no other is seen then
**   strict=     1: a day that cannot be read is an error, and not left out
**   cache_kib=, busy_ms=, max_open=   bounds of the connections to days
**
** `fts_eyelet` has arguments of its own besides (words.c).
**
** Columns: `context_name`, then those of the day, then hidden ones: `strict` (as an argument, or `where strict = 1`), `root`
** and `day_us`, the day's first microsecond. The module is not there by its name alone, so whoever may only write
** SELECTs reaches what tables were made for him and nothing else. In the schema of a file its tables may not be used
** by views and triggers, which are the file's and not the user's.
**
** Longer than other files, because every argument is read beside the columns that it makes.
*/
#define EYELET_ENTRY 1
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include "eyelet.h"

#include <stdlib.h>

#define LEAST_VERSION 3037000
#define MAX_COLUMNS 500

static const char HOOKS[] =
  "id integer, uid blob, arrived integer, timestamp real, session_id text, hook_type text, tool_name text, "
  "tool_use_id text, status text, src text, loglevel text, error integer, origin text, agent text, agent_id text, "
  "role text, model text, duration_ms real, project_dir text, hostname text, ip_address text, data text, meta text, "
  "error_code text, git_branch text";

/* The index that begins with a column of hooks (schema.py). */
static const char *const INDEXES[][2] = {
  {"uid", "sqlite_autoindex_hooks_1"}, {"arrived", "hooks_arrived"},       {"session_id", "hooks_session"},
  {"src", "hooks_src"},                {"hook_type", "hooks_type"},        {"tool_name", "hooks_tool"},
  {"tool_use_id", "hooks_tool_use"},   {"error", "hooks_error"},           {"error_code", "hooks_error_code"},
  {"git_branch", "hooks_branch"},      {"status", "hooks_status"},
};

typedef struct Arguments {
  Table *t;
  int words;                  /* for the text index */
  char *columns;
  char **error;
  int rc;
} Arguments;

static void table_free(Table *t){
  int i;
  if( t == 0 ) return;
  catalog_free(&t->catalog);
  for(i = 0; i < t->n; i++){
    sqlite3_free(t->columns[i].name);
    sqlite3_free(t->columns[i].declared);
  }
  sqlite3_free(t->columns);
  sqlite3_free(t->name);
  sqlite3_free(t->inner);
  sqlite3_free(t->sql);
  sqlite3_free(t);
}

static void refuse(Arguments *a, const char *format, const char *what){
  if( a->rc != SQLITE_OK ) return;
  sqlite3_free(*a->error);
  *a->error = sqlite3_mprintf(format, what);
  a->rc = *a->error ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* `'…'` or `"…"` without its quotes, or the bare word; NULL where there is no memory. */
static char *unquoted(const char *text, size_t n){
  char *out = sqlite3_malloc64(n + 1);
  size_t i = 0, at = 0;
  char quote = n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n - 1] == text[0] ? text[0] : 0;
  if( out == 0 ) return 0;
  for(i = quote ? 1 : 0; i < (quote ? n - 1 : n); i++){
    out[at++] = text[i];
    if( quote && text[i] == quote && i + 2 < n && text[i + 1] == quote ) i++;
  }
  out[at] = 0;
  return out;
}

static int is_space(char c){ return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static void append(Arguments *a, char ***list, int *n, char *value){
  char **more = sqlite3_realloc64(*list, (u64)(*n + 1) * sizeof(*more));
  if( more == 0 ){
    sqlite3_free(value);
    a->rc = SQLITE_NOMEM;
    return;
  }
  *list = more;
  more[(*n)++] = value;
}

static void set_text(char **to, char *value){
  sqlite3_free(*to);
  *to = value;
}

static void set_number(Arguments *a, const char *key, const char *value, int least, int most, int *to){
  char *end = 0;
  long number = strtol(value, &end, 10);
  if( end == value || *end || number < least || number > most ) refuse(a, "eyelet_partitions: %s is out of range", key);
  else *to = (int)number;
}

static void set_most(Arguments *a, const char *key, const char *value){
  int most = 0;
  set_number(a, key, value, 1, 1000, &most);
  if( most ) pool_allow(a->t->space, most);
}

static void set_root(Arguments *a, char *value){
  size_t n = strlen(value);
  int i, number = 0;
  Catalog *c = &a->t->catalog;
  const Space *space = a->t->space;
  if( n > 0 && n < 6 && strspn(value, "0123456789") == n ) number = atoi(value);
  if( number > 0 && number <= space->nGiven ){
    sqlite3_free(value);
    value = sqlite3_mprintf("%s", space->given[number - 1]);
    if( value == 0 ){
      a->rc = SQLITE_NOMEM;
      return;
    }
    n = strlen(value);
  }
  while( n > 1 && value[n - 1] == '/' ) value[--n] = 0;
  if( value[0] != '/' ) refuse(a, "eyelet_partitions: root=%s is no absolute path", value);
  for(i = 0; i < c->nRoot; i++) if( strcmp(c->roots[i], value) == 0 ) break;
  if( a->rc != SQLITE_OK || i < c->nRoot ) sqlite3_free(value);
  else append(a, &c->roots, &c->nRoot, value);
}

static void set_context(Arguments *a, char *value){
  if( !safe_context(value) ) refuse(a, "eyelet_partitions: context=%s is no safe name", value);
  if( a->rc != SQLITE_OK ) sqlite3_free(value);
  else append(a, &a->t->catalog.contexts, &a->t->catalog.nContext, value);
}

static void argument(Arguments *a, const char *text){
  const char *equals = strchr(text, '='), *value = equals ? equals + 1 : 0;
  size_t nKey, n;
  char key[24], *plain;
  while( is_space(*text) ) text++;
  nKey = equals ? (size_t)(equals - text) : 0;
  while( nKey && is_space(text[nKey - 1]) ) nKey--;
  if( nKey == 0 || nKey >= sizeof(key) ){
    refuse(a, "eyelet_partitions: %s is no NAME='value'", text);
    return;
  }
  memcpy(key, text, nKey);
  key[nKey] = 0;
  while( is_space(*value) ) value++;
  n = strlen(value);
  while( n && is_space(value[n - 1]) ) n--;
  plain = unquoted(value, n);
  if( plain == 0 ){
    a->rc = SQLITE_NOMEM;
  }else if( strcmp(key, "table") == 0 ){
    set_text(&a->t->inner, plain);
  }else if( strcmp(key, a->words ? "text" : "sql") == 0 ){
    set_text(&a->t->sql, plain);
  }else if( strcmp(key, "columns") == 0 ){
    set_text(&a->columns, plain);
  }else if( strcmp(key, "root") == 0 ){
    set_root(a, plain);
  }else if( strcmp(key, "context") == 0 ){
    set_context(a, plain);
  }else{
    if( strcmp(key, "strict") == 0 ) set_number(a, key, plain, 0, 1, &a->t->strict);
    else if( strcmp(key, "cache_kib") == 0 ) set_number(a, key, plain, 0, 1 << 20, &a->t->cacheKib);
    else if( strcmp(key, "busy_ms") == 0 ) set_number(a, key, plain, 0, 3600000, &a->t->busyMs);
    else if( strcmp(key, "version") == 0 && a->words ) set_number(a, key, plain, 0, 1000000, &a->t->version);
    else if( strcmp(key, "content") == 0 && a->words ){}
    else if( strcmp(key, "max_open") == 0 ) set_most(a, key, plain);
    else refuse(a, "eyelet_partitions: there is no argument %s", key);
    sqlite3_free(plain);
  }
}

/* The affinity of a declared type: https://www.sqlite.org/datatype3.html#determination_of_column_affinity */
static char kind_of(const char *declared){
  if( sqlite3_strlike("%int%", declared, 0) == 0 ) return 'i';
  if( sqlite3_strlike("%char%", declared, 0) == 0 || sqlite3_strlike("%clob%", declared, 0) == 0 ||
      sqlite3_strlike("%text%", declared, 0) == 0 ) return 't';
  if( *declared == 0 || sqlite3_strlike("%blob%", declared, 0) == 0 ) return 'b';
  if( sqlite3_strlike("%real%", declared, 0) == 0 || sqlite3_strlike("%floa%", declared, 0) == 0 ||
      sqlite3_strlike("%doub%", declared, 0) == 0 ) return 'r';
  return 'n';
}

/* One of `name type, name type`. */
static void column(Arguments *a, const char *text, size_t n){
  Table *t = a->t;
  Column *more, *one;
  size_t nName = 0, i;
  while( n && is_space(*text) ) text++, n--;
  while( n && is_space(text[n - 1]) ) n--;
  while( nName < n && !is_space(text[nName]) ) nName++;
  if( nName == 0 || t->n >= MAX_COLUMNS ){
    refuse(a, "eyelet_partitions: columns=%s is no list of names and types", a->columns ? a->columns : HOOKS);
    return;
  }
  more = sqlite3_realloc64(t->columns, (u64)(t->n + 1) * sizeof(*more));
  if( more == 0 ){
    a->rc = SQLITE_NOMEM;
    return;
  }
  t->columns = more;
  one = &more[t->n++];
  memset(one, 0, sizeof(*one));
  one->name = sqlite3_mprintf("%.*s", (int)nName, text);
  for(i = nName; i < n && is_space(text[i]); i++){}
  one->declared = sqlite3_mprintf("%.*s", (int)(n - i), text + i);
  if( one->name == 0 || one->declared == 0 ){
    a->rc = SQLITE_NOMEM;
    return;
  }
  one->kind = kind_of(one->declared);
  if( strspn(one->declared, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ") != strlen(one->declared) ){
    refuse(a, "eyelet_partitions: %s is no type", one->declared);
  }
  for(i = 0; t->is_hooks && i < sizeof(INDEXES) / sizeof(INDEXES[0]); i++){
    if( strcmp(INDEXES[i][0], one->name) == 0 ) one->index = INDEXES[i][1];
  }
}

static void columns(Arguments *a, const char *text){
  const char *comma;
  Table *t = a->t;
  int i;
  for(; a->rc == SQLITE_OK; text = comma + 1){
    comma = strchr(text, ',');
    column(a, text, comma ? (size_t)(comma - text) : strlen(text));
    if( comma == 0 ) break;
  }
  t->id = t->timestamp = -1;
  for(i = 0; i < t->n && a->rc == SQLITE_OK; i++){
    if( strcmp(t->columns[i].name, "id") == 0 && t->columns[i].kind == 'i' ) t->id = i;
    if( strcmp(t->columns[i].name, "timestamp") == 0 && t->is_hooks ) t->timestamp = i;
  }
  if( t->is_hooks && t->id < 0 ) refuse(a, "eyelet_partitions: %s have to have an id integer", "hooks");
}

/* The virtual table as SQLite is told: hidden columns are there for who names them. */
static char *declaration(const Table *t){
  sqlite3_str *sql = sqlite3_str_new(0);
  int i;
  if( t->version >= 0 ){
    sqlite3_str_appendall(sql, "create table x(");
    for(i = 0; i < t->n; i++) sqlite3_str_appendf(sql, "\"%w\", ", t->columns[i].name);
    sqlite3_str_appendf(sql, "\"%w\" hidden)", t->name);
    return sqlite3_str_finish(sql);
  }
  sqlite3_str_appendall(sql, "create table x(context_name text");
  for(i = 0; i < t->n; i++) sqlite3_str_appendf(sql, ", \"%w\" %s", t->columns[i].name, t->columns[i].declared);
  sqlite3_str_appendall(sql, ", strict integer hidden, root text hidden, day_us integer hidden");
  /* Two roots may hold one context's same id: they are two rows of two stores. */
  if( t->is_hooks ) sqlite3_str_appendf(sql, ", primary key (context_name, id%s)", t->catalog.nRoot > 1 ? ", root" : "");
  sqlite3_str_appendall(sql, ")");
  return sqlite3_str_finish(sql);
}

static void check(Arguments *a){
  Table *t = a->t;
  if( a->rc != SQLITE_OK ) return;
  if( t->catalog.nRoot == 0 ) refuse(a, "eyelet_partitions: %s is missing", "root='/absolute/path'");
  if( (t->inner != 0) == (t->sql != 0) ) refuse(a, "eyelet_partitions: one of %s is needed", "table= and sql=");
  t->is_hooks = t->inner && strcmp(t->inner, "hooks") == 0;
  if( !t->is_hooks && a->columns == 0 ) refuse(a, "eyelet_partitions: %s is missing", "columns='name type, …'");
  if( a->rc == SQLITE_OK ) columns(a, a->columns ? a->columns : HOOKS);
}

static int connect_as(int words, sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                      char **error){
  Arguments a;
  Space *space = aux;
  const char *file;
  char *sql;
  int i;
  memset(&a, 0, sizeof(a));
  a.error = error;
  a.words = words;
  a.t = sqlite3_malloc64(sizeof(Table));
  if( a.t == 0 ) return SQLITE_NOMEM;
  memset(a.t, 0, sizeof(Table));
  a.t->space = space;
  a.t->busyMs = BUSY_MS;
  a.t->cacheKib = CACHE_KIB;
  a.t->version = words ? 0 : -1;
  a.t->name = sqlite3_mprintf("%s", argv[2]);
  if( a.t->name == 0 ) a.rc = SQLITE_NOMEM;
  for(i = 3; i < argc && a.rc == SQLITE_OK; i++) argument(&a, argv[i]);
  check(&a);
  if( a.rc == SQLITE_OK ){
    sql = declaration(a.t);
    a.rc = sql ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if( a.rc == SQLITE_ERROR ) *error = sqlite3_mprintf("eyelet_partitions: %s", sqlite3_errmsg(db));
  }
  sqlite3_free(a.columns);
  if( a.rc != SQLITE_OK ){
    table_free(a.t);
    return a.rc;
  }
  file = sqlite3_db_filename(db, argv[1]);
  if( file && *file ) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  space->nRef++;
  space->nTable++;
  *out = &a.t->base;
  return SQLITE_OK;
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error){
  return connect_as(0, db, aux, argc, argv, out, error);
}

/* Not the same function as xConnect: else the module could be used by its name, without a table made for that. */
static int create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error){
  return connect_as(0, db, aux, argc, argv, out, error);
}

static int connect_words(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error){
  return connect_as(1, db, aux, argc, argv, out, error);
}

static int create_words(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error){
  return connect_as(1, db, aux, argc, argv, out, error);
}

static int disconnect(sqlite3_vtab *tab){
  Table *t = (Table *)tab;
  Space *space = t->space;
  pool_forget(space, t);
  table_free(t);
  if( --space->nTable == 0 ) tick_end(space);   /* nothing of ours may keep the host's connection from closing */
  space_release(space);
  return SQLITE_OK;
}

static const sqlite3_module partitions_module = {
  .iVersion = 1,
  .xCreate = create,
  .xConnect = connect,
  .xBestIndex = plan_best,
  .xDisconnect = disconnect,
  .xDestroy = disconnect,
  .xOpen = cursor_open,
  .xClose = cursor_close,
  .xFilter = cursor_filter,
  .xNext = cursor_next,
  .xEof = cursor_eof,
  .xColumn = cursor_column,
  .xRowid = cursor_rowid,
};

static const sqlite3_module words_module = {
  .iVersion = 1,
  .xCreate = create_words,
  .xConnect = connect_words,
  .xBestIndex = words_best,
  .xDisconnect = disconnect,
  .xDestroy = disconnect,
  .xOpen = words_open,
  .xClose = words_close,
  .xFilter = words_filter,
  .xNext = words_next,
  .xEof = words_eof,
  .xColumn = words_column,
  .xRowid = words_rowid,
};

/*
** eyelet_root('/abs'): the number under which `root=` knows this root from now on. Whoever may see what tables are made
** of (sqlite_master, the column `root`, eyelet_trouble) then sees the number, and no path. To be called before the first
** table is made: after that it is an error, as it is in a view or trigger.
*/
static void give_root(sqlite3_context *ctx, int argc, sqlite3_value **argv){
  Space *s = sqlite3_user_data(ctx);
  const char *path = (const char *)sqlite3_value_text(argv[0]);
  char **more, *copy;
  size_t n;
  (void)argc;
  if( s->nTable ){
    sqlite3_result_error(ctx, "eyelet_root: the tables are made already", -1);
    return;
  }
  if( path == 0 || path[0] != '/' ){
    sqlite3_result_error(ctx, "eyelet_root: that is no absolute path", -1);
    return;
  }
  more = sqlite3_realloc64(s->given, (u64)(s->nGiven + 1) * sizeof(*more));
  if( more ) s->given = more;
  copy = more ? sqlite3_mprintf("%s", path) : 0;
  if( copy == 0 ){
    sqlite3_result_error_nomem(ctx);
    return;
  }
  n = strlen(copy);
  while( n > 1 && copy[n - 1] == '/' ) copy[--n] = 0;
  if( root_number(s, copy) == 0 ){
    s->given[s->nGiven++] = copy;
    sqlite3_result_int(ctx, s->nGiven);
  }else{
    sqlite3_result_int(ctx, root_number(s, copy));
    sqlite3_free(copy);
  }
}

/*
** One table of functions serves the process, and is written once, since other threads read it meanwhile. Two copies of
** SQLite on one file would lose each other's locks, so a second one is refused.
*/
static int adopt(const sqlite3_api_routines *api){
  static int state;   /* 0: nobody's; 1: being written; 2: there */
  int none = 0;
  if( __atomic_compare_exchange_n(&state, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ){
    SQLITE_EXTENSION_INIT2(api);
    __atomic_store_n(&state, 2, __ATOMIC_RELEASE);
  }
  while( __atomic_load_n(&state, __ATOMIC_ACQUIRE) != 2 ){}
  return sqlite3_api == api;
}

/* The modules and the function, or none: where one cannot be made, SQLite unloads this file, and must not come back to it for another. */
static int make_modules(sqlite3 *db, Space *space){
  static const struct { const char *name; const sqlite3_module *module; } modules[] = {
    {"eyelet_partitions", &partitions_module}, {"fts_eyelet", &words_module}, {"eyelet_trouble", &trouble_module},
  };
  int i, rc = SQLITE_OK, n = (int)(sizeof(modules) / sizeof(modules[0]));
  space->nRef = n + 2;   /* each destructor, which is called even where making it fails, and this function */
  for(i = 0; i < n && rc == SQLITE_OK; i++){
    rc = sqlite3_create_module_v2(db, modules[i].name, modules[i].module, space, space_release);
  }
  if( rc == SQLITE_OK ){
    i = n + 1;
    rc = sqlite3_create_function_v2(db, "eyelet_root", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, space, give_root, 0, 0, space_release);
  }else{
    space->nRef -= n - i + 1;   /* those that nobody tried to make */
  }
  if( rc != SQLITE_OK ) while( --i > 0 ) sqlite3_create_module_v2(db, modules[i - 1].name, 0, 0, 0);
  space_release(space);
  return rc;
}

__attribute__((visibility("default")))
int sqlite3_eyelet_init(sqlite3 *db, char **error, const sqlite3_api_routines *api){
  Space *space;
  if( !adopt(api) ){
    *error = api->mprintf("eyelet: another SQLite of this process has loaded it already");
    return SQLITE_ERROR;
  }
  if( sqlite3_libversion_number() < LEAST_VERSION ){
    *error = sqlite3_mprintf("eyelet: SQLite %s is too old, 3.37 is the oldest that will do", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  space = space_new(db);
  if( space == 0 ) return SQLITE_NOMEM;
  return make_modules(db, space);
}
