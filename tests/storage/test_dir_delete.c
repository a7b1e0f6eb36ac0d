/* What deleting syncs, and what counts as deleted when it can't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include "store_fixture.h"

static int syncs;   /* since the test set it */
static int fail_at; /* that one fails; 0: none */

/* In place of the C library's. */
int fsync(int fd)
{
    if (++syncs == fail_at) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void put(struct fixture *f, const char *key)
{
    assert_int_equal(gm_store_put_bytes(f->store, key, "x", 1, NULL), 0);
}

static int delete_many(struct fixture *f, const char *const *keys, size_t count, size_t *out_done)
{
    struct gm_err err;

    syncs = 0;
    *out_done = 99;
    return gm_store_delete_many(f->store, keys, count, out_done, &err);
}

static const char *const six[] = {"a/1", "a/2", "a/3", "b/1", "b/2", "c"};

static void put_six(struct fixture *f)
{
    for (size_t i = 0; i < 6; i++) {
        put(f, six[i]);
    }
}

static void each_folder_is_synced_once(void **state)
{
    struct fixture *f = *state;
    size_t done;

    put_six(f);
    assert_int_equal(delete_many(f, six, 6, &done), 0);
    assert_int_equal(done, 6);
    assert_int_equal(syncs, 3);
    assert_int_equal(count_objects(f), 0);
    assert_int_equal(access(root_path(f, "a"), F_OK), -1);
    assert_int_equal(access(root_path(f, "b"), F_OK), -1);
    assert_int_equal(delete_many(f, six, 5, &done), 0); /* no such folders */
    assert_int_equal(done, 5);
    assert_int_equal(syncs, 0);
    assert_int_equal(delete_many(f, six, 0, &done), 0);
    assert_int_equal(done, 0);
}

static void what_no_sync_covers_is_not_deleted(void **state)
{
    struct fixture *f = *state;
    size_t done;

    put_six(f);
    put(f, "b/3");
    fail_at = 2;
    assert_int_equal(delete_many(f, six, 6, &done), -GM_E_STORE);
    fail_at = 0;
    assert_int_equal(done, 3);
    assert_true(holds(f, "c", "x"));
    assert_int_equal(delete_many(f, six + done, 2, &done), 0); /* absent, and synced again */
    assert_int_equal(done, 2);
    assert_int_equal(syncs, 1);
}

static void a_failure_counts_what_came_before_it(void **state)
{
    static const char *const keys[] = {"a/1", "a/2", "a/3", "b/1"};
    struct fixture *f = *state;
    size_t done;

    put(f, "a/1");
    put(f, "a/3");
    put(f, "b/1");
    assert_int_equal(mkfifo(root_path(f, "a/2"), 0600), 0);
    assert_int_equal(delete_many(f, keys, 4, &done), -GM_E_STORE_DENIED);
    assert_int_equal(done, 1);
    assert_int_equal(syncs, 1);
    assert_int_equal(access(root_path(f, "a/1"), F_OK), -1);
    assert_true(holds(f, "a/3", "x"));
    assert_true(holds(f, "b/1", "x"));
    assert_int_equal(delete_many(f, keys + 1, 1, &done), -GM_E_STORE_DENIED);
    assert_int_equal(done, 0);
    assert_int_equal(syncs, 0); /* nothing to keep */
}

static void a_bad_key_ends_it(void **state)
{
    static const char *const keys[] = {"a", "..", "b"};
    struct fixture *f = *state;
    size_t done;

    put(f, "a");
    put(f, "b");
    assert_int_equal(delete_many(f, keys, 3, &done), -GM_E_INVAL);
    assert_int_equal(done, 1);
    assert_true(holds(f, "b", "x"));
    assert_int_equal(access(root_path(f, "a"), F_OK), -1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(each_folder_is_synced_once),
        WITH_STORE(what_no_sync_covers_is_not_deleted),
        WITH_STORE(a_failure_counts_what_came_before_it),
        WITH_STORE(a_bad_key_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
