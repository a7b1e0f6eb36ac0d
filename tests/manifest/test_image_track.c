#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "manifest/dash.h"
#include "manifest/hls.h"
#include "manifest/image_track.h"

/* 13 tiles on sheets of 2x3, a tile every 5 s: 30 + 30 + 4.5 s. */
struct made {
    Gm__NamedFile named[4];
    Gm__NamedFile *files[4];
    uint32_t indexes[3];
    Gm__SheetsReport sheets;
    struct gm_manifest_images images;
    struct gm_manifest manifest;
};

static void make(struct made *m)
{
    static char *names[] = {"poster.jpg", "sprite-001.jpg", "sprite-002.jpg", "sprite-003.jpg"};
    static const uint64_t sizes[] = {9999, 30000, 60000, 3000};
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < 4; i++) {
        gm__named_file__init(&m->named[i]);
        m->named[i].name = names[i];
        m->named[i].size = sizes[i];
        m->files[i] = &m->named[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        m->indexes[i] = i + 1;
    }
    gm__sheets_report__init(&m->sheets);
    m->sheets.files = m->indexes;
    m->sheets.n_files = 3;
    m->sheets.format = "jpeg";
    m->sheets.columns = 2;
    m->sheets.rows = 3;
    m->sheets.tile_width_px = 160;
    m->sheets.tile_height_px = 90;
    m->sheets.interval_s = 5;
    m->sheets.tiles = 13;
    m->sheets.duration_us = 64500000;
    m->images = (struct gm_manifest_images){&m->sheets, m->files, "image/jpeg", "jpeg", "jpg"};
    m->manifest = (struct gm_manifest){.prefix = "v/0123/", .images = &m->images};
}

static void check_text(struct gm_buf *out, const char *want)
{
    struct gm_err err;
    assert_int_equal(gm_buf_check(out, &err), 0);
    assert_string_equal((const char *)out->data, want);
    gm_buf_fini(out);
}

static void the_playlist_is_exact(void **state)
{
    (void)state;
    struct made m;
    struct gm_buf out = {0};
    make(&m);
    gm_image_track_hls(&m.manifest, &out);
    check_text(&out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:30\n"
                     "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n"
                     "#EXTINF:30.000000,\n"
                     "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x3,DURATION=5\nsprite-001.jpg\n"
                     "#EXTINF:30.000000,\n"
                     "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x3,DURATION=5\nsprite-002.jpg\n"
                     "#EXTINF:4.500000,\n"
                     "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x3,DURATION=5\nsprite-003.jpg\n"
                     "#EXT-X-ENDLIST\n");
}

static void the_master_names_it(void **state)
{
    (void)state;
    struct made m;
    struct gm_buf out = {0};
    make(&m);
    gm_image_track_hls_master(&m.manifest, &out);
    check_text(&out, "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=16000,AVERAGE-BANDWIDTH=11535,"
                     "RESOLUTION=160x90,CODECS=\"jpeg\","
                     "URI=\"v/0123/images/tiles.m3u8\"\n");
}

static void dash_has_a_template(void **state)
{
    (void)state;
    struct made m;
    struct gm_buf out = {0};
    make(&m);
    m.sheets.format = "webp";
    m.images.mime = "image/webp";
    m.images.ext = "webp";
    gm_image_track_dash(&m.manifest, 200, 90000000, &out);
    check_text(
        &out,
        "    <AdaptationSet id=\"200\" contentType=\"image\" mimeType=\"image/webp\">\n"
        "      <Representation id=\"tiles\" bandwidth=\"16000\" width=\"320\" height=\"270\">\n"
        "        <EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\""
        " value=\"2x3\"/>\n"
        "        <BaseURL>v/0123/images/</BaseURL>\n"
        "        <SegmentTemplate media=\"sprite-$Number%03d$.webp\" timescale=\"1\""
        " duration=\"30\" startNumber=\"1\"/>\n"
        "      </Representation>\n    </AdaptationSet>\n");
}

static void dash_counts_sheets_out_that_sound_outlasts(void **state)
{
    static const struct {
        size_t files;
        int64_t period_us;
        const char *words;
    } rows[] = {
        {3, 64500000, "timescale=\"1\" duration=\"30\" startNumber=\"1\"/>"},
        {3, 90000001,
         "timescale=\"1\" startNumber=\"1\">\n          <SegmentTimeline>\n"
         "            <S t=\"0\" d=\"30\" r=\"2\"/>\n"
         "          </SegmentTimeline>\n        </SegmentTemplate>\n"},
        {1, 30005000, "<S t=\"0\" d=\"30\"/>\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made m;
        struct gm_buf out = {0};
        make(&m);
        m.sheets.n_files = rows[i].files;
        gm_image_track_dash(&m.manifest, 200, rows[i].period_us, &out);
        gm_buf_u8(&out, 0);
        assert_non_null(strstr((const char *)out.data, rows[i].words));
        gm_buf_fini(&out);
    }
}

static void without_sheets_there_is_nothing(void **state)
{
    (void)state;
    struct made m;
    struct gm_buf out = {0};
    make(&m);
    m.manifest.images = NULL;
    gm_image_track_hls(&m.manifest, &out);
    gm_image_track_hls_master(&m.manifest, &out);
    gm_image_track_dash(&m.manifest, 200, 90000000, &out);
    assert_int_equal(out.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_playlist_is_exact),
        cmocka_unit_test(the_master_names_it),
        cmocka_unit_test(dash_has_a_template),
        cmocka_unit_test(dash_counts_sheets_out_that_sound_outlasts),
        cmocka_unit_test(without_sheets_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
