#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/number.h"
#include "storage/backend.h"
#include "storage/s3/address.h"

#define MAX_HOST ((size_t)253) /* RFC 1035 section 2.3.4, without the last dot */
#define MAX_KEY ((size_t)1024)

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_host_byte(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

/* Bytes of the host at the start of text, brackets included; 0: there is none. */
static size_t host_size(const char *text)
{
    size_t n = 0;

    if (text[0] == '[') {
        n = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return n >= 4 && text[n] == ']' ? n + 1 : 0;
    }
    while (is_host_byte(text[n])) {
        n++;
    }
    return n;
}

static bool read_port(const char *text, size_t size, int64_t *out)
{
    char digits[8];

    if (size == 0 || size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    return gm_number_int(digits, out) && *out >= 1 && *out <= 65535;
}

int gm_s3_endpoint_read(const char *url, struct gm_s3_endpoint *out, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint = {.tls = strncmp(url, "https://", 8) == 0};
    const char *host = url + (endpoint.tls ? 8 : 7);
    int64_t own = endpoint.tls ? 443 : 80;
    int64_t port = own;
    const char *at;
    size_t size;

    if (!endpoint.tls && strncmp(url, "http://", 7) != 0) {
        goto bad;
    }
    size = host_size(host);
    if (size == 0 || size > MAX_HOST || host[0] == '.' || host[0] == '-') {
        goto bad;
    }
    at = host + size;
    if (*at == ':') {
        size_t digits = strcspn(at + 1, "/");

        if (!read_port(at + 1, digits, &port)) {
            goto bad;
        }
        at += 1 + digits;
    }
    if (strcmp(at, "/") != 0 && *at != '\0') {
        goto bad;
    }
    for (size_t i = 0; i < size; i++) {
        endpoint.host[i] = (char)tolower((unsigned char)host[i]);
    }
    if (port != own) {
        snprintf(endpoint.host + size, sizeof(endpoint.host) - size, ":%d", (int)port);
    }
    *out = endpoint;
    return 0;
bad:
    return gm_err_set(err, GM_E_INVAL, 0,
                      "`%.120s` was no S3 endpoint: http:// or https://, a host and perhaps a port "
                      "were expected",
                      url);
}

static bool is_ipv4(const char *name)
{
    int dots = 0;

    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '.') {
            dots++;
        } else if (*c < '0' || *c > '9') {
            return false;
        }
    }
    return dots == 3;
}

bool gm_s3_is_bucket(const char *name)
{
    size_t size = strnlen(name, 64);

    if (size < 3 || size > 63 || !is_lower_or_digit(name[0]) ||
        !is_lower_or_digit(name[size - 1])) {
        return false;
    }
    for (size_t i = 1; i + 1 < size; i++) {
        if (name[i] == '.' &&
            (!is_lower_or_digit(name[i - 1]) || !is_lower_or_digit(name[i + 1]))) {
            return false;
        }
        if (name[i] != '.' && name[i] != '-' && !is_lower_or_digit(name[i])) {
            return false;
        }
    }
    return !is_ipv4(name);
}

static int check_names(const struct gm_s3_endpoint *endpoint, enum gm_s3_style style,
                       const char *bucket, const char *key, struct gm_err *err)
{
    if (!gm_s3_is_bucket(bucket)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.80s` was no name of a bucket", bucket);
    }
    if (key != NULL && (key[0] == '\0' || strnlen(key, MAX_KEY + 1) > MAX_KEY)) {
        return gm_err_set(err, GM_E_INVAL, 0, "a key of 1 to %zu bytes was expected", MAX_KEY);
    }
    if (style == GM_S3_VIRTUAL && endpoint->host[0] == '[') {
        return gm_err_set(
            err, GM_E_INVAL, 0,
            "the bucket %s could not stand before an IPv6 address: path style is what "
            "that endpoint takes",
            bucket);
    }
    if (style == GM_S3_VIRTUAL && endpoint->tls && strchr(bucket, '.') != NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "the bucket %s has a dot: a certificate of the endpoint's can't be for "
                          "its host name; path style would do",
                          bucket);
    }
    return 0;
}

int gm_s3_address_make(const struct gm_s3_endpoint *endpoint, enum gm_s3_style style,
                       const char *bucket, const char *key, struct gm_s3_address *out,
                       struct gm_err *err)
{
    struct gm_s3_address address = {.path = NULL};
    struct gm_buf path = {0};
    int rc = check_names(endpoint, style, bucket, key, err);

    if (rc < 0) {
        return rc;
    }
    gm_buf_str(&path, "/");
    if (style == GM_S3_PATH) {
        gm_buf_str(&path, bucket);
        gm_buf_str(&path, key != NULL ? "/" : "");
    }
    if (key != NULL) {
        gm_url_encode(&path, key);
    }
    rc = gm_buf_check(&path, err);
    if (rc < 0) {
        gm_buf_fini(&path);
        return rc;
    }
    snprintf(address.host, sizeof(address.host), "%s%s%s", style == GM_S3_VIRTUAL ? bucket : "",
             style == GM_S3_VIRTUAL ? "." : "", endpoint->host);
    address.path = (char *)path.data;
    *out = address;
    return 0;
}

void gm_s3_address_fini(struct gm_s3_address *address)
{
    free(address->path);
    address->path = NULL;
}
