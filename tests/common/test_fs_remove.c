#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/fs.h"
#include "common/scratch.h"

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void a_tree_goes_whole_and_links_are_not_followed(void **state)
{
    struct scratch s;
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "keep"), &err), 0);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "keep/f"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "t/a/b/c"), &err), 0);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "t/a/e"), &err), 0);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "t/a/b/f"), "x", 1, &err), 0);
    assert_int_equal(symlink("../../keep", scratch_path(&s, "t/a/l")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(&s, "t/l")), 0);
    assert_int_equal(mkfifo(scratch_path(&s, "t/p"), 0600), 0);
    /* names that the removal uses itself */
    for (int i = 1; i < 9; i++) {
        char name[32];

        snprintf(name, sizeof(name), "t/.gm-rm-%d/x/y", i);
        assert_int_equal(gm_fs_mkdirs(scratch_path(&s, name), &err), 0);
    }
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "t/.gm-rm-9"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "t"), &err), 0);
    assert_false(is_there(scratch_path(&s, "t")));
    assert_true(is_there(scratch_path(&s, "keep/f")));
    scratch_remove(&s);
}

static void a_link_or_file_at_the_top_goes_alone(void **state)
{
    struct scratch s;
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "keep"), &err), 0);
    assert_int_equal(symlink("keep", scratch_path(&s, "l")), 0);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "l"), &err), 0);
    assert_false(is_there(scratch_path(&s, "l")));
    assert_true(is_there(scratch_path(&s, "keep")));
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "f"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "f"), &err), 0);
    assert_false(is_there(scratch_path(&s, "f")));
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "f"), &err), 0);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "no/such"), &err), 0);
    scratch_remove(&s);
}

static void folders_without_rights_go_too(void **state)
{
    struct scratch s;
    struct gm_err err;

    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&s, "t/a/b/c"), &err), 0);
    assert_int_equal(chmod(scratch_path(&s, "t/a/b"), 0), 0);
    assert_int_equal(chmod(scratch_path(&s, "t/a"), 0500), 0);
    assert_int_equal(chmod(scratch_path(&s, "t"), 0), 0);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "t"), &err), 0);
    assert_false(is_there(scratch_path(&s, "t")));
    scratch_remove(&s);
}

/* Deeper than PATH_MAX and than a process may have files open. */
static void depth_is_no_limit(void **state)
{
    enum { DEPTH = 3000 };
    struct scratch s;
    struct gm_err err;
    int dir;

    (void)state;
    scratch_make(&s);
    assert_int_equal(mkdir(scratch_path(&s, "t"), 0755), 0);
    dir = open(scratch_path(&s, "t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEPTH; i++) {
        int next;

        assert_int_equal(mkdirat(dir, "dd", 0755), 0);
        next = openat(dir, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(dir);
        dir = next;
    }
    close(dir);
    assert_int_equal(gm_fs_remove_tree(scratch_path(&s, "t"), &err), 0);
    assert_false(is_there(scratch_path(&s, "t")));
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_goes_whole_and_links_are_not_followed),
        cmocka_unit_test(a_link_or_file_at_the_top_goes_alone),
        cmocka_unit_test(folders_without_rights_go_too),
        cmocka_unit_test(depth_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
