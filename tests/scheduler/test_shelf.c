/* The file for old blocks: what was put comes back, nothing is left behind, and a disk that is full
 * costs memory, no block. */
#include "scheduler/shelf.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define BLOCK 65536u

static char folder[] = "/tmp/gopmill-shelf-XXXXXX";

static int make_folder(void **arg)
{
    (void)arg;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **arg)
{
    (void)arg;
    return rmdir(folder); /* which fails where something is in it */
}

static size_t count_names(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(d);
    return n;
}

static void what_was_put_comes_back(void **arg)
{
    struct gm_shelf *s = NULL;
    struct gm_err err;
    static uint8_t data[BLOCK], back[BLOCK];
    (void)arg;
    assert_int_equal(gm_shelf_open(folder, &s, &err), 0);
    const struct gm_core_shelf ops = gm_shelf_ops(s);
    for (uint64_t i = 0; i < 20; i++) { /* the furthest first: there are holes */
        memset(data, (int)(20 - i), sizeof data);
        assert_int_equal(ops.put(ops.arg, (19 - i) * BLOCK, data, BLOCK - i), 0);
    }
    memset(data, 99, sizeof data);
    assert_int_equal(ops.put(ops.arg, 3 * BLOCK, data, 100), 0);
    assert_int_equal(ops.get(ops.arg, 3 * BLOCK, back, 100), 0);
    assert_memory_equal(back, data, 100);
    assert_int_equal(ops.get(ops.arg, 7 * BLOCK + 11, back, 1000), 0);
    memset(data, 8, sizeof data);
    assert_memory_equal(back, data, 1000);
    assert_true(ops.get(ops.arg, 30 * BLOCK, back, 1) < 0); /* nothing is there */
    assert_int_equal(count_names(), 0);
    gm_shelf_close(&s);
    assert_null(s);
    gm_shelf_close(&s);
}

static void without_room_it_says_so_until_there_is_some(void **arg)
{
    struct gm_shelf *s = NULL;
    struct gm_err err;
    struct rlimit limit, small;
    static uint8_t data[BLOCK], back[BLOCK];
    (void)arg;
    memset(data, 5, sizeof data);
    assert_int_equal(gm_shelf_open(folder, &s, &err), 0);
    const struct gm_core_shelf ops = gm_shelf_ops(s);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = BLOCK + 1000;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int first = ops.put(ops.arg, 0, data, BLOCK);
    int second = ops.put(ops.arg, BLOCK, data, BLOCK);
    int third = ops.put(ops.arg, BLOCK, data, BLOCK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(first, 0);
    assert_true(second < 0 && third < 0);
    assert_int_equal(ops.put(ops.arg, BLOCK, data, BLOCK), 0);
    assert_int_equal(ops.get(ops.arg, BLOCK, back, BLOCK), 0);
    assert_memory_equal(back, data, BLOCK);
    gm_shelf_close(&s);
}

static void a_folder_that_comes_later_is_found(void **arg)
{
    char path[sizeof folder + 8];
    struct gm_shelf *s = NULL;
    struct gm_err err;
    (void)arg;
    (void)snprintf(path, sizeof path, "%s/later", folder);
    assert_int_equal(gm_shelf_open(path, &s, &err), 0);
    const struct gm_core_shelf ops = gm_shelf_ops(s);
    assert_true(ops.put(ops.arg, 0, "1234", 4) < 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(ops.put(ops.arg, 0, "1234", 4), 0);
    assert_int_equal(rmdir(path), 0);
    gm_shelf_close(&s);
}

/* A shared state has no folder: the system's for large temporary files. */
static void a_shared_state_has_its_file_elsewhere(void **arg)
{
    struct gm_shelf *s = NULL;
    struct gm_err err;
    char back[4];
    (void)arg;
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    assert_int_equal(gm_shelf_open("postgresql://farm@host/farm", &s, &err), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    const struct gm_core_shelf ops = gm_shelf_ops(s);
    assert_int_equal(ops.put(ops.arg, 8, "1234", 4), 0);
    assert_int_equal(ops.get(ops.arg, 8, back, 4), 0);
    assert_memory_equal(back, "1234", 4);
    gm_shelf_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back),
        cmocka_unit_test(without_room_it_says_so_until_there_is_some),
        cmocka_unit_test(a_folder_that_comes_later_is_found),
        cmocka_unit_test(a_shared_state_has_its_file_elsewhere),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
