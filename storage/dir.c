/* The directory backend. An object is a regular file below the root; dir_put.c puts it there.
 *
 * Every path is opened beneath the root by openat2(2) through no symbolic link: whoever may write
 * into the folder can not lead the store out of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/crash.h"
#include "common/fs.h"
#include "storage/backend.h"

#define STALE_TEMP_SECONDS 3600
#define MOST_BUSY 100 /* tries, by choice: who renames without end must not hold us */

static const struct gm_store_ops DIR_OPS;

int gm_dir_error(struct gm_err *err, int errnum, const char *what, const char *key)
{
    enum gm_code code = GM_E_STORE;
    char reason[64];

    switch (errnum) {
    case ENOMEM:
        code = GM_E_NOMEM;
        break;
    case ENOSPC:
    case EDQUOT:
        code = GM_E_STORE_FULL;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* a symbolic link in the way */
    case EXDEV: /* a way out of the root */
        code = GM_E_STORE_DENIED;
        break;
    case ENOENT:
        code = GM_E_NOTFOUND;
        break;
    case ENAMETOOLONG:
        code = GM_E_INVAL;
        break;
    default:
        break;
    }
    return gm_err_set(err, code, errnum, "%s %.150s failed: %s", what, key,
                      strerror_r(errnum, reason, sizeof(reason)));
}

int gm_dir_open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int busy = 0; /* EAGAIN: something was renamed during the walk */
    long fd;

    do {
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        busy += fd < 0 && errno == EAGAIN ? 1 : 0;
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && busy < MOST_BUSY)));
    return (int)fd;
}

int gm_dir_open_object(int root, const char *key, int *out_fd, uint64_t *out_size,
                       struct gm_err *err)
{
    /* not blocking: a named pipe in the way must not hold us */
    int fd = gm_dir_open_beneath(root, key, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int rc;

    if (fd < 0) {
        return gm_dir_error(err, errno == ENOTDIR ? ENOENT : errno, "opening", key);
    }
    if (fstat(fd, &st) < 0) {
        rc = gm_dir_error(err, errno, "looking at", key);
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        rc = gm_dir_error(err, ENOENT, "opening", key);
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = gm_err_set(err, GM_E_STORE_DENIED, 0, "%.150s was not a regular file", key);
        goto fail;
    }
    *out_fd = fd;
    *out_size = (uint64_t)st.st_size;
    return 0;
fail:
    close(fd);
    return rc;
}

/* A new folder has the sticky bit until its name is synced: who finds the bit syncs in place of one
 * who was killed, or stands still. Where it can't be taken off again that is done each time. On a
 * folder that others may write to the bit is its owner's: we make none like that. fchmod may take
 * the set-group-ID bit, which is inherited, so a folder that has it can't tell by the other one:
 * its name is synced each time. */
static int settle_folder(int dir, int folder)
{
    struct stat st;

    if (fstat(folder, &st) < 0) {
        return -1;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (st.st_mode & (S_ISVTX | S_ISGID)) == 0) {
        return 0;
    }
    if (fsync(dir) < 0) {
        return -1;
    }
    if ((st.st_mode & S_ISGID) == 0) {
        (void)fchmod(folder, st.st_mode & 07777 & ~(mode_t)S_ISVTX);
    }
    return 0;
}

static int make_folder(int dir, const char *name)
{
    struct stat st;

    if (fstat(dir, &st) < 0) {
        return -1;
    }
    mode_t unsynced = (st.st_mode & S_ISGID) != 0 ? 0 : S_ISVTX;
    if (mkdirat(dir, name, unsynced | 0755) < 0) {
        return errno == EEXIST ? 0 : -1;
    }
    GM_CRASH("store.folder_made");
    return 0;
}

/* The folder `name` of dir, made if missing, and synced. Returns a descriptor or -1. */
static int enter_folder(int dir, const char *name, bool make)
{
    int fd = gm_dir_open_beneath(dir, name, GM_DIR_OPEN_FOLDER);

    if (fd < 0 && errno == ENOENT && make) {
        if (make_folder(dir, name) < 0) {
            return -1;
        }
        fd = gm_dir_open_beneath(dir, name, GM_DIR_OPEN_FOLDER);
    }
    if (fd >= 0 && settle_folder(dir, fd) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int gm_dir_walk(int root, const char *key, bool make)
{
    int dir = gm_dir_open_beneath(root, ".", GM_DIR_OPEN_FOLDER);

    while (dir >= 0 && strchr(key, '/') != NULL) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(key, "/");
        int next;
        int saved;

        if (n > NAME_MAX) {
            close(dir);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, key, n);
        name[n] = '\0';
        next = enter_folder(dir, name, make);
        saved = errno;
        close(dir);
        errno = saved;
        dir = next;
        key += n + 1;
    }
    return dir;
}

static int dir_get(struct gm_store *store, const char *key, uint64_t offset, void *out,
                   size_t length, size_t *out_read, struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct gm_err cause;
    uint64_t size = 0;
    int fd = -1;
    int rc = gm_dir_open_object(d->root, key, &fd, &size, err);

    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_at(fd, out, length, offset, out_read, &cause);
    close(fd);
    return rc < 0 ? gm_dir_error(err, (int)cause.native, "reading", key) : 0;
}

static int dir_open_body(struct gm_store *store, const char *key, int *out_fd, uint64_t *out_size,
                         struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    return gm_dir_open_object(d->root, key, out_fd, out_size, err);
}

static int dir_head(struct gm_store *store, const char *key, struct gm_store_stat *out,
                    struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    uint64_t size = 0;
    int fd = -1;
    int rc = gm_dir_open_object(d->root, key, &fd, &size, err);

    if (rc == 0) {
        out->size = size;
        close(fd);
    }
    return rc;
}

static void dir_close(struct gm_store *store)
{
    struct gm_dir_store *d = (struct gm_dir_store *)store;

    close(d->root);
    free(d->path);
    free(d);
}

/* What crashed writers left; who still writes touches the file's time. */
static void remove_stale_temps(int root)
{
    int fd = gm_dir_open_beneath(root, ".", GM_DIR_OPEN_FOLDER);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    time_t now = time(NULL);
    const struct dirent *entry;
    struct stat st;

    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return; /* it is tried again at the next start */
    }
    /* cppcheck-suppress readdirCalled ; the stream is ours alone */
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, GM_DIR_TEMP_PREFIX, strlen(GM_DIR_TEMP_PREFIX)) == 0 &&
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime < now - STALE_TEMP_SECONDS) {
            unlinkat(fd, entry->d_name, 0);
        }
    }
    closedir(dir);
}

int gm_dir_open(const char *path, bool create, struct gm_store **out, struct gm_err *err)
{
    struct gm_dir_store *d;
    int fd;

    if (create) {
        struct gm_err why = {0};

        if (gm_fs_mkdirs(path, &why) < 0) {
            return gm_dir_error(err, (int)why.native, "making the store", path);
        }
    }
    fd = open(path, GM_DIR_OPEN_FOLDER);
    if (fd < 0) {
        return gm_dir_error(err, errno, "opening the store", path);
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL || (d->path = strdup(path)) == NULL) {
        free(d);
        close(fd);
        return gm_err_nomem(err);
    }
    d->base.ops = &DIR_OPS;
    d->root = fd;
    if (create) {
        remove_stale_temps(fd);
    }
    *out = &d->base;
    return 0;
}

/* Whoever made the store's folder may have been killed before its name, or that of one above it,
 * was synced. */
static int dir_settle(struct gm_store *store, struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct gm_err why = {0};

    if (gm_fs_sync_above(d->path, &why) < 0) {
        return gm_dir_error(err, (int)why.native, "syncing the folders above", d->path);
    }
    return 0;
}

static const struct gm_store_ops DIR_OPS = {.close = dir_close,
                                            .settle = dir_settle,
                                            .put = gm_dir_put,
                                            .get = dir_get,
                                            .open = dir_open_body,
                                            .head = dir_head,
                                            .list = gm_dir_list,
                                            .delete = gm_dir_delete};
