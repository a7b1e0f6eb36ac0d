#include "scheduler/store/migrate.h"

#include <stdlib.h>

#include "common/crash.h"
#include "scheduler/store/schema1.h"
#include "scheduler/store/tables.h"

/* Of schema 1 as it was, but meta, which stays. */
static const char TABLES_1[] =
    "CREATE TABLE rows(kind INTEGER NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, job TEXT NOT NULL, type TEXT NOT NULL,"
    " json TEXT NOT NULL, unix_ms INTEGER NOT NULL);"
    "CREATE INDEX events_by_job ON events(job, seq);";

/* A migration that runs. */
struct move {
    sqlite3 *db;              /* borrowed */
    struct gm_schema1 *names; /* owned */
    struct gm_tables *tables; /* owned; up */
    sqlite3_stmt *put;        /* owned; down */
    sqlite3_stmt *event;      /* owned; down */
    size_t left;
};

static void fini(struct move *m)
{
    gm_schema1_destroy(&m->names);
    gm_tables_close(&m->tables);
    (void)sqlite3_finalize(m->put);
    (void)sqlite3_finalize(m->event);
}

static int learn(struct move *m, const char *sql, struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = gm_schema1_create(&m->names, err);
    if (rc == 0) {
        rc = gm_db_prepare(m->db, sql, &st, err);
    }
    while (rc == 0 && (rc = gm_db_step(m->db, st, "read the jobs", err)) > 0) {
        const void *body;
        size_t size;
        rc = gm_db_blob(st, 0, &body, &size, err);
        if (rc == 0) {
            rc = gm_schema1_learn(m->names, body, size, err);
        }
    }
    (void)sqlite3_finalize(st);
    return rc < 0 ? rc : gm_schema1_learnt(m->names, err);
}

static int row_up(struct move *m, sqlite3_stmt *st, struct gm_err *err)
{
    const void *data;
    uint8_t *body = NULL;
    size_t size;
    struct gm_key key = {0};
    int rc = gm_db_blob(st, 1, &data, &size, err);
    if (rc == 0) {
        rc = gm_schema1_upgrade(m->names, (enum gm_row_kind)sqlite3_column_int(st, 0), data, size,
                                &key, &body, &size, err);
    }
    if (rc == 0) {
        rc = gm_tables_put(m->tables, &key, body, size, err);
    }
    free(key.name);
    free(body);
    const char *text = (const char *)sqlite3_column_text(st, 2);
    return gm_err_wrap(err, rc, "row %.100s: ", text != NULL ? text : "");
}

static int event_up(struct move *m, sqlite3_stmt *st, struct gm_err *err)
{
    const char *id = (const char *)sqlite3_column_text(st, 1);
    struct gm_state_event e = {.seq = sqlite3_column_int64(st, 0),
                               .job = id != NULL ? gm_schema1_job(m->names, id) : 0,
                               .type = (const char *)sqlite3_column_text(st, 2),
                               .json = (const char *)sqlite3_column_text(st, 3),
                               .unix_ms = sqlite3_column_int64(st, 4)};
    if (id == NULL || e.type == NULL || e.json == NULL) {
        return gm_err_nomem(err);
    }
    return e.job == 0 ? 0 : gm_tables_event(m->tables, &e, err); /* no job: nobody can ask for it */
}

static int each(struct move *m, const char *sql,
                int (*fn)(struct move *m, sqlite3_stmt *st, struct gm_err *err), struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = gm_db_prepare(m->db, sql, &st, err);
    while (rc == 0 && (rc = gm_db_step(m->db, st, "read the rows", err)) > 0) {
        rc = fn(m, st, err);
    }
    (void)sqlite3_finalize(st);
    return rc;
}

static int go_up(struct move *m, struct gm_err *err)
{
    int rc = learn(m, "SELECT data FROM rows WHERE kind = 1", err);
    if (rc == 0) {
        rc = gm_db_exec(m->db, GM_TABLES_SQL, "make the tables", err);
    }
    if (rc == 0) {
        rc = gm_tables_open(m->db, &m->tables, err);
    }
    GM_CRASH("migrate.begun");
    if (rc == 0) {
        rc = each(m, "SELECT kind, data, key FROM rows ORDER BY kind, key", row_up, err);
    }
    GM_CRASH("migrate.rows");
    if (rc == 0) {
        rc =
            each(m, "SELECT seq, job, type, json, unix_ms FROM events ORDER BY seq", event_up, err);
    }
    return rc;
}

static const char UP_ENDS[] =
    "DROP TABLE rows; DROP TABLE events; UPDATE meta SET value = 2 WHERE name = 'schema';";

static int end(struct move *m, int rc, const char *last, struct gm_err *err)
{
    fini(m); /* no table goes while a statement has it */
    if (rc == 0) {
        rc = gm_db_exec(m->db, last, "drop the tables of before", err);
    }
    GM_CRASH("migrate.written");
    if (rc == 0) {
        rc = gm_db_exec(m->db, "COMMIT", "commit", err);
    }
    GM_CRASH("migrate.committed");
    if (rc < 0) {
        GM_IGNORE(gm_db_exec(m->db, "ROLLBACK", "roll back", NULL), "the first error is told");
    }
    return rc;
}

int gm_migrate_up(sqlite3 *db, struct gm_err *err)
{
    struct move m = {.db = db};
    int rc = gm_db_exec(db, "BEGIN IMMEDIATE", "begin", err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_err_wrap(err, go_up(&m, err), "bringing the state to schema 2: ");
    return end(&m, rc, UP_ENDS, err);
}

static int row_down(const struct gm_key *key, const void *data, size_t size, void *arg,
                    struct gm_err *err)
{
    struct move *m = arg;
    char *text = NULL;
    uint8_t *body = NULL;
    int rc = gm_schema1_downgrade(m->names, key, data, size, &text, &body, &size, err);
    if (rc != 0) {
        m->left += rc > 0 ? 1 : 0;
        return rc < 0 ? rc : 0;
    }
    int bound = sqlite3_bind_int(m->put, 1, (int)key->kind);
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_text(m->put, 2, text, -1, SQLITE_STATIC);
    }
    if (bound == SQLITE_OK) {
        bound = sqlite3_bind_blob64(m->put, 3, body, size, SQLITE_STATIC);
    }
    rc = gm_db_run(m->db, m->put, bound, "store a row", err);
    free(text);
    free(body);
    return rc;
}

static int event_down(struct move *m, sqlite3_stmt *st, struct gm_err *err)
{
    const char *id = gm_schema1_id(m->names, (uint64_t)sqlite3_column_int64(st, 1));
    int bound = SQLITE_OK;
    if (id == NULL) {
        return 0;
    }
    for (int i = 0; bound == SQLITE_OK && i < 5; i++) {
        bound = i == 1 ? sqlite3_bind_text(m->event, 2, id, -1, SQLITE_STATIC)
                       : sqlite3_bind_value(m->event, i + 1, sqlite3_column_value(st, i));
    }
    return gm_db_run(m->db, m->event, bound, "store an event", err);
}

static int go_down(struct move *m, struct gm_err *err)
{
    int rc = learn(m, "SELECT body FROM job", err);
    if (rc == 0) {
        rc = gm_db_exec(m->db, TABLES_1, "make the tables", err);
    }
    if (rc == 0) {
        rc = gm_db_prepare(m->db, "INSERT INTO rows(kind, key, data) VALUES(?1, ?2, ?3)", &m->put,
                           err);
    }
    if (rc == 0) {
        rc = gm_db_prepare(m->db,
                           "INSERT INTO events(seq, job, type, json, unix_ms)"
                           " VALUES(?1, ?2, ?3, ?4, ?5)",
                           &m->event, err);
    }
    GM_CRASH("migrate.begun");
    if (rc == 0) {
        rc = gm_tables_load(m->db, row_down, m, err);
    }
    GM_CRASH("migrate.rows");
    if (rc == 0) {
        rc = each(m, "SELECT seq, job, type, json, unix_ms FROM event ORDER BY seq", event_down,
                  err);
    }
    return rc;
}

static const char DOWN_ENDS[] =
    "DROP TABLE job; DROP TABLE task; DROP TABLE item; DROP TABLE attempt; DROP TABLE object;"
    "DROP TABLE named; DROP TABLE event; UPDATE meta SET value = 1 WHERE name = 'schema';";

int gm_migrate_down(sqlite3 *db, size_t *out_left, struct gm_err *err)
{
    struct move m = {.db = db};
    int rc = gm_db_exec(db, "BEGIN IMMEDIATE", "begin", err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_err_wrap(err, go_down(&m, err), "bringing the state to schema 1: ");
    *out_left = m.left;
    return end(&m, rc, DOWN_ENDS, err);
}
