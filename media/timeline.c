#include "media/timeline.h"

/* See timeline.h. All products are of 64-bit ticks with 31-bit rationals and are made in 128
 * bits. */
#define GOP_SECONDS 2        /* variable rate: length of a GOP */
#define FARTHEST (1LL << 61) /* no time lies beyond, either way: sums and differences stay sums */

static int64_t within(__int128 v)
{
    return v > FARTHEST ? FARTHEST : v < -FARTHEST ? -FARTHEST : (int64_t)v;
}

static int64_t floor_div(__int128 a, __int128 c)
{
    __int128 q = a / c;
    if (a % c != 0 && (a < 0) != (c < 0)) {
        q--;
    }
    return within(q);
}

static int64_t round_div(__int128 a, __int128 c)
{
    return floor_div(2 * a + c, 2 * c);
}

void gm_timeline_init(struct gm_timeline *t, const Gm__Policy *policy, AVRational time_base,
                      const Gm__Rational *zero)
{
    *t = (struct gm_timeline){
        .time_base = time_base,
        .zero_num = zero != NULL && zero->den > 0 && zero->den <= INT32_MAX ? zero->num : 0,
        .zero_den =
            zero != NULL && zero->den > 0 && zero->den <= INT32_MAX ? (int32_t)zero->den : 1,
        .rate = gm_av_rational(policy->timescale_rate),
        .timescale = policy->timescale,
        .gop_frames = policy->gop_frames,
        .segment_gops = policy->segment_gops,
        .chunk_segments = policy->chunk_segments,
    };
}

int64_t gm_timeline_out(const struct gm_timeline *t, int64_t ts)
{
    __int128 num = (__int128)within(ts) * t->time_base.num * t->zero_den -
                   (__int128)t->zero_num * t->time_base.den;
    __int128 den = (__int128)t->time_base.den * t->zero_den;
    /* num has at most 126 bits: split off whole units before it grows. */
    __int128 whole = within(num / den);
    __int128 rest = num % den;
    return within(within(whole * t->timescale) + (__int128)round_div(rest * t->timescale, den));
}

static int64_t gop_of(const struct gm_timeline *t, int64_t ts)
{
    __int128 distance = (__int128)ts - t->first_ts;
    if (t->gop_frames > 0 && t->rate.num > 0) {
        int64_t slot = round_div(distance * t->time_base.num * t->rate.num,
                                 (__int128)t->time_base.den * t->rate.den);
        return floor_div(slot, t->gop_frames);
    }
    return floor_div(distance * t->time_base.num, (__int128)t->time_base.den * GOP_SECONDS);
}

void gm_timeline_next(struct gm_timeline *t, int64_t ts, struct gm_timeline_frame *out)
{
    ts = within(ts);
    if (!t->started) {
        t->first_ts = ts;
    } else if (ts < t->last_ts) {
        ts = t->last_ts;
    }
    int64_t gop = gop_of(t, ts);
    int64_t segment = gop / t->segment_gops;
    int64_t out_ts = gm_timeline_out(t, ts);
    if (t->started && out_ts <= t->last_out) {
        out_ts = t->last_out + 1;
    }
    out->gop = !t->started || gop != t->last_gop;
    out->segment = !t->started || segment != t->last_segment;
    if (t->started) {
        t->segment += out->segment;
        t->last_step = out_ts - t->last_out;
    } else {
        t->segment = 1;
    }
    out->out_ts = out_ts;
    out->segment_number = t->segment;
    t->started = true;
    t->last_ts = ts;
    t->last_out = out_ts;
    t->last_gop = gop;
    t->last_segment = segment;
    t->frames++;
}

bool gm_timeline_cut(struct gm_timeline *t, uint64_t lead)
{
    uint64_t first = t->frames - 1; /* the frame just given */
    uint64_t held = first - t->chunk_start;
    bool cut = first > 0 && (t->chunk == 0 || t->segments_in_chunk >= t->chunk_segments ||
                             lead <= held / GM_TIMELINE_LEAD);
    if (cut) {
        t->chunk++;
        t->chunk_start = first;
        t->segments_in_chunk = 0;
    }
    t->segments_in_chunk++;
    return cut;
}

int64_t gm_timeline_end(const struct gm_timeline *t, int64_t duration)
{
    AVRational unit = {1, (int)t->timescale};
    if (!t->started) {
        return 0;
    }
    if (duration > 0) {
        int64_t step = gm_av_rescale(duration, t->time_base, unit);
        __int128 most = (__int128)10 * (t->last_step > 0 ? t->last_step : (int64_t)t->timescale);
        if (step > 0 && step <= most) {
            return t->last_out + within(step);
        }
    }
    if (t->last_step > 0) {
        return t->last_out + t->last_step;
    }
    int64_t step = t->rate.num > 0 ? gm_av_rescale(1, av_inv_q(t->rate), unit) : t->timescale / 25;
    return t->last_out + (step > 0 ? step : 1);
}

void gm_time_guess_init(struct gm_time_guess *g)
{
    *g = (struct gm_time_guess){.last_pts = INT64_MIN, .last_dts = INT64_MIN};
}

int64_t gm_time_guess_next(struct gm_time_guess *g, int64_t pts, int64_t dts)
{
    if (dts != AV_NOPTS_VALUE) {
        g->bad_dts += dts <= g->last_dts;
        g->last_dts = dts;
    } else if (pts != AV_NOPTS_VALUE) {
        g->last_dts = pts;
    }
    if (pts != AV_NOPTS_VALUE) {
        g->bad_pts += pts <= g->last_pts;
        g->last_pts = pts;
    } else if (dts != AV_NOPTS_VALUE) {
        g->last_pts = dts;
    }
    bool use_pts = pts != AV_NOPTS_VALUE && (g->bad_pts <= g->bad_dts || dts == AV_NOPTS_VALUE);
    return use_pts ? pts : dts;
}
