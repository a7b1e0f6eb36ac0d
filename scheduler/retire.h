#ifndef GM_SCHEDULER_RETIRE_H
#define GM_SCHEDULER_RETIRE_H

#include <stdbool.h>

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "common/err.h"
#include "common/time.h"
#include "scheduler/core/mem.h"

/* Deletes older publications when their time is over (scheduler/replaced.h). The destinations to
 * look at are, once at a start, those of the jobs that are done and still known and those of the
 * titles of the last days, whose jobs may be forgotten; and those that a job publishes to. One is
 * looked at at a time. What can't be deleted is tried again after ten minutes, then after twice as
 * long, up to a day; what an unfinished job of this farm publishes stays until it has ended.
 * Thread: loop only. */
struct gm_daemon;

struct gm_retire_place {
    char *url; /* owned */
    int64_t due_unix_ms;
    int64_t pause_ms; /* after the failure before; 0: there was none */
    UT_hash_handle hh;
};

struct gm_retire {                  /* all-zero: empty */
    struct gm_retire_place *places; /* owned; by destination */
    int64_t next_unix_ms;           /* no place is due before */
    gm_time until;                  /* of a daemon that stops; 0: it does not */
    bool busy;
};

/* At a start. */
void gm_retire_start(struct gm_daemon *d);
/* When the table of titles has been read: those that ended within `publish_grace_s` and a week. */
void gm_retire_titles(struct gm_daemon *d);
#define GM_RETIRE_TITLES_MS (INT64_C(7) * 24 * 3600 * 1000)
/* The destination may have notes: it is looked at from due_unix_ms on. */
void gm_retire_note(struct gm_daemon *d, const char *destination_url, int64_t due_unix_ms);
/* Now and then. */
void gm_retire_tick(struct gm_daemon *d);
void gm_retire_fini(struct gm_retire *retire);

#endif
