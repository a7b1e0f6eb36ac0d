#ifndef GM_COMMON_NUMBER_H
#define GM_COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Whole texts to numbers: nothing before or after the number, no leading zeros, decimal only; false
 * (and *out untouched) for all else and for what does not fit. Thread: any. */
bool gm_number_int(const char *text, int64_t *out);
/* A whole number, or one with k, M, G (powers of 1000) or Ki, Mi, Gi (of 1024) right after it. */
bool gm_number_size(const char *text, int64_t *out);
/* As in JSON; finite. Reads '.' as the point whatever the locale. */
bool gm_number_double(const char *text, double *out);

#endif
