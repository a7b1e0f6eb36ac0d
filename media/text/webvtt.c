#include "media/text/webvtt.h"

#include <inttypes.h>
#include <string.h>

#include "common/utf8.h"

/* See webvtt.h. */
static const char head[] = "WEBVTT\n";
static const char map[] = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n";

void gm_webvtt_head(struct gm_buf *out, bool segment)
{
    gm_buf_str(out, head);
    if (segment) {
        gm_buf_str(out, map);
    }
    gm_buf_u8(out, '\n');
}

static void add_time(struct gm_buf *out, int64_t ms)
{
    gm_buf_printf(out, "%02" PRId64 ":%02d:%02d.%03d", ms / 3600000, (int)(ms / 60000 % 60),
                  (int)(ms / 1000 % 60), (int)(ms % 1000));
}

void gm_webvtt_cue(struct gm_buf *out, const struct gm_cue *cue)
{
    add_time(out, cue->start_ms);
    gm_buf_str(out, " --> ");
    add_time(out, cue->end_ms);
    if (cue->settings[0] != '\0') {
        gm_buf_printf(out, " %s", cue->settings);
    }
    gm_buf_u8(out, '\n');
    gm_buf_str(out, cue->text);
    gm_buf_str(out, "\n\n");
}

/* Plain text as a payload: escaped, on one line. */
static void add_text(struct gm_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0';) {
        size_t n = gm_utf8_length(c);
        if (n == 0) {
            gm_buf_str(out, "\xEF\xBF\xBD");
            c++;
            continue;
        }
        if (*c == '&') {
            gm_buf_str(out, "&amp;");
        } else if (*c == '<') {
            gm_buf_str(out, "&lt;");
        } else if (*c == '>') {
            gm_buf_str(out, "&gt;");
        } else if (n == 1 && ((unsigned char)*c < 0x20 || *c == 0x7f)) {
            gm_buf_u8(out, ' ');
        } else {
            gm_buf_add(out, c, n);
        }
        c += n;
    }
}

void gm_webvtt_chapters(struct gm_buf *out, Gm__Chapter *const *chapters, size_t count)
{
    gm_webvtt_head(out, false);
    for (size_t i = 0; i < count; i++) {
        int64_t start_ms = (chapters[i]->start_us + 500) / 1000;
        int64_t end_ms = (chapters[i]->end_us + 500) / 1000;
        add_time(out, start_ms);
        gm_buf_str(out, " --> ");
        add_time(out, end_ms > start_ms ? end_ms : start_ms + 1);
        gm_buf_u8(out, '\n');
        if (strspn(chapters[i]->title, " ") < strlen(chapters[i]->title)) {
            add_text(out, chapters[i]->title);
        } else {
            gm_buf_printf(out, "Chapter %zu", i + 1);
        }
        gm_buf_str(out, "\n\n");
    }
}

static int bad(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_MEDIA, 0, "the WebVTT text is malformed: %s", what);
}

struct lines {
    const char *at, *end;
};

/* A line without its end; false: no more. A line that is not ended is no line. */
static bool next_line(struct lines *l, const char **out, size_t *out_size)
{
    const char *end = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;
    if (end == NULL) {
        return false;
    }
    *out = l->at;
    *out_size = (size_t)(end - l->at);
    l->at = end + 1;
    return true;
}

static bool take_digits(const char **at, const char *end, int count, int64_t *out)
{
    int64_t v = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at >= end || **at < '0' || **at > '9') {
            return false;
        }
        v = v * 10 + (**at - '0');
    }
    *out = v;
    return true;
}

static bool take_char(const char **at, const char *end, char c)
{
    if (*at >= end || **at != c) {
        return false;
    }
    (*at)++;
    return true;
}

static bool take_time(const char **at, const char *end, int64_t *out_ms)
{
    int64_t h = 0, m = 0, s = 0, ms = 0;
    if (!take_digits(at, end, 2, &h) || !take_char(at, end, ':') || !take_digits(at, end, 2, &m) ||
        !take_char(at, end, ':') || !take_digits(at, end, 2, &s) || !take_char(at, end, '.') ||
        !take_digits(at, end, 3, &ms) || m > 59 || s > 59) {
        return false;
    }
    *out_ms = ((h * 60 + m) * 60 + s) * 1000 + ms;
    return true;
}

static bool take_timing(const char *line, size_t size, struct gm_webvtt_cue *out)
{
    static const char arrow[] = " --> ";
    const char *at = line, *end = line + size;
    if (!take_time(&at, end, &out->start_ms)) {
        return false;
    }
    for (const char *c = arrow; *c != '\0'; c++) {
        if (!take_char(&at, end, *c)) {
            return false;
        }
    }
    if (!take_time(&at, end, &out->end_ms) || out->end_ms <= out->start_ms) {
        return false;
    }
    if (at < end && !take_char(&at, end, ' ')) {
        return false;
    }
    out->settings = at;
    out->settings_size = (size_t)(end - at);
    return out->settings_size < GM_CUES_SETTINGS;
}

/* The sequence at s, or 0; never looks past `left` bytes. */
static size_t sequence(const char *s, size_t left)
{
    char four[5] = {0};
    memcpy(four, s, left < 4 ? left : 4);
    size_t n = *s != '\0' ? gm_utf8_length(four) : 0;
    return n <= left ? n : 0;
}

static bool is_text(const char *line, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t n = sequence(line + at, size - at);
        if (n == 0 || (size - at >= 3 && memcmp(line + at, "-->", 3) == 0)) {
            return false;
        }
        at += n;
    }
    return true;
}

static int read_cue(struct lines *l, const char *timing, size_t timing_size, int64_t *io_start,
                    struct gm_webvtt_cue *out, struct gm_err *err)
{
    const char *line = NULL;
    size_t size = 0;
    if (!take_timing(timing, timing_size, out) || !is_text(out->settings, out->settings_size)) {
        return bad(err, "a cue's times or settings");
    }
    if (out->start_ms < *io_start) {
        return bad(err, "cues are out of order");
    }
    *io_start = out->start_ms;
    out->text = l->at;
    out->text_size = 0;
    while (next_line(l, &line, &size)) {
        if (size == 0) {
            return out->text_size > 0 ? 0 : bad(err, "a cue without text");
        }
        if (!is_text(line, size)) {
            return bad(err, "text that is no UTF-8, or holds an arrow");
        }
        out->text_size = (size_t)(line + size - out->text);
    }
    return bad(err, "a cue is cut off");
}

int gm_webvtt_read(const uint8_t *data, size_t size, bool segment,
                   int (*fn)(const struct gm_webvtt_cue *cue, void *arg), void *arg,
                   struct gm_err *err)
{
    struct gm_buf want = {0};
    gm_webvtt_head(&want, segment);
    int rc = gm_buf_check(&want, err);
    if (rc == 0 && (size < want.size || memcmp(data, want.data, want.size) != 0)) {
        rc = bad(err, "its head");
    }
    struct lines l = {(const char *)data + (rc == 0 ? want.size : 0), (const char *)data + size};
    gm_buf_fini(&want);
    int64_t start = 0;
    const char *line = NULL;
    size_t line_size = 0;
    while (rc == 0 && next_line(&l, &line, &line_size)) {
        struct gm_webvtt_cue cue;
        rc = read_cue(&l, line, line_size, &start, &cue, err);
        if (rc == 0) {
            rc = fn(&cue, arg);
        }
    }
    if (rc == 0 && l.at != l.end) {
        rc = bad(err, "its last line is cut off");
    }
    return rc;
}
