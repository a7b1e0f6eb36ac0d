#ifndef GM_SCHEDULER_STANDBY_H
#define GM_SCHEDULER_STANDBY_H

#include <signal.h>

#include "scheduler/http/door.h"
#include "scheduler/store/state.h"

/* Waits until this scheduler leads: *out_leads; false: *told became non-zero, by a signal, first.
 * Prints "STANDBY http=..." on stdout once another one is seen to lead, and answers HTTP meanwhile.
 * A database that does not answer is asked again. settings, door: borrowed. Errors: as
 * gm_state_lead and gm_http_open. Thread: the main one. */
int gm_standby_wait(const struct gm_settings *settings, const struct gm_door *door,
                    struct gm_state *state, const volatile sig_atomic_t *told, bool *out_leads,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
