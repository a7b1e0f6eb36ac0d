#ifndef GM_SCHEDULER_CORE_ADOPT_H
#define GM_SCHEDULER_CORE_ADOPT_H

/* Work that outlives its scheduler.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* adopt.c: work that outlives its scheduler. */
/* Recovery: the attempt ran. */
void gm_core_unheard_add(struct gm_core *core, struct gm_attempt *attempt);
void gm_core_unheard_fini(struct gm_core *core);
/* Recovery, when the job's units are what they are: those of such attempts wait. */
void gm_core_unheard_wait(struct gm_core *core, struct gm_cjob *job);
/* The node has told all that it has, or the job needs none of it any more: what was not taken over
 * is lost, uncharged, and its units are ready. */
void gm_core_unheard_end_node(struct gm_core *core, const char *node_id);
void gm_core_unheard_end_job(struct gm_core *core, struct gm_cjob *job);
/* Whom nobody heard of when the lease time of the term before is over has stopped by itself. */
void gm_core_unheard_tick(struct gm_core *core);
/* The node goes on with what it holds from an earlier term. False: it has to drop that. */
bool gm_core_adopt(struct gm_core *core, struct gm_cnode *node, const Gm__HeldLease *held);

/* muster.c: after a restart nodes come back before anything is given out. */
/* Recovery, when all rows are loaded. */
void gm_core_muster_begin(struct gm_core *core);
/* The node has told all that it has, or said goodbye. */
void gm_core_muster_heard(struct gm_core *core, const char *node_id);
void gm_core_muster_tick(struct gm_core *core); /* in each step */
void gm_core_muster_fini(struct gm_core *core);

#endif
