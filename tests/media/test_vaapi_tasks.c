/* plan, encode and verify on the chain vaapi, over the fake VA driver of tests/drivers: which
 * encoder is used where, what comes of failures. Nothing here says anything about a real driver. */
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

static void job_open(struct device_job *j, int qp, const char *lines)
{
    fake_gpu_profile("arc", "");
    device_job_open(j, "vaapi", VAAPI_NODE, "h264", qp);
    fake_gpu_profile("arc", lines);
}

static void make_it(const void *arg)
{
    const int *qp = arg;
    struct device_job j;
    struct gm_err err;
    job_open(&j, *qp, "");
    Gm__Policy *policy = device_job_policy(&j);
    CHECK(strcmp(policy->chain, "vaapi") == 0);
    CHECK(strncmp(policy->chain_fingerprint, "vaapi:lavc-", 11) == 0);
    CHECK(strstr(policy->chain_fingerprint, "gopmill-fake") != NULL);
    CHECK(strstr(policy->chain_fingerprint, ":fake chip/1.0-fake") != NULL);
    CHECK(policy->n_renditions == 1 && (policy->renditions[0]->maxrate_bps > 0) == (*qp < 0));
    device_job_must(device_job_run(&j, "encode", &err), &err);
    CHECK(folder_io_items(j.f, "encode", 0, 0) == DEVICE_JOB_CHUNKS);
    folder_io_set_chain(j.f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < DEVICE_JOB_CHUNKS; i++) {
        device_job_must(folder_io_verify(j.f, "encode", 0, 0, i, &err), &err);
    }
    device_job_check(&j, policy, *qp < 0 ? 0 : 30); /* the cap is too low to be seen through */
    gm__policy__free_unpacked(policy, NULL);
    device_job_close(&j);
}

static void a_job_on_vaapi_has_every_frame(void **state)
{
    (void)state;
    static const int qps[] = {17, -1};
    for (size_t i = 0; i < sizeof qps / sizeof qps[0]; i++) {
        assert_int_equal(fake_gpu_run(make_it, &qps[i]), 0);
    }
}

struct failure {
    const char *lines;
    enum gm_code code;
};

static void fail_encode(const void *arg)
{
    const struct failure *f = arg;
    struct device_job j;
    struct gm_err err = {0};
    job_open(&j, -1, f->lines);
    int rc = device_job_run(&j, "encode", &err);
    if (rc == 0) { /* bits that no decoder takes are found by verify, or by the writer before */
        rc = folder_io_verify(j.f, "encode", 0, 0, 0, &err);
    }
    if (rc != -(int)f->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", f->lines, rc, err.text);
        fake_gpu_fail("the task fails with this code", __FILE__, __LINE__);
    }
    device_job_close(&j);
}

static void a_device_that_fails_ends_the_task_with_its_code(void **state)
{
    (void)state;
    static const struct failure failures[] = {
        {"fault encode lost at=100\n", GM_E_DEVICE_LOST},
        {"fault va-init error\n", GM_E_DEVICE_DRIVER},
        {"fault encode-init oom\n", GM_E_DEVICE_MEMORY},
        {"fault encode corrupt\n", GM_E_MEDIA_VERIFY},
        {"rate cqp,cbr,vbr\n", GM_E_PIPELINE_UNFIT}, /* another driver than the plan's */
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (fake_gpu_run(fail_encode, &failures[i]) != 0) {
            fail_msg("%s", failures[i].lines);
        }
    }
}

/* The GPU that plans has B pictures, the one that encodes has none: other parameter sets. */
static void mix_chips(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    job_open(&j, 17, "");
    fake_gpu_profile("none",
                     "gpu 0000:03:00.0\n node renderD128\n encode h264 8 32x32 4096x4096 0\n");
    int rc = device_job_run(&j, "encode", &err);
    if (rc != -GM_E_MEDIA_VERIFY || strstr(err.text, "other parameter sets") == NULL) {
        (void)fprintf(stderr, "%d: %s\n", rc, err.text);
        fake_gpu_fail("it is found", __FILE__, __LINE__);
    }
    device_job_close(&j);
}

static void another_chip_is_found_by_its_parameter_sets(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(mix_chips, NULL), 0);
}

int main(void)
{
    vaapi_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_on_vaapi_has_every_frame),
        cmocka_unit_test(a_device_that_fails_ends_the_task_with_its_code),
        cmocka_unit_test(another_chip_is_found_by_its_parameter_sets),
    };
    return cmocka_run_group_tests(tests, device_job_make_source, device_job_remove_source);
}
