#include "hwtest/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

static const char *const NAMES[GM_HWTEST_STATUSES] = {"PASS", "WARN", "FAIL", "SKIP", "UNSTABLE"};

void gm_hwtest_report_fini(struct gm_hwtest_report *report)
{
    free(report->devices);
    free(report->clips);
    free(report->checks);
    memset(report, 0, sizeof(*report));
}

static int reserve(void *array, size_t count, size_t *io_cap, size_t size, struct gm_err *err)
{
    if (count >= GM_HWTEST_CHECKS_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a report holds at most %d checks, devices or clips",
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

void gm_hwtest_measure(struct gm_hwtest_check *check, double value, const char *unit,
                       const double *low, const double *high)
{
    gm_hwtest_set(check->unit, unit);
    check->has_value = isfinite(value) != 0;
    check->value = check->has_value ? value : 0.0;
    check->has_low = low != NULL;
    check->has_high = high != NULL;
    check->low = low != NULL ? *low : 0.0;
    check->high = high != NULL ? *high : 0.0;
    bool inside =
        check->has_value && (low == NULL || value >= *low) && (high == NULL || value <= *high);
    check->status = inside ? GM_HWTEST_PASS : GM_HWTEST_FAIL;
}

/* Four digits that say something; whole numbers whole. */
static void number(double value, char *out, size_t size)
{
    double size_of = fabs(value);
    int decimals = value == floor(value) && size_of < 1e9 ? 0
                   : size_of < 1                          ? 4
                   : size_of < 10                         ? 2
                   : size_of < 1000                       ? 1
                                                          : 0;
    (void)snprintf(out, size, size_of < 1e12 ? "%.*f" : "%.*e", decimals, value);
}

void gm_hwtest_value_words(const struct gm_hwtest_check *check, char *out, size_t size)
{
    char text[40];
    out[0] = '\0';
    if (check->has_value) {
        number(check->value, text, sizeof(text));
        (void)snprintf(out, size, "%s%s%s", text, check->unit[0] == '\0' ? "" : " ", check->unit);
    }
}

void gm_hwtest_limit_words(const struct gm_hwtest_check *check, char *out, size_t size)
{
    char low[40], high[40];
    number(check->low, low, sizeof(low));
    number(check->high, high, sizeof(high));
    out[0] = '\0';
    if (check->has_low && check->has_high && check->low == check->high) {
        (void)snprintf(out, size, "= %s", low);
    } else if (check->has_low && check->has_high) {
        (void)snprintf(out, size, "%s .. %s", low, high);
    } else if (check->has_low) {
        (void)snprintf(out, size, ">= %s", low);
    } else if (check->has_high) {
        (void)snprintf(out, size, "<= %s", high);
    }
}
