/* Produced, Done, Failed: what comes of a lease. Each is answered by an Ack that leaves after its
 * rows are on disk; but Done of a run says nothing that its items, acknowledged before, did not,
 * and is answered at once. A message of a lease that has ended is answered `stale` and changes
 * nothing. What the scheduler itself could not send ends a lease too. */
#include <stdlib.h>
#include <string.h>

#include "common/bucket.h"
#include "proto/envelope.h"
#include "proto/streams.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/count.h"
#include "scheduler/core/early.h"
#include "scheduler/core/job.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/local.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/watch.h"

/* Messages can be lost and sent again out of order, so Done may come before its last items; the
 * node sends all again until they are acknowledged. Only after so long is it a broken promise. */
#define EARLY_DONE_LIMIT (10 * GM_SEC)

/* run: the end of one. */
static void send_ack(struct gm_core *core, const char *node_id, uint64_t seq, bool stale, bool run)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Ack ack = GM__ACK__INIT;
    ack.seq = seq;
    ack.stale = stale;
    envelope.body_case = GM__ENVELOPE__BODY_ACK;
    envelope.ack = &ack;
    gm_core_fx_send(core, node_id, &envelope, stale || !run);
}

static void fail_proto(struct gm_core *core, struct gm_lease *lease, const struct gm_err *err,
                       const Gm__Usage *usage, bool keep)
{
    struct gm_lease_failure f = {
        .error = *err, .chunk = -1, .usage = usage, .outcome = GM_ATTEMPT_FAILED, .keep = keep};
    f.error.code = err->code == GM_E_LIMIT ? GM_E_LIMIT : GM_E_PROTO;
    gm_core_lease_fail(core, lease, &f);
}

/* Numbers that are joined with those of other chunks, for the report and by `package`. */
static int check_walks(const Gm__EncodeItemMeta *m, struct gm_err *err)
{
    for (size_t i = 0; i < m->n_renditions; i++) {
        const Gm__BufferWalk *w = m->renditions[i]->buffer;
        if (w && !gm_bucket_is_plausible(&(struct gm_bucket){
                     .need = w->need, .gain = w->gain, .cap = w->cap, .low = w->low})) {
            return gm_err_set(err, GM_E_PROTO, 0, "its walk through the buffer is out of range");
        }
    }
    return 0;
}

/* What a task says is read later, when nobody is left to blame: now it must decode. */
static int check_facts(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *meta,
                       struct gm_err *err)
{
    ProtobufCMessage *m = NULL;
    int rc = gm_message_decode(type, meta->data, meta->len, GM_CORE_MAX_META, &m, err);
    if (rc < 0) {
        return rc;
    }
    if (type == &gm__encode_item_meta__descriptor) {
        rc = check_walks((const Gm__EncodeItemMeta *)m, err);
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static int check_produced(const struct gm_lease *lease, const Gm__Produced *m, struct gm_err *err)
{
    const struct gm_core_task_type *type = lease->inst->task->type;
    const Gm__Item *item = m->item;
    if (!item || !type->item_facts) {
        return gm_err_set(err, GM_E_PROTO, 0, "`%s` announced an item, which it can't",
                          lease->inst->task->name);
    }
    if (lease->chunk_count > 0 && (item->index < lease->first_chunk ||
                                   item->index - lease->first_chunk >= lease->chunk_count)) {
        return gm_err_set(err, GM_E_PROTO, item->index, "chunk %u is not in the run", item->index);
    }
    int rc = check_facts(type->item_facts, &item->meta, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "item %u of `%s`: ", item->index, lease->inst->task->name);
    }
    return gm_core_objects_check(lease->job, item->objects, item->n_objects, err);
}

static void item_committed(struct gm_core *core, struct gm_lease *lease, const Gm__Item *item)
{
    struct gm_cjob *job = lease->job;
    struct gm_inst *inst = lease->inst;
    struct gm_err err = {.code = GM_OK};
    uint64_t fresh = gm_core_objects_commit(job, item->objects, item->n_objects);
    lease->open -= fresh < lease->open ? fresh : lease->open;
    gm_core_row_item(core, inst, item);
    if (!lease->attempt->progressed) {
        lease->attempt->progressed = true;
        if (lease->chunk_count >
            0) { /* of a run its chunks say more, and who may write its grant */
            gm_core_row_attempt_lazy(core, job, lease->attempt);
        } else {
            gm_core_row_attempt(core, job, lease->attempt);
        }
    }
    lease->progress_at = core->now;
    job->progress_dirty = true;
    if (inst->task->type->fan == GM_FAN_RUNS) {
        gm_core_local_made(job, lease->attempt, inst->chunks[item->index].frames);
        gm_core_count_chunk(core, lease, inst->chunks[item->index].frames);
        gm_core_chunk_commit(core, inst, item->index, GM_UNIT_COMMIT);
        gm_core_watch_passed(core, lease, item->index);
        gm_core_twin_committed(core, lease);
    } else if (inst->task->type->role == GM_ROLE_SPLIT) {
        /* can't fail: check_produced decoded the facts */
        GM_IGNORE(gm_core_chunks_announce(core, job, item, &err), "decoded before");
        gm_core_job_feed(core, job);
    }
    gm_core_job_advance(core, job);
    if (inst->task->type->writes_out) {
        gm_core_early_grown(core, job);
    }
}

void gm_core_handle_produced(struct gm_core *core, struct gm_cnode *node, const Gm__Produced *m,
                             uint64_t seq, const char *node_id)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, m->task_id, m->term, m->epoch);
    if (!lease || lease->cancelling) {
        send_ack(core, node_id, seq, true, false);
        return;
    }
    struct gm_err err = {.code = GM_OK};
    bool is_new = false;
    int rc = check_produced(lease, m, &err);
    if (rc == 0) {
        rc = gm_core_inst_add_item(lease->inst, m->item, core->params.term, &is_new, &err);
    }
    if (rc < 0) {
        send_ack(core, node_id, seq, true, false);
        fail_proto(core, lease, &err, NULL, true);
        return;
    }
    if (is_new) {
        item_committed(core, lease, m->item);
        gm_core_preempt_border(core, lease);
    }
    send_ack(core, node_id, seq, false, false);
}

static bool stream_is_complete(const struct gm_inst *inst, uint32_t stream, size_t count)
{
    const struct gm_stream *s = gm_core_inst_stream(inst, stream);
    if (count == 0) {
        return !s || s->size == 0;
    }
    return s && s->committed == s->size && s->committed == count &&
           s->last == (int64_t)s->committed - 1;
}

static bool split_is_complete(const struct gm_inst *inst, const ProtobufCBinaryData *meta)
{
    ProtobufCMessage *m = NULL;
    struct gm_err err;
    if (gm_message_decode(&gm__split_meta__descriptor, meta->data, meta->len, GM_CORE_MAX_META, &m,
                          &err) < 0) {
        gm_mem_exhausted(); /* check_done decoded it */
    }
    const Gm__SplitMeta *split = (const Gm__SplitMeta *)m;
    bool complete = split->n_items >= inst->stream_count;
    for (size_t i = 0; complete && i < split->n_items && i < GM_STREAMS; i++) {
        complete = stream_is_complete(inst, (uint32_t)i, split->items[i]);
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return complete;
}

/* Whether items that Done presumes have not come. m was checked. */
static bool lacks_items(const struct gm_lease *lease, const Gm__Done *m)
{
    const struct gm_inst *inst = lease->inst;
    for (uint32_t i = 0; i < lease->chunk_count; i++) {
        if (inst->chunks[lease->first_chunk + i].unit.state != GM_TASK_DONE) {
            return true;
        }
    }
    if (inst->task->type->role == GM_ROLE_TRACK && inst->task->type->item_facts) {
        const struct gm_stream *s = gm_core_inst_stream(inst, 0);
        return !s || s->last < 0 || s->committed != s->size || s->last != (int64_t)s->committed - 1;
    }
    return inst->task->type->role == GM_ROLE_SPLIT && !split_is_complete(inst, &m->meta);
}

static int check_done(struct gm_lease *lease, const Gm__Done *m, struct gm_err *err)
{
    if (m->meta.len > GM_CORE_MAX_META || m->n_objects > GM_CORE_MAX_GRANTS * 16) {
        return gm_err_set(err, GM_E_PROTO, 0, "the result of `%s` is too large",
                          lease->inst->task->name);
    }
    int rc = check_facts(lease->inst->task->type->result_facts, &m->meta, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "the result of `%s`: ", lease->inst->task->name);
    }
    rc = gm_core_objects_check(lease->job, m->objects, m->n_objects, err);
    if (rc < 0 || lease->inst->task->type->role != GM_ROLE_PLAN) {
        return rc;
    }
    if (!gm_is_file_name(m->publication) || strlen(m->publication) > 64) {
        return gm_err_set(err, GM_E_PROTO, 0, "plan named no usable publication");
    }
    return 0;
}

static int take_result(struct gm_core *core, struct gm_lease *lease, const Gm__Done *m,
                       struct gm_err *err)
{
    struct gm_cjob *job = lease->job;
    struct gm_inst *inst = lease->inst;
    if (lease->chunk_count > 0) {
        return 0; /* encode's result is the sum of its chunks */
    }
    int rc = gm_core_inst_set_result(inst, &m->meta, m->objects, m->n_objects, false, err);
    if (rc == 0 && inst->task->type->role == GM_ROLE_PLAN) {
        rc = gm_core_job_set_expand(job, m->expand, m->n_expand, err);
        if (rc == 0) {
            free(job->publication);
            job->publication = gm_mem_strdup(m->publication);
            gm_core_chain_take(core, job, lease->chain);
        }
    }
    if (rc < 0) {
        return rc;
    }
    (void)gm_core_objects_commit(job, m->objects, m->n_objects);
    gm_core_unit_move(core, job, &inst->unit, GM_UNIT_COMMIT);
    gm_core_unit_clear(&inst->unit);
    gm_core_watch_passed(core, lease, -1);
    inst->done_term = core->params.term;
    gm_core_row_task(core, inst);
    gm_core_fx_event(core, job, "task", inst->task->name, "done", true);
    return 0;
}

/* What a run of encode says of its decoding goes to the attempt's usage: it is only told. */
static void note_decoding(const struct gm_lease *lease, const Gm__Done *m, Gm__Usage *usage)
{
    ProtobufCMessage *meta = NULL;
    struct gm_err err;
    if (lease->inst->task->type->role != GM_ROLE_ENCODE ||
        gm_message_decode(&gm__encode_meta__descriptor, m->meta.data, m->meta.len, GM_CORE_MAX_META,
                          &meta, &err) < 0) {
        return;
    }
    const Gm__EncodeMeta *encode = (const Gm__EncodeMeta *)meta;
    usage->frames = encode->frames;
    usage->frames_decoded = encode->decoded;
    usage->frames_spare = encode->spare;
    protobuf_c_message_free_unpacked(meta, NULL);
}

void gm_core_handle_done(struct gm_core *core, struct gm_cnode *node, const Gm__Done *m,
                         uint64_t seq, const char *node_id)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, m->task_id, m->term, m->epoch);
    if (!lease || lease->cancelling) {
        if (lease) {
            gm_core_lease_end(core, lease, GM_ATTEMPT_CANCELLED, m->usage);
        }
        send_ack(core, node_id, seq, true, false);
        return;
    }
    struct gm_err err = {.code = GM_OK};
    struct gm_cjob *job = lease->job;
    int rc = check_done(lease, m, &err);
    if (rc == 0 && lacks_items(lease, m)) {
        if (lease->early_done_at == 0) {
            lease->early_done_at = core->now;
        }
        if (core->now - lease->early_done_at < EARLY_DONE_LIMIT) {
            return; /* no Ack: the node sends its items and this again */
        }
        rc = gm_err_set(&err, GM_E_PROTO, 0, "`%s` ended without all of its items",
                        lease->inst->task->name);
    }
    if (rc == 0) {
        rc = take_result(core, lease, m, &err);
    }
    bool refused = rc < 0;
    bool of_run = lease->chunk_count > 0;
    send_ack(core, node_id, seq, refused, of_run);
    if (refused) {
        fail_proto(core, lease, &err, m->usage, false);
        return;
    }
    Gm__Usage usage = GM__USAGE__INIT;
    if (m->usage != NULL) {
        usage = *m->usage;
    }
    usage.frames = usage.frames_decoded = usage.frames_spare = 0;
    note_decoding(lease, m, &usage);
    gm_core_lease_end(core, lease, GM_ATTEMPT_DONE, &usage);
    gm_core_job_feed(core, job);
    gm_core_job_advance(core, job);
    gm_core_early_grown(core, job);
}

void gm_core_handle_failed(struct gm_core *core, struct gm_cnode *node, const Gm__Failed *m,
                           uint64_t seq, const char *node_id)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, m->task_id, m->term, m->epoch);
    send_ack(core, node_id, seq, lease == NULL || lease->cancelling, false);
    if (!lease) {
        return;
    }
    if (lease->cancelling) {
        gm_core_lease_end(core, lease, GM_ATTEMPT_CANCELLED, m->usage);
        return;
    }
    struct gm_lease_failure f = {
        .chunk = m->chunk, .usage = m->usage, .outcome = GM_ATTEMPT_FAILED};
    if (m->error) {
        gm_err_from_msg(m->error, &f.error);
    }
    if (f.error.code == GM_OK) {
        (void)gm_err_set(&f.error, GM_E_BUG, 0, "node %s gave no reason", node_id);
    }
    gm_core_lease_fail(core, lease, &f);
}

void gm_core_handle_unsent(struct gm_core *core, const char *node_id, const Gm__Failed *m,
                           bool told)
{
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    struct gm_lease *lease =
        node ? gm_core_lease_find(core, node, m->task_id, m->term, m->epoch) : NULL;
    if (!lease || lease->cancelling) {
        return;
    }
    struct gm_lease_failure f = {.chunk = -1, .outcome = GM_ATTEMPT_FAILED, .keep = told};
    gm_err_from_msg(m->error, &f.error);
    gm_core_lease_fail(core, lease, &f);
}
