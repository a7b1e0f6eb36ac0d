/* fake_drv_video.so: the entry point VLD of H.264, 4:2:0 in 8 bits.
 *
 * A picture is decoded when it ends, by a libavcodec that is given parameter sets written from the
 * application's parameter buffers, and its slices as they are. The application orders pictures:
 * what libavcodec gives out is thrown away, and the picture that it decoded into last is taken,
 * which is whole when a packet has gone in. One picture after the other through one decoder has the
 * same references as the application means, since both follow the slices' headers.
 *
 * Not here: fields, picture order of type 1, scaling matrices other than flat ones, pictures whose
 * slices do not have the same number of references. They end in VA_STATUS_ERROR_UNIMPLEMENTED.
 *
 * Damage that libavcodec finds makes vaSyncSurface of that picture say so. */
#include <stdlib.h>
#include <string.h>

#include "fake_va.h"

#define SET_MAX 128   /* bytes of a parameter set */
#define SLICES_MAX 64 /* of a picture */

struct bits { /* a parameter set being written */
    uint8_t data[SET_MAX];
    size_t count; /* bits */
};

struct fake_va_decode {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *current; /* what the codec decoded into last */
    AVFrame *shown;   /* thrown away */
    VAPictureParameterBufferH264 picture;
    VAIQMatrixBufferH264 matrix;
    bool has_picture, has_matrix;
    VASliceParameterBufferH264 slices[SLICES_MAX];
    unsigned slice_count, with_data;
    uint8_t *data; /* owned: NAL units with start codes */
    size_t size, room;
    struct bits sps, pps; /* as given last */
    int64_t count;
};

const struct fake_codec *fake_va_decoder_of(const struct fake_va *va, VAProfile profile)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    bool h264 = profile == VAProfileH264ConstrainedBaseline || profile == VAProfileH264Main ||
                profile == VAProfileH264High;
    return gpu == NULL || !h264 ? NULL : fake_codec_find(&gpu->decode, "h264");
}

uint32_t fake_va_decode_attribute(const struct fake_codec *codec, VAConfigAttribType type)
{
    switch (type) {
    case VAConfigAttribRTFormat:
        return VA_RT_FORMAT_YUV420;
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
        av_packet_free(&d->packet);
        av_frame_free(&d->current);
        av_frame_free(&d->shown);
        free(d->data);
        free(d);
    }
}

static int get_buffer(AVCodecContext *codec, AVFrame *frame, int flags)
{
    struct fake_va_decode *d = codec->opaque;
    int rc = avcodec_default_get_buffer2(codec, frame, flags);
    if (rc >= 0) {
        av_frame_unref(d->current);
        rc = av_frame_ref(d->current, frame);
    }
    return rc;
}

struct fake_va_decode *fake_va_decode_open(void)
{
    const AVCodec *codec = avcodec_find_decoder_by_name("h264");
    struct fake_va_decode *d = calloc(1, sizeof(*d));
    if (codec == NULL || d == NULL) {
        free(d);
        return NULL;
    }
    d->codec = avcodec_alloc_context3(codec);
    d->packet = av_packet_alloc();
    d->current = av_frame_alloc();
    d->shown = av_frame_alloc();
    if (d->codec != NULL) {
        d->codec->opaque = d;
        d->codec->thread_count = 1;
        d->codec->get_buffer2 = get_buffer;
        d->codec->err_recognition = AV_EF_EXPLODE;
        d->codec->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_OUTPUT_CORRUPT;
    }
    if (d->codec == NULL || d->packet == NULL || d->current == NULL || d->shown == NULL ||
        avcodec_open2(d->codec, codec, NULL) < 0) {
        fake_va_decode_close(d);
        return NULL;
    }
    return d;
}

void fake_va_decode_begin(struct fake_va_decode *d)
{
    d->has_picture = d->has_matrix = false;
    d->slice_count = d->with_data = 0;
    d->size = 0;
}

static bool append(struct fake_va_decode *d, const uint8_t *data, size_t size)
{
    static const uint8_t START[] = {0, 0, 0, 1};
    size_t need = d->size + sizeof(START) + size + AV_INPUT_BUFFER_PADDING_SIZE;
    if (need > d->room) {
        uint8_t *more = realloc(d->data, need * 2);
        if (more == NULL) {
            return false;
        }
        d->data = more;
        d->room = need * 2;
    }
    memcpy(d->data + d->size, START, sizeof(START));
    memcpy(d->data + d->size + sizeof(START), data, size);
    d->size += sizeof(START) + size;
    return true;
}

static VAStatus take_slices(struct fake_va_decode *d, const struct fake_va_buffer *buffer)
{
    if (buffer->size != sizeof(d->slices[0]) || buffer->count > SLICES_MAX - d->slice_count) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    memcpy(&d->slices[d->slice_count], buffer->data, buffer->size * buffer->count);
    d->slice_count += buffer->count;
    return VA_STATUS_SUCCESS;
}

/* Of the slices whose parameters came before. */
static VAStatus take_data(struct fake_va_decode *d, const struct fake_va_buffer *buffer)
{
    size_t have = buffer->size * buffer->count;
    for (; d->with_data < d->slice_count; d->with_data++) {
        const VASliceParameterBufferH264 *s = &d->slices[d->with_data];
        if (s->slice_data_flag != VA_SLICE_DATA_FLAG_ALL || s->slice_data_size < 2 ||
            s->slice_data_offset > have || s->slice_data_size > have - s->slice_data_offset) {
            return VA_STATUS_ERROR_INVALID_PARAMETER;
        }
        if (!append(d, buffer->data + s->slice_data_offset, s->slice_data_size)) {
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
        d->has_picture = have == sizeof(d->picture);
        memcpy(&d->picture, buffer->data, d->has_picture ? have : 0);
        return d->has_picture ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_PARAMETER;
    case VAIQMatrixBufferType:
        d->has_matrix = have == sizeof(d->matrix);
        memcpy(&d->matrix, buffer->data, d->has_matrix ? have : 0);
        return d->has_matrix ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_PARAMETER;
    case VASliceParameterBufferType:
        return take_slices(d, buffer);
    case VASliceDataBufferType:
        return take_data(d, buffer);
    default:
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
}

/* Below SET_MAX: nothing that is written comes near it. */
static void put(struct bits *b, unsigned count, uint32_t value)
{
    for (unsigned i = count; i-- > 0 && b->count < SET_MAX * 8; b->count++) {
        b->data[b->count / 8] |= (uint8_t)((value >> i & 1u) << (7 - b->count % 8));
    }
}

static void put_ue(struct bits *b, uint32_t value)
{
    unsigned length = 0;
    while ((value + 1) >> (length + 1) != 0) {
        length++;
    }
    put(b, length, 0);
    put(b, length + 1, value + 1);
}

static void put_se(struct bits *b, int value)
{
    put_ue(b, value > 0 ? (uint32_t)value * 2 - 1 : (uint32_t)-value * 2);
}

/* rbsp_trailing_bits */
static void end_set(struct bits *b)
{
    put(b, 1, 1);
    b->count = (b->count + 7) / 8 * 8;
}

/* Source: ITU-T H.264, 7.3.2.1. Of High, whose decoder takes the others' streams. */
static struct bits write_sps(const VAPictureParameterBufferH264 *p)
{
    struct bits b = {.count = 0};
    bool frames = p->seq_fields.bits.frame_mbs_only_flag;
    put(&b, 8, 0x67);
    put(&b, 8, 100); /* profile_idc; no constraint; the highest level */
    put(&b, 8, 0);
    put(&b, 8, 62);
    put_ue(&b, 0); /* its id */
    put_ue(&b, p->seq_fields.bits.chroma_format_idc);
    put_ue(&b, p->bit_depth_luma_minus8);
    put_ue(&b, p->bit_depth_chroma_minus8);
    put(&b, 2, 0); /* no bypass, no scaling matrix */
    put_ue(&b, p->seq_fields.bits.log2_max_frame_num_minus4);
    put_ue(&b, p->seq_fields.bits.pic_order_cnt_type);
    if (p->seq_fields.bits.pic_order_cnt_type == 0) {
        put_ue(&b, p->seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4);
    }
    put_ue(&b, p->num_ref_frames);
    put(&b, 1, p->seq_fields.bits.gaps_in_frame_num_value_allowed_flag);
    put_ue(&b, p->picture_width_in_mbs_minus1);
    put_ue(&b, (p->picture_height_in_mbs_minus1 + 1u) / (frames ? 1 : 2) - 1);
    put(&b, 1, frames);
    if (!frames) {
        put(&b, 1, p->seq_fields.bits.mb_adaptive_frame_field_flag);
    }
    put(&b, 1, p->seq_fields.bits.direct_8x8_inference_flag);
    put(&b, 2, 0); /* no cropping, no VUI */
    end_set(&b);
    return b;
}

static uint32_t read_ue(const uint8_t *data, size_t size, size_t *io_bit)
{
    unsigned zeros = 0;
    uint32_t value = 0;
    while (*io_bit < size * 8 && (data[*io_bit / 8] >> (7 - *io_bit % 8) & 1) == 0 && zeros < 16) {
        zeros++;
        ++*io_bit;
    }
    for (unsigned i = 0; i <= zeros && *io_bit < size * 8; i++, ++*io_bit) {
        value = value << 1 | (data[*io_bit / 8] >> (7 - *io_bit % 8) & 1);
    }
    return value - 1;
}

/* The set that the slices name: the application does not tell its id. */
static uint32_t set_of(const struct fake_va_decode *d)
{
    size_t bit = 8;
    const uint8_t *slice = d->data + 4;      /* behind the first start code */
    (void)read_ue(slice, d->size - 4, &bit); /* first_mb_in_slice, slice_type */
    (void)read_ue(slice, d->size - 4, &bit);
    return read_ue(slice, d->size - 4, &bit);
}

/* References that slices have unless they say others: those that all of them have. false: they
 * differ. Slices without references say nothing. */
static bool references_of(const struct fake_va_decode *d, unsigned out[2])
{
    bool any = false;
    out[0] = out[1] = 0;
    for (unsigned i = 0; i < d->slice_count; i++) {
        const VASliceParameterBufferH264 *s = &d->slices[i];
        unsigned type = s->slice_type % 5u;
        unsigned l1 = type == 1 ? s->num_ref_idx_l1_active_minus1 : 0;
        if (type == 2 || type == 4) {
            continue;
        }
        if (any && (out[0] != s->num_ref_idx_l0_active_minus1 || out[1] != l1)) {
            return false;
        }
        out[0] = s->num_ref_idx_l0_active_minus1;
        out[1] = l1;
        any = true;
    }
    return true;
}

/* Source: ITU-T H.264, 7.3.2.2. */
static struct bits write_pps(const VAPictureParameterBufferH264 *p, uint32_t id,
                             const unsigned references[2])
{
    struct bits b = {.count = 0};
    put(&b, 8, 0x68);
    put_ue(&b, id);
    put_ue(&b, 0); /* the sequence's */
    put(&b, 1, p->pic_fields.bits.entropy_coding_mode_flag);
    put(&b, 1, p->pic_fields.bits.pic_order_present_flag);
    put_ue(&b, 0); /* slice groups */
    put_ue(&b, references[0]);
    put_ue(&b, references[1]);
    put(&b, 1, p->pic_fields.bits.weighted_pred_flag);
    put(&b, 2, p->pic_fields.bits.weighted_bipred_idc);
    put_se(&b, p->pic_init_qp_minus26);
    put_se(&b, p->pic_init_qs_minus26);
    put_se(&b, p->chroma_qp_index_offset);
    put(&b, 1, p->pic_fields.bits.deblocking_filter_control_present_flag);
    put(&b, 1, p->pic_fields.bits.constrained_intra_pred_flag);
    put(&b, 1, p->pic_fields.bits.redundant_pic_cnt_present_flag);
    put(&b, 1, p->pic_fields.bits.transform_8x8_mode_flag);
    put(&b, 1, 0); /* scaling matrix */
    put_se(&b, p->second_chroma_qp_index_offset);
    end_set(&b);
    return b;
}

static bool is_flat(const VAIQMatrixBufferH264 *m)
{
    bool flat = true;
    for (size_t i = 0; i < sizeof(m->ScalingList4x4); i++) {
        flat = flat && (&m->ScalingList4x4[0][0])[i] == 16;
    }
    for (size_t i = 0; i < sizeof(m->ScalingList8x8); i++) {
        flat = flat && (&m->ScalingList8x8[0][0])[i] == 16;
    }
    return flat;
}

/* Emulation prevention, and before what was there. Source: ITU-T H.264, 7.4.1. */
static bool put_first(uint8_t *out, size_t room, size_t *io_size, const struct bits *set)
{
    static const uint8_t START[] = {0, 0, 0, 1};
    unsigned zeros = 0;
    if (*io_size + sizeof(START) + SET_MAX * 2 > room) {
        return false;
    }
    memcpy(out + *io_size, START, sizeof(START));
    *io_size += sizeof(START);
    for (size_t i = 0; i < set->count / 8; i++) {
        if (zeros >= 2 && set->data[i] <= 3) {
            out[(*io_size)++] = 3;
            zeros = 0;
        }
        zeros = set->data[i] == 0 ? zeros + 1 : 0;
        out[(*io_size)++] = set->data[i];
    }
    return true;
}

/* The picture as a packet of its own: parameter sets where they changed, slices. */
static VAStatus make_packet(struct fake_va_decode *d)
{
    unsigned references[2];
    size_t size = 0;
    if (!d->has_picture || !d->has_matrix || d->with_data == 0 || d->with_data != d->slice_count) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    if (d->picture.pic_fields.bits.field_pic_flag ||
        d->picture.seq_fields.bits.pic_order_cnt_type == 1 || !is_flat(&d->matrix) ||
        !references_of(d, references)) {
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    }
    struct bits sps = write_sps(&d->picture);
    struct bits pps = write_pps(&d->picture, set_of(d), references);
    av_packet_unref(d->packet);
    if (av_new_packet(d->packet, (int)(d->size + 1024)) < 0) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    bool good = true;
    if (memcmp(&sps, &d->sps, sizeof(sps)) != 0) {
        good = put_first(d->packet->data, 1024, &size, &sps);
        d->sps = sps;
        d->pps = (struct bits){.count = 0};
    }
    if (good && memcmp(&pps, &d->pps, sizeof(pps)) != 0) {
        good = put_first(d->packet->data, 1024, &size, &pps);
        d->pps = pps;
    }
    memcpy(d->packet->data + size, d->data, d->size);
    av_shrink_packet(d->packet, (int)(size + d->size));
    return good ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_OPERATION_FAILED;
}

/* Which is all that there is of it: no later packet changes it. */
static void put_picture(const AVFrame *frame, struct fake_va_surface *to, bool spoil)
{
    int width = frame->width < to->width ? frame->width : to->width;
    int height = frame->height < to->height ? frame->height : to->height;
    for (int y = 0; y < height; y++) {
        uint8_t *row = to->data + (ptrdiff_t)y * to->pitch;
        memcpy(row, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], (size_t)width);
        for (int x = 0; spoil && x < width; x++) {
            row[x] ^= 0x80;
        }
    }
    for (int y = 0; y < (height + 1) / 2; y++) {
        uint8_t *row = to->data + (ptrdiff_t)(to->rows + y) * to->pitch;
        for (int x = 0; x < (width + 1) / 2; x++) {
            row[2 * x] = frame->data[1][(ptrdiff_t)y * frame->linesize[1] + x];
            row[2 * x + 1] = frame->data[2][(ptrdiff_t)y * frame->linesize[2] + x];
        }
    }
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
        av_frame_unref(d->shown);
    }
    surface->decoded = d->count;
    surface->damaged = !good || rc != AVERROR(EAGAIN) || d->current->data[0] == NULL ||
                       action == FAKE_CORRUPT; /* which libavcodec may take for a picture */
    if (d->current->data[0] != NULL) {
        put_picture(d->current, surface, action == FAKE_WRONG);
    }
    return VA_STATUS_SUCCESS;
}
