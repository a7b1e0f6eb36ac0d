/* For tests that need files: a folder of their own, gone at the end. */
#ifndef GM_TESTS_COMMON_SCRATCH_H
#define GM_TESTS_COMMON_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/fs.h"

struct scratch {
    char path[64];
    char buf[4][512]; /* answers of scratch_path, used in turn */
    unsigned next;
};

static inline void scratch_make(struct scratch *s)
{
    *s = (struct scratch){.path = "/tmp/gopmill-test-XXXXXX"};
    GM_ASSERT(mkdtemp(s->path) != NULL);
}

/* A path in it; good for the next three calls. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
    char *out = s->buf[s->next++ % 4];
    int rc = gm_fs_path(out, sizeof(s->buf[0]), NULL, "%s/%s", s->path, name);

    GM_ASSERT(rc == 0);
    return out;
}

static inline void scratch_remove(struct scratch *s)
{
    int rc = gm_fs_remove_tree(s->path, NULL);

    GM_ASSERT(rc == 0);
}

#endif
