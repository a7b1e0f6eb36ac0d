#include "hwtest/farm_decode.h"

#include <string.h>

#include "media/decode/device_decoder.h"

static const struct {
    const char *codec;
    uint32_t depth;
    int profile;
} TAKEN[] = {
    {"h264", 8, FF_PROFILE_H264_HIGH},     {"hevc", 8, FF_PROFILE_HEVC_MAIN},
    {"hevc", 10, FF_PROFILE_HEVC_MAIN_10}, {"vp9", 8, FF_PROFILE_VP9_0},
    {"vp9", 10, FF_PROFILE_VP9_2},         {"av1", 8, FF_PROFILE_AV1_MAIN},
    {"av1", 10, FF_PROFILE_AV1_MAIN},
};

int gm_hwtest_farm_profile(const char *codec, uint32_t depth)
{
    for (size_t i = 0; i < sizeof(TAKEN) / sizeof(TAKEN[0]); i++) {
        if (strcmp(TAKEN[i].codec, codec) == 0 && TAKEN[i].depth == depth) {
            return TAKEN[i].profile;
        }
    }
    return FF_PROFILE_UNKNOWN;
}

bool gm_hwtest_farm_decodes(const char *api, const char *codec, uint32_t depth)
{
    return (strcmp(api, "nvdec") == 0 || strcmp(api, "vaapi") == 0) &&
           gm_hwtest_farm_profile(codec, depth) != FF_PROFILE_UNKNOWN;
}

static int take(struct gm_device_decoder *d, struct gm_hwtest_pictures *out, struct gm_err *err)
{
    int rc = 0;
    for (AVFrame *f = gm_device_decoder_take(d); f != NULL; f = gm_device_decoder_take(d)) {
        if (rc == 0 && (f->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, out->count,
                            "the decoder says that picture %d is damaged", out->count);
        } else if (rc == 0 && out->count == GM_HWTEST_FRAMES) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "more pictures come out than went in");
        }
        if (rc == 0) {
            out->frame[out->count++] = f;
        } else {
            av_frame_free(&f);
        }
    }
    return rc;
}

/* NULL: the end. */
static int send(struct gm_device_decoder *d, const AVPacket *packet, int number, struct gm_err *err)
{
    const char *why = NULL;
    AVPacket *own = packet == NULL ? NULL : av_packet_clone(packet);
    if (packet != NULL && own == NULL) {
        return gm_err_nomem(err);
    }
    if (own != NULL) {
        own->pts = number; /* its id */
    }
    int rc = gm_device_decoder_send(d, own, &why, err);
    av_packet_free(&own);
    return rc == 0 && why != NULL ? gm_err_set(err, GM_E_MEDIA_VERIFY, number,
                                               "it gave up at packet %d: %s", number, why)
                                  : rc;
}

int gm_hwtest_farm_decode(const char *api, const char *id, const char *codec, uint32_t depth,
                          const struct gm_hwtest_stream *stream, struct gm_hwtest_pictures *out,
                          struct gm_err *err)
{
    AVBufferRef *device = NULL;
    struct gm_device_decoder *d = NULL;
    const char *why = NULL;
    AVCodecParameters *par = avcodec_parameters_alloc();
    int rc = par == NULL || avcodec_parameters_copy(par, stream->par) < 0 ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        par->profile = gm_hwtest_farm_profile(codec, depth);
        rc = gm_device_decoder_hold(api, id, &device, err);
    }
    if (rc == 0) {
        rc = gm_device_decoder_open(device, par, NULL, &d, &why, err);
    }
    if (rc == 0 && d == NULL) {
        rc = gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                        "tasks decode this in software: the farm's decoder does not take it: %s",
                        why);
    }
    for (int i = 0; rc == 0 && i <= stream->count; i++) {
        rc = send(d, i < stream->count ? stream->packets[i] : NULL, i, err);
        rc = rc < 0 ? rc : take(d, out, err);
    }
    gm_device_decoder_close(&d);
    av_buffer_unref(&device);
    avcodec_parameters_free(&par);
    return rc;
}
