#ifndef GM_SCHEDULER_RETIRE_H
#define GM_SCHEDULER_RETIRE_H

#include <stdbool.h>

#include "common/err.h"
#include "common/time.h"

/* Deletes older publications when their time is over (scheduler/replaced.h). The destinations to
 * look at are those of the jobs that are done and still known, once at a start, and those that a
 * job publishes to. One is looked at at a time. What can't be deleted is tried again after
 * ten minutes, then after twice as long, up to a day; what an unfinished job of this farm publishes
 * stays until it has ended. Thread: loop only. */
struct gm_daemon;

struct gm_retire {                  /* all-zero: empty */
    struct gm_retire_place *places; /* owned; by destination */
    int64_t next_unix_ms;           /* no place is due before */
    gm_time until;                  /* of a daemon that stops; 0: it does not */
    bool busy;
};

/* At a start. */
void gm_retire_start(struct gm_daemon *d);
/* The destination may have notes: it is looked at from due_unix_ms on. */
void gm_retire_note(struct gm_daemon *d, const char *destination_url, int64_t due_unix_ms);
/* Now and then. */
void gm_retire_tick(struct gm_daemon *d);
void gm_retire_fini(struct gm_retire *retire);

#endif
