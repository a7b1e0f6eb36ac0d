/* fake_drv_video.so: libx265 as the application's sequence and rate control have it, itself and not
 * by libavcodec, which holds a lock while it opens an encoder.
 *
 * Pictures that are referred to go through one coder in the order they come, each referring to the
 * one before; pictures between them through another that makes IDR pictures alone. Where there are
 * both, each has half of the rate and the buffer: together they keep what was asked for. */
#include "fake_va_hevc.h"

#include <stdlib.h>
#include <string.h>

#include <x265.h>

void fake_va_hevc_close_coder(struct fake_va_hevc_coder *coder)
{
    if (coder->encoder != NULL) {
        coder->api->encoder_close(coder->encoder);
    }
    if (coder->picture != NULL) {
        coder->api->picture_free(coder->picture);
    }
    if (coder->param != NULL) {
        coder->api->param_free(coder->param);
    }
    free(coder->planes);
    free(coder->headers);
    *coder = (struct fake_va_hevc_coder){0};
}

static void set_rate(x265_param *param, const struct fake_va_context *context, bool both)
{
    const VAEncMiscParameterRateControl *rate = &context->rate;
    const uint32_t mode = context->config.rate;
    const unsigned parts = both ? 2000 : 1000; /* of a thousand bits */
    const unsigned top = rate->bits_per_second;
    const unsigned buffer = context->hrd.buffer_size > 0 ? context->hrd.buffer_size : top;
    if (mode == VA_RC_CQP) {
        param->rc.rateControlMode = X265_RC_CQP;
        param->rc.qp = context->hevc->picture.pic_init_qp + context->hevc->slice.slice_qp_delta;
        return;
    }
    if (mode == VA_RC_ICQ || mode == VA_RC_QVBR) {
        param->rc.rateControlMode = X265_RC_CRF;
        param->rc.rfConstant = mode == VA_RC_ICQ ? rate->ICQ_quality_factor : rate->quality_factor;
    } else {
        const unsigned share =
            mode == VA_RC_CBR || rate->target_percentage == 0 ? 100 : rate->target_percentage;
        param->rc.rateControlMode = X265_RC_ABR;
        param->rc.bitrate = (int)((uint64_t)top * share / 100 / parts);
    }
    if (mode != VA_RC_ICQ && top > 0) {
        param->rc.vbvMaxBitrate = (int)(top / parts);
        param->rc.vbvBufferSize = (int)(buffer / parts);
        if (context->hrd.initial_buffer_fullness > 0) {
            param->rc.vbvBufferInit = (double)context->hrd.initial_buffer_fullness / buffer;
        }
    }
}

/* What the application's parameter sets say of blocks; fake_va_hevc_join compares. */
static void set_blocks(x265_param *param, const struct fake_va_hevc *hevc)
{
    const VAEncSequenceParameterBufferHEVC *s = &hevc->sequence;
    const VAEncPictureParameterBufferHEVC *p = &hevc->picture;
    const unsigned min = 8u << s->log2_min_luma_coding_block_size_minus3;
    param->minCUSize = min;
    param->maxCUSize = min << s->log2_diff_max_min_luma_coding_block_size;
    param->maxTUSize =
        4u << (s->log2_min_transform_block_size_minus2 + s->log2_diff_max_min_transform_block_size);
    param->tuQTMaxInterDepth = s->max_transform_hierarchy_depth_inter + 1u;
    param->tuQTMaxIntraDepth = s->max_transform_hierarchy_depth_intra + 1u;
    param->bEnableRectInter = param->bEnableAMP = (int)s->seq_fields.bits.amp_enabled_flag;
    param->bEnableStrongIntraSmoothing = 0;
    param->bEnableSAO = 0;
    param->bEnableTemporalMvp = 0;
    param->bEnableSignHiding = 0;
    param->bEnableTransformSkip = 0;
    param->bEnableConstrainedIntra = 0;
    param->bEnableWeightedPred = param->bEnableWeightedBiPred = 0;
    param->bEnableLoopFilter = 1;
    param->deblockingFilterBetaOffset = param->deblockingFilterTCOffset = 0;
    param->rc.aqMode =
        p->pic_fields.bits.cu_qp_delta_enabled_flag ? X265_AQ_VARIANCE : X265_AQ_NONE;
    param->rc.aqStrength = 1; /* the preset's 0 turns it off */
    param->rc.qgSize = param->maxCUSize >> p->diff_cu_qp_delta_depth;
}

static void set_order(x265_param *param)
{
    param->logLevel = X265_LOG_NONE;
    param->bEmitInfoSEI = 0;
    param->bRepeatHeaders = 0;
    param->bAnnexB = 1;
    param->frameNumThreads = 1;
    param->bEnableWavefront = 0;
    param->lookaheadThreads = 0;
    param->lookaheadSlices = 0;
    param->lookaheadDepth = 0; /* with no B pictures: each picture comes out at once */
    param->bframes = 0;
    param->bFrameAdaptive = 0;
    param->scenecutThreshold = 0;
    param->bOpenGOP = 0;
    param->keyframeMax = -1;
    param->keyframeMin = 1;
    param->maxNumReferences = 1;
    param->rc.cuTree = 0;
    param->rc.ipFactor = param->rc.pbFactor = 1;
}

static bool keep_headers(struct fake_va_hevc_coder *coder)
{
    x265_nal *nal = NULL;
    uint32_t count = 0;
    if (coder->api->encoder_headers(coder->encoder, &nal, &count) < 0) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *more = realloc(coder->headers, coder->header_size + nal[i].sizeBytes);
        if (more == NULL) {
            return false;
        }
        coder->headers = more;
        memcpy(more + coder->header_size, nal[i].payload, nal[i].sizeBytes);
        coder->header_size += nal[i].sizeBytes;
    }
    return fake_va_hevc_read_sets(coder->headers, coder->header_size, &coder->sets);
}

static VAStatus open_coder(const struct fake_va_context *context, struct fake_va_hevc_coder *coder,
                           int bytes)
{
    const struct fake_va_hevc *hevc = context->hevc;
    const int period = (int)hevc->sequence.ip_period;
    const size_t luma = (size_t)hevc->sequence.pic_width_in_luma_samples *
                        hevc->sequence.pic_height_in_luma_samples;
    coder->api = x265_api_get(bytes == 2 ? 10 : 8);
    coder->param = coder->api == NULL ? NULL : coder->api->param_alloc();
    coder->picture = coder->api == NULL ? NULL : coder->api->picture_alloc();
    coder->planes = malloc(luma * 3 / 2 * (size_t)bytes + 1);
    if (coder->param == NULL || coder->picture == NULL || coder->planes == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    x265_param *param = coder->param;
    if (coder->api->param_default_preset(param, "ultrafast", NULL) < 0 ||
        coder->api->param_parse(param, "pools", "none") < 0) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    AVRational rate = fake_va_coder_rate(context, period, coder == &hevc->between);
    param->sourceWidth = hevc->sequence.pic_width_in_luma_samples;
    param->sourceHeight = hevc->sequence.pic_height_in_luma_samples;
    param->fpsNum = (uint32_t)rate.num;
    param->fpsDenom = (uint32_t)rate.den;
    set_order(param);
    set_blocks(param, hevc);
    set_rate(param, context, period > 1);
    if (coder->api->param_apply_profile(param, bytes == 2 ? "main10" : "main") == 0) {
        coder->encoder = coder->api->encoder_open(param);
    }
    return coder->encoder != NULL && keep_headers(coder) ? VA_STATUS_SUCCESS
                                                         : VA_STATUS_ERROR_INVALID_PARAMETER;
}

static void copy_sample(uint8_t *to, const uint8_t *from, int bytes, bool spoil)
{
    if (bytes == 1) {
        *to = spoil ? (uint8_t)(255 - *from) : *from;
        return;
    }
    unsigned value = (unsigned)(from[0] | from[1] << 8) >> 6; /* P010: in the upper bits */
    value = spoil ? 1023 - value : value;
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

/* The surface's samples, chroma in planes of its own; beyond its edge the last ones again. */
static void fill(struct fake_va_hevc_coder *coder, const struct fake_va_surface *surface,
                 bool spoil)
{
    const int width = coder->param->sourceWidth, height = coder->param->sourceHeight;
    const int bytes = surface->bytes, have = surface->pitch / bytes;
    uint8_t *at = coder->planes;
    for (int plane = 0; plane < 3; plane++) {
        const int shift = plane > 0 ? 1 : 0, step = plane > 0 ? 2 : 1;
        const uint8_t *from = surface->data +
                              (plane == 0 ? 0 : (ptrdiff_t)surface->pitch * surface->rows) +
                              (plane == 2 ? bytes : 0);
        coder->picture->planes[plane] = at;
        coder->picture->stride[plane] = (width >> shift) * bytes;
        for (int y = 0; y < height >> shift; y++) {
            const int row = y < surface->rows >> shift ? y : (surface->rows >> shift) - 1;
            for (int x = 0; x < width >> shift; x++, at += bytes) {
                const int column = x < have >> shift ? x : (have >> shift) - 1;
                copy_sample(
                    at, from + (ptrdiff_t)row * surface->pitch + (ptrdiff_t)column * step * bytes,
                    bytes, spoil);
            }
        }
    }
}

VAStatus fake_va_hevc_picture(struct fake_va_context *context, struct fake_va_hevc_coder *coder,
                              bool intra, const struct fake_va_surface *surface, bool spoil,
                              const uint8_t **out, size_t *out_size)
{
    VAStatus status =
        coder->encoder == NULL ? open_coder(context, coder, surface->bytes) : VA_STATUS_SUCCESS;
    if (status != VA_STATUS_SUCCESS) {
        fake_va_hevc_close_coder(coder);
        return status;
    }
    x265_nal *nal = NULL;
    uint32_t count = 0;
    coder->api->picture_init(coder->param, coder->picture);
    fill(coder, surface, spoil);
    coder->picture->pts = coder->count++;
    coder->picture->bitDepth = surface->bytes == 2 ? 10 : 8;
    coder->picture->sliceType = intra ? X265_TYPE_IDR : X265_TYPE_P;
    if (coder->api->encoder_encode(coder->encoder, &nal, &count, coder->picture, NULL) <= 0 ||
        count == 0) {
        return VA_STATUS_ERROR_ENCODING_ERROR;
    }
    *out = nal[0].payload; /* one lies behind the other */
    *out_size = 0;
    for (uint32_t i = 0; i < count; i++) {
        *out_size += nal[i].sizeBytes;
    }
    return VA_STATUS_SUCCESS;
}
