#include "media/text/text_markup.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"

/* The "Style:" lines of an ASS script's head. A section's "Format:" line names their fields; the
 * sections of SSA (V4) and ASS (V4+) number the places of text otherwise. */
#define FIELDS_MAX 32

enum field { FIELD_OTHER, FIELD_NAME, FIELD_BOLD, FIELD_ITALIC, FIELD_UNDERLINE, FIELD_ALIGN };

struct reader {
    struct gm_text_styles *out;
    enum field fields[FIELDS_MAX];
    size_t field_count;
    bool in_styles, legacy;
};

struct span {
    const char *at;
    size_t size;
};

static struct span trim(struct span s)
{
    while (s.size > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.size--;
    }
    while (s.size > 0 && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t')) {
        s.size--;
    }
    return s;
}

static bool is(struct span s, const char *word)
{
    return s.size == strlen(word) && strncasecmp(s.at, word, s.size) == 0;
}

/* Takes what stands before the next comma; false: nothing is left. */
static bool next_field(struct span *line, struct span *out)
{
    if (line->at == NULL) {
        return false;
    }
    const char *comma = memchr(line->at, ',', line->size);
    size_t size = comma != NULL ? (size_t)(comma - line->at) : line->size;
    *out = trim((struct span){line->at, size});
    line->at = comma != NULL ? comma + 1 : NULL;
    line->size -= comma != NULL ? size + 1 : size;
    return true;
}

static int number(struct span s)
{
    int sign = s.size > 0 && s.at[0] == '-' ? -1 : 1;
    int v = 0;
    for (size_t i = sign < 0; i < s.size && s.at[i] >= '0' && s.at[i] <= '9' && v < 10000; i++) {
        v = v * 10 + (s.at[i] - '0');
    }
    return sign * v;
}

static void read_format(struct reader *r, struct span line)
{
    struct span f;
    r->field_count = 0;
    while (r->field_count < FIELDS_MAX && next_field(&line, &f)) {
        r->fields[r->field_count++] = is(f, "Name")        ? FIELD_NAME
                                      : is(f, "Bold")      ? FIELD_BOLD
                                      : is(f, "Italic")    ? FIELD_ITALIC
                                      : is(f, "Underline") ? FIELD_UNDERLINE
                                      : is(f, "Alignment") ? FIELD_ALIGN
                                                           : FIELD_OTHER;
    }
}

/* SSA: 1 2 3 at the bottom, 5 6 7 at the top, 9 10 11 in the middle. */
static int keypad(int align, bool legacy)
{
    if (legacy && align >= 5 && align <= 7) {
        return align + 2;
    }
    if (legacy && align >= 9 && align <= 11) {
        return align - 5;
    }
    return align >= 1 && align <= (legacy ? 3 : 9) ? align : 2;
}

static int read_style(struct reader *r, struct span line, struct gm_err *err)
{
    struct gm_text_style style = {.align = 2};
    struct span f;
    for (size_t i = 0; i < r->field_count && next_field(&line, &f); i++) {
        switch (r->fields[i]) {
        case FIELD_NAME:
            if (f.size >= sizeof style.name) {
                return 0;
            }
            memcpy(style.name, f.at, f.size);
            break;
        case FIELD_BOLD:
            style.bold = number(f) != 0;
            break;
        case FIELD_ITALIC:
            style.italic = number(f) != 0;
            break;
        case FIELD_UNDERLINE:
            style.underline = number(f) != 0;
            break;
        case FIELD_ALIGN:
            style.align = keypad(number(f), r->legacy);
            break;
        case FIELD_OTHER:
            break;
        }
    }
    struct gm_text_styles *out = r->out;
    if (out->count >= GM_TEXT_MAX_STYLES) {
        return 0;
    }
    int rc = gm_array_reserve(&out->list, out->count, 1, &out->cap, sizeof out->list[0], err);
    if (rc == 0) {
        out->list[out->count++] = style;
    }
    return rc;
}

static int read_line(struct reader *r, struct span line, struct gm_err *err)
{
    line = trim(line);
    if (line.size > 0 && line.at[0] == '[') {
        r->legacy = is(line, "[V4 Styles]");
        r->in_styles = r->legacy || is(line, "[V4+ Styles]");
        return 0;
    }
    const char *colon = line.size > 0 ? memchr(line.at, ':', line.size) : NULL;
    if (!r->in_styles || colon == NULL) {
        return 0;
    }
    struct span key = trim((struct span){line.at, (size_t)(colon - line.at)});
    struct span value = {colon + 1, line.size - (size_t)(colon - line.at) - 1};
    if (is(key, "Format")) {
        read_format(r, value);
        return 0;
    }
    return is(key, "Style") ? read_style(r, value, err) : 0;
}

int gm_text_styles_read(const char *header, size_t size, struct gm_text_styles *out,
                        struct gm_err *err)
{
    struct gm_text_styles styles = {0};
    struct reader r = {.out = &styles};
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < size && header[at] != '\0';) {
        size_t end = at;
        while (end < size && header[end] != '\n' && header[end] != '\r' && header[end] != '\0') {
            end++;
        }
        rc = read_line(&r, (struct span){header + at, end - at}, err);
        at = end;
        while (at < size && (header[at] == '\n' || header[at] == '\r')) {
            at++;
        }
    }
    if (rc < 0) {
        gm_text_styles_fini(&styles);
        return rc;
    }
    *out = styles;
    return 0;
}

void gm_text_styles_fini(struct gm_text_styles *s)
{
    free(s->list);
    *s = (struct gm_text_styles){0};
}
