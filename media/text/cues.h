#ifndef GM_MEDIA_TEXT_CUES_H
#define GM_MEDIA_TEXT_CUES_H

#include <stdbool.h>

#include "common/buf.h"

/* The cues of one text track: lines of text with the programme time at which they show. Bounded,
 * whatever a source holds. Thread: one at a time. */
#define GM_CUES_MAX 200000u              /* of a track */
#define GM_CUES_MAX_BYTES (32u << 20)    /* of text, all cues together */
#define GM_CUES_MAX_TEXT 16384u          /* of a cue's text, bytes */
#define GM_CUES_SETTINGS 96u             /* of a cue's settings, with the NUL */
#define GM_CUES_MAX_MS (172800 * 1000LL) /* programme times above 48 h are none */
#define GM_CUES_NO_END INT64_MIN         /* until the next cue begins, at most GM_CUES_ALONE_MS */
#define GM_CUES_ALONE_MS 5000

struct gm_cue {
    int64_t start_ms, end_ms; /* programme time; start < end once gm_cues_finish was called */
    uint32_t order;           /* of coming */
    char *text;               /* owned: a WebVTT cue's payload: UTF-8, lines without empty ones */
    char settings[GM_CUES_SETTINGS]; /* WebVTT cue settings; "": none */
};
struct gm_cues {
    struct gm_cue *list; /* owned */
    size_t count, cap;
    size_t text_bytes;
    int64_t left_out; /* did not fit the limits, or lay outside of all time */
};

/* Adds a copy. text: not empty. A cue that ends at or before 0 is passed over, one that begins
 * before 0 begins there; what does not fit the limits is counted in left_out. Errors: NOMEM. */
int gm_cues_add(struct gm_cues *c, int64_t start_ms, int64_t end_ms, const char *text,
                const char *settings, struct gm_err *err) GM_MUST_CHECK;
/* Sorts by start, then by order of coming; gives an end to cues without one, or whose end is not
 * after their start. */
void gm_cues_finish(struct gm_cues *c);
void gm_cues_fini(struct gm_cues *c);

#endif
