#include "hwtest/battery.h"
#include "hwtest/level1.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <string.h>

static int add(const struct gm_hwtest_try *work, const struct gm_battery_result *r,
               const char *where, struct gm_hwtest_report *report, struct gm_err *err)
{
    const double all = r->cases;
    char name[32], text[240];
    (void)snprintf(name, sizeof(name), ".%s", r->name);
    struct gm_hwtest_check c = gm_hwtest_try_check(work, name);
    gm_hwtest_measure(&c, r->equal, "cases", &all, &all);
    (void)snprintf(text, sizeof(text), "%s: %s", where,
                   r->equal == r->cases ? "all bytes are those of the reference in plain C"
                                        : r->first);
    gm_hwtest_set(c.text, text);
    if (c.status != GM_HWTEST_PASS) {
        gm_hwtest_set(c.remedy,
                      gm_hwtest_remedy(strcmp(work->device, "cpu") == 0 ? "software" : "nvenc"));
    }
    return gm_hwtest_add(report, &c, err);
}

int gm_hwtest_try_kernels(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                          struct gm_err *err)
{
    struct gm_battery_result results[GM_BATTERY_KERNELS];
    struct gm_gpu *gpu = NULL;
    struct gm_err why = {.code = GM_OK};
    char where[96] = "the kernels' CPU build";
    int rc = 0;
    if (strcmp(work->device, "cpu") != 0) {
        rc = gm_gpu_open(work->device, GM_GPU_IMAGE_BEST, &gpu, &why);
    }
    if (gpu != NULL) {
        const struct gm_gpu_facts *f = gm_gpu_facts(gpu);
        (void)snprintf(where, sizeof(where), "sm_%d, CUDA %d.%d, %s", f->sm, f->cuda_version / 1000,
                       f->cuda_version % 1000 / 10,
                       f->image == GM_GPU_IMAGE_PTX ? "compiled from PTX" : "fatbin");
    }
    if (rc == 0) {
        rc = gm_battery_run(gpu, results, &why);
    }
    if (gpu != NULL) {
        gm_gpu_close(&gpu);
    }
    if (rc < 0) {
        return gm_hwtest_try_failed(work, &why, report, err);
    }
    for (int i = 0; rc == 0 && i < GM_BATTERY_KERNELS; i++) {
        rc = add(work, &results[i], where, report, err);
    }
    return rc;
}
