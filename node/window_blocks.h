#ifndef GM_NODE_WINDOW_BLOCKS_H
#define GM_NODE_WINDOW_BLOCKS_H

#include "common/err.h"

/* Which blocks of a window's file are there, who was promised them, and when they were used last.
 * Pure. Thread: one at a time. */
#define GM_BLOCK ((uint64_t)1 << 20) /* bytes; the last one of a file may be shorter */

enum gm_block_state { GM_BLOCK_ABSENT, GM_BLOCK_COMING, GM_BLOCK_PRESENT };

struct gm_blocks {
    uint32_t count;
    uint8_t *state;     /* owned: enum gm_block_state of each */
    uint16_t *promised; /* owned: how many readers hold each */
    uint64_t *used;     /* owned: the caller's clock at its last use */
    uint32_t present;
    uint32_t coming;
    uint32_t held; /* promised to anybody */
};

struct gm_block_run {
    uint32_t from, count;
};

/* All absent. Errors: LIMIT, NOMEM. */
int gm_blocks_init(struct gm_blocks *blocks, uint64_t size, struct gm_err *err) GM_MUST_CHECK;
void gm_blocks_fini(struct gm_blocks *blocks);
/* The blocks that hold bytes [offset, offset + length) of the file; length > 0. */
struct gm_block_run gm_blocks_of(uint64_t offset, uint64_t length);
void gm_blocks_set(struct gm_blocks *blocks, struct gm_block_run run, enum gm_block_state state,
                   uint64_t clock);
void gm_blocks_promise(struct gm_blocks *blocks, struct gm_block_run run, uint64_t clock);
void gm_blocks_release(struct gm_blocks *blocks, struct gm_block_run run);
/* How many blocks from `from` on, at most max, are present. */
uint32_t gm_blocks_there(const struct gm_blocks *blocks, uint32_t from, uint32_t max);
/* The first absent blocks of the run, at most max; count 0: there is none. */
struct gm_block_run gm_blocks_absent(const struct gm_blocks *blocks, struct gm_block_run run,
                                     uint32_t max);
/* Present blocks that nobody holds, from the one on that was used before all others; at most max of
 * those that follow it and were used no later than `span` after it. count 0: there is none. */
struct gm_block_run gm_blocks_oldest(const struct gm_blocks *blocks, uint64_t span, uint32_t max);

#endif
