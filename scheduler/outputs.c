#include "scheduler/outputs.h"

#include <stdlib.h>
#include <string.h>

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

/* How many rows from `next` on are of its key. */
static size_t count_same(const struct gm_outputs *outputs)
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
    size_t same = count_same(outputs);
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

static int check_one(struct gm_store *store, const struct gm_output *rows, size_t count,
                     struct gm_err *err)
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
        size_t same = count_same(outputs);
        int rc = check_one(store, rows, same, err);
        if (rc < 0) {
            return rc;
        }
        outputs->next += same;
    }
    return 0;
}

void gm_outputs_fini(struct gm_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        free(outputs->rows[i].key);
    }
    free(outputs->rows);
    *outputs = (struct gm_outputs){0};
}
