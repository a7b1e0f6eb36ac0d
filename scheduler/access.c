#include "scheduler/access.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/utf8.h"
#include "scheduler/access_remote.h"

static int read_url(const char *url, char **out, struct gm_err *err)
{
    char *path = NULL;
    if (strncmp(url, "file:///", 8) != 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "a place is file:///absolute/path or s3://bucket/key");
    }
    int rc = gm_store_path(url, &path, err);
    if (rc == 0 && strlen(path) >= PATH_MAX) {
        free(path);
        rc = gm_err_set(err, GM_E_INVAL, 0, "the path is longer than %d bytes", PATH_MAX - 1);
    }
    if (rc == 0) {
        *out = path;
    }
    return rc;
}

/* path is one of the folders or lies below one; the folders are resolved first. */
static bool is_below(const char *path, char *const *roots)
{
    for (; roots != NULL && *roots != NULL; roots++) {
        char root[PATH_MAX];
        if (realpath(*roots, root) == NULL) {
            continue;
        }
        size_t n = strlen(root);
        if (strcmp(root, "/") == 0 ||
            (strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0'))) {
            return true;
        }
    }
    return false;
}

static int source_stat(const char *path, struct gm_access_source *out, struct gm_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return gm_err_set(err, GM_E_INPUT_MISSING, errno, "the input does not exist");
    }
    if (!S_ISREG(st.st_mode)) {
        return gm_err_set(err, GM_E_INPUT_NOT_FILE, 0, "the input is %s, not a file",
                          S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket");
    }
    if (st.st_size == 0) {
        return gm_err_set(err, GM_E_INPUT_EMPTY, 0, "the input has no bytes");
    }
    if (access(path, R_OK) != 0) {
        return gm_err_set(err, GM_E_INPUT_DENIED, errno, "the scheduler may not read the input");
    }
    out->size = (uint64_t)st.st_size;
    out->version = gm_fs_changed_ns(&st);
    return 0;
}

int gm_access_source(struct gm_stores *stores, const char *url, char *const *roots,
                     struct gm_access_source *out, struct gm_err *err)
{
    struct gm_access_source s = {0};
    char *path = NULL;
    char real[PATH_MAX];
    if (gm_access_is_remote(url)) {
        return gm_access_remote_source(stores, url, roots, out, err);
    }
    int rc = read_url(url, &path, err);
    if (rc < 0) {
        return rc;
    }
    if (realpath(path, real) == NULL) {
        rc = errno == EACCES
                 ? gm_err_set(err, GM_E_INPUT_DENIED, errno, "the scheduler may not read the input")
                 : gm_err_set(err, GM_E_INPUT_MISSING, errno, "the input does not exist: %s", path);
    } else if (!is_below(real, roots)) {
        rc = gm_err_set(err, GM_E_STORE_DENIED, 0,
                        "the input is outside the folders of allow_sources");
    } else {
        rc = source_stat(real, &s, err);
    }
    if (rc == 0) {
        rc = gm_store_url(real, &s.url, err);
    }
    if (rc == 0) {
        s.name = strdup(strrchr(real, '/') + 1);
        rc = s.name == NULL ? gm_err_nomem(err) : 0;
    }
    if (rc == 0) {
        gm_utf8_clean(s.name);
    }
    free(path);
    if (rc < 0) {
        gm_access_source_fini(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_access_source_fini(struct gm_access_source *source)
{
    free(source->url);
    free(source->name);
    *source = (struct gm_access_source){0};
}

/* Resolves the part of path that exists (path is cut there) and puts what does not behind it. */
static int resolve(char *path, char real[PATH_MAX], struct gm_err *err)
{
    char rest[PATH_MAX] = "";
    while (realpath(path, real) == NULL) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || slash == NULL) {
            return gm_err_set(err, errno == EACCES ? GM_E_STORE_DENIED : GM_E_INVAL, errno,
                              "the destination can't be a folder: %s", strerror(errno));
        }
        struct stat st;
        if (lstat(path, &st) == 0) {
            return gm_err_set(err, GM_E_INVAL, ENOENT, "the destination is a broken link");
        }
        char tail[PATH_MAX];
        int rc = gm_fs_path(tail, sizeof tail, err, "%s%s%s", slash + 1, rest[0] != '\0' ? "/" : "",
                            rest);
        if (rc < 0) {
            return rc;
        }
        if (strcmp(slash + 1, ".") == 0 || strcmp(slash + 1, "..") == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "the destination has a `..` below nothing");
        }
        if (slash[1] != '\0') {
            memcpy(rest, tail, sizeof rest);
        }
        slash[slash == path ? 1 : 0] = '\0';
    }
    struct stat st;
    if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return gm_err_set(err, GM_E_INVAL, ENOTDIR, "the destination is not a folder");
    }
    size_t n = strlen(real);
    if (rest[0] == '\0') {
        return 0;
    }
    return gm_fs_path(real + n, PATH_MAX - n, err, "%s%s", n > 1 ? "/" : "", rest);
}

int gm_access_destination(const struct gm_stores *stores, const char *url, char *const *roots,
                          char **out_url, struct gm_err *err)
{
    char *path = NULL;
    char real[PATH_MAX];
    if (gm_access_is_remote(url)) {
        return gm_access_remote_destination(stores, url, roots, out_url, err);
    }
    int rc = read_url(url, &path, err);
    if (rc == 0) {
        rc = resolve(path, real, err);
    }
    free(path);
    if (rc < 0) {
        return rc;
    }
    if (!is_below(real, roots)) {
        return gm_err_set(err, GM_E_STORE_DENIED, 0,
                          "the destination is outside the folders of allow_destinations");
    }
    return gm_store_url(real, out_url, err);
}

/* The store's mark, made where there is none; "" where there is no room for one. */
static int make_mark(struct gm_store *store, char out[GM_ID_SIZE], struct gm_err *err)
{
    int rc = gm_store_mark(store, true, out, err);
    if (rc == -GM_E_STORE_FULL) {
        out[0] = '\0';
        return 0;
    }
    return rc;
}

int gm_access_work_mark(struct gm_stores *stores, const char *url, char out_mark[GM_ID_SIZE],
                        struct gm_err *err)
{
    struct gm_store *store = NULL;
    if (gm_access_is_remote(url)) {
        out_mark[0] = '\0';
        return gm_err_wrap(err, gm_access_remote_ready(stores, url, err), "work_store: ");
    }
    int rc = gm_store_open(url, false, &store, err);
    if (rc == -GM_E_NOTFOUND) {
        rc = gm_err_set(err, GM_E_STORE, ENOENT, "%.150s is not there: is its file system mounted?",
                        url);
    }
    if (rc == 0) {
        rc = make_mark(store, out_mark, err);
    }
    gm_store_close(&store);
    return gm_err_wrap(err, rc, "work_store: ");
}

int gm_access_make_destination(struct gm_stores *stores, const char *url, char out_mark[GM_ID_SIZE],
                               struct gm_err *err)
{
    struct gm_store *store = NULL;
    char *path = NULL;
    if (gm_access_is_remote(url)) {
        out_mark[0] = '\0';
        return gm_err_wrap(err, gm_access_remote_ready(stores, url, err), "destination: ");
    }
    int rc = gm_store_path(url, &path, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_store_open(url, true, &store, err);
    if (rc == -GM_E_NOTFOUND) { /* such as /proc: everything above it is there */
        rc = gm_err_set(err, GM_E_INVAL, ENOENT, "no folder can be made at the destination, %.120s",
                        path);
    } else if (rc == 0 && access(path, W_OK | X_OK) != 0) {
        rc = gm_err_set(err, GM_E_STORE_DENIED, errno,
                        "the scheduler may not write to the destination: %s", strerror(errno));
    }
    if (rc == 0) {
        rc = gm_err_wrap(err, make_mark(store, out_mark, err), "destination: ");
    }
    gm_store_close(&store);
    free(path);
    return rc;
}

int gm_access_split(const char *url, char **out_root_url, char **out_key, struct gm_err *err)
{
    char *path = NULL;
    char *root = NULL;
    int rc = gm_store_path(url, &path, err);
    if (rc < 0) {
        return rc;
    }
    char *slash = strrchr(path, '/');
    char *key = strdup(slash + 1);
    slash[slash == path ? 1 : 0] = '\0';
    rc = key == NULL ? gm_err_nomem(err) : gm_store_url(path, &root, err);
    free(path);
    if (rc < 0) {
        free(key);
        return rc;
    }
    *out_root_url = root;
    *out_key = key;
    return 0;
}

int gm_access_grant_key(const char *path, struct gm_grant_key *out, bool *out_made,
                        struct gm_err *err)
{
    bool made = false;
    char folder[PATH_MAX];
    int rc = gm_fs_path(folder, sizeof folder, err, "%s", path);
    if (rc == 0) {
        rc = gm_fs_mkdirs(dirname(folder), err);
    }
    if (rc == 0) {
        rc = gm_grant_key_make(path, &made, err);
    }
    if (rc == 0) {
        rc = gm_grant_key_load(path, out, err);
    }
    if (rc == 0) {
        *out_made = made;
    }
    return gm_err_wrap(err, rc, "grant_key_file: ");
}
