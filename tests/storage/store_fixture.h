/* For tests that need a store in a folder of their own. */
#ifndef GM_TESTS_STORAGE_STORE_FIXTURE_H
#define GM_TESTS_STORAGE_STORE_FIXTURE_H

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/scratch.h"
#include "storage/store.h"

struct fixture {
    struct scratch scratch;
    char *url; /* of scratch/root */
    struct gm_store *store;
};

static inline int fixture_make(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return -1;
    }
    scratch_make(&f->scratch);
    *state = f;
    if (gm_store_url(scratch_path(&f->scratch, "root"), &f->url, NULL) < 0) {
        return -1;
    }
    return gm_store_open(f->url, true, &f->store, NULL);
}

static inline int fixture_remove(void **state)
{
    struct fixture *f = *state;

    gm_store_close(&f->store);
    scratch_remove(&f->scratch);
    free(f->url);
    free(f);
    return 0;
}

/* A path in the store's folder. */
static inline const char *root_path(struct fixture *f, const char *name)
{
    char path[256];
    int rc = gm_fs_path(path, sizeof(path), NULL, "root/%s", name);

    GM_ASSERT(rc == 0);
    return scratch_path(&f->scratch, path);
}

/* A readable descriptor of a nameless file that holds these bytes, its offset at the end. */
static inline int body(const void *data, size_t size)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int rc;

    GM_ASSERT(fd >= 0);
    rc = gm_fs_write_all(fd, data, size, NULL);
    GM_ASSERT(rc == 0);
    return fd;
}

/* Whether the object is there with exactly this text. */
static inline bool holds(struct fixture *f, const char *key, const char *text)
{
    char buf[256];
    size_t n = 0;

    return gm_store_get(f->store, key, 0, buf, sizeof(buf), &n, NULL) == 0 && n == strlen(text) &&
           memcmp(buf, text, n) == 0;
}

static inline int count_one(const char *key, uint64_t size, void *arg)
{
    (void)key;
    (void)size;
    ++*(int *)arg;
    return 0;
}

static inline int count_objects(struct fixture *f)
{
    int count = 0;

    return gm_store_list(f->store, "", count_one, &count, NULL) < 0 ? -1 : count;
}

#endif
