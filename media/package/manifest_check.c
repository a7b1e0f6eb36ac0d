/* Playlists, read back; see manifest_check.h. manifest_check_mpd.c reads the MPD. */
#include "media/package/manifest_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

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

/* ---- text */

struct span {
    const char *at;
    size_t size;
};

struct reader {
    const char *where; /* for errors */
    struct span rest;
    size_t line;
};

static int broken(const struct reader *r, const char *what, struct gm_err *err)
{
    return gm_err_set(err, GM_E_BUG, 0, "%s, line %zu: %s", r->where, r->line, what);
}

/* Every line ends with a newline, none is empty or has a control character. */
static int next_line(struct reader *r, struct span *out, struct gm_err *err)
{
    const char *end = memchr(r->rest.at, '\n', r->rest.size);
    r->line++;
    if (end == NULL || end == r->rest.at) {
        return broken(r, "no line", err);
    }
    *out = (struct span){r->rest.at, (size_t)(end - r->rest.at)};
    for (size_t i = 0; i < out->size; i++) {
        if ((unsigned char)out->at[i] < 0x20 || out->at[i] == 0x7f) {
            return broken(r, "a control character", err);
        }
    }
    r->rest.size -= out->size + 1;
    r->rest.at = end + 1;
    return 0;
}

static bool is(struct span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

/* Takes text off s's begin. */
static bool skip(struct span *s, const char *text)
{
    size_t size = strlen(text);
    if (s->size < size || memcmp(s->at, text, size) != 0) {
        return false;
    }
    s->at += size;
    s->size -= size;
    return true;
}

/* Takes a whole number of up to 15 digits, none of them a leading zero. */
static bool take_number(struct span *s, int64_t *out)
{
    size_t digits = 0;
    *out = 0;
    for (; digits < s->size && digits < 16 && s->at[digits] >= '0' && s->at[digits] <= '9';) {
        *out = *out * 10 + (s->at[digits++] - '0');
    }
    bool good = digits > 0 && digits < 16 && (digits == 1 || s->at[0] != '0');
    s->at += digits;
    s->size -= digits;
    return good;
}

/* Seconds with six decimals. */
static bool take_seconds(struct span *s, int64_t *out_us)
{
    int64_t whole = 0;
    if (!take_number(s, &whole) || whole > INT32_MAX || !skip(s, ".") || s->size < 6) {
        return false;
    }
    *out_us = whole;
    for (size_t i = 0; i < 6; i++) {
        if (s->at[i] < '0' || s->at[i] > '9') {
            return false;
        }
        *out_us = *out_us * 10 + (s->at[i] - '0');
    }
    s->at += 6;
    s->size -= 6;
    return true;
}

/* ---- media playlists */

enum head { HEAD_VERSION = 1, HEAD_TARGET = 2, HEAD_SEQUENCE = 4, HEAD_TYPE = 8, HEAD_MAP = 16 };

struct media {
    struct reader r;
    const struct gm_manifest_playlist *wanted;
    const struct gm_manifest_objects *objects;
    unsigned seen; /* enum head */
    int64_t target_s, sum_us;
    int64_t next_us;   /* EXTINF without a name so far; 0: none */
    int64_t range_end; /* of EXT-X-BYTERANGE; 0: none */
};

static const struct gm_manifest_object *find_beside(const struct media *m, struct span name)
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
    if (!good || (m->seen & which) != 0 || m->sum_us > 0 || m->next_us > 0) {
        return broken(&m->r, "a head tag that does not hold", err);
    }
    m->seen |= which;
    return 0;
}

static int take_map(struct media *m, struct span v, struct gm_err *err)
{
    const char *init = m->wanted->init_name;
    bool good = init != NULL && v.size > 1 && v.at[v.size - 1] == '"';
    v.size -= good;
    return take_head(m, HEAD_MAP, good && is(v, init) && find_beside(m, v) != NULL, err);
}

static int take_extinf(struct media *m, struct span v, struct gm_err *err)
{
    unsigned wanted = HEAD_VERSION | HEAD_TARGET | HEAD_SEQUENCE | HEAD_TYPE;
    wanted |= m->wanted->init_name != NULL ? HEAD_MAP : 0;
    if (m->seen != wanted) {
        return broken(&m->r, "a head tag is missing", err);
    }
    if (m->next_us > 0 || !take_seconds(&v, &m->next_us) || !is(v, ",") || m->next_us == 0) {
        return broken(&m->r, "no duration", err);
    }
    if ((m->next_us + 500000) / 1000000 > m->target_s) {
        return broken(&m->r, "longer than the target duration", err);
    }
    return 0;
}

static int take_range(struct media *m, struct span v, struct gm_err *err)
{
    int64_t size = 0;
    int64_t offset = 0;
    if (m->next_us == 0 || m->range_end > 0 || !take_number(&v, &size) || !skip(&v, "@") ||
        !take_number(&v, &offset) || v.size > 0 || size == 0) {
        return broken(&m->r, "no byte range", err);
    }
    m->range_end = offset + size;
    return 0;
}

static int take_name(struct media *m, struct span name, struct gm_err *err)
{
    const struct gm_manifest_object *object = find_beside(m, name);
    if (m->next_us == 0) {
        return broken(&m->r, "a name without a duration", err);
    }
    if (object == NULL) {
        return broken(&m->r, "names what is not there", err);
    }
    if ((uint64_t)m->range_end > object->size) {
        return broken(&m->r, "a byte range that ends behind its object", err);
    }
    m->sum_us += m->next_us;
    m->next_us = 0;
    m->range_end = 0;
    return 0;
}

static int take_media_line(struct media *m, struct span v, struct gm_err *err)
{
    int64_t number = 0;
    if (v.at[0] != '#') {
        return take_name(m, v, err);
    }
    if (skip(&v, "#EXTINF:")) {
        return take_extinf(m, v, err);
    }
    if (skip(&v, "#EXT-X-BYTERANGE:")) {
        return take_range(m, v, err);
    }
    if (skip(&v, "#EXT-X-MAP:URI=\"")) {
        return take_map(m, v, err);
    }
    if (skip(&v, "#EXT-X-VERSION:")) {
        return take_head(m, HEAD_VERSION, is(v, "7"), err);
    }
    if (skip(&v, "#EXT-X-PLAYLIST-TYPE:")) {
        return take_head(m, HEAD_TYPE, is(v, "VOD"), err);
    }
    if (skip(&v, "#EXT-X-MEDIA-SEQUENCE:")) {
        return take_head(m, HEAD_SEQUENCE, take_number(&v, &number) && v.size == 0, err);
    }
    if (skip(&v, "#EXT-X-TARGETDURATION:")) {
        bool good = take_number(&v, &m->target_s) && v.size == 0 && m->target_s > 0;
        return take_head(m, HEAD_TARGET, good, err);
    }
    bool known = is(v, "#EXT-X-INDEPENDENT-SEGMENTS") || is(v, "#EXT-X-I-FRAMES-ONLY") ||
                 is(v, "#EXT-X-IMAGES-ONLY") || skip(&v, "#EXT-X-TILES:RESOLUTION=") ||
                 skip(&v, "#EXT-X-PROGRAM-DATE-TIME:");
    return known ? 0 : broken(&m->r, "an unknown tag", err);
}

int gm_manifest_check_playlist(const struct gm_buf *text, const struct gm_manifest_playlist *wanted,
                               const struct gm_manifest_objects *objects, struct gm_err *err)
{
    struct media m = {.r = {wanted->folder, {(const char *)text->data, text->size}, 0},
                      .wanted = wanted,
                      .objects = objects};
    struct span line = {NULL, 0};
    if (!skip(&m.r.rest, "#EXTM3U\n")) {
        return broken(&m.r, "no playlist", err);
    }
    while (m.r.rest.size > 0) {
        int rc = next_line(&m.r, &line, err);
        if (rc == 0 && is(line, "#EXT-X-ENDLIST")) {
            break;
        }
        if (rc < 0 || (rc = take_media_line(&m, line, err)) < 0) {
            return rc;
        }
    }
    if (m.r.rest.size > 0 || line.size == 0 || !is(line, "#EXT-X-ENDLIST") || m.next_us > 0) {
        return broken(&m.r, "it does not end as it should", err);
    }
    int64_t off = m.sum_us - wanted->duration_us;
    if (off > 1 || off < -1) {
        return gm_err_set(err, GM_E_BUG, 0, "%s: the durations sum up to %lld us, not %lld",
                          wanted->folder, (long long)m.sum_us, (long long)wanted->duration_us);
    }
    return 0;
}

/* ---- master.m3u8 */

struct master {
    struct reader r;
    struct span all; /* for the groups */
    const struct gm_manifest *m;
    const struct gm_manifest_objects *objects;
    size_t variants;
    bool is_open; /* a variant whose name comes next */
};

struct attribute {
    struct span name, value; /* value: without quotes */
    bool is_quoted;
};

/* Takes NAME=value or NAME="value" and the comma behind it. */
static bool take_attribute(struct span *list, struct attribute *out)
{
    out->name = (struct span){list->at, 0};
    while (list->size > 0 && ((*list->at >= 'A' && *list->at <= 'Z') || *list->at == '-')) {
        out->name.size++;
        list->at++;
        list->size--;
    }
    if (out->name.size == 0 || !skip(list, "=")) {
        return false;
    }
    out->is_quoted = skip(list, "\"");
    const char *end = memchr(list->at, out->is_quoted ? '"' : ',', list->size);
    if (end == NULL && out->is_quoted) {
        return false;
    }
    out->value = (struct span){list->at, end != NULL ? (size_t)(end - list->at) : list->size};
    list->at += out->value.size;
    list->size -= out->value.size;
    if (out->is_quoted) {
        (void)skip(list, "\"");
    }
    return list->size == 0 || (skip(list, ",") && list->size > 0);
}

static bool find_attribute(struct span list, const char *name, struct attribute *out)
{
    while (list.size > 0 && take_attribute(&list, out)) {
        if (is(out->name, name)) {
            return out->value.size > 0;
        }
    }
    return false;
}

static bool are_attributes(struct span list)
{
    struct attribute a;
    bool good = list.size > 0;
    while (good && list.size > 0) {
        good = take_attribute(&list, &a);
    }
    return good;
}

/* Whether an EXT-X-MEDIA of that type has the group that list names; also when it names none. */
static bool has_group(const struct master *m, struct span list, const char *type)
{
    struct attribute group, at;
    struct span rest = m->all;
    if (!find_attribute(list, type, &group)) {
        return true;
    }
    if (!group.is_quoted) {
        return is(group.value, "NONE") && strcmp(type, "CLOSED-CAPTIONS") == 0;
    }
    while (rest.size > 0) {
        const char *end = memchr(rest.at, '\n', rest.size);
        struct span line = {rest.at, end != NULL ? (size_t)(end - rest.at) : rest.size};
        rest.at += line.size + (end != NULL);
        rest.size -= line.size + (end != NULL);
        if (skip(&line, "#EXT-X-MEDIA:") && find_attribute(line, "TYPE", &at) &&
            is(at.value, type) && find_attribute(line, "GROUP-ID", &at) &&
            at.value.size == group.value.size &&
            memcmp(at.value.at, group.value.at, at.value.size) == 0) {
            return true;
        }
    }
    return false;
}

/* A playlist of this publication. */
static bool is_playlist(const struct master *m, struct span uri)
{
    static const char ext[] = ".m3u8";
    size_t n = sizeof ext - 1;
    return skip(&uri, m->m->prefix) && uri.size > n && memcmp(uri.at + uri.size - n, ext, n) == 0 &&
           gm_manifest_objects_find(m->objects, uri.at, uri.size) != NULL;
}

static bool is_size(struct span v)
{
    int64_t w = 0;
    int64_t h = 0;
    return take_number(&v, &w) && skip(&v, "x") && take_number(&v, &h) && v.size == 0 && w > 0 &&
           h > 0;
}

/* What each kind of variant has to say. */
static bool is_variant(const struct master *m, struct span list, bool pictures)
{
    struct attribute a;
    int64_t peak = 0;
    int64_t average = 0;
    bool good = find_attribute(list, "BANDWIDTH", &a) && take_number(&a.value, &peak) &&
                a.value.size == 0 && peak > 0;
    good = good && find_attribute(list, "AVERAGE-BANDWIDTH", &a) &&
           take_number(&a.value, &average) && a.value.size == 0 && average <= peak;
    good = good && find_attribute(list, "CODECS", &a) && a.is_quoted;
    good = good && (!pictures || (find_attribute(list, "RESOLUTION", &a) && is_size(a.value)));
    return good && has_group(m, list, "AUDIO") && has_group(m, list, "SUBTITLES") &&
           has_group(m, list, "CLOSED-CAPTIONS");
}

static bool is_media(const struct master *m, struct span list)
{
    struct attribute a;
    bool good = find_attribute(list, "GROUP-ID", &a) && a.is_quoted;
    good = good && find_attribute(list, "NAME", &a) && a.is_quoted;
    good = good && find_attribute(list, "TYPE", &a) && !a.is_quoted;
    return good && (!find_attribute(list, "URI", &a) || is_playlist(m, a.value));
}

static int take_master_line(struct master *m, struct span v, struct gm_err *err)
{
    struct attribute a;
    bool good = true;
    if (m->is_open) {
        m->is_open = false;
        return is_playlist(m, v) ? 0 : broken(&m->r, "names a playlist that is not there", err);
    }
    if (skip(&v, "#EXT-X-STREAM-INF:")) {
        good = are_attributes(v) && is_variant(m, v, m->m->videos > 0);
        m->is_open = true;
        m->variants++;
    } else if (skip(&v, "#EXT-X-MEDIA:")) {
        good = are_attributes(v) && is_media(m, v);
    } else if (skip(&v, "#EXT-X-I-FRAME-STREAM-INF:") || skip(&v, "#EXT-X-IMAGE-STREAM-INF:")) {
        good = are_attributes(v) && is_variant(m, v, true) && find_attribute(v, "URI", &a) &&
               is_playlist(m, a.value);
    } else {
        good = is(v, "#EXT-X-VERSION:7") || is(v, "#EXT-X-INDEPENDENT-SEGMENTS");
    }
    return good ? 0 : broken(&m->r, "a tag that does not hold", err);
}

int gm_manifest_check_master(const struct gm_buf *text, const struct gm_manifest *manifest,
                             const struct gm_manifest_objects *objects, struct gm_err *err)
{
    struct span all = {(const char *)text->data, text->size};
    struct master m = {.r = {"master.m3u8", all, 0}, .all = all, .m = manifest, .objects = objects};
    struct span line;
    if (!skip(&m.r.rest, "#EXTM3U\n")) {
        return broken(&m.r, "no playlist", err);
    }
    while (m.r.rest.size > 0) {
        int rc = next_line(&m.r, &line, err);
        if (rc < 0 || (rc = take_master_line(&m, line, err)) < 0) {
            return rc;
        }
    }
    size_t wanted = manifest->videos > 0 ? manifest->videos : 1;
    return !m.is_open && m.variants == wanted ? 0 : broken(&m.r, "variants are missing", err);
}
