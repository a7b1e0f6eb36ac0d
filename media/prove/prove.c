/* Proofs: pattern -> encoder -> decoder -> comparison. Encoders, and software's side of decoders,
 * are what the farm's own tasks use (encoder.h, gm_decoder_open), where tasks can use the device.
 */
#include "media/prove/prove.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/opt.h>

#include "common/hash.h"
#include "media/av.h"
#include "media/device/hw.h"
#include "media/device/vaapi.h"
#include "media/encode/encoder.h"
#include "media/picture/compare.h"
#include "media/picture/cuda_ladder.h"
#include "media/picture/va_ladder.h"
#include "media/prove/prove_device.h"

#define CAP_BPS 4000000 /* and bits of its buffer: far above what the pattern takes */

struct proof {
    const struct gm_prove_work *work;
    AVFrame *pattern[GM_PROVE_FRAMES];  /* owned */
    AVPacket *packets[GM_PROVE_FRAMES]; /* owned; in decode order */
    int packet_count;
    AVCodecParameters *par;             /* owned; of the stream */
    AVFrame *software[GM_PROVE_FRAMES]; /* owned; the stream as software decodes it */
    AVFrame *device[GM_PROVE_FRAMES];   /* owned; as the device does */
};

static void proof_fini(struct proof *p)
{
    for (int i = 0; i < GM_PROVE_FRAMES; i++) {
        av_frame_free(&p->pattern[i]);
        av_frame_free(&p->software[i]);
        av_frame_free(&p->device[i]);
        av_packet_free(&p->packets[i]);
    }
    avcodec_parameters_free(&p->par);
}

/* Diagonal waves that move by 3 and 2 samples a frame, and a square that moves against them: edges,
 * slopes, motion. Integers alone. */
static unsigned sample(int plane, int x, int y, int frame)
{
    int wave = (x * 5 + y * 3 + frame * (plane == 0 ? 12 : 6)) & 511;
    unsigned value = 48 + (unsigned)(wave < 256 ? wave : 511 - wave) / 2;
    int size = plane == 0 ? 48 : 24;
    int left = (plane == 0 ? 180 : 90) - frame * (plane == 0 ? 8 : 4);
    bool inside = x >= left && x < left + size && y >= 2 * size && y < 3 * size;
    return inside ? 208 - value / 2 : value;
}

static int make_pattern(struct proof *p, struct gm_err *err)
{
    bool deep = p->work->depth != 8;
    for (int i = 0; i < GM_PROVE_FRAMES; i++) {
        AVFrame *f = gm_prove_frame(deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P);
        if (f == NULL) {
            return gm_err_nomem(err);
        }
        p->pattern[i] = f;
        f->pts = i;
        f->pict_type = i == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        for (int plane = 0; plane < 3; plane++) {
            int side = plane == 0 ? GM_PROVE_SIDE_PX : GM_PROVE_SIDE_PX / 2;
            for (int y = 0; y < side; y++) {
                uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
                for (int x = 0; x < side; x++) {
                    unsigned v = sample(plane, x, y, i);
                    if (deep) { /* and what only ten bits tell apart */
                        ((uint16_t *)(void *)row)[x] = (uint16_t)(v * 4 + ((unsigned)(x + y) & 3));
                    } else {
                        row[x] = (uint8_t)v;
                    }
                }
            }
        }
    }
    return 0;
}

static int keep_packet(struct proof *p, AVPacket *packet, struct gm_err *err)
{
    if (p->packet_count >= GM_PROVE_FRAMES) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "more packets came out than pictures went in");
    }
    AVPacket *kept = av_packet_clone(packet);
    av_packet_unref(packet);
    if (kept == NULL) {
        return gm_err_nomem(err);
    }
    p->packets[p->packet_count++] = kept;
    return 0;
}

/* Everything that the encoder has ready. */
static int drain_task(struct proof *p, struct gm_encoder *encoder, AVPacket *packet,
                      struct gm_err *err)
{
    int rc = 0;
    bool got = true;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(encoder, packet, &got, err);
        if (rc == 0 && got) {
            rc = keep_packet(p, packet, err);
        }
    }
    return rc;
}

/* As the farm's tasks encode: in software, or (device) on work's chain, with a quality below a cap.
 */
static int encode_as_task(struct proof *p, bool device, struct gm_err *err)
{
    char codec[16];
    char format[16];
    (void)snprintf(codec, sizeof(codec), "%s", p->work->codec);
    (void)snprintf(format, sizeof(format), "%s", p->work->depth == 8 ? "yuv420p" : "yuv420p10le");
    char name[] = "proof";
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__EncodeParams params = GM__ENCODE_PARAMS__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    params.codec = codec;
    params.crf = 20;
    params.qp = -1;
    rendition.encode = &params;
    rendition.name = name;
    rendition.pixel_format = format;
    rendition.width_px = rendition.height_px = GM_PROVE_SIDE_PX;
    rendition.maxrate_bps = device ? CAP_BPS : 0;
    rendition.bufsize_bits = device ? CAP_BPS : 0;
    const struct gm_encoder_params open = {.rendition = &rendition,
                                           .facts = &facts,
                                           .timescale = 30,
                                           .rate = {30, 1},
                                           .chain = device ? p->work->api : NULL,
                                           .device = p->work->device};
    struct gm_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    int rc = packet == NULL ? gm_err_nomem(err) : gm_encoder_open(&open, &encoder, err);
    for (int i = 0; rc == 0 && i <= GM_PROVE_FRAMES; i++) {
        rc = gm_encoder_send(encoder, i < GM_PROVE_FRAMES ? p->pattern[i] : NULL, err);
        if (rc == 0) {
            rc = drain_task(p, encoder, packet, err);
        }
    }
    if (rc == 0 && (p->par->codec_id == AV_CODEC_ID_H264 || p->par->codec_id == AV_CODEC_ID_HEVC)) {
        size_t size = 0;
        const uint8_t *headers = gm_encoder_headers(encoder, &size);
        rc = gm_av_set_extradata(p->par, headers, size, err);
    }
    gm_encoder_close(&encoder);
    av_packet_free(&packet);
    return rc;
}

static int drain_device(struct proof *p, AVCodecContext *ctx, AVPacket *packet, struct gm_err *err)
{
    for (;;) {
        int av = avcodec_receive_packet(ctx, packet);
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF) {
            return 0;
        }
        int rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "encoding failed")
                        : keep_packet(p, packet, err);
        if (rc < 0) {
            return rc;
        }
    }
}

/* As libavcodec encodes by itself: an average rate. */
static int encode_plain(struct proof *p, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    AVPacket *packet = av_packet_alloc();
    int rc = packet == NULL ? gm_err_nomem(err) : gm_prove_open_encoder(p->work, &ctx, err);
    for (int i = 0; rc == 0 && i <= GM_PROVE_FRAMES; i++) {
        AVFrame *frame = NULL;
        if (i < GM_PROVE_FRAMES) {
            rc = gm_prove_upload(ctx, p->pattern[i], &frame, err);
        }
        int av = rc < 0 ? 0 : avcodec_send_frame(ctx, frame);
        av_frame_free(&frame);
        if (av < 0) {
            rc = gm_err_av(err, GM_E_MEDIA, av, "picture %d was not taken", i);
        }
        if (rc == 0) {
            rc = drain_device(p, ctx, packet, err);
        }
    }
    if (rc == 0) {
        rc = gm_av_set_extradata(p->par, ctx->extradata, (size_t)ctx->extradata_size, err);
    }
    avcodec_free_context(&ctx);
    av_packet_free(&packet);
    return rc;
}

/* What no task asks of that device is proved all the same: it is listed. */
static int encode_device(struct proof *p, struct gm_err *err)
{
    int rc = encode_as_task(p, true, err);
    return rc == -GM_E_PIPELINE_UNFIT || rc == -GM_E_INVAL ? encode_plain(p, err) : rc;
}

static int decode(const struct proof *p, AVCodecContext *ctx, AVFrame **out, struct gm_err *err)
{
    struct gm_prove_pictures pictures = {
        .frame = out, .max = GM_PROVE_FRAMES, .depth = p->work->depth, .side_px = GM_PROVE_SIDE_PX};
    int rc = gm_prove_decode(ctx, p->packets, p->packet_count, &pictures, err);
    if (rc == 0 && pictures.count != GM_PROVE_FRAMES) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, pictures.count, "%d pictures of %d came out",
                        pictures.count, GM_PROVE_FRAMES);
    }
    return rc;
}

static int decode_software(struct proof *p, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    int rc = gm_decoder_open(p->par, (AVRational){1, 30}, &ctx, err);
    if (rc == 0) {
        rc = decode(p, ctx, p->software, err);
    }
    avcodec_free_context(&ctx);
    return rc;
}

static int decode_device(struct proof *p, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    int rc = gm_prove_open_decoder(p->work, p->par, &ctx, err);
    if (rc == 0) {
        rc = decode(p, ctx, p->device, err);
    }
    avcodec_free_context(&ctx);
    return rc;
}

static int compare(AVFrame *const *a, AVFrame *const *b, double *out_mse, struct gm_err *err)
{
    struct gm_compare sum = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < GM_PROVE_FRAMES; i++) {
        rc = gm_compare_add(&sum, a[i], b[i], err);
    }
    *out_mse = rc == 0 ? gm_compare_mse(&sum) : 1.0;
    return rc;
}

static int judge(const struct proof *p, bool device, int32_t *out, struct gm_err *err)
{
    double mse = 1.0;
    int rc = compare(p->pattern, p->software, &mse, err);
    if (rc < 0) {
        return rc;
    }
    int32_t psnr = (int32_t)(gm_compare_psnr(mse) * 100);
    if (psnr <= GM_PROVE_PSNR_CENTI) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, psnr,
                          "the picture is wrong: PSNR %d.%d dB, not above 30", psnr / 100,
                          psnr / 10 % 10);
    }
    if (device) {
        rc = compare(p->software, p->device, &mse, err);
        if (rc == 0 && mse > 0.0) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0,
                            "the decoded samples differ from software's: PSNR %.1f dB",
                            gm_compare_psnr(mse));
        }
    }
    if (rc == 0) {
        *out = psnr;
    }
    return rc;
}

/* The kernel that scales beside the device's encoder. */
static int prove_ladder(const struct gm_prove_work *work, int32_t *out, struct gm_err *err)
{
    AVBufferRef *device = NULL;
    int rc = gm_hw_open(work->device, &device, err);
    if (rc == 0) {
        rc = gm_cuda_ladder_prove(device, work->depth == 10, err);
        av_buffer_unref(&device);
    }
    if (rc == 0) {
        *out = 0;
    }
    return rc;
}

int gm_prove_run(const struct gm_prove_work *work, int32_t *out_psnr_centi, struct gm_err *err)
{
    struct proof p = {.work = work};
    bool software = strcmp(work->api, "software") == 0;
    bool ladder = strcmp(work->api, GM_CUDA_LADDER_API) == 0 &&
                  strcmp(work->codec, GM_CUDA_LADDER) == 0 && work->encode;
    enum AVCodecID id = gm_prove_codec_id(work->codec);
    if ((id == AV_CODEC_ID_NONE && !ladder) || (work->depth != 8 && work->depth != 10) ||
        (!software && work->device == NULL)) {
        return gm_err_set(err, GM_E_INVAL, 0, "no proof is known for %.16s at %u bit by %.16s",
                          work->codec, work->depth, work->api);
    }
    if (ladder) {
        return prove_ladder(work, out_psnr_centi, err);
    }
    p.par = avcodec_parameters_alloc();
    int rc = p.par == NULL ? gm_err_nomem(err) : make_pattern(&p, err);
    if (rc == 0) {
        p.par->codec_type = AVMEDIA_TYPE_VIDEO;
        p.par->codec_id = id;
        p.par->width = p.par->height = GM_PROVE_SIDE_PX;
        p.par->format = p.pattern[0]->format;
        rc = software || !work->encode ? encode_as_task(&p, false, err) : encode_device(&p, err);
    }
    if (rc == 0) {
        rc = decode_software(&p, err);
    }
    bool device = !software && !work->encode;
    if (rc == 0 && device) {
        rc = decode_device(&p, err);
    }
    if (rc == 0) {
        rc = judge(&p, device, out_psnr_centi, err);
    }
    proof_fini(&p);
    return rc;
}

bool gm_prove_is_scaler(const struct gm_prove_work *work)
{
    return work->encode && strcmp(work->api, "vaapi") == 0 &&
           strcmp(work->codec, GM_VA_LADDER) == 0;
}

int gm_prove_scaler(const struct gm_prove_work *work, char out[GM_PROVE_BITS], struct gm_err *err)
{
    AVBufferRef *device = NULL;
    uint8_t bits[GM_SHA256_SIZE];
    _Static_assert(GM_PROVE_BITS == GM_VA_LADDER_DIGITS + 1, "hex digits and an end");
    if (!gm_prove_is_scaler(work) || (work->depth != 8 && work->depth != 10)) {
        return gm_err_set(err, GM_E_INVAL, 0, "no proof is known for %.16s at %u bit by %.16s",
                          work->codec, work->depth, work->api);
    }
    int rc = gm_vaapi_open(work->device, &device, err);
    if (rc == 0) {
        rc = gm_va_ladder_prove(device, work->depth, bits, err);
        av_buffer_unref(&device);
    }
    if (rc == 0) {
        (void)gm_hex(bits, GM_VA_LADDER_DIGITS / 2, out);
    }
    return rc;
}

void gm_prove_versions(char *out, size_t size)
{
    unsigned v = avcodec_version();
    (void)snprintf(out, size, "libavcodec-%u.%u.%u gopmill-%s media-%d", v >> 16, v >> 8 & 255u,
                   v & 255u, GOPMILL_VERSION, GM_MEDIA_VERSION);
}
