/* plan, encode and verify on the chains vaapi and qsv, over the fake VA driver and Quick Sync
 * runtime of tests/drivers: which encoder is used where, what comes of failures. Nothing here says
 * anything about a real driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/device_job_io.h"
#include "media/fake_gpu_io.h"
#include "media/vaapi_io.h"

static const struct device_job_on on = {"vaapi", VAAPI_NODE, "arc", ""};
static const struct device_job_on on_qsv = {"qsv", VAAPI_NODE, "qsv", ""};

static void a_job_has_every_frame(void **state)
{
    (void)state;
    static const struct device_job_wish wishes[] = {
        {&on, "h264", 17, "", "gopmill-fake"}, {&on, "h264", -1, "", "gopmill-fake"},
        {&on, "hevc", 17, "", "gopmill-fake"}, {&on, "hevc", -1, "", "gopmill-fake"},
        {&on_qsv, "h264", 17, "", "fake_mfx"}, {&on_qsv, "h264", -1, "", "fake_mfx"}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(device_job_makes, &wishes[i]), 0);
    }
}

static void a_device_that_fails_ends_the_task_with_its_code(void **state)
{
    (void)state;
    static const struct device_job_failure failures[] = {
        {&on, "fault encode lost at=100\n", GM_E_DEVICE_LOST},
        {&on, "fault va-init error\n", GM_E_DEVICE_DRIVER},
        {&on, "fault encode-init oom\n", GM_E_DEVICE_MEMORY},
        {&on, "fault encode corrupt\n", GM_E_MEDIA_VERIFY},
        {&on, "rate cqp,cbr,vbr\n", GM_E_PIPELINE_UNFIT}, /* another driver than the plan's */
        {&on_qsv, "fault encode lost at=100\n", GM_E_DEVICE_LOST},
        {&on_qsv, "fault lock error at=100\n", GM_E_DEVICE_LOST},
        {&on_qsv, "fault mfx-init error\n", GM_E_DEVICE_DRIVER},
        {&on_qsv, "fault encode corrupt\n", GM_E_MEDIA_VERIFY},
        {&on_qsv, "rate cqp,cbr,vbr\n", GM_E_PIPELINE_UNFIT},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (fake_gpu_run(device_job_fails, &failures[i]) != 0) {
            fail_msg("%s", failures[i].lines);
        }
    }
}

static void another_chip_is_found_by_its_parameter_sets(void **state)
{
    (void)state;
#define OTHER "gpu 0000:03:00.0\n node renderD128\n"
    static const struct device_job_mix mixes[] = {
        {&on, "h264", OTHER " encode h264 8 32x32 4096x4096 0\n"},
        {&on, "hevc", OTHER " encode hevc 8 64x64 4096x4096 0\n"}};
#undef OTHER
    for (size_t i = 0; i < sizeof mixes / sizeof mixes[0]; i++) {
        assert_int_equal(fake_gpu_run(device_job_is_mixed, &mixes[i]), 0);
    }
}

int main(void)
{
    vaapi_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_has_every_frame),
        cmocka_unit_test(a_device_that_fails_ends_the_task_with_its_code),
        cmocka_unit_test(another_chip_is_found_by_its_parameter_sets),
    };
    return cmocka_run_group_tests(tests, device_job_make_source, clip_source_remove);
}
