#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/resume.h"
#include "common/fs.h"

static struct gm_err err;
static char folder[] = "/tmp/gm-resume-XXXXXX";
static char source[64];
static int fd = -1;

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || setenv("XDG_STATE_HOME", folder, 1) != 0) {
        return -1;
    }
    snprintf(source, sizeof source, "%s/film.mp4", folder);
    fd = open(source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "0123456789", 10) != 10;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(fd);
    return gm_fs_remove_tree(folder, &err);
}

/* What another process finds. */
static void open_it(struct gm_resume *out, const char *farm)
{
    assert_int_equal(gm_resume_open(out, farm, NULL, source, fd, &err), 0);
}

static void remember(const char *farm)
{
    struct gm_resume r;
    open_it(&r, farm);
    assert_string_equal(r.upload, "");
    r.cut = (struct gm_cut){calloc(2, sizeof(uint64_t)), 2};
    assert_non_null(r.cut.sizes);
    r.cut.sizes[0] = 4;
    r.cut.sizes[1] = 6;
    assert_int_equal(gm_id_make(r.upload, &err), 0);
    assert_int_equal(gm_id_make(r.job, &err), 0);
    snprintf(r.job_of, sizeof r.job_of, "makes this");
    assert_int_equal(gm_resume_save(&r, &err), 0);
    gm_resume_fini(&r);
}

static void the_same_file_to_the_same_farm_goes_on(void **state)
{
    struct gm_resume r;
    struct stat st;
    (void)state;
    remember("unix:/a");
    open_it(&r, "unix:/a");
    assert_true(gm_id_is(r.upload) && gm_id_is(r.job));
    assert_string_equal(r.job_of, "makes this");
    assert_int_equal(r.cut.count, 2);
    assert_int_equal(r.cut.sizes[1], 6);
    assert_int_equal(stat(r.path, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    gm_resume_fini(&r);
    open_it(&r, "unix:/b");
    assert_string_equal(r.upload, "");
    gm_resume_fini(&r);
    open_it(&r, "unix:/a");
    gm_resume_forget(&r);
    assert_int_equal(access(r.path, F_OK), -1);
    assert_int_equal(r.cut.count, 0);
    gm_resume_fini(&r);
}

static void another_tenant_begins_anew(void **state)
{
    static const char *const rows[] = {"a", "b", ""};
    struct gm_resume r;
    (void)state;
    remember("unix:/tenants");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_resume_open(&r, "unix:/tenants", rows[i], source, fd, &err), 0);
        assert_string_equal(r.upload, "");
        gm_resume_fini(&r);
    }
    open_it(&r, "unix:/tenants");
    assert_true(gm_id_is(r.upload));
    gm_resume_fini(&r);
}

static void another_state_of_the_file_begins_anew(void **state)
{
    struct gm_resume r;
    struct stat st;
    (void)state;
    remember("unix:/c");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, "x", 1, 9), 1);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0); /* by its last byte alone */
    open_it(&r, "unix:/c");
    assert_string_equal(r.upload, "");
    gm_resume_fini(&r);
    assert_int_equal(pwrite(fd, "9", 1, 9), 1);
    assert_int_equal(futimens(fd, times), 0);
    open_it(&r, "unix:/c");
    assert_true(gm_id_is(r.upload));
    gm_resume_fini(&r);
}

static void what_was_not_written_by_us_is_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"identity\":\"%s\",\"upload\":\"../x\",\"job\":\"\",\"job_of\":\"\",\"parts\":[10]}",
        "{\"identity\":\"%s\",\"upload\":\"01jd8m4w9pq6v3c2h5t7k8x9zy\",\"job\":\"/"
        "\",\"job_of\":\"\","
        "\"parts\":[10]}",
        "{\"identity\":\"%s\",\"upload\":\"01jd8m4w9pq6v3c2h5t7k8x9zy\",\"job\":\"\",\"job_of\":"
        "\"\","
        "\"parts\":[4,5]}",
        "{\"identity\":\"%s\",\"upload\":\"01jd8m4w9pq6v3c2h5t7k8x9zy\",\"job\":\"\",\"job_of\":"
        "\"\","
        "\"parts\":[4,-1,7]}",
        "{\"identity\":\"%s\",\"upload\":\"01jd8m4w9pq6v3c2h5t7k8x9zy\",\"job\":\"\",\"job_of\":"
        "\"\"}"};
    static const char good[] = "{\"identity\":\"%s\",\"upload\":\"01jd8m4w9pq6v3c2h5t7k8x9zy\","
                               "\"job\":\"\",\"job_of\":\"\",\"parts\":[4,6]}";
    struct gm_resume r, again;
    (void)state;
    open_it(&r, "unix:/d");
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        bool last = i == sizeof rows / sizeof rows[0];
        char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, last ? good : rows[i], r.identity);
#pragma GCC diagnostic pop
        assert_int_equal(gm_fs_write_private(r.path, text, strlen(text), &err), 0);
        open_it(&again, "unix:/d");
        assert_int_equal(again.upload[0] != '\0', last);
        gm_resume_fini(&again);
    }
    gm_resume_fini(&r);
}

static void where_nothing_can_be_kept_nothing_is(void **state)
{
    struct gm_resume r;
    (void)state;
    assert_int_equal(setenv("XDG_STATE_HOME", source, 1), 0); /* no folder */
    open_it(&r, "unix:/a");
    assert_string_equal(r.path, "");
    assert_int_equal(gm_resume_save(&r, &err), 0);
    gm_resume_forget(&r);
    gm_resume_fini(&r);
    assert_int_equal(setenv("XDG_STATE_HOME", folder, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_file_to_the_same_farm_goes_on),
        cmocka_unit_test(another_tenant_begins_anew),
        cmocka_unit_test(another_state_of_the_file_begins_anew),
        cmocka_unit_test(what_was_not_written_by_us_is_nothing),
        cmocka_unit_test(where_nothing_can_be_kept_nothing_is),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
