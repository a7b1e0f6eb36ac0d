#include "hwtest/power.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"

#define PATH_BYTES 512
#define FILE_BYTES 64

static bool read_number(const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_BYTES];
    uint8_t *data = NULL;
    size_t size = 0;
    char *end = NULL;
    if (gm_fs_path(path, sizeof(path), NULL, "%s/%s", folder, name) < 0 ||
        gm_fs_read(path, FILE_BYTES, &data, &size, NULL) < 0) {
        return false;
    }
    char text[FILE_BYTES + 1] = "";
    memcpy(text, data, size);
    free(data);
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    bool good = text[0] >= '0' && text[0] <= '9' && errno == 0 && (*end == '\n' || *end == '\0');
    *out = good ? value : *out;
    return good;
}

/* Calls `use` with the entries of `folder` that begin with `prefix` and hold no ':' behind it. */
static void each(const char *folder, const char *prefix, void (*use)(const char *path, void *arg),
                 void *arg)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    DIR *dir = opendir(folder);
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        size_t n = strlen(prefix);
        if (strncmp(e->d_name, prefix, n) == 0 && strchr(e->d_name + n, ':') == NULL &&
            gm_fs_path(path, sizeof(path), NULL, "%s/%s", folder, e->d_name) == 0) {
            use(path, arg);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static void add(struct gm_hwtest_energy *e, uint64_t uj, uint64_t range_uj)
{
    if (e->count < GM_HWTEST_METERS) {
        e->uj[e->count] = uj;
        e->range_uj[e->count++] = range_uj;
    }
}

/* The platform's counter (psys), which stands beside the packages' on some machines, has them in
 * it.
 */
static bool is_package(const char *path)
{
    char name[PATH_BYTES];
    uint8_t *data = NULL;
    size_t size = 0;
    if (gm_fs_path(name, sizeof(name), NULL, "%s/name", path) < 0 ||
        gm_fs_read(name, FILE_BYTES, &data, &size, NULL) < 0) {
        return false;
    }
    bool is = strncmp((const char *)data, "package-", 8) == 0;
    free(data);
    return is;
}

static void add_package(const char *path, void *arg)
{
    uint64_t uj = 0, range = 0;
    if (is_package(path) && read_number(path, "energy_uj", &uj)) {
        (void)read_number(path, "max_energy_range_uj", &range);
        add(arg, uj, range);
    }
}

static void add_hwmon(const char *path, void *arg)
{
    uint64_t uj = 0;
    if (read_number(path, "energy1_input", &uj)) {
        add(arg, uj, 0);
    }
}

static void each_hwmon(const char *root, const char *pci, void (*use)(const char *path, void *arg),
                       void *arg)
{
    char folder[PATH_BYTES];
    if (gm_fs_path(folder, sizeof(folder), NULL, "%s/sys/bus/pci/devices/%s/hwmon", root, pci) ==
        0) {
        each(folder, "hwmon", use, arg);
    }
}

bool gm_hwtest_energy_read(const char *root, const char *pci, gm_time now,
                           struct gm_hwtest_energy *out)
{
    char folder[PATH_BYTES];
    memset(out, 0, sizeof(*out));
    out->at = now;
    if (pci != NULL) {
        each_hwmon(root, pci, add_hwmon, out);
    } else if (gm_fs_path(folder, sizeof(folder), NULL, "%s/sys/class/powercap", root) == 0) {
        each(folder, "intel-rapl:", add_package, out);
    }
    return out->count > 0;
}

bool gm_hwtest_energy_watts(const struct gm_hwtest_energy *before,
                            const struct gm_hwtest_energy *after, double *out)
{
    double sum = 0;
    if (before->count == 0 || before->count != after->count || after->at <= before->at) {
        return false;
    }
    for (size_t i = 0; i < after->count; i++) {
        uint64_t from = before->uj[i], to = after->uj[i], range = after->range_uj[i];
        if (to < from && (range < from || range != before->range_uj[i])) {
            return false;
        }
        sum += (double)(to >= from ? to - from : range - from + to);
    }
    *out = sum / 1e6 / ((double)(after->at - before->at) / (double)GM_SEC);
    return true;
}

struct power {
    bool has;
    uint64_t uw, limit_uw;
};

static void take_power(const char *path, void *arg)
{
    struct power *p = arg;
    if (!p->has) {
        p->has = read_number(path, "power1_average", &p->uw) ||
                 read_number(path, "power1_input", &p->uw);
        (void)(p->has && read_number(path, "power1_cap", &p->limit_uw));
    }
}

bool gm_hwtest_power_read(const char *root, const char *pci, double *out_watts,
                          double *out_limit_watts)
{
    struct power p = {.has = false};
    each_hwmon(root, pci, take_power, &p);
    if (p.has) {
        *out_watts = (double)p.uw / 1e6;
        *out_limit_watts = (double)p.limit_uw / 1e6;
    }
    return p.has;
}
