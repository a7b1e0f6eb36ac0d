/* libcuda.so.1 of the fake drivers: streams, events, modules, launches; and the names that
 * libavcodec asks for but this driver does not offer. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_cuda.h"
#include "fake_twin.h"

#define MAX_ENTRIES 64
#define STREAM_MAGIC 0x7374726du
#define EVENT_MAGIC 0x65766e74u
#define MODULE_MAGIC 0x6d6f6475u

struct CUstream_st {
    uint32_t magic;
    bool alone; /* CU_STREAM_NON_BLOCKING */
};

struct CUevent_st {
    uint32_t magic;
    bool recorded;
    int64_t at_ns;
    const void *queue;
    uint64_t mark; /* of the queue's work, what it is behind */
};

struct CUfunc_st {
    char name[128];
    fake_twin_fn run; /* NULL: the CPU build has no such kernel */
    size_t args_size;
};

struct CUmod_st {
    uint32_t magic;
    int count;
    struct CUfunc_st functions[MAX_ENTRIES];
};

EXPORT tcuStreamCreate cuStreamCreate;
EXPORT CUresult cuStreamCreateWithPriority(CUstream *out, unsigned flags, int priority);
EXPORT tcuStreamQuery cuStreamQuery;
EXPORT tcuStreamSynchronize cuStreamSynchronize;
EXPORT tcuStreamDestroy_v2 cuStreamDestroy_v2;
EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags);
EXPORT tcuStreamAddCallback cuStreamAddCallback;
EXPORT CUresult cuLaunchHostFunc(CUstream stream, void (*fn)(void *), void *arg);
EXPORT tcuEventCreate cuEventCreate;
EXPORT tcuEventDestroy_v2 cuEventDestroy_v2;
EXPORT tcuEventSynchronize cuEventSynchronize;
EXPORT tcuEventQuery cuEventQuery;
EXPORT tcuEventRecord cuEventRecord;
EXPORT CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to);
EXPORT tcuModuleLoadData cuModuleLoadData;
EXPORT CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned count,
                                   CUjit_option *options, void **values);
EXPORT CUresult cuModuleLoadFatBinary(CUmodule *out, const void *image);
EXPORT tcuModuleUnload cuModuleUnload;
EXPORT tcuModuleGetFunction cuModuleGetFunction;
EXPORT tcuModuleGetGlobal cuModuleGetGlobal;
EXPORT CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function);
EXPORT CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value);
EXPORT tcuLaunchKernel cuLaunchKernel;

static CUresult check_here(void)
{
    struct CUctx_st *context;
    return fake_cuda_current(&context);
}

/* NULL, 1 and 2 are the default streams. */
static bool is_stream(CUstream stream)
{
    return (uintptr_t)stream <= 2 || stream->magic == STREAM_MAGIC;
}

static CUresult check_stream(CUstream stream)
{
    CUresult rc = check_here();
    return rc == CUDA_SUCCESS && !is_stream(stream) ? FAKE_CU_INVALID_HANDLE : rc;
}

const void *fake_stream_queue(CUstream stream)
{
    return (uintptr_t)stream <= 2 || !stream->alone ? NULL : stream;
}

CUresult fake_cuda_wait(CUstream stream)
{
    return is_stream(stream) ? fake_queue_drain(fake_stream_queue(stream)) : FAKE_CU_INVALID_HANDLE;
}

CUresult cuStreamCreate(CUstream *out, unsigned flags)
{
    CUresult rc = check_here();
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    struct CUstream_st *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    stream->magic = STREAM_MAGIC;
    stream->alone = (flags & 1u) != 0;
    *out = stream;
    return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream *out, unsigned flags, int priority)
{
    (void)priority;
    return cuStreamCreate(out, flags);
}

CUresult cuStreamQuery(CUstream stream)
{
    return cuStreamSynchronize(stream);
}

CUresult cuStreamSynchronize(CUstream stream)
{
    CUresult rc = check_stream(stream);
    return rc == CUDA_SUCCESS ? fake_cuda_wait(stream) : rc;
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
    if ((uintptr_t)stream <= 2 || stream->magic != STREAM_MAGIC) {
        return FAKE_CU_INVALID_HANDLE;
    }
    (void)fake_cuda_wait(stream); /* what was queued is done all the same */
    stream->magic = 0;
    free(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
{
    (void)flags;
    CUresult rc = check_stream(stream);
    return rc == CUDA_SUCCESS && (event == NULL || event->magic != EVENT_MAGIC)
               ? FAKE_CU_INVALID_HANDLE
           : rc == CUDA_SUCCESS ? fake_queue_drain_to(event->queue, event->mark)
                                : rc;
}

CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback *fn, void *arg, unsigned flags)
{
    (void)flags;
    CUresult rc = cuStreamSynchronize(stream);
    fn(stream, rc, arg);
    return rc;
}

CUresult cuLaunchHostFunc(CUstream stream, void (*fn)(void *), void *arg)
{
    CUresult rc = cuStreamSynchronize(stream);
    if (rc == CUDA_SUCCESS) {
        fn(arg);
    }
    return rc;
}

CUresult cuEventCreate(CUevent *out, unsigned flags)
{
    (void)flags;
    CUresult rc = check_here();
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    struct CUevent_st *event = calloc(1, sizeof(*event));
    if (event == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    event->magic = EVENT_MAGIC;
    *out = event;
    return CUDA_SUCCESS;
}

static CUresult check_event(CUevent event)
{
    return event == NULL || event->magic != EVENT_MAGIC ? FAKE_CU_INVALID_HANDLE : check_here();
}

CUresult cuEventDestroy_v2(CUevent event)
{
    if (event == NULL || event->magic != EVENT_MAGIC) {
        return FAKE_CU_INVALID_HANDLE;
    }
    event->magic = 0;
    free(event);
    return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent event)
{
    CUresult rc = check_event(event);
    return rc == CUDA_SUCCESS ? fake_queue_drain_to(event->queue, event->mark) : rc;
}

CUresult cuEventQuery(CUevent event)
{
    return cuEventSynchronize(event);
}

CUresult cuEventRecord(CUevent event, CUstream stream)
{
    CUresult rc = check_event(event);
    if (rc == CUDA_SUCCESS) {
        rc = check_stream(stream);
    }
    if (rc == CUDA_SUCCESS) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        event->at_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        event->recorded = true;
        event->queue = fake_stream_queue(stream);
        event->mark = fake_queue_mark();
    }
    return rc;
}

CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to)
{
    CUresult rc = check_event(from);
    if (rc == CUDA_SUCCESS) {
        rc = check_event(to);
    }
    if (rc == CUDA_SUCCESS && (!from->recorded || !to->recorded)) {
        rc = FAKE_CU_INVALID_HANDLE;
    }
    if (rc == CUDA_SUCCESS) {
        *ms = (float)(to->at_ns - from->at_ns) / 1e6f;
    }
    return rc;
}

static void add_entry(CUmodule module, const char *name, size_t length)
{
    if (module->count == MAX_ENTRIES || length >= sizeof(module->functions[0].name)) {
        return;
    }
    struct CUfunc_st *function = &module->functions[module->count++];
    memcpy(function->name, name, length);
    function->name[length] = '\0';
    function->run = fake_twin_find(function->name, &function->args_size);
}

/* PTX is text: its `.version` and the names behind `.entry`. */
static CUresult read_ptx(CUmodule module, const char *text)
{
    const struct fake_profile *profile = fake_profile_get();
    const char *version = strstr(text, ".version");
    int major = 0, minor = 0;
    if (version == NULL || sscanf(version, ".version %d.%d", &major, &minor) != 2) {
        return FAKE_CU_INVALID_IMAGE;
    }
    if (major > profile->ptx_major || (major == profile->ptx_major && minor > profile->ptx_minor)) {
        return FAKE_CU_UNSUPPORTED_PTX;
    }
    for (const char *p = strstr(text, ".entry"); p != NULL; p = strstr(p, ".entry")) {
        p += strlen(".entry");
        while (isspace((unsigned char)*p)) {
            p++;
        }
        size_t length = strcspn(p, "( \t\r\n");
        add_entry(module, p, length);
        p += length;
    }
    return CUDA_SUCCESS;
}

/* A fat binary or cubin: what it holds can't be read here, so it has the kernels of the CPU build.
 */
static CUresult read_binary(CUmodule module)
{
    if (!fake_profile_get()->fatbin) {
        return FAKE_CU_NO_BINARY;
    }
    for (int i = 0; fake_twin_name(i) != NULL; i++) {
        add_entry(module, fake_twin_name(i), strlen(fake_twin_name(i)));
    }
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *out, const void *image)
{
    static const uint8_t FATBIN[4] = {0x50, 0xed, 0x55, 0xba}, ELF[4] = {0x7f, 'E', 'L', 'F'};
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (rc == CUDA_SUCCESS) {
        rc = fake_cuda_result(fake_fault_at(FAKE_MODULE, context->pci, 0));
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (image == NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    struct CUmod_st *module = calloc(1, sizeof(*module));
    if (module == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    module->magic = MODULE_MAGIC;
    const uint8_t *bytes = image;
    if (memcmp(bytes, FATBIN, 4) == 0 || memcmp(bytes, ELF, 4) == 0) {
        rc = read_binary(module);
    } else {
        rc = read_ptx(module, image);
    }
    if (rc != CUDA_SUCCESS) {
        free(module);
        return rc;
    }
    *out = module;
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned count, CUjit_option *options,
                            void **values)
{
    for (unsigned i = 0; i < count; i++) { /* logs stay empty */
        if (options[i] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES ||
            options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) {
            values[i] = NULL;
        }
    }
    return cuModuleLoadData(out, image);
}

CUresult cuModuleLoadFatBinary(CUmodule *out, const void *image)
{
    return cuModuleLoadData(out, image);
}

CUresult cuModuleUnload(CUmodule module)
{
    if (module == NULL || module->magic != MODULE_MAGIC) {
        return FAKE_CU_INVALID_HANDLE;
    }
    module->magic = 0;
    free(module);
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *out, CUmodule module, const char *name)
{
    if (module == NULL || module->magic != MODULE_MAGIC) {
        return FAKE_CU_INVALID_HANDLE;
    }
    for (int i = 0; i < module->count; i++) {
        if (strcmp(module->functions[i].name, name) == 0) {
            *out = &module->functions[i];
            return CUDA_SUCCESS;
        }
    }
    return FAKE_CU_NOT_FOUND;
}

CUresult cuModuleGetGlobal(CUdeviceptr *out, size_t *size, CUmodule module, const char *name)
{
    (void)out;
    (void)size;
    (void)module;
    (void)name;
    return FAKE_CU_NOT_FOUND;
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function)
{
    (void)function;
    *value = attribute == 0 ? 1024 : 0; /* MAX_THREADS_PER_BLOCK */
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value)
{
    (void)function;
    (void)attribute;
    (void)value;
    return CUDA_SUCCESS;
}

struct launch {
    fake_twin_fn run;
    struct fake_twin_launch how;
    _Alignas(16) uint8_t args[];
};

static CUresult run_launch(void *arg)
{
    struct launch *l = arg;
    void *parameters[] = {l->args};
    l->how.parameters = parameters;
    fake_cuda_open_memory();
    int failed = l->run(&l->how);
    fake_cuda_close_memory();
    return failed != 0 ? FAKE_CU_LAUNCH_FAILED : CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                        CUstream stream, void **parameters, void **extra)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    if (rc == CUDA_SUCCESS && !is_stream(stream)) {
        rc = FAKE_CU_INVALID_HANDLE;
    }
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 || grid_z > 65535 ||
        block_x == 0 || block_y == 0 || block_z == 0 ||
        (uint64_t)block_x * block_y * block_z > 1024 || extra != NULL) {
        return FAKE_CU_INVALID_VALUE;
    }
    enum fake_action action = fake_fault_at(FAKE_LAUNCH, context->pci, 0);
    if (action == FAKE_ERROR) {
        return FAKE_CU_LAUNCH_FAILED;
    }
    rc = fake_cuda_result(action);
    if (rc != CUDA_SUCCESS) {
        return rc;
    }
    if (function->run == NULL) {
        return FAKE_CU_NOT_FOUND;
    }
    if (action == FAKE_WRONG) {
        return CUDA_SUCCESS;
    }
    struct launch *l = malloc(sizeof(*l) + function->args_size);
    if (l == NULL) {
        return FAKE_CU_OUT_OF_MEMORY;
    }
    *l = (struct launch){.run = function->run,
                         .how = {.grid = {grid_x, grid_y, grid_z},
                                 .block = {block_x, block_y, block_z},
                                 .shared_bytes = shared}};
    memcpy(l->args, parameters[0], function->args_size);
    return fake_queue_add(fake_stream_queue(stream), run_launch, l);
}

/* libavcodec's loader wants these names; nothing of this project calls them. */
#define REFUSED(name)                                                                              \
    EXPORT CUresult name(void);                                                                    \
    CUresult name(void)                                                                            \
    {                                                                                              \
        return FAKE_CU_NOT_SUPPORTED;                                                              \
    }
REFUSED(cuLinkCreate)
REFUSED(cuLinkAddData)
REFUSED(cuLinkComplete)
REFUSED(cuLinkDestroy)
REFUSED(cuTexObjectCreate)
REFUSED(cuTexObjectDestroy)
REFUSED(cuGLGetDevices_v2)
REFUSED(cuGraphicsGLRegisterImage)
REFUSED(cuGraphicsUnregisterResource)
REFUSED(cuGraphicsMapResources)
REFUSED(cuGraphicsUnmapResources)
REFUSED(cuGraphicsSubResourceGetMappedArray)
REFUSED(cuGraphicsResourceGetMappedPointer_v2)
REFUSED(cuArrayCreate_v2)
REFUSED(cuArray3DCreate_v2)
REFUSED(cuArrayDestroy)
