/* The invariants: what must hold after every step. */
#include <inttypes.h>
#include <string.h>

#include "scheduler/core/count.h"
#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

struct count {
    uint64_t ready, running, open; /* units */
};

static int check_unit(const struct gm_cjob *job, const struct gm_unit *unit, bool real,
                      struct count *count, struct gm_err *err)
{
    if (unit->sum == real) {
        return BROKEN("job %s: a unit is not what its task is", job->id);
    }
    if (!real) {
        return 0;
    }
    count->ready += unit->state == GM_TASK_READY ? 1 : 0;
    bool running = unit->state == GM_TASK_RUNNING;
    count->running += running ? 1 : 0;
    count->open += running || unit->state == GM_TASK_READY || unit->state == GM_TASK_BACKOFF;
    if (running != (unit->lease != NULL)) {
        return BROKEN("job %s: a unit is %s and has %s lease", job->id,
                      gm_task_state_name(unit->state), unit->lease ? "a" : "no");
    }
    if (unit->awaited && (unit->state != GM_TASK_BACKOFF || !unit->awaited->unheard)) {
        return BROKEN("job %s: a unit is %s and waits for an attempt that was heard of", job->id,
                      gm_task_state_name(unit->state));
    }
    if (unit->state == GM_TASK_BACKOFF && (job->wake_at == 0 || job->wake_at > unit->retry_at)) {
        return BROKEN("job %s: a unit would sleep for ever", job->id);
    }
    if (gm_job_state_is_final(job->state) && !gm_task_state_is_final(unit->state)) {
        return BROKEN("job %s is %s, a unit of it %s", job->id, gm_job_state_name(job->state),
                      gm_task_state_name(unit->state));
    }
    return 0;
}

static int check_chunks(const struct gm_inst *inst, struct count *count, struct gm_err *err)
{
    const struct gm_cjob *job = inst->task->job;
    const struct gm_stream *out = gm_core_inst_stream(inst, 0);
    uint64_t done = 0;
    uint64_t frames = 0;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        int rc = check_unit(job, &c->unit, true, count, err);
        if (rc < 0) {
            return rc;
        }
        bool is_done = c->unit.state == GM_TASK_DONE;
        bool has_item = gm_core_stream_has(out, i);
        if (is_done != has_item) {
            return BROKEN("job %s: chunk %zu is %s and has %s item", job->id, i,
                          gm_task_state_name(c->unit.state), has_item ? "an" : "no");
        }
        if (i < inst->first_open && !is_done) {
            return BROKEN("job %s: chunk %zu was passed over", job->id, i);
        }
        done += is_done ? 1 : 0;
        frames += is_done ? c->frames : 0;
    }
    bool counted = inst->task != job->encode || frames == job->frames_committed;
    if (done != inst->chunk_done || !counted) {
        return BROKEN("job %s: %" PRIu64 " chunks are done, %zu are counted", job->id, done,
                      inst->chunk_done);
    }
    int rc = gm_sums_check(inst, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "job %s: ", job->id);
    }
    const struct gm_stream *in = gm_core_inst_stream(&job->split->insts[0], 0);
    if (inst->chunk_count != (in ? in->committed : 0)) {
        return BROKEN("job %s: %zu chunks, %zu announced", job->id, inst->chunk_count,
                      in ? in->committed : 0);
    }
    return 0;
}

static int check_streams(const struct gm_inst *inst, struct gm_err *err)
{
    for (size_t s = 0; s < inst->stream_count; s++) {
        const struct gm_stream *st = &inst->streams[s];
        for (size_t i = 0; i < st->size; i++) {
            if (i < st->committed && !gm_core_stream_has(st, i)) {
                return BROKEN("job %s: item %zu of stream %zu is not in its place",
                              inst->task->job->id, i, s);
            }
        }
    }
    return 0;
}

static int check_stamps(const struct gm_cjob *job, struct gm_err *err)
{
    int64_t began = gm_core_not_before(job->started_unix_ms, job->created_unix_ms);
    if ((job->started_unix_ms != 0 && job->started_unix_ms < job->created_unix_ms) ||
        (job->finished_unix_ms != 0 && job->finished_unix_ms < began)) {
        return BROKEN("job %s was finished before it began", job->id);
    }
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct gm_attempt *a = job->attempts[i];
        if (a->ended_unix_ms != 0 && a->ended_unix_ms < a->started_unix_ms) {
            return BROKEN("job %s: attempt %" PRIu64 " ended before it began", job->id, a->number);
        }
    }
    return 0;
}

static int check_job(const struct gm_cjob *job, struct gm_err *err)
{
    struct count count = {0};
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; i < task->inst_count; i++) {
            const struct gm_inst *inst = &task->insts[i];
            bool chunks = task->type->fan == GM_FAN_RUNS;
            int rc = check_unit(job, &inst->unit, !chunks, &count, err);
            if (rc == 0 && chunks) {
                rc = check_chunks(inst, &count, err);
            }
            if (rc == 0) {
                rc = check_streams(inst, err);
            }
            if (rc < 0) {
                return rc;
            }
        }
    }
    if (count.ready != job->ready_units) {
        return BROKEN("job %s: %" PRIu64 " units are ready, %" PRIu64 " are counted", job->id,
                      count.ready, job->ready_units);
    }
    bool working = job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING;
    if (working && count.open == 0) {
        return BROKEN("job %s is %s and nothing of it can go on: a task was lost", job->id,
                      gm_job_state_name(job->state));
    }
    bool ending = !working && !gm_job_state_is_final(job->state);
    if (ending && !job->leases && !job->publish_pending && job->publish_at == 0) {
        return BROKEN("job %s is %s and nothing ends it", job->id, gm_job_state_name(job->state));
    }
    uint64_t held = 0, leading = 0, attempts = 0;
    const struct gm_lease *l, *track = job->tracks;
    DL_FOREACH2(job->leases, l, job_next)
    {
        if (gm_core_task_type_is_track(l->inst->task->type)) {
            if (l != track) {
                return BROKEN("job %s: a lease of a track is not among them", job->id);
            }
            track = track->track_next;
        }
        held += l->cancelling ? 0 : 1;
        leading += l->chunk_count > 0 && l->first_chunk == 0 ? 1 : 0;
        attempts += l->attempt->outcome == GM_ATTEMPT_RUNNING ? 1 : 0;
    }
    if (track != NULL) {
        return BROKEN("job %s: a lease that has ended is among those of tracks", job->id);
    }
    if (leading != job->leading) {
        return BROKEN("job %s: runs of its first chunk are miscounted", job->id);
    }
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct gm_attempt *a = job->attempts[i];
        attempts -= a->outcome == GM_ATTEMPT_RUNNING && !a->unheard ? 1 : 0;
        if (a->unheard && (!working || a->outcome != GM_ATTEMPT_RUNNING)) {
            return BROKEN("job %s: attempt %" PRIu64 " is over and waited for", job->id, a->number);
        }
    }
    if (attempts != 0) {
        return BROKEN("job %s: attempts run without a lease, or leases without one", job->id);
    }
    if (held > 0 && !working && job->state == GM_JOB_FAILED) {
        return BROKEN("job %s failed and holds leases", job->id);
    }
    return check_stamps(job, err);
}

/* What waits for its node is found by it. */
static int check_unheard(const struct gm_core *core, struct gm_err *err)
{
    uint64_t found = 0, counted = 0;
    for (const struct gm_unheard *n = core->unheard; n; n = n->hh.next) {
        const struct gm_attempt *a;
        DL_FOREACH2(n->attempts, a, unheard_next)
        {
            if (!a->unheard || strcmp(a->node_id, n->node_id) != 0) {
                return BROKEN("an attempt on node %s is waited for elsewhere", a->node_id);
            }
            found++;
        }
    }
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        uint64_t own = 0;
        for (size_t i = 0; i < job->attempt_count; i++) {
            own += job->attempts[i]->unheard ? 1 : 0;
        }
        if (own != job->unheard_count) {
            return BROKEN("job %s: attempts that are waited for are miscounted", job->id);
        }
        counted += own;
    }
    return found == counted ? 0 : BROKEN("an attempt is waited for on no node");
}

static int check_lease(const struct gm_core *core, const struct gm_lease *lease, uint64_t *running,
                       struct gm_err *err)
{
    struct gm_cnode *node = NULL;
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->nodes, lease->node->id, node);
    HASH_FIND_STR(core->jobs, lease->job->id, job);
    if (node != lease->node || job != lease->job) {
        return BROKEN("lease %" PRIu64 " has no node or no job", lease->task_id);
    }
    if (lease->device < node->devices || lease->device >= node->devices + node->device_count) {
        return BROKEN("lease %" PRIu64 " has no device", lease->task_id);
    }
    if (lease->timer.place == 0 || lease->timer.at > gm_core_lease_due(core, lease)) {
        return BROKEN("lease %" PRIu64 " would not end in time", lease->task_id);
    }
    if (lease->chunk_count == 0) {
        bool holds = lease->inst->unit.lease == lease;
        *running += holds ? 1 : 0;
        if (holds == lease->cancelling) {
            return BROKEN("lease %" PRIu64 " and its task disagree", lease->task_id);
        }
        return 0;
    }
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        const struct gm_unit *unit = &lease->inst->chunks[lease->first_chunk + i].unit;
        *running += unit->lease == lease ? 1 : 0;
        bool holds = unit->lease && unit->lease == (lease->is_copy ? lease->twin : lease);
        if (holds && lease->cancelling) {
            return BROKEN("lease %" PRIu64 " was cancelled and holds a chunk", lease->task_id);
        }
        if (!holds && !lease->cancelling && unit->state != GM_TASK_DONE) {
            return BROKEN("lease %" PRIu64 " lost a chunk", lease->task_id);
        }
    }
    return 0;
}

/* Two leases of one run, on two devices of one chain: the chunks are those of the first. */
static int check_twin(const struct gm_lease *lease, struct gm_err *err)
{
    const struct gm_lease *other = lease->twin;
    if (!other) {
        return lease->is_copy ? BROKEN("lease %" PRIu64 " is a copy of none", lease->task_id) : 0;
    }
    if (other->twin != lease || other->is_copy == lease->is_copy || lease->cancelling ||
        other->inst != lease->inst || other->device == lease->device ||
        strcmp(other->chain->name, lease->chain->name) != 0 ||
        strcmp(other->chain->fingerprint, lease->chain->fingerprint) != 0) {
        return BROKEN("leases %" PRIu64 " and %" PRIu64 " are no twins", lease->task_id,
                      other->task_id);
    }
    if (lease->is_copy &&
        (lease->first_chunk < other->first_chunk ||
         lease->first_chunk + lease->chunk_count != other->first_chunk + other->chunk_count)) {
        return BROKEN("lease %" PRIu64 " copies more than there was", lease->task_id);
    }
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        const struct gm_core_chunk *c = &lease->inst->chunks[lease->first_chunk + i];
        if (lease->is_copy && !c->copied) {
            return BROKEN("chunk %" PRIu32 " is copied and not marked", lease->first_chunk + i);
        }
    }
    return 0;
}

static int check_node(const struct gm_core *core, const struct gm_cnode *node, struct gm_err *err)
{
    if (node->silence.place == 0 ||
        (node->connected && node->silence.at > node->seen + core->lease_time)) {
        return BROKEN("node %s would never be missed", node->id);
    }
    return gm_core_node_check_used(node, err);
}

/* Each item has its body, and nothing else has one. */
static int check_bodies(const struct gm_core *core, struct gm_err *err)
{
    size_t count = 0;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
                const struct gm_inst *inst = &job->tasks[t].insts[i];
                for (size_t s = 0; s < inst->stream_count; s++) {
                    for (size_t k = 0; k < inst->streams[s].size; k++) {
                        count += gm_core_stream_has(&inst->streams[s], k) ? 1 : 0;
                    }
                }
            }
        }
    }
    return count == gm_bodies_count(core->bodies)
               ? 0
               : BROKEN("%zu items, %zu bodies", count, gm_bodies_count(core->bodies));
}

static int check_sums(const struct gm_core *core, struct gm_err *err)
{
    uint64_t states[GM_JOB_STATES] = {0}, ready = 0;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        states[job->state]++;
        ready += job->ready_units;
    }
    if (memcmp(states, core->job_states, sizeof(states)) != 0 || ready != core->ready_units) {
        return BROKEN("states of jobs, or what is ready of them, are miscounted");
    }
    return 0;
}

int gm_core_check(const struct gm_core *core, struct gm_err *err)
{
    uint64_t held = 0, running = 0, unfinished = 0, finished = 0;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        int rc = check_job(job, err);
        if (rc < 0) {
            return rc;
        }
        bool final = gm_job_state_is_final(job->state);
        finished += final ? 1 : 0;
        unfinished += final ? 0 : 1;
        for (uint32_t t = 0; t < job->task_count; t++) {
            for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
                const struct gm_inst *inst = &job->tasks[t].insts[i];
                running += inst->unit.state == GM_TASK_RUNNING ? 1 : 0;
                for (size_t c = 0; c < inst->chunk_count; c++) {
                    running += inst->chunks[c].unit.state == GM_TASK_RUNNING ? 1 : 0;
                }
            }
        }
    }
    for (const struct gm_lease *lease = core->leases; lease; lease = lease->hh.next) {
        int rc = check_lease(core, lease, &held, err);
        rc = rc < 0 ? rc : check_twin(lease, err);
        if (rc < 0) {
            return rc;
        }
    }
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        int rc = check_node(core, node, err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = gm_devices_check(core, err);
    rc = rc < 0 ? rc : check_unheard(core, err);
    rc = rc < 0 ? rc : check_bodies(core, err);
    if (rc < 0) {
        return rc;
    }
    if (core->unheard && core->now >= core->strangers_until) {
        return BROKEN("job %s waits for a node longer than a lease lasts",
                      core->unheard->attempts->inst->task->job->id);
    }
    if ((core->awaited && !core->musters) ||
        (core->musters && core->muster_until != 0 && core->now >= core->muster_until)) {
        return BROKEN("it waits for nodes longer than it may");
    }
    if (held != running) {
        return BROKEN("%" PRIu64 " units run, leases hold %" PRIu64, running, held);
    }
    if (finished != core->finished || unfinished != core->unfinished) {
        return BROKEN("jobs are miscounted");
    }
    rc = check_sums(core, err);
    rc = rc < 0 ? rc : gm_core_count_check(core, err);
    rc = rc < 0 ? rc : gm_core_backlog_check(core, err);
    rc = rc < 0 ? rc : gm_core_keep_check(core, err);
    return rc < 0 ? rc : gm_core_order_check(core, err);
}
