/* What killed farms left behind.
 *
 * A farm holds the lock of each of its temporary folders from their making to their end, so a free
 * lock is that of a farm that is gone. A minute's age leaves alone what was only just made and not
 * locked yet.
 */
#include "cli/farm_sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/farm.h"
#include "common/fs.h"

#define LEAST_AGE_S 60

enum lock { LOCK_NONE, LOCK_TAKEN, LOCK_OURS };

/* Tries the lock of folder, which is not made here; *out_fd (owned) is set where it is ours now. */
static enum lock try_lock(const char *folder, time_t *out_made, int *out_fd)
{
    char path[4096];
    struct stat st;
    if (gm_fs_path(path, sizeof(path), NULL, "%s/lock", folder) < 0) {
        return LOCK_TAKEN;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return LOCK_NONE;
    }
    if (fstat(fd, &st) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return LOCK_TAKEN;
    }
    *out_made = st.st_mtime;
    *out_fd = fd;
    return LOCK_OURS;
}

/* A scheduler or node of the killed farm is still ending. */
static bool is_in_use(const char *state)
{
    char path[4096];
    for (int i = 0; i <= GM_FARM_MAX_NODES; i++) {
        time_t made = 0;
        int fd = -1;
        int rc = i == 0 ? gm_fs_path(path, sizeof(path), NULL, "%s/scheduler", state)
                        : gm_fs_path(path, sizeof(path), NULL, "%s/node-%d", state, i);
        enum lock lock = rc < 0 ? LOCK_TAKEN : try_lock(path, &made, &fd);
        if (lock == LOCK_OURS) {
            close(fd);
        } else if (lock == LOCK_TAKEN) {
            return true;
        }
    }
    return false;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_old(time_t made)
{
    return time(NULL) - made >= LEAST_AGE_S;
}

static void sweep_one(const char *path, bool state)
{
    struct stat st;
    time_t made = 0;
    int fd = -1;
    char marker[4096];
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        gm_fs_path(marker, sizeof(marker), NULL, "%s/" GM_FARM_TEMPORARY, path) < 0) {
        return;
    }
    enum lock lock = try_lock(path, &made, &fd);
    if (lock == LOCK_NONE && is_old(st.st_mtime)) {
        unlink(marker);
        rmdir(path); /* killed before its lock was made: nothing else is in it */
    }
    if (lock != LOCK_OURS) {
        return;
    }
    bool ours = !state || access(marker, F_OK) == 0;
    if (ours && is_old(made) && (!state || !is_in_use(path))) {
        GM_IGNORE(gm_fs_remove_tree(path, NULL), "a left-over folder harms none");
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
