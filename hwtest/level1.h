#ifndef GM_HWTEST_LEVEL1_H
#define GM_HWTEST_LEVEL1_H

#include "hwtest/results.h"
#include "node/devices/device.h"

/* Level 1: what detection and proof found, as checks. Pure. Thread: any. */
/* Checks of every device of the list, and of its notes. Errors: NOMEM, LIMIT. */
int gm_hwtest_level1(const struct gm_device_list *list, struct gm_hwtest_report *report,
                     struct gm_err *err) GM_MUST_CHECK;
/* The proof of that work; NULL: none was made. */
const struct gm_device_proof *gm_hwtest_find_proof(const struct gm_device *device, bool encode,
                                                   const struct gm_device_codec *codec);
/* What to do about a device's work that fails: by interface. Static. */
const char *gm_hwtest_remedy(const char *api);

/* Whether the farm encodes that with this device; else it must not be tried: another would do the
 * work in its place, or its driver can't keep what a task needs. */
bool gm_hwtest_encodes(const struct gm_device *device, const struct gm_device_codec *codec);

#endif
