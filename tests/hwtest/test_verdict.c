#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "hwtest/reports_io.h"

static void is(struct gm_hwtest_report *r, bool good, const char *words)
{
    struct gm_hwtest_verdict v;
    gm_hwtest_judge(r, &v);
    assert_true(v.good == good);
    if (strstr(v.sentence, words) == NULL) {
        fail_msg("`%s` is not in: %s", words, v.sentence);
    }
    assert_int_equal(strncmp(v.sentence, good ? "GOOD" : "BAD", good ? 4 : 3), 0);
}

static void nothing_checked_is_bad(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    report_init(&r);
    is(&r, false, "nothing could be checked");
    (void)report_add(&r, "cpu", "x", GM_HWTEST_SKIP, NAN, "");
    is(&r, false, "nothing could be checked");
    struct gm_hwtest_check *c = report_add(&r, "cpu", "cut", GM_HWTEST_WARN, NAN, "");
    gm_hwtest_set(c->text, "its time was over");
    is(&r, false, "no check passed, 1 with a warning, first cut of cpu (its time was over).");
    gm_hwtest_report_fini(&r);
}

static void the_worst_speaks_first(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    report_init(&r);
    (void)report_add(&r, "cpu", "fine", GM_HWTEST_PASS, 1, "dB");
    is(&r, true, "all 1 checks passed");
    struct gm_hwtest_check *c = report_add(&r, "cpu", "odd", GM_HWTEST_WARN, NAN, "");
    gm_hwtest_set(c->text, "it is odd");
    gm_hwtest_set(c->remedy, "look at it");
    is(&r, true,
       "2 of 2 checks passed, 1 with a warning, first odd of cpu (it is odd): look at it.");
    (void)report_add(&r, "cpu", "shaky", GM_HWTEST_UNSTABLE, NAN, "");
    is(&r, false, "1 of 3 checks failed, first shaky of cpu");
    c = report_add(&r, "gpu", "broken", GM_HWTEST_FAIL, NAN, "");
    gm_hwtest_set(c->remedy, "replace it");
    (void)report_add(&r, "gpu", "broken too", GM_HWTEST_FAIL, NAN, "");
    is(&r, false, "3 of 5 checks failed, first broken of gpu (see its row): replace it.");
    gm_hwtest_report_fini(&r);
}

static void fakes_are_named(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    report_init(&r);
    (void)report_add(&r, "0000:3b:00.0", "fine", GM_HWTEST_PASS, 1, "dB");
    r.devices[0].fake = true;
    is(&r, true, "fake devices: nothing of this is hardware");
    (void)report_add(&r, "0000:3b:00.0", "bad", GM_HWTEST_FAIL, 1, "dB");
    is(&r, false, "fake devices: nothing of this is hardware");
    gm_hwtest_report_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_checked_is_bad),
        cmocka_unit_test(the_worst_speaks_first),
        cmocka_unit_test(fakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
