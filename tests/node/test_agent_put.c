/* Puts into a store that hangs: what is on its way there when nobody wants it any more, what waits
 * for it, and what the node offers meanwhile. */
#include "node/agent.h"

#include "tests/node/held.h"

static const struct farm PLAIN = {.slots = 1};
static const struct farm STALLED = {.store_stall_ms = 3000};
static const struct farm SHORT = {.lease_ms = 4000};

static uint32_t next_leases(struct farm *farm)
{
    farm->leases = UINT32_MAX;
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    return farm->leases;
}

static void cancelled_task_keeps_its_lease_while_it_is_put(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    uint64_t id = farm_assign(farm, "pieces", "1");
    hold_until(farm, HOLD_PUT, 1);
    farm_cancel(farm, id);
    until_heard(farm);
    assert_int_equal(next_leases(farm), 1);
    assert_int_equal(next_leases(farm), 1);
    hold_let_go();
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    assert_false(is_stored(farm, "video/piece-0")); /* it was given up */
    farm_expect_healthy(farm);
}

static void put_ends_with_its_lease(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    farm_assign(farm, "pieces", "1");
    hold_until(farm, HOLD_PUT, 1);
    farm->renew = false;
    while (next_leases(farm) > 0) { /* until the agent's own clock ends it */
    }
    hold_let_go();
    stop_agent(farm);
    until_agent_ends(farm);
    assert_false(is_stored(farm, "video/piece-0"));
}

static void failure_is_told_when_nothing_is_put_any_more(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "lie";
    spec.source_name = (char *)(uintptr_t) "late";
    uint64_t id = farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_PUT, 1);
    end_inputs(farm, id);
    until_said(farm, GM__ENVELOPE__BODY_FAILED);
    assert_false(hold_is_set(HOLD_PUT)); /* not before */
    stop_agent(farm);
    until_agent_ends(farm);
}

/* A worker that waits for its pieces' end says that it lives, for ever. */
static void store_that_takes_nothing_fails_the_task(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "9"), GM_E_STORE, 0);
    hold_let_go();
    farm_expect_healthy(farm);
    stop_agent(farm);
    until_agent_ends(farm);
    assert_false(is_stored(farm, "video/piece-0"));
}

/* All threads hang in puts, of tasks that have failed for it. */
static void hold_all(struct farm *farm)
{
    hold_set(HOLD_PUT, true);
    while (hold_threads(HOLD_PUT) < POOL) {
        farm_expect_failed(farm, farm_assign(farm, "pieces", "9"), GM_E_STORE, 0);
    }
}

static void node_offers_nothing_while_all_threads_hang(void **state)
{
    struct farm *farm = *state;
    hold_all(farm);
    until_slots(farm, 0);
    hold_let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

/* Nothing of its store hangs: it does not come to that. */
static void what_was_made_and_waits_for_a_thread_fails_its_task(void **state)
{
    struct farm *farm = *state;
    hold_all(farm);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_STORE, 0);
    hold_let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static void open_that_waits_for_a_thread_fails_its_task(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_all(farm);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE, 0);
    hold_let_go();
    farm_expect_done(farm, farm_assign_spec(farm, &spec));
    free(source.url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, cancelled_task_keeps_its_lease_while_it_is_put),
        WITH(SHORT, put_ends_with_its_lease),
        WITH(STALLED, store_that_takes_nothing_fails_the_task),
        WITH(STALLED, node_offers_nothing_while_all_threads_hang),
        WITH(STALLED, what_was_made_and_waits_for_a_thread_fails_its_task),
        WITH(STALLED, open_that_waits_for_a_thread_fails_its_task),
        WITH(PLAIN, failure_is_told_when_nothing_is_put_any_more),
    };
    return held_main(tests, sizeof tests / sizeof tests[0]);
}
