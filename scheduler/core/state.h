#ifndef GM_SCHEDULER_CORE_STATE_H
#define GM_SCHEDULER_CORE_STATE_H

#include "scheduler/core/backlog.h"
#include "scheduler/core/bodies.h"
#include "scheduler/core/counts.h"
#include "scheduler/core/devices.h"
#include "scheduler/core/fsm.h"
#include "scheduler/core/health.h"
#include "scheduler/core/history.h"
#include "scheduler/core/mem.h"
#include "scheduler/core/order.h"
#include "scheduler/core/pile.h"
#include "scheduler/core/source_parts.h"
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
#define GM_CORE_MAX_CACHE (UINT64_C(1) << 50) /* bytes that a node may say it keeps */
#define GM_CORE_MAX_DEVICES 64u
#define GM_CORE_MAX_CHAINS 8u     /* of a device; lost to a job */
#define GM_CORE_MAX_BUILDS 4u     /* of software that a job may fail on; then failures are final */
#define GM_CORE_MAX_GRANTS 4096u  /* of a request; objects of an item or result */
#define GM_CORE_MAX_OUTPUTS 4096u /* tracks and MP4 files of a plan */
#define GM_CORE_MAX_AVOID 16u     /* nodes remembered as having failed a unit */
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

/* Attempts that failed with a code since this scheduler began. */
#define GM_CORE_CODES 128u /* more than the catalogue has numbers; others are not counted */
struct gm_failed {
    uint64_t count;
    int64_t last_unix_ms;
};
struct gm_avoid {
    char *node_id; /* owned */
    bool evidence; /* the failure speaks against the unit, not only against the node */
};
/* There are as many as chunks are queued: fields are as wide as they must be, largest first. */
struct gm_unit {
    gm_time ready_since;
    gm_time retry_at;
    struct gm_avoid *avoid;           /* owned */
    struct gm_lease *lease;           /* borrowed; RUNNING */
    const struct gm_attempt *awaited; /* borrowed; BACKOFF: of it nothing was heard yet */
    uint32_t failures;                /* charged, since it last made progress */
    uint32_t streak;                  /* the last of them that are evidence and have one code */
    enum gm_code streak_code : 16;    /* a code of the catalogue has two digits */
    enum gm_task_state state : 8;
    uint8_t runs;        /* of a chunk: its task's position + 1; else 0 */
    uint8_t refusals;    /* at most GM_CORE_MAX_REFUSALS */
    uint8_t avoid_count; /* at most GM_CORE_MAX_AVOID */
    bool sum;            /* it stands for chunks: READY says nothing of it */
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
_Static_assert(GM_CORE_MAX_TASKS < UINT8_MAX && GM_CORE_MAX_REFUSALS <= UINT8_MAX &&
                   GM_CORE_MAX_AVOID <= UINT8_MAX,
               "fields of struct gm_unit hold all that they may have");
/* Items from `index` on, up to the next of these, were committed in that term. */
struct gm_since {
    size_t index;
    uint64_t term;
};
struct gm_stream {
    struct gm_since *since; /* owned; ascending by index; before the first: not known, 0 */
    size_t since_cap, since_count;
    struct gm_bodies *bodies; /* borrowed: the core's */
    struct gm_body *items;    /* owned; packed items; all-zero: not committed */
    size_t cap;
    size_t size;      /* highest index + 1 */
    size_t committed; /* contiguous from 0 */
    int64_t last;     /* index of the last item, -1: unknown */
};
/* What builds of software did to a job, or to an instance of a task. builds.c. */
struct gm_builds {
    uint32_t replans; /* of a job: its build was gone, and it was planned again by another one */
    char *bad[GM_CORE_MAX_BUILDS]; /* owned: it failed on these */
    size_t bad_count;
};
struct gm_inst {
    struct gm_ctask *task; /* borrowed */
    uint32_t number;
    struct gm_builds *builds; /* owned; NULL: it failed on none; runs: NULL, the job's speak */
    struct gm_unit unit;      /* runs: only BLOCKED, READY (chunks speak), DONE, ENDED */
    uint64_t done_term;       /* that stored its result; 0: not known */
    uint8_t *meta;            /* owned; done */
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
    bool anew;   /* it failed, and its instance begins from nothing on another build */
    bool stored; /* its row was written, and not lazily alone */
    /* It ran for the scheduler before this one, and its node has not said hello: adopt.c. */
    bool unheard;
    bool overlaps; /* and it is awaited in the place of one before it: it was a copy of that */
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
/* What a plan names; all zero: there is none yet. writes.c */
struct gm_writes {
    char **names; /* owned, and so are they; renditions, then sound, text, MP4 files */
    size_t count;
    size_t renditions, audio, text, mp4;
    uint32_t chunk_segments;
    bool named; /* one of them has a name */
};
struct gm_frame_sample {
    gm_time at;
    uint64_t frames;
};
struct gm_lost_chain {
    char *name; /* owned */
    struct gm_err why;
};
/* Which chain to plan for, and when the job was expected to end by each that could be had.
 * chain "": it was not chosen, for there were no two. choice.c. */
struct gm_choice {
    char chain[GM_CHAIN_NAME];
    struct gm_chain_end ends[GM_CORE_MAX_CHAINS];
    size_t count;
};
/* What the renditions of one codec and depth are together. */
struct gm_cwork {
    char codec[16];
    uint32_t depth;
    double pixels;  /* of one picture of each rendition, together */
    double largest; /* of one rendition's */
};
/* Who has what of a job at hand: local.c. */
#define GM_MAKERS 4u
struct gm_maker {
    const char *node_id; /* borrowed from an attempt of the job */
    uint64_t frames;     /* 0: nobody's */
};
struct gm_local {
    bool reads_far;                  /* source, or what is made of it on the way, by network */
    bool makes_far;                  /* results, or the latter */
    const struct gm_attempt *reader; /* borrowed; reads the source; NULL: nobody did */
    struct gm_maker makers[GM_MAKERS];
};
/* Of a job's result, at a second place: backup.c. */
struct gm_cbackup {
    char *url;  /* owned; "": none is asked for */
    char *mark; /* owned */
    enum gm_backup_state state;
    struct gm_err error; /* of the last try that failed */
    uint64_t lacking;    /* objects, when that one ended */
    uint32_t failures;   /* tries */
    int64_t since_unix_ms;
    bool told;      /* the report says how it ended */
    uint32_t tells; /* that failed */
    bool busy;      /* a try was asked for, or that */
    gm_time at;     /* the next one, 0: none is planned */
};
/* What a job lacks of its source, without which some of its units are not ready: arrival.c. */
struct gm_arrival {
    bool waits;
    bool begin;    /* for what inspect reads */
    uint32_t part; /* else from that one on, by index */
};
#define GM_CORE_SAMPLES 11u /* one a second */
struct gm_cjob {
    char *id;                 /* owned */
    struct gm_bodies *bodies; /* borrowed: the core's */
    uint64_t seq;
    Gm__Pipeline *pipeline; /* owned */
    char *source_url;       /* owned, and so are these */
    char *source_name;
    char *destination_url;
    char *destination_mark;
    char *work_mark;
    char *external_id;
    char *traceparent;
    char *publication;
    Gm__Chain *chain; /* owned; NULL until plan is done */
    struct gm_lost_chain lost[GM_CORE_MAX_CHAINS];
    size_t lost_count;
    struct gm_choice choice;
    struct gm_owed owed;
    char chain_reason[240];     /* why plan did not get a chain that comes before its own */
    gm_time chain_absent_since; /* 0: it is there */
    struct gm_builds *builds;   /* owned; NULL: nothing */
    bool planned;               /* before: expand holds, though there may be no plan */
    bool expanded;              /* instances were made of expand */
    uint64_t source_size;
    uint64_t source_version;
    char *source_etag; /* owned */
    struct gm_source_parts source_parts;
    struct gm_arrival arrival; /* what of them it waits for */
    int32_t priority;
    int64_t deadline_unix_ms;
    bool urgent;              /* the deadline is near: it is of the highest class */
    struct gm_tenant *tenant; /* borrowed */
    struct gm_turn turn;
    bool plan_only;
    bool keeps_title;
    char *webhook; /* owned; "": none */
    uint32_t told; /* enum gm_news bits */
    int64_t created_unix_ms, started_unix_ms, finished_unix_ms;
    enum gm_job_state state;
    struct gm_err error;
    bool cleanup_pending;
    bool publish_pending;
    bool publish_tried; /* manifests may stand, for all that a restart knows */
    bool manifests;     /* and do, or may, for what this term saw or could not see */
    bool cancel_wanted;
    uint32_t publish_failures;
    uint32_t publish_broken;      /* of these the last ones: an output was not as it was written */
    struct gm_err *publish_error; /* owned; of the last of these; NULL: none failed */
    char *publish_held;           /* owned; why it has not begun; NULL: nothing holds it */
    uint32_t cleanup_failures;
    gm_time kept_until; /* what it made stays; 0: it is not kept, or no more. reopen.c */
    bool kept;          /* its row says so: nothing of it was deleted */
    uint32_t retries;   /* it was reopened */
    bool cleanup_extra; /* the try that runs is that of a restart, and does not count */
    gm_time publish_at; /* next try, 0: none is planned */
    gm_time cleanup_at; /* the same */
    struct gm_cbackup backup;
    bool removed;                 /* its result is taken down, or is being */
    char *retry_of;               /* owned, and so is the next; "": none */
    char *retried_as;             /* the newest that makes this one again */
    struct gm_keyed *keyed;       /* owned by core->keyed; NULL: it came without a key. keyed.h */
    struct gm_keyed *keyed_retry; /* the same, of the newest request that made it go on */
    struct gm_ctask *tasks;       /* owned */
    uint32_t task_count;
    struct gm_ctask *inspect, *plan, *split, *encode; /* borrowed; encode may be NULL */
    Gm__Expand **expand;                              /* owned */
    size_t expand_count;
    struct gm_attempt **attempts; /* owned */
    size_t attempt_cap;
    size_t attempt_count;
    const struct gm_attempt **failed; /* owned; those of them that failed or were lost */
    size_t failed_cap, failed_count;
    uint32_t unheard_count;  /* of these */
    struct gm_epoch *epochs; /* owned; of the first epoch_count of these, by epoch; or NULL */
    size_t epoch_count;
    struct gm_local local;
    struct gm_granted *objects; /* owned */
    struct gm_lease *leases;    /* list through job_prev, job_next; owned by core->leases */
    struct gm_lease *tracks;    /* of these: those of tracks; through track_prev, track_next */
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
    struct gm_writes writes;
    uint32_t rungs; /* renditions that plan will make, by inspect's facts; 0: not known */
    uint64_t rung_pixels, rung_largest; /* a picture of all of them, and of the largest; the same */
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
/* A device takes nothing until that instance of the job fits. keep.c. */
struct gm_kept {
    struct gm_cdevice *device; /* borrowed, and so is the job */
    struct gm_cjob *job;
    uint32_t task, inst; /* its place in the job */
    bool whole;          /* what its node's devices share lacks: none of them takes anything */
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
    uint64_t busy_milli;       /* of its leases */
    struct gm_capacity floor;  /* used when the offer shrank below it: no overcommitment of ours */
    struct gm_cnode *node;     /* borrowed; this and what follows: devices.h */
    uint64_t order;            /* of a walk over all nodes and their devices */
    struct gm_member *members; /* owned; one a chain */
    struct gm_counted counted;
    struct gm_cwatch *watch; /* borrowed; NULL: nothing speaks against it */
    bool kept;               /* for a unit that needs more of it than is left: keep.c */
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
/* What a node's heartbeat last said of its counters. count.c. */
struct gm_told {
    bool heard; /* this instance said something */
    uint64_t cache_hits, cache_misses, cache_bytes, read_bytes, fetched_bytes, written_bytes;
};
struct gm_cnode {
    char *id;        /* owned, and so are these */
    uint64_t number; /* of the nodes, as they came */
    uint64_t instance;
    char *hostname;
    char *build;
    uint32_t protocol; /* that it speaks */
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
    struct gm_told told;
    struct gm_timer silence; /* when it is gone, or forgotten, unless it said something since */
    struct gm_lease *leases; /* list through node_prev, node_next */
    uint64_t lease_count;
    /* The last leases that the node ended itself (Done, Failed): their Acks may wait for the disk,
     * so a Renew that still names one is not told that it was lost. Epochs, a ring. */
    uint64_t *ended; /* owned; GM_CORE_ENDED of them, NULL before the first */
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
    uint64_t busy_milli;      /* threads that it keeps busy; no more than its device has */
    bool at_hand;             /* on the node that gm_core_local_node named */
    enum gm_job_class class_; /* its job's when it began; its share (0: not known yet); its price */
    uint64_t share, charged;
    uint64_t open;        /* objects granted to it that nothing has committed */
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
    uint32_t part; /* that it waits for, by index + 1; 0: none */
    gm_time part_since;
    bool seen;             /* a Renew named it */
    bool cancelling;       /* holds capacity alone: its units were taken away */
    struct gm_lease *twin; /* borrowed; works at the same chunks (straggle.c) */
    bool is_copy;          /* of twin, which the units name */
    gm_time cancelled_at;
    gm_time early_done_at; /* Done came before its items: 0 no */
    struct gm_lease *node_prev, *node_next, *job_prev, *job_next;
    struct gm_lease *track_prev, *track_next;
    UT_hash_handle hh;
};
struct gm_loading {
    struct gm_key key;         /* its name is in loading_pile */
    ProtobufCMessage *message; /* the same */
};
struct gm_core {
    struct gm_core_params params;
    gm_time lease_time, stall_time, heartbeat_time, device_wait, preempt_time;
    struct gm_bodies *bodies; /* owned */
    struct gm_cjob *jobs;
    struct gm_keyed *keyed; /* owned: of these */
    struct gm_cnode *nodes;
    struct gm_lease *leases;
    struct gm_timers lease_timers, node_timers;
    struct gm_kept *kept; /* owned */
    size_t kept_count, kept_cap;
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
    uint64_t job_states[GM_JOB_STATES]; /* jobs in each */
    uint64_t ready_units;               /* of all jobs */
    struct gm_failed failed[GM_CORE_CODES];
    struct gm_loading *loading;
    struct gm_pile loading_pile;
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
    struct gm_core_counts counts;
    struct gm_backlog backlog[GM_CLASSES][GM_COUNT_KINDS];
    /* Of the step that runs */
    struct gm_effects *fx;
    gm_time now;
    int64_t unix_ms;
    bool place_dirty;
    bool split_stopped; /* one of a job with leases is ready again */
    bool rows_dirty;    /* a job's row_dirty is set */
};

#endif
