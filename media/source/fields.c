#include "media/source/fields.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

/* See fields.h. Samples are kept with 8 bits. */
#define MAX_COLUMNS 256
#define MOVES 10         /* a sample that differs by more moves */
#define MOVING_SHARE 500 /* fewer than one sample in so many move: a still */
#define LEAST_LINES 240  /* no format of fields has fewer; small test patterns look like fields */
#define ENOUGH 4         /* judged pictures */

void gm_fields_cut(struct gm_fields *f)
{
    f->count = 0;
}

void gm_fields_fini(struct gm_fields *f)
{
    for (size_t i = 0; i < 3; i++) {
        free(f->sampled[i]);
        f->sampled[i] = NULL;
    }
    f->count = 0;
}

static bool is_readable(const AVPixFmtDescriptor *d)
{
    return d != NULL && d->comp[0].depth >= 8 && d->comp[0].depth <= 16 &&
           (d->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                        AV_PIX_FMT_FLAG_FLOAT)) == 0;
}

static void sample(const AVFrame *p, const AVPixFmtDescriptor *d, size_t columns, uint8_t *out)
{
    const AVComponentDescriptor *c = &d->comp[0];
    bool big = (d->flags & AV_PIX_FMT_FLAG_BE) != 0;
    size_t high = c->depth > 8 && !big; /* where the upper byte lies */
    for (int y = 0; y < p->height; y++) {
        const uint8_t *line = p->data[c->plane] + (ptrdiff_t)y * p->linesize[c->plane] + c->offset;
        for (size_t i = 0; i < columns; i++) {
            const uint8_t *at = line + (i * (size_t)p->width / columns) * (size_t)c->step;
            if (c->depth == 8 && c->shift == 0) {
                *out++ = *at;
            } else {
                unsigned v = (unsigned)at[high] << 8 | at[1 - high];
                *out++ = (uint8_t)(v >> c->shift >> (c->depth - 8));
            }
        }
    }
}

static int distance(int a, int b)
{
    return a < b ? b - a : a - b;
}

/* How badly samples fit between the neighbours of the line at y, where they move. */
struct fit {
    int64_t moving, own, earlier_even,
        later_even; /* the last two: of even lines; odd ones swapped */
};

static void measure(const uint8_t *before, const uint8_t *now, const uint8_t *after, size_t columns,
                    size_t lines, struct fit *out)
{
    for (size_t y = 1; y + 1 < lines; y++) {
        size_t at = y * columns;
        int64_t earlier = 0, later = 0, own = 0, moving = 0;
        for (size_t x = at; x < at + columns; x++) {
            bool moves = distance(before[x], now[x]) > MOVES || distance(after[x], now[x]) > MOVES;
            int around = now[x - columns] + now[x + columns];
            earlier += moves ? distance(around, 2 * before[x]) : 0;
            later += moves ? distance(around, 2 * after[x]) : 0;
            own += moves ? distance(around, 2 * now[x]) : 0;
            moving += moves;
        }
        out->moving += moving;
        out->own += own;
        out->earlier_even += y % 2 == 0 ? earlier : later;
        out->later_even += y % 2 == 0 ? later : earlier;
    }
}

static void judge_picture(struct gm_fields *f)
{
    struct fit fit = {0};
    measure(f->sampled[0], f->sampled[1], f->sampled[2], f->columns, f->lines, &fit);
    /* Of fields one time apart, a line is as far from its neighbours as the nearer of the same
     * lines before and after: less is about own, more where coding has smoothed what was between.
     */
    int64_t less = fit.earlier_even < fit.later_even ? fit.earlier_even : fit.later_even;
    if (fit.moving * MOVING_SHARE < (int64_t)(f->columns * f->lines)) {
        f->still++;
    } else if (less * 2 > fit.own * 3) {
        f->progressive++;
    } else if (fit.earlier_even * 10 > fit.later_even * 11) {
        /* The top field's line of the picture before is three fields away from its neighbours here,
         * that of the picture after one: the neighbours' field is the later one. */
        f->top_first++;
    } else if (fit.later_even * 10 > fit.earlier_even * 11) {
        f->bottom_first++;
    } else {
        f->unclear++;
    }
}

int gm_fields_push(struct gm_fields *f, const AVFrame *p, struct gm_err *err)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)p->format);
    size_t columns = p->width < MAX_COLUMNS ? (size_t)p->width : MAX_COLUMNS;
    if (!is_readable(d) || p->height < LEAST_LINES || columns == 0) {
        gm_fields_cut(f);
        return 0;
    }
    if (f->sampled[0] == NULL || f->columns != columns || f->lines != (size_t)p->height ||
        f->format != p->format) {
        gm_fields_fini(f);
        f->columns = columns;
        f->lines = (size_t)p->height;
        f->format = p->format;
        for (size_t i = 0; i < 3; i++) {
            f->sampled[i] = malloc(columns * f->lines);
            if (f->sampled[i] == NULL) {
                gm_fields_fini(f);
                return gm_err_nomem(err);
            }
        }
    }
    if (f->count == 3) {
        uint8_t *oldest = f->sampled[0];
        f->sampled[0] = f->sampled[1];
        f->sampled[1] = f->sampled[2];
        f->sampled[2] = oldest;
        f->count = 2;
    }
    sample(p, d, columns, f->sampled[f->count++]);
    if (f->count == 3) {
        judge_picture(f);
    }
    return 0;
}

bool gm_fields_judge(const struct gm_fields *f, bool *out_interlaced, bool *out_top_first)
{
    int64_t most = f->top_first > f->bottom_first ? f->top_first : f->bottom_first;
    int64_t least = f->top_first + f->bottom_first - most;
    int64_t judged = f->progressive + most + least;
    if (judged < ENOUGH) {
        return false;
    }
    *out_interlaced = most >= ENOUGH / 2 && most * 4 >= judged && most >= least * 3;
    *out_top_first = f->top_first >= f->bottom_first;
    return true;
}
