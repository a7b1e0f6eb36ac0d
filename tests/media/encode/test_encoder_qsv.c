/* libavcodec's Quick Sync encoders behind gm_encoder, over the fake runtime and VA driver of
 * tests/drivers: how it is asked and what is made of its answers. Nothing here says anything about
 * a real runtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/device_encoder_io.h"
#include "media/encode/encoder_backend.h"
#include "media/vaapi_io.h"

#define BASE "arc-qsv"
#define OF(lines, codec, deep) BASE, (lines), "qsv", VAAPI_NODE, (codec), (deep)
#define ON(lines) OF(lines, "h264", false)
#define HEVC OF("", "hevc", false)
#define HEVC10 OF("", "hevc", true)
/* The runtime has no B pictures, or (the VA driver says so) slices refer to earlier ones alone. */
#define LOW_DELAY "low-delay yes\n"
static const struct device_chain chain = {BASE, "qsv", VAAPI_NODE, "Quick Sync"};

static const struct device_row rows[] = {
    {ON(""), true, 23, -1, "", 1, FF_PROFILE_H264_HIGH},
    {ON(""), false, 23, -1, "main", 1, FF_PROFILE_H264_MAIN},
    {ON(""), false, -1, 30, "", 1, FF_PROFILE_H264_HIGH},
    {ON(""), true, 28, -1, "baseline", 0, FF_PROFILE_H264_CONSTRAINED_BASELINE},
    {ON("packed no\n"), true, 23, -1, "", 1, FF_PROFILE_H264_HIGH}, /* the runtime's are there */
    {"igpu", "", "qsv", VAAPI_NODE, "h264", false, false, -1, 26, "high", 0, FF_PROFILE_H264_HIGH},
    {HEVC, true, 23, -1, "", 1, FF_PROFILE_HEVC_MAIN},
    {HEVC, false, 23, -1, "main", 1, FF_PROFILE_HEVC_MAIN},
    {HEVC, false, -1, 30, "", 1, FF_PROFILE_HEVC_MAIN},
    {OF("packed no\n", "hevc", false), true, 23, -1, "", 1, FF_PROFILE_HEVC_MAIN},
    {"igpu", "", "qsv", VAAPI_NODE, "hevc", false, false, -1, 26, "", 0, FF_PROFILE_HEVC_MAIN},
    {HEVC10, true, 23, -1, "", 1, FF_PROFILE_HEVC_MAIN_10},
    {HEVC10, false, 23, -1, "main10", 1, FF_PROFILE_HEVC_MAIN_10},
    {HEVC10, false, -1, 30, "", 1, FF_PROFILE_HEVC_MAIN_10},
    {OF(LOW_DELAY, "hevc", true), true, 23, -1, "", 0, FF_PROFILE_HEVC_MAIN_10},
};

static void frames_and_keyframes_are_what_was_asked_for(void **state)
{
    (void)state;
    device_encode_all(rows, sizeof rows / sizeof rows[0]);
}

static int level_of(const struct gm_encoder *e)
{
    return 8 - gm_encoder_context(e)->compression_level; /* TargetUsage: of seven, 1 is the best */
}

static void look_at_settings(const void *arg)
{
    (void)arg;
    struct device_set s;
    fake_gpu_profile(BASE, "");
    device_init(&s, "qsv", VAAPI_NODE, "h264", false, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = device_open(&s);
    const AVCodecContext *ctx = gm_encoder_context(e);
    device_check_option(e, "forced_idr", 1);
    device_check_option(e, "adaptive_i", 0);
    device_check_option(e, "adaptive_b", 0);
    device_check_option(e, "b_strategy", 0);
    device_check_option(e, "pic_timing_sei", 0);
    CHECK(ctx->level == 13); /* 600 kbit/s: table A-1 */
    CHECK(ctx->global_quality == 28);
    CHECK(ctx->rc_max_rate == 600000 && ctx->bit_rate == 599999);
    CHECK(ctx->max_b_frames == 2 && ctx->gop_size == 65535);
    CHECK(!gm_encoder_takes_captions(e));
    gm_encoder_close(&e);
    device_init(&s, "qsv", VAAPI_NODE, "h264", false, -1, 31);
    s.set.p.level = "4.1";
    e = device_open(&s);
    ctx = gm_encoder_context(e);
    CHECK((ctx->flags & AV_CODEC_FLAG_QSCALE) != 0 && ctx->global_quality == 31 * FF_QP2LAMBDA);
    CHECK(ctx->i_quant_factor == 1 && ctx->b_quant_factor == 1);
    CHECK(ctx->i_quant_offset == 0 && ctx->b_quant_offset == 0);
    CHECK(ctx->level == 41);
    gm_encoder_close(&e);
}

static void look_at_hevc(const void *arg)
{
    (void)arg;
    struct device_set s;
    fake_gpu_profile(BASE, "");
    for (int deep = 0; deep < 2; deep++) {
        device_init(&s, "qsv", VAAPI_NODE, "hevc", deep != 0, 23, -1);
        s.params.crf_centi = 2750;
        struct gm_encoder *e = device_open(&s);
        const AVCodecContext *ctx = gm_encoder_context(e);
        device_check_option(e, "forced_idr", 1);
        device_check_option(e, "b_strategy", 0);
        device_check_option(e, "pic_timing_sei", 0);
        device_check_option(e, "profile", deep != 0 ? 2 : 1);
        CHECK(ctx->sw_pix_fmt == (deep != 0 ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NV12));
        CHECK(ctx->level == 20); /* 600 kbit/s are above level 1: table A.8 */
        CHECK(ctx->global_quality == 28);
        CHECK(ctx->rc_max_rate == 600000 && ctx->bit_rate == 599999);
        CHECK(ctx->max_b_frames == 2 && ctx->gop_size == 65535);
        CHECK(!gm_encoder_takes_captions(e));
        gm_encoder_close(&e);
    }
    s.set.p.level = "4.1";
    struct gm_encoder *e = device_open(&s);
    CHECK(gm_encoder_context(e)->level == 41);
    gm_encoder_close(&e);
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    static const struct device_presets presets = {BASE, "qsv", VAAPI_NODE, level_of};
    assert_int_equal(fake_gpu_run(device_has_presets, &presets), 0);
    assert_int_equal(fake_gpu_run(look_at_settings, NULL), 0);
    assert_int_equal(fake_gpu_run(look_at_hevc, NULL), 0);
}

static const struct device_often often[] = {{BASE, "", "qsv", VAAPI_NODE, "h264", 1},
                                            {BASE, "", "qsv", VAAPI_NODE, "hevc", 1},
                                            {BASE, LOW_DELAY, "qsv", VAAPI_NODE, "hevc", 0}};
#define OFTEN (sizeof often / sizeof often[0])

static void each_open_gives_the_same_parameter_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < OFTEN; i++) {
        assert_int_equal(fake_gpu_run(device_opens_often, &often[i]), 0);
    }
}

static void uneven_rates_have_no_b_pictures(void **state)
{
    (void)state;
    for (size_t i = 0; i < OFTEN; i++) {
        assert_int_equal(fake_gpu_run(device_is_even, &often[i]), 0);
    }
}

/* Times that the runtime's clock of 90 kHz does not hold. */
static void keep_times(const void *arg)
{
    (void)arg;
    struct device_set s;
    struct gm_err err;
    fake_gpu_profile(BASE, "");
    device_init(&s, "qsv", VAAPI_NODE, "h264", false, -1, 30);
    s.params.timescale = 1000000;
    struct gm_encoder *e = device_open(&s);
    AVFrame *f = clip_picture(WIDTH, HEIGHT, AV_PIX_FMT_YUV420P, 0);
    AVPacket *packet = av_packet_alloc();
    bool got = false;
    f->pts = 1234560;
    f->pict_type = AV_PICTURE_TYPE_I;
    CHECK(gm_encoder_send(e, f, &err) == 0 && gm_encoder_send(e, NULL, &err) == 0);
    CHECK(gm_encoder_receive(e, packet, &got, &err) == 0 && got);
    CHECK(packet->pts == 1234560);
    av_packet_free(&packet);
    av_frame_free(&f);
    gm_encoder_close(&e);
}

static void times_come_back_as_they_were(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(keep_times, NULL), 0);
}

/* The runtime encodes whole blocks: rows below the picture, which nobody wrote, must not count.
 * arg: a codec's name, 10 bits where it begins with a capital letter. */
static void fill_memory(const void *arg)
{
    const char *codec = arg;
    bool deep = codec[0] == 'H';
    struct device_set s;
    struct device_stream made[2];
    struct gm_err err;
    fake_gpu_profile(BASE, "");
    for (int i = 0; i < 2; i++) {
        (void)mallopt(M_PERTURB, i == 0 ? 0x55 : 0xcc); /* sanitizers have memory of their own */
        device_init(&s, "qsv", VAAPI_NODE, deep ? "hevc" : codec, deep, -1, 30);
        s.set.r.width_px = 150;
        s.set.r.height_px = 90;
        struct gm_encoder *e = device_open(&s);
        CHECK(device_encode(e, &s, &made[i], &err) == 0);
        gm_encoder_close(&e);
    }
    CHECK(made[0].count == FRAMES && made[1].count == FRAMES);
    for (size_t i = 0; i < FRAMES; i++) {
        const AVPacket *a = made[0].packets[i], *b = made[1].packets[i];
        CHECK(a->size == b->size && memcmp(a->data, b->data, (size_t)a->size) == 0);
    }
    device_fini(&made[0]);
    device_fini(&made[1]);
}

static void unwritten_memory_does_not_get_into_the_stream(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(fill_memory, "h264"), 0);
    assert_int_equal(fake_gpu_run(fill_memory, "hevc"), 0);
    assert_int_equal(fake_gpu_run(fill_memory, "Hevc in 10 bits"), 0);
}

static void tell_build(const void *arg)
{
    (void)arg;
    struct device_set s;
    char build[64] = "";
    char want[64];
    struct gm_err err;
    unsigned v = avcodec_version();
    fake_gpu_profile(BASE, "");
    device_init(&s, "qsv", VAAPI_NODE, "h264", false, 23, -1);
    CHECK(gm_encoder_build(&s.params, build, &err) == 0);
    (void)snprintf(want, sizeof want, "lavc-%u.%u.%u-qsv-fake_mfx.so-1.", v >> 16, v >> 8 & 255,
                   v & 255);
    CHECK(strncmp(build, want, strlen(want)) == 0 && strstr(build, "-gopmill") != NULL);
}

static void the_build_names_library_and_runtime(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(tell_build, NULL), 0);
}

#define NODE(text, node) .base = BASE, .lines = (text), .chain = "qsv", .device = (node)
#define UNFIT(lines) NODE(lines, VAAPI_NODE), GM_E_PIPELINE_UNFIT
#define OTHER(text)                                                                                \
    .base = "none", .lines = "gpu 0000:03:00.0\n node renderD128\n " text, .chain = "qsv",         \
    .device = VAAPI_NODE, GM_E_PIPELINE_UNFIT

static const struct device_refusal refusals[] = {
    {UNFIT(""), "no 20 surfaces of 4098x2160", .wide = 4098, .high = 2160},
    {UNFIT(""), "does not make h264 of 160x16", .high = 16},
    {UNFIT(""), "does not make h264 of 160x16", .high = 16, .crf = -1, .qp = 30},
    {UNFIT(""), "no 20 surfaces of 4098x2160 in 10 bits", .codec = "hevc", .deep = true,
     .wide = 4098, .high = 2160},
    {UNFIT(""), "does not make hevc of 160x16", .codec = "hevc", .deep = true, .high = 16},
    {OTHER("encode h264 8 32x32 4096x4096 2\n"), "makes no hevc: choose another `codec`",
     .codec = "hevc"},
    {OTHER("encode h264 8 32x32 4096x4096 2\n encode hevc 8 32x32 4096x4096 2\n"),
     "makes hevc in 8 bits alone: set `bit_depth: 8`", .codec = "hevc", .deep = true},
    {UNFIT("rate cqp,cbr,vbr\n"), "no quality below a cap (QVBR)"},
    {UNFIT("rate cqp,cbr,vbr\n"), "no quality (ICQ)", .uncapped = true},
    {UNFIT("rate cbr,vbr,icq,qvbr\n"), "no constant quantiser", .crf = -1, .qp = 23},
    {UNFIT("rate cqp,cbr,vbr\n"), "no quality below a cap (QVBR)", .codec = "hevc"},
    {UNFIT("rate cqp,cbr,vbr\n"), "no quality (ICQ)", .codec = "hevc", .deep = true,
     .uncapped = true},
    {NODE("fault mfx-init unsupported\n", VAAPI_NODE), GM_E_DEVICE_ABSENT,
     "No Quick Sync runtime takes /dev/dri/renderD128"},
};

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    (void)state;
    device_refuse_common(&chain);
    device_refuse_all(refusals, sizeof refusals / sizeof refusals[0]);
}

#define FAULT(line) NODE("fault " line "\n", VAAPI_NODE)

static const struct device_refusal faults[] = {
    {FAULT("mfx-init error"), GM_E_DEVICE_DRIVER, "does not start on /dev/dri/renderD128"},
    {FAULT("mfx-init oom"), GM_E_DEVICE_MEMORY, "does not start"},
    {FAULT("mfx-init lost"), GM_E_DEVICE_LOST, "does not start"},
    {FAULT("encode-open unsupported"), GM_E_DEVICE_DRIVER, "opens no encoder for h264"},
    {FAULT("encode-open unsupported"), GM_E_DEVICE_DRIVER, "opens no encoder for hevc",
     .codec = "hevc"},
    {FAULT("encode-init oom"), GM_E_DEVICE_MEMORY, "did not open"},
    {FAULT("encode-init error"), GM_E_DEVICE_LOST, "did not open"},
    {FAULT("copy error at=7"), GM_E_DEVICE_LOST, "failed in its work", .at_work = true},
    {FAULT("encode oom at=7"), GM_E_DEVICE_MEMORY, "", .at_work = true},
    {FAULT("lock error at=7"), GM_E_DEVICE_LOST, "failed in its work", .at_work = true},
};

static void failures_have_their_codes(void **state)
{
    (void)state;
    device_fail_common(&chain);
    device_refuse_all(faults, sizeof faults / sizeof faults[0]);
}

int main(void)
{
    vaapi_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_keyframes_are_what_was_asked_for),
        cmocka_unit_test(settings_reach_the_encoder),
        cmocka_unit_test(each_open_gives_the_same_parameter_sets),
        cmocka_unit_test(uneven_rates_have_no_b_pictures),
        cmocka_unit_test(times_come_back_as_they_were),
        cmocka_unit_test(unwritten_memory_does_not_get_into_the_stream),
        cmocka_unit_test(the_build_names_library_and_runtime),
        cmocka_unit_test(what_it_can_not_do_is_refused_at_planning),
        cmocka_unit_test(failures_have_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
