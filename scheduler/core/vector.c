/* Vectors of capacity: what devices and their nodes have, and what leases take of it.
 *
 * Slots, encoder sessions and processor are a device's. Memory and scratch are the node's: its
 * devices share them, so that one can have what the other does not need. A node that does not tell
 * what it has as a whole (the release before) tells each device's part, which counts then.
 *
 * Tasks of a GPU need a processor each, which reads, decodes and writes for them. So tasks of the
 * processors leave as many alone as GPUs of their node have slots, but for one.
 */
#include <string.h>

#include "scheduler/core/lease.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)
#define ONE_CPU 1000u /* what every task asks for (task_types.c) */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* For a task of each slot. */
static uint64_t feeders(const struct gm_cnode *node)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        sum += d->is_cpu ? 0 : smaller(d->usable.cpu_milli, d->usable.slots * ONE_CPU);
    }
    return sum;
}

struct gm_capacity gm_core_usable(const struct gm_cdevice *d)
{
    struct gm_capacity usable = d->usable;
    const struct gm_cnode *node = d->node;
    if (!node->shares) {
        return usable;
    }
    usable.memory_bytes = node->whole.memory_bytes;
    usable.scratch_bytes = node->whole.scratch_bytes;
    if (d->is_cpu) {
        uint64_t fed = feeders(node), all = node->whole.cpu_milli;
        uint64_t left = all > fed + ONE_CPU ? all - fed : smaller(all, ONE_CPU);
        usable.cpu_milli = smaller(usable.cpu_milli, left);
    }
    return usable;
}

struct gm_capacity gm_core_used(const struct gm_cdevice *d)
{
    struct gm_capacity used = d->used;
    if (d->node->shares) {
        used.memory_bytes = d->node->used.memory_bytes;
        used.scratch_bytes = d->node->used.scratch_bytes;
    }
    return used;
}

static void change(struct gm_capacity *used, const struct gm_capacity *demand, bool back)
{
    for (int k = 0; k < GM_DIMS; k++) {
        GM_ASSERT(!back || used->v[k] >= demand->v[k]);
        used->v[k] = back ? used->v[k] - demand->v[k] : used->v[k] + demand->v[k];
    }
}

void gm_core_use(struct gm_core *core, struct gm_cdevice *device, const struct gm_capacity *demand,
                 bool back)
{
    struct gm_cnode *node = device->node;
    change(&device->used, demand, back);
    change(&node->used, demand, back);
    for (size_t i = 0; i < node->device_count; i++) {
        if (node->shares || &node->devices[i] == device) {
            gm_devices_note(core, &node->devices[i], !back);
        }
    }
}

static struct gm_capacity floor_of(const struct gm_capacity *usable, const struct gm_capacity *used)
{
    struct gm_capacity floor = *usable;
    for (int k = 0; k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || usable->v[k] > 0;
        floor.v[k] = limited && used->v[k] > usable->v[k] ? used->v[k] : usable->v[k];
    }
    return floor;
}

void gm_core_node_resized(struct gm_core *core, struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_capacity usable = gm_core_usable(&node->devices[i]);
        const struct gm_capacity used = gm_core_used(&node->devices[i]);
        node->devices[i].floor = floor_of(&usable, &used);
    }
    gm_devices_note_node(core, node);
}

static int check_sums(const struct gm_cnode *node, struct gm_err *err)
{
    struct gm_capacity all = {.slots = 0};
    uint64_t leases = 0;
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        struct gm_capacity sum = {.slots = 0};
        uint64_t busy = 0;
        const struct gm_lease *lease;
        DL_FOREACH2(node->leases, lease, node_next)
        {
            if (lease->device == d) {
                change(&sum, &lease->demand, false);
                busy += lease->busy_milli;
                leases++;
            }
        }
        change(&all, &sum, false);
        if (memcmp(&sum, &d->used, sizeof(sum)) != 0 || busy != d->busy_milli) {
            return BROKEN("node %s: device %s is not used as counted", node->id, d->id);
        }
    }
    if (memcmp(&all, &node->used, sizeof(all)) != 0) {
        return BROKEN("node %s is not used as counted", node->id);
    }
    return leases == node->lease_count ? 0 : BROKEN("node %s: leases are miscounted", node->id);
}

int gm_core_node_check_used(const struct gm_cnode *node, struct gm_err *err)
{
    int rc = check_sums(node, err);
    for (size_t i = 0; rc == 0 && i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        const struct gm_capacity used = gm_core_used(d);
        for (int k = 0; rc == 0 && k < GM_DIMS; k++) {
            bool limited = k < GM_DIM_SESSIONS || d->floor.v[k] > 0;
            if (limited && used.v[k] > d->floor.v[k]) {
                rc = BROKEN("node %s: device %s is overcommitted", node->id, d->id);
            }
        }
    }
    return rc;
}
