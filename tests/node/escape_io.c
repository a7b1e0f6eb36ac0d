/* What a worker tries in the tests of the sandbox. */
#include "node/escape_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Each attempt returns true when it got through. */

static bool opened(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool try_read_passwd(void)
{
    return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static bool try_read_relative(void)
{
    return opened(open("../../etc/passwd", O_RDONLY | O_CLOEXEC)) ||
           opened(open("/proc/self/root/etc/passwd", O_RDONLY | O_CLOEXEC)) ||
           opened(open("/proc/self/cwd/../../etc/passwd", O_RDONLY | O_CLOEXEC));
}

static bool try_read_library(void)
{
    return opened(open("/usr/bin/env", O_RDONLY | O_CLOEXEC));
}

static bool try_planted_link(void)
{
    return opened(open("planted", O_RDONLY | O_CLOEXEC));
}

static bool try_planted_folder_link(void)
{
    return opened(open("planted-folder/passwd", O_RDONLY | O_CLOEXEC));
}

static bool try_write_outside(void)
{
    return opened(open("../made-outside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) ||
           mkdir("../folder-outside", 0700) == 0;
}

static bool try_rename_out(void)
{
    int fd = open("mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return !opened(fd) || rename("mine", "../mine-outside") == 0;
}

static bool try_links(void)
{
    return symlink("/etc/passwd", "made") == 0 || link("mine", "second") == 0 ||
           linkat(AT_FDCWD, "/etc/passwd", AT_FDCWD, "third", 0) == 0;
}

static bool try_nodes(void)
{
    return mkfifo("fifo", 0600) == 0 || mknod("node", S_IFCHR | 0600, 0x103) == 0;
}

static bool try_sockets(void)
{
    int pair[2];
    return opened(socket(AF_INET, SOCK_STREAM, 0)) || opened(socket(AF_INET6, SOCK_DGRAM, 0)) ||
           opened(socket(AF_UNIX, SOCK_STREAM, 0)) || opened(socket(AF_NETLINK, SOCK_RAW, 0)) ||
           opened(socket(AF_PACKET, SOCK_RAW, 0)) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}

static bool try_packets(void)
{
    return opened(socket(AF_UNIX, SOCK_SEQPACKET, 0));
}

/* Other sockets than CUDA's; and nothing that leads out of that one. */
static bool try_cuda_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "name"};
    struct iovec part = {.iov_base = &name, .iov_len = 1};
    const struct msghdr head = {
        .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &part, .msg_iovlen = 1};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false; /* none of CUDA's */
    }
    bool out = connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0 || errno != EPERM ||
               accept4(fd, NULL, NULL, SOCK_NONBLOCK) >= 0 || errno != EPERM ||
               sendto(fd, "x", 1, 0, (const struct sockaddr *)&name, sizeof(name)) >= 0 ||
               errno != EPERM || sendmsg(fd, &head, 0) >= 0 || errno != EPERM ||
               opened(socket(AF_UNIX, SOCK_SEQPACKET, 1)) || errno != EPERM ||
               opened(socket(AF_UNIX, SOCK_DGRAM, 0)) || opened(socket(AF_INET, 5, 0)) ||
               opened((int)syscall(SYS_socket, AF_UNIX | (1ul << 33), SOCK_SEQPACKET, 0));
    close(fd);
    return out;
}

static bool try_socket_in_folder(void)
{
    const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "made-socket"};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool made = fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return made;
}

/* The pair that it has must not lead elsewhere. */
static bool try_reuse_socket(void)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0name"};
    return connect(3, (const struct sockaddr *)&to, sizeof(to)) == 0 ||
           bind(3, (const struct sockaddr *)&name, sizeof(name)) == 0 || listen(3, 1) == 0 ||
           sendto(3, "x", 1, 0, (const struct sockaddr *)&name, sizeof(name)) >= 0;
}

static bool try_processes(void)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    if (child > 0 || vfork() > 0) {
        return true;
    }
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    execv("/usr/bin/true", argv);
    return errno != EPERM;
}

static bool try_others(void)
{
    return kill(getppid(), 0) == 0 || kill(1, 0) == 0 || kill(-1, 0) == 0 ||
           syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 ||
           syscall(SYS_pidfd_open, getppid(), 0) >= 0 ||
           syscall(SYS_prlimit64, getppid(), RLIMIT_CPU, NULL, NULL) == 0 ||
           syscall(SYS_ptrace, 0, 0, 0, 0) == 0;
}

static bool try_kernel(void)
{
    return mount("none", ".", "tmpfs", 0, NULL) == 0 || chroot(".") == 0 ||
           syscall(SYS_unshare, 0x10000000) == 0 || syscall(SYS_bpf, 0, NULL, 0) >= 0 ||
           syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM ||
           syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0) >= 0 ||
           syscall(SYS_userfaultfd, 0) >= 0 || syscall(SYS_keyctl, 0, 0, 0, 0, 0) >= 0;
}

static bool try_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0) >= 0;
}

/* Through a terminal one may type into another's session. */
static bool try_terminal(void)
{
    char byte = 'x';
    return ioctl(2, TIOCSTI, &byte) == 0 || errno != EPERM ||
           syscall(SYS_ioctl, 2, (1ul << 32) | TIOCSTI, &byte) == 0 || errno != EPERM;
}

static bool try_devices(void)
{
    return opened(open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ||
           opened(open("/dev/urandom", O_RDONLY | O_CLOEXEC)) ||
           opened(open("/dev/tty", O_RDWR | O_CLOEXEC)) ||
           opened(open("/proc/1/cmdline", O_RDONLY | O_CLOEXEC));
}

static bool try_loosen(void)
{
    const struct rlimit more = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    return setrlimit(RLIMIT_NOFILE, &more) == 0 || setuid(0) == 0 || setpriority(0, 0, -5) == 0 ||
           prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 || prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 ||
           chmod(".", 0777) == 0 || chdir("/") == 0;
}

static const struct {
    const char *name;
    bool by_landlock; /* not tried where the kernel has none */
    bool of_devices;  /* workers of devices may */
    bool of_cuda;     /* workers of CUDA may */
    bool (*run)(void);
} ATTEMPTS[] = {
    {"read /etc/passwd", true, false, false, try_read_passwd},
    {"read by a way round", true, false, false, try_read_relative},
    {"read a program", true, false, false, try_read_library},
    {"read through a link", true, false, false, try_planted_link},
    {"read through a linked folder", true, false, false, try_planted_folder_link},
    {"write outside", true, false, false, try_write_outside},
    {"rename out", true, false, false, try_rename_out},
    {"make links", false, false, false, try_links},
    {"make nodes", false, false, false, try_nodes},
    {"open sockets", false, false, false, try_sockets},
    {"open sockets of packets", false, false, true, try_packets},
    {"get out by CUDA's socket", false, false, false, try_cuda_socket},
    {"name a socket in a folder", true, false, false, try_socket_in_folder},
    {"use its socket otherwise", false, false, false, try_reuse_socket},
    {"start processes", false, false, false, try_processes},
    {"touch other processes", false, false, false, try_others},
    {"ask the kernel for more", false, false, false, try_kernel},
    {"loosen its limits", false, false, false, try_loosen},
    {"make memory files", false, true, false, try_memfd},
    {"type at a terminal", false, false, false, try_terminal},
    {"look at devices", true, false, false, try_devices},
};

static void *thread_main(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

/* What media code needs must work. */
static const char *do_honest_work(void)
{
    pthread_t thread;
    int ran = 0;
    if (pthread_create(&thread, NULL, thread_main, &ran) != 0 || pthread_join(thread, NULL) != 0 ||
        ran != 1) {
        return "threads";
    }
    void *big = malloc(64 << 20);
    if (big == NULL) {
        return "memory";
    }
    memset(big, 1, 64 << 20);
    free(big);
    int fd = open("work", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "abc", 3) != 3 || pread(fd, &ran, 1, 2) != 1 || ftruncate(fd, 1) < 0 ||
        close(fd) < 0 || rename("work", "work2") < 0 || unlink("work2") < 0 ||
        mkdir("sub", 0700) < 0 || rmdir("sub") < 0) {
        return "files";
    }
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) < 0 ? "clock" : NULL;
}

/* Writes the name of a thread as CUDA's do: what is read back. */
static bool name_thread(void)
{
    char path[64];
    char name[16] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", (long)syscall(SYS_gettid));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool named = fd >= 0 && write(fd, "gm-named", 8) == 8 &&
                 prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "gm-named") == 0;
    if (fd >= 0) {
        close(fd);
    }
    return named;
}

static void *named_thread(void *arg)
{
    *(bool *)arg = name_thread();
    return NULL;
}

/* What cuInit does besides. */
static const char *start_cuda(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(name);
    pthread_t thread;
    bool named = false;
    snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "gm-uvmfd-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ||
        listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        return "CUDA's socket";
    }
    close(fd);
    if (pthread_create(&thread, NULL, named_thread, &named) != 0 ||
        pthread_join(thread, NULL) != 0 || !named) {
        return "names of threads";
    }
    return NULL;
}

/* What a driver's library does. */
static const char *use_device(const struct gm_sandbox_device *device)
{
    char path[256];
    uint64_t answer = 0;
    if (!opened(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) ||
        !opened(open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC)) ||
        !opened(open("/usr/lib", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ||
        !opened(open("/dev/null", O_RDWR | O_CLOEXEC))) {
        return "facts and libraries";
    }
    snprintf(path, sizeof(path), "%s/made", device->paths);
    if (!opened(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) || unlink(path) != 0) {
        return "its path";
    }
    snprintf(path, sizeof(path), "%s/libfake.so", device->libraries);
    if (!opened(open(path, O_RDONLY | O_CLOEXEC)) || opened(open(path, O_RDWR | O_CLOEXEC))) {
        return "its libraries";
    }
    if (ioctl(2, 0xc0204600u, &answer) == 0 || errno == EPERM) {
        return "ioctl";
    }
    if (!gm_sandbox_limits_memory()) {
        return NULL; /* sanitizers have little room beside their own */
    }
    void *big =
        mmap(NULL, 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return big == MAP_FAILED ? "address space" : NULL;
}

void escape_io_run(const struct gm_sandbox_device *device, bool landlock)
{
    bool plain = device->profile == GM_SANDBOX_PLAIN;
    bool cuda = device->profile == GM_SANDBOX_CUDA;
    for (size_t i = 0; i < sizeof(ATTEMPTS) / sizeof(ATTEMPTS[0]); i++) {
        if ((landlock || !ATTEMPTS[i].by_landlock) && (plain || !ATTEMPTS[i].of_devices) &&
            !(cuda && ATTEMPTS[i].of_cuda) && ATTEMPTS[i].run()) {
            printf("escaped=%s\n", ATTEMPTS[i].name);
        }
    }
    const char *broken = do_honest_work();
    if (broken == NULL && !plain) {
        broken = use_device(device);
    }
    if (broken == NULL && cuda) {
        broken = start_cuda();
    }
    if (broken != NULL) {
        printf("broken=%s\n", broken);
    }
}
