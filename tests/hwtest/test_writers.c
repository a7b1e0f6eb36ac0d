#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/reports_io.h"

static void has(const struct gm_buf *out, const char *words)
{
    if (strstr((const char *)out->data, words) == NULL) {
        fail_msg("`%s` is not in:\n%s", words, (const char *)out->data);
    }
}

static void lacks(const struct gm_buf *out, const char *words)
{
    assert_null(strstr((const char *)out->data, words));
}

static void a_table_has_eighty_columns(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    report_fill(&r);
    /* Texts without a blank, as long as they can be. */
    memset(r.checks[1].remedy, 'x', sizeof(r.checks[1].remedy) - 1);
    memset(r.devices[0].sentence, 'y', sizeof(r.devices[0].sentence) - 1);
    memset(r.checks[4].name, 'z', sizeof(r.checks[4].name) - 1);
    gm_hwtest_table(&r, &out);
    size_t column = 0, widest = 0;
    for (size_t i = 0; i < out.size; i++) {
        column = out.data[i] == '\n' ? 0 : column + 1;
        widest = column > widest ? column : widest;
    }
    assert_int_equal(widest, 80);
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

static void a_table_ends_in_the_sentence(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    (void)report_add(&r, "0000:3b:00.0", "fine", GM_HWTEST_PASS, 53.27, "dB");
    gm_hwtest_table(&r, &out);
    has(&out, "PASS     fine                               53.3 dB\n");
    has(&out, "\nPASS 1, WARN 0, FAIL 0, UNSTABLE 0, SKIP 0; 4.3 s\n"
              "GOOD: all 1 checks passed; nothing is to be done.\n");
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

static void what_is_not_fine_has_its_text_and_remedy(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    report_fill(&r);
    gm_hwtest_table(&r, &out);
    has(&out, "FAIL     decode.nvdec.hevc.10               71 pictures\n"
              "         a <b> & \"c\" 'd'");
    has(&out, "         -> update the driver\n");
    has(&out, "\nmachine\nWARN     note.1\n"); /* no device of the list */
    strcpy(r.checks[1].name, "baseline.a.name.that.does.not.fit.into.its.column");
    gm_hwtest_table(&r, &out);
    has(&out, "FAIL     baseline.a.name.that.does.not.fit.into.its.column\n"
              "                                            71 pictures\n");
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

static void json_reads_as_what_was_written(void **state)
{
    (void)state;
    struct gm_hwtest_report r, back = {0};
    struct gm_buf out = {0}, again = {0};
    struct gm_err err = {0};
    report_init(&r);
    report_fill(&r);
    r.devices[0].fake = r.quick = true;
    gm_hwtest_json(&r, &out);
    has(&out, "{\"hwtest\": 1, \"level\": 2, \"short\": true, \"only\": false, \"date\": "
              "\"2026-09-21T14:13:20.123Z\"");
    has(&out, "\"verdict\": \"bad\"");
    has(&out, "\"versions\": [\n  {\"device\": \"0000:3b:00.0\", \"name\": \"NVIDIA driver\", "
              "\"version\": \"580.1 <b>\"}],");
    assert_int_equal(gm_hwtest_read(out.data, out.size, &back, &err), 0);
    assert_int_equal(back.version_count, 1);
    assert_string_equal(back.versions[0].version, "580.1 <b>");
    assert_int_equal(back.check_count, 5);
    assert_int_equal(back.checks[0].series_count, 72);
    assert_string_equal(back.checks[1].text, r.checks[1].text);
    assert_true(back.devices[0].fake && back.clips[0].size_bytes == 123456);
    gm_hwtest_json(&back, &again);
    assert_string_equal((char *)again.data, (char *)out.data);
    gm_buf_fini(&out);
    gm_buf_fini(&again);
    gm_hwtest_report_fini(&r);
    gm_hwtest_report_fini(&back);
}

static void junit_counts_and_escapes(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    report_fill(&r);
    gm_hwtest_junit(&r, &out);
    has(&out, "<testsuite name=\"hwtest 0000:3b:00.0\" tests=\"3\" failures=\"2\" errors=\"0\" "
              "skipped=\"0\" time=\"1.500\" timestamp=\"2026-09-21T14:13:20\">");
    has(&out, "<testsuite name=\"hwtest machine\" tests=\"2\" failures=\"0\" errors=\"0\" "
              "skipped=\"1\"");
    has(&out, "<failure type=\"UNSTABLE\">a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos; \\ and");
    lacks(&out, "<b>");
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

static void html_needs_nothing_else(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    report_fill(&r);
    gm_hwtest_html(&r, &out);
    has(&out, "a &lt;b&gt; &amp;");
    has(&out, "NVIDIA &lt;X&gt;");
    has(&out, "<h3>SSIM (black: thresholds)</h3>");
    has(&out, "<polyline");
    has(&out, "class=\"UNSTABLE\"");
    has(&out, "00ff");
    lacks(&out, "http");
    lacks(&out, "src=");
    lacks(&out, "href");
    lacks(&out, "<script");
    lacks(&out, "@import");
    lacks(&out, "url(");
    lacks(&out, "nan");
    lacks(&out, "inf");
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

static void plots_of_nothing_are_nothing(void **state)
{
    (void)state;
    struct gm_hwtest_report r;
    struct gm_buf out = {0};
    report_init(&r);
    gm_hwtest_plot_bars(&r, "dB", &out);
    struct gm_hwtest_check *c = report_add(&r, "cpu", "flat", GM_HWTEST_PASS, 0, "dB");
    c->series_count = 1;
    gm_hwtest_plot_series(c, &out);
    assert_int_equal(out.size, 0);
    c->series_count = 3; /* all zero: no division by its span */
    gm_hwtest_plot_series(c, &out);
    gm_hwtest_plot_bars(&r, "dB", &out);
    lacks(&out, "nan");
    lacks(&out, "inf");
    gm_buf_fini(&out);
    gm_hwtest_report_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_has_eighty_columns),
        cmocka_unit_test(a_table_ends_in_the_sentence),
        cmocka_unit_test(what_is_not_fine_has_its_text_and_remedy),
        cmocka_unit_test(json_reads_as_what_was_written),
        cmocka_unit_test(junit_counts_and_escapes),
        cmocka_unit_test(html_needs_nothing_else),
        cmocka_unit_test(plots_of_nothing_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
