/* The dashboard: GET and HEAD of the embedded files, by their exact names, and of the error
 * catalogue, from which the page tells what to do about a code.
 *
 * All of it is the same for everybody and says nothing about the farm: what does comes by /v1.
 */
#include <string.h>

#include "scheduler/http/request.h"
#include "scheduler/http/web.h"
#include "scheduler/report.h"

/* Nothing inline, nothing of others; results are played from where the API redirects to. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: https: http:; " \
    "media-src 'self' blob: https: http:; connect-src 'self' https: http:; base-uri 'none'; "      \
    "form-action 'none'; frame-ancestors 'none'"
#define CATALOGUE "/web/catalogue.json"

bool gm_web_is_path(const char *path)
{
    return strcmp(path, "/") == 0 || strncmp(path, "/web/", 5) == 0;
}

static const struct gm_web_file *find(const char *path)
{
    for (size_t i = 0; i < gm_web_file_count; i++) {
        if (strcmp(gm_web_files[i].path, path) == 0) {
            return &gm_web_files[i];
        }
    }
    return NULL;
}

static const char *header(const struct gm_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* A list of Accept-Encoding names gzip, and not to refuse it. See: RFC 9110 section 12.5.3. */
static bool takes_gzip(const char *list)
{
    static const char word[] = "gzip";
    for (const char *at = list; at != NULL && *at != '\0'; at += *at == ',') {
        at += strspn(at, " \t");
        size_t n = strcspn(at, ",; \t");
        bool is_gzip = n == sizeof word - 1 && strncasecmp(at, word, n) == 0;
        size_t rest = strcspn(at, ",");
        if (is_gzip) {
            const char *q = memchr(at, '=', rest);
            return q == NULL || strspn(q + 1, "0.") < (size_t)(at + rest - (q + 1));
        }
        at += rest;
    }
    return false;
}

/* If-None-Match holds it, or anything. */
static bool is_known(const char *list, const char *etag)
{
    return list != NULL && (strcmp(list, "*") == 0 || strstr(list, etag + strlen("W/")) != NULL);
}

static void answer_catalogue(struct gm_request *r)
{
    size_t count = 0;
    const struct gm_code_info *rows = gm_code_list(&count);
    json_t *codes = json_object();
    for (size_t i = 0; codes != NULL && i < count; i++) {
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:s}", "meaning", rows[i].meaning, "remedy", rows[i].remedy,
                      "blame", gm_blame_name(rows[i].blame), "retry", gm_retry_name(rows[i].retry));
        if (json_object_set_new(codes, rows[i].id, row) != 0) {
            json_decref(codes);
            codes = NULL;
        }
    }
    gm_request_json(r, MHD_HTTP_OK, codes);
}

void gm_handle_web(struct gm_request *r)
{
    struct gm_err err;
    const struct gm_web_file *file = find(r->path);
    bool is_catalogue = strcmp(r->path, CATALOGUE) == 0;
    if (file == NULL && !is_catalogue) {
        GM_IGNORE(gm_err_set(&err, GM_E_NO_ROUTE, 0, "there is nothing at %.100s", r->path),
                  "answered");
        gm_request_fail(r, &err);
    } else if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) {
        GM_IGNORE(gm_err_set(&err, GM_E_INVAL, 0, "that path takes GET"), "answered");
        (void)snprintf(r->allow, sizeof r->allow, "GET, HEAD");
        gm_request_fail_status(r, MHD_HTTP_METHOD_NOT_ALLOWED, &err);
    } else if (is_catalogue) {
        answer_catalogue(r);
    } else {
        r->web = file;
        gm_request_answered(r);
    }
}

enum MHD_Result gm_web_queue(struct gm_request *r)
{
    const struct gm_web_file *file = r->web;
    bool known = is_known(header(r, MHD_HTTP_HEADER_IF_NONE_MATCH), file->etag);
    bool zip = !known && takes_gzip(header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    const unsigned char *data = zip ? file->zip : file->data;
    size_t size = known ? 0 : zip ? file->zip_size : file->size;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    (void)MHD_add_response_header(response, "Content-Security-Policy", POLICY);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    (void)MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    (void)MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (!known) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->type);
    }
    if (zip) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
    r->status = known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    enum MHD_Result rc = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    r->queued = true;
    return rc;
}
