/* Leases, terms, what is said again, and schedulers that are silent. */
#include "node/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/fake_io.h"

/* What the agents are like. */
static const struct farm PLAIN = {.slots = 1};
static const struct farm TWO_SLOTS = {.slots = 2};
static const struct farm OLDER_SCHEDULER = {.slots = 2, .no_batches = true};
static const struct farm IMPATIENT = {.lease_ms = 2000};
static const struct farm LONG = {.lease_ms = 600000}; /* than a farm goes on */
static const struct farm SILENT = {.patience_ms = 2000};
static const struct farm SELDOM = {.idle_ms = 3000000000, .lease_ms = 3000000000};
static const struct farm SELDOM_SILENT = {
    .idle_ms = 300, .lease_ms = 600000, .heartbeat_ms = 50, .patience_ms = 2000};
static const struct farm SECOND = {.second = true, .patience_ms = 2000};

static const struct farm SPARE = {
    .spare = true, .lease_ms = 600000, .heartbeat_ms = 50, .patience_ms = 600000};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, farm_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static void lease_that_is_not_renewed_ends_the_work(void **state)
{
    struct farm *farm = *state;
    farm->renew = false; /* the agent hears nothing of its leases */
    uint64_t id = farm_assign(farm, "busy", "");
    do {
        farm_turn(farm);
    } while (farm->leases == 0); /* it holds the lease */
    while (farm->leases > 0) {   /* until it gives it up by its own clock */
        farm_turn(farm);
    }
    assert_true(id > 0);
    farm->renew = true;
    farm_expect_healthy(farm);
}

/* Answers to a Renew of long ago. */
static void late_answers_do_not_renew_leases(void **state)
{
    struct farm *farm = *state;
    farm_expect_healthy(farm);
    farm->renew_number = 1;
    farm_assign(farm, "busy", "");
    do {
        farm_turn(farm);
    } while (farm->leases == 0);
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm->renew_number = 0;
    farm_expect_healthy(farm);
}

static void new_term_ends_all_work(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm->term = 2;
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

/* By its own, shorter time that scheduler gives away what it does not renew. */
static void what_goes_on_has_the_lease_of_the_new_term(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm->renew = false;
    farm->term = 2;
    farm->lease_ms = 2000;
    farm->adopts = true;
    uint32_t before = farm->hellos;
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_int_equal(farm->hello->n_held, 1);
    farm->leases = 0;
    while (farm->leases == 0) { /* it was taken over */
        farm_turn(farm);
    }
    while (farm->leases > 0) { /* and ends long before the time that it was given for */
        farm_turn(farm);
    }
    farm->renew = true;
    farm_expect_healthy(farm);
}

static void unacknowledged_messages_come_again_after_hello(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *first = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_refuse(farm, GM_E_UNREACHABLE);
    Gm__Envelope *again = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(first->seq, again->seq);
    farm_ack(farm, again->seq, false);
    gm__envelope__free_unpacked(first, NULL);
    gm__envelope__free_unpacked(again, NULL);
    farm_expect_done(farm, id);
}

/* All that is said again after a Welcome is one message, in order; a scheduler that reads no
 * batches gets each by itself (the farm looks at that), and all of it too. */
static void what_is_due_comes_together(void **state)
{
    struct farm *farm = *state;
    Gm__Envelope *first[2], *again[2];
    for (int i = 0; i < 2; i++) {
        farm_assign(farm, "pieces", "1");
    }
    for (int i = 0; i < 2; i++) {
        first[i] = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    }
    farm->batched = 0;
    farm_refuse(farm, GM_E_UNREACHABLE);
    for (int i = 0; i < 2; i++) {
        again[i] = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
        assert_int_equal(first[i]->seq, again[i]->seq);
    }
    assert_int_equal(farm->batched, farm->no_batches ? 0 : 2);
    for (int i = 0; i < 2; i++) {
        farm_ack(farm, again[i]->seq, false);
        gm__envelope__free_unpacked(first[i], NULL);
        gm__envelope__free_unpacked(again[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        Gm__Envelope *done = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
        farm_ack(farm, done->seq, false);
        gm__envelope__free_unpacked(done, NULL);
    }
}

/* The scheduler may still answer what an agent before this one sent: its first messages, say. */
static void answers_to_an_earlier_agent_mean_nothing(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_true(env->seq > UINT32_MAX);
    assert_true(farm->request > UINT32_MAX);
    farm_ack(farm, 1, true);
    farm_ack(farm, 2, true);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static void stale_answer_drops_the_task(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "pieces", "8");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm->ignored = GM__ENVELOPE__BODY_PRODUCED; /* more may be on their way */
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm_ack(farm, env->seq, true);
    gm__envelope__free_unpacked(env, NULL);
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

static void silent_scheduler_is_greeted_again(void **state)
{
    struct farm *farm = *state;
    uint32_t before = farm->hellos;
    farm->deaf = true;
    farm_assign(farm, "busy", "");
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_true(farm->peer_size != strlen(FARM_NODE_ID)); /* it leaves the name to the socket */
    farm->deaf = false;
    while (farm->hellos < before + 2 || farm->leases == 0) { /* the work goes on in the same term */
        farm_turn(farm);
    }
}

static void until_renewed(struct farm *farm, uint64_t number)
{
    while (farm->renews < number) {
        farm_turn(farm);
    }
}

/* Ten heartbeats. */
static void let_beats_pass(void)
{
    (void)usleep(500000);
}

static void a_node_without_work_says_so_seldom(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 1);
    let_beats_pass();
    uint64_t id = farm_assign(farm, "busy", "");
    while (farm->leases == 0) { /* at once as often as others */
        farm_turn(farm);
    }
    assert_int_equal(farm->renews, 2);
    until_renewed(farm, 5);
    farm_cancel(farm, id);
    while (farm->leases > 0) { /* it says that it stopped */
        farm_turn(farm);
    }
    uint64_t last = farm->renews;
    let_beats_pass();
    (void)farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    assert_in_range(farm->renews, last + 1, last + 5);
}

static void a_node_that_is_drained_says_so_at_once(void **state)
{
    struct farm *farm = *state;
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    until_renewed(farm, 1);
    drain.reason = (char *)(uintptr_t) "test";
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
    until_renewed(farm, 2);
}

static void a_cancel_of_what_never_came_is_answered_at_once(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 1);
    farm_cancel(farm, 77);
    until_renewed(farm, 2);
    farm->term--; /* of a scheduler before */
    farm_cancel(farm, 78);
    farm->term++;
    until_renewed(farm, 3);
}

/* Idle as it is: it asks, is not answered, and asks again each heartbeat until it gives up. */
static void a_silent_scheduler_is_found_without_work(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 2); /* the second one after the longer time */
    uint32_t before = farm->hellos;
    uint64_t from = farm->renews;
    farm->deaf = true;
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_true(farm->renews > from + 8); /* in 2 s: of longer times it would be 7 at most */
    farm->deaf = false;
    while (farm->hellos < before + 2) {
        farm_turn(farm);
    }
}

static void next_endpoint_is_tried_when_one_is_dead(void **state)
{
    farm_expect_healthy(*state); /* farm_start waited for its Hello */
}

/* As a standby that takes over from a machine that died: no connection breaks. */
static void another_that_leads_is_found_while_one_is_silent(void **state)
{
    struct farm *farm = *state;
    char endpoint[160];
    const int none = 0;
    until_renewed(farm, 2);
    farm->deaf = true;
    until_renewed(farm, 8); /* it looks there, in vain, and stays */
    void *other = zmq_socket(farm->zmq, ZMQ_ROUTER);
    (void)snprintf(endpoint, sizeof endpoint, "%s-dead", farm->endpoint);
    assert_int_equal(zmq_setsockopt(other, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(zmq_bind(other, endpoint), 0);
    zmq_pollitem_t item = {.socket = other, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, 60000), 1); /* its Hello, long before its patience ends */
    zmq_close(other);
}

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        WITH(IMPATIENT, lease_that_is_not_renewed_ends_the_work),
        WITH(IMPATIENT, late_answers_do_not_renew_leases),
        WITH(PLAIN, new_term_ends_all_work),
        WITH(LONG, what_goes_on_has_the_lease_of_the_new_term),
        WITH(PLAIN, unacknowledged_messages_come_again_after_hello),
        WITH(TWO_SLOTS, what_is_due_comes_together),
        WITH(OLDER_SCHEDULER, what_is_due_comes_together),
        WITH(PLAIN, answers_to_an_earlier_agent_mean_nothing),
        WITH(PLAIN, stale_answer_drops_the_task),
        WITH(SILENT, silent_scheduler_is_greeted_again),
        WITH(SELDOM, a_node_without_work_says_so_seldom),
        WITH(SELDOM, a_node_that_is_drained_says_so_at_once),
        WITH(SELDOM, a_cancel_of_what_never_came_is_answered_at_once),
        WITH(SELDOM_SILENT, a_silent_scheduler_is_found_without_work),
        WITH(SPARE, another_that_leads_is_found_while_one_is_silent),
        WITH(SECOND, next_endpoint_is_tried_when_one_is_dead),
    };
    return cmocka_run_group_tests_name("node/agent", tests, NULL, NULL);
}
