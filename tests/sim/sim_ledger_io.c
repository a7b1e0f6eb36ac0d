/* Books beside the core's own, kept from nothing but what it sends: leases and what they hold, and
 * what was acknowledged. Where both disagree, one of them is wrong. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.pb-c.h"

#define BROKEN(...) fail_msg(__VA_ARGS__)

static void *grow(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return array;
    }
    *cap = *cap > 0 ? *cap * 2 : 32;
    array = realloc(array, *cap * size);
    assert_non_null(array);
    return array;
}

static bool is_of_chunks(const Gm__TaskSpec *spec)
{
    return strcmp(spec->type, "encode") == 0 || strcmp(spec->type, "analyze") == 0;
}

/* What is made by one chain is given to no other. */
static void check_chain(struct sim *sim, const Gm__Assign *m)
{
    struct gm_job_view job;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, m->spec->job_id, &job, &err), 0);
    if (is_of_chunks(m->spec)) {
        assert_string_equal(m->spec->chain->name, job.chain);
        assert_string_equal(m->spec->chain->fingerprint, job.chain_fingerprint);
    }
    assert_true(job.state == GM_JOB_RUNNING);
    gm_view_job_fini(&job);
}

static bool is_counted(const struct sim_lease *l)
{
    return !l->orphan && !l->ended;
}

static bool lives(const struct sim_lease *l)
{
    return is_counted(l) && !l->cancelled;
}

/* arg: the first one that is not there, of those before it. */
static int pass_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    uint32_t *first = arg;
    (void)err;
    *first += view->item->index == *first ? 1 : 0;
    return 0;
}

/* Both have a unit of which no item is there. A run that goes on may have chunks that others made
 * meanwhile. */
static bool share(const struct sim *sim, const struct sim_lease *a, const struct sim_lease *b)
{
    uint32_t first = a->first > b->first ? a->first : b->first;
    uint32_t end_a = a->first + a->count, end_b = b->first + b->count;
    uint32_t end = end_a < end_b ? end_a : end_b;
    char job[32], task[32];
    struct gm_err err;
    if (strcmp(a->unit, b->unit) != 0 || first >= end) {
        return false;
    }
    assert_int_equal(sscanf(a->unit, "%31[^/]/%31[^/]/", job, task), 2);
    const struct gm_items_wish wish = {.task = task};
    if (a->of_chunks) {
        assert_int_equal(gm_view_items(sim->core, job, wish, pass_item, &first, &err), 0);
    }
    return first < end;
}

/* The end of its run, given out once more on another device: it ends as that one does. */
static bool is_copy(const struct sim_lease *lease, const struct sim_lease *of)
{
    return lease->of_chunks && of->first <= lease->first && !lease->twin && !of->twin &&
           of->first + of->count == lease->first + lease->count &&
           strcmp(of->device, lease->device) != 0;
}

/* No unit has two leases that live, but for a run that is copied. */
static void check_alone(struct sim *sim, struct sim_lease *lease, bool may_copy)
{
    for (size_t i = 0; i < sim->lease_count; i++) {
        struct sim_lease *l = &sim->leases[i];
        if (l == lease || !lives(l) || !share(sim, l, lease)) {
            continue;
        }
        if (may_copy && is_copy(lease, l)) {
            lease->twin = l->twin = true;
            lease->pair = l->epoch;
            l->pair = lease->epoch;
            sim->copies++;
        } else if (lease->pair == l->epoch && l->pair == lease->epoch) {
            lease->twin = l->twin = true; /* both go on after a restart */
            sim->pairs++;
        } else {
            BROKEN("seed %u: %s is leased twice, as %llu and %llu", sim->params.seed, l->unit,
                   (unsigned long long)l->epoch, (unsigned long long)lease->epoch);
        }
    }
}

/* What the operator and the scheduler closed gets nothing, what is on trial one task. */
static void check_quarantine(struct sim *sim, const char *node_id, const char *device)
{
    struct gm_nodes_view v;
    assert_int_equal(gm_view_nodes(sim->core, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        for (size_t k = 0; k < v.rows[i].device_count; k++) {
            const struct gm_device_view *d = &v.rows[i].devices[k];
            bool mine = strcmp(v.rows[i].id, node_id) == 0 && strcmp(d->id, device) == 0;
            bool trial = strcmp(d->quarantine.state, "trial") == 0;
            if (mine && d->quarantine.state[0] != '\0' &&
                !(trial && d->used.slots <= d->capacity.slots)) {
                fail_msg("seed %u: %s/%s is %s and gets a task", sim->params.seed, node_id, device,
                         d->quarantine.state);
            }
        }
    }
    gm_view_nodes_fini(&v);
}

/* No epoch twice. */
static void lease_began(struct sim *sim, const char *node_id, const Gm__Assign *m)
{
    struct sim_lease lease = {.epoch = m->epoch, .count = 1};
    (void)snprintf(lease.unit, sizeof(lease.unit), "%s/%s/%u", m->spec->job_id, m->spec->task,
                   m->spec->instance);
    (void)snprintf(lease.device, sizeof(lease.device), "%s/%s", node_id, m->device);
    lease.demand = (struct gm_capacity){.cpu_milli = m->demand->cpu_milli,
                                        .memory_bytes = m->demand->memory_bytes,
                                        .scratch_bytes = m->demand->scratch_bytes,
                                        .slots = m->demand->slots,
                                        .sessions = m->demand->sessions,
                                        .device_memory_bytes = m->demand->device_memory_bytes};
    if (is_of_chunks(m->spec)) {
        lease.of_chunks = true;
        lease.first = m->spec->inputs[0]->item->index;
        lease.count = (uint32_t)m->spec->n_inputs;
    }
    for (size_t i = 0; i < sim->lease_count; i++) {
        if (sim->leases[i].epoch >= lease.epoch) {
            BROKEN("seed %u: epoch %llu after %llu", sim->params.seed,
                   (unsigned long long)lease.epoch, (unsigned long long)sim->leases[i].epoch);
        }
    }
    check_alone(sim, &lease, true);
    check_chain(sim, m);
    sim->leases = grow(sim->leases, sim->lease_count, &sim->lease_cap, sizeof(*sim->leases));
    sim->leases[sim->lease_count++] = lease;
}

static struct sim_lease *find_lease(struct sim *sim, uint64_t epoch)
{
    for (size_t i = 0; i < sim->lease_count; i++) {
        if (sim->leases[i].epoch == epoch) {
            return &sim->leases[i];
        }
    }
    return NULL;
}

/* Of what is the scheduler's. */
static size_t count_leases(const struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->lease_count; i++) {
        count += is_counted(&sim->leases[i]) ? 1 : 0;
    }
    return count;
}

/* The node goes on with what a scheduler before this one gave it; what it may not is over. */
static void took_over(struct sim *sim, const char *node_id, const Gm__Welcome *m)
{
    for (size_t i = 0; i < m->n_adopted; i++) {
        struct sim_lease *l = find_lease(sim, m->adopted[i]->epoch);
        if (!l || l->gone || (!l->orphan && !lives(l)) ||
            strncmp(l->device, node_id, strlen(node_id)) != 0) {
            BROKEN("seed %u: %s is to go on with lease %llu, which it never had or has no more",
                   sim->params.seed, node_id, (unsigned long long)m->adopted[i]->epoch);
            return;
        }
        sim->adopted += l->orphan ? 1 : 0;
        l->orphan = false;
        check_alone(sim, l, false);
    }
}

bool sim_ledger_lives(struct sim *sim, uint64_t epoch)
{
    const struct sim_lease *l = find_lease(sim, epoch);
    return l && lives(l);
}

static struct gm_capacity sum_of(const struct sim *sim, const char *node, const char *device)
{
    struct gm_capacity sum = {.slots = 0};
    char name[96];
    (void)snprintf(name, sizeof(name), "%s/%s", node, device);
    for (size_t i = 0; i < sim->lease_count; i++) {
        const struct sim_lease *l = &sim->leases[i];
        if (is_counted(l) && strcmp(l->device, name) == 0) {
            for (int k = 0; k < GM_DIMS; k++) {
                sum.v[k] += l->demand.v[k];
            }
        }
    }
    return sum;
}

/* Of what the node's devices share its leases hold no more than there is. */
static void check_shared(const struct sim *sim, const struct sim_node *node)
{
    const Gm__Capacity whole = sim_node_whole(sim);
    uint64_t memory = 0, scratch = 0;
    size_t size = strlen(node->id);
    for (size_t i = 0; i < sim->lease_count; i++) {
        const struct sim_lease *l = &sim->leases[i];
        if (is_counted(l) && strncmp(l->device, node->id, size) == 0 && l->device[size] == '/') {
            memory += l->demand.memory_bytes;
            scratch += l->demand.scratch_bytes;
        }
    }
    if (memory > whole.memory_bytes || scratch > whole.scratch_bytes) {
        BROKEN("seed %u: leases hold %llu MiB of memory and %llu MiB of scratch on %s, which has "
               "%llu and %llu",
               sim->params.seed, (unsigned long long)memory >> 20,
               (unsigned long long)scratch >> 20, node->id,
               (unsigned long long)whole.memory_bytes >> 20,
               (unsigned long long)whole.scratch_bytes >> 20);
    }
}

/* No gpu was given more than it told, in all that its leases hold. */
static void check_gpu(const struct sim *sim, const struct sim_node *node)
{
    uint64_t told = (uint64_t)sim->params.device_memory << 20;
    const struct gm_capacity sum = sum_of(sim, node->id, "gpu");
    if (told > 0 && sum.device_memory_bytes > told) {
        BROKEN("seed %u: leases hold %llu MiB of the memory of %s/gpu, which has %llu",
               sim->params.seed, (unsigned long long)sum.device_memory_bytes >> 20, node->id,
               (unsigned long long)told >> 20);
    }
}

static void check_books(struct sim *sim)
{
    for (uint32_t n = 0; n < sim->params.nodes; n++) {
        check_gpu(sim, &sim->nodes[n]);
        if (sim_node_shares(sim, &sim->nodes[n])) {
            check_shared(sim, &sim->nodes[n]);
        }
    }
    struct gm_core_totals totals;
    struct gm_nodes_view nodes;
    gm_view_totals(sim->core, &totals);
    if (totals.leases != count_leases(sim)) {
        BROKEN("seed %u: %llu leases, %zu were given out and not told to have ended",
               sim->params.seed, (unsigned long long)totals.leases, count_leases(sim));
    }
    assert_int_equal(gm_view_nodes(sim->core, &nodes, NULL), 0);
    for (size_t n = 0; n < nodes.count; n++) {
        for (size_t d = 0; d < nodes.rows[n].device_count; d++) {
            const struct gm_device_view *dev = &nodes.rows[n].devices[d];
            struct gm_capacity sum = sum_of(sim, nodes.rows[n].id, dev->id);
            if (memcmp(&sum, &dev->used, sizeof(sum)) != 0) {
                BROKEN("seed %u: %s/%s has %llu slots and %llu sessions in use, its leases hold "
                       "%llu and %llu",
                       sim->params.seed, nodes.rows[n].id, dev->id,
                       (unsigned long long)dev->used.slots, (unsigned long long)dev->used.sessions,
                       (unsigned long long)sum.slots, (unsigned long long)sum.sessions);
            }
        }
    }
    gm_view_nodes_fini(&nodes);
}

void sim_ledger_check(struct sim *sim, const struct gm_effects *fx)
{
    bool changed = fx->ended_count > 0;
    for (size_t i = 0; i < fx->ended_count; i++) {
        struct sim_lease *l = find_lease(sim, fx->ended[i]);
        if (!l || !is_counted(l)) {
            BROKEN("seed %u: lease %llu ended twice, or never began", sim->params.seed,
                   (unsigned long long)fx->ended[i]);
        }
        assert_non_null(l);
        l->ended = true;
    }
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        if (e->body_case == GM__ENVELOPE__BODY_CANCEL) {
            struct sim_lease *l = find_lease(sim, e->cancel->epoch);
            if (l) {
                l->cancelled = true;
            }
        } else if (e->body_case == GM__ENVELOPE__BODY_WELCOME) {
            took_over(sim, fx->sends[i].node_id, e->welcome);
            changed = true;
        } else if (e->body_case == GM__ENVELOPE__BODY_ASSIGN) {
            lease_began(sim, fx->sends[i].node_id, e->assign);
            check_quarantine(sim, fx->sends[i].node_id, e->assign->device);
            changed = true;
        }
    }
    if (changed) {
        check_books(sim);
    }
}

void sim_ledger_stored(struct sim *sim, const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->ended_count; i++) {
        struct sim_lease *l = find_lease(sim, fx->ended[i]);
        if (l && !l->of_chunks) { /* the end of a run is a lazy row (ADR-0050): it may end again */
            l->gone = true;
        }
    }
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        struct sim_lease *l =
            e->body_case == GM__ENVELOPE__BODY_CANCEL ? find_lease(sim, e->cancel->epoch) : NULL;
        if (l) {
            l->gone = true;
        }
    }
}

void sim_ledger_restart(struct sim *sim)
{
    for (size_t i = 0; i < sim->lease_count; i++) {
        sim->leases[i].orphan = true;
        sim->leases[i].ended = sim->leases[i].cancelled = false; /* but what is on disk */
        sim->leases[i].twin = false;
    }
}

void sim_ledger_promise(struct sim *sim, const struct sim_node *node, const struct sim_task *task,
                        const Gm__Envelope *e, bool lie)
{
    const Gm__TaskSpec *spec = task->assign->spec;
    struct sim_promise p = {.node = node->number, .seq = e->seq, .lie = lie};
    if (e->body_case == GM__ENVELOPE__BODY_FAILED) {
        return;
    }
    (void)snprintf(p.unit, sizeof(p.unit), "%s/%s/%u", spec->job_id, spec->task, spec->instance);
    p.kind = GM_ROW_TASK;
    if (e->body_case == GM__ENVELOPE__BODY_PRODUCED) {
        p.kind = GM_ROW_ITEM;
        p.stream = e->produced->item->stream;
        p.first = e->produced->item->index;
        p.count = 1;
    } else if (is_of_chunks(spec)) { /* its result is its chunks */
        p.kind = GM_ROW_ITEM;
        p.first = spec->inputs[0]->item->index;
        p.count = (uint32_t)spec->n_inputs;
    }
    sim->promises =
        grow(sim->promises, sim->promise_count, &sim->promise_cap, sizeof(*sim->promises));
    sim->promises[sim->promise_count++] = p;
}

static bool is_replanned(struct sim *sim, const char *unit)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(unit, "/"), unit);
    return sim_find_job(sim, id)->replanned;
}

static void check_kept(struct sim *sim, const struct sim_promise *p)
{
    struct gm_key key = {.kind = GM_ROW_TASK};
    uint32_t count = p->kind == GM_ROW_ITEM ? p->count : 1;
    bool there = sim_row_key(sim, p->unit, &key);
    for (uint32_t i = 0; i < count; i++) {
        if (p->kind == GM_ROW_ITEM) {
            key.kind = GM_ROW_ITEM;
            key.stream = p->stream;
            key.index = p->first + i;
        }
        bool gone = (!there || !sim_row_find(sim, &key)) && !is_replanned(sim, p->unit);
        if (p->lie || gone) {
            BROKEN("seed %u: %s, %u of stream %u, was acknowledged and is %s", sim->params.seed,
                   p->unit, key.index, key.stream, p->lie ? "a lie" : "not on disk");
        }
    }
    sim->acked++;
}

void sim_ledger_acked(struct sim *sim, const char *node_id, const Gm__Ack *ack)
{
    for (size_t i = sim->promise_count; i > 0 && !ack->stale; i--) {
        const struct sim_promise *p = &sim->promises[i - 1];
        if (p->seq == ack->seq && strcmp(sim->nodes[p->node].id, node_id) == 0) {
            check_kept(sim, p);
            return;
        }
    }
}

static uint32_t count_rows(struct sim *sim, enum gm_row_kind kind, const char *job,
                           const char *task)
{
    char unit[96];
    struct gm_key key;
    uint32_t n = 0;
    (void)snprintf(unit, sizeof(unit), "%s/%s/0", job, task);
    bool there = sim_row_key(sim, unit, &key);
    for (const struct sim_row *r = sim->rows; there && r; r = r->hh.next) {
        n += r->key.kind == kind && r->key.job == key.job && r->key.task == key.task;
    }
    return n;
}

void sim_ledger_publish(struct sim *sim, const char *job_id)
{
    const struct sim_job *job = sim_find_job(sim, job_id);
    struct gm_key key = {.kind = GM_ROW_JOB, .job = job->seq};
    const struct sim_row *row = sim_row_find(sim, &key);
    assert_non_null(row);
    Gm__JobRow *m = gm__job_row__unpack(NULL, row->size, row->data);
    assert_non_null(m);
    bool whole = m->state == GM_JOB_PUBLISHING;
    gm__job_row__free_unpacked(m, NULL);
    if (!whole) {
        return; /* a report alone */
    }
    uint32_t pictures = job->kind != SIM_SOUND;
    const struct {
        const char *task;
        uint32_t items, results;
    } rows[] = {{"inspect", 0, 1},
                {"plan", 0, 1},
                {"split", job->chunks * (pictures + job->tracks + job->texts), 1},
                {"video", job->chunks * pictures, pictures},
                {"audio", job->chunks * job->tracks, job->tracks},
                {"subs", job->chunks * job->texts, job->texts},
                {"images", 0, pictures},
                {"mp4", 0, job->mp4s},
                {"hls", 0, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t items = count_rows(sim, GM_ROW_ITEM, job_id, rows[i].task);
        uint32_t results = count_rows(sim, GM_ROW_TASK, job_id, rows[i].task);
        if (items != rows[i].items || results != rows[i].results) {
            BROKEN(
                "seed %u: %s publishes, and `%s` has %u of %u items and %u of %u results on disk",
                sim->params.seed, job_id, rows[i].task, items, rows[i].items, results,
                rows[i].results);
        }
    }
    sim->published++;
}
