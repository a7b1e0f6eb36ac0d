#ifndef GM_SCHEDULER_CORE_PLACE_H
#define GM_SCHEDULER_CORE_PLACE_H

/* Which device a unit goes to.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* shortage.c */
/* Of the devices that offer the wish, what lacks for the demand on the one that lacks least: "It
 * takes 600 MiB of device memory, of which gpu of node-1 has 200 of 1024 left"; and whether no
 * device could ever hold it. False: no such device takes tasks, or nothing lacks. */
bool gm_core_shortage(const struct gm_core *core, const struct gm_chain_wish *wish,
                      const struct gm_capacity *demand, char out[240]);

/* place.c */
void gm_core_place(struct gm_core *core);
/* The instance that the job would have placed first; NULL: none has anything ready. */
struct gm_inst *gm_core_job_next_inst(struct gm_cjob *job);
struct gm_capacity gm_core_demand(const struct gm_inst *inst);
/* The same with what the past says, and what devices of the wish's chain are asked for besides. */
struct gm_capacity gm_core_demand_on(const struct gm_core *core, const struct gm_inst *inst,
                                     const struct gm_chain_wish *wish);
/* Slots of devices that offer `wish` (NULL: of all) on nodes where work may go, no more of a device
 * than its encoder sessions are enough for. */
uint64_t gm_core_slots(const struct gm_core *core, const struct gm_chain_wish *wish,
                       uint64_t *out_free);
bool gm_core_node_is_open(const struct gm_cnode *node);
/* True when a node that has not failed the unit could take it, now or later. */
bool gm_core_has_other_node(const struct gm_core *core, const struct gm_chain_wish *wish,
                            const struct gm_unit *unit);

/* search.c: the device that the unit goes to, into `a`, whose instance and demand are given (the
 * demand gets smaller where no device could ever hold it). False: none has room. */
bool gm_core_find_device(struct gm_core *core, const struct gm_unit *unit,
                         const struct gm_chain_wish *wish, struct gm_assignment *a);
/* A device that may give so much can, when it has nothing else to do. */
bool gm_core_could_hold(const struct gm_capacity *usable, const struct gm_capacity *demand);
/* What is given on the device of a demand that no device could hold. */
struct gm_capacity gm_core_given(const struct gm_cdevice *device, const struct gm_capacity *demand);
/* The device has nothing to do; what its node shares is enough for what it would be given. */
bool gm_core_is_idle(const struct gm_cdevice *device, const struct gm_capacity *given);
/* The last search for such a unit, which avoided no node, found none, and no device has got more
 * room since. */
bool gm_core_is_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                       const struct gm_capacity *demand);
/* What is known of that; borrowed until the next search. NULL: it is not parked. */
struct gm_parked *gm_core_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                                 const struct gm_capacity *demand);
bool gm_core_avoids(const struct gm_unit *unit, const char *node_id);
/* A track whose inputs still come takes no last slot, but of a job that publishes early and has
 * something else in a slot than split and tracks. */
bool gm_core_inst_may_start(const struct gm_inst *inst, uint64_t free_slots);

#endif
