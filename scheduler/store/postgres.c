/* State in PostgreSQL: rows and events. Who leads: postgres_lead.c.
 *
 * Every commit is one statement that first moves the row of who leads on from (term, batch) and
 * stores nothing where it can't: a scheduler that was stopped and goes on finds another term. After
 * a connection that broke in the middle, the batch's number says whether it holds.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/store/postgres.h"
#include "scheduler/store/postgres_batch.h"

#define LOAD_TIME (600 * GM_SEC)
#define EVENTS_TIME (500 * GM_MS) /* of the loop */
#define EVENTS_PAUSE (5 * GM_SEC) /* after they failed */
#define FULL_US 200000

static gm_time in(gm_time span)
{
    return gm_time_now() + span;
}

static struct gm_postgres *of(struct gm_state *state)
{
    return (struct gm_postgres *)state;
}

/* ---- rows */

/* Sends the batch, once. Errors: STATE_AWAY: nobody knows whether it holds. */
static int commit_once(struct gm_postgres *s, const struct gm_pg_params *p, struct gm_err *err)
{
    PGresult *result = NULL;
    gm_time sent = gm_postgres_boot_time();
    int rc = gm_pg_kept(&s->db, GM_PG_COMMIT, p, in(s->patience), "commit", &result, err);
    if (rc < 0) {
        atomic_store(&s->beat_at, 0);
        return rc;
    }
    bool done = gm_pg_int8(result, 0, 0) == 1;
    PQclear(result);
    if (!done) {
        return gm_postgres_not_leader(s, err);
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
    int rc = gm_postgres_come_back(s, until, &there, err);
    if (rc == -GM_E_NOT_LEADER && there != s->batch) { /* of this term's end, or of the next */
        return not_known(err);
    }
    *out_stored = rc == 0 && there != s->batch; /* with the lock, that is final */
    return rc;
}

/* What is stored need not be tried again, nor be told as if it were not. That the server has no
 * room for the beat passes, or whether the replicas have the batch stays unknown. */
static int beat_behind(struct gm_postgres *s, gm_time until, struct gm_err *err)
{
    int rc = gm_postgres_beat_once(s, err);
    while (rc == -GM_E_STATE_FULL && gm_time_now() <= until) {
        (void)usleep(FULL_US);
        rc = gm_postgres_beat_once(s, err);
    }
    if (rc == -GM_E_STATE_FULL) {
        return gm_err_set(err, GM_E_STATE_AWAY, 0,
                          "state database: the connection broke, and the server has no room: "
                          "whether its replicas have this is not known");
    }
    return rc == -GM_E_NOT_LEADER ? not_known(err) : rc;
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
        rc = stored ? beat_behind(s, until, err) : commit_once(s, &p, err);
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

int gm_postgres_rows(struct gm_pg *db, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    struct loading l = {.fn = fn, .arg = arg};
    return gm_pg_each(db, "SELECT job, kind, at, name, body FROM gopmill_row", NULL, in(LOAD_TIME),
                      "read the rows", load_row, &l, err);
}

static int load(struct gm_state *state, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    return gm_postgres_rows(&of(state)->db, fn, arg, err);
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
    gm_postgres_resign(s);
    gm_pg_close(&s->db);
    gm_pg_close(&s->reader);
    gm_last_fini(&s->last);
    free(s->url);
    free(s);
}

static int64_t last_event(const struct gm_state *state)
{
    return ((const struct gm_postgres *)state)->last_event;
}

int gm_postgres_open(const char *url, struct gm_state **out, struct gm_err *err)
{
    static const struct gm_state_ops ops = {.close = close_state,
                                            .lead = gm_postgres_lead,
                                            .term = gm_postgres_term,
                                            .last_event = last_event,
                                            .lease = gm_postgres_lease,
                                            .load = load,
                                            .commit = commit,
                                            .tidy = tidy,
                                            .beat = gm_postgres_beat,
                                            .beat_every = gm_postgres_beat_every,
                                            .leads = gm_postgres_leads,
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
    *s = (struct gm_postgres){.head.ops = &ops, .url = copy, .patience = 5 * GM_POSTGRES_ASK_TIME};
    *out = &s->head;
    return 0;
}
