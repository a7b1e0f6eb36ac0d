/* What is put, and when it leaves. The socket knows no peer: what leaves is told as lost at once.
 */
#include "scheduler/letters.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

#include "proto/batch.h"
#include "scheduler/peers.h"

struct post {
    void *zctx, *router;
    struct gm_peers *peers;
    struct gm_peer *peer; /* it reads batches */
    struct gm_letters *letters;
    char lost[64]; /* node id of the last one */
    unsigned lost_count;
};

static void on_lost(const char *node_id, int code, void *arg)
{
    struct post *p = arg;
    assert_int_equal(code, EHOSTUNREACH);
    assert_true(strlen(node_id) < sizeof p->lost);
    strcpy(p->lost, node_id);
    p->lost_count++;
}

static struct gm_peer *say_hello(struct gm_peers *peers)
{
    const struct gm_heard heard = {.id = {"a", 1}, .fd = 4, .size = 9, .now = GM_SEC};
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Hello hello = GM__HELLO__INIT;
    struct gm_peer *peer = NULL;
    const char *node = NULL;
    struct gm_err err = {0};
    hello.node_id = (char *)(uintptr_t) "n1";
    hello.batches = true;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    assert_int_equal(gm_peers_opened(peers, 4, GM_SEC), -1);
    assert_int_equal(gm_peers_heard(peers, &heard, &peer), GM_PEER_TAKE);
    assert_int_equal(gm_peers_judge(peers, peer, &env, GM_SEC, &node, &err), GM_PEER_TAKE);
    assert_true(gm_peer_batches(peer));
    return peer;
}

static int make(void **state)
{
    struct post *p = calloc(1, sizeof *p);
    const int on = 1;
    assert_non_null(p);
    p->zctx = zmq_ctx_new();
    p->router = zmq_socket(p->zctx, ZMQ_ROUTER);
    assert_int_equal(zmq_setsockopt(p->router, ZMQ_ROUTER_MANDATORY, &on, sizeof on), 0);
    p->peers = gm_peers_create();
    p->peer = say_hello(p->peers);
    p->letters = gm_letters_create(p->router, on_lost, p);
    *state = p;
    return 0;
}

static int drop(void **state)
{
    struct post *p = *state;
    gm_letters_destroy(&p->letters);
    gm_peers_destroy(&p->peers);
    assert_int_equal(zmq_close(p->router), 0);
    assert_int_equal(zmq_ctx_term(p->zctx), 0);
    free(p);
    return 0;
}

/* An envelope of more than so many bytes. */
static void put(struct post *p, const char *node_id, size_t size)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Feed feed = GM__FEED__INIT;
    Gm__TaskInput input = GM__TASK_INPUT__INIT, *inputs[300];
    struct gm_err err = {0};
    char task[1001];
    memset(task, 'x', sizeof task - 1);
    task[sizeof task - 1] = '\0';
    input.task = task;
    feed.inputs = inputs;
    for (; feed.n_inputs * (sizeof task - 1) < size; feed.n_inputs++) {
        assert_true(feed.n_inputs < 300);
        inputs[feed.n_inputs] = &input;
    }
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    assert_int_equal(gm_letters_put(p->letters, p->peer, node_id, &env, &err), 0);
}

/* Of many peers' at once no memory holds the largest. */
static void a_full_letter_does_not_wait(void **state)
{
    struct post *p = *state;
    put(p, "n1", 100);
    assert_int_equal(p->lost_count, 0);
    put(p, "n1", GM_BATCH_ROOM); /* it belongs not into that one, and fills the next */
    assert_int_equal(p->lost_count, 2);
    put(p, "n1", 100);
    assert_int_equal(p->lost_count, 2);
    gm_letters_flush(p->letters);
    assert_int_equal(p->lost_count, 3);
}

/* It began as what a stranger was told. */
static void a_letter_is_lost_for_its_node(void **state)
{
    struct post *p = *state;
    put(p, "", 10);
    put(p, "n1", 10);
    gm_letters_flush(p->letters);
    assert_int_equal(p->lost_count, 1);
    assert_string_equal(p->lost, "n1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_letter_does_not_wait, make, drop),
        cmocka_unit_test_setup_teardown(a_letter_is_lost_for_its_node, make, drop),
    };
    return cmocka_run_group_tests_name("letters", tests, NULL, NULL);
}
