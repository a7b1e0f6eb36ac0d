/* Two threads touch a body: the loop's, which makes it, and libzmq's, which gives it back when the
 * last subscriber has it. Its bytes are counted in `unsent`, with one for the publisher itself: who
 * takes the last one away frees the counter. So bodies may outlive the publisher.
 *
 * ZMQ_XPUB_VERBOSE: without it of two that subscribe to the same only the first is told of, and the
 * second one's subscriptions would be counted by nobody. All that is told is read at once, for
 * libzmq keeps it without a bound.
 */
#include "scheduler/hooks/pub.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rate.h"
#include "scheduler/bound.h"
#include "scheduler/core/mem.h"
#include "scheduler/hooks/readers.h"
#include "scheduler/zap.h"

#define MONITOR "inproc://event-connections"
#define EVENT_BYTES 6 /* u16 event, u32 value: zmq_socket_monitor(3) */
#define ENDPOINT_BYTES 512
#define RECEIVE_HIGH_WATER 64
#define LINGER_MS 500
#define HANDSHAKE_MS 5000
#define BACKLOG 128
#define KEEPALIVE_IDLE_S 5 /* as the nodes' socket: wire_socket.c */
#define KEEPALIVE_IVL_S 2
#define KEEPALIVE_CNT 3
#define UNACKNOWLEDGED_MS 10000
#define LOGS 1 /* lines a second of a kind, and at once */
#define LOGS_BURST 10

struct body {
    struct body *next; /* waits for the disk */
    atomic_size_t *unsent;
    int64_t seq;
    const char *topic;
    size_t size;
    uint8_t data[];
};

struct gm_pub {
    void *socket, *monitor; /* owned */
    struct gm_zwatch *watch, *monitor_watch;
    struct gm_bound bound;
    struct gm_readers readers;
    const struct gm_allow *allow;    /* borrowed; NULL: no keys are asked for */
    struct body *fresh, *fresh_last; /* owned list */
    atomic_size_t *unsent;           /* shared */
    char *listen;                    /* owned */
    struct gm_rate cut_logs, drop_logs;
    uint64_t unlogged, dropped;
};

/* ---- bodies */

static void give_back(atomic_size_t *unsent, size_t size)
{
    if (atomic_fetch_sub(unsent, size) == size) {
        free(unsent);
    }
}

/* Thread: any. */
static void on_sent(void *data, void *hint)
{
    struct body *body = hint;
    (void)data;
    give_back(body->unsent, body->size);
    free(body);
}

bool gm_pub_wants(const struct gm_pub *p)
{
    return p != NULL && gm_readers_any(&p->readers);
}

size_t gm_pub_unsent(const struct gm_pub *p)
{
    return atomic_load(p->unsent) - 1;
}

void gm_pub_add(struct gm_pub *p, int64_t seq, const char *topic, const void *data, size_t size)
{
    if (!gm_pub_wants(p)) {
        return;
    }
    if (gm_pub_unsent(p) + size > GM_PUB_UNSENT_BYTES) {
        p->dropped++;
        if (gm_rate_take(&p->drop_logs, 1, LOGS, 1, gm_time_now())) {
            gm_log(GM_LOG_WARN, "events_dropped", "count=%llu why=\"subscribers are too slow\"",
                   (unsigned long long)p->dropped);
            p->dropped = 0;
        }
        return;
    }
    struct body *body = gm_mem_zalloc(sizeof *body + size);
    body->unsent = p->unsent;
    body->seq = seq;
    body->topic = topic;
    body->size = size;
    memcpy(body->data, data, size);
    atomic_fetch_add(p->unsent, size);
    if (p->fresh_last != NULL) {
        p->fresh_last->next = body;
    } else {
        p->fresh = body;
    }
    p->fresh_last = body;
}

/* No part waits: whose queue is full gets neither. */
static void publish(struct gm_pub *p, struct body *body)
{
    zmq_msg_t msg;
    if (zmq_send(p->socket, body->topic, strlen(body->topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        gm_log(GM_LOG_DEBUG, "event_not_sent", "errno=%d", zmq_errno());
        on_sent(body->data, body);
        return;
    }
    if (zmq_msg_init_data(&msg, body->data, body->size, on_sent, body) != 0) {
        gm_mem_exhausted();
    }
    if (zmq_msg_send(&msg, p->socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(&msg); /* the next topic would be its second part */
        (void)zmq_send(p->socket, "", 0, ZMQ_DONTWAIT);
    }
}

void gm_pub_stored(struct gm_pub *p, int64_t seq)
{
    while (p != NULL && p->fresh != NULL && p->fresh->seq <= seq) {
        struct body *body = p->fresh;
        p->fresh = body->next;
        p->fresh_last = p->fresh != NULL ? p->fresh_last : NULL;
        publish(p, body);
        gm_zwatch_touch(p->watch);
    }
}

/* ---- connections */

static void on_cut(int fd, const char *why, void *arg)
{
    struct gm_pub *p = arg;
    char quoted[128];
    if (!gm_bound_cut(&p->bound, fd)) {
        return;
    }
    if (!gm_rate_take(&p->cut_logs, 1, LOGS, LOGS_BURST, gm_time_now())) {
        p->unlogged++;
        return;
    }
    gm_log(GM_LOG_WARN, "subscriber_cut", "fd=%d reason=%s unlogged=%llu", fd,
           gm_log_quote(why, quoted, sizeof quoted), (unsigned long long)p->unlogged);
    p->unlogged = 0;
}

static int receive(void *socket, void *out, size_t size)
{
    int rc;
    do { /* only EAGAIN says that nothing is left (gm_zwatch_spare) */
        rc = zmq_recv(socket, out, size, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* All of them: before what a connection says is judged. */
static void read_connections(struct gm_pub *p)
{
    uint8_t bytes[EVENT_BYTES + 1];
    char endpoint[8]; /* cut off, and not wanted */
    int size = 0;
    while ((size = receive(p->monitor, bytes, sizeof bytes)) >= 0 &&
           receive(p->monitor, endpoint, sizeof endpoint) >= 0) {
        uint16_t event = 0;
        uint32_t value = 0;
        if (size != EVENT_BYTES) {
            continue;
        }
        memcpy(&event, bytes, sizeof event);
        memcpy(&value, bytes + sizeof event, sizeof value);
        if (event == ZMQ_EVENT_DISCONNECTED) {
            gm_readers_closed(&p->readers, (int)value);
        } else if (event == ZMQ_EVENT_ACCEPTED) {
            int cut = gm_readers_opened(&p->readers, (int)value, gm_time_now());
            if (cut >= 0) {
                on_cut(cut, "too many subscribers are connected", p);
            }
        }
    }
}

static void on_connections(void *zsock, int budget, void *arg)
{
    (void)zsock;
    (void)budget; /* a connection costs more than its note */
    read_connections(arg);
}

static void on_subscriptions(void *zsock, int budget, void *arg)
{
    struct gm_pub *p = arg;
    zmq_msg_t msg;
    (void)zmq_msg_init(&msg);
    read_connections(p);
    for (; budget > 0; budget--) {
        int rc = zmq_msg_recv(&msg, zsock, ZMQ_DONTWAIT);
        if (rc < 0 && zmq_errno() != EINTR) {
            break;
        }
        if (rc >= 0) {
            int fd = zmq_msg_get(&msg, ZMQ_SRCFD);
            const char *why = gm_readers_said(&p->readers, fd, zmq_msg_gets(&msg, GM_ZAP_KEY),
                                              zmq_msg_data(&msg), zmq_msg_size(&msg));
            if (why != NULL) {
                on_cut(fd, why, p);
            }
        }
    }
    (void)zmq_msg_close(&msg);
    if (budget == 0) {
        gm_zwatch_touch(p->watch);
    }
}

void gm_pub_tick(struct gm_pub *p, gm_time now, int64_t unix_ms)
{
    if (p != NULL) {
        read_connections(p);
        gm_readers_sweep(&p->readers, p->allow, now, unix_ms, on_cut, p);
    }
}

/* ---- life */

static int set_options(void *socket, struct gm_err *err)
{
    static const struct {
        int option;
        int value;
    } options[] = {{ZMQ_LINGER, LINGER_MS},
                   {ZMQ_XPUB_VERBOSE, 1},
                   {ZMQ_BACKLOG, BACKLOG},
                   {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
                   {ZMQ_TCP_KEEPALIVE, 1},
                   {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S},
                   {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_IVL_S},
                   {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_CNT},
                   {ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS},
                   {ZMQ_SNDHWM, GM_PUB_WAITING},
                   {ZMQ_RCVHWM, RECEIVE_HIGH_WATER}};
    int64_t max = GM_PUB_SAID_BYTES;
    bool bad = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) != 0;
    for (size_t i = 0; !bad && i < sizeof options / sizeof options[0]; i++) {
        bad = zmq_setsockopt(socket, options[i].option, &options[i].value,
                             sizeof options[i].value) != 0;
    }
    return bad ? gm_err_zmq(err, zmq_errno(), "could not set up the events' socket") : 0;
}

static int set_key(void *socket, const struct gm_curve_file *key, struct gm_err *err)
{
    const int one = 1;
    return key == NULL || (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
                           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret_key,
                                          GM_CURVE_TEXT) == 0 &&
                           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, GM_ZAP_EVENTS,
                                          strlen(GM_ZAP_EVENTS)) == 0)
               ? 0
               : gm_err_zmq(err, zmq_errno(), "could not set up the keys of the events' socket");
}

/* No bound on what waits to be read: guard.c says why. */
static int watch_connections(struct gm_pub *p, const struct gm_pub_params *params,
                             struct gm_err *err)
{
    const int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED, unbounded = 0;
    if (zmq_socket_monitor(p->socket, MONITOR, events) != 0 ||
        (p->monitor = zmq_socket(params->zctx, ZMQ_PAIR)) == NULL ||
        zmq_setsockopt(p->monitor, ZMQ_RCVHWM, &unbounded, sizeof unbounded) != 0 ||
        zmq_connect(p->monitor, MONITOR) != 0) {
        return gm_err_zmq(err, zmq_errno(), "could not watch the events' connections");
    }
    int rc = gm_zwatch_start(params->loop, p->monitor, on_connections, p, &p->monitor_watch, err);
    if (rc == 0) {
        gm_zwatch_spare(p->monitor_watch);
    }
    return rc;
}

static int bind_all(struct gm_pub *p, char *const *listen, struct gm_err *err)
{
    struct gm_buf all = {0};
    int rc = 0;
    for (char *const *e = listen; rc == 0 && *e != NULL; e++) {
        char bound[ENDPOINT_BYTES];
        size_t size = sizeof bound;
        if (zmq_bind(p->socket, *e) != 0 ||
            zmq_getsockopt(p->socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0) {
            rc = gm_err_zmq(err, zmq_errno(), "could not publish events on %s", *e);
        } else {
            gm_buf_printf(&all, "%s%s", all.size != 0 ? "," : "", bound);
            rc = gm_bound_add(&p->bound, bound, err);
        }
    }
    rc = rc < 0 ? rc : gm_buf_check(&all, err);
    if (rc < 0) {
        gm_buf_fini(&all);
        return rc;
    }
    p->listen = (char *)all.data;
    return 0;
}

static int set_up(struct gm_pub *p, const struct gm_pub_params *params, struct gm_err *err)
{
    if (p->socket == NULL) {
        return gm_err_zmq(err, zmq_errno(), "could not make the events' socket");
    }
    int rc = set_options(p->socket, err);
    rc = rc < 0 ? rc : set_key(p->socket, params->key, err);
    rc = rc < 0 ? rc : watch_connections(p, params, err);
    rc = rc < 0 ? rc : bind_all(p, params->listen, err);
    rc =
        rc < 0 ? rc : gm_zwatch_start(params->loop, p->socket, on_subscriptions, p, &p->watch, err);
    if (rc == 0) {
        gm_zwatch_spare(p->watch);
    }
    return rc;
}

int gm_pub_open(const struct gm_pub_params *params, struct gm_pub **out, struct gm_err *err)
{
    struct gm_pub *p = calloc(1, sizeof *p);
    if (p == NULL || (p->unsent = malloc(sizeof *p->unsent)) == NULL) {
        free(p);
        return gm_err_nomem(err);
    }
    atomic_init(p->unsent, 1);
    p->allow = params->key != NULL ? params->allow : NULL;
    p->socket = zmq_socket(params->zctx, ZMQ_XPUB);
    int rc = set_up(p, params, err);
    if (rc < 0) {
        gm_pub_close(&p);
        return rc;
    }
    *out = p;
    return 0;
}

void gm_pub_close(struct gm_pub **pub)
{
    struct gm_pub *p = *pub;
    int none = 0;
    if (p == NULL) {
        return;
    }
    gm_zwatch_stop(&p->watch);
    gm_zwatch_stop(&p->monitor_watch);
    if (p->socket != NULL) {
        (void)zmq_socket_monitor(p->socket, NULL, 0);
        (void)zmq_close(p->socket);
    }
    if (p->monitor != NULL) {
        (void)zmq_setsockopt(p->monitor, ZMQ_LINGER, &none, sizeof none);
        (void)zmq_close(p->monitor);
    }
    while (p->fresh != NULL) { /* never stored: they did not happen */
        struct body *body = p->fresh;
        p->fresh = body->next;
        on_sent(body->data, body);
    }
    give_back(p->unsent, 1);
    gm_bound_fini(&p->bound);
    free(p->listen);
    free(p);
    *pub = NULL;
}

const char *gm_pub_listen(const struct gm_pub *p)
{
    return p->listen;
}
