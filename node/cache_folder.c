#include "node/cache_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/id.h"
#include "common/time.h"

#define LOCK_NAME ".lock"
#define TEMPORARY "tmp-"
#define HEX "0123456789abcdef"
#define OPEN_WAIT_MS 10000
#define TRIES 8 /* of a temporary file: someone may clear it away before it is locked */

struct file {
    char name[GM_CACHE_ENTRY];
    uint64_t size;
    struct timespec used;
};

struct listing {
    struct file *files; /* owned */
    size_t count;
    uint64_t bytes;
};

/* Whether nobody uses it; then *out_fd (owned) holds it so. */
static bool is_free(const struct gm_cache_folder *folder, const char *name, int *out_fd)
{
    int fd = openat(folder->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out_fd = fd;
        return true;
    }
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

bool gm_cache_folder_lock(const struct gm_cache_folder *folder, int wait_ms)
{
    const struct timespec pause = {.tv_nsec = 2 * GM_MS};
    const gm_time end = gm_time_now() + wait_ms * GM_MS;
    while (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || gm_time_now() >= end) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

void gm_cache_folder_unlock(const struct gm_cache_folder *folder)
{
    flock(folder->lock, LOCK_UN);
}

uint64_t gm_cache_folder_bytes(const struct gm_cache_folder *folder)
{
    uint8_t raw[8];
    uint64_t bytes = 0;
    if (pread(folder->lock, raw, sizeof(raw), 0) != sizeof(raw)) {
        return UINT64_MAX; /* not known: too many */
    }
    for (size_t i = sizeof(raw); i-- > 0;) {
        bytes = bytes << 8 | raw[i];
    }
    return bytes;
}

static int set_bytes(const struct gm_cache_folder *folder, uint64_t bytes, struct gm_err *err)
{
    uint8_t raw[8];
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)(bytes >> (8 * i));
    }
    ssize_t done = pwrite(folder->lock, raw, sizeof(raw), 0);
    return done == sizeof(raw)
               ? 0
               : gm_err_sys(err, done < 0 ? errno : ENOSPC, "could not note what the cache holds");
}

/* It stays too high where this fails, which is put right when the folder is looked through. */
static void take_off(const struct gm_cache_folder *folder, uint64_t size)
{
    struct gm_err err;
    uint64_t bytes = gm_cache_folder_bytes(folder);
    GM_IGNORE(set_bytes(folder, bytes < size ? 0 : bytes - size, &err), "too many does no harm");
}

static bool is_entry(const char *name)
{
    return strlen(name) == GM_CACHE_ENTRY - 1 && strspn(name, HEX) == GM_CACHE_ENTRY - 1;
}

static bool is_temporary(const char *name)
{
    const size_t prefix = sizeof(TEMPORARY) - 1;
    return strncmp(name, TEMPORARY, prefix) == 0 && name[prefix] != '\0' &&
           name[prefix + strspn(name + prefix, HEX)] == '\0';
}

/* Adds an entry; removes a dead process's temporary file. */
static int list_one(const struct gm_cache_folder *folder, const char *name, struct listing *list,
                    struct gm_err *err)
{
    struct stat st;
    int fd = -1;
    if (is_temporary(name) && is_free(folder, name, &fd)) {
        unlinkat(folder->folder, name, 0);
        close(fd);
        return 0;
    }
    if (!is_entry(name)) {
        return 0;
    }
    if (fstatat(folder->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "could not look at `%s`", name);
    }
    if (!S_ISREG(st.st_mode)) {
        return 0;
    }
    if ((list->count & (list->count - 1)) == 0) { /* a power of two: it is full */
        size_t room = list->count == 0 ? 1 : 2 * list->count;
        struct file *grown = reallocarray(list->files, room, sizeof(*grown));
        if (grown == NULL) {
            return gm_err_nomem(err);
        }
        list->files = grown;
    }
    struct file *file = &list->files[list->count++];
    memcpy(file->name, name, GM_CACHE_ENTRY);
    file->size = (uint64_t)st.st_size;
    file->used = st.st_atim;
    list->bytes += file->size;
    return 0;
}

static int compare_use(const void *a, const void *b)
{
    const struct file *x = a;
    const struct file *y = b;
    if (x->used.tv_sec != y->used.tv_sec) {
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    }
    if (x->used.tv_nsec != y->used.tv_nsec) {
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* All entries, the one that was used longest ago first. list is freed by the caller. */
static int list_all(const struct gm_cache_folder *folder, struct listing *list, struct gm_err *err)
{
    int fd = openat(folder->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return gm_err_sys(err, saved, "could not list the cache folder");
    }
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            rc = errno == 0 ? 0 : gm_err_sys(err, errno, "could not list the cache folder");
            break;
        }
        rc = list_one(folder, d->d_name, list, err);
    }
    closedir(dir);
    if (rc == 0 && list->count > 0) {
        qsort(list->files, list->count, sizeof(*list->files), compare_use);
    }
    return rc;
}

static bool fits(const struct gm_cache_folder *folder, uint64_t bytes, uint64_t room)
{
    return room <= folder->max_bytes && bytes <= folder->max_bytes - room;
}

/* Looks through the folder: the true sum, and as many entries less as it takes. */
static int tidy(const struct gm_cache_folder *folder, uint64_t room, bool *out_fits,
                struct gm_err *err)
{
    struct listing list = {0};
    int rc = list_all(folder, &list, err);
    const uint64_t spare = folder->max_bytes / 16;
    bool more = rc == 0 && !fits(folder, list.bytes, room);
    for (size_t i = 0; i < list.count && more; i++) {
        int fd = -1;
        if (is_free(folder, list.files[i].name, &fd)) {
            if (unlinkat(folder->folder, list.files[i].name, 0) == 0) {
                list.bytes -= list.files[i].size;
            }
            close(fd);
        }
        more = !fits(folder, list.bytes, room) || !fits(folder, list.bytes + room, spare);
    }
    if (rc == 0) {
        rc = set_bytes(folder, list.bytes, err);
        *out_fits = fits(folder, list.bytes, room);
    }
    free(list.files);
    return rc;
}

int gm_cache_folder_make_room(const struct gm_cache_folder *folder, uint64_t room, bool *out_fits,
                              struct gm_err *err)
{
    *out_fits = fits(folder, gm_cache_folder_bytes(folder), room);
    return *out_fits || room > folder->max_bytes ? 0 : tidy(folder, room, out_fits, err);
}

int gm_cache_folder_open(const char *path, uint64_t max_bytes, struct gm_cache_folder *out,
                         struct gm_err *err)
{
    bool ignored = false;
    *out = (struct gm_cache_folder){.folder = -1, .lock = -1, .max_bytes = max_bytes};
    int rc = gm_fs_mkdirs(path, err);
    if (rc < 0) {
        return rc;
    }
    out->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->folder < 0) {
        return gm_err_sys(err, errno, "could not open the cache folder `%s`", path);
    }
    out->lock = openat(out->folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out->lock < 0) {
        return gm_err_sys(err, errno, "could not open the lock of the cache folder `%s`", path);
    }
    if (!gm_cache_folder_lock(out, OPEN_WAIT_MS)) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "the lock of the cache folder `%.150s` is held by another process", path);
    }
    rc = tidy(out, 0, &ignored, err);
    gm_cache_folder_unlock(out);
    return rc;
}

void gm_cache_folder_close(struct gm_cache_folder *folder)
{
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    if (folder->folder >= 0) {
        close(folder->folder);
    }
    folder->folder = folder->lock = -1;
}

void gm_cache_folder_remove(const struct gm_cache_folder *folder, const char *name, ino_t inode)
{
    struct stat st;
    if (fstatat(folder->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode &&
        unlinkat(folder->folder, name, 0) == 0) {
        take_off(folder, (uint64_t)st.st_size);
    }
}

/* With the lock: nothing has that name then. False: it is in use. */
static bool clear_name(const struct gm_cache_folder *folder, const char *name)
{
    struct stat st;
    int fd = -1;
    if (fstatat(folder->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return true;
    }
    if (!is_free(folder, name, &fd)) {
        return false;
    }
    gm_cache_folder_remove(folder, name, st.st_ino);
    close(fd);
    return true;
}

int gm_cache_folder_keep(const struct gm_cache_folder *folder, const char *temporary,
                         const char *name, uint64_t size, bool *out_kept, struct gm_err *err)
{
    bool room = false;
    int rc = 0;
    if (clear_name(folder, name)) {
        rc = gm_cache_folder_make_room(folder, size, &room, err);
    }
    if (rc == 0 && room) {
        rc = set_bytes(folder, gm_cache_folder_bytes(folder) + size, err);
    }
    if (rc == 0 && room && renameat(folder->folder, temporary, folder->folder, name) < 0) {
        rc = gm_err_sys(err, errno, "could not name a cached body");
        take_off(folder, size);
    }
    *out_kept = rc == 0 && room;
    if (!*out_kept) {
        unlinkat(folder->folder, temporary, 0);
    }
    return rc;
}

int gm_cache_folder_find(const struct gm_cache_folder *folder, const char *name, int *out_fd,
                         struct stat *out_st, struct gm_err *err)
{
    *out_fd = -1;
    int fd = openat(folder->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "could not open a cached body");
    }
    /* Not had: it is being removed. */
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 || fstat(fd, out_st) != 0 || out_st->st_nlink == 0 ||
        !S_ISREG(out_st->st_mode)) {
        close(fd);
        return 0;
    }
    *out_fd = fd;
    return 0;
}

/* In full: the kernel's own times are those of its last tick. */
void gm_cache_folder_used(int fd)
{
    struct timespec times[2] = {{0}, {.tv_nsec = UTIME_OMIT}};
    if (clock_gettime(CLOCK_REALTIME, &times[0]) == 0) {
        futimens(fd, times);
    }
}

int gm_cache_folder_begin(const struct gm_cache_folder *folder, char *out_name, size_t size,
                          int *out_fd, struct gm_err *err)
{
    for (int i = 0; i < TRIES; i++) {
        uint8_t random[8];
        char hex[2 * sizeof(random) + 1];
        struct stat st;
        int rc = gm_random(random, sizeof(random), err);
        if (rc < 0) {
            return rc;
        }
        snprintf(out_name, size, TEMPORARY "%s", gm_hex(random, sizeof(random), hex));
        int fd = openat(folder->folder, out_name,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) {
            return gm_err_sys(err, errno, "could not make a file in the cache folder");
        }
        if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
            st.st_nlink > 0) {
            *out_fd = fd;
            return 0;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return gm_err_sys(err, EEXIST, "could not make a file in the cache folder");
}
