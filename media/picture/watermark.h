#ifndef GM_MEDIA_PICTURE_WATERMARK_H
#define GM_MEDIA_PICTURE_WATERMARK_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"
#include "media/picture/colour.h"

/* The image that a pipeline lays over each rendition: read once, placed for each size. */

struct gm_watermark {
    AVFrame *image;           /* owned */
    const Gm__Watermark *how; /* borrowed from the pipeline */
};

/* Loads the asset that how->image names. how, pipeline: borrowed for *out's life.
 * Errors: CONFIG (settings out of range), BAD_IMAGE, NOMEM. */
int gm_watermark_create(const Gm__Watermark *how, const Gm__Pipeline *pipeline,
                        struct gm_watermark **out, struct gm_err *err) GM_MUST_CHECK;
void gm_watermark_destroy(struct gm_watermark **watermark);

/* For pictures in HDR: the image gets their signals, with its white at 203 cd/m2
 * (media/picture/graphics.h); for others nothing is done. Errors: MEDIA, NOMEM. */
int gm_watermark_light(struct gm_watermark *watermark, struct gm_colour picture,
                       struct gm_err *err) GM_MUST_CHECK;

/* Where it lies on a picture of width_px x height_px (even, >= 2). All four are even; it lies
 * inside the picture whatever the image's shape. */
struct gm_watermark_place {
    uint32_t x_px, y_px, width_px, height_px;
};
struct gm_watermark_place gm_watermark_place(const struct gm_watermark *watermark,
                                             uint32_t width_px, uint32_t height_px);

#define GM_WATERMARK_FILTERS_SIZE 256
/* The libavfilter chain from the image to what is laid over a limited-range 4:2:0 picture of
 * height_px lines with the colour matrix `matrix`, in 10 bits (deep) or 8. */
void gm_watermark_filters(const struct gm_watermark *watermark,
                          const struct gm_watermark_place *place, enum AVColorSpace matrix,
                          uint32_t height_px, bool deep, char out[GM_WATERMARK_FILTERS_SIZE]);

/* Whether it shows on a picture at pts (ticks of the timescale). */
bool gm_watermark_shows(const struct gm_watermark *watermark, uint32_t timescale, int64_t pts);

#define GM_WATERMARK_ENABLE_SIZE 128
/* The option of the overlay filter that keeps it to its time window, ":enable='...'", or "" where
 * it always shows. Exact: it shows on ticks t of the timescale with start_s <= t < end_s. */
void gm_watermark_enable(const struct gm_watermark *watermark, uint32_t timescale,
                         char out[GM_WATERMARK_ENABLE_SIZE]);

#endif
