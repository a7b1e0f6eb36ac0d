#include "media/encode/rate.h"

#include <stdlib.h>
#include <string.h>

#include "common/fixed.h"
#include "media/encode/budget.h"
#include "media/picture/compare.h"
#include "media/results.h"
#include "proto/envelope.h"
#include "proto/video_codec.h"

#define BEST_CENTI 1000 /* no title is made better than that to use up its bits */
#define TOLERANCE 4     /* percent of a chunk's budget */
#define CORRECTIONS 5   /* encodes more of a chunk, for its budget, at most */
#define SAMPLE_BYTES 16 /* of a fragment, for each sample and for each GOP, at 2 s: ADR-0003 */
#define FRAGMENT_BYTES 120
#define GOP_FRAMES 50
#define PICK_STEP 25 /* centi crf */
#define GOP_US INT64_C(2000000)
#define CHUNK_SEGMENTS 2 /* an ordinary chunk's */

struct gm_rate {
    const Gm__Policy *policy;
    Gm__AnalyzeMeta *meta; /* owned; NULL: no rendition needs it */
    int64_t **budgets;     /* owned arrays, one a rendition, by chunk; NULL: it has no bit rate */
    struct gm_rate_aim *quality; /* owned, one a rendition */
};

enum gm_rate_kind gm_rate_kind(const Gm__Rendition *r)
{
    if (r->encode == NULL) {
        return GM_RATE_NONE;
    }
    return r->encode->quality != NULL   ? GM_RATE_QUALITY
           : r->encode->bitrate_bps > 0 ? GM_RATE_BUDGET
                                        : GM_RATE_NONE;
}

size_t gm_rate_trials(const Gm__Rendition *r, int32_t out[GM_RATE_TRIALS])
{
    const Gm__QualityTarget *q = r->encode->quality;
    if (q == NULL) {
        out[0] = r->encode->crf * 100;
        return 1;
    }
    int32_t span = q->max_crf > q->min_crf ? q->max_crf - q->min_crf : 0;
    size_t n = 0;
    for (int32_t i = 0; i < (int32_t)GM_RATE_TRIALS; i++) {
        int32_t crf = q->min_crf + span * i / ((int32_t)GM_RATE_TRIALS - 1);
        if (n == 0 || crf * 100 > out[n - 1]) {
            out[n++] = crf * 100;
        }
    }
    return n;
}

bool gm_rate_is_sample(const Gm__Policy *policy, const Gm__Rendition *r, uint32_t chunk, bool last)
{
    const Gm__QualityTarget *q = r->encode != NULL ? r->encode->quality : NULL;
    if (q == NULL || q->samples == 0) {
        return false;
    }
    int64_t chunk_us = CHUNK_SEGMENTS * GOP_US * policy->segment_gops;
    int64_t expected = chunk_us > 0 ? policy->estimated_duration_us / chunk_us : 1;
    uint32_t stride = (uint32_t)(expected / q->samples);
    stride = stride < 1 ? 1 : stride;
    uint32_t at = stride / 2;
    return chunk % stride == at || (last && chunk < at);
}

/* Over all samples. *out_any false: there is none. */
static double trial_score(const struct gm_rate *rate, uint32_t rendition, int32_t crf_centi,
                          bool *out_any)
{
    const Gm__AnalyzeMeta *meta = rate->meta;
    const Gm__QualityTarget *q = rate->policy->renditions[rendition]->encode->quality;
    double sum = 0, frames = 0;
    for (size_t i = 0; i < meta->n_chunks; i++) {
        const Gm__AnalyzeItemMeta *c = meta->chunks[i];
        for (size_t k = 0; k < c->n_rungs; k++) {
            const Gm__AnalyzeRung *g = c->rungs[k];
            for (size_t t = 0; g->rendition == rendition && t < g->n_crfs && t < g->n_scores; t++) {
                if (g->crfs[t] == crf_centi) {
                    sum += g->scores[t] * c->frames;
                    frames += c->frames;
                }
            }
        }
    }
    *out_any = frames > 0;
    if (frames <= 0) {
        return 0;
    }
    return strcmp(q->metric, "psnr") == 0 ? gm_compare_psnr(sum / frames) : sum / frames;
}

/* The coarsest crf whose expected score reaches the target; the finest where none does. Between
 * trials scores are taken for straight lines. */
static int pick(const struct gm_rate *rate, uint32_t rendition, struct gm_rate_aim *out,
                struct gm_err *err)
{
    const Gm__Rendition *r = rate->policy->renditions[rendition];
    const struct gm_video_codec *codec = gm_video_codec_find(r->encode->codec);
    double target = r->encode->quality->target, scores[GM_RATE_TRIALS] = {0};
    int32_t crfs[GM_RATE_TRIALS];
    size_t n = gm_rate_trials(r, crfs);
    for (size_t i = 0; i < n; i++) {
        bool any;
        scores[i] = trial_score(rate, rendition, crfs[i], &any);
        if (!any) {
            return gm_err_set(err, GM_E_PROTO, crfs[i], "analyze has no sample of rendition %s",
                              r->name);
        }
    }
    int32_t step = codec != NULL && gm_video_codec_is_fine(codec) ? PICK_STEP : 100;
    out->crf_centi = crfs[0];
    out->expected_score = scores[0];
    for (size_t i = 0; i + 1 < n; i++) {
        for (int32_t crf = crfs[i] + step; crf <= crfs[i + 1]; crf += step) {
            double share = (double)(crf - crfs[i]) / (double)(crfs[i + 1] - crfs[i]);
            double score = scores[i] + (scores[i + 1] - scores[i]) * share;
            if (score < target) {
                return 0;
            }
            out->crf_centi = crf;
            out->expected_score = score;
        }
    }
    return 0;
}

static const Gm__AnalyzeRung *find_rung(const Gm__AnalyzeItemMeta *c, uint32_t rendition)
{
    for (size_t k = 0; k < c->n_rungs; k++) {
        if (c->rungs[k]->rendition == rendition && c->rungs[k]->n_bits > 0) {
            return c->rungs[k];
        }
    }
    return NULL;
}

static int plan_budgets(struct gm_rate *rate, uint32_t rendition, struct gm_err *err)
{
    const Gm__Rendition *r = rate->policy->renditions[rendition];
    size_t count = rate->meta->n_chunks;
    struct gm_budget_chunk *chunks = calloc(count + 1, sizeof *chunks);
    int64_t *budgets = calloc(count + 1, sizeof *budgets);
    int rc = chunks != NULL && budgets != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const Gm__AnalyzeItemMeta *c = rate->meta->chunks[i];
        const Gm__AnalyzeRung *g = find_rung(c, rendition);
        chunks[i] = (struct gm_budget_chunk){g != NULL ? g->bits[0] : 1,
                                             c->duration_ts > 0 ? c->duration_ts : 1};
    }
    if (rc == 0 && count > 0) {
        struct gm_budget_params params = {.target_bps = r->encode->bitrate_bps,
                                          .cap_bps = r->maxrate_bps,
                                          .timescale = rate->policy->timescale,
                                          .reference_centi = r->encode->crf * 100,
                                          .best_centi = BEST_CENTI};
        rc = gm_budget_plan(&params, chunks, count, budgets, err);
    }
    free(chunks);
    if (rc < 0) {
        free(budgets);
        return rc;
    }
    rate->budgets[rendition] = budgets;
    return 0;
}

static int read_meta(const Gm__TaskSpec *spec, Gm__AnalyzeMeta **out, struct gm_err *err)
{
    const Gm__TaskResult *result = gm_results_find(spec, "analyze");
    ProtobufCMessage *m = NULL;
    if (result == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "there is no result of analyze");
    }
    int rc = gm_message_decode(&gm__analyze_meta__descriptor, result->meta.data, result->meta.len,
                               GM_META_MAX_BYTES, &m, err);
    if (rc == 0) {
        *out = (Gm__AnalyzeMeta *)m;
    }
    return rc;
}

int gm_rate_create(const Gm__TaskSpec *spec, const Gm__Policy *policy, struct gm_rate **out,
                   struct gm_err *err)
{
    struct gm_rate *rate = calloc(1, sizeof *rate);
    if (rate == NULL) {
        return gm_err_nomem(err);
    }
    size_t n = policy->n_renditions;
    rate->policy = policy;
    rate->budgets = calloc(n + 1, sizeof *rate->budgets);
    rate->quality = calloc(n + 1, sizeof *rate->quality);
    int rc = rate->budgets != NULL && rate->quality != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        enum gm_rate_kind kind = gm_rate_kind(policy->renditions[i]);
        if (kind == GM_RATE_NONE) {
            continue;
        }
        rc = rate->meta == NULL ? read_meta(spec, &rate->meta, err) : 0;
        if (rc == 0) {
            rc = kind == GM_RATE_BUDGET ? plan_budgets(rate, (uint32_t)i, err)
                                        : pick(rate, (uint32_t)i, &rate->quality[i], err);
        }
    }
    if (rc < 0) {
        gm_rate_destroy(&rate);
        return rc;
    }
    *out = rate;
    return 0;
}

void gm_rate_destroy(struct gm_rate **rate)
{
    struct gm_rate *r = *rate;
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; r->budgets != NULL && i < r->policy->n_renditions; i++) {
        free(r->budgets[i]);
    }
    free(r->budgets);
    free(r->quality);
    if (r->meta != NULL) {
        gm__analyze_meta__free_unpacked(r->meta, NULL);
    }
    free(r);
    *rate = NULL;
}

static int32_t within(const Gm__Rendition *r, int32_t crf_centi)
{
    const struct gm_video_codec *codec = gm_video_codec_find(r->encode->codec);
    int32_t most = (codec != NULL ? codec->max_crf : 51) * 100;
    if (codec != NULL && !gm_video_codec_is_fine(codec)) {
        crf_centi = (crf_centi + 50) / 100 * 100;
    }
    return crf_centi < BEST_CENTI ? BEST_CENTI : crf_centi > most ? most : crf_centi;
}

int gm_rate_aim(const struct gm_rate *rate, size_t rendition, uint32_t chunk, size_t frames,
                struct gm_rate_aim *out, struct gm_err *err)
{
    const Gm__Rendition *r = rate->policy->renditions[rendition];
    *out = rate->quality[rendition];
    if (rate->budgets[rendition] == NULL) {
        return 0;
    }
    const Gm__AnalyzeItemMeta *c = chunk < rate->meta->n_chunks ? rate->meta->chunks[chunk] : NULL;
    const Gm__AnalyzeRung *g = c != NULL ? find_rung(c, (uint32_t)rendition) : NULL;
    if (g == NULL || c->chunk != chunk) {
        return gm_err_set(err, GM_E_PROTO, chunk, "chunk %u was not analyzed", chunk);
    }
    int64_t budget = rate->budgets[rendition][chunk];
    int64_t boxes =
        8 * ((int64_t)frames * SAMPLE_BYTES + (int64_t)(frames / GOP_FRAMES + 1) * FRAGMENT_BYTES);
    int64_t media = budget > 2 * boxes ? budget - boxes : budget / 2;
    out->budget_bits = budget;
    out->seen = (struct gm_rate_point){r->encode->crf * 100, g->bits[0]};
    out->crf_centi =
        within(r, gm_budget_crf(out->seen.crf_centi, g->bits[0], media, GM_BUDGET_STEP_CENTI));
    return 0;
}

/* The distance of bits from the budget as a ratio, either way: 0 is none. */
static int64_t miss(int64_t bits, int64_t budget)
{
    int64_t q = gm_fixed_log2((uint64_t)(bits > 0 ? bits : 1)) - gm_fixed_log2((uint64_t)budget);
    return q < 0 ? -q : q;
}

static void note(struct gm_rate_aim *aim, struct gm_rate_point now)
{
    struct gm_rate_point *side = now.bits > aim->budget_bits ? &aim->above : &aim->below;
    bool nearer =
        side == &aim->above ? now.crf_centi > side->crf_centi : now.crf_centi < side->crf_centi;
    if (side->bits == 0 || nearer) {
        *side = now;
    }
    if (aim->best.bits == 0 ||
        miss(now.bits, aim->budget_bits) < miss(aim->best.bits, aim->budget_bits)) {
        aim->best = now;
    }
}

/* Between an encode above the budget and one below it: where a straight line of the logarithms
 * meets it, but not too near an end, since the curve may have a step. */
static int32_t between(const struct gm_rate_aim *aim)
{
    int64_t span = aim->below.crf_centi - aim->above.crf_centi;
    int64_t up = miss(aim->above.bits, aim->budget_bits);
    int64_t down = miss(aim->below.bits, aim->budget_bits);
    int64_t share = up + down > 0 ? span * up / (up + down) : span / 2;
    share = share < span / 5 ? span / 5 : share > span * 4 / 5 ? span * 4 / 5 : share;
    return aim->above.crf_centi + (int32_t)share;
}

bool gm_rate_correct(const struct gm_rate *rate, size_t rendition, uint32_t round, int64_t bits,
                     struct gm_rate_aim *aim)
{
    const Gm__Rendition *r = rate->policy->renditions[rendition];
    const struct gm_rate_point now = {aim->crf_centi, bits > 0 ? bits : 1};
    if (aim->budget_bits <= 0) {
        return false;
    }
    note(aim, now);
    int64_t off = now.bits - aim->budget_bits;
    if ((off < 0 ? -off : off) * 100 <= aim->budget_bits * TOLERANCE || round > CORRECTIONS) {
        return false;
    }
    int32_t crf;
    if (aim->above.bits > 0 && aim->below.bits > 0) {
        crf = between(aim);
    } else {
        int32_t step = gm_budget_step(aim->seen.crf_centi, aim->seen.bits, now.crf_centi, now.bits);
        crf = gm_budget_crf(now.crf_centi, now.bits, aim->budget_bits, step);
    }
    crf = within(r, crf);
    if (round == CORRECTIONS || crf == aim->above.crf_centi || crf == aim->below.crf_centi) {
        crf = aim->best.crf_centi; /* nothing nearer is to be found */
    }
    aim->seen = now;
    aim->crf_centi = crf;
    return crf != now.crf_centi;
}
