/* What the core counts, as metrics. Series of task types that nothing was ever done of are written
 * with 0, so that a rate has a beginning; those of codes begin with their first. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/counts.h"
#include "scheduler/core/task_types.h"
#include "scheduler/metrics.h"

#define MOST_DEVICES 1000u /* with gauges of their own: a farm's text stays below a megabyte */
#define STATES 6

static const char *code_name(int code)
{
    return code == 0 ? "ok" : code == GM_E_CANCELLED ? "cancelled" : gm_code_get(code)->id;
}

static void add_jobs(struct gm_buf *out, const struct gm_core *core, const struct gm_core_counts *c)
{
    struct gm_core_totals totals;
    gm_view_totals(core, &totals);
    gm_metrics_begin(out, GM_METRIC_JOBS);
    for (int s = 0; s < GM_JOB_STATES; s++) {
        const char *const label[] = {gm_job_state_name((enum gm_job_state)s)};
        uint64_t failing =
            s == GM_JOB_RUNNING ? totals.jobs[GM_JOB_FAILING] : 0; /* shown as that */
        if (s != GM_JOB_FAILING) {
            gm_metrics_add(out, GM_METRIC_JOBS, label, (double)(totals.jobs[s] + failing));
        }
    }
    gm_metrics_one(out, GM_METRIC_ACCEPTED, (double)c->accepted);
    gm_metrics_begin(out, GM_METRIC_ENDED);
    for (int code = 0; code < (int)GM_COUNT_CODES; code++) {
        const char *const label[] = {code_name(code)};
        if (c->ended[code] > 0 || code == 0) {
            gm_metrics_add(out, GM_METRIC_ENDED, label, (double)c->ended[code]);
        }
    }
    gm_metrics_one(out, GM_METRIC_MISSED, (double)c->missed);
    gm_metrics_begin(out, GM_METRIC_WAITED);
    gm_metrics_add_histogram(out, GM_METRIC_WAITED, NULL, &gm_count_job_bounds, &c->waited);
    gm_metrics_begin(out, GM_METRIC_LASTED);
    gm_metrics_add_histogram(out, GM_METRIC_LASTED, NULL, &gm_count_job_bounds, &c->lasted);
}

static void add_by_type(struct gm_buf *out, enum gm_metric metric, const uint64_t *values)
{
    const struct gm_core_task_type *types = gm_core_task_type_list();
    gm_metrics_begin(out, metric);
    for (size_t t = 0; t < GM_COUNT_TYPES; t++) {
        const char *const label[] = {types[t].name};
        gm_metrics_add(out, metric, label, (double)values[t]);
    }
}

static void add_attempts(struct gm_buf *out, const struct gm_core_counts *c)
{
    const struct gm_core_task_type *types = gm_core_task_type_list();
    gm_metrics_begin(out, GM_METRIC_ATTEMPTS);
    for (size_t t = 0; t < GM_COUNT_TYPES; t++) {
        for (int code = 0; code < (int)GM_COUNT_CODES; code++) {
            const char *const labels[] = {types[t].name, code_name(code)};
            if (c->attempts[t][code] > 0 || code == 0) {
                gm_metrics_add(out, GM_METRIC_ATTEMPTS, labels, (double)c->attempts[t][code]);
            }
        }
    }
    gm_metrics_begin(out, GM_METRIC_TOOK);
    for (size_t t = 0; t < GM_COUNT_TYPES; t++) {
        const char *const label[] = {types[t].name};
        gm_metrics_add_histogram(out, GM_METRIC_TOOK, label, &gm_count_task_bounds, &c->took[t]);
    }
}

static void add_by_kind(struct gm_buf *out, enum gm_metric metric, const double *values)
{
    gm_metrics_begin(out, metric);
    for (int k = 0; k < GM_COUNT_KINDS; k++) {
        const char *const label[] = {gm_count_kind_name((enum gm_count_kind)k)};
        gm_metrics_add(out, metric, label, values[k]);
    }
}

void gm_metrics_work(struct gm_buf *out, const struct gm_core *core)
{
    const struct gm_core_counts *c = gm_view_counts(core);
    double frames[GM_COUNT_KINDS], pixels[GM_COUNT_KINDS];
    for (int k = 0; k < GM_COUNT_KINDS; k++) {
        frames[k] = (double)c->frames[k];
        pixels[k] = (double)c->pixels[k];
    }
    add_jobs(out, core, c);
    add_by_type(out, GM_METRIC_QUEUE, c->ready);
    gm_metrics_one(out, GM_METRIC_OLDEST, (double)gm_view_oldest(core) / 1e9);
    add_by_kind(out, GM_METRIC_DEMAND, c->demand.sums.seconds);
    gm_metrics_one(out, GM_METRIC_UNKNOWN, (double)c->demand.sums.unknown);
    add_by_type(out, GM_METRIC_LEASES, c->leases);
    add_attempts(out, c);
    add_by_kind(out, GM_METRIC_FRAMES, frames);
    add_by_kind(out, GM_METRIC_PIXELS, pixels);
}

/* ---- nodes and devices */

static const char *const STATE_NAMES[STATES] = {"usable", "held",   "quarantined",
                                                "trial",  "listed", "closed"};

struct gather {
    struct gm_count_device *list; /* owned */
    size_t count, cap, untold;
    bool failed;
    double states[GM_COUNT_KINDS][STATES];
    double slots[GM_COUNT_KINDS], used[GM_COUNT_KINDS];
};

static void on_device(const struct gm_count_device *d, void *arg)
{
    struct gather *g = arg;
    for (int s = 0; s < STATES; s++) {
        g->states[d->kind][s] += strcmp(STATE_NAMES[s], d->state) == 0 ? 1 : 0;
    }
    bool open = strcmp(d->state, "closed") != 0;
    g->slots[d->kind] += open ? (double)d->capacity.slots : 0;
    g->used[d->kind] += (double)d->used.slots;
    if (!open || strcmp(d->state, "listed") == 0) {
        return;
    }
    if (g->count == MOST_DEVICES) {
        g->untold++;
        return;
    }
    if (g->count == g->cap) {
        size_t cap = g->cap > 0 ? g->cap * 2 : 16;
        struct gm_count_device *list = reallocarray(g->list, cap, sizeof *list);
        if (list == NULL) {
            g->failed = true;
            return;
        }
        g->list = list;
        g->cap = cap;
    }
    g->list[g->count++] = *d;
}

/* Of a dimension; where the device has no limit there is none to tell. */
static void add_dim(struct gm_buf *out, const struct gather *g, enum gm_dim dim,
                    enum gm_metric capacity, enum gm_metric used)
{
    for (int of = 0; of < 2; of++) {
        enum gm_metric metric = of == 0 ? capacity : used;
        gm_metrics_begin(out, metric);
        for (size_t i = 0; i < g->count; i++) {
            const struct gm_count_device *d = &g->list[i];
            const char *const labels[] = {d->node, d->id, gm_count_kind_name(d->kind)};
            bool limited = dim == GM_DIM_SLOTS || d->capacity.v[dim] > 0;
            if (d->kind == GM_COUNT_CPU && dim != GM_DIM_SLOTS) {
                continue;
            }
            if (of == 1 || limited) {
                gm_metrics_add(out, metric, labels,
                               (double)(of == 0 ? d->capacity.v[dim] : d->used.v[dim]));
            }
        }
    }
}

static void add_devices(struct gm_buf *out, const struct gather *g)
{
    gm_metrics_begin(out, GM_METRIC_DEVICES);
    for (int k = 0; k < GM_COUNT_KINDS; k++) {
        for (int s = 0; s < STATES; s++) {
            const char *const labels[] = {gm_count_kind_name((enum gm_count_kind)k),
                                          STATE_NAMES[s]};
            gm_metrics_add(out, GM_METRIC_DEVICES, labels, g->states[k][s]);
        }
    }
    add_by_kind(out, GM_METRIC_SLOTS, g->slots);
    add_by_kind(out, GM_METRIC_SLOTS_USED, g->used);
    add_dim(out, g, GM_DIM_SLOTS, GM_METRIC_DEVICE_SLOTS, GM_METRIC_DEVICE_SLOTS_USED);
    add_dim(out, g, GM_DIM_SESSIONS, GM_METRIC_SESSIONS, GM_METRIC_SESSIONS_USED);
    add_dim(out, g, GM_DIM_DEVICE_MEMORY, GM_METRIC_DEVICE_MEMORY, GM_METRIC_DEVICE_MEMORY_USED);
    gm_metrics_one(out, GM_METRIC_UNTOLD, (double)g->untold);
}

int gm_metrics_nodes(struct gm_buf *out, const struct gm_core *core, struct gm_err *err)
{
    const struct gm_core_counts *c = gm_view_counts(core);
    struct gm_count_nodes nodes;
    struct gather g = {.list = NULL};
    gm_view_node_counts(core, &nodes);
    gm_view_each_device(core, on_device, &g);
    gm_metrics_begin(out, GM_METRIC_NODES);
    for (int s = 0; s < GM_COUNT_NODE_STATES; s++) {
        const char *const label[] = {gm_count_node_name((enum gm_count_node)s)};
        gm_metrics_add(out, GM_METRIC_NODES, label, (double)nodes.states[s]);
    }
    add_devices(out, &g);
    gm_metrics_one(out, GM_METRIC_CACHE_HITS, (double)c->cache_hits);
    gm_metrics_one(out, GM_METRIC_CACHE_MISSES, (double)c->cache_misses);
    gm_metrics_one(out, GM_METRIC_CACHE_BYTES, (double)nodes.cache_bytes);
    gm_metrics_one(out, GM_METRIC_READ, (double)c->read_bytes);
    gm_metrics_one(out, GM_METRIC_FETCHED, (double)c->fetched_bytes);
    gm_metrics_one(out, GM_METRIC_WRITTEN, (double)c->written_bytes);
    free(g.list);
    return g.failed ? gm_err_nomem(err) : 0;
}
