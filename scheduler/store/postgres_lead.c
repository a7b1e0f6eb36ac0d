/* Who leads, of the schedulers that share a PostgreSQL, is one row: the term, raised by whoever
 * takes over, and the number of the last batch.
 *
 * An advisory lock of the session tells standbys at once that a leader's process is gone. One that
 * hangs keeps it, and stops moving the row's `beat`: then its session is ended. A lock that is free
 * because the server, or the network, was gone is left to who led before: a standby that connected
 * just now does not ask for it at once. Times are compared by the server's clock alone.
 * See: https://www.postgresql.org/docs/15/explicit-locking.html
 */
#include <time.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "scheduler/store/postgres.h"

#define SCHEMA_TEXT "2"        /* GM_STATE_SCHEMA: the keys are the same */
#define LOCK_TEXT "7452170943" /* of gopmill, by chance */
#define ASK_TIME GM_POSTGRES_ASK_TIME
#define WRITE_TIME (30 * GM_SEC)
#define FOREVER (1000000 * GM_SEC)
#define BUSY_TEXT "30 seconds"  /* a statement that runs for so long is no excuse any more */
#define LOAD_TEXT "600 seconds" /* a leader that begins reads its rows first, and says nothing */
#define RETRY_US 50000
#define BEATS 6 /* in the time after which another takes over */

static const struct gm_pg_params NO_PARAMS;

/* What changes a table waits for all that read it, a dump for hours, and all others wait behind it,
 * who leads too: so it waits for moments, and is asked for again (55P03: STATE_AWAY). */
static const char MAKE[] =
    "SET LOCAL lock_timeout = '200ms';"
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
    "CREATE INDEX IF NOT EXISTS gopmill_event_by_job ON gopmill_event(job, seq);"
    "ALTER TABLE gopmill_meta ADD COLUMN IF NOT EXISTS last_event int8 NOT NULL DEFAULT 0";
/* The last that is made: a release before has no such column, and asks for none. */
static const char MADE[] =
    "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('gopmill_meta')"
    " AND attname = 'last_event'";

gm_time gm_postgres_boot_time(void)
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

int gm_postgres_not_leader(struct gm_postgres *s, struct gm_err *err)
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
    int rc =
        gm_pg_query(&s->db, MADE, &NO_PARAMS, in(ASK_TIME), "look for the tables", &result, err);
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
    return mine ? 0 : gm_postgres_not_leader(s, err);
}

/* ---- who leads */

static int raise_term(struct gm_postgres *s, struct gm_err *err)
{
    static const char sql[] =
        "WITH raised AS (UPDATE gopmill_meta SET term = term + 1,"
        " beat = clock_timestamp() + interval '" LOAD_TEXT "' RETURNING term, batch, last_event)"
        " SELECT term, batch, greatest(last_event, (SELECT max(seq) FROM gopmill_event))"
        " FROM raised";
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
    s->leads_from = gm_postgres_boot_time() + s->takeover / 2;
    GM_CRASH("state.term_raised");
    return 0;
}

/* Who led before comes first: where a connection of this one's own broke; and, of a first one,
 * where the server was started just now, or a leader that did not resign spoke just now. */
static int gives_way(struct gm_postgres *s, bool *out, struct gm_err *err)
{
    static const char sql[] =
        "SELECT (term > 0 AND isfinite(beat) AND greatest(beat, pg_postmaster_start_time())"
        " > clock_timestamp() - $1 * interval '1 millisecond')::int::int8 FROM gopmill_meta";
    struct gm_pg_params p = {0};
    PGresult *result = NULL;
    *out = gm_time_now() - s->connected_at < s->takeover;
    if (!*out || s->again) {
        return 0;
    }
    gm_pg_add_int8(&p, s->takeover / GM_MS);
    int rc = gm_pg_query(&s->db, sql, &p, in(ASK_TIME), "ask when the leader spoke", &result, err);
    gm_pg_params_fini(&p);
    if (rc == 0) {
        *out = gm_pg_int8(result, 0, 0) != 0;
        PQclear(result);
    }
    return rc;
}

int gm_postgres_lead(struct gm_state *state, gm_time takeover, bool *out_leads, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    s->takeover = takeover;
    bool locked = false;
    bool waits = false;
    int rc = s->db.conn != NULL ? 0 : connect_to(s, in(ASK_TIME), err);
    *out_leads = s->term != 0;
    if (rc < 0 || s->term != 0) {
        return rc;
    }
    rc = gives_way(s, &waits, err);
    if (rc < 0 || waits) {
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

int gm_postgres_come_back(struct gm_postgres *s, gm_time until, int64_t *out, struct gm_err *err)
{
    for (;;) {
        int rc = come_back(s, out, err);
        if (rc != -GM_E_STATE_AWAY || gm_time_now() > until) {
            return rc;
        }
        (void)usleep(RETRY_US);
    }
}

int gm_postgres_beat_once(struct gm_postgres *s, struct gm_err *err)
{
    struct gm_pg_params p = {0};
    PGresult *result = NULL;
    gm_time sent = gm_postgres_boot_time();
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
        return gm_postgres_not_leader(s, err);
    }
    atomic_store(&s->beat_at, sent);
    return 0;
}

int gm_postgres_beat(struct gm_state *state, struct gm_err *err)
{
    struct gm_postgres *s = of(state);
    int64_t batch = 0;
    gm_time until = in(s->patience);
    for (;;) {
        int rc = gm_postgres_beat_once(s, err);
        if (rc != -GM_E_STATE_AWAY || gm_time_now() > until) {
            return rc;
        }
        rc = gm_postgres_come_back(s, until, &batch, err);
        if (rc < 0) {
            return rc;
        }
    }
}

void gm_postgres_resign(struct gm_postgres *s)
{
    struct gm_pg_params p = {0};
    struct gm_err err = {0};
    if (s->term == 0 || s->db.conn == NULL) {
        return;
    }
    gm_pg_add_int8(&p, (int64_t)s->term);
    int rc = gm_pg_query(&s->db, "UPDATE gopmill_meta SET beat = '-infinity' WHERE term = $1", &p,
                         in(ASK_TIME), "say that it ends", NULL, &err);
    gm_pg_params_fini(&p);
    /* The server ends the session when it comes to that, and the lock is held until then. */
    if (rc == 0) {
        rc = gm_pg_query(&s->db, "SELECT pg_advisory_unlock(" LOCK_TEXT ")", &NO_PARAMS,
                         in(ASK_TIME), "give the lock back", NULL, &err);
    }
    if (rc < 0) { /* then who starts next waits */
        gm_log(GM_LOG_WARN, "resign_failed", "text=\"%s\"", err.text);
    }
}

gm_time gm_postgres_beat_every(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->takeover / BEATS;
}

/* A standby ends the session `takeover` after the row was moved last; that was after beat_at. */
bool gm_postgres_leads(const struct gm_state *state)
{
    struct gm_postgres *s = (struct gm_postgres *)(uintptr_t)state;
    gm_time now = gm_postgres_boot_time();
    return now >= s->leads_from && now - atomic_load(&s->beat_at) < s->takeover / 2;
}

uint64_t gm_postgres_term(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->term;
}

/* A longer one of a term before may be held for as long yet: a start within that time must know. */
int gm_postgres_lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
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
    return mine ? 0 : gm_postgres_not_leader(s, err);
}
