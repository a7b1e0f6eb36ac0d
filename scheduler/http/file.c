/* Bytes of a file as an answer. A file of a store is read in parts by the pool; its connection is
 * suspended meanwhile, and nothing is read ahead of what the client takes. A read that comes to
 * nothing breaks the connection off, so that nobody takes what there was for all of it.
 * See: RFC 9110 sections 13 to 15. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/http/range.h"
#include "scheduler/http/request.h"

#define FILES_MAX 64
#define FILES_OF_TENANT 32
#define PART_BYTES ((size_t)256 * 1024)
#define BLOCK_BYTES ((size_t)32 * 1024)
#define READ_TIME (20 * GM_SEC) /* of a server; a client waits for a minute */

struct gm_file {
    struct gm_http *http; /* borrowed */
    struct MHD_Connection *connection;
    struct gm_store *store; /* owned; NULL: part has all of it */
    char *key;              /* owned, and so are these */
    char *etag;             /* NULL: none */
    const char *content_type;
    const char *cache_control;
    uint64_t size;
    uint64_t first, end; /* what is answered */
    uint8_t *part;       /* owned; bytes from part_at on */
    uint64_t part_at;
    size_t part_size;
    struct gm_file_work work;
    bool busy; /* the pool reads, or will */
    bool gone; /* and nobody waits for it any more */
    int rc;
    struct gm_err err;
};

static void file_free(struct gm_file *f)
{
    gm_store_close(&f->store);
    free(f->key);
    free(f->etag);
    free(f->part);
    free(f);
}

void gm_file_destroy(struct gm_file *f)
{
    f->http->file_count--;
    if (f->busy && !gm_file_work_drop(&f->work)) {
        f->gone = true;
    } else {
        file_free(f);
    }
}

/* Of requests by tokens of one tenant, which may be many: the others keep room. */
static size_t count_of(const struct gm_http *http, const char *tenant)
{
    size_t n = 0;
    for (const struct gm_request *r = http->requests; r != NULL; r = r->next) {
        n += r->sends_file && strcmp(r->caller.tenant, tenant) == 0 ? 1 : 0;
    }
    return n;
}

bool gm_file_is_crowded(const struct gm_request *r)
{
    const char *tenant = r->caller.tenant;
    return r->http->file_count >= FILES_MAX ||
           (tenant[0] != '\0' && count_of(r->http, tenant) >= FILES_OF_TENANT);
}

/* ---- parts */

static void read_work(void *arg)
{
    struct gm_file *f = arg;
    const struct gm_stores_limit limit = {.until = gm_time_now() + READ_TIME};
    uint64_t left = f->end - f->part_at;
    size_t wanted = left < PART_BYTES ? (size_t)left : PART_BYTES;
    size_t got = 0;
    gm_stores_limit(&limit);
    f->rc = gm_store_get(f->store, f->key, f->part_at, f->part, wanted, &got, &f->err);
    gm_stores_limit(NULL);
    f->part_size = f->rc == 0 ? got : 0;
}

static void read_done(void *arg)
{
    struct gm_file *f = arg;
    f->busy = false;
    if (f->gone) {
        file_free(f);
        return;
    }
    MHD_resume_connection(f->connection);
    gm_http_kick(f->http);
}

static ssize_t read_more(struct gm_file *f, uint64_t at)
{
    if (f->http->stopping || f->rc < 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (f->part == NULL && (f->part = malloc(PART_BYTES)) == NULL) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    f->part_at = at;
    f->part_size = 0;
    f->busy = true;
    f->work = (struct gm_file_work){
        .work = read_work, .done = read_done, .arg = f, .rc = &f->rc, .err = &f->err};
    MHD_suspend_connection(f->connection);
    gm_file_work_run(f->http, &f->work);
    return 0;
}

static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct gm_file *f = arg;
    uint64_t at = f->first + pos;
    bool was_read = f->part_at == at && f->part != NULL;
    if (f->part == NULL || at < f->part_at || at - f->part_at >= f->part_size) {
        /* a part that has nothing of what is there: the file became shorter */
        return was_read && f->store != NULL && f->part_size == 0 ? MHD_CONTENT_READER_END_WITH_ERROR
                                                                 : read_more(f, at);
    }
    size_t there = f->part_size - (size_t)(at - f->part_at);
    size_t n = there < max ? there : max;
    memcpy(out, f->part + (at - f->part_at), n);
    return (ssize_t)n;
}

static void on_free(void *arg)
{
    gm_file_destroy(arg);
}

/* ---- the answer */

static const char *header(const struct gm_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* If-Range takes the same bytes alone: a weak tag, or a date, is none of ours. */
static bool may_be_part(const struct gm_request *r, const struct gm_file *f)
{
    const char *wanted = header(r, MHD_HTTP_HEADER_IF_RANGE);
    return wanted == NULL || (f->etag != NULL && strcmp(wanted, f->etag) == 0);
}

static unsigned choose(const struct gm_request *r, struct gm_file *f)
{
    const char *tags = header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    f->end = f->size;
    if (f->etag != NULL && gm_range_has_tag(tags, f->etag)) {
        return MHD_HTTP_NOT_MODIFIED;
    }
    switch (may_be_part(r, f)
                ? gm_range_parse(header(r, MHD_HTTP_HEADER_RANGE), f->size, &f->first, &f->end)
                : GM_RANGE_WHOLE) {
    case GM_RANGE_PART:
        return MHD_HTTP_PARTIAL_CONTENT;
    case GM_RANGE_BEYOND:
        return MHD_HTTP_RANGE_NOT_SATISFIABLE;
    default:
        return MHD_HTTP_OK;
    }
}

/* Takes the params' store and body. NULL: memory has run out. */
static struct gm_file *file_create(struct gm_request *r, const struct gm_file_params *p)
{
    struct gm_file *f = calloc(1, sizeof *f);
    struct gm_store *store = p->store;
    if (f == NULL) {
        gm_store_close(&store);
        return NULL;
    }
    f->http = r->http;
    f->connection = r->connection;
    f->store = p->store;
    f->size = p->size;
    f->content_type = p->content_type != NULL ? p->content_type : "application/octet-stream";
    f->cache_control = p->cache_control;
    f->key = strdup(p->key);
    f->etag = p->etag != NULL ? strdup(p->etag) : NULL;
    if (f->key == NULL || (f->etag == NULL && p->etag != NULL)) {
        file_free(f);
        return NULL;
    }
    if (p->store == NULL) {
        f->part = p->body->data;
        f->part_size = p->body->size;
        *p->body = (struct gm_buf){0};
    }
    return f;
}

void gm_file_answer(struct gm_request *r, const struct gm_file_params *params)
{
    struct gm_err err = {0};
    struct gm_file *f = file_create(r, params);
    if (f == NULL) {
        GM_IGNORE(gm_err_nomem(&err), "answered");
        gm_request_fail(r, &err);
        return;
    }
    r->status = choose(r, f);
    if (r->status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
        GM_IGNORE(gm_err_set(&err, GM_E_INVAL, 0, "the file has %" PRIu64 " bytes", f->size),
                  "answered");
        (void)snprintf(r->content_range, sizeof r->content_range, "bytes */%" PRIu64, f->size);
        file_free(f);
        gm_request_fail_status(r, MHD_HTTP_RANGE_NOT_SATISFIABLE, &err);
        return;
    }
    f->http->file_count++;
    r->sends_file = true;
    r->file = f;
    gm_request_answered(r);
}

static void add_headers(struct MHD_Response *response, unsigned status, const struct gm_file *f)
{
    char range[80];
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, f->cache_control);
    if (f->etag != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, f->etag);
    }
    if (status == MHD_HTTP_NOT_MODIFIED) {
        return;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, f->content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Content-Security-Policy",
                                  "default-src 'none'; sandbox");
    if (status == MHD_HTTP_PARTIAL_CONTENT) {
        (void)snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, f->first,
                       f->end - 1, f->size);
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    }
}

enum MHD_Result gm_file_queue(struct gm_request *r)
{
    struct gm_file *f = r->file;
    bool empty = r->status == MHD_HTTP_NOT_MODIFIED || f->end == f->first;
    struct MHD_Response *response =
        empty ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
              : MHD_create_response_from_callback(f->end - f->first, BLOCK_BYTES, on_read, f,
                                                  on_free);
    if (response == NULL) {
        return MHD_NO;
    }
    add_headers(response, r->status, f);
    if (!empty) {
        r->file = NULL;
    }
    enum MHD_Result rc = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    r->queued = true;
    return rc;
}
