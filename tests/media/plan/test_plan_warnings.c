#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/pb.h"
#include "media/plan/plan.h"
#include "proto/streams.h"

/* What the plan says of tracks that it leaves out or makes up. */

static Gm__Policy *new_policy(void)
{
    Gm__Policy *p = malloc(sizeof *p);
    assert_non_null(p);
    gm__policy__init(p);
    return p;
}

/* "code=count: text", one warning a line; then the policy goes. */
static void assert_said(Gm__Policy *p, const char *want)
{
    char said[1024] = "";
    size_t at = 0;
    for (size_t i = 0; i < p->n_warnings && at < sizeof said; i++) {
        const Gm__Warning *w = p->warnings[i];
        at += (size_t)snprintf(said + at, sizeof said - at, "%s=%d: %s\n", w->code, (int)w->count,
                               w->text);
    }
    assert_string_equal(said, want);
    gm__policy__free_unpacked(p, NULL);
}

#define TRACKS (GM_MAX_TEXT_TRACKS + 2)
struct texts {
    Gm__Inspection facts;
    Gm__VideoFacts video;
    Gm__TextFacts text[TRACKS];
    Gm__TextFacts *list[TRACKS];
};

static void make_texts(struct texts *t, size_t count, size_t bitmaps, const char *language)
{
    gm__inspection__init(&t->facts);
    gm__video_facts__init(&t->video);
    t->video.pixel_format = "yuv420p";
    for (size_t i = 0; i < count; i++) {
        gm__text_facts__init(&t->text[i]);
        t->text[i].language = (char *)(uintptr_t)language;
        t->text[i].bitmap = i < bitmaps;
        t->list[i] = &t->text[i];
    }
    t->facts.video = &t->video;
    t->facts.text = t->list;
    t->facts.n_text = count;
}

static void text_tracks_over_the_limit_are_told(void **state)
{
    Gm__SubtitlesParams params = GM__SUBTITLES_PARAMS__INIT;
    struct gm_err err;
    struct texts t;
    (void)state;
    for (size_t extra = 0; extra <= 2; extra += 2) {
        Gm__Policy *p = new_policy();
        make_texts(&t, GM_MAX_TEXT_TRACKS + extra, 0, "eng");
        assert_int_equal(gm_plan_text(&t.facts, &params, p, &err), 0);
        assert_int_equal(p->n_text, GM_MAX_TEXT_TRACKS);
        assert_said(p, extra == 0 ? ""
                                  : "plan.text_tracks_dropped=2: the source has more text tracks "
                                    "than 16; the first are kept\n");
    }
}

static void subtitles_that_nothing_is_made_of_are_told(void **state)
{
    static const struct {
        size_t count, bitmaps;
        uint32_t burnt;
        const char *why, *said;
    } rows[] = {
        {2, 0, 0, NULL, ""},
        {2, 0, 0, "why", "plan.subtitles_dropped=2: why: text tracks are left out: ger, ger\n"},
        {2, 1, 1, NULL, ""},
        {3, 2, 1, NULL, "plan.subtitles_bitmap=1: subtitles that are pictures are left out: ger\n"},
        {2, 1, 0, "why",
         "plan.subtitles_bitmap=1: subtitles that are pictures are left out: ger\n"
         "plan.subtitles_dropped=1: why: text tracks are left out: ger\n"},
    };
    struct gm_err err;
    struct texts t;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy *p = new_policy();
        make_texts(&t, rows[i].count, rows[i].bitmaps, "ger");
        p->burn_text = rows[i].burnt;
        assert_int_equal(gm_plan_text_dropped(&t.facts, rows[i].why, p, &err), 0);
        assert_said(p, rows[i].said);
    }
}

static void subtitles_that_can_not_be_drawn_are_told(void **state)
{
    static const struct {
        const char *wanted, *format;
        size_t bitmaps;
        uint32_t burnt;
        const char *said;
    } rows[] = {
        {"", "yuv420p", 1, 0, ""},
        {"auto", "yuv420p", 1, 1, ""},
        {"auto", "yuv420p", 0, 0,
         "plan.burn_text=1: burn_subtitles: auto: the source has these as text, which is not "
         "drawn\n"},
        {"de", "yuv420p", 1, 1, ""},
        {"fr", "yuv420p", 1, 0,
         "plan.burn_missing=1: burn_subtitles: fr: the source has no such subtitles\n"},
        {"de", "rgb24", 1, 0,
         "plan.burn_format=1: subtitles can't be drawn on pictures of format rgb24\n"},
    };
    struct gm_err err;
    struct texts t;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy *p = new_policy();
        make_texts(&t, 1, rows[i].bitmaps, "deu");
        t.video.pixel_format = (char *)(uintptr_t)rows[i].format;
        assert_int_equal(gm_plan_burn(&t.facts, rows[i].wanted, p, &err), 0);
        assert_int_equal(p->burn_text, rows[i].burnt);
        assert_said(p, rows[i].said);
    }
}

#define SOUNDS (GM_PLAN_TRACKS + 3)

static void sound_that_is_left_out_or_made_up_is_told(void **state)
{
    static const struct {
        size_t tracks, made;
        bool silence;
        const char *said;
    } rows[] = {
        {GM_PLAN_TRACKS, GM_PLAN_TRACKS, true, ""},
        {SOUNDS, GM_PLAN_TRACKS, true,
         "plan.audio_tracks_dropped=3: the source has 11 audio streams; the first 8 are kept\n"},
        {0, 0, false, ""},
        {0, 1, true, "plan.silence=1: the source has no sound; a track of silence is made\n"},
    };
    Gm__AudioFacts sounds[SOUNDS];
    Gm__AudioFacts *list[SOUNDS];
    struct gm_err err;
    struct texts t;
    (void)state;
    make_texts(&t, 0, 0, "");
    for (size_t i = 0; i < SOUNDS; i++) {
        gm__audio_facts__init(&sounds[i]);
        sounds[i].channels = 2;
        sounds[i].sample_rate = 48000;
        sounds[i].language = "und";
        list[i] = &sounds[i];
    }
    t.facts.audio = list;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__AudioParams params = GM__AUDIO_PARAMS__INIT;
        Gm__Policy *p = new_policy();
        params.codec = "aac";
        params.bitrate_bps = 128000;
        params.channels = 2;
        params.sample_rate = 48000;
        params.silence = rows[i].silence;
        t.facts.n_audio = rows[i].tracks;
        assert_int_equal(gm_plan_audio(&t.facts, &params, NULL, p, &err), 0);
        assert_int_equal(p->n_audio, rows[i].made);
        assert_said(p, rows[i].said);
    }
}

static void colour_that_is_changed_is_told(void **state)
{
    static const struct {
        const char *primaries, *transfer, *matrix;
        const char *code; /* NULL: nothing is said */
    } rows[] = {
        {"bt709", "bt709", "bt709", NULL},
        {"bt2020", "smpte2084", "bt2020nc", "colour.tone_mapped"},
        {"bt2020", "arib-std-b67", "bt2020nc", "colour.tone_mapped"},
        {"smpte432", "bt709", "bt709", "colour.converted"},
    };
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
        Gm__Rendition *r = malloc(sizeof *r);
        Gm__Policy *p = new_policy();
        assert_non_null(r);
        gm__rendition__init(r);
        assert_int_equal(gm_pb_append(&p->renditions, &p->n_renditions, &r->base, &err), 0);
        v.primaries = (char *)(uintptr_t)rows[i].primaries;
        v.transfer = (char *)(uintptr_t)rows[i].transfer;
        v.matrix = (char *)(uintptr_t)rows[i].matrix;
        v.range = "tv";
        v.pixel_format = "yuv420p10le";
        v.width_px = 1280;
        v.height_px = 720;
        assert_int_equal(gm_plan_light(&v, p, &err), 0);
        assert_int_equal(p->n_warnings, rows[i].code != NULL);
        if (rows[i].code != NULL) {
            assert_string_equal(p->warnings[0]->code, rows[i].code);
        }
        gm__policy__free_unpacked(p, NULL);
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_tracks_over_the_limit_are_told),
        cmocka_unit_test(subtitles_that_nothing_is_made_of_are_told),
        cmocka_unit_test(subtitles_that_can_not_be_drawn_are_told),
        cmocka_unit_test(sound_that_is_left_out_or_made_up_is_told),
        cmocka_unit_test(colour_that_is_changed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
