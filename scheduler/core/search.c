/* Search: the device of a unit.
 *
 * Of the devices with room those go out that measured figures say are slower than the fastest one
 * (speed.c); of the others, and of those that nobody measured, the one is taken that fits best:
 * least processor left over. Among equals it is the one that a walk over nodes and their devices
 * meets first. But where a node has the unit's inputs at hand (local.h), its devices are looked at
 * alone, as long as one of them is left and nothing speaks against it.
 *
 * Blocks of the index in which no device can be the one are passed over: by what they have left at
 * most, by the fastest that one of them could be, by the least processor that one has left.
 */
#include <math.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/run.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

#define CALM_LOOKS 256u

struct search {
    const struct gm_core *core;
    const struct gm_unit *unit;
    const struct gm_chain_wish *wish;
    struct gm_assignment *a;   /* instance and demand */
    struct gm_classes classes; /* of the wish */
    bool other;                /* nodes that failed the unit are out */
    bool kept;                 /* a device was passed over for the job's first chunk */
    bool calm;                 /* devices whose threads are busy are out */
    uint32_t looks;            /* calm: at so many more */
    struct gm_capacity demand;
    bool by_column; /* the works of the job have columns, and these are they */
    uint32_t column[GM_CORE_WORKS];
    uint32_t works;                      /* 0: figures don't count */
    double fastest;                      /* seconds a picture; 0: none is measured */
    double least_s[GM_CORE_WORKS];       /* of the block that is looked at: by soonest */
    struct gm_pace floor[GM_CORE_WORKS]; /* with less of either for a work a device is too slow */
};
/* What was found so far. */
struct found {
    struct gm_cdevice *device;
    uint64_t left, order;
    double picture_s;
};

bool gm_core_avoids(const struct gm_unit *unit, const char *node_id)
{
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        if (strcmp(unit->avoid[i].node_id, node_id) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t devices_with_slots(const struct gm_cnode *node, const struct gm_chain_wish *wish)
{
    uint64_t count = 0;
    for (size_t d = 0; d < node->device_count; d++) {
        const struct gm_cdevice *dev = &node->devices[d];
        count += dev->usable.slots > 0 && gm_core_device_chain(dev, wish) ? 1 : 0;
    }
    return count;
}

bool gm_core_has_other_node(const struct gm_core *core, const struct gm_chain_wish *wish,
                            const struct gm_unit *unit)
{
    uint64_t others = gm_devices_tally(core, wish).devices;
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        const struct gm_cnode *node = NULL;
        HASH_FIND_STR(core->nodes, unit->avoid[i].node_id, node);
        others -= node && gm_core_node_is_open(node) ? devices_with_slots(node, wish) : 0;
    }
    if (others > 0 || gm_core_watch_holds_other(core, wish, unit)) {
        return true;
    }
    /* After a restart nodes come back one by one. */
    for (const struct gm_unheard *n = core->unheard; n; n = n->hh.next) {
        if (!gm_core_avoids(unit, n->node_id)) {
            return true;
        }
    }
    return false;
}

bool gm_core_keeps_slot(const struct gm_cjob *job, const struct gm_cdevice *device)
{
    const struct gm_lease *lease;
    uint64_t seen = 0;
    if (job->renditions < 2 || job->leading == 0 ||
        device->usable.slots - device->used.slots != 1) {
        return false;
    }
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (lease->chunk_count > 0 && lease->first_chunk == 0) {
            if (lease->device == device) {
                return true;
            }
            if (++seen == job->leading) {
                break;
            }
        }
    }
    return false;
}

static bool is_enough(const struct gm_head *head, const struct gm_capacity *demand)
{
    for (int d = 0; d < GM_DIMS; d++) {
        if (head->most[d] < demand->v[d]) {
            return false;
        }
    }
    return true;
}

static bool has_rest(const struct search *s, const struct gm_block *b, size_t i)
{
    for (int d = 0; d < GM_DIMS; d++) {
        if (b->rest[d][i] < s->demand.v[d]) {
            return false;
        }
    }
    return true;
}

/* The wish, the unit and the job allow it; the node is open. */
static bool is_allowed(const struct search *s, const struct gm_cdevice *d)
{
    return !(s->other && gm_core_avoids(s->unit, d->node->id)) &&
           (s->wish->least == 0 || d->usable.sessions == 0 || s->wish->least <= d->usable.sessions);
}

static bool has_room(struct search *s, const struct gm_block *b, size_t i)
{
    if (!has_rest(s, b, i) || !is_allowed(s, b->device[i])) {
        return false;
    }
    bool keeps =
        b->rest[GM_DIM_SLOTS][i] == 1 && gm_core_keeps_slot(s->a->inst->task->job, b->device[i]);
    s->kept = s->kept || keeps;
    return !keeps;
}

/* gm_core_picture_s of a device of the block. */
static double picture_s(const struct search *s, const struct gm_block *b, size_t i)
{
    const struct gm_inst *inst = s->a->inst;
    double sum = 0;
    if (s->works == 0) {
        return 0;
    }
    if (!s->by_column) {
        const struct gm_cdevice *d = b->device[i];
        return gm_core_picture_s(d, gm_core_device_chain(d, s->wish), inst);
    }
    for (uint32_t w = 0; b->paces && w < s->works; w++) {
        struct gm_pace pace = {b->paces->part[s->column[w]][i], b->paces->one[s->column[w]][i]};
        if (pace.one < 0) {
            return 0;
        }
        const struct gm_cwork *work = &inst->task->job->works[w];
        sum += work->pixels / gm_core_slot_rate(pace, work);
    }
    return sum;
}

/* It is measured, and one work alone takes too long there. */
static bool is_too_slow(const struct search *s, const struct gm_block *b, size_t i)
{
    bool slow = false, measured = s->by_column && b->paces;
    for (uint32_t w = 0; measured && w < s->works; w++) {
        uint32_t c = s->column[w];
        double one = b->paces->one[c][i];
        slow = slow || b->paces->part[c][i] < s->floor[w].part || one < s->floor[w].one;
        measured = one >= 0;
    }
    return slow && measured;
}

/* Of what is not asked by columns nobody knows. */
static bool may_be_measured(const struct search *s, const struct gm_class *class)
{
    return s->works > 0 && (!s->by_column || class->measured > 0);
}

/* No measured device of the block is faster; negative: none is measured. The sums are made as
 * gm_core_picture_s makes them, of figures that are no smaller, so they are no larger. */
static double soonest(struct search *s, struct gm_class *class, size_t at)
{
    double sum = 0;
    for (uint32_t w = 0; s->by_column && w < s->works; w++) {
        struct gm_pace most = gm_bounds_range(class, at, s->column[w])->most;
        if (most.one < 0) {
            return -1;
        }
        const struct gm_cwork *work = &s->a->inst->task->job->works[w];
        double streams = work->largest > 0 ? work->pixels / work->largest : 1;
        double alone = most.one * (streams > 1 ? streams : 1);
        s->least_s[w] = work->pixels / (alone < most.part ? alone : most.part);
        sum += s->least_s[w];
    }
    return sum;
}

/* Devices of the block that take longer than `limit` are too slow from now on, if soonest looked at
 * it; 0: none is. What the other works take at least is known. A bit more than the limit, so that
 * no rounding makes a device too slow that is not: the exact times decide. */
static void set_floor(struct search *s, double limit)
{
    double others = 0;
    for (uint32_t w = 0; s->by_column && w < s->works; w++) {
        others += s->least_s[w];
    }
    for (uint32_t w = 0; w < s->works; w++) {
        const struct gm_cwork *work = &s->a->inst->task->job->works[w];
        double streams = work->largest > 0 ? work->pixels / work->largest : 1;
        double left = limit * (1 + 1e-9) - (others - s->least_s[w]);
        double least = s->by_column && limit > 0 && left > 0 ? work->pixels / left : 0;
        least *= 1 - 1e-9;
        s->floor[w] = (struct gm_pace){.part = least,
                                       .one = streams > 1 ? least / streams * (1 - 1e-9) : least};
    }
}

/* No measured device of the block is slower. */
static double latest(const struct search *s, struct gm_class *class, size_t at)
{
    double sum = 0;
    for (uint32_t w = 0; s->by_column && w < s->works; w++) {
        struct gm_pace least = gm_bounds_range(class, at, s->column[w])->least;
        const struct gm_cwork *work = &s->a->inst->task->job->works[w];
        double streams = work->largest > 0 ? work->pixels / work->largest : 1;
        double alone = least.one * (streams < 1 ? streams : 1);
        sum += work->pixels / (alone < least.part ? alone : least.part);
    }
    return s->by_column ? sum : INFINITY;
}

static bool all_are_measured(const struct search *s, struct gm_class *class, size_t at)
{
    bool all = s->by_column;
    for (uint32_t w = 0; all && w < s->works; w++) {
        all = !gm_bounds_range(class, at, s->column[w])->bare;
    }
    return all;
}

/* It was looked at in vain. */
static void repair(const struct search *s, struct gm_class *class, size_t at)
{
    gm_bounds_repair(class, at);
    for (uint32_t w = 0; s->by_column && w < s->works; w++) {
        gm_bounds_repair_range(class, at, s->column[w]);
    }
}

static void find_fastest_in(struct search *s, struct gm_class *class, size_t at)
{
    const struct gm_block *b = class->blocks[at];
    bool found = false;
    if (!is_enough(gm_bounds_head(class, at), &s->demand)) {
        return;
    }
    double bound = soonest(s, class, at);
    if (bound < 0 || (s->fastest > 0 && bound >= s->fastest)) {
        return;
    }
    set_floor(s, s->fastest);
    for (uint64_t open = b->open; open;) {
        size_t i = gm_devices_open(&open);
        double own = !is_too_slow(s, b, i) && has_room(s, b, i) ? picture_s(s, b, i) : 0;
        if (own > 0 && (s->fastest <= 0 || own < s->fastest)) {
            s->fastest = own;
            set_floor(s, own);
            class->fast = at;
            found = true;
        }
    }
    if (!found) {
        repair(s, class, at);
    }
}

/* The blocks that had the fastest last come first: the others are measured by them. */
static void find_fastest(struct search *s)
{
    for (size_t c = 0; s->works > 0 && c < s->classes.count; c++) {
        struct gm_class *class = s->classes.list[c];
        class->looked = class->fast;
        if (may_be_measured(s, class) && class->looked < class->block_count) {
            find_fastest_in(s, class, class->looked);
        }
    }
    for (size_t c = 0; s->works > 0 && c < s->classes.count; c++) {
        struct gm_class *class = s->classes.list[c];
        for (size_t at = 0; may_be_measured(s, class) && at < class->block_count; at++) {
            if (at != class->looked) {
                find_fastest_in(s, class, at);
            }
        }
    }
}

static bool is_better(const struct found *best, uint64_t left, uint64_t order)
{
    return left < best->left || (left == best->left && order < best->order);
}

/* As many threads are thought to be idle there as the unit keeps busy. */
static bool is_calm(const struct search *s, const struct gm_cdevice *d)
{
    uint64_t threads = gm_core_usable(d).cpu_milli, busy = s->a->busy_milli;
    return d->busy_milli + (busy < threads ? busy : threads) <= threads;
}

/* It has to be, and is not. */
static bool is_too_busy(struct search *s, const struct gm_cdevice *d)
{
    s->looks -= s->calm && s->looks > 0 ? 1 : 0;
    return s->calm && (s->looks == 0 || !is_calm(s, d));
}

static void find_best_in(struct search *s, struct gm_class *class, size_t at, struct found *best)
{
    const struct gm_block *b = class->blocks[at];
    const struct gm_head *head = gm_bounds_head(class, at);
    double limit = s->fastest * GM_CORE_FASTER;
    uint64_t cpu = s->demand.cpu_milli;
    bool found = false;
    if (!is_better(best, head->least_cpu > cpu ? head->least_cpu - cpu : 0, head->order) ||
        !is_enough(head, &s->demand) || (s->calm && s->looks == 0)) {
        return;
    }
    if (s->works > 0 && class->measured > 0) {
        double bound = soonest(s, class, at);
        if (all_are_measured(s, class, at) && bound > limit) {
            return;
        }
        set_floor(s, bound < 0 ? 0 : limit);
    }
    for (uint64_t open = b->open; open;) {
        size_t i = gm_devices_open(&open);
        uint64_t rest = b->rest[GM_DIM_CPU][i];
        if (rest < cpu || !is_better(best, rest - cpu, b->order[i]) || is_too_slow(s, b, i) ||
            !has_room(s, b, i) || is_too_busy(s, b->device[i])) {
            continue;
        }
        double own = picture_s(s, b, i);
        if (own <= limit || own <= 0) {
            *best = (struct found){b->device[i], rest - cpu, b->order[i], own};
            class->best = at;
            found = true;
        }
    }
    if (!found) {
        repair(s, class, at);
    }
}

static struct found find_best(struct search *s)
{
    struct found best = {.device = NULL, .left = UINT64_MAX, .order = UINT64_MAX};
    for (size_t c = 0; c < s->classes.count; c++) {
        struct gm_class *class = s->classes.list[c];
        class->looked = class->best;
        if (class->looked < class->block_count) {
            find_best_in(s, class, class->looked, &best);
        }
    }
    for (size_t c = 0; c < s->classes.count; c++) {
        struct gm_class *class = s->classes.list[c];
        for (size_t at = 0; at < class->block_count; at++) {
            if (at != class->looked) {
                find_best_in(s, class, at, &best);
            }
        }
    }
    return best;
}

/* Of the home's devices; there is one. */
static struct found find_home(struct search *s)
{
    struct found best = {.device = NULL, .left = UINT64_MAX, .order = UINT64_MAX};
    const struct gm_cnode *home = s->a->home;
    double limit = s->fastest * GM_CORE_FASTER;
    for (size_t n = 0; n < home->device_count; n++) {
        struct gm_cdevice *d = &home->devices[n];
        const Gm__Chain *chain = d->watch ? NULL : gm_core_device_chain(d, s->wish);
        size_t m = 0;
        while (chain && d->chains[m] != chain) {
            m++;
        }
        const struct gm_block *b =
            chain ? d->members[m].class->blocks[d->members[m].at / GM_BLOCK] : NULL;
        size_t i = chain ? d->members[m].at % GM_BLOCK : 0;
        if (!b || !has_room(s, b, i)) {
            continue;
        }
        uint64_t left = b->rest[GM_DIM_CPU][i] - s->demand.cpu_milli;
        double own = picture_s(s, b, i);
        if ((own <= limit || own <= 0) && is_better(&best, left, b->order[i])) {
            best = (struct found){d, left, b->order[i], own};
        }
    }
    return best;
}

/* A device with room is slower than those that were asked. */
static bool has_slower(struct search *s)
{
    double limit = s->fastest * GM_CORE_FASTER;
    for (size_t c = 0; c < s->classes.count; c++) {
        struct gm_class *class = s->classes.list[c];
        for (size_t at = 0; may_be_measured(s, class) && at < class->block_count; at++) {
            const struct gm_block *b = class->blocks[at];
            bool may = is_enough(gm_bounds_head(class, at), &s->demand) &&
                       soonest(s, class, at) >= 0 && latest(s, class, at) > limit;
            for (uint64_t open = may ? b->open : 0; open;) {
                size_t i = gm_devices_open(&open);
                if (has_room(s, b, i) && picture_s(s, b, i) > limit) {
                    return true;
                }
            }
            if (may) {
                repair(s, class, at);
            }
        }
    }
    return false;
}

bool gm_core_could_hold(const struct gm_capacity *usable, const struct gm_capacity *demand)
{
    for (int k = 0; k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || usable->v[k] > 0;
        if (limited && demand->v[k] > usable->v[k]) {
            return false;
        }
    }
    return true;
}

static void cut_demand(struct gm_capacity *demand, const struct gm_capacity *usable)
{
    for (int k = GM_DIM_CPU; k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || (k > GM_DIM_SESSIONS && usable->v[k] > 0);
        demand->v[k] = limited && demand->v[k] > usable->v[k] ? usable->v[k] : demand->v[k];
    }
}

/* It has nothing to do. What its node shares need only be enough for what it would be given: all
 * of it, so that nothing runs there, where the demand is more. */
bool gm_core_is_idle(const struct gm_cdevice *d, const struct gm_capacity *given)
{
    const struct gm_capacity usable = gm_core_usable(d), used = gm_core_used(d);
    bool idle = usable.slots > 0 && used.slots == 0 && !d->kept;
    for (int k = GM_DIM_CPU; idle && k < GM_DIM_SESSIONS; k++) {
        idle = used.v[k] + given->v[k] <= usable.v[k];
    }
    return idle;
}

struct gm_capacity gm_core_given(const struct gm_cdevice *device, const struct gm_capacity *demand)
{
    const struct gm_capacity usable = gm_core_usable(device);
    struct gm_capacity given = *demand;
    cut_demand(&given, &usable);
    return given;
}

/* The idle device that gives most of its own memory, of equal ones the one with most of its node's;
 * NULL: there is none, or some device could hold the demand when it has less to do. */
static struct gm_cdevice *find_alone(const struct search *s)
{
    struct gm_cdevice *alone = NULL;
    uint64_t own = 0, most = 0;
    for (size_t c = 0; c < s->classes.count; c++) {
        const struct gm_class *class = s->classes.list[c];
        for (size_t i = 0; i < class->count; i++) {
            struct gm_cdevice *d = class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK];
            if (!gm_core_node_is_open(d->node) || !is_allowed(s, d)) {
                continue;
            }
            const struct gm_capacity usable = gm_core_usable(d);
            struct gm_capacity given = s->a->demand;
            if (gm_core_could_hold(&usable, &given)) {
                return NULL;
            }
            cut_demand(&given, &usable);
            bool equal = alone && given.device_memory_bytes == own;
            bool better = !alone || given.device_memory_bytes > own ||
                          (equal && usable.memory_bytes > most) ||
                          (equal && usable.memory_bytes == most && d->order < alone->order);
            if (better && gm_core_is_idle(d, &given)) {
                alone = d;
                own = given.device_memory_bytes;
                most = usable.memory_bytes;
            }
        }
    }
    return alone;
}

/* As it would be now. False: the wish can't be parked, for it names what a class does not say. */
static bool make_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                        const struct gm_capacity *demand, struct gm_class **out_class,
                        struct gm_parked *out)
{
    if (wish->params) {
        return false;
    }
    const struct gm_classes classes = gm_devices_classes(core, wish);
    *out = (struct gm_parked){.made = core->devices->made,
                              .classes = (uint32_t)classes.count,
                              .any_print = !wish->fingerprint,
                              .least = wish->least,
                              .sampled_at = core->sampled_at,
                              .demand = *demand};
    for (size_t i = 0; i < classes.count; i++) {
        out->grown += classes.list[i]->grown;
    }
    *out_class = classes.count > 0 ? classes.list[0] : NULL;
    return classes.count > 0;
}

static bool is_same(const struct gm_parked *a, const struct gm_parked *b)
{
    return a->grown == b->grown && a->made == b->made && a->classes == b->classes &&
           a->any_print == b->any_print && a->least == b->least && a->sampled_at == b->sampled_at &&
           memcmp(&a->demand, &b->demand, sizeof(a->demand)) == 0;
}

struct gm_parked *gm_core_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                                 const struct gm_capacity *demand)
{
    struct gm_parked now, *parked = NULL;
    struct gm_class *class;
    if (make_parked(core, wish, demand, &class, &now)) {
        for (uint32_t i = 0; i < GM_PARKED && !parked; i++) {
            parked = is_same(&class->parked[i], &now) ? &class->parked[i] : NULL;
        }
    }
    return parked;
}

bool gm_core_is_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                       const struct gm_capacity *demand)
{
    return gm_core_parked(core, wish, demand) != NULL;
}

static void park(const struct search *s)
{
    struct gm_parked now;
    struct gm_class *class;
    if (make_parked(s->core, s->wish, &s->a->demand, &class, &now)) {
        class->parked[class->parked_next++ % GM_PARKED] = now;
    }
}

static void take_works(struct search *s)
{
    const struct gm_inst *inst = s->a->inst;
    const struct gm_cjob *job = inst->task->job;
    s->works = inst->task->type->fan == GM_FAN_RUNS ? job->work_count : 0;
    s->by_column = true;
    for (uint32_t w = 0; w < s->works; w++) {
        s->column[w] = gm_devices_column(job->works[w].codec, job->works[w].depth);
        s->by_column = s->by_column && s->column[w] < GM_COLUMNS;
    }
}

/* Where threads are idle in its place, if its own are busy: of the first so many devices that would
 * be better. Figures know of threads that are shared. */
static struct found find_calm(struct search *s, const struct found *best)
{
    struct found calm = {.device = NULL};
    if (best->device && s->a->busy_milli > 0 && s->fastest <= 0 && !is_calm(s, best->device)) {
        s->calm = true;
        s->looks = CALM_LOOKS;
        calm = find_best(s);
    }
    return calm.device ? calm : *best;
}

bool gm_core_find_device(struct gm_core *core, const struct gm_unit *unit,
                         const struct gm_chain_wish *wish, struct gm_assignment *a)
{
    struct search s = {.core = core, .unit = unit, .wish = wish, .a = a};
    s.other = unit->avoid_count > 0 && gm_core_has_other_node(core, wish, unit);
    s.demand = a->demand;
    s.classes = gm_devices_classes(core, wish);
    take_works(&s);
    find_fastest(&s);
    struct found best = {.device = NULL};
    best = a->home ? find_home(&s) : best;
    best = best.device ? best : find_best(&s);
    best = find_calm(&s, &best);
    a->device = best.device;
    a->picture_s = best.picture_s > 0 && has_slower(&s) ? best.picture_s : 0;
    if (!a->device && (a->device = find_alone(&s)) != NULL) {
        const struct gm_capacity usable = gm_core_usable(a->device);
        cut_demand(&a->demand, &usable);
    } else if (!a->device && unit->avoid_count == 0 && !s.kept) {
        park(&s);
    }
    a->node = a->device ? a->device->node : NULL;
    a->chain = a->device ? gm_core_device_chain(a->device, wish) : NULL;
    return a->device != NULL;
}
