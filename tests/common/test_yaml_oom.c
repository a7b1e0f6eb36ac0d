#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/config.h"
#include "common/fail_alloc.h"
#include "common/scratch.h"
#include "common/yaml.h"

static const char TEXT[] = "name: vod\nlist: [a, 'b', {c: d}]\nmap: {x: 1, y: [2, 3]}\n";

static void parse_survives_every_failed_allocation(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct gm_yaml *root = NULL;
        struct gm_err err = {0};
        bool fired;
        int rc;

        fail_alloc_arm(n);
        rc = gm_yaml_parse("f", TEXT, strlen(TEXT), &root, &err);
        fired = fail_alloc_fired();
        assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        assert_true(fired == (root == NULL));
        gm_yaml_destroy(&root);
        if (!fired) {
            assert_true(n > 20);
            return;
        }
    }
}

struct options {
    char *name;
    char **list;
    int64_t count;
};

static const struct gm_option TABLE[] = {
    {.name = "name", .type = GM_OPT_STRING, .offset = offsetof(struct options, name), .def = "n"},
    {.name = "list", .type = GM_OPT_LIST, .offset = offsetof(struct options, list), .def = "a,b"},
    {.name = "count",
     .type = GM_OPT_INT,
     .offset = offsetof(struct options, count),
     .def = "1",
     .max = 9},
    {0}};

static void config_survives_every_failed_allocation(void **state)
{
    static const char text[] = "name: x\nlist: [p, q]\ncount: 3\n";
    const struct options zero = {0};
    struct scratch s;
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "c"), text, strlen(text), &err), 0);
    for (long n = 1;; n++) {
        struct options options = {0};
        bool fired;
        int rc;

        fail_alloc_arm(n);
        rc = gm_config_load(scratch_path(&s, "c"), TABLE, &options, &err);
        fired = fail_alloc_fired();
        assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        if (!fired) {
            assert_string_equal(options.name, "x");
            assert_string_equal(options.list[1], "q");
            assert_int_equal(options.count, 3);
            gm_config_fini(TABLE, &options);
            assert_true(n > 20);
            break;
        }
        assert_memory_equal(&options, &zero, sizeof(zero));
    }
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_survives_every_failed_allocation),
        cmocka_unit_test(config_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
