#ifndef GM_SCHEDULER_GUARD_H
#define GM_SCHEDULER_GUARD_H

#include <uv.h>

#include "common/err.h"
#include "common/time.h"

/* Watches the connections of the nodes' socket, and cuts those that peers.h tells it to: libzmq has
 * no way to end one of a ROUTER's connections, so its descriptor is shut down, after a look that it
 * is one of ours. Thread: loop only. */
struct gm_peers;
struct gm_guard; /* opaque */

/* Before the socket binds. The loop takes note of connections whenever it turns. Errors: SYS,
 * NOMEM. */
int gm_guard_open(void *zctx, uv_loop_t *loop, void *router, struct gm_peers *peers,
                  struct gm_guard **out, struct gm_err *err) GM_MUST_CHECK;
/* Before the socket is closed; the loop must turn once more. */
void gm_guard_close(struct gm_guard **guard);
/* It is bound to that, too: as ZMQ_LAST_ENDPOINT says it. Errors: NOMEM. */
int gm_guard_bound(struct gm_guard *guard, const char *endpoint, struct gm_err *err) GM_MUST_CHECK;
/* Takes note of connections that came and went, now: before what one of them says is judged. */
void gm_guard_read(struct gm_guard *guard, gm_time now);
void gm_guard_cut(struct gm_guard *guard, int fd, const char *why);
/* Now and then: cuts what peers.h wants cut, what says too much before it says who it is, and,
 * while nothing is read (`deaf`), what fills the memory meanwhile. */
void gm_guard_tick(struct gm_guard *guard, bool deaf, gm_time now, int64_t unix_ms);

#endif
