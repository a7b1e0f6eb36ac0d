#ifndef GM_MEDIA_EXACT_H
#define GM_MEDIA_EXACT_H

/* Elementary functions from +, -, * and / alone: unlike those of a C library, which choose routines
 * by processor, they give the same bits on every machine with IEEE 754 doubles. Built without
 * contraction (-ffp-contract=off). Relative error below 1e-13 where the result is normal.
 * Thread: any.
 */
/* x > 0, normal and finite. */
double gm_exact_log(double x);
/* x <= 700; below -700: 0. */
double gm_exact_exp(double x);
/* x >= 0 (0 gives 0), y > 0. */
double gm_exact_pow(double x, double y);

#endif
