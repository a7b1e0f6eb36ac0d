#ifndef GM_SCHEDULER_CORE_VIEW_H
#define GM_SCHEDULER_CORE_VIEW_H

#include "scheduler/core/core.h"

/* Read-only views of the core, for the HTTP layer, the report and the daemon's urls.
 *
 * Every pointer in a view is borrowed from the core until its next step, except the arrays, which
 * the view owns: call its fini. Lists are in creation order (tasks: pipeline order, then instance).
 * Times are wall clock (unix ms), 0 where it has not happened. Strings are never NULL ("" where
 * there is none). Thread: the core's. Errors: NOTFOUND (no such job or node), NOMEM; outputs are
 * untouched on failure.
 */
enum gm_job_state {
    GM_JOB_QUEUED,     /* accepted, nothing assigned yet */
    GM_JOB_RUNNING,    /* something was assigned */
    GM_JOB_PUBLISHING, /* all tasks done: report and manifests are being written */
    GM_JOB_DONE,
    GM_JOB_FAILING, /* shown as "running": failed, its leases are being ended, report is written */
    GM_JOB_FAILED,
    GM_JOB_CANCELLING,
    GM_JOB_CANCELLED,
    GM_JOB_STATES
};
/* "queued" "running" "publishing" "done" "failed" "cancelling" "cancelled"; FAILING is
 * "running". */
const char *gm_job_state_name(enum gm_job_state state);
/* done, failed or cancelled: nothing changes any more */
bool gm_job_state_is_final(enum gm_job_state state);

/* Of a job's result at a second place. */
enum gm_backup_state {
    GM_BACKUP_NONE,    /* none is asked for, or the job ended without a result */
    GM_BACKUP_WAITING, /* for the job's end, or for the next try; or one runs */
    GM_BACKUP_DONE,
    GM_BACKUP_FAILED, /* given up: docs/operations.md says when */
    GM_BACKUP_STATES
};
const char *gm_backup_state_name(enum gm_backup_state state); /* "none" "waiting" ... */

enum gm_task_state {
    GM_TASK_BLOCKED, /* an ordinary edge waits for another task */
    GM_TASK_READY,   /* may be assigned when a node has room */
    GM_TASK_RUNNING, /* a lease is live (analyze, encode: at least one) */
    GM_TASK_BACKOFF, /* failed; tried again when its pause is over */
    GM_TASK_DONE,
    GM_TASK_FAILED, /* the failure ended the job */
    GM_TASK_ENDED,  /* the job was cancelled or failed before this task was done */
    GM_TASK_STATES
};
/* "blocked" "ready" "running" "backoff" "done" "failed" "ended" */
const char *gm_task_state_name(enum gm_task_state state);

/* What a job's priority, 0..100, makes it: batch below 25, high from 75 on. A deadline that comes
 * near makes it high, too. */
enum gm_job_class { GM_CLASS_BATCH, GM_CLASS_NORMAL, GM_CLASS_HIGH, GM_CLASSES };
const char *gm_job_class_name(enum gm_job_class class_); /* "batch" "normal" "high" */

/* One task of the pipeline, all its instances together. */
struct gm_task_view {
    const char *name; /* in the pipeline */
    const char *type;
    enum gm_task_state state;
    uint32_t instances; /* 0: there is nothing to do, and it counts as done */
    uint64_t done;      /* analyze, encode: chunks committed; others: instances done */
    uint64_t total;     /* analyze, encode: chunks known so far; others: instances */
    bool total_known;   /* false while split (analyze, encode) or plan can still change total */
    uint32_t attempts;  /* started, all instances and chunks together */
    uint32_t failures;  /* charged */
};

/* Report and manifests, of a job that writes them or is to. */
struct gm_publishing_view {
    uint32_t tries;       /* that failed */
    uint32_t most;        /* tries in all: then the job fails, or ends without its report */
    int64_t next_unix_ms; /* the next try; 0: one runs, or is held, or none is needed */
    bool pending;         /* one runs, or is held */
    const char *held;     /* a clause: what else is at the destination; "": nothing is */
    struct gm_err error;  /* of the last try; code 0: none failed */
};
#define GM_CHAIN_NAME 16u /* bytes of a chain's name, NUL included */
struct gm_chain_end {
    char chain[GM_CHAIN_NAME];
    int64_t end_ms; /* from when it was chosen until the job was thought to end; 0: not known */
};
struct gm_lost_view {
    const char *name;
    enum gm_code code;
    const char *text;
};
struct gm_job_view {
    const char *id;
    uint64_t seq; /* the order of creation, from 1: names it in the store */
    enum gm_job_state state;
    const char *pipeline_name;
    const Gm__Pipeline *pipeline;
    const char *source_url;
    const char *source_name;
    uint64_t source_size;
    const char *destination_url;
    const char *destination_mark; /* of the store there; "": not known */
    const char *work_mark;        /* of the work store; the same */
    struct gm_backup_view {
        const char *url; /* "": none is asked for */
        const char *mark;
        enum gm_backup_state state;
        struct gm_err error;   /* of the last try that failed; code 0: none has */
        uint64_t lacking;      /* objects, when that one ended */
        uint32_t failures;     /* tries */
        int64_t since_unix_ms; /* the first one */
    } backup;
    struct gm_publishing_view publishing;
    const char *external_id;
    const char *traceparent; /* "": none */
    uint32_t retries;        /* it failed so often and went on from there */
    const char *retry_of;    /* the job that it makes again; "": none, and so is the next */
    const char *retried_as;  /* the newest that makes it again */
    bool removed;            /* its result is taken down, or is being: no file of it is given */
    const char *webhook;     /* "": none */
    const char *publication; /* "" until plan is done */
    /* What pictures are encoded with: "" until plan is done. And what the job gave up. */
    const char *chain;
    const char *chain_fingerprint;
    const char
        *chain_reason; /* why none that comes before it was planned for; "": nothing to say */
    /* When the job was expected to end by each chain that could be had; none: there were no two. */
    const struct gm_chain_end *chain_ends;
    size_t chain_end_count;
    struct gm_lost_view *lost; /* owned */
    size_t lost_count;
    const char *tenant;
    int64_t deadline_unix_ms; /* 0: none */
    /* "ahead", "doubtful" (the end is expected after it), "missed", of what is done "met"; "": it
     * has none, or ended otherwise before it */
    const char *deadline_state;
    enum gm_job_class class_; /* now */
    int32_t priority;
    bool plan_only;
    bool keeps_title;
    int64_t created_unix_ms;
    int64_t started_unix_ms; /* first assignment */
    int64_t finished_unix_ms;
    struct gm_err error;  /* code 0: none. Also set while failing; CANCELLED for a cancelled job */
    bool cleanup_pending; /* it ended; CLEANED has not been said yet */
    /* Publishing was begun: manifests that name its outputs may stand, so cleanup leaves the OUT
     * objects alone even when the job is not done. */
    bool keep_outputs;

    /* Progress: phase is "queued", the type of the latest stage that runs ("inspect" "plan" "split"
     * "analyze" "encode" "audio" (without video) "package"), "publish", or the state's name at the
     * end. */
    const char *phase;
    uint64_t frames_done;  /* of the programme, once for all renditions; live workers included */
    uint64_t frames_total; /* exact after split, until then the plan's estimate; 0: unknown */
    bool frames_exact;
    double fps;       /* over about the last 10 s of encoding; 0: unknown */
    int64_t rate_num; /* source's frame rate; 0/1: unknown. speed = fps / rate */
    int64_t rate_den;
    int64_t duration_us;  /* of the programme, 0: unknown */
    uint64_t chunks_done; /* of encode, as the others; of analyze while that is not done */
    uint64_t chunks_running;
    uint64_t chunks_waiting; /* announced, neither done nor running */
    gm_time left;        /* until the job is expected to end, from its last event on; 0: unknown */
    int64_t end_unix_ms; /* when that is; 0: unknown */

    struct gm_task_view *tasks; /* owned */
    size_t task_count;
};
/* Of a job's request (common/traceparent.h); "": none, or no such job. Borrowed while it is known.
 */
const char *gm_view_traceparent(const struct gm_core *core, const char *job_id);
/* The job of that key, and the hash of its request; borrowed while it is known. NULL: there is
 * none. */
const char *gm_view_keyed(const struct gm_core *core, const uint8_t key[GM_CORE_HASH],
                          uint8_t out_request[GM_CORE_HASH]);
int gm_view_job(const struct gm_core *core, const char *job_id, struct gm_job_view *out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_view_job_fini(struct gm_job_view *view);
/* False: there is no such job. Costs nothing that grows with it. */
bool gm_view_job_state(const struct gm_core *core, const char *job_id, enum gm_job_state *out);
/* *out: it has ended and is cleaned up, so nobody writes there any more. As gm_view_job_state. */
bool gm_view_job_is_over(const struct gm_core *core, const char *job_id, bool *out);
/* Whose job it is: borrowed until the next step. NULL: there is no such job. */
const char *gm_view_job_tenant(const struct gm_core *core, const char *job_id);
/* What lists of jobs are sifted by, at no cost that grows with the job. False: there is none. */
struct gm_card_view {
    enum gm_job_state state;
    const char *id, *tenant, *pipeline_name, *external_id, *source_name;
    uint64_t seq;
    int64_t finished_unix_ms;
    bool removed;
    const char *webhook; /* "": none */
};
bool gm_view_card(const struct gm_core *core, const char *job_id, struct gm_card_view *out);
/* Where a job reads and writes, at no cost that grows with it: asked for each assignment. Both
 * borrowed until the next step. Errors: NOTFOUND. */
int gm_view_job_urls(const struct gm_core *core, const char *job_id, const char **out_source,
                     const char **out_destination, struct gm_err *err) GM_MUST_CHECK;
/* Where a done job's backup is, or may come to be; NULL: nowhere. Borrowed until the next step. */
const char *gm_view_backup_url(const struct gm_core *core, const char *job_id);
/* The job after `after` (NULL: the first) in creation order, or reversed; NULL: no more, or `after`
 * is unknown. Borrowed. */
const char *gm_view_next_job(const struct gm_core *core, const char *after, bool newest_first);

/* The newest job that was created before that one; NULL: none. It looks at all that are newer.
 * Borrowed. */
const char *gm_view_job_before(const struct gm_core *core, uint64_t seq);

/* Whether a job that failed can go on from what it made (GM_EV_REOPEN); submit: what a new job in
 * its place would be. Errors: NOTFOUND; CONFLICT: it can't, text says why. */
int gm_view_may_reopen(const struct gm_core *core, const char *job_id,
                       const struct gm_submit *submit, struct gm_err *err) GM_MUST_CHECK;

/* What a finished task instance handed over (its Done), and what tasks committed item by item. */
struct gm_result_view {
    const char *task;
    const char *type;
    uint32_t instance;
    const uint8_t *meta; /* packed message of the type: Inspection, Policy, SplitMeta, ... */
    size_t meta_size;
    Gm__Object *const *objects;
    size_t object_count;
};
struct gm_results_view {
    struct gm_result_view *rows; /* owned */
    size_t count;
};
int gm_view_results(const struct gm_core *core, const char *job_id, struct gm_results_view *out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_view_results_fini(struct gm_results_view *view);

struct gm_item_view {
    const char *task;
    const char *type; /* meta is split's SplitItemMeta, encode's EncodeItemMeta, ... */
    uint32_t instance;
    const Gm__Item *item; /* until fn returns */
};
struct gm_items_wish { /* NULL: all */
    const char *task;  /* name in the pipeline */
    const char *type;
};
/* A job may have more items than there is room for at once, so each is read for fn and dropped
 * after it; what is not wished is not read. In the order of task, instance, stream, index, until fn
 * fails: then with what it returned. fn changes nothing of the core. */
int gm_view_items(const struct gm_core *core, const char *job_id, struct gm_items_wish wish,
                  int (*fn)(const struct gm_item_view *item, void *arg, struct gm_err *err),
                  void *arg, struct gm_err *err) GM_MUST_CHECK;

enum gm_attempt_outcome {
    GM_ATTEMPT_RUNNING,
    GM_ATTEMPT_DONE,
    GM_ATTEMPT_FAILED,
    GM_ATTEMPT_LOST, /* lease expired, node vanished, or the scheduler restarted */
    GM_ATTEMPT_CANCELLED,
    GM_ATTEMPT_OUTCOMES
};
const char *gm_attempt_outcome_name(enum gm_attempt_outcome outcome); /* "running" "done" ... */
struct gm_attempt_view {
    const char *task;
    const char *type;
    uint32_t instance;
    int64_t first_chunk; /* -1: not a run of chunks */
    uint32_t chunks;     /* length of the run; else 0 */
    const char *node_id;
    const char *device;
    const char *chain; /* of the device, by name; "": an attempt of an earlier version */
    uint64_t attempt;  /* number within the job, from 1 */
    int64_t started_unix_ms;
    int64_t ended_unix_ms; /* 0: running */
    enum gm_attempt_outcome outcome;
    bool progressed;         /* items of it are committed; not of a plan that was given up */
    enum gm_code error_code; /* 0: none */
    const char *error_text;
    int64_t blamed_chunk; /* -1: none */
    Gm__Usage usage;
};
struct gm_attempts_view {
    struct gm_attempt_view *rows; /* owned */
    size_t count;
};
int gm_view_attempts(const struct gm_core *core, const char *job_id, struct gm_attempts_view *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* Those behind number `after` alone, at most `limit`. *out_more: others follow. */
int gm_view_attempts_page(const struct gm_core *core, const char *job_id, uint64_t after,
                          size_t limit, struct gm_attempts_view *out, bool *out_more,
                          struct gm_err *err) GM_MUST_CHECK;
/* Those that failed or were lost and ended at that time or since, in order of their ends. Costs
 * what there are of them. */
int gm_view_failures(const struct gm_core *core, const char *job_id, int64_t since_unix_ms,
                     struct gm_attempts_view *out, struct gm_err *err) GM_MUST_CHECK;
void gm_view_attempts_fini(struct gm_attempts_view *view);

/* Objects that were granted to the job: what cleanup deletes: WORK always; OUT unless the job is
 * done or keep_outputs is set, and then too what is stale: of an earlier plan, and no other job's;
 * and what is loose: of the plan that holds, but no committed item or result names it, so an
 * attempt that came to nothing left it. While the job works a loose object may be committed yet.
 * What was deleted is gone from here after CLEANED. */
struct gm_object_view {
    Gm__ObjectStore store;
    const char *key; /* below the store's root */
    uint64_t size;
    const uint8_t *sha256; /* 32 bytes */
    bool stale;
    bool loose;
};
struct gm_objects_view {
    struct gm_object_view *rows; /* owned; ordered by store, key */
    size_t count;
};
int gm_view_objects(const struct gm_core *core, const char *job_id, struct gm_objects_view *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* What the job publishes: OUT objects that committed items and results name. An object that other
 * jobs of the same publication and destination may have written anew, with another size, while this
 * one worked (ADR-0002) has a row for each such size. stale and loose are false. */
int gm_view_committed(const struct gm_core *core, const char *job_id, struct gm_objects_view *out,
                      struct gm_err *err) GM_MUST_CHECK;
void gm_view_objects_fini(struct gm_objects_view *view);
/* Whether one of those has that key; *out_size and *out_sha256 (32 bytes, borrowed) are what the
 * job itself stored. Costs nothing that grows with the job. */
bool gm_view_output(const struct gm_core *core, const char *job_id, const char *key,
                    uint64_t *out_size, const uint8_t **out_sha256);
/* True when a job other than job_id with the same destination_url has that publication and is
 * unfinished, or done: its objects lie at the same keys, so those OUT objects of job_id must stay.
 * "" is nobody's. */
bool gm_view_is_publication_shared(const struct gm_core *core, const char *job_id,
                                   const char *publication);
/* The same, by an unfinished job alone: that one is to delete, or to keep, what job_id leaves. */
bool gm_view_is_publication_made(const struct gm_core *core, const char *job_id,
                                 const char *publication);
/* True when an unfinished job publishes that publication there, or one that failed may go on to. */
bool gm_view_is_made_at(const struct gm_core *core, const char *destination_url,
                        const char *publication);
/* A job but `but` that publishes to that place, or whose backup waits to get there; NULL: none. It
 * looks at all jobs. Borrowed until the next step. */
const char *gm_view_works_at(const struct gm_core *core, const char *url, const char *but);
/* A job beside job_id, of the same destination_url and publication, that has ended and whose
 * committed outputs stay. Those are all that it keeps: what job_id made under other names goes. */
bool gm_view_is_beside(const struct gm_core *core, const char *job_id, const char *other_id);
/* The id of the i-th of these, in no order; NULL: there are no more. Borrowed until the next
 * step. */
const char *gm_view_beside(const struct gm_core *core, const char *job_id, size_t i);
/* True when a job other than job_id with the same destination_url was granted the OUT object of
 * that key, and is unfinished or has committed it: it must stay. */
bool gm_view_is_output_shared(const struct gm_core *core, const char *job_id, const char *key);

/* Whether a job other than job_id writes report and manifests there now. */
bool gm_view_is_published_at(const struct gm_core *core, const char *destination_url,
                             const char *job_id);
/* True while a clean-up waits for leases that outlive their job, or for the tick that starts it
 * once they have ended. */
bool gm_view_cleanup_waits(const struct gm_core *core);

/* Why each unfinished task waits, or where it runs: one sentence each; of a job that publishes also
 * why that is not done, as task "publish". */
struct gm_explain_row {
    const char *task;
    uint32_t instance;
    enum gm_task_state state;
    char why[400];
};
struct gm_explain_view {
    struct gm_explain_row *rows; /* owned; one a task instance (encode: one), done ones too */
    size_t count;
};
int gm_view_explain(const struct gm_core *core, const char *job_id, gm_time now,
                    struct gm_explain_view *out, struct gm_err *err) GM_MUST_CHECK;
void gm_view_explain_fini(struct gm_explain_view *view);

/* What a unit takes, and what there is of it. */
enum gm_dim {
    GM_DIM_SLOTS,
    GM_DIM_CPU,
    GM_DIM_MEMORY,   /* this and the next are of the node: its devices share them */
    GM_DIM_SCRATCH,  /* (of the device where a node tells its devices' parts alone) */
    GM_DIM_SESSIONS, /* of this one and those behind, 0 of a device: no limit is known */
    GM_DIM_DEVICE_MEMORY,
    GM_DIMS
};
struct gm_capacity {
    union {
        struct {
            uint64_t slots;
            uint64_t cpu_milli;
            uint64_t memory_bytes;
            uint64_t scratch_bytes;
            uint64_t sessions; /* of encoders */
            uint64_t device_memory_bytes;
        };
        uint64_t v[GM_DIMS]; /* the same, by enum gm_dim */
    };
};
/* What the scheduler or an operator holds against a device. */
struct gm_quarantine_view {
    const char *state; /* "" nothing; "held" for a moment; "quarantined"; "trial": a task at once */
    bool by_operator;  /* "quarantined": until somebody resumes it */
    const char *why;
    int64_t since_unix_ms; /* held: 0 */
};
struct gm_device_view {
    const char *id;
    const char *kind;
    const char *description;
    const Gm__Device *facts; /* what the node found out about it */
    /* Usable now (whole, leases included), as the node offers it; of what is held against the
     * device fewer slots. Memory and scratch are of the node where its devices share them. */
    struct gm_capacity capacity;
    struct gm_capacity used; /* by leases */
    /* Not taken, by any device of the node where they share it; of sessions and device memory
     * without a known limit 0. */
    struct gm_capacity left;
    struct gm_quarantine_view quarantine;
};
struct gm_lease_view {
    const char *job_id;
    const char *task;
    const char *type;
    uint32_t instance;
    int64_t first_chunk; /* -1: not a run of chunks */
    uint32_t chunks;
    const char *device;
    uint64_t attempt;
    int64_t started_unix_ms;
    uint64_t frames_done; /* as the worker says */
    uint64_t frames_total;
    gm_time left;              /* until it is expected to end; 0: unknown */
    struct gm_capacity demand; /* what it holds of the device and its node */
    bool cancelling;
};
struct gm_node_view {
    const char *id;
    const char *hostname;
    const char *build;
    uint32_t protocol; /* that it speaks */
    const char *state; /* "connected" "gone" (leases may still be live) "draining" "restarting" */
    uint64_t instance; /* of the agent: another one after each start */
    bool connected;
    bool draining;
    bool restarts;             /* it can be told to start anew */
    bool restarting;           /* and draining: until another instance says Hello */
    int64_t connected_unix_ms; /* last Hello */
    int64_t seen_unix_ms;      /* last message */
    char *const *notes;
    size_t note_count;
    struct gm_device_view *devices; /* owned */
    size_t device_count;
    struct gm_lease_view *leases; /* owned */
    size_t lease_count;
};
struct gm_nodes_view {
    struct gm_node_view *rows; /* owned */
    size_t count;
};
int gm_view_nodes(const struct gm_core *core, struct gm_nodes_view *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* That node alone: one row. Errors: NOTFOUND, which names those that are called alike; NOMEM. */
int gm_view_node(const struct gm_core *core, const char *node_id, struct gm_nodes_view *out,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_view_nodes_fini(struct gm_nodes_view *view);

/* Id of the job whose lease that is, borrowed until the next step; NULL: there is no such lease. */
const char *gm_view_lease_job(const struct gm_core *core, uint64_t epoch);
/* Where the source of the lease's job is, if that node has the lease; else NULL. Borrowed. */
const char *gm_view_lease_source(const struct gm_core *core, uint64_t epoch, const char *node_id);
/* Whether an unfinished job has that source. */
bool gm_view_has_source(const struct gm_core *core, const char *source_url);
/* Unfinished jobs of which something waits for what lacks of their source (arrival.h): each that
 * can go on, or never will, is to be told so by GM_EV_ARRIVED, and not from within. */
struct gm_arrival_view { /* all borrowed */
    const char *job_id;
    const char *source_url;
    bool begin;    /* for what inspection reads */
    uint32_t part; /* else for that one, by index */
};
typedef void (*gm_view_arrival_fn)(const struct gm_arrival_view *view, void *arg);
void gm_view_arrivals(const struct gm_core *core, gm_view_arrival_fn fn, void *arg);

/* Numbers for readiness and metrics. */
struct gm_core_totals {
    uint64_t jobs[GM_JOB_STATES];
    uint64_t nodes_connected;
    uint64_t slots; /* of connected, not draining nodes */
    uint64_t slots_used;
    uint64_t leases;
};
uint64_t gm_view_unfinished(const struct gm_core_totals *totals); /* jobs */
void gm_view_totals(const struct gm_core *core, struct gm_core_totals *out);

#endif
