#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/time.h"

static void wall_times_are_written_as_rfc_3339(void **state)
{
    static const struct {
        int64_t unix_ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00.000Z"},
                {-1, "1969-12-31T23:59:59.999Z"},
                {1234567890123, "2009-02-13T23:31:30.123Z"},
                {951782399999, "2000-02-28T23:59:59.999Z"},
                {951782400000, "2000-02-29T00:00:00.000Z"},
                {253402300799999, "9999-12-31T23:59:59.999Z"},
                {INT64_MAX, "9999-12-31T23:59:59.999Z"},
                {INT64_MIN, "0001-01-01T00:00:00.000Z"}};
    char buf[25];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(gm_time_format(rows[i].unix_ms, buf), rows[i].text);
    }
}

static void only_whole_seconds_of_utc_are_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "2026-01-31",
                                        "2026-01-31T12:00:00",
                                        "2026-01-31T12:00:00z",
                                        "2026-02-31T12:00:00Z",
                                        "2026-01-31T12:00:60Z",
                                        "2026-01-31T24:00:00Z",
                                        "2026- 1-31T12:00:00Z",
                                        "2026-01-31T12:00:00.5Z",
                                        "2026-01-31T12:00:00.-12Z",
                                        "2026-01-31T12:00:00.123z",
                                        "2026-01-31T12:00:00Z ",
                                        "+026-01-31T12:00:00Z"};
    int64_t ms = 7;
    (void)state;
    assert_true(gm_time_parse("2009-02-13T23:31:30Z", &ms));
    assert_true(ms == INT64_C(1234567890000));
    assert_true(gm_time_parse("2009-02-13T23:31:30.045Z", &ms));
    assert_true(ms == INT64_C(1234567890045));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (gm_time_parse(wrong[i], &ms)) {
            fail_msg("`%s` was taken", wrong[i]);
        }
    }
}

static void the_clock_never_goes_back(void **state)
{
    gm_time last = gm_time_now();
    assert_true(gm_time_boot() >= last); /* it stands still in sleep, the other does not */

    (void)state;
    for (int i = 0; i < 1000; i++) {
        gm_time now = gm_time_now();

        assert_true(now >= last);
        last = now;
    }
    assert_true(gm_time_unix_ms() > 1600000000000); /* after 2020 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_times_are_written_as_rfc_3339),
        cmocka_unit_test(only_whole_seconds_of_utc_are_read),
        cmocka_unit_test(the_clock_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
