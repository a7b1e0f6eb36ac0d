#include "scheduler/leftovers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "scheduler/below.h"
#include "storage/remote/stores.h"

#define FOLDER "jobs/"
#define ID_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

struct listing {
    struct gm_leftovers found; /* owned */
    int64_t now_unix_ms;
    struct gm_err *err; /* borrowed */
};

/* The row of the key's job, at the end where it is new; NULL: a key of nobody's, or no memory,
 * which *out_rc says. */
static struct gm_leftover *row_of(struct listing *l, const char *key, int *out_rc)
{
    struct gm_leftovers *f = &l->found;
    *out_rc = 0;
    if (strncmp(key, FOLDER, strlen(FOLDER)) != 0) {
        return NULL;
    }
    const char *id = key + strlen(FOLDER);
    size_t size = strspn(id, ID_BYTES);
    if (size == 0 || size >= sizeof f->rows->job_id || id[size] != '/') {
        return NULL;
    }
    for (size_t i = f->count; i-- > 0;) { /* keys are in order: the last one, nearly always */
        if (strncmp(f->rows[i].job_id, id, size) == 0 && f->rows[i].job_id[size] == '\0') {
            return &f->rows[i];
        }
    }
    *out_rc = gm_array_reserve(&f->rows, f->count, 1, &f->cap, sizeof *f->rows, l->err);
    if (*out_rc < 0) {
        return NULL;
    }
    struct gm_leftover *row = &f->rows[f->count++];
    *row = (struct gm_leftover){.objects = 0};
    memcpy(row->job_id, id, size);
    int64_t made = gm_id_unix_ms(row->job_id);
    row->age_ms = made < 0 || made > l->now_unix_ms ? -1 : l->now_unix_ms - made;
    return row;
}

static int add_object(const char *key, uint64_t size, void *arg)
{
    int rc = 0;
    struct gm_leftover *row = row_of(arg, key, &rc);
    if (row != NULL) {
        row->objects++;
        row->bytes += size;
    }
    return rc;
}

static int add_upload(const char *key, void *arg)
{
    int rc = 0;
    struct gm_leftover *row = row_of(arg, key, &rc);
    if (row != NULL) {
        row->uploads++;
    }
    return rc;
}

int gm_leftovers_list(struct gm_store *store, int64_t now_unix_ms, struct gm_leftovers *out,
                      struct gm_err *err)
{
    struct listing l = {.now_unix_ms = now_unix_ms, .err = err};
    int rc = gm_store_list(store, FOLDER, add_object, &l, err);
    if (rc == 0) {
        rc = gm_stores_list_uploads(store, FOLDER, add_upload, &l, err);
    }
    if (rc < 0) {
        gm_leftovers_fini(&l.found);
        return rc;
    }
    *out = l.found;
    return 0;
}

int gm_leftovers_delete(struct gm_store *store, const char *job_id, bool *out_more,
                        struct gm_err *err)
{
    char prefix[sizeof FOLDER + 66];
    (void)snprintf(prefix, sizeof prefix, FOLDER "%.64s/", job_id);
    return gm_below_delete(store, prefix, out_more, err);
}

void gm_leftovers_fini(struct gm_leftovers *leftovers)
{
    free(leftovers->rows);
    *leftovers = (struct gm_leftovers){0};
}
