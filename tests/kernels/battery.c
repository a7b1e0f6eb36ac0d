/* The kernels' battery (hwtest/battery.h) on a device:
 *   battery PCI-OR-UUID [ptx|fatbin]
 * Ends with 0 when all are equal to the reference, 1 when one is not, 2 when there is no device to
 * try. Over the fake drivers it shows that the host's side of gpu.h is right; on a GPU, that the
 * GPU is. */
#include <stdio.h>
#include <string.h>

#include "hwtest/battery.h"

static bool print_results(const struct gm_battery_result *results)
{
    bool good = true;
    for (int i = 0; i < GM_BATTERY_KERNELS; i++) {
        const struct gm_battery_result *r = &results[i];
        good = good && r->equal == r->cases;
        printf("%s: %u of %u equal%s%s\n", r->name, r->equal, r->cases,
               r->first[0] != '\0' ? ": " : "", r->first);
    }
    printf("%s\n", good ? "all equal to the reference" : "NOT equal to the reference");
    return good;
}

int main(int argc, char **argv)
{
    struct gm_battery_result results[GM_BATTERY_KERNELS];
    struct gm_gpu *gpu = NULL;
    struct gm_err err = {0};
    if (argc < 2) {
        fprintf(stderr, "use: battery PCI-OR-UUID [ptx|fatbin]\n");
        return 2;
    }
    enum gm_gpu_image image = GM_GPU_IMAGE_BEST;
    if (argc > 2) {
        image = strcmp(argv[2], "ptx") == 0 ? GM_GPU_IMAGE_PTX : GM_GPU_IMAGE_FATBIN;
    }
    int rc = gm_gpu_open(argv[1], image, &gpu, &err);
    if (rc == 0) {
        const struct gm_gpu_facts *f = gm_gpu_facts(gpu);
        printf("%s %s %s sm_%d CUDA %d image %s\n", f->name, f->pci, f->uuid, f->sm,
               f->cuda_version, f->image == GM_GPU_IMAGE_PTX ? "ptx" : "fatbin");
        rc = gm_battery_run(gpu, results, &err);
    }
    gm_gpu_close(&gpu);
    if (rc < 0) {
        fprintf(stderr, "battery: %s: %s\n", gm_code_get(-rc)->id, err.text);
        return 2;
    }
    return print_results(results) ? 0 : 1;
}
