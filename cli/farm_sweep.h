#ifndef GM_CLI_FARM_SWEEP_H
#define GM_CLI_FARM_SWEEP_H

/* File of a state folder that its farm takes away at the end, in contrast to one that is kept. */
#define GM_FARM_TEMPORARY "temporary"
#define GM_FARM_STATE_PREFIX "gopmill-state-"
#define GM_FARM_RUNTIME_PREFIX "gopmill-sockets-"

/* Takes away what farms that were killed left in folder: the temporary folders of their state and
 * their sockets. They are known by their names and this user's; their lock is free, theirs and
 * their programs', and older than a minute. What can't be removed stays.
 *
 * folder: absolute; one that is not there is fine
 * Thread: any */
void gm_farm_sweep(const char *folder);

#endif
