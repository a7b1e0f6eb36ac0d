#include "media/claims.h"

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

/* What the headers say of the whole; 0: nothing that counts. */
static int64_t claimed_us(const AVFormatContext *format, int64_t header_us)
{
    if (header_us > 0) {
        return header_us;
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

void gm_claims_note(struct gm_claims_span *span, const AVStream *stream, const AVPacket *packet)
{
    int64_t ts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts, end, step;
    int i = stream->index;
    if (i >= GM_CLAIMS_STREAMS || ts == AV_NOPTS_VALUE ||
        (packet->flags & AV_PKT_FLAG_DISCARD) != 0 || gm_claims_is_unwritten(stream, packet)) {
        return;
    }
    bool told = packet->duration > 0 && !__builtin_add_overflow(ts, packet->duration, &end);
    int64_t end_us = gm_av_rescale(told ? end : ts, stream->time_base, micro);
    if (stream->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE) {
        bool later = !span->has_text || end_us > span->text_end_us;
        span->text_end_us = later ? end_us : span->text_end_us;
        span->has_text = true;
        return;
    }
    bool known =
        span->seen[i] && !__builtin_sub_overflow(ts, span->last_ts[i], &step) && step != INT64_MIN;
    int64_t step_us = known ? llabs(gm_av_rescale(step, stream->time_base, micro)) : 0;
    int64_t open_us = told ? 0 : known ? step_us : GM_CLAIMS_SLACK_US;
    if (!span->any || end_us > span->end_us ||
        (end_us == span->end_us && open_us > span->open_us)) {
        span->any = true;
        span->end_us = end_us;
        span->open_us = open_us;
    }
    span->seen[i] = true;
    span->last_ts[i] = ts;
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

int64_t gm_claims_short_us(const AVFormatContext *format, int64_t header_us, int64_t file_size,
                           int64_t start_us, const struct gm_claims_span *programme)
{
    int64_t claimed = claimed_us(format, header_us), end_us = programme->end_us;
    if (claimed <= 0 || !programme->any || end_us < start_us) {
        return 0;
    }
    bool credible = file_size / (GM_CLAIMS_LEAST_BPS / 8) >= claimed / micro.den;
    int64_t missing = claimed - span_of(start_us, end_us);
    int64_t slack = claimed / GM_CLAIMS_SLACK_PART;
    slack = slack < GM_CLAIMS_SLACK_US ? slack : GM_CLAIMS_SLACK_US;
    int64_t open = programme->open_us; /* and the same part of it: times are rounded */
    open = open < INT64_MAX / 2 ? open + open / GM_CLAIMS_SLACK_PART : open;
    int64_t text_us = programme->has_text && programme->text_end_us > end_us
                          ? span_of(start_us, programme->text_end_us)
                          : 0;
    bool of_text = text_us > 0 && llabs(claimed - text_us) <= slack;
    slack = slack > open ? slack : open;
    return credible && !of_text && missing > slack ? missing : 0;
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
