/* What the simulated nodes' tasks make: items, results and failures, one step at a time. */
#include "sim/sim_io.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 150

struct piece { /* what a task makes next */
    bool item, done, wait;
    uint32_t stream, index;
    bool last;
    Gm__ObjectStore store;
};

/* All that it writes are items. */
static bool is_bare(const struct sim_task *task)
{
    return task->job->lifelike && !task->job->run_ends &&
           (sim_task_is(task, "encode") || sim_task_is(task, "analyze"));
}

static uint32_t skip_of(const struct sim_task *task, uint32_t stream)
{
    const Gm__TaskSpec *spec = task->assign->spec;
    for (size_t i = 0; i < spec->n_skip; i++) {
        if (spec->skip[i]->stream == stream) {
            return spec->skip[i]->count;
        }
    }
    return 0;
}

static uint32_t stream_count(const struct sim_job *job)
{
    return (job->kind != SIM_SOUND) + job->tracks + job->texts;
}

/* Number of the i-th of the streams that split makes. */
static uint32_t stream_of(const struct sim_job *job, uint32_t i)
{
    i += job->kind == SIM_SOUND;
    return i <= job->tracks ? i : 17 + i - job->tracks - 1;
}

static struct piece next_piece(struct sim_task *task)
{
    const struct sim_job *job = task->job;
    struct piece p = {.store = GM__OBJECT_STORE__STORE_OUT};
    if (sim_task_is(task, "split")) {
        uint32_t streams = stream_count(job);
        p.store = GM__OBJECT_STORE__STORE_WORK;
        for (; task->position < job->chunks * streams; task->position++) {
            p.stream = stream_of(job, task->position % streams);
            p.index = task->position / streams;
            if (p.index >= skip_of(task, p.stream)) {
                p.item = true;
                p.last = p.index + 1 == job->chunks;
                return p;
            }
        }
        p.stream = p.index = 0;
    } else if (sim_task_is(task, "encode") || sim_task_is(task, "analyze")) {
        p.store = sim_task_is(task, "encode") ? p.store : GM__OBJECT_STORE__STORE_WORK;
        if (task->position < task->input_count) {
            p.item = true;
            p.index = task->inputs[task->position]->item->index;
            return p;
        }
    } else if (sim_task_is(task, "loudness")) {
        p.store = GM__OBJECT_STORE__STORE_WORK;
        p.wait = !task->complete;
    } else if (sim_is_track(task)) {
        if (task->position < skip_of(task, 0)) {
            task->position = skip_of(task, 0);
        }
        bool more = task->position + 1 < task->input_count;
        if (more || (task->complete && task->position < task->input_count)) {
            p.item = true;
            p.index = task->position;
            p.last = !more;
            return p;
        }
        p.wait = !task->complete;
    } else if (sim_task_is(task, "inspect") || sim_task_is(task, "plan")) {
        p.store = GM__OBJECT_STORE__STORE_WORK;
    } else {
        p.wait = !task->complete;
    }
    p.done = !p.wait;
    return p;
}

/* As scheduler/core/writes.c wants it of a plan whose tracks have no names. */
static const char *folder_of(const struct sim_task *task)
{
    const char *type = task->assign->spec->type;
    static const char *const rows[][2] = {{"split", "chunks"},
                                          {"encode", "video"},
                                          {"subtitles", "text"},
                                          {"thumbnails", "images"},
                                          {"package", "text"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(type, rows[i][0]) == 0) {
            return rows[i][1];
        }
    }
    return type;
}

static void object_name(const struct sim_task *task, const struct piece *p, char name[64])
{
    const Gm__TaskSpec *spec = task->assign->spec;
    bool stray = task->job->strays && spec->attempt % 3 == 2;
    (void)snprintf(name, 64, "%s/%u/%u-%u%s%s", folder_of(task), spec->instance, p->stream,
                   p->index, p->done ? "-done" : "", stray ? "-other" : "");
}

static void object_hash(const char *name, uint8_t hash[32])
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; name[i]; i++) {
        h = (h ^ (uint8_t)name[i]) * UINT64_C(1099511628211);
    }
    for (size_t i = 0; i < 32; i++) {
        hash[i] = (uint8_t)(h >> (i % 8 * 8));
    }
}

static void ask_grant(struct sim *sim, struct sim_node *node, struct sim_task *task,
                      const struct piece *p)
{
    char name[64];
    uint8_t hash[32];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    Gm__GrantItem *items[] = {&item};
    object_name(task, p, name);
    object_hash(name, hash);
    item.store = p->store;
    item.name = name;
    item.size = strlen(name);
    item.sha256.data = hash;
    item.sha256.len = sizeof(hash);
    request.task_id = task->assign->task_id;
    request.term = task->assign->term;
    request.epoch = task->assign->epoch;
    task->request = task->grant_asked ? task->request : ++node->request;
    request.request = task->request;
    request.items = items;
    request.n_items = 1;
    envelope.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    envelope.grant_request = &request;
    task->grant_asked = true;
    task->asked_at = sim->now;
    sim_send(sim, node, &envelope);
}

static size_t pack(const ProtobufCMessage *m, uint8_t out[1024])
{
    assert_true(protobuf_c_message_get_packed_size(m) <= 1024);
    return protobuf_c_message_pack(m, out);
}

static size_t split_item_meta(const struct sim_task *task, uint8_t out[1024])
{
    Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
    meta.frames = FRAMES;
    meta.preroll_frames = task->job->preroll;
    return pack(&meta.base, out);
}

static size_t item_meta(const struct sim_task *task, uint32_t index, uint8_t out[1024])
{
    if (sim_task_is(task, "split")) {
        return split_item_meta(task, out);
    }
    if (sim_task_is(task, "analyze")) {
        Gm__AnalyzeItemMeta meta = GM__ANALYZE_ITEM_META__INIT;
        meta.chunk = index;
        meta.frames = index + 1;
        meta.duration_ts = 1 + (int64_t)task->build;
        return pack(&meta.base, out);
    }
    if (sim_task_is(task, "encode") && strcmp(task->assign->spec->chain->name, "cpu") == 0) {
        char build[32];
        Gm__EncodeItemMeta meta = GM__ENCODE_ITEM_META__INIT;
        (void)snprintf(build, sizeof(build), "build %u", task->build);
        meta.chunk = index;
        meta.decoder = build;
        return pack(&meta.base, out);
    }
    return 0;
}

/* Each chain's plan has another one, and where that is wanted each shape of a job. */
static void write_publication(const struct sim_job *job, const char *chain, char out[17])
{
    char shape[160];
    uint8_t hash[32];
    if (!job->lifelike) {
        (void)snprintf(out, 17, "%s",
                       strcmp(chain, "nvenc") == 0 ? "ffff456789abcdef" : "0123456789abcdef");
        return;
    }
    (void)snprintf(shape, sizeof(shape), "%d %u %u %u %u %u %s%s", (int)job->kind, job->chunks,
                   job->tracks, job->texts, job->mp4s, job->renditions, chain,
                   job->apart ? job->id : "");
    object_hash(shape, hash);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
}

static size_t result_meta(const struct sim_task *task, uint8_t out[1024])
{
    if (sim_task_is(task, "inspect")) {
        Gm__Inspection meta = GM__INSPECTION__INIT;
        Gm__VideoFacts video = GM__VIDEO_FACTS__INIT;
        Gm__Rational rate = GM__RATIONAL__INIT;
        rate.num = FRAMES;
        rate.den = 6;
        video.frame_rate = &rate;
        video.width_px = task->job->sized ? 160 : 0;
        video.height_px = task->job->sized ? 90 : 0;
        video.keyframe_interval_us = task->job->keyframe_us;
        meta.duration_us = (int64_t)task->job->chunks * 6000000;
        meta.video = task->job->kind != SIM_SOUND ? &video : NULL;
        return pack(&meta.base, out);
    }
    if (sim_task_is(task, "plan")) {
        Gm__Policy meta = GM__POLICY__INIT;
        Gm__Rendition rungs[8];
        Gm__Rendition *list[8];
        Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
        encode.codec = (char *)"h264";
        encode.bit_depth = 8;
        for (uint32_t i = 0; i < 8; i++) {
            gm__rendition__init(&rungs[i]);
            rungs[i].encode = &encode;
            rungs[i].width_px = 160 >> i;
            rungs[i].height_px = 90 >> i;
            list[i] = &rungs[i];
        }
        meta.renditions = list;
        meta.n_renditions = task->job->renditions > 0 ? task->job->renditions : 2;
        char publication[17];
        write_publication(task->job, task->assign->spec->chain->name, publication);
        meta.publication = publication;
        meta.estimated_frames = (int64_t)task->job->chunks * FRAMES + 7;
        return pack(&meta.base, out);
    }
    if (sim_task_is(task, "split")) {
        Gm__SplitMeta meta = GM__SPLIT_META__INIT;
        uint32_t items[33] = {0};
        meta.items = items;
        for (uint32_t i = 0; i < stream_count(task->job); i++) {
            items[stream_of(task->job, i)] = task->job->chunks;
        }
        meta.n_items = 33;
        return pack(&meta.base, out);
    }
    return 0;
}

static size_t make_expand(const struct sim_job *job, Gm__Expand expand[4])
{
    const struct {
        const char *task;
        uint32_t instances;
        bool there;
    } rows[] = {{"audio", job->tracks, true},
                {"mp4", job->mp4s, job->kind != SIM_SOUND},
                {"loud", job->tracks, job->kind != SIM_PLAIN},
                {"subs", job->texts, job->kind != SIM_PLAIN}};
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) {
        if (rows[i].there) {
            gm__expand__init(&expand[n]);
            expand[n].task = (char *)(uintptr_t)rows[i].task;
            expand[n++].instances = rows[i].instances;
        }
    }
    return n;
}

/* Some say what can't be. */
static void fill_usage(struct sim *sim, const struct sim_task *task, Gm__Usage *usage)
{
    bool lies = sim_happens(sim, sim->params.task_lies * 20);
    usage->cpu_us = lies ? UINT64_MAX : 1000;
    usage->wall_us = 2000;
    usage->max_rss_bytes = lies ? UINT64_MAX : 3000;
    usage->bytes_in = 4000;
    usage->bytes_out = lies ? UINT64_MAX : 5000;
    usage->rss_own = lies || task->assign->spec->attempt % 2 == 0;
}

static void send_piece(struct sim *sim, struct sim_node *node, struct sim_task *task,
                       const struct piece *p)
{
    char name[64], publication[17];
    uint8_t hash[32], meta[1024];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced produced = GM__PRODUCED__INIT;
    Gm__Done done = GM__DONE__INIT;
    Gm__Usage usage = GM__USAGE__INIT;
    Gm__Item item = GM__ITEM__INIT;
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *objects[] = {&object};
    Gm__Expand expand[4];
    Gm__Expand *expand_list[] = {&expand[0], &expand[1], &expand[2], &expand[3]};
    object_name(task, p, name);
    object_hash(name, hash);
    object.store = p->store;
    object.key = task->key;
    object.size = strlen(name);
    object.sha256.data = hash;
    object.sha256.len = sizeof(hash);
    bool bare = p->done && is_bare(task);
    if (!bare && !task->stored) {
        sim_put_start(sim, node, task, &object);
    }
    if (!bare && !task->stored) {
        return;
    }
    if (p->item) {
        item.stream = p->stream;
        item.index = p->index;
        item.last = p->last;
        item.objects = objects;
        item.n_objects = 1;
        item.meta.data = meta;
        item.meta.len = item_meta(task, p->index, meta);
        produced.task_id = task->assign->task_id;
        produced.term = task->assign->term;
        produced.epoch = task->assign->epoch;
        produced.item = &item;
        envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
        envelope.produced = &produced;
        task->position++;
    } else {
        done.task_id = task->assign->task_id;
        done.term = task->assign->term;
        done.epoch = task->assign->epoch;
        done.objects = objects;
        done.n_objects = bare ? 0 : 1;
        done.meta.data = meta;
        done.meta.len = result_meta(task, meta);
        fill_usage(sim, task, &usage);
        done.usage = &usage;
        if (sim_task_is(task, "plan")) {
            task->job->plans++;
            (void)snprintf(task->job->chain, sizeof(task->job->chain), "%s",
                           task->assign->spec->chain->name);
            done.n_expand = make_expand(task->job, expand);
            done.expand = expand_list;
            write_publication(task->job, task->assign->spec->chain->name, publication);
            done.publication = publication;
        }
        envelope.body_case = GM__ENVELOPE__BODY_DONE;
        envelope.done = &done;
        task->finished = true;
    }
    task->grant_asked = task->granted = task->stored = false;
    sim_send_reliably(sim, node, &envelope);
}

/* Returns true when the task failed. */
static bool may_fail(struct sim *sim, struct sim_node *node, struct sim_task *task,
                     const struct piece *p)
{
    static const enum gm_code codes[] = {GM_E_MEDIA, GM_E_STORE,       GM_E_WORKER_DIED,
                                         GM_E_NOMEM, GM_E_WORKER_HUNG, GM_E_MEDIA_VERIFY,
                                         GM_E_BUSY,  GM_E_NO_SCRATCH};
    const struct sim_job *job = task->job;
    if (sim_task_is(task, "inspect") && job->inspect_fails != GM_OK) {
        sim_task_fail(sim, node, task, job->inspect_fails, 0, -1);
        return true;
    }
    bool on_gpu = strcmp(task->assign->device, "gpu") == 0;
    if (on_gpu && sim_task_is(task, "plan") && job->gpu_plan_fails != GM_OK) {
        sim_task_fail(sim, node, task, job->gpu_plan_fails, 0, -1);
        return true;
    }
    if (on_gpu && sim_task_is(task, "encode") && job->gpu_encode_fails != GM_OK) {
        sim_task_fail(sim, node, task, job->gpu_encode_fails, 0, p->item ? (int64_t)p->index : -1);
        return true;
    }
    bool bad_node = job->poison_nodes == 0 || node->number < job->poison_nodes;
    if (sim_task_is(task, "encode") && p->item && (int64_t)p->index == job->poison && bad_node) {
        bool other = job->poison_code != GM_OK;
        sim_task_fail(sim, node, task, other ? job->poison_code : GM_E_WORKER_DIED,
                      other ? job->poison_native : SIGSEGV, -1);
        return true;
    }
    const char *bad_task = sim->params.bad_task;
    bool broken = bad_task ? sim_task_is(task, bad_task)
                           : sim_task_is(task, "plan") || sim_task_is(task, "encode");
    if (sim->params.bad_build == task->build + 1 && !on_gpu && broken &&
        (p->item || !sim_task_is(task, "encode"))) {
        enum gm_code code = sim->params.bad_build_code;
        sim_task_fail(sim, node, task, code != GM_OK ? code : GM_E_WORKER_DIED,
                      code != GM_OK ? 0 : SIGSEGV, -1);
        return true;
    }
    bool bad = node->number + 1 == sim->params.bad_node && sim_task_is(task, "encode") && p->item;
    if (bad && (sim->params.bad_chance == 0 || sim_happens(sim, sim->params.bad_chance))) {
        enum gm_code code = sim->params.bad_code;
        node->bad++;
        sim_task_fail(sim, node, task, code != GM_OK ? code : GM_E_WORKER_DIED,
                      code != GM_OK ? 0 : SIGSEGV, code != GM_OK ? (int64_t)p->index : -1);
        return true;
    }
    if (on_gpu && sim_sessions_refuse(sim, node, task)) {
        return true;
    }
    if (sim->params.task_fails == 0 || sim_random(sim, 10000) >= sim->params.task_fails) {
        return false;
    }
    enum gm_code code = codes[sim_random(sim, sizeof(codes) / sizeof(codes[0]))];
    bool blames = p->item && sim_task_is(task, "encode") && sim_random(sim, 2) == 0;
    sim_task_fail(sim, node, task, code, code == GM_E_WORKER_DIED ? SIGKILL : 0,
                  blames ? (int64_t)p->index : -1);
    return true;
}

/* An item with an object that was never granted; the end before the items; an item of another
 * lease. */
static void tell_lie(struct sim *sim, struct sim_node *node, struct sim_task *task,
                     const struct piece *p)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced produced = GM__PRODUCED__INIT;
    Gm__Done done = GM__DONE__INIT;
    Gm__Item item = GM__ITEM__INIT;
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *objects[] = {&object};
    uint8_t meta[1024], hash[32] = {0};
    uint32_t way = sim_random(sim, 3);
    object.store = p->store;
    object.key = (char *)"v/made/up";
    object.sha256.data = hash;
    object.sha256.len = sizeof(hash);
    item.stream = p->stream;
    item.index = p->index;
    item.objects = objects;
    item.n_objects = way == 0 ? 1 : 0;
    item.meta.data = meta;
    item.meta.len = item_meta(task, p->index, meta);
    produced.task_id = done.task_id = task->assign->task_id;
    produced.term = done.term = task->assign->term;
    produced.epoch = done.epoch = task->assign->epoch;
    produced.item = &item;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &produced;
    if (way == 1) {
        done.meta.data = meta;
        done.meta.len = result_meta(task, meta);
        envelope.body_case = GM__ENVELOPE__BODY_DONE;
        envelope.done = &done;
    }
    node->lies = true;
    if (way < 2) {
        task->finished = task->job->lied = true;
        sim_send_reliably(sim, node, &envelope);
    } else {
        produced.epoch -= sim->term % 2;
        produced.term += 1 - sim->term % 2;
        envelope.seq = ++node->seq;
        sim_ledger_promise(sim, node, task, &envelope, true);
        sim_send(sim, node, &envelope);
    }
    node->lies = false;
}

void sim_task_work(struct sim *sim, struct sim_node *node, struct sim_task *task)
{
    bool busy = task->hung || task->finished || task->dropped || task->put.busy;
    if (busy || sim_random(sim, 4) == 0) {
        return;
    }
    if (sim->params.task_hangs > 0 && sim_random(sim, 10000) < sim->params.task_hangs) {
        task->hung = true;
        return;
    }
    struct piece p = next_piece(task);
    if (p.wait || (p.done && sim_node_waits_for_acks(node, task))) {
        return;
    }
    task->progress++;
    if (p.item && sim_happens(sim, sim->params.task_lies)) {
        sim_trace(sim, "%s: lies", node->id);
        tell_lie(sim, node, task, &p);
        return;
    }
    bool bare = p.done && is_bare(task);
    if (bare) {
        if (!may_fail(sim, node, task, &p)) {
            send_piece(sim, node, task, &p);
        }
    } else if (!task->grant_asked) {
        if (!may_fail(sim, node, task, &p)) {
            ask_grant(sim, node, task, &p);
        }
    } else if (task->granted) {
        send_piece(sim, node, task, &p);
    } else if (sim->now - task->asked_at >= 2 * GM_SEC) {
        ask_grant(sim, node, task, &p);
    }
}
