#include "media/exact.h"

#include <stdint.h>
#include <string.h>

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define LN2_HIGH 6.93147180369123816490e-01 /* its low 32 bits are 0: n * LN2_HIGH is exact */
#define LN2_LOW 1.90821492927058770002e-10
#define SQRT2 1.41421356237309514547
#define LOG_TERMS 15
#define EXP_TERMS 18

static double power_of_two(int64_t n)
{
    uint64_t bits = (uint64_t)(n + EXPONENT_BIAS) << MANTISSA_BITS;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double gm_exact_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t exponent = (int64_t)(bits >> MANTISSA_BITS & 0x7ff) - EXPONENT_BIAS;
    bits = (bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | (uint64_t)EXPONENT_BIAS << MANTISSA_BITS;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > SQRT2) {
        m /= 2;
        exponent++;
    }
    /* log m = 2 artanh((m - 1) / (m + 1)) */
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int k = LOG_TERMS; k >= 0; k--) {
        sum = sum * square + 1.0 / (2 * k + 1);
    }
    return (double)exponent * LN2_HIGH + (2 * s * sum + (double)exponent * LN2_LOW);
}

double gm_exact_exp(double x)
{
    if (x < -700) {
        return 0;
    }
    double turns = x / (LN2_HIGH + LN2_LOW);
    int64_t n = (int64_t)(turns < 0 ? turns - 0.5 : turns + 0.5);
    double r = (x - (double)n * LN2_HIGH) - (double)n * LN2_LOW, sum = 1;
    for (int k = EXP_TERMS; k > 0; k--) {
        sum = 1 + sum * r / k;
    }
    return sum * power_of_two(n);
}

double gm_exact_pow(double x, double y)
{
    return x > 0 ? gm_exact_exp(y * gm_exact_log(x)) : 0;
}
