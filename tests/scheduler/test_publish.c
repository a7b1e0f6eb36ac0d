/* What is said of a job for which nothing can be done. Whole jobs: test_daemon.c. */
#include "tests/scheduler/helper.h"

#include <fcntl.h>
#include <unistd.h>

#include "scheduler/daemon_parts.h"

/* What `start` writes to stderr, owned. */
static char *said(const char *folder, void (*start)(struct gm_daemon *d))
{
    char path[512];
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    struct gm_daemon d = {0};
    struct gm_core_params params = {.term = 1};
    assert_int_equal(gm_core_create(&params, &d.core, &err), 0);
    path_in(path, folder, "stderr");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int saved = dup(STDERR_FILENO);
    assert_true(fd >= 0 && saved >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    start(&d);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(fd);
    assert_int_equal(gm_fs_read(path, 1 << 20, &text, &size, &err), 0);
    gm_core_destroy(&d.core);
    return (char *)text;
}

static void clean(struct gm_daemon *d)
{
    gm_cleanup_start(d, "nobody", false);
}

static void clean_last(struct gm_daemon *d)
{
    gm_cleanup_start(d, "nobody", true);
}

static void the_last_clean_up_is_said_to_be_given_up(void **state)
{
    char *first = said(*state, clean);
    char *last = said(*state, clean_last);
    assert_non_null(strstr(first, "cleanup_failed"));
    assert_null(strstr(first, "cleanup_given_up"));
    assert_non_null(strstr(last, "cleanup_given_up"));
    assert_null(strstr(last, "cleanup_failed"));
    free(first);
    free(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_clean_up_is_said_to_be_given_up, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
