#ifndef GM_HWTEST_SANDBOX_H
#define GM_HWTEST_SANDBOX_H

#include "hwtest/results.h"
#include "hwtest/until.h"
#include "node/devices/device.h"
#include "node/node_config.h"

/* Level 1's check `sandbox` of each device but the processor: what passed its proof is opened in
 * the sandbox of the node's workers, as a node does behind its proofs (node/devices/prove.h),
 * with what config gives workers of devices. The list stays as it is. What could not be tried is
 * SKIP with the reason: no proof passed, the run was ended, or gopmill-launcher is not here. A
 * folder of TMPDIR (else /tmp) is made and removed. Errors: NOMEM, SYS, LIMIT. Thread: one. */
int gm_hwtest_sandbox(const struct gm_device_list *list, const struct gm_node_config *config,
                      const struct gm_hwtest_until *until, struct gm_hwtest_report *report,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
