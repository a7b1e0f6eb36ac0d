#ifndef GM_CLI_FARM_SWEEP_H
#define GM_CLI_FARM_SWEEP_H

#include "common/err.h"

/* Empty file of a state folder that its farm takes away at the end, in contrast to one that is
 * kept. */
#define GM_FARM_TEMPORARY "temporary"
#define GM_FARM_STATE_PREFIX "gopmill-state-"
#define GM_FARM_RUNTIME_PREFIX "gopmill-sockets-"
/* All that lies in a folder of sockets, beside its lock. */
#define GM_FARM_HTTP_SOCKET "http.sock"
#define GM_FARM_NODES_SOCKET "nodes.sock"

/* Takes away what farms that were killed left in folder: the temporary folders of their state and
 * their sockets. They are known by their names and this user's; their lock is free, theirs and
 * their programs', and older than a minute. A state folder must have its marker, a folder of
 * sockets nothing but a farm's. What can't be removed stays, with its marker for the next sweep.
 *
 * folder: absolute; one that is not there is fine
 * Thread: any */
void gm_farm_sweep(const char *folder);

/* Makes a state folder one that is kept: its marker goes, durably. Something else of that name
 * stays.
 *
 * state: absolute; its lock is the caller's
 * Thread: any
 * Errors: SYS, LIMIT: the marker may still be there */
int gm_farm_keep(const char *state, struct gm_err *err) GM_MUST_CHECK;

/* Removes a farm's folder and all in it; lock and marker go last, when nothing else is left, so
 * that a sweep finds what could not be removed.
 *
 * path:   absolute; its lock is the caller's
 * Thread: any
 * Errors: SYS, LIMIT: the first; what could be removed is */
int gm_farm_remove_folder(const char *path, struct gm_err *err) GM_MUST_CHECK;

#endif
