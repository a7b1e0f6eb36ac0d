#ifndef GM_SCHEDULER_REPORT_H
#define GM_SCHEDULER_REPORT_H

#include <jansson.h>

#include "common/buf.h"
#include "common/time.h"
#include "scheduler/core/view.h"
#include "scheduler/json.h"

/* JSON made from the core's views: the job document of the API (docs/api.md) and report.json
 * (docs/report.md). Thread: the core's. Errors: NOTFOUND, NOMEM, PROTO (a stored meta does not
 * decode). */

/* light: without what needs every item's meta read (warnings counted while encoding). Owned. */
int gm_doc_job(const struct gm_core *core, const char *job_id, bool light, json_t **out,
               struct gm_err *err) GM_MUST_CHECK;
/* The same without tasks, warnings and encoding, which cost what the job is large. */
int gm_doc_job_row(const struct gm_core *core, const char *job_id, json_t **out,
                   struct gm_err *err) GM_MUST_CHECK;
int gm_doc_progress(const struct gm_core *core, const char *job_id, json_t **out,
                    struct gm_err *err) GM_MUST_CHECK;
int gm_doc_explain(const struct gm_core *core, const char *job_id, gm_time now, json_t **out,
                   struct gm_err *err) GM_MUST_CHECK;
int gm_doc_nodes(const struct gm_core *core, json_t **out, struct gm_err *err) GM_MUST_CHECK;
/* key: that its connection was proved by, NULL: none; until_unix_ms: its end, INT64_MAX: never. */
int gm_doc_node(const struct gm_core *core, const char *node_id, const char *key,
                int64_t until_unix_ms, json_t **out, struct gm_err *err) GM_MUST_CHECK;
/* One of a job's `tasks`; NULL: out of memory. */
json_t *gm_doc_task(const struct gm_task_view *task);
/* {"code","text","blame","retry","remedy"}; NULL: out of memory. */
json_t *gm_doc_error(const struct gm_err *err);

/* The report. final: what it will say once it is published (a job being published is shown as
 * done). */
int gm_report_json(const struct gm_core *core, const char *job_id, bool final, json_t **out,
                   struct gm_err *err) GM_MUST_CHECK;

/* What publishing writes; empty: not written. Owned. */
struct gm_report_files {
    struct gm_buf report;
    struct gm_buf master_m3u8;
    struct gm_buf manifest_mpd;
};
int gm_report_build(const struct gm_core *core, const char *job_id, struct gm_report_files *out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_report_files_fini(struct gm_report_files *files);

#endif
