#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cut.h"

#define MIB ((uint64_t)1 << 20)

static struct gm_err err;

static uint64_t sum(const struct gm_cut *cut, size_t upto)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < upto; i++) {
        assert_true(cut->sizes[i] > 0);
        bytes += cut->sizes[i];
    }
    return bytes;
}

static void any_size_is_cut_whole(void **state)
{
    static const struct {
        uint64_t size;
        size_t parts;
        uint64_t first;
    } rows[] = {
        {1, 1, 1},
        {MIB, 1, MIB},
        {MIB + 1, 1, MIB + 1},
        {MIB * 3 / 2, 2, MIB},
        {40 * MIB, 40, MIB},
        {640 * MIB, 64, 10 * MIB},
        {(uint64_t)4 << 30, 256, 16 * MIB},
        {(uint64_t)1 << 40, 10000, 109951163},
        {(uint64_t)1 << 40 | 1, 10000, 109951163},
        {GM_CUT_TARGET * GM_CUT_MOST, 10000, 16 * MIB},
        {GM_CUT_TARGET * GM_CUT_MOST + 1, 10000, 16 * MIB + 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_cut cut;
        assert_int_equal(gm_cut_plan(rows[i].size, NULL, 0, &cut, &err), 0);
        assert_int_equal(cut.count, rows[i].parts);
        assert_int_equal(cut.sizes[0], rows[i].first);
        assert_int_equal(sum(&cut, cut.count), rows[i].size);
        gm_cut_fini(&cut);
    }
}

static void parts_begin_at_keyframes(void **state)
{
    /* of 4 MiB: the place 1 MiB has one on both sides, 2 none that is near, 3 one that is just so
     */
    static const uint64_t keyframes[] = {10, MIB - 200, MIB + 100, MIB + 300,
                                         3 * MIB - MIB / 2 + 1};
    struct gm_cut cut;
    (void)state;
    assert_int_equal(gm_cut_plan(4 * MIB, keyframes, 5, &cut, &err), 0);
    assert_int_equal(cut.count, 4);
    assert_int_equal(sum(&cut, 1), MIB + 100);
    assert_int_equal(sum(&cut, 2), 2 * MIB);
    assert_int_equal(sum(&cut, 3), 3 * MIB - MIB / 2 + 1);
    assert_int_equal(sum(&cut, 4), 4 * MIB);
    gm_cut_fini(&cut);
}

static void head_and_end_go_first(void **state)
{
    uint64_t sizes[] = {5 * MIB, 5 * MIB, MIB, MIB, 3 * MIB, 6 * MIB};
    static const size_t wanted[] = {0, 1, 4, 5, 2, 3};
    struct gm_cut cut = {sizes, 6};
    size_t *order = NULL, ends = 0;
    (void)state;
    assert_int_equal(gm_cut_order(&cut, &order, &ends, &err), 0);
    assert_int_equal(ends, 4);
    assert_memory_equal(order, wanted, sizeof wanted);
    free(order);
    cut.count = 2;
    assert_int_equal(gm_cut_order(&cut, &order, &ends, &err), 0);
    assert_int_equal(ends, 2);
    assert_int_equal(order[1], 1);
    free(order);
}

static void only_whole_lists_of_the_worker_are_read(void **state)
{
    static const char *const wrong[] = {
        "",          "10\n",          "10\nend",    "10\n10\nend\n",
        "0\nend\n",  "20\n10\nend\n", "100\nend\n", "1x\nend\n",
        "end",       "end\nend\n",    "-1\nend\n",  "99999999999999999999999\nend\n",
        "010\nend\n"};
    uint64_t *offsets = NULL;
    size_t count = 9;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(gm_cut_read(wrong[i], 100, &offsets, &count, &err), -GM_E_PROTO);
    }
    assert_int_equal(gm_cut_read("end\n", 100, &offsets, &count, &err), 0);
    assert_int_equal(count, 0);
    free(offsets);
    assert_int_equal(gm_cut_read("1\n99\nend\n", 100, &offsets, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(offsets[1], 99);
    free(offsets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_size_is_cut_whole),
        cmocka_unit_test(parts_begin_at_keyframes),
        cmocka_unit_test(head_and_end_go_first),
        cmocka_unit_test(only_whole_lists_of_the_worker_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
