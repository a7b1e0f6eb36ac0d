/* The self-test: tries to do what a worker must not be able to do, from inside. Each attempt that
 * succeeds is a hole and an error; the process must then end. Attempts are harmless when they
 * succeed, except that an exec replaces the process, which its parent sees too. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/sandbox.h"

#define PROBE_LINK "gm-probe-link"
#define PROBE_FILE "gm-probe-file"
#define PROBE_OUTSIDE "../gm-probe-outside"

static int hole(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_SANDBOX, 0, "the sandbox has a hole: %s", what);
}

/* True when path can be opened. */
static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool can_socket(int domain, int type)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static int test_sockets(bool cuda, struct gm_err *err)
{
    const int domains[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < 12; i++) {
        bool own = cuda && domains[i / 3] == AF_UNIX && types[i % 3] == SOCK_SEQPACKET;
        if (!own && can_socket(domains[i / 3], types[i % 3])) {
            return hole(err, "a socket can be opened");
        }
    }
    return 0;
}

static const char *use_socket(int fd, bool landlock)
{
    const struct sockaddr_un none = {.sun_family = AF_UNIX};
    const struct sockaddr_un file = {.sun_family = AF_UNIX, .sun_path = PROBE_FILE};
    const struct sockaddr *name = (const struct sockaddr *)&none;
    const socklen_t nameless = sizeof(sa_family_t); /* the kernel finds an abstract name */
    if (landlock && bind(fd, (const struct sockaddr *)&file, sizeof(file)) == 0) {
        unlink(PROBE_FILE);
        return "a socket can be named in a folder";
    }
    if (bind(fd, name, nameless) < 0 || listen(fd, 1) < 0) {
        return "";
    }
    if (connect(fd, name, sizeof(none)) == 0 || errno != EPERM) {
        return "a socket can be connected";
    }
    if (accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) >= 0 || errno != EPERM) {
        return "a socket can be connected to";
    }
    return NULL;
}

/* CUDA's: must be had, and lead nowhere. */
static int test_cuda(bool landlock, struct gm_err *err)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const char *what = fd < 0 ? "" : use_socket(fd, landlock);
    int saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (what != NULL && what[0] == '\0') {
        return gm_err_set(err, GM_E_SANDBOX, saved,
                          "the socket that CUDA needs at its start can't be had: %s",
                          strerror(saved));
    }
    return what == NULL ? 0 : hole(err, what);
}

static int test_files(struct gm_err *err)
{
    if (can_open("/etc/passwd", O_RDONLY)) {
        return hole(err, "a file outside of the scratch folder can be read");
    }
    if (can_open("..", O_RDONLY | O_DIRECTORY) || can_open("/", O_RDONLY | O_DIRECTORY)) {
        return hole(err, "a folder outside of the scratch folder can be listed");
    }
    if (can_open("/dev", O_RDONLY | O_DIRECTORY) || can_open("/proc/1/stat", O_RDONLY)) {
        return hole(err, "devices or other processes can be looked at");
    }
    if (can_open(PROBE_LINK, O_RDONLY)) {
        return hole(err, "a link leads out of the scratch folder");
    }
    if (can_open(PROBE_OUTSIDE, O_WRONLY | O_CREAT | O_EXCL)) {
        unlink(PROBE_OUTSIDE);
        return hole(err, "a file can be made outside of the scratch folder");
    }
    return 0;
}

static int test_calls(struct gm_err *err)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 || errno != EPERM) {
        return hole(err, "a terminal can be asked");
    }
    if (symlink("/etc/passwd", "gm-probe-made") == 0) {
        unlink("gm-probe-made");
        return hole(err, "a link can be made");
    }
    if (kill(getppid(), 0) == 0) {
        return hole(err, "another process can be signalled");
    }
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
        return hole(err, "ptrace works");
    }
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    if (process_vm_readv(getppid(), &part, 1, &part, 1, 0) >= 0 || errno != EPERM) {
        return hole(err, "another process's memory can be asked for");
    }
    if (mount("none", ".", "tmpfs", 0, NULL) == 0) {
        return hole(err, "a file system can be mounted");
    }
    long child = syscall(SYS_clone, 17 /* SIGCHLD */, NULL, NULL, NULL, 0);
    if (child == 0) {
        _exit(0);
    }
    if (child > 0) {
        return hole(err, "a process can be started");
    }
    char *const argv[] = {"true", NULL};
    char *const env[] = {NULL};
    execve("/usr/bin/true", argv, env);
    if (errno != EPERM) {
        return hole(err, "a program can be asked for");
    }
    return 0;
}

/* What must work, so that a task does not find out. */
static int test_scratch(struct gm_err *err)
{
    unlink(PROBE_FILE); /* of one that was killed here; else none would start any more */
    int fd = open(PROBE_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0) < 0) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return gm_err_set(err, GM_E_SANDBOX, saved, "the scratch folder can't be written: %s",
                          strerror(saved));
    }
    close(fd);
    if (unlink(PROBE_FILE) < 0) {
        return gm_err_set(err, GM_E_SANDBOX, errno, "the scratch folder keeps its files: %s",
                          strerror(errno));
    }
    return 0;
}

int gm_sandbox_test(enum gm_sandbox_profile profile, const struct gm_sandbox_missing *missing,
                    struct gm_err *err)
{
    int rc = 0;
    bool cuda = profile == GM_SANDBOX_CUDA;
    bool landlock = !gm_sandbox_is_missing(missing, "landlock");
    if (landlock) {
        rc = test_files(err);
    }
    if (rc == 0) {
        rc = test_sockets(cuda, err);
    }
    if (rc == 0 && cuda) {
        rc = test_cuda(landlock, err);
    }
    if (rc == 0) {
        rc = test_calls(err);
    }
    return rc;
}

int gm_sandbox_enter(int sock, const struct gm_sandbox_device *device,
                     struct gm_sandbox_missing *missing, struct gm_err *err)
{
    unlink(PROBE_LINK);
    if (symlink("/etc/passwd", PROBE_LINK) < 0) {
        return gm_err_set(err, GM_E_SANDBOX, errno, "the self-test's link can't be made: %s",
                          strerror(errno));
    }
    int rc = gm_sandbox_inner(device, missing, err);
    if (rc == 0) {
        rc = gm_sandbox_seccomp(sock, device->profile, err);
    }
    if (rc == 0) {
        rc = gm_sandbox_test(device->profile, missing, err);
    }
    unlink(PROBE_LINK);
    if (rc == 0) {
        rc = test_scratch(err);
    }
    return rc;
}
