#ifndef GM_MEDIA_PACKAGE_MANIFEST_SPAN_H
#define GM_MEDIA_PACKAGE_MANIFEST_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Text that is read from its begin (inside of manifest_check*.c). What takes something and fails
 * leaves the span anywhere. Pure. */
struct gm_span {
    const char *at;
    size_t size;
};
bool gm_span_is(struct gm_span s, const char *text);
bool gm_span_same(struct gm_span a, struct gm_span b);
/* Takes text off s's begin; false: s begins otherwise and stays. */
bool gm_span_skip(struct gm_span *s, const char *text);
/* Takes a whole number of up to 15 digits, none of them a leading zero. */
bool gm_span_number(struct gm_span *s, int64_t *out);
/* Takes seconds with six decimals, "12.345678", as microseconds. */
bool gm_span_seconds(struct gm_span *s, int64_t *out_us);

/* A playlist's lines. */
struct gm_span_lines {
    const char *where; /* for errors */
    struct gm_span rest;
    size_t line; /* that was read last, from 1 */
};
/* Every line ends with a newline, none is empty or has a control character. Errors: BUG. */
int gm_span_line(struct gm_span_lines *r, struct gm_span *out, struct gm_err *err) GM_MUST_CHECK;
/* Sets BUG with the place and returns it. */
int gm_span_broken(const struct gm_span_lines *r, const char *what, struct gm_err *err);

#endif
