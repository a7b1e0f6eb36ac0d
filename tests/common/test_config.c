#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/config.h"
#include "common/scratch.h"

struct options {
    char *name;
    int64_t count;
    int64_t cache_bytes;
    bool json;
    char **listen;
};

static const struct gm_option TABLE[] = {
    {"name", GM_OPT_STRING, offsetof(struct options, name), "farm", 0, 0, "What it is called."},
    {"count", GM_OPT_INT, offsetof(struct options, count), "3", 1, 9, "How many."},
    {"cache_bytes", GM_OPT_SIZE, offsetof(struct options, cache_bytes), "10Gi", 0, INT64_MAX,
     "Cache."},
    {"json", GM_OPT_BOOL, offsetof(struct options, json), "true", 0, 0, "JSON lines."},
    {"listen", GM_OPT_LIST, offsetof(struct options, listen), " a , b,,c c ", 0, 0, "Endpoints."},
    {NULL, GM_OPT_STRING, 0, NULL, 0, 0, NULL}};

static int load(struct scratch *s, const char *text, struct options *options, struct gm_err *err)
{
    const char *path = scratch_path(s, "c.yaml");

    assert_int_equal(gm_fs_write_atomic(path, text, strlen(text), err), 0);
    return gm_config_load(path, TABLE, options, err);
}

static void defaults_stand_without_a_file(void **state)
{
    struct options options = {0};
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_config_load(NULL, TABLE, &options, &err), 0);
    assert_string_equal(options.name, "farm");
    assert_int_equal(options.count, 3);
    assert_int_equal(options.cache_bytes, 10737418240);
    assert_true(options.json);
    assert_string_equal(options.listen[0], "a");
    assert_string_equal(options.listen[1], "b");
    assert_string_equal(options.listen[2], "c c");
    assert_null(options.listen[3]);
    gm_config_fini(TABLE, &options);
    assert_null(options.name);
    assert_null(options.listen);
    gm_config_fini(TABLE, &options);
}

static void empty_defaults_are_an_empty_text_and_list(void **state)
{
    static const struct gm_option table[] = {
        {"name", GM_OPT_STRING, offsetof(struct options, name), NULL, 0, 0, ""},
        {"listen", GM_OPT_LIST, offsetof(struct options, listen), NULL, 0, 0, ""},
        {NULL, GM_OPT_STRING, 0, NULL, 0, 0, NULL}};
    struct options options = {0};
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_config_load(NULL, table, &options, &err), 0);
    assert_string_equal(options.name, "");
    assert_non_null(options.listen);
    assert_null(options.listen[0]);
    gm_config_fini(table, &options);
}

static void a_file_overrides_defaults(void **state)
{
    struct scratch s;
    struct options options = {0};
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(load(&s,
                          "count: 9\ncache_bytes: 5M\njson: false\nname: 'a b'\n"
                          "listen: [x, 'y, z']\n",
                          &options, &err),
                     0);
    assert_string_equal(options.name, "a b");
    assert_int_equal(options.count, 9);
    assert_int_equal(options.cache_bytes, 5000000);
    assert_false(options.json);
    assert_string_equal(options.listen[0], "x");
    assert_string_equal(options.listen[1], "y, z");
    assert_null(options.listen[2]);
    gm_config_fini(TABLE, &options);
    /* one text counts as a list of one; the options after it are not part of it */
    assert_int_equal(load(&s, "listen: one\ncount: 2\n", &options, &err), 0);
    assert_string_equal(options.listen[0], "one");
    assert_null(options.listen[1]);
    assert_int_equal(options.count, 2);
    gm_config_fini(TABLE, &options);
    assert_int_equal(load(&s, "listen: []\n", &options, &err), 0);
    assert_null(options.listen[0]);
    gm_config_fini(TABLE, &options);
    assert_int_equal(load(&s, "# nothing set\n", &options, &err), 0);
    assert_int_equal(options.count, 3);
    gm_config_fini(TABLE, &options);
    scratch_remove(&s);
}

static void mistakes_name_their_line_and_leave_zeros(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {{"count: 3\ncuont: 4\n", "c.yaml:2: unknown key `cuont`, did you mean `count`?"},
                {"count: 10\n", "c.yaml:1:8: `count`: 10 is out of range, it must be 1..9"},
                {"count: x\n", "expected a whole number"},
                {"cache_bytes: -1\n", "out of range"},
                {"cache_bytes: 1Q\n", "expected a size"},
                {"json: on\n", "expected true or false"},
                {"name: [x]\n", "expected a text, found a list"},
                {"name:\n", "expected a text, found nothing"},
                {"listen: {a: b}\n", "expected a list of texts, found a map"},
                {"listen: [a, [b]]\n", "expected a text, found a list"},
                {"listen: [a, '']\n", "empty text"},
                {"- count\n", "expected a map"},
                {"count\n", "expected a map"},
                {"count: 3\ncount: 4\n", "stands twice"}};
    const struct options zero = {0};
    struct scratch s;

    (void)state;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options = {0};
        struct gm_err err;

        assert_int_equal(load(&s, rows[i].text, &options, &err), -GM_E_CONFIG);
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, rows[i].want));
        assert_memory_equal(&options, &zero, sizeof(zero));
    }
    scratch_remove(&s);
}

static void a_missing_file_is_an_error(void **state)
{
    struct options options = {0};
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_config_load("/no/such/file", TABLE, &options, &err), -GM_E_SYS);
    assert_null(options.name);
    assert_non_null(strstr(err.text, "/no/such/file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_without_a_file),
        cmocka_unit_test(empty_defaults_are_an_empty_text_and_list),
        cmocka_unit_test(a_file_overrides_defaults),
        cmocka_unit_test(mistakes_name_their_line_and_leave_zeros),
        cmocka_unit_test(a_missing_file_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
