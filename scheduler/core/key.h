#ifndef GM_SCHEDULER_CORE_KEY_H
#define GM_SCHEDULER_CORE_KEY_H

#include <stddef.h>
#include <stdint.h>

/* Which row: numbers, and a name where people or nodes gave one. What a kind has no use for is 0.
 * Numbers never change while the row is there: a job's is the order of its creation, a task's its
 * place in the job's pipeline. Thread: any.
 */
enum gm_row_kind {
    GM_ROW_JOB = 1,     /* job */
    GM_ROW_TASK = 2,    /* job, task, instance: its result */
    GM_ROW_ITEM = 3,    /* job, task, instance, stream, index */
    GM_ROW_OBJECT = 4,  /* job, store, name: its key in that store */
    GM_ROW_ATTEMPT = 5, /* job, number */
    GM_ROW_NODE = 6 /* name: drained nodes; and, as "history/...", what tasks cost, as "hook/...",
                       events to be delivered (state.proto) */
};
struct gm_key {
    enum gm_row_kind kind;
    uint32_t task;     /* below GM_KEY_TASKS, and so on */
    uint64_t job;      /* from 1; 0: the row is of no job */
    uint32_t instance; /* of the task */
    uint32_t stream;
    uint32_t index;
    uint32_t store;  /* Gm__ObjectStore */
    uint64_t number; /* of the attempt in its job, from 1 */
    char *name;      /* NULL where the kind has none; whose it is says who hands out the key */
};
#define GM_KEY_TASKS (1u << 6)
#define GM_KEY_INSTANCES (1u << 16)
#define GM_KEY_STREAMS (1u << 8)

/* The numbers below the job as one, which sorts as they do: task, instance, stream, index in 6, 16,
 * 8, 32 bits; or store; or number. */
uint64_t gm_key_at(const struct gm_key *key);
/* Sets them again; kind is set. */
void gm_key_set_at(struct gm_key *key, uint64_t at);
/* By kind, job, gm_key_at, name: below 0, 0, above. */
int gm_key_compare(const struct gm_key *a, const struct gm_key *b);

/* Of what gm_key_compare looks at. */
uint64_t gm_key_hash(const struct gm_key *key);

/* "item 7/2/0/0/41", "object 7/1/v/ab/x", "node n1": for logs, tools and tests. Cut when it is
 * longer, which only names make it. */
#define GM_KEY_TEXT_BYTES 1280 /* names have at most 1024 */
const char *gm_key_text(const struct gm_key *key, char out[GM_KEY_TEXT_BYTES]);

#endif
