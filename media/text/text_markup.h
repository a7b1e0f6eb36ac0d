#ifndef GM_MEDIA_TEXT_TEXT_MARKUP_H
#define GM_MEDIA_TEXT_TEXT_MARKUP_H

#include "media/text/cues.h"

/* Events of an ASS script, which libavcodec's text decoders make of every kind of subtitle, as
 * WebVTT: b, i, u, line breaks and the corner of the picture are kept; fonts, colours, exact
 * places, drawings and animation are not. Pure; nothing in the bytes is trusted.
 * Source: Advanced SubStation Alpha, "ASS File Format Specification"; W3C WebVTT 1. */
struct gm_text_style {
    char name[64];
    bool bold, italic, underline;
    int align; /* as on a numeric keypad: 1..9; 2: bottom centre */
};
#define GM_TEXT_MAX_STYLES 256u
struct gm_text_styles {
    struct gm_text_style *list; /* owned */
    size_t count, cap;
};

/* The styles of a script's head. What can't be read is passed over. Errors: NOMEM. */
int gm_text_styles_read(const char *header, size_t size, struct gm_text_styles *out,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_text_styles_fini(struct gm_text_styles *s);

/* An event ("ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text") as a cue's payload,
 * appended to out (NUL-terminated as every gm_buf), and its settings. Nothing is appended when
 * nothing of it can be read. At most GM_CUES_MAX_TEXT bytes; *out_cut says that there were more. */
void gm_text_from_event(const struct gm_text_styles *styles, const char *event, struct gm_buf *out,
                        char out_settings[GM_CUES_SETTINGS], bool *out_cut);

/* Copies those of the WebVTT cue settings (not NUL-terminated) that are well-formed and need no
 * region. */
void gm_text_settings(const uint8_t *data, size_t size, char out[GM_CUES_SETTINGS]);

#endif
