#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/results.h"

static void reads(const char *text, int want, const char *words)
{
    struct gm_hwtest_report r = {0};
    struct gm_err err = {0};
    assert_int_equal(gm_hwtest_read(text, strlen(text), &r, &err), want);
    if (strstr(err.text, words) == NULL) {
        fail_msg("%s: `%s`, wanted `%s`", text, err.text, words);
    }
    gm_hwtest_report_fini(&r);
}

static void what_is_no_report_is_refused(void **state)
{
    (void)state;
    reads("", -GM_E_INVAL, "no JSON");
    reads("{", -GM_E_INVAL, "no JSON");
    reads("[]", -GM_E_INVAL, "no report");
    reads("{}", -GM_E_INVAL, "no report");
    reads("{\"hwtest\": \"1\"}", -GM_E_INVAL, "no report");
    reads("{\"hwtest\": 2}", -GM_E_INVAL, "version 2, not 1");
    reads("{\"hwtest\": 1, \"hwtest\": 1}", -GM_E_INVAL, "no JSON");
}

#define C(rest) "{\"hwtest\": 1, \"checks\": [{\"device\": \"cpu\", \"name\": \"x\"" rest "}]}"

static void members_must_have_their_types(void **state)
{
    (void)state;
    reads("{\"hwtest\": 1, \"level\": 9}", -GM_E_INVAL, "`level`");
    reads("{\"hwtest\": 1, \"level\": -1}", -GM_E_INVAL, "`level`");
    reads("{\"hwtest\": 1, \"libraries\": 7}", -GM_E_INVAL, "`libraries`");
    reads("{\"hwtest\": 1, \"checks\": {}}", -GM_E_INVAL, "`checks`");
    reads("{\"hwtest\": 1, \"checks\": [7]}", -GM_E_INVAL, "`name`");
    reads("{\"hwtest\": 1, \"devices\": [{}]}", -GM_E_INVAL, "`id`");
    reads("{\"hwtest\": 1, \"versions\": 7}", -GM_E_INVAL, "`versions`");
    reads("{\"hwtest\": 1, \"versions\": [{\"name\": 7}]}", -GM_E_INVAL, "`name` of a version");
    reads(C(""), -GM_E_INVAL, "`status`");
    reads(C(", \"status\": \"FINE\""), -GM_E_INVAL, "`status`");
    reads(C(", \"status\": \"PASS\", \"value\": \"7\""), -GM_E_INVAL, "`value`");
    reads(C(", \"status\": \"PASS\", \"series\": [\"7\"]"), -GM_E_INVAL, "`series`");
    reads(C(", \"status\": \"PASS\", \"series\": [1e300]"), -GM_E_INVAL, "`series`");
    reads(C(", \"status\": \"PASS\", \"took_ms\": 1.5"), -GM_E_INVAL, "`took_ms`");
}

static void a_series_has_a_limit(void **state)
{
    (void)state;
    struct gm_buf text = {0};
    gm_buf_str(&text, "{\"hwtest\": 1, \"checks\": [{\"device\": \"cpu\", \"name\": \"x\", "
                      "\"status\": \"PASS\", \"series\": [0");
    for (int i = 1; i < GM_HWTEST_SERIES; i++) {
        gm_buf_str(&text, ",1");
    }
    size_t whole = text.size;
    gm_buf_str(&text, "]}]}");
    reads((char *)text.data, 0, "");
    text.size = whole;
    gm_buf_str(&text, ",1]}]}");
    reads((char *)text.data, -GM_E_INVAL, "`series`");
    gm_buf_fini(&text);
}

static void unknown_members_are_passed_over(void **state)
{
    (void)state;
    reads("{\"hwtest\": 1, \"new\": [1, {}]}", 0, "");
    reads(C(", \"status\": \"PASS\", \"new\": null"), 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(members_must_have_their_types),
        cmocka_unit_test(a_series_has_a_limit),
        cmocka_unit_test(unknown_members_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
