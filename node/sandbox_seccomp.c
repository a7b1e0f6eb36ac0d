/* The system calls that media code needs: memory, threads of its own, time, and files below
 * descriptors or names that landlock judges. Everything else fails with EPERM, so that a library
 * that merely tries something goes on. Workers of devices have the calls of DEVICE_ALLOWED too, and
 * ioctl by its type byte: no type of terminals ('T'), through which another process could be typed
 * at; those of CUDA may have a socket that leads nowhere (add_cuda). clone3 answers ENOSYS: its
 * flags lie in memory that a filter can't read, and the C library then uses clone, whose flags are
 * checked. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/sandbox.h"

static const int ALLOWED[] = {
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
    SCMP_SYS(madvise), SCMP_SYS(membarrier),
    /* files */
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(read),
    SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
    SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
    SCMP_SYS(getcwd), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64),
    SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    SCMP_SYS(dup), SCMP_SYS(copy_file_range), SCMP_SYS(poll), SCMP_SYS(ppoll),
    /* threads */
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address), SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* signals to itself, time, facts */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(uname),
    SCMP_SYS(sysinfo)};

/* What the user-space parts of drivers call besides. Taken from what libcuda and VA drivers are
 * known to use; run over the fake drivers only (docs/devices.md). */
static const int DEVICE_ALLOWED[] = {SCMP_SYS(eventfd2),
                                     SCMP_SYS(pipe),
                                     SCMP_SYS(pipe2),
                                     SCMP_SYS(epoll_create1),
                                     SCMP_SYS(epoll_ctl),
                                     SCMP_SYS(epoll_wait),
                                     SCMP_SYS(epoll_pwait),
                                     SCMP_SYS(dup2),
                                     SCMP_SYS(dup3),
                                     SCMP_SYS(memfd_create),
                                     SCMP_SYS(mlock),
                                     SCMP_SYS(mlock2),
                                     SCMP_SYS(munlock),
                                     SCMP_SYS(mincore),
                                     SCMP_SYS(get_mempolicy),
                                     SCMP_SYS(set_mempolicy),
                                     SCMP_SYS(mbind),
                                     SCMP_SYS(sched_getscheduler),
                                     SCMP_SYS(sched_getparam),
                                     SCMP_SYS(sched_get_priority_max),
                                     SCMP_SYS(sched_get_priority_min),
                                     SCMP_SYS(getcpu),
                                     SCMP_SYS(statfs),
                                     SCMP_SYS(fstatfs),
                                     SCMP_SYS(readahead),
                                     SCMP_SYS(getpgrp),
                                     SCMP_SYS(times)};

/* Type bytes of ioctl requests: NVIDIA's resource manager, its unified memory (plain small numbers,
 * one of them 2047), DRM. */
static const scmp_datum_t DEVICE_IOCTLS[] = {0x4600, 0x0000, 0x0700, 0x6400};

/* fcntl commands that change nothing but the descriptor. */
static const uint64_t FCNTLS[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL};

static struct scmp_arg_cmp equals(unsigned int argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static int add_checked(scmp_filter_ctx filter, int sock)
{
    const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    const scmp_datum_t self = (scmp_datum_t)getpid();
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
    }
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, equals(0, self));
    }
    const int messages[] = {SCMP_SYS(sendmsg), SCMP_SYS(recvmsg)};
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, messages[i], 1, equals(0, (scmp_datum_t)sock));
    }
    for (size_t i = 0; rc == 0 && i < sizeof(FCNTLS) / sizeof(FCNTLS[0]); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, FCNTLS[i]));
    }
    /* Reading its own limits only. */
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, equals(0, 0),
                              equals(2, 0));
    }
    /* Thread names. */
    const scmp_datum_t names[] = {PR_SET_NAME, PR_GET_NAME};
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, equals(0, names[i]));
    }
    return rc;
}

static int add_device(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(DEVICE_ALLOWED) / sizeof(DEVICE_ALLOWED[0]); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, DEVICE_ALLOWED[i], 0);
    }
    for (size_t i = 0; rc == 0 && i < sizeof(DEVICE_IOCTLS) / sizeof(DEVICE_IOCTLS[0]); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, DEVICE_IOCTLS[i]));
    }
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_SETFL));
    }
    return rc;
}

/* cuInit binds a socket of packets to the abstract name `cuda-uvmfd-NAMESPACE-PID` and listens on
 * it, for other processes to fetch its descriptor of the unified memory, and fails where it can't
 * (CUDA_ERROR_OPERATING_SYSTEM). Nothing comes through one: connect, accept and sendto stay
 * refused, sendmsg and recvmsg are for sock alone, and a name in a folder is landlock's to refuse.
 */
static int add_cuda(scmp_filter_ctx filter, int sock)
{
    const scmp_datum_t type = 0xffffffffu & ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    const struct scmp_arg_cmp other = SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)sock);
    const int calls[] = {SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(getsockname)};
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, equals(0, AF_UNIX),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, type, SOCK_SEQPACKET), equals(2, 0));
    for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, other);
    }
    return rc;
}

int gm_sandbox_seccomp(int sock, enum gm_sandbox_profile profile, struct gm_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return gm_err_set(err, GM_E_SANDBOX, 0, "the system call filter could not be made");
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(ALLOWED) / sizeof(ALLOWED[0]); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    }
    if (rc == 0) {
        rc = add_checked(filter, sock);
    }
    if (rc == 0 && profile != GM_SANDBOX_PLAIN) {
        rc = add_device(filter);
    }
    if (rc == 0 && profile == GM_SANDBOX_CUDA) {
        rc = add_cuda(filter, sock);
    }
    if (rc == 0) {
        rc = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (rc < 0) {
        return gm_err_set(err, GM_E_SANDBOX, -rc, "the system call filter was refused: %s",
                          strerror(-rc));
    }
    return 0;
}
