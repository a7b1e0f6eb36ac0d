#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/leftovers.h"
#include "storage/backend.h"
#include "tests/common/scratch.h"

#define OLD "00000000000000000000000000"
#define NOT_ULID "a-job-of-a-test"

static struct gm_err err;

static void put(struct gm_store *store, const char *key)
{
    assert_int_equal(gm_store_put_bytes(store, key, "abc", 3, &err), 0);
}

static void what_lies_there_is_counted_by_job_and_deleted(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_store *store = NULL;
    struct gm_leftovers found = {0};
    struct gm_store_stat stat;
    char url[128], key[64];
    bool more = false;
    scratch_make(&s);
    snprintf(url, sizeof(url), "file://%s", s.path);
    assert_int_equal(gm_store_open(url, false, &store, &err), 0);
    assert_int_equal(gm_leftovers_list(store, 5000, &found, &err), 0);
    assert_int_equal(found.count, 0);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "jobs/" OLD "/chunks/%03d", i);
        put(store, key);
    }
    put(store, "jobs/" NOT_ULID "/plan");
    put(store, "jobs/of nobody/plan");
    put(store, "jobs/file");
    put(store, "other/" OLD "/x");
    assert_int_equal(gm_leftovers_list(store, 5000, &found, &err), 0);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.rows[0].job_id, OLD);
    assert_int_equal(found.rows[0].objects, 300);
    assert_int_equal(found.rows[0].bytes, 900);
    assert_int_equal(found.rows[0].uploads, 0);
    assert_int_equal(found.rows[0].age_ms, 5000);
    assert_string_equal(found.rows[1].job_id, NOT_ULID);
    assert_int_equal(found.rows[1].age_ms, -1);
    gm_leftovers_fini(&found);
    assert_int_equal(gm_leftovers_delete(store, OLD, &more, &err), 0);
    assert_true(more);
    assert_int_equal(gm_leftovers_delete(store, OLD, &more, &err), 0);
    assert_false(more);
    assert_int_equal(gm_store_head(store, key, &stat, &err), -GM_E_NOTFOUND);
    assert_int_equal(gm_store_head(store, "jobs/" NOT_ULID "/plan", &stat, &err), 0);
    assert_int_equal(gm_store_head(store, "other/" OLD "/x", &stat, &err), 0);
    gm_store_close(&store);
    scratch_remove(&s);
}

/* A store whose server does not know prefixes. */
static int list_all(struct gm_store *store, const char *prefix,
                    int (*fn)(const char *key, uint64_t size, void *arg), void *arg,
                    struct gm_err *e)
{
    static const char *const keys[] = {"a", "jobs/" OLD "/x", "jobs/" OLD "0/x", "v/" OLD "/x"};
    int rc = 0;
    (void)store;
    (void)prefix;
    (void)e;
    for (size_t i = 0; rc == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
        rc = fn(keys[i], 1, arg);
    }
    return rc;
}

static int delete_own(struct gm_store *store, const char *const *keys, size_t count, size_t *done,
                      struct gm_err *e)
{
    (void)store;
    (void)e;
    assert_int_equal(count, 1);
    assert_string_equal(keys[0], "jobs/" OLD "/x");
    *done = count;
    return 0;
}

static void what_was_not_asked_for_is_not_deleted(void **state)
{
    static const struct gm_store_ops ops = {.list = list_all, .delete = delete_own};
    struct gm_store store = {.ops = &ops};
    struct gm_leftovers found = {0};
    bool more = true;
    (void)state;
    assert_int_equal(gm_leftovers_list(&store, 5000, &found, &err), 0);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.rows[0].job_id, OLD);
    gm_leftovers_fini(&found);
    assert_int_equal(gm_leftovers_delete(&store, OLD, &more, &err), 0);
    assert_false(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_there_is_counted_by_job_and_deleted),
        cmocka_unit_test(what_was_not_asked_for_is_not_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
