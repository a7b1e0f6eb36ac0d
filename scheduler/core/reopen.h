#ifndef GM_SCHEDULER_CORE_REOPEN_H
#define GM_SCHEDULER_CORE_REOPEN_H

/* A job that failed keeps what it made for params.keep_failed_ms, and goes on with it when it is
 * tried again meanwhile (ADR-0080). Private to scheduler/core/. */
#include "scheduler/core/state.h"

/* It failed, and what it made lies untouched. */
bool gm_core_job_is_kept(const struct gm_cjob *job);
/* It just ended: it is kept where that is of use. */
void gm_core_keep_begin(struct gm_core *core, struct gm_cjob *job);
/* After a restart: for as long as is left. */
void gm_core_keep_resume(struct gm_core *core, struct gm_cjob *job);
/* What it made may go. */
void gm_core_keep_end(struct gm_core *core, struct gm_cjob *job);
/* GM_EV_PLACE_GOES: of all jobs that are kept there. */
void gm_core_keep_end_at(struct gm_core *core, const char *url);
/* GM_EV_REOPEN. submit: what a new job in its place would be. Errors: CONFLICT, BUSY. */
int gm_core_job_reopen(struct gm_core *core, struct gm_cjob *job, const struct gm_submit *submit,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
