#include "media/picture/compare.h"

#include <stdlib.h>

#include <libavutil/pixdesc.h>

#include "common/fixed.h"

#define MAX_PLANES 3
#define BLOCK 4
#define MAX_DB 100.0
#define MSE_SCALE 1e15

struct plane {
    const uint8_t *a, *b;
    ptrdiff_t a_stride, b_stride;
    int width, height;
    bool wide; /* two bytes a sample */
};

/* Sums over a window: of both, of all squares, of products. */
struct window {
    int64_t a, b, squares, product;
    int64_t n;
};

static int sample(const uint8_t *row, int x, bool wide)
{
    return wide ? ((const uint16_t *)(const void *)row)[x] : row[x];
}

static void sum_block(const struct plane *p, int x0, int y0, int width, int height,
                      struct window *out)
{
    struct window w = {.n = (int64_t)width * height};
    for (int y = y0; y < y0 + height; y++) {
        const uint8_t *ra = p->a + y * p->a_stride;
        const uint8_t *rb = p->b + y * p->b_stride;
        for (int x = x0; x < x0 + width; x++) {
            int64_t a = sample(ra, x, p->wide), b = sample(rb, x, p->wide);
            w.a += a;
            w.b += b;
            w.squares += a * a + b * b;
            w.product += a * b;
        }
    }
    *out = w;
}

static void add(struct window *to, const struct window *w)
{
    to->a += w->a;
    to->b += w->b;
    to->squares += w->squares;
    to->product += w->product;
    to->n += w->n;
}

static double window_ssim(const struct window *w, int peak)
{
    double n = (double)w->n;
    double c1 = 0.01 * 0.01 * peak * peak * n * n;
    double c2 = 0.03 * 0.03 * peak * peak * n * (n - 1);
    double a = (double)w->a, b = (double)w->b;
    double spread = (double)w->squares * n - a * a - b * b;
    double common = (double)w->product * n - a * b;
    if (w->n < 2) {
        c2 = 1;
    }
    return (2 * a * b + c1) * (2 * common + c2) / ((a * a + b * b + c1) * (spread + c2));
}

/* rows: two rows of blocks, width / 4 each. */
static double plane_ssim(const struct plane *p, int peak, struct window *rows)
{
    int blocks = p->width / BLOCK, lines = p->height / BLOCK;
    struct window *above = rows, *now = rows + blocks;
    double sum = 0;
    if (blocks < 2 || lines < 2) {
        sum_block(p, 0, 0, p->width, p->height, rows);
        return window_ssim(rows, peak);
    }
    for (int y = 0; y < lines; y++) {
        for (int x = 0; x < blocks; x++) {
            sum_block(p, x * BLOCK, y * BLOCK, BLOCK, BLOCK, &now[x]);
        }
        for (int x = 0; y > 0 && x + 1 < blocks; x++) {
            struct window w = above[x];
            add(&w, &above[x + 1]);
            add(&w, &now[x]);
            add(&w, &now[x + 1]);
            sum += window_ssim(&w, peak);
        }
        struct window *swap = above;
        above = now;
        now = swap;
    }
    return sum / ((double)(lines - 1) * (blocks - 1));
}

static uint64_t plane_error(const struct plane *p)
{
    uint64_t sum = 0;
    for (int y = 0; y < p->height; y++) {
        const uint8_t *ra = p->a + y * p->a_stride;
        const uint8_t *rb = p->b + y * p->b_stride;
        for (int x = 0; x < p->width; x++) {
            int64_t d = sample(ra, x, p->wide) - sample(rb, x, p->wide);
            sum += (uint64_t)(d * d);
        }
    }
    return sum;
}

int gm_compare_add(struct gm_compare *sum, const AVFrame *a, const AVFrame *b, struct gm_err *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)a->format);
    if (a->width != b->width || a->height != b->height || a->format != b->format || desc == NULL ||
        desc->nb_components > MAX_PLANES || (desc->flags & AV_PIX_FMT_FLAG_RGB) != 0 ||
        (desc->nb_components > 1 && (desc->flags & AV_PIX_FMT_FLAG_PLANAR) == 0)) {
        return gm_err_set(err, GM_E_INVAL, a->format, "pictures of %dx%d and %dx%d are not alike",
                          a->width, a->height, b->width, b->height);
    }
    struct window *rows = calloc(2 * ((size_t)a->width / BLOCK + 1), sizeof *rows);
    if (rows == NULL) {
        return gm_err_nomem(err);
    }
    double ssim = 0;
    int64_t all = 0;
    sum->peak = (1 << desc->comp[0].depth) - 1;
    for (int i = 0; i < desc->nb_components; i++) {
        int sw = i > 0 ? desc->log2_chroma_w : 0, sh = i > 0 ? desc->log2_chroma_h : 0;
        struct plane p = {.a = a->data[i],
                          .b = b->data[i],
                          .a_stride = a->linesize[i],
                          .b_stride = b->linesize[i],
                          .width = AV_CEIL_RSHIFT(a->width, sw),
                          .height = AV_CEIL_RSHIFT(a->height, sh),
                          .wide = desc->comp[i].depth > 8};
        int64_t size = (int64_t)p.width * p.height;
        ssim += plane_ssim(&p, sum->peak, rows) * (double)size;
        sum->error += plane_error(&p);
        all += size;
    }
    free(rows);
    sum->ssim += ssim / (double)all;
    sum->samples += (uint64_t)all;
    sum->pictures++;
    return 0;
}

double gm_compare_ssim(const struct gm_compare *sum)
{
    return sum->pictures > 0 ? sum->ssim / (double)sum->pictures : 0;
}

double gm_compare_mse(const struct gm_compare *sum)
{
    double peak = sum->peak;
    return sum->samples > 0 ? (double)sum->error / ((double)sum->samples * peak * peak) : 0;
}

double gm_compare_psnr(double mse)
{
    /* -10 log10(mse), by whole numbers: 10 log10(2) = 3.0103 */
    double scaled = mse * MSE_SCALE;
    if (scaled < 1) {
        return MAX_DB;
    }
    int64_t q = gm_fixed_log2((uint64_t)MSE_SCALE) - gm_fixed_log2((uint64_t)scaled);
    double db = (double)q / GM_Q16 * 3.0102999566398120;
    return db > MAX_DB ? MAX_DB : db;
}
