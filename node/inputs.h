#ifndef GM_NODE_INPUTS_H
#define GM_NODE_INPUTS_H

#include "common/err.h"
#include "wire.pb-c.h"

/* A task's inputs by position, as agent and worker both count them: those of its TaskSpec, then
 * those of each Feed in turn. All zero: empty. */
struct gm_inputs {
    Gm__TaskInput **list; /* owned; the entries are borrowed from the spec and the feeds */
    size_t count, cap;
    Gm__Feed **feeds; /* owned, and so are they */
    size_t feed_count, feed_cap;
};

/* Appends `count` inputs, borrowed until fini. Each must have its item. Errors: PROTO, NOMEM;
 * nothing was appended. */
int gm_inputs_add(struct gm_inputs *inputs, Gm__TaskInput **more, size_t count,
                  struct gm_err *err) GM_MUST_CHECK;
/* Appends the inputs of feed, and takes it on success. Errors: as above. */
int gm_inputs_feed(struct gm_inputs *inputs, Gm__Feed *feed, struct gm_err *err) GM_MUST_CHECK;
void gm_inputs_fini(struct gm_inputs *inputs);

#endif
