#include "common/fixed.h"

/* 2^(2^-k) for k = 1..16, times 2^30. */
static const uint32_t roots[16] = {1518500250u, 1276901417u, 1170923762u, 1121280436u,
                                   1097253708u, 1085434106u, 1079572136u, 1076653033u,
                                   1075196443u, 1074468888u, 1074105294u, 1073923544u,
                                   1073832680u, 1073787251u, 1073764537u, 1073753181u};

int64_t gm_fixed_log2(uint64_t n)
{
    int whole = 63 - __builtin_clzll(n | 1);
    /* the mantissa, 1..2 times 2^31; each squaring gives a binary digit of its logarithm */
    uint64_t m = whole >= 31 ? n >> (whole - 31) : n << (31 - whole);
    int64_t q = whole;
    for (int i = 0; i < 16; i++) {
        m = (m * m) >> 31;
        q = 2 * q;
        if (m >> 32 != 0) {
            m >>= 1;
            q++;
        }
    }
    return q;
}

int64_t gm_fixed_scale(int64_t n, int64_t q)
{
    if (n <= 0) {
        return 0;
    }
    int64_t whole = q >> 16; /* down, also where it is negative */
    uint64_t factor = UINT64_C(1) << 30;
    for (int k = 0; k < 16; k++) {
        if ((q >> (15 - k) & 1) != 0) {
            factor = (factor * roots[k]) >> 30;
        }
    }
    /* n * factor / 2^30 * 2^whole, in two halves of n */
    uint64_t high = ((uint64_t)n >> 31) * factor;
    uint64_t low = ((uint64_t)n & 0x7fffffffu) * factor;
    uint64_t r = high * 2 + (low >> 30);
    if (whole < 0) {
        return whole <= -64 ? 0 : (int64_t)(r >> -whole);
    }
    if (high > INT64_MAX / 4 || whole > 62 || r > (uint64_t)INT64_MAX >> whole) {
        return INT64_MAX;
    }
    return (int64_t)(r << whole);
}
