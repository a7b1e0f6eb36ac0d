/* Views of nodes, and totals. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

static int fill_node(const struct gm_core *core, const struct gm_cnode *node,
                     struct gm_node_view *out)
{
    *out = (struct gm_node_view){.id = node->id,
                                 .hostname = node->hostname,
                                 .build = node->build,
                                 .state = node->draining    ? "draining"
                                          : node->connected ? "connected"
                                                            : "gone",
                                 .connected = node->connected,
                                 .draining = node->draining,
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
                                                  .capacity = d->usable,
                                                  .used = d->used};
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

void gm_view_nodes_fini(struct gm_nodes_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        free(view->rows[i].devices);
        free(view->rows[i].leases);
    }
    free(view->rows);
    memset(view, 0, sizeof(*view));
}

void gm_view_totals(const struct gm_core *core, struct gm_core_totals *out)
{
    uint64_t unused;
    *out = (struct gm_core_totals){0};
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        out->jobs[job->state]++;
    }
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        out->nodes_connected += node->connected ? 1 : 0;
    }
    out->slots = gm_core_slots(core, NULL, &unused);
    out->slots_used = out->slots - unused;
    out->leases = HASH_COUNT(core->leases);
}
