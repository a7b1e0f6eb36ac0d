/* Agents that are drained, told to restart and told to end. */
#include "node/agent.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "node/fake_io.h"

/* What the agents are like. */
static const struct farm PLAIN = {.slots = 1};
static const struct farm PATIENT = {.drain_ms = 60000};
static const struct farm HASTY = {.drain_ms = 300};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, farm_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

static void tell_to_drain(struct farm *farm, bool resume)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    drain.resume = resume;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
}

static void drained_node_offers_nothing(void **state)
{
    struct farm *farm = *state;
    tell_to_drain(farm, false);
    until_slots(farm, 0);
    tell_to_drain(farm, true);
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

/* What the scheduler says while nobody hears is said no more: a Welcome alone tells that it may
 * work, and a Drain behind it where it may not. */
static void a_resume_that_was_lost_is_made_good_by_a_welcome(void **state)
{
    struct farm *farm = *state;
    tell_to_drain(farm, false);
    until_slots(farm, 0);
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static void tell_to_restart(struct farm *farm)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    drain.restart = true;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
}

/* farm_stop's signal, too, would end it: an agent at its very end does not catch it any more. */
static void until_ended(const struct farm *farm)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)farm->agent, &info, WEXITED | WNOWAIT), 0);
}

/* Goodbye comes when the end of its last task was acknowledged, and not before. */
static void told_to_restart_it_ends_when_it_has_nothing_to_do(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    tell_to_restart(farm);
    tell_to_restart(farm); /* said until it ends */
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    assert_string_equal(env->goodbye->reason, "restart");
    gm__envelope__free_unpacked(env, NULL);
    farm->status = GM_AGENT_RESTART; /* farm_stop looks */
    until_ended(farm);
}

static void at_sigterm_what_runs_may_end(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

static void at_a_second_signal_what_runs_is_given_back(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

static void what_takes_too_long_at_sigterm_is_given_back(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, drained_node_offers_nothing),
        WITH(PLAIN, a_resume_that_was_lost_is_made_good_by_a_welcome),
        WITH(PLAIN, told_to_restart_it_ends_when_it_has_nothing_to_do),
        WITH(PATIENT, at_sigterm_what_runs_may_end),
        WITH(PATIENT, at_a_second_signal_what_runs_is_given_back),
        WITH(HASTY, what_takes_too_long_at_sigterm_is_given_back),
    };
    return cmocka_run_group_tests_name("node/agent", tests, NULL, NULL);
}
