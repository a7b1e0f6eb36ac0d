#ifndef GM_TESTS_SCHEDULER_HELPER_H
#define GM_TESTS_SCHEDULER_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/fs.h"

/* A folder for one test; *state is its path. */
static inline int make_folder(void **state)
{
    char *path = strdup("/tmp/gm-scheduler-XXXXXX");
    if (path == NULL || mkdtemp(path) == NULL) {
        return -1;
    }
    *state = path;
    return 0;
}

static inline int remove_folder(void **state)
{
    struct gm_err err;
    int rc = gm_fs_remove_tree(*state, &err);
    free(*state);
    return rc;
}

static inline void path_in(char out[512], const char *folder, const char *name)
{
    assert_true(snprintf(out, 512, "%s/%s", folder, name) < 512);
}

static inline void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    struct gm_err err = {0};
    path_in(path, folder, name);
    assert_int_equal(gm_fs_write_atomic(path, data, size, &err), 0);
}

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

#endif
