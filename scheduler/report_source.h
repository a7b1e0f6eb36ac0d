#ifndef GM_SCHEDULER_REPORT_SOURCE_H
#define GM_SCHEDULER_REPORT_SOURCE_H

#include <jansson.h>

#include "scheduler/core/view.h"
#include "scheduler/metas.h"

/* What report.json says of the source (docs/report.md): name and size alone before it was
 * inspected. A new reference; NULL: out of memory. Thread: the loop's. */
json_t *gm_report_source(const struct gm_job_view *job, const struct gm_metas *metas);

#endif
