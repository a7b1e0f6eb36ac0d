/* Devices that are kept free. What needs much of a device, or all of it, would wait for ever where
 * smaller work takes each bit that gets free. So when a job is aged (order.h), it is its turn, and
 * what it needs is on no device left, though a slot is, then one device that could hold it takes
 * nothing more: until it fits there, and is placed before all others.
 *
 * That ends, too, when the job has got something, or has nothing ready any more; when the device
 * goes, is closed or drained, or has nothing left to do and is still too small. What runs on it
 * ends some day, so nobody is stopped for ever; and who waits beside it is aged in turn.
 *
 * Memory and scratch may be what all devices of the node share: where those lack, none of them
 * takes anything.
 */
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/run.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

/* What is to be placed, and how much it takes. */
struct ask {
    struct gm_inst *inst;
    const struct gm_unit *unit;
    struct gm_chain_wish wish;
    struct gm_capacity demand;
    bool other; /* nodes that failed the unit are out */
};

/* False: nothing of the instance is to be placed now, or no device of its is there. out_unused:
 * free slots that it could use. */
static bool find_ask(const struct gm_core *core, struct gm_inst *inst, struct ask *out,
                     uint64_t *out_unused)
{
    *out = (struct ask){.inst = inst, .unit = &inst->unit};
    if (!gm_core_chain_wish(core, inst, &out->wish)) {
        return false;
    }
    uint64_t slots = gm_core_slots(core, &out->wish, out_unused);
    if (inst->task->type->fan == GM_FAN_RUNS) {
        struct gm_run run = gm_core_inst_run(inst, slots, false);
        if (run.count == 0) {
            return false;
        }
        out->unit = &inst->chunks[run.first].unit;
    } else if (inst->unit.state != GM_TASK_READY) {
        return false;
    }
    out->demand = gm_core_demand_on(core, inst, &out->wish);
    out->other = out->unit->avoid_count > 0 && gm_core_has_other_node(core, &out->wish, out->unit);
    return true;
}

static bool is_allowed(const struct ask *ask, const struct gm_cdevice *d)
{
    return gm_core_node_is_open(d->node) && d->usable.slots > 0 &&
           !(ask->other && gm_core_avoids(ask->unit, d->node->id)) &&
           (ask->wish.least == 0 || d->usable.sessions == 0 ||
            ask->wish.least <= d->usable.sessions);
}

static bool could_hold(const struct gm_cdevice *d, const struct gm_capacity *demand)
{
    const struct gm_capacity usable = gm_core_usable(d);
    return gm_core_could_hold(&usable, demand);
}

static bool is_marked(const struct gm_core *core, const struct gm_cdevice *d)
{
    for (size_t i = 0; i < core->kept_count; i++) {
        const struct gm_kept *k = &core->kept[i];
        if (k->device == d || (k->whole && k->device->node == d->node)) {
            return true;
        }
    }
    return false;
}

/* Those devices of the node are marked that are kept, and no others. */
static void mark(struct gm_core *core, struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        struct gm_cdevice *d = &node->devices[i];
        bool kept = is_marked(core, d);
        if (d->kept != kept) {
            d->kept = kept;
            gm_devices_note(core, d, kept);
        }
    }
    core->place_dirty = true;
}

static void drop(struct gm_core *core, size_t at)
{
    struct gm_cnode *node = core->kept[at].device->node;
    core->kept_count--;
    memmove(&core->kept[at], &core->kept[at + 1], (core->kept_count - at) * sizeof(core->kept[0]));
    mark(core, node);
}

/* What devices of the node share is too little beside what runs there. */
static bool lacks_shared(const struct gm_cdevice *d, const struct gm_capacity *demand)
{
    const struct gm_capacity usable = gm_core_usable(d), used = gm_core_used(d);
    const struct gm_capacity given = gm_core_given(d, demand);
    return d->node->shares && (used.memory_bytes + given.memory_bytes > usable.memory_bytes ||
                               used.scratch_bytes + given.scratch_bytes > usable.scratch_bytes);
}

static bool is_node_kept(const struct gm_core *core, const struct gm_cnode *node)
{
    for (size_t i = 0; i < core->kept_count; i++) {
        const struct gm_kept *k = &core->kept[i];
        if (k->device->node == node) {
            return true;
        }
    }
    return false;
}

/* Of two that could hold it, the one with less to do; of two that could not, the one that gives
 * most of its own memory, then of its node's, as the search has it. Of equal ones the first. */
static bool is_better(const struct gm_cdevice *d, const struct gm_cdevice *best, bool could,
                      const struct gm_capacity *demand)
{
    if (could && d->used.slots != best->used.slots) {
        return d->used.slots < best->used.slots;
    }
    if (!could) {
        uint64_t own = gm_core_given(d, demand).device_memory_bytes;
        uint64_t best_own = gm_core_given(best, demand).device_memory_bytes;
        uint64_t most = gm_core_usable(d).memory_bytes;
        uint64_t best_most = gm_core_usable(best).memory_bytes;
        if (own != best_own || most != best_most) {
            return own != best_own ? own > best_own : most > best_most;
        }
    }
    return d->order < best->order;
}

static bool has_room(const struct gm_cdevice *d, const struct gm_capacity *demand)
{
    const struct gm_capacity room = gm_devices_room(d);
    bool has = true;
    for (int i = 0; i < GM_DIMS; i++) {
        has = has && demand->v[i] <= room.v[i];
    }
    return has;
}

/* The device to keep; NULL: none, for one is kept already, or one has room and a rule is in the
 * way, or nothing but slots lacks: then *out_full. */
static struct gm_cdevice *choose(const struct gm_core *core, const struct ask *ask, bool *out_full)
{
    const struct gm_classes classes = gm_devices_classes(core, &ask->wish);
    struct gm_cdevice *best = NULL;
    bool best_could = false, has_slot = false;
    *out_full = false;
    for (size_t c = 0; c < classes.count; c++) {
        const struct gm_class *class = classes.list[c];
        for (size_t i = 0; i < class->count; i++) {
            struct gm_cdevice *d = class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK];
            if (d->kept) {
                return NULL;
            }
            bool could = is_allowed(ask, d) && could_hold(d, &ask->demand);
            if (!is_allowed(ask, d) || (best_could && !could)) {
                continue;
            }
            if (could && has_room(d, &ask->demand)) {
                return NULL;
            }
            if (could != best_could) { /* those that could not do not count any more */
                best = NULL;
                best_could = true;
                has_slot = false;
            }
            has_slot = has_slot || gm_devices_room(d).slots > 0;
            if (!is_node_kept(core, d->node) &&
                (!best || is_better(d, best, could, &ask->demand))) {
                best = d;
            }
        }
    }
    *out_full = !has_slot;
    return has_slot ? best : NULL;
}

/* The device to keep; NULL: none. What can be known without a walk over devices is looked at
 * first: any number of jobs may be aged. */
static struct gm_cdevice *find(const struct gm_core *core, struct gm_inst *inst, struct ask *ask)
{
    uint64_t unused;
    bool full;
    if (!find_ask(core, inst, ask, &unused)) {
        return NULL;
    }
    struct gm_chain_wish slots = ask->wish; /* sessions may be what lacks */
    slots.sessions = 0;
    (void)gm_core_slots(core, &slots, &unused);
    if (unused == 0 || !gm_core_inst_may_start(inst, unused) ||
        gm_core_keep_find(core, &ask->wish)) {
        return NULL;
    }
    struct gm_parked *parked =
        ask->unit->avoid_count == 0 ? gm_core_parked(core, &ask->wish, &ask->demand) : NULL;
    if (parked && parked->full) {
        return NULL;
    }
    struct gm_cdevice *d = choose(core, ask, &full);
    if (parked) {
        parked->full = full;
    }
    return d;
}

void gm_core_keep(struct gm_core *core, struct gm_cjob *job)
{
    struct ask ask;
    struct gm_cdevice *d;
    struct gm_inst *inst =
        core->now - job->turn.since >= GM_ORDER_AGE && !gm_core_tenant_is_full(job->tenant)
            ? gm_core_job_next_inst(job)
            : NULL;
    if (!inst || (d = find(core, inst, &ask)) == NULL) {
        return;
    }
    core->kept = gm_mem_grow(core->kept, core->kept_count, &core->kept_cap, sizeof(*core->kept));
    core->kept[core->kept_count++] = (struct gm_kept){.device = d,
                                                      .job = job,
                                                      .task = inst->task->position,
                                                      .inst = inst->number,
                                                      .whole = lacks_shared(d, &ask.demand)};
    mark(core, d->node);
}

enum due { WAITS, FITS, OVER };

static enum due look_at(const struct gm_core *core, struct gm_kept *k, struct gm_inst **out)
{
    struct ask ask;
    uint64_t unused;
    const struct gm_cdevice *d = k->device;
    const struct gm_ctask *task = &k->job->tasks[k->task];
    *out = k->inst < task->inst_count ? &task->insts[k->inst] : NULL;
    if (!*out || core->now - k->job->turn.since < GM_ORDER_AGE ||
        gm_core_tenant_is_full(k->job->tenant) || !gm_core_inst_may_start(*out, 2) ||
        !find_ask(core, *out, &ask, &unused) || !gm_core_device_chain(d, &ask.wish) ||
        !is_allowed(&ask, d)) {
        return OVER;
    }
    const struct gm_capacity demand =
        could_hold(d, &ask.demand) ? ask.demand : gm_core_given(d, &ask.demand);
    bool fits = (could_hold(d, &ask.demand) || d->used.slots == 0) && has_room(d, &demand);
    k->whole = k->whole || lacks_shared(d, &ask.demand);
    bool idle = k->whole ? d->node->lease_count == 0 : d->used.slots == 0;
    return fits ? FITS : idle ? OVER : WAITS;
}

struct gm_inst *gm_core_keep_next(struct gm_core *core)
{
    for (size_t i = 0; i < core->kept_count;) {
        struct gm_kept *k = &core->kept[i];
        struct gm_inst *inst;
        bool whole = k->whole;
        enum due due = look_at(core, k, &inst);
        if (due == WAITS && k->whole != whole) {
            mark(core, k->device->node);
        }
        if (due == WAITS) {
            i++;
            continue;
        }
        drop(core, i);
        if (due == FITS) {
            return inst;
        }
    }
    return NULL;
}

bool gm_core_keep_is_for(const struct gm_core *core, const struct gm_cdevice *device,
                         const struct gm_cjob *job)
{
    bool found = false;
    for (size_t i = 0; i < core->kept_count; i++) {
        const struct gm_kept *k = &core->kept[i];
        bool holds = k->whole ? k->device->node == device->node : k->device == device;
        found = found || (holds && k->job == job);
    }
    return found;
}

bool gm_core_keep_is_over(const struct gm_core *core)
{
    bool over = false;
    for (size_t i = 0; i < core->kept_count; i++) {
        over = over || core->now - core->kept[i].job->turn.since < GM_ORDER_AGE;
    }
    return over;
}

void gm_core_keep_forget_job(struct gm_core *core, const struct gm_cjob *job)
{
    for (size_t i = core->kept_count; i > 0; i--) {
        if (core->kept[i - 1].job == job) {
            drop(core, i - 1);
        }
    }
}

void gm_core_keep_forget_device(struct gm_core *core, const struct gm_cdevice *device)
{
    for (size_t i = core->kept_count; device->kept && i > 0; i--) {
        if (core->kept[i - 1].device->node == device->node) {
            drop(core, i - 1);
        }
    }
}

const struct gm_kept *gm_core_keep_find(const struct gm_core *core,
                                        const struct gm_chain_wish *wish)
{
    for (size_t i = 0; i < core->kept_count; i++) {
        const struct gm_kept *k = &core->kept[i];
        if (gm_core_device_chain(k->device, wish)) {
            return k;
        }
    }
    return NULL;
}

int gm_core_keep_check(const struct gm_core *core, struct gm_err *err)
{
    for (size_t i = 0; i < core->kept_count; i++) {
        const struct gm_kept *k = &core->kept[i];
        if (k->job->turn.line.at == 0) {
            return BROKEN("a device is kept for job %s, which waits for nothing", k->job->id);
        }
    }
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; i < n->device_count; i++) {
            if (n->devices[i].kept != is_marked(core, &n->devices[i])) {
                return BROKEN("node %s: device %s is not kept as it says", n->id, n->devices[i].id);
            }
        }
    }
    return 0;
}
