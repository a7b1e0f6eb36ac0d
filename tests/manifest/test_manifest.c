#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/dash.h"
#include "manifest/hls.h"
#include "proto/ticks.h"

/* HLS and DASH text from a small table of metas. */

#define MAX_SEGMENTS 16

struct made {
    Gm__SegmentMeta segment[MAX_SEGMENTS];
    Gm__SegmentMeta *list[MAX_SEGMENTS];
    Gm__GopMeta gop[MAX_SEGMENTS];
    Gm__GopMeta *gops[MAX_SEGMENTS];
    char name[MAX_SEGMENTS][32];
    struct gm_manifest_track track;
};

/* One GOP a segment; its IDR is a tenth of it. */
static void make_track(struct made *m, const char *name, uint32_t timescale, const int64_t *ticks,
                       const uint64_t *sizes, size_t count, int64_t start_ts)
{
    memset(m, 0, sizeof(*m));
    for (size_t i = 0; i < count; i++) {
        m->segment[i] = (Gm__SegmentMeta)GM__SEGMENT_META__INIT;
        m->gop[i] = (Gm__GopMeta)GM__GOP_META__INIT;
        (void)snprintf(m->name[i], sizeof(m->name[i]), "seg-%05zu-x.m4s", i + 1);
        m->segment[i].number = (uint32_t)i + 1;
        m->segment[i].name = m->name[i];
        m->segment[i].size = sizes[i];
        m->segment[i].start_ts = start_ts;
        m->segment[i].duration_ts = ticks[i];
        m->segment[i].samples = 50;
        m->segment[i].gops = &m->gops[i];
        m->segment[i].n_gops = 1;
        m->gop[i].offset = 24;
        m->gop[i].size = sizes[i] - 24;
        m->gop[i].idr_size = sizes[i] / 10;
        m->gop[i].start_ts = start_ts;
        m->gop[i].duration_ts = ticks[i];
        m->gops[i] = &m->gop[i];
        m->list[i] = &m->segment[i];
        start_ts += ticks[i];
    }
    m->track.name = name;
    m->track.init_name = "init-y.mp4";
    m->track.codecs = "avc1.64001f";
    m->track.timescale = timescale;
    m->track.segments = m->list;
    m->track.count = count;
    m->track.width_px = 1280;
    m->track.height_px = 720;
}

static void check_text(const struct gm_buf *buf, const char *wanted)
{
    struct gm_err err;
    assert_int_equal(gm_buf_check(buf, &err), 0);
    assert_string_equal((const char *)buf->data, wanted);
}

static void media_playlist_is_exact(void **state)
{
    (void)state;
    static const int64_t ticks[] = {180180, 180180, 3003};
    static const uint64_t sizes[] = {1000, 2000, 100};
    struct made m;
    struct gm_buf buf = {0};
    make_track(&m, "720p", 30000, ticks, sizes, 3, 1001);
    gm_hls_media(&m.track, 6, &buf);
    check_text(&buf, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n"
                     "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                     "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-y.mp4\"\n"
                     "#EXTINF:6.006000,\nseg-00001-x.m4s\n"
                     "#EXTINF:6.006000,\nseg-00002-x.m4s\n"
                     "#EXTINF:0.100100,\nseg-00003-x.m4s\n#EXT-X-ENDLIST\n");
    gm_buf_fini(&buf);
    gm_hls_iframes(&m.track, &buf);
    check_text(&buf, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n"
                     "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                     "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"init-y.mp4\"\n"
                     "#EXTINF:6.006000,\n#EXT-X-BYTERANGE:100@24\nseg-00001-x.m4s\n"
                     "#EXTINF:6.006000,\n#EXT-X-BYTERANGE:200@24\nseg-00002-x.m4s\n"
                     "#EXTINF:0.100100,\n#EXT-X-BYTERANGE:10@24\nseg-00003-x.m4s\n"
                     "#EXT-X-ENDLIST\n");
    gm_buf_fini(&buf);
}

/* The first segment's tfdt is 0 and the second's counts the priming: so do the durations. */
static void priming_lengthens_the_first_duration(void **state)
{
    (void)state;
    static const int64_t ticks[] = {311784, 287744, 48000};
    static const uint64_t sizes[] = {1000, 2000, 100};
    struct made m;
    struct gm_buf buf = {0};
    make_track(&m, "a0", 48000, ticks, sizes, 3, 0);
    struct gm_manifest manifest = {.video = &m.track, .videos = 1};
    assert_int_equal(gm_manifest_target_s(&manifest), 6);
    m.track.priming_samples = 1024;
    assert_int_equal(gm_manifest_target_s(&manifest), 7); /* 6.495500 and 0.021333 s */
    gm_hls_media(&m.track, 7, &buf);
    assert_int_equal(gm_buf_check(&buf, &(struct gm_err){0}), 0);
    assert_non_null(strstr((const char *)buf.data, "#EXTINF:6.516833,\nseg-00001-x.m4s\n"
                                                   "#EXTINF:5.994667,\nseg-00002-x.m4s\n"
                                                   "#EXTINF:1.000000,\nseg-00003-x.m4s\n"));
    gm_buf_fini(&buf);
}

static void tracks_that_begin_apart_are_dated(void **state)
{
    (void)state;
    static const int64_t ticks[] = {180180};
    static const uint64_t sizes[] = {1000};
    struct made video;
    struct made audio;
    struct gm_buf buf = {0};
    struct gm_err err;
    make_track(&video, "720p", 30000, ticks, sizes, 1, 9009);
    make_track(&audio, "a0", 48000, ticks, sizes, 1, 14414);
    struct gm_manifest m = {.video = &video.track, .videos = 1, .audio = &audio.track, .audios = 1};
    assert_false(gm_manifest_begins_apart(&m)); /* 0.300300 and 0.300292 s */
    audio.segment[0].start_ts = 0;
    assert_true(gm_manifest_begins_apart(&m));
    gm_hls_media(&video.track, 6, &buf);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    assert_null(strstr((const char *)buf.data, "DATE"));
    gm_buf_fini(&buf);
    video.track.is_dated = true;
    gm_hls_media(&video.track, 6, &buf);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    assert_non_null(
        strstr((const char *)buf.data,
               "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.300Z\n#EXTINF:6.006000,\n"));
    gm_buf_fini(&buf);
    video.segment[0].start_ts = ((25LL * 60 + 2) * 60 + 3) * 30000;
    gm_hls_iframes(&video.track, &buf);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    assert_non_null(strstr((const char *)buf.data, "1970-01-02T01:02:03.000Z"));
    gm_buf_fini(&buf);
}

/* Durations that no 6 decimals can say: their sum must still be the whole, rounded once. */
static void extinf_never_drifts(void **state)
{
    (void)state;
    static const uint32_t scales[] = {3, 7, 11, 30000, 44100, 90000, 999983};
    for (size_t k = 0; k < sizeof(scales) / sizeof(scales[0]); k++) {
        int64_t ticks[MAX_SEGMENTS];
        uint64_t sizes[MAX_SEGMENTS];
        int64_t total_ts = 0;
        int64_t sum_us = 0;
        struct made m;
        struct gm_buf buf = {0};
        for (size_t i = 0; i < MAX_SEGMENTS; i++) {
            ticks[i] = scales[k] / 3 + (int64_t)(i * i) % 5 + 1;
            sizes[i] = 100;
            total_ts += ticks[i];
        }
        make_track(&m, "720p", scales[k], ticks, sizes, MAX_SEGMENTS, 12345);
        gm_hls_media(&m.track, 6, &buf);
        for (const char *at = (const char *)buf.data; (at = strstr(at, "#EXTINF:")) != NULL;) {
            long long s = 0;
            long long us = 0;
            at += 8;
            assert_int_equal(sscanf(at, "%lld.%6lld,", &s, &us), 2);
            sum_us += s * 1000000 + us;
        }
        assert_int_equal(sum_us, gm_ticks_us(total_ts, scales[k]));
        gm_buf_fini(&buf);
    }
}

static void target_duration_is_the_rounded_maximum(void **state)
{
    (void)state;
    static const struct {
        int64_t ticks;
        int64_t target;
    } rows[] = {{1, 1}, {6000, 6}, {6006, 6}, {6499, 6}, {6500, 7}, {8600, 9}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t size = 100;
        struct made m;
        make_track(&m, "v", 1000, &rows[i].ticks, &size, 1, 0);
        struct gm_manifest manifest = {.video = &m.track, .videos = 1};
        assert_int_equal(gm_manifest_target_s(&manifest), rows[i].target);
    }
}

static void bandwidth_is_measured(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t count;
        int64_t ticks[4];
        uint64_t sizes[4];
        int64_t average, peak;
    } rows[] = {
        {"one", 1, {6000}, {6000}, 8000, 8000},
        {"peak", 3, {6000, 6000, 6000}, {6000, 12000, 6000}, 10667, 16000},
        /* a short last segment of its own is no peak; with the one before it is 6.5 s */
        {"short end", 2, {6000, 500}, {6000, 6000}, 14770, 14770},
        {"short alone", 1, {500}, {600}, 9600, 9600},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made m;
        make_track(&m, "v", 1000, rows[i].ticks, rows[i].sizes, rows[i].count, 0);
        struct gm_manifest_rate rate = gm_manifest_measure(&m.track, 6);
        assert_int_equal(rate.average_bps, rows[i].average);
        assert_int_equal(rate.peak_bps, rows[i].peak);
    }
}

static void frame_rate_is_constant_or_the_highest_seen(void **state)
{
    (void)state;
    static const int64_t ticks[] = {2000, 1000, 4000};
    static const uint64_t sizes[] = {100, 100, 100};
    struct made m;
    int64_t num = 0;
    int64_t den = 0;
    make_track(&m, "v", 1000, ticks, sizes, 3, 0);
    struct gm_manifest manifest = {
        .video = &m.track, .videos = 1, .rate_num = 30000, .rate_den = 1001};
    gm_manifest_frame_rate(&manifest, &num, &den);
    assert_true(num == 30000 && den == 1001);
    manifest.rate_num = 0;
    gm_manifest_frame_rate(&manifest, &num, &den);
    assert_int_equal(num, 50 * den); /* 50 samples in 1 s */
}

/* Two renditions and two sound tracks with names that need care. */
struct publication {
    struct made video[2], audio[2];
    struct gm_manifest_track videos[2], audios[2];
    struct gm_manifest manifest;
};

static void make_publication(struct publication *p)
{
    static const int64_t ticks[] = {6000, 6000, 1500};
    static const uint64_t big[] = {60000, 90000, 10000};
    static const uint64_t small[] = {30000, 30000, 5000};
    static const int64_t sound[] = {288768, 288768, 73728};
    make_track(&p->video[0], "720p", 1000, ticks, big, 3, 0);
    make_track(&p->video[1], "360p", 1000, ticks, small, 3, 0);
    make_track(&p->audio[0], "a0", 48000, sound, small, 3, 0);
    make_track(&p->audio[1], "a1", 48000, sound, small, 3, 0);
    p->video[1].track.width_px = 640;
    p->video[1].track.height_px = 360;
    for (size_t i = 0; i < 2; i++) {
        p->audio[i].track.codecs = "mp4a.40.2";
        p->audio[i].track.channels = 2;
        p->audio[i].track.sample_rate = 48000;
        p->videos[i] = p->video[i].track;
        p->audios[i] = p->audio[i].track;
    }
    p->audios[0].language = "und";
    p->audios[0].title = "";
    p->audios[1].language = "ger";
    p->audios[1].title = "\"A\" & <b>";
    p->audios[1].is_default = true;
    p->manifest = (struct gm_manifest){.prefix = "v/0123/",
                                       .video = p->videos,
                                       .videos = 2,
                                       .audio = p->audios,
                                       .audios = 2,
                                       .rate_num = 30000,
                                       .rate_den = 1001};
}

static void master_playlist_is_exact(void **state)
{
    (void)state;
    struct publication p;
    struct gm_buf buf = {0};
    make_publication(&p);
    gm_hls_master(&p.manifest, &buf);
    check_text(
        &buf,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio 1\",DEFAULT=NO,AUTOSELECT=YES,"
        "CHANNELS=\"2\",URI=\"v/0123/audio/a0/media.m3u8\"\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",LANGUAGE=\"de\",NAME=\"'A' & <b>\",DEFAULT=YES,"
        "AUTOSELECT=YES,CHANNELS=\"2\",URI=\"v/0123/audio/a1/media.m3u8\"\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=159894,AVERAGE-BANDWIDTH=133141,CODECS=\"avc1.64001f,"
        "mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"audio\",CLOSED-CAPTIONS=NONE\n"
        "v/0123/video/720p/media.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=79894,AVERAGE-BANDWIDTH=76845,CODECS=\"avc1.64001f,"
        "mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO=\"audio\",CLOSED-CAPTIONS=NONE\n"
        "v/0123/video/360p/media.m3u8\n"
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=12000,AVERAGE-BANDWIDTH=9482,CODECS=\"avc1.64001f\","
        "RESOLUTION=1280x720,URI=\"v/0123/video/720p/iframes.m3u8\"\n"
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=4000,AVERAGE-BANDWIDTH=3852,CODECS=\"avc1.64001f\","
        "RESOLUTION=640x360,URI=\"v/0123/video/360p/iframes.m3u8\"\n");
    gm_buf_fini(&buf);
}

static void track_names_are_unique(void **state)
{
    (void)state;
    static const char *const titles[] = {"x", "", "x", "Audio 2", "x (3)"};
    static const char *const names[] = {"\"x\"", "\"Audio 2\"", "\"x (3)\"", "\"Audio 2 (4)\"",
                                        "\"x (3) (5)\""};
    struct publication p;
    struct gm_manifest_track audios[5];
    struct gm_buf buf = {0};
    make_publication(&p);
    for (size_t i = 0; i < 5; i++) {
        audios[i] = p.audios[0];
        audios[i].title = titles[i];
    }
    p.manifest.audio = audios;
    p.manifest.audios = 5;
    gm_hls_master(&p.manifest, &buf);
    gm_buf_u8(&buf, 0);
    const char *at = (const char *)buf.data;
    for (size_t i = 0; i < 5; i++) {
        at = strstr(at, ",NAME=");
        assert_non_null(at);
        at += 6;
        if (strncmp(at, names[i], strlen(names[i])) != 0) {
            fail_msg("track %zu is %.20s", i, at);
        }
    }
    gm_buf_fini(&buf);
}

static void sound_alone_has_one_variant(void **state)
{
    (void)state;
    struct publication p;
    struct gm_buf buf = {0};
    make_publication(&p);
    p.manifest.videos = 0;
    p.manifest.video = NULL;
    gm_hls_master(&p.manifest, &buf);
    check_text(
        &buf,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio 1\",DEFAULT=NO,AUTOSELECT=YES,"
        "CHANNELS=\"2\",URI=\"v/0123/audio/a0/media.m3u8\"\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",LANGUAGE=\"de\",NAME=\"'A' & <b>\",DEFAULT=YES,"
        "AUTOSELECT=YES,CHANNELS=\"2\"\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=39894,AVERAGE-BANDWIDTH=38326,CODECS=\"mp4a.40.2\","
        "AUDIO=\"audio\"\nv/0123/audio/a1/media.m3u8\n");
    gm_buf_fini(&buf);
    p.manifest.audios = 1;
    gm_hls_master(&p.manifest, &buf);
    check_text(&buf, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
                     "#EXT-X-STREAM-INF:BANDWIDTH=39894,AVERAGE-BANDWIDTH=38326,CODECS=\"mp4a."
                     "40.2\"\nv/0123/audio/a0/media.m3u8\n");
    gm_buf_fini(&buf);
    gm_dash_manifest(&p.manifest, &buf);
    gm_buf_u8(&buf, 0);
    assert_null(strstr((const char *)buf.data, "video"));
    assert_non_null(strstr((const char *)buf.data, "mediaPresentationDuration=\"PT13.568000S\""));
    gm_buf_fini(&buf);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what)) {
        n++;
    }
    return n;
}

static void dash_manifest_names_all(void **state)
{
    (void)state;
    struct publication p;
    struct gm_buf buf = {0};
    struct gm_err err;
    make_publication(&p);
    p.videos[1].name = "3<6\"0&p'";
    gm_dash_manifest(&p.manifest, &buf);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    const char *text = (const char *)buf.data;
    static const char *const wanted[] = {
        "mediaPresentationDuration=\"PT13.568000S\" minBufferTime=\"PT6S\"",
        "profiles=\"urn:mpeg:dash:profile:isoff-main:2011\" type=\"static\"",
        "par=\"16:9\"",
        ("<Representation id=\"720p\" bandwidth=\"120000\" codecs=\"avc1.64001f\" width=\"1280\" "
         "height=\"720\" sar=\"1:1\" frameRate=\"30000/1001\">"),
        "id=\"3&lt;6&quot;0&amp;p&apos;\"",
        "<BaseURL>v/0123/video/3&lt;6&quot;0&amp;p&apos;/</BaseURL>",
        "<BaseURL>v/0123/audio/a1/</BaseURL>",
        "<S t=\"0\" d=\"6000\"/>\n            <S d=\"6000\"/>\n            <S d=\"1500\"/>",
        "<S t=\"0\" d=\"288768\"/>\n            <S d=\"288768\"/>\n            <S d=\"73728\"/>",
        "lang=\"de\"",
        "<Label>&quot;A&quot; &amp; &lt;b&gt;</Label>",
        "audioSamplingRate=\"48000\"",
        "<SegmentURL media=\"seg-00003-x.m4s\"/>",
        "<Initialization sourceURL=\"init-y.mp4\"/>",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("no %s in\n%s", wanted[i], text);
        }
    }
    assert_int_equal(count_of(text, "<SegmentURL"), 12);
    assert_int_equal(count_of(text, "<AdaptationSet"), 3);
    assert_int_equal(count_of(text, "value=\"main\""), 2);
    assert_int_equal(count_of(text, "lang="), 1);
    gm_buf_fini(&buf);
}

/* Each line of `lines` in turn, with anything between. */
static void check_order(const char *text, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(text, lines[i]);
        if (found == NULL) {
            fail_msg("not there, or not in order: %s", lines[i]);
            return;
        }
        text = found + strlen(lines[i]);
    }
}

static void dash_has_a_set_a_codec_and_light(void **state)
{
    (void)state;
    static const struct {
        const char *name, *codecs;
        bool hdr;
    } rows[] = {{"a", "hvc1.2.4.L120.90", true}, {"b", "hvc1.1.6.L93.90", false},
                {"c", "avc1.64001f", false},     {"d", "hvc1.2.4.L93.90", true},
                {"e", "avc1.640015", false},     {"f", "av01.0.00M.08", false}};
    static const char *const lines[] = {"<AdaptationSet id=\"0\"",
                                        "cicp:Transfer",
                                        "id=\"a\"",
                                        "id=\"d\"",
                                        "</AdaptationSet>",
                                        "<AdaptationSet id=\"200\"",
                                        "switching:2016\" value=\"201,202\"/>",
                                        "id=\"b\"",
                                        "</AdaptationSet>",
                                        "<AdaptationSet id=\"201\"",
                                        "switching:2016\" value=\"200,202\"/>",
                                        "id=\"c\"",
                                        "id=\"e\"",
                                        "</AdaptationSet>",
                                        "<AdaptationSet id=\"202\"",
                                        "switching:2016\" value=\"200,201\"/>",
                                        "Role",
                                        "id=\"f\"",
                                        "</AdaptationSet>"};
    static const int64_t ticks[] = {100};
    static const uint64_t sizes[] = {1000};
    struct made made[6];
    struct gm_manifest_track tracks[6];
    struct gm_buf buf = {0};
    for (size_t i = 0; i < 6; i++) {
        make_track(&made[i], rows[i].name, 100, ticks, sizes, 1, 0);
        tracks[i] = made[i].track;
        tracks[i].codecs = rows[i].codecs;
        tracks[i].colour.transfer = rows[i].hdr ? GM_MANIFEST_PQ : 1;
    }
    struct gm_manifest m = {
        .prefix = "v/x/", .video = tracks, .videos = 6, .rate_num = 25, .rate_den = 1};
    gm_dash_manifest(&m, &buf);
    check_order((const char *)buf.data, lines, sizeof lines / sizeof lines[0]);
    const char *first = strstr((const char *)buf.data, "</AdaptationSet>");
    assert_non_null(first);
    assert_null(memmem(buf.data, (size_t)(first - (const char *)buf.data), "switching", 9));
    gm_buf_fini(&buf);
}

static void what_grows_only_grows(void **state)
{
    static const int64_t ticks[] = {600, 600, 600};
    static const uint64_t sizes[] = {1000, 5000, 2000};
    struct made made;
    struct gm_buf less = {0}, more = {0};
    (void)state;
    make_track(&made, "a", 100, ticks, sizes, 3, 0);
    made.track.count = 2;
    gm_hls_event(&made.track, 6, &less);
    made.track.count = 3;
    gm_hls_event(&made.track, 6, &more);
    assert_true(more.size > less.size);
    assert_memory_equal(more.data, less.data, less.size);
    gm_buf_u8(&less, 0);
    assert_string_equal((const char *)less.data,
                        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n"
                        "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:EVENT\n"
                        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-y.mp4\"\n"
                        "#EXTINF:6.000000,\nseg-00001-x.m4s\n"
                        "#EXTINF:6.000000,\nseg-00002-x.m4s\n");
    gm_buf_fini(&less);
    gm_buf_fini(&more);
}

static void manifests_that_grow_say_whose_they_are_and_nothing_of_the_end(void **state)
{
    static const char *const master[] = {"#EXT-X-START:TIME-OFFSET=0\n",
                                         "#gopmill: job j-1 still works\n"};
    static const char *const mpd[] = {"<!-- gopmill: job j-1 still works -->",
                                      "type=\"dynamic\"",
                                      "availabilityStartTime=\"1970-01-01T00:00:01Z\"",
                                      "publishTime=\"2026-11-23T13:00:00Z\"",
                                      "minimumUpdatePeriod=\"PT6S\"",
                                      "<S t="};
    static const char *const never[] = {"I-FRAME", "CLOSED-CAPTIONS", "mediaPresentationDuration",
                                        "contentType=\"text\"", "ENDLIST"};
    char mark[GM_MANIFEST_MARK_SIZE];
    struct gm_manifest_growth growth = {.target_s = 6,
                                        .available_unix_ms = 1999,
                                        .written_unix_ms = INT64_C(1795438800000),
                                        .mark = mark};
    struct publication p;
    struct gm_buf hls = {0}, dash = {0};
    (void)state;
    gm_manifest_mark("j-1", mark);
    make_publication(&p);
    p.manifest.growth = &growth;
    for (size_t i = 0; i < p.manifest.videos; i++) {
        ((struct gm_manifest_track *)(uintptr_t)p.manifest.video)[i].declared_bps = 70000;
    }
    gm_hls_master(&p.manifest, &hls);
    gm_dash_manifest(&p.manifest, &dash);
    check_order((const char *)hls.data, master, 2);
    check_order((const char *)dash.data, mpd, sizeof mpd / sizeof mpd[0]);
    assert_non_null(strstr((const char *)dash.data, "bandwidth=\"70000\""));
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_null(strstr((const char *)hls.data, never[i]));
        assert_null(strstr((const char *)dash.data, never[i]));
    }
    gm_buf_fini(&hls);
    gm_buf_fini(&dash);
}

static void captions_are_named_where_renditions_carry_them(void **state)
{
    static const char *const services[] = {"CC1", "CC3", "SERVICE1"};
    struct publication p;
    struct gm_buf hls = {0}, dash = {0};
    (void)state;
    make_publication(&p);
    p.manifest.captions = services;
    p.manifest.captions_count = 3;
    gm_hls_master(&p.manifest, &hls);
    gm_dash_manifest(&p.manifest, &dash);
    assert_non_null(strstr((const char *)hls.data, "CLOSED-CAPTIONS=NONE"));
    assert_null(strstr((const char *)dash.data, "<Accessibility"));
    hls.size = dash.size = 0;
    for (size_t i = 0; i < p.manifest.videos; i++) {
        ((struct gm_manifest_track *)(uintptr_t)p.manifest.video)[i].captions = true;
    }
    gm_hls_master(&p.manifest, &hls);
    gm_dash_manifest(&p.manifest, &dash);
    assert_int_equal(gm_buf_check(&hls, NULL), 0);
    assert_int_equal(gm_buf_check(&dash, NULL), 0);
    const char *text = (const char *)hls.data;
    assert_null(strstr(text, "CLOSED-CAPTIONS=NONE"));
    assert_non_null(strstr(text, ",CLOSED-CAPTIONS=\"cc\"\n"));
    assert_non_null(strstr(text, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC3\","
                                 "DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=\"CC3\"\n"));
    text = (const char *)dash.data;
    assert_non_null(strstr(text, "<Accessibility schemeIdUri=\"urn:scte:dash:cc:cea-608:2015\""
                                 " value=\"CC1=und;CC3=und\"/>\n"));
    assert_non_null(strstr(text, "<Accessibility schemeIdUri=\"urn:scte:dash:cc:cea-708:2015\""
                                 " value=\"1=lang:und\"/>\n"));
    /* Another codec's renditions are another set. */
    struct gm_manifest_track *other = (struct gm_manifest_track *)(uintptr_t)&p.manifest.video[1];
    other->codecs = "vp09.00.30.08";
    other->captions = false;
    dash.size = 0;
    gm_dash_manifest(&p.manifest, &dash);
    assert_int_equal(gm_buf_check(&dash, NULL), 0);
    text = strstr((const char *)dash.data, "<Accessibility");
    assert_non_null(text);
    text = strstr(text, "</AdaptationSet>");
    assert_non_null(text);
    assert_null(strstr(text, "<Accessibility"));
    gm_buf_fini(&hls);
    gm_buf_fini(&dash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_playlist_is_exact),
        cmocka_unit_test(priming_lengthens_the_first_duration),
        cmocka_unit_test(tracks_that_begin_apart_are_dated),
        cmocka_unit_test(extinf_never_drifts),
        cmocka_unit_test(target_duration_is_the_rounded_maximum),
        cmocka_unit_test(bandwidth_is_measured),
        cmocka_unit_test(frame_rate_is_constant_or_the_highest_seen),
        cmocka_unit_test(master_playlist_is_exact),
        cmocka_unit_test(track_names_are_unique),
        cmocka_unit_test(sound_alone_has_one_variant),
        cmocka_unit_test(dash_manifest_names_all),
        cmocka_unit_test(dash_has_a_set_a_codec_and_light),
        cmocka_unit_test(what_grows_only_grows),
        cmocka_unit_test(manifests_that_grow_say_whose_they_are_and_nothing_of_the_end),
        cmocka_unit_test(captions_are_named_where_renditions_carry_them),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
