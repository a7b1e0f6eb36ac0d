/* Work that waits for encoders, in sums. See backlog.h. */
#include "scheduler/core/backlog.h"

#include <inttypes.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/job.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)
#define CHUNK_US INT64_C(6000000) /* of split, about */
#define LONGEST_MS ((double)GM_CORE_LONGEST / (double)GM_MS)

enum gm_count_kind gm_core_chain_kind(const char *chain)
{
    return strcmp(chain, "cpu") == 0                                   ? GM_COUNT_CPU
           : strcmp(chain, "nvenc") == 0 || strcmp(chain, "cuda") == 0 ? GM_COUNT_NVIDIA
           : strcmp(chain, "vaapi") == 0 || strcmp(chain, "qsv") == 0  ? GM_COUNT_DRM
                                                                       : GM_COUNT_OTHER;
}

/* What inspect tells, until split knows better. */
static uint64_t frames_left(const struct gm_cjob *job)
{
    uint64_t all = gm_core_split_is_done(job) ? 0 : gm_core_job_frames(job);
    if (!job->chain || !job->encode || job->encode->inst_count == 0) {
        return all;
    }
    uint64_t left = gm_core_frames_left(&job->encode->insts[0]);
    uint64_t done = gm_core_job_frames_done(job);
    return left > 0 || done >= all ? left : all - done;
}

gm_time gm_core_backlog_own(const struct gm_core *core, const struct gm_cjob *job,
                            const char *chain)
{
    Gm__Chain own = GM__CHAIN__INIT;
    const struct gm_chain_wish wish = {.name = chain};
    if (!job->encode || gm_core_task_is_done(job->encode)) {
        return 0;
    }
    uint64_t frames = frames_left(job);
    own.name = (char *)(uintptr_t)chain;
    if (job->work_count > 0 && job->encode->inst_count > 0) {
        gm_time known = gm_core_expect(core, NULL, NULL, &own, &job->encode->insts[0], frames);
        if (known > 0) {
            return known;
        }
    }
    double ns = gm_core_guess_s(core, job, &wish, frames) * 1e9;
    return ns < (double)GM_CORE_LONGEST ? (gm_time)ns : GM_CORE_LONGEST;
}

static struct gm_backlog *sum_of(struct gm_core *core, const struct gm_owed *owed)
{
    return &core->backlog[owed->class_][owed->kind];
}

static void drop(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_owed *owed = &job->owed;
    if (owed->in) {
        sum_of(core, owed)->ms -= owed->ms;
        sum_of(core, owed)->jobs--;
        owed->in = false;
    }
}

static void add(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_owed *owed = &job->owed;
    owed->class_ = job->turn.class_;
    owed->in = true;
    sum_of(core, owed)->ms += owed->ms;
    sum_of(core, owed)->jobs++;
}

void gm_core_backlog_set(struct gm_core *core, struct gm_cjob *job, const char *chain)
{
    drop(core, job);
    if (chain && job->encode && !gm_core_task_is_done(job->encode)) {
        job->owed.ms = (uint64_t)(gm_core_backlog_own(core, job, chain) / GM_MS);
        job->owed.kind = gm_core_chain_kind(chain);
        add(core, job);
    }
}

void gm_core_backlog_enter(struct gm_core *core, struct gm_cjob *job)
{
    const char *chosen = job->choice.chain[0] != '\0' ? job->choice.chain : NULL;
    gm_core_backlog_set(core, job, job->chain ? job->chain->name : chosen);
}

void gm_core_backlog_renew(struct gm_core *core, struct gm_cjob *job)
{
    if (job->owed.in && job->chain) {
        gm_core_backlog_set(core, job, job->chain->name);
    }
}

void gm_core_backlog_class(struct gm_core *core, struct gm_cjob *job)
{
    if (job->owed.in && job->owed.class_ != job->turn.class_) {
        drop(core, job);
        add(core, job);
    }
}

/* What goes before it, or beside it: higher classes first; of its own class each job gets as much
 * as it does until it has ended. */
static double before(const struct gm_core *core, const struct gm_cjob *job,
                     enum gm_job_class class_, enum gm_count_kind kind, double own_ms)
{
    struct gm_backlog same = core->backlog[class_][kind];
    double higher = 0;
    bool in = job->owed.in && job->owed.kind == kind;
    if (in && job->owed.class_ == class_) {
        same.ms -= job->owed.ms;
        same.jobs--;
    }
    for (int c = (int)class_ + 1; c < GM_CLASSES; c++) {
        uint64_t own = in && (int)job->owed.class_ == c ? job->owed.ms : 0;
        higher += (double)(core->backlog[c][kind].ms - own);
    }
    double shared = own_ms * (double)same.jobs;
    return higher + (shared < (double)same.ms ? shared : (double)same.ms);
}

gm_time gm_core_backlog_end(const struct gm_core *core, const struct gm_cjob *job,
                            enum gm_job_class class_, const struct gm_chain_wish *wish,
                            uint64_t slots)
{
    gm_time own = gm_core_backlog_own(core, job, wish->name);
    uint64_t chunks = job->duration_us > CHUNK_US ? (uint64_t)(job->duration_us / CHUNK_US) : 1;
    if (own == 0 || slots == 0) {
        return 0;
    }
    double own_ms = (double)own / (double)GM_MS;
    enum gm_count_kind kind = gm_core_chain_kind(wish->name);
    double wait = before(core, job, class_, kind, own_ms) / (double)slots;
    double ms = wait + own_ms / (double)(slots < chunks ? slots : chunks);
    return ms < LONGEST_MS ? (gm_time)ms * GM_MS + 1 : GM_CORE_LONGEST;
}

static bool has_to_be_in(const struct gm_cjob *job)
{
    return (job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING) && job->chain &&
           job->encode && !gm_core_task_is_done(job->encode);
}

int gm_core_backlog_check(const struct gm_core *core, struct gm_err *err)
{
    struct gm_backlog sums[GM_CLASSES][GM_COUNT_KINDS] = {0};
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        const struct gm_owed *owed = &job->owed;
        if (!owed->in && has_to_be_in(job)) {
            return BROKEN("job %s has left to encode, and that is not summed", job->id);
        }
        if (!owed->in) {
            continue;
        }
        if ((job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) ||
            owed->class_ != job->turn.class_) {
            return BROKEN("job %s is %s, of class %d, and owed as of %d", job->id,
                          gm_job_state_name(job->state), (int)job->turn.class_, (int)owed->class_);
        }
        sums[owed->class_][owed->kind].ms += owed->ms;
        sums[owed->class_][owed->kind].jobs++;
    }
    for (int c = 0; c < GM_CLASSES; c++) {
        for (int k = 0; k < GM_COUNT_KINDS; k++) {
            const struct gm_backlog *is = &core->backlog[c][k];
            if (is->ms != sums[c][k].ms || is->jobs != sums[c][k].jobs) {
                return BROKEN("of class %d and kind %d %" PRIu64 " ms of %" PRIu64
                              " jobs are owed, %" PRIu64 " of %" PRIu64 " are summed",
                              c, k, sums[c][k].ms, sums[c][k].jobs, is->ms, is->jobs);
            }
        }
    }
    return 0;
}
