/* libnvidia-encode.so.1 of the fake drivers: pictures in, bits out. */
#include <stdlib.h>
#include <string.h>

#include "fake_nvenc.h"

void fake_close_codec(struct fake_session *session)
{
    avcodec_free_context(&session->codec);
    fake_x265_fini(&session->x265);
    av_packet_free(&session->headers);
    av_frame_free(&session->frame);
    av_packet_free(&session->packet);
}

/* What the profile forbids; NV_ENC_SUCCESS: nothing. */
static NVENCSTATUS check(struct fake_session *session, const NV_ENC_INITIALIZE_PARAMS *params,
                         bool *deep)
{
    const struct fake_codec *codec = fake_nvenc_codec(session, params->encodeGUID);
    const NV_ENC_CONFIG *config = params->encodeConfig;
    if (codec == NULL || config == NULL || strcmp(codec->name, "av1") == 0) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM,
                                 "no such codec, or no configuration");
    }
    if ((int64_t)params->encodeWidth < codec->min_width ||
        (int64_t)params->encodeHeight < codec->min_height) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM,
                                 "Frame Dimension less than the minimum supported value.");
    }
    if ((int64_t)params->encodeWidth > codec->max_width ||
        (int64_t)params->encodeHeight > codec->max_height || params->encodeWidth % 2 != 0 ||
        params->encodeHeight % 2 != 0 || params->frameRateNum == 0 || params->frameRateDen == 0) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "size or frame rate");
    }
    if (config->frameIntervalP - 1 > codec->bframes) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "%d B pictures at most",
                                 codec->bframes);
    }
    if (params->enableEncodeAsync || !params->enablePTD || params->enableMEOnlyMode) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "way of working");
    }
    *deep = strcmp(codec->name, "hevc") == 0 &&
            config->encodeCodecConfig.hevcConfig.pixelBitDepthMinus8 == 2;
    if (*deep && (codec->depths & FAKE_DEPTH_10) == 0) {
        return fake_session_fail(session, NV_ENC_ERR_UNSUPPORTED_PARAM, "no 10 bits");
    }
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS open_coder(struct fake_session *session, const NV_ENC_INITIALIZE_PARAMS *params,
                              bool deep)
{
    const char *why = NULL;
    session->frame = av_frame_alloc();
    session->packet = av_packet_alloc();
    session->headers = av_packet_alloc();
    if (session->frame == NULL || session->packet == NULL || session->headers == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    const uint8_t *headers = NULL;
    size_t size = 0;
    bool open = false;
    if (session->hevc) {
        open = fake_open_x265(&session->x265, params, deep, &why) &&
               fake_x265_headers(&session->x265, &headers, &size);
    } else {
        session->codec = fake_open_codec(params, &why);
        open = session->codec != NULL;
        headers = open ? session->codec->extradata : NULL;
        size = open ? (size_t)session->codec->extradata_size : 0;
    }
    if (!open) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "%s", why);
    }
    if (av_new_packet(session->headers, (int)size) < 0) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    memcpy(session->headers->data, headers, size);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_initialize(void *handle, NV_ENC_INITIALIZE_PARAMS *params)
{
    NVENCSTATUS rc;
    bool deep = false;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    if (session->ready) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_CALL, "initialized twice");
    }
    rc = fake_nvenc_result(fake_cuda_fault(FAKE_ENCODE_INIT, session->pci, 0));
    if (rc != NV_ENC_SUCCESS) {
        return fake_session_fail(session, rc, "as the profile says");
    }
    rc = check(session, params, &deep);
    if (rc != NV_ENC_SUCCESS) {
        return rc;
    }
    session->hevc = fake_same_guid(params->encodeGUID, NV_ENC_CODEC_HEVC_GUID);
    session->width = params->encodeWidth;
    session->height = params->encodeHeight;
    session->deep = deep;
    rc = open_coder(session, params, deep);
    if (rc != NV_ENC_SUCCESS) {
        fake_close_codec(session);
        return rc;
    }
    session->repeat_headers = session->hevc
                                  ? params->encodeConfig->encodeCodecConfig.hevcConfig.repeatSPSPPS
                                  : params->encodeConfig->encodeCodecConfig.h264Config.repeatSPSPPS;
    session->ready = true;
    return NV_ENC_SUCCESS;
}

static NV_ENC_PIC_TYPE type_of(const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *stats = av_packet_get_side_data(packet, AV_PKT_DATA_QUALITY_STATS, &size);
    if (packet->flags & AV_PKT_FLAG_KEY) {
        return NV_ENC_PIC_TYPE_IDR;
    }
    if (stats == NULL || size < 5) { /* quality (4 bytes), picture type, ... */
        return NV_ENC_PIC_TYPE_P;
    }
    return stats[4] == AV_PICTURE_TYPE_I   ? NV_ENC_PIC_TYPE_I
           : stats[4] == AV_PICTURE_TYPE_B ? NV_ENC_PIC_TYPE_B
                                           : NV_ENC_PIC_TYPE_P;
}

/* Puts a packet into the oldest waiting buffer. */
static NVENCSTATUS fill_output(struct fake_session *session, const AVPacket *packet,
                               NV_ENC_PIC_TYPE type)
{
    const int at = (int)(packet->pts % FAKE_HELD);
    struct fake_output *output = session->queue[0];
    if (session->queued == 0) {
        return fake_session_fail(session, NV_ENC_ERR_GENERIC, "more pictures than buffers");
    }
    session->queued--;
    memmove(session->queue, session->queue + 1,
            (size_t)session->queued * sizeof(session->queue[0]));
    if (output == NULL) { /* destroyed while it waited */
        return NV_ENC_SUCCESS;
    }
    bool headers = session->held[at].headers || packet->pts == 0 ||
                   (session->repeat_headers && type == NV_ENC_PIC_TYPE_IDR);
    size_t before = headers && session->repeat_headers ? (size_t)session->headers->size : 0;
    free(output->data);
    output->size = before + (size_t)packet->size;
    output->data = malloc(output->size);
    if (output->data == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    if (before > 0) {
        memcpy(output->data, session->headers->data, before);
    }
    memcpy(output->data + before, packet->data, (size_t)packet->size);
    if (session->held[at].corrupt) {
        for (size_t i = before + 12; i < output->size; i++) {
            output->data[i] ^= (uint8_t)(i * 37 + 11);
        }
    }
    output->timestamp = session->held[at].timestamp;
    output->duration = session->held[at].duration;
    output->type = type;
    output->frame = (uint32_t)packet->pts;
    output->waiting = false;
    output->filled = true;
    return NV_ENC_SUCCESS;
}

/* All packets of libx264 that there are. */
static NVENCSTATUS receive(struct fake_session *session, int *out_count)
{
    for (;;) {
        int rc = avcodec_receive_packet(session->codec, session->packet);
        if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) {
            return NV_ENC_SUCCESS;
        }
        if (rc < 0) {
            return fake_session_fail(session, NV_ENC_ERR_GENERIC, "the coder failed: %d", rc);
        }
        NVENCSTATUS status = fill_output(session, session->packet, type_of(session->packet));
        av_packet_unref(session->packet);
        if (status != NV_ENC_SUCCESS) {
            return status;
        }
        ++*out_count;
    }
}

/* One picture into libx265 and what comes out; no picture: all that is held back. */
static NVENCSTATUS code_hevc(struct fake_session *session, const AVFrame *frame, int *out_count)
{
    NVENCSTATUS status = NV_ENC_SUCCESS;
    struct fake_x265_coded coded;
    int got = 1;
    for (bool more = true; status == NV_ENC_SUCCESS && more; more = frame == NULL && got > 0) {
        got = fake_x265_code(&session->x265, frame, &coded);
        if (got < 0) {
            return fake_session_fail(session, NV_ENC_ERR_GENERIC, "the coder failed");
        }
        if (got > 0) {
            const AVPacket packet = {.data = (uint8_t *)(uintptr_t)coded.data,
                                     .size = (int)coded.size,
                                     .pts = coded.pts};
            status = fill_output(session, &packet,
                                 coded.type == AV_PICTURE_TYPE_I   ? NV_ENC_PIC_TYPE_IDR
                                 : coded.type == AV_PICTURE_TYPE_B ? NV_ENC_PIC_TYPE_B
                                                                   : NV_ENC_PIC_TYPE_P);
            ++*out_count;
        }
    }
    return status;
}

/* Codes a picture, or at the end (NULL) what is held back. */
static NVENCSTATUS code(struct fake_session *session, const AVFrame *frame, int *out_count)
{
    *out_count = 0;
    if (session->hevc) {
        return code_hevc(session, frame, out_count);
    }
    if (avcodec_send_frame(session->codec, frame) < 0) {
        return fake_session_fail(session, NV_ENC_ERR_GENERIC, "the coder refused a picture");
    }
    return receive(session, out_count);
}

/* Captions that came with the picture: for libx264 the triplets alone, for libx265 the whole
 * message. See: ATSC A/53 part 4, 6.2.3. */
static bool keep_captions(const struct fake_session *session, const NV_ENC_PIC_PARAMS *params)
{
    enum { HEAD = 10, MARK = 3, COUNT = 8 };
    const NV_ENC_PIC_PARAMS_H264 *h264 = &params->codecPicParams.h264PicParams;
    const NV_ENC_PIC_PARAMS_HEVC *hevc = &params->codecPicParams.hevcPicParams;
    const NV_ENC_SEI_PAYLOAD *sei = session->hevc ? hevc->seiPayloadArray : h264->seiPayloadArray;
    uint32_t count = session->hevc ? hevc->seiPayloadArrayCnt : h264->seiPayloadArrayCnt;
    for (uint32_t i = 0; i < count; i++) {
        if (sei[i].payloadType != 4 || sei[i].payloadSize <= HEAD ||
            memcmp(sei[i].payload + MARK, "GA94\3", 5) != 0) {
            continue;
        }
        size_t from = session->hevc ? 0 : HEAD;
        size_t size = session->hevc ? sei[i].payloadSize : 3u * (sei[i].payload[COUNT] & 31u);
        AVFrameSideData *side =
            from + size > sei[i].payloadSize
                ? NULL
                : av_frame_new_side_data(session->frame, AV_FRAME_DATA_A53_CC, size);
        if (side == NULL) {
            return false;
        }
        memcpy(side->data, sei[i].payload + from, size);
    }
    return true;
}

static NVENCSTATUS read_picture(struct fake_session *session, const NV_ENC_PIC_PARAMS *params,
                                enum fake_action action)
{
    AVFrame *frame = session->frame;
    const int at = (int)(session->frames_in % FAKE_HELD);
    av_frame_unref(frame);
    frame->format = session->deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    frame->width = (int)session->width;
    frame->height = (int)session->height;
    if (av_frame_get_buffer(frame, 0) < 0) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    if (!fake_read_input(session, params->inputBuffer, action == FAKE_WRONG)) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "input picture");
    }
    if (!keep_captions(session, params)) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "message with the picture");
    }
    frame->pts = session->frames_in;
    frame->pict_type = params->encodePicFlags & NV_ENC_PIC_FLAG_FORCEIDR ? AV_PICTURE_TYPE_I
                                                                         : AV_PICTURE_TYPE_NONE;
    session->held[at].timestamp = params->inputTimeStamp;
    session->held[at].duration = params->inputDuration;
    session->held[at].corrupt = action == FAKE_CORRUPT;
    session->held[at].headers = (params->encodePicFlags & NV_ENC_PIC_FLAG_OUTPUT_SPSPPS) != 0;
    session->frames_in++;
    return NV_ENC_SUCCESS;
}

static bool is_output(const struct fake_session *session, const void *handle)
{
    const struct fake_output *output = session->outputs;
    while (output != NULL && output != handle) {
        output = output->next;
    }
    return output != NULL;
}

NVENCSTATUS fake_encode(void *handle, NV_ENC_PIC_PARAMS *params)
{
    NVENCSTATUS rc;
    int count = 0;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    if (!session->ready) {
        return fake_session_fail(session, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "not initialized");
    }
    if (params->encodePicFlags & NV_ENC_PIC_FLAG_EOS) {
        if (session->eos) {
            return NV_ENC_SUCCESS;
        }
        session->eos = true;
        return code(session, NULL, &count);
    }
    struct fake_output *output = params->outputBitstream;
    if (session->eos || session->queued == FAKE_HELD || !is_output(session, output) ||
        output->waiting || output->filled) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "bitstream buffer");
    }
    enum fake_action action = fake_cuda_fault(FAKE_ENCODE, session->pci, session->frames_in + 1);
    rc = fake_nvenc_result(action);
    if (rc != NV_ENC_SUCCESS) {
        return fake_session_fail(session, rc, "as the profile says");
    }
    output->waiting = true;
    session->queue[session->queued++] = output;
    rc = read_picture(session, params, action);
    if (rc == NV_ENC_SUCCESS) {
        rc = code(session, session->frame, &count);
    }
    if (rc != NV_ENC_SUCCESS) {
        return rc;
    }
    return count > 0 ? NV_ENC_SUCCESS : NV_ENC_ERR_NEED_MORE_INPUT;
}

NVENCSTATUS fake_lock_output(void *handle, NV_ENC_LOCK_BITSTREAM *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    struct fake_output *output = params->outputBitstream;
    if (!is_output(session, output)) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "lock of no bitstream buffer");
    }
    if (!output->filled) {
        return fake_session_fail(session, NV_ENC_ERR_LOCK_BUSY, "its picture waits for more input");
    }
    rc = fake_nvenc_result(fake_cuda_fault(FAKE_LOCK, session->pci, session->locked + 1));
    if (rc != NV_ENC_SUCCESS) {
        return fake_session_fail(session, rc, "as the profile says");
    }
    session->locked++;
    params->bitstreamBufferPtr = output->data;
    params->bitstreamSizeInBytes = (uint32_t)output->size;
    params->outputTimeStamp = output->timestamp;
    params->outputDuration = output->duration;
    params->pictureType = output->type;
    params->pictureStruct = NV_ENC_PIC_STRUCT_FRAME;
    params->frameIdx = output->frame;
    params->frameAvgQP = 20;
    params->numSlices = 1;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_unlock_output(void *handle, NV_ENC_OUTPUT_PTR handle_of_output)
{
    struct fake_session *session = handle;
    struct fake_output *output = handle_of_output;
    if (!is_output(session, output) || !output->filled) {
        return NV_ENC_ERR_INVALID_PARAM;
    }
    output->filled = false;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_headers(void *handle, NV_ENC_SEQUENCE_PARAM_PAYLOAD *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    if (!session->ready || params->spsppsBuffer == NULL || params->outSPSPPSPayloadSize == NULL ||
        params->inBufferSize < (uint32_t)session->headers->size) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "room for headers");
    }
    memcpy(params->spsppsBuffer, session->headers->data, (size_t)session->headers->size);
    *params->outSPSPPSPayloadSize = (uint32_t)session->headers->size;
    return NV_ENC_SUCCESS;
}
