/* The ROUTER socket: nodes' messages in, the core's out. What comes in is decoded and checked here;
 * the core sees nothing that proto/envelope.h has not taken.
 *
 * A peer's identity is its node id. A send that reaches nobody is remembered and told to the core
 * at the next tick, never from inside a step; so is an assignment that does not fit into a
 * message, which would otherwise look like a lost node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/buf.h"
#include "common/crash.h"
#include "common/log.h"
#include "proto/envelope.h"
#include "scheduler/daemon_parts.h"

#define HEARTBEAT_IVL_MS 2000
#define HEARTBEAT_TIMEOUT_MS 10000
#define HIGH_WATER 2000 /* messages a peer */
#define LINGER_MS 500
#define BACKLOG_MAX_BYTES ((size_t)64 << 20) /* rows that wait for the disk: then nodes wait */
#define ENDPOINT_BYTES 512

static int set_option(void *socket, int option, int value, struct gm_err *err)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0
               ? 0
               : gm_err_zmq(err, zmq_errno(), "could not set up the node socket");
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

void gm_wire_report(struct gm_daemon *d)
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

void gm_wire_send(struct gm_daemon *d, const char *node_id, Gm__Envelope *envelope)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    if (envelope == NULL || d->router == NULL) {
        return;
    }
    if (gm_envelope_encode(envelope, &bytes, &size, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "send_failed", &err, "node=%s", node_id);
        gm_wire_note_failed(d, node_id, envelope, &err);
        return;
    }
    if (zmq_send(d->router, node_id, strlen(node_id), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(d->router, bytes, size, ZMQ_DONTWAIT) < 0) {
        int code = zmq_errno();
        if (code == EHOSTUNREACH || code == EAGAIN) {
            (void)note(d, node_id);
        }
        GM_IGNORE(gm_err_zmq(&err, code, "a message did not leave"), "logged below");
        gm_log_err(GM_LOG_WARN, "send_failed", &err, "node=%s", node_id);
    }
    free(bytes);
}

static void refuse(struct gm_daemon *d, const char *node_id, const struct gm_err *why)
{
    Gm__Error error = GM__ERROR__INIT;
    Gm__Refuse refusal = GM__REFUSE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    gm_err_to_msg(why, &error);
    refusal.error = &error;
    env.body_case = GM__ENVELOPE__BODY_REFUSE;
    env.refuse = &refusal;
    gm_wire_send(d, node_id, &env);
    gm_log_err(GM_LOG_WARN, "message_refused", why, "node=%s", node_id);
}

static bool is_from_node(const Gm__Envelope *env)
{
    return env->body_case >= GM__ENVELOPE__BODY_HELLO &&
           env->body_case <= GM__ENVELOPE__BODY_GOODBYE;
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

static void on_message(struct gm_daemon *d, const char *node_id, const void *data, size_t size)
{
    Gm__Envelope *env = NULL;
    struct gm_err err = {0};
    if (gm_envelope_decode(data, size, &env, &err) < 0) {
        refuse(d, node_id, &err);
        return;
    }
    if (!is_from_node(env)) {
        GM_IGNORE(gm_err_set(&err, GM_E_PROTO, env->body_case, "that message is the scheduler's"),
                  "told to the node");
        refuse(d, node_id, &err);
    } else if (env->body_case == GM__ENVELOPE__BODY_HELLO &&
               strcmp(env->hello->node_id, node_id) != 0) {
        GM_IGNORE(gm_err_set(&err, GM_E_PROTO, 0, "the hello's node_id is not the socket's"),
                  "told to the node");
        refuse(d, node_id, &err);
    } else {
        struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node_id, .envelope = env};
        log_message(node_id, env);
        GM_CRASH("wire.received");
        gm_daemon_tell(d, &event);
    }
    gm__envelope__free_unpacked(env, NULL);
}

/* One whole message; its parts past the second are dropped. Returns false when there is none. */
static bool receive(struct gm_daemon *d)
{
    zmq_msg_t parts[2];
    size_t count = 0;
    bool got = false;
    for (;;) {
        zmq_msg_t extra;
        zmq_msg_t *part = count < 2 ? &parts[count] : &extra;
        (void)zmq_msg_init(part);
        if (zmq_msg_recv(part, d->router, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(part);
            break;
        }
        bool more = zmq_msg_more(part) != 0;
        if (count >= 2) {
            (void)zmq_msg_close(part);
        }
        count++;
        if (!more) {
            got = true;
            break;
        }
    }
    if (got && count == 2) {
        char id[65] = "";
        size_t n = zmq_msg_size(&parts[0]);
        if (n > 0 && n < sizeof id) {
            memcpy(id, zmq_msg_data(&parts[0]), n);
        }
        if (strlen(id) == n && gm_is_node_id(id)) {
            on_message(d, id, zmq_msg_data(&parts[1]), zmq_msg_size(&parts[1]));
        }
    }
    for (size_t i = 0; i < count && i < 2; i++) {
        (void)zmq_msg_close(&parts[i]);
    }
    return got;
}

static void on_readable(void *zsock, int budget, void *arg)
{
    struct gm_daemon *d = arg;
    (void)zsock;
    for (; budget > 0; budget--) {
        if (gm_commit_backlog(d->commit) > BACKLOG_MAX_BYTES || !receive(d)) {
            return;
        }
    }
}

static int bind_all(struct gm_daemon *d, struct gm_err *err)
{
    struct gm_buf all = {0};
    for (char *const *e = d->settings->listen; *e != NULL; e++) {
        char bound[ENDPOINT_BYTES];
        size_t size = sizeof bound;
        if (zmq_bind(d->router, *e) != 0 ||
            zmq_getsockopt(d->router, ZMQ_LAST_ENDPOINT, bound, &size) != 0) {
            gm_buf_fini(&all);
            return gm_err_zmq(err, zmq_errno(), "could not listen on %s", *e);
        }
        gm_buf_printf(&all, "%s%s", all.size != 0 ? "," : "", bound);
    }
    int rc = gm_buf_check(&all, err);
    if (rc < 0) {
        gm_buf_fini(&all);
        return rc;
    }
    d->listen = (char *)all.data;
    return 0;
}

int gm_wire_open(struct gm_daemon *d, struct gm_err *err)
{
    static const struct {
        int option;
        int value;
    } options[] = {{ZMQ_LINGER, LINGER_MS},
                   {ZMQ_ROUTER_HANDOVER, 1},
                   {ZMQ_ROUTER_MANDATORY, 1},
                   {ZMQ_HEARTBEAT_IVL, HEARTBEAT_IVL_MS},
                   {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
                   {ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS},
                   {ZMQ_SNDHWM, HIGH_WATER},
                   {ZMQ_RCVHWM, HIGH_WATER}};
    int64_t max = GM_ENVELOPE_MAX_BYTES;
    d->zctx = zmq_ctx_new();
    d->router = d->zctx != NULL ? zmq_socket(d->zctx, ZMQ_ROUTER) : NULL;
    if (d->router == NULL) {
        return gm_err_zmq(err, zmq_errno(), "could not make the node socket");
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof options / sizeof options[0]; i++) {
        rc = set_option(d->router, options[i].option, options[i].value, err);
    }
    if (rc == 0 && zmq_setsockopt(d->router, ZMQ_MAXMSGSIZE, &max, sizeof max) != 0) {
        rc = gm_err_zmq(err, zmq_errno(), "could not set up the node socket");
    }
    if (rc == 0) {
        rc = bind_all(d, err);
    }
    return rc < 0 ? rc : gm_zwatch_start(&d->loop, d->router, on_readable, d, &d->watch, err);
}

void gm_wire_deafen(struct gm_daemon *d)
{
    gm_zwatch_stop(&d->watch);
}

void gm_wire_close(struct gm_daemon *d)
{
    gm_wire_deafen(d);
    if (d->router != NULL) {
        (void)zmq_close(d->router);
        d->router = NULL;
    }
    if (d->zctx != NULL) {
        (void)zmq_ctx_term(d->zctx);
        d->zctx = NULL;
    }
    while (d->unsent != NULL) {
        struct gm_unsent *next = d->unsent->next;
        free(d->unsent);
        d->unsent = next;
    }
    free(d->listen);
    d->listen = NULL;
}
