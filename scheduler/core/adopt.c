/* Work that outlives its scheduler. What ran when the one before ended may run still: a node that
 * says Hello names the leases that it holds, and those go on under their old names whose unit is
 * open, for the plan that the job has now. Everything else of earlier terms is dropped.
 *
 * Until its node was heard of, what ran is given to nobody else: but not longer than a lease of the
 * term before lasts, for then its node has stopped by its own clock. That saves work done twice, no
 * more: where two nodes do make one thing, the first commit counts, as always.
 *
 * A run and its copy (straggle.c) both go on, whoever comes first: none knows which of them is
 * further. One that does not come back leaves the units to the other, which is awaited still.
 *
 * An attempt's row may be lost with its scheduler; its lease can be taken over all the same, and
 * nothing is given to others before its node had time to come back (muster.c). What
 * ended an attempt is stored with the row that says so: one that has such a row runs no more.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/adopt.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

#define MOST_DEMAND (UINT64_C(1) << 48) /* sums of as many as a Hello may have fit into 64 bits */

void gm_core_unheard_add(struct gm_core *core, struct gm_attempt *attempt)
{
    struct gm_unheard *node = NULL;
    HASH_FIND_STR(core->unheard, attempt->node_id, node);
    if (!node) {
        node = gm_mem_zalloc(sizeof(*node));
        node->node_id = gm_mem_strdup(attempt->node_id);
        HASH_ADD_KEYPTR(hh, core->unheard, node->node_id, strlen(node->node_id), node);
    }
    attempt->unheard = true;
    attempt->inst->task->job->unheard_count++;
    DL_APPEND2(node->attempts, attempt, unheard_prev, unheard_next);
}

static void forget_node(struct gm_unheard *node)
{
    free(node->node_id);
    free(node);
}

void gm_core_unheard_fini(struct gm_core *core)
{
    struct gm_unheard *node = core->unheard;
    HASH_CLEAR(hh, core->unheard);
    while (node) { /* the list outlives its table */
        struct gm_unheard *next = node->hh.next;
        forget_node(node);
        node = next;
    }
}

static void take_out(struct gm_core *core, struct gm_attempt *attempt)
{
    struct gm_cjob *job = attempt->inst->task->job;
    struct gm_unheard *node = NULL;
    HASH_FIND_STR(core->unheard, attempt->node_id, node);
    GM_ASSERT(node != NULL);
    attempt->unheard = false;
    DL_DELETE2(node->attempts, attempt, unheard_prev, unheard_next);
    if (!node->attempts) {
        HASH_DEL(core->unheard, node);
        forget_node(node);
    }
    if (--job->unheard_count == 0) {
        free(job->epochs); /* few will ask for it any more */
        job->epochs = NULL;
        job->epoch_count = 0;
    }
}

/* The i-th unit of the attempt that there is, or NULL behind the last. */
static struct gm_unit *attempt_unit(const struct gm_attempt *a, uint32_t i)
{
    struct gm_inst *inst = a->inst;
    if (a->chunks == 0) {
        return i == 0 && inst->task->type->fan != GM_FAN_RUNS ? &inst->unit : NULL;
    }
    size_t chunk = (size_t)a->first_chunk + i;
    return i < a->chunks && chunk < inst->chunk_count ? &inst->chunks[chunk].unit : NULL;
}

void gm_core_unheard_wait(struct gm_core *core, struct gm_cjob *job)
{
    for (size_t i = 0; i < job->attempt_count; i++) {
        struct gm_attempt *a = job->attempts[i];
        struct gm_unit *unit;
        for (uint32_t u = 0; a->unheard && (unit = attempt_unit(a, u)) != NULL; u++) {
            if (unit->state == GM_TASK_READY) {
                gm_core_unit_move(core, job, unit, GM_UNIT_AWAIT);
            } else if (!unit->awaited) {
                continue;
            } else { /* the newest of several: it was copied */
                a->overlaps = true;
            }
            unit->awaited = a;
            unit->retry_at = core->strangers_until;
            if (job->wake_at == 0 || job->wake_at > unit->retry_at) {
                job->wake_at = unit->retry_at;
            }
        }
    }
}

/* The newest one that ran beside the attempt and has the unit, too: NULL: none is awaited. */
static const struct gm_attempt *
find_overlapped(const struct gm_cjob *job, const struct gm_attempt *a, const struct gm_unit *unit)
{
    for (size_t i = job->attempt_count; a->overlaps && i > 0; i--) {
        const struct gm_attempt *other = job->attempts[i - 1];
        struct gm_unit *has;
        if (!other->unheard || other->inst != a->inst) {
            continue;
        }
        for (uint32_t u = 0; (has = attempt_unit(other, u)) != NULL; u++) {
            if (has == unit) {
                return other;
            }
        }
    }
    return NULL;
}

/* It is lost with its scheduler, which is nobody's failure. Its row is left to the next tick. What
 * it was a copy of is awaited still. */
static void give_up(struct gm_core *core, struct gm_attempt *a)
{
    struct gm_cjob *job = a->inst->task->job;
    struct gm_unit *unit;
    take_out(core, a);
    a->outcome = GM_ATTEMPT_LOST;
    a->ended_unix_ms = 0;
    core->unstamped = true;
    for (uint32_t u = 0; (unit = attempt_unit(a, u)) != NULL; u++) {
        if (unit->awaited == a) {
            unit->awaited = find_overlapped(job, a, unit);
            if (!unit->awaited) {
                gm_core_unit_move(core, job, unit, GM_UNIT_WAKE);
            }
        }
    }
    if (a->chunks == 0 && a->progressed) { /* as gm_core_lease_fail */
        gm_core_unit_clear(&a->inst->unit);
    }
}

static void lose(struct gm_core *core, struct gm_attempt *a)
{
    give_up(core, a);
    if (core->unix_ms > 0) { /* recovery has no wall clock */
        a->ended_unix_ms = gm_core_stamp(core, a->started_unix_ms);
        gm_core_count_failed(core, a);
        gm_core_row_attempt(core, a->inst->task->job, a);
    }
}

void gm_core_unheard_end_node(struct gm_core *core, const char *node_id)
{
    struct gm_unheard *node = NULL;
    do { /* with its last attempt it is forgotten */
        HASH_FIND_STR(core->unheard, node_id, node);
        if (node) {
            lose(core, node->attempts);
        }
    } while (node);
}

void gm_core_unheard_end_job(struct gm_core *core, struct gm_cjob *job)
{
    for (size_t i = 0; job->unheard_count > 0 && i < job->attempt_count; i++) {
        if (job->attempts[i]->unheard) {
            lose(core, job->attempts[i]);
        }
    }
}

void gm_core_unheard_tick(struct gm_core *core)
{
    while (core->unheard && core->now >= core->strangers_until) {
        give_up(core, core->unheard->attempts); /* the step may fail yet, and then writes nothing */
    }
}

static int by_epoch(const void *a, const void *b)
{
    const struct gm_epoch *x = a, *y = b;
    int later = x->epoch > y->epoch ? 1 : x->epoch < y->epoch ? -1 : 0;
    return later != 0 ? later : x->at > y->at ? 1 : x->at < y->at ? -1 : 0;
}

/* Those that there are now; what comes later is few, and searched one by one. */
static void index_epochs(struct gm_cjob *job)
{
    size_t count = job->attempt_count;
    job->epochs = gm_mem_zalloc(count * sizeof(*job->epochs));
    job->epoch_count = count;
    for (size_t i = 0; i < count; i++) {
        job->epochs[i] = (struct gm_epoch){job->attempts[i]->epoch, i};
    }
    qsort(job->epochs, count, sizeof(*job->epochs), by_epoch);
}

/* How many of the index are of no later epoch. */
static size_t count_epochs(const struct gm_cjob *job, uint64_t epoch)
{
    size_t low = 0, high = job->epochs ? job->epoch_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->epochs[middle].epoch <= epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* NULL: none is stored of that lease. */
static struct gm_attempt *find_stored(struct gm_cjob *job, const Gm__HeldLease *held)
{
    if (!job->epochs && job->unheard_count > 0) {
        index_epochs(job);
    }
    for (size_t i = count_epochs(job, held->epoch);
         i > 0 && job->epochs[i - 1].epoch == held->epoch; i--) {
        struct gm_attempt *a = job->attempts[job->epochs[i - 1].at];
        if (a->term == held->term) {
            return a;
        }
    }
    for (size_t i = job->attempt_count; i > job->epoch_count; i--) {
        struct gm_attempt *a = job->attempts[i - 1];
        if (a->epoch == held->epoch && a->term == held->term) {
            return a;
        }
    }
    return NULL;
}

/* *out NULL: nothing is stored of it. False: it has ended. */
static bool find_attempt(struct gm_cjob *job, const Gm__HeldLease *held, struct gm_attempt **out)
{
    *out = find_stored(job, held);
    return !*out || (*out)->unheard;
}

static bool is_same(const struct gm_attempt *a, const struct gm_assignment *b)
{
    int64_t first = b->chunk_count > 0 ? (int64_t)b->first_chunk : -1;
    return a->inst == b->inst && a->first_chunk == first && a->chunks == b->chunk_count &&
           strcmp(a->node_id, b->node->id) == 0 && strcmp(a->device, b->device->id) == 0;
}

/* A chunk that is done was most likely made by this one: a run that has made its last one ends yet.
 */
static bool is_open(const struct gm_unit *unit, bool chunk)
{
    return unit->state == GM_TASK_READY || unit->state == GM_TASK_BACKOFF ||
           (chunk && unit->state == GM_TASK_DONE);
}

/* The run that went on with the end of this one, or with it and more: one of them is a copy of the
 * other, for both ran when their scheduler ended. NULL: none. */
static struct gm_lease *find_twin(const struct gm_core *core, const struct gm_assignment *a)
{
    for (uint32_t i = a->chunk_count; i > 0; i--) {
        struct gm_lease *l = a->inst->chunks[a->first_chunk + i - 1].unit.lease;
        if (l) {
            bool fits = l->term < core->params.term && !l->twin && l->device != a->device &&
                        l->first_chunk + l->chunk_count == a->first_chunk + a->chunk_count;
            return fits ? l : NULL;
        }
    }
    return NULL;
}

/* ran: it is stored that it did. Where a newer lease is awaited that one has the unit, but for a
 * copy, which ran at the same time. */
static bool units_are_open(const struct gm_core *core, struct gm_assignment *a, uint64_t epoch,
                           bool ran)
{
    const struct gm_inst *inst = a->inst;
    if (inst->task->type->fan != GM_FAN_RUNS) {
        const struct gm_attempt *awaited = inst->unit.awaited;
        return a->chunk_count == 0 && is_open(&inst->unit, false) &&
               !(awaited && awaited->epoch > epoch);
    }
    bool said = inst->unit.state == GM_TASK_READY || inst->unit.state == GM_TASK_DONE;
    if (!said || a->chunk_count == 0 || a->chunk_count > inst->chunk_count ||
        a->first_chunk > inst->chunk_count - a->chunk_count) {
        return false;
    }
    a->copy_of = ran ? find_twin(core, a) : NULL;
    for (uint32_t i = 0; i < a->chunk_count; i++) {
        const struct gm_unit *unit = &inst->chunks[a->first_chunk + i].unit;
        bool newer = unit->awaited && unit->awaited->epoch > epoch;
        if ((newer && !ran) ||
            (!is_open(unit, true) && !(a->copy_of && unit->lease == a->copy_of))) {
            return false;
        }
    }
    return true;
}

static bool is_since(const struct gm_ctask *task, uint64_t term)
{
    for (uint32_t i = 0; task->insts && i < task->inst_count; i++) {
        if (task->insts[i].done_term > term) {
            return true;
        }
    }
    return false;
}

/* A run was assigned before what it was told had to be on disk. A crash may have forgotten that,
 * and what was stored in its place since may be another thing: then the row says a later term. */
static bool was_told_else(const struct gm_assignment *a, uint64_t term)
{
    const struct gm_ctask *task = a->inst->task;
    const struct gm_cjob *job = task->job;
    if (a->chunk_count == 0) {
        return false;
    }
    bool since = is_since(job->inspect, term) || is_since(job->plan, term);
    for (uint32_t n = 0; n < task->need_count && !since; n++) {
        const struct gm_ctask *need = &job->tasks[task->needs[n]];
        since = need->type->role != GM_ROLE_SPLIT && is_since(need, term);
    }
    const struct gm_stream *in = gm_core_inst_inputs(a->inst);
    return since || !in || gm_core_stream_since(in, a->first_chunk + a->chunk_count - 1) > term;
}

/* Inputs are counted alike by every scheduler; more than there are nobody has. */
static bool has_inputs(const struct gm_inst *inst, uint32_t count)
{
    return !gm_core_task_type_is_fed(inst->task->type) || count <= gm_core_inst_fed_count(inst);
}

static bool is_same_chain(const Gm__Chain *a, const Gm__Chain *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->fingerprint, b->fingerprint) == 0;
}

static uint64_t bounded(uint64_t v)
{
    return v < MOST_DEMAND ? v : MOST_DEMAND;
}

static struct gm_cdevice *find_device(struct gm_cnode *node, const char *id)
{
    for (size_t i = 0; i < node->device_count; i++) {
        if (strcmp(node->devices[i].id, id) == 0) {
            return &node->devices[i];
        }
    }
    return NULL;
}

/* What it would be assigned as, and what is stored of it (NULL: nothing); false: no such thing is
 * open. */
static bool find_work(struct gm_core *core, struct gm_cnode *node, const Gm__HeldLease *held,
                      struct gm_assignment *a, struct gm_attempt **attempt)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, held->job_id, job);
    if (!job || held->task_id >> 32 != job->seq ||
        (job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) ||
        strcmp(held->publication, job->publication) != 0) {
        return false;
    }
    a->node = node;
    a->device = find_device(node, held->device);
    a->inst = gm_core_job_find_inst(job, held->task, held->instance);
    a->first_chunk = held->first_chunk;
    a->chunk_count = held->chunks;
    if (!a->device || !a->inst || !find_attempt(job, held, attempt) ||
        !gm_core_chain_goes_on(a->inst, held->chain) ||
        !units_are_open(core, a, held->epoch, *attempt != NULL) ||
        !has_inputs(a->inst, held->inputs_received) || was_told_else(a, held->term)) {
        return false;
    }
    const struct gm_chain_wish any = {.name = "cpu"}; /* of which it was told none: whichever */
    a->chain = held->chain ? held->chain : gm_core_device_chain(a->device, &any);
    a->demand =
        (struct gm_capacity){.cpu_milli = held->demand->cpu_milli,
                             .memory_bytes = bounded(held->demand->memory_bytes),
                             .scratch_bytes = bounded(held->demand->scratch_bytes),
                             .slots = held->demand->slots,
                             .sessions = held->demand->sessions,
                             .device_memory_bytes = bounded(held->demand->device_memory_bytes)};
    return a->chain && (!a->copy_of || is_same_chain(a->chain, a->copy_of->chain));
}

/* Something of the claim is yet to be made. Where no attempt is stored nothing else bounds claims:
 * one of chunks that are all done takes no unit, so any number of names could be made up for it. */
static bool has_work(const struct gm_assignment *a)
{
    bool open = a->chunk_count == 0;
    for (uint32_t i = 0; i < a->chunk_count && !open; i++) {
        open = a->inst->chunks[a->first_chunk + i].unit.state != GM_TASK_DONE;
    }
    return open;
}

bool gm_core_adopt(struct gm_core *core, struct gm_cnode *node, const Gm__HeldLease *held)
{
    struct gm_lease *lease = NULL;
    HASH_FIND(hh, core->leases, &held->epoch, sizeof(held->epoch), lease);
    if (lease) { /* Hello was said again */
        return !lease->cancelling &&
               gm_core_lease_find(core, node, held->task_id, held->term, held->epoch) != NULL;
    }
    struct gm_assignment a = {0};
    struct gm_attempt *attempt = NULL;
    if (node->lease_count >= GM_PROTO_MAX_HELD) { /* none holds more: see MOST_DEMAND */
        return false;
    }
    if (held->term >= core->params.term || held->epoch >> 32 >= core->params.term ||
        !find_work(core, node, held, &a, &attempt) ||
        (attempt ? !is_same(attempt, &a) : !has_work(&a))) {
        return false;
    }
    if (attempt) {
        take_out(core, attempt);
    }
    gm_core_lease_resume(core, &a, held, attempt);
    gm_core_node_resized(core, node); /* it was given before anybody knew what the node offers */
    return true;
}
