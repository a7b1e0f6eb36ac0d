#ifndef GM_MEDIA_ENCODE_TRIAL_H
#define GM_MEDIA_ENCODE_TRIAL_H

#include "media/encode/encoder.h"
#include "media/picture/compare.h"

/* A rendition of one chunk encoded to see what it takes: how many bits, and how like the pictures
 * are to what was encoded. Nothing is kept of it. */
struct gm_trial; /* opaque */

struct gm_trial_params {
    const Gm__Policy *policy; /* borrowed, as the others */
    uint32_t rendition;       /* index into policy->renditions */
    const Gm__VideoFacts *facts;
    const Gm__ChunkHeader *header; /* until finish; has frames */
    int32_t crf_centi;
    bool capped;  /* with the limits of a first attempt (media/encode/vbv.h), else without any */
    bool compare; /* decode it and compare some of the pictures */
};
/* Errors: those of gm_encoder_open; INPUT_CODEC, MEDIA (no decoder). */
int gm_trial_open(const struct gm_trial_params *params, struct gm_trial **out,
                  struct gm_err *err) GM_MUST_CHECK;
/* Picture `index` of the chunk, in order; its pts and type are set here.
 * Errors: MEDIA, NOMEM. */
int gm_trial_frame(struct gm_trial *trial, size_t index, AVFrame *frame,
                   struct gm_err *err) GM_MUST_CHECK;
/* After the last. Errors: MEDIA (frames are missing). */
int gm_trial_finish(struct gm_trial *trial, struct gm_err *err) GM_MUST_CHECK;
/* After finish. */
int64_t gm_trial_bits(const struct gm_trial *trial);
const struct gm_compare *gm_trial_compare(const struct gm_trial *trial);
void gm_trial_close(struct gm_trial **trial);

#endif
