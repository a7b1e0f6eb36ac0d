#ifndef GM_SCHEDULER_CORE_STATE_H
#define GM_SCHEDULER_CORE_STATE_H

#include "scheduler/core/devices.h"
#include "scheduler/core/fsm.h"
#include "scheduler/core/health.h"
#include "scheduler/core/history.h"
#include "scheduler/core/mem.h"
#include "scheduler/core/order.h"
#include "scheduler/core/sums.h"
#include "scheduler/core/task_types.h"
#include "scheduler/core/timers.h"
#include "state.pb-c.h"

#include <utlist.h>

/* The core's state. Private to scheduler/core/. Everything hangs from struct gm_core; hash tables
 * are walked in the order of insertion, so all is deterministic.
 *
 * core -> jobs -> tasks -> instances -> (unit | chunks) and streams of committed items
 *      -> nodes -> devices
 *      -> leases, each linked to its node, job and units
 */
#define GM_CORE_MAX_TASKS 64u        /* of a pipeline */
#define GM_CORE_MAX_ITEMS 262144u    /* of a stream */
#define GM_CORE_MAX_AHEAD 1024u      /* an item may come so far before its predecessors */
#define GM_CORE_MAX_META (16u << 20) /* bytes */
#define GM_CORE_MAX_JOB (16u << 20)  /* bytes of its row */
#define GM_CORE_MAX_NODES 10000u
#define GM_CORE_MAX_DEVICES 64u
#define GM_CORE_MAX_CHAINS 8u    /* of a device; lost to a job */
#define GM_CORE_MAX_GRANTS 4096u /* of a request; objects of an item or result */
#define GM_CORE_MAX_GRANT_SIZE (UINT64_C(8) << 30)
#define GM_CORE_MAX_AVOID 16u       /* nodes remembered as having failed a unit */
#define GM_CORE_KEEP_FINISHED 1000u /* finished jobs whose rows stay */
#define GM_CORE_PUBLISH_TRIES 12u   /* in about half an hour: a file server may start anew */
/* What does not pass; and the report of a job that came to nothing, which waits to be cleaned up.
 */
#define GM_CORE_REPORT_TRIES 5u
#define GM_CORE_PUBLISH_BROKEN 3u /* tries in a row that find an output gone or of another size */
#define GM_CORE_PUBLISH_PAUSE (2 * GM_SEC) /* the first; each is twice the one before, up to */
#define GM_CORE_PUBLISH_LONGEST (600 * GM_SEC)
#define GM_CORE_CLEANUP_PAUSE (60 * GM_SEC) /* the first; each is twice the one before, up to */
#define GM_CORE_CLEANUP_LONGEST (3600 * GM_SEC)
#define GM_CORE_CLEANUP_TRIES 30u /* in about a day */
#define GM_CORE_POISON_NODES 3u
#define GM_CORE_ENDED 256u
#define GM_CORE_ATTEMPTS_AHEAD 4096u /* of a job, whose rows may be lost with a scheduler */
#define GM_CORE_WORKS 8u             /* four codecs in two depths */
#define GM_CORE_FASTER 1.1       /* less is no difference: runs of hwtest differ by some percent */
#define GM_CORE_MAX_REFUSALS 16u /* uncharged capacity refusals of a unit in a row */
#define GM_CORE_LONGEST (INT64_C(1000) * 86400 * GM_SEC) /* that is expected of anything */

struct gm_avoid {
    char *node_id; /* owned */
    bool evidence; /* the failure speaks against the unit, not only against the node */
};
struct gm_unit {
    enum gm_task_state state;
    uint32_t runs; /* of a chunk: its task's position + 1; else 0 */
    gm_time ready_since;
    gm_time retry_at;
    uint32_t failures; /* charged, since it last made progress */
    uint32_t streak;   /* the last of them that are evidence and have one code */
    enum gm_code streak_code;
    uint32_t refusals;
    struct gm_avoid *avoid; /* owned */
    uint32_t avoid_count;
    struct gm_lease *lease;           /* borrowed; RUNNING */
    const struct gm_attempt *awaited; /* borrowed; BACKOFF: of it nothing was heard yet */
    bool sum;                         /* it stands for chunks: READY says nothing of it */
};
struct gm_core_chunk {
    struct gm_unit unit;
    uint32_t frames;
    uint32_t preroll;
    bool alone;      /* it was in a failed run: next time in a run of 1 */
    bool leads;      /* it is the first of the run that it was last part of */
    bool copied;     /* straggle.c gave it out a second time, once */
    uint8_t counted; /* what it adds to its instance's sums (sums.c) */
};
/* Items from `index` on, up to the next of these, were committed in that term. */
struct gm_since {
    size_t index;
    uint64_t term;
};
struct gm_stream {
    struct gm_since *since; /* owned; ascending by index; before the first: not known, 0 */
    size_t since_cap, since_count;
    Gm__Item **items; /* owned, NULL: not committed */
    size_t cap;
    size_t size;      /* highest index + 1 */
    size_t committed; /* contiguous from 0 */
    int64_t last;     /* index of the last item, -1: unknown */
};
struct gm_inst {
    struct gm_ctask *task; /* borrowed */
    uint32_t number;
    struct gm_unit unit; /* runs: only BLOCKED, READY (chunks speak), DONE, ENDED */
    uint64_t done_term;  /* that stored its result; 0: not known */
    uint8_t *meta;       /* owned; done */
    size_t meta_size;
    Gm__Object **objects; /* owned */
    size_t object_count;
    struct gm_stream *streams; /* owned */
    size_t stream_cap;
    size_t stream_count;
    struct gm_core_chunk *chunks; /* owned; runs; BLOCKED while the instance is */
    size_t chunk_cap;
    size_t chunk_count;
    size_t chunk_done;
    size_t first_open;   /* all chunks before it are done */
    struct gm_sums sums; /* of the chunks */
};
struct gm_ctask {
    struct gm_cjob *job; /* borrowed */
    const char *name;    /* borrowed from the pipeline */
    const struct gm_core_task_type *type;
    uint32_t position;
    uint32_t needs[GM_CORE_MAX_TASKS]; /* positions */
    uint32_t need_count;
    bool known;            /* instances are known */
    struct gm_inst *insts; /* owned */
    uint32_t inst_count;
    uint32_t attempts;
    uint32_t failures;
};
struct gm_attempt {
    uint64_t number;
    uint64_t term, epoch; /* of its lease; 0: a scheduler of an earlier version gave it */
    struct gm_inst *inst; /* borrowed */
    int64_t first_chunk;
    uint32_t chunks;
    char *node_id; /* owned */
    char *device;  /* owned */
    char *chain;   /* owned; the device's, by name */
    int64_t started_unix_ms;
    int64_t ended_unix_ms;
    enum gm_attempt_outcome outcome;
    struct gm_err error;
    int64_t blamed_chunk;
    Gm__Usage usage;
    bool charged;
    int64_t charged_chunk;
    bool progressed;
    bool stored; /* its row was written, and not lazily alone */
    /* It ran for the scheduler before this one, and its node has not said hello: adopt.c. */
    bool unheard;
    struct gm_attempt *unheard_prev, *unheard_next; /* of those of its node */
};
/* What ran on a node that has not said hello. adopt.c. */
struct gm_unheard {
    char *node_id;               /* owned */
    struct gm_attempt *attempts; /* list through unheard_prev, unheard_next; owned by their jobs */
    UT_hash_handle hh;
};
/* An attempt's place in its job. */
struct gm_epoch {
    uint64_t epoch;
    size_t at;
};
struct gm_granted {
    char *id;           /* owned; "store/key" */
    Gm__Object *object; /* owned */
    bool committed;     /* a committed item or result names it */
    UT_hash_handle hh;
};
struct gm_frame_sample {
    gm_time at;
    uint64_t frames;
};
struct gm_lost_chain {
    char *name; /* owned */
    struct gm_err why;
};
/* What the renditions of one codec and depth are together. */
struct gm_cwork {
    char codec[16];
    uint32_t depth;
    double pixels;  /* of one picture of each rendition, together */
    double largest; /* of one rendition's */
};
#define GM_CORE_SAMPLES 11u /* one a second */
struct gm_cjob {
    char *id; /* owned */
    uint64_t seq;
    Gm__Pipeline *pipeline; /* owned */
    char *source_url;       /* owned, and so are these */
    char *source_name;
    char *destination_url;
    char *destination_mark;
    char *work_mark;
    char *external_id;
    char *publication;
    Gm__Chain *chain; /* owned; NULL until plan is done */
    struct gm_lost_chain lost[GM_CORE_MAX_CHAINS];
    size_t lost_count;
    char chain_reason[240];     /* why plan did not get a chain that comes before its own */
    gm_time chain_absent_since; /* 0: it is there */
    bool planned;               /* before: expand holds, though there may be no plan */
    bool expanded;              /* instances were made of expand */
    uint64_t source_size;
    uint64_t source_version;
    int32_t priority;
    int64_t deadline_unix_ms;
    bool urgent;              /* the deadline is near: it is of the highest class */
    struct gm_tenant *tenant; /* borrowed */
    struct gm_turn turn;
    bool plan_only;
    int64_t created_unix_ms, started_unix_ms, finished_unix_ms;
    enum gm_job_state state;
    struct gm_err error;
    bool cleanup_pending;
    bool publish_pending;
    bool publish_tried; /* manifests may stand, for all that a restart knows */
    bool manifests;     /* and do, or may, for what this term saw or could not see */
    bool cancel_wanted;
    uint32_t publish_failures;
    uint32_t publish_broken; /* of these the last ones: an output was not as it was written */
    uint32_t cleanup_failures;
    bool cleanup_extra;     /* the try that runs is that of a restart, and does not count */
    gm_time publish_at;     /* next try, 0: none is planned */
    gm_time cleanup_at;     /* the same */
    struct gm_ctask *tasks; /* owned */
    uint32_t task_count;
    struct gm_ctask *inspect, *plan, *split, *encode; /* borrowed; encode may be NULL */
    Gm__Expand **expand;                              /* owned */
    size_t expand_count;
    struct gm_attempt **attempts; /* owned */
    size_t attempt_cap;
    size_t attempt_count;
    uint32_t unheard_count;  /* of these */
    struct gm_epoch *epochs; /* owned; of the first epoch_count of these, by epoch; or NULL */
    size_t epoch_count;
    struct gm_granted *objects; /* owned */
    struct gm_lease *leases;    /* list through job_prev, job_next; owned by core->leases */
    uint64_t lease_count;
    uint64_t leading; /* of these: runs that begin with the first chunk */
    uint64_t ready_units;
    gm_time wake_at; /* earliest end of a pause, 0: none */
    /* From inspect, plan and split */
    int64_t rate_num, rate_den, duration_us;
    int64_t keyframe_us; /* longest distance seen; 0: not known */
    uint64_t estimated_frames, estimated_bytes;
    uint64_t encode_memory_bytes;
    uint64_t device_memory_bytes; /* of a run, where a device encodes; 0: not known */
    uint32_t renditions;          /* of the plan */
    uint32_t rungs; /* renditions that plan will make, by inspect's facts; 0: not known */
    uint64_t source_pixels;
    bool source_is_deep;                  /* more than 8 bits a sample */
    struct gm_cwork works[GM_CORE_WORKS]; /* of the plan; work_count 0: not known */
    uint32_t work_count;
    uint64_t picture_pixels; /* of one picture of all renditions together, and their preset */
    char preset[16];
    uint64_t frames_known;     /* of announced chunks of encode */
    uint64_t frames_committed; /* of its committed chunks */
    double fps;
    struct gm_frame_sample samples[GM_CORE_SAMPLES];
    uint32_t sample_count;
    gm_time progress_event_at;
    bool progress_dirty;
    bool row_dirty;
    UT_hash_handle hh;
};
/* What a device must offer for a unit. */
struct gm_chain_wish {
    const char *name;               /* borrowed, and so are these */
    const char *fingerprint;        /* NULL: any */
    const Gm__EncodeParams *params; /* what it must be able to encode; NULL: not asked */
    uint64_t sessions;              /* encoders of the device that the unit opens at once */
    uint64_t least; /* and that the device must give: as many as a run of the job opens */
};
struct gm_cdevice {
    char *id; /* owned, and so are these */
    char *kind;
    char *description;
    Gm__Chain **chains; /* owned */
    size_t chain_count;
    Gm__Device *facts; /* as the node told it: is shown; `measured` decides, nothing else does */
    bool is_cpu;       /* its kind: tasks of the processors alone */
    struct gm_capacity offered;
    struct gm_capacity usable; /* of that what the scheduler uses (quarantine.c); it is
                                  gm_core_usable that counts */
    struct gm_capacity used;
    struct gm_capacity floor;  /* used when the offer shrank below it: no overcommitment of ours */
    struct gm_cnode *node;     /* borrowed; this and what follows: devices.h */
    uint64_t order;            /* of a walk over all nodes and their devices */
    struct gm_member *members; /* owned; one a chain */
    struct gm_counted counted;
    struct gm_cwatch *watch; /* borrowed; NULL: nothing speaks against it */
};
enum gm_watch_state {
    GM_WATCH_OPEN,
    GM_WATCH_CLOSED, /* in quarantine by the scheduler */
    GM_WATCH_TRIAL   /* one task at a time until one passes */
};
/* What speaks against a device, and what follows. quarantine.c. */
struct gm_cwatch {
    char *id;      /* owned, and so are these; "node/device" */
    char *node_id; /* of no node that is known, perhaps */
    char *device;  /* "": all of the node's, by an operator */
    uint64_t instance;
    struct gm_health health;
    enum gm_watch_state state;
    char why[240];         /* CLOSED, TRIAL */
    int64_t since_unix_ms; /* the same */
    uint32_t times;        /* quarantines, each within an hour of the end of the one before */
    gm_time until;         /* CLOSED: at least */
    gm_time opened;        /* when the last one ended: TRIAL began */
    uint64_t prove;        /* number of the Prove that was sent; 0: none was */
    bool proved;
    gm_time prove_at;   /* it is sent again */
    gm_time held_until; /* 0: it is not held */
    bool by_operator;
    char reason[240]; /* the operator's */
    int64_t reason_unix_ms;
    UT_hash_handle hh;
};
struct gm_cnode {
    char *id;        /* owned, and so are these */
    uint64_t number; /* of the nodes, as they came */
    uint64_t instance;
    char *hostname;
    char *build;
    char **notes;
    size_t note_count;
    struct gm_cdevice *devices;
    size_t device_count;
    bool shares;              /* it told what its devices have in common: */
    struct gm_capacity whole; /* processor, memory and scratch */
    struct gm_capacity used;  /* of all devices */
    bool connected;
    bool draining;
    bool proves;   /* it knows Prove */
    bool restarts; /* it knows Drain.restart */
    bool settled;  /* a Renew named no lease of an earlier term: it works for this one alone */
    int64_t connected_unix_ms, seen_unix_ms;
    gm_time seen;
    struct gm_timer silence; /* when it is gone, or forgotten, unless it said something since */
    struct gm_lease *leases; /* list through node_prev, node_next */
    uint64_t lease_count;
    /* The last leases that the node ended itself (Done, Failed): their Acks may wait for the disk,
     * so a Renew that still names one is not told that it was lost. Epochs, a ring. */
    uint64_t ended[GM_CORE_ENDED];
    uint32_t ended_next;
    UT_hash_handle hh;
};
struct gm_drained {
    char *id;          /* owned */
    bool restarting;   /* until another instance of it says Hello; what follows is of that */
    bool stays;        /* it was drained before, and is after it */
    uint64_t instance; /* the one that is to end */
    UT_hash_handle hh;
};
struct gm_lease {
    uint64_t task_id;      /* job seq << 32 | the attempt's number when it was assigned */
    uint64_t term;         /* of the scheduler that assigned it */
    uint64_t epoch;        /* key: begins at term << 32, so no two terms share one */
    struct gm_cnode *node; /* borrowed, and so are these */
    struct gm_cdevice *device;
    struct gm_cjob *job;
    struct gm_inst *inst;
    struct gm_attempt *attempt;
    Gm__Chain *chain; /* owned: the device's when the lease began */
    struct gm_capacity demand;
    double picture_s;         /* as gm_assignment */
    enum gm_job_class class_; /* its job's when it began; its share (0: not known yet); its price */
    uint64_t share, charged;
    bool yields;          /* it ends when its next chunk is committed */
    gm_time expected;     /* it takes, by gm_core_expect */
    uint32_t first_chunk; /* runs */
    uint32_t chunk_count; /* runs; others 0 */
    gm_time assigned_at;
    gm_time expires_at;
    struct gm_timer timer; /* at the latest when it expires or stalls, as far as is known */
    uint64_t progress;
    gm_time progress_at;
    uint64_t frames_done, frames_total;
    uint64_t work; /* gm_core_work; 0: not known, or not all of it is this lease's */
    bool waits;    /* its inputs came while it ran */
    uint32_t fed;  /* inputs given, Assign's included */
    bool fed_complete;
    gm_time fed_at;
    bool seen;             /* a Renew named it */
    bool cancelling;       /* holds capacity alone: its units were taken away */
    struct gm_lease *twin; /* borrowed; works at the same chunks (straggle.c) */
    bool is_copy;          /* of twin, which the units name */
    gm_time cancelled_at;
    gm_time early_done_at; /* Done came before its items: 0 no */
    struct gm_lease *node_prev, *node_next, *job_prev, *job_next;
    UT_hash_handle hh;
};
struct gm_loading {
    struct gm_key key;         /* its name is owned */
    ProtobufCMessage *message; /* owned */
};
struct gm_core {
    struct gm_core_params params;
    gm_time lease_time, stall_time, heartbeat_time, device_wait, preempt_time;
    struct gm_cjob *jobs;
    struct gm_cnode *nodes;
    struct gm_lease *leases;
    struct gm_timers lease_timers, node_timers;
    struct gm_devices *devices; /* owned */
    uint64_t next_node;
    struct gm_drained *drained;
    struct gm_order order;
    struct gm_cwatch *watches;
    uint64_t next_prove;
    uint64_t next_seq; /* of jobs */
    uint64_t epoch;
    uint64_t unfinished; /* jobs */
    uint64_t finished;
    struct gm_loading *loading;
    size_t loading_cap, loading_count;
    struct gm_cjob **loaded_jobs; /* owned, by seq; while rows are loaded */
    size_t loaded_job_cap, loaded_job_count;
    bool loaded;
    bool stopping;              /* nothing is assigned any more */
    bool unstamped;             /* attempts that a restart ended wait for a wall-clock time */
    struct gm_unheard *unheard; /* owned; by node */
    bool musters;               /* muster.c: nothing is given out yet */
    gm_time muster_until;       /* at most; 0: until the first step says */
    struct gm_awaited *awaited; /* owned */
    gm_time strangers_until;    /* nodes may still work for the scheduler before this one */
    uint64_t first_seq;         /* of the jobs that this one was given */
    gm_time sampled_at;
    struct gm_history history;
    gm_time history_at; /* it was written */
    gm_time straggled_at;
    /* Of the step that runs */
    struct gm_effects *fx;
    gm_time now;
    int64_t unix_ms;
    bool place_dirty;
    bool split_stopped; /* one of a job with leases is ready again */
    bool rows_dirty;    /* a job's row_dirty is set */
};

/* effects.c: all append to core->fx. Messages and keys are borrowed and copied. */
void gm_core_fx_row(struct gm_core *core, const struct gm_key *key,
                    const ProtobufCMessage *message);
void gm_core_fx_lazy(struct gm_core *core, const struct gm_key *key,
                     const ProtobufCMessage *message);
void gm_core_fx_delete(struct gm_core *core, const struct gm_key *key);
void gm_core_fx_send(struct gm_core *core, const char *node_id, Gm__Envelope *envelope,
                     bool durable);
void gm_core_fx_event(struct gm_core *core, const struct gm_cjob *job, const char *type,
                      const char *task, const char *state, bool durable);
/* "task.retry": an attempt failed and another will be made. */
void gm_core_fx_retry(struct gm_core *core, const struct gm_cjob *job, const char *task,
                      const char *node, const struct gm_err *error);
/* "node.quarantined", "node.trial", "node.resumed", ...: of no job, not kept, logged. */
void gm_core_fx_node(struct gm_core *core, const char *type, const char *node, const char *device,
                     const char *why);
void gm_core_fx_publish(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_cleanup(struct gm_core *core, const struct gm_cjob *job);
void gm_core_fx_ended(struct gm_core *core, uint64_t epoch);

/* rows.c: write the row as it is now. */
void gm_core_row_job(struct gm_core *core, const struct gm_cjob *job);
/* What is stored must be readable again, and fit into an Assign. Errors: LIMIT. */
int gm_core_row_job_check(const struct gm_cjob *job, struct gm_err *err) GM_MUST_CHECK;
void gm_core_row_task(struct gm_core *core, const struct gm_inst *inst);
void gm_core_row_task_delete(struct gm_core *core, const struct gm_inst *inst);
void gm_core_row_item_delete(struct gm_core *core, const struct gm_inst *inst,
                             const Gm__Item *item);
void gm_core_row_item(struct gm_core *core, const struct gm_inst *inst, const Gm__Item *item);
void gm_core_row_object(struct gm_core *core, const struct gm_cjob *job, const Gm__Object *object);
void gm_core_row_attempt(struct gm_core *core, const struct gm_cjob *job,
                         struct gm_attempt *attempt);
/* The same, lazily: of one that only runs, or of a run that ended well, whose items are stored. */
void gm_core_row_attempt_lazy(struct gm_core *core, const struct gm_cjob *job,
                              const struct gm_attempt *attempt);
/* Deleted where there is nothing to say: it is neither drained nor in quarantine. */
void gm_core_row_node(struct gm_core *core, const char *node_id);
/* The wall clock jumps: what follows is stamped no earlier than what it follows. */
static inline int64_t gm_core_not_before(int64_t unix_ms, int64_t other_ms)
{
    return unix_ms > other_ms ? unix_ms : other_ms;
}
static inline int64_t gm_core_stamp(const struct gm_core *core, int64_t after_unix_ms)
{
    return gm_core_not_before(core->unix_ms, after_unix_ms);
}
/* The job's own row is written once, when the step ends. */
void gm_core_job_touch(struct gm_core *core, struct gm_cjob *job);
void gm_core_rows_flush(struct gm_core *core);
void gm_core_row_object_delete(struct gm_core *core, const struct gm_cjob *job,
                               const Gm__Object *object);
/* Deletes every row of the job. */
void gm_core_row_job_delete(struct gm_core *core, const struct gm_cjob *job);

/* load.c */
void gm_core_loading_fini(struct gm_core *core);

/* job.c */
int gm_core_job_create(const char *id, const Gm__Pipeline *pipeline, struct gm_cjob **out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_destroy(struct gm_cjob *job);
int gm_core_job_set_expand(struct gm_cjob *job, Gm__Expand *const *expand, size_t count,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_move(struct gm_core *core, struct gm_cjob *job, enum gm_job_event_kind event);
/* Unblocks, completes tasks, ends the job when nothing is left. */
void gm_core_job_advance(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_fail(struct gm_core *core, struct gm_cjob *job, const struct gm_err *err);
int gm_core_job_cancel(struct gm_core *core, struct gm_cjob *job, struct gm_err *err) GM_MUST_CHECK;
void gm_core_job_end_units(struct gm_core *core, struct gm_cjob *job);
/* A failed or cancelled job whose leases are gone gets its report. */
void gm_core_job_settle(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_published(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                           bool manifests);
void gm_core_job_cleaned(struct gm_core *core, struct gm_cjob *job, const struct gm_err *failure,
                         bool passed_over);
/* The node works for this scheduler alone: what waited to be deleted for its sake may go. */
void gm_core_node_settled(struct gm_core *core, struct gm_cnode *node);
void gm_core_job_clean_again(struct gm_core *core, struct gm_cjob *job);
/* After a restart: at once, and where it failed before beside the tries that are counted. */
void gm_core_job_clean_resume(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_publish_again(struct gm_core *core, struct gm_cjob *job);
/* Forgets the oldest finished jobs beyond the limit. */
void gm_core_job_prune(struct gm_core *core);
struct gm_ctask *gm_core_job_find_task(struct gm_cjob *job, const char *name);
struct gm_inst *gm_core_job_find_inst(struct gm_cjob *job, const char *task, uint32_t instance);
uint64_t gm_core_job_frames_done(const struct gm_cjob *job);
/* Its deadline is near, or not any more: the class follows. */
void gm_core_job_hurry(struct gm_core *core, struct gm_cjob *job);
void gm_core_job_sample(struct gm_cjob *job, gm_time now);

/* task.c */
bool gm_core_task_is_done(const struct gm_ctask *task);
void gm_core_unit_move(struct gm_core *core, struct gm_cjob *job, struct gm_unit *unit,
                       enum gm_unit_event event);
void gm_core_unit_clear(struct gm_unit *unit); /* progress: old failures count no more */
const struct gm_stream *gm_core_inst_stream(const struct gm_inst *inst, uint32_t stream);
/* Adds an item that was committed in `term`, 0: not known. *out_new false: it was there. Errors:
 * PROTO. Takes nothing. */
int gm_core_inst_add_item(struct gm_inst *inst, const Gm__Item *item, uint64_t term, bool *out_new,
                          struct gm_err *err) GM_MUST_CHECK;
/* The same, of one that is owned: what is new is taken, and *item NULL then. */
int gm_core_inst_take_item(struct gm_inst *inst, Gm__Item **item, uint64_t term, bool *out_new,
                           struct gm_err *err) GM_MUST_CHECK;
/* In which term a committed item was committed; 0: not known, which is long ago. */
uint64_t gm_core_stream_term(const struct gm_stream *stream, size_t index);
/* The latest of items 0 to `index`: no lease of an earlier term was told of that item as it is. */
uint64_t gm_core_stream_since(const struct gm_stream *stream, size_t index);
void gm_core_stream_fini(struct gm_stream *stream);
/* After split's items grew: new chunks of encode and analyze. Errors: PROTO for a meta that does
 * not decode. */
int gm_core_chunks_announce(struct gm_core *core, struct gm_cjob *job,
                            struct gm_err *err) GM_MUST_CHECK;
/* The instance may start: so may the chunks that it has. */
void gm_core_chunks_unblock(struct gm_core *core, struct gm_inst *inst);
void gm_core_chunk_commit(struct gm_core *core, struct gm_inst *inst, uint32_t index,
                          enum gm_unit_event event);
/* Takes over meta and objects of a finished instance; what inspect and plan say is noted. */
int gm_core_inst_set_result(struct gm_inst *inst, const ProtobufCBinaryData *meta,
                            Gm__Object *const *objects, size_t count,
                            struct gm_err *err) GM_MUST_CHECK;
/* Split's stream that the instance is fed with; NULL when split has not made it. */
const struct gm_stream *gm_core_inst_inputs(const struct gm_inst *inst);
/* Packs what analyze found in all chunks, in order, as AnalyzeMeta. Errors: PROTO, LIMIT. */
int gm_core_analyze_sum(const struct gm_inst *inst, uint8_t **out, size_t *out_size,
                        struct gm_err *err) GM_MUST_CHECK;
bool gm_core_split_is_done(const struct gm_cjob *job);
/* No input will follow those that are committed. A finishing task starts when all is there that it
 * needs, and that may be nothing, while split is still at work. */
bool gm_core_inst_inputs_end(const struct gm_inst *inst);

/* vector.c */
/* What the device may give: memory and scratch are all of its node's where its devices share them;
 * the processors, where GPUs have slots, without what feeds those. */
struct gm_capacity gm_core_usable(const struct gm_cdevice *device);
/* What is taken of that. */
struct gm_capacity gm_core_used(const struct gm_cdevice *device);
/* A lease takes it, or gives it back. */
void gm_core_use(struct gm_core *core, struct gm_cdevice *device, const struct gm_capacity *demand,
                 bool back);
/* The node, or a device of it, has another capacity: what is used stays. */
void gm_core_node_resized(struct gm_core *core, struct gm_cnode *node);
/* The sums of the leases, and that they are not more than there is, but where an offer shrank.
 * Errors: BUG. */
int gm_core_node_check_used(const struct gm_cnode *node, struct gm_err *err) GM_MUST_CHECK;

/* lease.c */
struct gm_lease *gm_core_lease_find(struct gm_core *core, const struct gm_cnode *node,
                                    uint64_t task_id, uint64_t term, uint64_t epoch);
struct gm_assignment {
    struct gm_inst *inst;
    uint32_t first_chunk, chunk_count;
    struct gm_cnode *node;
    struct gm_cdevice *device;
    const Gm__Chain *chain; /* of the device */
    struct gm_capacity demand;
    double picture_s; /* gm_core_picture_s where it decided: others with room are slower; else 0 */
    struct gm_lease *copy_of; /* NULL: units are ready */
};
void gm_core_lease_start(struct gm_core *core, const struct gm_assignment *a);
/* When it expires or stalls, as it stands. */
gm_time gm_core_lease_due(const struct gm_core *core, const struct gm_lease *lease);
/* The same for one that its node has from an earlier term: a->chain may be any that is not the
 * device's any more; chunks that are done are passed over. attempt: what is stored of it, NULL:
 * nothing. */
void gm_core_lease_resume(struct gm_core *core, const struct gm_assignment *a,
                          const Gm__HeldLease *held, struct gm_attempt *attempt);
/* Its units were dealt with: closes the attempt, frees the capacity, forgets the lease. */
void gm_core_lease_end(struct gm_core *core, struct gm_lease *lease,
                       enum gm_attempt_outcome outcome, const Gm__Usage *usage);
/* Says Cancel; units are given back (no charge) or were dealt with. Capacity stays held until the
 * node confirms or the lease expires. */
void gm_core_lease_cancel(struct gm_core *core, struct gm_lease *lease, const char *reason);
/* Who has told no progress for so long stands still: a Renew may come late, and so does what it
 * tells. */
gm_time gm_core_still_time(const struct gm_core *core);
void gm_core_lease_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from);
/* Feeds every track lease of the job that lags behind its stream. */
void gm_core_job_feed(struct gm_core *core, struct gm_cjob *job);
void gm_core_lease_tick(struct gm_core *core);

/* adopt.c: work that outlives its scheduler. */
/* Recovery: the attempt ran. */
void gm_core_unheard_add(struct gm_core *core, struct gm_attempt *attempt);
void gm_core_unheard_fini(struct gm_core *core);
/* Recovery, when the job's units are what they are: those of such attempts wait. */
void gm_core_unheard_wait(struct gm_core *core, struct gm_cjob *job);
/* The node has told all that it has, or the job needs none of it any more: what was not taken over
 * is lost, uncharged, and its units are ready. */
void gm_core_unheard_end_node(struct gm_core *core, const char *node_id);
void gm_core_unheard_end_job(struct gm_core *core, struct gm_cjob *job);
/* Whom nobody heard of when the lease time of the term before is over has stopped by itself. */
void gm_core_unheard_tick(struct gm_core *core);
/* The node goes on with what it holds from an earlier term. False: it has to drop that. */
bool gm_core_adopt(struct gm_core *core, struct gm_cnode *node, const Gm__HeldLease *held);

/* muster.c: after a restart nodes come back before anything is given out. */
/* Recovery, when all rows are loaded. */
void gm_core_muster_begin(struct gm_core *core);
/* The node has told all that it has, or said goodbye. */
void gm_core_muster_heard(struct gm_core *core, const char *node_id);
void gm_core_muster_tick(struct gm_core *core); /* in each step */
void gm_core_muster_fini(struct gm_core *core);

/* retry.c */
struct gm_lease_failure {
    struct gm_err error;
    int64_t chunk; /* -1: none */
    const Gm__Usage *usage;
    enum gm_attempt_outcome outcome; /* FAILED or LOST */
    bool keep;                       /* the node has not let go: Cancel it, hold its capacity */
};
/* The lease failed: its units are tried again, or the job fails. The lease is gone after. */
void gm_core_lease_fail(struct gm_core *core, struct gm_lease *lease,
                        const struct gm_lease_failure *failure);
void gm_core_lease_lost(struct gm_core *core, struct gm_lease *lease, const char *why);
/* Recovery: counts a stored attempt against its unit. */
void gm_core_charge(struct gm_unit *unit, const char *node_id, const struct gm_err *error);

/* task.c: frames of the job's programme, as inspection and split say, of split alone when it is
 * done; 0: nothing is known.
 */
uint64_t gm_core_inst_frames(const struct gm_inst *inst);
/* What the first frame of a chunk that is still to come may cost: frames that are decoded before it
 * and thrown away, at most. 0: none comes, or nobody knows how long the programme is. */
uint64_t gm_core_inst_lead(const struct gm_inst *inst);
/* run.c */
struct gm_run {
    uint32_t first, count;
};
struct gm_run_ask {
    uint64_t slots; /* of the farm */
    uint64_t total; /* gm_core_inst_frames */
    uint64_t lead;  /* gm_core_inst_lead */
    bool untried;   /* of chunks alone that no node has failed */
};
/* The next run of an instance with chunks; count 0: nothing is ready but what waits for the chunk
 * that comes, which may have to be part of it. */
struct gm_run gm_core_run_next(const struct gm_inst *inst, const struct gm_run_ask *ask);
/* How many of the chunks that are ready wait for the chunk that comes. */
uint64_t gm_core_run_held(const struct gm_inst *inst, const struct gm_run_ask *ask);
/* The run is given out: what it costs is spent. */
void gm_core_run_note(struct gm_inst *inst, const struct gm_run *run);
/* The same as gm_core_run_next, with what its job knows. */
struct gm_run gm_core_inst_run(const struct gm_inst *inst, uint64_t slots, bool untried);
uint64_t gm_core_inst_held(const struct gm_inst *inst, uint64_t slots);
/* The device runs the first chunk of the job, whose encoders work side by side: its last free slot
 * stays empty for them, so that there is soon something to play. Other jobs may take it. */
bool gm_core_keeps_slot(const struct gm_cjob *job, const struct gm_cdevice *device);

/* chain.c */
void gm_core_chains_fill(struct gm_cdevice *device, const Gm__Device *m);
void gm_core_chains_fini(struct gm_cdevice *device);
Gm__Chain *gm_core_chain_dup(const Gm__Chain *chain);
bool gm_core_chain_encodes(const Gm__Chain *chain, const char *codec, uint32_t bit_depth);
/* Of the wish, but for the encoder sessions. */
bool gm_core_chain_matches(const Gm__Chain *chain, const struct gm_chain_wish *wish);
/* A device of the node that takes tasks has that chain. */
bool gm_core_node_has_chain(const struct gm_cnode *node, const Gm__Chain *chain);
const Gm__Chain *gm_core_device_chain(const struct gm_cdevice *device,
                                      const struct gm_chain_wish *wish); /* NULL: none */
/* True, and the sentence, when devices offer the chain and none gives as many encoder sessions as
 * the wish takes: "4 renditions need 4 encoder sessions; GPU 0000:01:00.0 gives 3". */
bool gm_core_chain_is_short(const struct gm_core *core, const struct gm_chain_wish *wish,
                            char out[160]);
/* False: nothing that the job may use is there. */
bool gm_core_chain_wish(const struct gm_core *core, const struct gm_inst *inst,
                        struct gm_chain_wish *out);
/* Why it is none of the pipeline's chains before that one (NULL: none at all), "" where there is
 * nothing to say: "nvenc: no node offers it; vaapi: its devices take no tasks now". */
void gm_core_chain_passed(const struct gm_core *core, const struct gm_cjob *job, const char *before,
                          char *out, size_t size);
/* Plan was given out to the chain: notes why it is none before it. */
void gm_core_chain_chosen(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain);
/* Plan is done with `chain`: the job keeps it. Devices that failed at it before are lost to the job
 * where the processor took over. */
void gm_core_chain_take(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain);
/* A failure with that code costs the job its chain, not its life. */
bool gm_core_chain_can_go(const struct gm_lease *lease, enum gm_code code);
/* What is under way with `chain` (NULL: it was told of none) may go on for the instance. */
bool gm_core_chain_goes_on(const struct gm_inst *inst, const Gm__Chain *chain);
void gm_core_chain_failed(struct gm_core *core, struct gm_cjob *job, const char *name,
                          const struct gm_err *why);
void gm_core_chain_tick(struct gm_core *core);
/* view.c: an output of that publication; "" has none. */
bool gm_core_object_is_below(const Gm__Object *object, const char *publication);
/* view.c: another job that writes outputs, or has, has the publication that it is below. */
bool gm_core_object_is_shared(const struct gm_core *core, const struct gm_cjob *job,
                              const Gm__Object *object);
/* view.c: of an earlier plan of the job, and no other job's. */
bool gm_core_object_is_stale(const struct gm_core *core, const struct gm_cjob *job,
                             const Gm__Object *object);
/* view.c: of the plan that holds, and no committed item or result names it. */
bool gm_core_object_is_loose(const struct gm_cjob *job, const struct gm_granted *granted);
/* replan.c: leases end, inspect's result stays, plan is ready. */
void gm_core_job_replan(struct gm_core *core, struct gm_cjob *job);

/* speed.c */
/* Of the plan's renditions. */
void gm_core_works_take(struct gm_cjob *job, const Gm__Policy *policy);
/* The measured rate that counts for encoding by that chain; NULL: there is none. Borrowed. */
const Gm__Rate *gm_core_rate(const struct gm_cdevice *device, const Gm__Chain *chain,
                             const char *codec, uint32_t depth);
/* Of one more slot of a device with so many used. NULL: not measured. */
struct gm_pace gm_core_pace(const Gm__Rate *rate, uint64_t used);
/* Pixels a second of the work in one slot. */
double gm_core_slot_rate(struct gm_pace pace, const struct gm_cwork *work);
/* Seconds that a picture of the job takes in one more slot of the device, all renditions, by
 * measured figures; 0: they are not known, or the instance encodes nothing. */
double gm_core_picture_s(const struct gm_cdevice *device, const Gm__Chain *chain,
                         const struct gm_inst *inst);

/* learn.c */
/* Units of work of an instance, or of a run of it; 0: not known. */
uint64_t gm_core_work(const struct gm_inst *inst, uint32_t first_chunk, uint32_t chunk_count);
void gm_core_learn_begin(struct gm_lease *lease);
/* The lease is done: its whole work was. usage: as the node says; NULL: it said nothing. */
void gm_core_learn(struct gm_core *core, const struct gm_lease *lease, const Gm__Usage *usage);
void gm_core_row_history(struct gm_core *core, const struct gm_history_entry *entry);
/* Rows of what was learned since the last time; now: even if that was just now. */
void gm_core_history_write(struct gm_core *core, bool now);
/* How long so much work of the instance takes: on the node by its own past or else its chip's, or
 * else its chain's; by measured figures where there is no past. node, device NULL: on any with that
 * chain. At most GM_CORE_LONGEST; 0: not known. */
gm_time gm_core_expect(const struct gm_core *core, const struct gm_cnode *node,
                       const struct gm_cdevice *device, const Gm__Chain *chain,
                       const struct gm_inst *inst, uint64_t work);

/* What the past says that the task needs, where that is more than `demand`; at most four times. */
void gm_core_demand_learned(const struct gm_core *core, const struct gm_inst *inst,
                            const char *chain, struct gm_capacity *demand);

/* How long tasks of that kind take, and how far that is off in the mean; false: not known. */
bool gm_core_typical(const struct gm_core *core, const Gm__Chain *chain, const struct gm_inst *inst,
                     uint64_t work, gm_time *out, gm_time *out_error);

/* straggle.c */
/* Looks for runs to copy, once a second. */
void gm_core_straggle(struct gm_core *core);
/* The lease ends, or is taken its units: its twin has them alone. */
void gm_core_twin_part(struct gm_lease *lease);
/* A chunk of the lease was committed: a twin that has nothing left to do is cancelled. */
void gm_core_twin_committed(struct gm_core *core, struct gm_lease *lease);

/* eta.c: expected times as of the last event; 0: not known. */
/* Frames of a lease that are done, of *out_all; by its node, but what is committed is known. */
uint64_t gm_core_lease_frames(const struct gm_lease *lease, uint64_t *out_all);
/* Of the lease from beginning to end, and what is left of that. */
gm_time gm_core_lease_whole(const struct gm_core *core, const struct gm_lease *lease);
gm_time gm_core_lease_left(const struct gm_core *core, const struct gm_lease *lease);
gm_time gm_core_job_left(const struct gm_core *core, const struct gm_cjob *job);
/* Until the first lease of the instance ends. */
gm_time gm_core_inst_next_end(const struct gm_core *core, const struct gm_inst *inst);
/* Until the first lease ends on a device that offers `wish`. */
gm_time gm_core_first_free(const struct gm_core *core, const struct gm_chain_wish *wish);

/* preempt.c */
/* Now and then: runs of lower classes yield to jobs that have waited too long. */
void gm_core_preempt(struct gm_core *core);
/* A chunk of the lease was committed: a run that yields ends here. */
void gm_core_preempt_border(struct gm_core *core, struct gm_lease *lease);

/* shortage.c */
/* Of the devices that offer the wish, what lacks for the demand on the one that lacks least: "It
 * takes 600 MiB of device memory, of which gpu of node-1 has 200 of 1024 left"; and whether no
 * device could ever hold it. False: no such device takes tasks, or nothing lacks. */
bool gm_core_shortage(const struct gm_core *core, const struct gm_chain_wish *wish,
                      const struct gm_capacity *demand, char out[240]);

/* place.c */
void gm_core_place(struct gm_core *core);
/* The instance that the job would have placed first; NULL: none has anything ready. */
struct gm_inst *gm_core_job_next_inst(struct gm_cjob *job);
struct gm_capacity gm_core_demand(const struct gm_inst *inst);
/* The same with what the past says, and what devices of the wish's chain are asked for besides. */
struct gm_capacity gm_core_demand_on(const struct gm_core *core, const struct gm_inst *inst,
                                     const struct gm_chain_wish *wish);
/* Slots of devices that offer `wish` (NULL: of all) on nodes where work may go, no more of a device
 * than its encoder sessions are enough for. */
uint64_t gm_core_slots(const struct gm_core *core, const struct gm_chain_wish *wish,
                       uint64_t *out_free);
bool gm_core_node_is_open(const struct gm_cnode *node);
/* True when a node that has not failed the unit could take it, now or later. */
bool gm_core_has_other_node(const struct gm_core *core, const struct gm_chain_wish *wish,
                            const struct gm_unit *unit);
/* search.c: the device that the unit goes to, into `a`, whose instance and demand are given (the
 * demand gets smaller where no device could ever hold it). False: none has room. */
bool gm_core_find_device(struct gm_core *core, const struct gm_unit *unit,
                         const struct gm_chain_wish *wish, struct gm_assignment *a);
/* A device that may give so much can, when it has nothing else to do. */
bool gm_core_could_hold(const struct gm_capacity *usable, const struct gm_capacity *demand);
/* The last search for such a unit, which avoided no node, found none, and no device has got more
 * room since. */
bool gm_core_is_parked(const struct gm_core *core, const struct gm_chain_wish *wish,
                       const struct gm_capacity *demand);
bool gm_core_avoids(const struct gm_unit *unit, const char *node_id);
/* a track whose inputs still come takes no last slot */
bool gm_core_inst_may_start(const struct gm_inst *inst, uint64_t free_slots);

/* watch.c, quarantine.c: devices that swallow work or return what does not verify (ADR-0045) */
/* The lease failed at `chunk` (-1: the instance), for which `guilty` stands; its units hold it yet,
 * or its twin. */
void gm_core_watch_failed(struct gm_core *core, const struct gm_lease *lease,
                          const struct gm_unit *guilty, int64_t chunk,
                          const struct gm_lease_failure *failure);
/* The lease stood still while a copy on another device made `count` chunks of it, from `first` on.
 */
void gm_core_watch_overtaken(struct gm_core *core, const struct gm_lease *lease, uint32_t first,
                             uint32_t count);
/* Its chunk, or its instance (-1), is committed. */
void gm_core_watch_passed(struct gm_core *core, const struct gm_lease *lease, int64_t chunk);
/* It ended or is planned again: what waits to pass elsewhere says nothing. */
void gm_core_watch_forget_job(struct gm_core *core, const struct gm_cjob *job);
/* A device that is held, of a node that has not failed the unit, could take it soon. */
bool gm_core_watch_holds_other(const struct gm_core *core, const struct gm_chain_wish *wish,
                               const struct gm_unit *unit);
/* What was offered, or is held against the device, changed. */
void gm_core_device_open(struct gm_core *core, struct gm_cnode *node, struct gm_cdevice *device);
/* The node told its devices; anew: as another instance. */
void gm_core_watch_hello(struct gm_core *core, struct gm_cnode *node);
/* Its node had taken it out of use, and proved it again: what failed before says nothing. */
void gm_core_watch_back(struct gm_core *core, struct gm_cdevice *device);
void gm_core_watch_proved(struct gm_core *core, struct gm_cdevice *device, uint64_t proof);
void gm_core_watch_forget_node(struct gm_core *core, const struct gm_cnode *node);
void gm_core_watch_tick(struct gm_core *core);
/* device "": the whole node. Errors: NOTFOUND, INVAL, BUSY. */
int gm_core_quarantine(struct gm_core *core, const char *node_id, const char *device,
                       const char *reason, struct gm_err *err) GM_MUST_CHECK;
/* Lifts what is held against the device, by whomever; "": all of the node's. False: nothing was. */
bool gm_core_watch_resume(struct gm_core *core, const char *node_id, const char *device);
/* Where it is not remembered yet; NULL: too many are. */
struct gm_cwatch *gm_core_watch_make(struct gm_core *core, const char *node_id, const char *device);
void gm_core_watch_apply(struct gm_core *core, const struct gm_cwatch *watch);
gm_time gm_core_watch_pause(const struct gm_cwatch *watch); /* of its last quarantine */
/* NULL: none. */
struct gm_cwatch *gm_core_watch_find(const struct gm_core *core, const char *node_id,
                                     const char *device);
/* Recovery: a stored row. */
void gm_core_watch_load(struct gm_core *core, const Gm__NodeRow *row);
bool gm_core_watch_is_kept(const struct gm_cwatch *watch); /* it has a place in its node's row */
void gm_core_watches_fini(struct gm_core *core);

/* spec.c */
/* Inputs that a task which is fed could have by now. */
size_t gm_core_inst_fed_count(const struct gm_inst *inst);
void gm_core_send_assign(struct gm_core *core, struct gm_lease *lease);
/* Returns how many inputs the node was sent with these, from the first one on. */
uint32_t gm_core_send_feed(struct gm_core *core, struct gm_lease *lease, uint32_t from);

/* node.c */
void gm_core_node_message(struct gm_core *core, const char *node_id, const Gm__Envelope *envelope);
void gm_core_node_gone(struct gm_core *core, const char *node_id);
/* drain.c */
struct gm_drained *gm_core_drained_add(struct gm_core *core, const char *node_id);
/* The node said Hello: whether it drains; another instance ends a restart. */
void gm_core_drain_hello(struct gm_core *core, struct gm_cnode *node);
/* After Welcome, and after each Renewed: it is told. */
void gm_core_drain_welcomed(struct gm_core *core, const struct gm_cnode *node);
void gm_core_drain_renewed(struct gm_core *core, const struct gm_cnode *node);
bool gm_core_is_restarting(const struct gm_core *core, const struct gm_cnode *node);
/* It ends when it has nothing, and is resumed when it was started anew. Without force not where a
 * job that is not done would find no other node, or none with its chain. Errors: NOTFOUND,
 * CONFLICT.
 */
int gm_core_node_restart(struct gm_core *core, const char *node_id, bool force,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_core_node_drain(struct gm_core *core, const char *node_id, bool resume,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_core_node_tick(struct gm_core *core);
void gm_core_node_destroy(struct gm_cnode *node);

/* handle_work.c, handle_grant.c */
void gm_core_handle_produced(struct gm_core *core, struct gm_cnode *node, const Gm__Produced *m,
                             uint64_t seq, const char *node_id);
void gm_core_handle_done(struct gm_core *core, struct gm_cnode *node, const Gm__Done *m,
                         uint64_t seq, const char *node_id);
void gm_core_handle_unsent(struct gm_core *core, const char *node_id, const Gm__Failed *m,
                           bool told);
void gm_core_handle_failed(struct gm_core *core, struct gm_cnode *node, const Gm__Failed *m,
                           uint64_t seq, const char *node_id);
void gm_core_handle_grant(struct gm_core *core, struct gm_cnode *node, const Gm__GrantRequest *m,
                          const char *node_id);
/* Every object was granted to the job with this size and hash. Errors: PROTO. */
int gm_core_objects_check(const struct gm_cjob *job, Gm__Object *const *objects, size_t count,
                          struct gm_err *err) GM_MUST_CHECK;
void gm_core_objects_commit(struct gm_cjob *job, Gm__Object *const *objects, size_t count);
struct gm_granted *gm_core_granted_find(const struct gm_cjob *job, Gm__ObjectStore store,
                                        const char *key); /* NULL: none */
void gm_core_granted_set(struct gm_cjob *job, const Gm__Object *object);
void gm_core_granted_remove(struct gm_cjob *job, struct gm_granted *granted);

#endif
