#ifndef GM_SCHEDULER_CORE_SUMS_H
#define GM_SCHEDULER_CORE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What is known of an instance's chunks together: kept as they change, so that nobody walks them.
 * Private to scheduler/core/. Threads: one.
 */
#define GM_SUMS_NONE UINT32_MAX
#define GM_SUMS_PARTS 4096u /* frames thrown away that are told apart; more are walked */

struct gm_inst;
struct gm_unit;
struct gm_cjob;

struct gm_sums {
    uint64_t ready;   /* chunks */
    uint64_t waiting; /* frames of these */
    /* Frames thrown away: by those that were given out or cannot share a run; by all others. */
    uint64_t spent, shared;
    uint32_t most_preroll; /* of one chunk that there is, or was */
    uint64_t *parts;       /* owned; of `shared`, a Fenwick tree by a chunk's own */
    size_t part_count;     /* a power of two, or 0 */
    /* owned; a tree, its root at 1: of two nodes the chunk that is ready and has more frames, of
     * equal ones the first; GM_SUMS_NONE */
    uint32_t *best;
    size_t leaves; /* a power of two, or 0 */
};

/* The chunk is new (each is noted as it comes), or its state, `alone` or `leads` changed. */
void gm_sums_note(struct gm_inst *inst, size_t chunk);
/* The same of the chunk that the unit is of, if it is of one. */
void gm_sums_note_unit(struct gm_cjob *job, struct gm_unit *unit);
void gm_sums_fini(struct gm_sums *sums);

/* The first chunk from `from` on that is ready; GM_SUMS_NONE. O(log chunks). */
uint32_t gm_sums_next(const struct gm_inst *inst, size_t from);
/* Of those before `end` that are ready the one with most frames, of equal ones the first;
 * GM_SUMS_NONE. O(log chunks). */
uint32_t gm_sums_largest(const struct gm_inst *inst, size_t end);
/* Frames thrown away by those that could share the run of the one before them, and throw away no
 * more than `most`. O(log GM_SUMS_PARTS), but where one throws away more than those parts. */
uint64_t gm_sums_shared(const struct gm_inst *inst, uint64_t most);
/* It is ready, and so is the one before it, and neither has to be alone. */
bool gm_sums_can_share(const struct gm_inst *inst, size_t chunk);
/* They are as a walk has them. Errors: BUG. */
int gm_sums_check(const struct gm_inst *inst, struct gm_err *err) GM_MUST_CHECK;

#endif
