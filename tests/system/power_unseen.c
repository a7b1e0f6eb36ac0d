/* Calls that change files and that power_shim.c does not write down: on files of POWER_FOLDERS they
 * are said and end the process, for a log with a hole proves nothing. What reads goes through.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "system/power_shim.h"

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

static void refuse(const char *call)
{
    char text[128];
    int n = snprintf(text, sizeof text, "power_shim: %s changes a file and is not written down\n",
                     call);
    (void)!write(STDERR_FILENO, text, (size_t)n);
    abort();
}

#define SEEN_FD(fd, call)                                                                          \
    do {                                                                                           \
        if (power_is_our_file(fd)) {                                                               \
            refuse(call);                                                                          \
        }                                                                                          \
    } while (0)
/* The function that would be called without this one. */
#define REAL(type, name) ((type)(uintptr_t)next(name))

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    SEEN_FD(fd, "writev");
    return REAL(ssize_t(*)(int, const struct iovec *, int), "writev")(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    SEEN_FD(fd, "pwritev");
    return REAL(ssize_t(*)(int, const struct iovec *, int, off_t), "pwritev")(fd, parts, count, at);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    SEEN_FD(fd, "pwritev2");
    return REAL(ssize_t(*)(int, const struct iovec *, int, off_t, int),
                "pwritev2")(fd, parts, count, at, flags);
}

ssize_t sendfile(int out, int in, off_t *at, size_t size)
{
    SEEN_FD(out, "sendfile");
    return REAL(ssize_t(*)(int, int, off_t *, size_t), "sendfile")(out, in, at, size);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
    SEEN_FD(out, "copy_file_range");
    return REAL(ssize_t(*)(int, off64_t *, int, off64_t *, size_t, unsigned),
                "copy_file_range")(in, from, out, to, size, flags);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    SEEN_FD(fd, "fallocate");
    return REAL(int (*)(int, int, off_t, off_t), "fallocate")(fd, mode, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    SEEN_FD(fd, "posix_fallocate");
    return REAL(int (*)(int, off_t, off_t), "posix_fallocate")(fd, at, size);
}

int truncate(const char *name, off_t size)
{
    if (power_is_our_name(AT_FDCWD, name)) {
        refuse("truncate");
    }
    return REAL(int (*)(const char *, off_t), "truncate")(name, size);
}

int symlink(const char *to, const char *name)
{
    if (power_is_our_name(AT_FDCWD, name)) {
        refuse("symlink");
    }
    return REAL(int (*)(const char *, const char *), "symlink")(to, name);
}

FILE *fopen(const char *name, const char *mode)
{
    if (strpbrk(mode, "wa+") != NULL && power_is_our_name(AT_FDCWD, name)) {
        refuse("fopen");
    }
    return REAL(FILE * (*)(const char *, const char *), "fopen")(name, mode);
}

FILE *freopen(const char *name, const char *mode, FILE *file)
{
    if (name != NULL && strpbrk(mode, "wa+") != NULL && power_is_our_name(AT_FDCWD, name)) {
        refuse("freopen");
    }
    return REAL(FILE * (*)(const char *, const char *, FILE *), "freopen")(name, mode, file);
}

/* The index of SQLite's log, state.db-shm: who opens the database when nobody has it open makes it
 * anew from the log, so after a power cut what is in it does not matter.
 */
static bool is_made_anew(int fd)
{
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    return n > 4 && memcmp(path + n - 4, "-shm", 4) == 0;
}

void *mmap(void *where, size_t size, int prot, int flags, int fd, off_t at)
{
    if (fd >= 0 && (flags & MAP_SHARED) != 0 && (prot & PROT_WRITE) != 0 && !is_made_anew(fd)) {
        SEEN_FD(fd, "mmap");
    }
    return (void *)syscall(SYS_mmap, where, size, prot, flags, fd, at);
}

/* The names that programs with large files call. */
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return pwritev(fd, parts, count, at);
}

ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags)
{
    return pwritev2(fd, parts, count, at, flags);
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t size)
{
    return sendfile(out, in, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
    return fallocate(fd, mode, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size)
{
    return posix_fallocate(fd, at, size);
}

int truncate64(const char *name, off64_t size)
{
    return truncate(name, size);
}

FILE *fopen64(const char *name, const char *mode)
{
    return fopen(name, mode);
}

FILE *freopen64(const char *name, const char *mode, FILE *file)
{
    return freopen(name, mode, file);
}

void *mmap64(void *where, size_t size, int prot, int flags, int fd, off64_t at)
{
    return mmap(where, size, prot, flags, fd, at);
}

/* What glibc does from within: by our own calls, which write it down. */
int link(const char *old, const char *name)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, name, 0);
}

int remove(const char *name)
{
    return unlink(name) == 0 || (errno == EISDIR && rmdir(name) == 0) ? 0 : -1;
}

int creat(const char *name, mode_t mode)
{
    return open(name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *name, mode_t mode)
{
    return creat(name, mode);
}

int mkostemp(char *name, int flags)
{
    size_t size = strlen(name);
    static unsigned tries;
    for (int i = 0; size >= 6 && i < 1000; i++) {
        unsigned number = ((unsigned)getpid() * 1000U + tries++) % 1000000U;
        for (size_t k = 1; k <= 6; k++, number /= 10) {
            name[size - k] = (char)('0' + number % 10);
        }
        int fd = open(name, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    errno = size < 6 ? EINVAL : EEXIST;
    return -1;
}

int mkostemp64(char *name, int flags)
{
    return mkostemp(name, flags);
}

int mkstemp(char *name)
{
    return mkostemp(name, 0);
}

int mkstemp64(char *name)
{
    return mkostemp(name, 0);
}

/* openat2 has no other door. */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(args, long);
    }
    va_end(args);
    if (real == NULL) {
        real = REAL(long (*)(long, ...), "syscall");
    }
    if (number == SYS_openat2) {
        const struct open_how *how = (const void *)(uintptr_t)a[2];
        bool changes =
            (how->flags & (O_CREAT | O_TRUNC)) != 0 || (how->flags & O_TMPFILE) == O_TMPFILE;
        if (changes && power_is_our_name((int)a[0], (const void *)(uintptr_t)a[1])) {
            refuse("openat2");
        }
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
