#ifndef GM_SCHEDULER_CORE_DEVICES_H
#define GM_SCHEDULER_CORE_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/core/mem.h"
#include "scheduler/core/view.h"

/* uthash ends the process when memory runs out: as mem.h says. */
#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

/* The index of devices: what placement asks of the farm, without a walk over all nodes. It holds
 * nothing of its own: gm_core_check compares it with the nodes and devices.
 *
 * Devices that offer the same chain (name, fingerprint and codecs) are a class. Of each class: its
 * devices in blocks of 64, with what each has left in dense arrays, and the most that any device of
 * a block has left; the sums of slots that wishes asked for, kept from then on; and what found no
 * device, until one has more (it is parked). Thread: the core's.
 */
#define GM_BLOCK 64u
#define GM_COLUMNS 8u /* four codecs in two depths, as GM_CORE_WORKS */
#define GM_TALLIES 16u
#define GM_PARKED 8u
#define GM_WISHES 32u     /* a power of two */
#define GM_WISH_PLACES 4u /* of these: where one may be */

struct gm_cnode;
struct gm_cdevice;
struct gm_cjob;
struct gm_core;
struct gm_chain_wish;

/* A device as the sums count it; all 0 while its node takes no work. */
struct gm_counted {
    uint64_t slots, unused;
    uint64_t sessions, sessions_unused; /* sessions 0: no limit */
    struct gm_capacity usable;
    bool open;
};
/* Over the devices of a class that have as many encoder sessions: gm_core_slots. */
struct gm_tally {
    uint64_t sessions, least; /* of the wish */
    uint64_t slots, unused;
    uint64_t devices; /* with a slot, free or not */
};
/* No device was found: as long as nothing grew, none will be; within the second, should a cause not
 * be counted. */
struct gm_parked {
    uint64_t grown;   /* of all classes of the wish; 0: none */
    uint64_t made;    /* of the index */
    uint32_t classes; /* of the wish; this one is the first */
    bool any_print;   /* the wish names no fingerprint */
    uint64_t least;   /* of the wish */
    gm_time sampled_at;
    bool full; /* and no device that could hold it has a slot: keep.c has none to keep */
    struct gm_capacity demand;
};
/* Measured: pixels a second of one slot, for each codec and depth (speed.c). */
struct gm_pace {
    double part; /* of what all streams together make; infinite: nobody knows that it is more */
    double one;  /* of a stream alone; infinite: not known; negative: nothing is measured */
};
struct gm_paces {
    double part[GM_COLUMNS][GM_BLOCK];
    double one[GM_COLUMNS][GM_BLOCK];
};
/* Of the devices of a block that have a slot left, in a column. Never narrower than they are. */
struct gm_pace_range {
    struct gm_pace most, least; /* of those measured; most < 0: none is */
    bool bare;                  /* one is not measured */
    bool stale;                 /* it says nothing */
    bool loose;                 /* it may be wider than they are */
};
/* Of the devices of a block. Never narrower than they are: what a device gets widens it at once;
 * what is taken of one makes it loose, and a search that looked at the block in vain has it made
 * anew. */
struct gm_head {
    uint64_t most[GM_DIMS];
    uint64_t least_cpu; /* of those with a slot */
    uint64_t order;
    bool stale, loose;
};
struct gm_block {
    uint64_t open;                       /* bits: devices with a slot left */
    struct gm_cdevice *device[GM_BLOCK]; /* borrowed */
    uint64_t order[GM_BLOCK];            /* of a walk over nodes and their devices */
    uint64_t rest[GM_DIMS][GM_BLOCK];    /* left; all 0 where no slot is */
    struct gm_paces *paces;              /* owned; NULL: no device is measured */
    struct gm_pace_range range[GM_COLUMNS];
};
struct gm_class {
    uint8_t *key;             /* owned: the chain, packed */
    Gm__Chain *chain;         /* owned */
    uint32_t columns;         /* bits: what it encodes */
    size_t count;             /* devices; the blocks are full but for the last one */
    size_t again;             /* of these: gm_member */
    struct gm_block **blocks; /* owned, and so are they */
    struct gm_head *heads;    /* owned; one a block */
    size_t block_cap, head_cap, block_count;
    size_t measured;   /* of these: something is measured */
    size_t fast, best; /* the blocks that had the fastest device, and the best, last */
    size_t looked;     /* the one that the search at work looked at first */
    struct gm_tally tallies[GM_TALLIES];
    uint32_t tally_count, tally_next;
    uint64_t grown; /* how often a device may have got more room; from 1 */
    struct gm_parked parked[GM_PARKED];
    uint32_t parked_next;
    UT_hash_handle hh;
};
/* Of a wish, in the order in which they came. */
struct gm_classes {
    struct gm_class **list; /* borrowed until a class comes or goes, or another wish is asked for */
    size_t count;
};
/* A wish that was asked for, without what it names of codecs. */
struct gm_wished {
    uint64_t made; /* of the index; 0: nothing is here */
    uint64_t hash;
    char *name, *fingerprint; /* owned; fingerprint NULL: any */
    struct gm_class **list;   /* owned */
    size_t cap, count;
};
struct gm_devices {
    struct gm_class *classes;
    struct gm_wished wished[GM_WISHES];
    uint32_t wished_next;
    struct gm_class **some; /* owned: of a wish with codecs */
    size_t some_cap;
    struct gm_tally all;
    unsigned __int128 usable[GM_DIMS]; /* of all devices together */
    uint64_t made;                     /* classes, and those that went */
};
/* Where a device stands in the class of one of its chains. */
struct gm_member {
    struct gm_class *class; /* borrowed */
    uint32_t at;
    bool again;             /* a chain before it has that name: another fingerprint */
    const Gm__Rate **rates; /* owned; borrowed from its facts, one a column or NULL; NULL: none */
};

struct gm_devices *gm_devices_create(void); /* owned */
void gm_devices_destroy(struct gm_devices *devices);
/* The device with the chains and facts that it has. It must leave before they change, and before
 * it goes. */
void gm_devices_join(struct gm_core *core, struct gm_cnode *node, struct gm_cdevice *device);
void gm_devices_leave(struct gm_core *core, struct gm_cdevice *device);
/* The same for all devices of the node. */
void gm_devices_join_node(struct gm_core *core, struct gm_cnode *node);
void gm_devices_leave_node(struct gm_core *core, struct gm_cnode *node);
/* What it has, or has left, changed. `taken`: it has less left by a lease, and nothing else. Where
 * the node's devices share something, all of them are to be noted. */
void gm_devices_note(struct gm_core *core, struct gm_cdevice *device, bool taken);
/* The node takes work from now on, or no more. */
void gm_devices_note_node(struct gm_core *core, const struct gm_cnode *node);
/* classes.c */
/* The class of the chain, made where it is not there; and it goes. */
struct gm_class *gm_devices_class(struct gm_devices *devices, const Gm__Chain *chain);
void gm_devices_class_drop(struct gm_devices *devices, struct gm_class *class);
void gm_devices_classes_fini(struct gm_devices *devices);
struct gm_classes gm_devices_classes(const struct gm_core *core, const struct gm_chain_wish *wish);
/* Adds what the device has to the sums, or takes it away. */
void gm_devices_count(struct gm_tally *tally, const struct gm_counted *counted, bool add);
/* Over all classes of the wish; NULL: of all devices. */
struct gm_tally gm_devices_tally(const struct gm_core *core, const struct gm_chain_wish *wish);
/* All that is usable now, of each dimension UINT64_MAX at most. */
struct gm_capacity gm_devices_farm(const struct gm_core *core);
/* The column of a codec and depth, and back; GM_COLUMNS: it has none. */
uint32_t gm_devices_column(const char *codec, uint32_t depth);
void gm_devices_column_name(uint32_t column, const char **out_codec, uint32_t *out_depth);
size_t gm_devices_in_block(const struct gm_class *class, size_t block);

/* The next device with a slot behind those taken out of `open`; takes it out. open: not 0. */
static inline size_t gm_devices_open(uint64_t *open)
{
    size_t i = (size_t)__builtin_ctzll(*open);
    *open &= *open - 1;
    return i;
}

/* bounds.c */
/* Bounds of a block, made where there are none. */
void gm_bounds_make(struct gm_class *class, size_t block);
static inline const struct gm_head *gm_bounds_head(struct gm_class *class, size_t block)
{
    if (class->heads[block].stale) {
        gm_bounds_make(class, block);
    }
    return &class->heads[block];
}
const struct gm_pace_range *gm_bounds_range(struct gm_class *class, size_t block, uint32_t column);
/* A search looked there in vain: where they are loose they are made anew. */
void gm_bounds_repair(struct gm_class *class, size_t block);
void gm_bounds_repair_range(struct gm_class *class, size_t block, uint32_t column);
/* Another device stands there, or none. */
void gm_bounds_drop(struct gm_class *class, size_t block);
/* The device at `i` of the block has that left now, and makes so much; what it had is there yet. */
void gm_bounds_rest(struct gm_class *class, size_t block, size_t i, const struct gm_capacity *now);
void gm_bounds_pace(struct gm_class *class, size_t block, size_t i, uint32_t column,
                    struct gm_pace now, bool has_slot);
/* Errors: BUG: a bound is narrower than what it bounds. */
int gm_bounds_check(const struct gm_class *class, struct gm_err *err) GM_MUST_CHECK;

/* The index says what nodes and devices say. Errors: BUG. */
int gm_devices_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;
/* What a device has left, UINT64_MAX where no limit is known; all 0 where it can take nothing. */
struct gm_capacity gm_devices_room(const struct gm_cdevice *device);
/* The same; all 0 too where it is kept (keep.h). */
struct gm_capacity gm_devices_rest(const struct gm_cdevice *device);
#endif
