#ifndef GM_SCHEDULER_CORE_HISTORY_H
#define GM_SCHEDULER_CORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "scheduler/core/mem.h"
#include "state.pb-c.h"

/* uthash ends the process when memory runs out: as mem.h says. */
#ifndef uthash_fatal
#define uthash_fatal(msg) gm_mem_exhausted()
#endif
#include <uthash.h>

/* What tasks of a kind cost: a table of entries by a text that names the kind (learn.c makes it).
 *
 * An entry keeps what each of the last five nodes made of it: the plain mean of a node's first
 * eight samples, then one that a new sample moves by an eighth. A node is asked by its own figures;
 * for one that has none the nodes' median counts, so of three nodes one that lies changes nothing.
 * A sample counts as no more than eight times the mean and no less than an eighth of it.
 *
 * Integers alone; the same samples in the same order make the same table. Thread: one at a time.
 */
#define GM_HISTORY_ENTRIES 4096u /* then the one that was not learned for longest goes */
#define GM_HISTORY_VOICES 5u
#define GM_HISTORY_KEY 192u /* bytes, NUL included */
#define GM_HISTORY_MEAN 8u  /* samples of a plain mean; then the weight of each */

struct gm_history_sample {
    uint64_t cost_ns;   /* time that a unit of work took; 0: not known */
    uint64_t cpu_ns;    /* of all threads */
    uint64_t bytes;     /* stored */
    uint64_t rss_bytes; /* most memory that the task had; 0: not known */
};
struct gm_history_voice {
    uint64_t node;                             /* gm_history_node */
    uint64_t timed, sized;                     /* samples with a time, with a memory */
    uint64_t cost_ns, error_ns, cpu_ns, bytes; /* of a unit of work; mean distance from cost_ns */
    uint64_t rss_bytes; /* high: a larger one counts at once, a smaller one by a 32nd */
};
struct gm_history_entry {
    char *key;                                         /* owned */
    uint64_t stamp;                                    /* grows with each sample of the table */
    struct gm_history_voice voices[GM_HISTORY_VOICES]; /* the one that spoke last is the last */
    uint32_t voice_count;
    bool dirty; /* it is not as its row */
    UT_hash_handle hh;
};
struct gm_history {
    struct gm_history_entry *entries; /* in the order of their stamps */
    uint64_t stamp;
};

void gm_history_fini(struct gm_history *history);
uint64_t gm_history_node(const char *node_id);
/* Takes the sample over into the entry, which is made where it is missing. Returns the entry that
 * had to go for it, which the caller frees with gm_history_entry_free; or NULL. */
struct gm_history_entry *gm_history_learn(struct gm_history *history, const char *key,
                                          uint64_t node,
                                          const struct gm_history_sample *sample) GM_MUST_CHECK;
void gm_history_entry_free(struct gm_history_entry *entry);
const struct gm_history_entry *gm_history_find(const struct gm_history *history, const char *key);

/* Time of a unit of work on the node, by its own figures or else the nodes' median. *out_error_ns:
 * how far it is off in the mean. False: nothing is known. */
bool gm_history_cost(const struct gm_history_entry *entry, uint64_t node, uint64_t *out_ns,
                     uint64_t *out_error_ns);
/* Memory that a task may take: the second highest that a node has seen, that of the only one where
 * there is one. 0: not known. */
uint64_t gm_history_memory(const struct gm_history_entry *entry);
/* What a unit of work stores, by the same rule. */
uint64_t gm_history_bytes(const struct gm_history_entry *entry);
/* Threads that a task keeps busy, in thousandths: the nodes' median, the lower one of two. 0: not
 * known. */
uint64_t gm_history_busy(const struct gm_history_entry *entry);

/* Rows. restore: the entry as the row has it; a key that is there already, or no key, is passed
 * over. describe: *out borrows from entry and storage. */
struct gm_history_storage {
    Gm__HistoryVoice voices[GM_HISTORY_VOICES];
    Gm__HistoryVoice *list[GM_HISTORY_VOICES];
};
void gm_history_restore(struct gm_history *history, const Gm__HistoryRow *row);
void gm_history_describe(const struct gm_history_entry *entry, struct gm_history_storage *storage,
                         Gm__HistoryRow *out);

#endif
