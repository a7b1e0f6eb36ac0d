/* The real launcher with this program as its worker, which reports what it could do. */
#include "node/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "node/escape_io.h"

#define LAUNCHER GM_BUILD_DIR "/bin/gopmill-launcher"
#define MEMORY "2147483648"
#define FILE_SIZE "1000000"
#define LEAKED_FD 97

extern char **environ;

/* --- the worker's side */

static void report_limits(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    printf("nofile=%llu\n", (unsigned long long)r.rlim_max);
    getrlimit(RLIMIT_CORE, &r);
    printf("core=%llu\n", (unsigned long long)r.rlim_max);
    getrlimit(RLIMIT_AS, &r);
    printf("as=%llu\n", (unsigned long long)r.rlim_max);
    int fd = open("large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    errno = 0;
    ssize_t n = pwrite(fd, "x", 1, 1000000);
    printf("fsize=%zd,%d\n", n, n < 0 ? errno == EFBIG : 0);
    close(fd);
    unlink("large");
    for (int i = 4; i < 256; i++) {
        if (fcntl(i, F_GETFD) >= 0) {
            printf("leaked=%d\n", i);
        }
    }
    for (char **e = environ; *e != NULL; e++) {
        printf("env=%s\n", *e);
    }
    printf("nnp=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* Files that it has descriptors of, its own number left out. */
static void report_held(void)
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/%d/", (int)getpid());
    for (int i = 4; i < 256; i++) {
        char name[32];
        char file[256];
        snprintf(name, sizeof(name), "/proc/self/fd/%d", i);
        ssize_t n = readlink(name, file, sizeof(file) - 1);
        file[n < 0 ? 0 : n] = '\0';
        size_t own = strncmp(file, self, strlen(self)) == 0 ? strlen(self) : 0;
        if (n > 0) {
            printf("held=%s%s\n", own > 0 ? "self/" : "", file + own);
        }
    }
}

static int worker_main(const char *role)
{
    struct gm_sandbox_device device = {.profile = GM_SANDBOX_PLAIN};
    struct gm_sandbox_missing missing = {.count = 0};
    struct gm_err err = {.code = GM_OK};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(role, "limits") == 0) {
        report_limits(); /* before seccomp: it asks for more than a worker may */
    }
    if (strcmp(role, "no-enter") != 0 && (gm_sandbox_device_from_env(&device, &err) < 0 ||
                                          gm_sandbox_enter(3, &device, &missing, &err) < 0)) {
        printf("failed=%s\n", err.text);
        return 1;
    }
    bool landlock = !gm_sandbox_is_missing(&missing, "landlock");
    printf("landlock=%d\n", landlock);
    if (strcmp(role, "escape") == 0) {
        escape_io_run(&device, landlock);
    } else if (strcmp(role, "held") == 0) {
        report_held();
    }
    printf("end\n");
    if (strcmp(role, "wait") == 0) {
        char byte;
        struct iovec part = {.iov_base = &byte, .iov_len = 1};
        struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
        while (recvmsg(3, &head, 0) > 0) {
        }
    }
    return 0;
}

/* --- the test's side */

struct run {
    const char *profile; /* NULL: none */
    char folder[64];
    char scratch[96];
    int sock;   /* our end */
    int output; /* what the worker prints */
    pid_t pid;
};

static void exec_launcher(const struct run *run, int sock, int output, const char *role,
                          pid_t parent)
{
    char self[4096];
    char number[24];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n < 0 ? 0 : n] = '\0';
    snprintf(number, sizeof(number), "%d", (int)parent);
    dup2(output, 1);
    dup2(sock == 3 ? dup(sock) : sock, 3);
    if (sock == 3) {
        fcntl(3, F_SETFD, 0);
    }
    dup2(1, LEAKED_FD); /* a descriptor that the launcher must close */
    if (run->profile != NULL) {
        char extra[128];
        char libraries[128];
        snprintf(extra, sizeof(extra), "%s/extra", run->folder);
        snprintf(libraries, sizeof(libraries), "%s/libraries", run->folder);
        setenv("LD_LIBRARY_PATH", libraries, 1);
        execl(LAUNCHER, LAUNCHER, "--scratch", run->scratch, "--parent", number, "--file-size",
              FILE_SIZE, "--cpu-flags", "none", "--profile", run->profile, "--device", "GPU-1",
              "--environment", "LD_LIBRARY_PATH", "--environment", "GM_TEST_UNSET", "--path", extra,
              "--", self, role, NULL);
    }
    execl(LAUNCHER, LAUNCHER, "--scratch", run->scratch, "--parent", number, "--memory", MEMORY,
          "--file-size", FILE_SIZE, "--cpu-flags", "none", "--", self, role, NULL);
    _exit(99);
}

static void make_file(const struct run *run, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", run->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void start_as(struct run *run, const char *profile, const char *role, pid_t parent)
{
    int pair[2];
    int pipes[2];
    memset(run, 0, sizeof(*run));
    run->profile = profile;
    snprintf(run->folder, sizeof(run->folder), "/tmp/gm-sandbox-XXXXXX");
    assert_non_null(mkdtemp(run->folder));
    snprintf(run->scratch, sizeof(run->scratch), "%s/scratch", run->folder);
    assert_int_equal(mkdir(run->scratch, 0700), 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/planted", run->scratch);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/planted-folder", run->scratch);
    assert_int_equal(symlink("/etc", path), 0);
    snprintf(path, sizeof(path), "%s/extra", run->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/libraries", run->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    make_file(run, "libraries/libfake.so");
    make_file(run, "scratch/gm-probe-file"); /* left by one that was killed in its self-test */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    fflush(NULL);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        exec_launcher(run, pair[1], pipes[1], role, parent);
    }
    close(pair[1]);
    close(pipes[1]);
    run->sock = pair[0];
    run->output = pipes[0];
}

static void start(struct run *run, const char *role, pid_t parent)
{
    start_as(run, NULL, role, parent);
}

/* All that the worker printed; its exit status is checked. Owned. */
static char *finish(struct run *run, int status)
{
    struct gm_err err;
    char *text = calloc(1, 65536);
    size_t used = 0;
    assert_non_null(text);
    for (;;) {
        ssize_t n = read(run->output, text + used, 65535 - used);
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
    }
    int got = 0;
    assert_int_equal(waitpid(run->pid, &got, 0), run->pid);
    if (!WIFEXITED(got) || WEXITSTATUS(got) != status) {
        fail_msg("status %x: %s", (unsigned)got, text);
    }
    close(run->output);
    close(run->sock);
    assert_int_equal(gm_fs_remove_tree(run->folder, &err), 0);
    return text;
}

static void no_attempt_to_get_out_succeeds(void **state)
{
    struct run run;
    (void)state;
    start(&run, "escape", getpid());
    char *text = finish(&run, 0);
    if (strstr(text, "escaped=") != NULL || strstr(text, "broken=") != NULL ||
        strstr(text, "end\n") == NULL) {
        fail_msg("%s", text);
    }
    free(text);
}

static void workers_of_devices_get_out_no_further(void **state)
{
    static const char *const profiles[] = {"cuda", "dri"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct run run;
        start_as(&run, profiles[i], "escape", getpid());
        char *text = finish(&run, 0);
        if (strstr(text, "escaped=") != NULL || strstr(text, "broken=") != NULL ||
            strstr(text, "end\n") == NULL) {
            fail_msg("%s: %s", profiles[i], text);
        }
        free(text);
    }
}

/* Without one the rule ends with the name in the kernel's cache: `sysctl vm.drop_caches=2`, and the
 * driver can't start any more. */
static void what_may_be_used_of_proc_is_held(void **state)
{
    static const char *const wanted[] = {"held=self/task\n", "held=/proc/meminfo\n",
                                         "held=/proc/cpuinfo\n"};
    struct run run;
    (void)state;
    start_as(&run, "cuda", "held", getpid());
    char *text = finish(&run, 0);
    bool landlock = strstr(text, "landlock=1\n") != NULL;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (landlock != (strstr(text, wanted[i]) != NULL)) {
            fail_msg("landlock %d, %s: %s", landlock, wanted[i], text);
        }
    }
    for (const char *at = text; (at = strstr(at, "held=")) != NULL; at += 5) {
        if (strncmp(at, "held=self", 9) != 0 && strncmp(at, "held=/proc/", 11) != 0) {
            fail_msg("one of something else: %s", at);
        }
    }
    free(text);
}

static void device_is_in_its_workers_environment(void **state)
{
    struct run run;
    char wanted[128];
    (void)state;
    setenv("SECRET_TOKEN", "x", 1);
    start_as(&run, "cuda", "limits", getpid());
    snprintf(wanted, sizeof(wanted), "env=CUDA_CACHE_PATH=%s/cuda-cache\n", run.scratch);
    char *text = finish(&run, 0);
    if (strstr(text, wanted) == NULL || strstr(text, "env=CUDA_VISIBLE_DEVICES=GPU-1\n") == NULL ||
        strstr(text, "env=LD_LIBRARY_PATH=") == NULL || strstr(text, "SECRET") != NULL ||
        strstr(text, "GM_TEST_UNSET") != NULL) {
        fail_msg("%s", text);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    snprintf(wanted, sizeof(wanted), "as=%llu\n", (unsigned long long)RLIM_INFINITY);
    assert_non_null(strstr(text, wanted));
#endif
    free(text);
    start_as(&run, "vulkan", "escape", getpid());
    text = finish(&run, 126);
    assert_non_null(text);
    free(text);
}

static void limits_descriptors_and_environment_are_set(void **state)
{
    struct run run;
    (void)state;
    setenv("SECRET_TOKEN", "x", 1);
    start(&run, "limits", getpid());
    char *text = finish(&run, 0);
    static const char *const wanted[] = {
        "nofile=256\n",
        "core=0\n",
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        "as=" MEMORY "\n",
#endif
        "fsize=-1,1\n",
        "env=LANG=C\n",
        "env=GOPMILL_CPU_FLAGS=none\n",
        "env=GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4\n",
        "nnp=1\n",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("no %s in %s", wanted[i], text);
        }
    }
    size_t variables = 0;
    for (const char *at = text; (at = strstr(at, "env=")) != NULL; at++) {
        variables++;
    }
    assert_int_equal(variables, 4); /* the fourth: GOPMILL_MISSING */
    assert_null(strstr(text, "leaked="));
    assert_null(strstr(text, "SECRET"));
    free(text);
}

static void worker_dies_with_its_parent(void **state)
{
    struct run run;
    int pair[2];
    int pipes[2];
    (void)state;
    memset(&run, 0, sizeof(run));
    snprintf(run.folder, sizeof(run.folder), "/tmp/gm-sandbox-XXXXXX");
    assert_non_null(mkdtemp(run.folder));
    snprintf(run.scratch, sizeof(run.scratch), "%s", run.folder);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        pid_t self = getpid();
        pid_t child = fork();
        if (child == 0) {
            exec_launcher(&run, pair[1], pipes[1], "wait", self);
        }
        close(pair[0]); /* else it would keep the worker's socket alive */
        pause();
        _exit(0);
    }
    close(pair[1]);
    close(pipes[1]);
    char text[4096] = "";
    size_t used = 0;
    while (strstr(text, "end\n") == NULL) {
        ssize_t n = read(pipes[0], text + used, sizeof(text) - 1 - used);
        assert_true(n > 0);
        used += (size_t)n;
    }
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    struct pollfd p = {.fd = pipes[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1); /* the last writer is gone */
    assert_int_equal(read(pipes[0], text, 1), 0);
    close(pair[0]);
    close(pipes[0]);
    struct gm_err err;
    assert_int_equal(gm_fs_remove_tree(run.folder, &err), 0);
}

static void launcher_without_its_parent_starts_nothing(void **state)
{
    struct run run;
    (void)state;
    start(&run, "escape", 1);
    char *text = finish(&run, 126);
    assert_null(strstr(text, "end"));
    free(text);
}

/* Runs body in a child, because what it does is for ever; its answer. */
static int in_child(int (*body)(void))
{
    char folder[] = "/tmp/gm-child-XXXXXX";
    struct gm_err err;
    assert_non_null(mkdtemp(folder));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(chdir(folder) < 0 ? 99 : body());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(gm_fs_remove_tree(folder, &err), 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* With landlock's calls refused the kernel looks as if it had none. */
static int without_landlock(void)
{
    const struct gm_sandbox_device device = {.profile = GM_SANDBOX_PLAIN};
    struct gm_sandbox_missing missing = {.count = 0};
    struct gm_err err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        gm_sandbox_seccomp(3, GM_SANDBOX_PLAIN, &err) < 0 ||
        gm_sandbox_inner(&device, &missing, &err) < 0) {
        return 1;
    }
    if (gm_sandbox_test(GM_SANDBOX_PLAIN, &missing, &err) < 0) {
        return 2; /* what is left holds */
    }
    return gm_sandbox_is_missing(&missing, "landlock") && missing.count == 1 ? 0 : 3;
}

static void kernel_without_landlock_is_told_and_the_rest_holds(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_landlock), 0);
}

static int open_files(void)
{
    const struct gm_sandbox_missing missing = {.count = 0};
    struct gm_err err;
    return gm_sandbox_test(GM_SANDBOX_PLAIN, &missing, &err) == -GM_E_SANDBOX &&
                   strstr(err.text, "can be read") != NULL
               ? 0
               : 1;
}

static int open_calls(void)
{
    const struct gm_sandbox_missing missing = {.names = {"landlock"}, .count = 1};
    struct gm_err err;
    return gm_sandbox_test(GM_SANDBOX_PLAIN, &missing, &err) == -GM_E_SANDBOX &&
                   strstr(err.text, "socket") != NULL
               ? 0
               : 1;
}

/* A worker of CUDA whose filter has no door for CUDA's socket would fail at its first task. */
static int closed_socket(void)
{
    const struct gm_sandbox_missing missing = {.names = {"landlock"}, .count = 1};
    struct gm_err err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        gm_sandbox_seccomp(3, GM_SANDBOX_DRI, &err) < 0) {
        return 1;
    }
    return gm_sandbox_test(GM_SANDBOX_CUDA, &missing, &err) == -GM_E_SANDBOX &&
                   strstr(err.text, "CUDA needs") != NULL
               ? 0
               : 2;
}

/* One that may have CUDA's socket and is none of CUDA's has a hole. */
static int foreign_socket(void)
{
    const struct gm_sandbox_missing missing = {.names = {"landlock"}, .count = 1};
    struct gm_err err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        gm_sandbox_seccomp(3, GM_SANDBOX_CUDA, &err) < 0) {
        return 1;
    }
    return gm_sandbox_test(GM_SANDBOX_DRI, &missing, &err) == -GM_E_SANDBOX &&
                   strstr(err.text, "socket") != NULL
               ? 0
               : 2;
}

static void self_test_finds_holes(void **state)
{
    (void)state;
    assert_int_equal(in_child(open_files), 0);
    assert_int_equal(in_child(open_calls), 0);
    assert_int_equal(in_child(closed_socket), 0);
    assert_int_equal(in_child(foreign_socket), 0);
}

int main(int argc, char **argv)
{
    if (getenv("GOPMILL_MISSING") != NULL) {
        int rc = worker_main(argc > 1 ? argv[1] : "");
        fflush(stdout);
        _exit(rc);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_attempt_to_get_out_succeeds),
        cmocka_unit_test(workers_of_devices_get_out_no_further),
        cmocka_unit_test(what_may_be_used_of_proc_is_held),
        cmocka_unit_test(device_is_in_its_workers_environment),
        cmocka_unit_test(limits_descriptors_and_environment_are_set),
        cmocka_unit_test(worker_dies_with_its_parent),
        cmocka_unit_test(launcher_without_its_parent_starts_nothing),
        cmocka_unit_test(kernel_without_landlock_is_told_and_the_rest_holds),
        cmocka_unit_test(self_test_finds_holes),
    };
    return cmocka_run_group_tests_name("node/sandbox", tests, NULL, NULL);
}
