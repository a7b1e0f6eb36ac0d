#ifndef GM_MEDIA_PICTURE_VA_PROOF_H
#define GM_MEDIA_PICTURE_VA_PROOF_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "common/hash.h"
#include "media/device/vaapi_scaler.h"

/* What a plan relies on of a VA driver's scaler, tried with a picture whose light rises and falls
 * in straight lines: any filter keeps them straight, so what lies between two edges is known.
 *
 * - Each sample lies where it belongs, along both sides and in all three planes, within about a
 *   third of one: no colour is converted, and nothing moved.
 * - Pictures of 10 bits do not go through 8.
 * - The same picture gives the same bits a second time, in a surface that is larger than it, whose
 *   rest holds something else: a decoder's surfaces have whole blocks. */
struct gm_va_proof {
    unsigned bits;                     /* 8 or 10 */
    int from_width_px, from_height_px; /* even, as those below */
    int width_px, height_px;
};

/* *out_sha256: of the samples that it made, where it passed. scaler: makes that size; from, to:
 * pools of both sizes. Errors: MEDIA_VERIFY; PIPELINE_UNFIT a size too small for any sample to lie
 * between two edges; of media/device/va_picture.h, media/device/vaapi_scaler.h and gm_vaapi_frames.
 */
int gm_va_proof_run(const struct gm_va_proof *proof, struct gm_vaapi_scaler *scaler,
                    AVBufferRef *from, AVBufferRef *to, uint8_t out_sha256[GM_SHA256_SIZE],
                    struct gm_err *err) GM_MUST_CHECK;

#endif
