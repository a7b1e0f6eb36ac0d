#ifndef GM_MEDIA_WATERMARK_H
#define GM_MEDIA_WATERMARK_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* The image that a pipeline lays over each rendition: read once, placed for each size. */

#define GM_WATERMARK_MAX_PIXELS (16 * 1000 * 1000)

struct gm_watermark {
    AVFrame *image;           /* owned */
    const Gm__Watermark *how; /* borrowed from the pipeline */
};

/* Decodes a PNG or JPEG. *out: owned. Errors: CONFIG (another format, damaged, over
 * GM_WATERMARK_MAX_PIXELS), NOMEM. */
int gm_watermark_decode(const uint8_t *data, size_t size, AVFrame **out,
                        struct gm_err *err) GM_MUST_CHECK;
/* Finds the asset that how->image names and decodes it. how, pipeline: borrowed for *out's life.
 * Errors: CONFIG also for no such asset or settings out of range. */
int gm_watermark_create(const Gm__Watermark *how, const Gm__Pipeline *pipeline,
                        struct gm_watermark **out, struct gm_err *err) GM_MUST_CHECK;
void gm_watermark_destroy(struct gm_watermark **watermark);

/* Where it lies on a picture of width_px x height_px (even, >= 2). All four are even; it lies
 * inside the picture whatever the image's shape. */
struct gm_watermark_place {
    uint32_t x_px, y_px, width_px, height_px;
};
struct gm_watermark_place gm_watermark_place(const struct gm_watermark *watermark,
                                             uint32_t width_px, uint32_t height_px);

#define GM_WATERMARK_FILTERS_SIZE 256
/* The libavfilter chain from the image to what is laid over a limited-range 4:2:0 picture with the
 * colour matrix `matrix`. */
void gm_watermark_filters(const struct gm_watermark *watermark,
                          const struct gm_watermark_place *place, enum AVColorSpace matrix,
                          char out[GM_WATERMARK_FILTERS_SIZE]);

#endif
