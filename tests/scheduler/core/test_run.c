/* How long a run is. */
#include "sim_io.h"

#include <string.h>

#include "scheduler/core/state.h"

struct row {
    const char *chunks; /* r ready, L ready and three times as long, a ready but alone, x running, d
                           done, b in a pause */
    uint32_t preroll;   /* of every chunk, of 100 frames */
    uint64_t slots;
    uint32_t first, count;
};

static void assert_run(const struct row *row, size_t number, uint64_t total, bool more)
{
    struct gm_core_chunk chunks[64];
    struct gm_inst inst = {.chunks = chunks, .chunk_count = strlen(row->chunks)};
    memset(chunks, 0, sizeof(chunks));
    for (size_t c = 0; c < inst.chunk_count; c++) {
        char k = row->chunks[c];
        chunks[c].unit.state = k == 'r' || k == 'a' || k == 'L' ? GM_TASK_READY
                               : k == 'x'                       ? GM_TASK_RUNNING
                               : k == 'd'                       ? GM_TASK_DONE
                                                                : GM_TASK_BACKOFF;
        chunks[c].alone = k == 'a';
        chunks[c].frames = k == 'L' ? 300 : 100;
        chunks[c].preroll = row->preroll;
    }
    struct gm_run run = gm_core_run_next(&inst, row->slots, total, more);
    if (run.first != row->first || run.count != row->count) {
        fail_msg("row %zu: first %u, count %u", number, run.first, run.count);
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
        assert_run(&table[i], i, 0, false);
    }
}

static void costly_chunks_share_the_run_of_the_one_before(void **arg)
{
    static const struct {
        struct row row;
        uint64_t total; /* frames of the programme; 0: not known */
        bool more;      /* chunks are still to come */
    } table[] = {
        {{"rr", 31, 2, 0, 2}, 200, false}, /* more than 15 % of all */
        {{"rr", 30, 2, 0, 1}, 200, false},
        {{"rr", 31, 2, 0, 1}, 0, false},
        {{"rrr", 100, 8, 0, 3}, 300, false},
        {{"rrr", 100, 8, 0, 1}, 1000, false},
        {{"xrrLrr", 100, 8, 1, 5}, 600, false}, /* with those before the largest */
        {{"xrbLrr", 100, 8, 3, 3}, 600, false},
        {{"xraLrr", 100, 8, 3, 3}, 600, false}, /* but not with one that is alone */
        {{"rrrrrrrrrrrrrrrrrrrrL", 999, 8, 0, 16}, 2300, false},
        {{"xrrrrrrrrrrrrrrrrrrrL", 999, 8, 5, 16}, 2300, false},
        /* the next chunk may have to share the run */
        {{"r", 0, 2, 0, 0}, 300, true},
        {{"r", 0, 2, 0, 1}, 300, false},
        {{"r", 0, 2, 0, 1}, 700, true},
        {{"r", 0, 2, 0, 1}, 0, true},
        {{"a", 0, 2, 0, 1}, 300, true},
        {{"rr", 0, 2, 0, 1}, 300, true},
        {{"rr", 99, 2, 0, 0}, 300, true},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_run(&table[i].row, i, table[i].total, table[i].more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_follow_the_table),
        cmocka_unit_test(costly_chunks_share_the_run_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
