#include "fuzz.h"

#include <string.h>

#include <libavutil/log.h>

#include "media/captions.h"
#include "media/format/nal.h"
#include "media/format/vui.h"

/* What is read and written of a source's or an encoder's bit stream besides
 * media/format/bitstream.h: captions, parameter sets' timing, and whether a keyframe is closed. The
 * first byte chooses. */

static void captions(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_buf sei = {0};
    AVFrame *from = av_frame_alloc();
    AVFrame *to = av_frame_alloc();
    GM_ASSERT(from != NULL && to != NULL);
    AVFrameSideData *side = av_frame_new_side_data(from, AV_FRAME_DATA_A53_CC, size);
    GM_ASSERT(side != NULL);
    if (size > 0) {
        memcpy(side->data, data, size);
    }
    unsigned seen = gm_captions_look(from);
    GM_ASSERT(gm_captions_copy(from, to, &err) == 0);
    GM_ASSERT(gm_captions_look(to) == seen);
    gm_captions_add_hevc(data, size, &sei);
    size_t units = 0;
    for (size_t at = 0; at < sei.size; units++) {
        GM_ASSERT(sei.size - at > 4);
        at += 4 + ((size_t)sei.data[at] << 24 | (size_t)sei.data[at + 1] << 16 |
                   (size_t)sei.data[at + 2] << 8 | sei.data[at + 3]);
        GM_ASSERT(at <= sei.size);
    }
    size_t most = size < GM_CAPTIONS_MOST ? size : GM_CAPTIONS_MOST;
    GM_ASSERT(units ==
              (size % 3 == 0 ? (most + GM_CAPTIONS_MESSAGE - 1) / GM_CAPTIONS_MESSAGE : 0));
    GM_ASSERT(sei.size <= GM_CAPTIONS_MOST * 3 / 2 + units * 32); /* escaped, and heads */
    GM_ASSERT(gm_captions_is_cut(from) == (size > GM_CAPTIONS_MOST));
    struct gm_buf avc = {0};
    gm_captions_add_h264(data, size, &avc); /* a byte of head less; escaping hangs on neither */
    GM_ASSERT(avc.size == sei.size - units);
    gm_buf_fini(&avc);
    gm_buf_fini(&sei);
    av_frame_free(&from);
    av_frame_free(&to);
}

static void timing(enum AVCodecID codec, const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_buf once = {0}, twice = {0};
    AVRational rate = {30000, 1001};
    if (gm_vui_set_rate(codec, data, size, rate, &once, &err) == 0 &&
        gm_vui_set_rate(codec, once.data, once.size, rate, &twice, &err) == 0) {
        GM_ASSERT(once.size == twice.size &&
                  (once.size == 0 || memcmp(once.data, twice.data, once.size) == 0));
    }
    gm_buf_fini(&once);
    gm_buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum AVCodecID codecs[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_WMV3,
                                            AV_CODEC_ID_AV1};
    av_log_set_level(AV_LOG_QUIET);
    if (size < 2) {
        return 0;
    }
    enum AVCodecID codec = codecs[data[0] & 3];
    size_t cut = data[1] < size - 2 ? data[1] : size - 2;
    data += 2;
    size -= 2;
    captions(data, size);
    timing(codec, data, size);
    (void)gm_nal_is_closed(codec, data, cut, data + cut, size - cut);
    return 0;
}
