#ifndef GM_SCHEDULER_LAZY_H
#define GM_SCHEDULER_LAZY_H

#include "common/time.h"
#include "scheduler/core/core.h"

/* Lazy rows on their way to the disk: each waits for some time whether a later row of its key makes
 * it needless. Thread: one. */
#define GM_LAZY_WAIT (1 * GM_SEC) /* what ended by then has a row that says more */

struct gm_lazy; /* opaque; NULL: empty */

/* Takes the row (emptied, also on failure); one of its key that waits is replaced, and does not
 * begin anew. Errors: NOMEM. */
int gm_lazy_put(struct gm_lazy **lazy, struct gm_row *row, gm_time now,
                struct gm_err *err) GM_MUST_CHECK;
/* A row of that key goes to the disk at once, or with a job's deletion all of its rows go. */
void gm_lazy_drop(struct gm_lazy **lazy, const struct gm_row *later);
/* When the next one has waited; 0: none does. */
gm_time gm_lazy_due(const struct gm_lazy *lazy);
/* One that has waited until `now` (INT64_MAX: any), oldest first, into *out (owned): true. */
bool gm_lazy_take(struct gm_lazy **lazy, gm_time now, struct gm_row *out);
/* The one after `row`, or the first where it is NULL; NULL: no more. Borrowed. */
const struct gm_row *gm_lazy_next(const struct gm_lazy *lazy, const struct gm_row *row);
void gm_lazy_fini(struct gm_lazy **lazy);

#endif
