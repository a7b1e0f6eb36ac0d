/* See: https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format". */
#include "scheduler/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define WHOLE 9007199254740992.0 /* up to here a double has all whole numbers */

static const struct gm_metric_info INFOS[GM_METRICS] = {
#define GM_METRIC(name, text, type, labels, help)                                                  \
    [GM_METRIC_##name] = {text, GM_METRIC_##type, labels, help},
#include "scheduler/metrics.def"
#undef GM_METRIC
};

const struct gm_metric_info *gm_metric_get(enum gm_metric metric)
{
    return &INFOS[metric];
}

void gm_metrics_begin(struct gm_buf *out, enum gm_metric metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct gm_metric_info *info = &INFOS[metric];
    gm_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help, info->name,
                  types[info->type]);
}

/* Quoted; s is anything. */
static void add_text(struct gm_buf *out, const char *s)
{
    gm_buf_str(out, "\"");
    while (*s != '\0') {
        size_t n = gm_utf8_length(s);
        if (n == 0) {
            gm_buf_str(out, "?");
            n = 1;
        } else if (*s == '\\' || *s == '"') {
            gm_buf_printf(out, "\\%c", *s);
        } else if (*s == '\n') {
            gm_buf_str(out, "\\n");
        } else {
            gm_buf_add(out, s, n);
        }
        s += n;
    }
    gm_buf_str(out, "\"");
}

/* values: of each name, NULL where there are no names. le: NULL: none. */
static void add_labels(struct gm_buf *out, const char *names, const char *const *values,
                       const char *le)
{
    bool any = false;
    for (size_t i = 0; values != NULL && *names != '\0'; i++) {
        size_t n = strcspn(names, ",");
        gm_buf_str(out, any ? "," : "{");
        gm_buf_add(out, names, n);
        gm_buf_str(out, "=");
        add_text(out, values[i]);
        names += names[n] == ',' ? n + 1 : n;
        any = true;
    }
    if (le != NULL) {
        gm_buf_printf(out, "%sle=\"%s\"", any ? "," : "{", le);
        any = true;
    }
    gm_buf_str(out, any ? "} " : " ");
}

static void add_number(struct gm_buf *out, double v)
{
    if (fabs(v) < WHOLE && floor(v) == v) {
        gm_buf_printf(out, "%.0f\n", v);
    } else {
        gm_buf_printf(out, "%.15g\n", v);
    }
}

void gm_metrics_add(struct gm_buf *out, enum gm_metric metric, const char *const *labels,
                    double value)
{
    gm_buf_str(out, INFOS[metric].name);
    add_labels(out, INFOS[metric].labels, labels, NULL);
    add_number(out, value);
}

void gm_metrics_one(struct gm_buf *out, enum gm_metric metric, double value)
{
    gm_metrics_begin(out, metric);
    gm_metrics_add(out, metric, NULL, value);
}

void gm_metrics_add_histogram(struct gm_buf *out, enum gm_metric metric, const char *const *labels,
                              const struct gm_bounds *bounds, const struct gm_histogram *histogram)
{
    const struct gm_metric_info *info = &INFOS[metric];
    uint64_t count = 0;
    for (uint32_t i = 0; i <= bounds->count; i++) {
        char le[32] = "+Inf";
        count += histogram->counts[i];
        if (i < bounds->count) {
            (void)snprintf(le, sizeof le, "%.9g", (double)bounds->upper[i] / 1e9);
        }
        gm_buf_printf(out, "%s_bucket", info->name);
        add_labels(out, info->labels, labels, le);
        gm_buf_printf(out, "%" PRIu64 "\n", count);
    }
    gm_buf_printf(out, "%s_sum", info->name);
    add_labels(out, info->labels, labels, NULL);
    add_number(out, (double)histogram->sum_ns / 1e9);
    gm_buf_printf(out, "%s_count", info->name);
    add_labels(out, info->labels, labels, NULL);
    gm_buf_printf(out, "%" PRIu64 "\n", count);
}
