#ifndef GM_MEDIA_ENCODE_ENCODER_BACKEND_H
#define GM_MEDIA_ENCODE_ENCODER_BACKEND_H

#include "media/encode/encoder.h"

/* A device's interface: what the rows of its chain share. Constant data. */
struct gm_encoder_device {
    const char *chain;      /* Policy.chain */
    const char *name;       /* in messages */
    const char *deep_codec; /* the codec that it makes in 10 bits; NULL: none */
    /* id: gm_encoder_params.device. *out: an AVHWDeviceContext, owned. Errors: DEVICE_..., NOMEM.
     */
    int (*open_device)(const char *id, AVBufferRef **out, struct gm_err *err);
    /* All encoders of a process share what is open already, and NVDEC decodes with it: worth
     * keeping (gm_encoder_hold). */
    bool is_shared;
    bool takes_surfaces; /* gm_encoder_params.surfaces */
    /* The driver's version, of letters, digits and "-+._". */
    void (*describe)(const AVBufferRef *device, char *out, size_t size);
    /* What a failure of libavcodec means: after avcodec_open2 (0: open again with *out_b_frames),
     * which leaves of ctx only its plain members; and after sending or receiving. */
    int (*open_failed)(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                       int *out_b_frames, struct gm_err *err);
    int (*work_failed)(const AVCodecContext *ctx, int averror, struct gm_err *err);
};

/* What encoder.c and encoder_<library>.c share: one row a chain and codec. Private to them. */
struct gm_encoder_backend {
    const struct gm_encoder_device *device; /* NULL: software, chain cpu */
    const char *codec;                      /* EncodeParams.codec */
    const char *library;                    /* libavcodec's name of the encoder */
    unsigned min_side_px;
    /* What the library never does, before anything is opened; NULL: nothing to say.
     * Errors: PIPELINE_UNFIT. */
    int (*check)(const struct gm_encoder_params *params, struct gm_err *err);
    /* Sets what is the library's own before avcodec_open2, quality and bit rate cap with it; size,
     * format, times, colour, device and the flags that all share are there already. */
    int (*setup)(AVCodecContext *ctx, const struct gm_encoder_params *params, struct gm_err *err);
    /* The first picture of a stream is treated otherwise than later keyframes: black ones go before
     * it and are thrown away. NULL: never. */
    bool (*starts_cold)(const Gm__EncodeParams *p);
    bool caps_by_crf;       /* it counts bits badly: a cap is kept by gm_encoder_crf_alone, not by
                             * its rate control with gm_encoder_limit */
    bool drops_captions;    /* of H.264: those that pictures carry do not get into the stream */
    bool hides_reorder;     /* libavcodec's wrapper says no reorder depth: the headers do */
    bool waits_for_picture; /* closing an encoder that was never given one does not return */
    /* Appends what stands before the stream; both NULL: libavcodec's extradata. The second: it is
     * known only from the first packet, that of a black picture. */
    int (*headers)(const AVCodecContext *ctx, const struct gm_encoder_params *params,
                   struct gm_buf *out, struct gm_err *err);
    int (*packet_headers)(const AVPacket *packet, struct gm_buf *out, struct gm_err *err);
    /* Of software alone: library and build from the first packet of a black picture, or (version)
     * at once: one of the two. */
    void (*build)(const AVPacket *packet, char out[64]);
    void (*version)(char out[64]);
    int32_t min_qp, max_qp; /* of devices alone */
};

extern const struct gm_encoder_backend gm_encoder_x264;
extern const struct gm_encoder_backend gm_encoder_x265;
extern const struct gm_encoder_backend gm_encoder_svtav1;
extern const struct gm_encoder_backend gm_encoder_vpx;
extern const struct gm_encoder_backend gm_encoder_nvenc_h264;
extern const struct gm_encoder_backend gm_encoder_nvenc_hevc;
extern const struct gm_encoder_backend gm_encoder_nvenc_av1;
extern const struct gm_encoder_backend gm_encoder_vaapi_h264;
extern const struct gm_encoder_backend gm_encoder_vaapi_hevc;
extern const struct gm_encoder_backend gm_encoder_qsv_h264;
extern const struct gm_encoder_backend gm_encoder_qsv_hevc;

/* packet_headers of AV1: the sequence header of a keyframe. */
int gm_encoder_av1_headers(const AVPacket *packet, struct gm_buf *out, struct gm_err *err);

/* The row for the rendition's codec on params' chain, after all checks that need no library.
 * Errors: as gm_encoder_open. */
int gm_encoder_check(const struct gm_encoder_params *params,
                     const struct gm_encoder_backend **out_backend,
                     struct gm_err *err) GM_MUST_CHECK;
/* The device of that chain's rows; NULL: software, or no such chain. */
const struct gm_encoder_device *gm_encoder_find_device(const char *chain);
/* The frame rate to encode for: the constant one, or near the average. Above 0. */
AVRational gm_encoder_nominal_rate(const struct gm_encoder_params *params);
/* What libavcodec holds of it; borrowed until close. For backends and tests. */
const AVCodecContext *gm_encoder_context(const struct gm_encoder *encoder);
/* ctx->priv_data's option `name`. Errors: MEDIA. */
int gm_encoder_option(AVCodecContext *ctx, const char *name, const char *value,
                      struct gm_err *err) GM_MUST_CHECK;
/* Sets the rate cap and buffer: what the plan declares, or for a chunk what it may take of it.
 * Returns the crf to encode with, in hundredths. */
int32_t gm_encoder_limit(AVCodecContext *ctx, const struct gm_encoder_params *params);
/* For backends of caps_by_crf, in its place: sets no cap; a chunk that breaks its promise comes
 * again with a coarser crf (media/encode/vbv.h). Returns the whole crf to encode with. */
int gm_encoder_crf_alone(const struct gm_encoder_params *params);
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
