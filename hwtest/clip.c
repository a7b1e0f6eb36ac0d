#include "hwtest/clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/av.h"
#include "media/encode/encoder.h"
#include "media/prove/prove_device.h"

void gm_hwtest_pictures_fini(struct gm_hwtest_pictures *pictures)
{
    for (int i = 0; i < pictures->count; i++) {
        av_frame_free(&pictures->frame[i]);
    }
    pictures->count = 0;
}

bool gm_hwtest_is_key(int frame)
{
    return frame == 0 || frame == 24 || frame == 41 || frame == 65;
}

/* A number of x and y without a pattern. */
static unsigned noise(unsigned x, unsigned y)
{
    unsigned v = x * 0x9e3779b1u ^ y * 0x85ebca6bu;
    v ^= v >> 15;
    v *= 0x2c1b3c6du;
    return v >> 27;
}

static unsigned sample(int plane, int x, int y, int frame)
{
    int scale = plane == 0 ? 1 : 2; /* positions are luma's */
    int cut = frame >= GM_HWTEST_FRAMES / 2 ? 1 : 0;
    x *= scale;
    y *= scale;
    int wave = (x * (3 - cut) + y * (2 + 3 * cut) + frame * 7 + plane * 90) & 511;
    unsigned value = 40 + (unsigned)(wave < 256 ? wave : 511 - wave) * 3 / 5;
    for (int i = 0; i < 4; i++) { /* boxes, each its own way */
        int left = (i * 97 + frame * (3 + 2 * i)) % GM_HWTEST_WIDTH_PX;
        int top = (i * 53 + frame * (1 + i)) % GM_HWTEST_HEIGHT_PX;
        if (x >= left && x < left + 40 && y >= top && y < top + 28) {
            value = 30 + (unsigned)(i * 45 + plane * 17) % 190;
        }
    }
    if (plane == 0 && x >= 260 && x < 356 && y >= 120 && y < 184) {
        value = value / 2 + 60 + noise((unsigned)x, (unsigned)y);
    }
    return value;
}

static void fill(AVFrame *f, uint32_t depth, int number)
{
    for (int plane = 0; plane < 3; plane++) {
        int w = plane == 0 ? GM_HWTEST_WIDTH_PX : GM_HWTEST_WIDTH_PX / 2;
        int h = plane == 0 ? GM_HWTEST_HEIGHT_PX : GM_HWTEST_HEIGHT_PX / 2;
        for (int y = 0; y < h; y++) {
            uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
            for (int x = 0; x < w; x++) {
                unsigned v = sample(plane, x, y, number);
                if (depth == 8) {
                    row[x] = (uint8_t)v;
                } else { /* and what only ten bits tell apart */
                    ((uint16_t *)(void *)row)[x] = (uint16_t)(v * 4 + ((unsigned)(x + y) & 3));
                }
            }
        }
    }
}

int gm_hwtest_pattern(uint32_t depth, struct gm_hwtest_pictures *out, struct gm_err *err)
{
    for (int i = 0; i < GM_HWTEST_FRAMES; i++) {
        AVFrame *f = gm_av_frame(depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE,
                                 GM_HWTEST_WIDTH_PX, GM_HWTEST_HEIGHT_PX);
        if (f == NULL) {
            return gm_err_nomem(err);
        }
        out->frame[i] = f;
        out->count = i + 1;
        f->pts = i;
        f->pict_type = gm_hwtest_is_key(i) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        fill(f, depth, i);
    }
    return 0;
}

int gm_hwtest_likeness(const struct gm_hwtest_pictures *a, const struct gm_hwtest_pictures *b,
                       struct gm_compare *out, float *ssim_of, struct gm_err *err)
{
    int rc = 0;
    memset(out, 0, sizeof(*out));
    for (int i = 0; rc == 0 && i < a->count && i < b->count; i++) {
        struct gm_compare one = {0};
        rc = gm_compare_add(out, a->frame[i], b->frame[i], err);
        if (rc == 0 && ssim_of != NULL) {
            rc = gm_compare_add(&one, a->frame[i], b->frame[i], err);
            ssim_of[i] = (float)gm_compare_ssim(&one);
        }
    }
    return rc;
}

static bool same_picture(const AVFrame *a, const AVFrame *b)
{
    bool same = a->format == b->format && a->width == b->width && a->height == b->height;
    size_t bytes = a->format == AV_PIX_FMT_YUV420P ? 1 : 2;
    for (int plane = 0; same && plane < 3; plane++) {
        int w = plane == 0 ? a->width : (a->width + 1) / 2;
        int h = plane == 0 ? a->height : (a->height + 1) / 2;
        for (int y = 0; same && y < h; y++) {
            same =
                memcmp(a->data[plane] + (ptrdiff_t)y * a->linesize[plane],
                       b->data[plane] + (ptrdiff_t)y * b->linesize[plane], (size_t)w * bytes) == 0;
        }
    }
    return same;
}

int gm_hwtest_first_difference(const struct gm_hwtest_pictures *a,
                               const struct gm_hwtest_pictures *b)
{
    int n = a->count < b->count ? a->count : b->count;
    for (int i = 0; i < n; i++) {
        if (!same_picture(a->frame[i], b->frame[i])) {
            return i;
        }
    }
    return a->count == b->count ? -1 : n;
}

void gm_hwtest_stream_fini(struct gm_hwtest_stream *stream)
{
    for (int i = 0; i < stream->count; i++) {
        av_packet_free(&stream->packets[i]);
    }
    free(stream->packets);
    avcodec_parameters_free(&stream->par);
    memset(stream, 0, sizeof(*stream));
}

static int keep_packet(struct gm_hwtest_stream *s, AVPacket *packet, struct gm_err *err)
{
    size_t cap = (size_t)s->cap;
    int rc = gm_array_reserve(&s->packets, (size_t)s->count, 1, &cap, sizeof(AVPacket *), err);
    AVPacket *kept = rc == 0 ? av_packet_clone(packet) : NULL;
    if (rc == 0 && kept == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0) {
        s->cap = (int)cap;
        s->bits += (int64_t)packet->size * 8;
        s->packets[s->count++] = kept;
    }
    av_packet_unref(packet);
    return rc;
}

int gm_hwtest_take_packets(struct gm_encoder *encoder, AVPacket *packet, struct gm_hwtest_stream *s,
                           struct gm_err *err)
{
    int rc = 0;
    bool got = true;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(encoder, packet, &got, err);
        if (rc == 0 && got && s->count > 4 * GM_HWTEST_FRAMES) {
            av_packet_unref(packet);
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "packets come out without end");
        } else if (rc == 0 && got) {
            rc = keep_packet(s, packet, err);
        }
    }
    return rc;
}

int gm_hwtest_parameters(const struct gm_hwtest_encoding *how, const uint8_t *headers, size_t size,
                         AVCodecParameters *par, struct gm_err *err)
{
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = gm_prove_codec_id(how->codec);
    par->width = how->width_px > 0 ? (int)how->width_px : GM_HWTEST_WIDTH_PX;
    par->height = how->height_px > 0 ? (int)how->height_px : GM_HWTEST_HEIGHT_PX;
    par->format = how->depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE;
    /* VP9's are of the container. */
    bool wants = par->codec_id != AV_CODEC_ID_VP9;
    return wants ? gm_av_set_extradata(par, headers, size, err) : 0;
}

/* What the packets can't say themselves, and the hash of all. */
static int describe(struct gm_hwtest_stream *s, const struct gm_encoder *encoder,
                    const struct gm_hwtest_encoding *how, struct gm_err *err)
{
    size_t size = 0;
    uint8_t sum[GM_SHA256_SIZE];
    const uint8_t *headers = gm_encoder_headers(encoder, &size);
    struct gm_sha256 *hash = gm_sha256_create();
    s->par = avcodec_parameters_alloc();
    if (hash == NULL || s->par == NULL) {
        gm_sha256_destroy(&hash);
        return gm_err_nomem(err);
    }
    gm_sha256_update(hash, headers, size);
    for (int i = 0; i < s->count; i++) {
        gm_sha256_update(hash, s->packets[i]->data, (size_t)s->packets[i]->size);
    }
    gm_sha256_final(hash, sum);
    gm_sha256_destroy(&hash);
    gm_hex(sum, sizeof(sum), s->hash);
    return gm_hwtest_parameters(how, headers, size, s->par, err);
}

/* What an encoder is opened with, and the storage that it points into. */
struct asked {
    char codec[16], format[16], name[8];
    Gm__Rendition rendition;
    Gm__EncodeParams params;
    Gm__VideoFacts facts;
    struct gm_encoder_params open;
};

static void ask(const struct gm_hwtest_encoding *how, struct asked *a)
{
    memset(a, 0, sizeof(*a));
    gm__rendition__init(&a->rendition);
    gm__encode_params__init(&a->params);
    gm__video_facts__init(&a->facts);
    (void)snprintf(a->codec, sizeof(a->codec), "%s", how->codec);
    (void)snprintf(a->format, sizeof(a->format), "%s", how->depth == 8 ? "yuv420p" : "yuv420p10le");
    (void)snprintf(a->name, sizeof(a->name), "hwtest");
    a->params.codec = a->codec;
    a->params.crf = how->crf_centi / 100;
    a->params.qp = -1;
    a->rendition.encode = &a->params;
    a->rendition.name = a->name;
    a->rendition.pixel_format = a->format;
    a->rendition.width_px = how->width_px > 0 ? how->width_px : GM_HWTEST_WIDTH_PX;
    a->rendition.height_px = how->height_px > 0 ? how->height_px : GM_HWTEST_HEIGHT_PX;
    a->open = (struct gm_encoder_params){.rendition = &a->rendition,
                                         .facts = &a->facts,
                                         .timescale = GM_HWTEST_RATE,
                                         .rate = {GM_HWTEST_RATE, 1},
                                         .crf_centi = how->crf_centi,
                                         .chain = how->chain,
                                         .device = how->device,
                                         .surfaces = how->surfaces};
}

int gm_hwtest_encoder_name(const struct gm_hwtest_encoding *how, char out[64], struct gm_err *err)
{
    struct asked a;
    ask(how, &a);
    return gm_encoder_build(&a.open, out, err);
}

int gm_hwtest_open_encoder(const struct gm_hwtest_encoding *how, struct gm_encoder **out,
                           struct gm_err *err)
{
    struct asked a;
    ask(how, &a);
    return gm_encoder_open(&a.open, out, err);
}

int gm_hwtest_encode(const struct gm_hwtest_encoding *how, const struct gm_hwtest_pictures *in,
                     struct gm_hwtest_stream *out, struct gm_err *err)
{
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    int rc = packet == NULL ? gm_err_nomem(err) : gm_hwtest_open_encoder(how, &encoder, err);
    for (int i = 0; rc == 0 && i <= in->count; i++) {
        rc = gm_encoder_send(encoder, i < in->count ? in->frame[i] : NULL, err);
        if (rc == 0) {
            rc = gm_hwtest_take_packets(encoder, packet, out, err);
        }
    }
    if (rc == 0) {
        rc = describe(out, encoder, how, err);
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    return rc;
}

int gm_hwtest_decode(AVCodecContext *ctx, const struct gm_hwtest_stream *stream, int from, int to,
                     uint32_t depth, struct gm_hwtest_pictures *out, struct gm_err *err)
{
    struct gm_prove_pictures pictures = {
        .frame = out->frame, .count = out->count, .max = GM_HWTEST_FRAMES, .depth = depth};
    int rc = gm_prove_decode(ctx, stream->packets + from, to - from, &pictures, err);
    out->count = pictures.count;
    return rc;
}

int gm_hwtest_decode_software(const struct gm_hwtest_stream *stream, int from, int to,
                              uint32_t depth, struct gm_hwtest_pictures *out, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    int rc = gm_decoder_open(stream->par, (AVRational){1, GM_HWTEST_RATE}, &ctx, err);
    if (rc == 0) {
        rc = gm_hwtest_decode(ctx, stream, from, to, depth, out, err);
    }
    avcodec_free_context(&ctx);
    return rc;
}
