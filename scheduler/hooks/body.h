#ifndef GM_SCHEDULER_HOOKS_BODY_H
#define GM_SCHEDULER_HOOKS_BODY_H

#include "common/traceparent.h"
#include "scheduler/core/view.h"
#include "scheduler/json.h"

/* What receivers read: CloudEvents 1.0 in JSON, structured mode. Pure. Thread: any. */

#define GM_HOOK_ID 96

/* "<job id>-<event's seq>": of one event the same for ever. Returns out. */
const char *gm_hook_id(const char *job_id, uint64_t seq, char out[GM_HOOK_ID]);

struct gm_hook_event {
    const char *source; /* of the farm: a URI */
    const char *type;   /* "job.done" */
    const char *job_id;
    uint64_t seq;
    int64_t unix_ms;
    const char *json; /* the event's data: is taken where the job is not known any more */
};
/* With the job as it is now: what of its document is no matter of the moment, and nothing that is
 * secret. Errors: NOMEM. */
int gm_hook_body(const struct gm_core *core, const struct gm_hook_event *event, struct gm_buf *out,
                 struct gm_err *err) GM_MUST_CHECK;
/* The trace of the job's request that a body names; "": none, as of earlier versions. */
void gm_hook_body_trace(const void *body, size_t size, char out[GM_TRACEPARENT_SIZE]);

#endif
