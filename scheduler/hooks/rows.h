#ifndef GM_SCHEDULER_HOOKS_ROWS_H
#define GM_SCHEDULER_HOOKS_ROWS_H

#include "scheduler/core/core.h"
#include "scheduler/hooks/queue.h"
#include "state.pb-c.h"

/* Deliveries as rows: of kind NODE and named "hook/...", which the release before passes over
 * (proto/state.proto). Thread: any. */

bool gm_hook_row_is(const struct gm_key *key);
/* out: owned. */
void gm_hook_row_put(const struct gm_hook *hook, const void *body, size_t size, struct gm_row *out);
void gm_hook_row_delete(const struct gm_hook *hook, struct gm_row *out);
/* *out_row (owned: gm__node_row__free_unpacked) has what *out_hook and the body borrow. Errors:
 * NOTFOUND: an event or a target that this release does not know; PROTO, NOMEM. */
int gm_hook_row_read(const struct gm_key *key, const void *data, size_t size,
                     struct gm_hook *out_hook, Gm__NodeRow **out_row,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
