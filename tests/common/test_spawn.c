#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/scratch.h"
#include "common/spawn.h"

static struct scratch scratch;

static int start(const char *script, const char *log, pid_t *out_pid, int *out_fd)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    return gm_spawn_start(argv, log, out_pid, out_fd, NULL);
}

/* What it writes until its end; closes fd. */
static void read_all(int fd, char *out, size_t size)
{
    size_t used = 0;
    for (ssize_t n = 1; n > 0;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 20000), 1);
        n = read(fd, out + used, size - 1 - used);
        assert_true(n >= 0);
        used += (size_t)n;
    }
    out[used] = '\0';
    close(fd);
}

static void expect_log(const char *path, const char *want)
{
    uint8_t *text = NULL;
    size_t size = 0;
    assert_int_equal(gm_fs_read(path, 1000, &text, &size, NULL), 0);
    assert_string_equal((const char *)text, want);
    free(text);
}

static int end_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void nothing_of_ours_is_given_on(void **state)
{
    (void)state;
    char text[200];
    const char *log = scratch_path(&scratch, "log");
    pid_t pid = 0;
    int fd = -1;
    void (*hang_up)(int) = signal(SIGHUP, SIG_IGN);
    sigset_t pipes, before;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(sigprocmask(SIG_BLOCK, &pipes, &before), 0);
    int leak = fcntl(STDERR_FILENO, F_DUPFD, 57);
    assert_true(leak >= 57);
    assert_int_equal(gm_fs_write_atomic(log, "before\n", 7, NULL), 0);
    assert_int_equal(
        start("grep SigIgn /proc/self/status; "
              "cat; echo out; echo oops >&2; ls /proc/$$/fd; " /* a pipe would be seen */
              "kill -PIPE $$; echo alive",
              log, &pid, &fd),
        0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    read_all(fd, text, sizeof text);
    assert_string_equal(text, "SigIgn:\t0000000000000000\nout\n0\n1\n2\n");
    (void)signal(SIGHUP, hang_up);
    assert_int_equal(getpgid(pid), pid);
    int status = end_of(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    expect_log(log, "before\noops\n");
    close(leak);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    (void)signal(SIGPIPE, handler);
}

static void whoever_ignores_children_waits_for_them(void **state)
{
    (void)state;
    void (*handler)(int) = signal(SIGCHLD, SIG_IGN);
    pid_t pid = 0;
    int fd = -1;
    gm_spawn_init();
    assert_int_equal(start("exit 3", scratch_path(&scratch, "log"), &pid, &fd), 0);
    assert_int_equal(WEXITSTATUS(end_of(pid)), 3);
    close(fd);
    (void)signal(SIGCHLD, handler);
}

static void what_can_not_be_started_is_told(void **state)
{
    (void)state;
    static const char *const argv[] = {"/nonexistent/program", NULL};
    struct gm_err err;
    pid_t pid = 7;
    int fd = 9;
    assert_int_equal(start("exit 3", scratch_path(&scratch, "none/log"), &pid, &fd), -GM_E_SYS);
    assert_true(pid == 7 && fd == 9);
    assert_int_equal(gm_spawn_start(argv, scratch_path(&scratch, "log"), &pid, &fd, &err), 0);
    int status = end_of(pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    close(fd);
}

/* Its pipe and its log are then numbers 0 to 2 here. */
static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    const char *log = scratch_path(&scratch, "log.closed");
    pid_t middle = fork();
    assert_true(middle >= 0);
    if (middle == 0) {
        char text[16] = "";
        pid_t pid = 0;
        int fd = -1, status = 0;
        close(0);
        close(1);
        close(2);
        bool good = start("echo out; echo oops >&2", log, &pid, &fd) == 0 &&
                    waitpid(pid, &status, 0) == pid && status == 0 &&
                    read(fd, text, sizeof(text) - 1) == 4 && strcmp(text, "out\n") == 0;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(end_of(middle), 0);
    expect_log(log, "oops\n");
}

static void it_ends_with_us(void **state)
{
    (void)state;
    char text[32];
    int fds[2];
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(fds), 0);
    pid_t middle = fork();
    assert_true(middle >= 0);
    if (middle == 0) {
        pid_t pid = 0;
        int fd = -1;
        /* It has its signal by then. */
        bool good = start("echo up; exec sleep 100", scratch_path(&scratch, "log"), &pid, &fd) == 0;
        struct pollfd up = {.fd = fd, .events = POLLIN};
        good = good && poll(&up, 1, 20000) == 1;
        int n = snprintf(text, sizeof text, "%ld", (long)pid);
        _exit(good && write(fds[1], text, (size_t)n) == n ? 0 : 1);
    }
    close(fds[1]);
    read_all(fds[0], text, sizeof text);
    assert_int_equal(end_of(middle), 0);
    int status = end_of((pid_t)strtol(text, NULL, 10));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void a_killed_one_is_waited_for(void **state)
{
    (void)state;
    pid_t pid = 0;
    int fd = -1;
    assert_int_equal(
        start("trap '' TERM; exec sleep 100", scratch_path(&scratch, "log"), &pid, &fd), 0);
    gm_spawn_kill(pid);
    assert_true(waitpid(pid, NULL, 0) < 0 && errno == ECHILD);
    close(fd);
}

static void what_a_killed_one_started_goes_with_it(void **state)
{
    (void)state;
    char text[32];
    pid_t pid = 0;
    int fd = -1;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(
        start("sleep 100 >&2 & echo $!; exec >&2; wait", scratch_path(&scratch, "log"), &pid, &fd),
        0);
    read_all(fd, text, sizeof text);
    gm_spawn_kill(pid);
    int status = end_of((pid_t)strtol(text, NULL, 10));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int setup(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_ours_is_given_on),
        cmocka_unit_test(whoever_ignores_children_waits_for_them),
        cmocka_unit_test(what_can_not_be_started_is_told),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(it_ends_with_us),
        cmocka_unit_test(a_killed_one_is_waited_for),
        cmocka_unit_test(what_a_killed_one_started_goes_with_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
