#ifndef GM_NODE_SLOT_H
#define GM_NODE_SLOT_H

#include <uv.h>

#include "common/err.h"
#include "common/time.h"
#include "wire.pb-c.h"

/* One worker process and its socket: started by the launcher, started again when it ends, with
 * growing pauses while what is started fails: see gm_slot_failures. Thread: the loop's. */
struct gm_slot; /* opaque */

/* Callbacks may call gm_slot_send and gm_slot_kill, never gm_slot_destroy. */
struct gm_slot_handler {
    /* The worker is in its sandbox and idle. */
    void (*on_ready)(struct gm_slot *slot, const Gm__WReady *ready, void *arg);
    /* msg: borrowed for the call. */
    void (*on_message)(struct gm_slot *slot, const Gm__WorkerMessage *msg, void *arg);
    /* The process has ended; all that it sent was delivered. why: what gm_slot_kill was told if
     * that is what ended it; else WORKER_DIED (native = signal, or exit status without one; 0: it
     * closed its socket, or that for reading, and lived on). ready: it had become ready. */
    void (*on_gone)(struct gm_slot *slot, const struct gm_err *why, bool ready, void *arg);
    void *arg;
};

/* The device that a worker is tied to (gopmill-launcher(8)); all-zero: none. Borrowed strings. */
struct gm_slot_device {
    const char *profile;   /* cuda, dri; NULL: none */
    const char *device;    /* UUID, render node */
    const char *va_driver; /* dri: that libva loads; NULL: libva chooses */
};

struct gm_slot_params { /* strings are borrowed for the slot's life */
    const char *launcher;
    const char *worker;
    const char *scratch;            /* absolute; exists; the worker's own */
    uint64_t memory_bytes;          /* 0: no limit */
    uint64_t file_bytes;            /* largest file; 0: no limit */
    const char *cpu_flags;          /* NULL or "": all */
    const char *log_level;          /* NULL: warn */
    bool log_json;                  /* lines of JSON, else logfmt */
    uint32_t ready_ms;              /* time to become ready; 0: 30000 */
    struct gm_slot_device device;   /* none: what follows is not looked at */
    const char *const *environment; /* variables that are given on; NULL-terminated; NULL: none */
    const char *const *paths;       /* what it may read and write; NULL-terminated; NULL: none */
};

int gm_slot_create(uv_loop_t *loop, const struct gm_slot_params *params,
                   const struct gm_slot_handler *handler, struct gm_slot **out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Kills the process; memory goes after its handles closed in the loop. No callback comes after. */
void gm_slot_destroy(struct gm_slot **slot);

/* The processes that start from now on get these in place of what gm_slot_params said; strings are
 * borrowed. One that runs stays as it is. */
void gm_slot_set_device(struct gm_slot *slot, const struct gm_slot_device *device,
                        uint64_t memory_bytes);

bool gm_slot_is_ready(const struct gm_slot *slot);
/* Address space that the process was started with; 0: no limit. */
uint64_t gm_slot_memory(const struct gm_slot *slot);
/* Since when the process is to end and has not: it was killed, or hung up. 0: it is not. SIGKILL
 * does not end one that the kernel holds, in a driver or a dead mount. */
gm_time gm_slot_dying(const struct gm_slot *slot);
int gm_slot_pid(const struct gm_slot *slot); /* 0: no process */
/* Starts in a row of which nothing came: what was started did not get ready, or ended before it
 * said anything else. One that a gm_slot_kill with CANCELLED ended is none of them; where it was
 * ready, they begin anew. */
uint32_t gm_slot_failures(const struct gm_slot *slot);

/* Sends, or queues while the worker does not read. To one that is ending nothing is sent, which is
 * no error: its on_gone comes. fd: taken in any case; -1: none.
 * Errors: BUSY too much is queued; SYS no worker is there; LIMIT the message is too large; NOMEM.
 */
int gm_slot_send(struct gm_slot *slot, const Gm__WorkerMessage *msg, int fd,
                 struct gm_err *err) GM_MUST_CHECK;
/* SIGKILL; on_gone tells `why` when the process has ended. No-op without a process. */
void gm_slot_kill(struct gm_slot *slot, const struct gm_err *why);

#endif
