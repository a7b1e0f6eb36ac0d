/* Leases: who holds which units until when. A lease holds a slot of a device, and
 * encoder sessions; while it is live it
 * holds its units too. A cancelled lease has lost its units and keeps the slot until the node says
 * that it stopped (Failed, or a Renew without it) or until it expires.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/run.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/watch.h"

/* A worker that is well says something each: node/worker_io.c. */
#define LIFE_SIGN GM_SEC
#define STILL_PERIODS 3

struct gm_lease *gm_core_lease_find(struct gm_core *core, const struct gm_cnode *node,
                                    uint64_t task_id, uint64_t term, uint64_t epoch)
{
    struct gm_lease *lease = NULL;
    HASH_FIND(hh, core->leases, &epoch, sizeof(epoch), lease);
    bool mine = lease && lease->node == node && term == lease->term && task_id == lease->task_id;
    return mine ? lease : NULL;
}

gm_time gm_core_still_time(const struct gm_core *core)
{
    gm_time period = core->heartbeat_time > LIFE_SIGN ? core->heartbeat_time : LIFE_SIGN;
    return STILL_PERIODS * period;
}

/* The watchdog: only what has all of its input. */
static bool is_watched(const struct gm_lease *lease)
{
    return !lease->cancelling && lease->fed_complete;
}

gm_time gm_core_lease_due(const struct gm_core *core, const struct gm_lease *lease)
{
    gm_time stalls_at = lease->progress_at + core->stall_time;
    return is_watched(lease) && stalls_at < lease->expires_at ? stalls_at : lease->expires_at;
}

static void set_timer(struct gm_core *core, struct gm_lease *lease)
{
    gm_timers_set(&core->lease_timers, &lease->timer, gm_core_lease_due(core, lease));
}

static struct gm_attempt *add_attempt(const struct gm_assignment *a, uint64_t number,
                                      int64_t started_unix_ms)
{
    struct gm_cjob *job = a->inst->task->job;
    struct gm_attempt *t = gm_mem_zalloc(sizeof(*t));
    t->number = number;
    t->inst = a->inst;
    t->first_chunk = a->chunk_count > 0 ? (int64_t)a->first_chunk : -1;
    t->chunks = a->chunk_count;
    t->node_id = gm_mem_strdup(a->node->id);
    t->device = gm_mem_strdup(a->device->id);
    t->chain = gm_mem_strdup(a->chain->name);
    t->started_unix_ms = started_unix_ms;
    t->outcome = GM_ATTEMPT_RUNNING;
    t->blamed_chunk = -1;
    t->charged_chunk = -1;
    gm__usage__init(&t->usage);
    job->attempts =
        gm_mem_grow(job->attempts, job->attempt_count, &job->attempt_cap, sizeof(*job->attempts));
    job->attempts[job->attempt_count++] = t;
    a->inst->task->attempts++;
    gm_core_run_note(a->inst, &(struct gm_run){a->first_chunk, a->chunk_count});
    return t;
}

static uint64_t last_number(const struct gm_cjob *job)
{
    return job->attempt_count > 0 ? job->attempts[job->attempt_count - 1]->number : 0;
}

/* The i-th unit of the lease, or NULL behind the last. */
static struct gm_unit *lease_unit(const struct gm_lease *lease, uint32_t i)
{
    if (lease->chunk_count == 0) {
        return i == 0 ? &lease->inst->unit : NULL;
    }
    return i < lease->chunk_count ? &lease->inst->chunks[lease->first_chunk + i].unit : NULL;
}

static bool is_leading(const struct gm_lease *lease)
{
    return lease->chunk_count > 0 && lease->first_chunk == 0;
}

/* What is thought to be busy of the device by it: at least what it is given. */
static uint64_t busy_of(const struct gm_assignment *a)
{
    uint64_t threads = gm_core_usable(a->device).cpu_milli;
    uint64_t busy = a->busy_milli < threads ? a->busy_milli : threads;
    return busy > a->demand.cpu_milli ? busy : a->demand.cpu_milli;
}

/* Takes the attempt's slot, and the units that are not done. turn: of its job. */
static struct gm_lease *begin(struct gm_core *core, const struct gm_assignment *a,
                              struct gm_attempt *attempt, const struct gm_lease *triple, bool turn)
{
    struct gm_cjob *job = a->inst->task->job;
    struct gm_lease *lease = gm_mem_zalloc(sizeof(*lease));
    lease->attempt = attempt;
    lease->task_id = triple->task_id;
    lease->term = attempt->term = triple->term;
    lease->epoch = attempt->epoch = triple->epoch;
    lease->node = a->node;
    lease->device = a->device;
    lease->chain = gm_core_chain_dup(a->chain); /* the device may be told anew */
    lease->job = job;
    lease->inst = a->inst;
    lease->demand = a->demand;
    lease->picture_s = a->picture_s;
    lease->busy_milli = busy_of(a);
    lease->at_hand = a->home && a->home == a->node;
    lease->first_chunk = a->first_chunk;
    lease->chunk_count = a->chunk_count;
    lease->assigned_at = core->now;
    lease->progress_at = core->now;
    lease->expires_at = core->now + core->lease_time;
    gm_core_use(core, a->device, &a->demand, false);
    a->device->busy_milli += lease->busy_milli;
    gm_core_local_reads(job, attempt);
    job->leading += is_leading(lease) ? 1 : 0;
    a->node->lease_count++;
    job->lease_count++;
    HASH_ADD(hh, core->leases, epoch, sizeof(lease->epoch), lease);
    gm_core_count_lease(core, lease, true);
    DL_APPEND2(a->node->leases, lease, node_prev, node_next);
    DL_APPEND2(job->leases, lease, job_prev, job_next);
    if (gm_core_task_type_is_track(a->inst->task->type)) {
        DL_APPEND2(job->tracks, lease, track_prev, track_next);
    }
    struct gm_unit *unit;
    for (uint32_t i = 0; (unit = lease_unit(lease, i)) != NULL; i++) {
        if (unit->state == GM_TASK_BACKOFF) {
            gm_core_unit_move(core, job, unit, GM_UNIT_WAKE);
        }
        if (unit->state == GM_TASK_READY) { /* else it is done, or its twin's */
            gm_core_unit_move(core, job, unit, GM_UNIT_ASSIGN);
            unit->lease = lease;
        }
    }
    uint64_t work = gm_core_work(a->inst, a->first_chunk, a->chunk_count);
    lease->expected = gm_core_expect(core, a->node, a->device, a->chain, a->inst, work);
    gm_core_order_charge(core, lease, turn);
    if (job->started_unix_ms == 0) {
        job->started_unix_ms = gm_core_stamp(core, job->created_unix_ms);
        gm_core_job_touch(core, job);
        gm_core_count_started(core, job);
    }
    gm_core_job_move(core, job, GM_JOB_EV_START);
    return lease;
}

void gm_core_lease_start(struct gm_core *core, const struct gm_assignment *a)
{
    struct gm_cjob *job = a->inst->task->job;
    struct gm_attempt *attempt =
        add_attempt(a, last_number(job) + 1, gm_core_stamp(core, job->created_unix_ms));
    const struct gm_lease triple = {.task_id = job->seq << 32 | attempt->number,
                                    .term = core->params.term,
                                    .epoch = ++core->epoch};
    struct gm_lease *lease = begin(core, a, attempt, &triple, !a->copy_of);
    gm_core_row_attempt_lazy(core, job, attempt);
    gm_core_fx_event(core, job, "task", a->inst->task->name, "running", false);
    gm_core_send_assign(core, lease);
    set_timer(core, lease);
    gm_core_learn_begin(lease);
    if (a->copy_of) {
        gm_core_twin_join(lease, a->copy_of);
    }
}

void gm_core_lease_resume(struct gm_core *core, const struct gm_assignment *a,
                          const Gm__HeldLease *held, struct gm_attempt *attempt)
{
    struct gm_cjob *job = a->inst->task->job;
    const struct gm_lease triple = {
        .task_id = held->task_id, .term = held->term, .epoch = held->epoch};
    int64_t started = attempt ? attempt->started_unix_ms : held->started_unix_ms;
    bool past = started >= job->created_unix_ms && started <= core->unix_ms;
    started = past ? started : gm_core_stamp(core, job->created_unix_ms);
    bool stored = attempt != NULL;
    if (!attempt) { /* its row was not on disk when the scheduler died */
        uint64_t last = last_number(job);
        bool is_free = held->attempt > last && held->attempt - last <= GM_CORE_ATTEMPTS_AHEAD;
        attempt = add_attempt(a, is_free ? held->attempt : last + 1, started);
    }
    struct gm_lease *lease = begin(core, a, attempt, &triple, false);
    if (!stored) {
        gm_core_row_attempt(core, job, attempt);
    }
    lease->progress = held->progress;
    lease->work = 0; /* nobody saw all of it: nothing is learned */
    if (a->copy_of) {
        gm_core_twin_join(lease, a->copy_of);
    }
    lease->fed = held->inputs_received;
    lease->fed_at = core->now;
    lease->fed_complete = !gm_core_task_type_is_fed(a->inst->task->type);
    set_timer(core, lease);
    if (!lease->fed_complete) { /* what came since, or that nothing will */
        gm_core_lease_feed(core, lease, lease->fed);
    }
}

void gm_core_note_failed(struct gm_cjob *job, const struct gm_attempt *attempt)
{
    if (attempt->outcome == GM_ATTEMPT_FAILED || attempt->outcome == GM_ATTEMPT_LOST) {
        job->failed =
            gm_mem_grow(job->failed, job->failed_count, &job->failed_cap, sizeof(*job->failed));
        job->failed[job->failed_count++] = attempt;
    }
}

void gm_core_count_failed(struct gm_core *core, const struct gm_attempt *attempt)
{
    int code = (int)attempt->error.code;
    bool failed = attempt->outcome == GM_ATTEMPT_FAILED || attempt->outcome == GM_ATTEMPT_LOST;
    gm_core_note_failed(attempt->inst->task->job, attempt);
    if (failed && code > 0 && code < (int)GM_CORE_CODES) {
        core->failed[code].count++;
        core->failed[code].last_unix_ms = attempt->ended_unix_ms;
    }
}

static void close_attempt(struct gm_core *core, struct gm_lease *lease,
                          enum gm_attempt_outcome outcome, const Gm__Usage *usage)
{
    struct gm_attempt *a = lease->attempt;
    if (a->outcome != GM_ATTEMPT_RUNNING) {
        return;
    }
    a->outcome = outcome;
    a->ended_unix_ms = gm_core_stamp(core, a->started_unix_ms);
    gm_core_count_failed(core, a);
    gm_core_count_attempt(core, lease);
    if (usage) {
        gm__usage__init(&a->usage);
        a->usage.cpu_us = usage->cpu_us;
        a->usage.wall_us = usage->wall_us;
        a->usage.max_rss_bytes = usage->max_rss_bytes;
        a->usage.bytes_in = usage->bytes_in;
        a->usage.bytes_out = usage->bytes_out;
        a->usage.frames = usage->frames;
        a->usage.frames_decoded = usage->frames_decoded;
        a->usage.frames_spare = usage->frames_spare;
        a->usage.fetch_ms = usage->fetch_ms;
        a->usage.store_ms = usage->store_ms;
    }
    if (outcome == GM_ATTEMPT_DONE && a->chunks > 0) { /* its items are stored: ADR-0050 */
        gm_core_row_attempt_lazy(core, lease->job, a);
    } else {
        gm_core_row_attempt(core, lease->job, a);
    }
}

/* Most of a crowd has ended nothing yet. */
static void note_ended(struct gm_cnode *node, uint64_t epoch)
{
    if (!node->ended) {
        node->ended = gm_mem_zalloc(GM_CORE_ENDED * sizeof(*node->ended));
    }
    node->ended[node->ended_next++ % GM_CORE_ENDED] = epoch;
}

void gm_core_lease_end(struct gm_core *core, struct gm_lease *lease,
                       enum gm_attempt_outcome outcome, const Gm__Usage *usage)
{
    struct gm_cjob *job = lease->job;
    struct gm_cnode *node = lease->node;
    gm_core_twin_part(lease);
    if (!lease->cancelling && (outcome == GM_ATTEMPT_DONE || outcome == GM_ATTEMPT_FAILED)) {
        note_ended(node, lease->epoch);
    }
    close_attempt(core, lease, outcome, usage);
    if (outcome == GM_ATTEMPT_DONE) {
        gm_core_learn(core, lease, usage);
    }
    gm_core_use(core, lease->device, &lease->demand, true);
    lease->device->busy_milli -= lease->busy_milli;
    job->leading -= is_leading(lease) ? 1 : 0;
    gm_core_order_settle(core, lease, outcome == GM_ATTEMPT_DONE);
    node->lease_count--;
    job->lease_count--;
    gm_timers_stop(&core->lease_timers, &lease->timer);
    HASH_DEL(core->leases, lease);
    gm_core_count_lease(core, lease, false);
    DL_DELETE2(node->leases, lease, node_prev, node_next);
    DL_DELETE2(job->leases, lease, job_prev, job_next);
    if (gm_core_task_type_is_track(lease->inst->task->type)) {
        DL_DELETE2(job->tracks, lease, track_prev, track_next);
    }
    if (lease->device->watch) {
        gm_core_device_open(core, node, lease->device);
    }
    gm_core_fx_ended(core, lease->epoch);
    gm__chain__free_unpacked(lease->chain, NULL);
    free(lease);
    core->place_dirty = true;
    gm_core_job_settle(core, job);
}

void gm_core_lease_cancel(struct gm_core *core, struct gm_lease *lease, const char *reason)
{
    if (lease->cancelling) {
        return;
    }
    struct gm_unit *unit;
    gm_core_twin_part(lease);
    for (uint32_t i = 0; (unit = lease_unit(lease, i)) != NULL; i++) {
        if (unit->lease == lease) {
            gm_core_unit_move(core, lease->job, unit, GM_UNIT_RETURN);
        }
    }
    close_attempt(core, lease, GM_ATTEMPT_CANCELLED, NULL);
    lease->cancelling = true;
    lease->cancelled_at = core->now;
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Cancel cancel = GM__CANCEL__INIT;
    cancel.task_id = lease->task_id;
    cancel.term = lease->term;
    cancel.epoch = lease->epoch;
    cancel.reason = (char *)reason;
    envelope.body_case = GM__ENVELOPE__BODY_CANCEL;
    envelope.cancel = &cancel;
    /* After what it follows from: the node drops what it would say again after a crash. */
    gm_core_fx_send(core, lease->node->id, &envelope, true);
}

void gm_core_lease_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from)
{
    bool complete = gm_core_inst_inputs_end(lease->inst);
    lease->fed = gm_core_send_feed(core, lease, from);
    lease->fed_at = core->now;
    if (complete && !lease->fed_complete) {
        lease->fed_complete = true;
        lease->progress_at = core->now; /* the watchdog counts from here */
        set_timer(core, lease);
    }
}

void gm_core_job_feed(struct gm_core *core, struct gm_cjob *job)
{
    bool complete = gm_core_split_is_done(job);
    struct gm_lease *lease;
    DL_FOREACH2(job->tracks, lease, track_next)
    {
        if (lease->cancelling) {
            continue;
        }
        const struct gm_stream *in = gm_core_inst_inputs(lease->inst);
        if ((in && in->committed > lease->fed) || (complete && !lease->fed_complete)) {
            gm_core_lease_feed(core, lease, lease->fed);
        }
    }
}

/* Its timer came. */
static void look_at(struct gm_core *core, struct gm_lease *lease)
{
    if (core->now >= lease->expires_at) {
        gm_core_lease_lost(core, lease, "its lease expired");
        return;
    }
    if (!is_watched(lease) || core->now - lease->progress_at < core->stall_time) {
        set_timer(core, lease); /* it was renewed, or went on, since */
    } else {
        gm_timers_set(&core->lease_timers, &lease->timer, lease->expires_at);
        struct gm_lease_failure f = {.chunk = -1, .outcome = GM_ATTEMPT_FAILED, .keep = true};
        (void)gm_err_set(&f.error, GM_E_WORKER_HUNG, 0, "`%s` on node %s made no progress for %u s",
                         lease->inst->task->name, lease->node->id, core->params.stall_ms / 1000);
        gm_core_lease_fail(core, lease, &f);
    }
}

void gm_core_lease_tick(struct gm_core *core)
{
    struct gm_timer *timer;
    while ((timer = gm_timers_next(&core->lease_timers, core->now)) != NULL) {
        look_at(core, GM_TIMER_OWNER(timer, struct gm_lease, timer));
    }
}
