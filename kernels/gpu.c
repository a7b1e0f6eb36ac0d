/* Device, context and module; memory, streams and launches are in gpu_work.c. */
#include "kernels/gpu.h"

#include <stdlib.h>

#include "kernels/gpu_state.h"
#include "kernels/image.h"

#define ATTRIBUTE_MAJOR 75 /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
#define ATTRIBUTE_MINOR 76

int gm_gpu_push(struct gm_gpu *g, struct gm_err *err)
{
    return gm_cuda_check(&g->cuda, g->cuda.push(g->context), "cuCtxPushCurrent", err);
}

void gm_gpu_pop(struct gm_gpu *g)
{
    void *old = NULL;
    (void)g->cuda.pop(&old); /* a context that was pushed can be popped */
}

static int read_facts(struct gm_gpu *g, int device, struct gm_err *err)
{
    struct gm_gpu_facts *f = &g->facts;
    int major = 0, minor = 0;
    const struct gm_cuda *c = &g->cuda;
    int rc = gm_cuda_check(c, c->device_name(f->name, (int)sizeof f->name - 1, device),
                           "cuDeviceGetName", err);
    if (rc == 0) {
        rc = gm_cuda_device_names(c, device, f->pci, f->uuid, err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(c, c->device_memory(&f->memory_bytes, device), "cuDeviceTotalMem", err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(c, c->device_attribute(&major, ATTRIBUTE_MAJOR, device),
                           "cuDeviceGetAttribute", err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(c, c->device_attribute(&minor, ATTRIBUTE_MINOR, device),
                           "cuDeviceGetAttribute", err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(c, c->driver_version(&f->cuda_version), "cuDriverGetVersion", err);
    }
    f->sm = major * 10 + minor;
    return rc;
}

static int start(struct gm_gpu *g, int *out_count, struct gm_err *err)
{
    int rc = gm_cuda_open(&g->cuda, err);
    if (rc == 0) {
        rc = gm_cuda_check(&g->cuda, g->cuda.init(0), "cuInit", err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(&g->cuda, g->cuda.device_count(out_count), "cuDeviceGetCount", err);
    }
    return rc;
}

static int find(struct gm_gpu *g, const char *id, struct gm_err *err)
{
    int count = 0;
    int rc = start(g, &count, err);
    for (int i = 0; rc == 0 && i < count; i++) {
        int device = 0;
        rc = gm_cuda_check(&g->cuda, g->cuda.device_get(&device, i), "cuDeviceGet", err);
        if (rc == 0) {
            rc = read_facts(g, device, err);
        }
        if (rc == 0 && gm_cuda_is_named(g->facts.pci, g->facts.uuid, id)) {
            g->device = device;
            return 0;
        }
    }
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_DEVICE_ABSENT, 0, "The driver shows no GPU %s among %d",
                               id, count);
}

static int load_image(struct gm_gpu *g, enum gm_gpu_image image, struct gm_err *err)
{
    size_t size = 0;
    const void *data = image == GM_GPU_IMAGE_PTX ? gm_image_ptx(&size) : gm_image_fatbin(&size);
    if (data == NULL) {
        return gm_err_set(err, GM_E_DEVICE_DRIVER, 0, "This build has no machine code for GPUs");
    }
    int rc =
        gm_cuda_check(&g->cuda, g->cuda.module_load(&g->module, data), "cuModuleLoadData", err);
    if (rc == 0) {
        g->facts.image = image;
    }
    return rc;
}

static int load(struct gm_gpu *g, enum gm_gpu_image image, struct gm_err *err)
{
    int rc = gm_gpu_push(g, err);
    if (rc < 0) {
        return rc;
    }
    if (image != GM_GPU_IMAGE_BEST) {
        rc = load_image(g, image, err);
    } else {
        rc = load_image(g, GM_GPU_IMAGE_FATBIN, err);
        if (rc == -GM_E_DEVICE_DRIVER) { /* another chip, or a driver older than nvcc */
            rc = load_image(g, GM_GPU_IMAGE_PTX, err);
        }
    }
    for (int i = 0; rc == 0 && i < GM_KERNELS; i++) {
        const char *entry = gm_kernel_entry((enum gm_kernel)i);
        rc = gm_cuda_check(&g->cuda, g->cuda.module_function(&g->functions[i], g->module, entry),
                           entry, err);
    }
    gm_gpu_pop(g);
    return rc;
}

int gm_gpu_open(const char *id, enum gm_gpu_image image, struct gm_gpu **out, struct gm_err *err)
{
    struct gm_gpu *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return gm_err_nomem(err);
    }
    int rc = find(g, id, err);
    if (rc == 0) {
        rc = gm_cuda_check(&g->cuda, g->cuda.primary_retain(&g->context, g->device),
                           "cuDevicePrimaryCtxRetain", err);
        g->context = rc == 0 ? g->context : NULL;
    }
    if (rc == 0) {
        rc = load(g, image, err);
    }
    if (rc < 0) {
        gm_gpu_close(&g);
        return rc;
    }
    *out = g;
    return 0;
}

void gm_gpu_close(struct gm_gpu **gpu)
{
    struct gm_gpu *g = *gpu;
    if (g == NULL) {
        return;
    }
    if (g->context != NULL) {
        if (g->module != NULL && gm_gpu_push(g, NULL) == 0) {
            (void)g->cuda.module_unload(g->module); /* of a lost device: nothing left to free */
            gm_gpu_pop(g);
        }
        (void)g->cuda.primary_release(g->device);
    }
    gm_cuda_close(&g->cuda);
    free(g);
    *gpu = NULL;
}

const struct gm_gpu_facts *gm_gpu_facts(const struct gm_gpu *gpu)
{
    return &gpu->facts;
}
