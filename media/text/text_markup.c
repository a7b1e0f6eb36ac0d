#include "media/text/text_markup.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

/* See text_markup.h. White space waits until something to be seen follows it, so that no line is
 * empty and none ends in blanks: an empty line would end the cue. Tags are opened and closed in a
 * stack's order. */
enum { BOLD = 1, ITALIC = 2, UNDERLINE = 4 };

struct writer {
    const struct gm_text_styles *styles;
    const struct gm_text_style *style; /* of the event; may be NULL */
    struct gm_buf *out;
    size_t start;    /* of this payload in out */
    unsigned wanted; /* BOLD ... of what comes */
    unsigned open;   /* BOLD ... whose tags are open */
    bool newline;
    unsigned spaces;
    int align; /* 0: not said */
    bool drawing, cut;
};

static const struct gm_text_style *find_style(const struct gm_text_styles *styles, const char *name,
                                              size_t size)
{
    while (size > 0 && (name[0] == ' ' || name[0] == '*')) { /* "*Default" is how SSA has it */
        name++;
        size--;
    }
    while (size > 0 && name[size - 1] == ' ') {
        size--;
    }
    for (size_t i = styles->count; i-- > 0;) {
        if (strlen(styles->list[i].name) == size && memcmp(styles->list[i].name, name, size) == 0) {
            return &styles->list[i];
        }
    }
    return NULL;
}

static unsigned flags_of(const struct gm_text_style *style)
{
    return style == NULL ? 0
                         : (style->bold ? BOLD : 0) | (style->italic ? ITALIC : 0) |
                               (style->underline ? UNDERLINE : 0);
}

static void close_tags(struct writer *w)
{
    static const char *const tags[] = {"</u>", "</i>", "</b>"};
    for (unsigned i = 0; i < 3; i++) {
        if (w->open & (unsigned)(UNDERLINE >> i)) {
            gm_buf_str(w->out, tags[i]);
        }
    }
    w->open = 0;
}

static void open_tags(struct writer *w)
{
    static const char *const tags[] = {"<b>", "<i>", "<u>"};
    for (unsigned i = 0; i < 3; i++) {
        if (w->wanted & (BOLD << i)) {
            gm_buf_str(w->out, tags[i]);
        }
    }
    w->open = w->wanted;
}

/* Something to be seen: what waits is written first. */
static void put(struct writer *w, const char *text, size_t size)
{
    size_t used = w->out->size - w->start;
    if (w->drawing || w->cut) {
        return;
    }
    if (used + w->spaces + size + 32 > GM_CUES_MAX_TEXT) { /* 32: tags and the line break */
        w->cut = true;
        return;
    }
    if (w->wanted != w->open) {
        close_tags(w);
    }
    if (used > 0 && w->newline) {
        gm_buf_u8(w->out, '\n');
    }
    for (; used > 0 && w->spaces > 0; w->spaces--) {
        gm_buf_u8(w->out, ' ');
    }
    w->newline = false;
    w->spaces = 0;
    if (w->wanted != w->open) {
        open_tags(w);
    }
    gm_buf_add(w->out, text, size);
}

static void put_newline(struct writer *w)
{
    if (!w->drawing) {
        w->newline = true;
        w->spaces = 0;
    }
}

static void put_space(struct writer *w)
{
    w->spaces += !w->drawing && w->spaces < 64;
}

/* One character of plain text; returns how many bytes it has. */
static size_t put_character(struct writer *w, const char *at)
{
    size_t n = gm_utf8_length(at);
    unsigned char c = (unsigned char)*at;
    if (n == 0) {
        put(w, "\xEF\xBF\xBD", 3); /* U+FFFD stands for what is no UTF-8 */
        return 1;
    }
    if (c == '\n') {
        put_newline(w);
    } else if (c == ' ' || c == '\t') {
        put_space(w);
    } else if (c == '&') {
        put(w, "&amp;", 5);
    } else if (c == '<') {
        put(w, "&lt;", 4);
    } else if (c == '>') {
        put(w, "&gt;", 4);
    } else if (c >= 0x20 && c != 0x7f) {
        put(w, at, n);
    }
    return n;
}

/* A tag's number at `at`; false: there is none. */
static bool read_number(const char *at, const char *end, int *out)
{
    int v = 0;
    bool any = false;
    while (at < end && *at == ' ') {
        at++;
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        v = v < 100000 ? v * 10 + (*at - '0') : v;
        any = true;
    }
    *out = v;
    return any;
}

/* \b1 \i0 \u: at is behind the letter. Longer names with the same first letter are no match. */
static void set_flag(struct writer *w, unsigned flag, const char *at, const char *end)
{
    int v = 0;
    if (at < end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'))) {
        return;
    }
    bool given = read_number(at, end, &v);
    bool on = given ? v == 1 || v >= 600 : (flags_of(w->style) & flag) != 0;
    w->wanted = on ? w->wanted | flag : w->wanted & ~flag;
}

/* One override tag [at, end), without its backslash. */
static void take_tag(struct writer *w, const char *at, const char *end)
{
    static const int legacy[12] = {0, 1, 2, 3, 0, 7, 8, 9, 0, 4, 5, 6};
    int v = 0;
    switch (*at) {
    case 'b':
        set_flag(w, BOLD, at + 1, end);
        break;
    case 'i':
        set_flag(w, ITALIC, at + 1, end);
        break;
    case 'u':
        set_flag(w, UNDERLINE, at + 1, end);
        break;
    case 'r': {
        const struct gm_text_style *named =
            end - at > 1 ? find_style(w->styles, at + 1, (size_t)(end - at) - 1) : w->style;
        w->wanted = flags_of(named != NULL ? named : w->style);
        break;
    }
    case 'p':
        if (read_number(at + 1, end, &v)) {
            w->drawing = v > 0;
        }
        break;
    case 'a':
        if (at + 1 < end && at[1] == 'n' && read_number(at + 2, end, &v)) {
            w->align = w->align == 0 && v >= 1 && v <= 9 ? v : w->align;
        } else if (at + 1 < end && read_number(at + 1, end, &v)) {
            w->align = w->align == 0 && v < 12 ? legacy[v] : w->align;
        }
        break;
    default:
        break;
    }
}

/* The block between braces [at, end). What stands in parentheses is a tag's own business. */
static void take_block(struct writer *w, const char *at, const char *end)
{
    while (at < end) {
        if (*at != '\\') {
            at++; /* a comment */
            continue;
        }
        const char *tag = ++at;
        int depth = 0;
        while (at < end && (depth > 0 || *at != '\\')) {
            depth += *at == '(' ? 1 : *at == ')' && depth > 0 ? -1 : 0;
            at++;
        }
        if (at > tag) {
            take_tag(w, tag, at);
        }
    }
}

static void take_text(struct writer *w, const char *at)
{
    while (*at != '\0') {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end != NULL) {
            take_block(w, at + 1, end);
            at = end + 1;
        } else if (at[0] == '\\' && at[1] == 'N') {
            put_newline(w);
            at += 2;
        } else if (at[0] == '\\' && at[1] == 'n') {
            put_space(w);
            at += 2;
        } else if (at[0] == '\\' && at[1] == 'h') {
            put(w, "\xC2\xA0", 2);
            at += 2;
        } else if (at[0] == '\\' && (at[1] == '{' || at[1] == '}' || at[1] == '\\')) {
            at += 1 + put_character(w, at + 1);
        } else {
            at += put_character(w, at);
        }
    }
}

/* Where on the picture: rows by the line's place, columns by alignment. */
static void place(int align, char out[GM_CUES_SETTINGS])
{
    static const char *const rows[] = {"", "line:50%", "line:0"};
    static const char *const columns[] = {"position:5% align:left", "", "position:95% align:right"};
    const char *row = rows[(align - 1) / 3];
    const char *column = columns[(align - 1) % 3];
    (void)snprintf(out, GM_CUES_SETTINGS, "%s%s%s", row, *row != '\0' && *column != '\0' ? " " : "",
                   column);
}

void gm_text_from_event(const struct gm_text_styles *styles, const char *event, struct gm_buf *out,
                        char out_settings[GM_CUES_SETTINGS], bool *out_cut)
{
    const char *fields[9] = {event};
    size_t count = 1;
    for (const char *c = event; *c != '\0' && count < 9; c++) {
        if (*c == ',') {
            fields[count++] = c + 1;
        }
    }
    struct writer w = {.styles = styles, .out = out, .start = out->size};
    if (count == 9) {
        w.style = find_style(styles, fields[2], (size_t)(fields[3] - fields[2]) - 1);
        w.wanted = flags_of(w.style);
        take_text(&w, fields[8]);
        close_tags(&w);
    }
    int align = w.align != 0 ? w.align : w.style != NULL ? w.style->align : 2;
    place(align, out_settings);
    *out_cut = w.cut;
}

static bool is_setting(const char *s, size_t size)
{
    static const char *const names[] = {"vertical:", "line:", "position:", "size:", "align:"};
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.,%-";
    size_t at = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        at = size > n && memcmp(s, names[i], n) == 0 ? n : at;
    }
    return at > 0 && strspn(s + at, plain) == size - at;
}

void gm_text_settings(const uint8_t *data, size_t size, char out[GM_CUES_SETTINGS])
{
    size_t n = 0;
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && data[end] != ' ' && data[end] != '\t' && data[end] != '\n') {
            end++;
        }
        size_t length = end - at;
        char word[GM_CUES_SETTINGS];
        if (length > 0 && n + length + 2 < GM_CUES_SETTINGS) {
            memcpy(word, data + at, length);
            word[length] = '\0';
            if (is_setting(word, length)) {
                n +=
                    (size_t)snprintf(out + n, GM_CUES_SETTINGS - n, "%s%s", n > 0 ? " " : "", word);
            }
        }
        at = end + 1;
    }
    out[n] = '\0';
}
