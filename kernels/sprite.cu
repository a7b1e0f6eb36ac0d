/* A small picture into its place of a sheet: each sample is the mean of the area that it covers. A
 * thread makes a sample; of width x height luma samples and then the pairs. */
#include "kernels/device.h"

/* The share of source sample i, of `out` parts, that lies in result j: both cover in * out parts.
 */
GM_DEVICE uint32_t gm_sprite_share(uint32_t i, uint32_t j, uint32_t in, uint32_t out)
{
    uint32_t from = i * out > j * in ? i * out : j * in;
    uint32_t to = (i + 1) * out < (j + 1) * in ? (i + 1) * out : (j + 1) * in;
    return to - from;
}

GM_DEVICE uint32_t gm_sprite_mean(const uint8_t *plane, int64_t stride, uint32_t step,
                                  uint32_t deep, uint32_t in_w, uint32_t in_h, uint32_t w,
                                  uint32_t h, uint32_t x, uint32_t y)
{
    uint64_t sum = 0;
    for (uint32_t i = y * in_h / h; i * h < (y + 1) * in_h; i++) {
        const uint8_t *row = plane + i * stride;
        uint64_t line = 0;
        for (uint32_t k = x * in_w / w; k * w < (x + 1) * in_w; k++) {
            uint32_t v = deep ? gm_load_16(row + k * step) >> 6 : row[k * step];
            line += (uint64_t)v * gm_sprite_share(k, x, in_w, w);
        }
        sum += line * gm_sprite_share(i, y, in_h, h);
    }
    uint64_t area = (uint64_t)in_w * in_h << (deep ? 2 : 0);
    sum = (sum + area / 2) / area;
    return sum < 255 ? (uint32_t)sum : 255;
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
        uint32_t w = args->width >> half, h = args->height >> half;
        at >>= half;
        uint32_t x = at % w, y = at / w;
        const uint8_t *from = (const uint8_t *)(uintptr_t)f->in.plane[half] + second * size;
        uint8_t *to = (uint8_t *)(uintptr_t)f->sheet.plane[half] +
                      (int64_t)((f->y >> half) + y) * f->sheet.stride[half];
        to[(((f->x >> half) + x) << half) + second] = (uint8_t)gm_sprite_mean(
            from, f->in.stride[half], size << half, args->deep, (args->in_width + half) >> half,
            (args->in_height + half) >> half, w, h, x, y);
    }
}

GM_KERNEL(gm_sprite, gm_sprite_args, gm_sprite_run(&lane, &args))
