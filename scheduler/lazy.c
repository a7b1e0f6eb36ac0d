#include "scheduler/lazy.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct gm_lazy {
    struct gm_row row; /* owned */
    gm_time due;
    uint64_t hash;           /* gm_key_hash */
    struct gm_lazy *dropped; /* the next one that goes */
    UT_hash_handle hh;       /* in the order of `due` */
};

static struct gm_lazy *find(struct gm_lazy *lazy, const struct gm_key *key)
{
    struct gm_lazy *l = NULL;
    uint64_t hash = gm_key_hash(key);
    HASH_FIND(hh, lazy, &hash, sizeof hash, l);
    return l != NULL && gm_key_compare(&l->row.key, key) == 0 ? l : NULL;
}

static void drop(struct gm_lazy **lazy, struct gm_lazy *l)
{
    HASH_DEL(*lazy, l);
    gm_row_fini(&l->row);
    free(l);
}

int gm_lazy_put(struct gm_lazy **lazy, struct gm_row *row, gm_time now, struct gm_err *err)
{
    struct gm_lazy *l = find(*lazy, &row->key);
    if (l != NULL) {
        gm_row_fini(&l->row);
        l->row = *row;
        *row = (struct gm_row){0};
        return 0;
    }
    l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->row = *row;
        l->due = now + GM_LAZY_WAIT;
        l->hash = gm_key_hash(&row->key);
        *row = (struct gm_row){0};
        HASH_ADD(hh, *lazy, hash, sizeof l->hash, l);
        if (l->hh.tbl != NULL) {
            return 0;
        }
        *row = l->row;
        free(l);
    }
    gm_row_fini(row);
    return gm_err_nomem(err);
}

void gm_lazy_drop(struct gm_lazy **lazy, const struct gm_row *later)
{
    bool all = later->key.kind == GM_ROW_JOB && later->data == NULL;
    struct gm_lazy *gone = NULL, *l, *next;
    if (*lazy != NULL && !all) {
        l = find(*lazy, &later->key);
        if (l != NULL) {
            drop(lazy, l);
        }
        return;
    }
    HASH_ITER(hh, *lazy, l, next)
    {
        if (l->row.key.job == later->key.job) {
            HASH_DEL(*lazy, l);
            l->dropped = gone;
            gone = l;
        }
    }
    while (gone != NULL) {
        l = gone;
        gone = l->dropped;
        gm_row_fini(&l->row);
        free(l);
    }
}

gm_time gm_lazy_due(const struct gm_lazy *lazy)
{
    return lazy != NULL ? lazy->due : 0;
}

bool gm_lazy_take(struct gm_lazy **lazy, gm_time now, struct gm_row *out)
{
    struct gm_lazy *l = *lazy;
    if (l == NULL || l->due > now) {
        return false;
    }
    *out = l->row;
    l->row = (struct gm_row){0};
    drop(lazy, l);
    return true;
}

const struct gm_row *gm_lazy_next(const struct gm_lazy *lazy, const struct gm_row *row)
{
    /* The row is the first member. */
    const struct gm_lazy *l = row != NULL ? ((const struct gm_lazy *)row)->hh.next : lazy;
    return l != NULL ? &l->row : NULL;
}

void gm_lazy_fini(struct gm_lazy **lazy)
{
    struct gm_lazy *l = *lazy;
    HASH_CLEAR(hh, *lazy); /* which frees no element, and leaves them linked */
    while (l != NULL) {
        struct gm_lazy *next = l->hh.next;
        gm_row_fini(&l->row);
        free(l);
        l = next;
    }
}
