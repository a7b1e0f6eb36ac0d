#ifndef GM_STORAGE_TRANSFER_RUNNING_H
#define GM_STORAGE_TRANSFER_RUNNING_H

#include <curl/curl.h>

#include "common/buf.h"
#include "storage/s3/judge.h"
#include "storage/transfer/client.h"
#include "storage/transfer/wire.h"

/* What client.c (when a call is tried) and exchange.c (what one try sends and hears) share. */
struct gm_s3_client {
    uv_loop_t *loop;         /* borrowed */
    struct gm_s3_wire *wire; /* owned */
    struct gm_s3_endpoint endpoint;
    enum gm_s3_style style;
    struct gm_s3_signer *signer; /* owned, or NULL */
    char *ca_file;               /* owned, or NULL */
    struct gm_s3_breaker breaker;
    int64_t clock_offset_ms; /* of the server's clock to ours */
    unsigned calls;          /* that have neither ended nor been cancelled */
};

/* What one answer said. */
struct gm_s3_heard {
    int status;
    char etag[128];
    char date[40];
    char modified[40];
    char *location; /* owned, or NULL */
    gm_time retry_after;
    bool chunked;   /* the answer says itself where it ends */
    bool has_range; /* Content-Range: bytes first-.../total */
    uint64_t first;
    uint64_t total;
    bool begun;         /* the object's bytes were looked at: they are those asked for */
    struct gm_buf body; /* of an error, or XML */
};

struct gm_s3_running {
    struct gm_s3_client *client; /* borrowed */
    struct gm_s3_call call;      /* what it points to is borrowed */
    char hash[65];               /* of call.body, where nobody said it */
    CURL *easy;                  /* owned */
    struct curl_slist *lines;    /* owned; of this try */
    bool on_wire;
    bool probe;       /* the breaker let it through alone, and has not been told */
    uv_timer_t timer; /* the pause before the next try */
    struct gm_s3_retry retry;
    bool clock_tried;
    bool unsure;              /* a try was sent whole and got no answer */
    gm_time began;            /* this try */
    uint64_t sent;            /* of the body, in this try */
    uint64_t got_before;      /* of `got`, by earlier tries */
    uint64_t got;             /* of the range, handed to on_body by all tries */
    char first_etag[128];     /* of the object that `got` is of */
    struct gm_err own;        /* code other than 0: we ended the try ourselves */
    struct gm_s3_heard heard; /* of this try */
    struct gm_s3_result result;
};

/* Makes the easy handle ready for a try: signed anew, resumed where the last one broke off.
 * Errors: INVAL, NOMEM, STORE (it can't be resumed). */
int gm_s3_exchange_begin(struct gm_s3_running *r, struct gm_err *err) GM_MUST_CHECK;
/* What the try that ended with `result` means; r->result has what it brought, r->result.answer too.
 * What r->own says comes before all else. */
struct gm_s3_verdict gm_s3_exchange_end(struct gm_s3_running *r, CURLcode result);
/* After how many seconds with less than 1 KiB each a try counts as stalled; waiting for an answer
 * is counted, too. */
long gm_s3_exchange_stall_s(const struct gm_s3_call *call);
/* Frees what one try leaves behind. */
void gm_s3_exchange_fini(struct gm_s3_running *r);

#endif
