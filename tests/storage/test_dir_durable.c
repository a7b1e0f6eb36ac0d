/* Folders whose maker was killed before they were synced. */
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

static struct stat watched; /* a folder */
static int syncs;           /* of it */
static bool fails;          /* the next one */

/* In place of the C library's. */
int fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && st.st_dev == watched.st_dev && st.st_ino == watched.st_ino) {
        syncs++;
        if (fails) {
            errno = EIO;
            return -1;
        }
    }
    return (int)syscall(SYS_fsync, fd);
}

static void watch(const char *path)
{
    assert_int_equal(stat(path, &watched), 0);
    syncs = 0;
    fails = false;
}

static mode_t mode_of(struct fixture *f, const char *name)
{
    struct stat st;

    assert_int_equal(stat(root_path(f, name), &st), 0);
    return st.st_mode & 07777;
}

/* As a writer that is killed at store.folder_made leaves it. */
static void leave_unsynced(struct fixture *f, const char *name)
{
    assert_int_equal(mkdir(root_path(f, name), 0755), 0);
    assert_int_equal(chmod(root_path(f, name), 01755), 0);
}

static void a_folder_that_nobody_synced_is_synced_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    leave_unsynced(f, "a");
    leave_unsynced(f, "a/b");
    watch(root_path(f, "a"));
    assert_int_equal(gm_store_put_bytes(f->store, "a/b/k", "x", 1, &err), 0);
    assert_int_equal(syncs, 1);
    assert_int_equal(mode_of(f, "a"), 0755);
    assert_int_equal(mode_of(f, "a/b"), 0755);
    assert_int_equal(gm_store_put_bytes(f->store, "a/b/l", "x", 1, &err), 0);
    assert_int_equal(syncs, 1); /* once is enough */
}

static void nothing_is_durable_in_a_folder_that_can_not_be_synced(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    leave_unsynced(f, "a");
    watch(root_path(f, ""));
    fails = true;
    assert_int_equal(gm_store_put_bytes(f->store, "a/k", "x", 1, &err), -GM_E_STORE);
    assert_int_equal(mode_of(f, "a"), 01755);
    fails = false;
    assert_int_equal(gm_store_put_bytes(f->store, "a/k", "x", 1, &err), 0);
    assert_int_equal(mode_of(f, "a"), 0755);
}

static void a_new_folder_is_synced_and_plain(void **state)
{
    struct fixture *f = *state;
    mode_t umask_before = umask(027);
    struct gm_err err;

    watch(root_path(f, ""));
    assert_int_equal(gm_store_put_bytes(f->store, "new/deep/k", "x", 1, &err), 0);
    (void)umask(umask_before);
    assert_int_equal(syncs, 1);
    assert_int_equal(mode_of(f, "new"), 0750);
    assert_int_equal(mode_of(f, "new/deep"), 0750);
}

static void the_way_to_a_store_is_synced_before_its_mark(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE];
    struct gm_err err;

    watch(scratch_path(&f->scratch, ""));
    fails = true;
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), -GM_E_STORE);
    assert_int_equal(syncs, 1);
    assert_int_equal(access(root_path(f, ".gm-store"), F_OK), -1);
    fails = false;
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_int_equal(syncs, 2);
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_int_equal(syncs, 2); /* the mark says that it was done */
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_folder_that_nobody_synced_is_synced_by_the_next),
        WITH_STORE(nothing_is_durable_in_a_folder_that_can_not_be_synced),
        WITH_STORE(a_new_folder_is_synced_and_plain),
        WITH_STORE(the_way_to_a_store_is_synced_before_its_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
