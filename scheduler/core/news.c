#include "scheduler/core/news.h"

#include "scheduler/core/fsm.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

/* Whether it makes what is played: renditions, sound, text. */
static bool is_played(const struct gm_ctask *task)
{
    return task->type->role == GM_ROLE_ENCODE ||
           (task->type->role == GM_ROLE_TRACK && task->type->writes_out);
}

/* The first chunk of a run has all renditions. Of a track each stream has its first item. */
static bool has_first(const struct gm_inst *inst)
{
    if (inst->unit.state == GM_TASK_DONE) {
        return true;
    }
    if (inst->task->type->fan == GM_FAN_RUNS) {
        return inst->chunk_count > 0 && inst->chunks[0].unit.state == GM_TASK_DONE;
    }
    bool has = inst->stream_count > 0;
    for (size_t i = 0; i < inst->stream_count; i++) {
        has = has && inst->streams[i].committed > 0;
    }
    return has;
}

static bool is_playable(const struct gm_cjob *job)
{
    bool any = false;
    if (job->plan_only || !gm_core_task_is_done(job->plan)) {
        return false;
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        if (!is_played(task)) {
            continue;
        }
        for (uint32_t i = 0; i < task->inst_count; i++) {
            if (!has_first(&task->insts[i])) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

static void tell(struct gm_core *core, struct gm_cjob *job, enum gm_news news, const char *type)
{
    job->told |= (uint32_t)news;
    gm_core_job_touch(core, job);
    gm_core_fx_event(core, job, type, NULL, gm_job_state_name(job->state), true);
}

void gm_core_news(struct gm_core *core, struct gm_cjob *job)
{
    if ((job->told & GM_NEWS_INSPECTED) == 0 && gm_core_task_is_done(job->inspect)) {
        tell(core, job, GM_NEWS_INSPECTED, "job.inspected");
    }
    if ((job->told & GM_NEWS_PLAYABLE) == 0 && is_playable(job)) {
        tell(core, job, GM_NEWS_PLAYABLE, "job.playable");
    }
}
