/* The loudness task: one sound track of the whole programme, measured before it is encoded, by
 * EBU R128 (ITU-R BS.1770), and the one gain that the audio task applies to it.
 *
 *   chunks -> audio_source (the samples that audio will encode) -> meter -> gain
 *   once more, until it is right: samples -> gain -> encoder -> decoder -> meter
 *
 * What counts is what is heard of the published track: codecs leave noise out and overshoot peaks.
 *
 * The gain is a multiple of 0.01 dB, so that the last bits of the C library's functions do not
 * matter: every machine finds the same one. */
#include <ebur128.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/audio/audio.h"
#include "media/audio/audio_encode.h"
#include "media/audio/audio_source.h"
#include "media/audio/true_peak.h"
#include "media/av.h"
#include "media/results.h"
#include "media/task_io.h"

#define GATE_LUFS (-70.0) /* quieter is silence: ITU-R BS.1770-4 annex 1, 5 */
#define CLOSE_LU 0.1      /* near enough to the target */
#define SMALL_STEPS 3
#define SMALL_STEP_DB 0.08
#define MAX_TRIALS 6 /* encodes */
#define BLOCK 4096   /* samples given to a meter at once */

struct loudness_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__AudioTrack *track;
    size_t channels;
    struct gm_audio_source *source; /* owned */
    struct gm_audio_encode *encode; /* owned; NULL: the samples themselves are measured */
    AVCodecContext *decoder;        /* owned */
    AVFrame *frame;                 /* owned */
    ebur128_state *meter;           /* owned */
    struct gm_true_peak *peak;      /* owned */
    float *block;                   /* owned: BLOCK interleaved samples */
    int64_t samples;
};

struct measurement {
    double lufs, peak_db, range_lu;
};

/* Begins a measurement; the one before is forgotten. */
static int open_meters(struct loudness_task *t, struct gm_err *err)
{
    uint32_t rate = t->track->params->sample_rate;
    if (t->meter != NULL) {
        ebur128_destroy(&t->meter);
    }
    gm_true_peak_destroy(&t->peak);
    t->meter = ebur128_init((unsigned)t->channels, rate, EBUR128_MODE_I | EBUR128_MODE_LRA);
    return t->meter == NULL ? gm_err_nomem(err)
                            : gm_true_peak_create((uint32_t)t->channels, rate, &t->peak, err);
}

static int read_meters(struct loudness_task *t, struct measurement *out, struct gm_err *err)
{
    if (ebur128_loudness_global(t->meter, &out->lufs) != EBUR128_SUCCESS ||
        ebur128_loudness_range(t->meter, &out->range_lu) != EBUR128_SUCCESS) {
        return gm_err_nomem(err);
    }
    return gm_true_peak_end(t->peak, &out->peak_db, err);
}

static int measure(struct loudness_task *t, const float *const *planes, size_t count,
                   struct gm_err *err)
{
    int rc = gm_true_peak_add(t->peak, planes, count, err);
    for (size_t done = 0; rc == 0 && done < count;) {
        size_t n = count - done < BLOCK ? count - done : BLOCK;
        for (size_t c = 0; c < t->channels; c++) {
            for (size_t i = 0; i < n; i++) {
                t->block[i * t->channels + c] = planes != NULL ? planes[c][done + i] : 0;
            }
        }
        if (ebur128_add_frames_float(t->meter, t->block, n) != EBUR128_SUCCESS) {
            return gm_err_nomem(err);
        }
        done += n;
    }
    return rc;
}

/* gm_audio_sink_fn */
static int take_samples(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct loudness_task *t = arg;
    int64_t second = t->track->params->sample_rate;
    if ((t->samples + (int64_t)count) / second != t->samples / second) {
        t->io->progress(t->io->self, (uint64_t)t->samples, 0);
    }
    t->samples += (int64_t)count;
    return t->encode != NULL ? gm_audio_encode_samples(t->encode, planes, count, err)
                             : measure(t, planes, count, err);
}

/* Measures what the decoder gives; packet NULL: the last frames. */
static int decode(struct loudness_task *t, const AVPacket *packet, struct gm_err *err)
{
    int got = avcodec_send_packet(t->decoder, packet);
    while (got >= 0) {
        got = avcodec_receive_frame(t->decoder, t->frame);
        if (got < 0) {
            break;
        }
        int rc = 0;
        if (t->frame->format != AV_SAMPLE_FMT_FLTP ||
            t->frame->ch_layout.nb_channels != (int)t->channels) {
            rc = gm_err_set(err, GM_E_MEDIA, 0, "the coded sound decodes to another format");
        } else {
            rc = measure(t, (const float *const *)(void *)t->frame->extended_data,
                         (size_t)t->frame->nb_samples, err);
        }
        av_frame_unref(t->frame);
        if (rc < 0) {
            return rc;
        }
    }
    return got == AVERROR(EAGAIN) || got == AVERROR_EOF
               ? 0
               : gm_err_av(err, GM_E_MEDIA, got, "the coded sound does not decode");
}

/* gm_audio_packet_fn */
static int take_packet(const AVPacket *packet, void *arg, struct gm_err *err)
{
    return decode(arg, packet, err);
}

static int open_decoder(struct loudness_task *t, struct gm_err *err)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    const ProtobufCBinaryData *extradata = &t->track->extradata;
    if (par == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_av_set_extradata(par, extradata->data, extradata->len, err);
    if (rc == 0) {
        par->codec_type = AVMEDIA_TYPE_AUDIO;
        par->codec_id = gm_audio_codec_id(t->track->params);
        par->sample_rate = (int)t->track->params->sample_rate;
        gm_audio_layout(t->track->params, &par->ch_layout);
        avcodec_free_context(&t->decoder);
        rc = gm_decoder_open(par, (AVRational){1, par->sample_rate}, &t->decoder, err);
    }
    avcodec_parameters_free(&par);
    return rc;
}

/* Encodes the track with that gain and measures what a player will hear. */
static int try_gain(struct loudness_task *t, double gain_db, struct measurement *out,
                    struct gm_err *err)
{
    t->samples = 0;
    int rc = open_meters(t, err);
    if (rc == 0) {
        rc = open_decoder(t, err);
    }
    if (rc == 0) {
        rc = gm_audio_encode_create(t->track, gm_audio_gain(gain_db), take_packet, t, &t->encode,
                                    err);
    }
    if (rc == 0) {
        rc = gm_audio_source_run(t->source, err);
    }
    if (rc == 0) {
        rc = gm_audio_encode_end(t->encode, err);
    }
    if (rc == 0) {
        rc = decode(t, NULL, err);
    }
    gm_audio_encode_destroy(&t->encode);
    return rc < 0 ? rc : read_meters(t, out, err);
}

static double hundredths(double db)
{
    return round(db * 100) / 100;
}

static double round_down(double db)
{
    return floor(db * 100 + 1e-6) / 100;
}

/* Changes the gain until the coded track is at the target, or as near as the ceiling of its peak
 * allows. Coding noise at a peak changes with every gain, so that small steps down often do; later
 * ones are by what was too much. */
static int fit(struct loudness_task *t, Gm__LoudnessMeta *meta, struct gm_err *err)
{
    const Gm__LoudnessParams *p = t->track->loudness;
    bool near = !meta->peak_limited;
    double most = HUGE_VAL; /* a gain at which the peak was too high */
    for (int i = 0; i < MAX_TRIALS; i++) {
        struct measurement coded;
        int rc = try_gain(t, meta->gain_db, &coded, err);
        if (rc < 0) {
            return rc;
        }
        meta->coded_lufs = hundredths(coded.lufs);
        meta->coded_peak_db = hundredths(coded.peak_db);
        double lacks = hundredths(p->target_lufs - coded.lufs);
        double excess = coded.peak_db - p->true_peak_db;
        if (excess > 0) {
            double step = near && i < SMALL_STEPS ? SMALL_STEP_DB : excess + 0.02;
            most = meta->gain_db;
            meta->peak_limited = true;
            meta->gain_db =
                round_down(meta->gain_db - (step < excess + 0.02 ? step : excess + 0.02));
        } else if (fabs(lacks) <= CLOSE_LU || (lacks > 0 && meta->gain_db + lacks >= most) ||
                   (lacks > 0 && meta->peak_limited)) {
            return 0;
        } else {
            meta->gain_db = hundredths(meta->gain_db + lacks);
        }
    }
    return 0;
}

static int find_gain(struct loudness_task *t, Gm__LoudnessMeta *meta, struct gm_err *err)
{
    const Gm__LoudnessParams *p = t->track->loudness;
    struct measurement m;
    int rc = read_meters(t, &m, err);
    if (rc < 0) {
        return rc;
    }
    if (!(m.lufs > GATE_LUFS) || !isfinite(m.peak_db)) {
        meta->silent = true;
        return 0;
    }
    meta->integrated_lufs = hundredths(m.lufs);
    meta->true_peak_db = hundredths(m.peak_db);
    meta->range_lu = hundredths(m.range_lu);
    double wanted = hundredths(p->target_lufs - m.lufs);
    double allowed = round_down(p->true_peak_db - m.peak_db);
    meta->peak_limited = allowed < wanted;
    meta->gain_db = meta->peak_limited ? allowed : wanted;
    return fit(t, meta, err);
}

static int open_task(struct loudness_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    int rc = gm_results_policy(spec, &t->policy, err);
    if (rc < 0 || (rc = gm_results_inspection(spec, &t->facts, err)) < 0) {
        return rc;
    }
    if (spec->instance >= t->policy->n_audio || t->policy->audio[spec->instance]->params == NULL ||
        t->policy->audio[spec->instance]->loudness == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has no sound track %u to measure",
                          spec->instance);
    }
    t->track = t->policy->audio[spec->instance];
    t->channels = t->track->params->channels;
    struct gm_audio_source_params source = {
        .io = t->io,
        .facts = t->facts,
        .policy = t->policy,
        .track = spec->instance,
        .sink = take_samples,
        .arg = t,
    };
    t->frame = av_frame_alloc();
    t->block = calloc(BLOCK * t->channels, sizeof(*t->block));
    if (t->frame == NULL || t->block == NULL) {
        return gm_err_nomem(err);
    }
    rc = open_meters(t, err);
    return rc < 0 ? rc : gm_audio_source_create(&source, &t->source, err);
}

int gm_task_loudness(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct loudness_task t = {.io = io};
    Gm__LoudnessMeta meta = GM__LOUDNESS_META__INIT;
    int flags = gm_audio_cpu_begin();
    *out_chunk = -1;
    int rc = open_task(&t, err);
    if (rc == 0) {
        rc = gm_audio_source_run(t.source, err);
    }
    if (rc == 0) {
        rc = find_gain(&t, &meta, err);
    }
    if (rc == 0) {
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    gm_audio_encode_destroy(&t.encode);
    gm_audio_source_destroy(&t.source);
    if (t.meter != NULL) {
        ebur128_destroy(&t.meter);
    }
    gm_true_peak_destroy(&t.peak);
    avcodec_free_context(&t.decoder);
    av_frame_free(&t.frame);
    free(t.block);
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    if (t.facts != NULL) {
        gm__inspection__free_unpacked(t.facts, NULL);
    }
    gm_audio_cpu_end(flags);
    return rc;
}
