#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/frames_chunk.h"
#include "proto/chunk_format.h"

/* What goes into the decoder, and what stands for a chunk of which nothing comes out. */

static int read_source(const struct gm_frames_source *source, const struct gm_chunk_packet *p,
                       uint8_t *data, struct gm_err *err)
{
    int fd = -1;
    int rc = source->source(source->arg, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (p->offset > (uint64_t)INT64_MAX - p->size) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Packet %" PRIu64 " lies nowhere", p->id);
    }
    for (size_t done = 0; done < p->size;) {
        ssize_t n = pread(fd, data + done, p->size - done, (off_t)(p->offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "Reading packet %" PRIu64 " of the source", p->id);
        }
        if (n == 0) {
            return gm_err_set(err, GM_E_INPUT_CHANGED, 0,
                              "The source ends inside of packet %" PRIu64, p->id);
        }
        done += (size_t)n;
    }
    return 0;
}

int gm_frames_packet_fill(const struct gm_frames_source *source, const struct gm_chunk_packet *p,
                          AVPacket *packet, struct gm_err *err)
{
    av_packet_unref(packet);
    if (p->size > GM_CHUNK_MAX_PACKET) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Packet %" PRIu64 " is too large", p->id);
    }
    if (av_new_packet(packet, (int)p->size) < 0) {
        return gm_err_nomem(err);
    }
    if (p->by_reference) {
        int rc = read_source(source, p, packet->data, err);
        if (rc < 0) {
            return rc;
        }
    } else if (p->size > 0) {
        memcpy(packet->data, p->data, p->size);
    }
    packet->pts = (int64_t)p->id;
    packet->flags = (int)(p->flags & INT_MAX);
    for (uint16_t i = 0; i < p->sides; i++) {
        const struct gm_chunk_side *s = &p->side[i];
        if (s->type >= AV_PKT_DATA_NB) {
            continue;
        }
        uint8_t *to = av_packet_new_side_data(packet, (enum AVPacketSideDataType)s->type, s->size);
        if (to == NULL) {
            return gm_err_nomem(err);
        }
        if (s->size > 0) {
            memcpy(to, s->data, s->size);
        }
    }
    return 0;
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
