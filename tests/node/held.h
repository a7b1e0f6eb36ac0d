#ifndef GM_TESTS_NODE_HELD_H
#define GM_TESTS_NODE_HELD_H

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "node/hold_io.h"

/* Shared by the tests of agents whose store hangs (hold_io.h). */

#define POOL 4 /* threads of libuv's pool */
#define END_WAIT (100 * GM_SEC)

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, held_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static inline int held_teardown(void **state)
{
    hold_let_go();
    int rc = farm_teardown(state);
    hold_forget();
    return rc;
}

static inline bool is_stored(const struct farm *farm, const char *key)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/store/%s", farm->folder, key);
    return access(path, F_OK) == 0;
}

static inline void stop_agent(const struct farm *farm)
{
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
}

/* The agent, told to stop, has ended with all that it had under way. */
static inline void until_agent_ends(const struct farm *farm)
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
static inline void until_heard(struct farm *farm)
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

static inline Gm__Object *make_object(struct farm *farm, Gm__Object *object)
{
    gm__object__init(object);
    object->url = farm_object(farm, "source.mp4", "SOURCE", 6);
    object->key = (char *)(uintptr_t) "source.mp4";
    object->size = 6;
    return object;
}

static inline Gm__TaskSpec read_spec(Gm__Object *source)
{
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = source;
    spec.inputs_complete = true;
    return spec;
}

static inline void end_inputs(struct farm *farm, uint64_t id)
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

static inline void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

/* A message of that kind; the puts are let go when the agent has said nothing else for a while. */
static inline void until_said(struct farm *farm, int kind)
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

static inline int held_main(const struct CMUnitTest *tests, size_t count)
{
    fake_worker_main();
    hold_init();
    assert_int_equal(setenv("UV_THREADPOOL_SIZE", "4", 1), 0); /* POOL */
    return _cmocka_run_group_tests("node/agent", tests, count, NULL, NULL);
}

#endif
