/* What killed farms left behind.
 *
 * A farm holds the lock of each of its temporary folders from their making to their end, so a free
 * lock is that of a farm that is gone. A minute's age leaves alone what was only just made and not
 * locked yet. Where anything is in doubt the folder stays: a user's may have such a name.
 */
#include "cli/farm_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/farm.h"
#include "common/fs.h"

#define LEAST_AGE_S 60
#define LOCK_NAME "lock"
#define ATOMIC_PREFIX ".gm-tmp-" /* gm_fs_write_atomic's */

enum lock { LOCK_NONE, LOCK_TAKEN, LOCK_OURS };

/* Of an entry of a folder; fd: the folder's. */
typedef bool (*entry_fn)(int fd, const char *name);

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_old(time_t made)
{
    return time(NULL) - made >= LEAST_AGE_S;
}

static bool is_empty_file(int fd, const char *name)
{
    struct stat st;
    return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           st.st_size == 0;
}

static bool is_marked(const char *state)
{
    char path[4096];
    return gm_fs_path(path, sizeof(path), NULL, "%s/" GM_FARM_TEMPORARY, state) == 0 &&
           is_empty_file(AT_FDCWD, path);
}

/* Tries the lock of folder, which is not made here. One younger than age_s counts as taken and is
 * not tried: that might keep its farm from it. *out_fd (owned) is set where the lock is ours now.
 */
static enum lock try_lock(const char *folder, time_t age_s, int *out_fd)
{
    char path[4096];
    struct stat st;
    if (gm_fs_path(path, sizeof(path), NULL, "%s/" LOCK_NAME, folder) < 0) {
        return LOCK_TAKEN;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? LOCK_NONE : LOCK_TAKEN;
    }
    /* nlink: another sweep was faster, and what is there now is not what this lock was of */
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || time(NULL) - st.st_mtime < age_s ||
        flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0) {
        close(fd);
        return LOCK_TAKEN;
    }
    *out_fd = fd;
    return LOCK_OURS;
}

/* A scheduler or node of the killed farm is still ending. */
static bool is_in_use(const char *state)
{
    char path[4096];
    for (int i = 0; i <= GM_FARM_MAX_NODES; i++) {
        int fd = -1;
        int rc = i == 0 ? gm_fs_path(path, sizeof(path), NULL, "%s/scheduler", state)
                        : gm_fs_path(path, sizeof(path), NULL, "%s/node-%d", state, i);
        enum lock lock = rc < 0 ? LOCK_TAKEN : try_lock(path, 0, &fd);
        if (lock == LOCK_OURS) {
            close(fd);
        } else if (lock == LOCK_TAKEN) {
            return true;
        }
    }
    return false;
}

/* What a farm that was killed before it had its lock may have made. */
static bool is_bare(int fd, const char *name)
{
    return (strcmp(name, GM_FARM_TEMPORARY) == 0 || has_prefix(name, ATOMIC_PREFIX)) &&
           is_empty_file(fd, name);
}

static bool is_runtime(int fd, const char *name)
{
    struct stat st;
    if (strcmp(name, LOCK_NAME) == 0) {
        return is_empty_file(fd, name);
    }
    return (strcmp(name, GM_FARM_HTTP_SOCKET) == 0 || strcmp(name, GM_FARM_NODES_SOCKET) == 0) &&
           fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

/* Removes a folder in which each entry passes is_known, else nothing; the lock goes last. */
static void remove_known(const char *path, entry_fn is_known)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool known = true, read;
    if (dir == NULL) {
        return;
    }
    errno = 0;
    while (known && (entry = readdir(dir)) != NULL) {
        known = is_dots(entry->d_name) || is_known(dirfd(dir), entry->d_name);
        errno = 0;
    }
    read = known && errno == 0;
    rewinddir(dir);
    while (read && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, LOCK_NAME) != 0 && is_known(dirfd(dir), entry->d_name)) {
            read = unlinkat(dirfd(dir), entry->d_name, 0) == 0 || errno == ENOENT;
        }
    }
    if (read && is_known(dirfd(dir), LOCK_NAME)) {
        read = unlinkat(dirfd(dir), LOCK_NAME, 0) == 0;
    }
    if (read) {
        rmdir(path);
    }
    closedir(dir);
}

/* One pass over the folder, all but lock and marker; *out_met says whether there was any. */
static int remove_rest(DIR *dir, const char *path, bool *out_met, struct gm_err *err)
{
    char inner[4096];
    int first = 0;
    *out_met = false;
    rewinddir(dir);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 || first < 0 ? first
                                           : gm_err_sys(err, errno, "reading %s failed", path);
        }
        const char *name = entry->d_name;
        if (is_dots(name) || strcmp(name, LOCK_NAME) == 0 || strcmp(name, GM_FARM_TEMPORARY) == 0) {
            continue;
        }
        struct gm_err *where = first < 0 ? NULL : err;
        *out_met = true;
        int rc = gm_fs_path(inner, sizeof(inner), where, "%s/%s", path, name);
        if (rc == 0) {
            rc = gm_fs_remove_tree(inner, where);
        }
        first = first < 0 ? first : rc;
    }
}

int gm_farm_remove_folder(const char *path, struct gm_err *err)
{
    DIR *dir = opendir(path);
    bool met = true;
    int rc = 0;
    if (dir == NULL) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "opening %s failed", path);
    }
    while (rc == 0 && met) { /* what is removed may upset the reading of the rest */
        rc = remove_rest(dir, path, &met, err);
    }
    /* A marker without a lock is what the sweep knows; a lock without a marker is a kept one's. */
    if (rc == 0 && ((unlinkat(dirfd(dir), LOCK_NAME, 0) != 0 && errno != ENOENT) ||
                    (unlinkat(dirfd(dir), GM_FARM_TEMPORARY, 0) != 0 && errno != ENOENT) ||
                    (rmdir(path) != 0 && errno != ENOENT))) {
        rc = gm_err_sys(err, errno, "removing %s failed", path);
    }
    closedir(dir);
    return rc;
}

int gm_farm_keep(const char *state, struct gm_err *err)
{
    struct stat st;
    int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || fstatat(fd, GM_FARM_TEMPORARY, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        rc = fd >= 0 && errno == ENOENT ? 0 : gm_err_sys(err, errno, "could not look at %s", state);
    } else if (S_ISREG(st.st_mode) && st.st_size == 0 &&
               ((unlinkat(fd, GM_FARM_TEMPORARY, 0) != 0 && errno != ENOENT) || fsync(fd) != 0)) {
        rc = gm_err_sys(err, errno, "could not make %s a folder that is kept", state);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static void sweep_one(const char *path, bool state)
{
    struct stat st;
    int fd = -1;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        return;
    }
    if (is_old(st.st_mtime)) {
        remove_known(path, is_bare); /* killed before its lock was made */
    }
    if (state && !is_marked(path)) { /* the lock of one that is kept is not even tried */
        return;
    }
    if (try_lock(path, LEAST_AGE_S, &fd) != LOCK_OURS) {
        return;
    }
    if (!state) {
        remove_known(path, is_runtime);
    } else if (is_marked(path) && !is_in_use(path)) { /* still, now that none can change it */
        GM_IGNORE(gm_farm_remove_folder(path, NULL), "the next sweep tries again");
    }
    close(fd);
}

void gm_farm_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        bool state = has_prefix(entry->d_name, GM_FARM_STATE_PREFIX);
        if ((state || has_prefix(entry->d_name, GM_FARM_RUNTIME_PREFIX)) &&
            gm_fs_path(path, sizeof(path), NULL, "%s/%s", folder, entry->d_name) == 0) {
            sweep_one(path, state);
        }
    }
    closedir(dir);
}
