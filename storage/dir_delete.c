/* Deleting: objects of one folder that follow each other are unlinked, and their folder is synced
 * once. What a sync has not covered does not count as deleted: a loss of power would bring back
 * what nobody knows any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "common/crash.h"
#include "storage/backend.h"

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
        dir = gm_dir_walk(root, path, false);
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

static size_t folder_length(const char *key)
{
    const char *slash = strrchr(key, '/');

    return slash == NULL ? 0 : (size_t)(slash - key) + 1;
}

static bool is_beside(const char *a, const char *b)
{
    size_t n = folder_length(a);

    return n == folder_length(b) && memcmp(a, b, n) == 0;
}

static int unlink_one(int dir, const char *key, struct gm_err *err)
{
    const char *name = key + folder_length(key);
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : gm_dir_error(err, errno, "deleting", key);
    }
    if (S_ISDIR(st.st_mode)) {
        return 0; /* no object of that name */
    }
    if (!S_ISREG(st.st_mode)) {
        return gm_err_set(err, GM_E_STORE_DENIED, 0, "%.150s was not a regular file", key);
    }
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT
               ? 0
               : gm_dir_error(err, errno, "deleting", key);
}

/* All keys are of one folder. What is absent is synced too: whoever unlinked it may not have. */
static int delete_beside(int root, const char *const *keys, size_t count, size_t *out_done,
                         struct gm_err *err)
{
    int dir = gm_dir_walk(root, keys[0], false);
    size_t done = 0;
    int rc = 0;

    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *out_done = count;
        return 0;
    }
    if (dir < 0) {
        return gm_dir_error(err, errno, "deleting", keys[0]);
    }
    while (done < count && (rc = unlink_one(dir, keys[done], err)) == 0) {
        GM_CRASH("store.deleted");
        done++;
    }
    if (done > 0 && fsync(dir) < 0) {
        rc = gm_dir_error(err, errno, "fsync of the folder of", keys[0]);
        done = 0;
    }
    close(dir);
    if (rc == 0) {
        remove_empty_folders(root, keys[0]);
    }
    *out_done = done;
    return rc;
}

int gm_dir_delete(struct gm_store *store, const char *const *keys, size_t count, size_t *out_done,
                  struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    size_t done = 0;
    int rc = 0;

    while (rc == 0 && done < count) {
        size_t beside = 1;
        size_t gone = 0;

        while (done + beside < count && is_beside(keys[done], keys[done + beside])) {
            beside++;
        }
        rc = delete_beside(d->root, keys + done, beside, &gone, err);
        done += gone;
    }
    *out_done = done;
    return rc;
}
