#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/peers.h"

static gm_time now;
static struct gm_err err;
static int cuts[8];
static size_t cut_count;
static uint64_t acknowledged;
static uint64_t received;
static bool deaf;

static void on_cut(int fd, const char *why, void *arg)
{
    (void)arg;
    assert_non_null(why);
    assert_true(cut_count < sizeof cuts / sizeof cuts[0]);
    cuts[cut_count++] = fd;
}

static uint64_t on_taken(int fd, void *arg)
{
    (void)fd;
    (void)arg;
    return acknowledged;
}

static uint64_t on_brought(int fd, void *arg)
{
    (void)arg;
    return fd == 4 ? received : 0;
}

static size_t sweep(struct gm_peers *p)
{
    const struct gm_peers_hands hands = {.cut = on_cut, .taken = on_taken, .brought = on_brought};
    cut_count = 0;
    gm_peers_sweep(p, deaf, now, now / GM_MS, &hands);
    return cut_count;
}

static int make(void **state)
{
    now = 1000 * GM_SEC;
    acknowledged = received = 0;
    deaf = false;
    *state = gm_peers_create();
    return 0;
}

static int drop(void **state)
{
    struct gm_peers *p = *state;
    gm_peers_destroy(&p);
    return 0;
}

static enum gm_peer_verdict hear(struct gm_peers *p, const char *id, int fd, const char *key,
                                 size_t size, struct gm_peer **out)
{
    const struct gm_heard heard = {.id = {id, strlen(id)},
                                   .fd = fd,
                                   .key = key,
                                   .size = size,
                                   .now = now,
                                   .unix_ms = now / GM_MS};
    return gm_peers_heard(p, &heard, out);
}

static enum gm_peer_verdict judge(struct gm_peers *p, struct gm_peer *peer, int body,
                                  const char *node_id)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Hello hello = GM__HELLO__INIT;
    const char *node = NULL;
    hello.node_id = (char *)(uintptr_t)node_id;
    env.body_case = (Gm__Envelope__BodyCase)body;
    if (body == GM__ENVELOPE__BODY_HELLO) {
        env.hello = &hello;
    }
    memset(&err, 0, sizeof err);
    enum gm_peer_verdict verdict = gm_peers_judge(p, peer, &env, now, &node, &err);
    if (verdict == GM_PEER_TAKE) {
        assert_string_equal(node, node_id);
    } else if (verdict == GM_PEER_REFUSE) {
        assert_true(err.text[0] != '\0');
    }
    return verdict;
}

static struct gm_peer *route(struct gm_peers *p, const char *node_id, int body)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = (Gm__Envelope__BodyCase)body;
    return gm_peers_route(p, node_id, &env, now);
}

/* A connection whose Hello is welcomed. */
static struct gm_peer *welcome(struct gm_peers *p, const char *id, int fd, const char *key,
                               const char *node_id)
{
    struct gm_peer *peer = NULL;
    assert_int_equal(gm_peers_opened(p, fd, now), -1);
    assert_int_equal(hear(p, id, fd, key, 100, &peer), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, node_id), GM_PEER_TAKE);
    assert_ptr_equal(route(p, node_id, GM__ENVELOPE__BODY_WELCOME), peer);
    gm_peers_settle(p);
    assert_string_equal(gm_peer_node(peer), node_id);
    return peer;
}

static void a_welcome_binds_and_nothing_else(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_RENEW, NULL), GM_PEER_REFUSE);
    assert_int_equal(err.code, GM_E_UNREACHABLE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_WELCOME, NULL), GM_PEER_REFUSE);
    assert_int_equal(err.code, GM_E_PROTO);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "n1"), GM_PEER_TAKE);
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_ACK));
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_REFUSE), peer); /* told, and not bound */
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_ACK));
    gm_peers_settle(p);
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_WELCOME)); /* too late */
    assert_int_equal(gm_peers_unproved(p), 1);
    peer = welcome(p, "b", 5, NULL, "n1");
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), peer);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_RENEW, "n1"), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_PARTS_ASK, "n1"), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_PARTS_ANSWER, NULL), GM_PEER_REFUSE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "n2"), GM_PEER_REFUSE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "n1"), GM_PEER_TAKE); /* again */
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_WELCOME), peer);
}

/* Parts of a message that never ends are in nobody's count. */
static void who_comes_to_no_end_is_cut(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = welcome(p, "a", 4, NULL, "n1");
    (void)welcome(p, "b", 5, NULL, "n2");
    for (int i = 0; i < 20; i++) { /* one that ends is no harm, however much it is */
        received += GM_PEERS_PART_BYTES + 1;
        now++;
        assert_int_equal(sweep(p), 0);
        assert_int_equal(sweep(p), 0);
        assert_int_equal(hear(p, "a", 4, NULL, 100, &peer), GM_PEER_TAKE);
    }
    deaf = true;
    for (int i = 0; i < 20; i++) { /* nor what nobody reads */
        received += GM_PEERS_PART_BYTES;
        assert_int_equal(sweep(p), 0);
    }
    deaf = false;
    for (int i = 0; i < 20; i++) { /* nor silence */
        assert_int_equal(sweep(p), 0);
    }
    received += GM_PEERS_PART_BYTES;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sweep(p), 0);
    }
    received++;
    assert_int_equal(sweep(p) + sweep(p), 0);
    assert_int_equal(sweep(p), 1);
    assert_int_equal(cuts[0], 4);
}

/* A whole message waits to be read behind those of others: that is no message without an end. */
static void who_is_not_read_yet_is_not_cut(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    (void)welcome(p, "a", 4, NULL, "n1");
    (void)welcome(p, "b", 5, NULL, "n2");
    assert_int_equal(sweep(p) + sweep(p), 0);
    received += GM_PEERS_PART_BYTES + 1;
    gm_peers_read(p, false);
    for (int i = 0; i < 20; i++) {
        now++;
        assert_int_equal(sweep(p), 0);
    }
    for (int i = 0; i < 3; i++) { /* it would have been read among so many */
        assert_int_equal(cut_count, 0);
        for (int k = 0; k < 6; k++) {
            now++;
            assert_int_equal(hear(p, "b", 5, NULL, 100, &peer), GM_PEER_TAKE);
        }
        (void)sweep(p);
    }
    assert_int_equal(cut_count, 1);
    assert_int_equal(cuts[0], 4);
}

/* Some at a time; who is next may go meanwhile. */
static void all_are_looked_at_in_turn(void **state)
{
    struct gm_peers *p = *state;
    char name[16];
    int sweeps = 0;
    for (int fd = 5; fd < 204; fd++) {
        (void)snprintf(name, sizeof name, "n%d", fd);
        (void)welcome(p, name, fd, NULL, name);
    }
    (void)welcome(p, "last", 4, NULL, "last");
    assert_int_equal(sweep(p), 0);
    for (int fd = 5; fd < 204; fd++) { /* one of them is next */
        if (fd % 3 != 0) {
            gm_peers_closed(p, fd, now);
        }
    }
    for (; sweeps < 20 && sweep(p) == 0; sweeps++) {
        received += GM_PEERS_PART_BYTES + 1;
    }
    assert_int_equal(cut_count, 1);
    assert_int_equal(cuts[0], 4);
    assert_true(sweeps > 3 && sweeps < 20);
}

static void who_is_refused_takes_nothing_from_a_node(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *node = welcome(p, "a", 4, NULL, "n1");
    struct gm_peer *other = NULL;
    assert_int_equal(gm_peers_opened(p, 5, now), -1);
    assert_int_equal(hear(p, "n1", 5, NULL, 9, &other), GM_PEER_TAKE); /* a routing id is no name */
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ASSIGN), node);
    assert_int_equal(judge(p, other, GM__ENVELOPE__BODY_HELLO, "n1"), GM_PEER_TAKE);
    assert_null(route(p, "n2", GM__ENVELOPE__BODY_REFUSE)); /* it is not about that one */
    assert_null(route(p, "n2", GM__ENVELOPE__BODY_WELCOME));
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_REFUSE), other);
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ASSIGN), node);
    gm_peers_settle(p);
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_REFUSE), node);
}

static void a_node_that_comes_again_replaces_itself(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *old = welcome(p, "a", 4, NULL, "n1");
    struct gm_peer *new = welcome(p, "b", 5, NULL, "n1");
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), new);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &old), GM_PEER_IGNORE); /* what was late */
    assert_int_equal(gm_peers_unproved(p), 1);
    now += GM_PEERS_HELLO_TIME;
    assert_int_equal(sweep(p), 1);
    assert_int_equal(cuts[0], 4);
}

static void a_late_hello_takes_nothing_from_the_living(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *late = NULL;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    gm_peers_closed(p, 4, now);
    struct gm_peer *node = welcome(p, "b", 5, NULL, "n1");
    assert_int_equal(hear(p, "a", 4, NULL, 9, &late), GM_PEER_TAKE);
    assert_int_equal(judge(p, late, GM__ENVELOPE__BODY_HELLO, "n1"), GM_PEER_IGNORE);
    assert_null(route(p, "n2", GM__ENVELOPE__BODY_REFUSE));
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_WELCOME), node);
}

/* Nodes of the release before call each connection by their name. */
static void a_chosen_routing_id_may_come_back_after_another(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *old = welcome(p, "n1", 4, NULL, "n1");
    struct gm_peer *new = welcome(p, "b", 5, NULL, "n1");
    gm_peers_closed(p, 4, now);
    gm_peers_closed(p, 5, now);
    assert_int_equal(hear(p, "n1", 4, NULL, 9, &old), GM_PEER_IGNORE); /* what was late */
    old = welcome(p, "n1", 6, NULL, "n1");
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), old);
    assert_int_equal(hear(p, "b", 5, NULL, 9, &new), GM_PEER_IGNORE);
}

static void a_closed_connection_is_heard_out_and_forgotten(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = welcome(p, "a", 4, NULL, "n1");
    gm_peers_closed(p, 4, now);
    assert_int_equal(gm_peer_fd(peer), -1);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE); /* its Goodbye */
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_GOODBYE, "n1"), GM_PEER_TAKE);
    now += GM_PEERS_GONE_TIME;
    assert_int_equal(sweep(p), 0);
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_ACK));
    assert_null(gm_peers_find(p, (struct gm_peer_id){"a", 1}));
    /* a routing id that it chose itself comes back with another descriptor */
    peer = welcome(p, "n2", 4, NULL, "n2");
    gm_peers_closed(p, 4, now);
    assert_int_equal(gm_peers_opened(p, 7, now), -1);
    assert_int_equal(hear(p, "n2", 7, NULL, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(gm_peer_fd(peer), 7);
    assert_int_equal(gm_peers_unproved(p), 0);
    now += 2 * GM_PEERS_HELLO_TIME;
    assert_int_equal(sweep(p), 0);
    assert_ptr_equal(route(p, "n2", GM__ENVELOPE__BODY_ACK), peer);
}

/* What was said over a connection may be read after another one has its number. */
static void of_one_descriptor_the_last_peer_counts(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *old = welcome(p, "a", 4, NULL, "n1");
    struct gm_peer *new = welcome(p, "b", 4, NULL, "n2");
    assert_int_equal(gm_peer_fd(old), -1);
    assert_int_equal(gm_peer_fd(new), 4);
    gm_peers_closed(p, 4, now);
    assert_int_equal(gm_peer_fd(new), -1);
    now += GM_PEERS_GONE_TIME;
    assert_int_equal(sweep(p), 0);
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_ACK));
    assert_null(route(p, "n2", GM__ENVELOPE__BODY_ACK));
}

static void who_says_nothing_is_cut(void **state)
{
    struct gm_peers *p = *state;
    (void)welcome(p, "a", 4, NULL, "n1");
    assert_int_equal(gm_peers_opened(p, 5, now), -1);
    now += GM_PEERS_HELLO_TIME - 1;
    assert_int_equal(sweep(p), 0);
    now += 1;
    assert_int_equal(sweep(p), 1);
    assert_int_equal(cuts[0], 5);
    assert_int_equal(sweep(p), 0);
    for (int fd = 10; fd < 10 + GM_PEERS_UNPROVED_MAX - 1; fd++) {
        assert_int_equal(gm_peers_opened(p, fd, now), -1);
    }
    now += GM_PEERS_ROOM_TIME;
    assert_int_equal(gm_peers_opened(p, 9, now), 5); /* 5 was looked at last; 10 came later */
    assert_int_equal(gm_peers_opened(p, 8, now), 10);
    gm_peers_closed(p, 5, now);
    gm_peers_closed(p, 10, now);
    assert_int_equal(gm_peers_opened(p, 10, now), 11); /* the newcomer stays */
    gm_peers_closed(p, 11, now);
    gm_peers_closed(p, 12, now);
    assert_int_equal(gm_peers_opened(p, 12, now), -1);
}

/* All nodes after a restart: those that came first are let in first, and so all are at last. */
static void of_many_at_once_the_first_ones_get_in(void **state)
{
    struct gm_peers *p = *state;
    const int first = 10, last = first + 3 * GM_PEERS_UNPROVED_MAX;
    char name[16];
    int come = first;
    for (int round = 0; round < 3; round++, come += GM_PEERS_UNPROVED_MAX) {
        for (int fd = come; fd < last; fd++) {
            bool has_room = fd < come + GM_PEERS_UNPROVED_MAX;
            assert_int_equal(gm_peers_opened(p, fd, now), has_room ? -1 : fd);
        }
        for (int fd = come + GM_PEERS_UNPROVED_MAX; fd < last; fd++) {
            gm_peers_closed(p, fd, now);
        }
        for (int fd = come; fd < come + GM_PEERS_UNPROVED_MAX; fd++) {
            (void)snprintf(name, sizeof name, "n%d", fd);
            (void)welcome(p, name, fd, NULL, name);
        }
        assert_int_equal(gm_peers_unproved(p), 0);
        now += GM_SEC / 5; /* they come again */
    }
}

static void garbage_is_answered_now_and_then_and_cut_at_last(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    unsigned told = 0, ignored = 0;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE);
    for (int i = 0; i < 100; i++) {
        enum gm_peer_verdict v = gm_peers_judge(p, peer, NULL, now, NULL, &err);
        if (v == GM_PEER_CUT) {
            break;
        }
        told += v == GM_PEER_REFUSE ? 1 : 0;
        ignored += v == GM_PEER_IGNORE ? 1 : 0;
    }
    assert_int_equal(told, 4);
    assert_int_equal(told + ignored, 20);
}

static unsigned flood(struct gm_peers *p, const char *id, int fd, size_t size, unsigned count)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < count; i++) {
        struct gm_peer *peer = NULL;
        taken += hear(p, id, fd, NULL, size, &peer) == GM_PEER_TAKE ? 1 : 0;
    }
    return taken;
}

static void budgets_hold(void **state)
{
    struct gm_peers *p = *state;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(flood(p, "a", 4, 10, 1000), 200);
    now += GM_SEC;
    assert_int_equal(flood(p, "a", 4, 10, 1000), 20);
    assert_int_equal(gm_peers_opened(p, 5, now), -1);
    assert_int_equal(flood(p, "b", 5, 32u << 20, 100), 2);
    (void)welcome(p, "c", 6, NULL, "n1");
    assert_int_equal(flood(p, "c", 6, 10, 300000), 200000);
    (void)welcome(p, "d", 7, NULL, "n2"); /* nobody else's */
    assert_int_equal(flood(p, "d", 7, 32u << 20, 100), 2);
}

/* What is inside a batch counts as if it came by itself. */
static void envelopes_of_a_batch_are_counted(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE);
    assert_false(gm_peers_more(p, peer, 1023, now)); /* more than a stranger has to say at all */
    assert_true(gm_peers_more(p, peer, 0, now));
    assert_true(gm_peers_more(p, peer, 199, now));
    assert_false(gm_peers_more(p, peer, 1, now));
    peer = welcome(p, "b", 5, NULL, "n1");
    for (int i = 0; i < 195; i++) {
        assert_int_equal(hear(p, "b", 5, NULL, 9, &peer), GM_PEER_TAKE);
        assert_true(gm_peers_more(p, peer, 1023, now));
    }
    assert_int_equal(hear(p, "b", 5, NULL, 9, &peer), GM_PEER_TAKE);
    assert_false(gm_peers_more(p, peer, 1023, now));
}

static uint64_t dropped_of[2]; /* n1's, n2's */
static bool tells = true;

static bool on_dropped(const char *node_id, uint64_t dropped, void *arg)
{
    assert_ptr_equal(arg, dropped_of);
    assert_true(strcmp(node_id, "n1") == 0 || strcmp(node_id, "n2") == 0);
    dropped_of[node_id[1] - '1'] += tells ? dropped : 0;
    return tells;
}

static void check_dropped(struct gm_peers *p, uint64_t first, uint64_t second)
{
    memset(dropped_of, 0, sizeof dropped_of);
    gm_peers_each_dropped(p, now, on_dropped, dropped_of);
    assert_int_equal(dropped_of[0], first);
    assert_int_equal(dropped_of[1], second);
}

/* Nobody would know why its leases end. */
static void what_is_dropped_of_a_node_is_told(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(flood(p, "a", 4, 10, 1000), 200); /* a stranger */
    check_dropped(p, 0, 0);
    (void)welcome(p, "b", 5, NULL, "n1");
    assert_int_equal(flood(p, "b", 5, 32u << 20, 5), 2);
    check_dropped(p, 3, 0);
    assert_int_equal(flood(p, "b", 5, 32u << 20, 4), 0);
    (void)welcome(p, "c", 6, NULL, "n2");
    assert_int_equal(flood(p, "c", 6, 10, 199900), 199900);
    assert_int_equal(hear(p, "c", 6, NULL, 10, &peer), GM_PEER_TAKE);
    assert_false(gm_peers_more(p, peer, 1023, now));
    check_dropped(p, 0, 0); /* a second has not passed */
    now += GM_PEERS_DROPPED_TIME;
    tells = false; /* the log takes no more */
    check_dropped(p, 0, 0);
    tells = true;
    assert_int_equal(hear(p, "b", 5, NULL, 32u << 20, &peer), GM_PEER_IGNORE);
    now += GM_PEERS_DROPPED_TIME;
    check_dropped(p, 5, 1);
    now += GM_PEERS_DROPPED_TIME;
    check_dropped(p, 0, 0);
    (void)welcome(p, "d", 7, NULL, "n2");
    assert_int_equal(flood(p, "c", 6, 10, 300000), 0); /* it was replaced */
    check_dropped(p, 0, 0);
}

/* However often, it costs no more than any other message; of nobody it is as what is known. */
static void messages_of_a_newer_release_are_passed_over(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = welcome(p, "a", 4, NULL, "n1");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY__NOT_SET, "n1"), GM_PEER_IGNORE);
    }
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_RENEW, "n1"), GM_PEER_TAKE);
    assert_int_equal(gm_peers_opened(p, 5, now), -1);
    assert_int_equal(hear(p, "b", 5, NULL, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY__NOT_SET, "n2"), GM_PEER_REFUSE);
    assert_int_equal(err.code, GM_E_UNREACHABLE);
}

static void who_said_that_he_reads_batches_is_known(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = welcome(p, "a", 4, NULL, "n1");
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Hello hello = GM__HELLO__INIT;
    const char *node = NULL;
    assert_false(gm_peer_batches(peer));
    hello.node_id = (char *)(uintptr_t) "n1";
    hello.batches = true;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    assert_int_equal(gm_peers_judge(p, peer, &env, now, &node, &err), GM_PEER_TAKE);
    assert_true(gm_peer_batches(peer));
    assert_int_equal(gm_peers_opened(p, 5, now), -1);
    assert_int_equal(hear(p, "a", 5, NULL, 9, &peer), GM_PEER_TAKE);
    assert_false(gm_peer_batches(peer)); /* over this connection it said nothing of them */
}

static void strangers_are_forgotten_before_they_are_too_many(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *node = welcome(p, "a", 4, NULL, "n1");
    struct gm_peer *peer = NULL;
    char id[16];
    for (int i = 0; i < 3 * GM_PEERS_STRANGERS_MAX; i++) {
        snprintf(id, sizeof id, "s%d", i);
        (void)hear(p, id, -1, NULL, 9, &peer);
    }
    assert_null(gm_peers_find(p, (struct gm_peer_id){"s0", 2}));
    assert_non_null(gm_peers_find(p, (struct gm_peer_id){id, strlen(id)}));
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), node);
    char large[GM_PEERS_ID_BYTES + 2];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(hear(p, large, 4, NULL, 9, &peer), GM_PEER_CUT);
    assert_int_equal(hear(p, "", 4, NULL, 9, &peer), GM_PEER_CUT);
}

#define KEY_1 "T<rw:AO8S&^I&iZKIP+m<45UI8H=RQcr&&bh@M$a"
#define KEY_2 "gE-J/P?doNqu5R{jdKnA/?:Oy+a$8.v89@.Na8A)"
#define KEY_3 "(34UhhIL(Mp6*Gqd!RM8H4(x^aK#MRJ4umC4H.$y"

static void list_add(struct gm_allow *allow, const char *key, const char *name,
                     enum gm_curve_role role, int64_t until)
{
    struct gm_allowed row = {.role = role, .until_unix_ms = until};
    strcpy(row.key, key);
    strcpy(row.name, name);
    assert_int_equal(gm_allow_add(allow, &row, &err), 0);
}

static void keys_say_who_may_be_what(void **state)
{
    struct gm_peers *p = *state;
    struct gm_allow allow = {0};
    struct gm_peer *peer = NULL;
    list_add(&allow, KEY_1, "n1", GM_CURVE_NODE, INT64_MAX);
    list_add(&allow, KEY_2, "ann", GM_CURVE_ADMIN, INT64_MAX);
    gm_peers_allow(p, &allow);
    assert_int_equal(hear(p, "a", 4, KEY_3, 9, &peer), GM_PEER_CUT);
    assert_non_null(peer);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_CUT);
    assert_null(peer);
    assert_int_equal(hear(p, "b", 5, KEY_2, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "ann"), GM_PEER_REFUSE);
    assert_int_equal(err.code, GM_E_NODE_DENIED);
    assert_int_equal(hear(p, "c", 6, KEY_1, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "n2"), GM_PEER_REFUSE);
    assert_int_equal(err.code, GM_E_NODE_DENIED);
    peer = welcome(p, "c", 6, KEY_1, "n1");
    assert_string_equal(gm_peer_name(peer), "n1");
    int64_t until = 0;
    assert_string_equal(gm_peers_key(p, "n1", &until), KEY_1);
    assert_int_equal(until, INT64_MAX);
    assert_null(gm_peers_key(p, "ann", &until));                      /* no node */
    assert_int_equal(hear(p, "c", 6, KEY_2, 9, &peer), GM_PEER_TAKE); /* the id with another key */
    assert_string_equal(gm_peer_node(peer), "");
    gm_allow_fini(&allow);
}

static void a_key_that_is_off_the_list_ends_a_connection(void **state)
{
    struct gm_peers *p = *state;
    struct gm_allow allow = {0};
    int64_t until = (now + 60 * GM_SEC) / GM_MS;
    list_add(&allow, KEY_1, "n1", GM_CURVE_NODE, INT64_MAX);
    list_add(&allow, KEY_2, "n2", GM_CURVE_NODE, until);
    gm_peers_allow(p, &allow);
    struct gm_peer *one = welcome(p, "a", 4, KEY_1, "n1");
    struct gm_peer *two = welcome(p, "b", 5, KEY_2, "n2");
    assert_int_equal(sweep(p), 0);
    assert_int_equal(gm_allow_remove(&allow, "n1"), 1);
    gm_peers_allow(p, &allow);
    assert_int_equal(sweep(p), 1);
    assert_int_equal(cuts[0], 4);
    assert_null(route(p, "n1", GM__ENVELOPE__BODY_ASSIGN));
    assert_int_equal(hear(p, "a", 4, KEY_1, 9, &one), GM_PEER_CUT);
    assert_ptr_equal(route(p, "n2", GM__ENVELOPE__BODY_ASSIGN), two);
    now += 60 * GM_SEC;
    assert_int_equal(hear(p, "b", 5, KEY_2, 9, &two), GM_PEER_CUT); /* before anybody looked */
    assert_non_null(two); /* so that the reason can be told */
    assert_null(route(p, "n2", GM__ENVELOPE__BODY_ASSIGN));
    gm_allow_fini(&allow);
}

static void who_does_not_read_is_cut(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = welcome(p, "a", 4, NULL, "n1");
    struct gm_unsent_bytes *bytes = gm_peer_unsent(peer);
    gm_unsent_bytes_take(bytes, GM_PEERS_UNSENT_BYTES);
    for (int i = 0; i < 3; i++) {
        now += 5 * GM_SEC;
        assert_int_equal(sweep(p), 0);
    }
    gm_unsent_bytes_take(bytes, 1);
    now += 5 * GM_SEC;
    assert_int_equal(sweep(p), 0);
    acknowledged = 1; /* slowly, but it does */
    now += 5 * GM_SEC;
    assert_int_equal(sweep(p), 0);
    now += 5 * GM_SEC;
    assert_int_equal(sweep(p), 1);
    assert_int_equal(cuts[0], 4);
    gm_peers_closed(p, 4, now);
    now += GM_PEERS_GONE_TIME;
    assert_int_equal(sweep(p), 0);
    assert_int_equal(gm_unsent_bytes_get(bytes), GM_PEERS_UNSENT_BYTES + 1); /* libzmq has it yet */
    gm_unsent_bytes_drop(bytes, GM_PEERS_UNSENT_BYTES);
    gm_unsent_bytes_drop(bytes, 1);
}

/* Looks each half second for so long; how many were cut. */
static size_t sweep_for(struct gm_peers *p, gm_time time)
{
    size_t count = 0;
    for (gm_time end = now + time; now < end;) {
        now += GM_SEC / 2;
        count += sweep(p);
    }
    return count;
}

static void a_node_that_says_nothing_is_cut(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *peer = NULL;
    (void)welcome(p, "a", 4, NULL, "n1");
    assert_int_equal(sweep_for(p, 100 * GM_SEC), 0);
    gm_peers_silence(p, 12 * GM_SEC);
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(sweep_for(p, 12 * GM_SEC), 0);
    deaf = true; /* it may have said something */
    assert_int_equal(sweep_for(p, 60 * GM_SEC), 0);
    deaf = false;
    assert_int_equal(sweep_for(p, 12 * GM_SEC), 0);
    now += 60 * GM_SEC; /* the scheduler was stopped itself */
    assert_int_equal(sweep(p), 0);
    assert_int_equal(sweep_for(p, 12 * GM_SEC), 0);
    assert_true(sweep_for(p, 6 * GM_SEC) >= 1);
    assert_int_equal(cuts[0], 4);
}

/* A node behind a slow link is told all that it works at, while it reads; but not so many at once
 * that there is no memory left. */
static void who_reads_slowly_is_told_more(void **state)
{
    struct gm_peers *p = *state;
    struct gm_unsent_bytes *all[8];
    char id[2] = "a";
    for (int i = 0; i < 8; i++, id[0]++) {
        char node[3] = {'n', id[0], 0};
        all[i] = gm_peer_unsent(welcome(p, id, 4 + i, NULL, node));
    }
    size_t most = GM_PEERS_UNSENT_MOST, all_most = GM_PEERS_UNSENT_ALL;
    gm_unsent_bytes_take(all[0], most);
    assert_true(gm_unsent_bytes_has_room(all[0], 0));
    assert_false(gm_unsent_bytes_has_room(all[0], 1));
    for (size_t i = 1; i < all_most / most; i++) {
        assert_true(gm_unsent_bytes_has_room(all[i], most));
        gm_unsent_bytes_take(all[i], most);
    }
    assert_true(gm_unsent_bytes_has_room(all[7], GM_PEERS_UNSENT_BYTES)); /* each has so much */
    assert_false(gm_unsent_bytes_has_room(all[7], GM_PEERS_UNSENT_BYTES + 1));
    gm_unsent_bytes_drop(all[0], most);
    assert_true(gm_unsent_bytes_has_room(all[7], GM_PEERS_UNSENT_BYTES + 1));
    for (size_t i = 1; i < all_most / most; i++) {
        gm_unsent_bytes_drop(all[i], most);
    }
}

static enum gm_peer_verdict hear_given(struct gm_peers *p, char last, int fd, struct gm_peer **out)
{
    const char id[5] = {0, 1, 2, 3, last};
    const struct gm_heard heard = {
        .id = {id, sizeof id}, .fd = fd, .size = 9, .now = now, .unix_ms = now / GM_MS};
    return gm_peers_heard(p, &heard, out);
}

/* What was left in a connection that is closed is no message of the one that has its number. */
static void what_is_late_takes_no_connection(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *late = NULL, *peer = NULL;
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear_given(p, 'a', 4, &late), GM_PEER_TAKE);
    gm_peers_closed(p, 4, now);
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear_given(p, 'a', 4, &late), GM_PEER_TAKE); /* and is heard */
    assert_int_equal(gm_peer_fd(late), -1);
    assert_int_equal(hear_given(p, 'b', 4, &peer), GM_PEER_TAKE);
    assert_int_equal(hear_given(p, 'a', 4, &late), GM_PEER_TAKE);
    assert_int_equal(gm_peer_fd(peer), 4);
    assert_int_equal(judge(p, peer, GM__ENVELOPE__BODY_HELLO, "n1"), GM_PEER_TAKE);
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_WELCOME), peer);
}

static enum gm_peer_verdict leave(struct gm_peers *p, struct gm_peer *peer, const char *node_id)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    const char *node = NULL;
    goodbye.node_id = (char *)(uintptr_t)node_id;
    env.body_case = GM__ENVELOPE__BODY_GOODBYE;
    env.goodbye = &goodbye;
    enum gm_peer_verdict v = gm_peers_judge(p, peer, &env, now, &node, &err);
    if (v == GM_PEER_TAKE) {
        assert_string_equal(node, node_id);
    }
    return v;
}

/* A node may end before this scheduler has welcomed it: what it had is free at once. */
static void a_goodbye_needs_no_welcome(void **state)
{
    struct gm_peers *p = *state;
    struct gm_allow allow = {0};
    struct gm_peer *peer = NULL;
    assert_int_equal(hear(p, "x", 3, NULL, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(leave(p, peer, "n1"), GM_PEER_REFUSE); /* without keys: anybody says so */
    list_add(&allow, KEY_1, "n1", GM_CURVE_NODE, INT64_MAX);
    list_add(&allow, KEY_2, "n3", GM_CURVE_ADMIN, INT64_MAX);
    gm_peers_allow(p, &allow);
    assert_int_equal(gm_peers_opened(p, 4, now), -1);
    assert_int_equal(hear(p, "a", 4, KEY_1, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(leave(p, peer, "n1"), GM_PEER_TAKE);
    assert_int_equal(leave(p, peer, "n2"), GM_PEER_REFUSE);
    assert_int_equal(leave(p, peer, ""), GM_PEER_REFUSE); /* of the release before */
    (void)welcome(p, "b", 5, KEY_1, "n1");
    now += GM_SEC;
    assert_int_equal(leave(p, peer, "n1"), GM_PEER_REFUSE); /* it lives on another one */
    gm_peers_closed(p, 5, now);
    assert_int_equal(leave(p, peer, "n1"), GM_PEER_TAKE);
    assert_int_equal(hear(p, "d", 7, KEY_2, 9, &peer), GM_PEER_TAKE);
    assert_int_equal(leave(p, peer, "n3"), GM_PEER_REFUSE);
    gm_allow_fini(&allow);
}

#define CROWD 199 /* no whole number of them a sweep */

static size_t known_of(const struct gm_peers *p, int count)
{
    char id[16];
    size_t known = 0;
    for (int i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        known += gm_peers_find(p, (struct gm_peer_id){id, strlen(id)}) != NULL ? 1 : 0;
    }
    return known;
}

/* Of a crowd a few are looked at each time, and all within 5 s: then those that are silent are cut,
 * and those that are gone forgotten. */
static void a_crowd_is_looked_at_in_parts(void **state)
{
    struct gm_peers *p = *state;
    char id[16], node[16];
    size_t cut = 0;
    for (int i = 0; i < CROWD; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        (void)snprintf(node, sizeof node, "n%d", i);
        (void)welcome(p, id, 100 + i, NULL, node);
    }
    assert_int_equal(sweep(p), 0); /* the first time at all */
    gm_peers_silence(p, 10 * GM_SEC);
    for (int i = 0; i < 200; i++) {
        now += 50 * GM_MS;
        assert_int_equal(sweep(p), 0);
    }
    for (int i = 0; i < 101; i++) {
        now += 50 * GM_MS;
        size_t few = sweep(p);
        assert_in_range(few, 0, 2);
        for (size_t k = 0; k < few; k++) {
            gm_peers_closed(p, cuts[k], now);
        }
        cut += few;
    }
    assert_int_equal(cut, CROWD);
    for (int i = 0; i < 220; i++) { /* a look and GM_PEERS_GONE_TIME later, while they get fewer */
        now += 50 * GM_MS;
        assert_int_equal(sweep(p), 0);
    }
    assert_int_equal(known_of(p, CROWD), 0);
}

/* Many come while a few are being looked at, as after a restart. */
static void a_crowd_that_came_at_once_is_looked_at_as_soon(void **state)
{
    struct gm_peers *p = *state;
    char id[16], node[16];
    for (int i = 0; i < CROWD; i++) {
        for (; i == 20 && now < 1001 * GM_SEC; now += 50 * GM_MS) {
            assert_int_equal(sweep(p), 0);
        }
        (void)snprintf(id, sizeof id, "p%d", i);
        (void)snprintf(node, sizeof node, "n%d", i);
        (void)welcome(p, id, 100 + i, NULL, node);
    }
    for (int i = 0; i < CROWD; i++) {
        gm_peers_closed(p, 100 + i, now);
    }
    assert_int_equal(known_of(p, CROWD), CROWD);
    for (int i = 0; i < 302; i++) { /* GM_PEERS_GONE_TIME and a look; the last few take another */
        now += 50 * GM_MS;
        assert_int_equal(sweep(p), 0);
    }
    assert_int_equal(known_of(p, CROWD), 0);
}

/* Answers go to who was heard last without a search, others as before. */
static void who_was_heard_last_is_not_taken_for_another(void **state)
{
    struct gm_peers *p = *state;
    struct gm_peer *one = welcome(p, "a", 4, NULL, "n1"), *two = welcome(p, "b", 5, NULL, "n2");
    struct gm_peer *peer = NULL;
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_TAKE);
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), one);
    assert_ptr_equal(route(p, "n2", GM__ENVELOPE__BODY_ACK), two);
    assert_null(route(p, "n", GM__ENVELOPE__BODY_ACK));
    struct gm_peer *again = welcome(p, "c", 6, NULL, "n1");
    assert_int_equal(hear(p, "a", 4, NULL, 9, &peer), GM_PEER_IGNORE); /* it was replaced */
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), again);
    gm_peers_closed(p, 4, now);
    now += GM_PEERS_GONE_TIME;
    (void)sweep(p);
    now += 5 * GM_SEC;
    (void)sweep(p);
    assert_null(gm_peers_find(p, (struct gm_peer_id){"a", 1}));
    assert_ptr_equal(route(p, "n1", GM__ENVELOPE__BODY_ACK), again);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_welcome_binds_and_nothing_else),
        TEST(who_comes_to_no_end_is_cut),
        TEST(who_is_not_read_yet_is_not_cut),
        TEST(all_are_looked_at_in_turn),
        TEST(who_is_refused_takes_nothing_from_a_node),
        TEST(a_node_that_comes_again_replaces_itself),
        TEST(a_late_hello_takes_nothing_from_the_living),
        TEST(a_chosen_routing_id_may_come_back_after_another),
        TEST(a_closed_connection_is_heard_out_and_forgotten),
        TEST(of_one_descriptor_the_last_peer_counts),
        TEST(who_says_nothing_is_cut),
        TEST(of_many_at_once_the_first_ones_get_in),
        TEST(garbage_is_answered_now_and_then_and_cut_at_last),
        TEST(budgets_hold),
        TEST(envelopes_of_a_batch_are_counted),
        TEST(what_is_dropped_of_a_node_is_told),
        TEST(messages_of_a_newer_release_are_passed_over),
        TEST(who_said_that_he_reads_batches_is_known),
        TEST(strangers_are_forgotten_before_they_are_too_many),
        TEST(keys_say_who_may_be_what),
        TEST(a_key_that_is_off_the_list_ends_a_connection),
        TEST(who_does_not_read_is_cut),
        TEST(who_reads_slowly_is_told_more),
        TEST(what_is_late_takes_no_connection),
        TEST(a_goodbye_needs_no_welcome),
        TEST(a_node_that_says_nothing_is_cut),
        TEST(a_crowd_is_looked_at_in_parts),
        TEST(a_crowd_that_came_at_once_is_looked_at_as_soon),
        TEST(who_was_heard_last_is_not_taken_for_another),
    };
    return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
