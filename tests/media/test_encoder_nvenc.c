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

#include "media/encoder_backend.h"
#include "media/nvenc_io.h"

struct row {
    const char *codec;
    bool deep;
    int crf, qp;
    const char *profile;
    bool moves;
    int want_profile;
};
static const struct row rows[] = {
    {"h264", false, 23, -1, "", true, FF_PROFILE_H264_HIGH},
    {"h264", false, -1, 30, "main", true, FF_PROFILE_H264_MAIN},
    {"h264", false, 28, -1, "baseline", false, FF_PROFILE_H264_CONSTRAINED_BASELINE},
    {"hevc", false, 26, -1, "", true, FF_PROFILE_HEVC_MAIN},
    {"hevc", true, 26, -1, "", true, FF_PROFILE_HEVC_MAIN_10},
    {"hevc", true, -1, 30, "main10", true, FF_PROFILE_HEVC_MAIN_10},
};

static void encode_row(const void *arg)
{
    const struct row *row = arg;
    struct nvenc_set s;
    struct nvenc_stream m;
    struct gm_err err;
    fake_gpu_profile("l4", "");
    nvenc_init(&s, row->codec, row->deep, row->crf, row->qp);
    s.set.p.profile = (char *)(uintptr_t)row->profile;
    s.set.r.maxrate_bps *= 20;
    s.set.r.bufsize_bits *= 20;
    struct gm_encoder *e = nvenc_open(&s);
    CHECK(nvenc_encode(e, &s, &m, &err) == 0);
    nvenc_check_order(&m, gm_encoder_reorder(e), row->moves);
    nvenc_check_pictures(e, &s, &m);
    nvenc_fini(&m);
    gm_encoder_close(&e);
}

static void frames_and_keyframes_are_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fake_gpu_run(encode_row, &rows[i]), 0);
    }
}

static void look_at_settings(const void *arg)
{
    (void)arg;
    static const struct {
        const char *name;
        int p;
    } presets[] = {{"ultrafast", 1}, {"superfast", 1}, {"veryfast", 2}, {"faster", 2},  {"fast", 3},
                   {"medium", 4},    {"slow", 5},      {"slower", 6},   {"veryslow", 7}};
    struct nvenc_set s;
    double cq = 0;
    fake_gpu_profile("l4", "");
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        nvenc_init(&s, "h264", false, 23, -1);
        s.set.p.preset = (char *)(uintptr_t)presets[i].name;
        struct gm_encoder *e = nvenc_open(&s);
        nvenc_check_option(e, "preset", 11 + presets[i].p); /* libavcodec counts p1 as 12 */
        gm_encoder_close(&e);
    }
    nvenc_init(&s, "h264", false, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = nvenc_open(&s);
    nvenc_check_option(e, "forced-idr", 1);
    nvenc_check_option(e, "rc", 1);     /* NV_ENC_PARAMS_RC_VBR */
    nvenc_check_option(e, "level", 13); /* 600 kbit/s: table A-1 */
    CHECK(av_opt_get_double(gm_encoder_context(e)->priv_data, "cq", 0, &cq) >= 0);
    CHECK(cq > 27.49 && cq < 27.51);
    CHECK(gm_encoder_context(e)->rc_max_rate == 600000);
    CHECK(gm_encoder_context(e)->bit_rate == 0);
    CHECK(gm_encoder_context(e)->max_b_frames == 2);
    gm_encoder_close(&e);
    nvenc_init(&s, "hevc", false, -1, 31);
    s.set.p.level = "4.1";
    e = nvenc_open(&s);
    nvenc_check_option(e, "rc", 0); /* NV_ENC_PARAMS_RC_CONSTQP */
    nvenc_check_option(e, "qp", 31);
    CHECK(gm_encoder_context(e)->i_quant_factor == 0); /* the same for I, P and B pictures */
    CHECK(gm_encoder_context(e)->b_quant_factor == 0);
    nvenc_check_option(e, "level", 123);
    nvenc_check_option(e, "extra_sei", 0); /* the farm writes captions itself there */
    gm_encoder_close(&e);
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(look_at_settings, NULL), 0);
}

static void open_often(const void *arg)
{
    const char *codec = arg;
    struct nvenc_set s;
    struct gm_buf first = {0};
    int reorder = -1;
    struct gm_err err;
    const struct gm_vbv_limits limits = {
        .rate_bps = 500000, .buffer_bits = 600000, .init_bits = 300000, .crf_add = 3};
    fake_gpu_profile("l4", "sessions 1\n"); /* and each goes when it is closed */
    nvenc_init(&s, codec, false, 23, -1);
    CHECK(gm_encoder_describe(&s.params, &first, &reorder, &err) == 0);
    CHECK(first.size > 20 && reorder == 2);
    for (int i = 0; i < 3; i++) {
        size_t size = 0;
        s.params.limits = i == 1 ? &limits : NULL;
        s.params.crf_centi = i == 2 ? 3100 : 0;
        struct gm_encoder *e = nvenc_open(&s);
        const uint8_t *headers = gm_encoder_headers(e, &size);
        CHECK(size == first.size && memcmp(headers, first.data, size) == 0);
        CHECK(gm_encoder_reorder(e) == reorder);
        gm_encoder_close(&e);
    }
    gm_buf_fini(&first);
}

static void each_open_gives_the_same_parameter_sets(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(open_often, "h264"), 0);
    assert_int_equal(fake_gpu_run(open_often, "hevc"), 0);
}

/* Pascal's chips have no B pictures in HEVC. */
static void open_without_b(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    struct nvenc_stream m;
    struct gm_err err;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 0\n");
    nvenc_init(&s, "hevc", false, 26, -1);
    struct gm_encoder *e = nvenc_open(&s);
    CHECK(nvenc_encode(e, &s, &m, &err) == 0);
    nvenc_check_order(&m, gm_encoder_reorder(e), false);
    nvenc_fini(&m);
    gm_encoder_close(&e);
}

static void a_chip_without_b_pictures_makes_none(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(open_without_b, NULL), 0);
}

/* encoder_backend.h says why. */
static void open_uneven(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    fake_gpu_profile("l4", "");
    for (int i = 0; i < 2; i++) {
        Gm__Rational peak = GM__RATIONAL__INIT;
        peak.num = i == 0 ? 5 : 30;
        peak.den = 1;
        nvenc_init(&s, "h264", false, 26, -1);
        s.params.rate = (AVRational){0, 1};
        s.set.f.peak_rate = &peak;
        struct gm_encoder *e = nvenc_open(&s);
        CHECK((gm_encoder_reorder(e) == 0) == (i == 0));
        gm_encoder_close(&e);
    }
}

static void uneven_rates_have_no_b_pictures(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(open_uneven, NULL), 0);
}

static void tell_build(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    char build[64] = "";
    char want[64];
    struct gm_err err;
    unsigned v = avcodec_version();
    fake_gpu_profile("l4", "");
    nvenc_init(&s, "h264", false, 23, -1);
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

static void refuse(struct nvenc_set *s, enum gm_code code, const char *says)
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    int rc = gm_encoder_open(&s->params, &e, &err);
    if (rc != -(int)code || strstr(err.text, says) == NULL || e != NULL) {
        (void)fprintf(stderr, "%d: %s (not: %s)\n", rc, err.text, says);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
}

static void refuse_all(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    Gm__QualityTarget target = GM__QUALITY_TARGET__INIT;
    fake_gpu_profile("geforce", "");
    nvenc_init(&s, "h264", false, 23, -1);
    s.set.p.bitrate_bps = 500000;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`bitrate`");
    s.set.p.bitrate_bps = 0;
    s.set.p.quality = &target;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`quality`");
    nvenc_init(&s, "h264", false, 0, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`crf` from 1");
    nvenc_init(&s, "h264", false, -1, 52);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`qp` from 0 to 51");
    nvenc_init(&s, "h264", true, 23, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "8 bits alone");
    nvenc_init(&s, "vp9", false, 33, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "vp9");
    nvenc_init(&s, "av1", false, 35, -1); /* neither this libavcodec nor that chip */
    refuse(&s, GM_E_PIPELINE_UNFIT, "av1");
    nvenc_init(&s, "h264", false, 23, -1);
    s.set.r.width_px = 144;
    refuse(&s, GM_E_PIPELINE_UNFIT, "from 145x49 on, not 144x96");
    s.set.r.width_px = 160;
    s.set.r.height_px = 48;
    refuse(&s, GM_E_PIPELINE_UNFIT, "not 160x48");
    s.set.r.width_px = 4098;
    refuse(&s, GM_E_PIPELINE_UNFIT, "");
    nvenc_init(&s, "h264", false, 23, -1);
    s.set.p.level = "1";
    refuse(&s, GM_E_PIPELINE_UNFIT, "Level 1");
    s.set.p.level = "";
    s.params.chain = "qsv";
    refuse(&s, GM_E_INVAL, "qsv");
    s.params.chain = "nvenc";
    s.set.r.width_px = 4098;
    s.set.r.height_px = 2160;
    refuse(&s, GM_E_PIPELINE_UNFIT, "up to 4096x4096");
}

static void eight_bits_alone(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 4\n");
    nvenc_init(&s, "hevc", true, 26, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "8 bits alone");
    nvenc_init(&s, "h264", false, 26, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "makes no h264");
}

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse_all, NULL), 0);
    assert_int_equal(fake_gpu_run(eight_bits_alone, NULL), 0);
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
