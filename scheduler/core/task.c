/* Task instances: their unit, their committed items, their result, and their chunks. */
#include "scheduler/core/task.h"
#include "scheduler/core/times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/ladder.h"
#include "proto/streams.h"
#include "proto/video_codec.h"
#include "scheduler/core/count.h"
#include "scheduler/core/writes.h"

bool gm_core_task_is_done(const struct gm_ctask *task)
{
    if (!task->known) {
        return false;
    }
    for (uint32_t i = 0; i < task->inst_count; i++) {
        if (task->insts[i].unit.state != GM_TASK_DONE) {
            return false;
        }
    }
    return true;
}

bool gm_core_split_is_done(const struct gm_cjob *job)
{
    return job->split->insts[0].unit.state == GM_TASK_DONE;
}

bool gm_core_inst_inputs_end(const struct gm_inst *inst)
{
    return inst->task->type->role == GM_ROLE_FINISH || gm_core_split_is_done(inst->task->job);
}

void gm_core_unit_move(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit,
                       enum gm_unit_event event)
{
    int next = gm_unit_next(unit->state, event);
    GM_ASSERT(next != GM_FSM_ILLEGAL);
    bool was_ready = unit->state == GM_TASK_READY && !unit->sum;
    unit->state = (enum gm_task_state)next;
    bool is_ready = unit->state == GM_TASK_READY && !unit->sum;
    core->ready_units += is_ready ? 1 : 0;
    core->ready_units -= was_ready ? 1 : 0;
    if (is_ready != was_ready) {
        gm_core_count_ready(core, job, unit, is_ready);
    }
    if (is_ready && !was_ready && job->ready_units++ == 0) {
        gm_core_order_enter(core, job);
    } else if (was_ready && !is_ready && --job->ready_units == 0) {
        gm_core_order_leave(core, job);
    }
    if (unit->state == GM_TASK_READY) {
        unit->ready_since = core->now;
        core->place_dirty = true;
        core->split_stopped =
            core->split_stopped || (job->leases && unit == &job->split->insts[0].unit);
    }
    if (unit->state != GM_TASK_RUNNING) {
        unit->lease = NULL;
    }
    if (unit->state != GM_TASK_BACKOFF) {
        unit->awaited = NULL;
    }
    gm_sums_note_unit(job, unit);
    gm_core_order_change(core, job);
}

void gm_core_unit_clear(struct gm_unit *unit)
{
    for (uint32_t i = 0; i < unit->avoid_count; i++) {
        free(unit->avoid[i].node_id);
    }
    free(unit->avoid);
    unit->avoid = NULL;
    unit->avoid_count = 0;
    unit->failures = 0;
    unit->streak = 0;
    unit->refusals = 0;
}

const struct gm_stream *gm_core_inst_stream(const struct gm_inst *inst, uint32_t stream)
{
    return stream < inst->stream_count ? &inst->streams[stream] : NULL;
}

const struct gm_stream *gm_core_inst_inputs(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    uint32_t stream = gm_core_task_type_stream(inst->task->type, inst->number);
    return gm_core_inst_stream(&job->split->insts[0], stream);
}

/* Urls are made anew for each reader. */
static void drop_urls(Gm__Object **objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (objects[i]->url != protobuf_c_empty_string) {
            free(objects[i]->url);
            objects[i]->url = (char *)protobuf_c_empty_string;
        }
    }
}

/* 74 years at 30 a second: what is counted with them stays far below 2^64. */
#define MAX_FRAMES (INT64_C(1) << 36)

/* Frames of so long a part of the programme, rounded up; 0: its rate is not known. */
static uint64_t frames_in(const struct gm_cjob *job, int64_t us)
{
    if (job->rate_den <= 0 || job->rate_num <= 0 || us <= 0) {
        return 0;
    }
    __int128 den = (__int128)job->rate_den * 1000000;
    __int128 frames = ((__int128)us * job->rate_num + den - 1) / den;
    return (uint64_t)(frames < MAX_FRAMES ? frames : MAX_FRAMES);
}

uint64_t gm_core_job_frames(const struct gm_cjob *job)
{
    return frames_in(job, job->duration_us);
}

static bool more_to_come(const struct gm_inst *inst)
{
    const struct gm_stream *in = gm_core_inst_inputs(inst);
    return in && (in->last < 0 || inst->chunk_count <= (uint64_t)in->last);
}

uint64_t gm_core_inst_frames(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    uint64_t frames = more_to_come(inst) ? frames_in(job, job->duration_us) : 0;
    return frames > job->frames_known ? frames : job->frames_known;
}

uint64_t gm_core_inst_lead(const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    if (!more_to_come(inst) || frames_in(job, job->duration_us) <= job->frames_known) {
        return 0;
    }
    /* From the keyframe before the frame that is its context; where that one is open, from the one
     * before. */
    uint64_t between = frames_in(job, job->keyframe_us);
    return between > 0 ? 2 * between + 1 : UINT64_MAX;
}

static int announce(struct gm_core *core, struct gm_inst *inst, const Gm__Item *newest,
                    struct gm_err *err)
{
    struct gm_cjob *job = inst->task->job;
    const struct gm_stream *in = gm_core_inst_inputs(inst);
    while (in && inst->chunk_count < in->committed) {
        bool is_newest = newest->index == inst->chunk_count &&
                         in == gm_core_inst_stream(&job->split->insts[0], newest->stream);
        Gm__Item *read = is_newest ? NULL : gm_core_stream_item(in, inst->chunk_count);
        const Gm__Item *item = is_newest ? newest : read;
        ProtobufCMessage *m = NULL;
        int rc = gm_message_decode(&gm__split_item_meta__descriptor, item->meta.data,
                                   item->meta.len, GM_CORE_MAX_META, &m, err);
        gm__item__free_unpacked(read, NULL);
        if (rc < 0) {
            return gm_err_set(err, GM_E_PROTO, (int64_t)inst->chunk_count,
                              "chunk %zu has no readable facts", inst->chunk_count);
        }
        const Gm__SplitItemMeta *meta = (const Gm__SplitItemMeta *)m;
        inst->chunks =
            gm_mem_grow(inst->chunks, inst->chunk_count, &inst->chunk_cap, sizeof(*inst->chunks));
        struct gm_core_chunk *c = &inst->chunks[inst->chunk_count++];
        c->frames = meta->frames;
        c->preroll = meta->preroll_frames;
        c->unit.state = GM_TASK_BLOCKED;
        c->unit.runs = (uint8_t)(inst->task->position + 1);
        gm_sums_note(inst, inst->chunk_count - 1);
        job->frames_known += inst->task == job->encode ? c->frames : 0;
        if (inst->unit.state == GM_TASK_READY) {
            gm_core_unit_move(core, job, &c->unit, GM_UNIT_UNBLOCK);
        }
        protobuf_c_message_free_unpacked(m, NULL);
    }
    return 0;
}

int gm_core_chunks_announce(struct gm_core *core, struct gm_cjob *job, const Gm__Item *newest,
                            struct gm_err *err)
{
    int rc = 0;
    for (uint32_t t = 0; rc == 0 && t < job->task_count; t++) {
        struct gm_ctask *task = &job->tasks[t];
        if (task->type->fan == GM_FAN_RUNS && task->inst_count > 0) {
            rc = announce(core, &task->insts[0], newest, err);
        }
    }
    return rc;
}

void gm_core_chunks_unblock(struct gm_core *core, struct gm_inst *inst)
{
    for (size_t i = 0; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state == GM_TASK_BLOCKED) {
            gm_core_unit_move(core, inst->task->job, &inst->chunks[i].unit, GM_UNIT_UNBLOCK);
        }
    }
}

void gm_core_chunk_commit(struct gm_core *core, struct gm_inst *inst, uint32_t index,
                          enum gm_unit_event event)
{
    struct gm_cjob *job = inst->task->job;
    struct gm_core_chunk *c = &inst->chunks[index];
    gm_core_unit_move(core, job, &c->unit, event);
    gm_core_unit_clear(&c->unit);
    inst->chunk_done++;
    job->frames_committed += inst->task == job->encode ? c->frames : 0;
    while (inst->first_open < inst->chunk_count &&
           inst->chunks[inst->first_open].unit.state == GM_TASK_DONE) {
        inst->first_open++;
    }
}

/* Of the ladder's rungs, about: their long sides are not rounded. */
static void note_rung(struct gm_cjob *job, const Gm__VideoFacts *video, uint32_t side)
{
    struct gm_ladder_shape s = gm_ladder_shape(video);
    double shorter = (double)(s.width < s.height ? s.width : s.height);
    double longer = (double)(s.width < s.height ? s.height : s.width);
    double pixels = (double)side * side * longer / shorter; /* a side is of a shape that has two */
    uint64_t own = pixels < (double)(UINT64_C(1) << 40) ? (uint64_t)pixels : 0;
    job->rung_pixels += own;
    job->rung_largest = own > job->rung_largest ? own : job->rung_largest;
}

/* As the plan will (media/picture/ladder.h). */
static void note_rungs(struct gm_cjob *job, const Gm__VideoFacts *video)
{
    const Gm__PipelineTask *def = job->pipeline->tasks[job->plan->position];
    uint32_t sides[GM_LADDER_MAX];
    size_t count = 0;
    bool listed = def->params_case == GM__PIPELINE_TASK__PARAMS_PLAN && def->plan->n_ladder > 0;
    if (listed) {
        count = gm_ladder_sides(video, def->plan->ladder, def->plan->n_ladder, sides);
        job->rungs = count > 0 ? (uint32_t)count : 1;
    }
    job->rung_pixels = job->rung_largest = 0;
    for (size_t i = 0; i < count; i++) {
        note_rung(job, video, sides[i]);
    }
    if (count == 0) { /* one of the source's size */
        job->rung_pixels = job->rung_largest = job->source_pixels;
    }
}

static int note_inspection(struct gm_cjob *job, const Gm__Inspection *m)
{
    job->duration_us = m->duration_us > 0 ? m->duration_us : 0;
    if (m->video) {
        const Gm__Rational *rate = m->video->frame_rate;
        if (rate && rate->num > 0 && rate->den > 0) {
            job->rate_num = rate->num;
            job->rate_den = rate->den;
        }
        job->source_pixels = (uint64_t)m->video->width_px * m->video->height_px;
        job->source_is_deep = m->video->bit_depth > 8;
        job->keyframe_us = m->video->keyframe_interval_us;
        note_rungs(job, m->video);
    }
    return 0;
}

/* Memory of an encode: libavcodec's H.264 decoder holds at most 16 references and its frame
 * threads' pictures of 12 bits a pixel, 32 covers 10-bit sources too; proto/video_codec.h says what
 * encoders hold. */
#define DECODER_FRAMES 32u
#define MAX_PIXELS (UINT64_C(1) << 32)

static uint64_t encoder_bytes(const Gm__Rendition *r)
{
    const struct gm_video_codec *codec = gm_video_codec_find(r->encode ? r->encode->codec : "");
    uint64_t pixels = (uint64_t)r->width_px * r->height_px;
    uint64_t frames = codec ? codec->memory_frames : 40;
    uint64_t base = codec ? (uint64_t)codec->memory_mib << 20 : 0;
    pixels = pixels < MAX_PIXELS ? pixels : MAX_PIXELS;
    uint64_t halves = r->encode && r->encode->bit_depth > 8 ? 3 : 2;
    return base + pixels * frames * 3 / 2 * halves / 2;
}

/* Of the device, by a run there: its own context; of the source what decodes it holds (16
 * references and four on their way) and what waits between decoder and encoders, of each rendition
 * what its scaler and its encoder hold (docs/devices.md, "Pictures on the device"; a session's part
 * and the context are estimates). Pictures are of 12 bits a pixel, of 10 bits twice that. */
#define DEVICE_CONTEXT (UINT64_C(128) << 20)
#define DEVICE_SOURCE_PICTURES (48u + 20u)
#define DEVICE_RENDITION_PICTURES (18u + 24u)

static uint64_t device_bytes(uint64_t pixels, uint64_t pictures, bool deep)
{
    pixels = pixels < MAX_PIXELS ? pixels : MAX_PIXELS;
    return pixels * pictures * 3 / 2 * (deep ? 2 : 1);
}

static uint64_t device_memory(const struct gm_cjob *job, const Gm__Policy *m)
{
    uint64_t sum = DEVICE_CONTEXT +
                   device_bytes(job->source_pixels, DEVICE_SOURCE_PICTURES, job->source_is_deep);
    for (size_t i = 0; i < m->n_renditions && sum < UINT64_C(1) << 50; i++) {
        const Gm__Rendition *r = m->renditions[i];
        sum += device_bytes((uint64_t)r->width_px * r->height_px, DEVICE_RENDITION_PICTURES,
                            r->encode && r->encode->bit_depth > 8);
    }
    return sum;
}

static int note_policy(struct gm_cjob *job, const Gm__Policy *m, struct gm_err *err)
{
    uint64_t encoders = 0;
    for (size_t i = 0; i < m->n_renditions && encoders < UINT64_C(1) << 50; i++) {
        encoders += encoder_bytes(m->renditions[i]);
    }
    uint64_t source = job->source_pixels < (UINT64_C(1) << 40) ? job->source_pixels : 0;
    job->renditions = (uint32_t)m->n_renditions;
    gm_core_works_take(job, m);
    job->encode_memory_bytes = encoders + source * DECODER_FRAMES * 3 / 2;
    job->device_memory_bytes = device_memory(job, m);
    job->estimated_frames = m->estimated_frames > 0 ? (uint64_t)m->estimated_frames : 0;
    job->estimated_bytes = m->estimated_bytes > 0 ? (uint64_t)m->estimated_bytes : 0;
    return gm_core_writes_set(&job->writes, m, err);
}

static int note_result(const struct gm_inst *inst, const ProtobufCBinaryData *meta, bool stored,
                       struct gm_err *err)
{
    enum gm_task_role role = inst->task->type->role;
    if (role != GM_ROLE_INSPECT && role != GM_ROLE_PLAN) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type =
        role == GM_ROLE_INSPECT ? &gm__inspection__descriptor : &gm__policy__descriptor;
    ProtobufCMessage *m = NULL;
    int rc = gm_message_decode(type, meta->data, meta->len, GM_CORE_MAX_META, &m, err);
    if (rc < 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "the result of `%s` does not decode",
                          inst->task->name);
    }
    rc = role == GM_ROLE_INSPECT ? note_inspection(inst->task->job, (const Gm__Inspection *)m)
                                 : note_policy(inst->task->job, (const Gm__Policy *)m, err);
    protobuf_c_message_free_unpacked(m, NULL);
    return rc == -GM_E_LIMIT && stored ? 0 : rc;
}

int gm_core_inst_set_result(struct gm_inst *inst, const ProtobufCBinaryData *meta,
                            Gm__Object *const *objects, size_t count, bool stored,
                            struct gm_err *err)
{
    int rc = note_result(inst, meta, stored, err);
    if (rc < 0) {
        return rc;
    }
    free(inst->meta);
    inst->meta = gm_mem_dup(meta->data, meta->len);
    inst->meta_size = meta->len;
    inst->objects = gm_mem_zalloc(count * sizeof(Gm__Object *));
    for (size_t i = 0; i < count; i++) {
        inst->objects[i] = (Gm__Object *)gm_message_dup(&objects[i]->base);
        if (!inst->objects[i]) {
            gm_mem_exhausted();
        }
    }
    drop_urls(inst->objects, count);
    inst->object_count = count;
    return 0;
}
