#include "scheduler/core/arrival.h"

#include <stdlib.h>

#include "scheduler/core/lease.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/view.h"

#define NEVER INT64_MAX /* retry_at of a unit that waits for the event */

bool gm_core_arrival_holds(const struct gm_unit *unit)
{
    return unit->state == GM_TASK_BACKOFF && unit->retry_at == NEVER;
}

/* Of what pauses after a failure the pause is over when the part comes. */
static void hold(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit)
{
    if (unit->state == GM_TASK_READY) {
        gm_core_unit_move(core, job, unit, GM_UNIT_AWAIT);
    } else if (unit->state != GM_TASK_BACKOFF || unit->awaited) {
        return;
    }
    unit->retry_at = NEVER;
    job->wake_at = job->wake_at == 0 ? NEVER : job->wake_at;
}

void gm_core_arrival_begin(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_unit *unit = &job->inspect->insts[0].unit;
    if (job->source_parts.count > 0 && unit->state == GM_TASK_READY) {
        job->arrival = (struct gm_arrival){.waits = true, .begin = true};
        hold(core, job, unit);
    }
}

/* Split's, and what split feeds: without it they would wait, too. */
static void hold_fed(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_lease *lease;
    DL_FOREACH2(job->tracks, lease, track_next)
    {
        if (!lease->cancelling && !lease->fed_complete) {
            gm_core_lease_cancel(core, lease, "its source has not come so far");
        }
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; gm_core_task_type_is_track(task->type) && i < task->inst_count; i++) {
            hold(core, job, &task->insts[i].unit);
        }
    }
}

void gm_core_arrival_said(struct gm_core *core, struct gm_lease *lease, uint32_t part)
{
    struct gm_cjob *job = lease->job;
    if (part != lease->part) {
        lease->part = part;
        lease->part_since = core->now;
    }
    if (part == 0 || lease->chunk_count > 0 || job->source_parts.count == 0 ||
        core->params.part_wait_ms == 0 ||
        core->now - lease->part_since < (gm_time)core->params.part_wait_ms * GM_MS) {
        return;
    }
    struct gm_inst *inst = lease->inst;
    gm_core_lease_cancel(core, lease, "a part of its source has not come");
    job->arrival = (struct gm_arrival){.waits = true, .part = part - 1};
    hold(core, job, &inst->unit);
    if (inst->task == job->split) {
        hold_fed(core, job);
    }
}

static void let_go(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit)
{
    if (gm_core_arrival_holds(unit)) {
        unit->retry_at = core->now;
        gm_core_unit_move(core, job, unit, GM_UNIT_WAKE);
    }
}

void gm_core_arrival_over(struct gm_core *core, struct gm_cjob *job, const char *etag)
{
    if (job->arrival.begin && etag && etag[0] != '\0' && job->source_etag[0] == '\0') {
        free(job->source_etag);
        job->source_etag = gm_mem_strdup(etag);
        gm_core_job_touch(core, job);
    }
    job->arrival = (struct gm_arrival){.waits = false};
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            let_go(core, job, &job->tasks[t].insts[i].unit);
        }
    }
}

void gm_view_arrivals(const struct gm_core *core, gm_view_arrival_fn fn, void *arg)
{
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (job->arrival.waits && !gm_job_state_is_final(job->state)) {
            const struct gm_arrival_view view = {.job_id = job->id,
                                                 .source_url = job->source_url,
                                                 .begin = job->arrival.begin,
                                                 .part = job->arrival.part};
            fn(&view, arg);
        }
    }
}
