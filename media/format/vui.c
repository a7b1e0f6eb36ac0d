#include "media/format/vui.h"

#include <libavcodec/bsf.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <string.h>

#include "media/av.h"

int gm_vui_set_rate(enum AVCodecID codec, const uint8_t *headers, size_t size, AVRational rate,
                    struct gm_buf *out, struct gm_err *err)
{
    char options[96];
    AVBSFContext *bsf = NULL;
    if (rate.num <= 0 || rate.den <= 0 || rate.num > INT32_MAX / 2) {
        return gm_err_set(err, GM_E_MEDIA, 0, "%d/%d is no frame rate", rate.num, rate.den);
    }
    if (codec != AV_CODEC_ID_H264 && codec != AV_CODEC_ID_HEVC) {
        gm_buf_add(out, headers, size);
        return gm_buf_check(out, err);
    }
    bool avc = codec == AV_CODEC_ID_H264;
    (void)snprintf(options, sizeof options, "%s_metadata=tick_rate=%d/%d", avc ? "h264" : "hevc",
                   avc ? 2 * rate.num : rate.num, rate.den);
    int av = av_bsf_list_parse_str(options, &bsf);
    int rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "Opening %s", options) : 0;
    if (rc == 0) {
        bsf->par_in->codec_type = AVMEDIA_TYPE_VIDEO;
        bsf->par_in->codec_id = codec;
        rc = gm_av_set_extradata(bsf->par_in, headers, size, err);
    }
    if (rc == 0) {
        av = av_bsf_init(bsf);
        rc = av < 0 ? gm_err_av(err, GM_E_MEDIA, av, "Rewriting parameter sets") : 0;
    }
    if (rc == 0) {
        gm_buf_add(out, bsf->par_out->extradata, (size_t)bsf->par_out->extradata_size);
        rc = gm_buf_check(out, err);
    }
    av_bsf_free(&bsf);
    return rc;
}
