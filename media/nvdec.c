#include "media/nvdec.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h> /* the next two want it */

#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/dynlink_nvcuvid.h>

#include <libavcodec/bsf.h>

#include "kernels/cuda.h"
#include "media/hw.h"
#include "media/packed.h"

/* The parser calls back from within cuvidParseVideoData: with the stream's format, each picture to
 * be decoded, and each one to be shown. A shown picture is copied into memory at once, so that no
 * surface waits for anybody. What goes wrong in a callback is kept until the call returns.
 *
 * A packet's number is its time stamp, spaced so that one which the parser makes up between two is
 * none of ours. See: nvdec.h. */

#define ID_SHIFT 20
#define MAX_READY 64
#define RECENT 256      /* packets whose picture may still come */
#define DISPLAY_DELAY 2 /* pictures that are decoded while an older one is copied */

/* GM_CUVID_FN(name): of libnvcuvid.so.1, with the type t<name> of ffnvcodec's headers */
#define GM_CUVID_FUNCTIONS                                                                         \
    GM_CUVID_FN(cuvidGetDecoderCaps)                                                               \
    GM_CUVID_FN(cuvidCreateVideoParser)                                                            \
    GM_CUVID_FN(cuvidParseVideoData)                                                               \
    GM_CUVID_FN(cuvidDestroyVideoParser)                                                           \
    GM_CUVID_FN(cuvidCreateDecoder)                                                                \
    GM_CUVID_FN(cuvidDestroyDecoder)                                                               \
    GM_CUVID_FN(cuvidDecodePicture)                                                                \
    GM_CUVID_FN(cuvidGetDecodeStatus)                                                              \
    GM_CUVID_FN(cuvidMapVideoFrame64)                                                              \
    GM_CUVID_FN(cuvidUnmapVideoFrame64)

struct gm_nvdec {
    AVBufferRef *device; /* owned reference */
    struct gm_cuda cuda;
    void *library; /* owned: dlclose */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define GM_CUVID_FN(name) t##name *name;
    GM_CUVID_FUNCTIONS
#undef GM_CUVID_FN
    cudaVideoCodec codec;
    unsigned depth;
    int width_px, height_px;
    CUVIDDECODECAPS caps;
    AVBSFContext *bsf;    /* owned; NULL: packets go in as they are */
    AVPacket *packet;     /* owned */
    CUVIDEOFORMATEX more; /* the parser's, as long as it lives */
    CUvideoparser parser;
    CUvideodecoder decoder;
    CUVIDEOFORMAT format; /* of the decoder */
    int surfaces;
    AVFrame *packed;           /* owned: where a picture lands */
    AVFrame *ready[MAX_READY]; /* owned */
    size_t first, count;
    struct {
        uint64_t id;
        bool waits; /* for its picture */
    } recent[RECENT];
    const char *why; /* static; NULL: all is well */
    int rc;          /* < 0: err holds */
    struct gm_err err;
};

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

/* Errors of the device end all; others are what the driver says of streams that it can't take. */
static bool failed(struct gm_nvdec *n, CUresult result, const char *function, const char *why)
{
    if (result == CUDA_SUCCESS) {
        return false;
    }
    switch (gm_cuda_code((int)result)) {
    case GM_E_DEVICE_ABSENT:
    case GM_E_DEVICE_BUSY:
    case GM_E_DEVICE_LOST:
    case GM_E_DEVICE_MEMORY:
        if (n->rc == 0) {
            n->rc = gm_cuda_check(&n->cuda, (int)result, function, &n->err);
        }
        break;
    default:
        n->why = n->why != NULL ? n->why : why;
        break;
    }
    return true;
}

static int doubt(struct gm_nvdec *n, const char *why)
{
    n->why = n->why != NULL ? n->why : why;
    return 0;
}

static bool is_same_format(const CUVIDEOFORMAT *a, const CUVIDEOFORMAT *b)
{
    return a->codec == b->codec && a->progressive_sequence == b->progressive_sequence &&
           a->bit_depth_luma_minus8 == b->bit_depth_luma_minus8 &&
           a->bit_depth_chroma_minus8 == b->bit_depth_chroma_minus8 &&
           a->coded_width == b->coded_width && a->coded_height == b->coded_height &&
           memcmp(&a->display_area, &b->display_area, sizeof a->display_area) == 0 &&
           a->chroma_format == b->chroma_format &&
           a->display_aspect_ratio.x == b->display_aspect_ratio.x &&
           a->display_aspect_ratio.y == b->display_aspect_ratio.y &&
           a->video_signal_description.video_full_range_flag ==
               b->video_signal_description.video_full_range_flag &&
           a->video_signal_description.color_primaries ==
               b->video_signal_description.color_primaries &&
           a->video_signal_description.transfer_characteristics ==
               b->video_signal_description.transfer_characteristics &&
           a->video_signal_description.matrix_coefficients ==
               b->video_signal_description.matrix_coefficients;
}

/* NULL: this is what the stream's parameters said, and the chip has it. */
static const char *misfit(const struct gm_nvdec *n, const CUVIDEOFORMAT *f)
{
    if (f->codec != n->codec || f->chroma_format != cudaVideoChromaFormat_420 ||
        f->bit_depth_luma_minus8 + 8U != n->depth || f->bit_depth_chroma_minus8 + 8U != n->depth) {
        return "the stream is not what its container says";
    }
    if (f->display_area.right - f->display_area.left != n->width_px ||
        f->display_area.bottom - f->display_area.top != n->height_px) {
        return "the stream's size is not what its container says";
    }
    if (n->codec == cudaVideoCodec_H264 && !f->progressive_sequence) {
        return "the stream is interlaced";
    }
    if (f->coded_width < n->caps.nMinWidth || f->coded_width > n->caps.nMaxWidth ||
        f->coded_height < n->caps.nMinHeight || f->coded_height > n->caps.nMaxHeight ||
        (uint64_t)f->coded_width * f->coded_height / 256 > n->caps.nMaxMBCount) {
        return "the chip does not decode this size";
    }
    return NULL;
}

static int CUDAAPI on_sequence(void *arg, CUVIDEOFORMAT *f)
{
    struct gm_nvdec *n = arg;
    if (n->rc < 0 || n->why != NULL) {
        return 0;
    }
    if (n->decoder != NULL) {
        return is_same_format(f, &n->format) ? n->surfaces
                                             : doubt(n, "the stream changes its format");
    }
    const char *why = misfit(n, f);
    if (why != NULL) {
        return doubt(n, why);
    }
    CUVIDDECODECREATEINFO info = {0};
    n->surfaces = f->min_num_decode_surfaces + DISPLAY_DELAY + 1;
    info.ulWidth = f->coded_width;
    info.ulHeight = f->coded_height;
    info.ulNumDecodeSurfaces = (tcu_ulong)n->surfaces;
    info.CodecType = f->codec;
    info.ChromaFormat = f->chroma_format;
    info.ulCreationFlags = cudaVideoCreate_PreferCUVID;
    info.bitDepthMinus8 = n->depth - 8;
    info.display_area.left = (short)f->display_area.left;
    info.display_area.top = (short)f->display_area.top;
    info.display_area.right = (short)f->display_area.right;
    info.display_area.bottom = (short)f->display_area.bottom;
    info.OutputFormat = n->depth == 8 ? cudaVideoSurfaceFormat_NV12 : cudaVideoSurfaceFormat_P016;
    info.DeinterlaceMode = cudaVideoDeinterlaceMode_Weave;
    info.ulTargetWidth = (tcu_ulong)n->width_px; /* as displayed: nothing is scaled */
    info.ulTargetHeight = (tcu_ulong)n->height_px;
    info.ulNumOutputSurfaces = 1;
    CUresult result = n->cuvidCreateDecoder(&n->decoder, &info);
    if (failed(n, result, "cuvidCreateDecoder", "the driver opens no decoder for it")) {
        n->decoder = NULL;
        return 0;
    }
    n->format = *f;
    return n->surfaces;
}

static int CUDAAPI on_decode(void *arg, CUVIDPICPARAMS *p)
{
    struct gm_nvdec *n = arg;
    if (n->rc < 0 || n->why != NULL || n->decoder == NULL) {
        return 0;
    }
    if (p->field_pic_flag != 0 ||
        (n->codec == cudaVideoCodec_H264 && p->CodecSpecific.h264.MbaffFrameFlag != 0)) {
        return doubt(n, "the stream is interlaced");
    }
    if (n->codec == cudaVideoCodec_AV1 && p->CodecSpecific.av1.apply_grain != 0) {
        return doubt(n, "the stream has film grain");
    }
    return failed(n, n->cuvidDecodePicture(n->decoder, p), "cuvidDecodePicture",
                  "the device refused a picture")
               ? 0
               : 1;
}

/* Rows of the surface into n->packed. */
static CUresult download(struct gm_nvdec *n, unsigned long long surface, unsigned pitch)
{
    int result = 0;
    for (int plane = 0; plane < 2 && result == 0; plane++) {
        struct gm_cuda_copy_2d copy = {.src_type = 2,
                                       .src_device = surface,
                                       .src_y = plane == 0 ? 0 : (size_t)n->height_px,
                                       .src_pitch = pitch,
                                       .dst_type = 1,
                                       .dst_host = n->packed->data[plane],
                                       .dst_pitch = (size_t)n->packed->linesize[plane],
                                       .width_bytes = (size_t)n->width_px * (n->depth > 8 ? 2 : 1),
                                       .height = (size_t)n->height_px / (plane == 0 ? 1 : 2)};
        result = n->cuda.copy_2d(&copy, NULL);
    }
    if (result == 0) {
        result = n->cuda.stream_sync(NULL);
    }
    return (CUresult)result;
}

/* Which packet's picture it is; false: none's. */
static bool find_packet(struct gm_nvdec *n, long long timestamp, uint64_t *out)
{
    uint64_t t = (uint64_t)timestamp;
    if (timestamp <= 0 || (t & (((uint64_t)1 << ID_SHIFT) - 1)) != 0) {
        return false;
    }
    uint64_t id = (t >> ID_SHIFT) - 1;
    size_t at = (size_t)(id % RECENT);
    if (n->recent[at].id != id || !n->recent[at].waits) {
        return false;
    }
    n->recent[at].waits = false;
    *out = id;
    return true;
}

static AVFrame *make_frame(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = av_frame_alloc();
    if (f != NULL) {
        f->format = format;
        f->width = width;
        f->height = height;
        if (av_frame_get_buffer(f, 0) < 0) {
            av_frame_free(&f);
        }
    }
    return f;
}

/* n->packed as the next picture. */
static int keep(struct gm_nvdec *n, uint64_t id, bool damaged)
{
    AVFrame *f = make_frame(n->depth == 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE,
                            n->width_px, n->height_px);
    n->rc = f == NULL ? gm_err_nomem(&n->err) : gm_packed_copy(n->packed, f, &n->err);
    if (n->rc < 0) {
        av_frame_free(&f);
        return 0;
    }
    f->pts = (int64_t)id;
    f->flags |= damaged ? AV_FRAME_FLAG_CORRUPT : 0;
    n->ready[(n->first + n->count++) % MAX_READY] = f;
    return 1;
}

static int CUDAAPI on_display(void *arg, CUVIDPARSERDISPINFO *shown)
{
    struct gm_nvdec *n = arg;
    uint64_t id = 0;
    unsigned long long surface = 0;
    unsigned pitch = 0;
    if (n->rc < 0 || n->why != NULL || n->decoder == NULL) {
        return 0;
    }
    if (shown == NULL) {
        return 1; /* the end */
    }
    if (!find_packet(n, shown->timestamp, &id)) {
        return doubt(n, "the device showed a picture that no packet names");
    }
    if (n->count == MAX_READY) {
        return doubt(n, "the device showed too many pictures at once");
    }
    CUVIDPROCPARAMS params = {.progressive_frame = shown->progressive_frame,
                              .top_field_first = shown->top_field_first};
    CUresult result =
        n->cuvidMapVideoFrame64(n->decoder, shown->picture_index, &surface, &pitch, &params);
    if (failed(n, result, "cuvidMapVideoFrame", "the device refused to show a picture")) {
        return 0;
    }
    CUVIDGETDECODESTATUS status = {0};
    result = n->cuvidGetDecodeStatus(n->decoder, shown->picture_index, &status);
    /* Not told of every codec. */
    bool damaged =
        result == CUDA_SUCCESS && (status.decodeStatus == cuvidDecodeStatus_Error ||
                                   status.decodeStatus == cuvidDecodeStatus_Error_Concealed);
    bool bad = failed(n, download(n, surface, pitch), "cuMemcpy2DAsync",
                      "a picture did not come back from the device");
    bad = failed(n, n->cuvidUnmapVideoFrame64(n->decoder, surface), "cuvidUnmapVideoFrame",
                 "the device did not let go of a picture") ||
          bad;
    return bad ? 0 : keep(n, id, damaged);
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
        doubt(n, "this build of FFmpeg lacks a filter for it");
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
        doubt(n, "its parameter sets are malformed");
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
        doubt(n, "libnvcuvid.so.1 is not to be had");
        return 0;
    }
#define GM_CUVID_FN(name)                                                                          \
    {                                                                                              \
        void *found = dlsym(n->library, #name);                                                    \
        memcpy(&n->name, &found, sizeof found);                                                    \
        if (found == NULL) {                                                                       \
            doubt(n, "the driver's libnvcuvid.so.1 is too old");                                   \
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
                                .ulMaxNumDecodeSurfaces = 1, /* on_sequence tells more */
                                .ulMaxDisplayDelay = DISPLAY_DELAY,
                                .pUserData = n,
                                .pfnSequenceCallback = on_sequence,
                                .pfnDecodePicture = on_decode,
                                .pfnDisplayPicture = on_display,
                                .pExtVideoInfo = &n->more};
    n->caps.eCodecType = n->codec;
    n->caps.eChromaFormat = cudaVideoChromaFormat_420;
    n->caps.nBitDepthMinus8 = n->depth - 8;
    if (failed(n, n->cuvidGetDecoderCaps(&n->caps), "cuvidGetDecoderCaps",
               "the driver does not tell what the chip decodes")) {
        return;
    }
    if (!n->caps.bIsSupported) {
        doubt(n, "the chip does not decode this codec, or not at this depth");
        return;
    }
    if (failed(n, n->cuvidCreateVideoParser(&n->parser, &params), "cuvidCreateVideoParser",
               "the driver has no parser for it")) {
        n->parser = NULL;
        return;
    }
    if (size > 0) {
        (void)failed(n, parse(n, head, size, 0, 0), "cuvidParseVideoData",
                     "the driver did not take the stream's head");
    }
}

int gm_nvdec_open(AVBufferRef *device, const AVCodecParameters *par, struct gm_nvdec **out,
                  const char **out_why, struct gm_err *err)
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
    n->packed = make_frame(gm_packed_format(depth), par->width, par->height);
    n->device = av_buffer_ref(device);
    int rc = n->packet == NULL || n->packed == NULL || n->device == NULL ? gm_err_nomem(err) : 0;
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
    if (n->parser != NULL || n->decoder != NULL) {
        bool in = enter(n, &ignored) == 0; /* of a lost device there is nothing left to free */
        if (n->parser != NULL) {
            (void)n->cuvidDestroyVideoParser(n->parser);
        }
        if (n->decoder != NULL) {
            (void)n->cuvidDestroyDecoder(n->decoder);
        }
        if (in) {
            leave(n);
        }
    }
    for (AVFrame *f = gm_nvdec_take(n); f != NULL; f = gm_nvdec_take(n)) {
        av_frame_free(&f);
    }
    av_bsf_free(&n->bsf);
    av_packet_free(&n->packet);
    av_frame_free(&n->packed);
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
        doubt(n, "the driver's parser refused a packet");
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
        doubt(n, "a packet is malformed");
    } else {
        rc = feed(n, n->packet->data, (size_t)n->packet->size, CUVID_PKT_TIMESTAMP, timestamp, err);
    }
    av_packet_unref(n->packet);
    return rc;
}

int gm_nvdec_send(struct gm_nvdec *n, const AVPacket *packet, uint64_t id, const char **out_why,
                  struct gm_err *err)
{
    if (n->rc < 0) {
        *err = n->err;
        return n->rc;
    }
    if (packet != NULL && (id >= GM_NVDEC_IDS || packet->size <= 0)) {
        doubt(n, "a packet is empty, or its number out of range");
    }
    int rc = n->why == NULL ? enter(n, err) : 0;
    if (rc == 0 && n->why == NULL) {
        if (packet != NULL) {
            size_t at = (size_t)(id % RECENT);
            n->recent[at].id = id;
            n->recent[at].waits = true;
            long long number = (long long)id + 1;
            rc = feed_packet(n, packet, number << ID_SHIFT, err);
        } else {
            rc = feed(n, NULL, 0, CUVID_PKT_ENDOFSTREAM, 0, err);
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
    n->first = (n->first + 1) % MAX_READY;
    n->count--;
    return f;
}
