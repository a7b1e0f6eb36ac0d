#ifndef GM_STORAGE_S3_URL_H
#define GM_STORAGE_S3_URL_H

#include "storage/s3/address.h"

/* What who was given a URL can know of it, without a key. Pure. Thread: any. */

#define GM_S3_URL_MAX ((size_t)8192) /* bytes; proto/scan.h takes no longer string */
#define GM_S3_URL_PLAIN 200

/* "http://" or "https://", of any case. */
bool gm_s3_url_is_http(const char *url);
/* Whom it goes to. Errors: INVAL: it is longer than GM_S3_URL_MAX, has bytes that no URL has, or
 * names no host; the text shows nothing of its query. */
int gm_s3_url_endpoint(const char *url, struct gm_s3_endpoint *out,
                       struct gm_err *err) GM_MUST_CHECK;
/* Whether it was signed for a header of that name (lower case): it is refused without. */
bool gm_s3_url_signs(const char *url, const char *header);
/* When its time is over (X-Amz-Date and X-Amz-Expires), by the clock of who signed it. False: it
 * does not say. */
bool gm_s3_url_until(const char *url, int64_t *out_unix_ms);
/* What may be told of a URL: without its query, which may be a secret, without a user, and cut off
 * at the end of `out`. Returns out. */
const char *gm_s3_url_plain(const char *url, char out[GM_S3_URL_PLAIN]);

#endif
