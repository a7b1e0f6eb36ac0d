#ifndef GM_SCHEDULER_SWEEP_H
#define GM_SCHEDULER_SWEEP_H

#include "scheduler/leftovers.h"

/* What crashes left in the work store: found, and deleted. The scheduler sweeps by itself every
 * hour; who asks may have it at once, or only told. Thread: loop only. */
struct gm_daemon;

struct gm_sweep {         /* all-zero: empty */
    int64_t next_unix_ms; /* its own */
    bool busy;
};
/* found: borrowed; what may go, or has gone. On failure what was found
 * until then. */
typedef void (*gm_sweep_fn)(int rc, const struct gm_err *err, const struct gm_leftovers *found,
                            void *arg);

/* fn is called once, later. Errors: BUSY (one is under way), NOMEM: fn is not called then. */
int gm_sweep_start(struct gm_daemon *d, bool dry_run, gm_sweep_fn fn, void *arg,
                   struct gm_err *err) GM_MUST_CHECK;
/* Now and then. */
void gm_sweep_tick(struct gm_daemon *d);

#endif
