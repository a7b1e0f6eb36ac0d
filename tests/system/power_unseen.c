/* Calls that change files and that power_shim.c does not write down: on files of POWER_FOLDERS they
 * are said and end the process, for a log with a hole proves nothing. What reads goes through.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
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

void *mmap(void *where, size_t size, int prot, int flags, int fd, off_t at)
{
    if (fd >= 0 && (flags & MAP_SHARED) != 0 && (prot & PROT_WRITE) != 0) {
        SEEN_FD(fd, "mmap");
    }
    return (void *)syscall(SYS_mmap, where, size, prot, flags, fd, at);
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
