/* libnvcuvid.so.1 of the fake drivers: the decoder, which keeps the pictures that the parser made
 * and maps them into device memory. Bits of a client's own parser (libavcodec's nvdec) are refused:
 * only the cuvid way is here. */
#include <stdlib.h>
#include <string.h>

#include "fake_cuvid.h"

#define MAX_PICTURES 64
#define PITCH 256

EXPORT tcuvidCreateDecoder cuvidCreateDecoder;
EXPORT tcuvidDestroyDecoder cuvidDestroyDecoder;
EXPORT tcuvidDecodePicture cuvidDecodePicture;
EXPORT tcuvidGetDecodeStatus cuvidGetDecodeStatus;
EXPORT tcuvidReconfigureDecoder cuvidReconfigureDecoder;
EXPORT tcuvidMapVideoFrame64 cuvidMapVideoFrame64;
EXPORT tcuvidUnmapVideoFrame64 cuvidUnmapVideoFrame64;
EXPORT tcuvidCtxLockCreate cuvidCtxLockCreate;
EXPORT tcuvidCtxLockDestroy cuvidCtxLockDestroy;
EXPORT tcuvidCtxLock cuvidCtxLock;
EXPORT tcuvidCtxUnlock cuvidCtxUnlock;

struct decoder {
    struct CUctx_st *context;
    char pci[16];
    CUVIDDECODECREATEINFO info;
    AVFrame *pictures[MAX_PICTURES];
    int64_t decoded, mapped;
    int open_maps;
    unsigned long long maps[MAX_PICTURES]; /* the surface that shows it; 0: none */
};

unsigned fake_cuvid_depth(int format)
{
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
        return 8;
    case AV_PIX_FMT_YUV420P10:
        return 10;
    case AV_PIX_FMT_YUV420P12:
        return 12;
    default:
        return 0;
    }
}

CUresult cuvidCreateDecoder(CUvideodecoder *out, CUVIDDECODECREATEINFO *info)
{
    struct CUctx_st *context = fake_cuvid_context();
    CUresult rc = fake_cuda_context_state(context);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_cuda_fault(FAKE_DECODE_OPEN, context->pci, 0));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    const struct fake_codec *codec =
        fake_cuvid_find(fake_cuda_gpu(context), info->CodecType, info->ChromaFormat,
                        (unsigned)info->bitDepthMinus8);
    cudaVideoSurfaceFormat format =
        info->bitDepthMinus8 > 0 ? cudaVideoSurfaceFormat_P016 : cudaVideoSurfaceFormat_NV12;
    if (codec == NULL || info->ChromaFormat != cudaVideoChromaFormat_420 ||
        info->OutputFormat != format || (long)info->ulWidth > codec->max_width ||
        (long)info->ulHeight > codec->max_height || (long)info->ulWidth < codec->min_width ||
        (long)info->ulHeight < codec->min_height) {
        return FAKE_CU_NOT_SUPPORTED;
    }
    if (info->ulNumDecodeSurfaces == 0 || info->ulNumDecodeSurfaces > MAX_PICTURES ||
        info->ulTargetWidth == 0 || info->ulTargetHeight == 0 ||
        info->DeinterlaceMode != cudaVideoDeinterlaceMode_Weave) {
        return FAKE_CU_INVALID_VALUE;
    }
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    decoder->context = context;
    memcpy(decoder->pci, context->pci, sizeof(decoder->pci));
    decoder->info = *info;
    *out = decoder;
    return CUDA_SUCCESS;
}

CUresult cuvidDestroyDecoder(CUvideodecoder handle)
{
    struct decoder *decoder = handle;
    if (decoder == NULL) {
        return FAKE_CU_INVALID_HANDLE;
    }
    for (int i = 0; i < MAX_PICTURES; i++) {
        av_frame_free(&decoder->pictures[i]);
    }
    free(decoder);
    return CUDA_SUCCESS;
}

CUresult cuvidDecodePicture(CUvideodecoder handle, CUVIDPICPARAMS *picture)
{
    struct decoder *decoder = handle;
    struct fake_note note;
    CUresult rc = fake_cuda_context_state(decoder->context);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_cuda_fault(FAKE_DECODE, decoder->pci, ++decoder->decoded));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (picture->CurrPicIdx < 0 ||
        (tcu_ulong)picture->CurrPicIdx >= decoder->info.ulNumDecodeSurfaces ||
        decoder->maps[picture->CurrPicIdx] != 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    if (picture->nBitstreamDataLen != sizeof(note)) {
        return FAKE_CU_NOT_SUPPORTED;
    }
    memcpy(&note, picture->pBitstreamData, sizeof(note));
    if (note.magic != FAKE_NOTE_MAGIC) {
        return FAKE_CU_NOT_SUPPORTED;
    }
    av_frame_free(&decoder->pictures[picture->CurrPicIdx]);
    decoder->pictures[picture->CurrPicIdx] = av_frame_clone(note.frame);
    return decoder->pictures[picture->CurrPicIdx] == NULL ? FAKE_CU_OUT_OF_MEMORY : CUDA_SUCCESS;
}

CUresult cuvidGetDecodeStatus(CUvideodecoder handle, int index, CUVIDGETDECODESTATUS *status)
{
    struct decoder *decoder = handle;
    bool there = index >= 0 && index < MAX_PICTURES && decoder->pictures[index] != NULL;
    const AVFrame *frame = there ? decoder->pictures[index] : NULL;
    bool damaged = frame != NULL &&
                   (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0);
    status->decodeStatus = damaged ? cuvidDecodeStatus_Error_Concealed
                           : there ? cuvidDecodeStatus_Success
                                   : cuvidDecodeStatus_Invalid;
    return CUDA_SUCCESS;
}

CUresult cuvidReconfigureDecoder(CUvideodecoder handle, CUVIDRECONFIGUREDECODERINFO *info)
{
    (void)handle;
    (void)info;
    return FAKE_CU_NOT_SUPPORTED;
}

/* Deep samples have their value in the high bits. */
static void put_row(const AVFrame *frame, int plane, int y, int width, uint8_t *to, int step,
                    int offset)
{
    const uint8_t *from = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
    int depth = (int)fake_cuvid_depth(frame->format);
    for (int x = 0; x < width; x++) {
        if (depth == 8) {
            to[x * step + offset] = from[x];
        } else {
            ((uint16_t *)to)[x * step + offset] =
                (uint16_t)(((const uint16_t *)from)[x] << (16 - depth));
        }
    }
}

static void put_picture(const struct decoder *decoder, const AVFrame *frame, uint8_t *to,
                        size_t pitch, bool spoil)
{
    const int rows = (int)decoder->info.ulTargetHeight;
    const int width = frame->width < (int)decoder->info.ulTargetWidth
                          ? frame->width
                          : (int)decoder->info.ulTargetWidth;
    const int height = frame->height < rows ? frame->height : rows;
    for (int y = 0; y < height; y++) {
        put_row(frame, 0, y, width, to + (size_t)y * pitch, 1, 0);
        if (spoil) {
            for (size_t x = 0; x < pitch; x++) {
                to[(size_t)y * pitch + x] ^= 0x80;
            }
        }
    }
    for (int y = 0; y < (height + 1) / 2; y++) {
        uint8_t *row = to + (size_t)(rows + y) * pitch;
        put_row(frame, 1, y, (width + 1) / 2, row, 2, 0);
        put_row(frame, 2, y, (width + 1) / 2, row, 2, 1);
    }
}

CUresult cuvidMapVideoFrame64(CUvideodecoder handle, int index, unsigned long long *out,
                              unsigned *pitch, CUVIDPROCPARAMS *params)
{
    struct decoder *decoder = handle;
    (void)params;
    CUresult rc = fake_cuda_context_state(decoder->context);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    enum fake_action action = fake_cuda_fault(FAKE_MAP, decoder->pci, ++decoder->mapped);
    rc = fake_cuda_result(action);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    const AVFrame *frame = index < 0 || index >= MAX_PICTURES ? NULL : decoder->pictures[index];
    if (frame == NULL || decoder->maps[index] != 0 ||
        decoder->open_maps >= (int)decoder->info.ulNumOutputSurfaces) {
        return FAKE_CU_INVALID_VALUE;
    }
    size_t bytes = decoder->info.ulTargetWidth * (decoder->info.bitDepthMinus8 > 0 ? 2 : 1);
    size_t row = (bytes + PITCH - 1) / PITCH * PITCH;
    size_t rows = decoder->info.ulTargetHeight + (decoder->info.ulTargetHeight + 1) / 2;
    CUdeviceptr surface = fake_cuda_alloc(decoder->context, row * rows);
    if (surface == 0) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    put_picture(decoder, frame, fake_cuda_host(surface, row * rows), row, action == FAKE_WRONG);
    decoder->open_maps++;
    decoder->maps[index] = surface;
    *out = surface;
    *pitch = (unsigned)row;
    return CUDA_SUCCESS;
}

CUresult cuvidUnmapVideoFrame64(CUvideodecoder handle, unsigned long long surface)
{
    struct decoder *decoder = handle;
    for (int i = 0; i < MAX_PICTURES; i++) {
        decoder->maps[i] = decoder->maps[i] == surface ? 0 : decoder->maps[i];
    }
    decoder->open_maps--;
    (void)fake_cuda_wait(
        NULL); /* the next picture is put there behind what is queued, here alone */
    return fake_cuda_release(surface);
}

CUresult cuvidCtxLockCreate(CUvideoctxlock *lock, CUcontext context)
{
    *lock =
        (CUvideoctxlock)context; /* calls do all their work before they return: nothing to lock */
    return CUDA_SUCCESS;
}

CUresult cuvidCtxLockDestroy(CUvideoctxlock lock)
{
    return lock == NULL ? FAKE_CU_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuvidCtxLock(CUvideoctxlock lock, unsigned flags)
{
    (void)flags;
    return lock == NULL ? FAKE_CU_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuvidCtxUnlock(CUvideoctxlock lock, unsigned flags)
{
    return cuvidCtxLock(lock, flags);
}

/* libavcodec's loader wants these names; it never calls them. */
#define REFUSED(name)                                                                              \
    EXPORT CUresult name(void);                                                                    \
    CUresult name(void)                                                                            \
    {                                                                                              \
        return FAKE_CU_NOT_SUPPORTED;                                                              \
    }
REFUSED(cuvidCreateVideoSource)
REFUSED(cuvidCreateVideoSourceW)
REFUSED(cuvidDestroyVideoSource)
REFUSED(cuvidSetVideoSourceState)
REFUSED(cuvidGetVideoSourceState)
REFUSED(cuvidGetSourceVideoFormat)
REFUSED(cuvidGetSourceAudioFormat)
