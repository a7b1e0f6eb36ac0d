/* Builds of software: media code and libraries, which the processors' chain is pinned to as a
 * device's is to its driver. Other than devices they don't come back when they were replaced, and
 * each can make what the others can. So a job whose build is gone goes on with another one's
 * whatever its `fallback` says, and so does one that failed on its build where another is there.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/builds.h"

#define CPU "cpu"
#define LONGEST_PATIENCE (3600 * GM_SEC)

static const struct gm_chain_wish any_build = {.name = CPU};

bool gm_core_build_failed(const struct gm_cjob *job, const char *build)
{
    for (size_t i = 0; job->builds && i < job->builds->bad_count; i++) {
        if (strcmp(job->builds->bad[i], build) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_build(const struct gm_cnode *node, const char *build)
{
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        for (size_t c = 0; c < d->chain_count; c++) {
            if (strcmp(d->chains[c]->name, CPU) == 0 &&
                strcmp(d->chains[c]->fingerprint, build) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The unit did, on a node of it, and not because the node can't work at all. */
static bool unit_failed(const struct gm_core *core, const struct gm_unit *unit, const char *build)
{
    for (uint32_t i = 0; unit && i < unit->avoid_count; i++) {
        const struct gm_cnode *node = NULL;
        HASH_FIND_STR(core->nodes, unit->avoid[i].node_id, node);
        if (unit->avoid[i].evidence && node && is_of_build(node, build)) {
            return true;
        }
    }
    return false;
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

const char *gm_core_build_choose(const struct gm_core *core, const struct gm_cjob *job,
                                 const struct gm_unit *unit)
{
    const size_t count = gm_devices_classes(core, &any_build).count;
    struct gm_tally most = {0};
    const char *best = NULL;
    for (size_t i = 0; count > 1 && i < count; i++) {
        const char *build = build_at(core, i);
        const struct gm_tally has = tally_of(core, build);
        bool is_free = has.unused > 0, was_free = most.unused > 0;
        bool better = is_free != was_free ? is_free : has.slots >= most.slots;
        if (has.slots > 0 && (!best || better) && !gm_core_build_failed(job, build) &&
            !unit_failed(core, unit, build)) {
            best = build;
            most = has;
        }
    }
    return best;
}

/* One that takes tasks; `but` does not count, nor does one that the job, or the unit (NULL: none is
 * asked for), failed on where `good`. */
static bool has_other(const struct gm_core *core, const char *but, const struct gm_cjob *good,
                      const struct gm_unit *unit)
{
    const size_t count = gm_devices_classes(core, &any_build).count;
    for (size_t i = 0; i < count; i++) {
        const char *build = build_at(core, i);
        if (strcmp(build, but) != 0 && tally_of(core, build).devices > 0 &&
            !(good && gm_core_build_failed(good, build)) && !unit_failed(core, unit, build)) {
            return true;
        }
    }
    return false;
}

bool gm_core_build_is_gone(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    return strcmp(wish->name, CPU) == 0 && wish->fingerprint &&
           tally_of(core, wish->fingerprint).devices == 0 &&
           has_other(core, wish->fingerprint, NULL, NULL);
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

static struct gm_job_builds *builds_of(struct gm_cjob *job)
{
    if (!job->builds) {
        job->builds = gm_mem_zalloc(sizeof(*job->builds));
    }
    return job->builds;
}

void gm_core_build_count(struct gm_cjob *job)
{
    struct gm_job_builds *b = builds_of(job);
    b->replans += b->replans < UINT32_MAX ? 1 : 0;
}

bool gm_core_build_can_go(const struct gm_core *core, const struct gm_lease *lease,
                          const struct gm_unit *guilty)
{
    const struct gm_cjob *job = lease->job;
    bool pinned = lease->inst->task == job->plan || encodes(lease->inst);
    bool full = job->builds && job->builds->bad_count == GM_CORE_MAX_BUILDS;
    return pinned && job->encode && lease->chain && strcmp(lease->chain->name, CPU) == 0 &&
           (!full || gm_core_build_failed(job, lease->chain->fingerprint)) &&
           has_other(core, lease->chain->fingerprint, job, guilty);
}

void gm_core_build_fail(struct gm_cjob *job, const char *build)
{
    struct gm_job_builds *b = builds_of(job);
    if (b->bad_count < GM_CORE_MAX_BUILDS && !gm_core_build_failed(job, build)) {
        b->bad[b->bad_count++] = gm_mem_strdup(build);
    }
}

void gm_core_builds_load(struct gm_cjob *job, const Gm__JobRow *row)
{
    for (size_t i = 0; i < row->n_bad_builds; i++) {
        gm_core_build_fail(job, row->bad_builds[i]);
    }
    if (row->build_replans > 0) {
        builds_of(job)->replans = row->build_replans;
    }
}

void gm_core_builds_fini(struct gm_cjob *job)
{
    for (size_t i = 0; job->builds && i < job->builds->bad_count; i++) {
        free(job->builds->bad[i]);
    }
    free(job->builds);
    job->builds = NULL;
}
