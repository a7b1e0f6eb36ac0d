#ifndef GM_SCHEDULER_HTTP_SSE_H
#define GM_SCHEDULER_HTTP_SSE_H

#include "common/time.h"
#include "scheduler/http/request.h"

/* Inside of event streams: sse.c has them and those of jobs, sse_farm.c those of the farm. */
struct gm_stream {
    struct gm_stream *next;
    struct gm_http *http; /* borrowed */
    struct MHD_Connection *connection;
    char job_id[GM_HTTP_ID_BYTES]; /* "": of the farm */
    char tenant[GM_TOKEN_TENANT];  /* its token's; "": all */
    bool of_farm;                  /* it may see the farm and its nodes */
    int64_t last_seq;
    int64_t until_unix_ms; /* its token's end */
    struct gm_buf out;
    size_t taken; /* of out */
    bool ended;   /* after what is in out */
    bool suspended;
};

/* One of the server's, with the request's connection and id. Errors: BUSY (all
 * that there may be are open, or all of the caller's tenant), NOMEM. */
int gm_stream_create(struct gm_request *r, struct gm_stream **out,
                     struct gm_err *err) GM_MUST_CHECK;
/* The request is answered with the stream, which it owns from now on. */
void gm_stream_answer(struct gm_request *r, struct gm_stream *s);
/* seq 0: it is not stored. What a slow reader may miss is left out; else the stream ends. */
void gm_stream_say(struct gm_stream *s, const char *type, const char *data, int64_t seq);
/* Up to seq nothing is for this reader: it is told so, that it comes back from there. */
void gm_stream_reach(struct gm_stream *s, int64_t seq);
void gm_stream_end(struct gm_stream *s);
/* The next bytes for the reader, at most max; what was taken does not stay in memory. 0: it waits
 * for nothing. */
size_t gm_stream_take(struct gm_stream *s, char *out, size_t max);

/* sse_farm.c. What happened to a job; time went on; a stream is gone; the server's end. */
void gm_farm_event(struct gm_http *http, const char *job_id, const char *tenant, const char *type,
                   const char *json, int64_t seq);
void gm_farm_tick(struct gm_http *http, gm_time now);
void gm_farm_left(struct gm_http *http, const struct gm_stream *s);
int gm_farm_open(struct gm_http *http, struct gm_err *err) GM_MUST_CHECK;
void gm_farm_close(struct gm_http *http);

#endif
