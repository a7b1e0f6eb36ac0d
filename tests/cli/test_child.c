#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"
#include "common/fs.h"

static struct gm_err err;
static char folder[] = "/tmp/gm-child-XXXXXX";

static char *path_of(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return strdup(path);
}

/* A child whose program is a shell script. */
static void make_child(struct gm_child *child, const char *script)
{
    char text[512];
    memset(child, 0, sizeof(*child));
    snprintf(child->name, sizeof(child->name), "test");
    child->ready_fd = -1;
    child->program = path_of("program");
    child->config = path_of("config");
    child->log_path = path_of("log");
    child->pid_path = path_of("pid");
    int n = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
    assert_int_equal(gm_fs_write_atomic(child->program, text, (size_t)n, &err), 0);
    assert_int_equal(chmod(child->program, 0755), 0);
}

/* Waits for something on the child's stdout, or its end, and reads it. */
static void wait_output(struct gm_child *child)
{
    struct pollfd fd = {.fd = child->ready_fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 20000), 1);
    gm_child_read(child);
}

/* Waits for its end without taking it. */
static void wait_end(const struct gm_child *child)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

static void a_child_says_ready_and_is_killed(void **state)
{
    (void)state;
    struct gm_child child;
    make_child(&child, "echo starting; echo oops >&2; echo \"READY $1 $2\"; exec sleep 100");
    assert_int_equal(gm_child_start(&child, &err), 0);
    pid_t pid = child.pid;
    while (!child.ready) {
        wait_output(&child);
    }
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(gm_fs_read(child.pid_path, 100, (uint8_t **)&text, &size, &err), 0);
    assert_int_equal(strtol(text, NULL, 10), pid);
    free(text);
    assert_int_equal(getpgid(pid), pid); /* out of the terminal's reach */
    gm_child_signal(&child, SIGTERM);
    wait_end(&child);
    int status = 0;
    assert_true(gm_child_reap(&child, 5 * GM_SEC, &status));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_int_equal(child.pid, 0);
    assert_int_equal(child.failures, 0); /* it had been ready */
    assert_true(child.restart_at == 5 * GM_SEC + 100 * GM_MS);
    assert_int_not_equal(access(child.pid_path, F_OK), 0);
    assert_int_equal(gm_fs_read(child.log_path, 100, (uint8_t **)&text, &size, &err), 0);
    assert_string_equal(text, "oops\n");
    free(text);
    gm_child_fini(&child);
}

static void deaths_before_ready_count_and_pauses_grow(void **state)
{
    (void)state;
    struct gm_child child;
    static const int pauses[] = {100, 200, 400, 800, 1600, 2000, 2000};
    make_child(&child, "echo NOT READY; echo READYISH; exit 3");
    for (int i = 0; i < 7; i++) {
        int status = 0;
        assert_int_equal(gm_child_start(&child, &err), 0);
        wait_end(&child);
        assert_true(gm_child_reap(&child, 0, &status));
        assert_int_equal(WEXITSTATUS(status), 3);
        assert_int_equal(child.failures, i + 1);
        assert_true(child.restart_at == pauses[i] * GM_MS);
    }
    gm_child_fini(&child);
}

static void a_living_child_is_not_reaped(void **state)
{
    (void)state;
    struct gm_child child;
    int status = 0;
    make_child(&child, "echo READY; exec sleep 100");
    assert_int_equal(gm_child_start(&child, &err), 0);
    wait_output(&child);
    assert_false(gm_child_reap(&child, 0, &status));
    assert_int_not_equal(child.pid, 0);
    pid_t pid = child.pid;
    gm_child_kill(&child);
    assert_int_equal(child.pid, 0);
    assert_int_equal(kill(pid, 0), -1);
    gm_child_kill(&child); /* no-op */
    gm_child_fini(&child);
}

static void a_missing_program_ends_with_127(void **state)
{
    (void)state;
    struct gm_child child;
    int status = 0;
    make_child(&child, "");
    unlink(child.program);
    assert_int_equal(gm_child_start(&child, &err), 0);
    wait_end(&child);
    assert_true(gm_child_reap(&child, 0, &status));
    assert_int_equal(WEXITSTATUS(status), 127);
    gm_child_fini(&child);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return gm_fs_remove_tree(folder, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_says_ready_and_is_killed),
        cmocka_unit_test(deaths_before_ready_count_and_pauses_grow),
        cmocka_unit_test(a_living_child_is_not_reaped),
        cmocka_unit_test(a_missing_program_ends_with_127),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
