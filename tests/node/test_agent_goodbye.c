/* Agents that are told to end while their store hangs. */
#include "node/agent.h"

#include "tests/node/held.h"

static const struct farm PLAIN = {.slots = 1};
static const struct farm SHORT = {.lease_ms = 4000};
static const struct farm PATIENT = {.drain_ms = 3600000};
static const struct farm LONG = {.lease_ms = 60000};

static void goodbye_is_said_when_nothing_is_put_any_more(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    farm_assign(farm, "pieces", "1");
    hold_until(farm, HOLD_PUT, 1);
    stop_agent(farm);
    until_said(farm, GM__ENVELOPE__BODY_GOODBYE);
    assert_false(hold_is_set(HOLD_PUT)); /* not before */
    until_agent_ends(farm);
}

/* Whether it was among what the agent, which has ended, said. */
static bool was_said(struct farm *farm, int kind)
{
    zmq_pollitem_t item = {.socket = farm->router, .events = ZMQ_POLLIN};
    bool said = false;
    while (zmq_poll(&item, 1, 500) > 0) {
        Gm__Envelope *env = farm_any(farm);
        said = said || (int)env->body_case == kind;
        gm__envelope__free_unpacked(env, NULL);
    }
    return said;
}

static void goodbye_is_said_though_a_put_hangs_when_its_lease_is_over(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    farm_assign(farm, "pieces", "1");
    hold_until(farm, HOLD_PUT, 1);
    stop_agent(farm);
    until_agent_ends(farm);
    assert_true(was_said(farm, GM__ENVELOPE__BODY_GOODBYE));
    hold_let_go();
    assert_false(is_stored(farm, "video/piece-0"));
}

static void goodbye_is_said_though_an_open_hangs(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_set(HOLD_OPEN, true);
    farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_OPEN, 1);
    stop_agent(farm);
    until_agent_ends(farm); /* long before its lease, with what hangs */
    assert_true(was_said(farm, GM__ENVELOPE__BODY_GOODBYE));
    free(source.url);
}

/* What hangs and nobody wants any more does not keep it from ending. */
static void told_to_restart_it_ends_though_an_open_hangs(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_set(HOLD_OPEN, true);
    uint64_t id = farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_OPEN, 1);
    farm_cancel(farm, id);
    until_heard(farm);
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    drain.restart = true;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
    farm->status = GM_AGENT_RESTART;
    until_agent_ends(farm);
    assert_true(was_said(farm, GM__ENVELOPE__BODY_GOODBYE));
    free(source.url);
}

static void at_sigterm_it_ends_though_an_open_hangs(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_set(HOLD_OPEN, true);
    uint64_t id = farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_OPEN, 1);
    farm_cancel(farm, id);
    until_heard(farm);
    stop_agent(farm); /* what runs may end for an hour; nothing does */
    until_agent_ends(farm);
    assert_true(was_said(farm, GM__ENVELOPE__BODY_GOODBYE));
    free(source.url);
}

/* Of two numbers: none is lost though both come at once. */
static void second_signal_ends_it_while_a_put_hangs(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_PUT, true);
    farm_assign(farm, "pieces", "1");
    hold_until(farm, HOLD_PUT, 1);
    stop_agent(farm);
    assert_int_equal(kill(farm->agent, SIGINT), 0);
    until_agent_ends(farm);
    assert_false(was_said(farm, GM__ENVELOPE__BODY_GOODBYE)); /* nothing was certain yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, goodbye_is_said_when_nothing_is_put_any_more),
        WITH(SHORT, goodbye_is_said_though_a_put_hangs_when_its_lease_is_over),
        WITH(LONG, goodbye_is_said_though_an_open_hangs),
        WITH(LONG, told_to_restart_it_ends_though_an_open_hangs),
        WITH(PATIENT, at_sigterm_it_ends_though_an_open_hangs),
        WITH(LONG, second_signal_ends_it_while_a_put_hangs),
    };
    return held_main(tests, sizeof tests / sizeof tests[0]);
}
