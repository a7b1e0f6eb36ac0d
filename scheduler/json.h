#ifndef GM_SCHEDULER_JSON_H
#define GM_SCHEDULER_JSON_H

#include <jansson.h>

#include "common/buf.h"
#include "media.pb-c.h"

/* JSON of values that may be anything: what workers and nodes said. Returned values are new
 * references; NULL: out of memory. Thread: any. */

/* A string of s, whose bytes outside UTF-8 become `?`. */
json_t *gm_json_string(const char *s);
/* The same of a URL. What stands behind the path of one of http may be a secret, and is left out.
 */
json_t *gm_json_url(const char *url);
json_t *gm_json_text_or_null(const char *s); /* null where s is empty */
json_t *gm_json_number(double v);            /* null where JSON has no such number */
/* "2026-01-31T12:00:00.123Z", or null for 0. */
json_t *gm_json_time(int64_t unix_ms);
/* {"num","den"}; null where there is none. */
json_t *gm_json_rational(const Gm__Rational *r);
/* {"code","text","blame","retry","remedy"} */
json_t *gm_json_error(int code, const char *text);
/* The list with member at its end. Takes both, also on failure; either may be NULL, which is one.
 */
json_t *gm_json_add(json_t *list, json_t *member);
/* j (taken; NULL is out of memory) as text. Errors: NOMEM. */
int gm_json_text(json_t *j, bool indent, struct gm_buf *out, struct gm_err *err) GM_MUST_CHECK;

#endif
