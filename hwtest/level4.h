#ifndef GM_HWTEST_LEVEL4_H
#define GM_HWTEST_LEVEL4_H

#include "hwtest/results.h"

/* Level 4: a farm of this machine that works and loses its workers for a long time: whether every
 * job ends, with the same bytes, and whether its services grow. */
struct gm_hwtest_soak_params {
    const char *programs;     /* folder of gopmill's programs; NULL: found */
    const char *node_options; /* more lines of the node's configuration; NULL: none */
    uint32_t minutes;
    uint64_t seed; /* chooses who is killed and when; 0: 1 */
    bool devices;  /* every second job on this machine's encoders */
    bool quick;    /* three jobs, whatever minutes says */
    bool fake;     /* a device is a fake driver's: the rows of devices say it */
};
/* SIGINT and SIGTERM end it early, and are blocked until its farm has ended. Thread: no other may
 * wait for any child whatsoever, or take those signals. What fails is a check. Errors: NOMEM,
 * LIMIT. */
int gm_hwtest_level4(const struct gm_hwtest_soak_params *params, struct gm_hwtest_report *report,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
