#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavutil/log.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/folder_io.h"
#include "media/results.h"
#include "media/tone_io.h"
#include "proto/envelope.h"

/* The loudness task and what audio does with it. A 1 kHz sine in both channels of stereo is as many
 * LUFS as its peak is dBFS: EBU Tech 3341, test 1. */

struct world {
    char dir[64], path[96];
    Gm__Pipeline *pipeline; /* owned: of the latest run */
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/gm-loudness-XXXXXX");
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

static struct folder_io *run(struct world *w, const struct folder_pipeline *params)
{
    struct folder_io *io = NULL;
    struct gm_err err = {0};
    gm__pipeline__free_unpacked(w->pipeline, NULL);
    w->pipeline = folder_pipeline(params);
    assert_int_equal(folder_io_create(w->path, w->pipeline, &io, &err), 0);
    if (folder_io_run_all(io, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return io;
}

static Gm__AudioMeta *track(struct folder_io *io, uint32_t instance)
{
    const Gm__TaskResult *r = folder_io_result(io, "audio", instance);
    assert_non_null(r);
    Gm__AudioMeta *meta = gm__audio_meta__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(meta);
    return meta;
}

/* Half of full scale, a tenth of it, and a click of full scale in a whisper. */
static double quiet(int channel, int64_t n, int rate)
{
    return 0.1 * tone_sine(channel, n, rate);
}

static double click(int channel, int64_t n, int rate)
{
    return n % 96000 < 96 ? tone_noise(channel, n, rate) : 0.02 * tone_sine(channel, n, rate);
}

static void every_track_gets_its_own_gain(void **state)
{
    struct world *w = *state;
    static const struct tone tones[] = {{.fn = tone_sine, .count = 4 * 48000},
                                        {.fn = quiet, .count = 4 * 48000},
                                        {.fn = NULL, .count = 4 * 48000},
                                        {.fn = tone_sine, .count = 4 * 48000, .layout = "mono"}};
    static const double gains[] = {-16 + 6.02, -16 + 26.02, 0, -16 + 9.03};
    const struct folder_pipeline params = {
        .audio = true, .package = true, .no_video = true, .target_lufs = -16};
    tone_write(w->path, tones, 4);
    struct folder_io *io = run(w, &params);
    for (uint32_t i = 0; i < 4; i++) {
        Gm__AudioMeta *meta = track(io, i);
        assert_non_null(meta->loudness);
        const Gm__LoudnessMeta *l = meta->loudness;
        if (fabs(l->gain_db - gains[i]) > 0.12 || l->peak_limited || (bool)l->silent != (i == 2)) {
            fail_msg("track %u: %.2f LUFS, peak %.2f, gain %.2f", i, l->integrated_lufs,
                     l->true_peak_db, l->gain_db);
        }
        assert_true(l->silent || fabs(l->coded_lufs + 16) <= 0.1);
        assert_true(fabs(l->gain_db * 100 - round(l->gain_db * 100)) < 1e-6);
        gm__audio_meta__free_unpacked(meta, NULL);
    }
    folder_io_destroy(&io);
}

static void the_true_peak_limits_the_gain(void **state)
{
    struct world *w = *state;
    static const struct tone tone = {.fn = click, .count = 6 * 48000};
    tone_write(w->path, &tone, 1);
    for (int opus = 0; opus < 2; opus++) {
        const struct folder_pipeline params = {.audio = true,
                                               .package = true,
                                               .no_video = true,
                                               .opus = opus,
                                               .target_lufs = -16,
                                               .true_peak_db = -2};
        struct folder_io *io = run(w, &params);
        Gm__AudioMeta *meta = track(io, 0);
        const Gm__LoudnessMeta *l = meta->loudness;
        assert_true(l->peak_limited);
        assert_true(l->integrated_lufs < -30);
        /* as loud as the ceiling allows, and below it when coded */
        if (l->coded_peak_db > -2 || l->coded_peak_db < -4 ||
            l->true_peak_db + l->gain_db > -2 + 0.01 || l->coded_lufs > -16) {
            fail_msg("codec %d: peak %.2f, gain %.2f, coded %.2f", opus, l->true_peak_db,
                     l->gain_db, l->coded_peak_db);
        }
        gm__audio_meta__free_unpacked(meta, NULL);
        folder_io_destroy(&io);
    }
}

static void the_plan_names_the_measurement(void **state)
{
    struct world *w = *state;
    static const struct tone tone = {.fn = tone_sine, .count = 48000};
    char names[3][32];
    tone_write(w->path, &tone, 1);
    for (int i = 0; i < 3; i++) { /* the same sound, other targets: other publications */
        const struct folder_pipeline params = {
            .audio = true, .package = true, .no_video = true, .target_lufs = -10.0 * i};
        struct folder_io *io = run(w, &params);
        const Gm__TaskResult *r = folder_io_result(io, "plan", 0);
        Gm__Policy *policy = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
        Gm__AudioMeta *meta = track(io, 0);
        assert_non_null(policy);
        assert_true((meta->loudness != NULL) == (i > 0));
        assert_string_equal(policy->audio[0]->loudness_task, i > 0 ? "loudness" : "");
        (void)snprintf(names[i], sizeof names[i], "%s", policy->publication);
        gm__policy__free_unpacked(policy, NULL);
        gm__audio_meta__free_unpacked(meta, NULL);
        folder_io_destroy(&io);
    }
    assert_string_not_equal(names[0], names[1]);
    assert_string_not_equal(names[1], names[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_track_gets_its_own_gain, open_world, close_world),
        cmocka_unit_test_setup_teardown(the_true_peak_limits_the_gain, open_world, close_world),
        cmocka_unit_test_setup_teardown(the_plan_names_the_measurement, open_world, close_world),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("loudness", tests, NULL, NULL);
}
