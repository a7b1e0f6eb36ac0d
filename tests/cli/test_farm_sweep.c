#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
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

static void make_socket(struct scratch *s, const char *name)
{
    assert_int_equal(mknod(scratch_path(s, name), S_IFSOCK | 0600, 0), 0);
}

static void age(struct scratch *s, const char *name)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(s, name), old, 0), 0);
}

/* The folder of a farm that began long ago. */
static void make_farm(struct scratch *s, const char *name, bool temporary)
{
    char file[128];
    snprintf(file, sizeof(file), "%s/scheduler", name);
    assert_int_equal(gm_fs_mkdirs(scratch_path(s, file), &err), 0);
    snprintf(file, sizeof(file), "%s/scheduler/lock", name);
    make_file(s, file);
    snprintf(file, sizeof(file), "%s/lock", name);
    make_file(s, file);
    age(s, file);
    if (temporary) {
        snprintf(file, sizeof(file), "%s/temporary", name);
        make_file(s, file);
    }
}

/* Its sockets, in a folder as old. */
static void make_sockets(struct scratch *s, const char *name)
{
    static const char *const sockets[] = {"http.sock", "nodes.sock"};
    char file[128];
    assert_int_equal(gm_fs_mkdirs(scratch_path(s, name), &err), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof(file), "%s/%s", name, sockets[i]);
        make_socket(s, file);
    }
    snprintf(file, sizeof(file), "%s/lock", name);
    make_file(s, file);
    age(s, file);
    age(s, name);
}

static void what_a_killed_farm_left_goes(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    make_farm(&s, "gopmill-state-aaaaaa", true);
    make_file(&s, "gopmill-state-aaaaaa/.gm-tmp-1");
    make_sockets(&s, "gopmill-sockets-aaaaaa");
    static const char *const bare[] = {"gopmill-state-bare", "gopmill-sockets-bare",
                                       "gopmill-state-half"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gm_fs_mkdirs(scratch_path(&s, bare[i]), &err), 0);
    }
    make_file(&s, "gopmill-state-bare/temporary");
    make_file(&s, "gopmill-state-half/.gm-tmp-1"); /* killed while it wrote the marker */
    for (int i = 0; i < 3; i++) {
        age(&s, bare[i]);
    }
    gm_farm_sweep(s.path);
    for (int i = 0; i < 3; i++) {
        assert_false(is_there(&s, bare[i]));
    }
    assert_false(is_there(&s, "gopmill-state-aaaaaa"));
    assert_false(is_there(&s, "gopmill-sockets-aaaaaa"));
    gm_farm_sweep(scratch_path(&s, "nowhere"));
    scratch_remove(&s);
}

static void a_folder_with_more_than_sockets_stays(void **state)
{
    (void)state;
    static const char *const more[] = {"notes", "temporary", "scheduler.yaml"};
    struct scratch s;
    scratch_make(&s);
    make_farm(&s, "gopmill-sockets-state", false);
    make_farm(&s, "gopmill-sockets-marked", true);
    for (int i = 0; i < 3; i++) {
        char name[128];
        make_sockets(&s, "gopmill-sockets-more");
        snprintf(name, sizeof(name), "gopmill-sockets-more/%s", more[i]);
        make_file(&s, name);
        gm_farm_sweep(s.path);
        assert_true(is_there(&s, name));
        assert_true(is_there(&s, "gopmill-sockets-more/http.sock"));
        assert_true(is_there(&s, "gopmill-sockets-more/nodes.sock"));
        assert_true(is_there(&s, "gopmill-sockets-more/lock"));
        assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "gopmill-sockets-more"), &err), 0);
    }
    make_sockets(&s, "gopmill-sockets-file");
    assert_int_equal(unlink(scratch_path(&s, "gopmill-sockets-file/http.sock")), 0);
    make_file(&s, "gopmill-sockets-file/http.sock");
    gm_farm_sweep(s.path);
    assert_true(is_there(&s, "gopmill-sockets-state/scheduler/lock"));
    assert_true(is_there(&s, "gopmill-sockets-marked/scheduler/lock"));
    assert_true(is_there(&s, "gopmill-sockets-file/http.sock"));
    scratch_remove(&s);
}

static void a_folder_without_a_lock_loses_nothing(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "gopmill-state-user"), &err), 0);
    make_file(&s, "gopmill-state-user/temporary");
    make_file(&s, "gopmill-state-user/film");
    age(&s, "gopmill-state-user");
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "gopmill-state-text"), &err), 0);
    assert_int_equal(
        gm_fs_write_atomic(scratch_path(&s, "gopmill-state-text/temporary"), "x", 1, &err), 0);
    age(&s, "gopmill-state-text");
    make_farm(&s, "gopmill-state-word", false);
    assert_int_equal(
        gm_fs_write_atomic(scratch_path(&s, "gopmill-state-word/temporary"), "x", 1, &err), 0);
    gm_farm_sweep(s.path);
    assert_true(is_there(&s, "gopmill-state-user/temporary"));
    assert_true(is_there(&s, "gopmill-state-user/film"));
    assert_true(is_there(&s, "gopmill-state-text/temporary"));
    assert_true(is_there(&s, "gopmill-state-word/scheduler/lock"));
    scratch_remove(&s);
}

/* Leaves count descriptors free; returns the limit before. */
static struct rlimit leave_descriptors(int count)
{
    struct rlimit before, limit;
    int fd[8];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i <= count; i++) {
        fd[i] = open("/", O_RDONLY | O_CLOEXEC);
        assert_true(fd[i] >= 0);
    }
    limit = before;
    limit.rlim_cur = (rlim_t)fd[count];
    for (int i = 0; i <= count; i++) {
        close(fd[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void a_lock_that_can_not_be_opened_is_taken(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    make_farm(&s, "gopmill-state-child", true);
    assert_int_equal(unlink(scratch_path(&s, "gopmill-state-child/scheduler/lock")), 0);
    assert_int_equal(symlink("none", scratch_path(&s, "gopmill-state-child/scheduler/lock")), 0);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "gopmill-state-link"), &err), 0);
    make_file(&s, "gopmill-state-link/temporary");
    assert_int_equal(symlink("none", scratch_path(&s, "gopmill-state-link/lock")), 0);
    age(&s, "gopmill-state-link");
    make_farm(&s, "gopmill-state-few", true);
    age(&s, "gopmill-state-few");
    for (int count = 1; count <= 2; count++) {
        struct rlimit before = leave_descriptors(count);
        gm_farm_sweep(s.path);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_true(is_there(&s, "gopmill-state-few/temporary"));
        assert_true(is_there(&s, "gopmill-state-few/scheduler/lock"));
    }
    gm_farm_sweep(s.path);
    assert_true(is_there(&s, "gopmill-state-child/temporary"));
    assert_true(is_there(&s, "gopmill-state-link/temporary"));
    assert_false(is_there(&s, "gopmill-state-few"));
    scratch_remove(&s);
}

/* Removal fails at a folder, wherever a file system lists that among the others. */
static void what_was_removed_in_part_goes_later(void **state)
{
    enum { COUNT = 12 };
    (void)state;
    struct scratch s;
    char name[128];
    scratch_make(&s);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "gopmill-state-%d/work-%d/a", i, i);
        assert_int_equal(gm_fs_mkdirs(scratch_path(&s, name), &err), 0);
        snprintf(name, sizeof(name), "gopmill-state-%d", i);
        make_farm(&s, name, true);
    }
    struct rlimit before = leave_descriptors(3);
    gm_farm_sweep(s.path);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "gopmill-state-%d/work-%d/a", i, i);
        assert_true(is_there(&s, name));
        snprintf(name, sizeof(name), "gopmill-state-%d/temporary", i);
        assert_true(is_there(&s, name));
        snprintf(name, sizeof(name), "gopmill-state-%d/lock", i);
        assert_true(is_there(&s, name));
    }
    gm_farm_sweep(s.path);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "gopmill-state-%d", i);
        assert_false(is_there(&s, name));
    }
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
        cmocka_unit_test(a_folder_with_more_than_sockets_stays),
        cmocka_unit_test(a_folder_without_a_lock_loses_nothing),
        cmocka_unit_test(a_lock_that_can_not_be_opened_is_taken),
        cmocka_unit_test(what_was_removed_in_part_goes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
