/* Nodes: who they are, what they offer, that they live. Work messages go on to handle_work.c and
 * handle_grant.c. */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/adopt.h"
#include "scheduler/core/arrival.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/watch.h"

#define FORGET_AFTER (3600 * GM_SEC)
#define FEED_AGAIN (2 * GM_SEC)
#define END_AGAIN (5 * GM_SEC)
#define IDLE_RENEWS 2000u /* a second, of a farm that has nothing to do */
#define IDLE_IN_LEASE 3u  /* at least, of one node */

static void devices_fini(struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        free(node->devices[i].id);
        free(node->devices[i].kind);
        free(node->devices[i].description);
        gm_core_chains_fini(&node->devices[i]);
        gm__device__free_unpacked(node->devices[i].facts, NULL);
    }
    free(node->devices);
    for (size_t i = 0; i < node->note_count; i++) {
        free(node->notes[i]);
    }
    free(node->notes);
    free(node->hostname);
    free(node->build);
}

void gm_core_node_destroy(struct gm_cnode *node)
{
    devices_fini(node);
    free(node->ended);
    free(node->id);
    free(node);
}

/* It is gone after a lease's time of silence, and forgotten long after. */
static gm_time silence_ends(const struct gm_core *core, const struct gm_cnode *node)
{
    gm_time last = node->connected ? core->lease_time : FORGET_AFTER;
    return node->seen + last;
}

/* It said something. The timer stands where it is while the node is heard: it looks again. */
static void hear(struct gm_core *core, struct gm_cnode *node)
{
    bool back = !node->connected;
    node->connected = true;
    node->seen = core->now;
    node->seen_unix_ms = core->unix_ms;
    if (back) {
        gm_timers_set(&core->node_timers, &node->silence, silence_ends(core, node));
        gm_devices_note_node(core, node);
        core->place_dirty = true;
    }
}

static void part_with(struct gm_core *core, struct gm_cnode *node)
{
    node->connected = false;
    gm_devices_note_node(core, node);
}

static void refuse(struct gm_core *core, const char *node_id, const struct gm_err *why)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Refuse refusal = GM__REFUSE__INIT;
    Gm__Error error = GM__ERROR__INIT;
    gm_err_to_msg(why, &error);
    refusal.error = &error;
    envelope.body_case = GM__ENVELOPE__BODY_REFUSE;
    envelope.refuse = &refusal;
    gm_core_fx_send(core, node_id, &envelope, false);
}

static void lose_leases(struct gm_core *core, struct gm_cnode *node, const char *why)
{
    struct gm_lease *lease, *next;
    DL_FOREACH_SAFE2(node->leases, lease, next, node_next)
    {
        gm_core_lease_lost(core, lease, why);
    }
}

static void fill_node(struct gm_core *core, struct gm_cnode *node, const Gm__Hello *m)
{
    gm_devices_leave_node(core, node);
    devices_fini(node);
    node->hostname = gm_mem_strdup(m->hostname);
    node->build = gm_mem_strdup(m->build);
    node->instance = m->instance;
    node->told = (struct gm_told){.heard = false};
    node->protocol = m->protocol;
    node->proves = m->proves;
    node->restarts = m->restarts;
    node->shares = false; /* until it offers */
    node->device_count = m->n_devices;
    node->devices = gm_mem_zalloc(m->n_devices * sizeof(*node->devices));
    for (size_t i = 0; i < m->n_devices; i++) {
        node->devices[i].id = gm_mem_strdup(m->devices[i]->id);
        node->devices[i].kind = gm_mem_strdup(m->devices[i]->kind);
        node->devices[i].description = gm_mem_strdup(m->devices[i]->description);
        node->devices[i].is_cpu = strcmp(m->devices[i]->kind, "cpu") == 0;
        gm_core_chains_fill(&node->devices[i], m->devices[i]);
        node->devices[i].facts = (Gm__Device *)gm_message_dup(&m->devices[i]->base);
        if (!node->devices[i].facts) {
            gm_mem_exhausted();
        }
    }
    gm_devices_join_node(core, node);
    node->note_count = m->n_notes < GM_CORE_MAX_DEVICES ? m->n_notes : GM_CORE_MAX_DEVICES;
    node->notes = gm_mem_zalloc(node->note_count * sizeof(char *));
    for (size_t i = 0; i < node->note_count; i++) {
        node->notes[i] = gm_mem_strdup(m->notes[i]);
    }
}

static int check_chains(const Gm__Device *device, struct gm_err *err)
{
    if (device->n_chains > GM_CORE_MAX_CHAINS) {
        return gm_err_set(err, GM_E_PROTO, 0, "device %.64s offers %zu chains, at most %u can",
                          device->id, device->n_chains, GM_CORE_MAX_CHAINS);
    }
    for (size_t i = 0; i < device->n_chains; i++) {
        for (size_t k = 0; k < i; k++) {
            const Gm__Chain *a = device->chains[i], *b = device->chains[k];
            if (strcmp(a->name, b->name) == 0 && strcmp(a->fingerprint, b->fingerprint) == 0) {
                return gm_err_set(err, GM_E_PROTO, 0, "device %.64s offers chain %.32s twice",
                                  device->id, a->name);
            }
        }
    }
    return 0;
}

static int check_hello(const struct gm_core *core, const char *node_id, const Gm__Hello *m,
                       struct gm_err *err)
{
    if (strcmp(node_id, m->node_id) != 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "node %s says that it is %s", node_id, m->node_id);
    }
    const struct gm_protocol own = {GM_PROTOCOL_SPOKEN, GM_PROTOCOL_OLDEST, GOPMILL_VERSION};
    const struct gm_protocol its = {m->protocol, m->oldest, m->build};
    if (gm_protocol_check(&own, &its, err) < 0) {
        return -GM_E_PROTO;
    }
    if (core->params.urls && !m->urls) {
        return gm_err_set(
            err, GM_E_PROTO, 0,
            "this scheduler may use S3 or web servers (storage, allow_sources), which "
            "nodes of build %.64s do not know: update the node",
            m->build);
    }
    if (core->params.parts && !m->parts) {
        return gm_err_set(err, GM_E_PROTO, 0,
                          "this scheduler has `uploads`, which nodes of build %.64s do not know: "
                          "update the node",
                          m->build);
    }
    if (m->n_devices == 0 || m->n_devices > GM_CORE_MAX_DEVICES) {
        return gm_err_set(err, GM_E_PROTO, (int64_t)m->n_devices, "a node has 1..%u devices",
                          GM_CORE_MAX_DEVICES);
    }
    for (size_t i = 0; i < m->n_devices; i++) {
        int rc = check_chains(m->devices[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    const struct gm_cnode *known = NULL;
    HASH_FIND_STR(core->nodes, node_id, known);
    if (!known && HASH_COUNT(core->nodes) >= GM_CORE_MAX_NODES) {
        return gm_err_set(err, GM_E_BUSY, 0, "%u nodes are known already", GM_CORE_MAX_NODES);
    }
    return 0;
}

/* How long a node without work may wait between Renews: all nodes together say so many, and of each
 * several come within a lease's time, after which it would be gone. */
static uint32_t idle_ms(const struct gm_core *core)
{
    uint32_t wanted = HASH_COUNT(core->nodes) * 1000 / IDLE_RENEWS;
    uint32_t most = core->params.lease_ms / IDLE_IN_LEASE;
    uint32_t ms = wanted < most ? wanted : most;
    return ms > core->params.heartbeat_ms ? ms : core->params.heartbeat_ms;
}

/* Tells the node which of its leases of earlier terms go on. */
static void send_welcome(struct gm_core *core, struct gm_cnode *node, const Gm__Hello *m)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Welcome welcome = GM__WELCOME__INIT;
    Gm__LeaseState *states = gm_mem_zalloc(m->n_held * sizeof(*states));
    welcome.adopted = gm_mem_zalloc(m->n_held * sizeof(Gm__LeaseState *));
    for (size_t i = 0; i < m->n_held; i++) {
        const Gm__HeldLease *held = m->held[i];
        if (held->term == core->params.term || !gm_core_adopt(core, node, held)) {
            continue;
        }
        Gm__LeaseState *s = &states[welcome.n_adopted];
        gm__lease_state__init(s);
        s->task_id = held->task_id;
        s->term = held->term;
        s->epoch = held->epoch;
        welcome.adopted[welcome.n_adopted++] = s;
    }
    gm_core_unheard_end_node(core, node->id);
    gm_core_muster_heard(core, node->id);
    welcome.term = core->params.term;
    welcome.unix_ms = core->unix_ms;
    welcome.lease_ms = core->params.lease_ms;
    welcome.heartbeat_ms = core->params.heartbeat_ms;
    welcome.stall_ms = core->params.stall_ms;
    welcome.idle_ms = idle_ms(core);
    envelope.body_case = GM__ENVELOPE__BODY_WELCOME;
    envelope.welcome = &welcome;
    gm_core_fx_send(core, node->id, &envelope, false);
    free(welcome.adopted);
    free(states);
}

static void handle_hello(struct gm_core *core, const char *node_id, const Gm__Hello *m)
{
    struct gm_err err = {.code = GM_OK};
    if (check_hello(core, node_id, m, &err) < 0) {
        refuse(core, node_id, &err);
        return;
    }
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    if (!node) {
        node = gm_mem_zalloc(sizeof(*node));
        node->id = gm_mem_strdup(node_id);
        node->number = core->next_node++;
        fill_node(core, node, m);
        HASH_ADD_KEYPTR(hh, core->nodes, node->id, strlen(node->id), node);
        gm_core_watch_hello(core, node);
    } else if (node->instance != m->instance) {
        lose_leases(core, node, "it was started anew");
        fill_node(core, node, m);
        gm_core_watch_hello(core, node);
    }
    gm_core_drain_hello(core, node);
    node->connected_unix_ms = core->unix_ms;
    hear(core, node);
    gm_devices_note_node(core, node);
    core->place_dirty = true;
    send_welcome(core, node, m);
    gm_core_drain_welcomed(core, node);
}

/* Keeps sums of capacities far from overflow. */
static uint64_t bounded(uint64_t v)
{
    return v < (UINT64_C(1) << 60) ? v : UINT64_C(1) << 60;
}

static struct gm_capacity taken_over(const Gm__Capacity *m)
{
    return (struct gm_capacity){.slots = m->slots,
                                .cpu_milli = m->cpu_milli,
                                .memory_bytes = bounded(m->memory_bytes),
                                .scratch_bytes = bounded(m->scratch_bytes),
                                .sessions = m->sessions,
                                .device_memory_bytes = bounded(m->device_memory_bytes)};
}

/* What is known of a device changed: its proofs, its chains, why it offers nothing. */
static void take_facts(struct gm_cdevice *d, const Gm__Device *facts)
{
    Gm__Device *copy = (Gm__Device *)gm_message_dup(&facts->base);
    if (!copy) {
        gm_mem_exhausted();
    }
    gm__device__free_unpacked(d->facts, NULL);
    d->facts = copy;
    free(d->description);
    d->description = gm_mem_strdup(facts->description);
    gm_core_chains_fini(d);
    gm_core_chains_fill(d, facts);
}

static void handle_offer(struct gm_core *core, struct gm_cnode *node, const Gm__Offer *m)
{
    struct gm_err err = {.code = GM_OK};
    if (m->facts && check_chains(m->facts, &err) < 0) {
        refuse(core, node->id, &err);
        return;
    }
    for (size_t i = 0; m->usable && i < node->device_count; i++) {
        struct gm_cdevice *d = &node->devices[i];
        if (strcmp(d->id, m->device) != 0) {
            continue;
        }
        if (m->facts && strcmp(m->facts->kind, d->kind) == 0) {
            bool had_none = d->chain_count == 0;
            gm_devices_leave(core, d);
            take_facts(d, m->facts);
            gm_devices_join(core, node, d);
            if (had_none && d->chain_count > 0) {
                gm_core_watch_back(core, d);
            }
        }
        d->offered = taken_over(m->usable);
        if (m->node) {
            node->shares = true;
            node->whole = taken_over(m->node);
        }
        gm_core_device_open(core, node, d);
        gm_core_watch_proved(core, d, m->proof);
    }
}

/* Resends what a worker lacks: inputs that were lost, or the word that no more will come. A
 * finishing task's comes with the last of them. */
static void check_feed(struct gm_core *core, struct gm_lease *lease, const Gm__LeaseState *s)
{
    const struct gm_core_task_type *type = lease->inst->task->type;
    if (!gm_core_task_type_is_fed(type) || lease->cancelling) {
        return;
    }
    if (s->inputs_received < lease->fed && core->now - lease->fed_at >= FEED_AGAIN) {
        gm_core_lease_feed(core, lease, s->inputs_received);
    } else if (type->role == GM_ROLE_TRACK && lease->fed_complete &&
               core->now - lease->fed_at >= END_AGAIN) {
        gm_core_lease_feed(core, lease, lease->fed);
    }
}

static bool renew_one(struct gm_core *core, struct gm_cnode *node, const Gm__LeaseState *s)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, s->task_id, s->term, s->epoch);
    if (!lease) {
        return false;
    }
    lease->seen = true;
    if (lease->cancelling) {
        return false;
    }
    lease->expires_at = core->now + core->lease_time;
    if (s->progress > lease->progress) {
        lease->progress = s->progress;
        lease->progress_at = core->now;
    }
    check_feed(core, lease, s);
    gm_core_arrival_said(core, lease, s->waits_part);
    return true;
}

static bool has_ended(const struct gm_cnode *node, const Gm__LeaseState *s)
{
    for (uint32_t i = 0; node->ended && i < GM_CORE_ENDED; i++) {
        if (node->ended[i] == s->epoch) {
            return true;
        }
    }
    return false;
}

static bool names_lease(const Gm__Renew *m, const struct gm_lease *lease)
{
    for (size_t i = 0; i < m->n_leases; i++) {
        if (m->leases[i]->task_id == lease->task_id && m->leases[i]->epoch == lease->epoch) {
            return true;
        }
    }
    return false;
}

/* A cancelled lease that the node no longer names is over. One that it never named may not have
 * reached it when it wrote this: two heartbeats settle that. */
static bool is_over(const struct gm_core *core, const struct gm_lease *lease, const Gm__Renew *m)
{
    bool settled = lease->seen || core->now - lease->cancelled_at >= 2 * core->heartbeat_time;
    return settled && !names_lease(m, lease);
}

static void end_cancelled(struct gm_core *core, struct gm_cnode *node, const Gm__Renew *m)
{
    struct gm_lease *lease, *next;
    DL_FOREACH_SAFE2(node->leases, lease, next, node_next)
    {
        if (lease->cancelling && is_over(core, lease, m)) {
            gm_core_lease_end(core, lease, GM_ATTEMPT_CANCELLED, NULL);
        }
    }
}

/* What is cancelled and not over after this Renew waits for the next one. */
static uint32_t next_ms(const struct gm_core *core, const struct gm_cnode *node, const Gm__Renew *m)
{
    const struct gm_lease *lease;
    DL_FOREACH2(node->leases, lease, node_next)
    {
        if (lease->cancelling && !is_over(core, lease, m)) {
            return core->params.heartbeat_ms;
        }
    }
    return idle_ms(core);
}

/* It names nothing of an earlier term but what this one took over. */
static bool is_of_term(struct gm_core *core, const struct gm_cnode *node, const Gm__Renew *m)
{
    for (size_t i = 0; i < m->n_leases; i++) {
        const Gm__LeaseState *s = m->leases[i];
        if (s->term != core->params.term &&
            !gm_core_lease_find(core, node, s->task_id, s->term, s->epoch)) {
            return false;
        }
    }
    return true;
}

static void handle_renew(struct gm_core *core, struct gm_cnode *node, const Gm__Renew *m)
{
    if (m->counters) {
        gm_core_count_node(core, node, m->counters);
    }
    if (!node->settled && is_of_term(core, node, m)) {
        gm_core_node_settled(core, node);
    }
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renewed renewed = GM__RENEWED__INIT;
    renewed.kept = gm_mem_zalloc(m->n_leases * sizeof(Gm__LeaseState *));
    renewed.lost = gm_mem_zalloc(m->n_leases * sizeof(Gm__LeaseState *));
    for (size_t i = 0; i < m->n_leases; i++) {
        if (renew_one(core, node, m->leases[i])) {
            renewed.kept[renewed.n_kept++] = m->leases[i];
        } else if (!has_ended(node, m->leases[i])) {
            renewed.lost[renewed.n_lost++] = m->leases[i];
        }
    }
    renewed.number = m->number;
    renewed.unix_ms = core->unix_ms;
    renewed.idle_ms = next_ms(core, node, m);
    envelope.body_case = GM__ENVELOPE__BODY_RENEWED;
    envelope.renewed = &renewed;
    gm_core_fx_send(core, node->id, &envelope, false);
    end_cancelled(core, node, m);
    gm_core_drain_renewed(core, node);
    free(renewed.kept);
    free(renewed.lost);
}

static void handle_progress(struct gm_core *core, struct gm_cnode *node, const Gm__Progress *m)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, m->task_id, m->term, m->epoch);
    if (!lease || lease->cancelling) {
        return;
    }
    lease->frames_done = m->frames_done;
    lease->frames_total = m->frames_total;
    lease->job->progress_dirty = true;
}

/* From a node that has not said Hello to this term: its work is of an older one, and may go on when
 * it has. What it says of that is said again then. */
static void handle_stranger(struct gm_core *core, const char *node_id, const Gm__Envelope *e)
{
    struct gm_err err = {.code = GM_OK};
    switch (e->body_case) {
    case GM__ENVELOPE__BODY_RENEW:
    case GM__ENVELOPE__BODY_OFFER:
    case GM__ENVELOPE__BODY_PRODUCED:
    case GM__ENVELOPE__BODY_DONE:
    case GM__ENVELOPE__BODY_FAILED:
    case GM__ENVELOPE__BODY_GRANT_REQUEST:
        (void)gm_err_set(&err, GM_E_UNREACHABLE, 0, "say hello first");
        refuse(core, node_id, &err);
        break;
    case GM__ENVELOPE__BODY_GOODBYE: /* nothing of it is being stored any more */
        gm_core_unheard_end_node(core, node_id);
        gm_core_muster_heard(core, node_id);
        break;
    default:
        break;
    }
}

static void handle_known(struct gm_core *core, struct gm_cnode *node, const Gm__Envelope *e)
{
    struct gm_err err = {.code = GM_OK};
    switch (e->body_case) {
    case GM__ENVELOPE__BODY_OFFER:
        handle_offer(core, node, e->offer);
        break;
    case GM__ENVELOPE__BODY_RENEW:
        handle_renew(core, node, e->renew);
        break;
    case GM__ENVELOPE__BODY_PROGRESS:
        handle_progress(core, node, e->progress);
        break;
    case GM__ENVELOPE__BODY_PRODUCED:
        gm_core_handle_produced(core, node, e->produced, e->seq, node->id);
        break;
    case GM__ENVELOPE__BODY_DONE:
        gm_core_handle_done(core, node, e->done, e->seq, node->id);
        break;
    case GM__ENVELOPE__BODY_FAILED:
        gm_core_handle_failed(core, node, e->failed, e->seq, node->id);
        break;
    case GM__ENVELOPE__BODY_GRANT_REQUEST:
        gm_core_handle_grant(core, node, e->grant_request, node->id);
        break;
    case GM__ENVELOPE__BODY_GOODBYE:
        lose_leases(core, node, "it said goodbye");
        part_with(core, node);
        break;
    case GM__ENVELOPE__BODY__NOT_SET: /* of a newer release: it is passed over */
        break;
    default:
        (void)gm_err_set(&err, GM_E_PROTO, (int64_t)e->body_case,
                         "a node does not send messages of kind %d", (int)e->body_case);
        refuse(core, node->id, &err);
        break;
    }
}

void gm_core_node_message(struct gm_core *core, const char *node_id, const Gm__Envelope *envelope)
{
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    if (envelope->body_case == GM__ENVELOPE__BODY_HELLO) {
        handle_hello(core, node_id, envelope->hello);
        return;
    }
    if (!node) {
        handle_stranger(core, node_id, envelope);
        return;
    }
    hear(core, node);
    handle_known(core, node, envelope);
}

void gm_core_node_gone(struct gm_core *core, const char *node_id)
{
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    if (node) {
        part_with(core, node);
    }
}

static void forget(struct gm_core *core, struct gm_cnode *node)
{
    gm_timers_stop(&core->node_timers, &node->silence);
    gm_core_watch_forget_node(core, node);
    gm_devices_leave_node(core, node);
    HASH_DEL(core->nodes, node);
    gm_core_node_destroy(node);
}

void gm_core_node_tick(struct gm_core *core)
{
    struct gm_timer *timer;
    while ((timer = gm_timers_next(&core->node_timers, core->now)) != NULL) {
        struct gm_cnode *node = GM_TIMER_OWNER(timer, struct gm_cnode, silence);
        gm_time silent = core->now - node->seen;
        if (node->connected && silent >= core->lease_time) {
            part_with(core, node);
        }
        if (node->connected || silent < FORGET_AFTER) {
            gm_timers_set(&core->node_timers, timer, silence_ends(core, node));
        } else if (node->leases) { /* they expire sooner or later */
            gm_timers_set(&core->node_timers, timer, core->now + core->lease_time);
        } else {
            forget(core, node);
        }
    }
}
