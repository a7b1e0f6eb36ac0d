/* Grants that are refused, and those that end by the scheduler's clock. */
#include "node/agent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/fake_io.h"

/* What the agents are like. */
#define IN_2001 INT64_C(1000000000000)
static const struct farm PLAIN = {.slots = 1};
static const struct farm BEHIND = {.unix_ms = IN_2001, .grants_end = IN_2001 + 3600000};
static const struct farm SLOW_BEHIND = {.unix_ms = IN_2001,
                                        .grants_end = IN_2001 + 3600000,
                                        .heartbeat_ms = 60000,
                                        .lease_ms = 180000,
                                        .leases = UINT32_MAX};
static const struct farm CLOCKLESS = {.grants_end = IN_2001};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, farm_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static void refused_grants_are_asked_for_again_or_fail_the_task(void **state)
{
    struct farm *farm = *state;
    farm->refusal = GM_E_BUSY;
    farm->refusals = 2;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(farm->grants, 3);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);

    farm->refusal = GM_E_GRANT_REFUSED;
    farm->refusals = 1;
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_GRANT_REFUSED, 0);

    farm->refusal = GM_E_STALE; /* nobody wants to hear of it */
    farm->refusals = 1;
    farm_assign(farm, "pieces", "1");
    while (farm->refusals > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

/* Grants end by the scheduler's clock, whatever this machine's says. */
static void a_scheduler_of_another_time_is_believed(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    assert_int_equal(farm->grants, 1);
}

static void until_grants(struct farm *farm, uint32_t count)
{
    while (farm->grants < count) {
        farm_turn(farm);
    }
}

static void a_grant_from_before_the_clock_was_set_is_asked_for_again(void **state)
{
    struct farm *farm = *state;
    farm->grants_end -= 86400000; /* its clock was set back, and we have not heard */
    uint64_t id = farm_assign(farm, "pieces", "1");
    until_grants(farm, 2);
    farm->unix_ms -= 86400000;
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    farm_expect_healthy(farm);
}

/* Back by a day, after the first heartbeat: it is told with the next, which is due in a minute. */
static void set_clock_back(struct farm *farm)
{
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    farm->grants_end -= 86400000;
    farm->unix_ms -= 86400000;
}

static void a_clock_that_was_set_is_asked_for_at_once(void **state)
{
    struct farm *farm = *state;
    set_clock_back(farm);
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static Gm__TaskSpec read_spec(struct farm *farm, Gm__Object *source)
{
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    gm__object__init(source);
    source->url = farm_object(farm, "source.mp4", "SOURCE", 6);
    source->key = (char *)(uintptr_t) "source.mp4";
    source->size = 6;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = source;
    spec.inputs_complete = true;
    return spec;
}

static void what_is_read_asks_for_the_clock_too(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    set_clock_back(farm);
    Gm__TaskSpec spec = read_spec(farm, &source);
    uint64_t id = farm_assign_spec(farm, &spec);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_int_equal(env->done->task_id, id);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    free(source.url);
}

/* Another attempt has fresh ones: the node is not to blame. */
static void read_grants_whose_time_is_over_are_too_late(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    farm->grants_end = farm->unix_ms - 90000;
    Gm__TaskSpec spec = read_spec(farm, &source);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_TIMEOUT, ETIME);
    free(source.url);
}

static void expect_late(struct farm *farm, const char *says)
{
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->error->code, GM_E_NODE_GRANT);
    if (strstr(env->failed->error->text, says) == NULL) {
        fail_msg("`%s` does not say `%s`", env->failed->error->text, says);
    }
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    assert_int_equal(farm->grants, 6);
}

static void a_grant_whose_time_is_over_names_both_clocks(void **state)
{
    struct farm *farm = *state;
    farm->grants_end = farm->unix_ms - 90000;
    expect_late(farm, "by the scheduler's clock, which is ");
}

static void of_an_older_scheduler_this_machine_may_be_wrong(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(farm, &source);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_NODE_GRANT, ETIME);
    free(source.url);
}

static void an_older_scheduler_tells_no_clock(void **state)
{
    expect_late(*state, "by this machine's clock (is that clock right?)");
}

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, refused_grants_are_asked_for_again_or_fail_the_task),
        WITH(BEHIND, a_scheduler_of_another_time_is_believed),
        WITH(BEHIND, a_grant_from_before_the_clock_was_set_is_asked_for_again),
        WITH(SLOW_BEHIND, a_clock_that_was_set_is_asked_for_at_once),
        WITH(SLOW_BEHIND, what_is_read_asks_for_the_clock_too),
        WITH(BEHIND, read_grants_whose_time_is_over_are_too_late),
        WITH(BEHIND, a_grant_whose_time_is_over_names_both_clocks),
        WITH(CLOCKLESS, of_an_older_scheduler_this_machine_may_be_wrong),
        WITH(CLOCKLESS, an_older_scheduler_tells_no_clock),
    };
    return cmocka_run_group_tests_name("node/agent", tests, NULL, NULL);
}
