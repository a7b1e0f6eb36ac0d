#ifndef GM_TESTS_SIM_SIM_IO_H
#define GM_TESTS_SIM_SIM_IO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/view.h"

/* A farm in virtual time: the real core, a store of rows with delayed commits, a lossy network and
 * nodes that do made-up work and check what they are told. Everything follows from the seed.
 * gm_core_check runs after every event; a broken rule fails the cmocka test.
 */
#define SIM_NODES 8
#define SIM_TASKS 8 /* a node */
#define SIM_JOBS 64

struct sim_params { /* 0: never; chances in 1/10,000 a 100 ms step (messages: a message) */
    uint32_t seed;
    uint32_t nodes;
    uint32_t slots;          /* a node; 0: 1 */
    uint32_t lease_ms;       /* 0: the core's default */
    uint32_t device_wait_ms; /* the same */
    uint32_t max_attempts;
    uint32_t loss;       /* a message vanishes */
    uint32_t twice;      /* a message to the scheduler comes twice */
    uint32_t task_fails; /* with a random code that is worth another try */
    uint32_t task_hangs;
    uint32_t node_dies;   /* comes back later as a new instance */
    uint32_t node_parted; /* unreachable for a while */
    uint32_t restart;     /* the scheduler loses what is not committed */
    uint32_t publish_fails;
    enum gm_code publish_code; /* with which; 0: STORE */
    uint32_t clean_fails;      /* the same for deleting */
    bool manifests;            /* a failed publishing may have left one */
    uint32_t gpus; /* nodes below this number have the device "gpu" too, which offers nvenc */
    uint64_t
        rates[SIM_NODES]; /* of each node's cpu: pixels a second of one slot; 0: not measured */
    uint32_t sessions;    /* encoders at once that a gpu's driver really gives; 0: any number */
    uint32_t ladder;      /* rungs of pipelines, up to 4, which all sources fill; 0: not told */
    const char *fallback; /* of pipelines; NULL: none is said */
    const char *device;   /* the one that pipelines list; NULL: none is listed */
};

enum sim_kind {
    SIM_PLAIN,    /* inspect plan split video audio images mp4 hls */
    SIM_BARRIERS, /* and analyze before video, loud before audio, subs */
    SIM_SOUND     /* inspect plan split loud audio subs hls: no video */
};
struct sim_job {
    char id[32];
    enum sim_kind kind;
    uint32_t chunks, tracks, texts, mp4s, preroll; /* a chunk lasts 6 s */
    uint32_t renditions;                           /* 1..8; 0: 2 */
    bool sized;                                    /* inspect tells how large pictures are */
    int64_t keyframe_us;                           /* as inspected; 0: not known */
    int64_t poison;                                /* chunk that kills every worker; -1 none */
    uint32_t poison_nodes;                         /* ... on nodes below this number; 0: all */
    enum gm_code inspect_fails;                    /* this code, on every attempt */
    enum gm_code gpu_plan_fails, gpu_encode_fails; /* the same, of what runs on a gpu */
    char chain[16];                                /* that the last plan was made for */
    uint32_t plans;
    bool cancelled;
    uint32_t published, cleaned; /* times */
};

struct sim_task {
    Gm__Assign *assign; /* owned */
    struct sim_job *job;
    Gm__TaskInput **inputs; /* owned */
    size_t input_count, input_cap;
    bool complete;
    uint32_t position; /* of the next item */
    bool grant_asked, granted, finished, hung;
    bool opened; /* its encoders */
    uint64_t request;
    gm_time asked_at, renewed_at;
    uint64_t progress;
};
struct sim_node {
    char id[16];
    uint32_t number;
    uint64_t instance, term;
    bool alive, parted, welcomed, drained;
    gm_time back_at, hello_at, renew_at, resend_at;
    uint64_t seq, request;
    struct sim_task tasks[SIM_TASKS];
    Gm__Envelope **outbox; /* owned; until acknowledged */
    size_t outbox_count, outbox_cap;
    uint32_t assigned; /* assignments taken, ever */
    uint32_t slots;    /* of its gpu, as it was last offered */
    uint32_t limit;    /* sessions of its gpu that it offers; 0: no limit is known */
    gm_time grow_at;   /* the limit; 0: it stays */
};
struct sim_row {
    enum gm_row_kind kind;
    char *key;
    uint8_t *data;
    size_t size;
};
struct sim {
    struct sim_params params;
    uint64_t random;
    bool lossy; /* messages or nodes may vanish: the two sides can disagree for a while */
    struct gm_core *core;
    uint64_t term;
    gm_time now;
    uint64_t events;
    uint64_t leases; /* that began and were not told to have ended */
    struct sim_node nodes[SIM_NODES];
    struct sim_job jobs[SIM_JOBS];
    uint32_t job_count;
    struct sim_row *rows; /* committed */
    size_t row_count, row_cap;
    struct gm_effects *pending; /* steps not committed yet */
    size_t pending_count, pending_cap;
    bool hold_commits; /* nothing is committed: a slow disk */
    bool hold_publish; /* publish effects are not answered */
    uint32_t queued_publish, queued_cleanup;
    char *publish_queue[SIM_JOBS * 4];
    char *cleanup_queue[SIM_JOBS * 4];
    uint32_t retries;                                /* "task.retry" events */
    uint64_t sent_feeds, sent_cancels, sent_assigns; /* seen by the network */
    char order[65536]; /* "task@node task@node ..." in order of assignment */
    size_t order_size;
};

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
void sim_commit(struct sim *sim);
enum gm_job_state sim_state(struct sim *sim, const char *id);
struct gm_err sim_error(struct sim *sim, const char *id);
/* Fails the test unless a done job has all items, in place, and its package. */
void sim_check_done(struct sim *sim, const struct sim_job *job);

/* The last message that the last event made, or NULL; borrowed until the next commit. */
const Gm__Envelope *sim_last_send(const struct sim *sim);

/* sim_node_io.c */
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_kill(struct sim *sim, struct sim_node *node);
void sim_node_offer_gpu(struct sim *sim, struct sim_node *node, uint32_t slots);
/* With facts: the chain nvenc of that fingerprint, "" for no chain; NULL: without facts. */
void sim_node_tell_gpu(struct sim *sim, struct sim_node *node, uint32_t slots, const char *chain);
void sim_node_step(struct sim *sim, struct sim_node *node);
void sim_node_receive(struct sim *sim, struct sim_node *node, const Gm__Envelope *envelope);
void sim_send(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope);
struct sim_task *sim_find_running(struct sim *sim, const char *task, struct sim_node **out_node);
/* Sends envelope, and again until it is acknowledged. */
void sim_send_reliably(struct sim *sim, struct sim_node *node, Gm__Envelope *envelope);
bool sim_task_is(const struct sim_task *task, const char *type);
bool sim_is_track(const struct sim_task *task);
uint32_t sim_stream(const struct sim_task *task); /* of split, that a track is fed with */
void sim_task_fail(struct sim *sim, struct sim_node *node, struct sim_task *task, enum gm_code code,
                   int64_t native, int64_t chunk);
/* sim_sessions_io.c */
/* Opens the task's encoders; true: its device refuses one, the task failed, the node offers less.
 */
bool sim_sessions_refuse(struct sim *sim, struct sim_node *node, struct sim_task *task);
void sim_sessions_step(struct sim *sim, struct sim_node *node);
/* The end of each lease is told once. */
void sim_leases_check(struct sim *sim, const struct gm_effects *fx);
/* What is assigned goes into the sessions that its device offers. */
void sim_sessions_check(struct sim *sim, const struct gm_effects *fx);
/* sim_work_io.c: one step of the task's work. */
void sim_task_work(struct sim *sim, struct sim_node *node, struct sim_task *task);

#endif
