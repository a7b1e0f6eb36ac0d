/* Placement by a walk over all devices. */
#include "scheduler/core/walk_io.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/times.h"

#include <string.h>

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t rest_of(uint64_t usable, uint64_t used)
{
    return usable > used ? usable - used : 0;
}

uint64_t walk_slots(const struct gm_core *core, const struct gm_chain_wish *wish,
                    uint64_t *out_free)
{
    uint64_t slots = 0, unused = 0;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t d = 0; gm_core_node_is_open(n) && d < n->device_count; d++) {
            const struct gm_cdevice *dev = &n->devices[d];
            if (wish && !gm_core_device_chain(dev, wish)) {
                continue;
            }
            uint64_t whole = dev->usable.slots;
            uint64_t rest = rest_of(whole, dev->used.slots);
            if (wish && wish->sessions > 0 && dev->usable.sessions > 0) {
                uint64_t sessions = rest_of(dev->usable.sessions, dev->used.sessions);
                whole = smaller(whole, dev->usable.sessions / wish->sessions);
                rest = smaller(rest, sessions / wish->sessions);
            }
            slots += whole;
            unused += rest;
        }
    }
    *out_free = unused;
    return slots;
}

bool walk_has_other_node(const struct gm_core *core, const struct gm_chain_wish *wish,
                         const struct gm_unit *unit)
{
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t d = 0; gm_core_node_is_open(n) && d < n->device_count; d++) {
            if (n->devices[d].usable.slots > 0 && gm_core_device_chain(&n->devices[d], wish) &&
                !gm_core_avoids(unit, n->id)) {
                return true;
            }
        }
    }
    return false;
}

static bool fits(const struct gm_capacity *usable, const struct gm_capacity *used,
                 const struct gm_capacity *demand)
{
    bool has = true;
    for (int k = 0; k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || (demand->v[k] > 0 && usable->v[k] > 0);
        has = has && (!limited || used->v[k] + demand->v[k] <= usable->v[k]);
    }
    return has;
}

static bool keeps_slot(const struct gm_cjob *job, const struct gm_cdevice *device)
{
    const struct gm_lease *lease;
    if (job->renditions < 2 || device->usable.slots - device->used.slots != 1) {
        return false;
    }
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (lease->device == device && lease->chunk_count > 0 && lease->first_chunk == 0) {
            return true;
        }
    }
    return false;
}

struct walk {
    const struct gm_unit *unit;
    const struct gm_chain_wish *wish;
    const struct gm_assignment *a;
    bool other;
};

static bool may_ask(const struct walk *w, const struct gm_cnode *node)
{
    return gm_core_node_is_open(node) && !(w->other && gm_core_avoids(w->unit, node->id));
}

static bool has_room(const struct walk *w, const struct gm_cdevice *d)
{
    const struct gm_capacity usable = gm_core_usable(d), used = gm_core_used(d);
    return fits(&usable, &used, &w->a->demand) && !keeps_slot(w->a->inst->task->job, d);
}

static double find_fastest(const struct gm_core *core, const struct walk *w)
{
    double fastest = 0;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; may_ask(w, n) && i < n->device_count; i++) {
            const struct gm_cdevice *d = &n->devices[i];
            const Gm__Chain *chain = gm_core_device_chain(d, w->wish);
            double own = chain && has_room(w, d) ? gm_core_picture_s(d, chain, w->a->inst) : 0;
            if (own > 0 && (fastest <= 0 || own < fastest)) {
                fastest = own;
            }
        }
    }
    return fastest;
}

/* What the walk found. */
struct walked {
    bool possible, slower;
    struct gm_cdevice *best, *alone;
    struct gm_capacity given; /* of alone */
    uint64_t least, memory;
    double best_s;
};

static struct gm_capacity cut(const struct gm_capacity *usable, struct gm_capacity demand)
{
    demand.cpu_milli = smaller(demand.cpu_milli, usable->cpu_milli);
    demand.memory_bytes = smaller(demand.memory_bytes, usable->memory_bytes);
    demand.scratch_bytes = smaller(demand.scratch_bytes, usable->scratch_bytes);
    if (usable->device_memory_bytes > 0) {
        demand.device_memory_bytes =
            smaller(demand.device_memory_bytes, usable->device_memory_bytes);
    }
    return demand;
}

/* Where the node's whole memory or scratch is too little it takes the node alone. */
static bool is_idle(const struct walk *w, const struct gm_cdevice *d)
{
    const struct gm_capacity *whole = &d->node->whole, *used = &d->node->used;
    const struct gm_capacity *demand = &w->a->demand;
    if (d->usable.slots == 0 || d->used.slots > 0) {
        return false;
    }
    return !d->node->shares ||
           (used->memory_bytes + smaller(demand->memory_bytes, whole->memory_bytes) <=
                whole->memory_bytes &&
            used->scratch_bytes + smaller(demand->scratch_bytes, whole->scratch_bytes) <=
                whole->scratch_bytes);
}

static void look_at(const struct walk *w, struct gm_cdevice *d, double fastest, struct walked *out)
{
    static const struct gm_capacity none;
    const struct gm_capacity usable = gm_core_usable(d);
    const Gm__Chain *chain = gm_core_device_chain(d, w->wish);
    if (!chain) {
        return;
    }
    out->possible = out->possible || fits(&usable, &none, &w->a->demand);
    if (has_room(w, d)) {
        uint64_t left = usable.cpu_milli - d->used.cpu_milli - w->a->demand.cpu_milli;
        double own = gm_core_picture_s(d, chain, w->a->inst);
        if (own > fastest * GM_CORE_FASTER) {
            out->slower = true;
        } else if (!out->best || left < out->least) {
            out->best = d;
            out->least = left;
            out->best_s = own;
        }
    }
    const struct gm_capacity given = cut(&usable, w->a->demand);
    uint64_t own = out->given.device_memory_bytes;
    if (is_idle(w, d) &&
        (!out->alone || given.device_memory_bytes > own ||
         (given.device_memory_bytes == own && usable.memory_bytes > out->memory))) {
        out->alone = d;
        out->given = given;
        out->memory = usable.memory_bytes;
    }
}

/* Of the home's devices with room, the one that fits best and is not too slow. */
static void look_home(const struct walk *w, double fastest, struct walked *out)
{
    const struct gm_cnode *home = w->a->home;
    struct gm_cdevice *best = NULL;
    uint64_t least = 0;
    for (size_t i = 0; home && may_ask(w, home) && i < home->device_count; i++) {
        struct gm_cdevice *d = &home->devices[i];
        const Gm__Chain *chain = d->watch ? NULL : gm_core_device_chain(d, w->wish);
        double own = chain ? gm_core_picture_s(d, chain, w->a->inst) : 0;
        if (!chain || !has_room(w, d) || own > fastest * GM_CORE_FASTER) {
            continue;
        }
        uint64_t left = gm_core_usable(d).cpu_milli - d->used.cpu_milli - w->a->demand.cpu_milli;
        if (!best || left < least) {
            best = d;
            least = left;
            out->best_s = own;
        }
    }
    out->best = best ? best : out->best;
}

bool walk_find_device(struct gm_core *core, const struct gm_unit *unit,
                      const struct gm_chain_wish *wish, struct gm_assignment *a)
{
    struct walk w = {.unit = unit, .wish = wish, .a = a};
    struct walked found = {.best = NULL};
    w.other = unit->avoid_count > 0 && walk_has_other_node(core, wish, unit);
    double fastest = find_fastest(core, &w);
    for (struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; may_ask(&w, n) && i < n->device_count; i++) {
            look_at(&w, &n->devices[i], fastest, &found);
        }
    }
    look_home(&w, fastest, &found);
    if (!found.best && !found.possible && found.alone) {
        found.best = found.alone;
        a->demand = found.given;
    }
    a->device = found.best;
    a->node = found.best ? found.best->node : NULL;
    a->chain = found.best ? gm_core_device_chain(found.best, wish) : NULL;
    a->picture_s = found.slower ? found.best_s : 0;
    return found.best != NULL;
}
