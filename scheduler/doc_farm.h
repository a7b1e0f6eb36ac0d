#ifndef GM_SCHEDULER_DOC_FARM_H
#define GM_SCHEDULER_DOC_FARM_H

#include "scheduler/core/view_farm.h"
#include "scheduler/report.h"

/* Documents for who looks on: the farm, and of a job its tasks and attempts. docs/api.md describes
 * each member. Thread: the core's. Errors: NOTFOUND, NOMEM. */

/* What the core does not know. */
struct gm_farm_facts {
    int64_t now_unix_ms;
    int64_t started_unix_ms;
    bool ready;                 /* jobs are taken */
    const char *const *reasons; /* what is wrong, NULL-terminated */
};
int gm_doc_farm(const struct gm_core *core, const struct gm_farm_facts *facts, json_t **out,
                struct gm_err *err) GM_MUST_CHECK;
int gm_doc_tasks(const struct gm_core *core, const char *job_id, json_t **out,
                 struct gm_err *err) GM_MUST_CHECK;
/* At most `limit` of those behind number `after`. */
int gm_doc_attempts(const struct gm_core *core, const char *job_id, uint64_t after, size_t limit,
                    json_t **out, struct gm_err *err) GM_MUST_CHECK;

#endif
