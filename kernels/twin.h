#ifndef GM_KERNELS_TWIN_H
#define GM_KERNELS_TWIN_H

#include "kernels/kernels.h"

/* The kernels' own source, compiled for the CPU. Addresses are pointers of this process.
 *
 * One thread stands for a whole block here: that is what loops by lane->threads allow, and what
 * production could use. That threads really wait where they must is shown by
 * tests/kernels/fibers.h, which runs every thread of a block.
 */
struct gm_lane;
typedef void (*gm_twin_fn)(const struct gm_lane *lane, const void *args);

/* The function of a kernel. lane->barrier is called where the kernel waits. */
gm_twin_fn gm_twin_get(enum gm_kernel kernel);
/* Runs a launch to its end. args: the kernel's argument struct; what it points at is trusted: it
 * was checked by kernels.h. Thread: any, also several at once on different outputs.
 * Errors: NOMEM; INVAL (threads or shared memory out of range). */
int gm_twin_run(const struct gm_launch *launch, const void *args, struct gm_err *err) GM_MUST_CHECK;

#endif
