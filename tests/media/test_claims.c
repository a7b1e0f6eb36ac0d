#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/claims.h"

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
    st->discard = AVDISCARD_ALL;
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
        f->duration_estimation_method = rows[i].method;
        f->duration = rows[i].claimed;
        assert_int_equal(gm_claims_short_us(f, 0, rows[i].size, rows[i].start, rows[i].end),
                         rows[i].lost);
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
        assert_int_equal(gm_claims_short_us(f, 0, 10000000, 0, rows[i].end), rows[i].lost);
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
        cmocka_unit_test(an_avi_file_is_as_long_as_its_stream_headers_say),
        cmocka_unit_test(an_index_of_what_was_read_gives_way_to_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
