#ifndef GM_MEDIA_DECODE_VAAPI_DECODE_H
#define GM_MEDIA_DECODE_VAAPI_DECODE_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* What libavcodec does not ask a VA driver about its decoders (inside of media/decode/vadec.c).
 * device: of gm_vaapi_open. Thread and errors: as media/device/vaapi.h. */

/* Whether the driver decodes H.264 of par's profile and size to 8 bits: *out_why NULL; else why
 * not, a static half sentence. */
int gm_vaapi_ask_decoder(const AVBufferRef *device, const AVCodecParameters *par,
                         const char **out_why, struct gm_err *err) GM_MUST_CHECK;
/* The same after libavcodec did not open the driver's decoder: *out_why is never NULL. Makes a
 * context of its own and takes it away. */
int gm_vaapi_explain_decoder(const AVBufferRef *device, const AVCodecParameters *par,
                             const char **out_why, struct gm_err *err) GM_MUST_CHECK;
/* Waits for a picture of libavcodec's, AV_PIX_FMT_VAAPI. *out_damaged: the driver says that its
 * bits were. */
int gm_vaapi_wait(const AVBufferRef *device, const AVFrame *picture, bool *out_damaged,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
