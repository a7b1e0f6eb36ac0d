/* Runs: how many consecutive chunks one worker decodes in one go. Pure; without effect on bytes.
 *
 * Half of a slot's fair share of the frames that are ready, so that the work ends evenly, at most
 * 16 chunks; a run whose first chunk decodes many frames only to throw them away is made longer, to
 * pay that once, up to the whole fair share. In order; but when a run is one chunk anyway the
 * largest goes first, so that the last ones are small, except where the job's playlists grow.
 *
 * All runs together shall throw away no more than 15 % of the programme. What those that were given
 * out cost is spent; where what is left does not pay for a run of each chunk that is ready, some
 * are tied to the one before them and share its run, whatever the fair share says: those that cost
 * more than all that is left, and of the others as many as it takes, evenly, for the work is to end
 * evenly. What the next chunk costs shows when split announces it: until then the run that it might
 * have to share is held back, and others go first. It is not where that can save nothing: the chunk
 * is short, the source's keyframes are near, or nobody knows how long the programme is. The first
 * chunk waits only for one that would spend all by itself: there is soon to be something to play.
 */
#include "scheduler/core/run.h"
#include "scheduler/core/task.h"

#define LONGEST_RUN 16u
#define PREROLL_PERCENT 15u

static bool is_costly(uint64_t thrown_away, uint64_t of)
{
    return thrown_away * 100 > of * PREROLL_PERCENT;
}

/* Frames thrown away, in hundredths. */
struct purse {
    uint64_t spent;  /* by runs given out, and by chunks that cannot share one */
    uint64_t left;   /* for the others */
    uint64_t wanted; /* by those of the others that cost no more than that */
    size_t ties_at;  /* what `ties` says is of this chunk and those behind it */
    uint32_t ties;   /* bits: it is tied to the one before it */
};

static uint64_t cost_of(const struct gm_core_chunk *c)
{
    return c->preroll * UINT64_C(100);
}

static struct purse purse_of(const struct gm_inst *inst, uint64_t total)
{
    struct purse p = {.spent = inst->sums.spent * 100};
    uint64_t most = total * PREROLL_PERCENT;
    p.left = total == 0 ? UINT64_MAX : most > p.spent ? most - p.spent : 0;
    p.wanted = gm_sums_shared(inst, p.left / 100) * 100;
    return p;
}

/* Which chunks around `at` are tied. Up to each chunk no more is paid than its part of what is
 * left: that is a walk, over what is ready, but only where not all is paid. */
static void find_ties(const struct gm_inst *inst, size_t at, struct purse *p)
{
    uint64_t paid = 0, seen = 0;
    size_t end = at + LONGEST_RUN < inst->chunk_count ? at + LONGEST_RUN : inst->chunk_count;
    p->ties_at = at < LONGEST_RUN ? 0 : at - LONGEST_RUN + 1;
    p->ties = 0;
    bool all_paid = p->wanted <= p->left;
    if (all_paid && p->left >= inst->sums.most_preroll * UINT64_C(100)) {
        return;
    }
    size_t i = gm_sums_next(inst, all_paid ? p->ties_at : 0);
    for (; i < end; i = gm_sums_next(inst, i + 1)) {
        uint64_t cost = cost_of(&inst->chunks[i]);
        bool tied = cost > p->left;
        if (!gm_sums_can_share(inst, i)) {
            continue;
        }
        if (!tied && !all_paid) {
            seen += cost;
            tied = (__int128)(paid + cost) * p->wanted > (__int128)p->left * seen;
            paid += tied ? 0 : cost;
        }
        if (tied && i >= p->ties_at) {
            p->ties |= UINT32_C(1) << (i - p->ties_at);
        }
    }
}

/* Of those that find_ties looked for. */
static bool is_tied(size_t i, const struct purse *p)
{
    return (p->ties >> (i - p->ties_at) & 1) != 0;
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
    for (size_t i = first + 1; i < end && gm_sums_can_share(inst, i); i++) {
        uint64_t next = frames + inst->chunks[i].frames;
        uint64_t limit = is_costly(preroll, frames) ? share : share / 2;
        if (run.count == LONGEST_RUN || (next > limit && !is_tied(i, purse))) {
            break;
        }
        frames = next;
        run.count++;
    }
    return run;
}

/* Of those before `end` that no node has failed: GM_SUMS_NONE where there is none. */
static void find_untried(const struct gm_inst *inst, size_t end, uint32_t *first, uint32_t *largest)
{
    *first = *largest = GM_SUMS_NONE;
    for (uint32_t i = gm_sums_next(inst, 0); i < end; i = gm_sums_next(inst, i + 1)) {
        const struct gm_core_chunk *c = &inst->chunks[i];
        if (c->unit.avoid_count > 0) {
            continue;
        }
        *first = *first < i ? *first : i;
        if (*largest == GM_SUMS_NONE || c->frames > inst->chunks[*largest].frames) {
            *largest = i;
        }
    }
}

/* The next run of chunks before `end`. */
static struct gm_run pick(const struct gm_inst *inst, size_t end, const struct gm_run_ask *ask,
                          struct purse *purse)
{
    uint32_t first = gm_sums_next(inst, 0), largest = gm_sums_largest(inst, end);
    if (ask->untried) {
        find_untried(inst, end, &first, &largest);
    }
    if (first >= end) {
        return (struct gm_run){0, 0};
    }
    uint64_t share = inst->sums.waiting / (ask->slots > 0 ? ask->slots : 1);
    if (first > 0 && !ask->in_order && share / 2 < inst->chunks[largest].frames) {
        first = largest;
    }
    find_ties(inst, first, purse);
    for (unsigned n = 1; n < LONGEST_RUN && is_tied(first, purse); n++) {
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

struct gm_run gm_core_run_next(const struct gm_inst *inst, const struct gm_run_ask *ask)
{
    struct purse purse = purse_of(inst, ask->total);
    struct gm_run run = pick(inst, inst->chunk_count, ask, &purse);
    return is_held(inst, &run, ask, &purse) ? pick(inst, run.first, ask, &purse) : run;
}

uint64_t gm_core_run_held(const struct gm_inst *inst, const struct gm_run_ask *ask)
{
    struct purse purse = purse_of(inst, ask->total);
    struct gm_run run = pick(inst, inst->chunk_count, ask, &purse);
    return is_held(inst, &run, ask, &purse) ? run.count : 0;
}

void gm_core_run_note(struct gm_inst *inst, const struct gm_run *run)
{
    for (size_t i = 0; i < run->count && run->first + i < inst->chunk_count; i++) {
        inst->chunks[run->first + i].leads = i == 0;
        gm_sums_note(inst, run->first + i);
    }
}

static struct gm_run_ask ask_of(const struct gm_inst *inst, uint64_t slots, bool untried)
{
    return (struct gm_run_ask){.slots = slots,
                               .total = gm_core_inst_frames(inst),
                               .lead = gm_core_inst_lead(inst),
                               .untried = untried,
                               .in_order = inst->task->job->pipeline->early};
}

struct gm_run gm_core_inst_run(const struct gm_inst *inst, uint64_t slots, bool untried)
{
    struct gm_run_ask ask = ask_of(inst, slots, untried);
    return gm_core_run_next(inst, &ask);
}

uint64_t gm_core_inst_held(const struct gm_inst *inst, uint64_t slots)
{
    struct gm_run_ask ask = ask_of(inst, slots, false);
    return gm_core_run_held(inst, &ask);
}
