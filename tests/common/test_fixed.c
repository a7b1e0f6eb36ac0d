#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "common/fixed.h"

/* Known values: 65536 * log2(n). */
static void logarithms_are_right(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        int64_t q;
    } rows[] = {{1, 0},
                {2, 65536},
                {3, 103872},
                {5, 152170},
                {7, 183983},
                {10, 217706},
                {1000, 653117},
                {65535, 1048575},
                {1 << 20, 20 * 65536},
                {1000000007, 1959352},
                {UINT64_C(1) << 63, 63 * 65536},
                {UINT64_MAX, 64 * 65536}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(llabs(gm_fixed_log2(rows[i].n) - rows[i].q) <= 2);
    }
    for (uint64_t a = 1; a < UINT64_C(1) << 31; a += a / 3 + 1) {
        for (uint64_t b = 1; b < UINT64_C(1) << 31; b = b * 3 + 1) {
            assert_true(llabs(gm_fixed_log2(a * b) - gm_fixed_log2(a) - gm_fixed_log2(b)) <= 4);
        }
    }
}

static void scaling_multiplies(void **state)
{
    (void)state;
    assert_int_equal(gm_fixed_scale(1000, 0), 1000);
    assert_int_equal(gm_fixed_scale(1000, GM_Q16), 2000);
    assert_int_equal(gm_fixed_scale(1000, -GM_Q16), 500);
    assert_int_equal(gm_fixed_scale(1000000, GM_Q16 / 2), 1414213);
    assert_int_equal(gm_fixed_scale(1000000, -GM_Q16 / 2), 707106);
    assert_int_equal(gm_fixed_scale(0, 99 * GM_Q16), 0);
    assert_int_equal(gm_fixed_scale(7, -99 * (int64_t)GM_Q16), 0);
    assert_int_equal(gm_fixed_scale(7, 63 * (int64_t)GM_Q16), INT64_MAX);
    assert_int_equal(gm_fixed_scale(INT64_MAX, 1), INT64_MAX);
    for (int64_t n = 100000; n < INT64_C(1) << 50; n = n * 7 / 3) {
        for (int64_t m = 2; m < 60; m++) {
            int64_t up = gm_fixed_scale(n, gm_fixed_log2((uint64_t)m));
            int64_t down = gm_fixed_scale(n, -gm_fixed_log2((uint64_t)m));
            assert_true(llabs(up - m * n) <= m * n / 20000);
            assert_true(llabs(down - n / m) <= n / m / 20000 + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_are_right),
        cmocka_unit_test(scaling_multiplies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
