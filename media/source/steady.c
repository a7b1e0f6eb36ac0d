#include "media/source/steady.h"

#include <stdlib.h>

static const AVRational ns = {1, 1000000000};

int gm_steady_init(struct gm_steady *s, const AVFormatContext *format, struct gm_err *err)
{
    *s = (struct gm_steady){0};
    if ((format->iformat->flags & AVFMT_TS_DISCONT) == 0) {
        return 0;
    }
    s->next = calloc(GM_STEADY_STREAMS, sizeof *s->next);
    if (s->next == NULL) {
        return gm_err_nomem(err);
    }
    s->count = GM_STEADY_STREAMS; /* some appear while reading */
    s->on = true;
    gm_steady_seek(s);
    return 0;
}

void gm_steady_fini(struct gm_steady *s)
{
    free(s->next);
    *s = (struct gm_steady){0};
}

void gm_steady_seek(struct gm_steady *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->next[i] = AV_NOPTS_VALUE;
    }
    s->offset_ns = 0;
}

static bool tells_time(const AVStream *stream)
{
    enum AVMediaType type = stream->codecpar->codec_type;
    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
}

void gm_steady_packet(struct gm_steady *s, const AVStream *stream, AVPacket *p)
{
    size_t i = (size_t)stream->index;
    int64_t ts = p->dts != AV_NOPTS_VALUE ? p->dts : p->pts;
    if (!s->on || i >= s->count || ts == AV_NOPTS_VALUE) {
        return;
    }
    int64_t at = gm_av_rescale(ts, stream->time_base, ns) + s->offset_ns;
    if (tells_time(stream)) {
        int64_t jump = s->next[i] != AV_NOPTS_VALUE ? at - s->next[i] : 0;
        if (jump > GM_STEADY_JUMP_NS || jump < -GM_STEADY_JUMP_NS) {
            s->offset_ns -= jump;
            at -= jump;
            s->jumps++;
        }
        s->next[i] = at + gm_av_rescale(p->duration, stream->time_base, ns);
    }
    int64_t offset = gm_av_rescale(s->offset_ns, ns, stream->time_base);
    p->dts = p->dts != AV_NOPTS_VALUE ? p->dts + offset : p->dts;
    p->pts = p->pts != AV_NOPTS_VALUE ? p->pts + offset : p->pts;
}
