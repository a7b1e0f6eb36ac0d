/* The audio task: one sound track of the whole programme, from split's chunks to CMAF segments.
 *
 *   chunks -> audio_source (one run of samples from programme zero) -> AAC or Opus encoder
 *          -> audio_segments (cut at the video's borders, written, announced as it goes)
 *
 * Every stage works on counts, so bytes do not depend on how the chunks came. libav*'s vector code
 * is off while the task runs: see audio.h. */
#include <stdio.h>
#include <string.h>

#include "common/warnings.h"
#include "media/audio/audio.h"
#include "media/audio/audio_encode.h"
#include "media/audio/audio_segments.h"
#include "media/audio/audio_source.h"
#include "media/av.h"
#include "media/results.h"
#include "media/task_io.h"
#include "proto/envelope.h"

struct audio_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__AudioTrack *track;
    Gm__LoudnessMeta *loudness;         /* owned; NULL: the pipeline measures none */
    struct gm_audio_source *source;     /* owned */
    struct gm_audio_encode *encode;     /* owned */
    struct gm_audio_segments *segments; /* owned */
};

static void report(struct audio_task *t)
{
    uint64_t done = (uint64_t)gm_audio_segments_frames(t->segments);
    int64_t total = av_rescale(t->policy->estimated_duration_us, t->track->params->sample_rate,
                               (int64_t)gm_audio_frame_samples(t->track->params) * 1000000);
    t->io->progress(t->io->self, done, total > (int64_t)done ? (uint64_t)total : done);
}

/* gm_audio_packet_fn */
static int take_packet(const AVPacket *packet, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    if (gm_audio_segments_frames(t->segments) % 32 == 0) {
        report(t);
    }
    return gm_audio_segments_frame(t->segments, packet->data, (size_t)packet->size, err);
}

/* gm_audio_sink_fn */
static int take_samples(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    return gm_audio_encode_samples(t->encode, planes, count, err);
}

/* gm_audio_borders_fn */
static int take_borders(const int64_t *starts_ts, size_t count, void *arg, struct gm_err *err)
{
    struct audio_task *t = arg;
    report(t);
    return gm_audio_segments_borders(t->segments, starts_ts, count, err);
}

static int encode_all(struct audio_task *t, struct gm_err *err)
{
    int rc = gm_audio_source_run(t->source, err);
    struct gm_audio_source_counts counts = gm_audio_source_counts(t->source);
    if (rc == 0 && t->policy->n_renditions == 0 && counts.line.frames == 0) {
        return gm_err_set(err, GM_E_INPUT_DAMAGED, 0, "no sound of track %s could be decoded",
                          t->track->name);
    }
    if (rc == 0) {
        rc = gm_audio_encode_end(t->encode, err);
    }
    return rc < 0 ? rc : gm_audio_segments_end(t->segments, counts.line.samples, err);
}

/* What the loudness task found out about this track, where the plan names one. */
static int find_loudness(struct audio_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    if (t->track->loudness_task[0] == '\0') {
        return 0;
    }
    for (size_t i = 0; i < spec->n_results; i++) {
        const Gm__TaskResult *r = spec->results[i];
        if (strcmp(r->task, t->track->loudness_task) == 0 && r->instance == spec->instance) {
            ProtobufCMessage *msg = NULL;
            int rc = gm_message_decode(&gm__loudness_meta__descriptor, r->meta.data, r->meta.len,
                                       GM_META_MAX_BYTES, &msg, err);
            t->loudness = rc == 0 ? (Gm__LoudnessMeta *)msg : NULL;
            return rc;
        }
    }
    return gm_err_set(err, GM_E_PROTO, 0, "the loudness of track %s is not there", t->track->name);
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
    struct gm_audio_source_params source = {
        .io = t->io,
        .facts = t->facts,
        .policy = t->policy,
        .track = spec->instance,
        .sink = take_samples,
        .borders = take_borders,
        .arg = t,
    };
    if ((rc = find_loudness(t, err)) < 0) {
        return rc;
    }
    float gain = gm_audio_gain(t->loudness != NULL ? t->loudness->gain_db : 0);
    if ((rc = gm_audio_encode_create(t->track, gain, take_packet, t, &t->encode, err)) < 0 ||
        (rc = gm_audio_source_create(&source, &t->source, err)) < 0) {
        return rc;
    }
    struct gm_audio_segments_params params = {
        .io = t->io,
        .track = t->track->name,
        .track_index = spec->instance,
        .sample_rate = t->track->params->sample_rate,
        .priming_samples = t->track->priming_samples,
        .frame_samples = gm_audio_frame_samples(t->track->params),
        .timescale = t->policy->timescale,
    };
    for (size_t i = 0; i < spec->n_skip; i++) {
        params.skip_items = spec->skip[i]->stream == 0 ? spec->skip[i]->count : params.skip_items;
    }
    return gm_audio_segments_create(&params, &t->segments, err);
}

#define ROWS 6
static int finish(struct audio_task *t, struct gm_err *err)
{
    struct gm_audio_source_counts source = gm_audio_source_counts(t->source);
    struct gm_audio_line_counts counts = source.line;
    char drift[160];
    (void)snprintf(drift, sizeof drift,
                   "the sound's time stamps drift: %.1f s of it were made longer or shorter by "
                   "1/500 to stay with them",
                   (double)counts.stretched / t->track->params->sample_rate);
    const struct {
        enum gm_warning code;
        const char *text;
        int64_t count;
    } rows[ROWS] = {
        {GM_W_AUDIO_DECODE_ERRORS, "sound packets could not be decoded; the gap is silent",
         source.decode_errors},
        {GM_W_AUDIO_GAPS, "gaps in the sound's time stamps were filled with silence", counts.gaps},
        {GM_W_AUDIO_OVERLAPS, "frames of sound overlapped what came before and were trimmed",
         counts.overlaps},
        {GM_W_AUDIO_DRIFT, drift, counts.stretches},
        {GM_W_AUDIO_ARITHMETIC,
         "this machine's processor rounds otherwise than the planning one's: the Opus frames have "
         "other bytes than there",
         t->track->arithmetic != gm_audio_arithmetic(t->track->params)},
        {GM_W_AUDIO_TIMESTAMPS, "time stamps of the sound were not believed", counts.bad_times},
    };
    Gm__Warning warnings[ROWS];
    Gm__Warning *list[ROWS];
    Gm__AudioMeta meta = GM__AUDIO_META__INIT;
    meta.samples = counts.samples;
    meta.loudness = t->loudness;
    meta.warnings = list;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].count == 0) {
            continue;
        }
        Gm__Warning *w = &warnings[meta.n_warnings];
        *w = (Gm__Warning)GM__WARNING__INIT;
        w->code = (char *)(uintptr_t)gm_warning_get(rows[i].code)->code;
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
    gm_audio_encode_destroy(&t.encode);
    if (t.loudness != NULL) {
        gm__loudness_meta__free_unpacked(t.loudness, NULL);
    }
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    if (t.facts != NULL) {
        gm__inspection__free_unpacked(t.facts, NULL);
    }
    gm_audio_cpu_end(flags);
    return rc;
}
