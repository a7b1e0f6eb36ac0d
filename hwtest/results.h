#ifndef GM_HWTEST_RESULTS_H
#define GM_HWTEST_RESULTS_H

#include "common/buf.h"
#include "hwtest/report/report.h"

/* The words and files made of a report. Pure: no clock, file or device is touched in results.c,
 * verdict.c, table.c, json.c, junit.c, html.c, plot.c and baseline.c. Thread: one at a time a
 * report. */

/* Sets value and its limits (NULL: none) and judges: outside is FAIL, else PASS. A value that is
 * not finite is FAIL, without a value. */
void gm_hwtest_measure(struct gm_hwtest_check *check, double value, const char *unit,
                       const double *low, const double *high);
/* The words of the table: "53.3 dB", ">= 30 dB", "0.95 .. 1"; "" where there are none. */
void gm_hwtest_value_words(const struct gm_hwtest_check *check, char *out, size_t size);
void gm_hwtest_limit_words(const struct gm_hwtest_check *check, char *out, size_t size);

/* ---- verdict.c */
struct gm_hwtest_verdict {
    size_t counts[GM_HWTEST_STATUSES];
    bool good;          /* no FAIL, no UNSTABLE, and something passed */
    char sentence[900]; /* the verdict and, where something is to be done, the first remedy */
};
void gm_hwtest_judge(const struct gm_hwtest_report *report, struct gm_hwtest_verdict *out);

/* ---- The files; NOMEM by gm_buf_check. */
void gm_hwtest_table(const struct gm_hwtest_report *report, struct gm_buf *out); /* 80 columns */
void gm_hwtest_json(const struct gm_hwtest_report *report, struct gm_buf *out);
void gm_hwtest_junit(const struct gm_hwtest_report *report, struct gm_buf *out);
void gm_hwtest_html(const struct gm_hwtest_report *report, struct gm_buf *out);
/* plot.c: inline SVG. Bars of all checks with that unit, with their limits; a line over a check's
 * series. */
void gm_hwtest_plot_bars(const struct gm_hwtest_report *report, const char *unit,
                         struct gm_buf *out);
void gm_hwtest_plot_series(const struct gm_hwtest_check *check, struct gm_buf *out);

/* ---- baseline.c: adds checks "baseline..." to report for what has become worse. Devices are the
 * same by UUID where both have one, else by id. Thresholds: docs/hwtest.md. Errors: NOMEM, LIMIT.
 */
int gm_hwtest_compare(struct gm_hwtest_report *report, const struct gm_hwtest_report *baseline,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
