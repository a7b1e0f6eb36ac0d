#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <zmq.h>

#include "common/loop.h"

struct pair {
    uv_loop_t loop;
    void *ctx;
    void *here;
    void *there;
    struct gm_zwatch *watch;
    int got;
    int want;
    int calls;
    int most_in_a_call;
};

static void pair_open(struct pair *p)
{
    int no_limit = 0;

    *p = (struct pair){0};
    assert_int_equal(uv_loop_init(&p->loop), 0);
    p->ctx = zmq_ctx_new();
    p->here = zmq_socket(p->ctx, ZMQ_PAIR);
    p->there = zmq_socket(p->ctx, ZMQ_PAIR);
    assert_int_equal(zmq_setsockopt(p->here, ZMQ_RCVHWM, &no_limit, sizeof(no_limit)), 0);
    assert_int_equal(zmq_setsockopt(p->there, ZMQ_SNDHWM, &no_limit, sizeof(no_limit)), 0);
    assert_int_equal(zmq_bind(p->here, "inproc://pair"), 0);
    assert_int_equal(zmq_connect(p->there, "inproc://pair"), 0);
}

static void pair_close(struct pair *p)
{
    gm_zwatch_stop(&p->watch);
    assert_int_equal(uv_run(&p->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&p->loop), 0);
    zmq_close(p->here);
    zmq_close(p->there);
    zmq_ctx_destroy(p->ctx);
}

static void on_input(void *zsock, int budget, void *arg)
{
    struct pair *p = arg;
    int n = 0;
    int number;

    p->calls++;
    while (n < budget && zmq_recv(zsock, &number, sizeof(number), ZMQ_DONTWAIT) >= 0) {
        assert_int_equal(number, p->got);
        p->got++;
        n++;
    }
    assert_true(n > 0); /* it is not called for nothing */
    p->most_in_a_call = n > p->most_in_a_call ? n : p->most_in_a_call;
    if (p->got == p->want) {
        gm_zwatch_stop(&p->watch); /* inside its own call */
    }
}

static void send_numbers(void *there, int from, int to)
{
    for (int i = from; i < to; i++) {
        assert_int_equal(zmq_send(there, &i, sizeof(i), 0), sizeof(i));
    }
}

static void no_message_stays_behind(void **state)
{
    struct pair p;
    struct gm_err err;

    (void)state;
    pair_open(&p);
    p.want = 5000;
    send_numbers(p.there, 0, p.want); /* one edge of the descriptor for all of them */
    assert_int_equal(gm_zwatch_start(&p.loop, p.here, on_input, &p, &p.watch, &err), 0);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(p.got, p.want);
    assert_true(p.calls > 1); /* the budget was kept */
    assert_true(p.most_in_a_call <= p.want / p.calls + 64);
    assert_null(p.watch);
    pair_close(&p);
}

/* Sends on the watched socket take in commands and with them the edge. */
static void on_timer(uv_timer_t *timer)
{
    struct pair *p = timer->data;

    send_numbers(p->there, 0, 3);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(zmq_send(p->here, "x", 1, ZMQ_DONTWAIT), 1);
    }
    uv_close((uv_handle_t *)timer, NULL);
}

static void an_edge_that_a_send_took_is_not_lost(void **state)
{
    struct pair p;
    uv_timer_t timer;
    struct gm_err err;

    (void)state;
    pair_open(&p);
    p.want = 3;
    assert_int_equal(gm_zwatch_start(&p.loop, p.here, on_input, &p, &p.watch, &err), 0);
    assert_int_equal(uv_timer_init(&p.loop, &timer), 0);
    timer.data = &p;
    assert_int_equal(uv_timer_start(&timer, on_timer, 1, 0), 0);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(p.got, 3);
    pair_close(&p);
}

/* As on_input, for a watch that spares looks. */
static void on_spared(void *zsock, int budget, void *arg)
{
    struct pair *p = arg;
    int number, n = 0;

    p->calls++;
    while (n < budget && zmq_recv(zsock, &number, sizeof(number), ZMQ_DONTWAIT) >= 0) {
        assert_int_equal(number, p->got);
        p->got++;
        n++;
    }
    assert_true(n > 0);
    if (n == budget) {
        gm_zwatch_touch(p->watch); /* it did not end with EAGAIN */
    }
    if (p->got == p->want) {
        gm_zwatch_stop(&p->watch);
    }
}

static void on_spare_timer(uv_timer_t *timer)
{
    struct pair *p = timer->data;

    on_timer(timer);
    gm_zwatch_touch(p->watch);
}

static void a_watch_that_spares_looks_loses_nothing(void **state)
{
    struct pair p;
    uv_timer_t timer;
    struct gm_err err;

    (void)state;
    pair_open(&p);
    p.want = 5000;
    send_numbers(p.there, 0, p.want);
    assert_int_equal(gm_zwatch_start(&p.loop, p.here, on_spared, &p, &p.watch, &err), 0);
    gm_zwatch_spare(p.watch);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(p.got, p.want);
    p.got = 0;
    p.want = 3;
    assert_int_equal(gm_zwatch_start(&p.loop, p.here, on_spared, &p, &p.watch, &err), 0);
    gm_zwatch_spare(p.watch);
    assert_int_equal(uv_timer_init(&p.loop, &timer), 0);
    timer.data = &p;
    assert_int_equal(uv_timer_start(&timer, on_spare_timer, 1, 0), 0);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(p.got, 3);
    pair_close(&p);
}

/* So many looks a signal ends, which have taken the edge in. */
static int signals;

int __real_zmq_getsockopt(void *sock, int option, void *value, size_t *size);
int __wrap_zmq_getsockopt(void *sock, int option, void *value, size_t *size);
int __wrap_zmq_getsockopt(void *sock, int option, void *value, size_t *size)
{
    int rc = __real_zmq_getsockopt(sock, option, value, size);

    if (option != ZMQ_EVENTS || signals == 0) {
        return rc;
    }
    signals--;
    errno = EINTR;
    return -1;
}

static void on_too_late(uv_timer_t *timer)
{
    struct pair *p = timer->data;

    gm_zwatch_stop(&p->watch);
}

static void a_signal_in_a_look_loses_nothing(void **state)
{
    struct pair p;
    uv_timer_t timer;
    struct gm_err err;

    (void)state;
    pair_open(&p);
    p.want = 3;
    send_numbers(p.there, 0, p.want);
    assert_int_equal(gm_zwatch_start(&p.loop, p.here, on_spared, &p, &p.watch, &err), 0);
    gm_zwatch_spare(p.watch);
    signals = 2;
    assert_int_equal(uv_timer_init(&p.loop, &timer), 0);
    timer.data = &p;
    assert_int_equal(uv_timer_start(&timer, on_too_late, 2000, 0), 0);
    uv_unref((uv_handle_t *)&timer);
    uv_run(&p.loop, UV_RUN_DEFAULT);
    assert_int_equal(signals, 0);
    assert_int_equal(p.got, p.want);
    uv_close((uv_handle_t *)&timer, NULL);
    pair_close(&p);
}

static void watching_no_socket_fails(void **state)
{
    struct pair p;
    struct gm_err err = {0};

    (void)state;
    pair_open(&p);
    assert_int_equal(gm_zwatch_start(&p.loop, &p, on_input, &p, &p.watch, &err), -GM_E_SYS);
    assert_int_equal(err.native, ENOTSOCK);
    assert_null(p.watch);
    pair_close(&p);
}

struct posts {
    struct gm_post *post;
    pthread_t loop_thread;
    uv_loop_t *loop;
    int ran;
    int want;
};

static void count_one(void *arg)
{
    struct posts *p = arg;

    assert_true(pthread_equal(pthread_self(), p->loop_thread));
    p->ran++;
    if (p->ran == p->want) {
        gm_post_destroy(&p->post);
    }
}

static void *post_many(void *arg)
{
    struct posts *p = arg;
    struct gm_post *post = p->post;

    for (int i = 0; i < 1000; i++) {
        if (gm_post(post, count_one, p, NULL) < 0) {
            return p;
        }
    }
    return NULL;
}

static void posts_of_many_threads_run_on_the_loop(void **state)
{
    enum { THREADS = 4 };
    struct posts p = {.want = THREADS * 1000, .loop_thread = pthread_self()};
    pthread_t threads[THREADS];
    struct gm_err err;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_post_create(&loop, &p.post, &err), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &p), 0);
    }
    /* the last call destroys, but a thread may still be inside gm_post: join first */
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(p.ran, p.want);
    assert_null(p.post);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void wake_by_thread(void *arg)
{
    struct posts *p = arg;

    p->ran++;
    uv_stop(p->loop);
}

static void *post_one(void *arg)
{
    struct posts *p = arg;

    return gm_post(p->post, wake_by_thread, p, NULL) < 0 ? p : NULL;
}

static void a_post_wakes_a_waiting_loop(void **state)
{
    uv_loop_t loop;
    struct posts p = {.loop = &loop};
    struct gm_err err;
    pthread_t thread;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_post_create(&loop, &p.post, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_one, &p), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(p.ran, 1);
    gm_post_destroy(&p.post);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void again(void *arg)
{
    struct posts *p = arg;

    p->ran++;
    if (p->ran < p->want) {
        assert_int_equal(gm_post(p->post, again, p, NULL), 0);
    } else {
        gm_post_destroy(&p->post);
    }
}

static void a_call_that_posts_itself_does_not_hold_the_loop(void **state)
{
    struct posts p = {.want = 5};
    struct gm_err err;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_post_create(&loop, &p.post, &err), 0);
    assert_int_equal(gm_post(p.post, again, &p, &err), 0);
    uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(p.ran, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(p.ran, 5);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void destroy_runs_what_waits(void **state)
{
    struct posts p = {.want = 100, .loop_thread = pthread_self()};
    struct gm_err err;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_post_create(&loop, &p.post, &err), 0);
    assert_int_equal(gm_post(p.post, count_one, &p, &err), 0);
    assert_int_equal(gm_post(p.post, count_one, &p, &err), 0);
    gm_post_destroy(&p.post);
    assert_int_equal(p.ran, 2);
    gm_post_destroy(&p.post);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void foreign_errors_keep_their_numbers(void **state)
{
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_err_uv(&err, UV_ENOSPC, "writing"), -GM_E_NO_SCRATCH);
    assert_int_equal(err.native, UV_ENOSPC);
    assert_int_equal(gm_err_uv(&err, UV_EOF, "reading %s", "x"), -GM_E_SYS);
    assert_string_equal(err.text, "reading x: end of file");
    assert_int_equal(gm_err_uv(&err, UV_ENOMEM, "x"), -GM_E_NOMEM);
    assert_int_equal(gm_err_zmq(&err, ETERM, "sending"), -GM_E_SYS);
    assert_int_equal(err.native, ETERM);
    assert_int_equal(gm_err_zmq(NULL, ENOMEM, "sending"), -GM_E_NOMEM);
}

static void read_mask(void *arg)
{
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, arg), 0);
}

static void read_mask_in_pool(uv_work_t *work)
{
    read_mask(work->data);
}

/* The system may choose any thread that does not block it, also one that sleeps for good. */
static void signals_are_left_to_the_thread_of_the_loop(void **state)
{
    sigset_t masks[3];
    uv_loop_t loop;
    uv_work_t work = {.data = &masks[1]};
    uv_thread_t thread;
    struct gm_err err;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_pool_start(&loop, &err), 0);
    assert_int_equal(gm_thread_start(&thread, read_mask, &masks[0], &err), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_equal(uv_queue_work(&loop, &work, read_mask_in_pool, NULL), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    read_mask(&masks[2]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sigismember(&masks[i], SIGTERM), i < 2);
        assert_int_equal(sigismember(&masks[i], SIGCHLD), i < 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_left_to_the_thread_of_the_loop),
        cmocka_unit_test(no_message_stays_behind),
        cmocka_unit_test(an_edge_that_a_send_took_is_not_lost),
        cmocka_unit_test(a_watch_that_spares_looks_loses_nothing),
        cmocka_unit_test(a_signal_in_a_look_loses_nothing),
        cmocka_unit_test(watching_no_socket_fails),
        cmocka_unit_test(posts_of_many_threads_run_on_the_loop),
        cmocka_unit_test(a_post_wakes_a_waiting_loop),
        cmocka_unit_test(a_call_that_posts_itself_does_not_hold_the_loop),
        cmocka_unit_test(destroy_runs_what_waits),
        cmocka_unit_test(foreign_errors_keep_their_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
