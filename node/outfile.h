#ifndef GM_NODE_OUTFILE_H
#define GM_NODE_OUTFILE_H

#include "common/err.h"
#include "common/hash.h"

/* Files that a worker made, opened by one who does not trust it: beneath the task's folder, through
 * no link of any kind, a regular file with one name. Thread: any. */
struct gm_outfile {
    int fd;        /* owned; read-only */
    uint64_t size; /* bytes */
    uint8_t sha256[GM_SHA256_SIZE];
};

/* Opens and hashes `name` below folder. moved, which may be NULL, is called after each MiB.
 * Errors: PROTO  it is a link, no regular file, has further
 * names, or changed while it was read (native = errno); SYS; NOTFOUND; LIMIT  more than max_bytes;
 * NOMEM. *out untouched on failure. */
int gm_outfile_open(int folder, const char *name, uint64_t max_bytes, void (*moved)(void *arg),
                    void *arg, struct gm_outfile *out, struct gm_err *err) GM_MUST_CHECK;
/* The whole content, for small ones. *out_data: owned. Errors as above. */
int gm_outfile_read(int folder, const char *name, uint64_t max_bytes, uint8_t **out_data,
                    size_t *out_size, struct gm_err *err) GM_MUST_CHECK;

#endif
