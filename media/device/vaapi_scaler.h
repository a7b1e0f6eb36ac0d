#ifndef GM_MEDIA_DEVICE_VAAPI_SCALER_H
#define GM_MEDIA_DEVICE_VAAPI_SCALER_H

#include <libavutil/frame.h>

#include "common/err.h"

/* A VA driver's video processor (VAEntrypointVideoProc) that makes pictures of one size, and does
 * nothing else to them: same depth, no conversion of colour, chroma on the left. Its filter is the
 * driver's best (VA_FILTER_SCALING_HQ), and its bits are the driver's own.
 * See: https://intel.github.io/libva/group__api__vpp.html. Thread: one at a time.
 *
 * Errors of all: DEVICE_LOST, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_DRIVER, NOMEM. */
struct gm_vaapi_scaler; /* opaque */

/* device: of gm_vaapi_open; referenced. bits: 8 or 10. Errors: PIPELINE_UNFIT the driver has no
 * video processor, or none for that size or depth, or that fails though the device answers. One
 * that has no memory for this size, and opens for a small one, is DEVICE_MEMORY unless there is
 * memory for several pictures and it fails again. */
int gm_vaapi_scaler_create(AVBufferRef *device, unsigned bits, int width, int height,
                           struct gm_vaapi_scaler **out, struct gm_err *err) GM_MUST_CHECK;
void gm_vaapi_scaler_destroy(struct gm_vaapi_scaler **scaler);
/* Both in surfaces of the device (media/device/va_picture.h); to: of the size made. When this
 * returns it is done. Errors: DEVICE_DRIVER also where it fails and the device answers. */
int gm_vaapi_scaler_run(struct gm_vaapi_scaler *scaler, const AVFrame *from, const AVFrame *to,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
