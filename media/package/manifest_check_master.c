/* master.m3u8, read back; see manifest_check.h. */
#include <stdio.h>
#include <string.h>

#include "manifest/image_track.h"
#include "media/package/manifest_check.h"
#include "media/package/manifest_span.h"

struct master {
    struct gm_span_lines r;
    struct gm_span all; /* for the groups */
    const struct gm_manifest *m;
    const struct gm_manifest_objects *objects;
    size_t variants;
    bool is_open; /* a variant whose name comes next */
};

struct attribute {
    struct gm_span name, value; /* value: without quotes */
    bool is_quoted;
};

/* Takes NAME=value or NAME="value" and the comma behind it. */
static bool take_attribute(struct gm_span *list, struct attribute *out)
{
    out->name = (struct gm_span){list->at, 0};
    while (list->size > 0 && ((*list->at >= 'A' && *list->at <= 'Z') || *list->at == '-')) {
        out->name.size++;
        list->at++;
        list->size--;
    }
    if (out->name.size == 0 || !gm_span_skip(list, "=")) {
        return false;
    }
    out->is_quoted = gm_span_skip(list, "\"");
    const char *end = memchr(list->at, out->is_quoted ? '"' : ',', list->size);
    if (end == NULL && out->is_quoted) {
        return false;
    }
    out->value = (struct gm_span){list->at, end != NULL ? (size_t)(end - list->at) : list->size};
    list->at += out->value.size;
    list->size -= out->value.size;
    if (out->is_quoted) {
        (void)gm_span_skip(list, "\"");
    }
    return list->size == 0 || (gm_span_skip(list, ",") && list->size > 0);
}

static bool find_attribute(struct gm_span list, const char *name, struct attribute *out)
{
    while (list.size > 0 && take_attribute(&list, out)) {
        if (gm_span_is(out->name, name)) {
            return out->value.size > 0;
        }
    }
    return false;
}

static bool are_attributes(struct gm_span list)
{
    struct attribute a;
    bool good = list.size > 0;
    while (good && list.size > 0) {
        good = take_attribute(&list, &a);
    }
    return good;
}

/* Whether an EXT-X-MEDIA of that type has the group that list names; also when it names none. */
static bool has_group(const struct master *m, struct gm_span list, const char *type)
{
    struct attribute group, at;
    struct gm_span rest = m->all;
    if (!find_attribute(list, type, &group)) {
        return true;
    }
    if (!group.is_quoted) {
        return gm_span_is(group.value, "NONE") && strcmp(type, "CLOSED-CAPTIONS") == 0;
    }
    while (rest.size > 0) {
        const char *end = memchr(rest.at, '\n', rest.size);
        struct gm_span line = {rest.at, end != NULL ? (size_t)(end - rest.at) : rest.size};
        rest.at += line.size + (end != NULL);
        rest.size -= line.size + (end != NULL);
        if (gm_span_skip(&line, "#EXT-X-MEDIA:") && find_attribute(line, "TYPE", &at) &&
            gm_span_is(at.value, type) && find_attribute(line, "GROUP-ID", &at) &&
            gm_span_same(at.value, group.value)) {
            return true;
        }
    }
    return false;
}

/* A playlist of this publication. */
static bool is_playlist(const struct master *m, struct gm_span uri)
{
    static const char ext[] = ".m3u8";
    size_t n = sizeof ext - 1;
    return gm_span_skip(&uri, m->m->prefix) && uri.size > n &&
           memcmp(uri.at + uri.size - n, ext, n) == 0 &&
           gm_manifest_objects_find(m->objects, uri.at, uri.size) != NULL;
}

static bool is_size(struct gm_span v)
{
    int64_t w = 0;
    int64_t h = 0;
    return gm_span_number(&v, &w) && gm_span_skip(&v, "x") && gm_span_number(&v, &h) &&
           v.size == 0 && w > 0 && h > 0;
}

/* What each kind of variant has to say. */
static bool is_variant(const struct master *m, struct gm_span list, bool pictures)
{
    struct attribute a;
    int64_t peak = 0;
    int64_t average = 0;
    bool good = find_attribute(list, "BANDWIDTH", &a) && gm_span_number(&a.value, &peak) &&
                a.value.size == 0 && peak > 0;
    good = good && find_attribute(list, "AVERAGE-BANDWIDTH", &a) &&
           gm_span_number(&a.value, &average) && a.value.size == 0 && average <= peak;
    good = good && find_attribute(list, "CODECS", &a) && a.is_quoted;
    good = good && (!pictures || (find_attribute(list, "RESOLUTION", &a) && is_size(a.value)));
    /* what plays brings its sound and its text along, I-frames and images do not */
    bool plays = pictures && !find_attribute(list, "URI", &a);
    good = good && (!plays || m->m->audios == 0 || find_attribute(list, "AUDIO", &a)) &&
           (!plays || m->m->texts == 0 || find_attribute(list, "SUBTITLES", &a));
    return good && has_group(m, list, "AUDIO") && has_group(m, list, "SUBTITLES") &&
           has_group(m, list, "CLOSED-CAPTIONS");
}

static bool is_media(const struct master *m, struct gm_span list)
{
    struct attribute a;
    bool good = find_attribute(list, "GROUP-ID", &a) && a.is_quoted;
    good = good && find_attribute(list, "NAME", &a) && a.is_quoted;
    good = good && find_attribute(list, "TYPE", &a) && !a.is_quoted;
    return good && (!find_attribute(list, "URI", &a) || is_playlist(m, a.value));
}

static int take_master_line(struct master *m, struct gm_span v, struct gm_err *err)
{
    struct attribute a;
    bool good = true;
    if (m->is_open) {
        m->is_open = false;
        return is_playlist(m, v) ? 0
                                 : gm_span_broken(&m->r, "names a playlist that is not there", err);
    }
    if (gm_span_skip(&v, "#EXT-X-STREAM-INF:")) {
        good = are_attributes(v) && is_variant(m, v, m->m->videos > 0);
        m->is_open = true;
        m->variants++;
    } else if (gm_span_skip(&v, "#EXT-X-MEDIA:")) {
        good = are_attributes(v) && is_media(m, v);
    } else if (gm_span_skip(&v, "#EXT-X-I-FRAME-STREAM-INF:") ||
               gm_span_skip(&v, "#EXT-X-IMAGE-STREAM-INF:")) {
        good = are_attributes(v) && is_variant(m, v, true) && find_attribute(v, "URI", &a) &&
               is_playlist(m, a.value);
    } else {
        good = gm_span_is(v, "#EXT-X-VERSION:7") || gm_span_is(v, "#EXT-X-INDEPENDENT-SEGMENTS");
    }
    return good ? 0 : gm_span_broken(&m->r, "a tag that does not hold", err);
}

/* How often a line, or an attribute URI, is this playlist's. */
static size_t count_named(const struct master *m, const char *kind, const char *track,
                          const char *file)
{
    char want[1024];
    size_t found = 0;
    int n = snprintf(want, sizeof want, "%s%s/%s%s%s", m->m->prefix, kind, track,
                     track[0] != '\0' ? "/" : "", file);
    if (n < 0 || (size_t)n >= sizeof want) {
        return 0;
    }
    struct gm_span rest = m->all;
    for (const char *at; (at = memmem(rest.at, rest.size, want, (size_t)n)) != NULL;) {
        const char *end = at + n;
        bool line = at[-1] == '\n' && *end == '\n'; /* "#EXTM3U" is before, a newline the last */
        found += line || (at[-1] == '"' && *end == '"');
        rest.size -= (size_t)(end - rest.at);
        rest.at = end;
    }
    return found;
}

/* Each playlist of the publication once. */
static int check_all_named(const struct master *m, struct gm_err *err)
{
    const struct gm_manifest *f = m->m;
    const struct gm_manifest_track *lists[] = {f->video, f->video, f->audio, f->text};
    const size_t counts[] = {f->videos, f->videos, f->audios, f->texts};
    static const char *const kinds[] = {"video", "video", "audio", "text"};
    static const char *const files[] = {"media.m3u8", "iframes.m3u8", "media.m3u8", "media.m3u8"};
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            if (count_named(m, kinds[k], lists[k][i].name, files[k]) != 1) {
                return gm_err_set(err, GM_E_BUG, 0, "master.m3u8 does not name %s/%s/%s once",
                                  kinds[k], lists[k][i].name, files[k]);
            }
        }
    }
    if (f->images != NULL && count_named(m, "images", "", GM_IMAGE_TRACK_PLAYLIST) != 1) {
        return gm_err_set(err, GM_E_BUG, 0, "master.m3u8 does not name the sheets once");
    }
    return 0;
}

int gm_manifest_check_master(const struct gm_buf *text, const struct gm_manifest *manifest,
                             const struct gm_manifest_objects *objects, struct gm_err *err)
{
    struct gm_span all = {(const char *)text->data, text->size};
    struct master m = {.r = {"master.m3u8", all, 0}, .all = all, .m = manifest, .objects = objects};
    struct gm_span line;
    if (!gm_span_skip(&m.r.rest, "#EXTM3U\n")) {
        return gm_span_broken(&m.r, "no playlist", err);
    }
    while (m.r.rest.size > 0) {
        int rc = gm_span_line(&m.r, &line, err);
        if (rc < 0 || (rc = take_master_line(&m, line, err)) < 0) {
            return rc;
        }
    }
    size_t wanted = manifest->videos > 0 ? manifest->videos : 1;
    if (m.is_open || m.variants != wanted) {
        return gm_span_broken(&m.r, "variants are missing", err);
    }
    return check_all_named(&m, err);
}
