#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/batch.h"
#include "proto/envelope.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/peers.h"

/* A Feed behind an Assign that could not be made has no assignment to belong to: the lease fails
 * for what failed first, and is none that the node knows. */
static void of_a_lease_the_first_failure_is_told(void **state)
{
    (void)state;
    struct gm_daemon d = {0};
    struct gm_err lasting = {0};
    struct gm_err follows = {0};
    Gm__Assign assign = GM__ASSIGN__INIT;
    Gm__Feed feed = GM__FEED__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    (void)gm_err_set(&lasting, GM_E_INVAL, 0, "a key that no store takes");
    (void)gm_err_set(&follows, GM_E_BUG, 0, "inputs for an unknown assignment");
    assign.epoch = feed.epoch = 7;
    env.body_case = GM__ENVELOPE__BODY_ASSIGN;
    env.assign = &assign;
    gm_wire_note_failed(&d, "n1", &env, &lasting);
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    gm_wire_note_failed(&d, "n1", &env, &follows);
    assert_non_null(d.unsent);
    assert_null(d.unsent->next);
    assert_int_equal(d.unsent->err.code, GM_E_INVAL);
    assert_false(d.unsent->told);
    feed.epoch = 8; /* another lease */
    gm_wire_note_failed(&d, "n1", &env, &follows);
    assert_int_equal(d.unsent->epoch, 8);
    assert_true(d.unsent->told);
    free(d.unsent->next);
    free(d.unsent);
}

/* Longer than one that ends its work says nothing: its leases end first. */
static void who_winds_up_is_not_cut_before_its_leases_end(void **state)
{
    (void)state;
    const struct gm_settings usual = {.lease_ms = 15000, .heartbeat_ms = 1000};
    const struct gm_settings patient = {.lease_ms = 120000, .heartbeat_ms = 5000};
    assert_int_equal(gm_wire_silence(&usual), 30 * GM_SEC);
    assert_int_equal(gm_wire_silence(&patient), 140 * GM_SEC);
}

/* ---- a socket, and one that speaks to it; no core: what is said is no message of ours */

static size_t backlog; /* bytes that wait for the disk */
static bool read_all;  /* what the peers were told last */
static size_t reads;   /* how often the socket was to be read */

size_t __wrap_gm_commit_backlog(const struct gm_commit *c);
size_t __wrap_gm_commit_backlog(const struct gm_commit *c)
{
    (void)c;
    return backlog;
}

void __real_gm_peers_read(struct gm_peers *peers, bool all);
void __wrap_gm_peers_read(struct gm_peers *peers, bool all);
void __wrap_gm_peers_read(struct gm_peers *peers, bool all)
{
    read_all = all;
    __real_gm_peers_read(peers, all);
}

void __real_gm_wire_readable(void *zsock, int budget, void *arg);
void __wrap_gm_wire_readable(void *zsock, int budget, void *arg);
void __wrap_gm_wire_readable(void *zsock, int budget, void *arg)
{
    reads++;
    __real_gm_wire_readable(zsock, budget, arg);
}

struct wire {
    struct gm_settings settings;
    struct gm_daemon d;
    char *listen[2];
    void *dealer;
};

static int open_wire(void **state)
{
    static char any[] = "tcp://127.0.0.1:*", none[] = "none";
    struct wire *w = calloc(1, sizeof *w);
    struct gm_err err;
    assert_non_null(w);
    backlog = reads = 0;
    w->listen[0] = any;
    w->settings = (struct gm_settings){
        .listen = w->listen, .security = none, .lease_ms = 1, .heartbeat_ms = 1};
    w->d.settings = &w->settings;
    assert_int_equal(uv_loop_init(&w->d.loop), 0);
    assert_int_equal(gm_wire_open(&w->d, &err), 0);
    w->dealer = zmq_socket(w->d.zctx, ZMQ_DEALER);
    assert_non_null(w->dealer);
    assert_int_equal(zmq_connect(w->dealer, w->d.listen), 0);
    *state = w;
    return 0;
}

static int close_wire(void **state)
{
    struct wire *w = *state;
    int none = 0;
    assert_int_equal(zmq_setsockopt(w->dealer, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(zmq_close(w->dealer), 0);
    gm_wire_close(&w->d);
    (void)uv_run(&w->d.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->d.loop), 0);
    free(w);
    return 0;
}

static void say(const struct wire *w, size_t parts)
{
    for (size_t i = 0; i < parts; i++) {
        assert_int_equal(zmq_send(w->dealer, "x", 1, i + 1 < parts ? ZMQ_SNDMORE : 0), 1);
    }
}

/* Until a whole message has come over the network; nothing reads it. */
static void await_input(const struct wire *w)
{
    while (!gm_zsock_has_input(w->d.router)) {
        (void)poll(NULL, 0, 1);
    }
    gm_zwatch_touch(w->d.watch);
}

static void turn(struct wire *w, int count)
{
    for (int i = 0; i < count; i++) {
        (void)uv_run(&w->d.loop, UV_RUN_NOWAIT);
    }
}

/* Of all that came nothing is left unread: what is silent now is so by itself. */
static void reading_ends_where_nothing_is_left(void **state)
{
    struct wire *w = *state;
    say(w, 1);
    await_input(w);
    gm_wire_readable(w->d.router, 1, &w->d);
    assert_true(read_all);
    say(w, 1);
    say(w, 1);
    await_input(w);
    do { /* the second may come after the first was read */
        gm_wire_readable(w->d.router, 1, &w->d);
    } while (!read_all);
}

/* It is heard as any that is no message of ours: counted, and refused. */
static void a_message_of_many_parts_is_refused(void **state)
{
    struct wire *w = *state;
    char text[512];
    struct gm_batch_reader reader;
    struct gm_err err;
    const void *data = NULL;
    size_t size = 0;
    Gm__Envelope *env = NULL;
    say(w, 3);
    await_input(w);
    zmq_pollitem_t item = {.socket = w->dealer, .events = ZMQ_POLLIN};
    do {
        turn(w, 1);
    } while (zmq_poll(&item, 1, 1) == 0);
    int n = zmq_recv(w->dealer, text, sizeof text, 0);
    assert_true(n > 0 && (size_t)n <= sizeof text);
    assert_int_equal(gm_batch_open(text, (size_t)n, &reader, &err), 0);
    assert_true(gm_batch_next(&reader, &data, &size));
    assert_int_equal(gm_envelope_decode(data, size, &env, &err), 0);
    assert_int_equal(env->body_case, GM__ENVELOPE__BODY_REFUSE);
    assert_non_null(strstr(env->refuse->error->text, "3 parts"));
    gm__envelope__free_unpacked(env, NULL);
}

/* Rows wait for the disk: the loop waits for the commit thread, and what came is read then. */
static void who_reads_nothing_does_not_look(void **state)
{
    struct wire *w = *state;
    backlog = SIZE_MAX;
    say(w, 1);
    await_input(w);
    turn(w, 20);
    assert_in_range(reads, 1, 10);
    assert_false(read_all);
    backlog = 0; /* a batch came back: that turns the loop */
    turn(w, 3);
    assert_true(read_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_lease_the_first_failure_is_told),
        cmocka_unit_test(who_winds_up_is_not_cut_before_its_leases_end),
        cmocka_unit_test_setup_teardown(reading_ends_where_nothing_is_left, open_wire, close_wire),
        cmocka_unit_test_setup_teardown(a_message_of_many_parts_is_refused, open_wire, close_wire),
        cmocka_unit_test_setup_teardown(who_reads_nothing_does_not_look, open_wire, close_wire),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
