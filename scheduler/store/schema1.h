#ifndef GM_SCHEDULER_STORE_SCHEMA1_H
#define GM_SCHEDULER_STORE_SCHEMA1_H

#include "common/err.h"
#include "scheduler/core/key.h"

/* Rows as schema 1 had them: their keys were texts that name the job and the task, and so did the
 * bodies. What a name means only the jobs' rows say, so those are learnt first. Pure; thread: any.
 * Errors: PROTO: a row that does not decode or names a job or task that is not there; NOMEM.
 */
struct gm_schema1; /* opaque: the jobs' names */

int gm_schema1_create(struct gm_schema1 **out, struct gm_err *err) GM_MUST_CHECK;
void gm_schema1_destroy(struct gm_schema1 **names);
/* A job's body, of either schema. */
int gm_schema1_learn(struct gm_schema1 *names, const void *body, size_t size,
                     struct gm_err *err) GM_MUST_CHECK;
/* When all are learnt. Errors: PROTO: two have one id or one number. */
int gm_schema1_learnt(struct gm_schema1 *names, struct gm_err *err) GM_MUST_CHECK;
/* The job's number; 0: it is not there. */
uint64_t gm_schema1_job(const struct gm_schema1 *names, const char *id);
/* And its id, borrowed; NULL: it is not there. */
const char *gm_schema1_id(const struct gm_schema1 *names, uint64_t job);

/* A row of schema 1 as it is now. out_key: its name is owned; out_body: owned. */
int gm_schema1_upgrade(const struct gm_schema1 *names, enum gm_row_kind kind, const void *body,
                       size_t size, struct gm_key *out_key, uint8_t **out_body, size_t *out_size,
                       struct gm_err *err) GM_MUST_CHECK;
/* And back. out_key: the text, owned. A kind that schema 1 did not know: 1, and nothing is set. */
int gm_schema1_downgrade(const struct gm_schema1 *names, const struct gm_key *key, const void *body,
                         size_t size, char **out_key, uint8_t **out_body, size_t *out_size,
                         struct gm_err *err) GM_MUST_CHECK;

#endif
