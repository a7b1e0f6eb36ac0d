#ifndef GM_SCHEDULER_BOUND_H
#define GM_SCHEDULER_BOUND_H

#include <netinet/in.h>
#include <stdbool.h>

#include "common/err.h"

/* What a ZeroMQ socket is bound to, so that a descriptor can be told to be a connection of it: one
 * of those is ended by shutting its descriptor down, for libzmq has no way to end one. Thread: one
 * at a time. Memory: as scheduler/core. */
struct gm_bound { /* all-zero: nothing */
    char **paths; /* owned, of unix sockets */
    size_t path_count, path_cap;
    in_port_t *ports; /* owned, network order */
    size_t port_count, port_cap;
};

/* endpoint: as ZMQ_LAST_ENDPOINT says it. Errors: BUG. */
int gm_bound_add(struct gm_bound *bound, const char *endpoint, struct gm_err *err) GM_MUST_CHECK;
void gm_bound_fini(struct gm_bound *bound);
/* At worst it is another peer's connection, who connects again. */
bool gm_bound_has(const struct gm_bound *bound, int fd);
/* True: it was one, and ends. */
bool gm_bound_cut(const struct gm_bound *bound, int fd);

#endif
