#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "storage/store_fixture.h"

struct seen {
    char text[512];
    size_t stop_after; /* 0: never */
    size_t count;
};

static int note(const char *key, uint64_t size, void *arg)
{
    struct seen *s = arg;
    size_t at = strlen(s->text);

    snprintf(s->text + at, sizeof(s->text) - at, "%s:%d ", key, (int)size);
    return ++s->count == s->stop_after ? 42 : 0;
}

static void keys_come_in_byte_order_below_their_prefix(void **state)
{
    /* '-' and '.' sort before '/', digits after */
    static const char *const keys[] = {"a/b/c", "a/b.x", "a/b-x",   "a/b0",     "a.txt", "a0",
                                       "a-",    "b",     "a/b/d/e", "\xc3\xa4", "Z"};
    static const struct {
        const char *prefix;
        const char *want;
    } rows[] = {{"", "Z:1 a-:1 a.txt:1 a/b-x:1 a/b.x:1 a/b/c:1 a/b/d/e:1 a/b0:1 a0:1 b:1 "
                     "\xc3\xa4:1 "},
                {"a/", "a/b-x:1 a/b.x:1 a/b/c:1 a/b/d/e:1 a/b0:1 "},
                {"a/b", "a/b-x:1 a/b.x:1 a/b/c:1 a/b/d/e:1 a/b0:1 "},
                {"a/b/", "a/b/c:1 a/b/d/e:1 "},
                {"a/b/d", "a/b/d/e:1 "},
                {"a/b/d/", "a/b/d/e:1 "},
                {"a/b/d/e", "a/b/d/e:1 "},
                {"a/b/d/e/", ""},
                {"a", "a-:1 a.txt:1 a/b-x:1 a/b.x:1 a/b/c:1 a/b/d/e:1 a/b0:1 a0:1 "},
                {"a.", "a.txt:1 "},
                {"none/", ""},
                {"none/at/all", ""},
                {"c", ""}};
    struct fixture *f = *state;
    struct gm_err err;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(gm_store_put_bytes(f->store, keys[i], "x", 1, &err), 0);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = {.count = 0};

        print_message("`%s`\n", rows[i].prefix);
        assert_int_equal(gm_store_list(f->store, rows[i].prefix, note, &seen, &err), 0);
        assert_string_equal(seen.text, rows[i].want);
    }
}

static void what_is_no_object_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.count = 0};
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "d/k", "abc", 3, &err), 0);
    assert_int_equal(gm_fs_write_atomic(root_path(f, ".gm-tmp-x"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_write_atomic(root_path(f, "not:a:key"), "x", 1, &err), 0);
    assert_int_equal(mkfifo(root_path(f, "pipe"), 0600), 0);
    assert_int_equal(symlink("d", root_path(f, "link")), 0);
    assert_int_equal(mkdir(root_path(f, "empty"), 0755), 0);
    assert_int_equal(gm_store_list(f->store, "", note, &seen, &err), 0);
    assert_string_equal(seen.text, "d/k:3 ");
}

static void the_callers_answer_stops_the_walk(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.stop_after = 2};
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "a/1", "", 0, &err), 0);
    assert_int_equal(gm_store_put_bytes(f->store, "a/2", "", 0, &err), 0);
    assert_int_equal(gm_store_put_bytes(f->store, "b/3", "", 0, &err), 0);
    assert_int_equal(gm_store_list(f->store, "", note, &seen, &err), 42);
    assert_string_equal(seen.text, "a/1:0 a/2:0 ");
}

static void deep_and_wide_trees_are_walked(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    char key[1025] = "";
    int count = 0;

    for (int i = 0; i < 511; i++) {
        strcat(key, "d/");
    }
    strcat(key, "k");
    assert_int_equal(gm_store_put_bytes(f->store, key, "x", 1, &err), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "w/%d", i);
        assert_int_equal(gm_fs_mkdirs(root_path(f, "w"), &err), 0);
        assert_int_equal(gm_fs_write_atomic(root_path(f, key), "", 0, &err), 0);
    }
    assert_int_equal(gm_store_list(f->store, "", count_one, &count, &err), 0);
    assert_int_equal(count, 101);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(keys_come_in_byte_order_below_their_prefix),
        WITH_STORE(what_is_no_object_is_left_out),
        WITH_STORE(the_callers_answer_stops_the_walk),
        WITH_STORE(deep_and_wide_trees_are_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
