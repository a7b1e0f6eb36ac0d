/* libnvidia-ml.so.1 of the fake drivers: what a detector and a monitor ask. There is no header of
 * NVML in Debian: the prototypes and layouts here are those of its public reference manual.
 *
 * GPUs are numbered by PCI address, as NVML does; CUDA's order is another (fake_cuda.c).
 *
 * Source: NVML API reference guide, https://docs.nvidia.com/deploy/nvml-api/ */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

enum nvml_return {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ERROR_MEMORY = 20,
    NVML_ERROR_UNKNOWN = 999
};

typedef int nvmlReturn_t;
typedef struct fake_handle *nvmlDevice_t;

struct fake_handle {
    char pci[16];
};

typedef struct {
    char busIdLegacy[16];
    unsigned domain, bus, device;
    unsigned pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

typedef struct {
    unsigned long long total, free, used;
} nvmlMemory_t;

typedef struct {
    unsigned gpu, memory;
} nvmlUtilization_t;

#define EXPORT __attribute__((visibility("default")))

static int users; /* nvmlInit counts; __atomic */
static struct fake_handle handles[FAKE_MAX_GPUS];

static int by_address(const void *a, const void *b)
{
    return strcmp((*(const struct fake_gpu *const *)a)->pci,
                  (*(const struct fake_gpu *const *)b)->pci);
}

static int sorted(const struct fake_gpu *out[FAKE_MAX_GPUS])
{
    const struct fake_profile *profile = fake_profile_get();
    for (int i = 0; i < profile->gpu_count; i++) {
        out[i] = &profile->gpus[i];
    }
    qsort(out, (size_t)profile->gpu_count, sizeof(out[0]), by_address);
    return profile->gpu_count;
}

/* The GPU of a handle; *rc says why there is none. */
static const struct fake_gpu *gpu_of(nvmlDevice_t device, nvmlReturn_t *rc)
{
    const struct fake_profile *profile = fake_profile_get();
    int gpu = device == NULL ? -1 : fake_gpu_find(profile, device->pci);
    *rc = NVML_SUCCESS;
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0) {
        *rc = NVML_ERROR_UNINITIALIZED;
    } else if (device == NULL) {
        *rc = NVML_ERROR_INVALID_ARGUMENT;
    } else if (gpu < 0 || fake_is_lost(device->pci)) {
        *rc = NVML_ERROR_GPU_IS_LOST;
    }
    return *rc == NVML_SUCCESS ? &profile->gpus[gpu] : NULL;
}

static nvmlReturn_t put_text(char *out, unsigned size, const char *text)
{
    if (out == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    if (strlen(text) >= size) {
        return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    memcpy(out, text, strlen(text) + 1);
    return NVML_SUCCESS;
}

static nvmlReturn_t put_number(nvmlDevice_t device, unsigned *out, unsigned value)
{
    nvmlReturn_t rc;
    if (gpu_of(device, &rc) == NULL) {
        return rc;
    }
    if (out == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    *out = value;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlInit_v2(void);
EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags);
EXPORT nvmlReturn_t nvmlShutdown(void);
EXPORT const char *nvmlErrorString(nvmlReturn_t result);
EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length);
EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length);
EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version);
EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version);
EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count);
EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *address, nvmlDevice_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length);
EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length);
EXPORT nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned length);
EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index);
EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor);
EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *out);
EXPORT nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *use,
                                                    unsigned *period);
EXPORT nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *use,
                                                    unsigned *period);
EXPORT nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned *sessions,
                                              unsigned *fps, unsigned *latency);
EXPORT nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, int type, unsigned *percent);
EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *celsius);
EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts);
EXPORT nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts);
EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned *milliwatts);
EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor);
EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending);
EXPORT nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, int *mode);
EXPORT nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, int *mode);

nvmlReturn_t nvmlInit_v2(void)
{
    switch (fake_fault_at(FAKE_NVML_INIT, NULL, 0)) {
    case FAKE_OK:
        break;
    case FAKE_NO_DEVICE:
        return NVML_ERROR_DRIVER_NOT_LOADED;
    case FAKE_MISMATCH:
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    case FAKE_UNSUPPORTED:
        return NVML_ERROR_NO_PERMISSION;
    case FAKE_OOM:
        return NVML_ERROR_MEMORY;
    default:
        return NVML_ERROR_UNKNOWN;
    }
    if (fake_profile_get()->gpu_count == 0) {
        return NVML_ERROR_DRIVER_NOT_LOADED;
    }
    __atomic_add_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    return nvmlInit_v2();
}

nvmlReturn_t nvmlShutdown(void)
{
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0) {
        return NVML_ERROR_UNINITIALIZED;
    }
    __atomic_sub_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return NVML_SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t result)
{
    static const struct {
        int code;
        const char *text;
    } TEXTS[] = {{NVML_SUCCESS, "Success"},
                 {NVML_ERROR_UNINITIALIZED, "Uninitialized"},
                 {NVML_ERROR_INVALID_ARGUMENT, "Invalid Argument"},
                 {NVML_ERROR_NOT_SUPPORTED, "Not Supported"},
                 {NVML_ERROR_NO_PERMISSION, "Insufficient Permissions"},
                 {NVML_ERROR_NOT_FOUND, "Not Found"},
                 {NVML_ERROR_INSUFFICIENT_SIZE, "Insufficient Size"},
                 {NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"},
                 {NVML_ERROR_GPU_IS_LOST, "GPU is lost"},
                 {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"},
                 {NVML_ERROR_MEMORY, "Insufficient Memory"}};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (TEXTS[i].code == result) {
            return TEXTS[i].text;
        }
    }
    return "Unknown Error";
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    return put_text(version, length, fake_profile_get()->driver);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length)
{
    return put_text(version, length, "12-fake");
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    if (version == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    *version = fake_profile_get()->cuda_version;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return nvmlSystemGetCudaDriverVersion(version);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count)
{
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0) {
        return NVML_ERROR_UNINITIALIZED;
    }
    if (count == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    *count = (unsigned)fake_profile_get()->gpu_count;
    return NVML_SUCCESS;
}

static nvmlReturn_t hand_out(int index, const struct fake_gpu *gpu, nvmlDevice_t *out)
{
    if (out == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    if (fake_is_lost(gpu->pci)) {
        return NVML_ERROR_GPU_IS_LOST;
    }
    memcpy(handles[index].pci, gpu->pci, sizeof(gpu->pci));
    *out = &handles[index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *out)
{
    const struct fake_gpu *gpus[FAKE_MAX_GPUS];
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0) {
        return NVML_ERROR_UNINITIALIZED;
    }
    int count = sorted(gpus);
    if (index >= (unsigned)count) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    return hand_out((int)index, gpus[index], out);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *address, nvmlDevice_t *out)
{
    const struct fake_gpu *gpus[FAKE_MAX_GPUS];
    unsigned domain = 0, bus = 0, device = 0;
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0) {
        return NVML_ERROR_UNINITIALIZED;
    }
    if (address == NULL || sscanf(address, "%x:%x:%x", &domain, &bus, &device) != 3) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    int count = sorted(gpus);
    for (int i = 0; i < count; i++) {
        if (gpus[i]->domain == domain && gpus[i]->bus == bus && gpus[i]->device == device) {
            return hand_out(i, gpus[i], out);
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

static void print_uuid(const struct fake_gpu *gpu, char out[48])
{
    const uint8_t *u = gpu->uuid;
    snprintf(out, 48, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *out)
{
    const struct fake_gpu *gpus[FAKE_MAX_GPUS];
    if (uuid == NULL) {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    int count = sorted(gpus);
    for (int i = 0; i < count; i++) {
        char own[48];
        print_uuid(gpus[i], own);
        if (strcmp(own, uuid) == 0) {
            return hand_out(i, gpus[i], out);
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    return gpu == NULL ? rc : put_text(name, length, gpu->name);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length)
{
    nvmlReturn_t rc;
    char own[48];
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL) {
        return rc;
    }
    print_uuid(gpu, own);
    return put_text(uuid, length, own);
}

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned length)
{
    nvmlReturn_t rc;
    (void)serial;
    (void)length;
    return gpu_of(device, &rc) == NULL ? rc : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *out)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || out == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *out = (nvmlPciInfo_t){.domain = gpu->domain,
                           .bus = gpu->bus,
                           .device = gpu->device,
                           .pciDeviceId = 0xfa4e10deu, /* device fa4e of vendor 10de: no real one */
                           .pciSubSystemId = 0xfa4e10deu};
    snprintf(out->busId, sizeof(out->busId), "%08X:%02X:%02X.0", gpu->domain & 0xffff,
             gpu->bus & 0xff, gpu->device & 0xff);
    snprintf(out->busIdLegacy, sizeof(out->busIdLegacy), "%04X:%02X:%02X.0", gpu->domain & 0xffff,
             gpu->bus & 0xff, gpu->device & 0xff);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index)
{
    return put_number(device, index, (unsigned)(device - handles));
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor)
{
    return put_number(device, minor, (unsigned)(device - handles));
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *out)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || out == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *out = (nvmlMemory_t){.total = gpu->memory_bytes, .free = gpu->memory_bytes};
    return NVML_SUCCESS;
}

/* A busy engine for each open session, as far as there are engines. */
static unsigned encoder_use(const struct fake_gpu *gpu)
{
    int sessions = fake_slot_count(gpu->pci);
    int engines = gpu->encode.engines;
    return engines == 0 ? 0 : (unsigned)((sessions < engines ? sessions : engines) * 100 / engines);
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *out)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || out == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *out = (nvmlUtilization_t){.gpu = encoder_use(gpu)};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *use, unsigned *period)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || use == NULL || period == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *use = encoder_use(gpu);
    *period = 167000;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *use, unsigned *period)
{
    nvmlReturn_t rc;
    if (gpu_of(device, &rc) == NULL || use == NULL || period == NULL) {
        return rc != NVML_SUCCESS ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *use = 0;
    *period = 167000;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned *sessions, unsigned *fps,
                                       unsigned *latency)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || sessions == NULL || fps == NULL || latency == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *sessions = (unsigned)fake_slot_count(gpu->pci);
    *fps = 0;
    *latency = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, int type, unsigned *percent)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    (void)type;
    if (gpu == NULL || percent == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    if (gpu->encode.engines == 0) {
        return NVML_ERROR_NOT_SUPPORTED;
    }
    *percent = 100 - encoder_use(gpu);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *celsius)
{
    return sensor != 0 ? NVML_ERROR_INVALID_ARGUMENT : put_number(device, celsius, 40);
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts)
{
    return put_number(device, milliwatts, 30000);
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    return put_number(device, milliwatts, 72000);
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    return put_number(device, milliwatts, 72000);
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    nvmlReturn_t rc;
    const struct fake_gpu *gpu = gpu_of(device, &rc);
    if (gpu == NULL || major == NULL || minor == NULL) {
        return gpu == NULL ? rc : NVML_ERROR_INVALID_ARGUMENT;
    }
    *major = gpu->major;
    *minor = gpu->minor;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
    nvmlReturn_t rc;
    (void)current;
    (void)pending;
    return gpu_of(device, &rc) == NULL ? rc : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, int *mode)
{
    return put_number(device, (unsigned *)mode, 0);
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, int *mode)
{
    return put_number(device, (unsigned *)mode, 1);
}
