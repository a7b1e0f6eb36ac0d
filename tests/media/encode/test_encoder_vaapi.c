/* libavcodec's VAAPI encoders behind gm_encoder, over the fake VA driver of tests/drivers: how it
 * is asked and what is made of its answers. Nothing here says anything about a real driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/device_encoder_io.h"
#include "media/encode/encoder_backend.h"
#include "media/vaapi_io.h"

#define OF(base_name, lines, codec, deep) (base_name), (lines), "vaapi", VAAPI_NODE, (codec), (deep)
#define ON(base_name) OF(base_name, "", "h264", false)
#define HEVC(base_name) OF(base_name, "", "hevc", false)
#define HEVC10(base_name) OF(base_name, "", "hevc", true)
/* Slices refer to earlier pictures alone: libavcodec makes no B pictures. */
#define LOW_DELAY "low-delay yes\n"

static const struct device_row rows[] = {
    {ON("arc"), true, 23, -1, "", 1, FF_PROFILE_H264_HIGH},
    {ON("arc"), false, 23, -1, "main", 1, FF_PROFILE_H264_MAIN},
    {ON("arc"), false, -1, 30, "", 1, FF_PROFILE_H264_HIGH},
    {ON("arc"), true, 28, -1, "baseline", 0, FF_PROFILE_H264_CONSTRAINED_BASELINE},
    {ON("igpu"), false, -1, 26, "high", 0, FF_PROFILE_H264_HIGH},
    {OF("arc", "sync-buffer no\n", "h264", false), true, 23, -1, "", 1, FF_PROFILE_H264_HIGH},
    {HEVC("arc"), true, 23, -1, "", 1, FF_PROFILE_HEVC_MAIN},
    {HEVC("arc"), false, 23, -1, "main", 1, FF_PROFILE_HEVC_MAIN},
    {HEVC("arc"), false, -1, 30, "", 1, FF_PROFILE_HEVC_MAIN},
    {HEVC("igpu"), false, -1, 26, "", 0, FF_PROFILE_HEVC_MAIN},
    {OF("arc", LOW_DELAY, "hevc", false), true, 23, -1, "", 0, FF_PROFILE_HEVC_MAIN},
    {OF("arc", LOW_DELAY, "h264", false), true, 23, -1, "", 0, FF_PROFILE_H264_HIGH},
    {HEVC10("arc"), true, 23, -1, "", 1, FF_PROFILE_HEVC_MAIN_10},
    {HEVC10("arc"), false, 23, -1, "main10", 1, FF_PROFILE_HEVC_MAIN_10},
    {HEVC10("arc"), false, -1, 30, "", 1, FF_PROFILE_HEVC_MAIN_10},
    {OF("arc", LOW_DELAY, "hevc", true), true, 23, -1, "", 0, FF_PROFILE_HEVC_MAIN_10},
};

static void frames_and_keyframes_are_what_was_asked_for(void **state)
{
    (void)state;
    device_encode_all(rows, sizeof rows / sizeof rows[0]);
}

static int level_of(const struct gm_encoder *e)
{
    return 8 - gm_encoder_context(e)->compression_level; /* of seven, 1 is the best */
}

static void look_at_settings(const void *arg)
{
    (void)arg;
    struct device_set s;
    fake_gpu_profile("arc", "");
    device_init(&s, "vaapi", VAAPI_NODE, "h264", false, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = device_open(&s);
    device_check_option(e, "rc_mode", 5); /* QVBR */
    device_check_option(e, "sei", 0);
    device_check_option(e, "b_depth", 1);
    device_check_option(e, "low_power", 0);
    device_check_option(e, "level", 13); /* 600 kbit/s: table A-1 */
    CHECK(gm_encoder_context(e)->global_quality == 28);
    CHECK(gm_encoder_context(e)->rc_max_rate == 600000);
    CHECK(gm_encoder_context(e)->bit_rate == 600000);
    CHECK(gm_encoder_context(e)->max_b_frames == 2);
    CHECK(!gm_encoder_takes_captions(e));
    gm_encoder_close(&e);
    device_init(&s, "vaapi", VAAPI_NODE, "h264", false, -1, 31);
    s.set.p.level = "4.1";
    e = device_open(&s);
    device_check_option(e, "rc_mode", 1); /* CQP */
    device_check_option(e, "qp", 31);
    CHECK(gm_encoder_context(e)->i_quant_factor == 0); /* the same for I, P and B pictures */
    CHECK(gm_encoder_context(e)->b_quant_factor == 0);
    device_check_option(e, "level", 41);
    gm_encoder_close(&e);
}

static void look_at_hevc(const void *arg)
{
    (void)arg;
    struct device_set s;
    fake_gpu_profile("arc", "");
    for (int deep = 0; deep < 2; deep++) {
        device_init(&s, "vaapi", VAAPI_NODE, "hevc", deep != 0, 23, -1);
        s.params.crf_centi = 2750;
        struct gm_encoder *e = device_open(&s);
        device_check_option(e, "rc_mode", 5); /* QVBR */
        device_check_option(e, "sei", 0);     /* HDR10's are the farm's */
        device_check_option(e, "b_depth", 1);
        device_check_option(e, "tier", 0);
        device_check_option(e, "level", 60); /* 600 kbit/s are above level 1: table A.8 */
        CHECK(gm_encoder_context(e)->global_quality == 28);
        CHECK(gm_encoder_context(e)->bit_rate == 600000);
        CHECK(gm_encoder_context(e)->max_b_frames == 2);
        CHECK(!gm_encoder_takes_captions(e));
        gm_encoder_close(&e);
    }
    s.set.p.level = "4.1";
    struct gm_encoder *e = device_open(&s);
    device_check_option(e, "level", 123);
    gm_encoder_close(&e);
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    static const struct device_presets presets = {"arc", "vaapi", VAAPI_NODE, level_of};
    assert_int_equal(fake_gpu_run(device_has_presets, &presets), 0);
    assert_int_equal(fake_gpu_run(look_at_settings, NULL), 0);
    assert_int_equal(fake_gpu_run(look_at_hevc, NULL), 0);
}

static const struct device_often often[] = {{"arc", "", "vaapi", VAAPI_NODE, "h264", 1},
                                            {"arc", "", "vaapi", VAAPI_NODE, "hevc", 1},
                                            {"arc", LOW_DELAY, "vaapi", VAAPI_NODE, "hevc", 0}};
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

static void tell_build(const void *arg)
{
    (void)arg;
    struct device_set s;
    char build[64] = "";
    char want[64];
    struct gm_err err;
    unsigned v = avcodec_version();
    fake_gpu_profile("arc", "");
    device_init(&s, "vaapi", VAAPI_NODE, "h264", false, 23, -1);
    AVBufferRef *held = NULL;
    CHECK(gm_encoder_build(&s.params, build, &err) == 0);
    CHECK(gm_encoder_hold("vaapi", VAAPI_NODE, false, &held, &err) == 0 &&
          held == NULL); /* not shared */
    (void)snprintf(want, sizeof want, "lavc-%u.%u.%u-vaapi-1.", v >> 16, v >> 8 & 255, v & 255);
    CHECK(strncmp(build, want, strlen(want)) == 0 && strstr(build, "-gopmill-fake-GPU") != NULL);
}

static void the_build_names_library_and_driver(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(tell_build, NULL), 0);
}

#define NODE(base_name, text, node)                                                                \
    .base = (base_name), .lines = (text), .chain = "vaapi", .device = (node)
#define UNFIT(base, lines) NODE(base, lines, VAAPI_NODE), GM_E_PIPELINE_UNFIT
#define ARC UNFIT("arc", "")
static const struct device_chain chain = {"arc", "vaapi", VAAPI_NODE, "VAAPI"};
#define SMALL_HEVC "gpu 0000:03:00.0\n node renderD128\n encode hevc 8 32x32 64x64 0\n"
#define DEEP_HEVC "gpu 0000:03:00.0\n node renderD128\n encode hevc 10 32x32 4096x4096 0\n"

static const struct device_refusal refusals[] = {
    {ARC, "makes HEVC up to 4096x4096, not 4098x2160", .codec = "hevc", .wide = 4098, .high = 2160},
    {ARC, "does not make hevc of 160x48", .codec = "hevc", .high = 48},
    {ARC, "up to 4096x4096, not 4098x2160", .wide = 4098, .high = 2160},
    {ARC, "160x16", .high = 16},
    {UNFIT("arc", "context-side 300\n"), "does not make h264 of 400x224", .wide = 400, .high = 224},
    {UNFIT("arc", "context-side 300\n"), "does not make hevc of 400x224", .codec = "hevc",
     .deep = true, .wide = 400, .high = 224},
    {UNFIT("arc", "surface-side 300\n"), "of 400x224", .wide = 400, .high = 224},
    {UNFIT("igpu", ""), "no quality below a cap (QVBR)"},
    {UNFIT("igpu", ""), "no quality (ICQ)", .uncapped = true},
    {UNFIT("arc", "packed no\n"), "its own parameter sets"},
    {UNFIT("arc", "rate icq,qvbr\n"), "no constant quantiser", .crf = -1, .qp = 23},
    {UNFIT("none", SMALL_HEVC), "no encoder for H.264, profile high", .crf = -1, .qp = 23},
    {UNFIT("igpu", ""), "no quality below a cap (QVBR)", .codec = "hevc"},
    {UNFIT("igpu", ""), "no encoder for HEVC, profile main10", .codec = "hevc", .deep = true},
    {UNFIT("none", DEEP_HEVC), "no encoder for HEVC, profile main", .codec = "hevc"},
    {UNFIT("none", SMALL_HEVC), "makes HEVC up to 64x64, not 160x", .codec = "hevc"},
    {UNFIT("arc", "packed no\n"), "its own parameter sets", .codec = "hevc"},
    {UNFIT("arc", "rate icq,qvbr\n"), "no constant quantiser", .codec = "hevc", .crf = -1,
     .qp = 23},
};

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    (void)state;
    device_refuse_common(&chain);
    device_refuse_all(refusals, sizeof refusals / sizeof refusals[0]);
}

#define FAULT(line) NODE("arc", "fault " line "\n", VAAPI_NODE)

static const struct device_refusal faults[] = {
    {FAULT("va-init lost"), GM_E_DEVICE_DRIVER, "does not start"},
    {FAULT("encode-init oom"), GM_E_DEVICE_MEMORY, "a context"},
    {NODE("arc", "context-side 300\nsurface-kib 1000\n", VAAPI_NODE), GM_E_DEVICE_MEMORY,
     "a context", .wide = 400, .high = 224},
    {FAULT("encode-init busy"), GM_E_DEVICE_BUSY, "a context"},
    {FAULT("encode-open unsupported"), GM_E_DEVICE_DRIVER, "a configuration"},
    {FAULT("alloc oom at=6"), GM_E_DEVICE_MEMORY, "", .at_work = true},
    {FAULT("encode-init busy"), GM_E_DEVICE_BUSY, "a context", .codec = "hevc", .deep = true},
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
        cmocka_unit_test(the_build_names_library_and_driver),
        cmocka_unit_test(what_it_can_not_do_is_refused_at_planning),
        cmocka_unit_test(failures_have_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
