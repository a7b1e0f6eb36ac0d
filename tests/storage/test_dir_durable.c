/* Folders whose maker was killed before they were synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

static bool keeps_modes;

int fchmod(int fd, mode_t mode)
{
    if (keeps_modes) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fchmod, fd, mode);
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

/* We make none that others may write to: the bit is not ours. */
static void a_sticky_folder_of_somebody_else_stays_as_it_is(void **state)
{
    static const mode_t modes[] = {01777, 01775, 03775};
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(mkdir(root_path(f, "a"), 0755), 0);
    watch(root_path(f, ""));
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(root_path(f, "a"), modes[i]), 0);
        assert_int_equal(gm_store_put_bytes(f->store, "a/k", "x", 1, &err), 0);
        assert_int_equal(mode_of(f, "a"), modes[i]);
        assert_int_equal(syncs, 0);
    }
}

static void a_bit_that_can_not_be_taken_off_costs_a_sync(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    leave_unsynced(f, "a");
    watch(root_path(f, ""));
    keeps_modes = true;
    assert_int_equal(gm_store_put_bytes(f->store, "a/k", "x", 1, &err), 0);
    assert_int_equal(gm_store_put_bytes(f->store, "a/l", "x", 1, &err), 0);
    keeps_modes = false;
    assert_int_equal(syncs, 2);
    assert_int_equal(mode_of(f, "a"), 01755);
}

/* As a writer of another machine that was stopped, whatever it holds. */
static void nobody_who_stands_still_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    int held = open(root_path(f, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    alarm(20);
    assert_int_equal(gm_store_put_bytes(f->store, "new/k", "x", 1, &err), 0);
    assert_int_equal(gm_store_put_bytes(f->store, "new/l", "x", 1, &err), 0);
    alarm(0);
    close(held);
}

enum { SOMEBODY = 12345, SOME_GROUP = 23456 };

static bool put_deep(struct fixture *f)
{
    struct gm_err err;

    return gm_store_put_bytes(f->store, "new/deep/k", "x", 1, &err) == 0;
}

static bool mark(struct fixture *f)
{
    char text[GM_ID_SIZE];
    struct gm_err err;

    return gm_store_mark(f->store, true, text, &err) == 0;
}

/* Whether what succeeds for somebody else, who is in no group and whose the store's folder is. */
static bool as_somebody(struct fixture *f, bool (*what)(struct fixture *f))
{
    int status = 0;
    pid_t child;

    assert_int_equal(chown(root_path(f, ""), SOMEBODY, SOME_GROUP), 0);
    assert_int_equal(chmod(root_path(f, ""), 02755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool other = setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0 &&
                     prctl(PR_SET_DUMPABLE, 1) == 0; /* its /proc/self/fd is its own */
        _exit(other && what(f) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

/* fchmod would take the bit in the hands of one who is not in the folder's group. */
static void folders_of_a_group_stay_of_that_group(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(chmod(root_path(f, ""), 02755), 0);
    watch(root_path(f, ""));
    assert_int_equal(gm_store_put_bytes(f->store, "own/deep/k", "x", 1, &err), 0);
    assert_int_equal(mode_of(f, "own"), 02755);
    assert_int_equal(mode_of(f, "own/deep"), 02755);
    assert_int_equal(syncs, 1);
    fails = true;
    assert_int_equal(gm_store_put_bytes(f->store, "lost/k", "x", 1, &err), -GM_E_STORE);
    assert_int_equal(gm_store_put_bytes(f->store, "lost/k", "x", 1, &err), -GM_E_STORE);
    fails = false;
    assert_int_equal(gm_store_put_bytes(f->store, "lost/k", "x", 1, &err), 0);
    if (geteuid() != 0) {
        return; /* nobody else to be */
    }
    assert_true(as_somebody(f, put_deep));
    assert_int_equal(mode_of(f, "new"), 02755);
    assert_int_equal(mode_of(f, "new/deep"), 02755);
}

static void folders_above_that_are_not_ours_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    watch("/"); /* of another file system than /proc */
    assert_int_equal(gm_fs_sync_above("/proc", &err), 0);
    assert_int_equal(syncs, 0);
    if (geteuid() != 0) {
        return;
    }
    assert_int_equal(chmod(scratch_path(&f->scratch, ""), 0755), 0);
    watch(scratch_path(&f->scratch, ""));
    fails = true;
    assert_true(as_somebody(f, mark));
    assert_int_equal(unlink(root_path(f, ".gm-store")), 0);
    assert_int_equal(chmod(scratch_path(&f->scratch, ""), 0777), 0);
    assert_false(as_somebody(f, mark)); /* it may have made the store's folder */
    fails = false;
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
        WITH_STORE(a_sticky_folder_of_somebody_else_stays_as_it_is),
        WITH_STORE(a_bit_that_can_not_be_taken_off_costs_a_sync),
        WITH_STORE(nobody_who_stands_still_is_waited_for),
        WITH_STORE(folders_of_a_group_stay_of_that_group),
        WITH_STORE(folders_above_that_are_not_ours_are_left_alone),
        WITH_STORE(the_way_to_a_store_is_synced_before_its_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
