/* /v1/assets: titles that were published, of the catalogue in memory; and their removal. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/catalogue.h"
#include "scheduler/http/gate.h"
#include "scheduler/http/request.h"
#include "scheduler/json.h"

#define LIST_DEFAULT 50
#define LIST_MAX 200
#define LOOKS_MAX 5000 /* about a millisecond */

struct page {
    const struct gm_request *r; /* borrowed */
    struct gm_buf *out;
    size_t count;
};

/* What is stored of it, and what changes: whether its job is known, and whether it goes. */
static void add_asset(struct gm_buf *out, const struct gm_request *r, const struct gm_asset *asset)
{
    const Gm__AssetRow *row = asset->row;
    enum gm_job_state state;
    bool known = gm_view_job_state(gm_daemon_core(r->http->d), row->job, &state);
    gm_buf_add(out, row->document, strlen(row->document) - 1);
    gm_buf_str(out, known ? ",\"known\":true" : ",\"known\":false");
    json_t *removing =
        row->removing_unix_ms == 0
            ? json_null()
            : json_pack("{s:o, s:I, s:o}", "since", gm_json_time(row->removing_unix_ms), "failures",
                        (json_int_t)row->failures, "error",
                        row->error != NULL && row->error->code != 0
                            ? gm_json_error((int)row->error->code, row->error->text)
                            : json_null());
    char *text = removing != NULL ? json_dumps(removing, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(removing);
    gm_buf_str(out, ",\"removing\":");
    gm_buf_str(out, text != NULL ? text : "null");
    gm_buf_str(out, "}");
    free(text);
}

static void add_to_page(const struct gm_asset *asset, void *arg)
{
    struct page *p = arg;
    gm_buf_str(p->out, p->count++ > 0 ? "," : "");
    add_asset(p->out, p->r, asset);
}

/* The text in r->answer. */
static void answer_text(struct gm_request *r, unsigned status)
{
    struct gm_err err = {0};
    if (gm_buf_check(&r->answer, &err) < 0) {
        gm_buf_fini(&r->answer);
        gm_request_fail(r, &err);
        return;
    }
    r->status = status;
    r->content_type = "application/json";
    gm_request_answered(r);
}

const struct gm_catalogue *gm_request_catalogue(struct gm_request *r, struct gm_err *err)
{
    const struct gm_catalogue *c = gm_daemon_catalogue(r->http->d);
    if (c == NULL) {
        r->retry_s = 1;
        GM_IGNORE(gm_err_set(err, GM_E_BUSY, 0, "the catalogue is being read"), "answered");
    }
    return c;
}

static void list(struct gm_request *r, const struct gm_catalogue *c,
                 const struct gm_asset_wish *wish, struct gm_asset_cursor *cursor)
{
    struct page page = {.r = r, .out = &r->answer};
    char next[GM_ASSET_CURSOR];
    gm_buf_str(&r->answer, "{\"assets\":[");
    bool more = gm_catalogue_page(c, wish, cursor, add_to_page, &page);
    gm_asset_cursor_write(cursor, next);
    if (more) {
        gm_buf_printf(&r->answer, "],\"next\":\"%s\"}", next);
    } else {
        gm_buf_str(&r->answer, "],\"next\":null}");
    }
    answer_text(r, MHD_HTTP_OK);
}

void gm_handle_assets(struct gm_request *r)
{
    static const char *const known[] = {"limit", "cursor", "q", NULL};
    struct gm_err err = {0};
    struct gm_asset_cursor cursor = {0};
    uint64_t limit = LIST_DEFAULT;
    const char *from = gm_request_query(r, "cursor");
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, LIST_MAX, &limit, &err);
    rc = rc < 0 || from == NULL ? rc : gm_asset_cursor_read(from, &cursor, &err);
    const struct gm_catalogue *c = rc < 0 ? NULL : gm_request_catalogue(r, &err);
    if (c == NULL) {
        gm_request_fail(r, &err);
        return;
    }
    const struct gm_asset_wish wish = {.tenant =
                                           r->caller.tenant[0] != '\0' ? r->caller.tenant : NULL,
                                       .part = gm_request_query(r, "q"),
                                       .limit = (size_t)limit,
                                       .looks = LOOKS_MAX};
    list(r, c, &wish, &cursor);
}

/* Another tenant's title is not there. NULL: it is answered. */
static const struct gm_asset *find(struct gm_request *r, const char *const *known)
{
    struct gm_err err = {0};
    int rc = gm_request_check_query(r, known, &err);
    const struct gm_catalogue *c = rc < 0 ? NULL : gm_request_catalogue(r, &err);
    const struct gm_asset *asset = c != NULL ? gm_catalogue_find(c, r->id) : NULL;
    if (c != NULL && (asset == NULL || !gm_caller_may_see(&r->caller, asset->row->tenant))) {
        asset = NULL;
        GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "no title is of job %.64s", r->id),
                  "answered");
    }
    if (asset == NULL) {
        gm_request_fail(r, &err);
    }
    return asset;
}

void gm_handle_asset(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    const struct gm_asset *asset = find(r, known);
    if (asset != NULL) {
        add_asset(&r->answer, r, asset);
        answer_text(r, MHD_HTTP_OK);
    }
}

static void on_asked(int rc, const struct gm_err *error, void *arg)
{
    struct gm_request *r = arg;
    const struct gm_catalogue *c = gm_daemon_catalogue(r->http->d);
    const struct gm_asset *asset = rc == 0 && c != NULL ? gm_catalogue_find(c, r->id) : NULL;
    if (rc < 0) {
        gm_request_fail(r, error);
    } else if (asset == NULL) { /* it is gone already */
        gm_request_json(r, MHD_HTTP_ACCEPTED, json_pack("{s:s}", "job", r->id));
    } else {
        add_asset(&r->answer, r, asset);
        answer_text(r, MHD_HTTP_ACCEPTED);
    }
}

void gm_handle_asset_delete(struct gm_request *r)
{
    static const char *const known[] = {"force", NULL};
    struct gm_err err = {0};
    uint64_t force = 0;
    if (find(r, known) == NULL) {
        return;
    }
    int rc = gm_request_number(r, "force", 0, 1, &force, &err);
    if (rc == 0 && force != 0 && r->caller.role < GM_TOKEN_ADMIN) {
        rc = gm_err_set(&err, GM_E_AUTH_DENIED, 0,
                        "to give up a removal takes a token of role admin: what is left at its "
                        "places is nobody's then");
    }
    rc = rc < 0       ? rc
         : force != 0 ? gm_daemon_give_up_takedown(r->http->d, r->id, on_asked, r, &err)
                      : gm_daemon_take_down(r->http->d, r->id, on_asked, r, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}
