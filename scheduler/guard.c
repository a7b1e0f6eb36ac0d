#include "scheduler/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/rate.h"
#include "scheduler/bound.h"
#include "scheduler/core/mem.h"
#include "scheduler/peers.h"
#include "scheduler/tcp_bytes.h"

#define MONITOR "inproc://node-connections"
#define EVENT_BYTES 6 /* u16 event, u32 value: zmq_socket_monitor(3) */
/* What a connection may bring before its Hello is taken: that, and what was not said yet when the
 * connection before broke. */
#define UNPROVED_BYTES ((uint64_t)4 << 20)
/* What it may bring while nothing is read: two of the largest envelopes. */
#define DEAF_BYTES ((uint64_t)64 << 20)
#define LOGS 5 /* lines a second, and at once */
#define LOGS_BURST 20

/* What a connection had brought when reading stopped. */
struct baseline {
    int fd;
    uint64_t bytes;
    UT_hash_handle hh;
};

struct gm_guard {
    void *monitor; /* owned */
    struct gm_zwatch *watch;
    void *router; /* borrowed */
    struct gm_peers *peers;
    struct gm_bound bound;
    struct baseline *baselines; /* owned; empty unless deaf */
    struct gm_rate logs;
    uint64_t unlogged;
    bool deaf;
    gm_time now;
};

static void forget_baselines(struct gm_guard *g)
{
    struct baseline *b = g->baselines, *next = NULL;
    HASH_CLEAR(hh, g->baselines); /* the table, not what is in it */
    for (; b != NULL; b = next) {
        next = b->hh.next;
        free(b);
    }
}

void gm_guard_close(struct gm_guard **guard)
{
    struct gm_guard *g = *guard;
    if (g == NULL) {
        return;
    }
    gm_zwatch_stop(&g->watch);
    (void)zmq_socket_monitor(g->router, NULL, 0);
    if (g->monitor != NULL) {
        int none = 0;
        (void)zmq_setsockopt(g->monitor, ZMQ_LINGER, &none, sizeof none);
        (void)zmq_close(g->monitor);
    }
    gm_bound_fini(&g->bound);
    forget_baselines(g);
    free(g);
    *guard = NULL;
}

int gm_guard_bound(struct gm_guard *g, const char *endpoint, struct gm_err *err)
{
    return gm_bound_add(&g->bound, endpoint, err);
}

/* Whoever connects again and again fills no disk with it. */
static void log_cut(struct gm_guard *g, int fd, const char *why)
{
    char quoted[128];
    if (!gm_rate_take(&g->logs, 1, LOGS, LOGS_BURST, g->now)) {
        g->unlogged++;
        return;
    }
    gm_log(GM_LOG_WARN, "connection_cut", "fd=%d reason=%s unlogged=%llu", fd,
           gm_log_quote(why, quoted, sizeof quoted), (unsigned long long)g->unlogged);
    g->unlogged = 0;
}

void gm_guard_cut(struct gm_guard *g, int fd, const char *why)
{
    if (gm_bound_cut(&g->bound, fd)) {
        log_cut(g, fd, why);
    }
}

static void on_cut(int fd, const char *why, void *arg)
{
    gm_guard_cut(arg, fd, why);
}

static int read_part(struct gm_guard *g, void *out, size_t size)
{
    int rc;
    do { /* only EAGAIN says that nothing is left (gm_zwatch_spare) */
        rc = zmq_recv(g->monitor, out, size, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* False: there is none. */
static bool read_event(struct gm_guard *g, gm_time now)
{
    uint8_t bytes[EVENT_BYTES + 1];
    char endpoint[8]; /* cut off, and not wanted */
    uint16_t event = 0;
    uint32_t value = 0;
    int size = read_part(g, bytes, sizeof bytes);
    if (size < 0 || read_part(g, endpoint, sizeof endpoint) < 0) {
        return false;
    }
    if (size != EVENT_BYTES) {
        return true;
    }
    memcpy(&event, bytes, sizeof event);
    memcpy(&value, bytes + sizeof event, sizeof value);
    if (event == ZMQ_EVENT_ACCEPTED) {
        int oldest = gm_peers_opened(g->peers, (int)value, now);
        if (oldest >= 0) {
            gm_guard_cut(g, oldest, "too many connections have not said hello");
        }
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
        gm_peers_closed(g->peers, (int)value, now);
    }
    return true;
}

void gm_guard_read(struct gm_guard *g, gm_time now)
{
    g->now = now;
    while (read_event(g, now)) {
    }
}

static void on_events(void *zsock, int budget, void *arg)
{
    struct gm_guard *g = arg;
    (void)zsock;
    g->now = gm_time_now();
    bool more = true;
    for (; budget > 0 && more; budget--) {
        more = read_event(g, g->now);
    }
    if (more) {
        gm_zwatch_touch(g->watch);
    }
}

/* No bound on what waits to be read: libzmq's I/O thread would wait for room with a lock that
 * closing needs. */
static int watch(struct gm_guard *g, void *zctx, uv_loop_t *loop, struct gm_err *err)
{
    const int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED, unbounded = 0;
    if (zmq_socket_monitor(g->router, MONITOR, events) != 0 ||
        (g->monitor = zmq_socket(zctx, ZMQ_PAIR)) == NULL ||
        zmq_setsockopt(g->monitor, ZMQ_RCVHWM, &unbounded, sizeof unbounded) != 0 ||
        zmq_connect(g->monitor, MONITOR) != 0) {
        return gm_err_zmq(err, zmq_errno(), "could not watch the node socket's connections");
    }
    int rc = gm_zwatch_start(loop, g->monitor, on_events, g, &g->watch, err);
    if (rc == 0) {
        gm_zwatch_spare(g->watch); /* nothing is sent */
    }
    return rc;
}

int gm_guard_open(void *zctx, uv_loop_t *loop, void *router, struct gm_peers *peers,
                  struct gm_guard **out, struct gm_err *err)
{
    struct gm_guard *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return gm_err_nomem(err);
    }
    g->router = router;
    g->peers = peers;
    int rc = watch(g, zctx, loop, err);
    if (rc < 0) {
        gm_guard_close(&g);
        return rc;
    }
    *out = g;
    return 0;
}

static uint64_t on_taken(int fd, void *arg)
{
    const struct gm_guard *g = arg;
    return gm_bound_has(&g->bound, fd) ? gm_tcp_bytes_get(fd).acknowledged : 0;
}

static uint64_t on_brought(int fd, void *arg)
{
    const struct gm_guard *g = arg;
    return gm_bound_has(&g->bound, fd) ? gm_tcp_bytes_get(fd).received : 0;
}

static void look(int fd, bool proved, void *arg)
{
    struct gm_guard *g = arg;
    uint64_t bytes = on_brought(fd, g);
    if (!proved && bytes > UNPROVED_BYTES) {
        gm_guard_cut(g, fd, "it said too much before its hello");
    }
    if (!g->deaf) {
        return;
    }
    struct baseline *b = NULL;
    HASH_FIND_INT(g->baselines, &fd, b);
    if (b == NULL) {
        b = gm_mem_zalloc(sizeof *b);
        b->fd = fd;
        b->bytes = bytes;
        HASH_ADD_INT(g->baselines, fd, b);
    } else if (bytes < b->bytes) { /* another connection */
        b->bytes = bytes;
    } else if (bytes - b->bytes > DEAF_BYTES) {
        gm_guard_cut(g, fd, "it said too much while the disk was waited for");
    }
}

void gm_guard_tick(struct gm_guard *g, bool deaf, gm_time now, int64_t unix_ms)
{
    const struct gm_peers_hands hands = {
        .cut = on_cut, .taken = on_taken, .brought = on_brought, .arg = g};
    gm_guard_read(g, now);
    g->deaf = deaf;
    if (!deaf) {
        forget_baselines(g);
    }
    gm_peers_sweep(g->peers, deaf, now, unix_ms, &hands);
    if (deaf || gm_peers_unproved(g->peers) > 0) {
        gm_peers_each(g->peers, !deaf, look, g);
    }
}
