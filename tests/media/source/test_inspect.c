#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "media/av.h"
#include "media/folder_io.h"
#include "media/movie_io.h"
#include "media/paff_io.h"

/* Inspects a file; *out owned, NULL when it was refused. */
static int inspect(const char *path, uint64_t max_pixels, Gm__Inspection **out, struct gm_err *err)
{
    struct folder_pipeline params = {.max_pixels = max_pixels};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = NULL;
    struct folder_run run = {.task = "inspect"};
    *out = NULL;
    assert_int_equal(folder_io_create(path, pipeline, &f, err), 0);
    int rc = folder_io_run(f, &run, NULL, err);
    if (rc == 0) {
        const Gm__TaskResult *r = folder_io_result(f, "inspect", 0);
        *out = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
        assert_non_null(*out);
    }
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
    return rc;
}

static bool warns(const Gm__Inspection *i, const char *code)
{
    for (size_t k = 0; k < i->n_warnings; k++) {
        if (strcmp(i->warnings[k]->code, code) == 0) {
            return true;
        }
    }
    return false;
}

static void facts_of_generated_movies_are_right(void **state)
{
    static const struct {
        const char *encoder, *options, *format;
        Gm__TimelineMode mode;
        bool constant, by_reference;
    } rows[] = {
        {"libx264", "preset=ultrafast,bf=2,g=10", "mp4", GM__TIMELINE_MODE__TIMELINE_PACKETS, true,
         true},
        {"libx264", "preset=ultrafast,bf=2,g=10", "matroska", GM__TIMELINE_MODE__TIMELINE_PACKETS,
         true, false},
        {"libx264", "preset=ultrafast,bf=2,g=10", "mpegts", GM__TIMELINE_MODE__TIMELINE_DECODE,
         true, false},
        {"mpeg4", "bf=2,g=10", "avi", GM__TIMELINE_MODE__TIMELINE_DECODE, true, false},
        {"mpeg2video", "bf=2,g=10", "mpegts", GM__TIMELINE_MODE__TIMELINE_DECODE, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make(rows[i].encoder, rows[i].options, 75);
        struct movie movie = {.format = rows[i].format};
        char path[4096];
        Gm__Inspection *facts;
        struct gm_err err;
        movie_write(clip, &movie, path);
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        const Gm__VideoFacts *v = facts->video;
        assert_int_equal(v->width_px, 96);
        assert_int_equal(v->height_px, 80);
        assert_string_equal(v->pixel_format, "yuv420p");
        assert_int_equal(v->frame_rate->num, 25);
        assert_int_equal(v->frame_rate->den, 1);
        assert_int_equal(v->constant_rate, rows[i].constant);
        assert_int_equal(facts->timeline, rows[i].mode);
        assert_true(facts->timeline_reason[0] != '\0');
        assert_int_equal(facts->by_reference, rows[i].by_reference);
        assert_int_equal(facts->fingerprint.len, 32);
        assert_int_equal(facts->n_audio, 0);
        assert_int_equal(v->rotation_deg, 0);
        assert_in_range(v->keyframe_interval_us, 360000, 480000);
        assert_in_range(facts->duration_us, 2900000, 3100000);
        if (rows[i].mode == GM__TIMELINE_MODE__TIMELINE_PACKETS) {
            assert_int_equal(v->frames, 75);
            assert_true(v->frames_exact);
        }
        gm__inspection__free_unpacked(facts, NULL);
        movie_remove(path);
        clip_free(&clip);
    }
}

static void turned_pictures_and_sound_are_seen(void **state)
{
    static const struct {
        int turn;
        int32_t clockwise;
    } turns[] = {{0, 0}, {90, 90}, {-90, 270}, {180, 180}};
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", 25);
    (void)state;
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct movie movie = {
            .format = "mov", .sound = true, .turn_deg = turns[i].turn, .aspect = {4, 3}};
        char path[4096];
        Gm__Inspection *facts;
        struct gm_err err;
        movie_write(clip, &movie, path);
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        assert_int_equal(facts->video->rotation_deg, turns[i].clockwise);
        assert_false(facts->video->flip);
        assert_int_equal(facts->video->sample_aspect->num, 4);
        assert_int_equal(facts->video->sample_aspect->den, 3);
        assert_int_equal(facts->n_audio, 1);
        assert_string_equal(facts->audio[0]->codec, "pcm_s16le");
        assert_int_equal(facts->audio[0]->sample_rate, 8000);
        assert_string_equal(facts->audio[0]->language, "und");
        gm__inspection__free_unpacked(facts, NULL);
        movie_remove(path);
    }
    clip_free(&clip);
}

static void the_fingerprint_follows_the_content(void **state)
{
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", 25);
    struct movie movie = {.format = "matroska"};
    Gm__Inspection *a, *b, *c;
    char path[4096];
    struct gm_err err;
    (void)state;
    movie_write(clip, &movie, path);
    assert_int_equal(inspect(path, 0, &a, &err), 0);
    assert_int_equal(inspect(path, 0, &b, &err), 0);
    assert_memory_equal(a->fingerprint.data, b->fingerprint.data, 32);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, 3000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 3000), 1);
    (void)close(fd);
    if (inspect(path, 0, &c, &err) == 0) {
        assert_memory_not_equal(a->fingerprint.data, c->fingerprint.data, 32);
        gm__inspection__free_unpacked(c, NULL);
    }
    gm__inspection__free_unpacked(a, NULL);
    gm__inspection__free_unpacked(b, NULL);
    movie_remove(path);
    clip_free(&clip);
}

static void pictures_over_the_limit_are_refused_before_decoding(void **state)
{
    static const char *const formats[] = {"mp4", "matroska", "mpegts"};
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", 25);
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct movie movie = {.format = formats[i]};
        Gm__Inspection *facts;
        char path[4096];
        struct gm_err err;
        movie_write(clip, &movie, path);
        assert_int_equal(inspect(path, 96 * 80 - 1, &facts, &err), -GM_E_INPUT_TOO_LARGE);
        assert_int_equal(inspect(path, 96 * 80, &facts, &err), 0);
        gm__inspection__free_unpacked(facts, NULL);
        movie_remove(path);
    }
    clip_free(&clip);
}

static void a_start_without_keyframe_is_decoded_to_find_the_frames(void **state)
{
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", 40);
    struct movie movie = {.format = "matroska", .skip = 3};
    Gm__Inspection *facts;
    char path[4096];
    struct gm_err err;
    (void)state;
    movie_write(clip, &movie, path);
    assert_int_equal(inspect(path, 0, &facts, &err), 0);
    assert_int_equal(facts->timeline, GM__TIMELINE_MODE__TIMELINE_DECODE);
    gm__inspection__free_unpacked(facts, NULL);
    movie_remove(path);
    clip_free(&clip);
}

/* As a copy from the second keyframe on has it. */
static void pictures_before_the_first_keyframe_are_left_to_a_decoder(void **state)
{
    static const struct {
        const char *params, *format;
        Gm__TimelineMode mode;
    } rows[] = {
        {"open-gop=1", "mp4", GM__TIMELINE_MODE__TIMELINE_DECODE},
        {"open-gop=1", "matroska", GM__TIMELINE_MODE__TIMELINE_DECODE},
        {"open-gop=0", "mp4", GM__TIMELINE_MODE__TIMELINE_PACKETS},
        {"open-gop=0", "matroska", GM__TIMELINE_MODE__TIMELINE_PACKETS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char options[128], path[4096];
        (void)snprintf(options, sizeof options,
                       "x264-params=keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:%s",
                       rows[i].params);
        struct clip *clip = clip_make("libx264", options, 60);
        struct movie movie = {.format = rows[i].format, .skip = 1};
        Gm__Inspection *facts;
        struct gm_err err;
        while ((clip->packets[movie.skip]->flags & AV_PKT_FLAG_KEY) == 0) {
            movie.skip++;
        }
        movie.no_edits = strcmp(movie.format, "mp4") == 0;
        movie_write(clip, &movie, path);
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        assert_int_equal(facts->timeline, rows[i].mode);
        gm__inspection__free_unpacked(facts, NULL);
        movie_remove(path);
        clip_free(&clip);
    }
}

static void real_clips_have_the_known_facts(void **state)
{
    static const struct {
        const char *name;
        uint32_t width, height;
        int32_t turn;
        const char *warning;
        size_t sounds;
    } rows[] = {
        {"portrait-rot90.MOV", 568, 320, 90, NULL, 1},
        {"hevc-hdr10-mastering-cll.mkv", 560, 320, 90, NULL, 0},
        {"hevc-hdr10-phone-1080p.mp4", 1920, 1080, 0, "source.hdr10plus", 1},
        {"iphone-dv84-hlg-rot90.mp4", 1920, 1080, 90, "source.dolby_vision", 1},
        {"bt709-full-range.mp4", 1280, 720, 0, "source.full_range", 0},
        /* flagged as interlaced; pictures of a film */
        {"mpeg2-interlaced-480i.ts", 704, 480, 0, "source.progressive", 0},
        {"interlaced-open-gop-h264.mp4", 640, 360, 0, "source.progressive", 0},
        {"dvb-1080i-two-mp2.ts", 1920, 1080, 0, "source.interlaced", 2}, /* still: flags tell */
        {"vp8-alpha-320x213.webm", 320, 213, 0, "source.alpha", 0},
        {"broken-bitflips.mp4", 1280, 720, 0, "source.damaged", 1},
        {"svt-720p50-many-mono-tracks.mp4", 1280, 720, 0, "source.streams_dropped", 8},
        {"elst-3entries.mp4", 640, 480, 0, NULL, 0},
        {"broken-truncated-faststart.mp4", 1280, 720, 0, "input.truncated", 1},
        {"broken-annexb-in-mp4-truncated.mp4", 1920, 1080, 0, "input.truncated", 0},
    };
    char path[4096];
    (void)state;
    if (!folder_clip(rows[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Inspection *facts;
        struct gm_err err;
        assert_true(folder_clip(rows[i].name, path));
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        assert_int_equal(facts->video->width_px, rows[i].width);
        assert_int_equal(facts->video->height_px, rows[i].height);
        assert_int_equal(facts->video->rotation_deg, rows[i].turn);
        assert_int_equal(facts->n_audio, rows[i].sounds);
        assert_true(rows[i].warning == NULL || warns(facts, rows[i].warning));
        gm__inspection__free_unpacked(facts, NULL);
    }
}

static void captions_are_seen_in_the_pictures(void **state)
{
    static const struct {
        const char *name;
        bool captions;
    } rows[] = {{"mpeg2-interlaced-480i.ts", true}, {"camera-cups-720p.mp4", false}};
    char path[4096];
    (void)state;
    if (!folder_clip(rows[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Inspection *facts;
        struct gm_err err;
        assert_true(folder_clip(rows[i].name, path));
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        assert_int_equal(facts->video->captions, rows[i].captions);
        gm__inspection__free_unpacked(facts, NULL);
    }
}

/* libvpx says nothing; libavcodec's own decoder of VP8, which leaves alpha out, says this. */
static void vp8_has_its_matrix_with_alpha_too(void **state)
{
    Gm__Inspection *facts;
    struct gm_err err;
    char path[4096];
    (void)state;
    if (!folder_clip("vp8-alpha-320x213.webm", path)) {
        skip();
    }
    assert_int_equal(inspect(path, 0, &facts, &err), 0);
    assert_true(facts->video->alpha);
    assert_string_equal(facts->video->matrix, "bt470bg");
    gm__inspection__free_unpacked(facts, NULL);
}

static void hdr_is_known_by_what_the_pictures_say(void **state)
{
    static const struct {
        const char *name, *hdr, *transfer, *primaries;
        uint32_t depth, dolby, max_cll, max_fall, peak, red_x;
    } rows[] = {
        /* The container of the first says SDR. */
        {"hevc-hdr10-phone-1080p.mp4", "hdr10plus", "smpte2084", "bt2020", 10, 0, 1000, 200, 1000,
         7500},
        {"hevc-hdr10-mastering-cll.mkv", "hdr10", "smpte2084", "bt2020", 10, 0, 1000, 300, 10000000,
         35400},
        {"iphone-dv84-hlg-rot90.mp4", "hlg", "arib-std-b67", "bt2020", 10, 8, 0, 0, 0, 0},
        {"vp9-10bit-profile2.webm", "", "unknown", "unknown", 10, 0, 0, 0, 0, 0},
        {"camera-cups-720p.mp4", "", "bt709", "bt709", 8, 0, 0, 0, 0, 0},
    };
    char path[4096];
    (void)state;
    if (!folder_clip(rows[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Inspection *facts;
        struct gm_err err;
        assert_true(folder_clip(rows[i].name, path));
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        const Gm__VideoFacts *v = facts->video;
        assert_string_equal(v->hdr, rows[i].hdr);
        assert_string_equal(v->transfer, rows[i].transfer);
        assert_string_equal(v->primaries, rows[i].primaries);
        assert_int_equal(v->bit_depth, rows[i].depth);
        assert_int_equal(v->dolby_profile, rows[i].dolby);
        assert_false(v->dolby_ipt);
        assert_int_equal(v->light != NULL ? v->light->max_cll : 0, rows[i].max_cll);
        assert_int_equal(v->light != NULL ? v->light->max_fall : 0, rows[i].max_fall);
        assert_int_equal(v->mastering != NULL ? v->mastering->max_luminance : 0, rows[i].peak);
        if (rows[i].red_x != 0) {
            assert_int_equal(v->mastering->n_primaries, 6);
            assert_int_equal(v->mastering->primaries[4], rows[i].red_x);
        }
        gm__inspection__free_unpacked(facts, NULL);
    }
}

/* The container's record says profile 5 in a copy of a clip of profile 8. */
static void dolby_vision_without_a_standard_base_is_refused(void **state)
{
    static const char kind[4] = {'d', 'v', 'v', 'C'};
    char path[4096], copy[] = "/tmp/gm-dolby-XXXXXX";
    uint8_t *data = NULL;
    size_t size = 0;
    Gm__Inspection *facts;
    struct gm_err err;
    (void)state;
    if (!folder_clip("iphone-dv84-hlg-rot90.mp4", path)) {
        skip();
    }
    assert_int_equal(gm_fs_read(path, 64 << 20, &data, &size, &err), 0);
    uint8_t *box = memmem(data, size, kind, sizeof kind);
    assert_non_null(box);
    box[6] = (uint8_t)(5 << 1 | (box[6] & 1)); /* dv_profile: 7 bits behind the version */
    int fd = mkstemp(copy);
    assert_true(fd >= 0);
    assert_int_equal(gm_fs_write_all(fd, data, size, &err), 0);
    close(fd);
    assert_int_equal(inspect(copy, 0, &facts, &err), -GM_E_INPUT_DOLBY_VISION);
    assert_non_null(strstr(err.text, "profile 5"));
    unlink(copy);
    free(data);
}

static void real_clips_that_are_unusable_are_refused_by_kind(void **state)
{
    static const struct {
        const char *name;
        int code;
    } rows[] = {
        {"audio-only-aac.mp4", GM_E_INPUT_NO_VIDEO},
        {"audio-with-cover-art.m4a", GM_E_INPUT_NO_VIDEO},
        {"two-aac51-tracks-novideo.mp4", GM_E_INPUT_NO_VIDEO},
        {"tiny-10x6.mp4", GM_E_INPUT_TOO_SMALL},
        {"tiny-1x1-444.mp4", GM_E_INPUT_TOO_SMALL},
        {"vvc.mp4", GM_E_INPUT_CODEC},
        {"encrypted-cenc.mp4", GM_E_INPUT_ENCRYPTED},
        {"broken-no-moov.mp4", GM_E_INPUT_NO_INDEX},
        {"broken-truncated-no-moov.mp4", GM_E_INPUT_NO_INDEX},
        {"broken-zero-bytes.mp4", GM_E_INPUT_EMPTY},
        {"broken-json-named.mp4", GM_E_INPUT_UNREADABLE},
        {"broken-random-garbage.mp4", GM_E_INPUT_UNREADABLE},
        {"broken-html-404.mp4", GM_E_INPUT_UNREADABLE},
    };
    char path[4096];
    (void)state;
    if (!folder_clip(rows[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Inspection *facts;
        struct gm_err err = {0};
        assert_true(folder_clip(rows[i].name, path));
        assert_int_equal(inspect(path, 0, &facts, &err), -rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, rows[i].name));
    }
}

/* A packet may be one field: the rate is the frames', and no packet's time is believed. */
static void packets_of_single_fields_are_no_frames(void **state)
{
    static const struct {
        struct paff_params params;
        const char *name;
        int64_t least, most; /* frames guessed */
    } rows[] = {
        {{.frames = 200, .gop_frames = 25, .split = true}, "f.mp4", 190, 210},
        {{.frames = 200, .gop_frames = 25, .split = true}, "f.mkv", 190, 210},
        {{.frames = 200, .gop_frames = 25, .split = true}, "f.ts", 190, 210},
        {{.frames = 200, .gop_frames = 25}, "f.ts", 190, 210},
        {{.frames = 200, .gop_frames = 25}, "f.mp4", 200, 200},
        {{.frames = 200, .gop_frames = 24, .frame_every = 3, .open = true, .split = true},
         "f.mp4",
         190,
         210},
        {{.frames = 200, .gop_frames = 24, .frame_every = 2, .open = true, .split = true},
         "f.ts",
         190,
         210},
        {{.frames = 200, .gop_frames = 24, .frame_every = 1, .mbaff = true}, "f.mkv", 200, 200},
        {{.frames = 200, .gop_frames = 25, .split = true}, "f.h264", 190, 210},
        {{.frames = 200, .gop_frames = 24, .frame_every = 5, .open = true}, "f.h264", 190, 210},
        /* Nothing of the kind where pictures are looked at: packets are counted. */
        {{.frames = 200, .gop_frames = 25, .first_field = 75, .end_fields = 95, .split = true},
         "f.mp4",
         220,
         220},
    };
    char folder[] = "/tmp/gm-inspect-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Inspection *facts;
        struct gm_err err;
        (void)snprintf(path, sizeof path, "%s/%s", folder, rows[i].name);
        paff_make(path, &rows[i].params);
        assert_int_equal(inspect(path, 0, &facts, &err), 0);
        assert_int_equal(facts->timeline, GM__TIMELINE_MODE__TIMELINE_DECODE);
        assert_int_equal(facts->video->frame_rate->num, 25);
        assert_int_equal(facts->video->frame_rate->den, 1);
        assert_in_range(facts->video->frames, rows[i].least, rows[i].most);
        assert_false(facts->video->frames_exact);
        assert_false(warns(facts, "source.damaged"));
        gm__inspection__free_unpacked(facts, NULL);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_of_generated_movies_are_right),
        cmocka_unit_test(turned_pictures_and_sound_are_seen),
        cmocka_unit_test(the_fingerprint_follows_the_content),
        cmocka_unit_test(pictures_over_the_limit_are_refused_before_decoding),
        cmocka_unit_test(a_start_without_keyframe_is_decoded_to_find_the_frames),
        cmocka_unit_test(pictures_before_the_first_keyframe_are_left_to_a_decoder),
        cmocka_unit_test(packets_of_single_fields_are_no_frames),
        cmocka_unit_test(real_clips_have_the_known_facts),
        cmocka_unit_test(captions_are_seen_in_the_pictures),
        cmocka_unit_test(vp8_has_its_matrix_with_alpha_too),
        cmocka_unit_test(hdr_is_known_by_what_the_pictures_say),
        cmocka_unit_test(dolby_vision_without_a_standard_base_is_refused),
        cmocka_unit_test(real_clips_that_are_unusable_are_refused_by_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
