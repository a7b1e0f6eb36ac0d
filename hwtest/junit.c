/* JUnit XML, as CI systems read it: a suite a device, a case a check. FAIL and UNSTABLE are
 * failures; SKIP is skipped; a warning passes and says so in system-out. */
#include "hwtest/results.h"

#include <string.h>

#include "common/time.h"

static bool is_bad(const struct gm_hwtest_check *c)
{
    return c->status == GM_HWTEST_FAIL || c->status == GM_HWTEST_UNSTABLE;
}

static void add_words(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    char value[64], limit[64];
    gm_hwtest_value_words(c, value, sizeof(value));
    gm_hwtest_limit_words(c, limit, sizeof(limit));
    gm_buf_xml(out, c->text, GM_XML_ASCII);
    if (value[0] != '\0') {
        gm_buf_str(out, "; measured ");
        gm_buf_xml(out, value, GM_XML_ASCII);
    }
    if (limit[0] != '\0') {
        gm_buf_str(out, ", wanted ");
        gm_buf_xml(out, limit, GM_XML_ASCII);
    }
    if (c->remedy[0] != '\0') {
        gm_buf_str(out, "; ");
        gm_buf_xml(out, c->remedy, GM_XML_ASCII);
    }
}

static void add_case(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    gm_buf_str(out, "  <testcase classname=\"hwtest.");
    gm_buf_xml(out, c->device, GM_XML_ASCII);
    gm_buf_str(out, "\" name=\"");
    gm_buf_xml(out, c->name, GM_XML_ASCII);
    gm_buf_printf(out, "\" time=\"%.3f\">", c->took_ms / 1000.0);
    if (is_bad(c)) {
        gm_buf_printf(out, "<failure type=\"%s\">", gm_hwtest_status_name(c->status));
        add_words(c, out);
        gm_buf_str(out, "</failure>");
    } else if (c->status == GM_HWTEST_SKIP) {
        gm_buf_str(out, "<skipped message=\"");
        add_words(c, out);
        gm_buf_str(out, "\"/>");
    } else {
        gm_buf_printf(out, "<system-out>%s: ", gm_hwtest_status_name(c->status));
        add_words(c, out);
        gm_buf_str(out, "</system-out>");
    }
    gm_buf_str(out, "</testcase>\n");
}

/* Of the checks from `from` on that have its device; those were not in a suite before. */
static void add_suite(const struct gm_hwtest_report *r, size_t from, const char *date,
                      struct gm_buf *out)
{
    const char *id = r->checks[from].device;
    size_t tests = 0, failures = 0, skipped = 0;
    uint64_t took = 0;
    for (size_t i = from; i < r->check_count; i++) {
        const struct gm_hwtest_check *c = &r->checks[i];
        if (strcmp(c->device, id) == 0) {
            tests++;
            took += c->took_ms;
            failures += is_bad(c) ? 1 : 0;
            skipped += c->status == GM_HWTEST_SKIP ? 1 : 0;
        }
    }
    gm_buf_str(out, " <testsuite name=\"hwtest ");
    gm_buf_xml(out, id, GM_XML_ASCII);
    gm_buf_printf(out,
                  "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\" "
                  "timestamp=\"%.19s\">\n",
                  tests, failures, skipped, (double)took / 1000, date);
    for (size_t i = from; i < r->check_count; i++) {
        if (strcmp(r->checks[i].device, id) == 0) {
            add_case(&r->checks[i], out);
        }
    }
    gm_buf_str(out, " </testsuite>\n");
}

void gm_hwtest_junit(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    char date[25];
    gm_time_format(r->started_unix_ms, date);
    gm_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (size_t i = 0; i < r->check_count; i++) {
        bool done = false;
        for (size_t k = 0; !done && k < i; k++) {
            done = strcmp(r->checks[k].device, r->checks[i].device) == 0;
        }
        if (!done) {
            add_suite(r, i, date, out);
        }
    }
    gm_buf_str(out, "</testsuites>\n");
}
