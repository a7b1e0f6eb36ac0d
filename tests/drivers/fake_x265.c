/* See fake_x265.h. */
#include "fake_x265.h"

#include <string.h>

bool fake_x265_init(struct fake_x265 *x, bool deep)
{
    *x = (struct fake_x265){.api = x265_api_get(deep ? 10 : 8), .deep = deep};
    if (x->api == NULL) {
        return false;
    }
    x265_param *param = x->param = x->api->param_alloc();
    x->in = x->api->picture_alloc();
    x->out = x->api->picture_alloc();
    if (param == NULL || x->in == NULL || x->out == NULL ||
        x->api->param_default_preset(param, "ultrafast", NULL) < 0 ||
        x->api->param_parse(param, "pools", "none") < 0) {
        return false;
    }
    param->logLevel = X265_LOG_ERROR;
    param->bEmitInfoSEI = 0;
    param->bRepeatHeaders = 0;
    param->bAnnexB = 1;
    param->frameNumThreads = 1;
    param->bEnableWavefront = 0;
    param->lookaheadThreads = 0;
    param->lookaheadSlices = 0;
    param->scenecutThreshold = 0;
    param->bOpenGOP = 0;
    param->bFrameAdaptive = 0;
    param->keyframeMax = -1;
    param->keyframeMin = 1;
    param->rc.cuTree = 0;
    fake_x265_set_b_pictures(x, 0);
    return true;
}

void fake_x265_set_b_pictures(struct fake_x265 *x, int count)
{
    x->param->bframes = count;
    x->param->lookaheadDepth = count > 0 ? count + 1 : 0; /* 0: each picture comes out at once */
}

bool fake_x265_open(struct fake_x265 *x, bool main10)
{
    if (x->api->param_apply_profile(x->param, main10 ? "main10" : "main") == 0) {
        x->encoder = x->api->encoder_open(x->param);
    }
    return x->encoder != NULL;
}

void fake_x265_fini(struct fake_x265 *x)
{
    if (x->encoder != NULL) {
        x->api->encoder_close(x->encoder);
    }
    if (x->in != NULL) {
        x->api->picture_free(x->in);
    }
    if (x->out != NULL) {
        x->api->picture_free(x->out);
    }
    if (x->param != NULL) {
        x->api->param_free(x->param);
    }
    *x = (struct fake_x265){0};
}

/* NAL units lie one behind the other. */
static size_t size_of(const x265_nal *nal, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += nal[i].sizeBytes;
    }
    return size;
}

bool fake_x265_headers(struct fake_x265 *x, const uint8_t **out, size_t *out_size)
{
    x265_nal *nal = NULL;
    uint32_t count = 0;
    if (x->api->encoder_headers(x->encoder, &nal, &count) < 0 || count == 0) {
        return false;
    }
    *out = nal[0].payload;
    *out_size = size_of(nal, count);
    return true;
}

int fake_x265_code(struct fake_x265 *x, const AVFrame *frame, struct fake_x265_coded *out)
{
    x265_nal *nal = NULL;
    uint32_t count = 0;
    x265_sei_payload message;
    x265_picture *in = x->in;
    x->api->picture_init(x->param, in);
    for (int i = 0; frame != NULL && i < 3; i++) {
        in->planes[i] = frame->data[i];
        in->stride[i] = frame->linesize[i];
    }
    const AVFrameSideData *side =
        frame != NULL ? av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC) : NULL;
    if (side != NULL) { /* x265 copies it */
        message = (x265_sei_payload){(int)side->size, USER_DATA_REGISTERED_ITU_T_T35, side->data};
        in->userSEI = (x265_sei){.numPayloads = 1, .payloads = &message};
    }
    if (frame != NULL) {
        in->pts = frame->pts;
        in->bitDepth = x->deep ? 10 : 8;
        in->sliceType = frame->pict_type == AV_PICTURE_TYPE_I   ? X265_TYPE_IDR
                        : frame->pict_type == AV_PICTURE_TYPE_P ? X265_TYPE_P
                                                                : X265_TYPE_AUTO;
    }
    int got = x->api->encoder_encode(x->encoder, &nal, &count, frame != NULL ? in : NULL, x->out);
    in->userSEI.numPayloads = 0; /* not its own */
    in->userSEI.payloads = NULL;
    if (got <= 0 || count == 0) {
        return got < 0 ? -1 : 0;
    }
    *out =
        (struct fake_x265_coded){.data = nal[0].payload,
                                 .size = size_of(nal, count),
                                 .pts = x->out->pts,
                                 .dts = x->out->dts,
                                 .type = IS_X265_TYPE_I(x->out->sliceType)   ? AV_PICTURE_TYPE_I
                                         : IS_X265_TYPE_B(x->out->sliceType) ? AV_PICTURE_TYPE_B
                                                                             : AV_PICTURE_TYPE_P};
    return 1;
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

void fake_x265_unpack(AVFrame *frame, const uint8_t *luma, const uint8_t *chroma, int pitch,
                      int columns, int rows, bool spoil)
{
    const int bytes = frame->format == AV_PIX_FMT_YUV420P10 ? 2 : 1;
    for (int plane = 0; plane < 3; plane++) {
        const int shift = plane > 0 ? 1 : 0, step = (plane > 0 ? 2 : 1) * bytes;
        const int last_row = (rows >> shift) - 1, last_column = (columns >> shift) - 1;
        const uint8_t *from = (plane > 0 ? chroma : luma) + (plane == 2 ? bytes : 0);
        for (int y = 0; y < frame->height >> shift; y++) {
            const uint8_t *row = from + (ptrdiff_t)(y < last_row ? y : last_row) * pitch;
            uint8_t *to = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
            for (int x = 0; x < frame->width >> shift; x++, to += bytes) {
                copy_sample(to, row + (ptrdiff_t)(x < last_column ? x : last_column) * step, bytes,
                            spoil);
            }
        }
    }
}
