/* Nodes' messages in, the core's out. What comes in is counted, decoded and checked here; the core
 * sees nothing that peers.h and proto/envelope.h have not taken.
 *
 * A peer is known by the routing id that the socket gave its connection, a node by the peer that
 * was welcomed as it: no one gets a node's messages by calling himself so. A send that reaches
 * nobody is remembered and told to the core at the next tick, never from inside a step; so is an
 * assignment that does not fit into a message, which would otherwise look like a lost node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/crash.h"
#include "common/log.h"
#include "proto/envelope.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/guard.h"
#include "scheduler/peers.h"
#include "scheduler/zap.h"

#define BACKLOG_MAX_BYTES                                                                          \
    (2 * GM_DAEMON_FULL_BYTES) /* rows that wait for the disk: then nodes wait */

/* NULL without memory: the lease's end tells it. */
static struct gm_unsent *note(struct gm_daemon *d, const char *node_id)
{
    struct gm_unsent *n = calloc(1, sizeof *n);
    if (n != NULL) {
        (void)strncpy(n->node_id, node_id, sizeof n->node_id - 1);
        n->next = d->unsent;
        d->unsent = n;
    }
    return n;
}

/* Of one lease the first failure counts: a Feed behind an Assign that failed fails for that. */
static bool is_noted(const struct gm_daemon *d, uint64_t epoch)
{
    const struct gm_unsent *n = d->unsent;
    while (n != NULL && (n->err.code == GM_OK || n->epoch != epoch)) {
        n = n->next;
    }
    return n != NULL;
}

void gm_wire_note_failed(struct gm_daemon *d, const char *node_id, const Gm__Envelope *envelope,
                         const struct gm_err *err)
{
    const Gm__Assign *assign =
        envelope->body_case == GM__ENVELOPE__BODY_ASSIGN ? envelope->assign : NULL;
    const Gm__Feed *feed = envelope->body_case == GM__ENVELOPE__BODY_FEED ? envelope->feed : NULL;
    if (assign == NULL && feed == NULL) {
        return;
    }
    uint64_t epoch = assign != NULL ? assign->epoch : feed->epoch;
    struct gm_unsent *n = is_noted(d, epoch) ? NULL : note(d, node_id);
    if (n != NULL) {
        n->err = *err;
        n->task_id = assign != NULL ? assign->task_id : feed->task_id;
        n->term = assign != NULL ? assign->term : feed->term;
        n->epoch = epoch;
        n->told = feed != NULL;
    }
}

static void tell_unsent(struct gm_daemon *d, const struct gm_unsent *n)
{
    Gm__Error error = GM__ERROR__INIT;
    Gm__Failed failed = GM__FAILED__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    gm_err_to_msg(&n->err, &error);
    failed.task_id = n->task_id;
    failed.term = n->term;
    failed.epoch = n->epoch;
    failed.chunk = -1;
    failed.error = &error;
    env.body_case = GM__ENVELOPE__BODY_FAILED;
    env.failed = &failed;
    struct gm_event event = {
        .type = GM_EV_UNSENT, .node_id = n->node_id, .envelope = &env, .told = n->told};
    gm_daemon_tell(d, &event);
}

/* What sends met, told to the core. */
static void report(struct gm_daemon *d)
{
    while (d->unsent != NULL) {
        struct gm_unsent *n = d->unsent;
        d->unsent = n->next;
        if (n->err.code != GM_OK) {
            tell_unsent(d, n);
        } else {
            struct gm_event event = {.type = GM_EV_NODE_GONE, .node_id = n->node_id};
            gm_daemon_tell(d, &event);
        }
        free(n);
    }
}

/* A message that libzmq has not sent yet. */
struct sent {
    struct gm_unsent_bytes *bytes; /* shared */
    size_t size;
};

/* Thread: libzmq's, or ours. */
static void on_sent(void *data, void *hint)
{
    struct sent *sent = hint;
    gm_unsent_bytes_drop(sent->bytes, sent->size);
    free(sent);
    free(data);
}

/* Takes data. 0, or libzmq's number of what went wrong. */
static int send_to(struct gm_daemon *d, const struct gm_peer *peer, uint8_t *data, size_t size)
{
    struct gm_peer_id id = gm_peer_id(peer);
    struct sent *sent = malloc(sizeof *sent);
    zmq_msg_t msg;
    if (sent == NULL) {
        free(data);
        return ENOMEM;
    }
    *sent = (struct sent){.bytes = gm_peer_unsent(peer), .size = size};
    if (zmq_msg_init_data(&msg, data, size, on_sent, sent) != 0) {
        free(sent);
        free(data);
        return zmq_errno();
    }
    gm_unsent_bytes_take(sent->bytes, size);
    if (zmq_send(d->router, id.data, id.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_msg_send(&msg, d->router, ZMQ_DONTWAIT) < 0) {
        int code = zmq_errno();
        (void)zmq_msg_close(&msg);
        return code;
    }
    return 0;
}

/* A node that reads too slowly: what it is told now is as lost, until it has read on. */
static bool is_full(const struct gm_peer *peer)
{
    return gm_unsent_bytes_get(gm_peer_unsent(peer)) > GM_PEERS_UNSENT_BYTES;
}

static void send_env(struct gm_daemon *d, const struct gm_peer *peer, const char *node_id,
                     Gm__Envelope *envelope)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    if (gm_envelope_encode(envelope, &bytes, &size, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "send_failed", &err, "node=%s", node_id);
        gm_wire_note_failed(d, node_id, envelope, &err);
        return;
    }
    int code = EHOSTUNREACH;
    if (peer == NULL || is_full(peer)) {
        code = peer == NULL ? EHOSTUNREACH : EAGAIN;
        free(bytes);
    } else {
        code = send_to(d, peer, bytes, size);
    }
    if (code == EHOSTUNREACH || code == EAGAIN) {
        (void)note(d, node_id);
    }
    if (code != 0) {
        GM_IGNORE(gm_err_zmq(&err, code, "a message did not leave"), "logged below");
        gm_log_err(GM_LOG_WARN, "send_failed", &err, "node=%s", node_id);
    }
}

void gm_wire_send(struct gm_daemon *d, const char *node_id, Gm__Envelope *envelope)
{
    if (envelope != NULL && d->router != NULL) {
        send_env(d, gm_peers_route(d->peers, node_id, envelope, gm_time_now()), node_id, envelope);
    }
}

static const char *name_of(const struct gm_peer *peer)
{
    const char *node = gm_peer_node(peer);
    return node[0] != '\0' ? node : gm_peer_name(peer)[0] != '\0' ? gm_peer_name(peer) : "-";
}

/* Peers.h says how often that is at most. */
static void refuse(struct gm_daemon *d, const struct gm_peer *peer, const struct gm_err *why)
{
    Gm__Error error = GM__ERROR__INIT;
    Gm__Refuse refusal = GM__REFUSE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    gm_err_to_msg(why, &error);
    refusal.error = &error;
    env.body_case = GM__ENVELOPE__BODY_REFUSE;
    env.refuse = &refusal;
    send_env(d, peer, gm_peer_node(peer), &env);
    bool usual = why->code == GM_E_UNREACHABLE; /* its connection was made anew */
    gm_log_err(usual ? GM_LOG_DEBUG : GM_LOG_WARN, "message_refused", why, "node=%s",
               name_of(peer));
}

/* Nodes' comings and goings; all else is too much. */
static void log_message(const char *node_id, const Gm__Envelope *env)
{
    char quoted[200];
    if (env->body_case == GM__ENVELOPE__BODY_HELLO) {
        gm_log(GM_LOG_INFO, "node_hello", "node=%s build=%s", node_id,
               gm_log_quote(env->hello->build, quoted, sizeof quoted));
    } else if (env->body_case == GM__ENVELOPE__BODY_GOODBYE) {
        gm_log(GM_LOG_INFO, "node_goodbye", "node=%s reason=%s", node_id,
               gm_log_quote(env->goodbye->reason, quoted, sizeof quoted));
    }
}

static void on_message(struct gm_daemon *d, struct gm_peer *peer, const void *data, size_t size)
{
    Gm__Envelope *env = NULL;
    const char *node_id = NULL;
    struct gm_err err = {0};
    int rc = gm_envelope_decode(data, size, &env, &err);
    switch (gm_peers_judge(d->peers, peer, rc == 0 ? env : NULL, gm_time_now(), &node_id, &err)) {
    case GM_PEER_TAKE: {
        struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node_id, .envelope = env};
        log_message(node_id, env);
        GM_CRASH("wire.received");
        gm_daemon_tell(d, &event);
        gm_peers_settle(d->peers);
        break;
    }
    case GM_PEER_REFUSE:
        refuse(d, peer, &err);
        break;
    case GM_PEER_CUT:
        gm_guard_cut(d->guard, gm_peer_fd(peer), err.text);
        break;
    case GM_PEER_IGNORE:
        break;
    }
    gm__envelope__free_unpacked(env, NULL);
}

static void on_parts(struct gm_daemon *d, zmq_msg_t *id, zmq_msg_t *body)
{
    struct gm_peer *peer = NULL;
    const struct gm_heard heard = {.id = {.data = zmq_msg_data(id), .size = zmq_msg_size(id)},
                                   .fd = zmq_msg_get(body, ZMQ_SRCFD),
                                   .key = d->zap != NULL ? zmq_msg_gets(body, GM_ZAP_KEY) : NULL,
                                   .size = zmq_msg_size(body),
                                   .now = gm_time_now(),
                                   .unix_ms = gm_time_unix_ms()};
    peer = heard.id.size > 0 ? gm_peers_find(d->peers, heard.id) : NULL;
    if (peer == NULL || gm_peer_fd(peer) != heard.fd) {
        gm_guard_read(d->guard, heard.now); /* that its connection came was told before */
    }
    switch (gm_peers_heard(d->peers, &heard, &peer)) {
    case GM_PEER_TAKE:
        on_message(d, peer, zmq_msg_data(body), heard.size);
        break;
    case GM_PEER_CUT:
        gm_guard_cut(d->guard, heard.fd, "its key or name is not taken");
        break;
    default:
        break;
    }
}

/* One whole message; its parts past the second are dropped. Returns false when there is none. */
static bool receive(struct gm_daemon *d)
{
    zmq_msg_t parts[2];
    size_t count = 0;
    bool got = false;
    for (bool more = true; more;) {
        zmq_msg_t extra;
        zmq_msg_t *part = count < 2 ? &parts[count] : &extra;
        (void)zmq_msg_init(part);
        if (zmq_msg_recv(part, d->router, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(part);
            break;
        }
        more = zmq_msg_more(part) != 0;
        got = !more;
        if (count >= 2) {
            (void)zmq_msg_close(part);
        }
        count++;
    }
    if (got && count == 2) {
        on_parts(d, &parts[0], &parts[1]);
    }
    for (size_t i = 0; i < count && i < 2; i++) {
        (void)zmq_msg_close(&parts[i]);
    }
    return got;
}

static bool is_deaf(const struct gm_daemon *d)
{
    return gm_commit_backlog(d->commit) > BACKLOG_MAX_BYTES;
}

void gm_wire_readable(void *zsock, int budget, void *arg)
{
    struct gm_daemon *d = arg;
    (void)zsock;
    for (; budget > 0; budget--) {
        if (is_deaf(d) || !receive(d)) {
            return;
        }
    }
}

void gm_wire_tick(struct gm_daemon *d)
{
    gm_guard_tick(d->guard, is_deaf(d), gm_time_now(), gm_time_unix_ms());
    report(d);
}
