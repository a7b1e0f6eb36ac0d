#include "scheduler/core/publishing.h"

#include <stdio.h>
#include <stdlib.h>

#include "scheduler/core/backup.h"
#include "scheduler/core/job.h"
#include "scheduler/core/rows.h"

gm_time gm_core_pause_after(uint32_t failures, gm_time first, gm_time longest)
{
    gm_time pause = first;
    for (uint32_t i = 1; i < failures && pause < longest; i++) {
        pause *= 2;
    }
    return pause < longest ? pause : longest;
}

void gm_core_publishing_start(struct gm_core *core, struct gm_cjob *job)
{
    job->publish_pending = true;
    job->publish_at = 0;
    if (job->state == GM_JOB_PUBLISHING && !job->publish_tried) {
        job->publish_tried = true;
        gm_core_job_touch(core, job);
    }
    gm_core_fx_publish(core, job);
}

void gm_core_job_publish_again(struct gm_core *core, struct gm_cjob *job)
{
    gm_core_publishing_start(core, job);
}

void gm_core_publishing_forget(struct gm_cjob *job)
{
    job->publish_failures = job->publish_broken = 0;
    free(job->publish_error);
    free(job->publish_held);
    job->publish_error = NULL;
    job->publish_held = NULL;
}

/* It is given up. Where no manifest can stand, the outputs need not either. */
static void give_up(struct gm_core *core, struct gm_cjob *job)
{
    gm_core_publishing_forget(job);
    job->publish_tried = job->manifests;
    gm_core_job_touch(core, job);
}

/* Tries in all, where the last one ended so. */
static uint32_t most_tries(const struct gm_cjob *job, enum gm_code code)
{
    bool passes = code == GM_OK || gm_code_get((int)code)->retry != GM_RETRY_NEVER;
    return job->state == GM_JOB_PUBLISHING && passes ? GM_CORE_PUBLISH_TRIES : GM_CORE_REPORT_TRIES;
}

/* A destination that fails may mend itself; an output that is lost rarely comes back, but a folder
 * of the network may be mounted again. */
static void count_failure(struct gm_cjob *job, const struct gm_err *failure)
{
    job->publish_failures++;
    job->publish_broken = failure->code == GM_E_STORE_CORRUPT ? job->publish_broken + 1 : 0;
    if (!job->publish_error) {
        job->publish_error = gm_mem_zalloc(sizeof(*job->publish_error));
    }
    *job->publish_error = *failure;
}

static void try_later(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure)
{
    job->publish_at = core->now + gm_core_pause_after(job->publish_failures, GM_CORE_PUBLISH_PAUSE,
                                                      GM_CORE_PUBLISH_LONGEST);
    gm_core_fx_said(core, job, "publish.retry", gm_code_get((int)failure->code)->id, failure->text);
}

void gm_core_job_published(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                           bool manifests)
{
    if (!job->publish_pending) {
        return;
    }
    job->publish_pending = false;
    free(job->publish_held);
    job->publish_held = NULL;
    const struct gm_err why = *failure;
    bool over = why.code == GM_OK;
    if (!over) {
        /* Found before anything was written: what stands there is another's. */
        job->manifests = why.code != GM_E_TITLE_EXISTS && (job->manifests || manifests);
        count_failure(job, &why);
        bool tired = why.code == GM_E_TITLE_EXISTS ||
                     job->publish_failures >= most_tries(job, why.code) ||
                     job->publish_broken >= GM_CORE_PUBLISH_BROKEN;
        if (job->state == GM_JOB_PUBLISHING && job->cancel_wanted) {
            give_up(core, job);
            gm_core_job_set_cancelled(job);
            gm_core_job_move(core, job, GM_JOB_EV_ABORT);
            gm_core_job_settle(core, job);
        } else if (job->state == GM_JOB_PUBLISHING && tired) {
            give_up(core, job);
            gm_core_job_fail(core, job, &why);
        } else if (tired) {
            over = true;
        } else {
            try_later(core, job, &why);
        }
    }
    if (over) {
        gm_core_publishing_forget(job);
        gm_core_job_move(core, job, GM_JOB_EV_REPORTED);
        gm_core_backup_begin(core, job);
        gm_core_job_start_cleanup(core, job);
    }
}

void gm_core_publishing_held(struct gm_core *core, struct gm_cjob *job, const char *why)
{
    if (!job->publish_pending || job->publish_held) {
        return;
    }
    job->publish_held = gm_mem_strdup(why);
    gm_core_fx_said(core, job, "publish.held", "", why);
}

void gm_core_publishing_view(const struct gm_core *core, const struct gm_cjob *job,
                             struct gm_publishing_view *out)
{
    *out = (struct gm_publishing_view){.held = job->publish_held ? job->publish_held : "",
                                       .tries = job->publish_failures,
                                       .pending = job->publish_pending};
    if (job->publish_error) {
        out->error = *job->publish_error;
    }
    out->most = most_tries(job, out->error.code);
    if (job->publish_at > core->now && core->unix_ms > 0) {
        out->next_unix_ms = core->unix_ms + (job->publish_at - core->now) / GM_MS;
    }
}

void gm_core_publishing_explain(const struct gm_core *core, const struct gm_cjob *job, gm_time now,
                                struct gm_explain_row *row)
{
    struct gm_publishing_view v;
    bool made = job->state == GM_JOB_PUBLISHING;
    const char *what = made ? "report and manifests" : "the report of how it ended";
    gm_core_publishing_view(core, job, &v);
    *row = (struct gm_explain_row){.task = "publish",
                                   .state = v.pending ? GM_TASK_RUNNING : GM_TASK_BACKOFF};
    if (v.held[0] != '\0') {
        (void)snprintf(row->why, sizeof(row->why), "To write %s it waits: %.240s.", what, v.held);
    } else if (v.error.code == GM_OK) {
        (void)snprintf(row->why, sizeof(row->why), "It writes %s.", what);
    } else {
        gm_time left = job->publish_at - now;
        char when[48] = "is being tried again";
        if (!v.pending) {
            (void)snprintf(when, sizeof(when), "is tried again in %d s",
                           left > 0 ? (int)((left + GM_SEC - 1) / GM_SEC) : 0);
        }
        (void)snprintf(row->why, sizeof(row->why),
                       "To write %s failed %u times of at most %u and %s; last: %.200s", what,
                       v.tries, v.most, when, v.error.text);
    }
}
