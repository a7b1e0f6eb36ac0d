#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavutil/channel_layout.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio_line_io.h"

/* The sound's time line: where samples land, what becomes silence, what is cut, how channels are
 * mixed. */

static struct gm_audio_line *open_line(struct heard *h, int64_t zero_num, int64_t zero_den)
{
    struct gm_audio_line_params params = {.sample_rate = RATE,
                                          .channels = 2,
                                          .time_base = {1, RATE},
                                          .zero_num = zero_num,
                                          .zero_den = zero_den,
                                          .max_samples = 100LL * RATE,
                                          .sink = line_hear,
                                          .arg = h};
    struct gm_audio_line *line = NULL;
    struct gm_err err;
    h->left = calloc(MAX_OUT, sizeof(float));
    h->count = 0;
    assert_non_null(h->left);
    assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
    return line;
}

struct piece {
    int64_t pts;
    int count;
};
struct span { /* output samples from here on sound of that piece (1, 2 ..), or silence (0) */
    size_t from;
    int piece;
};
struct row {
    const char *name;
    int64_t zero; /* in samples */
    struct piece in[5];
    int64_t end; /* pad to */
    struct span out[6];
    size_t total;
    int64_t gaps, overlaps, bad;
};

#define NONE INT64_MIN

static const struct row rows[] = {
    {"follow on", 0, {{0, 1000}, {1000, 1000}}, 0, {{0, 1}, {1000, 2}}, 2000, 0, 0, 0},
    {"zero is not 0", 500, {{500, 1000}, {1500, 100}}, 0, {{0, 1}, {1000, 2}}, 1100, 0, 0, 0},
    {"late start", 0, {{30, 1000}}, 0, {{0, 0}, {30, 1}}, 1030, 0, 0, 0},
    {"early start is cut", 0, {{-700, 1000}, {300, 100}}, 0, {{0, 1}, {300, 2}}, 400, 0, 0, 0},
    {"wholly early is dropped",
     0,
     {{-2000, 1000}, {-1000, 1000}, {0, 50}},
     0,
     {{0, 3}},
     50,
     0,
     0,
     0},
    {"jitter is ignored",
     0,
     {{0, 1000}, {2900, 1000}, {1000, 1000}},
     0,
     {{0, 1}, {1000, 2}, {2000, 3}},
     3000,
     0,
     0,
     0},
    {"gap becomes silence",
     0,
     {{0, 1000}, {2921, 1000}},
     0,
     {{0, 1}, {1000, 0}, {2921, 2}},
     3921,
     1,
     0,
     0},
    {"overlap is trimmed", 0, {{0, 4000}, {2000, 4000}}, 0, {{0, 1}, {4000, 2}}, 6000, 0, 1, 0},
    {"overlap wholly dropped",
     0,
     {{0, 4000}, {1000, 500}, {4000, 100}},
     0,
     {{0, 1}, {4000, 3}},
     4100,
     0,
     1,
     0},
    {"overlap is used up, frame by frame",
     0,
     {{0, 4000}, {1000, 1000}, {2000, 1000}, {3000, 1500}},
     0,
     {{0, 1}, {4000, 4}},
     4500,
     0,
     3,
     0},
    {"without a stamp after one that was dropped: follows that",
     0,
     {{0, 4000}, {1000, 1000}, {NONE, 1500}, {NONE, 1000}},
     0,
     {{0, 1}, {4000, 4}},
     4500,
     0,
     3,
     0},
    {"the same before zero",
     0,
     {{-2000, 1000}, {NONE, 1500}, {NONE, 100}},
     0,
     {{0, 2}, {500, 3}},
     600,
     0,
     0,
     0},
    {"no stamps: counted",
     0,
     {{0, 1000}, {NONE, 1000}, {NONE, 5}},
     0,
     {{0, 1}, {1000, 2}, {2000, 3}},
     2005,
     0,
     0,
     0},
    {"padded at the end", 0, {{0, 1000}}, 5000, {{0, 1}, {1000, 0}}, 5000, 0, 0, 0},
    {"longer than the end", 0, {{0, 1000}}, 10, {{0, 1}}, 1000, 0, 0, 0},
    {"one wild stamp is not believed",
     0,
     {{0, 1000}, {900000, 1000}, {2000, 1000}},
     0,
     {{0, 1}, {1000, 2}, {2000, 3}},
     3000,
     0,
     0,
     1},
    {"a stamp beyond all limits",
     0,
     {{0, 1000}, {INT64_MAX, 1000}, {2000, 1000}},
     0,
     {{0, 1}, {1000, 2}, {2000, 3}},
     3000,
     0,
     0,
     1},
    {"nothing at all", 0, {{0, 0}}, 700, {{0, 0}}, 700, 0, 0, 0},
};

static void samples_land_where_their_stamps_say(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        const struct row *row = &rows[k];
        struct heard h;
        struct gm_err err;
        struct gm_audio_line *line = open_line(&h, row->zero, RATE);
        for (int i = 0; i < 5 && row->in[i].count > 0; i++) {
            line_give(line, RATE, row->in[i].count, row->in[i].pts, (float)(i + 1) / 8);
        }
        assert_int_equal(gm_audio_line_end(line, row->end, &err), 0);
        struct gm_audio_line_counts counts = gm_audio_line_counts(line);
        if (h.count != row->total || counts.gaps != row->gaps || counts.overlaps != row->overlaps ||
            counts.bad_times != row->bad) {
            fail_msg("%s: %zu samples, %lld gaps, %lld overlaps, %lld bad", row->name, h.count,
                     (long long)counts.gaps, (long long)counts.overlaps,
                     (long long)counts.bad_times);
        }
        assert_int_equal(counts.samples, row->total);
        for (size_t i = 0, s = 0; i < h.count; i++) {
            while (s + 1 < 6 && row->out[s + 1].from > 0 && i >= row->out[s + 1].from) {
                s++;
            }
            if (h.left[i] != (float)row->out[s].piece / 8) {
                fail_msg("%s: sample %zu is %f", row->name, i, (double)h.left[i]);
            }
        }
        gm_audio_line_destroy(&line);
        free(h.left);
    }
}

static void a_far_jump_counts_when_the_next_frame_agrees(void **state)
{
    (void)state;
    struct heard h;
    struct gm_err err;
    struct gm_audio_line *line = open_line(&h, 0, 1);
    /* zero is shifted so that the jump of 11 s fits into the output */
    gm_audio_line_destroy(&line);
    free(h.left);
    line = open_line(&h, 8, 1);
    line_give(line, RATE, 1000, -3 * RATE, 0.125F); /* 11 s before zero, alone */
    line_give(line, RATE, 1000, 9 * RATE, 0.25F);   /* 1 s */
    line_give(line, RATE, 1000, 9 * RATE + 1000, 0.5F);
    assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
    assert_int_equal(gm_audio_line_counts(line).bad_times, 1);
    assert_int_equal(h.count, RATE + 2000);
    assert_true(h.left[RATE] == 0.25F && h.left[RATE + 1000] == 0.5F && h.left[RATE - 1] == 0);
    gm_audio_line_destroy(&line);
    free(h.left);
}

static void another_rate_keeps_the_time(void **state)
{
    (void)state;
    struct heard h;
    struct gm_err err;
    struct gm_audio_line *line = open_line(&h, 0, 1);
    for (int i = 0; i < 20; i++) {
        line_give(line, 44100, 2205, i * 2400, 0.5F); /* 50 ms each; the stamps count 1/48000 */
    }
    for (int i = 0; i < 20; i++) {
        line_give(line, 32000, 1600, 48000 + i * 2400, 0.25F);
    }
    assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
    struct gm_audio_line_counts counts = gm_audio_line_counts(line);
    assert_in_range(counts.samples, 2 * RATE - 4, 2 * RATE + 4);
    assert_int_equal(counts.gaps + counts.overlaps + counts.bad_times, 0);
    assert_true(h.left[RATE / 2] > 0.49F && h.left[RATE / 2] < 0.51F);
    assert_true(h.left[RATE * 3 / 2] > 0.24F && h.left[RATE * 3 / 2] < 0.26F);
    gm_audio_line_destroy(&line);
    free(h.left);
}

static void every_channel_count_is_taken(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 24; channels++) {
        struct heard h;
        struct gm_err err;
        struct gm_audio_line *line = open_line(&h, 0, 1);
        AVFrame *f = line_frame(RATE, channels, 1000, 0, 0.25F);
        assert_int_equal(gm_audio_line_frame(line, f, &err), 0);
        assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
        assert_int_equal(h.count, 1000);
        assert_true(h.left[500] > 0.1F);
        av_frame_free(&f);
        gm_audio_line_destroy(&line);
        free(h.left);
    }
}

struct mixed {
    float out[2][2048];
    size_t count;
};

static int keep(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct mixed *m = arg;
    (void)err;
    assert_true(m->count + count <= 2048);
    for (size_t c = 0; c < 2; c++) {
        memcpy(m->out[c] + m->count, planes[c], count * sizeof(float));
    }
    m->count += count;
    return 0;
}

/* 5.1 (FL FR FC LFE BL BR) at full scale to stereo: every sample by the standard's sum, written out
 * here, and none above full scale. */
static void surround_is_mixed_to_the_sample(void **state)
{
    (void)state;
    static const enum AVSampleFormat formats[] = {AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_S16};
    const double h = 0.70710678118654752, sum = 1 + 2 * h;
    for (size_t k = 0; k < 2; k++) {
        struct mixed m = {.count = 0};
        struct gm_audio_line_params params = {.sample_rate = RATE,
                                              .channels = 2,
                                              .time_base = {1, RATE},
                                              .zero_den = 1,
                                              .max_samples = RATE,
                                              .sink = keep,
                                              .arg = &m};
        struct gm_audio_line *line = NULL;
        struct gm_err err;
        double in[6][1000];
        AVFrame *f = av_frame_alloc();
        assert_non_null(f);
        f->format = formats[k];
        f->sample_rate = RATE;
        f->nb_samples = 1000;
        f->pts = 0;
        av_channel_layout_default(&f->ch_layout, 6);
        assert_true(av_frame_get_buffer(f, 0) >= 0);
        uint32_t x = 1;
        for (int i = 0; i < 1000; i++) {
            for (int c = 0; c < 6; c++) {
                x = x * 1664525U + 1013904223U;
                int16_t v = i < 10 ? (i % 2 != 0 ? 32767 : -32768) : (int16_t)(x >> 16);
                in[c][i] = v / 32768.0;
                if (k == 0) {
                    ((float *)(void *)f->extended_data[c])[i] = (float)in[c][i];
                } else {
                    ((int16_t *)(void *)f->data[0])[i * 6 + c] = v;
                }
            }
        }
        assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
        assert_int_equal(gm_audio_line_frame(line, f, &err), 0);
        assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
        assert_int_equal(m.count, 1000);
        for (int i = 0; i < 1000; i++) {
            double left = (in[0][i] + h * in[2][i] + h * in[4][i]) / sum;
            double right = (in[1][i] + h * in[2][i] + h * in[5][i]) / sum;
            assert_true(left - m.out[0][i] < 1e-6 && m.out[0][i] - left < 1e-6);
            assert_true(right - m.out[1][i] < 1e-6 && m.out[1][i] - right < 1e-6);
            assert_true(m.out[0][i] <= 1.000001F && m.out[0][i] >= -1.000001F);
        }
        av_frame_free(&f);
        gm_audio_line_destroy(&line);
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct gm_audio_line_params good = {.sample_rate = RATE,
                                        .channels = 2,
                                        .time_base = {1, RATE},
                                        .zero_den = 1,
                                        .sink = line_hear};
    for (int i = 0; i < 5; i++) {
        struct gm_audio_line_params p = good;
        struct gm_audio_line *line = NULL;
        struct gm_err err;
        p.channels = i == 0 ? 3 : p.channels;
        p.sample_rate = i == 1 ? 0 : p.sample_rate;
        p.time_base.den = i == 2 ? 0 : p.time_base.den;
        p.zero_den = i == 3 ? 0 : p.zero_den;
        p.zero_num = i == 4 ? INT64_MAX : p.zero_num;
        assert_int_equal(gm_audio_line_create(&p, &line, &err), -GM_E_INVAL);
        assert_null(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_land_where_their_stamps_say),
        cmocka_unit_test(a_far_jump_counts_when_the_next_frame_agrees),
        cmocka_unit_test(another_rate_keeps_the_time),
        cmocka_unit_test(every_channel_count_is_taken),
        cmocka_unit_test(surround_is_mixed_to_the_sample),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("audio_line", tests, NULL, NULL);
}
