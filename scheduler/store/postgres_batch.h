#ifndef GM_SCHEDULER_STORE_POSTGRES_BATCH_H
#define GM_SCHEDULER_STORE_POSTGRES_BATCH_H

#include "scheduler/store/last.h"
#include "scheduler/store/pg.h"
#include "scheduler/store/state.h"

/* The statement of a commit. $1: the term, $2: the number of the batch before; the others by
 * gm_pg_add_batch. Answers one number: 1, or 0 where term or batch are others, and nothing was
 * done. */
extern const char GM_PG_COMMIT[];

/* Copies the batch into the parameters. Errors: NOMEM. Thread: any. */
int gm_pg_add_batch(struct gm_pg_params *p, const struct gm_state_batch *batch,
                    struct gm_last *last, struct gm_err *err) GM_MUST_CHECK;

#endif
