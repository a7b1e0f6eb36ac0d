#include "media/captions.h"

#include <string.h>

#define TRIPLET 3
#define VALID 4 /* bit cc_valid of the first byte; the two below it say the kind */

unsigned gm_captions_look(const AVFrame *picture)
{
    const AVFrameSideData *side = av_frame_get_side_data(picture, AV_FRAME_DATA_A53_CC);
    unsigned seen = 0;
    for (size_t i = 0; side != NULL && i + TRIPLET <= side->size; i += TRIPLET) {
        const uint8_t *t = side->data + i;
        bool analog = (t[0] & 2) == 0;
        /* Padding of CEA-608 is zeros under odd parity. */
        bool padding = analog ? (t[1] & 0x7f) == 0 && (t[2] & 0x7f) == 0 : t[1] == 0 && t[2] == 0;
        if ((t[0] & VALID) == 0) {
            continue;
        }
        seen |= GM_CAPTIONS_ANY;
        if (!padding) {
            seen |= !analog           ? GM_CAPTIONS_DIGITAL
                    : (t[0] & 1) != 0 ? GM_CAPTIONS_FIELD2
                                      : GM_CAPTIONS_FIELD1;
        }
    }
    return seen;
}

size_t gm_captions_services(unsigned seen, const char *names[GM_CAPTIONS_SERVICES])
{
    static const struct {
        unsigned bit;
        const char *name;
    } rows[GM_CAPTIONS_SERVICES] = {{GM_CAPTIONS_FIELD1, "CC1"},
                                    {GM_CAPTIONS_FIELD2, "CC3"},
                                    {GM_CAPTIONS_DIGITAL, "SERVICE1"}};
    size_t count = 0;
    seen = seen == GM_CAPTIONS_ANY ? GM_CAPTIONS_FIELD1 : seen;
    for (size_t i = 0; i < GM_CAPTIONS_SERVICES; i++) {
        if ((seen & rows[i].bit) != 0) {
            names[count++] = rows[i].name;
        }
    }
    return count;
}

int gm_captions_copy(const AVFrame *from, AVFrame *to, struct gm_err *err)
{
    const AVFrameSideData *side = av_frame_get_side_data(from, AV_FRAME_DATA_A53_CC);
    if (side == NULL) {
        return 0;
    }
    AVBufferRef *data = av_buffer_ref(side->buf);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    if (av_frame_new_side_data_from_buf(to, AV_FRAME_DATA_A53_CC, data) == NULL) {
        av_buffer_unref(&data);
        return gm_err_nomem(err);
    }
    return 0;
}

bool gm_captions_is_cut(const AVFrame *picture)
{
    const AVFrameSideData *side = av_frame_get_side_data(picture, AV_FRAME_DATA_A53_CC);
    return side != NULL && side->size > GM_CAPTIONS_MOST;
}

bool gm_captions_carries(const char *codec)
{
    return strcmp(codec, "h264") == 0 || strcmp(codec, "hevc") == 0;
}

/* Bytes of a NAL unit: a 3 goes between two zeros and a byte below 4. */
static void add_escaped(struct gm_buf *out, const uint8_t *data, size_t size)
{
    size_t zeros = 0;
    for (size_t i = 0; i < size; i++) {
        if (zeros == 2 && data[i] < 4) {
            gm_buf_u8(out, 3);
            zeros = 0;
        }
        gm_buf_u8(out, data[i]);
        zeros = data[i] == 0 ? zeros + 1 : 0;
    }
}

/* head: the NAL unit header, head_size bytes of it; size: whole triplets, GM_CAPTIONS_MESSAGE at
 * most. */
static void add_message(const uint8_t *head, size_t head_size, const uint8_t *data, size_t size,
                        struct gm_buf *out)
{
    /* Payload type 4 and its size, ITU-T T.35 country and provider, "GA94", cc_data; then the
     * triplets; marker bits; rbsp_trailing_bits. */
    uint8_t unit[2 + 12 + GM_CAPTIONS_MESSAGE + 2];
    static const uint8_t message[12] = {4, 0, 0xb5, 0x00, 0x31, 'G', 'A', '9', '4', 3, 0, 0xff};
    size_t begin = out->size;
    uint8_t *m = unit + head_size;
    memcpy(unit, head, head_size);
    memcpy(m, message, sizeof message);
    m[1] = (uint8_t)(11 + size);
    m[10] = (uint8_t)(0xc0 | size / TRIPLET);
    memcpy(m + 12, data, size);
    m[12 + size] = 0xff;
    m[13 + size] = 0x80;
    gm_buf_be32(out, 0); /* its size, below */
    add_escaped(out, unit, head_size + 14 + size);
    if (!out->failed) {
        out->data[begin + 3] = (uint8_t)(out->size - begin - 4); /* fits: at most 163 */
    }
}

static void add_messages(const uint8_t *head, size_t head_size, const uint8_t *data, size_t size,
                         struct gm_buf *out)
{
    size_t at = size % TRIPLET != 0 ? size : 0;
    size = size < GM_CAPTIONS_MOST ? size : GM_CAPTIONS_MOST;
    while (at < size) {
        size_t some = size - at < GM_CAPTIONS_MESSAGE ? size - at : GM_CAPTIONS_MESSAGE;
        add_message(head, head_size, data + at, some, out);
        at += some;
    }
}

void gm_captions_add_hevc(const uint8_t *data, size_t size, struct gm_buf *out)
{
    static const uint8_t prefix_sei[] = {0x4e, 0x01};
    add_messages(prefix_sei, sizeof prefix_sei, data, size, out);
}

void gm_captions_add_h264(const uint8_t *data, size_t size, struct gm_buf *out)
{
    static const uint8_t sei[] = {0x06};
    add_messages(sei, sizeof sei, data, size, out);
}
