#include "media/av.h"

#include <string.h>

#include <libavutil/channel_layout.h>

#include "common/buf.h"

/* AVCodecParameters as bytes, for chunk headers. Big-endian, fixed order:
 *
 *   u32 version = 1; FIELDS as i64 each (rationals as two); u32 extradata size, bytes;
 *   u32 channel order, u32 channels, u64 mask, then for custom layouts one u32 id a channel;
 *   u32 count of side data, { u32 type, u32 size, bytes }...
 *
 * Side data is the stream's (display matrix, mastering display, ...): libavcodec 59 takes it with
 * packets, not with parameters; gm_codecpar_find_side reads it.
 */
#define CODECPAR_VERSION 1
#define MAX_EXTRADATA (16u << 20)
#define MAX_CHANNELS 512u
#define MAX_SIDES 64u

#define FIELDS(X)                                                                                  \
    X(codec_type)                                                                                  \
    X(codec_id)                                                                                    \
    X(codec_tag)                                                                                   \
    X(format)                                                                                      \
    X(bit_rate)                                                                                    \
    X(bits_per_coded_sample)                                                                       \
    X(bits_per_raw_sample)                                                                         \
    X(profile)                                                                                     \
    X(level)                                                                                       \
    X(width)                                                                                       \
    X(height)                                                                                      \
    X(sample_aspect_ratio.num)                                                                     \
    X(sample_aspect_ratio.den)                                                                     \
    X(field_order)                                                                                 \
    X(color_range)                                                                                 \
    X(color_primaries)                                                                             \
    X(color_trc)                                                                                   \
    X(color_space)                                                                                 \
    X(chroma_location)                                                                             \
    X(video_delay)                                                                                 \
    X(sample_rate)                                                                                 \
    X(block_align)                                                                                 \
    X(frame_size)                                                                                  \
    X(initial_padding)                                                                             \
    X(trailing_padding)                                                                            \
    X(seek_preroll)

static void put_layout(struct gm_buf *buf, const AVChannelLayout *layout)
{
    bool custom = layout->order == AV_CHANNEL_ORDER_CUSTOM;
    uint32_t channels = layout->nb_channels > 0 ? (uint32_t)layout->nb_channels : 0;
    gm_buf_be32(buf, (uint32_t)layout->order);
    gm_buf_be32(buf, channels);
    gm_buf_be64(buf, custom ? 0 : layout->u.mask);
    for (uint32_t i = 0; custom && i < channels; i++) {
        gm_buf_be32(buf, (uint32_t)layout->u.map[i].id);
    }
}

int gm_codecpar_encode(const AVCodecParameters *par, const AVStream *stream, uint8_t **out,
                       size_t *out_size, struct gm_err *err)
{
    struct gm_buf buf = {0};
    uint32_t extra = par->extradata_size > 0 ? (uint32_t)par->extradata_size : 0;
    uint32_t sides = stream != NULL && stream->nb_side_data > 0 ? stream->nb_side_data : 0;
    if (extra > MAX_EXTRADATA || sides > MAX_SIDES ||
        par->ch_layout.nb_channels > (int)MAX_CHANNELS) {
        return gm_err_set(err, GM_E_INPUT_UNREADABLE, 0, "codec parameters are too large to carry");
    }
    gm_buf_be32(&buf, CODECPAR_VERSION);
#define PUT(field) gm_buf_be64(&buf, (uint64_t)(int64_t)par->field);
    FIELDS(PUT)
#undef PUT
    gm_buf_be32(&buf, extra);
    gm_buf_add(&buf, par->extradata, extra);
    put_layout(&buf, &par->ch_layout);
    gm_buf_be32(&buf, sides);
    for (uint32_t i = 0; i < sides; i++) {
        const AVPacketSideData *side = &stream->side_data[i];
        if (side->size > MAX_EXTRADATA) {
            gm_buf_fini(&buf);
            return gm_err_set(err, GM_E_INPUT_UNREADABLE, 0, "stream side data is too large");
        }
        gm_buf_be32(&buf, (uint32_t)side->type);
        gm_buf_be32(&buf, (uint32_t)side->size);
        gm_buf_add(&buf, side->data, side->size);
    }
    int rc = gm_buf_check(&buf, err);
    if (rc < 0) {
        gm_buf_fini(&buf);
        return rc;
    }
    *out = buf.data;
    *out_size = buf.size;
    return 0;
}

/* A checked reader: after the first short read everything is zero and `bad` stays set. */
struct cursor {
    const uint8_t *data;
    size_t size;
    bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
    if (c->bad || n > c->size) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->data;
    c->data += n;
    c->size -= n;
    return p;
}

static uint64_t get(struct cursor *c, size_t bytes)
{
    const uint8_t *p = take(c, bytes);
    uint64_t v = 0;
    for (size_t i = 0; p != NULL && i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static int get_layout(struct cursor *c, AVChannelLayout *layout, struct gm_err *err)
{
    uint32_t order = (uint32_t)get(c, 4);
    uint32_t channels = (uint32_t)get(c, 4);
    uint64_t mask = get(c, 8);
    if (order > AV_CHANNEL_ORDER_AMBISONIC || channels > MAX_CHANNELS) {
        c->bad = true;
        return 0;
    }
    layout->order = (enum AVChannelOrder)order;
    layout->nb_channels = (int)channels;
    layout->u.mask = mask;
    if (order != AV_CHANNEL_ORDER_CUSTOM) {
        c->bad = c->bad || (channels > 0 && !av_channel_layout_check(layout));
        return 0;
    }
    layout->u.map = av_calloc(channels + 1u, sizeof *layout->u.map);
    if (layout->u.map == NULL) {
        return gm_err_nomem(err);
    }
    for (uint32_t i = 0; i < channels; i++) {
        layout->u.map[i].id = (enum AVChannel)(int32_t)get(c, 4);
    }
    return 0;
}

/* Up to and without the side data. */
static int get_parameters(struct cursor *c, AVCodecParameters *par, struct gm_err *err)
{
    if (get(c, 4) != CODECPAR_VERSION) {
        c->bad = true;
    }
#define GET(field) par->field = (__typeof__(par->field))(int64_t)get(c, 8);
    FIELDS(GET)
#undef GET
    uint32_t extra = (uint32_t)get(c, 4);
    const uint8_t *bytes = extra > MAX_EXTRADATA ? NULL : take(c, extra);
    if (bytes == NULL) {
        c->bad = true;
        return 0;
    }
    int rc = gm_av_set_extradata(par, bytes, extra, err);
    return rc == 0 ? get_layout(c, &par->ch_layout, err) : rc;
}

/* The next side data; false at the end of the list. */
static bool next_side(struct cursor *c, uint32_t *left, uint32_t *out_type, uint32_t *out_size,
                      const uint8_t **out_data)
{
    if (c->bad || *left == 0) {
        return false;
    }
    (*left)--;
    *out_type = (uint32_t)get(c, 4);
    *out_size = (uint32_t)get(c, 4);
    *out_data = take(c, *out_size);
    return !c->bad;
}

int gm_codecpar_decode(const uint8_t *data, size_t size, AVCodecParameters **out,
                       struct gm_err *err)
{
    struct cursor c = {.data = data, .size = size};
    AVCodecParameters *par = avcodec_parameters_alloc();
    if (par == NULL) {
        return gm_err_nomem(err);
    }
    int rc = get_parameters(&c, par, err);
    uint32_t sides = (uint32_t)get(&c, 4);
    if (sides > MAX_SIDES) {
        c.bad = true;
    }
    uint32_t type, bytes;
    const uint8_t *body;
    while (rc == 0 && next_side(&c, &sides, &type, &bytes, &body)) {
    }
    if (rc == 0 && (c.bad || c.size != 0 || par->width < 0 || par->height < 0)) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "codec parameters of a chunk are malformed");
    }
    if (rc < 0) {
        avcodec_parameters_free(&par);
        return rc;
    }
    *out = par;
    return 0;
}

const uint8_t *gm_codecpar_find_side(const uint8_t *data, size_t size,
                                     enum AVPacketSideDataType wanted, size_t *out_size)
{
    struct cursor c = {.data = data, .size = size};
    AVCodecParameters *par = avcodec_parameters_alloc();
    const uint8_t *found = NULL;
    if (par == NULL) {
        return NULL;
    }
    if (get_parameters(&c, par, NULL) == 0) {
        uint32_t sides = (uint32_t)get(&c, 4);
        uint32_t type, bytes;
        const uint8_t *body;
        while (found == NULL && next_side(&c, &sides, &type, &bytes, &body)) {
            if (type == (uint32_t)wanted) {
                found = body;
                *out_size = bytes;
            }
        }
    }
    avcodec_parameters_free(&par);
    return found;
}
