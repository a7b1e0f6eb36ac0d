#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "media/audio_line_io.h"

/* The sound's time line where stamps move away from the samples: small steps, drift, jitter. */

/* Sound of levels 1/8, 2/8 ..: frames of 480, at[] of them with stamps off by so much. */
static void check_steps(const char *name, const int *off, size_t count, AVRational tb,
                        const size_t *starts, int64_t gaps, int64_t overlaps)
{
    struct heard h = {.left = calloc(MAX_OUT, sizeof(float))};
    struct gm_audio_line_params params = {.sample_rate = RATE,
                                          .channels = 2,
                                          .time_base = tb,
                                          .zero_den = 1,
                                          .max_samples = 100LL * RATE,
                                          .sink = line_hear,
                                          .arg = &h};
    struct gm_audio_line *line = NULL;
    struct gm_err err;
    assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
    for (size_t i = 0; i < count; i++) {
        int64_t pts = av_rescale((int64_t)i * 480 + off[i], tb.den, RATE);
        line_give(line, RATE, 480, pts, (float)(i + 1) / 64);
    }
    assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
    struct gm_audio_line_counts counts = gm_audio_line_counts(line);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < h.count && h.left[at] != (float)(i + 1) / 64) {
            at++;
        }
        if (at != starts[i]) {
            fail_msg("%s: frame %zu starts at %zu instead of %zu", name, i, at, starts[i]);
        }
    }
    assert_int_equal(counts.gaps, gaps);
    assert_int_equal(counts.overlaps, overlaps);
    gm_audio_line_destroy(&line);
    free(h.left);
}

static void short_steps_count_when_what_follows_agrees(void **state)
{
    (void)state;
    enum { N = 16 };
    static const struct {
        const char *name;
        AVRational tb;
        int from, to; /* frames from .. to - 1 are off by `off` */
        int off;
        int moved; /* how far what comes from `from` on moves */
        int64_t gaps, overlaps;
    } steps[] = {
        {"a lost frame", {1, RATE}, 4, N, 1024, 1024, 1, 0},
        {"some samples lost", {1, RATE}, 4, N, 100, 100, 1, 0},
        {"a frame said twice", {1, RATE}, 4, N, -100, -100, 0, 1},
        {"too little", {1, RATE}, 4, N, 40, 0, 0, 0},
        {"one stamp", {1, RATE}, 4, 5, 1000, 0, 0, 0},
        {"jitter for some frames", {1, RATE}, 4, 10, 1000, 0, 0, 0},
        {"milliseconds: a lost frame", {1, 1000}, 4, N, 960, 960, 1, 0},
        {"milliseconds: rounding", {1, 1000}, 4, N, 70, 0, 0, 0},
        {"near the end", {1, RATE}, 14, N, 600, 600, 1, 0},
        {"the last one alone", {1, RATE}, 15, N, 600, 0, 0, 0},
    };
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        int off[N];
        size_t starts[N];
        for (int i = 0; i < N; i++) {
            bool there = i >= steps[k].from && i < steps[k].to;
            off[i] = there ? steps[k].off : 0;
            starts[i] =
                (size_t)(i * 480 + (i > steps[k].from || (i == steps[k].from && steps[k].moved > 0)
                                        ? steps[k].moved
                                        : 0));
        }
        check_steps(steps[k].name, off, N, steps[k].tb, starts, steps[k].gaps, steps[k].overlaps);
    }
    int drift[N], jumps[N], twice[N], rounded[N];
    size_t starts[N];
    for (int i = 0; i < N; i++) {
        drift[i] = 2 * i;
        jumps[i] = i % 2 != 0 ? 300 : -300;
        starts[i] = (size_t)i * 480;
    }
    jumps[0] = 0;
    check_steps("drift", drift, N, (AVRational){1, RATE}, starts, 0, 0);
    check_steps("jumping about", jumps, N, (AVRational){1, RATE}, starts, 0, 0);
    for (int i = 0; i < N; i++) { /* 4 and 5 are dropped, 6 is trimmed */
        twice[i] = i < 4 ? 0 : -1400;
        starts[i] = i < 4    ? (size_t)i * 480
                    : i < 6  ? (size_t)N * 480 - 1400 /* not there */
                    : i == 6 ? (size_t)4 * 480
                             : (size_t)(i * 480 - 1400);
    }
    check_steps("more than a frame said twice", twice, N, (AVRational){1, RATE}, starts, 0, 3);
    for (int i = 0; i < N; i++) { /* a third of a millisecond to both sides */
        rounded[i] = (i < 4 ? 0 : -1040) + (i % 3 == 0 ? 0 : i % 3 == 1 ? 16 : -16);
        starts[i] = i < 4    ? (size_t)i * 480
                    : i < 6  ? (size_t)N * 480 - 1040
                    : i == 6 ? (size_t)4 * 480
                             : (size_t)(i * 480 - 1040);
    }
    check_steps("once in milliseconds", rounded, N, (AVRational){1, 90000}, starts, 0, 3);
}

struct marks {
    int64_t at[512];
    size_t count;
    int64_t total;
    float least, latest;
};

static int hear_marks(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct marks *m = arg;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        float level = planes != NULL ? planes[0][i] : 0;
        if (level > 0.625F && m->latest <= 0.625F) {
            assert_true(m->count < 512);
            m->at[m->count++] = m->total + (int64_t)i;
        }
        m->latest = level;
        m->least = level < m->least ? level : m->least;
    }
    m->total += (int64_t)count;
    return 0;
}

struct wander {
    const char *name;
    int rate;    /* of the frames */
    int seconds; /* 1024 samples a frame, every 47th is louder */
    int ppm;     /* by which stamps are further apart than the sound is long */
    int jitter;  /* stamps, in output samples, to both sides */
    int jump;    /* stamps from 2 s on */
    int worst;   /* of the marks, but those of the two seconds after a jump, in samples */
    int64_t gaps, overlaps;
};

static void check_wander(const struct wander *w)
{
    struct marks m = {.least = 1};
    struct gm_audio_line_params params = {.sample_rate = RATE,
                                          .channels = 2,
                                          .time_base = {1, RATE},
                                          .zero_den = 1,
                                          .max_samples = 1000LL * RATE,
                                          .sink = hear_marks,
                                          .arg = &m};
    struct gm_audio_line *line = NULL;
    struct gm_err err;
    assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
    int64_t frames = (int64_t)w->seconds * w->rate / 1024, meant[512];
    size_t marks = 0;
    uint32_t x = 1;
    for (int64_t i = 0; i < frames; i++) {
        int64_t at = av_rescale(i * 1024, RATE * (1000000LL + w->ppm), w->rate * 1000000LL);
        at += at >= (int64_t)2 * RATE ? w->jump : 0;
        x = x * 1664525U + 1013904223U;
        int jitter = w->jitter > 0 && i > 0 ? (int)(x >> 8) % (2 * w->jitter + 1) - w->jitter : 0;
        if (i % 47 == 46) {
            meant[marks++] = at;
        }
        line_give(line, w->rate, 1024, at + jitter, i % 47 == 46 ? 1.0F : 0.25F);
    }
    assert_int_equal(gm_audio_line_end(line, 0, &err), 0);
    struct gm_audio_line_counts counts = gm_audio_line_counts(line);
    assert_int_equal(m.count, marks);
    for (size_t k = 0; k < marks; k++) {
        int64_t off = m.at[k] - meant[k];
        bool settling = w->jump != 0 && meant[k] < (int64_t)4 * RATE;
        if (!settling && (off > w->worst || off < -w->worst)) {
            fail_msg("%s: mark %zu is off by %lld", w->name, k, (long long)off);
        }
    }
    if (counts.gaps != w->gaps || counts.overlaps != w->overlaps) {
        fail_msg("%s: %lld gaps, %lld overlaps", w->name, (long long)counts.gaps,
                 (long long)counts.overlaps);
    }
    /* a lag of a sample takes 500 to make up for */
    int64_t lag = (int64_t)w->seconds * abs(w->ppm) * RATE / 1000000;
    int64_t least = w->gaps + w->overlaps > 0 ? 0 : lag > 1056 ? (lag - 1056) * 500 : 0;
    bool wanders = w->ppm != 0 || (w->jump != 0 && least == 0 && w->gaps + w->overlaps == 0);
    if (counts.stretched < least || (counts.stretches > 0) != wanders ||
        (counts.stretched > 0) != wanders || counts.stretched > m.total) {
        fail_msg("%s: %lld samples stretched in %lld times", w->name, (long long)counts.stretched,
                 (long long)counts.stretches);
    }
    if (w->gaps == 0 && m.least < 0.125F) { /* an edge rings by a tenth of 0.75 */
        fail_msg("%s: a level of %f", w->name, (double)m.least);
    }
    if (w->ppm == 0 && w->jump == 0 && w->rate == RATE) {
        assert_int_equal(m.total, frames * 1024);
    }
    gm_audio_line_destroy(&line);
}

/* 1056 samples are 22 ms. */
static void stamps_that_wander_off_are_followed(void **state)
{
    (void)state;
    static const struct wander wanders[] = {
        {"steady", RATE, 10, 0, 0, 0, 0, 0, 0},
        {"jitter of 8 ms", RATE, 60, 0, 384, 0, 0, 0, 0},
        {"later", RATE, 62, 600, 0, 0, 1056, 0, 0},
        {"earlier", RATE, 62, -600, 0, 0, 1056, 0, 0},
        {"slowly later", RATE, 400, 50, 0, 0, 1056, 0, 0},
        {"slowly earlier", 44100, 400, -50, 0, 0, 1056, 0, 0},
        {"as 1001 to 1000", RATE, 60, 1000, 0, 0, 1056, 0, 0},
        {"as 1000 to 1001", RATE, 60, -1000, 0, 0, 1056, 0, 0},
        {"with jitter of 5 ms", RATE, 62, 600, 240, 0, 1056, 0, 0},
        {"another rate", 44100, 62, -600, 0, 0, 1056, 0, 0},
        {"a rate with few factors", 44101, 40, 600, 0, 0, 1056, 0, 0},
        {"a lasting jump under jitter of 5 ms", RATE, 10, 0, 240, 1200, 480, 1, 0},
        {"the same, back", RATE, 10, 0, 240, -1200, 480, 0, 2},
        {"a lasting jump, stretched", RATE, 20, 0, 240, 864, 1056, 0, 0},
    };
    for (size_t k = 0; k < sizeof(wanders) / sizeof(wanders[0]); k++) {
        check_wander(&wanders[k]);
    }
}

struct breaking {
    int calls, broken; /* the call that fails */
};

static int hear_until(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct breaking *b = arg;
    (void)planes;
    (void)count;
    return b->calls++ == b->broken ? gm_err_set(err, GM_E_MEDIA, 0, "broken") : 0;
}

/* Wherever the sink fails, also as a run ends to be stretched from there on, the failure comes out
 * at once. */
static void no_failure_is_taken_for_rates_that_cannot_be(void **state)
{
    (void)state;
    bool over = false;
    for (int k = 0; !over; k++) {
        struct breaking b = {.broken = k};
        struct gm_audio_line_params params = {.sample_rate = RATE,
                                              .channels = 2,
                                              .time_base = {1, RATE},
                                              .zero_den = 1,
                                              .max_samples = 1000LL * RATE,
                                              .sink = hear_until,
                                              .arg = &b};
        struct gm_audio_line *line = NULL;
        struct gm_err err;
        int rc = 0;
        assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
        for (int64_t i = 0; rc == 0 && i < 120; i++) { /* a drift of 1/500 */
            AVFrame *f = line_frame(44100, 2, 4410, i * 4810, 0.25F);
            rc = gm_audio_line_frame(line, f, &err);
            av_frame_free(&f);
        }
        over = rc == 0;
        assert_int_equal(rc, b.calls > k ? -GM_E_MEDIA : 0);
        assert_int_equal(b.calls, over ? b.calls : k + 1);
        assert_true(!over || gm_audio_line_counts(line).stretches > 0);
        gm_audio_line_destroy(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_steps_count_when_what_follows_agrees),
        cmocka_unit_test(stamps_that_wander_off_are_followed),
        cmocka_unit_test(no_failure_is_taken_for_rates_that_cannot_be),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("audio_line_drift", tests, NULL, NULL);
}
