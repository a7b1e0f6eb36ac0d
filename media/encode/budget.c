#include "media/encode/budget.h"

#include <stdbool.h>
#include <stdlib.h>

#include <libavutil/mathematics.h>

#include "common/fixed.h"

#define CAP_PERCENT                                                                                \
    95 /* of what comes in under the cap: the buffer has to end as full as it began */
#define MIN_STEP 300
#define MAX_STEP 1500
#define CLOSE_CENTI 25
#define MAX_WEIGHT (INT64_C(1) << 44) /* so that 2^18 chunks can be summed */
#define REFERENCE_SPAN 1200           /* centi crf round the codec's default */

/* Bits for a pixel, in thousandths, that a codec's default crf takes of ordinary film. */
#define USUAL_MILLIBITS 60

int32_t gm_budget_crf(int32_t crf_centi, int64_t bits, int64_t budget, int32_t step_centi)
{
    int64_t q = gm_fixed_log2((uint64_t)(bits > 0 ? bits : 1)) -
                gm_fixed_log2((uint64_t)(budget > 0 ? budget : 1));
    return crf_centi + (int32_t)(q * step_centi / GM_Q16);
}

int32_t gm_budget_step(int32_t crf_a, int64_t bits_a, int32_t crf_b, int64_t bits_b)
{
    int64_t q = gm_fixed_log2((uint64_t)(bits_a > 0 ? bits_a : 1)) -
                gm_fixed_log2((uint64_t)(bits_b > 0 ? bits_b : 1));
    int64_t d = crf_b - crf_a;
    if (d < 0) {
        d = -d;
        q = -q;
    }
    if (d < CLOSE_CENTI || q <= 0) {
        return GM_BUDGET_STEP_CENTI;
    }
    int64_t step = d * GM_Q16 / q;
    return (int32_t)(step < MIN_STEP ? MIN_STEP : step > MAX_STEP ? MAX_STEP : step);
}

int32_t gm_budget_reference(int64_t bps, uint64_t pixels, int64_t rate_num, int64_t rate_den,
                            int32_t default_centi)
{
    if (bps <= 0 || pixels == 0 || rate_num <= 0 || rate_den <= 0) {
        return default_centi;
    }
    int64_t frame = av_rescale(bps * 1000, rate_den, rate_num); /* millibits a frame */
    int32_t crf = gm_budget_crf(default_centi, (int64_t)pixels * USUAL_MILLIBITS, frame,
                                GM_BUDGET_STEP_CENTI);
    int32_t low = default_centi - REFERENCE_SPAN, high = default_centi + REFERENCE_SPAN;
    return crf < low ? low : crf > high ? high : crf;
}

struct share {
    int64_t weight, most;
    bool full; /* has all that it may have */
};

static void measure(const struct gm_budget_params *p, const struct gm_budget_chunk *c,
                    struct share *out)
{
    int64_t bits = c->bits > 0 ? c->bits : 1;
    int64_t bps = av_rescale(bits, p->timescale, c->duration_ts);
    int64_t q = gm_fixed_log2((uint64_t)(bps > 0 ? bps : 1)) * 4 / 5;
    int64_t ms = av_rescale(c->duration_ts, 1000, p->timescale);
    out->weight = gm_fixed_scale(ms > 0 ? ms : 1, q);
    out->weight = out->weight < 1 ? 1 : out->weight > MAX_WEIGHT ? MAX_WEIGHT : out->weight;
    int64_t best = p->reference_centi - p->best_centi;
    out->most = gm_fixed_scale(bits, (best > 0 ? best : 0) * GM_Q16 / GM_BUDGET_STEP_CENTI);
    if (p->cap_bps > 0) {
        int64_t cap = av_rescale(c->duration_ts, p->cap_bps, p->timescale) / 100 * CAP_PERCENT;
        out->most = out->most < cap ? out->most : cap;
    }
}

/* Gives what is left to those that are not full, in the ratio of their weights, until none is
 * given more than it may have. */
static void fill(struct share *s, size_t count, int64_t left, int64_t *out)
{
    for (bool again = true; again;) {
        int64_t sum = 0;
        again = false;
        for (size_t i = 0; i < count; i++) {
            sum += s[i].full ? 0 : s[i].weight;
        }
        int64_t given = 0;
        for (size_t i = 0; i < count; i++) {
            if (s[i].full) {
                continue;
            }
            out[i] = av_rescale(left, s[i].weight, sum);
            if (out[i] >= s[i].most) {
                out[i] = s[i].most;
                s[i].full = again = true;
                given += out[i];
            }
        }
        left -= given;
    }
}

int gm_budget_plan(const struct gm_budget_params *p, const struct gm_budget_chunk *chunks,
                   size_t count, int64_t *out, struct gm_err *err)
{
    if (p->target_bps <= 0 || p->timescale == 0 || count == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a budget needs a rate and chunks");
    }
    int64_t duration = 0, most = 0;
    struct share *s = calloc(count, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (chunks[i].duration_ts < 1 || chunks[i].duration_ts > INT64_MAX / 4 - duration) {
            free(s);
            return gm_err_set(err, GM_E_INVAL, (int64_t)i, "chunk %zu has no duration", i);
        }
        duration += chunks[i].duration_ts;
        measure(p, &chunks[i], &s[i]);
        most = s[i].most < INT64_MAX / 4 - most ? most + s[i].most : INT64_MAX / 4;
    }
    int64_t total = av_rescale(duration, p->target_bps, p->timescale);
    if (total >= most) {
        for (size_t i = 0; i < count; i++) {
            out[i] = s[i].most;
        }
    } else {
        fill(s, count, total, out);
    }
    free(s);
    return 0;
}
