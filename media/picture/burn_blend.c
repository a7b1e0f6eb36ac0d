#include "media/picture/burn.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

/* A layer's pixels brought to the picture's size and laid over it. Colours are the picture's: its
 * matrix and range; with PQ and HLG white is what their standards take for text and graphics.
 * Source: ITU-R BT.601, BT.709, BT.2020 (luma coefficients); ITU-R BT.2408 (graphics white: 58 % of
 * PQ, 75 % of HLG). */
#define ONE 65536

struct colours {
    int32_t kr, kg, kb;     /* of ONE */
    int32_t y_base, y_span; /* code values at 8 bits, of ONE */
    int32_t c_base, c_span;
    int32_t white; /* of ONE: share of the range that white takes */
    int depth;
};

bool gm_burn_can(const char *pixel_format)
{
    enum AVPixelFormat format = av_get_pix_fmt(pixel_format);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    const uint64_t not_here = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE |
                              AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                              AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_FLOAT;
    return d != NULL && (d->flags & not_here) == 0 &&
           (d->nb_components == 1 || (d->flags & AV_PIX_FMT_FLAG_PLANAR) != 0) &&
           (d->nb_components == 1 || d->nb_components == 3) && d->comp[0].depth >= 8 &&
           d->comp[0].depth <= 16 && d->comp[0].shift == 0 &&
           d->comp[0].step == (d->comp[0].depth > 8 ? 2 : 1);
}

static struct colours colours_of(const AVFrame *f, const AVPixFmtDescriptor *d)
{
    struct colours c = {.kr = 19595, .kb = 7471, .white = ONE, .depth = d->comp[0].depth};
    enum AVColorSpace matrix = f->colorspace;
    if (matrix == AVCOL_SPC_BT2020_NCL || matrix == AVCOL_SPC_BT2020_CL) {
        c.kr = 17216;
        c.kb = 3886;
    } else if (matrix == AVCOL_SPC_BT709 || (matrix == AVCOL_SPC_UNSPECIFIED && f->height > 576)) {
        c.kr = 13933;
        c.kb = 4732;
    }
    c.kg = ONE - c.kr - c.kb;
    bool full = f->color_range == AVCOL_RANGE_JPEG || strncmp(d->name, "yuvj", 4) == 0;
    c.y_base = full ? 0 : 16;
    c.y_span = full ? 255 : 219;
    c.c_base = 128;
    c.c_span = full ? 255 : 224;
    if (f->color_trc == AVCOL_TRC_SMPTE2084) {
        c.white = ONE * 58 / 100;
    } else if (f->color_trc == AVCOL_TRC_ARIB_STD_B67) {
        c.white = ONE * 75 / 100;
    }
    return c;
}

/* Code values of a pixel at the picture's depth: out[0] luma, [1] Cb, [2] Cr. */
static void convert(const struct colours *c, const uint8_t rgba[4], int32_t out[3])
{
    int64_t r = (int64_t)rgba[0] * c->white, g = (int64_t)rgba[1] * c->white,
            b = (int64_t)rgba[2] * c->white; /* 0 .. 255 * ONE */
    int64_t y = (r * c->kr + g * c->kg + b * c->kb) / ONE;
    int64_t cb = (b - y) * ONE / (2 * (int64_t)(ONE - c->kb));
    int64_t cr = (r - y) * ONE / (2 * (int64_t)(ONE - c->kr));
    int64_t unit = (int64_t)ONE * 255;
    int64_t scale = (int64_t)1 << (c->depth - 8);
    int64_t half = unit / 2;
    out[0] = (int32_t)((c->y_base * unit * scale + y * c->y_span * scale + half) / unit);
    out[1] = (int32_t)((c->c_base * unit * scale + cb * c->c_span * scale + half) / unit);
    out[2] = (int32_t)((c->c_base * unit * scale + cr * c->c_span * scale + half) / unit);
}

static int32_t get(const uint8_t *at, bool wide)
{
    uint16_t v;
    if (!wide) {
        return *at;
    }
    memcpy(&v, at, 2);
    return v;
}

static void put(uint8_t *at, bool wide, int32_t v)
{
    if (wide) {
        uint16_t w = (uint16_t)v;
        memcpy(at, &w, 2);
    } else {
        *at = (uint8_t)v;
    }
}

/* One component. A sample that stands for several pixels takes the mean of what covers them. */
static void blend_component(const struct gm_burn_layer *l, const struct colours *c, AVFrame *f,
                            const AVPixFmtDescriptor *d, int comp)
{
    int sx = comp > 0 ? d->log2_chroma_w : 0, sy = comp > 0 ? d->log2_chroma_h : 0;
    const AVComponentDescriptor *cd = &d->comp[comp];
    bool wide = cd->depth > 8;
    uint32_t x_end = (l->x + l->width + (1u << sx) - 1) >> sx;
    uint32_t y_end = (l->y + l->height + (1u << sy) - 1) >> sy;
    int64_t pixels = (int64_t)1 << (sx + sy);
    for (uint32_t y = l->y >> sy; y < y_end; y++) {
        for (uint32_t x = l->x >> sx; x < x_end; x++) {
            int64_t alpha = 0, sum = 0;
            for (uint32_t k = 0; k < (1u << (sx + sy)); k++) {
                uint32_t px = (x << sx) + (k & ((1u << sx) - 1)), py = (y << sy) + (k >> sx);
                if (px < l->x || py < l->y || px >= l->x + l->width || py >= l->y + l->height) {
                    continue;
                }
                const uint8_t *rgba = l->rgba + 4 * ((size_t)(py - l->y) * l->width + (px - l->x));
                int32_t code[3];
                if (rgba[3] > 0) {
                    convert(c, rgba, code);
                    alpha += rgba[3];
                    sum += (int64_t)rgba[3] * code[comp];
                }
            }
            if (alpha > 0) {
                uint8_t *at = f->data[cd->plane] + (ptrdiff_t)y * f->linesize[cd->plane] +
                              (size_t)x * (size_t)cd->step + cd->offset;
                int64_t all = 255 * pixels;
                put(at, wide, (int32_t)((get(at, wide) * (all - alpha) + sum + all / 2) / all));
            }
        }
    }
}

void gm_burn_blend(const struct gm_burn_layer *layer, AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    struct colours c = colours_of(frame, d);
    for (int comp = 0; comp < d->nb_components; comp++) {
        blend_component(layer, &c, frame, d, comp);
    }
}

/* The palette's colour of the canvas pixel, alpha 0 outside of the rectangle: premultiplied. */
static void fetch(const Gm__BurnRect *r, const uint8_t *indexes, int64_t x, int64_t y,
                  int64_t out[4])
{
    memset(out, 0, 4 * sizeof out[0]);
    if (x < 0 || y < 0 || x >= r->width || y >= r->height) {
        return;
    }
    const uint8_t *p = r->palette.data + 4 * (size_t)indexes[y * r->width + x];
    for (int i = 0; i < 3; i++) {
        out[i] = (int64_t)p[i] * p[3];
    }
    out[3] = p[3];
}

/* Linear between the four pixels round (x, y), which are in 1/256 of a pixel. */
static void sample(const Gm__BurnRect *r, const uint8_t *indexes, int64_t x, int64_t y,
                   uint8_t out[4])
{
    int64_t ix = x >> 8, iy = y >> 8, fx = x & 255, fy = y & 255;
    int64_t sum[4] = {0};
    for (int k = 0; k < 4; k++) {
        int64_t c[4];
        int64_t w = (k & 1 ? fx : 256 - fx) * (k & 2 ? fy : 256 - fy);
        fetch(r, indexes, ix + (k & 1), iy + (k >> 1), c);
        for (int i = 0; i < 4; i++) {
            sum[i] += w * c[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        out[i] = (uint8_t)(sum[3] > 0 ? (sum[i] + sum[3] / 2) / sum[3] : 0);
    }
    out[3] = (uint8_t)((sum[3] + 32768) >> 16);
}

/* A side of a rectangle in the picture. */
struct span {
    int64_t from, to; /* clipped to the picture */
    int64_t move;     /* what is added to canvas coordinates after scaling */
};

/* [at, at + size) of a canvas that is num/den as large in the picture, and whose middle lies at the
 * picture's. What would lie outside is moved inside, as far as it fits. */
static struct span place_span(uint32_t at, uint32_t size, uint32_t canvas, int64_t num, int64_t den,
                              uint32_t limit)
{
    int64_t move = ((int64_t)limit - canvas * num / den) / 2;
    int64_t from = at * num / den + move;
    int64_t to = (((int64_t)at + size) * num + den - 1) / den + move;
    int64_t shift = to > limit ? limit - to : from < 0 ? -from : 0;
    if (to - from > limit) {
        shift = 0;
    }
    from += shift;
    to += shift;
    return (struct span){from > 0 ? from : 0, to < limit ? to : limit, move + shift};
}

/* A picture's pixel on the canvas, in 1/256 of its pixels from the rectangle's first one. */
static int64_t canvas_at(int64_t pixel, const struct span *s, int64_t num, int64_t den, uint32_t at)
{
    return (2 * (pixel - s->move) + 1) * 128 * den / num - 128 - (int64_t)at * 256;
}

int gm_burn_place(const Gm__BurnPicture *p, const Gm__BurnRect *rect, const uint8_t *indexes,
                  uint32_t width, uint32_t height, struct gm_burn_layer *out, struct gm_err *err)
{
    bool wide = (int64_t)width * p->canvas_height >= (int64_t)height * p->canvas_width;
    int64_t num = wide ? width : height, den = wide ? p->canvas_width : p->canvas_height;
    struct span x = place_span(rect->x, rect->width, p->canvas_width, num, den, width);
    struct span y = place_span(rect->y, rect->height, p->canvas_height, num, den, height);
    *out = (struct gm_burn_layer){0};
    if (x.to <= x.from || y.to <= y.from) {
        return 0;
    }
    uint8_t *rgba = malloc(4 * (size_t)(x.to - x.from) * (size_t)(y.to - y.from));
    if (rgba == NULL) {
        return gm_err_nomem(err);
    }
    uint8_t *to = rgba;
    for (int64_t py = y.from; py < y.to; py++) {
        int64_t cy = canvas_at(py, &y, num, den, rect->y);
        for (int64_t px = x.from; px < x.to; px++, to += 4) {
            sample(rect, indexes, canvas_at(px, &x, num, den, rect->x), cy, to);
        }
    }
    *out = (struct gm_burn_layer){.x = (uint32_t)x.from,
                                  .y = (uint32_t)y.from,
                                  .width = (uint32_t)(x.to - x.from),
                                  .height = (uint32_t)(y.to - y.from),
                                  .rgba = rgba};
    return 0;
}
