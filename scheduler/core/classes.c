/* Classes of the index of devices, the wishes that they answer, and the sums of their slots: see
 * devices.h. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/chains.h"
#include "scheduler/core/devices.h"

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

void gm_devices_column_name(uint32_t column, const char **out_codec, uint32_t *out_depth)
{
    *out_codec = columns[column].codec;
    *out_depth = columns[column].depth;
}

static uint32_t columns_of(const Gm__Chain *chain)
{
    uint32_t bits = 0;
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        bool has = gm_core_chain_encodes(chain, columns[c].codec, columns[c].depth);
        bits |= has ? UINT32_C(1) << c : 0;
    }
    return bits;
}

struct gm_class *gm_devices_class(struct gm_devices *devices, const Gm__Chain *chain)
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
    class->columns = columns_of(chain);
    class->grown = 1;
    HASH_ADD_KEYPTR(hh, devices->classes, class->key, size, class);
    devices->made++;
    return class;
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

void gm_devices_class_drop(struct gm_devices *devices, struct gm_class *class)
{
    HASH_DEL(devices->classes, class);
    free_class(class);
    devices->made++;
}

static void free_wished(struct gm_wished *w)
{
    free(w->name);
    free(w->fingerprint);
    free(w->list);
    memset(w, 0, sizeof(*w));
}

void gm_devices_classes_fini(struct gm_devices *devices)
{
    struct gm_class *class = devices->classes; /* the list outlives the table */
    HASH_CLEAR(hh, devices->classes);
    while (class) {
        struct gm_class *next = class->hh.next;
        free_class(class);
        class = next;
    }
    for (uint32_t i = 0; i < GM_WISHES; i++) {
        free_wished(&devices->wished[i]);
    }
    free(devices->some);
}

/* FNV-1a, of both with what parts them. */
static uint64_t hash_of(const struct gm_chain_wish *wish)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = wish->name; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ (wish->fingerprint ? 0x100u : 0x200u)) * UINT64_C(0x100000001b3);
    for (const char *c = wish->fingerprint ? wish->fingerprint : ""; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool is_for(const struct gm_wished *w, const struct gm_chain_wish *wish)
{
    return strcmp(w->name, wish->name) == 0 && !w->fingerprint == !wish->fingerprint &&
           (!w->fingerprint || strcmp(w->fingerprint, wish->fingerprint) == 0);
}

static void find_classes(const struct gm_devices *devices, struct gm_wished *w)
{
    const struct gm_chain_wish wish = {.name = w->name, .fingerprint = w->fingerprint};
    w->count = 0;
    for (struct gm_class *class = devices->classes; class; class = class->hh.next) {
        if (gm_core_chain_matches(class->chain, &wish)) {
            w->list = gm_mem_grow(w->list, w->count, &w->cap, sizeof(*w->list));
            w->list[w->count++] = class;
        }
    }
    w->made = devices->made;
}

/* Found once, and kept until a class comes or goes; in the place of the oldest where there are too
 * many. */
static const struct gm_wished *wished_of(struct gm_devices *devices,
                                         const struct gm_chain_wish *wish)
{
    uint64_t hash = hash_of(wish);
    struct gm_wished *w = NULL;
    for (uint32_t i = 0; i < GM_WISH_PLACES && !w; i++) {
        struct gm_wished *known = &devices->wished[(hash + i) % GM_WISHES];
        w = known->made > 0 && known->hash == hash && is_for(known, wish) ? known : NULL;
    }
    if (!w) {
        w = &devices->wished[(hash + devices->wished_next++ % GM_WISH_PLACES) % GM_WISHES];
        free_wished(w);
        w->hash = hash;
        w->name = gm_mem_strdup(wish->name);
        w->fingerprint = wish->fingerprint ? gm_mem_strdup(wish->fingerprint) : NULL;
    }
    if (w->made != devices->made) {
        find_classes(devices, w);
    }
    return w;
}

static uint32_t column_bit(const char *codec, uint32_t depth)
{
    uint32_t column = gm_devices_column(codec, depth == 10 ? 10 : 8);
    return column < GM_COLUMNS ? UINT32_C(1) << column : 0;
}

/* What must be encoded; false: it has codecs without a column. */
static bool wished_columns(const Gm__EncodeParams *p, uint32_t *out)
{
    uint32_t bit = column_bit(p->codec, p->bit_depth), bits = bit;
    bool all = bit != 0;
    for (size_t i = 0; all && i < p->n_renditions; i++) {
        const Gm__EncodeParams *own = p->renditions[i]->encode;
        bit = own ? column_bit(own->codec, own->bit_depth) : bit;
        bits |= bit;
        all = bit != 0;
    }
    *out = bits;
    return all;
}

struct gm_classes gm_devices_classes(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    struct gm_devices *devices = core->devices;
    const struct gm_wished *w = wished_of(devices, wish);
    uint32_t bits = 0;
    if (!wish->params || strcmp(wish->name, "cpu") == 0) {
        return (struct gm_classes){.list = w->list, .count = w->count};
    }
    bool all = wished_columns(wish->params, &bits);
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct gm_class *class = w->list[i];
        if (all ? (class->columns & bits) == bits : gm_core_chain_matches(class->chain, wish)) {
            devices->some =
                gm_mem_grow(devices->some, count, &devices->some_cap, sizeof(*devices->some));
            devices->some[count++] = w->list[i];
        }
    }
    return (struct gm_classes){.list = devices->some, .count = count};
}

static uint64_t room_for(uint64_t sessions_each, uint64_t slots, uint64_t sessions)
{
    uint64_t by_sessions = sessions / sessions_each;
    return by_sessions < slots ? by_sessions : slots;
}

void gm_devices_count(struct gm_tally *t, const struct gm_counted *c, bool add)
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
        gm_devices_count(tally, &class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK]->counted, true);
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
static struct gm_tally tally_by_walk(struct gm_classes classes, const struct gm_chain_wish *wish)
{
    struct gm_tally sum = {.sessions = wish->sessions, .least = wish->least};
    for (size_t c = 0; c < classes.count; c++) {
        const struct gm_class *class = classes.list[c];
        for (size_t i = 0; i < class->count; i++) {
            const struct gm_cdevice *d = class->blocks[i / GM_BLOCK]->device[i % GM_BLOCK];
            if (is_meant(d, wish, class)) {
                gm_devices_count(&sum, &d->counted, true);
            }
        }
    }
    return sum;
}

struct gm_tally gm_devices_tally(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    struct gm_tally sum = {0};
    if (!wish) {
        return core->devices->all;
    }
    const struct gm_classes classes = gm_devices_classes(core, wish);
    for (size_t i = 0; i < classes.count; i++) {
        if (!wish->fingerprint && classes.list[i]->again > 0) {
            return tally_by_walk(classes, wish);
        }
        const struct gm_tally *t = tally_of(classes.list[i], wish);
        sum.slots += t->slots;
        sum.unused += t->unused;
        sum.devices += t->devices;
    }
    return sum;
}
