/* Expected times: of a lease, and of a job. What nobody knows is 0.
 *
 * A lease has left of its whole time (learn.c) the part of its frames that are not done; without
 * such a time what is done tells its pace. Where no frames are told the time that passed is taken
 * off, and one that should be over is given a quarter more.
 *
 * A job has left the longest way through its tasks, where one ends no sooner than split where that
 * feeds it. Runs take as long as their work among the slots that the job has, and no less than the
 * longest lease; of those that have none encodes end after those of higher classes and beside those
 * of their own (backlog.h), others by the job's share of all; other tasks as long as their longest
 * instance, which is left out where it is not known: it is little.
 */
#include "scheduler/core/chains.h"
#include "scheduler/core/job.h"
#include "scheduler/core/place.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

#define LATE 4 /* a part of its time is left of a task that should be over */

static gm_time longer(gm_time a, gm_time b)
{
    return a > b ? a : b;
}

/* t * part / whole; whole > 0. */
static gm_time scaled(gm_time t, uint64_t part, uint64_t whole)
{
    __int128 x = (__int128)t * (__int128)part / (__int128)whole;
    return x < GM_CORE_LONGEST ? (gm_time)x : GM_CORE_LONGEST;
}

uint64_t gm_core_lease_frames(const struct gm_lease *lease, uint64_t *out_all)
{
    uint64_t all = lease->chunk_count > 0 ? 0 : lease->frames_total, committed = 0;
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        const struct gm_core_chunk *c = &lease->inst->chunks[lease->first_chunk + i];
        all += c->frames;
        committed += c->unit.state == GM_TASK_DONE ? c->frames : 0;
    }
    uint64_t done = lease->frames_done > committed ? lease->frames_done : committed;
    *out_all = all;
    return done < all ? done : all;
}

gm_time gm_core_lease_whole(const struct gm_core *core, const struct gm_lease *lease)
{
    uint64_t work = gm_core_work(lease->inst, lease->first_chunk, lease->chunk_count);
    return gm_core_expect(core, lease->node, lease->device, lease->chain, lease->inst, work);
}

gm_time gm_core_lease_left(const struct gm_core *core, const struct gm_lease *lease)
{
    uint64_t all;
    uint64_t done = gm_core_lease_frames(lease, &all);
    gm_time whole = gm_core_lease_whole(core, lease);
    gm_time elapsed = core->now - lease->assigned_at;
    if (whole == 0 && done > 0) {
        return longer(scaled(elapsed, all - done, done), 1);
    }
    if (whole > 0 && all > 0 && (done > 0 || lease->chunk_count > 0)) {
        return longer(scaled(whole, all - done, all), 1);
    }
    if (lease->waits && !lease->fed_complete) {
        return whole;
    }
    return elapsed < whole ? longer(whole - elapsed, whole / LATE) : whole / LATE;
}

/* Of the task's leases: how many, and the time of the longest one that is left. */
static uint64_t find_leases(const struct gm_core *core, const struct gm_ctask *task,
                            gm_time *out_longest)
{
    uint64_t count = 0;
    const struct gm_lease *l;
    *out_longest = 0;
    DL_FOREACH2(task->job->leases, l, job_next)
    {
        if (l->inst->task == task && !l->cancelling) {
            gm_time left = gm_core_lease_left(core, l);
            gm_time twin = l->twin ? gm_core_lease_left(core, l->twin) : left;
            *out_longest = longer(*out_longest, twin < left ? twin : left);
            count++;
        }
    }
    return count;
}

/* Slots that work for the task: those that do, or else its job's share of those that could. */
static uint64_t share_of(const struct gm_core *core, const struct gm_inst *inst, uint64_t leases)
{
    struct gm_chain_wish wish;
    uint64_t unused, jobs = core->unfinished > 0 ? core->unfinished : 1;
    if (leases > 0) {
        return leases;
    }
    if (!gm_core_chain_wish(core, inst, &wish)) {
        return 0;
    }
    uint64_t slots = gm_core_slots(core, &wish, &unused);
    return slots > jobs ? slots / jobs : slots > 0 ? 1 : 0;
}

uint64_t gm_core_frames_left(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    uint64_t all = job->frames_known, done = 0;
    if (!gm_core_split_is_done(job) && job->estimated_frames > all) {
        all = job->estimated_frames;
    }
    if (inst->task == job->encode) {
        done = gm_core_job_frames_done(job);
    } else if (inst->chunk_count > 0) { /* chunks are about as long as each other */
        done = (uint64_t)scaled((gm_time)job->frames_known, inst->chunk_done, inst->chunk_count);
    }
    return all > done ? all - done : 0;
}

/* Of encodes that wait: behind those of higher classes, beside those of their own. */
static gm_time after_turn(const struct gm_core *core, const struct gm_cjob *job,
                          enum gm_job_class class_)
{
    struct gm_chain_wish wish;
    uint64_t unused;
    if (!job->chain || !gm_core_chain_wish(core, &job->encode->insts[0], &wish)) {
        return 0;
    }
    return gm_core_backlog_end(core, job, class_, &wish, gm_core_slots(core, &wish, &unused));
}

/* False: it is not known how long the task's runs take. */
static bool find_runs(const struct gm_core *core, const struct gm_ctask *task,
                      enum gm_job_class class_, gm_time *out)
{
    const struct gm_cjob *job = task->job;
    const struct gm_inst *inst = task->inst_count > 0 ? &task->insts[0] : NULL;
    gm_time longest;
    *out = 0;
    if (!inst || gm_core_task_is_done(task)) {
        return task->known;
    }
    uint64_t leases = find_leases(core, task, &longest), left = gm_core_frames_left(inst);
    uint64_t share = share_of(core, inst, leases);
    gm_time work = job->chain ? gm_core_expect(core, NULL, NULL, job->chain, inst, left) : 0;
    bool waits = work > 0 && leases == 0 && task == job->encode;
    gm_time turn = waits ? after_turn(core, job, class_) : 0;
    if (turn > 0) {
        *out = turn;
        return true;
    }
    if (work > 0 && share > 0) {
        *out = longer(work / (gm_time)share, longest);
        return true;
    }
    bool paced = task == job->encode && job->fps > 0;
    double ns = paced ? (double)left * 1e9 / job->fps : 0;
    *out = ns < (double)GM_CORE_LONGEST ? (gm_time)ns : GM_CORE_LONGEST;
    return paced || left == 0;
}

/* The longest of a task's instances that are not done, alone; 0: not known, or all are done. */
static gm_time find_longest(const struct gm_core *core, const struct gm_ctask *task)
{
    gm_time longest = 0;
    (void)find_leases(core, task, &longest);
    for (uint32_t i = 0; i < task->inst_count; i++) {
        const struct gm_inst *inst = &task->insts[i];
        struct gm_chain_wish wish;
        if (gm_task_state_is_final(inst->unit.state) || inst->unit.lease ||
            !gm_core_chain_wish(core, inst, &wish)) {
            continue;
        }
        Gm__Chain chain = GM__CHAIN__INIT;
        chain.name = (char *)(uintptr_t)wish.name;
        uint64_t work = gm_core_work(inst, 0, 0);
        longest = longer(longest, gm_core_expect(core, NULL, NULL, &chain, inst, work));
    }
    return longest;
}

/* When the task ends if it takes `own` alone; -1: one that it needs has no time yet. What split
 * makes it is given while split runs. */
static gm_time end_of(const struct gm_ctask *task, gm_time own, const gm_time *ends)
{
    const struct gm_cjob *job = task->job;
    gm_time start = 0, beside = 0;
    for (uint32_t i = 0; i < task->need_count; i++) {
        const struct gm_ctask *need = &job->tasks[task->needs[i]];
        gm_time end = ends[need->position];
        if (end < 0) {
            return -1;
        }
        if (need == job->split && task->type->feed != GM_FEED_NONE) {
            beside = end;
        } else {
            start = longer(start, end);
        }
    }
    return longer(start + own, beside);
}

gm_time gm_core_job_left(const struct gm_core *core, const struct gm_cjob *job)
{
    return gm_core_job_left_as(core, job, job->turn.class_);
}

gm_time gm_core_job_left_as(const struct gm_core *core, const struct gm_cjob *job,
                            enum gm_job_class class_)
{
    gm_time own[GM_CORE_MAX_TASKS], ends[GM_CORE_MAX_TASKS], last = 0;
    if (job->state != GM_JOB_RUNNING || !gm_core_task_is_done(job->plan)) {
        return 0;
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        ends[t] = -1;
        own[t] = 0;
        if (task->type->fan == GM_FAN_RUNS) {
            if (!find_runs(core, task, class_, &own[t])) {
                return 0;
            }
        } else if (!gm_core_task_is_done(task)) {
            own[t] = find_longest(core, task);
        }
    }
    bool more = true; /* needs have no circle: each pass finds one more at least */
    while (more) {
        more = false;
        for (uint32_t t = 0; t < job->task_count; t++) {
            if (ends[t] < 0) {
                ends[t] = end_of(&job->tasks[t], own[t], ends);
                more = true;
            }
            last = longer(last, ends[t]);
        }
    }
    return last < GM_CORE_LONGEST ? last : GM_CORE_LONGEST;
}

gm_time gm_core_first_free(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    gm_time first = 0;
    for (const struct gm_lease *l = core->leases; l; l = l->hh.next) {
        if (l->cancelling || !gm_core_node_is_open(l->node) ||
            !gm_core_device_chain(l->device, wish)) {
            continue;
        }
        gm_time left = gm_core_lease_left(core, l);
        if (left == 0) {
            return 0; /* it may be the first */
        }
        first = first == 0 || left < first ? left : first;
    }
    return first;
}

gm_time gm_core_inst_next_end(const struct gm_core *core, const struct gm_inst *inst)
{
    gm_time first = 0;
    const struct gm_lease *l;
    DL_FOREACH2(inst->task->job->leases, l, job_next)
    {
        gm_time left = l->inst == inst && !l->cancelling ? gm_core_lease_left(core, l) : 0;
        first = left > 0 && (first == 0 || left < first) ? left : first;
    }
    return first;
}
