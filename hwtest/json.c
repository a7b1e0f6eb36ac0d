/* The JSON document and its members: docs/hwtest.md. */
#include "hwtest/results.h"

#include <inttypes.h>
#include <string.h>

#include "common/time.h"

static void member(const char *name, const char *text, struct gm_buf *out)
{
    gm_buf_printf(out, "\"%s\": ", name);
    gm_buf_json(out, text);
    gm_buf_str(out, ", ");
}

static void optional(const char *name, bool has, double value, struct gm_buf *out)
{
    if (has) {
        gm_buf_printf(out, "\"%s\": %.9g, ", name, value);
    }
}

static void add_devices(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    gm_buf_str(out, "\"devices\": [");
    for (size_t i = 0; i < r->device_count; i++) {
        const struct gm_hwtest_device *d = &r->devices[i];
        gm_buf_str(out, i == 0 ? "\n  {" : ",\n  {");
        member("id", d->id, out);
        member("uuid", d->uuid, out);
        member("name", d->name, out);
        member("kind", d->kind, out);
        member("driver", d->driver, out);
        member("description", d->sentence, out);
        gm_buf_printf(out, "\"fake\": %s}", d->fake ? "true" : "false");
    }
    gm_buf_str(out, "],\n");
}

static void add_versions(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    gm_buf_str(out, "\"versions\": [");
    for (size_t i = 0; i < r->version_count; i++) {
        const struct gm_hwtest_version *v = &r->versions[i];
        gm_buf_str(out, i == 0 ? "\n  {" : ",\n  {");
        member("device", v->device, out);
        member("name", v->name, out);
        gm_buf_str(out, "\"version\": ");
        gm_buf_json(out, v->version);
        gm_buf_str(out, "}");
    }
    gm_buf_str(out, "],\n");
}

static void add_clips(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    gm_buf_str(out, "\"clips\": [");
    for (size_t i = 0; i < r->clip_count; i++) {
        const struct gm_hwtest_clip *c = &r->clips[i];
        gm_buf_str(out, i == 0 ? "\n  {" : ",\n  {");
        member("name", c->name, out);
        member("sha256", c->hash, out);
        gm_buf_printf(out,
                      "\"width\": %" PRIu32 ", \"height\": %" PRIu32 ", \"frames\": %" PRIu32
                      ", \"bytes\": %" PRIu64 "}",
                      c->width_px, c->height_px, c->frames, c->size_bytes);
    }
    gm_buf_str(out, "],\n");
}

static void add_check(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    static const char *const better[] = {"neither", "higher", "lower"};
    gm_buf_str(out, "{");
    member("device", c->device, out);
    member("name", c->name, out);
    gm_buf_printf(out, "\"level\": %" PRIu32 ", ", c->level);
    member("status", gm_hwtest_status_name(c->status), out);
    optional("value", c->has_value, c->value, out);
    member("unit", c->unit, out);
    optional("low", c->has_low, c->low, out);
    optional("high", c->has_high, c->high, out);
    member("better", better[c->better], out);
    member("sha256", c->hash, out);
    member("text", c->text, out);
    member("remedy", c->remedy, out);
    gm_buf_printf(out, "\"took_ms\": %" PRIu32 ", \"series\": [", c->took_ms);
    for (size_t i = 0; i < c->series_count; i++) {
        gm_buf_printf(out, "%s%.6g", i == 0 ? "" : ", ", (double)c->series[i]);
    }
    gm_buf_str(out, "]}");
}

void gm_hwtest_json(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    struct gm_hwtest_verdict verdict;
    char date[25];
    gm_hwtest_judge(r, &verdict);
    gm_buf_printf(out, "{\"hwtest\": %d, ", GM_HWTEST_VERSION);
    gm_buf_printf(out, "\"level\": %" PRIu32 ", ", r->level);
    gm_buf_printf(out, "\"short\": %s, \"only\": %s, ", r->quick ? "true" : "false",
                  r->only ? "true" : "false");
    member("date", gm_time_format(r->started_unix_ms, date), out);
    gm_buf_printf(out, "\"started_unix_ms\": %" PRId64 ", \"took_ms\": %" PRId64 ",\n",
                  r->started_unix_ms, r->took_ms);
    member("verdict", verdict.good ? "good" : "bad", out);
    member("sentence", verdict.sentence, out);
    gm_buf_str(out, "\"counts\": {");
    for (int i = 0; i < GM_HWTEST_STATUSES; i++) {
        gm_buf_printf(out, "%s\"%s\": %zu", i == 0 ? "" : ", ",
                      gm_hwtest_status_name((enum gm_hwtest_status)i), verdict.counts[i]);
    }
    gm_buf_str(out, "},\n");
    member("libraries", r->libraries, out);
    member("machine", r->machine, out);
    member("filter", r->filter, out);
    member("baseline", r->baseline, out);
    gm_buf_str(out, "\n");
    add_devices(r, out);
    add_versions(r, out);
    add_clips(r, out);
    gm_buf_str(out, "\"checks\": [");
    for (size_t i = 0; i < r->check_count; i++) {
        gm_buf_str(out, i == 0 ? "\n  " : ",\n  ");
        add_check(&r->checks[i], out);
    }
    gm_buf_str(out, "]}\n");
}
