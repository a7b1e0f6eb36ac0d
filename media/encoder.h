#ifndef GM_MEDIA_ENCODER_H
#define GM_MEDIA_ENCODER_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media.pb-c.h"

/* One software H.264 encoder (libx264 through libavcodec): settings come from the plan alone, so
 * the same frames give the same bytes on every x86 machine. One thread, no scene cuts, IDRs where
 * they are forced, closed GOPs, fixed reorder depth, headers outside the stream (cpu-independent,
 * stitchable). Used by `plan` once, for parameter sets, and by `encode` for each chunk and
 * rendition. timescale: ticks a second of frame->pts. rate: constant rate, or 0/1.
 */
int gm_encoder_open(const Gm__Rendition *rendition, const Gm__VideoFacts *facts, uint32_t timescale,
                    AVRational rate, AVCodecContext **out, struct gm_err *err) GM_MUST_CHECK;

#endif
