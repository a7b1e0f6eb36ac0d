/* Stores that hang: what is on its way there when nobody wants it any more, what waits for it, and
 * what the node offers meanwhile. */
#include "node/agent.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "node/hold_io.h"

static const struct farm PLAIN = {.slots = 1};
static const struct farm STALLED = {.store_stall_ms = 3000};
static const struct farm SHORT = {.lease_ms = 4000};
static const struct farm PATIENT = {.drain_ms = 3600000};
static const struct farm LONG = {.lease_ms = 60000};

#define POOL 4 /* threads of libuv's pool */
#define END_WAIT (100 * GM_SEC)

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, teardown,                           \
                                             (void *)(uintptr_t) & (farm))

static int teardown(void **state)
{
    hold_let_go();
    int rc = farm_teardown(state);
    hold_forget();
    return rc;
}

static bool is_stored(const struct farm *farm, const char *key)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/store/%s", farm->folder, key);
    return access(path, F_OK) == 0;
}

static void stop_agent(const struct farm *farm)
{
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
}

/* The agent, told to stop, has ended with all that it had under way. */
static void until_agent_ends(const struct farm *farm)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    siginfo_t info = {0};
    gm_time end = gm_time_now() + END_WAIT;
    do {
        nanosleep(&pause, NULL);
        assert_int_equal(waitid(P_PID, (id_t)farm->agent, &info, WEXITED | WNOWAIT | WNOHANG), 0);
    } while (info.si_pid == 0 && gm_time_now() < end);
    if (info.si_pid == 0) {
        fail_msg("the agent was told to stop, and does not end");
    }
    assert_int_equal(info.si_code, CLD_EXITED);
    assert_int_equal(info.si_status, farm->status);
}

/* All that the farm says from here on was said after the agent took what it was sent before. */
static void until_heard(struct farm *farm)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    drain.resume = true;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    gm__offer__free_unpacked(farm->offer, NULL);
    farm->offer = NULL;
    farm_send(farm, &env);
    while (farm->offer == NULL) {
        farm_turn(farm);
    }
}

static uint32_t next_leases(struct farm *farm)
{
    farm->leases = UINT32_MAX;
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    return farm->leases;
}

static Gm__Object *make_object(struct farm *farm, Gm__Object *object)
{
    gm__object__init(object);
    object->url = farm_object(farm, "source.mp4", "SOURCE", 6);
    object->key = (char *)(uintptr_t) "source.mp4";
    object->size = 6;
    return object;
}

static Gm__TaskSpec read_spec(Gm__Object *source)
{
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = source;
    spec.inputs_complete = true;
    return spec;
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

/* A message of that kind; the puts are let go when the agent has said nothing else for a while. */
static void until_said(struct farm *farm, int kind)
{
    for (int turns = 0;; turns++) {
        zmq_pollitem_t item = {.socket = farm->router, .events = ZMQ_POLLIN};
        if (turns > 20 || zmq_poll(&item, 1, 500) == 0) {
            hold_let_go();
        }
        Gm__Envelope *env = farm_any(farm);
        bool came = (int)env->body_case == kind;
        if (env->body_case == GM__ENVELOPE__BODY_PRODUCED) {
            farm_ack(farm, env->seq, false);
        }
        gm__envelope__free_unpacked(env, NULL);
        if (came) {
            return;
        }
    }
}

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

static void end_inputs(struct farm *farm, uint64_t id)
{
    Gm__Feed feed = GM__FEED__INIT;
    feed.task_id = id;
    feed.term = farm->term;
    feed.epoch = id + 100;
    feed.inputs_complete = true;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    farm_send(farm, &env);
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

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
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

/* One thread is lost: the others do what there is to do. */
static void open_that_hangs_fails_its_task_alone(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_set(HOLD_OPEN, true);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE, 0);
    hold_until(farm, HOLD_OPEN, 1);
    farm_expect_healthy(farm);
    hold_let_go();
    farm_expect_done(farm, farm_assign_spec(farm, &spec));
    free(source.url);
}

static void reading_that_hangs_fails_its_task(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_READ, true);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_STORE, 0);
    hold_let_go();
    farm_expect_healthy(farm);
}

/* A task whose worker has its source open, and waits; what comes next of that kind hangs. */
static uint64_t hold_source(struct farm *farm, const Gm__Object *source, const char *how,
                            enum hold what)
{
    Gm__TaskSpec spec = read_spec((Gm__Object *)(uintptr_t)source);
    spec.type = (char *)(uintptr_t) "source";
    spec.source_name = (char *)(uintptr_t)how;
    spec.inputs_complete = false;
    uint32_t progress = farm->progress;
    uint64_t id = farm_assign_spec(farm, &spec);
    while (farm->progress == progress) {
        farm_turn(farm);
    }
    hold_set(what, true);
    end_inputs(farm, id);
    return id;
}

/* The agent goes on, and says what it says at every heartbeat. */
static void source_that_hangs_when_it_is_looked_at_again_holds_nothing_else(void **state)
{
    struct farm *farm = *state;
    static const char *const ends[] = {"", "fail"};
    for (size_t i = 0; i < 2; i++) {
        Gm__Object source;
        uint64_t id = hold_source(farm, make_object(farm, &source), ends[i], HOLD_LOOK);
        hold_until(farm, HOLD_LOOK, 1);
        until_heard(farm);
        farm_expect_failed(farm, id, i == 0 ? GM_E_STORE : GM_E_MEDIA, i == 0 ? 0 : -43);
        hold_let_go();
        farm_expect_healthy(farm);
        while (hold_threads(HOLD_LOOK) > 0) {
            farm_turn(farm);
        }
        free(source.url);
    }
}

static void source_that_changed_is_why_its_task_failed(void **state)
{
    struct farm *farm = *state;
    static const char *const ends[] = {"", "fail"};
    for (size_t i = 0; i < 2; i++) {
        Gm__Object source;
        uint64_t id = hold_source(farm, make_object(farm, &source), ends[i], HOLD_LOOK);
        hold_until(farm, HOLD_LOOK, 1);
        char path[192];
        snprintf(path, sizeof(path), "%s/store/source.mp4", farm->folder);
        const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        hold_let_go();
        farm_expect_failed(farm, id, GM_E_INPUT_CHANGED, 0);
        free(source.url);
    }
}

static void source_that_hangs_when_it_is_closed_holds_nothing_else(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    uint64_t id = hold_source(farm, make_object(farm, &source), "fail", HOLD_CLOSE);
    farm_expect_failed(farm, id, GM_E_MEDIA, -43);
    hold_until(farm, HOLD_CLOSE, 1);
    until_heard(farm);
    free(source.url);
}

/* What the verifier reads of results is opened for it, and its end is the item's. */
static void open_of_the_verifier_that_hangs_fails_its_task(void **state)
{
    struct farm *farm = *state;
    Gm__Object object;
    Gm__Object *objects[] = {make_object(farm, &object)};
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    result.task = (char *)(uintptr_t) "plan";
    result.objects = objects;
    result.n_objects = 1;
    Gm__TaskResult *results[] = {&result};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "encode";
    spec.source_name = (char *)(uintptr_t) "result";
    spec.results = results;
    spec.n_results = 1;
    spec.inputs_complete = true;
    hold_set(HOLD_OPEN, true);
    uint64_t id = farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_OPEN, 1);
    pid_t verifier = farm_worker(farm, "verify");
    farm_expect_failed(farm, id, GM_E_STORE, 0);
    assert_int_not_equal(farm_worker(farm, "verify"), verifier);
    hold_let_go();
    id = farm_assign_spec(farm, &spec);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    free(object.url);
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
        WITH(STALLED, open_that_hangs_fails_its_task_alone),
        WITH(STALLED, reading_that_hangs_fails_its_task),
        WITH(STALLED, source_that_hangs_when_it_is_looked_at_again_holds_nothing_else),
        WITH(PLAIN, source_that_changed_is_why_its_task_failed),
        WITH(PLAIN, source_that_hangs_when_it_is_closed_holds_nothing_else),
        WITH(STALLED, open_of_the_verifier_that_hangs_fails_its_task),
        WITH(PLAIN, goodbye_is_said_when_nothing_is_put_any_more),
        WITH(SHORT, goodbye_is_said_though_a_put_hangs_when_its_lease_is_over),
        WITH(LONG, goodbye_is_said_though_an_open_hangs),
        WITH(LONG, told_to_restart_it_ends_though_an_open_hangs),
        WITH(PATIENT, at_sigterm_it_ends_though_an_open_hangs),
        WITH(LONG, second_signal_ends_it_while_a_put_hangs),
        WITH(PLAIN, failure_is_told_when_nothing_is_put_any_more),
    };
    fake_worker_main();
    hold_init();
    assert_int_equal(setenv("UV_THREADPOOL_SIZE", "4", 1), 0); /* POOL */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
