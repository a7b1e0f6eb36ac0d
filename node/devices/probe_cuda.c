#include <stdio.h>
#include <string.h>

#include "node/devices/probe.h"

/* CUdevice_attribute */
#define COMPUTE_MAJOR 75
#define COMPUTE_MINOR 76
#define INIT_SYSTEM_DRIVER 803 /* CUDA_ERROR_SYSTEM_DRIVER_MISMATCH */
#define INIT_SYSTEM_NOT_READY 802

static const char *init_remedy(int code)
{
    switch (code) {
    case GM_CUDA_NO_DEVICE:
        return "give the container its GPUs (--gpus all) or look whether the kernel driver is "
               "loaded (nvidia-smi)";
    case INIT_SYSTEM_DRIVER:
        return "kernel module and libraries are of different versions: restart the machine after a "
               "driver update";
    case INIT_SYSTEM_NOT_READY:
        return "start nvidia-fabricmanager of the same version as the driver";
    case GM_CUDA_STUB:
        return "libcuda.so.1 is the one of CUDA's toolkit to link against: take its folder `stubs` "
               "out of LD_LIBRARY_PATH and install NVIDIA's driver";
    default:
        return "look in the kernel log for NVRM and Xid lines";
    }
}

static void add_uuid(const struct gm_cuda_api *api, int device, struct gm_device *d)
{
    unsigned char u[16] = {0};
    if (api->device_uuid == NULL || api->device_uuid(u, device) != 0) {
        return;
    }
    (void)snprintf(d->uuid, sizeof(d->uuid),
                   "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
                   u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
                   u[14], u[15]);
}

/* 12040 is 12.4. */
static void add_driver(const struct gm_cuda_api *api, struct gm_device *d)
{
    int version = 0;
    if (api->driver_version != NULL && api->driver_version(&version) == 0 && version > 0 &&
        version < 1000000) {
        char feature[40];
        (void)snprintf(feature, sizeof(feature), GM_FEATURE_CUDA_DRIVER "%d.%d", version / 1000,
                       version % 1000 / 10);
        (void)gm_device_add_feature(d, feature);
    }
}

static int add_device(const struct gm_cuda_api *api, int device, struct gm_device_list *out,
                      struct gm_err *err)
{
    char text[128] = "";
    char id[16];
    int major = 0, minor = 0;
    size_t memory = 0;
    struct gm_device *d = NULL;
    if (api->device_pci(text, 64, device) != 0 || !gm_pci_normalize(text, id)) {
        (void)gm_device_add_note(out, NULL, GM_NOTE_WARN,
                                 "CUDA: a GPU does not tell its PCI address and is left out");
        return 0;
    }
    int rc = gm_device_get(out, id, GM_DEVICE_NVIDIA, &d, err);
    if (rc < 0) {
        return rc;
    }
    gm_device_set(d->vendor, "NVIDIA");
    memset(text, 0, sizeof(text));
    if (api->device_name(text, (int)sizeof(text) - 1, device) == 0) {
        gm_device_set(d->name, text);
    }
    if (api->device_memory != NULL && api->device_memory(&memory, device) == 0) {
        d->memory_bytes = memory;
    }
    if (api->device_attribute(&major, COMPUTE_MAJOR, device) == 0 &&
        api->device_attribute(&minor, COMPUTE_MINOR, device) == 0 && major > 0 && major < 100 &&
        minor >= 0 && minor < 100) {
        char feature[24];
        (void)snprintf(feature, sizeof(feature), GM_FEATURE_CUDA "%d.%d", major, minor);
        (void)gm_device_add_feature(d, feature);
    }
    add_driver(api, d);
    add_uuid(api, device, d);
    return 0;
}

int gm_probe_cuda(const struct gm_probe_params *params, struct gm_device_list *out,
                  struct gm_err *err)
{
    struct gm_cuda_api api;
    bool missing = false;
    const char *wrong = gm_cuda_load(&api, &missing);
    if (wrong != NULL) {
        if (!missing || params->expected) {
            (void)gm_device_add_note(out, NULL, GM_NOTE_WARN,
                                     "CUDA: %s: install NVIDIA's driver, or start the container "
                                     "with the driver capabilities `compute,utility,video`",
                                     wrong);
        }
        return 0;
    }
    int count = 0;
    int code = api.init(0);
    code = code == 0 ? api.device_count(&count) : code;
    if (code != 0) {
        bool broken = code != GM_CUDA_NO_DEVICE && code != GM_CUDA_STUB; /* else it is absent */
        if (broken || params->expected) {
            (void)gm_device_add_note(out, NULL, broken ? GM_NOTE_ERROR : GM_NOTE_WARN,
                                     "CUDA does not start: %s (%d): %s", gm_cuda_error(&api, code),
                                     code, init_remedy(code));
        }
        return 0;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < count && i < GM_DEVICES_MAX; i++) {
        int device = -1;
        if (api.device_get(&device, i) == 0) {
            rc = add_device(&api, device, out, err);
        }
    }
    return rc;
}
