#ifndef GM_HWTEST_LEVEL3_H
#define GM_HWTEST_LEVEL3_H

#include "hwtest/results.h"
#include "node/devices/device.h"

/* Level 3: what the processor makes a second, one process and as many as it has threads, and the
 * storage of the temporary folder. GPUs are skipped, in words. Thread: as helper.h.
 * Errors: NOMEM, LIMIT, SYS. */
int gm_hwtest_level3(const struct gm_device_list *list, struct gm_hwtest_report *report,
                     struct gm_err *err) GM_MUST_CHECK;

/* storage.c: writes and reads a file of 256 MiB in TMPDIR (else /tmp), which is gone at the end:
 * checks "storage.write", and where that went well "storage.read". Thread: one; blocks until the
 * disk has it. Errors: NOMEM, LIMIT. */
int gm_hwtest_storage(struct gm_hwtest_report *report, struct gm_err *err) GM_MUST_CHECK;

#endif
