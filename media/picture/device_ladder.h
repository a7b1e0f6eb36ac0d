#ifndef GM_MEDIA_PICTURE_DEVICE_LADDER_H
#define GM_MEDIA_PICTURE_DEVICE_LADDER_H

#include "media/picture/cuda_ladder.h"

/* The ladder of a device, whichever it is: an NVIDIA GPU's (media/picture/cuda_ladder.h) or a VA
 * driver's (media/picture/va_ladder.h), whose words on pictures, errors and threads hold. */
struct gm_device_ladder; /* opaque */

/* device: of gm_hw_open or gm_vaapi_open; else as gm_cuda_ladder_create and gm_va_ladder_create. */
int gm_device_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                            const Gm__Pipeline *pipeline, AVBufferRef *device,
                            struct gm_device_ladder **out, struct gm_err *err) GM_MUST_CHECK;
void gm_device_ladder_destroy(struct gm_device_ladder **ladder);
int gm_device_ladder_look(const struct gm_device_ladder *ladder, const AVFrame *picture,
                          const char **out_why, struct gm_err *err) GM_MUST_CHECK;
int gm_device_ladder_push(struct gm_device_ladder *ladder, const AVFrame *picture, int64_t pts,
                          struct gm_err *err) GM_MUST_CHECK;
int gm_device_ladder_lift(struct gm_device_ladder *ladder, size_t rendition, const AVFrame *picture,
                          struct gm_err *err) GM_MUST_CHECK;
AVFrame *gm_device_ladder_get(struct gm_device_ladder *ladder, size_t rendition);
AVBufferRef *gm_device_ladder_pool(struct gm_device_ladder *ladder, size_t rendition);
/* "cuda" or "vaapi"; static. */
const char *gm_device_ladder_by(const struct gm_device_ladder *ladder);
/* The NVIDIA GPU's, for what it does besides; borrowed; NULL: it is another. */
struct gm_cuda_ladder *gm_device_ladder_cuda(struct gm_device_ladder *ladder);

#endif
