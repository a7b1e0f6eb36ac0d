/* fake_drv_video.so: libx265 as the application's sequence and rate control have it.
 *
 * Pictures that are referred to go through one coder in the order they come, each referring to the
 * one before; pictures between them through another that makes IDR pictures alone. Where there are
 * both, each has half of the rate and the buffer: together they keep what was asked for. */
#include "fake_va_hevc.h"

#include <stdlib.h>
#include <string.h>

void fake_va_hevc_close_coder(struct fake_va_hevc_coder *coder)
{
    fake_x265_fini(&coder->x265);
    av_frame_free(&coder->frame);
    free(coder->headers);
    *coder = (struct fake_va_hevc_coder){.count = 0};
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

static bool keep_headers(struct fake_va_hevc_coder *coder)
{
    const uint8_t *headers = NULL;
    if (!fake_x265_headers(&coder->x265, &headers, &coder->header_size) ||
        (coder->headers = malloc(coder->header_size)) == NULL) {
        return false;
    }
    memcpy(coder->headers, headers, coder->header_size);
    return fake_va_hevc_read_sets(coder->headers, coder->header_size, &coder->sets);
}

static VAStatus open_coder(const struct fake_va_context *context, struct fake_va_hevc_coder *coder,
                           int bytes)
{
    const struct fake_va_hevc *hevc = context->hevc;
    const int period = (int)hevc->sequence.ip_period;
    if (!fake_x265_init(&coder->x265, bytes == 2) || (coder->frame = av_frame_alloc()) == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    x265_param *param = coder->x265.param;
    AVRational rate = fake_va_coder_rate(context, period, coder == &hevc->between);
    coder->frame->format = bytes == 2 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    coder->frame->width = param->sourceWidth = hevc->sequence.pic_width_in_luma_samples;
    coder->frame->height = param->sourceHeight = hevc->sequence.pic_height_in_luma_samples;
    if (av_frame_get_buffer(coder->frame, 0) < 0) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    param->fpsNum = (uint32_t)rate.num;
    param->fpsDenom = (uint32_t)rate.den;
    param->logLevel = X265_LOG_NONE;
    param->maxNumReferences = 1;
    param->rc.ipFactor = param->rc.pbFactor = 1;
    set_blocks(param, hevc);
    set_rate(param, context, period > 1);
    return fake_x265_open(&coder->x265, bytes == 2) && keep_headers(coder)
               ? VA_STATUS_SUCCESS
               : VA_STATUS_ERROR_INVALID_PARAMETER;
}

VAStatus fake_va_hevc_picture(struct fake_va_context *context, struct fake_va_hevc_coder *coder,
                              bool intra, const struct fake_va_surface *surface, bool spoil,
                              const uint8_t **out, size_t *out_size)
{
    VAStatus status = coder->x265.encoder == NULL ? open_coder(context, coder, surface->bytes)
                                                  : VA_STATUS_SUCCESS;
    if (status != VA_STATUS_SUCCESS) {
        fake_va_hevc_close_coder(coder);
        return status;
    }
    struct fake_x265_coded coded;
    fake_x265_unpack(coder->frame, surface->data,
                     surface->data + (ptrdiff_t)surface->pitch * surface->rows, surface->pitch,
                     surface->pitch / surface->bytes, surface->rows, spoil);
    coder->frame->pts = coder->count++;
    coder->frame->pict_type = intra ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_P;
    if (fake_x265_code(&coder->x265, coder->frame, &coded) <= 0) {
        return VA_STATUS_ERROR_ENCODING_ERROR;
    }
    *out = coded.data;
    *out_size = coded.size;
    return VA_STATUS_SUCCESS;
}
