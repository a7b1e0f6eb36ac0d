#ifndef GM_TESTS_BENCH_QUEUE_PEER_H
#define GM_TESTS_BENCH_QUEUE_PEER_H

/* What the programs that drive other queues share: the options and the figures of bench_queue, so
 * that both can stand beside each other. One connection puts, a connection each slot takes. */
#include "bench/queue/server.h"
#include "bench/queue/stream.h"

#define BQ_PEER_PAYLOAD 200u
#define BQ_PEER_AHEAD 1000u /* puts without an answer, as the announcer's */

struct bq_peer {
    const char *system, *mode, *dir;
    uint32_t slots; /* of all nodes */
    uint32_t nodes, node_slots;
    uint64_t tasks, window, rate;
    struct bq_disk disk;
    char folder[512];
    pid_t pid;
    int64_t start;
    uint64_t put, acked, done;
    int64_t *announced, *assigned; /* owned; ns a task */
    uint8_t *ends;                 /* owned; times that its end was acknowledged */
    struct bq_samples dispatch, accept;
};

/* Options as bench_queue's: --nodes --slots --tasks --window --rate --dir, and life, rate or depth.
 */
void bq_peer_open(struct bq_peer *p, const char *system, int argc, char **argv);
/* Whether a task may be put now; its number is p->put. It is noted as put. */
bool bq_peer_may_put(struct bq_peer *p);
int64_t bq_peer_wait(const struct bq_peer *p); /* ns until the next may be */
void bq_peer_payload(uint64_t task, uint8_t out[BQ_PEER_PAYLOAD]);
void bq_peer_acked(struct bq_peer *p); /* the oldest put without an answer */
void bq_peer_assigned(struct bq_peer *p, uint64_t task, const uint8_t *payload);
void bq_peer_done(struct bq_peer *p, uint64_t task);
/* Dies where a task was not done exactly once; else prints the figures. */
void bq_peer_report(struct bq_peer *p, double cpu_s);
void bq_peer_report_depth(struct bq_peer *p, uint64_t before, uint64_t after, double first_s);
void bq_peer_close(struct bq_peer *p);
/* A port that nobody listens on. */
unsigned bq_free_port(void);

#endif
