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

#include "cli/farm_files.h"
#include "cli/farm_sweep.h"
#include "common/fs.h"
#include "tests/common/scratch.h"

static struct gm_err err;

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void age(const char *path)
{
    static const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

/* A killed farm left its temporary folder, and the user went on with it. */
static void a_state_that_is_kept_is_no_longer_temporary(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_farm_files files;
    char folder[512];
    scratch_make(&s);
    snprintf(folder, sizeof(folder), "%s", scratch_path(&s, "gopmill-state-abcdef"));
    assert_int_equal(gm_fs_mkdirs(folder, &err), 0);
    const char *marker = scratch_path(&s, "gopmill-state-abcdef/" GM_FARM_TEMPORARY);
    const char *lock = scratch_path(&s, "gopmill-state-abcdef/lock");
    assert_int_equal(gm_fs_write_atomic(marker, "", 0, &err), 0);
    assert_int_equal(gm_fs_write_atomic(lock, "", 0, &err), 0);
    age(lock);
    struct gm_farm_params params = {.state = folder, .nodes = 1};
    assert_int_equal(gm_farm_files_make(&params, &files, &err), 0);
    assert_true(files.state_kept);
    assert_false(is_there(marker));
    gm_farm_files_remove(&files);
    age(folder);
    gm_farm_sweep(s.path);
    assert_true(is_there(scratch_path(&s, "gopmill-state-abcdef/grant.key")));
    scratch_remove(&s);
}

static void a_marker_stays_where_the_lock_is_anothers(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_farm_files files;
    int lock = -1;
    scratch_make(&s);
    const char *marker = scratch_path(&s, GM_FARM_TEMPORARY);
    assert_int_equal(gm_fs_write_atomic(marker, "", 0, &err), 0);
    assert_int_equal(gm_fs_lock(s.path, "test", &lock, &err), 0);
    struct gm_farm_params params = {.state = s.path, .nodes = 1};
    assert_int_equal(gm_farm_files_make(&params, &files, &err), -GM_E_CONFLICT);
    assert_true(is_there(marker));
    close(lock);
    scratch_remove(&s);
}

static void a_users_file_named_like_the_marker_stays(void **state)
{
    (void)state;
    struct scratch s;
    scratch_make(&s);
    const char *marker = scratch_path(&s, GM_FARM_TEMPORARY);
    assert_int_equal(gm_fs_write_atomic(marker, "x", 1, &err), 0);
    assert_int_equal(gm_farm_keep(s.path, &err), 0);
    assert_true(is_there(marker));
    assert_int_equal(unlink(marker), 0);
    assert_int_equal(gm_farm_keep(s.path, &err), 0);
    assert_int_equal(gm_farm_keep(scratch_path(&s, "nowhere"), &err), -GM_E_SYS);
    scratch_remove(&s);
}

static void a_temporary_state_is_marked_and_goes(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_farm_files files;
    char folder[512], runtime[64];
    scratch_make(&s);
    assert_int_equal(setenv("TMPDIR", s.path, 1), 0);
    struct gm_farm_params params = {.nodes = 2};
    assert_int_equal(gm_farm_files_make(&params, &files, &err), 0);
    snprintf(folder, sizeof(folder), "%s", files.state);
    snprintf(runtime, sizeof(runtime), "%s", files.runtime);
    assert_int_equal(strncmp(folder, s.path, strlen(s.path)), 0);
    char marker[600];
    snprintf(marker, sizeof(marker), "%s/" GM_FARM_TEMPORARY, folder);
    assert_true(is_there(marker));
    assert_true(is_there(runtime));
    gm_farm_files_remove(&files);
    assert_false(is_there(folder));
    assert_false(is_there(runtime));
    assert_int_equal(unsetenv("TMPDIR"), 0);
    scratch_remove(&s);
}

/* What is said of a node's device_paths, or no such line. */
static void paths_of_node(const struct gm_farm_files *files, int node, const char *wanted)
{
    char path[600];
    uint8_t *data = NULL;
    size_t size = 0;
    snprintf(path, sizeof(path), "%s/node-%d.yaml", files->state, node);
    assert_int_equal(gm_fs_read(path, 1u << 16, &data, &size, &err), 0);
    const char *line = strstr((const char *)data, "device_paths");
    if (wanted == NULL) {
        assert_null(line);
    } else {
        assert_non_null(line);
        assert_int_equal(strncmp(line, wanted, strlen(wanted)), 0);
    }
    free(data);
}

static void first_node_with_devices_gets_their_paths(void **state)
{
    (void)state;
    struct scratch s;
    struct gm_farm_files files;
    struct gm_farm_params params = {.nodes = 2, .devices = true};
    scratch_make(&s);
    assert_int_equal(setenv("TMPDIR", s.path, 1), 0);
    assert_int_equal(setenv("GOPMILL_DEVICE_PATHS", ":/opt/a \"b\"::/dev/x:", 1), 0);
    assert_int_equal(gm_farm_files_make(&params, &files, &err), 0);
    paths_of_node(&files, 1, "device_paths: [\"/opt/a \\\"b\\\"\", \"/dev/x\"]\n");
    paths_of_node(&files, 2, NULL);
    gm_farm_files_remove(&files);
    params.devices = false;
    assert_int_equal(gm_farm_files_make(&params, &files, &err), 0);
    paths_of_node(&files, 1, NULL);
    gm_farm_files_remove(&files);
    char *longest = calloc(1, 5000);
    assert_non_null(longest);
    memset(longest, '/', 4999);
    assert_int_equal(setenv("GOPMILL_DEVICE_PATHS", longest, 1), 0);
    free(longest);
    params.devices = true;
    assert_int_equal(gm_farm_files_make(&params, &files, &err), -GM_E_INVAL);
    assert_int_equal(unsetenv("GOPMILL_DEVICE_PATHS"), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_that_is_kept_is_no_longer_temporary),
        cmocka_unit_test(a_marker_stays_where_the_lock_is_anothers),
        cmocka_unit_test(a_users_file_named_like_the_marker_stays),
        cmocka_unit_test(a_temporary_state_is_marked_and_goes),
        cmocka_unit_test(first_node_with_devices_gets_their_paths),
    };
    if (setenv("GOPMILL_PIPELINES", GM_SOURCE_DIR "/config/pipelines", 1) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
