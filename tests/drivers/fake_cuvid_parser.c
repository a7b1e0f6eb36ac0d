/* libnvcuvid.so.1 of the fake drivers: the parser. libavcodec decodes here already; a picture goes
 * to the decoder by way of the client's callbacks, in display order, its bits being a note where it
 * is. */
#include <stdlib.h>
#include <string.h>

#include "fake_cuvid.h"

EXPORT tcuvidCreateVideoParser cuvidCreateVideoParser;
EXPORT tcuvidParseVideoData cuvidParseVideoData;
EXPORT tcuvidDestroyVideoParser cuvidDestroyVideoParser;

struct parser {
    CUVIDPARSERPARAMS params;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int width, height, format; /* that the client was told of; 0: none yet */
    unsigned next_picture;
    int64_t shown;
};

static void free_parser(struct parser *parser)
{
    avcodec_free_context(&parser->codec);
    av_frame_free(&parser->frame);
    av_packet_free(&parser->packet);
    free(parser);
}

static bool open_codec(struct parser *parser)
{
    const char *name = fake_cuvid_name(parser->params.CodecType);
    const AVCodecDescriptor *known = name == NULL ? NULL : avcodec_descriptor_get_by_name(name);
    const AVCodec *decoder = known == NULL ? NULL : avcodec_find_decoder(known->id);
    const CUVIDEOFORMATEX *more = parser->params.pExtVideoInfo;
    if (decoder == NULL) {
        return false;
    }
    parser->codec = avcodec_alloc_context3(decoder);
    parser->frame = av_frame_alloc();
    parser->packet = av_packet_alloc();
    if (parser->codec == NULL || parser->frame == NULL || parser->packet == NULL) {
        return false;
    }
    unsigned size = more == NULL ? 0 : more->format.seqhdr_data_length;
    if (size > 0 && size <= sizeof(more->raw_seqhdr_data)) {
        parser->codec->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (parser->codec->extradata == NULL) {
            return false;
        }
        memcpy(parser->codec->extradata, more->raw_seqhdr_data, size);
        parser->codec->extradata_size = (int)size;
    }
    parser->codec->thread_count = 1;
    parser->codec->log_level_offset = 16;
    return avcodec_open2(parser->codec, decoder, NULL) == 0;
}

CUresult cuvidCreateVideoParser(CUvideoparser *out, CUVIDPARSERPARAMS *params)
{
    if (out == NULL || params == NULL || params->ulMaxNumDecodeSurfaces == 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    struct parser *parser = calloc(1, sizeof(*parser));
    if (parser == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    parser->params = *params;
    if (!open_codec(parser)) {
        free_parser(parser);
        return FAKE_CU_NOT_SUPPORTED;
    }
    parser->params.pExtVideoInfo = NULL; /* the client's, for this call */
    *out = (CUvideoparser)parser;
    return CUDA_SUCCESS;
}

CUresult cuvidDestroyVideoParser(CUvideoparser handle)
{
    if (handle == NULL) {
        return FAKE_CU_INVALID_HANDLE;
    }
    free_parser((struct parser *)handle);
    return CUDA_SUCCESS;
}

/* Tells the client of a new size or format; false when it does not want to go on. */
static bool tell_format(struct parser *parser)
{
    const AVFrame *frame = parser->frame;
    unsigned depth = fake_cuvid_depth(frame->format);
    if (parser->width == frame->width && parser->height == frame->height &&
        parser->format == frame->format) {
        return true;
    }
    if (depth == 0) {
        return false;
    }
    CUVIDEOFORMAT format = {.codec = parser->params.CodecType,
                            .frame_rate = {(unsigned)parser->codec->framerate.num,
                                           (unsigned)parser->codec->framerate.den},
                            .progressive_sequence = !frame->interlaced_frame,
                            .bit_depth_luma_minus8 = (unsigned char)(depth - 8),
                            .bit_depth_chroma_minus8 = (unsigned char)(depth - 8),
                            .min_num_decode_surfaces = 8,
                            .coded_width = (unsigned)(frame->width + 15) / 16 * 16,
                            .coded_height = (unsigned)(frame->height + 15) / 16 * 16,
                            .display_area = {0, 0, frame->width, frame->height},
                            .chroma_format = cudaVideoChromaFormat_420};
    AVRational sar = frame->sample_aspect_ratio;
    if (sar.num <= 0 || sar.den <= 0) {
        sar = (AVRational){1, 1};
    }
    av_reduce(&format.display_aspect_ratio.x, &format.display_aspect_ratio.y,
              (int64_t)frame->width * sar.num, (int64_t)frame->height * sar.den, 1 << 16);
    format.video_signal_description.video_format = 5;
    format.video_signal_description.video_full_range_flag = frame->color_range == AVCOL_RANGE_JPEG;
    format.video_signal_description.color_primaries = (unsigned char)frame->color_primaries;
    format.video_signal_description.transfer_characteristics = (unsigned char)frame->color_trc;
    format.video_signal_description.matrix_coefficients = (unsigned char)frame->colorspace;
    int surfaces = parser->params.pfnSequenceCallback(parser->params.pUserData, &format);
    if (surfaces <= 0) {
        return false;
    }
    if (surfaces > 1) {
        parser->params.ulMaxNumDecodeSurfaces = (unsigned)surfaces;
    }
    parser->width = frame->width;
    parser->height = frame->height;
    parser->format = frame->format;
    return true;
}

/* One decoded picture, through the client to the decoder and to be shown. */
static bool hand_on(struct parser *parser)
{
    struct fake_note note = {.magic = FAKE_NOTE_MAGIC, .frame = parser->frame};
    const AVFrame *frame = parser->frame;
    if (!tell_format(parser)) {
        return false;
    }
    int index = (int)(parser->next_picture++ % parser->params.ulMaxNumDecodeSurfaces);
    CUVIDPICPARAMS picture = {.PicWidthInMbs = (frame->width + 15) / 16,
                              .FrameHeightInMbs = (frame->height + 15) / 16,
                              .CurrPicIdx = index,
                              .nBitstreamDataLen = sizeof(note),
                              .pBitstreamData = (const unsigned char *)&note,
                              .ref_pic_flag = 1,
                              .intra_pic_flag = frame->key_frame};
    CUVIDPARSERDISPINFO show = {.picture_index = index,
                                .progressive_frame = !frame->interlaced_frame,
                                .top_field_first = frame->top_field_first,
                                .repeat_first_field = frame->repeat_pict,
                                .timestamp = frame->pts};
    if (parser->params.pfnDecodePicture(parser->params.pUserData, &picture) <= 0) {
        return false;
    }
    enum fake_action action =
        fake_cuda_fault(FAKE_SHOW, fake_cuvid_context()->pci, ++parser->shown);
    parser->next_picture -= action == FAKE_BUSY ? 1 : 0; /* its surface is the next one's */
    bool hidden = action != FAKE_OK && action != FAKE_BUSY;
    return hidden || parser->params.pfnDisplayPicture(parser->params.pUserData, &show) > 0;
}

static CUresult hand_on_all(struct parser *parser)
{
    while (avcodec_receive_frame(parser->codec, parser->frame) == 0) {
        bool good = hand_on(parser);
        av_frame_unref(parser->frame);
        if (!good) {
            return CUDA_ERROR_UNKNOWN;
        }
    }
    return CUDA_SUCCESS; /* no more for now, the end, or bits that are skipped, as a driver does */
}

CUresult cuvidParseVideoData(CUvideoparser handle, CUVIDSOURCEDATAPACKET *data)
{
    struct parser *parser = (struct parser *)handle;
    if (parser == NULL || data == NULL || data->payload_size > INT32_MAX) {
        return FAKE_CU_INVALID_VALUE;
    }
    if (data->payload != NULL && data->payload_size > 0) {
        if (av_new_packet(parser->packet, (int)data->payload_size) < 0) {
            return FAKE_CU_OUT_OF_MEMORY;
        }
        memcpy(parser->packet->data, data->payload, data->payload_size);
        parser->packet->pts = data->flags & CUVID_PKT_TIMESTAMP ? data->timestamp : AV_NOPTS_VALUE;
        (void)avcodec_send_packet(parser->codec,
                                  parser->packet); /* damage shows in what is missing */
        av_packet_unref(parser->packet);
        CUresult rc = hand_on_all(parser);
        if (rc != CUDA_SUCCESS) {
            return rc;
        }
    }
    if (data->flags & CUVID_PKT_ENDOFSTREAM) {
        (void)avcodec_send_packet(parser->codec, NULL);
        CUresult rc = hand_on_all(parser);
        avcodec_flush_buffers(parser->codec);
        if (rc == CUDA_SUCCESS && data->flags & CUVID_PKT_NOTIFY_EOS) {
            (void)parser->params.pfnDisplayPicture(parser->params.pUserData, NULL);
        }
        return rc;
    }
    return CUDA_SUCCESS;
}
