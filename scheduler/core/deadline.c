/* Priorities, and deadlines: a job that would miss its own, should it go on as now, is of the
 * highest class. */
#include "scheduler/core/job.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/times.h"

#define UNKNOWN_REST (60 * GM_SEC) /* nothing is known of a job before its inspection */

/* How much longer it takes: by what the farm has learned, or else as it went in the last seconds;
 * before, and while nothing of it runs, as long as the programme lasts. */
static gm_time rest_of(const struct gm_core *core, const struct gm_cjob *job)
{
    gm_time left = gm_core_job_left(core, job);
    gm_time whole = job->duration_us < GM_CORE_LONGEST / 1000 ? job->duration_us * 1000 : 0;
    return left > 0 ? left : whole > 0 ? whole : UNKNOWN_REST;
}

void gm_core_job_hurry(struct gm_core *core, struct gm_cjob *job)
{
    if (core->unix_ms <= 0) {
        return;
    }
    int64_t slack = job->deadline_unix_ms - core->unix_ms;
    job->urgent = slack < rest_of(core, job) / GM_MS / 5 * 6;
    gm_core_order_class(core, job);
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
