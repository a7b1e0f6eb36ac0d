#ifndef GM_SCHEDULER_UPLOADS_DESK_PARTS_H
#define GM_SCHEDULER_UPLOADS_DESK_PARTS_H

#include "scheduler/daemon_parts.h"
#include "scheduler/uploads_desk.h"

/* Inside of the desk, shared by uploads_desk.c (life) and uploads_asks.c (nodes). Nobody else
 * includes this. */

/* A PartsAsk, and which of its parts are still open. */
struct gm_parts_wait {
    struct gm_parts_wait *next;
    char node_id[65];
    char upload[GM_ID_SIZE];
    uint64_t epoch, request;
    uint32_t parts[GM_PARTS_ASK_MAX];
    size_t count;
};

struct gm_upload_desk {
    struct gm_daemon *d; /* borrowed */
    struct gm_uploads table;
    bool known;          /* the bucket was listed */
    bool working;        /* that, or a sweep, is on the pool */
    struct gm_err error; /* why it could not be listed; code 0: not tried yet */
    gm_time next_try, next_sweep, next_look;
    uint32_t beginning;          /* not in the table yet */
    struct gm_parts_wait *waits; /* owned */
};

/* uploads_asks.c: answers what can be answered; id NULL: of all uploads. */
void gm_upload_asks_serve(struct gm_upload_desk *desk, const char *id);
void gm_upload_asks_fini(struct gm_upload_desk *desk);

#endif
