/* rm -rf without recursion and with two open folders at most, whatever the depth: what lies two
 * levels below the top is moved up to the top, pass by pass, until the top is empty. Every step is
 * relative to an open descriptor and follows no link, so that a tree which changes meanwhile can
 * never lead outside itself.
 */
#include "common/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Gives us back the rights to a folder of our own that was closed to us. */
static void unlock_dir(int parent, const char *name)
{
    int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char link[64];

    if (fd >= 0) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        GM_IGNORE(chmod(link, 0700), "the caller's next try reports it");
        close(fd);
    }
}

static DIR *open_dir(int parent, const char *name)
{
    int fd = openat(parent, name, OPEN_DIR);
    DIR *dir;

    if (fd < 0 && errno == EACCES) {
        unlock_dir(parent, name);
        fd = openat(parent, name, OPEN_DIR);
    }
    if (fd < 0) {
        return NULL;
    }
    GM_IGNORE(fchmod(fd, 0700), "where it was needed and failed, the next removal says so");
    dir = fdopendir(fd);
    if (dir == NULL) {
        int saved = errno;

        close(fd);
        errno = saved;
    }
    return dir;
}

/* 0 removed or gone, 1 a folder that is not empty, -1 errno. */
static int remove_one(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return -1;
    }
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return 0;
    }
    return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/* Moves the folder `name` of from into top under a name that is free there. */
static int move_up(int from, const char *name, int top, uint64_t *counter)
{
    bool unlocked = false;
    char temp[64];

    for (;;) {
        snprintf(temp, sizeof(temp), ".gm-rm-%llu", (unsigned long long)++*counter);
        if (renameat(from, name, top, temp) == 0 || errno == ENOENT) {
            return 0;
        }
        if (errno == EACCES && !unlocked) {
            unlock_dir(from, name);
            unlocked = true;
        } else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
            return -1;
        }
    }
}

/* Empties the folder `name` of top; its own folders move up to top. */
static int flatten(int top, const char *name, uint64_t *counter)
{
    DIR *dir = open_dir(top, name);
    struct dirent *entry;
    int saved = 0;

    if (dir == NULL) {
        return errno == ENOENT ? 0 : -1;
    }
    for (;;) {
        int rc;

        errno = 0;
        /* cppcheck-suppress readdirCalled ; the stream is ours alone */
        entry = readdir(dir);
        if (entry == NULL) {
            saved = errno;
            break;
        }
        if (is_dots(entry->d_name)) {
            continue;
        }
        rc = remove_one(dirfd(dir), entry->d_name);
        if (rc == 1) {
            rc = move_up(dirfd(dir), entry->d_name, top, counter);
        }
        if (rc < 0) {
            saved = errno;
            break;
        }
    }
    closedir(dir);
    errno = saved;
    return saved == 0 ? 0 : -1;
}

/* One pass over top; *out_left says whether it met anything. */
static int pass(DIR *top, uint64_t *counter, bool *out_left)
{
    struct dirent *entry;

    *out_left = false;
    rewinddir(top);
    for (;;) {
        int rc;

        errno = 0;
        /* cppcheck-suppress readdirCalled ; the stream is ours alone */
        entry = readdir(top);
        if (entry == NULL) {
            return errno == 0 ? 0 : -1;
        }
        if (is_dots(entry->d_name)) {
            continue;
        }
        *out_left = true;
        rc = remove_one(dirfd(top), entry->d_name);
        if (rc == 1) {
            rc = flatten(dirfd(top), entry->d_name, counter);
        }
        if (rc < 0) {
            return -1;
        }
    }
}

int gm_fs_remove_tree(const char *path, struct gm_err *err)
{
    uint64_t counter = 0;
    bool left = true;
    DIR *top;

    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return gm_err_sys(err, errno, "removing %s failed", path);
    }
    top = open_dir(AT_FDCWD, path);
    if (top == NULL) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "opening the folder %s failed", path);
    }
    while (left) {
        if (pass(top, &counter, &left) < 0) {
            int saved = errno;

            closedir(top);
            return gm_err_sys(err, saved, "removing what is in %s failed", path);
        }
    }
    closedir(top);
    if (rmdir(path) < 0 && errno != ENOENT) {
        return gm_err_sys(err, errno, "removing the folder %s failed", path);
    }
    return 0;
}
