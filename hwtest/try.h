#ifndef GM_HWTEST_TRY_H
#define GM_HWTEST_TRY_H

#include "hwtest/options.h"
#include "hwtest/results.h"

/* The child's side of levels 2 and 3: one piece of work, its checks written as JSON to
 * descriptor 3. */

/* Returns the exit status: 0 an answer is out, also one that says FAIL, but not as text for people;
 * 1 none is, or that text says FAIL or UNSTABLE; 2 usage. */
int gm_hwtest_try(const struct gm_hwtest_try *work);

/* Each adds its checks and clips to report. What fails is a check; errors: NOMEM, LIMIT. */
int gm_hwtest_try_decode(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_try_encode(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_try_kernels(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                          struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_try_pictures(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                           struct gm_err *err) GM_MUST_CHECK;
/* Level 3: checks "encode", "decode" or "ladder" with the pictures that this process made a second;
 * what they mean for the machine is the parent's (level3.h). */
int gm_hwtest_try_rate(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                       struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_try_ladder(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err) GM_MUST_CHECK;
/* try_device.c: the kinds of level 3 that are of devices, with their final names. */
int gm_hwtest_try_device(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err) GM_MUST_CHECK;

/* A check of work, "decode.nvdec.h264.8" and what; what: "" or ".ssim". */
struct gm_hwtest_check gm_hwtest_try_check(const struct gm_hwtest_try *work, const char *what);
/* What to do about work that failed so. Static. */
const char *gm_hwtest_try_remedy(const struct gm_hwtest_try *work, const struct gm_err *why);
/* The work failed: adds a FAIL with the words of why; SKIP where the device never does what is
 * asked of it. Errors: NOMEM, LIMIT. */
int gm_hwtest_try_failed(const struct gm_hwtest_try *work, const struct gm_err *why,
                         struct gm_hwtest_report *report, struct gm_err *err) GM_MUST_CHECK;

#endif
