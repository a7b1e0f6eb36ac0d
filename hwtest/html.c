/* One page that needs nothing else: its styles and plots are inside. */
#include "hwtest/results.h"

#include <string.h>

#include "common/time.h"

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<title>gopmill hardware test</title>\n<style>\n"
    "body{font:15px/1.45 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:3px 8px;border-bottom:"
    "1px solid #ddd;vertical-align:top}\n"
    ".PASS{color:#2e7d32}.WARN{color:#a86f00}.FAIL{color:#c62828}.SKIP{color:#757575}"
    ".UNSTABLE{color:#6a1b9a}.n{white-space:nowrap}\n"
    ".good,.bad{padding:.8em 1em;border-left:6px solid #2e7d32;background:#f3f8f3}"
    ".bad{border-color:#c62828;background:#fdf2f2}\n"
    "svg{max-width:100%;height:auto;display:block}code{word-break:break-all}\n"
    "</style></head><body>\n<h1>gopmill hardware test</h1>\n";

static void cell(const char *tag, const char *text, struct gm_buf *out)
{
    gm_buf_printf(out, "<%s>", tag);
    gm_buf_xml(out, text, GM_XML_ASCII);
    gm_buf_printf(out, "</%s>", tag);
}

static void fact(const char *name, const char *text, struct gm_buf *out)
{
    if (text[0] != '\0') {
        gm_buf_str(out, "<tr>");
        cell("th", name, out);
        cell("td", text, out);
        gm_buf_str(out, "</tr>\n");
    }
}

static void number(const char *text, struct gm_buf *out)
{
    gm_buf_str(out, "<td class=\"n\">");
    gm_buf_xml(out, text, GM_XML_ASCII);
    gm_buf_str(out, "</td>");
}

static void add_row(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    char value[64], limit[64];
    const char *status = gm_hwtest_status_name(c->status);
    gm_hwtest_value_words(c, value, sizeof(value));
    gm_hwtest_limit_words(c, limit, sizeof(limit));
    gm_buf_printf(out, "<tr><td class=\"%s\">%s</td>", status, status);
    cell("td", c->device, out);
    cell("td", c->name, out);
    number(value, out);
    number(limit, out);
    gm_buf_str(out, "<td>");
    gm_buf_xml(out, c->text, GM_XML_ASCII);
    if (c->remedy[0] != '\0') {
        gm_buf_str(out, "<br><b>");
        gm_buf_xml(out, c->remedy, GM_XML_ASCII);
        gm_buf_str(out, "</b>");
    }
    gm_buf_str(out, "</td></tr>\n");
}

/* A plot for each unit that something was measured in. */
static void add_bars(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    for (size_t i = 0; i < r->check_count; i++) {
        const struct gm_hwtest_check *c = &r->checks[i];
        bool done = !c->has_value || c->unit[0] == '\0';
        for (size_t k = 0; !done && k < i; k++) {
            done = r->checks[k].has_value && strcmp(r->checks[k].unit, c->unit) == 0;
        }
        if (!done) {
            gm_buf_str(out, "<h3>");
            gm_buf_xml(out, c->unit, GM_XML_ASCII);
            gm_buf_str(out, " (black: thresholds)</h3>\n");
            gm_hwtest_plot_bars(r, c->unit, out);
        }
    }
}

static void add_series(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    bool first = true;
    for (size_t i = 0; i < r->check_count; i++) {
        const struct gm_hwtest_check *c = &r->checks[i];
        if (c->series_count < 2) {
            continue;
        }
        gm_buf_str(out, first ? "<h2>Picture by picture</h2>\n" : "");
        first = false;
        gm_buf_str(out, "<h3>");
        gm_buf_xml(out, c->device, GM_XML_ASCII);
        gm_buf_str(out, " ");
        gm_buf_xml(out, c->name, GM_XML_ASCII);
        gm_buf_str(out, ", ");
        gm_buf_xml(out, c->unit, GM_XML_ASCII);
        gm_buf_str(out, "</h3>\n");
        gm_hwtest_plot_series(c, out);
    }
}

static void add_versions(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    if (r->version_count == 0) {
        return;
    }
    gm_buf_str(out,
               "<h2>Versions</h2>\n<table><tr><th>device</th><th>of</th><th>version</th></tr>\n");
    for (size_t i = 0; i < r->version_count; i++) {
        gm_buf_str(out, "<tr>");
        cell("td", r->versions[i].device, out);
        cell("td", r->versions[i].name, out);
        cell("td", r->versions[i].version, out);
        gm_buf_str(out, "</tr>\n");
    }
    gm_buf_str(out, "</table>\n");
}

static void add_clips(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    if (r->clip_count == 0) {
        return;
    }
    gm_buf_str(out, "<h2>Clips</h2>\n<table><tr><th>clip</th><th>size</th><th>SHA-256</th></tr>\n");
    for (size_t i = 0; i < r->clip_count; i++) {
        const struct gm_hwtest_clip *c = &r->clips[i];
        gm_buf_str(out, "<tr>");
        cell("td", c->name, out);
        gm_buf_printf(out, "<td>%ux%u, %u pictures</td><td><code>", c->width_px, c->height_px,
                      c->frames);
        gm_buf_xml(out, c->hash, GM_XML_ASCII);
        gm_buf_str(out, "</code></td></tr>\n");
    }
    gm_buf_str(out, "</table>\n");
}

void gm_hwtest_html(const struct gm_hwtest_report *r, struct gm_buf *out)
{
    struct gm_hwtest_verdict verdict;
    char date[25];
    gm_hwtest_judge(r, &verdict);
    gm_buf_str(out, HEAD);
    gm_buf_printf(out, "<p class=\"%s\">", verdict.good ? "good" : "bad");
    gm_buf_xml(out, verdict.sentence, GM_XML_ASCII);
    gm_buf_str(out, "</p>\n<table>\n");
    fact("date", gm_time_format(r->started_unix_ms, date), out);
    gm_buf_printf(out, "<tr><th>level</th><td>%u</td></tr>\n", r->level);
    fact("only", r->only ? "yes: no level between 1 and this one was run" : "", out);
    fact("short", r->quick ? "yes: the figures of level 3 say nothing" : "", out);
    fact("machine", r->machine, out);
    fact("libraries", r->libraries, out);
    fact("baseline", r->baseline, out);
    for (size_t i = 0; i < r->device_count; i++) {
        fact(r->devices[i].fake ? "fake device" : "device", r->devices[i].sentence, out);
        fact("driver", r->devices[i].driver, out);
        fact("UUID", r->devices[i].uuid, out);
    }
    gm_buf_str(out, "</table>\n<h2>Checks</h2>\n<table><tr><th>status</th><th>device</th>"
                    "<th>check</th><th>measured</th><th>threshold</th><th></th></tr>\n");
    for (size_t i = 0; i < r->check_count; i++) {
        add_row(&r->checks[i], out);
    }
    gm_buf_str(out, "</table>\n<h2>Measured</h2>\n");
    add_bars(r, out);
    add_series(r, out);
    add_clips(r, out);
    add_versions(r, out);
    gm_buf_str(out, "</body></html>\n");
}
