/* Event streams; here those of jobs, in sse_farm.c those of the farm. See:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * A stream begins with `job` (the document), then what is stored after Last-Event-ID, then what
 * happens. Its connection is suspended while it has nothing to say. What a slow reader has not
 * taken is bounded: progress is left out first, then the stream ends and the reader comes back with
 * the last id that it saw.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/http/sse.h"
#include "scheduler/report.h"

#define STREAMS_MAX 512
#define STREAMS_TENANT (STREAMS_MAX / 4) /* of them one tenant's tokens have open */
#define STREAMS_KEPT 8                   /* for operate and admin */
#define BLOCK_BYTES ((size_t)16 * 1024)
#define SOFT_BYTES ((size_t)64 * 1024)   /* progress is left out beyond this */
#define HARD_BYTES ((size_t)1024 * 1024) /* the stream ends */
#define REPLAY_EVENTS 2000

static bool is_final(const char *type)
{
    return strcmp(type, "job.done") == 0 || strcmp(type, "job.failed") == 0 ||
           strcmp(type, "job.cancelled") == 0;
}

static bool is_progress(const char *type)
{
    return strcmp(type, "progress") == 0 || strcmp(type, "job.progress") == 0;
}

static void wake(struct gm_stream *s)
{
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->connection);
        gm_http_kick(s->http);
    }
}

void gm_stream_end(struct gm_stream *s)
{
    s->ended = true;
    wake(s);
}

void gm_stream_say(struct gm_stream *s, const char *type, const char *data, int64_t seq)
{
    size_t waiting = s->out.size - s->taken;
    if (s->ended || (seq != 0 && seq <= s->last_seq) ||
        (waiting > SOFT_BYTES && (is_progress(type) || strcmp(type, "farm") == 0))) {
        return;
    }
    if (waiting > HARD_BYTES) { /* it comes back for what it did not take, or never reads */
        gm_buf_fini(&s->out);
        s->out = (struct gm_buf){0};
        s->taken = 0;
        gm_stream_end(s);
        return;
    }
    if (seq != 0) {
        s->last_seq = seq;
        gm_buf_printf(&s->out, "id: %lld\n", (long long)seq);
    }
    gm_buf_str(&s->out, "event: ");
    gm_buf_str(&s->out, type);
    gm_buf_str(&s->out, "\ndata: ");
    gm_buf_str(&s->out, data);
    gm_buf_str(&s->out, "\n\n");
    if (s->out.failed) {
        gm_stream_end(s);
        return;
    }
    wake(s);
}

void gm_stream_reach(struct gm_stream *s, int64_t seq)
{
    if (s->ended || seq <= s->last_seq || s->out.size - s->taken > SOFT_BYTES) {
        return;
    }
    s->last_seq = seq;
    gm_buf_printf(&s->out, "id: %lld\n\n", (long long)seq);
    if (s->out.failed) {
        gm_stream_end(s);
        return;
    }
    wake(s);
}

/* ---- what is said */

/* The data of an event: a fresh document where the type is about the whole job. */
static int event_data(struct gm_http *http, const char *job_id, const char *type, const char *json,
                      struct gm_buf *out, struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(http->d);
    json_t *doc = NULL;
    int rc = 0;
    if (is_progress(type)) {
        rc = gm_doc_progress(core, job_id, &doc, err);
    } else if (is_final(type)) {
        rc = gm_doc_job(core, job_id, false, &doc, err);
    } else {
        gm_buf_str(out, json);
        return gm_buf_check(out, err);
    }
    return rc < 0 ? rc : gm_json_text(doc, false, out, err);
}

void gm_streams_event(struct gm_http *http, const char *job_id, const char *tenant,
                      const char *type, const char *json, int64_t seq)
{
    struct gm_buf data = {0};
    struct gm_err err = {0};
    bool made = false;
    gm_farm_event(http, job_id, tenant, type, json, seq);
    for (struct gm_stream *s = http->streams; s != NULL; s = s->next) {
        if (s->ended || strcmp(s->job_id, job_id) != 0) {
            continue;
        }
        if (!made && event_data(http, job_id, type, json, &data, &err) < 0) {
            break;
        }
        made = true;
        gm_stream_say(s, is_progress(type) ? "progress" : type, (const char *)data.data, seq);
        if (is_final(type)) {
            gm_stream_end(s);
        }
    }
    gm_buf_fini(&data);
}

void gm_streams_heartbeat(struct gm_http *http)
{
    int64_t now = gm_time_unix_ms();
    for (struct gm_stream *s = http->streams; s != NULL; s = s->next) {
        if (!s->ended && now >= s->until_unix_ms) {
            gm_stream_end(s);
        } else if (!s->ended && s->out.size == s->taken) {
            gm_buf_str(&s->out, ": still here\n\n");
            wake(s);
        }
    }
}

void gm_streams_end(struct gm_http *http)
{
    for (struct gm_stream *s = http->streams; s != NULL; s = s->next) {
        gm_stream_end(s);
    }
}

/* ---- a stream's beginning */

struct replay {
    struct gm_stream *s;
    int count;
};

static void replay_one(const struct gm_state_event *e, void *arg)
{
    struct replay *r = arg;
    r->count++;
    if (!is_final(e->type)) { /* that comes with a fresh document, last */
        gm_stream_say(r->s, e->type, e->json, e->seq);
    } else {
        r->s->last_seq = e->seq;
    }
}

static int begin(struct gm_stream *s, const char *last_id, struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(s->http->d);
    struct gm_job_view v;
    struct gm_buf data = {0};
    struct replay replay = {.s = s};
    int rc = gm_view_job(core, s->job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    enum gm_job_state state = v.state;
    uint64_t seq = v.seq;
    gm_view_job_fini(&v);
    json_t *doc = NULL;
    rc = gm_doc_job(core, s->job_id, false, &doc, err);
    rc = rc < 0 ? rc : gm_json_text(doc, false, &data, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_str(&s->out, "retry: 1000\n\n");
    gm_stream_say(s, "job", (const char *)data.data, 0);
    if (last_id != NULL) {
        s->last_seq = strtoll(last_id, NULL, 10);
        s->last_seq = s->last_seq < 0 ? 0 : s->last_seq;
        rc = gm_state_events(gm_daemon_state(s->http->d), seq, s->last_seq, REPLAY_EVENTS,
                             replay_one, &replay, err);
        s->ended = s->ended || replay.count == REPLAY_EVENTS; /* the reader comes back for more */
    }
    if (rc == 0 && gm_job_state_is_final(state) && !s->ended) {
        char type[32];
        (void)snprintf(type, sizeof type, "job.%s", gm_job_state_name(state));
        if (s->last_seq > 0) {
            gm_buf_printf(&s->out, "id: %lld\n", (long long)s->last_seq);
        }
        gm_stream_say(s, type, (const char *)data.data, 0);
        gm_stream_end(s);
    }
    gm_buf_fini(&data);
    return rc;
}

static int check_room(const struct gm_request *r, struct gm_err *err)
{
    const char *tenant = r->caller.tenant;
    size_t kept = r->caller.role >= GM_TOKEN_OPERATE ? 0 : STREAMS_KEPT;
    size_t own = 0;
    if (r->http->stream_count + kept >= STREAMS_MAX) {
        return gm_err_set(err, GM_E_BUSY, 0, "too many event streams are open");
    }
    for (const struct gm_stream *s = r->http->streams; tenant[0] != '\0' && s != NULL;
         s = s->next) {
        own += strcmp(s->tenant, tenant) == 0;
    }
    if (own >= STREAMS_TENANT) {
        return gm_err_set(err, GM_E_BUSY, 0, "tenant %s has %zu event streams open", tenant, own);
    }
    return 0;
}

int gm_stream_create(struct gm_request *r, struct gm_stream **out, struct gm_err *err)
{
    int rc = check_room(r, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(s->tenant, r->caller.tenant, sizeof s->tenant);
    s->of_farm = r->caller.role >= GM_TOKEN_OPERATE;
    s->http = r->http;
    s->connection = r->connection;
    memcpy(s->job_id, r->id, sizeof s->job_id);
    s->until_unix_ms = r->caller.until_unix_ms;
    s->next = r->http->streams;
    r->http->streams = s;
    r->http->stream_count++;
    *out = s;
    return 0;
}

void gm_stream_answer(struct gm_request *r, struct gm_stream *s)
{
    r->stream = s;
    gm_request_answered(r);
}

void gm_handle_events(struct gm_request *r)
{
    struct gm_err err = {0};
    struct gm_stream *s = NULL;
    int rc = gm_stream_create(r, &s, &err);
    if (rc == 0) {
        rc = begin(s, MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Last-Event-ID"),
                   &err);
    }
    if (rc < 0) {
        if (s != NULL) {
            gm_stream_destroy(s);
        }
        gm_request_fail(r, &err);
        return;
    }
    gm_stream_answer(r, s);
}

/* ---- microhttpd's side */

size_t gm_stream_take(struct gm_stream *s, char *out, size_t max)
{
    size_t waiting = s->out.size - s->taken;
    size_t n = waiting < max ? waiting : max;
    if (n == 0) {
        gm_buf_fini(&s->out);
        s->out = (struct gm_buf){0};
        s->taken = 0;
        return 0;
    }
    memcpy(out, s->out.data + s->taken, n);
    s->taken += n;
    if (s->taken > SOFT_BYTES) { /* a reader that is never done would keep it all */
        s->out.size -= s->taken;
        memmove(s->out.data, s->out.data + s->taken, s->out.size + 1);
        s->taken = 0;
    }
    return n;
}

static ssize_t on_read(void *arg, uint64_t at, char *out, size_t max)
{
    struct gm_stream *s = arg;
    size_t n = gm_stream_take(s, out, max);
    (void)at;
    if (n == 0) {
        if (s->ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        s->suspended = true;
        MHD_suspend_connection(s->connection);
        return 0;
    }
    return (ssize_t)n;
}

void gm_stream_destroy(struct gm_stream *s)
{
    for (struct gm_stream **p = &s->http->streams; *p != NULL; p = &(*p)->next) {
        if (*p == s) {
            *p = s->next;
            s->http->stream_count--;
            gm_farm_left(s->http, s);
            break;
        }
    }
    gm_buf_fini(&s->out);
    free(s);
}

static void on_free(void *arg)
{
    gm_stream_destroy(arg);
}

enum MHD_Result gm_stream_queue(struct gm_request *r)
{
    struct gm_stream *s = r->stream;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, s, on_free);
    if (response == NULL) {
        return MHD_NO;
    }
    r->stream = NULL;
    r->status = MHD_HTTP_OK;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result rc = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    r->queued = true;
    return rc;
}
