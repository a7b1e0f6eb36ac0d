#ifndef GM_SCHEDULER_CORE_COUNT_H
#define GM_SCHEDULER_CORE_COUNT_H

/* Where states change: see counts.h. Private to scheduler/core/. */
#include "scheduler/core/state.h"

void gm_core_count_lease(struct gm_core *core, const struct gm_lease *lease, bool begins);
/* Its attempt is over, with the outcome and error that it has. */
void gm_core_count_attempt(struct gm_core *core, const struct gm_lease *lease);
void gm_core_count_chunk(struct gm_core *core, const struct gm_lease *lease, uint32_t frames);
/* It has got its first assignment. */
void gm_core_count_started(struct gm_core *core, const struct gm_cjob *job);
void gm_core_count_ended(struct gm_core *core, const struct gm_cjob *job);
/* A unit became ready, or is not any more. */
void gm_core_count_ready(struct gm_core *core, const struct gm_cjob *job,
                         const struct gm_unit *unit, bool ready);
/* What its heartbeat says. The first of an instance is where its counting begins. */
void gm_core_count_node(struct gm_core *core, struct gm_cnode *node, const Gm__NodeCounters *m);
/* Errors: BUG: what is of now is not what a walk finds. */
int gm_core_count_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;

/* demand.c: before and after a tick's walk over the jobs, and for each unfinished one of it. */
void gm_core_demand_begin(struct gm_core *core);
void gm_core_demand_job(struct gm_core *core, struct gm_cjob *job);
void gm_core_demand_end(struct gm_core *core);

#endif
