#include "scheduler/guard.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "scheduler/peers.h"

#define SIGNATURE_BYTES 10 /* what both say first: ZMTP 3.1 */
#define WAIT_S 20          /* for a thread that is stuck */
/* More than libzmq queues by itself: two events each, a thousand at either end. */
#define CONNECTIONS 1500

struct wire {
    uv_loop_t loop;
    void *zctx, *router;
    struct gm_peers *peers;
    struct gm_guard *guard;
    in_port_t port;
};

static int make(void **state)
{
    struct wire *w = calloc(1, sizeof *w);
    struct gm_err err = {0};
    char bound[64];
    size_t size = sizeof bound;
    assert_non_null(w);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->zctx = zmq_ctx_new();
    w->router = zmq_socket(w->zctx, ZMQ_ROUTER);
    w->peers = gm_peers_create();
    assert_int_equal(gm_guard_open(w->zctx, &w->loop, w->router, w->peers, &w->guard, &err), 0);
    assert_int_equal(zmq_bind(w->router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(w->router, ZMQ_LAST_ENDPOINT, bound, &size), 0);
    assert_int_equal(gm_guard_bound(w->guard, bound, &err), 0);
    w->port = htons((uint16_t)strtoul(strrchr(bound, ':') + 1, NULL, 10));
    *state = w;
    return 0;
}

static int drop(void **state)
{
    struct wire *w = *state;
    gm_guard_close(&w->guard);
    assert_int_equal(zmq_close(w->router), 0);
    assert_int_equal(zmq_ctx_term(w->zctx), 0);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    gm_peers_destroy(&w->peers);
    free(w);
    return 0;
}

/* A connection that libzmq took. */
static int dial(const struct wire *w)
{
    const struct timeval patience = {.tv_sec = WAIT_S};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = w->port};
    uint8_t said[SIGNATURE_BYTES] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(send(fd, said, sizeof said, MSG_NOSIGNAL), sizeof said);
    assert_int_equal(recv(fd, said, sizeof said, MSG_WAITALL), sizeof said); /* or it is stuck */
    return fd;
}

/* As while the daemon ends: the loop does not turn. drop must end, too. */
static void who_comes_and_goes_unread_stops_nothing(void **state)
{
    const struct wire *w = *state;
    const struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* leaves no port waiting */
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = dial(w);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(fd);
    }
}

static void the_loop_alone_takes_note(void **state)
{
    struct wire *w = *state;
    int one = dial(w), two = dial(w);
    while (gm_peers_unproved(w->peers) < 2) { /* no tick, no message */
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    close(one);
    close(two);
    while (gm_peers_unproved(w->peers) > 0) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    assert_int_equal(gm_peers_unproved(w->peers), 0);
}

struct seen {
    int fd;
};

static void see(int fd, bool proved, void *arg)
{
    struct seen *seen = arg;
    (void)proved;
    seen->fd = fd;
}

static void a_cut_ends_ours_and_leaves_no_descriptor(void **state)
{
    struct wire *w = *state;
    struct seen seen = {-1};
    int pair[2];
    uint8_t byte = 1;
    int fd = dial(w);
    while (gm_peers_unproved(w->peers) == 0) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    gm_peers_each(w->peers, true, see, &seen);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    gm_guard_cut(w->guard, pair[0], "it is not ours");
    gm_guard_cut(w->guard, -1, "there is none");
    assert_int_equal(send(pair[0], &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(pair[1], &byte, 1, 0), 1);
    int next = dup(pair[0]);
    close(next);
    gm_guard_cut(w->guard, seen.fd, "a test");
    while (recv(fd, &byte, 1, 0) > 0) { /* the rest of its greeting */
    }
    while (gm_peers_unproved(w->peers) > 0) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    int free_now = dup(pair[0]);
    assert_true(free_now <= next);
    close(free_now);
    close(pair[0]);
    close(pair[1]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_comes_and_goes_unread_stops_nothing, make, drop),
        cmocka_unit_test_setup_teardown(a_cut_ends_ours_and_leaves_no_descriptor, make, drop),
        cmocka_unit_test_setup_teardown(the_loop_alone_takes_note, make, drop),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
