#include "media/source/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const AVRational micro = {1, 1000000};

static bool is_media(const AVStream *st)
{
    enum AVMediaType type = st->codecpar->codec_type;
    return (type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO) &&
           (st->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0;
}

static int64_t outside_of(AVStream *st, int64_t file_size)
{
    int64_t first = AV_NOPTS_VALUE;
    int64_t last = AV_NOPTS_VALUE;
    int count = avformat_index_get_entries_count(st);
    for (int i = 0; i < count; i++) {
        const AVIndexEntry *e = avformat_index_get_entry(st, i);
        bool out = e->pos > file_size - e->size;
        first = out && first == AV_NOPTS_VALUE ? e->timestamp : first;
        last = e->timestamp;
    }
    if (first == AV_NOPTS_VALUE) {
        return 0;
    }
    int64_t span = 0;
    if (last > first && __builtin_sub_overflow(last, first, &span)) {
        span = INT64_MAX;
    }
    int64_t us = gm_av_rescale(span, st->time_base, micro);
    return us > 0 ? us : 1;
}

int64_t gm_claims_outside_us(AVFormatContext *format, int64_t file_size)
{
    int64_t most = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        int64_t us = is_media(format->streams[i]) ? outside_of(format->streams[i], file_size) : 0;
        most = us > most ? us : most;
    }
    return most;
}

void gm_claims_tell_streams(AVFormatContext *format, int64_t file_size, char out[GM_CLAIMS_TEXT])
{
    int64_t least = INT64_MAX, most = 0;
    char text[GM_CLAIMS_TEXT] = " (";
    size_t used = 2;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *st = format->streams[i];
        if (!is_media(st) || st->discard >= AVDISCARD_ALL) {
            continue;
        }
        int64_t us = outside_of(st, file_size);
        least = us < least ? us : least;
        most = us > most ? us : most;
        char one[64];
        int n = snprintf(one, sizeof one, "%sstream %u: %.3f s", used > 2 ? ", " : "", i,
                         (double)us / 1e6);
        if (n > 0 && (size_t)n < sizeof one && used + (size_t)n + 2 <= sizeof text) {
            memcpy(text + used, one, (size_t)n + 1);
            used += (size_t)n;
        }
    }
    bool differ = least <= most && most - least > GM_CLAIMS_SLACK_US;
    (void)snprintf(out, GM_CLAIMS_TEXT, "%s%s", differ ? text : "", differ ? ")" : "");
}

/* Of an AVI file that is cut off libavformat shortens the streams' durations by its own estimate;
 * their frames stay what the stream headers say. Sound counts where no picture does: its lengths
 * are in units that muxers disagree on. */
static int64_t avi_us(const AVFormatContext *format)
{
    int64_t most[2] = {0, 0};
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const AVStream *st = format->streams[i];
        if (!is_media(st) || st->nb_frames <= 0 || st->time_base.num <= 0 ||
            st->time_base.den <= 0) {
            continue;
        }
        int64_t us = gm_av_rescale(st->nb_frames, st->time_base, micro);
        int64_t *best = &most[st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO];
        *best = us > *best ? us : *best;
    }
    return most[0] > 0 ? most[0] : most[1];
}

/* Of a stream of MP4 or QuickTime, all ones say that it was not known (fragments). */
static bool is_open(const AVFormatContext *format)
{
    bool open = false;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        open = open || format->streams[i]->duration == UINT32_MAX;
    }
    return open && format->iformat != NULL && strncmp(format->iformat->name, "mov,", 4) == 0;
}

/* What the headers say of the whole; 0: nothing that counts. */
static int64_t claimed_us(const AVFormatContext *format, int64_t header_us)
{
    if (header_us > 0) {
        return header_us;
    }
    if (is_open(format)) {
        return 0;
    }
    if (format->iformat != NULL && strcmp(format->iformat->name, "avi") == 0) {
        int64_t us = avi_us(format);
        if (us > 0) {
            return us;
        }
    }
    return format->duration_estimation_method == AVFMT_DURATION_FROM_STREAM && format->duration > 0
               ? format->duration
               : 0;
}

bool gm_claims_is_unwritten(const AVStream *stream, const AVPacket *packet)
{
    static const enum AVCodecID codecs[] = {
        AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC,  AV_CODEC_ID_AV1,        AV_CODEC_ID_VP8,
        AV_CODEC_ID_VP9,   AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO,
        AV_CODEC_ID_MJPEG, AV_CODEC_ID_H263,  AV_CODEC_ID_PRORES,     AV_CODEC_ID_DNXHD,
        AV_CODEC_ID_AAC,   AV_CODEC_ID_MP2,   AV_CODEC_ID_MP3,        AV_CODEC_ID_AC3,
        AV_CODEC_ID_EAC3,  AV_CODEC_ID_DTS,   AV_CODEC_ID_FLAC,       AV_CODEC_ID_VORBIS,
    };
    bool known = false;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        known = known || codecs[i] == stream->codecpar->codec_id;
    }
    int at = 0;
    while (at < packet->size && packet->data[at] == 0) {
        at++;
    }
    return known && packet->size > 0 && at == packet->size;
}

/* Packets come as they are decoded, not as they are shown. */
static void note_track(struct gm_claims_track *t, int64_t ts, int64_t length, int64_t end)
{
    bool first = t->packets == 0, last = first || ts >= t->ts;
    t->end = first || end > t->end ? end : t->end;
    if (last) {
        t->before_ts = t->ts;
        t->before = t->length;
        t->ts = ts;
        t->length = length;
    } else if (t->packets == 1 || ts > t->before_ts) {
        t->before_ts = ts;
        t->before = length;
    }
    t->packets = first ? 1 : 2;
}

void gm_claims_note(struct gm_claims_span *span, const AVStream *stream, const AVPacket *packet)
{
    int64_t ts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts, end;
    int i = stream->index;
    if (i >= GM_CLAIMS_STREAMS || ts == AV_NOPTS_VALUE ||
        (packet->flags & AV_PKT_FLAG_DISCARD) != 0 || gm_claims_is_unwritten(stream, packet)) {
        return;
    }
    bool told = packet->duration > 0 && !__builtin_add_overflow(ts, packet->duration, &end);
    end = told ? end : ts;
    int64_t end_us = gm_av_rescale(end, stream->time_base, micro);
    if (stream->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE) {
        bool later = !span->has_text || end_us > span->text_end_us;
        span->text_end_us = later ? end_us : span->text_end_us;
        span->has_text = true;
        return;
    }
    span->end_us = span->any && span->end_us > end_us ? span->end_us : end_us;
    span->any = true;
    note_track(&span->tracks[i], ts, told ? packet->duration : 0, end);
}

/* A programme that starts late is counted from zero by some containers. */
static int64_t span_of(int64_t start_us, int64_t end_us)
{
    int64_t span = end_us;
    if (start_us <= 0 && __builtin_sub_overflow(end_us, start_us, &span)) {
        span = INT64_MAX;
    }
    return span;
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Until when the track may last, though it does not say so. */
static int64_t reach_us(const struct gm_claims_track *t, AVRational tb)
{
    int64_t end_us = gm_av_rescale(t->end, tb, micro), step = 0, gap = 0;
    bool steps = t->packets > 1 && !__builtin_sub_overflow(t->ts, t->before_ts, &step);
    bool is_told = t->length > 0 && (!steps || __builtin_sub_overflow(step, t->before, &gap) ||
                                     gap <= 0 || t->before == 0);
    int64_t step_us = steps ? gm_av_rescale(step, tb, micro) : GM_CLAIMS_SLACK_US;
    int64_t last_us = gm_av_rescale(t->ts, tb, micro);
    int64_t until = add(last_us, add(step_us, step_us / GM_CLAIMS_SLACK_PART)); /* rounded times */
    return is_told || until < end_us ? end_us : until;
}

/* Some track may last until the end that is claimed. */
static bool may_be_whole(const AVFormatContext *format, const struct gm_claims_span *span, bool cut,
                         int64_t start_us, int64_t claimed)
{
    bool whole = false;
    for (unsigned i = 0; i < format->nb_streams && i < GM_CLAIMS_STREAMS; i++) {
        const struct gm_claims_track *t = &span->tracks[i];
        AVRational tb = format->streams[i]->time_base;
        bool counts = t->packets > 0 && (!cut || gm_av_rescale(t->end, tb, micro) == span->end_us);
        whole = whole || (counts && span_of(start_us, reach_us(t, tb)) >= claimed);
    }
    return whole;
}

int64_t gm_claims_short_us(const AVFormatContext *format, const struct gm_claims_file *file,
                           int64_t start_us, const struct gm_claims_span *programme)
{
    int64_t claimed = claimed_us(format, file->header_us), end_us = programme->end_us;
    if (claimed <= 0 || !programme->any || end_us < start_us) {
        return 0;
    }
    bool credible = file->size / (GM_CLAIMS_LEAST_BPS / 8) >= claimed / micro.den;
    int64_t missing = claimed - span_of(start_us, end_us);
    int64_t slack = claimed / GM_CLAIMS_SLACK_PART;
    slack = slack < GM_CLAIMS_SLACK_US ? slack : GM_CLAIMS_SLACK_US;
    int64_t text_us = programme->has_text && programme->text_end_us > end_us
                          ? span_of(start_us, programme->text_end_us)
                          : 0;
    bool of_text = text_us > 0 && llabs(claimed - text_us) <= slack;
    return credible && !of_text && missing > slack &&
                   !may_be_whole(format, programme, file->cut, start_us, claimed)
               ? missing
               : 0;
}

bool gm_claims_all_read(const AVFormatContext *format)
{
    bool all = true;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        const AVStream *st = format->streams[i];
        all = all && (!is_media(st) || st->discard < AVDISCARD_ALL);
    }
    return all;
}

int64_t gm_claims_lost_us(int64_t outside_us, int64_t short_us)
{
    return outside_us < GM_CLAIMS_SLACK_US && short_us > outside_us ? short_us : outside_us;
}
