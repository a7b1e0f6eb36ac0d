#ifndef GM_SCHEDULER_SWEEP_H
#define GM_SCHEDULER_SWEEP_H

#include "scheduler/leftovers.h"

/* What crashes left in the work store: found, and deleted. The scheduler sweeps by itself every
 * hour; who asks may have it at once, or only told. Thread: loop only. */
struct gm_daemon;
struct gm_sweep_run; /* opaque */

struct gm_sweep {             /* all-zero: empty */
    int64_t next_unix_ms;     /* its own */
    struct gm_sweep_run *run; /* owned; under way, or the last that ended. NULL: none was */
    uint64_t runs;            /* that began */
};

/* One sweep, as far as it is. */
struct gm_sweep_view {
    uint64_t id; /* from 1 on, of this process */
    bool dry_run;
    bool ended;
    bool listed;                      /* else nothing is found yet */
    const struct gm_leftovers *found; /* borrowed; what may go, or has gone */
    int rc;                           /* ended; err: the first failure, others may have gone well */
    const struct gm_err *err;
};
typedef void (*gm_sweep_fn)(const struct gm_sweep_view *view, void *arg);

#define GM_SWEEP_WAITERS 16

/* Begins a sweep, or follows one: `id` where it is the last; the one under way, unless that deletes
 * nothing and this one is to. fn is called once: when it has ended, or after GM_SWEEP_WAIT_MS as
 * far as it is then; it may be called at once. Errors: BUSY (one is under way that can't be
 * followed, or too many follow it), NOTFOUND (no such `id`), NOMEM: fn is not called then.
 *
 * id: of a view; 0: none. One that is not known any more begins nothing
 */
#define GM_SWEEP_WAIT_MS 20000
int gm_sweep_ask(struct gm_daemon *d, bool dry_run, uint64_t id, gm_sweep_fn fn, void *arg,
                 struct gm_err *err) GM_MUST_CHECK;
/* Now and then. */
void gm_sweep_tick(struct gm_daemon *d);
/* None is under way. */
void gm_sweep_fini(struct gm_sweep *sweep);

#endif
