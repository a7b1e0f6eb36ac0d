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
#include "proto/arena.h"
#include "proto/batch.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/guard.h"
#include "scheduler/letters.h"
#include "scheduler/peers.h"
#include "scheduler/zap.h"

#define BACKLOG_MAX_BYTES                                                                          \
    (2 * GM_DAEMON_FULL_BYTES) /* rows that wait for the disk: then nodes wait */

#define LOGS 50 /* lines a second, and at once: a farm's start has one or two a node */
#define LOGS_BURST 2000

/* Whoever comes and goes, or is told what he does not read, fills no disk with it. */
static bool may_log(struct gm_daemon *d)
{
    bool may = gm_rate_take(&d->logs, 1, LOGS, LOGS_BURST, gm_time_now());
    d->unlogged += may ? 0 : 1;
    return may;
}

/* Lines that were left out since one told it. */
static unsigned long long take_unlogged(struct gm_daemon *d)
{
    unsigned long long n = d->unlogged;
    d->unlogged = 0;
    return n;
}

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

void gm_wire_lost(const char *node_id, int code, void *arg)
{
    struct gm_daemon *d = arg;
    struct gm_err err = {0};
    if (code == EHOSTUNREACH || code == EAGAIN) {
        (void)note(d, node_id);
    }
    GM_IGNORE(gm_err_zmq(&err, code, "a message did not leave"), "logged below");
    if (may_log(d)) {
        gm_log_err(GM_LOG_WARN, "send_failed", &err, "node=%s unlogged=%llu", node_id,
                   take_unlogged(d));
    }
}

static void send_env(struct gm_daemon *d, struct gm_peer *peer, const char *node_id,
                     Gm__Envelope *envelope)
{
    struct gm_err err = {0};
    if (peer == NULL) {
        gm_wire_lost(node_id, EHOSTUNREACH, d);
        return;
    }
    if (envelope->body_case == GM__ENVELOPE__BODY_WELCOME) {
        envelope->welcome->batches = true;
    }
    if (gm_letters_put(d->letters, peer, node_id, envelope, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "send_failed", &err, "node=%s", node_id);
        gm_wire_note_failed(d, node_id, envelope, &err);
    } else if (d->watch == NULL) { /* no turn of the loop flushes them any more */
        gm_letters_flush(d->letters);
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
static void refuse(struct gm_daemon *d, struct gm_peer *peer, const struct gm_err *why)
{
    Gm__Error error = GM__ERROR__INIT;
    Gm__Refuse refusal = GM__REFUSE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    gm_err_to_msg(why, &error);
    refusal.error = &error;
    env.body_case = GM__ENVELOPE__BODY_REFUSE;
    env.refuse = &refusal;
    send_env(d, peer, gm_peer_node(peer), &env);
    if (why->code == GM_E_UNREACHABLE) { /* usual: its connection was made anew */
        gm_log_err(GM_LOG_DEBUG, "message_refused", why, "node=%s", name_of(peer));
    } else if (may_log(d)) {
        gm_log_err(GM_LOG_WARN, "message_refused", why, "node=%s unlogged=%llu", name_of(peer),
                   take_unlogged(d));
    }
}

/* Nodes' comings and goings; all else is too much. */
static void log_message(struct gm_daemon *d, const char *node_id, const Gm__Envelope *env)
{
    char quoted[200];
    if ((env->body_case != GM__ENVELOPE__BODY_HELLO &&
         env->body_case != GM__ENVELOPE__BODY_GOODBYE) ||
        !may_log(d)) {
        return;
    }
    if (env->body_case == GM__ENVELOPE__BODY_HELLO) {
        gm_log(GM_LOG_INFO, "node_hello", "node=%s build=%s unlogged=%llu", node_id,
               gm_log_quote(env->hello->build, quoted, sizeof quoted), take_unlogged(d));
    } else {
        gm_log(GM_LOG_INFO, "node_goodbye", "node=%s reason=%s unlogged=%llu", node_id,
               gm_log_quote(env->goodbye->reason, quoted, sizeof quoted), take_unlogged(d));
    }
}

/* False: nothing more is taken from it. */
static bool on_envelope(struct gm_daemon *d, struct gm_peer *peer, const void *data, size_t size)
{
    Gm__Envelope *env = NULL;
    const char *node_id = NULL;
    struct gm_err err = {0};
    int rc = gm_arena_envelope(d->arena, data, size, &env, &err);
    switch (gm_peers_judge(d->peers, peer, rc == 0 ? env : NULL, gm_time_now(), &node_id, &err)) {
    case GM_PEER_TAKE: {
        struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node_id, .envelope = env};
        log_message(d, node_id, env);
        GM_CRASH("wire.received");
        if (env->body_case == GM__ENVELOPE__BODY_PARTS_ASK) {
            gm_upload_desk_ask(d, node_id, env->parts_ask); /* it changes no row */
        } else {
            gm_daemon_tell(d, &event);
        }
        gm_peers_settle(d->peers);
        return true;
    }
    case GM_PEER_REFUSE:
        refuse(d, peer, &err);
        return true;
    case GM_PEER_CUT:
        gm_guard_cut(d->guard, gm_peer_fd(peer), err.text);
        return false;
    case GM_PEER_IGNORE:
        return true;
    }
    return false;
}

/* What it said is no message of ours. */
static void on_garbage(struct gm_daemon *d, struct gm_peer *peer, struct gm_err *err)
{
    enum gm_peer_verdict v = gm_peers_judge(d->peers, peer, NULL, gm_time_now(), NULL, err);
    if (v == GM_PEER_REFUSE) {
        refuse(d, peer, err);
    } else if (v == GM_PEER_CUT) {
        gm_guard_cut(d->guard, gm_peer_fd(peer), err->text);
    }
}

/* Returns how many envelopes were in it. */
static int on_message(struct gm_daemon *d, struct gm_peer *peer, const void *data, size_t size)
{
    struct gm_batch_reader reader;
    struct gm_err err = {0};
    const void *entry = NULL;
    size_t entry_size = 0;
    if (gm_batch_open(data, size, &reader, &err) < 0) {
        on_garbage(d, peer, &err);
        return 1;
    }
    int count = (int)reader.count;
    if (gm_peers_more(d->peers, peer, reader.count - 1, gm_time_now())) {
        while (gm_batch_next(&reader, &entry, &entry_size) &&
               on_envelope(d, peer, entry, entry_size)) {
        }
    }
    return count;
}

/* One that came whole: the id of its connection, its first part, and how many bytes and parts it
 * had besides the id. */
struct parts {
    zmq_msg_t id, body;
    size_t size, count;
};

static int on_parts(struct gm_daemon *d, struct parts *m)
{
    struct gm_peer *peer = NULL;
    struct gm_err err = {0};
    struct gm_heard heard = {.id = {.data = zmq_msg_data(&m->id), .size = zmq_msg_size(&m->id)},
                             .fd = zmq_msg_get(&m->body, ZMQ_SRCFD),
                             .key = d->zap != NULL ? zmq_msg_gets(&m->body, GM_ZAP_KEY) : NULL,
                             .size = m->size,
                             .now = gm_time_now(),
                             .unix_ms = gm_time_unix_ms()};
    heard.known = heard.id.size > 0 ? gm_peers_find(d->peers, heard.id) : NULL;
    if (heard.known == NULL || gm_peer_fd(heard.known) != heard.fd) {
        gm_guard_read(d->guard, heard.now); /* that its connection came was told before */
    }
    switch (gm_peers_heard(d->peers, &heard, &peer)) {
    case GM_PEER_TAKE:
        if (m->count == 1) {
            return on_message(d, peer, zmq_msg_data(&m->body), m->size);
        }
        (void)gm_err_set(&err, GM_E_PROTO, 0, "a message of %zu parts: it has one", m->count);
        on_garbage(d, peer, &err);
        return 1;
    case GM_PEER_CUT:
        gm_guard_cut(d->guard, heard.fd,
                     peer != NULL ? GM_PEERS_OFF_LIST : "its key or name is not taken");
        return 1;
    default:
        return 1;
    }
}

static int receive_part(struct gm_daemon *d, zmq_msg_t *part)
{
    int rc;
    do { /* only EAGAIN says that nothing is left (gm_zwatch_spare) */
        rc = zmq_msg_recv(part, d->router, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* One whole message; what it has past its first part is counted alone. Returns how many envelopes
 * it brought, 0 when there is none. */
static int receive(struct gm_daemon *d)
{
    struct parts m = {0};
    zmq_msg_t extra;
    zmq_msg_t *const parts[] = {&m.id, &m.body, &extra};
    size_t count = 0;
    bool got = false;
    for (size_t i = 0; i < 3; i++) {
        (void)zmq_msg_init(parts[i]);
    }
    for (bool more = true; more; count++) {
        zmq_msg_t *part = parts[count < 2 ? count : 2];
        if (receive_part(d, part) < 0) {
            break;
        }
        more = zmq_msg_more(part) != 0;
        got = !more;
        m.size += count > 0 ? zmq_msg_size(part) : 0;
    }
    m.count = count > 0 ? count - 1 : 0;
    int envelopes = !got ? 0 : m.count > 0 ? on_parts(d, &m) : 1;
    for (size_t i = 0; i < 3; i++) {
        (void)zmq_msg_close(parts[i]);
    }
    return envelopes;
}

static bool is_deaf(const struct gm_daemon *d)
{
    return gm_commit_backlog(d->commit) > BACKLOG_MAX_BYTES;
}

void gm_wire_readable(void *zsock, int budget, void *arg)
{
    struct gm_daemon *d = arg;
    int got = 1;
    while (budget > 0 && got > 0 && !is_deaf(d)) {
        got = receive(d);
        budget -= got;
    }
    bool more = got > 0 && gm_zsock_has_input(zsock);
    gm_peers_read(d->peers, !more);
    d->waits = more && is_deaf(d);
    if (more && !d->waits) {
        gm_zwatch_touch(d->watch);
    }
}

void gm_wire_flush(void *arg)
{
    struct gm_daemon *d = arg;
    gm_letters_flush(d->letters);
    bool hears = d->waits && !is_deaf(d); /* the commit thread has turned the loop */
    d->waits = d->waits && !hears;
    if (gm_letters_used(d->letters) || hears) {
        gm_zwatch_touch(d->watch); /* a send takes in what the descriptor will not signal again */
    }
}

static bool log_dropped(const char *node_id, uint64_t dropped, void *arg)
{
    struct gm_daemon *d = arg;
    bool may = may_log(d);
    if (may) {
        gm_log(GM_LOG_WARN, "node_over_budget", "node=%s dropped=%llu unlogged=%llu", node_id,
               (unsigned long long)dropped, take_unlogged(d));
    }
    return may;
}

void gm_wire_tick(struct gm_daemon *d)
{
    gm_guard_tick(d->guard, is_deaf(d), gm_time_now(), gm_time_unix_ms());
    gm_peers_each_dropped(d->peers, gm_time_now(), log_dropped, d);
    report(d);
}
