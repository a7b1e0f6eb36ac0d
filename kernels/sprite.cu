/* A small picture into its place of a sheet: each sample is the mean of the area that it covers. A
 * thread makes a sample; of width x height luma samples and then the pairs. It is turned as it is
 * stored. */
#include "kernels/device.h"

/* The share of source sample i, of `out` parts, that lies in result j: both cover in * out parts.
 */
GM_DEVICE uint32_t gm_sprite_share(uint32_t i, uint32_t j, uint32_t in, uint32_t out)
{
    uint32_t from = i * out > j * in ? i * out : j * in;
    uint32_t to = (i + 1) * out < (j + 1) * in ? (i + 1) * out : (j + 1) * in;
    return to - from;
}

struct gm_sprite_plane {
    const uint8_t *samples;
    int64_t stride;
    uint32_t step, deep, out_deep;
    uint32_t in_w, in_h, w, h; /* before the turn */
};

GM_DEVICE uint32_t gm_sprite_mean(const struct gm_sprite_plane *p, uint32_t x, uint32_t y)
{
    uint64_t sum = 0, area = (uint64_t)p->in_w * p->in_h << (p->deep && !p->out_deep ? 2 : 0);
    uint32_t peak = p->out_deep ? 1023 : 255;
    for (uint32_t i = y * p->in_h / p->h; i * p->h < (y + 1) * p->in_h; i++) {
        const uint8_t *row = p->samples + i * p->stride;
        uint64_t line = 0;
        for (uint32_t k = x * p->in_w / p->w; k * p->w < (x + 1) * p->in_w; k++) {
            uint32_t v = p->deep ? gm_load_16(row + k * p->step) >> 6 : row[k * p->step];
            line += (uint64_t)v * gm_sprite_share(k, x, p->in_w, p->w);
        }
        sum += line * gm_sprite_share(i, y, p->in_h, p->h);
    }
    sum = ((sum << (p->out_deep && !p->deep ? 2 : 0)) + area / 2) / area;
    return sum < peak ? (uint32_t)sum : peak;
}

/* Sample x, y of the upright picture of w x h is sample *x, *y of what was not turned. */
GM_DEVICE void gm_sprite_turn(const struct gm_sprite_args *args, uint32_t w, uint32_t h,
                              uint32_t *x, uint32_t *y)
{
    uint32_t right = args->mirror ? w - 1 - *x : *x, down = *y;
    *x = args->turns == 0   ? right
         : args->turns == 1 ? down
         : args->turns == 2 ? w - 1 - right
                            : h - 1 - down;
    *y = args->turns == 0   ? down
         : args->turns == 1 ? w - 1 - right
         : args->turns == 2 ? h - 1 - down
                            : right;
}

GM_DEVICE void gm_sprite_run(const struct gm_lane *lane, const struct gm_sprite_args *args)
{
    const struct gm_sprite_frame *f =
        (const struct gm_sprite_frame *)(uintptr_t)args->frames + lane->block_y;
    uint32_t luma = args->width * args->height, all = luma + luma / 2, size = 1 + args->deep;
    for (uint32_t n = lane->tid; n < GM_SPRITE_SHARE; n += lane->threads) {
        uint32_t i = lane->block_x * GM_SPRITE_SHARE + n;
        if (i >= all) {
            continue;
        }
        uint32_t half = i >= luma, at = half ? i - luma : i, second = half ? at & 1 : 0;
        uint32_t w = args->width >> half, h = args->height >> half, lies = args->turns & 1;
        at >>= half;
        uint32_t x = at % w, y = at / w;
        struct gm_sprite_plane p;
        p.samples = (const uint8_t *)(uintptr_t)f->in.plane[half] + second * size;
        p.stride = f->in.stride[half];
        p.step = size << half;
        p.deep = args->deep;
        p.out_deep = args->out_deep;
        p.in_w = (args->in_width + half) >> half;
        p.in_h = (args->in_height + half) >> half;
        p.w = lies ? h : w;
        p.h = lies ? w : h;
        uint8_t *row = (uint8_t *)(uintptr_t)f->sheet.plane[half] +
                       (int64_t)((f->y >> half) + y) * f->sheet.stride[half];
        uint32_t to = (((f->x >> half) + x) << half) + second;
        gm_sprite_turn(args, w, h, &x, &y);
        uint32_t mean = gm_sprite_mean(&p, x, y);
        if (args->out_deep) {
            ((uint16_t *)(void *)row)[to] = (uint16_t)(mean << 6);
        } else {
            row[to] = (uint8_t)mean;
        }
    }
}

GM_KERNEL(gm_sprite, gm_sprite_args, gm_sprite_run(&lane, &args))
