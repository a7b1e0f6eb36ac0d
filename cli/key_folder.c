#include "cli/key_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

#define SERVER "server"
#define NEXT "server.next"

struct folder {
    const char *path;
    int lock; /* -1: not held */
    struct gm_allow allow;
};

static int path_of(const char *folder, const char *name, const char *end, char out[4096],
                   struct gm_err *err)
{
    return gm_fs_path(out, 4096, err, "%s/%s%s", folder, name, end);
}

static bool is_there(const char *folder, const char *name)
{
    char path[4096];
    return path_of(folder, name, ".key", path, NULL) == 0 && access(path, F_OK) == 0;
}

/* Its mode is right from the beginning: what is in it never was for others. */
static int make_folder(const char *path, struct gm_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        return S_ISDIR(st.st_mode) && (st.st_mode & 077) == 0
                   ? 0
                   : gm_err_set(err, GM_E_CONFIG, 0,
                                "%.150s is no folder of its owner alone: chmod 0700", path);
    }
    return mkdir(path, 0700) == 0
               ? 0
               : gm_err_sys(err, errno, "the folder of keys %.150s can't be made", path);
}

static void folder_close(struct folder *f)
{
    gm_allow_fini(&f->allow);
    if (f->lock >= 0) {
        close(f->lock);
        f->lock = -1;
    }
}

/* Locked, with its list; folder_close in any case. */
static int folder_open(struct folder *f, const char *path, struct gm_err *err)
{
    char allow[4096];
    *f = (struct folder){.path = path, .lock = -1};
    int rc = path_of(path, "allow", "", allow, err);
    if (rc == 0 && !is_there(path, SERVER)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "%.150s has no keys: `gopmill keys make` makes some",
                        path);
    }
    if (rc == 0) {
        rc = gm_fs_lock(path, "`gopmill keys`", &f->lock, err);
    }
    if (rc == 0) {
        rc = gm_allow_load(allow, &f->allow, err);
    }
    return rc;
}

static int save_list(const struct folder *f, struct gm_err *err)
{
    char path[4096];
    int rc = path_of(f->path, "allow", "", path, err);
    return rc < 0 ? rc : gm_allow_save(path, &f->allow, err);
}

static int load_key(const char *folder, const char *name, struct gm_curve_file *out,
                    struct gm_err *err)
{
    char path[4096];
    int rc = path_of(folder, name, ".key", path, err);
    return rc < 0 ? rc : gm_curve_load(path, out, err);
}

static int save_key(const char *folder, const char *name, const struct gm_curve_file *key,
                    struct gm_err *err)
{
    char path[4096];
    int rc = path_of(folder, name, ".key", path, err);
    return rc < 0 ? rc : gm_curve_save(path, key, err);
}

/* A pair for the scheduler under that file's name. */
static int make_server(const char *folder, const char *file, struct gm_err *err)
{
    struct gm_curve_file key = {.name = SERVER, .role = GM_CURVE_SERVER};
    int rc = gm_curve_make(&key, err);
    if (rc == 0) {
        rc = save_key(folder, file, &key, err);
    }
    gm_curve_wipe(&key);
    return rc;
}

/* Folder, list and the scheduler's pair, the last of which says that all are there. */
static int make_first(const char *folder, struct gm_err *err)
{
    struct folder f = {.path = folder, .lock = -1};
    if (is_there(folder, SERVER)) {
        return 0;
    }
    int rc = make_folder(folder, err);
    if (rc == 0) {
        rc = gm_fs_lock(folder, "`gopmill keys`", &f.lock, err);
    }
    if (rc == 0 && !is_there(folder, SERVER)) {
        rc = save_list(&f, err);
        if (rc == 0) {
            rc = make_server(folder, SERVER, err);
        }
    }
    folder_close(&f);
    return rc;
}

/* The scheduler's public keys, into what a node or person is given. */
static int name_servers(const char *folder, struct gm_curve_file *key, struct gm_err *err)
{
    static const char *const files[] = {SERVER, NEXT};
    key->server_count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct gm_curve_file server = {0};
        if (i > 0 && !is_there(folder, files[i])) {
            continue;
        }
        int rc = load_key(folder, files[i], &server, err);
        if (rc < 0) {
            return rc;
        }
        memcpy(key->servers[key->server_count++], server.public_key, GM_CURVE_TEXT);
        gm_curve_wipe(&server);
    }
    return 0;
}

/* Writes NAME.key and puts its public key onto the list. The file is there first: a key that is on
 * the list is somebody's. */
static int add_key(struct folder *f, struct gm_key_change *change, struct gm_err *err)
{
    struct gm_curve_file key = {.role = change->role};
    struct gm_allowed row = {.role = change->role, .until_unix_ms = INT64_MAX};
    memcpy(key.name, change->name, strlen(change->name) + 1);
    memcpy(row.name, key.name, sizeof row.name);
    int rc = name_servers(f->path, &key, err);
    if (rc == 0) {
        rc = gm_curve_make(&key, err);
    }
    if (rc == 0) {
        memcpy(row.key, key.public_key, sizeof row.key);
        rc = gm_allow_add(&f->allow, &row, err);
    }
    if (rc == 0) {
        rc = path_of(f->path, change->name, ".key", change->path, err);
    }
    if (rc == 0) {
        rc = gm_curve_save(change->path, &key, err);
    }
    if (rc == 0) {
        rc = save_list(f, err);
    }
    gm_curve_wipe(&key);
    return rc;
}

static const struct gm_allowed *find_name(const struct gm_allow *allow, const char *name)
{
    for (size_t i = 0; i < allow->count; i++) {
        if (strcmp(allow->rows[i].name, name) == 0) {
            return &allow->rows[i];
        }
    }
    return NULL;
}

static int check_name(const char *name, struct gm_err *err)
{
    return gm_curve_is_name(name)
               ? 0
               : gm_err_set(err, GM_E_INVAL, 0, "`%.64s` is not [a-z0-9-]{1,64}", name);
}

int gm_key_folder_make(const char *folder, const char *role, struct gm_key_change *change,
                       struct gm_err *err)
{
    struct folder f = {.lock = -1};
    int which = role == NULL ? -1 : gm_curve_role_find(role);
    int rc = check_name(change->name, err);
    if (rc == 0 && strcmp(change->name, SERVER) == 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0,
                        "`server` is the scheduler's own name: its key is made with the first one");
    }
    if (rc == 0 && (which < 0 || which == GM_CURVE_SERVER)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--role is node, client or admin");
    }
    if (rc == 0) {
        rc = make_first(folder, err);
    }
    if (rc < 0) {
        return rc;
    }
    change->role = (enum gm_curve_role)which;
    change->step = GM_KEY_STEP_MADE;
    rc = folder_open(&f, folder, err);
    if (rc == 0 && find_name(&f.allow, change->name) != NULL) {
        rc = gm_err_set(err, GM_E_CONFLICT, 0,
                        "%s has a key: `gopmill keys rotate %s` makes another", change->name,
                        change->name);
    }
    if (rc == 0) {
        rc = add_key(&f, change, err);
    }
    folder_close(&f);
    return rc;
}

/* The files that are here name the scheduler's keys as they are now. */
static int rewrite_servers(const char *folder, struct gm_err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return gm_err_sys(err, errno, "could not list %.150s", folder);
    }
    int rc = 0;
    for (const struct dirent *e = readdir(dir); rc == 0 && e != NULL; e = readdir(dir)) {
        char name[256];
        struct gm_curve_file key = {0};
        size_t n = strlen(e->d_name);
        if (n < 5 || n >= sizeof name || strcmp(e->d_name + n - 4, ".key") != 0) {
            continue;
        }
        memcpy(name, e->d_name, n - 4);
        name[n - 4] = '\0';
        if (!gm_curve_is_name(name) || strcmp(name, SERVER) == 0) {
            continue;
        }
        rc = load_key(folder, name, &key, err);
        if (rc == 0) {
            rc = name_servers(folder, &key, err);
        }
        if (rc == 0) {
            rc = save_key(folder, name, &key, err);
        }
        gm_curve_wipe(&key);
    }
    closedir(dir);
    return rc;
}

static int rotate_server(const char *folder, struct gm_key_change *change, struct gm_err *err)
{
    char next[4096];
    char server[4096];
    int rc = path_of(folder, NEXT, ".key", next, err);
    if (rc == 0) {
        rc = path_of(folder, SERVER, ".key", server, err);
    }
    if (rc < 0) {
        return rc;
    }
    change->role = GM_CURVE_SERVER;
    if (!is_there(folder, NEXT)) {
        change->step = GM_KEY_STEP_ANNOUNCED;
        rc = make_server(folder, NEXT, err);
        memcpy(change->path, next, sizeof next);
    } else {
        change->step = GM_KEY_STEP_MADE;
        rc =
            rename(next, server) == 0 ? 0 : gm_err_sys(err, errno, "could not rename %.150s", next);
        memcpy(change->path, server, sizeof server);
    }
    return rc < 0 ? rc : rewrite_servers(folder, err);
}

int gm_key_folder_rotate(const char *folder, int64_t now_unix_ms, int64_t until_unix_ms,
                         struct gm_key_change *change, struct gm_err *err)
{
    struct folder f;
    int rc = folder_open(&f, folder, err);
    if (rc == 0 && strcmp(change->name, SERVER) == 0) {
        rc = rotate_server(folder, change, err);
    } else if (rc == 0) {
        const struct gm_allowed *row = find_name(&f.allow, change->name);
        if (row == NULL) {
            rc = gm_err_set(err, GM_E_INVAL, 0, "%.64s has no key", change->name);
        } else {
            change->role = row->role;
            change->step = GM_KEY_STEP_MADE;
            gm_allow_expire(&f.allow, change->name, now_unix_ms, until_unix_ms);
            rc = add_key(&f, change, err);
        }
    }
    folder_close(&f);
    return rc;
}

int gm_key_folder_revoke(const char *folder, struct gm_key_change *change, struct gm_err *err)
{
    struct folder f;
    char path[4096] = "";
    if (strcmp(change->name, SERVER) == 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "the scheduler can't do without a key: `gopmill keys rotate server`");
    }
    int rc = folder_open(&f, folder, err);
    const struct gm_allowed *row = rc == 0 ? find_name(&f.allow, change->name) : NULL;
    if (rc == 0 && row == NULL) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "%.64s has no key", change->name);
    }
    if (rc == 0) {
        rc = path_of(folder, change->name, ".key", path, err);
    }
    if (row != NULL && rc == 0) {
        change->role = row->role;
        change->step = GM_KEY_STEP_REVOKED;
        (void)gm_allow_remove(&f.allow, change->name);
        rc = save_list(&f, err);
    }
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT) {
        rc = gm_err_sys(err, errno, "could not delete %.150s", path);
    }
    folder_close(&f);
    return rc;
}

int gm_key_folder_list(const char *folder, struct gm_allow *out, struct gm_err *err)
{
    struct folder f;
    int rc = folder_open(&f, folder, err);
    if (rc == 0) {
        *out = f.allow;
        f.allow = (struct gm_allow){0};
    }
    folder_close(&f);
    return rc;
}
