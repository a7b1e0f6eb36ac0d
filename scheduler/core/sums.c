/* Sums over chunks: see sums.h. What a chunk adds is kept with it (`counted`), so that a change is
 * the difference. A chunk's part in what can share a run hangs on the chunk before it too. */
#include "scheduler/core/sums.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)
#define FIRST_LEAVES 16u

enum part { IS_READY = 1, IS_SHARED = 2, IS_SPENT = 4 };

static bool joins(const struct gm_core_chunk *c)
{
    return c->unit.state == GM_TASK_READY && !c->alone;
}

bool gm_sums_can_share(const struct gm_inst *inst, size_t i)
{
    return i > 0 && joins(&inst->chunks[i]) && joins(&inst->chunks[i - 1]);
}

static uint8_t parts_of(const struct gm_inst *inst, size_t i)
{
    const struct gm_core_chunk *c = &inst->chunks[i];
    if (c->unit.state == GM_TASK_RUNNING || c->unit.state == GM_TASK_DONE) {
        return c->leads ? IS_SPENT : 0;
    }
    uint8_t ready = c->unit.state == GM_TASK_READY ? IS_READY : 0;
    return ready | (gm_sums_can_share(inst, i) ? IS_SHARED : IS_SPENT);
}

static uint32_t better(const struct gm_inst *inst, uint32_t left, uint32_t right)
{
    if (left == GM_SUMS_NONE || right == GM_SUMS_NONE) {
        return left == GM_SUMS_NONE ? right : left;
    }
    return inst->chunks[right].frames > inst->chunks[left].frames ? right : left;
}

static void set_leaf(struct gm_inst *inst, size_t chunk, bool ready)
{
    uint32_t *best = inst->sums.best;
    size_t k = inst->sums.leaves + chunk;
    best[k] = ready ? (uint32_t)chunk : GM_SUMS_NONE;
    for (k /= 2; k > 0; k /= 2) {
        uint32_t now = better(inst, best[2 * k], best[2 * k + 1]);
        if (now == best[k]) {
            break; /* chunks keep their frames */
        }
        best[k] = now;
    }
}

/* A tree with room for the chunk, of what was counted. */
static void grow_tree(struct gm_inst *inst, size_t chunk)
{
    struct gm_sums *s = &inst->sums;
    size_t leaves = s->leaves > 0 ? s->leaves : FIRST_LEAVES;
    while (leaves <= chunk) {
        leaves *= 2;
    }
    if (leaves == s->leaves) {
        return;
    }
    uint32_t *best = gm_mem_zalloc(2 * leaves * sizeof(*best));
    memset(best, 0xff, 2 * leaves * sizeof(*best));
    for (size_t i = 0; i < s->leaves; i++) {
        best[leaves + i] = s->best[s->leaves + i];
    }
    for (size_t k = leaves - 1; k > 0; k--) {
        best[k] = better(inst, best[2 * k], best[2 * k + 1]);
    }
    free(s->best);
    s->best = best;
    s->leaves = leaves;
}

/* Places of a Fenwick tree count from 1. */
static void add_part(struct gm_sums *s, uint32_t preroll, bool more)
{
    for (size_t k = (size_t)preroll + 1; k <= s->part_count; k += k & -k) {
        s->parts[k - 1] = more ? s->parts[k - 1] + preroll : s->parts[k - 1] - preroll;
    }
}

static void grow_parts(struct gm_inst *inst, uint32_t preroll)
{
    struct gm_sums *s = &inst->sums;
    s->most_preroll = preroll > s->most_preroll ? preroll : s->most_preroll;
    size_t count = s->part_count > 0 ? s->part_count : 1;
    while (count <= preroll && count < GM_SUMS_PARTS) {
        count *= 2;
    }
    if (preroll == 0 || count == s->part_count) {
        return;
    }
    free(s->parts);
    s->parts = gm_mem_zalloc(count * sizeof(*s->parts));
    s->part_count = count;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        if (inst->chunks[i].counted & IS_SHARED) {
            add_part(s, inst->chunks[i].preroll, true);
        }
    }
}

static void change(uint64_t *sum, uint64_t by, uint8_t was, uint8_t is, uint8_t part)
{
    *sum += (is & part ? by : 0) - (was & part ? by : 0);
}

static void note(struct gm_inst *inst, size_t i)
{
    struct gm_sums *s = &inst->sums;
    struct gm_core_chunk *c = &inst->chunks[i];
    uint8_t was = c->counted, is = parts_of(inst, i);
    if (was == is) {
        return;
    }
    c->counted = is;
    change(&s->ready, 1, was, is, IS_READY);
    change(&s->waiting, c->frames, was, is, IS_READY);
    change(&s->spent, c->preroll, was, is, IS_SPENT);
    change(&s->shared, c->preroll, was, is, IS_SHARED);
    if ((was ^ is) & IS_SHARED) {
        add_part(s, c->preroll, (is & IS_SHARED) != 0);
    }
    if ((was ^ is) & IS_READY) {
        set_leaf(inst, i, (is & IS_READY) != 0);
    }
}

void gm_sums_note(struct gm_inst *inst, size_t chunk)
{
    grow_tree(inst, chunk);
    grow_parts(inst, inst->chunks[chunk].preroll);
    note(inst, chunk);
    if (chunk + 1 < inst->chunk_count) {
        note(inst, chunk + 1);
    }
}

void gm_sums_note_unit(struct gm_cjob *job, struct gm_unit *unit)
{
    if (unit->runs > 0) {
        struct gm_inst *inst = &job->tasks[unit->runs - 1].insts[0];
        size_t at = (size_t)((char *)unit - (char *)inst->chunks) / sizeof(struct gm_core_chunk);
        gm_sums_note(inst, at);
    }
}

void gm_sums_fini(struct gm_sums *sums)
{
    free(sums->parts);
    free(sums->best);
    memset(sums, 0, sizeof(*sums));
}

static uint32_t first_below(const struct gm_sums *s, size_t k)
{
    while (k < s->leaves) {
        k = s->best[2 * k] != GM_SUMS_NONE ? 2 * k : 2 * k + 1;
    }
    return s->best[k];
}

uint32_t gm_sums_next(const struct gm_inst *inst, size_t from)
{
    const struct gm_sums *s = &inst->sums;
    if (from >= s->leaves) {
        return GM_SUMS_NONE;
    }
    size_t k = s->leaves + from;
    if (s->best[k] != GM_SUMS_NONE) {
        return (uint32_t)from;
    }
    for (; k > 1; k /= 2) { /* what lies right of it, from the nearest on */
        if (k % 2 == 0 && s->best[k + 1] != GM_SUMS_NONE) {
            return first_below(s, k + 1);
        }
    }
    return GM_SUMS_NONE;
}

uint32_t gm_sums_largest(const struct gm_inst *inst, size_t end)
{
    const struct gm_sums *s = &inst->sums;
    uint32_t largest = GM_SUMS_NONE;
    if (end >= s->leaves) {
        return s->leaves > 0 ? s->best[1] : GM_SUMS_NONE;
    }
    for (size_t k = s->leaves + end; k > 1; k /= 2) { /* what lies left of `end` */
        if (k % 2 == 1) {
            largest = better(inst, s->best[k - 1], largest);
        }
    }
    return largest;
}

uint64_t gm_sums_shared(const struct gm_inst *inst, uint64_t most)
{
    const struct gm_sums *s = &inst->sums;
    uint64_t sum = 0;
    if (most >= s->most_preroll) {
        return s->shared;
    }
    if (most < s->part_count) {
        for (size_t k = (size_t)most + 1; k > 0; k -= k & -k) {
            sum += s->parts[k - 1];
        }
        return sum;
    }
    for (uint32_t i = gm_sums_next(inst, 0); i != GM_SUMS_NONE; i = gm_sums_next(inst, i + 1)) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        sum += (c->counted & IS_SHARED) && c->preroll <= most ? c->preroll : 0;
    }
    return sum;
}

static int check_tree(const struct gm_inst *inst, struct gm_err *err)
{
    const struct gm_sums *s = &inst->sums;
    for (size_t i = 0; i < s->leaves; i++) {
        bool ready = i < inst->chunk_count && inst->chunks[i].unit.state == GM_TASK_READY;
        if (s->best[s->leaves + i] != (ready ? (uint32_t)i : GM_SUMS_NONE)) {
            return BROKEN("chunk %zu is not found as it is", i);
        }
    }
    for (size_t k = 1; k < s->leaves; k++) {
        if (s->best[k] != better(inst, s->best[2 * k], s->best[2 * k + 1])) {
            return BROKEN("the largest of the chunks that are ready is another");
        }
    }
    return inst->chunk_count <= s->leaves ? 0 : BROKEN("a chunk has no place among the sums");
}

int gm_sums_check(const struct gm_inst *inst, struct gm_err *err)
{
    const struct gm_sums *s = &inst->sums;
    uint64_t ready = 0, waiting = 0, spent = 0, shared = 0, parts = 0;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        uint8_t is = parts_of(inst, i);
        ready += is & IS_READY ? 1 : 0;
        waiting += is & IS_READY ? c->frames : 0;
        spent += is & IS_SPENT ? c->preroll : 0;
        shared += is & IS_SHARED ? c->preroll : 0;
        parts += (is & IS_SHARED) && c->preroll < s->part_count ? c->preroll : 0;
        if (is != c->counted || c->preroll > s->most_preroll) {
            return BROKEN("chunk %zu is not counted as it is", i);
        }
    }
    for (size_t k = s->part_count; k > 0; k -= k & -k) {
        parts -= s->parts[k - 1];
    }
    if (ready != s->ready || waiting != s->waiting || spent != s->spent || shared != s->shared ||
        parts != 0) {
        return BROKEN("the sums of the chunks are not of these chunks");
    }
    return check_tree(inst, err);
}
