/* A job: made from its pipeline, advanced when something of it is done, ended once.
 *
 * States: fsm.c. A job that fails or is cancelled first ends its leases (Cancel), then gets its
 * report (a publish effect), then its cleanup. Tasks are kept in pipeline order.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/backup.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/publishing.h"
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"
#include "scheduler/core/writes.h"

static void inst_fini(struct gm_inst *inst)
{
    gm_core_unit_clear(&inst->unit);
    gm_core_builds_fini(&inst->builds);
    free(inst->meta);
    for (size_t i = 0; i < inst->object_count; i++) {
        gm__object__free_unpacked(inst->objects[i], NULL);
    }
    free(inst->objects);
    for (size_t s = 0; s < inst->stream_count; s++) {
        gm_core_stream_fini(&inst->streams[s]);
    }
    free(inst->streams);
    for (size_t i = 0; i < inst->chunk_count; i++) {
        gm_core_unit_clear(&inst->chunks[i].unit);
    }
    gm_sums_fini(&inst->sums);
    free(inst->chunks);
}

void gm_core_job_destroy(struct gm_cjob *job)
{
    if (!job) {
        return;
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            inst_fini(&job->tasks[t].insts[i]);
        }
        free(job->tasks[t].insts);
    }
    free(job->tasks);
    for (size_t i = 0; i < job->expand_count; i++) {
        gm__expand__free_unpacked(job->expand[i], NULL);
    }
    free(job->expand);
    for (size_t i = 0; i < job->attempt_count; i++) {
        free(job->attempts[i]->node_id);
        free(job->attempts[i]->device);
        free(job->attempts[i]->chain);
        free(job->attempts[i]);
    }
    free(job->attempts);
    free(job->failed);
    free(job->epochs);
    struct gm_granted *g, *next;
    HASH_ITER(hh, job->objects, g, next)
    {
        gm_core_granted_remove(job, g);
    }
    gm__pipeline__free_unpacked(job->pipeline, NULL);
    free(job->source_url);
    free(job->source_name);
    free(job->destination_url);
    free(job->destination_mark);
    free(job->source_etag);
    gm_source_parts_fini(&job->source_parts);
    free(job->work_mark);
    gm_core_backup_fini(&job->backup);
    free(job->retry_of);
    free(job->retried_as);
    free(job->external_id);
    free(job->traceparent);
    free(job->webhook);
    free(job->publication);
    gm_core_publishing_forget(job);
    if (job->chain) {
        gm__chain__free_unpacked(job->chain, NULL);
    }
    for (size_t i = 0; i < job->lost_count; i++) {
        free(job->lost[i].name);
    }
    gm_core_builds_fini(&job->builds);
    gm_core_writes_fini(&job->writes);
    free(job->id);
    free(job);
}

struct gm_ctask *gm_core_job_find_task(struct gm_cjob *job, const char *name)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (strcmp(job->tasks[t].name, name) == 0) {
            return &job->tasks[t];
        }
    }
    return NULL;
}

struct gm_inst *gm_core_job_find_inst(struct gm_cjob *job, const char *task, uint32_t instance)
{
    struct gm_ctask *t = gm_core_job_find_task(job, task);
    return t && instance < t->inst_count ? &t->insts[instance] : NULL;
}

static void set_instances(struct gm_ctask *task, uint32_t count)
{
    task->known = true;
    task->inst_count = count;
    task->insts = gm_mem_zalloc(count * sizeof(*task->insts));
    for (uint32_t i = 0; i < count; i++) {
        task->insts[i].task = task;
        task->insts[i].number = i;
        task->insts[i].unit.state = GM_TASK_BLOCKED;
        task->insts[i].unit.sum = task->type->fan == GM_FAN_RUNS;
    }
}

static int check_needs(struct gm_cjob *job, struct gm_ctask *task, struct gm_err *err)
{
    const Gm__PipelineTask *def = job->pipeline->tasks[task->position];
    if (def->n_needs > GM_CORE_MAX_TASKS) {
        return gm_err_set(err, GM_E_INVAL, 0, "task `%s` needs too many tasks", task->name);
    }
    for (size_t i = 0; i < def->n_needs; i++) {
        const struct gm_ctask *need = gm_core_job_find_task(job, def->needs[i]);
        if (!need) {
            return gm_err_set(err, GM_E_INVAL, 0, "task `%s` needs `%s`, which does not exist",
                              task->name, def->needs[i]);
        }
        task->needs[task->need_count++] = need->position;
    }
    return 0;
}

/* Kahn's order: what is left when no task without open needs remains is a cycle. */
static int check_cycles(const struct gm_cjob *job, struct gm_err *err)
{
    bool placed[GM_CORE_MAX_TASKS] = {false};
    for (uint32_t round = 0, done = 0; done < job->task_count; round++) {
        uint32_t before = done;
        for (uint32_t t = 0; t < job->task_count; t++) {
            bool open = false;
            for (uint32_t n = 0; n < job->tasks[t].need_count; n++) {
                open = open || !placed[job->tasks[t].needs[n]];
            }
            if (!placed[t] && !open) {
                placed[t] = true;
                done++;
            }
        }
        if (done == before) {
            return gm_err_set(err, GM_E_INVAL, 0, "the pipeline's tasks need each other in a ring");
        }
    }
    return 0;
}

static int check_types(struct gm_cjob *job, struct gm_err *err)
{
    for (const struct gm_core_task_type *type = gm_core_task_type_list(); type->name; type++) {
        uint32_t n = 0;
        for (uint32_t t = 0; t < job->task_count; t++) {
            n += job->tasks[t].type == type ? 1 : 0;
        }
        if ((type->required && n != 1) || (type->once && n > 1)) {
            return gm_err_set(err, GM_E_INVAL, 0, "the pipeline has %u tasks of type `%s`", n,
                              type->name);
        }
    }
    return 0;
}

static int make_tasks(struct gm_cjob *job, struct gm_err *err)
{
    const Gm__Pipeline *p = job->pipeline;
    if (p->n_tasks == 0 || p->n_tasks > GM_CORE_MAX_TASKS) {
        return gm_err_set(err, GM_E_INVAL, 0, "a pipeline has 1..%u tasks", GM_CORE_MAX_TASKS);
    }
    job->tasks = gm_mem_zalloc(p->n_tasks * sizeof(*job->tasks));
    for (size_t i = 0; i < p->n_tasks; i++) {
        if (gm_core_job_find_task(job, p->tasks[i]->name)) {
            return gm_err_set(err, GM_E_INVAL, 0, "two tasks are called `%s`", p->tasks[i]->name);
        }
        struct gm_ctask *task = &job->tasks[i];
        task->job = job;
        task->name = p->tasks[i]->name;
        task->position = (uint32_t)i;
        task->type = gm_core_task_type_find(p->tasks[i]->type);
        if (!task->type) {
            return gm_err_set(err, GM_E_INVAL, 0, "task `%s` has the unknown type `%s`", task->name,
                              p->tasks[i]->type);
        }
        job->task_count++;
    }
    int rc = check_types(job, err);
    for (uint32_t t = 0; rc == 0 && t < job->task_count; t++) {
        rc = check_needs(job, &job->tasks[t], err);
    }
    return rc < 0 ? rc : check_cycles(job, err);
}

int gm_core_job_create(struct gm_bodies *bodies, const char *id, const Gm__Pipeline *pipeline,
                       struct gm_cjob **out, struct gm_err *err)
{
    struct gm_cjob *job = gm_mem_zalloc(sizeof(*job));
    job->id = gm_mem_strdup(id);
    job->bodies = bodies;
    job->pipeline = (Gm__Pipeline *)gm_message_dup(&pipeline->base);
    if (!job->pipeline) {
        gm_mem_exhausted();
    }
    job->publication = gm_mem_strdup("");
    job->rate_den = 1;
    int rc = make_tasks(job, err);
    if (rc < 0) {
        gm_core_job_destroy(job);
        return rc;
    }
    for (uint32_t t = 0; t < job->task_count; t++) {
        struct gm_ctask *task = &job->tasks[t];
        if (task->type->role == GM_ROLE_INSPECT) {
            job->inspect = task;
        } else if (task->type->role == GM_ROLE_PLAN) {
            job->plan = task;
        } else if (task->type->role == GM_ROLE_SPLIT) {
            job->split = task;
        } else if (task->type->role == GM_ROLE_ENCODE) {
            job->encode = task;
        }
        if (task->type->required) {
            set_instances(task, 1);
        }
    }
    *out = job;
    return 0;
}

int gm_core_job_set_expand(struct gm_cjob *job, Gm__Expand *const *expand, size_t count,
                           struct gm_err *err)
{
    uint32_t instances[GM_CORE_MAX_TASKS];
    bool named[GM_CORE_MAX_TASKS] = {false};
    for (uint32_t t = 0; t < job->task_count; t++) {
        instances[t] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct gm_ctask *task = gm_core_job_find_task(job, expand[i]->task);
        if (!task || task->type->required || named[task->position]) {
            return gm_err_set(err, GM_E_PROTO, 0, "plan expands `%s`, which it can't",
                              expand[i]->task);
        }
        uint32_t most = gm_core_task_type_instances(task->type);
        if (expand[i]->instances > most) {
            return gm_err_set(err, GM_E_PROTO, 0, "plan expands `%s` to %u instances", task->name,
                              expand[i]->instances);
        }
        named[task->position] = true;
        instances[task->position] = expand[i]->instances;
    }
    for (uint32_t t = 0; job->expanded && t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        if (!task->type->required && task->inst_count != instances[t]) {
            return gm_err_set(err, GM_E_PROTO, 0,
                              "the second plan expands `%s` to %u instances, the first one to %u",
                              task->name, instances[t], task->inst_count);
        }
    }
    if (job->expanded) {
        return 0;
    }
    job->expanded = true;
    job->expand = gm_mem_zalloc(count * sizeof(Gm__Expand *));
    for (size_t i = 0; i < count; i++) {
        job->expand[i] = (Gm__Expand *)gm_message_dup(&expand[i]->base);
        if (!job->expand[i]) {
            gm_mem_exhausted();
        }
    }
    job->expand_count = count;
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (!job->tasks[t].known) {
            set_instances(&job->tasks[t], instances[t]);
        }
    }
    return 0;
}

uint64_t gm_core_job_frames_done(const struct gm_cjob *job)
{
    uint64_t frames = job->frames_committed;
    const struct gm_lease *lease;
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (lease->inst->task != job->encode || lease->cancelling || lease->is_copy) {
            continue;
        }
        uint64_t all, done = gm_core_lease_frames(lease, &all);
        for (uint32_t i = 0; i < lease->chunk_count; i++) {
            const struct gm_core_chunk *c = &lease->inst->chunks[lease->first_chunk + i];
            done -= c->unit.state == GM_TASK_DONE ? c->frames : 0;
        }
        frames += done;
    }
    return frames;
}

void gm_core_job_sample(struct gm_cjob *job, gm_time now)
{
    if (job->sample_count == GM_CORE_SAMPLES) {
        memmove(job->samples, job->samples + 1, sizeof(job->samples[0]) * (GM_CORE_SAMPLES - 1));
        job->sample_count--;
    }
    job->samples[job->sample_count++] =
        (struct gm_frame_sample){.at = now, .frames = gm_core_job_frames_done(job)};
    const struct gm_frame_sample *first = &job->samples[0];
    const struct gm_frame_sample *last = &job->samples[job->sample_count - 1];
    job->fps = 0;
    if (last->at > first->at && last->frames > first->frames) {
        job->fps = (double)(last->frames - first->frames) * 1e9 / (double)(last->at - first->at);
    }
}
