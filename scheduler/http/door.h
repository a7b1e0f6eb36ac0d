#ifndef GM_SCHEDULER_HTTP_DOOR_H
#define GM_SCHEDULER_HTTP_DOOR_H

#include "scheduler/http/gate.h"
#include "scheduler/http/tls.h"

/* What guards the API: tokens and certificate. It is opened once in a program's life, and lent to
 * whatever answers HTTP in it, whether that leads or stands by: what has been made of the files
 * since can't keep a scheduler from taking over. Thread: one at a time. */
struct gm_door {
    struct gm_gate *gate; /* owned */
    struct gm_tls tls;
};

/* settings: borrowed for its life. Errors: CONFIG, SYS, NOMEM. */
int gm_door_open(const struct gm_settings *settings, struct gm_door **out,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_door_close(struct gm_door **door);

#endif
