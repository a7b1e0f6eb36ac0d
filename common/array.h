#ifndef GM_COMMON_ARRAY_H
#define GM_COMMON_ARRAY_H

#include "common/err.h"

/* Makes room for `more` elements of `size` bytes behind the first `count` of a growing array.
 *
 * array:  address of the pointer to the elements (owned, from malloc; NULL: none yet)
 * io_cap: elements that there is room for; at least doubled when it must grow
 * Errors: NOMEM; array and *io_cap are as they were
 * Thread: any */
int gm_array_reserve(void *array, size_t count, size_t more, size_t *io_cap, size_t size,
                     struct gm_err *err) GM_MUST_CHECK;

/* Ascending order of int64_t, for qsort. */
int gm_array_compare_int64(const void *a, const void *b);

#endif
