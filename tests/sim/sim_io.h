#ifndef GM_TESTS_SIM_SIM_IO_H
#define GM_TESTS_SIM_SIM_IO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/mem.h"
#include "scheduler/core/view.h"
#include "scheduler/hold.h"
#include "scheduler/lazy.h"

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

/* A farm in virtual time: the real core, a store of rows, a network, object stores, and nodes that
 * do made-up work and check what they are told. Everything follows from the seed. The invariants
 * (gm_core_check, sim_ledger_io.c, sim_objects_io.c, sim_reload_io.c) are looked at after every
 * event; a broken rule fails the cmocka test. Thread: one.
 *
 * What params leave out does not happen: then messages take no time and steps are committed whole.
 */
#define SIM_NODES 8
#define SIM_TASKS 12 /* a node; those too that it dropped while an object of theirs was stored */
#define SIM_ETAG "\"e1\"" /* of each source */
#define SIM_JOBS 64
#define SIM_UNIX_BASE INT64_C(1700000000000)

struct sim_params { /* 0: never; chances in 1/10,000 a 100 ms step (messages: a message) */
    uint32_t seed;
    uint32_t nodes;
    uint32_t slots;          /* a node; 0: 1 */
    uint32_t lease_ms;       /* 0: the core's default */
    uint32_t last_lease_ms;  /* of the scheduler before; 0: not known */
    uint32_t stall_ms;       /* 0: the core's default */
    uint32_t device_wait_ms; /* the same */
    uint32_t preempt_ms;     /* 0: never */
    uint32_t max_attempts;
    uint32_t retry_ms; /* 0: the core's default */
    uint32_t keep_finished;
    uint32_t keep_failed_ms;
    uint32_t backup_retry_s;
    bool early;            /* jobs publish early */
    bool without_etag;     /* sources have none */
    uint32_t part_wait_ms; /* sources are of four parts, of which none is there; 0: they are not */
    const char *backup;    /* where jobs have their results copied to; NULL: nowhere */
    uint32_t loss;         /* a message vanishes */
    uint32_t twice;        /* a message to the scheduler comes twice */
    uint32_t task_fails;   /* with a random code that is worth another try */
    uint32_t task_hangs;
    uint32_t node_dies;    /* comes back later as a new instance */
    uint32_t node_parted;  /* unreachable for a while */
    uint32_t restart;      /* the scheduler loses what is not committed */
    uint32_t restart_busy; /* besides, while the daemon works in stores */
    uint32_t down_s;       /* and is away for up to so long */
    uint32_t delay_ms;     /* a message takes up to so long; the order of a link holds */
    uint32_t late;         /* but not for this one: it takes up to LATE times as long */
    uint32_t twice_down;   /* a message to a node comes twice */
    uint32_t commit_ms;    /* a batch takes up to so long */
    bool late_starts;      /* a crash loses rows of attempts that began just before */
    uint32_t commit_fails; /* a batch: the scheduler ends */
    uint32_t node_paused;  /* its process stands still for a while, and so does the scheduler's */
    uint32_t scheduler_paused;
    uint32_t drift_ppm;  /* nodes' clocks are faster or slower by up to so much */
    uint32_t wall_jumps; /* the scheduler's wall clock, by hours */
    bool shares;         /* every other node tells what its devices share */
    bool remote;         /* sources and stores are reached by network */
    uint32_t node_gone;  /* the socket says so of a node that is there */
    uint32_t drains;     /* a node, for a while */
    uint32_t task_lies;  /* results that were never granted, or are not whole, or of an old lease */
    uint32_t bad_node;   /* the node of that number + 1 fails what it encodes; 0: none does */
    uint32_t bad_chance; /* so often: a piece; 0: always */
    enum gm_code bad_code; /* with which; 0: WORKER_DIED, by SIGSEGV */
    bool old_nodes;        /* they do not know Prove */
    bool seldom;           /* nodes without work renew thrice in a lease's time, as of a crowd */
    uint32_t reload;       /* the rows are loaded into a second core, which must be the same */
    uint32_t put_ms;       /* storing an object takes up to so long, some twenty times that */
    uint32_t put_fails;    /* a put: it may be there all the same */
    uint32_t publish_fails;
    enum gm_code publish_code; /* with which; 0: STORE */
    uint32_t clean_fails;      /* the same for deleting */
    bool manifests;            /* a failed publishing may have left one */
    uint32_t store_ms;         /* a step of publishing or deleting takes up to so long */
    uint32_t builds;      /* nodes tell that many builds of software by turns; 0: they tell none */
    uint32_t bad_build;   /* nodes of that number + 1 fail to plan and encode; 0: none do */
    const char *bad_task; /* or that type alone */
    uint32_t small_build; /* nodes of that number + 1 have memory for a task at a time */
    enum gm_code bad_build_code; /* with which; 0: WORKER_DIED, by SIGSEGV */
    uint32_t turns; /* an idle node has another build from now on, and most that start */
    uint32_t gpus;  /* nodes below this number have the device "gpu" too, which offers nvenc */
    uint64_t
        rates[SIM_NODES];   /* of each node's cpu: pixels a second of one slot; 0: not measured */
    uint32_t sessions;      /* encoders at once that a gpu's driver really gives; 0: any number */
    uint32_t device_memory; /* MiB that each gpu tells that it has; 0: it tells none */
    uint32_t ladder;        /* rungs of pipelines, up to 4, which all sources fill; 0: not told */
    const char *fallback;   /* of pipelines; NULL: none is said */
    const char *device;     /* the one that pipelines list; NULL: none is listed */
    const struct gm_tenant_params *tenants; /* borrowed */
    size_t tenant_count;
};

enum sim_kind {
    SIM_PLAIN,    /* inspect plan split video audio images mp4 hls */
    SIM_BARRIERS, /* and analyze before video, loud before audio, subs */
    SIM_SOUND,    /* inspect plan split loud audio subs hls: no video */
    SIM_KINDS
};
struct sim_job {
    char id[32];
    uint64_t seq; /* by its first row; 0: none was committed */
    enum sim_kind kind;
    uint32_t chunks, tracks, texts, mp4s, preroll; /* a chunk lasts 6 s */
    uint32_t renditions;                           /* 1..8; 0: 2 */
    bool sized;                                    /* inspect tells how large pictures are */
    int64_t keyframe_us;                           /* as inspected; 0: not known */
    int64_t poison;                                /* chunk that kills every worker; -1 none */
    uint32_t poison_nodes;                         /* ... on nodes below this number; 0: all */
    enum gm_code poison_code;                      /* in place of the worker's death */
    int64_t poison_native;
    enum gm_code inspect_fails;                    /* this code, on every attempt */
    enum gm_code gpu_plan_fails, gpu_encode_fails; /* the same, of what runs on a gpu */
    char chain[16];                                /* that the last plan was made for */
    uint32_t plans;
    bool lifelike;  /* each shape has its publication, and the end of a run no object */
    bool run_ends;  /* but it has all the same, of runs that go on behind their last chunk */
    bool twin;      /* it makes the same as the one before it */
    bool strays;    /* some attempts name their objects otherwise than others */
    bool apart;     /* lifelike, and it has its publication alone */
    bool lied;      /* a node said of it what the core has to refuse */
    bool replanned; /* what was acknowledged of an earlier plan need not stay */
    bool cancelled;
    enum gm_job_state cancelled_as; /* its state then */
    uint32_t published, cleaned;    /* times */
    char news[16]; /* of job.accepted, .inspected, .playable the first letter, as they came */
    bool pruned, pruned_keeps; /* the core forgot it, but its outputs were to stay */
    enum gm_job_state pruned_as;
};

struct sim_put {
    bool busy;
    bool checked; /* for the last time: it is wanted */
    bool fails;
    gm_time check_at, due;
    Gm__ObjectStore store;
    uint64_t size;
    uint8_t hash[32];
};
struct sim_task {
    Gm__Assign *assign; /* owned */
    uint32_t build;     /* of the node that works at it */
    struct sim_job *job;
    Gm__TaskInput **inputs; /* owned */
    size_t input_count, input_cap;
    bool complete;
    uint32_t position; /* of the next item */
    bool grant_asked, granted, finished, hung;
    uint32_t waits_part; /* that it says, while it hangs */
    bool opened;         /* its encoders */
    uint64_t request;
    gm_time asked_at, deadline; /* of its node's clock */
    gm_time lease_end;          /* the same, of the true time */
    uint64_t progress;
    char key[160]; /* granted */
    int64_t expires_unix_ms;
    struct sim_put put;
    bool stored;
    bool dropped; /* its put is waited for, and it is named meanwhile */
};
struct sim_node {
    char id[16];
    uint32_t number;
    uint32_t build; /* of its software, where it tells one */
    uint64_t instance, term;
    bool alive, parted, welcomed, drained;
    int64_t told_unix_ms; /* the scheduler's clock, and when it was told; 0: not yet */
    gm_time told_at;
    bool restart; /* it was told to end when it has nothing to do */
    gm_time back_at, hello_at, renew_at, resend_at;
    gm_time renew_asked;           /* the oldest without an answer, by its clock; 0: none */
    gm_time renew_asked_at;        /* the same, of the true time */
    uint64_t renew_number, renews; /* of that one; of the last one */
    gm_time paused_until;          /* 0: it runs */
    int64_t drift_ppm;
    gm_time sent_until, heard_until; /* when the last message of its links arrives */
    uint64_t seq, request;
    struct sim_task tasks[SIM_TASKS];
    Gm__Envelope **outbox; /* owned; until acknowledged */
    size_t outbox_count, outbox_cap;
    uint32_t assigned;           /* assignments taken, ever */
    bool lies;                   /* in what it sends now */
    uint32_t slots;              /* of its gpu, as it was last offered */
    uint32_t limit;              /* sessions of its gpu that it offers; 0: no limit is known */
    gm_time grow_at;             /* the limit; 0: it stays */
    uint64_t prove_asked, proof; /* numbers of Proves: the last one, and the last that passed */
    gm_time prove_at;            /* it passes then, if the node is good; 0: nothing is proved */
    uint32_t bad;                /* pieces that it failed because it is bad */
};
struct sim_row { /* owned */
    char *id;    /* gm_key_text */
    struct gm_key key;
    uint8_t *data;
    size_t size;
    UT_hash_handle hh;
};
struct sim_packet {
    gm_time due;
    uint64_t number;
    bool to_node;
    uint32_t node;
    uint64_t instance; /* of the node: a message to an older one is lost */
    uint8_t *data;     /* owned */
    size_t size;
};
struct sim_lease { /* what Assigns and `ended` say of leases: the books that the core's are held to
                    */
    uint64_t epoch;
    char unit[96]; /* "job/task/instance" */
    uint32_t first, count;
    char device[96]; /* "node/device" */
    struct gm_capacity demand;
    bool of_chunks, cancelled, ended;
    bool twin;     /* another one had its run, or the end of it, too */
    uint64_t pair; /* its epoch, over restarts too; 0: none */
    bool gone;     /* that is on disk: no scheduler may have it */
    bool orphan;   /* its scheduler ended: in nobody's books until the next one takes it over */
};
struct sim_promise { /* of a message with seq: what an Ack of it says is on disk */
    uint32_t node;
    uint64_t seq;
    bool lie; /* it is never acknowledged but as stale */
    enum gm_row_kind kind;
    char unit[96];
    uint32_t stream, first, count; /* items */
};
struct sim_object {
    char *id; /* owned: "store/key" */
    uint64_t size;
    uint8_t hash[32];
    uint64_t published; /* by jobs of these numbers */
    bool late;          /* it was written when no lease held it any more: nobody can know of it */
    UT_hash_handle hh;
};
struct sim_manifest { /* as it stands at a destination */
    const struct sim_job *job;
    char **ids; /* owned: objects that it names */
    size_t count;
};
struct sim_keys { /* owned */
    char **keys;
    size_t count, next;
};
struct sim_op { /* what the daemon does in stores for a job */
    struct sim_job *job;
    bool cleanup;
    gm_time due;
    uint32_t step;
    bool fails;
    uint32_t fails_at;    /* step of publishing */
    bool good, manifests; /* the job's manifests are written; one may stand */
    bool stay;            /* its outputs */
    char publication[GM_HOLD_NAME];
    struct sim_keys out, work; /* to delete */
    struct sim_keys beside;    /* ids of ended jobs that keep outputs of its publication */
    size_t end;                /* of the batch */
    bool deleting_out, work_failed;
    bool passed_over; /* another job is why some stay */
    struct gm_hold_batch batch;
};
struct sim {
    struct sim_params params;
    const char *tenant; /* of jobs that are submitted from now on; NULL: none is named */
    gm_time deadline;   /* the same: so long after; 0: none */
    uint64_t random;
    bool lossy;           /* messages or nodes may vanish: the two sides can disagree for a while */
    struct gm_core *core; /* NULL: the scheduler is down */
    struct sim_shelf *shelf; /* sim_shelf_io.c; NULL: this seed has none */
    gm_time up_at, scheduler_paused_until;
    int64_t wall_ms;       /* how far the wall clock is off */
    gm_time wall_right_at; /* grants are over before they come: not for long */
    bool trace;            /* each event is written to stdout */
    uint64_t digest;       /* of all events and effects */
    uint64_t term;
    gm_time now;
    uint64_t events;
    struct sim_lease *leases; /* that began and were not told to have ended */
    size_t lease_count, lease_cap;
    struct sim_promise *promises;
    size_t promise_count, promise_cap;
    struct sim_object *objects;                  /* in stores */
    struct sim_manifest manifests[SIM_KINDS][2]; /* master.m3u8, manifest.mpd */
    uint64_t late;                               /* objects that nobody could know of */
    struct sim_packet *packets;
    size_t packet_count, packet_cap;
    uint64_t packets_sent;
    struct sim_node nodes[SIM_NODES];
    struct sim_job jobs[SIM_JOBS];
    uint32_t job_count;
    struct sim_row *rows;       /* committed */
    struct gm_effects *pending; /* steps not committed yet */
    struct gm_lazy *lazy;       /* rows of committed steps that are not on disk yet */
    size_t pending_count, pending_cap;
    size_t writing; /* of these the first so many are being committed, until then */
    gm_time written_at;
    uint64_t acked, published, reloads, pruned; /* how often each invariant was looked at */
    uint64_t adopted;                           /* leases */
    uint64_t copies;                            /* of runs that took too long */
    uint64_t pairs;                             /* of these: told that both go on */
    bool hold_commits;                          /* nothing is committed: a slow disk */
    gm_time killed_at;                          /* told to stop; 0: not */
    uint32_t backups;                           /* asked for; a test answers */
    uint32_t tells;                             /* reports that are to be written again: the same */
    bool hold_publish;                          /* nothing is done in stores for the core */
    struct sim_op *ops[SIM_JOBS];               /* owned */
    size_t op_count;
    struct gm_hold hold;
    uint32_t retries;                                /* "task.retry" events */
    uint64_t sent_feeds, sent_cancels, sent_assigns; /* seen by the network */
    char order[65536]; /* "task@node task@node ..." in order of assignment */
    size_t order_size;
};

/* sim_shelf_io.c: a shelf of the core's for odd seeds, small blocks and none at hand, that now and
 * then has no room; the core of before had what lies there. */
struct gm_core_shelf sim_shelf_open(struct sim *sim);
void sim_shelf_close(struct sim *sim);

struct sim *sim_create(const struct sim_params *params);
void sim_destroy(struct sim *sim);
uint32_t sim_random(struct sim *sim, uint32_t below);
/* A pipeline of SIM_PLAIN. Returns the job, whose numbers may be changed before the first step. */
struct sim_job *sim_submit(struct sim *sim, const char *id, uint32_t chunks, uint32_t tracks,
                           int32_t priority);
struct sim_job *sim_submit_kind(struct sim *sim, const char *id, enum sim_kind kind,
                                uint32_t chunks, uint32_t tracks, uint32_t texts);
struct sim_job *sim_submit_plan_only(struct sim *sim, const char *id);
int sim_event(struct sim *sim, const struct gm_event *event, struct gm_err *err);
int sim_cancel(struct sim *sim, const char *id);
/* One step of 100 ms: tick, nodes, network, commits. */
void sim_step(struct sim *sim);
void sim_run(struct sim *sim, uint32_t seconds);
/* Until fn is true, at most so many virtual seconds; fails the test otherwise. */
void sim_until(struct sim *sim, bool (*fn)(struct sim *sim), uint32_t seconds);
bool sim_all_final(struct sim *sim);
void sim_restart(struct sim *sim);
bool sim_is_up(struct sim *sim);
/* Breaks nothing from now on, and repairs what is broken. */
void sim_calm(struct sim *sim);
bool sim_happens(struct sim *sim, uint32_t chance);
struct sim_job *sim_find_seq(struct sim *sim, uint64_t seq); /* 0: none */
struct sim_job *sim_find_job(struct sim *sim, const char *id);
/* Not yet, or not any more, where false. */
bool sim_knows(struct sim *sim, const char *id);
enum gm_job_state sim_state(struct sim *sim, const char *id);
struct gm_err sim_error(struct sim *sim, const char *id);
/* Fails the test unless a done job has all items, in place, and its package. */
void sim_check_done(struct sim *sim, const struct sim_job *job);

/* The last message that the last event made, or NULL; borrowed until the next commit. */
const Gm__Envelope *sim_last_send(const struct sim *sim);

/* sim_store_io.c */
/* All steps at once; their messages leave. */
void sim_commit(struct sim *sim);
/* The disk's turn: batches begin, end or fail. */
void sim_store_step(struct sim *sim);
/* Steps that are not committed are lost; the batch that is being written may be there. */
void sim_store_crash(struct sim *sim);
void sim_store_keep(struct sim *sim, struct gm_effects *fx); /* takes */
void sim_store_free(struct sim *sim);
struct sim_row *sim_row_find(struct sim *sim, const struct gm_key *key);
void sim_row_drop(struct sim *sim, struct sim_row *row);
/* The key of the result of `unit`, "job/task/instance", by the job's row; false: that is not there.
 */
bool sim_row_key(struct sim *sim, const char *unit, struct gm_key *out);

/* sim_net_io.c */
/* To the node where it is not NULL, else to the scheduler. */
void sim_net_send(struct sim *sim, struct sim_node *node, bool to_node,
                  const Gm__Envelope *envelope);
void sim_net_step(struct sim *sim);
void sim_net_free(struct sim *sim);
void sim_deliver(struct sim *sim, const struct gm_send *send);

/* sim_ledger_io.c: books of what the core says, beside its own. */
void sim_ledger_check(struct sim *sim, const struct gm_effects *fx);
/* The step is on disk. */
void sim_ledger_stored(struct sim *sim, const struct gm_effects *fx);
void sim_ledger_restart(struct sim *sim);
bool sim_ledger_lives(struct sim *sim, uint64_t epoch);
void sim_ledger_promise(struct sim *sim, const struct sim_node *node, const struct sim_task *task,
                        const Gm__Envelope *envelope, bool lie);
/* The Ack leaves: what it speaks of is on disk. */
void sim_ledger_acked(struct sim *sim, const char *node_id, const Gm__Ack *ack);
/* What the job publishes is on disk, whole. */
void sim_ledger_publish(struct sim *sim, const char *job_id);

/* sim_objects_io.c: the object stores. */
/* late: the lease that it was granted to is over. */
void sim_object_put(struct sim *sim, const struct sim_job *job, const Gm__Object *object,
                    bool late);
/* What the job publishes is there, as it was committed; and belongs to it from now on. */
void sim_objects_publish(struct sim *sim, const struct sim_job *job);
void sim_manifest_write(struct sim *sim, const struct sim_job *job, bool mpd);
/* Fails the test where a manifest that stands names it. */
void sim_object_delete(struct sim *sim, const struct sim_job *job, Gm__ObjectStore store,
                       const char *key);
/* At the end: what done jobs and manifests name is there, and no object is nobody's. */
void sim_objects_check(struct sim *sim);
void sim_objects_free(struct sim *sim);

/* sim_daemon_io.c: publishing and deleting, as the core asks for them. */
void sim_daemon_publish(struct sim *sim, const char *job_id);
void sim_daemon_clean(struct sim *sim, const char *job_id);
/* The core is told the end of it: nothing more is done. */
void sim_daemon_told(struct sim *sim, const char *job_id);
/* All of it in one step, and the core is not told. True: another job is why some stay. */
bool sim_daemon_clean_now(struct sim *sim, struct sim_job *job);
void sim_daemon_step(struct sim *sim);
void sim_daemon_crash(struct sim *sim); /* it stays as it is */

/* sim_reload_io.c: the rows, those too that are not on disk yet, make the same core again. */
void sim_reload_check(struct sim *sim);

/* sim_trace_io.c: a line an event, where sim->trace is set; and the digest. */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace_event(struct sim *sim, const struct gm_event *event, int rc);
void sim_trace_effects(struct sim *sim, const struct gm_effects *fx);
const char *sim_message_name(const Gm__Envelope *envelope);

/* sim_node_io.c */
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_kill(struct sim *sim, struct sim_node *node);
/* Without a word: its messages go too. While an object of it is stored it is still named. */
void sim_task_drop(struct sim_node *node, struct sim_task *task);
void sim_node_drop_all(struct sim_node *node);
void sim_node_offer_gpu(struct sim *sim, struct sim_node *node, uint32_t slots);
/* With facts: the chain nvenc of that fingerprint, "" for no chain; NULL: without facts. */
void sim_node_tell_gpu(struct sim *sim, struct sim_node *node, uint32_t slots, const char *chain);
/* The fingerprint of its software, where it tells one; returns out. */
char *sim_node_build(const struct sim_node *node, char out[32]);
/* Its workers are of that build from now on, and it says so; it has nothing to do. */
void sim_node_turn(struct sim *sim, struct sim_node *node, uint32_t build);
/* What turns by chance. */
void sim_build_step(struct sim *sim, struct sim_node *node);
/* Fails what another build was to do, and says again which one it is. */
bool sim_build_refuses(struct sim *sim, struct sim_node *node, struct sim_task *task);
/* All parts of its renditions are of one build, which is its chain's. */
void sim_build_check(struct sim *sim, const struct sim_job *job);
/* It tells what its devices share, and that is this. */
bool sim_node_shares(const struct sim *sim, const struct sim_node *node);
Gm__Capacity sim_node_whole(const struct sim *sim);
gm_time sim_node_clock(const struct sim *sim, const struct sim_node *node);
gm_time sim_lease_time(const struct sim *sim);
void sim_node_receive(struct sim *sim, struct sim_node *node, const Gm__Envelope *envelope);
void sim_send(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope);
/* Sends envelope, and again until it is acknowledged. */
void sim_send_reliably(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope);
bool sim_task_is(const struct sim_task *task, const char *type);
/* Items of the task were sent and not acknowledged yet. */
bool sim_node_waits_for_acks(const struct sim_node *node, const struct sim_task *task);
bool sim_is_track(const struct sim_task *task);
uint32_t sim_stream(const struct sim_task *task); /* of split, that a track is fed with */
void sim_task_fail(struct sim *sim, struct sim_node *node, struct sim_task *task, enum gm_code code,
                   int64_t native, int64_t chunk);
/* sim_node_step_io.c */
void sim_node_step(struct sim *sim, struct sim_node *node);
/* The task as its node names it in Hello; borrows from it. */
void sim_task_held(const struct sim_task *task, Gm__HeldLease *out);
/* Faults of its machine: it dies, is parted, stands still, is drained. */
void sim_node_faults(struct sim *sim, struct sim_node *node);
struct sim_task *sim_find_running(struct sim *sim, const char *task, struct sim_node **out_node);
/* sim_put_io.c */
/* task->stored says that it is there, now or later. */
void sim_put_start(struct sim *sim, struct sim_node *node, struct sim_task *task,
                   const Gm__Object *object);
void sim_put_step(struct sim *sim, struct sim_node *node, struct sim_task *task);
bool sim_put_any(const struct sim_node *node);
void sim_put_kill(struct sim *sim, struct sim_task *task); /* with its node */
/* sim_sessions_io.c */
/* Opens the task's encoders; true: its device refuses one, the task failed, the node offers less.
 */
bool sim_sessions_refuse(struct sim *sim, struct sim_node *node, struct sim_task *task);
void sim_sessions_step(struct sim *sim, struct sim_node *node);
/* What is assigned goes into the sessions that its device offers. */
void sim_sessions_check(struct sim *sim, const struct gm_effects *fx);
/* sim_work_io.c: one step of the task's work. */
void sim_task_work(struct sim *sim, struct sim_node *node, struct sim_task *task);

#endif
