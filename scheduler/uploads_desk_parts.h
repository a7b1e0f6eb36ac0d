#ifndef GM_SCHEDULER_UPLOADS_DESK_PARTS_H
#define GM_SCHEDULER_UPLOADS_DESK_PARTS_H

#include "scheduler/daemon_parts.h"
#include "scheduler/uploads_desk.h"

/* Inside of the desk, shared by uploads_desk.c (life), uploads_sweep.c (the bucket) and
 * uploads_asks.c (nodes). Nobody else includes this. */
#define GM_UPLOAD_LIST_AGAIN (5 * GM_SEC)
#define GM_UPLOAD_LIST_PATIENCE (300 * GM_SEC) /* of who waits for parts meanwhile */
#define GM_UPLOAD_SWEEP_EVERY (3600 * GM_SEC)

/* A PartsAsk, and which of its parts are still open. */
struct gm_parts_wait {
    struct gm_parts_wait *next;
    char node_id[65];
    char upload[GM_ID_SIZE];
    uint64_t epoch, request;
    uint32_t parts[GM_PARTS_ASK_MAX];
    size_t count;
    gm_time since;
};

struct gm_upload_beginning {
    struct gm_upload_beginning *next;
    char tenant[65]; /* of 64 bytes at most */
};

struct gm_upload_desk {
    struct gm_daemon *d; /* borrowed */
    struct gm_uploads table;
    bool known;          /* the bucket was listed */
    bool working;        /* that, or a sweep, is on the pool */
    struct gm_err error; /* why it could not be listed; code 0: not tried yet */
    gm_time next_try, next_sweep, next_look, next_arrivals;
    bool changed; /* something came, or goes: jobs may go on (uploads_arrivals.c) */
    struct gm_upload_beginning *beginning; /* owned; not in the table yet */
    struct gm_parts_wait *waits;           /* owned */
};

/* uploads_sweep.c: lists the bucket, for the first time or once more. */
void gm_upload_sweep_start(struct gm_upload_desk *desk);
/* uploads_asks.c: answers what can be answered; id NULL: of all uploads. */
void gm_upload_asks_serve(struct gm_upload_desk *desk, const char *id);
/* While the bucket can't be listed: those that wait for minutes end with the reason. */
void gm_upload_asks_give_up(struct gm_upload_desk *desk, gm_time now);
void gm_upload_asks_fini(struct gm_upload_desk *desk);

#endif
