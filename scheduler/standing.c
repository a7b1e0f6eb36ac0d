#include "scheduler/standing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (64u << 20) /* no report or manifest of ours is larger */

/* The object's bytes, owned; NULL: there is none that could be ours. */
static int read_object(struct gm_store *store, const char *key, char **out, size_t *out_size,
                       struct gm_err *err)
{
    struct gm_store_stat stat = {0};
    char *data = NULL;
    size_t size = 0;
    int rc = gm_store_head(store, key, &stat, err);
    if (rc == 0 && stat.size > 0 && stat.size <= MAX_BYTES) {
        data = malloc(stat.size);
        rc = data == NULL ? gm_err_nomem(err)
                          : gm_store_get(store, key, 0, data, stat.size, &size, err);
    }
    if (rc < 0) {
        free(data);
        data = NULL;
    }
    if (rc < 0 && rc != -GM_E_NOTFOUND) {
        return rc;
    }
    *out = data;
    *out_size = size;
    return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

int gm_standing_report(struct gm_store *store, const char *publication, const char *job_id,
                       bool *out, struct gm_err *err)
{
    char *data = NULL;
    size_t size = 0;
    int rc = publication[0] == '\0' ? 0 : read_object(store, "report.json", &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    json_t *report = data == NULL ? NULL : json_loadb(data, size, 0, NULL);
    const json_t *job = json_object_get(report, "job");
    *out = strcmp(text_of(job, "state"), "done") == 0 &&
           strcmp(text_of(job, "publication"), publication) == 0 &&
           strcmp(text_of(job, "id"), job_id) != 0;
    json_decref(report);
    free(data);
    return 0;
}

static int is_named(struct gm_store *store, const char *key, const char *publication, bool *out,
                    struct gm_err *err)
{
    char folder[128];
    char *data = NULL;
    size_t size = 0;
    int length = snprintf(folder, sizeof(folder), "v/%s/", publication);
    if (length < 0 || (size_t)length >= sizeof(folder)) {
        return gm_err_set(err, GM_E_BUG, 0, "a publication's name was too long");
    }
    int rc = read_object(store, key, &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    *out = data != NULL && memmem(data, size, folder, (size_t)length) != NULL;
    free(data);
    return 0;
}

int gm_standing_result(struct gm_store *store, const char *publication, const char *job_id,
                       bool *out, struct gm_err *err)
{
    static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};
    bool stands = false;
    int rc = gm_standing_report(store, publication, job_id, &stands, err);
    for (size_t i = 0; rc == 0 && !stands && publication[0] != '\0' && i < 2; i++) {
        rc = is_named(store, manifests[i], publication, &stands, err);
    }
    if (rc == 0) {
        *out = stands;
    }
    return rc;
}
