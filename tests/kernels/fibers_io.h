#ifndef TESTS_KERNELS_FIBERS_IO_H
#define TESTS_KERNELS_FIBERS_IO_H

#include "kernels/twin.h"

/* A launch on the CPU with every thread of a block: each is a fiber with its own stack, and a
 * barrier passes to the next. What a GPU would leave to chance, the order of threads between
 * barriers, is forward or backward here. Shared memory is not clean at a block's start.
 * Not to be used under the thread sanitizer, which does not follow fibers. */
struct fibers_how {
    bool backward;
    int drop;         /* the number of a barrier that does not wait; 0: none */
    uint32_t threads; /* in place of the launch's; 0: those */
};
enum fibers_end {
    FIBERS_OK,
    FIBERS_APART,   /* threads met different barriers, or some met none */
    FIBERS_OVERRUN, /* something was written behind shared memory */
};
enum fibers_end fibers_run(const struct gm_launch *launch, const void *args,
                           const struct fibers_how *how);

#if defined(__SANITIZE_THREAD__)
#define FIBERS_WORK 0
#else
#define FIBERS_WORK 1
#endif
/* Without a barrier a kernel computes with dirt, which the sanitizers rightly refuse. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FIBERS_DIRT 0
#else
#define FIBERS_DIRT 1
#endif

#endif
