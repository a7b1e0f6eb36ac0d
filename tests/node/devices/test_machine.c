#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "node/devices/machine.h"
#include "node/devices/tree_io.h"

/* A folder that can't be read to its end: the call of readdir that fails; 0: none. */
static struct {
    int fails_at, calls;
} disk;

struct dirent *readdir(DIR *dir)
{
    static struct dirent *(*real)(DIR *);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "readdir");
        assert_non_null(found);
        memcpy(&real, &found, sizeof real);
    }
    if (++disk.calls == disk.fails_at) {
        errno = EIO;
        return NULL;
    }
    return real(dir);
}

static int scan(const struct tree *tree, size_t *out_count, struct gm_err *err)
{
    struct gm_device_list list = {0};
    struct gm_machine machine;
    gid_t groups[] = {106};
    struct gm_machine_user user = {.uid = 1000, .groups = groups, .group_count = 1};
    disk.calls = 0;
    int rc = gm_machine_scan(tree->root, &user, &list, &machine, err);
    *out_count = list.count;
    gm_device_list_fini(&list);
    return rc;
}

static void a_folder_that_breaks_off_is_no_end(void **state)
{
    struct tree tree;
    struct gm_err err;
    size_t count = 0;
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:03:00.0", "0x8086\n", "0x56a0\n", "i915", "128");
    tree_gpu(&tree, "0000:04:00.0", "0x8086\n", "0x56a0\n", "i915", "129");
    disk.fails_at = 0;
    assert_int_equal(scan(&tree, &count, &err), 0);
    assert_int_equal(count, 2);
    int calls = disk.calls;
    assert_true(calls > 8); /* two folders of two, and each one's of one, with dots and ends */
    for (int at = 1; at <= calls; at++) {
        disk.fails_at = at;
        if (scan(&tree, &count, &err) != -GM_E_SYS || err.native != EIO) {
            fail_msg("call %d of %d", at, calls);
        }
    }
    disk.fails_at = 0;
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_that_breaks_off_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
