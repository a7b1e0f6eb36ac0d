#ifndef GM_CLI_TERM_H
#define GM_CLI_TERM_H

#include "common/err.h"
#include "common/time.h"

/* What a person sees on stderr: messages, and a progress line that lives on the last row of a
 * terminal or, where there is none, comes as plain lines now and then. */
struct gm_term {
    bool tty;
    bool color; /* tty, and NO_COLOR is unset or empty (https://no-color.org) */
    bool quiet; /* progress and notes are off; errors are shown */
    bool json;  /* stdout gets one JSON document, also where the program is killed */
    unsigned width;
    bool line_open; /* a progress line is on the row now */
    gm_time last_plain;
    char last_phase[64];
};

void gm_term_init(struct gm_term *term, bool quiet);
/* Asks for the width again (SIGWINCH). */
void gm_term_resize(struct gm_term *term);
void gm_term_note(struct gm_term *term, const char *fmt, ...) GM_PRINTF(2, 3);
void gm_term_warn(struct gm_term *term, const char *fmt, ...) GM_PRINTF(2, 3);
/* Also shown when quiet. */
void gm_term_error(struct gm_term *term, const char *fmt, ...) GM_PRINTF(2, 3);
/* "code: sentence" and, indented, the remedy. */
void gm_term_failure(struct gm_term *term, const char *id, const char *text, const char *remedy);
/* Error with its catalogue row. */
void gm_term_err(struct gm_term *term, const struct gm_err *err);
/* Takes the progress line off the terminal. */
void gm_term_clear(struct gm_term *term);

#endif
