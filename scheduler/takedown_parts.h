#ifndef GM_SCHEDULER_TAKEDOWN_PARTS_H
#define GM_SCHEDULER_TAKEDOWN_PARTS_H

#include <stdatomic.h>

#include "common/crash.h"
#include "scheduler/daemon_parts.h"

/* Inside of takedown.c (turns, on the loop) and takedown_step.c (what the pool does). Nobody else
 * includes this. */
#define GM_TAKEDOWN_PLACES 2 /* destination, backup */

struct gm_takedown_place {
    char *url, *mark; /* owned; mark "": not known */
};
struct gm_takedown_run {
    struct gm_takedown_run *next;
    struct gm_daemon *d; /* borrowed */
    char *job_id;        /* owned, and so is what follows */
    char *tenant;
    char *publication;
    struct gm_takedown_place places[GM_TAKEDOWN_PLACES];
    size_t place_count, at;
    bool durable;         /* it is on disk that it was asked for */
    bool busy;            /* the pool has it */
    atomic_bool given_up; /* nobody waits for its places any more */
    gm_time due;
    bool more; /* the place is not clear yet */
    int rc;
    struct gm_err err;
    gm_daemon_answer_fn answer; /* of who asked */
    void *answer_arg;
};

/* One step at places[at]. Thread: the pool's. */
void gm_takedown_step(struct gm_takedown_run *run);
/* What it does in the store there, until about that time, but at least a batch of what is left:
 * run->more. Errors: those of the store. */
int gm_takedown_clear(struct gm_takedown_run *run, struct gm_store *store,
                      gm_time until) GM_MUST_CHECK;

#endif
