#include "scheduler/peers_state.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "proto/envelope.h"
#include "scheduler/core/mem.h"

/* A bound peer may say far more than any node does; it is dropped where it says yet more. */
#define NODE_MESSAGES 100000 /* a second; twice as many at once */
#define NODE_BYTES (16u << 20)
#define NODE_BYTES_BURST (64u << 20) /* two of the largest envelopes; more takes time to decode */
/* A stranger has a Hello to say, behind what it said when the connection before broke. */
#define STRANGER_MESSAGES 20
#define STRANGER_MESSAGES_BURST 200
#define STRANGER_BYTES (8u << 20)
#define STRANGER_BYTES_BURST (64u << 20)
/* All strangers together; more than there are nodes, which all come back after a restart. */
#define STRANGERS_MESSAGES 2000
#define STRANGERS_MESSAGES_BURST 20000
#define FAULTS 1 /* a second, and so many at once: then the connection is cut */
#define FAULTS_BURST 20
#define ANSWERS 2 /* refusals a second */
#define ANSWERS_BURST 4

/* ---- connections */

int gm_peers_opened(struct gm_peers *p, int fd, gm_time now)
{
    gm_conns_add(&p->conns, fd, now);
    if (p->conns.unproved_count <= GM_PEERS_UNPROVED_MAX) {
        return -1;
    }
    bool has_waited = now - p->conns.unproved->since >= GM_PEERS_ROOM_TIME;
    return has_waited ? gm_conns_cut_next(&p->conns, now) : fd;
}

static void set_gone(struct gm_peer *peer, gm_time now)
{
    if (!peer->gone) {
        peer->gone = true;
        peer->gone_at = now;
        peer->fd = -1;
    }
}

void gm_peers_closed(struct gm_peers *p, int fd, gm_time now)
{
    struct gm_conn *c = gm_conns_find(&p->conns, fd);
    if (c == NULL) {
        return;
    }
    if (c->peer != NULL) {
        set_gone(c->peer, now);
    }
    gm_conns_remove(&p->conns, c);
}

size_t gm_peers_unproved(const struct gm_peers *p)
{
    return p->conns.unproved_count;
}

void gm_peers_each(const struct gm_peers *p, bool unproved,
                   void (*fn)(int fd, bool proved, void *arg), void *arg)
{
    for (const struct gm_conn *c = unproved ? p->conns.unproved : p->conns.all; c != NULL;
         c = unproved ? c->next : c->hh.next) {
        fn(c->fd, c->proved, arg);
    }
}

/* ---- peers */

struct gm_peers *gm_peers_create(void)
{
    struct gm_peers *p = gm_mem_zalloc(sizeof *p);
    p->total = gm_unsent_total_create();
    return p;
}

void gm_peers_silence(struct gm_peers *p, gm_time silence)
{
    p->silence = silence;
}

static void to_strangers(struct gm_peers *p, struct gm_peer *peer)
{
    DL_APPEND(p->strangers, peer);
    p->stranger_count++;
}

static void from_strangers(struct gm_peers *p, struct gm_peer *peer)
{
    GM_ASSERT(peer->prev == peer || peer->next != NULL || peer != p->strangers); /* it is on it */
    DL_DELETE(p->strangers, peer);
    p->stranger_count--;
}

void gm_peer_unbind(struct gm_peers *p, struct gm_peer *peer)
{
    if (peer->node != NULL) {
        HASH_DEL(p->nodes, peer->node);
        free(peer->node);
        peer->node = NULL;
        to_strangers(p, peer);
    }
}

static void detach(const struct gm_peers *p, struct gm_peer *peer)
{
    struct gm_conn *c = gm_conns_find(&p->conns, peer->fd);
    if (c != NULL && c->peer == peer) {
        c->peer = NULL;
    }
    peer->fd = -1;
}

static void peer_free(struct gm_peer *peer)
{
    gm_unsent_bytes_unref(peer->unsent);
    free(peer->id);
    free(peer);
}

void gm_peer_remove(struct gm_peers *p, struct gm_peer *peer)
{
    gm_peer_unbind(p, peer);
    from_strangers(p, peer);
    detach(p, peer);
    p->claimer = p->claimer == peer ? NULL : p->claimer;
    p->speaker = p->speaker == peer ? NULL : p->speaker;
    p->checked = p->checked == peer ? peer->hh.next : p->checked;
    HASH_DEL(p->peers, peer);
    peer_free(peer);
}

void gm_peers_destroy(struct gm_peers **peers)
{
    struct gm_peers *p = *peers;
    if (p == NULL) {
        return;
    }
    struct gm_peer *peer = p->peers, *next_peer = NULL;
    HASH_CLEAR(hh, p->peers); /* the table, not what is in it */
    for (; peer != NULL; peer = next_peer) {
        next_peer = peer->hh.next;
        peer_free(peer);
    }
    struct node *node = p->nodes, *next_node = NULL;
    HASH_CLEAR(hh, p->nodes);
    for (; node != NULL; node = next_node) {
        next_node = node->hh.next;
        free(node);
    }
    gm_conns_fini(&p->conns);
    gm_unsent_total_drop(p->total);
    free(p);
    *peers = NULL;
}

void gm_peers_allow(struct gm_peers *p, const struct gm_allow *allow)
{
    p->allow = allow;
    p->generation++;
    p->checked_at = 0;
}

struct gm_peer *gm_peers_find(const struct gm_peers *p, struct gm_peer_id id)
{
    struct gm_peer *peer = NULL;
    HASH_FIND(hh, p->peers, id.data, (unsigned)id.size, peer);
    return peer;
}

struct gm_peer_id gm_peer_id(const struct gm_peer *peer)
{
    return (struct gm_peer_id){.data = peer->id, .size = peer->id_size};
}

int gm_peer_fd(const struct gm_peer *peer)
{
    return peer->fd;
}

const char *gm_peer_node(const struct gm_peer *peer)
{
    return peer->node != NULL ? peer->node->id : "";
}

const char *gm_peer_name(const struct gm_peer *peer)
{
    return peer->name;
}

const char *gm_peers_key(const struct gm_peers *p, const char *node_id, int64_t *until_unix_ms)
{
    struct node *node = NULL;
    HASH_FIND_STR(p->nodes, node_id, node);
    if (node == NULL || node->peer->key[0] == '\0') {
        return NULL;
    }
    *until_unix_ms = node->peer->until_unix_ms;
    return node->peer->key;
}

bool gm_peer_batches(const struct gm_peer *peer)
{
    return peer->batches;
}

struct gm_peer_mark *gm_peer_mark(struct gm_peer *peer)
{
    return &peer->mark;
}

struct gm_unsent_bytes *gm_peer_unsent(const struct gm_peer *peer)
{
    return peer->unsent;
}

static struct gm_peer *peer_add(struct gm_peers *p, const struct gm_heard *h)
{
    if (p->stranger_count >= GM_PEERS_STRANGERS_MAX) {
        gm_peer_remove(p, p->strangers);
    }
    struct gm_peer *peer = gm_mem_zalloc(sizeof *peer);
    peer->id = gm_mem_dup(h->id.data, h->id.size);
    peer->id_size = h->id.size;
    peer->fd = -1;
    peer->unsent = gm_unsent_bytes_create(p->total);
    HASH_ADD_KEYPTR(hh, p->peers, peer->id, (unsigned)peer->id_size, peer);
    to_strangers(p, peer);
    return peer;
}

bool gm_peer_is_allowed(const struct gm_peers *p, struct gm_peer *peer, int64_t unix_ms)
{
    if (p->allow == NULL) {
        return true;
    }
    if (peer->generation == p->generation && unix_ms < peer->until_unix_ms) {
        return true;
    }
    const struct gm_allowed *row = gm_allow_find(p->allow, peer->key, unix_ms);
    if (row == NULL || (peer->node != NULL && strcmp(row->name, peer->node->id) != 0) ||
        (peer->node != NULL && !gm_curve_role_may(row->role, GM_CURVE_NODE))) {
        return false;
    }
    memcpy(peer->name, row->name, sizeof peer->name);
    peer->role = row->role;
    peer->until_unix_ms = row->until_unix_ms;
    peer->generation = p->generation;
    return true;
}

static bool may_say(struct gm_peers *p, struct gm_peer *peer, uint32_t count, gm_time now)
{
    if (peer->node != NULL) {
        return gm_rate_take(&peer->messages, count, NODE_MESSAGES, 2 * NODE_MESSAGES, now);
    }
    return gm_rate_take(&peer->messages, count, STRANGER_MESSAGES, STRANGER_MESSAGES_BURST, now) &&
           gm_rate_take(&p->messages, count, STRANGERS_MESSAGES, STRANGERS_MESSAGES_BURST, now);
}

static bool is_within_budget(struct gm_peers *p, struct gm_peer *peer, size_t size, gm_time now)
{
    uint32_t bytes = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    return (peer->node != NULL
                ? gm_rate_take(&peer->bytes, bytes, NODE_BYTES, NODE_BYTES_BURST, now)
                : gm_rate_take(&peer->bytes, bytes, STRANGER_BYTES, STRANGER_BYTES_BURST, now)) &&
           may_say(p, peer, 1, now);
}

/* True: it is within budget. */
static bool count_dropped(struct gm_peers *p, const struct gm_peer *peer, bool is_within)
{
    if (!is_within && peer->node != NULL) {
        peer->node->dropped++;
        p->dropped = true;
    }
    return is_within;
}

bool gm_peers_more(struct gm_peers *p, struct gm_peer *peer, uint32_t more, gm_time now)
{
    return more == 0 || count_dropped(p, peer, may_say(p, peer, more, now));
}

void gm_peers_each_dropped(struct gm_peers *p, gm_time now, gm_peers_dropped_fn fn, void *arg)
{
    if (!p->dropped || (p->dropped_at != 0 && now - p->dropped_at < GM_PEERS_DROPPED_TIME)) {
        return;
    }
    p->dropped = false;
    p->dropped_at = now;
    for (struct node *node = p->nodes; node != NULL; node = node->hh.next) {
        if (node->dropped > 0 && fn(node->id, node->dropped, arg)) {
            node->dropped = 0;
        }
        p->dropped = p->dropped || node->dropped > 0;
    }
}

/* By a routing id that the socket gave, which begins with a zero byte as none that a peer chooses
 * may: no other connection will have it. */
static bool is_given(const struct gm_peer *peer)
{
    return peer->id[0] == 0;
}

/* Its connection is this one; or one that is closed, and this was left in it: then the descriptor
 * may be another connection's by now. */
static void attach(struct gm_peers *p, struct gm_peer *peer, int fd, gm_time now)
{
    if (peer->gone ? is_given(peer) : peer->fd == fd) {
        return;
    }
    struct gm_conn *c = gm_conns_find(&p->conns, fd);
    if (c == NULL) {
        detach(p, peer);
        set_gone(peer, now);
        return;
    }
    peer->gone = false;
    if (c->peer != peer) {
        detach(p, peer);
        if (c->peer != NULL) { /* the connection before, of this number, is closed */
            set_gone(c->peer, now);
        }
        c->peer = peer;
        peer->fd = fd;
        peer->replaced = peer->batches = false; /* over the connection before */
        gm_conns_set_proved(&p->conns, c, peer->node != NULL, now);
    }
}

/* libzmq reads one message of each connection that has one, and begins again. */
static void count_turn(struct gm_peers *p)
{
    if (++p->turn_count > HASH_COUNT(p->conns.all)) {
        p->turn_count = 0;
        p->turn++;
    }
}

void gm_peers_read(struct gm_peers *p, bool all)
{
    p->behind = !all;
}

enum gm_peer_verdict gm_peers_heard(struct gm_peers *p, const struct gm_heard *h,
                                    struct gm_peer **out)
{
    *out = NULL;
    count_turn(p);
    if (h->id.size == 0 || h->id.size > GM_PEERS_ID_BYTES || (p->allow != NULL && h->key == NULL)) {
        return GM_PEER_CUT;
    }
    struct gm_peer *peer = h->known != NULL ? h->known : gm_peers_find(p, h->id);
    const char *key = p->allow != NULL ? h->key : "";
    if (peer != NULL && strcmp(peer->key, key) != 0) {
        gm_peer_remove(p, peer); /* of an id that somebody chose: not who it was */
        peer = NULL;
    }
    if (peer == NULL) {
        if (strlen(key) >= sizeof peer->key) {
            return GM_PEER_CUT;
        }
        peer = peer_add(p, h);
        memcpy(peer->key, key, strlen(key) + 1);
    }
    peer->heard_at = h->now;
    p->speaker = peer;
    attach(p, peer, h->fd, h->now);
    *out = peer;
    if (!gm_peer_is_allowed(p, peer, h->unix_ms)) {
        gm_peer_unbind(p, peer);
        return GM_PEER_CUT;
    }
    if (peer->node == NULL) { /* the one that is forgotten first is silent for longest */
        from_strangers(p, peer);
        to_strangers(p, peer);
    }
    bool is_within =
        !peer->replaced && count_dropped(p, peer, is_within_budget(p, peer, h->size, h->now));
    return is_within ? GM_PEER_TAKE : GM_PEER_IGNORE;
}

/* ---- what they say */

static bool is_from_node(const Gm__Envelope *env)
{
    return (env->body_case >= GM__ENVELOPE__BODY_HELLO &&
            env->body_case <= GM__ENVELOPE__BODY_GOODBYE) ||
           env->body_case == GM__ENVELOPE__BODY_PARTS_ASK;
}

/* Something that a node of ours does not do. */
static enum gm_peer_verdict fault(struct gm_peer *peer, gm_time now)
{
    if (!gm_rate_take(&peer->faults, 1, FAULTS, FAULTS_BURST, now)) {
        return GM_PEER_CUT;
    }
    return gm_rate_take(&peer->answers, 1, ANSWERS, ANSWERS_BURST, now) ? GM_PEER_REFUSE
                                                                        : GM_PEER_IGNORE;
}

static enum gm_peer_verdict judge_hello(struct gm_peers *p, struct gm_peer *peer,
                                        const Gm__Hello *hello, gm_time now, struct gm_err *err)
{
    if (peer->node != NULL && strcmp(peer->node->id, hello->node_id) != 0) {
        (void)gm_err_set(err, GM_E_PROTO, 0, "this connection's node is %s, not %s", peer->node->id,
                         hello->node_id);
        return fault(peer, now);
    }
    if (p->allow != NULL && !gm_curve_role_may(peer->role, GM_CURVE_NODE)) {
        (void)gm_err_set(err, GM_E_NODE_DENIED, 0, "the key of %s is a %s's, not a node's",
                         peer->name, gm_curve_role_name(peer->role));
        return fault(peer, now);
    }
    if (p->allow != NULL && strcmp(peer->name, hello->node_id) != 0) {
        (void)gm_err_set(err, GM_E_NODE_DENIED, 0,
                         "the key is that of %s, and the node says it is %s", peer->name,
                         hello->node_id);
        return fault(peer, now);
    }
    if (peer->gone) { /* the node said another since, or will: that one counts */
        return GM_PEER_IGNORE;
    }
    peer->batches = hello->batches;
    p->claimer = peer;
    memcpy(p->claim, hello->node_id, strlen(hello->node_id) + 1);
    return GM_PEER_TAKE;
}

/* A node that ends before it was welcomed over this connection, and is by no other. Its key says
 * that it is that node: without keys anybody could, and what he said would end others' work. */
static bool may_leave(const struct gm_peers *p, const struct gm_peer *peer, const char *node_id)
{
    struct node *node = NULL;
    bool is_key = p->allow != NULL && (gm_curve_role_may(peer->role, GM_CURVE_NODE) &&
                                       strcmp(peer->name, node_id) == 0);
    HASH_FIND_STR(p->nodes, node_id, node);
    return node_id[0] != '\0' && is_key && (node == NULL || node->peer->gone);
}

enum gm_peer_verdict gm_peers_judge(struct gm_peers *p, struct gm_peer *peer,
                                    const Gm__Envelope *env, gm_time now, const char **out_node,
                                    struct gm_err *err)
{
    if (env == NULL) {
        return fault(peer, now);
    }
    bool newer = env->body_case == GM__ENVELOPE__BODY__NOT_SET; /* gm_check_envelope */
    if (newer && peer->node != NULL) {
        return GM_PEER_IGNORE;
    }
    if (!newer && !is_from_node(env)) {
        (void)gm_err_set(err, GM_E_PROTO, env->body_case, "that message is the scheduler's");
        return fault(peer, now);
    }
    if (env->body_case == GM__ENVELOPE__BODY_HELLO) {
        *out_node = env->hello->node_id;
        return judge_hello(p, peer, env->hello, now, err);
    }
    if (peer->node == NULL && env->body_case == GM__ENVELOPE__BODY_GOODBYE &&
        may_leave(p, peer, env->goodbye->node_id)) {
        *out_node = env->goodbye->node_id;
        return GM_PEER_TAKE;
    }
    if (peer->node == NULL) { /* its connection was made anew, or the scheduler was */
        (void)gm_err_set(err, GM_E_UNREACHABLE, 0, "say hello first");
        return gm_rate_take(&peer->answers, 1, ANSWERS, ANSWERS_BURST, now) ? GM_PEER_REFUSE
                                                                            : GM_PEER_IGNORE;
    }
    *out_node = peer->node->id;
    return GM_PEER_TAKE;
}

void gm_peers_settle(struct gm_peers *p)
{
    p->claimer = NULL;
}

static void bind_to(struct gm_peers *p, struct node *node, struct gm_peer *peer, gm_time now)
{
    struct gm_peer *old = node->peer;
    if (old == peer) {
        return;
    }
    if (old != NULL) {
        old->node = NULL;
        old->replaced = true;
        to_strangers(p, old);
        gm_conns_set_proved(&p->conns, gm_conns_find(&p->conns, old->fd), false, now);
    }
    node->peer = peer;
    from_strangers(p, peer);
    peer->node = node;
    peer->replaced = false;
    peer->messages = peer->bytes = (struct gm_rate){0};
    gm_conns_set_proved(&p->conns, gm_conns_find(&p->conns, peer->fd), true, now);
}

/* What is said is an answer, as a rule. */
static struct node *find_node(const struct gm_peers *p, const char *node_id)
{
    struct node *node = p->speaker != NULL ? p->speaker->node : NULL;
    if (node == NULL || strcmp(node->id, node_id) != 0) {
        HASH_FIND_STR(p->nodes, node_id, node);
    }
    return node;
}

struct gm_peer *gm_peers_route(struct gm_peers *p, const char *node_id, const Gm__Envelope *env,
                               gm_time now)
{
    struct node *node = find_node(p, node_id);
    bool claimed = p->claimer != NULL && strcmp(p->claim, node_id) == 0;
    if (claimed && env->body_case == GM__ENVELOPE__BODY_REFUSE) {
        return p->claimer;
    }
    if (claimed && env->body_case == GM__ENVELOPE__BODY_WELCOME) {
        if (node == NULL) {
            node = gm_mem_zalloc(sizeof *node);
            memcpy(node->id, p->claim, sizeof node->id);
            HASH_ADD_STR(p->nodes, id, node);
        }
        bind_to(p, node, p->claimer, now);
    }
    return node != NULL ? node->peer : NULL;
}
