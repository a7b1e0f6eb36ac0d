#ifndef GM_MEDIA_ENCODE_ENCODER_DEVICE_H
#define GM_MEDIA_ENCODE_ENCODER_DEVICE_H

#include "media/encode/encoder_backend.h"
#include "proto/video_codec.h"

/* What the encoders of all devices share: what they never do, presets, levels, reordering. For
 * encoder.c, encoder_check.c and encoder_<library>.c. */

/* Longer than any chunk: IDRs come where they are forced and nowhere else. Drivers hold it in 16
 * bits (Intel's GopPicSize). */
#define GM_ENCODER_DEVICE_GOP 65535
#define GM_ENCODER_DEVICE_LEVELS 7

/* Before anything is opened: what no device of row's chain does. row: with a device.
 * Errors: PIPELINE_UNFIT. */
int gm_encoder_device_check(const struct gm_encoder_backend *row,
                            const struct gm_encoder_params *params,
                            struct gm_err *err) GM_MUST_CHECK;
/* The counterpart of x264's preset: 1, the fastest, to GM_ENCODER_DEVICE_LEVELS; 0: there is none.
 */
int gm_encoder_device_preset(const Gm__EncodeParams *p);
/* B pictures between two others, where the device has some: a fixed number that nothing refers to.
 * None in H.264's baseline, and where frames come unevenly (encoder_backend.h). */
int gm_encoder_device_b_frames(const struct gm_encoder_params *params);
/* The level that is asked for, or the lowest that holds the pictures and the cap. It is always
 * written out: it would else follow from a chunk's own limits, and parameter sets have to be the
 * same in each. Errors: PIPELINE_UNFIT no level does. */
int gm_encoder_device_level(const AVCodecContext *ctx, const Gm__Rendition *r,
                            const struct gm_video_level **out, struct gm_err *err) GM_MUST_CHECK;
/* One quantiser for I, P and B pictures: the options `mode_name`=mode and qp.
 * Errors: DEVICE_DRIVER. */
int gm_encoder_device_constant(AVCodecContext *ctx, const char *mode_name, const char *mode,
                               int32_t qp, struct gm_err *err) GM_MUST_CHECK;
/* gm_encoder_option of a device's encoder, whose options every job needs. Errors: DEVICE_DRIVER. */
int gm_encoder_device_option(AVCodecContext *ctx, const char *name, const char *value,
                             struct gm_err *err) GM_MUST_CHECK;
/* gm_encoder_build: libavcodec's version, the chain, and what its driver says of itself.
 * Errors: of device->open_device. */
int gm_encoder_device_build(const struct gm_encoder_device *device, const char *id, char out[64],
                            struct gm_err *err) GM_MUST_CHECK;

#endif
