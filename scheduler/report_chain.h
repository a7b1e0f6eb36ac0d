#ifndef GM_SCHEDULER_REPORT_CHAIN_H
#define GM_SCHEDULER_REPORT_CHAIN_H

#include <jansson.h>

#include "scheduler/core/view.h"
#include "scheduler/metas.h"

/* What the pictures of a job are encoded with. Returned values are new references; NULL: no memory.
 * Thread: the loop's. */

/* The encode task's parameters, borrowed from the job; NULL: nothing is encoded. */
const Gm__EncodeParams *gm_report_encode_params(const struct gm_job_view *job);
/* What was asked for, what was taken and why, what was given up and what did it: docs/report.md,
 * "encoding". Null for a pipeline that encodes nothing. */
json_t *gm_report_encoding(const struct gm_core *core, const struct gm_job_view *job);
/* Which devices finished runs of the encode task: [{"node","device","runs"}]. */
json_t *gm_report_devices(const struct gm_core *core, const char *job_id);
/* What the plan scales with: {"by","reason"}. */
json_t *gm_report_scaler(const Gm__Policy *policy);
/* What did a step of how many chunks: [{"by","chunks","reason"}], and "device" where that is told.
 */
json_t *gm_report_ways(const struct gm_ways *ways, bool with_device);

#endif
