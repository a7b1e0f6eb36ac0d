/* Squared error and SSIM of two pictures, in whole numbers. Block: 64x64 samples of one plane, its
 * sums over 4x4 in shared memory, then windows of 2x2 of those. */
#include "kernels/device.h"

#define SIDE GM_COMPARE_SIDE
#define WINDOWS (SIDE / 4) /* across it */
#define SUMS (WINDOWS + 1)
#define ONE_BITS 28

struct gm_compare_sum { /* over 4x4 samples */
    uint32_t a, b, squares, product;
};

struct gm_compare_shared {
    struct gm_compare_sum sum[SUMS * SUMS];
    uint64_t error, ssim;
};

struct gm_compare_plane {
    const uint8_t *a, *b;
    int64_t a_stride, b_stride;
    uint32_t width, height;
    uint32_t step; /* bytes from a sample to the next */
    uint32_t deep;
};

GM_DEVICE uint32_t gm_compare_at(const struct gm_compare_plane *p, const uint8_t *row, uint32_t x)
{
    return p->deep ? gm_load_16(row + x * p->step) >> 6 : row[x * p->step];
}

GM_DEVICE int64_t gm_compare_window(const struct gm_compare_sum *s, int64_t peak)
{
    const struct gm_compare_sum *t = s + SUMS;
    int64_t a = (int64_t)s[0].a + s[1].a + t[0].a + t[1].a;
    int64_t b = (int64_t)s[0].b + s[1].b + t[0].b + t[1].b;
    int64_t squares = (int64_t)s[0].squares + s[1].squares + t[0].squares + t[1].squares;
    int64_t product = (int64_t)s[0].product + s[1].product + t[0].product + t[1].product;
    int64_t c1 = (peak * peak * 64 * 64 + 5000) / 10000;
    int64_t c2 = (peak * peak * 9 * 64 * 63 + 5000) / 10000;
    const int64_t one = (int64_t)1 << ONE_BITS;
    int64_t light = (2 * a * b + c1) * one / (a * a + b * b + c1);
    int64_t shape = (2 * (product * 64 - a * b) + c2) * one / (squares * 64 - a * a - b * b + c2);
    return (light * shape) >> ONE_BITS;
}

/* Which plane and which share of it a block has; false: none. */
GM_DEVICE uint32_t gm_compare_tile(uint32_t block, const struct gm_compare_args *args,
                                   const struct gm_compare_frame *f, struct gm_compare_plane *p,
                                   uint32_t *x, uint32_t *y)
{
    uint32_t plane = 0, tiles = 0, wide = 0;
    for (;; plane++, block -= tiles) {
        uint32_t half = plane > 0;
        p->width = (args->width + half) >> half;
        p->height = (args->height + half) >> half;
        wide = (p->width + SIDE - 1) / SIDE;
        tiles = wide * ((p->height + SIDE - 1) / SIDE);
        if (block < tiles || plane == 2) {
            break;
        }
    }
    uint32_t size = 1 + args->deep, half = plane > 0, second = plane == 2 ? size : 0;
    p->step = size << half;
    p->deep = args->deep;
    p->a = (const uint8_t *)(uintptr_t)f->a.plane[half] + second;
    p->b = (const uint8_t *)(uintptr_t)f->b.plane[half] + second;
    p->a_stride = f->a.stride[half];
    p->b_stride = f->b.stride[half];
    *x = block % wide * SIDE;
    *y = block / wide * SIDE;
    return plane;
}

GM_DEVICE uint64_t gm_compare_error(const struct gm_lane *lane, const struct gm_compare_plane *p,
                                    uint32_t x0, uint32_t y0)
{
    uint64_t error = 0;
    for (uint32_t i = lane->tid; i < SIDE * SIDE; i += lane->threads) {
        uint32_t x = x0 + i % SIDE, y = y0 + i / SIDE;
        if (x < p->width && y < p->height) {
            int64_t d = (int64_t)gm_compare_at(p, p->a + y * p->a_stride, x) -
                        (int64_t)gm_compare_at(p, p->b + y * p->b_stride, x);
            error += (uint64_t)(d * d);
        }
    }
    return error;
}

GM_DEVICE void gm_compare_sums(const struct gm_lane *lane, const struct gm_compare_plane *p,
                               uint32_t x0, uint32_t y0, struct gm_compare_sum *sums)
{
    for (uint32_t i = lane->tid; i < SUMS * SUMS; i += lane->threads) {
        uint32_t x = x0 + i % SUMS * 4, y = y0 + i / SUMS * 4;
        struct gm_compare_sum s;
        s.a = s.b = s.squares = s.product = 0;
        for (uint32_t k = 0; k < 16 && x + 4 <= p->width && y + 4 <= p->height; k++) {
            uint32_t a = gm_compare_at(p, p->a + (y + k / 4) * p->a_stride, x + k % 4);
            uint32_t b = gm_compare_at(p, p->b + (y + k / 4) * p->b_stride, x + k % 4);
            s.a += a;
            s.b += b;
            s.squares += a * a + b * b;
            s.product += a * b;
        }
        sums[i] = s;
    }
}

GM_DEVICE void gm_compare_run(const struct gm_lane *lane, const struct gm_compare_args *args)
{
    const struct gm_compare_frame *f =
        (const struct gm_compare_frame *)(uintptr_t)args->frames + lane->block_y;
    struct gm_compare_shared *s = (struct gm_compare_shared *)(void *)lane->shared;
    struct gm_likeness *out = (struct gm_likeness *)(uintptr_t)f->likeness;
    struct gm_compare_plane p;
    uint32_t x0 = 0, y0 = 0, plane = gm_compare_tile(lane->block_x, args, f, &p, &x0, &y0);
    if (lane->tid == 0) {
        s->error = s->ssim = 0;
    }
    gm_compare_sums(lane, &p, x0, y0, s->sum);
    gm_barrier(lane, 4);
    uint32_t across = p.width / 4 - 1, down = p.height / 4 - 1;
    int64_t ssim = 0;
    for (uint32_t i = lane->tid; i < WINDOWS * WINDOWS; i += lane->threads) {
        uint32_t x = i % WINDOWS, y = i / WINDOWS;
        if (x0 / 4 + x < across && y0 / 4 + y < down) {
            ssim += gm_compare_window(&s->sum[y * SUMS + x], p.deep ? 1023 : 255);
        }
    }
    GM_ADD_64(&s->error, gm_compare_error(lane, &p, x0, y0));
    GM_ADD_64(&s->ssim, ssim);
    gm_barrier(lane, 5);
    if (lane->tid == 0) {
        GM_ADD_64(&out->error[plane], s->error);
        GM_ADD_64(&out->ssim[plane], s->ssim);
        if (x0 == 0 && y0 == 0) {
            out->windows[plane] = (uint64_t)across * down;
        }
    }
}

GM_KERNEL(gm_compare, gm_compare_args, gm_compare_run(&lane, &args))
