/* The one sentence. Bad is told before what is unstable, that before warnings; within one kind the
 * first check speaks, the others are counted. */
#include "hwtest/results.h"

#include <stdio.h>
#include <string.h>

static const struct gm_hwtest_check *first(const struct gm_hwtest_report *report,
                                           enum gm_hwtest_status status)
{
    for (size_t i = 0; i < report->check_count; i++) {
        if (report->checks[i].status == status) {
            return &report->checks[i];
        }
    }
    return NULL;
}

static bool has_fakes(const struct gm_hwtest_report *report)
{
    for (size_t i = 0; i < report->device_count; i++) {
        if (report->devices[i].fake) {
            return true;
        }
    }
    return false;
}

/* "encode.h264 of cpu (what was seen): remedy" */
static void tell(const struct gm_hwtest_check *c, char *out, size_t size)
{
    size_t remedy = strlen(c->remedy);
    while (remedy > 0 && c->remedy[remedy - 1] == '.') { /* the sentence has its own */
        remedy--;
    }
    (void)snprintf(out, size, "%s of %s (%.200s)%s%.*s", c->name, c->device,
                   c->text[0] == '\0' ? "see its row" : c->text, c->remedy[0] == '\0' ? "" : ": ",
                   (int)remedy, c->remedy);
}

void gm_hwtest_judge(const struct gm_hwtest_report *report, struct gm_hwtest_verdict *out)
{
    char what[640];
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < report->check_count; i++) {
        out->counts[report->checks[i].status]++;
    }
    size_t fails = out->counts[GM_HWTEST_FAIL], unstable = out->counts[GM_HWTEST_UNSTABLE];
    size_t warns = out->counts[GM_HWTEST_WARN], passes = out->counts[GM_HWTEST_PASS];
    const struct gm_hwtest_check *worst = fails > 0      ? first(report, GM_HWTEST_FAIL)
                                          : unstable > 0 ? first(report, GM_HWTEST_UNSTABLE)
                                                         : first(report, GM_HWTEST_WARN);
    bool fakes = has_fakes(report);
    const char *fake = fakes && report->quick
                           ? " (fake devices: nothing of this is hardware; short: no figure counts)"
                       : fakes         ? " (fake devices: nothing of this is hardware)"
                       : report->quick ? " (short: the figures of level 3 say nothing)"
                                       : "";
    out->good = fails + unstable == 0 && passes > 0;
    if (worst != NULL) {
        tell(worst, what, sizeof(what));
    }
    size_t judged = passes + warns + fails + unstable;
    if (judged == 0) {
        (void)snprintf(out->sentence, sizeof(out->sentence),
                       "BAD%s: nothing could be checked: run `gopmill devices` and follow its "
                       "notes.",
                       fake);
    } else if (fails + unstable > 0) {
        (void)snprintf(out->sentence, sizeof(out->sentence),
                       "BAD%s: %zu of %zu checks failed, first %s.", fake, fails + unstable, judged,
                       what);
    } else if (passes == 0) {
        (void)snprintf(out->sentence, sizeof(out->sentence),
                       "BAD%s: no check passed, %zu with a warning, first %s.", fake, warns, what);
    } else if (warns > 0) {
        (void)snprintf(out->sentence, sizeof(out->sentence),
                       "GOOD%s: %zu of %zu checks passed, %zu with a warning, first %s.", fake,
                       judged, judged, warns, what);
    } else {
        (void)snprintf(out->sentence, sizeof(out->sentence),
                       "GOOD%s: all %zu checks passed; nothing is to be done.", fake, judged);
    }
}
