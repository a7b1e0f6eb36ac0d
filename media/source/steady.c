#include "media/source/steady.h"

#include <stdlib.h>

static const AVRational ns = {1, 1000000000};

int gm_steady_init(struct gm_steady *s, const AVFormatContext *format, struct gm_err *err)
{
    *s = (struct gm_steady){0};
    if ((format->iformat->flags & AVFMT_TS_DISCONT) == 0) {
        return 0;
    }
    s->streams = calloc(GM_STEADY_STREAMS, sizeof *s->streams);
    if (s->streams == NULL) {
        return gm_err_nomem(err);
    }
    s->count = GM_STEADY_STREAMS; /* some appear while reading */
    s->on = true;
    gm_steady_seek(s);
    return 0;
}

void gm_steady_fini(struct gm_steady *s)
{
    free(s->streams);
    *s = (struct gm_steady){0};
}

void gm_steady_seek(struct gm_steady *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->streams[i].next = s->streams[i].last = AV_NOPTS_VALUE;
    }
    s->offset_ns = s->before_ns = 0;
}

static bool tells_time(const AVStream *stream)
{
    enum AVMediaType type = stream->codecpar->codec_type;
    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
}

/* Of the two clocks that a stream may be in which has not followed the last jump, the one by which
 * the packet is nearer to where the last one ended. */
static int64_t offset_of(struct gm_steady *s, struct gm_steady_stream *st, int64_t at_ns)
{
    if (st->next != AV_NOPTS_VALUE && st->jumps != s->jumps &&
        llabs(at_ns + s->before_ns - st->next) < llabs(at_ns + s->offset_ns - st->next)) {
        return s->before_ns;
    }
    st->jumps = s->jumps;
    return s->offset_ns;
}

/* What is added to the packet's times, which are `at_ns` by its stream's clock. */
static int64_t follow(struct gm_steady *s, struct gm_steady_stream *st, int64_t at_ns,
                      bool decoding, int64_t duration_ns)
{
    int64_t offset = offset_of(s, st, at_ns), at = at_ns + offset;
    int64_t jump = st->next != AV_NOPTS_VALUE ? at - st->next : 0;
    bool back = decoding && st->last != AV_NOPTS_VALUE && at - st->last < -GM_STEADY_BACK_NS;
    if (jump > GM_STEADY_JUMP_NS || jump < -GM_STEADY_JUMP_NS || back) {
        s->before_ns = offset;
        s->offset_ns = offset -= jump;
        at -= jump;
        st->jumps = ++s->jumps;
    }
    st->last = decoding ? at : AV_NOPTS_VALUE;
    st->next = at + duration_ns;
    return offset;
}

void gm_steady_packet(struct gm_steady *s, const AVStream *stream, AVPacket *p)
{
    size_t i = (size_t)stream->index;
    int64_t ts = p->dts != AV_NOPTS_VALUE ? p->dts : p->pts;
    if (!s->on || i >= s->count || ts == AV_NOPTS_VALUE) {
        return;
    }
    int64_t offset_ns = s->offset_ns;
    if (tells_time(stream)) {
        offset_ns =
            follow(s, &s->streams[i], gm_av_rescale(ts, stream->time_base, ns),
                   p->dts != AV_NOPTS_VALUE, gm_av_rescale(p->duration, stream->time_base, ns));
    }
    int64_t offset = gm_av_rescale(offset_ns, ns, stream->time_base);
    p->dts = p->dts != AV_NOPTS_VALUE ? p->dts + offset : p->dts;
    p->pts = p->pts != AV_NOPTS_VALUE ? p->pts + offset : p->pts;
}
