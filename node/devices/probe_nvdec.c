/* What one GPU decodes, by cuvidGetDecoderCaps for each codec, chroma and depth.
 * See: NVDEC Video Decoder API Programming Guide. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h>

#include <ffnvcodec/dynlink_cuviddec.h>

#include "node/devices/detect.h"
#include "node/devices/probe.h"

static const struct {
    int code;
    const char *name;
} CODECS[] = {
    {cudaVideoCodec_H264, "h264"},   {cudaVideoCodec_HEVC, "hevc"}, {cudaVideoCodec_AV1, "av1"},
    {cudaVideoCodec_VP9, "vp9"},     {cudaVideoCodec_VP8, "vp8"},   {cudaVideoCodec_MPEG2, "mpeg2"},
    {cudaVideoCodec_MPEG4, "mpeg4"}, {cudaVideoCodec_VC1, "vc1"},   {cudaVideoCodec_JPEG, "mjpeg"},
};
static const struct {
    int code;
    uint32_t chroma;
} CHROMAS[] = {{cudaVideoChromaFormat_Monochrome, 400},
               {cudaVideoChromaFormat_420, 420},
               {cudaVideoChromaFormat_422, 422},
               {cudaVideoChromaFormat_444, 444}};

typedef int (*caps_fn)(CUVIDDECODECAPS *caps);

/* CUDA's INVALID_VALUE and NOT_SUPPORTED: how a driver may say that it does not know this
 * combination. Source: the driver API's enum cudaError_enum, cuvidGetDecoderCaps' description. */
static bool is_of_combination(int code)
{
    return code == 1 || code == 801;
}

/* All combinations; the first error that is more than one combination's ends it, and where there
 * is no other answer, the last that is. */
static int ask(caps_fn get_caps, struct gm_device *d)
{
    int last = 0;
    bool answered = false;
    for (size_t i = 0; i < sizeof(CODECS) / sizeof(CODECS[0]); i++) {
        for (size_t k = 0; k < sizeof(CHROMAS) / sizeof(CHROMAS[0]); k++) {
            for (unsigned depth = 8; depth <= 12; depth += 2) {
                CUVIDDECODECAPS caps;
                memset(&caps, 0, sizeof(caps));
                caps.eCodecType = (cudaVideoCodec)CODECS[i].code;
                caps.eChromaFormat = (cudaVideoChromaFormat)CHROMAS[k].code;
                caps.nBitDepthMinus8 = depth - 8;
                int code = get_caps(&caps);
                if (code != 0 && !is_of_combination(code)) {
                    return code;
                }
                last = code != 0 ? code : last;
                answered = answered || code == 0;
                if (code != 0 || !caps.bIsSupported) {
                    continue;
                }
                struct gm_device_codec c = {.api = "nvdec",
                                            .chroma = CHROMAS[k].chroma,
                                            .depth = depth,
                                            .min_width_px = caps.nMinWidth,
                                            .min_height_px = caps.nMinHeight,
                                            .max_width_px = caps.nMaxWidth,
                                            .max_height_px = caps.nMaxHeight,
                                            .engines = caps.nNumNVDECs};
                gm_device_set(c.codec, CODECS[i].name);
                (void)gm_device_add_codec(d, false, &c);
            }
        }
    }
    return answered ? 0 : last;
}

int gm_probe_nvdec(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err)
{
    struct gm_cuda_api api;
    struct gm_device *d = NULL;
    bool missing = false;
    void *context = NULL;
    caps_fn get_caps = NULL;
    int rc = gm_device_get(out, params->device, GM_DEVICE_NVIDIA, &d, err);
    if (rc < 0 || gm_cuda_load(&api, &missing) != NULL) {
        return rc; /* the probe `cuda` says it */
    }
    void *library = gm_probe_load(GM_NVDEC_LIBRARY);
    if (library == NULL) {
        gm_nvidia_missing(out, d, false);
        return 0;
    }
    void *found = dlsym(library, "cuvidGetDecoderCaps");
    memcpy(&get_caps, &found, sizeof(found));
    if (get_caps == NULL) {
        d->decoding = GM_ENGINE_REFUSED;
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "NVDEC: the driver is too old to tell what it decodes: install "
                                 "version 470 or newer");
        return 0;
    }
    int code = gm_cuda_enter(&api, params->device, &context);
    if (code == 0) {
        code = ask(get_caps, d);
        (void)api.context_destroy(context);
    }
    d->decoding = code != 0             ? GM_ENGINE_REFUSED
                  : d->decode_count > 0 ? GM_ENGINE_PRESENT
                                        : GM_ENGINE_ABSENT;
    if (code != 0) {
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "NVDEC: GPU %s does not tell what it decodes: %s (%d): see that "
                                 "its memory is not full (nvidia-smi)",
                                 d->id, gm_cuda_error(&api, code), code);
    }
    return 0;
}
