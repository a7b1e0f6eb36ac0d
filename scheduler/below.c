#include "scheduler/below.h"

#include <stdlib.h>
#include <string.h>

#include "storage/remote/stores.h"

#define BATCH 256

struct batch {
    const char *prefix; /* borrowed */
    char *keys[BATCH];  /* owned */
    size_t count;
};

static int add_key(const char *key, uint64_t size, void *arg)
{
    struct batch *batch = arg;
    (void)size;
    if (strncmp(key, batch->prefix, strlen(batch->prefix)) != 0) {
        return 0; /* whoever lists it: it is not what is to go */
    }
    batch->keys[batch->count] = strdup(key);
    if (batch->keys[batch->count] == NULL) {
        return 1; /* what there is goes first */
    }
    batch->count++;
    return batch->count == BATCH ? 1 : 0;
}

int gm_below_delete(struct gm_store *store, const char *prefix, bool *out_more, struct gm_err *err)
{
    struct batch batch = {.prefix = prefix, .count = 0};
    size_t done = 0;
    int rc = gm_store_list(store, prefix, add_key, &batch, err);
    bool more = rc > 0;
    if (more && batch.count == 0) {
        rc = gm_err_nomem(err);
    }
    if (rc >= 0 && batch.count > 0) {
        rc = gm_store_delete_many(store, (const char *const *)batch.keys, batch.count, &done, err);
    }
    for (size_t i = 0; i < batch.count; i++) {
        free(batch.keys[i]);
    }
    if (rc == 0 && !more) {
        rc = gm_stores_drop_uploads(store, prefix, err);
    }
    if (rc == 0) {
        *out_more = more;
    }
    return rc;
}
