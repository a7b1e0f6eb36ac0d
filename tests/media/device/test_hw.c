/* Devices of the fake drivers in tests/drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

#include "media/device/hw.h"
#include "media/fake_gpu_io.h"

/* By number, address, UUID. */
static void name_devices(const void *arg)
{
    (void)arg;
    static const char *const names[] = {"1", "0000:3b:00.0", "3B:00.0"};
    AVBufferRef *first = NULL, *same = NULL;
    struct gm_err err;
    uint64_t left = 0;
    fake_gpu_profile("two-gpus", "");
    CHECK(gm_hw_open(NULL, &first, &err) == 0);
    CHECK(gm_hw_open("af:00.0", &same, &err) == 0);
    CHECK(gm_hw_context(first) == gm_hw_context(same)); /* one context a device */
    av_buffer_unref(&same);
    for (size_t i = 0; i < 3; i++) {
        CHECK(gm_hw_open(names[i], &same, &err) == 0);
        CHECK(gm_hw_context(first) != gm_hw_context(same));
        CHECK(gm_hw_free_bytes(same, &left, &err) == 0 && left == 143771ull << 20);
        CHECK(gm_hw_check(same, &err) == 0);
        av_buffer_unref(&same);
    }
    CHECK(gm_hw_cuda_version(first) == 12040);
    av_buffer_unref(&first);
}

static void devices_are_found_by_any_name(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(name_devices, NULL), 0);
}

/* Who waits for a device sleeps, rather than take a core. */
static void wait_asleep(const void *arg)
{
    AVBufferRef *device = NULL;
    struct gm_err err;
    int (*state)(int, unsigned *, int *) = NULL;
    unsigned flags = 0;
    int active = 0;
    (void)arg;
    fake_gpu_profile("l4", "");
    CHECK(gm_hw_open(NULL, &device, &err) == 0);
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    void *found = dlsym(library, "cuDevicePrimaryCtxGetState");
    memcpy(&state, &found, sizeof found);
    CHECK(state != NULL && state(0, &flags, &active) == 0);
    CHECK(active == 1 && flags == GM_CUDA_BLOCKING_SYNC);
    (void)dlclose(library);
    av_buffer_unref(&device);
}

static void waits_take_no_core(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(wait_asleep, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_found_by_any_name),
        cmocka_unit_test(waits_take_no_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
