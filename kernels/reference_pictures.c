#include <string.h>

#include "kernels/reference.h"

static int64_t sample(gm_addr plane, uint32_t stride, bool deep, int64_t column, int64_t y)
{
    const uint8_t *row = (const uint8_t *)(uintptr_t)plane + y * (int64_t)stride;
    uint16_t wide = 0;
    if (!deep) {
        return row[column];
    }
    memcpy(&wide, row + 2 * column, sizeof wide);
    return wide / 64;
}

/* Sample x, y of plane 0 (luma), 1 (blue) or 2 (red). */
static int64_t of_plane(const struct gm_surface *s, bool deep, int plane, int64_t x, int64_t y)
{
    int half = plane > 0 ? 1 : 0;
    return sample(s->plane[half], s->stride[half], deep, half ? 2 * x + plane - 1 : x, y);
}

static int64_t floor_div(int64_t a, int64_t b) /* b > 0 */
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t window(const struct gm_compare_frame *f, bool deep, int plane, int64_t x0,
                      int64_t y0)
{
    const int64_t one = (int64_t)1 << 28, n = 64, peak = deep ? 1023 : 255;
    int64_t sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    for (int64_t y = y0; y < y0 + 8; y++) {
        for (int64_t x = x0; x < x0 + 8; x++) {
            int64_t a = of_plane(&f->a, deep, plane, x, y), b = of_plane(&f->b, deep, plane, x, y);
            sa += a;
            sb += b;
            saa += a * a;
            sbb += b * b;
            sab += a * b;
        }
    }
    int64_t c1 = (peak * n * peak * n + 5000) / 10000;
    int64_t c2 = (peak * 3 * peak * 3 * n * (n - 1) + 5000) / 10000;
    int64_t light = (2 * sa * sb + c1) * one / (sa * sa + sb * sb + c1);
    int64_t spread = n * saa - sa * sa + n * sbb - sb * sb;
    int64_t shape = (2 * (n * sab - sa * sb) + c2) * one / (spread + c2);
    return floor_div(light * shape, one);
}

void gm_reference_compare(const struct gm_compare_args *args, const struct gm_compare_frame *f,
                          struct gm_likeness *out)
{
    struct gm_likeness l = {0};
    bool deep = args->deep != 0;
    for (int plane = 0; plane < 3; plane++) {
        int64_t w = plane > 0 ? (args->width + 1) / 2 : args->width;
        int64_t h = plane > 0 ? (args->height + 1) / 2 : args->height;
        for (int64_t y = 0; y < h; y++) {
            for (int64_t x = 0; x < w; x++) {
                int64_t d = of_plane(&f->a, deep, plane, x, y) - of_plane(&f->b, deep, plane, x, y);
                l.error[plane] += (uint64_t)(d * d);
                if (x % 4 == 0 && y % 4 == 0 && x + 8 <= w && y + 8 <= h) {
                    l.ssim[plane] += window(f, deep, plane, x, y);
                    l.windows[plane]++;
                }
            }
        }
    }
    *out = l;
}

/* The mean of what sample x, y of w x h covers of a plane. Every small piece: a source sample is
 * w x h of them, a result in_w x in_h. */
static int64_t mean_of(const struct gm_sprite_args *args, const struct gm_sprite_frame *f,
                       int plane, const int64_t size[2], int64_t x, int64_t y)
{
    int half = plane > 0 ? 2 : 1;
    int64_t in_w = (args->in_width + half - 1) / half, in_h = (args->in_height + half - 1) / half;
    int64_t sum = 0, area = in_w * in_h, peak = args->out_deep != 0 ? 1023 : 255;
    GM_ASSERT(area > 0 && size[0] > 0 && size[1] > 0);
    for (int64_t v = y * in_h; v < (y + 1) * in_h; v++) {
        for (int64_t u = x * in_w; u < (x + 1) * in_w; u++) {
            sum += of_plane(&f->in, args->deep != 0, plane, u / size[0], v / size[1]);
        }
    }
    sum *= args->out_deep != 0 ? 4 : 1;
    area *= args->deep != 0 ? 4 : 1;
    int64_t mean = (2 * sum + area) / (2 * area);
    return mean < peak ? mean : peak;
}

/* Turns a place of a w x h picture clockwise once. */
static void turn_once(int64_t size[2], int64_t at[2])
{
    int64_t w = size[0], x = at[0];
    at[0] = size[1] - 1 - at[1];
    at[1] = x;
    size[0] = size[1];
    size[1] = w;
}

void gm_reference_sprite(const struct gm_sprite_args *args, const struct gm_sprite_frame *f)
{
    for (int plane = 0; plane < 3; plane++) {
        int half = plane > 0 ? 2 : 1;
        bool lies = args->turns % 2 == 1;
        const int64_t size[2] = {(lies ? args->height : args->width) / half,
                                 (lies ? args->width : args->height) / half};
        for (int64_t i = 0; i < size[0] * size[1]; i++) {
            int64_t at[2] = {i % size[0], i / size[0]}, turned[2] = {size[0], size[1]};
            int64_t mean = mean_of(args, f, plane, size, at[0], at[1]);
            for (uint32_t k = 0; k < args->turns; k++) {
                turn_once(turned, at);
            }
            if (args->mirror != 0) {
                at[0] = turned[0] - 1 - at[0];
            }
            uint8_t *row = (uint8_t *)(uintptr_t)f->sheet.plane[half - 1] +
                           (f->y / half + at[1]) * (int64_t)f->sheet.stride[half - 1];
            int64_t to = (f->x / half + at[0]) * half + (plane == 2 ? 1 : 0);
            if (args->out_deep != 0) {
                uint16_t wide = (uint16_t)(mean * 64);
                memcpy(row + 2 * to, &wide, sizeof wide);
            } else {
                row[to] = (uint8_t)mean;
            }
        }
    }
}
