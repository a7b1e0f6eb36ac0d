#ifndef GM_NODE_AGENT_STATE_H
#define GM_NODE_AGENT_STATE_H

#include <uv.h>

#include "common/loop.h"
#include "common/time.h"
#include "node/agent.h"
#include "node/busy.h"
#include "node/devices/chains.h"
#include "node/devices/decoding.h"
#include "node/inputs.h"
#include "node/outfile.h"
#include "node/slot.h"
#include "node/transfer/upload.h"
#include "wire.pb-c.h"

/* What the agent_*.c files share; nobody else but their tests includes this. All of it belongs to
 * the loop's thread; thread-pool jobs see only their own struct.
 *
 *   agent.c         life, signals, the tick
 *   agent_link.c    socket, Hello .. Welcome, what is sent until acknowledged
 *   agent_beat.c    heartbeats: Renew, and its answers
 *   agent_offer.c   what the scheduler is told of the devices: Hello's part, and Offer
 *   agent_device.c  devices: proofs, slots, quarantine
 *   agent_room.c    devices that are full: what they take until memory is free again
 *   agent_assist.c  devices that decode: for tasks of the processors, VA drivers for their own too
 *   agent_handle.c  messages of the scheduler
 *   agent_build.c   what the workers' software is, and turning to another one
 *   agent_worker.c  slots and the messages of their workers
 *   agent_task.c    a task from Assign to its last acknowledgement
 *   agent_item.c    what a worker announced: open, hash, verify, store
 *   agent_grant.c   asks for leave to store it
 *   agent_prepare.c what stores want to know of files, and uploads in parts that are begun
 *   agent_put.c     its files on their way into the store
 *   agent_send.c    of them those that go by URL
 *   agent_verify.c  the verifier's queue
 *   agent_open.c    objects that workers ask for
 *   agent_fetch.c   of them those that come by URL
 *   agent_window.c  sources that are read through a window
 *   agent_parts.c   URLs of the parts that uploads lie in
 *   agent_scratch.c folders of the slots
 *   agent_job.c     work on libuv's thread pool, and who waits for it too long
 *
 * Memory: a task is freed when it is over and no job holds it (refs); an item likewise (busy). Jobs
 * are part of what they are for.
 */
struct gm_task;
struct gm_item;
struct gm_open;

enum gm_link_state { GM_LINK_DOWN, GM_LINK_HELLO, GM_LINK_UP };

enum gm_agent_device_state {
    GM_AGENT_LISTED,      /* takes no tasks */
    GM_AGENT_PROVING,     /* its first proof is not done: takes no tasks yet */
    GM_AGENT_OFFERED,     /* takes tasks */
    GM_AGENT_QUARANTINED, /* failed at a task or proof: takes none until its proof passes */
};

/* Of the codecs that it had proofs may pass in part, where it comes back while it is proved: the
 * rest is proved again. */
struct gm_agent_rest {
    size_t most;    /* codecs that it had at once */
    uint32_t times; /* proofs in a row that passed for fewer */
};

/* A device as the decoder of tasks that are the cpu's, and a VA driver's as that of its own. */
struct gm_agent_assist {
    uint32_t most;    /* tasks at once; 0: it is not wanted for that */
    uint32_t allowed; /* at present: it was full */
    uint32_t full;    /* how often in a row */
    gm_time grow_at;
    bool judged;        /* its first proof is at its end */
    size_t codec_count; /* proved; 0: it decodes for nobody */
    struct gm_agent_rest rest;
    char codecs[GM_DECODING_CODECS][16];
    char why[256];     /* it decodes for nobody until its proof passes; "": it does, or may not */
    uint32_t failures; /* in a row */
};

#define GM_BUILD_MAX 401                 /* WReady.build: proto/check.c */
#define GM_AGENT_SESSIONS_ANY UINT32_MAX /* no limit is known */

/* The first one is the cpu, which is always OFFERED. */
struct gm_agent_device {
    struct gm_device *found; /* borrowed from agent->found; NULL: a cpu that nobody looked at */
    bool is_cpu;
    enum gm_agent_device_state state;
    uint32_t first_slot, slot_count;
    struct gm_device_chain chains[GM_DEVICE_CHAINS]; /* those that may be offered */
    size_t chain_count;
    struct gm_agent_rest rest; /* of the chains' codecs */
    char why[256];             /* LISTED, QUARANTINED */
    uint32_t failures;         /* in a row, since a task of it was done */
    bool distrusted; /* it failed at work since: what was proved before counts for nothing */
    bool forget_due; /* its proofs in the file */
    bool prove_due;
    gm_time prove_at;
    uint64_t prove_asked;  /* number of the scheduler's last Prove; 0: there was none */
    uint64_t prove_passed; /* of the last one after which its proof passed */
    uint32_t allowed;      /* slots that it takes no more than at present: its memory was full */
    uint32_t full;         /* how often in a row */
    gm_time grow_at;
    uint32_t sessions;       /* of encoders at once, at present; GM_AGENT_SESSIONS_ANY */
    uint32_t sessions_full;  /* how often in a row one was refused */
    uint64_t sessions_asked; /* so many were too many when that was last */
    uint64_t sessions_most;  /* all slots can't take more, for all that was refused */
    gm_time sessions_grow_at;
    struct gm_agent_assist assist;
    bool dirty; /* the scheduler was not told how it is */
    uint32_t offered_slots, offered_sessions;
    uint64_t offered_memory, offered_scratch;
};

struct gm_agent_slot {
    struct gm_agent *agent;         /* borrowed */
    struct gm_agent_device *device; /* borrowed; NULL: the verifier */
    uint32_t index;                 /* agent->slot_count: the verifier */
    struct gm_slot *process;        /* owned; NULL: its device does not take tasks */
    struct gm_agent_device *gpu;    /* of the cpu: what its next process may decode with; or NULL */
    bool restart_due;               /* what runs was started before gpu was set */
    char *scratch;                  /* owned */
    struct gm_task *task;           /* borrowed; NULL: free. Never set for the verifier */
    struct gm_window_reader *reader; /* owned: of its task's source; NULL: it reads no window */
    bool reading;                    /* task->fetching counts what reader waits for */
    uint64_t parts_from;             /* number of the first request for parts that is reader's */
    uint64_t parts_again;     /* number of the next one while all are repeated; 0: they are not */
    gm_time parts_due;        /* they are repeated then */
    bool hung;                /* it was killed for that, and is not gone yet */
    bool stuck;               /* it was killed, and does not end: takes nothing */
    bool seen;                /* it was ready, or failed, once */
    bool broken;              /* several starts failed in a row */
    bool foreign;             /* its worker is of another build than the node's: takes nothing */
    char build[GM_BUILD_MAX]; /* of the last worker that was ready */
    bool fell;                /* the last that failed was ready: being so says nothing */
    gm_time ready_at;
};

/* A message that is sent again until the scheduler acknowledges it. */
struct gm_outgoing {
    struct gm_outgoing *next;
    uint64_t seq, task_id, epoch;
    bool is_item, is_done;
    uint32_t stream, index; /* of an item */
    uint8_t *data;          /* owned: packed Envelope */
    size_t size;
    gm_time sent; /* 0: not yet */
};

/* Work for the pool. Who starts it sets the first part, on_late or task perhaps to NULL. */
struct gm_job {
    void (*run)(void *arg);   /* on the pool, unless it is cancelled before */
    void (*after)(void *arg); /* in the loop, always: the job may go then */
    /* In the loop, once: for gm_agent_store_stall nothing of it moved, or, if it has not begun,
     * nothing on any thread; nobody should wait for it any more. It goes on; after follows when it
     * ends. */
    void (*on_late)(void *arg, struct gm_err *why);
    void *arg;
    struct gm_task *task; /* borrowed: it is for that one, and holds it somehow */
    bool is_put;

    struct gm_job *next;
    struct gm_agent *agent; /* borrowed */
    uv_work_t work;
    gm_time since; /* something of it last moved: atomic */
    bool begun;    /* it has a thread: atomic */
    bool queued;   /* after is still to come */
    bool late, cancelled;
};

/* What Renew tells for metrics, since the start. */
struct gm_agent_counts {
    uint64_t cache_hits, cache_misses;
    uint64_t cache_bytes; /* when the cache was last changed; atomic: the pool sets it */
    uint64_t read_bytes, fetched_bytes, written_bytes;
};

#define GM_SCOUTS 8 /* endpoints that are looked at together */
struct gm_scout {   /* all-zero: none; agent_scout.c */
    void *sock;     /* owned */
    void *monitor;  /* owned, of sock */
    struct gm_zwatch *watch;
    size_t endpoint;
    bool found;
};

struct gm_agent {
    struct gm_agent_params params;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t sigterm, sigint;
    bool stopping;
    const struct gm_err *failure; /* borrowed: it failed to start; NULL: it did not */
    const char *farewell;         /* Goodbye's reason, to be said when nothing is put; NULL: none */
    bool left;                    /* that was said, or there was nobody to hear it */
    gm_time leave_by;             /* of one that stops: it ends then, whatever hangs */

    void *zmq;
    void *sock;
    struct gm_zwatch *watch;
    void *monitor; /* of sock */
    struct gm_zwatch *monitor_watch;
    uint64_t monitors; /* so far */
    bool key_told;     /* that keys are not agreed on was logged */
    struct gm_scout scout[GM_SCOUTS];
    bool scouts; /* they are on their way */
    bool shaken; /* sock's handshake succeeded: a process is there */
    enum gm_link_state link;
    size_t endpoint; /* index of the next to try */
    bool hello_sent;
    uint32_t link_failures; /* in a row */
    gm_time link_at;        /* DOWN: try again; HELLO: give up */
    gm_time heard;          /* last message of the scheduler */
    gm_time renew_due;      /* with work; 0: at once */
    gm_time renewed, asked; /* last Renew; the first since an answer; 0: none */
    int64_t clock;      /* the scheduler's wall clock less our gm_time_boot, ms; 0: it was not told;
                           the pool reads it: atomic */
    bool clocks_differ; /* by much: it is logged */
    gm_time renew_asked;           /* by gm_time_boot: oldest Renew without an answer; 0: none */
    uint64_t renew_number, renews; /* of that one; of the last one */
    uint64_t instance, term;
    uint32_t lease_ms, heartbeat_ms, stall_ms;
    uint32_t idle_ms; /* between Renews of a node without work; at least heartbeat_ms */
    bool draining;
    bool signalled;
    bool restarting;  /* the scheduler wants it to start anew: it ends when it has nothing to do */
    gm_time stop_by;  /* SIGTERM came: it ends when it has nothing to do, then at latest; 0: not */
    bool announced;   /* on_ready was called */
    bool build_known; /* a worker was ready: */
    char build[GM_BUILD_MAX]; /* the one that its processors offer, and all slots but foreign ones
                                 have */

    struct gm_agent_slot *slots; /* slot_count + 1: the cpu's, the devices', the verifier */
    uint32_t slot_count;
    struct gm_device_list found;     /* owned copy: what is known of the devices now */
    struct gm_agent_device *devices; /* owned; at least the cpu */
    size_t device_count;
    bool proving;   /* a proof or a forgetting is with the pool */
    int prove_stop; /* the pool reads it: atomic */
    char *notes[8]; /* owned */
    size_t note_count;
    uint64_t scratch_whole;
    uint64_t left_count; /* folders that were cleared away */
    gm_time offer_check;

    struct gm_agent_counts counts;
    struct gm_task *tasks;
    struct gm_outgoing *outbox, **outbox_end;
    bool batches; /* the scheduler reads them */
    uint64_t seq, request;
    struct gm_item *verify_first, *verify_last; /* waiting */
    struct gm_item *verifying;                  /* at the verifier; NULL: idle */
    gm_time verify_life;
    struct gm_transfers *transfers; /* owned; NULL: it has left, or not begun */
    struct gm_item *sending;        /* items whose files are on their way by URL */
    struct gm_windows *windows;     /* owned; NULL: no source was on a server yet */
    uint64_t parts_asked;           /* requests for URLs of parts */
    struct gm_transfers *sources;   /* owned, the windows' own; NULL: likewise */
    struct gm_open *opens;          /* all, waiting or running */
    struct gm_job *jobs;            /* all, waiting or running */
    uint32_t threads;               /* of the pool */
    gm_time thread_free;            /* one was, or something moved on one, then */
    bool threads_held;              /* that is too long ago: no slots are offered */
    uint64_t verify_scratch;
};

enum gm_task_state {
    GM_TASK_WAITING, /* its worker is not ready */
    GM_TASK_RUNNING, /* the worker is at it */
    GM_TASK_STORING, /* the worker has ended with it; outputs are being stored */
    GM_TASK_ENDED,   /* Done or Failed is on its way */
    GM_TASK_DROPPED, /* nobody wants it any more; jobs still hold it, and the lease while it is put
                      */
};

struct gm_task {
    struct gm_task *next;
    struct gm_agent *agent; /* borrowed */
    uint64_t id, term, epoch;
    enum gm_task_state state;
    Gm__Assign *assign; /* owned */
    Gm__TaskSpec *spec; /* borrowed from assign */
    struct gm_inputs inputs;
    bool inputs_complete;
    struct gm_agent_slot *slot;  /* NULL: none (refused, dropped) */
    struct gm_agent_device *gpu; /* decodes for it; NULL: none, or none any more */
    int folder;                  /* owned; -1 */
    char *path;                  /* owned: the folder; NULL until made */
    gm_time deadline;            /* of the lease, by gm_time_boot; the pool reads it: atomic */
    gm_time assigned;
    int64_t assigned_unix_ms;
    gm_time life; /* last sign of life of its worker */
    uint64_t progress, frames_done, frames_total, told_done;
    gm_time told;
    uint64_t bytes_in, bytes_out;
    struct gm_busy fetching, storing;
    int source_fd;                /* owned; -1: no worker of it opened the source */
    uint64_t source_changed;      /* when it was opened: ns since 1970 */
    struct gm_item *first, *last; /* announced, in order; the end of the task is the last */
    uint32_t unacked;             /* items on their way */
    int refs;                     /* jobs and items that hold it */
};

enum gm_item_kind { GM_ITEM_PIECE, GM_ITEM_DONE, GM_ITEM_FAILED };
enum gm_item_state {
    GM_ITEM_READING, /* files are opened and hashed, the source is looked at again */
    GM_ITEM_VERIFY,
    GM_ITEM_GRANT,   /* a GrantRequest is out, or waits for its time */
    GM_ITEM_PREPARE, /* its grants asked for more, which is reckoned or begun */
    GM_ITEM_PUT,
    GM_ITEM_READY, /* in its store: may be told */
};

struct gm_item_file {
    char *name; /* owned */
    char *path; /* owned: below the publication, or the work folder */
    Gm__ObjectStore store;
    struct gm_outfile file;   /* fd -1 until opened */
    struct gm_item *item;     /* borrowed: whose it is */
    Gm__Grant *grant;         /* owned; NULL: it has none */
    bool stored;              /* it is in its store */
    bool unsure;              /* it may be there by and by, though it failed */
    bool was_sent;            /* by URL */
    bool wants_md5, has_md5;  /* its store wants one; md5 is it, of the whole file */
    uint8_t md5[GM_MD5_SIZE]; /* what Content-MD5 says */
    struct gm_parts *parts;   /* owned; NULL: it goes whole */
    struct gm_upload *upload; /* owned: it is on its way, or begins to be */
};

struct gm_item {
    struct gm_item *next;        /* in the task */
    struct gm_item *verify_next; /* in the verifier's queue */
    struct gm_task *task;        /* holds a ref */
    struct gm_job job;           /* that reads or puts it */
    enum gm_item_kind kind;
    enum gm_item_state state;
    bool busy;    /* a job or the verifier has it */
    bool dropped; /* to be freed when no longer busy; the pool reads it: atomic */
    uint32_t stream, index;
    bool is_last;
    struct gm_item_file *files; /* owned */
    size_t file_count;
    struct gm_item *next_sent; /* in agent->sending */
    gm_time unsure;            /* so long something of it may yet be stored; by gm_time_boot */
    bool sent;                 /* it is there: its files go to stores by URL */
    uint32_t uploads;          /* of its files, under way */
    uint32_t rounds;           /* how often files were prepared since one was stored */
    char *meta_file;
    uint8_t *meta; /* owned */
    size_t meta_size;
    Gm__WDone *done; /* owned; DONE */
    Gm__Usage usage;
    int64_t chunk;     /* FAILED */
    struct gm_err err; /* FAILED, or what a job met */
    int source_fd;     /* borrowed from the task: what was read for it; -1: none */
    uint64_t source_opened;
    bool source_changed;  /* since then */
    uint64_t request;     /* of the grant */
    gm_time request_sent; /* 0: to be sent */
    gm_time not_before;   /* the next try of what failed */
    uint32_t tries;
    uint32_t late_grants; /* whose time was over, since a part was stored */
    size_t parts_there;   /* of its files, when the last of them was */
    uint32_t denials;     /* of URLs whose time is not over by our clock */
};

/* --- agent.c */
gm_time gm_agent_backoff(uint32_t tries); /* jittered: about 0.1 s doubling to 5 s */
/* --- agent_job.c */
void gm_job_start(struct gm_agent *agent, struct gm_job *job);
void gm_job_moved(struct gm_job *job); /* any thread */
/* One that has not begun never does: its after follows soon. No-op for any other. */
void gm_job_cancel(struct gm_job *job);
void gm_agent_jobs_watch(struct gm_agent *agent, gm_time now);
uint32_t gm_agent_threads(void);
void gm_agent_remove_folder(struct gm_agent *agent, const char *path); /* rm -rf on the pool */
/* close(2) on the pool: of a store's file it may wait for the store. fd: owned; -1: no-op. */
void gm_agent_close_file(struct gm_agent *agent, int fd);
/* --- agent_scratch.c */
/* The slot's process has ended: the next finds its folder as new. What its task stores stays. */
void gm_agent_scratch_renew(struct gm_agent_slot *slot);
/* --- agent_link.c */
void gm_link_tick(struct gm_agent *agent, gm_time now);
void gm_link_close(struct gm_agent *agent, int linger_ms);
void gm_link_mute(struct gm_agent *agent); /* nothing is taken any more; Goodbye may be sent */
bool gm_link_send(struct gm_agent *agent, Gm__Envelope *env); /* false: not sent */
void gm_link_retry(struct gm_agent *agent, gm_time pause);    /* to the next endpoint */
void gm_link_hello_again(struct gm_agent *agent);
/* Packs env, gives it a seq and sends it until it is acknowledged. */
int gm_link_post(struct gm_agent *agent, struct gm_task *task, Gm__Envelope *env,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_link_flush(struct gm_agent *agent, bool all); /* what was not sent, or all, again */
/* Takes the entry out; owned by the caller, gm_outgoing_free. NULL: unknown. */
struct gm_outgoing *gm_link_take(struct gm_agent *agent, uint64_t seq);
void gm_link_drop_task(struct gm_agent *agent, uint64_t task_id, uint64_t epoch);
void gm_outgoing_free(struct gm_outgoing *out);
/* The scheduler's process is gone, or nobody listens: goes on to the next endpoint. */
void gm_link_lost(struct gm_agent *agent);
/* --- agent_watch.c */
/* Tells gm_link_lost, and logs why keys are not agreed on. gm_watch_stop in any case, before sock
 * is closed. */
int gm_watch_start(struct gm_agent *agent, void *sock, struct gm_err *err) GM_MUST_CHECK;
void gm_watch_stop(struct gm_agent *agent, void *sock);
/* A DEALER with this node's options and keys, not connected; owned. */
int gm_link_socket(struct gm_agent *agent, void **out, struct gm_err *err) GM_MUST_CHECK;
/* --- agent_scout.c */
/* Looks at all other endpoints for a scheduler that leads. No-op while it does. */
void gm_scout_start(struct gm_agent *agent);
/* One was found: its index in params.endpoints. */
bool gm_scout_found(const struct gm_agent *agent, size_t *out_endpoint);
void gm_scout_stop(struct gm_agent *agent);
/* --- agent_beat.c */
/* Welcome came: nothing is waited for, the first Renew is due. */
void gm_beat_start(struct gm_agent *agent);
/* How long a node without work may wait between Renews, by Welcome and Renewed; 0: not told. */
void gm_beat_told(struct gm_agent *agent, uint32_t idle_ms);
/* Before a task is taken: its lease is named within a heartbeat. */
void gm_beat_work(struct gm_agent *agent);
bool gm_beat_is_due(const struct gm_agent *agent, gm_time now);
void gm_beat_send(struct gm_agent *agent, gm_time now);
/* The cache holds more than it did, or less: what it holds is looked at. Thread: any, but it may
 * wait for its disk. */
void gm_beat_cache(struct gm_agent *agent);
/* For how long nothing was heard of a scheduler that was to answer, a heartbeat of which is what it
 * may take; 0: it was not asked. */
gm_time gm_beat_silence(const struct gm_agent *agent, gm_time now);
/* Renewed came, for that Renew (0: not told). When the oldest one that it answers was sent, by
 * gm_time_boot, from where leases count; 0: it answers none. */
gm_time gm_beat_answered(struct gm_agent *agent, uint64_t number);
/* --- agent_offer.c */
/* Offers of devices whose usable capacity or facts changed; of all: always. */
void gm_link_offer(struct gm_agent *agent, bool always);
/* Devices as Hello lists them. *out owned: gm_agent_facts_free. Errors: NOMEM. */
struct gm_agent_facts;
int gm_agent_facts_make(const struct gm_agent *agent, Gm__Device ***out_list, size_t *out_count,
                        struct gm_agent_facts **out, struct gm_err *err) GM_MUST_CHECK;
void gm_agent_facts_free(struct gm_agent_facts *facts);
/* --- agent_device.c */
int gm_agent_devices_open(struct gm_agent *agent, struct gm_err *err) GM_MUST_CHECK;
void gm_agent_devices_start(struct gm_agent *agent);         /* after the slots were opened */
bool gm_agent_devices_proving(const struct gm_agent *agent); /* first proofs are not at their end */
void gm_agent_devices_fini(struct gm_agent *agent);
/* NULL: there is none. */
struct gm_agent_device *gm_agent_device_find(struct gm_agent *agent, const char *id);
const char *gm_agent_device_id(const struct gm_agent_device *device);
/* The task, which had a slot of the device or was decoded for there, ended so. */
void gm_agent_device_failed(struct gm_agent *agent, struct gm_agent_device *device,
                            const struct gm_task *task, const struct gm_err *why);
void gm_agent_device_prove(struct gm_agent *agent, const Gm__Prove *prove);
/* All of them are to be proved again, by what is installed now. */
void gm_agent_devices_renew(struct gm_agent *agent);
void gm_agent_device_worked(struct gm_agent *agent, struct gm_agent_device *device);
/* A slot of it is free again. */
void gm_agent_device_released(struct gm_agent_slot *slot);
void gm_agent_devices_tick(struct gm_agent *agent, gm_time now);
/* Of what failed so often in a row. */
gm_time gm_agent_device_pause(const struct gm_agent *agent, uint32_t times);
/* Its proof is due after that pause, which is returned, or before, where it was; one in quarantine
 * has a pause of its own. */
gm_time gm_agent_device_prove_later(struct gm_agent *agent, struct gm_agent_device *device,
                                    uint32_t times);
/* It passed for so many codecs. */
void gm_agent_device_prove_rest(struct gm_agent *agent, struct gm_agent_device *device,
                                size_t codecs, struct gm_agent_rest *rest);
/* It failed so at work: what was proved counts for nothing, the file's proofs are to go. text: what
 * is said of it. */
void gm_agent_device_distrust(struct gm_agent *agent, struct gm_agent_device *device,
                              const struct gm_err *why, char text[256]);
/* --- agent_room.c */
void gm_agent_room_reset(struct gm_agent_device *device); /* it takes all */
void gm_agent_room_memory(struct gm_agent *agent, struct gm_agent_device *device);
/* The task, on a slot of it, was refused an encoder session. */
void gm_agent_room_busy(struct gm_agent *agent, struct gm_agent_device *device,
                        const struct gm_task *task);
void gm_agent_room_worked(const struct gm_agent *agent, struct gm_agent_device *device);
bool gm_agent_room_tick(const struct gm_agent *agent, struct gm_agent_device *device,
                        gm_time now);                               /* true: it takes more */
uint32_t gm_agent_room_slots(const struct gm_agent_device *device); /* at most */
/* --- agent_assist.c */
void gm_agent_assist_open(const struct gm_agent *agent, struct gm_agent_device *device);
/* Its proofs are what they are. */
void gm_agent_assist_judge(struct gm_agent *agent, struct gm_agent_device *device);
/* It is in quarantine for its own work. */
void gm_agent_assist_stop(struct gm_agent *agent, struct gm_agent_device *device);
void gm_agent_assist_drop_proofs(struct gm_agent_device *device); /* of its decoder */
/* The task starts: sets task->gpu where one may decode for it. */
void gm_agent_assist_take(struct gm_task *task);
/* How fit a free slot is for the task: more is better. */
int gm_agent_assist_fits(const struct gm_agent_slot *slot, const Gm__TaskSpec *spec);
/* task->gpu failed so, or its worker died or hung; no-op without. */
void gm_agent_assist_failed(struct gm_task *task, const struct gm_err *why);
void gm_agent_assist_worked(struct gm_task *task); /* it is done */
/* The slot's process did not get ready. */
void gm_agent_assist_not_ready(struct gm_agent_slot *slot, const struct gm_err *why);
/* Starts the slot's process anew if that is due and it is free. */
void gm_agent_assist_settle(struct gm_agent_slot *slot);
/* Slots of the processors that it decodes for. */
uint32_t gm_agent_assist_slots(const struct gm_agent *agent, const struct gm_agent_device *device);
/* Slots of its own whose tasks may decode with it, too. */
uint32_t gm_agent_assist_own(const struct gm_agent_device *d);
bool gm_agent_assist_tick(struct gm_agent *agent, gm_time now); /* true: something changed */
/* --- agent_handle.c */
void gm_agent_handle(struct gm_agent *agent, Gm__Envelope *env); /* takes env */
/* --- agent_build.c */
/* Its worker says its build. The first one's is the node's. */
void gm_agent_build_ready(struct gm_agent_slot *slot, const char *build);
/* With nothing to do, and workers of another build: that is the node's from now on. */
void gm_agent_build_turn(struct gm_agent *agent);
bool gm_agent_build_turns(const struct gm_agent *agent); /* it takes nothing for that */
/* A slot of the device (NULL: has none) takes nothing, as its worker is of another build. */
bool gm_agent_build_has_foreign(const struct gm_agent *agent, const struct gm_agent_device *device);
void gm_agent_build_tell(struct gm_agent *agent); /* once more: the scheduler asked for another */
/* Its worker is of the build that was asked for. */
bool gm_agent_build_makes(const struct gm_task *task);

/* --- agent_worker.c */
/* What ties a worker to the GPU; NULL: to none. Borrowed from gpu. */
struct gm_slot_device gm_agent_tie(const struct gm_device *gpu);
int gm_agent_slots_open(struct gm_agent *agent, struct gm_err *err) GM_MUST_CHECK;
void gm_agent_slots_close(struct gm_agent *agent);
bool gm_agent_slots_seen(const struct gm_agent *agent);
uint32_t gm_agent_slots_usable(const struct gm_agent *agent, const struct gm_agent_device *device);
/* Starts the processes of a device's slots; no-op for those that run. */
int gm_agent_slots_start(struct gm_agent *agent, const struct gm_agent_device *device,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_agent_check_ready(struct gm_agent *agent);
/* Slots whose processes died idle are used again when one has lived for a while; those whose
 * processes do not end, when they do. */
void gm_agent_slots_tick(struct gm_agent *agent, gm_time now);
/* The task is dropped: if its worker hangs, that is told to what decodes for it, and idle workers
 * are replaced as when the agent itself finds it. */
void gm_agent_blame_quiet(struct gm_task *task);
void gm_agent_watch(struct gm_agent *agent, gm_time now); /* kills what hangs */
/* What a store, or whatever else is waited for, may take without a sign of life. */
gm_time gm_agent_store_stall(const struct gm_agent *agent);
/* --- agent_task.c */
struct gm_task *gm_task_find(struct gm_agent *agent, uint64_t id, uint64_t epoch);
void gm_task_assign(struct gm_agent *agent, Gm__Assign *assign); /* takes assign */
void gm_task_feed(struct gm_task *task, Gm__Feed *feed);         /* takes feed */
void gm_task_start(struct gm_task *task);                        /* its slot is ready */
void gm_task_alive(struct gm_task *task);                        /* a sign of life */
/* It failed so: its device hears of that. */
void gm_task_blame(struct gm_task *task, const struct gm_err *why, int64_t chunk);
/* The worker or the agent failed at it: told after what was announced before. why is kept. */
void gm_task_end_failed(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                        const Gm__Usage *usage);
/* An output failed: what is not yet told is given up, the worker is killed if it runs. */
void gm_task_fail(struct gm_task *task, const struct gm_err *why, int64_t chunk);
void gm_task_drop(struct gm_task *task, const char *reason); /* nobody wants it any more */
void gm_task_emit(struct gm_task *task);                     /* tells what is ready, in order */
void gm_task_acked(struct gm_task *task, const struct gm_outgoing *out);
void gm_task_finished(struct gm_task *task, bool done); /* its end was acknowledged */
void gm_task_tick(struct gm_task *task, gm_time now);
void gm_task_unref(struct gm_task *task);
/* --- agent_item.c */
int gm_item_add(struct gm_task *task, const Gm__WProduced *produced,
                struct gm_err *err) GM_MUST_CHECK;
int gm_item_add_done(struct gm_task *task, const Gm__WDone *done, struct gm_err *err) GM_MUST_CHECK;
int gm_item_add_failed(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                       const Gm__Usage *usage, struct gm_err *err) GM_MUST_CHECK;
/* The worker failed so, at a source that may have changed: blamed and told when that is known. */
int gm_item_add_doubted(struct gm_task *task, const struct gm_err *why, int64_t chunk,
                        const Gm__Usage *usage, struct gm_err *err) GM_MUST_CHECK;
/* The item as a message; strings and bytes are borrowed from it. */
struct gm_item_message {
    Gm__Item piece;
    Gm__Object *objects; /* owned */
    Gm__Object **list;   /* owned */
};
/* granted: objects under the keys of their grants; else under the paths that the worker named.
 * gm_item_message_fini in any case. Errors: NOMEM. */
int gm_item_message(const struct gm_item *item, bool granted, struct gm_item_message *out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_item_message_fini(struct gm_item_message *message);
void gm_item_drop(struct gm_item *item); /* unlinked by the caller; freed now or when not busy */
void gm_item_verified(struct gm_item *item);
void gm_item_failed(struct gm_item *item, const struct gm_err *why);
void gm_item_tick(struct gm_item *item, gm_time now);
/* After such a failure it will be: item->not_before says when. False: never. */
bool gm_item_try_later(struct gm_item *item, const struct gm_err *why);
/* A store that refused its URL says as little where the URL's time is over by another clock, or
 * keys are new to one of its servers: another grant is asked for, DENIALS times. False: no more. */
bool gm_item_was_denied(struct gm_item *item, const struct gm_err *why);
void gm_item_put_ended(struct gm_item *item); /* item->err says how; may free it */
/* --- agent_grant.c */
void gm_item_ask(struct gm_item *item); /* its files may be put when the answer comes */
void gm_item_remind(struct gm_item *item, gm_time now); /* asks again, if that is due */
void gm_item_answer(struct gm_agent *agent, const Gm__GrantAnswer *answer);
void gm_item_resend(struct gm_agent *agent); /* what is not answered, after a Welcome */
/* --- agent_prepare.c */
/* Some of the item's grants are none yet: reckons and begins what they ask for, then asks again. */
void gm_item_prepare(struct gm_item *item);
bool gm_item_is_granted(const struct gm_item *item); /* all its files may be put */
/* It is dropped while it is prepared. True: nothing of that goes on. */
bool gm_item_prepare_drop(struct gm_item *item);
/* This machine's time when the URLs of the grant are over; 0: not known. */
int64_t gm_grant_until(const struct gm_agent *agent, const Gm__Grant *grant);
/* --- agent_put.c */
/* Puts the item's files that are not stored, then calls gm_item_put_ended. */
void gm_put_start(struct gm_item *item);
/* All are stored, or item->err says why not: what is left to be done on the pool, then the end. */
void gm_put_finish(struct gm_item *item);
void gm_put_ended(struct gm_item *item);         /* the end; may free it */
int gm_put_check(void *arg, struct gm_err *err); /* an item's: STALE: it is to be put no more */
bool gm_put_is_busy(const struct gm_task *task); /* something of it is being put */
/* Of whatever task, whose lease is not over. */
bool gm_put_any(const struct gm_agent *agent);

/* --- agent_send.c */
bool gm_send_is_for(const struct gm_item_file *file); /* it goes by URL, and is not stored */
void gm_send_start(struct gm_item *item);             /* those, then gm_put_finish */
/* It is dropped: ends what can be ended. True: nothing of it goes on. */
bool gm_send_drop(struct gm_item *item);
/* The task is being stored, and waits for requests of others: while those move it lives. */
void gm_send_wait(struct gm_task *task);
/* It is dropped, and nothing of it goes on. True: something of it may yet be stored, and so it
 * stays busy until that is over. */
bool gm_send_hold(struct gm_item *item);
/* Ends what is sent for leases that are over. */
void gm_send_tick(struct gm_agent *agent);

/* --- agent_clock.c */
/* The scheduler told its wall clock; 0: it did not, as an older one. */
void gm_clock_told(struct gm_agent *agent, int64_t unix_ms);
/* What its clock shows now; until it was told this machine's. Thread: any. */
int64_t gm_clock_unix_ms(const struct gm_agent *agent);
/* A grant was refused because its time is over. Thread: any. */
bool gm_clock_is_late(const struct gm_err *err);
/* Says then by which clock. Thread: any. */
void gm_clock_explain(const struct gm_agent *agent, struct gm_err *err);
/* --- agent_verify.c */
void gm_verify_add(struct gm_item *item);
void gm_verify_next(struct gm_agent *agent);
void gm_verify_message(struct gm_agent *agent, const Gm__WorkerMessage *msg);
void gm_verify_gone(struct gm_agent *agent, const struct gm_err *why);
void gm_verify_forget(struct gm_item *item); /* out of the queue */
/* Nothing is verified before it comes back: all that waits for it fails so. */
void gm_verify_stuck(struct gm_agent *agent, const struct gm_err *why);
/* --- agent_open.c */
/* Opens what the worker of `slot` asked for, on behalf of task, and answers it. */
void gm_open_start(struct gm_task *task, struct gm_agent_slot *slot, const Gm__WOpen *ask);
void gm_open_forget(struct gm_agent *agent, const struct gm_agent_slot *slot); /* it is gone */
/* --- agent_window.c */
/* It asks for a source that is on a server. */
bool gm_agent_window_is_for(const Gm__WOpen *ask, const Gm__Object *object);
/* Answers the slot's WOpen. */
void gm_agent_window_open(struct gm_agent_slot *slot, const Gm__Object *object);
void gm_agent_window_need(struct gm_agent_slot *slot, const Gm__WNeed *need);
void gm_agent_window_forget(struct gm_agent *agent, const struct gm_agent_slot *slot);
void gm_agent_windows_close(struct gm_agent *agent); /* nothing is read any more */
/* --- agent_parts.c */
struct gm_window_source;
/* Sizes of the parts of a source that has them, in order; owned by the caller. Errors: PROTO,
 * NOMEM.
 */
int gm_agent_parts_sizes(const Gm__Object *object, uint64_t **out, uint32_t *out_count,
                         struct gm_err *err) GM_MUST_CHECK;
/* The slot's reader is about to be opened, and asks for its parts here. */
void gm_agent_parts_begin(struct gm_agent_slot *slot, struct gm_window_source *source);
void gm_agent_parts_answer(struct gm_agent *agent, const Gm__PartsAnswer *answer);
/* The part that its worker waits for, by index + 1, for a heartbeat; 0: for none. */
uint32_t gm_agent_parts_waits(const struct gm_agent *agent, const struct gm_task *task);
void gm_agent_parts_resend(struct gm_agent *agent);            /* what is open, after a Welcome */
void gm_agent_parts_tick(struct gm_agent *agent, gm_time now); /* what is open for too long */
/* --- agent_open.c, too */
/* The source was written to since it was opened, when it said `opened`. On the pool: its store may
 * hang. fd: -1: there is none. */
bool gm_open_source_changed(int fd, uint64_t opened);
/* --- agent_fetch.c */
/* An object with a hash, whose URL is http(s), through the cache. done: once, never from here; fd,
 * read-only, is owned by who is told, or -1 with err. The fetch is gone then. */
struct gm_fetch;
int gm_fetch_start(struct gm_task *task, const Gm__Object *object,
                   void (*done)(int fd, const struct gm_err *err, void *arg), void *arg,
                   struct gm_fetch **out, struct gm_err *err) GM_MUST_CHECK;
void gm_fetch_cancel(struct gm_fetch **fetch); /* without done; NULL is fine */
/* --- agent_open.c */
void gm_open_tick(struct gm_agent *agent, gm_time now);
void gm_open_reply(struct gm_agent_slot *slot, const Gm__WOpen *ask, const char *name, int fd,
                   const struct gm_err *failure); /* takes fd */

#endif
