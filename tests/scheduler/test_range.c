#include "scheduler/http/range.h"

#include "tests/scheduler/helper.h"

static void ranges_are_read_as_the_standard_says(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        enum gm_range is;
        uint64_t first, end;
    } rows[] = {
        {NULL, 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=0-0", 10, GM_RANGE_PART, 0, 1},
        {"bytes=2-", 10, GM_RANGE_PART, 2, 10},
        {"bytes=2-99", 10, GM_RANGE_PART, 2, 10},
        {"bytes=9-9", 10, GM_RANGE_PART, 9, 10},
        {"bytes=-3", 10, GM_RANGE_PART, 7, 10},
        {"bytes=-30", 10, GM_RANGE_PART, 0, 10},
        {"bytes=-0", 10, GM_RANGE_BEYOND, 0, 0},
        {"bytes=10-", 10, GM_RANGE_BEYOND, 0, 0},
        {"bytes=0-", 0, GM_RANGE_BEYOND, 0, 0},
        {"bytes=3-2", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=0-1,3-4", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=a-b", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=5", 10, GM_RANGE_WHOLE, 0, 0},
        {"lines=0-1", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=99999999999999999999999-", 10, GM_RANGE_WHOLE, 0, 0},
        {"bytes=0-18446744073709551609", 10, GM_RANGE_PART, 0, 10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t first = 0, end = 0;
        enum gm_range is = gm_range_parse(rows[i].text, rows[i].size, &first, &end);
        if (is != rows[i].is || first != rows[i].first || end != rows[i].end) {
            fail_msg("%s: %d %d-%d", rows[i].text, (int)is, (int)first, (int)end);
        }
    }
}

static void tags_are_found_in_lists(void **state)
{
    (void)state;
    assert_true(gm_range_has_tag("\"a\"", "\"a\""));
    assert_true(gm_range_has_tag("*", "\"a\""));
    assert_true(gm_range_has_tag("\"x,y\", W/\"a\"", "\"a\""));
    assert_true(gm_range_has_tag("\"b\" ,\"a\" ", "\"a\""));
    assert_false(gm_range_has_tag(NULL, "\"a\""));
    assert_false(gm_range_has_tag("", "\"a\""));
    assert_false(gm_range_has_tag("\"x, \"a\"", "\"a\""));
    assert_false(gm_range_has_tag("\"ab\",\"", "\"a\""));
    assert_false(gm_range_has_tag("a", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read_as_the_standard_says),
        cmocka_unit_test(tags_are_found_in_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
