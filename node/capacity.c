/* Affinity, cgroup quotas and memory limits. A limit of any cgroup from the process's own up to the
 * root binds, so each level is looked at.
 * See: sched_setaffinity(2), cgroups(7), kernel Documentation/admin-guide/cgroup-v2.rst */
#include "node/capacity.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/fs.h"

#define SMALL_FILE (64u << 10)

static char *read_text(const char *path)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err ignored;
    if (gm_fs_read(path, SMALL_FILE, &data, &size, &ignored) < 0) {
        return NULL;
    }
    return (char *)data;
}

static char *read_file(const char *root, const char *folder, const char *path, const char *name)
{
    char full[4096];
    struct gm_err ignored;
    if (gm_fs_path(full, sizeof(full), &ignored, "%s%s%s/%s", root, folder, path, name) < 0) {
        return NULL;
    }
    return read_text(full);
}

/* A number at the start of text; -1: none ("max"). */
static int64_t number_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return end == text || errno != 0 || value < 0 ? -1 : (int64_t)value;
}

static void cap_cpu(struct gm_capacity *out, int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0 || quota > INT64_MAX / 1000) {
        return;
    }
    int64_t milli = quota * 1000 / period;
    milli = milli < 1000 ? 1000 : milli;
    if (milli < out->cpu_milli) {
        out->cpu_milli = (uint32_t)milli;
    }
}

static void cap_memory(struct gm_capacity *out, int64_t bytes)
{
    if (bytes > 0 && (out->memory_bytes == 0 || (uint64_t)bytes < out->memory_bytes)) {
        out->memory_bytes = (uint64_t)bytes;
    }
}

static void look_v2(const char *root, const char *path, struct gm_capacity *out)
{
    char *text = read_file(root, "/sys/fs/cgroup", path, "cpu.max");
    if (text != NULL) { /* "quota period" or "max period" */
        const char *space = strchr(text, ' ');
        cap_cpu(out, number_of(text), space == NULL ? -1 : number_of(space + 1));
    }
    free(text);
    text = read_file(root, "/sys/fs/cgroup", path, "memory.max");
    if (text != NULL) {
        cap_memory(out, number_of(text));
    }
    free(text);
}

static void look_v1_cpu(const char *root, const char *path, struct gm_capacity *out)
{
    char *quota = read_file(root, "/sys/fs/cgroup/cpu", path, "cpu.cfs_quota_us");
    char *period = read_file(root, "/sys/fs/cgroup/cpu", path, "cpu.cfs_period_us");
    if (quota != NULL && period != NULL) {
        cap_cpu(out, number_of(quota), number_of(period));
    }
    free(quota);
    free(period);
}

static void look_v1_memory(const char *root, const char *path, struct gm_capacity *out)
{
    char *text = read_file(root, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
    if (text != NULL) {
        cap_memory(out, number_of(text));
    }
    free(text);
}

/* Calls look for path and each folder above it, the root ("") included. Cuts path up. */
static void walk_up(const char *root, char *path,
                    void (*look)(const char *, const char *, struct gm_capacity *),
                    struct gm_capacity *out)
{
    for (;;) {
        look(root, path, out);
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
}

static bool has_controller(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',' ? 1 : 0;
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One line of /proc/self/cgroup: "id:controllers:path". */
static void look_line(const char *root, char *line, struct gm_capacity *out)
{
    char *first = strchr(line, ':');
    char *second = first == NULL ? NULL : strchr(first + 1, ':');
    if (second == NULL) {
        return;
    }
    *second = '\0';
    const char *controllers = first + 1;
    char *path = second + 1;
    if (strcmp(path, "/") == 0) {
        *path = '\0';
    }
    if (controllers[0] == '\0') {
        walk_up(root, path, look_v2, out);
    } else if (has_controller(controllers, "cpu")) {
        walk_up(root, path, look_v1_cpu, out);
    } else if (has_controller(controllers, "memory")) {
        walk_up(root, path, look_v1_memory, out);
    }
}

static void look_meminfo(const char *root, struct gm_capacity *out)
{
    char *text = read_file(root, "", "/proc", "meminfo");
    const char *total = text == NULL ? NULL : strstr(text, "MemTotal:");
    if (total != NULL) {
        int64_t kib = number_of(total + strlen("MemTotal:"));
        if (kib > 0 && kib <= INT64_MAX / 1024) {
            cap_memory(out, kib * 1024);
        }
    }
    free(text);
}

int gm_capacity_detect(const char *root, uint32_t cpus, struct gm_capacity *out, struct gm_err *err)
{
    if (cpus == 0) {
        cpu_set_t *set = CPU_ALLOC(8192);
        size_t size = CPU_ALLOC_SIZE(8192);
        if (set == NULL) {
            return gm_err_nomem(err);
        }
        if (sched_getaffinity(0, size, set) < 0) {
            int saved = errno;
            CPU_FREE(set);
            return gm_err_sys(err, saved, "could not ask which CPUs there are");
        }
        cpus = (uint32_t)CPU_COUNT_S(size, set);
        CPU_FREE(set);
    }
    struct gm_capacity found = {.cpu_milli = cpus * 1000, .memory_bytes = 0};
    look_meminfo(root, &found);
    char *groups = read_file(root, "", "/proc/self", "cgroup");
    char *save = NULL;
    char *line = groups == NULL ? NULL : strtok_r(groups, "\n", &save);
    for (; line != NULL; line = strtok_r(NULL, "\n", &save)) {
        look_line(root, line, &found);
    }
    free(groups);
    *out = found;
    return 0;
}

int gm_capacity_scratch(const char *folder, uint64_t *out, struct gm_err *err)
{
    struct statvfs vfs;
    if (statvfs(folder, &vfs) < 0) {
        return gm_err_sys(err, errno, "could not ask for the free space of `%s`", folder);
    }
    *out = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return 0;
}
