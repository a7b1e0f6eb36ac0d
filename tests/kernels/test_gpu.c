#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>

#include "kernels/cuda.h"
#include "kernels/gpu.h"
#include "kernels/image.h"

/* What needs no driver. What needs one: tests/kernels/battery.c. */
static void results_have_their_codes(void **state)
{
    (void)state;
    static const struct {
        int result;
        enum gm_code code;
    } rows[] = {
        {0, GM_OK},
        {1, GM_E_BUG},
        {2, GM_E_DEVICE_MEMORY},
        {34, GM_E_DEVICE_DRIVER}, /* stub library */
        {46, GM_E_DEVICE_BUSY},
        {100, GM_E_DEVICE_ABSENT},
        {101, GM_E_DEVICE_ABSENT},
        {209, GM_E_DEVICE_DRIVER}, /* no image for this chip */
        {214, GM_E_DEVICE_LOST},
        {222, GM_E_DEVICE_DRIVER}, /* PTX of a newer version */
        {500, GM_E_DEVICE_DRIVER},
        {700, GM_E_DEVICE_LOST},
        {719, GM_E_DEVICE_LOST},
        {803, GM_E_DEVICE_DRIVER}, /* library and kernel module differ */
        {999, GM_E_DEVICE_LOST},
        {-5, GM_E_DEVICE_DRIVER},
        {123456, GM_E_DEVICE_DRIVER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gm_err err = {0};
        assert_int_equal(gm_cuda_code(rows[i].result), rows[i].code);
        int rc = gm_cuda_check(NULL, rows[i].result, "cuName", &err);
        assert_int_equal(rc, -(int)rows[i].code);
        assert_true(rc == 0 ||
                    (err.native == rows[i].result && strstr(err.text, "cuName") != NULL));
    }
    assert_int_equal(gm_code_get(GM_E_DEVICE_LOST)->retry, GM_RETRY_OTHER_NODE);
    assert_int_equal(gm_code_get(GM_E_DEVICE_BUSY)->retry, GM_RETRY_SAME_NODE);
}

static void devices_are_meant_by_address_or_uuid(void **state)
{
    static const char uuid[] = "GPU-66616b65-0000-0000-0000-000000000001";
    static const struct {
        const char *pci, *id;
        bool is;
    } rows[] = {
        {"0000:3b:00.0", "0000:3B:00.0", true},
        {"0000:3b:00.0", "3b:00.0", true},
        {"0001:3b:00.0", "0001:3b:00.0", true},
        {"0001:3b:00.0", "3b:00.0", false}, /* which is domain 0's */
        {"0000:3b:00.0", "0000:3b:00.1", false},
        {"0000:3b:00.0", "gpu-66616B65-0000-0000-0000-000000000001", true},
        {"0000:3b:00.0", "GPU-66616b65", false},
        {"0000:3b:00.0", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(gm_cuda_is_named(rows[i].pci, uuid, rows[i].id), rows[i].is);
    }
}

static void without_a_driver_there_is_an_error(void **state)
{
    (void)state;
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library != NULL) {
        dlclose(library);
        print_message("SKIPPED here: a machine without a driver (this one has libcuda.so.1)\n");
        skip();
    }
    struct gm_gpu *gpu = (struct gm_gpu *)(void *)state;
    struct gm_err err = {0};
    assert_int_equal(gm_gpu_open("0000:01:00.0", GM_GPU_IMAGE_BEST, &gpu, &err),
                     -GM_E_DEVICE_ABSENT);
    assert_non_null(strstr(err.text, "libcuda.so.1"));
    assert_ptr_equal(gpu, state);
    gpu = NULL;
    gm_gpu_close(&gpu);
}

static void the_module_is_part_of_the_program(void **state)
{
    (void)state;
    size_t size = 0;
    const char *ptx = gm_image_ptx(&size);
    assert_true(size > 1000);
    assert_int_equal(ptx[size], '\0');
    assert_int_equal(strlen(ptx), size);
    assert_non_null(strstr(ptx, ".version 4.1"));
    for (int i = 0; i < GM_KERNELS; i++) {
        assert_non_null(strstr(ptx, gm_kernel_entry((enum gm_kernel)i)));
        assert_true(gm_kernel_args_size((enum gm_kernel)i) <= 256);
    }
    const uint8_t *fatbin = gm_image_fatbin(&size);
    assert_true((fatbin != NULL) == (size > 0));
    if (fatbin != NULL) { /* its magic, low byte first: 0xba55ed50 */
        assert_memory_equal(fatbin, "\x50\xed\x55\xba", 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_their_codes),
        cmocka_unit_test(devices_are_meant_by_address_or_uuid),
        cmocka_unit_test(without_a_driver_there_is_an_error),
        cmocka_unit_test(the_module_is_part_of_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
