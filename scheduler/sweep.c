#include "scheduler/sweep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/daemon_parts.h"

#define EVERY_MS INT64_C(3600000)
#define FIRST_MS INT64_C(300000) /* after a start: others have more to do then */

struct waiter {
    gm_sweep_fn fn; /* NULL: free */
    void *arg;
    gm_time until;
};

struct gm_sweep_run {
    struct gm_daemon *d; /* borrowed */
    uint64_t id;
    struct gm_leftovers found; /* the pool's until it is listed */
    size_t at;
    bool dry_run, listed, more, ended;
    int64_t now_unix_ms;
    struct waiter waiters[GM_SWEEP_WAITERS];
    int rc; /* of the step */
    struct gm_err err;
    int first_rc; /* the first that failed */
    struct gm_err first;
};

static void run_step(struct gm_sweep_run *run)
{
    struct gm_store *store = NULL;
    run->rc =
        gm_stores_open(run->d->stores, run->d->settings->work_store, false, &store, &run->err);
    if (run->rc == 0 && !run->listed) {
        run->rc = gm_leftovers_list(store, run->now_unix_ms, &run->found, &run->err);
    } else if (run->rc == 0) {
        run->rc = gm_publish_check_lead(run->d, &run->err);
        if (run->rc == 0) {
            run->rc =
                gm_leftovers_delete(store, run->found.rows[run->at].job_id, &run->more, &run->err);
        }
    }
    gm_store_close(&store);
}

static int still_leads(void *arg, struct gm_err *err)
{
    const struct gm_sweep_run *run = arg;
    return gm_publish_check_lead(run->d, err);
}

static void run_work(void *arg)
{
    const struct gm_stores_limit limit = {.wanted = still_leads, .arg = arg};
    gm_stores_limit(&limit);
    run_step(arg);
    gm_stores_limit(NULL);
}

/* Nobody writes there any more, or will. Sets why. */
static bool may_go(const struct gm_core *core, struct gm_leftover *row)
{
    bool over = false;
    if (!gm_view_job_is_over(core, row->job_id, &over)) {
        row->why = GM_LEFTOVER_UNKNOWN;
        return row->age_ms >= GM_LEFTOVER_AGE_MS;
    }
    row->why = GM_LEFTOVER_ENDED;
    return over;
}

static void keep_what_may_go(struct gm_sweep_run *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->found.count; i++) {
        if (may_go(run->d->core, &run->found.rows[i])) {
            run->found.rows[kept++] = run->found.rows[i];
        }
    }
    run->found.count = kept;
}

/* ---- who follows it */

static void tell(struct gm_sweep_run *run, struct waiter *w)
{
    static const struct gm_leftovers none = {.count = 0};
    const struct gm_sweep_view view = {.id = run->id,
                                       .dry_run = run->dry_run,
                                       .ended = run->ended,
                                       .listed = run->listed,
                                       .found = run->listed ? &run->found : &none,
                                       .rc = run->first_rc,
                                       .err = &run->first};
    gm_sweep_fn fn = w->fn;
    w->fn = NULL;
    fn(&view, w->arg);
}

static void tell_those(struct gm_sweep_run *run, gm_time now)
{
    for (size_t i = 0; i < GM_SWEEP_WAITERS; i++) {
        struct waiter *w = &run->waiters[i];
        if (w->fn != NULL && (run->ended || now >= w->until)) {
            tell(run, w);
        }
    }
}

static int follow(struct gm_sweep_run *run, gm_sweep_fn fn, void *arg, struct gm_err *err)
{
    for (size_t i = 0; i < GM_SWEEP_WAITERS; i++) {
        struct waiter *w = &run->waiters[i];
        if (w->fn == NULL) {
            *w = (struct waiter){fn, arg, gm_time_now() + (gm_time)GM_SWEEP_WAIT_MS * GM_MS};
            if (run->ended) {
                tell(run, w);
            }
            return 0;
        }
    }
    return gm_err_set(err, GM_E_BUSY, 0, "too many wait for the sweep of the work store");
}

/* ---- step by step */

static void run_done(void *arg);

/* The next job's: it may have come to be known since. */
static bool go_on(struct gm_sweep_run *run)
{
    struct gm_err error = {0};
    while (run->listed && run->at < run->found.count &&
           !may_go(run->d->core, &run->found.rows[run->at])) {
        run->at++;
    }
    if (run->listed && (run->dry_run || run->at == run->found.count)) {
        return false;
    }
    int rc = run->d->stopping ? gm_err_set(&error, GM_E_CANCELLED, 0, "the scheduler stops")
                              : gm_daemon_work(run->d, run_work, run_done, run, &error);
    if (rc < 0 && run->first_rc == 0) {
        run->first_rc = rc;
        run->first = error;
    }
    return rc == 0;
}

static void run_next(struct gm_sweep_run *run)
{
    if (go_on(run)) {
        return;
    }
    run->ended = true;
    if (run->first_rc < 0) {
        gm_log_err(GM_LOG_WARN, "sweep_failed", &run->first, "again_s=%" PRId64, EVERY_MS / 1000);
    }
    tell_those(run, 0);
}

static void end_list(struct gm_sweep_run *run)
{
    run->listed = true;
    keep_what_may_go(run);
}

static void end_row(struct gm_sweep_run *run)
{
    struct gm_leftover *row = &run->found.rows[run->at++];
    row->deleted = run->rc == 0;
    if (row->deleted) {
        gm_log(GM_LOG_INFO, "swept",
               "job=%s objects=%" PRIu64 " bytes=%" PRIu64 " uploads=%" PRIu64, row->job_id,
               row->objects, row->bytes, row->uploads);
    }
}

/* One job's that can't be deleted keeps none of those behind it. */
static void run_done(void *arg)
{
    struct gm_sweep_run *run = arg;
    if (run->rc < 0 && run->first_rc == 0) {
        run->first_rc = run->rc;
        run->first = run->err;
    }
    if (!run->listed) {
        end_list(run);
    } else if (run->rc < 0 || !run->more) {
        end_row(run);
    }
    run_next(run);
}

static void free_run(struct gm_sweep_run *run)
{
    if (run != NULL) {
        gm_leftovers_fini(&run->found);
        free(run);
    }
}

static int begin(struct gm_daemon *d, bool dry_run, struct gm_err *err)
{
    struct gm_sweep_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return gm_err_nomem(err);
    }
    run->d = d;
    run->id = d->sweep.runs + 1;
    run->dry_run = dry_run;
    run->now_unix_ms = gm_time_unix_ms();
    int rc = gm_daemon_work(d, run_work, run_done, run, err);
    if (rc < 0) {
        free(run);
        return rc;
    }
    free_run(d->sweep.run);
    d->sweep.run = run;
    d->sweep.runs++;
    return 0;
}

static bool is_under_way(const struct gm_sweep *sweep)
{
    return sweep->run != NULL && !sweep->run->ended;
}

int gm_sweep_ask(struct gm_daemon *d, bool dry_run, uint64_t id, gm_sweep_fn fn, void *arg,
                 struct gm_err *err)
{
    const struct gm_sweep_run *run = d->sweep.run;
    bool known = run != NULL && id == run->id;
    int rc = 0;
    if (id != 0 && !known) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "there is no sweep %" PRIu64, id);
    }
    if (is_under_way(&d->sweep) && !known && run->dry_run && !dry_run) {
        return gm_err_set(err, GM_E_BUSY, 0, "somebody looks what is left in the work store");
    }
    if (!known && !is_under_way(&d->sweep)) {
        rc = begin(d, dry_run, err);
    }
    return rc < 0 ? rc : follow(d->sweep.run, fn, arg, err);
}

void gm_sweep_fini(struct gm_sweep *sweep)
{
    free_run(sweep->run);
    sweep->run = NULL;
}

void gm_sweep_tick(struct gm_daemon *d)
{
    int64_t now_unix_ms = gm_time_unix_ms();
    struct gm_err err = {0};
    if (is_under_way(&d->sweep)) {
        tell_those(d->sweep.run, gm_time_now());
    }
    if (d->sweep.next_unix_ms == 0) {
        d->sweep.next_unix_ms = now_unix_ms + FIRST_MS;
    }
    if (now_unix_ms >= d->sweep.next_unix_ms) {
        d->sweep.next_unix_ms = now_unix_ms + EVERY_MS;
        if (!is_under_way(&d->sweep) && begin(d, false, &err) < 0) {
            gm_log_err(GM_LOG_WARN, "sweep_failed", &err, "again_s=%" PRId64, EVERY_MS / 1000);
        }
    }
}
