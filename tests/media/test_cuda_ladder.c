#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/hwcontext.h>
#include <libavutil/pixdesc.h>

#include "kernels/reference.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/colour.h"
#include "media/cuda_ladder.h"
#include "media/cuda_mark.h"
#include "media/cuda_picture.h"
#include "media/fake_gpu_io.h"
#include "media/front.h"
#include "media/graph.h"
#include "media/hw.h"
#include "media/packed.h"
#include "media/plan.h"
#include "media/prove.h"

/* The device's ladder over the fake libcuda, which runs the kernel's CPU build: that we ask for the
 * right pictures, and what comes of failures. Nothing here says anything about a real GPU. */

#define GPU "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n"
#define RUNGS 3
#define TIMESCALE 1000
#define WIDTH 96
#define HEIGHT 64

struct job {
    Gm__VideoFacts facts;
    Gm__Rational aspect;
    Gm__Crop crop;
    Gm__Policy policy;
    Gm__Rendition renditions[RUNGS];
    Gm__Rendition *list[RUNGS];
    Gm__EncodeParams encode;
    Gm__Watermark how;
    Gm__Asset asset;
    Gm__Asset *assets[1];
    Gm__Pipeline pipeline;
    AVBufferRef *device; /* owned, as ladder is */
    struct gm_cuda_ladder *ladder;
};

/* A gradient of colours and alpha. */
static void make_png(ProtobufCBinaryData *out)
{
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = gm_av_frame(AV_PIX_FMT_RGBA, 20, 12);
    CHECK(ctx != NULL && packet != NULL && f != NULL);
    ctx->pix_fmt = AV_PIX_FMT_RGBA;
    ctx->width = f->width;
    ctx->height = f->height;
    ctx->time_base = (AVRational){1, 25};
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < 4 * f->width; x++) {
            f->data[0][y * f->linesize[0] + x] = (uint8_t)(x * 3 + y * 11);
        }
    }
    CHECK(avcodec_open2(ctx, ctx->codec, NULL) >= 0 && avcodec_send_frame(ctx, f) >= 0 &&
          avcodec_receive_packet(ctx, packet) >= 0);
    out->len = (size_t)packet->size;
    out->data = malloc(out->len);
    CHECK(out->data != NULL);
    memcpy(out->data, packet->data, out->len);
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
}

struct way {
    const char *format;         /* of the source */
    const char *formats[RUNGS]; /* of the renditions */
    int32_t turn;
    bool flip, crop, mark;
};

static const struct way PLAIN = {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false,
                                 false};

#define STRING(s) ((char *)(uintptr_t)(s))

static void describe(struct job *j, const struct way *w)
{
    static const uint32_t sizes[RUNGS][2] = {{WIDTH, HEIGHT}, {48, 32}, {36, 50}};
    memset(j, 0, sizeof *j);
    gm__video_facts__init(&j->facts);
    gm__rational__init(&j->aspect);
    gm__policy__init(&j->policy);
    gm__encode_params__init(&j->encode);
    gm__pipeline__init(&j->pipeline);
    j->aspect.num = j->aspect.den = 1;
    j->facts.sample_aspect = &j->aspect;
    j->facts.width_px = WIDTH;
    j->facts.height_px = HEIGHT;
    j->facts.pixel_format = STRING(w->format);
    j->facts.range = "tv";
    j->facts.rotation_deg = w->turn;
    j->facts.flip = w->flip;
    if (w->crop) {
        gm__crop__init(&j->crop);
        j->crop.whole_width_px = WIDTH;
        j->crop.whole_height_px = HEIGHT;
        j->crop.x_px = 6;
        j->crop.y_px = 2;
        j->facts.width_px = WIDTH - 10;
        j->facts.height_px = HEIGHT - 8;
        j->facts.crop = &j->crop;
    }
    for (size_t i = 0; i < RUNGS; i++) {
        Gm__Rendition *r = &j->renditions[i];
        gm__rendition__init(r);
        r->width_px = sizes[i][0];
        r->height_px = sizes[i][1];
        r->pixel_format = STRING(w->formats[i]);
        r->primaries = r->transfer = r->matrix = "smpte170m";
        r->range = "tv";
        r->encode = &j->encode;
        j->list[i] = r;
    }
    j->policy.timescale = TIMESCALE;
    j->policy.scaler = GM_CUDA_LADDER;
    j->policy.renditions = j->list;
    j->policy.n_renditions = RUNGS;
    if (w->mark) { /* from 1 s to 2 s */
        gm__watermark__init(&j->how);
        gm__asset__init(&j->asset);
        j->asset.name = j->how.image = "w.png";
        make_png(&j->asset.data);
        j->assets[0] = &j->asset;
        j->pipeline.assets = j->assets;
        j->pipeline.n_assets = 1;
        j->how.position = "bottom-right";
        j->how.opacity = 0.8;
        j->how.size = 0.4;
        j->how.margin = 0.1;
        j->how.start_s = 1;
        j->how.end_s = 2;
        j->encode.watermark = &j->how;
    }
}

static int open_job(struct job *j, struct gm_err *err)
{
    int rc = gm_hw_open(NULL, &j->device, err);
    CHECK(rc == 0);
    return gm_cuda_ladder_create(&j->policy, &j->facts, &j->pipeline, j->device, &j->ladder, err);
}

static void close_job(struct job *j)
{
    gm_cuda_ladder_destroy(&j->ladder);
    av_buffer_unref(&j->device);
    free(j->asset.data.data);
}

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("it succeeds", __FILE__, __LINE__);
    }
}

/* A picture of the source, number i, with random bytes in it. */
static AVFrame *picture(const struct job *j, int i)
{
    AVFrame *f = clip_picture(WIDTH, HEIGHT, av_get_pix_fmt(j->facts.pixel_format), i);
    f->color_range = AVCOL_RANGE_MPEG;
    return f;
}

/* The same on the device; owned. */
static AVFrame *lift(const struct job *j, const AVFrame *f)
{
    bool deep = f->format == AV_PIX_FMT_YUV420P10LE;
    AVFrame *packed = gm_av_frame(gm_packed_format(deep ? 10 : 8), f->width, f->height);
    AVBufferRef *pool = NULL;
    AVFrame *there = NULL;
    struct gm_err err;
    const struct gm_cuda_pictures what = {deep ? 10 : 8, f->width, f->height, 0};
    must(gm_cuda_picture_pool(j->device, &what, &pool, &err), &err);
    must(gm_cuda_picture_get(pool, &there, &err), &err);
    must(gm_packed_copy(f, packed, &err), &err);
    CHECK(av_hwframe_transfer_data(there, packed, 0) >= 0);
    must(gm_hw_check(j->device, &err), &err); /* it queues the copy */
    CHECK(av_frame_copy_props(there, f) >= 0);
    av_frame_free(&packed);
    av_buffer_unref(&pool);
    return there;
}

static struct gm_surface surface(const AVFrame *f)
{
    return gm_cuda_picture_surface(f); /* the same of NV12 and P010 in memory */
}

/* What the reference makes of f: packed pictures, owned. */
static void refer(const struct job *j, const AVFrame *f, bool marked, AVFrame *out[RUNGS])
{
    struct gm_ladder_params params;
    struct gm_cuda_mark *marks[RUNGS] = {NULL};
    struct gm_err err;
    must(gm_cuda_ladder_params(&j->facts, &j->policy, &params, &err), &err);
    AVFrame *packed = gm_av_frame(gm_packed_format(params.deep ? 10 : 8), f->width, f->height);
    must(gm_packed_copy(f, packed, &err), &err);
    struct gm_ladder_frame frame = {.in = surface(packed)};
    for (size_t i = 0; i < RUNGS; i++) {
        const Gm__Rendition *r = &j->renditions[i];
        out[i] = gm_av_frame(gm_packed_format(params.rung[i].deep ? 10 : 8), (int)r->width_px,
                             (int)r->height_px);
        frame.out[i] = surface(out[i]);
        if (marked) {
            must(gm_cuda_mark_create(&j->how, r, &j->pipeline, &marks[i], &err), &err);
            params.rung[i].mark = gm_cuda_mark_get(marks[i]);
        }
    }
    must(gm_reference_ladder(&params, &frame, &err), &err);
    for (size_t i = 0; i < RUNGS; i++) {
        gm_cuda_mark_destroy(&marks[i]);
    }
    av_frame_free(&packed);
}

static void check_same(const AVFrame *want, const AVFrame *got)
{
    AVFrame *planar =
        gm_av_frame(want->format == AV_PIX_FMT_NV12 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE,
                    want->width, want->height);
    uint8_t a[32], b[32];
    struct gm_err err;
    must(gm_packed_copy(want, planar, &err), &err);
    CHECK(got->format == planar->format && got->width == want->width &&
          got->height == want->height);
    clip_hash(planar, a);
    clip_hash(got, b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    av_frame_free(&planar);
}

/* Pushed from memory or the device, each rendition has the reference's bits. */
static void check_push(struct job *j, const AVFrame *f, int64_t pts, bool marked, bool lifted)
{
    AVFrame *want[RUNGS];
    AVFrame *there = lifted ? lift(j, f) : NULL;
    const char *why = "not asked";
    struct gm_err err = {0};
    refer(j, f, marked, want);
    must(gm_cuda_ladder_look(j->ladder, lifted ? there : f, &why, &err), &err);
    CHECK(why == NULL);
    must(gm_cuda_ladder_push(j->ladder, lifted ? there : f, pts, &err), &err);
    for (size_t i = 0; i < RUNGS; i++) {
        AVFrame *got = gm_cuda_ladder_get(j->ladder, i);
        AVFrame *here = NULL;
        CHECK(gm_cuda_picture_is(got) && got->pts == pts);
        CHECK(got->hw_frames_ctx->data == gm_cuda_ladder_pool(j->ladder, i)->data);
        must(gm_cuda_picture_download(got, &here, &err), &err);
        CHECK(here->color_range == AVCOL_RANGE_MPEG && here->colorspace == AVCOL_SPC_SMPTE170M);
        check_same(want[i], here);
        av_frame_free(&here);
        av_frame_free(&want[i]);
    }
    av_frame_free(&there);
}

static void make_ladder(const void *arg)
{
    const struct way *w = arg;
    struct job j;
    struct gm_err err = {0};
    fake_gpu_profile("none", GPU);
    describe(&j, w);
    must(open_job(&j, &err), &err);
    static const struct {
        int64_t pts;
        bool marked;
    } times[] = {{0, false}, {999, false}, {1000, true}, {1999, true}, {2000, false}};
    for (int i = 0; i < 5; i++) { /* the watermark comes and goes */
        AVFrame *f = picture(&j, i);
        check_push(&j, f, times[i].pts, w->mark && times[i].marked, i % 2 == 1);
        av_frame_free(&f);
    }
    close_job(&j);
}

static void every_rendition_has_the_kernels_bits(void **state)
{
    static const struct way ways[] = {
        {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false, false},
        {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 90, false, false, true},
        {"yuv420p", {"yuv420p10le", "yuv420p", "yuv420p"}, 180, true, true, true},
        {"yuv420p10le", {"yuv420p10le", "yuv420p", "yuv420p10le"}, 270, false, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(fake_gpu_run(make_ladder, &ways[i]), 0);
    }
}

/* The memory for renditions is taken when the ladder is made: what comes of it enough for the
 * encoders, and pools that fit are kept. */
static void take_memory(const void *arg)
{
    struct job j;
    struct gm_err err = {0};
    uint64_t made = 0, used = 0;
    AVFrame *held[18];
    AVBufferRef *pool = NULL;
    (void)arg;
    fake_gpu_profile("none", GPU);
    describe(&j, &PLAIN);
    must(open_job(&j, &err), &err);
    AVFrame *f = picture(&j, 0);
    must(gm_cuda_ladder_push(j.ladder, f, 0, &err), &err); /* the plan, the source's picture */
    must(gm_hw_free_bytes(j.device, &made, &err), &err);
    for (int i = 0; i < 17; i++) { /* as encoders hold them */
        held[i] = av_frame_clone(gm_cuda_ladder_get(j.ladder, 0));
        must(gm_cuda_ladder_push(j.ladder, f, i, &err), &err);
    }
    must(gm_hw_free_bytes(j.device, &used, &err), &err);
    CHECK(used == made);
    for (int i = 0; i < 17; i++) {
        av_frame_free(&held[i]);
    }
    struct gm_cuda_pictures what = {8, WIDTH, HEIGHT, 0};
    must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    const void *first = pool->data;
    must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(pool->data == first);
    what.bits = 10;
    must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(gm_av_pool(pool)->sw_format == AV_PIX_FMT_P010LE);
    what.width_px += 2;
    must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(gm_av_pool(pool)->width == WIDTH + 2);
    av_buffer_unref(&pool);
    av_frame_free(&f);
    close_job(&j);
}

static void memory_is_taken_before_the_work(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(take_memory, NULL), 0);
}

/* What was made in memory comes there as it is. */
static void lift_rendition(const void *arg)
{
    struct job j;
    struct gm_err err = {0};
    uint8_t a[32], b[32];
    fake_gpu_profile("none", GPU);
    describe(&j, arg);
    must(open_job(&j, &err), &err);
    for (int i = 0; i < 3; i++) {
        AVFrame *here = NULL;
        AVFrame *f = clip_picture(48, 32, av_get_pix_fmt(j.renditions[1].pixel_format), i);
        must(gm_cuda_ladder_lift(j.ladder, 1, f, &err), &err);
        must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 1), &here, &err), &err);
        clip_hash(f, a);
        clip_hash(here, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
        av_frame_free(&here);
        av_frame_free(&f);
    }
    close_job(&j);
}

static void pictures_of_memory_come_to_the_device(void **state)
{
    static const struct way ways[] = {
        {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false, false},
        {"yuv420p", {"yuv420p", "yuv420p10le", "yuv420p"}, 0, false, false, false},
    };
    (void)state;
    assert_int_equal(fake_gpu_run(lift_rendition, &ways[0]), 0);
    assert_int_equal(fake_gpu_run(lift_rendition, &ways[1]), 0);
}

/* Luma of a rendition of the upright picture's size is what the front makes. */
static void turn_it(const void *arg)
{
    const struct way *w = arg;
    struct job j;
    struct gm_front *front = NULL;
    struct gm_err err = {0};
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    Gm__Policy turned = GM__POLICY__INIT;
    AVFrame *here = NULL;
    int64_t tag = 0;
    fake_gpu_profile("none", GPU);
    describe(&j, w);
    bool lies = w->turn % 180 != 0;
    j.renditions[0].width_px = lies ? j.facts.height_px : j.facts.width_px;
    j.renditions[0].height_px = lies ? j.facts.width_px : j.facts.height_px;
    must(gm_plan_front(&j.facts, &how, &turned, &err), &err);
    must(gm_front_create(&turned, &j.facts, &front, &err), &err);
    must(open_job(&j, &err), &err);
    AVFrame *f = picture(&j, 3);
    gm_front_start(front);
    must(gm_front_push(front, f, 5, &err), &err);
    const AVFrame *want = gm_front_next(front, &tag);
    CHECK(want != NULL && tag == 5);
    must(gm_cuda_ladder_push(j.ladder, f, 0, &err), &err);
    must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 0), &here, &err), &err);
    CHECK(here->width == want->width && here->height == want->height);
    for (int y = 0; y < here->height; y++) {
        CHECK(memcmp(here->data[0] + (ptrdiff_t)y * here->linesize[0],
                     want->data[0] + (ptrdiff_t)y * want->linesize[0], (size_t)here->width) == 0);
    }
    av_frame_free(&here);
    av_frame_free(&f);
    gm_front_destroy(&front);
    free(turned.front_filters);
    close_job(&j);
}

static void pictures_are_turned_as_software_does(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct way w = {"yuv420p",  {"yuv420p", "yuv420p", "yuv420p"},
                        i % 4 * 90, i / 4 % 2 == 1,
                        i / 8 == 1, false};
        if (fake_gpu_run(turn_it, &w) != 0) {
            fail_msg("turned by %d, flip %d, crop %d", w.turn, w.flip, w.crop);
        }
    }
}

/* Ramps: along rows in one colour, down the columns in the other. */
static AVFrame *ramps(void)
{
    AVFrame *f = gm_av_frame(AV_PIX_FMT_YUV420P, WIDTH, HEIGHT);
    CHECK(f != NULL);
    f->color_range = AVCOL_RANGE_MPEG;
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < HEIGHT >> (p > 0); y++) {
            for (int x = 0; x < WIDTH >> (p > 0); x++) {
                int v = p == 0 ? 20 + x + y : p == 1 ? 20 + 4 * x : 40 + 5 * y;
                f->data[p][y * f->linesize[p] + x] = (uint8_t)v;
            }
        }
    }
    return f;
}

/* How much brighter a plane of a is than of b, away from the edges. */
static double brighter(const AVFrame *a, const AVFrame *b, int plane)
{
    int w = a->width >> (plane > 0), h = a->height >> (plane > 0), count = 0, sum = 0;
    for (int y = 4; y < h - 4; y++) {
        for (int x = 4; x < w - 4; x++, count++) {
            sum += a->data[plane][y * a->linesize[plane] + x] -
                   b->data[plane][y * b->linesize[plane] + x];
        }
    }
    CHECK(count > 0);
    return (double)sum / count;
}

/* Half the size, chroma lies where the plan's filters put it: elsewhere ramps are brighter or
 * darker by 1. */
static void place_chroma(const void *arg)
{
    const struct way *w = arg;
    struct job j;
    struct gm_front *front = NULL;
    struct gm_graph *graph = NULL;
    struct gm_err err = {0};
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    Gm__Policy turned = GM__POLICY__INIT;
    AVFrame *here = NULL;
    int64_t tag = 0;
    char plain[512], filters[600];
    fake_gpu_profile("none", GPU);
    describe(&j, w);
    bool lies = w->turn % 180 != 0;
    Gm__Rendition *r = &j.renditions[0];
    r->width_px = lies ? HEIGHT / 2 : WIDTH / 2;
    r->height_px = lies ? WIDTH / 2 : HEIGHT / 2;
    struct gm_colour colour = gm_colour_of_rendition(r);
    must(gm_plan_front(&j.facts, &how, &turned, &err), &err);
    must(gm_plan_filters(r->width_px, r->height_px, &colour, AV_PIX_FMT_YUV420P, plain,
                         sizeof plain, &err),
         &err);
    must(gm_plan_add_siting(gm_plan_siting(&j.facts), plain, filters, sizeof filters, &err), &err);
    struct gm_graph_output output = {.filters = filters, .format = AV_PIX_FMT_YUV420P};
    must(gm_graph_create(&output, 1, 1, &graph, &err), &err);
    must(gm_front_create(&turned, &j.facts, &front, &err), &err);
    must(open_job(&j, &err), &err);
    AVFrame *f = ramps();
    gm_front_start(front);
    must(gm_front_push(front, f, 0, &err), &err);
    must(gm_graph_push(graph, gm_front_next(front, &tag), 0, &err), &err);
    must(gm_cuda_ladder_push(j.ladder, f, 0, &err), &err);
    must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 0), &here, &err), &err);
    for (int p = 0; p < 3; p++) {
        double d = brighter(here, gm_graph_get(graph, 0), p);
        if (d < -0.4 || d > 0.4) {
            (void)fprintf(stderr, "plane %d: %.2f\n", p, d);
            CHECK(false);
        }
    }
    av_frame_free(&here);
    av_frame_free(&f);
    gm_graph_destroy(&graph);
    gm_front_destroy(&front);
    free(turned.front_filters);
    close_job(&j);
}

static void chroma_is_where_software_puts_it(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct way w = {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, i % 4 * 90, i / 4 == 1, false,
                        false};
        if (fake_gpu_run(place_chroma, &w) != 0) {
            fail_msg("turned by %d, flip %d", w.turn, w.flip);
        }
    }
}

static void narrow(AVFrame *f)
{
    f->width -= 2;
}

static void stretch(AVFrame *f)
{
    f->sample_aspect_ratio = (AVRational){4, 3};
}

static void move_chroma(AVFrame *f)
{
    f->chroma_location = AVCHROMA_LOC_TOPLEFT;
}

static void widen_range(AVFrame *f)
{
    f->color_range = AVCOL_RANGE_JPEG;
}

static void tag(AVFrame *f)
{
    f->colorspace = AVCOL_SPC_BT709;
}

static void call_it_full(AVFrame *f)
{
    f->format = AV_PIX_FMT_YUVJ420P;
}

/* Each makes a picture another than the plan's; what is said of it. */
static const struct {
    const char *says;
    void (*to)(AVFrame *f);
} CHANGES[] = {
    {"size, shape or format", narrow},
    {"size, shape or format", stretch},
    {"size, shape or format", move_chroma},
    {"size, shape or format", call_it_full},
    {"colour", widen_range},
    {"colour", tag},
};

static void look_at(const void *arg)
{
    struct job j;
    struct gm_err err = {0};
    const char *why = NULL;
    (void)arg;
    fake_gpu_profile("none", GPU);
    describe(&j, &PLAIN);
    must(open_job(&j, &err), &err);
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        AVFrame *f = picture(&j, 0);
        must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        CHECK(why == NULL);
        f->chroma_location = AVCHROMA_LOC_LEFT;
        f->colorspace = AVCOL_SPC_SMPTE170M;
        must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        CHECK(why == NULL);
        CHANGES[i].to(f);
        must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        if (why == NULL || strstr(why, CHANGES[i].says) == NULL) {
            (void)fprintf(stderr, "change %zu: %s\n", i, why != NULL ? why : "taken");
            CHECK(false);
        }
        av_frame_free(&f);
    }
    j.facts.fixed_aspect = true; /* whatever pictures say */
    gm_cuda_ladder_destroy(&j.ladder);
    must(gm_cuda_ladder_create(&j.policy, &j.facts, &j.pipeline, j.device, &j.ladder, &err), &err);
    AVFrame *f = picture(&j, 0);
    stretch(f);
    must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
    CHECK(why == NULL);
    av_frame_free(&f);
    close_job(&j);
}

static void other_pictures_than_the_plans_are_left_to_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(look_at, NULL), 0);
}

struct failure {
    const char *lines;
    enum gm_code code;
    bool opens;   /* it fails at work */
    bool fetches; /* it fails when a picture is wanted in memory */
};

static void fail_so(const void *arg)
{
    const struct failure *want = arg;
    struct fake_gpu_memory memory;
    struct job j;
    struct gm_err err = {0};
    char lines[256];
    (void)snprintf(lines, sizeof lines, GPU "%s", want->lines);
    fake_gpu_profile("none", GPU);
    fake_gpu_memory_hold(&memory);
    fake_gpu_profile("none", want->opens ? GPU : lines);
    describe(&j, &PLAIN);
    int rc = open_job(&j, &err);
    if (want->opens) {
        must(rc, &err);
        fake_gpu_profile("none", lines);
        AVFrame *f = picture(&j, 0);
        AVFrame *here = NULL;
        if (want->fetches) {
            fake_gpu_profile("none", GPU);
        }
        rc = gm_cuda_ladder_push(j.ladder, f, 0, &err);
        if (rc == 0 && want->fetches) {
            fake_gpu_profile("none", lines);
            rc = gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 0), &here, &err);
            CHECK(here == NULL);
        }
        av_frame_free(&f);
    }
    if (rc != -(int)want->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", want->lines, rc, err.text);
        CHECK(false);
    }
    close_job(&j);
    fake_gpu_profile("none", GPU);
    fake_gpu_memory_check(&memory);
}

static void failures_have_their_codes(void **state)
{
    static const struct failure failures[] = {
        {"fault module unsupported\n", GM_E_DEVICE_DRIVER, false, false},
        {"fault module oom\n", GM_E_DEVICE_MEMORY, false, false},
        {"fault alloc oom\n", GM_E_DEVICE_MEMORY, false, false},
        {"fault launch wrong\n", GM_E_MEDIA_VERIFY, false, false},
        {"fault launch lost\n", GM_E_DEVICE_LOST, false, false},
        {"fault launch error\n", GM_E_DEVICE_LOST, true, false},
        {"fault launch lost\n", GM_E_DEVICE_LOST, true, false},
        {"fault copy lost\n", GM_E_DEVICE_LOST, true, false},
        {"fault alloc oom\n", GM_E_DEVICE_MEMORY, true, false},
        {"fault copy error\n", GM_E_DEVICE_LOST, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_so, &failures[i]), 0);
    }
}

static void refuse(const void *arg)
{
    struct job j;
    struct gm_err err = {0};
    struct gm_ladder_params params;
    (void)arg;
    fake_gpu_profile("none", GPU);
    describe(&j, &PLAIN);
    j.policy.scaler = "cuda-ladder-2";
    CHECK(open_job(&j, &err) == -GM_E_BUG && j.ladder == NULL);
    CHECK(strstr(err.text, "cuda-ladder-2") != NULL);
    j.policy.n_renditions = 0;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    j.policy.n_renditions = GM_LADDER_RUNGS + 1;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    j.policy.n_renditions = 1;
    j.facts.width_px = 96 * GM_LADDER_RATIO_MAX + 2;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    close_job(&j);
}

static void what_the_kernel_does_not_make_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse, NULL), 0);
}

/* As gopmill-prove asks. */
static void prove(const void *arg)
{
    struct gm_prove_work work = {
        .api = GM_CUDA_LADDER_API, .codec = GM_CUDA_LADDER, .encode = true, .device = "0"};
    static const struct {
        const char *lines;
        enum gm_code code;
    } rows[] = {{"", GM_OK},
                {"fault launch wrong\n", GM_E_MEDIA_VERIFY},
                {"fault module unsupported\n", GM_E_DEVICE_DRIVER},
                {"fault launch error\n", GM_E_DEVICE_LOST}};
    struct gm_err err = {0};
    char lines[256];
    (void)arg;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        int32_t psnr = -1;
        (void)snprintf(lines, sizeof lines, GPU "%s", rows[i / 2].lines);
        fake_gpu_profile("none", lines);
        work.depth = i % 2 == 0 ? 8 : 10;
        int rc = gm_prove_run(&work, &psnr, &err);
        CHECK(rc == -(int)rows[i / 2].code && psnr == (rc == 0 ? 0 : -1));
    }
    work.encode = false;
    CHECK(gm_prove_run(&work, &(int32_t){0}, &err) == -GM_E_INVAL);
    work.encode = true;
    work.codec = "cuda-ladder-0";
    CHECK(gm_prove_run(&work, &(int32_t){0}, &err) == -GM_E_INVAL);
}

static void the_kernel_has_a_proof(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(prove, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rendition_has_the_kernels_bits),
        cmocka_unit_test(memory_is_taken_before_the_work),
        cmocka_unit_test(pictures_of_memory_come_to_the_device),
        cmocka_unit_test(pictures_are_turned_as_software_does),
        cmocka_unit_test(chroma_is_where_software_puts_it),
        cmocka_unit_test(other_pictures_than_the_plans_are_left_to_software),
        cmocka_unit_test(failures_have_their_codes),
        cmocka_unit_test(what_the_kernel_does_not_make_is_refused),
        cmocka_unit_test(the_kernel_has_a_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
