#ifndef GM_TESTS_SCHEDULER_CORE_RUN_WALK_IO_H
#define GM_TESTS_SCHEDULER_CORE_RUN_WALK_IO_H

#include "scheduler/core/run.h"

/* gm_core_run_next and gm_core_run_held by walks over all chunks, without sums that are kept: what
 * run.c must find too. Reads the chunks alone. */
struct gm_run run_walk_next(const struct gm_inst *inst, const struct gm_run_ask *ask);
uint64_t run_walk_held(const struct gm_inst *inst, const struct gm_run_ask *ask);

#endif
