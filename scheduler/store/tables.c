/* A row of one job is found by (job, gm_key_at), two integers in an index; its body lies where it
 * was appended. Objects and what belongs to no job are found by name. So all that a job has goes by
 * a few ranges. */
#include "scheduler/store/tables.h"

#include <stdlib.h>

enum table { T_JOB, T_TASK, T_ITEM, T_ATTEMPT, T_OBJECT, T_NAMED, TABLES };
enum statement {
    ST_EVENT = 2 * TABLES, /* before: put, delete of each table */
    ST_FORGET,             /* rows and events of a job, by table */
    ST_COUNT = ST_FORGET + 5
};
#define ST_PUT(table) (2 * (table))
#define ST_DELETE(table) (2 * (table) + 1)

const char GM_TABLES_SQL[] =
    "CREATE TABLE job(seq INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE task(job INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(job, at));"
    "CREATE TABLE item(job INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(job, at));"
    "CREATE TABLE attempt(job INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(job, at));"
    "CREATE TABLE object(job INTEGER NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY(job, at, name)) WITHOUT ROWID;"
    "CREATE TABLE named(kind INTEGER NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, job INTEGER NOT NULL, type TEXT NOT NULL,"
    " json TEXT NOT NULL, unix_ms INTEGER NOT NULL);"
    "CREATE INDEX event_by_job ON event(job, seq);";

#define PUT_AT(name)                                                                               \
    "INSERT INTO " name "(job, at, body) VALUES(?1, ?2, ?3)"                                       \
    " ON CONFLICT(job, at) DO UPDATE SET body = ?3"
#define DELETE_AT(name) "DELETE FROM " name " WHERE job = ?1 AND at = ?2"

static const char *const STATEMENTS[ST_COUNT] = {
    [ST_PUT(T_JOB)] = "INSERT INTO job(seq, body) VALUES(?1, ?3)"
                      " ON CONFLICT(seq) DO UPDATE SET body = ?3",
    [ST_DELETE(T_JOB)] = "DELETE FROM job WHERE seq = ?1",
    [ST_PUT(T_TASK)] = PUT_AT("task"),
    [ST_DELETE(T_TASK)] = DELETE_AT("task"),
    [ST_PUT(T_ITEM)] = PUT_AT("item"),
    [ST_DELETE(T_ITEM)] = DELETE_AT("item"),
    [ST_PUT(T_ATTEMPT)] = PUT_AT("attempt"),
    [ST_DELETE(T_ATTEMPT)] = DELETE_AT("attempt"),
    [ST_PUT(T_OBJECT)] = "INSERT INTO object(job, at, name, body) VALUES(?1, ?2, ?4, ?3)"
                         " ON CONFLICT(job, at, name) DO UPDATE SET body = ?3",
    [ST_DELETE(T_OBJECT)] = "DELETE FROM object WHERE job = ?1 AND at = ?2 AND name = ?4",
    [ST_PUT(T_NAMED)] = "INSERT INTO named(kind, name, body) VALUES(?1, ?4, ?3)"
                        " ON CONFLICT(kind, name) DO UPDATE SET body = ?3",
    [ST_DELETE(T_NAMED)] = "DELETE FROM named WHERE kind = ?1 AND name = ?4",
    [ST_EVENT] = "INSERT INTO event(seq, job, type, json, unix_ms) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ST_FORGET] = "DELETE FROM task WHERE job = ?1",
    [ST_FORGET + 1] = "DELETE FROM item WHERE job = ?1",
    [ST_FORGET + 2] = "DELETE FROM attempt WHERE job = ?1",
    [ST_FORGET + 3] = "DELETE FROM object WHERE job = ?1",
    [ST_FORGET + 4] = "DELETE FROM event WHERE job = ?1",
};

struct gm_tables {
    sqlite3 *db;                /* borrowed */
    sqlite3_stmt *st[ST_COUNT]; /* owned */
};

static enum table table_of(enum gm_row_kind kind)
{
    switch (kind) {
    case GM_ROW_JOB:
        return T_JOB;
    case GM_ROW_TASK:
        return T_TASK;
    case GM_ROW_ITEM:
        return T_ITEM;
    case GM_ROW_ATTEMPT:
        return T_ATTEMPT;
    case GM_ROW_OBJECT:
        return T_OBJECT;
    default:
        return T_NAMED;
    }
}

int gm_tables_open(sqlite3 *db, struct gm_tables **out, struct gm_err *err)
{
    struct gm_tables *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->db = db;
    for (int i = 0; i < ST_COUNT; i++) {
        int rc = gm_db_prepare(db, STATEMENTS[i], &t->st[i], err);
        if (rc < 0) {
            gm_tables_close(&t);
            return rc;
        }
    }
    *out = t;
    return 0;
}

void gm_tables_close(struct gm_tables **tables)
{
    struct gm_tables *t = *tables;
    for (int i = 0; t != NULL && i < ST_COUNT; i++) {
        (void)sqlite3_finalize(t->st[i]);
    }
    free(t);
    *tables = NULL;
}

/* The parameters of put and delete; of a name nothing is copied. */
static int bind_key(sqlite3_stmt *st, enum table table, const struct gm_key *key)
{
    uint64_t first = table == T_NAMED ? key->kind : key->job;
    int bound = sqlite3_bind_int64(st, 1, (sqlite3_int64)first);
    if (bound == SQLITE_OK && table != T_JOB && table != T_NAMED) {
        bound = sqlite3_bind_int64(st, 2, (sqlite3_int64)gm_key_at(key));
    }
    if (bound == SQLITE_OK && (table == T_OBJECT || table == T_NAMED)) {
        bound = sqlite3_bind_text(st, 4, key->name != NULL ? key->name : "", -1, SQLITE_STATIC);
    }
    return bound;
}

int gm_tables_put(struct gm_tables *t, const struct gm_key *key, const void *body, size_t size,
                  struct gm_err *err)
{
    enum table table = table_of(key->kind);
    sqlite3_stmt *st = t->st[ST_PUT(table)];
    int bound = bind_key(st, table, key);
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_blob64(st, 3, body, size, SQLITE_STATIC);
    }
    return gm_db_run(t->db, st, bound, "store a row", err);
}

int gm_tables_delete(struct gm_tables *t, const struct gm_key *key, struct gm_err *err)
{
    enum table table = table_of(key->kind);
    sqlite3_stmt *st = t->st[ST_DELETE(table)];
    int rc = gm_db_run(t->db, st, bind_key(st, table, key), "delete a row", err);
    for (int i = ST_FORGET; rc == 0 && table == T_JOB && i < ST_COUNT; i++) {
        int bound = sqlite3_bind_int64(t->st[i], 1, (sqlite3_int64)key->job);
        rc = gm_db_run(t->db, t->st[i], bound, "delete what a job has", err);
    }
    return rc;
}

int gm_tables_event(struct gm_tables *t, const struct gm_state_event *e, struct gm_err *err)
{
    sqlite3_stmt *st = t->st[ST_EVENT];
    int bound = sqlite3_bind_int64(st, 1, e->seq);
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_int64(st, 2, (sqlite3_int64)e->job);
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
    return gm_db_run(t->db, st, bound, "store an event", err);
}

/* kind, job, at, name, body of each row; in the order in which they lie. */
static const char *const READ[TABLES] = {
    [T_JOB] = "SELECT 1, seq, 0, NULL, body FROM job",
    [T_TASK] = "SELECT 2, job, at, NULL, body FROM task",
    [T_ITEM] = "SELECT 3, job, at, NULL, body FROM item",
    [T_OBJECT] = "SELECT 4, job, at, name, body FROM object",
    [T_ATTEMPT] = "SELECT 5, job, at, NULL, body FROM attempt",
    [T_NAMED] = "SELECT kind, 0, 0, name, body FROM named",
};

static int hand_over(sqlite3_stmt *st, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    const void *body;
    size_t size;
    struct gm_key key = {.kind = (enum gm_row_kind)sqlite3_column_int(st, 0),
                         .job = (uint64_t)sqlite3_column_int64(st, 1)};
    int rc = gm_db_blob(st, 4, &body, &size, err);
    if (rc < 0) {
        return rc;
    }
    gm_key_set_at(&key, (uint64_t)sqlite3_column_int64(st, 2));
    if (sqlite3_column_type(st, 3) != SQLITE_NULL) {
        key.name = (char *)(uintptr_t)sqlite3_column_text(st, 3);
        if (key.name == NULL) {
            return gm_err_nomem(err);
        }
    }
    return fn(&key, body, size, arg, err);
}

int gm_tables_load(sqlite3 *db, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < TABLES; i++) {
        sqlite3_stmt *st = NULL;
        rc = gm_db_prepare(db, READ[i], &st, err);
        while (rc == 0 && (rc = gm_db_step(db, st, "read the rows", err)) > 0) {
            rc = hand_over(st, fn, arg, err);
        }
        (void)sqlite3_finalize(st);
    }
    return rc;
}
