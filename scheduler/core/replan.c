/* A job is planned again: all that came after inspect is forgotten, as if it had never been. What
 * was stored of it stays granted until the job ends; what lies below the old publication is deleted
 * then (view.c). Instances keep their places, because attempts point at them. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/adopt.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"
#include "scheduler/core/writes.h"

static void forget_units(struct gm_core *core, struct gm_inst *inst)
{
    struct gm_cjob *job = inst->task->job;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        gm_core_unit_move(core, job, &inst->chunks[i].unit, GM_UNIT_RESET);
        gm_core_unit_clear(&inst->chunks[i].unit);
    }
    gm_sums_fini(&inst->sums);
    free(inst->chunks);
    inst->chunks = NULL;
    inst->chunk_cap = inst->chunk_count = inst->chunk_done = inst->first_open = 0;
    gm_core_unit_move(core, job, &inst->unit, GM_UNIT_RESET);
    gm_core_unit_clear(&inst->unit);
    gm_core_builds_fini(&inst->builds);
}

static void forget_results(struct gm_core *core, struct gm_inst *inst)
{
    if (inst->unit.state == GM_TASK_DONE) {
        gm_core_row_task_delete(core, inst);
    }
    for (size_t s = 0; s < inst->stream_count; s++) {
        for (size_t i = 0; i < inst->streams[s].size; i++) {
            if (gm_core_stream_has(&inst->streams[s], i)) {
                gm_core_row_item_delete(core, inst, (uint32_t)s, (uint32_t)i);
            }
        }
        gm_core_stream_fini(&inst->streams[s]);
    }
    free(inst->streams);
    inst->streams = NULL;
    inst->stream_cap = inst->stream_count = 0;
    for (size_t i = 0; i < inst->object_count; i++) {
        gm__object__free_unpacked(inst->objects[i], NULL);
    }
    free(inst->objects);
    free(inst->meta);
    inst->objects = NULL;
    inst->meta = NULL;
    inst->object_count = inst->meta_size = 0;
    inst->done_term = 0;
}

/* Old failures say nothing about the next plan, and what was made is gone. */
static void forgive(struct gm_core *core, struct gm_cjob *job)
{
    for (size_t i = 0; i < job->attempt_count; i++) {
        struct gm_attempt *a = job->attempts[i];
        if ((a->charged || a->progressed) && a->inst->task != job->inspect) {
            a->charged = a->progressed = a->anew = false;
            a->charged_chunk = -1;
            gm_core_row_attempt(core, job, a);
        }
    }
}

void gm_core_job_replan(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_lease *lease;
    gm_core_unheard_end_job(core, job);
    DL_FOREACH2(job->leases, lease, job_next)
    {
        gm_core_lease_cancel(core, lease, "the job is planned again");
        job->leading -= lease->chunk_count > 0 && lease->first_chunk == 0 ? 1 : 0;
        lease->first_chunk = lease->chunk_count = 0; /* they are gone */
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; task != job->inspect && i < task->inst_count; i++) {
            forget_results(core, &task->insts[i]);
            forget_units(core, &task->insts[i]);
        }
    }
    forgive(core, job);
    gm_core_local_forget(job);
    gm_core_watch_forget_job(core, job);
    for (struct gm_granted *g = job->objects; g; g = g->hh.next) {
        g->committed = false;
    }
    const struct gm_inst *inspect = &job->inspect->insts[0];
    (void)gm_core_objects_commit(job, inspect->objects, inspect->object_count);
    free(job->publication);
    job->publication = gm_mem_strdup("");
    if (job->chain) {
        gm__chain__free_unpacked(job->chain, NULL);
        job->chain = NULL;
    }
    gm_core_backlog_set(core, job, NULL);
    job->choice = (struct gm_choice){.count = 0};
    job->leading = 0;
    job->planned = job->expanded;
    job->wake_at = 0;
    job->frames_known = job->frames_committed = 0;
    job->renditions = job->work_count = 0;
    gm_core_writes_fini(&job->writes);
    job->encode_memory_bytes = job->device_memory_bytes = job->estimated_frames =
        job->estimated_bytes = 0;
    job->sample_count = 0;
    job->fps = 0;
    job->progress_dirty = true;
    gm_core_job_touch(core, job);
    gm_core_fx_event(core, job, "job.replanned", NULL, gm_job_state_name(job->state), true);
    gm_core_job_advance(core, job);
}
