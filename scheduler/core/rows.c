/* The state as rows: what is written when something durable changes. See proto/state.proto. */
#include <stdlib.h>

#include "proto/envelope.h"
#include "scheduler/core/backup.h"
#include "scheduler/core/keyed.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

static struct gm_key key_job(const struct gm_cjob *job)
{
    return (struct gm_key){.kind = GM_ROW_JOB, .job = job->seq};
}

static struct gm_key key_task(const struct gm_inst *inst)
{
    return (struct gm_key){.kind = GM_ROW_TASK,
                           .job = inst->task->job->seq,
                           .task = inst->task->position,
                           .instance = inst->number};
}

static struct gm_key key_item(const struct gm_inst *inst, uint32_t stream, uint32_t index)
{
    struct gm_key key = key_task(inst);
    key.kind = GM_ROW_ITEM;
    key.stream = stream;
    key.index = index;
    return key;
}

static struct gm_key key_object(const struct gm_cjob *job, const Gm__Object *object)
{
    return (struct gm_key){.kind = GM_ROW_OBJECT,
                           .job = job->seq,
                           .store = (uint32_t)object->store,
                           .name = object->key};
}

struct job_parts {
    Gm__Error error, why[GM_CORE_MAX_CHAINS], backup_error;
    Gm__BackupRow backup;
    Gm__LostChain lost[GM_CORE_MAX_CHAINS];
    Gm__LostChain *list[GM_CORE_MAX_CHAINS];
    Gm__ChainEndRow ends[GM_CORE_MAX_CHAINS];
    Gm__ChainEndRow *end_list[GM_CORE_MAX_CHAINS];
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
    row.source_etag = job->source_etag;
    row.source_parts = job->source_parts.list;
    row.n_source_parts = job->source_parts.count;
    row.destination_url = job->destination_url;
    row.destination_mark = job->destination_mark;
    row.work_mark = job->work_mark;
    row.external_id = job->external_id;
    row.traceparent = job->traceparent;
    row.retry_of = job->retry_of;
    row.retried_as = job->retried_as;
    row.removed = job->removed;
    gm_core_keyed_row(job, &row);
    row.backup = gm_core_backup_row(&job->backup, &parts->backup, &parts->backup_error);
    row.priority = job->priority;
    row.tenant = job->tenant ? job->tenant->name : (char *)protobuf_c_empty_string;
    row.deadline_unix_ms = job->deadline_unix_ms;
    row.webhook = job->webhook;
    row.told = job->told;
    row.plan_only = job->plan_only;
    row.keeps_title = job->keeps_title;
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
    row.retries = job->retries;
    row.kept = job->kept;
    row.chain_reason = (char *)(uintptr_t)job->chain_reason;
    for (size_t i = 0; i < job->lost_count; i++) {
        gm__lost_chain__init(&parts->lost[i]);
        gm__error__init(&parts->why[i]);
        gm_err_to_msg(&job->lost[i].why, &parts->why[i]);
        parts->lost[i].name = job->lost[i].name;
        parts->lost[i].why = &parts->why[i];
        parts->list[i] = &parts->lost[i];
    }
    row.choice = (char *)(uintptr_t)job->choice.chain;
    for (size_t i = 0; i < job->choice.count; i++) {
        gm__chain_end_row__init(&parts->ends[i]);
        parts->ends[i].chain = (char *)(uintptr_t)job->choice.ends[i].chain;
        parts->ends[i].end_ms = job->choice.ends[i].end_ms;
        parts->end_list[i] = &parts->ends[i];
    }
    row.choice_ends = parts->end_list;
    row.n_choice_ends = job->choice.count;
    row.lost = parts->list;
    row.n_lost = job->lost_count;
    if (job->builds) {
        row.build_replans = job->builds->replans;
        row.bad_builds = job->builds->bad;
        row.n_bad_builds = job->builds->bad_count;
    }
    return row;
}

void gm_core_row_job(struct gm_core *core, const struct gm_cjob *job)
{
    struct job_parts parts;
    Gm__JobRow row = job_row(job, &parts);
    struct gm_key key = key_job(job);
    gm_core_fx_row(core, &key, &row.base);
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
    Gm__TaskRow row = GM__TASK_ROW__INIT;
    struct gm_key key = key_task(inst);
    row.term = inst->done_term;
    row.meta.data = inst->meta;
    row.meta.len = inst->meta_size;
    row.objects = inst->objects;
    row.n_objects = inst->object_count;
    gm_core_fx_row(core, &key, &row.base);
}

void gm_core_row_task_delete(struct gm_core *core, const struct gm_inst *inst)
{
    struct gm_key key = key_task(inst);
    gm_core_fx_delete(core, &key);
}

void gm_core_row_item_delete(struct gm_core *core, const struct gm_inst *inst, uint32_t stream,
                             uint32_t index)
{
    struct gm_key key = key_item(inst, stream, index);
    gm_core_fx_delete(core, &key);
}

void gm_core_row_item(struct gm_core *core, const struct gm_inst *inst, const Gm__Item *item)
{
    Gm__ItemRow row = GM__ITEM_ROW__INIT;
    struct gm_key key = key_item(inst, item->stream, item->index);
    Gm__Item *bare = gm_core_item_bare(item);
    row.item = bare ? bare : (Gm__Item *)item;
    row.term = gm_core_stream_term(&inst->streams[item->stream], item->index);
    gm_core_fx_row(core, &key, &row.base);
    gm__item__free_unpacked(bare, NULL);
}

void gm_core_row_object(struct gm_core *core, const struct gm_cjob *job, const Gm__Object *object)
{
    Gm__ObjectRow row = GM__OBJECT_ROW__INIT;
    struct gm_key key = key_object(job, object);
    row.object = (Gm__Object *)object;
    gm_core_fx_row(core, &key, &row.base);
}

void gm_core_row_object_delete(struct gm_core *core, const struct gm_cjob *job,
                               const Gm__Object *object)
{
    struct gm_key key = key_object(job, object);
    gm_core_fx_delete(core, &key);
}

static void write_attempt(struct gm_core *core, const struct gm_cjob *job,
                          const struct gm_attempt *attempt,
                          void (*write)(struct gm_core *core, const struct gm_key *key,
                                        const ProtobufCMessage *message))
{
    Gm__AttemptRow row = GM__ATTEMPT_ROW__INIT;
    Gm__Error error = GM__ERROR__INIT;
    struct gm_key key = {.kind = GM_ROW_ATTEMPT, .job = job->seq, .number = attempt->number};
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
    row.anew = attempt->anew;
    row.term = attempt->term;
    row.epoch = attempt->epoch;
    write(core, &key, &row.base);
}

void gm_core_row_attempt(struct gm_core *core, const struct gm_cjob *job,
                         struct gm_attempt *attempt)
{
    attempt->stored = true;
    write_attempt(core, job, attempt, gm_core_fx_row);
}

void gm_core_row_attempt_lazy(struct gm_core *core, const struct gm_cjob *job,
                              const struct gm_attempt *attempt)
{
    write_attempt(core, job, attempt, gm_core_fx_lazy);
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

void gm_core_row_job_delete(struct gm_core *core, const struct gm_cjob *job)
{
    struct gm_key key = key_job(job);
    gm_core_fx_delete(core, &key);
}
