/* The audio task: one sound track of the whole programme, from split's chunks to CMAF segments.
 *
 *   chunks -> audio_decode -> audio_line (one run of samples from programme zero) -> AAC encoder
 *          -> audio_segments (cut at the video's borders, written, announced as it goes)
 *
 * Every stage works on counts, so bytes do not depend on how the chunks came. libav*'s vector code
 * is off while the task runs: see audio.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "media/audio.h"
#include "media/audio_decode.h"
#include "media/audio_line.h"
#include "media/audio_segments.h"
#include "media/av.h"
#include "media/results.h"
#include "media/task_io.h"

#define MAX_PROGRAMME_S (48 * 3600)

struct audio_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__AudioTrack *track;
    struct gm_audio_decode *decode;     /* owned */
    struct gm_audio_line *line;         /* owned; NULL until the first chunk */
    struct gm_audio_segments *segments; /* owned */
    AVCodecContext *encoder;            /* owned */
    AVFrame *frame;                     /* owned; being filled, `filled` samples so far */
    int filled;
    int64_t sent;     /* samples given to the encoder */
    AVPacket *packet; /* owned */
};

static int64_t max_samples(const struct audio_task *t)
{
    return (int64_t)MAX_PROGRAMME_S * t->track->params->sample_rate;
}

static void report(struct audio_task *t)
{
    uint64_t done = (uint64_t)gm_audio_segments_frames(t->segments);
    int64_t total = av_rescale(t->policy->estimated_duration_us, t->track->params->sample_rate,
                               (int64_t)GM_AAC_FRAME * 1000000);
    t->io->progress(t->io->self, done, total > (int64_t)done ? (uint64_t)total : done);
}

/* Takes the encoder's packets; frame NULL: the last ones. */
static int encode(struct audio_task *t, AVFrame *frame, struct gm_err *err)
{
    int sent = avcodec_send_frame(t->encoder, frame);
    if (sent < 0) {
        return gm_err_av(err, GM_E_MEDIA, sent, "the AAC encoder refused a frame");
    }
    for (;;) {
        int got = avcodec_receive_packet(t->encoder, t->packet);
        if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) {
            return 0;
        }
        if (got < 0) {
            return gm_err_av(err, GM_E_MEDIA, got, "the AAC encoder failed");
        }
        int64_t expected =
            gm_audio_segments_frames(t->segments) * GM_AAC_FRAME - t->track->priming_samples;
        int rc = 0;
        if (t->packet->pts != expected) {
            rc = gm_err_set(err, GM_E_BUG, 0, "AAC frame at %lld instead of %lld",
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
    t->sent += GM_AAC_FRAME;
    t->filled = 0;
    int rc = encode(t, t->frame, err);
    if (rc == 0 && av_frame_make_writable(t->frame) < 0) {
        rc = gm_err_nomem(err);
    }
    if (t->sent / GM_AAC_FRAME % 32 == 0) {
        report(t);
    }
    return rc;
}

/* gm_audio_sink_fn */
static int take_samples(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    for (size_t done = 0; done < count;) {
        size_t n = (size_t)(GM_AAC_FRAME - t->filled);
        n = n < count - done ? n : count - done;
        for (uint32_t c = 0; c < t->track->params->channels; c++) {
            float *to = (float *)t->frame->extended_data[c] + t->filled;
            if (planes != NULL) {
                memcpy(to, planes[c] + done, n * sizeof(float));
            } else {
                memset(to, 0, n * sizeof(float));
            }
        }
        t->filled += (int)n;
        done += n;
        int rc = t->filled == GM_AAC_FRAME ? send_filled(t, err) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* gm_audio_frame_fn */
static int take_frame(const AVFrame *frame, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    return gm_audio_line_frame(t->line, frame, err);
}

static int open_line(struct audio_task *t, const Gm__ChunkHeader *header, struct gm_err *err)
{
    const Gm__Rational *zero = t->facts->zero;
    struct gm_audio_line_params params = {
        .sample_rate = t->track->params->sample_rate,
        .channels = t->track->params->channels,
        .time_base = gm_av_rational(header->time_base),
        .zero_num = zero != NULL ? zero->num : 0,
        .zero_den = zero != NULL && zero->den != 0 ? zero->den : 1,
        .max_samples = max_samples(t),
        .sink = take_samples,
        .arg = t,
    };
    return gm_audio_line_create(&params, &t->line, err);
}

/* The sound's end: padded to the video's, the last AAC frame filled with silence. */
static int end_track(struct audio_task *t, int64_t programme_end_ts, struct gm_err *err)
{
    int64_t rate = t->track->params->sample_rate;
    if (programme_end_ts < 0 || programme_end_ts / t->policy->timescale > MAX_PROGRAMME_S) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a programme that ends at %lld/%u s",
                          (long long)programme_end_ts, t->policy->timescale);
    }
    int64_t end = av_rescale_rnd(programme_end_ts, rate, t->policy->timescale, AV_ROUND_UP);
    int rc = gm_audio_decode_end(t->decode, err);
    if (rc < 0 || (rc = gm_audio_line_end(t->line, end > 0 ? end : 1, err)) < 0) {
        return rc;
    }
    if (t->filled > 0 &&
        (rc = take_samples(NULL, (size_t)(GM_AAC_FRAME - t->filled), t, err)) < 0) {
        return rc;
    }
    if ((rc = encode(t, NULL, err)) < 0) {
        return rc;
    }
    return gm_audio_segments_end(t->segments, err);
}

/* *out_last: this chunk is the track's last. */
static int take_chunk(struct audio_task *t, const struct gm_task_input *input, uint32_t index,
                      bool *out_last, struct gm_err *err)
{
    int fd = -1;
    const Gm__ChunkHeader *header = NULL;
    int rc = t->io->open_object(t->io->self, input, 0, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = gm_audio_decode_open(t->decode, fd, &header, err)) < 0) {
        goto out;
    }
    if (header->index != index || header->stream != input->item->stream) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "chunk %u of stream %u stands for %u of %u",
                        header->index, header->stream, index, input->item->stream);
        goto out;
    }
    if (t->line == NULL && (rc = open_line(t, header, err)) < 0) {
        goto out;
    }
    if ((rc = gm_audio_segments_borders(t->segments, header->segment_starts_ts,
                                        header->n_segment_starts_ts, err)) < 0 ||
        (rc = gm_audio_decode_run(t->decode, err)) < 0) {
        goto out;
    }
    report(t);
    *out_last = header->last;
    if (header->last) {
        rc = end_track(t, header->programme_end_ts, err);
    }
out:
    close(fd);
    return rc;
}

static int take_chunks(struct audio_task *t, struct gm_err *err)
{
    bool last = false;
    for (uint32_t index = 0; !last;) {
        struct gm_task_input input;
        bool more = false;
        int rc = t->io->next_input(t->io->self, &more, &input, err);
        if (rc < 0) {
            return rc;
        }
        if (!more) {
            return gm_err_set(err, GM_E_PROTO, 0, "the sound ends without its last chunk");
        }
        if (input.item->stream != 1 + t->io->spec->instance) {
            continue; /* another stream of split's */
        }
        if ((rc = take_chunk(t, &input, index++, &last, err)) < 0) {
            return rc;
        }
    }
    return 0;
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
        return gm_err_set(err, GM_E_MEDIA, 0, "this AAC encoder is not the one of the plan");
    }
    t->frame = av_frame_alloc();
    t->packet = av_packet_alloc();
    if (t->frame == NULL || t->packet == NULL) {
        return gm_err_nomem(err);
    }
    t->frame->format = t->encoder->sample_fmt;
    t->frame->nb_samples = GM_AAC_FRAME;
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
    if ((rc = open_encoder(t, err)) < 0 ||
        (rc = gm_audio_decode_create(t->io, take_frame, t, &t->decode, err)) < 0) {
        return rc;
    }
    struct gm_audio_segments_params params = {
        .io = t->io,
        .track = t->track->name,
        .track_index = spec->instance,
        .sample_rate = t->track->params->sample_rate,
        .priming_samples = t->track->priming_samples,
        .timescale = t->policy->timescale,
    };
    for (size_t i = 0; i < spec->n_skip; i++) {
        params.skip_items = spec->skip[i]->stream == 0 ? spec->skip[i]->count : params.skip_items;
    }
    return gm_audio_segments_create(&params, &t->segments, err);
}

static int finish(struct audio_task *t, struct gm_err *err)
{
    struct gm_audio_line_counts counts = gm_audio_line_counts(t->line);
    const struct {
        const char *code;
        const char *text;
        int64_t count;
    } rows[] = {
        {"audio.decode_errors", "sound packets could not be decoded; the gap is silent",
         gm_audio_decode_errors(t->decode)},
        {"audio.gaps", "gaps in the sound's time stamps were filled with silence", counts.gaps},
        {"audio.overlaps", "frames of sound overlapped what came before and were trimmed",
         counts.overlaps},
        {"audio.timestamps", "time stamps of the sound were not believed", counts.bad_times},
    };
    Gm__Warning warnings[4];
    Gm__Warning *list[4];
    Gm__AudioMeta meta = GM__AUDIO_META__INIT;
    meta.samples = counts.samples;
    meta.warnings = list;
    for (size_t i = 0; i < 4; i++) {
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
        rc = take_chunks(&t, err);
    }
    if (rc == 0) {
        rc = finish(&t, err);
    }
    gm_audio_segments_destroy(&t.segments);
    gm_audio_line_destroy(&t.line);
    gm_audio_decode_destroy(&t.decode);
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
