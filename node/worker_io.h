#ifndef GM_NODE_WORKER_IO_H
#define GM_NODE_WORKER_IO_H

#include <sys/resource.h>

#include "common/time.h"
#include "media/task_io.h"
#include "node/inputs.h"
#include "node/worker_window.h"

/* One task's view of the world over the worker's socket: struct gm_task_io. */
struct gm_worker_task {
    int sock;           /* borrowed */
    int folder;         /* owned: the task's scratch folder */
    Gm__TaskSpec *spec; /* owned */
    struct gm_task_io io;

    struct gm_inputs inputs;
    size_t input_next;
    bool inputs_complete;

    int source_fd;  /* owned; -1 until asked for */
    bool is_window; /* of it not all is there: what is lies in held */
    struct gm_held held;
    uint32_t unstored;   /* announced items that are not committed */
    Gm__WDone *done;     /* owned; set by finish */
    gm_time started;     /* when the task began */
    gm_time told;        /* last message to the agent */
    struct rusage usage; /* at the start */
    uint64_t frames_done, frames_total;

    struct gm_err lost; /* how what decodes was lost; GM_OK: it was not */

    Gm__WorkerMessage *reply; /* owned; the answer to WOpen or WNeed, while one is awaited */
    int reply_fd;             /* owned; -1: none */
};

/* spec_fd: memory file of spec_size bytes with the TaskSpec; stays the caller's. scratch: the
 * task's folder below the working directory. *task must be zeroed; fini after this in any case.
 * Errors: PROTO, LIMIT, SYS, NOMEM. */
int gm_worker_task_init(struct gm_worker_task *task, int sock, const char *scratch, int spec_fd,
                        uint64_t spec_size, struct gm_err *err) GM_MUST_CHECK;
void gm_worker_task_fini(struct gm_worker_task *task);
/* Why the task failed: an encoder that does not open on a device that its decoder lost was lost. */
void gm_worker_task_explain(const struct gm_worker_task *task, struct gm_err *failure);
/* For what asks the agent itself: sends; waits for one packet and takes it in (an answer is then
 * in reply); frees the answer. Errors: PROTO, SYS, CANCELLED (it hung up), NOMEM. */
int gm_worker_task_send(struct gm_worker_task *task, const Gm__WorkerMessage *msg,
                        struct gm_err *err) GM_MUST_CHECK;
int gm_worker_task_wait(struct gm_worker_task *task, struct gm_err *err) GM_MUST_CHECK;
void gm_worker_task_drop_reply(struct gm_worker_task *task);
void gm_worker_task_usage(const struct gm_worker_task *task, Gm__Usage *out);

#endif
