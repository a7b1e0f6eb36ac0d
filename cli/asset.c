#include "cli/asset.h"

#include <stdint.h>
#include <string.h>

#include "cli/job.h"
#include "cli/pages.h"

static int search_list(struct gm_session *session, const char *job, struct gm_answer *out,
                       struct gm_err *err)
{
    struct gm_answer all = {0};
    size_t i;
    json_t *asset;
    int rc =
        gm_pages_call(session, "/v1/assets?", "assets", SIZE_MAX, GM_ASSET_PAGE_MAX, &all, err);
    if (rc == 0) {
        json_array_foreach(json_object_get(all.body, "assets"), i, asset)
        {
            if (out->body == NULL && strcmp(gm_job_text(asset, "job"), job) == 0) {
                out->body = json_incref(asset);
            }
        }
        rc = out->body != NULL ? 0
                               : gm_err_set(err, GM_E_NOTFOUND, 0,
                                            "no title that is published is of a job `%.60s`", job);
    }
    json_decref(all.body);
    return rc;
}

int gm_asset_get(struct gm_session *session, const char *path, const char *job,
                 struct gm_answer *out, struct gm_err *err)
{
    int rc = gm_session_call(session, "GET", path, NULL, true, out, err);
    if (rc != -GM_E_NO_ROUTE) {
        return rc;
    }
    json_decref(out->body);
    out->body = NULL;
    return search_list(session, job, out, err);
}
