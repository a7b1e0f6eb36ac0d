#ifndef GM_HWTEST_PICTURE_H
#define GM_HWTEST_PICTURE_H

#include <libavutil/frame.h>

#include "kernels/kernels.h"

/* Pictures for kernels: NV12 or P010 in one block, rows longer than the picture, planes between
 * guard bytes, so that what is written beside them shows. Thread: one at a time a picture. */
struct gm_hwtest_picture { /* all-zero: none */
    uint32_t width_px, height_px;
    bool deep;
    uint8_t *memory; /* owned */
    size_t size;
    size_t offset[2];          /* of the planes in memory */
    struct gm_surface surface; /* in memory */
};
/* All bytes are the guards' value. slack: bytes that rows are longer, even. Errors: NOMEM. */
int gm_hwtest_picture_init(struct gm_hwtest_picture *p, uint32_t width_px, uint32_t height_px,
                           bool deep, uint32_t slack, struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_picture_fini(struct gm_hwtest_picture *p);
/* Fills all bytes with a fixed noise, extremes often. */
void gm_hwtest_picture_noise(struct gm_hwtest_picture *p, uint64_t seed);
bool gm_hwtest_picture_equal(const struct gm_hwtest_picture *a, const struct gm_hwtest_picture *b);
/* The surface where its memory was copied to `base`. */
struct gm_surface gm_hwtest_picture_at(const struct gm_hwtest_picture *p, gm_addr base);
/* The next of a fixed row of numbers (xorshift; *state not 0). */
uint32_t gm_hwtest_random(uint64_t *state);

/* The samples as a planar frame, and a planar frame's samples into the picture. *out owned.
 * Errors: NOMEM. */
int gm_hwtest_picture_planar(const struct gm_hwtest_picture *p, AVFrame **out,
                             struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_picture_take(struct gm_hwtest_picture *p, const AVFrame *planar);

#endif
