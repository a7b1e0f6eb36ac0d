#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/batch.h"
#include "scheduler/core/core.h"
#include "scheduler/peers.h"
#include "scheduler/zap.h"

/* Connections that come, say things and go, before the peer table and the real core behind it: each
 * byte is a step, and what it needs follows it. What is told to a node must go to a peer that was
 * welcomed as it, and with keys to one whose key has that name. */

#define FDS 8
#define NODES 4
#define STEPS 4096

struct wire {
    const uint8_t *data;
    size_t size;
    struct gm_peers *peers;
    struct gm_arena *arena;
    struct gm_core *core;
    struct gm_allow allow;
    bool keyed;
    gm_time now;
    int64_t unix_ms;
    bool open[FDS];
    size_t opened;
    bool keeps;                    /* what is sent next stays unsent, and outlives its peer */
    struct gm_unsent_bytes *bytes; /* of that; shared */
};

static const char *const NAMES[NODES] = {"n1", "n2", "ann", "n1-2"};
static const char *const KEYS[NODES] = {
    "T<rw:AO8S&^I&iZKIP+m<45UI8H=RQcr&&bh@M$a", "gE-J/P?doNqu5R{jdKnA/?:Oy+a$8.v89@.Na8A)",
    "(34UhhIL(Mp6*Gqd!RM8H4(x^aK#MRJ4umC4H.$y", "not a key at all, and longer than keys are"};

static uint8_t take(struct wire *w)
{
    if (w->size == 0) {
        return 0;
    }
    w->size--;
    return *w->data++;
}

static void list_add(struct wire *w, unsigned i, int64_t until_unix_ms)
{
    struct gm_err err;
    struct gm_allowed row = {.role = i == 2 ? GM_CURVE_ADMIN : GM_CURVE_NODE,
                             .until_unix_ms = until_unix_ms};
    strcpy(row.key, KEYS[i]);
    strcpy(row.name, NAMES[i]);
    GM_IGNORE(gm_allow_add(&w->allow, &row, &err), "it is on it");
}

static void change_list(struct wire *w)
{
    uint8_t how = take(w);
    unsigned i = how % 3;
    if ((how & 4) != 0) {
        (void)gm_allow_remove(&w->allow, NAMES[i]);
    } else {
        list_add(w, i, (how & 8) != 0 ? w->unix_ms + how : INT64_MAX);
    }
    if (w->keyed || (how & 16) != 0) {
        w->keyed = true;
        gm_peers_allow(w->peers, &w->allow);
    }
}

static void send_one(struct wire *w, const struct gm_send *send)
{
    struct gm_peer *peer = send->envelope != NULL
                               ? gm_peers_route(w->peers, send->node_id, send->envelope, w->now)
                               : NULL;
    if (peer == NULL) {
        return;
    }
    bool refused = send->envelope->body_case == GM__ENVELOPE__BODY_REFUSE;
    GM_ASSERT(refused || strcmp(gm_peer_node(peer), send->node_id) == 0);
    GM_ASSERT(refused || !w->keyed || strcmp(gm_peer_name(peer), send->node_id) == 0);
    if (w->keeps && w->bytes == NULL) {
        w->bytes = gm_peer_unsent(peer);
        gm_unsent_bytes_take(w->bytes, GM_PEERS_UNSENT_BYTES + 1);
    }
}

static void step(struct wire *w, const char *node_id, const Gm__Envelope *env)
{
    struct gm_effects fx = {0};
    struct gm_err err = {0};
    struct gm_event event = {.type = env != NULL ? GM_EV_MESSAGE : GM_EV_TICK,
                             .node_id = node_id,
                             .envelope = env,
                             .unix_ms = w->unix_ms};
    if (gm_core_step(w->core, &event, w->now, &fx, &err) == 0) {
        for (size_t i = 0; i < fx.send_count; i++) {
            send_one(w, &fx.sends[i]);
        }
    }
    gm_effects_fini(&fx);
    gm_peers_settle(w->peers);
}

static void judge(struct wire *w, struct gm_peer *peer, const Gm__Envelope *env, struct gm_err *err)
{
    const char *node = NULL;
    switch (gm_peers_judge(w->peers, peer, env, w->now, &node, err)) {
    case GM_PEER_TAKE:
        GM_ASSERT(env != NULL && node != NULL && gm_is_node_id(node));
        GM_ASSERT(env->body_case == GM__ENVELOPE__BODY_HELLO ||
                  (env->body_case == GM__ENVELOPE__BODY_GOODBYE && gm_peer_node(peer)[0] == '\0') ||
                  strcmp(node, gm_peer_node(peer)) == 0);
        GM_ASSERT(!w->keyed || strcmp(node, gm_peer_name(peer)) == 0);
        step(w, node, env);
        break;
    case GM_PEER_REFUSE:
    case GM_PEER_CUT:
        GM_ASSERT(err->text[0] != '\0' && err->code != GM_OK);
        break;
    case GM_PEER_IGNORE:
        break;
    }
}

/* A Hello or Renew that is sound, which no mutation of bytes would find soon. */
static void say_sound(struct wire *w, struct gm_peer *peer, uint8_t how)
{
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Device device = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&device};
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    struct gm_err err = {0};
    device.id = device.kind = (char *)(uintptr_t) "cpu";
    device.capacity = &capacity;
    hello.node_id = (char *)(uintptr_t)NAMES[how % NODES];
    hello.instance = how >> 6;
    hello.protocol = (how & 32) != 0 ? 99 : GM_PROTOCOL_VERSION;
    hello.devices = devices;
    hello.n_devices = 1;
    env.version = GM_PROTOCOL_VERSION;
    if ((how & 12) == 0) {
        env.body_case = GM__ENVELOPE__BODY_RENEW;
        env.renew = &renew;
    } else if ((how & 12) == 4) {
        env.body_case = GM__ENVELOPE__BODY_GOODBYE;
        env.goodbye = &goodbye;
        goodbye.node_id = (how & 16) != 0 ? hello.node_id : goodbye.node_id;
    } else {
        env.body_case = GM__ENVELOPE__BODY_HELLO;
        env.hello = &hello;
    }
    judge(w, peer, &env, &err);
}

/* What the arena makes of it is what the plain decode makes of it. */
static void say_entry(struct wire *w, struct gm_peer *peer, const void *data, size_t size)
{
    Gm__Envelope *env = NULL, *plain = NULL;
    struct gm_err err = {0}, other = {0};
    int rc = gm_arena_envelope(w->arena, data, size, &env, &err);
    GM_ASSERT(gm_envelope_decode(data, size, &plain, &other) == rc);
    GM_ASSERT(rc < 0 || gm__envelope__get_packed_size(env) == gm__envelope__get_packed_size(plain));
    gm__envelope__free_unpacked(plain, NULL);
    judge(w, peer, rc == 0 ? env : NULL, &err);
}

static void say_raw(struct wire *w, struct gm_peer *peer)
{
    struct gm_batch_reader reader;
    struct gm_err err = {0};
    const void *entry = NULL;
    size_t entry_size = 0, size = (size_t)take(w) << 4;
    size = size < w->size ? size : w->size;
    const void *data = w->data;
    w->data += size;
    w->size -= size;
    if (gm_batch_open(data, size, &reader, &err) < 0) {
        judge(w, peer, NULL, &err);
    } else if (gm_peers_more(w->peers, peer, reader.count - 1, w->now)) {
        while (gm_batch_next(&reader, &entry, &entry_size)) {
            say_entry(w, peer, entry, entry_size);
        }
    }
}

static void message(struct wire *w)
{
    uint8_t who = take(w);
    uint8_t how = take(w);
    struct gm_peer *peer = NULL;
    const struct gm_heard heard = {.id = {&who, 1},
                                   .fd = who % FDS,
                                   .key = (how & 128) != 0 ? KEYS[how % NODES] : NULL,
                                   .size = (size_t)how << 16,
                                   .now = w->now,
                                   .unix_ms = w->unix_ms};
    if (gm_peers_heard(w->peers, &heard, &peer) != GM_PEER_TAKE) {
        return;
    }
    GM_ASSERT(peer == gm_peers_find(w->peers, heard.id));
    GM_ASSERT(gm_peer_fd(peer) == (w->open[who % FDS] ? who % FDS : -1) ||
              (who == 0 && gm_peer_fd(peer) == -1)); /* an id that the socket gave */
    if ((how & 64) != 0) {
        say_raw(w, peer);
    } else {
        say_sound(w, peer, take(w));
    }
}

static void connection(struct wire *w)
{
    uint8_t how = take(w);
    int fd = how % FDS;
    bool opens = (how & 64) != 0;
    if (opens) {
        GM_ASSERT(gm_peers_opened(w->peers, fd, w->now) == -1); /* there are few */
    } else {
        gm_peers_closed(w->peers, fd, w->now);
    }
    w->opened += opens && !w->open[fd] ? 1 : 0;
    w->opened -= !opens && w->open[fd] ? 1 : 0;
    w->open[fd] = opens;
    GM_ASSERT(gm_peers_unproved(w->peers) <= w->opened);
}

static void on_cut(int fd, const char *why, void *arg)
{
    const struct wire *w = arg;
    GM_ASSERT(why != NULL && fd >= -1 && fd < FDS);
    GM_ASSERT(fd < 0 || w->open[fd]);
}

static uint64_t on_taken(int fd, void *arg)
{
    const struct wire *w = arg;
    return fd < 0 ? 0 : w->size / 64;
}

static uint64_t on_brought(int fd, void *arg)
{
    const struct wire *w = arg;
    return fd < 0 ? 0 : (uint64_t)w->size << 16;
}

static void pass_time(struct wire *w)
{
    const struct gm_peers_hands hands = {
        .cut = on_cut, .taken = on_taken, .brought = on_brought, .arg = w};
    gm_time passed = (gm_time)take(w) * 100 * GM_MS;
    w->now += passed;
    w->unix_ms += passed / GM_MS;
    gm_peers_sweep(w->peers, w->keeps, w->now, w->unix_ms, &hands);
    step(w, NULL, NULL);
}

static void ask_zap(struct wire *w)
{
    struct gm_zap_frame frames[GM_ZAP_FRAMES];
    char name[GM_CURVE_NAME];
    char key[GM_CURVE_TEXT];
    uint8_t how = take(w);
    for (size_t i = 0; i < GM_ZAP_FRAMES; i++) {
        size_t size = (size_t)(take(w) % 48);
        size = size < w->size ? size : w->size;
        frames[i] = (struct gm_zap_frame){w->data, size};
        w->data += size;
        w->size -= size;
    }
    const char *status =
        gm_zap_judge(frames, how % (GM_ZAP_FRAMES + 2), &w->allow, w->unix_ms, name, key);
    GM_ASSERT(strlen(status) == 3 && (status[0] != '2') == (name[0] == '\0'));
}

static void run(struct wire *w)
{
    for (unsigned i = 0; w->size > 0 && i < STEPS; i++) {
        switch (take(w) % 8) {
        case 0:
        case 1:
            connection(w);
            break;
        case 2:
            pass_time(w);
            break;
        case 3:
            change_list(w);
            break;
        case 4:
            ask_zap(w);
            break;
        case 5:
            w->keeps = true;
            break;
        default:
            message(w);
            break;
        }
    }
    gm_peers_destroy(&w->peers);
    gm_arena_destroy(&w->arena);
    if (w->bytes != NULL) {
        gm_unsent_bytes_drop(w->bytes, GM_PEERS_UNSENT_BYTES + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gm_core_params params = {.term = 7,
                                          .lease_ms = 15000,
                                          .heartbeat_ms = 1000,
                                          .stall_ms = 120000,
                                          .device_wait_ms = 10000,
                                          .max_jobs = 10,
                                          .max_attempts = 8};
    struct wire w = {
        .data = data, .size = size, .now = 1000 * GM_SEC, .unix_ms = INT64_C(1700000000000)};
    struct gm_effects fx = {0};
    struct gm_err err = {0};
    GM_ASSERT(gm_core_create(&params, &w.core, &err) == 0);
    GM_ASSERT(gm_core_loaded(w.core, w.now, &fx, &err) == 0);
    gm_effects_fini(&fx);
    w.peers = gm_peers_create();
    gm_peers_silence(w.peers, 12 * GM_SEC);
    GM_ASSERT(gm_arena_create(&w.arena, &err) == 0);
    run(&w);
    GM_ASSERT(gm_core_check(w.core, &err) == 0);
    gm_core_destroy(&w.core);
    gm_allow_fini(&w.allow);
    return 0;
}
