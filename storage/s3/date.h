#ifndef GM_STORAGE_S3_DATE_H
#define GM_STORAGE_S3_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Times as S3 writes them. All are ms since 1970 and pure. Thread: any. */

#define GM_S3_DATE_SIZE 17 /* "20150830T123600Z" and NUL */

/* False, and out untouched: before 1970 or after the year 9999. Source: ISO 8601, basic format. */
bool gm_s3_date_format(int64_t unix_ms, char out[GM_S3_DATE_SIZE]);
/* What gm_s3_date_format writes, and nothing else; a whole second. */
bool gm_s3_date_parse(const char *text, int64_t *out_unix_ms);
/* The value of a Date or Last-Modified header, "Sun, 06 Nov 1994 08:49:37 GMT"; nothing before or
 * after it. False, and *out untouched, for all else: the older forms too. Source: RFC 9110
 * section 5.6.7, IMF-fixdate. */
bool gm_s3_date_read(const char *text, int64_t *out_unix_ms);
/* What must be added to our clock to have the server's, which said `date` in an answer that came at
 * now_unix_ms; 0 where both agree within the second that a Date has. False, and *out_ms untouched:
 * `date` is none. Worth asking after RequestTimeTooSkewed alone (storage/s3/retry.h): who trusts
 * every Date lets whatever answers in between make grants that live longer. */
bool gm_s3_date_offset(const char *date, int64_t now_unix_ms, int64_t *out_ms);

#endif
