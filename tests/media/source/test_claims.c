#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/source/claims.h"

/* One second a packet, 100 bytes each from offset 1000 on. */
static AVFormatContext *indexed(enum AVMediaType type, int packets)
{
    AVFormatContext *f = avformat_alloc_context();
    assert_non_null(f);
    AVStream *st = avformat_new_stream(f, NULL);
    assert_non_null(st);
    st->codecpar->codec_type = type;
    st->time_base = (AVRational){1, 1000};
    for (int i = 0; i < packets; i++) {
        assert_true(av_add_index_entry(st, 1000 + 100 * i, 1000 * i, 100, 0, AVINDEX_KEYFRAME) >=
                    0);
    }
    return f;
}

static void the_index_tells_what_lies_outside(void **state)
{
    static const struct {
        enum AVMediaType type;
        int packets;
        int64_t size, outside_us;
    } rows[] = {
        {AVMEDIA_TYPE_VIDEO, 10, 2000, 0},       {AVMEDIA_TYPE_VIDEO, 10, 1999, 1},
        {AVMEDIA_TYPE_VIDEO, 10, 1900, 1},       {AVMEDIA_TYPE_VIDEO, 10, 1899, 1000000},
        {AVMEDIA_TYPE_AUDIO, 10, 1500, 4000000}, {AVMEDIA_TYPE_VIDEO, 10, 0, 9000000},
        {AVMEDIA_TYPE_SUBTITLE, 10, 0, 0},       {AVMEDIA_TYPE_VIDEO, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFormatContext *f = indexed(rows[i].type, rows[i].packets);
        assert_int_equal(gm_claims_outside_us(f, rows[i].size), rows[i].outside_us);
        avformat_free_context(f);
    }
}

static void streams_are_told_apart_where_they_differ(void **state)
{
    AVFormatContext *f = indexed(AVMEDIA_TYPE_VIDEO, 10);
    char text[GM_CLAIMS_TEXT];
    (void)state;
    gm_claims_tell_streams(f, 1500, text);
    assert_string_equal(text, "");
    AVStream *st = avformat_new_stream(f, NULL);
    assert_non_null(st);
    st->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    st->time_base = (AVRational){1, 1000};
    for (int i = 0; i < 10; i++) {
        assert_true(av_add_index_entry(st, 2000 + 100 * i, 1000 * i, 100, 0, AVINDEX_KEYFRAME) >=
                    0);
    }
    gm_claims_tell_streams(f, 3000, text);
    assert_string_equal(text, "");
    gm_claims_tell_streams(f, 2500, text);
    assert_string_equal(text, " (stream 0: 0.000 s, stream 1: 4.000 s)");
    assert_true(gm_claims_all_read(f));
    st->discard = AVDISCARD_ALL;
    assert_false(gm_claims_all_read(f));
    st->disposition = AV_DISPOSITION_ATTACHED_PIC;
    assert_true(gm_claims_all_read(f));
    st->disposition = 0;
    gm_claims_tell_streams(f, 2500, text);
    assert_string_equal(text, "");
    st->discard = AVDISCARD_DEFAULT;
    for (int i = 0; i < 20; i++) { /* more than there is room for */
        AVStream *more = avformat_new_stream(f, NULL);
        assert_non_null(more);
        more->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    }
    gm_claims_tell_streams(f, 2500, text);
    assert_true(strlen(text) < GM_CLAIMS_TEXT);
    assert_non_null(strstr(text, "stream 1: 4.000 s, "));
    assert_int_equal(text[strlen(text) - 1], ')');
    avformat_free_context(f);
}

static void an_index_of_all_time_is_a_long_one(void **state)
{
    AVFormatContext *f = indexed(AVMEDIA_TYPE_VIDEO, 0);
    (void)state;
    assert_true(av_add_index_entry(f->streams[0], 10, INT64_MIN + 1, 5, 0, AVINDEX_KEYFRAME) >= 0);
    assert_true(av_add_index_entry(f->streams[0], 20, INT64_MAX, 5, 0, AVINDEX_KEYFRAME) >= 0);
    assert_int_equal(gm_claims_outside_us(f, 10), INT64_MAX);
    avformat_free_context(f);
}

static int64_t short_us(const AVFormatContext *f, int64_t header_us, int64_t size, int64_t start_us,
                        const struct gm_claims_span *span)
{
    struct gm_claims_file file = {.size = size, .header_us = header_us};
    return gm_claims_short_us(f, &file, start_us, span);
}

static void headers_are_believed_within_reason(void **state)
{
    static const struct {
        enum AVDurationEstimationMethod method;
        int64_t claimed, size, start, end, lost;
    } rows[] = {
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1000000, 0, 5000000, 5000000},
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1000000, 0, 9000000, 0}, /* the slack */
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1000000, 0, 8999999, 1000001},
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1000000, 0, 12000000, 0},
        {AVFMT_DURATION_FROM_PTS, 10000000, 1000000, 0, 5000000, 0},
        {AVFMT_DURATION_FROM_BITRATE, 10000000, 1000000, 0, 5000000, 0},
        {AVFMT_DURATION_FROM_STREAM, AV_NOPTS_VALUE, 1000000, 0, 5000000, 0},
        /* starts at 10 s of 14 */
        {AVFMT_DURATION_FROM_STREAM, 14000000, 1000000, 10000000, 14000000, 0},
        {AVFMT_DURATION_FROM_STREAM, 14000000, 1000000, -1000000, 11000000, 2000000},
        /* further than a number reaches */
        {AVFMT_DURATION_FROM_STREAM, 14000000, 1000000, -2, INT64_MAX - 1, 0},
        {AVFMT_DURATION_FROM_STREAM, 14000000, 1000000, INT64_MIN, 0, 0},
        /* 40 hours in 106 kB */
        {AVFMT_DURATION_FROM_STREAM, 143165643233, 106093, 0, 1068000, 0},
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1250, 0, 5000000, 5000000},
        {AVFMT_DURATION_FROM_STREAM, 10000000, 1249, 0, 5000000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFormatContext *f = avformat_alloc_context();
        assert_non_null(f);
        struct gm_claims_span span = {.any = true, .end_us = rows[i].end};
        f->duration_estimation_method = rows[i].method;
        f->duration = rows[i].claimed;
        assert_int_equal(short_us(f, 0, rows[i].size, rows[i].start, &span), rows[i].lost);
        avformat_free_context(f);
    }
}

static void a_length_of_all_ones_is_none(void **state)
{
    static const struct {
        const char *format;
        int64_t duration, lost;
    } rows[] = {
        {"mov", UINT32_MAX, 0},
        {"mov", UINT32_MAX - 1, UINT32_MAX * INT64_C(100) - 5000000},
        {"matroska", UINT32_MAX, UINT32_MAX * INT64_C(100) - 5000000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFormatContext *f = indexed(AVMEDIA_TYPE_VIDEO, 0);
        struct gm_claims_span span = {.any = true, .end_us = 5000000};
        f->iformat = av_find_input_format(rows[i].format);
        assert_non_null(f->iformat);
        f->streams[0]->duration = rows[i].duration;
        f->duration_estimation_method = AVFMT_DURATION_FROM_STREAM;
        f->duration = UINT32_MAX * INT64_C(100);
        assert_int_equal(short_us(f, 0, INT64_C(1) << 30, 0, &span), rows[i].lost);
        avformat_free_context(f);
    }
}

/* Packets of 1/1000 s; of each its time and length. */
static void a_last_packet_without_a_length_may_be_as_long_as_the_one_before(void **state)
{
    static const struct {
        int64_t claimed;
        int64_t at[5][2];
        int count;
        int64_t lost;
    } rows[] = {
        {100, {{0, 33}, {33, 33}, {66, 33}}, 3, 0},
        {100, {{0, 0}, {33, 0}, {66, 0}}, 3, 0}, /* 34 are missing: a picture */
        {80, {{0, 0}, {33, 0}}, 2, 47000},
        {67, {{0, 0}, {33, 0}}, 2, 0},
        {66, {{33, 0}, {0, 0}}, 2, 0}, /* the end is the first one read */
        {2000, {{0, 0}, {1000, 0}}, 2, 0},
        {2200, {{0, 0}, {100, 900}, {1000, 0}}, 3, 1200000},
        {5000, {{0, 0}, {500, 0}, {0, 500}}, 3, 4500000}, /* two that end together */
        {900, {{0, 0}}, 1, 0},                            /* one alone */
        {2100, {{0, 0}}, 1, 2100000},
        {60000, {{0, 0}, {20000, 0}, {40000, 0}}, 3, 0},
        {60000, {{0, 0}, {INT64_MIN, 7}, {10, 0}, {20, 0}}, 4, 59980000},
        /* 40 ms that libavformat guessed, of pictures that stand for 20 s; one that is reordered */
        {60000, {{0, 40}, {20000, 40}, {40000, 40}}, 3, 0},
        {60000, {{0, 40}, {40000, 40}, {20000, 40}}, 3, 0},
        {90000, {{0, 40}, {20000, 40}, {40000, 40}}, 3, 49960000},
        /* these were as long as told */
        {60000, {{0, 20000}, {20000, 20000}, {40000, 40}}, 3, 19960000},
        {60000, {{0, 10000}, {30000, 10000}, {10000, 10000}, {20000, 10000}}, 4, 20000000},
        {60000, {{0, 0}, {0, 0}, {40000, 40}}, 3, 19960000},
        {60000, {{INT64_MIN + 1, 1}, {INT64_MAX, 0}}, 2, 0},
    };
    (void)state;
    AVPacket *p = av_packet_alloc();
    assert_non_null(p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_claims_span span = {0};
        AVFormatContext *f = indexed(AVMEDIA_TYPE_VIDEO, 0);
        f->duration_estimation_method = AVFMT_DURATION_FROM_STREAM;
        f->duration = rows[i].claimed * 1000;
        for (int k = 0; k < rows[i].count; k++) {
            p->pts = rows[i].at[k][0];
            p->duration = rows[i].at[k][1];
            gm_claims_note(&span, f->streams[0], p);
        }
        int64_t lost = short_us(f, 0, 1000000, 0, &span);
        if (lost != rows[i].lost) {
            fail_msg("row %zu: lost %lld", i, (long long)lost);
        }
        avformat_free_context(f);
    }
    av_packet_free(&p);
}

/* Pictures of 5 s without a length, and sound that ends a little after the last one began. */
static void sound_does_not_end_the_picture_before_it(void **state)
{
    static const struct {
        int64_t sound_end, claimed;
        bool cut;
        int64_t lost;
    } rows[] = {
        {25600, 30000, false, 0},       {25600, 31250, false, 0}, {25600, 32000, false, 6400000},
        {25600, 30000, true, 4400000},                           /* the file itself is too short */
        {25600, 26500, true, 0},        {24600, 30000, true, 0}, /* the picture ends last */
        {40000, 42000, false, 2000000},
    };
    (void)state;
    AVPacket *p = av_packet_alloc();
    assert_non_null(p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_claims_span span = {0};
        struct gm_claims_file file = {.size = 1000000, .cut = rows[i].cut};
        AVFormatContext *f = indexed(AVMEDIA_TYPE_VIDEO, 0);
        AVStream *sound = avformat_new_stream(f, NULL);
        assert_non_null(sound);
        sound->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
        sound->time_base = (AVRational){1, 1000};
        f->duration_estimation_method = AVFMT_DURATION_FROM_STREAM;
        f->duration = rows[i].claimed * 1000;
        for (int64_t at = 0; at < rows[i].sound_end; at += 20) {
            p->pts = at;
            p->duration = 20;
            gm_claims_note(&span, sound, p);
            p->duration = 0;
            if (at % 5000 == 0 && at <= 25000) {
                gm_claims_note(&span, f->streams[0], p);
            }
        }
        if (rows[i].sound_end < 25000) {
            p->pts = 25000;
            gm_claims_note(&span, f->streams[0], p);
        }
        int64_t lost = gm_claims_short_us(f, &file, 0, &span);
        if (lost != rows[i].lost) {
            fail_msg("row %zu: lost %lld", i, (long long)lost);
        }
        avformat_free_context(f);
    }
    av_packet_free(&p);
}

static void what_is_not_shown_has_no_end(void **state)
{
    struct gm_claims_span span = {0};
    AVFormatContext *f = indexed(AVMEDIA_TYPE_AUDIO, 0);
    AVPacket *p = av_packet_alloc();
    (void)state;
    assert_non_null(p);
    p->pts = 1000;
    p->duration = INT64_MAX;
    p->flags = AV_PKT_FLAG_DISCARD;
    gm_claims_note(&span, f->streams[0], p);
    assert_false(span.any);
    assert_int_equal(short_us(f, 5000000, 1000000, 0, &span), 0);
    p->flags = 0;
    gm_claims_note(&span, f->streams[0], p);
    assert_true(span.any);
    assert_int_equal(span.end_us, 1000000); /* beyond all numbers: no length */
    f->streams[0]->index = GM_CLAIMS_STREAMS;
    p->pts = 2000;
    gm_claims_note(&span, f->streams[0], p);
    assert_int_equal(span.end_us, 1000000);
    av_packet_free(&p);
    f->streams[0]->index = 0;
    avformat_free_context(f);
}

static void subtitles_may_go_on_and_the_header_with_them(void **state)
{
    static const struct {
        int64_t claimed, end, text, lost;
    } rows[] = {
        {10000, 4000, 10000, 0},    {10000, 4000, 9100, 0},    {10000, 4000, 10900, 0},
        {10000, 4000, 5000, 6000},  {10000, 4000, 8900, 6000}, /* cut off within a subtitle */
        {10000, 4000, 30000, 6000}, {10000, 10000, 30000, 0},  {10000, 4000, 0, 6000},
    };
    (void)state;
    AVPacket *p = av_packet_alloc();
    assert_non_null(p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_claims_span span = {.any = true, .end_us = rows[i].end * 1000};
        AVFormatContext *f = indexed(AVMEDIA_TYPE_SUBTITLE, 0);
        f->duration_estimation_method = AVFMT_DURATION_FROM_STREAM;
        f->duration = rows[i].claimed * 1000;
        p->pts = rows[i].text / 2;
        p->duration = rows[i].text - p->pts;
        gm_claims_note(&span, f->streams[0], p);
        p->duration = 1; /* a later one that is over before */
        gm_claims_note(&span, f->streams[0], p);
        assert_int_equal(span.end_us, rows[i].end * 1000);
        assert_int_equal(short_us(f, 0, 1000000, 0, &span), rows[i].lost * 1000);
        avformat_free_context(f);
    }
    av_packet_free(&p);
}

static void what_was_never_written_has_no_end(void **state)
{
    static const struct {
        enum AVCodecID codec;
        int size, other; /* the byte that is not zero; -1: none */
        bool counts;
    } rows[] = {{AV_CODEC_ID_H264, 100, -1, false}, {AV_CODEC_ID_H264, 100, 0, true},
                {AV_CODEC_ID_H264, 100, 99, true},  {AV_CODEC_ID_AAC, 1, -1, false},
                {AV_CODEC_ID_AAC, 0, -1, true},     {AV_CODEC_ID_PCM_S16LE, 100, -1, true},
                {AV_CODEC_ID_RAWVIDEO, 9, -1, true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_claims_span span = {0};
        AVFormatContext *f = indexed(AVMEDIA_TYPE_AUDIO, 0);
        AVPacket *p = av_packet_alloc();
        assert_true(p != NULL && av_new_packet(p, rows[i].size) == 0);
        memset(p->data, 0, (size_t)rows[i].size);
        if (rows[i].other >= 0) {
            p->data[rows[i].other] = 1;
        }
        p->pts = 1000;
        f->streams[0]->codecpar->codec_id = rows[i].codec;
        gm_claims_note(&span, f->streams[0], p);
        assert_int_equal(span.any, rows[i].counts);
        av_packet_free(&p);
        avformat_free_context(f);
    }
}

static void an_avi_file_is_as_long_as_its_stream_headers_say(void **state)
{
    static const struct {
        int64_t video, sound; /* frames of 40 ms, samples of 1/48000 s */
        int64_t estimated, end, lost;
    } rows[] = {
        {250, 480000, 5000000, 5000000, 5000000},
        {250, 0, 5000000, 9000000, 0},
        {250, 96000000, 5000000, 5000000, 5000000}, /* pictures count */
        {0, 480000, 4000000, 4000000, 6000000},
        {0, 0, 7000000, 4000000, 3000000},
        {-1, 0, 4000000, 4000000, 0},
        {INT64_MAX, 0, 4000000, 4000000, 0}, /* not credible */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFormatContext *f = avformat_alloc_context();
        assert_non_null(f);
        f->iformat = av_find_input_format("avi");
        for (int k = 0; k < 2; k++) {
            AVStream *st = avformat_new_stream(f, NULL);
            assert_non_null(st);
            st->codecpar->codec_type = k == 0 ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
            st->time_base = k == 0 ? (AVRational){1, 25} : (AVRational){1, 48000};
            st->nb_frames = k == 0 ? rows[i].video : rows[i].sound;
        }
        f->duration_estimation_method = AVFMT_DURATION_FROM_STREAM;
        f->duration = rows[i].estimated;
        struct gm_claims_span span = {.any = true, .end_us = rows[i].end};
        assert_int_equal(short_us(f, 0, 10000000, 0, &span), rows[i].lost);
        f->iformat = NULL;
        avformat_free_context(f);
    }
}

static void an_index_of_what_was_read_gives_way_to_the_header(void **state)
{
    (void)state;
    assert_int_equal(gm_claims_lost_us(0, 0), 0);
    assert_int_equal(gm_claims_lost_us(1, 0), 1);
    assert_int_equal(gm_claims_lost_us(0, 6000000), 6000000);
    assert_int_equal(gm_claims_lost_us(1, 6000000), 6000000);
    assert_int_equal(gm_claims_lost_us(999999, 6000000), 6000000);
    assert_int_equal(gm_claims_lost_us(1000000, 6000000), 1000000);
    assert_int_equal(gm_claims_lost_us(6500000, 6000000), 6500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_tells_what_lies_outside),
        cmocka_unit_test(streams_are_told_apart_where_they_differ),
        cmocka_unit_test(an_index_of_all_time_is_a_long_one),
        cmocka_unit_test(headers_are_believed_within_reason),
        cmocka_unit_test(a_length_of_all_ones_is_none),
        cmocka_unit_test(a_last_packet_without_a_length_may_be_as_long_as_the_one_before),
        cmocka_unit_test(sound_does_not_end_the_picture_before_it),
        cmocka_unit_test(what_is_not_shown_has_no_end),
        cmocka_unit_test(subtitles_may_go_on_and_the_header_with_them),
        cmocka_unit_test(what_was_never_written_has_no_end),
        cmocka_unit_test(an_avi_file_is_as_long_as_its_stream_headers_say),
        cmocka_unit_test(an_index_of_what_was_read_gives_way_to_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
