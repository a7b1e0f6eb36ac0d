/* The fake libcuda, libnvidia-ml and libnvcuvid through their public names, opened as a program
 * does. */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ffnvcodec/dynlink_loader.h>

#include "tests/drivers/fake.h"

#define PCI "0000:3b:00.0"
#define LOST ((CUresult)999)

static const char PROFILE[] = "driver 1.0\ncuda 12.4\nptx 7.0\nfatbin no\n"
                              "gpu 0000:af:00.0\n  name B\n  encoders 1\n"
                              "gpu " PCI "\n  name A\n  compute 9.0\n  memory-mib 4\n  decoders 7\n"
                              "  decode h264 8 420 48x16 4096x2304\n";
static const char PTX[] =
    "//\n.version 4.1\n.target sm_52\n.visible .entry gm_none(\n)\n{ ret; }\n";

static char folder[] = "/tmp/gopmill-test-XXXXXX";
static char path[256];
static CudaFunctions *cuda;
static tcuvidGetDecoderCaps *get_caps;

/* The profile with more lines behind it. */
static void use(const char *more)
{
    char other[300];
    snprintf(other, sizeof(other), "%s.new", path);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fprintf(file, "%s%s", PROFILE, more);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path), 0);
}

static int open_all(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/profile.txt", folder);
    use("");
    setenv("GOPMILL_FAKE_DRIVERS", path, 1);
    int rc = cuda_load_functions(&cuda, NULL);
    void *lib = dlopen("libnvcuvid.so.1", RTLD_NOW);
    get_caps = lib == NULL ? NULL : (tcuvidGetDecoderCaps *)dlsym(lib, "cuvidGetDecoderCaps");
    return rc == 0 && get_caps == NULL ? -1 : rc;
}

static int close_all(void **state)
{
    (void)state;
    static const char *const ENDS[] = {"", ".state"};
    cuda_free_functions(&cuda);
    for (int i = 0; i < 2; i++) {
        char name[300];
        snprintf(name, sizeof(name), "%s%s", path, ENDS[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static CUcontext begin(void)
{
    CUcontext context = NULL;
    use("");
    assert_int_equal(cuda->cuInit(0), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxCreate(&context, 0, 1), CUDA_SUCCESS);
    return context;
}

static void order_is_the_files_and_names_say_fake(void **state)
{
    (void)state;
    int count = 0, bus = 0;
    char name[100];
    assert_int_equal(cuda->cuInit(0), CUDA_SUCCESS);
    assert_int_equal(cuda->cuDeviceGetCount(&count), CUDA_SUCCESS);
    assert_int_equal(count, 2);
    assert_int_equal(cuda->cuDeviceGetName(name, sizeof(name), 0), CUDA_SUCCESS);
    assert_string_equal(name, "gopmill fake GPU B");
    assert_int_equal(cuda->cuDeviceGetAttribute(&bus, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 1),
                     CUDA_SUCCESS);
    assert_int_equal(bus, 0x3b);
    assert_int_equal(cuda->cuDeviceGetName(name, sizeof(name), 2), 101);
    const char *text = NULL;
    assert_int_equal(cuda->cuGetErrorName((CUresult)2, &text), CUDA_SUCCESS);
    assert_string_equal(text, "CUDA_ERROR_OUT_OF_MEMORY");
}

static void nvml_sorts_by_address(void **state)
{
    (void)state;
    use("");
    void *lib = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    assert_non_null(lib);
    int (*init)(void) = (int (*)(void))dlsym(lib, "nvmlInit_v2");
    int (*quit)(void) = (int (*)(void))dlsym(lib, "nvmlShutdown");
    int (*count)(unsigned *) = (int (*)(unsigned *))dlsym(lib, "nvmlDeviceGetCount_v2");
    int (*get)(unsigned, void **) =
        (int (*)(unsigned, void **))dlsym(lib, "nvmlDeviceGetHandleByIndex_v2");
    int (*name)(void *, char *, unsigned) =
        (int (*)(void *, char *, unsigned))dlsym(lib, "nvmlDeviceGetName");
    int (*driver)(char *, unsigned) =
        (int (*)(char *, unsigned))dlsym(lib, "nvmlSystemGetDriverVersion");
    unsigned number = 0;
    void *device = NULL;
    char text[96];
    assert_int_equal(count(&number), 1); /* uninitialized */
    assert_int_equal(init(), 0);
    assert_int_equal(count(&number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(get(0, &device), 0);
    assert_int_equal(name(device, text, sizeof(text)), 0);
    assert_string_equal(text, "gopmill fake GPU A");
    assert_int_equal(name(device, text, 5), 7); /* insufficient size */
    assert_int_equal(get(2, &device), 2);
    assert_int_equal(driver(text, sizeof(text)), 0);
    assert_string_equal(text, "1.0-fake");
    assert_int_equal(quit(), 0);
    use("fault nvml-init mismatch");
    assert_int_equal(init(), 18);
    dlclose(lib);
}

static void copies_arrive(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUdeviceptr a = 0, b = 0;
    size_t pitch = 0;
    uint8_t from[64 * 48], to[64 * 48] = {0};
    for (size_t i = 0; i < sizeof(from); i++) {
        from[i] = (uint8_t)(i * 7 + i / 64);
    }
    assert_int_equal(cuda->cuMemAllocPitch(&a, &pitch, 64, 48, 16), CUDA_SUCCESS);
    assert_true(pitch >= 64);
    assert_int_equal(cuda->cuMemAlloc(&b, sizeof(from)), CUDA_SUCCESS);
    CUDA_MEMCPY2D up = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                        .srcHost = from,
                        .srcPitch = 64,
                        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                        .dstDevice = a,
                        .dstPitch = pitch,
                        .WidthInBytes = 64,
                        .Height = 48};
    CUDA_MEMCPY2D across = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                            .srcDevice = a,
                            .srcPitch = pitch,
                            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                            .dstDevice = b,
                            .dstPitch = 64,
                            .WidthInBytes = 64,
                            .Height = 48};
    assert_int_equal(cuda->cuMemcpy2D(&up), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemcpy2D(&across), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemcpyDtoH(to, b, sizeof(to)), CUDA_SUCCESS);
    assert_memory_equal(from, to, sizeof(to));
    assert_int_equal(cuda->cuMemcpyDtoH(to, b + 1, sizeof(to)), 1); /* beyond the end */
    up.Height = 49;
    assert_int_equal(cuda->cuMemcpy2D(&up), 1);
    assert_int_equal(cuda->cuMemFree(a), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemFree(a), 1);
    assert_int_equal(cuda->cuMemFree(b), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemAlloc(&a, 1), 201); /* no context */
}

/* Copies into page-locked memory are done as late as somebody waits: for an event, those before it.
 */
static void queued_copies_are_late(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUstream stream = NULL;
    CUevent event = NULL;
    CUdeviceptr memory = 0;
    uint8_t *to[2] = {NULL, NULL};
    int (*pin)(void **, size_t, unsigned) = NULL;
    int (*unpin)(void *) = NULL;
    void *lib = dlopen("libcuda.so.1", RTLD_NOW);
    *(void **)&pin = dlsym(lib, "cuMemHostAlloc");
    *(void **)&unpin = dlsym(lib, "cuMemFreeHost");
    assert_int_equal(cuda->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    assert_int_equal(cuda->cuEventCreate(&event, 0), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemAlloc(&memory, 64), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemsetD8Async(memory, 7, 64, stream), CUDA_SUCCESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pin((void **)&to[i], 64, 0), CUDA_SUCCESS);
        memset(to[i], 7, 64);
        const CUDA_MEMCPY2D down = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                    .srcDevice = memory,
                                    .dstMemoryType = CU_MEMORYTYPE_HOST,
                                    .dstHost = to[i],
                                    .WidthInBytes = 64,
                                    .Height = 1};
        assert_int_equal(cuda->cuMemcpy2DAsync(&down, stream), CUDA_SUCCESS);
        assert_int_equal(i == 0 ? cuda->cuEventRecord(event, stream) : CUDA_SUCCESS, CUDA_SUCCESS);
    }
    assert_true(to[0][0] != 7 && to[0][63] != 7 && to[1][0] != 7);
    assert_int_equal(cuda->cuEventSynchronize(event), CUDA_SUCCESS);
    assert_true(to[0][0] == 7 && to[0][63] == 7 && to[1][0] != 7);
    use("fault copied error times=1\n");
    assert_int_equal(cuda->cuStreamSynchronize(stream), LOST); /* where it is done, not asked for */
    use("");
    use("fault pin oom\n");
    assert_int_equal(pin((void **)&to[1], 64, 0), 2);
    use("");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(unpin(to[i]), CUDA_SUCCESS);
    }
    assert_int_equal(cuda->cuMemFree(memory), CUDA_SUCCESS);
    assert_int_equal(cuda->cuEventDestroy(event), CUDA_SUCCESS);
    assert_int_equal(cuda->cuStreamDestroy(stream), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
    assert_int_equal(dlclose(lib), 0);
}

static void the_host_can_not_touch_device_memory(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUdeviceptr memory = 0;
    assert_int_equal(cuda->cuMemAlloc(&memory, 100), CUDA_SUCCESS);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)(uintptr_t)memory = 1;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(cuda->cuMemFree(memory), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
}

static void memory_ends(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUdeviceptr a = 0, b = 0;
    assert_int_equal(cuda->cuMemAlloc(&a, 3 << 20), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemAlloc(&b, 2 << 20), 2);
    assert_int_equal(cuda->cuMemFree(a), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemAlloc(&b, 2 << 20), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemFree(b), CUDA_SUCCESS);
    use("fault alloc oom times=1");
    assert_int_equal(cuda->cuMemAlloc(&b, 1), 2);
    assert_int_equal(cuda->cuMemAlloc(&b, 1), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemFree(b), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
}

static void a_lost_device_stays_lost_until_it_is_back(void **state)
{
    (void)state;
    CUcontext old = begin();
    CUcontext other = NULL, newer = NULL;
    CUdeviceptr memory = 0;
    assert_int_equal(cuda->cuCtxCreate(&other, 0, 0), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxPopCurrent(NULL), CUDA_SUCCESS);
    use("fault alloc lost times=1 gpu=" PCI "\n");
    assert_int_equal(cuda->cuMemAlloc(&memory, 1), LOST);
    assert_int_equal(cuda->cuMemAlloc(&memory, 1), LOST);
    assert_int_equal(cuda->cuCtxCreate(&newer, 0, 1), LOST);
    assert_int_equal(cuda->cuCtxPushCurrent(other), CUDA_SUCCESS); /* the other GPU is well */
    assert_int_equal(cuda->cuMemAlloc(&memory, 1), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemFree(memory), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(other), CUDA_SUCCESS);
    use("fault alloc lost times=1 gpu=" PCI "\nback " PCI " 1\n");
    assert_int_equal(cuda->cuMemAlloc(&memory, 1), LOST); /* an old context is dead */
    assert_int_equal(cuda->cuCtxDestroy(old), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxCreate(&newer, 0, 1), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemAlloc(&memory, 1), CUDA_SUCCESS);
    assert_int_equal(cuda->cuMemFree(memory), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(newer), CUDA_SUCCESS);
}

static void modules_are_checked(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUmodule module = NULL;
    CUfunction function = NULL;
    void *parameters[1] = {NULL};
    static const uint8_t FATBIN[64] = {0x50, 0xed, 0x55, 0xba};
    assert_int_equal(cuda->cuModuleLoadData(&module, "no image"), 200);
    assert_int_equal(cuda->cuModuleLoadData(&module, ".version 9.0\n"), 222);
    assert_int_equal(cuda->cuModuleLoadData(&module, FATBIN), 209);
    assert_int_equal(cuda->cuModuleLoadData(&module, PTX), CUDA_SUCCESS);
    assert_int_equal(cuda->cuModuleGetFunction(&function, module, "absent"), 500);
    assert_int_equal(cuda->cuModuleGetFunction(&function, module, "gm_none"), CUDA_SUCCESS);
    assert_int_equal(cuda->cuLaunchKernel(function, 1, 1, 1, 2048, 1, 1, 0, NULL, parameters, NULL),
                     1);
    assert_int_equal(cuda->cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL),
                     500);
    assert_int_equal(cuda->cuModuleUnload(module), CUDA_SUCCESS);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
}

static void decoder_caps_follow_the_profile(void **state)
{
    (void)state;
    CUcontext context = begin();
    CUVIDDECODECAPS caps = {.eCodecType = cudaVideoCodec_H264,
                            .eChromaFormat = cudaVideoChromaFormat_420};
    assert_int_equal(get_caps(&caps), CUDA_SUCCESS);
    assert_int_equal(caps.bIsSupported, 1);
    assert_int_equal(caps.nNumNVDECs, 7);
    assert_int_equal(caps.nMaxHeight, 2304);
    assert_int_equal(caps.nMinWidth, 48);
    caps.nBitDepthMinus8 = 2;
    assert_int_equal(get_caps(&caps), CUDA_SUCCESS);
    assert_int_equal(caps.bIsSupported, 0);
    caps.nBitDepthMinus8 = 0;
    caps.eCodecType = cudaVideoCodec_AV1;
    assert_int_equal(get_caps(&caps), CUDA_SUCCESS);
    assert_int_equal(caps.bIsSupported, 0);
    assert_int_equal(cuda->cuCtxDestroy(context), CUDA_SUCCESS);
    assert_int_equal(get_caps(&caps), 201);
}

int main(void)
{
    /* the lost device last: it stays in the state file */
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_is_the_files_and_names_say_fake),
                                       cmocka_unit_test(nvml_sorts_by_address),
                                       cmocka_unit_test(copies_arrive),
                                       cmocka_unit_test(queued_copies_are_late),
                                       cmocka_unit_test(the_host_can_not_touch_device_memory),
                                       cmocka_unit_test(memory_ends),

                                       cmocka_unit_test(modules_are_checked),
                                       cmocka_unit_test(decoder_caps_follow_the_profile),
                                       cmocka_unit_test(a_lost_device_stays_lost_until_it_is_back)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
