#ifndef GM_TESTS_BENCH_QUEUE_NODES_H
#define GM_TESTS_BENCH_QUEUE_NODES_H

/* Nodes that do no work: they speak docs/protocol.md with the scheduler, take what they are
 * assigned and end it at once or after a while. The splits of all jobs run on the first node, the
 * announcer; an item that it announces is a task here: a payload that the scheduler stores before
 * it acknowledges it, that it gives to a node with a run of `encode`, and whose end it stores and
 * acknowledges again. A node says Done when the items of its run are acknowledged, as a real agent.
 */
#include "bench/queue/server.h"
#include "bench/queue/words.h"

#define BQ_PAYLOAD 200u    /* bytes of what a task carries */
#define BQ_JOB_MAX 250000u /* tasks of a job: GM_CORE_MAX_ITEMS is 262,144 */
#define BQ_AHEAD_MAX 1000u /* of the first unacknowledged one: GM_CORE_MAX_AHEAD is 1,024 */

enum bq_lease_state { BQ_FREE, BQ_OPEN, BQ_SPLITS, BQ_WORKS, BQ_STORES, BQ_ENDS };

struct bq_lease {
    enum bq_lease_state state;
    uint64_t task, epoch;
    uint32_t job;
    char type[8];          /* of its task */
    uint32_t first, count; /* chunks of a run */
    uint32_t acked;        /* a bit each */
    int64_t said;          /* ns; what is not acknowledged since is said again */
};
struct bq_node {
    struct bq_stream s; /* first: the loop tells of it */
    char id[32];
    bool greeted, welcome;
    int64_t renewed;          /* ns */
    bool batches;             /* the scheduler reads them */
    uint8_t *out;             /* owned: entries of the next batch (proto/batch.h) */
    size_t out_size, out_cap; /* bytes */
    size_t out_lone;          /* where the first entry's envelope begins */
    uint32_t out_count;
    struct bq_node *next_full; /* of those that have something in it */
    uint32_t slots, places;    /* as many again, of what waits for the Ack of its end */
    struct bq_lease *leases;   /* owned, `places` of them */
};
struct bq_task {
    int64_t announced, assigned; /* ns; 0: not yet */
    uint8_t acked;               /* its announcement is durable */
    uint8_t done;                /* times that its end was acknowledged */
};
struct bq_job {
    char id[64];
    uint32_t total;         /* tasks to announce */
    uint32_t next, acked;   /* announced; acknowledged */
    uint32_t first;         /* that is not acknowledged */
    struct bq_task *tasks;  /* owned */
    struct bq_lease *split; /* NULL: nobody splits it */
    struct bq_node *splitter;
    bool split_done, packaged;
};
struct bq_wait { /* a run that is being worked on: all take as long, so the first is the next */
    int64_t due;
    struct bq_node *node;
    struct bq_lease *lease;
    uint64_t epoch;
};
struct bq_farm {
    struct bq_loop loop;
    const char *address;   /* borrowed */
    struct bq_node *nodes; /* owned; [0] is the announcer */
    struct bq_node *full;  /* borrowed: what they say leaves with the next step */
    uint32_t node_count;
    struct bq_job *jobs; /* owned */
    uint32_t job_count;
    uint64_t term;
    int64_t heartbeat; /* ns */
    int64_t idle;      /* the same, of nodes without leases */
    int64_t resend_at; /* when to look for what is to be said again */
    int64_t resend;    /* ns: what is not acknowledged for so long */
    int64_t renew_base;
    uint64_t renews; /* nodes whose turn it was since */
    uint64_t renew_number;
    /* how it is driven */
    bool announcing;
    bool split_stays;      /* it does not end, and keeps the announcer's slot from runs */
    uint64_t window;       /* tasks that are announced and not done, at most */
    double interval;       /* ns between announcements; 0: as the window lets */
    int64_t start;         /* of announcing */
    int64_t work;          /* ns a run takes */
    struct bq_wait *waits; /* owned ring of all slots */
    size_t wait_first, wait_count, wait_cap;
    /* what came of it */
    uint64_t announced, acked, done, runs, again, stale, lost, resent, reconnects, welcomes,
        jobs_packaged;
    int64_t first_run; /* when the first run was assigned; 0: none yet */
    int64_t last_done;
    struct bq_samples dispatch, accept; /* announced -> assigned, -> acknowledged */
};

/* nodes: the announcer is one more, with a slot a job. Not connected yet. */
void bq_farm_open(struct bq_farm *f, uint32_t nodes, uint32_t slots, uint32_t jobs, uint64_t tasks);
void bq_farm_close(struct bq_farm *f);
/* Nodes first..first+count-1 connect and say Hello. */
void bq_farm_connect(struct bq_farm *f, uint32_t first, uint32_t count);
/* After the scheduler's death: all connections and leases are gone, tasks and counts stay. */
void bq_farm_forget(struct bq_farm *f);
/* Sends, receives, renews, announces; waits 20 ms at most. */
void bq_farm_step(struct bq_farm *f);
/* Dies unless each task was announced, and done exactly once. */
void bq_farm_check(const struct bq_farm *f);

#endif
