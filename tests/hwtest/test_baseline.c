#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "hwtest/reports_io.h"

#define GPU "0000:3b:00.0"

struct both {
    struct gm_hwtest_report was, now;
};

static void both_init(struct both *b)
{
    report_init(&b->was);
    report_init(&b->now);
}

/* What the comparison says of `name`: GM_HWTEST_STATUSES: nothing. Frees both. */
static enum gm_hwtest_status outcome(struct both *b, const char *device, const char *name)
{
    struct gm_err err;
    char full[96];
    (void)snprintf(full, sizeof full, "baseline.%s", name);
    assert_int_equal(gm_hwtest_compare(&b->now, &b->was, &err), 0);
    assert_non_null(gm_hwtest_find(&b->now, "machine", "baseline.compared"));
    const struct gm_hwtest_check *c = gm_hwtest_find(&b->now, device, full);
    enum gm_hwtest_status status = c == NULL ? GM_HWTEST_STATUSES : c->status;
    gm_hwtest_report_fini(&b->was);
    gm_hwtest_report_fini(&b->now);
    return status;
}

static void values_have_thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        double was, now;
        enum gm_hwtest_better better;
        enum gm_hwtest_status want;
    } rows[] = {
        {"dB", 50, 50, GM_HWTEST_HIGHER, GM_HWTEST_STATUSES},
        {"dB", 50, 49.5, GM_HWTEST_HIGHER, GM_HWTEST_STATUSES},
        {"dB", 50, 49.4, GM_HWTEST_HIGHER, GM_HWTEST_WARN},
        {"dB", 50, 47.9, GM_HWTEST_HIGHER, GM_HWTEST_FAIL},
        {"dB", 50, 99, GM_HWTEST_HIGHER, GM_HWTEST_STATUSES},
        {"dB", 50, 40, GM_HWTEST_NEITHER, GM_HWTEST_STATUSES},
        {"SSIM", 0.99, 0.986, GM_HWTEST_HIGHER, GM_HWTEST_STATUSES},
        {"SSIM", 0.99, 0.984, GM_HWTEST_HIGHER, GM_HWTEST_WARN},
        {"SSIM", 0.99, 0.96, GM_HWTEST_HIGHER, GM_HWTEST_FAIL},
        {"fps", 1000, 951, GM_HWTEST_HIGHER, GM_HWTEST_STATUSES},
        {"fps", 1000, 949, GM_HWTEST_HIGHER, GM_HWTEST_WARN},
        {"fps", 1000, 849, GM_HWTEST_HIGHER, GM_HWTEST_FAIL},
        {"ms", 10, 10.4, GM_HWTEST_LOWER, GM_HWTEST_STATUSES},
        {"ms", 10, 11, GM_HWTEST_LOWER, GM_HWTEST_WARN},
        {"ms", 10, 12, GM_HWTEST_LOWER, GM_HWTEST_FAIL},
        {"ms", 0, 12, GM_HWTEST_LOWER, GM_HWTEST_STATUSES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct both b;
        both_init(&b);
        report_add(&b.was, GPU, "x", GM_HWTEST_PASS, rows[i].was, rows[i].unit)->better =
            rows[i].better;
        report_add(&b.now, GPU, "x", GM_HWTEST_PASS, rows[i].now, rows[i].unit)->better =
            rows[i].better;
        if (outcome(&b, GPU, "x") != rows[i].want) {
            fail_msg("row %zu", i);
        }
    }
}

static void what_is_gone_is_told(void **state)
{
    (void)state;
    struct both b;
    both_init(&b);
    (void)report_add(&b.was, GPU, "x", GM_HWTEST_PASS, 1, "dB");
    assert_int_equal(outcome(&b, GPU, "x"), GM_HWTEST_WARN);
    both_init(&b);
    (void)report_add(&b.was, GPU, "x", GM_HWTEST_PASS, 1, "dB");
    (void)report_add(&b.now, GPU, "x", GM_HWTEST_SKIP, NAN, "");
    assert_int_equal(outcome(&b, GPU, "x"), GM_HWTEST_WARN);
    both_init(&b);
    (void)report_add(&b.was, GPU, "x", GM_HWTEST_FAIL, 1, "dB");
    assert_int_equal(outcome(&b, GPU, "x"), GM_HWTEST_STATUSES);
    both_init(&b); /* a level that was not run now */
    (void)report_add(&b.was, GPU, "x", GM_HWTEST_PASS, 1, "dB");
    b.now.level = 1;
    assert_int_equal(outcome(&b, GPU, "x"), GM_HWTEST_STATUSES);
}

static void what_is_of_no_device_is_compared_too(void **state)
{
    (void)state;
    struct both b;
    both_init(&b);
    (void)report_add(&b.was, "machine", "storage.write", GM_HWTEST_PASS, 1000, "MB/s");
    (void)report_add(&b.now, "machine", "storage.write", GM_HWTEST_PASS, 800, "MB/s");
    assert_int_equal(outcome(&b, "machine", "storage.write"), GM_HWTEST_FAIL);
    both_init(&b); /* which a run over one device does not check */
    (void)report_add(&b.was, "machine", "storage.write", GM_HWTEST_PASS, 1000, "MB/s");
    strcpy(b.now.filter, GPU);
    assert_int_equal(outcome(&b, "machine", "storage.write"), GM_HWTEST_STATUSES);
}

static void a_note_that_went_is_no_loss(void **state)
{
    (void)state;
    static const char *const devices[] = {GPU, "machine"};
    for (size_t i = 0; i < 2; i++) {
        struct both b;
        both_init(&b);
        (void)report_add(&b.was, devices[i], "note.1", GM_HWTEST_WARN, NAN, "");
        assert_int_equal(outcome(&b, devices[i], "note.1"), GM_HWTEST_STATUSES);
    }
}

static void a_device_that_is_gone_fails(void **state)
{
    (void)state;
    struct both b;
    both_init(&b);
    strcpy(b.now.devices[0].id, "cpu");
    b.now.devices[0].uuid[0] = '\0';
    assert_int_equal(outcome(&b, GPU, "device"), GM_HWTEST_FAIL);
    both_init(&b);
    strcpy(b.now.devices[0].id, "cpu");
    b.now.devices[0].uuid[0] = '\0';
    strcpy(b.now.filter, "cpu");
    assert_int_equal(outcome(&b, GPU, "device"), GM_HWTEST_STATUSES);
}

static void a_device_is_known_by_its_uuid(void **state)
{
    (void)state;
    struct both b;
    both_init(&b); /* in another slot now */
    strcpy(b.now.devices[0].id, "0000:af:00.0");
    (void)report_add(&b.was, GPU, "x", GM_HWTEST_PASS, 50, "dB");
    (void)report_add(&b.now, "0000:af:00.0", "x", GM_HWTEST_PASS, 40, "dB");
    assert_int_equal(outcome(&b, "0000:af:00.0", "x"), GM_HWTEST_FAIL);
    both_init(&b); /* another card in its slot */
    strcpy(b.now.devices[0].uuid, "GPU-2");
    assert_int_equal(outcome(&b, GPU, "device"), GM_HWTEST_FAIL);
}

static void other_bytes_are_a_warning(void **state)
{
    (void)state;
    struct both b;
    for (int i = 0; i < 7; i++) {
        both_init(&b);
        strcpy(report_add(&b.was, GPU, "x", GM_HWTEST_PASS, NAN, "")->hash, "aa");
        strcpy(report_add(&b.now, GPU, "x", GM_HWTEST_PASS, NAN, "")->hash, "bb");
        if (i == 1) { /* no wonder */
            strcpy(b.now.libraries, "others");
        } else if (i == 2) {
            strcpy(b.now.versions[0].version, "590.1");
        } else if (i == 3) { /* of another device */
            struct gm_hwtest_version v = b.now.versions[0];
            struct gm_err err;
            strcpy(v.version, "590.1");
            strcpy(v.device, "0000:af:00.0");
            assert_int_equal(gm_hwtest_add_version(&b.now, &v, &err), 0);
        } else if (i == 4) { /* a library of the machine */
            strcpy(b.was.versions[0].device, "machine");
            strcpy(b.now.versions[0].device, "machine");
            strcpy(b.now.versions[0].version, "590.1");
        } else if (i == 5) { /* a baseline that knows no versions: another driver, maybe */
            b.was.version_count = 0;
        } else if (i == 6) { /* or none of this device */
            strcpy(b.was.versions[0].device, "machine");
            strcpy(b.now.versions[0].device, "machine");
        }
        bool wonder = i == 0 || i == 3;
        assert_int_equal(outcome(&b, GPU, "x"), wonder ? GM_HWTEST_WARN : GM_HWTEST_STATUSES);
    }
    both_init(&b);
    strcpy(b.now.clips[0].hash, "ff00");
    assert_int_equal(outcome(&b, "machine", "clips"), GM_HWTEST_WARN);
}

static void what_was_compared_is_counted(void **state)
{
    (void)state;
    struct both b;
    struct gm_err err;
    both_init(&b);
    for (int i = 0; i < 2; i++) { /* names of an earlier comparison are none of its checks */
        struct gm_hwtest_report *r = i == 0 ? &b.was : &b.now;
        (void)report_add(r, GPU, "x", GM_HWTEST_PASS, 50, "dB");
        (void)report_add(r, GPU, "y", GM_HWTEST_PASS, 50, "dB");
    }
    (void)report_add(&b.was, GPU, "baseline.x", GM_HWTEST_WARN, 50, "dB");
    assert_int_equal(gm_hwtest_compare(&b.now, &b.was, &err), 0);
    assert_int_equal(b.now.check_count, 3);
    assert_string_equal(b.now.checks[2].text, "2 checks were compared");
    assert_int_equal(b.now.checks[2].status, GM_HWTEST_PASS);
    gm_hwtest_report_fini(&b.was);
    gm_hwtest_report_fini(&b.now);
    both_init(&b);
    assert_int_equal(outcome(&b, "machine", "compared"), GM_HWTEST_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_thresholds),
        cmocka_unit_test(what_is_gone_is_told),
        cmocka_unit_test(what_is_of_no_device_is_compared_too),
        cmocka_unit_test(a_note_that_went_is_no_loss),
        cmocka_unit_test(a_device_that_is_gone_fails),
        cmocka_unit_test(a_device_is_known_by_its_uuid),
        cmocka_unit_test(other_bytes_are_a_warning),
        cmocka_unit_test(what_was_compared_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
