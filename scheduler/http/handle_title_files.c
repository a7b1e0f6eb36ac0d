/* GET /v1/assets/ID/files/PATH: a file of a title, also where its job is forgotten.
 *
 * Of the catalogue alone: where the title is, and its publication. So what lies below that is given
 * as it is there, and of the destination's own files the manifests, while no later title stands in
 * its place. What is asked for of a job that is known better goes by its own path
 * (handle_files.c). */
#include <stdio.h>
#include <string.h>

#include "scheduler/catalogue.h"
#include "scheduler/http/gate.h"
#include "scheduler/http/request.h"
#include "storage/store.h"

static bool is_of(const struct gm_asset *asset, const char *path)
{
    char below[128];
    int n = snprintf(below, sizeof below, "v/%s/", asset->row->publication);
    if (strcmp(path, "master.m3u8") == 0 || strcmp(path, "manifest.mpd") == 0) {
        return asset->placed;
    }
    return asset->row->publication[0] != '\0' && n > 0 && (size_t)n < sizeof below &&
           strncmp(path, below, (size_t)n) == 0 && gm_store_is_key(path);
}

void gm_handle_title_files(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    struct gm_err err = {0};
    int rc = gm_request_check_query(r, known, &err);
    const struct gm_catalogue *c = rc == 0 ? gm_request_catalogue(r, &err) : NULL;
    const struct gm_asset *asset = c != NULL ? gm_catalogue_find(c, r->id) : NULL;
    if (c == NULL) {
        gm_request_fail(r, &err);
    } else if (asset == NULL || !gm_caller_may_see(&r->caller, asset->row->tenant)) {
        GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "no title is of job %.64s", r->id),
                  "answered");
        gm_request_fail(r, &err);
    } else if (asset->row->removing_unix_ms != 0) {
        GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "the title is being taken down"), "answered");
        gm_request_fail(r, &err);
    } else if (!is_of(asset, r->rest)) {
        GM_IGNORE(gm_err_set(&err, GM_E_NOTFOUND, 0, "the title has no `%.150s`", r->rest),
                  "answered");
        gm_request_fail(r, &err);
    } else {
        gm_request_show_object(r, asset->row->destination, UINT64_MAX, NULL);
    }
}
