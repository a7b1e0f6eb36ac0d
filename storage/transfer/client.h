#ifndef GM_STORAGE_TRANSFER_CLIENT_H
#define GM_STORAGE_TRANSFER_CLIENT_H

#include <uv.h>

#include "storage/s3/address.h"
#include "storage/s3/answer.h"
#include "storage/s3/retry.h"
#include "storage/s3/sign.h"

/* Requests to one endpoint, many at a time, in a libuv loop (ADR-0058): signed at each try or by a
 * URL that somebody else signed, their bodies streamed both ways, tried again within a budget and
 * resumed where a download broke off, none sent while the endpoint's breaker is open.
 *
 * Memory: a request holds curl's buffers (GM_S3_BUFFERS at most), an XML answer as far as it is
 * one, and nothing of a body.
 * Thread: the loop's own only
 */
#define GM_S3_BUFFERS ((size_t)1536 << 10) /* 512 KiB in, 1 MiB out */

struct gm_s3_client; /* opaque */

struct gm_s3_client_params {
    uv_loop_t *loop;                       /* borrowed until gm_s3_client_destroy */
    const struct gm_s3_endpoint *endpoint; /* copied */
    enum gm_s3_style style;
    const struct gm_s3_keys *keys; /* copied; NULL: URLs alone are asked */
    const char *region;            /* copied; with keys */
    const char *ca_file; /* copied; PEM, of who signs the endpoint's certificate; NULL: the
                          * system's */
};

int gm_s3_client_create(const struct gm_s3_client_params *params, struct gm_s3_client **out,
                        struct gm_err *err) GM_MUST_CHECK;
/* All its calls must have ended or be cancelled; not from within `done`. Memory goes after a
 * further turn of the loop. */
void gm_s3_client_destroy(struct gm_s3_client **client);
/* What it found the server's clock to be ahead of ours, ms; 0 where nobody complained. */
int64_t gm_s3_client_clock_offset(const struct gm_s3_client *client);

enum gm_s3_wants {
    GM_S3_WANTS_NOTHING, /* status and headers; a body is an error's */
    GM_S3_WANTS_XML,     /* read as `kind` */
    GM_S3_WANTS_BODY     /* handed to on_body as it comes */
};

struct gm_s3_result {
    int rc; /* 0, or negative: err says why */
    struct gm_err err;
    int status;           /* of the last answer; 0: none came */
    bool renew;           /* rc < 0 for what it was signed with: another may do */
    bool lacks;           /* rc < 0 for something that the server can't do */
    bool unsure;          /* rc < 0, but a try that got no answer was sent whole: it may be done */
    char etag[128];       /* as sent; "" where there is none */
    char modified[40];    /* Last-Modified, as sent; "": not told */
    const char *location; /* of 3xx: where it is, as sent; NULL: not told; borrowed likewise */
    uint64_t size;        /* bytes of the whole object, of GET and HEAD */
    struct gm_s3_answer answer; /* GM_S3_WANTS_XML; borrowed until `done` returns */
    unsigned tries;
};

/* What an answer says of the object before its first byte. */
struct gm_s3_begin {
    const char *etag;     /* borrowed; "": not told */
    const char *modified; /* likewise */
    uint64_t size;        /* of the whole object; 0: not told */
};

/* All borrowed until `done`, or until it is cancelled. */
struct gm_s3_call {
    const char *method;
    const char *bucket; /* signed by the client's keys */
    const char *key;    /* NULL: of the bucket itself */
    const struct gm_s3_field *query;
    size_t query_count;
    const char *url;           /* in place of the four: signed already */
    int64_t url_until_unix_ms; /* until when; 0: not known. After it a refusal asks for another */
    const struct gm_s3_field *headers; /* sent, and signed where we sign */
    size_t header_count;

    int fd;           /* of the body, read from body_offset on; used where body_size > 0 and */
    const void *body; /* this is NULL, which else is the body */
    uint64_t body_offset;
    uint64_t body_size;
    const char *payload; /* of struct gm_s3_request; NULL: reckoned of `body`; of fd not known, and
                          * GM_S3_UNSIGNED */

    /* Whether it is still wanted: asked before each try, and before each part of a body that is
     * sent (1 MiB at most). Below 0, with *err, it ends with that. NULL: it is. */
    int (*wanted)(void *arg, struct gm_err *err);

    enum gm_s3_wants wants;
    enum gm_s3_kind kind;
    uint64_t range_from; /* of GET; range_size 0: to the end */
    uint64_t range_size;
    /* Before the first byte of each try; NULL: nobody asks. Below 0, with *err, it ends with that.
     * What broke off goes on under the condition among `headers`, else under the ETag that it
     * began with; where that is weak or not told, on_begin alone judges, and without it it fails.
     */
    int (*on_begin)(const struct gm_s3_begin *begin, void *arg, struct gm_err *err);
    /* Below 0, with *err, it ends with that. */
    int (*on_body)(const void *data, size_t size, void *arg, struct gm_err *err);

    /* A body that goes at less than GM_S3_DRIP_RATE on average fails as STORE (storage/s3/retry.h).
     */
    unsigned max_tries; /* 0: 1 */
    gm_time max_time;   /* no try begins later than this after the first; 0: a minute */
    /* Once, never from within gm_s3_client_start. */
    void (*done)(const struct gm_s3_result *result, void *arg);
    void *arg;
};

struct gm_s3_running; /* opaque: a call until its end */

/* *out is the call's name for gm_s3_cancel, not valid any more once `done` has begun. Not from
 * within on_body or wanted. Errors: INVAL (what can't be signed or sent), LIMIT (more fields than
 * can be signed), STORE (the endpoint is left alone for longer than the call has time), NOMEM, what
 * `wanted` says: `done` is not called then. */
int gm_s3_client_start(struct gm_s3_client *client, const struct gm_s3_call *call,
                       struct gm_s3_running **out, struct gm_err *err) GM_MUST_CHECK;
/* All of the request was given to the machine to send, in this try or in an earlier one that got no
 * answer: that it is cancelled does not keep the server from doing what it asks for. Before,
 * nothing of a body that is cut off is taken. */
bool gm_s3_is_sent(const struct gm_s3_running *running);
/* Bytes of the body that were given to the machine in this try. */
uint64_t gm_s3_sent(const struct gm_s3_running *running);
/* Ends a call whose `done` is not called any more. Not from within on_body or wanted. NULL is
 * fine. */
void gm_s3_cancel(struct gm_s3_running **running);

#endif
