/* The lines of tenants in the configuration. */
#include "scheduler/tenants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void lines_name_tenants(void **state)
{
    (void)state;
    char *lines[] = {(char *)"news weight=3  max_running=8 max_queued=100",
                     (char *)"* max_queued=5 max_submits_per_s=2 max_uploads=7", (char *)"a-1.b_2",
                     NULL};
    struct gm_tenant_params *list = NULL;
    size_t count = 9;
    struct gm_err err;
    assert_int_equal(gm_tenants_parse(lines, &list, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "news");
    assert_int_equal(list[0].weight, 3);
    assert_int_equal(list[0].max_running, 8);
    assert_int_equal(list[0].max_queued, 100);
    assert_string_equal(list[1].name, "*");
    assert_int_equal(list[1].weight, 0);
    assert_int_equal(list[1].max_queued, 5);
    assert_int_equal(list[1].max_submits_per_s, 2);
    assert_int_equal(list[0].max_submits_per_s, 0);
    assert_int_equal(list[1].max_uploads, 7);
    assert_ptr_equal(gm_tenants_find(list, 2, "news"), &list[0]);
    assert_ptr_equal(gm_tenants_find(list, 2, "a-1.b_2"), &list[1]);
    assert_null(gm_tenants_find(list, 1, "x"));
    assert_string_equal(list[2].name, "a-1.b_2");
    gm_tenants_free(list, count);
    assert_int_equal(gm_tenants_parse(NULL, &list, &count, &err), 0);
    assert_int_equal(count, 0);
    gm_tenants_free(list, count);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"", "a name has"},
        {"  ", "a name has"},
        {"-a", "`-a`: a name has"},
        {"a/b weight=1", "`a/b`"},
        {"** weight=1", "`**`"},
        {"a weight=0", "`weight=0`: a number from 1 to 1000"},
        {"a weight=1001", "`weight=1001`"},
        {"a weight=-1", "`weight=-1`"},
        {"a weight=1x", "`weight=1x`"},
        {"a weight=", "`weight=`"},
        {"a max_running=0", "from 1 to 1000000"},
        {"a max_queued=1000001", "from 1 to 1000000"},
        {"a wait=1", "`wait=1` is none of"},
        {"a weight=1 weight=2", "twice for a"},
        {"first", "first is there twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *lines[] = {(char *)"first", (char *)(uintptr_t)rows[i].line, NULL};
        struct gm_tenant_params *list = NULL;
        size_t count = 0;
        struct gm_err err;
        assert_int_equal(gm_tenants_parse(lines, &list, &count, &err), -GM_E_CONFIG);
        if (strstr(err.text, rows[i].says) == NULL) {
            fail_msg("`%s`: %s", rows[i].line, err.text);
        }
        assert_null(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_name_tenants),
        cmocka_unit_test(wrong_lines_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
