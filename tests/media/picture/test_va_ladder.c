/* The ladder of a VA driver's scaler over the fake driver of tests/drivers: that we ask for the
 * right pictures, what its proof finds, and what comes of failures. Nothing here says anything
 * about a real driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <libavutil/log.h>
#include <libavutil/pixdesc.h>

#include "common/hash.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/cuda_ladder_io.h"
#include "media/device/va_picture.h"
#include "media/device/vaapi.h"
#include "media/fake_gpu_io.h"
#include "media/picture/va_ladder.h"
#include "media/prove/prove.h"
#include "media/vaapi_io.h"

#define SCALES "scale yes\n"

static const struct way SHALLOW = {"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false,
                                   false};
static const struct way DEEP = {
    "yuv420p10le", {"yuv420p10le", "yuv420p10le", "yuv420p10le"}, 0, false, false, false};

static AVBufferRef *open_display(void)
{
    AVBufferRef *device = NULL;
    struct gm_err err = {0};
    ladder_must(gm_vaapi_open(VAAPI_NODE, &device, &err), &err);
    return device;
}

static int open_ladder(struct job *j, const struct way *w, struct gm_va_ladder **out,
                       struct gm_err *err)
{
    ladder_describe(j, w);
    j->policy.scaler = GM_VA_LADDER;
    j->device = open_display();
    return gm_va_ladder_create(&j->policy, &j->facts, j->device, out, err);
}

static void close_ladder(struct job *j, struct gm_va_ladder **ladder)
{
    gm_va_ladder_destroy(ladder);
    ladder_close(j);
}

/* The same in a surface as a decoder's are: of whole macroblocks and more, its rest something else;
 * owned. */
static AVFrame *lift(const struct job *j, const AVFrame *f)
{
    AVFrame *wide = gm_av_frame((enum AVPixelFormat)f->format, f->width + 16, f->height + 48);
    AVFrame *there = NULL, *packed = NULL;
    AVBufferRef *pool = NULL;
    struct gm_err err;
    for (int i = 0; i < 3; i++) {
        memset(wide->data[i], 0x55,
               (size_t)(i == 0 ? wide->height : wide->height / 2) * (size_t)wide->linesize[i]);
        int bytes = (i == 0 ? f->width : f->width / 2) * (f->format == AV_PIX_FMT_YUV420P ? 1 : 2);
        for (int y = 0; y < (i == 0 ? f->height : f->height / 2); y++) {
            memcpy(wide->data[i] + (ptrdiff_t)y * wide->linesize[i],
                   f->data[i] + (ptrdiff_t)y * f->linesize[i], (size_t)bytes);
        }
    }
    ladder_must(gm_vaapi_frames(j->device, f->format == AV_PIX_FMT_YUV420P ? 8 : 10, wide->width,
                                wide->height, &pool, &err),
                &err);
    ladder_must(gm_va_picture_upload(wide, pool, &packed, &there, &err), &err);
    there->width = f->width;
    there->height = f->height;
    CHECK(av_frame_copy_props(there, f) >= 0);
    av_frame_free(&wide);
    av_frame_free(&packed);
    av_buffer_unref(&pool);
    return there;
}

/* What the ladder makes of f: hashes of the samples. */
static void push(struct gm_va_ladder *l, const AVFrame *f, int64_t pts, uint8_t out[RUNGS][32])
{
    const char *why = "not asked";
    struct gm_err err = {0};
    ladder_must(gm_va_ladder_look(l, f, &why, &err), &err);
    CHECK(why == NULL);
    ladder_must(gm_va_ladder_push(l, f, pts, &err), &err);
    for (size_t i = 0; i < RUNGS; i++) {
        AVFrame *got = gm_va_ladder_get(l, i), *here = NULL;
        CHECK(gm_va_picture_is(got) && got->pts == pts);
        CHECK(got->hw_frames_ctx->data == gm_va_ladder_pool(l, i)->data);
        ladder_must(gm_va_picture_download(got, &here, &err), &err);
        CHECK(here->color_range == AVCOL_RANGE_MPEG && here->colorspace == AVCOL_SPC_SMPTE170M);
        CHECK(here->format == f->format || gm_va_picture_is(f));
        clip_hash(here, out[i]);
        av_frame_free(&here);
    }
}

static void make_ladder(const void *arg)
{
    struct job j;
    struct gm_va_ladder *ladder = NULL;
    struct gm_err err = {0};
    uint8_t seen[4][RUNGS][32];
    fake_gpu_profile("arc", SCALES);
    ladder_must(open_ladder(&j, arg, &ladder, &err), &err);
    for (int i = 0; i < 2; i++) {
        AVFrame *f = ladder_picture(&j, i);
        AVFrame *there = lift(&j, f);
        push(ladder, f, i, seen[0]);
        push(ladder, there, i, seen[1]);
        CHECK(memcmp(seen[0], seen[1], sizeof seen[0]) == 0);
        push(ladder, f, i, seen[2 + i]);
        CHECK(memcmp(seen[0], seen[2 + i], sizeof seen[0]) == 0);
        av_frame_free(&there);
        av_frame_free(&f);
    }
    CHECK(memcmp(seen[2], seen[3], sizeof seen[2]) != 0);
    close_ladder(&j, &ladder);
}

static void bits_do_not_depend_on_where_a_picture_lies(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(make_ladder, &SHALLOW), 0);
    assert_int_equal(fake_gpu_run(make_ladder, &DEEP), 0);
}

/* A flat picture stays what it is: no level is converted, of any colour that is told. */
static void keep_levels(const void *arg)
{
    static const int levels[] = {30, 200, 90};
    struct job j;
    struct gm_va_ladder *ladder = NULL;
    struct gm_err err = {0};
    (void)arg;
    fake_gpu_profile("arc", SCALES);
    ladder_must(open_ladder(&j, &SHALLOW, &ladder, &err), &err);
    AVFrame *f = ladder_picture(&j, 0), *here = NULL;
    for (int i = 0; i < 3; i++) {
        memset(f->data[i], levels[i],
               (size_t)(i == 0 ? f->height : f->height / 2) * (size_t)f->linesize[i]);
    }
    ladder_must(gm_va_ladder_push(ladder, f, 0, &err), &err);
    ladder_must(gm_va_picture_download(gm_va_ladder_get(ladder, 2), &here, &err), &err);
    CHECK(here->width == 36 && here->height == 50);
    for (int i = 0; i < 3; i++) {
        CHECK(here->data[i][0] == levels[i] && here->data[i][17] == levels[i]);
    }
    av_frame_free(&here);
    av_frame_free(&f);
    close_ladder(&j, &ladder);
}

static void levels_stay_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(keep_levels, NULL), 0);
}

static void lift_rendition(const void *arg)
{
    struct job j;
    struct gm_va_ladder *ladder = NULL;
    struct gm_err err = {0};
    uint8_t a[32], b[32];
    fake_gpu_profile("arc", SCALES);
    ladder_must(open_ladder(&j, arg, &ladder, &err), &err);
    for (int i = 0; i < 2; i++) {
        AVFrame *here = NULL;
        AVFrame *f = clip_picture(48, 32, av_get_pix_fmt(j.renditions[1].pixel_format), i);
        ladder_must(gm_va_ladder_lift(ladder, 1, f, &err), &err);
        ladder_must(gm_va_picture_download(gm_va_ladder_get(ladder, 1), &here, &err), &err);
        clip_hash(f, a);
        clip_hash(here, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
        av_frame_free(&here);
        av_frame_free(&f);
    }
    close_ladder(&j, &ladder);
}

static void pictures_of_memory_come_to_the_device(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(lift_rendition, &SHALLOW), 0);
    assert_int_equal(fake_gpu_run(lift_rendition, &DEEP), 0);
}

struct failure {
    const char *lines;
    enum gm_code code;
    bool opens; /* it fails at work */
    const char *says;
    bool deep;
};

static void fail_so(const void *arg)
{
    const struct failure *want = arg;
    struct job j;
    struct gm_va_ladder *ladder = NULL;
    struct gm_err err = {0};
    char lines[256];
    (void)snprintf(lines, sizeof lines, SCALES "%s", want->lines);
    fake_gpu_profile("arc", want->opens ? SCALES : lines);
    int rc = open_ladder(&j, want->deep ? &DEEP : &SHALLOW, &ladder, &err);
    if (want->opens) {
        ladder_must(rc, &err);
        fake_gpu_profile("arc", lines);
        AVFrame *f = ladder_picture(&j, 0);
        rc = gm_va_ladder_push(ladder, f, 0, &err);
        av_frame_free(&f);
    }
    if (rc != -(int)want->code || strstr(err.text, want->says) == NULL ||
        (ladder != NULL) != want->opens) {
        (void)fprintf(stderr, "%s: %d: %s\n", want->lines, rc, err.text);
        CHECK(false);
    }
    close_ladder(&j, &ladder);
}

static void failures_have_their_codes(void **state)
{
    static const struct failure failures[] = {
        {"fault scale-open unsupported\n", GM_E_PIPELINE_UNFIT, false, "96x64 in 8 bits", false},
        {"fault scale-open error\n", GM_E_PIPELINE_UNFIT, false, "though it answers", false},
        {"fault scale-open oom\n", GM_E_PIPELINE_UNFIT, false, "though it answers", false},
        {"fault scale-open oom\nfault alloc oom at=2\n", GM_E_DEVICE_MEMORY, false,
         "a video processor", false},
        {"fault scale-open oom at=1\n", GM_E_DEVICE_MEMORY, false, "of 96x64", false},
        {"fault scale-open oom at=1\nfault scale-open oom at=3\n", GM_E_DEVICE_MEMORY, false,
         "of 96x64", false}, /* seen once */
        {"fault scale-open oom at=1\nfault scale-open oom at=3\nfault scale-open oom at=4\n",
         GM_E_PIPELINE_UNFIT, false, "of 96x64", false},
        {"fault scale-open lost\n", GM_E_DEVICE_LOST, false, "a video processor", false},
        {"fault scale-open busy\n", GM_E_DEVICE_BUSY, false, "", false},
        {"fault alloc oom\n", GM_E_DEVICE_MEMORY, false, "", false},
        {"fault scale wrong\n", GM_E_MEDIA_VERIFY, false, "sample", false},
        {"fault scale wrong at=1\n", GM_E_MEDIA_VERIFY, false, "sample", false},
        {"fault scale wrong at=2\n", GM_E_MEDIA_VERIFY, false, "larger surface", false},
        {"fault scale wrong\n", GM_E_MEDIA_VERIFY, false, "sample", true},
        {"fault scale corrupt\n", GM_E_MEDIA_VERIFY, false, "by way of 8", true},
        {"fault scale lost at=2\n", GM_E_DEVICE_LOST, false, "", false},
        {"fault scale lost at=3\n", GM_E_DEVICE_LOST, true, "another size", false},
        {"fault scale error at=3\n", GM_E_DEVICE_DRIVER, true, "though it answers", false},
        {"fault scale oom at=3\n", GM_E_DEVICE_MEMORY, true, "another size", false},
        {"fault scale oom at=1\n", GM_E_DEVICE_MEMORY, false, "another size", false},
        {"fault scale busy at=3\n", GM_E_DEVICE_BUSY, true, "", false},
        {"fault copy lost\n", GM_E_DEVICE_LOST, true, "", false},
        {"fault copy error\n", GM_E_DEVICE_DRIVER, true, "takes no picture", false},
    };
    int bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        bad += fake_gpu_run(fail_so, &failures[i]) != 0;
    }
    assert_int_equal(bad, 0);
}

/* A pool of one side; those of 256x256 take 96 KiB. */
static int open_pool(const char *lines, unsigned bits, int side, struct gm_err *err)
{
    AVBufferRef *pool = NULL, *device;
    fake_gpu_profile("arc", lines);
    device = open_display();
    int rc = gm_vaapi_frames(device, bits, side, side, &pool, err);
    CHECK((pool != NULL) == (rc == 0));
    av_buffer_unref(&pool);
    av_buffer_unref(&device);
    return rc;
}

static void fill(const void *arg)
{
    struct gm_err err = {0};
    (void)arg;
    CHECK(open_pool("surface-kib 4000\n", 8, 1024, &err) == 0);
    CHECK(open_pool("surface-kib 1000\n", 8, 1024, &err) == -GM_E_DEVICE_MEMORY);
    CHECK(open_pool("surface-kib 1000\n", 10, 1024, &err) == -GM_E_DEVICE_MEMORY);
    CHECK(open_pool("surface-kib 90\n", 8, 64, &err) == 0);
    CHECK(open_pool("fault alloc oom times=1\n", 8, 64, &err) == -GM_E_DEVICE_MEMORY);
    CHECK(open_pool("surface-kib 1000\n", 8, 32768, &err) == -GM_E_PIPELINE_UNFIT);
    CHECK(strstr(err.text, "32768x32768") != NULL);
    CHECK(open_pool("surface-side 512\n", 8, 1024, &err) == -GM_E_PIPELINE_UNFIT); /* not full */
    CHECK(open_pool("surface-side 1024\n", 8, 1024, &err) == 0);
    CHECK(open_pool("surface-side 512\nsurface-kib 2000\n", 8, 1024, &err) == -GM_E_DEVICE_MEMORY);
}

static void want_of_memory_is_no_want_of_size(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(fill, NULL), 0);
}

static void refuse(const void *arg)
{
    struct job j;
    struct gm_va_ladder *ladder = NULL;
    const char *why = NULL;
    struct gm_err err = {0};
    (void)arg;
    fake_gpu_profile("arc", ""); /* whose driver does not scale */
    CHECK(open_ladder(&j, &SHALLOW, &ladder, &err) == -GM_E_PIPELINE_UNFIT && ladder == NULL);
    av_buffer_unref(&j.device);
    fake_gpu_profile("arc", SCALES);
    ladder_must(open_ladder(&j, &SHALLOW, &ladder, &err), &err);
    uint8_t bits[GM_SHA256_SIZE];
    memcpy(bits, gm_va_ladder_bits(ladder), sizeof bits);
    gm_va_ladder_destroy(&ladder);
    j.policy.scaler_bits = (ProtobufCBinaryData){sizeof bits, bits};
    bits[7] ^= 1; /* as of a driver that scales otherwise */
    CHECK(gm_va_ladder_create(&j.policy, &j.facts, j.device, &ladder, &err) == -GM_E_MEDIA);
    CHECK(ladder == NULL && strstr(err.text, "other bits than the one") != NULL);
    bits[7] ^= 1;
    ladder_must(gm_va_ladder_create(&j.policy, &j.facts, j.device, &ladder, &err), &err);
    AVFrame *f = ladder_picture(&j, 0);
    f->colorspace = AVCOL_SPC_BT709;
    ladder_must(gm_va_ladder_look(ladder, f, &why, &err), &err);
    CHECK(why != NULL && strstr(why, "colour") != NULL);
    f->colorspace = AVCOL_SPC_UNSPECIFIED;
    AVFrame *there = lift(&j, f);
    there->width -= 2;
    ladder_must(gm_va_ladder_look(ladder, there, &why, &err), &err);
    CHECK(why != NULL && strstr(why, "size") != NULL);
    av_frame_free(&there);
    struct job other = j; /* a picture of another display has other surfaces by the same names */
    other.device = open_display();
    there = lift(&other, f);
    CHECK(gm_va_ladder_push(ladder, there, 0, &err) == -GM_E_BUG);
    av_frame_free(&there);
    av_buffer_unref(&other.device);
    gm_va_ladder_destroy(&ladder);
    j.policy.scaler = "va-vpp-0";
    CHECK(gm_va_ladder_create(&j.policy, &j.facts, j.device, &ladder, &err) == -GM_E_BUG);
    CHECK(ladder == NULL && strstr(err.text, "va-vpp-0") != NULL);
    av_frame_free(&f);
    close_ladder(&j, &ladder);
}

static void what_is_not_its_own_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse, NULL), 0);
}

static void bits_of(const char *lines, uint32_t depth, char out[GM_PROVE_BITS])
{
    const struct gm_prove_work work = {.api = "vaapi",
                                       .codec = GM_VA_LADDER,
                                       .depth = depth,
                                       .encode = true,
                                       .device = VAAPI_NODE};
    struct gm_err err = {0};
    fake_gpu_profile("arc", lines);
    CHECK(gm_prove_is_scaler(&work));
    ladder_must(gm_prove_scaler(&work, out, &err), &err);
    CHECK(strlen(out) == GM_VA_LADDER_DIGITS);
}

static void prove(const void *arg)
{
    char one[GM_PROVE_BITS], same[GM_PROVE_BITS], other[GM_PROVE_BITS], deep[GM_PROVE_BITS];
    struct gm_prove_work work = {
        .api = "vaapi", .codec = GM_VA_LADDER, .depth = 8, .encode = true, .device = VAAPI_NODE};
    struct gm_err err = {0};
    (void)arg;
    bits_of(SCALES, 8, one);
    bits_of(SCALES, 8, same);
    bits_of(SCALES "scale-soft yes\n", 8, other); /* another build of it */
    bits_of(SCALES, 10, deep);
    CHECK(strcmp(one, same) == 0 && strcmp(one, other) != 0 && strcmp(one, deep) != 0);
    fake_gpu_profile("arc", SCALES "fault scale wrong\n");
    CHECK(gm_prove_scaler(&work, one, &err) == -GM_E_MEDIA_VERIFY);
    fake_gpu_profile("arc", "");
    CHECK(gm_prove_scaler(&work, one, &err) == -GM_E_PIPELINE_UNFIT);
    work.depth = 12;
    CHECK(gm_prove_scaler(&work, one, &err) == -GM_E_INVAL);
    work.depth = 8;
    work.encode = false;
    CHECK(!gm_prove_is_scaler(&work) && gm_prove_scaler(&work, one, &err) == -GM_E_INVAL);
}

static void builds_that_scale_otherwise_prove_other_bits(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(prove, NULL), 0);
}

int main(void)
{
    vaapi_start();
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_where_a_picture_lies),
        cmocka_unit_test(levels_stay_as_they_are),
        cmocka_unit_test(pictures_of_memory_come_to_the_device),
        cmocka_unit_test(failures_have_their_codes),
        cmocka_unit_test(want_of_memory_is_no_want_of_size),
        cmocka_unit_test(what_is_not_its_own_is_refused),
        cmocka_unit_test(builds_that_scale_otherwise_prove_other_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
