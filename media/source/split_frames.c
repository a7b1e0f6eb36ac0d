#include "media/source/split_frames.h"

#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

/* Packets: a frame's turn has come when a packet with a decoding time at or after its presentation
 * time was read, since all later ones are shown later. Decoding: packets carry their id as time
 * stamps and as reordered_opaque, as in encode, so that a frame names the packet it came from; its
 * time is guessed from its packet's as libavcodec does.
 *
 * Some old codecs (WMV2) have keyframes whose picture depends on what was decoded before. So while
 * it decodes anyway, split decodes keyframes once more with a new decoder and compares. H.264 and
 * HEVC are left out: their parameter sets tell, and so are codecs that have nothing but keyframes.
 */
#define MAX_DRAIN_ERRORS 64
#define MAX_SEND_TRIES 64

int gm_split_frames_init(struct gm_split_frames *s, bool decode, const AVCodecParameters *par,
                         AVRational time_base, AVRational rate, gm_split_frame_fn fn, void *arg,
                         struct gm_err *err)
{
    *s = (struct gm_split_frames){
        .decode = decode,
        .fn = fn,
        .arg = arg,
        .time_base = time_base,
        .rate = rate.num > 0 && rate.den > 0 ? rate : (AVRational){25, 1},
    };
    gm_time_guess_init(&s->guess);
    for (size_t i = 0; i < GM_SPLIT_RECENT; i++) {
        s->recent[i].id = UINT64_MAX;
    }
    if (!decode) {
        return 0;
    }
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    if (s->packet == NULL || s->frame == NULL) {
        return gm_err_nomem(err);
    }
    const AVCodecDescriptor *desc = avcodec_descriptor_get(par->codec_id);
    bool intra = desc != NULL && (desc->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
    s->par = par;
    s->probe = !intra && par->codec_id != AV_CODEC_ID_H264 && par->codec_id != AV_CODEC_ID_HEVC;
    int rc = gm_decoder_open(par, time_base, &s->decoder, err);
    if (rc == 0) {
        /* The frames of the output are those that a player shows: not what comes before the first
         * picture that decoding may begin with. */
        s->decoder->flags &= ~AV_CODEC_FLAG_OUTPUT_CORRUPT;
    }
    return rc;
}

void gm_split_frames_fini(struct gm_split_frames *s)
{
    avcodec_free_context(&s->decoder);
    av_packet_free(&s->packet);
    av_frame_free(&s->frame);
    for (size_t i = 0; i < GM_SPLIT_PROBES; i++) {
        av_frame_free(&s->probes[i].frame);
    }
}

static bool same_picture(const AVFrame *a, const AVFrame *b)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)a->format);
    if (a->format != b->format || a->width != b->width || a->height != b->height || desc == NULL) {
        return false;
    }
    int planes = av_pix_fmt_count_planes((enum AVPixelFormat)a->format);
    for (int p = 0; p < planes; p++) {
        int bytes = av_image_get_linesize((enum AVPixelFormat)a->format, a->width, p);
        bool chroma = p == 1 || p == 2;
        int rows = chroma ? AV_CEIL_RSHIFT(a->height, desc->log2_chroma_h) : a->height;
        for (int y = 0; y < rows && bytes > 0; y++) {
            if (memcmp(a->data[p] + (ptrdiff_t)y * a->linesize[p],
                       b->data[p] + (ptrdiff_t)y * b->linesize[p], (size_t)bytes) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* Decodes the keyframe alone. A picture that does not come leaves no probe: not judged. */
static int probe_keyframe(struct gm_split_frames *s, AVPacket *p, uint64_t id, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    size_t at = 0;
    while (at < GM_SPLIT_PROBES && s->probes[at].frame != NULL) {
        at++;
    }
    if (at == GM_SPLIT_PROBES) { /* the oldest never came */
        av_frame_free(&s->probes[0].frame);
        memmove(&s->probes[0], &s->probes[1], (GM_SPLIT_PROBES - 1) * sizeof s->probes[0]);
        at = GM_SPLIT_PROBES - 1;
        s->probes[at].frame = NULL;
    }
    AVFrame *frame = av_frame_alloc();
    int rc = frame != NULL ? gm_decoder_open(s->par, s->time_base, &ctx, err) : gm_err_nomem(err);
    if (rc == 0 && avcodec_send_packet(ctx, p) >= 0 && avcodec_send_packet(ctx, NULL) >= 0 &&
        avcodec_receive_frame(ctx, frame) >= 0) {
        s->probes[at].id = id;
        s->probes[at].frame = frame;
        frame = NULL;
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
    return rc;
}

/* Whether this is a keyframe's picture that differs from the probe's. */
static bool is_unfit(struct gm_split_frames *s, uint64_t id, const AVFrame *f)
{
    for (size_t i = 0; i < GM_SPLIT_PROBES; i++) {
        if (s->probes[i].frame != NULL && s->probes[i].id == id) {
            bool same = same_picture(s->probes[i].frame, f);
            av_frame_free(&s->probes[i].frame);
            return !same;
        }
    }
    return false;
}

/* A frame without any time follows the one before by the rate, counted from the last known time. */
static int64_t fill_time(struct gm_split_frames *s, int64_t ts)
{
    if (ts != AV_NOPTS_VALUE) {
        s->anchor_ts = ts;
        s->since_anchor = 0;
        return ts;
    }
    s->untimed++;
    if (!s->any) {
        s->anchor_ts = 0;
        s->since_anchor = 0;
        return 0;
    }
    s->since_anchor++;
    return s->anchor_ts + gm_av_rescale((int64_t)s->since_anchor, av_inv_q(s->rate), s->time_base);
}

static int show(struct gm_split_frames *s, struct gm_split_frame frame, struct gm_err *err)
{
    frame.ts = fill_time(s, frame.ts);
    s->any = true;
    s->last_ts = frame.ts;
    return s->fn(s->arg, &frame, err);
}

static int show_first_waiting(struct gm_split_frames *s, struct gm_err *err)
{
    struct gm_split_frame first = s->waiting[0];
    s->waits--;
    memmove(&s->waiting[0], &s->waiting[1], s->waits * sizeof s->waiting[0]);
    return show(s, first, err);
}

static int push_packet(struct gm_split_frames *s, const AVPacket *p, uint64_t id,
                       struct gm_err *err)
{
    int64_t ts = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    int rc = 0;
    if ((p->flags & AV_PKT_FLAG_DISCARD) == 0) {
        if (ts == AV_NOPTS_VALUE) {
            s->untimed++;
            ts = s->waits > 0 ? s->waiting[s->waits - 1].ts + 1 : s->any ? s->last_ts + 1 : 0;
        }
        size_t at = s->waits;
        while (at > 0 && s->waiting[at - 1].ts > ts) {
            s->waiting[at] = s->waiting[at - 1];
            at--;
        }
        s->waiting[at] = (struct gm_split_frame){.id = id, .until = id, .ts = ts};
        s->waits++;
    }
    while (
        rc == 0 && s->waits > 0 &&
        (s->waits > GM_SPLIT_REORDER || (p->dts != AV_NOPTS_VALUE && s->waiting[0].ts <= p->dts))) {
        rc = show_first_waiting(s, err);
    }
    return rc;
}

static bool is_recent(const struct gm_split_frames *s, int64_t id)
{
    return id >= 0 && s->recent[id % GM_SPLIT_RECENT].id == (uint64_t)id;
}

/* A frame that a later packet shows again (VP9) has that packet's time, which its pts names. */
static struct gm_split_frame name_frame(struct gm_split_frames *s, const AVFrame *f)
{
    int64_t owner = is_recent(s, f->pts) ? f->pts : f->reordered_opaque;
    int64_t pts = is_recent(s, owner) ? s->recent[owner % GM_SPLIT_RECENT].pts : AV_NOPTS_VALUE;
    int64_t dts =
        is_recent(s, f->pkt_dts) ? s->recent[f->pkt_dts % GM_SPLIT_RECENT].dts : AV_NOPTS_VALUE;
    return (struct gm_split_frame){
        .id = (uint64_t)f->reordered_opaque,
        .until = s->fed,
        .ts = gm_time_guess_next(&s->guess, pts, dts),
    };
}

static int take_frames(struct gm_split_frames *s, struct gm_err *err)
{
    int av = 0, rc = 0;
    for (int errors = 0; rc == 0;) {
        av = avcodec_receive_frame(s->decoder, s->frame);
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF) {
            return 0;
        }
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (av < 0) {
            s->decode_errors++;
            if (++errors > MAX_DRAIN_ERRORS) {
                return 0;
            }
            continue;
        }
        if (s->frame->reordered_opaque >= 0) {
            struct gm_split_frame shown = name_frame(s, s->frame);
            shown.unfit = is_unfit(s, shown.id, s->frame);
            rc = show(s, shown, err);
        }
        av_frame_unref(s->frame);
    }
    return rc;
}

static int push_decode(struct gm_split_frames *s, const AVPacket *p, uint64_t id,
                       struct gm_err *err)
{
    size_t slot = (size_t)(id % GM_SPLIT_RECENT);
    if (p->size == 0) { /* to libavcodec it would be the end */
        return 0;
    }
    s->recent[slot].id = id;
    s->recent[slot].pts = p->pts;
    s->recent[slot].dts = p->dts;
    av_packet_unref(s->packet);
    if (av_packet_ref(s->packet, p) < 0) {
        return gm_err_nomem(err);
    }
    s->packet->pts = s->packet->dts = (int64_t)id;
    s->decoder->reordered_opaque = (int64_t)id;
    int av = AVERROR(EAGAIN), rc = 0;
    if (s->probe && id > 0 && (p->flags & AV_PKT_FLAG_KEY) != 0) {
        rc = probe_keyframe(s, s->packet, id, err);
    }
    for (int tries = 0; rc == 0 && av == AVERROR(EAGAIN) && tries < MAX_SEND_TRIES; tries++) {
        av = avcodec_send_packet(s->decoder, s->packet);
        if (av == AVERROR(ENOMEM)) {
            rc = gm_err_nomem(err);
        } else {
            s->decode_errors += av < 0 && av != AVERROR(EAGAIN);
            rc = take_frames(s, err);
        }
    }
    av_packet_unref(s->packet);
    return rc;
}

int gm_split_frames_push(struct gm_split_frames *s, const AVPacket *p, uint64_t id,
                         struct gm_err *err)
{
    s->fed = id;
    return s->decode ? push_decode(s, p, id, err) : push_packet(s, p, id, err);
}

int gm_split_frames_end(struct gm_split_frames *s, struct gm_err *err)
{
    int rc = 0;
    if (s->decode) {
        int av = avcodec_send_packet(s->decoder, NULL);
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        return take_frames(s, err);
    }
    while (rc == 0 && s->waits > 0) {
        rc = show_first_waiting(s, err);
    }
    return rc;
}
