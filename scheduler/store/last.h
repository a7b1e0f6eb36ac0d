#ifndef GM_SCHEDULER_STORE_LAST_H
#define GM_SCHEDULER_STORE_LAST_H

#include "scheduler/core/core.h"

/* Of rows of a batch with one key only the last is written. Memory is kept from batch to batch.
 * Thread: one. */
struct gm_last {       /* all-zero: empty */
    uint32_t *slots;   /* owned: a hash table of row numbers + 1 */
    size_t slot_count; /* of this batch: a power of two */
    size_t slot_cap;
    bool *skip; /* owned: of each row, whether a later one has its key */
    size_t skip_cap;
};

/* Sets last->skip[0..count). Errors: NOMEM. */
int gm_last_find(struct gm_last *last, const struct gm_row *rows, size_t count,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_last_fini(struct gm_last *last);

#endif
