#ifndef GM_MEDIA_ENCODER_BACKEND_H
#define GM_MEDIA_ENCODER_BACKEND_H

#include "media/encoder.h"

/* What encoder.c and encoder_<library>.c share: one row a codec. Private to them. */
struct gm_encoder_backend {
    const char *codec;   /* EncodeParams.codec */
    const char *library; /* libavcodec's name of the encoder */
    unsigned min_side_px;
    /* Sets what is the library's own before avcodec_open2, quality and bit rate cap with it; size,
     * format, times, colour and the flags that all share are there already. */
    int (*setup)(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err);
    /* Library and build from the first packet of a black picture. */
    void (*build)(const AVPacket *packet, char out[64]);
};

extern const struct gm_encoder_backend gm_encoder_x264;
extern const struct gm_encoder_backend gm_encoder_x265;

/* What libavcodec holds of it; borrowed until close. For backends and tests. */
const AVCodecContext *gm_encoder_context(const struct gm_encoder *encoder);
/* ctx->priv_data's option `name`. Errors: MEDIA. */
int gm_encoder_option(AVCodecContext *ctx, const char *name, const char *value,
                      struct gm_err *err) GM_MUST_CHECK;
/* Sets the rate cap and buffer: what the plan declares, or for a chunk what it may take of it.
 * Returns the crf to encode with. */
int32_t gm_encoder_limit(AVCodecContext *ctx, const struct gm_encoder_params *params);
/* The preset of EncodeParams, or the default where it says none. */
const char *gm_encoder_preset(const Gm__EncodeParams *p);
/* A variable rate whose frames never follow closer than 0.1 s, or too few frames to tell. Decode
 * times of reordered pictures lie close together there, and FFmpeg's readers, which expect a
 * frame's distance between them, see jumps (steps 0.1 s short of that) or guess a wrong rate. */
bool gm_encoder_is_uneven(const struct gm_encoder_params *params);

#endif
