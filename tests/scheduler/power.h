#ifndef GM_TESTS_SCHEDULER_POWER_H
#define GM_TESTS_SCHEDULER_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* A disk under SQLite whose power can fail: SQLite's default VFS, replaced in this process. Files
 * lie in a real folder, as the page cache has them; beside it the model keeps what the disk has.
 *
 * What is written, cut off or made is on the disk with the file's next sync, and may be there
 * before, in any order and in parts of 512 bytes. A sync that fails loses what it should have
 * written: it stays in the cache, no later sync writes it (Linux: fsync marks the pages clean).
 * A deleted file may be back after a power cut, until the folder is synced. Files are known by
 * their names without the folder. One model a process, used by one thread.
 */
/* folder: of the first process; empty. */
void power_start(uint32_t seed, const char *folder);
void power_stop(void);

/* The n-th sync (1: the next) of the file of that name fails with EIO; 0: none does. */
void power_fail_sync(const char *name, unsigned n);
/* The power goes at the n-th write, sync, cut or deletion from now, or stays on (0). Then
 * everything fails. */
void power_off_after(unsigned n);
/* The same, counted from the beginning of the next life, in which a state is opened first. */
void power_next_off_after(unsigned n);
bool power_is_off(void);

/* The process ends and another one begins, in the folder `to`, with the cache as it is in `from`.
 * Handles of the first one are no part of the model any more and can be closed. */
void power_restart(const char *from, const char *to);
/* The power goes and comes back: what the disk has is put into the folder `to`, where the next
 * process begins. all_lost: nothing that was not synced is there; else chance decides. */
void power_cut(const char *to, bool all_lost);

#endif
