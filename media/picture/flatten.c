#include "media/picture/flatten.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/intreadwrite.h>
#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/picture/graphics.h"

#define PALETTE 256

bool gm_flatten_wants(const AVFrame *f)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    return desc != NULL && (desc->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL)) != 0;
}

uint32_t gm_flatten_colour(const char *text)
{
    char *end = NULL;
    if (text[0] != '#' || strlen(text) != 7) {
        return 0;
    }
    unsigned long v = strtoul(text + 1, &end, 16);
    return *end == '\0' && v <= 0xffffff ? (uint32_t)v : 0;
}

/* Access to one component of a picture. */
struct part {
    uint8_t *data;
    ptrdiff_t stride;
    int step, shift, depth;
    bool wide, big; /* 16 bits; of big-endian order */
};

static struct part find_part(AVFrame *f, const AVPixFmtDescriptor *desc, int component)
{
    const AVComponentDescriptor *c = &desc->comp[component];
    return (struct part){
        .data = f->data[c->plane] + c->offset,
        .stride = f->linesize[c->plane],
        .step = c->step,
        .shift = c->shift,
        .depth = c->depth,
        .wide = c->depth + c->shift > 8,
        .big = (desc->flags & AV_PIX_FMT_FLAG_BE) != 0,
    };
}

static uint32_t get(const struct part *p, int x, int y)
{
    const uint8_t *at = p->data + y * p->stride + (ptrdiff_t)x * p->step;
    uint32_t v = !p->wide ? *at : p->big ? AV_RB16(at) : AV_RL16(at);
    return v >> p->shift & ((1u << p->depth) - 1);
}

static void put(const struct part *p, int x, int y, uint32_t v)
{
    uint8_t *at = p->data + y * p->stride + (ptrdiff_t)x * p->step;
    v <<= p->shift;
    if (!p->wide) {
        *at = (uint8_t)v;
    } else if (p->big) {
        AV_WB16(at, (uint16_t)v);
    } else {
        AV_WL16(at, (uint16_t)v);
    }
}

static uint32_t mix(uint32_t v, uint32_t on, uint32_t alpha, uint32_t most)
{
    return (uint32_t)(((uint64_t)v * alpha + (uint64_t)on * (most - alpha) + most / 2) / most);
}

/* Of the pixels that a subsampled one covers, on average. */
static uint32_t alpha_of(const struct part *alpha, const AVFrame *f, int x, int y, int wide,
                         int high)
{
    uint32_t sum = 0, count = 0;
    for (int dy = 0; dy < 1 << high; dy++) {
        for (int dx = 0; dx < 1 << wide; dx++) {
            int px = (x << wide) + dx, py = (y << high) + dy;
            if (px < f->width && py < f->height) {
                sum += get(alpha, px, py);
                count++;
            }
        }
    }
    return count > 0 ? (sum + count / 2) / count : 0;
}

static void flatten_component(AVFrame *f, const AVPixFmtDescriptor *desc, int component,
                              uint32_t background)
{
    struct part p = find_part(f, desc, component);
    struct part alpha = find_part(f, desc, desc->nb_components - 1);
    bool sub = (component == 1 || component == 2) && (desc->flags & AV_PIX_FMT_FLAG_RGB) == 0;
    int wide = sub ? desc->log2_chroma_w : 0, high = sub ? desc->log2_chroma_h : 0;
    uint32_t most = (1u << alpha.depth) - 1;
    for (int y = 0; y < AV_CEIL_RSHIFT(f->height, high); y++) {
        for (int x = 0; x < AV_CEIL_RSHIFT(f->width, wide); x++) {
            uint32_t a =
                wide + high > 0 ? alpha_of(&alpha, f, x, y, wide, high) : get(&alpha, x, y);
            put(&p, x, y, mix(get(&p, x, y), background, a, most));
        }
    }
}

static void make_opaque(AVFrame *f, const AVPixFmtDescriptor *desc)
{
    struct part alpha = find_part(f, desc, desc->nb_components - 1);
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            put(&alpha, x, y, (1u << alpha.depth) - 1);
        }
    }
}

/* Entries are 32 bits in the machine's order: alpha, red, green, blue. */
static void flatten_palette(AVFrame *f, uint32_t background)
{
    for (int i = 0; i < PALETTE; i++) {
        uint32_t entry;
        memcpy(&entry, f->data[1] + (ptrdiff_t)4 * i, sizeof entry);
        uint32_t a = entry >> 24, made = 0xff;
        for (int shift = 16; shift >= 0; shift -= 8) {
            made = made << 8 | mix(entry >> shift & 0xff, background >> shift & 0xff, a, 0xff);
        }
        memcpy(f->data[1] + (ptrdiff_t)4 * i, &made, sizeof made);
    }
}

static int background_codes(const AVFrame *f, uint32_t background, uint32_t out[3],
                            struct gm_err *err)
{
    struct gm_graphics *g = NULL;
    struct gm_colour colour = {f->color_primaries, f->color_trc, f->colorspace, f->color_range};
    const uint8_t rgb[3] = {(uint8_t)(background >> 16), (uint8_t)(background >> 8),
                            (uint8_t)background};
    double signal[3];
    int rc = gm_graphics_create(colour, &g, err);
    if (rc == 0) {
        gm_graphics_rgb(g, rgb, signal);
        gm_graphics_codes(colour, (enum AVPixelFormat)f->format, signal, out);
    }
    gm_graphics_destroy(&g);
    return rc;
}

int gm_flatten(AVFrame *f, uint32_t background, struct gm_err *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    uint32_t codes[3] = {0};
    if ((desc->flags & (AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BITSTREAM)) != 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "Transparent pictures of format %s are not taken",
                          desc->name);
    }
    int av = av_frame_make_writable(f);
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "A transparent picture can't be copied");
    }
    if ((desc->flags & AV_PIX_FMT_FLAG_PAL) != 0) {
        flatten_palette(f, background);
        return 0;
    }
    int rc = background_codes(f, background, codes, err);
    for (int c = 0; rc == 0 && c < desc->nb_components - 1; c++) {
        flatten_component(f, desc, c, codes[c]);
    }
    if (rc == 0) {
        make_opaque(f, desc);
    }
    return rc;
}
