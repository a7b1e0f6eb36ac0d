#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/level1.h"

#define GPU "0000:3b:00.0"

static struct gm_device *gpu(struct gm_device_list *list)
{
    struct gm_device *d = NULL;
    struct gm_err err;
    assert_int_equal(gm_device_get(list, GPU, GM_DEVICE_NVIDIA, &d, &err), 0);
    gm_device_set(d->name, "NVIDIA gopmill fake GPU L4");
    return d;
}

static enum gm_hwtest_status status(const struct gm_hwtest_report *r, const char *device,
                                    const char *name)
{
    const struct gm_hwtest_check *c = gm_hwtest_find(r, device, name);
    return c == NULL ? GM_HWTEST_STATUSES : c->status;
}

static void proofs_become_checks(void **state)
{
    (void)state;
    struct gm_device_list list = {0};
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    struct gm_device *d = gpu(&list);
    struct gm_device_proof good = {.api = "nvenc",
                                   .codec = "h264",
                                   .depth = 8,
                                   .encode = true,
                                   .passed = true,
                                   .psnr_centi = 5660};
    struct gm_device_proof bad = {
        .api = "nvdec", .codec = "hevc", .depth = 10, .text = "crashed (signal 9)"};
    struct gm_device_proof exact = {
        .api = "cuda", .codec = "cuda-ladder-1", .depth = 8, .encode = true, .passed = true};
    assert_true(gm_device_add_proof(d, &good) && gm_device_add_proof(d, &bad) &&
                gm_device_add_proof(d, &exact));
    assert_int_equal(gm_hwtest_level1(&list, &r, &err), 0);
    assert_true(r.device_count == 1 && r.devices[0].fake);
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, GPU, "proof.encode.nvenc.h264.8");
    assert_non_null(c);
    assert_true(c->status == GM_HWTEST_PASS && c->value > 56.59 && c->value < 56.61);
    c = gm_hwtest_find(&r, GPU, "proof.encode.cuda.cuda-ladder-1.8");
    assert_non_null(c);
    assert_true(c->status == GM_HWTEST_PASS && !c->has_value);
    c = gm_hwtest_find(&r, GPU, "proof.decode.nvdec.hevc.10");
    assert_non_null(c);
    assert_true(c->status == GM_HWTEST_FAIL && !c->has_value);
    assert_string_equal(c->text, "crashed (signal 9)");
    assert_string_equal(c->remedy, gm_hwtest_remedy("nvdec"));
    assert_int_equal(status(&r, GPU, "proof"), GM_HWTEST_STATUSES);
    gm_hwtest_report_fini(&r);
    gm_device_list_fini(&list);
}

static void notes_and_engines_become_checks(void **state)
{
    (void)state;
    static const enum gm_hwtest_status want[] = {
        [GM_ENGINE_UNKNOWN] = GM_HWTEST_STATUSES, [GM_ENGINE_PRESENT] = GM_HWTEST_STATUSES,
        [GM_ENGINE_ABSENT] = GM_HWTEST_SKIP,      [GM_ENGINE_REFUSED] = GM_HWTEST_FAIL,
        [GM_ENGINE_MISSING] = GM_HWTEST_WARN,
    };
    for (int i = GM_ENGINE_UNKNOWN; i <= GM_ENGINE_MISSING; i++) {
        struct gm_device_list list = {0};
        struct gm_hwtest_report r = {0};
        struct gm_err err;
        struct gm_device *d = gpu(&list);
        d->encoding = (enum gm_engine_state)i;
        assert_true(gm_device_add_note(&list, d, GM_NOTE_INFO, "fine"));
        assert_true(gm_device_add_note(&list, d, GM_NOTE_WARN, "odd"));
        assert_true(gm_device_add_note(&list, NULL, GM_NOTE_ERROR, "broken"));
        assert_int_equal(gm_hwtest_level1(&list, &r, &err), 0);
        assert_int_equal(status(&r, GPU, "encoder"), want[i]);
        assert_int_equal(status(&r, GPU, "decoder"), GM_HWTEST_STATUSES);
        assert_int_equal(status(&r, GPU, "detection"), GM_HWTEST_PASS);
        assert_int_equal(status(&r, GPU, "note.1"), GM_HWTEST_STATUSES);
        assert_int_equal(status(&r, GPU, "note.2"), GM_HWTEST_WARN);
        assert_int_equal(status(&r, "machine", "note.1"), GM_HWTEST_FAIL);
        assert_int_equal(status(&r, GPU, "proof"), GM_HWTEST_SKIP);
        gm_hwtest_report_fini(&r);
        gm_device_list_fini(&list);
    }
}

/* The remedy of an engine that is not to be had is what detection said of it. */
static void a_refusal_has_its_note_s_remedy(void **state)
{
    (void)state;
    static const struct {
        bool encode;
        const char *note, *remedy;
    } rows[] = {
        {true, "NVENC: too old", "NVENC: too old"},
        {false, "NVDEC: too old", "NVDEC: too old"},
        {true, "VAAPI: too old", "VAAPI: too old"},
        {true, "NVDEC: of the other one",
         "see the device's notes; end other programs that use it and run again"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_device_list list = {0};
        struct gm_hwtest_report r = {0};
        struct gm_err err;
        struct gm_device *d = gpu(&list);
        *(rows[i].encode ? &d->encoding : &d->decoding) = GM_ENGINE_REFUSED;
        assert_true(gm_device_add_note(&list, d, GM_NOTE_INFO, "NVENC: only said"));
        assert_true(gm_device_add_note(&list, d, GM_NOTE_WARN, "%s", rows[i].note));
        assert_int_equal(gm_hwtest_level1(&list, &r, &err), 0);
        const struct gm_hwtest_check *c =
            gm_hwtest_find(&r, GPU, rows[i].encode ? "encoder" : "decoder");
        assert_non_null(c);
        assert_string_equal(c->remedy, rows[i].remedy);
        gm_hwtest_report_fini(&r);
        gm_device_list_fini(&list);
    }
}

static void fakes_are_known_by_name_or_driver(void **state)
{
    (void)state;
    static const struct {
        const char *name, *driver;
        bool fake;
    } rows[] = {{"NVIDIA gopmill fake GPU L4", "550.54.15-fake", true},
                {"", "gopmill fake GPU Arc VA driver 23.1.1-fake", true},
                {"NVIDIA L4", "550.54.15", false},
                {"", "Intel iHD driver 23.1.1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gm_device_list list = {0};
        struct gm_hwtest_report r = {0};
        struct gm_device *d = NULL;
        struct gm_err err;
        assert_int_equal(gm_device_get(&list, GPU, GM_DEVICE_DRM, &d, &err), 0);
        gm_device_set(d->name, rows[i].name);
        gm_device_set(d->driver, rows[i].driver);
        assert_int_equal(gm_hwtest_level1(&list, &r, &err), 0);
        assert_int_equal(r.devices[0].fake, rows[i].fake);
        gm_hwtest_report_fini(&r);
        gm_device_list_fini(&list);
    }
}

static void only_what_tasks_can_use_is_encoded(void **state)
{
    (void)state;
    static const struct {
        struct gm_device_codec codec;
        const char *headers; /* the driver takes ours; NULL: of no codec */
        bool want;
    } rows[] = {{{.api = "software", .codec = "vp9", .depth = 10}, NULL, true},
                {{.api = "nvenc", .codec = "hevc", .depth = 10}, NULL, true},
                {{.api = "nvenc", .codec = "h264", .depth = 10}, NULL, false},
                {{.api = "vaapi", .codec = "h264", .depth = 8}, GM_FEATURE_VA_HEADERS, true},
                {{.api = "vaapi", .codec = "h264", .depth = 8}, GM_FEATURE_VA_HEVC, false},
                {{.api = "vaapi", .codec = "hevc", .depth = 8}, GM_FEATURE_VA_HEADERS, false},
                {{.api = "vaapi", .codec = "hevc", .depth = 10}, GM_FEATURE_VA_HEVC, true},
                {{.api = "qsv", .codec = "h264", .depth = 8}, NULL, true},
                {{.api = "qsv", .codec = "h264", .depth = 10}, NULL, false},
                {{.api = "qsv", .codec = "hevc", .depth = 10}, NULL, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gm_device d = {.kind = GM_DEVICE_DRM};
        assert_true(rows[i].headers == NULL || gm_device_add_feature(&d, rows[i].headers));
        assert_int_equal(gm_hwtest_encodes(&d, &rows[i].codec), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_become_checks),
        cmocka_unit_test(notes_and_engines_become_checks),
        cmocka_unit_test(only_what_tasks_can_use_is_encoded),
        cmocka_unit_test(a_refusal_has_its_note_s_remedy),
        cmocka_unit_test(fakes_are_known_by_name_or_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
