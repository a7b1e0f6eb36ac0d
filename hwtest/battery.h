#ifndef GM_HWTEST_BATTERY_H
#define GM_HWTEST_BATTERY_H

#include "hwtest/picture.h"
#include "kernels/gpu.h"

/* Each kernel over generated pictures, against what stands for it in plain C (kernels/reference.h;
 * tone: media/picture/tonemap.h), byte for byte with all that surrounds the pictures. Thread: one.
 */
#define GM_BATTERY_KERNELS 5 /* ladder score compare sprite tone */
struct gm_battery_result {
    const char *name; /* static */
    uint32_t cases, equal;
    char first[120]; /* the first case that is not; "" */
};
/* gpu: opened by the caller; NULL: the kernels' CPU build. Errors: those of kernels/gpu.h; NOMEM.
 * out: of what came before the error. */
int gm_battery_run(struct gm_gpu *gpu, struct gm_battery_result out[GM_BATTERY_KERNELS],
                   struct gm_err *err) GM_MUST_CHECK;

#endif
