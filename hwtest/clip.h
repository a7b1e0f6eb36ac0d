#ifndef GM_HWTEST_CLIP_H
#define GM_HWTEST_CLIP_H

#include <libavcodec/avcodec.h>

#include "common/hash.h"
#include "media/encode/encoder.h"
#include "media/picture/compare.h"

/* Generated pictures, streams made of them, and what comes out of decoders. Made of integers alone:
 * the same on every machine. Thread: one at a time an object; may hang or crash with a device's
 * driver. */
#define GM_HWTEST_FRAMES 72
#define GM_HWTEST_WIDTH_PX 384
#define GM_HWTEST_HEIGHT_PX 216 /* no whole number of blocks: the stream is cropped */
#define GM_HWTEST_RATE 30       /* pictures a second */

struct gm_hwtest_pictures {
    AVFrame *frame[GM_HWTEST_FRAMES]; /* owned; planar 4:2:0 */
    int count;
};
void gm_hwtest_pictures_fini(struct gm_hwtest_pictures *pictures);
/* Waves and boxes that move, a still field of noise, and a cut in the middle. out: all-zero; fini
 * in any case. Errors: NOMEM. */
int gm_hwtest_pattern(uint32_t depth, struct gm_hwtest_pictures *out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Whether a keyframe is forced there: the grid is uneven on purpose. */
bool gm_hwtest_is_key(int frame);
/* Sum over all pictures; ssim_of (NULL: not wanted): of each. Errors: INVAL. */
int gm_hwtest_likeness(const struct gm_hwtest_pictures *a, const struct gm_hwtest_pictures *b,
                       struct gm_compare *out, float *ssim_of, struct gm_err *err) GM_MUST_CHECK;
/* The first picture that is not the same to the bit, or that one of them lacks; -1: all are. */
int gm_hwtest_first_difference(const struct gm_hwtest_pictures *a,
                               const struct gm_hwtest_pictures *b);

struct gm_hwtest_stream {
    AVCodecParameters *par; /* owned */
    AVPacket **packets;     /* owned; in decode order */
    int count, cap;
    int64_t bits;
    char hash[2 * GM_SHA256_SIZE + 1]; /* of headers and packets */
};
void gm_hwtest_stream_fini(struct gm_hwtest_stream *stream);

struct gm_hwtest_encoding {
    const char *chain;  /* gm_encoder_params.chain */
    const char *device; /* likewise */
    const char *codec;
    uint32_t depth;
    int32_t crf_centi;
    uint32_t width_px, height_px; /* 0: the clip's */
    AVBufferRef *surfaces;        /* gm_encoder_params.surfaces */
};
/* An encoder for pictures of that size, pts counting pictures. *out: gm_encoder_close. Errors:
 * those of media/encode/encoder.h. */
int gm_hwtest_open_encoder(const struct gm_hwtest_encoding *how, struct gm_encoder **out,
                           struct gm_err *err) GM_MUST_CHECK;
/* The pictures through gm_encoder, keyframes where gm_hwtest_is_key says. out: all-zero; fini in
 * any case. Errors: those of media/encode/encoder.h. */
int gm_hwtest_encode(const struct gm_hwtest_encoding *how, const struct gm_hwtest_pictures *in,
                     struct gm_hwtest_stream *out, struct gm_err *err) GM_MUST_CHECK;

/* Takes what packets are ready to the end of out. packet: scratch, empty. Errors: MEDIA_VERIFY they
 * come without end; those of media/encode/encoder.h. */
int gm_hwtest_take_packets(struct gm_encoder *encoder, AVPacket *packet,
                           struct gm_hwtest_stream *out, struct gm_err *err) GM_MUST_CHECK;

/* par (allocated): a decoder's parameters for what that encoder makes, with its headers. Errors:
 * NOMEM. */
int gm_hwtest_parameters(const struct gm_hwtest_encoding *how, const uint8_t *headers, size_t size,
                         AVCodecParameters *par, struct gm_err *err) GM_MUST_CHECK;
/* The encoder's library and version, "x264-164-...": gm_encoder_build. Errors: likewise. */
int gm_hwtest_encoder_name(const struct gm_hwtest_encoding *how, char out[64],
                           struct gm_err *err) GM_MUST_CHECK;

/* Packets [from, to) of the stream through ctx, a fresh decoder, to its end. Appended to out; more
 * pictures than the clip has are an error. Errors: MEDIA, MEDIA_VERIFY, NOMEM. */
int gm_hwtest_decode(AVCodecContext *ctx, const struct gm_hwtest_stream *stream, int from, int to,
                     uint32_t depth, struct gm_hwtest_pictures *out,
                     struct gm_err *err) GM_MUST_CHECK;
/* The same by the farm's software decoder. */
int gm_hwtest_decode_software(const struct gm_hwtest_stream *stream, int from, int to,
                              uint32_t depth, struct gm_hwtest_pictures *out,
                              struct gm_err *err) GM_MUST_CHECK;

#endif
