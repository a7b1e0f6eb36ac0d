#ifndef GM_SCHEDULER_REPORT_TRACKS_H
#define GM_SCHEDULER_REPORT_TRACKS_H

#include <jansson.h>

#include "scheduler/core/view.h"
#include "scheduler/metas.h"

/* What report.json says of the video and audio that is made (docs/report.md): what was asked for,
 * what the plan made of it, and what came out. Lists, empty before the plan. New references; NULL:
 * out of memory. Thread: the loop's. */
json_t *gm_report_renditions(const struct gm_core *core, const struct gm_job_view *job,
                             const struct gm_metas *metas);
json_t *gm_report_audio(const struct gm_metas *metas);

#endif
