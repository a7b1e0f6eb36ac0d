/* A programme of four hours at 60 pictures a second in chunks of a second, from a source of 100 GB:
 * what the core holds, and what it says to nodes and to the store, at that length. Prints what it
 * measured. TEST_LONG_CHUNKS: another number of chunks. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/state.h"
#include "scheduler/core/view.h"

#define CHUNKS 14400u
#define FRAMES 60u /* of a chunk */
#define RUNGS 4u
#define SOURCE (UINT64_C(100) << 30)
#define WORKS 64 /* that run at once, at most */

struct work { /* a task that is leased to the node */
    uint64_t task_id, term, epoch;
    char type[16];
    uint32_t first, inputs; /* numbers of its chunks; how many inputs it has */
    bool complete;
};
struct world {
    struct gm_core *core; /* owned */
    gm_time now;
    uint32_t chunks;
    struct work works[WORKS];
    size_t work_count;
    char (*keys)[160]; /* of what was granted last; owned */
    size_t key_count;
    bool publish, clean;
    size_t largest_send, largest_row, rows_bytes, heap_before, heap_most;
    uint32_t packaged; /* inputs of the package task */
};

static size_t heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void take_assign(struct world *w, const Gm__Assign *m)
{
    assert_true(w->work_count < WORKS);
    struct work *work = &w->works[w->work_count++];
    *work = (struct work){.task_id = m->task_id,
                          .term = m->term,
                          .epoch = m->epoch,
                          .inputs = (uint32_t)m->spec->n_inputs,
                          .complete = m->spec->inputs_complete};
    (void)snprintf(work->type, sizeof(work->type), "%s", m->spec->type);
    if (m->spec->n_inputs > 0) {
        work->first = m->spec->inputs[0]->item->index;
    }
    if (m->spec->source != NULL) {
        assert_int_equal(m->spec->source->size, SOURCE);
    }
}

static void take_feed(struct world *w, const Gm__Feed *m)
{
    for (size_t i = 0; i < w->work_count; i++) {
        struct work *work = &w->works[i];
        if (work->epoch == m->epoch) {
            assert_int_equal(m->first, work->inputs);
            work->inputs += (uint32_t)m->n_inputs;
            work->complete = m->inputs_complete;
        }
    }
}

/* As the node hears it: what is too large for the wire can't be read back. */
static void take_send(struct world *w, Gm__Envelope *said)
{
    uint8_t *data = NULL;
    size_t size = 0;
    Gm__Envelope *heard = NULL;
    struct gm_err err;
    const Gm__GrantAnswer *answer =
        said->body_case == GM__ENVELOPE__BODY_GRANT_ANSWER ? said->grant_answer : NULL;
    for (size_t i = 0; answer != NULL && i < answer->n_grants; i++) {
        answer->grants[i]->url = (char *)"file:///x"; /* as the daemon does */
    }
    if (gm_envelope_encode(said, &data, &size, &err) < 0 ||
        gm_envelope_decode(data, size, &heard, &err) < 0) {
        fail_msg("%s", err.text);
    }
    w->largest_send = size > w->largest_send ? size : w->largest_send;
    free(data);
    if (heard->body_case == GM__ENVELOPE__BODY_ASSIGN) {
        take_assign(w, heard->assign);
    } else if (heard->body_case == GM__ENVELOPE__BODY_FEED) {
        take_feed(w, heard->feed);
    } else if (heard->body_case == GM__ENVELOPE__BODY_GRANT_ANSWER) {
        assert_null(heard->grant_answer->error);
        w->key_count = heard->grant_answer->n_grants;
        for (size_t i = 0; i < w->key_count; i++) {
            (void)snprintf(w->keys[i], sizeof(w->keys[i]), "%s",
                           heard->grant_answer->grants[i]->key);
        }
    }
    gm__envelope__free_unpacked(heard, NULL);
}

static void step(struct world *w, const struct gm_event *event)
{
    struct gm_effects fx = {0};
    struct gm_err err = {.code = GM_OK};
    w->now += GM_MS / 100;
    if (gm_core_step(w->core, event, w->now, &fx, &err) < 0) {
        fail_msg("%s", err.text);
    }
    for (size_t i = 0; i < fx.row_count; i++) {
        w->largest_row = fx.rows[i].size > w->largest_row ? fx.rows[i].size : w->largest_row;
        w->rows_bytes += fx.rows[i].size;
    }
    for (size_t i = 0; i < fx.send_count; i++) {
        if (fx.sends[i].envelope != NULL) {
            take_send(w, fx.sends[i].envelope);
        }
    }
    w->publish = w->publish || fx.publish_count > 0;
    w->clean = w->clean || fx.cleanup_count > 0;
    gm_effects_fini(&fx);
}

static void say(struct world *w, Gm__Envelope *envelope)
{
    step(w, &(struct gm_event){.type = GM_EV_MESSAGE, .node_id = "n1", .envelope = envelope});
}

static void say_hello(struct world *w)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Device cpu = GM__DEVICE__INIT, *devices[] = {&cpu};
    Gm__Chain chain = GM__CHAIN__INIT, *chains[] = {&chain};
    chain.name = cpu.id = cpu.kind = (char *)"cpu";
    cpu.chains = chains;
    cpu.n_chains = 1;
    hello.node_id = (char *)"n1";
    hello.instance = 1;
    hello.protocol = GM_PROTOCOL_VERSION;
    hello.devices = devices;
    hello.n_devices = 1;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &hello;
    say(w, &envelope);
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Capacity room = GM__CAPACITY__INIT;
    room.slots = 16;
    room.cpu_milli = 64000;
    room.memory_bytes = room.scratch_bytes = UINT64_C(1) << 40;
    offer.device = (char *)"cpu";
    offer.usable = &room;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &offer;
    say(w, &envelope);
}

static void submit(struct world *w)
{
    static const struct {
        const char *name;
        int needs[3];
    } rows[] = {{"inspect", {-1}},   {"plan", {0, -1}},  {"split", {1, -1}},
                {"encode", {2, -1}}, {"audio", {2, -1}}, {"package", {3, 4, -1}}};
    Gm__PipelineTask tasks[6], *list[6];
    char *needs[6][2];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    for (size_t i = 0; i < 6; i++) {
        gm__pipeline_task__init(&tasks[i]);
        tasks[i].name = tasks[i].type = (char *)(uintptr_t)rows[i].name;
        tasks[i].needs = needs[i];
        for (size_t k = 0; rows[i].needs[k] >= 0; k++) {
            needs[i][tasks[i].n_needs++] = (char *)(uintptr_t)rows[rows[i].needs[k]].name;
        }
        list[i] = &tasks[i];
    }
    encode.codec = (char *)"h264";
    encode.bit_depth = 8;
    tasks[3].params_case = GM__PIPELINE_TASK__PARAMS_ENCODE;
    tasks[3].encode = &encode;
    pipeline.name = (char *)"long";
    pipeline.tasks = list;
    pipeline.n_tasks = 6;
    struct gm_submit s = {.job_id = "job",
                          .pipeline = &pipeline,
                          .source_url = "file:///in.mov",
                          .source_size = SOURCE,
                          .source_name = "in.mov",
                          .destination_url = "file:///out",
                          .priority = 50};
    step(w, &(struct gm_event){.type = GM_EV_SUBMIT, .submit = &s});
}

static void open_world(struct world *w, uint32_t chunks)
{
    struct gm_core_params params = {.term = 1, .lease_ms = 3600000, .stall_ms = 3600000};
    struct gm_err err;
    *w = (struct world){.now = GM_SEC, .chunks = chunks};
    w->keys = calloc(RUNGS, sizeof(*w->keys));
    assert_non_null(w->keys);
    assert_int_equal(gm_core_create(&params, &w->core, &err), 0);
    w->heap_before = heap();
    say_hello(w);
    submit(w);
}

static void close_world(struct world *w)
{
    gm_core_destroy(&w->core);
    free(w->keys);
}

/* A packed message, owned. */
static ProtobufCBinaryData pack(const ProtobufCMessage *m)
{
    ProtobufCBinaryData out = {protobuf_c_message_get_packed_size(m), NULL};
    out.data = malloc(out.len + 1);
    assert_non_null(out.data);
    protobuf_c_message_pack(m, out.data);
    return out;
}

static uint8_t hash[32];

/* Asks for `count` objects, and gives them to objects. */
static void get_objects(struct world *w, const struct work *work, Gm__ObjectStore store,
                        uint32_t index, Gm__Object *objects, Gm__Object **list, size_t count)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    Gm__GrantItem items[RUNGS], *item_list[RUNGS];
    char names[RUNGS][64];
    for (size_t i = 0; i < count; i++) {
        gm__grant_item__init(&items[i]);
        (void)snprintf(names[i], sizeof(names[i]), "%s/%zu/seg-%05u-0123456789ab.m4s",
                       strcmp(work->type, "encode") == 0  ? "video"
                       : strcmp(work->type, "split") == 0 ? "chunks"
                                                          : work->type,
                       i, index);
        items[i].store = store;
        items[i].name = names[i];
        items[i].size = 7000000;
        items[i].sha256 = (ProtobufCBinaryData){sizeof(hash), hash};
        item_list[i] = &items[i];
    }
    request.task_id = work->task_id;
    request.term = work->term;
    request.epoch = work->epoch;
    request.request = 1;
    request.items = item_list;
    request.n_items = count;
    envelope.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    envelope.grant_request = &request;
    w->key_count = 0;
    say(w, &envelope);
    assert_int_equal(w->key_count, count);
    for (size_t i = 0; i < count; i++) {
        gm__object__init(&objects[i]);
        objects[i].store = store;
        objects[i].key = w->keys[i];
        objects[i].size = 7000000;
        objects[i].sha256 = items[i].sha256;
        list[i] = &objects[i];
    }
}

static void say_item(struct world *w, const struct work *work, uint32_t stream, uint32_t index,
                     const ProtobufCMessage *meta, size_t count)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced produced = GM__PRODUCED__INIT;
    Gm__Item item = GM__ITEM__INIT;
    Gm__Object objects[RUNGS], *list[RUNGS];
    bool chunk = strcmp(work->type, "split") == 0;
    get_objects(w, work, chunk ? GM__OBJECT_STORE__STORE_WORK : GM__OBJECT_STORE__STORE_OUT, index,
                objects, list, count);
    item.stream = stream;
    item.index = index;
    item.last = index + 1 == w->chunks;
    item.meta = pack(meta);
    item.objects = list;
    item.n_objects = count;
    produced.task_id = work->task_id;
    produced.term = work->term;
    produced.epoch = work->epoch;
    produced.item = &item;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &produced;
    say(w, &envelope);
    free(item.meta.data);
}

static void say_done(struct world *w, const struct work *work, const ProtobufCMessage *meta)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Done done = GM__DONE__INIT;
    Gm__Expand audio = GM__EXPAND__INIT, *expand[] = {&audio};
    done.task_id = work->task_id;
    done.term = work->term;
    done.epoch = work->epoch;
    if (meta != NULL) {
        done.meta = pack(meta);
    }
    if (strcmp(work->type, "plan") == 0) {
        audio.task = (char *)"audio";
        audio.instances = 1;
        done.expand = expand;
        done.n_expand = 1;
        done.publication = (char *)"0123456789abcdef";
    }
    envelope.body_case = GM__ENVELOPE__BODY_DONE;
    envelope.done = &done;
    say(w, &envelope);
    free(done.meta.data);
}

static void do_inspect(struct world *w, const struct work *work)
{
    Gm__Inspection m = GM__INSPECTION__INIT;
    Gm__VideoFacts video = GM__VIDEO_FACTS__INIT;
    Gm__Rational rate = GM__RATIONAL__INIT;
    rate.num = FRAMES;
    rate.den = 1;
    video.frame_rate = &rate;
    video.width_px = 1920;
    video.height_px = 1080;
    m.duration_us = (int64_t)w->chunks * 1000000;
    m.video = &video;
    say_done(w, work, &m.base);
}

static void do_plan(struct world *w, const struct work *work)
{
    Gm__Policy m = GM__POLICY__INIT;
    Gm__Rendition rungs[RUNGS], *list[RUNGS];
    for (uint32_t i = 0; i < RUNGS; i++) {
        gm__rendition__init(&rungs[i]);
        rungs[i].width_px = 1920 >> i;
        rungs[i].height_px = 1080 >> i;
        list[i] = &rungs[i];
    }
    m.renditions = list;
    m.n_renditions = RUNGS;
    m.publication = (char *)"0123456789abcdef";
    m.estimated_frames = (int64_t)w->chunks * FRAMES;
    say_done(w, work, &m.base);
}

static void do_split(struct world *w, const struct work *work)
{
    Gm__SplitMeta m = GM__SPLIT_META__INIT;
    uint32_t items[] = {w->chunks, w->chunks};
    for (uint32_t i = 0; i < w->chunks; i++) {
        for (uint32_t stream = 0; stream < 2; stream++) {
            Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
            meta.frames = FRAMES;
            meta.preroll_frames = 2;
            meta.times_sha256 = (ProtobufCBinaryData){sizeof(hash), hash};
            say_item(w, work, stream, i, &meta.base, 1);
        }
    }
    m.items = items;
    m.n_items = 2;
    m.frames = (int64_t)w->chunks * FRAMES;
    say_done(w, work, &m.base);
}

static void fill_segment(Gm__SegmentMeta *segment, Gm__GopMeta *gop, Gm__GopMeta **gops,
                         char name[32], uint32_t index)
{
    gm__segment_meta__init(segment);
    gm__gop_meta__init(gop);
    (void)snprintf(name, 32, "seg-%05u-0123456789ab.m4s", index + 1);
    segment->number = index + 1;
    segment->name = name;
    segment->size = 7000000;
    segment->sha256 = (ProtobufCBinaryData){sizeof(hash), hash};
    segment->start_ts = (int64_t)index * 90000;
    segment->duration_ts = 90000;
    segment->samples = FRAMES;
    gop->offset = 24;
    gop->size = 6999976;
    gop->idr_size = 300000;
    gop->start_ts = segment->start_ts;
    gop->duration_ts = 90000;
    gops[0] = gop;
    segment->gops = gops;
    segment->n_gops = 1;
}

static void do_encode(struct world *w, const struct work *work)
{
    for (uint32_t i = work->first; i < work->first + work->inputs; i++) {
        Gm__EncodeItemMeta m = GM__ENCODE_ITEM_META__INIT;
        Gm__RenditionChunkMeta rungs[RUNGS], *list[RUNGS];
        Gm__SegmentMeta segments[RUNGS], *segment_list[RUNGS];
        Gm__GopMeta gops[RUNGS], *gop_list[RUNGS];
        char names[RUNGS][32];
        for (uint32_t r = 0; r < RUNGS; r++) {
            gm__rendition_chunk_meta__init(&rungs[r]);
            fill_segment(&segments[r], &gops[r], &gop_list[r], names[r], i);
            segment_list[r] = &segments[r];
            rungs[r].rendition = r;
            rungs[r].segments = &segment_list[r];
            rungs[r].n_segments = 1;
            list[r] = &rungs[r];
        }
        m.chunk = i;
        m.frames = FRAMES;
        m.renditions = list;
        m.n_renditions = RUNGS;
        m.decoder = m.scaler = (char *)"software";
        say_item(w, work, 0, i, &m.base, RUNGS);
    }
    Gm__EncodeMeta done = GM__ENCODE_META__INIT;
    done.frames = (uint64_t)work->inputs * FRAMES;
    say_done(w, work, &done.base);
}

static void do_audio(struct world *w, const struct work *work)
{
    for (uint32_t i = 0; i < work->inputs; i++) {
        Gm__AudioItemMeta m = GM__AUDIO_ITEM_META__INIT;
        Gm__SegmentMeta segment, *list[] = {&segment};
        Gm__GopMeta gop, *gops[1];
        char name[32];
        fill_segment(&segment, &gop, gops, name, i);
        segment.n_gops = 0;
        m.segments = list;
        m.n_segments = 1;
        say_item(w, work, 0, i, &m.base, 1);
    }
    say_done(w, work, NULL);
}

static void do_work(struct world *w, const struct work *work)
{
    static const struct {
        const char *type;
        void (*make)(struct world *w, const struct work *work);
    } rows[] = {{"inspect", do_inspect},
                {"plan", do_plan},
                {"split", do_split},
                {"encode", do_encode},
                {"audio", do_audio}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(work->type, rows[i].type) == 0) {
            rows[i].make(w, work);
            return;
        }
    }
    assert_string_equal(work->type, "package");
    w->packaged = work->inputs;
    w->heap_most = heap() - w->heap_before;
    say_done(w, work, NULL);
}

/* What has its inputs, in the order in which it came; the split first. */
static bool next_work(struct world *w, struct work *out)
{
    for (size_t i = 0; i < w->work_count; i++) {
        if (w->works[i].complete || strcmp(w->works[i].type, "split") == 0) {
            *out = w->works[i];
            memmove(&w->works[i], &w->works[i + 1], (--w->work_count - i) * sizeof(*out));
            return true;
        }
    }
    return false;
}

static void four_hours_in_chunks_of_a_second(void **state)
{
    struct world w;
    struct gm_err err;
    struct gm_job_view view;
    const char *asked = getenv("TEST_LONG_CHUNKS");
    (void)state;
    open_world(&w, asked != NULL ? (uint32_t)strtoul(asked, NULL, 10) : CHUNKS);
    for (uint32_t idle = 0; !w.publish && idle < 100; idle++) {
        struct work work;
        step(&w, &(struct gm_event){.type = GM_EV_TICK});
        while (next_work(&w, &work)) {
            do_work(&w, &work);
            idle = 0;
        }
    }
    assert_true(w.publish);
    assert_int_equal(w.packaged, 2 * w.chunks); /* each chunk's pictures, and sound */
    assert_int_equal(gm_core_check(w.core, &err), 0);
    assert_int_equal(gm_view_job(w.core, "job", &view, &err), 0);
    assert_int_equal(view.frames_done, (uint64_t)w.chunks * FRAMES);
    assert_int_equal(view.source_size, SOURCE);
    gm_view_job_fini(&view);
    print_message("%u chunks, %u segments: %.1f MB of the core's memory, %.1f MB of rows written, "
                  "largest row %zu bytes, largest message %.2f MB\n",
                  w.chunks, w.chunks * (RUNGS + 1), (double)w.heap_most / 1e6,
                  (double)w.rows_bytes / 1e6, w.largest_row, (double)w.largest_send / 1e6);
    assert_true(w.largest_row < 1u << 20);
    assert_true(w.largest_send < GM_ENVELOPE_MAX_BYTES / 2);
    close_world(&w);
}

static void more_pieces_than_there_may_be_fail_with_a_sentence(void **state)
{
    struct world w;
    struct work work = {0};
    struct gm_err err;
    struct gm_job_view view;
    Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
    (void)state;
    open_world(&w, CHUNKS);
    for (uint32_t idle = 0; strcmp(work.type, "split") != 0 && idle < 100; idle++) {
        step(&w, &(struct gm_event){.type = GM_EV_TICK});
        if (next_work(&w, &work) && strcmp(work.type, "split") != 0) {
            do_work(&w, &work);
        }
    }
    say_item(&w, &work, 0, GM_CORE_MAX_ITEMS, &meta.base, 1);
    assert_int_equal(gm_view_job(w.core, "job", &view, &err), 0);
    assert_int_equal(view.error.code, GM_E_LIMIT);
    assert_non_null(strstr(view.error.text, "more than 262144 pieces"));
    gm_view_job_fini(&view);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_pieces_than_there_may_be_fail_with_a_sentence),
        cmocka_unit_test(four_hours_in_chunks_of_a_second),
    };
    return cmocka_run_group_tests_name("scheduler/core/long", tests, NULL, NULL);
}
