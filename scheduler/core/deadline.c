/* Deadlines: a job that would miss its own, should it go on as now, is of the highest class. */
#include "scheduler/core/job.h"
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
