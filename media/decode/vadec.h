#ifndef GM_MEDIA_DECODE_VADEC_H
#define GM_MEDIA_DECODE_VADEC_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

/* Decoding by a VA driver, through libavcodec's own decoders, which parse and order the stream and
 * leave the samples to the driver. The interface and its promises are media/decode/nvdec.h's.
 *
 * H.264 in 8 bits, HEVC, VP9 and AV1 (without film grain) in 8 and 10 (progressive, 4:2:0, of even
 * width and height), as far as the driver has them. A picture is its samples and its packet's
 * number. Damage shows where libavcodec finds it, or where the driver says so when it is waited
 * for; a driver need not. Thread: one at a time. Source: libva's va.h; ITU-T H.264; AV1
 * Bitstream & Decoding Process Specification, 7.18.3. */
struct gm_vadec; /* opaque */
/* Frames keep some 40 (media/decode/frames.h), their reader a few. libavcodec takes a decoder's
 * surfaces all at once when it opens, and no more later. */
#define GM_VADEC_WAITING 48

/* device: of gm_vaapi_open; referenced. stays: pictures stay in the driver's surfaces
 * (media/device/va_picture.h), of which GM_VADEC_WAITING may wait at once; they come to memory
 * where the driver has not as many surfaces. *out: owned; NULL: this
 * stream is none for it, and *out_why, a static half sentence, says why. Errors: DEVICE_ABSENT,
 * DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST, NOMEM. */
int gm_vadec_open(AVBufferRef *device, const AVCodecParameters *par, bool stays,
                  struct gm_vadec **out, const char **out_why, struct gm_err *err) GM_MUST_CHECK;
void gm_vadec_close(struct gm_vadec **vadec);
/* The next packet; NULL: the end, once, last. Its pts is its id, 0 or more, rising. *out_why: NULL,
 * or why what came and comes of this stream is not to be relied on: only close is of use then.
 * Errors: as gm_vadec_open. */
int gm_vadec_send(struct gm_vadec *vadec, const AVPacket *packet, const char **out_why,
                  struct gm_err *err) GM_MUST_CHECK;
/* The next picture that is ready, in the stream's order; owned; NULL: none. Planar, or in a surface
 * (stays); pts: its packet's id. AV_FRAME_FLAG_CORRUPT: its bits were damaged, or what it refers to
 * is not there. */
AVFrame *gm_vadec_take(struct gm_vadec *vadec);

#endif
