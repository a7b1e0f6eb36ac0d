#ifndef GM_MEDIA_ENCODE_VBV_H
#define GM_MEDIA_ENCODE_VBV_H

#include <stddef.h>

#include "common/bucket.h"
#include "media.pb-c.h"

/* The decoder's buffer of a rendition, over chunks that are encoded apart (ADR-0006). Pure.
 *
 * Declared are a rate R and a size B (Rendition.maxrate_bps, bufsize_bits). Every chunk promises:
 * entered with half of B it does not underflow and, unless it is the programme's last, leaves with
 * half of B or more. So every join holds, whatever chunks meet there. Times are those of the file:
 * a sample's bits leave at its decode time.
 */
struct gm_vbv {
    int64_t rate_bps, size_bits;
    uint32_t timescale; /* ticks a second of all times below */
};
/* False: the rendition has no cap; *out is untouched. */
bool gm_vbv_declared(const Gm__Rendition *rendition, uint32_t timescale, struct gm_vbv *out);
/* Fullness at which every chunk is entered, and the programme begins. Bits. */
int64_t gm_vbv_entry(const struct gm_vbv *vbv);

/* What an encoder is given so that a chunk keeps its promise. */
struct gm_vbv_limits {
    int64_t rate_bps, buffer_bits, init_bits; /* init: fullness at its start */
    int32_t crf_add;                          /* worse by so much, 0 at first */
};
/* Encoders that count bits well keep the promise at the first try: with an own buffer of B/2 that
 * begins with f bits and a rate of R - f/duration a chunk takes at most R * duration bits. Where
 * one does not, `attempt` counts up (0 ..GM_VBV_ATTEMPTS - 1) and each gives less than the last.
 * duration_ts: of the chunk, at least 1. last: of the programme; it may leave the buffer empty. */
#define GM_VBV_ATTEMPTS 8u
void gm_vbv_limits(const struct gm_vbv *vbv, int64_t duration_ts, bool last, uint32_t attempt,
                   struct gm_vbv_limits *out);

/* Encoders that count bits badly (gm_encoder_caps_by_crf) are given nothing of it but crf_add: an
 * attempt that broke the promise says what the next one's is to be. */
struct gm_vbv_miss {
    int32_t crf_add;  /* of this attempt */
    int32_t most_add; /* that the codec allows: there all further attempts would be the same */
    /* Taken, since the chunk's begin or since the buffer was full, until it was lowest or until the
     * end; and how many of them were too many. Above 0. */
    int64_t bits, over_bits;
};
/* The next attempt's crf_add, above that of `now` up to most_add: from the slope that both show,
 * or a usual one. before: NULL for none. attempt: of `now`, from 0; the last one gets most_add. */
int32_t gm_vbv_worse(const struct gm_vbv_miss *before, const struct gm_vbv_miss *now,
                     uint32_t attempt);

/* A chunk's way through the buffer, sample by sample in decode order. */
struct gm_vbv_walk {
    struct gm_vbv vbv;
    struct gm_bucket bucket;
    int64_t at_ts;
    /* Taken since the buffer was last full, entered with half, or the begin: in all, until
     * bucket.need was reached, and until bucket.low was. */
    int64_t bits, bits_at_need, bits_at_low;
};
void gm_vbv_walk_start(struct gm_vbv_walk *walk, const struct gm_vbv *vbv, int64_t start_ts);
/* size: bytes of the sample in the file. dts: at least the one before's. */
void gm_vbv_walk_sample(struct gm_vbv_walk *walk, int64_t dts, size_t size);
void gm_vbv_walk_end(struct gm_vbv_walk *walk, int64_t end_ts);
/* What a walk that has ended broke of the promise: sets out's bits and over_bits. False: nothing,
 * out is untouched. */
bool gm_vbv_walk_broke(const struct gm_vbv_walk *walk, bool last, struct gm_vbv_miss *out);
void gm_vbv_walk_message(const struct gm_vbv_walk *walk, Gm__BufferWalk *out);

#endif
