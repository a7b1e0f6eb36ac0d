/* Segments read back and compared with what was announced. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/audio/audio.h"
#include "media/format/bitstream.h"
#include "media/results.h"
#include "media/verify/verify.h"

#define MAX_SEGMENT_BYTES (2000u << 20)

int gm_verify_fail(struct gm_err *err, const struct gm_verify_segment *s, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "segment %u of %s: %s", s->meta->number, s->where,
                      text);
}

void gm_verify_segment_fini(struct gm_verify_segment *s)
{
    free(s->data);
    free(s->samples);
    memset(s, 0, sizeof(*s));
}

/* Position of the object that is called so, or -1. */
static ptrdiff_t find_object(const Gm__Item *item, const char *name)
{
    for (size_t i = 0; i < item->n_objects; i++) {
        const char *slash = strrchr(item->objects[i]->key, '/');
        if (strcmp(slash != NULL ? slash + 1 : item->objects[i]->key, name) == 0) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

static int read_object(struct gm_task_io *io, const struct gm_task_input *input, size_t object,
                       struct gm_verify_segment *s, struct gm_err *err)
{
    int fd = -1;
    int rc = io->open_object(io->self, input, object, &fd, err);
    if (rc < 0) {
        return rc;
    }
    /* the descriptor may share its offset with one that was used before */
    rc = lseek(fd, 0, SEEK_SET) < 0 ? gm_err_sys(err, errno, "seek in an object")
                                    : gm_fs_read_fd(fd, MAX_SEGMENT_BYTES, &s->data, &s->size, err);
    close(fd);
    return rc;
}

static int check_bytes(const struct gm_verify_segment *s, const Gm__Object *object,
                       void (*name_of)(uint32_t number, const uint8_t sha256[32], char out[32]),
                       struct gm_err *err)
{
    const Gm__SegmentMeta *meta = s->meta;
    uint8_t sha256[GM_SHA256_SIZE];
    char name[32];
    gm_sha256(s->data, s->size, sha256);
    name_of(meta->number, sha256, name);
    if (s->size != meta->size || (object->size != 0 && object->size != s->size)) {
        return gm_verify_fail(err, s, "%zu bytes instead of %llu", s->size,
                              (unsigned long long)meta->size);
    }
    if (meta->sha256.len != GM_SHA256_SIZE ||
        memcmp(meta->sha256.data, sha256, GM_SHA256_SIZE) != 0 ||
        (object->sha256.len == GM_SHA256_SIZE &&
         memcmp(object->sha256.data, sha256, GM_SHA256_SIZE) != 0)) {
        return gm_verify_fail(err, s, "its bytes have another hash than was announced");
    }
    if (strcmp(name, meta->name) != 0) {
        return gm_verify_fail(err, s, "it is named %.60s instead of %s", meta->name, name);
    }
    return 0;
}

/* gm_fmp4_read_segment's fn; -1: out of memory. */
static int take_sample(const struct gm_fmp4_read_sample *sample, void *arg)
{
    struct gm_verify_segment *s = arg;
    int rc = gm_array_reserve(&s->samples, s->count, 1, &s->cap, sizeof(*s->samples), NULL);
    if (rc < 0) {
        return rc;
    }
    s->samples[s->count++] = *sample;
    return 0;
}

int gm_verify_bytes(struct gm_task_io *io, const struct gm_task_input *input, const char *where,
                    const Gm__SegmentMeta *meta,
                    void (*name)(uint32_t number, const uint8_t sha256[32], char out[32]),
                    struct gm_verify_segment *out, struct gm_err *err)
{
    struct gm_verify_segment s = {.meta = meta, .where = where};
    ptrdiff_t object = find_object(input->item, meta->name);
    if (object < 0) {
        return gm_verify_fail(err, &s, "its file %.60s was not announced", meta->name);
    }
    int rc = read_object(io, input, (size_t)object, &s, err);
    if (rc == 0) {
        rc = check_bytes(&s, input->item->objects[object], name, err);
    }
    if (rc < 0) {
        gm_verify_segment_fini(&s);
        return rc;
    }
    *out = s;
    return 0;
}

int gm_verify_read(struct gm_task_io *io, const struct gm_task_input *input, const char *where,
                   const Gm__SegmentMeta *meta, struct gm_verify_segment *out, struct gm_err *err)
{
    struct gm_verify_segment s = {0};
    struct gm_err cause = {0};
    int rc = gm_verify_bytes(io, input, where, meta, gm_segment_name, &s, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fmp4_read_segment(s.data, s.size, take_sample, &s, &cause);
    if (rc == -GM_E_NOMEM) {
        rc = gm_err_nomem(err);
    } else if (rc < 0) {
        rc = gm_verify_fail(err, &s, "%s", cause.text);
    }
    if (rc == 0 && s.count != meta->samples) {
        rc = gm_verify_fail(err, &s, "%zu samples instead of %u", s.count, meta->samples);
    }
    if (rc < 0) {
        gm_verify_segment_fini(&s);
        return rc;
    }
    *out = s;
    return 0;
}

/* Decode times are those that follow from the presentation times, without a gap to the GOP's end;
 * presentation times are different and lie in the GOP. */
static int check_times(const struct gm_verify_segment *s, const struct gm_fmp4_read_sample *samples,
                       size_t count, const Gm__GopMeta *gop, struct gm_err *err)
{
    struct gm_fmp4_sample *shown = calloc(count, sizeof(*shown));
    int64_t *times = calloc(count, sizeof(*times));
    int64_t dts = gop->start_ts;
    int64_t end = gop->start_ts + gop->duration_ts;
    bool right = true;
    if (shown == NULL || times == NULL) {
        free(shown);
        free(times);
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        shown[i].pts = samples[i].pts;
        right = right && samples[i].dts == dts && samples[i].pts >= gop->start_ts &&
                samples[i].pts < end;
        dts += samples[i].duration;
    }
    right = right && gm_fmp4_decode_times(shown, count, samples[0].delay_ts, times);
    for (size_t i = 0; i < count; i++) {
        right = right && times[i] == samples[i].dts;
    }
    free(shown);
    free(times);
    if (!right || dts != end) {
        return gm_verify_fail(err, s, "the GOP at %lld has wrong times", (long long)gop->start_ts);
    }
    return 0;
}

static int check_gop(const struct gm_verify_segment *s, const struct gm_fmp4_init *init,
                     const struct gm_fmp4_read_sample *samples, size_t count,
                     const Gm__GopMeta *gop, struct gm_err *err)
{
    uint64_t end = gop->offset + gop->size;
    const struct gm_fmp4_read_sample *last = &samples[count - 1];
    if (samples[0].offset <= gop->offset || last->offset + last->size != end ||
        samples[0].offset + samples[0].size != gop->offset + gop->idr_size) {
        return gm_verify_fail(err, s, "the GOP at %lld lies elsewhere than announced",
                              (long long)gop->start_ts);
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = init->codec->fault(
            init->config, init->config_size, s->data + samples[i].offset, samples[i].size, i == 0);
        if (samples[i].sync != (i == 0)) {
            fault = i == 0 ? "it is not marked as a keyframe" : "it is marked as a keyframe";
        }
        if (fault != NULL) {
            return gm_verify_fail(err, s, "sample %zu of the GOP at %lld: %s", i,
                                  (long long)gop->start_ts, fault);
        }
    }
    return check_times(s, samples, count, gop, err);
}

int gm_verify_init(const struct gm_verify_segment *s, const Gm__Rendition *r, uint32_t timescale,
                   struct gm_fmp4_init *out, struct gm_err *err)
{
    struct gm_err cause = {0};
    struct gm_fmp4_init init;
    int rc = gm_fmp4_read_init(r->init_segment.data, r->init_segment.len, &init, &cause);
    if (rc < 0 || !init.video || init.timescale != timescale || init.width_px != r->width_px ||
        init.height_px != r->height_px || r->encode == NULL ||
        strcmp(init.codec->codec, r->encode->codec) != 0) {
        return gm_verify_fail(err, s, "the plan's init segment is not of this rendition; %s",
                              cause.text);
    }
    *out = init;
    return 0;
}

int gm_verify_video(const struct gm_verify_segment *s, const struct gm_fmp4_init *init,
                    uint32_t delay_ts, struct gm_err *err)
{
    const Gm__SegmentMeta *meta = s->meta;
    int64_t ts = meta->start_ts;
    uint64_t offset = meta->n_gops > 0 ? meta->gops[0]->offset : 0;
    size_t at = 0;
    for (size_t g = 0; g < meta->n_gops; g++) {
        const Gm__GopMeta *gop = meta->gops[g];
        size_t count = 0;
        while (at + count < s->count && s->samples[at + count].fragment == g) {
            count++;
        }
        if (count == 0 || gop->start_ts != ts || gop->offset != offset || gop->duration_ts <= 0 ||
            gop->size > s->size - offset) {
            return gm_verify_fail(err, s, "GOP %zu does not follow the one before", g + 1);
        }
        if (s->samples[at].delay_ts != delay_ts) {
            return gm_verify_fail(err, s, "GOP %zu has another delay than the init segment", g + 1);
        }
        int rc = check_gop(s, init, s->samples + at, count, gop, err);
        if (rc < 0) {
            return rc;
        }
        at += count;
        ts += gop->duration_ts;
        offset += gop->size;
    }
    if (at != s->count || offset != s->size || ts != meta->start_ts + meta->duration_ts) {
        return gm_verify_fail(err, s, "its GOPs are not what was announced");
    }
    return 0;
}

int gm_verify_audio(const struct gm_verify_segment *s, const Gm__AudioTrack *track, bool last,
                    int64_t *io_next_frame, struct gm_err *err)
{
    int64_t length = gm_audio_frame_samples(track->params);
    int64_t first = s->samples[0].dts / length;
    int64_t priming = track->priming_samples;
    int64_t start = first * length - priming;
    int64_t end = s->samples[s->count - 1].dts + s->samples[s->count - 1].duration - priming;
    start = start > 0 ? start : 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct gm_fmp4_read_sample *sample = &s->samples[i];
        bool may_be_cut = last && i + 1 == s->count && sample->duration > 0;
        bool whole = sample->duration == length || (may_be_cut && sample->duration < length);
        if (sample->dts != (first + (int64_t)i) * length || sample->pts != sample->dts || !whole ||
            !sample->sync || sample->fragment != 0) {
            return gm_verify_fail(err, s, "sound frame %zu has a wrong time", i);
        }
    }
    if ((*io_next_frame >= 0 && first != *io_next_frame) || s->meta->start_ts != start ||
        s->meta->duration_ts != end - start) {
        return gm_verify_fail(err, s, "it lasts from %lld to %lld, not as announced",
                              (long long)start, (long long)end);
    }
    *io_next_frame = first + (int64_t)s->count;
    return 0;
}
