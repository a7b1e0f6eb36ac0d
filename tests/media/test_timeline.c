#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/timeline.h"

static void policy_set(Gm__Policy *p, Gm__Rational *rate, AVRational r, uint32_t timescale,
                       uint32_t gop)
{
    gm__policy__init(p);
    gm__rational__init(rate);
    rate->num = r.num;
    rate->den = r.den;
    p->timescale_rate = rate;
    p->timescale = timescale;
    p->gop_frames = gop;
    p->segment_gops = 3;
    p->chunk_segments = 2;
}

static void zero_set(Gm__Rational *zero, int64_t num, int64_t den)
{
    gm__rational__init(zero);
    zero->num = num;
    zero->den = den;
}

static void constant_rate_has_exact_times_and_borders(void **state)
{
    static const struct {
        AVRational tb, rate;
        int64_t step; /* ticks of tb a frame */
        uint32_t timescale, gop;
        int64_t out_step;
    } rows[] = {
        {{1, 24}, {24, 1}, 1, 12288, 48, 512},
        {{1, 90000}, {30000, 1001}, 3003, 30000, 60, 1001},
        {{1001, 30000}, {30000, 1001}, 1, 30000, 60, 1001},
        {{1, 12800}, {50, 1}, 256, 12800, 100, 256},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy p;
        Gm__Rational rate, zero;
        struct gm_timeline t;
        struct gm_timeline_frame f;
        policy_set(&p, &rate, rows[i].rate, rows[i].timescale, rows[i].gop);
        zero_set(&zero, 0, 1);
        gm_timeline_init(&t, &p, rows[i].tb, &zero);
        uint32_t gop = rows[i].gop;
        for (uint32_t n = 0; n < gop * 14; n++) {
            gm_timeline_next(&t, (int64_t)n * rows[i].step, &f);
            assert_int_equal(f.out_ts, (int64_t)n * rows[i].out_step);
            assert_int_equal(f.gop, n % gop == 0);
            assert_int_equal(f.segment, n % (gop * 3) == 0);
            assert_int_equal(f.segment_number, 1 + n / (gop * 3));
        }
        assert_int_equal(gm_timeline_end(&t, rows[i].step), (int64_t)gop * 14 * rows[i].out_step);
    }
}

static void times_count_from_programme_zero(void **state)
{
    Gm__Policy p;
    Gm__Rational rate, zero;
    struct gm_timeline t;
    struct gm_timeline_frame f;
    (void)state;
    policy_set(&p, &rate, (AVRational){25, 1}, 12800, 50);
    zero_set(&zero, 8589934592LL, 90000); /* needs more than 32 bits */
    gm_timeline_init(&t, &p, (AVRational){1, 90000}, &zero);
    gm_timeline_next(&t, 8589934592LL + 45000, &f);
    assert_int_equal(f.out_ts, 6400);
    assert_true(f.gop && f.segment);
    /* The grid begins at the first frame, not at zero. */
    gm_timeline_next(&t, 8589934592LL + 45000 + 49 * 3600, &f);
    assert_false(f.gop);
    gm_timeline_next(&t, 8589934592LL + 45000 + 50 * 3600, &f);
    assert_true(f.gop);
}

static void variable_rate_cuts_every_two_seconds(void **state)
{
    /* ms; a hole of 20 s leaves no hole in the numbers */
    static const struct {
        int64_t ts;
        bool gop, segment;
        uint32_t number;
    } rows[] = {
        {100, true, true, 1},     {1500, false, false, 1}, {2099, false, false, 1},
        {2100, true, false, 1},   {6100, true, true, 2},   {26100, true, true, 3},
        {26101, false, false, 3},
    };
    Gm__Policy p;
    Gm__Rational rate, zero;
    struct gm_timeline t;
    struct gm_timeline_frame f;
    (void)state;
    policy_set(&p, &rate, (AVRational){0, 1}, 1000, 0);
    zero_set(&zero, 1, 10);
    gm_timeline_init(&t, &p, (AVRational){1, 1000}, &zero);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gm_timeline_next(&t, rows[i].ts, &f);
        assert_int_equal(f.out_ts, rows[i].ts - 100);
        assert_int_equal(f.gop, rows[i].gop);
        assert_int_equal(f.segment, rows[i].segment);
        assert_int_equal(f.segment_number, rows[i].number);
    }
}

/* 25 fps: segments of 150 frames. */
static void chunks_end_where_little_is_thrown_away(void **state)
{
    static const struct {
        uint64_t lead[12]; /* at the start of each segment */
        uint32_t chunk[12];
    } rows[] = {
        {{0}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
        /* the first border always, then 37 of 150 and 75 of 300 are enough, one more is not */
        {{0, 149, 37, 38, 75, 76, 76, 113, 112, 1, 38, 75}, {0, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5, 6}},
        /* never good: five segments */
        {{0, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999},
         {0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy p;
        Gm__Rational rate;
        struct gm_timeline t;
        struct gm_timeline_frame f;
        policy_set(&p, &rate, (AVRational){25, 1}, 12800, 50);
        p.chunk_segments = 5;
        gm_timeline_init(&t, &p, (AVRational){1, 25}, NULL);
        for (int64_t n = 0; n < 12 * 150; n++) {
            gm_timeline_next(&t, n, &f);
            if (f.segment) {
                size_t s = (size_t)n / 150;
                bool begins = s > 0 && rows[i].chunk[s] != rows[i].chunk[s - 1];
                assert_int_equal(gm_timeline_cut(&t, rows[i].lead[s]), begins);
                assert_int_equal(t.chunk, rows[i].chunk[s]);
            }
        }
    }
}

static void output_times_always_rise(void **state)
{
    static const int64_t in[] = {0, 40, 40, 20, 80, INT64_MIN / 4, 120};
    static const int64_t out[] = {0, 40, 41, 42, 80, 81, 120};
    Gm__Policy p;
    Gm__Rational rate;
    struct gm_timeline t;
    struct gm_timeline_frame f;
    (void)state;
    policy_set(&p, &rate, (AVRational){0, 1}, 1000, 0);
    gm_timeline_init(&t, &p, (AVRational){1, 1000}, NULL);
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        gm_timeline_next(&t, in[i], &f);
        assert_int_equal(f.out_ts, out[i]);
    }
}

static void the_end_uses_a_sane_duration(void **state)
{
    static const struct {
        int64_t duration, end;
    } rows[] = {{40, 80}, {0, 80}, {-5, 80}, {400, 440}, {401, 80}, {1, 41}};
    Gm__Policy p;
    Gm__Rational rate;
    struct gm_timeline t;
    struct gm_timeline_frame f;
    (void)state;
    policy_set(&p, &rate, (AVRational){25, 1}, 1000, 50);
    gm_timeline_init(&t, &p, (AVRational){1, 1000}, NULL);
    assert_int_equal(gm_timeline_end(&t, 40), 0);
    gm_timeline_next(&t, 0, &f);
    assert_int_equal(gm_timeline_end(&t, 0), 40); /* one frame: 1 / rate */
    gm_timeline_next(&t, 40, &f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_timeline_end(&t, rows[i].duration), rows[i].end);
    }
}

static void times_of_all_64_bits_still_rise(void **state)
{
    static const AVRational bases[] = {{1, 90000}, {INT32_MAX, 1}, {1, INT32_MAX}, {1001, 30000}};
    static const int64_t times[] = {
        INT64_MIN,       INT64_MIN + 1, -(1LL << 62),  0,        1, 1LL << 61,
        (1LL << 61) + 1, 1LL << 62,     INT64_MAX - 1, INT64_MAX};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (int constant = 0; constant < 2; constant++) {
            Gm__Policy p;
            Gm__Rational rate, zero;
            struct gm_timeline t;
            struct gm_timeline_frame f;
            int64_t last = INT64_MIN;
            policy_set(&p, &rate, constant == 1 ? (AVRational){INT32_MAX, 1} : (AVRational){0, 1},
                       UINT32_MAX / 2, constant == 1 ? 1 : 0);
            zero_set(&zero, INT64_MIN, 7);
            gm_timeline_init(&t, &p, bases[i], &zero);
            for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
                gm_timeline_next(&t, times[k], &f);
                assert_true(f.out_ts > last);
                last = f.out_ts;
            }
            assert_true(gm_timeline_end(&t, INT64_MAX) > last);
        }
    }
}

static void guesses_prefer_presentation_times_while_they_rise(void **state)
{
    const int64_t none = AV_NOPTS_VALUE;
    struct gm_time_guess g;
    (void)state;
    gm_time_guess_init(&g);
    assert_int_equal(gm_time_guess_next(&g, 10, 5), 10);
    assert_int_equal(gm_time_guess_next(&g, none, 6), 6);
    assert_int_equal(gm_time_guess_next(&g, 30, none), 30);
    assert_int_equal(gm_time_guess_next(&g, none, none), none);
    gm_time_guess_init(&g);
    assert_int_equal(gm_time_guess_next(&g, 10, 1), 10);
    assert_int_equal(gm_time_guess_next(&g, 10, 2), 2);  /* one fault against none */
    assert_int_equal(gm_time_guess_next(&g, 12, 2), 12); /* one against one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_rate_has_exact_times_and_borders),
        cmocka_unit_test(times_count_from_programme_zero),
        cmocka_unit_test(variable_rate_cuts_every_two_seconds),
        cmocka_unit_test(chunks_end_where_little_is_thrown_away),
        cmocka_unit_test(output_times_always_rise),
        cmocka_unit_test(the_end_uses_a_sane_duration),
        cmocka_unit_test(times_of_all_64_bits_still_rise),
        cmocka_unit_test(guesses_prefer_presentation_times_while_they_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
