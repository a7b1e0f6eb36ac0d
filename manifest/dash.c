#include "manifest/dash.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "manifest/image_track.h"
#include "proto/language.h"
#include "proto/ticks.h"

#define TEXT_ID ((size_t)100)        /* of the first AdaptationSet for text */
#define OTHER_VIDEO_ID ((size_t)200) /* of the second AdaptationSet for pictures */
#define IMAGES_ID 300

static void add_attribute(struct gm_buf *out, const char *name, const char *value)
{
    gm_buf_printf(out, " %s=\"", name);
    gm_buf_xml(out, value, GM_XML_UTF8);
    gm_buf_str(out, "\"");
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a > 0 ? a : 1;
}

static int64_t end_us(const struct gm_manifest_track *t)
{
    const Gm__SegmentMeta *last = t->segments[t->count - 1];
    return gm_ticks_us(last->start_ts + last->duration_ts, t->timescale);
}

/* One S a segment, equal durations too: dash.js (5.2) takes the n-th SegmentURL for the n-th S and
 * would ask for the first segment of a repeat again and again. */
static void add_timeline(struct gm_buf *out, const struct gm_manifest_track *t)
{
    gm_buf_str(out, "          <SegmentTimeline>\n");
    for (size_t i = 0; i < t->count; i++) {
        gm_buf_str(out, "            <S");
        if (i == 0) {
            gm_buf_printf(out, " t=\"%" PRId64 "\"", t->segments[0]->start_ts);
        }
        gm_buf_printf(out, " d=\"%" PRId64 "\"/>\n", t->segments[i]->duration_ts);
    }
    gm_buf_str(out, "          </SegmentTimeline>\n");
}

static void add_segments(struct gm_buf *out, const struct gm_manifest *m, const char *kind,
                         const struct gm_manifest_track *t)
{
    gm_buf_str(out, "        <BaseURL>");
    gm_buf_xml(out, m->prefix, GM_XML_UTF8);
    gm_buf_printf(out, "%s/", kind);
    gm_buf_xml(out, t->name, GM_XML_UTF8);
    gm_buf_printf(out, "/</BaseURL>\n        <SegmentList timescale=\"%u\">\n", t->timescale);
    gm_buf_str(out, "          <Initialization");
    add_attribute(out, "sourceURL", t->init_name);
    gm_buf_str(out, "/>\n");
    add_timeline(out, t);
    for (size_t i = 0; i < t->count; i++) {
        gm_buf_str(out, "          <SegmentURL");
        add_attribute(out, "media", t->segments[i]->name);
        gm_buf_str(out, "/>\n");
    }
    gm_buf_str(out, "        </SegmentList>\n      </Representation>\n");
}

/* Renditions that a player goes to and fro between without another decoder or another light. */
static bool is_alike(const struct gm_manifest_track *a, const struct gm_manifest_track *b)
{
    return strncmp(a->codecs, b->codecs, 4) == 0 &&
           gm_manifest_is_hdr(a->colour) == gm_manifest_is_hdr(b->colour);
}

/* Captions within the pictures; in which language is not known. Source: ANSI/SCTE 214-1, 7.2 and
 * 7.3. */
static void add_captions(struct gm_buf *out, const struct gm_manifest *m, size_t first)
{
    bool all = true;
    const char *before =
        "      <Accessibility schemeIdUri=\"urn:scte:dash:cc:cea-608:2015\" value=\"";
    const char *after = "";
    for (size_t i = first; i < m->videos; i++) {
        all = all && (m->video[i].captions || !is_alike(&m->video[i], &m->video[first]));
    }
    for (size_t i = 0; all && i < m->captions_count; i++) {
        if (m->captions[i][0] == 'C') {
            gm_buf_printf(out, "%s%s=und", before, m->captions[i]);
            before = ";";
            after = "\"/>\n";
        }
    }
    gm_buf_str(out, after);
    for (size_t i = 0; all && i < m->captions_count; i++) {
        if (m->captions[i][0] == 'S') {
            gm_buf_str(out, "      <Accessibility schemeIdUri=\"urn:scte:dash:cc:cea-708:2015\""
                            " value=\"1=lang:und\"/>\n");
        }
    }
}

/* Source: ISO/IEC 23009-1 5.8.4.9 with the code points of ISO/IEC 23091-2. Of SDR, which is what
 * players take for granted, nothing is said. */
static void add_colour(struct gm_buf *out, struct gm_manifest_colour c)
{
    static const char *const names[] = {"ColourPrimaries", "TransferCharacteristics",
                                        "MatrixCoefficients"};
    const int values[] = {c.primaries, c.transfer, c.matrix};
    for (size_t i = 0; gm_manifest_is_hdr(c) && i < 3; i++) {
        gm_buf_printf(out,
                      "      <SupplementalProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:%s\""
                      " value=\"%d\"/>\n",
                      names[i], values[i]);
    }
}

static void add_representation(struct gm_buf *out, const struct gm_manifest *m,
                               const struct gm_manifest_track *t, int64_t target_s)
{
    int64_t num = 0;
    int64_t den = 1;
    gm_manifest_frame_rate(m, &num, &den);
    int64_t common = gcd(num, den);
    gm_buf_str(out, "      <Representation");
    add_attribute(out, "id", t->name);
    gm_buf_printf(out, " bandwidth=\"%" PRId64 "\"", gm_manifest_measure(t, target_s).peak_bps);
    add_attribute(out, "codecs", t->codecs);
    gm_buf_printf(out, " width=\"%u\" height=\"%u\" sar=\"1:1\"", t->width_px, t->height_px);
    if (den / common == 1) {
        gm_buf_printf(out, " frameRate=\"%" PRId64 "\">\n", num / common);
    } else {
        gm_buf_printf(out, " frameRate=\"%" PRId64 "/%" PRId64 "\">\n", num / common, den / common);
    }
    add_segments(out, m, "video", t);
}

static bool is_first_of_set(const struct gm_manifest *m, size_t index)
{
    bool first = true;
    for (size_t i = 0; i < index; i++) {
        first = first && !is_alike(&m->video[i], &m->video[index]);
    }
    return first;
}

/* The AdaptationSet's id: sets are numbered by their largest renditions. */
static size_t set_id(const struct gm_manifest *m, size_t first)
{
    size_t before = 0;
    for (size_t i = 0; i < first; i++) {
        before += is_first_of_set(m, i);
    }
    return before == 0 ? 0 : OTHER_VIDEO_ID + before - 1;
}

/* The sets of the same light but another codec: a player that has both decoders may go over.
 * Source: DASH-IF IOP 4.3, 3.8 (adaptation set switching). */
static void add_switching(struct gm_buf *out, const struct gm_manifest *m, size_t first)
{
    const struct gm_manifest_track *own = &m->video[first];
    bool any = false;
    for (size_t i = 0; i < m->videos; i++) {
        const struct gm_manifest_track *t = &m->video[i];
        if (is_alike(t, own) || !is_first_of_set(m, i) ||
            gm_manifest_is_hdr(t->colour) != gm_manifest_is_hdr(own->colour)) {
            continue;
        }
        gm_buf_str(out, any ? ","
                            : "      <SupplementalProperty schemeIdUri="
                              "\"urn:mpeg:dash:adaptation-set-switching:2016\" value=\"");
        gm_buf_printf(out, "%zu", set_id(m, i));
        any = true;
    }
    gm_buf_str(out, any ? "\"/>\n" : "");
}

static void add_video_set(struct gm_buf *out, const struct gm_manifest *m, size_t first,
                          int64_t target_s)
{
    const struct gm_manifest_track *best = &m->video[first];
    int64_t par = gcd(best->width_px, best->height_px);
    gm_buf_printf(out,
                  "    <AdaptationSet id=\"%zu\" contentType=\"video\" mimeType=\"video/mp4\""
                  " segmentAlignment=\"true\" startWithSAP=\"1\" par=\"%" PRId64 ":%" PRId64
                  "\">\n",
                  set_id(m, first), best->width_px / par, best->height_px / par);
    add_colour(out, best->colour);
    add_switching(out, m, first);
    add_captions(out, m, first);
    gm_buf_str(out, "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>\n");
    for (size_t i = first; i < m->videos; i++) {
        if (is_alike(&m->video[i], best)) {
            add_representation(out, m, &m->video[i], target_s);
        }
    }
    gm_buf_str(out, "    </AdaptationSet>\n");
}

/* One AdaptationSet a codec and light. */
static void add_video(struct gm_buf *out, const struct gm_manifest *m, int64_t target_s)
{
    for (size_t i = 0; i < m->videos; i++) {
        if (is_first_of_set(m, i)) {
            add_video_set(out, m, i, target_s);
        }
    }
}

static void add_audio(struct gm_buf *out, const struct gm_manifest *m, size_t index,
                      int64_t target_s)
{
    const struct gm_manifest_track *t = &m->audio[index];
    const char *language = gm_language_tag(t->language);
    gm_buf_printf(out,
                  "    <AdaptationSet id=\"%zu\" contentType=\"audio\" mimeType=\"audio/mp4\""
                  " segmentAlignment=\"true\" startWithSAP=\"1\"",
                  index + 1);
    if (language != NULL) {
        add_attribute(out, "lang", language);
    }
    gm_buf_str(out, ">\n");
    if (t->title != NULL && t->title[0] != '\0') {
        gm_buf_str(out, "      <Label>");
        gm_buf_xml(out, t->title, GM_XML_UTF8);
        gm_buf_str(out, "</Label>\n");
    }
    gm_buf_printf(out,
                  "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"%s\"/>\n"
                  "      <Representation",
                  index == gm_manifest_default_audio(m) ? "main" : "alternate");
    add_attribute(out, "id", t->name);
    gm_buf_printf(out, " bandwidth=\"%" PRId64 "\"", gm_manifest_measure(t, target_s).peak_bps);
    add_attribute(out, "codecs", t->codecs);
    gm_buf_printf(out,
                  " audioSamplingRate=\"%u\">\n        <AudioChannelConfiguration schemeIdUri="
                  "\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"%u\"/>\n",
                  t->sample_rate, t->channels);
    add_segments(out, m, "audio", t);
    gm_buf_str(out, "    </AdaptationSet>\n");
}

/* One file with all cues, which players take whole (ADR-0009). Source of the roles: ISO/IEC
 * 23009-1 5.8.5.5. */
static void add_subtitles(struct gm_buf *out, const struct gm_manifest *m, size_t index,
                          int64_t target_s)
{
    const struct gm_manifest_track *t = &m->text[index];
    const char *language = gm_language_tag(t->language);
    const char *roles[2] = {t->is_default ? "main" : "alternate", t->forced ? "forced-subtitle"
                                                                  : t->hearing_impaired
                                                                      ? "caption"
                                                                      : "subtitle"};
    gm_buf_printf(out, "    <AdaptationSet id=\"%zu\" contentType=\"text\" mimeType=\"text/vtt\"",
                  TEXT_ID + index);
    if (language != NULL) {
        add_attribute(out, "lang", language);
    }
    gm_buf_str(out, ">\n");
    for (size_t i = 0; i < 2; i++) {
        gm_buf_printf(out, "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"%s\"/>\n",
                      roles[i]);
    }
    if (t->title != NULL && t->title[0] != '\0') {
        gm_buf_str(out, "      <Label>");
        gm_buf_xml(out, t->title, GM_XML_UTF8);
        gm_buf_str(out, "</Label>\n");
    }
    int64_t bps = gm_manifest_measure(t, target_s).peak_bps;
    gm_buf_str(out, "      <Representation");
    add_attribute(out, "id", t->name);
    gm_buf_printf(out, " bandwidth=\"%" PRId64 "\">\n        <BaseURL>", bps > 0 ? bps : 1);
    gm_buf_xml(out, m->prefix, GM_XML_UTF8);
    gm_buf_str(out, "text/");
    gm_buf_xml(out, t->name, GM_XML_UTF8);
    gm_buf_str(out, "/");
    gm_buf_xml(out, t->whole_name, GM_XML_UTF8);
    gm_buf_str(out, "</BaseURL>\n      </Representation>\n    </AdaptationSet>\n");
}

#define HEAD                                                                                       \
    "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\""                                                 \
    " profiles=\"urn:mpeg:dash:profile:isoff-main:2011\""

static void add_static(struct gm_buf *out, int64_t duration_us, int64_t target_s)
{
    gm_buf_printf(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" HEAD " type=\"static\""
                  " mediaPresentationDuration=\"PT%" PRId64 ".%06" PRId64 "S\""
                  " minBufferTime=\"PT%" PRId64 "S\">\n"
                  "  <Period id=\"0\" start=\"PT0S\">\n",
                  duration_us / 1000000, duration_us % 1000000, target_s);
}

/* xs:dateTime; unix_ms: from 1970 to 9999. */
static void add_date(struct gm_buf *out, const char *name, int64_t unix_ms)
{
    time_t at = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    char text[32] = "";
    if (gmtime_r(&at, &tm) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    gm_buf_printf(out, " %s=\"%s\"", name, text);
}

/* Source: ISO/IEC 23009-1, 5.3.1.2 and 5.4. */
static void add_dynamic(struct gm_buf *out, const struct gm_manifest_growth *g)
{
    gm_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- ");
    gm_buf_xml(out, g->mark, GM_XML_UTF8);
    gm_buf_str(out, " -->\n" HEAD " type=\"dynamic\"");
    add_date(out, "availabilityStartTime", g->available_unix_ms);
    add_date(out, "publishTime", g->written_unix_ms);
    gm_buf_printf(out,
                  " minimumUpdatePeriod=\"PT%" PRId64 "S\" minBufferTime=\"PT%" PRId64 "S\">\n"
                  "  <Period id=\"0\" start=\"PT0S\">\n",
                  g->target_s, g->target_s);
}

void gm_dash_manifest(const struct gm_manifest *m, struct gm_buf *out)
{
    int64_t target_s = gm_manifest_target_s(m);
    int64_t duration_us = m->videos > 0 ? end_us(&m->video[0]) : 0;
    for (size_t i = 0; i < m->audios; i++) {
        int64_t us = end_us(&m->audio[i]);
        duration_us = us > duration_us ? us : duration_us;
    }
    if (m->growth == NULL) {
        add_static(out, duration_us, target_s);
    } else {
        add_dynamic(out, m->growth);
    }
    if (m->videos > 0) {
        add_video(out, m, target_s);
    }
    for (size_t i = 0; i < m->audios; i++) {
        add_audio(out, m, i, target_s);
    }
    for (size_t i = 0; i < m->texts && m->growth == NULL; i++) { /* files that are whole */
        add_subtitles(out, m, i, target_s);
    }
    gm_image_track_dash(m, IMAGES_ID, duration_us, out);
    gm_buf_str(out, "  </Period>\n</MPD>\n");
}
