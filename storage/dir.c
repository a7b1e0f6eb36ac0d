/* The directory backend. An object is a regular file below the root; a body is written to a
 * temporary file in the root, synced, and renamed into its place, so that a reader sees the whole
 * of it or nothing and a crash leaves at most a temporary file.
 *
 * Every path is opened beneath the root by openat2(2) through no symbolic link: whoever may write
 * into the folder can not lead the store out of it.
 *
 * New folders are made under an exclusive flock(2) on the root and synced before it is released;
 * who finds a folder in place takes the lock shared for a moment, so that no body is called durable
 * inside a folder that is not.
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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/id.h"
#include "storage/backend.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define STALE_TEMP_SECONDS 3600
/* A delete may remove an empty folder under a put's feet; it is made again this many times. */
#define MAX_FOLDER_RACES 1000
#define COPY_BYTES ((size_t)256 * 1024)

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
    long fd;

    do {
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        /* EAGAIN: something was renamed during the walk */
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
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

/* ---- put */

struct copy {
    int to;
    const struct gm_store_put *put;
    struct gm_sha256 *hash; /* owned; NULL: not wanted */
    uint8_t *part;          /* owned; COPY_BYTES */
};

static int write_part(struct copy *c, const uint8_t *part, size_t size, struct gm_err *err)
{
    while (size > 0) {
        ssize_t n = write(c->to, part, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_dir_error(err, errno, "writing", c->put->key);
        }
        if (c->hash != NULL) {
            gm_sha256_update(c->hash, part, (size_t)n);
        }
        part += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads to the end of the file, so that too long a body shows. */
static int copy_fd(struct copy *c, struct gm_err *err)
{
    uint64_t at = 0;

    for (;;) {
        ssize_t n = pread(c->put->fd, c->part, COPY_BYTES, (off_t)at);
        int rc;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            /* the reader's trouble, not the store's */
            return gm_err_sys(err, errno, "reading the body of %.120s failed", c->put->key);
        }
        if (n == 0) {
            break;
        }
        if ((uint64_t)n > c->put->size - at) {
            at = UINT64_MAX;
            break;
        }
        rc = write_part(c, c->part, (size_t)n, err);
        if (rc < 0) {
            return rc;
        }
        at += (uint64_t)n;
    }
    if (at == c->put->size) {
        return 0;
    }
    return gm_err_set(err, GM_E_STORE_CORRUPT, 0, "the body of %.120s was %s than its %llu bytes",
                      c->put->key, at == UINT64_MAX ? "longer" : "shorter",
                      (unsigned long long)c->put->size);
}

/* The body into `to`, checked and synced. */
static int write_body(int to, const struct gm_store_put *put, const void *data, struct gm_err *err)
{
    struct copy c = {.to = to, .put = put};
    uint8_t hash[GM_SHA256_SIZE];
    int rc = 0;

    if (put->sha256 != NULL) {
        c.hash = gm_sha256_create();
        if (c.hash == NULL) {
            return gm_err_nomem(err);
        }
    }
    if (data != NULL) {
        rc = write_part(&c, data, put->size, err);
    } else {
        c.part = malloc(COPY_BYTES);
        rc = c.part == NULL ? gm_err_nomem(err) : copy_fd(&c, err);
    }
    if (rc < 0) {
        goto out;
    }
    if (c.hash != NULL) {
        gm_sha256_final(c.hash, hash);
        if (memcmp(hash, put->sha256, sizeof(hash)) != 0) {
            rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                            "the body of %.120s was not the one announced: another SHA-256",
                            put->key);
            goto out;
        }
    }
    if (fsync(to) < 0) {
        rc = gm_dir_error(err, errno, "fsync of", put->key);
    }
out:
    free(c.part);
    gm_sha256_destroy(&c.hash);
    return rc;
}

static int lock_root(int fd, int how)
{
    int rc;

    do {
        rc = flock(fd, how);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

/* The folder `name` of dir, made and synced if missing. Returns a descriptor or -1. */
static int enter_folder(int dir, const char *name, bool make)
{
    int fd = gm_dir_open_beneath(dir, name, OPEN_FOLDER);

    if (fd >= 0 || errno != ENOENT || !make) {
        return fd;
    }
    if (mkdirat(dir, name, 0755) < 0) {
        if (errno != EEXIST) {
            return -1;
        }
    } else if (fsync(dir) < 0) {
        return -1;
    }
    return gm_dir_open_beneath(dir, name, OPEN_FOLDER);
}

/* Walks to the folder of key. Returns its descriptor, or -1 with errno: ENOENT when a folder is
 * missing and make is not set. */
static int walk_folder(int root, const char *key, bool make)
{
    int dir = gm_dir_open_beneath(root, ".", OPEN_FOLDER);

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

/* The folder of key, there and durable. lock: an own descriptor of the root. */
static int make_folder(int lock, const char *key)
{
    int dir = walk_folder(lock, key, false);
    int saved;

    if (dir >= 0) {
        if (strchr(key, '/') != NULL && lock_root(lock, LOCK_SH) < 0) {
            saved = errno;
            close(dir);
            errno = saved;
            return -1;
        }
    } else if (errno == ENOENT) {
        if (lock_root(lock, LOCK_EX) < 0) {
            return -1;
        }
        dir = walk_folder(lock, key, true);
    }
    saved = errno;
    flock(lock, LOCK_UN);
    errno = saved;
    return dir;
}

/* A body on its way. Where the file system can it has no name until it is whole, so that a writer
 * who is killed leaves nothing; else, and to replace what has the key, a temporary name. */
struct body {
    int fd; /* owned */
    char temp[64];
    bool named; /* temp exists, in the root */
};

static int open_body(int root, struct body *body, struct gm_err *err)
{
    char id[GM_ID_SIZE];
    int rc = gm_id_make(id, err);

    if (rc < 0) {
        return rc;
    }
    snprintf(body->temp, sizeof(body->temp), GM_DIR_TEMP_PREFIX "%s", id);
    bool links = access("/proc/self/fd", X_OK) == 0; /* what gives a name later */
    body->fd = links ? openat(root, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644) : -1;
    if (body->fd < 0 && (!links || errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        body->fd =
            openat(root, body->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        body->named = body->fd >= 0;
    }
    return 0;
}

static int link_body(const struct body *body, int dir, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", body->fd);
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

/* Gives a body without a name its place, or else its temporary name. True: it is in place. */
static bool link_into(int root, struct body *body, int dir, const char *name, bool if_absent)
{
    if (link_body(body, dir, name) == 0) {
        return true;
    }
    if (errno == EEXIST && !if_absent && link_body(body, root, body->temp) == 0) {
        body->named = true;
    }
    return false;
}

/* Moves the body to name in dir; 0 or -1 with errno, EEXIST for a key that is taken. */
static int move_into(int root, struct body *body, int dir, const char *name, bool if_absent)
{
    const char *temp = body->temp;

    if (!body->named && link_into(root, body, dir, name, if_absent)) {
        return 0;
    }
    if (!body->named) {
        return -1;
    }
    if (!if_absent) {
        return renameat(root, temp, dir, name);
    }
    if (renameat2(root, temp, dir, name, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    /* a file system without that flag */
    if (linkat(root, temp, dir, name, 0) < 0) {
        return -1;
    }
    return unlinkat(root, temp, 0);
}

static int fail_place(struct gm_err *err, int errnum, const char *key)
{
    if (errnum == EEXIST) {
        return gm_err_set(err, GM_E_STORE_EXISTS, 0, "%.150s existed already", key);
    }
    if (errnum == EISDIR || errnum == ENOTDIR) {
        return gm_err_set(err, GM_E_INVAL, errnum,
                          "%.120s could not be stored: a key can not be a folder of another one",
                          key);
    }
    return gm_dir_error(err, errnum, "storing", key);
}

static int place(int lock, struct body *body, const struct gm_store_put *put, struct gm_err *err)
{
    const char *slash = strrchr(put->key, '/');
    const char *name = slash == NULL ? put->key : slash + 1;
    int rc = 0;
    int dir;

    for (int race = 0;; race++) {
        int saved;

        dir = make_folder(lock, put->key);
        if (dir >= 0) {
            if (move_into(lock, body, dir, name, put->if_absent) == 0) {
                break;
            }
            saved = errno;
            close(dir);
            errno = saved;
        }
        if (errno != ENOENT || race == MAX_FOLDER_RACES) {
            return fail_place(err, errno, put->key);
        }
    }
    if (fsync(dir) < 0) {
        rc = gm_dir_error(err, errno, "fsync of the folder of", put->key);
    }
    close(dir);
    return rc;
}

static int dir_put(struct gm_store *store, const struct gm_store_put *put, const void *data,
                   struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct body body = {.fd = -1};
    /* an own open file: flock counts by these */
    int lock = gm_dir_open_beneath(d->root, ".", OPEN_FOLDER);
    int rc;

    if (lock < 0) {
        return gm_dir_error(err, errno, "opening the store to put", put->key);
    }
    rc = open_body(lock, &body, err);
    if (rc < 0) {
        goto out;
    }
    if (body.fd < 0) {
        rc = gm_dir_error(err, errno, "making a file for", put->key);
        goto out;
    }
    rc = write_body(body.fd, put, data, err);
    if (rc == 0) {
        rc = place(lock, &body, put, err);
    }
    close(body.fd);
    if (rc < 0 && body.named) {
        unlinkat(lock, body.temp, 0); /* gone already when only the last sync failed */
    }
out:
    close(lock);
    return rc;
}

/* ---- the rest */

static int dir_get(struct gm_store *store, const char *key, uint64_t offset, void *out,
                   size_t length, size_t *out_read, struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct gm_err cause;
    uint64_t size;
    int fd;
    int rc = gm_dir_open_object(d->root, key, &fd, &size, err);

    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_at(fd, out, length, offset, out_read, &cause);
    close(fd);
    return rc < 0 ? gm_dir_error(err, (int)cause.native, "reading", key) : 0;
}

static int dir_head(struct gm_store *store, const char *key, struct gm_store_stat *out,
                    struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    uint64_t size;
    int fd;
    int rc = gm_dir_open_object(d->root, key, &fd, &size, err);

    if (rc == 0) {
        out->size = size;
        close(fd);
    }
    return rc;
}

/* Removes the folders of key from the deepest up, as long as they are empty. */
static void remove_empty_folders(int root, const char *key)
{
    char path[1024 + 1];
    char *slash;

    snprintf(path, sizeof(path), "%s", key);
    while ((slash = strrchr(path, '/')) != NULL) {
        char *name;
        int dir;
        int rc;

        *slash = '\0';
        dir = walk_folder(root, path, false);
        if (dir < 0) {
            return;
        }
        name = strrchr(path, '/');
        rc = unlinkat(dir, name == NULL ? path : name + 1, AT_REMOVEDIR);
        close(dir);
        if (rc < 0) {
            return;
        }
    }
}

static int dir_delete(struct gm_store *store, const char *key, struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    const char *slash = strrchr(key, '/');
    const char *name = slash == NULL ? key : slash + 1;
    struct stat st;
    int dir = walk_folder(d->root, key, false);
    int rc = 0;

    if (dir < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : gm_dir_error(err, errno, "deleting", key);
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        rc = errno == ENOENT ? 0 : gm_dir_error(err, errno, "deleting", key);
    } else if (S_ISDIR(st.st_mode)) {
        goto out; /* no object of that name */
    } else if (!S_ISREG(st.st_mode)) {
        rc = gm_err_set(err, GM_E_STORE_DENIED, 0, "%.150s was not a regular file", key);
    } else if (unlinkat(dir, name, 0) < 0 && errno != ENOENT) {
        rc = gm_dir_error(err, errno, "deleting", key);
    }
    if (rc == 0) {
        remove_empty_folders(d->root, key);
    }
out:
    close(dir);
    return rc;
}

static void dir_close(struct gm_store *store)
{
    struct gm_dir_store *d = (struct gm_dir_store *)store;

    close(d->root);
    free(d);
}

/* What crashed writers left; who still writes touches the file's time. */
static void remove_stale_temps(int root)
{
    int fd = gm_dir_open_beneath(root, ".", OPEN_FOLDER);
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
    fd = open(path, OPEN_FOLDER);
    if (fd < 0) {
        return gm_dir_error(err, errno, "opening the store", path);
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
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

static const struct gm_store_ops DIR_OPS = {.close = dir_close,
                                            .put = dir_put,
                                            .get = dir_get,
                                            .head = dir_head,
                                            .list = gm_dir_list,
                                            .delete = dir_delete};
