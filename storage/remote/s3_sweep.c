/* Uploads in parts that nobody ended: they take room, and are in no list of objects. */
#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"

#define ROUNDS 100 /* of at most 1000 each */

struct page {
    struct gm_s3_object *uploads; /* owned: key, upload_id */
    size_t count;
};

static void page_fini(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        free(page->uploads[i].key);
        free(page->uploads[i].upload_id);
    }
    free(page->uploads);
    *page = (struct page){.count = 0};
}

static int take_page(struct gm_ask *ask, const struct gm_s3_answer *answer)
{
    struct page *page = ask->arg;

    page->uploads = calloc(answer->object_count + 1, sizeof(*page->uploads));
    if (page->uploads == NULL) {
        return gm_err_nomem(&ask->result.err);
    }
    while (page->count < answer->object_count) {
        struct gm_s3_object *copy = &page->uploads[page->count];

        copy->key = strdup(answer->objects[page->count].key);
        copy->upload_id = strdup(answer->objects[page->count].upload_id);
        page->count++;
        if (copy->key == NULL || copy->upload_id == NULL) {
            return gm_err_nomem(&ask->result.err);
        }
    }
    return 0;
}

static int list_uploads(struct gm_s3_store *s, const char *prefix, struct page *out,
                        struct gm_err *err)
{
    const struct gm_s3_field query[] = {
        {"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
    struct gm_ask ask = {.call = {.method = "GET",
                                  .bucket = s->bucket,
                                  .query = query,
                                  .query_count = 3,
                                  .wants = GM_S3_WANTS_XML,
                                  .kind = GM_S3_UPLOADS},
                         .take = take_page,
                         .arg = out};

    int rc = gm_remote_ask(s->remote, &ask, err);

    return ask.result.lacks ? 0 : rc; /* what has no such list has none to end */
}

static int drop(struct gm_s3_store *s, const struct gm_s3_object *upload, struct gm_err *err)
{
    const struct gm_s3_field query = {"uploadId", upload->upload_id};
    struct gm_ask ask = {.call = {.method = "DELETE",
                                  .bucket = s->bucket,
                                  .key = upload->key,
                                  .query = &query,
                                  .query_count = 1}};
    int rc = gm_remote_ask(s->remote, &ask, err);

    return rc == -GM_E_NOTFOUND ? 0 : rc;
}

int gm_stores_drop_uploads(struct gm_store *store, const char *prefix, struct gm_err *err)
{
    struct gm_s3_store *s = gm_s3_store_of(store);
    char full[GM_S3_KEY_MAX + 1];
    bool more = true;
    int rc = s == NULL ? 0 : gm_s3_store_key(s, prefix, full, err);

    for (int round = 0; rc == 0 && s != NULL && more && round < ROUNDS; round++) {
        struct page page = {.count = 0};

        rc = list_uploads(s, full, &page, err);
        more = false;
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            /* a server that does not know the prefix lists others, too */
            if (strncmp(page.uploads[i].key, full, strlen(full)) == 0) {
                rc = drop(s, &page.uploads[i], err);
                more = true;
            }
        }
        page_fini(&page);
    }
    return rc;
}

int gm_stores_list_uploads(struct gm_store *store, const char *prefix,
                           int (*fn)(const char *key, void *arg), void *arg, struct gm_err *err)
{
    struct gm_s3_store *s = gm_s3_store_of(store);
    struct page page = {.count = 0};
    char full[GM_S3_KEY_MAX + 1];
    int rc = s == NULL ? 0 : gm_s3_store_key(s, prefix, full, err);

    if (s == NULL || rc < 0) {
        return rc;
    }
    rc = list_uploads(s, full, &page, err);
    size_t size = strlen(full), before = size - strlen(prefix);
    for (size_t i = 0; rc == 0 && i < page.count; i++) {
        if (strncmp(page.uploads[i].key, full, size) == 0) {
            rc = fn(page.uploads[i].key + before, arg);
        }
    }
    page_fini(&page);
    return rc;
}
