/*
** Which days there are: `<root>/logs/<context>/<year>/<day of the year>/logs.sqlite`, from the names of folders alone.
**
** A listing is trusted while the modification time of every folder stands, as store/catalog.py does, with its two
** scars: a folder that changed within the last two seconds may change again in the same tick of the file system's
** clock, so it is not trusted yet; and where there are many folders, that of `logs/` alone is looked at (who makes a day
** touches it), and all of them once a second.
**
** A listing never changes once it is made: a statement that reads it keeps it, the next one finds what is there then.
*/
#include "eyelet.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define SETTLED_NS 2000000000LL
#define FEW_FOLDERS 64
#define LOOK_AGAIN_MS 1000
#define CONTEXT_MAX 64

#ifdef __APPLE__
#define MTIME(st) ((i64)(st).st_mtimespec.tv_sec * 1000000000LL + (st).st_mtimespec.tv_nsec)
#else
#define MTIME(st) ((i64)(st).st_mtim.tv_sec * 1000000000LL + (st).st_mtim.tv_nsec)
#endif

typedef struct Listing {
  Table *t;
  int rc;
  int settled;
  Folder *folders;
  int nFolder, spaceFolder;
  Day *days;
  int nDay, spaceDay;
} Listing;

i64 now_ms(void){
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (i64)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static i64 clock_ns(void){
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (i64)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* What a folder of a context may be called (layout.py). */
int safe_context(const char *name){
  size_t n = strlen(name);
  return n >= 1 && n <= CONTEXT_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static int days_before_year(int year){
  int before = year - 1;
  return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

/* The number that exactly `n` digits spell, -1 for anything else. */
static int digits(const char *text, int n){
  int i, value = 0;
  for(i = 0; i < n; i++){
    if( text[i] < '0' || text[i] > '9' ) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return text[n] ? -1 : value;
}

/* The number that a root was given by eyelet_root(), 0 for none. */
int root_number(const Space *s, const char *root){
  int i;
  for(i = 0; i < s->nGiven; i++) if( strcmp(s->given[i], root) == 0 ) return i + 1;
  return 0;
}

/* A path for people: the number of its root stands for the path of that, where it has one. NULL: no memory. */
char *shown_path(const Space *s, const char *path){
  int i;
  for(i = 0; i < s->nGiven; i++){
    size_t n = strlen(s->given[i]);
    if( strncmp(path, s->given[i], n) == 0 && (path[n] == '/' || path[n] == 0) ){
      return sqlite3_mprintf("root %d%s", i + 1, path + n);
    }
  }
  return sqlite3_mprintf("%s", path);
}

/* The context of a root under its number, which it keeps as long as the connection lives. */
int space_name(Space *s, const char *root, const char *context, const Name **out){
  int i, at = -1;
  Name *name, **more;
  char **roots;
  for(i = 0; i < s->nName; i++){
    if( strcmp(s->names[i]->context, context) == 0 && strcmp(s->names[i]->root, root) == 0 ){
      *out = s->names[i];
      return SQLITE_OK;
    }
  }
  for(i = 0; i < s->nRoot; i++) if( strcmp(s->roots[i], root) == 0 ) at = i;
  if( at < 0 ){
    roots = sqlite3_realloc64(s->roots, (u64)(s->nRoot + 1) * sizeof(*roots));
    if( roots == 0 ) return SQLITE_NOMEM;
    s->roots = roots;
    roots[s->nRoot] = sqlite3_mprintf("%s", root);
    if( roots[s->nRoot] == 0 ) return SQLITE_NOMEM;
    at = s->nRoot++;
  }
  more = sqlite3_realloc64(s->names, (u64)(s->nName + 1) * sizeof(*more));
  if( more == 0 ) return SQLITE_NOMEM;
  s->names = more;
  name = sqlite3_malloc64(sizeof(*name));
  if( name == 0 ) return SQLITE_NOMEM;
  memset(name, 0, sizeof(*name));
  name->context = sqlite3_mprintf("%s", context);
  if( name->context == 0 ){
    sqlite3_free(name);
    return SQLITE_NOMEM;
  }
  name->root = s->roots[at];
  name->at = at;
  name->nContext = (int)strlen(context);
  name->ordinal = s->nName;
  s->names[s->nName++] = name;
  *out = name;
  return SQLITE_OK;
}

/* Where the day's database is; NULL where there is no memory. */
char *day_path(const Day *day){
  return sqlite3_mprintf("%s/logs/%s/%04d/%03d/logs.sqlite", day->name->root, day->name->context, day->year, day->doy);
}

void days_free(Days *days){
  if( days && --days->nRef == 0 ){
    sqlite3_free(days->a);
    sqlite3_free(days);
  }
}

static void folders_free(Folder *folders, int n){
  int i;
  for(i = 0; i < n; i++) sqlite3_free(folders[i].path);
  sqlite3_free(folders);
}

static void forget_listing(Catalog *c){
  days_free(c->days);
  folders_free(c->folders, c->nFolder);
  c->days = 0;
  c->folders = 0;
  c->nFolder = 0;
}

void catalog_free(Catalog *c){
  int i;
  forget_listing(c);
  for(i = 0; i < c->nRoot; i++) sqlite3_free(c->roots[i]);
  for(i = 0; i < c->nContext; i++) sqlite3_free(c->contexts[i]);
  sqlite3_free(c->roots);
  sqlite3_free(c->contexts);
}

static void *room(void *a, int n, int *space, size_t size, int *rc){
  void *more;
  int wanted = *space ? *space * 2 : 16;
  if( n < *space ) return a;
  more = sqlite3_realloc64(a, (u64)wanted * size);
  if( more == 0 ){
    *rc = SQLITE_NOMEM;
    return a;
  }
  *space = wanted;
  return more;
}

/* A folder cannot be looked into: trouble of its context, and an error of the statement where it is the root, or where
** nothing is wrong with the folder. */
static void cannot_list(Listing *l, const Day *of, const char *path, int error){
  l->settled = 0;
  if( error == ENOENT || error == ENOTDIR ) return;   /* it went meanwhile */
  if( error == ENOMEM ){
    l->rc = SQLITE_NOMEM;
  }else if( of->name && error != EMFILE && error != ENFILE ){
    l->rc = trouble_note(l->t->space, 0, of, strerror(error));
  }else{
    char *shown = shown_path(l->t->space, path);
    sqlite3_free(l->t->base.zErrMsg);
    l->t->base.zErrMsg = sqlite3_mprintf("cannot list %s: %s", shown ? shown : "a root", strerror(error));
    sqlite3_free(shown);
    l->rc = SQLITE_ERROR;
  }
}

/* Remember when a folder changed; 0 where it is not there or no folder. */
static int look_at(Listing *l, const Day *of, const char *path){
  struct stat st;
  l->folders = room(l->folders, l->nFolder, &l->spaceFolder, sizeof(Folder), &l->rc);
  if( l->rc != SQLITE_OK ) return 0;
  if( stat(path, &st) != 0 ){
    cannot_list(l, of, path, errno);   /* it may come to be */
    return 0;
  }
  if( !S_ISDIR(st.st_mode) ) return 0;
  l->folders[l->nFolder].path = sqlite3_mprintf("%s", path);
  if( l->folders[l->nFolder].path == 0 ){
    l->rc = SQLITE_NOMEM;
    return 0;
  }
  l->folders[l->nFolder++].mtime = MTIME(st);
  if( MTIME(st) >= clock_ns() - SETTLED_NS ) l->settled = 0;
  return 1;
}

typedef void (*Visit)(Listing *, const Day *, const char *path, const char *name);

/* Call `visit` for every name in the folder. What cannot be looked into is noted as trouble of its context. */
static void each(Listing *l, const Day *of, const char *path, Visit visit){
  DIR *dir;
  struct dirent *one;
  if( !look_at(l, of, path) || l->rc != SQLITE_OK ) return;
  dir = opendir(path);
  if( dir == 0 ){
    cannot_list(l, of, path, errno);
    return;
  }
  if( of->name && l->t->space->troubles ) trouble_clear(l->t->space, 0, of);
  for(;;){
    errno = 0;
    one = readdir(dir);
    if( one == 0 && errno ) cannot_list(l, of, path, errno);
    if( one == 0 ) break;
    visit(l, of, path, one->d_name);
    if( l->rc != SQLITE_OK ) break;
  }
  closedir(dir);
}

static void visit_day(Listing *l, const Day *of, const char *path, const char *name){
  int doy = digits(name, 3);
  int first = days_before_year(of->year);
  Day *day;
  (void)path;
  if( doy < 1 || doy > days_before_year(of->year + 1) - first ) return;
  l->days = room(l->days, l->nDay, &l->spaceDay, sizeof(Day), &l->rc);
  if( l->rc != SQLITE_OK ) return;
  day = &l->days[l->nDay++];
  *day = *of;
  day->doy = doy;
  day->first = (i64)(first + doy - 1) * DAY_US;
}

static void visit_year(Listing *l, const Day *of, const char *path, const char *name){
  Day day = *of;
  char *folder;
  day.year = digits(name, 4);
  if( day.year < FIRST_YEAR || day.year > LAST_YEAR ) return;
  folder = sqlite3_mprintf("%s/%s", path, name);
  if( folder == 0 ){
    l->rc = SQLITE_NOMEM;
    return;
  }
  each(l, &day, folder, visit_day);
  sqlite3_free(folder);
}

static void visit_context(Listing *l, const Day *of, const char *path, const char *name){
  Day day;
  const Catalog *c = &l->t->catalog;
  int i, wanted = c->nContext == 0;
  char *folder;
  (void)of;
  for(i = 0; i < c->nContext && !wanted; i++) wanted = strcmp(c->contexts[i], name) == 0;
  if( !wanted || !safe_context(name) ) return;
  folder = sqlite3_mprintf("%s/%s", path, name);
  if( folder == 0 ){
    l->rc = SQLITE_NOMEM;
    return;
  }
  memset(&day, 0, sizeof(day));
  /* `path` is <root>/logs, and the root one of ours */
  for(i = 0; i < c->nRoot; i++){
    size_t n = strlen(c->roots[i]);
    if( strncmp(path, c->roots[i], n) == 0 && strcmp(path + n, "/logs") == 0 ) break;
  }
  l->rc = i < c->nRoot ? space_name(l->t->space, c->roots[i], name, &day.name) : SQLITE_INTERNAL;
  if( l->rc == SQLITE_OK ) each(l, &day, folder, visit_year);
  sqlite3_free(folder);
}

static int in_order(const void *a, const void *b){
  const Day *x = a, *y = b;
  int c;
  if( x->first != y->first ) return x->first < y->first ? -1 : 1;
  c = strcmp(x->name->context, y->name->context);
  return c ? c : x->name->at - y->name->at;
}

static Days *made_of(Listing *l){
  Days *days = sqlite3_malloc64(sizeof(*days));
  int i, same = 0;
  if( days == 0 ) return 0;
  days->nRef = 1;
  days->n = l->nDay;
  days->most = 0;
  days->a = l->days;
  l->days = 0;
  if( days->n ) qsort(days->a, (size_t)days->n, sizeof(Day), in_order);
  for(i = 0; i < days->n; i++){
    same = i && days->a[i].first == days->a[i - 1].first ? same + 1 : 1;
    if( same > days->most ) days->most = same;
  }
  return days;
}

static int list_all(Table *t){
  Listing l;
  Days *days;
  Day none;
  int i;
  memset(&l, 0, sizeof(l));
  memset(&none, 0, sizeof(none));
  l.t = t;
  l.settled = 1;
  for(i = 0; i < t->catalog.nRoot && l.rc == SQLITE_OK; i++){
    char *top = sqlite3_mprintf("%s/logs", t->catalog.roots[i]);
    if( top == 0 ) l.rc = SQLITE_NOMEM;
    else each(&l, &none, top, visit_context);
    sqlite3_free(top);
  }
  days = l.rc == SQLITE_OK ? made_of(&l) : 0;
  if( l.rc == SQLITE_OK && days == 0 ) l.rc = SQLITE_NOMEM;
  sqlite3_free(l.days);
  if( l.rc != SQLITE_OK || !l.settled ){
    folders_free(l.folders, l.nFolder);
    l.folders = 0;
    l.nFolder = 0;
  }
  if( l.rc == SQLITE_OK ){
    forget_listing(&t->catalog);
    t->catalog.days = days;
    t->catalog.folders = l.folders;
    t->catalog.nFolder = l.nFolder;
    t->catalog.looked = now_ms();
    pool_sweep(t->space);
  }
  return l.rc;
}

static int is_unchanged(Catalog *c){
  int i, n = c->nFolder;
  i64 now = now_ms();
  struct stat st;
  int marked = n > FEW_FOLDERS && now - c->looked < LOOK_AGAIN_MS && c->nRoot == 1;
  if( n == 0 || c->days == 0 ) return 0;
  if( marked ) n = 1;
  for(i = 0; i < n; i++){
    if( stat(c->folders[i].path, &st) != 0 || MTIME(st) != c->folders[i].mtime ) return 0;
  }
  if( !marked ) c->looked = now;
  return 1;
}

/* The days there are now; to be given back with `days_free`. An error is in the table's zErrMsg. */
int days_refresh(Table *t, Days **out){
  int rc = is_unchanged(&t->catalog) ? SQLITE_OK : list_all(t);
  if( rc != SQLITE_OK ) return rc;
  *out = t->catalog.days;
  (*out)->nRef++;
  return SQLITE_OK;
}
