#ifndef GM_COMMON_ALLOW_H
#define GM_COMMON_ALLOW_H

#include "common/keys.h"

/* The scheduler's list of public keys that may connect. A line each:
 *
 *   ROLE NAME PUBLIC UNTIL
 *
 * UNTIL is "-", or the time after which the key is refused: "2026-01-31T12:00:00Z". A name may have
 * several keys, a key one name. Lines that begin with '#' are comments. Thread: any.
 */
#define GM_ALLOW_MAX 65536 /* keys */

struct gm_allowed {
    char key[GM_CURVE_TEXT];
    char name[GM_CURVE_NAME];
    enum gm_curve_role role; /* never SERVER */
    int64_t until_unix_ms;   /* INT64_MAX: for ever */
};

struct gm_allow {
    struct gm_allowed *rows; /* owned; by key */
    size_t count, cap;
};

/* out: zeroed. Errors: CONFIG (with file and line), SYS, LIMIT, NOMEM; out stays as it was. */
int gm_allow_load(const char *path, struct gm_allow *out, struct gm_err *err) GM_MUST_CHECK;
/* Whole or not at all, mode 0600. */
int gm_allow_save(const char *path, const struct gm_allow *allow, struct gm_err *err) GM_MUST_CHECK;
void gm_allow_fini(struct gm_allow *allow);
/* Borrowed until the list changes. NULL: not on it, or its time is over. */
const struct gm_allowed *gm_allow_find(const struct gm_allow *allow, const char *key,
                                       int64_t now_unix_ms);
/* Errors: CONFLICT (the key is on it), LIMIT, NOMEM. */
int gm_allow_add(struct gm_allow *allow, const struct gm_allowed *row,
                 struct gm_err *err) GM_MUST_CHECK;
/* How many rows of that name went. */
size_t gm_allow_remove(struct gm_allow *allow, const char *name);
/* Keys of that name that have no end get this one; of those whose end is before `now`, the rows go.
 */
void gm_allow_expire(struct gm_allow *allow, const char *name, int64_t now_unix_ms,
                     int64_t until_unix_ms);

#endif
