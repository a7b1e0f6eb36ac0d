/* What follows from a failed lease: try again here, elsewhere, later, or fail the job.
 *
 * One unit is charged: the chunk that the node blames, else the first chunk of the run that was
 * not committed (chunks are made in order), else the instance. All chunks of a failed run are tried
 * alone next time, so a guilty one shows itself. Failures count since the unit last made progress:
 * a long task that commits items between two lost nodes does not run out of attempts.
 *
 * A failure is evidence against the unit unless it says only that something outside ended the
 * work: a lost node, a worker killed by SIGKILL; or that the node can't work at all: its key or
 * clock, its disk, its sandbox, a device that is gone; or that it did not get what it needs: a
 * store failed, an object is broken, a grant came too late. Three distinct nodes with evidence
 * against one chunk: poison.
 *
 * What failed three times in a row with one code, and on every node that could take it, would fail
 * again: a lone node does not try it for minutes. A full disk gets two tries more, for somebody may
 * make room. An object that is broken is as broken on other nodes, and says nothing about media.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/builds.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"

#define LONGEST_PAUSE 30 /* times the first */
#define REFUSAL_PAUSE (2 * GM_SEC)
#define REFUSALS_MEMORY 4u /* a worker's own limit does not grow when others end */
#define REPEATS 3u
#define REPEATS_FULL 5u

static bool is_from_outside(const struct gm_err *error)
{
    bool killed = error->code == GM_E_WORKER_DIED && error->native == SIGKILL;
    return error->code == GM_E_NODE_LOST || killed;
}

static bool is_evidence(const struct gm_err *error)
{
    switch (error->code) {
    case GM_E_NODE_GRANT:
    case GM_E_NO_SCRATCH:
    case GM_E_SANDBOX:
    case GM_E_DEVICE_ABSENT:
    case GM_E_MEDIA_CHUNK:
        return false;
    case GM_E_TIMEOUT: /* what it was granted came too late */
        return error->native != ETIME;
    default:
        return !is_from_outside(error) && gm_code_get((int)error->code)->blame != GM_BLAME_STORAGE;
    }
}

/* So may the build that the node works with: it may not read what another one wrote. */
static bool is_of_build(const struct gm_err *error)
{
    return is_evidence(error) || error->code == GM_E_MEDIA_CHUNK;
}

/* Distinct nodes. */
static uint32_t count_evidence(const struct gm_unit *unit)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        n += unit->avoid[i].evidence ? 1 : 0;
    }
    return n;
}

void gm_core_charge(struct gm_unit *unit, const char *node_id, const struct gm_err *error)
{
    bool evidence = is_evidence(error);
    unit->failures++;
    unit->streak = is_from_outside(error)             ? 0
                   : unit->streak_code == error->code ? unit->streak + 1
                                                      : 1;
    unit->streak_code = error->code;
    if (gm_code_get((int)error->code)->retry != GM_RETRY_OTHER_NODE) {
        return;
    }
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        if (strcmp(unit->avoid[i].node_id, node_id) == 0) {
            unit->avoid[i].evidence = unit->avoid[i].evidence || evidence;
            return;
        }
    }
    if (unit->avoid_count == GM_CORE_MAX_AVOID) {
        return;
    }
    if (!unit->avoid) {
        unit->avoid = gm_mem_zalloc(GM_CORE_MAX_AVOID * sizeof(*unit->avoid));
    }
    unit->avoid[unit->avoid_count++] =
        (struct gm_avoid){.node_id = gm_mem_strdup(node_id), .evidence = evidence};
}

/* retry_ms, doubling; a first failure that sends the unit to another node costs no pause. */
static gm_time pause_after(const struct gm_core *core, const struct gm_unit *unit,
                           enum gm_code code)
{
    uint32_t n = unit->failures;
    if (gm_code_get((int)code)->retry == GM_RETRY_OTHER_NODE) {
        if (n <= 1) {
            return 0;
        }
        n--;
    }
    gm_time pause = core->params.retry_ms * GM_MS;
    gm_time longest = LONGEST_PAUSE * pause;
    for (uint32_t i = 1; i < n && pause < longest; i++) {
        pause *= 2;
    }
    return pause < longest ? pause : longest;
}

/* The unit to charge; *out_chunk -1: the instance. NULL: all chunks of the run are committed. */
static struct gm_unit *find_guilty(const struct gm_lease *lease, int64_t blamed, int64_t *out_chunk)
{
    *out_chunk = -1;
    if (lease->chunk_count == 0) {
        return &lease->inst->unit;
    }
    struct gm_unit *first = NULL;
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        uint32_t chunk = lease->first_chunk + i;
        struct gm_unit *unit = &lease->inst->chunks[chunk].unit;
        if (unit->lease != lease) {
            continue;
        }
        if (!first || blamed == (int64_t)chunk) {
            first = unit;
            *out_chunk = chunk;
        }
    }
    return first;
}

static void wake_at(struct gm_cjob *job, const struct gm_unit *unit)
{
    if (job->wake_at == 0 || unit->retry_at < job->wake_at) {
        job->wake_at = unit->retry_at;
    }
}

static void pause_unit(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit,
                       gm_time pause)
{
    if (pause == 0) {
        gm_core_unit_move(core, job, unit, GM_UNIT_RETURN);
        return;
    }
    gm_core_unit_move(core, job, unit, GM_UNIT_PAUSE);
    unit->retry_at = core->now + pause;
    wake_at(job, unit);
}

/* What the attempt was charged to, where that may be tried; else NULL. */
static struct gm_unit *find_charged(const struct gm_attempt *a)
{
    struct gm_inst *inst = a->inst;
    struct gm_unit *unit = &inst->unit;
    if (inst->task->type->fan == GM_FAN_RUNS) {
        bool known = a->charged_chunk >= 0 && (uint64_t)a->charged_chunk < inst->chunk_count;
        unit = known ? &inst->chunks[a->charged_chunk].unit : NULL;
    }
    bool counts = unit && a->charged && unit->failures > 0; /* else it made progress since */
    return counts && unit->state == GM_TASK_READY ? unit : NULL;
}

static gm_time left_of(const struct gm_core *core, const struct gm_attempt *a, gm_time pause)
{
    int64_t now = core->params.loaded_unix_ms;
    gm_time past = now > a->ended_unix_ms ? pause : 0;
    if (now > a->ended_unix_ms && now - a->ended_unix_ms < pause / GM_MS) {
        past = (now - a->ended_unix_ms) * GM_MS;
    }
    return pause - past;
}

void gm_core_retry_resume(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_unit *unit;
    for (size_t i = 0; i < job->attempt_count; i++) { /* the last one of each unit counts */
        const struct gm_attempt *a = job->attempts[i];
        unit = find_charged(a);
        if (unit) {
            unit->retry_at = core->now + left_of(core, a, pause_after(core, unit, a->error.code));
        }
    }
    for (size_t i = 0; i < job->attempt_count; i++) {
        unit = find_charged(job->attempts[i]);
        if (unit && unit->retry_at > core->now) {
            gm_core_unit_move(core, job, unit, GM_UNIT_AWAIT);
            wake_at(job, unit);
        }
    }
}

static void return_rest(struct gm_core *core, struct gm_lease *lease, bool alone)
{
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        struct gm_core_chunk *c = &lease->inst->chunks[lease->first_chunk + i];
        c->alone = c->alone || (alone && c->unit.state != GM_TASK_DONE);
        gm_sums_note(lease->inst, lease->first_chunk + i);
        if (c->unit.lease == lease) {
            gm_core_unit_move(core, lease->job, &c->unit, GM_UNIT_RETURN);
        }
    }
}

/* Capacity refusals beside other work, a node's own cancel, and a device that others use to its
 * limit are nobody's failure. The last has no limit: its node offers less of it from then on. */
static bool is_free(const struct gm_lease *lease, struct gm_unit *unit, enum gm_code code)
{
    if (code == GM_E_CANCELLED || code == GM_E_DEVICE_BUSY) {
        return true;
    }
    uint32_t most = code == GM_E_BUSY    ? GM_CORE_MAX_REFUSALS
                    : code == GM_E_NOMEM ? REFUSALS_MEMORY
                                         : 0;
    if (lease->node->lease_count < 2 || unit->refusals >= most) {
        return false;
    }
    unit->refusals++;
    return true;
}

/* How many failures in a row with `code` say that the next one would be the same; 0: none do, what
 * is wrong lies outside and may pass. */
static uint32_t repeats_of(enum gm_code code)
{
    switch (code) {
    case GM_E_STORE_FULL:
    case GM_E_NO_SCRATCH:
        return REPEATS_FULL;
    case GM_E_TIMEOUT:
    case GM_E_NODE_LOST:
        return 0;
    default:
        return gm_code_get((int)code)->retry == GM_RETRY_OTHER_NODE ? REPEATS : 0;
    }
}

static bool is_of_object(enum gm_code code)
{
    return code == GM_E_STORE_CORRUPT || code == GM_E_MEDIA_CHUNK || code == GM_E_STORE_FULL;
}

static bool has_other_node(const struct gm_core *core, const struct gm_lease *lease,
                           const struct gm_unit *unit)
{
    struct gm_chain_wish wish;
    return gm_core_chain_wish(core, lease->inst, &wish) &&
           gm_core_has_other_node(core, &wish, unit);
}

/* The same failure again and again, and nobody left who might do better. */
static bool is_repeated(const struct gm_core *core, const struct gm_lease *lease,
                        const struct gm_unit *unit, enum gm_code code)
{
    uint32_t repeats = repeats_of(code);
    return repeats > 0 && unit->streak >= repeats &&
           (is_of_object(code) || (!core->stopping && !has_other_node(core, lease, unit)));
}

/* True when the job must fail; *error is then why. */
static bool is_final(const struct gm_core *core, const struct gm_lease *lease,
                     const struct gm_unit *unit, int64_t chunk, struct gm_err *error)
{
    if (gm_code_get((int)error->code)->retry == GM_RETRY_NEVER) {
        return true;
    }
    if (is_of_object(error->code) && is_repeated(core, lease, unit, error->code)) {
        return true;
    }
    uint32_t nodes = count_evidence(unit);
    if (chunk >= 0 && nodes >= GM_CORE_POISON_NODES) {
        struct gm_err last = *error;
        (void)gm_err_set(error, GM_E_MEDIA_POISON, last.native,
                         "chunk %lld failed on %u nodes, last with %s: %s", (long long)chunk, nodes,
                         gm_code_get((int)last.code)->id, last.text);
        return true;
    }
    return unit->failures >= core->params.max_attempts ||
           is_repeated(core, lease, unit, error->code);
}

static void let_go(struct gm_core *core, struct gm_lease *lease, const struct gm_lease_failure *f)
{
    struct gm_attempt *a = lease->attempt;
    if (!f->keep) {
        gm_core_lease_end(core, lease, f->outcome, f->usage);
        return;
    }
    a->outcome = f->outcome;
    a->ended_unix_ms = gm_core_stamp(core, a->started_unix_ms);
    gm_core_count_failed(core, a);
    gm_core_count_attempt(core, lease);
    gm_core_row_attempt(core, lease->job, a);
    gm_core_lease_cancel(core, lease, f->error.text);
}

/* Its twin has the units: nobody is charged, but its device failed at them. */
static void tell_watch(struct gm_core *core, const struct gm_lease *lease,
                       const struct gm_lease_failure *f)
{
    const struct gm_unit *unit = NULL;
    int64_t chunk = -1;
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        uint32_t at = lease->first_chunk + i;
        const struct gm_unit *u = &lease->inst->chunks[at].unit;
        if (u->state != GM_TASK_DONE && (!unit || f->chunk == (int64_t)at)) {
            unit = u;
            chunk = at;
        }
    }
    if (unit) {
        gm_core_watch_failed(core, lease, unit, chunk, f);
    }
}

static void charge(struct gm_lease *lease, struct gm_unit *unit, int64_t chunk,
                   const struct gm_err *error)
{
    lease->attempt->charged = true;
    lease->attempt->charged_chunk = chunk;
    lease->inst->task->failures++;
    gm_core_charge(unit, lease->node->id, error);
    if (chunk < 0 && is_of_build(error)) {
        gm_core_build_charge(lease);
    }
}

void gm_core_lease_fail(struct gm_core *core, struct gm_lease *lease,
                        const struct gm_lease_failure *f)
{
    if (lease->cancelling) {
        gm_core_lease_end(core, lease, f->outcome, f->usage);
        return;
    }
    struct gm_cjob *job = lease->job;
    struct gm_attempt *a = lease->attempt;
    struct gm_err error = f->error;
    int64_t chunk;
    bool had_twin = lease->twin != NULL;
    gm_core_twin_part(lease); /* which goes on with its units */
    struct gm_unit *guilty = find_guilty(lease, f->chunk, &chunk);
    bool fails = false;
    Gm__Chain *gone = NULL; /* the job goes on without it */
    a->error = f->error;
    a->blamed_chunk = f->chunk;
    if (guilty && chunk < 0 && a->progressed) {
        gm_core_unit_clear(guilty);
        gm_core_builds_fini(&lease->inst->builds);
    }
    if (!guilty) {
        if (had_twin) {
            tell_watch(core, lease, f);
        }
        return_rest(core, lease, false); /* all that it held is committed: nothing to try again */
    } else if (is_free(lease, guilty, error.code) ||
               (core->stopping && error.code == GM_E_NODE_LOST)) { /* it stops, too */
        pause_unit(core, job, guilty, REFUSAL_PAUSE);
        return_rest(core, lease, false);
    } else {
        charge(lease, guilty, chunk, &error);
        gm_core_watch_failed(core, lease, guilty, chunk, f);
        gm_time pause = pause_after(core, guilty, error.code);
        fails = is_final(core, lease, guilty, chunk, &error);
        if (fails && gm_core_chain_can_go(core, lease, error.code)) {
            gone = gm_core_chain_dup(lease->chain);
            gm_core_unit_move(core, job, guilty, GM_UNIT_RETURN);
        } else if (fails && !gm_core_chain_tries_on(core, lease, f->error.code)) {
            gm_core_unit_move(core, job, guilty, GM_UNIT_FAIL);
        } else {
            fails = false;
            pause_unit(core, job, guilty, pause);
            gm_core_fx_retry(core, job, lease->inst->task->name, lease->node->id, &error);
        }
        return_rest(core, lease, true);
    }
    let_go(core, lease, f);
    if (gone) {
        gm_core_chain_failed(core, job, gone, &error);
        gm__chain__free_unpacked(gone, NULL);
    } else if (fails) {
        gm_core_job_fail(core, job, &error);
    }
}

void gm_core_lease_lost(struct gm_core *core, struct gm_lease *lease, const char *why)
{
    struct gm_lease_failure f = {.chunk = -1, .outcome = GM_ATTEMPT_LOST};
    (void)gm_err_set(&f.error, GM_E_NODE_LOST, 0, "node %s was lost: %s", lease->node->id, why);
    gm_core_lease_fail(core, lease, &f);
}
