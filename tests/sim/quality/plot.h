#ifndef GM_TESTS_SIM_QUALITY_PLOT_H
#define GM_TESTS_SIM_QUALITY_PLOT_H

#include <stdbool.h>
#include <stdint.h>

/* Small SVGs that can be read on white and on black: lines and text in the reader's colours. */
struct q_bar {
    const char *label;
    double value;
    const char *shown; /* behind the bar; borrowed */
};
/* Bars from the left, one a row, and a line where the goal is (0: none). Ends the program with a
 * sentence where the file can't be written. */
void q_plot_bars(const char *path, const char *title, const char *unit, const struct q_bar *bars,
                 uint32_t count, double goal, const char *goal_text);

#endif
