#include "media/encode/vbv.h"

#include <libavutil/mathematics.h>

#include "media/encode/budget.h"

#define MIN_RATE 1000 /* bits a second: libx264 counts in thousands */

bool gm_vbv_declared(const Gm__Rendition *r, uint32_t timescale, struct gm_vbv *out)
{
    if (r->maxrate_bps <= 0 || r->bufsize_bits <= 0 || timescale == 0) {
        return false;
    }
    *out = (struct gm_vbv){
        .rate_bps = r->maxrate_bps, .size_bits = r->bufsize_bits, .timescale = timescale};
    return true;
}

int64_t gm_vbv_entry(const struct gm_vbv *vbv)
{
    return vbv->size_bits / 2;
}

/* Percent of rate and buffer, and what is added to the crf. */
static const struct {
    int32_t percent, crf_add;
} steps[GM_VBV_ATTEMPTS] = {{100, 0}, {90, 1},  {80, 3},  {65, 6},
                            {50, 10}, {35, 16}, {25, 24}, {15, 40}};

void gm_vbv_limits(const struct gm_vbv *vbv, int64_t duration_ts, bool last, uint32_t attempt,
                   struct gm_vbv_limits *out)
{
    uint32_t step = attempt < GM_VBV_ATTEMPTS ? attempt : GM_VBV_ATTEMPTS - 1;
    int64_t all = av_rescale(duration_ts, vbv->rate_bps, vbv->timescale);
    int64_t entry = gm_vbv_entry(vbv);
    struct gm_vbv_limits l = {.rate_bps = vbv->rate_bps, .buffer_bits = vbv->size_bits / 2};
    l.init_bits = entry;
    if (!last) {
        /* Short chunks borrow less: a quarter of what comes in while they last. */
        l.init_bits = entry < all / 4 ? entry : all / 4;
        l.rate_bps -= av_rescale_rnd(l.init_bits, vbv->timescale, duration_ts, AV_ROUND_UP);
    }
    l.rate_bps = l.rate_bps * steps[step].percent / 100;
    l.buffer_bits = l.buffer_bits * steps[step].percent / 100;
    l.rate_bps = l.rate_bps > MIN_RATE ? l.rate_bps : MIN_RATE;
    l.buffer_bits = l.buffer_bits > MIN_RATE ? l.buffer_bits : MIN_RATE;
    l.init_bits = l.init_bits < l.buffer_bits ? l.init_bits : l.buffer_bits;
    l.crf_add = steps[step].crf_add;
    *out = l;
}

#define USUAL_STEP_CENTI                                                                           \
    1000 /* crf for twice the bits: SVT-AV1 14 to 7, libvpx 11, crf 35 to 60                       \
          */
#define USUAL_MOST 10
#define RATIO_ONE 4096
#define RATIO_AIM 4055 /* 1 % below what there is room for */
#define RATIO_MOST 64

/* What was taken over what there was room for. */
static int64_t ratio_of(const struct gm_vbv_miss *m)
{
    int64_t room = m->bits - m->over_bits;
    int64_t least = m->bits / RATIO_MOST > 0 ? m->bits / RATIO_MOST : 1;
    return av_rescale(m->bits, RATIO_ONE, room > least ? room : least);
}

int32_t gm_vbv_worse(const struct gm_vbv_miss *before, const struct gm_vbv_miss *now,
                     uint32_t attempt)
{
    int32_t step = USUAL_STEP_CENTI;
    if (before != NULL) {
        step = gm_budget_step(before->crf_add * 100, ratio_of(before), now->crf_add * 100,
                              ratio_of(now));
    }
    int32_t add = (gm_budget_crf(now->crf_add * 100, ratio_of(now), RATIO_AIM, step) + 99) / 100;
    if (before == NULL && add > now->crf_add + USUAL_MOST) {
        add = now->crf_add + USUAL_MOST; /* the slope is a guess */
    }
    /* The last attempts hurry: what was seen misled. */
    int32_t least = attempt + 4 < GM_VBV_ATTEMPTS   ? now->crf_add + 1
                    : attempt + 2 < GM_VBV_ATTEMPTS ? (now->crf_add + now->most_add + 1) / 2
                                                    : now->most_add;
    add = add > least ? add : least;
    return add < now->most_add ? add : now->most_add;
}

/* Bits that have come in until ts, so that no rounding adds up over the programme. */
static int64_t arrived(const struct gm_vbv *vbv, int64_t ts)
{
    return av_rescale_rnd(ts, vbv->rate_bps, vbv->timescale, AV_ROUND_DOWN);
}

static void advance(struct gm_vbv_walk *w, int64_t ts)
{
    int64_t bits = arrived(&w->vbv, ts) - arrived(&w->vbv, w->at_ts);
    if (bits > 0) {
        gm_bucket_fill(&w->bucket, bits < w->vbv.size_bits ? bits : w->vbv.size_bits,
                       w->vbv.size_bits);
    }
    if (gm_bucket_end(&w->bucket, gm_vbv_entry(&w->vbv)) == w->vbv.size_bits) {
        w->bits = 0;
    }
    w->at_ts = ts;
}

void gm_vbv_walk_start(struct gm_vbv_walk *w, const struct gm_vbv *vbv, int64_t start_ts)
{
    w->vbv = *vbv;
    w->at_ts = start_ts;
    w->bits = w->bits_at_need = w->bits_at_low = 0;
    gm_bucket_init(&w->bucket, vbv->size_bits);
}

void gm_vbv_walk_sample(struct gm_vbv_walk *w, int64_t dts, size_t size)
{
    advance(w, dts);
    const struct gm_bucket before = w->bucket;
    gm_bucket_take(&w->bucket, (int64_t)size * 8);
    w->bits += (int64_t)size * 8;
    w->bits_at_need = w->bucket.need > before.need ? w->bits : w->bits_at_need;
    w->bits_at_low = w->bucket.low < before.low ? w->bits : w->bits_at_low;
}

void gm_vbv_walk_end(struct gm_vbv_walk *w, int64_t end_ts)
{
    advance(w, end_ts);
}

bool gm_vbv_walk_broke(const struct gm_vbv_walk *w, bool last, struct gm_vbv_miss *out)
{
    int64_t entry = gm_vbv_entry(&w->vbv);
    int64_t over = gm_bucket_excess(&w->bucket, entry, last);
    if (over == 0) {
        return false;
    }
    out->over_bits = over;
    out->bits = w->bucket.need - entry == over ? w->bits_at_need
                : -w->bucket.low == over       ? w->bits_at_low
                                               : w->bits;
    return true;
}

void gm_vbv_walk_message(const struct gm_vbv_walk *w, Gm__BufferWalk *out)
{
    gm__buffer_walk__init(out);
    out->need = w->bucket.need;
    out->gain = w->bucket.gain;
    out->cap = w->bucket.cap;
    out->low = w->bucket.low;
}
