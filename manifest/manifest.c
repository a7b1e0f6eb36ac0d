#include "manifest/manifest.h"
#include "proto/ticks.h"

#include <stdio.h>
#include <string.h>

struct name {
    const char *name; /* libavutil's */
    int code;
};

static int code_of(const struct name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].code;
        }
    }
    return 2;
}

/* Source: ISO/IEC 23091-2, tables 2 to 4. */
struct gm_manifest_colour gm_manifest_colour_of(const Gm__Rendition *rendition)
{
    static const struct name primaries[] = {{"bt709", 1},     {"bt470m", 4},    {"bt470bg", 5},
                                            {"smpte170m", 6}, {"smpte240m", 7}, {"film", 8},
                                            {"bt2020", 9},    {"smpte428", 10}, {"smpte431", 11},
                                            {"smpte432", 12}, {"ebu3213", 22}};
    static const struct name transfers[] = {
        {"bt709", 1},         {"bt470m", 4},
        {"bt470bg", 5},       {"smpte170m", 6},
        {"smpte240m", 7},     {"linear", 8},
        {"log100", 9},        {"log316", 10},
        {"iec61966-2-4", 11}, {"bt1361e", 12},
        {"iec61966-2-1", 13}, {"bt2020-10", 14},
        {"bt2020-12", 15},    {"smpte2084", GM_MANIFEST_PQ},
        {"smpte428", 17},     {"arib-std-b67", GM_MANIFEST_HLG}};
    static const struct name matrices[] = {{"gbr", 0},
                                           {"bt709", 1},
                                           {"fcc", 4},
                                           {"bt470bg", 5},
                                           {"smpte170m", 6},
                                           {"smpte240m", 7},
                                           {"ycgco", 8},
                                           {"bt2020nc", 9},
                                           {"bt2020c", 10},
                                           {"smpte2085", 11},
                                           {"chroma-derived-nc", 12},
                                           {"chroma-derived-c", 13},
                                           {"ictcp", 14}};
    return (struct gm_manifest_colour){
        code_of(primaries, sizeof primaries / sizeof primaries[0], rendition->primaries),
        code_of(transfers, sizeof transfers / sizeof transfers[0], rendition->transfer),
        code_of(matrices, sizeof matrices / sizeof matrices[0], rendition->matrix)};
}

#define MARK_BEGIN "gopmill: job "
#define MARK_END " still works"

void gm_manifest_mark(const char *job_id, char out[GM_MANIFEST_MARK_SIZE])
{
    (void)snprintf(out, GM_MANIFEST_MARK_SIZE, MARK_BEGIN "%.64s" MARK_END, job_id);
}

bool gm_manifest_is_marked(const char *text, size_t size)
{
    const char *begin = memmem(text, size, MARK_BEGIN, strlen(MARK_BEGIN));
    if (begin == NULL) {
        return false;
    }
    size_t left = size - (size_t)(begin - text);
    left = left < GM_MANIFEST_MARK_SIZE ? left : GM_MANIFEST_MARK_SIZE;
    return memmem(begin, left, MARK_END, strlen(MARK_END)) != NULL;
}

bool gm_manifest_is_hdr(struct gm_manifest_colour colour)
{
    return colour.transfer == GM_MANIFEST_PQ || colour.transfer == GM_MANIFEST_HLG;
}

static int64_t start_us(const struct gm_manifest_track *t)
{
    return gm_ticks_us(t->segments[0]->start_ts, t->timescale);
}

bool gm_manifest_begins_apart(const struct gm_manifest *m)
{
    const struct gm_manifest_track *lists[] = {m->video, m->audio, m->text};
    const size_t counts[] = {m->videos, m->audios, m->texts};
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            int64_t us = lists[k][i].count > 0 ? start_us(&lists[k][i]) : first;
            first = us < first ? us : first;
            last = us > last && us != INT64_MAX ? us : last;
        }
    }
    return last >= first && last - first >= 1000;
}

/* Of what the playlist will say, which is rounded to microseconds first. */
static int64_t whole_s(int64_t ticks, uint32_t timescale)
{
    return (gm_ticks_us(ticks, timescale) + 1 + 500000) / 1000000;
}

int64_t gm_manifest_segment_s(const struct gm_manifest_track *t, size_t i)
{
    return whole_s(t->segments[i]->duration_ts + (i == 0 ? t->priming_samples : 0), t->timescale);
}

static int64_t longest_s(const struct gm_manifest_track *t)
{
    int64_t longest = 0;
    for (size_t i = 0; i < t->count; i++) {
        int64_t s = gm_manifest_segment_s(t, i);
        longest = s > longest ? s : longest;
    }
    return longest;
}

int64_t gm_manifest_target_s(const struct gm_manifest *m)
{
    int64_t target = 1;
    if (m->growth != NULL) {
        return m->growth->target_s;
    }
    for (size_t i = 0; i < m->videos; i++) {
        int64_t s = longest_s(&m->video[i]);
        target = s > target ? s : target;
    }
    for (size_t i = 0; i < m->audios; i++) {
        int64_t s = longest_s(&m->audio[i]);
        target = s > target ? s : target;
    }
    return target;
}

/* One piece of a track: a segment, or an I-frame with the time to the next one. */
struct piece {
    uint64_t size;
    int64_t duration_ts;
};

static struct piece segment_piece(const struct gm_manifest_track *t, size_t i)
{
    return (struct piece){t->segments[i]->size, t->segments[i]->duration_ts};
}

/* A segment's I-frames together: they are as evenly spread as the GOPs. */
static struct piece iframes_piece(const struct gm_manifest_track *t, size_t i)
{
    struct piece p = {0, t->segments[i]->duration_ts};
    for (size_t g = 0; g < t->segments[i]->n_gops; g++) {
        p.size += t->segments[i]->gops[g]->idr_size;
    }
    return p;
}

static int64_t rate_of(uint64_t bytes, int64_t duration_ts, uint32_t timescale)
{
    if (duration_ts <= 0) {
        return 0;
    }
    __int128 bits = (__int128)bytes * 8 * timescale;
    return (int64_t)((bits + duration_ts - 1) / duration_ts);
}

static struct gm_manifest_rate measure(const struct gm_manifest_track *t, int64_t target_s,
                                       struct piece (*get)(const struct gm_manifest_track *t,
                                                           size_t i))
{
    struct gm_manifest_rate rate = {0, 0, 0};
    int64_t total_ts = 0;
    int64_t low = target_s * t->timescale / 2;
    int64_t high = target_s * t->timescale * 3 / 2;
    for (size_t i = 0; i < t->count; i++) {
        struct piece sum = {0, 0};
        rate.bytes += get(t, i).size;
        total_ts += get(t, i).duration_ts;
        for (size_t j = i; j < t->count && sum.duration_ts <= high; j++) {
            struct piece p = get(t, j);
            sum.size += p.size;
            sum.duration_ts += p.duration_ts;
            if (sum.duration_ts >= low && sum.duration_ts <= high) {
                int64_t bps = rate_of(sum.size, sum.duration_ts, t->timescale);
                rate.peak_bps = bps > rate.peak_bps ? bps : rate.peak_bps;
            }
        }
    }
    rate.average_bps = rate_of(rate.bytes, total_ts, t->timescale);
    if (rate.peak_bps < rate.average_bps) {
        rate.peak_bps = rate.average_bps;
    }
    return rate;
}

struct gm_manifest_rate gm_manifest_measure(const struct gm_manifest_track *t, int64_t target_s)
{
    return t->declared_bps > 0 ? (struct gm_manifest_rate){0, t->declared_bps, t->declared_bps}
                               : measure(t, target_s, segment_piece);
}

struct gm_manifest_rate gm_manifest_measure_iframes(const struct gm_manifest_track *t,
                                                    int64_t target_s)
{
    return measure(t, target_s, iframes_piece);
}

void gm_manifest_frame_rate(const struct gm_manifest *m, int64_t *out_num, int64_t *out_den)
{
    int64_t num = m->rate_num;
    int64_t den = m->rate_den;
    const struct gm_manifest_track *t = &m->video[0];
    if (num <= 0 || den <= 0) {
        num = 1;
        den = 1;
        for (size_t i = 0; i < t->count; i++) {
            int64_t frames = (int64_t)t->segments[i]->samples * t->timescale;
            int64_t ticks = t->segments[i]->duration_ts;
            if (ticks > 0 && (i == 0 || (__int128)frames * den > (__int128)num * ticks)) {
                num = frames;
                den = ticks;
            }
        }
    }
    *out_num = num;
    *out_den = den;
}

size_t gm_manifest_default_audio(const struct gm_manifest *m)
{
    for (size_t i = 0; i < m->audios; i++) {
        if (m->audio[i].is_default) {
            return i;
        }
    }
    return 0;
}
