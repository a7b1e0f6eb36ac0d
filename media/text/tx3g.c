#include "media/text/tx3g.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/text/webvtt.h"

/* See tx3g.h. Source: 3GPP TS 26.245 5.16 (sample entry), 5.17 (samples, style records). */
#define FACE_BOLD 1u
#define FACE_ITALIC 2u
#define FACE_UNDERLINE 4u
#define FONT_SIZE 18
#define WHITE 0xffffffffu
#define MAX_RUNS 256u /* of a sample */

struct span {
    int64_t start_ms, end_ms;
    const char *text;
    size_t size;
};
struct run {
    uint16_t first, end; /* characters */
    uint8_t face;
};
struct gm_tx3g {
    struct span *cues; /* owned */
    size_t count, cap, next;
    const struct span *shown[GM_TX3G_MAX_SHOWN]; /* in order of starting */
    size_t shown_count;
    int64_t at_ms, end_ms;
    uint64_t bytes;
    int64_t left_out;
};

static int take_cue(const struct gm_webvtt_cue *cue, void *arg)
{
    struct gm_tx3g *t = arg;
    int rc = gm_array_reserve(&t->cues, t->count, 1, &t->cap, sizeof t->cues[0], NULL);
    if (rc == 0) {
        t->cues[t->count++] = (struct span){cue->start_ms, cue->end_ms, cue->text, cue->text_size};
    }
    return rc;
}

int gm_tx3g_create(const uint8_t *data, size_t size, int64_t end_ms, struct gm_tx3g **out,
                   struct gm_err *err)
{
    struct gm_tx3g *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->end_ms = end_ms;
    int rc = gm_webvtt_read(data, size, false, take_cue, t, err);
    if (rc < 0) {
        gm_tx3g_destroy(&t);
        return rc == -GM_E_NOMEM ? gm_err_nomem(err) : rc;
    }
    *out = t;
    return 0;
}

void gm_tx3g_destroy(struct gm_tx3g **t)
{
    if (*t != NULL) {
        free((*t)->cues);
        free(*t);
        *t = NULL;
    }
}

int64_t gm_tx3g_start(const struct gm_tx3g *t)
{
    return t->at_ms;
}

int64_t gm_tx3g_left_out(const struct gm_tx3g *t)
{
    return t->left_out;
}

/* The cues that show from at_ms on; returns until when just these do. */
static int64_t show(struct gm_tx3g *t)
{
    int64_t until = t->end_ms;
    size_t kept = 0;
    for (size_t i = 0; i < t->shown_count; i++) {
        if (t->shown[i]->end_ms > t->at_ms) {
            t->shown[kept++] = t->shown[i];
        }
    }
    t->shown_count = kept;
    for (; t->next < t->count && t->cues[t->next].start_ms <= t->at_ms; t->next++) {
        if (t->cues[t->next].end_ms <= t->at_ms) {
            continue;
        }
        if (t->shown_count < GM_TX3G_MAX_SHOWN) {
            t->shown[t->shown_count++] = &t->cues[t->next];
        } else {
            t->left_out++;
        }
    }
    for (size_t i = 0; i < t->shown_count; i++) {
        until = t->shown[i]->end_ms < until ? t->shown[i]->end_ms : until;
    }
    if (t->next < t->count && t->cues[t->next].start_ms < until) {
        until = t->cues[t->next].start_ms;
    }
    return until;
}

struct writer {
    struct gm_buf *out; /* text behind its 16-bit length */
    uint32_t characters;
    uint8_t face;
    struct run runs[MAX_RUNS];
    size_t run_count;
};

static void put_character(struct writer *w, const char *bytes, size_t size)
{
    struct run *last = w->run_count > 0 ? &w->runs[w->run_count - 1] : NULL;
    if (w->face != 0 && last != NULL && last->face == w->face && last->end == w->characters) {
        last->end++;
    } else if (w->face != 0 && w->run_count < MAX_RUNS) {
        w->runs[w->run_count++] =
            (struct run){(uint16_t)w->characters, (uint16_t)(w->characters + 1), w->face};
    }
    gm_buf_add(w->out, bytes, size);
    w->characters++;
}

/* A tag or entity of our own payloads; returns how many bytes it has, 0: it is none. */
static size_t take_markup(struct writer *w, const char *at, size_t left)
{
    static const struct {
        const char *word;
        char stands_for; /* 0: a tag */
        uint8_t set, clear;
    } words[] = {
        {"&amp;", '&', 0, 0},        {"&lt;", '<', 0, 0},           {"&gt;", '>', 0, 0},
        {"<b>", 0, FACE_BOLD, 0},    {"</b>", 0, 0, FACE_BOLD},     {"<i>", 0, FACE_ITALIC, 0},
        {"</i>", 0, 0, FACE_ITALIC}, {"<u>", 0, FACE_UNDERLINE, 0}, {"</u>", 0, 0, FACE_UNDERLINE},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i].word);
        if (n <= left && memcmp(at, words[i].word, n) == 0) {
            w->face = (uint8_t)((w->face | words[i].set) & ~words[i].clear);
            if (words[i].stands_for != 0) {
                put_character(w, &words[i].stands_for, 1);
            }
            return n;
        }
    }
    return 0;
}

static void put_cue(struct writer *w, const struct span *cue)
{
    for (size_t at = 0; at < cue->size;) {
        size_t n = take_markup(w, cue->text + at, cue->size - at);
        if (n == 0) {
            n = 1; /* one character with its continuation bytes: the text is UTF-8 */
            while (at + n < cue->size && ((unsigned char)cue->text[at + n] & 0xc0) == 0x80) {
                n++;
            }
            put_character(w, cue->text + at, n);
        }
        at += n;
    }
    w->face = 0;
}

static void put_styles(const struct writer *w, struct gm_buf *out)
{
    if (w->run_count == 0) {
        return;
    }
    gm_buf_be32(out, (uint32_t)(10 + 12 * w->run_count));
    gm_buf_add(out, "styl", 4);
    gm_buf_be16(out, (uint16_t)w->run_count);
    for (size_t i = 0; i < w->run_count; i++) {
        gm_buf_be16(out, w->runs[i].first);
        gm_buf_be16(out, w->runs[i].end);
        gm_buf_be16(out, 1); /* font */
        gm_buf_u8(out, w->runs[i].face);
        gm_buf_u8(out, FONT_SIZE);
        gm_buf_be32(out, WHITE);
    }
}

static void write_sample(struct gm_tx3g *t, struct gm_buf *out)
{
    struct writer w = {.out = out};
    out->size = 0;
    gm_buf_be16(out, 0);
    for (size_t i = 0; i < t->shown_count; i++) {
        /* 64 KiB, less what the line break takes */
        if (out->size + t->shown[i]->size > UINT16_MAX || t->bytes > GM_TX3G_MAX_BYTES) {
            t->left_out++;
            continue;
        }
        if (out->size > 2) {
            put_character(&w, "\n", 1);
        }
        put_cue(&w, t->shown[i]);
    }
    if (!out->failed) {
        out->data[0] = (uint8_t)((out->size - 2) >> 8);
        out->data[1] = (uint8_t)(out->size - 2);
    }
    put_styles(&w, out);
    t->bytes += out->size;
}

int gm_tx3g_next(struct gm_tx3g *t, struct gm_buf *out, int64_t *out_duration_ms,
                 struct gm_err *err)
{
    GM_ASSERT(t->at_ms < t->end_ms);
    int64_t until = show(t);
    write_sample(t, out);
    int rc = gm_buf_check(out, err);
    if (rc == 0) {
        *out_duration_ms = until - t->at_ms;
        t->at_ms = until;
    }
    return rc;
}

void gm_tx3g_entry(struct gm_buf *out, bool forced)
{
    gm_buf_be32(out, forced ? 0xc0000000u : 0); /* all samples are forced */
    gm_buf_u8(out, 1);                          /* centred */
    gm_buf_u8(out, 0xff);                       /* at the bottom */
    gm_buf_be32(out, 0);                        /* background: none */
    gm_buf_be64(out, 0);                        /* box: the whole picture */
    gm_buf_be32(out, 0);                        /* default style: of no characters in particular */
    gm_buf_be16(out, 1);
    gm_buf_u8(out, 0);
    gm_buf_u8(out, FONT_SIZE);
    gm_buf_be32(out, WHITE);
    gm_buf_be32(out, 8 + 2 + 3 + 10);
    gm_buf_add(out, "ftab", 4);
    gm_buf_be16(out, 1);
    gm_buf_be16(out, 1);
    gm_buf_u8(out, 10);
    gm_buf_add(out, "Sans-Serif", 10);
}
