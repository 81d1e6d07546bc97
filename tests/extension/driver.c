/* Runs statements on the virtual table in a process of C, where sanitizers, valgrind and failing allocations can look on.
**
**     driver EXTENSION compare|threads|oom|own N < lines
**
** Every line is `virtual SQL` (sets up the connection with the virtual table), `plain SQL` (the one with an ordinary table
** of the same rows), or `rows SQL`, `order SQL`, `some SQL`: a question, and how its answers compare (in any order,
** exactly, in number). What is wrong is a line on stdout; the last line is `done`, with how much was looked at.
**
**     compare   each question once, on both connections; N is ignored
**     threads   N threads, each with a connection of its own, ask everything; all have the answers of the first
**     oom       each question again and again, each time with the next allocation of SQLite's failing, once and then from
**               there on; every N-th allocation. Nothing but "out of memory" may come of it, or the right answer; nothing
**               may stay allocated; and the connection must answer rightly afterwards.
**     own       the same, but of those alone that the extension asked for itself, or nearly: that are few enough for all
*/
#include <dlfcn.h>
#include <execinfo.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES 200000

typedef struct Line { char kind; char *sql; } Line;
typedef struct Answer { int rc; long rows; uint64_t ordered, any_order; char error[200]; } Answer;

static Line lines[MOST_LINES];
static int line_count;
static const char *extension;
static long looked_at, wrongs;

/* ---- allocations that fail: `fail_at` counts down to the one that does; `fail_on` goes on failing from there. */
static sqlite3_mem_methods real;
static long fail_at = -1, allocations;
static int fail_on, failed;

/* While it notes them: which allocations the extension asked for, itself or SQLite for what it had just been asked. */
#define MOST_OWN 100000
static long own[MOST_OWN], own_count;
static int notes_own;
static uintptr_t loaded_at, loaded_to;

static int is_own(void)
{
	void *callers[10];
	for (int i = backtrace(callers, 10) - 1; i > 1; i--)
		if ((uintptr_t)callers[i] >= loaded_at && (uintptr_t)callers[i] < loaded_to) return 1;
	return 0;
}

/* Of each library of the process: how far the one reaches that begins at `loaded_at`. */
static int measured(struct dl_phdr_info *library, size_t size, void *none)
{
	(void)size, (void)none;
	for (int i = 0; library->dlpi_addr == loaded_at && i < library->dlpi_phnum; i++) {
		uintptr_t end = loaded_at + library->dlpi_phdr[i].p_vaddr + library->dlpi_phdr[i].p_memsz;
		if (library->dlpi_phdr[i].p_type == PT_LOAD && end > loaded_to) loaded_to = end;
	}
	return 0;
}

static int fails(void)
{
	allocations++;
	if (notes_own && own_count < MOST_OWN && is_own()) own[own_count++] = allocations;
	if (fail_at < 0) return 0;
	if (fail_at > 0 && --fail_at > 0) return 0;
	if (failed && !fail_on) return 0;
	failed = 1;
	return 1;
}
static void *failing_malloc(int size) { return fails() ? NULL : real.xMalloc(size); }
static void *failing_realloc(void *at, int size) { return fails() ? NULL : real.xRealloc(at, size); }

static void wrong(const char *what, const char *sql, const char *detail)
{
	wrongs++;
	printf("%s: %s\n    %s\n", what, detail, sql);
	fflush(stdout);
}

/* ---- answers, as numbers: 1 and 1.0 count as one value, as they do for whoever compares rows. */
static uint64_t mixed(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < length; i++) hash = (hash ^ at[i]) * 1099511628211u;
	return hash;
}

static uint64_t hash_of_row(sqlite3_stmt *statement)
{
	uint64_t hash = 14695981039346656037u;
	for (int i = 0; i < sqlite3_column_count(statement); i++) {
		int type = sqlite3_column_type(statement, i);
		double number = 0.0;
		if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
			sqlite3_int64 whole = sqlite3_column_int64(statement, i);
			number = sqlite3_column_double(statement, i) + 0.0;
			hash = mixed(hash, "n", 1);
			hash = mixed(hash, &number, sizeof number);
			if (type == SQLITE_INTEGER && ((whole >> 53) + 1) >> 1) hash = mixed(hash, &whole, sizeof whole);
		} else if (type != SQLITE_NULL) {
			const void *bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(statement, i)
			                                        : sqlite3_column_blob(statement, i);
			int length = sqlite3_column_bytes(statement, i);
			hash = mixed(hash, type == SQLITE_TEXT ? "t" : "b", 1);
			if (bytes) hash = mixed(hash, bytes, (size_t)length);
		}
		hash = mixed(hash, "|", 1);
	}
	return hash;
}

static Answer asked(sqlite3 *db, const char *sql)
{
	Answer answer = {0};
	sqlite3_stmt *statement = NULL;
	answer.rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	while (answer.rc == SQLITE_OK || answer.rc == SQLITE_ROW) {
		answer.rc = sqlite3_step(statement);
		if (answer.rc != SQLITE_ROW) break;
		uint64_t hash = hash_of_row(statement);
		answer.rows++;
		answer.any_order += hash * (hash | 1);
		answer.ordered = answer.ordered * 31 + hash;
	}
	if (answer.rc == SQLITE_DONE) answer.rc = SQLITE_OK;
	if (answer.rc) snprintf(answer.error, sizeof answer.error, "%d %s", answer.rc, sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	return answer;
}

static int same(char kind, const Answer *one, const Answer *two)
{
	if (one->rc || two->rc) return one->rc && two->rc;
	if (one->rows != two->rows) return 0;
	return kind == 's' || (kind == 'o' ? one->ordered == two->ordered : one->any_order == two->any_order);
}

/* ---- connections. The virtual one loads the extension as a program does. */
static int opened(sqlite3 **db, char kind)
{
	char *said = NULL;
	int rc = sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (!rc) sqlite3_extended_result_codes(*db, 1);
	if (!rc && kind == 'v') {
		sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
		rc = sqlite3_load_extension(*db, extension, NULL, &said);
	}
	for (int i = 0; !rc && i < line_count; i++)
		if (lines[i].kind == kind) rc = sqlite3_exec(*db, lines[i].sql, NULL, NULL, &said);
	if (rc && !failed) fprintf(stderr, "set-up: %d %s\n", rc, said ? said : sqlite3_errmsg(*db));
	sqlite3_free(said);
	return rc;
}

static sqlite3 *must_open(char kind)
{
	sqlite3 *db = NULL;
	if (opened(&db, kind)) exit(2);
	return db;
}

static void closed(sqlite3 *db)
{
	if (sqlite3_close(db) != SQLITE_OK) wrong("close", "", sqlite3_errmsg(db));
}

static void compare(void)
{
	sqlite3 *virtual = must_open('v'), *plain = must_open('p');
	for (int i = 0; i < line_count; i++) {
		if (strchr("vp", lines[i].kind)) continue;
		Answer mine = asked(virtual, lines[i].sql), theirs = asked(plain, lines[i].sql);
		char detail[600];
		looked_at++;
		snprintf(detail, sizeof detail, "%ld rows (%s) and not %ld (%s)", mine.rows, mine.error, theirs.rows, theirs.error);
		if (!same(lines[i].kind, &mine, &theirs)) wrong("difference", lines[i].sql, detail);
	}
	closed(virtual);
	closed(plain);
}

/* ---- threads */
static Answer *expected;
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void *one_thread(void *number)
{
	sqlite3 *db = must_open('v');
	int start = (int)(intptr_t)number * 7;
	for (int j = 0; j < line_count; j++) {
		int i = (start + j) % line_count;
		if (strchr("vp", lines[i].kind)) continue;
		Answer answer = asked(db, lines[i].sql);
		pthread_mutex_lock(&printing);
		looked_at++;
		if (!same(lines[i].kind, &answer, &expected[i])) wrong("in a thread", lines[i].sql, answer.error);
		pthread_mutex_unlock(&printing);
	}
	closed(db);
	return NULL;
}

static void threads(int count)
{
	pthread_t *started = calloc((size_t)count, sizeof *started);
	sqlite3 *db = must_open('v');
	expected = calloc((size_t)line_count, sizeof *expected);
	for (int i = 0; i < line_count; i++)
		if (!strchr("vp", lines[i].kind)) expected[i] = asked(db, lines[i].sql);
	closed(db);
	for (int i = 0; i < count; i++)
		if (pthread_create(&started[i], NULL, one_thread, (void *)(intptr_t)i)) exit(2);
	for (int i = 0; i < count; i++) pthread_join(started[i], NULL);
	free(started);
	free(expected);
}

/* ---- out of memory */
static int is_nomem(int rc) { return (rc & 0xff) == SQLITE_NOMEM || rc == (SQLITE_IOERR | (12 << 8)); }

static int try_once(const Line *line, const Answer *right, long at, int goes_on)
{
	sqlite3 *db = NULL;
	sqlite3_int64 before = sqlite3_memory_used();
	char detail[400];
	allocations = failed = 0;
	fail_on = goes_on;
	fail_at = at;
	int rc = opened(&db, 'v'), was_open = rc == 0;
	Answer answer = {.rc = rc};
	if (was_open) answer = asked(db, line->sql);
	fail_at = -1, notes_own = 0;
	int met = failed;
	failed = 0;
	snprintf(detail, sizeof detail, "allocation %ld%s: %ld rows of %ld, %s", at, goes_on ? " and on" : "", answer.rows,
	         right->rows, answer.error);
	if (was_open && answer.rc && !is_nomem(answer.rc)) wrong("another error than out of memory", line->sql, detail);
	if (was_open && !answer.rc && !same(line->kind, &answer, right)) wrong("a wrong answer", line->sql, detail);
	if (was_open) {
		Answer again = asked(db, line->sql);
		snprintf(detail, sizeof detail, "allocation %ld%s: %s", at, goes_on ? " and on" : "", again.error);
		if (!same(line->kind, &again, right) || again.rc) wrong("it does not answer afterwards", line->sql, detail);
	}
	closed(db);
	if (sqlite3_memory_used() > before) {
		snprintf(detail, sizeof detail, "allocation %ld%s: %lld bytes", at, goes_on ? " and on" : "",
		         (long long)(sqlite3_memory_used() - before));
		wrong("memory stays allocated", line->sql, detail);
	}
	looked_at++;
	return met;
}

static void out_of_memory(long step, int own_alone)
{
	for (int i = 0; i < line_count && wrongs < 20; i++) {
		if (strchr("vp", lines[i].kind)) continue;
		sqlite3 *db = must_open('v');
		Answer right = asked(db, lines[i].sql);
		closed(db);
		if (right.rc) {
			wrong("no answer at all", lines[i].sql, right.error);
			continue;
		}
		if (own_alone) {
			own_count = 0;
			notes_own = 1;
			try_once(&lines[i], &right, LONG_MAX, 0);
		}
		for (int goes_on = 0; goes_on < 2; goes_on++)
			for (long at = 1 + i % step; wrongs < 20; at += step)
				if (own_alone ? at > own_count || (try_once(&lines[i], &right, own[at - 1], goes_on), 0)
				              : !try_once(&lines[i], &right, at, goes_on))
					break;
	}
}

static void read_lines(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	while ((length = getline(&line, &size, stdin)) > 0 && line_count < MOST_LINES) {
		char *space = strchr(line, ' ');
		if (!space) continue;
		if (line[length - 1] == '\n') line[length - 1] = 0;
		lines[line_count].kind = line[0];
		lines[line_count++].sql = strdup(space + 1);
	}
	free(line);
}

int main(int count, char **given)
{
	if (count != 4) return 2;
	extension = given[1];
	int number = atoi(given[3]);
	int own_alone = !strcmp(given[2], "own");
	if (own_alone) {
		void *library = dlopen(extension, RTLD_NOW), *entry = library ? dlsym(library, "sqlite3_eyelet_init") : NULL;
		Dl_info one;
		if (!entry || !dladdr(entry, &one)) return 2;
		loaded_at = (uintptr_t)one.dli_fbase; /* it stays, so that it does not come to lie elsewhere */
		dl_iterate_phdr(measured, NULL);
	}
	if (own_alone || !strcmp(given[2], "oom")) {
		sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
		sqlite3_mem_methods failing = real;
		failing.xMalloc = failing_malloc;
		failing.xRealloc = failing_realloc;
		sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
		sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* every allocation may fail */
		sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	}
	sqlite3_initialize();
	read_lines();
	if (!strcmp(given[2], "compare")) compare();
	if (!strcmp(given[2], "threads")) threads(number);
	if (own_alone || !strcmp(given[2], "oom")) out_of_memory(number, own_alone);
	for (int i = 0; i < line_count; i++) free(lines[i].sql);
	printf("done %ld %ld\n", looked_at, wrongs);
	return wrongs != 0;
}
