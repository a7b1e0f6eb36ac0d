#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/leak.h"

/* Values of `jobs` jobs: a start that grows, then `slope` a job, and what comes and goes. */
static struct gm_hwtest_leak fill(size_t jobs, double slope, double noise)
{
    struct gm_hwtest_leak l = {0};
    for (size_t i = 0; i < jobs; i++) {
        double warm = i < jobs / 4 ? 100.0 * (double)i : 25.0 * (double)jobs;
        gm_hwtest_leak_add(&l, 1000 + warm + slope * (double)i + (i % 3 == 0 ? noise : 0.0));
    }
    return l;
}

static void growth_is_told_of_many_jobs(void **state)
{
    (void)state;
    static const size_t jobs[] = {18, 40, 240, 241, 1000, 5000};
    static const double slopes[] = {0.0, 4.0, -3.0, 100.0};
    struct gm_err err;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        for (size_t k = 0; k < sizeof slopes / sizeof *slopes; k++) {
            struct gm_hwtest_leak l = fill(jobs[i], slopes[k], 0.0);
            bool told = false;
            double got = 0.0;
            assert_int_equal(gm_hwtest_leak_slope(&l, &told, &got, &err), 0);
            assert_true(told && got > slopes[k] - 0.01 && got < slopes[k] + 0.01);
            assert_true(l.count <= GM_HWTEST_LEAK_KEPT && l.seen == jobs[i]);
        }
    }
}

static void what_comes_and_goes_is_no_growth(void **state)
{
    (void)state;
    struct gm_hwtest_leak l = fill(90, 0.0, 500.0);
    bool told = false;
    double got = 1.0;
    struct gm_err err;
    l.kept[70] += 1e6;
    assert_int_equal(gm_hwtest_leak_slope(&l, &told, &got, &err), 0);
    assert_true(told && got > -0.01 && got < 0.01);
}

static void few_jobs_tell_nothing(void **state)
{
    (void)state;
    struct gm_err err;
    for (size_t jobs = 0; jobs < 18; jobs++) {
        struct gm_hwtest_leak l = fill(jobs, 1000.0, 0.0);
        bool told = true;
        double got = 7.0;
        struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak", 4);
        assert_int_equal(gm_hwtest_leak_slope(&l, &told, &got, &err), 0);
        assert_true(told == (jobs - jobs / 3 >= GM_HWTEST_LEAK_LEAST));
        assert_int_equal(gm_hwtest_leak_judge(&l, "KiB a job", 1, 2, &c, &err), 0);
        assert_true(told || (c.status == GM_HWTEST_SKIP && !c.has_value));
    }
}

static void thresholds_hold(void **state)
{
    (void)state;
    static const struct {
        double slope;
        enum gm_hwtest_status want;
    } rows[] = {{0.0, GM_HWTEST_PASS},  {-50.0, GM_HWTEST_PASS}, {31.0, GM_HWTEST_PASS},
                {33.0, GM_HWTEST_WARN}, {255.0, GM_HWTEST_WARN}, {257.0, GM_HWTEST_FAIL}};
    struct gm_err err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gm_hwtest_leak l = fill(500, rows[i].slope, 10.0);
        struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak", 4);
        assert_int_equal(gm_hwtest_leak_judge(&l, "KiB a job", 32, 256, &c, &err), 0);
        assert_int_equal(c.status, rows[i].want);
        assert_true(c.series_count > 0 && c.series_count <= GM_HWTEST_SERIES);
        assert_true((c.remedy[0] != '\0') == (c.status != GM_HWTEST_PASS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_is_told_of_many_jobs),
        cmocka_unit_test(what_comes_and_goes_is_no_growth),
        cmocka_unit_test(few_jobs_tell_nothing),
        cmocka_unit_test(thresholds_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
