#include "node/window_blocks.h"

#include <stdlib.h>

int gm_blocks_init(struct gm_blocks *blocks, uint64_t size, struct gm_err *err)
{
    uint64_t count = size / GM_BLOCK + (size % GM_BLOCK != 0 ? 1 : 0);
    if (count > INT32_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a source of %llu bytes is too large",
                          (unsigned long long)size);
    }
    struct gm_blocks made = {.count = (uint32_t)count};
    made.state = calloc(count + 1, sizeof(*made.state));
    made.promised = calloc(count + 1, sizeof(*made.promised));
    made.used = calloc(count + 1, sizeof(*made.used));
    if (made.state == NULL || made.promised == NULL || made.used == NULL) {
        gm_blocks_fini(&made);
        return gm_err_nomem(err);
    }
    *blocks = made;
    return 0;
}

void gm_blocks_fini(struct gm_blocks *blocks)
{
    free(blocks->state);
    free(blocks->promised);
    free(blocks->used);
    *blocks = (struct gm_blocks){0};
}

struct gm_block_run gm_blocks_of(uint64_t offset, uint64_t length)
{
    uint64_t last = (offset + length - 1) / GM_BLOCK;
    uint32_t from = (uint32_t)(offset / GM_BLOCK);
    return (struct gm_block_run){from, (uint32_t)last - from + 1};
}

static void count_state(struct gm_blocks *blocks, uint8_t state, int by)
{
    if (state == GM_BLOCK_PRESENT) {
        blocks->present += (uint32_t)by;
    } else if (state == GM_BLOCK_COMING) {
        blocks->coming += (uint32_t)by;
    }
}

void gm_blocks_set(struct gm_blocks *blocks, struct gm_block_run run, enum gm_block_state state,
                   uint64_t clock)
{
    for (uint32_t i = run.from; i < run.from + run.count; i++) {
        count_state(blocks, blocks->state[i], -1);
        blocks->state[i] = (uint8_t)state;
        count_state(blocks, blocks->state[i], 1);
        blocks->used[i] = clock;
    }
}

void gm_blocks_promise(struct gm_blocks *blocks, struct gm_block_run run, uint64_t clock)
{
    for (uint32_t i = run.from; i < run.from + run.count; i++) {
        GM_ASSERT(blocks->promised[i] < UINT16_MAX);
        blocks->held += blocks->promised[i] == 0 ? 1 : 0;
        blocks->promised[i]++;
        blocks->used[i] = clock;
    }
}

void gm_blocks_release(struct gm_blocks *blocks, struct gm_block_run run)
{
    for (uint32_t i = run.from; i < run.from + run.count; i++) {
        GM_ASSERT(blocks->promised[i] > 0);
        blocks->promised[i]--;
        blocks->held -= blocks->promised[i] == 0 ? 1 : 0;
    }
}

uint32_t gm_blocks_there(const struct gm_blocks *blocks, uint32_t from, uint32_t max)
{
    uint32_t n = 0;
    while (n < max && from + n < blocks->count && blocks->state[from + n] == GM_BLOCK_PRESENT) {
        n++;
    }
    return n;
}

struct gm_block_run gm_blocks_absent(const struct gm_blocks *blocks, struct gm_block_run run,
                                     uint32_t max)
{
    uint32_t end = blocks->count - run.from < run.count ? blocks->count : run.from + run.count;
    uint32_t at = run.from;
    while (at < end && blocks->state[at] != GM_BLOCK_ABSENT) {
        at++;
    }
    struct gm_block_run out = {at, 0};
    while (at + out.count < end && out.count < max &&
           blocks->state[at + out.count] == GM_BLOCK_ABSENT) {
        out.count++;
    }
    return out;
}

static bool may_go(const struct gm_blocks *blocks, uint32_t i)
{
    return blocks->state[i] == GM_BLOCK_PRESENT && blocks->promised[i] == 0;
}

struct gm_block_run gm_blocks_oldest(const struct gm_blocks *blocks, uint64_t span, uint32_t max)
{
    struct gm_block_run out = {0, 0};
    for (uint32_t i = 0; i < blocks->count; i++) {
        if (may_go(blocks, i) && (out.count == 0 || blocks->used[i] < blocks->used[out.from])) {
            out = (struct gm_block_run){i, 1};
        }
    }
    while (out.count > 0 && out.count < max && out.from + out.count < blocks->count &&
           may_go(blocks, out.from + out.count) &&
           blocks->used[out.from + out.count] <= blocks->used[out.from] + span) {
        out.count++;
    }
    return out;
}
