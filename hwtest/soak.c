#include "hwtest/soak.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/spawn.h"
#include "common/utf8.h"
#include "hwtest/daemon.h"
#include "hwtest/temp.h"
#include "node/program.h"

#define READY_MS 20000
#define READY_DEVICES_MS 120000 /* proofs come before */
#define PATIENCE_MS 15000
#define GONE_MS 5000 /* for workers whose node has ended */
#define GONE_LOOK_MS 20
#define WORKERS_MAX 256
#define CLIP_TIMES 6 /* chunks enough for several workers */
#define JOB_LOGS 20  /* of the first jobs that failed */
#define BUSY_MS 40   /* in which a worker that works uses the processor: the kernel counts 10 ms */
#define COMM "gopmill-worker"

struct gm_hwtest_farm {
    int lock;          /* owned; of home */
    char home[80];     /* all of it; its logs lie here, all else in folder */
    char folder[96];   /* sockets lie in it: their paths are short */
    char *programs[3]; /* owned: scheduler, node, CLI */
    struct gm_hwtest_daemon daemon[GM_HWTEST_DAEMONS];
    struct gm_hwtest_daemon job;
    unsigned number;   /* of the job: names its folder and its log */
    unsigned job_logs; /* of jobs that failed */
};
static const char *const PROGRAMS[] = {"gopmill-scheduler", "gopmill-node", "gopmill"};

/* %s: the line `devices` of encode, or nothing. */
static const char PIPELINE[] = "name: soak\n"
                               "tasks:\n"
                               "  inspect:\n    type: inspect\n"
                               "  plan:\n    type: plan\n    needs: [inspect]\n"
                               "    ladder: [216, 144]\n"
                               "  split:\n    type: split\n    needs: [plan]\n"
                               "  video:\n    type: encode\n    needs: [split]\n"
                               "    preset: veryfast\n%s"
                               "  images:\n    type: thumbnails\n    needs: [video]\n"
                               "  package:\n    type: package\n    needs: [video, images]\n";

static int write_text(const struct gm_hwtest_farm *f, const char *name, const char *text,
                      struct gm_err *err)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    return gm_fs_write_atomic(path, text, strlen(text), err);
}

static int write_files(const struct gm_hwtest_farm *f, bool quick, struct gm_err *err)
{
    char text[1200], path[256];
    static const char *const folders[] = {"s", "n", "w"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", f->folder, folders[i]);
        rc = gm_fs_mkdirs(path, err);
    }
    (void)snprintf(text, sizeof(text),
                   "state: %s/s\nlisten: [\"tcp://127.0.0.1:*\"]\nhttp: \"unix:%s/http\"\n"
                   "work_store: \"file://%s/w\"\ngrant_key_file: %s/key\nlog_level: warn\n",
                   f->folder, f->folder, f->folder, f->folder);
    rc = rc == 0 ? write_text(f, "scheduler.yaml", text, err) : rc;
    (void)snprintf(text, sizeof(text), PIPELINE, "    devices: [cpu]\n");
    rc = rc == 0 ? write_text(f, "cpu.yaml", text, err) : rc;
    (void)snprintf(text, sizeof(text), PIPELINE, "    devices: [nvenc, vaapi, qsv, cpu]\n");
    rc = rc == 0 ? write_text(f, "device.yaml", text, err) : rc;
    (void)snprintf(path, sizeof(path), "%s/clip.mp4", f->folder);
    return rc == 0 ? gm_hwtest_write_clip(path, quick ? 1 : CLIP_TIMES, err) : rc;
}

static int find_programs(struct gm_hwtest_farm *f, const char *folder, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 3; i++) {
        if (folder == NULL) {
            rc = gm_program_find(PROGRAMS[i], &f->programs[i], err);
        } else if (asprintf(&f->programs[i], "%s/%s", folder, PROGRAMS[i]) < 0) {
            f->programs[i] = NULL;
            rc = gm_err_nomem(err);
        }
    }
    return rc;
}

static int start(struct gm_hwtest_farm *f, int which, int limit_ms, char *line, size_t size,
                 struct gm_err *err)
{
    char config[256], log[256];
    const char *name = which == GM_HWTEST_SCHEDULER ? "scheduler" : "node";
    (void)snprintf(config, sizeof(config), "%s/%s.yaml", f->folder, name);
    (void)snprintf(log, sizeof(log), "%s/%s.log", f->home, name);
    const char *const argv[] = {f->programs[which == GM_HWTEST_SCHEDULER ? 0 : 1], "--config",
                                config, NULL};
    struct gm_hwtest_daemon *d = &f->daemon[which];
    int rc = gm_spawn_start(argv, log, &d->pid, &d->out, err);
    if (rc == 0) {
        rc = gm_hwtest_daemon_wait_ready(d, limit_ms, line, size, err);
    }
    return rc < 0 ? gm_err_wrap(err, rc, "gopmill-%s: ", name) : 0;
}

static int start_both(struct gm_hwtest_farm *f, const struct gm_hwtest_farm_params *p,
                      struct gm_err *err)
{
    char line[256];
    struct gm_buf text = {0};
    int rc = start(f, GM_HWTEST_SCHEDULER, READY_MS, line, sizeof(line), err);
    if (rc < 0) {
        return rc;
    }
    char *wire = strstr(line, "listen=");
    if (wire == NULL) {
        return gm_err_set(err, GM_E_UNREACHABLE, 0, "the scheduler said nothing of its endpoint");
    }
    wire += strlen("listen=");
    wire[strcspn(wire, " ")] = '\0';
    gm_buf_printf(&text,
                  "node_id: soak\nscheduler: [\"%s\"]\nstate: %s/n\ngrant_key_file: %s/key\n"
                  "devices: %s\nlog_level: warn\n%s",
                  wire, f->folder, f->folder, p->devices ? "wait" : "off",
                  p->node_options == NULL ? "" : p->node_options);
    rc = gm_buf_check(&text, err);
    rc = rc == 0 ? write_text(f, "node.yaml", (const char *)text.data, err) : rc;
    gm_buf_fini(&text);
    return rc == 0 ? start(f, GM_HWTEST_AGENT, p->devices ? READY_DEVICES_MS : READY_MS, line,
                           sizeof(line), err)
                   : rc;
}

/* Its home, in TMPDIR, and the folder in it. Both stay empty where the home could not be made: what
 * they name is removed at the end. */
static int make_folders(struct gm_hwtest_farm *f, struct gm_err *err)
{
    int rc = gm_hwtest_temp_make(GM_HWTEST_TEMP_SOAK, f->home, sizeof(f->home), &f->lock, err);
    if (rc < 0) {
        return rc;
    }
    (void)snprintf(f->folder, sizeof(f->folder), "%s/farm", f->home);
    return gm_fs_mkdirs(f->folder, err);
}

int gm_hwtest_farm_start(const struct gm_hwtest_farm_params *params, struct gm_hwtest_farm **out,
                         struct gm_err *err)
{
    unsigned left = 0;
    bool logs = false;
    struct gm_hwtest_farm *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    int rc = make_folders(f, err);
    if (rc == 0) {
        rc = find_programs(f, params->programs, err);
    }
    if (rc == 0) {
        rc = write_files(f, params->quick, err);
    }
    if (rc == 0) {
        rc = start_both(f, params, err);
        logs = rc < 0 && rc != -GM_E_CANCELLED;
    }
    if (logs) {
        rc = gm_err_wrap(err, rc, "its logs are in %s: ", f->home);
    }
    if (rc < 0) {
        gm_hwtest_farm_stop(f, &left);
        gm_hwtest_farm_destroy(&f, logs);
        return rc;
    }
    *out = f;
    return 0;
}

struct worker {
    pid_t pid;
    unsigned long long used; /* of the processor, in the kernel's ticks */
};

/* Whether the process is a worker; ppid: whose, 0: anybody's. */
static bool find_worker(pid_t pid, pid_t ppid, struct worker *out)
{
    char path[64], text[512];
    long parent = 0;
    unsigned long long user = 0, kernel = 0;
    char state = 'Z';
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    const char *name = strchr(text, '(');
    const char *rest = strrchr(text, ')');
    if (name == NULL || rest == NULL || strncmp(name + 1, COMM, strlen(COMM)) != 0 ||
        sscanf(rest, ") %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &state, &parent,
               &user, &kernel) != 4) {
        return false;
    }
    *out = (struct worker){.pid = pid, .used = user + kernel};
    return state != 'Z' && (ppid == 0 || parent == (long)ppid);
}

static size_t list_workers(const struct gm_hwtest_farm *f, struct worker out[WORKERS_MAX])
{
    size_t count = 0;
    pid_t parent = f->daemon[GM_HWTEST_AGENT].pid;
    DIR *proc = parent == 0 ? NULL : opendir("/proc");
    for (const struct dirent *e; proc != NULL && count < WORKERS_MAX && (e = readdir(proc));) {
        long pid = strtol(e->d_name, NULL, 10);
        count += pid > 0 && find_worker((pid_t)pid, parent, &out[count]) ? 1 : 0;
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return count;
}

static void rest(int ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000L};
    (void)nanosleep(&t, NULL);
}

/* Where the job publishes: of its own, since the scheduler may go on with one that was aborted. */
static void name_folder(const struct gm_hwtest_farm *f, char out[256])
{
    (void)snprintf(out, 256, "%s/out-%u", f->folder, f->number);
}

static void name_job_log(const struct gm_hwtest_farm *f, char out[256])
{
    (void)snprintf(out, 256, "%s/job-%u.log", f->home, f->number);
}

void gm_hwtest_farm_stop(struct gm_hwtest_farm *f, unsigned *out_left)
{
    struct worker workers[WORKERS_MAX], still;
    *out_left = 0;
    if (f == NULL) {
        return;
    }
    size_t count = list_workers(f, workers);
    gm_hwtest_daemon_stop(&f->job, 0);
    gm_hwtest_daemon_stop(&f->daemon[GM_HWTEST_AGENT], PATIENCE_MS);
    gm_hwtest_daemon_stop(&f->daemon[GM_HWTEST_SCHEDULER], PATIENCE_MS);
    for (int waited = 0; waited < GONE_MS; waited += GONE_LOOK_MS) {
        *out_left = 0;
        for (size_t i = 0; i < count; i++) {
            *out_left += find_worker(workers[i].pid, 0, &still) ? 1 : 0;
        }
        if (*out_left == 0) {
            break;
        }
        rest(GONE_LOOK_MS);
    }
}

const char *gm_hwtest_farm_logs(const struct gm_hwtest_farm *f)
{
    return f->home;
}

void gm_hwtest_farm_destroy(struct gm_hwtest_farm **farm, bool keep_logs)
{
    struct gm_hwtest_farm *f = *farm;
    if (f == NULL) {
        return;
    }
    if (f->home[0] != '\0' && keep_logs) {
        GM_IGNORE(gm_fs_remove_tree(f->folder, NULL), "it goes with TMPDIR's next cleaning");
        gm_hwtest_temp_keep(f->home, &f->lock);
    } else if (f->home[0] != '\0') {
        gm_hwtest_temp_remove(f->home, &f->lock);
    }
    for (size_t i = 0; i < 3; i++) {
        free(f->programs[i]);
    }
    free(f);
    *farm = NULL;
}

int gm_hwtest_farm_begin(struct gm_hwtest_farm *f, bool on_device, struct gm_err *err)
{
    char clip[256], out[256], pipeline[256], url[256], log[256];
    (void)snprintf(clip, sizeof(clip), "%s/clip.mp4", f->folder);
    f->number++;
    name_folder(f, out);
    (void)snprintf(pipeline, sizeof(pipeline), "%s/%s.yaml", f->folder,
                   on_device ? "device" : "cpu");
    (void)snprintf(url, sizeof(url), "unix:%s/http", f->folder);
    name_job_log(f, log);
    const char *const argv[] = {
        f->programs[2], "transcode", clip,          "--out", out, "--pipeline",
        pipeline,       "--quiet",   "--scheduler", url,     NULL};
    return gm_spawn_start(argv, log, &f->job.pid, &f->job.out, err);
}

void gm_hwtest_farm_abort(struct gm_hwtest_farm *f)
{
    if (f->job.pid != 0) {
        (void)kill(f->job.pid, SIGKILL);
    }
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* A file below the folder: its name there, then what it holds. */
static int hash_file(const char *path, size_t folder_size, struct gm_sha256 *all,
                     struct gm_err *err)
{
    uint8_t sum[GM_SHA256_SIZE];
    uint64_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not open %s", path);
    }
    int rc = gm_sha256_fd(fd, sum, &size, err);
    close(fd);
    if (rc == 0) {
        gm_sha256_update(all, path + folder_size, strlen(path + folder_size) + 1);
        gm_sha256_update(all, sum, sizeof(sum));
    }
    return rc;
}

/* Whether a job published it: keys that begin with ".gm-" are the store's own (storage/store.h). */
static bool is_golden(const FTSENT *e)
{
    return e->fts_info == FTS_F && strcmp(e->fts_name, "report.json") != 0 &&
           strncmp(e->fts_name, ".gm-", 4) != 0;
}

/* Of all files but the report and the store's own. Errors: MEDIA_VERIFY there is none; SYS, NOMEM.
 */
static int hash_tree(char *folder, char out[2 * GM_SHA256_SIZE + 1], struct gm_err *err)
{
    char *const roots[] = {folder, NULL};
    uint8_t sum[GM_SHA256_SIZE];
    size_t files = 0;
    struct gm_sha256 *all = gm_sha256_create();
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    int rc = all == NULL    ? gm_err_nomem(err)
             : walk == NULL ? gm_err_sys(err, errno, "could not look into %s", folder)
                            : 0;
    while (rc == 0) {
        errno = 0;
        FTSENT *e = fts_read(walk);
        if (e == NULL) {
            rc = errno == 0 ? 0 : gm_err_sys(err, errno, "could not look into %s", folder);
            break;
        }
        if (is_golden(e)) {
            rc = hash_file(e->fts_path, strlen(folder), all, err);
            files++;
        } else if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS) {
            rc = gm_err_sys(err, e->fts_errno, "could not look into %s", folder);
        }
    }
    if (rc == 0 && files == 0) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "it published nothing");
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    if (all != NULL) {
        gm_sha256_final(all, sum);
        gm_sha256_destroy(&all);
    }
    if (rc == 0) {
        gm_hex(sum, sizeof(sum), out);
    }
    return rc;
}

/* The last line that the job's program wrote: indented ones only say what to do about it. */
static void read_log(const struct gm_hwtest_farm *f, int status, char *why, size_t size)
{
    char path[256];
    uint8_t *data = NULL;
    size_t used = 0;
    name_job_log(f, path);
    if (gm_fs_read(path, 1u << 20, &data, &used, NULL) < 0) {
        used = 0;
    }
    size_t from = used;
    do {
        used = from;
        while (used > 0 && data[used - 1] == '\n') {
            used--;
        }
        from = used;
        while (from > 0 && data[from - 1] != '\n') {
            from--;
        }
    } while (from > 0 && data[from] == ' ');
    (void)snprintf(why, size, "%s %d: %.*s",
                   WIFSIGNALED(status) ? "ended by signal" : "ended with status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (int)(used - from),
                   data == NULL ? "" : (const char *)data + from);
    free(data);
}

static const char *text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? json_string_value(v) : "";
}

/* What the report says that it was encoded with; chain "": it can't be read. */
static void read_report(const char *folder, struct gm_hwtest_outcome *out)
{
    char path[300], text[400];
    uint8_t *data = NULL;
    size_t used = 0;
    (void)snprintf(path, sizeof(path), "%s/report.json", folder);
    if (gm_fs_read(path, 16u << 20, &data, &used, NULL) < 0) {
        return;
    }
    json_t *root = json_loadb((const char *)data, used, 0, NULL);
    const json_t *encoding = json_object_get(root, "encoding");
    const json_t *left = json_array_get(json_object_get(encoding, "given_up"), 0);
    gm_ascii_copy(out->chain, sizeof(out->chain),
                  text_of(json_object_get(encoding, "resolved"), "chain"));
    if (left != NULL) {
        (void)snprintf(text, sizeof(text), "%.40s: %.300s", text_of(left, "code"),
                       text_of(left, "text"));
        gm_ascii_copy(out->given_up, sizeof(out->given_up), text);
    }
    json_decref(root);
    free(data);
}

/* A job that ended well must have published something, with a report that says by what. */
static int look_at(char *folder, struct gm_hwtest_outcome *out, struct gm_err *err)
{
    struct gm_err why = {.code = GM_OK};
    int rc = hash_tree(folder, out->hash, &why);
    if (rc == -GM_E_NOMEM) {
        *err = why;
        return rc;
    }
    if (rc < 0) {
        gm_ascii_copy(out->why, sizeof(out->why), why.text);
        return 0;
    }
    read_report(folder, out);
    if (out->chain[0] == '\0') {
        out->hash[0] = '\0';
        gm_ascii_copy(out->why, sizeof(out->why), "its report can't be read");
    }
    return 0;
}

int gm_hwtest_farm_poll(struct gm_hwtest_farm *f, bool *out_ended, struct gm_hwtest_outcome *out,
                        struct gm_err *err)
{
    char folder[256];
    int status = 0, rc = 0;
    *out_ended = gm_hwtest_daemon_has_ended(&f->job, &status);
    if (!*out_ended) {
        return 0;
    }
    memset(out, 0, sizeof(*out));
    name_folder(f, folder);
    if (status != 0) {
        read_log(f, status, out->why, sizeof(out->why));
    } else {
        rc = look_at(folder, out, err);
    }
    GM_IGNORE(gm_fs_remove_tree(folder, NULL), "it goes with the farm's folder");
    if (out->hash[0] == '\0' && f->job_logs < JOB_LOGS) {
        f->job_logs++;
    } else {
        name_job_log(f, folder);
        GM_IGNORE(unlink(folder), "it goes with the farm's home");
    }
    return rc;
}

bool gm_hwtest_farm_kill(struct gm_hwtest_farm *f, uint32_t number)
{
    struct worker before[WORKERS_MAX], now[WORKERS_MAX];
    size_t was = list_workers(f, before);
    size_t busy = 0;
    rest(BUSY_MS);
    size_t count = list_workers(f, now);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < was; k++) {
            if (before[k].pid == now[i].pid && before[k].used < now[i].used) {
                now[busy++] = now[i];
            }
        }
    }
    return busy > 0 && kill(now[number % busy].pid, SIGKILL) == 0;
}

static size_t count_descriptors(pid_t pid)
{
    char path[64];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
    DIR *fds = opendir(path);
    for (const struct dirent *e; fds != NULL && (e = readdir(fds)) != NULL;) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    if (fds != NULL) {
        closedir(fds);
    }
    return count;
}

bool gm_hwtest_farm_look(const struct gm_hwtest_farm *f, int which, double *out_kib,
                         double *out_descriptors)
{
    char path[64];
    uint8_t *data = NULL;
    size_t size = 0;
    pid_t pid = f->daemon[which].pid;
    (void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    if (pid == 0 || gm_fs_read(path, 1u << 16, &data, &size, NULL) < 0) {
        return false;
    }
    const char *anon = size == 0 ? NULL : memmem(data, size, "RssAnon:", 8);
    bool good = anon != NULL && (const uint8_t *)anon + 24 < data + size;
    if (good) {
        *out_kib = (double)strtoull(anon + 8, NULL, 10);
        *out_descriptors = (double)count_descriptors(pid);
    }
    free(data);
    return good;
}
