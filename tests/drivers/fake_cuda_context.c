/* libcuda.so.1 of the fake drivers: contexts, each thread's stack of them, the devices' primary
 * ones. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda.h"

#define STACK_DEPTH 32

EXPORT tcuCtxCreate_v2 cuCtxCreate_v2;
EXPORT tcuCtxDestroy_v2 cuCtxDestroy_v2;
EXPORT tcuCtxPushCurrent_v2 cuCtxPushCurrent_v2;
EXPORT tcuCtxPopCurrent_v2 cuCtxPopCurrent_v2;
EXPORT CUresult cuCtxSetCurrent(CUcontext context);
EXPORT CUresult cuCtxSynchronize(void);
EXPORT tcuCtxGetDevice cuCtxGetDevice;
EXPORT CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version);
EXPORT tcuCtxSetLimit cuCtxSetLimit;
EXPORT tcuDevicePrimaryCtxRetain cuDevicePrimaryCtxRetain;
EXPORT tcuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease;
EXPORT tcuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease_v2;
EXPORT tcuDevicePrimaryCtxSetFlags cuDevicePrimaryCtxSetFlags;
EXPORT tcuDevicePrimaryCtxSetFlags cuDevicePrimaryCtxSetFlags_v2;
EXPORT tcuDevicePrimaryCtxGetState cuDevicePrimaryCtxGetState;
EXPORT tcuDevicePrimaryCtxReset cuDevicePrimaryCtxReset;
EXPORT tcuDevicePrimaryCtxReset cuDevicePrimaryCtxReset_v2;

/* The primary contexts and how often each is retained. */
static struct {
    struct CUctx_st *context;
    int users;
    unsigned flags;
} primaries[FAKE_MAX_GPUS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct CUctx_st *stack[STACK_DEPTH];
static _Thread_local int depth;

CUresult fake_cuda_context_state(const struct CUctx_st *context)
{
    if (fake_cuda_device_count() < 0) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    if (context == NULL || context->magic != FAKE_CONTEXT_MAGIC) {
        return FAKE_CU_INVALID_CONTEXT;
    }
    if (fake_cuda_gpu(context) == NULL || fake_lost_count(context->pci) != context->lost_count) {
        return CUDA_ERROR_UNKNOWN;
    }
    return CUDA_SUCCESS;
}

CUresult fake_cuda_current(struct CUctx_st **out)
{
    struct CUctx_st *context = depth > 0 ? stack[depth - 1] : NULL;
    CUresult rc = fake_cuda_context_state(context);
    if (rc == CUDA_SUCCESS) {
        *out = context;
    }
    return rc;
}

static CUresult make_context(CUdevice device, bool primary, struct CUctx_st **out)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_cuda_fault(FAKE_CONTEXT, gpu->pci, 0));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    struct CUctx_st *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    context->magic = FAKE_CONTEXT_MAGIC;
    memcpy(context->pci, gpu->pci, sizeof(context->pci));
    context->ordinal = device;
    context->lost_count = fake_lost_count(gpu->pci);
    context->primary = primary;
    *out = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext *out, unsigned flags, CUdevice device)
{
    struct CUctx_st *context;
    (void)flags;
    if (depth == STACK_DEPTH) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    CUresult rc = make_context(device, false, &context);
    if (rc == CUDA_SUCCESS) {
        stack[depth++] = context;
        *out = context;
    }
    return rc;
}

CUresult cuCtxDestroy_v2(CUcontext context)
{
    if (context == NULL || context->magic != FAKE_CONTEXT_MAGIC || context->primary) {
        return FAKE_CU_INVALID_CONTEXT;
    }
    if (depth > 0 && stack[depth - 1] == context) {
        depth--;
    }
    (void)fake_queue_drain_all(); /* work has a context */
    context->magic = 0;
    free(context);
    return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    if (fake_cuda_device_count() < 0) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    if (context == NULL || context->magic != FAKE_CONTEXT_MAGIC || depth == STACK_DEPTH) {
        return FAKE_CU_INVALID_CONTEXT;
    }
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    if (depth == 0) {
        return FAKE_CU_INVALID_CONTEXT;
    }
    depth--;
    if (context != NULL) {
        *context = stack[depth];
    }
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context)
{
    if (fake_cuda_device_count() < 0) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    *context = depth > 0 ? stack[depth - 1] : NULL;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    if (context == NULL) {
        depth -= depth > 0 ? 1 : 0;
        return CUDA_SUCCESS;
    }
    if (context->magic != FAKE_CONTEXT_MAGIC) {
        return FAKE_CU_INVALID_CONTEXT;
    }
    depth = depth == 0 ? 1 : depth;
    stack[depth - 1] = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(void)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    return rc == CUDA_SUCCESS ? fake_queue_drain_all() : rc;
}

CUresult cuCtxGetDevice(CUdevice *device)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (rc == CUDA_SUCCESS) {
        *device = context->ordinal;
    }
    return rc;
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version)
{
    (void)context;
    *version = 3020;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
    struct CUctx_st *context;
    (void)limit;
    (void)value;
    return fake_cuda_current(&context);
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *out, CUdevice device)
{
    CUresult rc = CUDA_SUCCESS;
    if (fake_cuda_device_count() < 0) {
        return FAKE_CU_NOT_INITIALIZED;
    }
    if (device < 0 || device >= fake_cuda_device_count()) {
        return FAKE_CU_INVALID_DEVICE;
    }
    pthread_mutex_lock(&lock);
    if (primaries[device].context == NULL) {
        rc = make_context(device, true, &primaries[device].context);
    }
    if (rc == CUDA_SUCCESS) {
        primaries[device].users++;
        *out = primaries[device].context;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
    CUresult rc = FAKE_CU_INVALID_CONTEXT;
    if (device < 0 || device >= fake_cuda_device_count()) {
        return FAKE_CU_INVALID_DEVICE;
    }
    pthread_mutex_lock(&lock);
    if (primaries[device].users > 0) {
        rc = CUDA_SUCCESS;
        if (--primaries[device].users == 0) {
            (void)fake_queue_drain_all(); /* work has a context */
            primaries[device].context->magic = 0;
            free(primaries[device].context);
            primaries[device].context = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    return cuDevicePrimaryCtxRelease(device);
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        pthread_mutex_lock(&lock);
        primaries[device].flags = flags;
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags)
{
    return cuDevicePrimaryCtxSetFlags(device, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    const struct fake_gpu *gpu;
    CUresult rc = fake_cuda_device(device, &gpu);
    if (rc == CUDA_SUCCESS) {
        *flags = primaries[device].flags;
        *active = primaries[device].context != NULL;
    }
    return rc;
}

CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
    const struct fake_gpu *gpu;
    return fake_cuda_device(device, &gpu);
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    return cuDevicePrimaryCtxReset(device);
}
