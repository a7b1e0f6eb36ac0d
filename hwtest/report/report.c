#include "hwtest/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

static const char *const NAMES[GM_HWTEST_STATUSES] = {"PASS", "WARN", "FAIL", "SKIP", "UNSTABLE"};

void gm_hwtest_report_fini(struct gm_hwtest_report *report)
{
    free(report->devices);
    free(report->versions);
    free(report->clips);
    free(report->checks);
    memset(report, 0, sizeof(*report));
}

static int reserve(void *array, size_t count, size_t *io_cap, size_t size, struct gm_err *err)
{
    if (count >= GM_HWTEST_CHECKS_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0,
                          "a report holds at most %d checks, devices, versions or clips",
                          GM_HWTEST_CHECKS_MAX);
    }
    return gm_array_reserve(array, count, 1, io_cap, size, err);
}

int gm_hwtest_add(struct gm_hwtest_report *report, const struct gm_hwtest_check *check,
                  struct gm_err *err)
{
    int rc = reserve(&report->checks, report->check_count, &report->check_cap, sizeof(*check), err);
    if (rc == 0) {
        report->checks[report->check_count++] = *check;
    }
    return rc;
}

int gm_hwtest_add_device(struct gm_hwtest_report *report, const struct gm_hwtest_device *device,
                         struct gm_err *err)
{
    int rc =
        reserve(&report->devices, report->device_count, &report->device_cap, sizeof(*device), err);
    if (rc == 0) {
        report->devices[report->device_count++] = *device;
    }
    return rc;
}

int gm_hwtest_add_version(struct gm_hwtest_report *report, const struct gm_hwtest_version *version,
                          struct gm_err *err)
{
    int rc = reserve(&report->versions, report->version_count, &report->version_cap,
                     sizeof(*version), err);
    if (rc == 0) {
        report->versions[report->version_count++] = *version;
    }
    return rc;
}

int gm_hwtest_add_clip(struct gm_hwtest_report *report, const struct gm_hwtest_clip *clip,
                       struct gm_err *err)
{
    for (size_t i = 0; i < report->clip_count; i++) {
        if (strcmp(report->clips[i].name, clip->name) == 0 &&
            strcmp(report->clips[i].hash, clip->hash) == 0) {
            return 0;
        }
    }
    int rc = reserve(&report->clips, report->clip_count, &report->clip_cap, sizeof(*clip), err);
    if (rc == 0) {
        report->clips[report->clip_count++] = *clip;
    }
    return rc;
}

const struct gm_hwtest_check *gm_hwtest_find(const struct gm_hwtest_report *report,
                                             const char *device, const char *name)
{
    for (size_t i = 0; i < report->check_count; i++) {
        const struct gm_hwtest_check *c = &report->checks[i];
        if (strcmp(c->device, device) == 0 && strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

const struct gm_hwtest_device *gm_hwtest_find_device(const struct gm_hwtest_report *report,
                                                     const char *id)
{
    for (size_t i = 0; i < report->device_count; i++) {
        if (strcmp(report->devices[i].id, id) == 0) {
            return &report->devices[i];
        }
    }
    return NULL;
}

const char *gm_hwtest_status_name(enum gm_hwtest_status status)
{
    return NAMES[status];
}

bool gm_hwtest_status_find(const char *name, enum gm_hwtest_status *out)
{
    for (int i = 0; i < GM_HWTEST_STATUSES; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *out = (enum gm_hwtest_status)i;
            return true;
        }
    }
    return false;
}

struct gm_hwtest_check gm_hwtest_check_make(const char *device, const char *name, uint32_t level)
{
    struct gm_hwtest_check check = {.level = level};
    gm_hwtest_set(check.device, device);
    gm_hwtest_set(check.name, name);
    return check;
}
