#include <string.h>

#include "media/av.h"
#include "media/chunk_packet.h"
#include "media/decode/frames_chunk.h"

/* What goes into the decoder, and what stands for a chunk of which nothing comes out. */

int gm_frames_packet_fill(const struct gm_frames_source *source, const struct gm_chunk_packet *p,
                          AVPacket *packet, struct gm_err *err)
{
    struct gm_source_file file = gm_source_plain(-1);
    int rc = p->by_reference ? source->source(source->arg, &file, err) : 0;
    if (rc == 0) {
        rc = gm_chunk_packet_fill(p, file, packet, err);
    }
    if (rc == 0) {
        packet->pts = (int64_t)p->id;
    }
    return rc;
}

int gm_frames_black(const uint8_t *data, size_t size, AVFrame *p, struct gm_err *err)
{
    AVCodecParameters *par = NULL;
    int rc = gm_codecpar_decode(data, size, &par, err);
    if (rc < 0) {
        return rc;
    }
    p->width = par->width;
    p->height = par->height;
    p->format = AV_PIX_FMT_YUV420P;
    p->color_range = AVCOL_RANGE_MPEG;
    p->color_primaries = par->color_primaries;
    p->color_trc = par->color_trc;
    p->colorspace = par->color_space == AVCOL_SPC_RGB ? AVCOL_SPC_UNSPECIFIED : par->color_space;
    p->sample_aspect_ratio = par->sample_aspect_ratio;
    avcodec_parameters_free(&par);
    int av = av_frame_get_buffer(p, 0);
    if (av < 0) {
        return gm_err_av(err, GM_E_MEDIA, av, "A black picture of %dx%d was refused", p->width,
                         p->height);
    }
    for (int plane = 0; plane < 3; plane++) {
        int rows = plane == 0 ? p->height : (p->height + 1) / 2;
        memset(p->data[plane], plane == 0 ? 16 : 128, (size_t)p->linesize[plane] * (size_t)rows);
    }
    return 0;
}

bool gm_frames_resets(enum AVCodecID codec)
{
    static const enum AVCodecID known[] = {
        AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC,       AV_CODEC_ID_AV1,
        AV_CODEC_ID_VP8,   AV_CODEC_ID_VP9,        AV_CODEC_ID_MPEG1VIDEO,
        AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_THEORA,
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i] == codec) {
            return true;
        }
    }
    const AVCodecDescriptor *d = avcodec_descriptor_get(codec);
    return d != NULL && (d->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
}
