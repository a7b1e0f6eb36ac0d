/* Opens the driver's parser and feeds it. It calls back from within cuvidParseVideoData
 * (nvdec_pictures.c); what goes wrong there is kept until that returns. See: nvdec.h. */
#include "media/decode/nvdec_state.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "media/device/cuda_picture.h"
#include "media/device/hw.h"

static const struct codec {
    enum AVCodecID id;
    cudaVideoCodec codec;
    const char *filter; /* to start codes */
    int profiles[4];    /* FF_PROFILE_UNKNOWN ends them */
} CODECS[] = {
    {AV_CODEC_ID_H264,
     cudaVideoCodec_H264,
     "h264_mp4toannexb",
     {FF_PROFILE_H264_CONSTRAINED_BASELINE, FF_PROFILE_H264_MAIN, FF_PROFILE_H264_HIGH,
      FF_PROFILE_UNKNOWN}},
    {AV_CODEC_ID_HEVC,
     cudaVideoCodec_HEVC,
     "hevc_mp4toannexb",
     {FF_PROFILE_HEVC_MAIN, FF_PROFILE_HEVC_MAIN_10, FF_PROFILE_UNKNOWN}},
    {AV_CODEC_ID_VP9,
     cudaVideoCodec_VP9,
     NULL,
     {FF_PROFILE_VP9_0, FF_PROFILE_VP9_2, FF_PROFILE_UNKNOWN}},
    {AV_CODEC_ID_AV1, cudaVideoCodec_AV1, NULL, {FF_PROFILE_AV1_MAIN, FF_PROFILE_UNKNOWN}},
};

static const struct codec *find_codec(const AVCodecParameters *par)
{
    for (size_t i = 0; i < sizeof CODECS / sizeof CODECS[0]; i++) {
        for (const int *p = CODECS[i].profiles; *p != FF_PROFILE_UNKNOWN; p++) {
            if (CODECS[i].id == par->codec_id && *p == par->profile) {
                return &CODECS[i];
            }
        }
    }
    return NULL;
}

static unsigned depth_of(int format)
{
    return format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P ? 8
           : format == AV_PIX_FMT_YUV420P10LE                            ? 10
                                                                         : 0;
}

/* Packets of an extradata's form as start codes, where the codec has them. */
static int open_filter(struct gm_nvdec *n, const char *name, const AVCodecParameters *par,
                       struct gm_err *err)
{
    const AVBitStreamFilter *filter = name != NULL ? av_bsf_get_by_name(name) : NULL;
    if (name == NULL) {
        return 0;
    }
    if (filter == NULL) {
        gm_nvdec_doubt(n, "this build of FFmpeg lacks a filter for it");
        return 0;
    }
    if (av_bsf_alloc(filter, &n->bsf) < 0 || avcodec_parameters_copy(n->bsf->par_in, par) < 0) {
        return gm_err_nomem(err);
    }
    int av = av_bsf_init(n->bsf);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    if (av < 0) {
        gm_nvdec_doubt(n, "its parameter sets are malformed");
    }
    return 0;
}

static int load(struct gm_nvdec *n, struct gm_err *err)
{
    int rc = gm_cuda_open(&n->cuda, err);
    if (rc < 0) {
        return rc;
    }
    n->library = dlopen("libnvcuvid.so.1", RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL) {
        gm_nvdec_doubt(n, "libnvcuvid.so.1 is not to be had");
        return 0;
    }
#define GM_CUVID_FN(name)                                                                          \
    {                                                                                              \
        void *found = dlsym(n->library, #name);                                                    \
        memcpy(&n->name, &found, sizeof found);                                                    \
        if (found == NULL) {                                                                       \
            gm_nvdec_doubt(n, "the driver's libnvcuvid.so.1 is too old");                          \
        }                                                                                          \
    }
    GM_CUVID_FUNCTIONS
#undef GM_CUVID_FN
    return 0;
}

static int enter(struct gm_nvdec *n, struct gm_err *err)
{
    return gm_cuda_check(&n->cuda, n->cuda.push(gm_hw_context(n->device)), "cuCtxPushCurrent", err);
}

static void leave(struct gm_nvdec *n)
{
    void *old = NULL;
    (void)n->cuda.pop(&old); /* a context that was pushed can be popped */
}

static CUresult parse(struct gm_nvdec *n, const uint8_t *data, size_t size, unsigned flags,
                      long long timestamp)
{
    CUVIDSOURCEDATAPACKET p = {
        .flags = flags, .payload_size = size, .payload = data, .timestamp = timestamp};
    return n->cuvidParseVideoData(n->parser, &p);
}

/* In the context. What the stream's head tells goes in first, where it has one. */
static void start(struct gm_nvdec *n, const AVCodecParameters *par)
{
    const uint8_t *head = n->bsf != NULL ? n->bsf->par_out->extradata : NULL;
    size_t size = n->bsf != NULL && head != NULL ? (size_t)n->bsf->par_out->extradata_size : 0;
    if (n->codec == cudaVideoCodec_AV1 && par->extradata_size > 4 && par->extradata[0] == 0x81) {
        head = par->extradata + 4; /* av1C: OBUs behind four bytes */
        size = (size_t)par->extradata_size - 4;
    }
    if (size > 0 && size <= sizeof n->more.raw_seqhdr_data) {
        memcpy(n->more.raw_seqhdr_data, head, size);
        n->more.format.seqhdr_data_length = (unsigned)size;
    }
    CUVIDPARSERPARAMS params = {.CodecType = n->codec,
                                .ulMaxNumDecodeSurfaces = 1, /* the sequence tells more */
                                .ulMaxDisplayDelay = GM_NVDEC_DELAY,
                                .pUserData = n,
                                .pfnSequenceCallback = gm_nvdec_on_sequence,
                                .pfnDecodePicture = gm_nvdec_on_decode,
                                .pfnDisplayPicture = gm_nvdec_on_display,
                                .pExtVideoInfo = &n->more};
    n->caps.eCodecType = n->codec;
    n->caps.eChromaFormat = cudaVideoChromaFormat_420;
    n->caps.nBitDepthMinus8 = n->depth - 8;
    if (gm_nvdec_failed(n, n->cuvidGetDecoderCaps(&n->caps), "cuvidGetDecoderCaps",
                        "the driver does not tell what the chip decodes")) {
        return;
    }
    if (!n->caps.bIsSupported) {
        gm_nvdec_doubt(n, "the chip does not decode this codec, or not at this depth");
        return;
    }
    if (gm_nvdec_failed(n, (CUresult)n->cuda.stream_create(&n->stream, GM_CUDA_NON_BLOCKING),
                        "cuStreamCreate", "the driver gives no stream for it")) {
        n->stream = NULL;
        return;
    }
    if (gm_nvdec_failed(n, n->cuvidCreateVideoParser(&n->parser, &params), "cuvidCreateVideoParser",
                        "the driver has no parser for it")) {
        n->parser = NULL;
        return;
    }
    if (size > 0) {
        (void)gm_nvdec_failed(n, parse(n, head, size, 0, 0), "cuvidParseVideoData",
                              "the driver did not take the stream's head");
    }
}

static int open_pool(struct gm_nvdec *n, AVBufferRef **pool, struct gm_err *err)
{
    const struct gm_cuda_pictures what = {n->depth, n->width_px, n->height_px, 0};
    int rc = gm_cuda_picture_repool(n->device, &what, pool, err);
    n->pool = rc == 0 ? av_buffer_ref(*pool) : NULL;
    return rc < 0 || n->pool != NULL ? rc : gm_err_nomem(err);
}

int gm_nvdec_open(AVBufferRef *device, const AVCodecParameters *par, AVBufferRef **pool,
                  struct gm_nvdec **out, const char **out_why, struct gm_err *err)
{
    const struct codec *codec = find_codec(par);
    unsigned depth = depth_of(par->format);
    if (codec == NULL || depth == 0 || par->width <= 0 || par->height <= 0 || par->width % 2 != 0 ||
        par->height % 2 != 0 || par->width > INT16_MAX || par->height > INT16_MAX) {
        *out = NULL;
        *out_why = "a codec, profile or size that is left to software";
        return 0;
    }
    struct gm_nvdec *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return gm_err_nomem(err);
    }
    n->codec = codec->codec;
    n->depth = depth;
    n->width_px = par->width;
    n->height_px = par->height;
    n->packet = av_packet_alloc();
    n->device = av_buffer_ref(device);
    int rc = n->packet == NULL || n->device == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0 && pool != NULL) {
        rc = open_pool(n, pool, err);
    }
    if (rc == 0) {
        rc = load(n, err);
    }
    if (rc == 0 && n->why == NULL) {
        rc = open_filter(n, codec->filter, par, err);
    }
    if (rc == 0 && n->why == NULL) {
        rc = enter(n, err);
        if (rc == 0) {
            start(n, par);
            leave(n);
        }
    }
    if (rc == 0 && n->rc < 0) {
        rc = n->rc;
        *err = n->err;
    }
    const char *why = n->why;
    if (rc < 0 || why != NULL) {
        gm_nvdec_close(&n);
    }
    if (rc == 0) {
        *out = n;
        *out_why = why;
    }
    return rc;
}

void gm_nvdec_close(struct gm_nvdec **nvdec)
{
    struct gm_nvdec *n = *nvdec;
    struct gm_err ignored;
    if (n == NULL) {
        return;
    }
    if (n->stream != NULL) {               /* before it there is nothing */
        bool in = enter(n, &ignored) == 0; /* of a lost device there is nothing left to free */
        gm_nvdec_copies_close(n);
        if (n->parser != NULL) {
            (void)n->cuvidDestroyVideoParser(n->parser);
        }
        if (n->decoder != NULL) {
            (void)n->cuvidDestroyDecoder(n->decoder);
        }
        (void)n->cuda.stream_destroy(n->stream);
        if (in) {
            leave(n);
        }
    }
    for (AVFrame *f = gm_nvdec_take(n); f != NULL; f = gm_nvdec_take(n)) {
        av_frame_free(&f);
    }
    av_bsf_free(&n->bsf);
    av_packet_free(&n->packet);
    av_buffer_unref(&n->pool);
    if (n->library != NULL) {
        (void)dlclose(n->library);
    }
    gm_cuda_close(&n->cuda);
    av_buffer_unref(&n->device);
    free(n);
    *nvdec = NULL;
}

/* In the context. The parser gives an error of its own for malformed bits, whose number is that of
 * a lost device: the device itself tells. */
static int feed(struct gm_nvdec *n, const uint8_t *data, size_t size, unsigned flags,
                long long timestamp, struct gm_err *err)
{
    CUresult result = parse(n, data, size, flags, timestamp);
    if (n->rc < 0) {
        *err = n->err;
        return n->rc;
    }
    if (result != CUDA_SUCCESS && n->why == NULL) {
        int rc = gm_hw_check(n->device, err);
        if (rc < 0) {
            return rc;
        }
        gm_nvdec_doubt(n, "the driver's parser refused a packet");
    }
    return 0;
}

static int feed_packet(struct gm_nvdec *n, const AVPacket *p, long long timestamp,
                       struct gm_err *err)
{
    if (n->bsf == NULL) {
        return feed(n, p->data, (size_t)p->size, CUVID_PKT_TIMESTAMP, timestamp, err);
    }
    if (av_packet_ref(n->packet, p) < 0) {
        return gm_err_nomem(err);
    }
    int av = av_bsf_send_packet(n->bsf, n->packet);
    if (av >= 0) {
        av = av_bsf_receive_packet(n->bsf, n->packet);
    }
    int rc = 0;
    if (av == AVERROR(ENOMEM)) {
        rc = gm_err_nomem(err);
    } else if (av < 0) {
        gm_nvdec_doubt(n, "a packet is malformed");
    } else {
        rc = feed(n, n->packet->data, (size_t)n->packet->size, CUVID_PKT_TIMESTAMP, timestamp, err);
    }
    av_packet_unref(n->packet);
    return rc;
}

/* In the context, at the end. */
static int end_copies(struct gm_nvdec *n, struct gm_err *err)
{
    gm_nvdec_copies_clear(n, -1);
    if (n->rc < 0) {
        *err = n->err;
    }
    return n->rc;
}

int gm_nvdec_send(struct gm_nvdec *n, const AVPacket *packet, uint64_t id, const char **out_why,
                  struct gm_err *err)
{
    if (n->rc < 0) {
        *err = n->err;
        return n->rc;
    }
    if (packet != NULL && (id >= GM_NVDEC_IDS || packet->size <= 0)) {
        gm_nvdec_doubt(n, "a packet is empty, or its number out of range");
    }
    int rc = n->why == NULL ? enter(n, err) : 0;
    if (rc == 0 && n->why == NULL) {
        if (packet != NULL) {
            size_t at = (size_t)(id % GM_NVDEC_RECENT);
            n->recent[at].id = id;
            n->recent[at].waits = true;
            rc = feed_packet(n, packet, gm_nvdec_stamp(id), err);
        } else {
            rc = feed(n, NULL, 0, CUVID_PKT_ENDOFSTREAM, 0, err);
            rc = rc == 0 ? end_copies(n, err) : rc;
        }
        leave(n);
    }
    if (rc == 0) {
        *out_why = n->why;
    }
    return rc;
}

AVFrame *gm_nvdec_take(struct gm_nvdec *n)
{
    if (n->count == 0) {
        return NULL;
    }
    AVFrame *f = n->ready[n->first];
    n->first = (n->first + 1) % GM_NVDEC_READY;
    n->count--;
    return f;
}
