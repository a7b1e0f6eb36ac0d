#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hwtest/temp.h"
#include "tests/common/scratch.h"

static struct gm_err err;

static bool is_there(struct scratch *s, const char *name)
{
    struct stat st;
    return lstat(scratch_path(s, name), &st) == 0;
}

static void age(const char *path)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_file(struct scratch *s, const char *name, const char *text)
{
    assert_int_equal(gm_fs_write_atomic(scratch_path(s, name), text, strlen(text), &err), 0);
}

/* A run makes a folder with files in it and is killed. */
static void killed_run(struct scratch *s, const char *prefix, char out[256])
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char path[256] = "", file[300];
        int lock = -1;
        if (setenv("TMPDIR", s->path, 1) != 0 ||
            gm_hwtest_temp_make(prefix, path, sizeof path, &lock, &err) < 0) {
            _exit(1);
        }
        (void)snprintf(file, sizeof file, "%s/farm/s", path);
        GM_IGNORE(gm_fs_mkdirs(file, NULL), "the test looks for it");
        if (write(fds[1], path, sizeof path) != sizeof path) {
            _exit(1);
        }
        (void)raise(SIGKILL);
        _exit(1);
    }
    int status = 0;
    close(fds[1]); /* a run that ends early is an end of file, no wait */
    assert_int_equal(read(fds[0], out, 256), 256);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(fds[0]);
}

static void age_lock(const char *folder)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/lock", folder);
    age(path);
}

static void what_a_killed_run_left_goes(void **state)
{
    static const char *const prefixes[] = {GM_HWTEST_TEMP_PREFIX, GM_HWTEST_TEMP_SOAK};
    struct scratch s;
    (void)state;
    scratch_make(&s);
    for (int i = 0; i < 2; i++) {
        char left[256];
        killed_run(&s, prefixes[i], left);
        gm_hwtest_temp_sweep(s.path);
        assert_int_equal(access(left, F_OK), 0); /* so young that it may be locked in a moment */
        age_lock(left);
        gm_hwtest_temp_sweep(s.path);
        assert_int_not_equal(access(left, F_OK), 0);
    }
    assert_int_equal(mkdir(scratch_path(&s, "gopmill-soak-aaaaaa"), 0700), 0);
    make_file(&s, "gopmill-hwtest-aaaaaa", "");
    age(scratch_path(&s,
                     "gopmill-soak-aaaaaa")); /* killed before the lock, and before the unlink */
    age(scratch_path(&s, "gopmill-hwtest-aaaaaa"));
    gm_hwtest_temp_sweep(s.path);
    assert_false(is_there(&s, "gopmill-soak-aaaaaa"));
    assert_false(is_there(&s, "gopmill-hwtest-aaaaaa"));
    gm_hwtest_temp_sweep(scratch_path(&s, "nowhere"));
    scratch_remove(&s);
}

static void a_run_that_works_keeps_its_folder(void **state)
{
    struct scratch s;
    char path[256] = "", small[16];
    int lock = -1;
    (void)state;
    scratch_make(&s);
    assert_int_equal(setenv("TMPDIR", s.path, 1), 0);
    assert_int_equal(gm_hwtest_temp_make(GM_HWTEST_TEMP_SOAK, small, sizeof small, &lock, &err),
                     -GM_E_LIMIT);
    assert_int_equal(gm_hwtest_temp_make(GM_HWTEST_TEMP_SOAK, path, sizeof path, &lock, &err), 0);
    age_lock(path);
    age(path);
    gm_hwtest_temp_sweep(s.path);
    assert_int_equal(access(path, F_OK), 0);
    gm_hwtest_temp_remove(path, &lock);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(lock, -1);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    scratch_remove(&s);
}

static void what_was_kept_for_its_reader_stays(void **state)
{
    struct scratch s;
    char path[256] = "", log[300];
    int lock = -1;
    (void)state;
    scratch_make(&s);
    assert_int_equal(setenv("TMPDIR", s.path, 1), 0);
    assert_int_equal(gm_hwtest_temp_make(GM_HWTEST_TEMP_SOAK, path, sizeof path, &lock, &err), 0);
    (void)snprintf(log, sizeof log, "%s/node.log", path);
    assert_int_equal(gm_fs_write_atomic(log, "why", 3, &err), 0);
    age_lock(path);
    gm_hwtest_temp_keep(path, &lock);
    age(path);
    gm_hwtest_temp_sweep(s.path);
    assert_int_equal(access(log, F_OK), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    scratch_remove(&s);
}

/* Other names, other files, links, and a farm whose programs are still ending. */
static void what_is_not_known_stays(void **state)
{
    static const char *const folders[] = {"gopmill-soak-notes-of-mine", "gopmill-state-aaaaaa",
                                          "other"};
    struct scratch s;
    char left[256], lock[300];
    (void)state;
    scratch_make(&s);
    for (int i = 0; i < 3; i++) {
        char file[128];
        assert_int_equal(mkdir(scratch_path(&s, folders[i]), 0700), 0);
        (void)snprintf(file, sizeof file, "%s/lock", folders[i]);
        make_file(&s, file, "");
        age_lock(scratch_path(&s, folders[i]));
    }
    make_file(&s, "gopmill-hwtest-bbbbbb", "mine");
    age(scratch_path(&s, "gopmill-hwtest-bbbbbb"));
    char target[256];
    (void)snprintf(target, sizeof target, "%s", scratch_path(&s, "other"));
    assert_int_equal(symlink(target, scratch_path(&s, "gopmill-soak-cccccc")), 0);
    age(scratch_path(&s, "gopmill-soak-cccccc"));
    killed_run(&s, GM_HWTEST_TEMP_SOAK, left);
    age_lock(left);
    (void)snprintf(lock, sizeof lock, "%s/farm/s/lock", left);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    gm_hwtest_temp_sweep(s.path);
    for (int i = 0; i < 3; i++) {
        assert_true(is_there(&s, folders[i]));
    }
    assert_true(is_there(&s, "other/lock"));
    assert_true(is_there(&s, "gopmill-hwtest-bbbbbb"));
    assert_true(is_there(&s, "gopmill-soak-cccccc"));
    assert_int_equal(access(lock, F_OK), 0);
    close(fd); /* it has ended */
    gm_hwtest_temp_sweep(s.path);
    assert_int_not_equal(access(left, F_OK), 0);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_run_left_goes),
        cmocka_unit_test(a_run_that_works_keeps_its_folder),
        cmocka_unit_test(what_was_kept_for_its_reader_stays),
        cmocka_unit_test(what_is_not_known_stays),
    };
    return cmocka_run_group_tests_name("temp", tests, NULL, NULL);
}
