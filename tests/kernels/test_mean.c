#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cards_io.h"
#include "kernels/mean.h"
#include "kernels/reference.h"

/* Plane 0 (luma), 1 or 2 of a card without gaps, as it lies in planar pictures. */
static uint8_t *plane_of(const struct card *c, int plane, uint32_t *out_w, uint32_t *out_h)
{
    int half = plane > 0 ? 1 : 0;
    uint32_t w = (c->width_px + (uint32_t)half) >> half,
             h = (c->height_px + (uint32_t)half) >> half;
    uint8_t *out = malloc((size_t)w * h * 2);
    assert_non_null(out);
    for (size_t i = 0; i < (size_t)w * h; i++) {
        const uint8_t *row = (const uint8_t *)(uintptr_t)c->surface.plane[half] +
                             i / w * (size_t)c->surface.stride[half];
        size_t at = half ? 2 * (i % w) + (size_t)plane - 1 : i % w;
        if (c->deep) {
            uint16_t v = (uint16_t)(((const uint16_t *)(const void *)row)[at] >> 6);
            memcpy(out + 2 * i, &v, 2);
        } else {
            out[i] = row[at];
        }
    }
    *out_w = w;
    *out_h = h;
    return out;
}

static void it_is_the_kernels(uint32_t in_w, uint32_t in_h, uint32_t w, uint32_t h, int deep,
                              int out_deep)
{
    uint64_t random = 5 + in_w;
    struct card in, want;
    struct gm_err err;
    card_init(&in, in_w, in_h, deep, 2, 0);
    card_noise(&in, &random);
    card_init(&want, w, h, out_deep, 0, 0);
    struct gm_sprite_frame f = {.in = in.surface, .sheet = want.surface};
    struct gm_sprite_args args = {.in_width = in_w,
                                  .in_height = in_h,
                                  .deep = (uint32_t)deep,
                                  .out_deep = (uint32_t)out_deep,
                                  .width = w,
                                  .height = h};
    gm_reference_sprite(&args, &f);
    for (int p = 0; p < 3; p++) {
        struct gm_mean m = {.in_bits = deep ? 10 : 8, .out_bits = out_deep ? 10 : 8};
        size_t in_size = deep ? 2 : 1, out_size = out_deep ? 2 : 1;
        uint8_t *from = plane_of(&in, p, &m.in_width, &m.in_height);
        uint8_t *expected = plane_of(&want, p, &m.out_width, &m.out_height);
        uint8_t *got = malloc((size_t)w * h * 2);
        assert_non_null(got);
        assert_int_equal(gm_mean_plane(&m, from, (ptrdiff_t)(m.in_width * in_size), got,
                                       (ptrdiff_t)(m.out_width * out_size), &err),
                         0);
        assert_memory_equal(got, expected, (size_t)m.out_width * m.out_height * out_size);
        free(from);
        free(expected);
        free(got);
    }
    card_fini(&in);
    card_fini(&want);
}

static void it_gives_the_bits_of_sprite(void **state)
{
    (void)state;
    static const uint32_t sizes[][4] = {{2, 2, 2, 2},     {97, 53, 24, 14}, {31, 9, 40, 20},
                                        {64, 36, 16, 10}, {34, 19, 32, 18}, {9, 7, 2, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int how = 0; how < 4; how++) {
            it_is_the_kernels(sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], how & 1,
                              how >> 1);
        }
    }
}

/* A flat plane stays as it is at the ends of every depth, however large: no sum overflows. */
static void extremes_keep_their_level(void **state)
{
    (void)state;
    struct gm_err err;
    static const uint32_t sides[][2] = {{65535, 3}, {3, 65535}, {1000, 777}};
    for (unsigned bits = 8; bits <= 16; bits++) {
        for (size_t i = 0; i < 3; i++) {
            struct gm_mean m = {.in_width = sides[i][0],
                                .in_height = sides[i][1],
                                .out_width = 2,
                                .out_height = 1,
                                .in_bits = bits,
                                .out_bits = 8};
            size_t size = (size_t)m.in_width * m.in_height;
            uint16_t *plane = malloc(2 * size);
            uint8_t out[2] = {0, 0};
            assert_non_null(plane);
            if (bits == 8) {
                memset(plane, 255, size);
            }
            for (size_t k = 0; bits > 8 && k < size; k++) {
                plane[k] = (uint16_t)((1u << bits) - 1);
            }
            assert_int_equal(gm_mean_plane(&m, (const uint8_t *)plane,
                                           (ptrdiff_t)m.in_width * (bits > 8 ? 2 : 1), out, 2,
                                           &err),
                             0);
            assert_int_equal(out[0], 255);
            assert_int_equal(out[1], 255);
            free(plane);
        }
    }
}

static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    struct gm_err err;
    uint8_t in[4] = {0}, out[4];
    const struct gm_mean good = {2, 2, 1, 1, 8, 8};
    assert_int_equal(gm_mean_plane(&good, in, 2, out, 2, &err), 0);
    struct gm_mean m = good;
    m.in_width = 0;
    assert_int_equal(gm_mean_plane(&m, in, 2, out, 2, &err), -GM_E_INVAL);
    m = good;
    m.out_height = 65536;
    assert_int_equal(gm_mean_plane(&m, in, 2, out, 2, &err), -GM_E_INVAL);
    m = good;
    m.in_bits = 17;
    assert_int_equal(gm_mean_plane(&m, in, 2, out, 2, &err), -GM_E_INVAL);
    m = good;
    m.out_bits = 7;
    assert_int_equal(gm_mean_plane(&m, in, 2, out, 2, &err), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_the_bits_of_sprite),
        cmocka_unit_test(extremes_keep_their_level),
        cmocka_unit_test(what_is_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
