/* Workers that hang, and those that SIGKILL does not end, as where a driver holds them: the test
 * traces those, and while it does not look at their end the agent hears nothing of it. */
#include "node/agent.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/fake_io.h"

static const struct farm SOON = {.dying_ms = 1000};
static const struct farm QUIET = {.stall_ms = 2000};
static const struct farm LEASED = {.stall_ms = 2000, .lease_ms = 2000};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, teardown,                           \
                                             (void *)(uintptr_t) & (farm))

static pid_t held; /* 0: none */

/* Kills the worker in that folder below scratch, and holds its end back. */
static void hold_dead(const struct farm *farm, const char *scratch)
{
    pid_t worker = farm_worker(farm, scratch);
    assert_true(worker > 0);
    if (ptrace(PTRACE_SEIZE, worker, NULL, NULL) < 0) {
        print_message("SKIPPED here: dead workers (no right to trace them: %s)\n", strerror(errno));
        skip();
    }
    held = worker;
    assert_int_equal(kill(held, SIGKILL), 0);
}

static void let_go(void)
{
    if (held != 0) {
        assert_int_equal(waitpid(held, NULL, __WALL), held);
        held = 0;
    }
}

static int teardown(void **state)
{
    let_go();
    return farm_teardown(state);
}

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

static void slot_whose_worker_does_not_end_is_not_offered(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "busy", "");
    while (farm->progress == 0) {
        farm_turn(farm);
    }
    hold_dead(farm, "0");
    farm_expect_failed(farm, id, GM_E_WORKER_HUNG, 0);
    until_slots(farm, 0);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static void nothing_is_offered_without_a_verifier_that_ends(void **state)
{
    struct farm *farm = *state;
    hold_dead(farm, "verify");
    until_slots(farm, 0);
    /* what was made meanwhile is not waited with */
    farm_expect_failed(farm, farm_assign(farm, "encode", "a good piece"), GM_E_WORKER_HUNG, 0);
    let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static int setup_two(void **state)
{
    struct farm *farm = calloc(1, sizeof(*farm));
    assert_non_null(farm);
    *farm = *(const struct farm *)*state;
    farm_start(farm, 2);
    *state = farm;
    return 0;
}

static void until_replaced(struct farm *farm, const char *scratch, pid_t pid)
{
    while (farm_worker(farm, scratch) == pid) {
        farm_turn(farm);
    }
}

/* Its task is not at its end: the piece is not acknowledged. */
static void one_that_hangs_has_those_replaced_that_have_said_their_end(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    uint64_t seq = env->seq;
    gm__envelope__free_unpacked(env, NULL);
    pid_t idle = farm_worker(farm, "0");
    assert_true(idle > 0);
    uint64_t hung = farm_assign(farm, "hang", "");
    for (bool told = false; !told;) {
        env = farm_next(farm);
        told = env->body_case == GM__ENVELOPE__BODY_FAILED;
        if (told) {
            assert_int_equal(env->failed->task_id, hung);
            farm_ack(farm, env->seq, false);
        } else {
            assert_int_equal(env->body_case, GM__ENVELOPE__BODY_PRODUCED);
        }
        gm__envelope__free_unpacked(env, NULL);
    }
    farm->ignored = GM__ENVELOPE__BODY_PRODUCED;
    until_replaced(farm, "0", idle);
    farm_ack(farm, seq, false);
    do { /* the piece may have been said again before */
        env = farm_next(farm);
        seq = env->body_case == GM__ENVELOPE__BODY_PRODUCED ? 0 : env->seq;
        if (seq != 0) {
            assert_int_equal(env->body_case, GM__ENVELOPE__BODY_DONE);
            assert_int_equal(env->done->task_id, id);
            farm_ack(farm, seq, false);
        }
        gm__envelope__free_unpacked(env, NULL);
    } while (seq == 0);
}

/* The agent, stopped for so long, finds the lease's end first, as it would a Cancel. */
static void one_that_hangs_has_idle_ones_replaced_though_its_task_is_dropped(void **state)
{
    struct farm *farm = *state;
    pid_t idle = farm_worker(farm, "1");
    assert_true(idle > 0);
    farm_assign(farm, "hang", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    const struct timespec pause = {.tv_sec = 3};
    assert_int_equal(kill(farm->agent, SIGSTOP), 0);
    nanosleep(&pause, NULL);
    assert_int_equal(kill(farm->agent, SIGCONT), 0);
    farm->ignored = GM__ENVELOPE__BODY_FAILED; /* where this test was too slow to stop it in time */
    until_replaced(farm, "1", idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(SOON, slot_whose_worker_does_not_end_is_not_offered),
        cmocka_unit_test_prestate_setup_teardown(
            one_that_hangs_has_those_replaced_that_have_said_their_end, setup_two, teardown,
            (void *)(uintptr_t)&QUIET),
        cmocka_unit_test_prestate_setup_teardown(
            one_that_hangs_has_idle_ones_replaced_though_its_task_is_dropped, setup_two, teardown,
            (void *)(uintptr_t)&LEASED),
        WITH(SOON, nothing_is_offered_without_a_verifier_that_ends),
    };
    fake_worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
