#ifndef GM_MEDIA_ENCODE_RATE_H
#define GM_MEDIA_ENCODE_RATE_H

#include "media/task_io.h"

/* What analyze is to find out and what follows from it for encode (ADR-0007). Every function here
 * is pure: the same plan and the same analysis give the same answer to every worker. */

/* How a rendition is analyzed. */
enum gm_rate_kind {
    GM_RATE_NONE,    /* its crf or qp stands in the plan */
    GM_RATE_BUDGET,  /* EncodeParams.bitrate_bps: one trial of each chunk, without a cap */
    GM_RATE_QUALITY, /* EncodeParams.quality: trials of some chunks at several crfs */
};
enum gm_rate_kind gm_rate_kind(const Gm__Rendition *rendition);
/* The crfs to try, in hundredths, rising; out: GM_RATE_TRIALS. Returns how many. */
#define GM_RATE_TRIALS 5u
size_t gm_rate_trials(const Gm__Rendition *rendition, int32_t out[GM_RATE_TRIALS]);
/* Is the chunk a sample for the rendition's quality? By its number alone: evenly over as many
 * chunks as the plan expects; the programme's last one where none came before it. */
bool gm_rate_is_sample(const Gm__Policy *policy, const Gm__Rendition *rendition, uint32_t chunk,
                       bool last);

/* What a chunk took at a crf; bits 0: nothing is known. */
struct gm_rate_point {
    int32_t crf_centi;
    int64_t bits;
};
/* What encode aims at. */
struct gm_rate_aim {
    int32_t crf_centi;   /* 0: what the plan says */
    int64_t budget_bits; /* 0: none */
    double expected_score;
    /* For gm_rate_correct: the trial, then the encode before; the nearest on either side of the
     * budget; the nearest of all. */
    struct gm_rate_point seen, above, below, best;
};
struct gm_rate; /* opaque */
/* From TaskSpec.results; policy: borrowed for its life. Errors: PROTO (analyze is missing or
 * incomplete), NOMEM. */
int gm_rate_create(const Gm__TaskSpec *spec, const Gm__Policy *policy, struct gm_rate **out,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_rate_destroy(struct gm_rate **rate);
/* For a chunk of so many frames. Errors: PROTO (a chunk that was not analyzed). */
int gm_rate_aim(const struct gm_rate *rate, size_t rendition, uint32_t chunk, size_t frames,
                struct gm_rate_aim *out, struct gm_err *err) GM_MUST_CHECK;
/* After an encode at aim->crf_centi that took so many bits: true when the chunk is to be made
 * again, at what aim says then. round: corrections so far. */
bool gm_rate_correct(const struct gm_rate *rate, size_t rendition, uint32_t round, int64_t bits,
                     struct gm_rate_aim *aim);

#endif
