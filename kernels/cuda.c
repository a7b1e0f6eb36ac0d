#include "kernels/cuda.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define UUID_BYTES 16

int gm_cuda_open(struct gm_cuda *out, struct gm_err *err)
{
    struct gm_cuda c = {.library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)};
    if (c.library == NULL) {
        const char *why = dlerror();
        return gm_err_set(err, GM_E_DEVICE_ABSENT, 0,
                          "The NVIDIA driver's library was not opened: %s",
                          why != NULL ? why : "no reason given");
    }
    const struct {
        void *to;
        const char *name;
    } rows[] = {
#define GM_CUDA_FN(member, symbol, parameters) {&c.member, #symbol},
        GM_CUDA_FUNCTIONS
#undef GM_CUDA_FN
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *found = dlsym(c.library, rows[i].name);
        if (found == NULL) {
            dlclose(c.library);
            return gm_err_set(err, GM_E_DEVICE_DRIVER, 0,
                              "libcuda.so.1 lacks %s: the driver is older than CUDA 11",
                              rows[i].name);
        }
        memcpy(rows[i].to, &found, sizeof found);
    }
    *out = c;
    return 0;
}

void gm_cuda_close(struct gm_cuda *cuda)
{
    if (cuda->library != NULL) {
        dlclose(cuda->library);
    }
    *cuda = (struct gm_cuda){0};
}

int gm_cuda_device_names(const struct gm_cuda *c, int device, char pci[GM_CUDA_PCI_SIZE],
                         char uuid[GM_CUDA_UUID_SIZE], struct gm_err *err)
{
    uint8_t raw[UUID_BYTES] = {0};
    char address[GM_CUDA_PCI_SIZE] = "";
    int rc = gm_cuda_check(c, c->device_pci(address, GM_CUDA_PCI_SIZE - 1, device),
                           "cuDeviceGetPCIBusId", err);
    if (rc == 0) {
        rc = gm_cuda_check(c, c->device_uuid(raw, device), "cuDeviceGetUuid", err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < sizeof address; i++) {
        char a = address[i];
        pci[i] = a >= 'A' && a <= 'Z' ? (char)(a - 'A' + 'a') : a;
    }
    int at = snprintf(uuid, GM_CUDA_UUID_SIZE, "GPU-");
    for (int i = 0; i < UUID_BYTES; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        at += snprintf(uuid + at, GM_CUDA_UUID_SIZE - (size_t)at, "%s%02x", dash, raw[i]);
    }
    return 0;
}

bool gm_cuda_is_named(const char *pci, const char *uuid, const char *id)
{
    static const char domain[] = "0000:";
    size_t size = sizeof domain - 1;
    return strcasecmp(id, uuid) == 0 || strcasecmp(id, pci) == 0 ||
           (strncmp(pci, domain, size) == 0 && strcasecmp(id, pci + size) == 0);
}

/* Ranges of CUresult, ascending; what lies between is the driver's. Source: cuda.h, enum
 * cudaError_enum. */
static const struct {
    int from, to;
    enum gm_code code;
} MEANINGS[] = {
    {0, 0, GM_OK},
    {1, 1, GM_E_BUG}, /* invalid value */
    {2, 2, GM_E_DEVICE_MEMORY},
    {3, 4, GM_E_DEVICE_LOST},       /* not or no longer initialized */
    {46, 46, GM_E_DEVICE_BUSY},     /* unavailable: exclusive, or prohibited */
    {100, 101, GM_E_DEVICE_ABSENT}, /* none, or not that one */
    {201, 201, GM_E_DEVICE_LOST},   /* invalid context */
    {214, 214, GM_E_DEVICE_LOST},   /* uncorrectable ECC error */
    {216, 216, GM_E_DEVICE_BUSY},   /* context in use by another thread */
    {220, 220, GM_E_DEVICE_LOST},   /* NVLink */
    {226, 226, GM_E_DEVICE_LOST},   /* contained ECC error */
    {400, 400, GM_E_BUG},           /* invalid handle */
    {700, 700, GM_E_DEVICE_LOST},   /* illegal address */
    {702, 702, GM_E_DEVICE_LOST},   /* launch timeout */
    {709, 710, GM_E_DEVICE_LOST},   /* context destroyed; assert */
    {714, 719, GM_E_DEVICE_LOST},   /* hardware stack, instruction, alignment, address, launch */
    {999, 999, GM_E_DEVICE_LOST},   /* unknown: what a fallen-off device says */
};

enum gm_code gm_cuda_code(int result)
{
    for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++) {
        if (result >= MEANINGS[i].from && result <= MEANINGS[i].to) {
            return MEANINGS[i].code;
        }
    }
    return GM_E_DEVICE_DRIVER;
}

int gm_cuda_check(const struct gm_cuda *cuda, int result, const char *function, struct gm_err *err)
{
    if (result == 0) {
        return 0;
    }
    const char *name = NULL;
    if (cuda == NULL || cuda->error_name(result, &name) != 0 || name == NULL) {
        name = "an unknown error";
    }
    return gm_err_set(err, gm_cuda_code(result), result, "%s gave %s (%d)", function, name, result);
}
