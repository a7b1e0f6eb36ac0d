#ifndef GM_SCHEDULER_CORE_PUBLISHING_H
#define GM_SCHEDULER_CORE_PUBLISHING_H

/* A job that is made, or that came to nothing, gets its report and manifests: asked for, tried
 * again, given up. Private to scheduler/core/. */
#include "scheduler/core/state.h"
#include "scheduler/core/view.h"

void gm_core_publishing_start(struct gm_core *core, struct gm_cjob *job);
/* An end of it was told: PUBLISHED. failure.code 0: all is in place. */
void gm_core_job_published(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                           bool manifests);
/* It was asked for and has not begun: something else is at its destination. why: a sentence. */
void gm_core_publishing_held(struct gm_core *core, struct gm_cjob *job, const char *why);
/* Nothing failed, and nothing holds it. */
void gm_core_publishing_forget(struct gm_cjob *job);
void gm_core_publishing_view(const struct gm_core *core, const struct gm_cjob *job,
                             struct gm_publishing_view *out);
/* The row of it, of a job that publishes. */
void gm_core_publishing_explain(const struct gm_core *core, const struct gm_cjob *job, gm_time now,
                                struct gm_explain_row *row);
/* After so many failures in a row: the first, twice as long each time, at most the longest. */
gm_time gm_core_pause_after(uint32_t failures, gm_time first, gm_time longest);

#endif
