#include "common/array.h"

#include <stdlib.h>
#include <string.h>

int gm_array_reserve(void *array, size_t count, size_t more, size_t *io_cap, size_t size,
                     struct gm_err *err)
{
    size_t cap = *io_cap < 8 ? 16 : *io_cap * 2;
    void **at = array; /* types of pointers do not matter: -fno-strict-aliasing */
    void *grown;

    if (more <= *io_cap - count) {
        return 0;
    }
    if (more > SIZE_MAX / 2 / size - count) {
        return gm_err_nomem(err);
    }
    cap = cap < count + more ? count + more : cap;
    grown = realloc(*at, cap * size);
    if (grown == NULL) {
        return gm_err_nomem(err);
    }
    *at = grown;
    *io_cap = cap;
    return 0;
}

int gm_array_compare_int64(const void *a, const void *b)
{
    int64_t x;
    int64_t y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}
