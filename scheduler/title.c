#include "scheduler/title.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "proto/parts.h"
#include "scheduler/early_store.h"
#include "scheduler/standing.h"

static void add_source(struct gm_sha256 *hash, const struct gm_title_source *source)
{
    const char *url = source->url;
    bool web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    char size[24];
    if (!gm_parts_is_url(url, NULL)) {
        gm_sha256_update(hash, url, web ? strcspn(url, "?#") : strlen(url));
        gm_sha256_update(hash, "", 1);
        return;
    }
    (void)snprintf(size, sizeof size, "%llu", (unsigned long long)source->size);
    gm_sha256_update(hash, GM_PARTS_URL, sizeof GM_PARTS_URL);
    gm_sha256_update(hash, source->tenant, strlen(source->tenant) + 1);
    gm_sha256_update(hash, source->name, strlen(source->name) + 1);
    gm_sha256_update(hash, size, strlen(size) + 1);
}

int gm_title_make(const struct gm_title_source *source, const Gm__Pipeline *pipeline,
                  char out[GM_TITLE_SIZE], struct gm_err *err)
{
    uint8_t digest[GM_SHA256_SIZE];
    Gm__Pipeline bare = *pipeline; /* borrowed, and nothing of it is freed */
    bare.name = bare.description = (char *)(uintptr_t) "";
    bare.early = false; /* the same result, sooner */
    size_t size = gm__pipeline__get_packed_size(&bare);
    uint8_t *packed = malloc(size + 1);
    struct gm_sha256 *hash = gm_sha256_create();
    if (packed == NULL || hash == NULL) {
        free(packed);
        gm_sha256_destroy(&hash);
        return gm_err_nomem(err);
    }
    gm__pipeline__pack(&bare, packed);
    add_source(hash, source);
    gm_sha256_update(hash, packed, size);
    gm_sha256_final(hash, digest);
    gm_hex(digest, (GM_TITLE_SIZE - 1) / 2, out);
    gm_sha256_destroy(&hash);
    free(packed);
    return 0;
}

static bool is_same(const struct gm_standing_job *job, const struct gm_title_own *own)
{
    return strcmp(job->id, own->job_id) == 0 ||
           (own->publication[0] != '\0' && strcmp(job->publication, own->publication) == 0) ||
           (job->title[0] != '\0' ? strcmp(job->title, own->title) == 0
                                  : strcmp(job->source, own->source) == 0);
}

/* But for those that grow while their job works, whoever's: such a job has no title yet, and takes
 * them away where it comes to nothing. */
static int has_manifest(struct gm_store *store, bool *out, struct gm_err *err)
{
    static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};
    struct gm_store_stat stat;
    bool has = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && !has && i < 2; i++) {
        rc = gm_store_head(store, manifests[i], &stat, err);
        bool grows = false;
        has = rc == 0;
        rc = has                    ? gm_early_is_any(store, manifests[i], &grows, err)
             : rc == -GM_E_NOTFOUND ? 0
                                    : rc;
        has = has && !grows;
    }
    *out = has;
    return rc;
}

int gm_title_check(struct gm_store *store, const struct gm_title_own *own, struct gm_err *err)
{
    struct gm_standing_job job = {0};
    int rc = gm_standing_job(store, &job, err);
    bool large = rc == -GM_E_LIMIT;
    if (rc < 0 && !large) {
        return rc;
    }
    bool known = job.id != NULL;
    bool stands = known && strcmp(job.state, "done") == 0;
    if (!known || !is_same(&job, own)) {
        rc = stands ? 0 : has_manifest(store, &stands, err);
        if (rc == 0 && stands && known) {
            rc = gm_err_set(err, GM_E_TITLE_EXISTS, 0,
                            "the result of job %.64s, of another source or pipeline, stands at the "
                            "destination",
                            job.id);
        } else if (rc == 0 && stands) {
            rc = gm_err_set(
                err, GM_E_TITLE_EXISTS, 0, "a playlist or manifest %s stands at the destination",
                large ? "whose report.json is too large to be looked at" : "without a report");
        }
    }
    gm_standing_job_fini(&job);
    return rc;
}
