/* The link to the scheduler: a DEALER socket to one endpoint at a time. DOWN: no socket, waiting;
 * HELLO: Hello was or will be sent, no Welcome yet; UP. A message that the socket took may still be
 * lost with its connection: what must arrive is in the outbox until it is acknowledged. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/keys.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "proto/batch.h"

#define PATIENCE_MS 3000
#define HANDSHAKE_MS 5000
/* As the scheduler's socket (wire_socket.c): a machine that answers nothing is found within 11 s,
 * however seldom this node says something. */
#define KEEPALIVE_IDLE_S 5
#define KEEPALIVE_IVL_S 2
#define KEEPALIVE_CNT 3
#define UNACKNOWLEDGED_MS 10000
#define LOST_PAUSE (50 * GM_MS)    /* where nobody listens; grows to ten times that */
#define SHAKEN_AFTER (500 * GM_MS) /* a handshake takes less; else others are looked at */
#define RESEND_AFTER (2 * GM_SEC)
#define OFFER_CHECK_EVERY (10 * GM_SEC)

static void init_envelope(Gm__Envelope *env)
{
    gm__envelope__init(env);
    env->version = GM_PROTOCOL_VERSION;
}

static bool send_bytes(struct gm_agent *agent, const void *data, size_t size)
{
    if (agent->sock == NULL) {
        return false;
    }
    int rc;
    do {
        rc = zmq_send(agent->sock, data, size, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc >= 0;
}

bool gm_link_send(struct gm_agent *agent, Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err err;
    if (gm_envelope_encode(env, &data, &size, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "message-not-sent", &err, "kind=%d", (int)env->body_case);
        return false;
    }
    bool sent = send_bytes(agent, data, size);
    free(data);
    return sent;
}

void gm_link_close(struct gm_agent *agent, int linger_ms)
{
    gm_scout_stop(agent);
    gm_zwatch_stop(&agent->watch);
    if (agent->sock != NULL) {
        gm_watch_stop(agent, agent->sock);
        zmq_setsockopt(agent->sock, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
        zmq_close(agent->sock);
        agent->sock = NULL;
    }
    agent->link = GM_LINK_DOWN;
}

void gm_link_mute(struct gm_agent *agent)
{
    gm_scout_stop(agent);
    gm_zwatch_stop(&agent->watch);
    agent->link = GM_LINK_DOWN;
}

void gm_link_retry(struct gm_agent *agent, gm_time pause)
{
    gm_link_close(agent, 0);
    agent->endpoint++;
    agent->link_failures++;
    agent->link_at = gm_time_now() + pause;
}

static gm_time patience(const struct gm_agent *agent)
{
    uint32_t ms = agent->params.patience_ms;
    return (ms == 0 ? PATIENCE_MS : (gm_time)ms) * GM_MS;
}

void gm_link_hello_again(struct gm_agent *agent)
{
    agent->link = GM_LINK_HELLO;
    agent->hello_sent = false;
    agent->link_at = gm_time_now() + patience(agent);
}

static void take_envelope(struct gm_agent *agent, const void *data, size_t size)
{
    Gm__Envelope *env = NULL;
    struct gm_err err;
    if (gm_envelope_decode(data, size, &env, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "bad-message", &err, "from=scheduler");
    } else {
        agent->heard = gm_time_now();
        gm_agent_handle(agent, env);
    }
}

/* What an envelope of a batch does may close the socket: what is behind it is lost then. */
static void take_message(struct gm_agent *agent, void *zsock, zmq_msg_t *msg)
{
    struct gm_batch_reader reader;
    struct gm_err err;
    const void *data = NULL;
    size_t size = 0;
    if (zmq_msg_more(msg) != 0) {
        gm_err_set(&err, GM_E_PROTO, 0, "a message of several frames came");
        gm_log_err(GM_LOG_WARN, "bad-message", &err, "from=scheduler");
        return;
    }
    if (gm_batch_open(zmq_msg_data(msg), zmq_msg_size(msg), &reader, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "bad-message", &err, "from=scheduler");
        return;
    }
    while (agent->sock == zsock && gm_batch_next(&reader, &data, &size)) {
        take_envelope(agent, data, size);
    }
}

static void on_input(void *zsock, int budget, void *arg)
{
    struct gm_agent *agent = arg;
    for (int i = 0; i < budget && agent->sock == zsock; i++) {
        zmq_msg_t msg;
        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, zsock, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return;
        }
        take_message(agent, zsock, &msg);
        zmq_msg_close(&msg);
    }
}

/* Now and then. */
static void tell_unreachable(const struct gm_agent *agent)
{
    if (agent->link_failures % 16 == 0) {
        gm_log(GM_LOG_WARN, "scheduler-unreachable", "endpoint=%s",
               agent->params.endpoints[agent->endpoint]);
    }
}

/* What ended was good: no failure, and the next try uses the first name and key. */
static void start_over(struct gm_agent *agent)
{
    gm_link_retry(agent, 0);
    agent->link_failures = 0;
}

void gm_link_lost(struct gm_agent *agent)
{
    if (agent->link == GM_LINK_UP) {
        gm_log(GM_LOG_WARN, "scheduler-gone", "endpoint=%s",
               agent->params.endpoints[agent->endpoint]);
        start_over(agent);
    } else {
        tell_unreachable(agent);
        uint32_t tries = agent->link_failures < 9 ? agent->link_failures + 1 : 10;
        gm_link_retry(agent, tries * LOST_PAUSE);
    }
}

static int set_option(void *sock, int option, int value)
{
    return zmq_setsockopt(sock, option, &value, sizeof(value));
}

/* How often all endpoints were tried in vain. */
static uint32_t rounds(const struct gm_agent *agent)
{
    uint32_t endpoints = 1;
    while (agent->params.endpoints[endpoints] != NULL) {
        endpoints++;
    }
    return agent->link_failures / endpoints;
}

/* A scheduler of the release before answers nobody who does not call himself by his node id. */
static int set_name(const struct gm_agent *agent, void *sock, struct gm_err *err)
{
    const char *id = agent->params.node_id;
    return rounds(agent) % 2 == 0 || zmq_setsockopt(sock, ZMQ_ROUTING_ID, id, strlen(id)) == 0
               ? 0
               : gm_err_zmq(err, zmq_errno(), "could not set up a socket's name");
}

/* The file may be another one than at the last try: keys are replaced while nodes run. Several keys
 * of the scheduler are tried in turn, as endpoints are. */
static int set_keys(const struct gm_agent *agent, void *sock, struct gm_err *err)
{
    struct gm_curve_file key = {0};
    int rc = gm_curve_load(agent->params.key_file, &key, err);
    if (rc == 0 && (key.role != GM_CURVE_NODE || strcmp(key.name, agent->params.node_id) != 0)) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%.100s is the key of the %s %s, and this node is %s",
                        agent->params.key_file, gm_curve_role_name(key.role), key.name,
                        agent->params.node_id);
    }
    if (rc == 0) {
        const char *server =
            key.servers[key.server_count > 0 ? rounds(agent) % key.server_count : 0];
        if ((zmq_setsockopt(sock, ZMQ_CURVE_SERVERKEY, server, GM_CURVE_TEXT) |
             zmq_setsockopt(sock, ZMQ_CURVE_PUBLICKEY, key.public_key, GM_CURVE_TEXT) |
             zmq_setsockopt(sock, ZMQ_CURVE_SECRETKEY, key.secret_key, GM_CURVE_TEXT)) != 0) {
            rc = gm_err_zmq(err, zmq_errno(), "could not set up a socket's keys");
        }
    }
    gm_curve_wipe(&key);
    return rc;
}

int gm_link_socket(struct gm_agent *agent, void **out, struct gm_err *err)
{
    void *sock = zmq_socket(agent->zmq, ZMQ_DEALER);
    if (sock == NULL) {
        return gm_err_zmq(err, zmq_errno(), "could not make a socket");
    }
    int bad =
        set_option(sock, ZMQ_LINGER, 0) | set_option(sock, ZMQ_SNDHWM, 1000) |
        set_option(sock, ZMQ_RCVHWM, 1000) | set_option(sock, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) |
        set_option(sock, ZMQ_RECONNECT_IVL, 50) | set_option(sock, ZMQ_RECONNECT_IVL_MAX, 1000) |
        set_option(sock, ZMQ_TCP_KEEPALIVE, 1) |
        set_option(sock, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S) |
        set_option(sock, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_IVL_S) |
        set_option(sock, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_CNT) |
        set_option(sock, ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS);
    int64_t most = GM_ENVELOPE_MAX_BYTES;
    bad |= zmq_setsockopt(sock, ZMQ_MAXMSGSIZE, &most, sizeof(most));
    int rc = bad == 0 ? 0 : gm_err_zmq(err, zmq_errno(), "could not set up a socket");
    if (rc == 0 && agent->params.key_file != NULL) {
        rc = set_keys(agent, sock, err);
    }
    if (rc < 0) {
        zmq_close(sock);
        return rc;
    }
    *out = sock;
    return 0;
}

static int open_socket(struct gm_agent *agent, const char *endpoint, struct gm_err *err)
{
    void *sock = NULL;
    int rc = gm_link_socket(agent, &sock, err);
    if (rc < 0) {
        return rc;
    }
    agent->shaken = false;
    if (agent->params.key_file == NULL) {
        rc = set_name(agent, sock, err);
    }
    if (rc == 0) {
        rc = gm_watch_start(agent, sock, err);
    }
    if (rc == 0 && zmq_connect(sock, endpoint) != 0) {
        rc = gm_err_zmq(err, zmq_errno(), "could not connect to `%s`", endpoint);
    }
    if (rc == 0) {
        rc = gm_zwatch_start(&agent->loop, sock, on_input, agent, &agent->watch, err);
    }
    if (rc < 0) {
        gm_watch_stop(agent, sock);
        zmq_close(sock);
        return rc;
    }
    agent->sock = sock;
    return 0;
}

/* Notes of the sandbox and those that are about no device in particular. */
static size_t make_notes(const struct gm_agent *agent, char **out)
{
    size_t n = 0;
    for (size_t i = 0; i < agent->note_count; i++) {
        out[n++] = agent->notes[i];
    }
    for (size_t i = 0; i < agent->found.note_count; i++) {
        out[n++] = (char *)(uintptr_t)agent->found.notes[i].text;
    }
    return n;
}

/* What the agent still works for, whoever assigned it. */
static size_t count_held(const struct gm_agent *agent)
{
    size_t count = 0;
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        count += t->state != GM_TASK_DROPPED ? 1 : 0;
    }
    return count;
}

/* Borrows from the task. */
static void tell_held(const struct gm_task *t, Gm__HeldLease *out)
{
    const Gm__TaskSpec *spec = t->spec;
    bool runs = strcmp(spec->type, "encode") == 0 || strcmp(spec->type, "analyze") == 0;
    gm__held_lease__init(out);
    out->task_id = t->id;
    out->term = t->term;
    out->epoch = t->epoch;
    out->progress = t->progress;
    out->inputs_received = (uint32_t)t->inputs.count;
    out->job_id = spec->job_id;
    out->task = spec->task;
    out->instance = spec->instance;
    if (runs && spec->n_inputs > 0) {
        out->first_chunk = spec->inputs[0]->item->index;
        out->chunks = (uint32_t)spec->n_inputs;
    }
    out->attempt = spec->attempt;
    out->device = t->assign->device;
    out->demand = t->assign->demand;
    out->chain = spec->chain;
    out->publication = spec->publication;
    out->started_unix_ms = t->assigned_unix_ms;
}

static void set_protocol(Gm__Hello *hello)
{
    hello->protocol = GM_PROTOCOL_SPOKEN;
    hello->oldest = GM_PROTOCOL_OLDEST;
#ifdef GM_CRASH_POINTS /* tests alone: another release's, "SPOKEN OLDEST" */
    const char *other = getenv("GM_TEST_PROTOCOL");
    if (other != NULL && sscanf(other, "%u %u", &hello->protocol, &hello->oldest) != 2) {
        GM_ASSERT(!"GM_TEST_PROTOCOL is two numbers");
    }
#endif
}

static void send_hello(struct gm_agent *agent)
{
    struct gm_err err = {.code = GM_OK};
    size_t held = count_held(agent);
    Gm__HeldLease *leases = calloc(held + 1, sizeof(*leases));
    Gm__HeldLease **list = calloc(held + 1, sizeof(*list));
    char *notes[sizeof(agent->notes) / sizeof(agent->notes[0]) + GM_DEVICE_NOTES];
    Gm__Hello hello = GM__HELLO__INIT;
    struct gm_agent_facts *facts = NULL;
    int rc = leases == NULL || list == NULL
                 ? gm_err_nomem(&err)
                 : gm_agent_facts_make(agent, &hello.devices, &hello.n_devices, &facts, &err);
    if (rc < 0) {
        gm_log_err(GM_LOG_ERROR, "message-not-sent", &err, "kind=hello");
        free(leases);
        free(list);
        return;
    }
    for (const struct gm_task *t = agent->tasks; t != NULL; t = t->next) {
        if (t->state != GM_TASK_DROPPED && hello.n_held < GM_PROTO_MAX_HELD) {
            list[hello.n_held] = &leases[hello.n_held];
            tell_held(t, list[hello.n_held++]);
        }
    }
    hello.held = list;
    hello.node_id = (char *)(uintptr_t)agent->params.node_id;
    hello.instance = agent->instance;
    set_protocol(&hello);
    hello.build = (char *)(uintptr_t)agent->params.build;
    hello.hostname = (char *)(uintptr_t)agent->params.hostname;
    hello.proves = true;
    hello.batches = true;
    hello.restarts = true;
    hello.urls = true;
    hello.parts = agent->params.window_folder != NULL;
    hello.notes = notes;
    hello.n_notes = make_notes(agent, notes);
    Gm__Envelope env;
    init_envelope(&env);
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    agent->hello_sent = gm_link_send(agent, &env);
    gm_agent_facts_free(facts);
    free(leases);
    free(list);
}

static void try_endpoint(struct gm_agent *agent)
{
    const char *const *list = agent->params.endpoints;
    if (list[agent->endpoint] == NULL) {
        agent->endpoint = 0;
    }
    const char *endpoint = list[agent->endpoint];
    struct gm_err err;
    if (open_socket(agent, endpoint, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "connect-failed", &err, "endpoint=%s", endpoint);
        gm_link_retry(agent, gm_agent_backoff(agent->link_failures));
        return;
    }
    gm_link_hello_again(agent);
    send_hello(agent);
}

/* While nothing comes, from where some should, others are looked at; true: one of them is taken. */
static bool look_elsewhere(struct gm_agent *agent, bool look, bool go)
{
    size_t endpoint = 0;
    if (!look) {
        gm_scout_stop(agent);
        return false;
    }
    gm_scout_start(agent);
    if (!go || !gm_scout_found(agent, &endpoint)) {
        return false;
    }
    gm_log(GM_LOG_WARN, "scheduler-silent", "endpoint=%s next=%s",
           agent->params.endpoints[agent->endpoint], agent->params.endpoints[endpoint]);
    if (agent->link == GM_LINK_UP) {
        start_over(agent);
    } else {
        gm_link_retry(agent, 0); /* names and keys are tried in turn */
    }
    agent->endpoint = endpoint;
    return true;
}

static void tick_up(struct gm_agent *agent, gm_time now)
{
    gm_time beat = (gm_time)agent->heartbeat_ms * GM_MS;
    gm_time silent = gm_beat_silence(agent, now);
    gm_time silence = 4 * beat;
    silence = silence < patience(agent) ? patience(agent) : silence;
    if (look_elsewhere(agent, silent > beat + beat / 2, silent > 2 * beat)) {
        return;
    }
    if (silent > silence) {
        gm_log(GM_LOG_WARN, "scheduler-silent", "endpoint=%s silent_ms=%" PRId64,
               agent->params.endpoints[agent->endpoint], (now - agent->heard) / GM_MS);
        start_over(agent);
        return;
    }
    if (gm_beat_is_due(agent, now)) {
        gm_beat_send(agent, now);
    }
    if (now >= agent->offer_check) {
        gm_link_offer(agent, false);
        agent->offer_check = now + OFFER_CHECK_EVERY;
    }
    gm_link_flush(agent, false);
}

void gm_link_tick(struct gm_agent *agent, gm_time now)
{
    switch (agent->link) {
    case GM_LINK_DOWN:
        /* what the workers can do is part of Hello */
        if (now >= agent->link_at && gm_agent_slots_seen(agent) &&
            !(agent->params.proofs_first && gm_agent_devices_proving(agent))) {
            try_endpoint(agent);
        }
        break;
    case GM_LINK_HELLO:
        if (!agent->hello_sent) {
            send_hello(agent);
        }
        if (!agent->shaken &&
            look_elsewhere(agent, agent->link_at - now < patience(agent) - SHAKEN_AFTER, true)) {
            break;
        }
        if (now >= agent->link_at) {
            tell_unreachable(agent);
            gm_link_retry(agent, gm_agent_backoff(agent->link_failures));
        }
        break;
    case GM_LINK_UP:
        tick_up(agent, now);
        break;
    }
}

int gm_link_post(struct gm_agent *agent, struct gm_task *task, Gm__Envelope *env,
                 struct gm_err *err)
{
    struct gm_outgoing *out = calloc(1, sizeof(*out));
    if (out == NULL) {
        return gm_err_nomem(err);
    }
    env->seq = agent->seq + 1;
    int rc = gm_envelope_encode(env, &out->data, &out->size, err);
    if (rc < 0) {
        free(out);
        return rc;
    }
    out->seq = ++agent->seq;
    out->task_id = task->id;
    out->epoch = task->epoch;
    out->is_done = env->body_case == GM__ENVELOPE__BODY_DONE;
    if (env->body_case == GM__ENVELOPE__BODY_PRODUCED) {
        out->is_item = true;
        out->stream = env->produced->item->stream;
        out->index = env->produced->item->index;
    }
    *agent->outbox_end = out;
    agent->outbox_end = &out->next;
    gm_link_flush(agent, false);
    return 0;
}

static bool is_due(const struct gm_outgoing *out, bool all, gm_time now)
{
    return all || out->sent == 0 || now - out->sent >= RESEND_AFTER;
}

/* As much of what is due, from `out` on, as belongs into one message. Returns what is behind it. */
static struct gm_outgoing *collect(const struct gm_agent *agent, struct gm_outgoing *out, bool all,
                                   gm_time now, struct gm_batch *batch)
{
    struct gm_err err;
    for (; out != NULL && (agent->batches || batch->count == 0); out = out->next) {
        if (is_due(out, all, now) && (!gm_batch_has_room(batch, out->size) ||
                                      gm_batch_add_bytes(batch, out->data, out->size, &err) < 0)) {
            break;
        }
    }
    return out;
}

/* In order: one that can't be sent stops the rest. */
void gm_link_flush(struct gm_agent *agent, bool all)
{
    gm_time now = gm_time_now();
    struct gm_outgoing *out = agent->link == GM_LINK_UP ? agent->outbox : NULL;
    while (out != NULL) {
        struct gm_batch batch = {0};
        size_t size = 0;
        const struct gm_outgoing *next = collect(agent, out, all, now, &batch);
        const void *data = gm_batch_bytes(&batch, &size);
        bool sent = batch.count > 0 && send_bytes(agent, data, size);
        gm_batch_fini(&batch);
        if (!sent) {
            return;
        }
        for (; out != next; out = out->next) {
            out->sent = is_due(out, all, now) ? now : out->sent;
        }
    }
}

void gm_outgoing_free(struct gm_outgoing *out)
{
    if (out != NULL) {
        free(out->data);
        free(out);
    }
}

static struct gm_outgoing *take_at(struct gm_agent *agent, struct gm_outgoing **at)
{
    struct gm_outgoing *out = *at;
    *at = out->next;
    if (agent->outbox_end == &out->next) {
        agent->outbox_end = at;
    }
    out->next = NULL;
    return out;
}

struct gm_outgoing *gm_link_take(struct gm_agent *agent, uint64_t seq)
{
    for (struct gm_outgoing **at = &agent->outbox; *at != NULL; at = &(*at)->next) {
        if ((*at)->seq == seq) {
            return take_at(agent, at);
        }
    }
    return NULL;
}

void gm_link_drop_task(struct gm_agent *agent, uint64_t task_id, uint64_t epoch)
{
    struct gm_outgoing **at = &agent->outbox;
    while (*at != NULL) {
        if ((*at)->task_id == task_id && (*at)->epoch == epoch) {
            gm_outgoing_free(take_at(agent, at));
        } else {
            at = &(*at)->next;
        }
    }
}
