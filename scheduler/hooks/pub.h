#ifndef GM_SCHEDULER_HOOKS_PUB_H
#define GM_SCHEDULER_HOOKS_PUB_H

#include <uv.h>

#include "common/allow.h"
#include "common/time.h"

/* Events for who subscribes: an XPUB socket that brings two frames each, the topic ("job.done") and
 * the CloudEvent. At most once: who is not there, or reads too slowly, misses them, and nobody is
 * told (ADR-0064). Thread: the loop's. */
#define GM_PUB_WAITING 256                     /* events that a subscriber may be behind */
#define GM_PUB_UNSENT_BYTES ((size_t)64 << 20) /* of all events on their way: more are dropped */
#define GM_PUB_SAID_BYTES 1024                 /* of one frame that a subscriber sends */

struct gm_pub; /* opaque */

struct gm_pub_params {
    void *zctx;                      /* borrowed; with gm_zap_open's socket where there are keys */
    uv_loop_t *loop;                 /* borrowed */
    char *const *listen;             /* tcp:// or ipc:// endpoints, ends with NULL */
    const struct gm_curve_file *key; /* the server's; NULL: no keys are asked for */
    const struct gm_allow *allow;    /* borrowed; may change; with key alone */
};

/* Errors: SYS, CONFIG, NOMEM. */
int gm_pub_open(const struct gm_pub_params *params, struct gm_pub **out,
                struct gm_err *err) GM_MUST_CHECK;
/* Before the context ends, which waits up to half a second for what is on its way; memory goes
 * after a further turn of the loop. NULL is fine, here and below. */
void gm_pub_close(struct gm_pub **pub);
/* What it is bound to, comma-separated; borrowed. */
const char *gm_pub_listen(const struct gm_pub *pub);

/* Whether anybody subscribed, so that an event is worth its text. */
bool gm_pub_wants(const struct gm_pub *pub);
/* An event that is not on disk yet; seqs rise. topic: lives for ever; body: copied. Is dropped
 * where nobody subscribed, or too much waits. */
void gm_pub_add(struct gm_pub *pub, int64_t seq, const char *topic, const void *body, size_t size);
/* The event, and all before it, are on disk: they leave. */
void gm_pub_stored(struct gm_pub *pub, int64_t seq);
/* Now and then: cuts who may not listen any more. */
void gm_pub_tick(struct gm_pub *pub, gm_time now, int64_t unix_ms);
/* Bytes of events that wait or are on their way. */
size_t gm_pub_unsent(const struct gm_pub *pub);

#endif
