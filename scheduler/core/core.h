#ifndef GM_SCHEDULER_CORE_CORE_H
#define GM_SCHEDULER_CORE_CORE_H

#include "common/err.h"
#include "common/time.h"
#include "proto/pool.h"
#include "scheduler/core/key.h"
#include "wire.pb-c.h"

/* The scheduler's pure heart: step(state, event, now) -> effects. No socket, file, clock or
 * randomness. The daemon (scheduler/daemon.c) and the tests drive the same code.
 *
 * Effects are applied in this order: `rows` and `job_events` go into one transaction; `sends`
 * marked durable, `publishes`, `backups` and the caller's answer leave after it is on disk. Rows
 * are the state: recovery hands every row to gm_core_load and needs nothing else. Running out of
 * memory inside a step ends the process: half of a transition could not be taken back, and a
 * restart goes on from the last commit.
 */
struct gm_core; /* opaque; see view.h for read-only views */

/* What a tenant may have: whoever jobs belong to. */
#define GM_TENANT_MAX_WEIGHT 1000
#define GM_TENANT_DEFAULT "default"
#define GM_TENANT_OTHERS "*" /* the name of all that are not named */
struct gm_tenant_params {
    const char *name;     /* 1..64 letters, digits, '_', '-' and '.' */
    uint32_t weight;      /* of its share, 1..1000; 0: 1 */
    uint32_t max_running; /* slots at once; 0: no limit */
    uint32_t max_queued;  /* unfinished jobs, more: BUSY; 0: eight tenths of max_jobs */
    /* That the HTTP API takes (scheduler/http/pace.h), of which the core knows nothing; 0: any. */
    uint32_t max_submits_per_s;
    uint32_t max_uploads; /* open at a time (scheduler/uploads_desk.h), the same */
};
/* Errors: INVAL. */
int gm_tenant_check(const struct gm_tenant_params *tenant, struct gm_err *err) GM_MUST_CHECK;

/* Where the core puts bytes that it seldom looks at: items of a deep queue. They need not outlive
 * the process, as rows are the state. Called in steps and views. */
struct gm_core_shelf {
    /* Bytes at a place: 0, or negative: no room, then they stay in memory and are offered again. */
    int (*put)(void *arg, uint64_t at, const void *data, size_t size);
    /* Bytes of what was put last at that place: 0, or negative: they are lost, which ends the
     * process as running out of memory does. */
    int (*get)(void *arg, uint64_t at, void *out, size_t size);
    void *arg;            /* borrowed */
    size_t at_hand_bytes; /* of the newest, stay in memory besides the block that is filled */
    uint32_t block_bytes; /* of each put; 0, but in tests: 64 KiB */
};

struct gm_core_params {
    uint64_t term;           /* raised durably by the caller before each start */
    uint32_t lease_ms;       /* default 15000 */
    uint32_t last_lease_ms;  /* of the term before; 0: not known, as lease_ms */
    uint32_t heartbeat_ms;   /* default 1000 */
    uint32_t stall_ms;       /* no progress for so long: watchdog, default 120000 */
    uint32_t device_wait_ms; /* a job whose device nobody offers falls back then; default 10000 */
    uint32_t preempt_ms;     /* a job waits so long for runs of lower classes; 0: for ever */
    uint32_t max_jobs;       /* accepted and unfinished; default 10000; more: BUSY (order.h) */
    uint32_t max_attempts;   /* of a task or chunk, whatever nodes; default 8 */
    uint32_t retry_ms;       /* the first pause between them, up to 30 times it; default 1000 */
    uint32_t backup_retry_s; /* a backup is tried for so long; default 86400 */
    uint32_t part_wait_ms;   /* a task that waits so long for a part of its source gives its slot
                                back; 0: never */
    uint32_t keep_failed_ms; /* what a job made that failed stays so long, for GM_EV_REOPEN; 0: it
                                goes at once */
    uint32_t keep_finished;  /* jobs that ended and whose rows stay; default 1000 */
    bool urls;               /* jobs may need nodes that know URLs: others are refused */
    int64_t loaded_unix_ms; /* wall clock at recovery, which says what is left of the pauses between
                               attempts; 0: not known, they begin anew */
    bool work_is_remote;    /* nodes read intermediate objects by network: local.h */
    bool parts;             /* jobs may read uploads: nodes that do not know them are refused */
    const struct gm_tenant_params *tenants; /* checked; borrowed, copied */
    size_t tenant_count;
    struct gm_core_shelf shelf; /* put NULL: none, all is in memory */
};

struct gm_row {
    struct gm_key key; /* its name is owned */
    uint8_t *data;     /* owned; NULL: the row is deleted, and with a job's all rows of that job */
    size_t size;       /* bytes */
    bool lazy;         /* nobody waits for it, and a restart can do without: it may be written later
                          than what follows, or never where a later row has its key */
};
void gm_row_fini(struct gm_row *row);
struct gm_send {
    char *node_id;          /* the effects' pool's, and so is this: nothing of it is freed alone */
    Gm__Envelope *envelope; /* NULL: there is nothing to say after all */
    bool durable;           /* leaves only after the rows are on disk */
};
/* type "job.accepted" {"id","state"}, the first; "job.inspected", once, when the source's facts are
 * known; "job.deadline_doubtful" and "job.deadline_missed", once each; "job.playable", once, when
 * the first segments of every rendition and track are committed; "job.state"; "task"
 * {"id","task","state"}; "progress" {"id","state"}, at most one a job in 250 ms; and at the end
 * "job.done", "job.failed" or "job.cancelled"
 * {"id","state"}, and "asset.removed", the same, when its result was taken down; "publish.retry"
 * and "publish.held" {"id","state","code","text"}, where publishing failed or waits. Of no job:
 * "node.held", "node.released", "node.quarantined", "node.trial", "node.resumed"
 * {"node","device","why"}, which are logged and not kept. */
struct gm_job_event {
    uint64_t job; /* its seq */
    char *job_id; /* the pool's; "": of no job */
    const char *type;
    char *json;   /* the pool's */
    bool durable; /* kept with the rows; progress is not */
};
/* The job is complete: write report, then manifests; answer with PUBLISHED. */
struct gm_publish {
    char *job_id; /* owned */
};
/* The job ended: delete work objects (and, unless done, granted outputs); answer with CLEANED. */
struct gm_cleanup {
    char *job_id; /* owned */
    bool last;    /* it is not asked for again: what can't be deleted stays, say what that is */
};

/* The job is done and its result is to lie at its backup, too: copy what lacks there; answer with
 * BACKED_UP. */
struct gm_backup {
    char *job_id; /* owned */
    bool tells;   /* that is over: write the report once more, which then says how it ended */
};

/* An unfinished job of `publish: early` has more of its programme, or may have: view_early.h. */
struct gm_grown {
    char *job_id; /* the pool's */
};

struct gm_effects {
    struct gm_row *rows;
    size_t row_count;
    struct gm_send *sends;
    size_t send_count;
    struct gm_job_event *events;
    size_t event_count;
    struct gm_publish *publishes;
    size_t publish_count;
    struct gm_cleanup *cleanups;
    size_t cleanup_count;
    struct gm_backup *backups;
    size_t backup_count;
    struct gm_grown *grown; /* in the pool, too */
    size_t grown_count;
    uint64_t *ended; /* epochs of leases that ended: no send is about them any more */
    size_t ended_count;
    struct gm_pool
        pool; /* sends, events, `grown` and `ended`, with all that is in them, are in it */
};
void gm_effects_fini(struct gm_effects *effects);
/* One more row, of the daemon's own: takes data (NULL: the row is deleted). key: copied. */
void gm_effects_add_row(struct gm_effects *effects, const struct gm_key *key, uint8_t *data,
                        size_t size);

#define GM_CORE_HASH 32           /* bytes */
struct gm_submit {                /* borrowed; copied */
    const char *job_id;           /* made by the caller */
    const Gm__Pipeline *pipeline; /* checked */
    const char *source_url;       /* as the user named it */
    uint64_t source_size;
    uint64_t source_version;          /* its last change, ns since 1970; 0: not known */
    const char *source_etag;          /* Object.etag; NULL or "": it has none */
    Gm__PartRun *const *source_parts; /* Object.parts, checked */
    size_t source_part_count;
    bool source_arrives; /* of its parts those that inspect reads are not all there */
    const char *source_name;
    const char *destination_url; /* store of the outputs */
    /* gm_store_mark of that store and of the work store; NULL or "": not known */
    const char *destination_mark, *work_mark;
    const char *backup_url;   /* store of a copy of them; NULL or "": none */
    const char *backup_mark;  /* as destination_mark */
    int32_t priority;         /* 0..100, default 50 */
    const char *tenant;       /* NULL or "": "default" */
    int64_t deadline_unix_ms; /* it should be done by then; 0: none */
    const char *webhook;      /* URL that is told of its events; NULL or "": none */
    const char *external_id;  /* "" where none */
    const char *traceparent;  /* common/traceparent.h; NULL or "": none */
    const char *retry_of;     /* the job that it makes again; NULL or "": none */
    /* GM_CORE_HASH bytes each: of the key that stands for this job alone (CONFLICT where another
     * job has it), and of the request that came with it; NULL: it has none */
    const uint8_t *key, *request;
    bool keeps_title; /* another title that stands at the destination stays (scheduler/title.h) */
    bool plan_only;   /* stop after `plan`: a dry run */
    int64_t created_unix_ms;
};

enum gm_event_type {
    GM_EV_MESSAGE,    /* from a node: node_id, envelope (decoded, checked; borrowed) */
    GM_EV_NODE_GONE,  /* the socket says that the peer went away: node_id */
    GM_EV_SUBMIT,     /* submit */
    GM_EV_CANCEL,     /* job_id */
    GM_EV_PUBLISHED,  /* job_id; failure.code 0: report and manifests are in place */
    GM_EV_HELD,       /* job_id, reason: it is to be published and waits for others at its
                         destination; gm_publish_start is called again */
    GM_EV_CLEANED,    /* job_id; failure.code 0: its rows of objects may go; else tried again for a
                         day */
    GM_EV_BACKED_UP,  /* job_id, lacking; failure.code 0: the result lies at the backup, too; else
                         tried again until params.backup_retry_s are over */
    GM_EV_TAKEDOWN,   /* job_id: its result is to go; of a job that is done. Its backup is given up,
                         and   what other jobs that are done published there before goes with it */
    GM_EV_TAKEN_DOWN, /* job_id: it is gone */
    GM_EV_DRAIN,      /* node_id, resume; device: only what is held against that one is lifted */
    GM_EV_RESTART,    /* node_id, force: gm_core_node_restart */
    GM_EV_UNSENT, /* node_id, envelope: the Failed that an Assign or Feed comes to which could not
                     be made; told: the node knows of the task, and is to stop it */
    GM_EV_TICK,   /* time went on; at least every 100 ms */
    GM_EV_QUARANTINE, /* node_id, reason; device: that one alone */
    GM_EV_STOP,       /* this scheduler ends: nothing is assigned any more, what runs goes on */
    GM_EV_PRIORITY,   /* job_id, priority: 0..100; what runs goes on */
    GM_EV_REOPEN,  /* job_id, submit: it failed and is tried again from there; submit is what a new
                      job in its place would be. CONFLICT: it can't, gm_view_may_reopen */
    GM_EV_ARRIVED, /* job_id: what it lacks of its source (gm_view_arrivals) is there, or never
                      comes */
    GM_EV_EARLY, /* job_id, publication, keys: the scheduler itself is about to write these outputs
                    of an early job; once it is on disk, they are deleted where the job's are, and
                    so is all on disk that was committed before. CONFLICT: it may not, see
                    gm_view_early, or another job that makes the same writes them */
    GM_EV_PLACE_GOES, /* url, a destination: what stands there goes, so what failed jobs made there
                         is nothing to go on from any more */
};
struct gm_event {
    enum gm_event_type type;
    int64_t unix_ms; /* wall clock, for stamps in rows only */
    const char *node_id;
    const char *job_id;
    const char *url;    /* PLACE_GOES */
    const char *device; /* DRAIN, QUARANTINE; NULL: the whole node */
    const char *reason;
    const char *etag; /* ARRIVED: of a source that was put as a whole, and can be again; NULL or "":
                         there is none */
    const Gm__Envelope *envelope;
    const struct gm_submit *submit;
    struct gm_err failure;
    uint64_t lacking; /* BACKED_UP with a failure: objects that do not lie there; or that many
                         were known to */
    bool manifests;   /* PUBLISHED with a failure: one may stand */
    bool passed_over; /* CLEANED: of the outputs some stay, for another job had them too then */
    const char *publication; /* EARLY */
    const char *const *keys; /* EARLY: below v/<publication>/ */
    size_t key_count;
    int32_t priority;
    bool resume;
    bool told;
    bool force;
};

int gm_core_create(const struct gm_core_params *params, struct gm_core **out,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_core_destroy(struct gm_core **core);
/* Recovery: every stored row, any order, before the first step; then gm_core_loaded once. Tasks
 * that were running are ready again. Errors: PROTO for a row that does not decode. */
int gm_core_load(struct gm_core *core, const struct gm_key *key, const void *data, size_t size,
                 struct gm_err *err) GM_MUST_CHECK;
int gm_core_loaded(struct gm_core *core, gm_time now, struct gm_effects *out,
                   struct gm_err *err) GM_MUST_CHECK;
/* One event. out: zeroed; appended to. Errors are the answer to the event's author (NOTFOUND,
 * CONFLICT, BUSY, INVAL); the state is then unchanged. A message from a node never fails the step:
 * a bad one is answered by Refuse or Ack(stale). */
int gm_core_step(struct gm_core *core, const struct gm_event *event, gm_time now,
                 struct gm_effects *out, struct gm_err *err) GM_MUST_CHECK;
/* The invariants, for tests and for the daemon's debug builds: no task lost, none committed twice,
 * no lease without a node, capacity never overcommitted. */
int gm_core_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;

#endif
