#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavutil/channel_layout.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio_line.h"

/* The sound's time line: where samples land, what becomes silence, what is cut. Frames hold a
 * constant level, so that every output sample says which frame it came from. */

#define RATE 48000
#define MAX_OUT (4 * RATE)

struct heard {
    float *left; /* owned */
    size_t count;
};

static int hear(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct heard *h = arg;
    (void)err;
    assert_true(h->count + count <= MAX_OUT);
    for (size_t i = 0; i < count; i++) {
        h->left[h->count + i] = planes != NULL ? planes[0][i] : 0;
    }
    h->count += count;
    return 0;
}

static struct gm_audio_line *open_line(struct heard *h, int64_t zero_num, int64_t zero_den)
{
    struct gm_audio_line_params params = {.sample_rate = RATE,
                                          .channels = 2,
                                          .time_base = {1, RATE},
                                          .zero_num = zero_num,
                                          .zero_den = zero_den,
                                          .max_samples = 100LL * RATE,
                                          .sink = hear,
                                          .arg = h};
    struct gm_audio_line *line = NULL;
    struct gm_err err;
    h->left = calloc(MAX_OUT, sizeof(float));
    h->count = 0;
    assert_non_null(h->left);
    assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
    return line;
}

static AVFrame *make_frame(int rate, int channels, int count, int64_t pts, float level)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->format = AV_SAMPLE_FMT_FLTP;
    f->sample_rate = rate;
    f->nb_samples = count;
    f->pts = pts;
    av_channel_layout_default(&f->ch_layout, channels);
    assert_true(av_frame_get_buffer(f, 0) >= 0);
    for (int c = 0; c < channels; c++) {
        for (int i = 0; i < count; i++) {
            ((float *)f->extended_data[c])[i] = level;
        }
    }
    return f;
}

static void give(struct gm_audio_line *line, int rate, int count, int64_t pts, float level)
{
    struct gm_err err;
    AVFrame *f = make_frame(rate, 2, count, pts, level);
    assert_int_equal(gm_audio_line_frame(line, f, &err), 0);
    av_frame_free(&f);
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
            give(line, RATE, row->in[i].count, row->in[i].pts, (float)(i + 1) / 8);
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
                                          .sink = hear,
                                          .arg = &h};
    struct gm_audio_line *line = NULL;
    struct gm_err err;
    assert_int_equal(gm_audio_line_create(&params, &line, &err), 0);
    for (size_t i = 0; i < count; i++) {
        int64_t pts = av_rescale((int64_t)i * 480 + off[i], tb.den, RATE);
        give(line, RATE, 480, pts, (float)(i + 1) / 64);
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
        give(line, w->rate, 1024, at + jitter, i % 47 == 46 ? 1.0F : 0.25F);
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
            AVFrame *f = make_frame(44100, 2, 4410, i * 4810, 0.25F);
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
    give(line, RATE, 1000, -3 * RATE, 0.125F); /* 11 s before zero, alone */
    give(line, RATE, 1000, 9 * RATE, 0.25F);   /* 1 s */
    give(line, RATE, 1000, 9 * RATE + 1000, 0.5F);
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
        give(line, 44100, 2205, i * 2400, 0.5F); /* 50 ms each; the stamps count 1/48000 */
    }
    for (int i = 0; i < 20; i++) {
        give(line, 32000, 1600, 48000 + i * 2400, 0.25F);
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
        AVFrame *f = make_frame(RATE, channels, 1000, 0, 0.25F);
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
    struct gm_audio_line_params good = {
        .sample_rate = RATE, .channels = 2, .time_base = {1, RATE}, .zero_den = 1, .sink = hear};
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
        cmocka_unit_test(short_steps_count_when_what_follows_agrees),
        cmocka_unit_test(stamps_that_wander_off_are_followed),
        cmocka_unit_test(no_failure_is_taken_for_rates_that_cannot_be),
        cmocka_unit_test(a_far_jump_counts_when_the_next_frame_agrees),
        cmocka_unit_test(another_rate_keeps_the_time),
        cmocka_unit_test(every_channel_count_is_taken),
        cmocka_unit_test(surround_is_mixed_to_the_sample),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests_name("audio_line", tests, NULL, NULL);
}
