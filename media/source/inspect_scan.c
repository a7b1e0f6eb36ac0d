#include "media/source/inspect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/display.h>
#include <libavutil/intreadwrite.h>

#include "common/array.h"
#include "media/captions.h"
#include "media/source/losses.h"
#include "media/source/steady.h"
#include "media/source/tail.h"
#include "media/timeline.h"

/* Reads a source's packets once: whole when it is small, else its head, middle and end. Times and
 * sizes are kept of each video packet; short windows of packets are decoded, each packet under its
 * ordinal as time stamp, so that the order in which frames come out names their packets. What it
 * means is decided in inspect_timeline.c. A packet is held only while it is decoded.
 */
#define MAX_LEADING 16      /* pictures that are shown before their keyframe */
#define HEAD_FRAMES 60      /* packets decoded at the head */
#define WINDOW_FRAMES 40    /* and in each later window */
#define PATIENCE 3000       /* packets that may show nothing before the head window gives up */
#define MAX_PACKETS 1000000 /* kept of one source: 32 MB */
#define MAX_ERRORS 1000     /* read errors in a row after which the source counts as cut off */
#define PART_PACKETS 2000   /* of the head and the end of a large file */
#define PART_BYTES (16 << 20)
#define BEGIN_BYTES (4 << 20) /* of a source in parts: it has headers besides */
#define COMPARED_PACKETS 64   /* compared with the file's bytes at their position */

struct scanner {
    struct gm_scan *scan;
    const struct gm_scan_params *params;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    struct gm_sha256 *index;
    struct gm_time_guess guess;
    struct gm_steady steady;
    struct gm_losses losses; /* of a source that is read whole */
    bool active;
    size_t budget;
    int64_t next_window_pos; /* a window begins at the first keyframe from here on; -1: none */
    uint64_t bytes;          /* read in this part */
    int errors_in_row;
    bool at_end;
};

static void keep_picture(struct scanner *s, const AVFrame *f)
{
    struct gm_scan_picture *p = &s->scan->picture;
    const AVFrameSideData *side = av_frame_get_side_data(f, AV_FRAME_DATA_DISPLAYMATRIX);
    p->have = true;
    p->width_px = f->width;
    p->height_px = f->height;
    p->format = f->format;
    p->sample_aspect = f->sample_aspect_ratio;
    p->primaries = f->color_primaries;
    p->transfer = f->color_trc;
    p->matrix = f->colorspace;
    p->range = f->color_range;
    p->chroma = f->chroma_location;
    if (side != NULL && side->size >= sizeof p->display_matrix) {
        p->has_matrix = true;
        memcpy(p->display_matrix, side->data, sizeof p->display_matrix);
    }
    s->scan->decoder_rate = s->decoder->framerate;
}

/* Time of packet `id`'s frame; AV_NOPTS_VALUE for an id that is none. */
static int64_t packet_pts(const struct gm_scan *scan, int64_t id)
{
    return id >= 0 && (size_t)id < scan->count ? scan->packets[id].pts : AV_NOPTS_VALUE;
}

static int64_t packet_dts(const struct gm_scan *scan, int64_t id)
{
    return id >= 0 && (size_t)id < scan->count ? scan->packets[id].dts : AV_NOPTS_VALUE;
}

/* Shown before the keyframe that its window begins with, by its time or, where there are no times,
 * by having come before it: it refers to pictures that are not there. */
static bool is_leading(const struct gm_scan *scan, int64_t id)
{
    const struct gm_scan_window *w = &scan->windows[scan->window_count - 1];
    int64_t start = packet_pts(scan, (int64_t)w->first), own = packet_pts(scan, id);
    if (start == AV_NOPTS_VALUE || own == AV_NOPTS_VALUE) {
        return w->first > 0 && !w->begun && w->shows < MAX_LEADING && id > (int64_t)w->first;
    }
    return w->first > 0 && own < start;
}

static int take_frames(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    struct gm_scan_window *w = &scan->windows[scan->window_count - 1];
    int av;
    while ((av = avcodec_receive_frame(s->decoder, s->frame)) == 0) {
        AVFrame *f = s->frame;
        int rc = gm_array_reserve(&scan->shown, scan->shown_count, 1, &scan->shown_cap,
                                  sizeof scan->shown[0], err);
        if (rc < 0) {
            return rc;
        }
        int64_t ts =
            gm_time_guess_next(&s->guess, packet_pts(scan, f->pts), packet_dts(scan, f->pkt_dts));
        if (!scan->picture.have) {
            keep_picture(s, f);
            scan->picture.first_ts = ts;
        }
        gm_scan_note_colour(&scan->colour, f);
        scan->shown[scan->shown_count++] =
            f->reordered_opaque >= 0 ? (uint64_t)f->reordered_opaque : GM_SCAN_NO_ID;
        w->shows++;
        w->begun = w->begun || f->reordered_opaque == (int64_t)w->first;
        scan->frames++;
        scan->captions = scan->captions || gm_captions_look(f) != 0;
        scan->interlaced_frames += f->interlaced_frame != 0;
        scan->top_first_frames += f->interlaced_frame != 0 && f->top_field_first != 0;
        scan->corrupt_frames +=
            !is_leading(scan, f->pts) &&
            ((f->flags & AV_FRAME_FLAG_CORRUPT) != 0 || f->decode_error_flags != 0);
        rc = gm_fields_push(&scan->fields, f, err);
        av_frame_unref(f);
        if (rc < 0) {
            return rc;
        }
    }
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    scan->decode_errors += av != AVERROR(EAGAIN) && av != AVERROR_EOF;
    return 0;
}

static int decode(struct scanner *s, AVPacket *packet, struct gm_err *err)
{
    int av = avcodec_send_packet(s->decoder, packet);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    bool leading = packet != NULL && is_leading(s->scan, packet->pts);
    s->scan->decode_errors += av < 0 && av != AVERROR_EOF && !leading;
    return take_frames(s, err);
}

static void begin_window(struct scanner *s, size_t budget)
{
    struct gm_scan *scan = s->scan;
    if (scan->window_count == GM_SCAN_WINDOWS) {
        return;
    }
    avcodec_flush_buffers(s->decoder);
    gm_fields_cut(&scan->fields);
    /* At the head as split decodes, later as encode does, which begins anywhere. */
    if (scan->window_count == 0) {
        s->decoder->flags &= ~AV_CODEC_FLAG_OUTPUT_CORRUPT;
    } else {
        s->decoder->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    }
    scan->windows[scan->window_count++] = (struct gm_scan_window){
        .first = scan->count,
        .shown = scan->shown_count,
    };
    s->active = true;
    s->budget = budget;
}

/* The window's decoder gets the packet under its ordinal. */
static int sample(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    AVPacket *p = s->packet;
    if (!s->active) {
        return 0;
    }
    struct gm_scan_window *w = &scan->windows[scan->window_count - 1];
    p->pts = p->dts = (int64_t)scan->count - 1;
    s->decoder->reordered_opaque = p->pts;
    w->fed++;
    /* An empty packet would be the end to libavcodec. */
    int rc = p->size > 0 ? decode(s, p, err) : 0;
    if (w->fed >= s->budget && (scan->frames > 0 || w->fed >= PATIENCE)) {
        s->active = false;
    }
    return rc;
}

/* ts plus samples, exactly where a 31-bit denominator can say it. */
static struct gm_scan_time add_samples(int64_t ts, AVRational tb, int64_t samples, int rate)
{
    AVRational tick = {1, rate};
    int64_t den = tb.den / av_gcd(tb.den, rate) * (int64_t)rate;
    AVRational fine = {1, den <= INT32_MAX ? (int)den : tb.den};
    return (struct gm_scan_time){
        gm_av_rescale(ts, tb, fine) + gm_av_rescale(samples, tick, fine),
        fine,
    };
}

/* When the first sound is heard: the packet's time and what is skipped of it, be it that the
 * demuxer says so or that the decoder will (Opus, of its own pre-skip). */
static void note_first_sound(struct gm_scan *scan, const AVPacket *p, int64_t ts)
{
    const AVStream *st = scan->format->streams[p->stream_index];
    const AVCodecParameters *par = st->codecpar;
    struct gm_scan_time *first = &scan->first[p->stream_index];
    bool shown = (p->flags & AV_PKT_FLAG_DISCARD) == 0;
    size_t size = 0;
    if (first->tb.den != 0 || par->codec_type != AVMEDIA_TYPE_AUDIO) {
        return;
    }
    const uint8_t *side = av_packet_get_side_data(p, AV_PKT_DATA_SKIP_SAMPLES, &size);
    int64_t skip = side != NULL && size >= 4 ? AV_RL32(side) : 0;
    if (side == NULL && shown && par->codec_id == AV_CODEC_ID_OPUS && par->initial_padding > 0) {
        skip = par->initial_padding;
    }
    if (skip > 0 && par->sample_rate > 0) { /* may reach over packets that are not shown at all */
        *first = add_samples(ts, st->time_base, skip, par->sample_rate);
    } else if (shown) {
        *first = (struct gm_scan_time){ts, st->time_base};
    }
}

void gm_scan_note_time(struct gm_scan *scan, const AVPacket *p)
{
    const AVStream *st = scan->format->streams[p->stream_index];
    int64_t ts = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    if (p->stream_index >= GM_SCAN_STREAMS || ts == AV_NOPTS_VALUE) {
        return;
    }
    scan->begin_bytes = scan->begin_bytes == 0 && p->pos > 0 ? p->pos : scan->begin_bytes;
    note_first_sound(scan, p, ts);
    gm_claims_note(&scan->span, st, p);
}

void gm_scan_note_head(struct gm_scan *scan)
{
    scan->has_head = scan->span.any && scan->format->pb != NULL;
    scan->head_end_us = scan->span.end_us;
    scan->head_bytes = scan->has_head ? avio_tell(scan->format->pb) : 0;
}

static int take_video(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    AVPacket *p = s->packet;
    bool key = (p->flags & AV_PKT_FLAG_KEY) != 0;
    if (s->next_window_pos >= 0 && key && !s->active && p->pos >= s->next_window_pos) {
        begin_window(s, WINDOW_FRAMES);
        int64_t late = scan->complete ? s->params->file_size / 10 * 9 : -1;
        s->next_window_pos = scan->window_count < 3 && late > p->pos ? late : -1;
    }
    int rc =
        gm_array_reserve(&scan->packets, scan->count, 1, &scan->cap, sizeof scan->packets[0], err);
    if (rc < 0) {
        return rc;
    }
    if (scan->in_place && scan->count < COMPARED_PACKETS) {
        rc = gm_source_holds(s->params->file, p, &scan->in_place, err);
        if (rc < 0) {
            return rc;
        }
    }
    scan->corrupt_packets += (p->flags & AV_PKT_FLAG_CORRUPT) != 0;
    scan->packets[scan->count++] = (struct gm_scan_packet){
        .pts = p->pts,
        .dts = p->dts,
        .flags = (uint32_t)p->flags,
    };
    return sample(s, err);
}

void gm_scan_hash_packet(const struct gm_scan *scan, struct gm_sha256 *h, const AVPacket *p)
{
    int64_t row[6] = {p->stream_index, p->pts, p->dts, p->duration, p->size, p->flags};
    gm_sha256_update(h, row, sizeof row);
    if (scan->format->streams[p->stream_index]->codecpar->codec_type ==
        AVMEDIA_TYPE_SUBTITLE) { /* another wording of the same length is another source */
        gm_sha256_update(h, p->data, (size_t)p->size);
    }
}

/* One packet, or the end. Read errors are counted; a thousand in a row end the source. */
static int step(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    int rc = 0;
    int av = gm_source_read(scan->format, s->packet);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    if (av < 0) {
        if (av != AVERROR_EOF) {
            scan->read_errors++;
        }
        s->at_end = av == AVERROR_EOF || av == AVERROR_EXIT || ++s->errors_in_row >= MAX_ERRORS;
        scan->to_end = scan->to_end || av == AVERROR_EOF;
        return 0;
    }
    s->errors_in_row = 0;
    AVPacket *p = s->packet;
    rc = gm_losses_packet(&s->losses, p, err);
    gm_steady_packet(&s->steady, scan->format->streams[p->stream_index], p);
    if (scan->format->streams[p->stream_index]->discard < AVDISCARD_ALL) {
        s->bytes += (uint64_t)p->size;
        gm_scan_hash_packet(scan, s->index, p);
        gm_scan_note_time(scan, p);
        scan->encrypted = scan->encrypted ||
                          av_packet_get_side_data(p, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL;
        if (rc == 0 && p->stream_index == scan->video) {
            rc = take_video(s, err);
        }
    }
    av_packet_unref(p);
    return rc;
}

/* Reads until the end, or until the part's limits. */
static int read_part(struct scanner *s, size_t max_packets, uint64_t max_bytes, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    size_t from = scan->count, windows = scan->window_count;
    int rc = 0;
    s->bytes = 0;
    s->at_end = false;
    while (rc == 0 && !s->at_end && !scan->encrypted && scan->count - from < max_packets &&
           (s->bytes < max_bytes || s->active)) {
        rc = step(s, err);
        if (s->params->progress != NULL && (scan->count & 7) == 0) {
            s->params->progress(s->params->arg, scan->count);
        }
    }
    if (rc == 0 && s->active && s->at_end) {
        rc = decode(s, NULL, err);
        scan->windows[scan->window_count - 1].drained = true;
    }
    s->active = false;
    for (size_t i = windows > 0 ? windows - 1 : 0; i < scan->window_count; i++) {
        if (scan->windows[i].run_end == 0) {
            scan->windows[i].run_end = scan->count;
        }
    }
    return rc;
}

/* Middle and end of a large file. A seek that fails leaves that part out. */
static int read_windows(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    const AVStream *st = scan->format->streams[scan->video];
    int64_t duration =
        st->duration > 0
            ? st->duration
            : gm_av_rescale(scan->format->duration, (AVRational){1, AV_TIME_BASE}, st->time_base);
    int64_t start = st->start_time != AV_NOPTS_VALUE ? st->start_time : 0;
    int64_t ten = gm_av_rescale(10, (AVRational){1, 1}, st->time_base);
    int64_t end;
    if (scan->format->duration <= 0 || duration <= 0 ||
        __builtin_add_overflow(start, duration, &end)) {
        return 0;
    }
    int64_t targets[2] = {start + duration / 2, duration > ten ? end - ten : start};
    for (int i = 0; i < 2; i++) {
        if (av_seek_frame(scan->format, scan->video, targets[i], AVSEEK_FLAG_BACKWARD) < 0) {
            continue;
        }
        s->next_window_pos = 0;
        gm_steady_seek(&s->steady);
        int rc = read_part(s, i == 0 ? 300 : PART_PACKETS, PART_BYTES * 4u, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* The end alone, where it can be had without what is before it. */
static int read_tail(struct scanner *s, struct gm_err *err)
{
    if (!gm_tail_seek(s->scan->format, s->scan->video, s->params->file_size)) {
        return 0;
    }
    s->next_window_pos = 0;
    gm_steady_seek(&s->steady);
    return read_part(s, PART_PACKETS, PART_BYTES, err);
}

static int scan_all(struct scanner *s, struct gm_err *err)
{
    struct gm_scan *scan = s->scan;
    bool whole = s->params->file_size <= s->params->whole_bytes;
    int rc =
        whole ? gm_losses_init(&s->losses, scan->format, s->params->file, s->params->file_size, err)
              : 0;
    if (rc < 0) {
        return rc;
    }
    scan->complete = whole;
    begin_window(s, HEAD_FRAMES);
    s->next_window_pos = whole ? s->params->file_size / 2 : -1;
    uint64_t begin = s->params->in_parts ? BEGIN_BYTES : PART_BYTES;
    rc = read_part(s, whole ? MAX_PACKETS : PART_PACKETS, whole ? UINT64_MAX : begin, err);
    if (rc < 0 || scan->encrypted) {
        return rc;
    }
    scan->complete = s->at_end;
    gm_scan_note_head(scan);
    if (scan->complete || whole) {
        return 0;
    }
    return s->params->in_parts ? read_tail(s, err) : read_windows(s, err);
}

int gm_scan_run(const struct gm_scan_params *params, struct gm_scan *out, struct gm_err *err)
{
    struct gm_scan scan = {
        .format = params->format,
        .video = params->video_stream,
        .in_place = strncmp(params->format->iformat->name, "mov,", 4) == 0,
        .picture.first_ts = AV_NOPTS_VALUE,
        .decoder_rate = {0, 1},
    };
    struct scanner s = {.scan = &scan, .params = params, .next_window_pos = -1};
    const AVStream *st = params->format->streams[params->video_stream];
    int rc = gm_decoder_open(st->codecpar, st->time_base, &s.decoder, err);
    if (rc < 0) {
        return rc;
    }
    s.decoder->max_pixels = gm_decoder_pixels(params->max_pixels);
    gm_time_guess_init(&s.guess);
    s.packet = av_packet_alloc();
    s.frame = av_frame_alloc();
    s.index = gm_sha256_create();
    /* Streams may appear while reading (MPEG-TS): room for all. */
    scan.first = calloc(GM_SCAN_STREAMS, sizeof *scan.first);
    if (s.packet == NULL || s.frame == NULL || s.index == NULL || scan.first == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    rc = gm_steady_init(&s.steady, params->format, err);
    if (rc < 0) {
        goto out;
    }
    rc = scan_all(&s, err);
    gm_sha256_final(s.index, scan.index_hash);
    scan.gap_us = gm_losses_us(&s.losses);
    if (rc == 0) {
        *out = scan;
        scan = (struct gm_scan){0};
    }
out:
    gm_scan_fini(&scan);
    gm_steady_fini(&s.steady);
    gm_losses_fini(&s.losses);
    gm_sha256_destroy(&s.index);
    av_frame_free(&s.frame);
    av_packet_free(&s.packet);
    avcodec_free_context(&s.decoder);
    return rc;
}

void gm_scan_fini(struct gm_scan *scan)
{
    free(scan->packets);
    free(scan->shown);
    free(scan->first);
    gm_fields_fini(&scan->fields);
    *scan = (struct gm_scan){0};
}
