#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/exits.h"

static void codes_map_to_the_documented_exits(void **state)
{
    (void)state;
    static const struct {
        enum gm_code code;
        enum gm_exit exit;
    } rows[] = {
        {GM_OK, GM_EXIT_DONE},
        {GM_E_INVAL, GM_EXIT_USAGE},
        {GM_E_CONFIG, GM_EXIT_USAGE},
        {GM_E_NOTFOUND, GM_EXIT_USAGE},
        {GM_E_NO_ROUTE, GM_EXIT_USAGE},
        {GM_E_UNREACHABLE, GM_EXIT_UNREACHABLE},
        {GM_E_NO_FARM, GM_EXIT_UNREACHABLE},
        {GM_E_NOT_INSTALLED, GM_EXIT_UNREACHABLE},
        {GM_E_CANCELLED, GM_EXIT_CANCELLED},
        {GM_E_INPUT_MISSING, GM_EXIT_INPUT},
        {GM_E_INPUT_NO_VIDEO, GM_EXIT_INPUT},
        {GM_E_INPUT_CHANGED, GM_EXIT_INPUT},
        {GM_E_MEDIA, GM_EXIT_FAILED},
        {GM_E_MEDIA_POISON, GM_EXIT_FAILED},
        {GM_E_STORE_DENIED, GM_EXIT_FAILED},
        {GM_E_BUG, GM_EXIT_FAILED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gm_exit_of_code(rows[i].code), rows[i].exit);
    }
}

static void every_input_code_exits_3_and_no_failure_exits_0(void **state)
{
    (void)state;
    size_t count = 0;
    const struct gm_code_info *list = gm_code_list(&count);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        enum gm_exit code = gm_exit_of_code(list[i].code);
        assert_int_equal(strncmp(list[i].id, "input.", 6) == 0, code == GM_EXIT_INPUT);
        assert_int_not_equal(code, GM_EXIT_DONE);
        assert_int_equal(gm_exit_of_id(list[i].id), code);
    }
}

static void ids_of_newer_schedulers_count_by_their_first_word(void **state)
{
    (void)state;
    assert_int_equal(gm_exit_of_id("input.haunted"), GM_EXIT_INPUT);
    assert_int_equal(gm_exit_of_id("config.odd"), GM_EXIT_USAGE);
    assert_int_equal(gm_exit_of_id("gpu.lost"), GM_EXIT_FAILED);
    assert_int_equal(gm_exit_of_id(""), GM_EXIT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_map_to_the_documented_exits),
        cmocka_unit_test(every_input_code_exits_3_and_no_failure_exits_0),
        cmocka_unit_test(ids_of_newer_schedulers_count_by_their_first_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
