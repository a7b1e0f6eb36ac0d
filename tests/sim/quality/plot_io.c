#include "sim/quality/plot.h"

#include <stdio.h>

#include "sim/quality/farm.h"

#define WIDTH 720
#define LEFT 230
#define RIGHT 130
#define TOP 64
#define ROW 30

void q_plot_bars(const char *path, const char *title, const char *unit, const struct q_bar *bars,
                 uint32_t count, double goal, const char *goal_text)
{
    FILE *f = fopen(path, "w");
    double most = goal;
    if (!f) {
        q_die("%s can't be written", path);
    }
    for (uint32_t i = 0; i < count; i++) {
        most = bars[i].value > most ? bars[i].value : most;
    }
    double scale = most > 0 ? (WIDTH - LEFT - RIGHT) / most : 0;
    uint32_t height = TOP + count * ROW + 34;
    (void)fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" role=\"img\">\n"
        "<title>%s</title>\n<style>\n"
        "text { font: 13px sans-serif; fill: #1f2328; paint-order: stroke; stroke: #ffffff; "
        "stroke-width: 4px }\n"
        ".ground { fill: #ffffff } .bar { fill: #2f6fb0 } .goal { stroke: #b3261e }\n"
        ".goal-text { fill: #b3261e } .title { font-size: 15px; font-weight: bold }\n"
        "@media (prefers-color-scheme: dark) {\n"
        "text { fill: #e6edf3; stroke: #0d1117 } .ground { fill: #0d1117 } .bar { fill: #58a6ff }\n"
        ".goal { stroke: #ff8f85 } .goal-text { fill: #ff8f85 }\n}\n</style>\n"
        "<rect class=\"ground\" width=\"%d\" height=\"%u\"/>\n"
        "<text class=\"title\" x=\"14\" y=\"26\">%s</text>\n",
        WIDTH, height, title, WIDTH, height, title);
    if (goal > 0) {
        double x = LEFT + goal * scale;
        (void)fprintf(f,
                      "<line class=\"goal\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%u\" "
                      "stroke-width=\"2\" stroke-dasharray=\"5 4\"/>\n"
                      "<text class=\"goal-text\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s"
                      "</text>\n",
                      x, TOP - 8, x, TOP + count * ROW, x, TOP - 14, goal_text);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t y = TOP + i * ROW;
        double wide = bars[i].value > 0 ? bars[i].value * scale : 0;
        wide = wide < 1 ? 1 : wide;
        (void)fprintf(f,
                      "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">%s</text>\n"
                      "<rect class=\"bar\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"18\"/>\n"
                      "<text x=\"%.1f\" y=\"%u\">%s</text>\n",
                      LEFT - 10, y + 14, bars[i].label, LEFT, y, wide, LEFT + wide + 8, y + 14,
                      bars[i].shown);
    }
    (void)fprintf(f, "<text x=\"%d\" y=\"%u\">%s</text>\n</svg>\n", LEFT, height - 12, unit);
    if (fclose(f) != 0) {
        q_die("%s can't be written", path);
    }
}
