/* The look at what a job publishes, in a store. Whole jobs: test_daemon.c; which objects and sizes:
 * core/test_view.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "scheduler/outputs.h"
#include "tests/common/scratch.h"

static struct gm_err err;

/* A store with a: 1 byte, b: 2, c: 3; "p" is a pipe, "f/x" in a folder. */
static struct gm_store *fill(struct scratch *s)
{
    struct gm_store *store = NULL;
    char path[160];
    scratch_make(s);
    snprintf(path, sizeof(path), "file://%s", s->path);
    assert_int_equal(gm_store_open(path, false, &store, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "a", "1", 1, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "b", "12", 2, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "c", "123", 3, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "f/x", "", 0, &err), 0);
    snprintf(path, sizeof(path), "%s/p", s->path);
    assert_int_equal(mkfifo(path, 0644), 0);
    return store;
}

static void each_output_must_be_there_with_its_size(void **state)
{
    static const struct {
        struct gm_output rows[4];
        size_t count, next; /* next: that which is not as it should be */
        enum gm_code code;
        const char *text;
    } rows[] = {
        {{{0}}, 0, 0, GM_OK, ""},
        {{{"a", 1}, {"b", 2}, {"c", 3}, {"f/x", 0}}, 4, 4, GM_OK, ""},
        {{{"a", 1}, {"aa", 5}, {"c", 3}},
         3,
         1,
         GM_E_STORE_CORRUPT,
         "aa was no longer in the destination, with 5 bytes"},
        {{{"a", 1}, {"b", 3}},
         2,
         1,
         GM_E_STORE_CORRUPT,
         "b had 2 bytes in the destination instead of 3"},
        {{{"c", 2}, {"nothing", 2}},
         2,
         0,
         GM_E_STORE_CORRUPT,
         "c had 3 bytes in the destination instead of 2"},
        {{{"f", 0}}, 1, 0, GM_E_STORE_CORRUPT, "f was no longer"},     /* a folder */
        {{{"a/y", 1}}, 1, 0, GM_E_STORE_CORRUPT, "a/y was no longer"}, /* below an object */
        {{{"a", 1}, {"p", 0}}, 2, 1, GM_E_STORE_DENIED, "p"},        /* not the NOTFOUND of users */
        {{{"a", 1}, {"b", 7}, {"b", 2}, {"c", 3}}, 4, 4, GM_OK, ""}, /* another job's size */
        {{{"a", 1}, {"b", 7}, {"b", 8}, {"c", 3}}, 4, 1, GM_E_STORE_CORRUPT, "b had 2 bytes"},
        {{{"b", 2}, {"c", 2}}, 2, 1, GM_E_STORE_CORRUPT, "c had 3 bytes"}, /* not its neighbour's */
    };
    (void)state;
    struct scratch s;
    struct gm_store *store = fill(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_output copy[4];
        struct gm_outputs outputs = {.rows = copy, .count = rows[i].count};
        memcpy(copy, rows[i].rows, sizeof(copy));
        err = (struct gm_err){0};
        int rc = gm_outputs_check(&outputs, store, 100, &err);
        if (rc != -(int)rows[i].code || err.code != rows[i].code || outputs.next != rows[i].next ||
            strstr(err.text, rows[i].text) == NULL) {
            fail_msg("row %zu: %d at %zu: %s", i, rc, outputs.next, err.text);
        }
    }
    gm_store_close(&store);
    scratch_remove(&s);
}

static void a_batch_ends_behind_as_many_keys(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = fill(&s);
    struct gm_output rows[] = {{"a", 9}, {"a", 1}, {"b", 2}, {"c", 3}, {"missing", 1}};
    struct gm_outputs outputs = {.rows = rows, .count = 5};
    assert_int_equal(gm_outputs_check(&outputs, store, 2, &err), 0);
    assert_int_equal(outputs.next, 3);
    assert_int_equal(gm_outputs_check(&outputs, store, 1, &err), 0);
    assert_int_equal(outputs.next, 4);
    assert_int_equal(gm_outputs_check(&outputs, store, 2, &err), -GM_E_STORE_CORRUPT);
    gm_store_close(&store);
    scratch_remove(&s);
}

static void a_list_shows_what_need_not_be_asked_for(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = fill(&s);
    struct gm_output rows[] = {{"b", 9}, {"b", 2}, {"c", 3}, {"f/x", 0}};
    struct gm_outputs outputs = {.rows = rows, .count = 4};
    assert_int_equal(gm_outputs_skim(&outputs, store, "", &err), 0);
    assert_int_equal(outputs.next, 4);
    outputs.next = 0;
    rows[2].size = 4;
    assert_int_equal(gm_outputs_skim(&outputs, store, "", &err), 0);
    assert_int_equal(outputs.next, 2); /* to be asked for */
    outputs.next = 0;
    rows[0].key = rows[1].key = "aa";
    assert_int_equal(gm_outputs_skim(&outputs, store, "", &err), 0);
    assert_int_equal(outputs.next, 0);
    gm_store_close(&store);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_output_must_be_there_with_its_size),
        cmocka_unit_test(a_batch_ends_behind_as_many_keys),
        cmocka_unit_test(a_list_shows_what_need_not_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
