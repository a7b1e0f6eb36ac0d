#ifndef GM_HWTEST_LEAK_H
#define GM_HWTEST_LEAK_H

#include <stddef.h>

#include "hwtest/results.h"

/* A value that is read after each job, and whether it grows. Pure. */
#define GM_HWTEST_LEAK_KEPT 240 /* then every second one goes, and fewer are kept from there on */
#define GM_HWTEST_LEAK_LEAST 12 /* values, behind the warm third, that a slope is told of */

struct gm_hwtest_leak { /* all-zero: empty */
    double kept[GM_HWTEST_LEAK_KEPT];
    size_t count;
    size_t stride; /* jobs from one kept to the next; 0: 1 */
    size_t seen;
};
void gm_hwtest_leak_add(struct gm_hwtest_leak *leak, double value);
/* Growth a job, of all but the first third: the median of the slopes between any two (Theil and
 * Sen), which single outliers do not move. False: there are too few. Errors: NOMEM. */
int gm_hwtest_leak_slope(const struct gm_hwtest_leak *leak, bool *out_told, double *out,
                         struct gm_err *err) GM_MUST_CHECK;
/* Sets value, series, limit, text and status of a check: growth a job, WARN from `warn`, FAIL from
 * `fail`, SKIP where it is not told. */
int gm_hwtest_leak_judge(const struct gm_hwtest_leak *leak, const char *unit, double warn,
                         double fail, struct gm_hwtest_check *check,
                         struct gm_err *err) GM_MUST_CHECK;

#endif
