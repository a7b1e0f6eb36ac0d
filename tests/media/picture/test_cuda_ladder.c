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
#include "media/cuda_ladder_io.h"
#include "media/device/cuda_picture.h"
#include "media/device/hw.h"
#include "media/device/packed.h"
#include "media/fake_gpu_io.h"
#include "media/picture/colour.h"
#include "media/picture/cuda_mark.h"
#include "media/prove/prove.h"

/* The device's ladder over the fake libcuda, which runs the kernel's CPU build: that we ask for the
 * right pictures, and what comes of failures. Nothing here says anything about a real GPU. */

static const struct way PLAIN = {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false,
                                 false};

/* The same on the device; owned. */
static AVFrame *lift(const struct job *j, const AVFrame *f)
{
    bool deep = f->format == AV_PIX_FMT_YUV420P10LE;
    AVFrame *packed = gm_av_frame(gm_packed_format(deep ? 10 : 8), f->width, f->height);
    AVBufferRef *pool = NULL;
    AVFrame *there = NULL;
    struct gm_err err;
    const struct gm_cuda_pictures what = {deep ? 10 : 8, f->width, f->height, 0};
    ladder_must(gm_cuda_picture_pool(j->device, &what, &pool, &err), &err);
    ladder_must(gm_cuda_picture_get(pool, &there, &err), &err);
    ladder_must(gm_packed_copy(f, packed, &err), &err);
    CHECK(av_hwframe_transfer_data(there, packed, 0) >= 0);
    ladder_must(gm_hw_check(j->device, &err), &err); /* it queues the copy */
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
    ladder_must(gm_cuda_ladder_params(&j->facts, &j->policy, &params, &err), &err);
    AVFrame *packed = gm_av_frame(gm_packed_format(params.deep ? 10 : 8), f->width, f->height);
    ladder_must(gm_packed_copy(f, packed, &err), &err);
    struct gm_ladder_frame frame = {.in = surface(packed)};
    for (size_t i = 0; i < RUNGS; i++) {
        const Gm__Rendition *r = &j->renditions[i];
        out[i] = gm_av_frame(gm_packed_format(params.rung[i].deep ? 10 : 8), (int)r->width_px,
                             (int)r->height_px);
        frame.out[i] = surface(out[i]);
        if (marked) {
            ladder_must(gm_cuda_mark_create(&j->how, r, &j->pipeline, &marks[i], &err), &err);
            params.rung[i].mark = gm_cuda_mark_get(marks[i]);
        }
    }
    ladder_must(gm_reference_ladder(&params, &frame, &err), &err);
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
    ladder_must(gm_packed_copy(want, planar, &err), &err);
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
    ladder_must(gm_cuda_ladder_look(j->ladder, lifted ? there : f, &why, &err), &err);
    CHECK(why == NULL);
    ladder_must(gm_cuda_ladder_push(j->ladder, lifted ? there : f, pts, &err), &err);
    for (size_t i = 0; i < RUNGS; i++) {
        AVFrame *got = gm_cuda_ladder_get(j->ladder, i);
        AVFrame *here = NULL;
        CHECK(gm_cuda_picture_is(got) && got->pts == pts);
        CHECK(got->hw_frames_ctx->data == gm_cuda_ladder_pool(j->ladder, i)->data);
        ladder_must(gm_cuda_picture_download(got, &here, &err), &err);
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
    ladder_describe(&j, w);
    ladder_must(ladder_open(&j, &err), &err);
    static const struct {
        int64_t pts;
        bool marked;
    } times[] = {{0, false}, {999, false}, {1000, true}, {1999, true}, {2000, false}};
    for (int i = 0; i < 5; i++) { /* the watermark comes and goes */
        AVFrame *f = ladder_picture(&j, i);
        check_push(&j, f, times[i].pts, w->mark && times[i].marked, i % 2 == 1);
        av_frame_free(&f);
    }
    ladder_close(&j);
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
    ladder_describe(&j, &PLAIN);
    ladder_must(ladder_open(&j, &err), &err);
    AVFrame *f = ladder_picture(&j, 0);
    ladder_must(gm_cuda_ladder_push(j.ladder, f, 0, &err),
                &err); /* the plan, the source's picture */
    ladder_must(gm_hw_free_bytes(j.device, &made, &err), &err);
    for (int i = 0; i < 17; i++) { /* as encoders hold them */
        held[i] = av_frame_clone(gm_cuda_ladder_get(j.ladder, 0));
        ladder_must(gm_cuda_ladder_push(j.ladder, f, i, &err), &err);
    }
    ladder_must(gm_hw_free_bytes(j.device, &used, &err), &err);
    CHECK(used == made);
    for (int i = 0; i < 17; i++) {
        av_frame_free(&held[i]);
    }
    struct gm_cuda_pictures what = {8, WIDTH, HEIGHT, 0};
    ladder_must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    const void *first = pool->data;
    ladder_must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(pool->data == first);
    what.bits = 10;
    ladder_must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(gm_av_pool(pool)->sw_format == AV_PIX_FMT_P010LE);
    what.width_px += 2;
    ladder_must(gm_cuda_picture_repool(j.device, &what, &pool, &err), &err);
    CHECK(gm_av_pool(pool)->width == WIDTH + 2);
    av_buffer_unref(&pool);
    av_frame_free(&f);
    ladder_close(&j);
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
    ladder_describe(&j, arg);
    ladder_must(ladder_open(&j, &err), &err);
    for (int i = 0; i < 3; i++) {
        AVFrame *here = NULL;
        AVFrame *f = clip_picture(48, 32, av_get_pix_fmt(j.renditions[1].pixel_format), i);
        ladder_must(gm_cuda_ladder_lift(j.ladder, 1, f, &err), &err);
        ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(j.ladder, 1), &here, &err), &err);
        clip_hash(f, a);
        clip_hash(here, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
        av_frame_free(&here);
        av_frame_free(&f);
    }
    ladder_close(&j);
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
    ladder_describe(&j, &PLAIN);
    ladder_must(ladder_open(&j, &err), &err);
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        AVFrame *f = ladder_picture(&j, 0);
        ladder_must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        CHECK(why == NULL);
        f->chroma_location = AVCHROMA_LOC_LEFT;
        f->colorspace = AVCOL_SPC_SMPTE170M;
        ladder_must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        CHECK(why == NULL);
        CHANGES[i].to(f);
        ladder_must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
        if (why == NULL || strstr(why, CHANGES[i].says) == NULL) {
            (void)fprintf(stderr, "change %zu: %s\n", i, why != NULL ? why : "taken");
            CHECK(false);
        }
        av_frame_free(&f);
    }
    j.facts.fixed_aspect = true; /* whatever pictures say */
    gm_cuda_ladder_destroy(&j.ladder);
    ladder_must(gm_cuda_ladder_create(&j.policy, &j.facts, &j.pipeline, j.device, &j.ladder, &err),
                &err);
    AVFrame *f = ladder_picture(&j, 0);
    stretch(f);
    ladder_must(gm_cuda_ladder_look(j.ladder, f, &why, &err), &err);
    CHECK(why == NULL);
    av_frame_free(&f);
    ladder_close(&j);
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
    ladder_describe(&j, &PLAIN);
    int rc = ladder_open(&j, &err);
    if (want->opens) {
        ladder_must(rc, &err);
        fake_gpu_profile("none", lines);
        AVFrame *f = ladder_picture(&j, 0);
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
    ladder_close(&j);
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
    ladder_describe(&j, &PLAIN);
    j.policy.scaler = "cuda-ladder-2";
    CHECK(ladder_open(&j, &err) == -GM_E_BUG && j.ladder == NULL);
    CHECK(strstr(err.text, "cuda-ladder-2") != NULL);
    j.policy.n_renditions = 0;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    j.policy.n_renditions = GM_LADDER_RUNGS + 1;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    j.policy.n_renditions = 1;
    j.facts.width_px = 96 * GM_LADDER_RATIO_MAX + 2;
    CHECK(gm_cuda_ladder_params(&j.facts, &j.policy, &params, &err) == -GM_E_INVAL);
    ladder_close(&j);
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
        cmocka_unit_test(other_pictures_than_the_plans_are_left_to_software),
        cmocka_unit_test(failures_have_their_codes),
        cmocka_unit_test(what_the_kernel_does_not_make_is_refused),
        cmocka_unit_test(the_kernel_has_a_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
