#ifndef GM_SCHEDULER_CORE_KEEP_H
#define GM_SCHEDULER_CORE_KEEP_H

/* Devices that are kept free for who waited too long.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* keep.c */
/* Nothing of the job could be placed, whose turn it was: where it is aged, and what is next of it
 * needs more than any device has left beside what runs there, one of those takes nothing from now
 * on. Nothing is kept where a device has room and only a rule lets the job not have it. No more
 * than one of the devices that offer its chain, and of a node, is kept. */
void gm_core_keep(struct gm_core *core, struct gm_cjob *job);
/* Gives up what is kept in vain. An instance for which there is room now, whose device is not kept
 * any more: it is to be placed before all others. NULL: none. */
struct gm_inst *gm_core_keep_next(struct gm_core *core);
/* The device is kept for that job. */
bool gm_core_keep_is_for(const struct gm_core *core, const struct gm_cdevice *device,
                         const struct gm_cjob *job);
/* Somebody for whom a device is kept has got something since: the next gm_core_keep_next gives it
 * up. */
bool gm_core_keep_is_over(const struct gm_core *core);
/* What is kept for the job, or the device with what is kept of it, is free again. */
void gm_core_keep_forget_job(struct gm_core *core, const struct gm_cjob *job);
void gm_core_keep_forget_device(struct gm_core *core, const struct gm_cdevice *device);
/* A device that offers the wish is kept; NULL: none. */
const struct gm_kept *gm_core_keep_find(const struct gm_core *core,
                                        const struct gm_chain_wish *wish);
/* Errors: BUG: the devices that are marked are not those that are kept. */
int gm_core_keep_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;

#endif
