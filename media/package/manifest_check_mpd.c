/* manifest.mpd, read back by a small reader of its own; see manifest_check.h. */
#include <stdio.h>
#include <string.h>

#include "media/package/manifest_check.h"
#include "media/package/manifest_span.h"
#include "proto/ticks.h"

#define MAX_DEPTH 16
#define VALUE_SIZE 320

/* ---- XML: a balanced tree of elements with attributes and text; no comments, no CDATA */

struct xml {
    struct gm_span rest;
    struct gm_span open[MAX_DEPTH]; /* names of the elements that are open */
    size_t depth;
    struct gm_span name, attributes; /* of the tag that was read last */
    struct gm_span text;             /* before it */
    bool opens, closes;              /* both: an empty element */
    bool is_over;                    /* the root is closed */
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
           c == '-';
}

static struct gm_span take_name(struct gm_span *s)
{
    struct gm_span name = {s->at, 0};
    while (name.size < s->size && is_name_char(s->at[name.size])) {
        name.size++;
    }
    s->at += name.size;
    s->size -= name.size;
    return name;
}

/* Character data without its entities into out; false: it is none, or too long for a name. */
static bool decode(struct gm_span s, char *out, size_t cap)
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
                known = gm_span_skip(&s, table[i].entity);
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
static bool take_attribute(struct gm_span *s, struct gm_span *out_name, struct gm_span *out_value)
{
    if (!gm_span_skip(s, " ")) {
        return false;
    }
    *out_name = take_name(s);
    if (out_name->size == 0 || !gm_span_skip(s, "=\"")) {
        return false;
    }
    const char *end = memchr(s->at, '"', s->size);
    if (end == NULL) {
        return false;
    }
    *out_value = (struct gm_span){s->at, (size_t)(end - s->at)};
    s->at = end + 1;
    s->size -= out_value->size + 1;
    return decode(*out_value, NULL, 0);
}

/* All attributes up to the tag's end, each name once. */
static bool take_attributes(struct xml *x)
{
    struct gm_span name, value, earlier, unused;
    const char *from = x->rest.at;
    while (x->rest.size > 0 && *x->rest.at == ' ') {
        struct gm_span before = {from, (size_t)(x->rest.at - from)};
        if (!take_attribute(&x->rest, &name, &value)) {
            return false;
        }
        while (before.size > 0 && take_attribute(&before, &earlier, &unused)) {
            if (gm_span_same(earlier, name)) {
                return false;
            }
        }
    }
    x->attributes = (struct gm_span){from, (size_t)(x->rest.at - from)};
    return true;
}

static bool take_end(struct xml *x)
{
    x->name = take_name(&x->rest);
    x->closes = true;
    bool good = x->depth > 0 && gm_span_same(x->name, x->open[x->depth - 1]);
    x->depth -= good;
    return good && gm_span_skip(&x->rest, ">");
}

/* Reads up to the next tag and the tag; false: this is no XML. */
static bool next_tag(struct xml *x)
{
    const char *tag = memchr(x->rest.at, '<', x->rest.size);
    if (tag == NULL || x->is_over) {
        return false;
    }
    x->text = (struct gm_span){x->rest.at, (size_t)(tag - x->rest.at)};
    x->rest.size -= x->text.size + 1;
    x->rest.at = tag + 1;
    x->opens = x->closes = false;
    x->attributes.size = 0;
    bool good = decode(x->text, NULL, 0);
    if (good && gm_span_skip(&x->rest, "/")) {
        good = take_end(x);
    } else if (good) {
        x->name = take_name(&x->rest);
        x->opens = true;
        good = x->name.size > 0 && take_attributes(x) && x->depth < MAX_DEPTH;
        x->closes = good && gm_span_skip(&x->rest, "/");
        good = good && gm_span_skip(&x->rest, ">");
        if (good && !x->closes) {
            x->open[x->depth++] = x->name;
        }
    }
    x->is_over = good && x->depth == 0;
    return good;
}

static bool find_attribute(const struct xml *x, const char *wanted, char *out, size_t cap)
{
    struct gm_span rest = x->attributes, name, value;
    while (rest.size > 0 && take_attribute(&rest, &name, &value)) {
        if (gm_span_is(name, wanted)) {
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
    char folder[2 * VALUE_SIZE];           /* what base has to be */
    const struct gm_manifest_track *track; /* of the Representation; NULL: the sheets */
    bool is_text, is_listed; /* the Representation's; is_listed: its names were all seen */
    bool wants_times;        /* of the sheets: their template left them to a SegmentTimeline */
    int64_t start_ts, end_ts;
    size_t inits, times, names;   /* of the SegmentList */
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
    if (!find_attribute(&p->x, "mediaPresentationDuration", text, sizeof text)) {
        return false;
    }
    struct gm_span rest = {text, strlen(text)};
    if (!gm_span_skip(&rest, "PT") || !gm_span_seconds(&rest, &p->duration_us) ||
        !gm_span_is(rest, "S")) {
        return false;
    }
    return find_attribute(&p->x, "type", text, sizeof text) && strcmp(text, "static") == 0;
}

/* The track by its name, and that it comes once. */
static bool take_representation(struct mpd *p)
{
    const struct gm_manifest *m = p->m;
    const struct gm_manifest_track *lists[] = {m->video, m->audio, m->text};
    const size_t counts[] = {m->videos, m->audios, m->texts};
    static const char *const kinds[] = {"video", "audio", "text"};
    char id[VALUE_SIZE];
    int64_t bandwidth = 0;
    size_t index = 0;
    bool found = false;
    p->track = NULL;
    p->is_text = p->is_listed = p->wants_times = false;
    p->base[0] = '\0';
    strcpy(p->folder, "images/");
    if (!find_attribute(&p->x, "id", id, sizeof id) ||
        !find_number(&p->x, "bandwidth", &bandwidth) || bandwidth == 0) {
        return false;
    }
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < counts[k] && !found; i++, index += !found) {
            found = strcmp(lists[k][i].name, id) == 0;
            if (found) {
                p->track = lists[k] + i;
                p->is_text = k == 2;
                (void)snprintf(p->folder, sizeof p->folder, "%s/%s/%s", kinds[k], id,
                               p->is_text ? p->track->whole_name : "");
            }
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
    struct gm_span text = p->x.text;
    return gm_span_skip(&text, p->m->prefix) && decode(text, p->base, sizeof p->base) &&
           strcmp(p->base, p->folder) == 0;
}

static bool take_list(struct mpd *p)
{
    int64_t timescale = 0;
    p->start_ts = p->end_ts = 0;
    p->inits = p->times = p->names = 0;
    return p->track != NULL && !p->is_text && find_number(&p->x, "timescale", &timescale) &&
           timescale == p->track->timescale;
}

static bool take_time(struct mpd *p)
{
    char unused[VALUE_SIZE];
    int64_t t = 0;
    int64_t d = 0;
    bool has_t = find_number(&p->x, "t", &t);
    if (p->track == NULL || p->times == p->track->count || !find_number(&p->x, "d", &d) ||
        d != p->track->segments[p->times]->duration_ts || has_t != (p->times == 0) ||
        find_attribute(&p->x, "r", unused, sizeof unused)) {
        return false;
    }
    p->start_ts = has_t ? t : p->start_ts;
    p->end_ts = has_t ? t : p->end_ts;
    p->times++;
    return !__builtin_add_overflow(p->end_ts, d, &p->end_ts);
}

/* The attribute's file, which has to be this one. */
static bool take_file(struct mpd *p, const char *attribute, const char *wanted)
{
    char name[VALUE_SIZE];
    return find_attribute(&p->x, attribute, name, sizeof name) && wanted != NULL &&
           strcmp(name, wanted) == 0 && is_there(p, name);
}

static bool take_segment(struct mpd *p)
{
    const struct gm_manifest_track *t = p->track;
    return t != NULL && p->names < t->count && take_file(p, "media", t->segments[p->names++]->name);
}

/* The list is whole and has the track's times. */
static bool end_list(struct mpd *p)
{
    const struct gm_manifest_track *t = p->track;
    const Gm__SegmentMeta *last = t->segments[t->count - 1];
    int64_t us = gm_ticks_us(p->end_ts, t->timescale);
    p->last_us = us > p->last_us ? us : p->last_us;
    p->is_listed = true;
    return p->inits == 1 && p->times == t->count && p->names == t->count &&
           p->start_ts == t->segments[0]->start_ts &&
           p->end_ts == last->start_ts + last->duration_ts;
}

static uint64_t sheet_s(const Gm__SheetsReport *s)
{
    return (uint64_t)s->columns * s->rows * s->interval_s;
}

/* Every sheet by "sprite-$Number%03d$.jpg". */
static bool take_template(struct mpd *p)
{
    static const char number[] = "$Number%03d$";
    char media[VALUE_SIZE], name[VALUE_SIZE + 16];
    int64_t first = 0;
    int64_t duration = 0;
    int64_t timescale = 0;
    if (p->m->images == NULL || p->track != NULL || p->is_listed || p->wants_times ||
        !find_attribute(&p->x, "media", media, sizeof media) ||
        !find_number(&p->x, "startNumber", &first) || first != 1 ||
        !find_number(&p->x, "timescale", &timescale) || timescale != 1) {
        return false;
    }
    /* Players count sheets of a duration up to the presentation's end. */
    const Gm__SheetsReport *s = p->m->images->sheets;
    bool outlasted = p->duration_us > (int64_t)(sheet_s(s) * s->n_files * 1000000);
    if (find_number(&p->x, "duration", &duration) ? outlasted || (uint64_t)duration != sheet_s(s)
                                                  : !outlasted) {
        return false;
    }
    char *at = strstr(media, number);
    if (at == NULL) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < s->n_files; i++) {
        int n = snprintf(name, sizeof name, "%.*s%03zu%s", (int)(at - media), media, i + 1,
                         at + sizeof number - 1);
        good = n > 0 && (size_t)n < sizeof name && is_there(p, name);
    }
    p->is_listed = good && !outlasted;
    p->wants_times = good && outlasted;
    return good;
}

/* All sheets, one after the other, by one S. */
static bool take_sheet_times(struct mpd *p)
{
    int64_t t = 0;
    int64_t d = 0;
    int64_t r = 0;
    char unused[VALUE_SIZE];
    if (!p->wants_times || !find_number(&p->x, "t", &t) || t != 0 || !find_number(&p->x, "d", &d) ||
        (!find_number(&p->x, "r", &r) && find_attribute(&p->x, "r", unused, sizeof unused))) {
        return false;
    }
    const Gm__SheetsReport *s = p->m->images->sheets;
    p->wants_times = false;
    p->is_listed = (uint64_t)d == sheet_s(s) && (uint64_t)r == s->n_files - 1;
    return p->is_listed;
}

static bool take_open(struct mpd *p)
{
    struct gm_span n = p->x.name;
    if (gm_span_is(n, "MPD")) {
        return p->x.depth == 1 && take_presentation(p);
    }
    if (gm_span_is(n, "Representation")) {
        return take_representation(p);
    }
    if (gm_span_is(n, "SegmentList")) {
        return take_list(p);
    }
    if (gm_span_is(n, "Initialization")) {
        p->inits++;
        return p->track != NULL && take_file(p, "sourceURL", p->track->init_name);
    }
    if (gm_span_is(n, "S")) {
        return p->track != NULL ? take_time(p) : take_sheet_times(p);
    }
    if (gm_span_is(n, "SegmentURL")) {
        return take_segment(p);
    }
    return gm_span_is(n, "SegmentTemplate") ? take_template(p) : true;
}

static bool take_close(struct mpd *p)
{
    struct gm_span n = p->x.name;
    if (gm_span_is(n, "BaseURL")) {
        return take_base(p);
    }
    if (gm_span_is(n, "SegmentList")) {
        return end_list(p);
    }
    if (gm_span_is(n, "Representation")) {
        return p->is_text ? is_there(p, "") : p->is_listed;
    }
    if (gm_span_is(n, "MPD")) {
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
    bool good = gm_span_skip(&p.x.rest, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    while (good && !p.x.is_over) {
        good = next_tag(&p.x) && (p.x.depth > 0 || gm_span_is(p.x.name, "MPD")) &&
               (!p.x.opens || take_open(&p)) && (!p.x.closes || take_close(&p));
    }
    if (!good || !gm_span_is(p.x.rest, "\n")) {
        return gm_err_set(err, GM_E_BUG, 0, "manifest.mpd does not hold at byte %zu, in %.*s",
                          text->size - p.x.rest.size, (int)(p.x.name.size & 63),
                          p.x.name.size > 0 ? p.x.name.at : "");
    }
    return 0;
}
