#include "scheduler/outputs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "storage/remote/stores.h"

int gm_outputs_read(const struct gm_core *core, const char *job_id, struct gm_outputs *out,
                    struct gm_err *err)
{
    struct gm_objects_view objects;
    struct gm_outputs list = {0};
    int rc = gm_view_committed(core, job_id, &objects, err);
    if (rc < 0) {
        return rc;
    }
    list.rows = calloc(objects.count + 1, sizeof *list.rows);
    rc = list.rows == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < objects.count; i++) {
        struct gm_output *row = &list.rows[list.count++];
        *row = (struct gm_output){.key = strdup(objects.rows[i].key), .size = objects.rows[i].size};
        row->has_sha256 = objects.rows[i].sha256 != NULL;
        if (row->has_sha256) {
            memcpy(row->sha256, objects.rows[i].sha256, sizeof row->sha256);
        }
        rc = row->key == NULL ? gm_err_nomem(err) : 0;
    }
    gm_view_objects_fini(&objects);
    if (rc < 0) {
        gm_outputs_fini(&list);
        return rc;
    }
    *out = list;
    return 0;
}

size_t gm_outputs_same(const struct gm_outputs *outputs)
{
    const struct gm_output *rows = outputs->rows + outputs->next;
    size_t left = outputs->count - outputs->next;
    size_t same = 1;
    while (same < left && strcmp(rows[same].key, rows[0].key) == 0) {
        same++;
    }
    return same;
}

static int skim_one(const char *key, uint64_t size, void *arg)
{
    struct gm_outputs *outputs = arg;
    if (outputs->next == outputs->count) {
        return 1;
    }
    int order = strcmp(key, outputs->rows[outputs->next].key);
    if (order != 0) {
        return order < 0 ? 0 : 1; /* another job's; or ours is not in the list */
    }
    size_t same = gm_outputs_same(outputs);
    for (size_t i = 0; i < same; i++) {
        if (outputs->rows[outputs->next + i].size == size) {
            outputs->next += same;
            return 0;
        }
    }
    return 1;
}

int gm_outputs_skim(struct gm_outputs *outputs, struct gm_store *store, const char *prefix,
                    struct gm_err *err)
{
    int rc = gm_store_list(store, prefix, skim_one, outputs, err);
    return rc < 0 ? rc : 0;
}

/* *out_row: that of the size which is there. */
static int check_one(struct gm_store *store, const struct gm_output *rows, size_t count,
                     const struct gm_output **out_row, struct gm_err *err)
{
    struct gm_store_stat stat;
    unsigned long long size = rows[0].size;
    int rc = gm_store_head(store, rows[0].key, &stat, err);
    if (rc == -GM_E_NOTFOUND) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                          "%.150s was no longer in the destination, with %llu bytes", rows[0].key,
                          size);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (rows[i].size == stat.size) {
            *out_row = &rows[i];
            return 0;
        }
    }
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                               "%.150s had %llu bytes in the destination instead of %llu",
                               rows[0].key, (unsigned long long)stat.size, size);
}

int gm_outputs_check(struct gm_outputs *outputs, struct gm_store *store, size_t most,
                     struct gm_err *err)
{
    for (size_t done = 0; outputs->next < outputs->count && done < most; done++) {
        const struct gm_output *rows = outputs->rows + outputs->next;
        size_t same = gm_outputs_same(outputs);
        const struct gm_output *row = NULL;
        int rc = check_one(store, rows, same, &row, err);
        if (rc < 0) {
            return rc;
        }
        outputs->next += same;
    }
    return 0;
}

int gm_outputs_copy(struct gm_outputs *outputs, struct gm_store *from, struct gm_store *to,
                    const char *scratch, const struct gm_put_guard *guard, struct gm_err *err)
{
    const struct gm_output *rows = outputs->rows + outputs->next;
    const struct gm_output *row = rows;
    size_t same = gm_outputs_same(outputs);
    int rc = check_one(from, rows, same, &row, err);
    if (rc == 0) {
        const struct gm_store_copy copy = {.from = from,
                                           .to = to,
                                           .key = row->key,
                                           .size = row->size,
                                           .sha256 = row->has_sha256 ? row->sha256 : NULL,
                                           .scratch = scratch,
                                           .guard = guard};
        rc = gm_store_copy(&copy, err);
    }
    outputs->next += rc == 0 ? same : 0;
    return rc;
}

struct strike {
    struct gm_outputs *outputs;
    size_t at,
        kept; /* rows before `kept` stay, those from it to `at` were struck off or moved up */
};

static void keep_to(struct strike *s, size_t end)
{
    struct gm_output *rows = s->outputs->rows;
    for (; s->at < end; s->at++) {
        struct gm_output row = rows[s->at];
        rows[s->at].key = NULL;
        rows[s->kept++] = row;
    }
}

static int strike_one(const char *key, uint64_t size, void *arg)
{
    struct strike *s = arg;
    const struct gm_outputs *outputs = s->outputs;
    size_t end = s->at;
    while (end < outputs->count && strcmp(outputs->rows[end].key, key) < 0) {
        end++;
    }
    keep_to(s, end);
    bool whole = false;
    for (; end < outputs->count && strcmp(outputs->rows[end].key, key) == 0; end++) {
        whole = whole || outputs->rows[end].size == size;
    }
    for (; whole && s->at < end; s->at++) {
        free(outputs->rows[s->at].key);
        outputs->rows[s->at].key = NULL;
    }
    return s->at == outputs->count ? 1 : 0;
}

int gm_outputs_strike(struct gm_outputs *outputs, struct gm_store *store, const char *prefix,
                      struct gm_err *err)
{
    struct strike s = {.outputs = outputs};
    int rc = outputs->count == 0 ? 0 : gm_store_list(store, prefix, strike_one, &s, err);
    keep_to(&s, outputs->count);
    outputs->count = s.kept;
    outputs->next = 0;
    return rc < 0 ? rc : 0;
}

/* ---- asked for */

/* Of an object in parts it is none, and a folder has none. */
static bool is_md5(const char *etag)
{
    return etag[0] == '"' && strspn(etag + 1, "0123456789abcdefABCDEF") == 32 &&
           strcmp(etag + 33, "\"") == 0;
}

static bool differ(const struct gm_store_look *a, const struct gm_store_look *b)
{
    return a->there && b->there && is_md5(a->stat.etag) && is_md5(b->stat.etag) &&
           strcasecmp(a->stat.etag, b->stat.etag) != 0;
}

/* The next keys, once each; *out_next: the first row behind them. */
static size_t take_keys(const struct gm_outputs *outputs, struct gm_store_look *looks,
                        size_t *out_next)
{
    struct gm_outputs at = *outputs;
    size_t n = 0;
    for (; n < GM_OUTPUTS_COMPARED && at.next < at.count; at.next += gm_outputs_same(&at)) {
        looks[n++] = (struct gm_store_look){.key = at.rows[at.next].key};
    }
    *out_next = at.next;
    return n;
}

static bool has_size(const struct gm_output *rows, size_t count, const struct gm_store_look *look)
{
    size_t i = 0;
    while (i < count && rows[i].size != look->stat.size) {
        i++;
    }
    return look->there && i < count;
}

/* Moves the rows of the next key up, or frees them. */
static void settle_key(struct gm_outputs *outputs, bool lacks)
{
    for (size_t same = gm_outputs_same(outputs); same > 0; same--) {
        struct gm_output row = outputs->rows[outputs->next];
        outputs->rows[outputs->next++].key = NULL;
        if (lacks) {
            outputs->rows[outputs->kept++] = row;
        } else {
            free(row.key);
        }
    }
}

int gm_outputs_compare(struct gm_outputs *outputs, struct gm_store *from, struct gm_store *to,
                       struct gm_err *err)
{
    struct gm_store_look there[GM_OUTPUTS_COMPARED], here[GM_OUTPUTS_COMPARED] = {{.key = NULL}};
    size_t end = 0, count = take_keys(outputs, there, &end);
    int rc = gm_stores_look(to, there, count, err);
    if (rc == 0 && from != NULL) {
        (void)take_keys(outputs, here, &end);
        rc = gm_stores_look(from, here, count, err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct gm_output *rows = outputs->rows + outputs->next;
        bool other = from != NULL && !rows->copied && differ(&here[i], &there[i]);
        settle_key(outputs, other || !has_size(rows, gm_outputs_same(outputs), &there[i]));
    }
    if (rc < 0 || outputs->next < outputs->count) {
        return rc;
    }
    outputs->count = outputs->kept;
    outputs->next = outputs->kept = 0;
    return 1;
}

void gm_outputs_note_copied(struct gm_outputs *outputs, const struct gm_outputs *done)
{
    size_t at = 0;
    for (size_t i = 0; i < outputs->count; i++) {
        while (at < done->next && strcmp(done->rows[at].key, outputs->rows[i].key) < 0) {
            at++;
        }
        outputs->rows[i].copied =
            at < done->next && strcmp(done->rows[at].key, outputs->rows[i].key) == 0;
    }
}

uint64_t gm_outputs_left(const struct gm_outputs *outputs)
{
    struct gm_outputs at = *outputs;
    uint64_t left = 0;
    for (; at.next < at.count; at.next += gm_outputs_same(&at)) {
        left++;
    }
    return left;
}

void gm_outputs_fini(struct gm_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        free(outputs->rows[i].key);
    }
    free(outputs->rows);
    *outputs = (struct gm_outputs){0};
}
