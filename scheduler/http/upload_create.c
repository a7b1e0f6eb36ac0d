/* POST /v1/uploads: one is begun. */
#include <stdlib.h>
#include <string.h>

#include "common/id.h"
#include "scheduler/http/upload_call.h"

static void create_work(struct gm_upload_call *c)
{
    char key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    gm_upload_info_key(c->id, key);
    c->rc = gm_upload_info_text(c->made, &text, &c->err);
    if (c->rc == 0) { /* it must hold who has a URL to the bytes */
        c->rc = gm_stores_probe(c->place.stores, c->place.url, &c->err);
    }
    if (c->rc == 0) {
        c->rc = gm_uploads_put(&c->place, key, text, &c->err);
    }
    free(text);
}

/* A file as it is by `curl -T`. */
static int add_whole(const struct gm_upload_call *c, json_t *doc, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE];
    struct gm_remote_part_grant grant = {.url = NULL};
    gm_upload_part_key(c->made, 0, key);
    const struct gm_remote_part part = {.store_url = c->place.url,
                                        .key = key,
                                        .size = c->made->size,
                                        .expires_s = (uint32_t)(GM_UPLOAD_WHOLE_MS / 1000)};
    int rc = gm_stores_grant_part(c->place.stores, &part, &grant, err);
    if (rc == 0 && (json_object_set_new(doc, "url", json_string(grant.url)) != 0 ||
                    json_object_set_new(doc, "headers", json_object()) != 0 ||
                    json_object_set_new(doc, "url_expires_unix_ms",
                                        json_integer(c->unix_ms + GM_UPLOAD_WHOLE_MS)) != 0 ||
                    json_object_set_new(
                        doc, "why",
                        json_string("an object that is put as a whole can be read only when "
                                    "all of it is there: jobs begin after the upload")) != 0)) {
        rc = gm_err_nomem(err);
    }
    free(grant.url);
    return rc;
}

static void create_done(void *arg)
{
    struct gm_upload_call *c = arg;
    json_t *doc = NULL;
    if (c->rc == 0) {
        doc = gm_upload_call_doc(c, c->made, false);
        c->rc = doc == NULL ? gm_err_nomem(&c->err) : 0;
    }
    if (c->rc == 0 && c->made->whole) {
        c->rc = add_whole(c, doc, &c->err);
    }
    if (c->rc < 0) {
        json_decref(doc);
        gm_upload_call_fail(c, &c->err);
        return;
    }
    gm_uploads_add(gm_upload_desk_table(c->desk), c->made);
    c->made = NULL;
    gm_upload_call_answer(c, MHD_HTTP_CREATED, doc);
}

/* A token of one tenant uploads for that one. */
static int take_tenant(const struct gm_caller *caller, struct gm_upload *u, struct gm_err *err)
{
    if (caller->tenant[0] == '\0' || strcmp(u->tenant, caller->tenant) == 0) {
        return 0;
    }
    if (u->tenant[0] != '\0') {
        return gm_err_set(err, GM_E_AUTH_DENIED, 0,
                          "token %s is of tenant %s: it uploads nothing for others", caller->id,
                          caller->tenant);
    }
    free(u->tenant);
    u->tenant = strdup(caller->tenant);
    return u->tenant != NULL ? 0 : gm_err_nomem(err);
}

void gm_handle_upload(struct gm_request *r)
{
    struct gm_upload_call *c = gm_upload_call_create(r);
    struct gm_err err = {0};
    json_t *body = NULL;
    if (c == NULL) {
        return;
    }
    struct gm_upload_limits limits = gm_upload_desk_limits(c->desk);
    int rc = gm_request_object(r, &body, &err);
    if (rc == 0) {
        rc = gm_id_make(c->id, &err);
    }
    if (rc == 0) {
        rc = gm_upload_announced(body, c->id, &limits, c->unix_ms, &c->made, &r->at, &err);
    }
    if (rc == 0) {
        rc = take_tenant(&r->caller, c->made, &err);
    }
    if (rc == 0) {
        rc = gm_upload_desk_begin(c->desk, c->made->tenant, &err);
        c->begun = rc == 0;
        (void)strncpy(c->tenant, c->made->tenant, sizeof c->tenant - 1);
    }
    json_decref(body);
    if (rc < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    c->writes = true;
    gm_upload_call_run(c, create_work, create_done);
}
