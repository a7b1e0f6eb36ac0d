/* The CPU build of the project's kernels, as the fake libcuda.so.1 sees it: functions by name. */
#ifndef GM_TESTS_DRIVERS_FAKE_TWIN_H
#define GM_TESTS_DRIVERS_FAKE_TWIN_H

#include <stddef.h>

struct fake_twin_launch {
    unsigned grid[3], block[3];
    unsigned shared_bytes;
    void *const *parameters; /* as cuLaunchKernel's kernelParams */
};

/* Runs every thread of a launch; non-zero: it failed. */
typedef int (*fake_twin_fn)(const struct fake_twin_launch *launch);

/* The function of a kernel, and how many bytes its one parameter has; NULL when the CPU build has
 * none of that name. */
fake_twin_fn fake_twin_find(const char *name, size_t *args_size);

/* Names by number, from 0; NULL behind the last. */
const char *fake_twin_name(int i);

#endif
