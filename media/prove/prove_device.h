#ifndef GM_MEDIA_PROVE_PROVE_DEVICE_H
#define GM_MEDIA_PROVE_PROVE_DEVICE_H

#include <libavcodec/avcodec.h>

#include "media/prove/prove.h"

/* The hardware codecs of proofs, through libavcodec. For prove*.c and hwtest/. */

/* An encoder of work's api, with its device, for frames of gm_prove_upload. *out owned:
 * avcodec_free_context. Errors: MEDIA, NOMEM; of NVIDIA's devices and VA drivers what
 * media/device/hw.h, media/device/nvenc.h and media/device/vaapi.h say. */
int gm_prove_open_encoder(const struct gm_prove_work *work, AVCodecContext **out,
                          struct gm_err *err) GM_MUST_CHECK;
/* A decoder of work's api for a stream with those parameters; *out and errors likewise, and INVAL:
 * no such api. */
int gm_prove_open_decoder(const struct gm_prove_work *work, const AVCodecParameters *par,
                          AVCodecContext **out, struct gm_err *err) GM_MUST_CHECK;
/* frame (planar 4:2:0 in memory) as the encoder takes it; *out owned. Errors: MEDIA, NOMEM. */
int gm_prove_upload(const AVCodecContext *ctx, const AVFrame *frame, AVFrame **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* What a decoder gave, of side_px squared or any size (0), as planar 4:2:0 of that depth in memory;
 * *out owned. Errors: MEDIA, MEDIA_VERIFY a format or size that was not asked for; NOMEM. */
int gm_prove_download(const AVFrame *frame, uint32_t depth, int side_px, AVFrame **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Decodes the packets and, at their end, what is held back: each picture by gm_prove_download. */
struct gm_prove_pictures {
    AVFrame **frame; /* [max]; the caller's; those that came are owned: also on failure */
    int count, max;
    uint32_t depth; /* 8 or 10 */
    int side_px;    /* 0: any size */
};
/* Errors: MEDIA (native = AVERROR), NOMEM; MEDIA_VERIFY more than max, or what the download says.
 */
int gm_prove_decode(AVCodecContext *ctx, AVPacket *const *packets, int count,
                    struct gm_prove_pictures *out, struct gm_err *err) GM_MUST_CHECK;
enum AVCodecID gm_prove_codec_id(const char *codec); /* AV_CODEC_ID_NONE: unknown */
/* An empty frame of the proof's size with memory of its own; NULL: out of memory. */
AVFrame *gm_prove_frame(enum AVPixelFormat format);

#endif
