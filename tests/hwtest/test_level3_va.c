/* Level 3 of a VA driver's device where pictures stay on it, over the fake driver of tests/drivers,
 * which says nothing of real ones: that it is tried, told, and that faults are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/level1.h"
#include "hwtest/level3.h"
#include "kernels/kernels.h"
#include "media/fake_gpu_io.h"
#include "media/vaapi_io.h"

#define GPU "0000:03:00.0"
#define PROGRAM GM_BUILD_DIR "/bin/gopmill-hwtest"
#define SCALES "scale yes\n"

enum scaler { NONE, FAILED, PASSED };

static void prove(struct gm_device *d, bool encode, const char *codec, bool passed)
{
    struct gm_device_codec c = {.chroma = 420, .depth = 8, .engines = 1};
    struct gm_device_proof p = {.depth = 8, .encode = encode, .passed = passed};
    gm_device_set(p.api, "vaapi");
    gm_device_set(p.codec, codec);
    gm_device_set(c.api, "vaapi");
    gm_device_set(c.codec, codec);
    CHECK(gm_device_add_proof(d, &p));
    CHECK(strcmp(codec, GM_VA_LADDER) == 0 || gm_device_add_codec(d, encode, &c));
}

/* time: for the whole level: 0: all of it is skipped. */
static void measure(enum scaler scaler, bool decodes, gm_time time, struct gm_hwtest_report *r)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    const struct gm_hwtest_capacity_params how = {
        .program = PROGRAM, .end = gm_time_now() + time, .memory_bytes = 2ull << 30, .quick = true};
    CHECK(gm_device_get(&list, GPU, GM_DEVICE_DRM, &d, &err) == 0);
    gm_device_set(d->name, "gopmill fake GPU Arc");
    gm_device_set(d->render_node, VAAPI_NODE);
    CHECK(gm_device_add_feature(d, "vaapi-packed-headers"));
    d->encoding = GM_ENGINE_PRESENT;
    prove(d, true, "h264", true);
    if (decodes) {
        prove(d, false, "h264", true);
    }
    if (scaler != NONE) {
        prove(d, true, GM_VA_LADDER, scaler == PASSED);
    }
    CHECK(gm_hwtest_level1(&list, r, &err) == 0);
    CHECK(gm_hwtest_level3_device(d, &how, r, &err) == 0);
    gm_device_list_fini(&list);
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

/* How many streams hold says nothing here, but that they were tried. */
static void pictures_that_stay_are_measured(const void *arg)
{
    (void)arg;
    static const char *const rows[] = {"density.vpp.1080p30", "density.vpp.2160p30"};
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("arc", SCALES);
    measure(PASSED, true, 600 * GM_SEC, &r);
    for (size_t i = 0; i < 2; i++) {
        const struct gm_hwtest_check *c = get(&r, rows[i]);
        CHECK(c->status == GM_HWTEST_PASS || c->status == GM_HWTEST_WARN);
        CHECK(c->has_value && strcmp(c->unit, "streams") == 0);
        CHECK(strncmp(c->text, "fake driver", 11) == 0);
        CHECK(strstr(c->text, "pictures stay on the device, each") != NULL);
        CHECK(strstr(c->text, "refused") == NULL);
    }
    CHECK(get(&r, "density.vaapi.1080p30")->has_value); /* beside those that do not */
    CHECK(gm_hwtest_find(&r, GPU, "density.cuda.1080p30") == NULL);
    gm_hwtest_report_fini(&r);
}

/* Its decoder opens with fewer surfaces then, and brings pictures to memory. */
static void surfaces_that_are_too_few_end_the_climb(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    fake_gpu_profile("arc", SCALES "surface-kib 12288\n");
    measure(PASSED, true, 600 * GM_SEC, &r);
    const struct gm_hwtest_check *c = get(&r, "density.vpp.1080p30");
    CHECK(c->status == GM_HWTEST_WARN && c->has_value && (int)c->value == 0);
    CHECK(strstr(c->text, "refused another: device.memory") != NULL);
    CHECK(strstr(c->text, "no surfaces for decoded pictures that stay") != NULL);
    CHECK(strcmp(c->remedy, gm_code_get(GM_E_DEVICE_MEMORY)->remedy) == 0);
    gm_hwtest_report_fini(&r);
}

static void a_scaler_that_fails_is_a_failure(const void *arg)
{
    static const struct {
        const char *lines, *code;
    } faults[] = {{SCALES "fault scale wrong\n", "media.verify_failed"},
                  {SCALES "fault scale lost at=9\n", "device.lost"}};
    (void)arg;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct gm_hwtest_report r = {0};
        fake_gpu_profile("arc", faults[i].lines);
        measure(PASSED, true, 600 * GM_SEC, &r);
        const struct gm_hwtest_check *c = get(&r, "density.vpp.1080p30");
        CHECK(c->status == GM_HWTEST_FAIL && strstr(c->text, faults[i].code) != NULL);
        gm_hwtest_report_fini(&r);
    }
}

static void without_all_three_of_them_none_stay(const void *arg)
{
    static const struct {
        enum scaler scaler;
        bool decodes, told;
    } cases[] = {{FAILED, true, true}, {NONE, true, false}, {PASSED, false, false}};
    (void)arg;
    fake_gpu_profile("arc", SCALES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gm_hwtest_report r = {0};
        measure(cases[i].scaler, cases[i].decodes, 0, &r);
        CHECK(get(&r, "density.vaapi.1080p30")->status == GM_HWTEST_SKIP);
        CHECK(gm_hwtest_find(&r, GPU, "density.vpp.1080p30") == NULL);
        const struct gm_hwtest_check *c = gm_hwtest_find(&r, GPU, "density.vpp");
        CHECK((c != NULL) == cases[i].told);
        CHECK(c == NULL ||
              (c->status == GM_HWTEST_SKIP && strstr(c->text, "did not pass its proof") != NULL));
        gm_hwtest_report_fini(&r);
    }
}

#define CASE(fn)                                                                                   \
    static void test_##fn(void **state)                                                            \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(fake_gpu_run(fn, NULL), 0);                                               \
    }
CASE(pictures_that_stay_are_measured)
CASE(surfaces_that_are_too_few_end_the_climb)
CASE(a_scaler_that_fails_is_a_failure)
CASE(without_all_three_of_them_none_stay)

int main(void)
{
    vaapi_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_that_stay_are_measured),
        cmocka_unit_test(test_surfaces_that_are_too_few_end_the_climb),
        cmocka_unit_test(test_a_scaler_that_fails_is_a_failure),
        cmocka_unit_test(test_without_all_three_of_them_none_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
