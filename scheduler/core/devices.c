/* The index of devices: see devices.h. */
#include "scheduler/core/devices.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/keep.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/times.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

struct gm_devices *gm_devices_create(void)
{
    struct gm_devices *devices = gm_mem_zalloc(sizeof(*devices));
    devices->made = 1;
    return devices;
}

void gm_devices_destroy(struct gm_devices *devices)
{
    gm_devices_classes_fini(devices);
    free(devices);
}

static uint64_t rest_of(uint64_t usable, uint64_t used)
{
    return usable > used ? usable - used : 0;
}

struct gm_capacity gm_devices_room(const struct gm_cdevice *d)
{
    struct gm_capacity rest = {.slots = 0};
    const struct gm_capacity usable = gm_core_usable(d), used = gm_core_used(d);
    if (!gm_core_node_is_open(d->node) || used.slots >= usable.slots) {
        return rest;
    }
    for (int k = 0; k < GM_DIM_SESSIONS; k++) {
        if (used.v[k] > usable.v[k]) {
            return rest;
        }
    }
    for (int k = 0; k < GM_DIMS; k++) {
        bool limited = k < GM_DIM_SESSIONS || usable.v[k] > 0;
        rest.v[k] = limited ? rest_of(usable.v[k], used.v[k]) : UINT64_MAX;
    }
    return rest;
}

struct gm_capacity gm_devices_rest(const struct gm_cdevice *d)
{
    const struct gm_capacity none = {.slots = 0};
    return d->kept ? none : gm_devices_room(d);
}

static struct gm_paces *paces_create(void)
{
    struct gm_paces *paces = gm_mem_zalloc(sizeof(*paces));
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        for (size_t i = 0; i < GM_BLOCK; i++) {
            paces->one[c][i] = -1;
        }
    }
    return paces;
}

/* What is measured of it, in one more slot. What it had left is in the block yet. `fresh`: another
 * device stood there. */
static void set_paces(const struct gm_member *member, const struct gm_cdevice *device,
                      bool has_slot, bool fresh)
{
    size_t at = member->at / GM_BLOCK, i = member->at % GM_BLOCK;
    struct gm_block *block = member->class->blocks[at];
    bool all = fresh || has_slot != (block->rest[GM_DIM_SLOTS][i] > 0);
    if (!block->paces && member->rates) {
        block->paces = paces_create();
    }
    for (uint32_t c = 0; block->paces && c < GM_COLUMNS; c++) {
        const Gm__Rate *rate = member->rates ? member->rates[c] : NULL;
        if (rate || all) {
            struct gm_pace pace = gm_core_pace(rate, device->used.slots);
            if (!fresh) {
                gm_bounds_pace(member->class, at, i, c, pace, has_slot);
            }
            block->paces->part[c][i] = pace.part;
            block->paces->one[c][i] = pace.one;
        }
    }
}

/* What is measured of the chain, by column; owned, NULL: nothing. */
static const Gm__Rate **rates_of(const struct gm_cdevice *device, const Gm__Chain *chain)
{
    const Gm__Rate *found[GM_COLUMNS];
    bool any = false;
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        const char *codec;
        uint32_t depth;
        gm_devices_column_name(c, &codec, &depth);
        found[c] = gm_core_rate(device, chain, codec, depth);
        any = any || found[c];
    }
    return any ? gm_mem_dup(found, sizeof(found)) : NULL;
}

/* The device stands there, as it is now; `fresh`: it did not before. */
static void set_member(const struct gm_member *member, struct gm_cdevice *device, bool fresh)
{
    struct gm_class *class = member->class;
    struct gm_block *block = class->blocks[member->at / GM_BLOCK];
    size_t i = member->at % GM_BLOCK;
    const struct gm_capacity rest = gm_devices_rest(device);
    if (fresh) {
        block->device[i] = device;
        block->order[i] = device->order;
        gm_bounds_drop(class, member->at / GM_BLOCK);
    } else {
        gm_bounds_rest(class, member->at / GM_BLOCK, i, &rest);
    }
    set_paces(member, device, rest.slots > 0, fresh);
    for (int d = 0; d < GM_DIMS; d++) {
        block->rest[d][i] = rest.v[d];
    }
    uint64_t bit = UINT64_C(1) << i;
    block->open = rest.slots > 0 ? block->open | bit : block->open & ~bit;
}

static struct gm_counted counted_of(const struct gm_cdevice *d)
{
    return (struct gm_counted){.slots = d->usable.slots,
                               .unused = d->kept ? 0 : rest_of(d->usable.slots, d->used.slots),
                               .sessions = d->usable.sessions,
                               .sessions_unused = rest_of(d->usable.sessions, d->used.sessions),
                               .usable = d->usable,
                               .open = gm_core_node_is_open(d->node)};
}

/* Nothing but what is free of its slots changed, and sessions don't bound it. */
static bool is_simple(const struct gm_counted *a, const struct gm_counted *b)
{
    return a->open && b->open && a->slots == b->slots && a->sessions == 0 && b->sessions == 0;
}

static void sum_usable(struct gm_devices *devices, const struct gm_counted *c, bool add)
{
    for (int k = 0; c->open && k < GM_DIMS; k++) {
        uint64_t v = c->usable.v[k];
        devices->usable[k] = add ? devices->usable[k] + v : devices->usable[k] - v;
    }
}

struct gm_capacity gm_devices_farm(const struct gm_core *core)
{
    struct gm_capacity farm = {.slots = 0};
    for (int k = 0; k < GM_DIMS; k++) { /* nodes tell up to 2^60 each */
        unsigned __int128 all = core->devices->usable[k];
        farm.v[k] = all < UINT64_MAX ? (uint64_t)all : UINT64_MAX;
    }
    return farm;
}

static void recount(struct gm_core *core, struct gm_cdevice *device, struct gm_counted now)
{
    uint64_t more = now.unused - device->counted.unused; /* or less: it wraps */
    bool simple = is_simple(&device->counted, &now);
    for (size_t m = 0; m < device->chain_count; m++) {
        struct gm_class *class = device->members[m].class;
        for (uint32_t t = 0; simple && t < class->tally_count; t++) {
            class->tallies[t].unused += more;
        }
        for (uint32_t t = 0; !simple && t < class->tally_count; t++) {
            gm_devices_count(&class->tallies[t], &device->counted, false);
            gm_devices_count(&class->tallies[t], &now, true);
        }
    }
    gm_devices_count(&core->devices->all, &device->counted, false);
    gm_devices_count(&core->devices->all, &now, true);
    if (device->counted.open != now.open ||
        memcmp(&device->counted.usable, &now.usable, sizeof(now.usable)) != 0) {
        sum_usable(core->devices, &device->counted, false);
        sum_usable(core->devices, &now, true);
    }
    device->counted = now;
}

static void note(struct gm_core *core, struct gm_cdevice *device, bool taken, bool fresh)
{
    recount(core, device, counted_of(device));
    for (size_t m = 0; m < device->chain_count; m++) {
        set_member(&device->members[m], device, fresh);
        device->members[m].class->grown += taken ? 0 : 1;
    }
}

void gm_devices_note(struct gm_core *core, struct gm_cdevice *device, bool taken)
{
    note(core, device, taken, false);
}

void gm_devices_note_node(struct gm_core *core, const struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        gm_devices_note(core, &node->devices[i], false);
    }
}

static bool is_again(const struct gm_cdevice *device, size_t chain)
{
    bool again = false;
    for (size_t i = 0; i < chain && !again; i++) {
        again = strcmp(device->chains[i]->name, device->chains[chain]->name) == 0;
    }
    return again;
}

void gm_devices_join(struct gm_core *core, struct gm_cnode *node, struct gm_cdevice *device)
{
    device->node = node;
    device->order = node->number * GM_CORE_MAX_DEVICES + (uint64_t)(device - node->devices);
    device->members = gm_mem_zalloc(device->chain_count * sizeof(*device->members));
    for (size_t m = 0; m < device->chain_count; m++) {
        struct gm_class *class = gm_devices_class(core->devices, device->chains[m]);
        if (class->count % GM_BLOCK == 0) {
            class->blocks = gm_mem_grow(class->blocks, class->block_count, &class->block_cap,
                                        sizeof(*class->blocks));
            class->heads = gm_mem_grow(class->heads, class->block_count, &class->head_cap,
                                       sizeof(*class->heads));
            class->blocks[class->block_count++] = gm_mem_zalloc(sizeof(struct gm_block));
        }
        device->members[m] = (struct gm_member){.class = class,
                                                .at = (uint32_t) class->count++,
                                                .again = is_again(device, m),
                                                .rates = rates_of(device, device->chains[m])};
        class->again += device->members[m].again ? 1 : 0;
        class->measured += device->members[m].rates ? 1 : 0;
    }
    note(core, device, false, true);
}

/* The last device takes the place that gets free. */
static void remove_member(struct gm_devices *devices, const struct gm_member *member)
{
    struct gm_class *class = member->class;
    size_t at = member->at;
    size_t last = --class->count;
    class->again -= member->again ? 1 : 0;
    class->measured -= member->rates ? 1 : 0;
    if (at != last) {
        struct gm_cdevice *moved = class->blocks[last / GM_BLOCK]->device[last % GM_BLOCK];
        for (size_t m = 0; m < moved->chain_count; m++) {
            if (moved->members[m].class == class) {
                moved->members[m].at = (uint32_t)at;
                set_member(&moved->members[m], moved, true);
            }
        }
    }
    gm_bounds_drop(class, class->block_count - 1);
    class->blocks[last / GM_BLOCK]->open &= ~(UINT64_C(1) << last % GM_BLOCK);
    if (class->count % GM_BLOCK == 0) {
        free(class->blocks[--class->block_count]->paces);
        free(class->blocks[class->block_count]);
    }
    class->grown++;
    if (class->count == 0) {
        gm_devices_class_drop(devices, class);
    }
}

void gm_devices_leave(struct gm_core *core, struct gm_cdevice *device)
{
    gm_core_keep_forget_device(core, device);
    recount(core, device, (struct gm_counted){.open = false});
    for (size_t m = 0; m < device->chain_count; m++) {
        remove_member(core->devices, &device->members[m]);
        free(device->members[m].rates);
    }
    free(device->members);
    device->members = NULL;
}

void gm_devices_join_node(struct gm_core *core, struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        gm_devices_join(core, node, &node->devices[i]);
    }
}

void gm_devices_leave_node(struct gm_core *core, struct gm_cnode *node)
{
    for (size_t i = 0; i < node->device_count; i++) {
        gm_devices_leave(core, &node->devices[i]);
    }
}

static int check_device(const struct gm_cdevice *d, struct gm_err *err)
{
    const struct gm_capacity rest = gm_devices_rest(d);
    struct gm_counted now = counted_of(d);
    if (now.slots != d->counted.slots || now.unused != d->counted.unused ||
        now.sessions != d->counted.sessions || now.open != d->counted.open ||
        now.sessions_unused != d->counted.sessions_unused ||
        memcmp(&now.usable, &d->counted.usable, sizeof(now.usable)) != 0) {
        return BROKEN("node %s: device %s is not counted as it is", d->node->id, d->id);
    }
    for (size_t m = 0; m < d->chain_count; m++) {
        const struct gm_class *class = d->members[m].class;
        size_t at = d->members[m].at;
        const struct gm_block *block = class->blocks[at / GM_BLOCK];
        bool same = at < class->count && block->device[at % GM_BLOCK] == d &&
                    block->order[at % GM_BLOCK] == d->order;
        same = same && (block->open >> at % GM_BLOCK & 1) == (rest.slots > 0 ? 1 : 0);
        for (int k = 0; same && k < GM_DIMS; k++) {
            same = block->rest[k][at % GM_BLOCK] == rest.v[k];
        }
        if (!same) {
            return BROKEN("node %s: device %s is not found as it is", d->node->id, d->id);
        }
    }
    return 0;
}

static bool is_same(const struct gm_tally *a, const struct gm_tally *b)
{
    return a->slots == b->slots && a->unused == b->unused && a->devices == b->devices;
}

int gm_devices_check(const struct gm_core *core, struct gm_err *err)
{
    struct gm_tally all = {0};
    unsigned __int128 usable[GM_DIMS] = {0};
    size_t places = 0, members = 0;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; i < n->device_count; i++) {
            int rc = check_device(&n->devices[i], err);
            if (rc < 0) {
                return rc;
            }
            gm_devices_count(&all, &n->devices[i].counted, true);
            for (int k = 0; gm_core_node_is_open(n) && k < GM_DIMS; k++) {
                usable[k] += n->devices[i].usable.v[k];
            }
            members += n->devices[i].chain_count;
        }
    }
    for (const struct gm_class *c = core->devices->classes; c; c = c->hh.next) {
        int rc = gm_bounds_check(c, err);
        if (rc < 0) {
            return rc;
        }
        places += c->count;
        for (uint32_t t = 0; t < c->tally_count; t++) {
            struct gm_tally sum = {.sessions = c->tallies[t].sessions,
                                   .least = c->tallies[t].least};
            for (size_t i = 0; i < c->count; i++) {
                gm_devices_count(&sum, &c->blocks[i / GM_BLOCK]->device[i % GM_BLOCK]->counted,
                                 true);
            }
            if (!is_same(&sum, &c->tallies[t])) {
                return BROKEN("slots of chain %s are miscounted", c->chain->name);
            }
        }
    }
    if (places != members || !is_same(&all, &core->devices->all) ||
        memcmp(usable, core->devices->usable, sizeof(usable)) != 0) {
        return BROKEN("the index of devices is not of these devices");
    }
    return 0;
}
