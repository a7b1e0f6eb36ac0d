/* Runs as walks over all chunks find them: see run_walk_io.h. */
#include "scheduler/core/run_walk_io.h"
#include "scheduler/core/run.h"

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

/* It could share the run of the chunk before it. */
static bool could_tie(const struct gm_inst *inst, size_t i)
{
    return i > 0 && joins(&inst->chunks[i]) && joins(&inst->chunks[i - 1]);
}

/* Frames thrown away, in hundredths. */
struct purse {
    uint64_t spent;  /* by runs given out, and by chunks that cannot share one */
    uint64_t left;   /* for the others */
    uint64_t wanted; /* by those of the others that cost no more than that */
};

static uint64_t cost_of(const struct gm_core_chunk *c)
{
    return c->preroll * UINT64_C(100);
}

static struct purse purse_of(const struct gm_inst *inst, uint64_t total)
{
    struct purse p = {0};
    for (size_t i = 0; i < inst->chunk_count; i++) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        bool given = c->unit.state == GM_TASK_RUNNING || c->unit.state == GM_TASK_DONE;
        p.spent += (given ? c->leads : !could_tie(inst, i)) ? cost_of(c) : 0;
    }
    uint64_t most = total * PREROLL_PERCENT;
    p.left = total == 0 ? UINT64_MAX : most > p.spent ? most - p.spent : 0;
    for (size_t i = 0; i < inst->chunk_count; i++) {
        uint64_t cost = cost_of(&inst->chunks[i]);
        p.wanted += could_tie(inst, i) && cost <= p.left ? cost : 0;
    }
    return p;
}

/* Up to each chunk no more is paid than its part of what is left. */
static bool is_tied(const struct gm_inst *inst, size_t last, const struct purse *p)
{
    if (!could_tie(inst, last)) {
        return false;
    }
    if (cost_of(&inst->chunks[last]) > p->left) {
        return true;
    }
    uint64_t paid = 0, seen = 0;
    bool tied = false;
    for (size_t i = 0; p->wanted > p->left && i <= last; i++) {
        uint64_t cost = cost_of(&inst->chunks[i]);
        if (could_tie(inst, i) && cost <= p->left) {
            seen += cost;
            tied = (__int128)(paid + cost) * p->wanted > (__int128)p->left * seen;
            paid += tied ? 0 : cost;
        }
    }
    return tied;
}

/* From the chunk on: as many as one run should have, all before `end`. */
static struct gm_run run_from(const struct gm_inst *inst, size_t first, size_t end, uint64_t share,
                              const struct purse *purse)
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
        if (run.count == LONGEST_RUN || (next > limit && !is_tied(inst, i, purse))) {
            break;
        }
        frames = next;
        run.count++;
    }
    return run;
}

/* The next run of chunks before `end`. */
static struct gm_run pick(const struct gm_inst *inst, size_t end, const struct gm_run_ask *ask,
                          const struct purse *purse)
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
    for (unsigned n = 1; n < LONGEST_RUN && is_tied(inst, first, purse); n++) {
        first--;
    }
    return run_from(inst, first, end, share, purse);
}

/* The next chunk may be tied to the run's last: with no keyframe in that one, a run of its own
 * would throw away all that the last one decodes. */
static bool is_held(const struct gm_inst *inst, const struct gm_run *run,
                    const struct gm_run_ask *ask, const struct purse *p)
{
    if (run->count == 0 || run->count == LONGEST_RUN ||
        run->first + run->count != inst->chunk_count || ask->total == 0 || ask->lead == 0) {
        return false;
    }
    const struct gm_core_chunk *last = &inst->chunks[inst->chunk_count - 1];
    uint64_t most = (uint64_t)last->preroll + last->frames;
    uint64_t others = p->spent + (p->wanted < p->left ? p->wanted : p->left);
    return !last->alone &&
           (most < ask->lead ? most : ask->lead) * 100 + (run->first > 0 ? others : 0) >
               ask->total * PREROLL_PERCENT;
}

struct gm_run run_walk_next(const struct gm_inst *inst, const struct gm_run_ask *ask)
{
    struct purse purse = purse_of(inst, ask->total);
    struct gm_run run = pick(inst, inst->chunk_count, ask, &purse);
    return is_held(inst, &run, ask, &purse) ? pick(inst, run.first, ask, &purse) : run;
}

uint64_t run_walk_held(const struct gm_inst *inst, const struct gm_run_ask *ask)
{
    struct purse purse = purse_of(inst, ask->total);
    struct gm_run run = pick(inst, inst->chunk_count, ask, &purse);
    return is_held(inst, &run, ask, &purse) ? run.count : 0;
}
