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

static void job_open(struct device_job *j, const char *codec, int qp, const char *lines)
{
    fake_gpu_profile("none", SMALL);
    device_job_open(j, "nvenc", "0000:05:00.0", codec, qp);
    if (lines != NULL) {
        char text[512];
        (void)snprintf(text, sizeof text, SMALL "%s", lines);
        fake_gpu_profile("none", text);
    }
}

struct wish {
    const char *codec;
    int qp;
};

static void make_it(const void *arg)
{
    const struct wish *w = arg;
    struct device_job j;
    struct gm_err err;
    job_open(&j, w->codec, w->qp, "sessions 1\n"); /* one rendition: never more than one session */
    Gm__Policy *policy = device_job_policy(&j);
    CHECK(strcmp(policy->chain, "nvenc") == 0);
    CHECK(strncmp(policy->chain_fingerprint, "nvenc:lavc-", 11) == 0);
    CHECK(strstr(policy->chain_fingerprint, ":fake chip/1.0-fake") != NULL);
    CHECK(policy->n_renditions == 1 && (policy->renditions[0]->maxrate_bps > 0) == (w->qp < 0));
    device_job_must(device_job_run(&j, "encode", &err), &err);
    CHECK(folder_io_items(j.f, "encode", 0, 0) == DEVICE_JOB_CHUNKS);
    folder_io_set_chain(j.f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < DEVICE_JOB_CHUNKS; i++) {
        device_job_must(folder_io_verify(j.f, "encode", 0, 0, i, &err), &err);
    }
    device_job_check(&j, policy, w->qp < 0 ? 0 : 30); /* the cap is too low to be seen through */
    gm__policy__free_unpacked(policy, NULL);
    device_job_close(&j);
}

static void a_job_on_nvenc_has_every_frame(void **state)
{
    (void)state;
    static const struct wish wishes[] = {{"h264", 17}, {"hevc", 17}, {"h264", -1}, {"hevc", -1}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(make_it, &wishes[i]), 0);
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
    job_open(&j, "h264", -1, f->lines);
    int rc = device_job_run(&j, "encode", &err);
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
        {"fault encode-open lost\n", GM_E_DEVICE_LOST},
        {"fault encode-open oom\n", GM_E_DEVICE_BUSY},
        {"fault context oom\n", GM_E_DEVICE_MEMORY},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_encode, &failures[i]), 0);
    }
}

/* The GPU that plans has B pictures, the one that encodes has none: other parameter sets. */
static void mix_chips(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    job_open(&j, "hevc", 17, NULL);
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 16x16 4096x4096 0\n");
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

/* Bits that no decoder takes are found by verify, or by the writer before: never taken. */
static void spoil(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, "fault encode corrupt\n");
    int rc = device_job_run(&j, "encode", &err);
    if (rc == 0) {
        rc = folder_io_verify(j.f, "encode", 0, 0, 0, &err);
    }
    if (rc != -GM_E_MEDIA_VERIFY) {
        (void)fprintf(stderr, "%d: %s\n", rc, err.text);
        fake_gpu_fail("it is found", __FILE__, __LINE__);
    }
    device_job_close(&j);
}

static void spoilt_bits_are_found(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(spoil, NULL), 0);
}

static void change_chain(const void *arg)
{
    (void)arg;
    struct device_job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, NULL);
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
    job_open(&j, "h264", -1, NULL);
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
        cmocka_unit_test(spoilt_bits_are_found),
        cmocka_unit_test(a_task_for_another_chain_than_the_plan_is_a_bug),
        cmocka_unit_test(what_nvenc_can_not_do_ends_the_plan),
    };
    return cmocka_run_group_tests(tests, device_job_make_source, device_job_remove_source);
}
