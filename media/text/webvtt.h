#ifndef GM_MEDIA_TEXT_WEBVTT_H
#define GM_MEDIA_TEXT_WEBVTT_H

#include "media.pb-c.h"
#include "media/text/cues.h"

/* WebVTT as gopmill writes it, and a strict reader of just that. Pure: bytes in, bytes out. Times
 * are programme time. Source: W3C WebVTT 1; RFC 8216 3.5 (X-TIMESTAMP-MAP). */

/* The head. segment: one of a media playlist, whose times are programme time too (ADR-0009). */
void gm_webvtt_head(struct gm_buf *out, bool segment);
/* text and settings must be a WebVTT payload and settings. */
void gm_webvtt_cue(struct gm_buf *out, const struct gm_cue *cue);
/* A whole file of chapters, each a cue with its title ("Chapter 2" where it has none). */
void gm_webvtt_chapters(struct gm_buf *out, Gm__Chapter *const *chapters, size_t count);

/* A cue read back: text and settings point into the data, neither NUL-terminated. */
struct gm_webvtt_cue {
    int64_t start_ms, end_ms;
    const char *text;
    size_t text_size;
    const char *settings;
    size_t settings_size;
};
#define GM_WEBVTT_MAX_BYTES (64u << 20)
/* Calls fn for each cue in order; what it returns other than 0 is returned. Strict: starts never
 * fall, a cue ends after its start, lines are neither empty nor hold "-->", all is UTF-8, and the
 * head is the one asked for. Errors: MEDIA. */
int gm_webvtt_read(const uint8_t *data, size_t size, bool segment,
                   int (*fn)(const struct gm_webvtt_cue *cue, void *arg), void *arg,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
