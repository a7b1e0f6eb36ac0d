/* POST /v1/uploads/ID/grants: URLs to put parts by. */
#include <stdlib.h>

#include "scheduler/http/upload_call.h"

#define GRANT_MS ((int64_t)60 * 60 * 1000)

static void probe_work(struct gm_upload_call *c)
{
    c->rc = gm_stores_probe(c->place.stores, c->place.url, &c->err);
}

static int grant_part(const struct gm_upload_call *c, const struct gm_upload *u,
                      const struct gm_upload_named *n, json_t **out, struct gm_err *err)
{
    char key[GM_UPLOAD_KEY_SIZE];
    struct gm_remote_part_grant grant = {.url = NULL};
    const json_int_t until = c->unix_ms + GRANT_MS;
    gm_upload_part_key(u, n->index, key);
    const struct gm_remote_part part = {.store_url = c->place.url,
                                        .key = key,
                                        .size = u->parts[n->index].size,
                                        .sha256 = n->sha256,
                                        .md5 = n->has_md5 ? n->md5 : NULL,
                                        .expires_s = (uint32_t)(GRANT_MS / 1000)};
    int rc = gm_stores_grant_part(c->place.stores, &part, &grant, err);
    if (rc == 0 && grant.waits) {
        rc = gm_err_set(err, GM_E_BUSY, 0, "the store is being tried");
    }
    if (rc < 0) {
        return rc;
    }
    *out = grant.needs_md5 ? json_pack("{s:I, s:b}", "index", (json_int_t)n->index, "needs_md5", 1)
                           : json_pack("{s:I, s:s, s:{s:s}, s:I}", "index", (json_int_t)n->index,
                                       "url", grant.url, "headers", grant.header, grant.value,
                                       "expires_unix_ms", until);
    free(grant.url);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

/* *granted: a URL went out. */
static int grant_all(struct gm_upload_call *c, struct gm_upload *u, json_t *list, bool *granted,
                     struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < c->count; i++) {
        struct gm_upload_named *n = &c->named[i];
        json_t *one = NULL;
        rc = gm_upload_name(u, n->index, n->sha256, err);
        if (rc == 1) {
            one = json_pack("{s:I, s:b}", "index", (json_int_t)n->index, "there", 1);
            rc = one == NULL ? gm_err_nomem(err) : 0;
        } else if (rc == 0) {
            rc = grant_part(c, u, n, &one, err);
            *granted = *granted || rc == 0;
        }
        if (rc == 0 && json_array_append_new(list, one) != 0) {
            rc = gm_err_nomem(err);
        }
    }
    return rc;
}

static void grants_done(void *arg)
{
    struct gm_upload_call *c = arg;
    json_t *list = json_array();
    struct gm_upload *u = c->rc == 0 ? gm_upload_call_find(c, &c->err) : NULL;
    bool granted = false;
    int rc = list == NULL ? gm_err_nomem(&c->err) : 0;
    if (rc == 0) {
        rc = u == NULL ? -(int)c->err.code : grant_all(c, u, list, &granted, &c->err);
    }
    if (rc < 0) {
        json_decref(list);
        gm_upload_call_fail(c, &c->err);
        return;
    }
    if (granted && u->changed_unix_ms < c->unix_ms) { /* it is under way, though no part came yet */
        u->changed_unix_ms = c->unix_ms;
    }
    gm_upload_call_answer(c, MHD_HTTP_OK, json_pack("{s:o}", "grants", list));
}

void gm_handle_upload_grants(struct gm_request *r)
{
    static const char *const known[] = {"index", "sha256", "md5", NULL};
    struct gm_upload_call *c = gm_upload_call_create(r);
    struct gm_upload *u = c != NULL ? gm_upload_call_find_asked(c) : NULL;
    struct gm_err err = {0};
    if (u == NULL) {
        return;
    }
    int rc = gm_upload_call_read_parts(c, known, false, &err);
    for (size_t i = 0; rc >= 0 && i < c->count; i++) { /* refused before anything is asked */
        rc = gm_upload_name(u, c->named[i].index, c->named[i].sha256, &err);
    }
    if (rc < 0) {
        gm_upload_call_fail(c, &err);
        return;
    }
    if (gm_stores_is_probed(c->place.stores, c->place.url)) { /* to sign asks nobody */
        grants_done(c);
        return;
    }
    gm_upload_call_run(c, probe_work, grants_done);
}
