/* libavcodec's VAAPI encoder behind gm_encoder, over the fake VA driver of tests/drivers: how it is
 * asked and what is made of its answers. Nothing here says anything about a real driver. */
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
#include "media/vaapi.h"
#include "media/vaapi_io.h"

static void init(struct nvenc_set *s, int crf, int qp)
{
    nvenc_init(s, "h264", false, crf, qp);
    s->params.chain = "vaapi";
    s->params.device = VAAPI_NODE;
}

struct row {
    const char *base, *lines; /* of the profile */
    int crf, qp;
    bool capped;
    const char *profile;
    bool moves;
    int want_profile;
};
static const struct row rows[] = {
    {"arc", "", 23, -1, true, "", true, FF_PROFILE_H264_HIGH},
    {"arc", "", 23, -1, false, "main", true, FF_PROFILE_H264_MAIN},
    {"arc", "", -1, 30, false, "", true, FF_PROFILE_H264_HIGH},
    {"arc", "", 28, -1, true, "baseline", false, FF_PROFILE_H264_CONSTRAINED_BASELINE},
    {"igpu", "", -1, 26, false, "high", false, FF_PROFILE_H264_HIGH},
};

static void encode_row(const void *arg)
{
    const struct row *row = arg;
    struct nvenc_set s;
    struct nvenc_stream m;
    struct gm_err err;
    fake_gpu_profile(row->base, row->lines);
    init(&s, row->crf, row->qp);
    s.set.p.profile = (char *)(uintptr_t)row->profile;
    s.set.r.maxrate_bps *= row->capped ? 20 : 0;
    s.set.r.bufsize_bits *= row->capped ? 20 : 0;
    struct gm_encoder *e = nvenc_open(&s);
    CHECK(gm_encoder_context(e)->profile == row->want_profile);
    CHECK(gm_encoder_reorder(e) == (row->moves ? 1 : 0));
    CHECK(nvenc_encode(e, &s, &m, &err) == 0);
    nvenc_check_order(&m, row->moves ? 2 : 0, row->moves);
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
        int level; /* of seven, 1 is the best */
    } presets[] = {{"ultrafast", 7}, {"superfast", 7}, {"veryfast", 6}, {"faster", 6},  {"fast", 5},
                   {"medium", 4},    {"slow", 3},      {"slower", 2},   {"veryslow", 1}};
    struct nvenc_set s;
    fake_gpu_profile("arc", "");
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        init(&s, 23, -1);
        s.set.p.preset = (char *)(uintptr_t)presets[i].name;
        struct gm_encoder *e = nvenc_open(&s);
        CHECK(gm_encoder_context(e)->compression_level == presets[i].level);
        gm_encoder_close(&e);
    }
    init(&s, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = nvenc_open(&s);
    nvenc_check_option(e, "rc_mode", 5); /* QVBR */
    nvenc_check_option(e, "sei", 0);
    nvenc_check_option(e, "b_depth", 1);
    nvenc_check_option(e, "low_power", 0);
    nvenc_check_option(e, "level", 13); /* 600 kbit/s: table A-1 */
    CHECK(gm_encoder_context(e)->global_quality == 28);
    CHECK(gm_encoder_context(e)->rc_max_rate == 600000);
    CHECK(gm_encoder_context(e)->bit_rate == 600000);
    CHECK(gm_encoder_context(e)->max_b_frames == 2);
    CHECK(!gm_encoder_takes_captions(e));
    gm_encoder_close(&e);
    init(&s, -1, 31);
    s.set.p.level = "4.1";
    e = nvenc_open(&s);
    nvenc_check_option(e, "rc_mode", 1); /* CQP */
    nvenc_check_option(e, "qp", 31);
    CHECK(gm_encoder_context(e)->i_quant_factor == 0); /* the same for I, P and B pictures */
    CHECK(gm_encoder_context(e)->b_quant_factor == 0);
    nvenc_check_option(e, "level", 41);
    gm_encoder_close(&e);
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(look_at_settings, NULL), 0);
}

static void open_often(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    struct gm_buf first = {0};
    int reorder = -1;
    struct gm_err err;
    const struct gm_vbv_limits limits = {
        .rate_bps = 500000, .buffer_bits = 600000, .init_bits = 300000, .crf_add = 3};
    fake_gpu_profile("arc", "");
    init(&s, 23, -1);
    CHECK(gm_encoder_describe(&s.params, &first, &reorder, &err) == 0);
    CHECK(first.size > 20 && reorder == 1);
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
    assert_int_equal(fake_gpu_run(open_often, NULL), 0);
}

/* encoder_backend.h says why. */
static void open_uneven(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    fake_gpu_profile("arc", "");
    for (int i = 0; i < 2; i++) {
        Gm__Rational peak = GM__RATIONAL__INIT;
        peak.num = i == 0 ? 5 : 30;
        peak.den = 1;
        init(&s, 26, -1);
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
    fake_gpu_profile("arc", "");
    init(&s, 23, -1);
    CHECK(gm_encoder_build(&s.params, build, &err) == 0);
    (void)snprintf(want, sizeof want, "lavc-%u.%u.%u-vaapi-1.", v >> 16, v >> 8 & 255, v & 255);
    CHECK(strncmp(build, want, strlen(want)) == 0 && strstr(build, "-gopmill-fake-GPU") != NULL);
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
    fake_gpu_profile("arc", "");
    init(&s, 23, -1);
    s.set.p.bitrate_bps = 500000;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`bitrate`");
    s.set.p.bitrate_bps = 0;
    s.set.p.quality = &target;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`quality`");
    init(&s, 0, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`crf` from 1");
    init(&s, -1, 0);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`qp` from 1 to 51");
    nvenc_init(&s, "h264", true, 23, -1);
    s.params.chain = "vaapi";
    refuse(&s, GM_E_PIPELINE_UNFIT, "8 bits alone");
    nvenc_init(&s, "hevc", false, 23, -1);
    s.params.chain = "vaapi";
    refuse(&s, GM_E_PIPELINE_UNFIT, "hevc");
    init(&s, 23, -1);
    s.set.r.width_px = 4098;
    s.set.r.height_px = 2160;
    refuse(&s, GM_E_PIPELINE_UNFIT, "up to 4096x4096, not 4098x2160");
    init(&s, 23, -1);
    s.set.r.height_px = 16;
    refuse(&s, GM_E_PIPELINE_UNFIT, "160x16");
    init(&s, 23, -1);
    s.set.p.level = "1";
    refuse(&s, GM_E_PIPELINE_UNFIT, "Level 1");
    init(&s, 23, -1);
    s.params.device = NULL;
    refuse(&s, GM_E_INVAL, "needs a render node");
    s.params.device = "/dev/dri/renderD200";
    refuse(&s, GM_E_DEVICE_ABSENT, "/dev/dri/renderD200 can't be opened");
    s.params.device = "/dev/zero";
    refuse(&s, GM_E_DEVICE_ABSENT, "no device that libva knows");
}

static void refuse_by_driver(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    fake_gpu_profile("igpu", "");
    init(&s, 23, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "no quality below a cap (QVBR)");
    s.set.r.maxrate_bps = s.set.r.bufsize_bits = 0;
    refuse(&s, GM_E_PIPELINE_UNFIT, "no quality (ICQ)");
    fake_gpu_profile("arc", "packed no\n");
    init(&s, 23, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "its own parameter sets");
    fake_gpu_profile("arc", "rate icq,qvbr\n");
    init(&s, -1, 23);
    refuse(&s, GM_E_PIPELINE_UNFIT, "no constant quantiser");
    fake_gpu_profile("none", "gpu 0000:03:00.0\n node renderD128\n encode hevc 8 32x32 64x64 0\n");
    init(&s, -1, 23);
    refuse(&s, GM_E_PIPELINE_UNFIT, "no encoder for H.264, profile high");
}

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse_all, NULL), 0);
    assert_int_equal(fake_gpu_run(refuse_by_driver, NULL), 0);
}

struct fault {
    const char *line;
    enum gm_code code;
    const char *says;
    bool at_work; /* it opens */
};
static const struct fault faults[] = {
    {"fault va-init error\n", GM_E_DEVICE_DRIVER, "does not start on /dev/dri/renderD128", false},
    {"fault va-init lost\n", GM_E_DEVICE_DRIVER, "does not start", false},
    {"fault alloc oom\n", GM_E_DEVICE_MEMORY, "a surface", false},
    {"fault encode-init oom\n", GM_E_DEVICE_MEMORY, "a context", false},
    {"fault encode-init lost\n", GM_E_DEVICE_LOST, "", false},
    {"fault encode-open unsupported\n", GM_E_DEVICE_DRIVER, "a configuration", false},
    {"fault encode lost at=7\n", GM_E_DEVICE_LOST, "lost while it encoded", true},
    {"fault encode error at=7\n", GM_E_DEVICE_LOST, "failed in its work", true},
    {"fault lock lost at=7\n", GM_E_DEVICE_LOST, "lost while it encoded", true},
    {"fault alloc oom at=6\n", GM_E_DEVICE_MEMORY, "", true},
};

static void fail_as(const void *arg)
{
    const struct fault *f = arg;
    struct nvenc_set s;
    struct nvenc_stream m;
    struct gm_err err = {0};
    fake_gpu_profile("arc", f->line);
    init(&s, 23, -1);
    if (!f->at_work) {
        refuse(&s, f->code, f->says);
        return;
    }
    struct gm_encoder *e = nvenc_open(&s);
    int rc = nvenc_encode(e, &s, &m, &err);
    if (rc != -(int)f->code || strstr(err.text, f->says) == NULL) {
        (void)fprintf(stderr, "%s%d: %s\n", f->line, rc, err.text);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
    nvenc_fini(&m);
    gm_encoder_close(&e);
}

static void failures_have_their_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (fake_gpu_run(fail_as, &faults[i]) != 0) {
            fail_msg("%s", faults[i].line);
        }
    }
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
