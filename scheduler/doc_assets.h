#ifndef GM_SCHEDULER_DOC_ASSETS_H
#define GM_SCHEDULER_DOC_ASSETS_H

#include "scheduler/report.h"

/* What a job published, as GET /v1/assets has it (docs/api.md). Thread: the core's. Errors:
 * NOTFOUND, NOMEM, PROTO. */
int gm_doc_asset(const struct gm_core *core, const char *job_id, json_t **out,
                 struct gm_err *err) GM_MUST_CHECK;

#endif
