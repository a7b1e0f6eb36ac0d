/* A signed URL says in its query for which headers it holds, since when and for how long.
 *
 * Source: S3 API reference, "Authenticating Requests: Using Query Parameters"
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "storage/s3/date.h"
#include "storage/s3/sign.h"
#include "storage/s3/url.h"

bool gm_s3_url_is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static bool is_printable(const char *url)
{
    size_t size = strnlen(url, GM_S3_URL_MAX + 1);

    for (size_t i = 0; i < size; i++) {
        if (url[i] <= ' ' || url[i] > '~') {
            return false;
        }
    }
    return size <= GM_S3_URL_MAX;
}

int gm_s3_url_endpoint(const char *url, struct gm_s3_endpoint *out, struct gm_err *err)
{
    char text[GM_S3_HOST_SIZE + 8];
    char plain[GM_S3_URL_PLAIN];
    const char *host = strstr(url, "://");
    size_t size;

    if (gm_s3_url_is_http(url) && host != NULL && is_printable(url)) {
        size = (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
        if (size < sizeof(text)) {
            for (size_t i = 0; i < size; i++) { /* the scheme's case does not matter */
                text[i] = url[i] >= 'A' && url[i] <= 'Z' ? (char)(url[i] + ('a' - 'A')) : url[i];
            }
            text[size] = '\0';
            if (gm_s3_endpoint_read(text, out, NULL) == 0) {
                return 0;
            }
        }
    }
    return gm_err_set(err, GM_E_INVAL, 0, "`%s` is no URL that can be asked",
                      gm_s3_url_plain(url, plain));
}

/* The value of a field of the query, as it stands there. NULL: there is none. */
static const char *find(const char *url, const char *name, size_t *out_size)
{
    const char *at = strchr(url, '?');
    size_t length = strlen(name);

    while (at != NULL) {
        at++;
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            at += length + 1;
            *out_size = strcspn(at, "&#");
            return at;
        }
        at = strchr(at, '&');
    }
    return NULL;
}

bool gm_s3_url_signs(const char *url, const char *header)
{
    size_t left = 0;
    const char *at = find(url, "X-Amz-SignedHeaders", &left);
    size_t length = strlen(header);

    while (at != NULL && left > 0) {
        size_t size = 0;

        while (size < left && at[size] != ';' && at[size] != '%') {
            size++;
        }
        if (size == length && strncmp(at, header, length) == 0) {
            return true;
        }
        size += size < left && at[size] == '%' ? 3 : 1; /* ";" or "%3B" */
        size = size < left ? size : left;
        at += size;
        left -= size;
    }
    return false;
}

bool gm_s3_url_until(const char *url, int64_t *out_unix_ms)
{
    size_t date_size = 0;
    size_t size = 0;
    const char *date = find(url, "X-Amz-Date", &date_size);
    const char *expires = find(url, "X-Amz-Expires", &size);
    char text[GM_S3_DATE_SIZE];
    int64_t begin;
    int64_t seconds;

    if (date == NULL || date_size != GM_S3_DATE_SIZE - 1 || expires == NULL || size > 7) {
        return false;
    }
    memcpy(text, date, date_size);
    text[date_size] = '\0';
    if (!gm_s3_date_parse(text, &begin)) {
        return false;
    }
    memcpy(text, expires, size);
    text[size] = '\0';
    if (!gm_number_int(text, &seconds) || seconds < 1 || seconds > GM_S3_MAX_EXPIRES_S) {
        return false;
    }
    *out_unix_ms = begin + 1000 * seconds;
    return true;
}

const char *gm_s3_url_plain(const char *url, char out[GM_S3_URL_PLAIN])
{
    const char *host = strstr(url, "://");
    bool has_scheme = host != NULL && (size_t)(host - url) < strcspn(url, "?#");
    const char *begin = has_scheme ? host + 3 : url;
    size_t authority = strcspn(begin, "/?#");
    const char *user = memrchr(begin, '@', authority);
    size_t used = (size_t)(begin - url);
    size_t i = used < GM_S3_URL_PLAIN - 1 ? used : GM_S3_URL_PLAIN - 1;

    memcpy(out, url, i);
    for (const char *at = user == NULL ? begin : user + 1;
         *at != '\0' && *at != '?' && *at != '#' && i < GM_S3_URL_PLAIN - 1; at++) {
        out[i++] = *at > ' ' && *at <= '~' ? *at : '?';
    }
    out[i] = '\0';
    return out;
}
