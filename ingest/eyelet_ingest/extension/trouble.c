/*
** Days that could not be read. A statement skips them and goes on; what was wrong stands here, and goes as soon as the day
** can be read again. `select * from eyelet_trouble` lists what this connection met: context_name, date, table_name,
** error, and the path.
*/
#include "eyelet.h"

#define MAX_TROUBLES 1000   /* beyond that the oldest is forgotten */

static int same_text(const char *a, const char *b){
  return (a == 0) == (b == 0) && (a == 0 || strcmp(a, b) == 0);
}

static int is_of(const Trouble *one, const char *table, const Day *day){
  return one->name == day->name && one->year == day->year && one->doy == day->doy && same_text(one->table, table);
}

static void trouble_free(Trouble *one){
  sqlite3_free(one->table);
  sqlite3_free(one->text);
  sqlite3_free(one);
}

/* The day can be read. */
void trouble_clear(Space *s, const Table *t, const Day *day){
  Trouble **at = &s->troubles;
  while( *at ){
    Trouble *one = *at;
    if( is_of(one, t ? t->name : 0, day) ){
      *at = one->next;
      trouble_free(one);
    }else{
      at = &one->next;
    }
  }
}

/* Remember what is wrong with the day, or with a folder (its day is 0). SQLITE_OK or SQLITE_NOMEM. */
int trouble_note(Space *s, const Table *t, const Day *day, const char *text){
  Trouble *one, **at;
  int n = 0;
  trouble_clear(s, t, day);
  one = sqlite3_malloc64(sizeof(*one));
  if( one == 0 ) return SQLITE_NOMEM;
  memset(one, 0, sizeof(*one));
  one->name = day->name;
  one->year = day->year;
  one->doy = day->doy;
  one->table = t ? sqlite3_mprintf("%s", t->name) : 0;
  one->text = sqlite3_mprintf("%!.500s", text);   /* characters: SQLite quotes from a damaged schema, at any length */
  if( one->text == 0 || (t && one->table == 0) ){
    trouble_free(one);
    return SQLITE_NOMEM;
  }
  one->next = s->troubles;
  s->troubles = one;
  for(at = &s->troubles; *at; at = &(*at)->next){
    if( ++n > MAX_TROUBLES ){
      trouble_free(*at);
      *at = 0;
      break;
    }
  }
  return SQLITE_OK;
}

void troubles_free(Space *s){
  while( s->troubles ){
    Trouble *one = s->troubles;
    s->troubles = one->next;
    trouble_free(one);
  }
}

/*
** What an error of a day's means for the statement: DAY_BAD, and it goes on with the others; or an error of the whole,
** where the day is not to blame (no memory, an interrupt, no more files), or the statement is to be strict.
*/
int day_error(Table *t, const Day *day, int rc, const char *text){
  int noted;
  switch( rc & 0xff ){
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_FULL:
    case SQLITE_MISUSE:
      return rc & 0xff;
    default:
      break;
  }
  if( rc == SQLITE_IOERR_NOMEM ) return SQLITE_NOMEM;
  noted = trouble_note(t->space, t, day, text ? text : sqlite3_errstr(rc));
  return noted == SQLITE_OK ? DAY_BAD : noted;
}

typedef struct Listed {
  sqlite3_vtab_cursor base;
  i64 n;

} Listed;

typedef struct ListTable {
  sqlite3_vtab base;
  Space *space;
} ListTable;

static int list_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error){
  ListTable *t;
  int rc = sqlite3_declare_vtab(db, "create table x(context_name text, date text, table_name text, error text, path text)");
  (void)argc;
  (void)argv;
  (void)error;
  if( rc != SQLITE_OK ) return rc;
  t = sqlite3_malloc64(sizeof(*t));
  if( t == 0 ) return SQLITE_NOMEM;
  memset(t, 0, sizeof(*t));
  t->space = aux;
  t->space->nRef++;
  *out = &t->base;
  return SQLITE_OK;
}

static int list_disconnect(sqlite3_vtab *tab){
  space_release(((ListTable *)tab)->space);
  sqlite3_free(tab);
  return SQLITE_OK;
}

static int list_best(sqlite3_vtab *tab, sqlite3_index_info *info){
  (void)tab;
  info->estimatedCost = 100;
  info->estimatedRows = 100;
  return SQLITE_OK;
}

static int list_open(sqlite3_vtab *tab, sqlite3_vtab_cursor **out){
  Listed *c = sqlite3_malloc64(sizeof(*c));
  (void)tab;
  if( c == 0 ) return SQLITE_NOMEM;
  memset(c, 0, sizeof(*c));
  *out = &c->base;
  return SQLITE_OK;
}

static int list_close(sqlite3_vtab_cursor *cur){
  sqlite3_free(cur);
  return SQLITE_OK;
}

/* The list may change under a statement that reads it: what is given out is found anew by its place. */
static Trouble *nth(sqlite3_vtab_cursor *cur){
  Listed *c = (Listed *)cur;
  Trouble *one = ((ListTable *)cur->pVtab)->space->troubles;
  i64 i;
  for(i = 0; one && i < c->n; i++) one = one->next;
  return one;
}

static int list_filter(sqlite3_vtab_cursor *cur, int num, const char *text, int argc, sqlite3_value **argv){
  (void)num;
  (void)text;
  (void)argc;
  (void)argv;
  ((Listed *)cur)->n = 0;
  return SQLITE_OK;
}

static int list_next(sqlite3_vtab_cursor *cur){
  ((Listed *)cur)->n++;
  return SQLITE_OK;
}

static int list_eof(sqlite3_vtab_cursor *cur){ return nth(cur) == 0; }

static void result_date(sqlite3_context *ctx, int year, int doy){
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0, month = 0, day = doy;
  char *text;
  if( year == 0 ) return;
  if( doy == 0 ){
    text = sqlite3_mprintf("%04d", year);
  }else{
    while( month < 11 && day > lengths[month] + (month == 1 && leap) ){
      day -= lengths[month] + (month == 1 && leap);
      month++;
    }
    text = sqlite3_mprintf("%04d-%02d-%02d", year, month + 1, day);
  }
  if( text == 0 ) sqlite3_result_error_nomem(ctx);
  else sqlite3_result_text(ctx, text, -1, sqlite3_free);
}

static int list_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int col){
  Trouble *one = nth(cur);
  if( one == 0 ) return SQLITE_OK;
  if( col == 0 ){
    sqlite3_result_text(ctx, one->name->context, -1, SQLITE_TRANSIENT);
  }else if( col == 1 ){
    result_date(ctx, one->year, one->doy);
  }else if( col == 2 ){
    sqlite3_result_text(ctx, one->table, -1, SQLITE_TRANSIENT);
  }else if( col == 3 ){
    sqlite3_result_text(ctx, one->text, -1, SQLITE_TRANSIENT);
  }else{
    Day day;
    char *path, *shown;
    memset(&day, 0, sizeof(day));
    day.name = one->name;
    day.year = one->year;
    day.doy = one->doy;
    path = one->doy ? day_path(&day) : sqlite3_mprintf("%s/logs/%s", one->name->root, one->name->context);
    shown = path ? shown_path(((ListTable *)cur->pVtab)->space, path) : 0;
    sqlite3_free(path);
    if( shown == 0 ) sqlite3_result_error_nomem(ctx);
    else sqlite3_result_text(ctx, shown, -1, sqlite3_free);
  }
  return SQLITE_OK;
}

static int list_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out){
  *out = ((Listed *)cur)->n;
  return SQLITE_OK;
}

/* Without xCreate: it is there by its name, and holds nothing but what this connection met itself. */
const sqlite3_module trouble_module = {
  .xConnect = list_connect,
  .xDisconnect = list_disconnect,
  .xBestIndex = list_best,
  .xOpen = list_open,
  .xClose = list_close,
  .xFilter = list_filter,
  .xNext = list_next,
  .xEof = list_eof,
  .xColumn = list_column,
  .xRowid = list_rowid,
};
