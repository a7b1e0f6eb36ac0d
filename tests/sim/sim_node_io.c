/* The nodes of the simulated farm: what an agent promises (docs/protocol.md), with made-up work;
 * here their tasks, and what they do with what they are told. */
#include "sim/sim_io.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void task_fini(struct sim_task *task)
{
    if (task->assign) {
        gm__assign__free_unpacked(task->assign, NULL);
    }
    for (size_t i = 0; i < task->input_count; i++) {
        gm__task_input__free_unpacked(task->inputs[i], NULL);
    }
    free(task->inputs);
    memset(task, 0, sizeof(*task));
}

static bool envelope_is_of(const Gm__Envelope *e, const struct sim_task *task)
{
    uint64_t epoch = task->assign->epoch;
    return (e->body_case == GM__ENVELOPE__BODY_PRODUCED && e->produced->epoch == epoch) ||
           (e->body_case == GM__ENVELOPE__BODY_DONE && e->done->epoch == epoch) ||
           (e->body_case == GM__ENVELOPE__BODY_FAILED && e->failed->epoch == epoch);
}

static void outbox_remove(struct sim_node *node, size_t i)
{
    gm__envelope__free_unpacked(node->outbox[i], NULL);
    memmove(&node->outbox[i], &node->outbox[i + 1],
            (node->outbox_count - i - 1) * sizeof(node->outbox[0]));
    node->outbox_count--;
}

void sim_task_drop(struct sim_node *node, struct sim_task *task)
{
    for (size_t i = node->outbox_count; i > 0; i--) {
        if (envelope_is_of(node->outbox[i - 1], task)) {
            outbox_remove(node, i - 1);
        }
    }
    if (task->put.busy) {
        task->dropped = true;
    } else {
        task_fini(task);
    }
}

void sim_node_drop_all(struct sim_node *node)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        if (node->tasks[i].assign) {
            sim_task_drop(node, &node->tasks[i]);
        }
    }
    while (node->outbox_count > 0) {
        outbox_remove(node, node->outbox_count - 1);
    }
}

gm_time sim_node_clock(const struct sim *sim, const struct sim_node *node)
{
    return sim->now + sim->now / 1000000 * node->drift_ppm;
}

gm_time sim_lease_time(const struct sim *sim)
{
    return (sim->params.lease_ms > 0 ? sim->params.lease_ms : 15000) * GM_MS;
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
    sim_trace(sim, "%s: starts", node->id);
    node->paused_until = 0;
    node->renew_asked = 0;
    node->alive = true;
    node->parted = false;
    node->welcomed = false;
    node->instance++;
    node->seq = node->request = node->instance << 32; /* as an agent's begin anew */
    node->term = 0;
    node->limit = 0;
    node->grow_at = 0;
    node->prove_asked = node->proof = 0;
    node->prove_at = 0;
    node->hello_at = sim->now;
}

void sim_node_kill(struct sim *sim, struct sim_node *node)
{
    sim_trace(sim, "%s: ends", node->id);
    for (size_t i = 0; i < SIM_TASKS; i++) {
        sim_put_kill(sim, &node->tasks[i]);
    }
    sim_node_drop_all(node);
    node->alive = false;
}

/* Sends now and again until it is acknowledged. */
void sim_send_reliably(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope)
{
    struct sim_task *task = NULL;
    envelope->seq = ++node->seq;
    for (size_t i = 0; i < SIM_TASKS && !task; i++) {
        task = node->tasks[i].assign && envelope_is_of(envelope, &node->tasks[i]) ? &node->tasks[i]
                                                                                  : NULL;
    }
    if (task) {
        sim_ledger_promise(sim, node, task, envelope, node->lies);
    }
    if (node->outbox_count == node->outbox_cap) {
        node->outbox_cap = node->outbox_cap ? node->outbox_cap * 2 : 16;
        node->outbox = realloc(node->outbox, node->outbox_cap * sizeof(node->outbox[0]));
        assert_non_null(node->outbox);
    }
    Gm__Envelope *copy = (Gm__Envelope *)gm_message_dup(&envelope->base);
    assert_non_null(copy);
    node->outbox[node->outbox_count++] = copy;
    sim_send(sim, node, envelope);
}

bool sim_node_waits_for_acks(const struct sim_node *node, const struct sim_task *task)
{
    bool some = false;
    for (size_t i = 0; i < node->outbox_count && !some; i++) {
        some = envelope_is_of(node->outbox[i], task);
    }
    return some;
}

static struct sim_task *find_any(struct sim_node *node, uint64_t task_id, uint64_t term,
                                 uint64_t epoch)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        const Gm__Assign *a = node->tasks[i].assign;
        if (a && a->task_id == task_id && a->term == term && a->epoch == epoch) {
            return &node->tasks[i];
        }
    }
    return NULL;
}

/* NULL also where it was dropped. */
static struct sim_task *find_task(struct sim_node *node, uint64_t task_id, uint64_t term,
                                  uint64_t epoch)
{
    struct sim_task *task = find_any(node, task_id, term, epoch);
    return task && !task->dropped ? task : NULL;
}

static void add_input(struct sim_task *task, const Gm__TaskInput *input)
{
    if (task->input_count == task->input_cap) {
        task->input_cap = task->input_cap ? task->input_cap * 2 : 8;
        task->inputs = realloc(task->inputs, task->input_cap * sizeof(task->inputs[0]));
        assert_non_null(task->inputs);
    }
    task->inputs[task->input_count] = (Gm__TaskInput *)gm_message_dup(&input->base);
    assert_non_null(task->inputs[task->input_count]);
    task->input_count++;
}

bool sim_task_is(const struct sim_task *task, const char *type)
{
    return strcmp(task->assign->spec->type, type) == 0;
}

bool sim_is_track(const struct sim_task *task)
{
    return sim_task_is(task, "audio") || sim_task_is(task, "loudness") ||
           sim_task_is(task, "subtitles");
}

uint32_t sim_stream(const struct sim_task *task)
{
    return (sim_task_is(task, "subtitles") ? 17 : 1) + task->assign->spec->instance;
}

static uint32_t count_results(const Gm__TaskSpec *spec, const char *task)
{
    uint32_t n = 0;
    for (size_t i = 0; i < spec->n_results; i++) {
        n += strcmp(spec->results[i]->task, task) == 0 ? 1 : 0;
    }
    return n;
}

/* What it was given: what lies behind a barrier what the barrier found. */
static void check_barriers(const struct sim_task *task)
{
    const Gm__TaskSpec *spec = task->assign->spec;
    const struct sim_job *job = task->job;
    if (spec->source != NULL) { /* over each restart */
        assert_string_equal(spec->source->etag, SIM_ETAG);
    }
    if (job->kind == SIM_PLAIN) {
        return;
    }
    if (sim_task_is(task, "audio")) {
        assert_int_equal(count_results(spec, "loud"), job->tracks);
        assert_true(spec->inputs_complete);
    }
    if (sim_task_is(task, "encode")) {
        assert_int_equal(count_results(spec, "analyze"), 1);
        const Gm__TaskResult *r = spec->results[spec->n_results - 1];
        assert_string_equal(r->task, "analyze");
        Gm__AnalyzeMeta *meta = gm__analyze_meta__unpack(NULL, r->meta.len, r->meta.data);
        assert_non_null(meta);
        assert_int_equal(meta->n_chunks, job->chunks);
        assert_int_equal(meta->frames, job->chunks * (job->chunks + 1) / 2);
        for (size_t i = 0; i < meta->n_chunks; i++) {
            assert_int_equal(meta->chunks[i]->chunk, i);
        }
        gm__analyze_meta__free_unpacked(meta, NULL);
    }
}

/* What a worker may count on when it starts. */
static void check_assign(const struct sim_task *task)
{
    const Gm__TaskSpec *spec = task->assign->spec;
    const struct sim_job *job = task->job;
    assert_true(sim_task_is(task, "inspect") || spec->n_results >= 1);
    assert_true(sim_task_is(task, "inspect") || sim_task_is(task, "plan") || spec->n_results >= 2);
    check_barriers(task);
    if (sim_is_track(task)) {
        for (size_t i = 0; i < spec->n_inputs; i++) {
            assert_int_equal(spec->inputs[i]->item->index, i);
            assert_int_equal(spec->inputs[i]->item->stream, sim_stream(task));
        }
        return;
    }
    if (sim_task_is(task, "encode") || sim_task_is(task, "analyze")) {
        assert_true(spec->inputs_complete);
        assert_true(spec->n_inputs >= 1 && spec->n_inputs <= 32);
        for (size_t i = 1; i < spec->n_inputs; i++) {
            assert_int_equal(spec->inputs[i]->item->index, spec->inputs[i - 1]->item->index + 1);
        }
    } else if (sim_task_is(task, "mp4") || sim_task_is(task, "package")) {
        uint32_t pictures = job->kind != SIM_SOUND;
        uint32_t tracks = job->tracks + job->texts;
        assert_int_equal(spec->n_results, 2 + pictures + tracks); /* inspect plan video audio */
    }
}

/* All that a finishing task is given, in their order. */
static void check_whole(const struct sim_task *task)
{
    const struct sim_job *job = task->job;
    uint32_t streams = 0;
    if (sim_task_is(task, "thumbnails")) {
        streams = 1;
    } else if (sim_task_is(task, "mp4") || sim_task_is(task, "package")) {
        streams = (job->kind != SIM_SOUND) + job->tracks + job->texts;
    }
    if (streams > 0 && task->complete) {
        assert_int_equal(task->input_count, job->chunks * streams);
        for (size_t i = 0; i < task->input_count; i++) {
            assert_int_equal(task->inputs[i]->item->index, i % job->chunks);
        }
    }
}

/* What encodes is on a device of the chain, what does not on the processor. */
static void check_chain(const struct sim *sim, const struct sim_node *node, const Gm__Assign *m)
{
    char build[32];
    const char *type = m->spec->type;
    bool encodes = strcmp(type, "encode") == 0 || strcmp(type, "analyze") == 0;
    bool gpu = strcmp(m->device, "gpu") == 0;
    assert_true((m->spec->chain != NULL) == (encodes || strcmp(type, "plan") == 0));
    assert_true(m->spec->chain ? (strcmp(m->spec->chain->name, "nvenc") == 0) == gpu : !gpu);
    if (m->spec->chain && !gpu) {
        assert_string_equal(m->spec->chain->fingerprint,
                            sim->params.builds > 0 ? sim_node_build(node, build) : "");
    }
}

static void take_assign(struct sim *sim, struct sim_node *node, const Gm__Assign *m)
{
    if (m->term != node->term || find_any(node, m->task_id, m->term, m->epoch)) {
        return;
    }
    uint32_t used = 0;
    struct sim_task *task = NULL;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        const struct sim_task *t = &node->tasks[i];
        used += t->assign && !t->dropped && !t->finished ? 1 : 0; /* until its end is said */
        task = !task && !node->tasks[i].assign ? &node->tasks[i] : task;
    }
    assert_true(sim->lossy || used < sim->params.slots * (sim->params.gpus > 0 ? 2 : 1));
    if (!task) {
        return; /* lost: the lease expires */
    }
    node->renew_at = node->renew_at < sim->now + GM_SEC ? node->renew_at : sim->now + GM_SEC;
    *task = (struct sim_task){.deadline = sim_node_clock(sim, node) + sim_lease_time(sim),
                              .lease_end = sim->now + sim_lease_time(sim)};
    task->assign = (Gm__Assign *)gm_message_dup(&m->base);
    assert_non_null(task->assign);
    for (uint32_t j = 0; j < sim->job_count; j++) {
        if (strcmp(sim->jobs[j].id, m->spec->job_id) == 0) {
            task->job = &sim->jobs[j];
        }
    }
    assert_non_null(task->job);
    for (size_t i = 0; i < m->spec->n_inputs; i++) {
        add_input(task, m->spec->inputs[i]);
    }
    task->complete = m->spec->inputs_complete;
    task->build = node->build;
    node->assigned++;
    if (sim_build_refuses(sim, node, task)) {
        return;
    }
    check_chain(sim, node, m);
    check_assign(task);
    check_whole(task);
}

static void take_feed(struct sim_node *node, const Gm__Feed *m)
{
    struct sim_task *task = find_task(node, m->task_id, m->term, m->epoch);
    if (!task || m->first > task->input_count) {
        return; /* a gap: an earlier one was lost and comes again */
    }
    for (size_t i = task->input_count - m->first; i < m->n_inputs; i++) {
        if (sim_is_track(task)) {
            assert_int_equal(m->inputs[i]->item->index, task->input_count);
            assert_int_equal(m->inputs[i]->item->stream, sim_stream(task));
        }
        add_input(task, m->inputs[i]);
    }
    task->complete = task->complete || m->inputs_complete;
    check_whole(task);
}

void sim_task_fail(struct sim *sim, struct sim_node *node, struct sim_task *task, enum gm_code code,
                   int64_t native, int64_t chunk)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Failed failed = GM__FAILED__INIT;
    Gm__Error error = GM__ERROR__INIT;
    error.code = code;
    error.native = native;
    error.text = (char *)"made up";
    failed.task_id = task->assign->task_id;
    failed.term = task->assign->term;
    failed.epoch = task->assign->epoch;
    failed.error = &error;
    failed.chunk = chunk;
    envelope.body_case = GM__ENVELOPE__BODY_FAILED;
    envelope.failed = &failed;
    assert_false(task->put.busy);
    task->finished = true;
    sim_send_reliably(sim, node, &envelope);
}

void sim_node_offer_gpu(struct sim *sim, struct sim_node *node, uint32_t slots)
{
    sim_node_tell_gpu(sim, node, slots, NULL);
}

bool sim_node_shares(const struct sim *sim, const struct sim_node *node)
{
    return sim->params.shares && node->number % 2 == 0;
}

/* Less than the devices' parts together. */
Gm__Capacity sim_node_whole(const struct sim *sim)
{
    Gm__Capacity whole = GM__CAPACITY__INIT;
    whole.cpu_milli = sim->params.slots * 1000;
    whole.memory_bytes = (uint64_t)sim->params.slots * 200 << 20; /* of more than one task */
    whole.scratch_bytes = (uint64_t)sim->params.slots * 192 << 20;
    return whole;
}

void sim_node_tell_gpu(struct sim *sim, struct sim_node *node, uint32_t slots, const char *chain)
{
    char *codecs[] = {(char *)"h264", (char *)"hevc10"};
    Gm__Chain nvenc = GM__CHAIN__INIT;
    Gm__Chain *chains[] = {&nvenc};
    Gm__Device facts = GM__DEVICE__INIT;
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Capacity usable = GM__CAPACITY__INIT;
    usable.cpu_milli = slots * 1000;
    usable.memory_bytes = (uint64_t)slots << 30;
    usable.scratch_bytes = (uint64_t)slots << 30;
    usable.slots = slots;
    usable.sessions = node->limit;
    usable.device_memory_bytes = (uint64_t)sim->params.device_memory << 20;
    node->slots = slots;
    offer.proof = node->proof;
    offer.device = (char *)"gpu";
    offer.usable = &usable;
    Gm__Capacity whole = sim_node_whole(sim);
    offer.node = sim_node_shares(sim, node) ? &whole : NULL;
    nvenc.name = (char *)"nvenc";
    nvenc.fingerprint = (char *)(uintptr_t)(chain ? chain : "");
    nvenc.codecs = codecs;
    nvenc.n_codecs = 2;
    facts.id = (char *)"gpu";
    facts.kind = (char *)"fake";
    facts.description = (char *)"told anew";
    facts.chains = chains;
    facts.n_chains = chain && chain[0] != '\0' ? 1 : 0;
    offer.facts = chain ? &facts : NULL;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &offer;
    sim_send(sim, node, &envelope);
}

static bool is_adopted(const struct sim_task *task, const Gm__Welcome *m)
{
    for (size_t i = 0; i < m->n_adopted; i++) {
        if (m->adopted[i]->epoch == task->assign->epoch &&
            m->adopted[i]->term == task->assign->term) {
            return true;
        }
    }
    return false;
}

static void take_welcome(struct sim *sim, struct sim_node *node, const Gm__Welcome *m)
{
    node->welcomed = true;
    node->renew_asked = 0;
    node->told_unix_ms = m->unix_ms;
    node->told_at = sim->now;
    node->term = m->term;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *task = &node->tasks[i];
        bool held = task->assign && !task->dropped;
        if (held && task->assign->term != m->term && !is_adopted(task, m)) {
            sim_task_drop(node, task);
        }
    }
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Capacity usable = GM__CAPACITY__INIT;
    usable.cpu_milli = sim->params.slots * 1000;
    bool is_small = sim->params.small_build == node->build + 1;
    usable.memory_bytes = is_small ? 1 << 20 : (uint64_t)sim->params.slots << 30;
    usable.scratch_bytes = (uint64_t)sim->params.slots << 30;
    usable.slots = sim->params.slots;
    offer.device = (char *)"cpu";
    offer.usable = &usable;
    Gm__Capacity whole = sim_node_whole(sim);
    offer.node = sim_node_shares(sim, node) ? &whole : NULL;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &offer;
    /* A node says again what its link did not take: no offer is lost for good. */
    uint32_t loss = sim->params.loss;
    sim->params.loss = 0;
    sim_send(sim, node, &envelope);
    if (node->number < sim->params.gpus) {
        sim_node_offer_gpu(sim, node, sim->params.slots);
    }
    sim->params.loss = loss;
    node->resend_at = sim->now;
}

static void take_ack(struct sim_node *node, const Gm__Ack *m)
{
    for (size_t i = 0; i < node->outbox_count; i++) {
        const Gm__Envelope *e = node->outbox[i];
        if (e->seq != m->seq) {
            continue;
        }
        struct sim_task *of = NULL;
        for (size_t t = 0; t < SIM_TASKS && !of; t++) {
            if (node->tasks[t].assign && envelope_is_of(e, &node->tasks[t])) {
                of = &node->tasks[t];
            }
        }
        bool last = e->body_case != GM__ENVELOPE__BODY_PRODUCED;
        outbox_remove(node, i);
        if (of && (m->stale || last)) {
            sim_task_drop(node, of);
        }
        return;
    }
}

static void take_renewed(struct sim *sim, struct sim_node *node, const Gm__Renewed *m)
{
    bool late = m->number < node->renew_number;
    gm_time from = late ? 0 : node->renew_asked;
    node->renew_asked = late ? node->renew_asked : 0;
    node->told_unix_ms = m->unix_ms;
    node->told_at = sim->now;
    for (size_t i = 0; i < m->n_kept && from > 0; i++) {
        struct sim_task *task =
            find_task(node, m->kept[i]->task_id, m->kept[i]->term, m->kept[i]->epoch);
        if (task && from + sim_lease_time(sim) > task->deadline) {
            task->deadline = from + sim_lease_time(sim);
            task->lease_end = node->renew_asked_at + sim_lease_time(sim);
        }
    }
    for (size_t i = 0; i < m->n_lost; i++) {
        struct sim_task *task =
            find_task(node, m->lost[i]->task_id, m->lost[i]->term, m->lost[i]->epoch);
        if (task) {
            sim_task_drop(node, task);
        }
    }
}

static void take_grant(struct sim_node *node, const Gm__GrantAnswer *m)
{
    for (size_t i = 0; i < SIM_TASKS; i++) {
        struct sim_task *task = &node->tasks[i];
        bool asked = task->assign && !task->dropped && task->grant_asked && !task->granted;
        if (!asked || task->request != m->request) {
            continue;
        }
        if (m->error) {
            assert_int_equal(m->error->code, GM_E_STALE);
            sim_task_drop(node, task);
        } else {
            task->granted = true;
            assert_int_equal(m->n_grants, 1);
            (void)snprintf(task->key, sizeof(task->key), "%s", m->grants[0]->key);
            task->expires_unix_ms = m->grants[0]->expires_unix_ms;
        }
    }
}

/* It offers nothing until the proof has passed. */
static void take_prove(struct sim *sim, struct sim_node *node, const Gm__Prove *m)
{
    assert_false(sim->params.old_nodes);
    assert_string_equal(m->device, "gpu");
    assert_true(m->number > 0);
    if (m->number != node->prove_asked) {
        node->prove_asked = m->number;
        node->prove_at = sim->now + 2 * GM_SEC;
        sim_node_offer_gpu(sim, node, 0);
    }
}

void sim_node_receive(struct sim *sim, struct sim_node *node, const Gm__Envelope *e)
{
    struct sim_task *task;
    switch (e->body_case) {
    case GM__ENVELOPE__BODY_WELCOME:
        take_welcome(sim, node, e->welcome);
        break;
    case GM__ENVELOPE__BODY_REFUSE:
        assert_int_equal(e->refuse->error->code, GM_E_UNREACHABLE);
        node->welcomed = false;
        break;
    case GM__ENVELOPE__BODY_ASSIGN:
        take_assign(sim, node, e->assign);
        break;
    case GM__ENVELOPE__BODY_FEED:
        take_feed(node, e->feed);
        break;
    case GM__ENVELOPE__BODY_RENEWED:
        take_renewed(sim, node, e->renewed);
        break;
    case GM__ENVELOPE__BODY_GRANT_ANSWER:
        take_grant(node, e->grant_answer);
        break;
    case GM__ENVELOPE__BODY_ACK:
        take_ack(node, e->ack);
        break;
    case GM__ENVELOPE__BODY_CANCEL:
        task = find_task(node, e->cancel->task_id, e->cancel->term, e->cancel->epoch);
        if (task && (task->put.busy || sim_random(sim, 2) == 0)) {
            sim_task_drop(node, task); /* the next Renew says so */
        } else if (task && !task->finished) {
            sim_task_fail(sim, node, task, GM_E_CANCELLED, 0, -1);
        }
        break;
    case GM__ENVELOPE__BODY_DRAIN:
        node->drained = !e->drain->resume;
        node->restart = e->drain->restart;
        break;
    case GM__ENVELOPE__BODY_PROVE:
        take_prove(sim, node, e->prove);
        break;
    default:
        fail_msg("a node got message %d", (int)e->body_case);
    }
}
