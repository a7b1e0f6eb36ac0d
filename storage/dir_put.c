/* Putting an object: a body is written to a temporary file in the root, synced, and renamed into
 * its place, so that a reader sees the whole of it or nothing and a crash leaves at most a
 * temporary file.
 *
 * No folder is waited for and none is taken for durable on trust: dir.c says how it shows whether
 * its name is synced. A lock would be held by a writer who stands still.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/crash.h"
#include "common/hash.h"
#include "common/id.h"
#include "storage/backend.h"

/* A delete may remove an empty folder under a put's feet; it is made again this many times. */
#define MAX_FOLDER_RACES 1000
#define COPY_BYTES ((size_t)256 * 1024)

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

static int check_guard(const struct gm_store_put *put, struct gm_err *err)
{
    return put->guard == NULL ? 0 : put->guard->check(put->guard->arg, err);
}

/* Reads to the end of the file, so that too long a body shows. */
static int copy_fd(struct copy *c, struct gm_err *err)
{
    uint64_t at = 0;

    for (;;) {
        int rc = check_guard(c->put, err);
        ssize_t n;

        if (rc < 0) {
            return rc;
        }
        n = pread(c->put->fd, c->part, COPY_BYTES, (off_t)at);
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
    GM_CRASH("store.written");
    if (fsync(to) < 0) {
        rc = gm_dir_error(err, errno, "fsync of", put->key);
    }
out:
    free(c.part);
    gm_sha256_destroy(&c.hash);
    return rc;
}

/* A body on its way. Where the file system can it has no name until it is whole, so that a writer
 * who is killed leaves nothing; else, and to replace what has the key, a temporary name. */
struct body {
    int fd; /* owned */
    char temp[64];
    bool named; /* temp exists, in the root */
};

static int open_body(int root, const char *key, struct body *body, struct gm_err *err)
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
    return body->fd < 0 ? gm_dir_error(err, errno, "making a file for", key) : 0;
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

static int place(int root, struct body *body, const struct gm_store_put *put, struct gm_err *err)
{
    const char *slash = strrchr(put->key, '/');
    const char *name = slash == NULL ? put->key : slash + 1;
    int rc = 0;
    int dir;

    for (int race = 0;; race++) {
        int saved;

        dir = gm_dir_walk(root, put->key, true);
        if (dir >= 0) {
            rc = check_guard(put, err); /* its syncs may have been long */
            if (rc < 0) {
                close(dir);
                return rc;
            }
            if (move_into(root, body, dir, name, put->if_absent) == 0) {
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
    GM_CRASH("store.placed");
    if (fsync(dir) < 0) {
        rc = gm_dir_error(err, errno, "fsync of the folder of", put->key);
    }
    close(dir);
    return rc;
}

/* Who has to make room must know where. */
static int name_full(const struct gm_dir_store *d, const char *key, struct gm_err *err)
{
    int errnum = err != NULL ? (int)err->native : ENOSPC;
    char reason[64];

    return gm_err_set(err, GM_E_STORE_FULL, errnum, "no room in %.110s for %.60s: %s", d->path, key,
                      strerror_r(errnum, reason, sizeof(reason)));
}

int gm_dir_put(struct gm_store *store, const struct gm_store_put *put, const void *data,
               struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct body body = {.fd = -1};
    int rc = open_body(d->root, put->key, &body, err);

    if (rc < 0) {
        goto out;
    }
    rc = write_body(body.fd, put, data, err);
    GM_CRASH("store.synced");
    if (rc == 0) {
        rc = place(d->root, &body, put, err);
    }
    GM_CRASH("store.put");
    close(body.fd);
    if (rc < 0 && body.named) {
        unlinkat(d->root, body.temp, 0); /* gone already when only the last sync failed */
    }
out:
    return rc == -GM_E_STORE_FULL ? name_full(d, put->key, err) : rc;
}
