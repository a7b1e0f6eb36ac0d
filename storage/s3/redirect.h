#ifndef GM_STORAGE_S3_REDIRECT_H
#define GM_STORAGE_S3_REDIRECT_H

#include "common/err.h"

/* Where an answer says that something is. Pure. Thread: any. */

#define GM_HTTP_REDIRECTS 5 /* that are followed in a row */

/* 301, 302, 303, 307, 308. */
bool gm_http_is_redirect(int status);
/* What `location` (a Location header: absolute, or relative to `from`) means for the URL `from`;
 * *out_url: owned. Only http and https, and never from https to http. Errors: STORE: it may not be
 * followed; the text names neither; NOMEM. Source: RFC 3986 section 5.2, without the removal of dot
 * segments, which no server needs that asks for another place. */
int gm_http_redirect(const char *from, const char *location, char **out_url,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
