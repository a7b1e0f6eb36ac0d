#ifndef GM_SCHEDULER_CORE_WATCH_H
#define GM_SCHEDULER_CORE_WATCH_H

/* Devices that swallow work or return what does not verify (ADR-0045).
 * Private to scheduler/core/. */
#include "scheduler/core/lease.h"

/* watch.c, quarantine.c: devices that swallow work or return what does not verify (ADR-0045) */
/* The lease failed at `chunk` (-1: the instance), for which `guilty` stands; its units hold it yet,
 * or its twin. */
void gm_core_watch_failed(struct gm_core *core, const struct gm_lease *lease,
                          const struct gm_unit *guilty, int64_t chunk,
                          const struct gm_lease_failure *failure);
/* The lease stood still while a copy on another device made `count` chunks of it, from `first` on.
 */
void gm_core_watch_overtaken(struct gm_core *core, const struct gm_lease *lease, uint32_t first,
                             uint32_t count);
/* Its chunk, or its instance (-1), is committed. */
void gm_core_watch_passed(struct gm_core *core, const struct gm_lease *lease, int64_t chunk);
/* It ended or is planned again: what waits to pass elsewhere says nothing. */
void gm_core_watch_forget_job(struct gm_core *core, const struct gm_cjob *job);
/* A device that is held, of a node that has not failed the unit, could take it soon. */
bool gm_core_watch_holds_other(const struct gm_core *core, const struct gm_chain_wish *wish,
                               const struct gm_unit *unit);
/* What was offered, or is held against the device, changed. */
void gm_core_device_open(struct gm_core *core, struct gm_cnode *node, struct gm_cdevice *device);
/* The node told its devices; anew: as another instance. */
void gm_core_watch_hello(struct gm_core *core, struct gm_cnode *node);
/* Its node had taken it out of use, and proved it again: what failed before says nothing. */
void gm_core_watch_back(struct gm_core *core, struct gm_cdevice *device);
void gm_core_watch_proved(struct gm_core *core, struct gm_cdevice *device, uint64_t proof);
void gm_core_watch_forget_node(struct gm_core *core, const struct gm_cnode *node);
void gm_core_watch_tick(struct gm_core *core);
/* device "": the whole node. Errors: NOTFOUND, INVAL, BUSY. */
int gm_core_quarantine(struct gm_core *core, const char *node_id, const char *device,
                       const char *reason, struct gm_err *err) GM_MUST_CHECK;
/* Lifts what is held against the device, by whomever; "": all of the node's. False: nothing was. */
bool gm_core_watch_resume(struct gm_core *core, const char *node_id, const char *device);
/* Where it is not remembered yet; NULL: too many are. */
struct gm_cwatch *gm_core_watch_make(struct gm_core *core, const char *node_id, const char *device);
void gm_core_watch_apply(struct gm_core *core, const struct gm_cwatch *watch);
gm_time gm_core_watch_pause(const struct gm_cwatch *watch); /* of its last quarantine */
/* NULL: none. */
struct gm_cwatch *gm_core_watch_find(const struct gm_core *core, const char *node_id,
                                     const char *device);
/* Recovery: a stored row. */
void gm_core_watch_load(struct gm_core *core, const Gm__NodeRow *row);
bool gm_core_watch_is_kept(const struct gm_cwatch *watch); /* it has a place in its node's row */
void gm_core_watches_fini(struct gm_core *core);

#endif
