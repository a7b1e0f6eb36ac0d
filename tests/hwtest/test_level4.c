/* A farm of this build's programs, for seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/level4.h"
#include "media/fake_gpu_io.h"

static const struct gm_hwtest_check *get(const struct gm_hwtest_report *r, const char *name)
{
    const struct gm_hwtest_check *c = gm_hwtest_find(r, "machine", name);
    if (c == NULL) {
        print_error("no check %s\n", name);
    } else {
        print_message("%s: %s: %s\n", name, gm_hwtest_status_name(c->status), c->text);
    }
    assert_non_null(c);
    return c;
}

static void jobs_end_with_the_same_bytes_while_workers_die(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    const struct gm_hwtest_soak_params params = {
        .programs = GM_BUILD_DIR "/bin", .minutes = 1, .seed = 42, .quick = true};
    assert_int_equal(gm_hwtest_level4(&params, &r, &err), 0);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_int_equal(c->status, GM_HWTEST_PASS);
    assert_true(c->value >= 3 && strstr(c->text, "seed 42,") != NULL);
    c = get(&r, "soak.goldens");
    assert_true(c->status == GM_HWTEST_PASS && strlen(c->hash) == 64);
    assert_true(get(&r, "soak.kills")->value >= 1);
    assert_int_equal(get(&r, "soak.left")->status, GM_HWTEST_PASS);
    c = get(&r, "soak.agent.memory");
    assert_true(c->status == GM_HWTEST_SKIP && c->series_count >= 3 && c->series[0] > 100);
    c = get(&r, "soak.scheduler.descriptors");
    assert_true(c->status == GM_HWTEST_SKIP && c->series[0] > 3);
    (void)get(&r, "soak.scheduler.memory");
    (void)get(&r, "soak.agent.descriptors");
    gm_hwtest_report_fini(&r);
}

static void programs_that_are_missing_are_named(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    const struct gm_hwtest_soak_params params = {
        .programs = "/nonexistent", .minutes = 1, .seed = 1, .quick = true};
    assert_int_equal(gm_hwtest_level4(&params, &r, &err), 0);
    const struct gm_hwtest_check *c = get(&r, "soak");
    assert_true(c->status == GM_HWTEST_FAIL && strstr(c->text, "gopmill-scheduler") != NULL);
    assert_int_equal(r.check_count, 1);
    gm_hwtest_report_fini(&r);
}

/* Over the fake drivers, which say nothing of real ones. */
static void on_fakes(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    char options[600], folder[256];
    fake_gpu_profile("l4", "");
    (void)snprintf(folder, sizeof folder, "%s", getenv("GOPMILL_FAKE_DRIVERS"));
    *strrchr(folder, '/') = '\0';
    (void)snprintf(options, sizeof options,
                   "device_environment: [LD_LIBRARY_PATH, GOPMILL_FAKE_DRIVERS]\n"
                   "device_paths: [\"%s\", \"" GM_BUILD_DIR "/tests/drivers/lib\"]\n",
                   folder);
    const struct gm_hwtest_soak_params params = {.programs = GM_BUILD_DIR "/bin",
                                                 .node_options = options,
                                                 .minutes = 1,
                                                 .seed = 7,
                                                 .devices = true,
                                                 .quick = true};
    CHECK(gm_hwtest_level4(&params, &r, &err) == 0);
    for (size_t i = 0; i < r.check_count; i++) {
        (void)fprintf(stderr, "%s: %s: %s\n", r.checks[i].name,
                      gm_hwtest_status_name(r.checks[i].status), r.checks[i].text);
    }
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, "machine", "soak.goldens.devices");
    CHECK(c != NULL && c->value >= 1);
    CHECK(gm_hwtest_find(&r, "machine", "soak.goldens.instead") == NULL);
    c = gm_hwtest_find(&r, "machine", "soak.jobs");
    CHECK(c != NULL && c->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

static void every_second_job_is_a_devices(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(on_fakes, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_end_with_the_same_bytes_while_workers_die),
        cmocka_unit_test(every_second_job_is_a_devices),
        cmocka_unit_test(programs_that_are_missing_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
