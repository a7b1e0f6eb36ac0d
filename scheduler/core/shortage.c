/* What a unit that no device has room for lacks, for `job explain`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"

/* How a dimension is told: in units of 2^shift, or of 1/1000 where it is in thousandths. */
static const struct {
    const char *name;
    uint32_t shift;
    bool thousandths;
} dims[GM_DIMS] = {
    [GM_DIM_SLOTS] = {"free slots", 0, false},
    [GM_DIM_CPU] = {"CPU threads", 0, true},
    [GM_DIM_MEMORY] = {"MiB of memory", 20, false},
    [GM_DIM_SCRATCH] = {"MiB of scratch space", 20, false},
    [GM_DIM_SESSIONS] = {"encoder sessions", 0, false},
    [GM_DIM_DEVICE_MEMORY] = {"MiB of device memory", 20, false},
};

static uint64_t left_of(const struct gm_cdevice *d, int k)
{
    uint64_t usable = gm_core_usable(d).v[k], used = gm_core_used(d).v[k];
    bool limited = k < GM_DIM_SESSIONS || usable > 0;
    uint64_t left = usable > used ? usable - used : 0;
    return limited ? left : UINT64_MAX;
}

static uint32_t count_short(const struct gm_cdevice *d, const struct gm_capacity *demand)
{
    uint32_t count = 0;
    for (int k = 0; k < GM_DIMS; k++) {
        count += left_of(d, k) < demand->v[k] ? 1 : 0;
    }
    return count;
}

/* The one that lacks least, of equal ones the first. out_alone: none could hold it. */
static const struct gm_cdevice *find_closest(const struct gm_core *core,
                                             const struct gm_chain_wish *wish,
                                             const struct gm_capacity *demand, bool *out_alone)
{
    const struct gm_classes classes = gm_devices_classes(core, wish);
    const struct gm_cdevice *closest = NULL;
    uint32_t least = 0;
    *out_alone = true;
    for (size_t c = 0; c < classes.count; c++) {
        const struct gm_class *class = classes.list[c];
        for (size_t i = 0; i < class->count; i++) {
            const struct gm_cdevice *d = class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK];
            if (!gm_core_node_is_open(d->node) || d->usable.slots == 0) {
                continue;
            }
            const struct gm_capacity usable = gm_core_usable(d);
            uint32_t count = count_short(d, demand);
            *out_alone = *out_alone && !gm_core_could_hold(&usable, demand);
            if (!closest || count < least || (count == least && d->order < closest->order)) {
                closest = d;
                least = count;
            }
        }
    }
    return least > 0 ? closest : NULL;
}

static void number(int k, uint64_t v, bool up, char out[32])
{
    uint64_t more = up ? (UINT64_C(1) << dims[k].shift) - 1 : 0;
    if (dims[k].thousandths) {
        (void)snprintf(out, 32, "%" PRIu64 ".%" PRIu64, v / 1000, v / 100 % 10);
    } else {
        (void)snprintf(out, 32, "%" PRIu64, (v + more) >> dims[k].shift);
    }
}

bool gm_core_shortage(const struct gm_core *core, const struct gm_chain_wish *wish,
                      const struct gm_capacity *demand, char out[240])
{
    bool alone;
    const struct gm_cdevice *d = find_closest(core, wish, demand, &alone);
    size_t size = 0;
    for (int k = 0; d && k < GM_DIMS; k++) {
        const struct gm_capacity usable = gm_core_usable(d);
        char takes[32], left[32], whole[32];
        if (left_of(d, k) >= demand->v[k]) {
            continue;
        }
        number(k, demand->v[k], true, takes);
        number(k, left_of(d, k), false, left);
        number(k, usable.v[k], false, whole);
        int more = size == 0 ? snprintf(out, 240,
                                        "It takes %s %s, of which %.40s of node %.64s has %s of %s "
                                        "left",
                                        takes, dims[k].name, d->id, d->node->id, left, whole)
                             : snprintf(out + size, 240 - size, "; %s %s, of %s of %s", takes,
                                        dims[k].name, left, whole);
        size = size + (size_t)more < 240 ? size + (size_t)more : 239;
    }
    if (d && alone) {
        (void)snprintf(out + size, 240 - size, "; none has so much, it waits for an idle one");
    }
    return d != NULL;
}
