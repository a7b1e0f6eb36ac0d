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
#include "storage/remote/stores.h"
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
        {{{.key = "a", .size = 1},
          {.key = "b", .size = 2},
          {.key = "c", .size = 3},
          {.key = "f/x", .size = 0}},
         4,
         4,
         GM_OK,
         ""},
        {{{.key = "a", .size = 1}, {.key = "aa", .size = 5}, {.key = "c", .size = 3}},
         3,
         1,
         GM_E_STORE_CORRUPT,
         "aa was no longer in the destination, with 5 bytes"},
        {{{.key = "a", .size = 1}, {.key = "b", .size = 3}},
         2,
         1,
         GM_E_STORE_CORRUPT,
         "b had 2 bytes in the destination instead of 3"},
        {{{.key = "c", .size = 2}, {.key = "nothing", .size = 2}},
         2,
         0,
         GM_E_STORE_CORRUPT,
         "c had 3 bytes in the destination instead of 2"},
        {{{.key = "f", .size = 0}}, 1, 0, GM_E_STORE_CORRUPT, "f was no longer"}, /* a folder */
        {{{.key = "a/y", .size = 1}},
         1,
         0,
         GM_E_STORE_CORRUPT,
         "a/y was no longer"}, /* below an object */
        {{{.key = "a", .size = 1}, {.key = "p", .size = 0}},
         2,
         1,
         GM_E_STORE_DENIED,
         "p"}, /* not the NOTFOUND of users */
        {{{.key = "a", .size = 1},
          {.key = "b", .size = 7},
          {.key = "b", .size = 2},
          {.key = "c", .size = 3}},
         4,
         4,
         GM_OK,
         ""}, /* another job's size */
        {{{.key = "a", .size = 1},
          {.key = "b", .size = 7},
          {.key = "b", .size = 8},
          {.key = "c", .size = 3}},
         4,
         1,
         GM_E_STORE_CORRUPT,
         "b had 2 bytes"},
        {{{.key = "b", .size = 2}, {.key = "c", .size = 2}},
         2,
         1,
         GM_E_STORE_CORRUPT,
         "c had 3 bytes"}, /* not its neighbour's */
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
    struct gm_output rows[] = {{.key = "a", .size = 9},
                               {.key = "a", .size = 1},
                               {.key = "b", .size = 2},
                               {.key = "c", .size = 3},
                               {.key = "missing", .size = 1}};
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
    struct gm_output rows[] = {{.key = "b", .size = 9},
                               {.key = "b", .size = 2},
                               {.key = "c", .size = 3},
                               {.key = "f/x", .size = 0}};
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

/* Owned, as a list that is struck off frees its keys. */
static struct gm_outputs owned(const struct gm_output *rows, size_t count)
{
    struct gm_outputs outputs = {.rows = calloc(count, sizeof(*rows)), .count = count};
    assert_non_null(outputs.rows);
    for (size_t i = 0; i < count; i++) {
        outputs.rows[i] = rows[i];
        outputs.rows[i].key = strdup(rows[i].key);
        assert_non_null(outputs.rows[i].key);
    }
    return outputs;
}

static void what_a_list_shows_is_struck_off(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = fill(&s);
    const struct gm_output rows[] = {{.key = "a", .size = 1},   {.key = "a", .size = 9},
                                     {.key = "aa", .size = 1},  {.key = "b", .size = 3},
                                     {.key = "b", .size = 4},   {.key = "c", .size = 3},
                                     {.key = "f/x", .size = 0}, {.key = "z", .size = 2}};
    struct gm_outputs outputs = owned(rows, 8);
    outputs.next = 2;
    assert_int_equal(gm_outputs_strike(&outputs, store, "", &err), 0);
    assert_true(outputs.count == 4 && outputs.next == 0);
    assert_string_equal(outputs.rows[0].key, "aa");
    assert_string_equal(outputs.rows[1].key, "b");
    assert_int_equal(outputs.rows[2].size, 4);
    assert_string_equal(outputs.rows[3].key, "z");
    assert_int_equal(gm_outputs_left(&outputs), 3);
    gm_outputs_fini(&outputs);
    gm_store_close(&store);
    scratch_remove(&s);
}

static void a_body_is_copied_with_the_hash_of_its_size(void **state)
{
    (void)state;
    struct scratch s, other;
    char url[160];
    struct gm_store *store = fill(&s), *to = NULL;
    struct gm_output rows[] = {{.key = "b", .size = 9, .has_sha256 = true},
                               {.key = "b", .size = 2, .has_sha256 = true},
                               {.key = "c", .size = 3, .has_sha256 = true},
                               {.key = "f/x", .size = 1}};
    struct gm_outputs outputs = {.rows = rows, .count = 4};
    gm_sha256("12", 2, rows[1].sha256);
    scratch_make(&other);
    snprintf(url, sizeof(url), "file://%s", other.path);
    assert_int_equal(gm_store_open(url, false, &to, &err), 0);
    assert_int_equal(gm_outputs_copy(&outputs, store, to, other.path, NULL, &err), 0);
    assert_int_equal(outputs.next, 2);
    /* of other bytes than it was stored with; then of another size */
    assert_int_equal(gm_outputs_copy(&outputs, store, to, other.path, NULL, &err),
                     -GM_E_STORE_CORRUPT);
    assert_int_equal(outputs.next, 2);
    outputs.next = 3;
    assert_int_equal(gm_outputs_copy(&outputs, store, to, other.path, NULL, &err),
                     -GM_E_STORE_CORRUPT);
    outputs.next = 0;
    outputs.count = 2;
    assert_int_equal(gm_outputs_check(&outputs, to, 9, &err), 0);
    gm_store_close(&store);
    gm_store_close(&to);
    scratch_remove(&s);
    scratch_remove(&other);
}

/* In the place of two buckets: what each has. */
static struct gm_store_look destination[4], second[4];
static struct gm_store *const FROM = (void *)destination, *const TO = (void *)second;

int __wrap_gm_stores_look(struct gm_store *store, struct gm_store_look *looks, size_t count,
                          struct gm_err *why);
int __wrap_gm_stores_look(struct gm_store *store, struct gm_store_look *looks, size_t count,
                          struct gm_err *why)
{
    const struct gm_store_look *all = store == TO ? second : destination;
    (void)why;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < 3 && strcmp(all[k].key, looks[i].key) != 0) {
            k++;
        }
        looks[i].there = all[k].there;
        looks[i].stat = all[k].stat;
    }
    return 0;
}

static void each_is_asked_for_whatever_a_list_says(void **state)
{
#define MD5(c) "\"" c c c c c c c c "\""
    static const struct {
        uint64_t size;
        const char *here, *there;
        bool gone, copied, lacks;
    } rows[] = {
        {1, MD5("aaaa"), MD5("AAAA"), false, false, false},
        {2, "", "", false, false, true},
        {1, "", "", true, false, true},
        {9, "", "", false, false, false}, /* its other size */
        {1, MD5("aaaa"), MD5("bbbb"), false, false, true},
        {1, MD5("aaaa"), MD5("bbbb"), false, true, false},
        {1, "\"aa-2\"", MD5("bbbb"), false, false, false},
        {1, "", MD5("bbbb"), false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_output list[] = {{.key = "a", .size = 1},
                                         {.key = "a", .size = 9},
                                         {.key = "b", .size = 5},
                                         {.key = "c", .size = 5}};
        const struct gm_output did[] = {{.key = "a", .size = 1}};
        struct gm_outputs outputs = owned(list, 4), done = owned(did, 1);
        for (size_t k = 0; k < 4; k++) {
            static const char *const keys[] = {"a", "b", "c", ""};
            destination[k] = second[k] = (struct gm_store_look){
                .key = keys[k], .there = k < 3, .stat = {.size = k == 0 ? rows[i].size : 5}};
        }
        second[0].there = !rows[i].gone;
        (void)snprintf(destination[0].stat.etag, sizeof(destination[0].stat.etag), "%s",
                       rows[i].here);
        (void)snprintf(second[0].stat.etag, sizeof(second[0].stat.etag), "%s", rows[i].there);
        done.next = rows[i].copied ? 1 : 0;
        gm_outputs_note_copied(&outputs, &done);
        assert_int_equal(gm_outputs_compare(&outputs, FROM, TO, &err), 1);
        assert_int_equal(gm_outputs_left(&outputs), rows[i].lacks ? 1 : 0);
        if (rows[i].lacks) {
            assert_string_equal(outputs.rows[0].key, "a");
        }
        gm_outputs_fini(&outputs);
        gm_outputs_fini(&done);
    }
}

static void many_are_asked_for_in_turns(void **state)
{
    struct gm_outputs outputs = {.count = 100};
    (void)state;
    outputs.rows = calloc(100, sizeof(*outputs.rows));
    assert_non_null(outputs.rows);
    for (size_t i = 0; i < 100; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "k%02zu", i);
        outputs.rows[i] = (struct gm_output){.key = strdup(key), .size = 7};
    }
    for (size_t k = 0; k < 4; k++) {
        second[k] = (struct gm_store_look){
            .key = k == 0 ? "k50" : "k80", .there = k < 3, .stat = {.size = 7}};
    }
    assert_int_equal(gm_outputs_compare(&outputs, NULL, TO, &err), 0);
    assert_int_equal(gm_outputs_compare(&outputs, NULL, TO, &err), 1);
    assert_int_equal(gm_outputs_left(&outputs), 98);
    assert_string_equal(outputs.rows[97].key, "k99");
    gm_outputs_fini(&outputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_output_must_be_there_with_its_size),
        cmocka_unit_test(a_batch_ends_behind_as_many_keys),
        cmocka_unit_test(a_list_shows_what_need_not_be_asked_for),
        cmocka_unit_test(what_a_list_shows_is_struck_off),
        cmocka_unit_test(a_body_is_copied_with_the_hash_of_its_size),
        cmocka_unit_test(each_is_asked_for_whatever_a_list_says),
        cmocka_unit_test(many_are_asked_for_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
