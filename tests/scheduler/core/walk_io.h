#ifndef GM_TESTS_SCHEDULER_CORE_WALK_IO_H
#define GM_TESTS_SCHEDULER_CORE_WALK_IO_H

#include "scheduler/core/lease.h"

/* What scheduler/core/search.c and devices.c answer by an index, by a walk over all nodes and
 * devices: the same answers, and what they cost is what the index is measured by. */
uint64_t walk_slots(const struct gm_core *core, const struct gm_chain_wish *wish,
                    uint64_t *out_free);
bool walk_has_other_node(const struct gm_core *core, const struct gm_chain_wish *wish,
                         const struct gm_unit *unit);
bool walk_find_device(struct gm_core *core, const struct gm_unit *unit,
                      const struct gm_chain_wish *wish, struct gm_assignment *a);

#endif
