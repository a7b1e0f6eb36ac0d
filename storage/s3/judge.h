#ifndef GM_STORAGE_S3_JUDGE_H
#define GM_STORAGE_S3_JUDGE_H

#include "common/err.h"

/* What one request's end means. Pure. Thread: any.
 *
 * Source: S3 API reference, "Error responses"; what servers answer beside it (radosgw, Swift's
 * s3api, MinIO) stands at the rows of judge.c
 */
enum gm_s3_next {
    GM_S3_DONE,
    GM_S3_AGAIN, /* the same after a pause (storage/s3/retry.h) */
    GM_S3_CLOCK, /* signed anew by the server's clock (gm_s3_date_offset), then the same */
    GM_S3_RENEW, /* what it was signed with is over: by a new grant, or by new keys of the session
                  */
    GM_S3_LACKS, /* the server can't do that; where it is an option, without it */
    GM_S3_FAILED
};

struct gm_s3_outcome {
    int transport;    /* CURLcode; 0: all went over the wire */
    int status;       /* of HTTP; 0: no answer came */
    const char *code; /* of S3's error, of a body under any status; "" or NULL: none */
    bool wrong_body;  /* it came, but size or hash are not the object's */
    bool overdue;     /* the URL's or the session's time was over when it ended */
};

struct gm_s3_verdict {
    enum gm_s3_next next;
    /* Of the catalogue, where nothing more is tried; STORE for GM_S3_DONE has no meaning.
     * NOTFOUND: no such object or upload. Of a HEAD it may be the bucket that is missing: who takes
     * an object's absence for a fact asks for the bucket first.
     * STORE_EXISTS: a condition did not hold; under If-Match, the object is another one now. */
    enum gm_code code;
    bool ill; /* it speaks against the endpoint, not the request: its breaker counts it */
};

struct gm_s3_verdict gm_s3_judge(const struct gm_s3_outcome *outcome);
/* What to keep of an outcome in gm_err.native: the status, or the CURLcode where there is none
 * (below 100 these, from 100 on those). */
int64_t gm_s3_native(const struct gm_s3_outcome *outcome);

#endif
