/* See scheduler/http/standby.h. It closes its socket before the API opens that anew. */
#include "scheduler/http/standby.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/http/request.h"
#include "scheduler/json.h"
#include "scheduler/metrics.h"

#define CONNECTIONS 100
#define IDLE_S 10
#define HEADER_BYTES ((size_t)32 * 1024)

static const char LIVES[] = "{\"live\":true,\"gopmill\":\"" GOPMILL_VERSION "\"}";

/* Of the page: who opens it here learns that it is somewhere else, and gets it here when this one
 * leads. */
static const char PAGE[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\"><meta "
    "name=\"color-scheme\" content=\"light dark\"><title>gopmill: standing by</title><h1>This "
    "scheduler stands by</h1><p>Another one leads the farm: the dashboard is at that one's "
    "address. "
    "This page tries again every five seconds, and shows the dashboard when this scheduler "
    "leads.\n";

struct gm_standby_http {
    struct MHD_Daemon *mhd;     /* owned */
    char *address;              /* owned */
    char *socket_path;          /* owned; NULL: TCP */
    char *refusal;              /* owned: the answer to all but these */
    char *metrics;              /* owned: to /metrics */
    const struct gm_door *door; /* borrowed */
};

static int make_refusal(struct gm_standby_http *http, struct gm_err *err)
{
    struct gm_buf text = {0};
    struct gm_err why = {0};
    GM_IGNORE(gm_err_set(&why, GM_E_NOT_LEADER, 0, "another scheduler leads this farm"),
              "it is told");
    int rc = gm_json_text(gm_problem_json(503, &why), false, &text, err);
    http->refusal = (char *)text.data;
    return rc;
}

/* What can be told of a farm that another one leads. */
static int make_metrics(struct gm_standby_http *http, struct gm_err *err)
{
    static const char *const version[] = {GOPMILL_VERSION};
    struct gm_buf text = {0};
    gm_metrics_begin(&text, GM_METRIC_BUILD);
    gm_metrics_add(&text, GM_METRIC_BUILD, version, 1);
    gm_metrics_one(&text, GM_METRIC_LEADER, 0);
    http->metrics = (char *)text.data;
    return gm_buf_check(&text, err);
}

/* type NULL: JSON. challenge: WWW-Authenticate, or NULL. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text,
                              const char *type, const char *challenge)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  type != NULL   ? type
                                  : status < 400 ? "application/json"
                                                 : "application/problem+json");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    if (challenge != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
    }
    enum MHD_Result rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

/* Who may not ask for it hears that; who may, what there is: of most nothing. */
static enum MHD_Result refuse(struct gm_standby_http *http, struct MHD_Connection *connection,
                              const char *method, const char *path)
{
    struct gm_caller caller;
    struct gm_err err = {0};
    struct gm_buf text = {0};
    enum MHD_Result rc = MHD_NO;
    (void)gm_gate_look(http->door->gate, gm_time_now());
    if (strcmp(method, "GET") == 0 && strcmp(path, "/") == 0) {
        return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, PAGE, "text/html", NULL);
    }
    if (gm_admit_check(http->door->gate, connection, gm_route_least(method, path), &caller, &err) ==
        0) {
        bool metrics = strcmp(method, "GET") == 0 && strcmp(path, "/metrics") == 0;
        return metrics
                   ? answer(connection, MHD_HTTP_OK, http->metrics, GM_METRICS_CONTENT_TYPE, NULL)
                   : answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, http->refusal, NULL, NULL);
    }
    unsigned status = (unsigned)gm_code_get((int)err.code)->http_status;
    const char *challenge = gm_admit_challenge(err.code);
    if (gm_json_text(gm_problem_json(status, &err), false, &text, &err) == 0) {
        rc = answer(connection, status, (const char *)text.data, NULL, challenge);
    }
    gm_buf_fini(&text);
    return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **state)
{
    static int seen;
    struct gm_standby_http *http = arg;
    (void)version;
    (void)body;
    if (*state == NULL) { /* the headers: the body, if there is one, is read and dropped */
        *state = &seen;
        return MHD_YES;
    }
    if (*body_size != 0) {
        *body_size = 0;
        return MHD_YES;
    }
    return strcmp(method, "GET") == 0 && strcmp(path, "/livez") == 0
               ? answer(connection, MHD_HTTP_OK, LIVES, NULL, NULL)
               : refuse(http, connection, method, path);
}

static int start(struct gm_standby_http *http, int fd, struct gm_err *err)
{
    http->mhd = MHD_start_daemon(MHD_USE_EPOLL | http->door->tls.flags, 0, NULL, NULL, on_request,
                                 http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_ARRAY,
                                 http->door->tls.options, MHD_OPTION_CONNECTION_LIMIT,
                                 (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return http->mhd != NULL ? 0 : gm_err_set(err, GM_E_SYS, 0, "could not start the HTTP server");
}

int gm_standby_http_open(const char *address, const struct gm_door *door,
                         struct gm_standby_http **out, struct gm_err *err)
{
    struct gm_standby_http *http = calloc(1, sizeof *http);
    int fd = -1;
    if (http == NULL) {
        return gm_err_nomem(err);
    }
    http->door = door;
    int rc = make_refusal(http, err);
    rc = rc < 0 ? rc : make_metrics(http, err);
    if (rc == 0) {
        rc = gm_http_listen(address, http->door->tls.flags != 0, &fd, &http->address,
                            &http->socket_path, err);
    }
    if (rc == 0) {
        gm_gate_guard(door->gate, fd);
        rc = start(http, fd, err);
        if (rc < 0) {
            (void)close(fd);
        }
    }
    if (rc < 0) {
        gm_standby_http_close(&http);
        return rc;
    }
    *out = http;
    return 0;
}

const char *gm_standby_http_address(const struct gm_standby_http *http)
{
    return http->address;
}

int gm_standby_http_fd(const struct gm_standby_http *http)
{
    return MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void gm_standby_http_run(struct gm_standby_http *http)
{
    (void)MHD_run(http->mhd);
}

void gm_standby_http_close(struct gm_standby_http **standby)
{
    struct gm_standby_http *http = *standby;
    if (http == NULL) {
        return;
    }
    if (http->mhd != NULL) {
        MHD_stop_daemon(http->mhd);
    }
    if (http->socket_path != NULL) {
        (void)unlink(http->socket_path);
    }
    free(http->address);
    free(http->socket_path);
    free(http->refusal);
    free(http->metrics);
    free(http);
    *standby = NULL;
}
