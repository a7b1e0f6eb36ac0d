#include "media/format/nal.h"

#include "media/format/bitstream_nal.h"

#define SPS_BYTES 1024 /* more than stands before frame_mbs_only_flag */

/* One step through NAL units; false at the end or at something malformed. */
struct walk {
    const uint8_t *data;
    size_t size, at;
    int length_size; /* 0: start codes */
};

static bool next_prefixed(struct walk *w, const uint8_t **out, size_t *out_size)
{
    size_t n = (size_t)w->length_size;
    uint64_t length = 0;
    if (w->size - w->at < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        length = length << 8 | w->data[w->at + i];
    }
    w->at += n;
    if (length > w->size - w->at) {
        return false;
    }
    *out = w->data + w->at;
    *out_size = (size_t)length;
    w->at += (size_t)length;
    return true;
}

static size_t find_start(const struct walk *w, size_t from)
{
    for (size_t i = from; i + 3 <= w->size; i++) {
        if (w->data[i] == 0 && w->data[i + 1] == 0 && w->data[i + 2] == 1) {
            return i;
        }
    }
    return w->size;
}

static bool next_started(struct walk *w, const uint8_t **out, size_t *out_size)
{
    size_t start = find_start(w, w->at);
    if (start == w->size) {
        return false;
    }
    size_t end = find_start(w, start + 3);
    *out = w->data + start + 3;
    *out_size = end - start - 3;
    w->at = end;
    return true;
}

/* libavcodec's decoders of Windows Media keep tables from frame to frame that a keyframe does not
 * reset: the keyframe where decoding begins is not what it is in the whole stream, the next one
 * is. */
static bool keeps_state(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_WMV1 || codec == AV_CODEC_ID_WMV2 || codec == AV_CODEC_ID_WMV3 ||
           codec == AV_CODEC_ID_VC1 || codec == AV_CODEC_ID_MSMPEG4V1 ||
           codec == AV_CODEC_ID_MSMPEG4V2 || codec == AV_CODEC_ID_MSMPEG4V3;
}

static struct walk start_walk(bool hevc, const uint8_t *extradata, size_t extradata_size,
                              const uint8_t *data, size_t size)
{
    struct walk w = {.data = data, .size = size};
    size_t at = hevc ? 21 : 4; /* lengthSizeMinusOne of hvcC and avcC */
    if (extradata_size > at && extradata[0] == 1) {
        w.length_size = (extradata[at] & 3) + 1;
    }
    return w;
}

static bool next_unit(struct walk *w, const uint8_t **out, size_t *out_size)
{
    return w->length_size > 0 ? next_prefixed(w, out, out_size) : next_started(w, out, out_size);
}

bool gm_nal_is_closed(enum AVCodecID codec, const uint8_t *extradata, size_t extradata_size,
                      const uint8_t *data, size_t size)
{
    bool hevc = codec == AV_CODEC_ID_HEVC;
    const uint8_t *nal;
    size_t nal_size;
    if (keeps_state(codec)) {
        return false;
    }
    if (codec != AV_CODEC_ID_H264 && !hevc) {
        return true;
    }
    struct walk w = start_walk(hevc, extradata, extradata_size, data, size);
    while (next_unit(&w, &nal, &nal_size)) {
        if (nal_size == 0) {
            continue;
        }
        int type = hevc ? nal[0] >> 1 & 63 : nal[0] & 31;
        if (hevc && type < 32) { /* the first slice says it */
            return type >= 16 && type <= 21;
        }
        if (!hevc && type >= 1 && type <= 5) {
            return type == 5;
        }
    }
    return false;
}

/* Bytes of a NAL unit without its emulation prevention bytes. */
struct payload {
    const uint8_t *data;
    size_t size, at;
    int zeros;
};

/* -1: no more. */
static int next_byte(struct payload *p)
{
    if (p->zeros >= 2 && p->at < p->size && p->data[p->at] == 3) {
        p->at++;
        p->zeros = 0;
    }
    if (p->at >= p->size) {
        return -1;
    }
    p->zeros = p->data[p->at] == 0 ? p->zeros + 1 : 0;
    return p->data[p->at++];
}

/* A message's type or size. -1: no more. */
static int64_t next_number(struct payload *p)
{
    int64_t sum = 0;
    int byte = next_byte(p);
    for (; byte == 255; byte = next_byte(p)) {
        sum += 255;
    }
    return byte < 0 ? -1 : sum + byte;
}

/* Of a unit behind its header. */
static bool has_message(const uint8_t *data, size_t size, int64_t wanted)
{
    struct payload p = {.data = data, .size = size};
    for (;;) {
        int64_t type = next_number(&p);
        int64_t left = next_number(&p);
        if (left < 0 || type == wanted) {
            return left >= 0;
        }
        for (; left > 0; left--) {
            if (next_byte(&p) < 0) {
                return false;
            }
        }
    }
}

bool gm_nal_has_grain(enum AVCodecID codec, const uint8_t *extradata, size_t extradata_size,
                      const uint8_t *data, size_t size)
{
    bool hevc = codec == AV_CODEC_ID_HEVC;
    size_t header = hevc ? 2 : 1;
    const uint8_t *nal;
    size_t nal_size;
    if (codec != AV_CODEC_ID_H264 && !hevc) {
        return false;
    }
    struct walk w = start_walk(hevc, extradata, extradata_size, data, size);
    while (next_unit(&w, &nal, &nal_size)) {
        if (nal_size > header && (hevc ? nal[0] >> 1 & 63 : nal[0] & 31) == (hevc ? 39 : 6) &&
            has_message(nal + header, nal_size - header, 19)) {
            return true;
        }
    }
    return false;
}

static int32_t take_se(struct gm_bits *b)
{
    uint32_t v = gm_bits_take_ue(b);
    return (v & 1) != 0 ? (int32_t)(v / 2 + 1) : -(int32_t)(v / 2);
}

static void skip_scaling_list(struct gm_bits *b, int size)
{
    int next = 8;
    for (int i = 0; i < size && next != 0 && !b->over; i++) {
        next = (next + (take_se(b) & 255)) & 255;
    }
}

/* What profiles from High on have there. */
static void skip_high(struct gm_bits *b)
{
    uint32_t chroma = gm_bits_take_ue(b);
    (void)gm_bits_take(b, chroma == 3); /* separate_colour_plane_flag */
    (void)gm_bits_take_ue(b);
    (void)gm_bits_take_ue(b); /* depths */
    (void)gm_bits_take(b, 1);
    if (gm_bits_take(b, 1) != 0) {
        for (int i = 0; i < (chroma == 3 ? 12 : 8); i++) {
            if (gm_bits_take(b, 1) != 0) {
                skip_scaling_list(b, i < 6 ? 16 : 64);
            }
        }
    }
}

static void skip_order_count(struct gm_bits *b)
{
    uint32_t type = gm_bits_take_ue(b);
    if (type == 0) {
        (void)gm_bits_take_ue(b);
    } else if (type == 1) {
        (void)gm_bits_take(b, 1);
        (void)gm_bits_take_ue(b);
        (void)gm_bits_take_ue(b);
        for (uint32_t n = gm_bits_take_ue(b); n > 0 && !b->over; n--) {
            (void)gm_bits_take_ue(b);
        }
    }
}

/* nal: a sequence parameter set. */
static bool has_fields(const uint8_t *nal, size_t size)
{
    static const uint8_t high[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    uint8_t raw[SPS_BYTES];
    size_t n = gm_nal_unescape(nal, size, raw, sizeof raw);
    struct gm_bits b = {.data = raw, .bits = n * 8};
    (void)gm_bits_take(&b, 8);
    uint32_t profile = gm_bits_take(&b, 8);
    (void)gm_bits_take(&b, 16);
    (void)gm_bits_take_ue(&b);
    for (size_t i = 0; i < sizeof high; i++) {
        if (profile == high[i]) {
            skip_high(&b);
        }
    }
    (void)gm_bits_take_ue(&b); /* frame_num */
    skip_order_count(&b);
    (void)gm_bits_take_ue(&b);
    (void)gm_bits_take(&b, 1);
    (void)gm_bits_take_ue(&b);
    (void)gm_bits_take_ue(&b); /* width, height */
    return gm_bits_take(&b, 1) == 0 || b.over;
}

bool gm_nal_has_fields(const uint8_t *extradata, size_t extradata_size)
{
    const uint8_t *nal;
    size_t nal_size, at = 0;
    int sets = 0;
    if (extradata_size > 6 && extradata[0] == 1) {
        struct walk w = {.data = extradata, .size = extradata_size, .at = 6, .length_size = 2};
        for (int i = extradata[5] & 31; i > 0; i--, sets++) {
            if (!next_prefixed(&w, &nal, &nal_size) || has_fields(nal, nal_size)) {
                return true;
            }
        }
        return sets == 0;
    }
    while (gm_nal_next(extradata, extradata_size, &at, &nal, &nal_size)) {
        if (nal_size > 0 && (nal[0] & 31) == 7) {
            sets++;
            if (has_fields(nal, nal_size)) {
                return true;
            }
        }
    }
    return sets == 0;
}
