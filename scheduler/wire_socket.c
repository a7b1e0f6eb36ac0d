/* The nodes' ROUTER socket: its options, endpoints and keys. See ADR-0041.
 *
 * No HANDOVER: a second connection of a routing id that is in use gets nothing. Nodes choose none;
 * those of the release before call themselves by their node id.
 */
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/buf.h"
#include "common/id.h"
#include "common/log.h"
#include "proto/arena.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/guard.h"
#include "scheduler/letters.h"
#include "scheduler/peers.h"
#include "scheduler/zap.h"

/* No ZMTP heartbeats: libzmq (4.3.4, poller_base.cpp) finds the timer of each answer by a walk over
 * those of all connections, which with 10,000 of them is more than a core. Renew shows life
 * (peers.h); the kernel asks machines that say nothing, or acknowledge nothing, and gives up after
 * 11 and 10 s. */
#define KEEPALIVE_IDLE_S 5
#define KEEPALIVE_IVL_S 2
#define KEEPALIVE_CNT 3
#define UNACKNOWLEDGED_MS 10000
#define SILENT_BEATS 4 /* heartbeats that a node misses, more than a lease, or SILENT_TIME */
#define SILENT_TIME (30 * GM_SEC)
#define HANDSHAKE_MS 5000
#define BACKLOG 1024 /* connections that the kernel takes for us: all nodes may come at once */
/* Messages a peer; bytes are peers.h's and guard.h's. */
#define SEND_HIGH_WATER 2000
#define RECEIVE_HIGH_WATER 256 /* what TCP holds back is not in our memory */
#define LINGER_MS 500
#define ENDPOINT_BYTES 512

static int set_options(void *router, struct gm_err *err)
{
    static const struct {
        int option;
        int value;
    } options[] = {{ZMQ_LINGER, LINGER_MS},
                   {ZMQ_ROUTER_MANDATORY, 1},
                   {ZMQ_BACKLOG, BACKLOG},
                   {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
                   {ZMQ_TCP_KEEPALIVE, 1},
                   {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S},
                   {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_IVL_S},
                   {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_CNT},
                   {ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS},
                   {ZMQ_SNDHWM, SEND_HIGH_WATER},
                   {ZMQ_RCVHWM, RECEIVE_HIGH_WATER}};
    int64_t max = GM_ENVELOPE_MAX_BYTES;
    bool bad = zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &max, sizeof max) != 0;
    for (size_t i = 0; !bad && i < sizeof options / sizeof options[0]; i++) {
        bad = zmq_setsockopt(router, options[i].option, &options[i].value,
                             sizeof options[i].value) != 0;
    }
    return bad ? gm_err_zmq(err, zmq_errno(), "could not set up the node socket") : 0;
}

static bool asks_for_keys(const struct gm_daemon *d)
{
    return strcmp(d->settings->security, "curve") == 0;
}

static int load_key(const struct gm_daemon *d, struct gm_curve_file *key, struct gm_err *err)
{
    int rc = gm_curve_load(d->settings->key_file, key, err);
    if (rc == 0 && key->role != GM_CURVE_SERVER) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "key_file: the key in %.150s is a %s's",
                        d->settings->key_file, gm_curve_role_name(key->role));
    }
    return rc;
}

/* The scheduler's key into the socket, the list into d->allow. */
static int set_keys(struct gm_daemon *d, struct gm_err *err)
{
    const int one = 1;
    struct gm_curve_file key = {0};
    int rc = load_key(d, &key, err);
    if (rc == 0) {
        rc = gm_allow_load(d->settings->allow_file, &d->allow, err);
    }
    if (rc == 0) {
        rc = gm_zap_open(d->zctx, &d->loop, &d->allow, &d->zap, err);
    }
    if (rc == 0 &&
        (zmq_setsockopt(d->router, ZMQ_CURVE_SERVER, &one, sizeof one) != 0 ||
         zmq_setsockopt(d->router, ZMQ_CURVE_SECRETKEY, key.secret_key, GM_CURVE_TEXT) != 0 ||
         zmq_setsockopt(d->router, ZMQ_ZAP_DOMAIN, GM_ZAP_DOMAIN, strlen(GM_ZAP_DOMAIN)) != 0)) {
        rc = gm_err_zmq(err, zmq_errno(), "could not set up the node socket's keys");
    }
    gm_curve_wipe(&key);
    if (rc == 0) {
        gm_peers_allow(d->peers, &d->allow);
        gm_log(GM_LOG_INFO, "keys_read", "file=%s keys=%zu", d->settings->allow_file,
               d->allow.count);
    }
    return rc;
}

void gm_wire_reload(struct gm_daemon *d)
{
    struct gm_err err = {0};
    struct gm_allow fresh = {0};
    if (d->zap == NULL) {
        return;
    }
    if (gm_allow_load(d->settings->allow_file, &fresh, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "keys_not_read", &err, "file=%s", d->settings->allow_file);
        return;
    }
    gm_allow_fini(&d->allow);
    d->allow = fresh;
    gm_peers_allow(d->peers, &d->allow);
    gm_log(GM_LOG_INFO, "keys_read", "file=%s keys=%zu", d->settings->allow_file, d->allow.count);
}

static int bind_all(struct gm_daemon *d, struct gm_err *err)
{
    struct gm_buf all = {0};
    int rc = 0;
    for (char *const *e = d->settings->listen; rc == 0 && *e != NULL; e++) {
        char bound[ENDPOINT_BYTES];
        size_t size = sizeof bound;
        if (zmq_bind(d->router, *e) != 0 ||
            zmq_getsockopt(d->router, ZMQ_LAST_ENDPOINT, bound, &size) != 0) {
            rc = gm_err_zmq(err, zmq_errno(), "could not listen on %s", *e);
            break;
        }
        gm_buf_printf(&all, "%s%s", all.size != 0 ? "," : "", bound);
        rc = gm_guard_bound(d->guard, bound, err);
    }
    if (rc == 0) {
        rc = gm_buf_check(&all, err);
    }
    if (rc < 0) {
        gm_buf_fini(&all);
        return rc;
    }
    d->listen = (char *)all.data;
    return 0;
}

/* The socket counts routing ids up from rand(), which nobody seeds: who guesses the next one and
 * claims it ends the process by an assertion of libzmq (socket_base.cpp). */
static int seed_ids(struct gm_err *err)
{
    unsigned seed = 0;
    int rc = gm_random(&seed, sizeof seed, err);
    if (rc == 0) {
        srand(seed);
    }
    return rc;
}

gm_time gm_wire_silence(const struct gm_settings *settings)
{
    gm_time time = (settings->lease_ms + SILENT_BEATS * settings->heartbeat_ms) * GM_MS;
    return time > SILENT_TIME ? time : SILENT_TIME;
}

/* After the nodes' socket, which has read the list. */
static int open_pub(struct gm_daemon *d, struct gm_err *err)
{
    struct gm_curve_file key = {0};
    struct gm_pub_params params = {.zctx = d->zctx,
                                   .loop = &d->loop,
                                   .listen = d->settings->events_listen,
                                   .key = asks_for_keys(d) ? &key : NULL,
                                   .allow = &d->allow};
    if (params.listen == NULL || params.listen[0] == NULL) {
        return 0;
    }
    int rc = params.key != NULL ? load_key(d, &key, err) : 0;
    if (rc == 0) {
        rc = gm_pub_open(&params, &d->pub, err);
    }
    gm_curve_wipe(&key);
    if (rc == 0) {
        gm_log(GM_LOG_INFO, "events_published", "listen=%s", gm_pub_listen(d->pub));
    }
    return rc;
}

int gm_wire_open(struct gm_daemon *d, struct gm_err *err)
{
    int rc = seed_ids(err);
    if (rc < 0) {
        return rc;
    }
    d->peers = gm_peers_create();
    gm_peers_silence(d->peers, gm_wire_silence(d->settings));
    d->zctx = zmq_ctx_new();
    d->router = d->zctx != NULL ? zmq_socket(d->zctx, ZMQ_ROUTER) : NULL;
    if (d->router == NULL) {
        return gm_err_zmq(err, zmq_errno(), "could not make the node socket");
    }
    d->letters = gm_letters_create(d->router, gm_wire_lost, d);
    rc = gm_arena_create(&d->arena, err);
    if (rc == 0) {
        rc = set_options(d->router, err);
    }
    if (rc == 0 && asks_for_keys(d)) {
        rc = set_keys(d, err);
    }
    if (rc == 0) {
        rc = gm_guard_open(d->zctx, &d->loop, d->router, d->peers, &d->guard, err);
    }
    if (rc == 0) {
        rc = bind_all(d, err);
    }
    if (rc == 0) {
        rc = gm_zwatch_start(&d->loop, d->router, gm_wire_readable, d, &d->watch, err);
    }
    if (rc == 0) {
        gm_zwatch_before(d->watch, gm_wire_flush);
        gm_zwatch_spare(d->watch); /* letters.h alone sends */
        rc = open_pub(d, err);
    }
    return rc;
}

void gm_wire_deafen(struct gm_daemon *d)
{
    if (d->letters != NULL) {
        gm_letters_flush(d->letters);
    }
    gm_zwatch_stop(&d->watch);
}

void gm_wire_close(struct gm_daemon *d)
{
    gm_wire_deafen(d);
    gm_letters_destroy(&d->letters);
    gm_guard_close(&d->guard);
    if (d->router != NULL) {
        (void)zmq_close(d->router);
        d->router = NULL;
    }
    gm_pub_close(&d->pub);
    gm_zap_close(&d->zap);
    if (d->zctx != NULL) {
        (void)zmq_ctx_term(d->zctx);
        d->zctx = NULL;
    }
    gm_peers_destroy(&d->peers);
    gm_arena_destroy(&d->arena);
    gm_allow_fini(&d->allow);
    while (d->unsent != NULL) {
        struct gm_unsent *next = d->unsent->next;
        free(d->unsent);
        d->unsent = next;
    }
    free(d->listen);
    d->listen = NULL;
}
