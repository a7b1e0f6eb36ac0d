/* This run against an earlier one. Only what has become worse gives a row, and one row counts what
 * was compared. */
#include "hwtest/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much worse is a warning, and how much a failure: in the unit, or in parts of the value where
 * `relative`. docs/hwtest.md has the same table. */
static const struct row {
    const char *unit; /* NULL: all others */
    bool relative;
    double warn, fail;
} ROWS[] = {
    {"dB", false, 0.5, 2.0},
    {"SSIM", false, 0.005, 0.02},
    {NULL, true, 0.05, 0.15},
};

static const struct row *find_row(const char *unit)
{
    const struct row *r = ROWS;
    while (r->unit != NULL && strcmp(r->unit, unit) != 0) {
        r++;
    }
    return r;
}

/* The same device in `list`, borrowed from it; NULL: it is not there. */
static const struct gm_hwtest_device *match(const struct gm_hwtest_report *list,
                                            const struct gm_hwtest_device *d)
{
    for (size_t i = 0; i < list->device_count; i++) {
        const struct gm_hwtest_device *o = &list->devices[i];
        bool known = d->uuid[0] != '\0' && o->uuid[0] != '\0';
        if (known ? strcmp(d->uuid, o->uuid) == 0 : strcmp(d->id, o->id) == 0) {
            return o;
        }
    }
    return NULL;
}

static struct gm_hwtest_check make(const struct gm_hwtest_report *report, const char *device,
                                   const char *name)
{
    char full[96];
    (void)snprintf(full, sizeof(full), "baseline.%s", name);
    return gm_hwtest_check_make(device, full, report->level);
}

static int add(struct gm_hwtest_report *report, const char *device, const char *name,
               enum gm_hwtest_status status, const char *text, const char *remedy,
               struct gm_err *err)
{
    struct gm_hwtest_check c = make(report, device, name);
    c.status = status;
    gm_hwtest_set(c.text, text);
    gm_hwtest_set(c.remedy, remedy);
    return gm_hwtest_add(report, &c, err);
}

/* How many versions of the device both have; -1: one of them is not the other's. */
static int same_versions(const struct gm_hwtest_report *a, const char *a_id,
                         const struct gm_hwtest_report *b, const char *b_id)
{
    int same = 0;
    for (size_t i = 0; i < a->version_count; i++) {
        const struct gm_hwtest_version *v = &a->versions[i];
        for (size_t k = 0; strcmp(v->device, a_id) == 0 && k < b->version_count; k++) {
            const struct gm_hwtest_version *o = &b->versions[k];
            if (strcmp(o->device, b_id) == 0 && strcmp(v->name, o->name) == 0) {
                if (strcmp(v->version, o->version) != 0) {
                    return -1;
                }
                same++;
            }
        }
    }
    return same;
}

/* The same driver and libraries made both: what tells no version of a device is not known to be. */
static bool is_same_code(const struct gm_hwtest_report *a, const struct gm_hwtest_check *was,
                         const struct gm_hwtest_report *b, const struct gm_hwtest_check *now)
{
    int machine = same_versions(a, "machine", b, "machine");
    int device = same_versions(a, was->device, b, now->device);
    return strcmp(a->libraries, b->libraries) == 0 && machine >= 0 &&
           (strcmp(was->device, "cpu") == 0 || strcmp(was->device, "machine") == 0 ? machine > 0
                                                                                   : device > 0);
}

static int compare_values(struct gm_hwtest_report *report, const struct gm_hwtest_check *was,
                          const struct gm_hwtest_check *now, struct gm_err *err)
{
    const struct row *row = find_row(now->unit);
    double worse =
        now->better == GM_HWTEST_HIGHER ? was->value - now->value : now->value - was->value;
    if (row->relative) {
        worse = fabs(was->value) > 0 ? worse / fabs(was->value) : 0.0;
    }
    if (worse <= row->warn) {
        return 0;
    }
    char text[240];
    struct gm_hwtest_check c = make(report, now->device, now->name);
    c.status = worse > row->fail ? GM_HWTEST_FAIL : GM_HWTEST_WARN;
    c.has_value = true;
    c.value = now->value;
    memcpy(c.unit, now->unit, sizeof(c.unit));
    c.has_low = now->better == GM_HWTEST_HIGHER;
    c.has_high = !c.has_low;
    c.low = c.high = was->value;
    (void)snprintf(text, sizeof(text), "worse than in the baseline by %.3g%s%s",
                   row->relative ? worse * 100 : worse, row->relative ? " %" : " ",
                   row->relative ? "" : now->unit);
    gm_hwtest_set(c.text, text);
    gm_hwtest_set(c.remedy, "compare driver, library versions and load of the machine with those "
                            "of the baseline; run again when it is idle");
    return gm_hwtest_add(report, &c, err);
}

/* now: owned by the caller, a copy: report's array grows. */
static int compare_check(struct gm_hwtest_report *report, const struct gm_hwtest_report *baseline,
                         const struct gm_hwtest_check *was, const struct gm_hwtest_check *now,
                         struct gm_err *err)
{
    int rc = 0;
    if (was->level >= 3 && (report->quick || baseline->quick)) {
        return 0; /* figures of a short run are none */
    }
    bool were_good = was->status == GM_HWTEST_PASS || was->status == GM_HWTEST_WARN;
    if (now->status == GM_HWTEST_SKIP && were_good) {
        return add(report, now->device, now->name, GM_HWTEST_WARN,
                   "checked in the baseline, skipped now",
                   "see its row: what is missing was there before", err);
    }
    if (was->has_value && now->has_value && now->better != GM_HWTEST_NEITHER &&
        strcmp(was->unit, now->unit) == 0) {
        rc = compare_values(report, was, now, err);
    }
    if (rc == 0 && is_same_code(baseline, was, report, now) && was->hash[0] != '\0' &&
        now->hash[0] != '\0' && strcmp(was->hash, now->hash) != 0) {
        rc = add(report, now->device, now->name, GM_HWTEST_WARN,
                 "other bytes than in the baseline, from the same driver and libraries",
                 "run it again: memory or the device may be faulty; if it is not, take a new "
                 "baseline",
                 err);
    }
    return rc;
}

/* Not what an earlier comparison said, and no note: notes come, go and change their numbers. */
static bool is_compared(const struct gm_hwtest_check *c, const struct gm_hwtest_report *now)
{
    bool ran = now->only ? c->level <= 1 || c->level == now->level : c->level <= now->level;
    return ran && strncmp(c->name, "baseline.", 9) != 0 && strncmp(c->name, "note.", 5) != 0;
}

static int compare_device(struct gm_hwtest_report *report, const struct gm_hwtest_report *baseline,
                          const char *was_id, const char *now_id, size_t checks,
                          size_t *io_compared, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < baseline->check_count; i++) {
        const struct gm_hwtest_check *was = &baseline->checks[i];
        const struct gm_hwtest_check *found = NULL;
        if (strcmp(was->device, was_id) != 0 || !is_compared(was, report)) {
            continue;
        }
        for (size_t k = 0; found == NULL && k < checks; k++) {
            const struct gm_hwtest_check *now = &report->checks[k];
            found =
                strcmp(now->device, now_id) == 0 && strcmp(now->name, was->name) == 0 ? now : NULL;
        }
        if (found != NULL) {
            const struct gm_hwtest_check now = *found;
            (*io_compared)++;
            rc = compare_check(report, baseline, was, &now, err);
        } else if (was->status == GM_HWTEST_PASS || was->status == GM_HWTEST_WARN) {
            rc = add(report, now_id, was->name, GM_HWTEST_WARN,
                     "checked in the baseline, not there now",
                     "see what the device lists with `gopmill devices`", err);
        }
    }
    return rc;
}

static bool same_clips(const struct gm_hwtest_report *a, const struct gm_hwtest_report *b)
{
    for (size_t i = 0; i < a->clip_count; i++) {
        for (size_t k = 0; k < b->clip_count; k++) {
            if (strcmp(a->clips[i].name, b->clips[k].name) == 0 &&
                strcmp(a->clips[i].hash, b->clips[k].hash) != 0) {
                return false;
            }
        }
    }
    return true;
}

int gm_hwtest_compare(struct gm_hwtest_report *report, const struct gm_hwtest_report *baseline,
                      struct gm_err *err)
{
    size_t checks = report->check_count, compared = 0;
    char text[160];
    int rc = 0;
    if (!same_clips(report, baseline)) {
        rc = add(report, "machine", "clips", GM_HWTEST_WARN,
                 "the generated clips are not those of the baseline: other library versions make "
                 "them otherwise",
                 "take a new baseline with these versions", err);
    }
    for (size_t i = 0; rc == 0 && i < baseline->device_count; i++) {
        const struct gm_hwtest_device *was = &baseline->devices[i];
        const struct gm_hwtest_device *now = match(report, was);
        if (now != NULL) {
            rc = compare_device(report, baseline, was->id, now->id, checks, &compared, err);
        } else if (report->filter[0] == '\0') {
            rc = add(report, was->id, "device", GM_HWTEST_FAIL,
                     "the device of the baseline is not there",
                     "look for it with `gopmill devices`, lspci and in the kernel log", err);
        }
    }
    if (rc == 0 && report->filter[0] == '\0') { /* what is of no device */
        rc = compare_device(report, baseline, "machine", "machine", checks, &compared, err);
    }
    (void)snprintf(text, sizeof(text), "%zu checks were compared", compared);
    if (rc == 0) {
        rc = add(
            report, "machine", "compared", compared > 0 ? GM_HWTEST_PASS : GM_HWTEST_WARN, text,
            compared > 0 ? "" : "the baseline is of other devices: take one of this machine", err);
    }
    return rc;
}
