#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/farm_sweep.h"
#include "common/fs.h"
#include "tests/common/scratch.h"

static struct gm_err err;

static bool is_there(struct scratch *s, const char *name)
{
    struct stat st;
    return lstat(scratch_path(s, name), &st) == 0;
}

static void make_file(struct scratch *s, const char *name)
{
    assert_int_equal(gm_fs_write_atomic(scratch_path(s, name), "", 0, &err), 0);
}

/* The folder of a farm that began long ago. */
static void make_farm(struct scratch *s, const char *name, bool temporary)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    char file[128];
    snprintf(file, sizeof(file), "%s/scheduler", name);
    assert_int_equal(gm_fs_mkdirs(scratch_path(s, file), &err), 0);
    snprintf(file, sizeof(file), "%s/scheduler/lock", name);
    make_file(s, file);
    snprintf(file, sizeof(file), "%s/lock", name);
    make_file(s, file);
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(s, file), old, 0), 0);
    if (temporary) {
        snprintf(file, sizeof(file), "%s/temporary", name);
        make_file(s, file);
    }
}

static void what_a_killed_farm_left_goes(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    make_farm(&s, "gopmill-state-aaaaaa", true);
    make_farm(&s, "gopmill-sockets-aaaaaa", false);
    static const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    static const char *const bare[] = {"gopmill-state-bare", "gopmill-sockets-bare"};
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, bare[0]), &err), 0);
    make_file(&s, "gopmill-state-bare/temporary");
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, bare[1]), &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(utimensat(AT_FDCWD, scratch_path(&s, bare[i]), old, 0), 0);
    }
    gm_farm_sweep(s.path);
    assert_false(is_there(&s, bare[0]));
    assert_false(is_there(&s, bare[1]));
    assert_false(is_there(&s, "gopmill-state-aaaaaa"));
    assert_false(is_there(&s, "gopmill-sockets-aaaaaa"));
    gm_farm_sweep(scratch_path(&s, "nowhere"));
    scratch_remove(&s);
}

static void what_is_in_use_kept_new_or_not_ours_stays(void **state)
{
    (void)state;
    struct scratch s;
    int own = -1, child = -1;
    scratch_make(&s);
    make_farm(&s, "gopmill-state-locked", true);
    make_farm(&s, "gopmill-state-ending", true);
    make_farm(&s, "gopmill-state-kept", false);
    make_farm(&s, "gopmill-state-new", true);
    make_farm(&s, "gopmill-other", true);
    make_farm(&s, "elsewhere", true);
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(&s, "gopmill-state-new/lock"), NULL, 0), 0);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "gopmill-state-bare"), &err), 0);
    assert_int_equal(symlink("elsewhere", scratch_path(&s, "gopmill-state-link")), 0);
    assert_int_equal(gm_fs_lock(scratch_path(&s, "gopmill-state-locked"), "x", &own, &err), 0);
    assert_int_equal(
        gm_fs_lock(scratch_path(&s, "gopmill-state-ending/scheduler"), "x", &child, &err), 0);
    gm_farm_sweep(s.path);
    assert_true(is_there(&s, "gopmill-state-locked/temporary"));
    assert_true(is_there(&s, "gopmill-state-ending/temporary"));
    assert_true(is_there(&s, "gopmill-state-kept/lock"));
    assert_true(is_there(&s, "gopmill-state-new/temporary"));
    assert_true(is_there(&s, "gopmill-other/temporary"));
    assert_true(is_there(&s, "elsewhere/temporary"));
    assert_true(is_there(&s, "gopmill-state-bare"));
    assert_false(is_there(&s, "gopmill-state-bare/lock"));
    assert_true(is_there(&s, "gopmill-state-link"));
    close(own);
    close(child);
    gm_farm_sweep(s.path);
    assert_false(is_there(&s, "gopmill-state-locked"));
    assert_false(is_there(&s, "gopmill-state-ending"));
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_farm_left_goes),
        cmocka_unit_test(what_is_in_use_kept_new_or_not_ours_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
