/* Level 3 of devices over the fake drivers of tests/drivers, which say nothing of real ones: that
 * all is tried, told, and that faults are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hwtest/level1.h"
#include "hwtest/level3.h"
#include "media/fake_gpu_io.h"
#include "node/measured.h"

#define GPU "0000:00:1e.0"
#define PROGRAM GM_BUILD_DIR "/bin/gopmill-hwtest"

static void add_codec(struct gm_device *d, bool encode, const char *api, const char *codec,
                      bool passed)
{
    struct gm_device_codec c = {.chroma = 420, .depth = 8, .engines = encode ? 2 : 3};
    struct gm_device_proof p = {.depth = 8, .encode = encode, .passed = passed};
    gm_device_set(c.api, api);
    gm_device_set(c.codec, codec);
    gm_device_set(p.api, api);
    gm_device_set(p.codec, codec);
    CHECK(gm_device_add_codec(d, encode, &c) && gm_device_add_proof(d, &p));
}

static bool kernel_fails; /* in its proof; of a case's own process */

/* The level over a GPU with those; proven: what passed its proof; limit_ms: of a process; 0: the
 * usual. */
static void measure_within(bool encoder, bool decoder, bool proven, gm_time time, uint32_t limit_ms,
                           struct gm_hwtest_report *r)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    const struct gm_hwtest_capacity_params how = {.program = PROGRAM,
                                                  .end = gm_time_now() + time,
                                                  .memory_bytes = 2ull << 30,
                                                  .limit_ms = limit_ms,
                                                  .quick = true};
    CHECK(gm_device_get(&list, GPU, GM_DEVICE_NVIDIA, &d, &err) == 0);
    gm_device_set(d->name, "NVIDIA gopmill fake GPU L4");
    CHECK(gm_device_add_feature(d, GM_FEATURE_CUDA "8.9"));
    d->encoding = encoder ? GM_ENGINE_PRESENT : GM_ENGINE_ABSENT;
    if (encoder) {
        add_codec(d, true, "nvenc", "h264", proven);
    }
    if (decoder) {
        add_codec(d, false, "nvdec", "h264", proven);
        add_codec(d, false, "nvdec", "av1", false);
    }
    if (kernel_fails) {
        struct gm_device_proof p = {.depth = 8, .encode = true};
        gm_device_set(p.api, "cuda");
        gm_device_set(p.codec, "cuda-ladder-1");
        CHECK(gm_device_add_proof(d, &p));
    }
    CHECK(gm_hwtest_level1(&list, r, &err) == 0);
    CHECK(gm_hwtest_level3_device(d, &how, r, &err) == 0);
    gm_device_list_fini(&list);
}

static void measure(bool encoder, bool decoder, bool proven, gm_time time,
                    struct gm_hwtest_report *r)
{
    measure_within(encoder, decoder, proven, time, 0, r);
}

static const struct gm_hwtest_check *get(const struct gm_hwtest_report *r, const char *name)
{
    const struct gm_hwtest_check *c = gm_hwtest_find(r, GPU, name);
    if (c == NULL) {
        (void)fprintf(stderr, "no check %s\n", name);
    }
    CHECK(c != NULL);
    return c;
}

/* Of a node with that GPU, were the run not short: its checks are those that a node reads. */
static void check_that_a_node_takes(struct gm_hwtest_report *r)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    CHECK(gm_device_get(&list, GPU, GM_DEVICE_NVIDIA, &d, &err) == 0);
    gm_device_set(d->name, gm_hwtest_find_device(r, GPU)->name);
    add_codec(d, true, "nvenc", "h264", true);
    add_codec(d, false, "nvdec", "h264", true);
    r->level = 3;
    gm_measured_take(r, "report", "", &list);
    CHECK(d->rate_count == 0 && list.note_count == 1); /* its libraries are not known */
    gm_hwtest_set(r->libraries, "libavcodec-1");
    gm_measured_take(r, "report", "libavcodec-1", &list);
    CHECK(d->rate_count >= 2); /* 3 where a ladder held */
    CHECK(strcmp(d->rates[0].what, "encode") == 0 && d->rates[0].one > 0 && d->rates[0].all > 0);
    CHECK(strcmp(d->rates[d->rate_count - 1].what, "decode") == 0);
    CHECK(d->rates[d->rate_count - 1].streams > 0);
    gm_device_list_fini(&list);
}

static void all_is_measured(const void *arg)
{
    (void)arg;
    static const struct {
        const char *name, *unit;
    } rows[] = {
        {"sessions.nvenc", "sessions"},
        {"copy.cuda.up", "GB/s"},
        {"copy.cuda.down", "GB/s"},
        {"copy.cuda.up.pinned", "GB/s"},
        {"copy.cuda.down.pinned", "GB/s"},
        {"scale.cuda.1080", "fps"},
        {"scale.cuda.2160", "fps"},
        {"decode.nvdec.h264.8.1", "Mpix/s"},
        {"decode.nvdec.h264.8.2", "Mpix/s"},
        {"decode.nvdec.h264.8.3", "Mpix/s"},
        {"decode.nvdec.h264.8.4", "Mpix/s"},
        {"decode.nvdec.h264.8.peak", "Mpix/s"},
        {"decode.nvdec.h264.8.memory", "Mpix/s"},
        {"encode.nvenc.h264.8.1", "Mpix/s"},
        {"encode.nvenc.h264.8.2", "Mpix/s"},
        {"encode.nvenc.h264.8.4", "Mpix/s"},
        {"encode.nvenc.h264.8.peak", "Mpix/s"},
        {"together.decode", "Mpix/s"},
        {"together.encode", "Mpix/s"},
        {"together.scale", "fps"},
        {"watts.idle", "W"},
        {"watts.together", "W"},
    };
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "");
    measure(true, true, true, 600 * GM_SEC, &r);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_hwtest_check *c = get(&r, rows[i].name);
        CHECK(c->status == GM_HWTEST_PASS && c->has_value && c->value > 0 && c->level == 3);
        CHECK(strcmp(c->unit, rows[i].unit) == 0 && strncmp(c->text, "fake driver", 11) == 0);
    }
    /* How many streams hold says nothing here. */
    CHECK(get(&r, "density.nvenc.1080p30")->has_value);
    CHECK(strstr(get(&r, "density.nvenc.2160p30")->text, "limited by") != NULL);
    CHECK(get(&r, "density.cuda.1080p30")->has_value);
    const struct gm_hwtest_check *stays = get(&r, "density.cuda.2160p30");
    CHECK(stays->has_value && strcmp(stays->unit, "streams") == 0);
    CHECK(strstr(stays->text, "pictures stay on the device, each") != NULL);
    CHECK(strstr(stays->text, "limited by") != NULL);
    CHECK(strstr(get(&r, "copy.cuda.down")->text, "pageable") != NULL);
    CHECK(strstr(get(&r, "copy.cuda.down.pinned")->text, "page-locked") != NULL);
    CHECK(strstr(get(&r, "decode.nvdec.h264.8.peak")->text, "limited by") != NULL);
    CHECK(strstr(get(&r, "together.decode")->text, "of its peak alone") != NULL);
    CHECK(gm_hwtest_find(&r, GPU, "decode.nvdec.av1.8.1") == NULL); /* it is not proven */
    check_that_a_node_takes(&r);
    gm_hwtest_report_fini(&r);
}

/* Of the whole machine; a ladder takes four. */
static void sessions_end_the_climb(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "sessions 3\n");
    measure(true, true, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "sessions.nvenc");
    CHECK(c->status == GM_HWTEST_PASS && (int)c->value == 3);
    CHECK(strstr(c->text, "refused: device.busy") != NULL);
    CHECK(get(&r, "encode.nvenc.h264.8.2")->status == GM_HWTEST_PASS);
    CHECK(gm_hwtest_find(&r, GPU, "encode.nvenc.h264.8.4") == NULL);
    CHECK(strstr(get(&r, "encode.nvenc.h264.8.peak")->text, "refused: device.busy") != NULL);
    c = get(&r, "together.encode");
    CHECK(c->status == GM_HWTEST_PASS);
    CHECK(strstr(c->text, "3 streams; another was refused: device.busy") != NULL);
    c = get(&r, "density.nvenc.1080p30");
    CHECK(c->status == GM_HWTEST_WARN && (int)c->value == 0);
    CHECK(strstr(c->text, "device.busy") != NULL);
    c = get(&r, "density.cuda.1080p30");
    CHECK(c->status == GM_HWTEST_WARN && c->has_value && (int)c->value == 0);
    CHECK(strstr(c->text, "limited by the device, which refused another: device.busy") != NULL);
    CHECK(strcmp(c->remedy, gm_code_get(GM_E_DEVICE_BUSY)->remedy) == 0);
    gm_hwtest_report_fini(&r);
}

/* Found by the run itself. */
static void a_kernel_that_is_wrong_makes_no_ladders(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault launch wrong\nfault pin oom\n");
    measure(false, true, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "density.unencoded.1080p30");
    CHECK(c->status == GM_HWTEST_FAIL && strstr(c->text, "media.verify_failed") != NULL);
    CHECK(get(&r, "ladder.nvdec.1080p30.streams")->status == GM_HWTEST_PASS);
    CHECK(get(&r, "copy.cuda.down")->status == GM_HWTEST_PASS);
    c = get(&r, "copy.cuda.up.pinned"); /* no page-locked memory */
    CHECK(c->status == GM_HWTEST_WARN && strstr(c->text, "device.memory: cuMemHostAlloc") != NULL);
    CHECK(get(&r, "decode.nvdec.h264.8.memory")->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

static void a_kernel_that_failed_its_proof_is_not_tried(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "");
    kernel_fails = true;
    measure(true, true, true, 0, &r);
    const struct gm_hwtest_check *c = get(&r, "density.cuda");
    CHECK(c->status == GM_HWTEST_SKIP && strstr(c->text, "did not pass its proof") != NULL);
    CHECK(gm_hwtest_find(&r, GPU, "density.cuda.1080p30") == NULL);
    (void)get(&r, "density.nvenc.1080p30");
    gm_hwtest_report_fini(&r);
}

static void a_chip_without_an_encoder_says_so(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    fake_gpu_profile("l4", "");
    struct gm_hwtest_check alone = gm_hwtest_check_make("cpu", "ladder.1080p30.streams", 3);
    gm_hwtest_measure(&alone, 3.25, "streams", NULL, NULL);
    CHECK(gm_hwtest_add(&r, &alone, &err) == 0);
    measure(false, true, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "density");
    CHECK(c->status == GM_HWTEST_SKIP && strstr(c->text, "no encoder in this chip") != NULL);
    CHECK(get(&r, "density.unencoded.1080p30")->has_value);
    c = get(&r, "density.unencoded.2160p30");
    CHECK(c->has_value && strstr(c->text, "not encoded, each of at least 30") != NULL);
    CHECK(gm_hwtest_find(&r, GPU, "density.cuda.1080p30") == NULL);
    c = get(&r, "ladder.nvdec.1080p30.streams");
    CHECK(c->status == GM_HWTEST_PASS && c->value > 0 && strcmp(c->unit, "streams") == 0);
    CHECK(strstr(c->text, "; the processor alone: 3.25") != NULL);
    CHECK(get(&r, "ladder.nvdec.2160p30.streams")->value > 0);
    CHECK(get(&r, "together.decode")->value > 0);
    CHECK(gm_hwtest_find(&r, GPU, "together.encode") == NULL);
    gm_hwtest_report_fini(&r);
}

static void a_lost_device_fails_and_is_left_alone(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault launch lost at=2\n");
    measure(true, true, true, 600 * GM_SEC, &r);
    CHECK(get(&r, "copy.cuda.up")->status == GM_HWTEST_PASS);
    const struct gm_hwtest_check *c = get(&r, "scale.cuda.1080");
    CHECK(c->status == GM_HWTEST_FAIL && strstr(c->text, "device.lost") != NULL);
    CHECK(strcmp(c->remedy, gm_code_get(GM_E_DEVICE_LOST)->remedy) == 0);
    c = get(&r, "decode.nvdec.h264.8");
    CHECK(c->status == GM_HWTEST_SKIP && strstr(c->text, "lost before this") != NULL);
    gm_hwtest_report_fini(&r);
}

static void a_crash_fails_its_own_work(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault decode crash at=3\n");
    measure(false, true, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "decode.nvdec.h264.8");
    CHECK(c->status == GM_HWTEST_FAIL && strstr(c->text, "crashed") != NULL);
    CHECK(get(&r, "scale.cuda.1080")->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

static void without_time_or_proofs_nothing_is_tried(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0}, none = {0};
    fake_gpu_profile("l4", "");
    measure(true, true, true, 0, &r);
    for (size_t i = 0; i < r.check_count; i++) {
        CHECK(r.checks[i].level < 3 || r.checks[i].status == GM_HWTEST_SKIP);
    }
    CHECK(strstr(get(&r, "sessions.nvenc")->text, "time of this level is over") != NULL);
    measure(true, true, false, 0, &none);
    CHECK(gm_hwtest_find(&none, GPU, "sessions.nvenc") == NULL);
    gm_hwtest_report_fini(&r);
    gm_hwtest_report_fini(&none);
}

/* Little time is left when it begins: it has its usual time all the same. */
static void what_hangs_fails_though_little_time_is_left(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault encode-open hang\n");
    measure_within(true, false, true, GM_SEC, 1200, &r);
    const struct gm_hwtest_check *c = get(&r, "sessions.nvenc");
    CHECK(c->status == GM_HWTEST_FAIL && strstr(c->text, "did not end within 1200 ms") != NULL);
    c = get(&r, "encode.nvenc.h264.8");
    CHECK(c->status == GM_HWTEST_SKIP && strstr(c->text, "hung before this") != NULL);
    gm_hwtest_report_fini(&r);
}

static void a_processor_that_hangs_fails_though_little_time_is_left(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    char program[] = "/tmp/gopmill-hangs-XXXXXX";
    static const char script[] = "#!/bin/sh\nexec sleep 600\n";
    int fd = mkstemp(program);
    CHECK(fd >= 0 && write(fd, script, sizeof(script) - 1) == (ssize_t)sizeof(script) - 1);
    CHECK(fchmod(fd, 0700) == 0 && close(fd) == 0);
    const struct gm_device processor = {.kind = GM_DEVICE_CPU, .id = "cpu", .cpu_milli = 1000};
    const struct gm_hwtest_capacity_params how = {
        .program = program, .end = gm_time_now() + GM_SEC, .limit_ms = 1200, .quick = true};
    CHECK(gm_hwtest_level3_processor(&processor, &how, &r, &err) == 0);
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, "cpu", "rate.h264");
    CHECK(c != NULL && c->status == GM_HWTEST_FAIL && strstr(c->text, "did not end") != NULL);
    c = gm_hwtest_find(&r, "cpu", "ladder.2160p30");
    CHECK(c != NULL && c->status == GM_HWTEST_SKIP && strstr(c->text, "time of this") != NULL);
    (void)unlink(program);
    gm_hwtest_report_fini(&r);
}

/* One process alone answers; of two at once the one that began first crashes in another way. */
static void of_two_crashes_the_first_is_told(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    char dir[] = "/tmp/gopmill-crashes-XXXXXX";
    char program[64], command[128];
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(program, sizeof(program), "%s/program", dir);
    FILE *f = fopen(program, "w");
    CHECK(f != NULL && fprintf(f,
                               "#!/bin/sh\n"
                               "mkdir %s/first 2>/dev/null && exec %s \"$@\"\n"
                               ": >%s/$$\n"
                               "until set -- %s/[0-9]* && [ $# -ge 2 ]; do sleep 0.02; done\n"
                               "for other; do [ ${other##*/} -ge $$ ] || kill -ABRT $$; done\n"
                               "kill -SEGV $$\n",
                               dir, PROGRAM, dir, dir) > 0);
    CHECK(fclose(f) == 0 && chmod(program, 0700) == 0);
    const struct gm_device processor = {.kind = GM_DEVICE_CPU, .id = "cpu", .cpu_milli = 2000};
    const struct gm_hwtest_capacity_params how = {
        .program = program, .end = gm_time_now() + 60 * GM_SEC, .quick = true};
    CHECK(gm_hwtest_level3_processor(&processor, &how, &r, &err) == 0);
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, "cpu", "rate.h264");
    CHECK(c != NULL && c->status == GM_HWTEST_FAIL && strstr(c->text, "signal 11") != NULL);
    gm_hwtest_report_fini(&r);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    CHECK(system(command) == 0);
}

static void a_device_that_has_no_room_for_all_does_less_at_once(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault encode oom at=2 times=2\n");
    measure(true, false, true, 600 * GM_SEC, &r);
    CHECK(get(&r, "encode.nvenc.h264.8")->status == GM_HWTEST_FAIL);
    const struct gm_hwtest_check *c = get(&r, "together.encode");
    CHECK(c->status == GM_HWTEST_PASS && c->value > 0);
    CHECK(strstr(c->text, "2 streams; another was refused: device.memory") != NULL);
    CHECK(get(&r, "together.scale")->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

static void a_full_device_is_said_to_be_full(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    const char *remedy = gm_code_get(GM_E_DEVICE_MEMORY)->remedy;
    fake_gpu_profile("l4", "fault encode oom at=2\n");
    measure(true, false, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "together");
    CHECK(c->status == GM_HWTEST_WARN && strcmp(c->remedy, remedy) == 0);
    CHECK(strstr(c->text, "the device is full: device.memory") != NULL);
    c = get(&r, "density.nvenc.1080p30");
    CHECK(c->status == GM_HWTEST_WARN && (int)c->value == 0 && strcmp(c->remedy, remedy) == 0);
    CHECK(strstr(c->text, "refused another: device.memory") != NULL);
    gm_hwtest_report_fini(&r);
}

/* Only the first that asks: the kernel's part. */
static void an_engine_without_room_is_left_out(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("l4", "fault alloc oom at=1\n");
    measure(false, true, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "together.scale");
    CHECK(c->status == GM_HWTEST_SKIP && strstr(c->text, "device.memory") != NULL);
    CHECK(get(&r, "together.decode")->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

#define CASE(fn)                                                                                   \
    static void test_##fn(void **state)                                                            \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(fake_gpu_run(fn, NULL), 0);                                               \
    }
CASE(all_is_measured)
CASE(sessions_end_the_climb)
CASE(a_kernel_that_is_wrong_makes_no_ladders)
CASE(a_kernel_that_failed_its_proof_is_not_tried)
CASE(a_chip_without_an_encoder_says_so)
CASE(a_lost_device_fails_and_is_left_alone)
CASE(a_crash_fails_its_own_work)
CASE(without_time_or_proofs_nothing_is_tried)
CASE(what_hangs_fails_though_little_time_is_left)
CASE(a_processor_that_hangs_fails_though_little_time_is_left)
CASE(of_two_crashes_the_first_is_told)
CASE(a_device_that_has_no_room_for_all_does_less_at_once)
CASE(a_full_device_is_said_to_be_full)
CASE(an_engine_without_room_is_left_out)

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_measured),
        cmocka_unit_test(test_sessions_end_the_climb),
        cmocka_unit_test(test_a_kernel_that_is_wrong_makes_no_ladders),
        cmocka_unit_test(test_a_kernel_that_failed_its_proof_is_not_tried),
        cmocka_unit_test(test_a_chip_without_an_encoder_says_so),
        cmocka_unit_test(test_a_lost_device_fails_and_is_left_alone),
        cmocka_unit_test(test_a_crash_fails_its_own_work),
        cmocka_unit_test(test_without_time_or_proofs_nothing_is_tried),
        cmocka_unit_test(test_what_hangs_fails_though_little_time_is_left),
        cmocka_unit_test(test_a_processor_that_hangs_fails_though_little_time_is_left),
        cmocka_unit_test(test_of_two_crashes_the_first_is_told),
        cmocka_unit_test(test_a_device_that_has_no_room_for_all_does_less_at_once),
        cmocka_unit_test(test_a_full_device_is_said_to_be_full),
        cmocka_unit_test(test_an_engine_without_room_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
