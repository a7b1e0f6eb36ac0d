#ifndef GM_SCHEDULER_STORED_PIPELINES_H
#define GM_SCHEDULER_STORED_PIPELINES_H

#include "scheduler/daemon.h"
#include "state.pb-c.h"

/* Pipelines that were given to the API, beside those of the configuration's folders (ADR-0070).
 * Each is a row of the store: its text and images, parsed anew at each use as files are. The
 * farm's, not a tenant's. Where a folder has one of the same name, that one is taken. */
struct gm_stored_pipelines; /* opaque */

#define GM_STORED_PIPELINES 1000           /* at most */
#define GM_STORED_BYTES ((size_t)64 << 20) /* of their rows together */
#define GM_STORED_PIPELINE_KEY "pipeline/" /* before the name: a row's name */

int gm_stored_pipelines_create(struct gm_stored_pipelines **out, struct gm_err *err) GM_MUST_CHECK;
void gm_stored_pipelines_destroy(struct gm_stored_pipelines **stored);
/* Whether a row of the store is one of these. */
bool gm_stored_pipelines_is(const struct gm_key *key);
/* Such a row, at the start: not trusted; one that does not read is told in the log, and passed
 * over. Out of memory ends the process. */
void gm_stored_pipelines_load(struct gm_stored_pipelines *stored, const struct gm_key *key,
                              const void *data, size_t size);

/* As gm_pipeline_find, of folders and then of these. *out_stored may be NULL. Thread: any. */
int gm_stored_pipelines_find(struct gm_stored_pipelines *stored, char *const *folders,
                             const char *name, Gm__Pipeline **out, char **out_yaml,
                             bool *out_stored, struct gm_err *err) GM_MUST_CHECK;
/* Calls fn for the name of each that no folder has, sorted; a non-zero answer stops, and is the
 * result. Thread: any. Errors: NOMEM. */
int gm_stored_pipelines_list(struct gm_stored_pipelines *stored, char *const *folders,
                             int (*fn)(const char *name, void *arg), void *arg,
                             struct gm_err *err) GM_MUST_CHECK;
/* Thread: any. */
bool gm_stored_pipelines_has(struct gm_stored_pipelines *stored, const char *name);

/* Stores it, in the place of one of that name: found from when it is on disk, and then fn is
 * called. row: taken on success; its name, text and images were checked. Thread: loop. Errors:
 * LIMIT, those of gm_daemon_step. */
int gm_stored_pipelines_put(struct gm_daemon *d, Gm__PipelineRow *row, gm_daemon_answer_fn fn,
                            void *arg, struct gm_err *err) GM_MUST_CHECK;
/* The same way. Errors: NOTFOUND, those of gm_daemon_step. */
int gm_stored_pipelines_delete(struct gm_daemon *d, const char *name, gm_daemon_answer_fn fn,
                               void *arg, struct gm_err *err) GM_MUST_CHECK;

#endif
