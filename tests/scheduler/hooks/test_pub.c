/* The events' socket, with real subscribers. */
#include "scheduler/hooks/pub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

#include "scheduler/zap.h"

#define TURNS 10000 /* of a millisecond at most: for what never comes */

struct hall {
    uv_loop_t loop;
    void *zctx, *clients; /* contexts: of the scheduler, of all subscribers */
    struct gm_curve_file server;
    struct gm_allow allow;
    struct gm_zap *zap;
    struct gm_pub *pub;
    int64_t seq;
};

static void open_pub(struct hall *h, bool keys)
{
    static char any[] = "tcp://127.0.0.1:*";
    char *listen[] = {any, NULL};
    struct gm_err err = {0};
    struct gm_pub_params params = {.zctx = h->zctx,
                                   .loop = &h->loop,
                                   .listen = listen,
                                   .key = keys ? &h->server : NULL,
                                   .allow = &h->allow};
    if (keys) {
        assert_int_equal(gm_curve_make(&h->server, &err), 0);
        assert_int_equal(gm_zap_open(h->zctx, &h->loop, &h->allow, &h->zap, &err), 0);
    }
    assert_int_equal(gm_pub_open(&params, &h->pub, &err), 0);
}

static int make(void **state)
{
    struct hall *h = calloc(1, sizeof *h);
    assert_non_null(h);
    assert_int_equal(uv_loop_init(&h->loop), 0);
    h->zctx = zmq_ctx_new();
    h->clients = zmq_ctx_new();
    *state = h;
    return 0;
}

static int drop(void **state)
{
    struct hall *h = *state;
    gm_pub_close(&h->pub);
    gm_zap_close(&h->zap);
    assert_int_equal(zmq_ctx_term(h->clients), 0);
    assert_int_equal(zmq_ctx_term(h->zctx), 0);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&h->loop), 0);
    gm_allow_fini(&h->allow);
    free(h);
    return 0;
}

/* role: of its key; GM_CURVE_ROLES: its key is on no list; negative: it has none. */
static void *subscribe(struct hall *h, const char *name, int role, const char *topic)
{
    const int none = 0;
    struct gm_err err = {0};
    void *sub = zmq_socket(h->clients, ZMQ_SUB);
    assert_non_null(sub);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_LINGER, &none, sizeof none), 0);
    if (role >= 0) {
        struct gm_curve_file key = {.role = GM_CURVE_CLIENT};
        assert_int_equal(gm_curve_make(&key, &err), 0);
        assert_int_equal(
            zmq_setsockopt(sub, ZMQ_CURVE_SERVERKEY, h->server.public_key, GM_CURVE_TEXT), 0);
        assert_int_equal(zmq_setsockopt(sub, ZMQ_CURVE_PUBLICKEY, key.public_key, GM_CURVE_TEXT),
                         0);
        assert_int_equal(zmq_setsockopt(sub, ZMQ_CURVE_SECRETKEY, key.secret_key, GM_CURVE_TEXT),
                         0);
        struct gm_allowed row = {.role = (enum gm_curve_role)role, .until_unix_ms = INT64_MAX};
        memcpy(row.key, key.public_key, sizeof row.key);
        (void)snprintf(row.name, sizeof row.name, "%s", name);
        assert_true(role == GM_CURVE_ROLES || gm_allow_add(&h->allow, &row, &err) == 0);
    }
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, topic, strlen(topic)), 0);
    return sub;
}

/* What becomes of its connection: two frames an event. */
static void *connect_watched(struct hall *h, void *sub, const char *monitor)
{
    void *pair = zmq_socket(h->clients, ZMQ_PAIR);
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_DISCONNECTED;
    assert_non_null(pair);
    assert_int_equal(zmq_socket_monitor(sub, monitor, events), 0);
    assert_int_equal(zmq_connect(pair, monitor), 0);
    assert_int_equal(zmq_connect(sub, gm_pub_listen(h->pub)), 0);
    return pair;
}

static void turn(struct hall *h)
{
    gm_pub_tick(h->pub, gm_time_now(), gm_time_unix_ms());
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
}

static bool has(void *socket)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, 1) > 0;
}

static void wait_for(struct hall *h, void *socket)
{
    for (int i = 0; !has(socket); i++) {
        assert_true(i < TURNS);
        turn(h);
    }
}

static unsigned wait_event(struct hall *h, void *pair)
{
    uint16_t event = 0;
    uint8_t bytes[6];
    char endpoint[128];
    wait_for(h, pair);
    assert_int_equal(zmq_recv(pair, bytes, sizeof bytes, 0), sizeof bytes);
    assert_true(zmq_recv(pair, endpoint, sizeof endpoint, 0) >= 0);
    memcpy(&event, bytes, sizeof event);
    return event;
}

static void tell(struct hall *h, const char *topic, const void *body, size_t size)
{
    gm_pub_add(h->pub, ++h->seq, topic, body, size);
    gm_pub_stored(h->pub, h->seq);
}

/* Until it hears of a first event: who subscribes is not told when that counts. */
static void wait_heard(struct hall *h, void *sub, const char *topic)
{
    char text[32];
    while (!has(sub)) {
        turn(h);
        tell(h, topic, "{}", 2);
    }
    while (has(sub)) {
        assert_true(zmq_recv(sub, text, sizeof text, 0) > 0);
    }
}

static void close_both(void *sub, void *pair)
{
    (void)zmq_socket_monitor(sub, NULL, 0);
    (void)zmq_close(sub);
    if (pair != NULL) {
        (void)zmq_close(pair);
    }
}

static void clients_and_admins_hear_and_others_are_refused(void **state)
{
    struct hall *h = *state;
    char topic[16] = "", body[16] = "";
    open_pub(h, true);
    void *client = subscribe(h, "cms", GM_CURVE_CLIENT, "job.");
    void *admin = subscribe(h, "ops", GM_CURVE_ADMIN, "");
    void *node = subscribe(h, "n1", GM_CURVE_NODE, "");
    void *stranger = subscribe(h, "x", GM_CURVE_ROLES, "");
    void *bare = subscribe(h, "", -1, "");
    void *on_node = connect_watched(h, node, "inproc://n");
    void *on_stranger = connect_watched(h, stranger, "inproc://s");
    void *on_bare = connect_watched(h, bare, "inproc://b");
    assert_int_equal(zmq_connect(client, gm_pub_listen(h->pub)), 0);
    assert_int_equal(zmq_connect(admin, gm_pub_listen(h->pub)), 0);
    assert_int_equal(wait_event(h, on_node), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    assert_int_equal(wait_event(h, on_stranger), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    assert_int_not_equal(wait_event(h, on_bare), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    wait_heard(h, client, "job.done");
    wait_heard(h, admin, "asset.removed");
    assert_false(has(client)); /* it asked for jobs alone */
    assert_false(has(node) || has(stranger) || has(bare));
    tell(h, "job.failed", "{\"a\":1}", 7);
    wait_for(h, client);
    assert_int_equal(zmq_recv(client, topic, sizeof topic, 0), 10);
    assert_string_equal(topic, "job.failed");
    assert_int_equal(zmq_recv(client, body, sizeof body, 0), 7);
    assert_string_equal(body, "{\"a\":1}");
    close_both(client, NULL);
    close_both(admin, NULL);
    close_both(node, on_node);
    close_both(stranger, on_stranger);
    close_both(bare, on_bare);
}

static void an_event_leaves_when_it_is_on_disk(void **state)
{
    struct hall *h = *state;
    char text[16] = "";
    open_pub(h, false);
    gm_pub_add(h->pub, ++h->seq, "job.done", "lost", 4);
    assert_int_equal(gm_pub_unsent(h->pub), 0); /* nobody subscribed */
    void *sub = subscribe(h, "", -1, "job.done");
    assert_int_equal(zmq_connect(sub, gm_pub_listen(h->pub)), 0);
    wait_heard(h, sub, "job.done");
    gm_pub_add(h->pub, h->seq + 1, "job.done", "first", 5);
    gm_pub_add(h->pub, h->seq + 2, "job.done", "second", 6);
    turn(h);
    assert_false(has(sub));
    gm_pub_stored(h->pub, h->seq + 1);
    wait_for(h, sub);
    assert_int_equal(zmq_recv(sub, text, sizeof text, 0), 8);
    assert_int_equal(zmq_recv(sub, text, sizeof text, 0), 5);
    assert_memory_equal(text, "first", 5);
    assert_false(has(sub));
    close_both(sub, NULL);
}

static void who_never_reads_holds_up_nobody(void **state)
{
    enum { SIZE = 1 << 20, EVENTS = 3 * GM_PUB_WAITING };
    struct hall *h = *state;
    const int one = 1;
    uint8_t *body = calloc(1, SIZE);
    size_t heard = 0, most = 0;
    assert_non_null(body);
    open_pub(h, false);
    void *slow = subscribe(h, "", -1, "");
    void *quick = subscribe(h, "", -1, "");
    assert_int_equal(zmq_setsockopt(slow, ZMQ_RCVHWM, &one, sizeof one), 0);
    assert_int_equal(zmq_connect(slow, gm_pub_listen(h->pub)), 0);
    assert_int_equal(zmq_connect(quick, gm_pub_listen(h->pub)), 0);
    wait_heard(h, slow, "job.done");
    wait_heard(h, quick, "job.done");
    while (has(slow)) { /* of those that the quick one waited for */
        assert_true(zmq_recv(slow, body, SIZE, 0) >= 0);
    }
    for (int i = 0; i < EVENTS; i++) { /* small ones fill its queue, */
        tell(h, "job.done", body, 1000);
        wait_for(h, quick);
        assert_int_equal(zmq_recv(quick, body, SIZE, 0), 8);
        assert_int_equal(zmq_recv(quick, body, SIZE, 0), 1000);
        heard++;
    }
    assert_int_equal(heard, EVENTS);
    for (int i = 0; i < EVENTS; i++) { /* and large ones that nobody reads no memory */
        tell(h, "job.done", body, SIZE);
        most = gm_pub_unsent(h->pub) > most ? gm_pub_unsent(h->pub) : most;
    }
    assert_in_range(most, SIZE, GM_PUB_UNSENT_BYTES);
    free(body);
    close_both(slow, NULL);
    close_both(quick, NULL);
}

static void who_subscribes_too_often_or_says_else_is_cut(void **state)
{
    struct hall *h = *state;
    char topic[200];
    open_pub(h, false);
    for (int turn_of = 0; turn_of < 3; turn_of++) {
        void *sub = turn_of < 2 ? subscribe(h, "", -1, "a") : zmq_socket(h->clients, ZMQ_XSUB);
        (void)snprintf(topic, sizeof topic, "inproc://m%d", turn_of);
        void *pair = connect_watched(h, sub, topic);
        assert_int_equal(wait_event(h, pair), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        if (turn_of == 0) {
            for (int i = 0; i < 100; i++) {
                (void)snprintf(topic, sizeof topic, "t%d", i);
                assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, topic, strlen(topic)), 0);
            }
        } else if (turn_of == 1) {
            memset(topic, 'a', sizeof topic);
            assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, topic, sizeof topic), 0);
        } else {
            assert_int_equal(zmq_send(sub, "\1", 1, 0), 1); /* it has a connection to be told of */
            for (int i = 0; i < 10; i++) {
                turn(h);
            }
            assert_int_equal(zmq_send(sub, "hello", 5, 0), 5);
        }
        assert_int_equal(wait_event(h, pair), ZMQ_EVENT_DISCONNECTED);
        close_both(sub, pair);
    }
}

static void a_key_that_is_taken_back_is_cut(void **state)
{
    struct hall *h = *state;
    open_pub(h, true);
    void *sub = subscribe(h, "cms", GM_CURVE_CLIENT, "");
    void *pair = connect_watched(h, sub, "inproc://m");
    wait_heard(h, sub, "job.done");
    assert_int_equal(wait_event(h, pair), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    assert_int_equal(gm_allow_remove(&h->allow, "cms"), 1);
    assert_int_equal(wait_event(h, pair), ZMQ_EVENT_DISCONNECTED);
    assert_int_equal(wait_event(h, pair), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    close_both(sub, pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_and_admins_hear_and_others_are_refused, make, drop),
        cmocka_unit_test_setup_teardown(an_event_leaves_when_it_is_on_disk, make, drop),
        cmocka_unit_test_setup_teardown(who_never_reads_holds_up_nobody, make, drop),
        cmocka_unit_test_setup_teardown(who_subscribes_too_often_or_says_else_is_cut, make, drop),
        cmocka_unit_test_setup_teardown(a_key_that_is_taken_back_is_cut, make, drop),
    };
    return cmocka_run_group_tests_name("pub", tests, NULL, NULL);
}
