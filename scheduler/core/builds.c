/* Builds of software: media code and libraries, which the processors' chain is pinned to as a
 * device's is to its driver. Other than devices they don't come back when they were replaced, and
 * each can make what the others can. So a job whose build is gone goes on with another one's
 * whatever its `fallback` says, and so does one that failed on its build where another is there.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/builds.h"
#include "scheduler/core/place.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"

#define CPU "cpu"
#define LONGEST_PATIENCE (3600 * GM_SEC)

static const struct gm_chain_wish any_build = {.name = CPU};

static bool is_bad(const struct gm_builds *b, const char *build)
{
    for (size_t i = 0; b && i < b->bad_count; i++) {
        if (strcmp(b->bad[i], build) == 0) {
            return true;
        }
    }
    return false;
}

bool gm_core_build_failed(const struct gm_cjob *job, const char *build)
{
    return is_bad(job->builds, build);
}

/* Asked anew each time: the list is kept only until other wishes are asked for. */
static const char *build_at(const struct gm_core *core, size_t i)
{
    return gm_devices_classes(core, &any_build).list[i]->chain->fingerprint;
}

static struct gm_tally tally_of(const struct gm_core *core, const char *build)
{
    const struct gm_chain_wish wish = {.name = CPU, .fingerprint = build};
    return gm_devices_tally(core, &wish);
}

/* What was found so far. */
struct found {
    const char *build;
    uint32_t bad; /* 2: the job failed on it, 1: the instance did, or both */
    bool has_room;
    uint64_t slots;
};

static bool has_room(const struct gm_core *core, const struct gm_inst *inst, const char *build)
{
    const struct gm_chain_wish wish = {.name = CPU, .fingerprint = build};
    const struct gm_capacity demand = gm_core_demand_on(core, inst, &wish);
    return tally_of(core, build).unused > 0 && !gm_core_is_parked(core, &wish, &demand);
}

/* It takes tasks, or it is seen soon whether it does again. */
static bool is_there(const struct gm_core *core, const char *build)
{
    const struct gm_chain_wish wish = {.name = CPU, .fingerprint = build};
    return tally_of(core, build).devices > 0 || gm_core_watch_holds_other(core, &wish, NULL);
}

static bool is_better(const struct found *a, const struct found *b)
{
    return a->bad != b->bad             ? a->bad < b->bad
           : a->has_room != b->has_room ? a->has_room
                                        : a->slots >= b->slots;
}

/* job: NULL: what it failed on counts not. */
static struct found choose(const struct gm_core *core, const struct gm_cjob *job,
                           const struct gm_inst *inst)
{
    const size_t count = gm_devices_classes(core, &any_build).count;
    struct found best = {0};
    for (size_t i = 0; count > 1 && i < count; i++) {
        const char *build = build_at(core, i);
        if (!is_there(core, build)) {
            continue;
        }
        const struct found now = {.build = build,
                                  .bad = (job && is_bad(job->builds, build) ? 2U : 0U) +
                                         (is_bad(inst->builds, build) ? 1U : 0U),
                                  .has_room = has_room(core, inst, build),
                                  .slots = tally_of(core, build).slots};
        if (!best.build || is_better(&now, &best)) {
            best = now;
        }
    }
    return best;
}

const char *gm_core_build_to_plan(const struct gm_core *core, const struct gm_inst *plan)
{
    return choose(core, plan->task->job, plan).build;
}

const char *gm_core_build_instead(const struct gm_core *core, const struct gm_inst *inst)
{
    if (!inst->builds) {
        return NULL;
    }
    const struct found best = choose(core, NULL, inst);
    const struct gm_chain_wish wish = {.name = CPU, .fingerprint = best.build};
    bool good = best.build && best.bad == 0 && best.has_room;
    return good && gm_core_has_other_node(core, &wish, &inst->unit) ? best.build : NULL;
}

/* One that is not `but`, nor one of the bad ones. */
static bool has_other(const struct gm_core *core, const char *but, const struct gm_builds *bad)
{
    const size_t count = gm_devices_classes(core, &any_build).count;
    for (size_t i = 0; i < count; i++) {
        const char *build = build_at(core, i);
        if (strcmp(build, but) != 0 && !is_bad(bad, build) && is_there(core, build)) {
            return true;
        }
    }
    return false;
}

bool gm_core_build_is_gone(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    return strcmp(wish->name, CPU) == 0 && wish->fingerprint &&
           !is_there(core, wish->fingerprint) && has_other(core, wish->fingerprint, NULL);
}

static bool encodes(const struct gm_inst *inst)
{
    return inst->task->type->role == GM_ROLE_ANALYZE || inst->task->type->role == GM_ROLE_ENCODE;
}

bool gm_core_build_works(const struct gm_cjob *job)
{
    const struct gm_lease *lease;
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (!lease->cancelling && encodes(lease->inst)) {
            return true;
        }
    }
    return job->unheard_count > 0;
}

/* Twice as long each time, and up to four times as long by what would be made anew. */
gm_time gm_core_build_patience(const struct gm_core *core, const struct gm_cjob *job)
{
    gm_time wait = core->device_wait;
    for (uint32_t i = 0; job->builds && i < job->builds->replans && wait < LONGEST_PATIENCE; i++) {
        wait *= 2;
    }
    if (job->frames_known > 0 && wait < LONGEST_PATIENCE) {
        wait *= 1 + (gm_time)(3 * job->frames_committed / job->frames_known);
    }
    gm_time most = core->device_wait > LONGEST_PATIENCE ? core->device_wait : LONGEST_PATIENCE;
    return wait < most ? wait : most;
}

static struct gm_builds *made(struct gm_builds **builds)
{
    if (!*builds) {
        *builds = gm_mem_zalloc(sizeof(**builds));
    }
    return *builds;
}

void gm_core_build_count(struct gm_cjob *job)
{
    struct gm_builds *b = made(&job->builds);
    b->replans += b->replans < UINT32_MAX ? 1 : 0;
}

/* False: there are too many. */
static bool can_note(const struct gm_builds *b, const char *build)
{
    return !b || b->bad_count < GM_CORE_MAX_BUILDS || is_bad(b, build);
}

static void note(struct gm_builds **builds, const char *build)
{
    struct gm_builds *b = made(builds);
    if (b->bad_count < GM_CORE_MAX_BUILDS && !is_bad(b, build)) {
        b->bad[b->bad_count++] = gm_mem_strdup(build);
    }
}

static bool is_pinned(const struct gm_lease *lease)
{
    const struct gm_cjob *job = lease->job;
    return job->encode && (lease->inst->task == job->plan || encodes(lease->inst));
}

bool gm_core_build_can_go(const struct gm_core *core, const struct gm_lease *lease)
{
    const struct gm_cjob *job = lease->job;
    const char *build = lease->chain->fingerprint;
    return is_pinned(lease) && can_note(job->builds, build) && has_other(core, build, job->builds);
}

bool gm_core_build_tries_on(struct gm_core *core, const struct gm_lease *lease)
{
    struct gm_inst *inst = lease->inst;
    const char *build = lease->chain->fingerprint;
    if (!is_pinned(lease) && can_note(inst->builds, build)) {
        note(&inst->builds, build);
        if (has_other(core, build, inst->builds)) {
            gm_core_unit_clear(&inst->unit);
            lease->attempt->anew = true;
            return true;
        }
    }
    return false;
}

void gm_core_build_charge(const struct gm_lease *lease)
{
    if (lease->chain && strcmp(lease->chain->name, CPU) == 0) {
        note(&lease->inst->builds, lease->chain->fingerprint);
    }
}

void gm_core_build_fail(struct gm_cjob *job, const char *build)
{
    note(&job->builds, build);
}

void gm_core_builds_load(struct gm_cjob *job, const Gm__JobRow *row)
{
    for (size_t i = 0; i < row->n_bad_builds; i++) {
        gm_core_build_fail(job, row->bad_builds[i]);
    }
    if (row->build_replans > 0) {
        made(&job->builds)->replans = row->build_replans;
    }
}

void gm_core_builds_fini(struct gm_builds **builds)
{
    for (size_t i = 0; *builds && i < (*builds)->bad_count; i++) {
        free((*builds)->bad[i]);
    }
    free(*builds);
    *builds = NULL;
}
