#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "media/exact.h"

static void assert_near(double got, double want, double x)
{
    if (!(fabs(got - want) <= 2e-13 * fabs(want) + 1e-16)) {
        fail_msg("at %.17g: %.17g is not %.17g", x, got, want);
    }
}

static void they_agree_with_the_c_library(void **state)
{
    (void)state;
    for (double x = 1e-300; x < 1e300; x *= 1.37) {
        assert_near(gm_exact_log(x), log(x), x);
    }
    for (double x = -700; x <= 700; x += 0.731) {
        assert_near(gm_exact_exp(x), exp(x), x);
    }
    for (double x = 1e-6; x < 1e4; x *= 1.013) {
        for (double y = 0.1; y < 80; y *= 1.7) {
            assert_near(gm_exact_pow(x, y), pow(x, y), x);
        }
    }
}

static void corners_are_exact(void **state)
{
    (void)state;
    assert_true(gm_exact_log(1) == 0);
    assert_true(gm_exact_exp(0) == 1);
    assert_true(gm_exact_exp(-1000) == 0);
    assert_true(gm_exact_pow(0, 2.4) == 0);
    assert_true(gm_exact_pow(1, 78.84375) == 1);
}

/* Bits, not values: what other machines must have. */
static void bits_are_the_same_everywhere(void **state)
{
    static const struct {
        double x, y;
        uint64_t bits;
    } rows[] = {
        {0.5, 2.4, UINT64_C(0x3fc8406003b2ae5c)},
        {0.18, 0.1593017578125, UINT64_C(0x3fe859cf4c73bd5e)},
        {0.9, 78.84375, UINT64_C(0x3f302c42e38b9b28)},
        {1234.5, 1 / 2.4, UINT64_C(0x40336a0e4155d5db)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v = gm_exact_pow(rows[i].x, rows[i].y);
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        if (bits != rows[i].bits) {
            fail_msg("row %zu: %#llx", i, (unsigned long long)bits);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_agree_with_the_c_library),
        cmocka_unit_test(corners_are_exact),
        cmocka_unit_test(bits_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
