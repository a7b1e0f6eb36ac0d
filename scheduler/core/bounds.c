/* Bounds of the index's blocks: see devices.h. */
#include <math.h>
#include <string.h>

#include "scheduler/core/devices.h"
#include "scheduler/core/state.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

size_t gm_devices_in_block(const struct gm_class *class, size_t block)
{
    return block + 1 < class->block_count ? GM_BLOCK : class->count - block * GM_BLOCK;
}

static uint64_t cpu_of(const struct gm_block *block, size_t i)
{
    return block->rest[GM_DIM_SLOTS][i] > 0 ? block->rest[GM_DIM_CPU][i] : UINT64_MAX;
}

static struct gm_head head_of(const struct gm_block *block, uint64_t order)
{
    struct gm_head head = {.least_cpu = UINT64_MAX, .order = order};
    for (uint64_t open = block->open; open;) {
        size_t i = gm_devices_open(&open);
        uint64_t cpu = block->rest[GM_DIM_CPU][i];
        head.least_cpu = cpu < head.least_cpu ? cpu : head.least_cpu;
        for (int d = 0; d < GM_DIMS; d++) {
            uint64_t v = block->rest[d][i];
            head.most[d] = v > head.most[d] ? v : head.most[d];
        }
    }
    return head;
}

static uint64_t order_of(const struct gm_block *block, size_t count)
{
    uint64_t order = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        order = block->order[i] < order ? block->order[i] : order;
    }
    return order;
}

void gm_bounds_make(struct gm_class *class, size_t at)
{
    const struct gm_block *block = class->blocks[at];
    class->heads[at] = head_of(block, order_of(block, gm_devices_in_block(class, at)));
}

void gm_bounds_repair(struct gm_class *class, size_t at)
{
    struct gm_head *head = &class->heads[at];
    if (head->loose && !head->stale) {
        *head = head_of(class->blocks[at], head->order);
    }
}

static void widen(struct gm_pace_range *r, struct gm_pace p)
{
    if (p.one < 0) {
        r->bare = true;
        return;
    }
    r->most.part = p.part > r->most.part ? p.part : r->most.part;
    r->most.one = p.one > r->most.one ? p.one : r->most.one;
    r->least.part = p.part < r->least.part ? p.part : r->least.part;
    r->least.one = p.one < r->least.one ? p.one : r->least.one;
}

static struct gm_pace pace_of(const struct gm_block *block, uint32_t column, size_t i)
{
    const struct gm_paces *p = block->paces;
    return p ? (struct gm_pace){p->part[column][i], p->one[column][i]}
             : (struct gm_pace){.part = 0, .one = -1};
}

static struct gm_pace_range range_of(const struct gm_block *block, uint32_t column)
{
    struct gm_pace_range r = {.most = {-1, -1}, .least = {INFINITY, INFINITY}};
    r.bare = block->paces == NULL;
    for (uint64_t open = block->paces ? block->open : 0; open;) {
        widen(&r, pace_of(block, column, gm_devices_open(&open)));
    }
    return r;
}

const struct gm_pace_range *gm_bounds_range(struct gm_class *class, size_t at, uint32_t column)
{
    struct gm_block *block = class->blocks[at];
    struct gm_pace_range *r = &block->range[column];
    if (r->stale) {
        *r = range_of(block, column);
    }
    return r;
}

void gm_bounds_repair_range(struct gm_class *class, size_t at, uint32_t column)
{
    struct gm_pace_range *r = &class->blocks[at]->range[column];
    r->stale = r->stale || r->loose;
}

void gm_bounds_drop(struct gm_class *class, size_t at)
{
    class->heads[at].stale = true;
    for (uint32_t c = 0; c < GM_COLUMNS; c++) {
        class->blocks[at]->range[c].stale = true;
    }
}

void gm_bounds_rest(struct gm_class *class, size_t at, size_t i, const struct gm_capacity *now)
{
    struct gm_head *head = &class->heads[at];
    const struct gm_block *block = class->blocks[at];
    uint64_t before = cpu_of(block, i), cpu = now->slots > 0 ? now->cpu_milli : UINT64_MAX;
    bool loose = head->loose || (before == head->least_cpu && cpu > before);
    for (int d = 0; d < GM_DIMS; d++) {
        loose = loose || (block->rest[d][i] == head->most[d] && now->v[d] < head->most[d]);
        head->most[d] = now->v[d] > head->most[d] ? now->v[d] : head->most[d];
    }
    head->least_cpu = cpu < head->least_cpu ? cpu : head->least_cpu;
    head->loose = loose;
}

void gm_bounds_pace(struct gm_class *class, size_t at, size_t i, uint32_t column,
                    struct gm_pace now, bool has_slot)
{
    const struct gm_block *block = class->blocks[at];
    struct gm_pace_range *r = &class->blocks[at]->range[column];
    struct gm_pace before = pace_of(block, column, i);
    bool had = block->rest[GM_DIM_SLOTS][i] > 0;
    bool same = before.part >= now.part && before.part <= now.part;
    r->loose = r->loose || (had && !(has_slot && same));
    if (has_slot) {
        widen(r, now);
    }
}

static bool is_within(const struct gm_pace_range *real, const struct gm_pace_range *r)
{
    return real->most.part <= r->most.part && real->most.one <= r->most.one &&
           real->least.part >= r->least.part && real->least.one >= r->least.one &&
           (r->bare || !real->bare);
}

int gm_bounds_check(const struct gm_class *class, struct gm_err *err)
{
    for (size_t at = 0; at < class->block_count; at++) {
        const struct gm_block *block = class->blocks[at];
        const struct gm_head *head = &class->heads[at];
        size_t count = gm_devices_in_block(class, at);
        const struct gm_head real = head_of(block, order_of(block, count));
        bool within = real.least_cpu >= head->least_cpu && real.order == head->order;
        for (int d = 0; d < GM_DIMS; d++) {
            within = within && real.most[d] <= head->most[d];
        }
        if (!head->loose) {
            within = within && memcmp(real.most, head->most, sizeof(real.most)) == 0 &&
                     real.least_cpu == head->least_cpu;
        }
        if (!head->stale && !within) {
            return BROKEN("chain %s: a block's bounds are not its devices'", class->chain->name);
        }
        for (uint32_t c = 0; c < GM_COLUMNS; c++) {
            const struct gm_pace_range measured = range_of(block, c);
            if (!block->range[c].stale && !is_within(&measured, &block->range[c])) {
                return BROKEN("chain %s: a block's figures are not its devices'",
                              class->chain->name);
            }
        }
    }
    return 0;
}
