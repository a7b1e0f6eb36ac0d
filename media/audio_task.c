/* The audio task: one sound track of the whole programme, from split's chunks to CMAF segments.
 *
 *   chunks -> audio_source (one run of samples from programme zero) -> AAC or Opus encoder
 *          -> audio_segments (cut at the video's borders, written, announced as it goes)
 *
 * Every stage works on counts, so bytes do not depend on how the chunks came. libav*'s vector code
 * is off while the task runs: see audio.h. */
#include <string.h>

#include "media/audio.h"
#include "media/audio_segments.h"
#include "media/audio_source.h"
#include "media/av.h"
#include "media/results.h"
#include "media/task_io.h"

struct audio_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__AudioTrack *track;
    uint32_t frame_samples;
    struct gm_audio_source *source;     /* owned */
    struct gm_audio_segments *segments; /* owned */
    AVCodecContext *encoder;            /* owned */
    AVFrame *frame;                     /* owned; being filled, `filled` samples so far */
    uint32_t filled;
    int64_t sent;     /* samples given to the encoder */
    AVPacket *packet; /* owned */
};

static void report(struct audio_task *t)
{
    uint64_t done = (uint64_t)gm_audio_segments_frames(t->segments);
    int64_t total = av_rescale(t->policy->estimated_duration_us, t->track->params->sample_rate,
                               (int64_t)t->frame_samples * 1000000);
    t->io->progress(t->io->self, done, total > (int64_t)done ? (uint64_t)total : done);
}

/* Takes the encoder's packets; frame NULL: the last ones. */
static int encode(struct audio_task *t, AVFrame *frame, struct gm_err *err)
{
    int sent = avcodec_send_frame(t->encoder, frame);
    if (sent < 0) {
        return gm_err_av(err, GM_E_MEDIA, sent, "the sound encoder refused a frame");
    }
    for (;;) {
        int got = avcodec_receive_packet(t->encoder, t->packet);
        if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) {
            return 0;
        }
        if (got < 0) {
            return gm_err_av(err, GM_E_MEDIA, got, "the sound encoder failed");
        }
        int64_t expected =
            gm_audio_segments_frames(t->segments) * t->frame_samples - t->track->priming_samples;
        int rc = 0;
        if (t->packet->pts != expected) {
            rc = gm_err_set(err, GM_E_BUG, 0, "sound frame at %lld instead of %lld",
                            (long long)t->packet->pts, (long long)expected);
        } else {
            rc =
                gm_audio_segments_frame(t->segments, t->packet->data, (size_t)t->packet->size, err);
        }
        av_packet_unref(t->packet);
        if (rc < 0) {
            return rc;
        }
    }
}

static int send_filled(struct audio_task *t, struct gm_err *err)
{
    t->frame->pts = t->sent;
    t->sent += t->frame_samples;
    t->filled = 0;
    int rc = encode(t, t->frame, err);
    if (rc == 0 && av_frame_make_writable(t->frame) < 0) {
        rc = gm_err_nomem(err);
    }
    if (t->sent / t->frame_samples % 32 == 0) {
        report(t);
    }
    return rc;
}

/* Samples [from, from + count) of the planes (NULL: silence) into the frame's next places. */
static void fill(struct audio_task *t, const float *const *planes, size_t from, size_t count)
{
    uint32_t channels = t->track->params->channels;
    bool planar = t->encoder->sample_fmt == AV_SAMPLE_FMT_FLTP;
    size_t step = planar ? 1 : channels;
    for (uint32_t c = 0; c < channels; c++) {
        float *to = planar ? (float *)(void *)t->frame->extended_data[c] + t->filled
                           : (float *)(void *)t->frame->data[0] + t->filled * channels + c;
        for (size_t i = 0; i < count; i++) {
            to[i * step] = planes != NULL ? planes[c][from + i] : 0;
        }
    }
    t->filled += (uint32_t)count;
}

/* gm_audio_sink_fn */
static int take_samples(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    for (size_t done = 0; done < count;) {
        size_t n = t->frame_samples - t->filled;
        n = n < count - done ? n : count - done;
        fill(t, planes, done, n);
        done += n;
        int rc = t->filled == t->frame_samples ? send_filled(t, err) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* gm_audio_borders_fn */
static int take_borders(const int64_t *starts_ts, size_t count, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    report(t);
    return gm_audio_segments_borders(t->segments, starts_ts, count, err);
}

/* The last frame is filled with silence, which the last segment's duration leaves out again. */
static int encode_all(struct audio_task *t, struct gm_err *err)
{
    int rc = gm_audio_source_run(t->source, err);
    struct gm_audio_source_counts counts = gm_audio_source_counts(t->source);
    if (rc == 0 && t->policy->n_renditions == 0 && counts.line.frames == 0) {
        return gm_err_set(err, GM_E_INPUT_DAMAGED, 0, "no sound of track %s could be decoded",
                          t->track->name);
    }
    if (rc == 0 && t->filled > 0) {
        rc = take_samples(NULL, t->frame_samples - t->filled, t, err);
    }
    if (rc == 0) {
        rc = encode(t, NULL, err);
    }
    return rc < 0 ? rc : gm_audio_segments_end(t->segments, counts.line.samples, err);
}

static int open_encoder(struct audio_task *t, struct gm_err *err)
{
    const Gm__AudioTrack *track = t->track;
    int rc = gm_audio_encoder_open(track->params, &t->encoder, err);
    if (rc < 0) {
        return rc;
    }
    if ((size_t)t->encoder->extradata_size != track->extradata.len ||
        memcmp(t->encoder->extradata, track->extradata.data, track->extradata.len) != 0 ||
        t->encoder->initial_padding != (int)track->priming_samples) {
        return gm_err_set(err, GM_E_MEDIA, 0, "this sound encoder is not the one of the plan");
    }
    t->frame = av_frame_alloc();
    t->packet = av_packet_alloc();
    if (t->frame == NULL || t->packet == NULL) {
        return gm_err_nomem(err);
    }
    t->frame->format = t->encoder->sample_fmt;
    t->frame->nb_samples = (int)t->frame_samples;
    t->frame->sample_rate = t->encoder->sample_rate;
    if (av_channel_layout_copy(&t->frame->ch_layout, &t->encoder->ch_layout) < 0 ||
        av_frame_get_buffer(t->frame, 0) < 0) {
        return gm_err_nomem(err);
    }
    return 0;
}

static int open_task(struct audio_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    int rc = gm_results_policy(spec, &t->policy, err);
    if (rc < 0 || (rc = gm_results_inspection(spec, &t->facts, err)) < 0) {
        return rc;
    }
    if (spec->instance >= t->policy->n_audio || t->policy->audio[spec->instance]->params == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has no sound track %u", spec->instance);
    }
    t->track = t->policy->audio[spec->instance];
    t->frame_samples = gm_audio_frame_samples(t->track->params);
    struct gm_audio_source_params source = {
        .io = t->io,
        .facts = t->facts,
        .policy = t->policy,
        .track = spec->instance,
        .sink = take_samples,
        .borders = take_borders,
        .arg = t,
    };
    if ((rc = open_encoder(t, err)) < 0 ||
        (rc = gm_audio_source_create(&source, &t->source, err)) < 0) {
        return rc;
    }
    struct gm_audio_segments_params params = {
        .io = t->io,
        .track = t->track->name,
        .track_index = spec->instance,
        .sample_rate = t->track->params->sample_rate,
        .priming_samples = t->track->priming_samples,
        .frame_samples = t->frame_samples,
        .timescale = t->policy->timescale,
    };
    for (size_t i = 0; i < spec->n_skip; i++) {
        params.skip_items = spec->skip[i]->stream == 0 ? spec->skip[i]->count : params.skip_items;
    }
    return gm_audio_segments_create(&params, &t->segments, err);
}

static int finish(struct audio_task *t, struct gm_err *err)
{
    struct gm_audio_source_counts source = gm_audio_source_counts(t->source);
    struct gm_audio_line_counts counts = source.line;
    const struct {
        const char *code;
        const char *text;
        int64_t count;
    } rows[] = {
        {"audio.decode_errors", "sound packets could not be decoded; the gap is silent",
         source.decode_errors},
        {"audio.gaps", "gaps in the sound's time stamps were filled with silence", counts.gaps},
        {"audio.overlaps", "frames of sound overlapped what came before and were trimmed",
         counts.overlaps},
        {"audio.arithmetic",
         "this machine's processor rounds otherwise than the planning one's: the Opus frames have "
         "other bytes than there",
         t->track->arithmetic != gm_audio_arithmetic(t->track->params)},
        {"audio.timestamps", "time stamps of the sound were not believed", counts.bad_times},
    };
    Gm__Warning warnings[5];
    Gm__Warning *list[5];
    Gm__AudioMeta meta = GM__AUDIO_META__INIT;
    meta.samples = counts.samples;
    meta.warnings = list;
    for (size_t i = 0; i < 5; i++) {
        if (rows[i].count == 0) {
            continue;
        }
        Gm__Warning *w = &warnings[meta.n_warnings];
        *w = (Gm__Warning)GM__WARNING__INIT;
        w->code = (char *)(uintptr_t)rows[i].code;
        w->text = (char *)(uintptr_t)rows[i].text;
        w->count = rows[i].count;
        list[meta.n_warnings++] = w;
    }
    return t->io->finish(t->io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
}

int gm_task_audio(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct audio_task t = {.io = io};
    int flags = gm_audio_cpu_begin();
    *out_chunk = -1;
    int rc = open_task(&t, err);
    if (rc == 0) {
        rc = encode_all(&t, err);
    }
    if (rc == 0) {
        rc = finish(&t, err);
    }
    gm_audio_segments_destroy(&t.segments);
    gm_audio_source_destroy(&t.source);
    avcodec_free_context(&t.encoder);
    av_frame_free(&t.frame);
    av_packet_free(&t.packet);
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    if (t.facts != NULL) {
        gm__inspection__free_unpacked(t.facts, NULL);
    }
    gm_audio_cpu_end(flags);
    return rc;
}
