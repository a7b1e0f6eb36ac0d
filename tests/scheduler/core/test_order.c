/* Whose turn it is, in a farm of slots and virtual time that has nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "scheduler/core/state.h"

#define JOBS 4096u
#define SLOTS 32u
#define FOR_EVER UINT32_MAX

struct work { /* of a job: so many pieces, each takes so long */
    struct gm_cjob job;
    uint32_t left, served;
    gm_time held, came, began, last; /* 0: not yet */
    gm_time longest;                 /* between two pieces */
    gm_time given;
    bool stuck; /* no slot is good for it */
};
struct place {
    struct gm_lease lease;
    gm_time until; /* 0: free */
};
struct world {
    struct gm_core *core;
    struct gm_ctask task;
    struct gm_inst inst;
    struct gm_cdevice device;
    struct work *works[JOBS];
    uint32_t count, slots;
    struct place places[SLOTS];
    void (*on_tick)(struct world *w);
};

static struct world *world_open(uint32_t slots, const struct gm_tenant_params *tenants,
                                size_t tenant_count)
{
    struct gm_core_params params = {.term = 1, .tenants = tenants, .tenant_count = tenant_count};
    struct world *w = calloc(1, sizeof(*w));
    struct gm_err err;
    assert_non_null(w);
    assert_int_equal(gm_core_create(&params, &w->core, &err), 0);
    w->task.type = gm_core_task_type_find("split");
    w->inst.task = &w->task;
    w->slots = slots;
    w->core->now = GM_SEC;
    w->core->order.farm.slots = slots;
    return w;
}

static void world_close(struct world *w)
{
    assert_true(gm_core_order_is_sound(&w->core->order));
    for (uint32_t i = 0; i < w->count; i++) {
        free(w->works[i]);
    }
    gm_core_destroy(&w->core);
    free(w);
}

static struct work *come(struct world *w, const char *tenant, int32_t priority, uint32_t pieces,
                         gm_time held)
{
    assert_true(w->count < JOBS);
    struct work *work = w->works[w->count++] = calloc(1, sizeof(*work));
    assert_non_null(work);
    work->job.seq = w->count;
    work->job.priority = priority;
    work->left = pieces;
    work->held = held;
    work->came = work->last = w->core->now;
    gm_core_order_join(w->core, &work->job, tenant);
    gm_core_order_enter(w->core, &work->job);
    return work;
}

static void start(struct world *w, struct place *p, struct work *work)
{
    p->lease = (struct gm_lease){.job = &work->job,
                                 .inst = &w->inst,
                                 .device = &w->device,
                                 .demand = {.slots = 1},
                                 .assigned_at = w->core->now};
    p->until = w->core->now + work->held;
    work->began = work->began == 0 ? w->core->now : work->began;
    gm_time gap = w->core->now - work->last;
    work->longest = gap > work->longest ? gap : work->longest;
    work->last = w->core->now;
    work->served++;
    work->given += work->held;
    gm_core_order_charge(w->core, &p->lease, true);
    work->left -= work->left == FOR_EVER ? 0 : 1;
    if (work->left == 0) {
        gm_core_order_leave(w->core, &work->job);
    }
}

/* One pass: free slots are given out. */
static void pass(struct world *w)
{
    for (uint32_t i = 0; i < w->slots; i++) {
        struct place *p = &w->places[i];
        struct gm_cjob *job = NULL;
        while (p->until == 0 && (job = gm_core_order_next(w->core)) != NULL) {
            struct work *work = (struct work *)(void *)job; /* its first member */
            if (work->stuck) {
                gm_core_order_aside(w->core, job);
            } else {
                start(w, p, work);
            }
        }
    }
    gm_core_order_back(w->core);
}

#define STEP (100 * GM_MS)

static void run(struct world *w, gm_time time)
{
    gm_time end = w->core->now + time;
    while (w->core->now < end) {
        for (uint32_t i = 0; i < w->slots; i++) {
            struct place *p = &w->places[i];
            if (p->until > 0 && p->until <= w->core->now) {
                gm_core_order_settle(w->core, &p->lease, true);
                p->until = 0;
            }
        }
        if (w->on_tick) {
            w->on_tick(w);
        }
        pass(w);
        w->core->now += STEP;
    }
}

static gm_time given(const struct world *w, const char *tenant)
{
    gm_time sum = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        if (strcmp(w->works[i]->job.tenant->name, tenant) == 0) {
            sum += w->works[i]->given;
        }
    }
    return sum;
}

static uint32_t clips; /* that were sent */

/* There are always a hundred clips that wait. */
static void hundred_clips(struct world *w)
{
    uint32_t open = 0;
    for (uint32_t i = 1; i < w->count; i++) {
        open += w->works[i]->left > 0 ? 1 : 0;
    }
    for (; open < 100; open++, clips++) {
        (void)come(w, "default", 50, 3, GM_SEC);
    }
}

static void a_film_and_a_hundred_clips_do_not_starve_each_other(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct work *film = come(w, "default", 50, FOR_EVER, 4 * GM_SEC);
    run(w, 60 * GM_SEC); /* it has the farm to itself */
    assert_true(film->served >= 59);
    uint32_t before = film->served;
    film->longest = 0;
    clips = 0;
    w->on_tick = hundred_clips;
    run(w, 600 * GM_SEC);
    /* each is one of 101: the film's part is 24 s of 2,400 */
    assert_in_range(film->served - before, 4, 12);
    assert_true(film->longest <= 180 * GM_SEC);
    gm_time longest = 0;
    for (uint32_t i = 1; i < w->count; i++) {
        gm_time until = w->works[i]->began > 0 ? w->works[i]->began : w->core->now;
        gm_time waited = until - w->works[i]->came;
        longest = waited > longest ? waited : longest;
    }
    assert_true(longest <= 45 * GM_SEC); /* a round of a hundred is 25 s */
    assert_true(clips > 700);
    world_close(w);
}

/* Jain's index, in thousandths. */
static uint64_t jain(const gm_time *shares, uint32_t count)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) {
        double s = (double)shares[i] / (double)GM_SEC;
        sum += s;
        squares += s * s;
    }
    return (uint64_t)(1000 * sum * sum / (squares * count));
}

static void equal_tenants_with_unlike_tasks_share_equally(void **arg)
{
    (void)arg;
    static const char *const names[] = {"a", "b", "c", "d"};
    static const gm_time held[] = {GM_SEC, 3 * GM_SEC, 10 * GM_SEC, 40 * GM_SEC};
    static const uint32_t jobs[] = {40, 5, 1, 12};
    struct world *w = world_open(16, NULL, 0);
    gm_time shares[4];
    for (uint32_t t = 0; t < 4; t++) {
        for (uint32_t i = 0; i < jobs[t]; i++) {
            (void)come(w, names[t], 50, FOR_EVER, held[t]);
        }
    }
    run(w, 1800 * GM_SEC);
    for (uint32_t t = 0; t < 4; t++) {
        shares[t] = given(w, names[t]);
    }
    assert_in_range(jain(shares, 4), 990, 1000);
    world_close(w);
}

static void weights_are_shares(void **arg)
{
    (void)arg;
    const struct gm_tenant_params tenants[] = {{.name = "light", .weight = 1},
                                               {.name = "heavy", .weight = 3}};
    struct world *w = world_open(8, tenants, 2);
    (void)come(w, "light", 50, FOR_EVER, 2 * GM_SEC);
    (void)come(w, "heavy", 50, FOR_EVER, 7 * GM_SEC);
    run(w, 1800 * GM_SEC);
    double ratio = (double)given(w, "heavy") / (double)given(w, "light");
    assert_true(ratio > 2.8 && ratio < 3.2);
    world_close(w);
}

static void priorities_are_weights_within_a_class(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct work *low = come(w, "default", 50, FOR_EVER, 5 * GM_SEC);
    struct work *high = come(w, "default", 60, FOR_EVER, 2 * GM_SEC);
    pass(w);
    assert_int_equal(high->served, 3); /* the first of equals, twice */
    run(w, 1800 * GM_SEC);
    double ratio = (double)high->given / (double)low->given;
    assert_true(ratio > 1.8 && ratio < 2.2);
    world_close(w);
}

static void who_was_away_has_nothing_to_catch_up(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct work *a = come(w, "a", 50, FOR_EVER, 2 * GM_SEC);
    run(w, 3600 * GM_SEC);
    struct work *b = come(w, "b", 50, FOR_EVER, 2 * GM_SEC);
    struct work *c = come(w, "a", 50, FOR_EVER, 2 * GM_SEC); /* a new one starts at the minimum */
    gm_time before = a->given;
    run(w, 600 * GM_SEC);
    gm_time later[] = {a->given - before + c->given, b->given};
    assert_in_range(jain(later, 2), 990, 1000);
    gm_time own[] = {a->given - before, c->given};
    assert_in_range(jain(own, 2), 980, 1000);
    world_close(w);
}

/* Nothing that b has can be placed for an hour; then it can. */
static void who_could_not_be_served_does_not_take_all_of_it_back(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct work *a = come(w, "a", 50, FOR_EVER, 2 * GM_SEC);
    struct work *b = come(w, "b", 50, FOR_EVER, 2 * GM_SEC);
    b->stuck = true;
    run(w, 3600 * GM_SEC);
    assert_int_equal(b->served, 0);
    b->stuck = false;
    gm_time before = a->given;
    a->longest = 0;
    run(w, 600 * GM_SEC);
    assert_true(a->longest <= 70 * GM_SEC); /* a minute at most is b's alone */
    assert_true(b->given > a->given - before);
    world_close(w);
}

static gm_time waits[JOBS];
static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* 20 slots, pieces of 10 s: 2 a second are all that fit. 0.9 a second of normal, as many of high.
 */
static void arrivals(struct world *w)
{
    if (chance(1000) < 90) {
        (void)come(w, "news", 90, 1, 10 * GM_SEC);
    }
    if (chance(1000) < 90) {
        (void)come(w, "archive", 50, 1, 10 * GM_SEC);
    }
}

static int by_time(const void *a, const void *b)
{
    const gm_time *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void the_high_class_waits_less_than_two_tasks_at_nine_tenths(void **arg)
{
    (void)arg;
    struct world *w = world_open(20, NULL, 0);
    seed = 11;
    w->on_tick = arrivals;
    run(w, 1800 * GM_SEC);
    uint32_t n = 0, all = 0;
    gm_time used = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct work *k = w->works[i];
        used += k->given;
        all++;
        if (k->job.priority == 90 && k->began > 0) {
            waits[n++] = k->began - k->came;
        }
    }
    qsort(waits, n, sizeof(waits[0]), by_time);
    double load = (double)used / (1800.0 * 20 * GM_SEC);
    assert_true(load > 0.85 && load < 0.97);
    assert_true(n > 1000 && all > 2 * n - 400);
    assert_true(waits[n * 99 / 100] < 20 * GM_SEC);
    assert_true(waits[n * 99 / 100] < 5 * GM_SEC); /* and far less */
    world_close(w);
}

static void every_eighth_turn_is_for_the_aged(void **arg)
{
    (void)arg;
    struct world *w = world_open(8, NULL, 0);
    struct work *high = come(w, "a", 90, FOR_EVER, GM_SEC);
    struct work *batch[200];
    for (uint32_t i = 0; i < 200; i++) {
        batch[i] = come(w, "b", 10, FOR_EVER, GM_SEC);
    }
    run(w, GM_ORDER_AGE - GM_SEC);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(batch[i]->served, 0);
    }
    uint32_t before = high->served, served = 0;
    run(w, 20 * GM_SEC); /* one a second is theirs, seven are not */
    for (uint32_t i = 0; i < 200; i++) {
        served += batch[i]->served;
    }
    assert_in_range(served, 15, 20);
    run(w, 180 * GM_SEC);
    served = 0;
    for (uint32_t i = 0; i < 200; i++) {
        assert_in_range(batch[i]->served, 0, 1); /* in turn */
        served += batch[i]->served;
    }
    assert_in_range(served, 190, 200);
    assert_in_range(high->served - before, 7 * 190, 7 * 201);
    world_close(w);
}

/* All of a crowd wait so long that they are aged: that ends neither the turns of the aged nor the
 * virtual time of the classes. */
static void a_crowd_that_is_aged_too_starves_nobody(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    for (uint32_t i = 0; i < 400; i++) {
        (void)come(w, "a", 90, FOR_EVER, 10 * GM_SEC);
    }
    struct work *batch = come(w, "a", 10, FOR_EVER, 10 * GM_SEC);
    run(w, 3600 * GM_SEC); /* a round of the crowd takes 1000 s */
    assert_in_range(batch->served, 2, 5);
    gm_time before = given(w, "a");
    struct work *b = come(w, "b", 90, FOR_EVER, 10 * GM_SEC);
    run(w, 1200 * GM_SEC);
    gm_time shares[] = {given(w, "a") - before, b->given};
    assert_in_range(jain(shares, 2), 990, 1000);
    world_close(w);
}

static void a_tenant_has_no_more_slots_than_it_may(void **arg)
{
    (void)arg;
    const struct gm_tenant_params tenants[] = {{.name = "few", .max_running = 2},
                                               {.name = "*", .max_running = 5}};
    struct world *w = world_open(8, tenants, 2);
    struct work *few = come(w, "few", 90, FOR_EVER, GM_SEC);
    struct work *more = come(w, "few", 10, FOR_EVER, GM_SEC);
    struct work *other = come(w, "other", 50, FOR_EVER, GM_SEC);
    for (int i = 0; i < 700; i++) { /* the waiting jobs age */
        run(w, GM_SEC);
        assert_int_equal(gm_core_tenant_find(w->core, "few")->running, 2);
        assert_int_equal(gm_core_tenant_find(w->core, "other")->running, 5);
    }
    assert_true(few->served > 1300 && other->served > 3400);
    assert_true(more->served > 0); /* aged: in the place of the other one of its tenant */
    world_close(w);
}

static void the_aged_wait_for_their_own_tenant(void **arg)
{
    (void)arg;
    const struct gm_tenant_params tenants[] = {{.name = "few", .max_running = 1}};
    struct world *w = world_open(4, tenants, 1);
    (void)come(w, "few", 50, 1, 1000 * GM_SEC);
    struct work *next = come(w, "few", 50, 1, GM_SEC);
    struct work *other = come(w, "other", 50, FOR_EVER, GM_SEC);
    for (int i = 0; i < 990; i++) {
        run(w, GM_SEC);
        assert_int_equal(gm_core_tenant_find(w->core, "few")->running, 1);
    }
    assert_int_equal(next->served, 0);
    assert_true(other->served > 2900); /* and hold up nobody */
    run(w, 30 * GM_SEC);
    assert_int_equal(next->served, 1);
    world_close(w);
}

/* Copies, and what ran before a restart. */
static void what_is_no_turn_is_charged_alone(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct gm_order *order = &w->core->order;
    struct work *a = come(w, "a", 50, FOR_EVER, GM_SEC);
    struct work *b = come(w, "b", 50, FOR_EVER, GM_SEC);
    run(w, 10 * GM_SEC);
    const struct gm_lane *lane = &a->job.tenant->lanes[GM_CLASS_NORMAL];
    uint32_t turns = order->turns;
    gm_time since = a->job.turn.since;
    uint64_t now = order->now[GM_CLASS_NORMAL], own = lane->now, time = lane->time;
    struct gm_lease lease = {.job = &a->job,
                             .inst = &w->inst,
                             .device = &w->device,
                             .demand = {.slots = 1},
                             .assigned_at = w->core->now};
    order->aged = &a->job;
    w->core->now += GM_SEC;
    gm_core_order_charge(w->core, &lease, false);
    assert_true(order->turns == turns && order->aged == &a->job);
    assert_true(a->job.turn.since == since);
    assert_true(order->now[GM_CLASS_NORMAL] == now && lane->now == own);
    assert_true(lane->time > time);
    assert_int_equal(a->job.tenant->running, b->job.tenant->running + 1);
    gm_core_order_settle(w->core, &lease, true);
    world_close(w);
}

/* A restart: nobody has told yet what the farm has. */
static void what_began_before_the_farm_was_known_is_charged_at_its_end(void **arg)
{
    (void)arg;
    struct world *w = world_open(4, NULL, 0);
    struct work *a = come(w, "a", 50, FOR_EVER, GM_SEC);
    const struct gm_lane *lane = &a->job.tenant->lanes[GM_CLASS_NORMAL];
    struct gm_lease lease = {.job = &a->job,
                             .inst = &w->inst,
                             .device = &w->device,
                             .demand = {.slots = 1},
                             .assigned_at = w->core->now};
    w->core->order.farm.slots = 0;
    gm_core_order_charge(w->core, &lease, false);
    assert_int_equal(lane->time, 0);
    w->core->order.farm.slots = 4;
    w->core->now += 20 * GM_SEC;
    gm_core_order_settle(w->core, &lease, true);
    assert_int_equal(lane->time, gm_fair_cost(GM_FAIR_WHOLE / 4, 20 * GM_SEC));
    world_close(w);
}

static void a_class_goes_first_and_a_deadline_is_one(void **arg)
{
    (void)arg;
    struct world *w = world_open(1, NULL, 0);
    struct work *batch = come(w, "a", 10, 1, GM_SEC);
    struct work *normal = come(w, "a", 50, 1, GM_SEC);
    struct work *high = come(w, "a", 90, 1, GM_SEC);
    batch->job.urgent = true; /* and it came first */
    gm_core_order_class(w->core, &batch->job);
    run(w, 5 * GM_SEC);
    assert_true(high->began < normal->began && batch->began < normal->began);
    batch = come(w, "a", 10, 1, GM_SEC);
    normal = come(w, "a", 50, 1, GM_SEC);
    batch->job.urgent = true;
    gm_core_order_class(w->core, &batch->job);
    batch->job.urgent = false;
    gm_core_order_class(w->core, &batch->job);
    run(w, 5 * GM_SEC);
    assert_true(normal->began < batch->began);
    world_close(w);
}

/* Of a tenant's jobs, the earliest first; the other tenant has its half all the same, and what is
 * due no more goes by shares, without a debt. */
static void what_is_due_goes_first_in_its_lane(void **arg)
{
    (void)arg;
    struct world *w = world_open(1, NULL, 0);
    struct work *other = come(w, "b", 50, FOR_EVER, GM_SEC);
    struct work *plain = come(w, "a", 50, FOR_EVER, GM_SEC);
    struct work *late = come(w, "a", 50, 20, GM_SEC);
    struct work *soon = come(w, "a", 50, 20, GM_SEC);
    gm_core_order_due(w->core, &late->job, 2000);
    gm_core_order_due(w->core, &soon->job, 1000);
    run(w, 60 * GM_SEC);
    assert_true(soon->left == 0 && late->left > 0 && late->left < 20 && plain->served == 0);
    assert_in_range(other->served, 28, 32);
    gm_core_order_due(w->core, &late->job, 0);
    uint32_t had = late->served;
    run(w, 8 * GM_SEC);
    assert_true(plain->served >= 1 && late->served > had);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_film_and_a_hundred_clips_do_not_starve_each_other),
        cmocka_unit_test(equal_tenants_with_unlike_tasks_share_equally),
        cmocka_unit_test(weights_are_shares),
        cmocka_unit_test(priorities_are_weights_within_a_class),
        cmocka_unit_test(who_was_away_has_nothing_to_catch_up),
        cmocka_unit_test(who_could_not_be_served_does_not_take_all_of_it_back),
        cmocka_unit_test(the_high_class_waits_less_than_two_tasks_at_nine_tenths),
        cmocka_unit_test(every_eighth_turn_is_for_the_aged),
        cmocka_unit_test(a_crowd_that_is_aged_too_starves_nobody),
        cmocka_unit_test(a_tenant_has_no_more_slots_than_it_may),
        cmocka_unit_test(the_aged_wait_for_their_own_tenant),
        cmocka_unit_test(what_is_no_turn_is_charged_alone),
        cmocka_unit_test(what_began_before_the_farm_was_known_is_charged_at_its_end),
        cmocka_unit_test(a_class_goes_first_and_a_deadline_is_one),
        cmocka_unit_test(what_is_due_goes_first_in_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
