/* Stragglers: at the end of a job the slowest run is given out a second time.
 *
 * A run is copied when nothing of its job is ready or still to come, nothing that waits could use
 * the slot, and it is expected to take more than twice what runs of its kind take, and more than
 * 19 of 20 of them do. Its chunks that are not committed go to a device of the same chain that is
 * expected to have them sooner; on another node, where one offers the chain. A chunk is copied
 * once, and never beyond the slots that its tenant may have.
 *
 * The two leases are twins, over a restart too (adopt.c). The units are the first one's; whose item
 * of a chunk comes first has it committed, the other's changes nothing. When all are, the one that
 * lacks them is cancelled. One that fails leaves the units to the other, and nobody is charged:
 * what is wrong with a chunk shows when the last of both fails. What failed, or stood still while a
 * copy made it, speaks against its device all the same (watch.c). What a loser has put into a store
 * is loose and goes with the job's clean-up, unless it is the same. See:
 * docs/adr/0046-stragglers.md.
 */
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

#define LOOK_PERIOD GM_SEC
#define LEAST_LEFT (2 * GM_SEC) /* less is not worth a second worker */

void gm_core_twin_part(struct gm_lease *lease)
{
    struct gm_lease *other = lease->twin;
    if (!other) {
        return;
    }
    const struct gm_lease *copy = lease->is_copy ? lease : other;
    for (uint32_t i = 0; i < copy->chunk_count; i++) {
        struct gm_unit *unit = &copy->inst->chunks[copy->first_chunk + i].unit;
        unit->lease = unit->lease == lease ? other : unit->lease;
    }
    lease->twin = other->twin = NULL;
    lease->is_copy = other->is_copy = false;
}

void gm_core_twin_join(struct gm_lease *lease, struct gm_lease *other)
{
    bool shorter = lease->first_chunk != other->first_chunk
                       ? lease->first_chunk > other->first_chunk
                       : lease->epoch > other->epoch;
    struct gm_lease *copy = shorter ? lease : other, *of = shorter ? other : lease;
    lease->twin = other;
    other->twin = lease;
    copy->is_copy = true;
    lease->work = other->work = 0; /* neither does it all */
    for (uint32_t i = 0; i < copy->chunk_count; i++) {
        struct gm_core_chunk *chunk = &copy->inst->chunks[copy->first_chunk + i];
        chunk->copied = true;
        chunk->unit.lease = chunk->unit.lease == copy ? of : chunk->unit.lease;
    }
}

/* Index of the first chunk that is not committed; that behind the last one: all are. */
static uint32_t first_open(const struct gm_lease *lease)
{
    uint32_t at = lease->first_chunk, end = at + lease->chunk_count;
    while (at < end && lease->inst->chunks[at].unit.state == GM_TASK_DONE) {
        at++;
    }
    return at;
}

/* The original, which its node renews, has not moved since its copy was given out, and for as long
 * as all of it should take: its worker hangs. One that is only slow has moved; one that never did
 * may be waiting for a worker still. */
static bool stands_still(const struct gm_core *core, const struct gm_lease *lease,
                         const struct gm_lease *copy)
{
    gm_time typical, error, beats = gm_core_still_time(core);
    gm_time still = core->now - lease->progress_at;
    gm_time heard = lease->expires_at - core->lease_time;
    uint64_t work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    return lease->fed_complete && lease->progress > 0 && lease->progress_at <= copy->assigned_at &&
           still >= beats && core->now - heard < beats &&
           gm_core_typical(core, lease->chain, lease->inst, work, &typical, &error) &&
           still >= typical;
}

void gm_core_twin_committed(struct gm_core *core, struct gm_lease *lease)
{
    struct gm_lease *other = lease->twin;
    if (other && first_open(other) == other->first_chunk + other->chunk_count) {
        if (lease->is_copy && stands_still(core, other, lease)) {
            gm_core_watch_overtaken(core, other, lease->first_chunk, lease->chunk_count);
        }
        gm_core_lease_cancel(core, other, "another attempt was first");
    }
}

/* A unit of the job waits for a device of that chain. */
static bool waits_for(const struct gm_core *core, const struct gm_cjob *job, const Gm__Chain *chain)
{
    for (uint32_t t = 0; job->ready_units > 0 && t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; i < task->inst_count; i++) {
            const struct gm_inst *inst = &task->insts[i];
            struct gm_chain_wish wish;
            bool ready = task->type->fan != GM_FAN_RUNS ? inst->unit.state == GM_TASK_READY
                                                        : inst->sums.ready > 0;
            if (ready && gm_core_chain_wish(core, inst, &wish) &&
                strcmp(wish.name, chain->name) == 0 &&
                (!wish.fingerprint || strcmp(wish.fingerprint, chain->fingerprint) == 0)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_wanted(const struct gm_core *core, const Gm__Chain *chain)
{
    for (size_t i = 0; i < core->order.waiting.count; i++) {
        const struct gm_cjob *job = gm_core_order_waiting(core, i);
        bool open = job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING;
        if (open && waits_for(core, job, chain)) {
            return true;
        }
    }
    return false;
}

/* What is left of a lease, and more where it does not keep its pace. A worker begins slowly: its
 * pace counts when half of what it should take is over. */
static gm_time find_left(const struct gm_core *core, const struct gm_lease *lease, gm_time typical)
{
    gm_time left = gm_core_lease_left(core, lease), elapsed = core->now - lease->assigned_at;
    uint64_t all, done = gm_core_lease_frames(lease, &all);
    if (elapsed < typical / 2) {
        return left;
    }
    __int128 paced =
        done > 0 ? (__int128)elapsed * (__int128)(all - done) / (__int128)done : (__int128)elapsed;
    return paced > left ? (paced < GM_CORE_LONGEST ? (gm_time)paced : GM_CORE_LONGEST) : left;
}

static bool is_straggler(const struct gm_core *core, const struct gm_lease *lease,
                         gm_time *out_left)
{
    gm_time typical, error;
    uint32_t open = first_open(lease);
    if (lease->chunk_count == 0 || lease->cancelling || lease->twin ||
        open == lease->first_chunk + lease->chunk_count || lease->inst->chunks[open].copied) {
        return false;
    }
    uint64_t work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    if (!gm_core_typical(core, lease->chain, lease->inst, work, &typical, &error)) {
        return false;
    }
    /* Of times that are off by `error` in the mean, the same above and below, 19 of 20 are below
     * the mean + ln(10) errors: Laplace's distribution. */
    gm_time bound = typical + error * 5 / 2 > 2 * typical ? typical + error * 5 / 2 : 2 * typical;
    *out_left = find_left(core, lease, typical);
    return *out_left >= LEAST_LEFT && core->now - lease->assigned_at + *out_left > bound;
}

static bool has_room(const struct gm_cdevice *d, const struct gm_capacity *demand)
{
    const struct gm_capacity rest = gm_devices_rest(d);
    bool has = true;
    for (int k = 0; k < GM_DIMS; k++) {
        has = has && demand->v[k] <= rest.v[k];
    }
    return has;
}

static bool has_failed(const struct gm_unit *unit, const struct gm_cnode *node)
{
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        if (strcmp(unit->avoid[i].node_id, node->id) == 0) {
            return true;
        }
    }
    return false;
}

/* The device that is expected to be first with the run; a->device NULL: none is before `left` is
 * over. */
static void find_device(struct gm_core *core, const struct gm_chain_wish *wish, gm_time left,
                        struct gm_assignment *a)
{
    const struct gm_lease *of = a->copy_of;
    uint64_t work = gm_core_work(a->inst, a->first_chunk, a->chunk_count);
    bool elsewhere = false; /* another node offers the chain: this one is not asked */
    gm_time best = left;
    for (struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; gm_core_node_is_open(n) && i < n->device_count; i++) {
            struct gm_cdevice *d = &n->devices[i];
            const Gm__Chain *chain = gm_core_device_chain(d, wish);
            if (!chain || d->usable.slots == 0 || d == of->device) {
                continue;
            }
            if (n != of->node && !elsewhere) {
                elsewhere = true;
                a->device = NULL;
                best = left;
            }
            gm_time own = gm_core_expect(core, n, d, chain, a->inst, work);
            if ((n == of->node && elsewhere) || own == 0 || own >= best ||
                !has_room(d, &a->demand) || has_failed(&a->inst->chunks[a->first_chunk].unit, n)) {
                continue;
            }
            best = own;
            a->node = n;
            a->device = d;
            a->chain = chain;
        }
    }
}

static void copy(struct gm_core *core, struct gm_lease *lease, gm_time left)
{
    struct gm_chain_wish wish;
    uint32_t open = first_open(lease);
    struct gm_assignment a = {.inst = lease->inst,
                              .first_chunk = open,
                              .chunk_count = lease->first_chunk + lease->chunk_count - open,
                              .copy_of = lease};
    if (gm_core_tenant_is_full(lease->job->tenant) ||
        !gm_core_chain_wish(core, lease->inst, &wish) || is_wanted(core, lease->chain)) {
        return;
    }
    a.demand = gm_core_demand_on(core, lease->inst, &wish);
    find_device(core, &wish, left, &a);
    if (a.device) {
        gm_core_lease_start(core, &a);
    }
}

void gm_core_straggle(struct gm_core *core)
{
    if (core->stopping || core->musters || core->now - core->straggled_at < LOOK_PERIOD) {
        return;
    }
    core->straggled_at = core->now;
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        struct gm_lease *lease;
        gm_time left;
        if (job->state != GM_JOB_RUNNING || !job->leases || !gm_core_split_is_done(job) ||
            job->ready_units > 0) {
            continue;
        }
        DL_FOREACH2(job->leases, lease, job_next)
        {
            if (is_straggler(core, lease, &left)) {
                copy(core, lease, left);
            }
        }
    }
}
