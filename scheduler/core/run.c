/* Runs: how many consecutive chunks one worker decodes in one go. Pure; without effect on bytes.
 *
 * Half of a slot's fair share of the frames that are ready, so that the work ends evenly, at most
 * 16 chunks; a run whose first chunk decodes many frames only to throw them away is made longer, to
 * pay that once, up to the whole fair share. In order; but when a run is one chunk anyway the
 * largest goes first, so that the last ones are small.
 */
#include "scheduler/core/state.h"

#define LONGEST_RUN 16u
#define PREROLL_PERCENT 15u

static bool joins(const struct gm_core_chunk *c)
{
    return c->unit.state == GM_TASK_READY && !c->alone;
}

struct gm_run gm_core_run_next(const struct gm_inst *inst, uint64_t slots)
{
    struct gm_run run = {0, 0};
    uint64_t ready = 0, waiting = 0;
    size_t first = inst->chunk_count, largest = 0;
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state == GM_TASK_READY) {
            ready++;
            waiting += inst->chunks[i].frames;
            if (ready == 1 || inst->chunks[i].frames > inst->chunks[largest].frames) {
                largest = i;
            }
            first = first < i ? first : i;
        }
    }
    if (ready == 0) {
        return run;
    }
    uint64_t share = waiting / (slots > 0 ? slots : 1);
    if (first > 0 && share / 2 < inst->chunks[largest].frames) {
        first = largest;
    }
    run.first = (uint32_t)first;
    run.count = 1;
    if (inst->chunks[first].alone) {
        return run;
    }
    uint64_t frames = inst->chunks[first].frames;
    uint64_t preroll = inst->chunks[first].preroll;
    for (size_t i = first + 1; i < inst->chunk_count && joins(&inst->chunks[i]); i++) {
        bool costly = preroll * 100 > frames * PREROLL_PERCENT;
        uint64_t next = frames + inst->chunks[i].frames;
        if (run.count == LONGEST_RUN || next > (costly ? share : share / 2)) {
            break;
        }
        frames += inst->chunks[i].frames;
        run.count++;
    }
    return run;
}
