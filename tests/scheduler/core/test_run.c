/* How long a run is. */
#include "sim/sim_io.h"

#include <string.h>

#include "scheduler/core/run.h"

struct row {
    const char *chunks; /* r ready, L ready and three times as long, a ready but alone, f so, and a
                           node failed it, x running, d done, b in a pause */
    uint32_t preroll;   /* of every chunk, of 100 frames */
    uint64_t slots;
    uint32_t first, count;
};

static struct gm_inst make_inst(const struct row *row, struct gm_core_chunk chunks[64])
{
    struct gm_inst inst = {.chunks = chunks};
    memset(chunks, 0, 64 * sizeof(chunks[0]));
    for (size_t c = 0; c < strlen(row->chunks); c++) {
        char k = row->chunks[c];
        chunks[c].unit.state = strchr("raLf", k) ? GM_TASK_READY
                               : k == 'x'        ? GM_TASK_RUNNING
                               : k == 'd'        ? GM_TASK_DONE
                                                 : GM_TASK_BACKOFF;
        chunks[c].alone = k == 'a' || k == 'f';
        chunks[c].unit.avoid_count = k == 'f' ? 1 : 0;
        chunks[c].frames = k == 'L' ? 300 : 100;
        chunks[c].preroll = row->preroll;
        gm_sums_note(&inst, inst.chunk_count++);
    }
    return inst;
}

static void assert_run(const struct row *row, size_t number, struct gm_run_ask ask)
{
    struct gm_core_chunk chunks[64];
    struct gm_inst inst = make_inst(row, chunks);
    ask.slots = row->slots;
    struct gm_run run = gm_core_run_next(&inst, &ask);
    gm_sums_fini(&inst.sums);
    if (run.first != row->first || run.count != row->count) {
        fail_msg("row %zu: first %u, count %u", number, run.first, run.count);
    }
}

static void assert_held(const struct row *row, size_t number, struct gm_run_ask ask, uint64_t held)
{
    struct gm_core_chunk chunks[64];
    struct gm_inst inst = make_inst(row, chunks);
    ask.slots = row->slots;
    uint64_t count = gm_core_run_held(&inst, &ask);
    gm_sums_fini(&inst.sums);
    if (count != held) {
        fail_msg("row %zu: %u are held", number, (unsigned)count);
    }
}

static void runs_follow_the_table(void **arg)
{
    static const struct row table[] = {
        {"", 0, 1, 0, 0},
        {"ddxb", 0, 1, 0, 0},
        {"r", 0, 1, 0, 1},
        {"rrrr", 0, 1, 0, 2}, /* 4 / (2 * 1) */
        {"rrrr", 0, 2, 0, 1},
        {"rrrr", 0, 0, 0, 2}, /* no slot counts as one */
        {"ddxrrrr", 0, 1, 3, 2},
        {"rrxrrrrr", 0, 1, 0, 2},  /* a hole ends it */
        {"arrrrr", 0, 1, 0, 1},    /* alone stays alone */
        {"rarrrr", 0, 1, 0, 1},    /* and joins nobody */
        {"rrrrrrrr", 16, 2, 0, 2}, /* 8 / (2 * 2); preroll > 15 % of one chunk, not of two */
        {"rrrrrrrr", 40, 2, 0, 3}, /* 40 <= 15 % of 300 */
        {"rrrrrrrr", 90, 2, 0, 4}, /* no more than the whole fair share */
        {"rrrrrrrr", 90, 8, 0, 1}, /* others would have nothing to do */
        {"xrrLrr", 0, 2, 3, 1},    /* the largest first, when it is a run by itself */
        {"xrLrLr", 0, 2, 2, 1},
        {"rrLrr", 0, 2, 0, 1},         /* but the very first chunk is never kept waiting */
        {"xrrLrrrrrrrrr", 0, 2, 1, 2}, /* 1400 / (2 * 2) is more than the largest */
        {"rrrrrrrr", 15, 4, 0, 1},     /* exactly 15 % is fine */
        {"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 0, 1, 0, 16}, /* longest */
        {"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 9999, 1, 0, 16},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_run(&table[i], i, (struct gm_run_ask){0});
    }
}

static void who_is_watched_goes_on_with_the_next_chunk(void **arg)
{
    static const struct row row = {"xrrLrr", 0, 2, 1, 1};
    (void)arg;
    assert_run(&row, 0, (struct gm_run_ask){.in_order = true});
}

static void costly_chunks_share_the_run_of_the_one_before(void **arg)
{
    static const struct {
        struct row row;
        uint64_t total; /* frames of the programme; 0: not known */
    } table[] = {
        {{"rr", 31, 2, 0, 2}, 200}, /* more than 15 % of all */
        {{"rr", 30, 2, 0, 1}, 400},
        {{"xr", 31, 2, 1, 1}, 200}, /* that one is not there any more */
        {{"ra", 31, 2, 0, 1}, 200},
        {{"dxrrrr", 10, 8, 2, 1}, 600}, /* 10 are spent, 80 are left for 30 */
        {{"dxrrrr", 30, 8, 2, 2}, 600}, /* 30, 60, for 90: two of three pay for themselves */
        {{"dxrrrr", 50, 8, 2, 4}, 600}, /* 50, 40: none does */
        {{"rr", 31, 2, 0, 1}, 0},
        {{"rrr", 100, 8, 0, 3}, 300},
        {{"rrr", 100, 8, 0, 3}, 1000}, /* the first one's are spent: 50 are left */
        {{"rrr", 100, 8, 0, 2}, 1400}, /* 110, for one of two: the last */
        {{"rrr", 100, 8, 0, 1}, 2000},
        {{"xrrLrr", 100, 8, 1, 5}, 600}, /* with those before the largest */
        {{"xrbLrr", 100, 8, 3, 3}, 600},
        {{"xraLrr", 100, 8, 3, 3}, 600}, /* but not with one that is alone */
        {{"rrrrrrrrrrrrrrrrrrrrL", 999, 8, 0, 16}, 2300},
        {{"xrrrrrrrrrrrrrrrrrrrL", 999, 8, 5, 16}, 2300},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_run(&table[i].row, i, (struct gm_run_ask){.total = table[i].total});
    }
}

#define ANY UINT64_MAX

static void what_the_next_chunk_may_have_to_share_is_held_back(void **arg)
{
    static const struct {
        struct row row;
        uint64_t total, lead;
        uint64_t held;
    } table[] = {
        {{"r", 0, 2, 0, 0}, 300, ANY, 1},
        {{"r", 0, 2, 0, 1}, 300, 0, 0}, /* none comes */
        {{"r", 0, 2, 0, 1}, 700, ANY, 0},
        {{"r", 0, 2, 0, 1}, 0, ANY, 0}, /* of a programme of unknown length */
        {{"a", 0, 2, 0, 1}, 300, ANY, 0},
        {{"rr", 0, 2, 0, 1}, 300, ANY, 0},
        {{"rr", 99, 2, 0, 0}, 300, ANY, 2},
        /* keyframes are near: a run of its own throws away no more than that */
        {{"r", 0, 2, 0, 1}, 300, 3, 0},
        {{"r", 0, 2, 0, 1}, 300, 45, 0},
        {{"r", 0, 2, 0, 0}, 300, 46, 1},
        {{"rr", 99, 2, 0, 2}, 300, 45, 0},
        /* and no more than the last chunk decodes: 102 and its own 2 */
        {{"xr", 2, 2, 1, 1}, 700, ANY, 0},
        {{"xr", 3, 2, 0, 0}, 700, ANY, 1},
        {{"xr", 3, 2, 1, 1}, 700, 102, 0},
        {{"xr", 3, 2, 0, 0}, 700, 103, 1},
        {{"xr", 106, 2, 1, 1}, 700, 0, 0}, /* none comes, though all is spent */
        /* others go first */
        {{"xrL", 0, 8, 1, 1}, 700, ANY, 1},
        {{"xrL", 0, 8, 2, 1}, 700, 105, 0},
        {{"xrrL", 0, 1, 1, 2}, 1000, ANY, 1},
        {{"xrrL", 50, 8, 1, 1}, 1000, ANY, 1}, /* 50 are spent, 100 are left for both */
        {{"xrrL", 51, 8, 1, 2}, 1000, ANY, 1},
        {{"xrrL", 100, 8, 0, 0}, 1000, ANY, 3}, /* these are tied to it */
        {{"xLrbr", 0, 8, 1, 1}, 500, ANY, 0},
        {{"xbrxL", 0, 8, 2, 1}, 1000, ANY, 1},
        {{"xxL", 0, 8, 0, 0}, 1000, ANY, 1},
        {{"xxa", 0, 8, 2, 1}, 300, ANY, 0},
        /* the longest run has no place for the next one */
        {{"xrrrrrrrrrrrrrrrrrrrL", 999, 8, 5, 16}, 2300, ANY, 0},
        {{"xrrrrrrrrrrrrrrL", 999, 8, 0, 0}, 2300, ANY, 15},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct gm_run_ask ask = {.total = table[i].total, .lead = table[i].lead};
        assert_run(&table[i].row, i, ask);
        assert_held(&table[i].row, i, ask, table[i].held);
    }
}

/* A small farm: slots take runs whenever they are free, and a run takes as long as its frames and a
 * quarter of those thrown away. */
struct programme {
    uint32_t frames[24], preroll[24];
};
struct farm {
    uint64_t slots;
    uint64_t until[8];     /* when the slot is free */
    struct gm_run runs[8]; /* count 0: none */
    uint32_t started;
    uint64_t thrown_away;
};

static void set_state(struct gm_inst *inst, size_t chunk, enum gm_task_state state)
{
    inst->chunks[chunk].unit.state = state;
    gm_sums_note(inst, chunk);
}

static void start_runs(struct farm *farm, struct gm_inst *inst, uint64_t now,
                       const struct gm_run_ask *ask)
{
    for (uint64_t s = 0; s < farm->slots; s++) {
        struct gm_run *run = &farm->runs[s];
        if (run->count > 0 && farm->until[s] > now) {
            continue;
        }
        for (uint32_t i = 0; i < run->count; i++) {
            set_state(inst, run->first + i, GM_TASK_DONE);
        }
        *run = gm_core_run_next(inst, ask);
        if (run->count == 0) {
            continue;
        }
        uint32_t preroll = inst->chunks[run->first].preroll;
        gm_core_run_note(inst, run);
        farm->until[s] = now + preroll / 4;
        for (uint32_t i = 0; i < run->count; i++) {
            set_state(inst, run->first + i, GM_TASK_RUNNING);
            farm->until[s] += inst->chunks[run->first + i].frames;
        }
        farm->thrown_away += preroll;
        farm->started++;
    }
}

static bool is_done(const struct gm_inst *inst)
{
    for (size_t i = 0; i < inst->chunk_count; i++) {
        if (inst->chunks[i].unit.state != GM_TASK_DONE) {
            return false;
        }
    }
    return true;
}

/* split cuts `speed` times as fast as a slot works; 0: all is there from the start. */
static struct farm work_off(const struct programme *p, uint64_t slots, uint32_t keyframes,
                            uint32_t speed)
{
    struct gm_core_chunk chunks[24] = {0};
    struct gm_inst inst = {.chunks = chunks};
    struct farm farm = {.slots = slots};
    uint64_t total = 0, next = 0;
    size_t count = 0;
    for (; count < 24 && p->frames[count] > 0; count++) {
        chunks[count].frames = p->frames[count];
        chunks[count].preroll = p->preroll[count];
        total += p->frames[count];
    }
    for (uint64_t now = 0; inst.chunk_count < count || !is_done(&inst); now++) {
        assert_true(now < 100 * total);
        while (inst.chunk_count < count && now >= next) {
            next += speed > 0 ? chunks[inst.chunk_count].frames / speed : 0;
            inst.chunk_count++;
            set_state(&inst, inst.chunk_count - 1, GM_TASK_READY);
        }
        struct gm_run_ask ask = {slots, total, inst.chunk_count < count ? 2 * keyframes + 1 : 0,
                                 false, false};
        start_runs(&farm, &inst, now, &ask);
    }
    gm_sums_fini(&inst.sums);
    return farm;
}

static void all_runs_together_throw_away_little(void **arg)
{
    /* as split cuts 40 s, 60 s and 120 s with a keyframe every 10 s, and 120 s with one every 8 s
     */
    static const struct programme ten_40 = {{150, 450, 150, 250}, {0, 150, 100, 0}};
    static const struct programme ten_60 = {{150, 450, 150, 300, 450}, {0, 150, 100, 0, 50}};
    static const struct programme ten_120 = {{150, 450, 150, 300, 450, 300, 450, 300, 450},
                                             {0, 150, 100, 0, 50, 0, 50, 0, 50}};
    static const struct programme even = {{100, 100, 100, 100, 100, 100, 100, 100, 100, 100},
                                          {0, 25, 25, 25, 25, 25, 25, 25, 25, 25}};
    static const struct programme one_keyframe = {
        {150, 750, 750, 750, 750, 750, 750, 750, 750},
        {0, 150, 900, 1650, 2400, 3150, 3900, 4650, 5400}};
    static const struct {
        const struct programme *p;
        uint32_t keyframes, speed;
        uint64_t slots;
        uint32_t runs;
        uint64_t thrown_away;
    } table[] = {
        {&ten_40, 250, 0, 1, 3, 100},        {&ten_40, 250, 0, 2, 3, 100},
        {&ten_40, 250, 0, 8, 3, 100},        {&ten_40, 250, 8, 2, 3, 150},
        {&ten_40, 250, 8, 8, 3, 150},        {&ten_60, 250, 0, 8, 4, 150},
        {&ten_60, 250, 8, 8, 4, 200},        {&ten_120, 250, 0, 2, 7, 150},
        {&ten_120, 250, 8, 2, 9, 400},       {&ten_120, 250, 0, 8, 9, 400},
        {&ten_120, 250, 8, 8, 9, 400},       {&even, 25, 0, 8, 7, 150},
        {&one_keyframe, 9999, 0, 8, 2, 900},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct farm farm = work_off(table[i].p, table[i].slots, table[i].keyframes, table[i].speed);
        if (farm.started != table[i].runs || farm.thrown_away != table[i].thrown_away) {
            fail_msg("row %zu: %u runs, %llu thrown away", i, farm.started,
                     (unsigned long long)farm.thrown_away);
        }
    }
}

static void chunks_that_failed_can_be_left_out(void **arg)
{
    static const struct row table[] = {
        {"xfrr", 0, 8, 2, 1}, {"xrfr", 0, 8, 1, 1}, {"frrrr", 0, 1, 1, 2}, {"xfbx", 0, 1, 0, 0}};
    static const struct row all[] = {{"xfrr", 0, 8, 1, 1}, {"xfbx", 0, 1, 1, 1}};
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_run(&table[i], i, (struct gm_run_ask){.untried = true});
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_run(&all[i], i, (struct gm_run_ask){.untried = false});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_follow_the_table),
        cmocka_unit_test(who_is_watched_goes_on_with_the_next_chunk),
        cmocka_unit_test(costly_chunks_share_the_run_of_the_one_before),
        cmocka_unit_test(what_the_next_chunk_may_have_to_share_is_held_back),
        cmocka_unit_test(all_runs_together_throw_away_little),
        cmocka_unit_test(chunks_that_failed_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
