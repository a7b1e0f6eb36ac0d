#ifndef GM_HWTEST_VERSIONS_H
#define GM_HWTEST_VERSIONS_H

#include "hwtest/report/report.h"
#include "node/devices/device.h"

/* Which versions a report is of: drivers of the list's devices as detection found them, and the
 * libraries of the software. Opens an encoder of software and reads the kernel's files. Thread:
 * any. Errors: NOMEM, LIMIT. */
int gm_hwtest_versions(const struct gm_device_list *list, struct gm_hwtest_report *out,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
