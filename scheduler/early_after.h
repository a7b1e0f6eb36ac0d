#ifndef GM_SCHEDULER_EARLY_AFTER_H
#define GM_SCHEDULER_EARLY_AFTER_H

#include "scheduler/early_final.h"

/* What is looked after of early jobs (ADR-0066) when they have ended, on the pool, one destination
 * at a time:
 * - What was published is compared with what stands there, three times within 600 `early_s` (an
 *   hour): a write of a version may be carried out late. Forgotten with the process, and where
 *   there are too many.
 * - After a start, whether playlists of a job that came to nothing still stand: a release that did
 *   not know of them left them.
 * Thread: loop only. */
struct gm_daemon;
struct gm_early_look;            /* opaque */
struct gm_early_after {          /* all-zero: none */
    struct gm_early_look *looks; /* owned; oldest first */
    size_t count, bytes;
    char **ended; /* owned, and so is each; ids of jobs that came to nothing */
    size_t ended_count, ended_next;
    const struct gm_early_look *busy; /* that the pool has; borrowed, and not always of looks */
};

/* The job was published. Takes *final (empty then); all else is copied. */
void gm_early_after_published(struct gm_daemon *d, const char *job_id, const char *out_url,
                              const char *publication, struct gm_early_final *final);
/* The rows were read. */
void gm_early_after_start(struct gm_daemon *d);
void gm_early_after_tick(struct gm_daemon *d);
/* With no work on the pool any more. */
void gm_early_after_fini(struct gm_early_after *after);

#endif
