#include "hwtest/picture.h"

#include <stdlib.h>
#include <string.h>

#include "media/av.h"

#define GUARD 64
#define FILL 0xc7

int gm_hwtest_picture_init(struct gm_hwtest_picture *p, uint32_t width_px, uint32_t height_px,
                           bool deep, uint32_t slack, struct gm_err *err)
{
    *p = (struct gm_hwtest_picture){.width_px = width_px, .height_px = height_px, .deep = deep};
    size_t at = GUARD;
    for (int i = 0; i < 2; i++) {
        uint32_t rows = i == 0 ? height_px : (height_px + 1) / 2;
        uint32_t samples = i == 0 ? width_px : (width_px + 1) / 2 * 2;
        p->surface.stride[i] = (samples << (deep ? 1 : 0)) + slack;
        p->offset[i] = at;
        at += ((size_t)p->surface.stride[i] * rows + GUARD + 15) / 16 * 16;
    }
    p->size = (at + 63) / 64 * 64;
    p->memory = aligned_alloc(64, p->size);
    if (p->memory == NULL) {
        return gm_err_nomem(err);
    }
    memset(p->memory, FILL, p->size);
    p->surface = gm_hwtest_picture_at(p, (uintptr_t)p->memory);
    return 0;
}

void gm_hwtest_picture_fini(struct gm_hwtest_picture *p)
{
    free(p->memory);
    *p = (struct gm_hwtest_picture){0};
}

struct gm_surface gm_hwtest_picture_at(const struct gm_hwtest_picture *p, gm_addr base)
{
    struct gm_surface s = p->surface;
    s.plane[0] = base + p->offset[0];
    s.plane[1] = base + p->offset[1];
    return s;
}

uint32_t gm_hwtest_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 20);
}

void gm_hwtest_picture_noise(struct gm_hwtest_picture *p, uint64_t seed)
{
    for (size_t i = 0; i < p->size; i++) { /* extremes are where sums overshoot */
        uint32_t r = gm_hwtest_random(&seed) % 1024;
        p->memory[i] = (uint8_t)(r < 256 ? 0 : r < 512 ? 255 : r);
    }
}

bool gm_hwtest_picture_equal(const struct gm_hwtest_picture *a, const struct gm_hwtest_picture *b)
{
    return a->size == b->size && memcmp(a->memory, b->memory, a->size) == 0;
}

/* Copies between a picture and a planar frame. */
static void copy(const struct gm_hwtest_picture *p, const AVFrame *f, bool to_planar)
{
    for (int plane = 0; plane < 3; plane++) {
        uint32_t w = plane == 0 ? p->width_px : (p->width_px + 1) / 2;
        uint32_t h = plane == 0 ? p->height_px : (p->height_px + 1) / 2;
        uint32_t step = plane == 0 ? 1 : 2, start = plane == 2 ? 1 : 0;
        int packed = plane == 0 ? 0 : 1;
        for (uint32_t y = 0; y < h; y++) {
            uint8_t *a = p->memory + p->offset[packed] + (size_t)y * p->surface.stride[packed];
            uint8_t *b = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
            for (uint32_t x = 0; x < w; x++) {
                uint32_t at = x * step + start;
                if (p->deep && to_planar) {
                    ((uint16_t *)(void *)b)[x] = ((uint16_t *)(void *)a)[at] >> 6;
                } else if (p->deep) {
                    ((uint16_t *)(void *)a)[at] = (uint16_t)(((uint16_t *)(void *)b)[x] << 6);
                } else if (to_planar) {
                    b[x] = a[at];
                } else {
                    a[at] = b[x];
                }
            }
        }
    }
}

int gm_hwtest_picture_planar(const struct gm_hwtest_picture *p, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = gm_av_frame(p->deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P,
                             (int)p->width_px, (int)p->height_px);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    copy(p, f, true);
    *out = f;
    return 0;
}

void gm_hwtest_picture_take(struct gm_hwtest_picture *p, const AVFrame *planar)
{
    copy(p, planar, false);
}
