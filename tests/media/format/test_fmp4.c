#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "media/format/bitstream.h"
#include "media/format/fmp4.h"

/* CMAF segments written and read back. */

#define MAX_SAMPLES 16

struct shape {
    const char *name;
    size_t count;
    int64_t pts[MAX_SAMPLES];
    int64_t end_ts;
};
static const struct shape shapes[] = {
    {"one frame", 1, {0}, 512},
    {"no reordering", 4, {1000, 1512, 2024, 2536}, 3048},
    {"B-frames", 5, {0, 4, 2, 6, 8}, 10},
    {"pyramid", 9, {100, 108, 104, 102, 106, 116, 112, 110, 114}, 118},
    {"variable durations", 6, {7, 90, 8, 40, 1000, 999}, 1001},
    {"late start", 3, {1LL << 40, (1LL << 40) + 3, (1LL << 40) + 1}, (1LL << 40) + 4},
};

struct seen {
    size_t count;
    struct gm_fmp4_read_sample sample[MAX_SAMPLES * 2];
};

static int take(const struct gm_fmp4_read_sample *sample, void *arg)
{
    struct seen *seen = arg;
    assert_true(seen->count < MAX_SAMPLES * 2);
    seen->sample[seen->count++] = *sample;
    return 0;
}

static const uint8_t payload[64] = {1, 2, 3, 4, 5, 6, 7, 8};

static void make(const struct shape *shape, struct gm_fmp4_sample samples[MAX_SAMPLES])
{
    for (size_t i = 0; i < shape->count; i++) {
        samples[i] = (struct gm_fmp4_sample){payload, i + 3, shape->pts[i], i == 0};
    }
}

static void samples_come_back_as_written(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
        const struct shape *shape = &shapes[k];
        struct gm_fmp4_sample samples[MAX_SAMPLES];
        struct gm_buf buf = {0};
        struct gm_err err;
        struct seen seen = {0};
        Gm__GopMeta gop = GM__GOP_META__INIT;
        make(shape, samples);
        gm_fmp4_segment_start(&buf);
        size_t start = buf.size;
        assert_int_equal(
            gm_fmp4_fragment(17, 16, samples, shape->count, shape->end_ts, &buf, &gop, &err), 0);
        assert_int_equal(gop.offset, start);
        assert_int_equal(gop.offset + gop.size, buf.size);
        assert_int_equal(gop.start_ts, shape->pts[0]);
        assert_int_equal(gop.duration_ts, shape->end_ts - shape->pts[0]);
        assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, &err), 0);
        assert_int_equal(seen.count, shape->count);
        int64_t dts = shape->pts[0];
        for (size_t i = 0; i < seen.count; i++) {
            const struct gm_fmp4_read_sample *s = &seen.sample[i];
            assert_int_equal(s->pts, shape->pts[i]);
            assert_int_equal(s->dts, dts);
            assert_int_equal(s->size, i + 3);
            assert_int_equal(s->sync, i == 0);
            assert_memory_equal(buf.data + s->offset, payload, s->size);
            dts += s->duration;
        }
        assert_int_equal(dts, shape->end_ts);
        assert_int_equal(seen.sample[0].offset + seen.sample[0].size, gop.offset + gop.idr_size);
        gm_buf_fini(&buf);
    }
}

static void decode_times_are_the_sorted_presentation_times(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[MAX_SAMPLES];
    struct gm_buf buf = {0};
    struct gm_err err;
    struct seen seen = {0};
    static const int64_t sorted[] = {7, 8, 40, 90, 999, 1000};
    make(&shapes[4], samples);
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(1, 1000, samples, 6, 1001, &buf, NULL, &err), 0);
    assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, &err), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(seen.sample[i].dts, sorted[i]);
    }
    gm_buf_fini(&buf);
}

static void decode_times_keep_to_the_delay(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[MAX_SAMPLES];
    struct gm_buf buf = {0};
    struct gm_err err;
    struct seen seen = {0};
    static const int64_t expected[] = {7, 8, 10, 42, 999, 1000};
    static const struct shape tight = {"too tight", 3, {0, 2, 1}, 3};
    make(&shapes[4], samples);
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(1, 2, samples, 6, 1001, &buf, NULL, &err), 0);
    assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, &err), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(seen.sample[i].dts, expected[i]);
        assert_int_equal(seen.sample[i].pts, shapes[4].pts[i]);
        assert_int_equal(seen.sample[i].delay_ts, 2);
        assert_true(seen.sample[i].dts <= seen.sample[i].pts + 2);
    }
    size_t size = buf.size;
    make(&tight, samples);
    assert_int_equal(gm_fmp4_fragment(1, 0, samples, 3, 3, &buf, NULL, &err), -GM_E_INVAL);
    assert_int_equal(gm_fmp4_fragment(1, -2, samples, 3, 3, &buf, NULL, &err), -GM_E_INVAL);
    assert_int_equal(buf.size, size);
    assert_int_equal(gm_fmp4_fragment(1, 1, samples, 3, 3, &buf, NULL, &err), 0);
    gm_buf_fini(&buf);
}

static void several_fragments_make_a_segment(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[MAX_SAMPLES];
    struct gm_buf buf = {0};
    struct gm_err err;
    struct seen seen = {0};
    Gm__GopMeta a = GM__GOP_META__INIT;
    Gm__GopMeta b = GM__GOP_META__INIT;
    make(&shapes[2], samples);
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(16, 16, samples, 5, 10, &buf, &a, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        samples[i].pts += 10;
    }
    assert_int_equal(gm_fmp4_fragment(17, 16, samples, 5, 20, &buf, &b, &err), 0);
    assert_int_equal(b.offset, a.offset + a.size);
    assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, &err), 0);
    assert_int_equal(seen.count, 10);
    assert_int_equal(seen.sample[4].fragment, 0);
    assert_int_equal(seen.sample[5].fragment, 1);
    assert_int_equal(seen.sample[5].pts, 10);
    gm_buf_fini(&buf);
}

static void sound_has_one_duration_for_all(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[4];
    struct gm_buf buf = {0};
    struct gm_err err;
    struct seen seen = {0};
    for (size_t i = 0; i < 4; i++) {
        samples[i] = (struct gm_fmp4_sample){payload, 10 + i, (int64_t)(i + 5) * 1024, true};
    }
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(16, GM_FMP4_SOUND, samples, 4, 9 * 1024, &buf, NULL, &err),
                     0);
    assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, &err), 0);
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(seen.sample[i].dts, (i + 5) * 1024);
        assert_int_equal(seen.sample[i].pts, (i + 5) * 1024);
        assert_int_equal(seen.sample[i].duration, 1024);
        assert_int_equal(seen.sample[i].size, 10 + i);
        assert_true(seen.sample[i].sync);
    }
    gm_buf_fini(&buf);
}

/* Sizes and offsets alone are said for each picture where times and keyframes are as usual. */
static void what_all_share_is_said_once(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[5];
    size_t sizes[3];
    static const int64_t even[] = {0, 4, 2, 6, 8}, uneven[] = {0, 4, 2, 7, 8};
    for (int k = 0; k < 3; k++) {
        struct gm_buf buf = {0};
        struct seen seen = {0};
        for (size_t i = 0; i < 5; i++) {
            samples[i] = (struct gm_fmp4_sample){payload, 10, k == 1 ? uneven[i] : even[i],
                                                 i == 0 || (k == 2 && i == 3)};
        }
        gm_fmp4_segment_start(&buf);
        assert_int_equal(gm_fmp4_fragment(1, 4, samples, 5, 10, &buf, NULL, NULL), 0);
        assert_int_equal(gm_fmp4_read_segment(buf.data, buf.size, take, &seen, NULL), 0);
        assert_int_equal(seen.count, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(seen.sample[i].pts, samples[i].pts);
            assert_int_equal(seen.sample[i].sync, samples[i].sync);
        }
        sizes[k] = buf.size;
        gm_buf_fini(&buf);
    }
    assert_int_equal(sizes[1], sizes[0] - 4 + 5 * 4);     /* durations */
    assert_int_equal(sizes[2], sizes[0] - 4 - 4 + 5 * 4); /* flags, and no first one's */
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[MAX_SAMPLES];
    struct gm_buf buf = {0};
    struct gm_err err;
    make(&shapes[3], samples);
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(1, 16, samples, 9, 118, &buf, NULL, &err), 0);
    for (size_t size = 0; size < buf.size; size++) {
        struct seen seen = {0};
        uint8_t *copy = malloc(size + 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(copy);
        copy = realloc(copy, size > 0 ? size : 1);
        memcpy(copy, buf.data, size);
        assert_int_equal(gm_fmp4_read_segment(copy, size, take, &seen, &err), -GM_E_MEDIA);
        free(copy);
    }
    gm_buf_fini(&buf);
}

static int ignore(const struct gm_fmp4_read_sample *sample, void *arg)
{
    (void)sample;
    (void)arg;
    return 0;
}

static void flipped_bits_never_crash(void **state)
{
    (void)state;
    struct gm_fmp4_sample samples[MAX_SAMPLES];
    struct gm_buf buf = {0};
    struct gm_err err;
    make(&shapes[2], samples);
    gm_fmp4_segment_start(&buf);
    assert_int_equal(gm_fmp4_fragment(1, 16, samples, 5, 10, &buf, NULL, &err), 0);
    for (size_t bit = 0; bit < buf.size * 8; bit++) {
        buf.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        GM_IGNORE(gm_fmp4_read_segment(buf.data, buf.size, ignore, NULL, &err),
                  "either answer is right");
        buf.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    gm_buf_fini(&buf);
}

static void bad_fragments_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct shape shape;
        bool sync;
    } rows[] = {
        {"same time twice", {"", 3, {0, 4, 4}, 8}, true},
        {"end before the last", {"", 3, {0, 4, 8}, 8}, true},
        {"first is not the earliest", {"", 3, {4, 0, 8}, 12}, true},
        {"negative", {"", 2, {-4, 0}, 4}, true},
        {"no sync sample", {"", 2, {0, 4}, 8}, false},
        {"too long", {"", 2, {0, 1LL << 33}, 1LL << 34}, true},
        {"empty", {"", 0, {0}, 8}, true},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct gm_fmp4_sample samples[MAX_SAMPLES];
        struct gm_buf buf = {0};
        struct gm_err err;
        make(&rows[k].shape, samples);
        samples[0].sync = rows[k].sync;
        assert_int_equal(gm_fmp4_fragment(1, 0, samples, rows[k].shape.count, rows[k].shape.end_ts,
                                          &buf, NULL, &err),
                         -GM_E_INVAL);
        assert_int_equal(buf.size, 0);
        gm_buf_fini(&buf);
    }
}

static const uint8_t avcc[] = {1,    0x64, 0,    0x0a, 0xff, 0xe1, 0,    9,    0x67, 0x64,
                               0,    0x0a, 0xac, 0xd9, 0x44, 0x36, 0x84, 1,    0,    6,
                               0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0};

static void video_init_comes_back_as_written(void **state)
{
    (void)state;
    struct gm_fmp4_video video = {.codec = "h264",
                                  .width_px = 64,
                                  .height_px = 48,
                                  .timescale = 15360,
                                  .config = avcc,
                                  .config_size = sizeof(avcc)};
    struct gm_buf buf = {0};
    struct gm_err err;
    struct gm_fmp4_init init;
    assert_int_equal(gm_fmp4_video_init(&video, &buf, &err), 0);
    assert_int_equal(gm_fmp4_read_init(buf.data, buf.size, &init, &err), 0);
    assert_true(init.video);
    assert_ptr_equal(init.codec, gm_bitstream_find("h264"));
    assert_int_equal(init.timescale, 15360);
    assert_int_equal(init.width_px, 64);
    assert_int_equal(init.height_px, 48);
    assert_int_equal(init.config_size, sizeof(avcc));
    assert_memory_equal(init.config, avcc, sizeof(avcc));
    for (size_t size = 0; size < buf.size; size++) {
        struct gm_fmp4_init unused;
        assert_int_equal(gm_fmp4_read_init(buf.data, size, &unused, &err), -GM_E_MEDIA);
    }
    gm_buf_fini(&buf);
}

static void sample_entries_of_unknown_codecs_are_refused(void **state)
{
    (void)state;
    struct gm_fmp4_video video = {.codec = "vp8",
                                  .width_px = 64,
                                  .height_px = 48,
                                  .timescale = 15360,
                                  .config = avcc,
                                  .config_size = sizeof(avcc)};
    struct gm_buf buf = {0};
    struct gm_err err;
    assert_int_equal(gm_fmp4_video_init(&video, &buf, &err), -GM_E_INVAL);
    video.codec = "h264";
    video.config_size = 6;
    assert_int_equal(gm_fmp4_video_init(&video, &buf, &err), -GM_E_MEDIA);
    assert_int_equal(buf.size, 0);
}

static void light_is_said_where_the_rendition_is_hdr(void **state)
{
    (void)state;
    static const uint8_t want[] = {
        0,    0,    0,    32,   'm',  'd',  'c',  'v',  0x33, 0xc2, 0x86, 0xc4, 0x1d, 0x4c, 0x0b,
        0xb8, 0x84, 0xd0, 0x3e, 0x80, 0x3d, 0x13, 0x40, 0x42, 0x00, 0x98, 0x96, 0x80, 0,    0,
        0,    1,    0,    0,    0,    12,   'c',  'l',  'l',  'i',  0x03, 0xe8, 0x00, 0x64};
    uint32_t primaries[6] = {13250, 34500, 7500, 3000, 34000, 16000};
    Gm__MasteringDisplay mastering = GM__MASTERING_DISPLAY__INIT;
    Gm__ContentLight light = GM__CONTENT_LIGHT__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    Gm__Rendition rendition = GM__RENDITION__INIT;
    mastering.primaries = primaries;
    mastering.n_primaries = 6;
    mastering.white_x = 15635;
    mastering.white_y = 16450;
    mastering.max_luminance = 10000000;
    mastering.min_luminance = 1;
    light.max_cll = 1000;
    light.max_fall = 100;
    facts.mastering = &mastering;
    facts.light = &light;
    struct gm_fmp4_video video = {.codec = "h264",
                                  .width_px = 64,
                                  .height_px = 48,
                                  .timescale = 15360,
                                  .config = avcc,
                                  .config_size = sizeof(avcc),
                                  .rendition = &rendition,
                                  .facts = &facts};
    for (int hdr = 0; hdr < 2; hdr++) {
        struct gm_buf buf = {0};
        struct gm_err err;
        rendition.transfer = hdr ? "smpte2084" : "bt709";
        assert_int_equal(gm_fmp4_video_init(&video, &buf, &err), 0);
        assert_int_equal(memmem(buf.data, buf.size, want, sizeof(want)) != NULL, hdr);
        assert_non_null(memmem(buf.data, buf.size, "colrnclx", 8));
        gm_buf_fini(&buf);
    }
}

static void audio_init_comes_back_as_written(void **state)
{
    (void)state;
    static const uint8_t config[] = {0x11, 0x90};
    struct gm_fmp4_audio audio = {.sample_rate = 48000,
                                  .channels = 2,
                                  .priming_samples = 1024,
                                  .bitrate_bps = 128000,
                                  .config = config,
                                  .config_size = sizeof(config),
                                  .language = "eng"};
    struct gm_buf buf = {0};
    struct gm_err err;
    struct gm_fmp4_init init;
    assert_int_equal(gm_fmp4_audio_init(&audio, &buf, &err), 0);
    assert_int_equal(gm_fmp4_read_init(buf.data, buf.size, &init, &err), 0);
    assert_false(init.video);
    assert_int_equal(init.timescale, 48000);
    assert_non_null(memmem(init.config, init.config_size, config, sizeof(config)));
    static const uint8_t elst[] = {'e', 'l', 's', 't', 0, 0, 0, 0, 0,    0,    0, 1, 0,
                                   0,   0,   0,   0,   0, 4, 0, 0, 0x01, 0x00, 0, 0};
    assert_non_null(memmem(buf.data, buf.size, elst, 22));
    gm_buf_fini(&buf);
}

static void opus_init_holds_dops(void **state)
{
    (void)state;
    uint8_t head[21 + 6] = "OpusHead\x01\x02\x38\x01\x80\xbb\0\0\x34\x12";
    static const uint8_t dops[] = {'d', 'O', 'p',  's',  0,    2,    0x01, 0x38,
                                   0,   0,   0xbb, 0x80, 0x12, 0x34, 0};
    static const uint8_t table[] = {6, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0x12, 0x34,
                                    1, 4,    2,    0, 4, 1,    2,    3,    5};
    struct gm_fmp4_audio audio = {.sample_rate = 48000,
                                  .channels = 2,
                                  .priming_samples = 312,
                                  .bitrate_bps = 128000,
                                  .opus = true,
                                  .config = head,
                                  .config_size = 19};
    struct gm_buf buf = {0};
    struct gm_err err;
    struct gm_fmp4_init init;
    assert_int_equal(gm_fmp4_audio_init(&audio, &buf, &err), 0);
    assert_int_equal(gm_fmp4_read_init(buf.data, buf.size, &init, &err), 0);
    assert_false(init.video);
    assert_int_equal(init.config_size, 11);
    assert_non_null(memmem(buf.data, buf.size, dops, sizeof(dops)));
    assert_non_null(memmem(buf.data, buf.size, "Opus", 4));
    assert_null(memmem(buf.data, buf.size, "mp4a", 4));
    gm_buf_fini(&buf);
    memcpy(head + 9, "\x06", 1);
    memcpy(head + 18, "\x01\x04\x02\0\x04\x01\x02\x03\x05", 9);
    audio.channels = 6;
    audio.config_size = 27;
    assert_int_equal(gm_fmp4_audio_init(&audio, &buf, &err), 0);
    assert_non_null(memmem(buf.data, buf.size, table, sizeof(table)));
    gm_buf_fini(&buf);
    for (int lie = 0; lie < 3; lie++) { /* cut, another count of channels, no header */
        audio.config_size = lie == 0 ? 26 : 27;
        audio.channels = lie == 1 ? 2 : 6;
        head[0] = lie == 2 ? 'o' : 'O';
        assert_int_equal(gm_fmp4_audio_init(&audio, &buf, &err), -GM_E_INVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_back_as_written),
        cmocka_unit_test(decode_times_are_the_sorted_presentation_times),
        cmocka_unit_test(decode_times_keep_to_the_delay),
        cmocka_unit_test(several_fragments_make_a_segment),
        cmocka_unit_test(sound_has_one_duration_for_all),
        cmocka_unit_test(what_all_share_is_said_once),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_never_crash),
        cmocka_unit_test(bad_fragments_are_refused),
        cmocka_unit_test(video_init_comes_back_as_written),
        cmocka_unit_test(sample_entries_of_unknown_codecs_are_refused),
        cmocka_unit_test(light_is_said_where_the_rendition_is_hdr),
        cmocka_unit_test(audio_init_comes_back_as_written),
        cmocka_unit_test(opus_init_holds_dops),
    };
    return cmocka_run_group_tests_name("fmp4", tests, NULL, NULL);
}
