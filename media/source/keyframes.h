#ifndef GM_MEDIA_SOURCE_KEYFRAMES_H
#define GM_MEDIA_SOURCE_KEYFRAMES_H

#include "media/av.h"

/* Where in a file its main video's keyframes lie: where it is cut for sending, so that what begins
 * a part can be decoded without the one before it. */

#define GM_KEYFRAMES_SCAN                                                                          \
    ((int64_t)1 << 30) /* files up to here are read where they have no index */

/* Once for each, in ascending order: 0 < offset < the file's size. Below 0, with *err: no more. */
typedef int (*gm_keyframes_fn)(uint64_t offset, void *arg, struct gm_err *err);

/* By the container's index, else by the packets. Nothing of it is decoded.
 *
 * apart: bytes, at least 1; those that follow closer are left out
 * Errors: INPUT_NO_VIDEO: there are no pictures; INPUT_NO_INDEX: it has no index and is too large
 * to be read for one; INPUT_* of opening it; what fn says; SYS, NOMEM. */
int gm_keyframes_find(struct gm_source_file file, int64_t size, int64_t apart, gm_keyframes_fn fn,
                      void *arg, struct gm_err *err) GM_MUST_CHECK;

#endif
