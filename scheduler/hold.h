#ifndef GM_SCHEDULER_HOLD_H
#define GM_SCHEDULER_HOLD_H

#include "scheduler/core/core.h"

/* What keeps deletions and write grants apart: an answer that lets a node write below a publication
 * waits while objects of that publication are deleted. All others leave at once, and it waits for
 * the batches alone that ran when it came: whoever begins one asks the core first whose its outputs
 * are. Thread: loop only.
 */
#define GM_HOLD_NAME 65 /* bytes; the core takes no longer publication */

struct gm_hold_batch {
    char publication[GM_HOLD_NAME]; /* set by the caller */
    uint64_t number;
    struct gm_hold_batch *next;
};
struct gm_hold {                   /* all-zero: empty */
    struct gm_hold_batch *batches; /* borrowed */
    struct gm_held_send *sends;    /* owned; in order */
    uint64_t last;                 /* number of the last batch */
};
typedef void (*gm_hold_fn)(const char *node_id, Gm__Envelope *envelope, void *arg);

/* The publication of an object's key, "v/<publication>/..."; "" for other keys. */
void gm_hold_publication(const char *key, char out[GM_HOLD_NAME]);
/* batch: borrowed until its end. */
void gm_hold_begin(struct gm_hold *hold, struct gm_hold_batch *batch);
/* Calls fn for what need not wait any more; its envelope is borrowed. */
void gm_hold_end(struct gm_hold *hold, struct gm_hold_batch *batch, gm_hold_fn fn, void *arg);
/* True: it must not leave now. Then its envelope was copied, and is NULL; without memory for that
 * it is not sent: the node asks again. */
bool gm_hold_keep(struct gm_hold *hold, struct gm_send *send);
void gm_hold_fini(struct gm_hold *hold);

#endif
