#ifndef GM_SCHEDULER_COMMIT_H
#define GM_SCHEDULER_COMMIT_H

#include <uv.h>

#include "common/histogram.h"
#include "scheduler/daemon.h"

/* Group commit: while one batch is written by a thread, the next one fills. What must not leave
 * before it is durable waits in the batch and is handed back, in order, when it is on disk. Steps
 * with lazy rows alone start no batch: they are handed back behind those before them, at once where
 * there are none, and their rows wait as lazy.h says. A batch for which the disk has no room is
 * tried again each second until it has. Thread: the loop's.
 */
struct gm_commit; /* opaque */

struct gm_commit_entry {        /* one step */
    struct gm_effects effects;  /* owned; its rows were moved into the batch */
    int64_t first_seq;          /* number of its first durable event; the others follow */
    gm_daemon_answer_fn answer; /* may be NULL */
    void *answer_arg;
};
/* Called on the loop for each entry of a batch, in order, when it is on disk (rc 0) or when it will
 * never be (negative); in gm_commit_add already where nothing of it need be. The entry is freed
 * afterwards. */
typedef void (*gm_commit_fn)(struct gm_commit_entry *entry, int rc, const struct gm_err *err,
                             void *arg);

struct gm_commit_counts { /* since the start */
    uint64_t commits, rows, bytes;
    struct gm_histogram took; /* from hand-over to return */
};
extern const struct gm_bounds gm_commit_bounds;

int gm_commit_start(uv_loop_t *loop, struct gm_state *state, gm_commit_fn fn, void *arg,
                    struct gm_commit **out, struct gm_err *err) GM_MUST_CHECK;
/* Takes entry's effects (also on failure). Durable events get numbers; wall: their time stamp.
 * Errors: NOMEM: the daemon must stop, a step is lost. */
int gm_commit_add(struct gm_commit *c, struct gm_commit_entry *entry, int64_t wall_unix_ms,
                  struct gm_err *err) GM_MUST_CHECK;
/* The number that the first durable event of the next step gets. */
int64_t gm_commit_next_event(const struct gm_commit *c);
/* Time went on: lazy rows that have waited are written. At least every 100 ms. */
void gm_commit_tick(struct gm_commit *c);
/* From now on no row is lazy, those that wait included, and a batch without room fails with
 * STATE_FULL: before the end. */
void gm_commit_flush(struct gm_commit *c);
/* Bytes that wait, and whether nothing does; lazy rows that still wait don't count. */
size_t gm_commit_backlog(const struct gm_commit *c);
const struct gm_commit_counts *gm_commit_counts(const struct gm_commit *c); /* borrowed */
/* Whole seconds until what waits now should be on disk (overload.h). */
uint32_t gm_commit_wait_s(const struct gm_commit *c);
bool gm_commit_is_idle(const struct gm_commit *c);
/* What is written now found no room on the disk, and is tried again. */
bool gm_commit_is_full(const struct gm_commit *c);
/* The job has ended, and that is not on disk yet. */
bool gm_commit_has_end(const struct gm_commit *c, const char *job_id);
/* Waits for the batch being written, refuses the rest. The loop must turn once more. */
void gm_commit_stop(struct gm_commit **c);

#endif
