#ifndef GM_TESTS_PROTO_SAMPLES_H
#define GM_TESTS_PROTO_SAMPLES_H

/* Sound messages that the tests bend. Built on static storage: one thread, one at a time. */
#include <string.h>

#include "proto/chunk.h"
#include "proto/envelope.h"

static uint8_t sample_hash[32] = {1, 2, 3, 4};

static inline Gm__Object *sample_object(void)
{
    static Gm__Object o;
    gm__object__init(&o);
    o.store = GM__OBJECT_STORE__STORE_WORK;
    o.key = "j1/split/chunk-0.gmck";
    o.size = 1234;
    o.sha256.data = sample_hash;
    o.sha256.len = sizeof(sample_hash);
    return &o;
}

static inline Gm__Item *sample_item(void)
{
    static Gm__Item item;
    static Gm__Object *objects[1];
    static uint8_t meta[3] = {8, 1, 16};
    gm__item__init(&item);
    objects[0] = sample_object();
    item.n_objects = 1;
    item.objects = objects;
    item.meta.data = meta;
    item.meta.len = 2;
    item.last = 1;
    return &item;
}

static inline Gm__Envelope *sample_assign(void)
{
    static Gm__Envelope env;
    static Gm__Assign assign;
    static Gm__Capacity demand;
    static Gm__TaskSpec spec;
    static Gm__TaskInput input, *inputs[1];
    static Gm__Pipeline pipeline;
    static Gm__PipelineTask task, *tasks[1];
    static Gm__EncodeParams encode;
    static Gm__SkipItems skip, *skips[1];
    gm__envelope__init(&env);
    gm__assign__init(&assign);
    gm__capacity__init(&demand);
    gm__task_spec__init(&spec);
    gm__task_input__init(&input);
    gm__pipeline__init(&pipeline);
    gm__pipeline_task__init(&task);
    gm__encode_params__init(&encode);
    gm__skip_items__init(&skip);
    encode.codec = "h264";
    encode.crf = 21;
    encode.qp = -1;
    encode.maxrate_scale = 1.0;
    task.name = "video";
    task.type = "encode";
    task.params_case = GM__PIPELINE_TASK__PARAMS_ENCODE;
    task.encode = &encode;
    tasks[0] = &task;
    pipeline.name = "vod";
    pipeline.n_tasks = 1;
    pipeline.tasks = tasks;
    skip.count = 3;
    skips[0] = &skip;
    input.task = "split";
    input.item = sample_item();
    inputs[0] = &input;
    spec.type = "encode";
    spec.job_id = "01hx";
    spec.task = "video";
    spec.pipeline = &pipeline;
    spec.n_inputs = 1;
    spec.inputs = inputs;
    spec.n_skip = 1;
    spec.skip = skips;
    assign.task_id = 7;
    assign.term = 2;
    assign.epoch = 9;
    assign.device = "cpu";
    assign.demand = &demand;
    demand.cpu_milli = 1000;
    assign.spec = &spec;
    env.body_case = GM__ENVELOPE__BODY_ASSIGN;
    env.assign = &assign;
    return &env;
}

static inline Gm__Envelope *sample_hello(void)
{
    static Gm__Envelope env;
    static Gm__Hello hello;
    static Gm__Device device, *devices[1];
    static Gm__Capacity capacity;
    static char *notes[1] = {"no landlock"};
    static Gm__Measured measured;
    static Gm__Rate rate, *rates[1];
    gm__envelope__init(&env);
    gm__hello__init(&hello);
    gm__device__init(&device);
    gm__capacity__init(&capacity);
    capacity.slots = 4;
    device.id = "cpu";
    device.kind = "cpu";
    device.capacity = &capacity;
    gm__measured__init(&measured);
    gm__rate__init(&rate);
    rate.what = "encode";
    rate.api = "software";
    rate.codec = "h264";
    rate.depth = 8;
    rate.height = 1080;
    rate.one = 60000000;
    rate.all = 200000000;
    rate.streams = 4;
    rates[0] = &rate;
    measured.unix_ms = 1763000000000;
    measured.n_rates = 1;
    measured.rates = rates;
    device.measured = &measured;
    devices[0] = &device;
    hello.node_id = "node-1";
    hello.instance = 77;
    hello.protocol = GM_PROTOCOL_VERSION;
    hello.n_devices = 1;
    hello.devices = devices;
    hello.n_notes = 1;
    hello.notes = notes;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    return &env;
}

static inline Gm__Envelope *sample_produced(void)
{
    static Gm__Envelope env;
    static Gm__Produced produced;
    gm__envelope__init(&env);
    gm__produced__init(&produced);
    env.seq = 5;
    produced.task_id = 7;
    produced.item = sample_item();
    env.body_case = GM__ENVELOPE__BODY_PRODUCED;
    env.produced = &produced;
    return &env;
}

static inline Gm__WorkerMessage *sample_worker_done(void)
{
    static Gm__WorkerMessage msg;
    static Gm__WDone done;
    static Gm__WFile file, *files[1];
    gm__worker_message__init(&msg);
    gm__wdone__init(&done);
    gm__wfile__init(&file);
    file.name = "seg-00001.m4s";
    file.store = GM__OBJECT_STORE__STORE_OUT;
    file.path = "video/720p/seg-00001.m4s";
    files[0] = &file;
    done.meta_file = "meta";
    done.n_files = 1;
    done.files = files;
    done.publication = "0123456789abcdef";
    msg.body_case = GM__WORKER_MESSAGE__BODY_DONE;
    msg.done = &done;
    return &msg;
}

/* A chunk with every kind of record, written to fd. 0 or a negative code. */
static inline int sample_chunk(int fd, struct gm_err *err)
{
    static Gm__ChunkHeader header;
    static Gm__Rational time_base;
    static Gm__FrameEntry frame[2], *frames[2] = {&frame[0], &frame[1]};
    static Gm__SegmentEntry segment, *segments[1] = {&segment};
    static const struct gm_chunk_side side = {3, 5, (const uint8_t *)"sides"};
    static const struct gm_chunk_packet inline_packet = {.id = 10,
                                                         .pts = -3,
                                                         .dts = GM_CHUNK_NO_TS,
                                                         .duration = 512,
                                                         .flags = 1,
                                                         .sides = 1,
                                                         .side = &side,
                                                         .size = 6,
                                                         .data = (const uint8_t *)"packet"};
    static const struct gm_chunk_packet reference = {
        .id = 11, .pts = 4, .dts = 3, .by_reference = true, .offset = 1ull << 33, .size = 99};
    struct gm_chunk_writer *w = NULL;
    gm__chunk_header__init(&header);
    gm__rational__init(&time_base);
    gm__segment_entry__init(&segment);
    for (int i = 0; i < 2; i++) {
        gm__frame_entry__init(&frame[i]);
        frame[i].packet_id = 10 + (uint64_t)i;
        frame[i].out_ts = 512 * i;
    }
    time_base.num = 1;
    time_base.den = 12800;
    segment.number = 1;
    header.version = 1;
    header.codec = "h264";
    header.time_base = &time_base;
    header.n_frames = 2;
    header.frames = frames;
    header.n_segments = 1;
    header.segments = segments;
    header.end_ts = 1024;
    header.by_reference = 1;
    int rc = gm_chunk_writer_open(fd, &header, &w, err);
    if (rc == 0) {
        rc = gm_chunk_write_packet(w, &inline_packet, err);
    }
    if (rc == 0) {
        rc = gm_chunk_write_change(w, "codecpar", 8, err);
    }
    if (rc == 0) {
        rc = gm_chunk_write_packet(w, &reference, err);
    }
    if (rc == 0) {
        rc = gm_chunk_writer_finish(w, err);
    }
    gm_chunk_writer_close(&w);
    return rc;
}

#endif
