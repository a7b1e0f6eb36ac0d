#ifndef GM_HWTEST_LARGE_H
#define GM_HWTEST_LARGE_H

#include "hwtest/clip.h"

/* What rates are measured with: the clip's pictures enlarged, with a grain, streams of them, and
 * the recipe of a ladder. Thread: one at a time an object; pictures and streams may be read by any
 * number. */
#define GM_HWTEST_LARGE 24     /* pictures */
#define GM_HWTEST_LARGE_KEY 60 /* a keyframe every so many */

/* 1080 or 2160 as a side of the enlarged clip; quick: of pictures so small that a rate of them is
 * none. Both are 16 to 9. */
uint32_t gm_hwtest_large_height(uint32_t height_px, bool quick);
/* Of that height (gm_hwtest_large_height). out: all-zero; fini in any case. Errors: NOMEM. */
int gm_hwtest_large(uint32_t depth, uint32_t height_px, struct gm_hwtest_pictures *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* picture as number `number` of an encoder's stream, its time and a keyframe where one is due.
 * frame: the caller's, made a reference to it. Errors: those of media/encode/encoder.h. */
int gm_hwtest_large_send(struct gm_encoder *encoder, const AVFrame *picture, int64_t number,
                         AVFrame *frame, struct gm_err *err) GM_MUST_CHECK;
/* Takes what packets are ready and counts them. packet: scratch, empty. */
int gm_hwtest_large_drain(struct gm_encoder *encoder, AVPacket *packet, uint64_t *io_count,
                          struct gm_err *err) GM_MUST_CHECK;
/* A stream of the pictures, which may be repeated: its only keyframe is the first packet.
 * out: all-zero; fini in any case. Errors: those of media/encode/encoder.h. */
int gm_hwtest_large_stream(const struct gm_hwtest_encoding *how,
                           const struct gm_hwtest_pictures *in, struct gm_hwtest_stream *out,
                           struct gm_err *err) GM_MUST_CHECK;

/* The recipe of a ladder, as the farm's: scale by zimg, encode four rungs in H.264, quality 23. */
#define GM_HWTEST_RUNGS 4
#define GM_HWTEST_RUNG_CRF 2300 /* hundredths */
/* The rung's size; of 1080 or 2160, or their small stand-ins. */
void gm_hwtest_recipe_size(uint32_t height_px, bool quick, uint32_t rung, uint32_t *out_width_px,
                           uint32_t *out_height_px);
struct gm_hwtest_recipe; /* opaque */
struct gm_hwtest_recipe_params {
    uint32_t height_px;         /* of the source: 1080 or 2160 */
    bool quick;                 /* its small stand-in */
    const char *chain, *device; /* of the encoders: as struct gm_hwtest_encoding's */
};
/* Errors: those of media/encode/encoder.h and media/picture/graph.h. */
int gm_hwtest_recipe_open(const struct gm_hwtest_recipe_params *params,
                          struct gm_hwtest_recipe **out, struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_recipe_close(struct gm_hwtest_recipe **recipe);
/* Counts the pictures whose smallest rung came out. */
int gm_hwtest_recipe_push(struct gm_hwtest_recipe *recipe, const AVFrame *picture,
                          uint64_t *io_count, struct gm_err *err) GM_MUST_CHECK;

#endif
