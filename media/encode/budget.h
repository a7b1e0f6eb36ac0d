#ifndef GM_MEDIA_ENCODE_BUDGET_H
#define GM_MEDIA_ENCODE_BUDGET_H

#include <stddef.h>

#include "common/err.h"

/* Bits for each chunk so that the programme has a given average bit rate (ADR-0007). A pure
 * function of what all chunks take at one quality: the same for every worker, whole numbers only.
 *
 * A chunk's share is its length times its rate at that quality to the power of 0.8: hard chunks get
 * more, not all of what they ask. None gets more than its cap or than it can use at the best
 * quality; what that leaves goes to the others. The sum is the average times the length, or less
 * where the programme can't use as much. */
struct gm_budget_chunk {
    int64_t bits;        /* taken at reference crf, at least 1 */
    int64_t duration_ts; /* at least 1 */
};
struct gm_budget_params {
    int64_t target_bps;
    int64_t cap_bps; /* most for a chunk; 0: no cap */
    uint32_t timescale;
    int32_t reference_centi; /* crf of `bits`, in hundredths */
    int32_t best_centi;      /* least crf that may be used */
};
/* out: count of them. Errors: INVAL, NOMEM. */
int gm_budget_plan(const struct gm_budget_params *params, const struct gm_budget_chunk *chunks,
                   size_t count, int64_t *out, struct gm_err *err) GM_MUST_CHECK;

/* Bits double where the crf falls by so much: x264, x265 at usual qualities; others about. */
#define GM_BUDGET_STEP_CENTI 600
/* The crf at which a chunk that takes `bits` at `crf_centi` takes `budget`. step_centi: crf for
 * twice the bits. Not limited. */
int32_t gm_budget_crf(int32_t crf_centi, int64_t bits, int64_t budget, int32_t step_centi);
/* The step seen between two encodes of a chunk, 300..1500; GM_BUDGET_STEP_CENTI where they lie too
 * close to tell. */
int32_t gm_budget_step(int32_t crf_a, int64_t bits_a, int32_t crf_b, int64_t bits_b);
/* A crf to analyze at, near the one that will be used: from the bits for a pixel. default_centi:
 * the codec's. */
int32_t gm_budget_reference(int64_t bps, uint64_t pixels, int64_t rate_num, int64_t rate_den,
                            int32_t default_centi);

#endif
