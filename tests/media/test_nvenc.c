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

#include "media/nvenc.h"
#include "media/nvenc_io.h"

struct failure {
    const char *profile, *lines, *device;
    enum gm_code code;
    const char *says;
};
static const struct failure failures[] = {
    {"none", "", "", GM_E_DEVICE_ABSENT, "NO_DEVICE"},
    {"l4", "", "7", GM_E_DEVICE_ABSENT, "no GPU 7 among 1"},
    {"l4", "", "0000:99:00.0", GM_E_DEVICE_ABSENT, "no GPU"},
    {"l4", "", "no-such-device", GM_E_DEVICE_ABSENT, "no GPU"},
    {"h200", "", "", GM_E_DEVICE_ABSENT, "no video encoder"},
    {"two-gpus", "", "0000:3b:00.0", GM_E_DEVICE_ABSENT, "no video encoder"},
    {"old-driver", "", "", GM_E_DEVICE_DRIVER, "too old"},
    {"mismatch", "", "", GM_E_DEVICE_DRIVER, "cuInit"},
    {"l4", "fault encode-open error\n", "", GM_E_DEVICE_DRIVER, "refused an encoder session"},
    {"l4", "fault encode-init error\n", "", GM_E_DEVICE_DRIVER, "did not open"},
    {"l4", "fault encode-open oom\n", "", GM_E_DEVICE_BUSY, "no further encoder session"},
    {"l4", "fault encode-init oom\n", "", GM_E_DEVICE_BUSY, "no further encoder session"},
    {"l4", "fault context oom\n", "", GM_E_DEVICE_MEMORY, "OUT_OF_MEMORY"},
    {"l4", "fault encode-open lost\n", "", GM_E_DEVICE_LOST, ""},
    {"none",
     "gpu 0000:05:00.0\n memory-mib 32\n encoders 1\n encode h264 8 16x16 4096x4096 3\n"
     "fault encode-open oom\n",
     "", GM_E_DEVICE_MEMORY, "32 MiB"},
    {"none",
     "gpu 0000:05:00.0\n memory-mib 48\n encoders 1\n encode h264 8 16x16 4096x4096 3\n"
     "fault encode-init oom\n",
     "", GM_E_DEVICE_MEMORY, "48 MiB"},
};

static void fail_open(const void *arg)
{
    const struct failure *f = arg;
    struct nvenc_set s;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    fake_gpu_profile(f->profile, f->lines);
    nvenc_init(&s, "h264", false, 23, -1);
    s.params.device = f->device;
    int rc = gm_encoder_open(&s.params, &e, &err);
    if (rc != -(int)f->code || strstr(err.text, f->says) == NULL || e != NULL) {
        (void)fprintf(stderr, "%s %s: %d: %s\n", f->profile, f->lines, rc, err.text);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
}

static void each_refusal_has_its_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_open, &failures[i]), 0);
    }
}

/* Run with no driver to be found. */
static int no_driver(void)
{
    struct nvenc_set s;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    AVBufferRef *device = NULL;
    nvenc_init(&s, "h264", false, 23, -1);
    int rc = gm_encoder_open(&s.params, &e, &err);
    bool right = rc == -GM_E_DEVICE_ABSENT && strstr(err.text, "libcuda.so.1") != NULL &&
                 gm_encoder_hold("nvenc", "", &device, &err) == -GM_E_DEVICE_ABSENT &&
                 device == NULL && gm_encoder_hold("cpu", "", &device, &err) == 0 &&
                 device == NULL && gm_nvenc_version() == 0;
    return right ? 0 : 1;
}

/* Run with libcuda.so.1 alone: a container without the `video` capability. */
static void no_video(const void *arg)
{
    static const struct failure f = {"no-video", "", "", GM_E_DEVICE_ABSENT,
                                     "libnvidia-encode.so.1"};
    (void)arg;
    fail_open(&f);
}

static void without_a_driver_the_device_is_absent(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run_bare("no-driver"), 0);
    assert_int_equal(fake_gpu_run_cuda("no-video"), 0);
}

static void use_all_sessions(const void *arg)
{
    (void)arg;
    struct nvenc_set s;
    struct gm_encoder *all[3];
    struct gm_encoder *more = NULL;
    struct gm_err err = {0};
    fake_gpu_profile("geforce", "");
    nvenc_init(&s, "h264", false, 23, -1);
    for (size_t i = 0; i < 3; i++) {
        all[i] = nvenc_open(&s);
    }
    CHECK(gm_encoder_open(&s.params, &more, &err) == -GM_E_DEVICE_BUSY);
    gm_encoder_close(&all[1]);
    more = nvenc_open(&s); /* the session is free at once */
    gm_encoder_close(&more);
    gm_encoder_close(&all[0]);
    gm_encoder_close(&all[2]);
}

static void sessions_that_are_all_taken_are_busy(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(use_all_sessions, NULL), 0);
}

struct loss {
    const char *lines;
    enum gm_code code;
};

static void lose(const void *arg)
{
    const struct loss *l = arg;
    struct nvenc_set s;
    struct nvenc_stream m;
    struct gm_err err = {0};
    fake_gpu_profile("l4", l->lines);
    nvenc_init(&s, "h264", false, 23, -1);
    struct gm_encoder *e = nvenc_open(&s);
    int rc = nvenc_encode(e, &s, &m, &err);
    if (rc != -(int)l->code || m.count >= FRAMES) {
        (void)fprintf(stderr, "%s: %d: %s\n", l->lines, rc, err.text);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
    nvenc_fini(&m);
    gm_encoder_close(&e);
}

static void a_failure_in_mid_stream_has_its_code(void **state)
{
    (void)state;
    static const struct loss losses[] = {{"fault encode lost at=12\n", GM_E_DEVICE_LOST},
                                         {"fault encode error at=12\n", GM_E_DEVICE_LOST},
                                         {"fault lock lost at=3\n", GM_E_DEVICE_LOST},
                                         {"fault encode oom at=1\n", GM_E_DEVICE_MEMORY}};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        assert_int_equal(fake_gpu_run(lose, &losses[i]), 0);
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
        cmocka_unit_test(a_failure_in_mid_stream_has_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
