#ifndef GM_STORAGE_S3_ADDRESS_H
#define GM_STORAGE_S3_ADDRESS_H

#include "common/err.h"

/* Where the requests of a bucket go. Pure. Thread: any. */

#define GM_S3_HOST_SIZE 272 /* a name of 253 bytes (RFC 1035), a port and NUL */

enum gm_s3_style {
    GM_S3_PATH,   /* https://host/bucket/key */
    GM_S3_VIRTUAL /* https://bucket.host/key */
};

struct gm_s3_endpoint {
    bool tls;
    char
        host[GM_S3_HOST_SIZE]; /* as in the Host header: with a port that is not the scheme's own */
};

struct gm_s3_address {
    char host[GM_S3_HOST_SIZE + 64];
    char *path; /* owned; percent-encoded, as it is sent and signed */
};

/* "http://host", "https://host:port", with a '/' at the end or without; host is a name of letters,
 * digits, '-', '_' and '.', or an IPv6 address in brackets; what is upper case becomes lower case.
 * INVAL: anything else: a path, a query, a user. */
int gm_s3_endpoint_read(const char *url, struct gm_s3_endpoint *out,
                        struct gm_err *err) GM_MUST_CHECK;
/* 3..63 lower-case letters, digits, '-' and '.', a letter or digit at both ends and beside each
 * '.'; no IPv4 address. Source: S3 user guide, general purpose bucket naming rules. */
bool gm_s3_is_bucket(const char *name);
/* key: 1..1024 bytes of any kind, or NULL for the bucket itself. Each of its bytes but letters,
 * digits and "-._~/" is encoded, and none of its parts taken for a step up: "." and ".." must reach
 * the server as they are (CURLOPT_PATH_AS_IS). Errors: INVAL (no bucket or key; a bucket with a '.'
 * as a part of a host that a certificate for *.host can't be for), NOMEM. */
int gm_s3_address_make(const struct gm_s3_endpoint *endpoint, enum gm_s3_style style,
                       const char *bucket, const char *key, struct gm_s3_address *out,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_s3_address_fini(struct gm_s3_address *address);

#endif
