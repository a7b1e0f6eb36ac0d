#ifndef GM_MEDIA_DECODE_DEVICE_DECODER_H
#define GM_MEDIA_DECODE_DEVICE_DECODER_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media/device/hw.h"

/* The decoder of a device, whichever it is: an NVIDIA GPU's (media/decode/nvdec.h) or a VA driver's
 * (media/decode/vadec.h), whose words on streams, pictures, errors and threads hold. */
struct gm_device_decoder; /* opaque */

/* A device by the interface that decodes there: "nvdec", id as gm_hw_open's; "vaapi", a render
 * node. *out owned: av_buffer_unref. Errors: INVAL another interface; of gm_hw_open and
 * gm_vaapi_open. */
int gm_device_decoder_hold(const char *api, const char *id, AVBufferRef **out,
                           struct gm_err *err) GM_MUST_CHECK;
/* A VA driver's; else an NVIDIA GPU. */
bool gm_device_decoder_is_va(const AVBufferRef *device);
/* "nvdec" or "vaapi"; static. device: of gm_hw_open or gm_vaapi_open, as everywhere here. */
const char *gm_device_decoder_api(const AVBufferRef *device);
/* gm_hw_label or gm_vaapi_label of it: which device, for the report. */
void gm_device_decoder_label(const AVBufferRef *device, char out[GM_HW_LABEL_SIZE]);
/* pool: as gm_nvdec_open has it; of VA drivers: not NULL: pictures stay (media/decode/vadec.h). */
int gm_device_decoder_open(AVBufferRef *device, const AVCodecParameters *par, AVBufferRef **pool,
                           struct gm_device_decoder **out, const char **out_why,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_device_decoder_close(struct gm_device_decoder **decoder);
/* packet: its pts is its id, below GM_NVDEC_IDS, rising; NULL: the end, once, last. */
int gm_device_decoder_send(struct gm_device_decoder *decoder, const AVPacket *packet,
                           const char **out_why, struct gm_err *err) GM_MUST_CHECK;
AVFrame *gm_device_decoder_take(struct gm_device_decoder *decoder);

#endif
