/* State in SQLite: DIR/state.db, and DIR/lock held by flock.
 *
 * One table of rows keyed by (kind, key), one of events, one of numbers (schema, term). A commit is
 * one IMMEDIATE transaction with synchronous=FULL: WAL frames are fsynced before COMMIT returns.
 *
 * Opening writes the WAL again, byte for byte, and syncs it, before anything is built on it: after
 * a failed fsync the kernel may hold pages that the disk never got and that no later fsync writes.
 * A process that found them there and committed behind them would lose its commits to a power cut,
 * because recovery ends at the first frame that is missing. A checkpoint is no cure: cut short, it
 * leaves new pages in the database behind old frames that hide some of them (ADR-0030).
 * See: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous
 */
#include "scheduler/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/fs.h"

#define PATH_BYTES 4096
#define BUSY_MS 5000

#define WAL_PIECE 65536 /* bytes */

enum statement { ST_PUT, ST_DELETE, ST_EVENT, ST_FORGET, ST_COUNT };

static const char *const STATEMENTS[ST_COUNT] = {
    [ST_PUT] = "INSERT OR REPLACE INTO rows(kind, key, data) VALUES(?1, ?2, ?3)",
    [ST_DELETE] = "DELETE FROM rows WHERE kind = ?1 AND key = ?2",
    [ST_EVENT] = "INSERT INTO events(seq, job, type, json, unix_ms) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ST_FORGET] = "DELETE FROM events WHERE job = ?1",
};

static const char SCHEMA[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rows(kind INTEGER NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, job TEXT NOT NULL, type TEXT NOT NULL,"
    " json TEXT NOT NULL, unix_ms INTEGER NOT NULL);"
    "CREATE INDEX events_by_job ON events(job, seq);"
    "INSERT INTO meta VALUES('schema', 1), ('term', 0);";

struct gm_state {
    int lock;                   /* owned descriptor */
    sqlite3 *db;                /* owned: commits */
    sqlite3 *reader;            /* owned: events */
    sqlite3_stmt *st[ST_COUNT]; /* owned, of db */
    sqlite3_stmt *events;       /* owned, of reader */
    uint64_t term;
    int64_t last_event;
};

static int db_err(struct gm_err *err, sqlite3 *db, const char *what)
{
    int code = db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    const char *text = db != NULL ? sqlite3_errmsg(db) : "out of memory";
    enum gm_code as = GM_E_SYS;
    if ((code & 0xff) == SQLITE_FULL) {
        as = GM_E_NO_SCRATCH;
    } else if ((code & 0xff) == SQLITE_NOMEM) {
        as = GM_E_NOMEM;
    }
    return gm_err_set(err, as, code, "state database: could not %s: %s", what, text);
}

/* What a file's own methods answered: the connection does not know of it. */
static int file_err(struct gm_err *err, int code)
{
    return gm_err_set(err, (code & 0xff) == SQLITE_FULL ? GM_E_NO_SCRATCH : GM_E_SYS, code,
                      "state database: could not write its log again: %s", sqlite3_errstr(code));
}

static int exec(sqlite3 *db, const char *sql, const char *what, struct gm_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_err(err, db, what);
}

/* The number that sql selects; `missing` where it selects nothing. */
static int number(sqlite3 *db, const char *sql, int64_t missing, int64_t *out, struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        return db_err(err, db, "read a number");
    }
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
    } else if (step == SQLITE_DONE) {
        *out = missing;
    } else {
        rc = db_err(err, db, "read a number");
    }
    (void)sqlite3_finalize(st);
    return rc;
}

static int connect_to(const char *folder, sqlite3 **out, struct gm_err *err)
{
    char path[PATH_BYTES];
    int rc = gm_fs_path(path, sizeof path, err, "%s/state.db", folder);
    if (rc < 0) {
        return rc;
    }
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        return db_err(err, *out, "open the file");
    }
    (void)sqlite3_extended_result_codes(*out, 1);
    (void)sqlite3_busy_timeout(*out, BUSY_MS);
    if (sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK) {
        return db_err(err, *out, "set it up");
    }
    return exec(*out,
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
                "set it up", err);
}

static int write_again(sqlite3_file *wal)
{
    static const sqlite3_int64 piece = WAL_PIECE;
    sqlite3_int64 size = 0;
    void *data = sqlite3_malloc(WAL_PIECE);
    int code = data == NULL ? SQLITE_NOMEM : wal->pMethods->xFileSize(wal, &size);
    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += piece) {
        int count = (int)(size - at < piece ? size - at : piece);
        code = wal->pMethods->xRead(wal, data, count, at);
        if (code == SQLITE_OK) {
            code = wal->pMethods->xWrite(wal, data, count, at);
        }
    }
    sqlite3_free(data);
    return code == SQLITE_OK && size > 0 ? wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) : code;
}

/* Puts the WAL on the disk as the cache has it. The transaction opens it, and keeps others from
 * writing to it. Until that is done closing leaves the WAL alone: a checkpoint would be built on it
 * (connect_to). */
static int settle_wal(sqlite3 *db, struct gm_err *err)
{
    sqlite3_file *wal = NULL;
    int rc = exec(db, "BEGIN IMMEDIATE", "begin", err);
    if (rc < 0) {
        return rc;
    }
    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal);
    if (code == SQLITE_OK && (wal == NULL || wal->pMethods == NULL)) {
        code = SQLITE_CANTOPEN; /* it keeps no WAL */
    }
    if (code == SQLITE_OK) {
        code = write_again(wal);
    }
    if (code != SQLITE_OK) {
        return file_err(err, code);
    }
    rc = exec(db, "COMMIT", "end", err);
    if (rc == 0 && sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL) != SQLITE_OK) {
        rc = db_err(err, db, "set it up");
    }
    return rc;
}

static int check_schema(struct gm_state *s, struct gm_err *err)
{
    int64_t tables = 0;
    int rc =
        number(s->db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", 0, &tables, err);
    if (rc == 0 && tables == 0) {
        rc = exec(s->db, "BEGIN IMMEDIATE", "begin", err);
        if (rc == 0) {
            rc = exec(s->db, SCHEMA, "make the tables", err);
        }
        return rc < 0 ? rc : exec(s->db, "COMMIT", "make the tables", err);
    }
    int64_t schema = 0;
    if (rc == 0) {
        rc = number(s->db, "SELECT value FROM meta WHERE name = 'schema'", 0, &schema, err);
    }
    if (rc == 0 && schema != GM_STATE_SCHEMA) {
        rc =
            gm_err_set(err, GM_E_CONFLICT, schema,
                       "the state folder has schema %lld, this program reads %d; start the version "
                       "that wrote it",
                       (long long)schema, GM_STATE_SCHEMA);
    }
    return rc;
}

static int raise_term(struct gm_state *s, struct gm_err *err)
{
    int64_t term = 0;
    int rc =
        exec(s->db, "UPDATE meta SET value = value + 1 WHERE name = 'term'", "raise the term", err);
    if (rc == 0) {
        rc = number(s->db, "SELECT value FROM meta WHERE name = 'term'", 0, &term, err);
    }
    if (rc == 0) {
        rc = number(s->db, "SELECT max(seq) FROM events", 0, &s->last_event, err);
    }
    if (rc == 0 && term <= 0) {
        rc = gm_err_set(err, GM_E_SYS, 0, "state database: it holds no term");
    }
    s->term = (uint64_t)term;
    return rc;
}

static int prepare(struct gm_state *s, struct gm_err *err)
{
    for (int i = 0; i < ST_COUNT; i++) {
        if (sqlite3_prepare_v3(s->db, STATEMENTS[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i],
                               NULL) != SQLITE_OK) {
            return db_err(err, s->db, "prepare a statement");
        }
    }
    if (sqlite3_prepare_v3(s->reader,
                           "SELECT seq, job, type, json, unix_ms FROM events "
                           "WHERE job = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                           -1, SQLITE_PREPARE_PERSISTENT, &s->events, NULL) != SQLITE_OK) {
        return db_err(err, s->reader, "prepare a statement");
    }
    return 0;
}

int gm_state_open(const char *folder, struct gm_state **out, struct gm_err *err)
{
    struct gm_state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->lock = -1;
    int rc = gm_fs_mkdirs(folder, err);
    if (rc == 0) {
        rc = gm_fs_lock(folder, "scheduler", &s->lock, err);
    }
    if (rc == 0) {
        rc = connect_to(folder, &s->db, err);
    }
    if (rc == 0) {
        rc = settle_wal(s->db, err);
    }
    if (rc == 0) {
        GM_CRASH("state.settled");
        rc = check_schema(s, err);
    }
    if (rc == 0) {
        rc = raise_term(s, err);
    }
    GM_CRASH("state.term_raised");
    if (rc == 0) {
        rc = connect_to(folder, &s->reader, err);
    }
    if (rc == 0) {
        rc = prepare(s, err);
    }
    if (rc < 0) {
        gm_state_close(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_state_close(struct gm_state **state)
{
    struct gm_state *s = *state;
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < ST_COUNT; i++) {
        (void)sqlite3_finalize(s->st[i]);
    }
    (void)sqlite3_finalize(s->events);
    (void)sqlite3_close(s->reader);
    (void)sqlite3_close(s->db);
    if (s->lock >= 0) {
        (void)close(s->lock);
    }
    free(s);
    *state = NULL;
}

uint64_t gm_state_term(const struct gm_state *state)
{
    return state->term;
}

int gm_state_lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                   struct gm_err *err)
{
    char sql[96];
    int64_t before = 0;
    int rc = number(state->db, "SELECT value FROM meta WHERE name = 'lease_ms'", 0, &before, err);
    if (rc == 0) {
        (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('lease_ms', %u)",
                       lease_ms);
        rc = exec(state->db, sql, "keep how long leases last", err);
    }
    if (rc == 0) {
        *out_before = before > 0 && before <= UINT32_MAX ? (uint32_t)before : 0;
    }
    return rc;
}

int64_t gm_state_last_event(const struct gm_state *state)
{
    return state->last_event;
}

int gm_state_load(struct gm_state *state,
                  int (*fn)(enum gm_row_kind kind, const char *key, const void *data, size_t size,
                            void *arg, struct gm_err *err),
                  void *arg, struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = 0;
    if (sqlite3_prepare_v2(state->db, "SELECT kind, key, data FROM rows ORDER BY kind, key", -1,
                           &st, NULL) != SQLITE_OK) {
        return db_err(err, state->db, "read the rows");
    }
    for (;;) {
        int step = sqlite3_step(st);
        if (step == SQLITE_DONE) {
            break;
        }
        if (step != SQLITE_ROW) {
            rc = db_err(err, state->db, "read the rows");
            break;
        }
        const char *key = (const char *)sqlite3_column_text(st, 1);
        const void *data = sqlite3_column_blob(st, 2);
        int size = sqlite3_column_bytes(st, 2);
        if (key == NULL || (data == NULL && size > 0)) {
            rc = gm_err_nomem(err);
            break;
        }
        rc = fn((enum gm_row_kind)sqlite3_column_int(st, 0), key, data != NULL ? data : "",
                (size_t)size, arg, err);
        if (rc != 0) {
            break;
        }
    }
    (void)sqlite3_finalize(st);
    return rc;
}

/* One statement, bound by the caller, to its end; left ready for the next use. */
static int run(struct gm_state *s, enum statement which, int bound, const char *what,
               struct gm_err *err)
{
    int rc = 0;
    if (bound != SQLITE_OK || sqlite3_step(s->st[which]) != SQLITE_DONE) {
        rc = db_err(err, s->db, what);
    }
    (void)sqlite3_reset(s->st[which]);
    (void)sqlite3_clear_bindings(s->st[which]);
    return rc;
}

static int store_row(struct gm_state *s, const struct gm_row *row, struct gm_err *err)
{
    enum statement which = row->data != NULL ? ST_PUT : ST_DELETE;
    sqlite3_stmt *st = s->st[which];
    int bound = sqlite3_bind_int(st, 1, (int)row->kind);
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_text(st, 2, row->key, -1, SQLITE_STATIC);
    }
    if (bound == SQLITE_OK && which == ST_PUT) {
        bound = sqlite3_bind_blob64(st, 3, row->data, row->size, SQLITE_STATIC);
    }
    int rc = run(s, which, bound, "store a row", err);
    if (rc == 0 && which == ST_DELETE && row->kind == GM_ROW_JOB) {
        bound = sqlite3_bind_text(s->st[ST_FORGET], 1, row->key, -1, SQLITE_STATIC);
        rc = run(s, ST_FORGET, bound, "delete a job's events", err);
    }
    return rc;
}

static int store_event(struct gm_state *s, const struct gm_state_event *e, struct gm_err *err)
{
    sqlite3_stmt *st = s->st[ST_EVENT];
    int bound = sqlite3_bind_int64(st, 1, e->seq);
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_text(st, 2, e->job_id, -1, SQLITE_STATIC);
    }
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_text(st, 3, e->type, -1, SQLITE_STATIC);
    }
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_text(st, 4, e->json, -1, SQLITE_STATIC);
    }
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_int64(st, 5, e->unix_ms);
    }
    return run(s, ST_EVENT, bound, "store an event", err);
}

int gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch, struct gm_err *err)
{
    int rc = exec(state->db, "BEGIN IMMEDIATE", "begin", err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < batch->row_count; i++) {
        rc = store_row(state, &batch->rows[i], err);
    }
    for (size_t i = 0; rc == 0 && i < batch->event_count; i++) {
        rc = store_event(state, &batch->events[i], err);
    }
    GM_CRASH("commit.written");
    if (rc == 0) {
        rc = exec(state->db, "COMMIT", "commit", err);
    }
    if (rc < 0) {
        GM_IGNORE(exec(state->db, "ROLLBACK", "roll back", NULL), "the first error is told");
    }
    return rc;
}

int gm_state_events(struct gm_state *state, const char *job_id, int64_t after, int limit,
                    void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                    struct gm_err *err)
{
    sqlite3_stmt *st = state->events;
    int rc = 0;
    if (sqlite3_bind_text(st, 1, job_id, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(st, 2, after) != SQLITE_OK ||
        sqlite3_bind_int(st, 3, limit) != SQLITE_OK) {
        rc = db_err(err, state->reader, "read events");
    }
    while (rc == 0) {
        int step = sqlite3_step(st);
        if (step == SQLITE_DONE) {
            break;
        }
        if (step != SQLITE_ROW) {
            rc = db_err(err, state->reader, "read events");
            break;
        }
        struct gm_state_event e = {.seq = sqlite3_column_int64(st, 0),
                                   .job_id = (const char *)sqlite3_column_text(st, 1),
                                   .type = (const char *)sqlite3_column_text(st, 2),
                                   .json = (const char *)sqlite3_column_text(st, 3),
                                   .unix_ms = sqlite3_column_int64(st, 4)};
        if (e.job_id == NULL || e.type == NULL || e.json == NULL) {
            rc = gm_err_nomem(err);
            break;
        }
        fn(&e, arg);
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return rc;
}
