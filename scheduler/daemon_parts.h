#ifndef GM_SCHEDULER_DAEMON_PARTS_H
#define GM_SCHEDULER_DAEMON_PARTS_H

#include <stdatomic.h>
#include <uv.h>

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "common/allow.h"
#include "common/loop.h"
#include "common/rate.h"
#include "scheduler/assets.h"
#include "scheduler/backup.h"
#include "scheduler/commit.h"
#include "scheduler/core/mem.h"
#include "scheduler/daemon.h"
#include "scheduler/early.h"
#include "scheduler/early_after.h"
#include "scheduler/hold.h"
#include "scheduler/hooks/hooks.h"
#include "scheduler/hooks/pub.h"
#include "scheduler/http/door.h"
#include "scheduler/http/http.h"
#include "scheduler/lag.h"
#include "scheduler/overload.h"
#include "scheduler/retire.h"
#include "scheduler/shelf.h"
#include "scheduler/sweep.h"
#include "scheduler/takedown.h"
#include "scheduler/uploads_desk.h"
#include "storage/store.h"

/* Inside of the daemon, shared by daemon.c (steps, life), wire.c and wire_socket.c (nodes), urls.c
 * (grants), publish.c (stores). Nobody else includes this. */

/* Where a job's objects are: for its leases, as long as there is one. */
struct gm_job_urls {
    char *job_id; /* owned, and so are these */
    char *destination_url;
    char *source_url; /* of an object, or of another server; NULL: a file: */
    char *source_root_url;
    char *source_key;
    char *source; /* signed; NULL: not yet */
    int64_t signed_unix_ms;
    size_t leases; /* that name it */
    UT_hash_handle hh;
};
/* What an assignment's later messages need: which job's stores its names mean. */
struct gm_lease_ref {
    uint64_t epoch;
    struct gm_job_urls *job; /* borrowed */
};

/* A message that did not leave, of which the core is to hear. */
struct gm_unsent {
    struct gm_unsent *next;
    char node_id[65];
    struct gm_err
        err; /* code 0: the node is not there; else why a task can't be told what it needs */
    uint64_t task_id, term, epoch;
    bool told; /* the node knows of the task */
};

/* A store that was tried, of which nobody knows yet how it takes hashes: remote_urls.c. */
struct gm_untried {
    struct gm_untried *next;
    char *store_url; /* owned */
    gm_time until;   /* so long who asks is told why */
    struct gm_err err;
};

struct gm_daemon {
    const struct gm_settings *settings; /* borrowed */
    uv_loop_t loop;
    bool has_loop;
    struct gm_state *state;         /* owned */
    struct gm_shelf *shelf;         /* owned; the core's */
    struct gm_core *core;           /* owned */
    struct gm_commit *commit;       /* owned */
    struct gm_door *door;           /* owned; NULL: the caller's */
    struct gm_http *http;           /* owned */
    struct gm_grant_signer *signer; /* owned */
    struct gm_stores *stores;       /* owned */
    struct gm_probe *probes;        /* stores that are being tried: remote_urls.c */
    size_t probe_count;
    struct gm_untried *untried;            /* owned; stores that could not be tried */
    struct gm_upload_desk *uploads;        /* owned; NULL: none are taken */
    struct gm_hooks *hooks;                /* owned */
    struct gm_stored_pipelines *pipelines; /* owned */
    uint64_t term;

    void *zctx; /* owned */
    void *router;
    struct gm_zwatch *watch;
    bool waits;                 /* there is more to read when the disk is ready for it */
    struct gm_peers *peers;     /* owned */
    struct gm_letters *letters; /* owned */
    struct gm_arena *arena;     /* owned; of the message that is looked at */
    struct gm_guard *guard;     /* owned */
    struct gm_zap *zap;         /* owned; NULL: no keys are asked for */
    struct gm_pub *pub;         /* owned; NULL: no events are published */
    struct gm_allow allow;
    char *listen; /* owned: bound endpoints, comma-separated */

    uv_timer_t tick;
    uv_async_t stop;
    int handles; /* tick and stop that are open */
    bool stopping;
    atomic_uint told; /* how often to stop; calls may come as one */
    bool hurried;     /* told to stop twice: waits for no lease */
    bool closing;     /* the loop was left: no work starts */
    int failure;      /* negative: why the loop was left */
    struct gm_err error;

    struct gm_lease_ref *leases; /* owned; by epoch, rising */
    size_t lease_count, lease_cap;
    struct gm_job_urls *job_urls; /* owned; by job */
    struct gm_unsent *unsent;     /* owned */
    struct gm_rate logs;          /* of what peers make it say */
    unsigned long long unlogged;
    struct gm_hold hold; /* grants that wait for deletions */
    struct gm_retire retire;
    struct gm_backups backups;
    struct gm_assets assets;
    struct gm_takedowns takedowns;
    struct gm_sweep sweep;
    struct gm_earlies earlies;
    struct gm_early_after after;
    size_t works;      /* on the pool */
    struct gm_gap gap; /* of jobs that ended */
    struct gm_lag lag;
    int64_t started_unix_ms;
};

/* daemon.c */
void gm_daemon_fail(struct gm_daemon *d, const struct gm_err *err);
/* Steps and applies; logs what can't be told to anybody. */
void gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event);

/* Commits rows of the daemon's own; takes fx. fn as of gm_daemon_step; NULL: nobody waits. */
int gm_daemon_commit_rows(struct gm_daemon *d, struct gm_effects *fx, gm_daemon_answer_fn fn,
                          void *arg, struct gm_err *err) GM_MUST_CHECK;

/* wire_socket.c */
int gm_wire_open(struct gm_daemon *d, struct gm_err *err) GM_MUST_CHECK;
/* Reads no messages any more; sends leave. Again: nothing. */
void gm_wire_deafen(struct gm_daemon *d);
void gm_wire_close(struct gm_daemon *d);
/* Reads the list of keys again; one that does not read changes nothing. */
void gm_wire_reload(struct gm_daemon *d);

/* wire.c */
void gm_wire_readable(void *zsock, int budget, void *arg);   /* a gm_zwatch_fn */
void gm_wire_flush(void *arg);                               /* what was said leaves */
void gm_wire_lost(const char *node_id, int code, void *arg); /* a gm_letters_lost_fn */
/* A node that says nothing for so long is cut; one that ends its work may be silent for a lease. */
gm_time gm_wire_silence(const struct gm_settings *settings);
/* Now and then: looks after connections, tells the core what sends met. */
void gm_wire_tick(struct gm_daemon *d);
void gm_wire_send(struct gm_daemon *d, const char *node_id, Gm__Envelope *envelope);
/* The message can't be made: if it is an Assign or a Feed, its attempt failed with err, as
 * gm_wire_report will say. */
void gm_wire_note_failed(struct gm_daemon *d, const char *node_id, const Gm__Envelope *envelope,
                         const struct gm_err *err);

/* urls.c */
/* Puts grants into what a step wants to send, and forgets the leases that it ended. event: the one
 * that made the step. */
void gm_urls_fill(struct gm_daemon *d, const struct gm_event *event, struct gm_effects *effects);
void gm_urls_fini(struct gm_daemon *d);

/* publish.c */
void gm_publish_start(struct gm_daemon *d, const char *job_id);
void gm_cleanup_start(struct gm_daemon *d, const char *job_id, bool last);
/* What is written and deleted in stores no term guards: a scheduler that hung may go on while
 * another one leads. On the pool; it waits a moment for the database. Errors: NOT_LEADER. */
int gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err) GM_MUST_CHECK;
/* A durable send: leaves now, or after the deletion that it could meet. May take the envelope. */
void gm_publish_send(struct gm_daemon *d, struct gm_send *send);

#endif
