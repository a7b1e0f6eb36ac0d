#ifndef GM_STORAGE_S3_SIGN_H
#define GM_STORAGE_S3_SIGN_H

#include "common/err.h"

/* Signatures of requests by AWS Signature Version 4 (AWS4-HMAC-SHA256): in headers, or in the query
 * of a URL that somebody else may use for a while. No I/O; what is signed is what must be sent.
 *
 * Thread: one at a time per signer
 * Errors: INVAL (what can't be sent as it stands, or names what the signer writes itself), LIMIT
 * (too many fields), NOMEM
 * Source: S3 API reference, "Authenticating Requests (AWS Signature Version 4)"
 */
#define GM_S3_UNSIGNED "UNSIGNED-PAYLOAD"
#define GM_S3_SIGNED_LINES 4
#define GM_S3_MAX_EXPIRES_S 604800 /* a week, S3's own limit */

struct gm_s3_field {
    const char *name;
    const char *value;
};

struct gm_s3_keys {
    const char *id;     /* printable ASCII but ' ', ',' and '/' */
    const char *secret; /* never empty */
    const char *token;  /* of a session; NULL: none */
};

/* All borrowed. */
struct gm_s3_request {
    const char *method;              /* upper case */
    const char *host;                /* of struct gm_s3_address: what the Host header says */
    const char *path;                /* of it, too: percent-encoded */
    const struct gm_s3_field *query; /* not encoded, in any order; value "" where there is none */
    size_t query_count;
    const struct gm_s3_field *headers; /* to be signed beside Host and the signer's own; they may
                                        * repeat, and are sent as they are here */
    size_t header_count;
    const char *payload; /* SHA-256 of the body as 64 lower-case hex digits, or GM_S3_UNSIGNED */
};

/* What is to be sent beside the request's own headers. */
struct gm_s3_signed {
    char *target; /* owned: the path and, where there is one, '?' and the query */
    char *lines[GM_S3_SIGNED_LINES]; /* owned: "Authorization: ...", "x-amz-date: ..." and more */
    size_t line_count;
};

struct gm_s3_signer;

/* Copies what it is given. region: "us-east-1"; service: "s3", which alone has its requests say the
 * payload's hash (x-amz-content-sha256), or another, such as "sts". */
int gm_s3_signer_create(const struct gm_s3_keys *keys, const char *region, const char *service,
                        struct gm_s3_signer **out, struct gm_err *err) GM_MUST_CHECK;
/* What it had is overwritten. */
void gm_s3_signer_destroy(struct gm_s3_signer **signer);
/* at_unix_ms: now by the server's clock (gm_s3_date_offset): it takes 15 minutes of difference. */
int gm_s3_sign(struct gm_s3_signer *signer, const struct gm_s3_request *request, int64_t at_unix_ms,
               struct gm_s3_signed *out, struct gm_err *err) GM_MUST_CHECK;
/* The lines have the session's token in them: they are overwritten. */
void gm_s3_signed_fini(struct gm_s3_signed *out);
/* A URL, owned, which holds for expires_s (1..GM_S3_MAX_EXPIRES_S) seconds from at_unix_ms on: it
 * allows this request to whoever sends it with the same headers, and with
 * "x-amz-content-sha256: <payload>" where the service is s3 and payload a hash (radosgw then takes
 * that body alone; Swift refuses every one, and wants GM_S3_UNSIGNED with Content-MD5 among the
 * headers). It is a secret for that long. */
int gm_s3_presign(struct gm_s3_signer *signer, const struct gm_s3_request *request, bool tls,
                  int64_t at_unix_ms, uint32_t expires_s, char **out_url,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
