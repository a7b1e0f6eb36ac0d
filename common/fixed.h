#ifndef GM_COMMON_FIXED_H
#define GM_COMMON_FIXED_H

#include <stdint.h>

/* Logarithms in whole numbers: what is computed with them must be the same on every machine, and
 * libm's log and exp choose code by processor. Q16: 65536 is one. Pure. */
#define GM_Q16 65536

/* log2(n), n >= 1; within 2^-15. */
int64_t gm_fixed_log2(uint64_t n);
/* n * 2^(q / 65536), rounded down; saturates at INT64_MAX. n >= 0. Within 2^-28 of n and a unit. */
int64_t gm_fixed_scale(int64_t n, int64_t q);

#endif
