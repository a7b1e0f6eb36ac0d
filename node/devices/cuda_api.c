/* libcuda.so.1 at run time. Prototypes as the CUDA driver API documents them: CUresult and CUdevice
 * are ints. See: https://docs.nvidia.com/cuda/cuda-driver-api/ */
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "node/devices/probe.h"

const char *gm_cuda_load(struct gm_cuda_api *api, bool *out_missing)
{
    memset(api, 0, sizeof(*api));
    *out_missing = false;
    void *library = gm_probe_load("libcuda.so.1");
    if (library == NULL) {
        *out_missing = true;
        return "libcuda.so.1 is missing";
    }
    const struct gm_probe_symbol rows[] = {
        {&api->init, "cuInit", false},
        {&api->driver_version, "cuDriverGetVersion", true},
        {&api->device_count, "cuDeviceGetCount", false},
        {&api->device_get, "cuDeviceGet", false},
        {&api->device_name, "cuDeviceGetName", false},
        {&api->device_pci, "cuDeviceGetPCIBusId", false},
        {&api->device_memory, "cuDeviceTotalMem_v2", true},
        {&api->device_attribute, "cuDeviceGetAttribute", false},
        {&api->device_uuid, "cuDeviceGetUuid", true},
        {&api->context_create, "cuCtxCreate_v2", false},
        {&api->context_destroy, "cuCtxDestroy_v2", false},
        {&api->error_name, "cuGetErrorName", true},
    };
    if (!gm_probe_symbols(library, rows, sizeof(rows) / sizeof(rows[0]))) {
        return "libcuda.so.1 lacks functions of CUDA 4.1";
    }
    return NULL;
}

const char *gm_cuda_error(const struct gm_cuda_api *api, int code)
{
    const char *name = NULL;
    if (api->error_name != NULL && api->error_name(code, &name) == 0 && name != NULL) {
        return name;
    }
    return "an unknown error";
}

int gm_cuda_find(const struct gm_cuda_api *api, const char *pci, int *out_code)
{
    int count = 0;
    *out_code = api->init(0);
    if (*out_code == 0) {
        *out_code = api->device_count(&count);
    }
    for (int i = 0; *out_code == 0 && i < count; i++) {
        int device = -1;
        char text[64] = "";
        char id[16];
        if (api->device_get(&device, i) == 0 &&
            api->device_pci(text, (int)sizeof(text) - 1, device) == 0 &&
            gm_pci_normalize(text, id) && strcmp(id, pci) == 0) {
            return device;
        }
    }
    return -1;
}

int gm_cuda_enter(const struct gm_cuda_api *api, const char *pci, void **out)
{
    int code = 0;
    int device = gm_cuda_find(api, pci, &code);
    if (device < 0) {
        return code == 0 ? GM_CUDA_NO_DEVICE : code;
    }
    return api->context_create(out, 0, device);
}

bool gm_probe_is_nvidia(const char *api)
{
    return strcmp(api, "nvenc") == 0 || strcmp(api, "nvdec") == 0 ||
           strcmp(api, GM_CUDA_LADDER_API) == 0;
}

int gm_probe_av_name(const char *api, const char *pci, const char *node, char number[16],
                     const char **out_name, struct gm_err *err)
{
    if (!gm_probe_is_nvidia(api)) {
        *out_name = node;
        return 0;
    }
    struct gm_cuda_api cuda;
    bool missing = false;
    int code = 0;
    const char *wrong = gm_cuda_load(&cuda, &missing);
    int device = wrong == NULL ? gm_cuda_find(&cuda, pci, &code) : -1;
    if (device < 0) {
        return gm_err_set(err, GM_E_DEVICE_ABSENT, code, "CUDA has no GPU %.32s: %s", pci,
                          wrong != NULL ? wrong
                          : code != 0   ? gm_cuda_error(&cuda, code)
                                        : "it is not in its list");
    }
    (void)snprintf(number, 16, "%d", device);
    *out_name = number;
    return 0;
}
