/* Placement: which waiting unit goes to which device.
 *
 * Jobs by priority plus age (a point for 10 s of waiting), then by creation; within a job, what
 * others wait for first. The device is search.c's.
 *
 * Stream edges can't deadlock: split never waits for its consumers; a track whose inputs still come
 * starts only beside a running split and never takes the farm's last free slot; and when split
 * fails and finds no slot again, its tracks give back the ones they wait in.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

#define AGE_POINT (10 * GM_SEC)
#define RANKS 7

struct candidate {
    struct gm_cjob *job;
    gm_time score;
};

bool gm_core_node_is_open(const struct gm_cnode *node)
{
    return node->connected && !node->draining;
}

uint64_t gm_core_slots(const struct gm_core *core, const struct gm_chain_wish *wish,
                       uint64_t *out_free)
{
    struct gm_tally tally = gm_devices_tally(core, wish);
    *out_free = tally.unused;
    return tally.slots;
}

struct gm_capacity gm_core_demand(const struct gm_inst *inst)
{
    const struct gm_core_task_type *type = inst->task->type;
    const struct gm_cjob *job = inst->task->job;
    struct gm_capacity demand = {.cpu_milli = type->cpu_milli,
                                 .memory_bytes = type->memory_bytes,
                                 .scratch_bytes = type->scratch_bytes,
                                 .slots = 1};
    if (type->fan == GM_FAN_RUNS) {
        demand.memory_bytes += job->encode_memory_bytes;
    }
    if (type->role == GM_ROLE_FINISH && type->fan == GM_FAN_EXPAND) {
        demand.scratch_bytes += job->estimated_bytes;
    }
    return demand;
}

static struct gm_unit *first_ready(struct gm_inst *inst)
{
    if (inst->task->type->fan != GM_FAN_RUNS) {
        return inst->unit.state == GM_TASK_READY ? &inst->unit : NULL;
    }
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state == GM_TASK_READY) {
            return &inst->chunks[i].unit;
        }
    }
    return NULL;
}

bool gm_core_inst_may_start(const struct gm_inst *inst, uint64_t free_slots)
{
    enum gm_task_state split = inst->task->job->split->insts[0].unit.state;
    return !gm_core_task_type_is_track(inst->task->type) || split == GM_TASK_DONE ||
           (split == GM_TASK_RUNNING && free_slots >= 2);
}

static void place_inst(struct gm_core *core, struct gm_inst *inst)
{
    bool runs = inst->task->type->fan == GM_FAN_RUNS;
    bool untried = false;
    struct gm_unit *unit;
    while ((unit = first_ready(inst)) != NULL) {
        uint64_t unused;
        struct gm_chain_wish wish;
        if (!gm_core_chain_wish(core, inst, &wish)) {
            return;
        }
        uint64_t slots = gm_core_slots(core, &wish, &unused);
        struct gm_assignment a = {.inst = inst, .demand = gm_core_demand(inst)};
        gm_core_demand_learned(core, inst, wish.name, &a.demand);
        a.demand.sessions = wish.sessions;
        if (unused == 0 || !gm_core_inst_may_start(inst, unused) ||
            (inst->task->failures == 0 && gm_core_is_parked(core, &wish, &a.demand))) {
            return;
        }
        if (runs) {
            struct gm_run run = gm_core_inst_run(inst, slots, untried);
            if (run.count == 0) {
                return;
            }
            a.first_chunk = run.first;
            a.chunk_count = run.count;
            unit = &inst->chunks[run.first].unit;
        }
        if (gm_core_find_device(core, unit, &wish, &a)) {
            if (inst->task->type->role == GM_ROLE_PLAN) {
                gm_core_chain_chosen(core, inst->task->job, a.chain);
            }
            gm_core_lease_start(core, &a);
        } else if (runs && !untried && unit->avoid_count > 0) {
            untried = true; /* it waits for another node; the other chunks do not */
        } else {
            return;
        }
    }
}

/* Order within a job: split feeds the others; the one sequential encoder of a track must not be
 * left to the end once all of its input is there. */
static int rank_of(const struct gm_ctask *task)
{
    switch (task->type->role) {
    case GM_ROLE_INSPECT:
        return 0;
    case GM_ROLE_PLAN:
        return 1;
    case GM_ROLE_SPLIT:
        return 2;
    case GM_ROLE_TRACK:
        return gm_core_split_is_done(task->job) ? 3 : 5;
    case GM_ROLE_ANALYZE:
    case GM_ROLE_ENCODE:
        return 4;
    case GM_ROLE_FINISH:
    default:
        return 6;
    }
}

static void place_job(struct gm_core *core, struct gm_cjob *job)
{
    for (int rank = 0; rank < RANKS; rank++) {
        for (uint32_t t = 0; t < job->task_count; t++) {
            if (rank_of(&job->tasks[t]) != rank) {
                continue;
            }
            for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
                place_inst(core, &job->tasks[t].insts[i]);
            }
        }
    }
}

static bool oldest_ready(struct gm_cjob *job, gm_time *out)
{
    bool found = false;
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            const struct gm_unit *unit = first_ready(&job->tasks[t].insts[i]);
            if (unit && (!found || unit->ready_since < *out)) {
                *out = unit->ready_since;
                found = true;
            }
        }
    }
    return found;
}

static int by_score(const void *pa, const void *pb)
{
    const struct candidate *a = pa;
    const struct candidate *b = pb;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->job->seq < b->job->seq ? -1 : a->job->seq > b->job->seq;
}

/* A job whose split found no slot does not keep slots for tracks that wait for it. */
static void take_back_tracks(struct gm_core *core, struct gm_cjob *job)
{
    if (!job->leases || job->split->insts[0].unit.state != GM_TASK_READY) {
        return;
    }
    struct gm_lease *lease;
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (gm_core_task_type_is_track(lease->inst->task->type)) {
            gm_core_lease_cancel(core, lease, "its input stopped and needs a slot");
        }
    }
}

void gm_core_place(struct gm_core *core)
{
    uint64_t unused;
    if (!core->place_dirty || core->stopping) {
        return;
    }
    (void)gm_core_slots(core, NULL, &unused);
    struct candidate *list = NULL;
    size_t count = 0, cap = 0;
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        gm_time since;
        bool open = job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING;
        if (open && unused > 0 && job->ready_units > 0 && oldest_ready(job, &since)) {
            list = gm_mem_grow(list, count, &cap, sizeof(*list));
            list[count++] = (struct candidate){
                .job = job, .score = job->priority * AGE_POINT + (core->now - since)};
        }
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), by_score);
    }
    for (size_t i = 0; unused > 0 && i < count; i++) {
        place_job(core, list[i].job);
        (void)gm_core_slots(core, NULL, &unused);
    }
    free(list);
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        take_back_tracks(core, job);
    }
    core->place_dirty = false;
}
