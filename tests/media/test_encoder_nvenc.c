/* libavcodec's NVENC encoders behind gm_encoder, over the fake drivers of tests/drivers: how they
 * are asked and what is made of their answers. Nothing here says anything about a real encoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/compare.h"
#include "media/encoder_backend.h"
#include "media/fake_gpu_io.h"
#include "media/hw.h"
#include "media/nvenc.h"
#include "media/packed.h"

#define WIDTH 160
#define HEIGHT 96
#define TIMESCALE 15360
#define TICKS 512
#define FRAMES 26

/* Uneven on purpose: one picture alone, a long GOP, a key at the very end. */
static bool is_key(int64_t frame)
{
    return frame == 0 || frame == 1 || frame == 8 || frame == FRAMES - 1;
}

struct set {
    Gm__Rendition r;
    Gm__EncodeParams p;
    Gm__VideoFacts f;
    struct gm_encoder_params params;
};

static void set_init(struct set *s, const char *codec, bool deep, int crf, int qp)
{
    memset(s, 0, sizeof *s);
    gm__rendition__init(&s->r);
    gm__encode_params__init(&s->p);
    gm__video_facts__init(&s->f);
    s->p.codec = (char *)(uintptr_t)codec;
    s->p.crf = crf;
    s->p.qp = qp;
    s->r.encode = &s->p;
    s->r.name = "test";
    s->r.pixel_format = deep ? "yuv420p10le" : "yuv420p";
    s->r.width_px = WIDTH;
    s->r.height_px = HEIGHT;
    s->r.primaries = deep ? "bt2020" : "bt709";
    s->r.transfer = deep ? "smpte2084" : "bt709";
    s->r.matrix = deep ? "bt2020nc" : "bt709";
    if (qp < 0) {
        s->r.maxrate_bps = 600000;
        s->r.bufsize_bits = 1200000;
    }
    s->params = (struct gm_encoder_params){.rendition = &s->r,
                                           .facts = &s->f,
                                           .timescale = TIMESCALE,
                                           .rate = {30, 1},
                                           .chain = "nvenc"};
}

static struct gm_encoder *open_it(const struct set *s)
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    if (gm_encoder_open(&s->params, &e, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        fake_gpu_fail("it opens", __FILE__, __LINE__);
    }
    return e;
}

struct stream {
    AVPacket *packets[FRAMES + 1];
    size_t count;
    AVFrame *pictures[FRAMES];
};

static int64_t frame_of(const AVPacket *p)
{
    return p->pts / TICKS;
}

/* Encodes FRAMES pictures as encode does; the first failure is returned. */
static int encode(struct gm_encoder *e, const struct set *s, struct stream *out, struct gm_err *err)
{
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (int i = 0; i <= FRAMES && rc == 0; i++) {
        AVFrame *f = NULL;
        if (i < FRAMES) {
            f = out->pictures[i] =
                clip_picture(WIDTH, HEIGHT, av_get_pix_fmt(s->r.pixel_format), i);
            f->pts = i * TICKS;
            f->pict_type = is_key(i) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        }
        rc = gm_encoder_send(e, f, err);
        for (bool got = true; rc == 0 && got;) {
            AVPacket *packet = av_packet_alloc();
            rc = gm_encoder_receive(e, packet, &got, err);
            if (rc == 0 && got) {
                CHECK(out->count < FRAMES);
                out->packets[out->count++] = packet;
            } else {
                av_packet_free(&packet);
            }
        }
    }
    return rc;
}

static void stream_fini(struct stream *s)
{
    for (size_t i = 0; i < FRAMES; i++) {
        av_packet_free(&s->packets[i]);
        av_frame_free(&s->pictures[i]);
    }
}

/* Every picture comes out of a software decoder, in order, like what went in. */
static void check_pictures(const struct gm_encoder *e, const struct set *s, const struct stream *m)
{
    AVCodecContext *ctx =
        avcodec_alloc_context3(avcodec_find_decoder(gm_encoder_context(e)->codec_id));
    AVFrame *frame = av_frame_alloc();
    struct gm_compare sum = {0};
    size_t size = 0;
    int shown = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    CHECK(ctx != NULL && frame != NULL && size > 0);
    ctx->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    ctx->extradata_size = (int)size;
    memcpy(ctx->extradata, headers, size);
    CHECK(avcodec_open2(ctx, NULL, NULL) >= 0);
    for (size_t i = 0; i <= m->count; i++) {
        CHECK(avcodec_send_packet(ctx, i < m->count ? m->packets[i] : NULL) >= 0);
        while (avcodec_receive_frame(ctx, frame) >= 0) {
            CHECK(frame->pts == (int64_t)shown * TICKS);
            CHECK(frame->width == WIDTH && frame->height == HEIGHT);
            CHECK(frame->format == av_get_pix_fmt(s->r.pixel_format));
            CHECK(frame->color_range == AVCOL_RANGE_MPEG);
            CHECK(strcmp(av_color_primaries_name(frame->color_primaries), s->r.primaries) == 0);
            CHECK(strcmp(av_color_transfer_name(frame->color_trc), s->r.transfer) == 0);
            CHECK(strcmp(av_color_space_name(frame->colorspace), s->r.matrix) == 0);
            CHECK(gm_compare_add(&sum, m->pictures[shown], frame, NULL) == 0);
            shown++;
            av_frame_unref(frame);
        }
    }
    CHECK(shown == FRAMES);
    if (gm_compare_psnr(gm_compare_mse(&sum)) <= 20) {
        (void)fprintf(stderr, "PSNR %.1f\n", gm_compare_psnr(gm_compare_mse(&sum)));
        fake_gpu_fail("the pictures are alike", __FILE__, __LINE__);
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

/* Keyframes where they are forced alone; closed GOPs; no picture moves further than was said, and
 * one moves so far where any does. */
static void check_order(const struct stream *m, int reorder, bool moves)
{
    bool seen[FRAMES] = {false};
    int64_t gop = -1;
    int64_t furthest = 0;
    CHECK(m->count == FRAMES);
    for (size_t i = 0; i < m->count; i++) {
        int64_t frame = frame_of(m->packets[i]);
        bool key = (m->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
        CHECK(frame >= 0 && frame < FRAMES && m->packets[i]->pts % TICKS == 0 && !seen[frame]);
        seen[frame] = true;
        CHECK(key == is_key(frame));
        gop = key ? frame : gop;
        CHECK(frame >= gop);
        for (int64_t j = gop + 1; j <= frame; j++) {
            CHECK(!is_key(j));
        }
        furthest = (int64_t)i - frame > furthest ? (int64_t)i - frame : furthest;
    }
    CHECK(furthest <= reorder);
    CHECK((furthest > 0) == moves && (reorder > 0) == moves);
}

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
    struct set s;
    struct stream m;
    struct gm_err err;
    fake_gpu_profile("l4", "");
    set_init(&s, row->codec, row->deep, row->crf, row->qp);
    s.p.profile = (char *)(uintptr_t)row->profile;
    s.r.maxrate_bps *= 20;
    s.r.bufsize_bits *= 20;
    struct gm_encoder *e = open_it(&s);
    CHECK(encode(e, &s, &m, &err) == 0);
    check_order(&m, gm_encoder_reorder(e), row->moves);
    check_pictures(e, &s, &m);
    stream_fini(&m);
    gm_encoder_close(&e);
}

static void frames_and_keyframes_are_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fake_gpu_run(encode_row, &rows[i]), 0);
    }
}

static void check_option(const struct gm_encoder *e, const char *name, int64_t want)
{
    int64_t value = -1;
    CHECK(av_opt_get_int(gm_encoder_context(e)->priv_data, name, 0, &value) >= 0);
    if (value != want) {
        (void)fprintf(stderr, "%s is %lld\n", name, (long long)value);
        fake_gpu_fail("the option is set", __FILE__, __LINE__);
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
    struct set s;
    double cq = 0;
    fake_gpu_profile("l4", "");
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        set_init(&s, "h264", false, 23, -1);
        s.p.preset = (char *)(uintptr_t)presets[i].name;
        struct gm_encoder *e = open_it(&s);
        check_option(e, "preset", 11 + presets[i].p); /* libavcodec counts p1 as 12 */
        gm_encoder_close(&e);
    }
    set_init(&s, "h264", false, 23, -1);
    s.params.crf_centi = 2750;
    struct gm_encoder *e = open_it(&s);
    check_option(e, "forced-idr", 1);
    check_option(e, "rc", 1);     /* NV_ENC_PARAMS_RC_VBR */
    check_option(e, "level", 13); /* 600 kbit/s: table A-1 */
    CHECK(av_opt_get_double(gm_encoder_context(e)->priv_data, "cq", 0, &cq) >= 0);
    CHECK(cq > 27.49 && cq < 27.51);
    CHECK(gm_encoder_context(e)->rc_max_rate == 600000);
    CHECK(gm_encoder_context(e)->bit_rate == 0);
    CHECK(gm_encoder_context(e)->max_b_frames == 2);
    gm_encoder_close(&e);
    set_init(&s, "hevc", false, -1, 31);
    s.p.level = "4.1";
    e = open_it(&s);
    check_option(e, "rc", 0); /* NV_ENC_PARAMS_RC_CONSTQP */
    check_option(e, "qp", 31);
    CHECK(gm_encoder_context(e)->i_quant_factor == 0); /* the same for I, P and B pictures */
    CHECK(gm_encoder_context(e)->b_quant_factor == 0);
    check_option(e, "level", 123);
    check_option(e, "extra_sei", 0); /* the farm writes captions itself there */
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
    struct set s;
    struct gm_buf first = {0};
    int reorder = -1;
    struct gm_err err;
    const struct gm_vbv_limits limits = {
        .rate_bps = 500000, .buffer_bits = 600000, .init_bits = 300000, .crf_add = 3};
    fake_gpu_profile("l4", "sessions 1\n"); /* and each goes when it is closed */
    set_init(&s, codec, false, 23, -1);
    CHECK(gm_encoder_describe(&s.params, &first, &reorder, &err) == 0);
    CHECK(first.size > 20 && reorder == 2);
    for (int i = 0; i < 3; i++) {
        size_t size = 0;
        s.params.limits = i == 1 ? &limits : NULL;
        s.params.crf_centi = i == 2 ? 3100 : 0;
        struct gm_encoder *e = open_it(&s);
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
    struct set s;
    struct stream m;
    struct gm_err err;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 0\n");
    set_init(&s, "hevc", false, 26, -1);
    struct gm_encoder *e = open_it(&s);
    CHECK(encode(e, &s, &m, &err) == 0);
    check_order(&m, gm_encoder_reorder(e), false);
    stream_fini(&m);
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
    struct set s;
    fake_gpu_profile("l4", "");
    for (int i = 0; i < 2; i++) {
        Gm__Rational peak = GM__RATIONAL__INIT;
        peak.num = i == 0 ? 5 : 30;
        peak.den = 1;
        set_init(&s, "h264", false, 26, -1);
        s.params.rate = (AVRational){0, 1};
        s.f.peak_rate = &peak;
        struct gm_encoder *e = open_it(&s);
        CHECK((gm_encoder_reorder(e) == 0) == (i == 0));
        gm_encoder_close(&e);
    }
}

static void uneven_rates_have_no_b_pictures(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(open_uneven, NULL), 0);
}

static void blame_is_the_devices(void **state)
{
    (void)state;
    struct gm_err err = {.code = GM_E_MEDIA};
    assert_int_equal(gm_encoder_blame("cpu", -GM_E_MEDIA, &err), -GM_E_MEDIA);
    assert_int_equal(gm_encoder_blame("", -GM_E_MEDIA, &err), -GM_E_MEDIA);
    assert_int_equal(err.code, GM_E_MEDIA);
    assert_int_equal(gm_encoder_blame("nvenc", -GM_E_NOMEM, &err), -GM_E_NOMEM);
    assert_int_equal(gm_encoder_blame("nvenc", 0, &err), 0);
    assert_int_equal(gm_encoder_blame("nvenc", -GM_E_MEDIA, NULL), -GM_E_MEDIA_VERIFY);
    assert_int_equal(gm_encoder_blame("nvenc", -GM_E_MEDIA, &err), -GM_E_MEDIA_VERIFY);
    assert_int_equal(err.code, GM_E_MEDIA_VERIFY);
}

static void tell_build(const void *arg)
{
    (void)arg;
    struct set s;
    char build[64] = "";
    char want[64];
    struct gm_err err;
    unsigned v = avcodec_version();
    fake_gpu_profile("l4", "");
    set_init(&s, "h264", false, 23, -1);
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

struct failure {
    const char *profile, *lines, *device;
    enum gm_code code;
    const char *says;
};
static const struct failure failures[] = {
    {"none", "", "", GM_E_DEVICE_ABSENT, "NO_DEVICE"},
    {"l4", "", "7", GM_E_DEVICE_ABSENT, "no GPU 7 among 1"},
    {"l4", "", "0000:99:00.0", GM_E_DEVICE_ABSENT, "no GPU"},
    {"l4", "", "no-such-device", GM_E_DEVICE_ABSENT, "no GPU"},
    {"h200", "", "", GM_E_DEVICE_ABSENT, "no video encoder"},
    {"two-gpus", "", "0000:3b:00.0", GM_E_DEVICE_ABSENT, "no video encoder"},
    {"old-driver", "", "", GM_E_DEVICE_DRIVER, "too old"},
    {"mismatch", "", "", GM_E_DEVICE_DRIVER, "cuInit"},
    {"l4", "fault encode-open error\n", "", GM_E_DEVICE_DRIVER, "refused an encoder session"},
    {"l4", "fault encode-init error\n", "", GM_E_DEVICE_DRIVER, "did not open"},
    {"l4", "fault encode-open oom\n", "", GM_E_DEVICE_BUSY, "no further encoder session"},
    {"l4", "fault encode-init oom\n", "", GM_E_DEVICE_BUSY, "no further encoder session"},
    {"l4", "fault context oom\n", "", GM_E_DEVICE_MEMORY, "OUT_OF_MEMORY"},
    {"l4", "fault encode-open lost\n", "", GM_E_DEVICE_LOST, ""},
    {"none",
     "gpu 0000:05:00.0\n memory-mib 32\n encoders 1\n encode h264 8 16x16 4096x4096 3\n"
     "fault encode-open oom\n",
     "", GM_E_DEVICE_MEMORY, "32 MiB"},
    {"none",
     "gpu 0000:05:00.0\n memory-mib 48\n encoders 1\n encode h264 8 16x16 4096x4096 3\n"
     "fault encode-init oom\n",
     "", GM_E_DEVICE_MEMORY, "48 MiB"},
};

static void fail_open(const void *arg)
{
    const struct failure *f = arg;
    struct set s;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    fake_gpu_profile(f->profile, f->lines);
    set_init(&s, "h264", false, 23, -1);
    s.params.device = f->device;
    int rc = gm_encoder_open(&s.params, &e, &err);
    if (rc != -(int)f->code || strstr(err.text, f->says) == NULL || e != NULL) {
        (void)fprintf(stderr, "%s %s: %d: %s\n", f->profile, f->lines, rc, err.text);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
}

static void each_refusal_has_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_open, &failures[i]), 0);
    }
}

/* Run with no driver to be found. */
static int no_driver(void)
{
    struct set s;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    AVBufferRef *device = NULL;
    set_init(&s, "h264", false, 23, -1);
    int rc = gm_encoder_open(&s.params, &e, &err);
    bool right = rc == -GM_E_DEVICE_ABSENT && strstr(err.text, "libcuda.so.1") != NULL &&
                 gm_encoder_hold("nvenc", "", &device, &err) == -GM_E_DEVICE_ABSENT &&
                 device == NULL && gm_encoder_hold("cpu", "", &device, &err) == 0 &&
                 device == NULL && gm_nvenc_version() == 0;
    return right ? 0 : 1;
}

/* Run with libcuda.so.1 alone: a container without the `video` capability. */
static void no_video(const void *arg)
{
    static const struct failure f = {"no-video", "", "", GM_E_DEVICE_ABSENT,
                                     "libnvidia-encode.so.1"};
    (void)arg;
    fail_open(&f);
}

static void without_a_driver_the_device_is_absent(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run_bare("no-driver"), 0);
    assert_int_equal(fake_gpu_run_cuda("no-video"), 0);
}

static void use_all_sessions(const void *arg)
{
    (void)arg;
    struct set s;
    struct gm_encoder *all[3];
    struct gm_encoder *more = NULL;
    struct gm_err err = {0};
    fake_gpu_profile("geforce", "");
    set_init(&s, "h264", false, 23, -1);
    for (size_t i = 0; i < 3; i++) {
        all[i] = open_it(&s);
    }
    CHECK(gm_encoder_open(&s.params, &more, &err) == -GM_E_DEVICE_BUSY);
    gm_encoder_close(&all[1]);
    more = open_it(&s); /* the session is free at once */
    gm_encoder_close(&more);
    gm_encoder_close(&all[0]);
    gm_encoder_close(&all[2]);
}

static void sessions_that_are_all_taken_are_busy(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(use_all_sessions, NULL), 0);
}

struct loss {
    const char *lines;
    enum gm_code code;
};

static void lose(const void *arg)
{
    const struct loss *l = arg;
    struct set s;
    struct stream m;
    struct gm_err err = {0};
    fake_gpu_profile("l4", l->lines);
    set_init(&s, "h264", false, 23, -1);
    struct gm_encoder *e = open_it(&s);
    int rc = encode(e, &s, &m, &err);
    if (rc != -(int)l->code || m.count >= FRAMES) {
        (void)fprintf(stderr, "%s: %d: %s\n", l->lines, rc, err.text);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
    stream_fini(&m);
    gm_encoder_close(&e);
}

static void a_failure_in_mid_stream_has_its_code(void **state)
{
    (void)state;
    static const struct loss losses[] = {{"fault encode lost at=12\n", GM_E_DEVICE_LOST},
                                         {"fault encode error at=12\n", GM_E_DEVICE_LOST},
                                         {"fault lock lost at=3\n", GM_E_DEVICE_LOST},
                                         {"fault encode oom at=1\n", GM_E_DEVICE_MEMORY}};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        assert_int_equal(fake_gpu_run(lose, &losses[i]), 0);
    }
}

static void refuse(struct set *s, enum gm_code code, const char *says)
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
    struct set s;
    Gm__QualityTarget target = GM__QUALITY_TARGET__INIT;
    fake_gpu_profile("geforce", "");
    set_init(&s, "h264", false, 23, -1);
    s.p.bitrate_bps = 500000;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`bitrate`");
    s.p.bitrate_bps = 0;
    s.p.quality = &target;
    refuse(&s, GM_E_PIPELINE_UNFIT, "`quality`");
    set_init(&s, "h264", false, 0, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`crf` from 1");
    set_init(&s, "h264", false, -1, 52);
    refuse(&s, GM_E_PIPELINE_UNFIT, "`qp` up to 51");
    set_init(&s, "h264", true, 23, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "8 bits alone");
    set_init(&s, "vp9", false, 33, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "vp9");
    set_init(&s, "av1", false, 35, -1); /* neither this libavcodec nor that chip */
    refuse(&s, GM_E_PIPELINE_UNFIT, "av1");
    set_init(&s, "h264", false, 23, -1);
    s.r.width_px = 144;
    refuse(&s, GM_E_PIPELINE_UNFIT, "from 145x49 on, not 144x96");
    s.r.width_px = 160;
    s.r.height_px = 48;
    refuse(&s, GM_E_PIPELINE_UNFIT, "not 160x48");
    s.r.width_px = 4098;
    refuse(&s, GM_E_PIPELINE_UNFIT, "");
    set_init(&s, "h264", false, 23, -1);
    s.p.level = "1";
    refuse(&s, GM_E_PIPELINE_UNFIT, "Level 1");
    s.p.level = "";
    s.params.chain = "vaapi";
    refuse(&s, GM_E_INVAL, "vaapi");
    s.params.chain = "nvenc";
    s.r.width_px = 4098;
    s.r.height_px = 2160;
    refuse(&s, GM_E_PIPELINE_UNFIT, "up to 4096x4096");
}

static void eight_bits_alone(const void *arg)
{
    (void)arg;
    struct set s;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 129x33 4096x4096 4\n");
    set_init(&s, "hevc", true, 26, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "8 bits alone");
    set_init(&s, "h264", false, 26, -1);
    refuse(&s, GM_E_PIPELINE_UNFIT, "makes no h264");
}

static void what_it_can_not_do_is_refused_at_planning(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse_all, NULL), 0);
    assert_int_equal(fake_gpu_run(eight_bits_alone, NULL), 0);
}

/* By number, address, UUID. */
static void name_devices(const void *arg)
{
    (void)arg;
    static const char *const names[] = {"1", "0000:3b:00.0", "3B:00.0"};
    AVBufferRef *first = NULL, *same = NULL;
    struct gm_err err;
    uint64_t left = 0;
    fake_gpu_profile("two-gpus", "");
    CHECK(gm_hw_open(NULL, &first, &err) == 0);
    CHECK(gm_hw_open("af:00.0", &same, &err) == 0);
    CHECK(gm_hw_context(first) == gm_hw_context(same)); /* one context a device */
    av_buffer_unref(&same);
    for (size_t i = 0; i < 3; i++) {
        CHECK(gm_hw_open(names[i], &same, &err) == 0);
        CHECK(gm_hw_context(first) != gm_hw_context(same));
        CHECK(gm_hw_free_bytes(same, &left, &err) == 0 && left == 143771ull << 20);
        CHECK(gm_hw_check(same, &err) == 0);
        av_buffer_unref(&same);
    }
    CHECK(gm_hw_cuda_version(first) == 12040);
    av_buffer_unref(&first);
}

static void devices_are_found_by_any_name(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(name_devices, NULL), 0);
}

static AVFrame *empty(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->format = format;
    f->width = width;
    f->height = height;
    assert_true(av_frame_get_buffer(f, 0) >= 0);
    return f;
}

static void repacking_keeps_every_sample(void **state)
{
    (void)state;
    static const enum AVPixelFormat planar[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10LE};
    struct gm_err err;
    for (int i = 0; i < 2; i++) {
        uint8_t a[32], b[32];
        AVFrame *from = clip_picture(70, 38, planar[i], 3);
        AVFrame *packed = empty(gm_packed_format(i == 0 ? 8 : 10), 70, 38);
        AVFrame *back = empty(planar[i], 70, 38);
        assert_int_equal(gm_packed_copy(from, packed, &err), 0);
        assert_int_equal(gm_packed_copy(packed, back, &err), 0);
        clip_hash(from, a);
        clip_hash(back, b);
        assert_memory_equal(a, b, 32);
        if (i == 1) { /* the upper ten bits, chroma interleaved */
            const uint16_t *v = (const uint16_t *)(const void *)from->data[2];
            const uint16_t *uv = (const uint16_t *)(const void *)packed->data[1];
            assert_int_equal(uv[3], v[1] << 6);
        }
        assert_int_equal(gm_packed_copy(from, back, &err), -GM_E_BUG);
        av_frame_free(&back);
        back = empty(planar[i], 72, 38);
        assert_int_equal(gm_packed_copy(packed, back, &err), -GM_E_BUG);
        av_frame_free(&from);
        av_frame_free(&packed);
        av_frame_free(&back);
    }
}

int main(int argc, char **argv)
{
    fake_gpu_start(argv);
    if (argc == 2 && strcmp(argv[1], "no-driver") == 0) {
        return no_driver();
    }
    if (argc == 2 && strcmp(argv[1], "no-video") == 0) {
        return fake_gpu_run(no_video, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_keyframes_are_what_was_asked_for),
        cmocka_unit_test(settings_reach_the_encoder),
        cmocka_unit_test(each_open_gives_the_same_parameter_sets),
        cmocka_unit_test(a_chip_without_b_pictures_makes_none),
        cmocka_unit_test(uneven_rates_have_no_b_pictures),
        cmocka_unit_test(blame_is_the_devices),
        cmocka_unit_test(the_build_names_library_and_driver),
        cmocka_unit_test(each_refusal_has_its_code),
        cmocka_unit_test(without_a_driver_the_device_is_absent),
        cmocka_unit_test(sessions_that_are_all_taken_are_busy),
        cmocka_unit_test(a_failure_in_mid_stream_has_its_code),
        cmocka_unit_test(what_it_can_not_do_is_refused_at_planning),
        cmocka_unit_test(devices_are_found_by_any_name),
        cmocka_unit_test(repacking_keeps_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
