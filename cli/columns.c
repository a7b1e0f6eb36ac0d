#include "cli/columns.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/err.h"
#include "common/utf8.h"

#define GAP 2
#define NARROWEST 6 /* that a column is cut to */

#define BELOW_INDENT 2

struct gm_below {
    size_t row;
    char *text; /* owned */
};

static size_t columns_of(const struct gm_table *table)
{
    size_t n = 0;
    while (n < GM_COLUMNS_MAX && table->columns[n].title != NULL) {
        n++;
    }
    return n;
}

/* One column a character, nearly always. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return n;
}

static bool grow(struct gm_table *table)
{
    size_t cap = table->cap > 0 ? table->cap * 2 : 64;
    char **more = reallocarray(table->cells, cap, sizeof *more);
    if (more == NULL) {
        return false;
    }
    table->cells = more;
    table->cap = cap;
    return true;
}

void gm_table_add(struct gm_table *table, const char *text)
{
    char *copy = table->failed ? NULL : strdup(text);
    if (copy == NULL || (table->count == table->cap && !grow(table))) {
        free(copy);
        table->failed = true;
        return;
    }
    gm_utf8_clean(copy);
    for (char *c = copy; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    }
    table->cells[table->count++] = copy;
}

void gm_table_addf(struct gm_table *table, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    gm_table_add(table, text);
}

/* Takes from the widest column that may be cut, one by one, until all fits. */
static void fit(const struct gm_table *table, size_t *widths, size_t n, unsigned width)
{
    size_t all = (n - 1) * GAP;
    for (size_t i = 0; i < n; i++) {
        all += widths[i];
    }
    while (width > 0 && all > width) {
        size_t widest = n;
        for (size_t i = 0; i < n; i++) {
            bool may = !table->columns[i].whole && widths[i] > NARROWEST;
            if (may && (widest == n || widths[i] >= widths[widest])) {
                widest = i;
            }
        }
        if (widest == n) {
            return;
        }
        widths[widest]--;
        all--;
    }
}

static void put_cell(FILE *file, const char *text, size_t width, bool right, bool last)
{
    size_t full = width_of(text), shown = 0;
    size_t pad = full < width ? width - full : 0;
    for (; right && pad > 0; pad--) {
        fputc(' ', file);
    }
    size_t keep = full > width && width > 0 ? width - 1 : full;
    for (const char *c = text; *c != '\0'; c++) {
        shown += ((unsigned char)*c & 0xc0) != 0x80 ? 1 : 0;
        if (shown > keep) {
            break;
        }
        fputc(*c, file);
    }
    fputs(keep < full ? "…" : "", file);
    for (; !last && pad > 0; pad--) {
        fputc(' ', file);
    }
    fputs(last ? "\n" : "  ", file);
}

static bool grow_below(struct gm_table *table)
{
    size_t cap = table->below_cap > 0 ? table->below_cap * 2 : 16;
    struct gm_below *more = reallocarray(table->below, cap, sizeof *more);
    if (more == NULL) {
        return false;
    }
    table->below = more;
    table->below_cap = cap;
    return true;
}

void gm_table_below(struct gm_table *table, char *text)
{
    if (text == NULL || (table->below_count == table->below_cap && !grow_below(table))) {
        free(text);
        table->failed = true;
        return;
    }
    size_t row = table->count / columns_of(table);
    table->below[table->below_count++] = (struct gm_below){.row = row, .text = text};
}

/* The most of a line's `size` bytes that fits: up to a blank, or where there is none too soon, all
 * up to the next one. */
static size_t piece_of(const char *line, size_t size, size_t width)
{
    size_t columns = 0, best = 0;
    for (size_t i = 0; i < size; i++) {
        columns += ((unsigned char)line[i] & 0xc0) != 0x80 ? 1 : 0;
        if (line[i] == ' ' && i > 0 && (columns <= width + 1 || best == 0)) {
            best = i;
        }
    }
    return columns <= width || best == 0 ? size : best;
}

static void fold_line(FILE *file, const char *line, size_t size, size_t indent, unsigned width)
{
    size_t lead = strspn(line, " ") < size ? strspn(line, " ") : size;
    size_t room = width > 2 * (lead + indent) ? width - lead : 0; /* else it is too narrow */
    line += lead;
    size -= lead;
    (void)fprintf(file, "%*s", (int)lead, "");
    while (size > 0) {
        size_t n = room > 0 ? piece_of(line, size, room) : size;
        (void)fwrite(line, 1, n, file);
        n += n < size ? 1 : 0; /* the blank */
        line += n;
        size -= n;
        if (size > 0) {
            room -= room + lead == width ? indent : 0;
            (void)fprintf(file, "\n%*s", (int)(lead + indent), "");
        }
    }
    (void)fputc('\n', file);
}

void gm_fold(FILE *file, const char *text, size_t indent, unsigned width)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        fold_line(file, text, n, indent, width);
        text += n + (text[n] != '\0' ? 1 : 0);
    }
}

/* *at: the next of them. */
static void print_below(struct gm_table *table, FILE *file, size_t row, size_t *at, unsigned width)
{
    for (; *at < table->below_count && table->below[*at].row == row; *at += 1) {
        gm_fold(file, table->below[*at].text, BELOW_INDENT, width);
        free(table->below[*at].text);
    }
}

void gm_table_print(struct gm_table *table, FILE *file, unsigned width)
{
    size_t below = 0;
    size_t widths[GM_COLUMNS_MAX];
    size_t n = columns_of(table);
    GM_ASSERT(n > 0);
    for (size_t i = 0; i < n; i++) {
        widths[i] = width_of(table->columns[i].title);
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t w = width_of(table->cells[i]);
        widths[i % n] = w > widths[i % n] ? w : widths[i % n];
    }
    fit(table, widths, n, width);
    for (size_t i = 0; i < n; i++) {
        put_cell(file, table->columns[i].title, widths[i], table->columns[i].right, i + 1 == n);
    }
    print_below(table, file, 0, &below, width);
    for (size_t i = 0; i < table->count; i++) {
        put_cell(file, table->cells[i], widths[i % n], table->columns[i % n].right, i % n + 1 == n);
        free(table->cells[i]);
        if (i % n + 1 == n) {
            print_below(table, file, i / n + 1, &below, width);
        }
    }
    if (table->failed) {
        fputs("\n(memory has run out: there is more)\n", file);
    }
    for (; below < table->below_count; below++) { /* of a row that memory did not reach for */
        free(table->below[below].text);
    }
    free(table->below);
    free(table->cells);
    *table = (struct gm_table){.columns = table->columns};
}

unsigned gm_table_width(FILE *file)
{
    struct winsize size;
    int fd = fileno(file);
    bool known = fd >= 0 && isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0;
    return known ? size.ws_col : 0;
}
