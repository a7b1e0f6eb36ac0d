/* Runs by sums that are kept, against walks over all chunks. */
#include "sim/sim_io.h"

#include <string.h>

#include "scheduler/core/run.h"
#include "scheduler/core/run_walk_io.h"

#define MOST 200u

struct draw {
    uint64_t state;
};

static uint32_t draw(struct draw *d, uint32_t below)
{
    d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((d->state >> 33) % below);
}

struct programme {
    struct draw draw;
    struct gm_inst inst;
    struct gm_core_chunk chunks[MOST];
    uint32_t most_frames, most_preroll, pace;
    uint32_t held, shared, tied, runs; /* seen: how often each */
};

/* Mostly as split cuts: alike, few that throw anything away. */
static void make(struct programme *p, uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->draw.state = seed;
    p->inst.chunks = p->chunks;
    static const uint32_t prerolls[] = {1, 30, 300, 5000, 20000};
    p->most_frames = 1 + draw(&p->draw, 300);
    p->most_preroll = prerolls[draw(&p->draw, 5)];
    p->pace = 2 + draw(&p->draw, 7);
}

static void announce(struct programme *p)
{
    if (p->inst.chunk_count == MOST) {
        return;
    }
    struct gm_core_chunk *c = &p->chunks[p->inst.chunk_count++];
    c->frames = draw(&p->draw, 3) > 0 ? p->most_frames : 1 + draw(&p->draw, p->most_frames);
    c->preroll = draw(&p->draw, 2) > 0 ? draw(&p->draw, p->most_preroll) : 0;
    c->unit.state = draw(&p->draw, 8) > 0 ? GM_TASK_READY : GM_TASK_BLOCKED;
    gm_sums_note(&p->inst, p->inst.chunk_count - 1);
}

static void turn(struct programme *p)
{
    static const enum gm_task_state states[] = {GM_TASK_READY,   GM_TASK_READY,   GM_TASK_RUNNING,
                                                GM_TASK_DONE,    GM_TASK_BACKOFF, GM_TASK_FAILED,
                                                GM_TASK_BLOCKED, GM_TASK_ENDED};
    if (p->inst.chunk_count == 0) {
        return;
    }
    size_t at = draw(&p->draw, (uint32_t)p->inst.chunk_count);
    struct gm_core_chunk *c = &p->chunks[at];
    switch (draw(&p->draw, 6)) {
    case 0:
        c->alone = !c->alone;
        break;
    case 1:
        c->unit.avoid_count = c->unit.avoid_count > 0 ? 0 : 1;
        break;
    default:
        c->unit.state = states[draw(&p->draw, 8)];
    }
    gm_sums_note(&p->inst, at);
}

/* Gives the run out, or not. */
static void give(struct programme *p, struct gm_run run)
{
    gm_core_run_note(&p->inst, &run);
    for (uint32_t i = 0; i < run.count; i++) {
        p->chunks[run.first + i].unit.state =
            draw(&p->draw, 4) > 0 ? GM_TASK_DONE : GM_TASK_RUNNING;
        gm_sums_note(&p->inst, run.first + i);
    }
}

static struct gm_run_ask ask_of(struct programme *p)
{
    uint64_t all = 0;
    for (size_t i = 0; i < p->inst.chunk_count; i++) {
        all += p->chunks[i].frames;
    }
    static const uint64_t leads[] = {0, 45, UINT64_MAX};
    struct gm_run_ask ask = {.slots = draw(&p->draw, 3) > 0 ? draw(&p->draw, 12) : 1000,
                             .total = all + draw(&p->draw, 1000),
                             .lead = leads[draw(&p->draw, 3)],
                             .untried = draw(&p->draw, 5) == 0};
    ask.total = draw(&p->draw, 8) > 0 ? ask.total : 0;
    return ask;
}

static struct gm_run compare(struct programme *p, uint64_t seed, uint32_t step)
{
    struct gm_run_ask ask = ask_of(p);
    struct gm_run run = gm_core_run_next(&p->inst, &ask);
    struct gm_run walked = run_walk_next(&p->inst, &ask);
    uint64_t held = gm_core_run_held(&p->inst, &ask);
    struct gm_err err;
    if (run.first != walked.first || run.count != walked.count) {
        fail_msg("programme %u, step %u: %u chunks from %u on, by a walk %u from %u on",
                 (unsigned)seed, step, run.count, run.first, walked.count, walked.first);
    }
    if (held != run_walk_held(&p->inst, &ask)) {
        fail_msg("programme %u, step %u: %u chunks are held", (unsigned)seed, step, (unsigned)held);
    }
    if (gm_sums_check(&p->inst, &err) < 0) {
        fail_msg("programme %u, step %u: %s", (unsigned)seed, step, err.text);
    }
    p->runs += run.count > 0 ? 1 : 0;
    p->shared += run.count > 1 ? 1 : 0;
    p->held += held > 0 ? 1 : 0;
    p->tied += p->inst.sums.shared * 100 > ask.total * 15 && ask.total > 0 ? 1 : 0;
    return run;
}

static void sums_find_what_walks_find(void **arg)
{
    static struct programme p;
    uint64_t runs = 0, shared = 0, held = 0, tied = 0;
    (void)arg;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        make(&p, seed);
        for (uint32_t step = 0; step < 60; step++) {
            for (uint32_t n = draw(&p.draw, p.pace); n > 0; n--) {
                announce(&p);
            }
            for (uint32_t n = draw(&p.draw, 3); n > 0; n--) {
                turn(&p);
            }
            struct gm_run run = compare(&p, seed, step);
            if (draw(&p.draw, 4) > 0) {
                give(&p, run);
            }
        }
        runs += p.runs;
        shared += p.shared;
        held += p.held;
        tied += p.tied;
        gm_sums_fini(&p.inst.sums);
    }
    /* of 240,000 */
    assert_true(runs > 150000 && shared > 50000 && held > 5000 && tied > 10000);
}

static void what_is_next_is_found_behind_any_chunk(void **arg)
{
    static struct programme p;
    (void)arg;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        make(&p, seed);
        while (p.inst.chunk_count < MOST) {
            announce(&p);
            turn(&p);
        }
        for (uint32_t from = 0; from <= MOST + 60; from++) {
            uint32_t next = from;
            while (next < MOST && p.chunks[next].unit.state != GM_TASK_READY) {
                next++;
            }
            assert_int_equal(gm_sums_next(&p.inst, from), next < MOST ? next : GM_SUMS_NONE);
            uint32_t largest = GM_SUMS_NONE;
            for (uint32_t i = 0; i < from && i < MOST; i++) {
                bool more =
                    largest == GM_SUMS_NONE || p.chunks[i].frames > p.chunks[largest].frames;
                largest = p.chunks[i].unit.state == GM_TASK_READY && more ? i : largest;
            }
            assert_int_equal(gm_sums_largest(&p.inst, from), largest);
        }
        gm_sums_fini(&p.inst.sums);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_find_what_walks_find),
        cmocka_unit_test(what_is_next_is_found_behind_any_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
