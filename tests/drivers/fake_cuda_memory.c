/* libcuda.so.1 of the fake drivers: memory and copies. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_cuda.h"

#define PITCH 512   /* what cuMemAllocPitch aligns rows to */
#define SPOILT 0x5b /* what is in the host's memory until a copy there is done */

struct allocation {
    struct allocation *next;
    char pci[16];
    uint8_t *device; /* the address given out */
    uint8_t *host;   /* the same memory, for the fake itself; managed memory: equal to device */
    size_t size, mapped;
};

EXPORT tcuMemAlloc_v2 cuMemAlloc_v2;
EXPORT tcuMemAllocPitch_v2 cuMemAllocPitch_v2;
EXPORT tcuMemAllocManaged cuMemAllocManaged;
EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes);
EXPORT CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *size, CUdeviceptr address);
EXPORT CUresult cuMemAllocHost_v2(void **out, size_t size);
EXPORT CUresult cuMemHostAlloc(void **out, size_t size, unsigned flags);
EXPORT CUresult cuMemFreeHost(void *memory);
EXPORT CUresult cuMemHostRegister_v2(void *memory, size_t size, unsigned flags);
EXPORT CUresult cuMemHostUnregister(void *memory);
EXPORT CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count);
EXPORT tcuMemsetD8Async cuMemsetD8Async;
EXPORT CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count);
EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream);
EXPORT CUresult cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                                size_t height);
EXPORT CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                                  size_t height, CUstream stream);
EXPORT tcuMemcpy cuMemcpy;
EXPORT tcuMemcpyAsync cuMemcpyAsync;
EXPORT tcuMemcpy2D_v2 cuMemcpy2D_v2;
EXPORT tcuMemcpy2D_v2 cuMemcpy2DUnaligned_v2;
EXPORT tcuMemcpy2DAsync_v2 cuMemcpy2DAsync_v2;
EXPORT tcuMemcpyHtoD_v2 cuMemcpyHtoD_v2;
EXPORT tcuMemcpyHtoDAsync_v2 cuMemcpyHtoDAsync_v2;
EXPORT tcuMemcpyDtoH_v2 cuMemcpyDtoH_v2;
EXPORT tcuMemcpyDtoHAsync_v2 cuMemcpyDtoHAsync_v2;
EXPORT tcuMemcpyDtoD_v2 cuMemcpyDtoD_v2;
EXPORT tcuMemcpyDtoDAsync_v2 cuMemcpyDtoDAsync_v2;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct allocation *all;
static int kernels_running;

/* Under lock. */
static struct allocation *find(CUdeviceptr address, size_t size)
{
    for (struct allocation *a = all; a != NULL; a = a->next) {
        CUdeviceptr start = (CUdeviceptr)(uintptr_t)a->device;
        if (address >= start && address - start <= a->size && size <= a->size - (address - start)) {
            return a;
        }
    }
    return NULL;
}

void *fake_cuda_host(CUdeviceptr address, size_t size)
{
    pthread_mutex_lock(&lock);
    struct allocation *a = find(address, size);
    void *host = a == NULL ? NULL : a->host + (address - (CUdeviceptr)(uintptr_t)a->device);
    pthread_mutex_unlock(&lock);
    return host;
}

/* Under lock. */
static size_t used_on(const char *pci)
{
    size_t used = 0;
    for (struct allocation *a = all; a != NULL; a = a->next) {
        used += strcmp(a->pci, pci) == 0 ? a->mapped : 0;
    }
    return used;
}

/* Maps size bytes twice; false when the system has none. */
static bool map_twice(struct allocation *a, bool managed)
{
    a->host = mmap(NULL, a->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a->host == MAP_FAILED) {
        return false;
    }
    a->device = a->host;
    if (managed) {
        return true;
    }
    a->device = mremap(a->host, 0, a->mapped, MREMAP_MAYMOVE); /* old size 0: a second mapping */
    if (a->device == MAP_FAILED) {
        munmap(a->host, a->mapped);
        return false;
    }
    int access = kernels_running > 0 ? PROT_READ | PROT_WRITE : PROT_NONE;
    if (mprotect(a->device, a->mapped, access) < 0) {
        munmap(a->device, a->mapped);
        munmap(a->host, a->mapped);
        return false;
    }
    return true;
}

static CUresult allocate(const struct CUctx_st *context, size_t size, bool managed,
                         CUdeviceptr *out)
{
    const struct fake_gpu *gpu = fake_cuda_gpu(context);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size == 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    if (gpu == NULL) {
        return CUDA_ERROR_UNKNOWN;
    }
    CUresult rc = fake_cuda_result(fake_fault_at(FAKE_ALLOC, context->pci, 0));
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    struct allocation *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    a->size = size;
    a->mapped = (size + page - 1) / page * page;
    memcpy(a->pci, context->pci, sizeof(a->pci));
    pthread_mutex_lock(&lock);
    if (size > gpu->memory_bytes || used_on(a->pci) + a->mapped > gpu->memory_bytes ||
        !map_twice(a, managed)) {
        free(a);
        rc = FAKE_CU_OUT_OF_MEMORY;
    } else {
        a->next = all;
        all = a;
        *out = (CUdeviceptr)(uintptr_t)a->device;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUdeviceptr fake_cuda_alloc(struct CUctx_st *context, size_t size)
{
    CUdeviceptr out = 0;
    return allocate(context, size, false, &out) == CUDA_SUCCESS ? out : 0;
}

static CUresult allocate_here(size_t size, bool managed, CUdeviceptr *out)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    return rc == CUDA_SUCCESS ? allocate(context, size, managed, out) : rc;
}

CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t size)
{
    return allocate_here(size, false, out);
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width, size_t height,
                            unsigned element)
{
    if (element != 4 && element != 8 && element != 16) {
        return FAKE_CU_INVALID_VALUE;
    }
    size_t row = (width + PITCH - 1) / PITCH * PITCH;
    CUresult rc = allocate_here(row * height, false, out);
    if (rc == CUDA_SUCCESS) {
        *pitch = row;
    }
    return rc;
}

CUresult cuMemAllocManaged(CUdeviceptr *out, size_t size, unsigned flags)
{
    (void)flags;
    return allocate_here(size, true, out);
}

CUresult fake_cuda_release(CUdeviceptr address)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (address == 0) {
        return rc;
    }
    pthread_mutex_lock(&lock);
    struct allocation **at = &all;
    while (*at != NULL && (CUdeviceptr)(uintptr_t)(*at)->device != address) {
        at = &(*at)->next;
    }
    struct allocation *a = *at;
    if (a == NULL) {
        rc = FAKE_CU_INVALID_VALUE;
    } else { /* on a lost device too: the error is told, the host's memory is not kept */
        *at = a->next;
        if (a->device != a->host) {
            munmap(a->device, a->mapped);
        }
        munmap(a->host, a->mapped);
        free(a);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUresult cuMemFree_v2(CUdeviceptr address)
{
    CUresult rc = fake_queue_drain_all(); /* it waits for the device */
    CUresult freed = fake_cuda_release(address);
    return rc == CUDA_SUCCESS ? freed : rc;
}

CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    pthread_mutex_lock(&lock);
    size_t used = used_on(context->pci);
    pthread_mutex_unlock(&lock);
    *total_bytes = fake_cuda_gpu(context)->memory_bytes;
    *free_bytes = used < *total_bytes ? *total_bytes - used : 0;
    return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *size, CUdeviceptr address)
{
    pthread_mutex_lock(&lock);
    struct allocation *a = find(address, 1);
    if (a != NULL && base != NULL) {
        *base = (CUdeviceptr)(uintptr_t)a->device;
    }
    if (a != NULL && size != NULL) {
        *size = a->size;
    }
    pthread_mutex_unlock(&lock);
    return a == NULL ? FAKE_CU_NOT_FOUND : CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **out, size_t size, unsigned flags)
{
    struct CUctx_st *context;
    (void)flags;
    CUresult rc = fake_cuda_current(&context);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_fault_at(FAKE_PIN, context->pci, 0));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (size == 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    void *memory = NULL;
    if (posix_memalign(&memory, 4096, size) != 0) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    *out = memory;
    return CUDA_SUCCESS;
}

CUresult cuMemAllocHost_v2(void **out, size_t size)
{
    return cuMemHostAlloc(out, size, 0);
}

CUresult cuMemFreeHost(void *memory)
{
    struct CUctx_st *context;
    free(memory);
    return fake_cuda_current(&context);
}

CUresult cuMemHostRegister_v2(void *memory, size_t size, unsigned flags)
{
    struct CUctx_st *context;
    (void)flags;
    return memory == NULL || size == 0 ? FAKE_CU_INVALID_VALUE : fake_cuda_current(&context);
}

CUresult cuMemHostUnregister(void *memory)
{
    struct CUctx_st *context;
    return memory == NULL ? FAKE_CU_INVALID_VALUE : fake_cuda_current(&context);
}

/* Before every copy: the context, and the faults. */
static CUresult begin_queued(void)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    return rc == CUDA_SUCCESS ? fake_cuda_result(fake_fault_at(FAKE_COPY, context->pci, 0)) : rc;
}

/* And, where the copy is done at once, what it comes after. */
static CUresult begin_copy(void)
{
    CUresult rc = begin_queued();
    return rc == CUDA_SUCCESS ? fake_queue_drain(NULL) : rc;
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count)
{
    return cuMemsetD2D8_v2(to, count, value, count, 1);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    CUresult rc = fake_cuda_wait(stream);
    return rc == CUDA_SUCCESS ? cuMemsetD2D8_v2(to, count, value, count, 1) : rc;
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count)
{
    CUresult rc = begin_copy();
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (to % 4 != 0) {
        return FAKE_CU_INVALID_VALUE;
    }
    unsigned *memory = count > SIZE_MAX / 4 ? NULL : fake_cuda_host(to, count * 4);
    if (memory == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    for (size_t i = 0; i < count; i++) {
        memory[i] = value;
    }
    return CUDA_SUCCESS;
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream)
{
    CUresult rc = fake_cuda_wait(stream);
    return rc == CUDA_SUCCESS ? cuMemsetD32_v2(to, value, count) : rc;
}

CUresult cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                         size_t height)
{
    CUresult rc = begin_copy();
    if (rc != CUDA_SUCCESS || width == 0 || height == 0) {
        return rc;
    }
    uint8_t *memory = pitch < width ? NULL : fake_cuda_host(to, pitch * (height - 1) + width);
    if (memory == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    for (size_t y = 0; y < height; y++) {
        memset(memory + y * pitch, value, width);
    }
    return CUDA_SUCCESS;
}

CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                           size_t height, CUstream stream)
{
    CUresult rc = fake_cuda_wait(stream);
    return rc == CUDA_SUCCESS ? cuMemsetD2D8_v2(to, pitch, value, width, height) : rc;
}

/* A pointer of either kind, as unified addressing allows. */
static void *either(CUdeviceptr address, size_t size)
{
    pthread_mutex_lock(&lock);
    struct allocation *inside = find(address, 0);
    pthread_mutex_unlock(&lock);
    return inside != NULL ? fake_cuda_host(address, size) : (void *)(uintptr_t)address;
}

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t size)
{
    CUresult rc = begin_copy();
    if (rc != CUDA_SUCCESS || size == 0) {
        return rc;
    }
    void *target = either(to, size);
    const void *source = either(from, size);
    if (target == NULL || source == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    memmove(target, source, size);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream)
{
    CUresult rc = fake_cuda_wait(stream);
    return rc == CUDA_SUCCESS ? cuMemcpy(to, from, size) : rc;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t size)
{
    CUresult rc = begin_copy();
    if (rc != CUDA_SUCCESS || size == 0) {
        return rc;
    }
    void *target = fake_cuda_host(to, size);
    if (target == NULL || from == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    memcpy(target, from, size);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, CUstream stream)
{
    const CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                                .srcHost = from,
                                .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                                .dstDevice = to,
                                .WidthInBytes = size,
                                .Height = 1};
    return cuMemcpy2DAsync_v2(&copy, stream);
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t size)
{
    CUresult rc = begin_copy();
    if (rc != CUDA_SUCCESS || size == 0) {
        return rc;
    }
    const void *source = fake_cuda_host(from, size);
    if (source == NULL || to == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    memcpy(to, source, size);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, CUstream stream)
{
    const CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                .srcDevice = from,
                                .dstMemoryType = CU_MEMORYTYPE_HOST,
                                .dstHost = to,
                                .WidthInBytes = size,
                                .Height = 1};
    return cuMemcpy2DAsync_v2(&copy, stream);
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t size)
{
    if (size > 0 && (fake_cuda_host(to, size) == NULL || fake_cuda_host(from, size) == NULL)) {
        CUresult rc = begin_copy();
        return rc != CUDA_SUCCESS ? rc : FAKE_CU_INVALID_VALUE;
    }
    return cuMemcpy(to, from, size);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream)
{
    const CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                .srcDevice = from,
                                .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                                .dstDevice = to,
                                .WidthInBytes = size,
                                .Height = 1};
    return cuMemcpy2DAsync_v2(&copy, stream);
}

/* The first byte of one side of a 2D copy; NULL when its rows are not all inside one allocation. */
static uint8_t *side(CUmemorytype type, const void *host, CUdeviceptr device, size_t pitch,
                     size_t x, size_t y, size_t width, size_t height)
{
    size_t start = y * pitch + x;
    if (pitch < width && height > 1) {
        return NULL;
    }
    if (type == CU_MEMORYTYPE_HOST) {
        return host == NULL ? NULL : (uint8_t *)(uintptr_t)host + start;
    }
    if (type == CU_MEMORYTYPE_DEVICE) {
        return fake_cuda_host(device + start, pitch * (height - 1) + width);
    }
    return NULL; /* arrays are not there */
}

/* A copy as it was asked for, and what was to be copied out of the host's memory, without gaps. */
struct copy {
    CUDA_MEMCPY2D how;
    char pci[16];
    uint8_t taken[];
};

static CUresult run_copy(void *arg)
{
    const struct copy *c = arg;
    const CUDA_MEMCPY2D *how = &c->how;
    size_t width = how->WidthInBytes, height = how->Height;
    const uint8_t *from = side(how->srcMemoryType, how->srcHost, how->srcDevice, how->srcPitch,
                               how->srcXInBytes, how->srcY, width, height);
    uint8_t *to = side(how->dstMemoryType, how->dstHost, how->dstDevice, how->dstPitch,
                       how->dstXInBytes, how->dstY, width, height);
    CUresult rc = fake_cuda_result(fake_fault_at(FAKE_COPIED, c->pci, 0));
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (from == NULL || to == NULL) { /* freed meanwhile */
        return FAKE_CU_ILLEGAL_ADDRESS;
    }
    for (size_t y = 0; y < height; y++) {
        bool taken = how->srcMemoryType == CU_MEMORYTYPE_HOST;
        memmove(to + y * how->dstPitch, taken ? c->taken + y * width : from + y * how->srcPitch,
                width);
    }
    return CUDA_SUCCESS;
}

static CUresult queue_copy(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    size_t width = copy->WidthInBytes, height = copy->Height;
    bool takes = copy->srcMemoryType == CU_MEMORYTYPE_HOST;
    struct copy *c = malloc(sizeof(*c) + (takes ? width * height : 0));
    if (c == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    c->how = *copy;
    memcpy(c->pci, context->pci, sizeof(c->pci));
    c->how.srcPitch = copy->srcPitch == 0 ? width : copy->srcPitch;
    c->how.dstPitch = copy->dstPitch == 0 ? width : copy->dstPitch;
    const uint8_t *from = side(copy->srcMemoryType, copy->srcHost, copy->srcDevice, c->how.srcPitch,
                               copy->srcXInBytes, copy->srcY, width, height);
    uint8_t *to = side(copy->dstMemoryType, copy->dstHost, copy->dstDevice, c->how.dstPitch,
                       copy->dstXInBytes, copy->dstY, width, height);
    if (from == NULL || to == NULL) {
        free(c);
        return FAKE_CU_INVALID_VALUE;
    }
    for (size_t y = 0; takes && y < height; y++) {
        memcpy(c->taken + y * width, from + y * c->how.srcPitch, width);
    }
    for (size_t y = 0; copy->dstMemoryType == CU_MEMORYTYPE_HOST && y < height; y++) {
        memset(to + y * c->how.dstPitch, SPOILT, width);
    }
    return fake_queue_add(fake_stream_queue(stream), run_copy, c);
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    CUresult rc = begin_queued();
    return rc != CUDA_SUCCESS || copy->WidthInBytes == 0 || copy->Height == 0
               ? rc
               : queue_copy(copy, stream);
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy)
{
    CUresult rc = cuMemcpy2DAsync_v2(copy, NULL);
    return rc == CUDA_SUCCESS ? fake_queue_drain(NULL) : rc;
}

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy)
{
    return cuMemcpy2D_v2(copy);
}

static void set_access(int access)
{
    for (struct allocation *a = all; a != NULL; a = a->next) {
        if (a->device != a->host) {
            (void)!mprotect(a->device, a->mapped, access);
        }
    }
}

void fake_cuda_open_memory(void)
{
    pthread_mutex_lock(&lock);
    if (kernels_running++ == 0) {
        set_access(PROT_READ | PROT_WRITE);
    }
    pthread_mutex_unlock(&lock);
}

void fake_cuda_close_memory(void)
{
    pthread_mutex_lock(&lock);
    if (--kernels_running == 0) {
        set_access(PROT_NONE);
    }
    pthread_mutex_unlock(&lock);
}
