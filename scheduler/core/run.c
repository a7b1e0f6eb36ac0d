/* Runs: how many consecutive chunks one worker decodes in one go. Pure; without effect on bytes.
 *
 * Half of a slot's fair share of what is ready, so that the work ends evenly, at most 16 chunks; a
 * run whose first chunk decodes many frames only to throw them away is made longer, to pay that
 * once, at most 32.
 */
#include "scheduler/core/state.h"

#define LONGEST_RUN 16u
#define LONGEST_WITH_PREROLL 32u
#define PREROLL_PERCENT 15u

static bool joins(const struct gm_core_chunk *c)
{
    return c->unit.state == GM_TASK_READY && !c->alone;
}

struct gm_run gm_core_run_next(const struct gm_inst *inst, uint64_t slots)
{
    struct gm_run run = {0, 0};
    uint64_t ready = 0;
    size_t first = inst->chunk_count;
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state == GM_TASK_READY) {
            ready++;
            first = first < i ? first : i;
        }
    }
    if (ready == 0) {
        return run;
    }
    run.first = (uint32_t)first;
    run.count = 1;
    if (inst->chunks[first].alone) {
        return run;
    }
    uint64_t share = ready / (2 * (slots > 0 ? slots : 1));
    uint64_t most = share < 1 ? 1 : share > LONGEST_RUN ? LONGEST_RUN : share;
    uint64_t frames = inst->chunks[first].frames;
    uint64_t preroll = inst->chunks[first].preroll;
    for (size_t i = first + 1; i < inst->chunk_count && joins(&inst->chunks[i]); i++) {
        bool costly = preroll * 100 > frames * PREROLL_PERCENT && run.count < LONGEST_WITH_PREROLL;
        if (run.count >= most && !costly) {
            break;
        }
        frames += inst->chunks[i].frames;
        run.count++;
    }
    return run;
}
