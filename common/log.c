#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/number.h"
#include "common/time.h"
#include "common/utf8.h"

#define LINE_SIZE 4096

/* The process-wide log settings: set once by main before other threads start. */
static struct {
    char comp[32];
    char node[65]; /* "": not told */
    enum gm_log_level level;
    bool json;
} settings = {.comp = "gopmill", .level = GM_LOG_INFO};

static const char *const LEVELS[] = {"error", "warn", "info", "debug", "trace"};

/* A line under construction; what does not fit is left out, never half a member of JSON. */
struct line {
    char text[LINE_SIZE];
    size_t size;
    bool full;
};

void gm_log_init(const char *comp, enum gm_log_level level, bool json)
{
    snprintf(settings.comp, sizeof(settings.comp), "%s", comp);
    gm_utf8_clean(settings.comp);
    settings.level = level;
    settings.json = json;
}

void gm_log_set_node(const char *name)
{
    snprintf(settings.node, sizeof(settings.node), "%s", name);
    for (char *c = settings.node; *c != '\0'; c++) {
        *c = *c > ' ' && *c < 0x7F && strchr("=\"\\", *c) == NULL ? *c : '?'; /* one bare word */
    }
}

int gm_log_parse_level(const char *name)
{
    for (int i = 0; i < (int)(sizeof(LEVELS) / sizeof(LEVELS[0])); i++) {
        if (strcmp(name, LEVELS[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* 8 bytes stay free for the end of the line. */
static void put(struct line *line, const char *data, size_t size)
{
    if (line->full || size > sizeof(line->text) - 8 - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void put_str(struct line *line, const char *s)
{
    put(line, s, strlen(s));
}

/* One JSON string; s must be clean UTF-8 of `size` bytes. */
static void put_json_string(struct line *line, const char *s, size_t size)
{
    put(line, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)s[i];
        char escape[8];

        if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(line, escape, 2);
        } else if (c < 0x20) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            put_str(line, escape);
        } else {
            put(line, s + i, 1);
        }
    }
    put(line, "\"", 1);
}

/* The value of a bare logfmt word: numbers and booleans stay what they are. */
static void put_json_bare(struct line *line, const char *s, size_t size)
{
    char word[32];
    double number;

    if (size > 0 && size < 17) {
        memcpy(word, s, size);
        word[size] = '\0';
        if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0 ||
            (strpbrk(word, "eE") == NULL && gm_number_double(word, &number))) {
            put_str(line, word);
            return;
        }
    }
    put_json_string(line, s, size);
}

/* Unquotes in place from s (after the quote); returns behind the closing quote. */
static const char *unquote(char *s, size_t *out_size)
{
    char *out = s;
    char *p = s;

    while (*p != '\0' && *p != '"') {
        if (*p == '\\' && p[1] != '\0') {
            p++;
            *out++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : *p;
            p++;
        } else {
            *out++ = *p++;
        }
    }
    *out_size = (size_t)(out - s);
    return *p == '"' ? p + 1 : p;
}

/* Turns logfmt pairs into members, each with a comma in front; a word without '=' is true. */
static void put_json_pairs(struct line *line, char *pairs)
{
    const char *p = pairs;

    for (;;) {
        const char *key;
        size_t key_size;
        size_t before = line->size;

        p += strspn(p, " ");
        if (*p == '\0') {
            return;
        }
        key = p;
        key_size = strcspn(p, "= ");
        p += key_size;
        put(line, ",", 1);
        put_json_string(line, key, key_size);
        put(line, ":", 1);
        if (*p != '=') {
            put_str(line, "true");
        } else if (p[1] == '"') {
            char *value = pairs + (p + 2 - pairs);
            size_t size;

            p = unquote(value, &size);
            put_json_string(line, value, size);
        } else {
            size_t size = strcspn(p + 1, " ");

            put_json_bare(line, p + 1, size);
            p += 1 + size;
        }
        if (line->full) {
            line->size = before;
            return;
        }
    }
}

static void write_line(struct line *line)
{
    const char *p = line->text;
    size_t left;

    line->text[line->size++] = '\n';
    left = line->size;
    while (left > 0) {
        ssize_t n = write(STDERR_FILENO, p, left);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return; /* nobody is left to tell */
        }
        p += n;
        left -= (size_t)n;
    }
}

static void put_pairs(struct line *line, char *pairs)
{
    if (settings.json) {
        put_json_pairs(line, pairs);
    } else if (pairs[0] != '\0') {
        put(line, " ", 1);
        put_str(line, pairs);
    }
}

static void put_node(struct line *line)
{
    size_t before = line->size;

    if (settings.node[0] != '\0') {
        put_str(line, settings.json ? ",\"node\":\"" : " node=");
        put_str(line, settings.node);
        put_str(line, settings.json ? "\"" : "");
        line->size = line->full ? before : line->size;
    }
}

/* Ends a text that was cut so that it still reads as pairs: no open quote, no half escape. */
static void end_cut(char *pairs, size_t size)
{
    const size_t keep = size - 5; /* for ..." and NUL */
    bool quoted = false;

    for (size_t i = 0; i < keep; i++) {
        if (quoted && pairs[i] == '\\') {
            if (i + 1 == keep) {
                pairs[i] = '.';
            }
            i++;
        } else if (pairs[i] == '"') {
            quoted = !quoted;
        }
    }
    memcpy(pairs + keep, quoted ? "...\"" : "...", quoted ? 5 : 4);
}

/* extra: further pairs, clean, may be empty. */
GM_PRINTF(4, 0)
static void emit(enum gm_log_level level, const char *event, char *extra, const char *fields,
                 va_list args)
{
    struct line line = {.size = 0};
    char pairs[LINE_SIZE - 1024]; /* head and error text need the rest */
    char time[25];
    const char *name = LEVELS[level];
    char head[256];
    int n;

    gm_time_format(gm_time_unix_ms(), time);
    n = fields == NULL ? -1 : vsnprintf(pairs, sizeof(pairs), fields, args);
    if (n < 0) {
        pairs[0] = '\0';
    } else if ((size_t)n >= sizeof(pairs)) {
        end_cut(pairs, sizeof(pairs));
    }
    gm_utf8_clean(pairs);
    if (settings.json) {
        snprintf(head, sizeof(head), "{\"ts\":\"%s\",\"level\":\"%s\"", time, name);
        put_str(&line, head);
        put_str(&line, ",\"comp\":");
        put_json_string(&line, settings.comp, strlen(settings.comp));
        put_str(&line, ",\"event\":");
        put_json_string(&line, event, strlen(event));
    } else {
        snprintf(head, sizeof(head), "ts=%s level=%s comp=%s event=%s", time, name, settings.comp,
                 event);
        put_str(&line, head);
    }
    put_pairs(&line, extra);
    put_pairs(&line, pairs);
    put_node(&line);
    if (settings.json) {
        line.text[line.size++] = '}'; /* of the bytes that put() keeps free */
    }
    write_line(&line);
}

void gm_log(enum gm_log_level level, const char *event, const char *fields, ...)
{
    int saved = errno;
    char none[1] = "";
    va_list args;

    if (level > settings.level) {
        return;
    }
    va_start(args, fields);
    emit(level, event, none, fields, args);
    va_end(args);
    errno = saved;
}

void gm_log_err(enum gm_log_level level, const char *event, const struct gm_err *err,
                const char *fields, ...)
{
    int saved = errno;
    char text[sizeof(err->text) * 2 + 8];
    char extra[sizeof(text) + 96];
    va_list args;

    if (level > settings.level) {
        return;
    }
    snprintf(extra, sizeof(extra), "code=%s native=%lld err=%s", gm_code_get((int)err->code)->id,
             (long long)err->native, gm_log_quote(err->text, text, sizeof(text)));
    gm_utf8_clean(extra);
    va_start(args, fields);
    emit(level, event, extra, fields, args);
    va_end(args);
    errno = saved;
}

/* Behind the "user:password@" that may stand at the start of a URL's authority. */
static const char *skip_userinfo(const char *s)
{
    size_t n = strcspn(s, "/?# \t\r\n\"'");

    for (size_t i = n; i > 0; i--) {
        if (s[i - 1] == '@') {
            return s + i;
        }
    }
    return s;
}

const char *gm_log_quote(const char *s, char *buf, size_t size)
{
    size_t at = 0;
    bool url = false;

    if (size < 3) {
        if (size > 0) {
            buf[0] = '\0';
        }
        return buf;
    }
    buf[at++] = '"';
    while (*s != '\0') {
        size_t n = gm_utf8_length(s);
        char piece[5] = {0};

        if (n == 0) {
            n = 1;
            piece[0] = '?';
        } else if (*s == '"' || *s == '\\') {
            piece[0] = '\\';
            piece[1] = *s;
        } else if (*s == '\n' || *s == '\r' || *s == '\t') {
            piece[0] = '\\';
            piece[1] = *s == '\n' ? 'n' : *s == '\r' ? 'r' : 't';
        } else if (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7F)) {
            piece[0] = '?';
        } else {
            memcpy(piece, s, n);
        }
        if (at + strlen(piece) + 2 > size) {
            break;
        }
        memcpy(buf + at, piece, strlen(piece));
        at += strlen(piece);
        if (strchr(" \t\r\n", *s) != NULL) {
            url = false;
        }
        if (strncmp(s, "://", 3) == 0 && at + 2 + 2 <= size) {
            buf[at++] = '/';
            buf[at++] = '/';
            url = true;
            s = skip_userinfo(s + 3);
        } else {
            s += n;
        }
        if (url && *s == '?') {
            s += strcspn(s, " \t\r\n"); /* a quote may be part of a query */
        }
    }
    buf[at++] = '"';
    buf[at] = '\0';
    return buf;
}
