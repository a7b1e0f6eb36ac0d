/* Why NVENC fails, over the fake drivers of tests/drivers: the code and the words of each failure.
 * Nothing here says anything about a real encoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/device/nvenc.h"
#include "media/device_encoder_io.h"

#define ON(base_name, text, id)                                                                    \
    .base = (base_name), .lines = (text), .chain = "nvenc", .device = (id)
#define MIB(size)                                                                                  \
    "gpu 0000:05:00.0\n memory-mib " size "\n encoders 1\n encode h264 8 16x16 4096x4096 3\n"

static const struct device_refusal failures[] = {
    {ON("none", "", ""), GM_E_DEVICE_ABSENT, "NO_DEVICE"},
    {ON("l4", "", "7"), GM_E_DEVICE_ABSENT, "no GPU 7 among 1"},
    {ON("l4", "", "0000:99:00.0"), GM_E_DEVICE_ABSENT, "no GPU"},
    {ON("l4", "", "no-such-device"), GM_E_DEVICE_ABSENT, "no GPU"},
    {ON("h200", "", ""), GM_E_DEVICE_ABSENT, "no video encoder"},
    {ON("two-gpus", "", "0000:3b:00.0"), GM_E_DEVICE_ABSENT, "no video encoder"},
    {ON("old-driver", "", ""), GM_E_DEVICE_DRIVER, "too old"},
    {ON("mismatch", "", ""), GM_E_DEVICE_DRIVER, "cuInit"},
    {ON("l4", "fault encode-open error\n", ""), GM_E_DEVICE_DRIVER, "refused an encoder session"},
    {ON("l4", "fault encode-init error\n", ""), GM_E_DEVICE_DRIVER, "did not open"},
    {ON("l4", "fault encode-open oom\n", ""), GM_E_DEVICE_BUSY, "no further encoder session"},
    {ON("l4", "fault encode-init oom\n", ""), GM_E_DEVICE_BUSY, "no further encoder session"},
    {ON("l4", "fault encode-open busy\n", ""), GM_E_DEVICE_BUSY, "no further encoder session"},
    {ON("none", MIB("32") "fault encode-open busy\n", ""), GM_E_DEVICE_MEMORY, "32 MiB"},
    {ON("l4", "fault context oom\n", ""), GM_E_DEVICE_MEMORY, "OUT_OF_MEMORY"},
    {ON("l4", "fault encode-open lost\n", ""), GM_E_DEVICE_LOST, ""},
    {ON("none", MIB("32") "fault encode-open oom\n", ""), GM_E_DEVICE_MEMORY, "32 MiB"},
    {ON("none", MIB("48") "fault encode-init oom\n", ""), GM_E_DEVICE_MEMORY, "48 MiB"},
};

static void each_refusal_has_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(device_refuses, &failures[i]), 0);
    }
}

/* Run with no driver to be found. */
static int no_driver(void)
{
    struct device_set s;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    AVBufferRef *device = NULL;
    device_init(&s, "nvenc", NULL, "h264", false, 23, -1);
    int rc = gm_encoder_open(&s.params, &e, &err);
    bool right = rc == -GM_E_DEVICE_ABSENT && strstr(err.text, "libcuda.so.1") != NULL &&
                 gm_encoder_hold("nvenc", "", false, &device, &err) == -GM_E_DEVICE_ABSENT &&
                 device == NULL && gm_encoder_hold("cpu", "", true, &device, &err) == 0 &&
                 device == NULL && gm_nvenc_version() == 0;
    return right ? 0 : 1;
}

/* Run with libcuda.so.1 alone: a container without the `video` capability. */
static void no_video(const void *arg)
{
    static const struct device_refusal f = {ON("no-video", "", ""), GM_E_DEVICE_ABSENT,
                                            "libnvidia-encode.so.1"};
    (void)arg;
    device_refuses(&f);
}

static void without_a_driver_the_device_is_absent(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run_bare("no-driver"), 0);
    assert_int_equal(fake_gpu_run_cuda("no-video"), 0);
}

static void use_all_sessions(const void *arg)
{
    struct device_set s;
    struct gm_encoder *all[3];
    struct gm_encoder *more = NULL;
    struct gm_err err = {0};
    fake_gpu_profile("geforce", arg);
    device_init(&s, "nvenc", NULL, "h264", false, 23, -1);
    for (size_t i = 0; i < 3; i++) {
        all[i] = device_open(&s);
    }
    CHECK(gm_encoder_open(&s.params, &more, &err) == -GM_E_DEVICE_BUSY);
    gm_encoder_close(&all[1]);
    more = device_open(&s); /* the session is free at once */
    gm_encoder_close(&more);
    gm_encoder_close(&all[0]);
    gm_encoder_close(&all[2]);
}

static void sessions_that_are_all_taken_are_busy(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(use_all_sessions, " full memory\n"), 0);
    assert_int_equal(fake_gpu_run(use_all_sessions, " full key\n"), 0);
}

/* libavcodec finds none, and then there is one: what it says may mean anything. */
static void find_one_late(const void *arg)
{
    struct device_set s;
    fake_gpu_profile("l4", arg);
    device_init(&s, "nvenc", NULL, "h264", false, 23, -1);
    struct gm_encoder *e = device_open(&s);
    gm_encoder_close(&e);
}

static void session_that_comes_free_is_taken(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(find_one_late, "fault encode-open busy times=1\n"), 0);
    /* others take it before libavcodec asks again */
    assert_int_equal(fake_gpu_run(find_one_late,
                                  "fault encode-open busy at=1\nfault encode-open busy at=3\n"
                                  "fault encode-open busy at=5\n"),
                     0);
}

#define LOSS(line) ON("l4", "fault " line "\n", NULL)

static void a_failure_in_mid_stream_has_its_code(void **state)
{
    (void)state;
    static const struct device_refusal losses[] = {
        {LOSS("encode lost at=12"), GM_E_DEVICE_LOST, "", .at_work = true},
        {LOSS("encode error at=12"), GM_E_DEVICE_LOST, "", .at_work = true},
        {LOSS("lock lost at=3"), GM_E_DEVICE_LOST, "", .at_work = true},
        {LOSS("encode oom at=1"), GM_E_DEVICE_MEMORY, "", .at_work = true}};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        assert_int_equal(fake_gpu_run(device_refuses, &losses[i]), 0);
    }
}

int main(int argc, char **argv)
{
    fake_gpu_start(argv);
    if (argc == 2 && strcmp(argv[1], "no-driver") == 0) {
        return no_driver();
    }
    if (argc == 2 && strcmp(argv[1], "no-video") == 0) {
        return fake_gpu_run(no_video, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_code),
        cmocka_unit_test(without_a_driver_the_device_is_absent),
        cmocka_unit_test(sessions_that_are_all_taken_are_busy),
        cmocka_unit_test(session_that_comes_free_is_taken),
        cmocka_unit_test(a_failure_in_mid_stream_has_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
