#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/images/tiles.h"

#define MAX 16

static size_t choose(uint32_t index, const int64_t *times, size_t count, int64_t end_ts,
                     int64_t interval, size_t *out)
{
    Gm__ChunkHeader h = GM__CHUNK_HEADER__INIT;
    Gm__FrameEntry entries[MAX];
    Gm__FrameEntry *list[MAX];
    for (size_t i = 0; i < count; i++) {
        gm__frame_entry__init(&entries[i]);
        entries[i].out_ts = times[i];
        list[i] = &entries[i];
    }
    h.index = index;
    h.frames = list;
    h.n_frames = count;
    h.end_ts = end_ts;
    return gm_tiles_select(&h, interval, out, MAX);
}

static void the_frame_on_screen_at_each_multiple_is_taken(void **state)
{
    (void)state;
    static const struct {
        uint32_t index;
        int64_t times[8];
        size_t count;
        int64_t end;
        size_t want[8];
        size_t wanted;
    } rows[] = {
        {0, {0, 10, 20, 30, 40, 50, 60}, 7, 70, {0, 5}, 2},
        {0, {0, 12, 24, 36, 48, 60}, 6, 72, {0, 4}, 2},
        {0, {0, 20, 40}, 3, 60, {0, 2}, 2},
        /* the chunk ends at the multiple: it is the next chunk's */
        {0, {0, 10, 20, 30, 40}, 5, 50, {0}, 1},
        {1, {50, 60, 70}, 3, 80, {0}, 1},
        {1, {51, 61, 71}, 3, 81, {0}, 0},
        {1, {60, 75, 90, 105}, 4, 120, {2}, 1},
        /* a programme that starts late still begins with a tile */
        {0, {7, 17, 27, 37, 47, 57}, 6, 67, {0, 4}, 2},
        {0, {70, 90, 110}, 3, 130, {0, 1}, 2},
        /* a frame that is on screen at several multiples is one tile */
        {0, {0, 120, 240}, 3, 400, {0, 1, 2}, 3},
        {0, {0, 120, 130, 140}, 4, 400, {0, 3}, 2},
        {3, {400, 620}, 2, 999, {0, 1}, 2},
        {0, {0}, 0, 100, {0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t out[MAX] = {0};
        size_t n = choose(rows[i].index, rows[i].times, rows[i].count, rows[i].end, 50, out);
        if (n != rows[i].wanted) {
            fail_msg("row %zu: %zu tiles", i, n);
        }
        assert_memory_equal(out, rows[i].want, n * sizeof out[0]);
    }
}

static void room_is_never_overrun(void **state)
{
    (void)state;
    Gm__ChunkHeader h = GM__CHUNK_HEADER__INIT;
    Gm__FrameEntry entry = GM__FRAME_ENTRY__INIT;
    Gm__FrameEntry second = GM__FRAME_ENTRY__INIT;
    Gm__FrameEntry *list[] = {&entry, &second};
    size_t out[2] = {9, 9};
    second.out_ts = 100;
    h.frames = list;
    h.n_frames = 2;
    h.end_ts = 200;
    assert_int_equal(gm_tiles_select(&h, 10, out, 1), 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 9);
    assert_int_equal(gm_tiles_select(&h, 0, out, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frame_on_screen_at_each_multiple_is_taken),
        cmocka_unit_test(room_is_never_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
