#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "media/encode/budget.h"

#define TICKS 1000
#define MOST 64

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void even_chunks_get_even_budgets(void **state)
{
    (void)state;
    struct gm_budget_params p = {
        .target_bps = 1000000, .timescale = TICKS, .reference_centi = 2300, .best_centi = 1000};
    struct gm_budget_chunk c[4];
    int64_t out[4];
    for (size_t i = 0; i < 4; i++) {
        c[i] = (struct gm_budget_chunk){.bits = 9000000, .duration_ts = 6 * TICKS};
    }
    assert_int_equal(gm_budget_plan(&p, c, 4, out, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out[i], 6000000);
    }
}

static void hard_chunks_get_more_but_not_all(void **state)
{
    (void)state;
    struct gm_budget_params p = {
        .target_bps = 1000000, .timescale = TICKS, .reference_centi = 2300, .best_centi = 500};
    struct gm_budget_chunk c[2] = {{1000000, 6 * TICKS}, {16000000, 6 * TICKS}};
    int64_t out[2];
    assert_int_equal(gm_budget_plan(&p, c, 2, out, NULL), 0);
    assert_true(llabs(out[0] + out[1] - 12000000) <= 2);
    /* 16 to the power of 0.8 is 9.19 */
    assert_true(out[1] / out[0] == 9);
}

static void the_sum_is_the_target_within_bounds(void **state)
{
    (void)state;
    uint32_t seed = 11;
    unsigned whole = 0, less = 0;
    for (int round = 0; round < 3000; round++) {
        size_t count = 1 + next_random(&seed) % MOST;
        struct gm_budget_chunk c[MOST];
        int64_t out[MOST], duration = 0, sum = 0;
        struct gm_budget_params p = {.target_bps = 50000 + next_random(&seed) % 8000000,
                                     .timescale = TICKS,
                                     .reference_centi = 2300,
                                     .best_centi = 1000};
        p.cap_bps = next_random(&seed) % 2 ? 2 * p.target_bps : 0;
        for (size_t i = 0; i < count; i++) {
            c[i].duration_ts = 1 + next_random(&seed) % (12 * TICKS);
            c[i].bits = 1 + next_random(&seed) % 30000000;
            duration += c[i].duration_ts;
        }
        assert_int_equal(gm_budget_plan(&p, c, count, out, NULL), 0);
        bool all_full = true;
        for (size_t i = 0; i < count; i++) {
            assert_true(out[i] >= 0);
            sum += out[i];
            int64_t cap = c[i].duration_ts * p.cap_bps / TICKS;
            assert_true(p.cap_bps == 0 || out[i] <= cap);
            all_full = all_full && (p.cap_bps > 0 && out[i] >= cap * 94 / 100 - 100);
        }
        int64_t target = duration * p.target_bps / TICKS;
        assert_true(sum <= target + (int64_t)count);
        whole += sum >= target - (int64_t)count * 2;
        less += sum < target - (int64_t)count * 2;
    }
    assert_true(whole > 1500 && less > 100);
}

static void crf_follows_the_bits(void **state)
{
    (void)state;
    assert_int_equal(gm_budget_crf(2300, 1000, 1000, 600), 2300);
    assert_int_equal(gm_budget_crf(2300, 2000, 1000, 600), 2900);
    assert_int_equal(gm_budget_crf(2300, 1000, 4000, 600), 1100);
    assert_true(gm_budget_crf(2300, 0, INT64_MAX, 1500) < 0);
    assert_int_equal(gm_budget_step(2300, 4000, 2900, 2000), 600);
    assert_int_equal(gm_budget_step(2900, 2000, 2300, 4000), 600);
    assert_int_equal(gm_budget_step(2300, 4000, 2700, 1000), 300);
    assert_int_equal(gm_budget_step(2300, 4000, 2310, 1000), 600); /* too close */
    assert_int_equal(gm_budget_step(2300, 4000, 2900, 5000), 600); /* the wrong way */
    assert_int_equal(gm_budget_step(1000, 4000, 4000, 3999), 1500);
    assert_int_equal(gm_budget_reference(0, 100, 25, 1, 2300), 2300);
    assert_int_equal(gm_budget_reference(1, 1 << 22, 25, 1, 2300), 3500);
    int32_t high = gm_budget_reference(1000000, 1280 * 720, 25, 1, 2300);
    int32_t low = gm_budget_reference(4000000, 1280 * 720, 25, 1, 2300);
    assert_true(high > 2300 && llabs(high - 1200 - low) <= 2);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct gm_budget_params p = {.target_bps = 1000, .timescale = TICKS};
    struct gm_budget_chunk c = {1, 1};
    int64_t out = 77;
    assert_int_equal(gm_budget_plan(&p, &c, 0, &out, NULL), -GM_E_INVAL);
    c.duration_ts = 0;
    assert_int_equal(gm_budget_plan(&p, &c, 1, &out, NULL), -GM_E_INVAL);
    c.duration_ts = 1;
    p.target_bps = 0;
    assert_int_equal(gm_budget_plan(&p, &c, 1, &out, NULL), -GM_E_INVAL);
    p.target_bps = 1;
    p.timescale = 0;
    assert_int_equal(gm_budget_plan(&p, &c, 1, &out, NULL), -GM_E_INVAL);
    assert_int_equal(out, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_chunks_get_even_budgets),
        cmocka_unit_test(hard_chunks_get_more_but_not_all),
        cmocka_unit_test(the_sum_is_the_target_within_bounds),
        cmocka_unit_test(crf_follows_the_bits),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
