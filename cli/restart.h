#ifndef GM_CLI_RESTART_H
#define GM_CLI_RESTART_H

#include <jansson.h>

#include "common/err.h"
#include "common/time.h"

/* Which of several nodes is to start anew next, and which have: by what the scheduler says of its
 * nodes. No I/O. Thread: one. */
enum gm_restart_state {
    GM_RESTART_WAITS,
    GM_RESTART_ASKED, /* the scheduler has taken the request */
    GM_RESTART_DONE,
};
struct gm_restart_node {
    char *id;          /* owned */
    char instance[24]; /* before */
    enum gm_restart_state state;
    gm_time since;  /* ASKED: from when on; WAITS: since it was refused first; 0: it was not */
    bool connected; /* and what follows: as last seen */
    bool back;      /* as another process, which is not restarting */
    size_t tasks;
};
struct gm_restart {
    struct gm_restart_node *nodes; /* owned */
    size_t count;
    size_t at_once;
    gm_time patience; /* of each */
};

/* names: NULL with count 0 for all that are connected. nodes: GET /v1/nodes. *out in any case to
 * gm_restart_fini. Errors: NOTFOUND (a name that is not there, or no node at all), INVAL (named
 * twice), CONFLICT (gone, or of a release that can't be told), PROTO, NOMEM. */
int gm_restart_init(struct gm_restart *r, const char *const *names, size_t count,
                    const json_t *nodes, struct gm_err *err) GM_MUST_CHECK;
void gm_restart_fini(struct gm_restart *r);

/* Takes in what the scheduler says now. *out: a node that came back just now, borrowed; NULL:
 * none; call it again then. Errors: TIMEOUT (one takes too long), CONFLICT (one was resumed
 * meanwhile): the sentence names the node. */
int gm_restart_look(struct gm_restart *r, const json_t *nodes, gm_time now,
                    const struct gm_restart_node **out, struct gm_err *err) GM_MUST_CHECK;
/* The node to ask for next; NULL: none now. */
struct gm_restart_node *gm_restart_next(struct gm_restart *r);
void gm_restart_asked(struct gm_restart_node *node, gm_time now);
/* The scheduler would not, for why. True: it may be another matter when a node is back. */
bool gm_restart_refused(const struct gm_restart *r, struct gm_restart_node *node, gm_time now,
                        const struct gm_err *why);
bool gm_restart_is_over(const struct gm_restart *r);

#endif
