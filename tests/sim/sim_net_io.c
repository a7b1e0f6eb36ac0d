/* The network: every message in its real encoding, late, lost, twice, or held while a link is cut.
 * Messages of one link keep their order, but for those that are late: what a broken connection
 * brings after all. What makes a connection (Hello, Welcome, Offer) is never late. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE 20
#define GRANT_MS 3600000 /* scheduler/urls.c */

static bool makes_connection(const Gm__Envelope *e)
{
    return e->body_case == GM__ENVELOPE__BODY_HELLO || e->body_case == GM__ENVELOPE__BODY_WELCOME ||
           e->body_case == GM__ENVELOPE__BODY_OFFER || e->body_case == GM__ENVELOPE__BODY_GOODBYE ||
           e->body_case == GM__ENVELOPE__BODY_REFUSE || e->body_case == GM__ENVELOPE__BODY_DRAIN;
}

static void encode(struct sim *sim, const Gm__Envelope *envelope, struct sim_packet *p)
{
    struct gm_err err;
    Gm__Envelope *copy = (Gm__Envelope *)gm_message_dup(&envelope->base);
    assert_non_null(copy);
    copy->version = GM_PROTOCOL_VERSION;
    Gm__GrantAnswer *answer =
        copy->body_case == GM__ENVELOPE__BODY_GRANT_ANSWER ? copy->grant_answer : NULL;
    for (size_t i = 0; answer && i < answer->n_grants; i++) { /* the daemon's part */
        if (answer->grants[i]->url != protobuf_c_empty_string) {
            free(answer->grants[i]->url);
        }
        answer->grants[i]->url = strdup("file:///x");
        answer->grants[i]->expires_unix_ms =
            SIM_UNIX_BASE + sim->now / GM_MS + sim->wall_ms + GRANT_MS;
    }
    if (gm_envelope_encode(copy, &p->data, &p->size, &err) < 0) {
        fail_msg("seed %u: can't be sent: %s", sim->params.seed, err.text);
    }
    gm__envelope__free_unpacked(copy, NULL);
}

static void hand_over(struct sim *sim, const struct sim_packet *p)
{
    struct sim_node *node = &sim->nodes[p->node];
    struct gm_err err;
    Gm__Envelope *e = NULL;
    if (gm_envelope_decode(p->data, p->size, &e, &err) < 0) {
        fail_msg("seed %u: %s can't read this: %s", sim->params.seed,
                 p->to_node ? "a node" : "the scheduler", err.text);
    }
    if (p->to_node) {
        sim_node_receive(sim, node, e);
    } else {
        struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node->id, .envelope = e};
        assert_int_equal(sim_event(sim, &event, NULL), 0);
    }
    gm__envelope__free_unpacked(e, NULL);
}

static void queue(struct sim *sim, const struct sim_packet *p)
{
    if (sim->packet_count == sim->packet_cap) {
        sim->packet_cap = sim->packet_cap ? sim->packet_cap * 2 : 64;
        sim->packets = realloc(sim->packets, sim->packet_cap * sizeof(*sim->packets));
        assert_non_null(sim->packets);
    }
    sim->packets[sim->packet_count++] = *p;
}

static void post(struct sim *sim, struct sim_node *node, bool to_node, const Gm__Envelope *envelope)
{
    struct sim_packet p = {.to_node = to_node,
                           .node = node->number,
                           .instance = node->instance,
                           .number = ++sim->packets_sent};
    gm_time *until = to_node ? &node->heard_until : &node->sent_until;
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node->id, .envelope = envelope};
    if (!to_node && sim->params.delay_ms == 0) { /* what no encoding takes, too */
        assert_int_equal(sim_event(sim, &event, NULL), 0);
        return;
    }
    encode(sim, envelope, &p);
    if (sim->params.delay_ms == 0) {
        hand_over(sim, &p);
        free(p.data);
        return;
    }
    p.due = sim->now + (1 + sim_random(sim, sim->params.delay_ms)) * GM_MS;
    if (!makes_connection(envelope) && sim_happens(sim, sim->params.late)) {
        p.due += sim_random(sim, LATE * sim->params.delay_ms) * GM_MS;
    } else {
        p.due = p.due > *until ? p.due : *until;
        *until = p.due;
    }
    queue(sim, &p);
}

void sim_net_send(struct sim *sim, struct sim_node *node, bool to_node,
                  const Gm__Envelope *envelope)
{
    bool cut = node->parted && (sim->params.delay_ms == 0 || sim_random(sim, 2) == 0);
    if (!node->alive || cut || sim_happens(sim, sim->params.loss)) {
        return;
    }
    post(sim, node, to_node, envelope);
    if (sim_happens(sim, to_node ? sim->params.twice_down : sim->params.twice)) {
        post(sim, node, to_node, envelope);
    }
}

/* The next that is due and can be delivered, or NULL. */
static struct sim_packet *next_due(struct sim *sim)
{
    struct sim_packet *best = NULL;
    for (size_t i = 0; i < sim->packet_count; i++) {
        struct sim_packet *p = &sim->packets[i];
        const struct sim_node *node = &sim->nodes[p->node];
        bool waits = node->parted || (p->to_node ? node->paused_until > 0 : !sim_is_up(sim));
        if (!waits && p->due <= sim->now &&
            (!best || p->due < best->due || (p->due == best->due && p->number < best->number))) {
            best = p;
        }
    }
    return best;
}

void sim_net_step(struct sim *sim)
{
    struct sim_packet *p;
    while ((p = next_due(sim)) != NULL) {
        struct sim_packet packet = *p;
        *p = sim->packets[--sim->packet_count];
        const struct sim_node *node = &sim->nodes[packet.node];
        if (!packet.to_node || (node->alive && node->instance == packet.instance)) {
            hand_over(sim, &packet);
        }
        free(packet.data);
    }
}

void sim_net_free(struct sim *sim)
{
    for (size_t i = 0; i < sim->packet_count; i++) {
        free(sim->packets[i].data);
    }
    free(sim->packets);
}

static struct sim_node *find_node(struct sim *sim, const char *id)
{
    for (uint32_t i = 0; i < sim->params.nodes; i++) {
        if (strcmp(sim->nodes[i].id, id) == 0) {
            return &sim->nodes[i];
        }
    }
    return NULL;
}

void sim_deliver(struct sim *sim, const struct gm_send *send)
{
    struct sim_node *node = find_node(sim, send->node_id);
    assert_non_null(node);
    if (send->envelope->body_case == GM__ENVELOPE__BODY_ASSIGN) {
        sim->sent_assigns++;
        sim->order_size += (size_t)snprintf(
            sim->order + sim->order_size, sizeof(sim->order) - sim->order_size, "%s.%s@%u ",
            send->envelope->assign->spec->job_id, send->envelope->assign->spec->task, node->number);
        sim->order_size = sim->order_size < sizeof(sim->order) ? sim->order_size : 0;
    }
    if (send->envelope->body_case == GM__ENVELOPE__BODY_ACK) {
        sim_ledger_acked(sim, send->node_id, send->envelope->ack);
    }
    sim->sent_feeds += send->envelope->body_case == GM__ENVELOPE__BODY_FEED ? 1 : 0;
    sim->sent_cancels += send->envelope->body_case == GM__ENVELOPE__BODY_CANCEL ? 1 : 0;
    sim_net_send(sim, node, true, send->envelope);
}

void sim_send(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope)
{
    sim_net_send(sim, node, false, envelope);
}
