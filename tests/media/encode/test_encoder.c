#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/encode/encoder_backend.h"
#include "media/encoder_io.h"

static int open_set(const struct set *s, uint32_t timescale, AVRational rate,
                    struct gm_encoder **out, struct gm_err *err)
{
    struct gm_encoder_params params = {
        .rendition = &s->r, .facts = &s->f, .timescale = timescale, .rate = rate};
    return gm_encoder_open(&params, out, err);
}

/* 8 bits of H.264. */
static void set_h264(struct set *s, const char *preset, int crf, int qp)
{
    set_init(s, "h264", false, crf, qp);
    s->p.preset = (char *)(uintptr_t)preset;
}

struct packet {
    int64_t pts;
    bool key;
};

/* Encodes FRAMES pictures; all bytes go into h; what packets there were into out. */
static size_t encode(const struct set *s, struct gm_sha256 *h, struct packet *out)
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    if (open_set(s, TIMESCALE, (AVRational){30, 1}, &e, &err) < 0) {
        abort();
    }
    size_t size = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    gm_sha256_update(h, headers, size);
    AVPacket *packet = av_packet_alloc();
    size_t count = 0;
    for (int i = 0; i <= FRAMES; i++) {
        AVFrame *f =
            i < FRAMES ? clip_picture(160, 96, av_get_pix_fmt(s->r.pixel_format), i) : NULL;
        if (f != NULL) {
            f->pts = i * 512;
            f->pict_type = encoder_io_is_key(i) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        }
        bool got = true;
        if (gm_encoder_send(e, f, &err) < 0) {
            abort();
        }
        while (gm_encoder_receive(e, packet, &got, &err) == 0 && got) {
            gm_sha256_update(h, packet->data, (size_t)packet->size);
            out[count++] = (struct packet){packet->pts, (packet->flags & AV_PKT_FLAG_KEY) != 0};
            av_packet_unref(packet);
        }
        av_frame_free(&f);
    }
    av_packet_free(&packet);
    gm_encoder_close(&e);
    return count;
}

static const struct {
    const char *codec, *preset;
    int crf, qp;
    bool deep; /* 10 bits */
} settings[] = {
    {"h264", "ultrafast", 23, -1, false}, {"h264", "veryfast", 23, -1, false},
    {"h264", "medium", 28, -1, false},    {"h264", "slow", 18, -1, false},
    {"h264", "veryfast", -1, 0, false},   {"h264", "veryfast", -1, 30, false},
    {"hevc", "ultrafast", 26, -1, false}, {"hevc", "medium", 26, -1, false},
    {"av1", "veryfast", 35, -1, false},   {"av1", "ultrafast", 35, -1, true},
    {"av1", "ultrafast", -1, 40, false},  {"vp9", "veryfast", 33, -1, false},
    {"vp9", "ultrafast", -1, 0, false},   {"vp9", "ultrafast", 33, -1, true},
    {"hevc", "fast", -1, 30, false},      {"hevc", "veryfast", 26, -1, true},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static void set_setting(struct set *s, size_t k)
{
    set_init(s, settings[k].codec, settings[k].deep, settings[k].crf, settings[k].qp);
    s->p.preset = (char *)(uintptr_t)settings[k].preset;
}

static uint8_t bytes[GM_SHA256_SIZE]; /* of all settings; by the test that comes first */

static void idrs_come_where_they_are_forced_and_nowhere_else(void **state)
{
    (void)state;
    struct gm_sha256 *h = gm_sha256_create();
    for (size_t k = 0; k < SETTINGS; k++) {
        struct set s;
        struct packet packets[FRAMES];
        bool seen[FRAMES] = {false};
        set_setting(&s, k);
        size_t n = encode(&s, h, packets);
        assert_int_equal(n, FRAMES);
        int64_t gop = -1;
        for (size_t i = 0; i < n; i++) {
            int64_t frame = packets[i].pts / 512;
            assert_int_equal(packets[i].pts % 512, 0);
            assert_false(seen[frame]);
            seen[frame] = true;
            assert_int_equal(packets[i].key, encoder_io_is_key(frame));
            gop = packets[i].key ? frame : gop;
            /* closed: all of a GOP's packets come before the next IDR */
            assert_true(frame >= gop);
            for (int64_t j = gop + 1; j <= frame; j++) {
                assert_true(j == gop || !encoder_io_is_key(j));
            }
        }
    }
    uint8_t again[GM_SHA256_SIZE];
    gm_sha256_final(h, again);
    gm_sha256_destroy(&h);
    assert_memory_equal(again, bytes, sizeof again);
}

static void hash_all(struct gm_sha256 *h, void *arg)
{
    (void)arg;
    for (size_t k = 0; k < SETTINGS; k++) {
        struct set s;
        struct packet packets[FRAMES];
        set_setting(&s, k);
        (void)encode(&s, h, packets);
    }
}

static void plain_c_gives_the_same_bytes(void **state)
{
    (void)state;
    uint8_t without[32];
    uint8_t sse2[32];
    child_hash(NULL, hash_all, NULL, bytes);
    child_hash("none", hash_all, NULL, without);
    child_hash("mmx+mmxext+sse+sse2", hash_all, NULL, sse2);
    assert_memory_equal(bytes, without, 32);
    assert_memory_equal(bytes, sse2, 32);
}

/* What the plan makes decode times from: no picture comes earlier in decoding order than that. */
static void the_plan_knows_how_far_pictures_move(void **state)
{
    static const struct {
        const char *codec, *preset;
    } rows[] = {{"h264", "veryfast"}, {"hevc", "veryfast"}, {"hevc", "medium"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct set s;
        struct packet packets[FRAMES];
        struct gm_sha256 *h = gm_sha256_create();
        struct gm_err err = {0};
        struct gm_buf headers = {0};
        int reorder = -1;
        set_init(&s, rows[i].codec, false, 23, -1);
        s.p.preset = (char *)(uintptr_t)rows[i].preset;
        struct gm_encoder_params params = {
            .rendition = &s.r, .facts = &s.f, .timescale = TIMESCALE, .rate = {30, 1}};
        struct gm_encoder *e = NULL;
        assert_int_equal(gm_encoder_describe(&params, &headers, &reorder, &err), 0);
        assert_in_range(reorder, 1, 4);
        assert_int_equal(gm_encoder_open(&params, &e, &err), 0);
        assert_int_equal(gm_encoder_reorder(e), reorder);
        gm_encoder_close(&e);
        assert_non_null(h);
        assert_int_equal(encode(&s, h, packets), FRAMES);
        for (int64_t k = 0; k < FRAMES; k++) {
            assert_true(k - packets[k].pts / 512 <= reorder);
        }
        gm_sha256_destroy(&h);
        gm_buf_fini(&headers);
    }
}

static void colour_is_tagged_as_the_rendition_says(void **state)
{
    (void)state;
    static const struct {
        const char *primaries, *transfer, *matrix;
        int want_primaries, want_transfer, want_matrix;
    } rows[] = {
        {"bt709", "bt709", "bt709", AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709},
        {"bt2020", "arib-std-b67", "bt2020nc", AVCOL_PRI_BT2020, AVCOL_TRC_ARIB_STD_B67,
         AVCOL_SPC_BT2020_NCL},
        {"unknown", "unknown", "unknown", AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED,
         AVCOL_SPC_UNSPECIFIED},
        {"", "", "nonsense", AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED, AVCOL_SPC_UNSPECIFIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct set s;
        struct gm_err err;
        struct gm_encoder *e = NULL;
        set_h264(&s, "veryfast", 23, -1);
        s.r.primaries = (char *)(uintptr_t)rows[i].primaries;
        s.r.transfer = (char *)(uintptr_t)rows[i].transfer;
        s.r.matrix = (char *)(uintptr_t)rows[i].matrix;
        assert_int_equal(open_set(&s, TIMESCALE, (AVRational){0, 1}, &e, &err), 0);
        assert_int_equal(gm_encoder_context(e)->color_primaries, rows[i].want_primaries);
        assert_int_equal(gm_encoder_context(e)->color_trc, rows[i].want_transfer);
        assert_int_equal(gm_encoder_context(e)->colorspace, rows[i].want_matrix);
        assert_int_equal(gm_encoder_context(e)->color_range, AVCOL_RANGE_MPEG);
        size_t size = 0;
        assert_non_null(gm_encoder_headers(e, &size));
        assert_true(size > 0);
        gm_encoder_close(&e);
    }
}

static void uneven_rates_have_no_b_pictures(void **state)
{
    static const struct {
        AVRational rate, peak;
        int64_t frames;
        bool reorders;
    } rows[] = {
        {{0, 1}, {30, 1}, 0, true},  {{0, 1}, {10, 1}, 500, true}, {{0, 1}, {9, 1}, 500, false},
        {{0, 1}, {30, 1}, 24, true}, {{0, 1}, {30, 1}, 23, false}, {{2, 1}, {2, 1}, 500, true},
        {{30, 1}, {30, 1}, 5, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct set s;
        Gm__Rational peak = GM__RATIONAL__INIT;
        struct gm_encoder *e = NULL;
        struct gm_err err = {0};
        set_h264(&s, "veryfast", 23, -1);
        peak.num = rows[i].peak.num;
        peak.den = rows[i].peak.den;
        s.f.peak_rate = &peak;
        s.f.frames = rows[i].frames;
        assert_int_equal(open_set(&s, TIMESCALE, rows[i].rate, &e, &err), 0);
        assert_int_equal(gm_encoder_reorder(e) > 0, rows[i].reorders);
        gm_encoder_close(&e);
    }
}

static void the_plan_opens_with_what_is_declared_and_chunks_with_their_limits(void **state)
{
    (void)state;
    struct set s;
    struct gm_err err;
    struct gm_encoder *e = NULL;
    set_h264(&s, "veryfast", 23, -1);
    assert_int_equal(open_set(&s, TIMESCALE, (AVRational){30, 1}, &e, &err), 0);
    assert_int_equal(gm_encoder_context(e)->rc_max_rate, 300000);
    assert_int_equal(gm_encoder_context(e)->rc_buffer_size, 600000);
    size_t size = 0;
    uint8_t planned[256];
    const uint8_t *headers = gm_encoder_headers(e, &size);
    assert_true(size < sizeof planned);
    memcpy(planned, headers, size);
    gm_encoder_close(&e);
    /* A chunk has less; its parameter sets stay those of the plan. */
    s.r.extradata = (ProtobufCBinaryData){size, planned};
    struct gm_vbv_limits limits = {
        .rate_bps = 30000, .buffer_bits = 40000, .init_bits = 20000, .crf_add = 3};
    struct gm_encoder_params params = {.rendition = &s.r,
                                       .facts = &s.f,
                                       .timescale = TIMESCALE,
                                       .rate = {30, 1},
                                       .limits = &limits};
    assert_int_equal(gm_encoder_open(&params, &e, &err), 0);
    assert_int_equal(gm_encoder_context(e)->rc_max_rate, 30000);
    assert_int_equal(gm_encoder_context(e)->rc_buffer_size, 40000);
    assert_int_equal(gm_encoder_context(e)->rc_initial_buffer_occupancy,
                     20000 - 8 * 30000 / 30); /* eight black pictures go before */
    headers = gm_encoder_headers(e, &size);
    assert_int_equal(size, s.r.extradata.len);
    assert_memory_equal(headers, planned, size);
    gm_encoder_close(&e);
    /* Level 1b, which is a flag in a baseline stream. */
    set_h264(&s, "ultrafast", 40, -1);
    s.r.extradata = (ProtobufCBinaryData){0, NULL};
    s.r.width_px = 144;
    s.r.height_px = 112;
    s.r.maxrate_bps = 80000;
    s.r.bufsize_bits = 160000;
    assert_int_equal(open_set(&s, TIMESCALE, (AVRational){15, 1}, &e, &err), 0);
    headers = gm_encoder_headers(e, &size);
    assert_true(size < sizeof planned);
    memcpy(planned, headers, size);
    gm_encoder_close(&e);
    s.r.extradata = (ProtobufCBinaryData){size, planned};
    params.rate = (AVRational){15, 1};
    assert_int_equal(gm_encoder_open(&params, &e, &err), 0);
    headers = gm_encoder_headers(e, &size);
    assert_int_equal(size, s.r.extradata.len);
    assert_memory_equal(headers, planned, size);
    gm_encoder_close(&e);
    set_h264(&s, "veryfast", -1, 20);
    s.r.maxrate_bps = 300000;
    s.r.bufsize_bits = 600000;
    assert_int_equal(open_set(&s, TIMESCALE, (AVRational){30, 1}, &e, &err), 0);
    assert_int_equal(gm_encoder_context(e)->rc_max_rate, 0);
    gm_encoder_close(&e);
}

/* Pictures [first, end) with a keyframe each 24; bytes of each into sizes. */
static void encode_part(const struct set *s, int first, int end, int sizes[])
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    assert_int_equal(open_set(s, TIMESCALE, (AVRational){30, 1}, &e, &err), 0);
    AVPacket *packet = av_packet_alloc();
    int count = 0;
    for (int i = first; i <= end; i++) {
        AVFrame *f = i < end ? clip_picture(160, 96, AV_PIX_FMT_YUV420P, i) : NULL;
        if (f != NULL) {
            f->pts = i * 512;
            f->pict_type = i % 24 == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        }
        assert_int_equal(gm_encoder_send(e, f, &err), 0);
        bool got = true;
        while (gm_encoder_receive(e, packet, &got, &err) == 0 && got) {
            sizes[packet->pts / 512] = packet->size;
            assert_int_equal((packet->flags & AV_PKT_FLAG_KEY) != 0, packet->pts % (24 * 512) == 0);
            count++;
            av_packet_unref(packet);
        }
        av_frame_free(&f);
    }
    assert_int_equal(count, end - first);
    av_packet_free(&packet);
    gm_encoder_close(&e);
}

/* A chunk's first picture is no worse and its last ones are not starved, against one encoder that
 * went through. */
static void compare_chunk(const char *codec)
{
    struct set s;
    int whole[72];
    int alone[72];
    int whole_end = 0;
    int alone_end = 0;
    set_init(&s, codec, false, 23, -1);
    s.p.preset = (char *)(uintptr_t) "veryfast";
    s.r.maxrate_bps = 0;
    encode_part(&s, 0, 72, whole);
    encode_part(&s, 24, 48, alone);
    assert_in_range(alone[24], whole[24] * 97 / 100, whole[24] * 103 / 100);
    for (int i = 36; i < 48; i++) {
        whole_end += whole[i];
        alone_end += alone[i];
    }
    assert_in_range(alone_end, whole_end * 9 / 10, whole_end * 13 / 10);
}

static void a_chunk_begins_and_ends_as_in_mid_stream(void **state)
{
    (void)state;
    compare_chunk("h264");
    compare_chunk("hevc");
}

static void bad_settings_are_refused_and_nothing_is_given(void **state)
{
    (void)state;
    struct set good;
    set_h264(&good, "veryfast", 23, -1);
    for (int k = 0; k < 14; k++) {
        struct set s = good;
        struct gm_err err = {0};
        struct gm_encoder *e = NULL;
        uint32_t timescale = TIMESCALE;
        s.r.encode = &s.p;
        switch (k) {
        case 0:
            s.r.width_px = 161;
            break;
        case 1:
            s.r.height_px = 0;
            break;
        case 2:
            s.r.width_px = 1000000;
            break;
        case 3:
            timescale = 0;
            break;
        case 4:
            s.p.codec = "vp8";
            break;
        case 5:
            s.p.crf = 52;
            break;
        case 6:
            s.p.crf = -1;
            break;
        case 7:
            s.r.bufsize_bits = 0;
            break;
        case 8:
            s.p.preset = "quickest";
            break;
        case 9: /* a level below what these pictures need */
            s.p.level = "1";
            s.r.width_px = 1920;
            s.r.height_px = 1080;
            break;
        case 10:
            s.p.codec = "hevc";
            s.r.height_px = 14;
            break;
        case 11:
            s.p.profile = "main";
            s.r.pixel_format = "yuv420p10le";
            break;
        case 12:
            s.r.pixel_format = "yuv422p";
            break;
        default:
            s.r.encode = NULL;
            break;
        }
        int rc = open_set(&s, timescale, (AVRational){30, 1}, &e, &err);
        assert_int_equal(rc, k == 8             ? -GM_E_MEDIA
                             : k >= 9 && k < 13 ? -GM_E_PIPELINE_UNFIT
                                                : -GM_E_INVAL);
        assert_null(e);
        assert_true(err.text[0] != '\0');
    }
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

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_gives_the_same_bytes), /* before libraries keep our flags */
        cmocka_unit_test(idrs_come_where_they_are_forced_and_nowhere_else),
        cmocka_unit_test(the_plan_knows_how_far_pictures_move),
        cmocka_unit_test(colour_is_tagged_as_the_rendition_says),
        cmocka_unit_test(uneven_rates_have_no_b_pictures),
        cmocka_unit_test(the_plan_opens_with_what_is_declared_and_chunks_with_their_limits),
        cmocka_unit_test(a_chunk_begins_and_ends_as_in_mid_stream),
        cmocka_unit_test(bad_settings_are_refused_and_nothing_is_given),
        cmocka_unit_test(blame_is_the_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
