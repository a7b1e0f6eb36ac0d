/* A state folder looked at from outside: on a connection that can't write, under the folder's lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"
#include "scheduler/store/backend.h"
#include "scheduler/store/db.h"
#include "scheduler/store/tables.h"

#define PATH_BYTES 4096

struct look {
    int lock;    /* owned */
    sqlite3 *db; /* owned */
    gm_state_row_fn row;
    void (*problem)(const char *text, void *arg);
    void *arg;
    struct gm_state_facts *facts;
};

static int connect_to(const char *folder, struct look *look, struct gm_err *err)
{
    char path[PATH_BYTES];
    int rc = gm_db_find(folder, err);
    if (rc == 0) {
        rc = gm_fs_lock(folder, "scheduler", &look->lock, err);
    }
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof path, err, "%s/state.db", folder);
    }
    if (rc < 0) {
        return rc;
    }
    if (sqlite3_open_v2(path, &look->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_extended_result_codes(look->db, 1) != SQLITE_OK) {
        return gm_db_err(err, look->db, "open the file");
    }
    return gm_db_exec(look->db, "PRAGMA trusted_schema=OFF; BEGIN", "begin", err);
}

/* The first column of each row of a select is a problem. */
static int each_problem(struct look *look, const char *sql, struct gm_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = gm_db_prepare(look->db, sql, &st, err);
    while (rc == 0 && (rc = gm_db_step(look->db, st, "read it", err)) > 0) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        rc = text == NULL ? gm_err_nomem(err) : 0;
        if (rc == 0) {
            look->problem(text, look->arg);
        }
    }
    (void)sqlite3_finalize(st);
    return rc;
}

/* SQLite's own: damaged pages, rows that an index lacks. */
static int check_file(struct look *look, struct gm_err *err)
{
    return each_problem(look,
                        "SELECT 'the file: ' || integrity_check FROM pragma_integrity_check"
                        " WHERE integrity_check <> 'ok'",
                        err);
}

static int check_orphans(struct look *look, struct gm_err *err)
{
    static const char *const tables[] = {"task", "item", "attempt", "object", "event"};
    char sql[256];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++) {
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) || ' rows of `%s` are of job ' || job || ', which is not"
                       " there' FROM %s WHERE job NOT IN (SELECT seq FROM job) GROUP BY job",
                       tables[i], tables[i]);
        rc = each_problem(look, sql, err);
    }
    return rc;
}

static int on_row(const struct gm_key *key, const void *data, size_t size, void *arg,
                  struct gm_err *err)
{
    struct look *look = arg;
    bool known = key->kind >= GM_ROW_JOB && key->kind <= GM_ROW_NODE;
    look->facts->rows[known ? key->kind : 0]++;
    return look->row(key, data, size, look->arg, err);
}

static int look_at(struct look *look, struct gm_err *err)
{
    int64_t schema = 0, term = 0, events = 0;
    int rc = gm_db_schema(look->db, &schema, err);
    if (rc == 0 && schema != GM_STATE_SCHEMA) {
        return gm_err_set(err, GM_E_CONFLICT, schema,
                          "the state folder has schema %lld, and schema %d is what is checked; "
                          "starting the scheduler brings it there, or --migrate-store %d",
                          (long long)schema, GM_STATE_SCHEMA, GM_STATE_SCHEMA);
    }
    if (rc == 0) {
        rc = check_file(look, err);
    }
    if (rc == 0) {
        rc = gm_db_number(look->db, "SELECT value FROM meta WHERE name = 'term'", 0, &term, err);
    }
    if (rc == 0 && term <= 0) {
        look->problem("it holds no term", look->arg);
    }
    if (rc == 0) {
        rc = check_orphans(look, err);
    }
    if (rc == 0) {
        rc = gm_db_number(look->db, "SELECT count(*) FROM event", 0, &events, err);
    }
    if (rc == 0) {
        rc = gm_tables_load(look->db, on_row, look, err);
    }
    look->facts->term = (uint64_t)term;
    look->facts->events = (uint64_t)events;
    return rc;
}

int gm_sqlite_check(const char *folder, gm_state_row_fn row,
                    void (*problem)(const char *text, void *arg), void *arg,
                    struct gm_state_facts *out, struct gm_err *err)
{
    struct look look = {.lock = -1, .row = row, .problem = problem, .arg = arg, .facts = out};
    *out = (struct gm_state_facts){0};
    int rc = connect_to(folder, &look, err);
    if (rc == 0) {
        rc = look_at(&look, err);
    }
    (void)sqlite3_close(look.db);
    if (look.lock >= 0) {
        (void)close(look.lock);
    }
    return rc;
}
