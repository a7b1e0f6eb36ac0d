/* manifest.mpd, read back by a small reader of its own; see manifest_check.h. */
#include <stdio.h>
#include <string.h>

#include "media/package/manifest_check.h"
#include "media/timeline.h"

#define MAX_DEPTH 16
#define VALUE_SIZE 320

/* ---- XML: a balanced tree of elements with attributes and text; no comments, no CDATA */

struct span {
    const char *at;
    size_t size;
};

struct xml {
    struct span rest;
    struct span open[MAX_DEPTH]; /* names of the elements that are open */
    size_t depth;
    struct span name, attributes; /* of the tag that was read last */
    struct span text;             /* before it */
    bool opens, closes;           /* both: an empty element */
    bool is_over;                 /* the root is closed */
};

static bool is(struct span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

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

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '-';
}

static struct span take_name(struct span *s)
{
    struct span name = {s->at, 0};
    while (name.size < s->size && is_name_char(s->at[name.size])) {
        name.size++;
    }
    s->at += name.size;
    s->size -= name.size;
    return name;
}

/* Character data without its entities into out; false: it is none, or too long for a name. */
static bool decode(struct span s, char *out, size_t cap)
{
    static const struct {
        const char *entity;
        char c;
    } table[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    size_t n = 0;
    while (s.size > 0) {
        char c = *s.at;
        if (c == '&') {
            bool known = false;
            for (size_t i = 0; !known && i < sizeof table / sizeof table[0]; i++) {
                known = skip(&s, table[i].entity);
                c = table[i].c;
            }
            if (!known) {
                return false;
            }
        } else {
            s.at++;
            s.size--;
            if (c == '<' || c == 0x7f || ((unsigned char)c < 0x20 && c != '\n')) {
                return false;
            }
        }
        if (out != NULL && n + 1 >= cap) {
            return false;
        }
        if (out != NULL) {
            out[n++] = c;
        }
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return true;
}

/* Takes ` name="value"`. */
static bool take_attribute(struct span *s, struct span *out_name, struct span *out_value)
{
    if (!skip(s, " ")) {
        return false;
    }
    *out_name = take_name(s);
    if (out_name->size == 0 || !skip(s, "=\"")) {
        return false;
    }
    const char *end = memchr(s->at, '"', s->size);
    if (end == NULL) {
        return false;
    }
    *out_value = (struct span){s->at, (size_t)(end - s->at)};
    s->at = end + 1;
    s->size -= out_value->size + 1;
    return decode(*out_value, NULL, 0);
}

/* All attributes up to the tag's end, each name once. */
static bool take_attributes(struct xml *x)
{
    struct span name, value, earlier, unused;
    const char *from = x->rest.at;
    while (x->rest.size > 0 && *x->rest.at == ' ') {
        struct span before = {from, (size_t)(x->rest.at - from)};
        if (!take_attribute(&x->rest, &name, &value)) {
            return false;
        }
        while (before.size > 0 && take_attribute(&before, &earlier, &unused)) {
            if (earlier.size == name.size && memcmp(earlier.at, name.at, name.size) == 0) {
                return false;
            }
        }
    }
    x->attributes = (struct span){from, (size_t)(x->rest.at - from)};
    return true;
}

static bool take_end(struct xml *x)
{
    x->name = take_name(&x->rest);
    x->closes = true;
    bool good = x->depth > 0 && x->name.size == x->open[x->depth - 1].size &&
                memcmp(x->name.at, x->open[x->depth - 1].at, x->name.size) == 0;
    x->depth -= good;
    return good && skip(&x->rest, ">");
}

/* Reads up to the next tag and the tag; false: this is no XML. */
static bool next_tag(struct xml *x)
{
    const char *tag = memchr(x->rest.at, '<', x->rest.size);
    if (tag == NULL || x->is_over) {
        return false;
    }
    x->text = (struct span){x->rest.at, (size_t)(tag - x->rest.at)};
    x->rest.size -= x->text.size + 1;
    x->rest.at = tag + 1;
    x->opens = x->closes = false;
    x->attributes.size = 0;
    bool good = decode(x->text, NULL, 0);
    if (good && skip(&x->rest, "/")) {
        good = take_end(x);
    } else if (good) {
        x->name = take_name(&x->rest);
        x->opens = true;
        good = x->name.size > 0 && take_attributes(x) && x->depth < MAX_DEPTH;
        x->closes = good && skip(&x->rest, "/");
        good = good && skip(&x->rest, ">");
        if (good && !x->closes) {
            x->open[x->depth++] = x->name;
        }
    }
    x->is_over = good && x->depth == 0;
    return good;
}

static bool find_attribute(const struct xml *x, const char *wanted, char *out, size_t cap)
{
    struct span rest = x->attributes, name, value;
    while (rest.size > 0 && take_attribute(&rest, &name, &value)) {
        if (is(name, wanted)) {
            return decode(value, out, cap) && out[0] != '\0';
        }
    }
    return false;
}

/* A whole number of up to 18 digits. */
static bool find_number(const struct xml *x, const char *name, int64_t *out)
{
    char text[20];
    if (!find_attribute(x, name, text, sizeof text) || strlen(text) > 18) {
        return false;
    }
    *out = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        *out = *out * 10 + (*c - '0');
    }
    return true;
}

/* ---- the MPD */

struct mpd {
    struct xml x;
    const struct gm_manifest *m;
    const struct gm_manifest_objects *objects;
    char base[VALUE_SIZE];                 /* the Representation's BaseURL below the prefix */
    const struct gm_manifest_track *track; /* of the Representation; NULL: the sheets */
    bool is_text, is_listed; /* the Representation's; is_listed: its names were all seen */
    int64_t start_ts, end_ts;
    size_t times, names;          /* of the SegmentList */
    size_t representations;       /* so far */
    bool seen[256];               /* video, sound, text, sheets; plans have far fewer tracks */
    int64_t duration_us, last_us; /* of the presentation; where the longest track ends */
};

static bool is_there(const struct mpd *p, const char *name)
{
    char path[2 * VALUE_SIZE];
    int n = snprintf(path, sizeof path, "%s%s", p->base, name);
    return p->base[0] != '\0' && n > 0 &&
           gm_manifest_objects_find(p->objects, path, (size_t)n) != NULL;
}

/* "PT12.345678S" */
static bool take_presentation(struct mpd *p)
{
    char text[40];
    long long s = 0;
    long long us = 0;
    int end = 0;
    if (!find_attribute(&p->x, "mediaPresentationDuration", text, sizeof text) ||
        sscanf(text, "PT%9lld.%6lldS%n", &s, &us, &end) != 2 || end == 0 || text[end] != '\0' ||
        s < 0 || us < 0) {
        return false;
    }
    p->duration_us = (int64_t)(s * 1000000 + us);
    return find_attribute(&p->x, "type", text, sizeof text) && strcmp(text, "static") == 0;
}

/* The track by its name, and that it comes once. */
static bool take_representation(struct mpd *p)
{
    const struct gm_manifest *m = p->m;
    const struct gm_manifest_track *lists[] = {m->video, m->audio, m->text};
    const size_t counts[] = {m->videos, m->audios, m->texts};
    char id[VALUE_SIZE];
    int64_t bandwidth = 0;
    size_t index = 0;
    bool found = false;
    p->track = NULL;
    p->is_text = p->is_listed = false;
    p->base[0] = '\0';
    if (!find_attribute(&p->x, "id", id, sizeof id) ||
        !find_number(&p->x, "bandwidth", &bandwidth) || bandwidth == 0) {
        return false;
    }
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < counts[k] && !found; i++, index += !found) {
            found = strcmp(lists[k][i].name, id) == 0;
            p->track = found ? &lists[k][i] : NULL;
            p->is_text = found && k == 2;
        }
    }
    if (!found && (m->images == NULL || strcmp(id, "tiles") != 0)) {
        return false;
    }
    bool again = index >= sizeof p->seen || p->seen[index];
    if (!again) {
        p->seen[index] = true;
    }
    p->representations++;
    return !again;
}

static bool take_base(struct mpd *p)
{
    struct span text = p->x.text;
    return skip(&text, p->m->prefix) && decode(text, p->base, sizeof p->base);
}

static bool take_list(struct mpd *p)
{
    int64_t timescale = 0;
    p->start_ts = p->end_ts = 0;
    p->times = p->names = 0;
    return p->track != NULL && !p->is_text && find_number(&p->x, "timescale", &timescale) &&
           timescale == p->track->timescale;
}

static bool take_time(struct mpd *p)
{
    char unused[VALUE_SIZE];
    int64_t t = 0;
    int64_t d = 0;
    bool has_t = find_number(&p->x, "t", &t);
    if (!find_number(&p->x, "d", &d) || d == 0 || has_t != (p->times == 0) ||
        find_attribute(&p->x, "r", unused, sizeof unused)) {
        return false;
    }
    p->start_ts = has_t ? t : p->start_ts;
    p->end_ts = has_t ? t : p->end_ts;
    p->times++;
    return !__builtin_add_overflow(p->end_ts, d, &p->end_ts);
}

static bool take_file(struct mpd *p, const char *attribute)
{
    char name[VALUE_SIZE];
    return find_attribute(&p->x, attribute, name, sizeof name) && is_there(p, name);
}

/* The list is whole and has the track's times. */
static bool end_list(struct mpd *p)
{
    const struct gm_manifest_track *t = p->track;
    const Gm__SegmentMeta *last = t->segments[t->count - 1];
    int64_t us = gm_timeline_us(p->end_ts, t->timescale);
    p->last_us = us > p->last_us ? us : p->last_us;
    p->is_listed = true;
    return p->times == t->count && p->names == t->count &&
           p->start_ts == t->segments[0]->start_ts &&
           p->end_ts == last->start_ts + last->duration_ts;
}

/* Every sheet by "sprite-$Number%03d$.jpg". */
static bool take_template(struct mpd *p)
{
    static const char number[] = "$Number%03d$";
    char media[VALUE_SIZE], name[VALUE_SIZE + 16];
    int64_t first = 0;
    int64_t duration = 0;
    if (p->m->images == NULL || p->track != NULL ||
        !find_attribute(&p->x, "media", media, sizeof media) ||
        !find_number(&p->x, "startNumber", &first) || first != 1 ||
        !find_number(&p->x, "duration", &duration) || duration == 0) {
        return false;
    }
    char *at = strstr(media, number);
    if (at == NULL) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < p->m->images->sheets->n_files; i++) {
        int n = snprintf(name, sizeof name, "%.*s%03zu%s", (int)(at - media), media, i + 1,
                         at + sizeof number - 1);
        good = n > 0 && (size_t)n < sizeof name && is_there(p, name);
    }
    p->is_listed = good;
    return good;
}

static bool take_open(struct mpd *p)
{
    struct span n = p->x.name;
    if (is(n, "MPD")) {
        return p->x.depth == 1 && take_presentation(p);
    }
    if (is(n, "Representation")) {
        return take_representation(p);
    }
    if (is(n, "SegmentList")) {
        return take_list(p);
    }
    if (is(n, "Initialization")) {
        return p->track != NULL && take_file(p, "sourceURL");
    }
    if (is(n, "S")) {
        return take_time(p);
    }
    if (is(n, "SegmentURL")) {
        p->names++;
        return take_file(p, "media");
    }
    return is(n, "SegmentTemplate") ? take_template(p) : true;
}

static bool take_close(struct mpd *p)
{
    struct span n = p->x.name;
    if (is(n, "BaseURL")) {
        return take_base(p);
    }
    if (is(n, "SegmentList")) {
        return end_list(p);
    }
    if (is(n, "Representation")) {
        return p->is_text ? is_there(p, "") : p->is_listed;
    }
    if (is(n, "MPD")) {
        const struct gm_manifest *m = p->m;
        return p->representations == m->videos + m->audios + m->texts + (m->images != NULL) &&
               p->last_us == p->duration_us;
    }
    return true;
}

int gm_manifest_check_mpd(const struct gm_buf *text, const struct gm_manifest *m,
                          const struct gm_manifest_objects *objects, struct gm_err *err)
{
    struct mpd p = {
        .x = {.rest = {(const char *)text->data, text->size}}, .m = m, .objects = objects};
    bool good = skip(&p.x.rest, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    while (good && !p.x.is_over) {
        good = next_tag(&p.x) && (p.x.depth > 0 || is(p.x.name, "MPD")) &&
               (!p.x.opens || take_open(&p)) && (!p.x.closes || take_close(&p));
    }
    if (!good || !is(p.x.rest, "\n")) {
        return gm_err_set(err, GM_E_BUG, 0, "manifest.mpd does not hold at byte %zu, in %.*s",
                          text->size - p.x.rest.size, (int)(p.x.name.size & 63),
                          p.x.name.size > 0 ? p.x.name.at : "");
    }
    return 0;
}
