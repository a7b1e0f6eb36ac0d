#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "media/source/steady.h"

#define HOUR (90000 * INT64_C(3600))

/* A transport stream of video (0), sound (1), subtitles (2), or an mp4. */
static AVFormatContext *streams(const char *format)
{
    static const enum AVMediaType types[] = {AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO,
                                             AVMEDIA_TYPE_SUBTITLE};
    AVFormatContext *f = avformat_alloc_context();
    assert_non_null(f);
    f->iformat = av_find_input_format(format);
    assert_non_null(f->iformat);
    for (int i = 0; i < 3; i++) {
        AVStream *st = avformat_new_stream(f, NULL);
        assert_non_null(st);
        st->codecpar->codec_type = types[i];
        st->time_base = (AVRational){1, 90000};
    }
    return f;
}

struct row {
    int stream;
    int64_t dts, pts, duration;
    int64_t want_dts, want_pts;
};

static void run(const char *format, const struct row *rows, size_t count, int64_t jumps)
{
    struct gm_steady s;
    struct gm_err err;
    AVFormatContext *f = streams(format);
    AVPacket *p = av_packet_alloc();
    assert_non_null(p);
    assert_int_equal(gm_steady_init(&s, f, &err), 0);
    for (size_t i = 0; i < count; i++) {
        p->dts = rows[i].dts;
        p->pts = rows[i].pts;
        p->duration = rows[i].duration;
        gm_steady_packet(&s, f->streams[rows[i].stream], p);
        if (p->dts != rows[i].want_dts || p->pts != rows[i].want_pts) {
            fail_msg("row %zu: %lld, %lld", i, (long long)p->dts, (long long)p->pts);
        }
    }
    assert_int_equal(s.jumps, jumps);
    gm_steady_fini(&s);
    av_packet_free(&p);
    avformat_free_context(f);
}

#define NONE AV_NOPTS_VALUE

static void jumps_are_taken_out(void **state)
{
    static const struct row rows[] = {
        {0, 0, 3600, 3600, 0, 3600},
        {1, 0, 0, 1800, 0, 0},
        {0, 3600, 7200, 3600, 3600, 7200},
        /* an hour on */
        {0, HOUR, HOUR + 3600, 3600, 7200, 10800},
        {1, HOUR, HOUR, 1800, 7200, 7200},
        {2, HOUR + 90, HOUR + 90, 90, 7290, 7290}, /* goes along, tells nothing */
        {0, NONE, NONE, 3600, NONE, NONE},
        {0, NONE, HOUR + 7200, 3600, NONE, 14400},
        /* and back */
        {0, 5, 3605, 3600, 18000, 21600},
        {1, 5, 5, 1800, 18000, 18000},
    };
    (void)state;
    run("mpegts", rows, sizeof rows / sizeof rows[0], 2);
}

static void distances_stay(void **state)
{
    static const struct row near[] = {
        {0, 0, 0, 3600, 0, 0},
        {0, 3600 + 900000, 3600 + 900000, 3600, 903600, 903600}, /* ten seconds */
        {0, 894600, 894600, 3600, 894600, 894600},               /* back by less than 0.1 s */
        {2, HOUR, HOUR, 0, HOUR, HOUR},
    };
    static const struct row exact[] = {
        {0, 0, 0, 3600, 0, 0},
        {0, HOUR, HOUR, 3600, HOUR, HOUR},
    };
    (void)state;
    run("mpegts", near, sizeof near / sizeof near[0], 0);
    run("mp4", exact, sizeof exact / sizeof exact[0], 0);
}

static void a_step_back_follows_what_was_before(void **state)
{
    static const struct row overlap[] = {
        {0, 0, 7200, 3600, 0, 7200},
        {1, 0, 0, 1800, 0, 0},
        {0, 270000, 277200, 3600, 270000, 277200},
        {1, 270000, 270000, 1800, 270000, 270000},
        {0, 180000, 187200, 3600, 273600, 280800}, /* the clock again, 1 s before */
        {1, 271800, 271800, 1800, 271800, 271800}, /* still by the one that was */
        {0, 183600, 190800, 3600, 277200, 284400},
        {1, 180000, 180000, 1800, 273600, 273600},
        {2, 183600, 183600, 90, 277200, 277200},
        {1, 181800, 181800, 1800, 275400, 275400},
        {0, 187200, 194400, 3600, 280800, 288000},
    };
    static const struct row shown[] = {
        {0, NONE, 90000, 3600, NONE, 90000}, /* as they are shown, there is none */
        {0, NONE, 60000, 3600, NONE, 60000},
        {0, 40000, 90000, 3600, 40000, 90000},
    };
    (void)state;
    run("mpegts", overlap, sizeof overlap / sizeof overlap[0], 1);
    run("mpegts", shown, sizeof shown / sizeof shown[0], 0);
    run("mp4", overlap, 4, 0);
}

/* Packets of 0.1 s of two streams, by a clock each, in order of where they lie in the file. */
struct leg {
    int stream, packets;
    int64_t from_ms; /* by its clock; then on by 100 each */
    int64_t want_ms; /* of the first */
};
#define MS 90

static void play(const struct leg *legs, size_t count, int64_t jumps)
{
    struct row rows[1200];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < legs[i].packets; k++) {
            int64_t at = (legs[i].from_ms + k * 100) * MS, want = (legs[i].want_ms + k * 100) * MS;
            assert_in_range(n, 0, sizeof rows / sizeof rows[0] - 1);
            rows[n++] = (struct row){legs[i].stream, at, at, 100 * MS, want, want};
        }
    }
    run("mpegts", rows, n, jumps);
}
#define PLAY(legs, jumps) play(legs, sizeof legs / sizeof legs[0], jumps)

/* Pictures 200 ms apart that say to last 33 ms catch up with where the old clock would be. */
static void long_steps_over_a_step_back_are_no_damage(void **state)
{
    struct row rows[40];
    size_t n = 0;
    for (int64_t at = 0; at <= 2000; at += 200) {
        rows[n++] = (struct row){0, at * MS, at * MS, 33 * MS, at * MS, at * MS};
    }
    for (int64_t at = 1400; at <= 4000; at += 200) { /* the first follows the end of the last */
        int64_t want = (at + 2033 - 1400) * MS;
        rows[n++] = (struct row){0, at * MS, at * MS, 33 * MS, want, want};
    }
    (void)state;
    run("mpegts", rows, n, 1);
}

/* Nor are irregular ones, where a longer one among them meets it. */
static void irregular_steps_over_a_step_back_are_no_damage(void **state)
{
    static const int64_t after_ms[] = {1400, 1600, 2100, 2300, 2500};
    struct row rows[16];
    size_t n = 0;
    for (int64_t at = 0; at <= 2000; at += 200) {
        rows[n++] = (struct row){0, at * MS, at * MS, 33 * MS, at * MS, at * MS};
    }
    for (size_t i = 0; i < sizeof after_ms / sizeof after_ms[0]; i++) {
        int64_t at = after_ms[i], want = (at + 2033 - 1400) * MS;
        rows[n++] = (struct row){0, at * MS, at * MS, 33 * MS, want, want};
    }
    (void)state;
    run("mpegts", rows, n, 1);
}

static void a_silent_stream_has_a_gap(void **state)
{
    static const struct leg pictures[] = {
        {0, 10, 0, 0},
        {1, 210, 0, 0},
        {0, 10, 21000, 21000},
        {1, 10, 21000, 21000},
    };
    /* the clock jumps while it is silent */
    static const struct leg jumped[] = {
        {0, 10, 0, 0},           {1, 100, 0, 0},          {1, 110, 7200000, 10000},
        {0, 10, 7211000, 21000}, {1, 10, 7211000, 21000},
    };
    /* back, while there are stills, whichever comes first; sound had gone on for longer */
    static const struct leg stills[] = {
        {0, 1, 0, 0},     {1, 195, 0, 0},     {0, 1, 19000, 19000}, {1, 105, 19500, 19500},
        {0, 1, 0, 19100}, {1, 190, 0, 30000}, {0, 1, 19000, 49000}, {1, 10, 19000, 49000},
    };
    static const struct leg sound_first[] = {
        {0, 1, 0, 0},          {1, 600, 0, 0},         {1, 500, 40000, 60000},
        {0, 1, 89000, 109000}, {1, 10, 90000, 110000},
    };
    /* all signal is lost, of one stream for no more than ten seconds */
    static const struct leg lost[] = {
        {0, 101, 0, 0},
        {1, 99, 0, 0},
        {0, 10, 20100, 20100},
        {1, 10, 20100, 20100},
    };
    static const struct leg other[] = {
        {0, 99, 0, 0},
        {1, 101, 0, 0},
        {0, 10, 20100, 20100},
        {1, 10, 20100, 20100},
    };
    static const struct leg longer[] = {
        {0, 100, 0, 0},
        {1, 100, 0, 0},
        {0, 10, 20100, 10000},
        {1, 10, 20100, 10000},
    };
    (void)state;
    PLAY(pictures, 0);
    PLAY(jumped, 1);
    PLAY(stills, 2);
    PLAY(sound_first, 1);
    PLAY(lost, 0);
    PLAY(other, 0);
    PLAY(longer, 1);
}

/* What packets say to last may be wrong by far; what is true of some of them holds. */
static void durations_are_not_stamps(void **state)
{
    static const struct row lies[] = {
        {0, 0, 0, 30000 * MS, 0, 0},
        {0, 40 * MS, 40 * MS, 30000 * MS, 40 * MS, 40 * MS},
        {0, 80 * MS, 80 * MS, 30000 * MS, 80 * MS, 80 * MS},
        {0, 60000 * MS, 60000 * MS, 30000 * MS, 30080 * MS, 30080 * MS}, /* a jump */
    };
    static const struct row again[] = {
        {0, 0, 0, 30000 * MS, 0, 0},
        {0, 0, 0, 30000 * MS, 30000 * MS, 30000 * MS},
    };
    static const struct row stills[] = {
        {0, 0, 0, 30000 * MS, 0, 0},
        {0, 30000 * MS, 30000 * MS, 30000 * MS, 30000 * MS, 30000 * MS},
    };
    (void)state;
    run("mpegts", lies, sizeof lies / sizeof lies[0], 1);
    run("mpegts", again, sizeof again / sizeof again[0], 1);
    run("ogg", stills, sizeof stills / sizeof stills[0], 0);
}

static void hostile_stamps_overflow_nothing(void **state)
{
    static const int64_t far[] = {INT64_MAX, INT64_MAX / 2,     0, INT64_MIN + 1, INT64_MAX / 90000,
                                  5,         -INT64_MAX / 90000};
    struct gm_steady s;
    struct gm_err err;
    AVFormatContext *f = streams("ogg");
    AVPacket *p = av_packet_alloc();
    (void)state;
    assert_non_null(p);
    assert_int_equal(gm_steady_init(&s, f, &err), 0);
    for (size_t i = 0; i < 1000; i++) {
        p->dts = far[i % 7];
        p->pts = far[(i / 7) % 7];
        p->duration = far[(i / 49) % 7];
        f->streams[i % 3]->time_base = (AVRational){1, i % 2 == 0 ? 90000 : 1000000000};
        gm_steady_packet(&s, f->streams[i % 3], p);
        assert_true(llabs(s.offset_ns) < INT64_MAX / 2);
        int64_t at = p->dts != NONE ? p->dts : 0;
        assert_true(
            av_rescale_rnd(llabs(at), f->streams[i % 3]->time_base.num * INT64_C(1000000000),
                           f->streams[i % 3]->time_base.den, AV_ROUND_ZERO) < INT64_MAX / 2);
    }
    gm_steady_fini(&s);
    av_packet_free(&p);
    avformat_free_context(f);
}

static void parts_of_unequal_ends_stay_together(void **state)
{
    /* sound is 0.3 s longer: the next part begins after it, in all streams that began sooner */
    static const struct leg longer_sound[] = {
        {0, 100, 0, 0},      {1, 103, 0, 0},   {0, 2, 0, 10000}, {1, 103, 0, 10300},
        {0, 98, 200, 10500}, {0, 1, 0, 20300}, {1, 9, 0, 20600}, {0, 9, 100, 20700},
    };
    static const struct leg longer_pictures[] = {
        {0, 103, 0, 0}, {1, 100, 0, 0}, {0, 2, 0, 10300}, {1, 50, 0, 10300}, {0, 50, 200, 10500},
    };
    static const struct leg short_sound[] = {
        {0, 100, 0, 0}, {1, 20, 0, 0}, {0, 2, 0, 10000}, {1, 50, 0, 10000}, {0, 50, 200, 10200},
    };
    (void)state;
    PLAY(longer_sound, 2);
    PLAY(longer_pictures, 1);
    PLAY(short_sound, 1);
}

static void a_splice_of_another_interleave_stays_together(void **state)
{
    /* sound 0.2 s behind the pictures in the file, then 0.7 s */
    static const struct leg further[] = {
        {0, 100, 0, 0},     {1, 98, 0, 0},        {0, 3, 5000, 10000},
        {1, 1, 4300, 9800}, {0, 50, 5300, 10800}, {1, 50, 4400, 9900},
    };
    /* it never follows: after three seconds it must */
    static const struct leg never[] = {
        {0, 100, 0, 0},        {1, 100, 0, 0},        {0, 10, 9500, 10000},
        {1, 31, 10000, 10000}, {1, 10, 13100, 13600},
    };
    /* but not to a clock that is hours away */
    static const struct leg apart[] = {
        {0, 10, 0, 0},
        {1, 10, 0, 0},
        {0, 10, 7200000, 1000},
        {1, 80, 1000, 1000},
    };
    (void)state;
    PLAY(further, 1);
    PLAY(never, 1);
    PLAY(apart, 1);
}

static void damaged_stamps_are_no_jumps(void **state)
{
    static const struct leg ahead[] = {
        {0, 10, 0, 0}, {1, 10, 0, 0}, {0, 1, 9000, 9000}, {0, 50, 1100, 1100}, {1, 50, 1000, 1000},
    };
    static const struct leg behind[] = {
        {0, 60, 0, 0}, {1, 60, 0, 0}, {0, 2, 1000, 6000}, {0, 50, 6200, 6200}, {1, 50, 6000, 6000},
    };
    static const struct leg far[] = {
        {0, 10, 0, 0},       {1, 10, 0, 0},       {0, 1, 7200000, 1000},
        {0, 50, 1100, 1100}, {1, 50, 1000, 1000},
    };
    /* one in a stream that lags behind a jump */
    static const struct leg lagging[] = {
        {0, 100, 0, 0},     {1, 98, 0, 0},        {0, 2, 5000, 10000},  {1, 1, 4500, 9800},
        {1, 1, 9900, 9900}, {0, 50, 5200, 10500}, {1, 50, 5000, 10300},
    };
    /* two that are unlike */
    static const struct leg unlike[] = {
        {0, 10, 0, 0},          {1, 10, 0, 0},       {0, 1, 6000, 6000},
        {0, 1, -3600000, 6100}, {0, 50, 1200, 1200}, {1, 50, 1000, 1000},
    };
    /* longer than that, it is one: sound comes after in time */
    static const struct leg many[] = {
        {0, 10, 0, 0},       {1, 10, 0, 0},       {0, 20, 6000, 6000},
        {0, 50, 3000, 8000}, {1, 31, 1000, 1000}, {1, 5, 4100, 9100},
    };
    (void)state;
    PLAY(ahead, 0);
    PLAY(behind, 2);
    PLAY(far, 2);
    PLAY(unlike, 2);
    PLAY(lagging, 1);
    PLAY(many, 1);
}

static void after_a_seek_all_is_new(void **state)
{
    struct gm_steady s;
    struct gm_err err;
    AVFormatContext *f = streams("mpegts");
    AVPacket *p = av_packet_alloc();
    (void)state;
    assert_non_null(p);
    assert_int_equal(gm_steady_init(&s, f, &err), 0);
    for (int i = 0; i < 3; i++) {
        p->dts = p->pts = i * HOUR;
        p->duration = 3600;
        gm_steady_packet(&s, f->streams[0], p);
        assert_int_equal(p->pts, i < 2 ? i * 3600 : 2 * HOUR);
        if (i == 1) {
            gm_steady_seek(&s);
        }
    }
    gm_steady_fini(&s);
    av_packet_free(&p);
    avformat_free_context(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumps_are_taken_out),
        cmocka_unit_test(distances_stay),
        cmocka_unit_test(a_step_back_follows_what_was_before),
        cmocka_unit_test(long_steps_over_a_step_back_are_no_damage),
        cmocka_unit_test(irregular_steps_over_a_step_back_are_no_damage),
        cmocka_unit_test(a_silent_stream_has_a_gap),
        cmocka_unit_test(durations_are_not_stamps),
        cmocka_unit_test(hostile_stamps_overflow_nothing),
        cmocka_unit_test(parts_of_unequal_ends_stay_together),
        cmocka_unit_test(a_splice_of_another_interleave_stays_together),
        cmocka_unit_test(damaged_stamps_are_no_jumps),
        cmocka_unit_test(after_a_seek_all_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
