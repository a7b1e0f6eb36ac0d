/* What speaks against a device. The order of events that proves something: the work fails here,
 * then passes elsewhere, and nothing of it failed elsewhere in between. */
#include "scheduler/core/health.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

bool gm_health_counts(const struct gm_err *error)
{
    const struct gm_code_info *info = gm_code_get((int)error->code);
    switch (error->code) {
    case GM_E_NODE_LOST:
    case GM_E_CANCELLED:
    case GM_E_NOMEM:
    case GM_E_DEVICE_MEMORY:
    case GM_E_NO_SCRATCH:
    case GM_E_MEDIA_CHUNK:
        return false;
    case GM_E_WORKER_DIED:
        return error->native != SIGKILL;
    case GM_E_NODE_GRANT: /* signed by another key, but not: too old by somebody's clock */
    case GM_E_TIMEOUT:    /* as the node tells that, where the clock is not its own */
        return error->native != ETIME;
    default:
        return info->retry == GM_RETRY_OTHER_NODE && info->blame != GM_BLAME_STORAGE;
    }
}

/* Where its chunks end; an instance without chunks is one unit at -1. */
static int64_t end_of(const struct gm_health_work *work)
{
    return work->first + (int64_t)work->count;
}

static bool overlaps(const struct gm_health_work *a, const struct gm_health_work *b)
{
    return a->job == b->job && a->task == b->task && a->instance == b->instance &&
           a->first < end_of(b) && b->first < end_of(a);
}

static void drop(struct gm_health *health, uint32_t i)
{
    health->count--;
    memmove(&health->marks[i], &health->marks[i + 1],
            (health->count - i) * sizeof(health->marks[0]));
}

static bool drop_pending(struct gm_health *health, const struct gm_health_work *work)
{
    bool found = false;
    for (uint32_t i = health->count; i > 0; i--) {
        if (health->marks[i - 1].left > 0 && overlaps(&health->marks[i - 1].work, work)) {
            drop(health, i - 1);
            found = true;
        }
    }
    return found;
}

void gm_health_fail(struct gm_health *health, const struct gm_health_work *work, uint32_t left,
                    enum gm_code code, gm_time now)
{
    (void)drop_pending(health, work); /* a part of a run that failed before, alone now */
    if (health->count == GM_HEALTH_MARKS) {
        drop(health, 0);
    }
    health->marks[health->count++] = (struct gm_health_mark){
        .work = *work, .left = left, .code = code, .at = now, .passes = health->passes};
}

void gm_health_pass(struct gm_health *health, const struct gm_health_work *unit)
{
    health->passes++;
    (void)drop_pending(health, unit);
}

bool gm_health_pass_elsewhere(struct gm_health *health, const struct gm_health_work *unit)
{
    bool struck = false;
    for (uint32_t i = 0; i < health->count; i++) {
        struct gm_health_mark *m = &health->marks[i];
        if (m->left > 0 && overlaps(&m->work, unit)) {
            m->left--;
            struck = struck || m->left == 0;
        }
    }
    return struck;
}

bool gm_health_fail_elsewhere(struct gm_health *health, const struct gm_health_work *work)
{
    return drop_pending(health, work);
}

void gm_health_forget_job(struct gm_health *health, uint64_t job)
{
    for (uint32_t i = health->count; i > 0; i--) {
        if (health->marks[i - 1].left > 0 && health->marks[i - 1].work.job == job) {
            drop(health, i - 1);
        }
    }
}

void gm_health_age(struct gm_health *health, gm_time now)
{
    for (uint32_t i = health->count; i > 0; i--) {
        const struct gm_health_mark *m = &health->marks[i - 1];
        if (now - m->at >= GM_HEALTH_KEPT || health->passes - m->passes >= GM_HEALTH_PASSES) {
            drop(health, i - 1);
        }
    }
}

uint32_t gm_health_strikes(const struct gm_health *health)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < health->count; i++) {
        n += health->marks[i].left == 0 ? 1 : 0;
    }
    return n;
}

uint32_t gm_health_pending(const struct gm_health *health)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < health->count; i++) {
        const struct gm_health_mark *m = &health->marks[i];
        n += m->left > 0 && m->passes == health->passes ? 1 : 0;
    }
    return n;
}
