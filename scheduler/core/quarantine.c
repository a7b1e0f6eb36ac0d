/* Quarantine by operators, and what of watch.c's is kept over a restart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/watch.h"

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool has_device(const struct gm_cnode *node, const char *device)
{
    bool found = device[0] == '\0';
    for (size_t i = 0; !found && i < node->device_count; i++) {
        found = strcmp(node->devices[i].id, device) == 0;
    }
    return found;
}

int gm_core_quarantine(struct gm_core *core, const char *node_id, const char *device,
                       const char *reason, struct gm_err *err)
{
    struct gm_cnode *node = NULL;
    if (reason[0] == '\0' || strlen(reason) >= sizeof(((struct gm_cwatch *)0)->reason) ||
        !is_plain(reason)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "the reason is a line of 1 to %zu bytes without control characters",
                          sizeof(((struct gm_cwatch *)0)->reason) - 1);
    }
    HASH_FIND_STR(core->nodes, node_id, node);
    if (!node) {
        return gm_core_node_unknown(core, node_id, err);
    }
    if (!has_device(node, device)) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "node %s has no device %.64s", node_id, device);
    }
    struct gm_cwatch *w = gm_core_watch_make(core, node_id, device);
    if (!w) {
        return gm_err_set(err, GM_E_BUSY, 0, "too many devices are watched or in quarantine");
    }
    w->by_operator = true;
    w->held_until = 0;
    w->reason_unix_ms = core->unix_ms;
    (void)snprintf(w->reason, sizeof w->reason, "%s", reason);
    gm_core_watch_apply(core, w);
    gm_core_row_node(core, node_id);
    gm_core_fx_node(core, "node.quarantined", node_id, device, reason);
    return 0;
}

bool gm_core_watch_resume(struct gm_core *core, const char *node_id, const char *device)
{
    struct gm_cwatch *w, *next;
    bool changed = false;
    HASH_ITER(hh, core->watches, w, next)
    {
        bool mine = strcmp(w->node_id, node_id) == 0 &&
                    (device[0] == '\0' || strcmp(w->device, device) == 0);
        if (mine && (gm_core_watch_is_kept(w) || w->held_until != 0)) {
            changed = true;
            w->by_operator = false;
            w->state = GM_WATCH_OPEN;
            w->held_until = 0;
            w->times = 0;
            w->health.count = 0;
            gm_core_watch_apply(core, w);
            gm_core_fx_node(core, "node.resumed", node_id, w->device, "resumed by the operator");
        }
    }
    if (changed) {
        gm_core_row_node(core, node_id);
    }
    return changed;
}

static int by_device(const void *pa, const void *pb)
{
    return strcmp((*(struct gm_cwatch *const *)pa)->device,
                  (*(struct gm_cwatch *const *)pb)->device);
}

static Gm__QuarantineRow row_of(struct gm_cwatch *w)
{
    Gm__QuarantineRow row = GM__QUARANTINE_ROW__INIT;
    row.device = w->device;
    row.instance = w->instance;
    row.state = (uint32_t)w->state;
    row.why = w->why;
    row.since_unix_ms = w->since_unix_ms;
    row.times = w->times;
    row.by_operator = w->by_operator;
    row.reason = w->reason;
    row.reason_unix_ms = w->reason_unix_ms;
    return row;
}

void gm_core_row_node(struct gm_core *core, const char *node_id)
{
    const struct gm_drained *drained = NULL;
    const struct gm_key key = {.kind = GM_ROW_NODE, .name = (char *)(uintptr_t)node_id};
    size_t count = 0, all = HASH_COUNT(core->watches);
    struct gm_cwatch **list = gm_mem_zalloc((all + 1) * sizeof(*list));
    HASH_FIND_STR(core->drained, node_id, drained);
    for (struct gm_cwatch *w = core->watches; w; w = w->hh.next) {
        if (strcmp(w->node_id, node_id) == 0 && gm_core_watch_is_kept(w)) {
            list[count++] = w;
        }
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), by_device);
    }
    Gm__QuarantineRow *rows = gm_mem_zalloc((count + 1) * sizeof(*rows));
    Gm__QuarantineRow **pointers = gm_mem_zalloc((count + 1) * sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(list[i]);
        pointers[i] = &rows[i];
    }
    if (drained || count > 0) {
        Gm__NodeRow row = GM__NODE_ROW__INIT;
        row.node_id = (char *)(uintptr_t)node_id;
        row.draining = drained != NULL;
        row.restarting = drained && drained->restarting;
        row.instance = row.restarting ? drained->instance : 0;
        row.stays = row.restarting && drained->stays;
        row.quarantines = pointers;
        row.n_quarantines = count;
        gm_core_fx_row(core, &key, &row.base);
    } else {
        gm_core_fx_delete(core, &key);
    }
    free(pointers);
    free(rows);
    free(list);
}

/* The pause begins anew: how much of it was left is not stored. */
void gm_core_watch_load(struct gm_core *core, const Gm__NodeRow *node)
{
    for (size_t i = 0; i < node->n_quarantines && i <= GM_CORE_MAX_DEVICES; i++) {
        const Gm__QuarantineRow *row = node->quarantines[i];
        struct gm_cwatch *w = gm_core_watch_make(core, node->node_id, row->device);
        if (!w || row->state > GM_WATCH_TRIAL) {
            continue;
        }
        w->instance = row->instance;
        w->state = (enum gm_watch_state)row->state;
        (void)snprintf(w->why, sizeof w->why, "%s", row->why);
        w->since_unix_ms = row->since_unix_ms;
        w->times = row->times;
        w->by_operator = row->by_operator;
        (void)snprintf(w->reason, sizeof w->reason, "%s", row->reason);
        w->reason_unix_ms = row->reason_unix_ms;
        w->opened = core->now;
        w->until = core->now + gm_core_watch_pause(w);
    }
}
