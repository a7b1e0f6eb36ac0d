/* Reads the JSON of hwtest/json.c: an earlier run's, or a child's. Unknown members are passed over;
 * those that are known must have their type. */
#include "hwtest/report/report.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct reader {
    struct gm_err *err;
    int rc;            /* the first error's */
    const char *where; /* for messages */
};

static void refuse(struct reader *r, const char *name, const char *what)
{
    if (r->rc == 0) {
        r->rc = gm_err_set(r->err, GM_E_INVAL, 0, "`%s` of %s %s", name, r->where, what);
    }
}

static void get_text(struct reader *r, const json_t *o, const char *name, char *out, size_t size)
{
    const json_t *v = json_object_get(o, name);
    if (v == NULL) {
        return;
    }
    if (!json_is_string(v)) {
        refuse(r, name, "is no text");
        return;
    }
    gm_ascii_copy(out, size, json_string_value(v));
}

static bool get_number(struct reader *r, const json_t *o, const char *name, double *out)
{
    const json_t *v = json_object_get(o, name);
    if (v == NULL) {
        return false;
    }
    if (!json_is_number(v) || !isfinite(json_number_value(v))) {
        refuse(r, name, "is no number");
        return false;
    }
    *out = json_number_value(v);
    return true;
}

static uint64_t get_whole(struct reader *r, const json_t *o, const char *name, uint64_t max)
{
    const json_t *v = json_object_get(o, name);
    if (v == NULL) {
        return 0;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max) {
        refuse(r, name, "is no whole number in its range");
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

static void get_series(struct reader *r, const json_t *o, struct gm_hwtest_check *c)
{
    const json_t *list = json_object_get(o, "series");
    if (list == NULL) {
        return;
    }
    if (!json_is_array(list) || json_array_size(list) > GM_HWTEST_SERIES) {
        refuse(r, "series", "is no list, or too long");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        double value = json_is_number(v) ? json_number_value(v) : NAN;
        if (!isfinite(value) || fabs(value) > 1e30) {
            refuse(r, "series", "holds something that is no number");
            return;
        }
        c->series[c->series_count++] = (float)value;
    }
}

static void read_check(struct reader *r, const json_t *o, struct gm_hwtest_check *c)
{
    char status[16] = "", better[16] = "neither";
    r->where = "a check";
    memset(c, 0, sizeof(*c));
    get_text(r, o, "device", c->device, sizeof(c->device));
    get_text(r, o, "name", c->name, sizeof(c->name));
    get_text(r, o, "status", status, sizeof(status));
    get_text(r, o, "unit", c->unit, sizeof(c->unit));
    get_text(r, o, "better", better, sizeof(better));
    get_text(r, o, "sha256", c->hash, sizeof(c->hash));
    get_text(r, o, "text", c->text, sizeof(c->text));
    get_text(r, o, "remedy", c->remedy, sizeof(c->remedy));
    c->level = (uint32_t)get_whole(r, o, "level", GM_HWTEST_LEVEL_MAX);
    c->took_ms = (uint32_t)get_whole(r, o, "took_ms", UINT32_MAX);
    c->has_value = get_number(r, o, "value", &c->value);
    c->has_low = get_number(r, o, "low", &c->low);
    c->has_high = get_number(r, o, "high", &c->high);
    get_series(r, o, c);
    if (c->device[0] == '\0' || c->name[0] == '\0') {
        refuse(r, "name", "or its device is missing");
    }
    if (!gm_hwtest_status_find(status, &c->status)) {
        refuse(r, "status", "is unknown");
    }
    c->better = strcmp(better, "higher") == 0  ? GM_HWTEST_HIGHER
                : strcmp(better, "lower") == 0 ? GM_HWTEST_LOWER
                                               : GM_HWTEST_NEITHER;
}

static void read_device(struct reader *r, const json_t *o, struct gm_hwtest_device *d)
{
    r->where = "a device";
    memset(d, 0, sizeof(*d));
    get_text(r, o, "id", d->id, sizeof(d->id));
    get_text(r, o, "uuid", d->uuid, sizeof(d->uuid));
    get_text(r, o, "name", d->name, sizeof(d->name));
    get_text(r, o, "kind", d->kind, sizeof(d->kind));
    get_text(r, o, "driver", d->driver, sizeof(d->driver));
    get_text(r, o, "description", d->sentence, sizeof(d->sentence));
    d->fake = json_is_true(json_object_get(o, "fake"));
    if (d->id[0] == '\0') {
        refuse(r, "id", "is missing");
    }
}

static void read_clip(struct reader *r, const json_t *o, struct gm_hwtest_clip *c)
{
    r->where = "a clip";
    memset(c, 0, sizeof(*c));
    get_text(r, o, "name", c->name, sizeof(c->name));
    get_text(r, o, "sha256", c->hash, sizeof(c->hash));
    c->width_px = (uint32_t)get_whole(r, o, "width", UINT32_MAX);
    c->height_px = (uint32_t)get_whole(r, o, "height", UINT32_MAX);
    c->frames = (uint32_t)get_whole(r, o, "frames", UINT32_MAX);
    c->size_bytes = get_whole(r, o, "bytes", INT64_MAX);
}

static void read_version(struct reader *r, const json_t *o, struct gm_hwtest_version *v)
{
    r->where = "a version";
    memset(v, 0, sizeof(*v));
    get_text(r, o, "device", v->device, sizeof(v->device));
    get_text(r, o, "name", v->name, sizeof(v->name));
    get_text(r, o, "version", v->version, sizeof(v->version));
}

/* The list of that name; an absent one is empty. */
static const json_t *get_list(struct reader *r, const json_t *root, const char *name)
{
    const json_t *list = json_object_get(root, name);
    r->where = "the report";
    if (list != NULL && !json_is_array(list)) {
        refuse(r, name, "is no list");
        list = NULL;
    }
    return list;
}

static void read_lists(struct reader *r, const json_t *root, struct gm_hwtest_report *out)
{
    struct gm_hwtest_check check;
    struct gm_hwtest_device device;
    struct gm_hwtest_version version;
    struct gm_hwtest_clip clip;
    const json_t *list = get_list(r, root, "devices");
    for (size_t i = 0; r->rc == 0 && i < json_array_size(list); i++) {
        read_device(r, json_array_get(list, i), &device);
        r->rc = r->rc == 0 ? gm_hwtest_add_device(out, &device, r->err) : r->rc;
    }
    list = get_list(r, root, "versions");
    for (size_t i = 0; r->rc == 0 && i < json_array_size(list); i++) {
        read_version(r, json_array_get(list, i), &version);
        r->rc = r->rc == 0 ? gm_hwtest_add_version(out, &version, r->err) : r->rc;
    }
    list = get_list(r, root, "clips");
    for (size_t i = 0; r->rc == 0 && i < json_array_size(list); i++) {
        read_clip(r, json_array_get(list, i), &clip);
        r->rc = r->rc == 0 ? gm_hwtest_add_clip(out, &clip, r->err) : r->rc;
    }
    list = get_list(r, root, "checks");
    for (size_t i = 0; r->rc == 0 && i < json_array_size(list); i++) {
        read_check(r, json_array_get(list, i), &check);
        r->rc = r->rc == 0 ? gm_hwtest_add(out, &check, r->err) : r->rc;
    }
}

int gm_hwtest_read(const void *data, size_t size, struct gm_hwtest_report *out, struct gm_err *err)
{
    json_error_t why;
    struct reader r = {.err = err, .where = "the report"};
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        return gm_err_set(err, GM_E_INVAL, why.line, "line %d is no JSON: %.100s", why.line,
                          why.text);
    }
    const json_t *version = json_object_get(root, "hwtest");
    if (!json_is_integer(version)) {
        r.rc = gm_err_set(err, GM_E_INVAL, 0, "it is no report of gopmill-hwtest");
    } else if (json_integer_value(version) != GM_HWTEST_VERSION) {
        r.rc = gm_err_set(err, GM_E_INVAL, json_integer_value(version),
                          "it is a report of version %lld, not %d",
                          (long long)json_integer_value(version), GM_HWTEST_VERSION);
    }
    if (r.rc == 0) {
        get_text(&r, root, "libraries", out->libraries, sizeof(out->libraries));
        get_text(&r, root, "machine", out->machine, sizeof(out->machine));
        get_text(&r, root, "filter", out->filter, sizeof(out->filter));
        get_text(&r, root, "baseline", out->baseline, sizeof(out->baseline));
        out->quick = json_is_true(json_object_get(root, "short"));
        out->only = json_is_true(json_object_get(root, "only"));
        out->level = (uint32_t)get_whole(&r, root, "level", GM_HWTEST_LEVEL_MAX);
        out->started_unix_ms = (int64_t)get_whole(&r, root, "started_unix_ms", INT64_MAX);
        out->took_ms = (int64_t)get_whole(&r, root, "took_ms", INT64_MAX);
        read_lists(&r, root, out);
    }
    json_decref(root);
    return r.rc;
}
