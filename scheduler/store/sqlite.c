/* State in SQLite: DIR/state.db, and DIR/lock held by flock.
 *
 * A table a kind of rows (tables.c), one of events, one of numbers (schema, term). A commit is one
 * IMMEDIATE transaction with synchronous=FULL: WAL frames are fsynced before COMMIT returns.
 *
 * Opening writes the WAL again, byte for byte, and syncs it, before anything is built on it: after
 * a failed fsync the kernel may hold pages that the disk never got and that no later fsync writes.
 * A process that found them there and committed behind them would lose its commits to a power cut,
 * because recovery ends at the first frame that is missing. A checkpoint is no cure: cut short, it
 * leaves new pages in the database behind old frames that hide some of them (ADR-0030).
 * See: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous
 */
#include "scheduler/store/backend.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/fs.h"
#include "scheduler/store/db.h"
#include "scheduler/store/last.h"
#include "scheduler/store/migrate.h"
#include "scheduler/store/tables.h"

#define PATH_BYTES 4096
#define BUSY_MS 5000

#define WAL_PIECE 65536        /* bytes */
#define CHECKPOINT_FRAMES 1000 /* as SQLite does by itself */

static const char META[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('schema', 2), ('term', 0);";

struct gm_sqlite {
    struct gm_state head;
    int lock;                 /* owned descriptor */
    sqlite3 *db;              /* owned: commits */
    sqlite3 *reader;          /* owned: events */
    struct gm_tables *tables; /* owned, of db */
    sqlite3_stmt *events;     /* owned, of reader */
    struct gm_last last;      /* owned */
    int frames; /* of the WAL that are not in the database yet, as of the last commit */
    uint64_t term;
    int64_t last_event;
    uint32_t lease_ms;     /* of this term, shorter than what is kept until */
    gm_time lease_kept_to; /* 0: it is kept */
};

static struct gm_sqlite *of(struct gm_state *state)
{
    return (struct gm_sqlite *)state;
}

/* What a file's own methods answered: the connection does not know of it. */
static int file_err(struct gm_err *err, int code)
{
    return gm_err_set(err, gm_db_is_full(code, 0) ? GM_E_STATE_FULL : GM_E_SYS, code,
                      "state database: could not write its log again: %s", sqlite3_errstr(code));
}

/* It names the sources of all jobs, which are no business of other users. */
static void close_to_others(const char *folder, bool is_new)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_BYTES];
        struct stat st;
        if (gm_fs_path(path, sizeof path, NULL, "%s/%s", folder, names[i]) == 0 &&
            stat(path, &st) == 0 && (is_new || (st.st_mode & S_IRWXO) != 0)) {
            (void)chmod(path, is_new ? S_IRUSR | S_IWUSR : st.st_mode & (S_IRWXU | S_IRWXG));
        }
    }
}

static int connect_to(const char *folder, sqlite3 **out, struct gm_err *err)
{
    char path[PATH_BYTES];
    int rc = gm_fs_path(path, sizeof path, err, "%s/state.db", folder);
    if (rc < 0) {
        return rc;
    }
    bool is_new = access(path, F_OK) != 0;
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        return gm_db_err(err, *out, "open the file");
    }
    close_to_others(folder, is_new); /* SQLite makes the other two with this one's mode */
    (void)sqlite3_extended_result_codes(*out, 1);
    (void)sqlite3_busy_timeout(*out, BUSY_MS);
    if (sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK) {
        return gm_db_err(err, *out, "set it up");
    }
    return gm_db_exec(
        *out, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
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
    int rc = gm_db_exec(db, "BEGIN IMMEDIATE", "begin", err);
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
    rc = gm_db_exec(db, "COMMIT", "end", err);
    if (rc == 0 && sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL) != SQLITE_OK) {
        rc = gm_db_err(err, db, "set it up");
    }
    return rc;
}

static int make_tables(sqlite3 *db, struct gm_err *err)
{
    int rc = gm_db_exec(db, "BEGIN IMMEDIATE", "begin", err);
    if (rc == 0) {
        rc = gm_db_exec(db, META, "make the tables", err);
    }
    if (rc == 0) {
        rc = gm_db_exec(db, GM_TABLES_SQL, "make the tables", err);
    }
    return rc < 0 ? rc : gm_db_exec(db, "COMMIT", "make the tables", err);
}

static int check_schema(struct gm_sqlite *s, struct gm_err *err)
{
    int64_t schema = 0;
    int rc = gm_db_schema(s->db, &schema, err);
    if (rc == 0 && schema == 0) {
        rc = make_tables(s->db, err);
    } else if (rc == 0 && schema == 1) {
        rc = gm_migrate_up(s->db, err);
    }
    return rc;
}

static int raise_term(struct gm_sqlite *s, struct gm_err *err)
{
    int64_t term = 0;
    static const char last[] = "SELECT max((SELECT coalesce(max(seq), 0) FROM event),"
                               " coalesce((SELECT value FROM meta WHERE name = 'last_event'), 0))";
    int rc = gm_db_exec(s->db, "UPDATE meta SET value = value + 1 WHERE name = 'term'",
                        "raise the term", err);
    if (rc == 0) {
        rc = gm_db_number(s->db, "SELECT value FROM meta WHERE name = 'term'", 0, &term, err);
    }
    if (rc == 0) {
        rc = gm_db_number(s->db, last, 0, &s->last_event, err);
    }
    if (rc == 0 && term <= 0) {
        rc = gm_err_set(err, GM_E_SYS, 0, "state database: it holds no term");
    }
    s->term = (uint64_t)term;
    return rc;
}

/* In place of SQLite's own, which would check-point before the commit returns. */
static int note_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct gm_sqlite *s = arg;
    (void)db;
    (void)name;
    s->frames = frames;
    return SQLITE_OK;
}

static int prepare(struct gm_sqlite *s, struct gm_err *err)
{
    int rc = gm_tables_open(s->db, &s->tables, err);
    (void)sqlite3_wal_hook(s->db, note_frames, s);
    return rc < 0 ? rc
                  : gm_db_prepare(s->reader,
                                  "SELECT seq, type, json, unix_ms FROM event "
                                  "WHERE job = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                                  &s->events, err);
}

/* The folder's lock and the database, with what was committed on the disk. */
static int open_db(const char *folder, struct gm_sqlite *s, struct gm_err *err)
{
    int rc = gm_fs_lock(folder, "scheduler", &s->lock, err);
    if (rc == 0) {
        rc = connect_to(folder, &s->db, err);
    }
    if (rc == 0) {
        rc = settle_wal(s->db, err);
    }
    GM_CRASH("state.settled");
    return rc;
}

static void close_state(struct gm_state *state)
{
    struct gm_sqlite *s = of(state);
    gm_tables_close(&s->tables);
    gm_last_fini(&s->last);
    (void)sqlite3_finalize(s->events);
    (void)sqlite3_close(s->reader);
    (void)sqlite3_close(s->db);
    if (s->lock >= 0) {
        (void)close(s->lock);
    }
    free(s);
}

int gm_state_migrate(const char *folder, int schema, size_t *out_left, struct gm_err *err)
{
    struct gm_sqlite *s = NULL;
    int64_t from = 0;
    *out_left = 0;
    if (schema < 1 || schema > GM_STATE_SCHEMA) {
        return gm_err_set(err, GM_E_INVAL, schema, "this program can make schema 1 to %d of it",
                          GM_STATE_SCHEMA);
    }
    int rc = gm_db_find(folder, err);
    if (rc < 0) {
        return rc;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->lock = -1;
    rc = open_db(folder, s, err);
    if (rc == 0) {
        rc = gm_db_schema(s->db, &from, err);
    }
    if (rc == 0 && from == 0) {
        rc = gm_err_set(err, GM_E_NOTFOUND, 0, "the state in %s is empty", folder);
    }
    if (rc == 0 && from < schema) {
        rc = check_schema(s, err);
    } else if (rc == 0 && from > schema) {
        rc = gm_migrate_down(s->db, out_left, err);
    }
    close_state(&s->head);
    return rc;
}

static uint64_t term_of(const struct gm_state *state)
{
    return ((const struct gm_sqlite *)state)->term;
}

static int keep_lease(struct gm_sqlite *s, uint32_t lease_ms, struct gm_err *err)
{
    char sql[96];
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('lease_ms', %u)", lease_ms);
    s->lease_kept_to = 0;
    return gm_db_exec(s->db, sql, "keep how long leases last", err);
}

/* A longer one of a term before may be held for as long yet: a start within that time must know. */
static int lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                 struct gm_err *err)
{
    struct gm_sqlite *s = of(state);
    int64_t before = 0;
    int rc = gm_db_number(s->db, "SELECT value FROM meta WHERE name = 'lease_ms'", 0, &before, err);
    if (rc < 0) {
        return rc;
    }
    *out_before = before > 0 && before <= UINT32_MAX ? (uint32_t)before : 0;
    if (*out_before > lease_ms) {
        s->lease_ms = lease_ms;
        s->lease_kept_to = gm_time_now() + *out_before * GM_MS;
        return 0;
    }
    return keep_lease(s, lease_ms, err);
}

static int64_t last_event(const struct gm_state *state)
{
    return ((const struct gm_sqlite *)state)->last_event;
}

static int load(struct gm_state *state, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    return gm_tables_load(of(state)->db, fn, arg, err);
}

/* The events of a job go with its row, and the one with the highest number may be among them: the
 * number is kept then. Where no job goes the events themselves say it. */
static int keep_last_event(struct gm_sqlite *s, const struct gm_state_batch *batch,
                           struct gm_err *err)
{
    char sql[96];
    bool goes = false;
    int64_t last = batch->event_count > 0 ? batch->events[batch->event_count - 1].seq : 0;
    s->last_event = last > s->last_event ? last : s->last_event;
    for (size_t i = 0; !goes && i < batch->row_count; i++) {
        const struct gm_row *row = &batch->rows[i];
        goes = row->key.kind == GM_ROW_JOB && row->data == NULL && !s->last.skip[i];
    }
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES('last_event', %lld)",
                   (long long)s->last_event);
    return goes ? gm_db_exec(s->db, sql, "keep the number of the last event", err) : 0;
}

static int commit(struct gm_state *state, const struct gm_state_batch *batch, struct gm_err *err)
{
    struct gm_sqlite *s = of(state);
    int rc = gm_last_find(&s->last, batch->rows, batch->row_count, err);
    if (rc == 0) {
        rc = gm_db_exec(s->db, "BEGIN IMMEDIATE", "begin", err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < batch->row_count; i++) {
        const struct gm_row *row = &batch->rows[i];
        if (s->last.skip[i]) {
            continue;
        }
        rc = row->data != NULL ? gm_tables_put(s->tables, &row->key, row->data, row->size, err)
                               : gm_tables_delete(s->tables, &row->key, err);
    }
    for (size_t i = 0; rc == 0 && i < batch->event_count; i++) {
        rc = gm_tables_event(s->tables, &batch->events[i], err);
    }
    rc = rc == 0 ? keep_last_event(s, batch, err) : rc;
    GM_CRASH("commit.written");
    if (rc == 0) {
        rc = gm_db_exec(s->db, "COMMIT", "commit", err);
    }
    if (rc < 0) {
        GM_IGNORE(gm_db_exec(s->db, "ROLLBACK", "roll back", NULL), "the first error is told");
    }
    return rc;
}

static int tidy(struct gm_state *state, struct gm_err *err)
{
    struct gm_sqlite *s = of(state);
    if (s->lease_kept_to != 0 && gm_time_now() > s->lease_kept_to) {
        int rc = keep_lease(s, s->lease_ms, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (s->frames < CHECKPOINT_FRAMES) {
        return 0;
    }
    s->frames = 0; /* the next commit tells */
    int code = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || code == SQLITE_BUSY ? 0 : gm_db_err(err, s->db, "tidy its log up");
}

static int events(struct gm_state *state, uint64_t job, int64_t after, int limit,
                  void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                  struct gm_err *err)
{
    struct gm_sqlite *s = of(state);
    sqlite3_stmt *st = s->events;
    int rc = 0;
    if (sqlite3_bind_int64(st, 1, (sqlite3_int64)job) != SQLITE_OK ||
        sqlite3_bind_int64(st, 2, after) != SQLITE_OK ||
        sqlite3_bind_int(st, 3, limit) != SQLITE_OK) {
        rc = gm_db_err(err, s->reader, "read events");
    }
    while (rc == 0 && (rc = gm_db_step(s->reader, st, "read events", err)) > 0) {
        struct gm_state_event e = {.seq = sqlite3_column_int64(st, 0),
                                   .job = job,
                                   .type = (const char *)sqlite3_column_text(st, 1),
                                   .json = (const char *)sqlite3_column_text(st, 2),
                                   .unix_ms = sqlite3_column_int64(st, 3)};
        rc = e.type == NULL || e.json == NULL ? gm_err_nomem(err) : 0;
        if (rc == 0) {
            fn(&e, arg);
        }
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return rc;
}

/* Who has the folder leads, for as long as that is open: nobody else gets its lock. */
static int lead(struct gm_state *state, gm_time takeover, bool *out_leads, struct gm_err *err)
{
    (void)state;
    (void)takeover;
    (void)err;
    *out_leads = true;
    return 0;
}

static int beat(struct gm_state *state, struct gm_err *err)
{
    (void)state;
    (void)err;
    return 0;
}

static gm_time beat_every(const struct gm_state *state)
{
    (void)state;
    return 0;
}

static bool leads(const struct gm_state *state)
{
    (void)state;
    return true;
}

int gm_sqlite_open(const char *folder, struct gm_state **out, struct gm_err *err)
{
    static const struct gm_state_ops ops = {.close = close_state,
                                            .lead = lead,
                                            .term = term_of,
                                            .last_event = last_event,
                                            .lease = lease,
                                            .load = load,
                                            .commit = commit,
                                            .tidy = tidy,
                                            .beat = beat,
                                            .beat_every = beat_every,
                                            .leads = leads,
                                            .events = events};
    struct gm_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->head.ops = &ops;
    s->lock = -1;
    int rc = gm_fs_mkdirs(folder, err);
    if (rc == 0) {
        rc = open_db(folder, s, err);
    }
    if (rc == 0) {
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
        close_state(&s->head);
        return rc;
    }
    *out = &s->head;
    return 0;
}
