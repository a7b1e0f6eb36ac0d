/* Runs: how many consecutive chunks one worker decodes in one go. Pure; without effect on bytes.
 *
 * Half of a slot's fair share of the frames that are ready, so that the work ends evenly, at most
 * 16 chunks; a run whose first chunk decodes many frames only to throw them away is made longer, to
 * pay that once, up to the whole fair share. In order; but when a run is one chunk anyway the
 * largest goes first, so that the last ones are small.
 *
 * In a short programme with far keyframes one more run may throw away a large part of all: a chunk
 * that would is tied to the one before it and shares its run, whatever the fair share says.
 */
#include "scheduler/core/state.h"

#define LONGEST_RUN 16u
#define PREROLL_PERCENT 15u

static bool joins(const struct gm_core_chunk *c)
{
    return c->unit.state == GM_TASK_READY && !c->alone;
}

static bool is_costly(uint64_t thrown_away, uint64_t of)
{
    return thrown_away * 100 > of * PREROLL_PERCENT;
}

static bool is_tied(const struct gm_inst *inst, size_t i, uint64_t total)
{
    return total > 0 && i > 0 && joins(&inst->chunks[i]) && joins(&inst->chunks[i - 1]) &&
           is_costly(inst->chunks[i].preroll, total);
}

/* From the chunk on: as many as one run should have. */
static struct gm_run run_from(const struct gm_inst *inst, size_t first, uint64_t share,
                              uint64_t total)
{
    struct gm_run run = {(uint32_t)first, 1};
    uint64_t frames = inst->chunks[first].frames;
    uint64_t preroll = inst->chunks[first].preroll;
    if (inst->chunks[first].alone) {
        return run;
    }
    for (size_t i = first + 1; i < inst->chunk_count && joins(&inst->chunks[i]); i++) {
        uint64_t next = frames + inst->chunks[i].frames;
        uint64_t limit = is_costly(preroll, frames) ? share : share / 2;
        if (run.count == LONGEST_RUN || (next > limit && !is_tied(inst, i, total))) {
            break;
        }
        frames = next;
        run.count++;
    }
    return run;
}

struct gm_run gm_core_run_next(const struct gm_inst *inst, uint64_t slots, uint64_t total,
                               bool more)
{
    struct gm_run run = {0, 0};
    uint64_t waiting = 0;
    size_t first = inst->chunk_count, largest = inst->chunk_count;
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state == GM_TASK_READY) {
            waiting += inst->chunks[i].frames;
            first = first < i ? first : i;
            if (largest == inst->chunk_count ||
                inst->chunks[i].frames > inst->chunks[largest].frames) {
                largest = i;
            }
        }
    }
    if (first == inst->chunk_count) {
        return run;
    }
    uint64_t share = waiting / (slots > 0 ? slots : 1);
    if (first > 0 && share / 2 < inst->chunks[largest].frames) {
        first = largest;
    }
    for (unsigned n = 1; n < LONGEST_RUN && is_tied(inst, first, total); n++) {
        first--;
    }
    run = run_from(inst, first, share, total);
    const struct gm_core_chunk *last = &inst->chunks[run.first + run.count - 1];
    if (more && total > 0 && run.first + run.count == inst->chunk_count && !last->alone &&
        is_costly(last->frames, total)) {
        run.count = 0;
    }
    return run;
}
