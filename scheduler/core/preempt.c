/* Preemption: where a job has waited too long for what jobs of lower classes hold, a run of theirs
 * yields: it is cancelled when its next chunk is committed. Its other chunks are ready again and
 * nobody is charged; what its worker made of the next one meanwhile is lost. Nothing else is ever
 * taken back: tasks that are not runs have no border.
 *
 * Once a second, one run a class, for the first job of it that this helps: the run of the lowest
 * class, and of these the one that has most to do, on a device where its end makes room. No more
 * runs are told to yield than jobs wait; one that stands still comes to no border, and is not
 * counted.
 */
#include "scheduler/core/chains.h"
#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/run.h"

#define ASKED 8 /* jobs of a class for which nothing can yield keep no more from being asked */

/* What a waiting job needs. */
struct need {
    const struct gm_cjob *job; /* borrowed */
    enum gm_job_class class_;
    struct gm_chain_wish wish;
    struct gm_capacity demand;
    const struct gm_unit *unit; /* borrowed */
    bool other;                 /* nodes that failed the unit are out */
};

/* The unit that is placed next; NULL: all that is ready waits for the chunk that comes. */
static const struct gm_unit *next_unit(const struct gm_core *core, const struct gm_inst *inst,
                                       const struct gm_chain_wish *wish)
{
    uint64_t unused;
    if (inst->task->type->fan != GM_FAN_RUNS) {
        return &inst->unit;
    }
    struct gm_run run = gm_core_inst_run(inst, gm_core_slots(core, wish, &unused), false);
    return run.count > 0 ? &inst->chunks[run.first].unit : NULL;
}

/* False: it needs nothing, or gets it without that anybody yields. */
static bool find_need(struct gm_core *core, struct gm_cjob *job, struct need *out)
{
    struct gm_inst *inst = gm_core_job_next_inst(job);
    if (!inst || !gm_core_inst_may_start(inst, 1) || !gm_core_chain_wish(core, inst, &out->wish) ||
        (out->unit = next_unit(core, inst, &out->wish)) == NULL) {
        return false;
    }
    out->job = job;
    out->class_ = job->turn.class_;
    out->demand = gm_core_demand_on(core, inst, &out->wish);
    out->other = out->unit->avoid_count > 0 && gm_core_has_other_node(core, &out->wish, out->unit);
    struct gm_assignment a = {.inst = inst, .demand = out->demand};
    return !gm_core_find_device(core, out->unit, &out->wish, &a);
}

/* Without the lease the device has room, and it is kept for nobody else. */
static bool makes_room(const struct gm_core *core, const struct gm_lease *lease,
                       const struct need *need)
{
    const struct gm_capacity usable = gm_core_usable(lease->device);
    const struct gm_capacity used = gm_core_used(lease->device);
    const struct gm_capacity *freed = &lease->demand, *demand = &need->demand;
    bool room = (!lease->device->kept || gm_core_keep_is_for(core, lease->device, need->job)) &&
                !(need->other && gm_core_avoids(need->unit, lease->node->id)) &&
                gm_core_device_chain(lease->device, &need->wish) != NULL;
    for (int k = 0; room && k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || (demand->v[k] > 0 && usable.v[k] > 0);
        room = !limited || used.v[k] - freed->v[k] + demand->v[k] <= usable.v[k];
    }
    return room;
}

static uint64_t frames_left(const struct gm_lease *lease, uint32_t *out_chunks)
{
    uint64_t frames = 0;
    *out_chunks = 0;
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        const struct gm_core_chunk *c = &lease->inst->chunks[lease->first_chunk + i];
        if (c->unit.lease == lease) {
            frames += c->frames;
            ++*out_chunks;
        }
    }
    return frames;
}

/* As many as may yield for jobs of the class. */
static uint64_t count_waiting(const struct gm_core *core, enum gm_job_class class_)
{
    uint64_t count = 0;
    for (const struct gm_tenant *t = core->order.tenants; t; t = t->hh.next) {
        const struct gm_lane *lane = &t->lanes[class_];
        count += lane->turn.at != 0 ? lane->jobs.count : 0;
    }
    return count;
}

/* It will come to a border: that it made something was heard within the time that jobs wait, or
 * within some heartbeats, which tell that. */
static bool moves(const struct gm_core *core, const struct gm_lease *lease)
{
    gm_time beats = gm_core_still_time(core);
    return core->now - lease->progress_at <
           (core->preempt_time > beats ? core->preempt_time : beats);
}

/* False: none may yield for it. */
static bool ask_one(struct gm_core *core, const struct need *need)
{
    struct gm_lease *best = NULL;
    uint64_t most = 0, yielding = 0;
    for (struct gm_lease *l = core->leases; l; l = l->hh.next) {
        uint32_t chunks;
        enum gm_job_class class_ = l->job->turn.class_;
        if ((l->yields && moves(core, l)) || (l->cancelling && l->chunk_count > 0)) {
            yielding++; /* its slot comes */
            continue;
        }
        if (l->yields || l->cancelling || l->chunk_count == 0 || !moves(core, l) ||
            class_ >= need->class_ || !gm_core_node_is_open(l->node) ||
            !makes_room(core, l, need)) {
            continue;
        }
        uint64_t frames = frames_left(l, &chunks);
        if (chunks < 2) {
            continue; /* it ends with the next one anyway */
        }
        bool better = !best || class_ < best->job->turn.class_ ||
                      (class_ == best->job->turn.class_ && frames > most);
        if (better) {
            best = l;
            most = frames;
        }
    }
    if (best && yielding < count_waiting(core, need->class_)) {
        best->yields = true;
    }
    return best != NULL;
}

/* The first job for which some run may yield: what others wait for may be held by no lower class,
 * or be nowhere. */
static void ask_class(struct gm_core *core, enum gm_job_class class_)
{
    struct gm_cjob *job;
    bool found = false;
    for (int i = 0; i < ASKED && !found && (job = gm_core_order_first(core, class_)) != NULL; i++) {
        struct need need;
        if (core->now - job->turn.since < core->preempt_time) {
            break;
        }
        found = find_need(core, job, &need) && ask_one(core, &need);
        if (!found) {
            gm_core_order_aside(core, job);
        }
    }
    gm_core_order_back(core);
}

void gm_core_preempt(struct gm_core *core)
{
    if (core->stopping || core->musters || core->preempt_time == 0) {
        return;
    }
    for (int c = GM_CLASSES - 1; c > GM_CLASS_BATCH; c--) {
        ask_class(core, (enum gm_job_class)c);
    }
}

/* By a job of a higher class that has use for its slot, and not by one alone that waits for
 * something else. */
static bool is_waited_for(struct gm_core *core, const struct gm_lease *lease)
{
    bool found = false;
    for (int c = GM_CLASSES - 1; !found && c > (int)lease->job->turn.class_; c--) {
        struct gm_cjob *job;
        for (int i = 0; i < ASKED && !found; i++) {
            struct need need;
            if ((job = gm_core_order_first(core, (enum gm_job_class)c)) == NULL) {
                break;
            }
            found = find_need(core, job, &need) && makes_room(core, lease, &need);
            gm_core_order_aside(core, job);
        }
    }
    gm_core_order_back(core);
    return found;
}

void gm_core_preempt_border(struct gm_core *core, struct gm_lease *lease)
{
    uint32_t chunks;
    if (!lease->yields || lease->cancelling) {
        return;
    }
    lease->yields = is_waited_for(core, lease);
    (void)frames_left(lease, &chunks);
    if (lease->yields && chunks > 0) {
        gm_core_lease_cancel(core, lease, "a job of a higher class waits for its slot");
    }
}
