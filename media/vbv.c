#include "media/vbv.h"

#include <libavutil/mathematics.h>

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
    w->at_ts = ts;
}

void gm_vbv_walk_start(struct gm_vbv_walk *w, const struct gm_vbv *vbv, int64_t start_ts)
{
    w->vbv = *vbv;
    w->at_ts = start_ts;
    gm_bucket_init(&w->bucket, vbv->size_bits);
}

void gm_vbv_walk_sample(struct gm_vbv_walk *w, int64_t dts, size_t size)
{
    advance(w, dts);
    gm_bucket_take(&w->bucket, (int64_t)size * 8);
}

void gm_vbv_walk_end(struct gm_vbv_walk *w, int64_t end_ts)
{
    advance(w, end_ts);
}

void gm_vbv_walk_message(const struct gm_vbv_walk *w, Gm__BufferWalk *out)
{
    gm__buffer_walk__init(out);
    out->need = w->bucket.need;
    out->gain = w->bucket.gain;
    out->cap = w->bucket.cap;
    out->low = w->bucket.low;
}
