#include "common/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

#include "common/id.h"

int gm_fs_read_fd(int fd, size_t max, uint8_t **out, size_t *out_size, struct gm_err *err)
{
    struct stat st;
    size_t cap = 4096;
    size_t size = 0;
    uint8_t *data = NULL;
    int rc;

    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        cap = (uint64_t)st.st_size < max ? (size_t)st.st_size + 1 : max;
    }
    cap = cap > max ? max : cap;
    if (max >= SIZE_MAX / 2) {
        return gm_err_set(err, GM_E_INVAL, 0, "a read limit is out of range");
    }
    data = malloc(cap + 2); /* one to notice more than max, one for the NUL */
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    for (;;) {
        ssize_t n = read(fd, data + size, cap + 1 - size);

        if (n == 0) {
            break;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = gm_err_sys(err, errno, "reading failed");
            goto fail;
        }
        size += (size_t)n;
        if (size > max) {
            rc = gm_err_set(err, GM_E_LIMIT, 0, "a file was over its limit of %zu bytes", max);
            goto fail;
        }
        if (size > cap) {
            size_t more = cap > max / 2 ? max : (cap + 1) * 2;
            uint8_t *p;

            more = more > max ? max : more;
            p = realloc(data, more + 2);
            if (p == NULL) {
                rc = gm_err_nomem(err);
                goto fail;
            }
            data = p;
            cap = more;
        }
    }
    data[size] = '\0';
    *out = data;
    *out_size = size;
    return 0;
fail:
    free(data);
    return rc;
}

int gm_fs_read(const char *path, size_t max, uint8_t **out, size_t *out_size, struct gm_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc;

    if (fd < 0) {
        return gm_err_sys(err, errno, "opening %s failed", path);
    }
    rc = gm_fs_read_fd(fd, max, out, out_size, err);
    close(fd);
    return rc < 0 ? gm_err_wrap(err, rc, "%.120s: ", path) : 0;
}

int gm_fs_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read,
                  struct gm_err *err)
{
    uint8_t *p = out;
    size_t done = 0;

    if (offset > (uint64_t)INT64_MAX - size) {
        return gm_err_set(err, GM_E_INVAL, 0, "a read began or ended beyond any file");
    }
    while (done < size) {
        ssize_t n = pread(fd, p + done, size - done, (off_t)(offset + done));

        if (n == 0) {
            break;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "reading failed");
        }
        done += (size_t)n;
    }
    *out_read = done;
    return 0;
}

int gm_fs_lock(const char *folder, const char *user, int *out_fd, struct gm_err *err)
{
    char path[PATH_MAX];
    int fd;
    int rc = gm_fs_path(path, sizeof(path), err, "%s/lock", folder);

    if (rc < 0) {
        return rc;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not open %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;

        close(fd);
        return saved == EWOULDBLOCK
                   ? gm_err_set(err, GM_E_CONFLICT, saved,
                                "another %s is using the state folder %s", user, folder)
                   : gm_err_sys(err, saved, "could not lock %s", path);
    }
    *out_fd = fd;
    return 0;
}

int gm_fs_write_all(int fd, const void *data, size_t size, struct gm_err *err)
{
    const uint8_t *p = data;

    while (size > 0) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "writing failed");
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* The folder of path, opened; its name goes to folder for messages. */
static int open_parent(const char *path, char folder[PATH_MAX], const char **out_name, int *out_fd,
                       struct gm_err *err)
{
    const char *slash = strrchr(path, '/');
    int rc;
    int fd;

    if (slash == NULL) {
        rc = gm_fs_path(folder, PATH_MAX, err, ".");
    } else if (slash == path) {
        rc = gm_fs_path(folder, PATH_MAX, err, "/");
    } else if (slash - path >= PATH_MAX) {
        rc = gm_err_set(err, GM_E_LIMIT, 0, "a path was over %d bytes", PATH_MAX - 1);
    } else {
        rc = gm_fs_path(folder, PATH_MAX, err, "%.*s", (int)(slash - path), path);
    }
    if (rc < 0) {
        return rc;
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "opening the folder %s failed", folder);
    }
    *out_name = slash == NULL ? path : slash + 1;
    *out_fd = fd;
    return 0;
}

struct owner {
    uid_t uid;
    gid_t gid;
};

/* owner NULL: this process's. */
static int write_atomic(const char *path, const void *data, size_t size, mode_t mode,
                        const struct owner *owner, struct gm_err *err)
{
    char folder[PATH_MAX];
    char temp[NAME_MAX + 1];
    char id[GM_ID_SIZE];
    const char *name = NULL;
    bool made = false;
    int dir = -1;
    int fd = -1;
    int rc = open_parent(path, folder, &name, &dir, err);

    if (rc < 0) {
        return rc;
    }
    rc = gm_id_make(id, err);
    if (rc < 0) {
        goto out;
    }
    rc = gm_fs_path(temp, sizeof(temp), err, ".gm-tmp-%s", id);
    if (rc < 0) {
        goto out;
    }
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        rc = gm_err_sys(err, errno, "creating a file in %s failed", folder);
        goto out;
    }
    made = true;
    if (owner != NULL && fchown(fd, owner->uid, owner->gid) < 0) {
        rc = gm_err_sys(err, errno, "%.150s could not be given to its owner", path);
        goto out;
    }
    rc = gm_fs_write_all(fd, data, size, err);
    if (rc < 0) {
        rc = gm_err_wrap(err, rc, "%.120s: ", path);
        goto out;
    }
    if (fsync(fd) < 0) {
        rc = gm_err_sys(err, errno, "fsync of %s failed", path);
        goto out;
    }
    if (renameat(dir, temp, dir, name) < 0) {
        rc = gm_err_sys(err, errno, "renaming to %s failed", path);
        goto out;
    }
    made = false;
    if (fsync(dir) < 0) {
        rc = gm_err_sys(err, errno, "fsync of the folder %s failed", folder);
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    if (made) {
        unlinkat(dir, temp, 0);
    }
    close(dir);
    return rc;
}

int gm_fs_write_atomic(const char *path, const void *data, size_t size, struct gm_err *err)
{
    return write_atomic(path, data, size, 0644, NULL, err);
}

int gm_fs_write_private(const char *path, const void *data, size_t size, struct gm_err *err)
{
    return write_atomic(path, data, size, 0600, NULL, err);
}

int gm_fs_write_owned(const char *path, const void *data, size_t size, uid_t uid, gid_t gid,
                      struct gm_err *err)
{
    const struct owner owner = {.uid = uid, .gid = gid};
    return write_atomic(path, data, size, 0600, &owner, err);
}

/* Makes the entry of the new folder `path` durable; path's bytes are back at the end. */
static int sync_parent(char *path, struct gm_err *err)
{
    char *slash = strrchr(path, '/');
    int fd;
    int rc = 0;

    if (slash == NULL) {
        fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else if (slash == path) {
        fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
        *slash = '\0';
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *slash = '/';
    }
    if (fd < 0) {
        return gm_err_sys(err, errno, "opening the folder above %s failed", path);
    }
    if (fsync(fd) < 0 && errno != EINVAL) { /* not every file system syncs folders */
        rc = gm_err_sys(err, errno, "fsync of the folder above %s failed", path);
    }
    close(fd);
    return rc;
}

int gm_fs_sync_above(const char *path, struct gm_err *err)
{
    char part[PATH_MAX];
    char above[PATH_MAX];
    struct stat st;
    char *slash;
    int rc = gm_fs_path(part, sizeof(part), err, "%s", path);

    if (rc == 0 && stat(part, &st) < 0) {
        rc = gm_err_sys(err, errno, "looking at %s failed", part);
    }
    while (rc == 0 && (slash = strrchr(part, '/')) != NULL && part[1] != '\0') {
        dev_t device = st.st_dev;

        rc = gm_fs_path(above, sizeof(above), err, "%.*s", slash == part ? 1 : (int)(slash - part),
                        part);
        if (rc < 0 || stat(above, &st) < 0 || st.st_dev != device) {
            break; /* made by whoever mounted it */
        }
        if (faccessat(AT_FDCWD, above, R_OK | W_OK, AT_EACCESS) == 0) {
            rc = sync_parent(part, err);
        }
        slash[slash == part ? 1 : 0] = '\0';
    }
    return rc;
}

int gm_fs_mkdirs(const char *path, struct gm_err *err)
{
    char part[PATH_MAX];
    struct stat st;
    size_t length;
    int rc = gm_fs_path(part, sizeof(part), err, "%s", path);

    if (rc < 0) {
        return rc;
    }
    length = strlen(part);
    if (length == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a folder's path was empty");
    }
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, 0755) == 0) {
            rc = sync_parent(part, err);
            if (rc < 0) {
                return rc;
            }
        } else if (errno != EEXIST) {
            int saved = errno;

            /* a folder above that is only there to be passed through (read-only, not ours) */
            if (stat(part, &st) < 0 || !S_ISDIR(st.st_mode)) {
                return gm_err_sys(err, saved, "making the folder %s failed", part);
            }
        }
        if (i < length) {
            part[i] = '/';
        }
    }
    if (stat(part, &st) < 0) {
        return gm_err_sys(err, errno, "looking at %s failed", part);
    }
    return S_ISDIR(st.st_mode) ? 0 : gm_err_sys(err, ENOTDIR, "making the folder %s failed", part);
}

int gm_fs_path(char *out, size_t size, struct gm_err *err, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(out, size, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= size) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a path was over %zu bytes", size - 1);
    }
    return 0;
}

int gm_fs_program_dir(char **out, struct gm_err *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    char *slash;
    char *copy;

    if (n < 0) {
        return gm_err_sys(err, errno, "reading /proc/self/exe failed");
    }
    if ((size_t)n >= sizeof(path)) {
        return gm_err_set(err, GM_E_LIMIT, 0, "the program's path was over %d bytes", PATH_MAX - 1);
    }
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL) {
        return gm_err_set(err, GM_E_SYS, 0, "/proc/self/exe held no path");
    }
    slash[slash == path ? 1 : 0] = '\0';
    copy = strdup(path);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    *out = copy;
    return 0;
}

uint64_t gm_fs_changed_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}
