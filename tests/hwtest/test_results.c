#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "hwtest/reports_io.h"

static void a_value_is_judged_by_its_limits(void **state)
{
    (void)state;
    const double low = 0.5, high = 1.0;
    static const struct {
        double value;
        bool has_low, has_high;
        enum gm_hwtest_status want;
    } rows[] = {{0.5, true, true, GM_HWTEST_PASS},      {1.0, true, true, GM_HWTEST_PASS},
                {0.4999, true, true, GM_HWTEST_FAIL},   {1.0001, true, true, GM_HWTEST_FAIL},
                {-5, false, true, GM_HWTEST_PASS},      {5, true, false, GM_HWTEST_PASS},
                {5, false, false, GM_HWTEST_PASS},      {NAN, false, false, GM_HWTEST_FAIL},
                {INFINITY, true, false, GM_HWTEST_FAIL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gm_hwtest_check c = gm_hwtest_check_make("cpu", "x", 1);
        gm_hwtest_measure(&c, rows[i].value, "dB", rows[i].has_low ? &low : NULL,
                          rows[i].has_high ? &high : NULL);
        assert_int_equal(c.status, rows[i].want);
        assert_true(c.has_value == (isfinite(rows[i].value) != 0));
    }
}

static void words_of_values_and_limits(void **state)
{
    (void)state;
    static const struct {
        double value, low, high;
        bool has_low, has_high;
        const char *words, *limits;
    } rows[] = {{53.27, 30, 0, true, false, "53.3 dB", ">= 30"},
                {0.98765, 0.95, 1, true, true, "0.9877 dB", "0.9500 .. 1"},
                {72, 72, 72, true, true, "72 dB", "= 72"},
                {-3.14159, 0, 2.5, false, true, "-3.14 dB", "<= 2.50"},
                {12345.6, 0, 0, false, false, "12346 dB", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64];
        struct gm_hwtest_check c = gm_hwtest_check_make("cpu", "x", 1);
        gm_hwtest_measure(&c, rows[i].value, "dB", rows[i].has_low ? &rows[i].low : NULL,
                          rows[i].has_high ? &rows[i].high : NULL);
        gm_hwtest_value_words(&c, out, sizeof out);
        assert_string_equal(out, rows[i].words);
        gm_hwtest_limit_words(&c, out, sizeof out);
        assert_string_equal(out, rows[i].limits);
    }
}

static void texts_are_cut_and_printable(void **state)
{
    (void)state;
    char out[6];
    gm_hwtest_set(out, "a\n\xc3\xa9z12345");
    assert_string_equal(out, "a???z");
    gm_hwtest_set(out, "");
    assert_string_equal(out, "");
}

static void a_report_has_a_limit(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    struct gm_err err = {0};
    const struct gm_hwtest_check c = gm_hwtest_check_make("cpu", "x", 1);
    for (int i = 0; i < GM_HWTEST_CHECKS_MAX; i++) {
        assert_int_equal(gm_hwtest_add(&r, &c, &err), 0);
    }
    assert_int_equal(gm_hwtest_add(&r, &c, &err), -GM_E_LIMIT);
    assert_int_equal(r.check_count, GM_HWTEST_CHECKS_MAX);
    gm_hwtest_report_fini(&r);
}

static void a_clip_is_kept_once(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_err err;
    report_init(&r);
    struct gm_hwtest_clip c = r.clips[0];
    assert_int_equal(gm_hwtest_add_clip(&r, &c, &err), 0);
    assert_int_equal(r.clip_count, 1);
    c.hash[0] = '1';
    assert_int_equal(gm_hwtest_add_clip(&r, &c, &err), 0);
    assert_int_equal(r.clip_count, 2);
    assert_non_null(gm_hwtest_find_device(&r, "0000:3b:00.0"));
    assert_null(gm_hwtest_find_device(&r, "cpu"));
    assert_null(gm_hwtest_find(&r, "cpu", "x"));
    gm_hwtest_report_fini(&r);
}

static void names_of_statuses_go_both_ways(void **state)
{
    (void)state;
    enum gm_hwtest_status s;
    for (int i = 0; i < GM_HWTEST_STATUSES; i++) {
        assert_true(gm_hwtest_status_find(gm_hwtest_status_name((enum gm_hwtest_status)i), &s));
        assert_int_equal(s, i);
    }
    assert_false(gm_hwtest_status_find("pass", &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_judged_by_its_limits),
        cmocka_unit_test(words_of_values_and_limits),
        cmocka_unit_test(texts_are_cut_and_printable),
        cmocka_unit_test(a_report_has_a_limit),
        cmocka_unit_test(a_clip_is_kept_once),
        cmocka_unit_test(names_of_statuses_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
