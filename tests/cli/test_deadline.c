/* Deadlines of the command line. */
#include "cli/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void times_and_spans_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"90s", 1000 + 90000},
                {"30m", 1000 + 1800000},
                {"2h", 1000 + 7200000},
                {"3d", 1000 + 259200000},
                {"1800000000000", 1800000000000},
                {"253402300799000", 253402300799000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 0;
        struct gm_err err;
        assert_int_equal(gm_deadline_parse(rows[i].text, 1000, &ms, &err), 0);
        assert_true(ms == rows[i].ms);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "0",
                                       "0s",
                                       "-1s",
                                       "+2h",
                                       "2 h",
                                       "2hh",
                                       "h",
                                       "2w",
                                       "1.5h",
                                       "02h",
                                       "2h ",
                                       "253402300799001",
                                       "99999999999999999999",
                                       "9999999999999999999s",
                                       "2932897d1",
                                       "3000000d"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 7;
        struct gm_err err;
        if (gm_deadline_parse(rows[i], 1000, &ms, &err) != -GM_E_INVAL) {
            fail_msg("`%s` was read", rows[i]);
        }
        assert_non_null(strstr(err.text, "--deadline"));
        assert_int_equal(ms, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_and_spans_are_read),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
