#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/date.h"

static void times_are_written_in_the_basic_format(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "19700101T000000Z"},
                {INT64_C(1440938160999), "20150830T123600Z"},
                {INT64_C(1709164800000), "20240229T000000Z"},
                {INT64_C(253402300799999), "99991231T235959Z"}};
    char text[GM_S3_DATE_SIZE] = "as it was";

    (void)state;
    assert_false(gm_s3_date_format(-1, text));
    assert_false(gm_s3_date_format(INT64_C(253402300800000), text));
    assert_false(gm_s3_date_format(INT64_MAX, text));
    assert_string_equal(text, "as it was");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = -1;

        assert_true(gm_s3_date_format(rows[i].ms, text));
        assert_string_equal(text, rows[i].text);
        assert_true(gm_s3_date_parse(text, &ms));
        assert_int_equal(ms, rows[i].ms / 1000 * 1000);
    }
}

static void only_what_is_written_so_is_parsed(void **state)
{
    static const char *const texts[] = {"",
                                        "20150830T123600",
                                        "20150830T123600Z ",
                                        "20150830 123600Z",
                                        "20150229T000000Z",
                                        "20151301T000000Z",
                                        "20150830T123660Z",
                                        "2015-830T123600Z",
                                        "19691231T235959Z"};
    int64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(gm_s3_date_parse(texts[i], &ms));
    }
    assert_int_equal(ms, 7);
}

static void a_date_header_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000)},
                {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                {"Thu, 29 Feb 2024 23:59:59 GMT", INT64_C(1709251199000)},
                {"Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228800000)}};
    int64_t ms = -7;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool leap = strstr(rows[i].text, ":60") != NULL;

        /* A leap second is the next minute's first, whose weekday is the next day's: none here. */
        assert_int_equal(gm_s3_date_read(rows[i].text, &ms), !leap);
        if (!leap) {
            assert_int_equal(ms, rows[i].ms);
        }
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "Sun, 06 Nov 1994 08:49:37 GM",
                                        "Sun, 06 Nov 1994 08:49:37 GMT ",
                                        "Mon, 06 Nov 1994 08:49:37 GMT", /* it was a Sunday */
                                        "sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 nov 1994 08:49:37 GMT",
                                        "Sun, 00 Nov 1994 08:49:37 GMT",
                                        "Thu, 31 Nov 1994 08:49:37 GMT",
                                        "Wed, 29 Feb 2023 00:00:00 GMT",
                                        "Sun, 06 Nov 1994 24:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:60:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:61 GMT",
                                        "Sun, 06 Nov 1969 08:49:37 GMT",
                                        "Sun, -6 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994",
                                        "Sun, 06 Nov 1994 08:49:37 CET"};
    int64_t ms = -7;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(gm_s3_date_read(texts[i], &ms));
        assert_int_equal(ms, -7);
    }
}

static void the_offset_leads_from_our_clock_to_the_servers(void **state)
{
    static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    const int64_t server = INT64_C(784111777000);
    int64_t offset = -7;

    (void)state;
    assert_true(gm_s3_date_offset(date, server, &offset));
    assert_int_equal(offset, 0);
    assert_true(gm_s3_date_offset(date, server + 999, &offset)); /* the same second */
    assert_int_equal(offset, 0);
    assert_true(gm_s3_date_offset(date, server + 3600000, &offset));
    assert_int_equal(offset, -3600000);
    assert_true(gm_s3_date_offset(date, server - 1, &offset));
    assert_int_equal(offset, 1);
    assert_false(gm_s3_date_offset("yesterday", server, &offset));
    assert_false(gm_s3_date_offset(date, -1, &offset));
    assert_int_equal(offset, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_the_basic_format),
        cmocka_unit_test(only_what_is_written_so_is_parsed),
        cmocka_unit_test(a_date_header_is_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(the_offset_leads_from_our_clock_to_the_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
