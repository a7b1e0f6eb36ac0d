/* Plots as inline SVG. Nothing is drawn where nothing was measured. */
#include "hwtest/results.h"

#include <math.h>
#include <string.h>

#define BAR_H 18
#define LABEL_W 330
#define PLOT_W 360
#define VALUE_W 110
#define LINE_W 640
#define LINE_H 120

static const char *colour(enum gm_hwtest_status status)
{
    static const char *const colours[GM_HWTEST_STATUSES] = {"#2e7d32", "#f9a825", "#c62828",
                                                            "#9e9e9e", "#6a1b9a"};
    return colours[status];
}

static bool is_plotted(const struct gm_hwtest_check *c, const char *unit)
{
    return c->has_value && strcmp(c->unit, unit) == 0;
}

/* All values and limits; from 0, or from a little below the least where that is far from 0 and the
 * bars would all look alike. */
static void find_range(const struct gm_hwtest_report *r, const char *unit, double *out_low,
                       double *out_high)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < r->check_count; i++) {
        const struct gm_hwtest_check *c = &r->checks[i];
        if (is_plotted(c, unit)) {
            low = fmin(low, fmin(c->value, c->has_low ? c->low : c->value));
            high = fmax(high, fmax(c->value, c->has_high ? c->high : c->value));
            low = fmin(low, c->has_high ? c->high : c->value);
            high = fmax(high, c->has_low ? c->low : c->value);
        }
    }
    bool alike = low > 0.0 && low > 0.8 * high;
    *out_low = alike ? low - fmax(high - low, 0.001 * high) / 2 : fmin(low, 0.0);
    *out_high = high > *out_low ? high : *out_low + 1.0;
}

static void mark(double at, double low, double high, int y, struct gm_buf *out)
{
    double x = LABEL_W + (at - low) / (high - low) * PLOT_W;
    gm_buf_printf(out,
                  "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#000\" "
                  "stroke-width=\"2\"/>",
                  x, y, x, y + BAR_H - 2);
}

void gm_hwtest_plot_bars(const struct gm_hwtest_report *r, const char *unit, struct gm_buf *out)
{
    double low, high;
    int rows = 0;
    for (size_t i = 0; i < r->check_count; i++) {
        rows += is_plotted(&r->checks[i], unit) ? 1 : 0;
    }
    if (rows == 0) {
        return;
    }
    find_range(r, unit, &low, &high);
    gm_buf_printf(out, "<p>Bars begin at %.4g.</p>\n", low);
    int width = LABEL_W + PLOT_W + VALUE_W;
    gm_buf_printf(out,
                  "<svg role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                  "font-size=\"12\">",
                  width, rows * BAR_H, width, rows * BAR_H);
    int y = 0;
    for (size_t i = 0; i < r->check_count; i++) {
        const struct gm_hwtest_check *c = &r->checks[i];
        char words[64];
        if (!is_plotted(c, unit)) {
            continue;
        }
        gm_hwtest_value_words(c, words, sizeof(words));
        gm_buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LABEL_W - 6, y + 13);
        gm_buf_xml(out, c->device, GM_XML_ASCII);
        gm_buf_str(out, " ");
        gm_buf_xml(out, c->name, GM_XML_ASCII);
        gm_buf_printf(
            out, "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>",
            LABEL_W, y + 2, (c->value - low) / (high - low) * PLOT_W, BAR_H - 6, colour(c->status));
        if (c->has_low) {
            mark(c->low, low, high, y, out);
        }
        if (c->has_high) {
            mark(c->high, low, high, y, out);
        }
        gm_buf_printf(out, "<text x=\"%d\" y=\"%d\">", LABEL_W + PLOT_W + 6, y + 13);
        gm_buf_xml(out, words, GM_XML_ASCII);
        gm_buf_str(out, "</text>");
        y += BAR_H;
    }
    gm_buf_str(out, "</svg>\n");
}

void gm_hwtest_plot_series(const struct gm_hwtest_check *c, struct gm_buf *out)
{
    if (c->series_count < 2) {
        return;
    }
    double low = (double)c->series[0], high = low;
    for (size_t i = 1; i < c->series_count; i++) {
        low = fmin(low, (double)c->series[i]);
        high = fmax(high, (double)c->series[i]);
    }
    double span = high > low ? high - low : 1.0;
    gm_buf_printf(out,
                  "<svg role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                  "font-size=\"12\"><polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" "
                  "points=\"",
                  LINE_W, LINE_H, LINE_W, LINE_H, colour(c->status));
    for (size_t i = 0; i < c->series_count; i++) {
        gm_buf_printf(out, "%.1f,%.1f ",
                      70 + (double)i / (double)(c->series_count - 1) * (LINE_W - 80),
                      LINE_H - 12 - ((double)c->series[i] - low) / span * (LINE_H - 24));
    }
    gm_buf_printf(
        out, "\"/><text x=\"2\" y=\"16\">%.5g</text><text x=\"2\" y=\"%d\">%.5g</text></svg>\n",
        high, LINE_H - 8, low);
}
