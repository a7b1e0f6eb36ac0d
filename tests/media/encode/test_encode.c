#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "media/av.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/encode/vbv.h"
#include "media/folder_io.h"
#include "media/picture/graph.h"

/* The chain inspect .. encode over a clip of 16 s, made once: 400 frames of 25 a second, keyframes
 * every 40 frames, B-frames; so 3 chunks of 6, 6 and 4 seconds. */
#define FRAMES 400
#define CHUNKS 3

static int make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=40", FRAMES);
    return 0;
}

static struct folder_io *prepare(const Gm__Pipeline *pipeline)
{
    static const char *const tasks[] = {"inspect", "plan", "split"};
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    int64_t chunk;
    int rc = folder_io_create(clip_source()->path, pipeline, &f, &err);
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        struct folder_run r = {.task = tasks[i]};
        rc = folder_io_run(f, &r, &chunk, &err);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return f;
}

static int encode(struct folder_io *f, uint32_t first, uint32_t chunks, int64_t *out_chunk,
                  struct gm_err *err)
{
    struct folder_run r = {.task = "encode", .first_chunk = first, .chunks = chunks};
    return folder_io_run(f, &r, out_chunk, err);
}

static Gm__EncodeItemMeta *meta_of(const struct folder_io *f, uint32_t index)
{
    const Gm__Item *item = folder_io_item(f, "encode", 0, 0, index);
    assert_non_null(item);
    Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
    assert_non_null(m);
    return m;
}

/* Names hold hashes: they stand for the bytes. */
static void hash_items(const struct folder_io *f, struct gm_sha256 *h)
{
    for (uint32_t i = 0; i < folder_io_items(f, "encode", 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        for (size_t k = 0; k < item->n_objects; k++) {
            gm_sha256_update(h, item->objects[k]->sha256.data, item->objects[k]->sha256.len);
        }
        gm_sha256_update(h, item->meta.data, item->meta.len);
    }
}

static void hash_chain(struct gm_sha256 *h, void *arg)
{
    uint32_t run = *(const uint32_t *)arg;
    struct folder_pipeline params = {.thumbnails = true, .preset = "veryfast"};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    int64_t chunk;
    for (uint32_t i = 0; i < CHUNKS; i += run) {
        if (encode(f, i, run, &chunk, NULL) < 0) {
            abort();
        }
    }
    hash_items(f, h);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void bytes_depend_on_no_run_and_no_vectors(void **state)
{
    (void)state;
    uint32_t runs[] = {1, 2, 3};
    uint8_t first[32];
    uint8_t other[32];
    child_hash(NULL, hash_chain, &runs[0], first);
    child_hash(NULL, hash_chain, &runs[1], other);
    assert_memory_equal(first, other, 32);
    child_hash(NULL, hash_chain, &runs[2], other);
    assert_memory_equal(first, other, 32);
    child_hash("none", hash_chain, &runs[2], other);
    assert_memory_equal(first, other, 32);
    child_hash("mmx+mmxext+sse+sse2", hash_chain, &runs[0], other);
    assert_memory_equal(first, other, 32);
}

static void check_segments(const Gm__RenditionChunkMeta *r, uint32_t *number, int64_t *at)
{
    for (size_t s = 0; s < r->n_segments; s++) {
        const Gm__SegmentMeta *m = r->segments[s];
        char hex[13];
        char name[64];
        assert_int_equal(m->number, ++*number);
        assert_int_equal(m->start_ts, *at);
        assert_int_equal(m->sha256.len, 32);
        (void)snprintf(name, sizeof name, "seg-%05u-%s.m4s", m->number,
                       gm_hex(m->sha256.data, 6, hex));
        assert_string_equal(m->name, name);
        int64_t gop_at = *at;
        uint64_t end = 0;
        for (size_t g = 0; g < m->n_gops; g++) {
            assert_int_equal(m->gops[g]->start_ts, gop_at);
            assert_true(m->gops[g]->idr_size > 0 && m->gops[g]->idr_size <= m->gops[g]->size);
            assert_true(g == 0 || m->gops[g]->offset == end);
            end = m->gops[g]->offset + m->gops[g]->size;
            gop_at += m->gops[g]->duration_ts;
        }
        assert_int_equal(end, m->size);
        assert_int_equal(gop_at, m->start_ts + m->duration_ts);
        *at += m->duration_ts;
    }
}

static void metas_describe_every_segment(void **state)
{
    (void)state;
    struct folder_pipeline params = {0};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    struct gm_err err;
    int64_t chunk;
    uint32_t number = 0;
    uint32_t frames = 0;
    int64_t at = 0;
    assert_int_equal(encode(f, 0, 0, &chunk, &err), 0);
    assert_int_equal(folder_io_items(f, "encode", 0, 0), CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        Gm__EncodeItemMeta *m = meta_of(f, i);
        assert_int_equal(m->chunk, i);
        assert_int_equal(m->frames_replaced + m->frames_discarded + m->decode_errors, 0);
        assert_int_equal(m->n_renditions, 1);
        assert_int_equal(folder_io_item(f, "encode", 0, 0, i)->last, i == CHUNKS - 1);
        check_segments(m->renditions[0], &number, &at);
        frames += m->frames;
        gm__encode_item_meta__free_unpacked(m, NULL);
        assert_int_equal(folder_io_verify(f, "encode", 0, 0, i, &err), 0);
    }
    assert_int_equal(frames, FRAMES);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static Gm__Policy *policy_of(const struct folder_io *f)
{
    const Gm__TaskResult *r = folder_io_result(f, "plan", 0);
    return gm__policy__unpack(NULL, r->meta.len, r->meta.data);
}

/* Init segment and all segments in one file. */
static void join(const struct folder_io *f, const Gm__Policy *policy, const char *path)
{
    struct gm_buf all = {0};
    struct gm_err err;
    gm_buf_add(&all, policy->renditions[0]->init_segment.data,
               policy->renditions[0]->init_segment.len);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        for (size_t k = 0; k < item->n_objects; k++) {
            char from[4096];
            uint8_t *data = NULL;
            size_t size = 0;
            folder_io_path(f, item->objects[k], from);
            assert_int_equal(gm_fs_read(from, 1 << 28, &data, &size, &err), 0);
            gm_buf_add(&all, data, size);
            free(data);
        }
    }
    assert_int_equal(gm_fs_write_atomic(path, all.data, all.size, &err), 0);
    gm_buf_fini(&all);
}

/* Hashes of the source's frames after the rendition's filters. */
static void filter_source(const Gm__Rendition *r, uint8_t (*out)[32])
{
    struct gm_graph_output o = {.filters = r->filters,
                                .width_px = r->width_px,
                                .height_px = r->height_px,
                                .format = AV_PIX_FMT_YUV420P};
    struct gm_graph *graph = NULL;
    struct gm_err err;
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    size_t n = 0;
    assert_int_equal(gm_graph_create(&o, 1, 12800, &graph, &err), 0);
    const struct clip *source = clip_source()->clip;
    assert_int_equal(gm_decoder_open(source->par, source->time_base, &ctx, &err), 0);
    for (size_t i = 0; i <= source->packet_count; i++) {
        (void)avcodec_send_packet(ctx, i < source->packet_count ? source->packets[i] : NULL);
        while (avcodec_receive_frame(ctx, frame) >= 0) {
            assert_true(n < FRAMES);
            assert_int_equal(gm_graph_push(graph, frame, (int64_t)n, &err), 0);
            clip_hash(gm_graph_get(graph, 0), out[n++]);
            av_frame_unref(frame);
        }
    }
    assert_int_equal(n, FRAMES);
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
    gm_graph_destroy(&graph);
}

static void lossless_output_is_the_filtered_source(void **state)
{
    (void)state;
    struct folder_pipeline params = {.qp_plus_1 = 1};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    struct gm_err err;
    int64_t chunk;
    char path[4096 + 16];
    assert_int_equal(encode(f, 0, 0, &chunk, &err), 0);
    Gm__Policy *policy = policy_of(f);
    (void)snprintf(path, sizeof path, "%s/joined.mp4", folder_io_dir(f));
    join(f, policy, path);
    struct clip *joined = clip_load(path);
    uint8_t(*want)[32] = calloc(FRAMES, 32);
    filter_source(policy->renditions[0], want);
    assert_int_equal(joined->frame_count, FRAMES);
    for (size_t i = 0; i < FRAMES; i++) {
        assert_memory_equal(joined->frames[i].sha256, want[i], 32);
    }
    free(want);
    clip_free(&joined);
    gm__policy__free_unpacked(policy, NULL);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static struct folder_io *prepare_capped(Gm__Pipeline *pipeline, int64_t maxrate_bps,
                                        double buffer_s)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        if (pipeline->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            pipeline->tasks[i]->encode->maxrate_bps = maxrate_bps;
            pipeline->tasks[i]->encode->buffer_s = buffer_s;
        }
    }
    return prepare(pipeline);
}

#define CAP_BPS 400000
/* A buffer so small that libx264 misses it: the chunk is made again until it fits, the same way
 * whatever the run, and verify, which computes it from the files, agrees. */
static void what_does_not_fit_the_buffer_is_made_again(void **state)
{
    (void)state;
    struct folder_pipeline params = {.preset = "ultrafast"};
    uint8_t sums[2][32];
    for (uint32_t runs = 1; runs <= 2; runs++) {
        Gm__Pipeline *pipeline = folder_pipeline(&params);
        struct folder_io *f = prepare_capped(pipeline, CAP_BPS, 0.2);
        struct gm_err err = {0};
        int64_t chunk, entry = CAP_BPS / 10, fullness = entry;
        uint32_t retried = 0;
        if (runs == 1) {
            assert_int_equal(encode(f, 0, 3, &chunk, &err), 0);
        } else {
            assert_int_equal(encode(f, 2, 1, &chunk, &err), 0);
            assert_int_equal(encode(f, 0, 2, &chunk, &err), 0);
        }
        for (uint32_t i = 0; i < CHUNKS; i++) {
            Gm__EncodeItemMeta *m = meta_of(f, i);
            const Gm__BufferWalk *w = m->renditions[0]->buffer;
            assert_non_null(w);
            retried += m->renditions[0]->tries > 1;
            assert_true(w->need <= entry && w->low >= 0);
            assert_true(i + 1 == CHUNKS || (w->gain >= 0 && w->cap >= entry));
            assert_true(fullness >= w->need);
            fullness = fullness + w->gain < w->cap ? fullness + w->gain : w->cap;
            if (folder_io_verify(f, "encode", 0, 0, i, &err) < 0) {
                fail_msg("%s", err.text);
            }
            gm__encode_item_meta__free_unpacked(m, NULL);
        }
        assert_true(retried > 0);
        const Gm__TaskResult *result = folder_io_result(f, "encode", 0);
        Gm__EncodeMeta *sum = gm__encode_meta__unpack(NULL, result->meta.len,
                                                      result->meta.data); /* of the last run */
        assert_non_null(sum);
        assert_int_equal(sum->spare, 0); /* from the programme's start: nothing is led in */
        assert_true(sum->decoded > sum->frames);
        gm__encode_meta__free_unpacked(sum, NULL);
        struct gm_sha256 *h = gm_sha256_create();
        hash_items(f, h);
        gm_sha256_final(h, sums[runs - 1]);
        gm_sha256_destroy(&h);
        folder_io_destroy(&f);
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
    assert_memory_equal(sums[0], sums[1], 32);
}

static void a_buffer_that_nothing_fits_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *codec;
        int least, most; /* attempts; native tells them */
    } rows[] = {{"h264", GM_VBV_ATTEMPTS, GM_VBV_ATTEMPTS},
                {"vp9", 2, GM_VBV_ATTEMPTS - 1}, /* at the coarsest crf there is no other */
                {"av1", 2, GM_VBV_ATTEMPTS - 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct folder_pipeline params = {.codec = rows[i].codec, .preset = "ultrafast"};
        Gm__Pipeline *pipeline = folder_pipeline(&params);
        struct folder_io *f = prepare_capped(pipeline, 20000, 0.1);
        struct gm_err err = {0};
        int64_t chunk;
        assert_int_equal(encode(f, 0, 1, &chunk, &err), -GM_E_MEDIA_BUFFER);
        assert_int_equal(chunk, 0);
        assert_in_range(err.native, rows[i].least, rows[i].most);
        folder_io_destroy(&f);
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
}

/* Verify believes no walk that is not that of the files. */
static void a_wrong_walk_is_refused(void **state)
{
    (void)state;
    struct folder_pipeline params = {.preset = "ultrafast"};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare_capped(pipeline, 200000, 2);
    struct gm_err err = {0};
    int64_t chunk;
    assert_int_equal(encode(f, 0, 1, &chunk, &err), 0);
    assert_int_equal(folder_io_verify(f, "encode", 0, 0, 0, &err), 0);
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(f, "encode", 0, 0, 0);
    ProtobufCBinaryData told = item->meta;
    for (int k = 0; k < 5; k++) {
        Gm__EncodeItemMeta *m = meta_of(f, 0);
        Gm__BufferWalk *w = m->renditions[0]->buffer;
        m->renditions[0]->buffer = k == 4 ? NULL : w;
        w->need -= k == 0;
        w->gain += k == 1;
        w->cap += k == 2;
        w->low += k == 3;
        uint8_t packed[4096];
        assert_true(gm__encode_item_meta__get_packed_size(m) <= sizeof packed);
        item->meta.data = packed;
        item->meta.len = gm__encode_item_meta__pack(m, packed);
        assert_int_equal(folder_io_verify(f, "encode", 0, 0, 0, &err), -GM_E_MEDIA_VERIFY);
        assert_non_null(strstr(err.text, "walk"));
        item->meta = told;
        m->renditions[0]->buffer = w;
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void other_parameter_sets_than_planned_are_refused(void **state)
{
    (void)state;
    struct folder_pipeline params = {0};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    struct gm_err err;
    int64_t chunk = -1;
    Gm__Policy *policy = policy_of(f);
    /* the result is borrowed from the folder and as long as it was */
    Gm__TaskResult *result = (Gm__TaskResult *)(uintptr_t)folder_io_result(f, "plan", 0);
    policy->renditions[0]->extradata.data[6] ^= 1;
    assert_int_equal(gm__policy__get_packed_size(policy), result->meta.len);
    gm__policy__pack(policy, result->meta.data);
    assert_int_equal(encode(f, 1, 1, &chunk, &err), -GM_E_MEDIA);
    assert_int_equal(chunk, 1);
    assert_int_equal(folder_io_items(f, "encode", 0, 0), 0);
    gm__policy__free_unpacked(policy, NULL);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void a_chunk_cut_off_is_blamed(void **state)
{
    (void)state;
    struct folder_pipeline params = {0};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    struct gm_err err;
    struct stat st;
    int64_t chunk = -1;
    char path[4096];
    folder_io_path(f, folder_io_item(f, "split", 0, 0, 2)->objects[0], path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 3), 0);
    assert_int_equal(encode(f, 2, 1, &chunk, &err), -GM_E_MEDIA_CHUNK);
    assert_int_equal(chunk, 2);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_depend_on_no_run_and_no_vectors),
        cmocka_unit_test(metas_describe_every_segment),
        cmocka_unit_test(lossless_output_is_the_filtered_source),
        cmocka_unit_test(what_does_not_fit_the_buffer_is_made_again),
        cmocka_unit_test(a_buffer_that_nothing_fits_is_refused),
        cmocka_unit_test(a_wrong_walk_is_refused),
        cmocka_unit_test(other_parameter_sets_than_planned_are_refused),
        cmocka_unit_test(a_chunk_cut_off_is_blamed),
    };
    return cmocka_run_group_tests(tests, make_source, clip_source_remove);
}
