/* The index of devices against a walk over all of them; no device has more than it told; and the
 * sum of them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/core/farm_io.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/walk_io.h"

struct tried {
    uint64_t found, none, parked, chosen, alone, home;
};

static void compare_slots(const struct farm *farm, const struct gm_chain_wish *wish, uint64_t seed)
{
    uint64_t unused, walked;
    uint64_t slots = gm_core_slots(farm->core, wish, &unused);
    if (slots != walk_slots(farm->core, wish, &walked) || unused != walked) {
        fail_msg("farm %u: %u of %u slots are free, by a walk %u", (unsigned)seed, (unsigned)unused,
                 (unsigned)slots, (unsigned)walked);
    }
}

/* What runs on the device, or on all of its node, with the work that comes. */
static struct gm_capacity sum_of(const struct farm *farm, const struct gm_cdevice *device,
                                 bool of_node, const struct gm_capacity *more)
{
    struct gm_capacity sum = *more;
    for (uint32_t i = 0; i < farm->run_count; i++) {
        const struct gm_cdevice *d = farm->runs[i].device;
        for (int k = 0; (of_node ? d->node == device->node : d == device) && k < GM_DIMS; k++) {
            sum.v[k] += farm->runs[i].demand.v[k];
        }
    }
    return sum;
}

/* For tasks of the processors: without one for each slot of the node's GPUs, but at least one. */
static uint64_t unfed(const struct gm_cnode *node)
{
    uint64_t left = node->whole.cpu_milli;
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_capacity *c = &node->devices[i].usable;
        uint64_t fed = c->cpu_milli < c->slots * 1000 ? c->cpu_milli : c->slots * 1000;
        fed = strcmp(node->devices[i].kind, "cpu") == 0 ? 0 : fed;
        left = left > fed ? left - fed : 0;
    }
    uint64_t least = node->whole.cpu_milli < 1000 ? node->whole.cpu_milli : 1000;
    return left > least ? left : least;
}

/* Nothing that the node told is exceeded in any dimension. */
static void assert_room(const struct farm *farm, const struct gm_cdevice *device,
                        const struct gm_capacity *demand)
{
    const struct gm_cnode *node = device->node;
    const struct gm_capacity own = sum_of(farm, device, false, demand);
    const struct gm_capacity all = sum_of(farm, device, true, demand);
    assert_true(own.slots <= device->usable.slots && own.cpu_milli <= device->usable.cpu_milli);
    assert_true(device->usable.sessions == 0 || demand->sessions == 0 ||
                own.sessions <= device->usable.sessions);
    assert_true(device->usable.device_memory_bytes == 0 || demand->device_memory_bytes == 0 ||
                own.device_memory_bytes <= device->usable.device_memory_bytes);
    if (node->shares) {
        assert_true(all.memory_bytes <= node->whole.memory_bytes);
        assert_true(all.scratch_bytes <= node->whole.scratch_bytes);
        assert_true(strcmp(device->kind, "cpu") != 0 || own.cpu_milli <= unfed(node));
    } else {
        assert_true(own.memory_bytes <= device->usable.memory_bytes);
        assert_true(own.scratch_bytes <= device->usable.scratch_bytes);
    }
}

/* Searches both ways; what was found is taken. */
static void compare_search(struct farm *farm, uint64_t seed, struct tried *tried)
{
    struct farm_ask ask;
    farm_ask(farm, &ask);
    const struct gm_cnode *home = NULL;
    char id[16];
    (void)snprintf(id, sizeof(id), "node-%u", (unsigned)farm_random(farm, farm->nodes * 2));
    HASH_FIND_STR(farm->core->nodes, id, home);
    struct gm_assignment a = {.inst = &ask.inst, .demand = ask.demand, .home = home}, b = a;
    compare_slots(farm, &ask.wish, seed);
    compare_slots(farm, NULL, seed);
    assert_int_equal(gm_core_has_other_node(farm->core, &ask.wish, &ask.unit),
                     walk_has_other_node(farm->core, &ask.wish, &ask.unit));
    bool parked = gm_core_is_parked(farm->core, &ask.wish, &ask.demand);
    bool found = gm_core_find_device(farm->core, &ask.unit, &ask.wish, &a);
    bool walked = walk_find_device(farm->core, &ask.unit, &ask.wish, &b);
    if (found != walked || a.device != b.device || a.node != b.node || a.chain != b.chain ||
        memcmp(&a.demand, &b.demand, sizeof(a.demand)) != 0 ||
        memcmp(&a.picture_s, &b.picture_s, sizeof(a.picture_s)) != 0) {
        fail_msg("farm %u: %s %s at %g s, by a walk %s %s at %g s", (unsigned)seed,
                 found ? a.node->id : "-", found ? a.device->id : "-", a.picture_s,
                 walked ? b.node->id : "-", walked ? b.device->id : "-", b.picture_s);
    }
    if (parked && found && ask.unit.avoid_count == 0) {
        fail_msg("farm %u: it is parked and goes to %s", (unsigned)seed, a.node->id);
    }
    tried->found += found;
    tried->none += !found;
    tried->home += found && a.node == home;
    tried->parked += parked;
    tried->chosen += a.picture_s > 0;
    tried->alone += found && memcmp(&a.demand, &ask.demand, sizeof(a.demand)) != 0;
    if (found) {
        assert_room(farm, a.device, &a.demand);
        farm_start(farm, a.device, &a.demand);
    } else if (gm_core_is_parked(farm->core, &ask.wish, &ask.demand)) {
        ask.unit.avoid_count = 0; /* for all that ask for the same */
        ask.job.leading = 0;
        ask.job.leases = NULL;
        b.demand = ask.demand;
        assert_false(walk_find_device(farm->core, &ask.unit, &ask.wish, &b));
        tried->parked++;
    }
}

static void run_farm(uint64_t seed, uint32_t nodes, int steps, struct tried *tried)
{
    struct gm_err err = {.code = GM_OK};
    struct farm *farm = farm_create(seed, nodes, false, false);
    for (int i = 0; i < steps; i++) {
        switch (farm_random(farm, 8)) {
        case 0:
            farm_event(farm);
            break;
        case 1:
        case 2:
            farm_end(farm);
            break;
        default:
            compare_search(farm, seed, tried);
            break;
        }
        if (gm_devices_check(farm->core, &err) < 0) {
            fail_msg("farm %u: %s", (unsigned)seed, err.text);
        }
    }
    farm_destroy(farm);
}

/* Some thousand farms: small ones, where all of a block's devices differ, and some of more than
 * one block a class. */
static void the_index_says_what_a_walk_says(void **arg)
{
    (void)arg;
    struct tried tried = {0};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        run_farm(seed, 1 + (uint32_t)(seed % 12), 60, &tried);
    }
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run_farm(seed, 400, 200, &tried);
    }
    /* each case was met */
    assert_true(tried.found > 10000 && tried.none > 1000 && tried.parked > 1000);
    assert_true(tried.chosen > 100 && tried.alone > 10 && tried.home > 1000);
}

/* A wish of which no device has the room, nor ever gets it. */
static bool find_parked(struct farm *farm, struct farm_ask *out)
{
    for (int i = 0; i < 2000; i++) {
        farm_ask(farm, out);
        struct gm_assignment a = {.inst = &out->inst, .demand = out->demand};
        if (gm_core_find_device(farm->core, &out->unit, &out->wish, &a)) {
            farm_start(farm, a.device, &a.demand);
        } else if (gm_core_is_parked(farm->core, &out->wish, &out->demand)) {
            return true;
        }
    }
    return false;
}

static void what_found_no_device_is_searched_for_again_within_a_second(void **arg)
{
    (void)arg;
    struct farm *farm = farm_create(1, 4, false, false);
    struct farm_ask ask;
    const struct gm_event tick = {.type = GM_EV_TICK};
    struct gm_effects fx = {0};
    struct gm_err err = {.code = GM_OK};
    assert_int_equal(gm_core_step(farm->core, &tick, farm->now += GM_SEC, &fx, &err), 0);
    gm_effects_fini(&fx);
    assert_true(find_parked(farm, &ask));
    gm_time since = farm->now;
    for (; farm->now < since + 900 * GM_MS; farm->now += 100 * GM_MS) {
        assert_int_equal(gm_core_step(farm->core, &tick, farm->now, &fx, &err), 0);
        gm_effects_fini(&fx);
        assert_true(gm_core_is_parked(farm->core, &ask.wish, &ask.demand));
    }
    assert_int_equal(gm_core_step(farm->core, &tick, since + GM_SEC, &fx, &err), 0);
    gm_effects_fini(&fx);
    assert_false(gm_core_is_parked(farm->core, &ask.wish, &ask.demand));
    farm_destroy(farm);
}

/* So many that their sum would begin anew at 0. */
static void nodes_that_tell_too_much_do_not_make_the_farm_small(void **arg)
{
    (void)arg;
    struct farm *farm = farm_create(1, 20, true, false);
    struct gm_effects fx = {0};
    struct gm_err err = {.code = GM_OK};
    for (const struct gm_cnode *n = farm->core->nodes; n; n = n->hh.next) {
        Gm__Envelope envelope = GM__ENVELOPE__INIT;
        Gm__Offer m = GM__OFFER__INIT;
        Gm__Capacity c = GM__CAPACITY__INIT;
        c.slots = 1;
        c.memory_bytes = c.scratch_bytes = c.device_memory_bytes = UINT64_MAX;
        m.device = n->devices[0].id;
        m.usable = &c;
        envelope.body_case = GM__ENVELOPE__BODY_OFFER;
        envelope.offer = &m;
        const struct gm_event event = {
            .type = GM_EV_MESSAGE, .node_id = n->id, .envelope = &envelope};
        assert_int_equal(gm_core_step(farm->core, &event, farm->now, &fx, &err), 0);
        gm_effects_fini(&fx);
    }
    const struct gm_event tick = {.type = GM_EV_TICK};
    assert_int_equal(gm_core_step(farm->core, &tick, farm->now + 2 * GM_SEC, &fx, &err), 0);
    gm_effects_fini(&fx);
    const struct gm_capacity *all = &farm->core->order.farm;
    assert_int_equal(all->slots, 20);
    assert_true(all->memory_bytes == UINT64_MAX && all->scratch_bytes == UINT64_MAX);
    assert_true(all->device_memory_bytes == UINT64_MAX);
    farm_destroy(farm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_says_what_a_walk_says),
        cmocka_unit_test(what_found_no_device_is_searched_for_again_within_a_second),
        cmocka_unit_test(nodes_that_tell_too_much_do_not_make_the_farm_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
