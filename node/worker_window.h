#ifndef GM_NODE_WORKER_WINDOW_H
#define GM_NODE_WORKER_WINDOW_H

#include "proto/envelope.h"

/* What a worker knows to be there of a source that is a window (ADR-0059): ranges that the agent
 * promised, the one that was used last first. Pure; all zero: nothing. Thread: one at a time. */
struct gm_held {
    struct {
        uint64_t at, end;
    } ranges[GM_WINDOW_MAX_HELD];
    size_t count;
};

/* The first byte of [at, end) that is in no range; end: there is none. The ranges that it looked at
 * count as used. */
uint64_t gm_held_missing(struct gm_held *held, uint64_t at, uint64_t end);
/* Makes room for one more: what was not used for longest goes. */
void gm_held_trim(struct gm_held *held);
/* After gm_held_trim. */
void gm_held_add(struct gm_held *held, uint64_t at, uint64_t end);

struct gm_worker_task;
/* struct gm_source_file's need; arg is the task. Asks the agent where it must, and waits. Errors:
 * why the agent can't; PROTO, CANCELLED. */
int gm_worker_need(void *arg, uint64_t offset, uint64_t length, struct gm_err *err) GM_MUST_CHECK;

#endif
