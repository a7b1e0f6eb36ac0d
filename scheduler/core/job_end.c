/* How a job goes on and how it ends: advance, fail, cancel, cleanup. Publishing: publishing.c. */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/adopt.h"
#include "scheduler/core/backup.h"
#include "scheduler/core/count.h"
#include "scheduler/core/job.h"
#include "scheduler/core/keyed.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/news.h"
#include "scheduler/core/node.h"
#include "scheduler/core/publishing.h"
#include "scheduler/core/reopen.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/view.h"
#include "scheduler/core/watch.h"

void gm_core_job_move(struct gm_core *core, struct gm_cjob *job, enum gm_job_event_kind event)
{
    int next = gm_job_next(job->state, event);
    GM_ASSERT(next != GM_FSM_ILLEGAL);
    enum gm_job_state before = job->state;
    if ((int)before == next) {
        return;
    }
    job->state = (enum gm_job_state)next;
    core->job_states[before]--;
    core->job_states[next]++;
    gm_core_job_touch(core, job);
    if (job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) {
        gm_core_unheard_end_job(core, job);
        gm_core_backlog_set(core, job, NULL);
    }
    const char *name = gm_job_state_name(job->state);
    if (gm_job_state_is_final(job->state)) {
        job->finished_unix_ms = gm_core_stamp(
            core, job->started_unix_ms != 0 ? job->started_unix_ms : job->created_unix_ms);
        core->unfinished--;
        gm_core_order_finish(job);
        core->finished++;
        gm_core_count_ended(core, job);
        gm_core_job_late(core, job);
        gm_core_watch_forget_job(core, job);
        if (job->state == GM_JOB_FAILED) { /* of this time: it may go on, and fail for another */
            gm_core_fx_said(core, job, "job.failed", gm_code_get((int)job->error.code)->id,
                            job->error.text);
        } else {
            gm_core_fx_event(core, job, job->state == GM_JOB_DONE ? "job.done" : "job.cancelled",
                             NULL, name, true);
        }
    } else if (strcmp(name, gm_job_state_name(before)) != 0) {
        gm_core_fx_event(core, job, "job.state", NULL, name, true);
    }
}

static bool needs_are_done(const struct gm_ctask *task)
{
    for (uint32_t i = 0; i < task->need_count; i++) {
        const struct gm_ctask *need = &task->job->tasks[task->needs[i]];
        bool stream = task->type->feed != GM_FEED_NONE && need->type->role == GM_ROLE_SPLIT;
        if (!stream && !gm_core_task_is_done(need)) {
            return false;
        }
    }
    return true;
}

/* Stream edges: chunks are announced one by one, so their instance opens when split's own needs
 * and the barriers are done; a track opens with the first piece of its stream. */
static bool may_unblock(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    if (!needs_are_done(inst->task)) {
        return false;
    }
    if (inst->task->type->feed == GM_FEED_NONE) {
        return true;
    }
    if (inst->task->type->fan == GM_FAN_RUNS) {
        return gm_core_task_is_done(job->plan);
    }
    const struct gm_stream *in = gm_core_inst_inputs(inst);
    return gm_core_split_is_done(job) || (in && in->committed > 0);
}

static bool runs_are_complete(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    if (!gm_core_split_is_done(job)) {
        return false;
    }
    const struct gm_stream *in = gm_core_inst_stream(&job->split->insts[0], 0);
    return inst->chunk_done == (in ? in->committed : 0);
}

/* The result of chunks is their sum. */
static void complete_runs(struct gm_core *core, struct gm_inst *inst)
{
    struct gm_cjob *job = inst->task->job;
    if (inst->task->type->role == GM_ROLE_ANALYZE) {
        struct gm_err err = {.code = GM_OK};
        if (gm_core_analyze_sum(inst, &inst->meta, &inst->meta_size, &err) < 0) {
            gm_core_job_fail(core, job, &err);
            return;
        }
    } else {
        Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
        meta.frames = job->frames_committed;
        inst->meta = gm_mem_encode(&meta.base, &inst->meta_size);
    }
    gm_core_unit_move(core, job, &inst->unit, GM_UNIT_RESTORE);
    inst->done_term = core->params.term;
    gm_core_row_task(core, inst);
    gm_core_fx_event(core, job, "task", inst->task->name, "done", true);
}

static bool advance_task(struct gm_core *core, struct gm_ctask *task)
{
    bool changed = false;
    for (uint32_t i = 0; i < task->inst_count; i++) {
        struct gm_inst *inst = &task->insts[i];
        if (inst->unit.state == GM_TASK_BLOCKED && may_unblock(inst)) {
            gm_core_unit_move(core, task->job, &inst->unit, GM_UNIT_UNBLOCK);
            gm_core_chunks_unblock(core, inst);
            changed = true;
        }
        if (task->type->fan == GM_FAN_RUNS && inst->unit.state == GM_TASK_READY &&
            runs_are_complete(inst)) {
            complete_runs(core, inst);
            changed = true;
        }
    }
    return changed;
}

void gm_core_job_end_units(struct gm_core *core, struct gm_cjob *job)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            struct gm_inst *inst = &job->tasks[t].insts[i];
            if (!gm_task_state_is_final(inst->unit.state)) {
                gm_core_unit_move(core, job, &inst->unit, GM_UNIT_END);
            }
            for (size_t c = 0; c < inst->chunk_count; c++) {
                if (!gm_task_state_is_final(inst->chunks[c].unit.state)) {
                    gm_core_unit_move(core, job, &inst->chunks[c].unit, GM_UNIT_END);
                }
            }
        }
    }
    job->wake_at = 0;
}

static bool is_settled(const struct gm_core *core, const char *node_id)
{
    const struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    return node && node->settled;
}

/* A node may still store what the scheduler before this one granted it, until it says that it has
 * no lease of that one any more, or that lease has ended. Who says Done has stored all that it
 * will. */
static bool may_be_written(const struct gm_core *core, const struct gm_cjob *job)
{
    if (core->now >= core->strangers_until || job->seq >= core->first_seq) {
        return false;
    }
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct gm_attempt *a = job->attempts[i];
        if (a->outcome != GM_ATTEMPT_DONE && !is_settled(core, a->node_id)) {
            return true;
        }
    }
    return false;
}

/* A lease may outlive its job: of a run behind its last chunk, of a task that was taken away. */
static void clean(struct gm_core *core, struct gm_cjob *job)
{
    job->cleanup_at = job->leases                 ? core->now + 1
                      : may_be_written(core, job) ? core->strangers_until
                                                  : 0;
    if (job->cleanup_at == 0 && job->kept_until > core->now) {
        job->cleanup_at = job->kept_until;
    }
    if (job->cleanup_at == 0) {
        gm_core_keep_end(core, job);
        gm_core_fx_cleanup(core, job);
    }
}

void gm_core_job_start_cleanup(struct gm_core *core, struct gm_cjob *job)
{
    job->cleanup_pending = true;
    gm_core_job_touch(core, job);
    gm_core_keep_begin(core, job);
    clean(core, job);
}

void gm_core_job_advance(struct gm_core *core, struct gm_cjob *job)
{
    if (job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) {
        return;
    }
    gm_core_news(core, job);
    if (job->plan_only && gm_core_task_is_done(job->plan)) {
        gm_core_job_move(core, job, GM_JOB_EV_PLANNED);
        gm_core_job_end_units(core, job);
        gm_core_job_start_cleanup(core, job);
        return;
    }
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t t = 0; t < job->task_count; t++) {
            changed = advance_task(core, &job->tasks[t]) || changed;
        }
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (!gm_core_task_is_done(&job->tasks[t])) {
            return;
        }
    }
    gm_core_job_move(core, job, GM_JOB_EV_COMPLETE);
    gm_core_publishing_start(core, job);
}

static void cancel_leases(struct gm_core *core, struct gm_cjob *job, const char *reason)
{
    struct gm_lease *lease;
    DL_FOREACH2(job->leases, lease, job_next)
    {
        gm_core_lease_cancel(core, lease, reason);
    }
}

void gm_core_job_settle(struct gm_core *core, struct gm_cjob *job)
{
    bool ending = job->state == GM_JOB_FAILING || job->state == GM_JOB_CANCELLING;
    if (!ending || job->leases || job->publish_pending || job->publish_at != 0) {
        return;
    }
    if (!job->plan_only) {
        gm_core_publishing_start(core, job);
        return;
    }
    gm_core_job_move(core, job, GM_JOB_EV_REPORTED); /* of a dry run nothing is written */
    gm_core_backup_begin(core, job);
    gm_core_job_start_cleanup(core, job);
}

void gm_core_job_fail(struct gm_core *core, struct gm_cjob *job, const struct gm_err *err)
{
    if (gm_job_next(job->state, GM_JOB_EV_FAIL) == GM_FSM_ILLEGAL) {
        return;
    }
    job->error = *err;
    gm_core_job_move(core, job, GM_JOB_EV_FAIL);
    cancel_leases(core, job, "the job failed");
    gm_core_job_end_units(core, job);
    gm_core_job_settle(core, job);
}

void gm_core_job_set_cancelled(struct gm_cjob *job)
{
    (void)gm_err_set(&job->error, GM_E_CANCELLED, 0, "the job was cancelled");
}

int gm_core_job_cancel(struct gm_core *core, struct gm_cjob *job, struct gm_err *err)
{
    if (gm_job_next(job->state, GM_JOB_EV_CANCEL) == GM_FSM_ILLEGAL) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s is %s already", job->id,
                          gm_job_state_name(job->state));
    }
    if (job->state == GM_JOB_PUBLISHING) {
        job->cancel_wanted = true;
        job->publish_at = job->publish_at > core->now ? core->now + 1 : job->publish_at;
        gm_core_job_touch(core, job);
        return 0;
    }
    if (job->state == GM_JOB_FAILING || job->state == GM_JOB_CANCELLING) {
        return 0;
    }
    gm_core_job_set_cancelled(job);
    gm_core_job_move(core, job, GM_JOB_EV_CANCEL);
    cancel_leases(core, job, "the job was cancelled");
    gm_core_job_end_units(core, job);
    gm_core_job_settle(core, job);
    return 0;
}

void gm_core_job_clean_again(struct gm_core *core, struct gm_cjob *job)
{
    clean(core, job);
}

void gm_core_job_clean_resume(struct gm_core *core, struct gm_cjob *job)
{
    job->cleanup_extra = job->cleanup_failures > 0;
    gm_core_keep_resume(core, job);
    clean(core, job);
}

void gm_core_node_settled(struct gm_core *core, struct gm_cnode *node)
{
    node->settled = true;
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (job->cleanup_at == core->strangers_until && gm_job_state_is_final(job->state) &&
            job->cleanup_at > core->now) {
            clean(core, job);
        }
    }
}

/* Another job that works below the same publication is why the object stays: from now on it is that
 * job's to delete, should it come to nothing too. False: there is none. */
static bool leave_to_heir(struct gm_core *core, const struct gm_cjob *job, const Gm__Object *object)
{
    for (struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        bool heir = o != job && !o->plan_only &&
                    (!gm_job_state_is_final(o->state) || gm_core_job_is_kept(o)) &&
                    strcmp(o->destination_url, job->destination_url) == 0 &&
                    gm_core_object_is_below(object, o->publication);
        if (heir && !gm_core_granted_find(o, object->store, object->key)) {
            gm_core_granted_set(o, object);
            gm_core_row_object(core, o, object);
        }
        if (heir) {
            return true;
        }
    }
    return false;
}

/* Published: named by what stands in the destination. */
static bool is_output(const struct gm_cjob *job, const struct gm_granted *g)
{
    bool keep = job->state == GM_JOB_DONE || job->publish_tried;
    return keep && gm_core_object_is_below(g->object, job->publication) &&
           !gm_core_object_is_loose(job, g);
}

/* Whoever deletes passes over what another job has, and that job may have ended, and its own
 * clean-up too, before the rows go here: then it is nobody's. Beside outputs that stay, the job's
 * own or another's, an object goes by itself. */
static bool is_nobodys(struct gm_core *core, const struct gm_cjob *job, const struct gm_granted *g)
{
    if (g->object->store != GM__OBJECT_STORE__STORE_OUT) {
        return false;
    }
    bool alone = gm_core_object_is_below(g->object, job->publication) &&
                 (job->state == GM_JOB_DONE || job->publish_tried ||
                  gm_view_beside(core, job->id, 0) != NULL);
    return alone ? !gm_view_is_output_shared(core, job->id, g->object->key)
                 : !gm_core_object_is_shared(core, job, g->object);
}

/* Given up is over too: whoever tried the last time says what is left. */
void gm_core_job_cleaned(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                         bool passed_over)
{
    if (!job->cleanup_pending) {
        return;
    }
    gm_core_job_touch(core, job);
    bool counts = !job->cleanup_extra;
    job->cleanup_extra = false;
    job->cleanup_failures += failure->code != GM_OK && counts ? 1 : 0;
    if (failure->code != GM_OK && job->cleanup_failures < GM_CORE_CLEANUP_TRIES) {
        job->cleanup_at =
            core->now + gm_core_pause_after(job->cleanup_failures, GM_CORE_CLEANUP_PAUSE,
                                            GM_CORE_CLEANUP_LONGEST);
        return;
    }
    bool again = false;
    bool asked = passed_over && failure->code == GM_OK;
    struct gm_granted *g, *next;
    HASH_ITER(hh, job->objects, g, next)
    {
        if (is_output(job, g)) {
            continue;
        }
        if (!leave_to_heir(core, job, g->object) && asked && is_nobodys(core, job, g)) {
            again = true;
            continue;
        }
        gm_core_row_object_delete(core, job, g->object);
        gm_core_granted_remove(job, g);
    }
    job->cleanup_pending = again;
    if (again) {
        gm_core_job_clean_again(core, job);
    }
}

/* Jobs beyond those that are to be known, without the ones that go once they are cleaned up. */
static uint64_t count_surplus(const struct gm_core *core)
{
    uint64_t surplus = core->finished - core->params.keep_finished;
    for (const struct gm_cjob *job = core->jobs; job && surplus > 0; job = job->hh.next) {
        bool goes =
            gm_job_state_is_final(job->state) && job->cleanup_pending && !gm_core_job_is_kept(job);
        surplus -= goes ? 1 : 0;
    }
    return surplus;
}

void gm_core_job_prune(struct gm_core *core)
{
    struct gm_cjob *job, *next;
    uint64_t surplus = core->finished > core->params.keep_finished ? count_surplus(core) : 0;
    HASH_ITER(hh, core->jobs, job, next)
    {
        if (surplus == 0) {
            return;
        }
        bool over = gm_job_state_is_final(job->state) && !job->cleanup_pending && !job->leases &&
                    !gm_core_backup_waits(job);
        if (gm_core_job_is_kept(job)) { /* there is no room for it any more */
            gm_core_keep_end(core, job);
            clean(core, job);
            surplus--;
        }
        bool newest = job->seq + 1 == core->next_seq; /* a restart counts on from it */
        if (over && !newest) {
            gm_core_row_job_delete(core, job);
            HASH_DEL(core->jobs, job);
            gm_core_keyed_drop(core, job);
            core->job_states[job->state]--;
            core->finished--;
            surplus--;
            gm_core_order_part(core, job);
            gm_core_job_destroy(job);
        }
    }
}
