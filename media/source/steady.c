#include "media/source/steady.h"

#include <stdlib.h>

/* Stamps beyond 58 years tell no time: sums of four of them fit 64 bits. */
#define FAR_NS (INT64_MAX / 5)
#define NO_TIME INT64_MIN
/* What packets say to last is believed up to here. */
#define DURATION_NS INT64_C(60000000000)

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
        s->streams[i] = (struct gm_steady_stream){.next = AV_NOPTS_VALUE, .last = AV_NOPTS_VALUE};
    }
    s->offset_ns = 0;
}

static bool tells_time(const AVStream *stream)
{
    enum AVMediaType type = stream->codecpar->codec_type;
    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
}

/* Whether another stream has come as far by the clock after that many jumps. */
static bool is_met(const struct gm_steady *s, const struct gm_steady_stream *st, int64_t at,
                   int64_t jumps)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct gm_steady_stream *other = &s->streams[i];
        if (other != st && other->next != AV_NOPTS_VALUE && other->jumps == jumps &&
            llabs(other->next - at) <= GM_STEADY_JUMP_NS) {
            return true;
        }
    }
    return false;
}

/* By which clock the packet is told: a stream that has not followed the last jump stays on its own
 * while that continues it better, for GM_STEADY_LAG_NS of it. */
static void choose(const struct gm_steady *s, struct gm_steady_stream *st, int64_t at_ns,
                   bool decoding)
{
    int64_t own = at_ns + st->offset_ns, newest = at_ns + s->offset_ns;
    if (st->next != AV_NOPTS_VALUE && st->jumps != s->jumps) {
        st->lags_from = st->saw != s->jumps ? st->next : st->lags_from;
        st->saw = s->jumps;
        bool back = decoding && st->last != AV_NOPTS_VALUE && own - st->last < -GM_STEADY_BACK_NS;
        bool late = own - st->lags_from > GM_STEADY_LAG_NS &&
                    llabs(s->offset_ns - st->offset_ns) <= GM_STEADY_JUMP_NS;
        bool silent = llabs(own - st->next) > GM_STEADY_JUMP_NS && /* and others went on */
                      !is_met(s, st, own, st->jumps) && is_met(s, st, newest, s->jumps);
        if (!back && !late && !silent && llabs(own - st->next) < llabs(newest - st->next)) {
            return;
        }
    }
    st->jumps = s->jumps;
    st->offset_ns = s->offset_ns;
}

/* The packet follows where its stream ended, and so does all after it. */
static void jump(struct gm_steady *s, struct gm_steady_stream *st, int64_t by_ns)
{
    s->offset_ns = st->offset_ns -= by_ns;
    st->jumps = ++s->jumps;
    st->made = s->jumps;
}

/* The packets since the stream left its line were damaged ones. */
static void go_back(struct gm_steady *s, struct gm_steady_stream *st)
{
    st->line.left = 0;
    if (st->made == s->jumps && st->line.jumps != s->jumps) {
        jump(s, st, st->offset_ns - st->line.offset_ns);
        return;
    }
    st->offset_ns = st->line.offset_ns;
    st->jumps = st->line.jumps;
}

static bool goes_on(int64_t at, int64_t next)
{
    return at - next >= -GM_STEADY_BACK_NS && at - next <= GM_STEADY_LINE_NS;
}

/* Whether the packet is where the stream would be if it had not left its line. Left by another
 * clock it comes back by as much: steps of a clock that is there to stay may meet the line, too. */
static bool is_on_line(const struct gm_steady_stream *st, int64_t at_ns)
{
    const struct gm_steady_line *line = &st->line;
    int64_t moved = st->offset_ns - line->offset_ns;
    return line->left > 0 && goes_on(at_ns + line->offset_ns, line->next) &&
           (moved == 0 || goes_on(at_ns + st->offset_ns, st->next - line->gaps + moved));
}

/* The packet lies `away` from where the stream's last one ended, which is too far. */
static void settle(struct gm_steady *s, struct gm_steady_stream *st, int64_t away, bool back,
                   const struct gm_steady_line *before)
{
    int64_t gap = 0;
    if ((away > GM_STEADY_JUMP_NS && !is_met(s, st, st->next + away, st->jumps)) ||
        away < -GM_STEADY_JUMP_NS || (back && before->jumps == s->jumps)) {
        jump(s, st, away);
    } else if (back) { /* it joins the others here, and had gone on for longer before the jump */
        s->offset_ns = st->offset_ns -= away;
    } else {
        gap = away > GM_STEADY_LINE_NS ? away : 0;
    }
    if (st->line.left == 0) {
        st->line = *before;
    }
    st->line.gaps += gap;
}

/* What is added to the packet's times, which are `at_ns` by its stream's clock; or NO_TIME. */
static int64_t follow(struct gm_steady *s, struct gm_steady_stream *st, int64_t at_ns,
                      bool decoding, int64_t duration_ns)
{
    if (st->jumps == s->jumps) {
        st->offset_ns = s->offset_ns;
    }
    const struct gm_steady_line before = {st->offset_ns, st->next, st->jumps, 0, GM_STEADY_LINE};
    choose(s, st, at_ns, decoding);
    if (llabs(at_ns + st->offset_ns) > FAR_NS) {
        return NO_TIME;
    }
    if (st->next != AV_NOPTS_VALUE) {
        int64_t at = at_ns + st->offset_ns, away = at - st->next;
        bool back = decoding && st->last != AV_NOPTS_VALUE && at - st->last < -GM_STEADY_BACK_NS;
        if (decoding && st->last != AV_NOPTS_VALUE && at > st->last && away < -GM_STEADY_JUMP_NS) {
            away = -GM_STEADY_JUMP_NS; /* the packet before said to last longer than it does */
        }
        bool odd = back || llabs(away - st->gap) > GM_STEADY_BACK_NS;
        if (odd && decoding && is_on_line(st, at_ns)) {
            go_back(s, st);
        } else if (odd || llabs(away) > GM_STEADY_JUMP_NS) {
            settle(s, st, away, back, &before);
        }
        if (st->offset_ns == before.offset_ns) {
            st->gap = away > 0 ? away : 0;
        }
    }
    st->last = decoding ? at_ns + st->offset_ns : AV_NOPTS_VALUE;
    st->next = at_ns + st->offset_ns + duration_ns;
    st->line.next += duration_ns;
    st->line.left -= st->line.left > 0;
    return st->offset_ns;
}

static int64_t moved(int64_t ts, int64_t offset)
{
    int64_t sum = 0;
    return ts == AV_NOPTS_VALUE || __builtin_add_overflow(ts, offset, &sum) ? AV_NOPTS_VALUE : sum;
}

void gm_steady_packet(struct gm_steady *s, const AVStream *stream, AVPacket *p)
{
    size_t i = (size_t)stream->index;
    int64_t ts = p->dts != AV_NOPTS_VALUE ? p->dts : p->pts;
    if (!s->on || i >= s->count || ts == AV_NOPTS_VALUE) {
        return;
    }
    int64_t offset_ns = s->offset_ns, at_ns = gm_av_rescale(ts, stream->time_base, ns);
    if (at_ns > FAR_NS || at_ns < -FAR_NS) {
        offset_ns = NO_TIME;
    } else if (tells_time(stream)) {
        int64_t duration_ns = gm_av_rescale(p->duration, stream->time_base, ns);
        offset_ns = follow(s, &s->streams[i], at_ns, p->dts != AV_NOPTS_VALUE,
                           av_clip64(duration_ns, 0, DURATION_NS));
    }
    if (offset_ns == NO_TIME) {
        p->dts = p->pts = AV_NOPTS_VALUE;
        return;
    }
    int64_t offset = gm_av_rescale(offset_ns, ns, stream->time_base);
    p->dts = moved(p->dts, offset);
    p->pts = moved(p->pts, offset);
}
