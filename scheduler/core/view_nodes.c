/* Views of nodes, and totals. */
#include <stdlib.h>
#include <string.h>

#include "common/yaml.h"
#include "scheduler/core/counts.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/mem.h"
#include "scheduler/core/node.h"
#include "scheduler/core/place.h"
#include "scheduler/core/times.h"
#include "scheduler/core/view_nodes.h"
#include "scheduler/core/watch.h"

const char *gm_view_lease_job(const struct gm_core *core, uint64_t epoch)
{
    const struct gm_lease *lease = NULL;
    HASH_FIND(hh, core->leases, &epoch, sizeof(epoch), lease);
    return lease ? lease->job->id : NULL;
}

const char *gm_view_lease_source(const struct gm_core *core, uint64_t epoch, const char *node_id)
{
    const struct gm_lease *lease = NULL;
    HASH_FIND(hh, core->leases, &epoch, sizeof(epoch), lease);
    return lease && strcmp(lease->node->id, node_id) == 0 ? lease->job->source_url : NULL;
}

bool gm_view_has_source(const struct gm_core *core, const char *source_url)
{
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (!gm_job_state_is_final(job->state) && strcmp(job->source_url, source_url) == 0) {
            return true;
        }
    }
    return false;
}

static struct gm_quarantine_view
fill_quarantine(const struct gm_core *core, const struct gm_cnode *node, const struct gm_cdevice *d)
{
    const struct gm_cwatch *all = core->watches ? gm_core_watch_find(core, node->id, "") : NULL;
    const struct gm_cwatch *w = d->watch && d->watch->by_operator ? d->watch : all ? all : d->watch;
    struct gm_quarantine_view v = {.state = "", .why = ""};
    if (w && w->by_operator) {
        v = (struct gm_quarantine_view){.state = "quarantined",
                                        .by_operator = true,
                                        .why = w->reason,
                                        .since_unix_ms = w->reason_unix_ms};
    } else if (w && w->state != GM_WATCH_OPEN) {
        v = (struct gm_quarantine_view){.state =
                                            w->state == GM_WATCH_CLOSED ? "quarantined" : "trial",
                                        .why = w->why,
                                        .since_unix_ms = w->since_unix_ms};
    }
    if (w && w->held_until != 0) {
        v.state = "held";
        v.why = "what it was given last failed: it is seen whether that passes elsewhere";
    }
    return v;
}

static struct gm_capacity left_of(const struct gm_cdevice *d)
{
    struct gm_capacity left = gm_core_usable(d);
    const struct gm_capacity used = gm_core_used(d);
    for (int k = 0; k < GM_DIMS; k++) {
        left.v[k] = left.v[k] > used.v[k] ? left.v[k] - used.v[k] : 0;
    }
    return left;
}

const char *gm_core_held(const struct gm_core *core, const struct gm_cnode *node,
                         const struct gm_cdevice *device)
{
    return fill_quarantine(core, node, device).state;
}

const char *gm_count_node_name(enum gm_count_node state)
{
    static const char *const names[GM_COUNT_NODE_STATES] = {[GM_COUNT_CONNECTED] = "connected",
                                                            [GM_COUNT_DRAINING] = "draining",
                                                            [GM_COUNT_RESTARTING] = "restarting",
                                                            [GM_COUNT_GONE] = "gone"};
    return names[state];
}

static enum gm_count_node state_of(const struct gm_core *core, const struct gm_cnode *node)
{
    return gm_core_is_restarting(core, node) ? GM_COUNT_RESTARTING
           : node->draining                  ? GM_COUNT_DRAINING
           : node->connected                 ? GM_COUNT_CONNECTED
                                             : GM_COUNT_GONE;
}

const char *gm_core_node_state(const struct gm_core *core, const struct gm_cnode *node)
{
    return gm_count_node_name(state_of(core, node));
}

static int fill_node(const struct gm_core *core, const struct gm_cnode *node,
                     struct gm_node_view *out)
{
    enum gm_count_node state = state_of(core, node);
    *out = (struct gm_node_view){.id = node->id,
                                 .hostname = node->hostname,
                                 .build = node->build,
                                 .protocol = node->protocol,
                                 .state = gm_count_node_name(state),
                                 .connected = node->connected,
                                 .draining = node->draining,
                                 .restarts = node->restarts,
                                 .restarting = state == GM_COUNT_RESTARTING,
                                 .instance = node->instance,
                                 .connected_unix_ms = node->connected_unix_ms,
                                 .seen_unix_ms = node->seen_unix_ms,
                                 .notes = node->notes,
                                 .note_count = node->note_count};
    out->devices = calloc(node->device_count + 1, sizeof(*out->devices));
    out->leases = calloc(node->lease_count + 1, sizeof(*out->leases));
    if (!out->devices || !out->leases) {
        return -GM_E_NOMEM;
    }
    out->device_count = node->device_count;
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        out->devices[i] = (struct gm_device_view){.id = d->id,
                                                  .kind = d->kind,
                                                  .description = d->description,
                                                  .facts = d->facts,
                                                  .capacity = gm_core_usable(d),
                                                  .used = d->used,
                                                  .left = left_of(d),
                                                  .quarantine = fill_quarantine(core, node, d)};
    }
    const struct gm_lease *l;
    DL_FOREACH2(node->leases, l, node_next)
    {
        out->leases[out->lease_count++] =
            (struct gm_lease_view){.job_id = l->job->id,
                                   .task = l->inst->task->name,
                                   .type = l->inst->task->type->name,
                                   .instance = l->inst->number,
                                   .first_chunk = l->attempt->first_chunk,
                                   .chunks = l->chunk_count,
                                   .device = l->device->id,
                                   .attempt = l->attempt->number,
                                   .started_unix_ms = l->attempt->started_unix_ms,
                                   .frames_done = l->frames_done,
                                   .frames_total = l->frames_total,
                                   .left = l->cancelling ? 0 : gm_core_lease_left(core, l),
                                   .demand = l->demand,
                                   .cancelling = l->cancelling};
    }
    return 0;
}

int gm_view_nodes(const struct gm_core *core, struct gm_nodes_view *out, struct gm_err *err)
{
    struct gm_nodes_view v = {.rows = calloc(HASH_COUNT(core->nodes) + 1, sizeof(*v.rows))};
    if (!v.rows) {
        return gm_err_nomem(err);
    }
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        if (fill_node(core, node, &v.rows[v.count++]) < 0) {
            gm_view_nodes_fini(&v);
            return gm_err_nomem(err);
        }
    }
    *out = v;
    return 0;
}

/* Anybody may ask for names that are none, and the core answers nothing else meanwhile. */
#define ALIKE_NODES 1000

/* The nodes that are called nearly so; in a larger farm none is looked for. */
static size_t find_alike(const struct gm_core *core, const char *node_id,
                         const char *near[GM_SUGGEST_MAX])
{
    size_t count = 0;
    if (HASH_COUNT(core->nodes) > ALIKE_NODES) {
        return 0;
    }
    const char **names = gm_mem_zalloc((HASH_COUNT(core->nodes) + 1) * sizeof(*names));
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        names[count++] = node->id;
    }
    count = gm_suggest_few(node_id, names, near, GM_SUGGEST_MAX);
    free(names);
    return count;
}

int gm_core_node_unknown(const struct gm_core *core, const char *node_id, struct gm_err *err)
{
    const char *near[GM_SUGGEST_MAX] = {NULL};
    size_t count = find_alike(core, node_id, near);
    switch (count) {
    case 0:
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no node is called %.64s", node_id);
    case 1:
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no node is called %.64s, did you mean `%s`?",
                          node_id, near[0]);
    case 2:
        return gm_err_set(err, GM_E_NOTFOUND, 0,
                          "no node is called %.64s, did you mean `%s` or `%s`?", node_id, near[0],
                          near[1]);
    default:
        return gm_err_set(err, GM_E_NOTFOUND, 0,
                          "no node is called %.64s, did you mean `%s`, `%s` or `%s`?", node_id,
                          near[0], near[1], near[2]);
    }
}

int gm_view_node(const struct gm_core *core, const char *node_id, struct gm_nodes_view *out,
                 struct gm_err *err)
{
    struct gm_nodes_view v = {.count = 0};
    const struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, node_id, node);
    if (!node) {
        return gm_core_node_unknown(core, node_id, err);
    }
    v.rows = calloc(1, sizeof(*v.rows));
    if (!v.rows) {
        return gm_err_nomem(err);
    }
    v.count = 1;
    if (fill_node(core, node, &v.rows[0]) < 0) {
        gm_view_nodes_fini(&v);
        return gm_err_nomem(err);
    }
    *out = v;
    return 0;
}

void gm_view_nodes_fini(struct gm_nodes_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        free(view->rows[i].devices);
        free(view->rows[i].leases);
    }
    free(view->rows);
    memset(view, 0, sizeof(*view));
}

uint64_t gm_view_unfinished(const struct gm_core_totals *totals)
{
    uint64_t n = 0;
    for (int s = 0; s < GM_JOB_STATES; s++) {
        n += gm_job_state_is_final((enum gm_job_state)s) ? 0 : totals->jobs[s];
    }
    return n;
}

void gm_view_totals(const struct gm_core *core, struct gm_core_totals *out)
{
    uint64_t unused;
    *out = (struct gm_core_totals){0};
    memcpy(out->jobs, core->job_states, sizeof(out->jobs));
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        out->nodes_connected += node->connected ? 1 : 0;
    }
    out->slots = gm_core_slots(core, NULL, &unused);
    out->slots_used = out->slots - unused;
    out->leases = HASH_COUNT(core->leases);
}

void gm_view_node_counts(const struct gm_core *core, struct gm_count_nodes *out)
{
    *out = (struct gm_count_nodes){.cache_bytes = 0};
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        uint64_t kept = node->connected ? node->told.cache_bytes : 0;
        out->states[state_of(core, node)]++;
        out->cache_bytes += kept < GM_CORE_MAX_CACHE ? kept : GM_CORE_MAX_CACHE;
    }
}

static const char *device_state(const struct gm_core *core, const struct gm_cnode *node,
                                const struct gm_cdevice *device)
{
    const char *held = fill_quarantine(core, node, device).state;
    return !gm_core_node_is_open(node)  ? "closed"
           : held[0] != '\0'            ? held
           : device->offered.slots == 0 ? "listed"
                                        : "usable";
}

void gm_view_each_device(const struct gm_core *core,
                         void (*fn)(const struct gm_count_device *device, void *arg), void *arg)
{
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        for (size_t i = 0; i < node->device_count; i++) {
            const struct gm_cdevice *d = &node->devices[i];
            const struct gm_count_device told = {.node = node->id,
                                                 .id = d->id,
                                                 .kind = gm_count_kind_of(d->kind),
                                                 .state = device_state(core, node, d),
                                                 .capacity = gm_core_usable(d),
                                                 .used = d->used};
            fn(&told, arg);
        }
    }
}
