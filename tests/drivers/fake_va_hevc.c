/* fake_drv_video.so: HEVC of a context: its parameters, and a picture's headers and slice. */
#include "fake_va_hevc.h"

#include <stdlib.h>
#include <string.h>

enum { INTRA = 1, BETWEEN = 3 }; /* coding_type */

struct fake_va_hevc *fake_va_hevc_open(void)
{
    return calloc(1, sizeof(struct fake_va_hevc));
}

void fake_va_hevc_close(struct fake_va_hevc **hevc)
{
    if (*hevc != NULL) {
        fake_va_hevc_close_coder(&(*hevc)->reference);
        fake_va_hevc_close_coder(&(*hevc)->between);
        free(*hevc);
        *hevc = NULL;
    }
}

void fake_va_hevc_take(struct fake_va_hevc *hevc, const struct fake_va_buffer *buffer)
{
    void *to = &hevc->slice;
    size_t size = sizeof(hevc->slice);
    if (buffer->type == VAEncSequenceParameterBufferType) {
        to = &hevc->sequence;
        size = sizeof(hevc->sequence);
    } else if (buffer->type == VAEncPictureParameterBufferType) {
        to = &hevc->picture;
        size = sizeof(hevc->picture);
    }
    if (buffer->size * buffer->count >= size) {
        memcpy(to, buffer->data, size);
    }
}

VABufferID fake_va_hevc_output(const struct fake_va_hevc *hevc)
{
    return hevc->picture.coded_buf;
}

struct output {
    uint8_t *data;
    size_t room, size;
};

static bool append(struct output *out, const void *data, size_t size)
{
    if (size > out->room - out->size) {
        return false;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
    return true;
}

/* The application's headers in their order, the slice's with its data. */
static bool write_packed(const struct fake_va_context *context,
                         const struct fake_va_hevc_coder *coder, const uint8_t *coded,
                         size_t coded_size, struct output *out)
{
    struct fake_va_hevc *hevc = context->hevc;
    bool sliced = false, good = true;
    for (int i = 0; good && i < context->header_count; i++) {
        const struct fake_va_header *h = &context->headers[i];
        size_t size = (h->bits + 7) / 8;
        if (h->data == NULL) {
            good = false;
        } else if (h->type == VAEncPackedHeaderHEVC_Slice) {
            good = !sliced && hevc->has_sets &&
                   fake_va_hevc_join(&hevc->sets, h, &coder->sets, coded, coded_size, out->data,
                                     out->room, &out->size);
            sliced = true;
        } else {
            if (h->type == VAEncPackedHeaderSequence) {
                hevc->has_sets = fake_va_hevc_read_sets(h->data, size, &hevc->sets);
                good = hevc->has_sets;
            }
            good = good && append(out, h->data, size);
        }
    }
    return good && sliced;
}

VAStatus fake_va_hevc_code(struct fake_va_context *context, const struct fake_va_surface *surface,
                           bool spoil, uint8_t *out, size_t room, size_t *out_size)
{
    struct fake_va_hevc *hevc = context->hevc;
    const unsigned type = hevc->picture.pic_fields.bits.coding_type;
    struct fake_va_hevc_coder *coder = type >= BETWEEN ? &hevc->between : &hevc->reference;
    struct output o = {.data = out, .room = room};
    const uint8_t *coded = NULL;
    size_t size = 0;
    VAStatus status = fake_va_hevc_picture(context, coder, type == INTRA || type >= BETWEEN,
                                           surface, spoil, &coded, &size);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    bool good = true;
    if ((context->config.packed & VA_ENC_PACKED_HEADER_SLICE) != 0) {
        good = write_packed(context, coder, coded, size, &o);
    } else { /* a driver that writes its headers itself: x265's */
        good = (type != INTRA || append(&o, coder->headers, coder->header_size)) &&
               append(&o, coded, size);
    }
    *out_size = o.size;
    return good ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ENCODING_ERROR;
}
