/* What failed is made again: committed items and results stay, all else of the job is as if it had
 * just been submitted. So it is what recovery makes of rows, without the failures that they tell
 * of: those were charged for a cause that is gone. */
#include "scheduler/core/reopen.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/backlog.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/job.h"
#include "scheduler/core/keyed.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/view.h"

bool gm_core_job_is_kept(const struct gm_cjob *job)
{
    return job->state == GM_JOB_FAILED && job->cleanup_pending && job->kept_until != 0;
}

/* An object that was found broken is as broken for who goes on; playlists that grew were taken
 * down; and before inspect is done there is nothing to keep. */
static bool is_of_use(const struct gm_cjob *job)
{
    return job->state == GM_JOB_FAILED && !job->plan_only && !job->pipeline->early &&
           job->error.code != GM_E_STORE_CORRUPT && job->error.code != GM_E_MEDIA_CHUNK &&
           gm_core_task_is_done(job->inspect);
}

static void keep(struct gm_core *core, struct gm_cjob *job, gm_time left)
{
    job->kept_until = core->now + left;
    job->cleanup_at = job->kept_until;
}

void gm_core_keep_begin(struct gm_core *core, struct gm_cjob *job)
{
    gm_time time = (gm_time)core->params.keep_failed_ms * GM_MS;
    job->kept = time > 0 && is_of_use(job);
    if (job->kept) {
        keep(core, job, time);
        gm_core_job_touch(core, job);
    }
}

void gm_core_keep_resume(struct gm_core *core, struct gm_cjob *job)
{
    int64_t past = core->params.loaded_unix_ms - job->finished_unix_ms;
    int64_t left = (int64_t)core->params.keep_failed_ms - (past > 0 ? past : 0);
    if (job->kept && left > 0) {
        keep(core, job, left * GM_MS);
    }
}

void gm_core_keep_end(struct gm_core *core, struct gm_cjob *job)
{
    job->kept_until = 0;
    if (job->kept) {
        job->kept = false;
        gm_core_job_touch(core, job);
    }
}

void gm_core_keep_end_at(struct gm_core *core, const char *url)
{
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (gm_core_job_is_kept(job) && strcmp(job->destination_url, url) == 0) {
            gm_core_keep_end(core, job);
            gm_core_job_clean_again(core, job);
        }
    }
}

/* ---- again */

static int cannot(struct gm_err *err, const char *why)
{
    return gm_err_set(err, GM_E_CONFLICT, 0, "%s", why);
}

static bool is_same(const char *own, const char *now)
{
    return strcmp(own, now ? now : "") == 0;
}

static bool is_same_source(const struct gm_cjob *job, const struct gm_submit *s)
{
    return is_same(job->source_url, s->source_url) && job->source_size == s->source_size &&
           job->source_version == s->source_version && is_same(job->source_etag, s->source_etag);
}

static int check(const struct gm_cjob *job, const struct gm_submit *s, struct gm_err *err)
{
    if (job->state != GM_JOB_FAILED) {
        return cannot(err, "only a job that failed has parts that another try can go on from");
    }
    if (!gm_core_job_is_kept(job)) {
        return cannot(err, "what the job had made is not kept any more, or was of no use");
    }
    if (job->leases) {
        return cannot(err, "an attempt of the job has not ended yet");
    }
    if (!is_same_source(job, s)) {
        return cannot(err, "the source is not what it was");
    }
    if (!is_same(job->destination_url, s->destination_url) ||
        !is_same(job->destination_mark, s->destination_mark) ||
        !is_same(job->work_mark, s->work_mark)) {
        return cannot(err, "destination or work store are not those that it wrote to");
    }
    return 0;
}

int gm_view_may_reopen(const struct gm_core *core, const char *job_id, const struct gm_submit *now,
                       struct gm_err *err)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    return job ? check(job, now, err)
               : gm_err_set(err, GM_E_NOTFOUND, 0, "no job is called %.64s", job_id);
}

/* So that they count neither now nor after a restart. */
static void forgive(struct gm_core *core, struct gm_cjob *job)
{
    for (size_t i = 0; i < job->attempt_count; i++) {
        struct gm_attempt *a = job->attempts[i];
        if (a->charged) {
            a->charged = a->anew = false;
            a->charged_chunk = -1;
            a->inst->task->failures--;
            gm_core_row_attempt(core, job, a);
        }
    }
    for (size_t i = 0; i < job->lost_count; i++) {
        free(job->lost[i].name);
        job->lost[i] = (struct gm_lost_chain){.name = NULL};
    }
    job->lost_count = 0;
    gm_core_builds_fini(&job->builds);
}

static void reset(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit)
{
    if (unit->state != GM_TASK_DONE) {
        gm_core_unit_move(core, job, unit, GM_UNIT_RESET);
        gm_core_unit_clear(unit);
        unit->retry_at = 0;
    }
}

static void reset_inst(struct gm_core *core, struct gm_inst *inst)
{
    struct gm_cjob *job = inst->task->job;
    reset(core, job, &inst->unit);
    gm_core_builds_fini(&inst->builds);
    for (size_t c = 0; c < inst->chunk_count; c++) {
        reset(core, job, &inst->chunks[c].unit);
        inst->chunks[c].alone = inst->chunks[c].copied = false;
        gm_sums_note(inst, c);
    }
}

static void set_state(struct gm_core *core, struct gm_cjob *job)
{
    int next = gm_job_next(job->state, GM_JOB_EV_REOPEN);
    GM_ASSERT(next != GM_FSM_ILLEGAL);
    core->job_states[job->state]--;
    core->job_states[next]++;
    job->state = (enum gm_job_state)next;
    core->finished--;
    core->unfinished++;
    job->tenant->unfinished++;
    job->error = (struct gm_err){.code = GM_OK};
    job->finished_unix_ms = 0;
    job->deadline_unix_ms = 0;
    job->urgent = false;
    job->cleanup_pending = job->cancel_wanted = false;
    job->cleanup_at = job->wake_at = job->chain_absent_since = 0;
    job->cleanup_failures = 0;
    job->arrival = (struct gm_arrival){.waits = false};
    job->sample_count = 0;
    job->fps = 0;
    job->progress_dirty = true;
    job->retries++;
    gm_core_order_class(core, job);
    gm_core_order_due(core, job, 0);
}

int gm_core_job_reopen(struct gm_core *core, struct gm_cjob *job, const struct gm_submit *submit,
                       struct gm_err *err)
{
    int rc = check(job, submit, err);
    rc = rc < 0 ? rc : gm_core_submit_check_room(core, submit, err);
    if (rc == 0 && submit->key && gm_core_keyed_find(core, submit->key)) {
        rc = cannot(err, "a job has that key");
    }
    if (rc < 0) {
        return rc;
    }
    if (submit->key) {
        gm_core_keyed_retry(core, job, submit->key, submit->request);
    }
    gm_core_keep_end(core, job);
    set_state(core, job);
    forgive(core, job);
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            reset_inst(core, &job->tasks[t].insts[i]);
        }
    }
    gm_core_backlog_enter(core, job);
    if (submit->traceparent && submit->traceparent[0] != '\0') {
        free(job->traceparent);
        job->traceparent = gm_mem_strdup(submit->traceparent);
    }
    gm_core_job_touch(core, job);
    gm_core_fx_event(core, job, "job.state", NULL, gm_job_state_name(job->state), true);
    gm_core_job_advance(core, job);
    return 0;
}
