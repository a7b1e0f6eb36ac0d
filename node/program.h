#ifndef GM_NODE_PROGRAM_H
#define GM_NODE_PROGRAM_H

#include "common/err.h"

/* Path of one of our programs: beside the running one, or where an installation has it. *out owned.
 * Errors: NOT_INSTALLED, SYS, NOMEM. Thread: any. */
int gm_program_find(const char *name, char **out, struct gm_err *err) GM_MUST_CHECK;

#endif
