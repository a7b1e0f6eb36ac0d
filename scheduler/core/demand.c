/* What unfinished jobs still need, for who adds and takes away machines.
 *
 * A round goes through all jobs, GM_DEMAND_JOBS of them at each tick beside what a tick does for
 * each of them anyway; then its sums are those that are shown, and the next round begins a second
 * after this one did. So a queue of ten thousand jobs is half a minute old in them, and costs no
 * step more than some dozen look-ups.
 *
 * Of a job that is planned each task that is not done counts as learn.c expects it: runs by the
 * frames that are left, others by their instances. Before that nobody knows with what, nor how
 * much: such a job is `unknown`, as is one of a kind that was never done.
 */
#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

#define GM_DEMAND_JOBS 16u
#define ROUND GM_SEC

void gm_core_demand_begin(struct gm_core *core)
{
    struct gm_demand *d = &core->counts.demand;
    d->left = GM_DEMAND_JOBS;
    if (!d->open && (d->begun == 0 || core->now - d->begun >= ROUND)) {
        d->open = true;
        d->begun = core->now;
        d->after = 0;
        d->round = (struct gm_demand_sums){.unknown = 0};
    }
}

void gm_core_demand_end(struct gm_core *core)
{
    struct gm_demand *d = &core->counts.demand;
    if (d->open && d->left > 0) { /* none was left out */
        d->open = false;
        d->sums = d->round;
    }
}

/* False: a part of it is not known. */
static bool add(struct gm_demand_sums *sums, const char *chain, gm_time time)
{
    sums->seconds[gm_core_chain_kind(chain)] += (double)time / 1e9;
    return time > 0;
}

static bool add_runs(const struct gm_core *core, struct gm_demand_sums *sums,
                     const struct gm_inst *inst)
{
    uint64_t left = gm_core_frames_left(inst);
    const Gm__Chain *chain = inst->task->job->chain;
    if (left == 0) {
        return true;
    }
    return add(sums, chain->name, gm_core_expect(core, NULL, NULL, chain, inst, left));
}

static bool add_inst(const struct gm_core *core, struct gm_demand_sums *sums,
                     const struct gm_inst *inst)
{
    const struct gm_lease *lease = inst->unit.lease;
    struct gm_chain_wish wish;
    if (lease) {
        return add(sums, lease->chain->name, gm_core_lease_left(core, lease));
    }
    if (!gm_core_chain_wish(core, inst, &wish)) {
        return false;
    }
    Gm__Chain chain = GM__CHAIN__INIT;
    chain.name = (char *)(uintptr_t)wish.name;
    uint64_t work = gm_core_work(inst, 0, 0);
    return add(sums, wish.name, gm_core_expect(core, NULL, NULL, &chain, inst, work));
}

static bool add_task(const struct gm_core *core, struct gm_demand_sums *sums,
                     const struct gm_ctask *task)
{
    bool known = true;
    for (uint32_t i = 0; i < task->inst_count; i++) {
        const struct gm_inst *inst = &task->insts[i];
        if (gm_task_state_is_final(inst->unit.state)) {
            continue;
        }
        bool runs = task->type->fan == GM_FAN_RUNS;
        known = (runs ? add_runs(core, sums, inst) : add_inst(core, sums, inst)) && known;
    }
    return known;
}

void gm_core_demand_job(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_demand *d = &core->counts.demand;
    if (!d->open || d->left == 0 || job->seq <= d->after) {
        return;
    }
    d->after = job->seq;
    d->left--;
    if (job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) {
        return;
    }
    gm_core_backlog_renew(core, job);
    bool known = job->chain && gm_core_task_is_done(job->plan);
    for (uint32_t t = 0; known && t < job->task_count; t++) {
        known = add_task(core, &d->round, &job->tasks[t]) && known;
    }
    d->round.unknown += known ? 0 : 1;
}
