/* Preloaded (LD_PRELOAD): the files below the folders of POWER_FOLDERS (absolute, with colons) as
 * on a disk that keeps only what was synced. Each change is written down in the file POWER_LOG with
 * what it replaces; a sync is only written down. What is deleted is kept beside it, in POWER_LOG.d.
 * power_loss takes back what a power cut might.
 *
 * While there is a file POWER_FAIL, each sync fails with EIO and syncs nothing; the next one that
 * does not fail syncs that, too. While there is a file POWER_HANG no sync returns. Calls that
 * change files and are not here end the process (power_unseen.c).
 *
 * One change at a time, among all processes: the log's order is that of the changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "system/power_log.h"
#include "system/power_shim.h"

#define DATA_MAX ((size_t)64 << 20)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *folders, *log_path, *fail_path, *hang_path;
static int log_fd = -1;
static unsigned kept;

__attribute__((constructor)) static void start(void)
{
    folders = getenv("POWER_FOLDERS");
    log_path = getenv("POWER_LOG");
    fail_path = getenv("POWER_FAIL");
    hang_path = getenv("POWER_HANG");
    if (folders != NULL && log_path != NULL) {
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log_path,
                              O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
}

static void lock(void)
{
    pthread_mutex_lock(&mutex);
    if (log_fd >= 0) {
        (void)flock(log_fd, LOCK_EX);
    }
}

static void unlock(void)
{
    int saved = errno;
    if (log_fd >= 0) {
        (void)flock(log_fd, LOCK_UN);
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
}

static bool is_ours(const char *path)
{
    for (const char *f = log_fd < 0 ? NULL : folders; f != NULL && *f != '\0';) {
        size_t n = strcspn(f, ":");
        if (strncmp(path, f, n) == 0 && (path[n] == '/' || path[n] == '\0')) {
            return true;
        }
        f += n + (f[n] == ':' ? 1 : 0);
    }
    return false;
}

static bool fd_path(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

/* The absolute path; false: none of ours. */
static bool name_path(int dir, const char *name, char out[PATH_MAX])
{
    char base[PATH_MAX] = "";
    if (log_fd < 0) {
        return false;
    }
    if (name[0] == '/') {
        snprintf(out, PATH_MAX, "%s", name);
    } else {
        if (dir == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !fd_path(dir, base)) {
            return false;
        }
        size_t n = strlen(base);
        if (n + strlen(name) + 2 > PATH_MAX) {
            return false;
        }
        memcpy(out, base, n);
        out[n] = '/';
        memcpy(out + n + 1, name, strlen(name) + 1);
    }
    return is_ours(out);
}

static bool is_our_file(int fd, struct stat *st)
{
    char path[PATH_MAX];
    return log_fd >= 0 && fd != log_fd && fd_path(fd, path) && is_ours(path) &&
           fstat(fd, st) == 0 && S_ISREG(st->st_mode);
}

bool power_is_our_file(int fd)
{
    struct stat st;
    return is_our_file(fd, &st);
}

bool power_is_our_name(int dir, const char *name)
{
    char path[PATH_MAX];
    return name_path(dir, name, path);
}

static void put(struct power_record *r, const char *a, const char *b, const void *data)
{
    r->a_size = (uint32_t)strlen(a);
    r->b_size = (uint32_t)strlen(b);
    struct iovec parts[4] = {{r, sizeof *r},
                             {(void *)(uintptr_t)a, r->a_size},
                             {(void *)(uintptr_t)b, r->b_size},
                             {(void *)(uintptr_t)data, r->data_size}};
    ssize_t wanted = (ssize_t)(sizeof *r + r->a_size + r->b_size + r->data_size);
    if (writev(log_fd, parts, 4) != wanted) {
        abort(); /* a log with a hole proves nothing */
    }
}

static void put_path(enum power_kind kind, const char *a, const char *b, bool folder)
{
    struct power_record r = {.kind = kind, .length = folder ? 1 : 0};
    put(&r, a, b, "");
}

/* What the file has from `at` on, at most `size` bytes of it. */
static void put_data(enum power_kind kind, int fd, const struct stat *st, uint64_t at,
                     uint64_t length, uint64_t size)
{
    struct power_record r = {.kind = kind,
                             .inode = st->st_ino,
                             .at = at,
                             .length = length,
                             .old_size = (uint64_t)st->st_size};
    uint64_t left = at < r.old_size ? r.old_size - at : 0;
    size_t n = (size_t)(left < size ? left : size);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    char *data = malloc(n + 1);
    int reader = n == 0 ? -1 : (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    if (data == NULL || n > DATA_MAX ||
        (n > 0 && pread(reader, data, n, (off_t)at) != (ssize_t)n)) {
        abort();
    }
    r.data_size = (uint32_t)n;
    put(&r, "", "", data);
    if (reader >= 0) {
        (void)syscall(SYS_close, reader);
    }
    free(data);
}

/* A second name for what is about to lose its own. */
static void keep(const char *path, char out[PATH_MAX + 64])
{
    struct stat st;
    out[0] = '\0';
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        snprintf(out, PATH_MAX + 64, "%s.d/%d-%u", log_path, (int)getpid(), kept++);
        if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, out, 0) < 0) {
            abort();
        }
    }
}

/* ---- files */

static int open_file(int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    bool temporary = (flags & O_TMPFILE) == O_TMPFILE;
    bool ours = (flags & (O_CREAT | O_TRUNC)) != 0 || temporary;
    ours = ours && name_path(dir, name, path);
    if (!ours) {
        return (int)syscall(SYS_openat, dir, name, flags, mode);
    }
    lock();
    struct stat st;
    bool there = !temporary && lstat(path, &st) == 0;
    bool cut = there && (flags & O_TRUNC) != 0;
    int fd = (int)syscall(SYS_openat, dir, name, flags & ~(cut ? O_TRUNC : 0), mode);
    if (fd >= 0 && cut && fstat(fd, &st) == 0) {
        put_data(POWER_SIZE, fd, &st, 0, 0, (uint64_t)st.st_size);
        (void)syscall(SYS_ftruncate, fd, 0);
    } else if (fd >= 0 && !there && fstat(fd, &st) == 0) {
        struct power_record r = {.kind = POWER_BORN, .inode = st.st_ino};
        put(&r, "", "", "");
        if (!temporary) {
            put_path(POWER_NAME, path, "", false);
        }
    }
    unlock();
    return fd;
}

#define OPEN_MODE(flags, last, mode)                                                               \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, last);                                                                      \
        mode = ((flags) & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;                  \
        va_end(args);                                                                              \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode;
    OPEN_MODE(flags, flags, mode);
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode;
    OPEN_MODE(flags, flags, mode);
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    OPEN_MODE(flags, flags, mode);
    return open_file(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    OPEN_MODE(flags, flags, mode);
    return open_file(dir, path, flags, mode);
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t at, bool placed)
{
    struct stat st;
    ssize_t n;
    if (!is_our_file(fd, &st)) {
        return placed ? syscall(SYS_pwrite64, fd, data, size, at)
                      : syscall(SYS_write, fd, data, size);
    }
    lock();
    (void)fstat(fd, &st);
    off_t where = placed ? at : lseek(fd, 0, SEEK_CUR);
    put_data(POWER_WRITE, fd, &st, (uint64_t)where, size, size);
    n = placed ? syscall(SYS_pwrite64, fd, data, size, at) : syscall(SYS_write, fd, data, size);
    unlock();
    return n;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_at(fd, data, size, 0, false);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return write_at(fd, data, size, at, true);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return write_at(fd, data, size, at, true);
}

static int cut_file(int fd, off_t size)
{
    struct stat st;
    if (!is_our_file(fd, &st)) {
        return (int)syscall(SYS_ftruncate, fd, size);
    }
    lock();
    (void)fstat(fd, &st);
    put_data(POWER_SIZE, fd, &st, (uint64_t)size, 0, UINT64_MAX);
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    unlock();
    return rc;
}

int ftruncate(int fd, off_t size)
{
    return cut_file(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return cut_file(fd, size);
}

static int sync_file(int fd, long number)
{
    struct stat st;
    char path[PATH_MAX];
    if (log_fd < 0 || !fd_path(fd, path) || !is_ours(path) || fstat(fd, &st) < 0) {
        return (int)syscall(number, fd);
    }
    while (hang_path != NULL && access(hang_path, F_OK) == 0) {
        (void)usleep(10000);
    }
    if (fail_path != NULL && access(fail_path, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    lock();
    if (S_ISDIR(st.st_mode)) {
        put_path(POWER_FOLDER, path, "", true);
    } else {
        struct power_record r = {.kind = POWER_SYNC, .inode = st.st_ino};
        put(&r, "", "", "");
    }
    unlock();
    return 0;
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

/* ---- names */

int mkdirat(int dir, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    bool ours = name_path(dir, name, path);
    lock();
    int rc = (int)syscall(SYS_mkdirat, dir, name, mode);
    if (rc == 0 && ours) {
        put_path(POWER_NAME, path, "", true);
    }
    unlock();
    return rc;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    char hidden[PATH_MAX + 64];
    if (!name_path(dir, name, path)) {
        return (int)syscall(SYS_unlinkat, dir, name, flags);
    }
    lock();
    keep(path, hidden);
    int rc = (int)syscall(SYS_unlinkat, dir, name, flags);
    if (rc == 0) {
        put_path(POWER_GONE, path, hidden, (flags & AT_REMOVEDIR) != 0);
    }
    unlock();
    return rc;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
    char path[PATH_MAX];
    bool ours = name_path(to, name, path);
    lock();
    int rc = (int)syscall(SYS_linkat, from, old, to, name, flags);
    if (rc == 0 && ours) {
        put_path(POWER_NAME, path, "", false);
    }
    unlock();
    return rc;
}

int renameat2(int from, const char *old, int to, const char *name, unsigned flags)
{
    char a[PATH_MAX];
    char b[PATH_MAX];
    char hidden[PATH_MAX + 64];
    if (!name_path(from, old, a) || !name_path(to, name, b)) {
        return (int)syscall(SYS_renameat2, from, old, to, name, flags);
    }
    lock();
    keep(b, hidden);
    int rc = (int)syscall(SYS_renameat2, from, old, to, name, flags);
    if (rc == 0) {
        struct power_record r = {.kind = POWER_MOVED, .data_size = (uint32_t)strlen(hidden)};
        put(&r, a, b, hidden);
    }
    unlock();
    return rc;
}

int renameat(int from, const char *old, int to, const char *name)
{
    return renameat2(from, old, to, name, 0);
}

int rename(const char *old, const char *name)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, name, 0);
}
