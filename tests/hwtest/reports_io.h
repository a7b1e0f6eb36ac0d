#ifndef TESTS_HWTEST_REPORTS_IO_H
#define TESTS_HWTEST_REPORTS_IO_H

#include "hwtest/results.h"

/* A report with one device, a clip and no check. */
void report_init(struct gm_hwtest_report *report);
/* A check of that device with these; value NAN: none. */
struct gm_hwtest_check *report_add(struct gm_hwtest_report *report, const char *device,
                                   const char *name, enum gm_hwtest_status status, double value,
                                   const char *unit);
/* One of each status, with texts that every format has to escape. */
void report_fill(struct gm_hwtest_report *report);

#endif
