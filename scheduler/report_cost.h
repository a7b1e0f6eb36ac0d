#ifndef GM_SCHEDULER_REPORT_COST_H
#define GM_SCHEDULER_REPORT_COST_H

#include <jansson.h>

#include "scheduler/core/view.h"

/* What report.json says of a job's cost, summed over its attempts (docs/report.md). A new
 * reference; NULL: out of memory. Thread: any. */
json_t *gm_report_cost(const struct gm_attempts_view *attempts);

#endif
