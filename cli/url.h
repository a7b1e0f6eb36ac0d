#ifndef GM_CLI_URL_H
#define GM_CLI_URL_H

#include "common/err.h"

/* "file://" URL of a path, made absolute with the current folder, without "." and doubled slashes
 * (".." stays: links decide what it means). Every byte but RFC 3986's unreserved ones and '/' is
 * percent-encoded. path that begins with "file:/" is a URL: copied, with "//" where it lacks that
 * (RFC 8089). URLs of s3, https and http, and uploads, are copied as they stand: the farm says
 * whether it takes them. *out is owned. Errors: SYS, NOMEM, INVAL (empty, or the URL of another
 * scheme). */
int gm_url_from_path(const char *path, char **out, struct gm_err *err) GM_MUST_CHECK;
/* "s3://...", "https://...", "http://..." or an upload */
bool gm_url_is_remote(const char *text);
/* "upload:<id>" */
bool gm_url_is_upload(const char *text);
/* One part of an HTTP path or a query value, percent-encoded ('/' too). *out is owned. */
int gm_url_escape(const char *text, char **out, struct gm_err *err) GM_MUST_CHECK;
/* Standard base64 with padding (RFC 4648 section 4), owned, NUL-terminated. */
int gm_base64_encode(const void *data, size_t size, char **out, struct gm_err *err) GM_MUST_CHECK;

#endif
