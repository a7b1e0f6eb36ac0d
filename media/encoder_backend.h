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
    /* The first picture of a stream is treated otherwise than later keyframes: black ones go before
     * it and are thrown away. NULL: never. */
    bool (*starts_cold)(const Gm__EncodeParams *p);
    bool waits_for_picture; /* closing an encoder that was never given one does not return */
    /* Appends what stands before the stream; both NULL: libavcodec's extradata. The second: it is
     * known only from the first packet, that of a black picture. */
    int (*headers)(const AVCodecContext *ctx, const struct gm_encoder_params *params,
                   struct gm_buf *out, struct gm_err *err);
    int (*packet_headers)(const AVPacket *packet, struct gm_buf *out, struct gm_err *err);
    /* Library and build from the first packet of a black picture, or (version) at once: one of the
     * two. */
    void (*build)(const AVPacket *packet, char out[64]);
    void (*version)(char out[64]);
};

extern const struct gm_encoder_backend gm_encoder_x264;
extern const struct gm_encoder_backend gm_encoder_x265;
extern const struct gm_encoder_backend gm_encoder_svtav1;
extern const struct gm_encoder_backend gm_encoder_vpx;

/* What libavcodec holds of it; borrowed until close. For backends and tests. */
const AVCodecContext *gm_encoder_context(const struct gm_encoder *encoder);
/* ctx->priv_data's option `name`. Errors: MEDIA. */
int gm_encoder_option(AVCodecContext *ctx, const char *name, const char *value,
                      struct gm_err *err) GM_MUST_CHECK;
/* Sets the rate cap and buffer: what the plan declares, or for a chunk what it may take of it.
 * Returns the crf to encode with, in hundredths. */
int32_t gm_encoder_limit(AVCodecContext *ctx, const struct gm_encoder_params *params);
/* "<prefix>-<what the loaded library's version function or string says>", made of letters, digits,
 * '.', '-', '+' and '_'; where the symbol is not found, libavcodec's own version. call: the symbol
 * is a function that returns the text, else a pointer to it. */
void gm_encoder_version(const char *prefix, const char *symbol, bool call, char out[64]);
/* The preset of EncodeParams, or the default where it says none. */
const char *gm_encoder_preset(const Gm__EncodeParams *p);
/* A variable rate whose frames never follow closer than 0.1 s, or too few frames to tell. Decode
 * times of reordered pictures lie close together there, and FFmpeg's readers, which expect a
 * frame's distance between them, see jumps (steps 0.1 s short of that) or guess a wrong rate. */
bool gm_encoder_is_uneven(const struct gm_encoder_params *params);

#endif
