/* Runs: how many consecutive chunks one worker decodes in one go. Pure; without effect on bytes.
 *
 * Half of a slot's fair share of the frames that are ready, so that the work ends evenly, at most
 * 16 chunks; a run whose first chunk decodes many frames only to throw them away is made longer, to
 * pay that once, up to the whole fair share. In order; but when a run is one chunk anyway the
 * largest goes first, so that the last ones are small.
 *
 * In a short programme with far keyframes one more run may throw away a large part of all: a chunk
 * that would is tied to the one before it and shares its run, whatever the fair share says. Whether
 * the next chunk will be, shows when split announces it: until then the run that it would share is
 * held back, and others go first. It is not where that can save nothing: the chunk is short, the
 * source's keyframes are near, or nobody knows how long the programme is.
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

/* From the chunk on: as many as one run should have, all before `end`. */
static struct gm_run run_from(const struct gm_inst *inst, size_t first, size_t end, uint64_t share,
                              uint64_t total)
{
    struct gm_run run = {(uint32_t)first, 1};
    uint64_t frames = inst->chunks[first].frames;
    uint64_t preroll = inst->chunks[first].preroll;
    if (inst->chunks[first].alone) {
        return run;
    }
    for (size_t i = first + 1; i < end && joins(&inst->chunks[i]); i++) {
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

/* The next run of chunks before `end`. */
static struct gm_run pick(const struct gm_inst *inst, size_t end, const struct gm_run_ask *ask)
{
    struct gm_run run = {0, 0};
    uint64_t waiting = 0;
    size_t first = end, largest = end;
    for (size_t i = inst->first_open; i < inst->chunk_count; i++) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        if (c->unit.state != GM_TASK_READY) {
            continue;
        }
        waiting += c->frames;
        if (i >= end || (ask->untried && c->unit.avoid_count > 0)) {
            continue;
        }
        first = first < i ? first : i;
        if (largest == end || c->frames > inst->chunks[largest].frames) {
            largest = i;
        }
    }
    if (first == end) {
        return run;
    }
    uint64_t share = waiting / (ask->slots > 0 ? ask->slots : 1);
    if (first > 0 && share / 2 < inst->chunks[largest].frames) {
        first = largest;
    }
    for (unsigned n = 1; n < LONGEST_RUN && is_tied(inst, first, ask->total); n++) {
        first--;
    }
    return run_from(inst, first, end, share, ask->total);
}

/* The next chunk may be tied to the run's last: with no keyframe in that one, a run of its own
 * would throw away all that the last one decodes. */
static bool is_held(const struct gm_inst *inst, const struct gm_run *run,
                    const struct gm_run_ask *ask)
{
    if (run->count == 0 || run->count == LONGEST_RUN ||
        run->first + run->count != inst->chunk_count || ask->total == 0) {
        return false;
    }
    const struct gm_core_chunk *last = &inst->chunks[inst->chunk_count - 1];
    uint64_t most = (uint64_t)last->preroll + last->frames;
    return !last->alone && is_costly(most < ask->lead ? most : ask->lead, ask->total);
}

struct gm_run gm_core_run_next(const struct gm_inst *inst, const struct gm_run_ask *ask)
{
    struct gm_run run = pick(inst, inst->chunk_count, ask);
    return is_held(inst, &run, ask) ? pick(inst, run.first, ask) : run;
}

struct gm_run gm_core_inst_run(const struct gm_inst *inst, uint64_t slots, bool untried)
{
    return gm_core_run_next(inst, &(struct gm_run_ask){.slots = slots,
                                                       .total = gm_core_job_frames(inst->task->job),
                                                       .lead = gm_core_inst_lead(inst),
                                                       .untried = untried});
}
