/* What is there, and media playlists, read back; see manifest_check.h. */
#include "media/package/manifest_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/package/manifest_span.h"
#include "proto/ticks.h"

/* ---- what is there */

int gm_manifest_objects_add(struct gm_manifest_objects *o, const char *path, uint64_t size,
                            struct gm_err *err)
{
    int rc = gm_array_reserve(&o->list, o->count, 1, &o->cap, sizeof(*o->list), err);
    if (rc == 0) {
        o->list[o->count++] = (struct gm_manifest_object){path, size};
    }
    return rc;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct gm_manifest_object *)a)->path,
                  ((const struct gm_manifest_object *)b)->path);
}

void gm_manifest_objects_sort(struct gm_manifest_objects *o)
{
    if (o->count > 0) {
        qsort(o->list, o->count, sizeof(*o->list), compare_paths);
    }
    o->sorted = o->count;
}

const struct gm_manifest_object *gm_manifest_objects_find(const struct gm_manifest_objects *o,
                                                          const char *path, size_t size)
{
    char key[512];
    const struct gm_manifest_object wanted = {key, 0};
    const struct gm_manifest_object *found = NULL;
    if (size == 0 || size >= sizeof key) {
        return NULL;
    }
    memcpy(key, path, size);
    key[size] = '\0';
    if (o->sorted > 0) {
        found = bsearch(&wanted, o->list, o->sorted, sizeof(*o->list), compare_paths);
    }
    for (size_t i = o->sorted; found == NULL && i < o->count; i++) {
        found = strcmp(o->list[i].path, key) == 0 ? &o->list[i] : NULL;
    }
    return found != NULL && found->size > 0 ? found : NULL;
}

void gm_manifest_objects_fini(struct gm_manifest_objects *o)
{
    free(o->list);
    memset(o, 0, sizeof(*o));
}

int gm_manifest_check_sizes(const char *folder, const struct gm_manifest_track *track,
                            const struct gm_manifest_objects *objects, struct gm_err *err)
{
    for (size_t i = 0; i < track->count; i++) {
        const Gm__SegmentMeta *s = track->segments[i];
        char path[512];
        int n = snprintf(path, sizeof path, "%s%s", folder, s->name);
        const struct gm_manifest_object *o =
            n > 0 ? gm_manifest_objects_find(objects, path, (size_t)n) : NULL;
        if (o == NULL || o->size != s->size) {
            return gm_err_set(err, GM_E_BUG, 0, "%s has %llu bytes instead of %llu", path,
                              (unsigned long long)(o != NULL ? o->size : 0),
                              (unsigned long long)s->size);
        }
    }
    return 0;
}

/* ---- media playlists */

enum head {
    HEAD_VERSION = 1,
    HEAD_TARGET = 2,
    HEAD_SEQUENCE = 4,
    HEAD_TYPE = 8,
    HEAD_MAP = 16,
    HEAD_INDEPENDENT = 32,
    HEAD_IFRAMES = 64,
    HEAD_IMAGES = 128
};

/* What comes next: a segment, a GOP's first picture, a sheet. */
struct entry {
    const char *name;     /* NULL: nothing more */
    int64_t us;           /* to the nearest; 0: any, as of sheets, whose sum counts */
    int64_t size, offset; /* of the byte range; 0: none */
};

struct media {
    struct gm_span_lines r;
    const struct gm_manifest_playlist *wanted;
    const struct gm_manifest_objects *objects;
    unsigned seen; /* enum head */
    size_t index, gop;
    struct entry entry;
    int64_t target_s, sum_us;
    int64_t next_us; /* EXTINF without a name so far; 0: none */
    bool has_range;
};

static void find_entry(struct media *m)
{
    const struct gm_manifest_playlist *w = m->wanted;
    const struct gm_manifest_track *t = w->track;
    m->entry = (struct entry){NULL, 0, 0, 0};
    if (w->of == GM_PLAYLIST_SHEETS) {
        const Gm__SheetsReport *s = w->images->sheets;
        m->entry.name = m->index < s->n_files ? w->images->files[s->files[m->index]]->name : NULL;
        return;
    }
    if (w->of == GM_PLAYLIST_IFRAMES) {
        while (m->index < t->count && m->gop == t->segments[m->index]->n_gops) {
            m->index++;
            m->gop = 0;
        }
    }
    if (m->index == t->count) {
        return;
    }
    const Gm__SegmentMeta *s = t->segments[m->index];
    int64_t ts = s->duration_ts + (m->index == 0 ? t->priming_samples : 0);
    m->entry.name = s->name;
    if (w->of == GM_PLAYLIST_IFRAMES) {
        ts = s->gops[m->gop]->duration_ts;
        m->entry.size = (int64_t)s->gops[m->gop]->idr_size;
        m->entry.offset = (int64_t)s->gops[m->gop]->offset;
    }
    m->entry.us = gm_ticks_us(ts, t->timescale);
}

/* That all entries have to sum up to: with the priming, which EXTINF counts too. */
static int64_t whole_us(const struct gm_manifest_playlist *w)
{
    if (w->of == GM_PLAYLIST_SHEETS) {
        return w->images->sheets->duration_us;
    }
    const struct gm_manifest_track *t = w->track;
    const Gm__SegmentMeta *last = t->segments[t->count - 1];
    return gm_ticks_us(last->start_ts + last->duration_ts - t->segments[0]->start_ts +
                           t->priming_samples,
                       t->timescale);
}

static unsigned wanted_head(const struct gm_manifest_playlist *w)
{
    unsigned all = HEAD_VERSION | HEAD_TARGET | HEAD_SEQUENCE | HEAD_TYPE;
    if (w->of == GM_PLAYLIST_SHEETS) {
        return all | HEAD_IMAGES;
    }
    if (w->of == GM_PLAYLIST_IFRAMES) {
        return all | HEAD_MAP | HEAD_IFRAMES;
    }
    return all | (w->track->init_name != NULL ? HEAD_MAP | HEAD_INDEPENDENT : 0);
}

static const struct gm_manifest_object *find_beside(const struct media *m, struct gm_span name)
{
    char path[512];
    size_t folder = strlen(m->wanted->folder);
    if (name.size == 0 || folder + name.size >= sizeof path || memchr(name.at, '/', name.size)) {
        return NULL;
    }
    memcpy(path, m->wanted->folder, folder);
    memcpy(path + folder, name.at, name.size);
    return gm_manifest_objects_find(m->objects, path, folder + name.size);
}

static int take_head(struct media *m, enum head which, bool good, struct gm_err *err)
{
    if (!good || (wanted_head(m->wanted) & ~m->seen & which) == 0 || m->sum_us > 0 ||
        m->next_us > 0) {
        return gm_span_broken(&m->r, "a head tag that does not hold", err);
    }
    m->seen |= which;
    return 0;
}

static int take_map(struct media *m, struct gm_span v, struct gm_err *err)
{
    const char *init = m->wanted->track != NULL ? m->wanted->track->init_name : NULL;
    bool good = init != NULL && v.size > 1 && v.at[v.size - 1] == '"';
    v.size -= good;
    return take_head(m, HEAD_MAP, good && gm_span_is(v, init) && find_beside(m, v) != NULL, err);
}

static int take_extinf(struct media *m, struct gm_span v, struct gm_err *err)
{
    if (m->seen != wanted_head(m->wanted)) {
        return gm_span_broken(&m->r, "a head tag is missing", err);
    }
    if (m->next_us > 0 || !gm_span_seconds(&v, &m->next_us) || !gm_span_is(v, ",") ||
        m->next_us == 0) {
        return gm_span_broken(&m->r, "no duration", err);
    }
    if ((m->next_us + 500000) / 1000000 > m->target_s) {
        return gm_span_broken(&m->r, "longer than the target duration", err);
    }
    int64_t off = m->next_us - m->entry.us;
    if (m->entry.us > 0 && (off > 1 || off < -1)) {
        return gm_span_broken(&m->r, "another duration than the track's", err);
    }
    return 0;
}

static int take_range(struct media *m, struct gm_span v, struct gm_err *err)
{
    int64_t size = 0;
    int64_t offset = 0;
    if (m->next_us == 0 || m->has_range || !gm_span_number(&v, &size) || !gm_span_skip(&v, "@") ||
        !gm_span_number(&v, &offset) || v.size > 0 || size == 0 || size != m->entry.size ||
        offset != m->entry.offset) {
        return gm_span_broken(&m->r, "no byte range", err);
    }
    m->has_range = true;
    return 0;
}

static int take_name(struct media *m, struct gm_span name, struct gm_err *err)
{
    const struct gm_manifest_object *object = find_beside(m, name);
    if (m->next_us == 0) {
        return gm_span_broken(&m->r, "a name without a duration", err);
    }
    if (object == NULL) {
        return gm_span_broken(&m->r, "names what is not there", err);
    }
    if (m->entry.name == NULL || !gm_span_is(name, m->entry.name)) {
        return gm_span_broken(&m->r, "another name than the track's next", err);
    }
    if (m->has_range != (m->entry.size > 0)) {
        return gm_span_broken(&m->r, "a byte range is missing", err);
    }
    if ((uint64_t)(m->entry.offset + m->entry.size) > object->size) {
        return gm_span_broken(&m->r, "a byte range that ends behind its object", err);
    }
    m->sum_us += m->next_us;
    m->next_us = 0;
    m->has_range = false;
    *(m->wanted->of == GM_PLAYLIST_IFRAMES ? &m->gop : &m->index) += 1;
    find_entry(m);
    return 0;
}

static int take_media_line(struct media *m, struct gm_span v, struct gm_err *err)
{
    int64_t number = 0;
    if (v.at[0] != '#') {
        return take_name(m, v, err);
    }
    if (gm_span_skip(&v, "#EXTINF:")) {
        return take_extinf(m, v, err);
    }
    if (gm_span_skip(&v, "#EXT-X-BYTERANGE:")) {
        return take_range(m, v, err);
    }
    if (gm_span_skip(&v, "#EXT-X-MAP:URI=\"")) {
        return take_map(m, v, err);
    }
    if (gm_span_skip(&v, "#EXT-X-VERSION:")) {
        return take_head(m, HEAD_VERSION, gm_span_is(v, "7"), err);
    }
    if (gm_span_skip(&v, "#EXT-X-PLAYLIST-TYPE:")) {
        return take_head(m, HEAD_TYPE, gm_span_is(v, "VOD"), err);
    }
    if (gm_span_skip(&v, "#EXT-X-MEDIA-SEQUENCE:")) {
        return take_head(m, HEAD_SEQUENCE, gm_span_number(&v, &number) && v.size == 0, err);
    }
    if (gm_span_skip(&v, "#EXT-X-TARGETDURATION:")) {
        bool good = gm_span_number(&v, &m->target_s) && v.size == 0 && m->target_s > 0;
        return take_head(m, HEAD_TARGET, good, err);
    }
    static const struct {
        const char *tag;
        enum head which;
    } lines[] = {{"#EXT-X-INDEPENDENT-SEGMENTS", HEAD_INDEPENDENT},
                 {"#EXT-X-I-FRAMES-ONLY", HEAD_IFRAMES},
                 {"#EXT-X-IMAGES-ONLY", HEAD_IMAGES}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (gm_span_is(v, lines[i].tag)) {
            return take_head(m, lines[i].which, true, err);
        }
    }
    bool known = gm_span_skip(&v, "#EXT-X-TILES:RESOLUTION=") ||
                 gm_span_skip(&v, "#EXT-X-PROGRAM-DATE-TIME:");
    return known ? 0 : gm_span_broken(&m->r, "an unknown tag", err);
}

int gm_manifest_check_playlist(const struct gm_buf *text, const struct gm_manifest_playlist *wanted,
                               const struct gm_manifest_objects *objects, struct gm_err *err)
{
    struct media m = {.r = {wanted->folder, {(const char *)text->data, text->size}, 0},
                      .wanted = wanted,
                      .objects = objects};
    struct gm_span line = {NULL, 0};
    find_entry(&m);
    if (!gm_span_skip(&m.r.rest, "#EXTM3U\n")) {
        return gm_span_broken(&m.r, "no playlist", err);
    }
    while (m.r.rest.size > 0) {
        int rc = gm_span_line(&m.r, &line, err);
        if (rc == 0 && gm_span_is(line, "#EXT-X-ENDLIST")) {
            break;
        }
        if (rc < 0 || (rc = take_media_line(&m, line, err)) < 0) {
            return rc;
        }
    }
    if (m.r.rest.size > 0 || line.size == 0 || !gm_span_is(line, "#EXT-X-ENDLIST") ||
        m.next_us > 0 || m.entry.name != NULL) {
        return gm_span_broken(&m.r, "it does not end as it should", err);
    }
    int64_t off = m.sum_us - whole_us(wanted);
    if (off > 1 || off < -1) {
        return gm_err_set(err, GM_E_BUG, 0, "%s: the durations sum up to %lld us, not %lld",
                          wanted->folder, (long long)m.sum_us, (long long)whole_us(wanted));
    }
    return 0;
}

int gm_manifest_check_room(const struct gm_buf *master, const struct gm_buf *mpd,
                           struct gm_err *err)
{
    size_t size = master->size + mpd->size;
    return size <= GM_MANIFEST_ROOM
               ? 0
               : gm_err_set(err, GM_E_LIMIT, (int64_t)size,
                            "the manifests name so many segments that they have %zu bytes, and may "
                            "have %u: choose longer segments, or fewer renditions",
                            size, GM_MANIFEST_ROOM);
}
