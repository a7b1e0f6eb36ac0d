#ifndef GM_MEDIA_PICTURE_BURN_READ_H
#define GM_MEDIA_PICTURE_BURN_READ_H

#include "media/av.h"

/* Inside of the split task: the subtitles that are drawn. They are decoded here, once and in order,
 * so that each chunk carries finished pictures with their times, and needs nothing of the chunks
 * before it. Thread: one at a time. */
struct gm_burn_read; /* opaque */

#define GM_BURN_CHUNK_BYTES (4u << 20) /* packed, of a chunk; more is left out */
#define GM_BURN_MAX_PICTURES 4096u     /* kept at a time */
#define GM_BURN_MAX_SIDE 8192u         /* of a canvas, px */

/* stream: of bitmap subtitles; borrowed, and set to be read. zero: programme time 0. picture: size
 * that stands for the canvas where the codec says none. Errors: INPUT_CODEC, MEDIA, NOMEM. */
int gm_burn_read_create(AVStream *stream, uint32_t timescale, const Gm__Rational *zero,
                        uint32_t picture_width, uint32_t picture_height, struct gm_burn_read **out,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_burn_read_destroy(struct gm_burn_read **b);
/* A packet of any stream: it is taken when it is of this one. */
int gm_burn_read_packet(struct gm_burn_read *b, const AVPacket *packet,
                        struct gm_err *err) GM_MUST_CHECK;
/* Sets header->burn to what shows in [from_ts, to_ts), ends clipped to to_ts; borrowed until the
 * next packet or forget. */
int gm_burn_read_chunk(struct gm_burn_read *b, int64_t from_ts, int64_t to_ts,
                       Gm__ChunkHeader *header, struct gm_err *err) GM_MUST_CHECK;
/* What ended before is not asked for again: chunks up to there are closed. */
void gm_burn_read_forget(struct gm_burn_read *b, int64_t before_ts);
/* Packets that did not decode, and pictures left out for the limits. */
int64_t gm_burn_read_errors(const struct gm_burn_read *b);
int64_t gm_burn_read_left_out(const struct gm_burn_read *b);
/* Displays that came after the chunk in which they begin, or end another, was closed: these are
 * drawn from a later chunk on or not at all, or the others for too long. */
int64_t gm_burn_read_late(const struct gm_burn_read *b);

#endif
