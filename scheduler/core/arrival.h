#ifndef GM_SCHEDULER_CORE_ARRIVAL_H
#define GM_SCHEDULER_CORE_ARRIVAL_H

/* Jobs whose source still arrives (uploads): what would only wait for its parts holds no slot.
 * `inspect` is given out when enough for it is there, and a task that waited too long for one part
 * gives its slot back, which nobody is charged for. Both are ready again when the event says so
 * (GM_EV_ARRIVED); what is there, and what will never come, others know. Nothing of it is in rows:
 * after a restart the tasks say again that they wait.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* The job has a source of parts of which the begin may not be there: inspect waits, if it is ready.
 */
void gm_core_arrival_begin(struct gm_core *core, struct gm_cjob *job);
/* A heartbeat: the lease's worker waits for that part, by index + 1; 0: for none. It may lose its
 * units by it. Runs of chunks are left alone: they read what split has read. */
void gm_core_arrival_said(struct gm_core *core, struct gm_lease *lease, uint32_t part);
/* What the job waited for is there, or never comes. etag: of a source whose URL takes other bytes,
 * too: nothing was read of it, and from now on it must have that one. NULL or "": none. */
void gm_core_arrival_over(struct gm_core *core, struct gm_cjob *job, const char *etag);
/* The unit's pause has no end of its own. */
bool gm_core_arrival_holds(const struct gm_unit *unit);

#endif
