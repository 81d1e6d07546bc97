/*
** The connections to days: read-only, few, kept for the next question, and never believed without a look at the file.
**
** They are opened by the host's own SQLite (its function table), so one SQLite a process stays true. Before a
** connection is used, the file at its path is compared with the one it was opened on, by device, inode, length and time
** of change: a removed day is not served, and one that was copied over is read anew. What is no regular file is never
** opened: SQLite would wait for ever for who writes a pipe. Nothing is written and nothing checkpointed, also at the end.
**
** What opening a day costs is its schema, which SQLite reads and parses: 0.3 ms of 0.45. So connections are kept, some
** hundreds where that is allowed. A schema weighs 80 KiB, and what was read as much as the cache may hold: only those
** used last are warm and keep that. The others hold a schema and a few statements.
**
** A long statement inside a day must end when the host's statement should. SQLite asks the inner connection's progress
** handler, which looks whether the host was interrupted, and every few milliseconds steps a small counting statement on
** the host's connection: that is as far as a progress handler there (a time limit) can be reached from here.
**
** Longer than other files, because a connection's life, from the look at its file to its end, is one set of rules.
*/
#include "eyelet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_OPS 100          /* steps of a day's statement between two looks */
#define TICK_MS 1             /* the host's progress handler is called that often */
#define IDLE_MS 60000
#define KEPT_STMTS 12
#define COLD_STMTS 4
#define LEAST_OPEN 4
#define FILES_EACH 3          /* database, WAL, shared memory */

static const char TICK[] =
  "with recursive eyelet_tick(n) as (values (1) union all select n + 1 from eyelet_tick limit 100) "
  "select 1 from eyelet_tick where n = 0";

#ifdef __APPLE__
#define CTIME(st) ((i64)(st).st_ctimespec.tv_sec * 1000000000LL + (st).st_ctimespec.tv_nsec)
#else
#define CTIME(st) ((i64)(st).st_ctim.tv_sec * 1000000000LL + (st).st_ctim.tv_nsec)
#endif

/* So many, or fewer where this process may open few files. */
static int most_open(int wanted){
  struct rlimit limit;
  i64 most = wanted;
  if( getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ){
    i64 share = (i64)(limit.rlim_cur / 8 / FILES_EACH);
    if( share < most ) most = share;
  }
  return most < LEAST_OPEN && most < wanted ? (wanted < LEAST_OPEN ? wanted : LEAST_OPEN) : (int)most;
}

/* Whether a schema that is not trusted may use json_extract in a column, as every day's does: SQLite 3.40 says no. -1 where
** there is no memory to find out. */
static int is_innocuous(sqlite3 *db){
  static const char SQL[] = "select 1 from pragma_function_list where name = 'json_extract' and builtin and flags & 0x200000";
  sqlite3_stmt *stmt = 0;
  int rc = sqlite3_prepare_v2(db, SQL, -1, &stmt, 0);
  if( rc == SQLITE_OK ) rc = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_NOMEM ? -1 : 0;
}

Space *space_new(sqlite3 *db){
  Space *s = sqlite3_malloc64(sizeof(*s));
  int innocuous;
  if( s == 0 ) return 0;
  memset(s, 0, sizeof(*s));
  s->db = db;
  s->pid = (long)getpid();
  s->maxConn = most_open(MAX_OPEN);
  innocuous = is_innocuous(db);
  if( innocuous < 0 ){
    sqlite3_free(s);
    return 0;
  }
  s->mustTrust = !innocuous;
  return s;
}

static void stmts_free(Conn *c){
  while( c->stmts ){
    Stmt *one = c->stmts;
    c->stmts = one->next;
    sqlite3_finalize(one->stmt);
    sqlite3_free(one->sql);
    sqlite3_free(one);
  }
}

static void shapes_free(Conn *c, const Table *t){
  Shape **at = &c->shapes;
  while( *at ){
    Shape *one = *at;
    if( t == 0 || one->table == t ){
      *at = one->next;
      sqlite3_free(one);
    }else{
      at = &one->next;
    }
  }
}

/* Where a day's connection is looked for. */
static Conn **bucket_of(Space *s, const Day *day){
  return &s->buckets[((u64)(day->first / DAY_US) + 61u * (u64)day->name->ordinal) % BUCKETS];
}

static void chill(Conn *c){
  Space *s = c->space;
  if( !c->warm ) return;
  if( s->coolest == c ) s->coolest = c->prev;
  c->warm = 0;
  s->nWarm--;
}

static void unlink_conn(Conn *c){
  Space *s = c->space;
  Conn **at = bucket_of(s, &c->day);
  while( *at != c ) at = &(*at)->same;
  *at = c->same;
  chill(c);
  if( c->prev ) c->prev->next = c->next; else s->first = c->next;
  if( c->next ) c->next->prev = c->prev; else s->last = c->prev;
  c->next = c->prev = 0;
  s->nConn--;
}

static void link_conn(Conn *c){
  Space *s = c->space;
  Conn **bucket = bucket_of(s, &c->day);
  c->same = *bucket;
  *bucket = c;
  c->warm = 1;
  s->nWarm++;
  if( s->coolest == 0 ) s->coolest = c;
  c->prev = 0;
  c->next = s->first;
  if( s->first ) s->first->prev = c; else s->last = c;
  s->first = c;
  s->nConn++;
}

static void conn_close(Conn *c){
  unlink_conn(c);
  stmts_free(c);
  shapes_free(c, 0);
  sqlite3_close(c->db);
  sqlite3_free(c);
}

static void close_unused(Space *s, int keep){
  Conn *c = s->last;
  while( c && s->nConn > keep ){
    Conn *before = c->prev;
    if( c->uses == 0 ) conn_close(c);
    c = before;
  }
}

void pool_allow(Space *s, int wanted){ s->maxConn = most_open(wanted); }

/* A table goes: what connections remember of it, too. */
void pool_forget(Space *s, const Table *t){
  Conn *c;
  for(c = s->first; c; c = c->next) shapes_free(c, t);
}

void space_free(Space *s){
  int i;
  sqlite3_finalize(s->tick);
  close_unused(s, 0);
  troubles_free(s);
  for(i = 0; i < s->nName; i++){
    sqlite3_free(s->names[i]->context);
    sqlite3_free(s->names[i]);
  }
  for(i = 0; i < s->nRoot; i++) sqlite3_free(s->roots[i]);
  for(i = 0; i < s->nGiven; i++) sqlite3_free(s->given[i]);
  sqlite3_free(s->names);
  sqlite3_free(s->roots);
  sqlite3_free(s->given);
  sqlite3_free(s);
}

void space_release(void *space){
  Space *s = space;
  if( --s->nRef == 0 ) space_free(s);
}

/*
** Before a statement reads: close what nobody asked for in a minute. In a fork, what the parent opened is neither used nor
** closed: SQLite's connections do not survive one, and closing their files here would be the parent's business.
*/
void pool_begin(Space *s){
  i64 now;
  if( s->pid != (long)getpid() ){
    s->first = s->last = s->coolest = 0;
    memset(s->buckets, 0, sizeof(s->buckets));
    s->nConn = s->nWarm = 0;
    s->pid = (long)getpid();
    return;
  }
  now = now_ms();
  while( s->last && s->last->uses == 0 && now - s->last->used > IDLE_MS ) conn_close(s->last);
}

/* Days were made or removed: what is open on a file that is gone is closed, or will be when nobody reads it. */
void pool_sweep(Space *s){
  Conn *c = s->first;
  while( c ){
    Conn *next = c->next;
    struct stat st;
    char *path = day_path(&c->day);
    if( path && stat(path, &st) != 0 ){
      c->stale = 1;
      if( c->uses == 0 ) conn_close(c);
    }
    sqlite3_free(path);
    c = next;
  }
}

/* The host's progress handler is called through a statement of ours; where an authorizer forbids that, a
** day's statement still ends where the host is interrupted. SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. */
int tick_begin(Space *s){
  int rc;
  if( s->tick ) return SQLITE_OK;
  rc = sqlite3_prepare_v2(s->db, TICK, -1, &s->tick, 0);
  if( rc == SQLITE_AUTH ) rc = sqlite3_prepare_v2(s->db, "select 1", -1, &s->tick, 0);   /* sees an interrupt, no handler */
  return rc == SQLITE_NOMEM || rc == SQLITE_INTERRUPT ? rc : SQLITE_OK;
}

void tick_end(Space *s){
  sqlite3_finalize(s->tick);
  s->tick = 0;
  close_unused(s, 0);
}

/* Whether the host's statement should end. */
int space_interrupted(Space *s){
  i64 now;
  int rc;
#if SQLITE_VERSION_NUMBER >= 3041000
  if( sqlite3_libversion_number() >= 3041000 && sqlite3_is_interrupted(s->db) ) return 1;
#endif
  now = now_ms();
  if( s->tick == 0 || now - s->ticked < TICK_MS ) return 0;
  s->ticked = now;
  rc = sqlite3_step(s->tick);
  sqlite3_reset(s->tick);
  return rc == SQLITE_INTERRUPT;
}

static int tick(void *conn){ return space_interrupted(((Conn *)conn)->space); }

/* SQLite waits for a lock: a little at a time, no longer than it may, and not at all when the host is interrupted. */
static int busy(void *conn, int tries){
  Conn *c = conn;
  if( tries == 0 ) c->waiting = now_ms();
  if( now_ms() - c->waiting >= c->busyMs || tick(conn) ) return 0;
  sqlite3_sleep(tries < 5 ? 1 : 5);
  return 1;
}

static void identify(const struct stat *st, Identity *out){
  out->dev = (u64)st->st_dev;
  out->ino = (u64)st->st_ino;
  out->size = (i64)st->st_size;
  out->ctime = CTIME(*st);
}

static int same_file(const Identity *a, const Identity *b){
  return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->ctime == b->ctime;
}

/* Whether there is something at path + side, and it is no regular file. 0, 1, or -1 where there is no memory. */
static int is_odd(const char *path, const char *side){
  struct stat st;
  char *one = sqlite3_mprintf("%s%s", path, side);
  int odd;
  if( one == 0 ) return -1;
  odd = lstat(one, &st) == 0 && (stat(one, &st) != 0 || !S_ISREG(st.st_mode));
  sqlite3_free(one);
  return odd;
}

static int is_there(const char *path, const char *side){
  struct stat st;
  char *one = sqlite3_mprintf("%s%s", path, side);
  int there = one == 0 || lstat(one, &st) == 0;
  sqlite3_free(one);
  return there;
}

static const char *why(int error){ return error == EACCES ? "may you look into its folder?" : strerror(error); }

/* What is at the day's path: SQLITE_OK and the file's identity, or what `day_error` says. */
static int look(Table *t, const Day *day, const char *path, Identity *out){
  struct stat st;
  if( stat(path, &st) != 0 ){
    int error = errno;
    if( (error == ENOENT || error == ENOTDIR) && lstat(path, &st) != 0 ) return DAY_GONE;
    return day_error(t, day, SQLITE_CANTOPEN, error == ENOENT ? "it is a link to nothing" : why(error));
  }
  if( !S_ISREG(st.st_mode) ) return day_error(t, day, SQLITE_CANTOPEN, "it is no file: move it away");
  identify(&st, out);
  return SQLITE_OK;
}

/*
** Whether the journal beside it ends with the name of another file. SQLite before 3.50 or so removes whatever file that is
** when it takes the journal back; only a transaction over several attached databases leaves one, and nobody makes that on
** a day. (Format: https://www.sqlite.org/fileformat2.html#the_rollback_journal, and readSuperJournal in pager.c.)
*/
static int names_another(const char *path){
  static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
  unsigned char last[8];
  struct stat st;
  char *journal = sqlite3_mprintf("%s-journal", path);
  int file, names;
  if( journal == 0 ) return -1;
  file = open(journal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  sqlite3_free(journal);
  if( file < 0 ) return 0;
  names = fstat(file, &st) == 0 && st.st_size > 16 && pread(file, last, 8, st.st_size - 8) == 8 &&
          memcmp(last, magic, 8) == 0;
  close(file);
  return names;
}

/* What SQLite would open beside it. As `look`. */
static int look_beside(Table *t, const Day *day, const char *path){
  static const char *const sides[] = {"-wal", "-shm", "-journal"};
  size_t i;
  int odd = 0;
  for(i = 0; i < sizeof(sides) / sizeof(sides[0]) && odd == 0; i++) odd = is_odd(path, sides[i]);
  if( odd == 0 && (odd = names_another(path)) > 0 ){
    return day_error(t, day, SQLITE_CANTOPEN, "its -journal names another file: move it away");
  }
  if( odd < 0 ) return SQLITE_NOMEM;
  return odd ? day_error(t, day, SQLITE_CANTOPEN, "its -wal, -shm or -journal is no file: move it away") : SQLITE_OK;
}

static int is_out_of_files(sqlite3 *db){
  int error = db ? sqlite3_system_errno(db) : 0;
  return error == EMFILE || error == ENFILE;
}

/* The path as a URI that is read as it stands; for a file in a folder where no WAL can be made. */
static char *as_it_stands(const char *path){
  sqlite3_str *uri = sqlite3_str_new(0);
  sqlite3_str_appendall(uri, "file://");
  for(; *path; path++){
    if( *path == '%' || *path == '?' || *path == '#' ) sqlite3_str_appendf(uri, "%%%02x", (unsigned char)*path);
    else sqlite3_str_appendchar(uri, 1, *path);
  }
  sqlite3_str_appendall(uri, "?immutable=1");
  return sqlite3_str_finish(uri);
}

static int configure(Conn *c, int cacheKib){
  /* QPSG: else a statement is made anew for every value that is bound to it, to look it up in statistics: 40 us a day. */
  static const int on[] = {SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, SQLITE_DBCONFIG_ENABLE_QPSG};
  static const int off[] = {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_ENABLE_TRIGGER,
                            SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION};
  char pragmas[120];
  size_t i;
  for(i = 0; i < sizeof(on) / sizeof(on[0]); i++) sqlite3_db_config(c->db, on[i], 1, (int *)0);
  for(i = 0; i < sizeof(off) / sizeof(off[0]); i++) sqlite3_db_config(c->db, off[i], 0, (int *)0);
  if( !c->space->mustTrust ) sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
  sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, sqlite3_limit(c->space->db, SQLITE_LIMIT_LENGTH, -1));
  sqlite3_busy_handler(c->db, busy, c);
  sqlite3_progress_handler(c->db, TICK_OPS, tick, c);
  sqlite3_snprintf((int)sizeof(pragmas), pragmas, "pragma query_only=1; pragma mmap_size=0; pragma cache_size=-%d;", cacheKib);
  return sqlite3_exec(c->db, pragmas, 0, 0, 0);
}

static const char UTF_16[] = "its texts are in UTF-16: it is another program's";

/* A database in UTF-16 is another program's, and keeps its texts in another order. */
static int is_utf8(void *none, int n, char **values, char **names){
  (void)none;
  return n == 1 && strcmp(names[0], "encoding") == 0 && values[0] && strcmp(values[0], "UTF-8") != 0;
}

static int open_as(Conn *c, const char *name, int flags, int cacheKib){
  int rc;
  sqlite3_close(c->db);
  c->db = 0;
  rc = sqlite3_open_v2(name, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, 0);
  if( rc != SQLITE_OK ) return rc;
  sqlite3_extended_result_codes(c->db, 1);
  rc = configure(c, cacheKib);
  /* the first read: finds out whether it is a database, and readable here */
  return rc == SQLITE_OK ? sqlite3_exec(c->db, "select count(*) from sqlite_master; pragma encoding", is_utf8, 0, 0) : rc;
}

/* As store/connect.py: read-only; where a writer died in the middle with a journal, so that it can be taken back; and
** as it stands, where the folder forbids the files of a WAL and there is none. */
static int open_file(Conn *c, const char *path, int cacheKib){
  int rc = open_as(c, path, SQLITE_OPEN_READONLY, cacheKib), kind = rc & 0xff;
  if( kind != SQLITE_CANTOPEN && kind != SQLITE_READONLY && kind != SQLITE_IOERR ) return rc;
  if( rc == SQLITE_IOERR_NOMEM || is_out_of_files(c->db) ) return rc;
  if( is_there(path, "-journal") ) return open_as(c, path, SQLITE_OPEN_READWRITE, cacheKib);
  if( !is_there(path, "-wal") ){
    char *uri = as_it_stands(path);
    if( uri == 0 ) return SQLITE_NOMEM;
    rc = open_as(c, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, cacheKib);
    sqlite3_free(uri);
  }
  return rc;
}

static int open_day(Table *t, const Day *day, const char *path, const Identity *file, Conn **out){
  Space *s = t->space;
  Conn *c = sqlite3_malloc64(sizeof(*c));
  int rc;
  if( c == 0 ) return SQLITE_NOMEM;
  memset(c, 0, sizeof(*c));
  c->space = s;
  c->day = *day;
  c->file = *file;
  c->busyMs = t->busyMs;
  rc = open_file(c, path, t->cacheKib);
  if( rc != SQLITE_OK && is_out_of_files(c->db) && s->nConn ){
    close_unused(s, 0);
    rc = open_file(c, path, t->cacheKib);
  }
  if( rc == SQLITE_OK ){
    link_conn(c);
    *out = c;
    return SQLITE_OK;
  }
  if( is_out_of_files(c->db) ){
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("too many files are open: raise the limit (ulimit -n), or close some");
    rc = SQLITE_ERROR;
  }else{
    rc = day_error(t, day, rc, rc == SQLITE_ABORT ? UTF_16 : c->db ? sqlite3_errmsg(c->db) : 0);
  }
  sqlite3_close(c->db);
  sqlite3_free(c);
  return rc;
}

/* The connection to this day, where there is one on the file that is there; others are closed as soon as they can be. */
static Conn *find(Space *s, const Day *day, const Identity *file){
  Conn *c = *bucket_of(s, day);
  while( c ){
    Conn *next = c->same;
    if( c->day.name == day->name && c->day.first == day->first && !c->stale ){
      if( file && same_file(&c->file, file) ) return c;
      c->stale = 1;
      if( c->uses == 0 ) conn_close(c);
    }
    c = next;
  }
  return 0;
}

/* A connection to the day's database, to be given back. SQLITE_OK; DAY_GONE, DAY_BAD; or an error of the statement. */
int conn_borrow(Table *t, const Day *day, Conn **out){
  Space *s = t->space;
  Identity file;
  Conn *c = 0;
  char *path = day_path(day);
  int rc = path ? look(t, day, path, &file) : SQLITE_NOMEM;
  *out = 0;
  if( rc == SQLITE_OK || rc == DAY_GONE || rc == DAY_BAD ) c = find(s, day, rc == SQLITE_OK ? &file : 0);
  if( rc == SQLITE_OK ) rc = tick_begin(s);
  if( rc == SQLITE_OK && c == 0 ){
    close_unused(s, s->maxConn > 1 ? s->maxConn - 1 : 1);
    rc = look_beside(t, day, path);
    if( rc == SQLITE_OK ) rc = open_day(t, day, path, &file, &c);
  }
  sqlite3_free(path);
  if( rc != SQLITE_OK ) return rc;
  if( s->first != c ){
    unlink_conn(c);
    link_conn(c);
  }
  c->uses++;
  *out = c;
  return SQLITE_OK;
}

static void trim_stmts(Conn *c, int most){
  Stmt **at = &c->stmts;
  int n = 0;
  while( *at ){
    Stmt *one = *at;
    if( ++n > most && !one->busy ){
      *at = one->next;
      sqlite3_finalize(one->stmt);
      sqlite3_free(one->sql);
      sqlite3_free(one);
    }else{
      at = &one->next;
    }
  }
}

/* No more are warm than may be; those that are read stay so until they are given back. */
static void cool(Space *s){
  while( s->nWarm > WARM && s->coolest->uses == 0 ){
    Conn *c = s->coolest;
    chill(c);
    trim_stmts(c, COLD_STMTS);
    sqlite3_db_release_memory(c->db);
  }
}

/* `broken`: it is not used again. `passing`: one of more than may be kept, met in turn; it goes rather than another. */
void conn_return(Conn *c, int broken, int passing){
  Space *s = c->space;
  if( broken ) c->stale = 1;
  c->used = now_ms();
  if( --c->uses == 0 && (c->stale || (passing && s->nConn >= s->maxConn)) ) conn_close(c);
  cool(s);
}

/* The statement of this text, prepared or met again; nobody else's until it is released. */
int conn_prepare(Conn *c, const char *sql, Stmt **out){
  Stmt *one;
  int rc;
  for(one = c->stmts; one; one = one->next){
    if( !one->busy && strcmp(one->sql, sql) == 0 ){
      one->busy = 1;
      *out = one;
      return SQLITE_OK;
    }
  }
  one = sqlite3_malloc64(sizeof(*one));
  if( one == 0 ) return SQLITE_NOMEM;
  memset(one, 0, sizeof(*one));
  one->sql = sqlite3_mprintf("%s", sql);
  rc = one->sql ? sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &one->stmt, 0) : SQLITE_NOMEM;
  if( rc != SQLITE_OK ){
    sqlite3_finalize(one->stmt);
    sqlite3_free(one->sql);
    sqlite3_free(one);
    return rc;
  }
  one->busy = 1;
  one->next = c->stmts;
  c->stmts = one;
  trim_stmts(c, KEPT_STMTS);
  *out = one;
  return SQLITE_OK;
}

/* Its values are unbound: they may be long. */
void stmt_release(Stmt *s){
  sqlite3_reset(s->stmt);
  sqlite3_clear_bindings(s->stmt);
  s->busy = 0;
}
