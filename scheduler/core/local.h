#ifndef GM_SCHEDULER_CORE_LOCAL_H
#define GM_SCHEDULER_CORE_LOCAL_H

/* Which node has what a task reads, where that comes by network (ADR-0060). A hint: nothing waits
 * for it, and nothing goes wrong where it is out of date.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* The job was submitted, or its row was read: whether its source and results come by network. */
void gm_core_local_begin(const struct gm_core *core, struct gm_cjob *job);
/* The attempt, which the job has, begins: who inspects and splits reads the source. */
void gm_core_local_reads(struct gm_cjob *job, const struct gm_attempt *attempt);
/* So many frames of a run of the attempt were committed. */
void gm_core_local_made(struct gm_cjob *job, const struct gm_attempt *attempt, uint64_t frames);
/* What was made is forgotten, for the job is planned again. */
void gm_core_local_forget(struct gm_cjob *job);
/* All rows were read: the same from the attempts that are stored. */
void gm_core_local_load(struct gm_core *core);
/* The node to ask first for the unit; NULL: none is better than others, or the unit failed there.
 * Borrowed until the node goes. */
struct gm_cnode *gm_core_local_node(const struct gm_core *core, const struct gm_inst *inst,
                                    const struct gm_unit *unit);

#endif
