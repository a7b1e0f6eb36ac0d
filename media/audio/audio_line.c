/* See audio_line.h. All positions are output samples from programme zero, unless named in_*.
 *
 * A `run` is sound converted in one piece: the count of its input samples gives the position where
 * the next one belongs. A gap or a change of format ends the run: the converter is emptied, so that
 * positions after it are exact again. A run may be stretched: STRETCH + 1 samples out for STRETCH
 * in, or STRETCH - 1. */
#include "media/audio/audio_line.h"

#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio/audio_mix.h"
#include "media/av.h"

#define TOLERANCE_MS 40
#define DOUBT_S 10
#define STEP_MS 1 /* shorter steps of the stamps are left alone */
/* Stamps that a container counted in milliseconds are off by half a one each, two of them by one
 * against each other. A step must be ROUNDED times that before so much is allowed, or rounding and
 * jitter would pass for steps. */
#define ROUNDING_MS 1
#define ROUNDED 10
#define HELD 9 /* a frame whose stamp steps, and those after it that must agree */
/* Sound may be 22 ms off, a frame of AAC at 48 kHz. It is stretched well before, and moved at once
 * where that is too slow. */
#define STRETCH_MS 15
#define SIDE_MS 12 /* what wanders off has three quarters of the stamps beyond */
#define MOVE_MS 20
#define STRETCH 500     /* 1/500 is 3.5 cents: a just noticeable change of pitch is 5 or more */
#define LAGS 64         /* stamps looked at together: of a second at least, and HELD of them */
#define LAGS_PER_S 50   /* at most */
#define MAX_RATE 768000 /* of a run that is stretched */
#define MAX_CHANNELS GM_AUDIO_MIX_INPUTS
#define MAX_SECONDS 1e9

struct held {
    AVFrame *frame; /* owned */
    bool has_at;
    int64_t at;
};

struct gm_audio_line {
    struct gm_audio_line_params p;
    struct gm_audio_line_counts counts;
    SwrContext *swr; /* owned; NULL: no run */
    int in_format;
    int in_rate;
    AVChannelLayout in_layout;
    int64_t run_start;
    int64_t in_count;    /* input samples of the run */
    int stretch;         /* of the run: 1, -1, or 0 */
    int64_t stretch_end; /* where it is enough */
    bool started;        /* a frame was placed */
    bool dropped;        /* the latest frame was wholly before the end */
    int64_t dropped_end; /* where it ends */
    int64_t tick;        /* of the stamps, in output samples, rounded up */
    int64_t lag;         /* the latest frame's stamp less its place, at its end */
    int64_t lags[LAGS];
    size_t lag_count;
    int64_t lags_start, lags_next; /* where the first was noted, and the next may be */
    struct held held[HELD];
    size_t held_count;
    int64_t held_end;   /* where the next frame belongs if the step is meant */
    bool held_exact;    /* all of them are within two ticks of it */
    int64_t held_agree; /* stamps agree that are so near to it */
    AVFrame *doubt;     /* owned; a frame with a stamp that waits for the next one */
    int64_t doubt_at;
    float *planes[GM_AUDIO_MIX_OUTPUTS]; /* owned */
    int planes_cap;
};

int gm_audio_line_create(const struct gm_audio_line_params *params, struct gm_audio_line **out,
                         struct gm_err *err)
{
    bool channels = params->channels == 1 || params->channels == 2 || params->channels == 6;
    if (!channels || params->sample_rate < 1000 || params->sample_rate > 768000 ||
        params->time_base.num <= 0 || params->time_base.den <= 0 || params->zero_den <= 0 ||
        params->zero_den > INT32_MAX ||
        fabs((double)params->zero_num / (double)params->zero_den) > MAX_SECONDS) {
        return gm_err_set(err, GM_E_INVAL, 0, "the sound's time line has senseless parameters");
    }
    struct gm_audio_line *line = calloc(1, sizeof(*line));
    if (line == NULL) {
        return gm_err_nomem(err);
    }
    line->p = *params;
    line->tick = av_rescale_rnd(params->sample_rate, params->time_base.num, params->time_base.den,
                                AV_ROUND_UP);
    *out = line;
    return 0;
}

void gm_audio_line_destroy(struct gm_audio_line **line)
{
    if (*line == NULL) {
        return;
    }
    swr_free(&(*line)->swr);
    av_channel_layout_uninit(&(*line)->in_layout);
    av_frame_free(&(*line)->doubt);
    for (size_t i = 0; i < (*line)->held_count; i++) {
        av_frame_free(&(*line)->held[i].frame);
    }
    for (size_t c = 0; c < GM_AUDIO_MIX_OUTPUTS; c++) {
        av_free((*line)->planes[c]);
    }
    free(*line);
    *line = NULL;
}

struct gm_audio_line_counts gm_audio_line_counts(const struct gm_audio_line *line)
{
    return line->counts;
}

static int64_t divide_round(__int128 num, __int128 den)
{
    __int128 half = den / 2;
    return (int64_t)(num >= 0 ? (num + half) / den : -((-num + half) / den));
}

/* Where a stamp puts its frame; false: no stamp, or one that can't be meant. */
static bool position_of(const struct gm_audio_line *line, int64_t pts, int64_t *out)
{
    const struct gm_audio_line_params *p = &line->p;
    if (pts == AV_NOPTS_VALUE ||
        fabs((double)pts * p->time_base.num / p->time_base.den) > MAX_SECONDS) {
        return false;
    }
    __int128 num =
        (__int128)pts * p->time_base.num * p->zero_den - (__int128)p->zero_num * p->time_base.den;
    __int128 den = (__int128)p->time_base.den * p->zero_den;
    *out = divide_round(num * p->sample_rate, den);
    return *out <= p->max_samples;
}

static int give(struct gm_audio_line *line, const float *const *planes, int64_t count,
                struct gm_err *err)
{
    while (count > 0) {
        size_t n = planes != NULL || count < 65536 ? (size_t)count : 65536;
        int rc = line->p.sink(planes, n, line->p.arg, err);
        if (rc < 0) {
            return rc;
        }
        line->counts.samples += (int64_t)n;
        count -= (int64_t)n;
    }
    return 0;
}

static int grow_planes(struct gm_audio_line *line, int samples, struct gm_err *err)
{
    if (samples <= line->planes_cap) {
        return 0;
    }
    for (unsigned c = 0; c < line->p.channels; c++) {
        float *grown = av_realloc_array(line->planes[c], (size_t)samples, sizeof(float));
        if (grown == NULL) {
            return gm_err_nomem(err);
        }
        line->planes[c] = grown;
    }
    line->planes_cap = samples;
    return 0;
}

/* data NULL: empties the converter. */
static int convert(struct gm_audio_line *line, const uint8_t **data, int count, struct gm_err *err)
{
    for (;;) {
        int room = swr_get_out_samples(line->swr, count);
        if (room < 0) {
            return gm_err_av(err, GM_E_MEDIA, room, "the sound converter failed");
        }
        int rc = grow_planes(line, room + 64, err);
        if (rc < 0) {
            return rc;
        }
        uint8_t *out[GM_AUDIO_MIX_OUTPUTS];
        for (size_t c = 0; c < GM_AUDIO_MIX_OUTPUTS; c++) {
            out[c] = (uint8_t *)line->planes[c];
        }
        int got = swr_convert(line->swr, out, line->planes_cap, data, count);
        if (got < 0) {
            return gm_err_av(err, GM_E_MEDIA, got, "the sound converter failed");
        }
        rc = give(line, (const float *const *)line->planes, got, err);
        if (rc < 0 || data != NULL || got == 0) {
            return rc;
        }
    }
}

static int end_run(struct gm_audio_line *line, struct gm_err *err)
{
    if (line->swr == NULL) {
        return 0;
    }
    int rc = convert(line, NULL, 0, err);
    swr_free(&line->swr);
    return rc;
}

/* A converter with our own mix: float inside whatever comes. */
static int open_converter(struct gm_audio_line *line, const AVFrame *frame, int stretch,
                          struct gm_err *err)
{
    double matrix[GM_AUDIO_MIX_OUTPUTS * MAX_CHANNELS];
    AVChannelLayout to = {0};
    int channels = frame->ch_layout.nb_channels;
    int rate = (int)line->p.sample_rate * (stretch != 0 ? STRETCH + stretch : 1);
    int in_rate = frame->sample_rate * (stretch != 0 ? STRETCH : 1);
    AVChannelLayout from = {.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = channels};
    int rc = gm_audio_mix_matrix(&frame->ch_layout, line->p.channels, matrix, err);
    if (rc < 0) {
        return rc;
    }
    av_channel_layout_default(&to, (int)line->p.channels);
    int av = swr_alloc_set_opts2(&line->swr, &to, AV_SAMPLE_FMT_FLTP, rate, &from, frame->format,
                                 in_rate, 0, NULL);
    if (av >= 0) {
        av = av_opt_set_sample_fmt(line->swr, "internal_sample_fmt", AV_SAMPLE_FMT_FLTP, 0);
    }
    if (av >= 0) {
        av = swr_set_matrix(line->swr, matrix, channels);
    }
    if (av >= 0) {
        av = swr_init(line->swr);
    }
    if (av < 0) {
        swr_free(&line->swr);
        return gm_err_av(err, GM_E_MEDIA, av, "sound of %d channels at %d Hz can't be converted",
                         channels, frame->sample_rate);
    }
    return 0;
}

static int begin_run(struct gm_audio_line *line, const AVFrame *frame, int stretch,
                     struct gm_err *err)
{
    int rc = open_converter(line, frame, stretch, err);
    if (rc < 0) {
        return rc;
    }
    if (av_channel_layout_copy(&line->in_layout, &frame->ch_layout) < 0) {
        swr_free(&line->swr);
        return gm_err_nomem(err);
    }
    line->in_format = frame->format;
    line->in_rate = frame->sample_rate;
    line->run_start = line->counts.samples;
    line->in_count = 0;
    line->stretch = stretch;
    line->lag_count = 0;
    return 0;
}

static bool same_format(const struct gm_audio_line *line, const AVFrame *frame)
{
    return line->swr != NULL && line->in_format == frame->format &&
           line->in_rate == frame->sample_rate &&
           av_channel_layout_compare(&line->in_layout, &frame->ch_layout) == 0;
}

/* Adds the frame's samples from in_skip on to the run. */
static int add_samples(struct gm_audio_line *line, const AVFrame *frame, int in_skip,
                       struct gm_err *err)
{
    const uint8_t *data[MAX_CHANNELS];
    int channels = frame->ch_layout.nb_channels;
    bool planar = av_sample_fmt_is_planar(frame->format) != 0;
    size_t step = (size_t)av_get_bytes_per_sample(frame->format) * (size_t)(planar ? 1 : channels);
    for (int i = 0; i < (planar ? channels : 1); i++) {
        data[i] = frame->extended_data[i] + step * (size_t)in_skip;
    }
    int count = frame->nb_samples - in_skip;
    line->in_count += count;
    return convert(line, data, count, err);
}

static int64_t expected_at(const struct gm_audio_line *line)
{
    return line->run_start + av_rescale(line->in_count,
                                        (int64_t)line->p.sample_rate * (STRETCH + line->stretch),
                                        (int64_t)line->in_rate * STRETCH);
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int64_t in_ms(const struct gm_audio_line *line, int64_t ms)
{
    return (int64_t)line->p.sample_rate * ms / 1000;
}

static int64_t usual_tolerance(const struct gm_audio_line *line)
{
    return in_ms(line, TOLERANCE_MS);
}

static int next_run(struct gm_audio_line *line, const AVFrame *frame, int stretch,
                    struct gm_err *err)
{
    int rc = end_run(line, err);
    return rc < 0 ? rc : begin_run(line, frame, stretch, err);
}

/* Ends the run if the frame has another format, or the run has been stretched enough. */
static int follow_run(struct gm_audio_line *line, const AVFrame *frame, struct gm_err *err)
{
    bool enough = line->stretch != 0 && expected_at(line) >= line->stretch_end;
    return same_format(line, frame) && !enough ? 0 : next_run(line, frame, 0, err);
}

static int compare_lags(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Notes how far a stamp is off. Returns how far they lastingly are, their median, when enough have
 * been seen to say so; else 0. */
static int64_t lasting_lag(struct gm_audio_line *line, int64_t lag)
{
    int64_t at = expected_at(line), side = in_ms(line, SIDE_MS);
    if (line->lag_count > 0 && at < line->lags_next) {
        return 0;
    }
    line->lags_start = line->lag_count == 0 ? at : line->lags_start;
    line->lags_next = at + line->p.sample_rate / LAGS_PER_S;
    line->lags[line->lag_count++] = lag;
    size_t n = line->lag_count;
    if (n < LAGS && (n < HELD || at - line->lags_start < line->p.sample_rate)) {
        return 0;
    }
    line->lag_count = 0;
    qsort(line->lags, n, sizeof(line->lags[0]), compare_lags);
    bool one_side = line->lags[n / 4] > side || line->lags[n - 1 - n / 4] < -side;
    int64_t median = line->lags[n / 2];
    return one_side && distance(median, 0) > in_ms(line, STRETCH_MS) ? median : 0;
}

/* Goes on with a run that is longer or shorter by lag in the end. */
static int stretch_run(struct gm_audio_line *line, const AVFrame *frame, int64_t lag,
                       struct gm_err *err)
{
    if (line->stretch != 0 || line->in_rate > MAX_RATE) {
        return 0;
    }
    int rc = end_run(line, err);
    if (rc < 0) {
        return rc;
    }
    rc = begin_run(line, frame, lag > 0 ? 1 : -1, err);
    if (rc == -GM_E_MEDIA) {
        return begin_run(line, frame, 0, err); /* no converter for such odd rates */
    }
    line->stretch_end = line->run_start + distance(lag, 0) * STRETCH;
    line->counts.stretches += rc == 0;
    return rc;
}

static int64_t length_of(const struct gm_audio_line *line, const AVFrame *frame)
{
    return av_rescale(frame->nb_samples, line->p.sample_rate, frame->sample_rate);
}

/* Adds the frame from in_skip on. Stretched, it makes the lag of the next one another. */
static int add_frame(struct gm_audio_line *line, const AVFrame *frame, int in_skip,
                     struct gm_err *err)
{
    int64_t at = expected_at(line);
    int rc = add_samples(line, frame, in_skip, err);
    if (line->stretch != 0) {
        int64_t added = expected_at(line) - at;
        line->counts.stretched += added;
        line->lag -= in_skip == 0 ? added - length_of(line, frame) : 0;
    }
    return rc;
}

/* Puts a frame whose stamp is believed (has_at) or missing behind what is there; missing after a
 * frame that was dropped: where that one ends. tolerance: stamps nearer to their place are left
 * alone, unless they lastingly are off. */
static int place(struct gm_audio_line *line, const AVFrame *frame, bool has_at, int64_t at,
                 int64_t tolerance, struct gm_err *err)
{
    int rc = follow_run(line, frame, err);
    if (rc < 0) {
        return rc;
    }
    if (!has_at && line->dropped) {
        has_at = true;
        at = line->dropped_end;
    }
    int64_t ahead = has_at ? at - expected_at(line) : 0;
    int64_t in_skip = 0;
    tolerance = line->started ? tolerance : 0;
    line->lag = has_at ? ahead : line->lag;
    if (has_at && distance(ahead, 0) <= tolerance && !line->dropped) {
        int64_t lasting = lasting_lag(line, ahead);
        if (distance(lasting, 0) > in_ms(line, MOVE_MS)) {
            at += lasting - ahead;
            ahead = lasting;
            tolerance = 0;
        } else if (lasting != 0) {
            if ((rc = stretch_run(line, frame, lasting, err)) < 0) {
                return rc;
            }
            line->lag = at - expected_at(line);
        }
    }
    if (ahead > tolerance) {
        if ((rc = end_run(line, err)) < 0 ||
            (rc = give(line, NULL, at - line->counts.samples, err)) < 0 ||
            (rc = begin_run(line, frame, 0, err)) < 0) {
            return rc;
        }
        line->counts.gaps += line->started;
        line->lag = 0;
    } else if (ahead < (line->dropped ? 0 : -tolerance)) {
        if (line->stretch != 0 && (rc = next_run(line, frame, 0, err)) < 0) {
            return rc;
        }
        line->counts.overlaps += line->started;
        line->lag = 0;
        line->lag_count = 0;
        in_skip = av_rescale(-ahead, line->in_rate, line->p.sample_rate);
        line->dropped = in_skip >= frame->nb_samples;
        if (line->dropped) {
            line->dropped_end = at + length_of(line, frame);
            return 0;
        }
    }
    line->started = true;
    line->dropped = false;
    return add_frame(line, frame, (int)in_skip, err);
}

/* A stamp off its place by less than the tolerance may be jitter, or sound that is missing or there
 * twice. It is meant when it steps there at once and the frames after it follow it: then the sound
 * is put where the stamp says, to the sample. */
static bool is_step(const struct gm_audio_line *line, bool has_at, int64_t at)
{
    if (!has_at || !line->started || line->swr == NULL) {
        return false;
    }
    int64_t ahead = at - expected_at(line);
    int64_t least = in_ms(line, STEP_MS);
    least = least > 2 * line->tick ? least : 2 * line->tick + 1;
    return distance(ahead, 0) >= least && distance(ahead, 0) <= usual_tolerance(line) &&
           distance(ahead, line->lag) > 2 * line->tick + (line->stretch != 0 ? 2 : 0);
}

/* Places what was held; meant: the first frame goes where its stamp says. */
static int settle_held(struct gm_audio_line *line, bool meant, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < line->held_count; i++) {
        struct held *h = &line->held[i];
        if (rc == 0) {
            rc = place(line, h->frame, h->has_at || meant, h->at,
                       meant && i == 0 ? 0 : usual_tolerance(line), err);
        }
        av_frame_free(&h->frame);
    }
    line->held_count = 0;
    return rc;
}

static int hold(struct gm_audio_line *line, const AVFrame *frame, bool has_at, int64_t at,
                struct gm_err *err)
{
    struct held *h = &line->held[line->held_count];
    h->frame = av_frame_clone(frame);
    if (h->frame == NULL) {
        return gm_err_nomem(err);
    }
    h->has_at = has_at;
    h->at = has_at ? at : line->held_end;
    line->held_end = (line->held_count == 0 ? at : line->held_end) + length_of(line, frame);
    line->held_count++;
    return line->held_count == HELD ? settle_held(line, true, err) : 0;
}

/* How near to its place the stamp of a frame must be that follows a step of this length. */
static int64_t agreement(const struct gm_audio_line *line, int64_t step)
{
    int64_t rounding = in_ms(line, ROUNDING_MS);
    rounding = rounding < step / ROUNDED ? rounding : step / ROUNDED;
    return rounding > 2 * line->tick ? rounding : 2 * line->tick;
}

/* Places a frame, or holds it while it is open whether a step of the stamps is meant. */
static int take(struct gm_audio_line *line, const AVFrame *frame, bool has_at, int64_t at,
                struct gm_err *err)
{
    if (line->held_count > 0) {
        int64_t off = has_at ? distance(at, line->held_end) : 0;
        bool agrees = off <= line->held_agree;
        line->held_exact = line->held_exact && off <= 2 * line->tick;
        if (agrees) {
            return hold(line, frame, has_at, at, err);
        }
        int rc = settle_held(line, false, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (!is_step(line, has_at, at)) {
        return place(line, frame, has_at, at, usual_tolerance(line), err);
    }
    line->held_exact = true;
    line->held_agree = agreement(line, distance(at - expected_at(line), line->lag));
    return hold(line, frame, has_at, at, err);
}

/* The frame held back: its stamp counts if the next frame, at `at`, follows it. */
static int settle_doubt(struct gm_audio_line *line, bool has_at, int64_t at, struct gm_err *err)
{
    AVFrame *frame = line->doubt;
    if (frame == NULL) {
        return 0;
    }
    line->doubt = NULL;
    int64_t end = line->doubt_at + length_of(line, frame);
    bool agreed = has_at && distance(at, end) <= line->p.sample_rate;
    line->counts.bad_times += !agreed;
    int rc = take(line, frame, agreed, line->doubt_at, err);
    av_frame_free(&frame);
    return rc;
}

int gm_audio_line_frame(struct gm_audio_line *line, const AVFrame *frame, struct gm_err *err)
{
    int64_t at = 0;
    if (frame->nb_samples <= 0) {
        return 0;
    }
    if (frame->sample_rate <= 0 || frame->ch_layout.nb_channels <= 0 ||
        frame->ch_layout.nb_channels > MAX_CHANNELS ||
        av_get_bytes_per_sample(frame->format) <= 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "decoded sound of %d channels at %d Hz",
                          frame->ch_layout.nb_channels, frame->sample_rate);
    }
    line->counts.frames++;
    bool has_at = position_of(line, frame->pts, &at);
    line->counts.bad_times += !has_at && frame->pts != AV_NOPTS_VALUE;
    int rc = settle_doubt(line, has_at, at, err);
    if (rc < 0) {
        return rc;
    }
    int64_t expected = line->held_count > 0 ? line->held_end : line->counts.samples;
    if (has_at && distance(at, expected) > (int64_t)DOUBT_S * line->p.sample_rate) {
        line->doubt = av_frame_clone(frame);
        line->doubt_at = at;
        return line->doubt != NULL ? 0 : gm_err_nomem(err);
    }
    return take(line, frame, has_at, at, err);
}

int gm_audio_line_end(struct gm_audio_line *line, int64_t end, struct gm_err *err)
{
    int rc = settle_doubt(line, false, 0, err);
    if (rc == 0) {
        rc = settle_held(line, line->held_count > 1 && line->held_exact, err);
    }
    if (rc < 0 || (rc = end_run(line, err)) < 0) {
        return rc;
    }
    return give(line, NULL, end - line->counts.samples, err);
}
