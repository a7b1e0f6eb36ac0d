#ifndef GM_SCHEDULER_ACCESS_HTTP_H
#define GM_SCHEDULER_ACCESS_HTTP_H

#include "common/err.h"

/* Sources on servers that are asked without a key: http:// and https://. */

struct gm_access_http {
    uint64_t size;
    char etag[128]; /* the ETag, as sent; or Last-Modified, where it has none that is strong; "":
                     * nothing tells later whether it is another */
};
/* The last part of its path, without escapes, valid UTF-8, or the host where there is none. Owned.
 * Errors: INVAL, NOMEM. */
int gm_access_http_name(const char *url, char **out, struct gm_err *err) GM_MUST_CHECK;
/* Whether one of `allowed` (NULL-terminated; NULL: none) that is itself such a URL names the host
 * of this one and begins its path, up to a '/'. */
bool gm_access_http_allows(const char *url, char *const *allowed);
/* Asks the server what is there, and follows it at most GM_HTTP_REDIRECTS times, from https never
 * to http. It blocks, for a minute at most a place. Where it leads is the server's to say: who is
 * allowed is trusted for that, too.
 *
 * ca_file:  PEM of who signs the server's certificate; NULL: the system's
 * Thread:   any
 * Errors:   STORE_DENIED      none of `allowed` allows it
 *           INVAL             no URL that can be asked: with a user, a fragment, steps up
 *           INPUT_MISSING     404, 410
 *           INPUT_DENIED      401, 403
 *           INPUT_EMPTY       it has no bytes
 *           INPUT_UNREADABLE  the server does not say how large it is
 *           STORE             the server fails, or is not there, or redirects for ever
 *           NOMEM. No text has anything of the URL's query. */
int gm_access_http(const char *url, char *const *allowed, const char *ca_file,
                   struct gm_access_http *out, struct gm_err *err) GM_MUST_CHECK;

#endif
