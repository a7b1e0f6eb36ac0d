/* The kernels' own source, compiled for the CPU, behind the fake cuLaunchKernel. */
#include "fake_twin.h"

#include <stddef.h>
#include <string.h>

#include "kernels/twin.h"

static int run(enum gm_kernel kernel, const struct fake_twin_launch *launch)
{
    const struct gm_launch l = {kernel, launch->grid[0], launch->grid[1], launch->block[0],
                                launch->shared_bytes};
    if (launch->grid[2] != 1 || launch->block[1] != 1 || launch->block[2] != 1) {
        return -1;
    }
    return gm_twin_run(&l, launch->parameters[0], NULL);
}

#define GM_ENTRY(name, entry, args)                                                                \
    static int run_##entry(const struct fake_twin_launch *launch)                                  \
    {                                                                                              \
        return run(GM_KERNEL_##name, launch);                                                      \
    }
#include "kernels/entries.def"
#undef GM_ENTRY

static const struct {
    const char *name;
    fake_twin_fn run;
    enum gm_kernel kernel;
} ROWS[] = {
#define GM_ENTRY(name, entry, args) {#entry, run_##entry, GM_KERNEL_##name},
#include "kernels/entries.def"
#undef GM_ENTRY
};

#define ROW_COUNT ((int)(sizeof ROWS / sizeof *ROWS))

fake_twin_fn fake_twin_find(const char *name, size_t *args_size)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            *args_size = gm_kernel_args_size(ROWS[i].kernel);
            return ROWS[i].run;
        }
    }
    return NULL;
}

const char *fake_twin_name(int i)
{
    return i >= 0 && i < ROW_COUNT ? ROWS[i].name : NULL;
}
