#ifndef GM_SCHEDULER_LEFTOVERS_H
#define GM_SCHEDULER_LEFTOVERS_H

#include "common/id.h"
#include "storage/store.h"

/* What lies in the work store, job by job: jobs/<id>/... Whether it may go the core knows
 * (scheduler/sweep.h).
 *
 * store:  borrowed; the work store
 * Thread: any. They block. */

enum gm_leftover_why {
    GM_LEFTOVER_ENDED,  /* of a job that has ended and was cleaned up: what landed after that */
    GM_LEFTOVER_UNKNOWN /* of a job that nobody knows, by its id older than GM_LEFTOVER_AGE_MS */
};
#define GM_LEFTOVER_AGE_MS (INT64_C(7) * 24 * 3600 * 1000)

struct gm_leftover {
    char job_id[65];
    uint64_t objects, bytes;
    uint64_t uploads; /* in parts that are open; of a folder none */
    int64_t age_ms;   /* by the id, which says when it was made; -1: it does not */
    enum gm_leftover_why why;
    bool deleted; /* by who sweeps */
};
struct gm_leftovers {
    struct gm_leftover *rows; /* owned; in the order of ids */
    size_t count, cap;
};

/* Errors: those of gm_store_list. out is untouched then. */
int gm_leftovers_list(struct gm_store *store, int64_t now_unix_ms, struct gm_leftovers *out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Deletes some of one job's; *out_more: call it again. */
int gm_leftovers_delete(struct gm_store *store, const char *job_id, bool *out_more,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_leftovers_fini(struct gm_leftovers *leftovers);

#endif
