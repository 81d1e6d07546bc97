/*
** One table over every day: what the files of the extension share.
**
**   module.c   the entry point, the module's arguments, the columns of a virtual table
**   days.c     which days there are, from the names of folders; no database is opened for that
**   plan.c     xBestIndex: what SQLite asks for is written down as a short text (`idxStr`), and read again
**   cursor.c   xFilter, xNext, xColumn: which days are asked, in which order, and how their rows are merged
**   stream.c   one day's statement: its SQL, its index, its values
**   choice.c   which index of the day that is
**   pool.c     the connections to days: few, kept, compared with the file before each use; interrupts
**   words.c    the text index over all days
**   values.c   comparing values as SQLite does, and the bounds that follow from them
**   trouble.c  days that could not be read, and the table that lists them
**
** Everything belongs to one connection of the host (a Space) and is only touched inside its calls, so its mutex is the
** lock of it all. All memory is SQLite's. Nothing here is written to: days are opened read-only.
*/
#ifndef EYELET_H
#define EYELET_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1
#endif
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif

#include <sqlite3ext.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#ifndef EYELET_ENTRY
SQLITE_EXTENSION_INIT3
#endif

typedef sqlite3_int64 i64;
typedef sqlite3_uint64 u64;

#define DAY_US 86400000000LL
#define FIRST_YEAR 1970
#define LAST_YEAR 2254
#define ID_BITS 53            /* an id is below 2^53, so that browsers keep it exact; the rest is the context's ordinal */
#define MAX_ORDINALS 2048     /* that many fit beside it */
#define MAX_OPEN 64           /* connections that stay open, of three files each, unless a table says how many */
#define WARM 64               /* of them, those used last, which keep what they have read; read side by side at most */
#define BUCKETS 256           /* by which a day's connection is found */
#define BUSY_MS 2000          /* how long a locked day is waited for */
#define CACHE_KIB 512         /* of each warm connection: 64 of them are 32 MiB */
#define TIMESTAMP_SLACK_US 60000000LL   /* an id may be moved on from its timestamp while taken: never by so many */

/* What opening or reading a day may end with, beside SQLite's codes: the day is noted and skipped, or is not there. */
#define DAY_BAD (-1)
#define DAY_GONE (-2)

/* A context of a root, under one number for as long as the connection lives: rowids are made of it. */
typedef struct Name {
  char *root;
  char *context;
  int nContext;
  int ordinal;
  int at;                     /* the root's place among those of the connection */
} Name;

typedef struct Day {
  i64 first;                  /* its first microsecond */
  const Name *name;
  int year, doy;
} Day;

/* The days of one moment, in order of time, context and root. Shared by those who read them; never changed. */
typedef struct Days {
  int nRef;
  int n;
  int most;                   /* how many contexts one day has, at most */
  Day *a;
} Days;

typedef struct Folder {
  char *path;
  i64 mtime;                  /* nanoseconds */
} Folder;

typedef struct Catalog {
  char **roots;
  int nRoot;
  char **contexts;            /* those alone, where there are any */
  int nContext;
  Days *days;
  Folder *folders;            /* those behind `days`, where all of them are settled */
  int nFolder;
  i64 looked;                 /* when all of them were last looked at, monotonic milliseconds */
} Catalog;

/* A prepared statement of a connection to a day, kept for the next one who asks the same. */
typedef struct Stmt {
  struct Stmt *next;
  sqlite3_stmt *stmt;
  char *sql;
  int busy;
} Stmt;

struct Table;

/* What a day has of a table's columns. */
typedef struct Shape {
  struct Shape *next;
  const struct Table *table;
  int complete;               /* nothing is missing: it need not be looked at again */
  unsigned char have[1];
} Shape;

typedef struct Identity {
  u64 dev, ino;
  i64 size, ctime;
} Identity;

/* A connection to a day. */
typedef struct Conn {
  struct Conn *next, *prev;   /* of the pool, the one used last first */
  struct Conn *same;          /* of the bucket */
  int warm;                   /* it keeps what it has read; those that do stand before the others */
  struct Space *space;
  Day day;
  sqlite3 *db;
  Identity file;
  int uses;                   /* streams that read through it */
  int stale;                  /* to be closed as soon as none does */
  i64 used;                   /* when it was last given back, monotonic milliseconds */
  Stmt *stmts;
  Shape *shapes;
  i64 waiting;                /* since when it waits for a lock */
  int busyMs;
} Conn;

typedef struct Trouble {
  struct Trouble *next;
  const Name *name;
  int year, doy;              /* 0 of a folder that could not be looked into */
  char *table;
  char *text;
} Trouble;

typedef struct Space {
  sqlite3 *db;                /* the host's connection */
  int nRef;                   /* modules and tables */
  long pid;                   /* a fork does not use what its parent opened */
  int mustTrust;              /* this SQLite reads no day whose schema is not trusted */
  Conn *first, *last;
  Conn *coolest;              /* the last of the warm ones */
  Conn *buckets[BUCKETS];
  int nConn, nWarm, maxConn;
  Name **names;
  int nName;
  char **roots;
  int nRoot;
  char **given;               /* roots that are known by their number: see eyelet_root() in module.c */
  int nGiven;
  Trouble *troubles;
  sqlite3_stmt *tick;         /* counts a little on the host's connection, so that its progress handler is called */
  i64 ticked;
  int nTable;                 /* virtual tables that are connected */
} Space;

typedef struct Column {
  char *name;
  char kind;                  /* affinity: 'i' integer, 'r' real, 't' text, 'n' numeric, 'b' none */
  const char *index;          /* the day's index that begins with it, NULL for none */
  char *declared;
} Column;

typedef struct Table {
  sqlite3_vtab base;
  Space *space;
  Catalog catalog;
  char *name;                 /* as the host calls it */
  char *inner;                /* the day's table, NULL where `sql` stands for it */
  char *sql;
  Column *columns;
  int n;
  int id;                     /* which of them is the time of the row in microseconds, -1 for none */
  int timestamp;              /* which of them is the same in seconds, -1 for none */
  int is_hooks;               /* `id` is the key, and indexes are known */
  int strict;
  int version;                /* of a text index: that of its rules; -1 of other tables */
  int busyMs, cacheKib;
} Table;

/* Columns of the virtual table: context_name, those of the day, and three that are hidden. */
#define COL_CONTEXT 0
#define COL_STRICT(t) ((t)->n + 1)
#define COL_ROOT(t) ((t)->n + 2)
#define COL_DAY(t) ((t)->n + 3)
#define INNER(t, col) ((col) >= 1 && (col) <= (t)->n)

/* A condition of the plan. `col` is the virtual table's, -1 for the rowid. */
typedef struct Term {
  char op;                    /* see plan.c */
  char exact;                 /* SQLite does not look again */
  int col;
  sqlite3_value *value;       /* a copy; of IN, NULL */
  sqlite3_value **list;       /* of IN: copies */
  int nList;
} Term;

typedef struct Order {
  int col;
  int desc;
} Order;

#define MAX_TERMS 40
#define MAX_ORDER 8

typedef struct Plan {
  u64 used;                   /* SQLite's colUsed */
  int exact;                  /* SQLite looks at no condition again */
  int nTerm;
  Term terms[MAX_TERMS];
  int nOrder;
  Order order[MAX_ORDER];
  i64 limit;                  /* rows that are wanted at most, -1 for all */
} Plan;

/* From which day on, and to which, an id may lie: inclusive. */
typedef struct Range {
  i64 low, high;
} Range;

/* What a parameter of a day's statement stands for: a value, or a text of the plan's, or a number. */
typedef struct Bind {
  sqlite3_value *value;
  char *text;                 /* its own */
  int nText;
  i64 number;
} Bind;

/* An id that is asked for by name: of any context (-1), or of that with this ordinal. */
typedef struct Pin {
  i64 id;
  int ordinal;
} Pin;

typedef struct Stream {
  const Day *day;
  Conn *conn;
  Stmt *stmt;
  i64 id;
  int counting;               /* rows without columns are given out by their number */
  i64 left, given;
} Stream;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  Days *days;
  Plan plan;
  Range ids;
  const Term *pinned;         /* the condition that names ids, NULL for none */
  Pin *pins;                  /* sorted */
  int nPin;
  const Day **asked;          /* days of this question, in the order in which they are read */
  int nAsked;
  int next;                   /* which of them comes next */
  int strict;
  int counting;               /* no column of a day is asked for, or none was so far */
  i64 left;                   /* of the limit; -1 for none */
  Bind *binds;                /* of the statement that is being made */
  int nBind, spaceBind;
  int *map;                   /* column of the day -> of its statement, -1 where it is not selected */
  Stream *streams;            /* of one day, its contexts */
  int nStream, spaceStream;
  int at;                     /* 0: the first stream's row is current; -1 at the end */
  int asked_columns;          /* what is counted is asked for after all */
} Cursor;

/* days.c */
int days_refresh(Table *t, Days **out);
void days_free(Days *days);
void catalog_free(Catalog *catalog);
char *day_path(const Day *day);
int safe_context(const char *name);
int root_number(const Space *s, const char *root);
char *shown_path(const Space *s, const char *path);
int space_name(Space *s, const char *root, const char *context, const Name **out);

/* How many days a question may read side by side: each may fill its cache. */
#define MOST_MERGED(s) ((s)->maxConn < WARM ? (s)->maxConn : WARM)

/* pool.c */
Space *space_new(sqlite3 *db);
void space_free(Space *s);
void space_release(void *s);
void pool_allow(Space *s, int wanted);
void pool_begin(Space *s);
void pool_sweep(Space *s);
void pool_forget(Space *s, const Table *t);
int conn_borrow(Table *t, const Day *day, Conn **out);
void conn_return(Conn *c, int broken, int passing);
int conn_prepare(Conn *c, const char *sql, Stmt **out);
void stmt_release(Stmt *s);
i64 now_ms(void);
int space_interrupted(Space *s);
int tick_begin(Space *s);
void tick_end(Space *s);

/* trouble.c */
int trouble_note(Space *s, const Table *t, const Day *day, const char *text);
void trouble_clear(Space *s, const Table *t, const Day *day);
void troubles_free(Space *s);
int day_error(Table *t, const Day *day, int rc, const char *text);
extern const sqlite3_module trouble_module;

/* plan.c */
int plan_best(sqlite3_vtab *tab, sqlite3_index_info *info);
int plan_read(const char *text, int argc, sqlite3_value **argv, Plan *plan);
void plan_free(Plan *plan);

/* A day's statement while it is written. */
typedef struct Writing {
  Cursor *c;
  Table *t;
  Stream *s;
  Shape *shape;
  sqlite3_str *sql;
  int rc;
  int conditions;             /* so many are written */
  int strays;                 /* there are rows of another day's time */
  int by;                     /* the column whose index is used, or one of the two below */
  int is_bounded;             /* bounds of ids cost nothing: by the index, or the order, that is used */
  int is_prefix;              /* the index is used for the beginning of a LIKE */
  int nothing;                /* the day holds no row that fits */
} Writing;
#define BY_ITSELF (-1)        /* as SQLite likes */
#define BY_TIME (-2)          /* no index but the order of the rows */

/* choice.c */
int choose_index(Writing *w);
void write_index(Writing *w);
void write_besides(Writing *w);

/* stream.c */
void binds_clear(Cursor *c);
void bind_number(Writing *w, i64 number);
void bind_text(Writing *w, char *text, int n);
int one_number(Writing *w, const char *sql, i64 *out);
void write_term(Writing *w, const Term *term);
void write_bounds(Writing *w);
int stream_open(Cursor *c, const Day *day, Stream *out);
int stream_next(Cursor *c, Stream *s);
int stream_step_into(Cursor *c, Stream *s);
void stream_close(Cursor *c, Stream *s, int broken);

/* cursor.c */
int cursor_open(sqlite3_vtab *tab, sqlite3_vtab_cursor **out);
int cursor_close(sqlite3_vtab_cursor *cur);
int cursor_filter(sqlite3_vtab_cursor *cur, int num, const char *text, int argc, sqlite3_value **argv);
int cursor_next(sqlite3_vtab_cursor *cur);
int cursor_eof(sqlite3_vtab_cursor *cur);
int cursor_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int col);
int cursor_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out);

/* words.c */
int words_open(sqlite3_vtab *tab, sqlite3_vtab_cursor **out);
int words_close(sqlite3_vtab_cursor *cur);
int words_best(sqlite3_vtab *tab, sqlite3_index_info *info);
int words_filter(sqlite3_vtab_cursor *cur, int col, const char *text, int argc, sqlite3_value **argv);
int words_next(sqlite3_vtab_cursor *cur);
int words_eof(sqlite3_vtab_cursor *cur);
int words_column(sqlite3_vtab_cursor *cur, sqlite3_context *ctx, int col);
int words_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out);

/* values.c */
int value_compare(sqlite3_value *a, sqlite3_value *b);
int value_pushable(char kind, char op, sqlite3_value *v);
int value_number(sqlite3_value *v, i64 *integer, double *real);
void range_narrow(Range *r, char op, sqlite3_value *v, double unit, i64 slack);
int prefix_of(const char *pattern, int n);

#endif
