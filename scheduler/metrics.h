#ifndef GM_SCHEDULER_METRICS_H
#define GM_SCHEDULER_METRICS_H

#include "common/buf.h"
#include "common/histogram.h"

/* The text that Prometheus reads, format 0.0.4: names, kinds and labels of metrics.def, and the
 * values that the caller has. Pure. Each metric is begun once, in the order of that file, and its
 * values follow. What fails is in `out`: gm_buf_check. Thread: any.
 */
#define GM_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define GM_METRIC_LABELS 3 /* at most */

enum gm_metric {
#define GM_METRIC(name, text, type, labels, help) GM_METRIC_##name,
#include "scheduler/metrics.def"
#undef GM_METRIC
    GM_METRICS
};
enum gm_metric_type { GM_METRIC_COUNTER, GM_METRIC_GAUGE, GM_METRIC_HISTOGRAM };
struct gm_metric_info {
    const char *name;
    enum gm_metric_type type;
    const char *labels; /* names, comma-separated; "": none */
    const char *help;   /* one sentence */
};
const struct gm_metric_info *gm_metric_get(enum gm_metric metric);

/* HELP and TYPE. */
void gm_metrics_begin(struct gm_buf *out, enum gm_metric metric);
/* One value. labels: values of the labels, in their order, as many as it has; any bytes: what is no
 * UTF-8 becomes '?'. NULL where it has none. */
void gm_metrics_add(struct gm_buf *out, enum gm_metric metric, const char *const *labels,
                    double value);
void gm_metrics_add_histogram(struct gm_buf *out, enum gm_metric metric, const char *const *labels,
                              const struct gm_bounds *bounds, const struct gm_histogram *histogram);
/* Both of a metric without labels. */
void gm_metrics_one(struct gm_buf *out, enum gm_metric metric, double value);

/* scheduler/metrics_farm.c: what the core knows of jobs, queue and attempts; and of nodes and
 * devices. Errors: NOMEM. */
struct gm_core;
void gm_metrics_work(struct gm_buf *out, const struct gm_core *core);
int gm_metrics_nodes(struct gm_buf *out, const struct gm_core *core,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
