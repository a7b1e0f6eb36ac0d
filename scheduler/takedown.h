#ifndef GM_SCHEDULER_TAKEDOWN_H
#define GM_SCHEDULER_TAKEDOWN_H

#include "scheduler/daemon.h"

/* Takes published titles down (ADR-0068): what their jobs put at destination and backup goes,
 * manifests first, the report last, then the entry of the catalogue. It was asked for durably, so
 * the next start, or who takes over, goes on; what fails is tried again, with pauses of 10 s up to
 * 15 minutes, for as long as it takes. On the pool, a step of about a second at a time, at most
 * four titles at once. Thread: loop only. */
struct gm_takedowns {             /* all-zero: empty */
    struct gm_takedown_run *runs; /* each owned */
    size_t busy;
};

/* fn: as of gm_daemon_step; with rc 0 it is on disk that the title goes. Asked again: the same
 * answer. Errors: NOTFOUND (no such title), CONFLICT (a job that has not ended, or whose backup
 * waits, writes to one of its places), BUSY (the catalogue is not read yet). */
int gm_takedown_ask(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                    struct gm_err *err) GM_MUST_CHECK;
/* A title that is being taken down is forgotten, whatever is left of it at its places; what the
 * pool is at ends first. fn: as of gm_daemon_step; with rc 0 it is on disk, or comes to be. Errors:
 * NOTFOUND, BUSY; CONFLICT: it was not asked to go. */
int gm_takedown_give_up(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                        struct gm_err *err) GM_MUST_CHECK;
/* A job may not be made at a place that is being cleared, or will be. Errors: CONFLICT. */
int gm_takedown_check(const struct gm_daemon *d, const struct gm_submit *submit,
                      struct gm_err *err) GM_MUST_CHECK;
/* A title's row of the store, at the start: of one that is taken down its places are refused from
 * then on, though the catalogue is not read yet. A row that does not read is none. */
void gm_takedown_load(struct gm_daemon *d, const void *data, size_t size);
/* The catalogue was read: what was asked for before goes on. */
void gm_takedown_start(struct gm_daemon *d);
void gm_takedown_tick(struct gm_daemon *d);
void gm_takedowns_fini(struct gm_takedowns *takedowns);

#endif
