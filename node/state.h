#ifndef GM_NODE_STATE_H
#define GM_NODE_STATE_H

#include "common/err.h"

/* The node's state folder: its lock, its lasting identity, its scratch and cache folders.
 *
 *   lock       held by flock while an agent runs: two agents can't share a folder
 *   node-id    8 hex digits made once
 *   scratch/   emptied at start
 *   cache/     content cache, but where another folder is named; parts of sources
 */
struct gm_state {
    int lock;      /* owned */
    char *folder;  /* owned, absolute */
    char *scratch; /* owned, absolute */
    char *cache;   /* owned, absolute */
};

/* Makes and locks the folder, empties scratch. *out must be zeroed; fini in any case.
 * Errors: CONFLICT another agent holds it; SYS; NOMEM. */
int gm_state_open(const char *folder, struct gm_state *out, struct gm_err *err) GM_MUST_CHECK;
void gm_state_close(struct gm_state *state);

/* The default name of the node: the host name's [a-z0-9-] and the 8 digits, "rack7-0badcafe".
 * *out: owned. Errors: SYS, NOMEM. */
int gm_state_node_id(const struct gm_state *state, const char *hostname, char **out,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
