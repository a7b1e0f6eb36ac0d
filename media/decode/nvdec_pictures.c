/* What the parser calls back: with the stream's format, each picture to be decoded, and each one to
 * be shown. A shown picture is copied out of the decoder (nvdec_copy.c), so that no surface waits
 * for whoever uses pictures.
 *
 * A packet's number is its time stamp, spaced so that one which the parser makes up between two is
 * none of ours. See: nvdec.h. */
#include "media/decode/nvdec_state.h"

#include <string.h>

#define ID_SHIFT 20

bool gm_nvdec_failed(struct gm_nvdec *n, CUresult result, const char *function, const char *why)
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

int gm_nvdec_doubt(struct gm_nvdec *n, const char *why)
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

int CUDAAPI gm_nvdec_on_sequence(void *arg, CUVIDEOFORMAT *f)
{
    struct gm_nvdec *n = arg;
    if (n->rc < 0 || n->why != NULL) {
        return 0;
    }
    if (n->decoder != NULL) {
        return is_same_format(f, &n->format) ? n->surfaces
                                             : gm_nvdec_doubt(n, "the stream changes its format");
    }
    const char *why = misfit(n, f);
    if (why != NULL) {
        return gm_nvdec_doubt(n, why);
    }
    CUVIDDECODECREATEINFO info = {0};
    n->surfaces = f->min_num_decode_surfaces + GM_NVDEC_DELAY + GM_NVDEC_COPIES;
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
    info.ulNumOutputSurfaces = GM_NVDEC_COPIES;
    CUresult result = n->cuvidCreateDecoder(&n->decoder, &info);
    if (gm_nvdec_failed(n, result, "cuvidCreateDecoder", "the driver opens no decoder for it")) {
        n->decoder = NULL;
        return 0;
    }
    n->format = *f;
    gm_nvdec_copies_open(n);
    return n->rc == 0 && n->why == NULL ? n->surfaces : 0;
}

int CUDAAPI gm_nvdec_on_decode(void *arg, CUVIDPICPARAMS *p)
{
    struct gm_nvdec *n = arg;
    if (n->rc < 0 || n->why != NULL || n->decoder == NULL) {
        return 0;
    }
    if (p->field_pic_flag != 0 ||
        (n->codec == cudaVideoCodec_H264 && p->CodecSpecific.h264.MbaffFrameFlag != 0)) {
        return gm_nvdec_doubt(n, "the stream is interlaced");
    }
    if (n->codec == cudaVideoCodec_AV1 && p->CodecSpecific.av1.apply_grain != 0) {
        return gm_nvdec_doubt(n, "the stream has film grain");
    }
    gm_nvdec_copies_clear(n, p->CurrPicIdx); /* the parser thinks that it is free */
    if (n->rc < 0 || n->why != NULL) {
        return 0;
    }
    return gm_nvdec_failed(n, n->cuvidDecodePicture(n->decoder, p), "cuvidDecodePicture",
                           "the device refused a picture")
               ? 0
               : 1;
}

long long gm_nvdec_stamp(uint64_t id)
{
    long long number = (long long)id + 1;
    return number << ID_SHIFT;
}

/* Which packet's picture it is; false: none's. */
static bool find_packet(struct gm_nvdec *n, long long timestamp, uint64_t *out)
{
    uint64_t t = (uint64_t)timestamp;
    if (timestamp <= 0 || (t & (((uint64_t)1 << ID_SHIFT) - 1)) != 0) {
        return false;
    }
    uint64_t id = (t >> ID_SHIFT) - 1;
    size_t at = (size_t)(id % GM_NVDEC_RECENT);
    if (n->recent[at].id != id || !n->recent[at].waits) {
        return false;
    }
    n->recent[at].waits = false;
    *out = id;
    return true;
}

int CUDAAPI gm_nvdec_on_display(void *arg, CUVIDPARSERDISPINFO *shown)
{
    struct gm_nvdec *n = arg;
    uint64_t id = 0;
    if (n->rc < 0 || n->why != NULL || n->decoder == NULL) {
        return 0;
    }
    if (shown == NULL) {
        return 1; /* the end */
    }
    if (!find_packet(n, shown->timestamp, &id)) {
        return gm_nvdec_doubt(n, "the device showed a picture that no packet names");
    }
    if (n->count + n->under_way >= GM_NVDEC_READY) {
        return gm_nvdec_doubt(n, "the device showed too many pictures at once");
    }
    gm_nvdec_copy(n, shown, id);
    return n->rc == 0 && n->why == NULL ? 1 : 0;
}
