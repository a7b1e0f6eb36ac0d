#ifndef GM_TESTS_SCHEDULER_CORE_FARM_IO_H
#define GM_TESTS_SCHEDULER_CORE_FARM_IO_H

#include "scheduler/core/state.h"

/* A core with random nodes that said Hello and offered, and work for them that is no job's: what is
 * placed is only counted as used. All follows from the seed. */
#define FARM_LEASES 65536u
struct farm {
    struct gm_core *core; /* owned */
    uint64_t random;
    uint32_t nodes;
    bool even, measured;
    gm_time now;
    struct { /* what runs */
        struct gm_cdevice *device;
        struct gm_capacity demand;
    } runs[FARM_LEASES];
    uint32_t run_count;
};
/* Work that asks for a device; fill it with farm_ask. */
struct farm_ask {
    struct gm_cjob job;
    struct gm_ctask task;
    struct gm_inst inst;
    struct gm_unit unit;
    struct gm_chain_wish wish;
    struct gm_lease first; /* the run of the job's first chunk, where it has one */
    struct gm_avoid avoid[3];
    char avoided[3][16];
    Gm__EncodeParams params;
    struct gm_capacity demand;
};
uint64_t farm_random(struct farm *farm, uint64_t below);
/* `even`: all nodes have one device, alike but for its chain, and, if `measured`, by some percent
 * in what it makes a second. */
struct farm *farm_create(uint64_t seed, uint32_t nodes, bool even, bool measured);
void farm_destroy(struct farm *farm);
/* A node comes, comes anew, goes, is drained or resumed, offers more or less. */
void farm_event(struct farm *farm);
/* Some node said Hello (again). */
void farm_hello(struct farm *farm, uint32_t node, uint64_t instance);
void farm_ask(struct farm *farm, struct farm_ask *out);
/* The work went to that device; a random one of those that run ends. */
void farm_start(struct farm *farm, struct gm_cdevice *device, const struct gm_capacity *demand);
void farm_end(struct farm *farm);

#endif
