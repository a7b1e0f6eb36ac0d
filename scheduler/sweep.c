#include "scheduler/sweep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/daemon_parts.h"

#define EVERY_MS INT64_C(3600000)
#define FIRST_MS INT64_C(300000) /* after a start: others have more to do then */

struct run {
    struct gm_daemon *d; /* borrowed */
    struct gm_leftovers found;
    size_t at;
    bool dry_run, listed, more;
    int64_t now_unix_ms;
    gm_sweep_fn fn;
    void *arg;
    int rc;
    struct gm_err err;
};

static void run_step(struct run *run)
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
    const struct run *run = arg;
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
    struct gm_job_view job;
    struct gm_err err;
    int rc = gm_view_job(core, row->job_id, &job, &err);
    if (rc < 0) {
        row->why = GM_LEFTOVER_UNKNOWN;
        return rc == -GM_E_NOTFOUND && row->age_ms >= GM_LEFTOVER_AGE_MS;
    }
    row->why = GM_LEFTOVER_ENDED;
    bool over = gm_job_state_is_final(job.state) && !job.cleanup_pending;
    gm_view_job_fini(&job);
    return over;
}

static void keep_what_may_go(struct run *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->found.count; i++) {
        if (may_go(run->d->core, &run->found.rows[i])) {
            run->found.rows[kept++] = run->found.rows[i];
        }
    }
    run->found.count = kept;
}

static void run_done(void *arg);

/* The next job's: it may have come to be known since. */
static bool go_on(struct run *run)
{
    struct gm_err error = {0};
    while (run->at < run->found.count && run->listed &&
           !may_go(run->d->core, &run->found.rows[run->at])) {
        run->at++;
    }
    bool over = run->listed && (run->dry_run || run->d->stopping || run->at == run->found.count);
    if (run->rc < 0 || over) {
        return false;
    }
    int queued = gm_daemon_work(run->d, run_work, run_done, run, &error);
    if (queued < 0) {
        run->rc = queued;
        run->err = error;
    }
    return queued == 0;
}

static void run_next(struct run *run)
{
    if (go_on(run)) {
        return;
    }
    run->d->sweep.busy = false;
    run->fn(run->rc, &run->err, &run->found, run->arg);
    gm_leftovers_fini(&run->found);
    free(run);
}

static void run_done(void *arg)
{
    struct run *run = arg;
    if (run->rc == 0 && !run->listed) {
        run->listed = true;
        keep_what_may_go(run);
    } else if (run->rc == 0 && !run->more) {
        gm_log(GM_LOG_INFO, "swept",
               "job=%s objects=%" PRIu64 " bytes=%" PRIu64 " uploads=%" PRIu64,
               run->found.rows[run->at].job_id, run->found.rows[run->at].objects,
               run->found.rows[run->at].bytes, run->found.rows[run->at].uploads);
        run->at++;
    }
    run_next(run);
}

int gm_sweep_start(struct gm_daemon *d, bool dry_run, gm_sweep_fn fn, void *arg, struct gm_err *err)
{
    if (d->sweep.busy) {
        return gm_err_set(err, GM_E_BUSY, 0, "the work store is being swept already");
    }
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return gm_err_nomem(err);
    }
    *run = (struct run){
        .d = d, .dry_run = dry_run, .now_unix_ms = gm_time_unix_ms(), .fn = fn, .arg = arg};
    int rc = gm_daemon_work(d, run_work, run_done, run, err);
    if (rc < 0) {
        free(run);
        return rc;
    }
    d->sweep.busy = true;
    return 0;
}

static void log_end(int rc, const struct gm_err *err, const struct gm_leftovers *found, void *arg)
{
    (void)found;
    (void)arg;
    if (rc < 0) {
        gm_log_err(GM_LOG_WARN, "sweep_failed", err, "again_s=%" PRId64, EVERY_MS / 1000);
    }
}

void gm_sweep_tick(struct gm_daemon *d)
{
    int64_t now_unix_ms = gm_time_unix_ms();
    struct gm_err err = {0};
    if (d->sweep.next_unix_ms == 0) {
        d->sweep.next_unix_ms = now_unix_ms + FIRST_MS;
    }
    if (now_unix_ms >= d->sweep.next_unix_ms) {
        d->sweep.next_unix_ms = now_unix_ms + EVERY_MS;
        int rc = gm_sweep_start(d, false, log_end, NULL, &err);
        if (rc < 0 && rc != -GM_E_BUSY) {
            log_end(rc, &err, NULL, NULL);
        }
    }
}
