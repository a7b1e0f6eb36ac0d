/* libnvcuvid.so.1 of the fake drivers: what the GPU of the current context decodes. */
#include <string.h>

#include "fake_cuvid.h"

EXPORT tcuvidGetDecoderCaps cuvidGetDecoderCaps;

/* Names by cudaVideoCodec; NULL: none here decodes it. */
static const char *const NAMES[cudaVideoCodec_NumCodecs] = {
    [cudaVideoCodec_MPEG1] = "mpeg1video", [cudaVideoCodec_MPEG2] = "mpeg2video",
    [cudaVideoCodec_MPEG4] = "mpeg4",      [cudaVideoCodec_VC1] = "vc1",
    [cudaVideoCodec_H264] = "h264",        [cudaVideoCodec_JPEG] = "mjpeg",
    [cudaVideoCodec_HEVC] = "hevc",        [cudaVideoCodec_VP8] = "vp8",
    [cudaVideoCodec_VP9] = "vp9",          [cudaVideoCodec_AV1] = "av1"};

const char *fake_cuvid_name(cudaVideoCodec codec)
{
    return codec >= 0 && codec < cudaVideoCodec_NumCodecs ? NAMES[codec] : NULL;
}

const struct fake_codec *fake_cuvid_find(const struct fake_gpu *gpu, cudaVideoCodec codec,
                                         cudaVideoChromaFormat chroma, unsigned depth_minus8)
{
    static const unsigned CHROMA[] = {FAKE_CHROMA_400, FAKE_CHROMA_420, FAKE_CHROMA_422,
                                      FAKE_CHROMA_444};
    static const unsigned DEPTH[] = {FAKE_DEPTH_8, 0, FAKE_DEPTH_10, 0, FAKE_DEPTH_12};
    const char *name = fake_cuvid_name(codec);
    if (gpu == NULL || gpu->decode.engines == 0 || name == NULL || chroma < 0 ||
        chroma > cudaVideoChromaFormat_444 || depth_minus8 > 4) {
        return NULL;
    }
    const struct fake_codec *found = fake_codec_find(&gpu->decode, name);
    return found == NULL || (found->chroma & CHROMA[chroma]) == 0 ||
                   (found->depths & DEPTH[depth_minus8]) == 0
               ? NULL
               : found;
}

struct CUctx_st *fake_cuvid_context(void)
{
    CUcontext context = NULL;
    return cuCtxGetCurrent(&context) == CUDA_SUCCESS ? context : NULL;
}

CUresult cuvidGetDecoderCaps(CUVIDDECODECAPS *caps)
{
    struct CUctx_st *context = fake_cuvid_context();
    CUresult rc = fake_cuda_context_state(context);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_cuda_fault(FAKE_DECODE_CAPS, context->pci, 0));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    const struct fake_gpu *gpu = fake_cuda_gpu(context);
    const struct fake_codec *codec =
        fake_cuvid_find(gpu, caps->eCodecType, caps->eChromaFormat, caps->nBitDepthMinus8);
    caps->bIsSupported = codec != NULL;
    caps->nNumNVDECs = codec == NULL ? 0 : (unsigned char)gpu->decode.engines;
    caps->nOutputFormatMask = 0;
    caps->nMaxWidth = codec == NULL ? 0 : (unsigned)codec->max_width;
    caps->nMaxHeight = codec == NULL ? 0 : (unsigned)codec->max_height;
    caps->nMaxMBCount = caps->nMaxWidth * caps->nMaxHeight / 256;
    caps->nMinWidth = codec == NULL ? 0 : (unsigned short)codec->min_width;
    caps->nMinHeight = codec == NULL ? 0 : (unsigned short)codec->min_height;
    if (codec != NULL) {
        bool deep = caps->nBitDepthMinus8 > 0;
        caps->nOutputFormatMask |= (unsigned short)(1u << (deep ? cudaVideoSurfaceFormat_P016
                                                                : cudaVideoSurfaceFormat_NV12));
    }
    return CUDA_SUCCESS;
}
