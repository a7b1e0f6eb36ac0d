#include "scheduler/early_final.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/early_store.h"
#include "scheduler/hold.h"
#include "scheduler/standing.h"

#define TEXT_MOST_BYTES ((uint64_t)16 << 20) /* a larger one is not kept */

static const char NAME[] = "/media.m3u8";

static bool is_written_early(const char *key, const char *publication)
{
    char of[GM_HOLD_NAME];
    size_t length = strlen(key), name = strlen(NAME);
    gm_hold_publication(key, of);
    return strcmp(of, publication) == 0 && length > name && strcmp(key + length - name, NAME) == 0;
}

/* Takes the data. */
static int add(struct gm_early_final *final, const char *key, char *data, size_t size,
               struct gm_err *err)
{
    char *own = strdup(key);
    struct gm_early_text *rows =
        own != NULL ? reallocarray(final->rows, final->count + 1, sizeof *rows) : NULL;
    if (rows == NULL) {
        free(own);
        free(data);
        return gm_err_nomem(err);
    }
    final->rows = rows;
    final->rows[final->count++] = (struct gm_early_text){
        .key = own, .body = {.data = (uint8_t *)data, .size = size, .cap = size + 1}};
    final->bytes += size;
    return 0;
}

/* Of what is there, with one of the hashes that it may have. *out: owned. */
static int read_text(struct gm_store *store, const struct gm_output *rows, size_t count, char **out,
                     size_t *out_size, struct gm_err *err)
{
    uint8_t hash[GM_SHA256_SIZE];
    uint64_t most = 0;
    size_t size = 0;
    bool known = false;
    for (size_t i = 0; i < count; i++) {
        most = rows[i].size > most ? rows[i].size : most;
    }
    char *text = malloc((size_t)most + 1);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_store_get(store, rows[0].key, 0, text, (size_t)most + 1, &size, err);
    if (rc == 0) {
        gm_sha256(text, size, hash);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        known = known || (size == rows[i].size &&
                          (!rows[i].has_sha256 || memcmp(hash, rows[i].sha256, sizeof hash) == 0));
    }
    if ((rc == 0 && !known) || rc == -GM_E_NOTFOUND) {
        rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                        "%.150s in the destination was not what was stored there", rows[0].key);
    }
    if (rc < 0) {
        free(text);
        return rc;
    }
    text[size < most ? size : most] = '\0';
    *out = text;
    *out_size = size;
    return 0;
}

int gm_early_final_read(struct gm_store *store, const struct gm_outputs *outputs,
                        const char *publication, struct gm_early_final *out, struct gm_err *err)
{
    int rc = 0;
    size_t same = 1;
    for (size_t i = 0; rc == 0 && i < outputs->count; i += same) {
        const struct gm_output *row = &outputs->rows[i];
        char *text = NULL;
        size_t size = 0;
        for (same = 1;
             i + same < outputs->count && strcmp(outputs->rows[i + same].key, row->key) == 0;) {
            same++;
        }
        if (!is_written_early(row->key, publication) || row->size > TEXT_MOST_BYTES) {
            continue;
        }
        rc = read_text(store, row, same, &text, &size, err);
        rc = rc == 0 ? add(out, row->key, text, size, err) : rc;
    }
    if (rc < 0) {
        gm_early_final_fini(out);
    }
    return rc;
}

int gm_early_final_add(struct gm_early_final *final, const char *key, const struct gm_buf *body,
                       struct gm_err *err)
{
    if (body->size == 0) {
        return 0;
    }
    char *copy = malloc(body->size + 1);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(copy, body->data, body->size);
    copy[body->size] = '\0';
    return add(final, key, copy, body->size, err);
}

void gm_early_final_fini(struct gm_early_final *final)
{
    for (size_t i = 0; i < final->count; i++) {
        free(final->rows[i].key);
        gm_buf_fini(&final->rows[i].body);
    }
    free(final->rows);
    *final = (struct gm_early_final){0};
}

/* The manifests lead to it, and its report says that it is whole. */
static int does_stand(struct gm_store *store, const char *publication, bool *out,
                      struct gm_err *err)
{
    struct gm_standing standing;
    int rc = gm_standing_read(store, "", &standing, err);
    if (rc == 0) {
        *out = standing.publication != NULL && strcmp(standing.publication, publication) == 0 &&
               gm_standing_has(&standing, publication);
        gm_standing_fini(&standing);
    }
    return rc;
}

static int is_other(struct gm_store *store, const struct gm_early_text *text, bool *out,
                    struct gm_err *err)
{
    size_t size = 0;
    char *there = malloc(text->body.size + 1);
    if (there == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_store_get(store, text->key, 0, there, text->body.size + 1, &size, err);
    *out = rc == 0 &&
           (size != text->body.size || memcmp(there, text->body.data, text->body.size) != 0);
    free(there);
    return rc == -GM_E_NOTFOUND ? 0 : rc;
}

int gm_early_final_mend(struct gm_store *store, const struct gm_early_mend *mend,
                        size_t *out_mended, struct gm_err *err)
{
    bool stands = false;
    size_t mended = 0;
    int rc = does_stand(store, mend->publication, &stands, err);
    for (size_t i = 0; rc == 0 && stands && i < mend->final->count; i++) {
        const struct gm_early_text *text = &mend->final->rows[i];
        bool differs = false;
        rc = strncmp(text->key, "v/", 2) == 0
                 ? is_other(store, text, &differs, err)
                 : gm_early_is_own(store, text->key, mend->job_id, &differs, err);
        rc = rc == 0 && differs ? mend->leads(mend->arg, err) : rc;
        if (rc == 0 && differs) {
            rc = gm_store_put_bytes(store, text->key, text->body.data, text->body.size, err);
            mended++;
        }
    }
    *out_mended = mended;
    return rc;
}
