/* See audio_source.h. */
#include "media/audio/audio_source.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/array.h"
#include "media/audio/audio_decode.h"
#include "media/av.h"

#define MAX_PROGRAMME_S (48 * 3600)

struct gm_audio_source {
    struct gm_audio_source_params p;
    const Gm__AudioTrack *track;  /* borrowed */
    struct gm_task_input *inputs; /* owned: the track's chunks, for another run */
    size_t input_count, input_cap;
    struct gm_audio_decode *decode; /* owned */
    struct gm_audio_line *line;     /* owned; NULL until the first chunk */
    struct gm_audio_source_counts counts;
};

int gm_audio_source_create(const struct gm_audio_source_params *params,
                           struct gm_audio_source **out, struct gm_err *err)
{
    const Gm__Policy *policy = params->policy;
    if (params->track >= policy->n_audio || policy->audio[params->track]->params == NULL ||
        policy->timescale == 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has no sound track %u", params->track);
    }
    struct gm_audio_source *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->p = *params;
    s->track = policy->audio[params->track];
    *out = s;
    return 0;
}

void gm_audio_source_destroy(struct gm_audio_source **s)
{
    if (*s == NULL) {
        return;
    }
    gm_audio_line_destroy(&(*s)->line);
    gm_audio_decode_destroy(&(*s)->decode);
    free((*s)->inputs);
    free(*s);
    *s = NULL;
}

struct gm_audio_source_counts gm_audio_source_counts(const struct gm_audio_source *s)
{
    return s->counts;
}

/* gm_audio_frame_fn */
static int take_frame(const AVFrame *frame, void *arg, struct gm_err *err)
{
    struct gm_audio_source *s = arg;
    return gm_audio_line_frame(s->line, frame, err);
}

static int open_line(struct gm_audio_source *s, const Gm__ChunkHeader *header, struct gm_err *err)
{
    const Gm__Rational *zero = s->p.facts->zero;
    struct gm_audio_line_params params = {
        .sample_rate = s->track->params->sample_rate,
        .channels = s->track->params->channels,
        .time_base = gm_av_rational(header->time_base),
        .zero_num = zero != NULL ? zero->num : 0,
        .zero_den = zero != NULL && zero->den != 0 ? zero->den : 1,
        .max_samples = (int64_t)MAX_PROGRAMME_S * s->track->params->sample_rate,
        .sink = s->p.sink,
        .arg = s->p.arg,
    };
    return gm_audio_line_create(&params, &s->line, err);
}

/* The sound's end: the last frames, and silence up to the video's end. */
static int end_track(struct gm_audio_source *s, int64_t programme_end_ts, struct gm_err *err)
{
    int64_t rate = s->track->params->sample_rate;
    uint32_t timescale = s->p.policy->timescale;
    if (programme_end_ts < 0 || programme_end_ts / timescale > MAX_PROGRAMME_S) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a programme that ends at %lld/%u s",
                          (long long)programme_end_ts, timescale);
    }
    int64_t end = av_rescale_rnd(programme_end_ts, rate, timescale, AV_ROUND_UP);
    int rc = gm_audio_decode_end(s->decode, err);
    return rc < 0 ? rc : gm_audio_line_end(s->line, end > 0 ? end : 1, err);
}

/* *out_last: this chunk is the track's last. */
static int take_chunk(struct gm_audio_source *s, const struct gm_task_input *input, uint32_t index,
                      bool *out_last, struct gm_err *err)
{
    int fd = -1;
    const Gm__ChunkHeader *header = NULL;
    int rc = s->p.io->open_object(s->p.io->self, input, 0, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = gm_audio_decode_open(s->decode, fd, &header, err)) < 0) {
        goto out;
    }
    if (header->index != index || header->stream != input->item->stream) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "chunk %u of stream %u stands for %u of %u",
                        header->index, header->stream, index, input->item->stream);
        goto out;
    }
    if (s->line == NULL && (rc = open_line(s, header, err)) < 0) {
        goto out;
    }
    if (s->p.borders != NULL &&
        (rc = s->p.borders(header->segment_starts_ts, header->n_segment_starts_ts, s->p.arg, err)) <
            0) {
        goto out;
    }
    if ((rc = gm_audio_decode_run(s->decode, err)) < 0) {
        goto out;
    }
    *out_last = header->last;
    if (header->last) {
        rc = end_track(s, header->programme_end_ts, err);
    }
out:
    close(fd);
    return rc;
}

/* The track's chunk number `index`: one that was read before, or the next that comes. */
static int next_input(struct gm_audio_source *s, size_t index, struct gm_task_input *out,
                      struct gm_err *err)
{
    if (index < s->input_count) {
        *out = s->inputs[index];
        return 0;
    }
    for (;;) {
        bool more = false;
        int rc = s->p.io->next_input(s->p.io->self, &more, out, err);
        if (rc == 0 && !more) {
            rc = gm_err_set(err, GM_E_PROTO, 0, "the sound ends without its last chunk");
        }
        if (rc < 0) {
            return rc;
        }
        if (out->item->stream != 1 + s->p.track) {
            continue; /* another stream of split's */
        }
        rc =
            gm_array_reserve(&s->inputs, s->input_count, 1, &s->input_cap, sizeof(*s->inputs), err);
        if (rc == 0) {
            s->inputs[s->input_count++] = *out;
        }
        return rc;
    }
}

int gm_audio_source_run(struct gm_audio_source *s, struct gm_err *err)
{
    bool last = false;
    gm_audio_line_destroy(&s->line);
    gm_audio_decode_destroy(&s->decode);
    int rc = gm_audio_decode_create(s->p.io, take_frame, s, &s->decode, err);
    for (uint32_t index = 0; rc == 0 && !last; index++) {
        struct gm_task_input input;
        rc = next_input(s, index, &input, err);
        if (rc == 0) {
            rc = take_chunk(s, &input, index, &last, err);
        }
    }
    if (rc == 0) {
        s->counts.line = gm_audio_line_counts(s->line);
        s->counts.decode_errors = gm_audio_decode_errors(s->decode);
    }
    return rc;
}
