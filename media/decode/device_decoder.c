#include "media/decode/device_decoder.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/hwcontext.h>

#include "media/decode/nvdec.h"
#include "media/decode/vadec.h"
#include "media/device/vaapi.h"

struct gm_device_decoder { /* one of the two; owned */
    struct gm_nvdec *nvdec;
    struct gm_vadec *vadec;
};

int gm_device_decoder_hold(const char *api, const char *id, AVBufferRef **out, struct gm_err *err)
{
    if (api[0] == '\0' || strcmp(api, "nvdec") == 0) { /* older agents do not say which */
        return gm_hw_open(id, out, err);
    }
    if (strcmp(api, "vaapi") == 0) {
        return gm_vaapi_open(id, out, err);
    }
    return gm_err_set(err, GM_E_INVAL, 0, "`%.16s` is no interface to decode with", api);
}

bool gm_device_decoder_is_va(const AVBufferRef *device)
{
    const AVHWDeviceContext *ctx = (const AVHWDeviceContext *)(const void *)device->data;
    return ctx->type == AV_HWDEVICE_TYPE_VAAPI;
}

const char *gm_device_decoder_api(const AVBufferRef *device)
{
    return gm_device_decoder_is_va(device) ? "vaapi" : "nvdec";
}

void gm_device_decoder_label(const AVBufferRef *device, char out[GM_HW_LABEL_SIZE])
{
    if (gm_device_decoder_is_va(device)) {
        gm_vaapi_label(device, out, GM_HW_LABEL_SIZE);
    } else {
        gm_hw_label(device, out);
    }
}

int gm_device_decoder_open(AVBufferRef *device, const AVCodecParameters *par, AVBufferRef **pool,
                           struct gm_device_decoder **out, const char **out_why, struct gm_err *err)
{
    struct gm_device_decoder *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_device_decoder_is_va(device)
                 ? gm_vadec_open(device, par, pool != NULL, &d->vadec, out_why, err)
                 : gm_nvdec_open(device, par, pool, &d->nvdec, out_why, err);
    if (rc < 0 || (d->nvdec == NULL && d->vadec == NULL)) {
        free(d);
        d = NULL;
    }
    if (rc == 0) {
        *out = d;
    }
    return rc;
}

void gm_device_decoder_close(struct gm_device_decoder **decoder)
{
    struct gm_device_decoder *d = *decoder;
    if (d != NULL) {
        gm_nvdec_close(&d->nvdec);
        gm_vadec_close(&d->vadec);
        free(d);
        *decoder = NULL;
    }
}

int gm_device_decoder_send(struct gm_device_decoder *d, const AVPacket *packet,
                           const char **out_why, struct gm_err *err)
{
    return d->vadec != NULL
               ? gm_vadec_send(d->vadec, packet, out_why, err)
               : gm_nvdec_send(d->nvdec, packet, packet != NULL ? (uint64_t)packet->pts : 0,
                               out_why, err);
}

AVFrame *gm_device_decoder_take(struct gm_device_decoder *d)
{
    return d->vadec != NULL ? gm_vadec_take(d->vadec) : gm_nvdec_take(d->nvdec);
}
