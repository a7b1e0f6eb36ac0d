/* fake_mfx.so: libx265 as the application's parameters have it. */
#include <stdlib.h>
#include <string.h>

#include "fake_mfx.h"
#include "fake_va_bits.h"

enum { SPS = 33, HEAD = 2 }; /* nal_unit_type; bytes of a NAL unit's header */

static void set_rate(x265_param *param, const struct fake_mfx_encoder *e)
{
    const mfxInfoMFX *m = &e->param.mfx;
    const int unit = m->BRCParamMultiplier > 1 ? m->BRCParamMultiplier : 1;
    switch (m->RateControlMethod) {
    case MFX_RATECONTROL_CQP:
        param->rc.rateControlMode = X265_RC_CQP;
        param->rc.qp = m->QPP;
        param->rc.ipFactor = param->rc.pbFactor = 1;
        return;
    case MFX_RATECONTROL_ICQ:
        param->rc.rateControlMode = X265_RC_CRF;
        param->rc.rfConstant = m->ICQQuality;
        return;
    case MFX_RATECONTROL_QVBR:
        param->rc.rateControlMode = X265_RC_CRF;
        param->rc.rfConstant = e->quality;
        break;
    default:
        param->rc.rateControlMode = X265_RC_ABR;
        param->rc.bitrate = m->TargetKbps * unit;
        break;
    }
    param->rc.vbvMaxBitrate = (m->MaxKbps > 0 ? m->MaxKbps : m->TargetKbps) * unit;
    param->rc.vbvBufferSize =
        m->BufferSizeInKB > 0 ? m->BufferSizeInKB * unit * 8 : param->rc.vbvMaxBitrate;
    if (m->InitialDelayInKB > 0) {
        param->rc.vbvBufferInit = (double)m->InitialDelayInKB * unit * 8 / param->rc.vbvBufferSize;
    }
    param->bEmitHRDSEI = e->hrd;
}

static void set_signal(x265_param *param, const struct fake_mfx_encoder *e)
{
    const mfxFrameInfo *f = &e->param.mfx.FrameInfo;
    if (f->AspectRatioW > 0 && f->AspectRatioH > 0) {
        param->vui.aspectRatioIdc = f->AspectRatioW == f->AspectRatioH ? 1 : X265_EXTENDED_SAR;
        param->vui.sarWidth = f->AspectRatioW;
        param->vui.sarHeight = f->AspectRatioH;
    }
    param->vui.bEnableVideoSignalTypePresentFlag = 1;
    param->vui.videoFormat = 5;
    param->vui.bEnableVideoFullRangeFlag = e->signal.VideoFullRange;
    param->vui.bEnableColorDescriptionPresentFlag = e->signal.ColourDescriptionPresent;
    param->vui.colorPrimaries = e->signal.ColourPrimaries;
    param->vui.transferCharacteristics = e->signal.TransferCharacteristics;
    param->vui.matrixCoeffs = e->signal.MatrixCoefficients;
}

static void set_shape(struct fake_x265 *x265, const struct fake_mfx_encoder *e)
{
    const mfxInfoMFX *m = &e->param.mfx;
    x265_param *param = x265->param;
    param->sourceWidth = m->FrameInfo.Width;
    param->sourceHeight = m->FrameInfo.Height;
    param->fpsNum = m->FrameInfo.FrameRateExtN;
    param->fpsDenom = m->FrameInfo.FrameRateExtD;
    fake_x265_set_b_pictures(x265, m->GopRefDist > 1 ? m->GopRefDist - 1 : 0);
    param->bBPyramid = e->pyramid;
    param->bOpenGOP = (m->GopOptFlag & MFX_GOP_CLOSED) == 0;
    param->keyframeMax = m->GopPicSize > 0 ? m->GopPicSize : 250;
    /* x265 takes no level with a constant quantiser, and keeps the level's rate where none is said.
     */
    if (m->CodecLevel > 0 && m->RateControlMethod != MFX_RATECONTROL_CQP &&
        m->RateControlMethod != MFX_RATECONTROL_ICQ) {
        param->levelIdc = m->CodecLevel & 0xff;
        param->bHighTier = (m->CodecLevel & MFX_TIER_HEVC_HIGH) != 0;
    }
}

/* The window that is shown, into an SPS that has none. payload: without emulation prevention. See:
 * ITU-T H.265 7.3.2.2.1. */
static bool write_window(struct fake_bits *sps, const mfxFrameInfo *f, struct fake_writer *out)
{
    (void)fake_get(sps, 8); /* video_parameter_set_id, sub-layers */
    for (int i = 0; i < 12; i++) {
        (void)fake_get(sps, 8); /* profile, tier, level */
    }
    for (int i = 0; i < 4; i++) {
        (void)fake_get_ue(sps); /* id, chroma format, width, height */
    }
    size_t end = sps->size * 8; /* behind the bit that ends the payload */
    while (end > 0 && (sps->data[(end - 1) / 8] >> (7 - (end - 1) % 8) & 1) == 0) {
        end--;
    }
    const size_t at = sps->at;
    if (fake_get(sps, 1) != 0 || sps->bad || end <= at) {
        return false;
    }
    fake_put_bits(out, sps, 0, at);
    fake_put(out, 1, 1);
    fake_put_ue(out, 0);
    fake_put_ue(out, (f->Width - f->CropW) / 2u);
    fake_put_ue(out, 0);
    fake_put_ue(out, (f->Height - f->CropH) / 2u);
    fake_put_bits(out, sps, at + 1, end - at - 1);
    while (out->at % 8 != 0) {
        fake_put(out, 0, 1);
    }
    return !out->bad;
}

/* x265's headers, with the window where there is one. */
static bool keep_headers(struct fake_mfx_encoder *e, const uint8_t *data, size_t size)
{
    const mfxFrameInfo *f = &e->param.mfx.FrameInfo;
    const bool whole = f->Width == f->CropW && f->Height == f->CropH;
    const size_t room = 2 * size + 64;
    const uint8_t *at = data, *nal = NULL;
    size_t length = 0;
    bool good = (e->headers = malloc(room)) != NULL;
    while (good && fake_next_nal(&at, data + size, &nal, &length)) {
        size_t payload = 0;
        uint8_t *plain = length > HEAD ? fake_unescape(nal + HEAD, length - HEAD, &payload) : NULL;
        struct fake_bits from = {.data = plain, .size = payload};
        struct fake_writer to = {.data = calloc(1, room), .room = room};
        bool window = !whole && (nal[0] >> 1 & 63) == SPS;
        good = plain != NULL && to.data != NULL && (!window || write_window(&from, f, &to));
        good =
            good && fake_put_nal(nal, HEAD, window ? to.data : plain, window ? to.at / 8 : payload,
                                 e->headers, room, &e->header_size);
        free(to.data);
        free(plain);
    }
    return good;
}

mfxStatus fake_mfx_open_hevc(struct fake_mfx_encoder *e)
{
    const mfxInfoMFX *m = &e->param.mfx;
    bool deep = m->FrameInfo.FourCC == MFX_FOURCC_P010;
    const uint8_t *headers = NULL;
    size_t size = 0;
    if ((deep && m->CodecProfile == MFX_PROFILE_HEVC_MAIN) || !fake_x265_init(&e->x265, deep)) {
        return MFX_ERR_INVALID_VIDEO_PARAM;
    }
    set_shape(&e->x265, e);
    set_rate(e->x265.param, e);
    set_signal(e->x265.param, e);
    if (!fake_x265_open(&e->x265, deep || m->CodecProfile == MFX_PROFILE_HEVC_MAIN10) ||
        !fake_x265_headers(&e->x265, &headers, &size)) {
        return MFX_ERR_INVALID_VIDEO_PARAM;
    }
    return keep_headers(e, headers, size) ? MFX_ERR_NONE : MFX_ERR_MEMORY_ALLOC;
}
