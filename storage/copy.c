/* A body from one store to another. */
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"
#include "storage/backend.h"

#define BLOCK ((size_t)8 << 20) /* bytes in memory */

static int ask_guard(const struct gm_store_copy *copy, struct gm_err *err)
{
    return copy->guard == NULL ? 0 : copy->guard->check(copy->guard->arg, err);
}

static int changed(const struct gm_store_copy *copy, struct gm_err *err)
{
    return gm_err_set(err, GM_E_STORE_CORRUPT, 0, "%.150s had not the %llu bytes that it should",
                      copy->key, (unsigned long long)copy->size);
}

/* No more than it should be. */
static int read_body(const struct gm_store_copy *copy, int fd, struct gm_err *err)
{
    uint8_t *block = malloc(BLOCK);
    uint64_t at = 0;
    int rc = block == NULL ? gm_err_nomem(err) : 0;

    while (rc == 0 && at < copy->size) {
        size_t wanted = copy->size - at < BLOCK ? (size_t)(copy->size - at) : BLOCK;
        size_t got = 0;

        rc = ask_guard(copy, err);
        if (rc == 0) {
            rc = gm_store_get(copy->from, copy->key, at, block, wanted, &got, err);
        }
        if (rc == 0 && got != wanted) {
            rc = changed(copy, err);
        }
        if (rc == 0) {
            rc = gm_fs_write_all(fd, block, got, err);
        }
        at += got;
    }
    free(block);
    return rc;
}

/* *out_fd: owned. */
static int open_body(const struct gm_store_copy *copy, int *out_fd, struct gm_err *err)
{
    uint64_t size = 0;
    int fd = -1;
    int rc;

    if (copy->from->ops->open != NULL) {
        rc = copy->from->ops->open(copy->from, copy->key, &fd, &size, err); /* put compares it */
    } else {
        rc = gm_fs_nameless(copy->scratch, &fd, err);
        if (rc == 0) {
            rc = read_body(copy, fd, err);
        }
    }
    if (rc < 0 && fd >= 0) {
        close(fd);
    }
    if (rc == 0) {
        *out_fd = fd;
    }
    return rc;
}

int gm_store_copy(const struct gm_store_copy *copy, struct gm_err *err)
{
    struct gm_store_put put = {.key = copy->key,
                               .fd = -1,
                               .size = copy->size,
                               .sha256 = copy->sha256,
                               .guard = copy->guard};
    int rc;

    if (!gm_store_is_key(copy->key)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` was no key of a store", copy->key);
    }
    rc = open_body(copy, &put.fd, err);
    if (rc == 0) {
        rc = gm_store_put(copy->to, &put, err);
        close(put.fd);
    }
    return rc;
}
