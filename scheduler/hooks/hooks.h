#ifndef GM_SCHEDULER_HOOKS_HOOKS_H
#define GM_SCHEDULER_HOOKS_HOOKS_H

#include <jansson.h>

#include "scheduler/core/core.h"

/* The outbox: events of jobs on their way to webhooks (ADR-0064), and to the
 * events' socket, where there is one. A delivery is a row that is
 * written with the event; it goes when the receiver took it. Thread: the loop's. */
struct gm_hooks; /* opaque */
struct gm_daemon;

/* d: borrowed for its life. Errors: CONFIG, SYS, NOMEM. */
int gm_hooks_create(struct gm_daemon *d, struct gm_hooks **out, struct gm_err *err) GM_MUST_CHECK;
/* What is under way ends, its rows stay. Memory goes after a further turn of the loop. NULL is
 * fine, here and below. */
void gm_hooks_destroy(struct gm_hooks **hooks);
/* Reads the secrets again; what does not read changes nothing. */
void gm_hooks_reload(struct gm_hooks *h);

/* A row at start. True: it is the outbox's, and *out_rc says how reading it went (PROTO). */
bool gm_hooks_load(struct gm_hooks *h, const struct gm_key *key, const void *data, size_t size,
                   int *out_rc, struct gm_err *err);
/* Adds the rows of a step's events to it, of which the first that is durable gets first_seq. */
void gm_hooks_fill(struct gm_hooks *h, struct gm_effects *fx, int64_t first_seq);
/* The event, and all before it, are on disk. */
void gm_hooks_stored(struct gm_hooks *h, int64_t seq);
/* The title of a job that is not known any more is gone, on disk: tells subscribers, for there is
 * no step whose event says it. */
void gm_hooks_removed(struct gm_hooks *h, const char *job_id);
/* Sends what is due. */
void gm_hooks_tick(struct gm_hooks *h);

struct gm_hooks_counts {
    uint64_t waiting, dead;       /* of now */
    uint64_t taken, failed, died; /* since the start: tries of both kinds; became dead letters */
    int64_t oldest_unix_ms;       /* since when the oldest waits; 0: none does */
};
void gm_hooks_counts(const struct gm_hooks *h, struct gm_hooks_counts *out);
/* Dead letters, or those that wait, behind `after` ("": the first), at most `limit`. */
int gm_hooks_list(const struct gm_hooks *h, bool dead, const char *after, size_t limit,
                  json_t **out, struct gm_err *err) GM_MUST_CHECK;
/* Dead letters of that id (name), of that job, or (both NULL) all are delivered after all: their
 * rows are written with the next commit. How many. Errors: NOTFOUND: there is none of that id. */
int gm_hooks_redeliver(struct gm_hooks *h, const char *id, const char *job_id, size_t *out_count,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
