#include "scheduler/http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_path_grows_from_its_end(void **state)
{
    struct gm_at at = {.path = ""};
    (void)state;
    assert_int_equal(gm_at_member(&at, 0, "fine"), 0);
    assert_string_equal(at.path, "");
    assert_int_equal(gm_at_member(&at, -3, "sha256"), -3);
    assert_int_equal(gm_at_index(&at, -3, 12), -3);
    (void)gm_at_member(&at, -3, "parts");
    assert_string_equal(at.path, "/parts/12/sha256");
    assert_int_equal(gm_at_member(NULL, -3, "x"), -3);
}

static void names_are_escaped_and_cut(void **state)
{
    struct gm_at at = {.path = ""};
    char name[400];
    (void)state;
    (void)gm_at_member(&at, -1, "a/b~c");
    assert_string_equal(at.path, "/a~1b~0c");
    memset(name, '/', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 8; i++) {
        (void)gm_at_member(&at, -1, name);
        assert_true(strlen(at.path) < sizeof at.path);
    }
    struct gm_at query = {.path = ""};
    (void)gm_at_query(&query, -1, "limit");
    assert_string_equal(query.path, "?limit");
}

static void unknown_members_are_named(void **state)
{
    static const char *const known[] = {"priority", NULL};
    struct gm_at at = {.path = ""};
    struct gm_err err = {0};
    json_t *body = json_pack("{s:i, s:i}", "priority", 1, "priorty", 1);
    (void)state;
    assert_int_equal(gm_json_check_keys(body, known, &at, &err), -GM_E_INVAL);
    assert_string_equal(at.path, "/priorty");
    assert_non_null(strstr(err.text, "did you mean `priority`"));
    json_decref(body);
    assert_int_equal(gm_json_check_keys(NULL, known, &at, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_grows_from_its_end),
        cmocka_unit_test(names_are_escaped_and_cut),
        cmocka_unit_test(unknown_members_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
