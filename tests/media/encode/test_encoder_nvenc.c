/* libavcodec's NVENC encoders behind gm_encoder, over the fake drivers of tests/drivers: how they
 * are asked and what is made of their answers. Nothing here says anything about a real encoder. */
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

#define ON(codec_name, is_deep) "l4", "", "nvenc", NULL, (codec_name), (is_deep), true

static const struct device_row rows[] = {
    {ON("h264", false), 23, -1, "", 2, FF_PROFILE_H264_HIGH},
    {ON("h264", false), -1, 30, "main", 2, FF_PROFILE_H264_MAIN},
    {ON("h264", false), 28, -1, "baseline", 0, FF_PROFILE_H264_BASELINE},
    {ON("hevc", false), 26, -1, "", 2, FF_PROFILE_HEVC_MAIN},
    {ON("hevc", true), 26, -1, "", 2, FF_PROFILE_HEVC_MAIN_10},
    {ON("hevc", true), -1, 30, "main10", 2, FF_PROFILE_HEVC_MAIN_10},
};

static void frames_and_keyframes_are_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fake_gpu_run(device_encodes, &rows[i]), 0);
    }
}

static int level_of(const struct gm_encoder *e)
{
    int64_t value = -1;
    CHECK(av_opt_get_int(gm_encoder_context(e)->priv_data, "preset", 0, &value) >= 0);
    return (int)value - 11; /* libavcodec counts p1 as 12 */
}

static void look_at_settings(const void *arg)
{
    (void)arg;
    struct device_set s;
    double cq = 0;
    fake_gpu_profile("l4", "");
    device_init(&s, "nvenc", NULL, "h264", false, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = device_open(&s);
    device_check_option(e, "forced-idr", 1);
    device_check_option(e, "rc", 1);     /* NV_ENC_PARAMS_RC_VBR */
    device_check_option(e, "level", 13); /* 600 kbit/s: table A-1 */
    CHECK(av_opt_get_double(gm_encoder_context(e)->priv_data, "cq", 0, &cq) >= 0);
    CHECK(cq > 27.49 && cq < 27.51);
    CHECK(gm_encoder_context(e)->rc_max_rate == 600000);
    CHECK(gm_encoder_context(e)->bit_rate == 0);
    CHECK(gm_encoder_context(e)->max_b_frames == 2);
    gm_encoder_close(&e);
    device_init(&s, "nvenc", NULL, "hevc", false, -1, 31);
    s.set.p.level = "4.1";
    e = device_open(&s);
    device_check_option(e, "rc", 0); /* NV_ENC_PARAMS_RC_CONSTQP */
    device_check_option(e, "qp", 31);
    CHECK(gm_encoder_context(e)->i_quant_factor == 0); /* the same for I, P and B pictures */
    CHECK(gm_encoder_context(e)->b_quant_factor == 0);
    device_check_option(e, "level", 123);
    device_check_option(e, "extra_sei", 0); /* the farm writes captions itself there */
    gm_encoder_close(&e);
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    static const struct device_presets presets = {"l4", "nvenc", NULL, level_of};
    assert_int_equal(fake_gpu_run(device_has_presets, &presets), 0);
    assert_int_equal(fake_gpu_run(look_at_settings, NULL), 0);
}

/* One session, which goes when it is closed. */
static const struct device_often often[] = {
    {"l4", "sessions 1\n", "nvenc", NULL, "h264", 2},
    {"l4", "sessions 1\n", "nvenc", NULL, "hevc", 2},
};

static void each_open_gives_the_same_parameter_sets(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(device_opens_often, &often[0]), 0);
    assert_int_equal(fake_gpu_run(device_opens_often, &often[1]), 0);
}

/* Pascal's chips have no B pictures in HEVC. */
static void a_chip_without_b_pictures_makes_none(void **state)
{
    (void)state;
    static const struct device_row row = {
        "none",  "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 0\n",
        "nvenc", NULL,
        "hevc",  false,
        true,    26,
        -1,      "",
        0,       FF_PROFILE_HEVC_MAIN};
    assert_int_equal(fake_gpu_run(device_encodes, &row), 0);
}

static void uneven_rates_have_no_b_pictures(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(device_is_even, &often[0]), 0);
}

static void tell_build(const void *arg)
{
    (void)arg;
    struct device_set s;
    char build[64] = "";
    char want[64];
    struct gm_err err;
    unsigned v = avcodec_version();
    fake_gpu_profile("l4", "");
    device_init(&s, "nvenc", NULL, "h264", false, 23, -1);
    CHECK(gm_encoder_build(&s.params, build, &err) == 0);
    (void)snprintf(want, sizeof want, "lavc-%u.%u.%u-nvenc-12.2-cuda-12.4", v >> 16, v >> 8 & 255,
                   v & 255);
    CHECK(strcmp(build, want) == 0);
}

static void the_build_names_library_and_driver(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(tell_build, NULL), 0);
}

#define ON_CHAIN(base_name, text, chain_name)                                                      \
    .base = (base_name), .lines = (text), .chain = (chain_name), .device = NULL
#define GEFORCE ON_CHAIN("geforce", "", "nvenc"), GM_E_PIPELINE_UNFIT
#define FIVE "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 4\n"

static const struct device_refusal refusals[] = {
    {GEFORCE, "`bitrate` is reached by trials in software: NVENC takes", .bitrate = true},
    {GEFORCE, "`quality` is reached by trials in software: NVENC takes", .quality = true},
    {GEFORCE, "NVENC takes `crf` from 1", .crf = 0, .qp = -1},
    {GEFORCE, "NVENC takes `qp` from 0 to 51", .crf = -1, .qp = 52},
    {GEFORCE, "NVENC makes H.264 in 8 bits alone: set `bit_depth: 8`, or `codec: hevc`",
     .deep = true},
    {GEFORCE, "vp9", .codec = "vp9", .crf = 33, .qp = -1},
    {GEFORCE, "av1", .codec = "av1"}, /* neither this libavcodec nor that chip */
    {GEFORCE, "from 145x49 on, not 144x96", .wide = 144},
    {GEFORCE, "not 160x48", .wide = 160, .high = 48},
    {GEFORCE, "", .wide = 4098, .high = 48},
    {GEFORCE, "Level 1", .level = "1"},
    {ON_CHAIN("geforce", "", "amf"), GM_E_INVAL, "amf"},
    {GEFORCE, "up to 4096x4096", .wide = 4098, .high = 2160},
    {ON_CHAIN("none", FIVE, "nvenc"), GM_E_PIPELINE_UNFIT, "8 bits alone", .codec = "hevc",
     .deep = true},
    {ON_CHAIN("none", FIVE, "nvenc"), GM_E_PIPELINE_UNFIT, "makes no h264"},
};

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    static const struct device_refusal lacking = {
        ON_CHAIN("l4", "encode av1 8,10 145x49 8192x8192 0\n", "nvenc"), GM_E_PIPELINE_UNFIT,
        "has no encoder av1_nvenc: choose another `codec`", .codec = "av1"};
    (void)state;
    if (avcodec_find_encoder_by_name("av1_nvenc") == NULL) { /* the chip could */
        assert_int_equal(fake_gpu_run(device_refuses, &lacking), 0);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        assert_int_equal(fake_gpu_run(device_refuses, &refusals[i]), 0);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_keyframes_are_what_was_asked_for),
        cmocka_unit_test(settings_reach_the_encoder),
        cmocka_unit_test(each_open_gives_the_same_parameter_sets),
        cmocka_unit_test(a_chip_without_b_pictures_makes_none),
        cmocka_unit_test(uneven_rates_have_no_b_pictures),
        cmocka_unit_test(the_build_names_library_and_driver),
        cmocka_unit_test(what_it_can_not_do_is_refused_at_planning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
