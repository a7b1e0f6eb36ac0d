/* plan, encode and verify on the chain nvenc, over the fake drivers of tests/drivers: which encoder
 * is used where, what comes of failures. Nothing here says anything about a real encoder. */
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

/* The clip is 96x80: below what NVENC makes, so the profile says other limits. */
#define SMALL                                                                                      \
    "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n"                                  \
    "encode h264 8 16x16 4096x4096 3\n encode hevc 8,10 16x16 4096x4096 3\n"

static const struct device_job_on on = {"nvenc", "0000:05:00.0", "none", SMALL};

static void a_job_on_nvenc_has_every_frame(void **state)
{
    (void)state;
    /* One rendition: never more than one session. */
    static const struct device_job_wish wishes[] = {{&on, "h264", 17, "sessions 1\n", "-cuda-"},
                                                    {&on, "hevc", 17, "sessions 1\n", "-cuda-"},
                                                    {&on, "h264", -1, "sessions 1\n", "-cuda-"},
                                                    {&on, "hevc", -1, "sessions 1\n", "-cuda-"}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(device_job_makes, &wishes[i]), 0);
    }
}

static void a_device_that_fails_ends_the_task_with_its_code(void **state)
{
    (void)state;
    static const struct device_job_failure failures[] = {
        {&on, "fault encode lost at=100\n", GM_E_DEVICE_LOST},
        {&on, "fault encode-open lost\n", GM_E_DEVICE_LOST},
        {&on, "fault encode-open oom\n", GM_E_DEVICE_BUSY},
        {&on, "fault context oom\n", GM_E_DEVICE_MEMORY},
        {&on, "fault encode corrupt\n", GM_E_MEDIA_VERIFY},
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
    static const struct device_job_mix mix = {
        &on, "hevc", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 16x16 4096x4096 0\n"};
    assert_int_equal(fake_gpu_run(device_job_is_mixed, &mix), 0);
}

static void change_chain(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    device_job_open(&j, &on, "h264", -1, "");
    folder_io_set_chain(j.f, NULL, NULL);
    CHECK(device_job_run(&j, "encode", &err) == -GM_E_BUG);
    CHECK(strstr(err.text, "nvenc") != NULL);
    Gm__Chain vaapi = GM__CHAIN__INIT;
    vaapi.name = "vaapi";
    folder_io_set_chain(j.f, &vaapi, NULL);
    CHECK(device_job_run(&j, "encode", &err) == -GM_E_BUG);
    CHECK(device_job_run(&j, "plan", &err) == -GM_E_INVAL);
    folder_io_set_chain(j.f, NULL, NULL);
    device_job_must(device_job_run(&j, "plan", &err), &err);
    Gm__Policy *policy = device_job_policy(&j);
    CHECK(strcmp(policy->chain, "cpu") == 0);
    CHECK(strncmp(policy->chain_fingerprint, "cpu:x264-", 9) == 0);
    gm__policy__free_unpacked(policy, NULL);
    folder_io_set_chain(j.f, &j.chain, NULL);
    CHECK(device_job_run(&j, "encode", &err) == -GM_E_BUG);
    device_job_close(&j);
}

static void a_task_for_another_chain_than_the_plan_is_a_bug(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(change_chain, NULL), 0);
}

static void refuse_plan(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    device_job_open(&j, &on, "h264", -1, "");
    Gm__EncodeParams *p = device_job_params(j.pipeline);
    p->crf = 0;
    CHECK(device_job_run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    p->crf = 23;
    p->bitrate_bps = 500000;
    CHECK(device_job_run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    CHECK(strstr(err.text, "bitrate") != NULL);
    p->bitrate_bps = 0;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode h264 8 145x49 4096x4096 3\n");
    CHECK(device_job_run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    CHECK(strstr(err.text, "145x49") != NULL);
    device_job_close(&j);
}

static void what_nvenc_can_not_do_ends_the_plan(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse_plan, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_on_nvenc_has_every_frame),
        cmocka_unit_test(a_device_that_fails_ends_the_task_with_its_code),
        cmocka_unit_test(another_chip_is_found_by_its_parameter_sets),
        cmocka_unit_test(a_task_for_another_chain_than_the_plan_is_a_bug),
        cmocka_unit_test(what_nvenc_can_not_do_ends_the_plan),
    };
    return cmocka_run_group_tests(tests, device_job_make_source, clip_source_remove);
}
