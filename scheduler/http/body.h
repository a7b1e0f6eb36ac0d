#ifndef GM_SCHEDULER_HTTP_BODY_H
#define GM_SCHEDULER_HTTP_BODY_H

#include <jansson.h>

#include "common/err.h"

/* What is asked for in a body, and where in it that is which is refused. Thread: any, one at a
 * time for each struct. */

/* A JSON pointer (RFC 6901): "/pipeline/assets/logo.png", "/parts/3/sha256"; of a parameter
 * "?limit".
 * "": nowhere. One that does not fit ends where it is full. */
struct gm_at {
    char path[256];
};

/* Where rc is negative: puts a step down to a member in front of the path. Returns rc. at NULL is
 * fine. */
int gm_at_member(struct gm_at *at, int rc, const char *name);
int gm_at_index(struct gm_at *at, int rc, size_t index);
/* The same of a parameter behind the question mark. */
int gm_at_query(struct gm_at *at, int rc, const char *name);

/* Members of an object must be among the NULL-terminated words: INVAL with a suggestion. */
int gm_json_check_keys(const json_t *object, const char *const *known, struct gm_at *at,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
