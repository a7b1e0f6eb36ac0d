#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavutil/cpu.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio/audio.h"
#include "media/sound_io.h"

/* The audio task as a whole, over sound made here: where segments are cut, what a player hears
 * when, and that bytes do not depend on how the sound came. */

#define SINE 0x7fff
#define MAX_PACKETS 512

/* A second of sine in packets of 1/10 s. */
static size_t add_seconds(struct sound_packet *packets, size_t at, int64_t from_s, int64_t seconds)
{
    for (int64_t i = 0; i < seconds * 10; i++) {
        packets[at++] =
            (struct sound_packet){from_s * SOUND_RATE + i * SOUND_RATE / 10, SOUND_RATE / 10, SINE};
    }
    return at;
}

static void check_continuous(const struct sound_run *run)
{
    int64_t end = 0;
    int64_t frames = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct sound_segment *s = &run->segments[i];
        assert_int_equal(s->number, i + 1);
        assert_int_equal(s->start_ts, end);
        end += s->duration_ts;
        frames += s->samples;
        if (i + 1 < run->count) {
            assert_int_equal(end, frames * GM_AAC_FRAME - 1024);
        }
    }
    assert_int_equal(end, run->samples);
    assert_in_range(frames * GM_AAC_FRAME - 1024, end, end + GM_AAC_FRAME - 1);
}

static void segments_end_at_the_video_borders(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 1 * SOUND_TIMESCALE, 5 * SOUND_TIMESCALE / 2};
    struct sound_packet packets[MAX_PACKETS];
    struct sound_params params = {.packets = packets,
                                  .packet_count = add_seconds(packets, 0, 0, 4),
                                  .borders = borders,
                                  .border_count = 3,
                                  .end_ts = 4 * SOUND_TIMESCALE,
                                  .chunks = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.count, 3);
    check_continuous(&run);
    /* the first frame at or after the border: ceil((t * 48000 + 1024) / 1024) * 1024 - 1024 */
    assert_int_equal(run.segments[1].start_ts, 48128);
    assert_int_equal(run.segments[2].start_ts, 120832);
    assert_int_equal(run.segments[2].start_ts + run.segments[2].duration_ts, 192000);
    assert_int_equal(run.items, 1);
    assert_true(run.segments[2].last_item);
    assert_int_equal(run.samples, 192000);
    assert_string_equal(run.warnings, "");
    sound_run_fini(&run);
}

static void bytes_do_not_depend_on_the_chunks(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 6400, 19200, 25600, 38400, 44800, 51200};
    static const size_t cuts[] = {2, 3, 7};
    struct sound_packet packets[MAX_PACKETS];
    struct sound_params params = {.packets = packets,
                                  .packet_count = add_seconds(packets, 0, 0, 5),
                                  .borders = borders,
                                  .border_count = 7,
                                  .end_ts = 5 * SOUND_TIMESCALE,
                                  .chunks = 1};
    struct sound_run first;
    assert_int_equal(sound_run(&params, &first), 0);
    assert_int_equal(first.count, 7);
    assert_int_equal(first.items, 2);
    assert_false(first.segments[4].last_item);
    assert_true(first.segments[6].last_item);
    for (size_t k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
        struct sound_run run;
        params.chunks = cuts[k];
        assert_int_equal(sound_run(&params, &run), 0);
        assert_int_equal(run.count, first.count);
        for (size_t i = 0; i < run.count; i++) {
            assert_string_equal(run.segments[i].name, first.segments[i].name);
            assert_int_equal(run.segments[i].size, first.segments[i].size);
            assert_memory_equal(run.segments[i].data, first.segments[i].data,
                                first.segments[i].size);
            assert_int_equal(run.segments[i].item, first.segments[i].item);
        }
        sound_run_fini(&run);
    }
    sound_run_fini(&first);
}

static void committed_items_are_not_made_again(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 6400, 12800, 19200, 25600, 32000};
    struct sound_packet packets[MAX_PACKETS];
    struct sound_params params = {.packets = packets,
                                  .packet_count = add_seconds(packets, 0, 0, 3),
                                  .borders = borders,
                                  .border_count = 6,
                                  .end_ts = 3 * SOUND_TIMESCALE,
                                  .chunks = 2,
                                  .skip_items = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.items, 1);
    assert_int_equal(run.count, 1);
    assert_int_equal(run.segments[0].number, 6);
    assert_int_equal(run.segments[0].item, 1);
    assert_true(run.segments[0].last_item);
    sound_run_fini(&run);
}

static void sound_is_heard_when_its_stamps_say(void **state)
{
    (void)state;
    static const int64_t border = 0;
    /* silence of 0.5 s (late start), sound of 0.5 s, a gap of 0.25 s, sound of 0.25 s, then padding
     * to 2 s */
    static const struct sound_packet packets[] = {{24000, 24000, SINE}, {60000, 12000, SINE}};
    static const struct {
        size_t from, to;
        bool loud;
    } spans[] = {{0, 23500, false},
                 {24300, 47700, true},
                 {48300, 59500, false},
                 {60300, 71700, true},
                 {72500, 95000, false}};
    struct sound_params params = {.packets = packets,
                                  .packet_count = 2,
                                  .borders = &border,
                                  .border_count = 1,
                                  .end_ts = 2 * SOUND_TIMESCALE,
                                  .chunks = 1};
    struct sound_run run;
    float *heard = NULL;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_string_equal(run.warnings, "audio.gaps=1 ");
    size_t count = sound_decode(&run, 0, &heard);
    assert_true(count >= 96000 + 1024);
    for (size_t k = 0; k < sizeof(spans) / sizeof(spans[0]); k++) {
        for (size_t at = spans[k].from; at + 96 < spans[k].to; at += 96) {
            float peak = 0;
            for (size_t i = at; i < at + 96; i++) {
                peak = fmaxf(peak, fabsf(heard[1024 + i]));
            }
            if (spans[k].loud ? peak < 0.1F : peak > 0.02F) {
                fail_msg("sample %zu: peak %f", at, (double)peak);
            }
        }
    }
    free(heard);
    sound_run_fini(&run);
}

static void stamps_that_are_not_followed_are_told(void **state)
{
    (void)state;
    static const int64_t border = 0;
    static const struct {
        struct sound_packet packets[3];
        const char *said;
    } rows[] = {
        {{{0, 24000, SINE}, {24000, 24000, SINE}, {48000, 24000, SINE}}, ""},
        /* half of the second one again */
        {{{0, 24000, SINE}, {12000, 24000, SINE}, {36000, 24000, SINE}}, "audio.overlaps=1 "},
        /* a stamp that says 100 s, and one that goes on from before */
        {{{0, 24000, SINE}, {4800000, 24000, SINE}, {48000, 24000, SINE}}, "audio.timestamps=1 "},
        {{{0, 24000, SINE}, {24000, 24000, SOUND_BROKEN}, {48000, 24000, SINE}},
         "audio.decode_errors=1 audio.gaps=1 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sound_params params = {.packets = rows[i].packets,
                                      .packet_count = 3,
                                      .borders = &border,
                                      .border_count = 1,
                                      .end_ts = 2 * SOUND_TIMESCALE,
                                      .chunks = 1};
        struct sound_run run;
        assert_int_equal(sound_run(&params, &run), 0);
        assert_string_equal(run.warnings, rows[i].said);
        assert_int_equal(run.samples, 96000);
        sound_run_fini(&run);
    }
}

static void sound_may_go_on_after_the_video(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 12800};
    struct sound_packet packets[MAX_PACKETS];
    struct sound_params params = {.packets = packets,
                                  .packet_count = add_seconds(packets, 0, 0, 9),
                                  .borders = borders,
                                  .border_count = 2,
                                  .end_ts = 2 * SOUND_TIMESCALE,
                                  .chunks = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.count, 3); /* 0, 1 and 7 s */
    check_continuous(&run);
    assert_in_range(run.segments[2].start_ts, 7 * SOUND_RATE, 7 * SOUND_RATE + 1023);
    sound_run_fini(&run);
    params.packet_count = 75; /* 7.5 s: too little for a segment of its own */
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.count, 2);
    check_continuous(&run);
    sound_run_fini(&run);
}

static void no_sound_at_all_is_silence(void **state)
{
    (void)state;
    static const int64_t border = 0;
    struct sound_params params = {
        .borders = &border, .border_count = 1, .end_ts = SOUND_TIMESCALE, .chunks = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.count, 1);
    assert_int_equal(run.samples, SOUND_RATE);
    check_continuous(&run);
    sound_run_fini(&run);
}

static void borders_too_near_for_sound_are_passed_over(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 1, 2, 12800, 12801, 12802};
    struct sound_packet packets[MAX_PACKETS];
    struct sound_params params = {.packets = packets,
                                  .packet_count = add_seconds(packets, 0, 0, 2),
                                  .borders = borders,
                                  .border_count = 6,
                                  .end_ts = 2 * SOUND_TIMESCALE,
                                  .chunks = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), 0);
    assert_int_equal(run.count, 3);
    check_continuous(&run);
    sound_run_fini(&run);
}

static void falling_borders_are_refused(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, 100, 100};
    struct sound_params params = {
        .borders = borders, .border_count = 3, .end_ts = SOUND_TIMESCALE, .chunks = 1};
    struct sound_run run;
    assert_int_equal(sound_run(&params, &run), -GM_E_MEDIA_CHUNK);
    sound_run_fini(&run);
}

static void cpu_flags_are_put_back(void **state)
{
    (void)state;
    int before = av_get_cpu_flags();
    int saved = gm_audio_cpu_begin();
    assert_int_equal(av_get_cpu_flags(), 0);
    gm_audio_cpu_end(saved);
    assert_int_equal(av_get_cpu_flags(), before);
}

static void encoder_params_are_checked(void **state)
{
    (void)state;
    static const struct {
        uint32_t rate, channels;
        int rc;
    } rows[] = {{48000, 2, 0},           {44100, 1, 0},           {48000, 0, -GM_E_INVAL},
                {48000, 3, -GM_E_INVAL}, {47999, 2, -GM_E_INVAL}, {0, 2, -GM_E_INVAL},
                {48000, 6, 0},           {48000, 8, -GM_E_INVAL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Gm__AudioParams params = GM__AUDIO_PARAMS__INIT;
        AVCodecContext *ctx = NULL;
        struct gm_err err;
        params.bitrate_bps = 128000;
        params.sample_rate = rows[i].rate;
        params.channels = rows[i].channels;
        assert_int_equal(gm_audio_encoder_open(&params, &ctx, &err), rows[i].rc);
        assert_true((ctx != NULL) == (rows[i].rc == 0));
        avcodec_free_context(&ctx);
    }
}

/* How much of a frequency there is. */
static double strength(const float *samples, size_t count, double hz)
{
    double re = 0, im = 0;
    for (size_t i = 0; i < count; i++) {
        double a = 2 * M_PI * hz * (double)i / SOUND_RATE;
        re += samples[i] * cos(a);
        im += samples[i] * sin(a);
    }
    return 2 * hypot(re, im) / (double)count;
}

/* Position of the loudest correlation of what is heard with the sine that was put in. */
static void check_in_place(const struct sound_run *run, int64_t samples)
{
    float *heard = NULL;
    size_t count = sound_decode(run, 0, &heard);
    assert_true(count >= run->priming + (size_t)samples);
    double worst = 0;
    for (int64_t i = 2000; i < samples - 2000; i++) {
        double wanted = 8000.0 / 32768 * sin(2 * M_PI * 1000 * (double)i / SOUND_RATE);
        worst = fmax(worst, fabs(wanted - heard[run->priming + i]));
    }
    if (worst > 0.02) { /* a sample's shift would make 0.032 */
        fail_msg("sound is off by %f", worst);
    }
    free(heard);
}

static void opus_is_as_exact_as_aac(void **state)
{
    (void)state;
    static const int64_t borders[] = {0, SOUND_TIMESCALE / 2, SOUND_TIMESCALE};
    struct sound_packet packets[MAX_PACKETS];
    for (int opus = 0; opus < 2; opus++) {
        struct sound_params params = {.packets = packets,
                                      .packet_count = add_seconds(packets, 0, 0, 2),
                                      .borders = borders,
                                      .border_count = 3,
                                      .end_ts = 2 * SOUND_TIMESCALE,
                                      .chunks = 2,
                                      .opus = opus};
        struct sound_run run;
        assert_int_equal(sound_run(&params, &run), 0);
        assert_int_equal(run.count, 3);
        assert_int_equal(run.samples, 2 * SOUND_RATE);
        assert_int_equal(run.segments[2].start_ts + run.segments[2].duration_ts, 2 * SOUND_RATE);
        assert_int_equal(run.segments[1].start_ts % (opus ? GM_OPUS_FRAME : GM_AAC_FRAME),
                         opus ? GM_OPUS_FRAME - run.priming : 0);
        check_in_place(&run, 2 * SOUND_RATE);
        sound_run_fini(&run);
    }
}

/* Each channel of 5.1 comes back in its place: it holds its own tone and not its neighbours'. */
static void surround_keeps_its_channels(void **state)
{
    (void)state;
    static const int64_t border = 0;
    struct sound_packet packets[MAX_PACKETS];
    for (int opus = 0; opus < 2; opus++) {
        struct sound_params params = {.packets = packets,
                                      .packet_count = add_seconds(packets, 0, 0, 1),
                                      .borders = &border,
                                      .border_count = 1,
                                      .end_ts = SOUND_TIMESCALE,
                                      .chunks = 1,
                                      .opus = opus,
                                      .channels = 6};
        struct sound_run run;
        assert_int_equal(sound_run(&params, &run), 0);
        for (int c = 0; c < 6; c++) {
            float *heard = NULL;
            assert_true(sound_decode(&run, c, &heard) > 40000);
            for (int k = 0; k < 6 && c != 3; k++) { /* an LFE is not for 1.9 kHz */
                double level = strength(heard + 4000, 24000, 1000 + 300 * k);
                if (k == c ? level < 0.2 || level > 0.28 : level > 0.02) {
                    fail_msg("codec %d: channel %d has %f of tone %d", opus, c, level, k);
                }
            }
            free(heard);
        }
        sound_run_fini(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_end_at_the_video_borders),
        cmocka_unit_test(bytes_do_not_depend_on_the_chunks),
        cmocka_unit_test(committed_items_are_not_made_again),
        cmocka_unit_test(sound_is_heard_when_its_stamps_say),
        cmocka_unit_test(stamps_that_are_not_followed_are_told),
        cmocka_unit_test(sound_may_go_on_after_the_video),
        cmocka_unit_test(no_sound_at_all_is_silence),
        cmocka_unit_test(borders_too_near_for_sound_are_passed_over),
        cmocka_unit_test(falling_borders_are_refused),
        cmocka_unit_test(cpu_flags_are_put_back),
        cmocka_unit_test(encoder_params_are_checked),
        cmocka_unit_test(opus_is_as_exact_as_aac),
        cmocka_unit_test(surround_keeps_its_channels),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("audio_task", tests, NULL, NULL);
}
