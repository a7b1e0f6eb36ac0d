#include "hwtest/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fs.h"

#define LEAST_AGE_S 60   /* what is younger may be locked in a moment */
#define LOCK_NAME "lock" /* gm_fs_lock's */
/* State folders of the soak's scheduler and node, which end a while after who started them. */
static const char *const PROGRAMS[] = {"farm/s", "farm/n"};

const char *gm_hwtest_temp_home(void)
{
    const char *home = getenv("TMPDIR");
    return home == NULL || home[0] == '\0' ? "/tmp" : home;
}

int gm_hwtest_temp_make(const char *prefix, char *out, size_t size, int *out_lock,
                        struct gm_err *err)
{
    const char *home = gm_hwtest_temp_home();
    char path[4096];
    int rc = gm_fs_path(path, sizeof(path), err, "%s/%sXXXXXX", home, prefix);
    if (rc == 0 && strlen(path) >= size) {
        rc = gm_err_set(err, GM_E_LIMIT, (int64_t)size, "the path of TMPDIR is too long: %.120s",
                        home);
    }
    if (rc == 0 && mkdtemp(path) == NULL) {
        rc = gm_err_sys(err, errno, "no folder could be made in %.160s", home);
    }
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_lock(path, "gopmill-hwtest", out_lock, err);
    if (rc < 0) {
        GM_IGNORE(gm_fs_remove_tree(path, NULL), "it is empty: a sweep takes it");
        return rc;
    }
    memcpy(out, path, strlen(path) + 1);
    return 0;
}

/* The lock goes last, so that what is left then is known. */
static void remove_all(const char *folder)
{
    char path[4096];
    bool gone = true;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, LOCK_NAME) == 0) {
            continue;
        }
        gone = gm_fs_path(path, sizeof(path), NULL, "%s/%s", folder, e->d_name) == 0 &&
               gm_fs_remove_tree(path, NULL) == 0 && gone;
    }
    if (gone && (unlinkat(dirfd(dir), LOCK_NAME, 0) == 0 || errno == ENOENT)) {
        (void)rmdir(folder);
    }
    (void)closedir(dir);
}

static void unlock(int *lock)
{
    if (*lock >= 0) {
        close(*lock);
    }
    *lock = -1;
}

void gm_hwtest_temp_remove(const char *folder, int *lock)
{
    remove_all(folder);
    unlock(lock);
}

void gm_hwtest_temp_keep(const char *folder, int *lock)
{
    char path[4096];
    if (gm_fs_path(path, sizeof(path), NULL, "%s/" LOCK_NAME, folder) == 0) {
        (void)unlink(path);
    }
    unlock(lock);
}

/* The lock of that folder, now ours and to be closed; -1: it is taken, too young, or none. */
static int take_lock(const char *folder, time_t age_s)
{
    char path[4096];
    struct stat st;
    if (gm_fs_path(path, sizeof(path), NULL, "%s/" LOCK_NAME, folder) < 0) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    /* nlink: another sweep was faster, and what is there now is not what this lock was of */
    if (fd >= 0 &&
        (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || time(NULL) - st.st_mtime < age_s ||
         flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* A program that the killed run had started is still ending. */
static bool is_in_use(const char *folder)
{
    char path[4096];
    struct stat st;
    for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++) {
        if (gm_fs_path(path, sizeof(path), NULL, "%s/%s/" LOCK_NAME, folder, PROGRAMS[i]) < 0) {
            return true;
        }
        if (lstat(path, &st) != 0) {
            continue;
        }
        path[strlen(path) - strlen("/" LOCK_NAME)] = '\0';
        int fd = take_lock(path, 0);
        if (fd < 0) {
            return true;
        }
        close(fd);
    }
    return false;
}

static void sweep_one(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || st.st_uid != geteuid()) {
        return;
    }
    bool old = time(NULL) - st.st_mtime >= LEAST_AGE_S;
    if (S_ISREG(st.st_mode) && st.st_size == 0 && old) { /* storage.c's, killed before its unlink */
        (void)unlink(path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return;
    }
    if (old) {
        (void)rmdir(path); /* it succeeds where it is empty */
    }
    int lock = take_lock(path, LEAST_AGE_S);
    if (lock >= 0 && !is_in_use(path)) {
        remove_all(path);
    }
    unlock(&lock);
}

static bool is_ours(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && strlen(name) == length + strlen("XXXXXX");
}

void gm_hwtest_temp_sweep(const char *home)
{
    char path[4096];
    DIR *dir = opendir(home);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if ((is_ours(e->d_name, GM_HWTEST_TEMP_PREFIX) ||
             is_ours(e->d_name, GM_HWTEST_TEMP_SOAK)) &&
            gm_fs_path(path, sizeof(path), NULL, "%s/%s", home, e->d_name) == 0) {
            sweep_one(path);
        }
    }
    (void)closedir(dir);
}
