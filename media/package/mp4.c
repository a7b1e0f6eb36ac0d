/* The mp4 task: one progressive file, moov first, of one rendition (none where the pipeline makes
 * sound alone) and all sound tracks: the
 * samples of the segments that are published anyway, put into another order.
 *
 * Segments are read one at a time (our own reader), libavformat's mov muxer writes. The delay of
 * the composition offsets becomes an earlier decode time; the muxer's edit list takes it, and the
 * sound's priming, out again. */
#include "media/package/mp4_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/warnings.h"
#include "media/av.h"
#include "media/package/mp4_text.h"
#include "media/package/package_collect.h"
#include "media/results.h"
#include "media/task_io.h"
#include "media/verify/verify.h"
#include "proto/envelope.h"

#define GROUP_MS 500 /* samples of one track that lie together */

struct track {
    const struct gm_segments *segments; /* borrowed */
    const char *name;
    size_t next; /* segment to read */
    struct gm_verify_segment current;
    size_t at; /* sample of current */
    AVRational time_base;
    int64_t shift; /* taken from all times: the priming */
    int64_t delay; /* video: decode times lie earlier by it than the segments say */
};

struct mp4_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__Mp4Output *output;
    struct gm_collection segments; /* owned */
    struct track *tracks;          /* owned: video, if there is one, then sound */
    size_t count;
    struct gm_mp4_writer *writer; /* owned */
    struct gm_mp4_text *text;     /* owned */
    int64_t text_left_out;
    uint64_t frames, frames_total;
};

/* Makes sure that there is a sample to take; *out_more = false: the track has ended. */
static int fill(struct mp4_task *t, struct track *track, bool *out_more, struct gm_err *err)
{
    while (track->at == track->current.count) {
        gm_verify_segment_fini(&track->current);
        track->at = 0;
        if (track->next == track->segments->count) {
            *out_more = false;
            return 0;
        }
        const struct gm_collected *e = &track->segments->entries[track->next++];
        int rc = gm_verify_read(t->io, &e->input, track->name, e->meta, &track->current, err);
        if (rc < 0) {
            return rc;
        }
    }
    *out_more = true;
    return 0;
}

static int write_sample(struct mp4_task *t, size_t index, struct gm_err *err)
{
    struct track *track = &t->tracks[index];
    const struct gm_fmp4_read_sample *sample = &track->current.samples[track->at];
    struct gm_mp4_sample out = {.data = track->current.data + sample->offset,
                                .size = sample->size,
                                .pts = sample->pts - track->shift,
                                .dts = sample->dts - track->delay - track->shift,
                                .duration = sample->duration,
                                .sync = sample->sync};
    if (out.dts > out.pts) {
        return gm_verify_fail(err, &track->current, "a picture is decoded after it is shown");
    }
    int rc = gm_mp4_writer_sample(t->writer, index, &out, err);
    track->at++;
    if (index == 0 && rc == 0) {
        t->frames++;
    }
    return rc;
}

static int64_t track_us(const struct track *track)
{
    int64_t ts = track->current.samples[track->at].dts - track->shift;
    return gm_av_rescale(ts, track->time_base, (AVRational){1, 1000000});
}

/* Takes samples from the track that is behind until it is GROUP_MS ahead of the next. */
static int mux(struct mp4_task *t, struct gm_err *err)
{
    for (;;) {
        size_t behind = SIZE_MAX;
        int64_t behind_us = 0;
        bool more = false;
        for (size_t i = 0; i < t->count; i++) {
            int rc = fill(t, &t->tracks[i], &more, err);
            if (rc < 0) {
                return rc;
            }
            if (more && (behind == SIZE_MAX || track_us(&t->tracks[i]) < behind_us)) {
                behind = i;
                behind_us = track_us(&t->tracks[i]);
            }
        }
        if (behind == SIZE_MAX) {
            return 0;
        }
        struct track *track = &t->tracks[behind];
        for (more = true; more && track_us(track) < behind_us + GROUP_MS * 1000;) {
            int rc = write_sample(t, behind, err);
            if (rc < 0 || (rc = fill(t, track, &more, err)) < 0) {
                return rc;
            }
        }
    }
}

static int add_video(struct mp4_task *t, struct gm_err *err)
{
    const Gm__Rendition *r = t->policy->renditions[t->output->rendition];
    struct gm_fmp4_init init;
    int rc = gm_fmp4_read_init(r->init_segment.data, r->init_segment.len, &init, err);
    if (rc < 0) {
        return rc;
    }
    if (!init.video) {
        return gm_err_set(err, GM_E_PROTO, 0, "the init segment of %s is not of pictures", r->name);
    }
    t->tracks[0].segments = &t->segments.video[t->output->rendition];
    t->tracks[0].name = r->name;
    t->tracks[0].delay = r->delay_ts;
    t->tracks[0].time_base = (AVRational){1, (int)t->policy->timescale};
    struct gm_mp4_video video = {.width_px = r->width_px,
                                 .height_px = r->height_px,
                                 .timescale = t->policy->timescale,
                                 .codec = init.codec,
                                 .config = init.config,
                                 .config_size = init.config_size,
                                 .rate = gm_av_rational(t->policy->timescale_rate),
                                 .rendition = r,
                                 .facts = t->facts->video};
    bool more = false;
    struct track *track = &t->tracks[0];
    if ((rc = gm_mp4_writer_add_video(t->writer, &video, err)) < 0 ||
        (rc = fill(t, track, &more, err)) < 0) {
        return rc;
    }
    return rc;
}

static int add_tracks(struct mp4_task *t, struct gm_err *err)
{
    size_t first = t->policy->n_renditions > 0 ? 1 : 0; /* sound track's place */
    int rc = first > 0 ? add_video(t, err) : 0;
    for (size_t i = 0; i < t->policy->n_audio && rc == 0; i++) {
        const Gm__AudioTrack *a = t->policy->audio[i];
        struct track *track = &t->tracks[first + i];
        if (a->params == NULL || a->params->sample_rate == 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "sound track %zu has no sample rate", i);
        }
        track->segments = &t->segments.audio[i];
        track->name = a->name;
        track->time_base = (AVRational){1, (int)a->params->sample_rate};
        track->shift = a->priming_samples;
        rc = gm_mp4_writer_add_audio(t->writer, a, err);
    }
    if (rc < 0) {
        return rc;
    }
    const struct gm_segments *leading = t->tracks[0].segments;
    const Gm__SegmentMeta *last = leading->list[leading->count - 1];
    for (size_t i = 0; i < leading->count; i++) {
        t->frames_total += leading->list[i]->samples;
    }
    int64_t end_ms = gm_av_rescale(last->start_ts + last->duration_ts, t->tracks[0].time_base,
                                   (AVRational){1, 1000});
    rc = gm_mp4_text_open(t->io, t->policy, t->writer, t->count, end_ms, &t->text, err);
    return rc == 0 ? gm_mp4_writer_set_chapters(t->writer, t->policy->chapters,
                                                t->policy->n_chapters, err)
                   : rc;
}

static int open_task(struct mp4_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    int rc = gm_results_policy(spec, &t->policy, err);
    if (rc < 0 || (rc = gm_results_inspection(spec, &t->facts, err)) < 0) {
        return rc;
    }
    if (spec->instance >= t->policy->n_mp4 ||
        (t->policy->n_renditions > 0 &&
         t->policy->mp4[spec->instance]->rendition >= t->policy->n_renditions) ||
        !gm_is_file_name(t->policy->mp4[spec->instance]->name)) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has no MP4 file %u", spec->instance);
    }
    t->output = t->policy->mp4[spec->instance];
    t->count = (t->policy->n_renditions > 0 ? 1 : 0) + t->policy->n_audio;
    t->tracks = calloc(t->count, sizeof(*t->tracks));
    if (t->tracks == NULL) {
        return gm_err_nomem(err);
    }
    return gm_collect(t->io, t->policy, &t->segments, err);
}

/* Also the tick of the writer. */
static void report(void *arg)
{
    struct mp4_task *t = arg;
    t->io->progress(t->io->self, t->frames, t->frames_total);
}

static int hash_file(struct mp4_task *t, int fd, uint8_t out[GM_SHA256_SIZE], uint64_t *out_size,
                     struct gm_err *err)
{
    static const size_t step = 1 << 20;
    struct gm_sha256 *hash = gm_sha256_create();
    uint8_t *buf = malloc(step);
    uint64_t size = 0;
    int rc = hash == NULL || buf == NULL ? gm_err_nomem(err) : 0;
    while (rc == 0) {
        ssize_t n = pread(fd, buf, step, (off_t)size);
        if (n < 0 && errno != EINTR) {
            rc = gm_err_sys(err, errno, "read of %s", t->output->name);
        }
        if (n == 0) {
            break;
        }
        if (n > 0) {
            gm_sha256_update(hash, buf, (size_t)n);
            size += (uint64_t)n;
            report(t);
        }
    }
    if (rc == 0) {
        gm_sha256_final(hash, out);
        *out_size = size;
    }
    free(buf);
    gm_sha256_destroy(&hash);
    return rc;
}

static int finish(struct mp4_task *t, int fd, struct gm_err *err)
{
    uint8_t sha256[GM_SHA256_SIZE];
    char path[160];
    Gm__Mp4Meta meta = GM__MP4_META__INIT;
    Gm__NamedFile named = GM__NAMED_FILE__INIT;
    Gm__WFile file = GM__WFILE__INIT;
    int rc = hash_file(t, fd, sha256, &named.size, err);
    if (rc < 0 || (rc = gm_fs_path(path, sizeof(path), err, "mp4/%s", t->output->name)) < 0) {
        return rc;
    }
    named.name = t->output->name;
    named.path = path;
    named.sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, sha256};
    meta.file = &named;
    Gm__Warning warning = GM__WARNING__INIT;
    Gm__Warning *warnings[1] = {&warning};
    if (t->text_left_out > 0) {
        warning.code = (char *)(uintptr_t)gm_warning_get(GM_W_MP4_TEXT_LEFT_OUT)->code;
        warning.text = (char *)(uintptr_t) "subtitles are too many at once for the MP4 file";
        warning.count = t->text_left_out;
        meta.warnings = warnings;
        meta.n_warnings = 1;
    }
    file.name = t->output->name;
    file.store = GM__OBJECT_STORE__STORE_OUT;
    file.path = path;
    return t->io->finish(t->io->self, &file, 1, &meta.base, NULL, 0, NULL, err);
}

static int write_file(struct mp4_task *t, struct gm_err *err)
{
    int fd = -1;
    int rc = t->io->create_file(t->io->self, t->output->name, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = gm_mp4_writer_open(fd, report, t, &t->writer, err)) < 0 ||
        (rc = add_tracks(t, err)) < 0 || (rc = gm_mp4_writer_begin(t->writer, err)) < 0 ||
        (rc = gm_mp4_text_write(t->text, &t->text_left_out, err)) < 0 || (rc = mux(t, err)) < 0 ||
        (rc = gm_mp4_writer_end(t->writer, err)) < 0) {
        goto out;
    }
    rc = finish(t, fd, err);
out:
    gm_mp4_text_close(&t->text);
    gm_mp4_writer_close(&t->writer);
    close(fd);
    return rc;
}

int gm_task_mp4(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct mp4_task t = {.io = io};
    *out_chunk = -1;
    int rc = open_task(&t, err);
    if (rc == 0) {
        rc = write_file(&t, err);
    }
    for (size_t i = 0; t.tracks != NULL && i < t.count; i++) {
        gm_verify_segment_fini(&t.tracks[i].current);
    }
    free(t.tracks);
    gm_collection_fini(&t.segments);
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    if (t.facts != NULL) {
        gm__inspection__free_unpacked(t.facts, NULL);
    }
    return rc;
}
