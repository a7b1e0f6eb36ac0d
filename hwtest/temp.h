#ifndef GM_HWTEST_TEMP_H
#define GM_HWTEST_TEMP_H

#include "common/err.h"

/* Temporary folders of gopmill-hwtest, and what is left of runs that were killed. Each is locked
 * from its making to its end, so a free lock is that of a run that is gone; what is kept for its
 * reader has no lock. */
#define GM_HWTEST_TEMP_PREFIX "gopmill-hwtest-"
#define GM_HWTEST_TEMP_SOAK "gopmill-soak-"

/* TMPDIR, or else /tmp. Borrowed from the environment. */
const char *gm_hwtest_temp_home(void);

/* Makes a folder there, its name `prefix` and six characters by chance. *out_lock: owned, given
 * back by one of the two below. Errors: SYS, LIMIT (size is too little). Thread: any. */
int gm_hwtest_temp_make(const char *prefix, char *out, size_t size, int *out_lock,
                        struct gm_err *err) GM_MUST_CHECK;
/* The folder and all in it goes; what can't be removed the sweep of a later run finds. */
void gm_hwtest_temp_remove(const char *folder, int *lock);
/* It stays, and no sweep takes it. */
void gm_hwtest_temp_keep(const char *folder, int *lock);

/* Takes away what killed runs of this user left in home: of these names, with a lock that is free
 * and older than a minute, and no program of theirs still at work; folders and files without a lock
 * only where they are empty and as old: their run was killed before it had one. home: one that is
 * not there is fine. */
void gm_hwtest_temp_sweep(const char *home);

#endif
