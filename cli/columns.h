#ifndef GM_CLI_COLUMNS_H
#define GM_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A table for people: as wide as its texts, and where that is wider than the terminal, its columns
 * are cut, the widest first, and end in "…". A column of ids is never cut. All-zero but for
 * `columns` is an empty one. */

struct gm_column {
    const char *title; /* borrowed; NULL: the end of the columns */
    bool whole;        /* never cut: what is typed again */
    bool right;        /* numbers */
};

#define GM_COLUMNS_MAX 12

struct gm_below; /* columns.c */

struct gm_table {
    const struct gm_column *columns; /* borrowed */
    char **cells;                    /* owned, row by row */
    size_t count, cap;
    struct gm_below *below; /* owned; in the order of their rows */
    size_t below_count, below_cap;
    bool failed; /* memory has run out */
};

/* The next cell, left to right; text is copied, and made safe for a terminal. */
void gm_table_add(struct gm_table *table, const char *text);
void gm_table_addf(struct gm_table *table, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Lines below the row that was added last, or below the titles: sentences, which are folded where
 * they are wider than the terminal, nothing is cut. text: safe for a terminal; taken, NULL counts
 * as memory that has run out. */
void gm_table_below(struct gm_table *table, char *text);
/* Prints the titles and the rows, and frees them. width: of the terminal; 0: no limit. */
void gm_table_print(struct gm_table *table, FILE *file, unsigned width);
/* Columns of the terminal that `file` is; 0: it is none. */
unsigned gm_table_width(FILE *file);
/* The text's lines, each folded at blanks to that width; what is left of a line begins `indent`
 * more to the right than the line does. width 0: no limit. */
void gm_fold(FILE *file, const char *text, size_t indent, unsigned width);

#endif
