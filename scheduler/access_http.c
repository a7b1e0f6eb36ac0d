/* A HEAD tells size and ETag. Servers that refuse HEAD, as those do that sign each method by
 * itself, are asked for the first byte. */
#include "scheduler/access_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/loop.h"
#include "common/utf8.h"
#include "storage/backend.h"
#include "storage/s3/redirect.h"
#include "storage/s3/url.h"
#include "storage/transfer/client.h"

#define TRIES 4
#define TRY_TIME (20 * GM_SEC)

struct look {
    bool ended;
    int rc;
    struct gm_err err;
    int status;
    bool lacks;
    char etag[128];
    char modified[40];
    uint64_t size;
    char *location; /* owned, or NULL */
};

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct look *look = arg;
    look->ended = true;
    look->rc = result->rc;
    look->err = result->err;
    look->status = result->status;
    look->lacks = result->lacks;
    memcpy(look->etag, result->etag, sizeof(look->etag));
    memcpy(look->modified, result->modified, sizeof(look->modified));
    look->size = result->size;
    if (result->location != NULL) {
        look->location = strdup(result->location);
    }
}

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    (void)data;
    (void)size;
    (void)arg;
    (void)err;
    return 0;
}

static int ask(uv_loop_t *loop, struct gm_s3_client *client, const char *url, bool head,
               struct look *out, struct gm_err *err)
{
    const struct gm_s3_call call = {.method = head ? "HEAD" : "GET",
                                    .url = url,
                                    .fd = -1,
                                    .wants = head ? GM_S3_WANTS_NOTHING : GM_S3_WANTS_BODY,
                                    .range_size = head ? 0 : 1,
                                    .on_body = head ? NULL : on_body,
                                    .max_tries = TRIES,
                                    .max_time = TRY_TIME,
                                    .done = on_done,
                                    .arg = out};
    struct gm_s3_running *running = NULL;
    int rc = gm_s3_client_start(client, &call, &running, err);
    while (rc == 0 && !out->ended) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    return rc;
}

/* HEAD is refused where GET may be allowed, or does not say the size. */
static bool asks_again(const struct look *head)
{
    return (head->rc == 0 && head->size == 0) ||
           (head->rc < 0 && (head->lacks || head->status == 400 || head->status == 403));
}

static int look_once(const char *url, const char *ca_file, struct look *out, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    struct gm_s3_client *client = NULL;
    uv_loop_t loop;
    int rc = gm_s3_url_endpoint(url, &endpoint, err);
    if (rc < 0) {
        return rc;
    }
    rc = uv_loop_init(&loop);
    if (rc < 0) {
        return gm_err_uv(err, rc, "could not make an event loop");
    }
    const struct gm_s3_client_params params = {
        .loop = &loop, .endpoint = &endpoint, .ca_file = ca_file};
    rc = gm_s3_client_create(&params, &client, err);
    if (rc == 0) {
        rc = ask(&loop, client, url, true, out, err);
    }
    if (rc == 0 && asks_again(out)) {
        free(out->location);
        *out = (struct look){.ended = false};
        rc = ask(&loop, client, url, false, out, err);
    }
    gm_s3_client_destroy(&client);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* what was closed goes */
    int closed = uv_loop_close(&loop);
    GM_ASSERT(closed == 0);
    return rc;
}

/* ---- what may be asked */

/* "." and "..", also where their dots are escaped: servers take them for steps. */
static bool is_step(const char *part, size_t size)
{
    size_t dots = 0;
    for (size_t i = 0; i < size; dots++) {
        if (part[i] == '.') {
            i++;
        } else if (size - i >= 3 && strncasecmp(part + i, "%2e", 3) == 0) {
            i += 3;
        } else {
            return false;
        }
    }
    return dots == 1 || dots == 2;
}

/* The path, without the query. */
static const char *path_of(const char *url, size_t *out_size)
{
    const char *host = strstr(url, "://") + 3;
    const char *path = host + strcspn(host, "/?#");
    *out_size = strcspn(path, "?#");
    return path;
}

/* What ends a part of a path at `at`, its length; 0: nothing. Servers decode once and resolve steps
 * then, and some cut parts at ';'. */
static size_t part_end(const char *at, size_t size)
{
    static const char *const escaped[] = {"%2f", "%5c", "%3b"};
    if (size > 0 && (*at == '/' || *at == ';')) {
        return 1;
    }
    for (size_t i = 0; size >= 3 && i < sizeof(escaped) / sizeof(escaped[0]); i++) {
        if (strncasecmp(at, escaped[i], 3) == 0) {
            return 3;
        }
    }
    return 0;
}

static bool has_steps(const char *path, size_t size)
{
    size_t part = 0;
    for (size_t at = 0; at < size;) {
        size_t end = part_end(path + at, size - at);
        if (end > 0 && is_step(path + part, at - part)) {
            return true;
        }
        at += end > 0 ? end : 1;
        part = end > 0 ? at : part;
    }
    return is_step(path + part, size - part);
}

/* Escapes of escapes, and a byte that ends a text: what some servers would make of them is not
 * known. */
static bool is_dark(const char *path, size_t size)
{
    static const char *const dark[] = {"%00", "%252e", "%252f", "%255c"};
    for (size_t i = 0; i < sizeof(dark) / sizeof(dark[0]); i++) {
        size_t length = strlen(dark[i]);
        for (size_t at = 0; at + length <= size; at++) {
            if (strncasecmp(path + at, dark[i], length) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int check_url(const char *url, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    size_t size = 0;
    int rc = gm_s3_url_endpoint(url, &endpoint, err);
    if (rc < 0) {
        return rc;
    }
    const char *path = path_of(url, &size);
    if (has_steps(path, size) || is_dark(path, size) || strchr(url, '#') != NULL ||
        strchr(url, '\\') != NULL) {
        char plain[GM_S3_URL_PLAIN];
        return gm_err_set(err, GM_E_INVAL, 0,
                          "`%s` has a fragment, a `\\` or a step up, and is not asked",
                          gm_s3_url_plain(url, plain));
    }
    return 0;
}

static bool allows(const char *url, const char *prefix)
{
    struct gm_s3_endpoint a, b;
    struct gm_err err;
    size_t size = 0, begin = 0;
    if (!gm_s3_url_is_http(prefix) || gm_s3_url_endpoint(url, &a, &err) < 0 ||
        gm_s3_url_endpoint(prefix, &b, &err) < 0 || a.tls != b.tls || strcmp(a.host, b.host) != 0) {
        return false;
    }
    const char *path = path_of(url, &size);
    const char *at = path_of(prefix, &begin);
    while (begin > 0 && at[begin - 1] == '/') {
        begin--;
    }
    return size >= begin && memcmp(path, at, begin) == 0 && (size == begin || path[begin] == '/');
}

bool gm_access_http_allows(const char *url, char *const *allowed)
{
    for (; allowed != NULL && *allowed != NULL; allowed++) {
        if (allows(url, *allowed)) {
            return true;
        }
    }
    return false;
}

int gm_access_http_name(const char *url, char **out, struct gm_err *err)
{
    size_t size = 0;
    int rc = check_url(url, err);
    if (rc < 0) {
        return rc;
    }
    const char *path = path_of(url, &size);
    const char *end = path + size;
    while (end > path && end[-1] == '/') {
        end--;
    }
    const char *part = end;
    while (part > path && part[-1] != '/') {
        part--;
    }
    char *name = NULL;
    if (part == end || gm_url_decode(part, (size_t)(end - part), &name, err) < 0) {
        const char *host = strstr(url, "://") + 3;
        name = strndup(host, (size_t)(path - host));
    }
    if (name == NULL) {
        return gm_err_nomem(err);
    }
    for (char *c = strchr(name, '/'); c != NULL; c = strchr(c, '/')) {
        *c = '_'; /* it was escaped */
    }
    gm_utf8_clean(name);
    *out = name;
    return 0;
}

/* ---- the answer */

/* A GET of one byte that got all instead was cut off, and has said what was to be known. */
static bool is_told(const struct look *look)
{
    return look->rc == 0 || (look->rc == -GM_E_STORE && look->status == 200);
}

static int refuse(const char *url, const struct look *look, struct gm_err *err)
{
    char plain[GM_S3_URL_PLAIN];
    gm_s3_url_plain(url, plain);
    switch (look->status) {
    case 401:
    case 403:
        return gm_err_set(err, GM_E_INPUT_DENIED, look->status, "the server of %s refuses it (%d)",
                          plain, look->status);
    case 404:
    case 410:
        return gm_err_set(err, GM_E_INPUT_MISSING, look->status, "the input does not exist: %s",
                          plain);
    case 416:
        return gm_err_set(err, GM_E_INPUT_EMPTY, look->status, "the input has no bytes");
    default:
        *err = look->err;
        return gm_err_wrap(err, look->rc, "the input could not be looked at: ");
    }
}

static int take(const char *url, const struct look *look, struct gm_access_http *out,
                struct gm_err *err)
{
    if (!is_told(look)) {
        return refuse(url, look, err);
    }
    if (look->size == 0) {
        return gm_err_set(err, GM_E_INPUT_UNREADABLE, look->status,
                          "the input has no bytes, or its server does not say how many");
    }
    bool strong = look->etag[0] == '"';
    out->size = look->size;
    snprintf(out->etag, sizeof(out->etag), "%s", strong ? look->etag : look->modified);
    return 0;
}

int gm_access_http(const char *url, char *const *allowed, const char *ca_file,
                   struct gm_access_http *out, struct gm_err *err)
{
    char *at = NULL;
    int rc = check_url(url, err);
    if (rc < 0) {
        return rc;
    }
    if (!gm_access_http_allows(url, allowed)) {
        return gm_err_set(err, GM_E_STORE_DENIED, 0,
                          "the input is outside the places of allow_sources: a server is allowed "
                          "by its URL there");
    }
    at = strdup(url);
    if (at == NULL) {
        return gm_err_nomem(err);
    }
    for (unsigned hops = 0;; hops++) {
        struct look look = {.ended = false};
        char *next = NULL;
        rc = look_once(at, ca_file, &look, err);
        bool follows = rc == 0 && gm_http_is_redirect(look.status) && look.location != NULL &&
                       hops < GM_HTTP_REDIRECTS;
        if (follows) {
            rc = gm_http_redirect(at, look.location, &next, err);
        } else if (rc == 0) {
            rc = take(url, &look, out, err);
        }
        free(look.location);
        free(at);
        at = next;
        if (rc < 0 || !follows) {
            break;
        }
    }
    free(at);
    return rc;
}
