#ifndef GM_MEDIA_PICTURE_IMAGE_H
#define GM_MEDIA_PICTURE_IMAGE_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "common/image_header.h"
#include "media.pb-c.h"
#include "media/picture/still.h"

/* The still images that a pipeline names: watermarks and posters. Untrusted bytes: decoded in
 * workers only. */

/* Decodes a PNG (16 bit, gray, palette and alpha too), JPEG or WebP; an EXIF orientation is
 * applied. *out: owned; in the format that the file has, alpha as stored. Errors: BAD_IMAGE (as
 * gm_image_header_read, or damaged), NOMEM. */
int gm_image_decode(const uint8_t *data, size_t size, AVFrame **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* The pipeline's asset of that name, decoded. Errors: also BAD_IMAGE for no such asset. */
int gm_image_load(const Gm__Pipeline *pipeline, const char *name, AVFrame **out,
                  struct gm_err *err) GM_MUST_CHECK;

/* Appends the image as a poster to out: at most max_width px wide, never enlarged, sides even;
 * transparent parts show `background`, 0xRRGGBB. Errors: MEDIA, NOMEM; LIMIT (the format can't hold
 * it). */
int gm_image_to_poster(const AVFrame *image, uint32_t background, uint32_t max_width,
                       const struct gm_still *still, struct gm_buf *out,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
