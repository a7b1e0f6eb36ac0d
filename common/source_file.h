#ifndef GM_COMMON_SOURCE_FILE_H
#define GM_COMMON_SOURCE_FILE_H

#include "common/err.h"

/* Where the bytes of a source are read. A value: copies name the same file.
 *
 * The file has the source's size from the first moment on. Where `need` is set it is a window
 * (ADR-0059): bytes that were not asked for read as zeros, so every read goes through
 * gm_source_file_read. Thread: one at a time. */
struct gm_source_file {
    int fd; /* borrowed; -1: none */
    /* Blocks until bytes [offset, offset + length) are there, and keeps those before them that were
     * asked for last. Both lie within the file. Errors: why they can't be had. NULL: all are there.
     */
    int (*need)(void *arg, uint64_t offset, uint64_t length, struct gm_err *err);
    void *arg; /* borrowed */
    /* It lies in parts, which may come one after the other: what is not needed is not read. That
     * does not depend on what has come. */
    bool in_parts;
};

/* A file that is there as a whole. */
static inline struct gm_source_file gm_source_plain(int fd)
{
    return (struct gm_source_file){.fd = fd};
}

/* *out_read bytes from offset on; short only at the end of the file. Errors: SYS, those of need. */
int gm_source_file_read(struct gm_source_file file, void *out, size_t size, uint64_t offset,
                        size_t *out_read, struct gm_err *err) GM_MUST_CHECK;

#endif
