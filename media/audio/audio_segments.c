/* See audio_segments.h. */
#include "media/audio/audio_segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/format/fmp4.h"
#include "media/results.h"

#define TAIL_S 6     /* length of a segment after the last border */
#define MIN_TAIL_S 1 /* less than that is left in the segment before */
#define MAX_PENDING_BYTES (1u << 30)

struct segment {
    Gm__SegmentMeta meta;
    char name[32];
    uint8_t sha256[GM_SHA256_SIZE];
};

struct gm_audio_segments {
    struct gm_audio_segments_params p;
    int64_t *borders; /* owned */
    size_t border_count, border_cap;
    size_t border_at;    /* the next one that may cut */
    struct gm_buf bytes; /* frames not yet in a segment, one after the other */
    uint32_t *sizes;     /* owned; their sizes */
    size_t frames, frames_cap;
    int64_t first; /* number of the first of them */
    int64_t end;   /* presentation time at which the sound ends; INT64_MAX: not yet known */
    uint32_t segments;
    struct segment group[GM_AUDIO_ITEM_SEGMENTS]; /* written, not announced */
    uint32_t group_count;
    uint32_t items;
};

int gm_audio_segments_create(const struct gm_audio_segments_params *params,
                             struct gm_audio_segments **out, struct gm_err *err)
{
    if (params->sample_rate == 0 || params->timescale == 0 || params->frame_samples == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a track without sample rate, timescale or frames");
    }
    struct gm_audio_segments *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->p = *params;
    s->end = INT64_MAX;
    *out = s;
    return 0;
}

void gm_audio_segments_destroy(struct gm_audio_segments **s)
{
    if (*s == NULL) {
        return;
    }
    free((*s)->borders);
    free((*s)->sizes);
    gm_buf_fini(&(*s)->bytes);
    free(*s);
    *s = NULL;
}

int64_t gm_audio_segments_frames(const struct gm_audio_segments *s)
{
    return s->first + (int64_t)s->frames;
}

/* Presentation time of frame number n; the priming before 0 belongs to no time, as what comes after
 * the end. */
static int64_t frame_start(const struct gm_audio_segments *s, int64_t n)
{
    int64_t start = n * s->p.frame_samples - s->p.priming_samples;
    start = start < s->end ? start : s->end;
    return start > 0 ? start : 0;
}

/* The first frame that starts at or after border (timescale). */
static int64_t frame_at(const struct gm_audio_segments *s, int64_t border)
{
    __int128 num =
        (__int128)border * s->p.sample_rate + (__int128)s->p.priming_samples * s->p.timescale;
    __int128 den = (__int128)s->p.timescale * s->p.frame_samples;
    return (int64_t)((num + den - 1) / den);
}

static int write_file(struct gm_audio_segments *s, const char *name, const struct gm_buf *data,
                      struct gm_err *err)
{
    int fd = -1;
    int rc = s->p.io->create_file(s->p.io->self, name, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, data->data, data->size, err);
    if (close(fd) < 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "close of %s", name);
    }
    return rc;
}

/* One item: the group's segments. */
static int announce(struct gm_audio_segments *s, bool last, struct gm_err *err)
{
    Gm__WFile files[GM_AUDIO_ITEM_SEGMENTS];
    Gm__SegmentMeta *metas[GM_AUDIO_ITEM_SEGMENTS];
    char paths[GM_AUDIO_ITEM_SEGMENTS][192];
    uint32_t index = s->items;
    int rc = 0;
    for (uint32_t i = 0; i < s->group_count; i++) {
        struct segment *seg = &s->group[i];
        if ((rc = gm_fs_path(paths[i], sizeof(paths[i]), err, "audio/%s/%s", s->p.track,
                             seg->name)) < 0) {
            return rc;
        }
        files[i] = (Gm__WFile)GM__WFILE__INIT;
        files[i].name = seg->name;
        files[i].store = gm_results_segment_store(s->p.io->spec);
        files[i].path = paths[i];
        metas[i] = &seg->meta;
    }
    if (index >= s->p.skip_items) {
        Gm__AudioItemMeta meta = GM__AUDIO_ITEM_META__INIT;
        meta.track = s->p.track_index;
        meta.segments = metas;
        meta.n_segments = s->group_count;
        rc =
            s->p.io->produce(s->p.io->self, 0, index, last, files, s->group_count, &meta.base, err);
    }
    s->items++;
    s->group_count = 0;
    return rc;
}

/* moof+mdat of the first `count` pending frames. */
static int build(struct gm_audio_segments *s, size_t count, struct gm_buf *out, struct gm_err *err)
{
    struct gm_fmp4_sample *samples = calloc(count, sizeof(*samples));
    if (samples == NULL) {
        return gm_err_nomem(err);
    }
    size_t at = 0;
    int64_t end = (s->first + (int64_t)count) * s->p.frame_samples;
    end = end - s->p.priming_samples < s->end ? end : s->end + s->p.priming_samples;
    for (size_t i = 0; i < count; i++) {
        samples[i].data = s->bytes.data + at;
        samples[i].size = s->sizes[i];
        samples[i].pts = (s->first + (int64_t)i) * s->p.frame_samples;
        samples[i].sync = true;
        at += s->sizes[i];
    }
    gm_fmp4_segment_start(out);
    int rc = gm_fmp4_fragment((s->segments + 1) * 16, GM_FMP4_SOUND, samples, count, end, out, NULL,
                              err);
    free(samples);
    return rc;
}

static void drop_frames(struct gm_audio_segments *s, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += s->sizes[i];
    }
    memmove(s->bytes.data, s->bytes.data + bytes, s->bytes.size - bytes);
    s->bytes.size -= bytes;
    memmove(s->sizes, s->sizes + count, (s->frames - count) * sizeof(*s->sizes));
    s->frames -= count;
    s->first += (int64_t)count;
}

/* Makes a segment of the first `count` pending frames. */
static int close_segment(struct gm_audio_segments *s, size_t count, struct gm_err *err)
{
    struct gm_buf data = {0};
    int rc = s->group_count == GM_AUDIO_ITEM_SEGMENTS ? announce(s, false, err) : 0;
    if (rc < 0 || (rc = build(s, count, &data, err)) < 0) {
        goto out;
    }
    struct segment *seg = &s->group[s->group_count];
    gm_sha256(data.data, data.size, seg->sha256);
    gm_segment_name(s->segments + 1, seg->sha256, seg->name);
    if (s->items >= s->p.skip_items && (rc = write_file(s, seg->name, &data, err)) < 0) {
        goto out;
    }
    seg->meta = (Gm__SegmentMeta)GM__SEGMENT_META__INIT;
    seg->meta.number = ++s->segments;
    seg->meta.name = seg->name;
    seg->meta.size = data.size;
    seg->meta.sha256.data = seg->sha256;
    seg->meta.sha256.len = GM_SHA256_SIZE;
    seg->meta.start_ts = frame_start(s, s->first);
    seg->meta.duration_ts = frame_start(s, s->first + (int64_t)count) - seg->meta.start_ts;
    seg->meta.samples = (uint32_t)count;
    s->group_count++;
    drop_frames(s, count);
out:
    gm_buf_fini(&data);
    return rc;
}

/* Makes all segments whose end is known. */
static int cut(struct gm_audio_segments *s, struct gm_err *err)
{
    while (s->border_at < s->border_count) {
        int64_t end = frame_at(s, s->borders[s->border_at]);
        if (s->first + (int64_t)s->frames < end) {
            return 0;
        }
        /* an end without a moment of sound before it (the priming has none) is passed over */
        if (end > s->first && frame_start(s, end) > frame_start(s, s->first)) {
            int rc = close_segment(s, (size_t)(end - s->first), err);
            if (rc < 0) {
                return rc;
            }
        }
        s->border_at++;
    }
    return 0;
}

int gm_audio_segments_borders(struct gm_audio_segments *s, const int64_t *starts_ts, size_t count,
                              struct gm_err *err)
{
    int rc = gm_array_reserve(&s->borders, s->border_count, count, &s->border_cap,
                              sizeof(*s->borders), err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t before = s->border_count > 0 ? s->borders[s->border_count - 1] : -1;
        if (starts_ts[i] <= before || starts_ts[i] > INT64_MAX / 4) {
            return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "segment start %lld follows %lld",
                              (long long)starts_ts[i], (long long)before);
        }
        s->borders[s->border_count++] = starts_ts[i];
    }
    if (s->border_at == 0 && s->border_count > 0) {
        s->border_at = 1;
    }
    return cut(s, err);
}

int gm_audio_segments_frame(struct gm_audio_segments *s, const void *data, size_t size,
                            struct gm_err *err)
{
    if (size == 0 || size > UINT16_MAX || s->bytes.size > MAX_PENDING_BYTES) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a sound frame of %zu bytes with %zu waiting", size,
                          s->bytes.size);
    }
    int rc = gm_array_reserve(&s->sizes, s->frames, 1, &s->frames_cap, sizeof(*s->sizes), err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_add(&s->bytes, data, size);
    rc = gm_buf_check(&s->bytes, err);
    if (rc < 0) {
        return rc;
    }
    s->sizes[s->frames++] = (uint32_t)size;
    return cut(s, err);
}

/* Frames that start at the end or after it: encoders give one more than there was to say. */
static void drop_after_end(struct gm_audio_segments *s)
{
    while (s->frames > 0 && (gm_audio_segments_frames(s) - 1) * s->p.frame_samples >=
                                s->end + s->p.priming_samples) {
        s->bytes.size -= s->sizes[--s->frames];
    }
}

int gm_audio_segments_end(struct gm_audio_segments *s, int64_t end_ts, struct gm_err *err)
{
    if (end_ts <= 0 || end_ts > INT64_MAX / 4) {
        return gm_err_set(err, GM_E_INVAL, 0, "sound that ends at %lld", (long long)end_ts);
    }
    s->end = end_ts;
    drop_after_end(s);
    int64_t total = gm_audio_segments_frames(s);
    int64_t border = s->border_count > 0 ? s->borders[s->border_count - 1] : 0;
    int rc = cut(s, err);
    while (rc == 0 && s->frames > 0) {
        border += (int64_t)TAIL_S * s->p.timescale;
        int64_t end = frame_at(s, border);
        int64_t keep = (int64_t)MIN_TAIL_S * s->p.sample_rate / s->p.frame_samples;
        if (end <= s->first) {
            continue;
        }
        if (total - end < keep) {
            end = total;
        }
        rc = close_segment(s, (size_t)(end - s->first), err);
    }
    if (rc == 0 && s->group_count == 0) {
        rc = gm_err_set(err, GM_E_BUG, 0, "a sound track without a frame");
    }
    return rc < 0 ? rc : announce(s, true, err);
}
