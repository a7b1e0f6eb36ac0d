#ifndef GM_COMMON_ID_H
#define GM_COMMON_ID_H

#include "common/err.h"

#define GM_ID_SIZE 27 /* 26 characters and NUL */

/* A sortable unique id: 48 bits of unix ms and 80 random bits in Crockford base 32, lower case (the
 * ULID layout, https://github.com/ulid/spec). out: GM_ID_SIZE bytes. Errors: SYS when getrandom
 * fails. */
int gm_id_make(char out[GM_ID_SIZE], struct gm_err *err) GM_MUST_CHECK;
/* Whether text has that form. */
bool gm_id_is(const char *text);
/* When it was made, as it says itself; -1: text has not that form. */
int64_t gm_id_unix_ms(const char *text);
int gm_random(void *out, size_t size, struct gm_err *err) GM_MUST_CHECK;

#endif
