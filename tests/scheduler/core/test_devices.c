/* The index of devices against a walk over all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/core/farm_io.h"
#include "scheduler/core/walk_io.h"

struct tried {
    uint64_t found, none, parked, chosen, alone;
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

/* Searches both ways; what was found is taken. */
static void compare_search(struct farm *farm, uint64_t seed, struct tried *tried)
{
    struct farm_ask ask;
    farm_ask(farm, &ask);
    struct gm_assignment a = {.inst = &ask.inst, .demand = ask.demand}, b = a;
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
    tried->parked += parked;
    tried->chosen += a.picture_s > 0;
    tried->alone += found && memcmp(&a.demand, &ask.demand, sizeof(a.demand)) != 0;
    if (found) {
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
    assert_true(tried.chosen > 100 && tried.alone > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_says_what_a_walk_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
