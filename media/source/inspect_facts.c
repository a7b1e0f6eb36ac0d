#include "media/source/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "common/utf8.h"
#include "media/pb.h"
#include "media/source/window.h"
#include "proto/language.h"

/* Fills the facts of a source's streams from libavformat's parameters, the first decoded picture
 * and the packet scan. What nothing says stays "unknown". */

#define TAG_BYTES 200 /* kept of a title */

/* The display matrix as a clockwise turn and a left-right flip after it. The matrix maps
 * (x, y) to (a x + c y, b x + d y) with y downwards: ISO/IEC 14496-12, 8.3.2.3. */
static void read_orientation(const int32_t m[9], int32_t *out_turn, bool *out_flip)
{
    double a = m[0], b = m[1], c = m[3], d = m[4];
    double turn = atan2(b, d) * 180.0 / M_PI;
    int32_t quarter = (int32_t)lround(turn / 90.0);
    *out_turn = ((quarter % 4 + 4) % 4) * 90;
    *out_flip = a * d - b * c < 0;
}

static const int32_t *display_matrix(const AVStream *st, const struct gm_scan *scan)
{
    size_t size = 0;
    const uint8_t *side = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (side != NULL && size >= 9 * sizeof(int32_t)) {
        return (const int32_t *)(const void *)side;
    }
    return scan->picture.has_matrix ? scan->picture.display_matrix : NULL;
}

static const char *field_order(const AVCodecParameters *par, const struct gm_scan *scan)
{
    switch (par->field_order) {
    case AV_FIELD_TT:
        return "tt";
    case AV_FIELD_BB:
        return "bb";
    case AV_FIELD_TB:
        return "tb";
    case AV_FIELD_BT:
        return "bt";
    default:
        break;
    }
    if (scan->interlaced_frames * 2 > scan->frames) {
        return scan->top_first_frames * 2 > scan->interlaced_frames ? "tt" : "bb";
    }
    if (par->field_order == AV_FIELD_PROGRESSIVE || scan->frames > 0) {
        return "progressive";
    }
    return "unknown";
}

/* What is shown first by the flags of the decoded pictures, or else of the container: then by the
 * first letter, since files say with the pair what is told by the first one alone, whatever
 * libavcodec's comments on AV_FIELD_TB say. Source: FFmpeg 5.1 fftools/ffmpeg.c, which writes TB
 * for pictures whose top field is first. */
static bool is_flagged_top_first(const struct gm_scan *scan, const char *field_order)
{
    return scan->interlaced_frames * 2 > scan->frames
               ? scan->top_first_frames * 2 > scan->interlaced_frames
               : field_order[0] == 't';
}

/* By content; where that does not tell, by the flags. */
static void fill_fields(const struct gm_scan *scan, Gm__VideoFacts *out)
{
    bool interlaced, top_first;
    bool flagged =
        strcmp(out->field_order, "progressive") != 0 && strcmp(out->field_order, "unknown") != 0;
    out->top_first = !flagged || is_flagged_top_first(scan, out->field_order);
    out->interlaced = flagged;
    if (gm_fields_judge(&scan->fields, &interlaced, &top_first)) {
        out->interlaced = interlaced;
        out->top_first = interlaced ? top_first : out->top_first;
    }
}

static int fill_times(const struct gm_scan *scan, const AVStream *st, Gm__TimelineMode mode,
                      Gm__VideoFacts *out, struct gm_err *err)
{
    AVRational rate;
    out->constant_rate = gm_scan_rate(scan, mode, &rate);
    int64_t first = gm_scan_first_ts(scan, mode);
    out->start_ts = first != AV_NOPTS_VALUE ? first : 0;
    int64_t shown = 0;
    for (size_t i = 0; i < scan->count; i++) {
        shown += (scan->packets[i].flags & AV_PKT_FLAG_DISCARD) == 0;
    }
    shown = gm_scan_guess_frames(scan, shown);
    out->frames = shown;
    out->frames_exact = scan->complete && mode == GM__TIMELINE_MODE__TIMELINE_PACKETS;
    if (!scan->complete) {
        int64_t duration = st->duration > 0
                               ? st->duration
                               : gm_av_rescale(scan->format->duration,
                                               (AVRational){1, AV_TIME_BASE}, st->time_base);
        int64_t guess = duration > 0 ? gm_av_rescale(duration, st->time_base, av_inv_q(rate)) : 0;
        out->frames = st->nb_frames > 0 ? st->nb_frames : guess > shown ? guess : shown;
    }
    out->keyframe_interval_us = gm_scan_keyframe_interval(scan);
    int rc = gm_pb_rational(&out->frame_rate, rate, err);
    if (rc == 0) {
        rc = gm_pb_rational(&out->peak_rate, gm_scan_peak_rate(scan, rate), err);
    }
    return rc == 0 ? gm_pb_rational(&out->time_base, st->time_base, err) : rc;
}

int gm_facts_video(const struct gm_scan *scan, Gm__TimelineMode mode, Gm__VideoFacts *out,
                   struct gm_err *err)
{
    AVStream *st = scan->format->streams[scan->video];
    const AVCodecParameters *par = st->codecpar;
    const struct gm_scan_picture *pic = &scan->picture;
    AVRational aspect = av_guess_sample_aspect_ratio(scan->format, st, NULL);
    if (aspect.num <= 0 && pic->have) {
        aspect = pic->sample_aspect;
    }
    aspect = gm_av_aspect(aspect);
    out->fixed_aspect = st->sample_aspect_ratio.num > 0 && st->sample_aspect_ratio.den > 0;
    out->stream_index = (uint32_t)scan->video;
    out->width_px = (uint32_t)(pic->have ? pic->width_px : par->width);
    out->height_px = (uint32_t)(pic->have ? pic->height_px : par->height);
    const int32_t *matrix = display_matrix(st, scan);
    if (matrix != NULL) {
        bool flip = false;
        read_orientation(matrix, &out->rotation_deg, &flip);
        out->flip = flip;
    }
    out->bitrate_bps = par->bit_rate;
    const char *profile = avcodec_profile_name(par->codec_id, par->profile);
    int rc = gm_pb_string(&out->codec, avcodec_get_name(par->codec_id), err);
    if (rc == 0) {
        rc = gm_pb_string(&out->profile, profile, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&out->field_order, field_order(par, scan), err);
    }
    if (rc == 0) {
        out->captions = scan->captions;
        fill_fields(scan, out);
        rc = gm_pb_rational(&out->sample_aspect, aspect, err);
    }
    if (rc == 0) {
        rc = gm_facts_colour(st, scan, out, err);
    }
    if (rc == 0) {
        rc = fill_times(scan, st, mode, out, err);
    }
    const AVDictionaryEntry *alpha = av_dict_get(st->metadata, "alpha_mode", NULL, 0);
    out->alpha = out->alpha || (alpha != NULL && strcmp(alpha->value, "1") == 0);
    return rc;
}

int gm_facts_crop(struct gm_source_file file, const AVFormatContext *format, Gm__VideoFacts *v,
                  struct gm_err *err)
{
    struct gm_window w;
    bool found;
    int rc = gm_window_find(file, format, (int)v->stream_index, &w, &found, err);
    if (rc < 0 || !found || v->width_px != (uint32_t)w.whole_width ||
        v->height_px != (uint32_t)w.whole_height) {
        return rc;
    }
    v->crop = malloc(sizeof *v->crop);
    if (v->crop == NULL) {
        return gm_err_nomem(err);
    }
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av_get_pix_fmt(v->pixel_format));
    int column = desc != NULL ? 1 << desc->log2_chroma_w : 1;
    int row = desc != NULL && desc->log2_chroma_h > 1 ? 1 << desc->log2_chroma_h : 2;
    gm__crop__init(v->crop);
    v->crop->x_px = (uint32_t)(w.x / column * column);
    v->crop->y_px = (uint32_t)(w.y / row * row);
    v->crop->whole_width_px = v->width_px;
    v->crop->whole_height_px = v->height_px;
    v->width_px = (uint32_t)w.width;
    v->height_px = (uint32_t)w.height;
    if (w.shapes && v->fixed_aspect) {
        AVRational a = gm_av_rational(v->sample_aspect);
        a = av_mul_q(a, (AVRational){w.whole_width, w.width});
        a = gm_av_aspect(av_mul_q(a, (AVRational){w.height, w.whole_height}));
        v->sample_aspect->num = a.num;
        v->sample_aspect->den = a.den;
    }
    return 0;
}

/* Tags are the author's text: control characters become spaces, what is no UTF-8 '?'. */
int gm_facts_string(char **field, const char *value, struct gm_err *err)
{
    char text[TAG_BYTES + 1];
    size_t n = value != NULL ? strnlen(value, TAG_BYTES) : 0;
    if (n > 0) {
        memcpy(text, value, n);
    }
    while (n > 0 && value[n] != '\0' && ((unsigned char)value[n] & 0xc0) == 0x80) {
        n--; /* not within a character */
    }
    text[n] = '\0';
    gm_utf8_clean(text);
    return gm_pb_string(field, text, err);
}

int gm_facts_language(const AVStream *st, char **field, struct gm_err *err)
{
    const AVDictionaryEntry *e = av_dict_get(st->metadata, "language", NULL, 0);
    char code[GM_LANGUAGE_SIZE];
    gm_language_code(e != NULL ? e->value : NULL, code);
    return gm_pb_string(field, code, err);
}

int gm_facts_audio(const AVStream *st, const struct gm_scan *scan, Gm__AudioFacts *out,
                   struct gm_err *err)
{
    const AVCodecParameters *par = st->codecpar;
    const AVDictionaryEntry *title = av_dict_get(st->metadata, "title", NULL, 0);
    char layout[64];
    if (av_channel_layout_describe(&par->ch_layout, layout, sizeof layout) < 0) {
        layout[0] = '\0';
    }
    out->stream_index = (uint32_t)st->index;
    out->sample_rate = (uint32_t)par->sample_rate;
    out->channels = (uint32_t)par->ch_layout.nb_channels;
    out->is_default = (st->disposition & AV_DISPOSITION_DEFAULT) != 0;
    out->bitrate_bps = par->bit_rate;
    const struct gm_scan_time *first = &scan->first[st->index];
    out->start_ts = first->tb.den != 0 ? gm_av_rescale(first->ts, first->tb, st->time_base) : 0;
    int rc = gm_pb_string(&out->codec, avcodec_get_name(par->codec_id), err);
    if (rc == 0) {
        rc = gm_pb_string(&out->layout, layout, err);
    }
    if (rc == 0) {
        rc = gm_facts_language(st, &out->language, err);
    }
    if (rc == 0) {
        rc = gm_facts_string(&out->title, title != NULL ? title->value : NULL, err);
    }
    return rc == 0 ? gm_pb_rational(&out->time_base, st->time_base, err) : rc;
}
