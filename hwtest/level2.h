#ifndef GM_HWTEST_LEVEL2_H
#define GM_HWTEST_LEVEL2_H

#include "hwtest/results.h"
#include "hwtest/until.h"
#include "node/devices/device.h"

/* Level 2: exactness. Decides what is tried on each device of the list, which has its proofs, tries
 * it in children and takes their answers; where `until` (NULL: nothing) ends before, what is left
 * is SKIP. Thread: as helper.h. Errors: NOMEM, LIMIT, SYS. */
int gm_hwtest_level2(const struct gm_device_list *list, const struct gm_hwtest_until *until,
                     struct gm_hwtest_report *report, struct gm_err *err) GM_MUST_CHECK;

#endif
