/* Placement: which waiting unit goes to which device.
 *
 * The job whose turn it is (order.h) gets one thing placed, and the turn goes on; within a job,
 * what others wait for goes first. The device is search.c's.
 *
 * Stream edges can't deadlock: split never waits for its consumers; a track whose inputs still come
 * starts only beside a running split and never takes the farm's last free slot, unless its job
 * publishes early and encodes in another one; and when split fails and finds no slot again, its
 * tracks give back the ones they wait in.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/place.h"
#include "scheduler/core/run.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

#define RANKS 7

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

/* busy_milli: of processors' tasks the threads that it keeps busy. */
static struct gm_capacity demand_on(const struct gm_core *core, const struct gm_inst *inst,
                                    const struct gm_chain_wish *wish, uint64_t *busy_milli)
{
    const struct gm_core_task_type *type = inst->task->type;
    struct gm_capacity demand = gm_core_demand(inst);
    bool encodes = type->role == GM_ROLE_PLAN || type->fan == GM_FAN_RUNS;
    bool is_cpu = strcmp(wish->name, "cpu") == 0;
    uint64_t busy = gm_core_demand_learned(core, inst, wish->name, &demand);
    demand.sessions = wish->sessions;
    if (encodes && !is_cpu) {
        demand.device_memory_bytes = inst->task->job->device_memory_bytes;
    }
    *busy_milli = is_cpu ? busy : 0;
    return demand;
}

struct gm_capacity gm_core_demand_on(const struct gm_core *core, const struct gm_inst *inst,
                                     const struct gm_chain_wish *wish)
{
    uint64_t busy_milli;
    return demand_on(core, inst, wish, &busy_milli);
}

static struct gm_unit *first_ready(struct gm_inst *inst)
{
    if (inst->task->type->fan != GM_FAN_RUNS) {
        return inst->unit.state == GM_TASK_READY ? &inst->unit : NULL;
    }
    uint32_t chunk = gm_sums_next(inst, 0);
    return chunk == GM_SUMS_NONE ? NULL : &inst->chunks[chunk].unit;
}

/* Something runs beside split and its tracks: what is encoded. */
static bool encodes(const struct gm_cjob *job)
{
    const struct gm_lease *track;
    uint64_t fed = 1;
    DL_FOREACH2(job->tracks, track, track_next)
    {
        fed++;
    }
    return job->lease_count > fed;
}

/* Where playlists grow nothing is played before all tracks go on, and on a busy farm no two slots
 * get free at a time. What is encoded keeps one all the same. */
bool gm_core_inst_may_start(const struct gm_inst *inst, uint64_t free_slots)
{
    const struct gm_cjob *job = inst->task->job;
    enum gm_task_state split = job->split->insts[0].unit.state;
    return !gm_core_task_type_is_track(inst->task->type) || split == GM_TASK_DONE ||
           (split == GM_TASK_RUNNING &&
            (free_slots >= 2 || (job->pipeline->early && encodes(job))));
}

/* Nobody of the build had room: `plan` is not pinned to it yet, and another one may. */
static bool is_for_other(const struct gm_core *core, const struct gm_inst *inst,
                         const struct gm_chain_wish *had)
{
    struct gm_chain_wish now;
    return inst->task->type->role == GM_ROLE_PLAN && had->fingerprint &&
           gm_core_chain_wish(core, inst, &now) && now.fingerprint &&
           strcmp(now.fingerprint, had->fingerprint) != 0;
}

/* One unit or run of the instance. False: no device takes any. */
static bool place_inst(struct gm_core *core, struct gm_inst *inst)
{
    bool runs = inst->task->type->fan == GM_FAN_RUNS;
    bool untried = false;
    struct gm_unit *unit;
    while ((unit = first_ready(inst)) != NULL) {
        uint64_t unused;
        struct gm_chain_wish wish;
        if (inst->task->type->role == GM_ROLE_PLAN) {
            gm_core_choose(core, inst->task->job);
        }
        if (!gm_core_chain_wish(core, inst, &wish)) {
            return false;
        }
        uint64_t slots = gm_core_slots(core, &wish, &unused);
        struct gm_assignment a = {.inst = inst};
        a.demand = demand_on(core, inst, &wish, &a.busy_milli);
        if (unused == 0 || !gm_core_inst_may_start(inst, unused) ||
            (inst->task->failures == 0 && gm_core_is_parked(core, &wish, &a.demand))) {
            return false;
        }
        if (runs) {
            struct gm_run run = gm_core_inst_run(inst, slots, untried);
            if (run.count == 0) {
                return false;
            }
            a.first_chunk = run.first;
            a.chunk_count = run.count;
            unit = &inst->chunks[run.first].unit;
        }
        a.home = gm_core_local_node(core, inst, unit);
        if (gm_core_find_device(core, unit, &wish, &a)) {
            if (inst->task->type->role == GM_ROLE_PLAN) {
                gm_core_chain_chosen(core, inst->task->job, a.chain);
            }
            gm_core_lease_start(core, &a);
            return true;
        }
        if (runs && !untried && unit->avoid_count > 0) {
            untried = true; /* it waits for another node; the other chunks do not */
        } else if (!is_for_other(core, inst, &wish)) {
            return false;
        }
    }
    return false;
}

/* Order within a job: split feeds the others; the one sequential encoder of a track must not be
 * left to the end once all of its input is there, and not at all where playlists grow, which need
 * all tracks. */
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
        return gm_core_split_is_done(task->job) || task->job->pipeline->early ? 3 : 5;
    case GM_ROLE_ANALYZE:
    case GM_ROLE_ENCODE:
        return 4;
    case GM_ROLE_FINISH:
    default:
        return 6;
    }
}

struct gm_inst *gm_core_job_next_inst(struct gm_cjob *job)
{
    for (int rank = 0; rank < RANKS; rank++) {
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t i = 0; rank_of(&job->tasks[t]) == rank && i < job->tasks[t].inst_count;
                 i++) {
                if (first_ready(&job->tasks[t].insts[i])) {
                    return &job->tasks[t].insts[i];
                }
            }
        }
    }
    return NULL;
}

static bool place_job(struct gm_core *core, struct gm_cjob *job)
{
    for (int rank = 0; rank < RANKS; rank++) {
        for (uint32_t t = 0; t < job->task_count; t++) {
            if (rank_of(&job->tasks[t]) != rank) {
                continue;
            }
            for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
                if (place_inst(core, &job->tasks[t].insts[i])) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* A job whose split found no slot does not keep slots for tracks that wait for it. */
static void take_back_tracks(struct gm_core *core, struct gm_cjob *job)
{
    if (!job->tracks || job->split->insts[0].unit.state != GM_TASK_READY) {
        return;
    }
    struct gm_lease *lease;
    DL_FOREACH2(job->tracks, lease, track_next)
    {
        gm_core_lease_cancel(core, lease, "its input stopped and needs a slot");
    }
}

static struct gm_room room_of(const struct gm_core *core)
{
    struct gm_room room = {.made = core->devices->made};
    for (const struct gm_class *c = core->devices->classes; c; c = c->hh.next) {
        room.grown += c->grown;
    }
    return room;
}

static void forget_changed(struct gm_order *order)
{
    while (order->changed_count > 0) {
        order->changed[--order->changed_count]->turn.changed = false;
    }
}

/* Whoever waits is asked, in order. */
static void place_all(struct gm_core *core, uint64_t unused)
{
    struct gm_cjob *job;
    while (unused > 0 && (job = gm_core_order_next(core)) != NULL) {
        if (!place_job(core, job)) {
            gm_core_keep(core, job);
            gm_core_order_aside(core, job);
        }
        (void)gm_core_slots(core, NULL, &unused);
    }
    gm_core_order_back(core);
}

/* Where what devices were kept for fits by now. The turn is that of who waited longest. */
static void place_kept(struct gm_core *core)
{
    struct gm_inst *inst;
    while ((inst = gm_core_keep_next(core)) != NULL) {
        core->order.aged = inst->task->job;
        (void)place_inst(core, inst);
        core->order.aged = NULL;
    }
}

/* Nobody has got more room since nothing could be placed: only jobs that changed are asked. */
static void place_changed(struct gm_core *core, uint64_t unused)
{
    struct gm_cjob *job;
    while (unused > 0 && (job = gm_core_order_next_changed(core)) != NULL) {
        if (place_job(core, job)) {
            gm_core_order_change(core, job); /* there may be more of it */
            (void)gm_core_slots(core, NULL, &unused);
        }
    }
    core->order.aged = NULL;
}

void gm_core_place(struct gm_core *core)
{
    uint64_t unused;
    struct gm_order *order = &core->order;
    if (!core->place_dirty || core->stopping || core->musters) {
        return;
    }
    place_kept(core);
    uint64_t slots = gm_core_slots(core, NULL, &unused);
    if ((slots > 0 && order->farm.slots == 0) ||
        (unused > 0 && core->now - order->farm_at >= GM_SEC)) {
        order->farm = gm_devices_farm(core);
        order->farm_at = core->now;
    }
    struct gm_room room = room_of(core);
    if (order->settled && room.made == order->room.made && room.grown == order->room.grown) {
        place_changed(core, unused);
    } else {
        place_all(core, unused);
    }
    forget_changed(order);
    order->room = room_of(core);
    order->settled = order->room.grown == room.grown; /* else who had a device kept got another */
    for (struct gm_cjob *job = core->jobs; core->split_stopped && job; job = job->hh.next) {
        take_back_tracks(core, job);
    }
    core->split_stopped = false;
    core->place_dirty = !order->settled || gm_core_keep_is_over(core);
}
