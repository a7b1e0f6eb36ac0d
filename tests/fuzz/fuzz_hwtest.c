#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hwtest/results.h"

/* A report of gopmill-hwtest: what can be read can be written in every format, and its JSON says
 * the same when it is read again; compared with itself nothing is worse. */

static void write_all(const struct gm_hwtest_report *report)
{
    struct gm_buf out = {0};
    struct gm_err err;
    size_t column = 0;
    gm_hwtest_table(report, &out);
    for (size_t i = 0; i < out.size; i++) {
        column = out.data[i] == '\n' ? 0 : column + 1;
        GM_ASSERT(column <= 80);
    }
    gm_hwtest_junit(report, &out);
    gm_hwtest_html(report, &out);
    GM_ASSERT(gm_buf_check(&out, &err) == 0);
    gm_buf_fini(&out);
}

static void read_again(const struct gm_hwtest_report *report)
{
    struct gm_hwtest_report back = {0};
    struct gm_buf one = {0}, two = {0};
    struct gm_err err;
    gm_hwtest_json(report, &one);
    int rc = gm_hwtest_read(one.data, one.size, &back, &err);
    GM_ASSERT(rc == 0);
    gm_hwtest_json(&back, &two);
    GM_ASSERT(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
    gm_hwtest_report_fini(&back);
    gm_buf_fini(&one);
    gm_buf_fini(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_hwtest_report report = {0}, same = {0};
    struct gm_err err = {0};
    if (gm_hwtest_read(data, size, &report, &err) < 0) {
        GM_ASSERT(err.text[0] != '\0');
    } else {
        write_all(&report);
        read_again(&report);
        if (gm_hwtest_read(data, size, &same, &err) == 0 &&
            gm_hwtest_compare(&report, &same, &err) < 0) {
            GM_ASSERT(err.code == GM_E_LIMIT || err.code == GM_E_NOMEM);
        }
    }
    gm_hwtest_report_fini(&report);
    gm_hwtest_report_fini(&same);
    return 0;
}
