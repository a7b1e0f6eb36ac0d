/* See text_segments.h. */
#include "media/text/text_segments.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/results.h"
#include "media/text/webvtt.h"

struct segment {
    Gm__SegmentMeta meta;
    char name[32];
    uint8_t sha256[GM_SHA256_SIZE];
};

struct writer {
    const struct gm_text_segments_params *p;
    const struct gm_cues *cues;
    const struct gm_cue *shown[GM_TEXT_MAX_SHOWN]; /* begun before, not over; by start */
    size_t shown_count;
    size_t next; /* cue that has not begun yet */
    int64_t left_out;
    struct gm_buf text;                          /* owned; of the segment being made */
    struct segment group[GM_TEXT_ITEM_SEGMENTS]; /* written, not announced */
    uint32_t group_count, items;
};

static int write_file(struct writer *w, const char *name, struct gm_err *err)
{
    int fd = -1;
    int rc = w->p->io->create_file(w->p->io->self, name, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, w->text.data, w->text.size, err);
    if (close(fd) < 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "close of %s", name);
    }
    return rc;
}

static int announce(struct writer *w, bool last, struct gm_err *err)
{
    Gm__WFile files[GM_TEXT_ITEM_SEGMENTS];
    Gm__SegmentMeta *metas[GM_TEXT_ITEM_SEGMENTS];
    char paths[GM_TEXT_ITEM_SEGMENTS][96];
    uint32_t index = w->items++;
    for (uint32_t i = 0; i < w->group_count; i++) {
        struct segment *s = &w->group[i];
        int rc = gm_fs_path(paths[i], sizeof paths[i], err, "text/%s/%s", w->p->track, s->name);
        if (rc < 0) {
            return rc;
        }
        files[i] = (Gm__WFile)GM__WFILE__INIT;
        files[i].name = s->name;
        files[i].store = gm_results_segment_store(w->p->io->spec);
        files[i].path = paths[i];
        metas[i] = &s->meta;
    }
    Gm__TextItemMeta meta = GM__TEXT_ITEM_META__INIT;
    meta.track = w->p->track_index;
    meta.segments = metas;
    meta.n_segments = w->group_count;
    uint32_t count = w->group_count;
    w->group_count = 0;
    return index < w->p->skip_items
               ? 0
               : w->p->io->produce(w->p->io->self, 0, index, last, files, count, &meta.base, err);
}

/* Whether the time is at or after ts (timescale). */
static bool is_from(const struct writer *w, int64_t ms, int64_t ts)
{
    return (__int128)ms * w->p->timescale >= (__int128)ts * 1000;
}

/* Whether the time is after ts. */
static bool is_after(const struct writer *w, int64_t ms, int64_t ts)
{
    return (__int128)ms * w->p->timescale > (__int128)ts * 1000;
}

static void add_cue(struct writer *w, const struct gm_cue *cue, uint32_t *io_cues)
{
    size_t size = strlen(cue->text) + GM_CUES_SETTINGS + 40;
    if (w->text.size + size > GM_TEXT_SEGMENT_BYTES) {
        w->left_out++;
        return;
    }
    gm_webvtt_cue(&w->text, cue);
    (*io_cues)++;
}

/* The text of the segment [start_ts, end_ts). */
static void fill(struct writer *w, bool first, bool last, int64_t start_ts, int64_t end_ts,
                 uint32_t *out_cues)
{
    size_t kept = 0;
    *out_cues = 0;
    w->text.size = 0;
    gm_webvtt_head(&w->text, true);
    for (size_t i = 0; i < w->shown_count; i++) {
        const struct gm_cue *cue = w->shown[i];
        if (first || is_after(w, cue->end_ms, start_ts)) {
            add_cue(w, cue, out_cues);
            w->shown[kept++] = cue;
        }
    }
    w->shown_count = kept;
    for (; w->next < w->cues->count; w->next++) {
        const struct gm_cue *cue = &w->cues->list[w->next];
        if (!last && is_from(w, cue->start_ms, end_ts)) {
            break;
        }
        add_cue(w, cue, out_cues);
        if (!is_after(w, cue->end_ms, end_ts)) {
            continue;
        }
        if (w->shown_count < GM_TEXT_MAX_SHOWN) {
            w->shown[w->shown_count++] = cue;
        } else {
            w->left_out++;
        }
    }
}

static int make_segment(struct writer *w, size_t index, struct gm_err *err)
{
    const struct gm_text_segments_params *p = w->p;
    bool last = index + 1 == p->border_count;
    int64_t start_ts = p->borders[index];
    int64_t end_ts = last ? p->end_ts : p->borders[index + 1];
    struct segment *s = &w->group[w->group_count];
    s->meta = (Gm__SegmentMeta)GM__SEGMENT_META__INIT;
    fill(w, index == 0, last, start_ts, end_ts, &s->meta.samples);
    int rc = gm_buf_check(&w->text, err);
    if (rc < 0) {
        return rc;
    }
    gm_sha256(w->text.data, w->text.size, s->sha256);
    gm_text_segment_name((uint32_t)index + 1, s->sha256, s->name);
    s->meta.number = (uint32_t)index + 1;
    s->meta.name = s->name;
    s->meta.size = w->text.size;
    s->meta.sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, s->sha256};
    s->meta.start_ts = start_ts;
    s->meta.duration_ts = end_ts - start_ts;
    if (w->items >= p->skip_items && (rc = write_file(w, s->name, err)) < 0) {
        return rc;
    }
    w->group_count++;
    p->io->progress(p->io->self, index + 1, p->border_count);
    return w->group_count == GM_TEXT_ITEM_SEGMENTS || last ? announce(w, last, err) : 0;
}

int gm_text_segments_write(const struct gm_text_segments_params *params, const struct gm_cues *cues,
                           int64_t *out_left_out, struct gm_err *err)
{
    struct writer w = {.p = params, .cues = cues};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < params->border_count; i++) {
        rc = make_segment(&w, i, err);
    }
    gm_buf_fini(&w.text);
    if (rc == 0) {
        *out_left_out = w.left_out;
    }
    return rc;
}
