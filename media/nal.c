#include "media/nal.h"

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

bool gm_nal_is_closed(enum AVCodecID codec, const uint8_t *extradata, size_t extradata_size,
                      const uint8_t *data, size_t size)
{
    bool hevc = codec == AV_CODEC_ID_HEVC;
    struct walk w = {.data = data, .size = size};
    const uint8_t *nal;
    size_t nal_size;
    if (keeps_state(codec)) {
        return false;
    }
    if (codec != AV_CODEC_ID_H264 && !hevc) {
        return true;
    }
    size_t at = hevc ? 21 : 4; /* lengthSizeMinusOne of hvcC and avcC */
    if (extradata_size > at && extradata[0] == 1) {
        w.length_size = (extradata[at] & 3) + 1;
    }
    while (w.length_size > 0 ? next_prefixed(&w, &nal, &nal_size)
                             : next_started(&w, &nal, &nal_size)) {
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
