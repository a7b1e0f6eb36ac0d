/* openat2(2) resolves in one step, so that nothing can be swapped between a check and its use. */
#include "node/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fs.h"

static int open_beneath(int folder, const char *name, uint64_t max_bytes, int *out_fd,
                        struct stat *out_stat, struct gm_err *err)
{
    struct open_how how = {
        /* a fifo must not block the opening */
        .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    if (fd < 0 && errno == ENOENT) {
        return gm_err_set(err, GM_E_NOTFOUND, errno, "the worker named `%s`, which is not there",
                          name);
    }
    if (fd < 0 && (errno == ELOOP || errno == EXDEV || errno == EISDIR || errno == ENXIO)) {
        return gm_err_set(err, GM_E_PROTO, errno, "the worker's `%s` is not a plain file", name);
    }
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not open the worker's `%s`", name);
    }
    int rc = 0;
    if (fstat(fd, out_stat) < 0) {
        rc = gm_err_sys(err, errno, "could not look at the worker's `%s`", name);
    } else if (!S_ISREG(out_stat->st_mode)) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the worker's `%s` is not a plain file", name);
    } else if (out_stat->st_nlink != 1) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the worker's `%s` has %lu names", name,
                        (unsigned long)out_stat->st_nlink);
    } else if ((uint64_t)out_stat->st_size > max_bytes) {
        rc = gm_err_set(err, GM_E_LIMIT, out_stat->st_size, "the worker's `%s` has %lld bytes",
                        name, (long long)out_stat->st_size);
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

int gm_outfile_open(int folder, const char *name, uint64_t max_bytes, void (*moved)(void *arg),
                    void *arg, struct gm_outfile *out, struct gm_err *err)
{
    int fd = -1;
    struct stat st;
    int rc = open_beneath(folder, name, max_bytes, &fd, &st, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_outfile found = {.fd = fd, .size = (uint64_t)st.st_size};
    rc = gm_hash_part(fd, 0, found.size, found.sha256, NULL, NULL, moved, arg, err);
    struct stat after;
    bool shorter = rc == -GM_E_INVAL;
    if (shorter || (rc == 0 && (fstat(fd, &after) < 0 || after.st_size != st.st_size))) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the worker's `%s` changed while it was read", name);
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *out = found;
    return 0;
}

int gm_outfile_read(int folder, const char *name, uint64_t max_bytes, uint8_t **out_data,
                    size_t *out_size, struct gm_err *err)
{
    int fd = -1;
    struct stat st;
    int rc = open_beneath(folder, name, max_bytes, &fd, &st, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_fd(fd, max_bytes, out_data, out_size, err);
    close(fd);
    return rc;
}
