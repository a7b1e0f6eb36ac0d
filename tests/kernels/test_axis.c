#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hash.h"
#include "kernels/kernels.h"

static const long double pi = 3.141592653589793238462643383279502884L;

static long double sinc(long double x)
{
    return x == 0 ? 1 : sinl(pi * x) / (pi * x);
}

static struct gm_axis made(uint32_t in, uint32_t out, bool chroma, int32_t in_x2, int32_t out_x2)
{
    struct gm_axis a;
    struct gm_err err;
    uint32_t count = chroma ? (out + 1) / 2 : out;
    struct gm_axis_params p = {in, out, count, chroma, in_x2, out_x2};
    assert_int_equal(gm_axis_make(&p, &a, &err), 0);
    return a;
}

/* Against the formula in long doubles; within one, for what rounding lacks goes to one of them. */
static void check(uint32_t in, uint32_t out, bool chroma, int32_t in_x2, int32_t out_x2)
{
    struct gm_axis a = made(in, out, chroma, in_x2, out_x2);
    long double ratio = (long double)in / out, wide = ratio > 1 ? ratio : 1;
    for (uint32_t j = 0; j < a.count; j++) {
        long double at = (j + 0.5L) * ratio - 0.5L;
        if (chroma) {
            at = ((2 * j + 0.5L + out_x2 / 2.0L) * ratio - 0.5L - in_x2 / 2.0L) / 2;
        }
        long double sum = 0;
        int total = 0, taps = a.taps > 1 ? (int)a.taps : 1;
        for (int k = -400; k < 400; k++) {
            long double x = (floorl(at) + k - at) / wide;
            sum += fabsl(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
        }
        for (int k = 0; k < taps; k++) {
            long double x = (a.start[j] + k - at) / wide;
            long double want = fabsl(x) < 3 ? sinc(x) * sinc(x / 3) / sum * 16384 : 0;
            int got = a.weights[j * a.taps + k];
            assert_true(fabsl(got - want) <= 0.5001L + (got > 1000 ? 8 : got > 400 ? 4 : 0));
            total += got;
        }
        assert_int_equal(total, 16384);
    }
    gm_axis_fini(&a);
}

static void weights_are_those_of_the_formula(void **state)
{
    (void)state;
    check(1920, 1280, false, 0, 0);
    check(1920, 854, false, 0, 0);
    check(1920, 1280, true, 0, 0);
    check(1080, 720, true, 1, 1);
    check(1080, 360, true, 0, 0);
    check(720, 1080, false, 0, 0);
    check(99, 37, true, 2, 0);
    check(98, 37, true, 1, 0);
    check(64, 2, false, 0, 0);
    check(2, 64, true, 1, 0);
    check(3, 7, true, -1, 1);
}

static void the_same_size_takes_each_sample_as_it_is(void **state)
{
    (void)state;
    struct gm_axis a = made(37, 37, false, 0, 0), b = made(37, 37, true, 1, 1);
    assert_int_equal(a.taps, 1);
    assert_int_equal(b.taps, 1);
    for (int j = 0; j < 37; j++) {
        assert_int_equal(a.start[j], j);
        assert_int_equal(a.weights[j], 16384);
    }
    gm_axis_fini(&a);
    gm_axis_fini(&b);
    a = made(36, 36, true, 2, 0); /* chroma moves by half a sample */
    assert_true(a.taps > 1);
    gm_axis_fini(&a);
    a = made(60, 20, false, 0, 0); /* a third: on samples, but wider than one */
    assert_int_equal(a.taps, 18);
    gm_axis_fini(&a);
}

/* Any other would be other bytes in what nodes make. */
static void tables_are_the_same_on_every_machine(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        {1920, 1280}, {1080, 720}, {3840, 426}, {720, 1080}, {97, 31}};
    uint8_t all[5][GM_SHA256_SIZE], hash[GM_SHA256_SIZE];
    char text[2 * GM_SHA256_SIZE + 1];
    for (size_t i = 0; i < 5; i++) {
        struct gm_axis a = made(sizes[i][0], sizes[i][1], i % 2 == 1, 0, 0);
        gm_sha256(a.weights, (size_t)a.count * a.taps * sizeof *a.weights, all[i]);
        gm_axis_fini(&a);
    }
    gm_sha256(all, sizeof all, hash);
    for (size_t i = 0; i < GM_SHA256_SIZE; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, "84a14f9a2822aefdd00a2e88e9b0ba1f9e05b998f6e00cbc50f66db3b2901bc1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_of_the_formula),
        cmocka_unit_test(the_same_size_takes_each_sample_as_it_is),
        cmocka_unit_test(tables_are_the_same_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
