#include "manifest/hls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "manifest/image_track.h"
#include "proto/language.h"
#include "proto/ticks.h"

static void add_head(struct gm_buf *out, const char *type, int64_t target_s)
{
    gm_buf_printf(out,
                  "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%" PRId64
                  "\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:%s\n",
                  target_s, type);
}

/* The time from start_ts to end_ts as differences of rounded times since the track's start, which
 * is that of the priming: shaka-player takes the sum of the durations so far for the next segment's
 * tfdt and moves the segment to make it so, and tfdt counts the priming. */
static void add_extinf(struct gm_buf *out, const struct gm_manifest_track *t, int64_t start_ts,
                       int64_t end_ts)
{
    int64_t zero = t->segments[0]->start_ts - t->priming_samples;
    int64_t us =
        gm_ticks_us(end_ts - zero, t->timescale) - gm_ticks_us(start_ts - zero, t->timescale);
    gm_buf_printf(out, "#EXTINF:%" PRId64 ".%06" PRId64 ",\n", us / 1000000, us % 1000000);
}

/* The track's start as a date whose zero is that of 1970; programmes last less than 28 days. */
static void add_date(struct gm_buf *out, const struct gm_manifest_track *t)
{
    int64_t us = gm_ticks_us(t->segments[0]->start_ts, t->timescale);
    int64_t ms = us > 0 ? (us + 500) / 1000 : 0;
    int64_t s = ms / 1000;
    if (t->is_dated) {
        gm_buf_printf(out,
                      "#EXT-X-PROGRAM-DATE-TIME:1970-01-%02" PRId64 "T%02" PRId64 ":%02" PRId64
                      ":%02" PRId64 ".%03" PRId64 "Z\n",
                      s / 86400 % 28 + 1, s / 3600 % 24, s / 60 % 60, s % 60, ms % 1000);
    }
}

static void add_media(const struct gm_manifest_track *track, const char *type, int64_t target_s,
                      struct gm_buf *out)
{
    add_head(out, type, target_s);
    if (track->init_name != NULL) { /* text has none */
        gm_buf_printf(out, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"%s\"\n",
                      track->init_name);
    }
    add_date(out, track);
    for (size_t i = 0; i < track->count; i++) {
        const Gm__SegmentMeta *s = track->segments[i];
        add_extinf(out, track, s->start_ts - (i == 0 ? track->priming_samples : 0),
                   s->start_ts + s->duration_ts);
        gm_buf_printf(out, "%s\n", s->name);
    }
}

void gm_hls_media(const struct gm_manifest_track *track, int64_t target_s, struct gm_buf *out)
{
    add_media(track, "VOD", target_s, out);
    gm_buf_str(out, "#EXT-X-ENDLIST\n");
}

void gm_hls_event(const struct gm_manifest_track *track, int64_t target_s, struct gm_buf *out)
{
    add_media(track, "EVENT", target_s, out);
}

void gm_hls_iframes(const struct gm_manifest_track *track, struct gm_buf *out)
{
    int64_t longest = 0;
    for (size_t i = 0; i < track->count; i++) {
        for (size_t g = 0; g < track->segments[i]->n_gops; g++) {
            int64_t duration = track->segments[i]->gops[g]->duration_ts;
            longest = duration > longest ? duration : longest;
        }
    }
    int64_t target = (gm_ticks_us(longest, track->timescale) + 1 + 500000) / 1000000;
    add_head(out, "VOD", target > 0 ? target : 1);
    gm_buf_printf(out, "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"%s\"\n", track->init_name);
    add_date(out, track);
    for (size_t i = 0; i < track->count; i++) {
        for (size_t g = 0; g < track->segments[i]->n_gops; g++) {
            const Gm__GopMeta *gop = track->segments[i]->gops[g];
            add_extinf(out, track, gop->start_ts, gop->start_ts + gop->duration_ts);
            gm_buf_printf(out, "#EXT-X-BYTERANGE:%" PRIu64 "@%" PRIu64 "\n%s\n", gop->idr_size,
                          gop->offset, track->segments[i]->name);
        }
    }
    gm_buf_str(out, "#EXT-X-ENDLIST\n");
}

/* A quoted-string holds no quotes and no control characters: RFC 8216 4.2. */
static void add_quotable(struct gm_buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        gm_buf_u8(out, c == '"' ? '\'' : c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

#define NAMES 16
#define NAME_SIZE 256

/* What viewers choose by: the track's title, or its number; a number behind what an earlier track
 * is called too (RFC 8216 4.3.4.1.1). */
static void name_tracks(const struct gm_manifest_track *tracks, size_t count, const char *what,
                        char names[NAMES][NAME_SIZE])
{
    for (size_t i = 0; i < count && i < NAMES; i++) {
        const char *title = tracks[i].title;
        bool taken = true;
        if (title != NULL && title[0] != '\0') {
            (void)snprintf(names[i], NAME_SIZE, "%.200s", title);
        } else {
            (void)snprintf(names[i], NAME_SIZE, "%s %zu", what, i + 1);
        }
        for (int tries = 0; taken && tries < NAMES; tries++) {
            taken = false;
            for (size_t j = 0; j < i; j++) {
                taken = taken || strcmp(names[i], names[j]) == 0;
            }
            size_t length = strlen(names[i]);
            if (taken && length + 8 < NAME_SIZE) {
                (void)snprintf(names[i] + length, NAME_SIZE - length, " (%zu)", i + 1);
            }
        }
    }
}

/* LANGUAGE and NAME. */
static void add_names(const struct gm_manifest_track *t, const char *name, struct gm_buf *out)
{
    const char *language = gm_language_tag(t->language);
    if (language != NULL) {
        gm_buf_printf(out, ",LANGUAGE=\"%s\"", language);
    }
    gm_buf_str(out, ",NAME=\"");
    add_quotable(out, name);
    gm_buf_str(out, "\"");
}

static void add_audio(const struct gm_manifest *m, size_t index, const char *name,
                      struct gm_buf *out)
{
    const struct gm_manifest_track *t = &m->audio[index];
    bool is_default = index == gm_manifest_default_audio(m);
    gm_buf_str(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\"");
    add_names(t, name, out);
    gm_buf_printf(out, ",DEFAULT=%s,AUTOSELECT=YES,CHANNELS=\"%u\"", is_default ? "YES" : "NO",
                  t->channels);
    if (m->videos > 0 || !is_default) { /* without a video the variant itself is the default */
        gm_buf_printf(out, ",URI=\"%saudio/%s/media.m3u8\"", m->prefix, t->name);
    }
    gm_buf_str(out, "\n");
}

/* Subtitles for those who do not hear say what can be heard besides. Source of the names: RFC 8216
 * 4.3.4.1. */
static void add_text(const struct gm_manifest *m, size_t index, const char *name,
                     struct gm_buf *out)
{
    const struct gm_manifest_track *t = &m->text[index];
    gm_buf_str(out, "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\"");
    add_names(t, name, out);
    gm_buf_printf(out, ",DEFAULT=%s,AUTOSELECT=YES,FORCED=%s", t->is_default ? "YES" : "NO",
                  t->forced ? "YES" : "NO");
    if (t->hearing_impaired) {
        gm_buf_str(out, ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,"
                        "public.accessibility.describes-music-and-sound\"");
    }
    gm_buf_printf(out, ",URI=\"%stext/%s/media.m3u8\"\n", m->prefix, t->name);
}

/* The codecs of the sound tracks, each once, behind a comma. */
static void add_audio_codecs(const struct gm_manifest *m, struct gm_buf *out)
{
    for (size_t i = 0; i < m->audios; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++) {
            seen = seen || strcmp(m->audio[i].codecs, m->audio[j].codecs) == 0;
        }
        if (!seen) {
            gm_buf_printf(out, ",%s", m->audio[i].codecs);
        }
    }
}

/* A publication of sound alone: one variant, the default track. The others are its alternatives. */
static void add_sound_variant(const struct gm_manifest *m, struct gm_manifest_rate rate,
                              struct gm_buf *out)
{
    const struct gm_manifest_track *t = &m->audio[gm_manifest_default_audio(m)];
    gm_buf_printf(
        out, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64 ",CODECS=\"%s\"",
        rate.peak_bps, rate.average_bps, t->codecs);
    gm_buf_printf(out, "%s\n%saudio/%s/media.m3u8\n", m->audios > 1 ? ",AUDIO=\"audio\"" : "",
                  m->prefix, t->name);
}

/* NONE is for all variants or for none of them: RFC 8216 4.3.4.2. What the pictures that are to
 * come carry nobody knows. */
static const char *closed_captions(const struct gm_manifest *m, const struct gm_manifest_track *t)
{
    bool any = false;
    for (size_t i = 0; i < m->videos; i++) {
        any = any || m->video[i].captions;
    }
    return m->growth != NULL ? ""
           : !any            ? ",CLOSED-CAPTIONS=NONE"
           : t->captions     ? ",CLOSED-CAPTIONS=\"cc\""
                             : "";
}

static void add_captions(const struct gm_manifest *m, struct gm_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < m->videos; i++) {
        any = any || m->video[i].captions;
    }
    for (size_t i = 0; any && i < m->captions_count; i++) {
        gm_buf_printf(out,
                      "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"%s\",DEFAULT=NO,"
                      "AUTOSELECT=YES,INSTREAM-ID=\"%s\"\n",
                      m->captions[i], m->captions[i]);
    }
}

/* Said of all variants where one is HDR. Source: draft-pantos-hls-rfc8216bis 4.4.6.2. */
static const char *video_range(const struct gm_manifest *m, const struct gm_manifest_track *t)
{
    bool any = false;
    for (size_t i = 0; i < m->videos; i++) {
        any = any || gm_manifest_is_hdr(m->video[i].colour);
    }
    return !any                                    ? ""
           : t->colour.transfer == GM_MANIFEST_PQ  ? ",VIDEO-RANGE=PQ"
           : t->colour.transfer == GM_MANIFEST_HLG ? ",VIDEO-RANGE=HLG"
                                                   : ",VIDEO-RANGE=SDR";
}

/* Of what grows there are none yet. */
static void add_iframes(const struct gm_manifest *m, int64_t target_s, struct gm_buf *out)
{
    for (size_t i = 0; i < m->videos && m->growth == NULL; i++) {
        const struct gm_manifest_track *t = &m->video[i];
        struct gm_manifest_rate r = gm_manifest_measure_iframes(t, target_s);
        gm_buf_printf(out,
                      "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64
                      ",CODECS=\"%s\",RESOLUTION=%ux%u%s,URI=\"%svideo/%s/iframes.m3u8\"\n",
                      r.peak_bps, r.average_bps, t->codecs, t->width_px, t->height_px,
                      video_range(m, t), m->prefix, t->name);
    }
}

void gm_hls_master(const struct gm_manifest *m, struct gm_buf *out)
{
    int64_t target_s = gm_manifest_target_s(m);
    struct gm_manifest_rate audio = {0, 0, 0};
    char names[NAMES][NAME_SIZE];
    int64_t num = 0;
    int64_t den = 1;
    if (m->videos > 0) {
        gm_manifest_frame_rate(m, &num, &den);
    }
    int64_t milli = (int64_t)(((__int128)num * 1000 + den / 2) / den);
    gm_buf_str(out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (m->growth != NULL) { /* else players begin where it grows */
        gm_buf_printf(out, "#EXT-X-START:TIME-OFFSET=0\n#%s\n", m->growth->mark);
    }
    name_tracks(m->audio, m->audios, "Audio", names);
    for (size_t i = 0; i < m->audios; i++) {
        struct gm_manifest_rate r = gm_manifest_measure(&m->audio[i], target_s);
        audio.peak_bps = r.peak_bps > audio.peak_bps ? r.peak_bps : audio.peak_bps;
        audio.average_bps = r.average_bps > audio.average_bps ? r.average_bps : audio.average_bps;
        if (m->videos > 0 || m->audios > 1) {
            add_audio(m, i, i < NAMES ? names[i] : m->audio[i].name, out);
        }
    }
    if (m->videos == 0) {
        add_sound_variant(m, audio, out);
    }
    name_tracks(m->text, m->texts, "Subtitles", names);
    for (size_t i = 0; i < m->texts; i++) {
        add_text(m, i, i < NAMES ? names[i] : m->text[i].name, out);
    }
    add_captions(m, out);
    for (size_t i = 0; i < m->videos; i++) {
        const struct gm_manifest_track *t = &m->video[i];
        struct gm_manifest_rate r = gm_manifest_measure(t, target_s);
        gm_buf_printf(out,
                      "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64
                      ",CODECS=\"%s",
                      r.peak_bps + audio.peak_bps, r.average_bps + audio.average_bps, t->codecs);
        add_audio_codecs(m, out);
        gm_buf_printf(out, "\",RESOLUTION=%ux%u,FRAME-RATE=%" PRId64 ".%03" PRId64, t->width_px,
                      t->height_px, milli / 1000, milli % 1000);
        gm_buf_printf(out, "%s%s%s%s\n%svideo/%s/media.m3u8\n", video_range(m, t),
                      m->audios > 0 ? ",AUDIO=\"audio\"" : "",
                      m->texts > 0 ? ",SUBTITLES=\"text\"" : "", closed_captions(m, t), m->prefix,
                      t->name);
    }
    add_iframes(m, target_s, out);
    gm_image_track_hls_master(m, out);
}
