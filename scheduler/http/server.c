/* libmicrohttpd in the daemon's loop: its one epoll descriptor is polled, its timeout is a timer.
 *
 * Bodies are collected up to a limit before anything looks at them. A request whose answer needs
 * the pool or the disk suspends its connection; answering resumes it. microhttpd is never entered
 * from inside itself: a resume only starts the timer.
 *
 * Framing that two parsers could read differently (both length and chunked, several lengths) is
 * refused. See: RFC 9112 section 6.3.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "scheduler/http/sse.h"
#include "scheduler/overload.h"
#include "scheduler/report.h"

#define CONNECTIONS 1000
#define IDLE_S 60
#define HEADER_BYTES ((size_t)32 * 1024)
#define HEARTBEAT_MS 15000

static void run(struct gm_http *http);

/* ---- answers */

void gm_request_answered(struct gm_request *r)
{
    r->state = GM_REQUEST_ANSWERED;
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->connection);
        gm_http_kick(r->http);
    }
}

static const char LAST_RESORT[] =
    "{\"type\":\"urn:gopmill:error:node.out_of_memory\",\"title\":\"memory ran out\","
    "\"status\":503,\"detail\":\"out of memory\",\"code\":\"node.out_of_memory\",\"blame\":"
    "\"node\",\"retry\":\"other-node\",\"remedy\":\"Try again.\"}";

void gm_request_json(struct gm_request *r, unsigned status, json_t *body)
{
    struct gm_err err;
    r->content_type = status < 400 ? "application/json" : "application/problem+json";
    r->status = status;
    if (gm_json_text(body, false, &r->answer, &err) < 0) {
        r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->content_type = "application/problem+json";
    }
    gm_request_answered(r);
}

json_t *gm_problem_json(unsigned status, const struct gm_err *err)
{
    const struct gm_code_info *info = gm_code_get((int)err->code);
    char type[96];
    (void)snprintf(type, sizeof type, "urn:gopmill:error:%s", info->id);
    return json_pack("{s:s, s:s, s:i, s:o, s:s, s:s, s:s, s:s}", "type", type, "title",
                     info->meaning, "status", (int)status, "detail", gm_json_string(err->text),
                     "code", info->id, "blame", gm_blame_name(info->blame), "retry",
                     gm_retry_name(info->retry), "remedy", info->remedy);
}

void gm_request_fail_status(struct gm_request *r, unsigned status, const struct gm_err *err)
{
    json_t *problem = gm_problem_json(status, err);
    if (problem != NULL && r->at.path[0] != '\0' &&
        json_object_set_new(problem, "at", gm_json_string(r->at.path)) != 0) {
        json_decref(problem);
        problem = NULL;
    }
    gm_request_json(r, status, problem);
}

void gm_request_fail(struct gm_request *r, const struct gm_err *err)
{
    r->challenge = gm_admit_challenge(err->code);
    gm_request_fail_status(r, (unsigned)gm_code_get((int)err->code)->http_status, err);
}

const char *gm_request_query(const struct gm_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result queue_answer(struct gm_request *r)
{
    if (r->stream != NULL) {
        return gm_stream_queue(r);
    }
    if (r->file != NULL) {
        return gm_file_queue(r);
    }
    if (r->web != NULL) {
        return gm_web_queue(r);
    }
    struct MHD_Response *response = NULL;
    if (r->answer.data != NULL) {
        response =
            MHD_create_response_from_buffer(r->answer.size, r->answer.data, MHD_RESPMEM_MUST_FREE);
        if (response != NULL) {
            r->answer = (struct gm_buf){0};
        }
    } else {
        response = MHD_create_response_from_buffer(
            sizeof LAST_RESORT - 1, (void *)(uintptr_t)LAST_RESORT, MHD_RESPMEM_PERSISTENT);
    }
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->status == MHD_HTTP_TOO_MANY_REQUESTS || r->status == MHD_HTTP_SERVICE_UNAVAILABLE ||
        r->comes_again) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%" PRIu32, r->retry_s);
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (r->allow[0] != '\0') {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, r->allow);
    }
    if (r->content_range[0] != '\0') {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, r->content_range);
    }
    if (r->location != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, r->location);
    }
    if (r->challenge != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->challenge);
    }
    enum MHD_Result rc = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    r->queued = true;
    return rc;
}

static enum MHD_Result queue(struct gm_request *r)
{
    enum MHD_Result rc = queue_answer(r);
    unsigned class_ = r->status / 100;
    if (class_ >= 1 && class_ <= GM_HTTP_CLASSES) {
        r->http->answers[class_ - 1]++;
    }
    return rc;
}

/* ---- microhttpd's calls */

struct framing {
    unsigned lengths;
    unsigned encodings;
};

static enum MHD_Result count_framing(void *arg, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
    struct framing *f = arg;
    (void)kind;
    (void)value;
    f->lengths += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ? 1 : 0;
    f->encodings += strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 ? 1 : 0;
    return MHD_YES;
}

/* Refuses at the headers what needs no body to be refused; false: refused. */
static bool check_headers(struct gm_request *r)
{
    struct framing f = {0};
    struct gm_err err = {0};
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_framing, &f);
    const char *length =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (f.lengths > 1 || f.encodings > 1 || (f.lengths > 0 && f.encodings > 0)) {
        GM_IGNORE(gm_err_set(&err, GM_E_PROTO, 0, "the request gives its length in two ways"),
                  "answered");
    } else if (length != NULL && strtoull(length, NULL, 10) > GM_HTTP_MAX_BODY) {
        GM_IGNORE(gm_err_set(&err, GM_E_LIMIT, 0, "the body is larger than %zu MiB",
                             GM_HTTP_MAX_BODY >> 20),
                  "answered");
    } else {
        return true;
    }
    gm_request_fail(r, &err);
    return false;
}

static struct gm_request *request_create(struct gm_http *http, struct MHD_Connection *connection,
                                         const char *path, const char *method)
{
    struct gm_request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->http = http;
    r->connection = connection;
    r->path = strdup(path);
    r->method = strdup(method);
    r->content_type = "application/json";
    r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    r->retry_s = GM_RETRY_UNKNOWN_S;
    r->next = http->requests;
    if (http->requests != NULL) {
        http->requests->prev = r;
    }
    http->requests = r;
    return r;
}

/* It is refused once it has ended: until then it takes no room of the others. */
static void drop_body(struct gm_request *r)
{
    r->http->body_bytes -= r->body_bytes;
    r->body_bytes = 0;
    gm_buf_fini(&r->body);
}

static void collect(struct gm_request *r, const char *data, size_t size)
{
    if (size > GM_HTTP_MAX_BODY - r->body.size) {
        r->too_large = true;
    }
    if (size > GM_HTTP_MAX_BODIES - r->http->body_bytes) {
        r->crowded = true;
    }
    if (r->too_large || r->crowded) {
        drop_body(r);
    } else if (r->state == GM_REQUEST_BODY) {
        gm_buf_add(&r->body, data, size);
        r->http->body_bytes += size;
        r->body_bytes += size;
    }
}

static void dispatch(struct gm_request *r)
{
    struct gm_err err = {0};
    r->state = GM_REQUEST_WAITING;
    if (r->http->ended) {
        GM_IGNORE(gm_err_set(&err, GM_E_BUSY, 0, "the scheduler is stopping"), "answered");
        gm_request_fail_status(r, MHD_HTTP_SERVICE_UNAVAILABLE, &err);
    } else if (r->path == NULL || r->method == NULL || gm_buf_check(&r->body, &err) < 0) {
        GM_IGNORE(gm_err_nomem(&err), "answered");
        gm_request_fail(r, &err);
    } else if (r->crowded) {
        GM_IGNORE(gm_err_set(&err, GM_E_BUSY, 0, "other requests send %zu MiB just now",
                             GM_HTTP_MAX_BODIES >> 20),
                  "answered");
        gm_request_fail(r, &err);
    } else if (r->too_large) {
        GM_IGNORE(gm_err_set(&err, GM_E_LIMIT, 0, "the body is larger than %zu MiB",
                             GM_HTTP_MAX_BODY >> 20),
                  "answered");
        gm_request_fail(r, &err);
    } else if (strcmp(r->path, "/livez") != 0 && gm_daemon_check_lead(r->http->d, &err) < 0) {
        gm_request_fail(r, &err);
    } else if (gm_web_is_path(r->path)) {
        gm_handle_web(r);
    } else {
        gm_route(r);
    }
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **slot)
{
    struct gm_http *http = arg;
    struct gm_request *r = *slot;
    (void)version;
    if (r == NULL) {
        r = request_create(http, connection, path, method);
        *slot = r;
        if (r == NULL) {
            return MHD_NO;
        }
        return check_headers(r) && gm_admit(r) ? MHD_YES : queue(r);
    }
    if (*data_size > 0) {
        collect(r, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    if (r->queued) {
        return MHD_YES;
    }
    if (r->state == GM_REQUEST_BODY) {
        dispatch(r);
    }
    if (r->state == GM_REQUEST_WAITING) {
        r->suspended = true;
        MHD_suspend_connection(connection);
        return MHD_YES;
    }
    return queue(r);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    struct gm_http *http = arg;
    struct gm_request *r = *slot;
    (void)connection;
    (void)why;
    if (r == NULL) {
        return;
    }
    if (r->prev != NULL) {
        r->prev->next = r->next;
    } else {
        http->requests = r->next;
    }
    if (r->next != NULL) {
        r->next->prev = r->prev;
    }
    if (r->stream != NULL) { /* never queued */
        gm_stream_destroy(r->stream);
    }
    if (r->file != NULL) { /* the same */
        gm_file_destroy(r->file);
    }
    free(r->location);
    http->body_bytes -= r->body_bytes;
    gm_buf_fini(&r->body);
    gm_buf_fini(&r->answer);
    free(r->path);
    free(r->method);
    free(r);
    *slot = NULL;
}

static void on_mhd_log(void *arg, const char *format, va_list args)
{
    char text[256];
    char quoted[300];
    (void)arg;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)vsnprintf(text, sizeof text, format, args);
#pragma GCC diagnostic pop
    text[strcspn(text, "\r\n")] = '\0';
    gm_log(GM_LOG_DEBUG, "http", "msg=%s", gm_log_quote(text, quoted, sizeof quoted));
}

/* ---- the loop's side */

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

void gm_http_kick(struct gm_http *http)
{
    if (!http->running && http->handles == 3) {
        (void)uv_timer_start(&http->timer, on_timer, 0, 0);
    }
}

/* Lets microhttpd work, then asks it when it wants to be woken without input. */
static void run(struct gm_http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    http->running = true;
    (void)MHD_run(http->mhd);
    http->running = false;
    if (http->handles == 3) {
        if (MHD_get_timeout(http->mhd, &timeout) == MHD_YES) {
            (void)uv_timer_start(&http->timer, on_timer, timeout, 0);
        } else {
            (void)uv_timer_stop(&http->timer);
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct gm_http *http = timer->data;
    gm_admit_look(http);
    gm_streams_heartbeat(http);
    gm_http_kick(http);
}

static int start_mhd(struct gm_http *http, int fd, struct gm_err *err)
{
    http->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | http->door->tls.flags, 0,
        NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_ARRAY, http->door->tls.options,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    return http->mhd != NULL ? 0 : gm_err_set(err, GM_E_SYS, 0, "could not start the HTTP server");
}

static int start_handles(struct gm_http *http, struct gm_err *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    uv_loop_t *loop = gm_daemon_loop(http->d);
    if (info == NULL) {
        return gm_err_set(err, GM_E_SYS, 0, "the HTTP server has no descriptor to poll");
    }
    int rc = uv_poll_init(loop, &http->poll, info->epoll_fd);
    if (rc == 0) {
        http->handles = 1;
        http->poll.data = http;
        rc = uv_timer_init(loop, &http->timer);
    }
    if (rc == 0) {
        http->handles = 2;
        http->timer.data = http;
        rc = uv_timer_init(loop, &http->heartbeat);
    }
    if (rc == 0) {
        http->handles = 3;
        http->heartbeat.data = http;
        rc = uv_poll_start(&http->poll, UV_READABLE, on_poll);
    }
    if (rc == 0) {
        rc = uv_timer_start(&http->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
    }
    return rc == 0 ? 0 : gm_err_uv(err, rc, "could not watch the HTTP server");
}

int gm_http_open(struct gm_daemon *d, const char *address, const struct gm_door *door,
                 struct gm_http **out, struct gm_err *err)
{
    struct gm_http *http = calloc(1, sizeof *http);
    int fd = -1;
    if (http == NULL) {
        return gm_err_nomem(err);
    }
    http->d = d;
    http->door = door;
    http->started_unix_ms = gm_time_unix_ms();
    int rc = gm_farm_open(http, err);
    if (rc == 0) {
        rc = gm_http_listen(address, http->door->tls.flags != 0, &fd, &http->address,
                            &http->socket_path, err);
    }
    if (rc == 0) {
        gm_gate_guard(door->gate, fd);
        rc = start_mhd(http, fd, err);
        if (rc < 0) {
            (void)close(fd);
        }
    }
    if (rc == 0) {
        rc = start_handles(http, err);
    }
    if (rc < 0) {
        gm_http_close(&http);
        return rc;
    }
    *out = http;
    return 0;
}

const char *gm_http_address(const struct gm_http *http)
{
    return http->address;
}

void gm_http_event(struct gm_http *http, const char *job_id, const char *tenant, const char *type,
                   const char *json, int64_t seq)
{
    if (http != NULL) {
        gm_streams_event(http, job_id, tenant, type, json, seq);
    }
}

void gm_http_tick(struct gm_http *http)
{
    if (http != NULL) {
        gm_settlings_tick(http);
    }
    if (http != NULL && !http->stopping) {
        gm_farm_tick(http, gm_time_now());
    }
}

void gm_http_stop(struct gm_http *http)
{
    http->stopping = true;
    gm_streams_end(http);
    gm_http_kick(http);
}

static void on_closed(uv_handle_t *handle)
{
    struct gm_http *http = handle->data;
    if (--http->handles == 0) {
        free(http);
    }
}

void gm_http_close(struct gm_http **server)
{
    struct gm_http *http = *server;
    if (http == NULL) {
        return;
    }
    *server = NULL;
    http->ended = true;
    if (http->mhd != NULL) {
        gm_streams_end(http);
        for (struct gm_request *r = http->requests; r != NULL; r = r->next) {
            if (r->suspended) { /* its answer will not come */
                struct gm_err err;
                GM_IGNORE(gm_err_set(&err, GM_E_BUSY, 0, "the scheduler is stopping"), "answered");
                gm_request_fail_status(r, MHD_HTTP_SERVICE_UNAVAILABLE, &err);
            }
        }
        run(http); /* last answers leave as far as the sockets take them */
        if (http->handles > 0) {
            (void)uv_poll_stop(&http->poll);
        }
        MHD_stop_daemon(http->mhd);
        http->mhd = NULL;
    }
    gm_farm_close(http);
    if (http->socket_path != NULL) {
        (void)unlink(http->socket_path);
    }
    free(http->socket_path);
    free(http->address);
    uv_handle_t *handles[] = {(uv_handle_t *)&http->poll, (uv_handle_t *)&http->timer,
                              (uv_handle_t *)&http->heartbeat};
    int open = http->handles;
    if (open == 0) {
        free(http);
    }
    for (int i = 0; i < open && i < 3; i++) {
        uv_close(handles[i], on_closed);
    }
}
