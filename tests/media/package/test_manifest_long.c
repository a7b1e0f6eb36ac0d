/* Playlists and manifests of a programme of four hours in segments of a second, 100 GB a rendition:
 * times and sizes beyond 32 bits are written and read back, and what is written is no larger than a
 * task's result may be. Prints how large. */
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
#include "media/package/manifest_check.h"

#define SEGMENTS 14400u
#define SECOND 1000000 /* ticks: the end is beyond 33 bits */
#define BYTES UINT64_C(7500000)
#define RUNGS 8u
#define TRACKS (RUNGS + 1)
#define RESULT_BYTES (16u << 20) /* what the scheduler takes as facts of a task */

struct made {
    Gm__SegmentMeta segment[SEGMENTS], *list[SEGMENTS];
    Gm__GopMeta gop[SEGMENTS], *gops[SEGMENTS];
    char name[SEGMENTS][32], path[SEGMENTS][64];
    char rung[8], folder[32], init[64], media[64], iframes[64];
};

struct publication {
    struct made *made; /* TRACKS, owned */
    struct gm_manifest_track tracks[TRACKS];
    struct gm_manifest m;
    struct gm_manifest_objects objects;
};

static void add_object(struct publication *p, const char *path, uint64_t size)
{
    struct gm_err err;
    assert_int_equal(gm_manifest_objects_add(&p->objects, path, size, &err), 0);
}

static void make_segments(struct publication *p, struct made *m)
{
    for (size_t i = 0; i < SEGMENTS; i++) {
        Gm__SegmentMeta *s = &m->segment[i];
        (void)snprintf(m->name[i], sizeof(m->name[i]), "seg-%05zu-0123456789ab.m4s", i + 1);
        (void)snprintf(m->path[i], sizeof(m->path[i]), "%s%s", m->folder, m->name[i]);
        gm__gop_meta__init(&m->gop[i]);
        m->gop[i].offset = 24;
        m->gop[i].size = BYTES - 24;
        m->gop[i].idr_size = 400000;
        gm__segment_meta__init(s);
        s->number = (uint32_t)i + 1;
        s->name = m->name[i];
        s->size = BYTES;
        s->start_ts = m->gop[i].start_ts = (int64_t)i * SECOND;
        s->duration_ts = m->gop[i].duration_ts = SECOND;
        s->samples = 60;
        s->gops = &m->gops[i];
        s->n_gops = 1;
        m->gops[i] = &m->gop[i];
        m->list[i] = s;
        add_object(p, m->path[i], BYTES);
    }
}

static void make_track(struct publication *p, size_t k)
{
    struct made *m = &p->made[k];
    bool video = k < RUNGS;
    (void)snprintf(m->rung, sizeof(m->rung), video ? "%zup" : "a0", 1080 - k);
    (void)snprintf(m->folder, sizeof(m->folder), "%s/%s/", video ? "video" : "audio", m->rung);
    (void)snprintf(m->init, sizeof(m->init), "%sinit.mp4", m->folder);
    (void)snprintf(m->media, sizeof(m->media), "%smedia.m3u8", m->folder);
    (void)snprintf(m->iframes, sizeof(m->iframes), "%siframes.m3u8", m->folder);
    make_segments(p, m);
    add_object(p, m->init, 700);
    add_object(p, m->media, 700);
    if (video) {
        add_object(p, m->iframes, 700);
    }
    p->tracks[k] = (struct gm_manifest_track){.name = m->rung,
                                              .init_name = "init.mp4",
                                              .codecs = video ? "avc1.64002a" : "mp4a.40.2",
                                              .timescale = SECOND,
                                              .segments = m->list,
                                              .count = SEGMENTS,
                                              .width_px = video ? 1920 - 2 * (uint32_t)k : 0,
                                              .height_px = video ? 1080 - (uint32_t)k : 0,
                                              .channels = 2,
                                              .sample_rate = 48000};
}

static int set_up(void **state)
{
    struct publication *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->made = calloc(TRACKS, sizeof(*p->made));
    assert_non_null(p->made);
    for (size_t k = 0; k < TRACKS; k++) {
        make_track(p, k);
    }
    gm_manifest_objects_sort(&p->objects);
    p->m = (struct gm_manifest){.prefix = "v/0123456789abcdef/",
                                .video = p->tracks,
                                .videos = RUNGS,
                                .audio = p->tracks + RUNGS,
                                .audios = 1,
                                .rate_num = 60,
                                .rate_den = 1};
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct publication *p = *state;
    gm_manifest_objects_fini(&p->objects);
    free(p->made);
    free(p);
    return 0;
}

static void take(int rc, struct gm_buf *text, const struct gm_err *err, const char *what)
{
    if (rc < 0) {
        fail_msg("%s: %s", what, err->text);
    }
    print_message("%s of %u segments a track: %.2f MB\n", what, SEGMENTS, (double)text->size / 1e6);
    assert_true(text->size < RESULT_BYTES);
    gm_buf_fini(text);
}

static void four_hours_are_written_and_read_back(void **state)
{
    struct publication *p = *state;
    struct gm_buf text = {0};
    struct gm_err err;
    struct gm_manifest_playlist wanted = {
        .folder = p->made[0].folder, .of = GM_PLAYLIST_SEGMENTS, .track = &p->tracks[0]};
    assert_int_equal(gm_manifest_target_s(&p->m), 1);
    gm_hls_media(&p->tracks[0], 1, &text);
    take(gm_manifest_check_playlist(&text, &wanted, &p->objects, &err), &text, &err, "a playlist");
    gm_hls_iframes(&p->tracks[0], &text);
    wanted.of = GM_PLAYLIST_IFRAMES;
    take(gm_manifest_check_playlist(&text, &wanted, &p->objects, &err), &text, &err,
         "an I-frame playlist");
    gm_hls_master(&p->m, &text);
    take(gm_manifest_check_master(&text, &p->m, &p->objects, &err), &text, &err, "master.m3u8");
    gm_dash_manifest(&p->m, &text);
    assert_non_null(strstr((const char *)text.data, "\"PT14400.000000S\""));
    take(gm_manifest_check_mpd(&text, &p->m, &p->objects, &err), &text, &err, "manifest.mpd");
}

static void sizes_and_rates_are_whole(void **state)
{
    struct publication *p = *state;
    struct gm_manifest_rate rate = gm_manifest_measure(&p->tracks[0], 1);
    assert_int_equal(rate.bytes, SEGMENTS * BYTES); /* 108 GB */
    assert_int_equal(rate.average_bps, BYTES * 8);
    assert_int_equal(rate.peak_bps, BYTES * 8);
}

static void manifests_that_no_result_takes_say_what_to_do(void **state)
{
    struct gm_buf master = {.size = 1000}, mpd = {.size = GM_MANIFEST_ROOM - 1000};
    struct gm_err err;
    (void)state;
    assert_true(GM_MANIFEST_ROOM < RESULT_BYTES);
    assert_int_equal(gm_manifest_check_room(&master, &mpd, &err), 0);
    mpd.size++;
    assert_int_equal(gm_manifest_check_room(&master, &mpd, &err), -GM_E_LIMIT);
    assert_non_null(strstr(err.text, "longer segments"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_hours_are_written_and_read_back),
        cmocka_unit_test(sizes_and_rates_are_whole),
        cmocka_unit_test(manifests_that_no_result_takes_say_what_to_do),
    };
    return cmocka_run_group_tests_name("media/package/manifest_long", tests, set_up, tear_down);
}
