/* fake_drv_video.so: the entry point VLD of H.264, HEVC, VP9 and AV1, 4:2:0 in 8 bits, all but the
 * first in 10 too. See fake_va_decode.h.
 *
 * The application orders pictures: what libavcodec gives out is thrown away, and the picture that
 * it decoded into is taken, which is whole when a packet has gone in. One picture after the other
 * through one decoder has the same references as the application means, since both follow the
 * headers of slices and frames.
 *
 * Damage that libavcodec finds makes vaSyncSurface of that picture say so. */
#include "fake_va_decode.h"

#include <stdlib.h>
#include <string.h>

#include <va/va_dec_vp9.h>

#include "fake_va_bits.h"

/* A frame of VP9 brings all of its headers along. */
static VAStatus make_vp9(struct fake_va_decode *d)
{
    return fake_va_decode_append(&d->made, d->data.data, d->data.size)
               ? VA_STATUS_SUCCESS
               : VA_STATUS_ERROR_ALLOCATION_FAILED;
}

static const struct fake_va_decode_kind VP9 = {.name = "vp9",
                                               .picture_size =
                                                   sizeof(VADecPictureParameterBufferVP9),
                                               .slice_size = sizeof(VASliceParameterBufferVP9),
                                               .make = make_vp9};

static const struct {
    VAProfile profile;
    unsigned depth;
    const struct fake_va_decode_kind *kind;
} PROFILES[] = {{VAProfileH264ConstrainedBaseline, FAKE_DEPTH_8, &fake_va_decode_h264},
                {VAProfileH264Main, FAKE_DEPTH_8, &fake_va_decode_h264},
                {VAProfileH264High, FAKE_DEPTH_8, &fake_va_decode_h264},
                {VAProfileHEVCMain, FAKE_DEPTH_8, &fake_va_decode_hevc},
                {VAProfileHEVCMain10, FAKE_DEPTH_10, &fake_va_decode_hevc},
                {VAProfileVP9Profile0, FAKE_DEPTH_8, &VP9},
                {VAProfileVP9Profile2, FAKE_DEPTH_10, &VP9},
                {VAProfileAV1Profile0, FAKE_DEPTH_8 | FAKE_DEPTH_10, &fake_va_decode_av1}};
#define PROFILE_COUNT (sizeof(PROFILES) / sizeof(PROFILES[0]))

const struct fake_codec *fake_va_decoder_of(const struct fake_va *va, VAProfile profile)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    for (size_t i = 0; gpu != NULL && i < PROFILE_COUNT; i++) {
        const struct fake_codec *codec = fake_codec_find(&gpu->decode, PROFILES[i].kind->name);
        if (PROFILES[i].profile == profile && codec != NULL &&
            (codec->depths & PROFILES[i].depth) != 0) {
            return codec;
        }
    }
    return NULL;
}

uint32_t fake_va_decode_attribute(const struct fake_codec *codec, VAProfile profile,
                                  VAConfigAttribType type)
{
    switch (type) {
    case VAConfigAttribRTFormat:
        if (profile == VAProfileAV1Profile0) {
            return ((codec->depths & FAKE_DEPTH_8) != 0 ? VA_RT_FORMAT_YUV420 : 0) |
                   ((codec->depths & FAKE_DEPTH_10) != 0 ? VA_RT_FORMAT_YUV420_10 : 0);
        }
        return fake_va_is_deep(profile) ? VA_RT_FORMAT_YUV420_10 : VA_RT_FORMAT_YUV420;
    case VAConfigAttribDecSliceMode:
        return VA_DEC_SLICE_MODE_NORMAL;
    case VAConfigAttribMaxPictureWidth:
        return (uint32_t)codec->max_width;
    case VAConfigAttribMaxPictureHeight:
        return (uint32_t)codec->max_height;
    default:
        return VA_ATTRIB_NOT_SUPPORTED;
    }
}

void fake_va_decode_close(struct fake_va_decode *d)
{
    if (d != NULL) {
        avcodec_free_context(&d->codec);
        fake_va_av1_close(d->av1);
        av_packet_free(&d->packet);
        av_frame_free(&d->current);
        av_frame_free(&d->shown);
        free(d->picture);
        free(d->slices);
        free(d->data.data);
        free(d->made.data);
        free(d);
    }
}

static int get_buffer(AVCodecContext *codec, AVFrame *frame, int flags)
{
    struct fake_va_decode *d = codec->opaque;
    int rc = avcodec_default_get_buffer2(codec, frame, flags);
    if (rc >= 0 && !(d->kind->first_picture && d->current->data[0] != NULL)) {
        av_frame_unref(d->current);
        rc = av_frame_ref(d->current, frame);
    }
    return rc;
}

static bool open_codec(struct fake_va_decode *d)
{
    const AVCodec *codec =
        avcodec_find_decoder_by_name(d->kind->decoder != NULL ? d->kind->decoder : d->kind->name);
    d->codec = codec == NULL ? NULL : avcodec_alloc_context3(codec);
    if (d->codec == NULL) {
        return false;
    }
    d->codec->opaque = d;
    d->codec->thread_count = 1;
    d->codec->get_buffer2 = get_buffer;
    d->codec->err_recognition = AV_EF_EXPLODE;
    d->codec->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_OUTPUT_CORRUPT;
    return avcodec_open2(d->codec, codec, NULL) >= 0;
}

struct fake_va_decode *fake_va_decode_open(VAProfile profile)
{
    struct fake_va_decode *d = calloc(1, sizeof(*d));
    for (size_t i = 0; d != NULL && i < PROFILE_COUNT; i++) {
        d->kind = PROFILES[i].profile == profile ? PROFILES[i].kind : d->kind;
    }
    if (d == NULL || d->kind == NULL) {
        free(d);
        return NULL;
    }
    d->packet = av_packet_alloc();
    d->current = av_frame_alloc();
    d->shown = av_frame_alloc();
    d->picture = calloc(1, d->kind->picture_size);
    d->slices = calloc(FAKE_VA_SLICES, d->kind->slice_size);
    d->av1 = d->kind == &fake_va_decode_av1 ? fake_va_av1_open() : NULL;
    if (d->packet == NULL || d->current == NULL || d->shown == NULL || d->picture == NULL ||
        d->slices == NULL || (d->kind == &fake_va_decode_av1 && d->av1 == NULL) || !open_codec(d)) {
        fake_va_decode_close(d);
        return NULL;
    }
    return d;
}

void fake_va_decode_begin(struct fake_va_decode *d)
{
    d->has_picture = false;
    d->matrix_size = 0;
    d->slice_count = d->with_data = 0;
    d->data.size = d->made.size = 0;
}

bool fake_va_decode_append(struct fake_va_bytes *to, const void *data, size_t size)
{
    size_t need = to->size + size + AV_INPUT_BUFFER_PADDING_SIZE;
    if (need > to->room) {
        uint8_t *more = realloc(to->data, need * 2);
        if (more == NULL) {
            return false;
        }
        to->data = more;
        to->room = need * 2;
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
    return true;
}

bool fake_va_decode_set(struct fake_va_decode *d, int set, const uint8_t *head, size_t head_size,
                        const uint8_t *payload, size_t size)
{
    uint8_t nal[FAKE_VA_SET];
    size_t length = 0;
    if (!fake_put_nal(head, head_size, payload, size, nal, sizeof(nal), &length)) {
        return false;
    }
    if (length == d->sets[set].size && memcmp(nal, d->sets[set].data, length) == 0) {
        return true;
    }
    for (int i = set; i < FAKE_VA_SETS; i++) {
        d->sets[i].size = 0;
    }
    memcpy(d->sets[set].data, nal, length);
    d->sets[set].size = length;
    return fake_va_decode_append(&d->made, nal, length);
}

static VAStatus take_slices(struct fake_va_decode *d, const struct fake_va_buffer *buffer)
{
    if (buffer->size != d->kind->slice_size || buffer->count > FAKE_VA_SLICES - d->slice_count) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    memcpy((uint8_t *)d->slices + d->slice_count * buffer->size, buffer->data,
           buffer->size * buffer->count);
    d->slice_count += buffer->count;
    return VA_STATUS_SUCCESS;
}

/* Of the slices whose parameters came before. */
static VAStatus take_data(struct fake_va_decode *d, const struct fake_va_buffer *buffer)
{
    size_t have = buffer->size * buffer->count;
    for (; d->with_data < d->slice_count; d->with_data++) {
        VASliceParameterBufferBase s; /* which all begin with */
        memcpy(&s, (uint8_t *)d->slices + d->with_data * d->kind->slice_size, sizeof(s));
        if (s.slice_data_flag != VA_SLICE_DATA_FLAG_ALL || s.slice_data_size < 2 ||
            s.slice_data_offset > have || s.slice_data_size > have - s.slice_data_offset) {
            return VA_STATUS_ERROR_INVALID_PARAMETER;
        }
        d->slice[d->with_data].at = d->data.size;
        d->slice[d->with_data].size = s.slice_data_size;
        if (!fake_va_decode_append(&d->data, buffer->data + s.slice_data_offset,
                                   s.slice_data_size)) {
            return VA_STATUS_ERROR_ALLOCATION_FAILED;
        }
    }
    return VA_STATUS_SUCCESS;
}

VAStatus fake_va_decode_take(struct fake_va_decode *d, const struct fake_va_buffer *buffer)
{
    size_t have = buffer->size * buffer->count;
    switch (buffer->type) {
    case VAPictureParameterBufferType:
        d->has_picture = have == d->kind->picture_size;
        memcpy(d->picture, buffer->data, d->has_picture ? have : 0);
        return d->has_picture ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_PARAMETER;
    case VAIQMatrixBufferType:
        d->matrix_size = have <= sizeof(d->matrix) ? have : 0;
        memcpy(d->matrix, buffer->data, d->matrix_size);
        return d->matrix_size > 0 ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_UNIMPLEMENTED;
    case VASliceParameterBufferType:
        return take_slices(d, buffer);
    case VASliceDataBufferType:
        return take_data(d, buffer);
    default:
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
}

/* The picture as a packet of its own. */
static VAStatus make_packet(struct fake_va_decode *d)
{
    if (!d->has_picture || d->with_data == 0 || d->with_data != d->slice_count) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    VAStatus status = d->kind->make(d);
    av_packet_unref(d->packet);
    if (status == VA_STATUS_SUCCESS && av_new_packet(d->packet, (int)d->made.size) < 0) {
        status = VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    if (status == VA_STATUS_SUCCESS) {
        memcpy(d->packet->data, d->made.data, d->made.size);
    }
    return status;
}

/* Samples of 10 bits lie in the upper ones of 16. */
static void put_row(const uint8_t *from, uint8_t *to, int count, int step, bool deep)
{
    for (int x = 0; x < count; x++) {
        if (deep) {
            uint16_t sample;
            memcpy(&sample, from + (ptrdiff_t)x * 2, 2);
            sample = (uint16_t)(sample << 6);
            memcpy(to + (ptrdiff_t)x * step * 2, &sample, 2);
        } else {
            to[(ptrdiff_t)x * step] = from[x];
        }
    }
}

/* Which is all that there is of it: no later packet changes it. */
static void put_picture(const AVFrame *frame, struct fake_va_surface *to, bool spoil)
{
    int width = frame->width < to->width ? frame->width : to->width;
    int height = frame->height < to->height ? frame->height : to->height;
    bool deep = to->bytes == 2;
    for (int y = 0; y < height; y++) {
        uint8_t *row = to->data + (ptrdiff_t)y * to->pitch;
        put_row(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], row, width, 1, deep);
        for (int x = 0; spoil && x < width * to->bytes; x++) {
            row[x] ^= 0x80;
        }
    }
    for (int y = 0; y < (height + 1) / 2; y++) {
        uint8_t *row = to->data + (ptrdiff_t)(to->rows + y) * to->pitch;
        for (int plane = 1; plane <= 2; plane++) {
            put_row(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane],
                    row + (ptrdiff_t)(plane - 1) * to->bytes, (width + 1) / 2, 2, deep);
        }
    }
}

/* A packet is whole; the surface has its samples' size. */
static bool is_fit(const AVFrame *frame, const struct fake_va_surface *surface)
{
    int format = surface->bytes == 2 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    bool full = surface->bytes == 1 && frame->format == AV_PIX_FMT_YUVJ420P;
    return frame->data[0] != NULL && (frame->format == format || full);
}

VAStatus fake_va_decode_end(struct fake_va_decode *d, struct fake_va_surface *surface,
                            const char *pci)
{
    enum fake_action action = fake_fault_at(FAKE_DECODE, pci, ++d->count);
    VAStatus status = fake_va_result(action);
    if (status == VA_STATUS_SUCCESS) {
        status = make_packet(d);
    }
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    for (int i = d->packet->size / 2; action == FAKE_CORRUPT && i < d->packet->size; i += 3) {
        d->packet->data[i] ^= 0x55;
    }
    av_frame_unref(d->current);
    int rc = avcodec_send_packet(d->codec, d->packet);
    bool good = rc >= 0;
    while (rc >= 0) { /* what comes is an older one */
        rc = avcodec_receive_frame(d->codec, d->shown);
        if (rc >= 0 && d->kind->given) {
            av_frame_unref(d->current);
            av_frame_move_ref(d->current, d->shown);
        }
        av_frame_unref(d->shown);
    }
    bool fits = is_fit(d->current, surface);
    surface->decoded = d->count;
    surface->damaged = !good || rc != AVERROR(EAGAIN) || !fits ||
                       action == FAKE_CORRUPT; /* which libavcodec may take for a picture */
    if (fits) {
        put_picture(d->current, surface, action == FAKE_WRONG);
    }
    return VA_STATUS_SUCCESS;
}
