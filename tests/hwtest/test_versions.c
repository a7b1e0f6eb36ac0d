#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/versions.h"

/* NULL: it is not told. */
static const char *find(const struct gm_hwtest_report *r, const char *device, const char *name)
{
    for (size_t i = 0; i < r->version_count; i++) {
        if (strcmp(r->versions[i].device, device) == 0 && strcmp(r->versions[i].name, name) == 0) {
            return r->versions[i].version;
        }
    }
    return NULL;
}

static struct gm_device *add(struct gm_device_list *list, const char *id, enum gm_device_kind kind)
{
    struct gm_device *d = NULL;
    struct gm_err err;
    assert_int_equal(gm_device_get(list, id, kind, &d, &err), 0);
    return d;
}

static void each_device_s_drivers_are_told(void **state)
{
    struct gm_device_list list = {0};
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    (void)state;
    (void)add(&list, "cpu", GM_DEVICE_CPU);
    struct gm_device *d = add(&list, "0000:3b:00.0", GM_DEVICE_NVIDIA);
    gm_device_set(d->driver, "580.65.06");
    gm_device_set(d->kernel_driver, "no such module");
    assert_true(gm_device_add_feature(d, "cuda-9.0")); /* the chip's, no version */
    assert_true(gm_device_add_feature(d, "driver-cuda-13.0"));
    assert_true(gm_device_add_feature(d, "driver-nvenc-13.0"));
    d = add(&list, "0000:03:00.0", GM_DEVICE_DRM);
    gm_device_set(d->driver, "Intel iHD driver 23.1.1");
    gm_device_set(d->kernel_driver, "../cmdline"); /* is no name of a module */
    assert_true(gm_device_add_feature(d, "va-api-1.17"));
    assert_true(gm_device_add_feature(d, "mfx-gen.so.1.2.8"));
    assert_int_equal(gm_hwtest_versions(&list, &r, &err), 0);
    assert_string_equal(find(&r, "0000:3b:00.0", "NVIDIA driver"), "580.65.06");
    assert_string_equal(find(&r, "0000:3b:00.0", "kernel driver"), "no such module");
    assert_string_equal(find(&r, "0000:3b:00.0", "CUDA driver"), "13.0");
    assert_string_equal(find(&r, "0000:3b:00.0", "NVENC interface"), "13.0");
    assert_null(find(&r, "0000:3b:00.0", "VA-API"));
    assert_string_equal(find(&r, "0000:03:00.0", "VA driver"), "Intel iHD driver 23.1.1");
    assert_string_equal(find(&r, "0000:03:00.0", "kernel driver"), "../cmdline");
    assert_string_equal(find(&r, "0000:03:00.0", "VA-API"), "1.17");
    assert_string_equal(find(&r, "0000:03:00.0", "Quick Sync runtime"), "gen.so.1.2.8");
    assert_null(find(&r, "cpu", "VA driver"));
    assert_string_equal(find(&r, "machine", "gopmill"), GOPMILL_VERSION);
    assert_non_null(find(&r, "machine", "libavcodec"));
    const char *x264 = find(&r, "machine", "x264");
    assert_non_null(x264);
    assert_true(x264[0] >= '0' && x264[0] <= '9');
    gm_hwtest_report_fini(&r);
    gm_device_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_device_s_drivers_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
