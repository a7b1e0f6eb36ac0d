#ifndef GM_TESTS_SIM_QUALITY_FARM_H
#define GM_TESTS_SIM_QUALITY_FARM_H

#include "sim/quality/mix.h"
#include "wire.pb-c.h"

/* A large farm in virtual time, to see how good decisions are: the real core, and nodes whose tasks
 * take what such tasks took (times.tsv). Beside sim/sim_io.h, whose farms are small and break in
 * every way, this one is driven by events, knows no disk, no network and no objects, and breaks in
 * one way alone: a node dies without a word. Everything follows from the seed. What must not happen
 * ends the program with a sentence. Thread: one.
 */
enum q_role {
    Q_INSPECT,
    Q_PLAN,
    Q_SPLIT,
    Q_ENCODE,
    Q_AUDIO,
    Q_THUMBNAILS,
    Q_MP4,
    Q_PACKAGE,
    Q_ROLES
};

/* One wait of a unit, from ready to its first assignment. Of audio, which starts beside split and
 * is fed, no wait is counted. */
struct q_wait {
    gm_time ready, wait;
    uint32_t job;
    enum q_role role;
    bool first; /* of its task in the job */
};
#define Q_THREAD_MEMORY (UINT64_C(4) << 30) /* of a node, for each thread */

struct q_task;
struct q_node {
    char id[16];
    const struct q_node_kind *kind; /* borrowed */
    bool alive;
    struct q_task *tasks; /* owned: that it works at */
};
struct q_job {
    char id[16];
    struct q_work work;              /* as the mix made it */
    gm_time submitted, began, ended; /* -1: not yet */
    bool encoded, heard, pictured;   /* encode, audio and thumbnails are done */
    bool chunk_began;                /* any of them */
    gm_time *chunk_ready;            /* owned; -1: not announced, -2: it was assigned once */
    uint32_t chunks_done;
    gm_time ready[Q_ROLES]; /* -1: not ready; -2: it was assigned once */
};
struct q_queue {          /* of what is to happen: a heap by time, then by number */
    struct q_event *list; /* owned */
    size_t count, cap;
    uint64_t number;
};
struct q_params {
    uint32_t seed;
    uint32_t preempt_ms;                    /* 0: never */
    const struct gm_tenant_params *tenants; /* borrowed */
    size_t tenant_count;
};
/* Looked at each second of virtual time; NULL: nothing is. */
struct q_farm;
typedef void (*q_look)(struct q_farm *farm, void *arg);
struct q_farm {
    struct gm_core *core;        /* owned */
    const struct q_times *times; /* borrowed */
    gm_time now;
    uint64_t random;
    struct q_queue queue;
    struct q_node *nodes; /* owned */
    uint32_t node_count;
    struct q_job *jobs; /* owned */
    uint32_t job_count, ended, failed;
    struct q_wait *waits; /* owned */
    size_t wait_count, wait_cap;
    uint64_t assigned, tasks_done, cancelled, seq;
    double task_seconds; /* of the tasks that were done, from Assign to Done */
    q_look look;
    void *look_arg;
};

/* The nodes have said Hello when it returns. nodes, times: borrowed. */
struct q_farm *q_farm_open(const struct q_params *params, const struct q_times *times,
                           const struct q_node_kind *const *nodes, uint32_t node_count);
void q_farm_close(struct q_farm *farm);
/* work is copied. Returns the job's number. */
uint32_t q_farm_submit(struct q_farm *farm, const struct q_work *work, gm_time at);
/* Silently, for good. */
void q_farm_kill(struct q_farm *farm, uint32_t node, gm_time at);
/* Until all that was submitted ended, or so long. False: not all did. */
bool q_farm_run(struct q_farm *farm, gm_time end);

/* For farm_io.c's parts. */
void q_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *q_grow(void *list, size_t count, size_t *cap, size_t size);

enum q_event_kind {
    Q_EV_SUBMIT,
    Q_EV_KILL,
    Q_EV_RENEW,
    Q_EV_TICK,
    Q_EV_WORK,
    Q_EV_TOLD,
    Q_EV_CLEANED,
    Q_EV_GONE
};
struct q_event {
    gm_time at;
    uint64_t number;
    enum q_event_kind kind;
    uint32_t which; /* job or node */
    uint64_t epoch; /* WORK, GONE: of the task */
};
/* queue_io.c */
void q_queue_push(struct q_queue *queue, struct q_event event);
bool q_queue_pop(struct q_queue *queue, struct q_event *out);

/* A lease as its node knows it. */
struct q_task {
    struct q_task *next; /* of its node */
    uint64_t task_id, term, epoch;
    enum q_role role;
    uint32_t job, device;
    uint32_t first, count, position; /* of a run, or of split's chunks: which comes next */
    uint32_t skip;                   /* split: chunks that were committed before */
    gm_time began, next_at;
    double speed;
    uint32_t received; /* inputs */
    bool complete;     /* all of them */
    bool cancelled;
    struct gm_capacity demand;
};
/* work_io.c */
/* Its time has come. */
void q_job_submit(struct q_farm *farm, uint32_t number);
/* What the task does next is planned; or done, for it is due. */
void q_task_begin(struct q_farm *farm, struct q_node *node, struct q_task *task);
void q_task_work(struct q_farm *farm, struct q_node *node, struct q_task *task);
/* The node has the rest of its inputs. */
void q_task_fed(struct q_farm *farm, struct q_node *node, struct q_task *task);

/* farm_io.c */
void q_farm_event(struct q_farm *farm, const struct gm_event *event);
void q_farm_message(struct q_farm *farm, const struct q_node *node, Gm__Envelope *envelope);
/* It ended, however: forgotten. */
void q_task_end(struct q_farm *farm, struct q_node *node, struct q_task *task);
/* The unit may be assigned from now on. chunk: of encode. */
void q_job_ready(struct q_farm *farm, struct q_job *job, enum q_role role, uint32_t chunk);

#endif
