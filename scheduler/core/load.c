/* Recovery: rows back into state. Rows are decoded as they come and sorted when all are there;
 * nothing that was leased is leased any more, but what ran may be taken over (adopt.c); what an
 * attempt was charged with is counted from the attempts' rows. Rows that contradict each other are
 * refused (PROTO): a store that mixes two histories must not be worked on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/scan.h"
#include "scheduler/core/adopt.h"
#include "scheduler/core/arrival.h"
#include "scheduler/core/backup.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/early.h"
#include "scheduler/core/job.h"
#include "scheduler/core/keyed.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/run.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"

static const ProtobufCMessageDescriptor *descriptor_of(enum gm_row_kind kind)
{
    switch (kind) {
    case GM_ROW_JOB:
        return &gm__job_row__descriptor;
    case GM_ROW_TASK:
        return &gm__task_row__descriptor;
    case GM_ROW_ITEM:
        return &gm__item_row__descriptor;
    case GM_ROW_OBJECT:
        return &gm__object_row__descriptor;
    case GM_ROW_ATTEMPT:
        return &gm__attempt_row__descriptor;
    case GM_ROW_NODE:
        return &gm__node_row__descriptor;
    default:
        return NULL;
    }
}

void gm_core_loading_fini(struct gm_core *core)
{
    gm_pile_fini(&core->loading_pile);
    free(core->loading);
    free(core->loaded_jobs);
    core->loading = NULL;
    core->loading_count = core->loading_cap = 0;
    core->loaded_jobs = NULL;
    core->loaded_job_count = core->loaded_job_cap = 0;
}

int gm_core_load(struct gm_core *core, const struct gm_key *key, const void *data, size_t size,
                 struct gm_err *err)
{
    char text[GM_KEY_TEXT_BYTES];
    if (core->loaded) {
        return gm_err_set(err, GM_E_INVAL, 0, "rows are loaded before the first step");
    }
    const ProtobufCMessageDescriptor *type = descriptor_of(key->kind);
    if (!type) {
        return gm_err_set(err, GM_E_PROTO, key->kind, "row %.100s has an unknown kind",
                          gm_key_text(key, text));
    }
    struct gm_err why;
    if (size > GM_ENVELOPE_MAX_BYTES || gm_scan_message(type, data, size, &why) < 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "row %.100s does not decode", gm_key_text(key, text));
    }
    static const uint8_t nothing;
    ProtobufCAllocator pile = gm_pile_allocator(&core->loading_pile);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &pile, size, size == 0 ? &nothing : data);
    GM_ASSERT(message != NULL); /* the bytes were just found sound */
    core->loading =
        gm_mem_grow(core->loading, core->loading_count, &core->loading_cap, sizeof(*core->loading));
    struct gm_loading *row = &core->loading[core->loading_count++];
    *row = (struct gm_loading){.key = *key, .message = message};
    if (key->name) {
        size_t length = strlen(key->name) + 1;
        row->key.name = memcpy(gm_pile_take(&core->loading_pile, length), key->name, length);
    }
    return 0;
}

/* By key; but what tasks cost by age. */
static int by_order(const void *pa, const void *pb)
{
    const struct gm_loading *a = pa;
    const struct gm_loading *b = pb;
    if (a->key.kind == GM_ROW_NODE && b->key.kind == GM_ROW_NODE) {
        const Gm__NodeRow *x = (const Gm__NodeRow *)a->message;
        const Gm__NodeRow *y = (const Gm__NodeRow *)b->message;
        uint64_t first = x->history ? x->history->stamp : 0;
        uint64_t second = y->history ? y->history->stamp : 0;
        if (first != second) {
            return first < second ? -1 : 1;
        }
    }
    return gm_key_compare(&a->key, &b->key);
}

/* As they lie in the store, where jobs were announced one after the other. */
static bool is_sorted(const struct gm_core *core)
{
    for (size_t i = 1; i < core->loading_count; i++) {
        if (by_order(&core->loading[i - 1], &core->loading[i]) > 0) {
            return false;
        }
    }
    return true;
}

static int orphan(struct gm_err *err, const struct gm_loading *row)
{
    char text[GM_KEY_TEXT_BYTES];
    return gm_err_set(err, GM_E_PROTO, 0, "the stored row %.100s fits nothing",
                      gm_key_text(&row->key, text));
}

static int compare_seq(const void *pa, const void *pb)
{
    uint64_t seq = *(const uint64_t *)pa;
    const struct gm_cjob *job = *(struct gm_cjob *const *)pb;
    return seq < job->seq ? -1 : seq > job->seq;
}

static struct gm_cjob *find_job(const struct gm_core *core, const struct gm_key *key)
{
    struct gm_cjob **job = core->loaded_jobs
                               ? bsearch(&key->job, core->loaded_jobs, core->loaded_job_count,
                                         sizeof(struct gm_cjob *), compare_seq)
                               : NULL;
    return job ? *job : NULL;
}

static struct gm_inst *find_inst(const struct gm_core *core, const struct gm_key *key)
{
    struct gm_cjob *job = find_job(core, key);
    struct gm_ctask *task = job && key->task < job->task_count ? &job->tasks[key->task] : NULL;
    return task && key->instance < task->inst_count ? &task->insts[key->instance] : NULL;
}

static void load_choice(struct gm_cjob *job, const Gm__JobRow *row)
{
    struct gm_choice *choice = &job->choice;
    (void)snprintf(choice->chain, sizeof choice->chain, "%s", row->choice);
    for (size_t i = 0; i < row->n_choice_ends && i < GM_CORE_MAX_CHAINS; i++) {
        struct gm_chain_end *end = &choice->ends[choice->count++];
        (void)snprintf(end->chain, sizeof end->chain, "%s", row->choice_ends[i]->chain);
        end->end_ms = row->choice_ends[i]->end_ms;
    }
}

static void load_others(struct gm_core *core, struct gm_cjob *job, const Gm__JobRow *row)
{
    gm_core_keyed_load(core, job, row);
    job->traceparent = gm_mem_strdup(row->traceparent);
    job->webhook = gm_mem_strdup(row->webhook);
    job->told = row->told;
    load_choice(job, row);
    job->retries = row->retries;
    job->kept = row->kept;
}

static int load_job(struct gm_core *core, const struct gm_loading *loading, struct gm_err *err)
{
    const Gm__JobRow *row = (const Gm__JobRow *)loading->message;
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, row->id, job);
    if (!row->pipeline || row->state >= GM_JOB_STATES || row->seq == 0 ||
        row->seq != loading->key.job || job || find_job(core, &loading->key)) {
        return orphan(err, loading);
    }
    const struct gm_tenant_params tenant = {.name = row->tenant};
    if (row->tenant[0] != '\0' && gm_tenant_check(&tenant, err) < 0) {
        return orphan(err, loading);
    }
    int rc = gm_core_job_create(core->bodies, row->id, row->pipeline, &job, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "stored job %.64s: ", row->id);
    }
    job->seq = row->seq;
    job->source_url = gm_mem_strdup(row->source_url);
    job->source_name = gm_mem_strdup(row->source_name);
    job->destination_url = gm_mem_strdup(row->destination_url);
    gm_core_local_begin(core, job);
    job->destination_mark = gm_mem_strdup(row->destination_mark);
    job->work_mark = gm_mem_strdup(row->work_mark);
    job->external_id = gm_mem_strdup(row->external_id);
    load_others(core, job, row);
    gm_core_backup_load(&job->backup, row->backup);
    job->removed = row->removed;
    job->retry_of = gm_mem_strdup(row->retry_of);
    job->retried_as = gm_mem_strdup(row->retried_as);
    free(job->publication);
    job->publication = gm_mem_strdup(row->publication);
    job->source_size = row->source_size;
    job->source_version = row->source_version;
    job->source_etag = gm_mem_strdup(row->source_etag);
    gm_source_parts_set(&job->source_parts, row->n_source_parts, row->source_parts);
    job->priority = row->priority;
    job->plan_only = row->plan_only;
    job->keeps_title = row->keeps_title;
    job->created_unix_ms = row->created_unix_ms;
    job->started_unix_ms = row->started_unix_ms == 0
                               ? 0
                               : gm_core_not_before(row->started_unix_ms, row->created_unix_ms);
    job->finished_unix_ms =
        row->finished_unix_ms == 0
            ? 0
            : gm_core_not_before(row->finished_unix_ms,
                                 gm_core_not_before(job->started_unix_ms, job->created_unix_ms));
    job->state = (enum gm_job_state)row->state;
    job->deadline_unix_ms = row->deadline_unix_ms;
    gm_core_order_join(core, job, row->tenant);
    if (row->error) {
        gm_err_from_msg(row->error, &job->error);
    }
    job->cleanup_pending = row->cleanup_pending;
    job->publish_tried = row->publish_tried;
    job->manifests = row->publish_tried;
    job->cancel_wanted = row->cancel_wanted;
    job->planned = row->planned;
    job->cleanup_failures = row->cleanup_failures;
    (void)snprintf(job->chain_reason, sizeof job->chain_reason, "%s", row->chain_reason);
    job->chain = row->chain ? gm_core_chain_dup(row->chain) : NULL;
    for (size_t i = 0; i < row->n_lost && i < GM_CORE_MAX_CHAINS; i++) {
        job->lost[i].name = gm_mem_strdup(row->lost[i]->name);
        if (row->lost[i]->why) {
            gm_err_from_msg(row->lost[i]->why, &job->lost[i].why);
        }
        job->lost_count++;
    }
    gm_core_builds_load(job, row);
    HASH_ADD_KEYPTR(hh, core->jobs, job->id, strlen(job->id), job);
    core->job_states[job->state]++;
    core->loaded_jobs = gm_mem_grow(core->loaded_jobs, core->loaded_job_count,
                                    &core->loaded_job_cap, sizeof(struct gm_cjob *));
    core->loaded_jobs[core->loaded_job_count++] = job;
    core->next_seq = row->seq >= core->next_seq ? row->seq + 1 : core->next_seq;
    if (gm_job_state_is_final(job->state)) {
        core->finished++;
    } else {
        core->unfinished++;
    }
    return 0;
}

static int load_object(struct gm_core *core, const struct gm_loading *loading, struct gm_err *err)
{
    const Gm__ObjectRow *row = (const Gm__ObjectRow *)loading->message;
    const struct gm_key *key = &loading->key;
    struct gm_cjob *job = find_job(core, key);
    if (!job || !row->object || (uint32_t)row->object->store != key->store || !key->name ||
        strcmp(row->object->key, key->name) != 0) {
        return orphan(err, loading);
    }
    gm_core_granted_set(job, row->object);
    return 0;
}

/* What a row needs must be there: jobs, objects, inspect, plan and split, instances, split's items,
 * the rest. */
enum pass {
    PASS_BASE,
    PASS_INSPECT,
    PASS_REQUIRED,
    PASS_EXPAND,
    PASS_REST,
    PASS_SPLIT,
    PASS_ITEMS,
    PASSES
};

/* What plan's result means depends on inspect's. */
static enum pass pass_of(const struct gm_core_task_type *type)
{
    return type->role == GM_ROLE_INSPECT ? PASS_INSPECT
           : type->required              ? PASS_REQUIRED
                                         : PASS_REST;
}

static int load_task(struct gm_core *core, const struct gm_loading *loading, enum pass pass,
                     struct gm_err *err)
{
    const Gm__TaskRow *row = (const Gm__TaskRow *)loading->message;
    struct gm_cjob *job = find_job(core, &loading->key);
    if (!job || loading->key.task >= job->task_count) {
        return orphan(err, loading);
    }
    if (pass_of(job->tasks[loading->key.task].type) != pass) {
        return 0;
    }
    struct gm_inst *inst = find_inst(core, &loading->key);
    if (!inst || inst->unit.state != GM_TASK_BLOCKED) {
        return orphan(err, loading);
    }
    int rc = gm_core_inst_set_result(inst, &row->meta, row->objects, row->n_objects, true, err);
    if (rc < 0) {
        return rc;
    }
    inst->done_term = row->term;
    (void)gm_core_objects_commit(job, row->objects, row->n_objects);
    gm_core_unit_move(core, job, &inst->unit, GM_UNIT_RESTORE);
    return 0;
}

/* After plan's result, which says how many instances there are. */
static int load_expand(struct gm_core *core, const struct gm_loading *loading, struct gm_err *err)
{
    const Gm__JobRow *row = (const Gm__JobRow *)loading->message;
    struct gm_cjob *job = find_job(core, &loading->key);
    if (!job || !(row->planned || gm_core_task_is_done(job->plan))) {
        return 0;
    }
    return gm_core_job_set_expand(job, row->expand, row->n_expand, err);
}

static int load_item(struct gm_core *core, const struct gm_loading *loading, bool of_split,
                     struct gm_err *err)
{
    const Gm__ItemRow *row = (const Gm__ItemRow *)loading->message;
    const struct gm_key *key = &loading->key;
    struct gm_cjob *job = find_job(core, key);
    struct gm_inst *inst = find_inst(core, key);
    if (!inst) {
        return orphan(err, loading);
    }
    if ((inst->task->type->role == GM_ROLE_SPLIT) != of_split) {
        return 0; /* it was taken, or will be */
    }
    const Gm__Item *item = row->item;
    if (!item || item->stream != key->stream || item->index != key->index) {
        return orphan(err, loading);
    }
    bool is_new = false;
    int rc = gm_core_inst_add_item(inst, item, row->term, &is_new, err);
    if (rc < 0) {
        return rc;
    }
    if (!is_new) {
        return orphan(err, loading);
    }
    (void)gm_core_objects_commit(job, item->objects, item->n_objects);
    if (of_split) {
        return gm_core_chunks_announce(core, job, item, err);
    }
    if (inst->task->type->fan == GM_FAN_RUNS) {
        gm_core_chunk_commit(core, inst, item->index, GM_UNIT_RESTORE);
    }
    return 0;
}

static void charge_stored(struct gm_inst *inst, const struct gm_attempt *a)
{
    bool failed = a->outcome == GM_ATTEMPT_FAILED || a->outcome == GM_ATTEMPT_LOST;
    for (uint32_t i = 0; failed && a->charged && i < a->chunks; i++) {
        size_t chunk = (size_t)a->first_chunk + i;
        if (chunk < inst->chunk_count && inst->chunks[chunk].unit.state != GM_TASK_DONE) {
            inst->chunks[chunk].alone = true;
            gm_sums_note(inst, chunk);
        }
    }
    struct gm_unit *unit = &inst->unit;
    if (failed && a->chunks == 0 && a->progressed) { /* charged or not, as gm_core_lease_fail */
        gm_core_unit_clear(unit);
    }
    if (!a->charged) {
        return;
    }
    inst->task->failures++;
    if (a->chunks > 0) {
        if (a->charged_chunk < 0 || (uint64_t)a->charged_chunk >= inst->chunk_count) {
            return;
        }
        unit = &inst->chunks[a->charged_chunk].unit;
    }
    if (unit->state != GM_TASK_DONE) {
        gm_core_charge(unit, a->node_id, &a->error);
    }
    if (a->chunks == 0 && a->anew) {
        gm_core_unit_clear(unit);
    }
}

static int load_attempt(struct gm_core *core, const struct gm_loading *loading, struct gm_err *err)
{
    const Gm__AttemptRow *row = (const Gm__AttemptRow *)loading->message;
    struct gm_cjob *job = find_job(core, &loading->key);
    struct gm_inst *inst = job ? gm_core_job_find_inst(job, row->task, row->instance) : NULL;
    if (!inst || row->outcome >= GM_ATTEMPT_OUTCOMES || row->first_chunk < -1 ||
        (row->chunks > 0 && row->first_chunk < 0) || row->first_chunk >= GM_CORE_MAX_ITEMS ||
        row->chunks > GM_CORE_MAX_ITEMS) {
        return orphan(err, loading);
    }
    struct gm_attempt *a = gm_mem_zalloc(sizeof(*a));
    a->number = loading->key.number;
    a->inst = inst;
    a->first_chunk = row->first_chunk;
    a->chunks = row->chunks;
    a->node_id = gm_mem_strdup(row->node_id);
    a->device = gm_mem_strdup(row->device);
    a->chain = gm_mem_strdup(row->chain);
    a->started_unix_ms = row->started_unix_ms;
    a->ended_unix_ms =
        row->ended_unix_ms == 0 ? 0 : gm_core_not_before(row->ended_unix_ms, row->started_unix_ms);
    a->outcome = (enum gm_attempt_outcome)row->outcome;
    if (row->error) {
        gm_err_from_msg(row->error, &a->error);
    }
    a->blamed_chunk = row->blamed_chunk;
    gm__usage__init(&a->usage);
    if (row->usage) {
        a->usage.cpu_us = row->usage->cpu_us;
        a->usage.wall_us = row->usage->wall_us;
        a->usage.max_rss_bytes = row->usage->max_rss_bytes;
        a->usage.bytes_in = row->usage->bytes_in;
        a->usage.bytes_out = row->usage->bytes_out;
        a->usage.frames = row->usage->frames;
        a->usage.frames_decoded = row->usage->frames_decoded;
        a->usage.frames_spare = row->usage->frames_spare;
        a->usage.fetch_ms = row->usage->fetch_ms;
        a->usage.store_ms = row->usage->store_ms;
    }
    a->charged = row->charged;
    a->charged_chunk = row->charged_chunk;
    a->progressed = row->progressed;
    a->anew = row->anew;
    a->stored = true;
    a->term = row->term;
    a->epoch = row->epoch;
    job->attempts =
        gm_mem_grow(job->attempts, job->attempt_count, &job->attempt_cap, sizeof(*job->attempts));
    job->attempts[job->attempt_count++] = a;
    if (a->ended_unix_ms != 0) { /* else when it is stamped */
        gm_core_note_failed(job, a);
    }
    inst->task->attempts++;
    if (a->chunks > 0 && (uint64_t)a->first_chunk < inst->chunk_count) {
        gm_core_run_note(inst, &(struct gm_run){(uint32_t)a->first_chunk, a->chunks});
    }
    if (a->outcome == GM_ATTEMPT_RUNNING) {
        gm_core_unheard_add(core, a);
    }
    charge_stored(inst, a);
    return 0;
}

static void load_node(struct gm_core *core, const Gm__NodeRow *row)
{
    struct gm_drained *drained = NULL;
    if (row->history) {
        gm_history_restore(&core->history, row->history);
        return;
    }
    if (row->asset) {
        return; /* the daemon's */
    }
    if (row->hook) {
        return; /* a delivery that waits: scheduler/hooks has it */
    }
    gm_core_watch_load(core, row);
    HASH_FIND_STR(core->drained, row->node_id, drained);
    if (drained || !row->draining) {
        return;
    }
    drained = gm_core_drained_add(core, row->node_id);
    drained->restarting = row->restarting;
    drained->instance = row->instance;
    drained->stays = row->stays;
}

static int load_row(struct gm_core *core, const struct gm_loading *row, enum pass pass,
                    struct gm_err *err)
{
    enum gm_row_kind kind = row->key.kind;
    if (kind == GM_ROW_JOB && pass == PASS_BASE) {
        return load_job(core, row, err);
    }
    if (kind == GM_ROW_NODE && pass == PASS_BASE) {
        load_node(core, (const Gm__NodeRow *)row->message);
        return 0;
    }
    if (kind == GM_ROW_OBJECT && pass == PASS_BASE) {
        return load_object(core, row, err);
    }
    if (kind == GM_ROW_TASK) {
        return pass == PASS_BASE ? 0 : load_task(core, row, pass, err);
    }
    if (kind == GM_ROW_JOB && pass == PASS_EXPAND) {
        return load_expand(core, row, err);
    }
    if (kind == GM_ROW_ITEM && (pass == PASS_SPLIT || pass == PASS_ITEMS)) {
        return load_item(core, row, pass == PASS_SPLIT, err);
    }
    if (kind == GM_ROW_ATTEMPT && pass == PASS_ITEMS) {
        return load_attempt(core, row, err);
    }
    return 0;
}

static void resume_job(struct gm_core *core, struct gm_cjob *job)
{
    if (job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING) {
        gm_core_backlog_enter(core, job);
        gm_core_job_advance(core, job);
        gm_core_early_grown(core, job);
        gm_core_unheard_wait(core, job);
        gm_core_retry_resume(core, job);
        gm_core_arrival_begin(core, job);
        return;
    }
    gm_core_unheard_end_job(core, job);
    gm_core_job_end_units(core, job);
    if (!gm_job_state_is_final(job->state)) {
        gm_core_job_publish_again(core, job);
    } else if (job->cleanup_pending) {
        gm_core_job_clean_resume(core, job);
    }
    gm_core_backup_begin(core, job);
}

int gm_core_loaded(struct gm_core *core, gm_time now, struct gm_effects *out, struct gm_err *err)
{
    if (core->loaded) {
        return gm_err_set(err, GM_E_INVAL, 0, "the state was loaded already");
    }
    core->fx = out;
    core->now = now;
    core->sampled_at = now;
    if (!is_sorted(core)) {
        qsort(core->loading, core->loading_count, sizeof(*core->loading), by_order);
    }
    int rc = 0;
    for (int pass = 0; rc == 0 && pass < PASSES; pass++) {
        for (size_t i = 0; rc == 0 && i < core->loading_count; i++) {
            rc = load_row(core, &core->loading[i], (enum pass)pass, err);
        }
    }
    gm_core_loading_fini(core);
    if (rc < 0) {
        core->fx = NULL;
        return rc;
    }
    core->loaded = true;
    gm_time theirs = core->params.last_lease_ms * GM_MS;
    core->strangers_until = now + (theirs > core->lease_time ? theirs : core->lease_time);
    core->first_seq = core->next_seq;
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        resume_job(core, job);
    }
    gm_core_local_load(core);
    gm_core_muster_begin(core);
    gm_core_rows_flush(core);
    core->fx = NULL;
    return 0;
}
