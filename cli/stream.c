/* The event stream of a job: one GET that does not end. A stream on which nothing comes for 60 s is
 * taken for dead (the scheduler sends a comment every 15 s). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/request.h"
#include "common/buf.h"

#define SILENCE_S 60L
#define MAX_PROBLEM (1u << 20)

struct gm_stream {
    struct gm_request request;
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    struct gm_sse *sse;         /* borrowed */
    gm_sse_fn fn;
    void *arg;
    struct gm_buf problem; /* body of an answer that is not 200 */
    struct gm_err err;     /* of the parser */
    int rc;
    bool live;
};

static size_t on_bytes(char *data, size_t unit, size_t count, void *arg)
{
    struct gm_stream *stream = arg;
    size_t size = unit * count;
    long status = 0;
    if (curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) {
        return 0;
    }
    if (status != 200) {
        if (stream->problem.size + size > MAX_PROBLEM) {
            return 0;
        }
        gm_buf_add(&stream->problem, data, size);
        return size;
    }
    stream->live = true;
    stream->rc = gm_sse_feed(stream->sse, data, size, stream->fn, stream->arg, &stream->err);
    return stream->rc == 0 ? size : 0;
}

int gm_stream_open(struct gm_session *session, const char *path, struct gm_sse *sse, gm_sse_fn fn,
                   void *arg, struct gm_stream **out, struct gm_err *err)
{
    char last_id[128];
    struct gm_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return gm_err_nomem(err);
    }
    gm_sse_reset(sse);
    stream->sse = sse;
    stream->fn = fn;
    stream->arg = arg;
    stream->easy = gm_request_open(session, path, &stream->request);
    stream->headers = curl_slist_append(NULL, "Accept: text/event-stream");
    bool ok = stream->easy != NULL && stream->headers != NULL;
    if (ok && sse->last_id[0] != '\0') {
        snprintf(last_id, sizeof(last_id), "Last-Event-ID: %s", sse->last_id);
        ok = curl_slist_append(stream->headers, last_id) != NULL;
    }
    ok = ok && curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers) == CURLE_OK &&
         curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
         curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream) == CURLE_OK &&
         curl_easy_setopt(stream->easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
         curl_easy_setopt(stream->easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S) == CURLE_OK &&
         curl_multi_add_handle(session->multi, stream->easy) == CURLM_OK;
    if (!ok) {
        gm_stream_close(session, &stream);
        return gm_err_nomem(err);
    }
    *out = stream;
    return 0;
}

bool gm_stream_is_live(const struct gm_stream *stream)
{
    return stream->live;
}

bool gm_stream_is_over(const struct gm_stream *stream, int *out_rc, struct gm_err *err)
{
    long status = 0;
    if (!stream->request.done) {
        return false;
    }
    CURLcode result = stream->request.result;
    if (curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) {
        status = 0;
    }
    if (stream->rc < 0) {
        *err = stream->err;
        *out_rc = stream->rc;
    } else if (result == CURLE_OK && status == 200) {
        *out_rc = 0;
    } else if (result == CURLE_OK) {
        json_t *problem = stream->problem.size == 0 ? NULL
                                                    : json_loadb((const char *)stream->problem.data,
                                                                 stream->problem.size, 0, NULL);
        *out_rc = gm_problem_to_err(problem, status, err);
        json_decref(problem);
    } else {
        *out_rc =
            gm_err_set(err, gm_request_is_broken(result) ? GM_E_UNREACHABLE : GM_E_PROTO, result,
                       "the connection to the scheduler broke: %s", curl_easy_strerror(result));
    }
    return true;
}

void gm_stream_close(struct gm_session *session, struct gm_stream **stream)
{
    struct gm_stream *s = *stream;
    if (s == NULL) {
        return;
    }
    if (s->easy != NULL) {
        curl_multi_remove_handle(session->multi, s->easy);
        curl_easy_cleanup(s->easy);
    }
    curl_slist_free_all(s->headers);
    gm_buf_fini(&s->problem);
    free(s);
    *stream = NULL;
}
