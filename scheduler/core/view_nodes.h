#ifndef GM_SCHEDULER_CORE_VIEW_NODES_H
#define GM_SCHEDULER_CORE_VIEW_NODES_H

/* What views of nodes share. Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* As struct gm_node_view's state. */
const char *gm_core_node_state(const struct gm_core *core, const struct gm_cnode *node);
/* As struct gm_quarantine_view's state. */
const char *gm_core_held(const struct gm_core *core, const struct gm_cnode *node,
                         const struct gm_cdevice *device);

#endif
