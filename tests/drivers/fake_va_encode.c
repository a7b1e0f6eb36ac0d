/* fake_drv_video.so: contexts, pictures. A picture is coded when it ends: nothing is left to wait
 * for. */
#include <stdlib.h>
#include <string.h>

#include "fake_va.h"

static void free_headers(struct fake_va_context *context)
{
    for (int i = 0; i < context->header_count; i++) {
        free(context->headers[i].data);
    }
    context->header_count = 0;
}

void fake_va_free_context(struct fake_va_context *context)
{
    free_headers(context);
    fake_va_close_coder(&context->reference);
    fake_va_close_coder(&context->between);
    fake_va_hevc_close(&context->hevc);
    fake_va_decode_close(context->decode);
    free(context);
}

static VAStatus add_scaler(struct fake_va *va, const struct fake_va_config *config, int width,
                           int height, VAContextID *out)
{
    if (width < 1 || height < 1 || width > FAKE_VA_SIDE || height > FAKE_VA_SIDE) {
        return VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
    }
    struct fake_va_context *context = calloc(1, sizeof(*context));
    *out = fake_va_add(va->contexts, FAKE_VA_CONTEXT, context);
    if (*out == VA_INVALID_ID) {
        free(context);
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    context->config = *config;
    context->width = width;
    context->height = height;
    return VA_STATUS_SUCCESS;
}

static bool is_too_large(const struct fake_va *va, const struct fake_va_config *config, int width,
                         int height)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    int most = gpu == NULL ? 0 : gpu->context_side;
    return most > 0 && (width > most || height > most) && config->entrypoint != VAEntrypointVLD;
}

static bool is_scaler(const struct fake_va_context *context)
{
    return context->config.entrypoint == VAEntrypointVideoProc;
}

static VAStatus create_context(VADriverContextP ctx, VAConfigID config_id, int width, int height,
                               int flag, VASurfaceID *targets, int target_count, VAContextID *out)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    (void)flag;
    (void)targets;
    (void)target_count;
    if (va == NULL) {
        return status;
    }
    const struct fake_va_config *config = fake_va_find(va->configs, FAKE_VA_CONFIG, config_id);
    if (config != NULL && is_too_large(va, config, width, height)) {
        return fake_va_leave(va, VA_STATUS_ERROR_ALLOCATION_FAILED);
    }
    if (config != NULL && config->entrypoint == VAEntrypointVideoProc) {
        return fake_va_leave(va, add_scaler(va, config, width, height, out));
    }
    bool decodes = config != NULL && config->entrypoint == VAEntrypointVLD;
    const struct fake_codec *codec = config == NULL ? NULL
                                     : decodes      ? fake_va_decoder_of(va, config->profile)
                                                    : fake_va_codec(va, config->profile);
    if (config == NULL || codec == NULL) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_CONFIG);
    }
    if (width < codec->min_width || height < codec->min_height || width > codec->max_width ||
        height > codec->max_height) {
        return fake_va_leave(va, VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
    }
    status = decodes ? status : fake_va_result(fake_fault_at(FAKE_ENCODE_INIT, va->pci, 0));
    struct fake_va_context *context =
        status == VA_STATUS_SUCCESS ? calloc(1, sizeof(*context)) : NULL;
    if (context != NULL && !decodes && strcmp(codec->name, "hevc") == 0 &&
        (context->hevc = fake_va_hevc_open()) == NULL) {
        free(context);
        context = NULL;
    }
    *out = fake_va_add(va->contexts, FAKE_VA_CONTEXT, context);
    if (*out == VA_INVALID_ID) {
        if (context != NULL) {
            fake_va_free_context(context);
        }
        return fake_va_leave(va, status == VA_STATUS_SUCCESS ? VA_STATUS_ERROR_ALLOCATION_FAILED
                                                             : status);
    }
    context->config = *config;
    context->width = width;
    context->height = height;
    context->decode = decodes ? fake_va_decode_open(config->profile) : NULL;
    if (decodes && context->decode == NULL) {
        free(fake_va_remove(va->contexts, FAKE_VA_CONTEXT, *out));
        status = VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    return fake_va_leave(va, status);
}

static VAStatus destroy_context(VADriverContextP ctx, VAContextID id)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    struct fake_va_context *context = fake_va_remove(va->contexts, FAKE_VA_CONTEXT, id);
    if (context != NULL) {
        fake_va_free_context(context);
    }
    return fake_va_leave(va, context == NULL ? VA_STATUS_ERROR_INVALID_CONTEXT : VA_STATUS_SUCCESS);
}

static VAStatus begin_picture(VADriverContextP ctx, VAContextID id, VASurfaceID target)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_context *context = fake_va_find(va->contexts, FAKE_VA_CONTEXT, id);
    if (context == NULL || fake_va_find(va->surfaces, FAKE_VA_SURFACE, target) == NULL) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_CONTEXT);
    }
    free_headers(context);
    context->target = target;
    context->begun = true;
    context->scale.from = VA_INVALID_SURFACE;
    if (context->decode != NULL) {
        fake_va_decode_begin(context->decode);
    }
    return fake_va_leave(va, VA_STATUS_SUCCESS);
}

static void take(void *to, size_t size, const struct fake_va_buffer *from, size_t offset)
{
    if (from->size * from->count >= offset + size) {
        memcpy(to, from->data + offset, size);
    }
}

static void take_misc(struct fake_va_context *context, const struct fake_va_buffer *buffer)
{
    VAEncMiscParameterBuffer misc = {0};
    const size_t head = offsetof(VAEncMiscParameterBuffer, data);
    VAEncMiscParameterFrameRate rate = {0};
    take(&misc, head, buffer, 0);
    switch (misc.type) {
    case VAEncMiscParameterTypeRateControl:
        take(&context->rate, sizeof(context->rate), buffer, head);
        break;
    case VAEncMiscParameterTypeHRD:
        take(&context->hrd, sizeof(context->hrd), buffer, head);
        break;
    case VAEncMiscParameterTypeFrameRate:
        take(&rate, sizeof(rate), buffer, head);
        context->frame_rate = rate.framerate;
        break;
    default:
        break; /* quality level, regions of interest: no counterpart */
    }
}

static VAStatus take_header(struct fake_va_context *context, const struct fake_va_buffer *buffer)
{
    VAEncPackedHeaderParameterBuffer packed = {0};
    if (context->header_count == FAKE_VA_HEADERS) {
        return VA_STATUS_ERROR_MAX_NUM_EXCEEDED;
    }
    take(&packed, sizeof(packed), buffer, 0);
    context->headers[context->header_count++] = (struct fake_va_header){
        .type = packed.type, .bits = packed.bit_length, .escaped = packed.has_emulation_bytes};
    return VA_STATUS_SUCCESS;
}

static VAStatus take_header_data(struct fake_va_context *context,
                                 const struct fake_va_buffer *buffer)
{
    struct fake_va_header *header =
        context->header_count > 0 ? &context->headers[context->header_count - 1] : NULL;
    size_t size = header == NULL ? 0 : (header->bits + 7) / 8;
    if (header == NULL || header->data != NULL || !header->escaped ||
        size > buffer->size * buffer->count) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    header->data = malloc(size + 1);
    if (header->data == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    memcpy(header->data, buffer->data, size);
    return VA_STATUS_SUCCESS;
}

static VAStatus take_buffer(struct fake_va_context *context, const struct fake_va_buffer *buffer)
{
    bool parameters = buffer->type == VAEncSequenceParameterBufferType ||
                      buffer->type == VAEncPictureParameterBufferType ||
                      buffer->type == VAEncSliceParameterBufferType;
    if (context->hevc != NULL && parameters) {
        context->has_sequence =
            context->has_sequence || buffer->type == VAEncSequenceParameterBufferType;
        fake_va_hevc_take(context->hevc, buffer);
        return VA_STATUS_SUCCESS;
    }
    switch (buffer->type) {
    case VAEncSequenceParameterBufferType:
        take(&context->sequence, sizeof(context->sequence), buffer, 0);
        context->has_sequence = true;
        return VA_STATUS_SUCCESS;
    case VAEncPictureParameterBufferType:
        take(&context->picture, sizeof(context->picture), buffer, 0);
        return VA_STATUS_SUCCESS;
    case VAEncSliceParameterBufferType:
        take(&context->slice, sizeof(context->slice), buffer, 0);
        return VA_STATUS_SUCCESS;
    case VAEncMiscParameterBufferType:
        take_misc(context, buffer);
        return VA_STATUS_SUCCESS;
    case VAEncPackedHeaderParameterBufferType:
        return take_header(context, buffer);
    case VAEncPackedHeaderDataBufferType:
        return take_header_data(context, buffer);
    default:
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
}

static VAStatus render_picture(VADriverContextP ctx, VAContextID id, VABufferID *list, int count)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_context *context = fake_va_find(va->contexts, FAKE_VA_CONTEXT, id);
    if (context == NULL || !context->begun) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_CONTEXT);
    }
    for (int i = 0; status == VA_STATUS_SUCCESS && i < count; i++) {
        const struct fake_va_buffer *buffer = fake_va_find(va->buffers, FAKE_VA_BUFFER, list[i]);
        status = buffer == NULL            ? VA_STATUS_ERROR_INVALID_BUFFER
                 : context->decode != NULL ? fake_va_decode_take(context->decode, buffer)
                 : is_scaler(context)      ? fake_va_scale_take(va, &context->scale, buffer)
                                           : take_buffer(context, buffer);
    }
    return fake_va_leave(va, status);
}

/* What the application's parameter sets say, as the parameter buffers repeat it. */
static struct fake_va_syntax syntax_of(const struct fake_va_context *context)
{
    const VAEncSequenceParameterBufferH264 *s = &context->sequence;
    const VAEncPictureParameterBufferH264 *p = &context->picture;
    return (struct fake_va_syntax){
        .frame_num_bits = s->seq_fields.bits.log2_max_frame_num_minus4 + 4u,
        .poc_type = s->seq_fields.bits.pic_order_cnt_type,
        .poc_bits = s->seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4 + 4u,
        .cabac = p->pic_fields.bits.entropy_coding_mode_flag,
        .weighted = p->pic_fields.bits.weighted_pred_flag,
        .weighted_bipred = p->pic_fields.bits.weighted_bipred_idc,
        .bottom_order = p->pic_fields.bits.pic_order_present_flag,
        .deblocking = p->pic_fields.bits.deblocking_filter_control_present_flag,
        .references = {p->num_ref_idx_l0_active_minus1 + 1u, p->num_ref_idx_l1_active_minus1 + 1u},
        .init_qp = p->pic_init_qp};
}

static bool append(struct fake_va_buffer *out, size_t *io_size, const void *data, size_t size)
{
    if (*io_size + size > out->size) {
        return false;
    }
    memcpy(out->data + *io_size, data, size);
    *io_size += size;
    return true;
}

/* The application's headers in their order, the slice's with its data. */
static VAStatus write_packed(const struct fake_va_context *context,
                             const struct fake_va_coder *coder, const AVPacket *packet,
                             struct fake_va_buffer *out, size_t *io_size)
{
    const struct fake_va_syntax syntax = syntax_of(context);
    bool sliced = false, good = true;
    for (int i = 0; good && i < context->header_count; i++) {
        const struct fake_va_header *h = &context->headers[i];
        if (h->data == NULL) {
            good = false;
        } else if (h->type == VAEncPackedHeaderSlice) {
            good = !sliced && fake_va_join(&syntax, h, packet, coder->codec->extradata,
                                           (size_t)coder->codec->extradata_size, out->data,
                                           out->size, io_size);
            sliced = true;
        } else {
            good = append(out, io_size, h->data, (h->bits + 7) / 8);
        }
    }
    return good && sliced ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ENCODING_ERROR;
}

/* A driver that writes its headers itself: x264's. */
static VAStatus write_own(const struct fake_va_coder *coder, const AVPacket *packet,
                          struct fake_va_buffer *out, size_t *io_size)
{
    bool good = (packet->flags & AV_PKT_FLAG_KEY) == 0 ||
                append(out, io_size, coder->codec->extradata, (size_t)coder->codec->extradata_size);
    return good && append(out, io_size, packet->data, (size_t)packet->size)
               ? VA_STATUS_SUCCESS
               : VA_STATUS_ERROR_ENCODING_ERROR;
}

static VAStatus code_h264(struct fake_va_context *context, const struct fake_va_surface *surface,
                          bool spoil, struct fake_va_buffer *out, size_t *io_size)
{
    const AVPacket *packet = NULL;
    unsigned type = context->slice.slice_type % 5;
    bool between = type == 1;
    struct fake_va_coder *coder = between ? &context->between : &context->reference;
    VAStatus status =
        fake_va_code(context, coder, type == 2 || between, between, surface, spoil, &packet);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    return (context->config.packed & VA_ENC_PACKED_HEADER_SLICE) != 0
               ? write_packed(context, coder, packet, out, io_size)
               : write_own(coder, packet, out, io_size);
}

static VAStatus code(struct fake_va_context *context, const struct fake_va_surface *surface,
                     enum fake_action action, struct fake_va_buffer *out)
{
    size_t size = 0;
    bool spoil = action == FAKE_WRONG;
    VAStatus status = context->hevc != NULL
                          ? fake_va_hevc_code(context, surface, spoil, out->data, out->size, &size)
                          : code_h264(context, surface, spoil, out, &size);
    size_t from = size > 400 ? 200 : size * 2 / 3;
    for (size_t i = from; action == FAKE_CORRUPT && i < size; i++) {
        out->data[i] ^= (uint8_t)(i * 37 + 11);
    }
    out->segment = (VACodedBufferSegment){.size = (uint32_t)size, .buf = out->data, .next = NULL};
    return status;
}

static VAStatus end_picture(VADriverContextP ctx, VAContextID id)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_context *context = fake_va_find(va->contexts, FAKE_VA_CONTEXT, id);
    bool other = context != NULL && (context->decode != NULL || is_scaler(context));
    if (context == NULL || !context->begun || (!context->has_sequence && !other)) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_CONTEXT);
    }
    context->begun = false;
    struct fake_va_surface *surface = fake_va_find(va->surfaces, FAKE_VA_SURFACE, context->target);
    if (context->decode != NULL) {
        return fake_va_leave(va, surface == NULL
                                     ? VA_STATUS_ERROR_INVALID_SURFACE
                                     : fake_va_decode_end(context->decode, surface, va->pci));
    }
    if (is_scaler(context)) {
        return fake_va_leave(va, surface == NULL ? VA_STATUS_ERROR_INVALID_SURFACE
                                                 : fake_va_scale_end(va, context, surface));
    }
    struct fake_va_buffer *out = fake_va_find(
        va->buffers, FAKE_VA_BUFFER,
        context->hevc != NULL ? fake_va_hevc_output(context->hevc) : context->picture.coded_buf);
    if (surface == NULL || out == NULL || out->type != VAEncCodedBufferType) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_BUFFER);
    }
    enum fake_action action = fake_fault_at(FAKE_ENCODE, va->pci, ++context->frames);
    status = fake_va_result(action);
    if (status == VA_STATUS_SUCCESS) {
        status = code(context, surface, action, out);
    }
    return fake_va_leave(va, status);
}

static VAStatus sync_surface(VADriverContextP ctx, VASurfaceID id)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    const struct fake_va_surface *surface = fake_va_find(va->surfaces, FAKE_VA_SURFACE, id);
    status = surface == NULL ? VA_STATUS_ERROR_INVALID_SURFACE : VA_STATUS_SUCCESS;
    if (surface != NULL && surface->decoded > 0) {
        status = fake_va_result(fake_fault_at(FAKE_MAP, va->pci, surface->decoded));
    }
    if (status == VA_STATUS_SUCCESS && surface->damaged) {
        status = VA_STATUS_ERROR_DECODING_ERROR;
    }
    return fake_va_leave(va, status);
}

static VAStatus sync_buffer(VADriverContextP ctx, VABufferID id, uint64_t timeout_ns)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    (void)timeout_ns;
    if (va == NULL) {
        return status;
    }
    bool found = fake_va_find(va->buffers, FAKE_VA_BUFFER, id) != NULL;
    return fake_va_leave(va, found ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_BUFFER);
}

void fake_va_set_encode(struct VADriverVTable *table, const struct fake_gpu *gpu)
{
    table->vaCreateContext = create_context;
    table->vaDestroyContext = destroy_context;
    table->vaBeginPicture = begin_picture;
    table->vaRenderPicture = render_picture;
    table->vaEndPicture = end_picture;
    table->vaSyncSurface = sync_surface;
    table->vaSyncBuffer = gpu->sync_buffer ? sync_buffer : NULL;
}
