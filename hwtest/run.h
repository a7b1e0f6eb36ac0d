#ifndef GM_HWTEST_RUN_H
#define GM_HWTEST_RUN_H

#include "hwtest/options.h"
#include "hwtest/results.h"

/* Runs all checks of a level on this machine: detection and proofs here, everything else in
 * processes of their own (node/devices/helper.h), which may hang or crash. Thread: the only one;
 * blocks until all is done, --time-limit is over, or SIGINT or SIGTERM comes (until.h, level4.h).
 * out: all-zero; fini in any case.
 * Errors: INVAL  no such device; the words name those that are there
 *         INVAL     level 4 of one of several devices that encode
 *         NOMEM, SYS, LIMIT. */
int gm_hwtest_run(const struct gm_hwtest_options *options, struct gm_hwtest_report *out,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
