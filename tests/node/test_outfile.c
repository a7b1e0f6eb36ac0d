#include "node/outfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"

struct fixture {
    char folder[64];
    int fd;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-outfile-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    int fd = openat(f->fd, "plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    close(f->fd);
    assert_int_equal(gm_fs_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static void expect(struct fixture *f, const char *name, int code)
{
    struct gm_err err;
    struct gm_outfile out = {.fd = -7, .size = 99};
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_outfile_open(f->fd, name, 100, NULL, NULL, &out, &err);
    if (rc != code) {
        fail_msg("%s: %d instead of %d", name, rc, code);
    }
    assert_int_equal(out.fd, -7); /* untouched */
    assert_int_equal(out.size, 99);
    assert_int_equal(gm_outfile_read(f->fd, name, 100, &data, &size, &err), code);
    assert_null(data);
}

static void plain_file_is_opened_and_hashed(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    struct gm_outfile out;
    uint8_t hash[GM_SHA256_SIZE];
    uint8_t *data = NULL;
    size_t size = 0;
    gm_sha256("abc", 3, hash);
    assert_int_equal(gm_outfile_open(f->fd, "plain", 3, NULL, NULL, &out, &err), 0);
    assert_int_equal(out.size, 3);
    assert_memory_equal(out.sha256, hash, sizeof(hash));
    assert_int_equal(write(out.fd, "x", 1), -1);
    close(out.fd);
    assert_int_equal(gm_outfile_read(f->fd, "plain", 3, &data, &size, &err), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "abc", 3);
    free(data);
}

static void size_limit_is_kept(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    struct gm_outfile out;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(gm_outfile_open(f->fd, "plain", 2, NULL, NULL, &out, &err), -GM_E_LIMIT);
    assert_int_equal(gm_outfile_read(f->fd, "plain", 2, &data, &size, &err), -GM_E_LIMIT);
}

static void links_folders_and_pipes_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(symlinkat("plain", f->fd, "inside"), 0);
    assert_int_equal(symlinkat("/etc/passwd", f->fd, "outside"), 0);
    assert_int_equal(symlinkat("..", f->fd, "up"), 0);
    assert_int_equal(mkdirat(f->fd, "folder", 0700), 0);
    assert_int_equal(mkfifoat(f->fd, "pipe", 0600), 0);
    assert_int_equal(linkat(f->fd, "plain", f->fd, "second", 0), 0);
    const struct {
        const char *name;
        int code;
    } cases[] = {
        {"inside", -GM_E_PROTO},
        {"outside", -GM_E_PROTO},
        {"folder", -GM_E_PROTO},
        {"pipe", -GM_E_PROTO},
        {"second", -GM_E_PROTO},
        {"plain", -GM_E_PROTO},
        {"../etc/passwd", -GM_E_PROTO},
        {"/etc/passwd", -GM_E_PROTO},
        {"up/x", -GM_E_PROTO},
        {"nothing", -GM_E_NOTFOUND},
        {"folder/nothing", -GM_E_NOTFOUND},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(f, cases[i].name, cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_file_is_opened_and_hashed, setup, teardown),
        cmocka_unit_test_setup_teardown(size_limit_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(links_folders_and_pipes_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("node/outfile", tests, NULL, NULL);
}
