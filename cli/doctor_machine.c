/* What this machine has to run a node, a scheduler or `transcode`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/job.h"
#include "cli/print.h"
#include "common/fs.h"

#define FREE_BAD 1e9   /* bytes: less holds no job of an hour's film */
#define FREE_WARN 20e9 /* what a node's `scratch_bytes` is about by default */
#define FILES_MIN 1024 /* descriptors: connections, inputs and outputs of a node's slots */
#define SYNC_SLOW (GM_SEC / 4)

static void check_sync(struct gm_findings *f, const char *folder)
{
    struct gm_err err = {0};
    int fd = -1;
    gm_time begin = gm_time_now();
    int rc = gm_fs_nameless(folder, &fd, &err);
    rc = rc < 0 ? rc : gm_fs_write_all(fd, "doctor", 6, &err);
    if (rc == 0 && fsync(fd) != 0) {
        rc = gm_err_sys(&err, errno, "could not sync a file");
    }
    gm_time took = gm_time_now() - begin;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc < 0) {
        gm_findings_add(f, GM_VERDICT_BAD, "scratch",
                        "give a folder that this user may write to: --state DIR, or TMPDIR",
                        "%.200s takes no files: %.150s", folder, err.text);
    } else {
        gm_findings_add(f, took > SYNC_SLOW ? GM_VERDICT_WARN : GM_VERDICT_OK, "scratch",
                        "put the state on a local disk: each change of a job is synced",
                        "%.200s keeps what is written: synced in %.1f ms", folder,
                        (double)took / 1e6);
    }
}

static void check_space(struct gm_findings *f, const char *folder)
{
    struct statvfs st;
    char text[24];
    if (statvfs(folder, &st) != 0) {
        return; /* check_sync() has told */
    }
    double left = (double)st.f_bavail * (double)st.f_frsize;
    gm_findings_add(f,
                    left < FREE_BAD    ? GM_VERDICT_BAD
                    : left < FREE_WARN ? GM_VERDICT_WARN
                                       : GM_VERDICT_OK,
                    "scratch",
                    "free space there, or give another folder: chunks lie there while a job runs",
                    "%s are free in %.200s", gm_print_bytes(left, text, sizeof text), folder);
}

static void check_clock(struct gm_findings *f)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    if (state < 0) {
        return; /* not allowed in this container: nothing is known */
    }
    bool synced = state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
    gm_findings_add(
        f, synced ? GM_VERDICT_OK : GM_VERDICT_WARN, "clock",
        "run chrony or systemd-timesyncd: signed URLs, tokens and certificates go by the clock",
        synced ? "the clock is kept by another one"
               : "the kernel knows of nobody who sets the clock");
}

static void check_limits(struct gm_findings *f)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        gm_findings_add(f, files.rlim_cur < FILES_MIN ? GM_VERDICT_BAD : GM_VERDICT_OK, "limits",
                        "raise LimitNOFILE of the service, or ulimit -n, to 65536",
                        "%llu files may be open at once", (unsigned long long)files.rlim_cur);
    }
}

static void check_render_nodes(struct gm_findings *f)
{
    DIR *dir = opendir("/dev/dri");
    const struct dirent *entry;
    if (dir == NULL) {
        return; /* no GPU that is driven by them */
    }
    while ((entry = readdir(dir)) != NULL) {
        char path[300];
        if (strncmp(entry->d_name, "renderD", 7) != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/dev/dri/%s", entry->d_name);
        bool good = access(path, R_OK | W_OK) == 0;
        gm_findings_add(
            f, good ? GM_VERDICT_OK : GM_VERDICT_BAD, "driver",
            "put this user into the group of that file (render or video) and start anew",
            good ? "%s can be used" : "this user may not open %s", path);
    }
    (void)closedir(dir);
}

void gm_doctor_machine(struct gm_findings *f, const char *state)
{
    check_sync(f, state);
    check_space(f, state);
    check_clock(f);
    check_limits(f);
    check_render_nodes(f);
}

/* ---- devices */

static void tell_notes(struct gm_findings *f, const char *about, const json_t *notes)
{
    size_t i;
    const json_t *note;
    json_array_foreach(notes, i, note)
    {
        const char *severity = gm_job_text(note, "severity");
        bool bad = strcmp(severity, "error") == 0;
        if (strcmp(severity, "info") != 0) {
            gm_findings_add(f, bad ? GM_VERDICT_BAD : GM_VERDICT_WARN, about, "", "%.300s",
                            gm_job_text(note, "text"));
        }
    }
}

static bool encodes(const json_t *devices, const char *codec)
{
    size_t i, k;
    const json_t *device, *encoder;
    json_array_foreach(devices, i, device)
    {
        json_array_foreach(json_object_get(device, "encode"), k, encoder)
        {
            if (strcmp(gm_job_text(encoder, "codec"), codec) == 0) {
                return true;
            }
        }
    }
    return false;
}

void gm_doctor_devices(struct gm_findings *f, const json_t *answer)
{
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9"};
    const json_t *devices = json_object_get(answer, "devices"), *device;
    size_t i;
    json_array_foreach(devices, i, device)
    {
        const char *state = gm_job_text(device, "encode_state");
        bool absent = strcmp(state, "present") != 0 && strcmp(state, "passed") != 0 &&
                      strcmp(state, "proved") != 0;
        gm_findings_add(f, absent ? GM_VERDICT_WARN : GM_VERDICT_OK, "device",
                        "gopmill devices --prove says more", "%.250s%s%.60s",
                        gm_job_text(device, "description"), absent ? "; encoding: " : "",
                        absent ? state : "");
        tell_notes(f, "device", json_object_get(device, "notes"));
    }
    tell_notes(f, "device", json_object_get(answer, "notes"));
    for (i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (!encodes(devices, codecs[i])) {
            gm_findings_add(
                f, i == 0 ? GM_VERDICT_BAD : GM_VERDICT_WARN, "encoder",
                "install a libavcodec with that encoder, or leave such pipelines to other nodes",
                "nothing here encodes %s", codecs[i]);
        }
    }
}
