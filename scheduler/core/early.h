#ifndef GM_SCHEDULER_CORE_EARLY_H
#define GM_SCHEDULER_CORE_EARLY_H

#include "scheduler/core/state.h"

/* Jobs of `publish: early` (ADR-0066), inside of the core. */

/* Something of what its playlists name was committed, or may have been. No-op for other jobs. */
void gm_core_early_grown(struct gm_core *core, const struct gm_cjob *job);
/* GM_EV_EARLY. Its answer comes when all that was committed before is on disk. Errors: CONFLICT
 * (the job is not open, or another one of the same result writes a playlist of these), INVAL (a key
 * that is not below the publication); nothing is changed then. */
int gm_core_early_begin(struct gm_core *core, struct gm_cjob *job, const struct gm_event *event,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
