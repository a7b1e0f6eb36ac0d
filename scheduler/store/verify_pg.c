/* A state in PostgreSQL looked at from outside: in one snapshot that can't write, so a scheduler
 * that leads need not end for it.
 *
 * Damaged pages fail the reading where the cluster has checksums (initdb -k). That indexes and
 * tables agree is counted: what an index walks over beside what the table has.
 * See: https://www.postgresql.org/docs/15/transaction-iso.html
 */
#include <stdio.h>
#include <string.h>

#include "scheduler/store/postgres.h"

#define ASK_TIME (10 * GM_SEC)
#define WALK_TIME (600 * GM_SEC) /* of a million rows it takes seconds */

static const struct gm_pg_params NO_PARAMS;

struct look {
    struct gm_pg db; /* owned */
    gm_state_row_fn row;
    void (*problem)(const char *text, void *arg);
    void *arg;
    struct gm_state_facts *facts;
};

static int number(struct look *look, const char *sql, int64_t *out, struct gm_err *err)
{
    PGresult *result = NULL;
    int rc = gm_pg_query(&look->db, sql, &NO_PARAMS, gm_time_now() + WALK_TIME, "look at it",
                         &result, err);
    if (rc == 0) {
        *out = PQntuples(result) > 0 ? gm_pg_int8(result, 0, 0) : 0;
        PQclear(result);
    }
    return rc;
}

static int tell(const PGresult *row, void *arg, struct gm_err *err)
{
    struct look *look = arg;
    (void)err;
    look->problem(PQgetvalue(row, 0, 0), look->arg);
    return 0;
}

/* The first column of each row of a select is a problem. */
static int each_problem(struct look *look, const char *sql, struct gm_err *err)
{
    return gm_pg_each(&look->db, sql, &NO_PARAMS, gm_time_now() + WALK_TIME, "look at it", tell,
                      look, err);
}

static int check_schema(struct look *look, struct gm_err *err)
{
    int64_t there = 0, schema = 0;
    int rc = number(look,
                    "SELECT count(to_regclass(t)) FROM"
                    " unnest('{gopmill_meta,gopmill_row,gopmill_event}'::text[]) AS t",
                    &there, err);
    if (rc == 0 && there < 3) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no state is in that database");
    }
    if (rc == 0) {
        rc = number(look, "SELECT schema FROM gopmill_meta", &schema, err);
    }
    if (rc == 0 && schema != GM_STATE_SCHEMA) {
        return gm_err_set(err, GM_E_CONFLICT, schema,
                          "the state database has schema %lld, and schema %d is what is checked",
                          (long long)schema, GM_STATE_SCHEMA);
    }
    return rc;
}

/* Walks by an index, or not: the planner is left nothing else. Which index it is an ORDER BY of its
 * columns says, for nothing may be sorted then. */
static int walk_by(struct look *look, bool index, struct gm_err *err)
{
    char sql[320];
    const char *on = index ? "on" : "off", *off = index ? "off" : "on";
    (void)snprintf(sql, sizeof sql,
                   "SET LOCAL enable_indexscan = %s; SET LOCAL enable_indexonlyscan = %s;"
                   " SET LOCAL enable_seqscan = %s; SET LOCAL enable_sort = %s;"
                   " SET LOCAL enable_bitmapscan = off",
                   on, on, off, off);
    return gm_pg_query(&look->db, sql, NULL, gm_time_now() + ASK_TIME, "look at the indexes", NULL,
                       err);
}

struct index {
    const char *name, *table, *first, *columns; /* first: never NULL */
};

static int check_index(struct look *look, const struct index *index, struct gm_err *err)
{
    char sql[256];
    int64_t rows = 0, walked = 0;
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE %s >= -9223372036854775808",
                   index->table, index->first);
    int rc = walk_by(look, false, err);
    rc = rc < 0 ? rc : number(look, sql, &rows, err);
    rc = rc < 0 ? rc : walk_by(look, true, err);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM (SELECT FROM %s WHERE %s >= -9223372036854775808"
                   " ORDER BY %s OFFSET 0) AS walk",
                   index->table, index->first, index->columns);
    rc = rc < 0 ? rc : number(look, sql, &walked, err);
    if (rc == 0 && rows != walked) {
        (void)snprintf(sql, sizeof sql, "the index %s has %lld rows, and its table %lld",
                       index->name, (long long)walked, (long long)rows);
        look->problem(sql, look->arg);
    }
    return rc;
}

static int check_indexes(struct look *look, struct gm_err *err)
{
    static const struct index all[] = {
        {"gopmill_row_pkey", "gopmill_row", "job", "job, kind, at, name"},
        {"gopmill_event_pkey", "gopmill_event", "seq", "seq"},
        {"gopmill_event_by_job", "gopmill_event", "job", "job, seq"}};
    char sql[256];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof all / sizeof all[0]; i++) {
        int64_t good = 0;
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('%s')"
                       " AND indisvalid AND indisready",
                       all[i].name);
        rc = number(look, sql, &good, err);
        if (rc == 0 && good == 0) {
            (void)snprintf(sql, sizeof sql, "the index %s is not there, or not valid", all[i].name);
            look->problem(sql, look->arg);
        } else if (rc == 0) {
            rc = check_index(look, &all[i], err);
        }
    }
    return rc < 0 ? rc : walk_by(look, false, err); /* the tables say what is there */
}

/* NOT EXISTS and not NOT IN: beyond some 260,000 jobs that would be a walk over them for each row
 * (work_mem, PostgreSQL's manual, 20.4). */
static int check_orphans(struct look *look, struct gm_err *err)
{
    static const char *const selects[] = {
        "SELECT format('%s rows of `%s` are of job %s, which is not there', count(*),"
        " (ARRAY['task', 'item', 'object', 'attempt'])[kind - 1], job) FROM gopmill_row AS r"
        " WHERE kind BETWEEN 2 AND 5 AND NOT EXISTS"
        " (SELECT FROM gopmill_row AS j WHERE j.kind = 1 AND j.job = r.job)"
        " GROUP BY kind, job ORDER BY kind, job",
        "SELECT format('%s rows of `event` are of job %s, which is not there', count(*), job)"
        " FROM gopmill_event AS e WHERE NOT EXISTS"
        " (SELECT FROM gopmill_row AS j WHERE j.kind = 1 AND j.job = e.job)"
        " GROUP BY job ORDER BY job"};
    int rc = each_problem(look, selects[0], err);
    return rc < 0 ? rc : each_problem(look, selects[1], err);
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
    int64_t term = 0, events = 0;
    int rc = gm_pg_query(&look->db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL,
                         gm_time_now() + ASK_TIME, "begin", NULL, err);
    rc = rc < 0 ? rc : check_schema(look, err);
    rc = rc < 0 ? rc : check_indexes(look, err);
    rc = rc < 0 ? rc : number(look, "SELECT term FROM gopmill_meta", &term, err);
    if (rc == 0 && term <= 0) {
        look->problem("it holds no term", look->arg);
    }
    rc = rc < 0 ? rc : check_orphans(look, err);
    rc = rc < 0 ? rc : number(look, "SELECT count(*) FROM gopmill_event", &events, err);
    rc = rc < 0 ? rc : gm_postgres_rows(&look->db, on_row, look, err);
    look->facts->term = (uint64_t)term;
    look->facts->events = (uint64_t)events;
    return rc;
}

int gm_postgres_check(const char *url, gm_state_row_fn row,
                      void (*problem)(const char *text, void *arg), void *arg,
                      struct gm_state_facts *out, struct gm_err *err)
{
    struct look look = {.row = row, .problem = problem, .arg = arg, .facts = out};
    *out = (struct gm_state_facts){0};
    int rc = gm_pg_check_url(url, err);
    rc = rc < 0 ? rc : gm_pg_connect(&look.db, url, gm_time_now() + ASK_TIME, err);
    rc = rc < 0 ? rc : look_at(&look, err);
    gm_pg_close(&look.db);
    return rc;
}
