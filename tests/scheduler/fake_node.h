#ifndef GM_TESTS_SCHEDULER_FAKE_NODE_H
#define GM_TESTS_SCHEDULER_FAKE_NODE_H

/* A node that a test plays over the real socket: it takes every task, stores what a worker would
 * have made, and stops or fails where it is told to. */
#include "tests/scheduler/farm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <zmq.h>

#include "common/hash.h"
#include "common/time.h"
#include "proto/batch.h"
#include "storage/store.h"

#define EARLY_MAX 64
#define PUBLICATION "0123456789abcdef"
#define SEGMENT "v/" PUBLICATION "/video/360p/seg-00001-a.m4s"
/* What is planned for the fake GPU. */
#define GPU_PUBLICATION "ffff456789abcdef"
#define GPU_SEGMENT "v/" GPU_PUBLICATION "/video/360p/seg-00001-a.m4s"

struct node {
    void *context;
    void *socket;
    struct gm_grant_key key;
    uint64_t seq;
    uint64_t request;
    const char *stop_at; /* task type at which it stops answering */
    const char *fail_at; /* task type that it fails */
    const char *lost;    /* its first try of a segment leaves a file of this name and is lost */
    const char *segment; /* name of its segment; NULL: as in SEGMENT */
    const char *master;  /* what is published as master.m3u8; NULL: "master" */
    enum gm_code fail_code;
    bool gpu;                 /* it offers a fake GPU, which fails what it encodes */
    uint8_t *ballast;         /* borrowed: 16 MiB that inspect and plan put into their results */
    const Gm__Assign *assign; /* being worked on */
    size_t source_reads;
    bool alone;                     /* an older node, which reads no batches */
    zmq_msg_t message;              /* owned; the last that came */
    struct gm_batch_reader reader;  /* of what is left of it */
    Gm__Envelope *early[EARLY_MAX]; /* owned: came before they were wanted */
    size_t early_count;
};

static inline void node_send(struct node *n, Gm__Envelope *env)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    ASSERT_OK(gm_envelope_encode(env, &bytes, &size, &err));
    assert_int_equal(zmq_send(n->socket, bytes, size, 0), size);
    free(bytes);
}

static inline Gm__Envelope *node_receive(struct node *n)
{
    Gm__Envelope *env = NULL;
    struct gm_err err = {0};
    const void *data = NULL;
    size_t size = 0;
    if (!gm_batch_next(&n->reader, &data, &size)) {
        if (zmq_msg_recv(&n->message, n->socket, 0) < 0) {
            fail_msg("no message came: %s", zmq_strerror(zmq_errno()));
        }
        ASSERT_OK(
            gm_batch_open(zmq_msg_data(&n->message), zmq_msg_size(&n->message), &n->reader, &err));
        assert_true(n->reader.lone || !n->alone);
        assert_true(gm_batch_next(&n->reader, &data, &size));
    }
    ASSERT_OK(gm_envelope_decode(data, size, &env, &err));
    return env;
}

/* The next message of that kind; others wait for their turn (an assignment may overtake the
 * acknowledgement that made it possible). Owned. */
static inline Gm__Envelope *node_wait(struct node *n, int body_case)
{
    for (size_t i = 0; i < n->early_count; i++) {
        Gm__Envelope *env = n->early[i];
        if ((int)env->body_case == body_case) {
            n->early[i] = n->early[--n->early_count];
            return env;
        }
    }
    for (;;) {
        Gm__Envelope *env = node_receive(n);
        if ((int)env->body_case == body_case) {
            return env;
        }
        assert_true(n->early_count < EARLY_MAX);
        n->early[n->early_count++] = env;
    }
}

static inline void node_open(struct node *n, const struct farm *f)
{
    int patience = PATIENCE_S * 1000;
    int linger = 0;
    char path[512];
    struct gm_err err = {0};
    *n = (struct node){.context = zmq_ctx_new()};
    (void)zmq_msg_init(&n->message);
    path_in(path, f->folder, "grant.key");
    ASSERT_OK(gm_grant_key_load(path, &n->key, &err));
    n->socket = zmq_socket(n->context, ZMQ_DEALER);
    assert_non_null(n->socket);
    (void)zmq_setsockopt(n->socket, ZMQ_ROUTING_ID, "node-1", 6);
    (void)zmq_setsockopt(n->socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    (void)zmq_setsockopt(n->socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(n->socket, f->wire), 0);
}

static inline bool node_is_on_gpu(const struct node *n)
{
    return strcmp(n->assign->device, "gpu") == 0;
}

static inline void node_offer(struct node *n, const Gm__Device *device)
{
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    offer.device = device->id;
    offer.usable = device->capacity;
    env.body_case = GM__ENVELOPE__BODY_OFFER;
    env.offer = &offer;
    node_send(n, &env);
}

static inline void node_hello(struct node *n)
{
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Device device = GM__DEVICE__INIT, gpu = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&device, &gpu};
    Gm__Chain chain = GM__CHAIN__INIT;
    Gm__Chain *chains[] = {&chain};
    char *codecs[] = {(char *)(uintptr_t) "h264"};
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    capacity.cpu_milli = 4000;
    capacity.memory_bytes = (uint64_t)8 << 30;
    capacity.scratch_bytes = (uint64_t)8 << 30;
    capacity.slots = 4;
    device.id = device.kind = (char *)(uintptr_t) "cpu";
    device.capacity = &capacity;
    chain.name = (char *)(uintptr_t) "nvenc";
    chain.fingerprint = gpu.kind = (char *)(uintptr_t) "fake";
    chain.codecs = codecs;
    chain.n_codecs = 1;
    gpu.id = (char *)(uintptr_t) "gpu";
    gpu.capacity = &capacity;
    gpu.chains = chains;
    gpu.n_chains = 1;
    hello.node_id = (char *)(uintptr_t) "node-1";
    hello.instance = (uint64_t)getpid();
    hello.protocol = GM_PROTOCOL_VERSION;
    hello.build = hello.hostname = (char *)(uintptr_t) "test";
    hello.devices = devices;
    hello.n_devices = n->gpu ? 2 : 1;
    hello.batches = !n->alone;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    node_send(n, &env);
    gm__envelope__free_unpacked(node_wait(n, GM__ENVELOPE__BODY_WELCOME), NULL);
    for (size_t i = hello.n_devices; i > 0; i--) { /* the GPU before work can be given out */
        node_offer(n, devices[i - 1]);
    }
}

/* The heartbeat of a node without leases. */
static inline void node_renew(struct node *n)
{
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_RENEW;
    env.renew = &renew;
    node_send(n, &env);
}

static inline void node_close(struct node *n)
{
    while (n->early_count > 0) {
        gm__envelope__free_unpacked(n->early[--n->early_count], NULL);
    }
    (void)zmq_msg_close(&n->message);
    (void)zmq_close(n->socket);
    (void)zmq_ctx_term(n->context);
}

/* Reads what a grant names; size bytes expected. */
static inline void node_read(struct node *n, const char *url, size_t size)
{
    int fd = -1;
    uint64_t found = 0;
    struct gm_err err = {0};
    ASSERT_OK(gm_grant_open(url, &n->key, gm_time_unix_ms(), &fd, &found, &err));
    assert_int_equal(found, size);
    (void)close(fd);
}

/* Asks for a grant, stores text with it, and fills *object (key owned). */
static inline void node_store(struct node *n, Gm__ObjectStore store, const char *name,
                              const char *text, Gm__Object *object, uint8_t sha256[32])
{
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    Gm__GrantItem *items[] = {&item};
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    struct gm_err err = {0};
    size_t size = strlen(text);
    gm_sha256(text, size, sha256);
    item.store = store;
    item.name = (char *)(uintptr_t)name;
    item.size = size;
    item.sha256 = (ProtobufCBinaryData){.len = 32, .data = sha256};
    request.task_id = n->assign->task_id;
    request.term = n->assign->term;
    request.epoch = n->assign->epoch;
    request.request = ++n->request;
    request.items = items;
    request.n_items = 1;
    env.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    env.grant_request = &request;
    node_send(n, &env);
    Gm__Envelope *answer = node_wait(n, GM__ENVELOPE__BODY_GRANT_ANSWER);
    if (answer->grant_answer->error != NULL) {
        fail_msg("grant: %s", answer->grant_answer->error->text);
    }
    assert_int_equal(answer->grant_answer->request, n->request);
    assert_int_equal(answer->grant_answer->n_grants, 1);
    int fd = memfd_create("body", MFD_CLOEXEC);
    assert_true(fd >= 0);
    ASSERT_OK(gm_fs_write_all(fd, text, size, &err));
    ASSERT_OK(gm_grant_put(answer->grant_answer->grants[0]->url, &n->key, gm_time_unix_ms(), fd,
                           NULL, &err));
    (void)close(fd);
    gm__object__init(object);
    object->store = store;
    object->key = strdup(answer->grant_answer->grants[0]->key);
    object->size = size;
    object->sha256 = (ProtobufCBinaryData){.len = 32, .data = sha256};
    gm__envelope__free_unpacked(answer, NULL);
}

static inline ProtobufCBinaryData pack(const ProtobufCMessage *message)
{
    struct gm_err err = {0};
    ProtobufCBinaryData out = {0};
    ASSERT_OK(gm_message_encode(message, &out.data, &out.len, &err));
    return out;
}

static inline void node_ack(struct node *n, uint64_t seq)
{
    Gm__Envelope *ack = node_wait(n, GM__ENVELOPE__BODY_ACK);
    assert_int_equal(ack->ack->seq, seq);
    assert_false(ack->ack->stale);
    gm__envelope__free_unpacked(ack, NULL);
}

static inline void node_produce(struct node *n, uint32_t stream, uint32_t index, Gm__Object *object,
                                const ProtobufCMessage *meta)
{
    Gm__Item item = GM__ITEM__INIT;
    Gm__Produced produced = GM__PRODUCED__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Object *objects[] = {object};
    item.stream = stream;
    item.index = index;
    item.objects = objects;
    item.n_objects = 1;
    item.meta = pack(meta);
    item.last = true;
    produced.task_id = n->assign->task_id;
    produced.term = n->assign->term;
    produced.epoch = n->assign->epoch;
    produced.item = &item;
    env.seq = ++n->seq;
    env.body_case = GM__ENVELOPE__BODY_PRODUCED;
    env.produced = &produced;
    node_send(n, &env);
    node_ack(n, env.seq);
    free(item.meta.data);
    free(object->key);
}

static inline void node_done(struct node *n, const ProtobufCMessage *meta, bool plan)
{
    Gm__Usage usage = GM__USAGE__INIT;
    Gm__Done done = GM__DONE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    usage.cpu_us = 500000;
    usage.bytes_out = 10;
    done.task_id = n->assign->task_id;
    done.term = n->assign->term;
    done.epoch = n->assign->epoch;
    done.meta = pack(meta);
    done.usage = &usage;
    if (plan) {
        done.publication = (char *)(uintptr_t)(node_is_on_gpu(n) ? GPU_PUBLICATION : PUBLICATION);
    }
    env.seq = ++n->seq;
    env.body_case = GM__ENVELOPE__BODY_DONE;
    env.done = &done;
    node_send(n, &env);
    node_ack(n, env.seq);
    free(done.meta.data);
}

static inline void node_fail(struct node *n, enum gm_code code)
{
    Gm__Error error = GM__ERROR__INIT;
    Gm__Failed failed = GM__FAILED__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    error.code = code;
    error.text = (char *)(uintptr_t) "made to fail";
    failed.task_id = n->assign->task_id;
    failed.term = n->assign->term;
    failed.epoch = n->assign->epoch;
    failed.error = &error;
    failed.chunk = -1;
    env.seq = ++n->seq;
    env.body_case = GM__ENVELOPE__BODY_FAILED;
    env.failed = &failed;
    node_send(n, &env);
    node_ack(n, env.seq);
}

/* Results have 16 MiB at most; some room for the rest. */
#define BALLAST ((16u << 20) - 200)

static inline void do_inspect(struct node *n)
{
    Gm__Rational rate = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 25, 1};
    Gm__VideoFacts video = GM__VIDEO_FACTS__INIT;
    Gm__Inspection in = GM__INSPECTION__INIT;
    Gm__Warning warning = GM__WARNING__INIT;
    Gm__Warning *warnings[] = {&warning};
    assert_non_null(n->assign->spec->source);
    node_read(n, n->assign->spec->source->url, 17);
    n->source_reads++;
    video.codec = (char *)(uintptr_t) "h264";
    video.width_px = 640;
    video.height_px = 360;
    video.frame_rate = &rate;
    in.format = (char *)(uintptr_t) "mp4";
    in.video = &video;
    in.duration_us = 6000000;
    warning.code = (char *)(uintptr_t) "input.odd";
    warning.text = (char *)(uintptr_t) "bad bytes \xff here";
    warning.count = 2;
    in.warnings = warnings;
    in.n_warnings = 1;
    in.fingerprint = (ProtobufCBinaryData){n->ballast != NULL ? BALLAST : 0, n->ballast};
    node_done(n, &in.base, false);
}

static inline void do_plan(struct node *n)
{
    Gm__Rational rate = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 25, 1};
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__Rendition *renditions[] = {&rendition};
    Gm__Policy policy = GM__POLICY__INIT;
    rendition.name = (char *)(uintptr_t) "360p";
    rendition.width_px = 640;
    rendition.height_px = 360;
    policy.publication = (char *)(uintptr_t)PUBLICATION;
    policy.timescale_rate = &rate;
    policy.timescale = 12800;
    policy.gop_frames = 50;
    policy.segment_gops = 3;
    policy.chunk_segments = 2;
    policy.renditions = renditions;
    policy.n_renditions = 1;
    policy.chunk_segments = 1;
    policy.estimated_frames = 150;
    policy.estimated_duration_us = 6000000;
    rendition.extradata = (ProtobufCBinaryData){n->ballast != NULL ? BALLAST : 0, n->ballast};
    node_done(n, &policy.base, true);
}

static inline void do_split(struct node *n)
{
    uint8_t sha256[32];
    Gm__Object object;
    Gm__SplitItemMeta item = GM__SPLIT_ITEM_META__INIT;
    Gm__SplitMeta split = GM__SPLIT_META__INIT;
    uint32_t counts[] = {1};
    node_store(n, GM__OBJECT_STORE__STORE_WORK, "chunks/0.gmck", "a chunk", &object, sha256);
    item.frames = 150;
    split.items = counts;
    split.n_items = 1;
    node_produce(n, 0, 0, &object, &item.base);
    node_done(n, &split.base, false);
}

static inline void do_encode(struct node *n)
{
    uint8_t sha256[32];
    Gm__Object object;
    Gm__SegmentMeta segment = GM__SEGMENT_META__INIT;
    Gm__SegmentMeta *segments[] = {&segment};
    Gm__RenditionChunkMeta chunk = GM__RENDITION_CHUNK_META__INIT;
    Gm__RenditionChunkMeta *chunks[] = {&chunk};
    Gm__EncodeItemMeta item = GM__ENCODE_ITEM_META__INIT;
    Gm__EncodeMeta encode = GM__ENCODE_META__INIT;
    assert_int_equal(n->assign->spec->n_inputs, 1);
    node_read(n, n->assign->spec->inputs[0]->item->objects[0]->url, 7);
    if (n->lost != NULL) {
        node_store(n, GM__OBJECT_STORE__STORE_OUT, n->lost, "another", &object, sha256);
        free(object.key);
        n->lost = NULL;
        node_fail(n, GM_E_WORKER_DIED);
        return;
    }
    node_store(n, GM__OBJECT_STORE__STORE_OUT,
               n->segment != NULL ? n->segment : "video/360p/seg-00001-a.m4s", "a segment", &object,
               sha256);
    if (n->segment == NULL) {
        assert_string_equal(object.key, node_is_on_gpu(n) ? GPU_SEGMENT : SEGMENT);
    }
    if (node_is_on_gpu(n)) {
        free(object.key);
        node_fail(n, GM_E_PIPELINE_UNFIT);
        return;
    }
    segment.number = 1;
    segment.size = 9;
    segment.duration_ts = 76800;
    chunk.segments = segments;
    chunk.n_segments = 1;
    item.frames = 150;
    item.frames_replaced = 3;
    item.decode_errors = 5;
    item.captions_dropped = 7;
    item.renditions = chunks;
    item.n_renditions = 1;
    node_produce(n, 0, 0, &object, &item.base);
    if (n->stop_at != NULL && strcmp(n->stop_at, "after encode") == 0) {
        return;
    }
    node_done(n, &encode.base, false);
}

static inline void do_package(struct node *n)
{
    Gm__PackageMeta package = GM__PACKAGE_META__INIT;
    const char *master = n->master != NULL ? n->master : "master";
    package.master_m3u8 =
        (ProtobufCBinaryData){.len = strlen(master), .data = (uint8_t *)(uintptr_t)master};
    package.manifest_mpd =
        (ProtobufCBinaryData){.len = 8, .data = (uint8_t *)(uintptr_t) "manifest"};
    assert_int_equal(n->assign->spec->n_inputs, 1);
    node_read(n, n->assign->spec->inputs[0]->item->objects[0]->url, 9);
    node_done(n, &package.base, false);
}

/* Works until the job needs nothing more, or until stop_at. */
static inline void node_work(struct node *n, int tasks)
{
    static const struct {
        const char *type;
        void (*run)(struct node *n);
    } table[] = {{"inspect", do_inspect},
                 {"plan", do_plan},
                 {"split", do_split},
                 {"encode", do_encode},
                 {"package", do_package}};
    for (int done = 0; done < tasks; done++) {
        Gm__Envelope *env = node_wait(n, GM__ENVELOPE__BODY_ASSIGN);
        const char *type = env->assign->spec->type;
        bool stop = n->stop_at != NULL && strcmp(n->stop_at, type) == 0;
        n->assign = env->assign;
        if (n->fail_at != NULL && strcmp(n->fail_at, type) == 0) {
            node_fail(n, n->fail_code);
        } else {
            for (size_t i = 0; !stop && i < sizeof table / sizeof table[0]; i++) {
                if (strcmp(table[i].type, type) == 0) {
                    table[i].run(n);
                }
            }
        }
        gm__envelope__free_unpacked(env, NULL);
        if (stop) {
            return;
        }
    }
}

#endif
