#include "scheduler/standing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (64u << 20) /* no report or manifest of ours is larger */

/* The object's bytes, owned; NULL: there are none. */
static int read_object(struct gm_store *store, const char *key, char **out, size_t *out_size,
                       struct gm_err *err)
{
    struct gm_store_stat stat = {0};
    char *data = NULL;
    size_t size = 0;
    int rc = gm_store_head(store, key, &stat, err);
    if (rc == 0 && stat.size > MAX_BYTES) {
        rc = gm_err_set(err, GM_E_LIMIT, (int64_t)stat.size, "%s is over %u bytes", key, MAX_BYTES);
    }
    if (rc == 0 && stat.size > 0) {
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

static int copy_texts(const json_t *report, struct gm_standing_job *out, struct gm_err *err)
{
    const json_t *job = json_object_get(report, "job");
    struct gm_standing_job copy = {.id = strdup(text_of(job, "id")),
                                   .state = strdup(text_of(job, "state")),
                                   .publication = strdup(text_of(job, "publication")),
                                   .title = strdup(text_of(job, "title")),
                                   .source = strdup(text_of(job, "source")),
                                   .finished = strdup(text_of(job, "finished"))};
    if (copy.id == NULL || copy.state == NULL || copy.publication == NULL || copy.title == NULL ||
        copy.source == NULL || copy.finished == NULL) {
        gm_standing_job_fini(&copy);
        return gm_err_nomem(err);
    }
    *out = copy;
    return 0;
}

int gm_standing_job(struct gm_store *store, struct gm_standing_job *out, struct gm_err *err)
{
    char *data = NULL;
    size_t size = 0;
    int rc = read_object(store, "report.json", &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    json_t *report = data == NULL ? NULL : json_loadb(data, size, 0, NULL);
    free(data);
    if (json_is_object(json_object_get(report, "job"))) {
        rc = copy_texts(report, out, err);
    } else {
        *out = (struct gm_standing_job){0};
    }
    json_decref(report);
    return rc;
}

void gm_standing_job_fini(struct gm_standing_job *job)
{
    free(job->id);
    free(job->state);
    free(job->publication);
    free(job->title);
    free(job->source);
    free(job->finished);
    *job = (struct gm_standing_job){0};
}

/* Both are owned; "" where the report names none. */
static int read_report(struct gm_store *store, const char *job_id, char **out_publication,
                       char **out_job, struct gm_err *err)
{
    struct gm_standing_job job = {0};
    int rc = gm_standing_job(store, &job, err);
    if (rc < 0) {
        return rc;
    }
    *out_publication = *out_job = NULL;
    if (job.id != NULL && strcmp(job.state, "done") == 0 && strcmp(job.id, job_id) != 0) {
        *out_publication = job.publication;
        *out_job = job.id;
        job.publication = job.id = NULL;
    }
    gm_standing_job_fini(&job);
    return 0;
}

int gm_standing_report(struct gm_store *store, const char *job_id, bool *out, struct gm_err *err)
{
    char *publication = NULL, *job = NULL;
    int rc = read_report(store, job_id, &publication, &job, err);
    if (rc == 0) {
        *out = publication != NULL;
    }
    free(publication);
    free(job);
    return rc;
}

static int read_manifests(struct gm_store *store, struct gm_standing *standing, struct gm_err *err)
{
    static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = read_object(store, manifests[i], &standing->manifests[i], &standing->sizes[i], err);
    }
    return rc;
}

/* With the report or without. */
static int read_standing(struct gm_store *store, const char *job_id, struct gm_standing *out,
                         struct gm_err *err)
{
    struct gm_standing standing = {0};
    int rc = job_id != NULL
                 ? read_report(store, job_id, &standing.publication, &standing.job_id, err)
                 : 0;
    rc = rc < 0 ? rc : read_manifests(store, &standing, err);
    if (rc < 0) {
        gm_standing_fini(&standing);
        return rc;
    }
    *out = standing;
    return 0;
}

int gm_standing_read(struct gm_store *store, const char *job_id, struct gm_standing *out,
                     struct gm_err *err)
{
    return read_standing(store, job_id, out, err);
}

int gm_standing_manifests(struct gm_store *store, struct gm_standing *out, struct gm_err *err)
{
    return read_standing(store, NULL, out, err);
}

bool gm_standing_has(const struct gm_standing *standing, const char *publication)
{
    char folder[128];
    int length = snprintf(folder, sizeof(folder), "v/%s/", publication);
    if (publication[0] == '\0' || length < 0 || (size_t)length >= sizeof(folder)) {
        return false; /* nobody has that */
    }
    bool has = standing->publication != NULL && strcmp(standing->publication, publication) == 0;
    for (size_t i = 0; i < 2; i++) {
        has = has || (standing->manifests[i] != NULL &&
                      memmem(standing->manifests[i], standing->sizes[i], folder, (size_t)length));
    }
    return has;
}

void gm_standing_fini(struct gm_standing *standing)
{
    free(standing->publication);
    free(standing->job_id);
    free(standing->manifests[0]);
    free(standing->manifests[1]);
    *standing = (struct gm_standing){0};
}

static void strike(const char *text, size_t size, char **keys, size_t first, size_t *count)
{
    size_t kept = first;
    for (size_t i = first; i < *count; i++) {
        const char *slash = strrchr(keys[i], '/');
        const char *name = slash == NULL ? keys[i] : slash + 1;
        if (memmem(text, size, name, strlen(name)) != NULL) {
            free(keys[i]);
        } else {
            keys[kept++] = keys[i];
        }
    }
    *count = kept;
}

int gm_standing_strike(struct gm_store *store, char *const *texts, size_t text_count, char **keys,
                       size_t first, size_t *count, struct gm_err *err)
{
    for (size_t i = 0; i < text_count && first < *count; i++) {
        char *data = NULL;
        size_t size = 0;
        int rc = read_object(store, texts[i], &data, &size, err);
        if (rc < 0) {
            return rc;
        }
        if (data != NULL) {
            strike(data, size, keys, first, count);
        }
        free(data);
    }
    return 0;
}
