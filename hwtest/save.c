#include "hwtest/save.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

/* The path behind links in out (PATH_MAX bytes); *out_special: no regular file is there. */
static int find_target(const char *path, char *out, bool *out_special, struct gm_err *err)
{
    struct stat st;
    if (path[0] == '\0') {
        return gm_err_set(err, GM_E_INVAL, 0, "the name of a file is empty");
    }
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) {
        return gm_err_set(err, GM_E_INVAL, EISDIR, "%.120s is a folder, not a file", path);
    }
    /* The names of open files below /dev lead to whatever they are: that is appended to. */
    *out_special = there && (!S_ISREG(st.st_mode) || strncmp(path, "/dev/", 5) == 0 ||
                             strncmp(path, "/proc/", 6) == 0);
    if (*out_special || !there) {
        return gm_fs_path(out, PATH_MAX, err, "%s", path);
    }
    return realpath(path, out) != NULL ? 0 : gm_err_sys(err, errno, "could not find %s", path);
}

int gm_hwtest_save_check(const char *path, struct gm_err *err)
{
    char target[PATH_MAX];
    bool special = false;
    int rc = find_target(path, target, &special, err);
    if (rc < 0) {
        return rc;
    }
    const char *asked = special ? target : dirname(target);
    return access(asked, special ? W_OK : W_OK | X_OK) == 0
               ? 0
               : gm_err_sys(err, errno, "%.120s can't be written", path);
}

/* The folder of a path that is no link any more: its real name, and the file's in it. */
static bool find_real(const char *path, char out[PATH_MAX], bool *out_special)
{
    char target[PATH_MAX], copy[PATH_MAX], folder[PATH_MAX];
    struct gm_err err;
    if (find_target(path, target, out_special, &err) < 0) {
        return false;
    }
    memcpy(copy, target, sizeof(copy));
    return realpath(dirname(copy), folder) != NULL &&
           gm_fs_path(out, PATH_MAX, &err, "%s/%s", folder, basename(target)) == 0;
}

bool gm_hwtest_save_is_same(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];
    bool special_a = false, special_b = false;
    return find_real(a, real_a, &special_a) && find_real(b, real_b, &special_b) && !special_a &&
           !special_b && strcmp(real_a, real_b) == 0;
}

int gm_hwtest_save(const char *path, const void *data, size_t size, struct gm_err *err)
{
    char target[PATH_MAX];
    bool special = false;
    int rc = find_target(path, target, &special, err);
    if (rc < 0) {
        return rc;
    }
    if (!special) {
        return gm_fs_write_atomic(target, data, size, err);
    }
    int fd = open(target, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "%.120s can't be written", path);
    }
    rc = gm_fs_write_all(fd, data, size, err);
    if (rc < 0) {
        rc = gm_err_wrap(err, rc, "%.120s: ", path);
    }
    close(fd);
    return rc;
}
