/* Turns: see order.h. A job with something ready is in two heaps: of its lane, and of all that
 * wait. A lane is in the heap of its class while it has jobs and its tenant may run more. So a turn
 * costs O(log jobs), whatever waits.
 */
#include "scheduler/core/order.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/keep.h"
#include "scheduler/core/state.h"

#define FIRST_PROBE GM_SEC /* a unit is thought to take so long until one has ended */
#define FIRST_WORK (10 * GM_SEC)
#define LONGEST (86400 * GM_SEC) /* what is charged before it was used; the end sets it right */
/* What somebody may be behind the others, who could not be served though it was its turn. */
#define LAG (60 * GM_SEC)

#define OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static struct gm_cjob *job_of_line(const struct gm_heap_node *node)
{
    return OF(node, struct gm_cjob, turn.line);
}

static struct gm_cjob *job_of_wait(const struct gm_heap_node *node)
{
    return OF(node, struct gm_cjob, turn.wait);
}

static struct gm_lane *lane_of(const struct gm_heap_node *node)
{
    return OF(node, struct gm_lane, turn);
}

static bool job_before(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct gm_cjob *x = job_of_line(a), *y = job_of_line(b);
    if (x->turn.due_unix_ms != y->turn.due_unix_ms) {
        return y->turn.due_unix_ms == 0 ||
               (x->turn.due_unix_ms != 0 && x->turn.due_unix_ms < y->turn.due_unix_ms);
    }
    if (x->turn.time != y->turn.time) {
        return x->turn.time < y->turn.time;
    }
    return x->priority != y->priority ? x->priority > y->priority : x->seq < y->seq;
}

static bool waits_longer(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct gm_cjob *x = job_of_wait(a), *y = job_of_wait(b);
    return x->turn.since != y->turn.since ? x->turn.since < y->turn.since : x->seq < y->seq;
}

static bool lane_before(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct gm_lane *x = lane_of(a), *y = lane_of(b);
    return x->time != y->time ? x->time < y->time : x->tenant->number < y->tenant->number;
}

static struct gm_lane *job_lane(const struct gm_cjob *job)
{
    return &job->tenant->lanes[job->turn.class_];
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t behind(uint64_t now, uint64_t lag)
{
    return now > lag ? now - lag : 0;
}

bool gm_core_tenant_is_full(const struct gm_tenant *tenant)
{
    return tenant->max_running > 0 && tenant->running >= tenant->max_running;
}

/* Puts the lane into its class's heap, or takes it out. lag: how far behind it may come in. */
static void lane_turn(struct gm_core *core, struct gm_lane *lane, uint64_t lag)
{
    struct gm_order *order = &core->order;
    enum gm_job_class c = (enum gm_job_class)(lane - lane->tenant->lanes);
    bool in = lane->jobs.count > 0 && !gm_core_tenant_is_full(lane->tenant);
    if (in && lane->turn.at == 0) {
        lane->time = later(lane->time, behind(order->now[c], lag));
        gm_heap_push(&order->lanes[c], &lane->turn, lane_before);
    } else if (!in) {
        gm_heap_remove(&order->lanes[c], &lane->turn, lane_before);
    }
}

static void put(struct gm_core *core, struct gm_cjob *job, uint64_t lag)
{
    struct gm_lane *lane = job_lane(job);
    job->turn.time = later(job->turn.time, behind(lane->now, lag));
    gm_heap_push(&lane->jobs, &job->turn.line, job_before);
    gm_heap_push(&core->order.waiting, &job->turn.wait, waits_longer);
    lane_turn(core, lane, lag);
}

static void take(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_lane *lane = job_lane(job);
    gm_heap_remove(&lane->jobs, &job->turn.line, job_before);
    gm_heap_remove(&core->order.waiting, &job->turn.wait, waits_longer);
    lane_turn(core, lane, 0);
}

void gm_core_order_enter(struct gm_core *core, struct gm_cjob *job)
{
    job->turn.since = core->now;
    put(core, job, 0);
}

void gm_core_order_leave(struct gm_core *core, struct gm_cjob *job)
{
    take(core, job);
    gm_core_keep_forget_job(core, job);
}

void gm_core_order_class(struct gm_core *core, struct gm_cjob *job)
{
    enum gm_job_class c = job->urgent ? GM_CLASS_HIGH : gm_fair_class(job->priority);
    if (c == job->turn.class_) {
        return;
    }
    bool in = job->turn.line.at != 0;
    if (in) {
        take(core, job);
    }
    job->turn.class_ = c;
    gm_core_backlog_class(core, job);
    job->turn.time = job_lane(job)->now; /* that of its old lane means nothing here */
    if (in) {
        put(core, job, 0);
    }
}

/* What it got beyond its share while it went first is not owed by it afterwards. */
void gm_core_order_due(struct gm_core *core, struct gm_cjob *job, int64_t due_unix_ms)
{
    if (job->turn.due_unix_ms == due_unix_ms) {
        return;
    }
    bool in = job->turn.line.at != 0;
    if (in) {
        take(core, job);
    }
    if (due_unix_ms == 0 && job->turn.time > job_lane(job)->now) {
        job->turn.time = job_lane(job)->now;
    }
    job->turn.due_unix_ms = due_unix_ms;
    if (in) {
        put(core, job, 0);
    }
}

void gm_core_order_priority(struct gm_core *core, struct gm_cjob *job, int32_t priority)
{
    job->priority = priority;
    gm_heap_move(&job_lane(job)->jobs, &job->turn.line, job_before);
    gm_core_order_class(core, job);
}

struct gm_cjob *gm_core_order_first(const struct gm_core *core, enum gm_job_class class_)
{
    const struct gm_heap_node *node = gm_heap_first(&core->order.lanes[class_]);
    return node ? job_of_line(gm_heap_first(&lane_of(node)->jobs)) : NULL;
}

struct gm_cjob *gm_core_order_next(struct gm_core *core)
{
    struct gm_order *order = &core->order;
    struct gm_heap_node *node;
    order->aged = NULL;
    while (order->turns + 1 >= GM_ORDER_AGED_TURN &&
           (node = gm_heap_first(&order->waiting)) != NULL) {
        struct gm_cjob *job = job_of_wait(node);
        if (core->now - job->turn.since < GM_ORDER_AGE) {
            break;
        }
        if (!gm_core_tenant_is_full(job->tenant)) {
            order->aged = job;
            return job;
        }
        job->turn.since = core->now; /* it waits for its own */
        gm_heap_move(&order->waiting, node, waits_longer);
    }
    struct gm_cjob *job = NULL;
    for (int c = GM_CLASSES - 1; !job && c >= 0; c--) {
        job = gm_core_order_first(core, (enum gm_job_class)c);
    }
    return job;
}

void gm_core_order_change(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_order *order = &core->order;
    if (job->turn.changed || !order->settled) {
        return;
    }
    if (order->changed_count == GM_ORDER_CHANGED) {
        order->settled = false;
        return;
    }
    job->turn.changed = true;
    order->changed[order->changed_count++] = job;
}

static bool is_aged(const struct gm_core *core, const struct gm_cjob *job)
{
    return core->order.turns + 1 >= GM_ORDER_AGED_TURN &&
           core->now - job->turn.since >= GM_ORDER_AGE;
}

/* It is its turn before the other's. Both wait. */
static bool goes_before(const struct gm_core *core, const struct gm_cjob *a,
                        const struct gm_cjob *b)
{
    if (is_aged(core, a) || is_aged(core, b)) {
        return waits_longer(&a->turn.wait, &b->turn.wait);
    }
    if (a->turn.class_ != b->turn.class_) {
        return a->turn.class_ > b->turn.class_;
    }
    return job_lane(a) == job_lane(b) ? job_before(&a->turn.line, &b->turn.line)
                                      : lane_before(&job_lane(a)->turn, &job_lane(b)->turn);
}

struct gm_cjob *gm_core_order_next_changed(struct gm_core *core)
{
    struct gm_order *order = &core->order;
    struct gm_cjob *next = NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < order->changed_count; i++) {
        struct gm_cjob *job = order->changed[i];
        bool may = job->turn.line.at != 0 && !gm_core_tenant_is_full(job->tenant);
        if (may && (!next || goes_before(core, job, next))) {
            next = job;
            at = i;
        }
    }
    order->aged = next && is_aged(core, next) ? next : NULL;
    if (next) {
        next->turn.changed = false;
        order->changed[at] = order->changed[--order->changed_count];
    }
    return next;
}

const struct gm_cjob *gm_core_order_waiting(const struct gm_core *core, size_t at)
{
    return job_of_wait(core->order.waiting.nodes[at]);
}

void gm_core_order_aside(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_order *order = &core->order;
    take(core, job);
    job->turn.aside = true;
    order->aside =
        gm_mem_grow(order->aside, order->aside_count, &order->aside_cap, sizeof(*order->aside));
    order->aside[order->aside_count++] = job;
}

void gm_core_order_back(struct gm_core *core)
{
    struct gm_order *order = &core->order;
    uint64_t lag = gm_fair_cost(GM_FAIR_WHOLE, LAG);
    for (size_t i = 0; i < order->aside_count; i++) {
        struct gm_cjob *job = order->aside[i];
        job->turn.aside = false;
        put(core, job, lag);
    }
    order->aside_count = 0;
    order->aged = NULL;
}

/* How long the lease's work is thought to take: by what the farm has learned, or else as others of
 * its kind. */
static gm_time expect(const struct gm_core *core, const struct gm_lease *lease)
{
    if (lease->expected > 0) {
        return lease->expected < LONGEST ? lease->expected : LONGEST;
    }
    enum gm_task_role role = lease->inst->task->type->role;
    gm_time unit = core->order.expected[role];
    if (unit == 0) {
        unit = role == GM_ROLE_INSPECT || role == GM_ROLE_PLAN ? FIRST_PROBE : FIRST_WORK;
    }
    return unit * (lease->chunk_count > 0 ? lease->chunk_count : 1);
}

/* Adds the cost, or takes it back. */
static uint64_t changed(uint64_t time, uint64_t cost, bool back)
{
    return !back ? time + cost : time > cost ? time - cost : 0;
}

/* job_too: the job is still in the lane. */
static void pay(struct gm_core *core, struct gm_cjob *job, struct gm_lane *lane, uint64_t cost,
                bool back, bool job_too)
{
    struct gm_heap *lanes = &core->order.lanes[lane - job->tenant->lanes];
    lane->time = changed(lane->time, cost / job->tenant->weight, back);
    gm_heap_move(lanes, &lane->turn, lane_before);
    if (job_too) {
        uint64_t own = cost * 10 / gm_fair_job_weight(job->priority);
        job->turn.time = changed(job->turn.time, own, back);
        gm_heap_move(&lane->jobs, &job->turn.line, job_before);
    }
}

static void run_more(struct gm_core *core, struct gm_tenant *tenant, bool more)
{
    tenant->running = more ? tenant->running + 1 : tenant->running - 1;
    for (int c = 0; tenant->max_running > 0 && c < GM_CLASSES; c++) {
        lane_turn(core, &tenant->lanes[c], 0);
    }
}

/* The job gets something because it is its turn. */
static void have_turn(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_order *order = &core->order;
    struct gm_lane *lane = job_lane(job);
    enum gm_job_class c = job->turn.class_;
    bool aged = order->aged == job; /* many wait as long, whose turn it is by class and share */
    order->aged = NULL;
    order->turns = aged ? 0 : order->turns + 1;
    if (!aged) {
        order->now[c] = later(order->now[c], lane->time);
    }
    if (!aged && job->turn.due_unix_ms == 0) { /* who goes first says nothing of the others */
        lane->now = later(lane->now, job->turn.time);
    }
    job->turn.since = core->now;
    gm_heap_move(&order->waiting, &job->turn.wait, waits_longer);
}

/* Of what the farm is known to have: device memory that nobody told is not in its sum. */
static uint64_t share_of(const struct gm_order *order, const struct gm_lease *lease)
{
    struct gm_capacity demand = lease->demand;
    if (lease->device->usable.device_memory_bytes == 0) {
        demand.device_memory_bytes = 0;
    }
    return gm_fair_share(&demand, &order->farm);
}

void gm_core_order_charge(struct gm_core *core, struct gm_lease *lease, bool turn)
{
    struct gm_order *order = &core->order;
    struct gm_cjob *job = lease->job;
    bool known = order->farm.slots > 0;
    lease->class_ = job->turn.class_;
    lease->share = known ? share_of(order, lease) : 0;
    lease->charged = gm_fair_cost(lease->share, expect(core, lease));
    if (turn) {
        have_turn(core, job);
    }
    pay(core, job, job_lane(job), lease->charged, false, true);
    run_more(core, job->tenant, true);
}

void gm_core_order_settle(struct gm_core *core, struct gm_lease *lease, bool done)
{
    struct gm_order *order = &core->order;
    struct gm_cjob *job = lease->job;
    gm_time held = core->now - lease->assigned_at;
    if (lease->share == 0) {
        lease->share = share_of(order, lease);
    }
    uint64_t cost = gm_fair_cost(lease->share, held);
    bool back = cost < lease->charged;
    pay(core, job, &job->tenant->lanes[lease->class_],
        back ? lease->charged - cost : cost - lease->charged, back,
        job->turn.class_ == lease->class_);
    gm_time *unit = &order->expected[lease->inst->task->type->role];
    if (done) {
        gm_time own = held / (lease->chunk_count > 0 ? lease->chunk_count : 1) + 1;
        *unit = *unit == 0 ? own : gm_fair_mean(*unit, own);
    }
    run_more(core, job->tenant, false);
}

bool gm_core_order_is_sound(const struct gm_order *order)
{
    bool sound = gm_heap_is_sound(&order->waiting, waits_longer);
    for (int c = 0; c < GM_CLASSES; c++) {
        sound = sound && gm_heap_is_sound(&order->lanes[c], lane_before);
        for (const struct gm_tenant *t = order->tenants; t; t = t->hh.next) {
            sound = sound && gm_heap_is_sound(&t->lanes[c].jobs, job_before);
        }
    }
    return sound;
}
