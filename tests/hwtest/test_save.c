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

#include "hwtest/save.h"
#include "tests/common/scratch.h"

static struct gm_err err;

static void assert_holds(const char *path, const char *text)
{
    char data[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(data, 1, sizeof(data) - 1, file);
    assert_int_equal(n, strlen(text));
    assert_string_equal(data, text);
    assert_int_equal(fclose(file), 0);
}

static void a_file_is_made_and_replaced_and_a_link_followed(void **state)
{
    (void)state;
    struct scratch s;
    struct stat st;
    scratch_make(&s);
    const char *file = scratch_path(&s, "file");
    const char *link = scratch_path(&s, "link");
    assert_int_equal(gm_hwtest_save_check(file, &err), 0);
    assert_int_not_equal(access(file, F_OK), 0);
    assert_int_equal(gm_hwtest_save(file, "a longer one", 12, &err), 0);
    assert_int_equal(gm_hwtest_save(file, "one", 3, &err), 0);
    assert_holds(file, "one");
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(gm_hwtest_save_check(link, &err), 0);
    assert_int_equal(gm_hwtest_save(link, "two", 3, &err), 0);
    assert_holds(file, "two");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    scratch_remove(&s);
}

static void what_is_no_file_is_written_to_and_never_replaced(void **state)
{
    (void)state;
    struct scratch s;
    struct stat st;
    char data[8];
    scratch_make(&s);
    const char *pipe = scratch_path(&s, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(gm_hwtest_save_check(pipe, &err), 0);
    assert_int_equal(gm_hwtest_save(pipe, "text", 4, &err), 0);
    assert_int_equal(read(fd, data, sizeof(data)), 4);
    assert_memory_equal(data, "text", 4);
    close(fd);
    assert_int_equal(lstat(pipe, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    scratch_remove(&s);
}

static void what_cannot_be_written_is_known_before(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    assert_int_equal(gm_hwtest_save_check("", &err), -GM_E_INVAL);
    assert_int_equal(gm_hwtest_save_check(s.path, &err), -GM_E_INVAL);
    assert_int_equal(gm_hwtest_save(s.path, "x", 1, &err), -GM_E_INVAL);
    assert_int_equal(gm_hwtest_save_check(scratch_path(&s, "none/file"), &err), -GM_E_SYS);
    assert_int_equal(gm_hwtest_save(scratch_path(&s, "none/file"), "x", 1, &err), -GM_E_SYS);
    scratch_remove(&s);
}

static void two_names_of_a_file_are_one(void **state)
{
    (void)state;
    struct scratch s;
    char other[4096];
    scratch_make(&s);
    const char *file = scratch_path(&s, "file"), *link = scratch_path(&s, "link");
    (void)snprintf(other, sizeof other, "%s/./file", s.path);
    for (int there = 0; there < 2; there++) { /* to be made, and made */
        assert_true(gm_hwtest_save_is_same(file, file));
        assert_true(gm_hwtest_save_is_same(file, other));
        assert_false(gm_hwtest_save_is_same(file, link));
        assert_int_equal(gm_hwtest_save(file, "x", 1, &err), 0);
    }
    assert_int_equal(symlink("file", link), 0);
    assert_true(gm_hwtest_save_is_same(link, file));
    assert_false(gm_hwtest_save_is_same("/dev/null", "/dev/null"));
    assert_false(gm_hwtest_save_is_same(scratch_path(&s, "none/file"), file));
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_made_and_replaced_and_a_link_followed),
        cmocka_unit_test(what_is_no_file_is_written_to_and_never_replaced),
        cmocka_unit_test(what_cannot_be_written_is_known_before),
        cmocka_unit_test(two_names_of_a_file_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
