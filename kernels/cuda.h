#ifndef GM_KERNELS_CUDA_H
#define GM_KERNELS_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* libcuda.so.1, opened at run time. Own prototypes of the few functions used: all are in drivers of
 * CUDA 11 and later; handles are pointers, CUresult and CUdevice ints, CUdeviceptr 64 bits.
 * Source: https://docs.nvidia.com/cuda/cuda-driver-api/ */
#define GM_CUDA_BLOCKING_SYNC 4u /* CU_CTX_SCHED_BLOCKING_SYNC: who waits sleeps */
#define GM_CUDA_NON_BLOCKING 1u  /* CU_STREAM_NON_BLOCKING: not held up by the default stream */
#define GM_CUDA_EVENT 3u /* CU_EVENT_BLOCKING_SYNC: who waits sleeps; CU_EVENT_DISABLE_TIMING */
enum { GM_CUDA_HOST = 1, GM_CUDA_DEVICE = 2 }; /* CUmemorytype */
struct gm_cuda_copy_2d {                       /* CUDA_MEMCPY2D */
    size_t src_x_bytes, src_y;
    int src_type;
    const void *src_host;
    uint64_t src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x_bytes, dst_y;
    int dst_type;
    void *dst_host;
    uint64_t dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width_bytes, height;
};

/* GM_CUDA_FN(member, symbol, parameters) */
#define GM_CUDA_FUNCTIONS                                                                          \
    GM_CUDA_FN(init, cuInit, (unsigned))                                                           \
    GM_CUDA_FN(driver_version, cuDriverGetVersion, (int *))                                        \
    GM_CUDA_FN(error_name, cuGetErrorName, (int, const char **))                                   \
    GM_CUDA_FN(device_count, cuDeviceGetCount, (int *))                                            \
    GM_CUDA_FN(device_get, cuDeviceGet, (int *, int))                                              \
    GM_CUDA_FN(device_name, cuDeviceGetName, (char *, int, int))                                   \
    GM_CUDA_FN(device_uuid, cuDeviceGetUuid, (uint8_t *, int))                                     \
    GM_CUDA_FN(device_pci, cuDeviceGetPCIBusId, (char *, int, int))                                \
    GM_CUDA_FN(device_memory, cuDeviceTotalMem_v2, (size_t *, int))                                \
    GM_CUDA_FN(device_attribute, cuDeviceGetAttribute, (int *, int, int))                          \
    GM_CUDA_FN(primary_flags, cuDevicePrimaryCtxSetFlags_v2, (int, unsigned))                      \
    GM_CUDA_FN(primary_retain, cuDevicePrimaryCtxRetain, (void **, int))                           \
    GM_CUDA_FN(primary_release, cuDevicePrimaryCtxRelease_v2, (int))                               \
    GM_CUDA_FN(push, cuCtxPushCurrent_v2, (void *))                                                \
    GM_CUDA_FN(pop, cuCtxPopCurrent_v2, (void **))                                                 \
    GM_CUDA_FN(context_sync, cuCtxSynchronize, (void))                                             \
    GM_CUDA_FN(module_load, cuModuleLoadData, (void **, const void *))                             \
    GM_CUDA_FN(module_unload, cuModuleUnload, (void *))                                            \
    GM_CUDA_FN(module_function, cuModuleGetFunction, (void **, void *, const char *))              \
    GM_CUDA_FN(alloc, cuMemAlloc_v2, (uint64_t *, size_t))                                         \
    GM_CUDA_FN(release, cuMemFree_v2, (uint64_t))                                                  \
    GM_CUDA_FN(host_alloc, cuMemHostAlloc, (void **, size_t, unsigned))                            \
    GM_CUDA_FN(host_release, cuMemFreeHost, (void *))                                              \
    GM_CUDA_FN(memory_info, cuMemGetInfo_v2, (size_t *, size_t *))                                 \
    GM_CUDA_FN(upload, cuMemcpyHtoDAsync_v2, (uint64_t, const void *, size_t, void *))             \
    GM_CUDA_FN(download, cuMemcpyDtoHAsync_v2, (void *, uint64_t, size_t, void *))                 \
    GM_CUDA_FN(copy_2d, cuMemcpy2DAsync_v2, (const struct gm_cuda_copy_2d *, void *))              \
    GM_CUDA_FN(stream_create, cuStreamCreate, (void **, unsigned))                                 \
    GM_CUDA_FN(stream_destroy, cuStreamDestroy_v2, (void *))                                       \
    GM_CUDA_FN(stream_sync, cuStreamSynchronize, (void *))                                         \
    GM_CUDA_FN(event_create, cuEventCreate, (void **, unsigned))                                   \
    GM_CUDA_FN(event_destroy, cuEventDestroy_v2, (void *))                                         \
    GM_CUDA_FN(event_record, cuEventRecord, (void *, void *))                                      \
    GM_CUDA_FN(event_sync, cuEventSynchronize, (void *))                                           \
    GM_CUDA_FN(launch, cuLaunchKernel,                                                             \
               (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,      \
                void *, void **, void **))

struct gm_cuda {
    void *library;
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define GM_CUDA_FN(member, symbol, parameters) int(*member) parameters;
    GM_CUDA_FUNCTIONS
#undef GM_CUDA_FN
};

/* Opens the library and finds every function; *out untouched on failure. Thread: any.
 * Errors: DEVICE_ABSENT (no library), DEVICE_DRIVER (it lacks a function). */
int gm_cuda_open(struct gm_cuda *out, struct gm_err *err) GM_MUST_CHECK;
void gm_cuda_close(struct gm_cuda *cuda);

#define GM_CUDA_PCI_SIZE 32
#define GM_CUDA_UUID_SIZE 48
/* The device's PCI address, "0000:3b:00.0", and its UUID, "GPU-" and 32 digits in groups, in lower
 * case. Errors: of the driver. */
int gm_cuda_device_names(const struct gm_cuda *cuda, int device, char pci[GM_CUDA_PCI_SIZE],
                         char uuid[GM_CUDA_UUID_SIZE], struct gm_err *err) GM_MUST_CHECK;
/* Whether a device of these names is meant by id: its UUID, or its address, whose domain may be
 * left out where it is 0; of any case. Pure. */
bool gm_cuda_is_named(const char *pci, const char *uuid, const char *id);

/* What a CUresult means for a task. 0 gives GM_OK. Pure. */
enum gm_code gm_cuda_code(int result);
/* 0, or the error of `result` from the function of that name, native = result. cuda: NULL is fine.
 */
int gm_cuda_check(const struct gm_cuda *cuda, int result, const char *function,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
