#ifndef GM_SCHEDULER_CHECK_STORE_H
#define GM_SCHEDULER_CHECK_STORE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"

/* gopmill-scheduler --check-store: what is wrong with a state (a folder, or PostgreSQL), said to
 * `out` as text or as one JSON object. Changes nothing. *out_problems: how many. Errors: it could
 * not be looked at, as gm_state_check says; nothing is written then but with json {"error": ...}.
 */
int gm_check_store(const char *where, bool json, FILE *out, size_t *out_problems,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
