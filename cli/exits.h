#ifndef GM_CLI_EXITS_H
#define GM_CLI_EXITS_H

#include "common/err.h"

/* Exit codes of gopmill; docs/man/gopmill.1 lists them. */
enum gm_exit {
    GM_EXIT_DONE = 0,
    GM_EXIT_FAILED = 1,
    GM_EXIT_USAGE = 2,
    GM_EXIT_INPUT = 3,
    GM_EXIT_UNREACHABLE = 4,
    GM_EXIT_CANCELLED = 5,
    GM_EXIT_KILLED = 130, /* a second interrupt, or `watch` left by one */
};

/* The exit code for an error of the catalogue. Thread: any. */
enum gm_exit gm_exit_of_code(enum gm_code code);
/* The same by id ("input.empty"), as job documents carry it. An id that this build does not know
 * counts by its first word. */
enum gm_exit gm_exit_of_id(const char *id);

#endif
