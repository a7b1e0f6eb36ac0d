#ifndef GM_CLI_AGAIN_H
#define GM_CLI_AGAIN_H

#include "cli/session.h"

/* When a stream that broke is opened again: for 60 s after the scheduler was last heard, and until
 * each of several was asked once. */
struct gm_again {
    gm_time alive;    /* when the scheduler was last heard; at first: now */
    uint32_t unheard; /* streams that were opened since */
    int pause_ms;     /* before the next one; 0: the shortest */
    bool told;        /* the terminal, of the lost connection */
};

/* Something has come. */
void gm_again_heard(struct gm_again *again, struct gm_session *session);
/* A stream is over with rc. 0: another may be opened, of the next scheduler where it was lost, of
 * which the terminal is told once: "lost the scheduler; trying again for up to 60 s<what>". Else
 * rc, and err stays. Errors: NOMEM. */
int gm_again_check(struct gm_again *again, struct gm_session *session, int rc, const char *what,
                   struct gm_err *err) GM_MUST_CHECK;
/* How long to wait before; it doubles, up to 2 s. */
int gm_again_pause_ms(struct gm_again *again);

#endif
