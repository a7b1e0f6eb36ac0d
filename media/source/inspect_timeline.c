#include "media/source/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/format/nal.h"

/* What a scan says about time: whether packets name the frames, the rate, keyframe distances. Pure
 * over struct gm_scan. Doubt always ends in TIMELINE_DECODE, which is right for every source and
 * costs one decoding pass in split.
 */
#define PEAK_RATE 1000 /* closer frames are jitter of the time stamps */
#define MAX_RATE 120
#define MAX_SPAN ((int64_t)1 << 52)
#define MAX_REORDER 20 /* frames that a decoder may hold back; H.264 and HEVC allow 16 */

/* One packet, one frame, no hidden ones, and sound time stamps, by experience with their muxers. */
static const char *const clean_formats[] = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mxf"};
static const enum AVCodecID clean_codecs[] = {
    AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC,     AV_CODEC_ID_AV1,
    AV_CODEC_ID_VP9,   AV_CODEC_ID_PRORES,   AV_CODEC_ID_DNXHD,
    AV_CODEC_ID_MJPEG, AV_CODEC_ID_JPEG2000, AV_CODEC_ID_FFV1,
};

/* Doubts that single packets raise; NULL: none. */
static const char *check_packets(const struct gm_scan *scan)
{
    if (scan->count == 0 || (scan->packets[0].flags & AV_PKT_FLAG_KEY) == 0) {
        return "the first packet is no keyframe";
    }
    int64_t last_dts = AV_NOPTS_VALUE;
    size_t window = 0, run_start = 0;
    for (size_t i = 0; i < scan->count; i++) {
        const struct gm_scan_packet *p = &scan->packets[i];
        while (window < scan->window_count && scan->windows[window].run_end <= i) {
            window++;
            last_dts = AV_NOPTS_VALUE; /* a gap of the scan */
            run_start = i;
        }
        if (p->pts == AV_NOPTS_VALUE) {
            return "packets have no presentation time";
        }
        if (p->dts == AV_NOPTS_VALUE &&
            (last_dts != AV_NOPTS_VALUE || i - run_start >= MAX_REORDER)) {
            return "packets have no decoding time";
        }
        if (p->dts != AV_NOPTS_VALUE && p->dts > p->pts) {
            return "decoding times are after presentation times";
        }
        if (p->dts != AV_NOPTS_VALUE && last_dts != AV_NOPTS_VALUE && p->dts <= last_dts) {
            return "decoding times do not rise";
        }
        if ((p->flags & (AV_PKT_FLAG_DISCARD | AV_PKT_FLAG_CORRUPT)) != 0) {
            return "packets are marked as not shown or damaged";
        }
        if (p->dts != AV_NOPTS_VALUE) {
            last_dts = p->dts;
        }
    }
    return NULL;
}

struct order {
    int64_t pts;
    uint64_t id;
};

static int compare_order(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    return x->pts != y->pts ? (x->pts > y->pts) - (x->pts < y->pts)
                            : (x->id > y->id) - (x->id < y->id);
}

/* Do the window's frames come out as the packets' presentation times promise? */
static const char *check_window(const struct gm_scan *scan, const struct gm_scan_window *w,
                                struct order *order)
{
    int64_t start = scan->packets[w->first].pts;
    size_t n = 0, at = 0, leading = 0;
    for (size_t i = w->first; i < w->run_end; i++) {
        if (scan->packets[i].pts >= start) {
            order[n++] = (struct order){scan->packets[i].pts, i};
        } else if (i < w->first + w->fed) {
            leading++;
        }
    }
    if (leading > 0 && w->first == 0) { /* not shown, where they refer to what is not there */
        return "the source begins with pictures that are shown before its first keyframe";
    }
    qsort(order, n, sizeof order[0], compare_order);
    for (size_t i = 1; i < n; i++) {
        if (order[i].pts == order[i - 1].pts) {
            return "two packets have one presentation time";
        }
    }
    for (size_t i = w->shown; i < w->shown + w->shows; i++) {
        uint64_t id = scan->shown[i];
        if (id >= w->first && id < scan->count && scan->packets[id].pts < start) {
            continue;
        }
        if (at == n || order[at].id != id) {
            return "decoded frames differ from what packets promise";
        }
        at++;
    }
    size_t held = w->drained ? 0 : MAX_REORDER;
    if (at + leading + held < w->fed) {
        return "fewer frames were decoded than packets promise";
    }
    return NULL;
}

static const char *check_windows(const struct gm_scan *scan)
{
    const char *doubt = NULL;
    struct order *order = malloc((scan->count + 1) * sizeof *order);
    if (order == NULL) {
        return "memory was short while checking";
    }
    for (size_t i = 0; doubt == NULL && i < scan->window_count; i++) {
        if (scan->windows[i].first < scan->count) {
            doubt = check_window(scan, &scan->windows[i], order);
        }
    }
    free(order);
    return doubt;
}

/* The scan sees but parts of a large source: what its parameter sets allow may come anywhere. */
static bool may_have_fields(const struct gm_scan *scan)
{
    const AVCodecParameters *par = scan->format->streams[scan->video]->codecpar;
    return par->codec_id == AV_CODEC_ID_H264 &&
           gm_nal_has_fields(par->extradata, (size_t)par->extradata_size);
}

void gm_scan_timeline(const struct gm_scan *scan, Gm__TimelineMode *out_mode,
                      const char **out_reason)
{
    const AVCodecParameters *par = scan->format->streams[scan->video]->codecpar;
    const char *doubt = NULL;
    bool format = false, codec = false;
    for (size_t i = 0; i < sizeof clean_formats / sizeof clean_formats[0]; i++) {
        format = format || strcmp(scan->format->iformat->name, clean_formats[i]) == 0;
    }
    for (size_t i = 0; i < sizeof clean_codecs / sizeof clean_codecs[0]; i++) {
        codec = codec || par->codec_id == clean_codecs[i];
    }
    if (!format) {
        doubt = "the container's time stamps are often unsound";
    } else if (!codec) {
        doubt = "the codec may hide frames or pack several into a packet";
    } else if (may_have_fields(scan)) {
        doubt = "packets may hold single fields";
    } else if (scan->read_errors > 0 || scan->decode_errors > 0 || scan->corrupt_frames > 0) {
        doubt = "the source is damaged";
    } else {
        doubt = check_packets(scan);
    }
    if (doubt == NULL) {
        doubt = check_windows(scan);
    }
    *out_mode =
        doubt != NULL ? GM__TIMELINE_MODE__TIMELINE_DECODE : GM__TIMELINE_MODE__TIMELINE_PACKETS;
    *out_reason = doubt != NULL ? doubt : "packet time stamps are sound";
}

/* A packet's time for judging the rate: presentation, or decoding time where there is none. */
static int64_t rate_ts(const struct gm_scan *scan, size_t i)
{
    const struct gm_scan_packet *p = &scan->packets[i];
    return p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
}

/* Every time seen is start + k / rate exactly, and few slots are empty. */
static bool fits(const struct gm_scan *scan, AVRational rate)
{
    AVRational tb = scan->format->streams[scan->video]->time_base;
    int64_t start = AV_NOPTS_VALUE;
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    size_t frames = 0, window = 0;
    __int128 slots = 0, used = 0;
    if (rate.num <= 0 || rate.den <= 0 || rate.num / rate.den > MAX_RATE) {
        return false;
    }
    __int128 den = (__int128)tb.den * rate.den;
    for (size_t i = 0; i <= scan->count; i++) {
        bool gap =
            i == scan->count || (window < scan->window_count && i >= scan->windows[window].run_end);
        if (gap && frames > 0) {
            slots += ((__int128)highest - lowest) * tb.num * rate.num / den + 1;
            used += (__int128)frames;
            frames = 0;
            lowest = INT64_MAX;
            highest = INT64_MIN;
        }
        while (window < scan->window_count && i >= scan->windows[window].run_end) {
            window++;
        }
        if (i == scan->count) {
            break;
        }
        int64_t ts = rate_ts(scan, i);
        if (ts == AV_NOPTS_VALUE || (scan->packets[i].flags & AV_PKT_FLAG_DISCARD) != 0) {
            continue;
        }
        start = start == AV_NOPTS_VALUE ? ts : start;
        if (((__int128)ts - start) * tb.num * rate.num % den != 0) {
            return false;
        }
        lowest = ts < lowest ? ts : lowest;
        highest = ts > highest ? ts : highest;
        frames++;
    }
    return used > 0 && used * 10 >= slots * 9;
}

/* Packets of the windows up to the last that was shown, and how many of these were. */
static void count_shown(const struct gm_scan *scan, size_t *out_packets, size_t *out_frames)
{
    *out_packets = *out_frames = 0;
    for (size_t i = 0; i < scan->window_count; i++) {
        const struct gm_scan_window *w = &scan->windows[i];
        uint64_t end = w->first;
        for (size_t k = w->shown; k < w->shown + w->shows; k++) {
            bool later = scan->shown[k] != GM_SCAN_NO_ID && scan->shown[k] >= end;
            end = later ? scan->shown[k] + 1 : end;
            *out_frames += scan->shown[k] != GM_SCAN_NO_ID;
        }
        *out_packets += end - w->first;
    }
}

/* Some packets without a frame are lost or not shown yet; second fields are more. */
static bool has_field_packets(const struct gm_scan *scan)
{
    size_t packets, frames;
    count_shown(scan, &packets, &frames);
    return scan->interlaced_frames > 0 && frames * 8 < packets * 7;
}

int64_t gm_scan_guess_frames(const struct gm_scan *scan, int64_t packets)
{
    size_t sampled, frames;
    count_shown(scan, &sampled, &frames);
    if (!has_field_packets(scan)) {
        return packets;
    }
    return (int64_t)((__int128)packets * (int64_t)frames / (int64_t)sampled);
}

/* Times of the head's frames, rising; of its packets unless these are fields. ts: room
 * for either. */
static size_t head_times(const struct gm_scan *scan, int64_t *ts)
{
    const struct gm_scan_window *w = &scan->windows[0];
    bool fields = has_field_packets(scan);
    size_t n = fields ? w->shows : w->run_end;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t id = fields ? scan->shown[w->shown + i] : i;
        int64_t t = id < scan->count ? rate_ts(scan, (size_t)id) : AV_NOPTS_VALUE;
        if (t != AV_NOPTS_VALUE) {
            ts[count++] = t;
        }
    }
    qsort(ts, count, sizeof *ts, gm_array_compare_int64);
    return count;
}

/* The rate that the smallest distance of two frames means. */
static AVRational smallest_step_rate(const struct gm_scan *scan)
{
    AVRational tb = scan->format->streams[scan->video]->time_base;
    AVRational rate = {0, 1};
    int64_t *ts = malloc((scan->count + scan->shown_count + 1) * sizeof *ts);
    int64_t step = 0;
    if (ts == NULL || scan->window_count == 0) {
        free(ts);
        return rate;
    }
    size_t count = head_times(scan, ts);
    for (size_t i = 1; i < count; i++) {
        int64_t d;
        if (!__builtin_sub_overflow(ts[i], ts[i - 1], &d) && d > 0 && (step == 0 || d < step)) {
            step = d;
        }
    }
    free(ts);
    if (step > 0 && step <= INT32_MAX) {
        (void)av_reduce(&rate.num, &rate.den, tb.den, (int64_t)tb.num * step, INT32_MAX);
    }
    return rate;
}

static bool sane_rate(AVRational r)
{
    return r.num > 0 && r.den > 0 && r.num / r.den <= MAX_RATE && r.den / r.num < 60;
}

/* Time from first to last decoded frame of all windows, and steps of a frame therein. */
static int64_t shown_span(const struct gm_scan *scan, int64_t *out_steps)
{
    int64_t span = 0, steps = 0;
    for (size_t i = 0; i < scan->window_count; i++) {
        const struct gm_scan_window *w = &scan->windows[i];
        int64_t lowest = MAX_SPAN, highest = -MAX_SPAN, n = 0;
        for (size_t k = w->shown; k < w->shown + w->shows; k++) {
            uint64_t id = scan->shown[k];
            int64_t t = id < scan->count ? rate_ts(scan, (size_t)id) : AV_NOPTS_VALUE;
            if (t > -MAX_SPAN && t < MAX_SPAN) {
                lowest = t < lowest ? t : lowest;
                highest = t > highest ? t : highest;
                n++;
            }
        }
        span += n > 1 ? highest - lowest : 0;
        steps += n > 1 ? n - 1 : 0;
    }
    *out_steps = steps;
    return span;
}

/* The one of three rates, or of their halves, that the decoded frames have on average to a
 * twentieth; the average itself where none has it and packets hold fields. */
static bool shown_rate(const struct gm_scan *scan, const AVRational *rates, AVRational *out)
{
    AVRational tb = scan->format->streams[scan->video]->time_base;
    AVRational mean = {0, 1};
    int64_t steps;
    __int128 span = shown_span(scan, &steps);
    for (int i = 0; i < 6 && span > 0; i++) {
        AVRational r = rates[i % 3];
        r = i < 3 ? r : av_mul_q(r, (AVRational){1, 2});
        __int128 seen = (__int128)steps * tb.den * r.den * 20, meant = span * tb.num * r.num;
        if (sane_rate(r) && seen >= meant * 19 && seen <= meant * 21) { /* see is_near */
            *out = r;
            return true;
        }
    }
    if (span > 0 && span * tb.num <= INT64_MAX) {
        (void)av_reduce(&mean.num, &mean.den, steps * tb.den, (int64_t)span * tb.num, INT32_MAX);
    }
    if (!has_field_packets(scan) || !sane_rate(mean)) {
        return false;
    }
    *out = mean;
    return true;
}

/* To a twentieth. */
static bool is_near(AVRational a, AVRational b)
{
    __int128 x = (__int128)a.num * b.den * 20, y = (__int128)b.num * a.den;
    return x >= y * 19 && x <= y * 21;
}

/* The first of three rates that can be meant. libavformat's average counts a field without its
 * second now and then: then the one beside it that the stream says. */
static AVRational untimed_rate(const struct gm_scan *scan, const AVRational *rates)
{
    for (int i = 0; i < 3; i++) {
        if (sane_rate(rates[i])) {
            bool said =
                has_field_packets(scan) && sane_rate(rates[2]) && is_near(rates[2], rates[i]);
            return said ? rates[2] : rates[i];
        }
    }
    return (AVRational){25, 1};
}

bool gm_scan_rate(const struct gm_scan *scan, Gm__TimelineMode mode, AVRational *out)
{
    const AVStream *st = scan->format->streams[scan->video];
    AVRational candidates[4] = {st->avg_frame_rate, st->r_frame_rate, scan->decoder_rate,
                                smallest_step_rate(scan)};
    size_t timed = 0;
    for (size_t i = 0; i < scan->count; i++) {
        timed += rate_ts(scan, i) != AV_NOPTS_VALUE;
    }
    if (timed * 2 < scan->count) { /* no times: they follow from a rate */
        *out = untimed_rate(scan, candidates);
        return true;
    }
    size_t count = mode == GM__TIMELINE_MODE__TIMELINE_PACKETS ? 4 : 3;
    bool fields = has_field_packets(scan);
    for (size_t i = 0; timed > 1 && !fields && i < count; i++) {
        if (sane_rate(candidates[i]) && fits(scan, candidates[i])) {
            *out = candidates[i];
            return true;
        }
    }
    if (mode == GM__TIMELINE_MODE__TIMELINE_DECODE &&
        (scan->interlaced_frames > 0 || may_have_fields(scan)) &&
        shown_rate(scan, candidates, out)) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (sane_rate(candidates[i])) {
            *out = candidates[i];
            return timed == 1;
        }
    }
    *out = (AVRational){25, 1};
    return timed == 1;
}

AVRational gm_scan_peak_rate(const struct gm_scan *scan, AVRational rate)
{
    AVRational peak = smallest_step_rate(scan);
    AVRational most = {PEAK_RATE, 1};
    if (peak.num <= 0 || peak.den <= 0 || av_cmp_q(peak, rate) < 0) {
        peak = rate;
    }
    return av_cmp_q(peak, most) > 0 ? most : peak;
}

int64_t gm_scan_keyframe_interval(const struct gm_scan *scan)
{
    AVRational tb = scan->format->streams[scan->video]->time_base;
    int64_t longest = 0, last_key = AV_NOPTS_VALUE, since;
    size_t window = 0;
    for (size_t i = 0; i < scan->count; i++) {
        int64_t ts = rate_ts(scan, i);
        while (window < scan->window_count && i >= scan->windows[window].run_end) {
            window++;
            last_key = AV_NOPTS_VALUE;
        }
        if (ts == AV_NOPTS_VALUE) {
            continue;
        }
        if (last_key != AV_NOPTS_VALUE && !__builtin_sub_overflow(ts, last_key, &since)) {
            longest = since > longest ? since : longest;
        }
        if ((scan->packets[i].flags & AV_PKT_FLAG_KEY) != 0 || last_key == AV_NOPTS_VALUE) {
            last_key = ts;
        }
    }
    return gm_av_rescale(longest, tb, (AVRational){1, 1000000});
}

int64_t gm_scan_first_ts(const struct gm_scan *scan, Gm__TimelineMode mode)
{
    if (mode == GM__TIMELINE_MODE__TIMELINE_DECODE) {
        return scan->picture.first_ts;
    }
    int64_t first = AV_NOPTS_VALUE;
    size_t n = scan->window_count > 0 ? scan->windows[0].run_end : scan->count;
    for (size_t i = 0; i < n; i++) {
        const struct gm_scan_packet *p = &scan->packets[i];
        if (p->pts != AV_NOPTS_VALUE && (first == AV_NOPTS_VALUE || p->pts < first)) {
            first = p->pts;
        }
    }
    return first;
}
