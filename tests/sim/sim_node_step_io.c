/* What the simulated nodes do by themselves, a step at a time: Hello, Renew, what is sent again,
 * the faults of their machines, and the work of their tasks. */
#include "sim/sim_io.h"

#include <stdlib.h>
#include <string.h>

void sim_task_held(const struct sim_task *task, Gm__HeldLease *out)
{
    const Gm__Assign *a = task->assign;
    bool runs = sim_task_is(task, "encode") || sim_task_is(task, "analyze");
    gm__held_lease__init(out);
    out->task_id = a->task_id;
    out->term = a->term;
    out->epoch = a->epoch;
    out->progress = task->progress;
    out->inputs_received = (uint32_t)task->input_count;
    out->job_id = a->spec->job_id;
    out->task = a->spec->task;
    out->instance = a->spec->instance;
    out->first_chunk = runs ? a->spec->inputs[0]->item->index : 0;
    out->chunks = runs ? (uint32_t)a->spec->n_inputs : 0;
    out->attempt = a->spec->attempt;
    out->device = a->device;
    out->demand = a->demand;
    out->chain = a->spec->chain;
    out->publication = a->spec->publication;
}

static void hello(struct sim *sim, struct sim_node *node)
{
    Gm__HeldLease states[SIM_TASKS];
    Gm__HeldLease *held[SIM_TASKS];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello m = GM__HELLO__INIT;
    Gm__Device device = GM__DEVICE__INIT, gpu = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&device, &gpu};
    Gm__Chain nvenc = GM__CHAIN__INIT, software = GM__CHAIN__INIT;
    Gm__Chain *chains[] = {&nvenc}, *softwares[] = {&software};
    char build[32];
    char *codecs[] = {(char *)"h264", (char *)"hevc10"};
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Measured measured = GM__MEASURED__INIT;
    Gm__Rate rate = GM__RATE__INIT, *rates[] = {&rate};
    device.id = (char *)"cpu";
    device.kind = (char *)"cpu";
    device.capacity = &capacity;
    software.name = (char *)"cpu";
    software.fingerprint = sim_node_build(node, build);
    device.chains = softwares;
    device.n_chains = sim->params.builds > 0 ? 1 : 0;
    rate.what = (char *)"encode";
    rate.api = (char *)"software";
    rate.codec = (char *)"h264";
    rate.depth = 8;
    rate.one = sim->params.rates[node->number];
    rate.all = rate.one * sim->params.slots * 2; /* a run's renditions are more than one stream */
    device.measured = rate.one > 0 ? &measured : NULL;
    measured.rates = rates;
    measured.n_rates = 1;
    m.node_id = node->id;
    m.instance = node->instance;
    m.protocol = GM_PROTOCOL_VERSION;
    m.proves = m.restarts = !sim->params.old_nodes;
    m.hostname = (char *)"host";
    m.devices = devices;
    m.n_devices = node->number < sim->params.gpus ? 2 : 1;
    m.held = held;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        if (node->tasks[i].assign && !node->tasks[i].dropped) {
            held[m.n_held] = &states[m.n_held];
            sim_task_held(&node->tasks[i], held[m.n_held++]);
        }
    }
    nvenc.name = (char *)"nvenc";
    nvenc.fingerprint = (char *)"fake 1";
    nvenc.codecs = codecs;
    nvenc.n_codecs = 2;
    gpu.id = (char *)"gpu";
    gpu.kind = (char *)"fake";
    gpu.capacity = &capacity;
    gpu.chains = chains;
    gpu.n_chains = 1;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &m;
    node->hello_at = sim->now + GM_SEC;
    sim_send(sim, node, &envelope);
}

static void heartbeat(struct sim *sim, struct sim_node *node)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__LeaseState states[SIM_TASKS];
    Gm__LeaseState *list[SIM_TASKS];
    renew.leases = list;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        const struct sim_task *task = &node->tasks[i];
        if (!task->assign) {
            continue;
        }
        Gm__LeaseState *s = &states[renew.n_leases];
        gm__lease_state__init(s);
        s->task_id = task->assign->task_id;
        s->term = task->assign->term;
        s->epoch = task->assign->epoch;
        s->progress = task->progress;
        s->inputs_received = (uint32_t)task->input_count;
        s->waits_part = task->waits_part;
        list[renew.n_leases++] = s;
    }
    envelope.body_case = GM__ENVELOPE__BODY_RENEW;
    envelope.renew = &renew;
    bool quiet = sim->params.seldom && renew.n_leases == 0;
    node->renew_at = sim->now + (quiet ? sim_lease_time(sim) / 3 : GM_SEC);
    renew.number = ++node->renews;
    if (node->renew_asked == 0) {
        node->renew_asked = sim_node_clock(sim, node);
        node->renew_asked_at = sim->now;
        node->renew_number = renew.number;
    }
    sim_send(sim, node, &envelope);
}

static void resend(struct sim *sim, struct sim_node *node)
{
    node->resend_at = sim->now + 2 * GM_SEC;
    size_t count = node->outbox_count;
    Gm__Envelope **copies = calloc(count + 1, sizeof(*copies));
    assert_non_null(copies);
    for (size_t i = 0; i < count; i++) {
        copies[i] = (Gm__Envelope *)gm_message_dup(&node->outbox[i]->base);
    }
    for (size_t i = 0; i < count; i++) {
        sim_send(sim, node, copies[i]);
        gm__envelope__free_unpacked(copies[i], NULL);
    }
    free(copies);
}

/* The socket may or may not say so; a clean end says Goodbye. */
static void die(struct sim *sim, struct sim_node *node)
{
    struct gm_event gone = {.type = GM_EV_NODE_GONE, .node_id = node->id};
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    envelope.body_case = GM__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &goodbye;
    uint32_t way = sim->params.node_gone > 0 ? sim_random(sim, 4) : 3;
    if (way == 0 && !sim_put_any(node)) { /* it waits for them */
        sim_node_drop_all(node);
        sim_send(sim, node, &envelope);
    }
    sim_node_kill(sim, node);
    if (way == 1 && sim_is_up(sim)) {
        assert_int_equal(sim_event(sim, &gone, NULL), 0);
    }
}

static void drain(struct sim *sim, struct sim_node *node)
{
    bool quarantine = sim_random(sim, 3) == 0;
    struct gm_event event = {.type = quarantine ? GM_EV_QUARANTINE : GM_EV_DRAIN,
                             .node_id = node->id,
                             .device = quarantine && sim_random(sim, 2) == 0 ? "cpu" : NULL,
                             .reason = "made up",
                             .resume = !quarantine && sim_random(sim, 2) == 0};
    if (sim_event(sim, &event, NULL) == 0) {
        sim_commit(sim); /* the operator has the answer */
    }
}

void sim_node_faults(struct sim *sim, struct sim_node *node)
{
    struct gm_event gone = {.type = GM_EV_NODE_GONE, .node_id = node->id};
    if (node->alive && sim_happens(sim, sim->params.node_dies)) {
        die(sim, node);
        node->back_at = sim->now + sim_random(sim, 30) * GM_SEC;
    } else if (node->alive && !node->parted && sim_happens(sim, sim->params.node_parted)) {
        node->parted = true;
        node->back_at = sim->now + sim_random(sim, 40) * GM_SEC;
        sim_trace(sim, "%s: parted", node->id);
    } else if (node->alive && sim_happens(sim, sim->params.node_paused)) {
        node->paused_until = sim->now + (1 + sim_random(sim, 40)) * GM_SEC;
        sim_trace(sim, "%s: stands still", node->id);
    }
    if (sim_is_up(sim) && sim_happens(sim, sim->params.node_gone)) {
        assert_int_equal(sim_event(sim, &gone, NULL), 0);
    }
    if (sim_is_up(sim) && sim_happens(sim, sim->params.drains)) {
        drain(sim, node);
    }
}

/* False: it stands still, or wakes and finds its messages before it looks at its clock. */
static bool runs(struct sim *sim, struct sim_node *node)
{
    if (node->paused_until == 0) {
        return true;
    }
    if (sim->now < node->paused_until) {
        return false;
    }
    node->paused_until = 0;
    return sim_random(sim, 2) == 0;
}

static void prove(struct sim *sim, struct sim_node *node)
{
    if (node->prove_at == 0 || sim->now < node->prove_at) {
        return;
    }
    if (sim->params.bad_node == node->number + 1 && sim->params.bad_chance == 0) {
        node->prove_at = sim->now + 30 * GM_SEC; /* tried again */
        return;
    }
    node->prove_at = 0;
    node->proof = node->prove_asked;
    sim_node_offer_gpu(sim, node, sim->params.slots);
}

/* It was told to start anew, and has nothing to do: it is back a second later. */
static bool ends(struct sim *sim, struct sim_node *node)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    bool idle = node->welcomed && node->outbox_count == 0;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        idle = idle && !node->tasks[i].assign;
    }
    if (!node->restart || !idle) {
        return false;
    }
    envelope.body_case = GM__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &goodbye;
    node->restart = false;
    sim_send(sim, node, &envelope);
    sim_node_kill(sim, node);
    node->back_at = sim->now + GM_SEC;
    return true;
}

void sim_node_step(struct sim *sim, struct sim_node *node)
{
    if ((!node->alive || node->parted) && node->back_at > 0 && sim->now >= node->back_at) {
        node->parted = false;
        node->back_at = 0;
        if (!node->alive) {
            if (sim->params.turns > 0) {
                node->build = sim_random(sim, sim->params.builds);
            }
            sim_node_start(sim, node);
        }
    }
    if (!node->alive || !runs(sim, node) || ends(sim, node)) {
        return;
    }
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *task = &node->tasks[i];
        if (task->assign && !task->dropped && sim_node_clock(sim, node) > task->deadline) {
            sim_task_drop(node, task);
        }
        if (task->assign) {
            sim_put_step(sim, node, task);
        }
    }
    if (!node->welcomed) {
        if (sim->now >= node->hello_at) {
            hello(sim, node);
        }
        return;
    }
    if (sim->now >= node->renew_at) {
        heartbeat(sim, node);
    }
    if (sim->now >= node->resend_at) {
        resend(sim, node);
    }
    sim_sessions_step(sim, node);
    prove(sim, node);
    sim_build_step(sim, node);
    for (size_t i = 0; i < SIM_TASKS && node->welcomed; i++) {
        if (node->tasks[i].assign) {
            sim_task_work(sim, node, &node->tasks[i]);
        }
    }
}

struct sim_task *sim_find_running(struct sim *sim, const char *task, struct sim_node **out_node)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        for (size_t i = 0; i < SIM_TASKS; i++) {
            struct sim_task *t = &sim->nodes[n].tasks[i];
            if (t->assign && !t->dropped && strcmp(t->assign->spec->task, task) == 0) {
                *out_node = &sim->nodes[n];
                return t;
            }
        }
    }
    return NULL;
}
