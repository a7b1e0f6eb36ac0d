/* libcuda.so.1 of the fake drivers: start, devices, errors. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda.h"

EXPORT tcuInit cuInit;
EXPORT CUresult cuDriverGetVersion(int *version);
EXPORT tcuDeviceGetCount cuDeviceGetCount;
EXPORT tcuDeviceGet cuDeviceGet;
EXPORT tcuDeviceGetAttribute cuDeviceGetAttribute;
EXPORT tcuDeviceGetName cuDeviceGetName;
EXPORT tcuDeviceGetUuid cuDeviceGetUuid;
EXPORT tcuDeviceGetUuid cuDeviceGetUuid_v2;
EXPORT tcuDeviceComputeCapability cuDeviceComputeCapability;
EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device);
EXPORT CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *address);
EXPORT CUresult cuDeviceGetPCIBusId(char *address, int length, CUdevice device);
EXPORT tcuGetErrorName cuGetErrorName;
EXPORT tcuGetErrorString cuGetErrorString;
EXPORT CUresult cuGetProcAddress(const char *name, void **out, int version, uint64_t flags);

/* The devices as this process sees them, fixed by cuInit as in the real driver. */
static struct {
    bool done;
    int count;
    char pci[FAKE_MAX_GPUS][16];
} driver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
enum fake_action fake_cuda_fault(enum fake_point point, const char *pci, int64_t number)
{
    return fake_fault_at(point, pci, number);
}

const struct fake_profile *fake_cuda_profile(void)
{
    return fake_profile_get();
}

int fake_cuda_slot_take(const char *pci)
{
    return fake_slot_take(pci);
}

void fake_cuda_slot_release(int slot)
{
    fake_slot_release(slot);
}

const struct fake_gpu *fake_cuda_gpu(const struct CUctx_st *context)
{
    const struct fake_profile *profile = fake_profile_get();
    int gpu = context == NULL ? -1 : fake_gpu_find(profile, context->pci);
    return gpu < 0 ? NULL : &profile->gpus[gpu];
}

CUresult fake_cuda_result(enum fake_action action)
{
    switch (action) {
    case FAKE_OK:
    case FAKE_WRONG:
    case FAKE_CORRUPT:
        return CUDA_SUCCESS;
    case FAKE_OOM:
        return FAKE_CU_OUT_OF_MEMORY;
    case FAKE_NO_DEVICE:
        return FAKE_CU_NO_DEVICE;
    case FAKE_UNSUPPORTED:
        return FAKE_CU_NOT_SUPPORTED;
    case FAKE_MISMATCH:
        return FAKE_CU_MISMATCH;
    case FAKE_INVALID:
        return FAKE_CU_INVALID_VALUE;
    default:
        return CUDA_ERROR_UNKNOWN;
    }
}

static void print_uuid(const struct fake_gpu *gpu, char out[48])
{
    int used = snprintf(out, 48, "GPU-");
    for (int i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        used += snprintf(out + used, (size_t)(48 - used), "%s%02x", dash, gpu->uuid[i]);
    }
}

static int by_address(const void *a, const void *b)
{
    return strcmp((*(const struct fake_gpu *const *)a)->pci,
                  (*(const struct fake_gpu *const *)b)->pci);
}

/* CUDA_DEVICE_ORDER and CUDA_VISIBLE_DEVICES as the driver reads them: the list ends at the first
 * entry that names nothing. */
static void list_devices(const struct fake_profile *profile)
{
    const struct fake_gpu *gpus[FAKE_MAX_GPUS];
    const char *order = getenv("CUDA_DEVICE_ORDER");
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int count = 0;
    for (int i = 0; i < profile->gpu_count; i++) {
        if (!fake_is_lost(profile->gpus[i].pci)) {
            gpus[count++] = &profile->gpus[i];
        }
    }
    if (order != NULL && strcmp(order, "PCI_BUS_ID") == 0) {
        qsort(gpus, (size_t)count, sizeof(gpus[0]), by_address);
    }
    driver.count = 0;
    if (visible == NULL) {
        for (int i = 0; i < count; i++) {
            memcpy(driver.pci[driver.count++], gpus[i]->pci, 16);
        }
        return;
    }
    char list[1024];
    char *rest = NULL;
    snprintf(list, sizeof(list), "%s", visible);
    for (char *p = strtok_r(list, ",", &rest); p != NULL && driver.count < FAKE_MAX_GPUS;
         p = strtok_r(NULL, ",", &rest)) {
        int found = -1;
        for (int i = 0; i < count; i++) {
            char uuid[48], number[12];
            print_uuid(gpus[i], uuid);
            snprintf(number, sizeof(number), "%d", i);
            if (strcmp(p, number) == 0 ||
                (strncmp(p, "GPU-", 4) == 0 && strncmp(uuid, p, strlen(p)) == 0)) {
                found = i;
            }
        }
        if (found < 0) {
            return;
        }
        memcpy(driver.pci[driver.count++], gpus[found]->pci, 16);
    }
}

CUresult cuInit(unsigned flags)
{
    if (flags != 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    enum fake_action fault = fake_fault_at(FAKE_CUDA_INIT, NULL, 0);
    CUresult rc = fault == FAKE_UNSUPPORTED ? FAKE_CU_STUB : fake_cuda_result(fault);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    pthread_mutex_lock(&lock);
    if (!driver.done) {
        list_devices(fake_profile_get());
        rc = driver.count == 0 ? FAKE_CU_NO_DEVICE : fake_cuda_start();
        driver.done = rc == CUDA_SUCCESS;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUresult cuDriverGetVersion(int *version)
{
    if (version == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    *version = fake_profile_get()->cuda_version;
    return CUDA_SUCCESS;
}

int fake_cuda_device_count(void)
{
    return driver.done ? driver.count : -1;
}

CUresult fake_cuda_device(CUdevice device, const struct fake_gpu **out)
{
    if (!driver.done) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    if (device < 0 || device >= driver.count) {
        return FAKE_CU_INVALID_DEVICE;
    }
    const struct fake_profile *profile = fake_profile_get();
    int gpu = fake_gpu_find(profile, driver.pci[device]);
    if (gpu < 0) {
        return CUDA_ERROR_UNKNOWN;
    }
    *out = &profile->gpus[gpu];
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
    if (!driver.done) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    *count = driver.count;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(ordinal, &gpu);
    if (rc == CUDA_SUCCESS) {
        *device = ordinal;
    }
    return rc;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    const struct {
        int attribute, value;
    } known[] = {
        {1, 1024}, /* MAX_THREADS_PER_BLOCK */
        {2, 1024},
        {3, 1024},
        {4, 64}, /* MAX_BLOCK_DIM_X, Y, Z */
        {5, 2147483647},
        {6, 65535},
        {7, 65535},  /* MAX_GRID_DIM_X, Y, Z */
        {8, 49152},  /* MAX_SHARED_MEMORY_PER_BLOCK */
        {10, 32},    /* WARP_SIZE */
        {12, 65536}, /* MAX_REGISTERS_PER_BLOCK */
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1000000},
        {CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, 512},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, gpu->multiprocessors},
        {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 0},
        {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
        {CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, (int)gpu->bus},
        {CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, (int)gpu->device},
        {CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, (int)gpu->domain},
        {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 1000000},
        {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 256},
        {38, 4 << 20}, /* L2_CACHE_SIZE */
        {39, 2048},    /* MAX_THREADS_PER_MULTIPROCESSOR */
        {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 2},
        {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
        {CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT, 32},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, gpu->major},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, gpu->minor},
        {81, 65536}, /* MAX_SHARED_MEMORY_PER_MULTIPROCESSOR */
        {97, 65536}, /* MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
    };
    if (attribute < 1 || attribute > 200) {
        return FAKE_CU_INVALID_VALUE;
    }
    *value = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].attribute == (int)attribute) {
            *value = known[i].value;
        }
    }
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        snprintf(name, (size_t)length, "%s", gpu->name);
    }
    return rc;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        memcpy(uuid->bytes, gpu->uuid, 16);
    }
    return rc;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    return cuDeviceGetUuid(uuid, device);
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        *major = gpu->major;
        *minor = gpu->minor;
    }
    return rc;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        *bytes = gpu->memory_bytes;
    }
    return rc;
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *address)
{
    unsigned domain = 0, bus = 0, slot = 0;
    if (!driver.done) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    if (address == NULL || sscanf(address, "%x:%x:%x", &domain, &bus, &slot) != 3) {
        return FAKE_CU_INVALID_VALUE;
    }
    for (int i = 0; i < driver.count; i++) {
        const struct fake_gpu *gpu;
        if (fake_cuda_device(i, &gpu) == CUDA_SUCCESS && gpu->domain == domain && gpu->bus == bus &&
            gpu->device == slot) {
            *device = i;
            return CUDA_SUCCESS;
        }
    }
    return FAKE_CU_INVALID_DEVICE;
}

CUresult cuDeviceGetPCIBusId(char *address, int length, CUdevice device)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        if (length < 13) {
            return FAKE_CU_INVALID_VALUE;
        }
        snprintf(address, (size_t)length, "%s", gpu->pci);
    }
    return rc;
}

static const struct {
    CUresult code;
    const char *name, *text;
} ERRORS[] = {{CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
              {FAKE_CU_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
              {FAKE_CU_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
              {FAKE_CU_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
              {FAKE_CU_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
              {FAKE_CU_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
              {FAKE_CU_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
              {FAKE_CU_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
              {FAKE_CU_NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU",
               "no kernel image is available for execution on the device"},
              {FAKE_CU_UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
               "the provided PTX was compiled with an unsupported toolchain."},
              {FAKE_CU_OPERATING_SYSTEM, "CUDA_ERROR_OPERATING_SYSTEM",
               "OS call failed or operation not supported on this OS"},
              {FAKE_CU_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
              {FAKE_CU_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
              {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
              {FAKE_CU_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
               "an illegal memory access was encountered"},
              {FAKE_CU_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
              {FAKE_CU_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
              {FAKE_CU_STUB, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
              {FAKE_CU_MISMATCH, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
               "system has unsupported display driver / cuda driver combination"},
              {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"}};

static int find_error(CUresult error)
{
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        if (ERRORS[i].code == error) {
            return (int)i;
        }
    }
    return -1;
}

CUresult cuGetErrorName(CUresult error, const char **out)
{
    int i = find_error(error);
    *out = i < 0 ? NULL : ERRORS[i].name;
    return i < 0 ? FAKE_CU_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char **out)
{
    int i = find_error(error);
    *out = i < 0 ? NULL : ERRORS[i].text;
    return i < 0 ? FAKE_CU_INVALID_VALUE : CUDA_SUCCESS;
}

/* The newest version of a name, as the driver gives it. */
CUresult cuGetProcAddress(const char *name, void **out, int version, uint64_t flags)
{
    (void)version;
    (void)flags;
    void *self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    char newer[128];
    snprintf(newer, sizeof(newer), "%s_v2", name);
    void *found = self == NULL ? NULL : dlsym(self, newer);
    if (found == NULL && self != NULL) {
        found = dlsym(self, name);
    }
    if (self != NULL) {
        dlclose(self);
    }
    *out = found;
    return found == NULL ? FAKE_CU_NOT_FOUND : CUDA_SUCCESS;
}
