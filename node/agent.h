#ifndef GM_NODE_AGENT_H
#define GM_NODE_AGENT_H

#include "common/err.h"
#include "node/devices/device.h"
#include "storage/store.h"

/* Proves devices while the agent runs. Both are called on another thread, one call at a time. */
struct gm_agent_prover {
    /* gm_prove on list, which holds one device; ends soon after *stop was set. again: what was
     * proved before is tried too. */
    int (*prove)(struct gm_device_list *list, bool again, const int *stop, void *arg,
                 struct gm_err *err);
    /* The device failed at work: what is kept of its proofs holds no longer. */
    int (*forget)(const char *device, void *arg, struct gm_err *err);
    void *arg;
};

/* The exit status, too: sysexits.h's EX_TEMPFAIL, so that what restarts failures alone does so. */
#define GM_AGENT_RESTART 75

/* The node agent: one libuv loop that keeps the link to the scheduler, drives the worker processes,
 * opens what they read, checks and stores what they make. docs/protocol.md has the messages. */
struct gm_agent_params { /* all borrowed until gm_agent_run returns */
    const char *node_id;
    const char *hostname;
    const char *build;            /* "0.1.0+media1" */
    const char *const *endpoints; /* NULL-terminated, tried in turn */
    const char *key_file; /* read at each connection (common/keys.h); NULL: no keys are used */
    const char *launcher; /* absolute paths */
    const char *worker;
    const char *scratch;   /* absolute; exists, empty */
    const char *cpu_flags; /* for workers */
    const char *log_level; /* for workers */
    bool log_json;         /* for them, too */
    uint32_t slots;
    uint32_t cpu_milli;
    uint64_t memory_bytes;        /* for tasks */
    uint64_t scratch_bytes;       /* for tasks; 0: what is free */
    uint64_t worker_memory_bytes; /* address space of one worker; those of devices have no limit */
    uint32_t patience_ms;         /* silence after which another endpoint is tried; 0: 3000 */
    uint32_t dying_ms; /* a worker that was killed and has not ended is out of use then; 0: 10000 */
    uint32_t store_stall_ms; /* a store that holds a task up for so long failed; 0: 900000 */
    uint32_t parts_again_ms; /* between asks for parts of uploads that have not come; 0: 30000 */
    struct gm_grant_key grant_key;
    struct gm_cache *cache;
    const char *storage_ca; /* PEM, of who signs the certificates of stores; NULL: the system's */
    const char *window_folder; /* of what is fetched of sources; NULL: none is read from servers */
    uint64_t window_bytes;     /* of it, at most */
    const struct gm_device_list *devices; /* copied; NULL: the cpu alone */
    uint32_t device_slots;                /* of each device that is proved to encode; 0: none */
    int32_t decode_slots;     /* tasks that each GPU decodes for the cpu at once; 0: none; below: as
                               * many as its engines and memory allow */
    uint32_t va_decode_slots; /* the same of those with VA drivers (gm_decoding_conceals) */
    const char *const *device_environment; /* variables that device workers get; NULL: none */
    const char *const *device_paths;       /* what they may read and write besides; NULL: none */
    bool proofs_first; /* the scheduler is not spoken to before each device was proved or failed */
    uint32_t drain_ms; /* at SIGTERM tasks may end for so long, then they are dropped; 0: at once */
    uint32_t device_retry_ms; /* first pause of a device that failed or was full; 0: 30000 */
    /* prove NULL: the proofs in `devices` are all there are. */
    struct gm_agent_prover prover;
    /* Called once: the scheduler said Welcome and all workers are ready. May be NULL. */
    void (*on_ready)(uint32_t slots, void *arg);
    void *arg;
};

/* Runs until SIGTERM or SIGINT: kills the workers, says Goodbye when nothing is put into a store
 * any more, and returns 0. Or until the scheduler tells it to start anew and it has nothing to do:
 * the same, and it returns GM_AGENT_RESTART; whoever started it does so again. Where a store, a
 * proof or a worker hangs it does not return but ends the process with the status that it would
 * have (0; GM_AGENT_RESTART; 1 where it could not start): seconds after the Goodbye, or after a
 * second signal. Logs what happens. Errors: what made a start impossible (SYS, NOMEM). Thread: the
 * main thread; its signals. */
int gm_agent_run(const struct gm_agent_params *params, struct gm_err *err) GM_MUST_CHECK;

#endif
