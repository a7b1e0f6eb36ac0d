#ifndef GM_HWTEST_SAVE_H
#define GM_HWTEST_SAVE_H

#include <stddef.h>

#include "common/err.h"

/* Where a report is to go: a file, new or replaced at once and whole; what is no regular file
 * (a device, a pipe, /dev/stdout) is written to and never replaced; a link is followed.
 * Thread: any. */

/* Whether path could be written, asked before minutes of tests; nothing is made.
 * Errors: INVAL (a folder), SYS (no such folder, no rights). */
int gm_hwtest_save_check(const char *path, struct gm_err *err) GM_MUST_CHECK;
/* Whether both paths name one regular file, there or to be made: "r" and "./r", links, folders that
 * are links. What is no regular file may be named twice. */
bool gm_hwtest_save_is_same(const char *a, const char *b);
/* Errors: INVAL (a folder), SYS. */
int gm_hwtest_save(const char *path, const void *data, size_t size,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
