#ifndef GM_MEDIA_DECODE_VAAPI_DECODE_H
#define GM_MEDIA_DECODE_VAAPI_DECODE_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* What libavcodec does not ask a VA driver about its decoders (inside of media/decode/vadec.c).
 * device: of gm_vaapi_open. Thread and errors: as media/device/vaapi.h. */

/* What takes a stream: libavcodec's own decoder, and the driver's profile. */
struct gm_vaapi_way {
    enum AVCodecID codec;
    int avprofile; /* FF_PROFILE_... */
    unsigned bits; /* 8 or 10 */
    int profile;   /* VAProfile */
    const char *decoder;
};
/* Static; NULL: of that codec, profile and format there is none, whatever the driver has. */
const struct gm_vaapi_way *gm_vaapi_find_way(const AVCodecParameters *par);

/* Whether the driver decodes par's size that way: *out_why NULL; else why not, a static half
 * sentence. */
int gm_vaapi_ask_decoder(const AVBufferRef *device, const struct gm_vaapi_way *way,
                         const AVCodecParameters *par, const char **out_why,
                         struct gm_err *err) GM_MUST_CHECK;
/* The same after libavcodec did not open the driver's decoder: *out_why is never NULL. Makes a
 * context of its own and takes it away. */
int gm_vaapi_explain_decoder(const AVBufferRef *device, const struct gm_vaapi_way *way,
                             const AVCodecParameters *par, const char **out_why,
                             struct gm_err *err) GM_MUST_CHECK;
/* Waits for a picture of libavcodec's. surface: a VASurfaceID, AVFrame.data[3] of
 * AV_PIX_FMT_VAAPI. *out_damaged: the driver says that its bits were. */
int gm_vaapi_wait(const AVBufferRef *device, uintptr_t surface, bool *out_damaged,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
