/* The index of devices: see devices.h. */
#include "scheduler/core/devices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

static const struct {
    const char *codec;
    uint32_t depth;
} columns[GM_COLUMNS] = {{"h264", 8},  {"hevc", 8},  {"av1", 8},  {"vp9", 8},
                         {"h264", 10}, {"hevc", 10}, {"av1", 10}, {"vp9", 10}};

uint32_t gm_devices_column(const char *codec, uint32_t depth)
{
    uint32_t c = 0;
    while (c < GM_COLUMNS && (columns[c].depth != depth || strcmp(columns[c].codec, codec) != 0)) {
        c++;
    }
    return c;
}

struct gm_devices *gm_devices_create(void)
{
    struct gm_devices *devices = gm_mem_zalloc(sizeof(*devices));
    devices->made = 1;
    return devices;
}

static void free_class(struct gm_class *class)
{
    for (size_t i = 0; i < class->block_count; i++) {
        free(class->blocks[i]->paces);
        free(class->blocks[i]);
    }
    free(class->blocks);
    free(class->heads);
    free(class->key);
    gm__chain__free_unpacked(class->chain, NULL);
    free(class);
}

void gm_devices_destroy(struct gm_devices *devices)
{
    struct gm_class *class = devices->classes; /* the list outlives the table */
    HASH_CLEAR(hh, devices->classes);
    while (class) {
        struct gm_class *next = class->hh.next;
        free_class(class);
        class = next;
    }
    free(devices);
}

static struct gm_class *class_of(struct gm_devices *devices, const Gm__Chain *chain)
{
    struct gm_class *class = NULL;
    size_t size;
    uint8_t *key = gm_mem_encode(&chain->base, &size);
    HASH_FIND(hh, devices->classes, key, size, class);
    if (class) {
        free(key);
        return class;
    }
    class = gm_mem_zalloc(sizeof(*class));
    class->key = key;
    class->chain = gm_core_chain_dup(chain);
    class->grown = 1;
    HASH_ADD_KEYPTR(hh, devices->classes, class->key, size, class);
    devices->made++;
    return class;
}

size_t gm_devices_in_block(const struct gm_class *class, size_t block)
{
    return block + 1 < class->block_count ? GM_BLOCK : class->count - block * GM_BLOCK;
}

static uint64_t rest_of(uint64_t usable, uint64_t used)
{
    return usable > used ? usable - used : 0;
}

struct gm_capacity gm_devices_rest(const struct gm_cdevice *d)
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

static void set_paces(struct gm_block *block, size_t at, const struct gm_member *member)
{
    if (!block->paces && member->rates) {
        block->paces = paces_create();
    }
    for (uint32_t c = 0; block->paces && c < GM_COLUMNS; c++) {
        const Gm__Rate *rate = member->rates ? member->rates[c] : NULL;
        struct gm_pace pace = gm_core_pace(rate, block->device[at]->used.slots);
        block->paces->part[c][at] = pace.part;
        block->paces->one[c][at] = pace.one;
    }
}

/* What is measured of the chain, by column; owned, NULL: nothing. */
static const Gm__Rate **rates_of(const struct gm_cdevice *device, const Gm__Chain *chain)
{
    const Gm__Rate *found[GM_COLUMNS];
    bool any = false;
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        found[c] = gm_core_rate(device, chain, columns[c].codec, columns[c].depth);
        any = any || found[c];
    }
    return any ? gm_mem_dup(found, sizeof(found)) : NULL;
}

/* The device stands there, as it is now. */
static void set_member(const struct gm_member *member, struct gm_cdevice *device)
{
    struct gm_class *class = member->class;
    struct gm_block *block = class->blocks[member->at / GM_BLOCK];
    size_t i = member->at % GM_BLOCK;
    const struct gm_capacity rest = gm_devices_rest(device);
    block->device[i] = device;
    block->order[i] = device->order;
    for (int d = 0; d < GM_DIMS; d++) {
        block->rest[d][i] = rest.v[d];
    }
    set_paces(block, i, member);
    class->heads[member->at / GM_BLOCK].stale = true;
}

static uint64_t room_for(uint64_t sessions_each, uint64_t slots, uint64_t sessions)
{
    uint64_t by_sessions = sessions / sessions_each;
    return by_sessions < slots ? by_sessions : slots;
}

/* Adds what the device has to the sums, or takes it away. */
static void count_in(struct gm_tally *t, const struct gm_counted *c, bool add)
{
    bool limited = c->sessions > 0;
    if (!c->open || (limited && t->least > c->sessions)) {
        return;
    }
    uint64_t slots = c->slots, unused = c->unused;
    if (limited && t->sessions > 0) {
        slots = room_for(t->sessions, slots, c->sessions);
        unused = room_for(t->sessions, unused, c->sessions_unused);
    }
    uint64_t one = c->slots > 0 ? 1 : 0;
    t->slots = add ? t->slots + slots : t->slots - slots;
    t->unused = add ? t->unused + unused : t->unused - unused;
    t->devices = add ? t->devices + one : t->devices - one;
}

static struct gm_counted counted_of(const struct gm_cdevice *d)
{
    return (struct gm_counted){.slots = d->usable.slots,
                               .unused = rest_of(d->usable.slots, d->used.slots),
                               .sessions = d->usable.sessions,
                               .sessions_unused = rest_of(d->usable.sessions, d->used.sessions),
                               .open = gm_core_node_is_open(d->node)};
}

static void recount(struct gm_core *core, struct gm_cdevice *device, struct gm_counted now)
{
    for (size_t m = 0; m < device->chain_count; m++) {
        struct gm_class *class = device->members[m].class;
        for (uint32_t t = 0; t < class->tally_count; t++) {
            count_in(&class->tallies[t], &device->counted, false);
            count_in(&class->tallies[t], &now, true);
        }
    }
    count_in(&core->devices->all, &device->counted, false);
    count_in(&core->devices->all, &now, true);
    device->counted = now;
}

void gm_devices_note(struct gm_core *core, struct gm_cdevice *device, bool taken)
{
    recount(core, device, counted_of(device));
    for (size_t m = 0; m < device->chain_count; m++) {
        set_member(&device->members[m], device);
        device->members[m].class->grown += taken ? 0 : 1;
    }
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
        struct gm_class *class = class_of(core->devices, device->chains[m]);
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
    }
    gm_devices_note(core, device, false);
}

/* The last device takes the place that gets free. */
static void remove_member(struct gm_devices *devices, const struct gm_member *member)
{
    struct gm_class *class = member->class;
    size_t at = member->at;
    size_t last = --class->count;
    class->again -= member->again ? 1 : 0;
    if (at != last) {
        struct gm_cdevice *moved = class->blocks[last / GM_BLOCK]->device[last % GM_BLOCK];
        for (size_t m = 0; m < moved->chain_count; m++) {
            if (moved->members[m].class == class) {
                moved->members[m].at = (uint32_t)at;
                set_member(&moved->members[m], moved);
            }
        }
    }
    class->heads[class->block_count - 1].stale = true;
    if (class->count % GM_BLOCK == 0) {
        free(class->blocks[--class->block_count]->paces);
        free(class->blocks[class->block_count]);
    }
    class->grown++;
    if (class->count == 0) {
        HASH_DEL(devices->classes, class);
        free_class(class);
        devices->made++;
    }
}

void gm_devices_leave(struct gm_core *core, struct gm_cdevice *device)
{
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

struct gm_class *gm_devices_class(const struct gm_core *core, const struct gm_chain_wish *wish,
                                  const struct gm_class *after)
{
    struct gm_class *class = after ? after->hh.next : core->devices->classes;
    while (class && !gm_core_chain_matches(class->chain, wish)) {
        class = class->hh.next;
    }
    return class;
}

/* Counted once; kept from then on, in the place of the oldest where there are too many. */
static const struct gm_tally *tally_of(struct gm_class *class, const struct gm_chain_wish *wish)
{
    for (uint32_t t = 0; t < class->tally_count; t++) {
        if (class->tallies[t].sessions == wish->sessions &&
            class->tallies[t].least == wish->least) {
            return &class->tallies[t];
        }
    }
    uint32_t at = class->tally_count;
    if (at == GM_TALLIES) {
        at = class->tally_next++ % GM_TALLIES;
    } else {
        class->tally_count++;
    }
    struct gm_tally *tally = &class->tallies[at];
    *tally = (struct gm_tally){.sessions = wish->sessions, .least = wish->least};
    for (size_t i = 0; i < class->count; i++) {
        count_in(tally, &class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK]->counted, true);
    }
    return tally;
}

/* The chain of the wish that the device would be taken for is this class's. */
static bool is_meant(const struct gm_cdevice *device, const struct gm_chain_wish *wish,
                     const struct gm_class *class)
{
    size_t m = 0;
    while (m < device->chain_count && !gm_core_chain_matches(device->chains[m], wish)) {
        m++;
    }
    return m < device->chain_count && device->members[m].class == class;
}

/* Where devices offer several chains of one name: each device once. */
static struct gm_tally tally_by_walk(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    struct gm_tally sum = {.sessions = wish->sessions, .least = wish->least};
    struct gm_class *class = NULL;
    while ((class = gm_devices_class(core, wish, class)) != NULL) {
        for (size_t i = 0; i < class->count; i++) {
            const struct gm_cdevice *d = class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK];
            if (is_meant(d, wish, class)) {
                count_in(&sum, &d->counted, true);
            }
        }
    }
    return sum;
}

static bool is_ambiguous(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    const struct gm_class *class = NULL;
    size_t again = 0;
    while (!wish->fingerprint && (class = gm_devices_class(core, wish, class)) != NULL) {
        again += class->again;
    }
    return again > 0;
}

struct gm_tally gm_devices_tally(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    struct gm_tally sum = {0};
    if (!wish || is_ambiguous(core, wish)) {
        return wish ? tally_by_walk(core, wish) : core->devices->all;
    }
    struct gm_class *class = NULL;
    while ((class = gm_devices_class(core, wish, class)) != NULL) {
        const struct gm_tally *t = tally_of(class, wish);
        sum.slots += t->slots;
        sum.unused += t->unused;
        sum.devices += t->devices;
    }
    return sum;
}

static void widen(struct gm_pace_range *r, uint32_t column, double part, double one)
{
    struct gm_pace *most = &r->most[column], *least = &r->least[column];
    r->bare[column] = r->bare[column] || one < 0;
    if (one >= 0) {
        most->part = part > most->part ? part : most->part;
        most->one = one > most->one ? one : most->one;
        least->part = part < least->part ? part : least->part;
        least->one = one < least->one ? one : least->one;
    }
}

static void refresh_range(struct gm_block *block, size_t count)
{
    const struct gm_paces *p = block->paces;
    struct gm_pace_range *r = &block->range;
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        r->most[c] = (struct gm_pace){-1, -1};
        r->least[c] = (struct gm_pace){INFINITY, INFINITY};
        r->bare[c] = p == NULL;
        for (size_t i = 0; p && i < count; i++) {
            if (block->rest[GM_DIM_SLOTS][i] > 0) {
                widen(r, c, p->part[c][i], p->one[c][i]);
            }
        }
    }
}

const struct gm_head *gm_devices_head(struct gm_class *class, size_t at)
{
    struct gm_head *head = &class->heads[at];
    if (!head->stale) {
        return head;
    }
    struct gm_block *block = class->blocks[at];
    size_t count = gm_devices_in_block(class, at);
    *head = (struct gm_head){.least_cpu = UINT64_MAX, .order = UINT64_MAX};
    for (int d = 0; d < GM_DIMS; d++) {
        for (size_t i = 0; i < count; i++) {
            uint64_t v = block->rest[d][i];
            head->most[d] = v > head->most[d] ? v : head->most[d];
        }
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t cpu = block->rest[GM_DIM_SLOTS][i] > 0 ? block->rest[GM_DIM_CPU][i] : UINT64_MAX;
        head->least_cpu = cpu < head->least_cpu ? cpu : head->least_cpu;
        head->order = block->order[i] < head->order ? block->order[i] : head->order;
    }
    refresh_range(block, count);
    return head;
}

static int check_device(const struct gm_cdevice *d, struct gm_err *err)
{
    const struct gm_capacity rest = gm_devices_rest(d);
    struct gm_counted now = counted_of(d);
    if (now.slots != d->counted.slots || now.unused != d->counted.unused ||
        now.sessions != d->counted.sessions || now.open != d->counted.open ||
        now.sessions_unused != d->counted.sessions_unused) {
        return BROKEN("node %s: device %s is not counted as it is", d->node->id, d->id);
    }
    for (size_t m = 0; m < d->chain_count; m++) {
        const struct gm_class *class = d->members[m].class;
        size_t at = d->members[m].at;
        const struct gm_block *block = class->blocks[at / GM_BLOCK];
        bool same = at < class->count && block->device[at % GM_BLOCK] == d &&
                    block->order[at % GM_BLOCK] == d->order;
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
    size_t places = 0, members = 0;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; i < n->device_count; i++) {
            int rc = check_device(&n->devices[i], err);
            if (rc < 0) {
                return rc;
            }
            count_in(&all, &n->devices[i].counted, true);
            members += n->devices[i].chain_count;
        }
    }
    for (const struct gm_class *c = core->devices->classes; c; c = c->hh.next) {
        places += c->count;
        for (uint32_t t = 0; t < c->tally_count; t++) {
            struct gm_tally sum = {.sessions = c->tallies[t].sessions,
                                   .least = c->tallies[t].least};
            for (size_t i = 0; i < c->count; i++) {
                count_in(&sum, &c->blocks[i / GM_BLOCK]->device[i % GM_BLOCK]->counted, true);
            }
            if (!is_same(&sum, &c->tallies[t])) {
                return BROKEN("slots of chain %s are miscounted", c->chain->name);
            }
        }
    }
    if (places != members || !is_same(&all, &core->devices->all)) {
        return BROKEN("the index of devices is not of these devices");
    }
    return 0;
}
