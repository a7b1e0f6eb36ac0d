#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hwtest/ramp.h"

/* A machine that holds `holds` streams; foretells: it shares its rate out evenly. */
static size_t climb(size_t holds, size_t most, bool foretells, unsigned *out_tries)
{
    struct gm_hwtest_ramp r = {.most = most};
    *out_tries = 0;
    for (size_t n; (n = gm_hwtest_ramp_next(&r)) > 0;) {
        assert_true(n <= most && n > r.good && (r.bad == 0 || n < r.bad));
        assert_true(++*out_tries < 20);
        gm_hwtest_ramp_add(&r, n, n <= holds, foretells ? (double)holds + 0.4 : 0.0);
    }
    return r.good;
}

static void the_number_is_found(void **state)
{
    (void)state;
    unsigned tries = 0;
    for (size_t most = 1; most <= 64; most++) {
        for (size_t holds = 0; holds <= 70; holds++) {
            size_t want = holds < most ? holds : most;
            assert_int_equal(climb(holds, most, false, &tries), want);
            assert_int_equal(climb(holds, most, true, &tries), want);
        }
    }
    (void)climb(40, 64, true, &tries);
    assert_true(tries <= 8);
}

/* What one stream alone makes says nothing of many. */
static void a_rate_that_promises_too_much_is_not_believed(void **state)
{
    (void)state;
    struct gm_hwtest_ramp r = {.most = 64};
    assert_int_equal(gm_hwtest_ramp_next(&r), 1);
    gm_hwtest_ramp_add(&r, 1, true, 1e300);
    assert_int_equal(gm_hwtest_ramp_next(&r), 2);
    gm_hwtest_ramp_add(&r, 2, true, 50.0);
    assert_int_equal(gm_hwtest_ramp_next(&r), 4);
    gm_hwtest_ramp_add(&r, 4, false, 0.5);
    assert_int_equal(gm_hwtest_ramp_next(&r), 3);
    gm_hwtest_ramp_add(&r, 3, true, 3.9);
    assert_int_equal(gm_hwtest_ramp_next(&r), 0);
}

/* Streams that could not be had lower the most in mid-ramp. */
static void refused_streams_end_it(void **state)
{
    (void)state;
    struct gm_hwtest_ramp r = {.most = 64};
    gm_hwtest_ramp_add(&r, 4, true, 40.0);
    assert_int_equal(gm_hwtest_ramp_next(&r), 8);
    r.most = 5;
    assert_int_equal(gm_hwtest_ramp_next(&r), 5);
    gm_hwtest_ramp_add(&r, 5, true, 40.0);
    assert_int_equal(gm_hwtest_ramp_next(&r), 0);
    assert_int_equal(r.good, 5);
}

/* What had no room for a try lies between it and the last that held. */
static void a_refused_try_is_halved(void **state)
{
    (void)state;
    struct gm_hwtest_ramp r = {.most = 64};
    gm_hwtest_ramp_add(&r, 8, true, 40.0);
    assert_int_equal(gm_hwtest_ramp_next(&r), 16);
    gm_hwtest_ramp_refuse(&r, 16);
    assert_int_equal(gm_hwtest_ramp_next(&r), 12);
    gm_hwtest_ramp_add(&r, 12, true, 1e9);
    gm_hwtest_ramp_refuse(&r, 14);
    assert_int_equal(gm_hwtest_ramp_next(&r), 13);
    gm_hwtest_ramp_add(&r, 13, true, 40.0);
    assert_int_equal(gm_hwtest_ramp_next(&r), 0);
    assert_true(r.good == 13 && r.bad == 14 && r.refused == 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_is_found),
        cmocka_unit_test(a_rate_that_promises_too_much_is_not_believed),
        cmocka_unit_test(refused_streams_end_it),
        cmocka_unit_test(a_refused_try_is_halved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
