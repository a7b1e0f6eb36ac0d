/* The table for people: a device in its sentence, then a row a check; what was seen and what to do
 * stands below rows that are not PASS. No line has more than 80 columns. */
#include "hwtest/results.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 80
#define NAME_COLUMNS 34

/* text in lines of at most COLUMNS, broken at blanks where there are any. */
static void wrap(const char *text, size_t indent, struct gm_buf *out)
{
    size_t room = COLUMNS - indent;
    while (*text == ' ') {
        text++;
    }
    while (*text != '\0') {
        size_t n = strlen(text);
        if (n > room) {
            n = room;
            while (n > 0 && text[n] != ' ') {
                n--;
            }
            n = n == 0 ? room : n;
        }
        gm_buf_printf(out, "%*s%.*s\n", (int)indent, "", (int)n, text);
        text += n;
        while (*text == ' ') {
            text++;
        }
    }
}

/* "STATUS name value limit"; a name that is too long for its column has the line to itself. */
static void add_line(const char *status, const char *name, const char *value, const char *limit,
                     struct gm_buf *out)
{
    char text[160];
    (void)snprintf(text, sizeof(text), "%-8.8s %-34.71s %-16.16s %-19.19s", status, name, value,
                   limit);
    size_t n = strlen(text) > COLUMNS ? COLUMNS : strlen(text);
    while (n > 0 && text[n - 1] == ' ') {
        n--;
    }
    gm_buf_printf(out, "%.*s\n", (int)n, text);
}

static void add_row(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    char value[64], limit[64], text[300];
    gm_hwtest_value_words(c, value, sizeof(value));
    gm_hwtest_limit_words(c, limit, sizeof(limit));
    const char *status = gm_hwtest_status_name(c->status);
    if (strlen(c->name) <= NAME_COLUMNS) {
        add_line(status, c->name, value, limit, out);
    } else {
        add_line(status, c->name, "", "", out);
        if (value[0] != '\0' || limit[0] != '\0') {
            add_line("", "", value, limit, out);
        }
    }
    bool plain = c->status == GM_HWTEST_PASS;
    if (!plain && c->text[0] != '\0') {
        wrap(c->text, 9, out);
    }
    if (!plain && c->remedy[0] != '\0') {
        (void)snprintf(text, sizeof(text), "-> %s", c->remedy);
        wrap(text, 9, out);
    }
}

static void add_device(const struct gm_hwtest_report *report, const char *id, struct gm_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < report->check_count; i++) {
        any = any || strcmp(report->checks[i].device, id) == 0;
    }
    if (!any) {
        return;
    }
    const struct gm_hwtest_device *d = gm_hwtest_find_device(report, id);
    gm_buf_str(out, "\n");
    wrap(d == NULL ? id : d->sentence, 0, out);
    for (size_t i = 0; i < report->check_count; i++) {
        if (strcmp(report->checks[i].device, id) == 0) {
            add_row(&report->checks[i], out);
        }
    }
}

/* Checks of devices that are not in the list, each device once, in order. */
static void add_others(const struct gm_hwtest_report *report, struct gm_buf *out)
{
    for (size_t i = 0; i < report->check_count; i++) {
        const char *id = report->checks[i].device;
        bool done = gm_hwtest_find_device(report, id) != NULL;
        for (size_t k = 0; !done && k < i; k++) {
            done = strcmp(report->checks[k].device, id) == 0;
        }
        if (!done) {
            add_device(report, id, out);
        }
    }
}

void gm_hwtest_table(const struct gm_hwtest_report *report, struct gm_buf *out)
{
    struct gm_hwtest_verdict verdict;
    gm_hwtest_judge(report, &verdict);
    gm_buf_printf(out, "%-8s %-34s %-16s %s\n", "STATUS", "CHECK", "MEASURED", "THRESHOLD");
    for (size_t i = 0; i < report->device_count; i++) {
        add_device(report, report->devices[i].id, out);
    }
    add_others(report, out);
    gm_buf_printf(out, "\nPASS %zu, WARN %zu, FAIL %zu, UNSTABLE %zu, SKIP %zu; %.1f s\n",
                  verdict.counts[GM_HWTEST_PASS], verdict.counts[GM_HWTEST_WARN],
                  verdict.counts[GM_HWTEST_FAIL], verdict.counts[GM_HWTEST_UNSTABLE],
                  verdict.counts[GM_HWTEST_SKIP], (double)report->took_ms / 1000);
    wrap(verdict.sentence, 0, out);
}
