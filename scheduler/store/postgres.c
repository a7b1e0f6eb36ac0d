/* State in PostgreSQL, for schedulers that stand by for each other.
 *
 * Who leads is one row: the term, raised by whoever takes over, and the number of the last batch.
 * Every commit is one statement that first moves that row on from (term, batch) and stores nothing
 * where it can't: a scheduler that was stopped and goes on finds another term. After a connection
 * that broke in the middle, the batch's number says whether it holds.
 *
 * An advisory lock of the session tells standbys at once that a leader's process is gone. One that
 * hangs keeps it, and stops moving the row's `beat`: then its session is ended. Times are compared
 * by the server's clock alone. See: https://www.postgresql.org/docs/15/explicit-locking.html
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "scheduler/store/backend.h"
#include "scheduler/store/pg.h"
#include "scheduler/store/postgres_batch.h"

#define SCHEMA_TEXT "2"        /* GM_STATE_SCHEMA: the keys are the same */
#define LOCK_TEXT "7452170943" /* of gopmill, by chance */
#define ASK_TIME GM_SEC        /* a statement of one row */
#define WRITE_TIME (30 * GM_SEC)
#define LOAD_TIME (600 * GM_SEC)
#define EVENTS_TIME (500 * GM_MS) /* of the loop */
#define EVENTS_PAUSE (5 * GM_SEC) /* after they failed */
#define FOREVER (1000000 * GM_SEC)
#define BUSY_TEXT "30 seconds"  /* a statement that runs for so long is no excuse any more */
#define LOAD_TEXT "600 seconds" /* a leader that begins reads its rows first, and says nothing */
#define RETRY_US 50000
#define BEATS 6 /* in the time after which another takes over */

static const struct gm_pg_params NO_PARAMS;

static const char MAKE[] =
    "SELECT pg_advisory_xact_lock(" LOCK_TEXT " + 1);"
    "CREATE TABLE IF NOT EXISTS gopmill_meta(one boolean PRIMARY KEY CHECK (one), schema int8 NOT "
    "NULL,"
    " term int8 NOT NULL, batch int8 NOT NULL, lease_ms int8 NOT NULL, beat timestamptz NOT NULL);"
    "INSERT INTO gopmill_meta VALUES(true, " SCHEMA_TEXT ", 0, 0, 0, clock_timestamp())"
    " ON CONFLICT DO NOTHING;"
    "CREATE TABLE IF NOT EXISTS gopmill_row(job int8 NOT NULL, kind int8 NOT NULL, at int8 NOT "
    "NULL,"
    " name bytea NOT NULL, body bytea NOT NULL, PRIMARY KEY(job, kind, at, name));"
    "CREATE TABLE IF NOT EXISTS gopmill_event(seq int8 PRIMARY KEY, job int8 NOT NULL,"
    " type bytea NOT NULL, json bytea NOT NULL, unix_ms int8 NOT NULL);"
    "CREATE INDEX IF NOT EXISTS gopmill_event_by_job ON gopmill_event(job, seq)";

struct gm_postgres {
    struct gm_state head;
    char *url; /* owned */
    gm_time takeover;
    gm_time patience;    /* how long a leader waits for the server */
    struct gm_pg db;     /* of the thread that commits */
    struct gm_pg reader; /* of events */
    gm_time reader_failed_at;
    gm_time connected_at; /* 0: never */
    bool again;           /* and it was not the first time */
    int pid;              /* the server's process of the session that has the lock */
    uint64_t term;        /* 0: it does not lead */
    int64_t batch;
    int64_t last_event;
    struct gm_last last;
    gm_time leads_from; /* by boot time: the leader before may believe until then that it leads */
    uint32_t lease_ms;  /* of this term, shorter than what is kept until */
    gm_time lease_kept_to; /* 0: it is kept */
    _Atomic(gm_time)
        beat_at; /* when the last statement that moved the row was sent, by boot time */
};

/* Goes on while the machine sleeps. */
static gm_time boot_time(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &ts);
    return (gm_time)ts.tv_sec * GM_SEC + ts.tv_nsec;
}

static gm_time in(gm_time span)
{
    return gm_time_now() + span;
}

static struct gm_postgres *of(struct gm_state *state)
{
    return (struct gm_postgres *)state;
}

static int not_leader(struct gm_postgres *s, struct gm_err *err)
{
    s->term = 0;
    atomic_store(&s->beat_at, 0);
    gm_pg_close(&s->db);
    return gm_err_set(err, GM_E_NOT_LEADER, 0, "another scheduler has taken over");
}

/* ---- the connection, the tables and the lock */

static int make_tables(struct gm_postgres *s, struct gm_err *err)
{
    PGresult *result = NULL;
    int rc = gm_pg_query(&s->db, "SELECT count(to_regclass('gopmill_event'))", &NO_PARAMS,
                         in(ASK_TIME), "look for the tables", &result, err);
    if (rc < 0) {
        return rc;
    }
    bool there = gm_pg_int8(result, 0, 0) > 0;
    PQclear(result);
    rc = there ? 0 : gm_pg_query(&s->db, MAKE, NULL, in(WRITE_TIME), "make the tables", NULL, err);
    if (rc == 0) {
        rc = gm_pg_query(&s->db, "SELECT schema FROM gopmill_meta", &NO_PARAMS, in(ASK_TIME),
                         "read the schema", &result, err);
    }
    if (rc < 0) {
        return rc;
    }
    int64_t schema = gm_pg_int8(result, 0, 0);
    PQclear(result);
    if (schema != GM_STATE_SCHEMA) {
        rc = gm_err_set(err, GM_E_CONFLICT, schema,
                        "the state database has schema %lld, this program reads %d; start the "
                        "version that wrote it",
                        (long long)schema, GM_STATE_SCHEMA);
    }
    return rc;
}

/* A server that keeps what it acknowledged only in memory would lose it with the power. */
static int settle_durability(struct gm_postgres *s, struct gm_err *err)
{
    PGresult *result = NULL;
    int rc = gm_pg_query(&s->db,
                         "SELECT CASE current_setting('synchronous_commit')"
                         " WHEN 'off' THEN set_config('synchronous_commit', 'on', false)"
                         " WHEN 'local' THEN set_config('synchronous_commit', 'on', false) END,"
                         " (current_setting('fsync') = 'on')::int::int8",
                         &NO_PARAMS, in(ASK_TIME), "look how it writes", &result, err);
    if (rc == 0 && !s->again && gm_pg_int8(result, 0, 1) == 0) {
        gm_log(GM_LOG_WARN, "state_unsafe",
               "text=\"PostgreSQL runs with fsync off: a power cut loses acknowledged jobs\"");
    }
    if (rc == 0) {
        PQclear(result);
    }
    return rc;
}

static int connect_to(struct gm_postgres *s, gm_time until, struct gm_err *err)
{
    int rc = gm_pg_connect(&s->db, s->url, until, err);
    if (rc == 0) {
        rc = settle_durability(s, err);
    }
    if (rc == 0) {
        rc = make_tables(s, err);
    }
    if (rc < 0) {
        gm_pg_close(&s->db);
        return rc;
    }
    s->again = s->connected_at != 0;
    s->connected_at = gm_time_now();
    return 0;
}

static int try_lock(struct gm_postgres *s, bool *out, struct gm_err *err)
{
    PGresult *result = NULL;
    int rc = gm_pg_query(&s->db, "SELECT pg_try_advisory_lock(" LOCK_TEXT ")::int::int8",
                         &NO_PARAMS, in(ASK_TIME), "ask for the lock", &result, err);
    if (rc == 0) {
        *out = gm_pg_int8(result, 0, 0) != 0;
        PQclear(result);
    }
    return rc;
}

/* Ends the session that has the lock if it is process `pid` of the server, or has not moved the row
 * for so long; not one at whose statement the server works: a commit may be large, or wait for a
 * replica. */
static int end_holder(struct gm_postgres *s, int pid, gm_time silent, struct gm_err *err)
{
    static const char sql[] =
        "SELECT count(pg_terminate_backend(l.pid)) FROM gopmill_meta m,"
        " pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND (l.classid::int8 << 32 | l.objid::int8) = " LOCK_TEXT
        " AND (l.pid = $1 OR (m.beat < clock_timestamp() - $2 * interval '1 millisecond'"
        " AND NOT coalesce(a.state = 'active'"
        " AND a.query_start > clock_timestamp() - interval '" BUSY_TEXT "', false)))";
    struct gm_pg_params p = {0};
    PGresult *result = NULL;
    gm_pg_add_int8(&p, pid);
    gm_pg_add_int8(&p, silent / GM_MS);
    int rc = gm_pg_query(&s->db, sql, &p, in(ASK_TIME), "end the session of a leader that hangs",
                         &result, err);
    gm_pg_params_fini(&p);
    if (rc == 0) {
        int64_t ended = gm_pg_int8(result, 0, 0);
        PQclear(result);
        if (ended > 0) {
            gm_log(GM_LOG_WARN, "leader_session_ended", "sessions=%lld", (long long)ended);
        }
    }
    return rc;
}

/* What the server has: whose term it is, and the number of the last batch. */
static int read_batch(struct gm_postgres *s, int64_t *out, struct gm_err *err)
{
    PGresult *result = NULL;
    int rc = gm_pg_query(&s->db, "SELECT term, batch FROM gopmill_meta", &NO_PARAMS, in(ASK_TIME),
                         "read who leads", &result, err);
    if (rc < 0) {
        return rc;
    }
    bool mine = (uint64_t)gm_pg_int8(result, 0, 0) == s->term;
    *out = gm_pg_int8(result, 0, 1);
    PQclear(result);
    return mine ? 0 : not_leader(s, err);
}

/* ---- who leads */

static int raise_term(struct gm_postgres *s, struct gm_err *err)
{
    static const char sql[] =
        "WITH raised AS (UPDATE gopmill_meta SET term = term + 1,"
        " beat = clock_timestamp() + interval '" LOAD_TEXT "' RETURNING term, batch)"
        " SELECT term, batch, (SELECT coalesce(max(seq), 0) FROM gopmill_event) FROM raised";
    PGresult *result = NULL;
    int rc = gm_pg_query(&s->db, sql, &NO_PARAMS, in(ASK_TIME), "raise the term", &result, err);
    if (rc < 0) {
        return rc;
    }
    s->term = (uint64_t)gm_pg_int8(result, 0, 0);
    s->batch = gm_pg_int8(result, 0, 1);
    s->last_event = gm_pg_int8(result, 0, 2);
    PQclear(result);
    s->pid = PQbackendPID(s->db.conn);
    s->leads_from = boot_time() + s->takeover / 2;
    GM_CRASH("state.term_raised");
    return 0;
}

/* A server that was started anew, or a network that came back: who led before comes first. */
static bool gives_way(const struct gm_postgres *s)
{
    return s->again && gm_time_now() - s->connected_at < s->takeover;
}

static int lead(struct gm_state *state, gm_time takeover, bool *out_leads, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    s->takeover = takeover;
    bool locked = false;
    int rc = s->db.conn != NULL ? 0 : connect_to(s, in(ASK_TIME), err);
    *out_leads = s->term != 0;
    if (rc < 0 || s->term != 0 || gives_way(s)) {
        return rc;
    }
    rc = try_lock(s, &locked, err);
    if (rc == 0 && !locked) {
        rc = end_holder(s, 0, s->takeover, err);
    } else if (rc == 0) {
        rc = raise_term(s, err);
        *out_leads = rc == 0;
    }
    return rc;
}

/* The leader's way back to the server, once: then it has the lock again, and *out is the number of
 * the last batch there. Errors: NOT_LEADER; STATE_AWAY: not yet. */
static int come_back(struct gm_postgres *s, int64_t *out, struct gm_err *err)
{
    bool locked = false;
    int rc = connect_to(s, in(ASK_TIME), err);
    if (rc == 0) {
        rc = read_batch(s, out, err);
    }
    if (rc == 0) {
        rc = try_lock(s, &locked, err);
    }
    if (rc == 0 && !locked) { /* the session that broke; or somebody who takes over */
        rc = end_holder(s, s->pid, FOREVER, err);
        gm_pg_close(&s->db);
        return rc < 0 ? rc
                      : gm_err_set(err, GM_E_STATE_AWAY, 0, "state database: the lock is held");
    }
    if (rc == 0) {
        s->pid = PQbackendPID(s->db.conn);
        rc = read_batch(s, out, err);
    }
    return rc;
}

/* The same until it succeeds or the patience ends. */
static int wait_to_come_back(struct gm_postgres *s, gm_time until, int64_t *out, struct gm_err *err)
{
    for (;;) {
        int rc = come_back(s, out, err);
        if (rc != -GM_E_STATE_AWAY || gm_time_now() > until) {
            return rc;
        }
        (void)usleep(RETRY_US);
    }
}

/* Says once that it leads. Where the server waits for a replica it does so here, for all that was
 * committed before too. */
static int beat_once(struct gm_postgres *s, struct gm_err *err)
{
    struct gm_pg_params p = {0};
    PGresult *result = NULL;
    gm_time sent = boot_time();
    gm_pg_add_int8(&p, (int64_t)s->term);
    int rc = gm_pg_query(&s->db,
                         "WITH mine AS (UPDATE gopmill_meta SET beat = clock_timestamp()"
                         " WHERE term = $1 RETURNING 1) SELECT count(*) FROM mine",
                         &p, in(s->patience), "say that it leads", &result, err);
    gm_pg_params_fini(&p);
    if (rc < 0) {
        atomic_store(&s->beat_at, 0);
        return rc;
    }
    bool mine = gm_pg_int8(result, 0, 0) == 1;
    PQclear(result);
    if (!mine) {
        return not_leader(s, err);
    }
    atomic_store(&s->beat_at, sent);
    return 0;
}

static int beat(struct gm_state *state, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    int64_t batch = 0;
    gm_time until = in(s->patience);
    for (;;) {
        int rc = beat_once(s, err);
        if (rc != -GM_E_STATE_AWAY || gm_time_now() > until) {
            return rc;
        }
        rc = wait_to_come_back(s, until, &batch, err);
        if (rc < 0) {
            return rc;
        }
    }
}

static gm_time beat_every(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->takeover / BEATS;
}

/* A standby ends the session `takeover` after the row was moved last; that was after beat_at. */
static bool leads(const struct gm_state *state)
{
    struct gm_postgres *s = (struct gm_postgres *)(uintptr_t)state;
    gm_time now = boot_time();
    return now >= s->leads_from && now - atomic_load(&s->beat_at) < s->takeover / 2;
}

/* ---- rows */

/* Sends the batch, once. Errors: STATE_AWAY: nobody knows whether it holds. */
static int commit_once(struct gm_postgres *s, const struct gm_pg_params *p, struct gm_err *err)
{
    PGresult *result = NULL;
    gm_time sent = boot_time();
    int rc = gm_pg_query(&s->db, GM_PG_COMMIT, p, in(s->patience), "commit", &result, err);
    if (rc < 0) {
        atomic_store(&s->beat_at, 0);
        return rc;
    }
    bool done = gm_pg_int8(result, 0, 0) == 1;
    PQclear(result);
    if (!done) {
        return not_leader(s, err);
    }
    atomic_store(&s->beat_at, sent);
    return 0;
}

static int not_known(struct gm_err *err)
{
    return gm_err_set(
        err, GM_E_STATE_AWAY, 0,
        "state database: the connection broke, and another scheduler leads: whether this "
        "was stored is not known");
}

/* The connection broke, so nobody knows whether the batch holds: comes back and looks. *out_stored:
 * it does. Errors: STATE_AWAY, with which the answer stays open; NOT_LEADER: it does not, and will
 * not. */
static int find_out(struct gm_postgres *s, gm_time until, bool *out_stored, struct gm_err *err)
{
    int64_t there = -1;
    int rc = wait_to_come_back(s, until, &there, err);
    if (rc == -GM_E_NOT_LEADER && there != s->batch) { /* of this term's end, or of the next */
        return not_known(err);
    }
    *out_stored = rc == 0 && there != s->batch; /* with the lock, that is final */
    return rc;
}

static int commit(struct gm_state *state, const struct gm_state_batch *batch, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    struct gm_pg_params p = {0};
    gm_time until = in(s->patience);
    bool stored = false;
    gm_pg_add_int8(&p, (int64_t)s->term);
    gm_pg_add_int8(&p, s->batch);
    int rc = gm_pg_add_batch(&p, batch, &s->last, err);
    while (rc == 0) { /* of what is stored the replicas may not have heard: a beat waits for them */
        rc = stored ? beat_once(s, err) : commit_once(s, &p, err);
        rc = stored && rc == -GM_E_NOT_LEADER ? not_known(err) : rc;
        if (rc != -GM_E_STATE_AWAY || s->term == 0 || gm_time_now() > until) {
            break;
        }
        rc = find_out(s, until, &stored, err);
        if (rc < 0) {
            break;
        }
    }
    gm_pg_params_fini(&p);
    s->batch += rc == 0 ? 1 : 0;
    return rc;
}

/* Logs are the server's matter. Of a connection that breaks here the next commit hears, and what
 * comes after that tries again; of another leader it hears too. */
static int tidy(struct gm_state *state, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    struct gm_pg_params p = {0};
    if (s->lease_kept_to == 0 || gm_time_now() <= s->lease_kept_to) {
        return 0;
    }
    gm_pg_add_int8(&p, (int64_t)s->term);
    gm_pg_add_int8(&p, s->lease_ms);
    int rc = gm_pg_query(&s->db, "UPDATE gopmill_meta SET lease_ms = $2 WHERE term = $1", &p,
                         in(s->patience), "keep that leases are shorter now", NULL, err);
    gm_pg_params_fini(&p);
    s->lease_kept_to = rc < 0 ? s->lease_kept_to : 0;
    return rc == -GM_E_STATE_AWAY ? 0 : rc;
}

/* ---- reading */

struct loading {
    gm_state_row_fn fn;
    void *arg;
};

static int load_row(const PGresult *row, void *arg, struct gm_err *err)
{
    const struct loading *l = arg;
    char name[GM_KEY_TEXT_BYTES] = "";
    int length = PQgetlength(row, 0, 3);
    struct gm_key key = {.kind = (enum gm_row_kind)gm_pg_int8(row, 0, 1),
                         .job = (uint64_t)gm_pg_int8(row, 0, 0)};
    gm_key_set_at(&key, (uint64_t)gm_pg_int8(row, 0, 2));
    if (length < 0 || (size_t)length >= sizeof name) {
        return gm_err_set(err, GM_E_PROTO, length, "state database: a row's name has %d bytes",
                          length);
    }
    if (length > 0) {
        memcpy(name, PQgetvalue(row, 0, 3), (size_t)length);
        key.name = name;
    }
    return l->fn(&key, PQgetvalue(row, 0, 4), (size_t)PQgetlength(row, 0, 4), l->arg, err);
}

static int load(struct gm_state *state, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    struct loading l = {.fn = fn, .arg = arg};
    return gm_pg_each(&s->db, "SELECT job, kind, at, name, body FROM gopmill_row", NULL,
                      in(LOAD_TIME), "read the rows", load_row, &l, err);
}

struct reading {
    void (*fn)(const struct gm_state_event *event, void *arg);
    void *arg;
    uint64_t job;
    size_t count;
};

static int read_event(const PGresult *row, void *arg, struct gm_err *err)
{
    struct reading *r = arg;
    size_t type_size = (size_t)PQgetlength(row, 0, 1);
    size_t json_size = (size_t)PQgetlength(row, 0, 2);
    char *text = calloc(1, type_size + json_size + 2);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(text, PQgetvalue(row, 0, 1), type_size);
    memcpy(text + type_size + 1, PQgetvalue(row, 0, 2), json_size);
    struct gm_state_event e = {.seq = gm_pg_int8(row, 0, 0),
                               .job = r->job,
                               .type = text,
                               .json = text + type_size + 1,
                               .unix_ms = gm_pg_int8(row, 0, 3)};
    r->fn(&e, r->arg);
    r->count++;
    free(text);
    return 0;
}

/* The loop waits for it: so not long, and not again and again where the server does not answer. How
 * long libpq looks a name up is the resolver's matter (docs/operations.md). */
static int events(struct gm_state *state, uint64_t job, int64_t after, int limit,
                  void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                  struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    struct reading r = {.fn = fn, .arg = arg, .job = job};
    struct gm_pg_params p = {0};
    gm_time until = in(EVENTS_TIME);
    int rc = 0;
    if (s->reader_failed_at != 0 && gm_time_now() - s->reader_failed_at < EVENTS_PAUSE) {
        return gm_err_set(err, GM_E_STATE_AWAY, 0, "state database: it did not answer just now");
    }
    gm_pg_add_int8(&p, (int64_t)job);
    gm_pg_add_int8(&p, after);
    gm_pg_add_int8(&p, limit);
    bool again, old = s->reader.conn != NULL; /* it may have broken long ago: that is no failure */
    do {
        rc = s->reader.conn != NULL ? 0 : gm_pg_connect(&s->reader, s->url, until, err);
        if (rc == 0) {
            rc = gm_pg_each(&s->reader,
                            "SELECT seq, type, json, unix_ms FROM gopmill_event"
                            " WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                            &p, until, "read events", read_event, &r, err);
        }
        again = old && rc == -GM_E_STATE_AWAY && r.count == 0;
        old = false;
    } while (again);
    gm_pg_params_fini(&p);
    s->reader_failed_at = rc < 0 ? gm_time_now() : 0;
    return rc;
}

/* ---- life */

static void close_state(struct gm_state *state)
{
    struct gm_postgres *s = of(state);
    gm_pg_close(&s->db);
    gm_pg_close(&s->reader);
    gm_last_fini(&s->last);
    free(s->url);
    free(s);
}

static uint64_t term_of(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->term;
}

static int64_t last_event(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->last_event;
}

/* A longer one of a term before may be held for as long yet: a start within that time must know. */
static int lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                 struct gm_err *err)
{
    static const char sql[] = "WITH before AS (SELECT lease_ms FROM gopmill_meta),"
                              " kept AS (UPDATE gopmill_meta SET lease_ms = greatest($2, lease_ms)"
                              " WHERE term = $1 RETURNING 1)"
                              " SELECT before.lease_ms, (SELECT count(*) FROM kept) FROM before";
    struct gm_postgres *s = of(state);
    struct gm_pg_params p = {0};
    PGresult *result = NULL;
    gm_pg_add_int8(&p, (int64_t)s->term);
    gm_pg_add_int8(&p, lease_ms);
    int rc = gm_pg_query(&s->db, sql, &p, in(ASK_TIME), "keep how long leases last", &result, err);
    gm_pg_params_fini(&p);
    if (rc < 0) {
        return rc;
    }
    int64_t before = gm_pg_int8(result, 0, 0);
    bool mine = gm_pg_int8(result, 0, 1) == 1;
    PQclear(result);
    s->patience = lease_ms * GM_MS / 2;
    *out_before = before > 0 && before <= UINT32_MAX ? (uint32_t)before : 0;
    s->lease_ms = lease_ms;
    s->lease_kept_to = *out_before > lease_ms ? gm_time_now() + *out_before * GM_MS : 0;
    return mine ? 0 : not_leader(s, err);
}

int gm_postgres_open(const char *url, struct gm_state **out, struct gm_err *err)
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
    int rc = gm_pg_check_url(url, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_postgres *s = calloc(1, sizeof *s);
    char *copy = strdup(url);
    if (s == NULL || copy == NULL) {
        free(s);
        free(copy);
        return gm_err_nomem(err);
    }
    *s = (struct gm_postgres){.head.ops = &ops, .url = copy, .patience = 5 * ASK_TIME};
    *out = &s->head;
    return 0;
}
