#ifndef GM_SCHEDULER_LETTERS_H
#define GM_SCHEDULER_LETTERS_H

#include "common/err.h"
#include "wire.pb-c.h"

/* Messages on their way out: what is said to one peer until the next flush leaves as one message,
 * in the order it was said (ADR-0049); one that is full leaves at once. A peer that did not say
 * that it reads batches gets each envelope at once. Thread: loop only. */
struct gm_peer;
struct gm_letters; /* opaque */

/* Something did not leave: code is ZeroMQ's number of why; EAGAIN: the peer reads too slowly. What
 * else was said to it until then may be lost with it. */
typedef void (*gm_letters_lost_fn)(const char *node_id, int code, void *arg);

/* router: borrowed for its life. Memory: as scheduler/core. */
struct gm_letters *gm_letters_create(void *router, gm_letters_lost_fn fn, void *arg);
/* What was not flushed is dropped. */
void gm_letters_destroy(struct gm_letters **letters);

/* node_id: for fn. Errors: LIMIT, NOMEM: the envelope is none that a message takes, nothing of it
 * will leave. */
int gm_letters_put(struct gm_letters *letters, struct gm_peer *peer, const char *node_id,
                   Gm__Envelope *envelope, struct gm_err *err) GM_MUST_CHECK;
/* All that waits leaves. */
void gm_letters_flush(struct gm_letters *letters);
/* Whether anything was sent, or tried, since it was asked last. */
bool gm_letters_used(struct gm_letters *letters);

#endif
