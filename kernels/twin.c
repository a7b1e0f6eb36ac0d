#include "kernels/twin.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.cu" /* static functions here */

_Static_assert(sizeof(struct gm_score_shared) == GM_SCORE_SHARED_BYTES, "the launch says it");
_Static_assert(sizeof(struct gm_compare_shared) == GM_COMPARE_SHARED_BYTES, "the launch says it");

static const gm_twin_fn FUNCTIONS[GM_KERNELS] = {
#define GM_ENTRY(name, entry, args) entry,
#include "kernels/entries.def"
#undef GM_ENTRY
};

gm_twin_fn gm_twin_get(enum gm_kernel kernel)
{
    GM_ASSERT((unsigned)kernel < GM_KERNELS);
    return FUNCTIONS[kernel];
}

static void pass(void *arg, int number)
{
    (void)arg;
    (void)number;
}

int gm_twin_run(const struct gm_launch *launch, const void *args, struct gm_err *err)
{
    if (launch->shared_bytes > GM_SHARED_MAX || launch->threads < 1) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "A launch has %u threads and %u bytes of shared memory", launch->threads,
                          launch->shared_bytes);
    }
    gm_twin_fn run = gm_twin_get(launch->kernel);
    uint8_t *shared = malloc(launch->shared_bytes + 1);
    if (shared == NULL) {
        return gm_err_nomem(err);
    }
    struct gm_lane lane = {.threads = 1, .shared = shared, .barrier = pass};
    for (lane.block_y = 0; lane.block_y < launch->grid_y; lane.block_y++) {
        for (lane.block_x = 0; lane.block_x < launch->grid_x; lane.block_x++) {
            run(&lane, args);
        }
    }
    free(shared);
    return 0;
}
