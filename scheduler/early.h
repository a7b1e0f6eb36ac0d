#ifndef GM_SCHEDULER_EARLY_H
#define GM_SCHEDULER_EARLY_H

#include <stdbool.h>
#include <stddef.h>

/* Playlists of jobs that still work (`publish: early`, ADR-0066), inside of the daemon. Thread:
 * loop only. */
struct gm_daemon;
struct gm_early_job;           /* opaque */
struct gm_earlies {            /* all-zero: none */
    struct gm_early_job *jobs; /* owned; by id */
    size_t busy;               /* of them versions are being written */
};

/* The core says that a job has more to play, or may have, and that is on disk. */
void gm_early_grown(struct gm_daemon *d, const char *job_id);
/* Now and then: begins what is due. */
void gm_early_tick(struct gm_daemon *d);
/* True: a version of the job is being written, and gm_publish_start is called for it after that.
 * No other begins meanwhile: the job works no more. */
bool gm_early_holds(struct gm_daemon *d, const char *job_id);
/* With no work on the pool any more. */
void gm_earlies_fini(struct gm_earlies *earlies);

#endif
