/* Priorities, and deadlines: a job that would miss its own, should it go on as now, is of the
 * highest class; and of a tenant's jobs in a class those go first, the earliest deadline before the
 * others, that would miss it were they to wait until they are aged. What missed it goes by shares
 * again, for others may still meet theirs. */
#include "scheduler/core/job.h"
#include "scheduler/core/news.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/times.h"

#define UNKNOWN_REST (60 * GM_SEC) /* nothing is known of a job before its inspection */

/* How much longer it takes in the class of its priority, so that being urgent does not change it:
 * by what the farm has learned, or else as it went in the last seconds; before, and while nothing
 * of it runs, as long as the programme lasts. */
static gm_time rest_of(const struct gm_core *core, const struct gm_cjob *job)
{
    gm_time left = gm_core_job_left_as(core, job, gm_fair_class(job->priority));
    gm_time whole = job->duration_us < GM_CORE_LONGEST / 1000 ? job->duration_us * 1000 : 0;
    return left > 0 ? left : whole > 0 ? whole : UNKNOWN_REST;
}

/* In its event, once. */
static void tell(struct gm_core *core, struct gm_cjob *job, enum gm_news news, const char *type)
{
    if ((job->told & (uint32_t)news) == 0) {
        job->told |= (uint32_t)news;
        gm_core_job_touch(core, job);
        gm_core_fx_event(core, job, type, NULL, gm_job_state_name(job->state), true);
    }
}

void gm_core_job_late(struct gm_core *core, struct gm_cjob *job)
{
    const int64_t at = job->finished_unix_ms > 0 ? job->finished_unix_ms : core->unix_ms;
    bool cancelled = job->state == GM_JOB_CANCELLING || job->state == GM_JOB_CANCELLED;
    if (job->deadline_unix_ms > 0 && at > job->deadline_unix_ms && !cancelled) {
        core->counts.missed += (job->told & GM_NEWS_MISSED) == 0 ? 1 : 0;
        tell(core, job, GM_NEWS_MISSED, "job.deadline_missed");
    }
}

void gm_core_job_hurry(struct gm_core *core, struct gm_cjob *job)
{
    if (core->unix_ms <= 0) {
        return;
    }
    int64_t slack = job->deadline_unix_ms - core->unix_ms;
    int64_t takes = rest_of(core, job) / GM_MS / 5 * 6;
    bool first = slack > 0 && slack < takes + GM_ORDER_AGE / GM_MS;
    gm_time left = gm_core_job_left_as(core, job, GM_CLASS_HIGH); /* and there it still is late */
    job->urgent = slack < takes;
    gm_core_order_class(core, job);
    gm_core_order_due(core, job, first ? job->deadline_unix_ms : 0);
    gm_core_job_late(core, job);
    if (slack > 0 && left / GM_MS > slack) {
        tell(core, job, GM_NEWS_LATE, "job.deadline_doubtful");
    }
}

const char *gm_core_deadline_state(const struct gm_core *core, const struct gm_cjob *job,
                                   gm_time left)
{
    bool over = gm_job_state_is_final(job->state);
    if (job->deadline_unix_ms == 0) {
        return "";
    }
    if ((job->told & GM_NEWS_MISSED) != 0) {
        return "missed";
    }
    if (job->state == GM_JOB_DONE && job->finished_unix_ms > job->deadline_unix_ms) {
        return "missed"; /* before that was told of */
    }
    if (over) {
        return job->state == GM_JOB_DONE ? "met" : "";
    }
    return left / GM_MS > job->deadline_unix_ms - core->unix_ms ? "doubtful" : "ahead";
}

int gm_core_job_set_priority(struct gm_core *core, struct gm_cjob *job, int32_t priority,
                             struct gm_err *err)
{
    if (priority < 0 || priority > 100) {
        return gm_err_set(err, GM_E_INVAL, priority, "a priority is a number from 0 to 100");
    }
    if (gm_job_state_is_final(job->state)) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s is %s already", job->id,
                          gm_job_state_name(job->state));
    }
    gm_core_order_priority(core, job, priority);
    gm_core_order_change(core, job);
    core->order.settled = false; /* others may go before it now */
    core->place_dirty = true;
    gm_core_job_touch(core, job);
    return 0;
}
