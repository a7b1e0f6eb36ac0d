#include "cli/term.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void gm_term_init(struct gm_term *term, bool quiet)
{
    const char *no_color = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    memset(term, 0, sizeof(*term));
    term->quiet = quiet;
    term->tty = isatty(STDERR_FILENO) == 1 && (kind == NULL || strcmp(kind, "dumb") != 0);
    term->color = term->tty && (no_color == NULL || no_color[0] == '\0');
    gm_term_resize(term);
}

void gm_term_resize(struct gm_term *term)
{
    struct winsize size;
    term->width = 80;
    if (term->tty && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        term->width = size.ws_col;
    }
}

void gm_term_clear(struct gm_term *term)
{
    if (term->line_open) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        term->line_open = false;
    }
}

static void GM_PRINTF(4, 0)
    say(struct gm_term *term, const char *color, const char *prefix, const char *fmt, va_list args)
{
    gm_term_clear(term);
    if (prefix[0] != '\0') {
        fprintf(stderr, "%s%s%s ", term->color ? color : "", prefix, term->color ? "\033[0m" : "");
    }
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

void gm_term_note(struct gm_term *term, const char *fmt, ...)
{
    va_list args;
    if (term->quiet) {
        return;
    }
    va_start(args, fmt);
    say(term, "", "", fmt, args);
    va_end(args);
}

void gm_term_warn(struct gm_term *term, const char *fmt, ...)
{
    va_list args;
    if (term->quiet) {
        return;
    }
    va_start(args, fmt);
    say(term, "\033[33m", "warning:", fmt, args);
    va_end(args);
}

void gm_term_error(struct gm_term *term, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(term, "\033[31m", "error:", fmt, args);
    va_end(args);
}

void gm_term_failure(struct gm_term *term, const char *id, const char *text, const char *remedy)
{
    gm_term_error(term, "%s: %s", id, text);
    if (remedy != NULL && remedy[0] != '\0') {
        fprintf(stderr, "       %s\n", remedy);
    }
}

void gm_term_err(struct gm_term *term, const struct gm_err *err)
{
    const struct gm_code_info *info = gm_code_get((int)err->code);
    /* by the sentence; the remedy of a time that is over speaks of a task's */
    bool told = err->code == GM_E_CONFLICT || err->code == GM_E_INVAL || err->code == GM_E_TIMEOUT;
    gm_term_failure(term, info->id, err->text, told ? NULL : info->remedy);
}
