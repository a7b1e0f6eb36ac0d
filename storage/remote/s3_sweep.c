/* Uploads in parts that nobody ended: they take room, and are in no list of objects. */
#include <stdlib.h>
#include <string.h>

#include "storage/remote/remote.h"

#define ROUNDS 100 /* of at most 1000 each */

struct page {
    struct gm_s3_object *uploads; /* owned: key, upload_id */
    size_t count;
    char *next, *next_upload; /* owned; where the list goes on, as in the answer */
};

static void page_fini(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        free(page->uploads[i].key);
        free(page->uploads[i].upload_id);
    }
    free(page->uploads);
    free(page->next);
    free(page->next_upload);
    *page = (struct page){.count = 0};
}

static int copy_text(const char *text, char **out, struct gm_err *err)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text != NULL && *out == NULL ? gm_err_nomem(err) : 0;
}

static int take_page(struct gm_ask *ask, const struct gm_s3_answer *answer)
{
    struct page *page = ask->arg;
    struct gm_err *err = &ask->result.err;
    int rc;

    page_fini(page); /* of a try before */
    page->uploads = calloc(answer->object_count + 1, sizeof(*page->uploads));
    rc = page->uploads == NULL ? gm_err_nomem(err) : copy_text(answer->next, &page->next, err);
    rc = rc < 0 ? rc : copy_text(answer->next_upload, &page->next_upload, err);
    while (rc == 0 && page->count < answer->object_count) {
        const struct gm_s3_object *upload = &answer->objects[page->count];
        struct gm_s3_object *copy = &page->uploads[page->count++];

        rc = copy_text(upload->key, &copy->key, err);
        rc = rc < 0 ? rc : copy_text(upload->upload_id, &copy->upload_id, err);
    }
    return rc;
}

/* The page behind the one that *page has, or the first; `page` is freed first. */
static int list_uploads(struct gm_s3_store *s, const char *prefix, struct page *page,
                        struct gm_err *err)
{
    struct page next = {.count = 0};
    struct gm_s3_field query[5] = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
    size_t count = 3;

    if (page->next != NULL) {
        query[count++] = (struct gm_s3_field){"key-marker", page->next};
    }
    if (page->next_upload != NULL) {
        query[count++] = (struct gm_s3_field){"upload-id-marker", page->next_upload};
    }
    struct gm_ask ask = {.call = {.method = "GET",
                                  .bucket = s->bucket,
                                  .query = query,
                                  .query_count = count,
                                  .wants = GM_S3_WANTS_XML,
                                  .kind = GM_S3_UPLOADS},
                         .take = take_page,
                         .arg = &next};
    int rc = gm_remote_ask(s->remote, &ask, err);

    page_fini(page);
    *page = next;
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

/* Ends those of the page that are below the prefix: a server that does not know prefixes lists
 * others, too. *out_any: there were some. */
static int drop_page(struct gm_s3_store *s, const char *prefix, const struct page *page,
                     bool *out_any, struct gm_err *err)
{
    int rc = 0;

    *out_any = false;
    for (size_t i = 0; rc == 0 && i < page->count; i++) {
        if (strncmp(page->uploads[i].key, prefix, strlen(prefix)) == 0) {
            rc = drop(s, &page->uploads[i], err);
            *out_any = true;
        }
    }
    return rc;
}

/* Where a list does not say from where it goes on, what it has now is asked for anew. */
int gm_stores_drop_uploads(struct gm_store *store, const char *prefix, struct gm_err *err)
{
    struct gm_s3_store *s = gm_s3_store_of(store);
    struct page page = {.count = 0};
    char full[GM_S3_KEY_MAX + 1];
    bool more = s != NULL;
    int rc = s == NULL ? 0 : gm_s3_store_key(s, prefix, full, err);

    for (int round = 0; rc == 0 && more && round < ROUNDS; round++) {
        bool any = false;

        rc = list_uploads(s, full, &page, err);
        rc = rc < 0 ? rc : drop_page(s, full, &page, &any, err);
        more = any || page.next != NULL;
    }
    page_fini(&page);
    return rc;
}

int gm_stores_list_uploads(struct gm_store *store, const char *prefix,
                           int (*fn)(const char *key, void *arg), void *arg, struct gm_err *err)
{
    struct gm_s3_store *s = gm_s3_store_of(store);
    struct page page = {.count = 0};
    char full[GM_S3_KEY_MAX + 1];
    bool more = s != NULL;
    int rc = s == NULL ? 0 : gm_s3_store_key(s, prefix, full, err);

    for (int round = 0; rc == 0 && more && round < ROUNDS; round++) {
        rc = list_uploads(s, full, &page, err);
        size_t size = strlen(full), before = size - strlen(prefix);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            if (strncmp(page.uploads[i].key, full, size) == 0) {
                rc = fn(page.uploads[i].key + before, arg);
            }
        }
        more = page.next != NULL;
    }
    page_fini(&page);
    return rc;
}
