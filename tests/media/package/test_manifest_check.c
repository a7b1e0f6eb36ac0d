#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/dash.h"
#include "manifest/hls.h"
#include "manifest/image_track.h"
#include "media/package/manifest_check.h"
#include "media/picture/colour.h"

/* What is written is taken; with one thing changed it is refused, by the check of that thing. */

#define SEGMENTS 3

struct made {
    Gm__SegmentMeta segment[SEGMENTS];
    Gm__SegmentMeta *list[SEGMENTS];
    Gm__GopMeta gop[SEGMENTS];
    Gm__GopMeta *gops[SEGMENTS];
    char name[SEGMENTS][32];
};
struct publication {
    struct made made[3];
    struct gm_manifest_track tracks[3]; /* video, sound, text */
    Gm__NamedFile file[2];
    Gm__NamedFile *files[2];
    uint32_t sheet[2];
    Gm__SheetsReport sheets;
    struct gm_manifest_images images;
    struct gm_manifest m;
    char path[32][64];
    struct gm_manifest_objects objects;
};

static void add_object(struct publication *p, const char *path, uint64_t size)
{
    struct gm_err err;
    char *to = p->path[p->objects.count];
    (void)snprintf(to, sizeof p->path[0], "%s", path);
    assert_int_equal(gm_manifest_objects_add(&p->objects, to, size, &err), 0);
}

static void make_track(struct publication *p, size_t k, const char *folder, const int64_t *ticks)
{
    struct made *m = &p->made[k];
    struct gm_manifest_track *t = &p->tracks[k];
    int64_t start_ts = 0;
    char path[64];
    for (size_t i = 0; i < SEGMENTS; i++) {
        (void)snprintf(m->name[i], sizeof m->name[i], "seg-%05zu.m4s", i + 1);
        m->gop[i] = (Gm__GopMeta)GM__GOP_META__INIT;
        m->gop[i].offset = 24;
        m->gop[i].idr_size = 400;
        m->gop[i].start_ts = start_ts;
        m->gop[i].duration_ts = ticks[i];
        m->gops[i] = &m->gop[i];
        m->segment[i] = (Gm__SegmentMeta)GM__SEGMENT_META__INIT;
        m->segment[i].name = m->name[i];
        m->segment[i].size = 1000;
        m->segment[i].start_ts = start_ts;
        m->segment[i].duration_ts = ticks[i];
        m->segment[i].samples = 50;
        m->segment[i].gops = &m->gops[i];
        m->segment[i].n_gops = 1;
        m->list[i] = &m->segment[i];
        start_ts += ticks[i];
        (void)snprintf(path, sizeof path, "%s/%s", folder, m->name[i]);
        add_object(p, path, 1000);
    }
    t->segments = m->list;
    t->count = SEGMENTS;
    (void)snprintf(path, sizeof path, "%s/media.m3u8", folder);
    add_object(p, path, 500);
    if (k < 2) {
        t->init_name = "init.mp4";
        (void)snprintf(path, sizeof path, "%s/init.mp4", folder);
        add_object(p, path, 700);
    }
}

static void make_images(struct publication *p)
{
    static const char *const names[] = {"sprite-001.jpg", "sprite-002.jpg"};
    char path[64];
    p->sheets = (Gm__SheetsReport)GM__SHEETS_REPORT__INIT;
    for (uint32_t i = 0; i < 2; i++) {
        p->file[i] = (Gm__NamedFile)GM__NAMED_FILE__INIT;
        p->file[i].name = (char *)(uintptr_t)names[i];
        p->file[i].size = 3000;
        p->files[i] = &p->file[i];
        p->sheet[i] = i;
        (void)snprintf(path, sizeof path, "images/%s", names[i]);
        add_object(p, path, 3000);
    }
    add_object(p, "images/tiles.m3u8", 500);
    p->sheets.files = p->sheet;
    p->sheets.n_files = 2;
    p->sheets.format = (char *)(uintptr_t) "jpeg";
    p->sheets.columns = p->sheets.rows = 2;
    p->sheets.tile_width_px = 160;
    p->sheets.tile_height_px = 90;
    p->sheets.interval_s = 2;
    p->sheets.duration_us = 13013000;
    p->images = (struct gm_manifest_images){&p->sheets, p->files, "image/jpeg", "jpeg", "jpg"};
    p->m.images = &p->images;
}

static void make(struct publication *p)
{
    static const int64_t video[] = {180180, 180180, 30030};
    static const int64_t sound[] = {288768, 287744, 48112};
    memset(p, 0, sizeof *p);
    make_track(p, 0, "video/720p", video);
    make_track(p, 1, "audio/a0", sound);
    make_track(p, 2, "text/t0", video);
    add_object(p, "video/720p/iframes.m3u8", 500);
    add_object(p, "text/t0/all.vtt", 100);
    p->tracks[0].name = "720p";
    p->tracks[0].codecs = "avc1.64001f";
    p->tracks[0].timescale = p->tracks[2].timescale = 30000;
    p->tracks[0].width_px = 1280;
    p->tracks[0].height_px = 720;
    p->tracks[1].name = "a0";
    p->tracks[1].codecs = "mp4a.40.2";
    p->tracks[1].title = "<\"A\" & 'b'>";
    p->tracks[1].timescale = p->tracks[1].sample_rate = 48000;
    p->tracks[1].channels = 2;
    p->tracks[1].priming_samples = 1024;
    p->tracks[2].name = "t0";
    p->tracks[2].whole_name = "all.vtt";
    p->m = (struct gm_manifest){.prefix = "v/0123/",
                                .video = &p->tracks[0],
                                .videos = 1,
                                .audio = &p->tracks[1],
                                .audios = 1,
                                .text = &p->tracks[2],
                                .texts = 1,
                                .rate_num = 30000,
                                .rate_den = 1001};
    make_images(p);
    gm_manifest_objects_sort(&p->objects);
}

enum text { MEDIA, IFRAMES, SOUND, SUBTITLES, TILES, MASTER, MPD };

static void write_text(const struct publication *p, enum text which, struct gm_buf *out)
{
    switch (which) {
    case MEDIA:
        gm_hls_media(&p->tracks[0], 6, out);
        break;
    case IFRAMES:
        gm_hls_iframes(&p->tracks[0], out);
        break;
    case SOUND:
        gm_hls_media(&p->tracks[1], 6, out);
        break;
    case SUBTITLES:
        gm_hls_media(&p->tracks[2], 6, out);
        break;
    case TILES:
        gm_image_track_hls(&p->m, out);
        break;
    case MASTER:
        gm_hls_master(&p->m, out);
        break;
    case MPD:
        gm_dash_manifest(&p->m, out);
        break;
    }
}

static int check_text(const struct publication *p, enum text which, const struct gm_buf *text,
                      struct gm_err *err)
{
    const struct gm_manifest_playlist wanted[] = {
        {"video/720p/", GM_PLAYLIST_SEGMENTS, &p->tracks[0], NULL},
        {"video/720p/", GM_PLAYLIST_IFRAMES, &p->tracks[0], NULL},
        {"audio/a0/", GM_PLAYLIST_SEGMENTS, &p->tracks[1], NULL},
        {"text/t0/", GM_PLAYLIST_SEGMENTS, &p->tracks[2], NULL},
        {"images/", GM_PLAYLIST_SHEETS, NULL, &p->images},
    };
    return which == MASTER ? gm_manifest_check_master(text, &p->m, &p->objects, err)
           : which == MPD  ? gm_manifest_check_mpd(text, &p->m, &p->objects, err)
                           : gm_manifest_check_playlist(text, &wanted[which], &p->objects, err);
}

/* The text with the first `from` in it, which has to be there, made `to`. */
static void change(struct gm_buf *text, const char *from, const char *to)
{
    struct gm_buf out = {0};
    const char *at = strstr((const char *)text->data, from);
    if (at == NULL) {
        fail_msg("no %s in %s", from, (const char *)text->data);
    }
    gm_buf_add(&out, text->data, (size_t)(at - (const char *)text->data));
    gm_buf_str(&out, to);
    gm_buf_str(&out, at + strlen(from));
    gm_buf_fini(text);
    *text = out;
}

static void what_is_written_is_taken(void **state)
{
    (void)state;
    struct publication p;
    make(&p);
    for (enum text which = MEDIA; which <= MPD; which++) {
        struct gm_buf text = {0};
        struct gm_err err;
        write_text(&p, which, &text);
        if (check_text(&p, which, &text, &err) < 0) {
            fail_msg("%d: %s in %s", (int)which, err.text, (const char *)text.data);
        }
        gm_buf_fini(&text);
    }
    gm_manifest_objects_fini(&p.objects);
}

static const struct {
    enum text which;
    const char *from, *to, *said; /* said: part of the error */
} changes[] = {
    {MEDIA, "#EXTM3U\n", "", "no playlist"},
    {MEDIA, "#EXT-X-VERSION:7\n", "", "head tag is missing"},
    {MEDIA, "#EXT-X-VERSION:7\n", "#EXT-X-VERSION:7\n#EXT-X-VERSION:7\n", "does not hold"},
    {MEDIA, "DURATION:6\n", "DURATION:5\n", "longer than the target"},
    {MEDIA, "DURATION:6\n", "DURATION:0\n", "does not hold"},
    {MEDIA, "DURATION:6\n", "DURATION:06\n", "does not hold"},
    {MEDIA, "SEQUENCE:1\n", "SEQUENCE:x\n", "does not hold"},
    {MEDIA, "TYPE:VOD\n", "TYPE:EVENT\n", "does not hold"},
    {MEDIA, "#EXT-X-MAP:URI=\"init.mp4\"\n", "", "head tag is missing"},
    {MEDIA, "init.mp4", "seg-00001.m4s", "does not hold"},
    {MEDIA, "#EXTINF:6.006000,", "#EXTINF:6.005998,", "another duration"},
    {MEDIA, "#EXTINF:6.006000,", "#EXTINF:6.006002,", "another duration"},
    {MEDIA, "#EXTINF:6.006000,", "#EXTINF:0.000000,", "no duration"},
    {MEDIA, "#EXTINF:6.006000,", "#EXTINF:-6.006000,", "no duration"},
    {MEDIA, "#EXTINF:6.006000,", "#EXTINF:6.006,", "no duration"},
    {MEDIA, "#EXTINF:6.006000,\n", "#EXTINF:6.006000,\n#EXTINF:6.006000,\n", "no duration"},
    {MEDIA, "#EXTINF:6.006000,\n", "", "without a duration"},
    {MEDIA, "#EXTINF:6.006000,\nseg-00001.m4s\n", "", "another name"},
    {MEDIA, "seg-00002", "seg-00001", "another name"},
    {MEDIA, "#EXTINF:1.001000,\nseg-00003.m4s\n", "", "does not end"},
    {MEDIA, "#EXT-X-ENDLIST", "#EXTINF:1.001000,\nseg-00003.m4s\n#EXT-X-ENDLIST", "another name"},
    {MEDIA, "#EXT-X-INDEPENDENT-SEGMENTS\n", "", "head tag is missing"},
    {MEDIA, "INDEPENDENT-SEGMENTS", "I-FRAMES-ONLY", "does not hold"},
    {MEDIA, "seg-00001", "#EXT-X-BYTERANGE:9@9\nseg-00001", "no byte range"},
    {MEDIA, "seg-00002", "seg-00009", "not there"},
    {MEDIA, "seg-00002", "../a0/seg-00002", "not there"},
    {MEDIA, "seg-00002", "\n", "no line"},
    {MEDIA, "seg-00002.m4s\n", "seg-00002.m4s\r\n", "control character"},
    {MEDIA, "#EXT-X-ENDLIST\n", "", "does not end"},
    {MEDIA, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST", "no line"},
    {MEDIA, "#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\nseg-00001.m4s\n", "does not end"},
    {MEDIA, "#EXT-X-ENDLIST\n", "#EXTINF:1.000000,\n#EXT-X-ENDLIST\n", "does not end"},
    {MEDIA, "#EXT-X-INDEPENDENT", "#EXT-X-DEPENDENT", "unknown tag"},
    {IFRAMES, "400@24", "0@24", "no byte range"},
    {IFRAMES, "400@24", "400", "no byte range"},
    {IFRAMES, "400@24", "401@24", "no byte range"},
    {IFRAMES, "400@24", "400@25", "no byte range"},
    {IFRAMES, "#EXT-X-BYTERANGE:400@24\n", "", "byte range is missing"},
    {IFRAMES, "#EXT-X-I-FRAMES-ONLY\n", "", "head tag is missing"},
    {SOUND, "#EXTINF:6.037333,", "#EXTINF:6.016000,", "another duration"}, /* without the priming */
    {SUBTITLES, "VOD\n", "VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n", "does not hold"},
    {SUBTITLES, "seg-00003", "seg-00004", "not there"},
    {TILES, "sprite-002", "sprite-003", "not there"},
    {TILES, "#EXTINF:8.0", "#EXTINF:7.0", "sum up"},
    {TILES, "sprite-002", "sprite-001", "another name"},
    {TILES, "#EXT-X-IMAGES-ONLY\n", "", "head tag is missing"},
    {MASTER, "#EXTM3U\n", "", "no playlist"},
    {MASTER, "video/720p/media", "video/480p/media", "not there"},
    {MASTER, "v/0123/video/720p/media", "v/0124/video/720p/media", "not there"},
    {MASTER, "video/720p/media.m3u8", "video/720p/seg-00001.m4s", "not there"},
    {MASTER, "video/720p/iframes", "video/720p/frames", "does not hold"},
    {MASTER, "audio/a0/media", "audio/a1/media", "does not hold"},
    {MASTER, "images/tiles", "images/titles", "does not hold"},
    {MASTER, "RESOLUTION=1280x720", "RESOLUTION=1280", "does not hold"},
    {MASTER, "RESOLUTION=1280x720,", "", "does not hold"},
    {MASTER, "CODECS=\"avc1.64001f,mp4a.40.2\",", "", "does not hold"},
    {MASTER, "INF:BANDWIDTH=", "INF:BANDWIDTH=x", "does not hold"},
    {MASTER, "INF:BANDWIDTH=", "INF:BAND=", "does not hold"},
    {MASTER, "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9", "does not hold"},
    {MASTER, ",AUDIO=\"audio\"", ",AUDIO=\"sound\"", "does not hold"},
    {MASTER, "GROUP-ID=\"audio\"", "GROUP-ID=\"sound\"", "does not hold"},
    {MASTER, "TYPE=AUDIO", "TYPE=SUBTITLES", "does not hold"},
    {MASTER, ",AUDIO=\"audio\"", "", "does not hold"},
    {MASTER, ",SUBTITLES=\"text\"", "", "does not hold"},
    {MASTER, "text/t0/media", "audio/a0/media", "audio/a0/media.m3u8 once"},
    {MASTER, "video/720p/iframes", "video/720p/media", "video/720p/media.m3u8 once"},
    {MASTER, "images/tiles", "text/t0/media", "text/t0/media.m3u8 once"},
    {MASTER, ",SUBTITLES=\"text\"", ",SUBTITLES=\"texts\"", "does not hold"},
    {MASTER, "CAPTIONS=NONE", "CAPTIONS=\"cc\"", "does not hold"},
    {MASTER, "CODECS=\"avc1", "CODECS=avc1", "does not hold"},
    {MASTER, ",FRAME-RATE", ",,FRAME-RATE", "does not hold"},
    {MASTER, "v/0123/video/720p/media.m3u8\n", "", "not there"},
    {MASTER, "#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "does not hold"},
    {MPD, "<?xml", "<?xm", "byte 0"},
    {MPD, "</Period>", "", "in MPD"},
    {MPD, "</Period>", "</Perio>", "in Perio"},
    {MPD, "</MPD>\n", "", "does not hold"},
    {MPD, "</MPD>\n", "</MPD>\n<MPD/>\n", "in MPD"},
    {MPD, "Duration=\"PT13.013000S\"", "Duration=\"PT13.013001S\"", "in MPD"},
    {MPD, "Duration=\"PT13.013000S\"", "Duration=\"P13.013000S\"", "in MPD"},
    {MPD, "Duration=\"PT13.013000S\"", "Duration=\"PT13.13000S\"", "in MPD"},
    {MPD, " type=\"static\"", "", "in MPD"},
    {MPD, " type=\"static\"", " type=\"static\" type=\"static\"", "in MPD"},
    {MPD, " type=\"static\"", " type=static", "in MPD"},
    {MPD, "&amp;", "&", "in Label"},
    {MPD, "&lt;", "<", "does not hold"},
    {MPD, "id=\"720p\"", "id=\"480p\"", "in Representation"},
    {MPD, "id=\"a0\"", "id=\"720p\"", "in Representation"},
    {MPD, "bandwidth=\"", "bandwidth=\"x", "in Representation"},
    {MPD, "<BaseURL>v/0123/", "<BaseURL>v/0124/", "in BaseURL"},
    {MPD, "video/720p/<", "video/720/<", "in BaseURL"},
    {MPD, "audio/a0/<", "video/720p/<", "in BaseURL"},
    {MPD, "sourceURL=\"init", "sourceURL=\"unit", "in Initialization"},
    {MPD, "timescale=\"30000\"", "timescale=\"30001\"", "in SegmentList"},
    {MPD, " t=\"0\"", "", "in S"},
    {MPD, " t=\"0\"", " t=\"1\"", "in SegmentList"},
    {MPD, "<S d=\"180180\"", "<S d=\"180181\"", "in S"},
    {MPD, "<Initialization sourceURL=\"init.mp4\"/>", "", "in SegmentList"},
    {MPD, "sourceURL=\"init.mp4", "sourceURL=\"seg-00001.m4s", "in Initialization"},
    {MPD, "<S d=\"180180\"", "<S d=\"180180\" r=\"1\"", "in S"},
    {MPD, "<S d=\"180180\"", "<S d=\"0\"", "in S"},
    {MPD, "<S d=\"180180\"/>", "", "in S"},
    {MPD, "<S d=\"30030\"/>", "", "in SegmentList"},
    {MPD, "<S d=\"30030\"/>", "<S d=\"30030\"/><S d=\"1\"/>", "in S"},
    {MPD, "<SegmentURL media=\"seg-00002.m4s\"/>", "", "in SegmentURL"},
    {MPD, "<SegmentURL media=\"seg-00003.m4s\"/>", "", "in SegmentList"},
    {MPD, "media=\"seg-00002", "media=\"seg-00001", "in SegmentURL"},
    {MPD, "seg-00002", "seg-00004", "in SegmentURL"},
    {MPD, "text/t0/all.vtt", "text/t0/none.vtt", "in BaseURL"},
    {MPD, "sprite-$", "spite-$", "in SegmentTemplate"},
    {MPD, "$Number%03d$", "$Time$", "in SegmentTemplate"},
    {MPD, "timescale=\"1\" duration=\"8\"", "timescale=\"1\" duration=\"1\"", "in SegmentTemplate"},
    {MPD, "timescale=\"1\" duration=\"8\"", "timescale=\"2\" duration=\"8\"", "in SegmentTemplate"},
    {MPD, "timescale=\"1\" duration=\"8\"", "timescale=\"1\"", "in SegmentTemplate"},
};
/* Of a programme whose sound outlasts its sheets. */
static const struct {
    const char *from, *to;
} outlasted[] = {
    {"d=\"4\" r=\"1\"", "d=\"4\" r=\"2\""},
    {"d=\"4\" r=\"1\"", "d=\"4\""},
    {"d=\"4\" r=\"1\"", "d=\"5\" r=\"1\""},
    {"d=\"4\" r=\"1\"", "d=\"4\" r=\"-1\""},
    {"<S t=\"0\" d=\"4\"", "<S t=\"1\" d=\"4\""},
    {"<S t=\"0\" d=\"4\" r=\"1\"/>", ""},
    {"r=\"1\"/>", "r=\"1\"/><S t=\"0\" d=\"4\" r=\"1\"/>"},
    {"timescale=\"1\" startNumber", "timescale=\"1\" duration=\"4\" startNumber"},
};

static void one_change_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct publication p;
        struct gm_buf text = {0};
        struct gm_err err = {0};
        make(&p);
        write_text(&p, changes[i].which, &text);
        change(&text, changes[i].from, changes[i].to);
        int rc = check_text(&p, changes[i].which, &text, &err);
        if (rc != -GM_E_BUG || strstr(err.text, changes[i].said) == NULL) {
            fail_msg("row %zu, %s: %d: %s", i, changes[i].to, rc, rc < 0 ? err.text : "");
        }
        gm_buf_fini(&text);
        gm_manifest_objects_fini(&p.objects);
    }
}

static void sheets_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i <= sizeof outlasted / sizeof outlasted[0]; i++) {
        struct publication p;
        struct gm_buf text = {0};
        struct gm_err err = {0};
        bool changed = i < sizeof outlasted / sizeof outlasted[0];
        make(&p);
        p.sheets.interval_s = 1; /* two sheets of 4 s, of 13 */
        write_text(&p, MPD, &text);
        if (changed) {
            change(&text, outlasted[i].from, outlasted[i].to);
        }
        int rc = check_text(&p, MPD, &text, &err);
        if (rc != (changed ? -GM_E_BUG : 0)) {
            fail_msg("row %zu: %d: %s", i, rc, err.text);
        }
        gm_buf_fini(&text);
        gm_manifest_objects_fini(&p.objects);
    }
}

/* A text that ends anywhere is refused, and read no further than it goes. */
static void a_text_that_was_cut_is_refused(void **state)
{
    (void)state;
    struct publication p;
    make(&p);
    for (enum text which = MEDIA; which <= MPD; which++) {
        struct gm_buf whole = {0};
        write_text(&p, which, &whole);
        for (size_t size = 0; size < whole.size; size++) {
            struct gm_err err;
            struct gm_buf cut = {.data = malloc(size + 1), .size = size};
            assert_non_null(cut.data);
            memcpy(cut.data, whole.data, size);
            cut.data[size] = 0xff; /* where a reader that goes on would be misled */
            if (check_text(&p, which, &cut, &err) == 0) {
                fail_msg("%d: %zu bytes of %zu", (int)which, size, whole.size);
            }
            free(cut.data);
        }
        gm_buf_fini(&whole);
    }
    gm_manifest_objects_fini(&p.objects);
}

static void objects_have_their_sizes(void **state)
{
    (void)state;
    struct publication p;
    struct gm_err err;
    make(&p);
    assert_int_equal(gm_manifest_check_sizes("video/720p/", &p.tracks[0], &p.objects, &err), 0);
    p.made[0].segment[2].size = 1001;
    assert_int_equal(gm_manifest_check_sizes("video/720p/", &p.tracks[0], &p.objects, &err),
                     -GM_E_BUG);
    assert_int_equal(gm_manifest_check_sizes("video/480p/", &p.tracks[0], &p.objects, &err),
                     -GM_E_BUG);
    assert_null(gm_manifest_objects_find(&p.objects, "video/720p/late.m4s", 19));
    assert_int_equal(gm_manifest_objects_add(&p.objects, "video/720p/late.m4s", 5, &err), 0);
    assert_non_null(gm_manifest_objects_find(&p.objects, "video/720p/late.m4s", 19));
    assert_int_equal(gm_manifest_objects_add(&p.objects, "video/720p/empty.m4s", 0, &err), 0);
    assert_null(gm_manifest_objects_find(&p.objects, "video/720p/empty.m4s", 20));
    gm_manifest_objects_fini(&p.objects);
}

/* Names of libavutil, and its values, which are the standard's. */
static void colours_are_known_by_their_names(void **state)
{
    (void)state;
    for (int i = 0; i < 32; i++) {
        if (i == 3) { /* reserved in all of them */
            continue;
        }
        Gm__Rendition r = GM__RENDITION__INIT;
        const char *primaries = av_color_primaries_name((enum AVColorPrimaries)i);
        const char *transfer = av_color_transfer_name((enum AVColorTransferCharacteristic)i);
        const char *matrix = av_color_space_name((enum AVColorSpace)i);
        r.primaries = (char *)(uintptr_t)(primaries != NULL ? primaries : "unknown");
        r.transfer = (char *)(uintptr_t)(transfer != NULL ? transfer : "unknown");
        r.matrix = (char *)(uintptr_t)(matrix != NULL ? matrix : "unknown");
        struct gm_colour wanted = gm_colour_of_rendition(&r);
        struct gm_manifest_colour got = gm_manifest_colour_of(&r);
        assert_int_equal(got.primaries, wanted.primaries);
        assert_int_equal(got.transfer, wanted.transfer);
        assert_int_equal(got.matrix, wanted.matrix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_taken),
        cmocka_unit_test(one_change_is_refused),
        cmocka_unit_test(sheets_are_counted),
        cmocka_unit_test(colours_are_known_by_their_names),
        cmocka_unit_test(a_text_that_was_cut_is_refused),
        cmocka_unit_test(objects_have_their_sizes),
    };
    return cmocka_run_group_tests_name("manifest_check", tests, NULL, NULL);
}
