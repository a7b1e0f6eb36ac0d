/* Counts for metrics: an addition where a state changes. Nothing here decides anything. */
#include "scheduler/core/count.h"

#include <inttypes.h>
#include <string.h>

#include "scheduler/core/counts.h"
#include "scheduler/core/order.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)
#define MOST_GROWTH                                                                                \
    (UINT64_C(1) << 50) /* of a node's counter between heartbeats: a sum stays sane */

/* Half decades: what takes three times as long as usual falls into another bucket, and that is what
 * the scheduler itself calls slow. From a plan, below 0.1 s, to a split that copies for an hour. */
const struct gm_bounds gm_count_task_bounds = {10,
                                               {100 * GM_MS, 300 * GM_MS, GM_SEC, 3 * GM_SEC,
                                                10 * GM_SEC, 30 * GM_SEC, 100 * GM_SEC,
                                                300 * GM_SEC, 1000 * GM_SEC, 3000 * GM_SEC}};
/* From a clip that is done in a second to a day's wait: what a promise about jobs may name. */
const struct gm_bounds gm_count_job_bounds = {
    11,
    {GM_SEC, 5 * GM_SEC, 15 * GM_SEC, 60 * GM_SEC, 300 * GM_SEC, 900 * GM_SEC, 1800 * GM_SEC,
     3600 * GM_SEC, 10800 * GM_SEC, 28800 * GM_SEC, 86400 * GM_SEC}};

static const char *const KINDS[GM_COUNT_KINDS] = {[GM_COUNT_CPU] = "cpu",
                                                  [GM_COUNT_NVIDIA] = "nvidia",
                                                  [GM_COUNT_DRM] = "drm",
                                                  [GM_COUNT_OTHER] = "other"};

const char *gm_count_kind_name(enum gm_count_kind kind)
{
    return KINDS[kind];
}

enum gm_count_kind gm_count_kind_of(const char *device_kind)
{
    for (int k = 0; k < GM_COUNT_OTHER; k++) {
        if (strcmp(KINDS[k], device_kind) == 0) {
            return (enum gm_count_kind)k;
        }
    }
    return GM_COUNT_OTHER;
}

static size_t index_of(const struct gm_core_task_type *type)
{
    return (size_t)(type - gm_core_task_type_list());
}

static size_t code_of(enum gm_code code)
{
    return code >= 0 && (size_t)code < GM_COUNT_CODES ? (size_t)code : GM_E_BUG;
}

void gm_core_count_lease(struct gm_core *core, const struct gm_lease *lease, bool begins)
{
    uint64_t *count = &core->counts.leases[index_of(lease->inst->task->type)];
    *count = begins ? *count + 1 : *count - 1;
}

void gm_core_count_attempt(struct gm_core *core, const struct gm_lease *lease)
{
    const struct gm_attempt *a = lease->attempt;
    size_t type = index_of(lease->inst->task->type);
    enum gm_code code = a->outcome == GM_ATTEMPT_DONE        ? GM_OK
                        : a->outcome == GM_ATTEMPT_CANCELLED ? GM_E_CANCELLED
                        : a->error.code != GM_OK             ? a->error.code
                                                             : GM_E_NODE_LOST;
    core->counts.attempts[type][code_of(code)]++;
    if (code == GM_OK) {
        gm_histogram_note(&core->counts.took[type], &gm_count_task_bounds,
                          core->now - lease->assigned_at);
    }
}

void gm_core_count_chunk(struct gm_core *core, const struct gm_lease *lease, uint32_t frames)
{
    if (lease->inst->task->type->role == GM_ROLE_ENCODE) {
        enum gm_count_kind kind = gm_count_kind_of(lease->device->kind);
        core->counts.frames[kind] += frames;
        core->counts.pixels[kind] += frames * lease->job->picture_pixels;
    }
}

static gm_time between(int64_t from_unix_ms, int64_t to_unix_ms)
{
    int64_t ms = to_unix_ms - from_unix_ms;
    return ms < GM_CORE_LONGEST / GM_MS ? ms * GM_MS : GM_CORE_LONGEST;
}

void gm_core_count_started(struct gm_core *core, const struct gm_cjob *job)
{
    gm_histogram_note(&core->counts.waited, &gm_count_job_bounds,
                      between(job->created_unix_ms, job->started_unix_ms));
}

void gm_core_count_ended(struct gm_core *core, const struct gm_cjob *job)
{
    bool done = job->state == GM_JOB_DONE;
    enum gm_code code = done                             ? GM_OK
                        : job->state == GM_JOB_CANCELLED ? GM_E_CANCELLED
                                                         : job->error.code;
    core->counts.ended[code_of(code)]++;
    if (done) {
        gm_histogram_note(&core->counts.lasted, &gm_count_job_bounds,
                          between(job->created_unix_ms, job->finished_unix_ms));
    }
}

static const struct gm_core_task_type *type_of(const struct gm_cjob *job,
                                               const struct gm_unit *unit)
{
    if (unit->runs > 0) {
        return job->tasks[unit->runs - 1].type;
    }
    const char *inst = (const char *)unit - offsetof(struct gm_inst, unit);
    return ((const struct gm_inst *)(const void *)inst)->task->type;
}

void gm_core_count_ready(struct gm_core *core, const struct gm_cjob *job,
                         const struct gm_unit *unit, bool ready)
{
    uint64_t *count = &core->counts.ready[index_of(type_of(job, unit))];
    *count = ready ? *count + 1 : *count - 1;
}

static void grow(uint64_t *sum, uint64_t was, uint64_t is)
{
    uint64_t more = is > was ? is - was : 0;
    *sum += more < MOST_GROWTH ? more : MOST_GROWTH;
}

void gm_core_count_node(struct gm_core *core, struct gm_cnode *node, const Gm__NodeCounters *m)
{
    struct gm_core_counts *c = &core->counts;
    const struct gm_told was = node->told;
    node->told = (struct gm_told){.heard = true,
                                  .cache_hits = m->cache_hits,
                                  .cache_misses = m->cache_misses,
                                  .cache_bytes = m->cache_bytes,
                                  .read_bytes = m->read_bytes,
                                  .fetched_bytes = m->fetched_bytes,
                                  .written_bytes = m->written_bytes};
    if (!was.heard) {
        return;
    }
    grow(&c->cache_hits, was.cache_hits, m->cache_hits);
    grow(&c->cache_misses, was.cache_misses, m->cache_misses);
    grow(&c->read_bytes, was.read_bytes, m->read_bytes);
    grow(&c->fetched_bytes, was.fetched_bytes, m->fetched_bytes);
    grow(&c->written_bytes, was.written_bytes, m->written_bytes);
}

const struct gm_core_counts *gm_view_counts(const struct gm_core *core)
{
    return &core->counts;
}

gm_time gm_view_oldest(const struct gm_core *core)
{
    const struct gm_heap *waiting = &core->order.waiting;
    if (waiting->count == 0) {
        return 0;
    }
    gm_time waited = core->now - gm_core_order_waiting(core, 0)->turn.since;
    return waited > 0 ? waited : 0;
}

int gm_core_count_check(const struct gm_core *core, struct gm_err *err)
{
    uint64_t ready = 0, leases = 0;
    for (size_t t = 0; t < GM_COUNT_TYPES; t++) {
        ready += core->counts.ready[t];
        leases += core->counts.leases[t];
    }
    if (ready != core->ready_units || leases != HASH_COUNT(core->leases)) {
        return BROKEN("%" PRIu64 " units are ready, %" PRIu64 " are counted; %u leases, %" PRIu64,
                      core->ready_units, ready, HASH_COUNT(core->leases), leases);
    }
    return 0;
}
