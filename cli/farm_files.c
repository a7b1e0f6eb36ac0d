/* What an embedded farm needs on disk before its programs start: folders, grant key, configuration.
 *
 * Layout of the state folder: lock, grant.key, scheduler.yaml, node-<i>.yaml, scheduler/ (its
 * state), node-<i>/ (theirs), work/ (work store), *.log, *.pid; temporary, where it goes at the
 * end.
 */
#include "cli/farm_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/farm_sweep.h"
#include "cli/url.h"
#include "common/fs.h"
#include "common/utf8.h"
#include "storage/store.h"

#define HEARTBEAT_MS 500

void gm_farm_yaml_quote(struct gm_buf *buf, const char *text)
{
    gm_buf_u8(buf, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) { /* single quotes would fold a line's end into a blank */
            gm_buf_printf(buf, "\\x%02X", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            gm_buf_u8(buf, '\\');
        }
        gm_buf_u8(buf, c);
    }
    gm_buf_u8(buf, '"');
}

static int find_in_path(const char *name, char **out, struct gm_err *err)
{
    const char *path = getenv("PATH");
    char candidate[4096];
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        if (length > 0 &&
            snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, path, name) <
                (int)sizeof(candidate) &&
            access(candidate, X_OK) == 0) {
            *out = strdup(candidate);
            return *out == NULL ? gm_err_nomem(err) : 0;
        }
        path += length + (path[length] == ':' ? 1 : 0);
    }
    return gm_err_set(err, GM_E_NOT_INSTALLED, 0,
                      "%s is neither beside this program nor in PATH: is gopmill wholly installed?",
                      name);
}

int gm_farm_find_program(const char *name, char **out, struct gm_err *err)
{
    char *folder = NULL;
    char path[4096];
    int rc = gm_fs_program_dir(&folder, err);
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/%s", folder, name);
    }
    free(folder);
    if (rc < 0) {
        return rc;
    }
    if (access(path, X_OK) != 0) {
        return find_in_path(name, out, err);
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    *out = copy;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* GOPMILL_PIPELINES, else the first of the usual places. */
static int find_pipelines(char *out, size_t size, struct gm_err *err)
{
    const char *env = getenv("GOPMILL_PIPELINES");
    char *folder = NULL;
    if (env != NULL && env[0] != '\0') {
        return is_folder(env) ? gm_fs_path(out, size, err, "%s", env)
                              : gm_err_set(err, GM_E_INVAL, 0,
                                           "GOPMILL_PIPELINES names %s, which is no folder", env);
    }
    int rc = gm_fs_program_dir(&folder, err);
    bool found = false;
    if (rc == 0) {
        rc = gm_fs_path(out, size, err, "%s/../share/gopmill/pipelines", folder);
        found = rc == 0 && is_folder(out);
    }
    if (rc == 0 && !found) {
        rc = gm_fs_path(out, size, err, "%s/../../config/pipelines", folder);
        found = rc == 0 && is_folder(out);
    }
    free(folder);
    if (rc < 0 || found) {
        return rc;
    }
    rc = gm_fs_path(out, size, err, "/usr/share/gopmill/pipelines");
    if (rc == 0 && !is_folder(out)) {
        rc = gm_err_set(
            err, GM_E_NOT_INSTALLED, 0,
            "the shipped pipelines are not found; set GOPMILL_PIPELINES to their folder");
    }
    return rc;
}

/* The configuration files of the farm's programs name the folder. */
static int check_text(const char *folder, const char *who, struct gm_err *err)
{
    for (const char *c = folder; *c != '\0'; c += gm_utf8_length(c)) {
        if (gm_utf8_length(c) == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "the path of %s is not UTF-8 text: %s", who,
                              folder);
        }
    }
    return 0;
}

static int make_state(const struct gm_farm_params *params, struct gm_farm_files *f,
                      struct gm_err *err)
{
    char path[4096];
    if (params->state != NULL) {
        int rc = gm_fs_mkdirs(params->state, err);
        if (rc == -GM_E_SYS && err != NULL && err->native != ENOSPC) {
            return gm_err_set(err, GM_E_INVAL, err->native, "--state %s can't be made: %s",
                              params->state, strerror((int)err->native));
        }
        if (rc == 0 && access(params->state, W_OK | X_OK) != 0) {
            return gm_err_set(err, GM_E_INVAL, errno, "--state %s can't be written to: %s",
                              params->state, strerror(errno));
        }
        if (rc < 0) {
            return rc;
        }
        f->state_kept = true;
        f->state = realpath(params->state, NULL);
        return f->state == NULL ? gm_err_sys(err, errno, "could not find %s", params->state)
                                : check_text(f->state, "--state", err);
    }
    const char *tmp = getenv("TMPDIR");
    tmp = tmp == NULL || tmp[0] != '/' ? "/tmp" : tmp;
    gm_farm_sweep(tmp);
    int rc = gm_fs_path(path, sizeof(path), err, "%s/" GM_FARM_STATE_PREFIX "XXXXXX", tmp);
    if (rc == 0) {
        rc = check_text(tmp, "TMPDIR", err);
    }
    if (rc < 0) {
        return rc;
    }
    if (mkdtemp(path) == NULL) {
        return gm_err_sys(err, errno, "could not make a folder like %s (TMPDIR says where)", path);
    }
    f->state = strdup(path);
    if (f->state == NULL) {
        rmdir(path);
        return gm_err_nomem(err);
    }
    return 0;
}

static int make_runtime(struct gm_farm_files *f, struct gm_err *err)
{
    char path[sizeof(f->runtime)] = "/tmp/" GM_FARM_RUNTIME_PREFIX "XXXXXX";
    int lock = -1;
    if (mkdtemp(path) == NULL) { /* mode 0700 */
        return gm_err_sys(err, errno, "could not make a folder for sockets in /tmp");
    }
    memcpy(f->runtime, path, sizeof(path));
    snprintf(f->url, sizeof(f->url), "unix:%s/" GM_FARM_HTTP_SOCKET, f->runtime);
    int rc = gm_fs_lock(f->runtime, "farm", &lock, err);
    f->runtime_lock_fd = lock;
    return rc;
}

static void add_option(struct gm_buf *buf, const char *name, const char *value)
{
    gm_buf_printf(buf, "%s: ", name);
    gm_farm_yaml_quote(buf, value);
    gm_buf_u8(buf, '\n');
}

static void add_list(struct gm_buf *buf, const char *name, const char *value)
{
    gm_buf_printf(buf, "%s: [", name);
    gm_farm_yaml_quote(buf, value);
    gm_buf_str(buf, "]\n");
}

/* Locks the state folder. A temporary one says so before; one that is kept says so no more, though
 * a farm that was killed may have made it. */
static int lock_state(struct gm_farm_files *f, struct gm_err *err)
{
    char path[4096];
    int lock = -1;
    int rc = 0;
    if (!f->state_kept) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/" GM_FARM_TEMPORARY, f->state);
        if (rc == 0) {
            rc = gm_fs_write_atomic(path, "", 0, err);
        }
    }
    if (rc == 0) {
        rc = gm_fs_lock(f->state, "farm", &lock, err);
        f->lock_fd = lock;
    }
    return rc == 0 && f->state_kept ? gm_farm_keep(f->state, err) : rc;
}

/* Writes buf to state/<name>.yaml and frees it. */
static int write_config(const struct gm_farm_files *f, const char *name, struct gm_buf *buf,
                        struct gm_err *err)
{
    char path[4096];
    int rc = gm_buf_check(buf, err);
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/%s.yaml", f->state, name);
    }
    if (rc == 0) {
        rc = gm_fs_write_atomic(path, buf->data, buf->size, err);
    }
    gm_buf_fini(buf);
    return rc;
}

static int write_scheduler(const struct gm_farm_files *f, const char *key_path, struct gm_err *err)
{
    struct gm_buf buf = {0};
    char path[4096], pipelines[4096];
    char *work = NULL;
    int rc = find_pipelines(pipelines, sizeof(pipelines), err);
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/work", f->state);
    }
    if (rc == 0) {
        rc = gm_url_from_path(path, &work, err);
    }
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "%s/scheduler", f->state);
    }
    if (rc == 0) {
        rc = gm_fs_mkdirs(path, err);
    }
    if (rc != 0) {
        free(work);
        return rc;
    }
    add_option(&buf, "state", path);
    gm_buf_printf(&buf, "listen: ['ipc://%s/" GM_FARM_NODES_SOCKET "']\n", f->runtime);
    add_option(&buf, "http", f->url);
    add_list(&buf, "pipelines", pipelines);
    add_option(&buf, "work_store", work);
    add_option(&buf, "grant_key_file", key_path);
    gm_buf_str(&buf, "allow_sources: ['/']\nallow_destinations: ['/']\n");
    gm_buf_str(&buf, "keep_failed_ms: 0\n"); /* the farm ends with its job */
    gm_buf_printf(&buf, "lease_ms: %d\nheartbeat_ms: %d\n", GM_FARM_LEASE_MS, HEARTBEAT_MS);
    free(work);
    return write_config(f, "scheduler", &buf, err);
}

/* Nodes of one machine share its CPUs and memory; a single one finds out itself. */
static void add_share(struct gm_buf *buf, int nodes)
{
    cpu_set_t set;
    if (nodes == 1) {
        return;
    }
    int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    gm_buf_printf(buf, "slots: %d\n", cpus / nodes > 1 ? cpus / nodes : 1);
    if (pages > 0 && page > 0) {
        gm_buf_printf(buf, "memory_bytes: %lld\n", (long long)pages / nodes * page);
    }
}

/* What the driver needs besides: the node's file is ours to write, so it is told in a variable. */
static int add_paths(struct gm_buf *buf, struct gm_err *err)
{
    const char *at = getenv("GOPMILL_DEVICE_PATHS");
    char path[4096];
    size_t count = 0;
    while (at != NULL && *at != '\0') {
        size_t size = strcspn(at, ":");
        if (size >= sizeof(path)) {
            return gm_err_set(err, GM_E_INVAL, 0, "a path in GOPMILL_DEVICE_PATHS is too long");
        }
        if (size > 0) {
            memcpy(path, at, size);
            path[size] = '\0';
            gm_buf_str(buf, count++ == 0 ? "device_paths: [" : ", ");
            gm_farm_yaml_quote(buf, path);
        }
        at += size + (at[size] == ':' ? 1 : 0);
    }
    gm_buf_str(buf, count > 0 ? "]\n" : "");
    return 0;
}

static int write_node(const struct gm_farm_files *f, const struct gm_farm_params *params, int index,
                      const char *key_path, struct gm_err *err)
{
    struct gm_buf buf = {0};
    char path[4096], name[24];
    const char *cpu_flags = getenv("GOPMILL_CPU_FLAGS");
    snprintf(name, sizeof(name), "node-%d", index);
    int rc = gm_fs_path(path, sizeof(path), err, "%s/%s", f->state, name);
    if (rc == 0) {
        rc = gm_fs_mkdirs(path, err);
    }
    if (rc != 0) {
        return rc;
    }
    add_option(&buf, "node_id", name);
    gm_buf_printf(&buf, "scheduler: ['ipc://%s/" GM_FARM_NODES_SOCKET "']\n", f->runtime);
    add_option(&buf, "state", path);
    add_option(&buf, "grant_key_file", key_path);
    if (cpu_flags != NULL && cpu_flags[0] != '\0') {
        add_option(&buf, "cpu_flags", cpu_flags);
    }
    add_option(&buf, "devices", params->devices && index == 1 ? "wait" : "off");
    rc = params->devices && index == 1 ? add_paths(&buf, err) : 0;
    if (rc < 0) {
        gm_buf_fini(&buf);
        return rc;
    }
    add_share(&buf, params->nodes);
    return write_config(f, name, &buf, err);
}

int gm_farm_files_make(const struct gm_farm_params *params, struct gm_farm_files *out,
                       struct gm_err *err)
{
    struct gm_farm_files f = {.lock_fd = -1, .runtime_lock_fd = -1};
    char key_path[4096];
    bool key_made;
    int rc = make_state(params, &f, err);
    if (rc == 0) {
        rc = lock_state(&f, err);
    }
    if (rc == 0) {
        gm_farm_sweep("/tmp");
        rc = make_runtime(&f, err);
    }
    if (rc == 0) {
        rc = gm_fs_path(key_path, sizeof(key_path), err, "%s/grant.key", f.state);
    }
    if (rc == 0) {
        /* A kept state folder has its key: what was granted before stays good. */
        rc = gm_grant_key_make(key_path, &key_made, err);
    }
    if (rc == 0) {
        rc = write_scheduler(&f, key_path, err);
    }
    for (int i = 1; rc == 0 && i <= params->nodes; i++) {
        rc = write_node(&f, params, i, key_path, err);
    }
    if (rc < 0) {
        gm_farm_files_remove(&f);
        return rc;
    }
    *out = f;
    return 0;
}

void gm_farm_files_remove(struct gm_farm_files *files)
{
    if (files->runtime[0] != '\0') {
        GM_IGNORE(gm_farm_remove_folder(files->runtime, NULL), "a later farm's sweep tries again");
    }
    if (files->state != NULL && !files->state_kept) {
        GM_IGNORE(gm_farm_remove_folder(files->state, NULL), "a later farm's sweep tries again");
    }
    if (files->lock_fd >= 0) {
        close(files->lock_fd);
    }
    if (files->runtime_lock_fd >= 0) {
        close(files->runtime_lock_fd);
    }
    free(files->state);
    memset(files, 0, sizeof(*files));
    files->lock_fd = -1;
    files->runtime_lock_fd = -1;
}
