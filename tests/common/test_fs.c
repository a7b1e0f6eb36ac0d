#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/fs.h"
#include "common/scratch.h"

static void what_is_written_is_read(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    struct scratch s;
    struct gm_err err;
    char *data = malloc(100000);

    (void)state;
    scratch_make(&s);
    assert_non_null(data);
    for (size_t i = 0; i < 100000; i++) {
        data[i] = (char)(i * 7);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *out = NULL;
        size_t size = 0;

        assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "f"), data, sizes[i], &err), 0);
        assert_int_equal(gm_fs_read(scratch_path(&s, "f"), sizes[i], &out, &size, &err), 0);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(out, data, size);
        assert_int_equal(out[size], 0);
        free(out);
        if (sizes[i] > 0) {
            out = NULL;
            assert_int_equal(gm_fs_read(scratch_path(&s, "f"), sizes[i] - 1, &out, &size, &err),
                             -GM_E_LIMIT);
            assert_null(out);
            assert_int_equal(size, sizes[i]);
        }
    }
    free(data);
    scratch_remove(&s);
}

static void a_pipe_is_read_to_its_end(void **state)
{
    char data[20000];
    uint8_t *out = NULL;
    size_t size = 0;
    struct gm_err err;
    int ends[2];

    (void)state;
    memset(data, 'p', sizeof(data));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(gm_fs_write_all(ends[1], data, sizeof(data), &err), 0);
    close(ends[1]);
    assert_int_equal(gm_fs_read_fd(ends[0], 30000, &out, &size, &err), 0);
    assert_int_equal(size, sizeof(data));
    assert_memory_equal(out, data, size);
    close(ends[0]);
    free(out);
}

static void errors_name_the_file(void **state)
{
    struct scratch s;
    struct gm_err err;
    uint8_t *out = NULL;
    size_t size;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_read(scratch_path(&s, "none"), 9, &out, &size, &err), -GM_E_SYS);
    assert_int_equal(err.native, ENOENT);
    assert_non_null(strstr(err.text, "/none"));
    assert_int_equal(gm_fs_read(s.path, 9, &out, &size, &err), -GM_E_SYS);
    assert_int_equal(err.native, EISDIR);
    assert_non_null(strstr(err.text, s.path));
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "no/f"), "x", 1, &err), -GM_E_SYS);
    assert_int_equal(gm_fs_write_all(-1, "x", 1, &err), -GM_E_SYS);
    assert_null(out);
    scratch_remove(&s);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
    struct scratch s;
    struct gm_err err;
    DIR *dir;
    int names = 0;

    (void)state;
    scratch_make(&s);
    assert_int_equal(mkdir(scratch_path(&s, "d"), 0755), 0);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "d"), "x", 1, &err), -GM_E_SYS);
    dir = opendir(s.path);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        names++;
    }
    closedir(dir);
    assert_int_equal(names, 3); /* ".", "..", "d" */
    scratch_remove(&s);
}

static void mkdirs_makes_what_is_missing(void **state)
{
    struct scratch s;
    struct gm_err err;
    struct stat st;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "a/b//c/"), &err), 0);
    assert_int_equal(stat(scratch_path(&s, "a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "a/b"), &err), 0);
    assert_int_equal(gm_fs_mkdirs("/", &err), 0);
    assert_int_equal(gm_fs_mkdirs("", &err), -GM_E_INVAL);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "f"), "", 0, &err), 0);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "f"), &err), -GM_E_SYS);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "f/g"), &err), -GM_E_SYS);
    assert_int_equal(err.native, ENOTDIR);
    scratch_remove(&s);
}

static void path_says_when_it_does_not_fit(void **state)
{
    char out[8];
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_fs_path(out, sizeof(out), &err, "%s/%d", "abcd", 12), 0);
    assert_string_equal(out, "abcd/12");
    assert_int_equal(gm_fs_path(out, sizeof(out), &err, "%s/%d", "abcd", 123), -GM_E_LIMIT);
}

static void a_part_is_read_from_its_place(void **state)
{
    static const struct {
        uint64_t offset;
        size_t size, read;
    } rows[] = {{0, 10, 10}, {3, 4, 4}, {8, 5, 2}, {10, 1, 0}, {99, 3, 0}, {2, 0, 0}};
    struct scratch s;
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "f"), "0123456789", 10, &err), 0);
    int fd = open(scratch_path(&s, "f"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[16] = "";
        size_t got = 77;

        assert_int_equal(gm_fs_read_at(fd, out, rows[i].size, rows[i].offset, &got, &err), 0);
        assert_int_equal(got, rows[i].read);
        if (got > 0) {
            assert_memory_equal(out, &"0123456789"[rows[i].offset], got);
        }
        assert_int_equal(out[got], 0);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    }
    char one;
    size_t got = 77;
    assert_int_equal(gm_fs_read_at(fd, &one, 1, INT64_MAX, &got, &err), -GM_E_INVAL);
    close(fd);
    assert_int_equal(gm_fs_read_at(fd, &one, 1, 0, &got, &err), -GM_E_SYS);
    assert_int_equal(err.native, EBADF);
    assert_int_equal(got, 77);
    scratch_remove(&s);
}

static void a_folder_has_one_lock(void **state)
{
    struct scratch s;
    struct gm_err err;
    int first = -1;
    int second = -1;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_lock(s.path, "farm", &first, &err), 0);
    assert_int_equal(gm_fs_lock(s.path, "farm", &second, &err), -GM_E_CONFLICT);
    assert_int_equal(second, -1);
    assert_non_null(strstr(err.text, "another farm is using the state folder"));
    assert_non_null(strstr(err.text, s.path));
    close(first);
    assert_int_equal(gm_fs_lock(s.path, "farm", &second, &err), 0);
    close(second);
    assert_int_equal(gm_fs_lock(scratch_path(&s, "none"), "farm", &second, &err), -GM_E_SYS);
    assert_int_equal(err.native, ENOENT);
    scratch_remove(&s);
}

static void the_program_knows_its_folder(void **state)
{
    struct gm_err err;
    char *dir = NULL;

    (void)state;
    assert_int_equal(gm_fs_program_dir(&dir, &err), 0);
    assert_int_equal(dir[0], '/');
    assert_int_equal(access(dir, R_OK), 0);
    assert_string_not_equal(dir + strlen(dir) - 1, "/");
    free(dir);
}

static void a_file_is_given_away_or_stays(void **state)
{
    struct scratch s;
    struct stat st;
    struct gm_err err = {0};
    bool root = geteuid() == 0;
    uid_t uid = root ? 65534 : 0;
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "f");
    assert_int_equal(gm_fs_write_private(path, "old", 3, &err), 0);
    int rc = gm_fs_write_owned(path, "newer", 5, uid, uid, &err);
    assert_int_equal(rc, root ? 0 : -GM_E_SYS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_uid, root ? uid : geteuid());
    assert_int_equal(st.st_size, root ? 5 : 3);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(errors_name_the_file),
        cmocka_unit_test(a_failed_write_leaves_nothing_behind),
        cmocka_unit_test(mkdirs_makes_what_is_missing),
        cmocka_unit_test(path_says_when_it_does_not_fit),
        cmocka_unit_test(a_part_is_read_from_its_place),
        cmocka_unit_test(a_folder_has_one_lock),
        cmocka_unit_test(the_program_knows_its_folder),
        cmocka_unit_test(a_file_is_given_away_or_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
