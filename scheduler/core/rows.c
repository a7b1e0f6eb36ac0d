/* The state as rows: what is written when something durable changes. See proto/state.proto. */
#include <inttypes.h>
#include <stdlib.h>

#include "proto/envelope.h"
#include "scheduler/core/state.h"

static char *key_task(const char *job_id, const char *task, uint32_t instance)
{
    return gm_mem_printf("%s/%s/%" PRIu32, job_id, task, instance);
}

static char *key_item(const char *job_id, const char *task, uint32_t instance, const Gm__Item *item)
{
    return gm_mem_printf("%s/%s/%" PRIu32 "/%" PRIu32 "/%" PRIu32, job_id, task, instance,
                         item->stream, item->index);
}

static char *key_attempt(const char *job_id, uint64_t number)
{
    return gm_mem_printf("%s/%" PRIu64, job_id, number);
}

char *gm_core_key_object(const char *job_id, Gm__ObjectStore store, const char *key)
{
    return gm_mem_printf("%s/%d/%s", job_id, (int)store, key);
}

struct job_parts {
    Gm__Error error, why[GM_CORE_MAX_CHAINS];
    Gm__LostChain lost[GM_CORE_MAX_CHAINS];
    Gm__LostChain *list[GM_CORE_MAX_CHAINS];
};

/* parts: what the row points at. */
static Gm__JobRow job_row(const struct gm_cjob *job, struct job_parts *parts)
{
    Gm__Error *error = &parts->error;
    gm__error__init(error);
    Gm__JobRow row = GM__JOB_ROW__INIT;
    row.id = job->id;
    row.seq = job->seq;
    row.pipeline = job->pipeline;
    row.source_url = job->source_url;
    row.source_name = job->source_name;
    row.source_size = job->source_size;
    row.source_version = job->source_version;
    row.destination_url = job->destination_url;
    row.destination_mark = job->destination_mark;
    row.work_mark = job->work_mark;
    row.external_id = job->external_id;
    row.priority = job->priority;
    row.plan_only = job->plan_only;
    row.created_unix_ms = job->created_unix_ms;
    row.started_unix_ms = job->started_unix_ms;
    row.finished_unix_ms = job->finished_unix_ms;
    row.state = (uint32_t)job->state;
    if (job->error.code != GM_OK) {
        gm_err_to_msg(&job->error, error);
        row.error = error;
    }
    row.publication = job->publication;
    row.expand = job->expand;
    row.n_expand = job->expand_count;
    row.cleanup_pending = job->cleanup_pending;
    row.publish_tried = job->publish_tried;
    row.cancel_wanted = job->cancel_wanted;
    row.chain = job->chain;
    row.planned = job->planned;
    row.cleanup_failures = job->cleanup_failures;
    row.chain_reason = (char *)(uintptr_t)job->chain_reason;
    for (size_t i = 0; i < job->lost_count; i++) {
        gm__lost_chain__init(&parts->lost[i]);
        gm__error__init(&parts->why[i]);
        gm_err_to_msg(&job->lost[i].why, &parts->why[i]);
        parts->lost[i].name = job->lost[i].name;
        parts->lost[i].why = &parts->why[i];
        parts->list[i] = &parts->lost[i];
    }
    row.lost = parts->list;
    row.n_lost = job->lost_count;
    return row;
}

void gm_core_row_job(struct gm_core *core, const struct gm_cjob *job)
{
    struct job_parts parts;
    Gm__JobRow row = job_row(job, &parts);
    gm_core_fx_row(core, GM_ROW_JOB, gm_mem_strdup(job->id), &row.base);
}

int gm_core_row_job_check(const struct gm_cjob *job, struct gm_err *err)
{
    struct job_parts parts;
    Gm__JobRow row = job_row(job, &parts);
    uint8_t *data = NULL;
    size_t size = 0;
    ProtobufCMessage *back = NULL;
    int rc = gm_message_encode(&row.base, &data, &size, err);
    if (rc == 0) {
        rc = gm_message_decode(&gm__job_row__descriptor, data, size, GM_CORE_MAX_JOB, &back, err);
    }
    free(data);
    if (rc < 0) {
        return gm_err_set(err, GM_E_LIMIT, 0, "the job's texts and images are too large to store");
    }
    protobuf_c_message_free_unpacked(back, NULL);
    return 0;
}

void gm_core_row_task(struct gm_core *core, const struct gm_inst *inst)
{
    const char *id = inst->task->job->id;
    Gm__TaskRow row = GM__TASK_ROW__INIT;
    row.job_id = (char *)id;
    row.task = (char *)inst->task->name;
    row.instance = inst->number;
    row.meta.data = inst->meta;
    row.meta.len = inst->meta_size;
    row.objects = inst->objects;
    row.n_objects = inst->object_count;
    gm_core_fx_row(core, GM_ROW_TASK, key_task(id, inst->task->name, inst->number), &row.base);
}

void gm_core_row_task_delete(struct gm_core *core, const struct gm_inst *inst)
{
    gm_core_fx_delete(core, GM_ROW_TASK,
                      key_task(inst->task->job->id, inst->task->name, inst->number));
}

void gm_core_row_item_delete(struct gm_core *core, const struct gm_inst *inst, const Gm__Item *item)
{
    gm_core_fx_delete(core, GM_ROW_ITEM,
                      key_item(inst->task->job->id, inst->task->name, inst->number, item));
}

void gm_core_row_item(struct gm_core *core, const struct gm_inst *inst, const Gm__Item *item)
{
    const char *id = inst->task->job->id;
    Gm__ItemRow row = GM__ITEM_ROW__INIT;
    row.job_id = (char *)id;
    row.task = (char *)inst->task->name;
    row.instance = inst->number;
    row.item = (Gm__Item *)item;
    gm_core_fx_row(core, GM_ROW_ITEM, key_item(id, inst->task->name, inst->number, item),
                   &row.base);
}

void gm_core_row_object(struct gm_core *core, const struct gm_cjob *job, const Gm__Object *object)
{
    Gm__ObjectRow row = GM__OBJECT_ROW__INIT;
    row.job_id = job->id;
    row.object = (Gm__Object *)object;
    gm_core_fx_row(core, GM_ROW_OBJECT, gm_core_key_object(job->id, object->store, object->key),
                   &row.base);
}

void gm_core_row_attempt(struct gm_core *core, const struct gm_cjob *job,
                         const struct gm_attempt *attempt)
{
    Gm__AttemptRow row = GM__ATTEMPT_ROW__INIT;
    Gm__Error error = GM__ERROR__INIT;
    row.job_id = job->id;
    row.number = attempt->number;
    row.task = (char *)attempt->inst->task->name;
    row.instance = attempt->inst->number;
    row.first_chunk = attempt->first_chunk;
    row.chunks = attempt->chunks;
    row.node_id = attempt->node_id;
    row.device = attempt->device;
    row.chain = attempt->chain;
    row.started_unix_ms = attempt->started_unix_ms;
    row.ended_unix_ms = attempt->ended_unix_ms;
    row.outcome = (uint32_t)attempt->outcome;
    if (attempt->error.code != GM_OK) {
        gm_err_to_msg(&attempt->error, &error);
        row.error = &error;
    }
    row.blamed_chunk = attempt->blamed_chunk;
    row.usage = (Gm__Usage *)&attempt->usage;
    row.charged = attempt->charged;
    row.charged_chunk = attempt->charged_chunk;
    row.progressed = attempt->progressed;
    gm_core_fx_row(core, GM_ROW_ATTEMPT, key_attempt(job->id, attempt->number), &row.base);
}

void gm_core_row_node(struct gm_core *core, const char *node_id, bool draining)
{
    if (!draining) {
        gm_core_fx_delete(core, GM_ROW_NODE, gm_mem_strdup(node_id));
        return;
    }
    Gm__NodeRow row = GM__NODE_ROW__INIT;
    row.node_id = (char *)node_id;
    row.draining = true;
    gm_core_fx_row(core, GM_ROW_NODE, gm_mem_strdup(node_id), &row.base);
}

void gm_core_job_touch(struct gm_core *core, struct gm_cjob *job)
{
    job->row_dirty = true;
    core->rows_dirty = true;
}

void gm_core_rows_flush(struct gm_core *core)
{
    for (struct gm_cjob *job = core->jobs; core->rows_dirty && job; job = job->hh.next) {
        if (job->row_dirty) {
            job->row_dirty = false;
            gm_core_row_job(core, job);
        }
    }
    core->rows_dirty = false;
}

static void forget_inst(struct gm_core *core, const struct gm_inst *inst)
{
    const char *id = inst->task->job->id;
    const char *task = inst->task->name;
    gm_core_fx_delete(core, GM_ROW_TASK, key_task(id, task, inst->number));
    for (size_t s = 0; s < inst->stream_count; s++) {
        for (size_t i = 0; i < inst->streams[s].size; i++) {
            const Gm__Item *item = inst->streams[s].items[i];
            if (item) {
                gm_core_fx_delete(core, GM_ROW_ITEM, key_item(id, task, inst->number, item));
            }
        }
    }
}

void gm_core_rows_forget(struct gm_core *core, const struct gm_cjob *job)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        for (uint32_t i = 0; i < job->tasks[t].inst_count; i++) {
            forget_inst(core, &job->tasks[t].insts[i]);
        }
    }
    for (const struct gm_granted *g = job->objects; g; g = g->hh.next) {
        gm_core_fx_delete(core, GM_ROW_OBJECT,
                          gm_core_key_object(job->id, g->object->store, g->object->key));
    }
    for (size_t i = 0; i < job->attempt_count; i++) {
        gm_core_fx_delete(core, GM_ROW_ATTEMPT, key_attempt(job->id, job->attempts[i]->number));
    }
    gm_core_fx_delete(core, GM_ROW_JOB, gm_mem_strdup(job->id));
}
