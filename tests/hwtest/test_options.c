#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/options.h"

static int parse(struct gm_hwtest_options *o, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return gm_hwtest_options_parse(argc, argv, o);
}

static int parse_try(struct gm_hwtest_try *t, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return gm_hwtest_try_parse(argc, argv, t);
}
#define PARSE(o, ...) parse(o, (char *[]){(char *)"gopmill-hwtest", __VA_ARGS__, NULL})
#define TRY(t, ...) parse_try(t, (char *[]){(char *)"try", __VA_ARGS__, NULL})

static void options_are_taken(void **state)
{
    (void)state;
    struct gm_hwtest_options o;
    assert_int_equal(parse(&o, (char *[]){(char *)"gopmill-hwtest", NULL}), -1);
    assert_true(o.level == 1 && o.device == NULL && o.baseline == NULL);
    assert_int_equal(PARSE(&o, (char *)"--level", (char *)"2", (char *)"--device=cpu",
                           (char *)"--json", (char *)"a", (char *)"--html", (char *)"b",
                           (char *)"--junit", (char *)"c", (char *)"--baseline", (char *)"d"),
                     -1);
    assert_int_equal(o.level, 2);
    assert_string_equal(o.device, "cpu");
    assert_string_equal(o.json, "a");
    assert_string_equal(o.html, "b");
    assert_string_equal(o.junit, "c");
    assert_string_equal(o.baseline, "d");
    assert_true(!o.quick && o.node_config == NULL);
    assert_int_equal(PARSE(&o, (char *)"--node-config", (char *)"n.yaml"), -1);
    assert_string_equal(o.node_config, "n.yaml");
    assert_int_equal(PARSE(&o, (char *)"--level=3", (char *)"--short"), -1);
    assert_true(o.quick && o.level == 3);
    assert_int_equal(PARSE(&o, (char *)"--level=4"), -1);
    assert_true(o.level == 4 && o.minutes == 60 && o.seed == 0);
    assert_int_equal(PARSE(&o, (char *)"--level=4", (char *)"--minutes=3", (char *)"--seed=9"), -1);
    assert_true(o.minutes == 3 && o.seed == 9 && !o.only && o.limit_s == 0);
    assert_int_equal(PARSE(&o, (char *)"--level=4", (char *)"--only"), -1);
    assert_true(o.only);
    assert_int_equal(PARSE(&o, (char *)"--level=3", (char *)"--time-limit=540"), -1);
    assert_true(o.limit_s == 540);
    assert_int_equal(PARSE(&o, (char *)"--time-limit", (char *)"86400"), -1);
    assert_true(o.limit_s == 86400 && o.level == 1);
    assert_int_equal(PARSE(&o, (char *)"--help"), 0);
    assert_int_equal(PARSE(&o, (char *)"--version"), 0);
}

static void wrong_ones_are_refused(void **state)
{
    (void)state;
    struct gm_hwtest_options o;
    static const char *const levels[] = {"0", "5", "44", "", "1x", "-1", "two"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        assert_int_equal(PARSE(&o, (char *)"--level", (char *)(uintptr_t)levels[i]), 2);
    }
    static const char *const counts[] = {"0", "-1", "x", "", "10001"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(
            PARSE(&o, (char *)"--level=4", (char *)"--minutes", (char *)(uintptr_t)counts[i]), 2);
    }
    assert_int_equal(PARSE(&o, (char *)"--level=4", (char *)"--seed=0"), 2);
    assert_int_equal(PARSE(&o, (char *)"--level=3", (char *)"--minutes=3"), 2);
    assert_int_equal(PARSE(&o, (char *)"--level=2", (char *)"--short"), 2);
    static const char *const limits[] = {"0", "-1", "x", "", "86401"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(
            PARSE(&o, (char *)"--level=3", (char *)"--time-limit", (char *)(uintptr_t)limits[i]),
            2);
    }
    assert_int_equal(PARSE(&o, (char *)"--level=4", (char *)"--time-limit=9"), 2);
    assert_int_equal(PARSE(&o, (char *)"--nodes"), 2);
    assert_int_equal(PARSE(&o, (char *)"--json"), 2);
    assert_int_equal(PARSE(&o, (char *)"cpu"), 2);
}

static void a_childs_work_is_whole_or_refused(void **state)
{
    (void)state;
    struct gm_hwtest_try t;
    assert_int_equal(TRY(&t, (char *)"kernels", (char *)"--device", (char *)"cpu"), -1);
    assert_int_equal(TRY(&t, (char *)"kernels"), 2);
    assert_int_equal(TRY(&t, (char *)"pictures", (char *)"--device=0000:3b:00.0",
                         (char *)"--api=cuda", (char *)"--codec=h264", (char *)"--depth=8"),
                     -1);
    assert_int_equal(TRY(&t, (char *)"pictures", (char *)"--device=0000:3b:00.0",
                         (char *)"--api=cuda", (char *)"--codec=h264"),
                     2);
    assert_int_equal(TRY(&t, (char *)"ladder", (char *)"--device=cpu", (char *)"--height=1080"),
                     -1);
    assert_int_equal(TRY(&t, (char *)"ladder", (char *)"--device=cpu", (char *)"--height=720"), 2);
    assert_int_equal(TRY(&t, (char *)"rate", (char *)"--device=cpu", (char *)"--codec=vp9"), -1);
    assert_int_equal(
        TRY(&t, (char *)"rate", (char *)"--device=0000:3b:00.0", (char *)"--codec=vp9"), 2);
    assert_int_equal(TRY(&t, (char *)"--device", (char *)"cpu"), 2);
    assert_int_equal(TRY(&t, (char *)"dance", (char *)"--device", (char *)"cpu"), 2);
    assert_int_equal(TRY(&t, (char *)"decode", (char *)"--device", (char *)"cpu", (char *)"--api",
                         (char *)"nvdec", (char *)"--codec", (char *)"h264"),
                     2);
    assert_int_equal(TRY(&t, (char *)"decode", (char *)"--device", (char *)"cpu", (char *)"--api",
                         (char *)"nvdec", (char *)"--codec", (char *)"h264", (char *)"--depth",
                         (char *)"9"),
                     2);
    assert_int_equal(TRY(&t, (char *)"decode", (char *)"--device", (char *)"cpu", (char *)"--api",
                         (char *)"nvdec", (char *)"--codec", (char *)"h264", (char *)"--depth",
                         (char *)"10"),
                     -1);
    assert_true(t.depth == 10 && strcmp(t.kind, "decode") == 0 && !t.text);
}

static void a_device_works_kinds_too(void **state)
{
    (void)state;
    struct gm_hwtest_try t;
    char *const d = (char *)"--device=0000:3b:00.0", *const api = (char *)"--api=nvenc";
    char *const codec = (char *)"--codec=h264", *const depth = (char *)"--depth=8";
    assert_int_equal(TRY(&t, (char *)"decoders", d, api, codec, depth, (char *)"--streams=7"), -1);
    assert_true(t.streams == 7 && !t.quick && t.source == NULL);
    assert_int_equal(TRY(&t, (char *)"encoders", d, api, codec), 2);
    assert_int_equal(TRY(&t, (char *)"sessions", d, api), -1);
    assert_int_equal(TRY(&t, (char *)"sessions", d), 2);
    assert_int_equal(TRY(&t, (char *)"scale", d, (char *)"--short"), -1);
    assert_true(t.quick);
    assert_int_equal(TRY(&t, (char *)"copy", d), -1);
    assert_int_equal(TRY(&t, (char *)"together", d), 2);
    assert_int_equal(TRY(&t, (char *)"together", d, codec, (char *)"--source=nvdec"), -1);
    assert_string_equal(t.source, "nvdec");
    assert_int_equal(TRY(&t, (char *)"density", d, api, (char *)"--height=2160"), 2);
    assert_int_equal(
        TRY(&t, (char *)"density", d, api, (char *)"--height=2160", (char *)"--budget=5000"), -1);
    assert_true(t.budget_ms == 5000 && t.height_px == 2160);
    assert_int_equal(TRY(&t, (char *)"staying", d, (char *)"--height=1080"), 2);
    assert_int_equal(TRY(&t, (char *)"staying", d, (char *)"--height=1080", (char *)"--budget=5"),
                     -1);
    assert_int_equal(TRY(&t, (char *)"assist", d, (char *)"--height=1080"), 2);
    assert_int_equal(
        TRY(&t, (char *)"assist", d, (char *)"--height=1080", (char *)"--source=nvdec"), -1);
    static const char *const wrong[] = {"0", "-1", "x", "", "99999999999", "3x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            TRY(&t, (char *)"sessions", d, api, (char *)"--streams", (char *)(uintptr_t)wrong[i]),
            2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_taken),
        cmocka_unit_test(wrong_ones_are_refused),
        cmocka_unit_test(a_childs_work_is_whole_or_refused),
        cmocka_unit_test(a_device_works_kinds_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
