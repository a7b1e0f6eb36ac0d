#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/folder_io.h"
#include "media/results.h"
#include "media/source_io.h"
#include "media/tone_io.h"
#include "proto/envelope.h"

/* Sound without a video, from inspect to the manifests; and a video without sound. */

struct world {
    char dir[64], path[96];
    Gm__Pipeline *pipeline; /* owned: of the latest run */
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/gm-tracks-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof(w->path), "%s/source.mov", w->dir);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    (void)unlink(w->path);
    (void)rmdir(w->dir);
    gm__pipeline__free_unpacked(w->pipeline, NULL);
    free(w);
    return 0;
}

static struct folder_io *run(struct world *w, const struct folder_pipeline *params, int wanted)
{
    struct folder_io *io = NULL;
    struct gm_err err = {0};
    gm__pipeline__free_unpacked(w->pipeline, NULL);
    w->pipeline = folder_pipeline(params);
    assert_int_equal(folder_io_create(w->path, w->pipeline, &io, &err), 0);
    int rc = folder_io_run_all(io, &err);
    if (rc != wanted) {
        fail_msg("%d instead of %d: %s", rc, wanted, err.text);
    }
    return io;
}

static ProtobufCMessage *result_of(struct folder_io *io, const char *task,
                                   const ProtobufCMessageDescriptor *type)
{
    const Gm__TaskResult *r = folder_io_result(io, task, 0);
    ProtobufCMessage *msg = NULL;
    struct gm_err err;
    assert_non_null(r);
    assert_int_equal(
        gm_message_decode(type, r->meta.data, r->meta.len, GM_META_MAX_BYTES, &msg, &err), 0);
    return msg;
}

/* Segments of a track: 0 to 6 s, to 12 s, and the rest. Every one passes verification. */
static void check_track(struct folder_io *io, uint32_t track, int64_t samples)
{
    int64_t end = 0;
    uint32_t number = 0;
    struct gm_err err;
    for (uint32_t i = 0; i < folder_io_items(io, "audio", track, 0); i++) {
        const Gm__Item *item = folder_io_item(io, "audio", track, 0, i);
        Gm__AudioItemMeta *m = gm__audio_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(m);
        for (size_t k = 0; k < m->n_segments; k++) {
            assert_int_equal(m->segments[k]->number, ++number);
            assert_int_equal(m->segments[k]->start_ts, end);
            assert_in_range(end, 6 * 48000 * (number - 1), 6 * 48000 * (number - 1) + 1023);
            end += m->segments[k]->duration_ts;
        }
        gm__audio_item_meta__free_unpacked(m, NULL);
        assert_int_equal(folder_io_verify(io, "audio", track, 0, i, &err), 0);
    }
    assert_int_equal(end, samples);
    assert_int_equal(number, (samples + 6 * 48000 - 1) / (6 * 48000));
}

static void sound_alone_is_cut_by_the_clock(void **state)
{
    struct world *w = *state;
    static const struct tone tones[] = {
        {.fn = tone_sine, .count = 14 * 48000 + 77, .language = "ger", .not_default = true},
        {.fn = tone_sine,
         .count = 13 * 44100,
         .rate = 44100,
         .layout = "mono",
         .language = "eng",
         .title = "Comments"}};
    const struct folder_pipeline params = {.audio = true, .package = true, .no_video = true};
    tone_write(w->path, tones, 2);
    struct folder_io *io = run(w, &params, 0);
    check_track(io, 0, 14 * 48000 + 77);
    check_track(io, 1, 14 * 48000 + 77); /* both end with the longer */
    Gm__Inspection *facts = (Gm__Inspection *)result_of(io, "inspect", &gm__inspection__descriptor);
    assert_null(facts->video);
    assert_int_equal(facts->n_audio, 2);
    assert_in_range(facts->duration_us, 14001000, 14002000);
    gm__inspection__free_unpacked(facts, NULL);
    Gm__PackageMeta *p = (Gm__PackageMeta *)result_of(io, "package", &gm__package_meta__descriptor);
    char *master = strndup((const char *)p->master_m3u8.data, p->master_m3u8.len);
    char *mpd = strndup((const char *)p->manifest_mpd.data, p->manifest_mpd.len);
    assert_int_equal(p->n_renditions, 0);
    assert_int_equal(p->n_audio, 2);
    assert_null(strstr(master, "RESOLUTION"));
    assert_non_null(strstr(master, "LANGUAGE=\"de\",NAME=\"Audio 1\",DEFAULT=NO"));
    assert_non_null(strstr(master, "CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\n"));
    assert_non_null(strstr(master, "CHANNELS=\"1\"\n")); /* the variant is this one: no URI */
    assert_non_null(strstr(mpd, "contentType=\"audio\""));
    assert_null(strstr(mpd, "contentType=\"video\""));
    free(master);
    free(mpd);
    gm__package_meta__free_unpacked(p, NULL);
    folder_io_destroy(&io);
}

static void sound_alone_fills_a_file(void **state)
{
    struct world *w = *state;
    static const struct tone tones[] = {{.fn = tone_sine, .count = 48000 + 500},
                                        {.fn = tone_sine, .count = 40000, .layout = "mono"}};
    for (int opus = 0; opus < 2; opus++) {
        const struct folder_pipeline params = {
            .audio = true, .mp4 = true, .no_video = true, .opus = opus};
        AVFormatContext *format = NULL;
        char path[4096];
        tone_write(w->path, tones, 2);
        struct folder_io *io = run(w, &params, 0);
        assert_int_equal(folder_io_instances(io, "mp4"), 1);
        const Gm__TaskResult *r = folder_io_result(io, "mp4", 0);
        assert_int_equal(r->n_objects, 1);
        assert_non_null(strstr(r->objects[0]->key, "mp4/source.m4a"));
        folder_io_path(io, r->objects[0], path);
        assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
        assert_int_equal(format->nb_streams, 2);
        for (int i = 0; i < 2; i++) {
            const AVStream *st = format->streams[i];
            assert_int_equal(st->codecpar->codec_id, opus ? AV_CODEC_ID_OPUS : AV_CODEC_ID_AAC);
            assert_int_equal(st->codecpar->ch_layout.nb_channels, 2 - i);
            assert_int_equal(st->start_time, 0);
        }
        avformat_close_input(&format);
        folder_io_destroy(&io);
    }
}

/* Real clips, where generated ones do not go. */
static void real_sound_starts_at_zero_and_is_whole(void **state)
{
    (void)state;
    static const char *const names[] = {
        "elst-edts.mp4", /* an edit skips two packets and a part of the third */
        "mpeg4-amr.3gp", /* five frames of AMR a packet */
    };
    const struct folder_pipeline params = {.audio = true, .package = true, .no_video = true};
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        if (!folder_clip(names[i], path)) {
            skip();
        }
        Gm__Pipeline *pipeline = folder_pipeline(&params);
        struct folder_io *io = NULL;
        struct gm_err err = {0};
        assert_int_equal(folder_io_create(path, pipeline, &io, &err), 0);
        if (folder_io_run_all(io, &err) != 0) {
            fail_msg("%s: %s", names[i], err.text);
        }
        Gm__Inspection *facts =
            (Gm__Inspection *)result_of(io, "inspect", &gm__inspection__descriptor);
        double zero = (double)facts->zero->num / (double)facts->zero->den;
        if (zero != 0) {
            fail_msg("%s starts at %f", names[i], zero);
        }
        Gm__AudioMeta *meta = (Gm__AudioMeta *)result_of(io, "audio", &gm__audio_meta__descriptor);
        assert_int_equal(meta->n_warnings, 0);
        gm__audio_meta__free_unpacked(meta, NULL);
        gm__inspection__free_unpacked(facts, NULL);
        folder_io_destroy(&io);
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
}

static void pictures_are_left_out_where_sound_is_asked(void **state)
{
    struct world *w = *state;
    const struct source_params source = {.width_px = 64,
                                         .height_px = 48,
                                         .rate_num = 25,
                                         .rate_den = 1,
                                         .frames = 50,
                                         .sound_ms = 1500};
    const struct folder_pipeline params = {
        .audio = true, .package = true, .no_video = true, .opus = true};
    source_make(w->path, &source);
    struct folder_io *io = run(w, &params, 0);
    check_track(io, 0, 72000);
    Gm__Inspection *facts = (Gm__Inspection *)result_of(io, "inspect", &gm__inspection__descriptor);
    assert_null(facts->video);
    assert_int_equal(facts->n_dropped, 1);
    assert_string_equal(facts->dropped[0]->type, "video");
    gm__inspection__free_unpacked(facts, NULL);
    folder_io_destroy(&io);
}

static void without_sound_there_is_nothing_to_make(void **state)
{
    struct world *w = *state;
    const struct source_params source = {
        .width_px = 64, .height_px = 48, .rate_num = 25, .rate_den = 1, .frames = 10};
    const struct folder_pipeline params = {.audio = true, .package = true, .no_video = true};
    source_make(w->path, &source);
    struct folder_io *io = run(w, &params, -GM_E_INPUT_NO_AUDIO);
    folder_io_destroy(&io);
}

static void silence_is_as_long_as_the_video_and_only_if_asked(void **state)
{
    struct world *w = *state;
    const struct source_params source = {
        .width_px = 64, .height_px = 48, .rate_num = 30000, .rate_den = 1001, .frames = 61};
    static const uint32_t ladder[] = {48};
    source_make(w->path, &source);
    for (int silence = 0; silence < 2; silence++) {
        const struct folder_pipeline params = {
            .audio = true, .package = true, .silence = silence, .ladder = ladder, .rungs = 1};
        struct folder_io *io = run(w, &params, 0);
        assert_int_equal(folder_io_instances(io, "audio"), silence);
        if (silence) {
            check_track(io, 0, (61LL * 1001 * 48000 + 29999) / 30000);
            Gm__Policy *policy = (Gm__Policy *)result_of(io, "plan", &gm__policy__descriptor);
            assert_true(policy->audio[0]->silent);
            assert_int_equal(policy->audio[0]->params->channels, 2);
            gm__policy__free_unpacked(policy, NULL);
        }
        folder_io_destroy(&io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_alone_is_cut_by_the_clock, open_world, close_world),
        cmocka_unit_test_setup_teardown(sound_alone_fills_a_file, open_world, close_world),
        cmocka_unit_test(real_sound_starts_at_zero_and_is_whole),
        cmocka_unit_test_setup_teardown(pictures_are_left_out_where_sound_is_asked, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(without_sound_there_is_nothing_to_make, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(silence_is_as_long_as_the_video_and_only_if_asked,
                                        open_world, close_world),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("split_tracks", tests, NULL, NULL);
}
