/* The watch over the pool's jobs, by a clock of the test's: no thread runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "node/agent_state.h"

#define THREADS 2
#define STALL GM_SEC
#define START (1000 * GM_SEC)

/* Puts that have all threads, and one more job. */
struct fixture {
    struct gm_agent agent;
    struct gm_task task; /* of the one that waits */
    struct gm_job puts[THREADS], waits;
    uint32_t late_puts;
    struct gm_err late; /* of the one that waits */
};

static void late_put(void *arg, struct gm_err *why)
{
    struct fixture *f = arg;
    (void)why;
    f->late_puts++;
}

static void late_waiting(void *arg, struct gm_err *why)
{
    struct fixture *f = arg;
    f->late = *why;
}

static void add(struct fixture *f, struct gm_job *job)
{
    job->arg = f;
    job->agent = &f->agent;
    job->queued = true;
    job->since = START;
    job->next = f->agent.jobs;
    f->agent.jobs = job;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    gm_log_init("node", GM_LOG_ERROR, false);
    f->agent.params.store_stall_ms = STALL / GM_MS;
    f->agent.threads = THREADS;
    f->agent.thread_free = START;
    f->task.state = GM_TASK_STORING;
    f->task.life = START;
    for (size_t i = 0; i < THREADS; i++) {
        f->puts[i].on_late = late_put;
        f->puts[i].begun = f->puts[i].is_put = true;
        add(f, &f->puts[i]);
    }
    f->waits.on_late = late_waiting;
    f->waits.task = &f->task;
    add(f, &f->waits);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* A body goes out for long on each thread, a part now and then. */
static void puts_that_move_hold_no_thread(void **state)
{
    struct fixture *f = *state;
    gm_time now = START;
    for (int i = 0; i < 100; i++) {
        now += STALL * 2 / 3;
        f->puts[i % THREADS].since = now;
        f->puts[(i + 1) % THREADS].since = now - STALL / 2;
        gm_agent_jobs_watch(&f->agent, now);
        assert_false(f->agent.threads_held);
        assert_int_equal(f->late_puts, 0);
        assert_int_equal(f->late.code, GM_OK);
        assert_true(f->task.life == now); /* it is worth its lease */
    }
}

static void threads_are_held_where_nothing_moves_on_any(void **state)
{
    struct fixture *f = *state;
    f->puts[0].since = START + STALL / 2;
    gm_agent_jobs_watch(&f->agent, START + STALL + 1);
    assert_int_equal(f->late_puts, 1); /* the other one moved later */
    assert_false(f->agent.threads_held);
    assert_int_equal(f->late.code, GM_OK);
    gm_agent_jobs_watch(&f->agent, START + STALL * 2);
    assert_int_equal(f->late_puts, THREADS);
    assert_true(f->agent.threads_held);
    assert_int_equal(f->late.code, GM_E_STORE);
    assert_non_null(strstr(f->late.text, "no thread was free for 1.5 s"));
}

static void threads_are_back_when_what_hung_moves(void **state)
{
    struct fixture *f = *state;
    gm_agent_jobs_watch(&f->agent, START + STALL * 2);
    assert_true(f->agent.threads_held);
    f->puts[1].since = START + STALL * 3;
    gm_agent_jobs_watch(&f->agent, START + STALL * 3);
    assert_false(f->agent.threads_held);
    assert_int_equal(f->late_puts, THREADS); /* they are told once */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(puts_that_move_hold_no_thread),
        CASE(threads_are_held_where_nothing_moves_on_any),
        CASE(threads_are_back_when_what_hung_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
