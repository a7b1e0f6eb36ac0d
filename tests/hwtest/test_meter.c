#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hwtest/meter.h"

static void a_steady_rate_is_measured(void **state)
{
    (void)state;
    struct gm_hwtest_meter m = {0};
    gm_time now = 1234567;
    int ticks = 0;
    assert_true(gm_hwtest_meter_rate(&m) == 0.0);
    while (!gm_hwtest_meter_tick(&m, now)) {
        now += 10 * GM_MS;
        ticks++;
    }
    assert_int_equal(ticks, 400); /* the first opens the window */
    assert_true(gm_hwtest_meter_rate(&m) > 99.99 && gm_hwtest_meter_rate(&m) < 100.01);
    assert_int_equal(m.series_count, 8);
    for (size_t i = 0; i < m.series_count; i++) {
        assert_true(m.series[i] > 99.9f && m.series[i] < 100.1f);
    }
    assert_true(gm_hwtest_spread(m.series, m.series_count) < 0.001);
}

static void a_rate_below_one_picture_a_window_ends(void **state)
{
    (void)state;
    struct gm_hwtest_meter m = {0};
    assert_false(gm_hwtest_meter_tick(&m, 5));
    assert_true(gm_hwtest_meter_tick(&m, 5 + 20 * GM_SEC));
    assert_true(gm_hwtest_meter_rate(&m) > 0.0499 && gm_hwtest_meter_rate(&m) < 0.0501);
    assert_int_equal(m.series_count, 1);
}

static void a_slow_one_has_time_for_enough_pictures(void **state)
{
    (void)state;
    static const int per_second[] = {5, 10, 20, 24, 50};
    static const int seconds_x10[] = {160, 96, 48, 40, 40};
    for (size_t i = 0; i < 5; i++) {
        struct gm_hwtest_meter m = {0};
        gm_time now = 0;
        while (!gm_hwtest_meter_tick(&m, now)) {
            now += GM_SEC / per_second[i];
        }
        assert_int_equal((now + GM_SEC / 20) / (GM_SEC / 10), seconds_x10[i]);
    }
}

static void one_instant_has_no_rate(void **state)
{
    (void)state;
    struct gm_hwtest_meter m = {0};
    for (int i = 0; i < 5; i++) {
        assert_false(gm_hwtest_meter_tick(&m, 7));
    }
    assert_true(gm_hwtest_meter_rate(&m) == 0.0);
}

static void halves_that_differ_are_spread(void **state)
{
    (void)state;
    const float values[] = {100, 100, 999, 50, 50}; /* the middle one of five is in no half */
    double spread = gm_hwtest_spread(values, 5);
    assert_true(spread > 0.666 && spread < 0.667);
    assert_true(gm_hwtest_spread(values, 2) == 0.0);
    assert_true(gm_hwtest_spread(values, 1) == 0.0);
    assert_true(gm_hwtest_spread(values, 0) == 0.0);
}

static void the_median_leaves_spikes_out(void **state)
{
    (void)state;
    double odd[] = {41, 300, 40, 42, 1}, even[] = {4, 1, 100, 2}, one[] = {7};
    assert_true(gm_hwtest_median(odd, 5) == 41.0);
    assert_true(gm_hwtest_median(even, 4) == 3.0);
    assert_true(gm_hwtest_median(one, 1) == 7.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_rate_is_measured),
        cmocka_unit_test(a_rate_below_one_picture_a_window_ends),
        cmocka_unit_test(a_slow_one_has_time_for_enough_pictures),
        cmocka_unit_test(one_instant_has_no_rate),
        cmocka_unit_test(halves_that_differ_are_spread),
        cmocka_unit_test(the_median_leaves_spikes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
