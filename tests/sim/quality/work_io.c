/* What jobs are made of, and what their tasks take and say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media.pb-c.h"
#include "proto/envelope.h"
#include "proto/streams.h"
#include "sim/quality/farm.h"

#define META_BYTES 2048

uint32_t q_farm_submit(struct q_farm *farm, const struct q_work *work, gm_time at)
{
    uint32_t number = farm->job_count++;
    struct q_job *grown = realloc(farm->jobs, farm->job_count * sizeof(*farm->jobs));
    if (!grown) {
        q_die("out of memory");
    }
    farm->jobs = grown;
    struct q_job *job = &farm->jobs[number];
    *job = (struct q_job){.work = *work, .submitted = at, .began = -1, .ended = -1};
    (void)snprintf(job->id, sizeof(job->id), "job-%u", number);
    job->chunk_ready = calloc(work->chunks, sizeof(*job->chunk_ready));
    if (!job->chunk_ready) {
        q_die("out of memory");
    }
    for (uint32_t i = 0; i < work->chunks; i++) {
        job->chunk_ready[i] = -1;
    }
    for (int r = 0; r < Q_ROLES; r++) {
        job->ready[r] = -1;
    }
    q_queue_push(&farm->queue, (struct q_event){.at = at, .kind = Q_EV_SUBMIT, .which = number});
    return number;
}

static size_t make_tasks(Gm__PipelineTask tasks[Q_ROLES])
{
    static char inspect[] = "inspect", plan[] = "plan", split[] = "split", video[] = "video",
                audio[] = "audio", images[] = "images";
    static char *of_plan[] = {inspect}, *of_split[] = {plan}, *of_work[] = {split},
                *of_images[] = {video}, *of_files[] = {video, audio, images};
    static const struct {
        const char *name, *type;
        char **needs;
        size_t count;
    } rows[Q_ROLES] = {{"inspect", "inspect", NULL, 0}, {"plan", "plan", of_plan, 1},
                       {"split", "split", of_split, 1}, {"video", "encode", of_work, 1},
                       {"audio", "audio", of_work, 1},  {"images", "thumbnails", of_images, 1},
                       {"mp4", "mp4", of_files, 2},     {"hls", "package", of_files, 3}};
    for (size_t i = 0; i < Q_ROLES; i++) {
        gm__pipeline_task__init(&tasks[i]);
        tasks[i].name = (char *)(uintptr_t)rows[i].name;
        tasks[i].type = (char *)(uintptr_t)rows[i].type;
        tasks[i].needs = rows[i].needs;
        tasks[i].n_needs = rows[i].count;
    }
    return Q_ROLES;
}

void q_job_submit(struct q_farm *farm, uint32_t number)
{
    struct q_job *job = &farm->jobs[number];
    const struct q_ladder *ladder = q_work_ladder(&job->work);
    Gm__PipelineTask tasks[Q_ROLES], *list[Q_ROLES];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    Gm__PlanParams plan = GM__PLAN_PARAMS__INIT;
    char *devices[] = {(char *)"nvenc", (char *)"cpu"};
    uint32_t sides[8];
    char tenant[16], destination[32];
    memcpy(sides, ladder->height, sizeof(sides));
    plan.ladder = sides;
    plan.n_ladder = ladder->count;
    encode.codec = (char *)(uintptr_t)ladder->codec;
    encode.bit_depth = ladder->bit_depth;
    encode.devices = job->work.gpu ? devices : devices + 1;
    encode.n_devices = job->work.gpu && !job->work.alone ? 2 : 1;
    pipeline.name = (char *)"mix";
    pipeline.n_tasks = make_tasks(tasks);
    pipeline.tasks = list;
    for (size_t i = 0; i < Q_ROLES; i++) {
        list[i] = &tasks[i];
    }
    tasks[Q_PLAN].params_case = GM__PIPELINE_TASK__PARAMS_PLAN;
    tasks[Q_PLAN].plan = &plan;
    tasks[Q_ENCODE].params_case = GM__PIPELINE_TASK__PARAMS_ENCODE;
    tasks[Q_ENCODE].encode = &encode;
    (void)snprintf(tenant, sizeof(tenant), "tenant-%u", job->work.tenant);
    (void)snprintf(destination, sizeof(destination), "file:///out/%u", number);
    struct gm_submit submit = {.job_id = job->id,
                               .pipeline = &pipeline,
                               .source_url = "file:///in",
                               .source_size = 1,
                               .source_name = "in",
                               .destination_url = destination,
                               .priority = job->work.priority,
                               .tenant = tenant,
                               .external_id = ""};
    struct gm_event event = {.type = GM_EV_SUBMIT, .submit = &submit};
    job->ready[Q_INSPECT] = farm->now;
    q_farm_event(farm, &event);
}

static gm_time seconds(double s)
{
    gm_time t = (gm_time)(s * (double)GM_SEC);
    return t > 0 ? t : 1;
}

static void plan_work(struct q_farm *farm, const struct q_node *node, struct q_task *task,
                      gm_time at)
{
    task->next_at = at > farm->now ? at : farm->now;
    q_queue_push(&farm->queue, (struct q_event){.at = task->next_at,
                                                .kind = Q_EV_WORK,
                                                .which = (uint32_t)(node - farm->nodes),
                                                .epoch = task->epoch});
}

static double step_of(const struct q_farm *farm, const struct q_task *task, enum q_step step,
                      uint32_t chunk)
{
    return q_work_seconds(farm->times, &farm->jobs[task->job].work, step, chunk) / task->speed;
}

/* The chunk that comes next, of a run. */
static gm_time chunk_time(const struct q_farm *farm, const struct q_node *node,
                          const struct q_task *task)
{
    const struct q_work *work = &farm->jobs[task->job].work;
    uint32_t chunk = task->first + task->position;
    if (task->device == 0) {
        return seconds(step_of(farm, task, Q_T_ENCODE, chunk));
    }
    return seconds(q_work_pixels(work, chunk) * Q_GPU_SLOTS / node->kind->gpu_rate);
}

static const enum q_step steps[Q_ROLES] = {Q_T_INSPECT, Q_T_PLAN,       Q_T_SPLIT, Q_T_ENCODE,
                                           Q_T_AUDIO,   Q_T_THUMBNAILS, Q_T_MP4,   Q_T_PACKAGE};

void q_task_begin(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    gm_time whole = seconds(step_of(farm, task, steps[task->role], 0));
    switch (task->role) {
    case Q_SPLIT:
        task->position = task->skip;
        plan_work(farm, node, task,
                  farm->now +
                      whole * (task->position + 1) / (gm_time)farm->jobs[task->job].work.chunks);
        break;
    case Q_ENCODE:
        plan_work(farm, node, task, farm->now + chunk_time(farm, node, task));
        break;
    case Q_INSPECT:
    case Q_PLAN:
        plan_work(farm, node, task, farm->now + whole);
        break;
    case Q_AUDIO:
    case Q_THUMBNAILS:
    case Q_MP4:
    case Q_PACKAGE:
    case Q_ROLES:
    default:
        if (task->complete) {
            plan_work(farm, node, task, farm->now + whole);
        }
    }
}

/* A track works while its inputs come. */
void q_task_fed(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    gm_time whole = seconds(step_of(farm, task, steps[task->role], 0));
    gm_time from = task->role == Q_AUDIO ? task->began : farm->now;
    plan_work(farm, node, task, from + whole);
}

static size_t pack(const ProtobufCMessage *m, uint8_t out[META_BYTES])
{
    if (protobuf_c_message_get_packed_size(m) > META_BYTES) {
        q_die("a result is too large");
    }
    return protobuf_c_message_pack(m, out);
}

static void say_item(struct q_farm *farm, const struct q_node *node, const struct q_task *task,
                     uint32_t stream, uint32_t index, bool last)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced m = GM__PRODUCED__INIT;
    Gm__Item item = GM__ITEM__INIT;
    uint8_t meta[META_BYTES];
    if (task->role == Q_SPLIT) {
        Gm__SplitItemMeta facts = GM__SPLIT_ITEM_META__INIT;
        facts.frames = q_work_frames(&farm->jobs[task->job].work, index);
        item.meta.len = pack(&facts.base, meta);
        item.meta.data = meta;
    }
    item.stream = stream;
    item.index = index;
    item.last = last;
    m.task_id = task->task_id;
    m.term = task->term;
    m.epoch = task->epoch;
    m.item = &item;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &m;
    q_farm_message(farm, node, &envelope);
}

static size_t inspection(const struct q_job *job, uint8_t out[META_BYTES])
{
    const struct q_ladder *ladder = q_work_ladder(&job->work);
    Gm__Inspection m = GM__INSPECTION__INIT;
    Gm__VideoFacts video = GM__VIDEO_FACTS__INIT;
    Gm__Rational rate = GM__RATIONAL__INIT;
    rate.num = Q_FPS;
    rate.den = 1;
    video.frame_rate = &rate;
    video.width_px = ladder->width[0];
    video.height_px = ladder->height[0];
    video.keyframe_interval_us = 2000000;
    m.duration_us = (int64_t)(job->work.duration * 1e6);
    m.video = &video;
    return pack(&m.base, out);
}

static size_t policy(const struct q_job *job, uint8_t out[META_BYTES])
{
    const struct q_ladder *ladder = q_work_ladder(&job->work);
    Gm__Policy m = GM__POLICY__INIT;
    Gm__Rendition rungs[8], *list[8];
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    encode.codec = (char *)(uintptr_t)ladder->codec;
    encode.bit_depth = ladder->bit_depth;
    for (uint32_t i = 0; i < ladder->count; i++) {
        gm__rendition__init(&rungs[i]);
        rungs[i].encode = &encode;
        rungs[i].width_px = ladder->width[i];
        rungs[i].height_px = ladder->height[i];
        list[i] = &rungs[i];
    }
    m.renditions = list;
    m.n_renditions = ladder->count;
    m.publication = (char *)(uintptr_t)job->id;
    m.estimated_frames = (int64_t)(job->work.duration * Q_FPS);
    m.estimated_bytes = (int64_t)(job->work.duration * 1e6);
    return pack(&m.base, out);
}

static size_t split_sum(const struct q_job *job, uint8_t out[META_BYTES])
{
    Gm__SplitMeta m = GM__SPLIT_META__INIT;
    uint32_t items[2] = {job->work.chunks, 1};
    m.items = items;
    m.n_items = 2;
    return pack(&m.base, out);
}

static void note_done(struct q_farm *farm, struct q_job *job, enum q_role role)
{
    job->encoded = job->encoded || (role == Q_ENCODE && job->chunks_done == job->work.chunks);
    job->heard = job->heard || role == Q_AUDIO;
    job->pictured = job->pictured || role == Q_THUMBNAILS;
    if (role == Q_INSPECT || role == Q_PLAN) {
        q_job_ready(farm, job, role == Q_INSPECT ? Q_PLAN : Q_SPLIT, 0);
    }
    if (job->encoded) {
        q_job_ready(farm, job, Q_THUMBNAILS, 0);
    }
    if (job->encoded && job->heard) {
        q_job_ready(farm, job, Q_MP4, 0);
    }
    if (job->encoded && job->heard && job->pictured) {
        q_job_ready(farm, job, Q_PACKAGE, 0);
    }
}

static void say_done(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    struct q_job *job = &farm->jobs[task->job];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Done m = GM__DONE__INIT;
    Gm__Usage usage = GM__USAGE__INIT;
    Gm__Expand expand[2] = {GM__EXPAND__INIT, GM__EXPAND__INIT};
    Gm__Expand *expand_list[] = {&expand[0], &expand[1]};
    uint8_t meta[META_BYTES];
    expand[0].task = (char *)"audio";
    expand[1].task = (char *)"mp4";
    expand[0].instances = expand[1].instances = 1;
    m.task_id = task->task_id;
    m.term = task->term;
    m.epoch = task->epoch;
    m.usage = &usage;
    usage.wall_us = (uint64_t)(farm->now - task->began) / 1000;
    usage.cpu_us = usage.wall_us;
    if (task->role == Q_AUDIO) {
        usage.cpu_us = (uint64_t)(step_of(farm, task, Q_T_AUDIO, 0) * 1e6);
    }
    m.meta.data = meta;
    m.meta.len = task->role == Q_INSPECT ? inspection(job, meta)
                 : task->role == Q_PLAN  ? policy(job, meta)
                 : task->role == Q_SPLIT ? split_sum(job, meta)
                                         : 0;
    if (task->role == Q_PLAN) {
        m.publication = job->id;
        m.expand = expand_list;
        m.n_expand = 2;
    }
    envelope.body_case = GM__ENVELOPE__BODY_DONE;
    envelope.done = &m;
    note_done(farm, job, task->role); /* before the core gives out what is ready now */
    q_task_end(farm, node, task);
    q_farm_message(farm, node, &envelope);
}

/* The next chunk is announced; with the last one the sound, and the end. */
static void split_more(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    struct q_job *job = &farm->jobs[task->job];
    uint32_t chunk = task->position++, all = job->work.chunks;
    if (chunk < all) {
        q_job_ready(farm, job, Q_ENCODE, chunk);
        say_item(farm, node, task, GM_STREAM_VIDEO, chunk, chunk + 1 == all);
    }
    if (task->position < all) {
        gm_time whole = seconds(step_of(farm, task, Q_T_SPLIT, 0));
        plan_work(farm, node, task, task->began + whole * (task->position + 1) / (gm_time)all);
        return;
    }
    say_item(farm, node, task, GM_STREAM_SOUND, 0, true);
    say_done(farm, node, task);
}

void q_task_work(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    struct q_job *job = &farm->jobs[task->job];
    if (task->role == Q_SPLIT) {
        split_more(farm, node, task);
        return;
    }
    if (task->role == Q_AUDIO) {
        say_item(farm, node, task, 0, 0, true);
    } else if (task->role == Q_ENCODE) {
        uint32_t chunk = task->first + task->position++;
        if (job->chunk_ready[chunk] != -3) { /* no copy of it came before */
            job->chunk_ready[chunk] = -3;
            job->chunks_done++;
        }
        bool last = task->position == task->count;
        say_item(farm, node, task, 0, chunk, false);
        if (!last && !task->cancelled) {
            plan_work(farm, node, task, farm->now + chunk_time(farm, node, task));
        }
        if (!last || task->cancelled) {
            return;
        }
    }
    say_done(farm, node, task);
}
